#!/usr/bin/env python3
"""`sekisho rule eval` gives what the conformance cases for Sigma expect, feature by feature, and every public rule of the
corpus loads or is refused with its place.

The corpus is not part of the repository; without it the test is skipped. A case is a folder with rule.yml,
events.ndjson and expected.json: the matches of each rule that stands alone, the alerts of each correlation, or the
feature that the refusal names (alternatives divided by a bar, whole words in any case). Cases that are disputed are told
and do not fail the test.
"""
import collections
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import Steps, need_binary, need_corpus, run, temp_dir  # noqa: E402

CASES_LEAST = 400
REAL_LEAST = 40
PUBLIC_LEAST = 100
OK, FINDINGS, USAGE = range(3)
PLACE = re.compile(r".+\.ya?ml:[1-9]\d*:[1-9]\d*: \S")


def evaluate(rules, events, placeholders="/dev/null"):
    """The exit code, the errors, {rule: [events]} and the alerts."""
    done = run("rule", "eval", "--placeholders", placeholders, rules, events, check=None, timeout=60)
    matches, alerts = collections.defaultdict(list), []
    for line in done.stdout.decode().splitlines():
        rule, event, *alert = line.split("\t")
        if alert:
            fields = json.loads(alert[0])
            alerts.append((rule, int(event), fields["time"], shown(fields["group"]), round(fields["value"], 4)))
        else:
            matches[rule].append(int(event))
    return done.returncode, done.stderr.decode(errors="replace"), matches, sorted(alerts)


def shown(group):
    return tuple(sorted((key, str(value)) for key, value in group.items()))


def names(text, feature):
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.I) for word in feature.split("|"))


def judge_case(folder, expected):
    """What is wrong with a case, or None."""
    placeholders = folder / "placeholders.json"
    code, errors, matches, alerts = evaluate(folder / "rule.yml", folder / "events.ndjson",
                                             placeholders if placeholders.exists() else "/dev/null")
    if expected["error"] is not None:
        if code != USAGE:
            return f"exit {code}; to be refused naming {expected['error']}"
        if not any(PLACE.match(line) for line in errors.splitlines()):
            return f"refused without a place: {errors[:200]}"
        return None if names(errors, expected["error"]) else f"{expected['error']} is not named: {errors[:200]}"
    if code != OK:
        return f"exit {code}: {errors[:200]}"
    got = {rule: sorted(events) for rule, events in matches.items()}
    wanted = {rule: events for rule, events in expected["matches"].items() if events}
    if got != wanted:
        return f"matches {got}, not {wanted}"
    told = sorted((a["rule"], a["index"], a["time"], shown(a["group"]), round(a["value"], 4))
                  for a in expected["alerts"])
    return None if alerts == told else f"alerts {alerts}, not {told}"


def run_cases(root, table):
    wrong = []
    for path in sorted(root.glob("*/*/expected.json")):
        expected = json.loads(path.read_text(encoding="utf-8"))
        why = judge_case(path.parent, expected)
        table[expected["feature"]][why is not None] += 1
        if why is not None and expected["basis"] == "disputed":
            print(f"disputed: {path.parent.relative_to(root)}: {why}")
        elif why is not None:
            wrong.append(f"{path.parent.relative_to(root)}: {why}")
    return wrong


def run_real(root, rules, table, folder):
    """Public rules on events that all reference engines agree about."""
    wrong = []
    for path in sorted((root / "real").glob("*.ndjson")):
        cases = collections.defaultdict(list)
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            cases[case["rule"]].append(case)
        for rule, lines in cases.items():
            events = folder / "events.ndjson"
            events.write_text("".join(json.dumps(x["event"], ensure_ascii=False) + "\n" for x in lines),
                              encoding="utf-8")
            code, errors, matches, _ = evaluate(rules / rule, events)
            found = set(matches.get(lines[0]["id"], []))
            bad = [x["why"] for i, x in enumerate(lines) if (i in found) != x["expected"]]
            bad = bad if code == OK else [f"exit {code}: {errors[:200]}"]
            table[f"real {path.stem}"][bool(bad)] += 1
            if bad:
                wrong.append(f"{rule}: {len(bad)} of {len(lines)} events: {bad[0]}")
    return wrong


def run_public(rules):
    """One check of all public rules: what is refused has its place."""
    files = [*rules.rglob("*.yml"), *rules.rglob("*.yaml")]
    done = run("rule", "check", rules, check=None, timeout=120)
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line]
    wrong = [f"without a place: {line}" for line in lines if not PLACE.match(line)]
    if done.returncode not in (OK, FINDINGS, USAGE):
        wrong.append(f"rule check: exit {done.returncode}")
    if done.returncode == USAGE and all(": warning: " in line for line in lines):
        wrong.append("rule check refuses the rules and does not say why")
    refused = {line.split(":")[0] for line in lines if ": warning: " not in line}
    return wrong, len(files), len(refused)


def main():
    need_binary()
    step, table = Steps(), collections.defaultdict(lambda: [0, 0])
    root, rules = need_corpus("sigma-cases"), need_corpus("sigma")
    wrong = run_cases(root, table)
    cases = sum(map(sum, table.values()))
    step(f"{cases} cases")
    with temp_dir() as folder:
        wrong += run_real(root, rules, table, pathlib.Path(folder))
    real = sum(map(sum, table.values())) - cases
    step(f"{real} public rules on events")
    odd, files, refused = run_public(rules)
    step(f"{files} files of public rules, {refused} refused")
    for feature, (good, bad) in sorted(table.items()):
        print(f"{feature:28} {good:4} right {bad:4} wrong")
    print("\n".join(wrong + odd))
    assert cases >= CASES_LEAST and real >= REAL_LEAST and files >= PUBLIC_LEAST, "too few cases to show anything"
    assert not wrong and not odd, f"{len(wrong) + len(odd)} are wrong"


if __name__ == "__main__":
    main()
