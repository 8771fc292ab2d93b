#!/usr/bin/env python3
"""Verifies an evidence bundle of Sekisho. Needs Python 3.6 or newer and nothing else.
証拠一式を検証します。Python 3.6以上だけで動きます。

    python3 verify_bundle.py [BUNDLE] [--key FILE]

BUNDLE is the folder or the .tar file; without it, the folder that this program is in. --key is the public key of
the log system, had from its operator by another way than this bundle.

What is done, each step by itself enough to repeat by hand (README.txt says how):
  1  every file is the one that SHA256SUMS names, and there is no other
  2  the checkpoint is signed by the key (Ed25519, RFC 8032)
  3  every line of rows.raw has the length and SHA-256 that manifest.ndjson says
  4  hashes of the lines and those in proof.txt make the root that the checkpoint signs (SHA-256)

Exit code 0: verified; 1: not, and why is said; 2: wrong command line.
"""
import base64
import binascii
import hashlib
import json
import os
import re
import struct
import sys

FILES = {"README.txt", "SHA256SUMS", "checkpoint.pub", "checkpoint.txt", "manifest.ndjson", "proof.txt", "rows.raw",
         "verify_bundle.py"}
EXTRA = {"alert.json"}  # only in bundles of an alert
FOLDER = "sekisho-bundle/"


class Bad(Exception):
    """The bundle is not what it should be; the text says why."""


def need(condition, why):
    if not condition:
        raise Bad(why)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- the files, from a folder or from a tar file, of which every byte must be as expected

def tar_header(name, size, mtime):
    """The header of a regular file as POSIX ustar has it."""
    head = struct.pack("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12s", name.encode(), b"0000644", b"0000000", b"0000000",
                       b"%011o" % size, b"%011o" % mtime, b" " * 8, b"0", b"", b"ustar", b"00", b"", b"", b"", b"", b"", b"")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def read_tar(path):
    with open(path, "rb") as f:
        data = f.read()
    found, at, time = {}, 0, None
    need(len(data) % 512 == 0, "the tar file was cut")
    while at < len(data) and any(data[at:at + 512]):
        head = data[at:at + 512]
        name = head[:100].rstrip(b"\0").decode("ascii", "replace")
        try:
            size, mtime = int(head[124:135], 8), int(head[136:147], 8)
        except ValueError:
            raise Bad("tar header at byte %d is damaged" % at) from None
        time = mtime if time is None else time
        need(head == tar_header(name, size, time), "tar header at byte %d is not as it should be" % at)
        need(name.startswith(FOLDER) and name[len(FOLDER):] not in found, "unexpected file %r in the tar file" % name)
        found[name[len(FOLDER):]] = data[at + 512:at + 512 + size]
        end = at + 512 + size
        at = end + -size % 512
        need(at <= len(data) and not any(data[end:at]), "bytes behind %s in the tar file" % name)
    need(len(data) - at == 1024 and not any(data[at:]), "the end of the tar file is not as it should be")
    return found


def read_folder(path):
    found = {}
    for name in sorted(os.listdir(path)):
        whole = os.path.join(path, name)
        need(name in FILES | EXTRA and os.path.isfile(whole), "%r is no part of the bundle: move it away" % name)
        with open(whole, "rb") as f:
            found[name] = f.read()
    return found


def check_sums(files):
    missing = FILES - set(files)
    need(set(files) <= FILES | EXTRA, "unexpected files in the bundle")
    need(not missing, "missing: %s" % ", ".join(sorted(missing)))
    want = "".join("%s  %s\n" % (hashlib.sha256(files[name]).hexdigest(), name) for name in sorted(files) if name != "SHA256SUMS")
    if files["SHA256SUMS"] != want.encode():
        said = dict(reversed(line.split("  ", 1)) for line in files["SHA256SUMS"].decode("utf-8", "replace").splitlines()
                    if "  " in line)
        wrong = [name for name in sorted(files) if name != "SHA256SUMS" and said.get(name) != hashlib.sha256(files[name]).hexdigest()]
        raise Bad("changed: %s" % ", ".join(wrong or ["SHA256SUMS"]))


# ---- Ed25519, RFC 8032, section 5.1: verification only, with points as (X, Y, Z, T)

Q = 2 ** 255 - 19
ORDER = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, Q - 2, Q) % Q


def point_add(a, b):
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % Q, (a[1] + a[0]) * (b[1] + b[0]) % Q
    r, s = 2 * a[3] * b[3] * D % Q, 2 * a[2] * b[2] % Q
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def point_times(n, a):
    out = (0, 1, 1, 0)
    while n:
        out = point_add(out, a) if n & 1 else out
        a, n = point_add(a, a), n >> 1
    return out


def point_read(data):
    n = int.from_bytes(data, "little")
    sign, y = n >> 255, n & (2 ** 255 - 1)
    need(y < Q, "a point of the signature is out of range")
    xx = (y * y - 1) * pow(D * y * y + 1, Q - 2, Q) % Q
    x = pow(xx, (Q + 3) // 8, Q)
    if (x * x - xx) % Q:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    need((x * x - xx) % Q == 0 and not (x == 0 and sign), "a point of the signature is not on the curve")
    x = Q - x if x & 1 != sign else x
    return x, y, 1, x * y % Q


def signature_holds(public, message, signature):
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    base = point_read((4 * pow(5, Q - 2, Q) % Q).to_bytes(32, "little"))
    a, b = point_times(s, base), point_add(point_read(signature[:32]), point_times(k, point_read(public)))
    return (a[0] * b[2] - b[0] * a[2]) % Q == 0 and (a[1] * b[2] - b[1] * a[2]) % Q == 0


# ---- the key and the checkpoint

def base64_read(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Bad(what + " is no base64") from None
    need(base64.b64encode(data) == text, what + " is no base64")
    return data


def read_key(text):
    """(name, key id, public key) of NAME+ID+BASE64."""
    match = re.match(rb"([!-*,-~]{1,128})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\n\Z", text)
    need(match, "this is no public key of a log system")
    data = base64_read(match.group(3), "the public key")
    need(len(data) == 33 and data[0] == 1, "the public key is not one of Ed25519")
    number = bytes.fromhex(match.group(2).decode())
    need(sha256(match.group(1), b"\n\x01", data[1:])[:4] == number, "the public key is not whole")
    return match.group(1), number, data[1:]


def read_checkpoint(text, key, tenant):
    """What it says of the municipality: (number, time, store, size of its tree, root)."""
    name, number, public = key
    match = re.match(rb"((?:[^\n]+\n)+)\n\xe2\x80\x94 ([!-*,-~]{1,128}) ([A-Za-z0-9+/=]+)\n\Z", text)
    need(match, "checkpoint.txt is no signed text")
    signature = base64_read(match.group(3), "the signature")
    need(match.group(2) == name and len(signature) == 68 and signature[:4] == number, "signed with another key")
    need(signature_holds(public, match.group(1), signature[4:]), "the signature of the checkpoint is wrong")
    lines = match.group(1).decode().split("\n")
    need(lines[0] == "sekisho checkpoint v1", "a checkpoint of a newer form")
    values = [line.split(" ") for line in lines]
    one = {v[0]: v[1:] for v in values if v[0] in ("store", "number", "time")}
    heads = [v for v in values if v[0] == "tenant" and v[1] == tenant]
    need(len(heads) == 1, "the checkpoint says nothing of municipality " + tenant)
    return int(one["number"][0]), one["time"][0], one["store"][0], int(heads[0][2]), bytes.fromhex(heads[0][3])


# ---- the lines and their proof

def read_manifest(text):
    need(text.endswith(b"\n"), "manifest.ndjson was cut")
    try:
        lines = [json.loads(line.decode("utf-8")) for line in text[:-1].split(b"\n")]
    except ValueError as why:
        raise Bad("manifest.ndjson: %s" % why) from None
    head, rows = lines[0], lines[1:]
    need(head.get("bundle") == "sekisho bundle v1", "a bundle of a newer form")
    need(head["rows"] == len(rows) > 0, "manifest.ndjson has %d lines of %s" % (len(rows), head["rows"]))
    return head, rows


def topic_bytes(text):
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())


def leaves_of(rows, raw, total):
    """{number: hash} of the lines, each looked at byte for byte. Between two lines stands one line feed where the
    first has none of its own."""
    leaves, at, last = {}, 0, -1
    for row in rows:
        number, length = row["number"], row["bytes"]
        need(number > last, "manifest.ndjson: line %d is not in order" % number)
        need(row["at"] == at, "rows.raw: line %d does not begin at byte %d" % (number, at))
        line = raw[at:at + length]
        need(len(line) == length, "rows.raw ends within line %d" % number)
        need(hashlib.sha256(line).hexdigest() == row["sha256"], "line %d is not the one that manifest.ndjson names" % number)
        topic = topic_bytes(row["topic"])
        place = struct.pack("<iqI", row["partition"], row["offset"], row["line"])
        leaves[number] = sha256(b"\x00", struct.pack("<H", len(topic)), topic, place, line)
        at, last = at + length, number
        if line[-1:] != b"\n":
            need(raw[at:at + 1] == b"\n", "rows.raw: no line feed behind line %d" % number)
            at += 1
    need(sum(row["bytes"] for row in rows) == total, "manifest.ndjson: its lines have other lengths in all")
    need(at == len(raw), "rows.raw has bytes behind its last line")
    return leaves


def read_proof(text, tenant, size):
    lines = text.decode("ascii", "replace").split("\n")
    need(lines[:3] == ["sekisho bundle proof v1", "tenant " + tenant, "size %d" % size], "proof.txt is for another tree")
    need(lines[3] == "hashes %d" % (len(lines) - 5) and lines[-1] == "", "proof.txt was cut")
    need(all(re.match("[0-9a-f]{64}\\Z", line) for line in lines[4:-1]), "proof.txt: a hash is damaged")
    return [bytes.fromhex(line) for line in lines[4:-1]]


def root_of(leaves, size, hashes):
    """The root over `size` lines: of those in `leaves` by their hashes, of the rest by `hashes`, which stand for the
    greatest whole subtrees between them, from left to right."""
    stack, at, chosen, rest = [], 0, sorted(leaves, reverse=True), iter(hashes)
    while at < size:
        stop = chosen[-1] if chosen else size
        if at == stop:
            chosen.pop()
            level, node = 0, leaves[at]
        else:
            level = 0
            while at % (2 << level) == 0 and at + (2 << level) <= stop:
                level += 1
            node = next(rest, None)
            need(node is not None, "proof.txt has too few hashes: a line was taken out, or put in")
        end = at + (1 << level)
        while (at >> level) & 1:
            node, level, at = sha256(b"\x01", stack.pop(), node), level + 1, at - (1 << level)
        stack.append(node)
        at = end
    need(next(rest, None) is None, "proof.txt has too many hashes: a line was taken out, or put in")
    return sha256(b"\x02", struct.pack("<Q", size), *stack)


def verify(path, known_key):
    files = read_tar(path) if os.path.isfile(path) else read_folder(path)
    check_sums(files)
    print("1  files are as in SHA256SUMS / ファイルは目録のとおりです")
    key = read_key(files["checkpoint.pub"])
    need(known_key is None or read_key(known_key) == key, "signed with another key than the one you gave")
    head, rows = read_manifest(files["manifest.ndjson"])
    number, time, store, size, root = read_checkpoint(files["checkpoint.txt"], key, head["tenant"])
    need((head["checkpoint"], head["size"]) == (number, size), "manifest.ndjson is for another checkpoint")
    print("2  checkpoint %d of %s is signed with the key / 検査点%dの署名は正しいです" % (number, time, number))
    leaves = leaves_of(rows, files["rows.raw"], head["bytes"])
    print("3  %d lines, %d bytes, each with its SHA-256 / %d行のハッシュ値は正しいです" % (len(rows), head["bytes"], len(rows)))
    need(root_of(leaves, size, read_proof(files["proof.txt"], head["tenant"], size)) == root,
         "the lines are not in the tree that the checkpoint signs: one was changed, taken out or put in")
    print("4  the lines are in the signed tree / 各行は署名された記録に含まれています")
    print("VERIFIED / 検証しました: %d lines of municipality %s, not changed since %s" % (len(rows), head["tenant"], time))
    if not head["complete"]:
        print("NOTE / 注意: when it was made, a part of the store could not be read; lines may be lacking (README.txt)")
    if known_key is None:
        print("Now compare the key with the one that the operator publishes / 公開鍵を運用者に確認してください:\n  "
              + files["checkpoint.pub"].decode().strip())


def main(arguments):
    path, key = None, None
    while arguments:
        word = arguments.pop(0)
        if word == "--key" and arguments:
            key = arguments.pop(0)
        elif path is None and not word.startswith("-"):
            path = word
        else:
            print(__doc__)
            return 0 if word in ("-h", "--help") else 2
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        known = None
        if key is not None:
            with open(key, "rb") as f:
                known = f.read()
        verify(path or os.path.dirname(os.path.abspath(__file__)), known)
    except (Bad, OSError, KeyError, IndexError, TypeError, ValueError, struct.error) as why:
        print("NOT VERIFIED / 検証できません: %s%s" % ("" if isinstance(why, Bad) else type(why).__name__ + ": ", why))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
