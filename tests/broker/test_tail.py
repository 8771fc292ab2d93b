#!/usr/bin/env python3
"""`sekisho tail`: events of a running collector and of Kafka itself, as they come, in every form.

Both must show what `search` shows of the same records, `--brokers` without a store and without a trace in Kafka; a query,
a municipality and pipes choose; signals, `head` and a closed output end it with 0; what is wrong has its exit code.
"""
import csv
import io
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, Journal, checked_code  # noqa: E402
from sekisho import Steps, _die_with_parent, ndjson, need_binary, run, temp_dir, wait_until  # noqa: E402

FIRST, SECOND = checked_code(99001), checked_code(99002)
TOPICS = {FIRST: f"seclog.raw.{FIRST}.fw1", SECOND: f"seclog.raw.{SECOND}.proxy"}
KEYS = 'sources: {fw1: {format: fortigate}, proxy: {format: squid, zone: "+09:00"}}\n' \
       f'tenants: {{"{FIRST}": {{networks: [{{cidr: 10.1.0.0/16, zone: office}}]}}}}\n' \
       "limits: {batch_age: 100ms, frame_age: 20ms}\n"
LIVE_SECONDS = 5
LINES = 200


def lines(tenant, first, count=LINES):
    if tenant == FIRST:
        return "".join(f'date=2026-11-21 time=10:00:{n % 60:02d} tz="+0900" srcip=10.1.0.{n % 50} dstip=203.0.113.5 '
                       f'dstport={n} action={"deny" if n % 4 == 0 else "accept"}\n'
                       for n in range(first, first + count)).encode()
    return "".join(f"1763690{n % 1000:03d}.123    20 198.51.100.{n % 50} TCP_MISS/200 {1000 + n} GET "
                   f"http://www.example.jp/{n} - HIER_DIRECT/203.0.113.9 text/html\n"
                   for n in range(first, first + count)).encode()


class Tail:
    """A tail that runs; its output goes to a file."""

    def __init__(self, folder, name, *arguments):
        self.path, self.said = folder / f"{name}.out", folder / f"{name}.err"
        with open(self.path, "wb") as out, open(self.said, "wb") as err:
            self.process = subprocess.Popen([str(need_binary()), "tail", *map(str, arguments)],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            preexec_fn=_die_with_parent)

    def rows(self):
        return self.path.read_bytes().count(b"\n")

    def wait_rows(self, count, timeout=LIVE_SECONDS):
        try:
            wait_until(lambda: self.rows() >= count, timeout, f"{count} lines of {self.path.name}")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.rows()} are there; {self.said.read_text()}") from error

    def end(self, code=0, number=signal.SIGTERM):
        if number:
            self.process.send_signal(number)
        got = self.process.wait(10)
        assert got == code, f"{self.path.name}: exit {got}: {self.said.read_text()}"
        return self.path.read_bytes()


def plain(rows, kafka=False):
    """Sorted; the arrival at a tail of its own is another one where the broker does not stamp it."""
    found = [{k: v for k, v in row.items() if not (kafka and k == "event.ingested")} for row in rows]
    return sorted(found, key=lambda row: (row["kafka.topic"], row["kafka.partition"], row["kafka.offset"]))


def live(folder, kafka, journal, collector, step):
    brokers, data = ("--brokers", kafka.bootstrap, "--config", collector.conf), ("--data", collector.data)
    tails = {f"{name}-{form}": Tail(folder, f"{name}-{form}", *where, f"--{form}")
             for name, where in (("store", data), ("kafka", brokers)) for form in ("json", "csv", "raw", "table")}
    denied = [Tail(folder, f"denied-{name}", *where, "--tenant", FIRST, "event.action:deny | fields destination.port")
              for name, where in (("store", data), ("kafka", brokers))]
    head = [Tail(folder, f"head-{name}", *where, "| where destination.port>=300 | head 3")
            for name, where in (("store", data), ("kafka", brokers))]
    time.sleep(2.5)         # a tail of Kafka begins at the end of partitions, when it has found them
    for tenant, topic in TOPICS.items():
        journal.send(kafka, topic, lines(tenant, LINES))
    for name, tail in tails.items():
        tail.wait_rows(2 * LINES + (name.endswith(("csv", "table"))))
    for tail in denied:
        tail.wait_rows(LINES // 4)
    step(f"{len(tails) + 4} tails show what came within {LIVE_SECONDS} s")
    stored = plain(ndjson(run("search", "", "--data", collector.data, "--json").stdout))
    new = [row for row in stored if row["kafka.offset"] >= LINES]
    for name in ("store", "kafka"):
        rows = plain(ndjson(tails[f"{name}-json"].end()))
        assert rows == new if name == "store" else plain(rows, True) == plain(new, True), name
        assert any("sekisho.zone.source" in row for row in rows), "networks of the configuration"
        raw = tails[f"{name}-raw"].end().splitlines(keepends=True)
        assert sorted(raw) == sorted(b"".join(lines(t, LINES) for t in TOPICS).splitlines(keepends=True)), name
        cells = list(csv.DictReader(io.StringIO(tails[f"{name}-csv"].end().decode(), newline="")))
        assert len(cells) == 2 * LINES and {c["kafka.offset"] for c in cells} == {str(n) for n in range(LINES, 2 * LINES)}
        table = tails[f"{name}-table"].end(number=signal.SIGINT).decode().splitlines()
        assert table[0].startswith("TIME ") and sum("203.0.113.5" in line for line in table) == LINES, table[:3]
        assert sum("2026-11-21T10:00:" in line and "+09:00" in line for line in table) == LINES, table[:3]
    for tail in denied:
        assert ndjson(tail.end()) == [{"destination.port": n} for n in range(LINES, 2 * LINES) if n % 4 == 0]
    for tail in head:
        rows = ndjson(tail.end(number=None))
        assert [r["destination.port"] for r in rows] == [300, 301, 302], rows
    step("NDJSON, CSV, lines and tables are those of search; queries, pipes and municipalities choose")


def from_start(folder, kafka, collector, step):
    stored = plain(ndjson(run("search", "", "--data", collector.data, "--json").stdout))
    for name, where in (("data", ("--data", collector.data)), ("brokers", ("--brokers", kafka.bootstrap, "--config", collector.conf))):
        done = run("tail", *where, "--from-start", f"| head {len(stored)}", timeout=60)
        assert plain(ndjson(done.stdout), True) == plain(stored, True), name
    done = run("tail", "--brokers", kafka.bootstrap, "--from-start", "--tenant", SECOND, "--raw", f"| head {LINES}", timeout=60)
    assert done.stdout == lines(SECOND, 0)      # without a configuration, too
    for topic in TOPICS.values():
        assert kafka.committed("sekisho-tail", topic, 0) <= 0, "a tail leaves no offset behind"
    step("from the start: the same")


def ends(folder, kafka, collector, step):
    """A closed output; what is wrong."""
    with subprocess.Popen([str(need_binary()), "tail", "--brokers", kafka.bootstrap, "--from-start"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
        assert tail.stdout.readline()
        tail.stdout.close()
        assert tail.wait(20) == 0, tail.stderr.read()
    for arguments, code, said in ((("--brokers", "127.0.0.1:1"), 4, "no broker answers"),
                                  (("--brokers", kafka.bootstrap, "--config", folder / "none.yaml"), 3, "none.yaml"),
                                  (("--data", folder / "none"), 3, "none"),
                                  ((), 2, "--brokers"),
                                  (("--data", collector.data, "--brokers", kafka.bootstrap), 2, "or --brokers"),
                                  (("--data", collector.data, "--config", collector.conf), 2, "--config"),
                                  (("--data", collector.data, "--table", "| fields url.path"), 2, "--csv or --json"),
                                  (("--brokers", kafka.bootstrap, "| stats count()"), 2, "stats"),
                                  (("--brokers", kafka.bootstrap, "nofield:1"), 2, "nofield")):
        done = run("tail", *arguments, check=code, timeout=30)
        assert said in done.stderr.decode(), (arguments, done.stderr)
    step("each end has its exit code")


def damaged(folder, collector, step):
    """Of a log that nobody writes: what stands behind its last whole frame is named, not passed over."""
    copy = folder / "copy"
    shutil.copytree(collector.data, copy, ignore=shutil.ignore_patterns("*.sock"))
    path = max((copy / "log").glob("*.log"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    tail = Tail(folder, "damaged", "--data", copy, "--from-start", "--json")
    wait_until(lambda: b"frame" in tail.said.read_bytes(), 10, "the frame to be named")
    tail.end()
    said = tail.said.read_text()
    assert "checksum" in said and str(path) in said and said.count("\n") == 1, said
    done = run("search", "", "--data", copy, "--count", check=5)
    assert b"INCOMPLETE" in done.stderr and b"checksum" in done.stderr and b"restore it" in done.stderr, done.stderr
    step("a damaged end of the log is named by tail and search")


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        for topic in TOPICS.values():
            kafka.create_topic(topic)
        journal = Journal(folder / "journal")
        with Collector(folder / "c", kafka, KEYS) as collector:
            for tenant, topic in TOPICS.items():
                journal.send(kafka, topic, lines(tenant, 0))
            collector.wait_collected(journal.ends())
            live(folder, kafka, journal, collector, step)
            from_start(folder, kafka, collector, step)
            ends(folder, kafka, collector, step)
            collector.stop()
        damaged(folder, collector, step)


if __name__ == "__main__":
    main()
