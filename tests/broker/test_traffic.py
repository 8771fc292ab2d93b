#!/usr/bin/env python3
"""Real traffic of others, attacks and a normal office, through `replay`: every alert is judged in docs/judged-traffic.md.

Each folder goes through as the log of one municipality, with its network configured and without, and each of its files
alone. Every line is kept and read, all exit with 0, and the alerts of the folders are those that the page lists, with
the same severity; of legitimate traffic none is high or critical that the page does not judge. The rules of rules/ find
in the stored lines what the page's second table says, and nothing in legitimate traffic.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from judged import replay_alerts, show  # noqa: E402
from sekisho import Steps, ndjson, need_corpus, run, temp_dir  # noqa: E402

PAGE = ROOT / "docs" / "judged-traffic.md"
NETWORK = "193.147.160.0/21"
FOLDERS = (("fortigate-legit", "fortigate"), ("fortigate-attack", "fortigate"),
           ("panos-legit", "panos"), ("panos-attack", "panos"))
READ = ("fortigate", "panos")  # formats whose lines must be read
JUDGEMENTS = ("right", "arguable", "wrong")


def judged():
    """{(folder, "known" or "unknown"): Counter of (rule, severity)} of the page's table."""
    found = collections.defaultdict(collections.Counter)
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0] in dict(FOLDERS):
            folder, network, rule, severity, count, judgement = cells
            assert judgement.startswith(JUDGEMENTS), f"{PAGE.name}: no judgement in: {line}"
            found[folder, network][rule, severity] += int(count)
    return found


def rule_hits_wanted():
    """{folder: {rule: (hits, alerts)}} of the page's second table."""
    found = collections.defaultdict(dict)
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in dict(FOLDERS) and cells[2].isdigit():
            found[cells[0]][cells[1]] = (int(cells[2]), int(cells[3]))
    return found


def rule_hits(data):
    """{rule: (hits, alerts)} of every rule for one municipality that holds for lines of the store."""
    found = {}
    for path in sorted(path for path in (ROOT / "rules").glob("*/*.yml") if path.parent.name != "prefecture"):
        documents = re.split(r"^---$", path.read_text(), flags=re.M)
        told_of = [text for text in documents if "\ncorrelation:" in text] or documents
        for rule in re.findall(r"^name: (\S+)$", "\n".join(told_of), re.M):
            done = run("rule", "backtest", "--data", data, "--json", "--rule", rule, path, check=None)
            told = ndjson(done.stdout)[-1]
            assert told["complete"], f"{rule}: not all of the store was read"
            if told["hits"]:
                found[rule] = (told["hits"], told["alerts"])
    return found


def lines_of(path):
    rows = path.read_bytes().split(b"\n")
    return len(rows) - (rows[-1] == b""), sum(not row.strip() for row in rows[:-1])


def replay_all(folder, form, paths, network):
    """Alerts of the files; every line is kept, and all but blank ones are read."""
    lines, blank = (sum(column) for column in zip(*map(lines_of, paths)))
    alerts, said = replay_alerts(folder, [(form, path) for path in paths], network)
    events, unparsed = map(int, re.match(r"(\d+) events, (\d+) not parsed", said).groups())
    assert events == lines, f"{paths[0].parent.name}: {events} events of {lines} lines"
    assert unparsed == blank, f"{paths[0].parent.name}: {unparsed} not parsed, {blank} are blank"
    return alerts


def is_urgent(alert):
    return alert["alert.severity"] in ("high", "critical")


def check_folder(folder, step, name, form, page):
    paths = [path for path in sorted(need_corpus("traffic", name).glob("*.log")) if path.stat().st_size > 0]
    assert paths, f"no files in {name}"
    for network in (None, NETWORK):
        known = "known" if network else "unknown"
        alerts = replay_all(folder, form, paths, network)
        show(alerts)
        found = collections.Counter((a["rule.name"], a["alert.severity"]) for a in alerts)
        wanted = page[name, known]
        assert found == wanted, (f"{name}, network {known}: judge again in {PAGE.name}: "
                                 f"not there: {dict(found - wanted)}, there only: {dict(wanted - found)}")
        if network:
            rules, wanted_rules = rule_hits(folder / "replayed"), rule_hits_wanted()[name]
            assert rules == wanted_rules, f"{name}: rules found {rules}, {PAGE.name} says {wanted_rules}"
        for path in paths:
            alone = replay_all(folder, form, [path], network)
            unjudged = [a["rule.name"] for a in alone
                        if is_urgent(a) and (a["rule.name"], a["alert.severity"]) not in wanted]
            assert "legit" not in name or not unjudged, f"{path.name} alone: not judged: {unjudged}"
        step(f"{name}, network {known}: {len(paths)} files, {len(alerts)} alerts, all judged")


def main():
    step = Steps()
    page = judged()
    assert page, f"no judged alert in {PAGE}"
    with temp_dir() as folder:
        for name, form in FOLDERS:
            check_folder(folder, step, name, form, page)
    print("ok")


if __name__ == "__main__":
    main()
