#!/usr/bin/env python3
"""`sekisho rule coverage` says of each source in a store which rules can bind there, and why others are blind.

Known cases on generated FortiGate and Squid lines; the counts of fields are those that a search finds; no shipped rule
that a search finds lines for is called blind there; a source that is larger than the sample keeps its rare fields.
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import Steps, ndjson, need_binary, run, temp_dir  # noqa: E402

EVENTS, EVENTS_LARGE = 30000, 230000
BORDER = "scan,slow_scan,ioc_domain,ioc_url,zone_lgwan,deny_burst,brute_force,flood,beacon,exfil,rare,drift"
SAMPLE_ROWS = 200000
PLACE = ("sekisho.tenant", "sekisho.source", "sekisho.format")

# name: (logsource, detection, format: what is missing there, [] = binds, None = the logsource does not mean it)
CASES = {
    "agent": ("{category: proxy}", "{s: {user_agent.original: x}, condition: s}",
              {"fortigate": ["user_agent.original"], "squid": ["user_agent.original"]}),
    "bytes": ("{category: any}", "{s: {source.bytes|gt: 9}, condition: s}",
              {"fortigate": [], "squid": ["source.bytes"]}),
    "both": ("{category: any}", "{s: {source.bytes|gt: 9, squid.hierarchy: x}, condition: s}",
             {"fortigate": ["squid.hierarchy"], "squid": ["source.bytes"]}),
    "either": ("{category: any}", "{s: {source.bytes|gt: 9}, t: {squid.hierarchy: x}, condition: 1 of them}",
               {"fortigate": [], "squid": []}),
    "agent_or_label": ("{category: any}", "{s: {user_agent.original: x}, t: {fortigate.nolabel: x}, condition: s or t}",
                       {"fortigate": ["user_agent.original or fortigate.nolabel"],
                        "squid": ["user_agent.original or fortigate.nolabel"]}),
    "without": ("{category: any}", "{s: {user_agent.original: x}, condition: not s}", {"fortigate": [], "squid": []}),
    "no_agent": ("{category: any}", "{s: {user_agent.original: null}, condition: s}", {"fortigate": [], "squid": []}),
    "keyword": ("{category: any}", "{s: [zzz], condition: s}", {"fortigate": [], "squid": []}),
    "url": ("{category: any}", "{s: {c-uri|contains: zzz}, condition: s}", {"fortigate": [], "squid": []}),
    "listed": ("{category: any}", "{s: {url.domain|expand: '%hosts%'}, condition: s}", {"fortigate": [], "squid": []}),
    "wall": ("{category: firewall}", "{s: {destination.port: 22}, condition: s}", {"fortigate": [], "squid": None}),
    "one_format": ("{product: sekisho}", "{s: {sekisho.format: squid, url.domain: x}, condition: s}",
                   {"fortigate": ["sekisho.format"], "squid": []}),
}
NEVER = {"windows": "other systems", "old": "deprecated"}
CORRELATIONS = {"two_sources": (["bytes", "one_format"], True), "with_agent": (["bytes", "agent"], False)}


def document(name, logsource, detection, more=""):
    return f"title: {name}\nid: {name}\nname: {name}\n{more}logsource: {logsource}\ndetection: {detection}\n"


def write_rules(folder):
    documents = [document(name, logsource, detection, "tags: [attack.t1567.002]\n" if name == "bytes" else "")
                 for name, (logsource, detection, _) in CASES.items()]
    documents.append(document("windows", "{category: process_creation}", "{s: {Image: x}, condition: s}"))
    documents.append(document("old", "{category: any}", "{s: {url.path: x}, condition: s}", "status: deprecated\n"))
    documents += [f"title: {name}\nid: {name}\nname: {name}\ncorrelation: {{type: temporal, rules: {json.dumps(rules)}, "
                  "timespan: 5m, group-by: [source.ip]}\n" for name, (rules, _) in CORRELATIONS.items()]
    (folder / "lists").mkdir(parents=True)
    (folder / "lists" / "hosts.txt").write_text("a.example\nb.example\n")
    (folder / "rules.yml").write_text("---\n".join(documents))
    (folder.parent / "good.yml").write_text(document("bytes", "{category: any}", CASES["bytes"][1]))
    return folder


def make_store(folder, name, *options, change=None):
    run("gen", "--seed", 7, *options, "--out", folder / name)
    if change:
        change(folder / name)
    run("replay", "--data", folder / f"{name}-store", "--manifest", folder / name / "manifest.yaml",
        "--config", folder / name / "config.yaml")
    return folder / f"{name}-store"


def coverage(store, rules, check, *options):
    answer = ndjson(run("rule", "coverage", "--json", "--data", store, *options, rules, check=check).stdout)
    return {kind: [line for line in answer if line["coverage"] == kind]
            for kind in ("source", "field", "rule", "correlation", "technique", "summary")}


def place(line):
    return tuple(line.get(key) for key in PLACE)


def counted(store, query):
    """Rows of each source that a query holds for."""
    rows = ndjson(run("search", f"{query} | stats count() by {', '.join(PLACE)}", "--json", "--data", store,
                      check=None).stdout)
    return {place(row): next(v for k, v in row.items() if k not in PLACE) for row in rows}


def check_cases(got):
    formats = {line["sekisho.format"] for line in got["source"]}
    assert formats == {"fortigate", "squid"}, formats
    seen = 0
    for line in got["rule"]:
        name = line["rule.id"]
        if name in NEVER:
            assert not line["binds"] and line["reason"] == NEVER[name], line
            continue
        missing = CASES[name][2][line["sekisho.format"]]
        assert line["binds"] == (missing == []), line
        if missing is None:
            assert line["reason"] == "logsource", line
        elif missing:
            assert line["reason"] == "fields" and line["missing"] == missing, line
        seen += 1
    assert seen == len(CASES) * len(got["source"]), seen
    assert got["correlation"]
    for line in got["correlation"]:
        assert line["binds"] == CORRELATIONS[line["rule.id"]][1], line
        if not line["binds"]:
            assert line["missing"] == ["agent"], line
    summary = got["summary"][0]
    blind = ["agent", "agent_or_label", "both", "old", "windows", "with_agent"]
    assert sorted(summary["blind_everywhere"]) == blind, summary
    assert summary["complete"] and not summary["sampled"] and summary["sources"] == len(got["source"]), summary
    assert got["technique"] == [{"coverage": "technique", "threat.technique.id": "T1567.002", "rules": 1,
                                 "binding": 1}], got["technique"]


def check_counts(store, got):
    """Rows and values are those that searches count."""
    rows = counted(store, "")
    assert {place(line): line["rows"] for line in got["source"]} == rows
    for field in sorted({line["field"] for line in got["field"]}):
        listed = {place(line): line["rows"] for line in got["field"] if line["field"] == field}
        found = counted(store, f"{field}:*")
        assert listed == found, (field, listed, found)


def check_no_hit_is_blind(store, rules):
    """Where a rule's own query finds lines, the rule is not blind for want of a field."""
    got = coverage(store, rules, 1)
    blind = {(line["rule.id"], place(line)) for line in got["rule"] if line.get("reason") == "fields"}
    asked = hits = 0
    for row in run("rule", "query", rules, check=None).stdout.decode().splitlines():
        name, query = row.split("\t", 1)
        if len(query) > 8000:  # a long list of names
            continue
        asked += 1
        for where in counted(store, query):
            assert (name, where) not in blind, f"{name} has lines on {where} and is called blind there"
            hits += 1
    assert asked > 50 and hits >= 10, (asked, hits)
    return asked, hits


def add_late_line(folder):
    """The last line of all again, with a field that no other has."""
    log, = folder.glob("*/*.log")
    with open(log, "ab") as stream:
        stream.write(log.read_bytes().rsplit(b"\n", 2)[-2] + b' agent="late"\n')


def check_sample(folder):
    """Past the sample rows are not counted, but a field that comes late is seen."""
    store = make_store(folder, "large", "--tenants", 1, "--events", EVENTS_LARGE - 1, "--format", "fortigate=100",
                       change=add_late_line)
    got = coverage(store, ROOT / "rules", 1)
    source, = got["source"]
    assert source["rows"] == EVENTS_LARGE and SAMPLE_ROWS <= source["counted_rows"] < EVENTS_LARGE, source
    assert got["summary"][0]["sampled"]
    listed = {line["field"] for line in got["field"]}
    assert [line["rows"] for line in got["field"] if line["field"] == "user_agent.original"] == [1]
    rules = {f for line in ndjson(run("rule", "coverage", "--json", ROOT / "rules").stdout)
             for clause in line.get("needs", []) for f in clause.split(" or ")}
    for field in sorted(f for f in rules if " " not in f):
        assert (field in listed) == bool(counted(store, f"{field}:*")), field


def main():
    need_binary()
    step = Steps()
    with temp_dir() as folder:
        rules = write_rules(folder / "rules")
        store = make_store(folder, "small", "--tenants", 2, "--events", EVENTS, "--format", "fortigate=60,squid=40",
                           "--inject", BORDER)
        step(f"a store of {EVENTS} lines")
        got = coverage(store, rules, 1)
        check_cases(got)
        step("known cases")
        check_counts(store, got)
        step("counts as searches find them")
        tenant = got["source"][0]["sekisho.tenant"]
        of_one = coverage(store, rules, 1, "--tenant", tenant)
        assert {line["sekisho.tenant"] for line in of_one["source"]} == {tenant}
        assert coverage(store, rules, 1, "--since", "1h")["source"] == []
        text = run("rule", "coverage", "--data", store, rules, check=1).stdout.decode()
        assert "rules bind" in text and "without source.bytes" in text and "blind everywhere" in text, text
        run("rule", "coverage", "--data", store, folder / "good.yml")
        run("rule", "coverage", "--data", folder / "none", rules, check=3)
        run("rule", "coverage", folder / "good.yml")
        assert "source.bytes" in run("rule", "coverage", rules, check=1).stdout.decode()
        step("options, exit codes, without a store")
        step("%d shipped rules asked, lines on %d sources" % check_no_hit_is_blind(store, ROOT / "rules"))
        check_sample(folder)
        step(f"a source of {EVENTS_LARGE} lines")
    print("passed")


if __name__ == "__main__":
    main()
