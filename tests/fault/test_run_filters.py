#!/usr/bin/env python3
"""Filters of runs that are damaged, lie or are missing: no answer gets smaller without being named.

The golden store is copied; a damaged filter is passed over, its segment named, its rows found; one that rules out what
its rows hold, with every checksum and hash above it made right, is found by `verify` and by the checker in Python.
"""
import hashlib
import pathlib
import shutil
import struct
import sys

import xxhash

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("support", "checker")]
import sekisho_batch  # noqa: E402
import sekisho_check  # noqa: E402
import sekisho_segment  # noqa: E402
from sekisho import LONG, Steps, need_binary, run, seeded_random, temp_dir  # noqa: E402

FLIPS = 200 if LONG else 8
PARTS = 2000 if LONG else 60
ROWS = 444          # of the first municipality
TENANT = "990001"
HOUR = "00079c0a.1.seg"
REQUIRED = 1 << 31
FOUND = ('office', '"OFFICE 1, Floor"', 'policyname', 'unknown', 'rule office', '')
NOWHERE = ("qzxjvwkq", "url.path:*qzxjvwkq*", "offise and office")


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def fresh(folder):
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "golden" / "segments-v1", store)
    for path in store.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return store


class File:
    """A segment of the store: where its groups' filters of runs are."""

    def __init__(self, path):
        self.path, self.data = path, bytearray(path.read_bytes())
        self.groups = sekisho_segment.Segment(self.data).groups
        self.places = [(g.at + g.len - 2 - len(g.runs_filter.bits), g.at + g.len) for g in self.groups]

    def flip(self, r):
        start, end = r.choice(self.places)
        at = r.randrange(start, end)
        self.data[at] ^= 1 << r.randrange(8)
        self.path.write_bytes(self.data)

    def clear(self, which):
        """Empty filters, with their checksums, the footer's hash and the catalog's chain made right."""
        for number in which:
            start, end = self.places[number]
            self.data[start + 2:end] = bytes(end - start - 2)
        sums = b"".join(varint(end - start) + low_hash(self.data[start:end]) for start, end in self.places)
        size = struct.unpack_from("<Q", self.data, len(self.data) - 48)[0]
        at = len(self.data) - 48 - size
        footer = bytearray(self.data[at:-48])
        section = footer.find(struct.pack("<IQ", 2, len(sums)))
        need(section >= 0 and footer.count(struct.pack("<IQ", 2, len(sums))) == 1, "no section 2")
        footer[section + 12:section + 12 + len(sums)] = sums
        before = bytes(self.data[-40:-8])
        after = hashlib.sha256(bytes(self.data[:64]) + footer).digest()
        self.data[at:] = bytes(footer) + struct.pack("<Q", size) + after + b"SEKIEND1"
        self.path.write_bytes(self.data)
        resign(self.path.parent / "catalog", before, after)


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def low_hash(data):
    return struct.pack("<I", xxhash.xxh3_64_intdigest(bytes(data), 0) & 0xffffffff)


def resign(path, before, after):
    data = bytearray(path.read_bytes().replace(before, after))
    at, chain = 64, hashlib.sha256(data[:40]).digest()
    while at < len(data):
        end = at + 8 + struct.unpack_from("<Q", data, at)[0]
        chain = hashlib.sha256(chain + data[at:end]).digest()
        data[end:end + 32] = chain
        at = end + 32
    path.write_bytes(data)


def search(store, query, check):
    done = run("search", query, "--data", store, "--raw", check=check)
    return done.stdout, done.stderr.decode()


def checker_says(store):
    findings = sekisho_check.Findings()
    sekisho_check.sekisho_long_term.LongTerm(store, findings).read()
    return "".join(findings.texts)


def check_parts(steps, folder, r):
    """Parts of lines, taken anywhere: of names, values, times, and across them."""
    store = fresh(folder)
    lines = search(store, "", 0)[0].splitlines(True)
    empty = 0
    for _ in range(PARTS):
        line = r.choice(lines[:ROWS]).decode().strip()
        at = r.randrange(len(line) - 2) if len(line) > 2 else 0
        part = line[at:at + r.randint(2, 12)].swapcase().strip()
        if not part:
            empty += 1
            continue
        query = '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        wanted = [one for one in lines if part.lower().encode() in one.lower()]
        found = search(store, query, 0)[0].splitlines(True)
        need(found == wanted, f"{query}: {len(found)} lines of {len(wanted)}")
    need(empty < PARTS / 5, "few parts were asked for")
    steps(f"{PARTS} parts of lines are found where they stand")


def check_damage(steps, folder, r):
    whole = fresh(folder)
    wanted = {query: search(whole, query, 0)[0] for query in FOUND}
    export = run("export", "--data", whole, "--raw").stdout
    need(all(wanted.values()) and export, "the golden store has other rows")
    for query in NOWHERE:
        out, said = search(whole, query, 1)
        need(out == b"" and "filter 0," not in said, said)
    for _ in range(FLIPS):
        store = fresh(folder)
        File(store / "seg" / TENANT / HOUR).flip(r)
        for query in FOUND:
            out, said = search(store, query, 5)
            need(out == wanted[query] and HOUR in said, f"{query}: {said}")
        for query in NOWHERE:
            out, said = search(store, query, 5)
            need(out == b"" and HOUR in said, f"{query}: {said}")
        done = run("export", "--data", store, "--raw", check=5)
        need(done.stdout == export and HOUR in done.stderr.decode(), done.stderr.decode())
        said = run("verify", "--data", store, check=5).stderr.decode()
        need(HOUR in said and "filter of runs is damaged" in said, said)
        need(HOUR in checker_says(store), "the checker sees nothing")
    steps(f"{FLIPS} damaged filters: every row is found all the same, and the segment is named")


def check_lies(steps, folder):
    store = fresh(folder)
    for number in range(len(File(store / "seg" / TENANT / HOUR).groups)):
        store = fresh(folder)
        run("verify", "--data", store)
        File(store / "seg" / TENANT / HOUR).clear([number])
        said = run("verify", "--data", store, check=5).stderr.decode()
        need(HOUR in said and f"group {number}: its filter of runs rules out" in said, said)
        need("the filter of runs says no to" in checker_says(store), checker_says(store))
    steps("a filter that rules out what its rows hold is found, whatever its checksums say")


def check_without(steps, folder):
    """A segment of a writer that makes none."""
    store = fresh(folder)
    old, new = store / "without-runs" / HOUR, store / "seg" / TENANT / HOUR
    need(sekisho_segment.Segment(old.read_bytes()).groups[0].runs_filter is None, "it has a filter")
    wanted = {query: search(store, query, 0)[0] for query in FOUND}
    hashes = bytes(new.read_bytes()[-40:-8]), bytes(old.read_bytes()[-40:-8])
    sizes = struct.pack("<Q", new.stat().st_size), struct.pack("<Q", old.stat().st_size)
    shutil.copy(old, new)
    resign(new.parent / "catalog", *sizes)
    resign(new.parent / "catalog", *hashes)
    for query, lines in wanted.items():
        need(search(store, query, 0)[0] == lines, query)
    run("verify", "--data", store)
    need(checker_says(store) == "", checker_says(store))
    steps("a segment without filters of runs gives the same answers")


def main():
    need_binary()
    need(sekisho_batch.xxhash is not None, "python3-xxhash is missing")
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        check_parts(steps, folder, r)
        check_damage(steps, folder, r)
        check_lies(steps, folder)
        check_without(steps, folder)


if __name__ == "__main__":
    main()
