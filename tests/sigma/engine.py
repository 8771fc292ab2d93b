"""`sekisho rule eval` and the naive evaluator on the same rules and events."""
import collections
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import naive  # noqa: E402
import refusal  # noqa: E402
import sekisho  # noqa: E402
from values import moment_ns, read_event  # noqa: E402

SECONDS_MAX = 20

Answer = collections.namedtuple("Answer", "code matches alerts stderr")


def group_key(group):
    return tuple(sorted((str(key), str(value)) for key, value in group.items()))


def ask_naive(rules, events_text, placeholders=None):
    """Raises refusal.Refused and refusal.Unclear."""
    rule_set = naive.load(rules.encode() if isinstance(rules, str) else rules, placeholders)
    events = [read_event(line) for line in events_text.split("\n") if line]
    matches, alerts = naive.evaluate(rule_set, events)
    return Answer(0, frozenset(matches), frozenset(
        (rule, number, moment_ns(time), group_key(group), round(value, 4))
        for rule, number, time, group, value in alerts), "")


def read_output(text):
    matches, alerts = [], []
    for line in text.split("\n")[:-1]:
        columns = line.split("\t", 2)
        assert len(columns) in (2, 3) and columns[1].isdigit(), f"no line of rule eval: {line[:300]}"
        if len(columns) == 2:
            matches.append((columns[0], int(columns[1])))
        elif len(columns) == 3:
            said = json.loads(columns[2])
            alerts.append((columns[0], int(columns[1]), moment_ns(said["time"]), group_key(said["group"]),
                           round(said["value"], 4)))
    assert len(set(matches)) == len(matches) and len(set(alerts)) == len(alerts), f"printed twice:\n{text[:2000]}"
    return frozenset(matches), frozenset(alerts)


class Engine:
    """Runs the binary in a folder for its input files."""

    def __init__(self, folder):
        self.folder = folder

    def ask(self, rules, events_text, placeholders=None, timeout=SECONDS_MAX):
        data = rules.encode() if isinstance(rules, str) else rules
        (self.folder / "rules.yml").write_bytes(data)
        (self.folder / "events.ndjson").write_text(events_text, encoding="utf-8")
        (self.folder / "placeholders.json").write_text(json.dumps(placeholders or {}), encoding="utf-8")
        done = sekisho.run("rule", "eval", "--placeholders", self.folder / "placeholders.json",
                           self.folder / "rules.yml", self.folder / "events.ndjson", check=None, timeout=timeout)
        stderr = done.stderr.decode(errors="replace")
        if done.returncode != 0:
            return Answer(done.returncode, frozenset(), frozenset(), stderr)
        return Answer(0, *read_output(done.stdout.decode()), stderr)


def apart(wanted, got):
    """The first matches and alerts that only one of the two has."""
    ours, theirs = wanted.matches | wanted.alerts, got.matches | got.alerts
    return f"naive only {sorted(ours - theirs, key=str)[:4]}, engine only {sorted(theirs - ours, key=str)[:4]}"


def differs(engine, rules, events_text, placeholders=None):
    """What is not the same, as text; None when all is, or when the naive evaluator does not take the rules."""
    try:
        wanted = ask_naive(rules, events_text, placeholders)
    except (refusal.Refused, refusal.Unclear):
        return None
    got = engine.ask(rules, events_text, placeholders)
    if got.code != 0:
        return f"exit {got.code}: {got.stderr.strip()[:400]}"
    return apart(wanted, got) if got._replace(stderr="") != wanted else None
