#!/usr/bin/env python3
"""The completeness ledger against the journal of what was sent: a collector that compacts and signs while it collects, dies, and
comes back to a broker that has deleted what was not read."""
import collections
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir, wait_until  # noqa: E402

RECORDS = 20_000 if LONG else 2_000      # of a sending
DELETED = 150
TOPICS = ("seclog.raw.052027.fw1", "seclog.raw.052027.proxy1", "seclog.raw.131016.fw1")
KEYS = """limits: {log_file_bytes: 64KiB, batch_age: 200ms}
long_term: {every: 2s, delay: 0s}
checkpoint: {every: 1s}
"""


class Sender:
    """Sends records of one to three lines; the journal says what the broker has taken."""

    def __init__(self, folder, kafka, r):
        self.folder, self.kafka, self.r = folder, kafka, r
        self.journal, self.number = [], 0

    def send(self, topic):
        records = []
        for _ in range(RECORDS):
            self.number += 1
            records.append(b"\n".join(b"line %d of record %d" % (i, self.number)
                                      for i in range(1 + self.r.randrange(3))))
        (self.folder / "records").write_bytes(b"".join(record + b"\0" for record in records))
        done = run("send", "--brokers", self.kafka.bootstrap, "--topic", topic, "-0", self.folder / "records", timeout=120)
        sent = ndjson(done.stdout)
        assert len(sent) == RECORDS, len(sent)
        self.journal += sent

    def sums(self, lost):
        """{topic: [records, bytes]} of what was sent and not deleted."""
        sums = collections.Counter()
        for entry in self.journal:
            if entry["offset"] >= lost.get((entry["topic"], entry["partition"]), 0):
                sums[entry["topic"], "stored"] += 1
                sums[entry["topic"], "bytes"] += entry["bytes"]
        return sums


def ledger(data, *more, check=0):
    return ndjson(run("ledger", "--data", data, "--json", *more, check=check, timeout=60).stdout)


def stored(data):
    objects = [json.loads(line) for line in run("ledger", "--data", data, "--json", check=None).stdout.splitlines()]
    return objects[-1]["stored"] + objects[-1]["lost"] if objects else 0


def compare(sender, data, lost):
    """By topic: what was sent is stored or lost; every sum balances."""
    objects = ledger(data)
    found = collections.Counter()
    for o in objects:
        if o["type"] != "sum":
            continue
        assert o["balanced"] and o["received"] == o["stored"] + o["quarantined"] + o["lost"], o
        topic = f"seclog.raw.{o['tenant']}.{o['source']}"
        for key in ("stored", "bytes", "lost", "quarantined"):
            found[topic, key] += o[key]
    for (topic, _), offset in lost.items():
        found[topic, "lost"] -= offset
    assert +found == +sender.sums(lost) and not -found, f"{found}, sent {sender.sums(lost)}"
    total = objects[-1]
    assert total["received"] == len(sender.journal) and total["findings"] == 0 and total["complete"], total
    return objects


def collects_and_signs(sender, collector, step):
    for topic in TOPICS:
        sender.send(topic)
    wait_until(lambda: stored(collector.data) == len(sender.journal), 60, "records stored")
    compare(sender, collector.data, {})
    wait_until(lambda: ledger(collector.data)[-1].get("frames_signed", 0) > 0, 30, "a checkpoint over the totals")
    objects = compare(sender, collector.data, {})
    assert objects[-1]["as_signed"] and objects[-1]["frames_on_record"] > 0, objects[-1]
    step(f"{len(sender.journal)} records sent are in the ledger while the collector compacts, and it is signed")


def broker_deletes(sender, collector, kafka, step):
    kept = run("checkpoint", "--data", collector.data).stdout
    collector.kill()
    topic = TOPICS[0]
    ends = collections.Counter()
    for entry in sender.journal:
        if entry["topic"] == topic:
            ends[entry["partition"]] = max(ends[entry["partition"]], entry["offset"] + 1)
    sender.send(topic)
    before = ends[0] + DELETED
    assert kafka.delete_records(topic, 0, before) == before
    gone = sum(1 for e in sender.journal if (e["topic"], e["partition"]) == (topic, 0) and ends[0] <= e["offset"] < before)
    assert gone == DELETED, gone
    collector.start()
    wait_until(lambda: stored(collector.data) == len(sender.journal), 60, "the rest")
    objects = ledger(collector.data)
    events = [o for o in objects if o["type"] == "event"]
    assert [(e["kind"], e["topic"], e["partition"], e["first"], e["count"]) for e in events] == \
        [("lost", topic, 0, ends[0], DELETED)] and events[0]["reason"], events
    assert objects[-1]["received"] == len(sender.journal) and objects[-1]["lost"] == DELETED, objects[-1]
    own = ledger(collector.data, "--tenant", "131016")
    assert own[-1]["lost"] == 0 and not [o for o in own if o["type"] == "event"], own
    text = run("ledger", "--data", collector.data, "--lang", "ja").stdout.decode()
    assert "消失 150" in text and "一致" in text and "不一致" not in text, text
    step(f"{DELETED} records that the broker deleted are named, and the sums balance")
    return kept


def is_verified(sender, collector, kept, step):
    wait_until(lambda: ledger(collector.data)[-1].get("frames_signed", 0) == ledger(collector.data)[-1]["frames_on_record"],
               30, "a checkpoint over the last totals")
    collector.stop()
    before = [o for o in ledger(collector.data) if o["type"] != "total"]
    run("compact", "--data", collector.data, timeout=120)
    assert [o for o in ledger(collector.data) if o["type"] != "total"] == before, "compaction changes the ledger"
    path = pathlib.Path(collector.folder) / "kept"
    path.write_bytes(kept)
    run("verify", "--data", collector.data, "--checkpoint", path, timeout=300)
    step("a checkpoint from before verifies; a compaction by hand changes nothing")


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        kafka.create_topics({topic: 2 for topic in TOPICS})
        sender = Sender(folder, kafka, r)
        with Collector(folder / "collector", kafka, KEYS) as collector:
            collects_and_signs(sender, collector, step)
            kept = broker_deletes(sender, collector, kafka, step)
            is_verified(sender, collector, kept, step)


if __name__ == "__main__":
    main()
