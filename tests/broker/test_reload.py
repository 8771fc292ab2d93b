#!/usr/bin/env python3
"""SIGHUP: a new configuration takes over between two batches, a faulty one does not; no line is lost or doubled.

Faults are those of the configuration itself, of rules, of lists for placeholders and of lists of indicators: each is named
with its file and, where it has one, its line, in the log and by `sekisho check`; the metrics count it, and what ran before
goes on.
"""
import hashlib
import pathlib
import re
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from sekisho import Daemon, Steps, ndjson, run, temp_dir, wait_until  # noqa: E402

TOPIC = "seclog.raw.990019.fw1"
LINES = 300
SUFFIXES = pathlib.Path("/usr/share/publicsuffix/public_suffix_list.dafsa")

RULE = "title: denied\nid: denied\nlevel: low\nlogsource: {product: sekisho}\n" \
       "detection: {s: {event.action: deny}, condition: s}\n"
FILTER = "title: old\nfilter: {rules: [denied], s: {source.ip: 10.1.0.3}, condition: not s}\n" \
         "logsource: {product: sekisho}\nsekisho: {layer: prefecture, owner: SOC, reason: test, expires: %s}\n"
DEEP = "title: deep\nid: deep\nlogsource: {product: sekisho}\ndetection: {s: " + "[" * 64 + "]" * 64 + ", condition: s}\n"

# Faults beside the configuration: file, its bytes (None: it is away), what is said of it.
FAULTS = [
    ("rules/bad.yml", b"title: x\n  y: [\n", r"bad\.yml:2:\d+: "),
    ("rules/word.yml", RULE.replace("denied", "word").replace("event.action:", "event.action|sounds:").encode(),
     r"word\.yml:5:\d+: .*sounds"),
    ("rules/list.yml", RULE.replace("denied", "list").replace("event.action: deny", "'event.action|expand': '%away%'").encode(),
     r"list\.yml:5:\d+: .*away"),
    ("rules/latin.yml", b"title: caf\xe9\n" + RULE.encode(), r"latin\.yml:1:\d+: "),
    ("rules/deep.yml", DEEP.encode(), r"deep\.yml:4:\d+: "),
    ("rules/huge.yml", RULE.encode() + b"description: " + b"x" * (5 << 20), r"huge\.yml: .*split"),
    ("rules/twice.yml", RULE.encode(), r"(?:twice|denied)\.yml:\d+:\d+: .*denied"),
    ("feed.txt", b"what is this\n" * 20, r"feed\.txt:1:1: "),
    ("feed.txt", None, r"collector\.yaml:\d+:\d+: cannot read .*feed\.txt"),
    ("collector.yaml", b"data: store\nkafka:\n  brokesr: x\n", r"collector\.yaml:3:\d+: .*brokers"),
]


def line(n):
    return (f"date=2026-11-21 time=10:00:{n % 60:02d} srcip=10.1.0.{n % 250} dstip=203.0.113.5 action=deny "
            f"hostname=h{n}.example.co.jp n={n}")


def config(folder, brokers, zone):
    (folder / "collector.yaml").write_text(f"""data: store
kafka:
  brokers: {brokers}
  discover: 200ms
  fetch_wait: 50ms
sources:
  fw1: {{format: fortigate}}
rules: rules
lists: [{{name: feed, file: feed.txt}}]
tenants:
  "990019":
    networks:
      - {{cidr: 10.1.0.0/16, zone: {zone}}}
""")


def send(folder, kafka, first):
    path = folder / "lines.log"
    path.write_text("".join(line(n) + "\n" for n in range(first, first + LINES)))
    run("send", "--brokers", kafka.bootstrap, "--topic", TOPIC, path)


def stored(folder):
    if not (folder / "store" / "log").exists():
        return 0
    done = run("search", "", "--data", folder / "store", "--count", check=None)
    return int(done.stdout or b"0") if done.returncode in (0, 1) else 0


def metrics(folder):
    """{name or name/label: value} of the running collector."""
    rows = ndjson(run("status", "--data", folder / "store", "--json").stdout)
    return {r["name"] + ("/" + r["source"] if r["source"] else ""): r["value"] for r in rows}


def need_metrics(folder, taken, refused, last_refused, **more):
    def wanted():
        m = metrics(folder)
        want = {"sekisho_reloads/taken": taken, "sekisho_reloads/refused": refused,
                "sekisho_reload_refused": last_refused, **{f"sekisho_{k}": v for k, v in more.items()}}
        return m if {k: m.get(k) for k in want} == want else None
    return wait_until(wanted, 10, f"{taken} taken, {refused} refused")


def look_at_faults(folder, kafka, daemon, step):
    """Each fault, alone: refused, named, counted; then all is well again."""
    before = need_metrics(folder, 1, 0, 0)
    for number, (name, content, said) in enumerate(FAULTS):
        path = folder / name
        was = path.read_bytes() if path.exists() else None
        seen = len(daemon.text())
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        daemon.send(signal.SIGHUP)
        wait_until(lambda at=seen: "not reloaded" in daemon.text()[at:], 20, f"{name} to be refused")
        text = daemon.text()[seen:]
        assert re.search(said, text), f"{name}: {said!r} is not said:\n{text}"
        checked = run("check", folder / "collector.yaml", check=3).stderr.decode()
        assert re.search(said, checked), f"{name}: check does not say {said!r}:\n{checked}"
        after = need_metrics(folder, 1, number + 1, 1)
        assert after["sekisho_loaded_seconds"] == before["sekisho_loaded_seconds"]
        if was is None:
            path.unlink()
        else:
            path.write_bytes(was)
    table = run("status", "--data", folder / "store").stdout.decode()
    assert "THE LAST RELOAD WAS REFUSED" in table and f"1 taken, {len(FAULTS)} refused" in table, table
    top = run("top", "--data", folder / "store", "--count", 1, "--lang", "ja").stdout.decode()
    assert "再読込みに失敗" in top, top
    step(f"{len(FAULTS)} faults, each named with its place, none in force")
    send(folder, kafka, 2 * LINES)
    wait_until(lambda: stored(folder) == 3 * LINES, 30, "the lines after the faulty ones")


def look_at_good(folder, daemon, step):
    """What is right again is taken, and the sign of the fault goes; an expired filter hides nothing and is no fault of it."""
    (folder / "rules" / "old.yml").write_text(FILTER % "2020-01-01T00:00:00+09:00")
    seen = len(daemon.text())
    time.sleep(1)
    start = time.time()
    daemon.send(signal.SIGHUP)
    wait_until(lambda: " msg=reloaded" in daemon.text()[seen:] or 'msg="reloaded"' in daemon.text()[seen:], 20, "the reload")
    m = need_metrics(folder, 2, len(FAULTS), 0, **{"rules/rule": 1, "rules/filter": 1, "indicators": 1})
    assert m["sekisho_loaded_seconds"] >= start - 1, m
    table = run("status", "--data", folder / "store").stdout.decode()
    assert "REFUSED:" not in table and "1 rules, 0 correlations, 1 filters, 1 indicators" in table, table
    said = run("check", folder / "collector.yaml", check=3).stderr.decode()
    assert re.search(r"old\.yml:\d+:\d+: .*2020-01-01", said), said
    (folder / "rules" / "old.yml").write_text(FILTER % "2099-01-01T00:00:00+09:00")
    done = run("check", folder / "collector.yaml")
    assert b"2 files: 1 rules (0 of them never run), 0 correlations, 1 filters; 1 lists with 2 values" in done.stdout, done
    assert b"list feed " in done.stdout and b"1 entries" in done.stdout, done
    step("what is right again is taken")


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        kafka.create_topic(TOPIC)
        (folder / "rules" / "lists").mkdir(parents=True)
        (folder / "rules" / "denied.yml").write_text(RULE)
        (folder / "rules" / "lists" / "ports.txt").write_text("22\n3389  # remote\n")
        (folder / "feed.txt").write_text("evil.example\n")
        config(folder, kafka.bootstrap, "before")
        with Daemon("collect", "-c", "collector.yaml", cwd=folder) as daemon:
            send(folder, kafka, 0)
            wait_until(lambda: stored(folder) == LINES, 30, "the first lines")
            need_metrics(folder, 0, 0, 0, **{"rules/rule": 1, "rules/correlation": 0, "indicators": 1})
            step("collected with the first configuration")
            config(folder, kafka.bootstrap, "after")
            daemon.send(signal.SIGHUP)
            daemon.wait_log("reloaded", 20)
            send(folder, kafka, LINES)
            wait_until(lambda: stored(folder) == 2 * LINES, 30, "the lines after the reload")
            step("collected with the second one")
            look_at_faults(folder, kafka, daemon, step)
            look_at_good(folder, daemon, step)
            assert daemon.running()
            assert daemon.stop(10) == 0
        rows = ndjson(run("export", "--data", folder / "store").stdout)
        zones = [r["sekisho.zone.source"] for r in rows]
        assert zones == ["before"] * LINES + ["after"] * 2 * LINES, "each line has its configuration's zone"
        domains = {r.get("url.registered_domain") for r in rows}
        assert domains == {"example.co.jp"}, f"the databases of a reload are those that are asked: {domains}"
        assert [r["fortigate.n"] for r in rows] == [str(n) for n in range(3 * LINES)]
        run("verify", "--data", folder / "store")
        if SUFFIXES.exists():
            kept = folder / "store" / "env" / hashlib.sha256(SUFFIXES.read_bytes()).hexdigest()
            assert kept.exists(), "the system's list is in force, so the log names it"
        step(f"{len(rows)} lines, each once, each under the configuration of its time")


if __name__ == "__main__":
    main()
