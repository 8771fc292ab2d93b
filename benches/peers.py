#!/usr/bin/env python3
"""The same questions to Sekisho's long-term store, ripgrep, DuckDB and ClickHouse's engine (chdb).

    benches/peers.py [--sekisho build/sekisho] [--events 2000000] [--work DIR]

Makes a day of 42 municipalities, replays and compacts it, exports every event, loads the export into the peers (DuckDB: a
table and Parquet; chdb: MergeTree, ZSTD(3)), asks all of them, and ends with exit code 1 where an answer differs. One
thread, warm, CPU milliseconds per million events, the median of several runs. Sekisho's figures are those of `sekisho bench
search` on the same traffic: in process, store open, as the peers' are; there the URL is url.original, here its path,
which the export has. Peers that are not installed are left out (pip install duckdb chdb).
"""
import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

FORMATS = "fortigate=70,squid=30"
COMMON = "/download/"
NOTHING = "qzxjvwkq"
NO_ADDRESS = "203.0.113.253"
RUNS = 7
SAMPLE_LINES = 400000


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: {done.returncode}: {done.stderr.decode()[-300:]}")
    return done.stdout


def folder_bytes(path):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)


class Sekisho:
    name = "sekisho"

    def __init__(self, binary, store):
        self.binary, self.store = binary, store

    def count(self, query):
        return int(run(self.binary, "search", query, "--data", self.store, "--count", "--threads", "1").split()[0])

    def table(self, query, extra=()):
        out = run(self.binary, "search", query, "--data", self.store, "--json", "--threads", "1", *extra)
        return [tuple(json.loads(line).values()) for line in out.splitlines()]

    def answer(self, ask):
        if ask.kind == "count":
            return self.count(ask.query)
        return ask.shape(self.table(ask.query, ask.options))


Ask = collections.namedtuple("Ask", "name row kind query options where group limit shape pattern")


def top_counts(rows):
    """The counts alone: which of equals comes last is each engine's own."""
    return sorted((int(r[-1]) for r in rows), reverse=True)


def groups(rows):
    return sorted((tuple("" if v is None else str(v) for v in r[:-1]), int(r[-1])) for r in rows)


def asks(address, item, tenant, hour):
    hour_end = hour.replace("T10:", "T11:")
    cut = ("--tenant", tenant, "--since", hour, "--until", hour_end)
    in_hour = f"\"sekisho.tenant\" = '{tenant}' and \"@timestamp\" >= '{utc(hour)}' and \"@timestamp\" < '{utc(hour_end)}'"
    like = "\"url.path\" like '%{}%'".format
    return [
        Ask("address lookup, all columns", "segment.address", "rows", f"source.ip:{address}", (),
            f"\"source.ip\" = '{address}'", None, 0, len, None),
        Ask("substring in URL, rare", "segment.url.rare", "count", f"url.path:*{item}*", (), like(item), None, 0,
            None, None),
        Ask("substring in URL, common", "segment.url.common", "count", f"url.path:*{COMMON}*", (), like(COMMON),
            None, 0, None, None),
        Ask("raw line, text without a hit", "segment.raw.none", "count", NOTHING, (), None, None, 0, None, NOTHING),
        Ask("raw line, address without a hit", "segment.raw.address.none", "count", f'"{NO_ADDRESS}"', (), None, None,
            0, None, NO_ADDRESS),
        Ask("top 10 destinations, tenant and hour", "segment.top.hour", "table", "| top 10 destination.ip", cut,
            in_hour, ["destination.ip"], 10, top_counts, None),
        Ask("top 10 destinations", "segment.top", "table", "| top 10 destination.ip", (), "1 = 1", ["destination.ip"],
            10, top_counts, None),
        Ask("count by action and protocol", "segment.count.action", "table",
            "| stats count() by event.action, network.protocol", (), "1 = 1", ["event.action", "network.protocol"], 0,
            groups, None),
        Ask("count by tenant", "segment.count.tenant", "table", "| stats count() by sekisho.tenant", (), "1 = 1",
            ["sekisho.tenant"], 0, groups, None),
    ]


def utc(jst):
    return jst[:11] + f"{int(jst[11:13]) - 9:02d}" + jst[13:19]


def sql(ask, table):
    if ask.where is None:
        return None
    if ask.kind == "rows":
        return f"select * from {table} where {ask.where}"
    if ask.group is None:
        return f"select count(*) from {table} where {ask.where}"
    keys = ", ".join(f'"{g}"' for g in ask.group)
    rest = f" order by n desc limit {ask.limit}" if ask.limit else ""
    return f"select {keys}, count(*) as n from {table} where {ask.where} group by {keys}{rest}"


class DuckDB:
    def __init__(self, work, export, keys, parquet):
        import duckdb

        self.name = "DuckDB, Parquet" if parquet else "DuckDB, table"
        path = os.path.join(work, "peer.duckdb")
        self.db = duckdb.connect(path)
        self.db.execute("set threads = 1")
        self.bytes = 0
        columns = "{" + ", ".join(f"'{k}': 'VARCHAR'" for k in keys) + "}"
        file = os.path.join(work, "peer.parquet")
        if not parquet:
            self.db.execute(f"create or replace table events as select * from read_json('{export}', format = "
                            f"'newline_delimited', columns = {columns}) order by \"sekisho.tenant\", \"@timestamp\"")
            self.db.execute("checkpoint")
            self.bytes = os.path.getsize(path)
            self.table = "events"
            self.db.execute(f"copy events to '{file}' (format parquet, compression zstd, compression_level 3)")
        else:
            self.bytes = os.path.getsize(file)
            self.table = f"'{file}'"

    def answer(self, ask):
        text = sql(ask, self.table)
        if text is None:
            return None
        rows = self.db.execute(text).fetchall()
        return rows[0][0] if ask.kind == "count" else ask.shape(rows)


class ClickHouse:
    name = "chdb, MergeTree"

    def __init__(self, work, keys):
        from chdb import session

        folder = os.path.join(work, "peer.chdb")
        self.session = session.Session(folder)
        self.session.query("set max_threads = 1")
        columns = ", ".join(f'"{k}" Nullable(String) codec(ZSTD(3))' for k in keys if k not in ("sekisho.tenant", "@timestamp"))
        self.session.query("create database if not exists peer")
        self.session.query(
            f'create table peer.events ("sekisho.tenant" String codec(ZSTD(3)), "@timestamp" String codec(ZSTD(3)), '
            f'{columns}, index a "source.ip" type bloom_filter granularity 1, '
            f'index u ifNull("url.path", \'\') type ngrambf_v1(4, 32768, 2, 0) granularity 1) '
            f'engine = MergeTree order by ("sekisho.tenant", "@timestamp")')
        names = ", ".join(f'"{k}"' for k in keys)
        file = os.path.join(work, "peer.parquet")
        self.session.query(f"insert into peer.events ({names}) select {names} from file('{file}', Parquet)")
        self.session.query("optimize table peer.events final")
        got = self.session.query("select sum(bytes_on_disk) from system.parts where active and database = 'peer'", "CSV")
        self.bytes = int(str(got).strip())

    def answer(self, ask):
        text = sql(ask, "peer.events")
        if text is None:
            return None
        got = str(self.session.query(text + " settings max_threads = 1", "JSONCompactEachRow"))
        rows = [tuple(json.loads(line)) for line in got.splitlines()]
        return int(rows[0][0]) if ask.kind == "count" else ask.shape(rows)


class Ripgrep:
    """On the raw lines, in memory as far as the page cache holds them."""

    name = "ripgrep, raw lines"

    def __init__(self, raw):
        self.raw = raw
        self.bytes = os.path.getsize(raw)

    def answer(self, ask):
        if ask.pattern is None:
            return None
        out = run("rg", "-j1", "--no-config", "-c", "-i", "-F", "-a", ask.pattern, self.raw)
        return int(out.split()[0]) if out else 0


def cpu_ms():
    t = os.times()
    return (t.user + t.system + t.children_user + t.children_system) * 1e3


def measure(peer, ask, clock):
    times, answer = [], None
    for _ in range(RUNS):
        before = clock()
        answer = peer.answer(ask)
        times.append(clock() - before)
        if answer is None:
            return None, None
    return answer, statistics.median(times[1:])


def prepare(o, work):
    lines, store = os.path.join(work, "lines"), os.path.join(work, "store")
    if not os.path.exists(store):
        run(o.sekisho, "gen", "--seed", "1", "--tenants", "42", "--days", "1", "--events", str(o.events), "--format",
            FORMATS, "--out", lines)
        run(o.sekisho, "replay", "--data", store, "--manifest", os.path.join(lines, "manifest.yaml"), "--batch-rows",
            "2048")
        run(o.sekisho, "compact", "--data", store)
    export, raw = os.path.join(work, "export.ndjson"), os.path.join(work, "raw.log")
    if not os.path.exists(raw):
        with open(export, "wb") as out:
            subprocess.run([o.sekisho, "search", "", "--data", store, "--json"], stdout=out,
                           stderr=subprocess.DEVNULL, check=True)
        with open(raw, "wb") as out:
            subprocess.run([o.sekisho, "export", "--raw", "--data", store], stdout=out, stderr=subprocess.DEVNULL,
                           check=True)
    return store, export, raw


def look(export):
    """Keys of the events, how many there are, and what to ask for: the rarest that is there more than once."""
    keys, sources, items, events = {}, collections.Counter(), collections.Counter(), 0
    with open(export, encoding="utf-8") as lines:
        for line in lines:
            events += 1
            if events > SAMPLE_LINES:
                continue
            event = json.loads(line)
            keys.update(dict.fromkeys(event))
            sources[event.get("source.ip", "")] += 1
            url = event.get("url.path", "")
            if isinstance(url, str) and "/item/" in url:
                items[url.split("/item/")[1].split("?")[0]] += 1
    address = min((a for a in sources if a.startswith("198.") and sources[a] > 1), key=lambda a: (sources[a], a))
    item = min(i for i in items if len(i) == 6)
    return list(keys), events, address, item


def sekisho_figures(o):
    out = run(o.sekisho, "bench", "search", "--events", str(o.events), "--json")
    return {row["name"]: row for row in json.loads(out)["rows"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sekisho", default="build/sekisho")
    parser.add_argument("--events", type=int, default=2000000)
    parser.add_argument("--work", default=None, help="keep and use this folder")
    parser.add_argument("--no-bench", action="store_true", help="without Sekisho's own figures")
    o = parser.parse_args()
    work = o.work or tempfile.mkdtemp(prefix="sekisho-peers-")
    os.makedirs(work, exist_ok=True)
    store, export, raw = prepare(o, work)
    keys, events, address, item = look(export)
    own = {} if o.no_bench else sekisho_figures(o)
    tenant = min(os.listdir(os.path.join(store, "seg")))
    questions = asks(address, item, tenant, "2026-10-05T10:00:00+09:00")
    peers = [Sekisho(o.sekisho, store)]
    for make in (lambda: DuckDB(work, export, keys, False), lambda: DuckDB(work, export, keys, True),
                 lambda: ClickHouse(work, keys), lambda: Ripgrep(raw)):
        try:
            peers.append(make())
        except ImportError as missing:
            print(f"left out: {missing}", file=sys.stderr)
    peers[0].bytes = folder_bytes(os.path.join(store, "seg"))
    print(f"{events} events, {len(questions)} questions; CPU ms per million events")
    for p in peers:
        print(f"{p.name:22} {p.bytes / events:8.1f} B/event")
    wrong = 0
    for ask in questions:
        want = peers[0].answer(ask)
        figure = own.get(ask.row)
        ms = "-" if figure is None else f"{figure['median']:.3f}"
        print(f"{ask.name:38} {'sekisho':18} {ms:>10}")
        for p in peers[1:]:
            clock = time.process_time_ns if not isinstance(p, Ripgrep) else None
            got, ms = measure(p, ask, (lambda: clock() / 1e6) if clock else cpu_ms)
            if got is None:
                continue
            same = got == want
            wrong += not same
            print(f"{'':38} {p.name:18} {ms * 1e6 / events:10.3f}{'' if same else '  DIFFERENT ANSWER'}")
            if not same:
                print(f"    sekisho {str(want)[:300]}\n    {p.name} {str(got)[:300]}")
    print("all answers equal" if wrong == 0 else f"{wrong} answers differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
