#!/usr/bin/env python3
"""What the parsers make of log lines that nobody on this project wrote, held against what public parsers expect.

The corpus is not part of the repository; without it the test is skipped. Which of its fields can be trusted
(are golden) is said in its README; the sets below are that text. Every golden field must be there with the same
value; a field that a line has several times may have others beside it. So must they in a vendor's CEF and JSON lines,
which are read under the name of its format as well; lines of other products must be kept whole and say format_mismatch.
"""
import collections
import datetime
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import CORPUS, Steps, need_corpus, ndjson, run  # noqa: E402

GOLDEN = {
    "source.ip", "source.port", "source.nat.ip", "source.nat.port", "destination.ip", "destination.port",
    "destination.nat.ip", "destination.nat.port", "user.name", "http.request.method", "http.response.status_code",
    "user_agent.original", "dns.question.name", "rule.name", "observer.serial_number", "url.path", "url.domain",
    "url.query", "source.bytes", "destination.bytes", "network.transport", "@timestamp",
}
TRANSPORTS = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "41": "ipv6", "47": "gre", "50": "esp", "51": "ah",
              "58": "ipv6-icmp", "132": "sctp"}
# format, file, what makes a line one of this format, and how many of them there are. Six CEF lines of the
# FortiGate file lost the word CEF: and count as other variants, which a given format reads as well.
CASES = [
    ("fortigate", "fortigate", lambda raw: not re.match(r"(CEF:)?0\|", raw), 44),
    ("panos", "panos", lambda raw: not re.match(r"CEF:|\{", raw), 35),
    ("squid", "squid", lambda raw: True, 9),
    ("cisco_asa", "cisco-asa-ftd", lambda raw: "%ASA-" in raw, 37),
    ("iptables", "iptables", lambda raw: True, 3),
]
# The time of these is the line's own epoch or has an offset beside it; elsewhere the zone is a guess.
TIMED = re.compile(r"\beventtime=\"?\d{10}|^\d{10}\.\d{3} |\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)|"
                   r"\d\d:\d\d:\d\d [+-]\d{4}\b")
EXPORT = re.compile(r"(CEF:)?0\||\{")
# A client behind a tunnel: the parser here says that it acted from its own address, and calls the tunnel's host.ip.
TUNNEL = "b257fd30242b912b"
# An administrator's address in sproc, which names the interface that he came by ("https(192.0.2.7)", "jsconsole").
INTERFACE = "637ed9f2f08b8819"
# A serial number that is expected and not in the line, whose deviceExternalId is another.
SERIAL = "705d9c5906b202ae"
DELTAS = re.compile(r"\b(sentdelta|rcvddelta)=")
PACKET = re.compile(r"IN=\S* OUT=")  # its LEN is the length of one packet, not the bytes of a session


def parse(format_name, rows):
    """One object per row; rows may hold newlines."""
    data = b"".join(row + b"\0" for row in rows)
    done = run("parse", "--format", format_name, "--zone", "+00:00", "--raw", "-0", stdin=data)
    objects = ndjson(done.stdout)
    assert len(objects) == len(rows), f"{format_name}: {len(objects)} objects of {len(rows)} rows"
    return objects


def is_golden(key, expected, raw):
    """Some expectations are a public parser's guess and not in the line: a time read without the offset beside it,
    a transport protocol that the line does not name."""
    if key not in GOLDEN:
        return False
    if key == "@timestamp":
        local = re.match(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)", str(expected))
        guessed = local and "{}/{}/{} {}".format(*local.groups()) in raw
        return bool(TIMED.search(raw)) and not guessed
    if key == "network.transport":
        name = str(expected).lower()
        numbers = [n for n, t in TRANSPORTS.items() if t == name]
        return name in TRANSPORTS.values() and bool(
            re.search(rf"\b{name}\b", raw, re.I) or any(re.search(rf"\bproto=\"?{n}\b", raw) for n in numbers))
    return not (key in ("source.bytes", "destination.bytes") and (DELTAS.search(raw) or PACKET.search(raw)))


def instant(text):
    """Nanoseconds since 1970 of an RFC 3339 time."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    if not match:
        return text
    day, clock, fraction, zone = match.groups()
    moment = datetime.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}")
    return int(moment.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0")[:9])


def same(key, expected, found):
    if key == "@timestamp":
        # The corpus rounds to microseconds.
        pair = instant(str(expected)), instant(str(found))
        return all(isinstance(t, int) for t in pair) and abs(pair[0] - pair[1]) <= 1000
    if key == "network.transport":
        fold = lambda v: TRANSPORTS.get(str(v), str(v)).lower()
        return fold(expected) == fold(found)
    return str(expected) == str(found)


def line_of(case):
    """The corpus keeps some lines with the line feed behind them."""
    return case["raw"].rstrip("\r\n")


def check_other(case, got):
    """Lines of another variant: CEF or JSON of the device, or of a product whose messages are the same, rightly parsed.
    Others are not parsed and whole."""
    if not EXPORT.match(case["raw"]) and got.get("sekisho.parse.error") == "format_mismatch":
        return [] if got["event.original"] == line_of(case) else ["not whole"]
    accepted = {TUNNEL: ("source.ip:", "source.nat.ip:"), INTERFACE: ("source.ip:",),
                SERIAL: ("observer.serial_number:",)}.get(case["id"], ())
    return [w for w in check_case(case, got)[1] if not w.startswith(accepted)]


def check_case(case, got):
    """The golden fields of a case, and what differs."""
    golden = {k: v for k, v in case["expected"].items() if is_golden(k, v, case["raw"])}
    wrong = []
    if got.get("sekisho.parse.error"):
        wrong.append(f"sekisho.parse.error={got['sekisho.parse.error']}")
    if got.get("event.original") != line_of(case):
        wrong.append(f"event.original={got.get('event.original')!r}")
    for key, expected in sorted(golden.items()):
        found = got.get(key, [])
        wanted = expected if isinstance(expected, list) else [expected]
        values = found if isinstance(found, list) else [found]
        if not all(any(same(key, w, v) for v in values) for w in wanted):
            wrong.append(f"{key}: expected {expected!r}, found {found!r}")
    return len(golden), wrong


def conformance(step):
    failures = []
    for format_name, file_name, is_ours, count in CASES:
        path = need_corpus("conformance", f"{file_name}.ndjson")
        cases = ndjson(path)
        ours = [c for c in cases if is_ours(c["raw"])]
        others = [c for c in cases if not is_ours(c["raw"])]
        assert len(ours) == count, f"{path}: {len(ours)} cases of {format_name}, not {count}"
        fields = collections.Counter()
        for case, got in zip(ours, parse(format_name, [line_of(c).encode() for c in ours])):
            number, wrong = check_case(case, got)
            fields.update(right=number - sum(": expected" in w for w in wrong), all=number)
            failures += [f"{format_name} {case['id']} {case['path']}: {w}" for w in wrong]
        for case, got in zip(others, parse(format_name, [line_of(c).encode() for c in others])):
            failures += [f"{format_name} {case['id']} {case['path']}: another variant: {w}"
                         for w in check_other(case, got)]
        step(f"{format_name}: {len(ours)} cases, {fields['right']} of {fields['all']} golden fields; "
             f"{len(others)} of other variants")
    return failures


def i_filter(step):
    """The vendor's three sample lines carry no expected values: what a reader sees in them stands here."""
    folder = need_corpus("raw", "ifilter-vendor-faq")
    lines = [line.rstrip(b"\r\n") for path in sorted(folder.iterdir()) if path.name != "ORIGIN"
             for line in path.read_bytes().split(b"\n") if line.strip()]
    assert len(lines) == 3, f"{len(lines)} lines in {folder}"
    wrong = []
    for line in lines:
        text = line.decode()
        format_name = "i_filter" if re.search(r"\d\d\d\d/\d\d/|\d/\d\d/", text[:40]) else "d_spa"
        got = parse(format_name, [line])[0]
        address = re.search(r"(?<![\d.:])(192\.168\.1\.\d+)(?![\d.:])", text).group(1)
        url = re.search(r"https?://([^/ \"]+)", text).group(1)
        action = re.search(r"\b(block)\b", text).group(1)
        hosts = got.get("url.domain")
        for name, right in (("parse.error", not got.get("sekisho.parse.error")),
                            ("source.ip", address in str(got.get("source.ip"))),
                            ("url.domain", url in (hosts if isinstance(hosts, list) else [hosts])),
                            ("event.action", action in str(got.get("event.action"))),
                            ("verdict", got.get("sekisho.verdict") in ("block", "deny"))):
            if not right:
                wrong.append(f"{format_name} {text[:60]!r}: {name}: {json.dumps(got)[:900]}")
    golden = 0
    for name in ("i_filter", "d_spa"):
        for path in sorted((ROOT / "tests" / "golden" / name).glob("*.log")):
            if path.stem == "broken":
                continue
            rows = [r for r in path.read_bytes().split(b"\n") if r]
            golden += sum(not o.get("sekisho.parse.error") for o in parse(name, rows))
    if golden < 10:
        wrong.append(f"i_filter: only {golden} lines of our own parse")
    step(f"i_filter: {len(lines)} lines of the vendor, {golden} of our own")
    return wrong


def traffic(step, prefix, format_name):
    """Every line of real traffic parses."""
    folder, failures, total = need_corpus("traffic"), [], 0
    for path in sorted(folder.glob(f"{prefix}-*/*.log")):
        rows = [r for r in path.read_bytes().split(b"\n") if r.strip()]
        with open(path, "rb") as stream:
            done = run("parse", "--format", format_name, "--zone", "+00:00", stdin=stream)
        lines = done.stdout.split(b"\n")
        bad = [line for line in lines if b'"sekisho.parse.error"' in line and
               json.loads(line)["event.original"].strip()]
        total += len(rows)
        if bad:
            failures.append(f"{path.relative_to(folder)}: {len(bad)} of {len(rows)}: {bad[0].decode()[:900]}")
        if len(lines) - 1 < len(rows):
            failures.append(f"{path.relative_to(folder)}: {len(lines) - 1} objects of {len(rows)} lines")
    step(f"{format_name}: {total} lines of real traffic, {len(failures)} files with unparsed lines")
    return failures


def main():
    step = Steps()
    print(f"corpus: {CORPUS}")
    need_corpus("README.md")
    failures = conformance(step) + i_filter(step) + traffic(step, "fortigate", "fortigate")
    print("\n".join(failures))
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
