"""podman with images, containers, volumes and networks of its own, all of it in one folder: nothing of the machine's is
seen or changed, and it goes with the folder."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("support", "packaging")]
from debian_root import root_tar  # noqa: E402

DEBIAN = "docker.io/library/debian:12-slim"
NOISE = ("unable to get systemd connection", "failed to connect to syslog")  # on machines without systemd


class Engine:
    """`with Engine(folder) as engine`: folder must be on a disk."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.env = {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf"),
                    "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}

    @staticmethod
    def _chains():
        """Chains of the firewall that podman made for one network each."""
        done = subprocess.run(["iptables", "-w", "10", "-t", "nat", "-S"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return {words[1] for words in map(str.split, done.stdout.decode().splitlines())
                if len(words) == 2 and words[0] == "-N" and words[1].startswith("NETAVARK-DN-")}

    def __enter__(self):
        self.chains = self._chains()
        systemd = pathlib.Path("/run/systemd/system").is_dir()
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/images"\nrunroot = "{self.folder}/run"\n')
        (self.folder / "containers.conf").write_text(f"""[engine]
runtime = "{'runc' if shutil.which('runc') else 'crun'}"
cgroup_manager = "{'systemd' if systemd else 'cgroupfs'}"
events_logger = "file"
tmp_dir = "{self.folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "{self.folder}/networks"
[containers]
default_ulimits = ["nofile=1024:20000", "nproc=1024:4096"]
""")
        return self

    def __exit__(self, *_):
        """What a test that failed has left, too."""
        for command in (("rm", "-fa", "-t", "0"), ("volume", "rm", "-fa"), ("network", "prune", "-f"),
                        ("rmi", "-fa"), ("unmount", "-fa")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.podman(*command, check=False, timeout=120)
        # It leaves them behind, empty. One in use cannot be removed.
        for chain in self._chains() - self.chains:
            subprocess.run(["iptables", "-w", "10", "-t", "nat", "-X", chain], stderr=subprocess.DEVNULL, check=False)
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed([m for m in mounts if m.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "-l", mount], check=False)

    def podman(self, *arguments, check=True, timeout=600, stdin=None):
        """CompletedProcess with bytes in stdout and stderr."""
        return self._run(["podman", *map(str, arguments)], self.env, check, timeout, stdin)

    def compose(self, project, file, *arguments, env=None, timeout=300):
        command = ["podman-compose", "-p", project, "-f", str(file), *arguments]
        return self._run(command, {**self.env, **(env or {})}, True, timeout, None)

    @staticmethod
    def _run(command, env, check, timeout, stdin):
        done = subprocess.run(command, env=env, timeout=timeout, stdin=stdin or subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done.stderr = b"".join(line for line in done.stderr.splitlines(True)
                               if not any(noise.encode() in line for noise in NOISE))
        if check and done.returncode:
            sys.stderr.write((done.stdout[-6000:] + done.stderr[-6000:]).decode(errors="replace"))
            raise AssertionError(f"{' '.join(command[:4])} ...: exit {done.returncode}")
        return done

    def base(self):
        """Have the base image: of the machine's own podman, of a registry, or else made here. Returns whence."""
        done = subprocess.run(["podman", "image", "exists", DEBIAN])
        if done.returncode == 0:
            with subprocess.Popen(["podman", "save", DEBIAN], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL) as save:
                self.podman("load", stdin=save.stdout)
            return "this machine"
        if self.podman("pull", "-q", DEBIAN, check=False).returncode == 0:
            return "a registry"
        self.podman("import", "--change", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    root_tar(), DEBIAN)
        return "debootstrap"

    def build(self, dockerfile, tag):
        """Build from the checkout. Returns the image's size in bytes."""
        self.podman("build", "--format", "docker", "--network", "host", "--layers=false", "--force-rm", "-f",
                    ROOT / dockerfile, "-t", tag, ROOT, timeout=1800)
        return int(self.podman("image", "inspect", "-f", "{{.Size}}", tag).stdout)
