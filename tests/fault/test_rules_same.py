#!/usr/bin/env python3
"""A rule has one meaning: on the same events the collector's path (replay --rules), the back-test, the rule printed as a
query and searched for, and `rule eval` on the exported events give the same hits.

SEKISHO_BIN names the program, SEKISHO_SEED the seed.
"""
import collections
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SEKISHO_BIN", str(ROOT / "build/release/sekisho"))
SEED = os.environ.get("SEKISHO_SEED", "7")

# Each groups by few values, so that the hour's cap on alerts stays out of it; some words have no query.
RULES = {
    "denied": ("sel: {sekisho.verdict: [deny, drop, block]}", "sel", True),
    "ports": ("sel: {destination.port|gte: 1024, destination.port|lt: 50000}", "sel", True),
    "network": ("sel: {source.ip|cidr: 10.0.0.0/12}\n  web: {destination.port: [80, 443]}", "sel and not web", True),
    "names": ("sel: {url.domain|endswith: ['.example', '.jp']}\n  post: {http.request.method: POST}", "sel and post", True),
    "regex": ("sel: {url.path|re: '/[a-z]+[0-9]{1,3}'}", "sel", False),
    "regex_i": ("sel: {url.path|re|i: '/[A-Z]+[0-9]{1,3}'}", "sel", True),
    "absent": ("sel: {sekisho.verdict: allow}\n  none: {user.name: null}\n  no_url: {url.domain|exists: false}",
               "sel and none and no_url", False),
    "hours": ("sel: {'@timestamp|hour': [9, 10, 11]}\n  big: {source.bytes|gt: 100000}", "sel and big", False),
    "words": ("words: ['sslvpn', 'update']", "words", False),
    "cased": ("sel: {event.action|cased|startswith: 'TCP_M'}", "sel", False),
}

# Correlations: name, what they build on, the rest of the document.
CORRELATIONS = {
    "many_denied": ("denied", "type: event_count, rules: [denied], group-by: [source.ip], timespan: 30m, condition: {gte: 7}"),
    "wide_denied": ("denied", "type: value_count, rules: [denied], group-by: [source.ip], timespan: 1h, "
                              "condition: {field: url.domain, gte: 5}"),
    "sum_sent": ("network", "type: value_sum, rules: [network], group-by: [source.ip], timespan: 10m, "
                            "condition: {field: source.bytes, gt: 20000}"),
    "then": ("denied", "type: temporal_ordered, rules: [denied, names, denied], group-by: [source.ip], timespan: 1h"),
    "not_then": ("names", "type: temporal, rules: [names, denied], group-by: [source.ip], timespan: 5s, "
                          "condition: names and not denied"),
}

# The same over municipalities; the second one builds on a correlation of each.
PREFECTURE = {
    "denied_everywhere": "type: value_count, rules: [denied], group-by: [destination.port], timespan: 10m, "
                         "condition: {field: sekisho.tenant, gte: 3}",
    "many_everywhere": "type: value_count, rules: [many_denied, names], group-by: [sekisho.verdict], timespan: 20m, "
                       "condition: {field: sekisho.tenant, gte: 2}",
    "sent_everywhere": "type: event_count, rules: [network], group-by: [], timespan: 3s, condition: {gte: 40}",
}
PREFECTURE_CODE = "000000"


def run(*arguments, codes=(0, 1)):
    done = subprocess.run([BINARY, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode in codes, f"{arguments}: exit {done.returncode}: {done.stderr.decode()[-2000:]}"
    return done.stdout.decode()


def rule(name, body, condition):
    return (f"title: {name}\nid: {name}\nname: {name}\nlevel: low\nlogsource: {{product: sekisho}}\n"
            f"detection:\n  {body}\n  condition: {condition}\nsekisho: {{group-by: [sekisho.source], window: 30d}}\n")


def correlation(name, body):
    return f"title: {name}\nid: {name}\nlevel: high\ncorrelation: {{{body}, generate: true}}\n"


def over_municipalities(name, body):
    return correlation(name, body.replace("group-by: [], ", "")) + "sekisho: {scope: prefecture}\n"


def write_rules(folder):
    folder.mkdir()
    for name, (body, condition, _) in RULES.items():
        (folder / f"{name}.yml").write_text(rule(name, body, condition))
    for name, (_, body) in CORRELATIONS.items():
        (folder / f"{name}.yml").write_text(correlation(name, body))
    for name, body in PREFECTURE.items():
        (folder / f"{name}.yml").write_text(over_municipalities(name, body))


def back_tested(work, name):
    """Alerts of a correlation in the stored history, by municipality; against itself all of them are the same."""
    lines = [json.loads(line) for line in run("rule", "backtest", "--json", "--data", work / "store", "--rule", name, "--against",
                                              work / "rules", work / "rules").splitlines()]
    assert lines[-1]["complete"] and (lines[-1]["new"], lines[-1]["lost"], lines[-1]["same"]) == (0, 0, lines[-1]["hits"]), lines
    alerts = collections.Counter()
    for day in lines[:-1]:
        alerts[day["tenant"]] += day["alerts"]
    assert sum(alerts.values()) == lines[-1]["alerts"], lines
    return dict(alerts)


def compare_prefecture(work, alerts):
    """Alerts over municipalities are those of rule eval on all events; each of them sees its own rows and nobody else."""
    live, told, tenants = collections.Counter(), collections.Counter(), set()
    for alert in map(json.loads, alerts.splitlines()):
        if alert["rule.id"] in PREFECTURE and alert["alert.revision"] == 1:
            live[alert["rule.id"]] += alert["sekisho.tenant"] == PREFECTURE_CODE
            told[alert["rule.id"], alert["sekisho.tenant"]] += 1
        tenants.add(alert["sekisho.tenant"])
    tenants.discard(PREFECTURE_CODE)
    for line in alerts.splitlines():
        alert = json.loads(line)
        if alert["rule.id"] not in PREFECTURE:
            continue
        own = alert["sekisho.tenant"]
        named = {t for t in tenants if t in json.dumps({k: v for k, v in alert.items() if k != "sekisho.tenant"})}
        assert alert["explain.correlation.municipalities"] >= 1 and alert["evidence"], line
        if own == PREFECTURE_CODE:
            assert named == set(alert["explain.correlation.tenants"].split()), line
        else:
            assert not named - {own} and "explain.correlation.tenants" not in alert, line
    listed = run("alerts", "--data", work / "store", "--tenant", PREFECTURE_CODE, "--json", "--limit", 1000)
    assert {json.loads(line)["alert.id"] for line in listed.splitlines()} == \
        {a["alert.id"] for a in map(json.loads, alerts.splitlines()) if a["sekisho.tenant"] == PREFECTURE_CODE}, listed
    (work / "all.ndjson").write_text(run("export", "--data", work / "store"))
    evaluated = collections.Counter(line.split("\t")[0] for line in run(
        "rule", "eval", "--aliases", work / "rules", work / "all.ndjson").splitlines() if line.split("\t")[0] in PREFECTURE)
    print("over municipalities, live and eval:", dict(live), dict(evaluated), "told:", dict(told))
    assert live == evaluated, (live, evaluated)
    for name in PREFECTURE:
        assert back_tested(work, name) == {PREFECTURE_CODE: live[name]}, (name, live)
    assert all(live[name] for name in PREFECTURE), live
    assert all(told["many_everywhere", tenant] for tenant in tenants), told


def compare_correlations(work, alerts):
    """Alerts by municipality and correlation: of the replay, and of rule eval on each municipality's events."""
    live = collections.Counter()
    for line in alerts.splitlines():
        alert = json.loads(line)
        if alert["rule.id"] in CORRELATIONS and alert["alert.revision"] == 1:
            live[alert["sekisho.tenant"], alert["rule.id"]] += 1
    evaluated = collections.Counter()
    for tenant in sorted({line.split('"')[1] for line in (work / "gen/manifest.yaml").read_text().splitlines() if '"' in line}):
        events = work / f"{tenant}.ndjson"
        events.write_text(run("export", "--data", work / "store", "--tenant", tenant))
        for line in run("rule", "eval", "--aliases", work / "rules", events).splitlines():
            if line.split("\t")[0] in CORRELATIONS:
                evaluated[tenant, line.split("\t")[0]] += 1
    totals = {name: (sum(n for (_, rule), n in live.items() if rule == name),
                     sum(n for (_, rule), n in evaluated.items() if rule == name)) for name in CORRELATIONS}
    print("correlations, live and eval:", totals)
    assert live == evaluated, (live, evaluated)
    for name in CORRELATIONS:
        back = back_tested(work, name)
        assert back == {t: n for (t, rule), n in live.items() if rule == name}, (name, back, live)
    assert all(totals[name][0] for name in ("many_denied", "wide_denied", "sum_sent")), totals


def live_hits(alerts):
    """Hits by rule: the counts of the last revisions."""
    last = {}
    for line in alerts.splitlines():
        alert = json.loads(line)
        if alert["alert.kind"] == "rule":
            last[alert["alert.id"]] = (alert["rule.id"], alert["alert.count"])
    hits = collections.Counter()
    for name, count in last.values():
        hits[name] += count
    return hits


def main():
    with tempfile.TemporaryDirectory(prefix="sekisho-rules-", dir=os.environ.get("TMPDIR")) as temporary:
        work = pathlib.Path(temporary)
        write_rules(work / "rules")
        run("gen", "--seed", SEED, "--tenants", 3, "--events", 30000, "--format", "fortigate=50,squid=50", "--out", work / "gen")
        config = work / "gen/config.yaml"  # an excluded network never alerts; here everything may
        config.write_text("\n".join(l for l in config.read_text().splitlines() if "exclude: true" not in l) + "\n")
        alerts = run("replay", "--data", work / "store", "--manifest", work / "gen/manifest.yaml", "--config",
                     work / "gen/config.yaml", "--rules", work / "rules")
        again = run("replay", "--log", work / "store", "--config", work / "gen/config.yaml", "--rules", work / "rules")
        assert again == alerts, "replay --log says something else"
        for rows, workers in ((1, 1), (7, 2), (2048, 2)):
            other = run("replay", "--data", work / f"store{rows}", "--manifest", work / "gen/manifest.yaml", "--config",
                        config, "--rules", work / "rules", "--batch-rows", rows, "--workers", workers)
            assert other == alerts, f"batches of {rows} rows and {workers} workers give other alerts"
        live = live_hits(alerts)
        (work / "events.ndjson").write_text(run("export", "--data", work / "store"))
        evaluated = collections.Counter(line.split("\t")[0] for line in run(
            "rule", "eval", "--aliases", work / "rules", work / "events.ndjson").splitlines())
        queries = dict(line.split("\t") for line in run("rule", "query", work / "rules").splitlines())
        assert queries.keys() == {name for name, (_, _, has) in RULES.items() if has}, queries
        compare_correlations(work, alerts)
        compare_prefecture(work, alerts)
        for name in RULES:
            back = json.loads(run("rule", "backtest", "--json", "--data", work / "store",
                                  work / "rules" / f"{name}.yml").splitlines()[-1])
            counts = {"live": live[name], "back-test": back["hits"], "eval": evaluated[name]}
            if name in queries:
                counts["search"] = int(run("search", queries[name], "--data", work / "store", "--count").split()[0])
            print(f"{name:8} {counts}")
            assert len(set(counts.values())) == 1, f"{name}: {counts}"
        assert sum(live.values()) > 1000 and all(live[name] for name in ("denied", "ports", "absent")), live


if __name__ == "__main__":
    main()
