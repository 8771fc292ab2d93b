#!/usr/bin/env python3
"""The Debian package, made from a copy of the checkout without a trace in it; in a fresh system: installed with what it
depends on, its unit started by systemd, collecting from a real Kafka and giving alerts to every kind of receiver;
reloaded, killed, ended, removed. Without root only its contents are looked at."""
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support", "packaging")]
from booted import booted, can_boot  # noqa: E402
from debian_root import fresh_root, run_in  # noqa: E402
from everything import LISTED, TENANT, Everything, fortigate, scan  # noqa: E402
from kafka_harness import Broker  # noqa: E402
from sekisho import LONG, Steps, ndjson, need_binary, run, skip, temp_dir, wait_until  # noqa: E402

LINES = 500
UNIT, CONFIG, STORE = "lib/systemd/system/sekisho.service", "etc/sekisho/collector.yaml", "var/lib/sekisho"
ALERTS = "var/log/sekisho"
WANTED = [UNIT, CONFIG, "usr/bin/sekisho", "usr/lib/sysusers.d/sekisho.conf", "usr/share/man/man1/sekisho.1.gz",
          "usr/share/man/man1/sekisho-collect.1.gz", "usr/share/man/man5/sekisho.conf.5.gz",
          "usr/share/bash-completion/completions/sekisho", "usr/share/doc/sekisho/examples/collector.yaml",
          "usr/share/doc/sekisho/copyright", "etc/logrotate.d/sekisho"]


def sums(folder):
    """{path: hash} of all files but those of a build."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0] != "build"}


def make_package(folder, step):
    """./dev package, as in a clean checkout. Returns the folder of what it made."""
    checkout = folder / "sekisho"
    checkout.mkdir()
    copy = 'tar -C "$1" --exclude="./build*" --exclude=./.git --exclude=./docker/tls --exclude=__pycache__ -cf - . | ' \
           'tar -C "$2" -xf -'
    subprocess.run(["sh", "-ec", copy, "sh", str(ROOT), str(checkout)], check=True)
    before = sums(checkout)
    done = subprocess.run([checkout / "dev", "package"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode(errors="replace")
    after = sums(checkout)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed, f"./dev package changes the checkout: {changed}"
    made = checkout / "build" / "package"
    assert len(list(made.glob("sekisho_*.deb"))) == 1, list(made.iterdir())
    step(f"packaged; the {len(before)} files of the checkout are as before")
    return made


def check_lintian(made, step):
    (changes,) = made.glob("sekisho_*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", str(changes)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    step("lintian: no error, no warning")


def check_contents(deb, step):
    """The files, and that the program runs with the libraries that the package says it depends on."""
    with temp_dir() as folder:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
        missing = [name for name in WANTED if not (folder / name).is_file()]
        assert not missing, f"not in the package: {missing}"
        program = folder / "usr" / "bin" / "sekisho"
        run_out = subprocess.run([program, "check", folder / CONFIG], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert run_out.returncode == 0, run_out.stdout.decode()
        libraries = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE).stdout.decode()
        assert "not found" not in libraries, libraries
        direct = re.findall(r"NEEDED +(\S+)", subprocess.run(["objdump", "-p", program], check=True,
                                                             stdout=subprocess.PIPE).stdout.decode())
    depends = subprocess.run(["dpkg-deb", "-f", str(deb), "Depends"], check=True,
                             stdout=subprocess.PIPE).stdout.decode()
    named = {re.match(r"[a-z0-9.+-]+", part.strip())[0] for part in re.split(r"[,|]", depends)}
    for library in direct:
        owner = subprocess.run(["dpkg", "-S", f"*/{library}"], check=True, stdout=subprocess.PIPE).stdout.decode()
        owners = {line.split(":")[0] for line in owner.splitlines()}
        assert owners & named, f"{library} is of {owners}, and none of them is in Depends: {depends}"
    step(f"{len(WANTED)} files are there; {len(direct)} libraries are in Depends")


def install(root, deb, step):
    shutil.copy(deb, root / "root" / "sekisho.deb")
    run_in(root, "apt-get -q update; apt-get -q -y install --no-install-recommends logrotate systemd /root/sekisho.deb",
           stdout=subprocess.DEVNULL)
    entry = re.search(r"^sekisho:x:(\d+):(\d+):[^:]*:/var/lib/sekisho:/usr/sbin/nologin$",
                      (root / "etc/passwd").read_text(), re.M)
    assert entry, "no user sekisho"
    user, group = int(entry[1]), int(entry[2])
    for name, owner in ((STORE, (user, group)), (ALERTS, (user, group)), ("etc/sekisho/tls", (0, group))):
        state = (root / name).stat()
        assert ((state.st_uid, state.st_gid), state.st_mode & 0o7777) == (owner, 0o750), f"{name}: {state}"
    run_in(root, "useradd --groups sekisho analyst; useradd stranger")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    step("installed in a fresh system, with its user and folders")
    return user


def configure(root, kafka, everything):
    """As packaged, with a broker that has no TLS, found by its name, and with everything else there is."""
    path = root / CONFIG
    packaged = path.read_text()
    brokers = kafka.bootstrap.replace("127.0.0.1", "localhost")
    text = re.sub(r"brokers: .*", f"brokers: {brokers}", packaged[:packaged.index("# Also syslog")])
    text = re.sub(r"(?m)^  # .*\n|^  properties:\n(    .*\n)*", "", text)
    for name in (f"/{ALERTS}/alerts.ndjson", f"/{ALERTS}/tenants"):
        assert name in packaged and name in everything.keys(), name
    path.write_text(text + everything.keys())
    run_in(root, "sekisho check /etc/sekisho/collector.yaml", stdout=subprocess.DEVNULL)
    return path.read_text()


def rows(system):
    return int(system("sekisho", "search", "", "--data", f"/{STORE}", "--count", check=False) or "0")


def check_start(system, root, user, step):
    """What systemd makes of the unit: the user, and each wall that it asks for."""
    enabled = system("systemctl", "is-enabled", "sekisho", check=False).strip()
    active = system("systemctl", "is-active", "sekisho", check=False).strip()
    assert (enabled, active) == ("disabled", "inactive"), "started before it is configured"
    system("systemctl", "enable", "--now", "sekisho")
    assert system.value("sekisho", "ActiveState") == "active", system("journalctl", "-u", "sekisho")
    pid = system.value("sekisho", "MainPID")
    state = dict(line.split(":\t", 1) for line in system("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)
    want = {"Uid": [str(user)] * 4, "NoNewPrivs": ["1"], "Seccomp": ["2"], "CapEff": ["0" * 16], "CapBnd": ["0" * 16]}
    assert {name: state[name].split() for name in want} == want, state
    mounts = system("cat", f"/proc/{pid}/mountinfo")
    writable = {line.split()[4] for line in mounts.splitlines() if "rw" in line.split()[5].split(",")}
    assert f"/{STORE}" in writable and f"/{ALERTS}" in writable and not {"/", "/etc", "/usr"} & writable, mounts
    assert system.value("sekisho", "MemoryMax") == str(2 << 30), system.value("sekisho", "MemoryMax")
    step(f"systemd runs the unit: user {user}, no rights, calls filtered, only the store and alerts writable")


def check_work(system, root, user, everything, step):
    everything.send([*fortigate(LINES - 1), *fortigate(1, destination=LISTED)])
    wait_until(lambda: rows(system) == LINES, 60, "the lines in the store", interval=0.3)
    alert = everything.wait_alerts("10.1.0.5", "indicator")
    owners = {p.stat().st_uid for folder in (STORE, ALERTS) for p in (root / folder).rglob("*")}
    assert owners == {user}, f"files of {owners}"
    enriched = system("sekisho", "search", f"destination.ip:{LISTED}", "--data", f"/{STORE}", "--json")
    assert "destination.geo.country_iso_code" in enriched, enriched
    step("lines end as alerts in files, Kafka, Redis, syslog and mail")
    acknowledge = ("sekisho", "alerts", "ack", alert["alert.id"], "--data", f"/{STORE}", "--reason", "known")
    system(*acknowledge, user="stranger", check=False)
    listed = ("sekisho", "alerts", "--data", f"/{STORE}", "--state", "acknowledged", "--json")
    assert not ndjson(system(*listed, check=False)), "a stranger may acknowledge"
    system(*acknowledge, user="analyst")
    (known,) = ndjson(system(*listed, user="analyst"))
    assert known["alert.id"] == alert["alert.id"], known
    system("sekisho", "status", "--data", f"/{STORE}", user="analyst")
    step("who is in the group searches, acknowledges and sees the status, nobody else")


def check_rotation(system, root, everything, step):
    system("logrotate", "--force", "/etc/logrotate.d/sekisho")
    assert not (root / ALERTS / "alerts.ndjson").exists() and (root / ALERTS / "alerts.ndjson.1").exists()
    everything.send(scan("10.1.0.66"))
    everything.wait_alerts("10.1.0.66", "D3")
    assert len(ndjson(root / ALERTS / f"tenants/{TENANT}.ndjson.1")) >= 1
    step("after logrotate the next alert is in a new file")


def check_backup(system, step):
    """As docs/deployment.md says, of a store in use: state, then log, then what the log names."""
    had = rows(system)
    copy = "/srv/copy"
    system("install", "-d", "-o", "sekisho", copy)
    for part in ("state", "log", "env"):
        system("cp", "-a", f"/{STORE}/{part}", copy)
    system("sekisho", "verify", "--data", copy)
    assert int(system("sekisho", "search", "", "--data", copy, "--count")) == had
    before, after = (ndjson(system("sekisho", "alerts", "--data", data, "--json")) for data in (f"/{STORE}", copy))
    assert before == after and before, "the copy has other alerts"
    step("a copy of the store in use verifies, with its rows and alerts")


def check_restarts(system, root, everything, right, step):
    had = rows(system)
    system("systemctl", "reload", "sekisho")
    wait_until(lambda: "reloaded" in system("journalctl", "-u", "sekisho"), 20, "the reload", interval=0.3)
    pid = system.value("sekisho", "MainPID")
    system("systemctl", "kill", "-s", "KILL", "sekisho")
    wait_until(lambda: system.value("sekisho", "MainPID") not in (pid, "0"), 30, "the restart", interval=0.3)
    everything.send(fortigate(LINES))
    wait_until(lambda: rows(system) == had + LINES, 60, "the lines after SIGKILL", interval=0.3)
    system("systemctl", "stop", "sekisho")
    shown = system("systemctl", "show", "-p", "Result,ExecMainStatus", "sekisho").split()
    assert sorted(shown) == ["ExecMainStatus=0", "Result=success"], shown
    (root / CONFIG).write_text(right + "nonsense: 1\n")
    system("systemctl", "start", "sekisho", check=False)
    wait_until(lambda: system.value("sekisho", "ActiveState") == "failed", 20, "the refusal", interval=0.3)
    assert system.value("sekisho", "ExecMainStatus") == "3"
    assert "nonsense" in system("journalctl", "-u", "sekisho"), "the journal does not say why"
    (root / CONFIG).write_text(right)
    step("reloaded, started again after SIGKILL, stopped, not started again after a wrong configuration")


def check_unit(root, user, step):
    with Broker() as kafka, Everything(root / "srv/all", kafka, root / ALERTS, root) as everything:
        right = configure(root, kafka, everything)
        with booted(root) as system:
            try:
                check_start(system, root, user, step)
                check_work(system, root, user, everything, step)
                check_rotation(system, root, everything, step)
                check_backup(system, step)
                check_restarts(system, root, everything, right, step)
            except BaseException:
                print(system("journalctl", "--no-pager", "-n", "60", "-u", "sekisho", check=False))
                raise


def check_command(root, user, step):
    """Where systemd cannot run: the unit's command as the unit's user, from nothing to an orderly end."""
    unit = (root / UNIT).read_text()
    assert re.search(r"^User=sekisho\nGroup=sekisho$", unit, re.M)
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1]
    with Broker() as kafka, Everything(root / "srv/all", kafka, root / ALERTS, root) as everything:
        configure(root, kafka, everything)
        everything.send(fortigate(LINES))
        run_in(root, f"timeout --preserve-status 20 setpriv --no-new-privs --reuid={user} --regid=sekisho "
                     f"--clear-groups -- {shlex.join(shlex.split(command))}")
        count = run_in(root, "sekisho search '' --data /var/lib/sekisho --count", stdout=subprocess.PIPE).stdout
        assert int(count) == LINES, count
    step("not checked here, needs control groups: the unit under systemd. Its command collects as its user")


def check_removal(root, step):
    run_in(root, "sekisho verify --data /var/lib/sekisho; apt-get -q -y remove sekisho", stdout=subprocess.DEVNULL)
    assert (root / CONFIG).exists(), "a removal takes the configuration"
    run_in(root, "apt-get -q -y purge sekisho", stdout=subprocess.DEVNULL)
    assert not (root / "usr/bin/sekisho").exists() and not (root / CONFIG).exists()
    assert any((root / STORE / "log").iterdir()), "a purge takes the evidence"
    step("removed and purged; the store stays")


def main():
    if not LONG:
        skip("builds and installs the package: ./dev test --long packaging")
    need_binary()
    if not shutil.which("dpkg-buildpackage"):
        skip("needs dpkg-buildpackage: ./dev deps package")
    step = Steps()
    with temp_dir() as folder:
        made = make_package(folder, step)
        if shutil.which("lintian"):
            check_lintian(made, step)
        else:
            step("not checked here, there is no lintian: the package's form")
        (deb,) = made.glob("sekisho_*.deb")
        check_contents(deb, step)
        if os.geteuid() != 0:
            step("not checked here, needs root: the installation in a fresh system")
            return
        with fresh_root() as root:
            user = install(root, deb, step)
            (check_unit if can_boot() else check_command)(root, user, step)
            check_removal(root, step)


if __name__ == "__main__":
    main()
