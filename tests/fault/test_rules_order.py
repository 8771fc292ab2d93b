#!/usr/bin/env python3
"""The order in which events arrive, within lateness, does not change what correlations find in the end.

The same events are put into `sekisho rule eval` in many orders (those of one time keep theirs): each gives the same
alerts, of the same events, and the naive evaluator's. SEKISHO_LONG=1 or --long: 1,000 permutations in place of 50.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "sigma"), str(ROOT / "tests" / "support")]
import emit  # noqa: E402
import engine as engines  # noqa: E402
from random_correlations import RandomCorrelation  # noqa: E402
from sekisho import LONG, Steps, need_binary, seeded_random, temp_dir  # noqa: E402
from values import moment_ns  # noqa: E402

SETS, PERMUTATIONS = (20, 50) if LONG or "--long" in sys.argv[1:] else (10, 5)
CORRELATIONS_PER_SET = 6
EVENTS_PER_SEQUENCE = 25
LATENESS_SECONDS = 120


def make_set(r):
    """(rules, events in the order of their times): several correlations over one history."""
    documents, events = [], []
    for number in range(CORRELATIONS_PER_SET):
        made = RandomCorrelation(r)
        documents += apart(made.documents(r), number)
        events += made.events(r, EVENTS_PER_SEQUENCE)
    return documents, sorted(events, key=lambda event: moment_ns(event["@timestamp"]))


def apart(documents, number):
    """Names are unique in a set."""
    text = emit.yaml_text(documents)
    for name in ("first_rule", "second_rule", "third_rule", "many"):
        text = re.sub(rf"\b{name}\b", f"{name}_{number}", text)
    return text.split("---\n")


def arrive(r, events):
    """A permutation of event numbers: each time has its own delay, so those of one time stay in order."""
    delays = {}
    arrival = [moment_ns(event["@timestamp"]) + delays.setdefault(event["@timestamp"],
                                                                  r.randrange(LATENESS_SECONDS * 10**9))
               for event in events]
    return sorted(range(len(events)), key=lambda number: arrival[number])


def by_origin(answer, order):
    """Alerts and matches with the number that the event has in order of time."""
    return (frozenset((rule, order[number]) for rule, number in answer.matches),
            frozenset((rule, order[number], *rest) for rule, number, *rest in answer.alerts))


def main():
    need_binary()
    step, r = Steps(), seeded_random()
    alerts = 0
    with temp_dir() as folder:
        engine = engines.Engine(folder)
        for _ in range(SETS):
            documents, events = make_set(r)
            rules = "---\n".join(documents)
            wanted = by_origin(engines.ask_naive(rules, emit.ndjson_text(events)), range(len(events)))
            alerts += len(wanted[1])
            for turn in range(PERMUTATIONS):
                order = arrive(r, events) if turn else range(len(events))
                got = engine.ask(rules, emit.ndjson_text([events[number] for number in order]))
                assert got.code == 0, got.stderr[:1000]
                if (found := by_origin(got, order)) != wanted:
                    print(rules, emit.ndjson_text([events[number] for number in order]), sep="...\n")
                    missing, more = sorted(wanted[1] - found[1])[:3], sorted(found[1] - wanted[1])[:3]
                    raise AssertionError(f"order {turn}: missing {missing}, too many {more}")
    step(f"{SETS} histories in {PERMUTATIONS} orders each: the same {alerts} alerts")
    assert alerts > SETS, "too few alerts to show anything"


if __name__ == "__main__":
    main()
