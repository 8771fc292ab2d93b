#!/usr/bin/env python3
"""What filters take out of rules: `replay` counts it, `replay --log` comes to the same, `rule backtest --hidden` finds it in
the history, `rule explain` names the filter, and all of it is what searches count that know nothing of filters.

A filter of a municipality takes out its rows alone; one that ended before the rows takes out nothing and counts nothing;
one that ends among them stops there; two filters of one row count both; a filter counts once for each rule.
"""
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import Steps, ndjson, need_binary, run, temp_dir  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "rules"
EVENTS = 20000
RULE = "title: {0}\nid: {0}\nlogsource: {{product: sekisho}}\ndetection: {{s: {{{1}}}, condition: s}}\n"
FILTER = ("title: filter {0}\nid: {0}\nlogsource: {{product: sekisho}}\n"
          "filter: {{rules: {1}, s: {{{2}}}, condition: {3}}}\nsekisho: {{{4}}}\n")
WHO = "owner: 情報政策課, reason: ticket 118, "
SAID = re.compile(rb"^municipality (\d{6}): the filter (\S+) took out (\d+)$", re.M)


def count(store, query):
    done = run("search", query, "--count", "--data", store, check=None)
    assert done.returncode in (0, 1), done.stderr
    return int(done.stdout)


def top(store, query, field):
    rows = ndjson(run("search", f"{query} | stats count() by {field} | sort -count() | head 1", "--json", "--data",
                      store).stdout)
    return rows[0][field]


def nonzero(counts):
    return {key: n for key, n in counts.items() if n}


def said(done):
    return {(m[1].decode(), m[2].decode()): int(m[3]) for m in SAID.finditer(done.stderr)}


def hidden(store, rules, *options, check=0):
    """Rows by (tenant, filter, rule), days together; the filters' own lines; the summary."""
    lines = ndjson(run("rule", "backtest", "--hidden", "--json", "--data", store, *options, rules, check=check).stdout)
    kind = {k: [line for line in lines if line["hidden"] == k] for k in ("filter", "day", "summary")}
    rows = {}
    for line in kind["day"]:
        key = line["tenant"], line["filter"], line["rule"]
        rows[key] = rows.get(key, 0) + line["rows"]
    for line in kind["filter"]:
        of_it = [n for key, n in rows.items() if key[1:] == (line["filter"], line["rule"])]
        assert line["rows"] == sum(of_it), line
    assert kind["summary"][0]["rows"] == sum(rows.values()) and kind["summary"][0]["complete"], kind["summary"]
    return rows, kind["filter"], kind["summary"][0]


def documents(towns, host, resolver, middle):
    """The rules, and of each filter the query of what it takes out; `every` is a municipality's query."""
    owned = f"layer: municipality, tenant: '{towns[0]}', {WHO}expires: 2099-01-01T00:00:00Z"
    rules = {"web": ("destination.port: 443", "destination.port:443"), "dns": ("destination.port: 53",
                                                                               "destination.port:53")}
    filters = {
        "town": (["web", "dns"], f"source.ip: {host}", "not s", owned, f"source.ip:{host} sekisho.tenant:{towns[0]}"),
        "everywhere": (["web"], "source.ip|cidr: 10.0.0.0/9", "not s", "", "source.ip:10.0.0.0/9"),
        "over": (["web"], "destination.port: 443", "not s", f"layer: prefecture, {WHO}expires: 2020-01-01T00:00:00Z",
                 "@timestamp<2020-01-01T00:00:00Z"),
        "ending": (["dns"], "destination.port: 53", "not s", f"layer: prefecture, {WHO}expires: {middle}",
                   f"@timestamp<{middle}"),
        "keeps": (["dns"], f"source.ip: {resolver}", "s", "", f"NOT source.ip:{resolver}"),
    }
    text = "---\n".join([RULE.format(name, what) for name, (what, _) in rules.items()] +
                        [FILTER.format(name, json.dumps(of), what, how, ours)
                         for name, (of, what, how, ours, _) in filters.items()])
    want = {(town, name, rule): f"{rules[rule][1]} {query} sekisho.tenant:{town}"
            for name, (of, _, _, _, query) in filters.items() for rule in of for town in towns}
    return text, want


def check_explain(folder, towns, host):
    line = ('date=2026-10-05 time=09:30:00 type="traffic" subtype="forward" srcip={} srcport=50000 dstip=198.51.100.9 '
            'dstport=443 proto=6 action="accept"')

    def explain(tenant, source, check):
        return run("rule", "explain", "--rule", "web", "--tenant", tenant, "--format", "fortigate", folder / "rules.yml",
                   line.format(source), check=check).stdout.decode()

    own = explain(towns[0], host, 1)
    named = re.search(r"filtered by \S+rules\.yml:(\d+) town \(layer municipality (\d{6}), owner 情報政策課, "
                      r"reason ticket 118, until 2099-01-01T09:00:00\+09:00\)", own)
    assert named and named[2] == towns[0] and "does not hold" in own and "filtered by" in own, own
    lines = (folder / "rules.yml").read_text().splitlines()
    assert lines[int(named[1]) - 1] == "title: filter town", named[1]
    assert "over" not in own, own
    other = explain(towns[1], host, 1 if host.startswith("10.") and int(host.split(".")[1]) < 128 else 0)
    assert " town " not in other, other
    free = explain(towns[0], "192.0.2.77", 0)
    assert "filtered by" not in free and "the rule holds" in free, free
    done = run("rule", "explain", "--json", "--rule", "web", "--tenant", towns[0], "--format", "fortigate",
               folder / "rules.yml", line.format(host), check=1)
    verdict = ndjson(done.stdout)[-1]
    assert verdict["filtered"] and verdict["filters"][0]["filter"] == "town", verdict
    assert verdict["filters"][0]["reason"] == "ticket 118", verdict


def check_golden(folder):
    """The words for people, on a few lines that end a filter between them."""
    for tenant in ("990019", "990027"):
        run("replay", "--data", folder / tenant, "--tenant", tenant, "--format", "fortigate", GOLDEN / "lines.log")
    lines = (GOLDEN / "lines.log").read_text().splitlines()
    explain = ("rule", "explain", "--rule", "denied", "--format", "fortigate")
    shown = []
    for command in (("rule", "backtest", "--hidden", "--data", folder / "990019", "filters.yml"),
                    ("rule", "backtest", "--hidden", "--json", "--data", folder / "990027", "filters.yml"),
                    (*explain, "--tenant", "990019", "filters.yml", lines[0]),
                    (*explain, "--tenant", "990019", "filters.yml", lines[4]),
                    (*explain, "--tenant", "990027", "--json", "filters.yml", lines[0])):
        done = run(*command, cwd=GOLDEN, check=None)
        shown.append(" ".join(str(word) for word in command if folder not in getattr(word, "parents", ())) + "\n" +
                     done.stdout.decode() + f"exit {done.returncode}\n")
    have, path = "\n".join(shown), GOLDEN / "filters.txt"
    if os.environ.get("SEKISHO_UPDATE"):
        path.write_text(have)
    assert have == path.read_text(), f"{path} differs; SEKISHO_UPDATE=1 writes it anew:\n{have}"


def main():
    need_binary()
    step = Steps()
    with temp_dir() as folder:
        check_golden(folder)
        step("the words are those of tests/golden/rules")
        made = folder / "made"
        run("gen", "--seed", 7, "--tenants", 2, "--events", EVENTS, "--format", "fortigate=60,squid=40", "--out", made)
        manifest = ("--manifest", made / "manifest.yaml", "--config", made / "config.yaml")
        done = run("replay", "--data", folder / "plain", *manifest)
        assert said(done) == {}, done.stderr
        plain = folder / "plain"
        towns = sorted(r["sekisho.tenant"] for r in ndjson(
            run("search", "| stats count() by sekisho.tenant", "--json", "--data", plain).stdout))
        host = top(plain, f"destination.port:443 sekisho.tenant:{towns[0]}", "source.ip")
        resolver = top(plain, "destination.port:53", "source.ip")
        times = sorted(r["@timestamp"] for r in ndjson(run("search", "destination.port:53", "--json", "--data",
                                                           plain).stdout))
        text, want = documents(towns, host, resolver, times[len(times) // 2])
        (folder / "rules.yml").write_text(text)
        want = nonzero({key: count(plain, query) for key, query in want.items()})
        names = {key[1] for key in want}
        assert names == {"town", "everywhere", "ending", "keeps"}, want
        assert ("town" in {n for t, n, _ in want if t == towns[0]}) and towns[1] not in {
            t for t, n, _ in want if n == "town"}, want
        step(f"what searches count: {sum(want.values())} rows of {len(want)} filters, rules and municipalities")
        sums = {}
        for (town, name, _), rows in want.items():
            sums[town, name] = sums.get((town, name), 0) + rows
        for workers in (1, 3):
            store = folder / f"store{workers}"
            done = run("replay", "--data", store, *manifest, "--rules", folder / "rules.yml", "--workers", workers)
            assert said(done) == sums, (said(done), sums)
            again = run("replay", "--log", store, "--config", made / "config.yaml", "--rules", folder / "rules.yml")
            assert said(again) == sums, (said(again), sums)
        step("counted by a replay, and the same when its log is judged again")
        rows, filters, summary = hidden(folder / "store1", folder / "rules.yml")
        assert rows == want, (rows, want)
        assert summary["looked_at"] == EVENTS and summary["filters"] == len(filters) == 6, summary
        by_name = {line["filter"]: line for line in filters}
        assert by_name["over"]["rows"] == 0 and by_name["over"]["layer"] == "prefecture", by_name["over"]
        assert by_name["town"]["municipality"] == towns[0] and by_name["town"]["owner"] == "情報政策課"
        assert by_name["ending"]["until"] and by_name["ending"]["reason"] == "ticket 118"
        for line in filters:
            assert count(plain, line["query"]) == line["rows"], line
        one, _, _ = hidden(folder / "store1", folder / "rules.yml", "--tenant", towns[1])
        assert one == {key: n for key, n in want.items() if key[0] == towns[1]}, one
        one, _, _ = hidden(folder / "store1", folder / "rules.yml", "--rule", "town")
        assert one == {key: n for key, n in want.items() if key[1] == "town"}, one
        one, _, _ = hidden(folder / "store1", folder / "rules.yml", "--rule", "dns", "--threads", 1)
        assert one == {key: n for key, n in want.items() if key[2] == "dns"}, one
        hidden(folder / "store1", folder / "rules.yml", "--rule", "over", check=1)
        text = run("rule", "backtest", "--hidden", "--data", folder / "store1", folder / "rules.yml").stdout.decode()
        assert f"layer municipality {towns[0]}, owner 情報政策課, reason ticket 118" in text, text
        for wrong in (("--rule", "none"), ("--against", folder / "rules.yml")):
            run("rule", "backtest", "--hidden", "--data", plain, *wrong, folder / "rules.yml", check=2)
        run("rule", "backtest", "--hidden", "--data", folder / "none", folder / "rules.yml", check=3)
        step("found in the history, by filter, rule, municipality and day, with a query that shows the rows")
        check_explain(folder, towns, host)
        step("explain names the filter")
    print("passed")


if __name__ == "__main__":
    main()
