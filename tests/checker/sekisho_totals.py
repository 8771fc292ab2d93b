#!/usr/bin/env python3
"""The completeness ledger of a store, after docs/format.md, sharing no code with the program: for sekisho_check.py.

    sekisho_totals.py DIR    counts every record of log and segments by hand: one JSON object for each municipality,
                             source and hour, as `sekisho ledger --json` has them (of a log without retired files)

Control totals are held against the rows of segments and the ranges of frames and remains.
"""
import collections
import hashlib
import json
import pathlib
import re
import struct
import sys

import sekisho_batch
from sekisho_batch import BadBatch, Reader, need, zigzag

HEADER = struct.Struct("<8sII16sI12s32s")
HOUR_NS = 3600 * 10**9
KINDS = {1: "gaps", 2: "quarantined", 3: "lost"}             # of ranges
FIELDS = ("records", "rows", "bytes", "quarantined", "lost", "gaps", "missing", "surplus")
TOPIC = re.compile(rb"seclog\.raw\.(\d{6})\.([a-z0-9-]{1,32})")


class Partition:
    def __init__(self, source):
        self.topic, self.source = (source.bytes(source.varint(most)) for most in (249, 255))
        self.partition = source.varint(2**31 - 1)
        self.start = source.varint(2**63 - 1)
        self.end = self.start + source.varint(2**63 - 1)
        self.hours, hour = {}, 0
        for number in range(source.varint(len(source.data))):
            step = zigzag(source.varint())
            need(number == 0 or step > 0, "hours that go back")
            hour += step
            self.hours[hour] = collections.Counter({name: source.varint(2**63 - 1) for name in FIELDS})
        self.events = []
        for _ in range(source.varint(len(source.data))):
            kind, start, size = source.number("B"), source.varint(2**63 - 1), source.varint(2**63 - 1)
            need(2 <= kind <= 5, "an event of unknown kind")
            self.events.append((kind, start, start + size, source.number("q"), source.bytes(source.varint(1024))))
        self.check()

    def check(self):
        """The hours are its offsets, and its events are its hours."""
        sums = sum(self.hours.values(), collections.Counter())
        need(sums["records"] + sums["quarantined"] + sums["lost"] + sums["gaps"] + sums["missing"] - sums["surplus"]
             == self.end - self.start, f"{self.place()}: the hours are not its offsets")
        for kind, name in ((2, "quarantined"), (3, "lost"), (4, "missing"), (5, "surplus")):
            by_hour = collections.Counter()
            for event, start, end, tick, _ in self.events:
                if event == kind:
                    by_hour[tick // HOUR_NS] += end - start
            need(all(by_hour[hour] == count[name] for hour, count in self.hours.items()) and
                 by_hour.total() == sums[name], f"{self.place()}: {name} are not its events")

    def place(self):
        return f"{self.topic.decode('utf-8', 'replace')}/{self.partition}"


class Record:
    def __init__(self, content):
        source = Reader(content)
        self.number, self.from_seq, self.through_seq = (source.number("Q") for _ in range(3))
        self.partitions = [Partition(source) for _ in range(source.varint(len(content)))]
        source.done()
        keys = [(p.topic, p.partition) for p in self.partitions]
        need(keys == sorted(set(keys)), "the partitions are not in order")


class Totals:
    """A municipality's file up to a frame, and what its records add up to."""

    def __init__(self, data, tenant, through_seq):
        need(len(data) >= HEADER.size, "the totals end within their header")
        magic, version, size, self.store_id, code, zero, digest = HEADER.unpack(data[:HEADER.size])
        need(magic == b"SEKITOT1" and size == HEADER.size and zero == bytes(12), "no control totals")
        need(version == 1, f"version {version} is not that of this checker")
        need(digest == hashlib.sha256(data[:HEADER.size - 32]).digest(), "the hash of the header differs")
        need(code == tenant, "the totals of another municipality")
        self.records, self.counts, self.ends = 0, {}, {}     # counts: (topic, partition) -> {hour: Counter}
        self.sources, self.through_seq, at = {}, 0, HEADER.size
        while at < len(data):
            need(len(data) - at >= 48, "the last record ends early")
            length = struct.unpack_from("<Q", data, at)[0]
            end = at + 48 + length
            need(end <= len(data), "the last record ends early")
            content = data[at + 8:end - 40]
            found = data[end - 40:end - 8]
            need(hashlib.sha256(digest + data[at:end - 40]).digest() == found, "the chain of hashes is broken")
            need(struct.unpack("<Q", data[end - 8:end])[0] == end - at, "a record has another length at its end")
            record = Record(content)
            if record.through_seq > through_seq:
                break
            self.take(record)
            digest, at = found, end
        need(self.through_seq == through_seq, f"the totals end with frame {self.through_seq}, "
                                              f"but the catalog with {through_seq}")

    def take(self, record):
        need(record.number == self.records + 1, f"record {record.number} stands where {self.records + 1} should")
        need(record.from_seq == self.through_seq and record.through_seq >= record.from_seq,
             f"record {record.number}: frames {self.through_seq} to {record.from_seq} are missing")
        for p in record.partitions:
            key, named = (p.topic, p.partition), TOPIC.fullmatch(p.topic)
            need(named is None or p.source == named[2], f"{p.place()}: the source is {p.source}")
            if p.start != p.end:
                before = self.ends.get(key, (p.start, p.start))
                need(before[1] == p.start, f"{p.place()}: offsets {before[1]} to {p.start} are missing")
                self.ends[key] = (before[0], p.end)
            self.sources[key] = p.source
            hours = self.counts.setdefault(key, {})
            for hour, count in p.hours.items():
                hours.setdefault(hour, collections.Counter()).update(count)
        self.records, self.through_seq = record.number, record.through_seq


class Counts:
    """What log and segments hold up to each municipality's last compaction, counted by hand."""

    def __init__(self, findings):
        self.findings, self.totals = findings, {}
        self.rows = {}              # code -> (topic, partition) -> {hour: Counter} of its segments
        self.ranges = {}            # (topic, partition) -> {(hour or None, kind): offsets}
        self.pending = []           # (seq, hour, topic, partition, ranges), until whose they are is known
        self.owners, self.ends = {}, {}
        self.deleted = {}           # code -> hours of which rows were deleted

    def read(self, folder, code, through_seq):
        place = f"seg/{code:06d}/totals"
        path = folder / f"{code:06d}" / "totals"
        if not path.is_file():
            self.findings.add(f"{place} is missing")
            return
        try:
            self.totals[code] = Totals(path.read_bytes(), code, through_seq)
        except BadBatch as bad:
            self.findings.add(f"{place}: {bad}")

    def row(self, code, key, sub, size, arrival):
        hours = self.rows.setdefault(code, {}).setdefault(key, {})
        count = hours.setdefault(arrival // HOUR_NS, collections.Counter())
        count.update(records=sub == 0, rows=1, bytes=size)
        self.owners[key] = code

    def frame(self, seq, tick, entries):
        for topic, partition, _, _, ranges in entries:
            self.pending.append((seq, tick // HOUR_NS, (topic, partition), ranges))

    def retired(self, key, ranges):
        self.pending.append((0, None, key, ranges))

    def owner(self, key):
        named = TOPIC.fullmatch(key[0])
        return int(named[1]) if named else self.owners.get(key)

    def finish(self, whole_log):
        for seq, hour, key, ranges in self.pending:
            totals = self.totals.get(self.owner(key))
            if totals is None or seq > totals.through_seq:
                continue
            for kind, start, end, _ in ranges:
                counts = self.ranges.setdefault(key, collections.Counter())
                counts[hour if whole_log else None, kind] += end - start
                self.ends[key] = (self.ends.get(key, (start, end))[0], end)
        for code, totals in self.totals.items():
            self.compare(code, totals, whole_log)

    def compare(self, code, totals, whole_log):
        rows = self.rows.get(code, {})
        place = f"seg/{code:06d}/totals"
        for key in sorted(set(rows) | set(totals.counts)):
            said, ranges = totals.counts.get(key, {}), collections.Counter()
            name = f"{key[0].decode('utf-8', 'replace')}/{key[1]}"
            for hour in sorted(set(said) | set(rows.get(key, {}))):
                want = rows.get(key, {}).get(hour, collections.Counter())
                have = said.get(hour, collections.Counter())
                gone = hour in self.deleted.get(code, ())
                for field in ("records", "rows", "bytes"):
                    if want[field] > have[field] if gone else want[field] != have[field]:
                        self.findings.add(f"{place}: {name}, hour {hour}: {have[field]} {field}, "
                                          f"the segments have {want[field]}")
                if have["missing"] or have["surplus"]:
                    self.findings.add(f"{place}: {name}, hour {hour}: {have['missing']} records missing, "
                                      f"{have['surplus']} surplus")
                for kind, field in KINDS.items():
                    ranges[hour if whole_log else None, kind] += have[field]
            if totals.ends.get(key) != self.ends.get(key):
                self.findings.add(f"{place}: {name}: offsets {totals.ends.get(key)}, "
                                  f"the frames have {self.ends.get(key)}")
            want = +collections.Counter({k: n for k, n in self.ranges.get(key, {}).items() if k[1] != 0})
            if +ranges != want:
                self.findings.add(f"{place}: {name}: {dict(+ranges)}, the frames have {dict(want)}")


def by_hand(folder):
    """{(code, source, hour): Counter}"""
    import sekisho_check                                      # which uses this module
    import sekisho_long_term
    findings = sekisho_check.Findings()
    level = sekisho_long_term.LongTerm(folder, findings)
    level.read()
    sums, sources = {}, {}
    for code, partitions in level.counts.rows.items():
        for key, hours in partitions.items():
            sources[key] = (code, level.counts.totals[code].sources[key])
            for hour, count in hours.items():
                sums.setdefault((*sources[key], hour), collections.Counter()).update(count)

    def frame(frame):
        for blob in frame.batches:
            for head in sekisho_batch.heads(blob):
                known = level.tenants.get(head.tenant)
                if known and frame.seq <= known.through_seq:
                    continue
                for row, arrival in sekisho_batch.timed_rows(head):
                    topic, partition, _, sub, line = row
                    sources[topic, partition] = (head.tenant, head.source)
                    named = TOPIC.fullmatch(topic)
                    key = (head.tenant, named[2] if named else head.source, arrival // HOUR_NS)
                    sums.setdefault(key, collections.Counter()).update(records=sub == 0, rows=1, bytes=len(line))
        for topic, partition, _, _, ranges in frame.partitions:
            named = TOPIC.fullmatch(topic)
            owner = (int(named[1]), named[2]) if named else sources.get((topic, partition))
            for kind, start, end, _ in ranges:
                if kind != 0:
                    key = (*owner, frame.tick // HOUR_NS)
                    sums.setdefault(key, collections.Counter()).update({KINDS[kind]: end - start})

    sekisho_check.Log(folder, findings, frame).walk()
    return sums, findings


def main():
    sums, findings = by_hand(pathlib.Path(sys.argv[1]))
    for (code, source, hour), count in sorted(sums.items()):
        fields = {name: count[name] for name in FIELDS if name != "records"}
        print(json.dumps({"tenant": f"{code:06d}", "source": source.decode(), "hour": hour,
                          "stored": count["records"], **fields}))
    for text in findings.texts:
        print(text, file=sys.stderr)
    return 1 if findings.count else 0


if __name__ == "__main__":
    sys.exit(main())
