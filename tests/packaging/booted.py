"""systemd as the first process of the system in a folder: units run there as on a machine, in control groups, mounts
and processes of their own. The network is the machine's."""
import contextlib
import os
import pathlib
import subprocess

from sekisho import _die_with_parent, wait_until

CONTROL = pathlib.Path("/sys/fs/cgroup")
BOOT_SECONDS = 60

# $1 = the folder, then pairs of a mount point below /sys/fs/cgroup and the options of its hierarchy
BOOT = """
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 dev dev
for d in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${d%:*}" c 1 "${d#*:}"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
for d in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "/proc/self/${d#*:}" "dev/${d%:*}"; done
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
if [ "$1" = . ]; then
    mount -t cgroup2 cgroup sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 cgroup sys/fs/cgroup
    while [ $# -gt 0 ]; do
        mkdir "sys/fs/cgroup/$1"
        mount -t cgroup -o "$2" cgroup "sys/fs/cgroup/$1"
        shift 2
    done
fi
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=0
"""


def _hierarchies():
    """[(name below /sys/fs/cgroup, options)] of those that systemd needs; empty when there are none to write to."""
    mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    if any((m[1], m[2]) == (str(CONTROL), "cgroup2") for m in mounts):
        found = [(".", "")]
    else:
        wanted = {"name=systemd": "none,name=systemd", "memory": "memory", "pids": "pids"}
        found = [(os.path.basename(m[1]), options) for m in mounts if m[2] == "cgroup"
                 for word, options in wanted.items() if word in m[3].split(",")]
        if not any("name=systemd" in options for _, options in found):
            found = []
    return [h for h in found if os.access(CONTROL / h[0], os.W_OK)]


def can_boot():
    return os.geteuid() == 0 and bool(_hierarchies())


class System:
    def __init__(self, pid):
        self.pid = pid

    def __call__(self, *command, check=True, user=None):
        """Run a command in it; what it wrote to stdout, as text."""
        switch = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-p", "--root", "--wd=/", "env", "-i",
                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", *switch, *map(str, command)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        out, said = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert not check or done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}:\n{out}{said}"
        return out

    def value(self, unit, name):
        return self("systemctl", "show", "--value", "-p", name, unit).strip()


def _children(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@contextlib.contextmanager
def booted(root):
    """A System; at the end all its processes are gone."""
    hierarchies = _hierarchies()
    groups = [CONTROL / name / f"sekisho-test-{os.getpid()}" for name, _ in hierarchies]
    for group in groups:
        group.mkdir()
    join = "".join(f'echo $$ >"{group}/cgroup.procs"\n' for group in groups)
    enter = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "sh", "-ec", BOOT,
             "sh", str(root), *(word for pair in hierarchies for word in pair)]
    console = root.parent / f"{root.name}.console"
    try:
        with open(console, "wb") as out:
            process = subprocess.Popen(["sh", "-ec", f'{join}exec "$@"', "sh", *enter], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, preexec_fn=_die_with_parent)
        try:
            wait_until(lambda: process.poll() is not None or _children(process.pid), 10, "the first process")
            first = (_children(process.pid) or [None])[0]
            system = System(first)

            def up():
                alive = process.poll() is None
                assert alive, f"systemd did not start:\n{console.read_text(errors='replace')[-3000:]}"
                return system("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")
            wait_until(up, BOOT_SECONDS, "systemd to start", interval=0.3)
            yield system
        finally:
            process.kill()  # and with it its child, the first process, and with that every other
            process.wait()
    finally:
        console.unlink(missing_ok=True)
        for group in groups:
            wait_until(lambda g=group: _remove(g), 20, f"{group} to be empty", interval=0.1)


def _remove(group):
    """Remove control groups; whether they could be."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not group.exists()
