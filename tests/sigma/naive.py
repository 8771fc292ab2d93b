#!/usr/bin/env python3
"""A naive evaluator of Sigma, event by event, for the tests: it shares nothing with the engine but the design.

    naive.py [--placeholders FILE] RULES EVENTS.ndjson

prints what `sekisho rule eval` prints, and exits 2 for a set that is refused. Field names are literal. What the design
leaves open is refused here as `unclear`; tests accept any orderly answer of the engine there.
"""
import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from refusal import Refused, Unclear  # noqa: E402
from rules import RuleSet  # noqa: E402
from values import moment_ns, moment_text, read_event  # noqa: E402


def load(data, placeholders=None):
    """The rules of a file; raises Refused or Unclear."""
    return RuleSet(data, placeholders or {})


def times_of(events):
    """An event without a time follows its predecessor."""
    times, last_ns = [], 0
    for event in events:
        ns = moment_ns(event.get("@timestamp"))
        last_ns = last_ns if ns is None else ns
        times.append(last_ns)
    return times


def evaluate(rule_set, events):
    """([(rule id, event number)], [(rule id, event number, time, group, value)])"""
    times = times_of(events) if rule_set.correlations else [0] * len(events)
    held = {rule: [number for number, event in enumerate(events) if rule.holds(event)] for rule in rule_set.rules}
    matches = [(rule.id, number) for rule, numbers in held.items() if rule not in rule_set.silent
               for number in numbers]
    hits = {rule: [(times[number], number, events[number]) for number in numbers] for rule, numbers in held.items()}
    alerts = []
    for one in rule_set.correlations:
        merged = {}
        for member in one.members:
            for time_ns, number, event in hits[member]:
                merged.setdefault((time_ns, number), (event, []))[1].append(member)
        ordered = [(*place, *merged[place]) for place in sorted(merged)]
        found = one.alerts(ordered, max(times, default=0))
        hits[one] = [(time_ns, number, event) for time_ns, number, event, _, _ in found]
        if one not in rule_set.silent:
            alerts += [(one.id, number, moment_text(time_ns), group, float(value))
                       for time_ns, number, _, group, value in found]
    return matches, alerts


def read_events(path):
    with open(path, encoding="utf-8") as lines:
        return [read_event(line) for line in lines if line.strip()]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--placeholders")
    arguments.add_argument("rules")
    arguments.add_argument("events")
    given = sys.argv[3:] if sys.argv[1:3] == ["rule", "eval"] else sys.argv[1:]  # so it can stand in for the binary
    chosen = arguments.parse_args(given)
    text = pathlib.Path(chosen.placeholders).read_text(encoding="utf-8") if chosen.placeholders else ""
    try:
        rule_set = load(pathlib.Path(chosen.rules).read_bytes(), json.loads(text) if text.strip() else {})
    except Refused as error:
        sys.exit(fail(f"{chosen.rules}:1:1: {error}"))
    except Unclear as error:
        sys.exit(fail(f"{chosen.rules}:1:1: unclear: {error}"))
    matches, alerts = evaluate(rule_set, read_events(chosen.events))
    for rule, number in matches:
        print(f"{rule}\t{number}")
    for rule, number, time, group, value in alerts:
        print(f"{rule}\t{number}\t{json.dumps({'time': time, 'group': group, 'value': value}, ensure_ascii=False)}")


def fail(text):
    print(text, file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
