#!/usr/bin/env python3
"""`export --clickhouse` against the engine of ClickHouse (chdb from PyPI; without it the test is skipped): the table has each row
once, without FINAL, whatever happens on the way: a server that is away, refuses, loses an answer after it did what was
asked; a sender that is killed; rows that come late. Sums, counts and every raw line are those of the store."""
import collections
import hashlib
import json
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from clickhouse_http import Front  # noqa: E402
from sekisho import BIN, LONG, Steps, need_binary, ndjson, run, seeded_random, skip, temp_dir  # noqa: E402

try:
    from chdb import session as chdb_session
except ImportError:
    skip("no chdb (pip install chdb)")

MAKE = BIN.parent / "tests" / "make_history"
KILLS = 40 if LONG else 6


class Engine:
    """One engine, a database for each try."""

    def __init__(self, folder):
        self.session, self.count, self.table = chdb_session.Session(str(folder)), 0, None

    def fresh(self):
        self.count += 1
        name = f"d{self.count}"
        self.session.query(f"CREATE DATABASE {name}")
        self.table = f"{name}.events"
        for statement in run("export", "--clickhouse-ddl", "--table", self.table).stdout.decode().split(";\n"):
            if statement.strip():
                self.session.query(statement)
        return self.table

    def ask(self, text):
        return [json.loads(line) for line in self.session.query(text.format(t=self.table), "JSONCompactEachRow").bytes().splitlines()]

    def raw(self):
        """{(municipality, topic, partition, offset, line): hash of the bytes}, and that no row is there twice."""
        rows = self.ask("SELECT tenant, kafka_topic, kafka_partition, toString(kafka_offset), sub, lower(hex(SHA256(raw))) FROM {t}")
        found = {tuple(row[:5]): row[5] for row in rows}
        assert len(found) == len(rows), f"{len(rows) - len(found)} rows are there twice"
        return found


def send(data, front, engine, *more, check=0):
    return run("export", "--data", data, "--clickhouse", front.url, "--table", engine.table, *more, check=check)


def truth_of(data):
    """The same of the store, by its NDJSON and raw lines."""
    events = ndjson(run("export", "--data", data).stdout)
    lines = run("search", "| fields sekisho.tenant, kafka.topic, kafka.partition, kafka.offset, sekisho.sub", "--data", data, "--json").stdout
    raw = run("search", "", "--data", data, "--raw").stdout.splitlines(True)
    places = [tuple(o.values()) for o in ndjson(lines)]
    assert len(places) == len(raw) == len(events)
    return events, {(t, k, p, str(o), s): hashlib.sha256(line).hexdigest() for (t, k, p, o, s), line in zip(places, raw)}


def counted(events, name):
    found = collections.Counter()
    for event in events:
        value = event.get(name)
        found[value[0] if isinstance(value, list) else value] += 1
    return found


def check_values(step, engine, folder):
    gen, data = folder / "gen", folder / "data"
    run("gen", "--seed", "5", "--tenants", "3", "--events", "12000", "--format", "fortigate=40,squid=20,panos=20,cisco_asa=20", "--out", gen)
    run("replay", "--data", data, "--manifest", gen / "manifest.yaml")
    engine.fresh()
    with Front(engine.session) as front:
        assert b"sekisho compact" in send(data, front, engine, check=3).stderr
        run("compact", "--data", data)
        done = send(data, front, engine)
        events, raw = truth_of(data)
        assert b"%d rows of 3 segments" % len(events) in done.stderr, done.stderr
        asked = len(front.requests)
        assert b"0 rows of 0 segments" in send(data, front, engine).stderr
        assert len(front.requests) == asked + 3, "nothing but the question what is there"
    assert engine.raw() == raw
    for name in ("source.bytes", "destination.port", "http.response.status_code", "event.duration"):
        column = name.replace(".", "_")
        values = [v[0] if isinstance(v, list) else v for e in events if (v := e.get(name)) is not None]
        assert engine.ask(f"SELECT toString(sum({column})), toString(count({column})) FROM {{t}}") == [[str(sum(values)), str(len(values))]], name
    for name in ("sekisho.tenant", "sekisho.source", "sekisho.format", "sekisho.verdict", "event.action", "url.domain", "user.name",
                 "destination.geo.country_iso_code", "url.path", "message", "sekisho.zone.source"):
        column = name.removeprefix("sekisho.").replace(".", "_")
        there = {v: int(n) for v, n in engine.ask(f"SELECT {column}, toString(count()) FROM {{t}} GROUP BY 1")}
        assert there == {v or "": n for v, n in counted(events, name).items()}, (name, len(there))
    for name in ("source.ip", "destination.ip"):
        column = name.replace(".", "_")
        there = {v: int(n) for v, n in engine.ask(f"SELECT replaceOne(toString({column}), '::ffff:', ''), toString(count()) FROM {{t}} GROUP BY 1")}
        assert there == counted(events, name), name
    times = {v: int(n) for v, n in engine.ask("SELECT toString(toUnixTimestamp64Nano(timestamp)), toString(count()) FROM {t} GROUP BY 1")}
    assert len(times) == len(counted(events, "@timestamp")) and sum(times.values()) == len(events)
    extra = collections.Counter(k for e in events for k in e if k.startswith(("fortigate.", "panos.", "squid.", "cisco_asa.")) and k not in ("squid.result", "squid.hierarchy"))
    there = {k: int(n) for k, n in engine.ask("SELECT k, toString(count()) FROM {t} ARRAY JOIN mapKeys(extra) AS k GROUP BY k")}
    assert there == dict(extra), (there, extra)
    more = {k: int(n) for k, n in engine.ask("SELECT k, toString(count()) FROM {t} ARRAY JOIN mapKeys(more) AS k GROUP BY k")}
    several = collections.Counter(k for e in events for k, v in e.items() if isinstance(v, list) and len(set(v)) > 1 and k not in there and "." in k)
    assert more == dict(several), (more, several)
    step(f"{len(events)} rows: every raw line, {len(extra)} fields of formats, sums and counts are those of the store")
    return data, raw


def check_troubles(step, engine, data, raw, random):
    for name, plan in (("close", "close"), ("lost answers", "lose"), ("too many parts", (500, 252)), ("a proxy's 503", (503, None))):
        left = collections.Counter()

        def trouble(number, statement):
            left[statement] += 1
            return plan if left[statement] <= 2 and random.random() < 0.6 else None
        engine.fresh()
        with Front(engine.session, trouble) as front:
            done = send(data, front, engine)
            assert b" 0 requests again" not in done.stderr, done.stderr
        assert engine.raw() == raw, name
    step("a server that closes, loses answers, has too much to do: each row once")
    engine.fresh()
    with Front(engine.session, lambda n, s: (500, 252)) as front:
        started = time.monotonic()
        done = send(data, front, engine, "--wait", "1s", check=4)
        assert time.monotonic() - started < 20 and b"start it again" in done.stderr, done.stderr
    done = run("export", "--data", data, "--clickhouse", "http://127.0.0.1:1", "--wait", "0s", check=4)
    assert b"127.0.0.1" in done.stderr, done.stderr
    with Front(engine.session) as front:
        missing = run("export", "--data", data, "--clickhouse", front.url, "--table", "nowhere.t", check=2)
        assert b"--clickhouse-ddl" in missing.stderr or b"--table DATABASE.NAME" in missing.stderr, missing.stderr
        engine.session.query(f"ALTER TABLE {engine.table} DROP COLUMN url_path")
        assert b"compare it with" in send(data, front, engine, check=2).stderr
    for wrong in (["--table", "a;b"], ["--table", "a.b.c"], ["--clickhouse", "ftp://x"], ["--clickhouse", "http://u:p@x"], ["--csv"],
                  ["--since", "24h"], ["--topic", "t"]):
        arguments = ["--data", data, *([] if "--clickhouse" in wrong else ["--clickhouse", "http://127.0.0.1:1"]), *wrong]
        run("export", *arguments, check=2)
    step("a server that stays away ends with 4, refusals with 2 and what helps")


def check_kills(step, engine, data, raw, random):
    killed = 0
    for _ in range(KILLS):
        engine.fresh()
        stop = random.randrange(1, 9)
        holder = {}

        def trouble(number, statement):
            process = holder.get("process")
            if number == stop and process:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return random.choice(["close", "lose"])
            return None
        with Front(engine.session, trouble) as front:
            process = subprocess.Popen([str(BIN), "export", "--data", str(data), "--clickhouse", front.url, "--table", engine.table],
                                       stderr=subprocess.DEVNULL)
            holder["process"] = process
            process.wait(60)
            killed += process.returncode == -signal.SIGKILL
            del holder["process"]
            send(data, front, engine)
        assert engine.raw() == raw, stop
    assert killed == KILLS, killed
    step(f"killed {killed} times at some request, started again: each row once")


def check_late(step, engine, folder):
    """Rows that come late make segments anew; only they are sent."""
    base = folder / "history"
    rows = int(subprocess.run([str(MAKE), str(base), "5", "3"], stdout=subprocess.PIPE, check=True, timeout=120).stdout)
    engine.fresh()
    with Front(engine.session) as front:
        first = int(send(base, front, engine).stderr.split()[0])
        run("compact", "--data", base)
        second = int(send(base, front, engine).stderr.split()[0])
    _, raw = truth_of(base)
    assert 0 < first < rows and first + second == rows == len(raw), (first, second, rows, len(raw))
    assert engine.raw() == raw
    anew = engine.ask("SELECT count() FROM (SELECT hour FROM {t}_segments GROUP BY store, tenant, hour HAVING count() > 1)")
    assert int(anew[0][0]) > 0, "no segment was written anew"
    step(f"{first} rows, then {second} late ones into hours that were there: each once")


def check_damage(step, engine, data, raw):
    segment = next((data / "seg").glob("*/*.seg"))
    whole = segment.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 3] ^= 1
    segment.write_bytes(changed)
    engine.fresh()
    with Front(engine.session) as front:
        done = send(data, front, engine, check=5)
        assert segment.name.encode() in done.stderr and b"INCOMPLETE" in done.stderr, done.stderr
        tenants = {t for t, *_ in raw}
        finished = {t for (t,) in engine.ask("SELECT DISTINCT tenant FROM {t}_segments")}
        assert finished == tenants - {segment.parent.name}, finished
        segment.write_bytes(whole)
        send(data, front, engine)
    assert engine.raw() == raw
    step("a damaged segment does not count; mended, it is sent whole")


def check_doors(step, engine, data, raw, folder):
    secret = folder / "password"
    secret.write_text("s3cret\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    engine.fresh()
    with Front(engine.session, user="loader", password="s3cret", tls=(folder / "cert.pem", folder / "key.pem")) as front:
        login = ["--user", "loader", "--password-file", secret]
        assert b"ertificate" in send(data, front, engine, *login, "--wait", "0s", check=2).stderr
        wrong = send(data, front, engine, "--ca", folder / "cert.pem", check=2)
        assert b"--password-file" in wrong.stderr, wrong.stderr
        send(data, front, engine, *login, "--ca", folder / "cert.pem")
        secret.write_text("")
        assert b"has no password" in send(data, front, engine, *login, "--ca", folder / "cert.pem", check=2).stderr
    assert engine.raw() == raw
    one = sorted({t for t, *_ in raw})[0]
    engine.fresh()
    with Front(engine.session) as front:
        send(data, front, engine, "--tenant", one)
    assert engine.raw() == {k: v for k, v in raw.items() if k[0] == one}
    step("TLS with a known certificate only, user and password, one municipality")


def main():
    need_binary()
    step, random = Steps(), seeded_random()
    with temp_dir() as folder:
        engine = Engine(folder / "engine")
        data, raw = check_values(step, engine, folder)
        check_troubles(step, engine, data, raw, random)
        check_kills(step, engine, data, raw, random)
        check_late(step, engine, folder)
        check_damage(step, engine, data, raw)
        check_doors(step, engine, data, raw, folder)
    print("passed")


if __name__ == "__main__":
    main()
