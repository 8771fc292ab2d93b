#!/usr/bin/env python3
"""sekisho bench on golden lines: a row for each format that has some, with its cost per byte; the worst mutated line, which is kept
on demand; and what is refused."""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import Steps, run, temp_dir  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
SHORT = ("--repeat", "1", "--events", "1000", "--json")


def formats():
    """Those that have golden lines, by the list of the program's own."""
    text = run("parse", "--help").stdout.decode()
    names = next(line for line in text.splitlines() if line.startswith("Formats: "))[9:]
    return {name for name in names.replace(",", " ").replace(".", " ").split() if list((GOLDEN / name).glob("*.log"))}


def rows(*words):
    """The rows of a report by their names."""
    report = json.loads(run("bench", *words, *SHORT, timeout=600).stdout)
    return {row["name"]: row for row in report["rows"]}


def parse(step, want):
    """Each format is measured by itself."""
    got = rows("parse", "--golden", str(GOLDEN))
    assert set(got) == {f"parse.{name}" for name in want}, set(got) ^ {f"parse.{name}" for name in want}
    for name, row in got.items():
        lines = b"".join(p.read_bytes() for p in sorted((GOLDEN / name[6:]).glob("*.log"))).splitlines()
        assert row["events"] == 1000 or row["events"] == len(lines) > 1000, row
        assert abs(row["ns_per_byte"] - 1000 * row["median"] / row["line_bytes"]) < 0.01, row
        mean = sum(map(len, lines)) / len(lines)
        assert 0.5 * mean < row["line_bytes"] < 2 * mean, (row, mean)
    assert any("kept without being parsed" in row.get("note", "") for row in got.values())
    one = rows("parse", "--golden", str(GOLDEN), "--format", "squid")
    assert set(one) == {"parse.squid"}, one
    step(f"{len(got)} formats measured")


def mutate(step, folder):
    """The worst line is kept, and can be read again."""
    kept = folder / "worst"
    row = rows("mutate", "--golden", str(GOLDEN), "--format", "bind", "--write", str(kept))["mutate.bind"]
    assert row["unit"] == "times" and row["median"] > 0, row
    name, seed, size = row["note"].rsplit(", ", 2)
    line = (kept / "bind.log").read_bytes()
    assert name and len(line) == int(size.split()[0]) + 1 and line.count(b"\n") == 1, row
    got = rows("parse", "--lines", str(kept / "bind.log"), "--format", "bind")
    assert got["parse.bind"]["events"] == 1, got
    step("a mutation was kept and read again")


def refusals(step, folder):
    """Each says what is wrong and what to do."""
    (folder / "empty").mkdir()
    for words, code, saying in (
            (("mutate",), 2, "mutate needs --golden"),
            (("parse", "--format", "squid"), 2, "--format needs --lines or --golden"),
            (("parse", "--lines", "x"), 2, "--lines needs --format"),
            (("parse", "--lines", "x", "--format", "squid", "--golden", "y"), 2, "exclude each other"),
            (("store", "--golden", str(GOLDEN)), 2, "store takes no --golden"),
            (("parse", "--golden", str(GOLDEN), "--write", "x"), 2, "only mutate and rules take --write"),
            (("parse", "--golden", str(GOLDEN), "--format", "nonesuch"), 2, 'no format "nonesuch"'),
            (("parse", "--golden", str(folder / "empty")), 2, "tests/golden of the source is such a folder")):
        done = run("bench", *words, check=None, timeout=60)
        assert done.returncode == code and saying in done.stderr.decode(), (words, done.returncode, done.stderr)
        assert done.stdout == b"", words
    step("refusals")


def main():
    step = Steps()
    with temp_dir() as folder:
        parse(step, formats())
        mutate(step, folder)
        refusals(step, folder)


if __name__ == "__main__":
    main()
