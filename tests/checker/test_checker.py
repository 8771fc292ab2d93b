#!/usr/bin/env python3
"""The checker itself: it passes the golden log and finds every kind of damage planted in a copy."""
import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import sekisho_check
import sekisho_seal

HERE = pathlib.Path(__file__).resolve().parent
GOLDENS = pathlib.Path(os.environ.get("SEKISHO_GOLDEN", HERE.parent / "golden"))
GOLDEN = GOLDENS / "log-v1"


def check(folder, *options):
    done = subprocess.run([sys.executable, HERE / "sekisho_check.py", folder, *options],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


class Checker(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name) / "store"
        shutil.copytree(GOLDEN, self.folder)
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.logs = sorted((self.folder / "log").iterdir())

    def tearDown(self):
        self.temporary.cleanup()

    def finds(self, text, *options):
        code, said = check(self.folder, "--opaque-batches", *options)
        self.assertEqual(code, 1, said)
        self.assertIn(text, said)

    def frames(self, path):
        """Offsets and lengths of the frames in a file."""
        data, places = path.read_bytes(), []
        at = struct.unpack_from("<I", data, 8)[0]
        while at < len(data):
            length = 112 + struct.unpack_from("<Q", data, at + 40)[0]
            places.append((at, length))
            at += length
        return data, places

    def sign(self, path, change):
        """Change the last frame of the newest file and make its hash right again."""
        data, places = self.frames(path)
        at, length = places[-1]
        frame = change(bytearray(data[at:at + length - 32]))
        path.write_bytes(data[:at] + frame + hashlib.sha256(frame).digest())

    def test_golden(self):
        code, said = check(self.folder, "--opaque-batches")
        self.assertEqual((code, said), (0, ""))

    def test_every_flip(self):
        for path in self.logs:
            data = bytearray(path.read_bytes())
            for at in range(0, len(data), 397):
                data[at] ^= 1 << at % 8
                path.write_bytes(data)
                self.finds(path.name)
                data[at] ^= 1 << at % 8
            path.write_bytes(data)

    def test_missing_file(self):
        self.logs[0].unlink()
        self.finds("frame 1 should be the first")

    def test_torn_tail(self):
        self.logs[-1].write_bytes(self.logs[-1].read_bytes()[:-1])
        self.finds("ends early")

    def test_skipped_frame(self):
        data, places = self.frames(self.logs[-1])
        at, length = places[1]
        self.logs[-1].write_bytes(data[:at] + data[at + length:])
        self.finds("the frame has the number")

    def test_offsets_repeated_and_missing(self):
        name = b"seclog.raw.990001.fw1"

        def shift(by):
            def change(frame):
                at = frame.index(name) + len(name) + 4
                start, end = struct.unpack_from("<qq", frame, at)
                struct.pack_into("<qq", frame, at, start + by, end + by)
                ranges = struct.unpack_from("<I", frame, at + 16)[0]
                at += 20
                for _ in range(ranges):
                    _, start, end, reason = struct.unpack_from("<BqqH", frame, at)
                    struct.pack_into("<qq", frame, at + 1, start + by, end + by)
                    at += 19 + reason
                return frame
            return change
        self.sign(self.logs[-1], shift(-1))
        self.finds("consumed twice")
        self.sign(self.logs[-1], shift(2))
        self.finds("are missing")

    def test_expected_end(self):
        self.finds("expected 12345", "--expect-end", "seclog.raw.990001.fw1/0=12345")

    def test_blob(self):
        blob = next((self.folder / "env").iterdir())
        blob.write_bytes(blob.read_bytes()[:-1] + b"!")
        self.finds("is damaged")
        blob.unlink()
        self.finds("is missing")


class Retired(unittest.TestCase):
    """A log whose oldest file is gone but for its remains."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name) / "store"
        shutil.copytree(GOLDENS / "log-v1-retired", self.folder)
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.remains = self.folder / "log" / "0000000000000001.rem"

    def tearDown(self):
        self.temporary.cleanup()

    def finds(self, text):
        code, said = check(self.folder, "--opaque-batches")
        self.assertEqual(code, 1, said)
        self.assertIn(text, said)

    def sign(self, data):
        """Both hashes made right again."""
        data[152:184] = hashlib.sha256(data[:152]).digest()
        data[-32:] = hashlib.sha256(data[:-32]).digest()
        self.remains.write_bytes(data)

    def content(self, number):
        """Where a section's content begins, and its length."""
        data, at = self.remains.read_bytes(), 184
        while True:
            kind, size = struct.unpack_from("<IQ", data, at)
            at += 12
            if kind & 0x7fffffff == number:
                return at, size
            at += size

    def test_golden(self):
        code, said = check(self.folder, "--opaque-batches")
        self.assertEqual((code, said), (0, ""))
        read = sekisho_check.Remains(memoryview(self.remains.read_bytes()))
        self.assertEqual((read.first_seq, read.last_seq), (1, 10))
        self.assertEqual([f.seq for f in read.frames if f.alerts], [2, 5, 8])
        self.assertEqual([f.seq for f in read.frames if f.controls], [3, 7])
        self.assertEqual([f.seq for f in read.frames if f.environment], [1, 5, 9])
        self.assertEqual([bytes(a) for a in read.frames[1].alerts], [b'{"item":"one"}', b'{"item":"two"}'])
        reasons = [(start, reason) for topic, _, _, _, ranges in read.partitions
                   for kind, start, _, reason in ranges if kind == 2]
        self.assertEqual(reasons, [(29, b"QUARANTINE"), (69, b"QUARANTINE")])

    def test_every_flip_and_cut(self):
        data = bytearray(self.remains.read_bytes())
        for at in range(0, len(data), 37):
            data[at] ^= 1 << at % 8
            self.remains.write_bytes(data)
            self.finds(self.remains.name)
            data[at] ^= 1 << at % 8
        for length in (0, 100, 200, len(data) // 2, len(data) - 1):
            self.remains.write_bytes(data[:length])
            self.finds(self.remains.name)

    def test_missing(self):
        self.remains.unlink()
        self.finds("frame 1 should be the first")

    def test_other_name(self):
        self.remains.rename(self.remains.with_name("0000000000000002.rem"))
        self.finds("the file has the name of another")

    def test_beside_its_file(self):
        """They mean nothing then, whatever they hold."""
        next((self.folder / "log").glob("*.log")).unlink()
        for path in (GOLDEN / "log").iterdir():
            shutil.copy(path, self.folder / "log")
        self.remains.write_bytes(b"nothing")
        self.assertEqual(check(self.folder, "--opaque-batches")[0], 0)

    def test_other_history(self):
        """What is signed right but does not lead to the file behind it."""
        original = self.remains.read_bytes()
        hashes, size = self.content(1)
        for at, text in ((hashes + size - 1, "is not that of the last frame"), (120, "not that of"),
                         (88, "broken between"), (72, "epoch or tick"), (16, "another store")):
            data = bytearray(original)
            data[at] ^= 1
            self.sign(data)
            code, said = check(self.folder, "--opaque-batches")
            self.assertEqual(code, 1)
            self.assertTrue(text in said or "chain" in said, said)

    def test_other_ranges(self):
        """One partition fewer, packed and signed right: the checkpoint behind it says otherwise."""
        data = bytearray(self.remains.read_bytes())
        at, size = self.content(2)
        raw_size = struct.unpack_from("<Q", data, at)[0]
        raw = bytearray(sekisho_check.sekisho_batch.unpack_zstd(data[at + 8:at + size], raw_size))
        topic = 2 + struct.unpack_from("<H", raw, 4)[0]
        struct.pack_into("<q", raw, 4 + topic + 4, 1)
        # One raw block: magic, single segment with an 8-byte size, last block of type raw.
        packed = (struct.pack("<IBQ", 0xFD2FB528, 0xE0, len(raw))
                  + struct.pack("<I", len(raw) << 3 | 1)[:3] + raw)
        content = struct.pack("<Q", len(raw)) + packed
        data[at - 8:at + size] = struct.pack("<Q", len(content)) + content
        struct.pack_into("<Q", data, 80, len(data) - 216)
        self.sign(data)
        self.finds("the checkpoint's ends differ")


class Sealed(unittest.TestCase):
    """The store of the next class with one municipality sealed, under two keys one after the other."""

    def setUp(self):
        self.folder = GOLDENS / "segments-v1-sealed"
        self.keys = sekisho_seal.Keyring((self.folder / "keyring").read_text())

    def level(self, keys):
        findings = sekisho_check.Findings()
        level = sekisho_check.sekisho_long_term.LongTerm(self.folder, findings, keys=keys)
        level.read()
        return level, findings.texts

    def test_primitive(self):
        """The example of draft-irtf-cfrg-xchacha, A.3.1."""
        key, nonce = bytes(range(0x80, 0xa0)), bytes(range(0x40, 0x58))
        more = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
        text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
                b"sunscreen would be it.")
        piece = bytes.fromhex(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
            "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
            "21f9664c97637da9768812f615c68b13b52e" "c0875924c1c7987947deafd8780acf49")
        self.assertEqual(sekisho_seal.open_xchacha20(key, nonce, piece, more), text)
        self.assertIsNone(sekisho_seal.open_xchacha20(key, nonce, piece, more + b"x"))
        self.assertIsNone(sekisho_seal.open_xchacha20(key, nonce, bytes([piece[0] ^ 1]) + piece[1:], more))

    def test_golden(self):
        level, said = self.level(self.keys)
        self.assertEqual((said, level.rows, level.segments, level.replaced), ([], 4644, 3, 1))
        self.assertEqual(len({number for tenant, number in self.keys.secrets}), 2)

    def test_without_keys(self):
        said = self.level(None)[1]
        self.assertEqual(sum("which is not there" in text for text in said), 2, said)

    def test_other_place(self):
        """Nothing of a sealed file opens under another name of its own."""
        path = next((self.folder / "seg" / "990001").glob("*.2.seg"))
        data = bytearray(path.read_bytes())
        data[36] ^= 1  # the generation, with all hashes made again
        data[56:64] = struct.pack("<Q", sekisho_check.sekisho_batch.xxhash.xxh3_64_intdigest(bytes(data[:56]), 0)
                                  if sekisho_check.sekisho_batch.xxhash else 0)
        size = struct.unpack_from("<Q", data, len(data) - 48)[0]
        data[-40:-8] = hashlib.sha256(data[:64] + data[-48 - size:-48]).digest()
        with self.assertRaisesRegex(sekisho_check.sekisho_batch.BadBatch, "does not open"):
            sekisho_check.sekisho_long_term.sekisho_segment.Segment(memoryview(data), self.keys)


class Census(unittest.TestCase):
    """The censuses in the footers."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name) / "store"
        shutil.copytree(GOLDENS / "segments-v1", self.folder)
        self.path = self.folder / "seg" / "990001" / "00079c0a.1.seg"
        self.path.chmod(0o644)

    def tearDown(self):
        self.temporary.cleanup()

    def segment(self, data):
        return sekisho_check.sekisho_long_term.sekisho_segment.Segment(memoryview(data))

    def test_golden(self):
        findings = sekisho_check.Findings()
        level = sekisho_check.sekisho_long_term.LongTerm(self.folder, findings)
        level.read()
        self.assertEqual((findings.texts, level.rows, level.segments), ([], 4644, 3))
        groups = self.segment(self.path.read_bytes()).groups
        self.assertTrue(groups and all(g.census and g.census.told & 1 for g in groups))

    def test_changed(self):
        """Rows that are counted elsewhere, with all hashes made again: seen by who reads the rows."""
        segment = self.segment(self.path.read_bytes())
        census = segment.groups[0].census
        (first, rows), (second, more) = list(census.rows.items())[:2]
        census.rows[first], census.rows[second] = more, rows
        self.assertNotEqual(rows, more)
        with self.assertRaisesRegex(sekisho_check.sekisho_batch.BadBatch, "census is not that of its rows"):
            list(segment.rows())


class Segments(unittest.TestCase):
    """Both levels: a log, and segments of two municipalities, one of them written again with late rows."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name) / "store"
        shutil.copytree(GOLDENS / "segments-v1", self.folder)
        for path in self.folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.town = self.folder / "seg" / "990001"
        self.many = self.folder / "seg" / "990002"
        self.first, self.again, self.next_hour = (
            self.town / name for name in ("00079c09.1.seg", "00079c09.2.seg", "00079c0a.1.seg"))

    def tearDown(self):
        self.temporary.cleanup()

    def finds(self, text):
        code, said = check(self.folder)
        self.assertEqual(code, 1, said)
        self.assertIn(text, said)

    def level(self):
        """What the long-term level alone has to say."""
        findings = sekisho_check.Findings()
        level = sekisho_check.sekisho_long_term.LongTerm(self.folder, findings)
        level.read()
        return level, findings.texts

    def test_golden(self):
        self.assertEqual(check(self.folder), (0, ""))
        level, said = self.level()
        self.assertEqual((said, level.rows, level.segments, level.replaced), ([], 4644, 3, 1))
        records = level.records[b"seclog.raw.990001.fw1", 0]
        self.assertEqual(sorted(records[4].rows), [0, 1])

    @unittest.skipIf(sekisho_check.sekisho_batch.xxhash is None, "without python3-xxhash no checksum is looked at")
    def test_every_flip(self):
        """What is damaged is named; the segment that was replaced means nothing."""
        shutil.rmtree(self.many)
        (self.folder / "seg" / "compacted").unlink()
        for path, step in ((self.next_hour, 91), (self.town / "catalog", 13), (self.town / "totals", 7)):
            data = bytearray(path.read_bytes())
            for at in list(range(0, len(data), step)) + list(range(len(data) - 48, len(data), 7)):
                data[at] ^= 1 << at % 8
                path.write_bytes(data)
                self.assertIn(path.name, "".join(self.level()[1]), f"byte {at}")
                data[at] ^= 1 << at % 8
            path.write_bytes(data[:-1])
            self.assertIn(path.name, "".join(self.level()[1]))
            path.write_bytes(data)
        self.first.write_bytes(b"")
        self.assertEqual(self.level()[1], [])

    def test_totals(self):
        """Control totals that are not the rows', with hashes that are right for them."""
        path = self.town / "totals"
        original = path.read_bytes()
        size = struct.unpack_from("<Q", original, 80)[0]
        changed = 0
        for at in range(88 + 24, 88 + size, 5):
            data = bytearray(original)
            data[at] ^= 1
            before = bytes(data[48:80])
            at = 80
            while at < len(data):
                end = at + 48 + struct.unpack_from("<Q", data, at)[0]
                before = hashlib.sha256(before + data[at:end - 40]).digest()
                data[end - 40:end - 8] = before
                at = end
            path.write_bytes(data)
            code, said = check(self.folder)
            self.assertEqual((code, "seg/990001/totals" in said), (1, True), said)
            changed += 1
        self.assertGreater(changed, 15)
        path.unlink()
        self.finds("seg/990001/totals is missing")

    def test_compacted(self):
        path = self.folder / "seg" / "compacted"
        data = bytearray(path.read_bytes())
        for at in range(len(data)):
            data[at] ^= 1 << at % 8
            path.write_bytes(data)
            level = sekisho_check.sekisho_long_term.LongTerm(self.folder, sekisho_check.Findings())
            level.read_compacted()
            self.assertEqual(level.findings.count, 1)
            data[at] ^= 1 << at % 8

    def test_missing(self):
        self.next_hour.unlink()
        self.finds("seg/990001/00079c0a.1.seg is missing")
        shutil.rmtree(self.many)
        self.finds("seg/990002/catalog is missing")

    def test_other_generation(self):
        shutil.copy(self.first, self.again)
        self.finds("00079c09.2.seg: another length than the catalog says")

    def test_catalog_cut(self):
        """Whole records are gone: what is compacted reaches further."""
        path = self.town / "catalog"
        data = path.read_bytes()
        size = 40 + struct.unpack_from("<Q", data, 64)[0]
        path.write_bytes(data[:64 + size])
        self.finds("the end was cut off")

    def test_rows_of_no_log(self):
        """A log that ends before what the segments hold."""
        path = next((self.folder / "log").iterdir())
        data, at, places = path.read_bytes(), struct.unpack_from("<I", path.read_bytes(), 8)[0], []
        while at < len(data):
            places.append(at)
            at += 112 + struct.unpack_from("<Q", data, at + 40)[0]
        path.write_bytes(data[:places[-1]])
        self.finds("is in a segment and nowhere in the log")

    def test_rows_that_count_twice(self):
        """The catalog reaches less far than its segments: the log's rows count as well."""
        path = self.town / "catalog"
        data = bytearray(path.read_bytes())
        at = 64 + 40 + struct.unpack_from("<Q", data, 64)[0]
        size = struct.unpack_from("<Q", data, at)[0]
        struct.pack_into("<Q", data, at + 16, struct.unpack_from("<Q", data, 64 + 16)[0])
        data[at + 8 + size:] = hashlib.sha256(data[at - 32:at + 8 + size]).digest()
        path.write_bytes(data)
        (self.folder / "seg" / "compacted").unlink()
        self.finds("is in a segment and counts in the log")


class FakeCodec:
    """A batch is its rows."""
    BadBatch = ValueError

    @staticmethod
    def tenant_rows(blob):
        return [(990001, row) for row in blob]


class FakeFrame:
    seq = 1

    def __init__(self, ranges, *batches):
        self.partitions = [(b"t", 0, ranges[0][1], ranges[-1][2], ranges)]
        self.batches = batches


class Contents(unittest.TestCase):
    """I1, I2 and I3 of the records inside batches."""

    def setUp(self):
        self.findings = sekisho_check.Findings()
        self.records = sekisho_check.Records(self.findings, keep=True)
        self.records.codec = FakeCodec

    def finds(self, *texts):
        self.assertEqual(len(self.findings.texts), len(texts), self.findings.texts)
        for text, found in zip(texts, self.findings.texts):
            self.assertIn(text, found)

    def test_lines_of_a_record_in_two_batches(self):
        self.records.frame(FakeFrame([(0, 5, 7, b"")], [(b"t", 0, 5, 0, b"a\n"), (b"t", 0, 6, 0, b"")],
                                     [(b"t", 0, 5, 1, b"b")]))
        for offset, data in ((5, b"a\nb"), (6, b"")):
            self.records.compare_line({"topic": "t", "partition": 0, "offset": offset,
                                       "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        self.finds()

    def test_missing_row(self):
        self.records.frame(FakeFrame([(0, 5, 7, b"")], [(b"t", 0, 5, 0, b"a")]))
        self.finds("I1 t/0, frame 1: offset 6 is DATA and has no row")

    def test_row_twice(self):
        self.records.frame(FakeFrame([(0, 5, 6, b"")], [(b"t", 0, 5, 0, b"a")],
                                     [(b"t", 0, 5, 0, b"a")]))
        self.finds("I2 t/0, frame 1: offset 5 has the rows [0, 0]")

    def test_row_outside(self):
        self.records.frame(FakeFrame([(0, 5, 6, b""), (3, 6, 7, b"gone")],
                                     [(b"t", 0, o, 0, b"a") for o in (5, 6, 9)]))
        self.finds("I2 t/0, frame 1: offset 6 has rows", "I2 t/0, frame 1: offset 9 has rows")

    def test_journal(self):
        self.records.frame(FakeFrame([(0, 5, 6, b"")], [(b"t", 0, 5, 0, b"a")]))
        sent = {"topic": "t", "partition": 0, "offset": 5, "bytes": 1, "sha256": "00" * 32}
        self.records.compare_line(sent)
        self.records.compare_line(sent | {"bytes": 2})
        self.records.compare_line(sent | {"offset": 8})
        self.finds("differ from those sent", "1 bytes kept, 2 sent", "not in the store")


if __name__ == "__main__":
    unittest.main()
