#!/usr/bin/env python3
"""Check a store against docs/format.md, sharing no code with the program that wrote it.

    sekisho_check.py DIR [--journal FILE ...] [--expect-end TOPIC/PARTITION=OFFSET ...] [--keyring FILE]

What is checked:
  chain  file headers, checksums, the chain of hashes, numbers, ticks, checkpoints, blobs; the remains of
         retired files, and that the file behind them follows what they add up to
  I1     per partition the ranges are contiguous from its start offset; ends as expected
  I2     no offset is consumed twice; a record's rows are in one frame, each once
  I3     every record's bytes have the length and SHA-256 that its sender wrote in the journal
  segments  catalogs and their chain, every checksum and hash; segments and log together hold each row once,
         with the same bytes where both have it; rows are numbered 0, 1, 2, ... in the order of the history
  totals the completeness ledger of each municipality is what its segments and the frames hold

A journal has one JSON object a line: {"topic","partition","offset","bytes","sha256"}.
Exit code 0: nothing found; 1: the first 20 findings are on standard output; 2: usage.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import struct
import sys

import sekisho_batch
import sekisho_long_term
import sekisho_seal
import sekisho_signed

FINDINGS_SHOWN = 20
FILE_FIXED = struct.Struct("<8sII16sQQq32s")
FRAME_FIXED = struct.Struct("<8sIIQQqQ32s")
REMAINS_FIXED = struct.Struct("<8sII16sQQQqQqQ32s32s")
FRAME_MAX = 256 << 20
REQUIRED = 0x80000000
KINDS = ("DATA", "GAP", "QUARANTINE", "LOST")


class Damage(Exception):
    """The bytes are not what docs/format.md says; reading cannot go on here."""


class Findings:
    def __init__(self):
        self.texts, self.count = [], 0

    def add(self, text):
        self.count += 1
        if len(self.texts) < FINDINGS_SHOWN:
            self.texts.append(text)


class Bytes:
    """Takes values off a run of bytes; running past the end is Damage."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Damage(f"{self.what}: ends early")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def number(self, form):
        size = struct.calcsize("<" + form)
        return struct.unpack("<" + form, self.take(size))[0]

    def counted(self, form):
        return bytes(self.take(self.number(form)))

    def done(self):
        if self.at != len(self.data):
            raise Damage(f"{self.what}: {len(self.data) - self.at} bytes too many")


def need(condition, text):
    if not condition:
        raise Damage(text)


def read_sections(data, what):
    """(type, content) of each; order and lengths checked."""
    source, last, sections = Bytes(data, what), 0, []
    while source.at != len(data):
        kind = source.number("I")
        content = source.take(source.number("Q"))
        need(kind & ~REQUIRED > last, f"{what}: sections out of order")
        last = kind & ~REQUIRED
        sections.append((kind, content))
    need(len(sections) <= 64, f"{what}: more than 64 sections")
    return sections


def read_ends(data):
    source, ends = Bytes(data, "ENDS"), {}
    last = None
    for _ in range(source.number("I")):
        topic, partition = source.counted("H"), source.number("i")
        start, end = source.number("q"), source.number("q")
        need(1 <= len(topic) <= 249 and partition >= 0 and 0 <= start < end, "ENDS: bad entry")
        need(last is None or last < (topic, partition), "ENDS: not in order")
        last = (topic, partition)
        ends[last] = (start, end)
    source.done()
    return ends


def read_environment(data):
    source, entries = Bytes(data, "ENVIRONMENT"), []
    for _ in range(source.number("I")):
        name, digest, size = source.counted("H"), bytes(source.take(32)), source.number("Q")
        need(1 <= len(name) <= 255, "ENVIRONMENT: bad name")
        entries.append((name, digest, size))
    source.done()
    return entries


def read_partitions(data):
    """[(topic, partition, off_start, off_end, [(kind, start, end, reason)])]"""
    source, entries = Bytes(data, "PARTITIONS"), []
    for _ in range(source.number("I")):
        topic, partition = source.counted("H"), source.number("i")
        off_start, off_end = source.number("q"), source.number("q")
        ranges = []
        for _ in range(source.number("I")):
            kind, start, end = source.number("B"), source.number("q"), source.number("q")
            ranges.append((kind, start, end, source.counted("H")))
        need(1 <= len(topic) <= 249 and partition >= 0, "PARTITIONS: bad entry")
        entries.append((topic, partition, off_start, off_end, ranges))
    source.done()
    return entries


def read_batches(data):
    source, batches = Bytes(data, "BATCHES"), []
    for _ in range(source.number("I")):
        batches.append(source.take(source.number("Q")))
    source.done()
    return batches


def read_watermarks(data):
    source = Bytes(data, "WATERMARKS")
    marks = [(source.number("I"), source.number("q")) for _ in range(source.number("I"))]
    source.done()
    return marks


SECTIONS = {
    REQUIRED | 1: ("partitions", read_partitions),
    REQUIRED | 2: ("environment", read_environment),
    3: ("watermarks", read_watermarks),
    REQUIRED | 4: ("batches", read_batches),
    REQUIRED | 5: ("alerts", read_batches),
    6: ("order", read_batches),
    REQUIRED | 7: ("controls", read_batches),
    8: ("snapshots", read_batches),
    9: ("signals", read_batches),
}


class Frame:
    """One frame at the beginning of `data`, checked by itself."""

    def __init__(self, data):
        need(len(data) >= 112, "the frame ends early")
        (magic, header_len, flags, self.epoch, self.seq, self.tick, body_len,
         self.prev_hash) = FRAME_FIXED.unpack(data[:80])
        need(magic == b"SEKIFRM1" and header_len == 80, "no frame begins here")
        need(body_len <= FRAME_MAX - 112, "wrong length of the frame's body")
        self.len = 112 + body_len
        need(len(data) >= self.len, "the frame ends early")
        self.hash = bytes(data[self.len - 32:self.len])
        need(hashlib.sha256(data[:self.len - 32]).digest() == self.hash,
             "the frame's checksum differs")
        need(flags >> 16 == 0, "a required flag that is not in the format")
        for name, _ in SECTIONS.values():
            setattr(self, name, [])
        for kind, content in read_sections(data[80:self.len - 32], "frame"):
            if kind in SECTIONS:
                name, read = SECTIONS[kind]
                setattr(self, name, read(content))
            else:
                need(not kind & REQUIRED, f"required section {kind & ~REQUIRED} is not in the format")


class KeptFrame:
    """What remains hold of one frame."""

    def __init__(self, source):
        self.seq, self.epoch = source.number("Q"), source.number("Q")
        self.tick, flags = source.number("q"), source.number("I")
        need(flags >> 16 == 0, "a required flag that is not in the format")
        for name, _ in SECTIONS.values():
            setattr(self, name, [])
        body = source.take(source.number("Q"))
        for kind, content in read_sections(body, "kept frame"):
            if kind in SECTIONS:
                name, read = SECTIONS[kind]
                setattr(self, name, read(content))
            else:
                need(not kind & REQUIRED, f"required section {kind & ~REQUIRED} is not in the format")
        need(len(body) > 0, f"kept frame {self.seq} has nothing to be kept")
        need(not self.batches and not self.partitions, f"kept frame {self.seq} has rows")


class Remains:
    """What is left of a log file, checked by itself."""

    def __init__(self, data):
        need(len(data) >= 216, "the remains end within their header")
        (magic, header_len, version, self.store_id, self.first_seq, self.last_seq, self.prev_epoch,
         self.prev_tick, self.epoch, self.tick, body_len, self.prev_hash,
         self.last_hash) = REMAINS_FIXED.unpack(data[:152])
        need(magic == b"SEKIREM1" and header_len == 184, "no remains of a log file")
        need(hashlib.sha256(data[:152]).digest() == bytes(data[152:184]),
             "the checksum of the remains' header differs")
        need(version == 1, f"version {version} is not that of this checker")
        need(len(data) == 216 + body_len, "the remains have another length than they say")
        need(hashlib.sha256(data[:-32]).digest() == bytes(data[-32:]),
             "the checksum of the remains differs")
        need(1 <= self.first_seq <= self.last_seq, "the remains have no frame")
        found = {}
        for kind, content in read_sections(data[184:-32], "remains"):
            if kind not in (REQUIRED | 1, REQUIRED | 2, REQUIRED | 3):
                need(not kind & REQUIRED, f"required section {kind & ~REQUIRED} is not in the format")
            found[kind & ~REQUIRED] = content
        need({1, 2, 3} <= set(found), "a section of the remains is missing")
        self.check_hashes(found[1])
        self.partitions = self.read_ranges(found[2])
        self.frames = self.read_frames(found[3])

    def check_hashes(self, data):
        count = self.last_seq - self.first_seq + 1
        need(len(data) == 32 * count, "the remains have not the hash of every frame")
        self.hashes = bytes(data)
        need(bytes(data[-32:]) == self.last_hash, "the last hash is not that of the last frame")

    @staticmethod
    def unpack(packed, size):
        try:
            return sekisho_batch.unpack_zstd(packed, size)
        except sekisho_batch.BadBatch as bad:
            raise Damage(str(bad)) from bad

    def read_ranges(self, data):
        """[(topic, partition, start, end, [(kind, start, end, reason)])]"""
        source = Bytes(data, "RANGES")
        size = source.number("Q")
        need(size <= 256 << 20, "RANGES: too long")
        source = Bytes(self.unpack(data[8:], size), "RANGES")
        entries, last = [], None
        for _ in range(source.number("I")):
            topic, partition = source.counted("H"), source.number("i")
            start, ranges = source.number("q"), []
            at = start
            for _ in range(source.number("I")):
                length, kind = varint(source), source.number("B")
                reason = source.counted("H") if kind != 0 else b""
                need(not ranges or kind != 0 or ranges[-1][0] != 0, "RANGES: DATA is not joined")
                ranges.append((kind, at, at + length, reason))
                at += length
            need(1 <= len(topic) <= 249 and partition >= 0 and start >= 0, "RANGES: bad partition")
            need(last is None or last < (topic, partition), "RANGES: not in order")
            last = (topic, partition)
            entries.append((topic, partition, start, at, ranges))
        source.done()
        return entries

    def read_frames(self, data):
        source, frames = Bytes(data, "FRAMES"), []
        last = (self.first_seq - 1, self.prev_epoch, self.prev_tick)
        for _ in range(source.number("I")):
            first, count = source.number("Q"), source.number("I")
            size, packed, checksum = source.number("I"), source.number("I"), source.number("Q")
            packed = bytes(source.take(packed))
            need(sekisho_batch.xxhash is None or
                 sekisho_batch.xxhash.xxh3_64_intdigest(packed, first) == checksum,
                 "FRAMES: the checksum of a block differs")
            block = Bytes(self.unpack(packed, size), "FRAMES")
            for number in range(count):
                frame = KeptFrame(block)
                need(number != 0 or frame.seq == first, "FRAMES: a block begins with another frame")
                need(frame.seq > last[0] and frame.epoch >= last[1] and frame.tick >= last[2],
                     "FRAMES: a kept frame does not follow")
                last = (frame.seq, frame.epoch, frame.tick)
                frames.append(frame)
            need(count > 0, "FRAMES: an empty block")
            block.done()
        source.done()
        need(last[0] <= self.last_seq and last[1] <= self.epoch and last[2] <= self.tick,
             "FRAMES: a kept frame is behind the last")
        return frames


def varint(source):
    value = 0
    for shift in range(0, 64, 7):
        byte = source.number("B")
        value |= (byte & 0x7f) << shift
        if not byte & 0x80:
            return value
    raise Damage(f"{source.what}: a number is too long")


class FileHeader:
    def __init__(self, data):
        need(len(data) >= 120, "the file ends within its header")
        (magic, self.len, version, self.store_id, self.first_seq, self.epoch, self.tick,
         self.last_hash) = FILE_FIXED.unpack(data[:88])
        need(magic == b"SEKILOG1", "not a log file")
        need(120 <= self.len <= len(data), "wrong length of the file's header")
        digest = hashlib.sha256(data[:self.len - 32]).digest()
        need(digest == bytes(data[self.len - 32:self.len]), "the header's checksum differs")
        need(version == 1, f"version {version} is not that of this checker")
        self.ends, self.environment = {}, {}
        for kind, content in read_sections(data[88:self.len - 32], "checkpoint"):
            if kind == REQUIRED | 1:
                self.ends = read_ends(content)
            elif kind == REQUIRED | 2:
                self.environment = {name: rest for name, *rest in read_environment(content)}
            else:
                need(not kind & REQUIRED, "required section of the checkpoint is not in the format")


class Log:
    """Walks DIR/log in order and keeps what the frames add up to."""

    def __init__(self, folder, findings, on_frame, on_retired=None, signed=None):
        self.folder, self.findings, self.on_frame = folder, findings, on_frame
        self.on_retired, self.signed = on_retired, signed
        self.seq, self.epoch, self.tick, self.hash = 0, 1, -2**63, None
        self.store_id = None
        self.ends, self.environment = {}, {}      # (topic, partition) -> (start, end)
        self.blobs = set()
        self.frames = self.files = self.batches = self.retired = 0

    def walk(self):
        names = sorted(p.name for p in (self.folder / "log").iterdir()
                       if re.fullmatch(r"[0-9a-f]{16}\.log", p.name))
        if not names:
            self.findings.add(f"{self.folder}/log: there is no log")
        if not self.walk_remains(names):
            return
        for name in names:
            data = memoryview((self.folder / "log" / name).read_bytes())
            at = 0
            try:
                at = self.header(name, data)
                while at < len(data):
                    at += self.frame(data[at:])
            except Damage as damage:
                self.findings.add(f"log/{name}: offset {at}, frame {self.seq + 1}: {damage}")
                return
            self.files += 1

    def walk_remains(self, logs):
        """What stands before the first log file; remains beside their file mean nothing."""
        names = sorted(p.name for p in (self.folder / "log").iterdir()
                       if re.fullmatch(r"[0-9a-f]{16}\.rem", p.name))
        for name in names:
            if logs and name[:16] >= logs[0][:16]:
                break
            try:
                self.remains(name, Remains(memoryview((self.folder / "log" / name).read_bytes())))
            except Damage as damage:
                self.findings.add(f"log/{name}: {damage}")
                return False
        return True

    def begin(self, store_id):
        if self.store_id is None:
            self.store_id = store_id
            self.hash = hashlib.sha256(store_id).digest()

    def remains(self, name, remains):
        self.begin(remains.store_id)
        need(remains.store_id == self.store_id, "the file belongs to another store")
        need(remains.first_seq == int(name[:16], 16), "the file has the name of another")
        need(remains.first_seq == self.seq + 1, f"frame {self.seq + 1} should be the first here")
        need(remains.prev_hash == self.hash, "the chain is broken between two files")
        need((remains.prev_epoch, remains.prev_tick) == (self.epoch, self.tick),
             "epoch or tick differ from the frame before")
        for entry in remains.partitions:
            self.entry(remains.last_seq, *entry)
            if self.on_retired:
                self.on_retired(*entry)
        for frame in remains.frames:
            for env, digest, size in frame.environment:
                self.environment[env] = [digest, size]
                self.blob(frame.seq, env, digest, size)
        self.seq, self.epoch, self.tick = remains.last_seq, remains.epoch, remains.tick
        self.hash = remains.last_hash
        for at in range(remains.last_seq - remains.first_seq + 1 if self.signed else 0):
            self.signed.frame(remains.first_seq + at, remains.hashes[32 * at:32 * at + 32])
        self.retired += 1

    def header(self, name, data):
        header = FileHeader(data)
        self.begin(header.store_id)
        need(header.store_id == self.store_id, "the file belongs to another store")
        need(header.first_seq == int(name[:16], 16), "the file has the name of another")
        need(header.first_seq == self.seq + 1, f"frame {self.seq + 1} should be the first here")
        need(header.last_hash == self.hash, "the chain is broken between two files")
        need((header.epoch, header.tick) == (self.epoch, self.tick),
             "epoch or tick differ from the frame before")
        need(header.ends == self.ends, "the checkpoint's ends differ from the frames before it")
        need(header.environment == self.environment,
             "the checkpoint's environment differs from the frames before it")
        return header.len

    def frame(self, data):
        frame = Frame(data)
        need(frame.seq == self.seq + 1, f"the frame has the number {frame.seq}")
        need(frame.prev_hash == self.hash, "the chain is broken")
        need(frame.epoch >= self.epoch, "the epoch goes back")
        need(frame.tick >= self.tick, "the tick goes back")
        for entry in frame.partitions:
            self.entry(frame.seq, *entry)
        for name, digest, size in frame.environment:
            self.environment[name] = [digest, size]
            self.blob(frame.seq, name, digest, size)
        if self.on_frame:
            self.on_frame(frame)
        if self.signed:
            self.signed.frame(frame.seq, frame.hash)
        self.seq, self.epoch, self.tick, self.hash = frame.seq, frame.epoch, frame.tick, frame.hash
        self.frames += 1
        self.batches += len(frame.batches)
        return frame.len

    def entry(self, seq, topic, partition, off_start, off_end, ranges):
        key = (topic, partition)
        place = f"{topic.decode('utf-8', 'replace')}/{partition}, frame {seq}"
        start, end = self.ends.get(key, (off_start, off_start))
        if off_start > end:
            self.findings.add(f"I1 {place}: offsets {end}..{off_start - 1} are missing")
        elif off_start < end:
            self.findings.add(f"I2 {place}: offsets {off_start}..{end - 1} are consumed twice")
        at = off_start
        for kind, range_start, range_end, reason in ranges:
            if range_start != at or range_end <= range_start:
                self.findings.add(f"I1 {place}: range {range_start}..{range_end} does not join {at}")
            if kind >= len(KINDS):
                self.findings.add(f"I1 {place}: range of unknown kind {kind}")
            elif (kind == 0) == bool(reason):
                self.findings.add(f"I1 {place}: {KINDS[kind]} range {range_start}..{range_end}: "
                                  + ("a reason" if reason else "no reason"))
            at = range_end
        if at != off_end or not ranges:
            self.findings.add(f"I1 {place}: the ranges end at {at}, the entry at {off_end}")
        self.ends[key] = (start, off_end)

    def blob(self, seq, name, digest, size):
        if digest in self.blobs:
            return
        self.blobs.add(digest)
        path = self.folder / "env" / digest.hex()
        place = f"frame {seq}, environment {name.decode('utf-8', 'replace')}"
        if not path.is_file():
            self.findings.add(f"{place}: env/{digest.hex()} is missing")
            return
        content = path.read_bytes()
        if len(content) != size or hashlib.sha256(content).digest() != digest:
            self.findings.add(f"{place}: env/{digest.hex()} is damaged")


class Records:
    """The records that frames hold: rows put together again, each record in one frame."""

    def __init__(self, findings, keep, long_term=None):
        self.codec, self.findings, self.keep = sekisho_batch, findings, keep
        self.long_term = long_term
        self.count = 0
        self.seen = {}                            # (topic, partition) -> {offset: (bytes, sha256)}

    def frame(self, frame):
        """Every DATA offset of the frame has its rows in it, and no other offset has."""
        rows = {}                                 # (topic, partition) -> {offset: [(sub, bytes)]}
        if self.long_term:
            self.long_term.counts.frame(frame.seq, frame.tick, frame.partitions)
        for index, blob in enumerate(frame.batches):
            try:
                for tenant, row in self.codec.tenant_rows(blob):
                    topic, partition, offset, sub, data = row
                    held = rows.setdefault((topic, partition), {})
                    held.setdefault(offset, []).append((sub, data))
                    if self.long_term:
                        self.long_term.log_row(frame.seq, tenant, row)
            except self.codec.BadBatch as bad:
                self.findings.add(f"frame {frame.seq}, batch {index}: {bad}")
        for topic, partition, _, _, ranges in frame.partitions:
            place = f"{topic.decode('utf-8', 'replace')}/{partition}, frame {frame.seq}"
            held = rows.get((topic, partition), {})
            for kind, start, end, _ in ranges:
                for offset in range(start, end) if kind == 0 else ():
                    pieces = held.pop(offset, None)
                    if pieces is None:
                        self.findings.add(f"I1 {place}: offset {offset} is DATA and has no row")
                    else:
                        self.record(place, (topic, partition), offset, sorted(pieces))
        for (topic, partition), held in rows.items():
            place = f"{topic.decode('utf-8', 'replace')}/{partition}, frame {frame.seq}"
            for offset in sorted(held):
                self.findings.add(f"I2 {place}: offset {offset} has rows, but is not DATA here")

    def record(self, place, key, offset, pieces):
        if [sub for sub, _ in pieces] != list(range(len(pieces))):
            self.findings.add(f"I2 {place}: offset {offset} has the rows {[s for s, _ in pieces]}")
        self.count += 1
        if self.keep:
            data = b"".join(piece for _, piece in pieces)
            self.seen.setdefault(key, {})[offset] = (len(data), hashlib.sha256(data).digest())

    def retired(self, topic, partition, _, __, ranges):
        """What remains say was consumed: of its rows there are only those in segments."""
        if self.long_term:
            self.long_term.counts.retired((topic, partition), ranges)
        for kind, start, end, _ in ranges:
            if kind == 0 and self.long_term:
                self.long_term.retired_range((topic, partition), start, end)

    def held(self, key, offset):
        """(bytes, SHA-256) of a record that only segments have."""
        found = self.long_term and self.long_term.records.get(key, {}).get(offset)
        return found and found.whole()

    def compare_journal(self, path):
        count = 0
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    self.compare_line(json.loads(line))
                    count += 1
        return count

    def compare_line(self, sent):
        key = (sent["topic"].encode(), sent["partition"])
        place = f"I3 {sent['topic']}/{sent['partition']} offset {sent['offset']}"
        held = self.seen.get(key, {}).get(sent["offset"]) or self.held(key, sent["offset"])
        if held is None:
            self.findings.add(f"{place}: sent, but not in the store")
        elif held[0] != sent["bytes"]:
            self.findings.add(f"{place}: {held[0]} bytes kept, {sent['bytes']} sent")
        elif held[1].hex() != sent["sha256"].lower():
            self.findings.add(f"{place}: the bytes kept differ from those sent")


def check_ends(log, expectations, findings):
    for text in expectations:
        place, _, offset = text.rpartition("=")
        topic, _, partition = place.rpartition("/")
        found = log.ends.get((topic.encode(), int(partition)), (None, None))[1]
        if found != int(offset):
            findings.add(f"I1 {place}: ends at {found}, expected {offset}")


def expectation(text):
    if not re.fullmatch(r".+/\d+=\d+", text):
        raise argparse.ArgumentTypeError("TOPIC/PARTITION=OFFSET is needed")
    return text


def main():
    parser = argparse.ArgumentParser(description="check a store against docs/format.md")
    parser.add_argument("dir", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--journal", nargs="+", action="extend", default=[], metavar="FILE")
    parser.add_argument("--expect-end", nargs="+", action="extend", default=[], type=expectation,
                        metavar="TOPIC/PARTITION=OFFSET")
    parser.add_argument("--opaque-batches", action="store_true",
                        help="do not look into batches and segments: no I3, and I1 and I2 by ranges only")
    parser.add_argument("--keyring", type=pathlib.Path, metavar="FILE", default=os.environ.get("SEKISHO_KEYRING"),
                        help="opens sealed segments; else SEKISHO_KEYRING names it")
    options = parser.parse_args()
    keys = sekisho_seal.Keyring(pathlib.Path(options.keyring).read_text()) if options.keyring else None
    if not (options.dir / "log").is_dir():
        parser.error(f"{options.dir} is no store: it has no log/")
    if options.journal and options.opaque_batches:
        parser.error("--journal needs the batches")
    findings = Findings()
    signed = None if options.opaque_batches else sekisho_signed.Signed(options.dir, findings)
    long_term = sekisho_long_term.LongTerm(options.dir, findings, keep=bool(options.journal), signed=signed, keys=keys)
    records = None
    if not options.opaque_batches:
        long_term.read()
        records = Records(findings, bool(options.journal), long_term)
    log = Log(options.dir, findings, records and records.frame, records and records.retired, signed)
    log.walk()
    if records:
        long_term.finish(log.store_id, whole_log=log.retired == 0)
        signed.finish()
    lines = sum(records.compare_journal(path) for path in options.journal)
    check_ends(log, options.expect_end, findings)
    for text in findings.texts:
        print(text)
    if findings.count > len(findings.texts):
        print(f"and {findings.count - len(findings.texts)} more")
    print(f"{log.retired} retired files, {log.files} files, {log.frames} frames, {log.batches} batches, "
          f"{records.count if records else 'unread'} records, "
          f"{long_term.rows} rows in {long_term.segments} segments, {long_term.replaced} written again, "
          f"{signed.count if signed else 'unread'} checkpoints, {lines} journal lines: {findings.count} findings", file=sys.stderr)
    return 1 if findings.count else 0


if __name__ == "__main__":
    sys.exit(main())
