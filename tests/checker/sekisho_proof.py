#!/usr/bin/env python3
"""Verify checkpoints and proofs against docs/format.md, sharing no code with the program that wrote them.

    sekisho_proof.py proof FILE --key KEY               a row, or the growth between two checkpoints
    sekisho_proof.py checkpoint FILE --key KEY          one checkpoint
    sekisho_proof.py checkpoints FILE --key KEY [--held FILE]
                                                        all checkpoints of a store, and that the held one is among them

KEY is the text of a public key, or a file that holds it. Needs nothing but Python.
Exit code 0: it holds; 1: it does not, and why is on standard output; 2: usage.
"""
import argparse
import base64
import binascii
import datetime
import functools
import hashlib
import pathlib
import re
import struct
import sys

DASH = "\u2014".encode()
HASH = rb"[0-9a-f]{64}"
NUMBER = rb"(?:0|[1-9][0-9]{0,19})"
LEVELS = 48
ROWS_MAX = (1 << LEVELS) - 1
HASHES_MAX = 2 * LEVELS
TENANTS_MAX, RECORDS_MAX = 4096, 64
CHECKPOINT_MAX = 1 << 20
RAW_MAX = 64 << 20
DATA_BYTES = 54
ZERO = bytes(32)


class Refused(Exception):
    """It proves nothing; the text says why."""


def need(condition, text):
    if not condition:
        raise Refused(text)


def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


# Ed25519 as in RFC 8032, 5.1.7; points in extended coordinates.

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
ONE = (0, 1, 1, 0)


def add(a, b):
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    t = 2 * a[3] * b[3] * D % P
    z = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, z - t, z + t, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = ONE
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data):
    """The point of its 32 bytes, or None."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=64)
def ed25519_verify(public, message, signature):
    key, commitment = point_of(public), point_of(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return same(times(scalar, BASE), add(commitment, times(challenge, key)))


# Keys and signed notes.

def base64_of(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        data = None
    need(data is not None and base64.b64encode(data) == text, f"{what} is no base64")
    return data


class Key:
    def __init__(self, text):
        match = re.fullmatch(rb"([!-*,-~]{1,128})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\n", text)
        need(match, "this is no public key")
        self.name, self.id = match[1], bytes.fromhex(match[2].decode())
        data = base64_of(match[3], "the key")
        need(len(data) == 33 and data[0] == 1, "the key is not one of Ed25519")
        self.public = data[1:]
        need(sha256(self.name, b"\n\x01", self.public)[:4] == self.id, "the key's id is not its own")


def note_end(text):
    """Bytes of the first note in the text, or 0."""
    gap = text.find(b"\n\n")
    return 0 if gap < 0 else text.find(b"\n", gap + 2) + 1


def open_note(text, key):
    """The signed text."""
    gap = text.find(b"\n\n")
    need(gap >= 0, "this is no signed text")
    body, line = text[:gap + 1], text[gap + 2:]
    need(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", body) and body[:1] != b"\n", "the text has control characters")
    match = re.fullmatch(DASH + rb" ([!-*,-~]{1,128}) ([A-Za-z0-9+/=]+)\n", line)
    need(match, "the signature line is not one")
    data = base64_of(match[2], "the signature")
    need(len(data) == 68, "the signature has another length")
    need(match[1] == key.name and data[:4] == key.id, "signed with another key")
    need(ed25519_verify(key.public, body, data[4:]), "the signature is wrong")
    return body


class Lines:
    """Takes lines off a text."""

    def __init__(self, text):
        self.text, self.at, self.number = text, 0, 0

    def take(self, pattern):
        end = self.text.find(b"\n", self.at)
        self.number += 1
        need(end >= 0, f"line {self.number} is missing")
        match = re.fullmatch(pattern, self.text[self.at:end])
        need(match, f"line {self.number} is not as it should be")
        self.at = end + 1
        return match

    def count(self, key, most):
        value = int(self.take(key + b" (" + NUMBER + b")")[1])
        need(value <= most, f"line {self.number}: {value} is more than {most}")
        return value

    def hashes(self, count):
        return [bytes.fromhex(self.take(rb"hash (" + HASH + b")")[1].decode()) for _ in range(count)]

    def checkpoint(self, key):
        start = None
        for _ in range(self.count(key, CHECKPOINT_MAX)):
            start = self.at if start is None else start
            self.take(rb".*")
        need(start is not None, "there is no checkpoint")
        text = self.text[start:self.at]
        need(note_end(text) == len(text), "this is not one whole checkpoint")
        return text

    def end(self):
        need(self.at == len(self.text), "more stands behind the end")


class Checkpoint:
    """A checkpoint whose signature was checked."""

    def __init__(self, text, key):
        need(len(text) <= CHECKPOINT_MAX, "too long for a checkpoint")
        need(note_end(text) == len(text), "this is not one whole checkpoint")
        body = open_note(text, key)
        lines = Lines(body)
        self.hash = sha256(text)
        lines.take(rb"sekisho checkpoint v1")
        self.store = lines.take(rb"store ([0-9a-f]{32})")[1]
        self.number = lines.count(b"number", 2 ** 64 - 1)
        self.time = self.read_time(lines)
        log = lines.take(rb"log (" + NUMBER + b") (" + HASH + b")")
        self.log = int(log[1]), log[2]
        need(self.log[0] < 2 ** 64, "there is no such frame")
        self.previous = bytes.fromhex(lines.take(rb"previous (" + HASH + b")")[1].decode())
        need(self.number > 0 and (self.number == 1) == (self.previous == ZERO),
             "the first checkpoint names none before it, and every other one does")
        self.heads, last = {}, -1
        for _ in range(lines.count(b"tenants", TENANTS_MAX)):
            match = lines.take(rb"tenant ([0-9]{6}) (" + NUMBER + b") (" + HASH + b")")
            tenant, size = int(match[1]), int(match[2])
            need(tenant > last and size <= ROWS_MAX, f"line {lines.number}: order or size")
            self.heads[tenant] = size, bytes.fromhex(match[3].decode())
            last = tenant
        last = b""
        for _ in range(lines.count(b"records", RECORDS_MAX)):
            name = lines.take(rb"record ([a-z0-9._-]{1,64}) " + HASH)[1]
            need(name > last, f"line {lines.number}: order")
            last = name
        lines.end()

    @staticmethod
    def read_time(lines):
        match = lines.take(rb"time (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3}|\d{6}|\d{9}))?Z")
        need(match[2] is None or match[2][-3:] != b"000", f"line {lines.number}: too many digits")
        try:
            return datetime.datetime.strptime(match[1].decode(), "%Y-%m-%dT%H:%M:%S"), match[2]
        except ValueError:
            raise Refused(f"line {lines.number}: there is no such time") from None

    def check_later(self, older):
        need(self.store == older.store, "of another store")
        need(self.number > older.number, f"number {self.number} is not later than {older.number}")
        need(self.log[0] >= older.log[0], "the log is shorter")
        need(self.log[0] > older.log[0] or self.log == older.log, "the log is another one")
        for tenant, (size, root) in older.heads.items():
            now = self.heads.get(tenant)
            need(now is not None and now[0] >= size, f"tenant {tenant:06} lost rows")
            need(now[0] > size or now[1] == root, f"tenant {tenant:06} has other rows")
        if self.number == older.number + 1:
            need(self.previous == older.hash, f"number {self.number} does not follow {older.number}: a fork")


# The tree.

def node(left, right):
    return sha256(b"\x01", left, right)


def root_of(size, peaks):
    return sha256(b"\x02", struct.pack("<Q", size), *peaks)


def mountains(size):
    """(first leaf, level) from left to right."""
    found, at = [], 0
    for level in reversed(range(LEVELS)):
        if size >> level & 1:
            found.append((at, level))
            at += 1 << level
    return found


def check_leaf(leaf, index, size, root, hashes):
    need(index < size, "the tree has no such row")
    hashes = list(hashes)
    first, level = next((f, v) for f, v in mountains(size) if f <= index < f + (1 << v))
    need(len(hashes) == level + len(mountains(size)) - 1, "the proof has another length")
    for height in range(level):
        other = hashes.pop(0)
        leaf = node(other, leaf) if (index - first) >> height & 1 else node(leaf, other)
    peaks = [leaf if f == first else hashes.pop(0) for f, _ in mountains(size)]
    need(root_of(size, peaks) == root, "the row is not in the tree")


def check_growth(older, newer, hashes):
    (m, old_root), (n, new_root) = older, newer
    old, new, hashes = mountains(m), mountains(n), list(hashes)
    need(m <= n and len(hashes) >= len(old), "the proof is too short")
    known = {place: hashes.pop(0) for place in old}
    need(root_of(m, list(known.values())) == old_root, "the older tree is another one")

    def build(first, level):
        """The node over these leaves from what is known of the older tree, in the order of a climb."""
        if (first, level) in known:
            return known[first, level]
        if first >= m:
            return None
        half = 1 << level - 1
        left, right = build(first, level - 1), build(first + half, level - 1)
        if right is None:
            need(hashes, "the proof is too short")
            right = hashes.pop(0)
        return node(left, right)

    peaks = []
    for first, level in new:
        peak = build(first, level)
        if peak is None:
            need(hashes, "the proof is too short")
            peak = hashes.pop(0)
        peaks.append(peak)
    need(not hashes, "the proof is too long")
    need(root_of(n, peaks) == new_root, "the newer tree does not begin with the older one")


# Proofs.

def read_topic(text):
    need(re.fullmatch(rb"(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+", text), "the topic is not written as topics are")

    def byte(match):
        value = bytes([int(match[1], 16)])
        need(not re.fullmatch(rb"[A-Za-z0-9._-]", value), "the topic has a second form")
        return value
    topic = re.sub(rb"%(..)", byte, text, flags=re.S)
    need(len(topic) <= 249, "the topic is too long")
    return topic


def check_row(text, key):
    lines = Lines(text)
    lines.take(rb"sekisho proof v1")
    tenant = int(lines.take(rb"tenant ([0-9]{6})")[1])
    index = lines.count(b"index", ROWS_MAX - 1)
    topic = read_topic(lines.take(rb"topic ([^ ]+)")[1])
    partition = lines.count(b"partition", 2 ** 31 - 1)
    offset = lines.count(b"offset", 2 ** 63 - 1)
    sub = lines.count(b"sub", 2 ** 32 - 1)
    hashes = lines.hashes(lines.count(b"hashes", HASHES_MAX))
    length, raw = lines.count(b"raw", RAW_MAX), b""
    need(length <= len(text), "the row is missing")
    pieces = []
    for at in range(0, length, DATA_BYTES):
        piece = base64_of(lines.take(rb"data ([A-Za-z0-9+/=]+)")[1], f"line {lines.number}")
        need(len(piece) == min(DATA_BYTES, length - at), f"line {lines.number} has another length")
        pieces.append(piece)
    raw = b"".join(pieces)
    checkpoint = Checkpoint(lines.checkpoint(b"checkpoint"), key)
    lines.end()
    need(tenant in checkpoint.heads, "the checkpoint does not know the tenant")
    leaf = sha256(b"\x00", struct.pack("<H", len(topic)), topic, struct.pack("<iqI", partition, offset, sub), raw)
    check_leaf(leaf, index, *checkpoint.heads[tenant], hashes)
    return f"row {index} of tenant {tenant:06}, checkpoint {checkpoint.number}: it holds"


def check_consistency(text, key):
    lines = Lines(text)
    lines.take(rb"sekisho growth v1")
    tenants = []
    for _ in range(lines.count(b"tenants", TENANTS_MAX)):
        match = lines.take(rb"tenant ([0-9]{6}) (" + NUMBER + b")")
        need(int(match[2]) <= HASHES_MAX, f"line {lines.number}: too many hashes")
        tenants.append((int(match[1]), lines.hashes(int(match[2]))))
    older = Checkpoint(lines.checkpoint(b"older"), key)
    newer = Checkpoint(lines.checkpoint(b"newer"), key)
    lines.end()
    newer.check_later(older)
    need([t for t, _ in tenants] == list(older.heads), "the proofs are not those of the tenants")
    for tenant, hashes in tenants:
        check_growth(older.heads[tenant], newer.heads[tenant], hashes)
    return f"checkpoint {newer.number} continues checkpoint {older.number}: it holds"


def check_proof(text, key):
    return (check_consistency if text.startswith(b"sekisho growth") else check_row)(text, key)


def check_checkpoint(text, key):
    checkpoint = Checkpoint(text, key)
    return f"checkpoint {checkpoint.number}, {len(checkpoint.heads)} tenants: it holds"


def check_all(text, key, held, visit=lambda checkpoint: None):
    at, last, seen = 0, None, held is None
    expected = Checkpoint(held, key).number if held is not None else 0
    while at < len(text):
        end = note_end(text[at:at + 2 * CHECKPOINT_MAX])
        rest = len(text) - at
        if (end == 0 and rest <= CHECKPOINT_MAX) or (end == rest and b"\0" in text[at:]):
            break  # a torn write
        one = text[at:at + end] if end else text[at:]
        try:
            now = Checkpoint(one, key)
            need(last is not None or now.number == 1, f"number {now.number} stands first")
            if last is not None:
                need(now.number == last.number + 1, f"number {now.number} follows {last.number}")
                now.check_later(last)
            if held is not None and now.number == expected:
                need(one == held, f"number {now.number} is not the one that is held")
                seen = True
        except Refused as why:
            raise Refused(f"byte {at}: {why}") from None
        visit(now)
        at, last = at + end, now
    need(seen, f"number {expected} is held and missing: the end was cut off")
    return f"{last.number if last else 0} checkpoints, {len(text) - at} torn bytes: they hold"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("proof", "checkpoint", "checkpoints"))
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--key", required=True)
    parser.add_argument("--held", type=pathlib.Path)
    options = parser.parse_args()
    text = options.file.read_bytes()
    path = pathlib.Path(options.key)
    try:
        key = Key(path.read_bytes() if path.is_file() else options.key.encode() + b"\n")
        if options.what == "checkpoints":
            print(check_all(text, key, options.held.read_bytes() if options.held else None))
        else:
            print({"proof": check_proof, "checkpoint": check_checkpoint}[options.what](text, key))
    except Refused as why:
        print(f"{options.file}: {why}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
