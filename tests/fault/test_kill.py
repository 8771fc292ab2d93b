#!/usr/bin/env python3
"""SIGKILL at every failpoint and at random times while records flow in from a real Kafka, during recovery too, some
of them with the loss of all that was not synced, as in a power cut.

After each kill no offset that Kafka was told may lie behind what the log kept. In the end everything that was sent
must be in the store once and byte for byte: by the checker, by `verify` and by `export --raw`.
"""
import collections
import pathlib
import re
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, Flow, Journal, check_hint, check_store, compare_export, verify  # noqa: E402
from power import PowerCut  # noqa: E402
from sekisho import LONG, Steps, seeded_random, temp_dir, wait_until  # noqa: E402
from traffic import Traffic  # noqa: E402

RANDOM_KILLS = 200 if LONG else 20
ROUNDS = 5 if LONG else 1                     # of every failpoint
TORN = 30 if LONG else 4
FAILPOINT_SECONDS = 20
# Killed at by other tests: test_alert_kill.py, tests/store/test_retire.c, test_compact.py, test_retention.py.
ELSEWHERE = ("output.", "retire.", "compact.", "segment.", "catalog.", "totals.", "deletion.", "hold.", "retain.")
LIMITS = "limits: {batch_age: 100ms, frame_age: 10ms, log_file_bytes: 64KiB, workers: 2}"
AT_START = ("store.", "recover.", "env.")     # passed once, while the collector starts


def failpoints():
    """The names in the source, so that a new one is killed at, too."""
    names = set()
    for folder in ("app", "store", "ingest"):
        for path in (ROOT / folder).glob("*.c"):
            names.update(re.findall(r'failpoint\("([a-z_.]+)"\)', path.read_text()))
    names = {name for name in names if not name.startswith(ELSEWHERE)}
    assert len(names) >= 16, names
    return sorted(names)


def plan(r):
    """[(kind, faults)] in an order of chance."""
    kills = []
    for _ in range(ROUNDS):
        for name in failpoints() + ["ledger.after_write"]:
            nth = 1 if name.startswith(AT_START) else r.randint(1, 4)
            kills.append((name, f"crash@{name}:{nth}"))
    for _ in range(TORN):
        # A write that stops midway, then death: what a kill within write() or a power cut leaves.
        nth = r.randint(1, 6)
        kills.append(("torn write", f"short@write=log/:{nth}:{r.randint(1, 300)};crash@write=log/:{nth + 1}"))
    # Some with slow steps of the commit, so that death comes between two of them.
    slow = ["sleep@ledger.before_write:*:100ms", "sleep@ledger.after_write:*:150ms", "sleep@commit.durable:*:100ms"]
    kills += [("random", r.choice(slow) if n % 3 == 0 else None) for n in range(RANDOM_KILLS)]
    r.shuffle(kills)
    return kills


class Killer:
    def __init__(self, collector, traffic, r, power):
        self.collector, self.topics, self.r, self.power = collector, traffic.topics, r, power
        self.traffic_keys = traffic.keys
        self.keys = 0
        self.counts = collections.Counter()

    def prepare(self, kind):
        """What must be so that the failpoint is passed."""
        if kind.startswith("env."):
            self.keys += 1
            self.collector.configure(f"{LIMITS}\n{self.traffic_keys}\n# {self.keys}")
        elif kind.startswith("recover."):
            newest = max((self.collector.data / "log").glob("*.log"))
            with open(newest, "ab") as log:
                log.write(self.r.randbytes(self.r.randint(1, 500)))

    def kill(self, kind, faults):
        self.prepare(kind)
        self.collector.start(faults, wait=False)
        if kind == "random":
            time.sleep(self.r.choice((0.05, 0.2, 0.6, 1.2, 1.8)) * (0.5 + self.r.random()))
            code = self.collector.kill()
        else:
            try:
                wait_until(lambda: not self.collector.running(), FAILPOINT_SECONDS, kind)
            except TimeoutError:
                raise AssertionError(f"{faults} did not happen:\n{self.collector.text()[-2000:]}") from None
            code = self.collector.daemon.wait()
        assert code == -signal.SIGKILL, f"{kind}: ended with {code}:\n{self.collector.text()[-2000:]}"
        self.counts[kind] += 1
        # Where something is written and not synced, a power cut is the interesting end.
        if self.r.random() < (0.8 if "write" in kind or "sleep" in (faults or "") else 0.4):
            self.counts["power cuts"] += 1
            self.counts["bytes lost"] += self.power.cut(self.r.choice((None, self.r)))
        else:
            self.power.survive()
        check_hint(self.collector, self.topics)


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        traffic = Traffic(folder / "gen", r)
        kafka.create_topics(traffic.topics)
        journal = Journal(folder / "journal")
        power = PowerCut(folder, folder / "c" / "data")
        collector = Collector(folder / "c", kafka, f"{LIMITS}\n{traffic.keys}", env=power.env)
        killer = Killer(collector, traffic, r, power)
        kills = plan(r)
        step(f"Kafka started; {len(kills)} kills planned")
        with collector:
            with Flow(kafka, journal, traffic.chunks(r)) as flow:
                time.sleep(1)
                collector.kill()
                for number, (kind, faults) in enumerate(kills):
                    killer.kill(kind, faults)
                    if (number + 1) % 10 == 0:
                        step(f"{number + 1} kills, {flow.sent} records sent")
                flow.stop()
            collector.start()
            collector.wait_collected(journal.ends(), timeout=120)
            collector.stop()
        step(f"all collected: {flow.sent} records, " + ", ".join(f"{n} {k}" for k, n in sorted(killer.counts.items())))
        step(f"checker: {check_store(collector.data, journal)}")
        verify(collector.data)
        step(f"verify, export --raw: {compare_export(collector.data, journal)} records as sent")
        step("nothing lost, nothing twice, nothing changed")


if __name__ == "__main__":
    main()
