#!/usr/bin/env python3
"""An update of a feed in a running collector: its new entries are looked for in the history, and each municipality
is told of its own rows alone; the log and what replays from it stay as they are. A broken feed changes nothing."""
import json
import pathlib
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from sekisho import Daemon, Steps, ndjson, run, temp_dir, wait_until  # noqa: E402

TENANTS = ("990019", "990027")
LINES = 200


def topic(tenant):
    return f"seclog.raw.{tenant}.fw1"


def line(n, destination, action="accept", host=""):
    return (f"date=2026-11-21 time=10:{n // 60:02d}:{n % 60:02d} tz=\"+0900\" type=\"traffic\" srcip=10.1.0.{n % 250} srcport=40000 "
            f"dstip={destination} dstport=443 action=\"{action}\"{host}")


def history(tenant):
    """The first municipality meets an address three times and a name once; the second meets the address, refused."""
    lines = [line(n, "203.0.113.5") for n in range(LINES)]
    if tenant == TENANTS[0]:
        for n in (50, 60, 70):
            lines[n] = line(n, "198.51.100.66")
        lines[80] = line(80, "203.0.113.9", host=' hostname="cdn.evil.example"')
        lines[90] = line(90, "198.51.100.10")
    else:
        lines[20] = line(20, "198.51.100.66", action="deny")
    return lines


def attribute(kind, value, **more):
    return {"type": kind, "value": value, "to_ids": True, "deleted": False} | more


def feed(folder, attributes):
    (folder / "feed.json").write_text(json.dumps({"Event": {"info": "case", "Attribute": attributes}}, indent=1))


KNOWN = [attribute("ip-dst", "198.51.100.10")]
NEW = KNOWN + [attribute("ip-dst", "198.51.100.66"), attribute("domain", "evil.example"), attribute("url", "http://never.example/x"),
               attribute("sha256", "00" * 32), attribute("ip-dst", "203.0.113.5", to_ids=False)]


def config(folder, brokers):
    (folder / "collector.yaml").write_text(f"""data: store
kafka:
  brokers: {brokers}
  discover: 200ms
  fetch_wait: 50ms
sources:
  fw1: {{format: fortigate}}
lists:
  - {{name: case, file: feed.json, format: misp}}
tenants:
  "990019": {{name: 東町}}
  "990027": {{name: 西町}}
""")


def send(folder, kafka, tenant, lines):
    path = folder / "lines.log"
    path.write_text("".join(text + "\n" for text in lines))
    run("send", "--brokers", kafka.bootstrap, "--topic", topic(tenant), path)


def stored(folder):
    if not (folder / "store" / "log").exists():
        return 0
    done = run("search", "", "--data", folder / "store", "--count", check=None)
    return int(done.stdout or b"0") if done.returncode in (0, 1) else 0


def alerts(folder):
    return run("alerts", "--data", folder / "store", "--json").stdout


def reports(folder, who):
    return sorted((folder / "store" / "reports" / who).glob("hunt-*.ndjson"))


def by_name(lines):
    return {r["threat.indicator.name"]: r for r in lines if "hunt.id" in r}


def check_reports(folder):
    prefecture, = reports(folder, "prefecture")
    lines = ndjson(prefecture.read_bytes())
    found = by_name(lines)
    assert set(found) == {"198.51.100.66", "evil.example"}, "what is new and was met; what was known is not told again"
    address = found["198.51.100.66"]
    assert address["hunt.tenants"] == list(TENANTS) and address["hunt.tenants.count"] == [3, 1], address
    assert (address["hunt.count"], address["hunt.refused"]) == (4, 1)
    assert address["hunt.first"] == "2026-11-21T01:00:20Z" and address["hunt.last"] == "2026-11-21T01:01:10Z", address
    assert address["feed"] == "case" and len(address["version"]) == 12
    assert "2 市町村" in address["message.ja"]
    assert f"{topic(TENANTS[0])}/0/50/0" in address["evidence"]
    assert lines[-1]["hunt.complete"] is True and lines[-1]["hunt.indicators"] == 3 and lines[-1]["hunt.found"] == 2
    own = by_name(ndjson(reports(folder, TENANTS[0])[0].read_bytes()))
    assert set(own) == {"198.51.100.66", "evil.example"}
    assert own["evil.example"]["sekisho.tenant.name"] == "東町" and own["evil.example"]["hunt.count"] == 1
    other, = reports(folder, TENANTS[1])
    text = other.read_text()
    assert set(by_name(ndjson(text.encode()))) == {"198.51.100.66"}
    assert TENANTS[0] not in text and "evil.example" not in text, "a municipality sees nothing of another one"
    assert len({r["hunt.id"] for r in (address, own["198.51.100.66"], by_name(ndjson(text.encode()))["198.51.100.66"])}) == 3
    return found


def check_tool(folder, found):
    """By hand: the same answer for the same entries."""
    store = ("--data", folder / "store")
    known = folder / "news.txt"
    known.write_text("198.51.100.66\nevil.example\n")
    lines = by_name(ndjson(run("hunt", *store, "--list", f"{known}:plain", "--config", folder / "collector.yaml").stdout))
    keys = ("hunt.count", "hunt.refused", "hunt.first", "hunt.last", "hunt.tenants", "hunt.tenants.count", "evidence")
    for name, line_ in found.items():
        assert {k: lines[name][k] for k in keys} == {k: line_[k] for k in keys}, name
    one = by_name(ndjson(run("hunt", *store, "--list", known, "--tenant", TENANTS[1]).stdout))
    assert set(one) == {"198.51.100.66"} and one["198.51.100.66"]["hunt.count"] == 1
    late = by_name(ndjson(run("hunt", *store, "--list", known, "--since", "2026-11-21T01:01:05Z").stdout))
    assert {n: r["hunt.count"] for n, r in late.items()} == {"198.51.100.66": 1, "evil.example": 1}
    known.write_text("192.0.2.1\n")
    run("hunt", *store, "--list", known, check=1)
    assert b"missing.json" in run("hunt", *store, "--list", "missing.json:misp", check=3).stderr
    known.write_text('{"Event": {"Attribute": [\n{"type": "domain"')
    assert b"news.txt:2:18: no JSON" in run("hunt", *store, "--list", known, check=3).stderr


def cut_off(folder):
    """A collector that ended before its hunt did: the next one makes up for it."""
    for report in reports(folder, "prefecture"):
        report.unlink()
    (folder / "store" / "reports" / "pending").write_text('{"seq": 3, "lists": [{"name": "case"}]}')
    with Daemon("collect", "-c", "collector.yaml", cwd=folder) as daemon:
        wait_until(lambda: not (folder / "store" / "reports" / "pending").exists(), 20, "the hunt")
        assert daemon.stop(10) == 0
    report, = reports(folder, "prefecture")
    found = by_name(ndjson(report.read_bytes()))
    assert set(found) == {"198.51.100.10", "198.51.100.66", "evil.example"} and found["198.51.100.66"]["hunt.count"] >= 4


def damage(folder):
    """A hunt names what it could not read, and says that its answer is incomplete."""
    log = sorted((folder / "store" / "log").iterdir())[0]
    data = bytearray(log.read_bytes())
    data[data.index(b"\x28\xb5\x2f\xfd") + 20] ^= 0xff  # in the first batch
    log.write_bytes(data)
    (folder / "news.txt").write_text("198.51.100.66\n")
    done = run("hunt", "--data", folder / "store", "--list", folder / "news.txt", check=5)
    assert ndjson(done.stdout)[-1]["hunt.complete"] is False and b"INCOMPLETE" in done.stderr and log.name.encode() in done.stderr, done.stderr


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        for tenant in TENANTS:
            kafka.create_topic(topic(tenant))
        config(folder, kafka.bootstrap)
        feed(folder, KNOWN)
        with Daemon("collect", "-c", "collector.yaml", cwd=folder) as daemon:
            for tenant in TENANTS:
                send(folder, kafka, tenant, history(tenant))
            wait_until(lambda: stored(folder) == 2 * LINES, 30, "the history")
            assert not reports(folder, "prefecture")
            step("a history, watched with the feed as it was")
            before = alerts(folder)
            feed(folder, NEW)
            daemon.send(signal.SIGHUP)
            daemon.wait_log("reloaded", 20)
            wait_until(lambda: reports(folder, "prefecture"), 20, "the prefecture's report")
            daemon.wait_log("new indicators were met before they were known", 20)
            found = check_reports(folder)
            assert "1 sha256" in daemon.text() and "1 to_ids false" in daemon.text(), "what is not used is said"
            wait_until(lambda: not (folder / "store" / "reports" / "pending").exists(), 10, "nothing to be pending")
            assert before and alerts(folder) == before, "the hunt is no part of the log"
            step("an update: first seen then, in these municipalities")
            check_tool(folder, found)
            step("the same by hand")
            (folder / "feed.json").write_text('{"Event": {"Attribute": [\n{"type": "dom')
            daemon.send(signal.SIGHUP)
            daemon.wait_log("not reloaded", 20)
            assert "feed.json:2:" in daemon.text(), "the place in the feed"
            send(folder, kafka, TENANTS[0], [line(0, "198.51.100.66")])
            wait_until(lambda: stored(folder) == 2 * LINES + 1, 30, "a line after the broken feed")
            assert daemon.running()
            feed(folder, NEW + [attribute("ip-dst", "10.0.0.1", uuid="5f-77"), attribute("ip-dst|port", "192.0.2.1")])
            daemon.send(signal.SIGHUP)
            daemon.wait_log("5f-77: 10.0.0.1", 20)
            wait_until(lambda: daemon.text().count('msg="reloaded"') == 2, 20, "the second update")
            wait_until(lambda: not (folder / "store" / "reports" / "pending").exists(), 10, "nothing to be pending")
            assert len(reports(folder, "prefecture")) == 1, "no new entry, no report"
            assert daemon.stop(10) == 0
            step("a broken feed leaves the running set, a bad line is named and left out")
        cut_off(folder)
        step("a hunt that was cut off is made up for")
        hits = [a for a in ndjson(alerts(folder)) if a["alert.kind"] == "indicator"]
        assert {a["threat.indicator.name"] for a in hits} == {"198.51.100.10", "198.51.100.66"}, hits
        run("verify", "--data", folder / "store")
        step("alerts are those of the lists of their time; the log is whole")
        damage(folder)
        step("damage is named, and the answer incomplete")


if __name__ == "__main__":
    main()
