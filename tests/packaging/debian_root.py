"""A minimal Debian 12 as a tar file, made by debootstrap once a week: the base of an image where no registry is
reached, and a fresh system to install the package in."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import skip, temp_dir  # noqa: E402

SUITE = "bookworm"
TAR = ROOT / "build" / "debian-root.tar"
KEPT_SECONDS = 7 * 24 * 3600
AUTHORITIES = pathlib.Path("/usr/local/share/ca-certificates")
MAVEN = pathlib.Path.home() / ".m2" / "settings.xml"


def need_root(*tools):
    """Skip the test without root or one of the tools."""
    if os.geteuid() != 0:
        skip("needs root")
    for tool in tools:
        if not shutil.which(tool):
            skip(f"needs {tool}: ./dev deps containers")


def _output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


def _sources():
    """This machine's own sources of Debian's packages, as lines of sources.list; the suite itself first."""
    found = _output("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)",
                    "Created-By: Packages").splitlines()
    lines = sorted({f"deb {line}" for line in found if re.search(rf" {SUITE}(-updates|-security)? main$", line)},
                   key=lambda line: (f" {SUITE} " not in line, line))
    if not lines or f" {SUITE} " not in lines[0]:
        skip(f"no package source for Debian {SUITE} on this machine")
    return lines


def run_in(root, command, check=True, **options):
    """Run a shell command as root in the folder `root`, with processes and mounts of its own; the network is shared."""
    script = 'mount -t proc proc "$1/proc" && exec chroot "$1" /usr/bin/env -i HOME=/root LANG=C.UTF-8 ' \
             'PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive ' \
             '${http_proxy:+http_proxy="$http_proxy"} /bin/sh -ec "$2"'
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, "sh",
                           str(root), command], check=check, stdin=subprocess.DEVNULL, **options)


def _make(tar):
    sources = _sources()
    with temp_dir() as folder:
        root = folder / "root"
        mirror = sources[0].split()[1]
        subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root), mirror],
                       check=True, stdout=subprocess.DEVNULL)
        (root / "etc/apt/sources.list").write_text("\n".join(sources) + "\n")
        settings = [line for line in _output("apt-config", "dump").splitlines()
                    if re.match(r"Acquire::https?::", line)]
        (root / "etc/apt/apt.conf.d/90host").write_text("\n".join(settings) + "\n")
        for authority in AUTHORITIES.glob("*.crt"):
            shutil.copy(authority, root / "usr/local/share/ca-certificates")
        if MAVEN.exists():
            (root / "root/.m2").mkdir()
            shutil.copy(MAVEN, root / "root/.m2")
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        # Packages do not start their services in it.
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        run_in(root, "update-ca-certificates; apt-get -q update; apt-get -q -y dist-upgrade; apt-get clean; "
                     "rm -rf /var/lib/apt/lists/*", stdout=subprocess.DEVNULL)
        handle, new = tempfile.mkstemp(dir=tar.parent)
        os.close(handle)
        subprocess.run(["tar", "-C", str(root), "--one-file-system", "-cf", new, "."], check=True)
        os.replace(new, tar)


def root_tar():
    """Path of the tar file."""
    with contextlib.suppress(FileNotFoundError):
        if time.time() - TAR.stat().st_mtime < KEPT_SECONDS:
            return TAR
    need_root("debootstrap", "unshare", "chroot")
    _make(TAR)
    return TAR


@contextlib.contextmanager
def fresh_root():
    """A folder with a fresh Debian in it; gone at the end."""
    tar = root_tar()
    with temp_dir() as folder:
        subprocess.run(["tar", "-C", str(folder), "-xf", str(tar)], check=True)
        yield folder
