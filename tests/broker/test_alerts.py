#!/usr/bin/env python3
"""Alerts from the wire to a person and back: found, listed with their evidence, acknowledged, suppressed, closed; all of
it outlives a kill of the collector."""
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import Daemon, Steps, need_binary, ndjson, run, temp_dir, wait_until  # noqa: E402

TENANT, TOPIC = "990019", "seclog.raw.990019.fw1"
OTHER, OTHER_TOPIC = "990027", "seclog.raw.990027.fw1"
CONFIG = f"""tenants:
  "{OTHER}":
    name: 隣町
    networks:
      - {{cidr: 10.1.0.0/18, zone: インターネット接続系}}
      - {{cidr: 10.1.128.0/18, zone: LGWAN接続系}}
    sources:
      fw1: {{format: fortigate}}
  "{TENANT}":
    name: 試験町
    networks:
      - {{cidr: 10.1.0.0/18, zone: インターネット接続系}}
      - {{cidr: 10.1.128.0/18, zone: LGWAN接続系}}
    sources:
      fw1: {{format: fortigate}}
"""


class Bench:
    """A collector, and a firewall that reports connections of LGWAN hosts to the Internet."""

    def __init__(self, folder, kafka):
        self.kafka, self.folder, self.sent = kafka, folder, 0
        self.collector = Collector(folder / "collector", kafka, CONFIG)
        self.data = self.collector.data

    def report(self, source, topic=TOPIC):
        """One permitted connection; returns when it is stored."""
        self.sent += 1
        now = time.time_ns()
        stamp = time.strftime("date=%Y-%m-%d time=%H:%M:%S", time.gmtime(now // 10**9 + 9 * 3600))
        line = (f'{stamp} devname="FG-1" devid="FG1" eventtime={now} tz="+0900" logid="0000000013" type="traffic" '
                f'subtype="forward" level="notice" vd="root" srcip={source} srcport=50000 dstip=203.0.113.9 dstport=443 '
                f'proto=6 action="close" policyid={self.sent} service="HTTPS" duration=1 sentbyte=1200 rcvdbyte=5400 '
                'sentpkt=9 rcvdpkt=5')
        path = self.folder / "line.log"
        path.write_text(line + "\n")
        run("send", "--brokers", self.kafka.bootstrap, "--topic", topic, path)
        wait_until(self.all_stored, 30, f"line {self.sent} in the log")

    def all_stored(self):
        done = run("search", "", "--data", self.data, "--count", check=None)
        return done.returncode == 0 and int(done.stdout) == self.sent

    def alerts(self, *options, check=None):
        return run("alerts", "--data", self.data, *options, check=check)

    def lines(self, source=None, tenant=TENANT):
        found = ndjson(self.alerts("--json", "--kind", "zone", "--tenant", tenant).stdout)
        return [a for a in found if source in (None, a.get("source.ip"))]

    def wait_alert(self, source, count=1):
        wait_until(lambda: len(self.lines(source)) == count, 10, f"{count} alerts of {source}")
        return sorted(self.lines(source), key=lambda a: a["alert.first"])[-1]

    def alerts_of(self, *words, check=0):
        return run("alerts", *words, "--data", self.data, check=check)

    def act(self, *words, check=0):
        return run("alerts", *words, "--data", self.data, "--lang", "en", check=check)


def listing(bench, step):
    bench.report("10.1.129.10")
    first = bench.wait_alert("10.1.129.10")
    assert first["alert.severity"] == "critical" and first["sekisho.tenant"] == TENANT
    assert first["evidence"] == [f"{TOPIC}/0/0/0"]
    text = bench.alerts("--lang", "ja", check=0).stdout.decode()
    assert text.startswith(f"試験町 ({TENANT})  緊急 1件\n")
    assert first["message.ja"] in text and first["action.ja"] in text and f"{TOPIC}/0/0/0" in text
    assert 'srcip=10.1.129.10 ' in text and 'devname="FG-1"' in text, "the line itself"
    assert "critical" in bench.alerts("--lang", "en", check=0).stdout.decode()
    assert bench.alerts("--tenant", "052027").returncode == 1
    assert bench.alerts("--severity", "high", "--since", "1h").returncode == 0
    assert bench.alerts("--until", "1h").returncode == 1
    assert bench.alerts("--state", "closed").returncode == 1
    step("found, and listed with its evidence")
    return first


def acknowledge(bench, first, step):
    bench.act("ack", first["alert.id"][:10], "--reason", "誰が使っているか聞いている", "--by", "鈴木")
    text = bench.alerts("--state", "acknowledged", "--lang", "ja", check=0).stdout.decode()
    assert "確認済み" in text and "鈴木: 誰が使っているか聞いている" in text
    assert bench.alerts("--state", "open").returncode == 1
    assert bench.lines() == [first], "the stored line does not change"
    assert bench.act("ack", "00" * 16, "--reason", "x", check=1).stderr.startswith(b"no alert has the id 0000")
    assert b"--reason is missing" in bench.act("ack", first["alert.id"], check=2).stderr
    assert b"--until" in bench.act("suppress", first["alert.id"], "--reason", "x", check=2).stderr
    step("acknowledged; wrong requests are refused")


def suppress(bench, first, step):
    bench.act("suppress", first["alert.id"], "--until", "1d", "--reason", "backup line, known", "--by", "suzuki")
    closed = bench.wait_alert("10.1.129.10")
    assert closed["alert.state"] == "closed" and closed["explain.closed"] == "backup line, known"
    listed = ndjson(run("alerts", "suppressions", "--data", bench.data, "--json").stdout)
    assert [(s["kind"], s["key"], s["tenant"], s["by"], s["reason"]) for s in listed] == \
        [("zone", "source.ip=10.1.129.10", TENANT, "suzuki", "backup line, known")]
    assert b"backup line" in run("alerts", "suppressions", "--data", bench.data).stdout
    bench.report("10.1.129.10")
    bench.report("10.1.129.11")
    other = bench.wait_alert("10.1.129.11")
    assert len(bench.lines("10.1.129.10")) == 1, "the later one of the same key is hidden"
    bench.act("close", other["alert.id"], "--reason", "cable pulled")
    wait_until(lambda: bench.lines("10.1.129.11")[0]["alert.state"] == "closed", 10, "the closed revision")
    assert bench.lines("10.1.129.11")[0]["alert.revision"] == 2
    step("suppressed: the next of its key stays away, others come; closed")


def show(bench, first, step):
    """All of one alert: keys, numbers, every line of the evidence, everything that was done to it."""
    digits = first["alert.id"][:8]
    text = bench.act("show", digits).stdout.decode()
    for part in (f"試験町 ({TENANT})", first["message.en"], first["action.en"], "source.ip=10.1.129.10", first["alert.id"],
                 "srcip=10.1.129.10 ", "acknowledged by 鈴木: 誰が使っているか聞いている", "by suzuki: backup line, known",
                 "closed=backup line, known"):
        assert part in text, f"{part!r} is not in\n{text}"
    assert text.count(f"{TOPIC}/0/") == text.count("\n  line ") == len(first["evidence"])
    assert "対象" in bench.alerts_of("show", digits, "--lang", "ja").stdout.decode()
    shown, = ndjson(bench.alerts_of("show", digits, "--json").stdout)
    line, = bench.lines("10.1.129.10")
    assert {k: shown[k] for k in line} == line, "the line as it was released"
    assert shown["handling.state"] == "closed" and shown["handling.by"] == "suzuki"
    assert [l.split("srcip=")[1].split()[0] for l in shown["evidence.original"]] == ["10.1.129.10"]
    assert bench.alerts_of("show", digits, "--tenant", OTHER, check=1).stdout == b""
    assert b"at least the first 6" in bench.alerts_of("show", "12345", check=2).stderr
    assert b"is no alert id" in bench.alerts_of("show", "xyzxyz", check=2).stderr
    assert b"one ID" in bench.alerts_of("show", check=2).stderr
    assert b"has no place here" in bench.alerts_of("show", digits, "--severity", "low", check=2).stderr
    step("shown with all that is known of it")


def restrict(bench, step):
    """A suppression of one municipality leaves the other alone, and ends when it says."""
    until = time.time() + 5
    bench.act("suppress", "--kind", "zone", "--key", "source.ip=10.1.129.20", "--tenant", TENANT, "--until", "5s",
              "--reason", "maintenance")
    bench.report("10.1.129.20")
    bench.report("10.1.129.20", OTHER_TOPIC)
    wait_until(lambda: bench.lines("10.1.129.20", OTHER), 10, "the other municipality's alert")
    other, = bench.lines("10.1.129.20", OTHER)
    assert bench.lines("10.1.129.20") == []
    assert TENANT not in json.dumps(other) and "試験町" not in json.dumps(other, ensure_ascii=False)
    for tenant, name, foreign in ((TENANT, "試験町", "隣町"), (OTHER, "隣町", "試験町")):
        text = bench.alerts("--tenant", tenant, "--lang", "ja", check=0).stdout.decode()
        assert f"{name} ({tenant})" in text and foreign not in text
    assert bench.act("ack", other["alert.id"], "--tenant", TENANT, "--reason", "x", check=1).stdout == b""
    listed = bench.alerts_of("suppressions", "--tenant", OTHER, "--json", check=1)
    assert listed.stdout == b"" and b"no suppression" in listed.stderr
    time.sleep(max(0, until - time.time()) + 2)  # the tick after it
    assert b"maintenance" not in bench.alerts_of("suppressions", check=None).stdout, "it has ended"
    bench.report("10.1.129.20")
    bench.wait_alert("10.1.129.20")
    step("a suppression holds in its municipality only, and to its end")


def survive(bench, step):
    before, kept = bench.alerts("--json").stdout, run("alerts", "suppressions", "--data", bench.data, "--json").stdout
    bench.collector.kill()
    assert bench.act("ack", "0" * 6, "--reason", "x", check=1).returncode == 1
    an_id = json.loads(before.split(b"\n")[0])["alert.id"]
    assert b"is it running?" in bench.act("ack", an_id, "--reason", "x", check=4).stderr
    bench.collector.start()
    assert bench.alerts("--json").stdout == before
    assert run("alerts", "suppressions", "--data", bench.data, "--json").stdout == kept
    bench.report("10.1.129.10")
    bench.report("10.1.129.12")
    bench.wait_alert("10.1.129.12")
    assert len(bench.lines("10.1.129.10")) == 1, "still suppressed"
    bench.act("suppress", "--kind", "zone", "--key", "source.ip=10.1.129.10", "--tenant", TENANT, "--until", "now",
              "--reason", "moved")
    assert run("alerts", "suppressions", "--data", bench.data, check=None).returncode == 1
    step("after SIGKILL all of it stands as before; a suppression ended early")


def watch(bench, step):
    with Daemon("alerts", "--data", bench.data, "--follow", "--lang", "en") as follow:
        follow.wait_log("10.1.129.12")
        bench.report("10.1.129.13")
        follow.wait_log("10.1.129.13")
        assert f"[critical] 試験町 ({TENANT})" in follow.text() and "srcip=10.1.129.13 " in follow.text()
        assert follow.stop(10) == 0
    with subprocess.Popen([str(need_binary()), "alerts", "--data", str(bench.data), "--follow", "--json"],
                          stdout=subprocess.PIPE) as reader:
        assert json.loads(reader.stdout.readline())["alert.kind"]
        reader.stdout.close()
        assert reader.wait(10) == 0, "ends when nobody reads"
    text = run("top", "--data", bench.data, "--count", "2", "--lang", "en").stdout.decode()
    assert text.count("newest alerts") == 2 and f"{TENANT}/fw1" in text and "試験町" in text
    step("followed as they come; top shows them")


def alone(bench, step):
    """A store without a collector is read all the same; what cannot be is refused with a reason."""
    found = bench.lines()
    assert len(found) == len({a["alert.id"] for a in found}) >= 5
    order = ["informational", "low", "medium", "high", "critical"]
    ranks = [order.index(a["alert.severity"]) for a in ndjson(bench.alerts("--json").stdout)]
    assert ranks == sorted(ranks, reverse=True), "worst first"
    assert bench.alerts("--json", "--limit", "2").stdout.count(b"\n") == 2
    assert "--limit" in bench.alerts("--limit", "1", "--lang", "en", check=0).stdout.decode()
    utc = bench.alerts("--utc", "--lang", "en", check=0).stdout
    assert b" UTC" in utc and b" JST" not in utc
    assert bench.alerts_of("show", found[0]["alert.id"]).stdout != b""
    for words, code, why in ((("--severity", "bad"), 2, b"--severity is"), (("--state", "bad"), 2, b"--state is"),
                             (("--lang", "fr"), 2, b"--lang is"), (("--tenant", "990018"), 2, b"--tenant"),
                             (("--since", "yesterday"), 2, b"--since"), (("--limit", "0"), 2, b"--limit"),
                             (("--kind", "D99"), 1, b"no alert matches"), (("frob",), 2, b"is no action"),
                             (("--nonsense",), 2, b"--nonsense"), (("--reason", "x"), 2, b"has no place here")):
        done = bench.alerts(*words, "--lang", "en") if "--lang" not in words else bench.alerts(*words)
        assert done.returncode == code and why in done.stderr and done.stdout == b"", (words, done)
    assert b"--data DIR is missing" in run("alerts", check=2).stderr
    assert run("alerts", "--data", bench.folder / "nowhere", check=3).stderr
    step("read without a collector; clear errors")


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        kafka.create_topic(TOPIC)
        kafka.create_topic(OTHER_TOPIC)
        bench = Bench(folder, kafka)
        with bench.collector:
            first = listing(bench, step)
            acknowledge(bench, first, step)
            suppress(bench, first, step)
            show(bench, first, step)
            restrict(bench, step)
            survive(bench, step)
            watch(bench, step)
            bench.collector.stop()
        assert not (bench.data / "control.sock").exists()
        alone(bench, step)
        run("verify", "--data", bench.data)
        again = ndjson(run("replay", "--log", bench.data, "--config", bench.collector.conf).stdout)
        key = ("alert.id", "alert.revision")
        assert {tuple(a[k] for k in key) for a in again} >= {tuple(a[k] for k in key) for a in bench.lines()}
        step("the log's rows and controls give these alerts again")


if __name__ == "__main__":
    main()
