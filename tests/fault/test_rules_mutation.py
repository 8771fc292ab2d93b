#!/usr/bin/env python3
"""A mutated rule file is refused with file and line, or means what the naive evaluator says; never a crash or a hang.

Then: each modifier mutated into something unsupported or malformed is refused, and regular expressions made to run
for ever are refused or answered in time. SEKISHO_LONG=1 or --long: 10,000 files in place of 1,500.
"""
import collections
import pathlib
import re
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "sigma"), str(ROOT / "tests" / "support")]
import emit  # noqa: E402
import engine as engines  # noqa: E402
import refusal  # noqa: E402
import rule_mutations  # noqa: E402
from random_correlations import RandomCorrelation  # noqa: E402
from random_items import PLACEHOLDERS  # noqa: E402
from random_rules import RandomRule, random_event  # noqa: E402
from sekisho import LONG, Steps, need_binary, seeded_random, temp_dir  # noqa: E402

FILES = 10_000 if LONG or "--long" in sys.argv[1:] else 1_500
EVENTS_PER_FILE = 12
CPU_SECONDS_MAX = 1.0    # for a file, its events and the process; the machine may be busy with other things
SECONDS_KILLED = 20.0
SHOWN_MAX = 15
CERTAIN_SHARE_LEAST = 0.5
PLACE = re.compile(r"rules\.yml:[1-9][0-9]*")


def cpu_seconds():
    """What processes that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Judge:
    """Asks the engine about a file and notes what is wrong with the answer."""

    def __init__(self, engine, seconds_max):
        self.engine, self.seconds_max, self.faults, self.counts = engine, seconds_max, [], collections.Counter()

    def fault(self, data, lines, text):
        self.faults.append(text)
        if len(self.faults) <= SHOWN_MAX:
            shown = data.decode(errors="backslashreplace")
            print(f"--- {text}\n{shown if len(shown) < 4000 else shown[:2000] + ' ...'}\n...\n{lines[:1500]}",
                  flush=True)

    def ask(self, data, lines):
        """The engine's answer, or None after a fault."""
        before = cpu_seconds()
        try:
            got = self.engine.ask(data, lines, PLACEHOLDERS, timeout=SECONDS_KILLED)
        except subprocess.TimeoutExpired:
            self.fault(data, lines, f"hangs: more than {SECONDS_KILLED} s")
            return None
        except AssertionError as error:
            self.fault(data, lines, str(error))
            return None
        if (took := cpu_seconds() - before) > self.seconds_max:
            self.fault(data, lines, f"takes {took:.1f} s of processor time")
        if got.code not in (0, 2):
            self.fault(data, lines, f"exit {got.code}: {got.stderr[-400:]}")
            return None
        if got.code == 2 and not PLACE.search(got.stderr):
            self.fault(data, lines, f"refused without file:line: {got.stderr[:300]}")
        return got

    def judge(self, data, lines):
        try:
            wanted, why = engines.ask_naive(data, lines, PLACEHOLDERS), "loads"
        except refusal.Refused as error:
            wanted, why = None, f"refuses ({error})"
        except refusal.Unclear:
            wanted, why = None, "unclear"
        self.counts[why.split(" ")[0]] += 1
        got = self.ask(data, lines)
        if got is None or why == "unclear":
            return
        if wanted is None:
            if got.code == 0:
                self.fault(data, lines, f"loads; naive {why}")
        elif got.code == 2:
            self.fault(data, lines, f"refused; naive loads it: {got.stderr[:300]}")
        elif (got.matches, got.alerts) != (wanted.matches, wanted.alerts):
            self.fault(data, lines, f"another meaning: {engines.apart(wanted, got)}")


def mutated_files(judge, r):
    for number in range(FILES):
        if number % 4 == 3:
            made = RandomCorrelation(r)
            documents, lines = made.documents(), emit.ndjson_text(made.events(r, EVENTS_PER_FILE))
        else:
            rule = RandomRule(r)
            documents, lines = rule.documents(), emit.ndjson_text([random_event(r, [rule])
                                                                   for _ in range(EVENTS_PER_FILE)])
        _, data = rule_mutations.mutate(r, documents)
        judge.judge(data, lines)


def one_rule(selection, condition="sel"):
    document = {"title": "t", "id": "7b1f0d6e-55a1-4a5c-9a40-0d0f5f1f9c11", "status": "test",
                "logsource": {"category": "proxy"},
                "detection": {"sel": selection, "condition": condition}, "level": "low"}
    return emit.yaml_text([document]).encode()


def malformed_modifiers(judge):
    for key, value in rule_mutations.MALFORMED:
        data = one_rule({key: value})
        try:
            engines.ask_naive(data, "", PLACEHOLDERS)
            raise AssertionError(f"the naive evaluator takes {key}: {value!r}")
        except (refusal.Refused, refusal.Unclear):
            pass
        got = judge.ask(data, "")
        if got and got.code == 0:
            judge.fault(data, "", f"loads; {key}: {value!r} is malformed")


def bombs(judge):
    """Refused or in time; a pattern that is taken gives an answer on texts made to be slow."""
    lines = emit.ndjson_text([{"F": text} for text in rule_mutations.BOMB_TEXTS])
    selections = [({"F|re": written}, wanted) for written, wanted in rule_mutations.REGEX_BOMBS]
    for selection, wanted in selections + rule_mutations.TEXT_BOMBS:
        got = judge.ask(data := one_rule(selection), lines)
        if got and got.code == 0 and sorted(number for _, number in got.matches) != wanted:
            judge.fault(data, lines, f"matches {sorted(got.matches)}, not {wanted}")
    deep = "not (" * 2000 + "sel" + ")" * 2000
    for condition in (deep, "sel and " * 5000 + "sel", "1 of sel* or " * 3000 + "sel"):
        judge.ask(one_rule({"F": "x"}, condition), lines)
    nested = b"title: t\nlogsource: {category: proxy}\ndetection:\n  sel: " + b"[" * 5000 + b"]" * 5000 + b"\n"
    laughs = b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (98 + n, 98 + n, *[97 + n] * 4)
                                         for n in range(20))
    for data in (nested, laughs, b"a" * (1 << 20), b"\n" * (1 << 20), b"- " * 40000, b"{" * 70000,
                 one_rule({"F": "x" * (80 << 10)}), b"", b"\xff" * 100, b"---\n" * 20000):
        judge.ask(data, lines)


def main():
    need_binary()
    step, r = Steps(), seeded_random()
    with temp_dir() as folder:
        judge = Judge(engines.Engine(folder), CPU_SECONDS_MAX)
        malformed_modifiers(judge)
        step(f"{len(rule_mutations.MALFORMED)} malformed modifiers and values: {len(judge.faults)} faults")
        bombs(judge)
        step(f"slow expressions, deep and huge files: {len(judge.faults)} faults so far")
        mutated_files(judge, r)
        step(f"{FILES} mutated files: naive {dict(judge.counts)}; {len(judge.faults)} faults in all")
    assert not judge.faults, f"{len(judge.faults)} faults, the first: {judge.faults[0]}"
    certain = judge.counts["loads"] + judge.counts["refuses"]
    assert certain >= FILES * CERTAIN_SHARE_LEAST, "the naive evaluator is too often unsure"


if __name__ == "__main__":
    main()
