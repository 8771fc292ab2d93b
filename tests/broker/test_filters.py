#!/usr/bin/env python3
"""What filters take out of rules while the collector runs: metrics, `status`, `top`. A municipality's filter takes out and
counts there alone, one that has ended neither; a restart judges again and does not count again; the history says the same."""
import pathlib
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, checked_code  # noqa: E402
from sekisho import Steps, ndjson, run, temp_dir, wait_until  # noqa: E402

TOWNS = [checked_code(n) for n in (99001, 99002)]
LINES = 120
HEAD = "title: {0}\nid: {0}\nlogsource: {{category: firewall}}\n"
RULES = "---\n".join((
    HEAD.format("denied") + "detection: {s: {destination.port: 8443}, condition: s}\n",
    HEAD.format("town") + "filter: {rules: denied, s: {source.ip: 10.1.0.1}, condition: not s}\n"
    f"sekisho: {{layer: municipality, tenant: '{TOWNS[0]}', owner: o, reason: r, expires: 2099-01-01T00:00:00Z}}\n",
    HEAD.format("all") + "filter: {rules: [denied], s: {source.ip: 10.1.0.2}, condition: not s}\n",
    HEAD.format("over") + "filter: {rules: [denied], s: {destination.port: 8443}, condition: not s}\n"
    "sekisho: {layer: prefecture, owner: o, reason: r, expires: 2020-01-01T00:00:00Z}\n"))
# Of LINES lines a third comes from each of the addresses .0, .1 and .2.
THIRD = LINES // 3
ONE_ROUND = {f"{TOWNS[0]}/town": THIRD, f"{TOWNS[0]}/all": THIRD, f"{TOWNS[1]}/all": THIRD}


def lines(first):
    return "".join(f'date=2026-11-21 time=10:{n // 60 % 60:02d}:{n % 60:02d} type="traffic" subtype="forward" '
                   f'srcip=10.1.0.{n % 3} srcport={1024 + n} dstip=203.0.113.5 dstport=8443 proto=6 action="deny"\n'
                   for n in range(first, first + LINES))


def counted(collector):
    return {row["source"]: row["value"] for row in ndjson(run("status", "--data", collector.data, "--json").stdout)
            if row["name"] == "sekisho_filter_hidden"}


def send(folder, kafka, first):
    path = folder / "lines.log"
    path.write_text(lines(first))
    for town in TOWNS:
        run("send", "--brokers", kafka.bootstrap, "--topic", f"seclog.raw.{town}.fw1", path)
    return {(f"seclog.raw.{town}.fw1", 0): kafka.offsets(f"seclog.raw.{town}.fw1")[1] for town in TOWNS}


def alerted(collector):
    """Addresses with an alert of the rule, by municipality."""
    rows = ndjson(run("alerts", "--data", collector.data, "--json").stdout)
    return {(row["sekisho.tenant"], row["source.ip"]) for row in rows if row.get("rule.id") == "denied"}


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        kafka.create_topics({f"seclog.raw.{town}.fw1": 1 for town in TOWNS})
        (folder / "rules").mkdir()
        (folder / "rules" / "denied.yml").write_text(RULES)
        keys = f"rules: {folder}/rules\nsources:\n  fw1: {{format: fortigate}}\n"
        with Collector(folder / "c", kafka, keys) as collector:
            collector.wait_collected(send(folder, kafka, 0))
            wait_until(lambda: counted(collector) == ONE_ROUND, 20, f"{ONE_ROUND}, not {counted(collector)}")
            text = run("status", "--data", collector.data).stdout.decode()
            total = sum(ONE_ROUND.values())
            assert f"filters took out {total} hits of rules:" in text and f"{TOWNS[0]}/town {THIRD}" in text, text
            top = run("top", "--data", collector.data, "--count", 1, "--lang", "en").stdout.decode()
            assert f"taken out by filters {total}" in top, top
            step("counted by filter and municipality; an ended filter counts nothing")
            collector.kill()
            collector.start()
            assert counted(collector) == {}, counted(collector)
            collector.wait_collected(send(folder, kafka, LINES))
            wait_until(lambda: counted(collector) == ONE_ROUND, 20, f"{ONE_ROUND}, not {counted(collector)}")
            step("a restart begins at nothing and counts what is new")
            collector.daemon.send(signal.SIGHUP)
            collector.daemon.wait_log("reloaded", 20)
            wait_until(lambda: counted(collector) == {}, 20, "the counts of the new rules")
            collector.wait_collected(send(folder, kafka, 2 * LINES))
            wait_until(lambda: counted(collector) == ONE_ROUND, 20, f"{ONE_ROUND}, not {counted(collector)}")
            got = alerted(collector)
            assert got == {(TOWNS[0], "10.1.0.0"), (TOWNS[1], "10.1.0.0"), (TOWNS[1], "10.1.0.1")}, got
            collector.stop()
            step("so does a reload; alerts are of what the filters left")
        found = ndjson(run("rule", "backtest", "--hidden", "--json", "--data", collector.data, folder / "rules").stdout)
        days = {f"{row['tenant']}/{row['filter']}": row["rows"] for row in found if row["hidden"] == "day"}
        assert days == {key: 3 * n for key, n in ONE_ROUND.items()}, days
        step("the history says the same")
    print("passed")


if __name__ == "__main__":
    main()
