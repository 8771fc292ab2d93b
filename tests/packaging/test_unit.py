#!/usr/bin/env python3
"""What the package and the images are described by: the unit, the configurations, the lists of packages."""
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support", "packaging")]
from everything import LISTED, TOPIC, Everything, fortigate  # noqa: E402
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import BIN, LONG, Steps, need_binary, run, temp_dir, wait_until  # noqa: E402

UNIT = ROOT / "packaging" / "sekisho.service"
EXPOSURE_MAX = 2.0  # of 10, as systemd-analyze counts
# What compiles and what only ./dev needs, and a build of the package does not.
DEV_ONLY = {"ca-certificates", "libc6-dev", "libcmocka-dev", "publicsuffix"}
PACKAGE_ONLY = {"debhelper-compat", "dh-sequence-installsysusers"}


def unit_values(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.M)


def check_unit(folder, step):
    """The unit as systemd reads it; its program is the one that was built."""
    copy = folder / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/sekisho", str(BIN)))
    subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], check=True)
    step("systemd-analyze verify: nothing to say")
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true",
                           f"--threshold={EXPOSURE_MAX * 10:.0f}", str(copy)], stdout=subprocess.PIPE)
    report = done.stdout.decode()
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", report)
    assert level, report
    print("\n".join(line for line in report.splitlines() if line.startswith("✗")))
    assert done.returncode == 0, f"exposure {level[1]} is above {EXPOSURE_MAX}"
    step(f"systemd-analyze security: exposure {level[1]} of 10")


def check_exit_codes(folder, step):
    """The codes after which a restart helps nobody are the program's own."""
    kept = {int(code) for code in unit_values("RestartPreventExitStatus")[0].split()}
    assert kept == {2, 3, 5}, kept
    faulty = folder / "faulty.yaml"
    faulty.write_text("data: store\nkafka: {brokesr: x}\n")
    run("collect", "-c", faulty, check=3)
    run("collect", check=2)
    command = shlex.split(unit_values("ExecStart")[0])
    assert command[:3] == ["/usr/bin/sekisho", "collect", "-c"], command
    step("no restart after wrong configurations and command lines")


def check_configurations(step):
    for path in (ROOT / "packaging" / "collector.yaml", ROOT / "docker" / "collector.yaml"):
        run("check", path)
    step("the configurations are right")


def check_lists(step):
    """One version; and debian/control asks for what ./dev installs."""
    version = re.search(r"version : '([^']+)'", (ROOT / "meson.build").read_text())[1]
    packaged = re.match(r"sekisho \(([^)]+)\)", (ROOT / "debian" / "changelog").read_text())[1]
    assert packaged == version, f"debian/changelog says {packaged}, meson.build {version}"
    script = (ROOT / "dev").read_text()
    dev = re.search(r'^BUILD_PACKAGES="([^"]+)"', script, re.M)[1]
    dev = dev.replace("$HS_PACKAGE", " ".join(re.findall(r"HS_PACKAGE=(\S+)", script)))
    control = re.search(r"^Build-Depends:(.*?)^\S", (ROOT / "debian" / "control").read_text(), re.M | re.S)[1]
    asked = {re.match(r"[a-z0-9.+-]+", entry.strip())[0] for entry in re.split("[,|]", control)}
    installed = set(dev.split())
    assert asked - PACKAGE_ONLY == installed - DEV_ONLY, \
        f"only in debian/control: {sorted(asked - PACKAGE_ONLY - installed)}; " \
        f"only in dev: {sorted(installed - DEV_ONLY - asked)}"
    step("versions and lists of packages agree")


def syscall_set(name):
    """The system calls of a set of systemd's, nested ones included."""
    found = set()
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True,
                          stdout=subprocess.PIPE)
    for line in done.stdout.decode().splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            found |= syscall_set(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def allowed_syscalls():
    allowed = set()
    for line in unit_values("SystemCallFilter"):
        names = line.lstrip("~").split()
        listed = set().union(*(syscall_set(n) if n.startswith("@") else {n} for n in names))
        allowed = allowed - listed if line.startswith("~") else allowed | listed
    return allowed


def check_syscalls(folder, step):
    """A collector with everything there is, that starts, works, alerts, reloads and ends, makes no call that the unit
    forbids."""
    trace = folder / "calls"
    wrapper = folder / "traced"
    # -D: the collector, and not its tracer, is the child that signals go to.
    wrapper.write_text(f"#!/bin/sh\nexec strace -D -f -q -o {shlex.quote(str(trace))} "
                       f"{shlex.quote(str(BIN))} \"$@\"\n")
    wrapper.chmod(0o755)
    (folder / "alerts").mkdir()
    with Broker() as kafka, Everything(folder / "all", kafka, folder / "alerts") as everything:
        brokers = kafka.bootstrap.replace("127.0.0.1", "localhost")
        with Collector(folder / "collector", kafka, everything.keys(), binary=wrapper, brokers=brokers) as collector:
            everything.send(list(fortigate(249)) + list(fortigate(1, destination=LISTED)))
            collector.wait_collected({(TOPIC, 0): 250})
            alert = everything.wait_alerts("10.1.0.5", "indicator")
            run("status", "--data", collector.data)
            run("alerts", "ack", alert["alert.id"], "--data", collector.data, "--reason", "known")
            collector.daemon.send(1)
            collector.wait_text("reloaded")
            collector.stop(within=30)
            wait_until(lambda: "+++ exited" in trace.read_text(errors="replace").splitlines()[-1], 10,
                       "the trace to end")
    calls = trace.read_text(errors="replace")
    families = set(re.findall(r"\bsocket\((\w+)", calls)) - set(unit_values("RestrictAddressFamilies")[0].split())
    assert not families, f"the collector makes sockets that RestrictAddressFamilies forbids: {sorted(families)}"
    made = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", calls, re.M))
    assert {"fdatasync", "execve"} <= made, made
    forbidden = made - allowed_syscalls()
    assert not forbidden, f"the collector calls what SystemCallFilter forbids: {sorted(forbidden)}"
    step(f"the {len(made)} system calls of a collector with lists, databases and all outputs are allowed")


def main():
    need_binary()
    step = Steps()
    with temp_dir() as folder:
        if shutil.which("systemd-analyze"):
            check_unit(folder, step)
        else:
            step("not checked here, there is no systemd-analyze: the unit")
        check_exit_codes(folder, step)
        check_configurations(step)
        check_lists(step)
        if not LONG:
            step("not checked in a short run: the system calls (./dev test --long)")
        elif shutil.which("strace") and shutil.which("systemd-analyze"):
            check_syscalls(folder, step)
        else:
            step("not checked here, there is no strace or no systemd-analyze: the system calls")


if __name__ == "__main__":
    main()
