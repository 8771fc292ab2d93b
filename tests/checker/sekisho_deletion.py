#!/usr/bin/env python3
"""Certificates of deletion against docs/format.md, "Deletions", sharing no code with the program that wrote them.

    sekisho_deletion.py DIR        all certificates of a store: signatures, chains, forms; prints what went

Needs nothing but Python. Exit code 0: they hold; 1: one does not, and why is on standard output; 2: usage.
"""
import pathlib
import re
import sys

import sekisho_proof
from sekisho_proof import Refused, need, sha256

HASH = r"([0-9a-f]{64})"
NUMBER = r"(0|[1-9][0-9]{0,19})"
HOUR = r"(0|-?[1-9][0-9]{0,18})"
CLASS = r"([a-z]{1,32})"
TOPIC = r"((?:[A-Za-z0-9._-]|%[0-9A-F]{2})+)"
TIME = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{3}|\.[0-9]{6}|\.[0-9]{9})?Z)"
GROUP = 256


class Lines:
    def __init__(self, text):
        self.lines, self.at = text.decode().split("\n")[:-1], 0

    def take(self, *words):
        need(self.at < len(self.lines), f"the text ends where {words[0]} belongs")
        line = self.lines[self.at]
        match = re.fullmatch(" ".join(words), line)
        need(match, f"line {self.at + 1}: {line[:60]!r} stands where {words[0]} belongs")
        self.at += 1
        return match.groups()

    def number(self, key):
        return int(self.take(key, NUMBER)[0])


class Segment:
    def __init__(self, lines):
        hour, generation, size, digest, file_digest = lines.take("segment", HOUR, NUMBER, NUMBER, HASH, HASH)
        self.hour, self.generation, self.bytes = int(hour), int(generation), int(size)
        self.hash, self.file_hash = bytes.fromhex(digest), bytes.fromhex(file_digest)
        self.rest = lines.number("rest")
        self.classes = {}
        for _ in range(lines.number("classes")):
            name, keep, rows, raw = lines.take("class", CLASS, NUMBER, NUMBER, NUMBER)
            need(name not in self.classes, f"class {name} stands twice")
            self.classes[name] = (int(keep), int(rows), int(raw))
        self.ranges = []
        for _ in range(lines.number("ranges")):
            topic, partition, first, last, rows = lines.take("range", TOPIC, NUMBER, NUMBER, NUMBER, NUMBER)
            topic = re.sub(rb"%([0-9A-F]{2})", lambda m: bytes.fromhex(m[1].decode()), topic.encode())
            self.ranges.append((topic, int(partition), int(first), int(last), int(rows)))
        need(self.ranges == sorted(set(self.ranges)), "the ranges are not in order")
        self.rows = sum(rows for _, rows, _ in self.classes.values())
        need(self.rows == sum(r[4] for r in self.ranges), "classes and ranges have other numbers of rows")


class Certificate:
    def __init__(self, text, key):
        body = sekisho_proof.open_note(text, key)
        lines = Lines(body)
        lines.take("sekisho deletion v1")
        self.store_id = bytes.fromhex(lines.take("store", "([0-9a-f]{32})")[0])
        self.tenant = int(lines.take("tenant", "([0-9]{6})")[0])
        self.number = lines.number("number")
        self.time, self.clock = lines.take("time", TIME)[0], lines.take("clock", TIME)[0]
        self.previous = bytes.fromhex(lines.take("previous", HASH)[0])
        self.withdraws = lines.number("withdraws")
        self.segments = [Segment(lines) for _ in range(lines.number("segments"))]
        self.stretches = [tuple(map(int, lines.take("stretch", NUMBER, NUMBER)))
                          for _ in range(lines.number("stretches"))]
        self.nodes = {}
        for _ in range(lines.number("nodes")):
            level, index, digest = lines.take("node", "([0-7])", NUMBER, HASH)
            self.nodes[int(level), int(index)] = bytes.fromhex(digest)
        need(lines.at == len(lines.lines), "something stands behind the nodes")
        need((self.withdraws != 0) != bool(self.segments), "it withdraws, or says what went")
        last = -2
        for first, end in self.stretches:
            need(last + 1 < first <= end, "the stretches are not in order")
            last = end
        rows = sum(s.rows for s in self.segments)
        need(rows == sum(e - f + 1 for f, e in self.stretches), "stretches and classes have other numbers of rows")
        hours = [s.hour for s in self.segments]
        need(hours == sorted(set(hours)), "the segments are not in order")
        self.hash = sha256(text)
        self.rows = rows


def read_key(folder):
    return sekisho_proof.Key((pathlib.Path(folder) / "checkpoint.pub").read_bytes())


def read_tenant(folder, code, key):
    """All certificates of a municipality, their chain checked."""
    certificates, before = [], bytes(32)
    place = pathlib.Path(folder) / "deletions" / f"{code:06d}"
    names = sorted(p for p in place.glob("*.note")) if place.is_dir() else []
    for number, path in enumerate(names, 1):
        need(path.name == f"{number:08d}.note", f"deletions/{code:06d}: certificate {number} is missing")
        try:
            one = Certificate(path.read_bytes(), key)
        except Refused as bad:
            raise Refused(f"deletions/{code:06d}/{path.name}: {bad}") from bad
        need(one.tenant == code and one.number == number, f"{path}: another municipality's, or another number's")
        need(one.previous == before, f"{path}: it does not follow the one before it")
        need(one.withdraws in (0, number - 1), f"{path}: it withdraws another one")
        before = one.hash
        certificates.append(one)
    return certificates


class Deleted:
    """What the certificates that count say of a municipality: rows that are gone, and nodes over some of them."""

    def __init__(self, folder, code, removed):
        """removed: {number: [(hour, generation)]} of the catalog."""
        self.numbers, self.nodes, self.ranges, self.certificates = set(), {}, [], []
        if not (pathlib.Path(folder) / "deletions" / f"{code:06d}").is_dir():
            need(not removed, "segments were deleted, and there are no certificates")
            return
        self.certificates = read_tenant(folder, code, read_key(folder))
        withdrawn = {one.withdraws for one in self.certificates} - {0}
        known = {one.number for one in self.certificates}
        need(set(removed) <= known, f"the catalog names certificates that are not there: {set(removed) - known}")
        for one in self.certificates:
            if one.number not in removed:
                need(one.withdraws or one.number in withdrawn or one.number == len(self.certificates),
                     f"certificate {one.number} does not count, and nothing withdraws it")
                continue
            need(one.number not in withdrawn, f"certificate {one.number} is withdrawn and counts")
            need(removed[one.number] == [(s.hour, s.generation) for s in one.segments],
                 f"certificate {one.number} names other segments than the catalog")
            for first, last in one.stretches:
                gone = set(range(first, last + 1))
                need(not gone & self.numbers, f"certificate {one.number}: rows that were deleted before")
                self.numbers |= gone
            self.nodes.update(one.nodes)
            self.ranges += [r for s in one.segments for r in s.ranges]

    def covers(self, topic, partition, offset):
        name = topic if isinstance(topic, bytes) else topic.encode()
        return any(t == name and p == partition and first <= offset <= last for t, p, first, last, _ in self.ranges)

    def node(self, hashes, level, index):
        """The node over leaves of which some are gone; None where all of a group of 256 are."""
        if (level, index) in self.nodes:
            return self.nodes[level, index]
        if level == 0:
            need(hashes[index], f"row {index} is gone, and no node stands for it")
            return hashes[index]
        return sha256(b"\x01", self.node(hashes, level - 1, 2 * index), self.node(hashes, level - 1, 2 * index + 1))

    def tree(self, hashes, stored):
        """Size and peaks of the tree whose nodes of level 8 are `stored`; hashes: of leaves, empty where one is gone."""
        peaks, size = [], len(hashes)

        def push(height, digest):
            while peaks and peaks[-1][0] == height:
                digest = sha256(b"\x01", peaks.pop()[1], digest)
                height += 1
            peaks.append((height, digest))
        for group in range(size // GROUP):
            whole = set(range(group * GROUP, (group + 1) * GROUP)) <= self.numbers
            if not whole or any((index << level) // GROUP == group for level, index in self.nodes):
                need(self.node(hashes, 8, group) == stored[group], f"node {group} is another than the stored one")
            push(8, stored[group])
        at = size // GROUP * GROUP
        for level in reversed(range(8)):
            if size & 1 << level:
                push(level, self.node(hashes, level, at >> level))
                at += 1 << level
        return size.to_bytes(8, "little") + b"".join(digest for _, digest in peaks)


def main():
    if len(sys.argv) != 2 or not pathlib.Path(sys.argv[1]).is_dir():
        print(__doc__.strip(), file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    try:
        for place in sorted((folder / "deletions").glob("[0-9]" * 6)):
            for one in read_tenant(folder, int(place.name), read_key(folder)):
                went = ", ".join(sorted({name for s in one.segments for name in s.classes}))
                print(f"{one.tenant:06d} {one.number} {one.time} " +
                      (f"withdraws {one.withdraws}" if one.withdraws else
                       f"{len(one.segments)} hours, {one.rows} rows of {went}"))
    except (Refused, OSError) as bad:
        print(bad)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
