#!/usr/bin/env python3
"""Every case of tests/sigma/support, of which docs/sigma-support.md is made, is as it says: `rule eval` finds the events
that it names and no others, or refuses the file with the reason that it names, with file, line and column."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("sigma", "support")]
import support_cases  # noqa: E402
from engine import read_output  # noqa: E402
from sekisho import Steps, need_binary, run, temp_dir  # noqa: E402


def problem(folder, case):
    """What is not as the case says, or None."""
    rules, events, lists = folder / "rules.yml", folder / "events.ndjson", folder / "lists.json"
    rules.write_text(case.text)
    lists.write_text(json.dumps(case.placeholders))
    given, finds, alerts = ([], {}, []) if case.refused else case.events()
    events.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in given))
    if case.said.get("check"):
        done = run("rule", "check", rules, check=None)
    else:
        done = run("rule", "eval", "--placeholders", lists, rules, events, check=None)
    said = done.stderr.decode(errors="replace")
    if case.refused:
        named = any(re.match(r"\S*rules\.yml:\d+:\d+: ", line) and case.refused in line for line in said.splitlines())
        return None if done.returncode == 2 and named else f"exit {done.returncode}: {said}"
    if done.returncode != 0:
        return f"exit {done.returncode}: {said}"
    matches, found = read_output(done.stdout.decode())
    names = {"r1"} | set(finds)
    matches = {rule: sorted(n for r, n in matches if r == rule) for rule in names & ({r for r, _ in matches} | set(finds))}
    if matches != {rule: sorted(numbers) for rule, numbers in finds.items()}:
        return f"finds {matches}, not {finds}"
    found = sorted(number for _, number, *_ in found)
    return None if found == alerts else f"alerts at {found}, not {alerts}"


def main():
    need_binary()
    step = Steps()
    groups = support_cases.load(ROOT / support_cases.FOLDER)
    bad = []
    with temp_dir() as folder:
        for group in groups:
            bad += [f"{case.where}: {case.written}: {what}" for case in group.cases if (what := problem(folder, case))]
            step(f"{group.title}: {len(group.cases)} cases, {sum(bool(case.refused) for case in group.cases)} refused")
    assert not bad, "\n".join(bad)
    print("passed")


if __name__ == "__main__":
    main()
