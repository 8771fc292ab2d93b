#!/usr/bin/env python3
"""Queries with pipes against a naive evaluator, row by row over the NDJSON export.

Generated and mutated lines are stored with batches of 7 and 2,048 rows, and in segments. Generated queries (conditions as in
test_replay_identity.py, then up to four pipes) must give what Python computes from the printed objects, from all
stores and with any number of threads, as NDJSON and as CSV. Budgets and an interrupt end a search with what it has.
"""
import csv
import io
import ipaddress
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "fault")]
import csv_cells  # noqa: E402
from sekisho import LONG, Steps, need_binary, run, seeded_random, temp_dir  # noqa: E402
from test_replay_identity import Input, make_query, make_word, read_events  # noqa: E402

LINES = 40_000 if LONG else 6_000
QUERIES = 2_000 if LONG else 260
PIECES = 400 if LONG else 60
CONFIGS = [(2048, 2), (7, 1)]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY_NS = 86_400_000_000_000
JST_NS = 9 * 3_600_000_000_000
NUMBER = re.compile(r"([-+]?)([0-9]{1,18})(?:\.([0-9]+))?", re.A)
TYPES = {m[2]: m[3] for m in re.finditer(r'^FIELD\((\d+), \w+, "([^"]*)", "[^"]*", (\w+),',
                                         (ROOT / "event" / "fields.def").read_text(), re.M)}
TIMES = ("@timestamp", "event.ingested")

KEYS = ["url.domain", "event.action", "sekisho.verdict", "source.ip", "destination.ip", "destination.port", "user.name",
        "sekisho.tenant", "sekisho.source", "sekisho.format", "kafka.topic", "network.protocol", "sekisho.parse.error",
        "http.response.status_code", "rule.name", "sekisho.sub", "fortigate.logid", "fortigate.vwlid", "event.code",
        "sekisho.time.source", "kafka.partition", "http.request.method", "observer.name", "fortigate.appcat",
        "user_agent.original", "url.path", "cisco_asa.nothing"]
NUMBERS = ["source.bytes", "destination.bytes", "source.port", "kafka.offset", "http.response.status_code",
           "event.duration", "fortigate.policyid", "fortigate.sentdelta", "event.code", "network.bytes"]
ANY = KEYS + NUMBERS + ["@timestamp", "event.ingested"]


# Values: (kind, what is compared). A row: {column: list of distinct values}.

def time_ns(text):
    seconds, _, fraction = text.rstrip("Z").partition(".")
    at = datetime.fromisoformat(seconds + "+00:00") - EPOCH
    return (at.days * 86400 + at.seconds) * 10**9 + int(fraction.ljust(9, "0") or 0)


def time_text(ns):
    text = (EPOCH + timedelta(seconds=ns // 10**9)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = ns % 10**9
    if fraction == 0:
        return text + "Z"
    digits = f"{fraction:09d}"
    return f"{text}.{digits[:3] if digits[3:] == '000000' else digits[:6] if digits[6:] == '000' else digits}Z"


def value_of(field, printed):
    if isinstance(printed, int):
        return ("number", Fraction(printed))
    if field in TIMES:
        return ("time", time_ns(printed))
    if TYPES.get(field) == "IP":
        address = ipaddress.ip_address(printed)
        packed = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
        return ("ip", packed, printed)
    return ("text", printed)


def number_of(value):
    if value[0] == "number":
        return value[1]
    if value[0] != "text" or not (m := NUMBER.fullmatch(value[1])):
        return None
    number = Fraction(int(m[2] + (m[3] or "")[:9].ljust(9, "0")), 10**9)
    return -number if m[1] == "-" else number


def number_text(number):
    scaled = number * 10**9
    assert scaled.denominator == 1
    whole, part = divmod(abs(scaled.numerator), 10**9)
    return ("-" if number < 0 else "") + f"{whole}" + (f".{part:09d}".rstrip("0") if part else "")


def text_of(value):
    kind = value[0]
    if kind == "number":
        return number_text(value[1])
    return time_text(value[1]) if kind == "time" else value[2] if kind == "ip" else value[1]


def name_of(value):
    return text_of(value).encode()


def order_of(value):
    number = number_of(value)
    if number is not None:
        return (0, number, value[0] == "text", name_of(value) if value[0] == "text" else b"")
    return ({"time": 1, "ip": 2, "text": 3}[value[0]], value[1] if value[0] != "text" else name_of(value), False, b"")


def row_of(event):
    row = {}
    for field, printed in event.items():
        if not field.startswith("_"):
            found = [value_of(field, v) for v in (printed if isinstance(printed, list) else [printed])]
            row[field] = list(dict.fromkeys(found))
    return row


def null_last(values, descending):
    """The value that a row is sorted by."""
    if not values:
        return None
    return (max if descending else min)(values, key=order_of)


def sort_rows(rows, keys):
    for column, descending in reversed(keys):
        def key(row):
            return null_last(row.get(column), descending)
        there = sorted((r for r in rows if key(r) is not None), key=lambda r: order_of(key(r)), reverse=descending)
        rows = there + [r for r in rows if key(r) is None]
    return rows


def combinations(row, columns):
    """The groups that a row is in."""
    found = [()]
    for column in columns:
        found = [group + (value,) for group in found for value in (row.get(column) or [None])]
    return found


def divide(total, count):
    scaled = total * 10**9 / count
    sign = -1 if scaled < 0 else 1
    whole, rest = divmod(abs(scaled.numerator), scaled.denominator)
    return Fraction(sign * (whole + (2 * rest >= scaled.denominator)), 10**9)


def compute(function, column, quantile, rows):
    if function == "count" and column is None:
        return [("number", Fraction(len(rows)))]
    values = [value for row in rows for value in row.get(column, [])]
    if function == "count":
        return [("number", Fraction(sum(bool(row.get(column)) for row in rows)))]
    if function == "distinct":
        return [("number", Fraction(len(set(values))))]
    if function in ("min", "max"):
        return [(min if function == "min" else max)(values, key=order_of)] if values else []
    numbers = sorted(n for n in map(number_of, values) if n is not None)
    if not numbers:
        return []
    if function == "quantile":
        rank = -(-quantile * len(numbers) // 1)
        return [("number", numbers[max(int(rank), 1) - 1])]
    total = sum(numbers)
    return [("number", total if function == "sum" else divide(total, len(numbers)))]


def group_order(group):
    return tuple((value is None, b"" if value is None else name_of(value)) for value in group)


def group_rows(rows, keys, aggregates):
    groups = {}
    for row in rows:
        for group in combinations(row, keys):
            groups.setdefault(group, []).append(row)
    if not keys:
        groups.setdefault((), [])
    return {group: {**{k: [v] if v is not None else [] for k, v in zip(keys, group)},
                    **{name: compute(f, c, q, members) for f, c, q, name in aggregates}}
            for group, members in groups.items()}


def step_of(ns, span):
    shift = JST_NS if span % DAY_NS == 0 else 0
    return (ns + shift) // span * span - shift


def chart_rows(rows, span, keys, aggregates, bounds):
    stepped = [{**row, "@step": [("time", step_of(row["@timestamp"][0][1], span))]} for row in rows]
    groups = group_rows(stepped, ["@step"] + keys, aggregates)
    since, until = bounds
    steps = [group[0][1] for group in groups]
    tuples = sorted({group[1:] for group in groups}, key=group_order) if keys else [()]
    if not steps and (since is None or until is None):
        return []
    first = step_of(since, span) if since is not None else min(steps)
    last = step_of(until - 1, span) if until is not None else max(steps)
    result = []
    for at in range(first, last + 1, span):
        for group in tuples:
            row = groups.get((("time", at), *group)) or \
                {**{k: [v] if v is not None else [] for k, v in zip(keys, group)},
                 **{name: compute(f, c, q, []) for f, c, q, name in aggregates}}
            result.append({"@timestamp": [("time", at)], **{k: v for k, v in row.items() if k != "@step"}})
    return result


# Queries: text and meaning made side by side.

class Pipes:
    def __init__(self, r):
        self.r, self.texts, self.steps = r, [], []
        self.columns = None   # of a table; None: events
        self.shown = None     # the columns that events come out with
        self.measure = None
        self.bounds = (None, None)
        self.is_table = False

    def pick(self, fields):
        names = self.columns if self.is_table else self.shown
        return self.r.choice(names if names else fields)

    def several(self, fields, most):
        found = []
        for _ in range(self.r.randint(1, most)):
            if (name := self.pick(fields)) not in found:
                found.append(name)
        return found

    @staticmethod
    def quote(name):
        return name if re.fullmatch(r"[A-Za-z_@][A-Za-z0-9_.@-]*", name) else f'"{name}"'

    def add(self, text, step):
        self.texts.append(text)
        self.steps.append(step)

    def aggregates(self):
        made, texts = [], []
        for _ in range(self.r.randint(1, 3)):
            function = self.r.choice(["count", "count", "count_of", "sum", "avg", "min", "max", "distinct", "quantile"])
            if function == "count":
                made.append(("count", None, None, "count"))
                texts.append(self.r.choice(["count()", "count"]))
            else:
                column = self.pick(NUMBERS if self.r.random() < 0.7 else ANY)
                percent = self.r.choice([0, 1, 50, 90, 95, "99.9", 100])
                shown = self.quote(column)
                word = {"count_of": "count", "quantile": f"p{percent}"}.get(function, function)
                text = f"{word}({shown})"
                if function == "quantile" and self.r.random() < 0.3:
                    text = f"quantile({shown}, {float(Fraction(percent) / 100):.3f})"
                name = f"{word}({column})"
                if self.r.random() < 0.3:
                    name = f"x{len(made)}"
                    text += f" as {name}"
                quantile = Fraction(percent) / 100 if function == "quantile" else None
                made.append(("count" if function == "count_of" else function, column, quantile, name))
                texts.append(text)
        return made, self.r.choice([", ", " "]).join(texts)

    def table(self, columns, measure):
        if len(set(columns)) != len(columns):
            return False
        self.columns, self.measure, self.shown, self.is_table = columns, measure, None, True
        return True

    def stats(self):
        aggregates, text = self.aggregates()
        keys = self.several(KEYS, 3) if self.r.random() < 0.8 else []
        if not self.table(keys + [a[3] for a in aggregates], aggregates[0][3]):
            return
        by = " by " + ", ".join(map(self.quote, keys)) if keys else ""

        def step(rows):
            groups = group_rows(rows, keys, aggregates)
            return [groups[g] for g in sorted(groups, key=group_order)]
        self.add(f"stats {text}{by}", step)

    def timechart(self):
        if self.is_table or (self.shown and "@timestamp" not in self.shown):
            return
        aggregates, text = self.aggregates()
        keys = [k for k in self.several(["sekisho.verdict", "sekisho.format", "destination.port"], 2)
                if k != "@timestamp"] if self.r.random() < 0.5 else []
        span, ns = self.r.choice([("1s", 10**9), ("5m", 300 * 10**9), ("1h", 3600 * 10**9), ("1d", DAY_NS),
                                  ("7m", 420 * 10**9), ("2d", 2 * DAY_NS)])
        if not self.table(["@timestamp"] + keys + [a[3] for a in aggregates], aggregates[0][3]):
            return
        by = " by " + ", ".join(map(self.quote, keys)) if keys else ""
        self.add(f"timechart span={span} {text}{by}", lambda rows: chart_rows(rows, ns, keys, aggregates, self.bounds))

    def top(self):
        word, number = self.r.choice(["top", "rare"]), self.r.choice([1, 3, 10, 10, 50])
        text = f"{word} {number}" if number != 10 or self.r.random() < 0.5 else word
        descending = word == "top"
        if self.is_table:
            column = self.measure
            if column is None or self.r.random() < 0.4:
                column = self.r.choice(self.columns)
                text += " " + self.quote(column)
            self.add(text, lambda rows: sort_rows(rows, [(column, descending)])[:number])
            return
        keys = self.several(KEYS, 2)
        if not self.table(keys + ["count"], "count"):
            return

        def step(rows):
            groups = group_rows(rows, keys, [("count", None, None, "count")])
            return sort_rows([groups[g] for g in sorted(groups, key=group_order)], [("count", descending)])[:number]
        self.add(f"{text} {', '.join(map(self.quote, keys))}", step)

    def sort(self):
        keys = [(k, self.r.random() < 0.5) for k in self.several(ANY, 3)]
        self.add("sort " + ", ".join(("-" if d else "") + self.quote(k) for k, d in keys),
                 lambda rows: sort_rows(rows, keys))

    def head(self):
        number = self.r.choice([1, 2, 10, 10, 100, 5000])
        self.add(f"head {number}" if number != 10 else "head", lambda rows: rows[:number])

    def fields(self):
        keys = self.several(ANY, 4)
        if self.is_table:
            self.columns = keys
            self.measure = self.measure if self.measure in keys else None
        else:
            self.shown = keys
        self.add("fields " + ", ".join(map(self.quote, keys)), lambda rows: rows)

    def dedup(self):
        keys = self.several(KEYS, 2)

        def step(rows):
            seen, kept = set(), []
            for row in rows:
                key = tuple(frozenset(row.get(k, [])) for k in keys)
                if key not in seen:
                    seen.add(key)
                    kept.append(row)
            return kept
        self.add("dedup " + ", ".join(map(self.quote, keys)), step)


def make_test(r, pipes, rows):
    """A comparison with a value that some row has, near it, or nothing like it."""
    column = pipes.pick(ANY)
    values = [v for row in r.sample(rows, min(len(rows), 50)) for v in row.get(column, [])]
    value = r.choice(values) if values and r.random() < 0.9 else ("text", "x")
    text = text_of(value)
    if not text.isascii() or not text.isprintable() or re.search(r'["\\\\*?]', text):
        return None
    number = NUMBER.fullmatch(text) and number_of(("text", text))
    ordered = number is not None or value[0] == "time"
    sign = r.choice([">", ">=", "<", "<=", "=", "!=", ":"] if ordered else ["=", "!=", ":"])
    folded = text.upper() if r.random() < 0.2 and value[0] == "text" else text
    checks = {">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b}

    def one(v):
        if number is not None and (n := number_of(v)) is not None:
            return checks[sign](n, number) if sign in checks else n == number
        if value[0] == "time" and v[0] == "time":
            return checks[sign](v[1], value[1]) if sign in checks else v[1] == value[1]
        return sign not in checks and text_of(v).encode().lower() == folded.encode().lower()
    return f'{pipes.quote(column)}{sign}"{folded}"', lambda row: any(map(one, row.get(column, []))) != (sign == "!=")


def add_where(r, pipes, rows):
    """A where at the end; the rows so far say which values there are."""
    tests = [t for t in (make_test(r, pipes, rows) for _ in range(r.randint(1, 2))) if t]
    if tests:
        pipes.add("where " + " and ".join(t[0] for t in tests),
                  lambda rows: [row for row in rows if all(t[1](row) for t in tests)])


def make_pipes(r):
    pipes = Pipes(r)
    kinds = [pipes.stats, pipes.stats, pipes.timechart, pipes.top, pipes.sort, pipes.head, pipes.fields, pipes.dedup]
    while not pipes.texts:
        for _ in range(r.randint(1, 4)):
            r.choice(kinds)()
    return pipes


def json_cell(values):
    """As json.loads() would give it, numbers as Fractions."""
    printed = [v[1] if v[0] == "number" else text_of(v) for v in sorted(values, key=name_of)]
    return None if not printed else printed[0] if len(printed) == 1 else printed


def csv_cell(values):
    text = ";".join(text_of(v) for v in sorted(values, key=name_of))
    number = len(values) == 1 and values[0][0] == "number"
    return text if number else csv_cells.expected(text)


def load(line):
    return json.loads(line, parse_int=Fraction, parse_float=Fraction)


def expected(pipes, rows):
    for step in pipes.steps:
        rows = step(rows)
    return rows


def ask(text, store, *options, exit_codes=(0,)):
    done = run("search", text, "--data", store, *options, check=None)
    assert done.returncode in exit_codes, f"{text!r}: exit {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def show(pairs):
    for at, (want, got) in enumerate(pairs):
        if want != got:
            return f"row {at}:\n  want {want}\n  got  {got}"
    return "one is longer"


def check_query(r, text, pipes, rows, stores, options):
    columns = pipes.columns if pipes.is_table else pipes.shown
    codes = (0,) if rows else (1,)
    want = expected(pipes, rows)
    first = ask(text, stores[0], "--json", *options, exit_codes=codes)
    got = [load(line) for line in first.split(b"\n") if line]
    if columns:
        wanted = [{c: json_cell(row.get(c, [])) for c in columns} for row in want]
        assert got == wanted, f"{text}: {len(got)} rows, not {len(wanted)}; {show(zip(wanted, got))}"
        assert all(list(g) == columns for g in got), f"{text}: columns {list(got[0])}, not {columns}"
    else:
        place = [tuple(json_cell(row.get(c, [])) for c in ("kafka.topic", "kafka.partition", "kafka.offset",
                                                           "sekisho.sub")) for row in want]
        found = [(g["kafka.topic"], g["kafka.partition"], g["kafka.offset"], g.get("sekisho.sub", 0)) for g in got]
        assert found == place, f"{text}: {len(found)} rows, not {len(place)}; {show(zip(place, found))}"
    for store in stores:
        again = ask(text, store, "--json", "--threads", r.choice([1, 3, 8]), *options, exit_codes=codes)
        assert again == first, f"{text}: another answer from {store.name}"
    if columns:
        out = ask(text, stores[0], "--csv", *options, exit_codes=codes).decode()
        if not any("\r" in csv_cell(row.get(c, [])) or "\0" in csv_cell(row.get(c, [])) for row in want for c in columns):
            table = list(csv.reader(io.StringIO(out, newline="")))
            wanted = [[c if c[0] != "'" else c for c in columns]] + \
                [[csv_cell(row.get(c, [])) for c in columns] for row in want]
            assert table == wanted, f"{text}: CSV; {show(zip(wanted, table))}"
    return len(want)


def compacted(store, to):
    shutil.copytree(store, to)
    run("compact", "--data", to)
    assert list(to.glob("seg/*/*.seg")), "no segment was made"
    return to


def answers(step, r, folder):
    data = Input(folder / "lines", r, LINES)
    stores = [data.replay(folder / f"rows-{c[0]}", *c) for c in CONFIGS]
    stores.append(compacted(stores[0], folder / "segments"))
    events = read_events(data, stores[0])
    some = [e for e in events if len(e["_raw"]) < 100_000]
    times = sorted(time_ns(e["@timestamp"]) for e in events)
    step(f"{len(events)} rows; {sum(any(isinstance(v, list) for v in e.values()) for e in events)} with repeated fields")
    rows = {id(e): row_of(e) for e in events}
    total = 0
    for _ in range(QUERIES):
        pipes = make_pipes(r)
        condition = make_query(r, some) if r.random() < 0.6 else None
        chart = any(t.startswith("timechart") for t in pipes.texts)
        dense = any("span=1s" in t or "span=5m" in t or "span=7m" in t for t in pipes.texts)
        options, low, high = [], None, None
        if chart and (dense or r.random() < 0.5):
            low = r.choice(times)
            high = low + r.choice([1, 10**9, 90 * 10**9, 600 * 10**9]) if dense else low + 3 * DAY_NS
            options = ["--since", time_text(low), "--until", time_text(high)]
            pipes.bounds = (low, high)
        chosen = [rows[id(e)] for e in events
                  if (condition is None or condition.holds(e)) and
                  (low is None or low <= time_ns(e["@timestamp"]) < high)]
        if r.random() < 0.3 and not (chart and low is None):
            add_where(r, pipes, expected(pipes, chosen))
            for kind in r.sample([pipes.sort, pipes.head, pipes.stats], r.randint(0, 1)):
                kind()
        text = f"{condition.text if condition else ''} | {' | '.join(pipes.texts)}"
        if chart and low is None and chosen and span_rows(chosen, pipes) > 200_000:
            continue
        total += check_query(r, text, pipes, chosen, stores, options)
    pieces(step, r, some, events, stores)
    step(f"{QUERIES} queries, {total} rows: as the naive evaluator says, from {len(stores)} stores")
    return stores[0]


def pieces(step, r, some, events, stores):
    """Pieces of lines, also of texts that a segment keeps as times: counted without the rest of the row."""
    for _ in range(PIECES):
        word = make_word(r, some)
        number = sum(map(word.holds, events))
        for store in stores:
            got = run("search", word.text, "--data", store, "--count", check=0 if number else 1).stdout
            assert int(got) == number, f"{word.text}: {int(got)} rows of {store.name}, not {number}"
    step(f"{PIECES} pieces of lines are counted right in {len(stores)} stores")


def span_rows(rows, pipes):
    times = [row["@timestamp"][0][1] for row in rows]
    return (max(times) - min(times)) // (3600 * 10**9) * (200 if any(" by " in t for t in pipes.texts) else 1)


def budgets(step, store):
    every = "| stats count() by kafka.offset, source.port, @timestamp, event.original"
    done = run("search", every, "--data", store, "--max-memory", "1M", check=5)
    assert b"INCOMPLETE: --max-memory is full" in done.stderr, done.stderr
    assert done.stdout, "nothing of what there is"
    done = run("search", every, "--data", store, "--max-time", "1us", "--stats", "json", check=5)
    told = json.loads(done.stderr.decode().splitlines()[-1])
    assert told["complete"] is False and told["stopped"] == "--max-time is over", told
    for text in ("| dedup event.original", "| sort event.original"):
        done = run("search", text, "--data", store, "--max-memory", "1M", check=5)
        assert done.stdout.count(b"\n") > 10, text
    step("budgets of memory and time")


def interrupt(step, store):
    """Its output is not read at first, so that it is in the middle of it when the interrupt comes."""
    command = [str(need_binary()), "search", "", "--data", str(store), "--json"]
    whole = run(*command[1:]).stdout
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, bufsize=0) as process:
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, (process.returncode, err[-500:])
    assert b"INCOMPLETE: interrupted" in err, err
    out = first + out
    assert whole.startswith(out) and len(out) < len(whole) and out.endswith(b"\n"), (len(out), len(whole))
    step("an interrupt shows what there is")


REFUSED = [
    ("| stats count() by nonsense", 'query:1:20: unknown field "nonsense"'),
    ("| stat count()", 'query:1:3: no pipe "stat"; did you mean "stats"?'),
    ("| head 0", "query:1:8: a number of rows from 1"),
]


def refused(step, store):
    for text, diagnosis in REFUSED:
        done = run("search", text, "--data", store, check=2)
        assert diagnosis in done.stderr.decode(), done.stderr.decode()
    done = run("search", "| stats count()", "--data", store, "--raw", check=2)
    assert b"--raw" in done.stderr and b"--json" in done.stderr
    done = run("search", "| stats count()", "--data", store, "--count", check=2)
    assert b"| stats count()" in done.stderr
    lines = run("search", "| dedup sekisho.format | head 2", "--data", store, "--raw").stdout
    assert lines
    done = run("tail", "--data", store, "| stats count()", check=2)
    assert b"stats" in done.stderr and b"search" in done.stderr, done.stderr
    step("what is refused says so")


def examples(step, folder):
    """Each example of docs/query.md gives what stands under it. SEKISHO_WRITE_DOCS=1 writes what it gives."""
    page = ROOT / "docs" / "query.md"
    text = page.read_text()
    log, store = folder / "proxy.log", folder / "example"
    log.write_text(re.search(r"```text\n(.*?)```", text, re.S)[1])
    count = 0

    def answer(block):
        nonlocal count
        made = []
        for line in block[1].splitlines():
            if not line.startswith("$ sekisho "):
                continue
            words = [{"store": store, "proxy.log": log}.get(word, word) for word in shlex.split(line)[2:]]
            done = run(*words, check=None, env={"TZ": "UTC"})
            assert done.returncode in (0, 1), f"{line}: {done.stderr.decode()}"
            made += [line, *done.stdout.decode().replace("\r", "").splitlines()]
            count += 1
        return "```console\n" + "".join(line + "\n" for line in made) + "```"
    written = re.sub(r"```console\n(.*?)```", answer, text, flags=re.S)
    if os.environ.get("SEKISHO_WRITE_DOCS"):
        page.write_text(written)
    else:
        assert written == text, "docs/query.md: " + show(zip(text.splitlines(), written.splitlines()))
    assert count > 12
    step(f"{count} examples of docs/query.md")


def follow(step, store):
    """tail from the start, ended by head: the same events, in the order of the log."""
    whole = sorted(run("search", "", "--data", store, "--json").stdout.splitlines())
    done = run("tail", "--data", store, "--from-start", f"| head {len(whole)}", timeout=60)
    assert sorted(done.stdout.splitlines()) == whole
    verdicts = {load(line)["sekisho.verdict"] for line in whole}
    done = run("tail", "--data", store, "--from-start",
               f"| dedup verdict | fields verdict, url.path | head {len(verdicts)}", timeout=60)
    rows = [load(line) for line in done.stdout.splitlines()]
    assert {row["sekisho.verdict"] for row in rows} == verdicts and len(rows) == len(verdicts)
    assert all(list(row) == ["sekisho.verdict", "url.path"] for row in rows)
    step("tail with pipes")


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder:
        store = answers(step, r, folder)
        budgets(step, store)
        interrupt(step, store)
        refused(step, store)
        follow(step, store)
        examples(step, folder)


if __name__ == "__main__":
    main()
