#!/usr/bin/env python3
"""The transport that a line implies without naming it (BIND's T, DHCP, Squid's result code) is a value like any other: parse
prints it, a store keeps it through compaction, searches find it, and what a line says itself wins."""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import ndjson, need_binary, run, temp_dir  # noqa: E402

TENANT = "052027"
CASES = {
    "bind": [
        ("client @0x7f 192.0.2.7#40000 (a.example.jp): query: a.example.jp IN A +E(0)TK (192.0.2.53)", "tcp"),
        ("client 192.0.2.7#40001 (b.example.jp): query: b.example.jp IN A +ET (192.0.2.53)", "tcp"),
        ("client 192.0.2.7#40002 (c.example.jp): query: c.example.jp IN A - (192.0.2.53)", "udp"),
        ("client 192.0.2.7#40003: TCP: query: d.example.jp IN A response: NXDOMAIN +AE", "TCP"),
        ("client 192.0.2.7#40004 (T.example.jp): answer: T.example.jp IN TXT (192.0.2.53) -> NOERROR", None),
        ("zone example.jp/IN: Transfer started.", None),
    ],
    "infoblox": [
        ("DHCPACK on 192.0.2.77 to 02:00:00:00:00:07 (pc7) via eth2", "udp"),
        ("client 192.0.2.7#40000 (a.example.jp): query: a.example.jp IN A +T (192.0.2.53)", "tcp"),
        ("r-l-e:192.0.2.77,Issued,pc7,02:00:00:00:00:07,1795222800,1795226400,,$", None),
    ],
    "squid": [
        ("1795222800.123 10 192.0.2.7 TCP_MISS/200 100 GET http://a.example.jp/ - HIER_DIRECT/198.51.100.9 text/html", "tcp"),
        ("1795222800.124 10 192.0.2.7 UDP_HIT/000 100 ICP_QUERY http://b.example.jp/ - HIER_NONE/- -", "udp"),
        ("1795222800.125 10 192.0.2.7 NONE/400 100 GET error:invalid-request - HIER_NONE/- text/html", None),
    ],
}


def transports(rows):
    return {row["event.original"]: row.get("network.transport") for row in rows}


def parsed(format_name, lines):
    done = run("parse", "--raw", "--format", format_name, "--reference-time", "2026-12-01T00:00:00Z", "-",
               stdin=("\n".join(lines) + "\n").encode())
    return transports(json.loads(line) for line in done.stdout.splitlines())


def found(data, query):
    return set(run("search", query, "--data", data, "--raw", check=None).stdout.decode().splitlines())


def check_store(folder, format_name, expected):
    data = folder / format_name
    path = folder / f"{format_name}.log"
    path.write_text("\n".join(expected) + "\n")
    run("replay", "--data", data, "--tenant", TENANT, "--format", format_name, path)
    for compacted in (False, True):
        if compacted:
            run("compact", "--data", data)
        kept = [row.get("network.transport") for row in ndjson(run("export", "--data", data).stdout)]
        assert kept == list(expected.values()), (format_name, compacted, kept)
        for name in ("tcp", "udp"):
            want = {line for line, value in expected.items() if value is not None and value.lower() == name}
            have = found(data, f"network.transport:{name}")
            assert have == want, (format_name, compacted, name, have ^ want)


def main():
    need_binary()
    with temp_dir() as folder:
        for format_name, cases in CASES.items():
            expected = dict(cases)
            got = parsed(format_name, expected)
            assert got == expected, (format_name, {line: value for line, value in got.items() if value != expected[line]})
            # Alone, too: no row takes what another one of its batch said.
            for line, value in cases:
                assert parsed(format_name, [line]) == {line: value}, line
            check_store(folder, format_name, expected)
    print(f"{sum(map(len, CASES.values()))} lines of {len(CASES)} formats, before and after compaction")
    return 0


if __name__ == "__main__":
    sys.exit(main())
