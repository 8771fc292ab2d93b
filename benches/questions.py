#!/usr/bin/env python3
"""Generated questions to a compacted store and to DuckDB on its export: every answer must be the same.

    benches/questions.py [--sekisho build/sekisho] [--events 2200000] [--questions 200] [--seed 7] [--work DIR]

Makes a day of 42 municipalities, replays and compacts it, exports every event as NDJSON and as lines, and loads both into
DuckDB (pip install duckdb). A question is a condition (equal, wildcard, network, range, exists, part of the line; and, or,
not), a municipality or a range of time for some, and what is asked of it: a count, functions by one or two fields, the
most or least frequent, or the first rows. Sekisho answers as NDJSON or CSV. Exit code 1 where an answer differs, with
the question in both languages.
"""
import argparse
import csv
import io
import ipaddress
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[1]
FORMATS = "fortigate=55,squid=20,panos=10,cisco_asa=8,i_filter=7"
TEXTS = ["url.domain", "url.path", "url.query", "event.action", "user.name", "network.protocol", "sekisho.verdict",
         "sekisho.source", "sekisho.format", "http.request.method", "rule.name", "observer.name", "source.geo.name",
         "destination.geo.name", "user_agent.original", "message", "url.registered_domain", "network.direction",
         "event.dataset", "fortigate.cat", "squid.hierarchy", "rule.category"]
NUMBERS = ["source.port", "destination.port", "source.bytes", "destination.bytes", "event.duration",
           "http.response.status_code", "http.response.bytes", "source.packets", "kafka.partition"]
ADDRESSES = ["source.ip", "destination.ip"]
GROUPS = ["event.action", "network.protocol", "sekisho.tenant", "url.domain", "source.ip", "destination.ip",
          "destination.port", "sekisho.verdict", "user.name", "http.response.status_code", "sekisho.format",
          "http.request.method", "rule.name", "source.geo.name", "destination.geo.name", "network.direction"]
ROWS_MAX = 300
VALUES_PER_FIELD = 400
JST_NS = 9 * 3600 * 10**9


def run(*command, codes=(0,)):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}: {done.stderr.decode()[-400:]}")
    return done.stdout


# The store, and the same in DuckDB

def prepare(o, work):
    store = work / "store"
    if not store.exists():
        run(o.sekisho, "gen", "--seed", o.seed, "--tenants", 42, "--days", 1, "--events", o.events, "--format", FORMATS,
            "--out", work / "lines")
        run(o.sekisho, "replay", "--data", store, "--manifest", work / "lines" / "manifest.yaml")
        run(o.sekisho, "compact", "--data", store)
    for name, how in (("events.ndjson", "--json"), ("events.raw", "--raw")):
        if not (work / name).exists():
            with open(work / name, "wb") as out:
                subprocess.run([o.sekisho, "search", "", "--data", store, how], stdout=out, stderr=subprocess.DEVNULL,
                               check=True)
    return store


def keys_of(path):
    """Every key of the export, and those that some event has several values of."""
    keys, several = {}, set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            keys.update(dict.fromkeys(event))
            several.update(k for k, v in event.items() if isinstance(v, list))
    return list(keys), several


class Peer:
    """The events in a table: text as printed, a list of texts where an event may have several values."""

    def __init__(self, work):
        self.db = duckdb.connect()
        self.db.execute("set preserve_insertion_order = true")
        keys, self.several = keys_of(work / "events.ndjson")
        self.keys = set(keys)
        used = [k for k in keys if k in {*TEXTS, *NUMBERS, *ADDRESSES, *GROUPS} or k.startswith(("kafka.", "sekisho.", "@"))]
        types = ", ".join(f"'{k}': 'JSON'" for k in used)
        columns = ", ".join(f'{self.load(k)} as "{k}"' for k in used)
        self.db.execute(
            f"create table rows as select {columns}, raw from (select * from read_json('{work / 'events.ndjson'}', "
            f"format = 'newline_delimited', columns = {{{types}}}) positional join (select raw from read_csv("
            f"'{work / 'events.raw'}', columns = {{'raw': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', "
            f"header = false, auto_detect = false, max_line_size = 16777216)))")
        self.db.execute("alter table rows add column ts bigint")
        self.db.execute("update rows set ts = epoch_ns(cast(\"@timestamp\" as timestamp_ns))")
        self.networks()
        self.count = self.one("select count(*) from events")
        self.db.execute("set preserve_insertion_order = false")

    def load(self, key):
        if key not in self.several:
            return f'("{key}" ->> \'$\')'
        return (f"case when \"{key}\" is null then null when json_type(\"{key}\") = 'ARRAY' "
                f'then list_distinct(cast("{key}" as varchar[])) else ["{key}" ->> \'$\'] end')

    def networks(self):
        """Addresses as numbers; those of IPv4 as ::ffff:a.b.c.d."""
        texts = set()
        for field in ADDRESSES:
            assert field not in self.several, f"{field} has several values"
            texts |= {row[0] for row in self.rows(f'select distinct "{field}" from rows where "{field}" is not null')}
        table = []
        for text in texts:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                continue
            table.append((text, str(number_of(address))))
        self.db.execute("create table addresses (text varchar, number uhugeint)")
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
            f.writelines(f"{text},{number}\n" for text, number in table)
            f.flush()
            self.db.execute(f"copy addresses from '{f.name}' (format csv)")
        joins = " ".join(f'left join addresses a{i} on a{i}.text = rows."{f}"' for i, f in enumerate(ADDRESSES))
        numbers = ", ".join(f'a{i}.number as "{f}#"' for i, f in enumerate(ADDRESSES))
        self.db.execute(f"create table events as select rows.*, {numbers} from rows {joins}")
        self.db.execute("drop table rows")

    def rows(self, sql):
        return self.db.execute(sql).fetchall()

    def one(self, sql):
        return self.rows(sql)[0][0]

    def values(self, field, r):
        """Some values that occur, frequent and rare ones."""
        source = f'select unnest("{field}") as v from events' if field in self.several else f'select "{field}" as v from events'
        rows = self.rows(f"select v from (select v, count(*) as n from ({source}) where v is not null and v <> '' group by v) "
                         f"order by n desc, v limit 40") + self.rows(
            f"select v from (select distinct v from ({source}) where v is not null and v <> '') "
            f"order by md5(v || '{r.random()}') limit {VALUES_PER_FIELD}")
        return [row[0] for row in rows]


def number_of(address):
    return int(address) + (0xffff << 32 if address.version == 4 else 0)


# Conditions: (in Sekisho's language, in SQL)

def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def word(text):
    return '"' + re.sub(r'(["\\*?])', r"\\\1", text) + '"'


def literal(c):
    """A character of a pattern, and of a regular expression in SQL."""
    return re.sub(r'(["\\*?])', r"\\\1", c), re.escape(c).replace("'", "''")


class Asker:
    """`exists` is asked of fields that are never the empty text: conditions take that for a value, the export leaves it out."""

    def __init__(self, peer, r, has_empty):
        self.peer, self.r = peer, r
        self.texts = [f for f in TEXTS if f in peer.keys]
        self.numbers = [f for f in NUMBERS if f in peer.keys]
        self.groups = [f for f in GROUPS if f in peer.keys]
        self.present = [f for f in self.texts if not has_empty(f)] + self.numbers + ADDRESSES
        self.pools = {f: peer.values(f, r) for f in {*self.texts, *self.numbers, *ADDRESSES, "sekisho.tenant"}}
        self.tenants = self.pools["sekisho.tenant"]
        self.lines = [row[0] for row in peer.rows(
            f"select raw from events where hash(raw) % {max(1, peer.count // 500)} = 0 order by raw limit 500")]
        self.first, self.last = peer.rows("select min(ts), max(ts) from events")[0]

    def each(self, field, test):
        """The test of some value of the field; url.* values are compared percent-decoded, too."""
        if field.startswith("url.") and field != "url.registered_domain":
            inner = test
            test = lambda x: f"({inner(x)} or {inner(f'url_decode({x})')})"     # noqa: E731
        if field in self.peer.several:
            return f'coalesce(len(list_filter("{field}", lambda x: {test("x")})) > 0, false)'
        return "coalesce(" + test('"%s"' % field) + ", false)"

    def other_case(self, text):
        return "".join(c.swapcase() if c.isascii() and self.r.random() < 0.2 else c for c in text)

    def equal(self):
        field = self.r.choice(self.texts + self.numbers + ADDRESSES + ["sekisho.tenant"])
        value = self.r.choice(self.pools[field])
        if field in self.texts:
            return f"{field}:{word(self.other_case(value))}", self.each(
                field, lambda x: f"lower({x}) = lower({quoted(value)})")
        if field in ADDRESSES:
            return f"{field}:{value}", self.each(field, lambda x: f"{x} = {quoted(value)}")
        return f"{field}:{value}", self.each(field, lambda x: f"{x} = {quoted(value)}")

    def one_of(self):
        parts = [self.equal() for _ in range(self.r.randint(2, 3))]
        return "(" + " or ".join(p[0] for p in parts) + ")", "(" + " or ".join(p[1] for p in parts) + ")"

    def wildcard(self):
        field = self.r.choice(self.texts)
        value = self.r.choice(self.pools[field])
        low = self.r.randrange(len(value))
        high = self.r.randint(low + 1, min(len(value), low + 12))
        piece = self.other_case(value[low:high])
        pattern, regex = "", ""
        for i, c in enumerate(piece):
            if i == 0:
                pattern, regex = literal(c)
            elif self.r.random() < 0.05 and c.isascii():
                pattern, regex = pattern + "?", regex + "."
            elif self.r.random() < 0.04 and c.isascii():
                pattern, regex = pattern + "*", regex + ".*"
            else:
                pattern, regex = pattern + literal(c)[0], regex + literal(c)[1]
        if low > 0 or self.r.random() < 0.5:
            pattern, regex = "*" + pattern, ".*" + regex
        if high < len(value) or self.r.random() < 0.5:
            pattern, regex = pattern + "*", regex + ".*"
        return f'{field}:"{pattern}"', self.each(field, lambda x: f"regexp_full_match({x}, '{regex}', 'is')")

    def network(self):
        field = self.r.choice(ADDRESSES)
        address = ipaddress.ip_address(self.r.choice(self.pools[field]))
        bits = self.r.choice((8, 12, 16, 20, 24, 27, 30, 32)) if address.version == 4 else self.r.choice((32, 48, 64, 120))
        net = ipaddress.ip_network((address, bits), strict=False)
        low, high = number_of(net.network_address), number_of(net.broadcast_address)
        return f"{field}:{net}", f'coalesce("{field}#" between {low}::uhugeint and {high}::uhugeint, false)'

    def range(self):
        field = self.r.choice(self.numbers)
        a, b = sorted(int(self.r.choice(self.pools[field])) + self.r.randint(-2, 2) for _ in range(2))
        kind = self.r.randrange(5)
        if kind == 4:
            return f"{field}:[{a} to {b}]", self.each(field, lambda x: f"try_cast({x} as bigint) between {a} and {b}")
        op = ("<", "<=", ">", ">=")[kind]
        return f"{field}{op}{a}", self.each(field, lambda x: f"try_cast({x} as bigint) {op} {a}")

    def exists(self):
        field = self.r.choice(self.present)
        return f"{field}:*", f'("{field}" is not null)'

    def part_of_line(self):
        line = self.r.choice(self.lines)
        low = self.r.randrange(max(1, len(line) - 4))
        piece = line[low:low + self.r.randint(2, 14)].strip() or "a"
        if self.r.random() < 0.1:
            piece += "q" + self.r.choice("xz") + "j"
        shown = self.other_case(piece)
        return word(shown), f"contains(lower(raw), lower({quoted(piece)}))"

    def moment(self):
        at = self.r.randrange(self.first, self.last) // 10**9 * 10**9
        return at, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // 10**9))

    def at_time(self):
        at, text = self.moment()
        op = self.r.choice(("<", "<=", ">", ">="))
        return f"@timestamp{op}{text}", f"(ts {op} {at})"

    def condition(self, depth):
        if depth == 0 or self.r.random() < 0.3:
            leaf = self.r.choice((self.equal, self.equal, self.one_of, self.wildcard, self.wildcard, self.network, self.range,
                                  self.range, self.exists, self.part_of_line, self.part_of_line, self.at_time))
            return leaf()
        parts = [self.condition(depth - 1) for _ in range(self.r.randint(2, 3))]
        if self.r.random() < 0.25:
            q, s = parts[0]
            return f"not ({q})", f"(not {s})"
        join = self.r.choice((" and ", " and ", " or "))
        return "(" + join.join(q for q, _ in parts) + ")", "(" + join.join(s for _, s in parts) + ")"

    def scope(self):
        """(options, SQL)"""
        options, sql = [], []
        if self.r.random() < 0.35:
            tenant = self.r.choice(self.tenants)
            options += ["--tenant", tenant]
            sql.append(f"\"sekisho.tenant\" = '{tenant}'")
        if self.r.random() < 0.4:
            (a, since), (b, until) = sorted((self.moment(), self.moment()))
            which = self.r.randrange(3)
            if which != 1:
                options += ["--since", since]
                sql.append(f"ts >= {a}")
            if which != 0:
                options += ["--until", until]
                sql.append(f"ts < {b}")
        return options, sql

    # What is asked of the events: (pipes, SQL of the answer, whether its rows have an order)

    def grouped(self, fields, where):
        """A table of the events with g0, g1: one row for each value, or combination, of the fields."""
        source = "events"
        for i, field in enumerate(fields):
            value = (f"unnest(case when len(list_filter(\"{field}\", lambda x: x <> '')) > 0 then "
                     f"list_filter(\"{field}\", lambda x: x <> '') else [null] end)"
                     if field in self.peer.several else f"nullif(\"{field}\", '')")
            source = f"(select *, {value} as g{i} from {source}{' where ' + where if i == 0 else ''})"
        return source

    def function(self, number):
        scalar = [f for f in self.numbers if f not in self.peer.several]
        field = self.r.choice(scalar)
        any_field = self.r.choice([f for f in self.groups + self.texts if f not in self.peer.several])
        value = f'try_cast("{field}" as bigint)'
        return self.r.choice((
            (f"sum({field}) as f{number}", f"sum({value})"),
            (f"min({field}) as f{number}", f"min({value})"),
            (f"max({field}) as f{number}", f"max({value})"),
            (f"count({any_field}) as f{number}", f"count(nullif(\"{any_field}\", ''))"),
            (f"distinct({any_field}) as f{number}", f"count(distinct nullif(\"{any_field}\", ''))")))

    def stats(self, where):
        fields = self.r.sample(self.groups, self.r.choice((0, 1, 1, 1, 2, 2)))
        functions = [("count() as f0", "count(*)")] + [self.function(i) for i in range(1, self.r.randint(1, 4))]
        pipe = "| stats " + ", ".join(f[0] for f in functions) + (" by " + ", ".join(fields) if fields else "")
        names = [f"g{i}" for i in range(len(fields))]
        wanted = ", ".join(names + [f[1] for f in functions])
        if not fields:
            return pipe, f"select {wanted} from events where {where}", True
        order = ", ".join(f"{n} nulls last" for n in names)
        return pipe, (f"select {wanted} from {self.grouped(fields, where)} group by {', '.join(names)} "
                      f"order by {order}"), True

    def top(self, where):
        fields = self.r.sample(self.groups, self.r.choice((1, 1, 2)))
        limit, how = self.r.choice((1, 5, 10, 50)), self.r.choice(("top", "top", "rare"))
        names = [f"g{i}" for i in range(len(fields))]
        order = ", ".join([f"n {'desc' if how == 'top' else 'asc'}"] + [f"{n} nulls last" for n in names])
        return f"| {how} {limit} {', '.join(fields)}", (
            f"select {', '.join(names)}, count(*) as n from {self.grouped(fields, where)} "
            f"group by {', '.join(names)} order by {order} limit {limit}"), True

    def first_rows(self, where):
        fields = self.r.sample(sorted({*self.groups, *self.numbers} - self.peer.several), 3)
        limit = self.r.randint(1, ROWS_MAX)
        columns = ", ".join(f"nullif(\"{f}\", '')" for f in ["kafka.offset", *fields])
        return f"| head {limit} | fields kafka.offset, {', '.join(fields)}", (
            f"select {columns} from events where {where} order by \"kafka.topic\", cast(\"kafka.partition\" as bigint), "
            f"cast(\"kafka.offset\" as bigint), cast(\"sekisho.sub\" as bigint) limit {limit}"), True

    def question(self):
        empty = self.r.random() < 0.1
        condition, sql = ("", "true") if empty else self.condition(self.r.randint(0, 2))
        options, scope = self.scope()
        where = " and ".join([sql, *scope])
        ask = self.r.choice((self.stats, self.stats, self.stats, self.top, self.top, self.first_rows))
        pipes, select, _ = ask(where)
        return f"{condition} {pipes}".strip(), options, select


# Answers, both as rows of texts; None is no value

def cell(value):
    return None if value is None else str(value)


def from_sekisho(o, store, query, options, as_csv):
    out = run(o.sekisho, "search", query, "--data", store, *options, "--csv" if as_csv else "--json", codes=(0, 1))
    if not as_csv:
        return [tuple(cell(v) for v in json.loads(line).values()) for line in out.splitlines()]
    table = list(csv.reader(io.StringIO(out.decode("utf-8-sig"))))[1:]
    return [tuple(None if v == "" else v[1:] if re.match(r"'[=+\-@\t\r]", v) else v for v in row) for row in table]


def show(rows):
    return f"{len(rows)} rows: " + "; ".join(str(row) for row in rows[:6])


def compare(query, options, mine, theirs):
    if mine == theirs:
        return True
    at = next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))
    print(f"DIFFERENT: sekisho search {query!r} {' '.join(options)}\n    first at row {at}\n"
          f"    sekisho {show(mine[at:])}\n    duckdb  {show(theirs[at:])}")
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sekisho", default=str(ROOT / "build" / "sekisho"))
    parser.add_argument("--events", type=int, default=2200000, help="asked of the generator, which makes some fewer")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", default=None, help="keep and use this folder")
    parser.add_argument("--verbose", action="store_true")
    o = parser.parse_args()
    work = pathlib.Path(o.work or tempfile.mkdtemp(prefix="sekisho-questions-"))
    work.mkdir(exist_ok=True)
    store = prepare(o, work)
    peer, r = Peer(work), random.Random(o.seed)
    asker = Asker(peer, r, lambda f: int(run(o.sekisho, "search", f'{f}:""', "--data", store, "--count", codes=(0, 1))) != 0)
    print(f"seed {o.seed}; {peer.count} events; {o.questions} questions")
    wrong, empty, rows = 0, 0, 0
    for number in range(o.questions):
        query, options, select = asker.question()
        if o.verbose:
            print(number, query, " ".join(options), "\n   ", select, flush=True)
        mine = from_sekisho(o, store, query, options, number % 3 == 0)
        theirs = [tuple(cell(v) for v in row) for row in peer.rows(select)]
        same = compare(query, options, mine, theirs)
        wrong += not same
        if not same:
            print(f"    {select}", flush=True)
        empty += not mine
        rows += len(mine)
    print(f"{o.questions - wrong} of {o.questions} answers equal; {rows} rows, {empty} empty answers")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
