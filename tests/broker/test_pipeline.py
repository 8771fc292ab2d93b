#!/usr/bin/env python3
"""gen | send into a real Kafka | collect | export --raw: every record comes back byte for byte, and once.

Lines of five formats with CP932, NUL, cut and doubled ones among them, empty records, records of 10 MiB and more, many
lines in one record, records that hold newlines, null values, keys and headers, topics that come later. In the end the
journal of the sender, the checker, `verify`, `export --raw` and the hashes in NDJSON must agree.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import (Collector, Journal, check_store, checked_code, compare_export, compare_ndjson,  # noqa: E402
                      verify)
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir  # noqa: E402

EVENTS = 5_000_000 if LONG else 250_000
TENANTS = 40 if LONG else 8
PARTITIONS = 2
HUGE = 10 << 20
ODD_TOPIC = f"seclog.raw.{checked_code(99001)}.odd"


def generate(folder, r):
    """[(topic, path)] of the generated files."""
    run("gen", "--seed", r.randrange(1 << 32), "--tenants", TENANTS, "--events", EVENTS, "--mess", 30, "--out", folder,
        timeout=3600)
    entries = re.findall(r'tenant: "(\d+)", source: ([a-z0-9-]+), format: (\w+), file: "?([^",}]+)',
                         (folder / "manifest.yaml").read_text())
    keys = "tenants:\n" + "".join(
        f'  "{code}":\n    sources:\n' + "".join(f'      {s}: {{format: {f}, zone: "+09:00"}}\n'
                                                 for c, s, f, _ in entries if c == code)
        for code in sorted({e[0] for e in entries}))
    return [(f"seclog.raw.{code}.{source}", folder / path) for code, source, _, path in entries], keys


def kcat(kafka, topic, data, *options):
    subprocess.run(["kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-X", "acks=all", *options], input=data, check=True,
                   timeout=60, stderr=subprocess.PIPE)


def send_odd(kafka, journal, r):
    """Records of every odd kind into one topic of one partition. Returns {offset: (key, headers, is null)}."""
    send = lambda data, *options: journal.send(kafka, ODD_TOPIC, data, *options)
    huge = [bytes([r.randrange(1, 256)]) * (HUGE + d) for d in (-1, 0, 1)]
    send(b"\n\n")                                                  # empty ones
    send(b"with\0NUL\n\0\n\xff\xfe\xc0\xaf\n" + "霞野市".encode("cp932") + b"\n")
    send(b"".join(b"x" + h.replace(b"\n", b"?") + b"\n" for h in huge), )
    send(b"one\ntwo\r\nthree\n\0\n\n\0\0ends without\0" + b"line\n" * 5000 + b"\0", "-0")
    send(b"".join(b"line %d\n" % n for n in range(1003)), "--per-message", "50")
    send(b"a\n" + b"L" * (2 * HUGE + 77) + b"\nb\n\0", "-0")        # a line of three pieces within a record
    send(b"last without an end")
    known = {}
    at = kafka.offsets(ODD_TOPIC)[1]
    kcat(kafka, ODD_TOPIC, b"key1|value one\nkey2|value two\n", "-K", "|", "-H", "site=hq", "-H", "relay=r1",
         "-H", "relay=r2")
    for n, value in enumerate((b"value one", b"value two")):
        journal.add(ODD_TOPIC, 0, at + n, value)
        known[at + n] = (f"key{n + 1}", [("site", "hq"), ("relay", "r1"), ("relay", "r2")], False)
    at = kafka.offsets(ODD_TOPIC)[1]
    kcat(kafka, ODD_TOPIC, b"gone|\n", "-K", "|", "-Z")
    journal.add(ODD_TOPIC, 0, at, None)
    known[at] = ("gone", [], True)
    at = kafka.offsets(ODD_TOPIC)[1]
    kcat(kafka, ODD_TOPIC, b"after\n")
    journal.add(ODD_TOPIC, 0, at, b"after")
    known[at] = (None, [], False)
    return known


def check_evidence(data, known):
    """Keys, headers and null values are kept as evidence."""
    rows = [row for row in ndjson(run("export", "--data", data, "--topic", ODD_TOPIC).stdout)
            if row["kafka.offset"] in known]
    assert len(rows) == len(known), f"{len(rows)} rows of {len(known)}"
    for row in rows:
        key, headers, null = known[row["kafka.offset"]]
        assert row.get("kafka.key") == key, row
        assert [(h["name"], h["value"]) for h in row.get("kafka.headers", [])] == headers, row
        assert (row.get("sekisho.parse.error") == "null_value") == null, row


def check_status(collector):
    lines = ndjson(run("status", "--data", collector.data, "--json").stdout)
    assert len(lines) > TENANTS, lines


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        step("Kafka started")
        files, keys = generate(folder / "gen", r)
        step(f"{EVENTS} lines of {TENANTS} municipalities in {len(files)} files")
        late = files[-1][0]
        kafka.create_topics({topic: PARTITIONS for topic, _ in files if topic != late})
        kafka.create_topics({ODD_TOPIC: 1, "seclog.raw.123456.bad": 1, "other.topic": 1})
        journal = Journal(folder / "journal")
        with Collector(folder / "c", kafka, keys) as collector:
            sent = 0
            for number, (topic, path) in enumerate(files):
                if topic == late:
                    kafka.create_topic(late, PARTITIONS)
                sent += journal.send(kafka, topic, path, *(("--per-message", "20") if number % 9 == 1 else ()),
                                     timeout=3600)
            known = send_odd(kafka, journal, r)
            journal.send(kafka, "other.topic", b"not ours\n")
            step(f"{sent} records sent")
            ends = {k: v for k, v in journal.ends().items() if k[0] != "other.topic"}
            collector.wait_collected(ends, timeout=3600 if LONG else 120)
            step("collected")
            check_status(collector)
            check_evidence(collector.data, known)           # beside the running collector
            took = collector.stop()
            assert took < 5, f"SIGTERM took {took:.1f} s"
            step(f"keys, headers and null values kept; stopped in {took:.1f} s")
        kept = Journal(folder / "kept")
        kept.path.write_text("".join(line for line in journal.path.read_text().splitlines(True)
                                     if '"other.topic"' not in line))
        step(f"checker: {check_store(collector.data, kept)}")
        verify(collector.data)
        step("verify: nothing differs")
        step(f"export --raw: {compare_export(collector.data, kept)} records as sent")
        step(f"export: the hashes of all records, {compare_ndjson(collector.data, kept)} rows")
        assert "123456" in collector.text(), "the topic with a bad code is not named in the log"


if __name__ == "__main__":
    main()
