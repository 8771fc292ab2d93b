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

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = pathlib.Path(os.environ.get("SEKISHO_GOLDEN", HERE.parent / "golden")) / "log-v1"


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


class FakeCodec:
    """A batch is its rows."""
    BadBatch = ValueError

    @staticmethod
    def rows(blob):
        return blob


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
