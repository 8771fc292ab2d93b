#!/usr/bin/env python3
"""A collector that compacts while it collects: every line is there once, in the log or in segments, whatever dies; the log
loses its oldest files, and alerts still show the lines that they name; checkpoints that it signs vouch for all of it. Half of
the municipalities are encrypted, and get new keys meanwhile."""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir, wait_until  # noqa: E402

EVENTS = 400_000 if LONG else 40_000
TENANTS = 6
KEYS = """limits: {log_file_bytes: 256KiB, batch_age: 200ms}
long_term: {every: 2s, delay: 0s}
checkpoint: {every: 1s}
"""


class Bench:
    def __init__(self, folder, kafka, r):
        self.folder, self.kafka, self.r, self.sent = folder, kafka, r, 0
        run("gen", "--seed", r.randrange(1 << 32), "--tenants", TENANTS, "--events", EVENTS, "--inject", "zone_lgwan:4",
            "--out", folder / "gen", timeout=600)
        text = (folder / "gen" / "config.yaml").read_text()
        tenants = text[text.index("tenants:"):]
        codes = re.findall(r'^  "?(\d{6})"?:', tenants, re.MULTILINE)
        assert len(codes) == TENANTS, codes
        self.sealed = sorted(r.sample(codes, TENANTS // 2))
        os.environ["SEKISHO_KEYRING"] = str(folder / "keyring")
        run("keyring", "init")
        for code in self.sealed:
            run("keyring", "add", "--tenant", code)
            tenants = re.sub(rf'^(  "?{code}"?:.*\n)', r"\1    encrypt: true\n", tenants, flags=re.MULTILINE)
        self.collector = Collector(folder / "collector", kafka, KEYS + f"encryption: {{keyring: {folder / 'keyring'}}}\n" + tenants)
        self.data = self.collector.data
        self.files = []
        for entry in (folder / "gen" / "manifest.yaml").read_text().splitlines():
            if "file:" not in entry:
                continue
            value = lambda key: entry.split(f"{key}: ")[1].split(",")[0].strip('" }')
            self.files.append((f"seclog.raw.{value('tenant')}.{value('source')}", folder / "gen" / value("file")))

    def send(self, part, parts):
        """A part of each file; the hashes of what was sent are kept by the broker's own journal."""
        for topic, path in self.files:
            lines = path.read_bytes().splitlines(keepends=True)
            piece = lines[len(lines) * part // parts:len(lines) * (part + 1) // parts]
            if not piece:
                continue
            (self.folder / "piece").write_bytes(b"".join(piece))
            run("send", "--brokers", self.kafka.bootstrap, "--topic", topic, "--per-message", "20", self.folder / "piece",
                timeout=120)
            self.sent += len(piece)

    def stored(self):
        done = run("search", "", "--data", self.data, "--count", check=None)
        return int(done.stdout) if done.returncode == 0 else -1

    def newest_state(self):
        """The frame after which detectors' state was kept last."""
        return max((int(p.suffix[1:]) for p in (self.data / "state").iterdir() if p.suffix[1:].isdigit()), default=0)

    def log_files(self, ending):
        names = {p.stem for p in (self.data / "log").glob(f"*.{ending}")}
        return sorted(names - ({p.stem for p in (self.data / "log").glob("*.log")} if ending == "rem" else set()))


def collects_and_compacts(bench, step):
    kept = b""
    for part in range(4):
        bench.send(part, 4)
        wait_until(lambda: bench.stored() == bench.sent, 60, f"{bench.sent} lines stored")
        if part == 0:
            newest = lambda: run("checkpoint", "--data", bench.data, check=None).stdout
            wait_until(lambda: newest().startswith(b"sekisho checkpoint"), 30, "a checkpoint")
            kept = newest()
        run("keyring", "rotate", "--tenant", bench.sealed[part % len(bench.sealed)])
        if part in (1, 2):  # each start keeps a state: two of them stand between a file and its retirement
            before = bench.newest_state()
            bench.collector.kill()
            bench.collector.start()
            wait_until(lambda: bench.newest_state() > before, 60, "a state of the new start")
    step(f"lines were collected: {bench.sent} lines, killed twice")
    wait_until(lambda: "rows are in segments" in bench.collector.text(), 30, "a compaction")
    wait_until(lambda: len(bench.log_files("rem")) != 0, 60, "a file of the log to be retired")
    assert bench.stored() == bench.sent
    step(f"the log lost files: {len(bench.log_files('rem'))} retired, {len(bench.log_files('log'))} left")
    return kept


def every_line_is_there(bench, step):
    raw = run("export", "--raw", "--data", bench.data, timeout=120).stdout
    want = sorted(line for _, path in bench.files for line in path.read_bytes().splitlines())
    got = sorted(line for line in raw.splitlines() if line)
    assert got == want, f"{len(got)} lines come out, {len(want)} went in"
    step(f"every line comes out once: {len(got)}")
    done = run("verify", "--data", bench.data, "--json", check=None, timeout=300)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["ok"], done.stderr
    assert report["segment_rows"] > 0 and report["remains"] > 0, report
    assert report["checkpoints"] > 2, report
    step(f"verify agrees: {report['segment_rows']} rows in {report['segments']} segments, {report['checkpoints']} checkpoints")
    checker = subprocess.run([sys.executable, str(ROOT / "tests" / "checker" / "sekisho_check.py"), str(bench.data)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=300)
    assert checker.returncode == 0, checker.stdout.decode() + checker.stderr.decode()
    step("so does the second program")


def half_is_encrypted(bench, step):
    """No name of a topic or line of theirs is on disk; without keys they are missing and said to be, and the others are not."""
    lines = {code: [line for topic, path in bench.files if f".{code}." in topic for line in path.read_bytes().splitlines()[:200]]
             for code in bench.sealed}
    written = 0
    for folder in sorted((bench.data / "seg").iterdir()):
        for path in folder.glob("*.seg") if folder.is_dir() else ():
            data, sealed = path.read_bytes(), folder.name in bench.sealed
            assert (b"seclog.raw." in data) != sealed, path
            if sealed:
                assert not any(line in data for line in lines[folder.name]), path
                written += 1
    assert written > 0
    keys = len(run("keyring", "list").stdout.splitlines())
    assert keys > len(bench.sealed), keys
    no_keys = {"SEKISHO_KEYRING": ""}
    for code in sorted(p.name for p in (bench.data / "seg").iterdir() if p.is_dir()):
        done = run("search", "", "--data", bench.data, "--tenant", code, "--count", check=None, env=no_keys)
        assert done.returncode == (5 if code in bench.sealed else 0), (code, done.stderr)
        assert (b"keyring" in done.stderr) == (code in bench.sealed), done.stderr
    assert b"INCOMPLETE" in run("verify", "--data", bench.data, check=5, env=no_keys, timeout=300).stdout
    step(f"{written} segments of {len(bench.sealed)} municipalities are encrypted; without keys they are missing, and named")


def a_kept_checkpoint_holds(bench, kept, step):
    """The one that was kept before the kills, compactions and retirements."""
    path = bench.folder / "kept"
    path.write_bytes(kept)
    run("verify", "--data", bench.data, "--checkpoint", path, timeout=300)
    (bench.folder / "growth").write_bytes(run("proof", "--data", bench.data, "--since", path).stdout)
    said = run("verify", "--proof", bench.folder / "growth", "--data", bench.data).stdout.decode()
    assert "unchanged" in said, said
    assert b"collector" in run("checkpoint", "--data", bench.data, "--sign", check=6).stderr
    step(said.strip())


def alerts_show_their_lines(bench, step):
    alerts = ndjson(run("alerts", "--data", bench.data, "--json", check=None).stdout)
    assert alerts, "no alert at all"
    shown = 0
    for alert in alerts[:10]:
        done = run("alerts", "show", alert["alert.id"], "--data", bench.data, "--lang", "en", check=None)
        assert done.returncode == 0, done.stderr
        shown += sum(done.stdout.count(word) for word in (b"srcip=", b"CONNECT", b"TRAFFIC", b"%ASA", b"HIER_"))
    assert shown != 0, "no alert shows a line"
    step(f"alerts show lines that are in segments: {shown} of {len(alerts)} alerts")


def a_restart_goes_on(bench, step):
    before = bench.stored()
    bench.collector.stop()
    bench.collector.start()
    assert bench.stored() == before
    owner = bench.sealed[0]
    topic, path = next(pair for pair in bench.files if f".{owner}." in pair[0])
    run("send", "--brokers", bench.kafka.bootstrap, "--topic", topic, path, timeout=120)
    bench.sent += len(path.read_bytes().splitlines())
    wait_until(lambda: bench.stored() == bench.sent, 60, "lines after the restart")
    bench.collector.stop()
    done = run("compact", "--data", bench.data, check=5, env={"SEKISHO_KEYRING": ""}, timeout=120)
    assert owner.encode() in done.stderr, done.stderr      # its rows would go on in clear
    assert bench.stored() == bench.sent
    done = run("compact", "--data", bench.data, "--json", check=None, timeout=120)
    assert done.returncode == 0, done.stderr
    assert bench.stored() == bench.sent
    leftover = [p.name for p in (bench.data / "seg").rglob("*.tmp")]
    assert not leftover, leftover
    assert run("verify", "--data", bench.data, check=None, timeout=300).returncode == 0
    step(f"a restart and a compaction by hand: {bench.sent} lines")


def retention_goes_on_alone(bench, step):
    """Without compaction retention still looks after the store: it leaves the trusted time behind."""
    text = bench.collector.conf.read_text()
    bench.collector.conf.write_text(text.replace("long_term: {", "long_term: {compact: false, "))
    segments = {p.name for p in (bench.data / "seg").rglob("*.seg")}
    (bench.data / "clock").unlink()
    bench.collector.start()
    wait_until((bench.data / "clock").exists, 30, "retention without compaction")
    bench.send(0, 4)
    wait_until(lambda: bench.stored() == bench.sent, 60, "lines without compaction")
    bench.collector.stop()
    assert "rows are in segments" not in bench.collector.text()
    # It makes none; what the compaction by hand has replaced it may sweep away.
    assert {p.name for p in (bench.data / "seg").rglob("*.seg")} <= segments
    assert bench.stored() == bench.sent
    assert run("verify", "--data", bench.data, check=None, timeout=300).returncode == 0
    step("without compaction retention goes on")


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        bench = Bench(folder, kafka, r)
        kafka.create_topics({topic: 2 for topic, _ in bench.files})
        with bench.collector:
            kept = collects_and_compacts(bench, step)
            every_line_is_there(bench, step)
            half_is_encrypted(bench, step)
            a_kept_checkpoint_holds(bench, kept, step)
            alerts_show_their_lines(bench, step)
            a_restart_goes_on(bench, step)
            retention_goes_on_alone(bench, step)


if __name__ == "__main__":
    main()
