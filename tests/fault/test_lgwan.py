#!/usr/bin/env python3
"""Refusals before the LGWAN are a class of source: searched for by name, judged by themselves, put together over municipalities.

Generated municipalities whose LGWAN firewalls refuse a host of their own that searches the LGWAN, an office that asks for a service which
has moved, and strangers that knock at two municipalities or at all: the scans and the strangers at all are told of, the others are not, and
nothing else that is said of the municipalities changes. A municipality is not told of the others. The same sources without their class show
what it is for.
"""
import collections
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
import labels  # noqa: E402
from sekisho import LONG, Steps, ndjson, need_binary, run, seeded_random, temp_dir  # noqa: E402

TENANTS, EVENTS, CASES = (20, 1_000_000, 30) if LONG else (14, 120_000, 8)
LGWAN = re.compile(r'"(10\.240\.[0-9.]+)"')
ADDRESS = "One LGWAN address refused by several municipalities"
PORT = "The LGWAN searched on one port from several municipalities"
PREFECTURE, MUNICIPALITIES = "000000", 3


def replay(folder, data, *options, manifest="manifest.yaml", config="config.yaml"):
    return run("replay", "--data", folder / data, "--manifest", folder / manifest, "--config", folder / config, "--rules",
               ROOT / "rules", *options).stdout


def last_revisions(out):
    found = {}
    for alert in ndjson(out):
        found[alert["alert.id"]] = alert
    return list(found.values())


def written(folder, name, text):
    (folder / name).write_text(text)
    return name


def is_about_lgwan(alert):
    return alert["rule.name"] in ("D3 lgwan", "D3 lgwan-foreign", "D4 lgwan", ADDRESS, PORT)


def check_labels(folder, alerts):
    """Every case has its alert, no look-alike has one, and every alert has its case."""
    told = {(a["rule.name"], a["sekisho.tenant"], str(a.get("source.ip", a.get("destination.port"))))
            for a in alerts if is_about_lgwan(a)}
    expected, ports = set(), collections.defaultdict(set)
    for label in labels.read(folder / "labels.ndjson"):
        if label["expect"] == "none":
            continue
        source = label["keys"]["source.ip"]
        if label["kind"] == "D3":
            expected.add(("D3 lgwan", label["tenant"], source))
            ports[label["keys"]["destination.port"]].add(label["tenant"])
            continue
        taking_part = {tenant for name, tenant, key in told if (name, key) == (ADDRESS, source)} - {PREFECTURE}
        assert len(taking_part) >= MUNICIPALITIES, f"{label['case']}: told to {taking_part} only"
        expected |= {(ADDRESS, tenant, source) for tenant in taking_part | {PREFECTURE}}
    for port, tenants in ports.items():
        if len(tenants) >= MUNICIPALITIES:
            expected |= {(PORT, tenant, port) for tenant in tenants | {PREFECTURE}}
    assert told == expected, f"missing {sorted(expected - told)}, too many {sorted(told - expected)}"
    assert any(name == PORT for name, _, _ in told), "no port was searched from three municipalities: the test shows less"


def check_names_hidden(alerts):
    """What a municipality is told names no other one; the prefecture is told who took part."""
    codes = {a["sekisho.tenant"] for a in alerts} - {PREFECTURE}
    for alert in (a for a in alerts if a["rule.name"] in (ADDRESS, PORT)):
        line = json.dumps(alert, ensure_ascii=False)
        others = [c for c in codes - {alert["sekisho.tenant"]} if c in line]
        if alert["sekisho.tenant"] == PREFECTURE:
            assert len(others) >= MUNICIPALITIES, line
        else:
            assert not others and alert["alert.kind"] == "correlation", line


def check_texts(alerts):
    for alert in (a for a in alerts if is_about_lgwan(a)):
        assert "LGWAN" in alert["message.ja"] and "LGWAN" in alert["message.en"], alert
        assert "{" not in alert["message.ja"] + alert["action.ja"] + alert["message.en"] + alert["action.en"], alert


def check_rest(folder, alerts):
    """Everything else that is said is what is said without the LGWAN firewalls; none of it is about the LGWAN."""
    lines = (folder / "manifest.yaml").read_text().splitlines(keepends=True)
    without = written(folder, "without.yaml", "".join(line for line in lines if "lgwan1" not in line))
    def said(of):
        return sorted((a["alert.kind"], a["rule.name"], a["sekisho.tenant"], a["alert.first"], a.get("source.ip", ""), a["alert.count"])
                      for a in of if not is_about_lgwan(a))
    alone = last_revisions(replay(folder, "without", manifest=without))
    changed = set(said(alerts)) ^ set(said(alone))
    assert not changed, f"other alerts than without the LGWAN firewalls: {sorted(changed)[:4]}"
    for alert in alerts:
        assert is_about_lgwan(alert) or not LGWAN.search(json.dumps(alert)), alert


def check_search(folder):
    count = sum(len(path.read_text(errors="replace").splitlines()) for path in folder.glob("*/lgwan1.log"))
    for query, wanted in (("sekisho.source.class:lgwan_deny", count), ("source:lgwan1 sekisho.source.class:lgwan_deny", count),
                          ("source:lgwan1 and not sekisho.source.class:lgwan_deny", 0), ("sekisho.source.class:* and not source:lgwan1", 0)):
        got = int(run("search", query, "--data", folder / "base", "--count", check=0 if wanted else 1).stdout)
        assert got == wanted, f"{query}: {got} rows, wanted {wanted}"
    row = ndjson(run("search", "sekisho.source.class:lgwan_deny", "--data", folder / "base", "--json", "--limit", 1).stdout)[0]
    assert row["sekisho.source.class"] == "lgwan_deny" and row["sekisho.source"] == "lgwan1", row


def check_without_class(folder):
    """The same rows as those of any firewall: addresses in no zone, no strangers, no scan of the LGWAN."""
    config = (folder / "config.yaml").read_text()
    plain = written(folder, "plain.yaml", config.replace(", class: lgwan_deny", ""))
    alerts = last_revisions(replay(folder, "plain", config=plain))
    assert not any(is_about_lgwan(a) for a in alerts), "told of the LGWAN without the class"
    assert any(LGWAN.search(json.dumps(a)) for a in alerts), "nothing is said of these addresses: the test shows nothing"


def check_refused(folder):
    config = written(folder, "wrong.yaml", 'data: d\ntenants:\n  "992011":\n    sources:\n      lgwan1: {class: lgwan_deny}\n')
    done = run("check", folder / config, check=3)
    assert b"wrong.yaml:5:" in done.stderr and b"list them under networks" in done.stderr, done.stderr
    shown = run("check", folder / "config.yaml").stdout.decode()
    assert re.search(r"^before the LGWAN \(class lgwan_deny\): lgwan1 of 99\d{4}, ", shown, re.M), shown


def main():
    need_binary()
    step, r = Steps(), seeded_random()
    with temp_dir() as temporary:
        folder = temporary / "gen"
        run("gen", "--seed", r.randrange(1 << 32), "--tenants", TENANTS, "--days", 1, "--events", EVENTS, "--inject",
            f"lgwan_scan:{CASES},lgwan_spread:{CASES}", "--out", folder)
        check_refused(folder)
        base = replay(folder, "base")
        step(f"{EVENTS} lines")
        for name, options in (("one row a batch", ("--batch-rows", 1)), ("8 workers", ("--workers", 8, "--batch-rows", 7))):
            assert replay(folder, name.replace(" ", "-"), *options) == base, f"{name}: other alerts"
        again = run("replay", "--log", folder / "base", "--config", folder / "config.yaml", "--rules", ROOT / "rules").stdout
        assert again == base, "judged again from the log: other alerts"
        recorded = run("replay", "--log", folder / "base").stdout
        assert recorded == base, "judged again with what the log names: other alerts"
        step("the same alerts whatever the batches and workers are, and from the log")
        alerts = last_revisions(base)
        check_labels(folder, alerts)
        check_names_hidden(alerts)
        check_texts(alerts)
        step(f"{CASES} scans and {CASES} strangers told of, as many look-alikes not")
        check_rest(folder, alerts)
        step("nothing else is said")
        check_search(folder)
        check_without_class(folder)
        step("searched for; without the class none of it")


if __name__ == "__main__":
    main()
