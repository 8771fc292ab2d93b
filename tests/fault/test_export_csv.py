#!/usr/bin/env python3
"""`export --csv` gives hostile values to a spreadsheet as text: Python's csv module reads back each of them, no cell is one
that a spreadsheet would run, numbers are numbers, and what was put in front can be taken off again. What a cell must be is
worked out here from the NDJSON, without the program's rules at hand."""
import csv
import io
import re
import sys

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from csv_cells import expected, runs, shown  # noqa: E402
from sekisho import LONG, Steps, ndjson, need_binary, run, seeded_random, temp_dir  # noqa: E402

TENANT = "052027"
STARTS = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "'", " ", "\u3000", "\u00a0", "\ufeff", "", "x", ";", ",", "|", "%"]
MIDDLES = ["cmd|' /C calc'!A0", "1+1", "SUM(A1:A9)", "a,b;c", "\x00\x01\x1b[31m\x7f", "\u0085\u009b", "\u202eevil\u2066", "町役場",
           "葛\U000e0100城", "HYPERLINK(http://192.0.2.9)", "line\rbreak", "tab\tbed", "'''", "\\x00 \\u{202e}", "\u2028", ""]
COLUMNS = ["kafka.offset", "user.name", "message", "source.ip", "source.bytes", "sekisho.time.source"]


def line(user, message, sent):
    """FortiGate's; values between quotes hold everything but quotes, backslashes and line feeds."""
    return (b'date=2026-10-05 time=09:00:00 devname="FG" eventtime=1791158400000000000 tz="+0900" type="traffic" '
            b'srcip=192.0.2.7 srcport=1024 dstip=198.51.100.9 dstport=443 proto=6 action="accept" '
            b'user="' + user + b'" sentbyte=' + str(sent).encode() + b' msg="' + message + b'"\n')


def clean(text):
    return text.replace(b'"', b"").replace(b"\\", b"/").replace(b"\n", b"")


def values(random, count):
    """Beginnings and middles of all kinds, then bytes at random."""
    for start in STARTS:
        for middle in MIDDLES:
            yield clean((start + middle).encode())
    for _ in range(count):
        yield clean(bytes(random.choices([*b"=+-@'\t\r,;x0 ", 0, 7, 0x7f, 0x80, 0xc2, 0xe3, 0xef, 0xbc, 0x9d, 0xff], k=random.randrange(12))))


def joined(value):
    """A field that occurs twice, or none."""
    if value is None:
        return ""
    return ";".join(sorted(set(value))) if isinstance(value, list) else value


def check_cells(step, folder, data, count):
    done = run("export", "--data", data, "--csv", "--fields", ",".join(COLUMNS))
    assert done.stdout.startswith(b"\xef\xbb\xbf") and done.stdout.endswith(b"\r\n")
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", done.stdout), "a control character in the file"
    rows = list(csv.reader(io.StringIO(done.stdout.decode("utf-8-sig"), newline=""), strict=True))
    assert rows[0] == COLUMNS, rows[0]
    truth = {o["kafka.offset"]: o for o in ndjson(run("export", "--data", data).stdout)}
    assert len(rows) - 1 == len(truth) == count, (len(rows), len(truth), count)
    plain = 0
    for row in rows[1:]:
        assert len(row) == len(COLUMNS), row
        cell = dict(zip(COLUMNS, row))
        event = truth[int(cell["kafka.offset"])]
        for name in ("user.name", "message"):
            text = joined(event.get(name))
            assert cell[name] == expected(text), (name, text, cell[name])
            assert not runs(cell[name]), (name, cell[name])
            back = cell[name][1:] if cell[name].startswith("'") else cell[name]
            if shown(text) == text:
                assert back == text, (name, text, back)
                plain += 1
        assert cell["source.ip"] == "192.0.2.7" and cell["sekisho.time.source"] == "device", cell
        assert int(cell["source.bytes"]) == event["source.bytes"], cell
    step(f"{count} rows of hostile values read back, {plain} cells as they were")
    return done.stdout


def check_forms(step, data, whole):
    assert run("export", "--data", data, "--csv", "--no-bom", "--fields", ",".join(COLUMNS)).stdout == whole[3:]
    default = run("export", "--data", data, "--csv").stdout
    assert default[3:] == run("search", "", "--data", data, "--csv").stdout, "search and export write other cells"
    few = run("export", "--data", data, "--csv", "--fields", "kafka.offset", "--query", "kafka.offset>=3 and kafka.offset<6").stdout
    assert few[3:] == b"kafka.offset\r\n3\r\n4\r\n5\r\n", few
    none = run("export", "--data", data, "--csv", "--fields", "user", "--until", "2020-01-01T00:00:00Z").stdout
    assert none == b"\xef\xbb\xbfuser.name\r\n", none
    for wrong, word in ((["--csv", "--fields", "no_such"], b"no_such"), (["--csv", "--fields", "user | head 1"], b"--fields"),
                        (["--fields", "user"], b"--csv"), (["--query", "a"], b"--csv"), (["--csv", "--raw"], b"exclude"),
                        (["--csv", "--query", "a | head"], b"pipes"), (["--csv", "--query", "user:("], b"query:1:")):
        done = run("export", "--data", data, *wrong, check=2)
        assert word in done.stderr and not done.stdout, (wrong, done.stderr, done.stdout)
    step("the byte order mark, columns by choice, conditions, and wrong ones refused")


def main():
    need_binary()
    step, random = Steps(), seeded_random()
    with temp_dir() as folder:
        drawn = list(values(random, 20000 if LONG else 2000))
        lines = [line(user, drawn[-1 - at], at) for at, user in enumerate(drawn)]
        (folder / "fw1.log").write_bytes(b"".join(lines))
        data = folder / "data"
        run("replay", "--data", data, "--tenant", TENANT, "--format", "fortigate", folder / "fw1.log")
        before = check_cells(step, folder, data, len(lines))
        check_forms(step, data, before)
        run("compact", "--data", data)
        assert run("export", "--data", data, "--csv", "--fields", ",".join(COLUMNS)).stdout == before
        step("segments give the same")
    print("passed")


if __name__ == "__main__":
    main()
