#!/usr/bin/env python3
"""`sekisho parse`: one object for each line, in the order of the lines, whatever the formats between them; and JSON over many lines.

The lines are those of all golden pairs, shuffled and repeated. SEKISHO_SEED the seed.
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import Steps, ndjson, run, seeded_random  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
LINES = 5000
ITEMS_READ = 200        # of an array; the rest is one text, with its blanks
LONG_BYTES = 3 << 20    # two of them are more than what is printed together


def golden_lines():
    """{folder: lines that are UTF-8 without what JSON writes in another way}"""
    found = {}
    for path in sorted(GOLDEN.glob("*/*.log")):
        lines = []
        for line in path.read_bytes().split(b"\n"):
            try:
                text = line.decode()
            except UnicodeDecodeError:
                continue
            if text.isprintable() and text:
                lines.append(text)
        found.setdefault(path.parent.name, []).extend(lines)
    return found


def parse(lines, *options, end="\n"):
    return ndjson(run("parse", "--reference-time", "2026-11-21T00:00:00Z", *options, stdin=(end.join(lines) + end).encode()).stdout)


def look_at_order(r, lines, step):
    mixed = [r.choice(lines) for _ in range(LINES)]
    long = "date=2026-11-21 time=10:00:00 srcip=192.0.2.7 msg="
    for n in range(4):
        mixed.insert(r.randrange(len(mixed)), long + str(n) * LONG_BYTES)
    rows = parse(mixed, "--raw")
    assert len(rows) == len(mixed), f"{len(rows)} objects for {len(mixed)} lines"
    for n, (line, row) in enumerate(zip(mixed, rows)):
        assert row["event.original"] == line, f"line {n}: {line[:80]}\nis given as: {row['event.original'][:80]}"
    formats = {row["sekisho.format"] for row in rows}
    assert len(formats) > 20, formats
    step(f"{len(rows)} lines of {len(formats)} formats, in their order")


def look_at_pretty(lines, step):
    """An object over many lines, as its sender's pretty printer writes it, says what it says on one."""
    count = 0
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if not isinstance(value, dict) or any(isinstance(v, list) and len(v) > ITEMS_READ for v in value.values()):
            continue
        one = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        wide = json.dumps(value, ensure_ascii=False, indent=2)
        crlf = json.dumps(value, ensure_ascii=False, indent="\t").replace("\n", "\r\n")
        rows = parse([one, wide, crlf], "-0", end="\0")
        assert len(rows) == 3, rows
        for row in rows:
            row.pop("kafka.offset", None)
        assert "sekisho.parse.error" not in rows[0] or rows[0]["sekisho.parse.error"] == rows[1]["sekisho.parse.error"], rows
        assert rows[1] == rows[0] and rows[2] == rows[0], f"{one[:200]}\n{differences(rows)}"
        count += 1
    step(f"{count} objects of JSON over many lines")


def differences(rows):
    return {key: [r.get(key) for r in rows] for row in rows for key in row if any(r.get(key) != rows[0].get(key) for r in rows)}


def look_at_deletions(step):
    """What is deleted is blocked where a scanner says it of malware, and not where a person does it to something of theirs."""
    cef = "CEF:0|Example|Suite|1|{}|{}|5|suser=taro fname=a.docx act={}"
    lines = [(cef.format("av-7", "File removed", "deleted cs1Label=VirusName cs1=Test"), "block"),
             (cef.format("av-8", "Infected file", "File deleted"), "block"),
             (cef.format("av-9", "Scan", "Deleted cat=Anti-Malware"), "block"),
             ("CEF:0|Trend Micro|Deep Security Agent|20|4000000|Test_file|6|act=Delete result=Deleted", "block"),
             (cef.format("audit-1", "Administrator removed", "deleted"), None),
             (cef.format("audit-2", "Antivirus policy changed", "Deleted"), None),
             (cef.format("audit-3", "File", "File deleted cat=Audit"), None),
             ('{"log":"audit","action":"deleted","user":"taro","src_ip":"192.0.2.7"}', None),
             ('{"log":"av","action":"deleted","virusname":"Test","src_ip":"192.0.2.7"}', "block"),
             ('{"log":"audit","action":"Delete","status":"deleted","user":"taro","src_ip":"192.0.2.7"}', None)]
    for (line, wanted), row in zip(lines, parse([line for line, _ in lines])):
        assert row.get("event.action", "").lower().endswith(("delete", "deleted")), (line, row)
        assert row.get("sekisho.verdict", "unknown") == (wanted or "unknown"), (wanted, line, row)
    step(f"{len(lines)} deletions")


def main():
    step, r = Steps(), seeded_random()
    lines = golden_lines()
    look_at_order(r, [line for of in lines.values() for line in of], step)
    look_at_pretty(lines["json"] + lines["eve"], step)
    look_at_deletions(step)


if __name__ == "__main__":
    main()
