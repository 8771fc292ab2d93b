#!/usr/bin/env python3
"""Real log lines of many vendors, each with the fields that a public parser gets out of it: `sekisho parse` says the same.

usage: test_conformance.py [--show] [--auto] [CORPUS-FILE...]

The corpus (conformance/ in it) is not part of the repository; without it the test is skipped. What is compared are the
fields that its README calls golden, of every line whose format has a parser here; bytes and times only where it says
so. Every line comes back byte for byte. A difference that is right the way it is stands in ACCEPTED with its reason;
there are no more of them than stand there. Files of formats without a parser are told and counted apart.

--show prints every difference that is not accepted; --auto prints each line that `--format auto` names differently.
Both look at the named files only, where there are any.
"""
import argparse
import collections
import datetime
import ipaddress
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import need_binary, need_corpus, run, temp_dir  # noqa: E402

# Accepted differences count as equal. Of the fields 97.3 % are equal without them.
EQUAL_LEAST = 0.99
AUTO_LEAST = 0.99
REFERENCE = "2026-12-01T00:00:00Z"  # near what stamps without a year expect

# What a file's lines are written in. The first pattern that the line matches names the format; None: whatever is not ours.
CEF = r"\s*(<\d+>)?\s*(\w+:)?(CEF:\s*)*0\|"
LEEF = r"\s*(<\d+>)?\s*(LEEF:\s*)?[12]\.0\|"
JSON = r"\s*\{"
FORMATS = {
    "apache": [(r"", "combined")],
    "aws-cloudfront": [(JSON, "json"), (r"", "elff")],
    "aws-vpcflow": [(JSON, "json"), (r"", "aws_flow")],
    "aws-waf": [(r"", "json")],
    "azure-appgw": [(r"", "json")],
    "azure-frontdoor": [(r"", "json")],
    "azure-nsgflow": [(r"", "json")],
    "barracuda": [(r"", "barracuda")],
    "bind": [(r"", "bind")],
    "bluecoat-cloudswg": [(JSON, "json"), (r"", "elff")],
    "bluecoat-proxysg": [(JSON, "json"), (r"", "elff")],
    "cato": [(JSON, "json"), (CEF, "cef"), (r"", None)],
    "cef-generic": [(r"", "cef")],
    "checkpoint": [(CEF, "cef"), (LEEF, "leef"), (r"", "checkpoint")],
    "checkpoint-hec": [(r"", "json")],
    "cisco-asa-ftd": [(r".*%[A-Z]+-\d-43000\d", "cisco_ftd"), (r"", "cisco_asa")],
    "cisco-ios": [(r"", "cisco_ios")],
    "cisco-meraki": [(r"", "cisco_meraki")],
    "cisco-umbrella-dns": [(r"", "umbrella")],
    "cisco-umbrella-proxy": [(r"", "umbrella")],
    "cisco-wsa": [(r"", "cisco_wsa")],
    "citrix-adc": [(CEF, "cef"), (r"", "citrix_adc")],
    "clavister": [(r"", "clavister")],
    "cloudflare-dns": [(r"", "json")],
    "cloudflare-fw": [(r"", "json")],
    "cloudflare-gw-dns": [(r"", "json")],
    "cloudflare-gw-http": [(r"", "json")],
    "cloudflare-gw-network": [(r"", "json")],
    "cloudflare-http": [(r"", "json")],
    "efficientip": [(r"DHCP", "infoblox"), (r"(DIS)?ARMING", None), (r"", "bind")],
    "ekinops": [(r"", "ekinops")],
    "f5-bigip": [(CEF, "cef"), (r"", "f5")],
    "f5-xc": [(r"", "json")],
    "forcepoint-ngfw": [(CEF, "cef"), (LEEF, "leef"), (r"", "forcepoint")],
    "forcepoint-swg": [(CEF, "cef"), (LEEF, "leef"), (r"", "forcepoint")],
    "fortigate": [(CEF, "cef"), (r"", "fortigate")],
    "fortiproxy": [(CEF, "cef"), (r"", "fortiproxy")],
    "fortiweb": [(CEF, "cef"), (r"", "fortigate")],
    "gcp-lb": [(r"", "json")],
    "gcp-vpcflow": [(r"", "json")],
    "haproxy": [(r"", "haproxy")],
    "imperva-waf": [(CEF, "cef"), (LEEF, "leef"), (r"", None)],
    "infoblox": [(CEF, "cef"), (r"", "infoblox")],
    "iptables": [(r"", "iptables")],
    "isc-dhcpd": [(r"", "infoblox")],
    "juniper-srx": [(r"", "juniper_srx")],
    "netflow": [(r"", "json")],
    "netskope-events": [(JSON, "json"), (CEF, "cef"), (r"", "netskope")],
    "netskope-transaction": [(r"", "netskope")],
    "netskope-transaction-s3": [(r"", "netskope")],
    "nginx": [(JSON, "json"), (r"", "combined")],
    "ogo": [(JSON, "json"), (r"", None)],
    "olfeo": [(r"", "squid")],
    "olfeo-saas": [(JSON, "json"), (r"", None)],
    "openvpn": [(r"", "openvpn")],
    "panos": [(CEF, "cef"), (LEEF, "leef"), (JSON, "json"), (r"", "panos")],
    "pf-openbsd": [(r"", "filterlog")],
    "prisma-access": [(CEF, "cef"), (LEEF, "leef"), (JSON, "json"), (r"", "panos")],
    "pulse-connect": [(r"", "pulse_connect")],
    "skyhigh-swg": [(r"", "skyhigh")],
    "sonicwall": [(CEF, "cef"), (r"", "sonicwall")],
    "sophos-xg": [(r"", "sophos")],
    "squid": [(r"", "squid")],
    "stormshield": [(r"", "stormshield")],
    "suricata": [(r"", "eve")],
    "ubika-waap": [(r"[^{]*\s\{", "json"), (JSON, "json"), (CEF, "cef"), (r"", "combined")],
    "unbound": [(r"", "unbound")],
    "watchguard": [(LEEF, "leef"), (r"", "watchguard")],
    "zscaler-zia": [(JSON, "json"), (CEF, "cef"), (r"", "zscaler")],
}

# Formats that share lines with others: `--format auto` may name any of them.
SAME_LINES = [{"fortigate", "fortiproxy"}, {"bind", "infoblox"}]

GOLDEN = [
    "source.ip", "source.port", "destination.ip", "destination.port", "source.nat.ip", "source.nat.port",
    "destination.nat.ip", "destination.nat.port", "user.name", "http.request.method", "http.response.status_code",
    "user_agent.original", "dns.question.name", "rule.name", "observer.serial_number", "url.path", "url.domain",
    "url.query", "source.bytes", "destination.bytes", "network.transport", "@timestamp",
]
BYTES = {"source.bytes", "destination.bytes"}
NO_BYTES = {  # file: lines whose bytes are not golden
    "fortigate": r".*(sentdelta|rcvddelta)",
    "iptables": r"",
    "netskope-transaction": r"",
    "netskope-transaction-s3": r"",
}
TRANSPORTS = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "51": "ah", "58": "ipv6-icmp",
              "89": "ospf", "103": "pim", "112": "vrrp", "132": "sctp", "icmp6": "ipv6-icmp", "icmpv6": "ipv6-icmp"}
OFFSET = re.compile(r"\d\d:\d\d:\d\d([.,]\d+)? ?(Z\b|UTC|GMT|[+-]\d\d:?\d\d\b)|(tz|timezone)=\W*[+-]\d\d", re.I)
YEARLESS = re.compile(r"\b[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d")

# (file, field): (how many lines, why ours is right or no worse).
NO_TAG = "a line without its %ASA tag: only the tag says what the line is"
NO_SCHEME = "a URL without a scheme: what stands before its first slash is the host, the path begins with the slash"
QUERY = "a path ends where its query begins"
DEVICE = "dvchost and the host of the syslog header are the appliance; url.domain is the Host header"
ACCEPTED = {
    ("cisco-asa-ftd", "source.ip"): (1, "the tunnel's address is host.ip: the client acted from its own"),
    ("cisco-asa-ftd", "source.nat.ip"): (1, "the same"),
    ("cisco-asa-ftd", "user.name"): (1, NO_TAG),
    ("cisco-asa-ftd", "network.transport"): (1, "the protocol of a configuration's origin (http) is no transport"),
    ("cisco-ios", "source.port"): (4, "localport is the device's port: the destination's"),
    ("cisco-ios", "@timestamp"): (1, "a zone in the text's end is not that of its stamp"),
    ("fortigate", "@timestamp"): (2, "time of day without a date, and an arrival that the manager wrote"),
    ("sophos-xg", "source.bytes"): (1, "the size in UTM's reverse proxy log is that of the answer"),
    ("stormshield", "destination.nat.ip"): (2, "the source's own address is no translated destination"),
    ("stormshield", "destination.nat.port"): (2, "the source's own port is no translated destination"),
    ("fortiweb", "user.name"): (2, "cloud edition of another layout; the word Unknown for no user"),
    ("fortiweb", "url.path"): (1, QUERY),
    ("panos", "@timestamp"): (2, "the same as prisma-access"),
    ("prisma-access", "@timestamp"): (1, "the log carries an offset apart from the time that was taken for UTC"),
    ("barracuda", "dns.question.name"): (1, "the name of a domain whose users are synchronised is no question of DNS"),
    ("cef-generic", "url.path"): (2, "request= holds the path of a local file, C:\\..., no URL"),
    ("cisco-umbrella-proxy", "source.ip"): (1, "the third column is the internal address, as in the DNS log"),
    ("cisco-umbrella-proxy", "source.nat.ip"): (1, "the fourth is the external one"),
    ("efficientip", "network.transport"): (26, "said of every line of the product; the line does not tell, zone transfers are TCP"),
    ("f5-bigip", "url.domain"): (10, DEVICE),
    ("f5-bigip", "url.path"): (2, NO_SCHEME),
    ("f5-bigip", "rule.name"): (1, "the first words of the message; the policy that is named in it is ours"),
    ("f5-bigip", "@timestamp"): (1, "the stamp has no offset, the agent's version has: the source's zone"),
    ("fortigate", "observer.serial_number"): (1, "a value that is not in the line's own deviceExternalId"),
    ("imperva-waf", "url.path"): (11, NO_SCHEME),
    ("imperva-waf", "url.query"): (2, "CEF's escape of an equals sign is not part of the value"),
    ("nginx", "url.domain"): (2, "the host that the client asked for, not that of the upstream or a responder"),
    ("nginx", "destination.ip"): (1, "the Host header that a client sends is a name, even where it is written as an address"),
    ("olfeo-saas", "url.path"): (1, "a host alone has no path"),
    ("pulse-connect", "url.path"): (2, QUERY),
    ("pulse-connect", "user.name"): (1, "DOMAIN\\user has both apart"),
    ("skyhigh-swg", "url.path"): (1, QUERY),
    ("skyhigh-swg", "user.name"): (1, "the same as pulse-connect"),
    ("zscaler-zia", "url.path"): (3, NO_SCHEME),
    ("zscaler-zia", "source.bytes"): (1, "inbytes came from the server: so the vendor's list of fields and its LEEF feed (dstBytes) say"),
    ("zscaler-zia", "destination.bytes"): (1, "the same"),
}
ACCEPTED_AUTO = {  # file: (how many lines, why)
    "cisco-asa-ftd": (1, NO_TAG),
    "fortiweb": (1, "cloud edition of another layout"),
    "juniper-srx": (5, "lines of sshd, cron and the like, which any Unix writes"),
    "suricata": (1, "a report of the probe's own memory, no event of the engine"),
}


def expected_format(name, raw):
    for pattern, format_name in FORMATS[name]:
        if re.match(pattern, raw, re.S):
            return format_name
    raise ValueError(f"{name}: no pattern takes {raw[:80]!r}")


def seconds_of(stamp):
    return datetime.datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).timestamp()


def is_address(text):
    try:
        ipaddress.ip_address(str(text))
        return True
    except ValueError:
        return False


def is_golden(name, field, raw, expected):
    """Whether the README lets the field of this line be compared."""
    if field in BYTES and name in NO_BYTES:
        return not re.match(NO_BYTES[name], raw, re.S)
    if field == "@timestamp":
        if YEARLESS.search(raw):
            return False  # its year is the reference's
        epoch = str(int(seconds_of(expected)))
        return epoch in raw or OFFSET.search(raw) is not None
    return True


def plain(field, value):
    """A value as both sides may write it."""
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if field.endswith(".ip"):
        return str(ipaddress.ip_address(text)) if is_address(text) else None
    if field == "@timestamp":
        return int(seconds_of(text) * 1000 + 1e-4)  # what lies below a millisecond is not compared
    if field == "network.transport":
        return TRANSPORTS.get(text.lower(), text.lower())
    if field == "url.query":
        return text.removeprefix("?")
    return text


def same(field, expected, ours):
    """Whether one of our values is the one that is expected; an impossible address has to be absent."""
    wanted = {plain(field, one) for one in (expected if isinstance(expected, list) else [expected])}
    have = [] if ours is None else ours if isinstance(ours, list) else [ours]
    if wanted == {None}:
        return not have
    return any(plain(field, one) in wanted for one in have)


def without_end(raw):
    """The line, and what it is without its end."""
    return raw, raw.removesuffix("\n"), raw.removesuffix("\r\n")


def parse(folder, format_name, cases):
    """One object for each case; in their order, unless the format is auto."""
    path = folder / "lines"
    path.write_bytes(b"".join(case["raw"].encode() + b"\0" for case in cases))
    done = run("parse", "-0", "--raw", "--format", format_name, "--reference-time", REFERENCE, path, timeout=120)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if len(rows) != len(cases):
        raise AssertionError(f"{format_name}: {len(cases)} lines went in, {len(rows)} rows came out")
    return rows


class Count:
    """What became of the lines of a file."""

    def __init__(self):
        self.cases = self.missing = self.compared = self.equal = self.accepted = self.broken = 0
        self.auto = self.auto_right = 0
        self.differing = []  # (field, expected, ours, raw)

    def add(self, other):
        for name in ("cases", "missing", "compared", "equal", "accepted", "broken", "auto", "auto_right"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.differing += other.differing


def compare(count, name, case, row):
    raw = case["raw"]
    count.broken += row.get("event.original") not in without_end(raw)
    for field in GOLDEN:
        expected = case["expected"].get(field)
        if expected is None or not is_golden(name, field, raw, expected):
            continue
        count.compared += 1
        if same(field, expected, row.get(field)):
            count.equal += 1
        else:
            count.differing.append((field, expected, row.get(field), raw))


def judge_file(folder, name, cases, known):
    count = Count()
    groups = collections.defaultdict(list)
    for case in cases:
        groups[expected_format(name, case["raw"])].append(case)
    for format_name, members in groups.items():
        count.cases += len(members)
        if format_name not in known:
            count.missing += len(members)
            continue
        for case, row in zip(members, parse(folder, format_name, members)):
            compare(count, name, case, row)
    return count


def accept(count, name):
    """Take the accepted differences out; what is listed and does not occur is an error, too."""
    stale = []
    for (file, field), (most, _) in ACCEPTED.items():
        if file != name:
            continue
        found = [one for one in count.differing if one[0] == field]
        if len(found) < most and not count.missing:
            stale.append(f"{file} {field}: {most} differences are accepted, {len(found)} are there")
        if len(found) <= most:
            count.accepted += len(found)
            count.differing = [one for one in count.differing if one[0] != field]
    return stale


def may_be(found, wanted):
    return found == wanted or any({found, wanted} <= group for group in SAME_LINES)


def judge_auto(folder, counts, files, known, show):
    """`--format auto` over all lines that have a parser, in one stream; its rows come by format."""
    cases = [(name, case) for name, members in files.items() for case in members
             if expected_format(name, case["raw"]) in known]
    if not cases:
        return
    rows = {row["event.original"]: row for row in parse(folder, "auto", [case for _, case in cases])}
    for name, case in cases:
        row = next((rows[text] for text in without_end(case["raw"]) if text in rows), {})
        wanted, found = expected_format(name, case["raw"]), row.get("sekisho.format")
        right = may_be(found, wanted) and row.get("sekisho.parse.error") != "format_mismatch"
        counts[name].auto += 1
        counts[name].auto_right += right
        if show and not right:
            print(f"  {name}: {found} for {wanted}: {case['raw'][:160]!r}")


def auto_accepted(counts):
    return sum(min(most, counts[name].auto - counts[name].auto_right)
               for name, (most, _) in ACCEPTED_AUTO.items() if name in counts)


def print_table(counts):
    print(f"{'file':26}{'lines':>6}{'no parser':>11}{'fields':>8}{'equal':>7}{'accepted':>10}{'differ':>8}"
          f"{'not byte-equal':>16}{'auto':>10}")
    for name, c in counts.items():
        auto = f"{c.auto_right}/{c.auto}" if c.auto else "-"
        print(f"{name:26}{c.cases:6}{c.missing or '-':>11}{c.compared:8}{c.equal:7}{c.accepted:10}{len(c.differing):8}"
              f"{c.broken:16}{auto:>10}")


def known_formats():
    shown = run("parse", "--help", timeout=30).stdout.decode()
    return set(shown.split("Formats:")[1].split()) - {"template:FILE"}


def read_files(folder, only):
    files = {}
    for path in sorted(folder.glob("*.ndjson")):
        if only and path.stem not in only:
            continue
        if path.stem not in FORMATS:
            raise AssertionError(f"{path.name}: add it to FORMATS")
        files[path.stem] = [json.loads(line) for line in path.read_text().splitlines()]
    return files


def share(part, whole):
    return part / whole if whole else 1.0


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--show", action="store_true")
    options.add_argument("--auto", action="store_true")
    options.add_argument("only", nargs="*", metavar="CORPUS-FILE")
    asked = options.parse_args()
    need_binary()
    files = read_files(need_corpus("conformance"), asked.only)
    known = known_formats()
    with temp_dir() as folder:
        counts = {name: judge_file(folder, name, cases, known) for name, cases in files.items()}
        stale = [line for name, count in counts.items() for line in accept(count, name)]
        judge_auto(folder, counts, files, known, asked.auto)
    total = Count()
    for count in counts.values():
        total.add(count)
    print_table({**counts, "together": total})
    for name, count in counts.items():
        for field, expected, ours, raw in count.differing if asked.show else []:
            print(f"  {name} {field}: {expected!r} expected, {ours!r} found: {raw[:400]!r}")
    for (file, field), (most, why) in ACCEPTED.items():
        print(f"accepted: {file} {field} {most}: {why}")
    for file, (most, why) in ACCEPTED_AUTO.items():
        print(f"accepted: {file} named by --format auto {most}: {why}")
    good = total.equal + total.accepted
    print(f"{total.cases} lines, {total.missing} of them of formats without a parser yet; "
          f"{share(total.equal, total.compared):.2%} of {total.compared} golden fields equal, "
          f"{share(good, total.compared):.2%} with the accepted ones; "
          f"--format auto names {share(total.auto_right, total.auto):.2%} of {total.auto} lines")
    wrong = stale
    if total.broken:
        wrong.append(f"{total.broken} lines do not come back byte for byte")
    if good < EQUAL_LEAST * total.compared:
        wrong.append(f"{len(total.differing)} of {total.compared} golden fields differ (--show)")
    if total.auto_right + auto_accepted(counts) < AUTO_LEAST * total.auto:
        wrong.append(f"--format auto misnames {total.auto - total.auto_right} of {total.auto} lines (--auto)")
    for line in wrong:
        print(f"FAIL: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
