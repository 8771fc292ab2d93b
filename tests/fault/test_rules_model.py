#!/usr/bin/env python3
"""`sekisho rule eval` agrees with a naive evaluator on random rules and events, and on random sequences of events.

Each run has its own rules and events, full of near misses: random fields, modifiers, case, wildcards, nulls, lists,
repeated keys, negations, nested conditions, keywords and filters; then correlations with ties and late events. Where
the two differ, the smallest rule and event that still differ are printed.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "sigma"), str(ROOT / "tests" / "support")]
import emit  # noqa: E402
import engine as engines  # noqa: E402
import refusal  # noqa: E402
from random_correlations import RandomCorrelation  # noqa: E402
from random_items import PLACEHOLDERS, many, quick_expression  # noqa: E402
from random_rules import RandomRule, random_event  # noqa: E402
from sekisho import LONG, Steps, need_binary, seeded_random, temp_dir  # noqa: E402
from shrink import shrink  # noqa: E402

RUNS = 500 if LONG else 100
RULES_PER_RUN = 20
EVENTS_PER_RUN = 50
ALONE_EVERY = 8  # runs
QUIET = 1000 if LONG else 150
QUIET_ID = "0c1f3f5e-8c0e-4a86-9d5c-3f7f0a4c6b11"
SEQUENCES = 2000 if LONG else 300
MATCHED_SHARE_LEAST = 0.05
SHOWN_MAX = 8


def certain_rule(r):
    """A rule that the naive evaluator takes: what the design leaves open is no test of it."""
    while True:
        rule = RandomRule(r)
        try:
            engines.ask_naive(emit.yaml_text(rule.documents()), "", PLACEHOLDERS)
            return rule
        except refusal.Unclear:
            continue


def explain(engine, documents, events, what):
    """The smallest case of one difference."""
    def fails(case):
        return bool(case["rules"]) and engines.differs(engine, emit.yaml_text(case["rules"]),
                                                       emit.ndjson_text(case["events"]),
                                                       PLACEHOLDERS) is not None
    case = {"rules": documents, "events": events}
    if fails(case):
        case = shrink(case, fails)
        what = engines.differs(engine, emit.yaml_text(case["rules"]), emit.ndjson_text(case["events"]), PLACEHOLDERS)
    print(f"--- {what}\n{emit.yaml_text(case['rules'])}...\n{emit.ndjson_text(case['events'])}", flush=True)


def compare_run(engine, r, differences, alone):
    """Rules together in one process, or each alone: what is compiled for a field depends on all its rules."""
    rules = [certain_rule(r) for _ in range(RULES_PER_RUN)]
    if not alone:
        return compare_rules(engine, r, rules, differences)
    return sum(compare_rules(engine, r, [rule], differences) for rule in rules)


def compare_rules(engine, r, rules, differences):
    events = [random_event(r, rules) for _ in range(EVENTS_PER_RUN)]
    text = emit.yaml_text([document for rule in rules for document in rule.documents()], r)
    lines = emit.ndjson_text(events, r)
    wanted = engines.ask_naive(text, lines, PLACEHOLDERS)
    got = engine.ask(text, lines, PLACEHOLDERS)
    if got.code != 0:
        refused = [rule for rule in rules if engine.ask(emit.yaml_text(rule.documents()), "", PLACEHOLDERS).code != 0]
        assert refused, f"the set is refused, each rule alone is not: {got.stderr[:500]}"
        for rule in refused:
            differences.append((rule.documents(), [], "refused"))
        return len(wanted.matches)
    for rule_id, number in sorted(wanted.matches ^ got.matches):
        rule = next(rule for rule in rules if rule.id == rule_id)
        differences.append((rule.documents(), [events[number]], "differs"))
    return len(wanted.matches)


def compare_quiet(engine, r, differences):
    """One rule, and long values with nothing in them but, here and there, what it asks for: there scanners hurry."""
    item = many(r, "F") if r.random() < 0.6 else quick_expression(r, "F")
    document = {"title": "quiet", "id": QUIET_ID, "logsource": {"category": "proxy"},
                "detection": {"sel": {item.key: item.value}, "condition": "sel"}}
    lines = []
    for _ in range(r.choice((1, 2, EVENTS_PER_RUN))):
        filler = r.choice("aQz. ")
        found = r.choice(item.examples["F"]) if r.random() < 0.7 else ""
        lines.append({"F": filler * r.choice((0, 10, 31, 63, 64, 65, 100, 200, 333, 2000)) + found
                      + filler * r.choice((0, 0, 1, 8, 40))})
    text = emit.yaml_text([document])
    wanted = engines.ask_naive(text, emit.ndjson_text(lines))
    got = engine.ask(text, emit.ndjson_text(lines))
    assert got.code == 0, got.stderr[:500]
    if got.matches != wanted.matches:
        differences.append(([document], lines, "differs"))
    return len(wanted.matches)


def compare_sequence(engine, r, differences):
    made = RandomCorrelation(r)
    events = made.events(r, r.randint(4, 40))
    text, lines = emit.yaml_text(made.documents(r)), emit.ndjson_text(events)
    wanted = engines.ask_naive(text, lines)
    got = engine.ask(text, lines)
    if got != wanted._replace(stderr=got.stderr):
        differences.append((made.documents(), events, "differs"))
    return made.kind, len(wanted.alerts)


def report(engine, differences):
    for documents, events, why in differences[:SHOWN_MAX]:
        explain(engine, documents, events, why)


def main():
    need_binary()
    step, r = Steps(), seeded_random()
    with temp_dir() as folder:
        engine = engines.Engine(folder)
        pairs_differ, matched = [], 0
        for number in range(RUNS):
            matched += compare_run(engine, r, pairs_differ, alone=number % ALONE_EVERY == 0)
        pairs = RUNS * RULES_PER_RUN * EVENTS_PER_RUN
        step(f"{pairs} pairs of rule and event, {matched} match, {len(pairs_differ)} differ")
        report(engine, pairs_differ)
        quiet_differ = []
        found = sum(compare_quiet(engine, r, quiet_differ) for _ in range(QUIET))
        step(f"{QUIET} rules on long quiet values, {found} match, {len(quiet_differ)} differ")
        report(engine, quiet_differ)
        sequences_differ, alerts = [], {}
        for _ in range(SEQUENCES):
            kind, found = compare_sequence(engine, r, sequences_differ)
            alerts[kind] = alerts.get(kind, 0) + found
        step(f"{SEQUENCES} sequences, {len(sequences_differ)} differ; alerts: "
             + ", ".join(f"{kind} {count}" for kind, count in sorted(alerts.items())))
        report(engine, sequences_differ)
    wrong = len(pairs_differ), len(quiet_differ), len(sequences_differ)
    assert wrong == (0, 0, 0), "{} pairs, {} rules on quiet values and {} sequences differ".format(*wrong)
    assert matched >= pairs * MATCHED_SHARE_LEAST, "too few pairs match to show anything"
    assert all(alerts.values()), "a kind of correlation never fired"


if __name__ == "__main__":
    main()
