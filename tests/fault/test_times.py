#!/usr/bin/env python3
"""Times of all formats against Python's calendar: ends of years, leap days, zones, stamps without a year.

A line of each way in which a format writes its time is made for moments of 1971 to 2105, most of them near a midnight of 31
December, 28 and 29 February or of a month's end, in many zones. `sekisho parse` has to give each moment back, to the last digit
that the line has. Lines without a year are a history over several years, with steps of up to six months and some hours back;
parsed, replayed, and replayed a year later, they have the years of then. SEKISHO_SEED the seed.
"""
import datetime
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir  # noqa: E402

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
ZONES = (540, 0, -420, 330, 345, -210, 840, -720, 60, -60)      # minutes: Japan first; the two ends of the world
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
LINES = 3000 if LONG else 300
YEARS = 6

FORTI = 'devname="f" logid="0000000013" type="traffic" subtype="forward" srcip=192.0.2.7 dstip=203.0.113.5 action="accept"'
PAN = "1,{Y}/{m}/{d} {H}:{M}:{S},012345678901,TRAFFIC,end,2561,{Y}/{m}/{d} {H}:{M}:{S},192.0.2.7,203.0.113.5"
LEGACY_ASA = "%ASA-4-106023: Deny tcp src outside:203.0.113.7/40454 dst inside:192.0.2.10/443 by access-group \"out\""
IPTABLES = "gw kernel: [500.1] DENY-in IN=eth0 OUT= SRC=198.51.100.1 DST=192.0.2.9 LEN=56 TOS=0x00 PREC=0x00 TTL=250 ID=0 PROTO=TCP SPT=1 DPT=2"
I_FILTER = '4872 1000/01/ - 203.0.113.5 192.0.2.7 192.0.2.7 PC-0007 taro [{d}/{b}/{Y}:{H}:{M}:{S} {z}] 200 0 18230 proxied 0 0 ' \
           '87/127 -1 0 512 0 soumu - 0 - "GET https://www.example.com/ HTTP/1.1" - Mozilla%2F5.0 text%2Fhtml 1A2B3C4D'
D_SPA = '5207 104/01/ 192.0.2.91:8000 192.0.2.24 - taro [{d}/{b}/{Y}:{H}:{M}:{S} {z}] "GET http://www.example.co.jp/ HTTP/1.1" "-" ' \
        'Mozilla%2F4.0 503 0 886 block 25 19 108 TEST_GROUP text%2Fhtml 0 - - 951ACEEA'
WEB = '"GET /a.html HTTP/1.1" 200 2326'
PAIRS = 'src=192.0.2.7 dst=198.51.100.9 proto=6'
EVE = '"event_type":"flow","src_ip":"192.0.2.7","src_port":1,"dest_ip":"198.51.100.9","dest_port":2,"proto":"TCP"}}'
IOS = "%SEC-6-IPACCESSLOGP: list 101 denied tcp 198.51.100.7(4000) -> 192.0.2.9(22), 1 packet"
FLOW = '"Allowed","1 (A)","NOERROR","www.example.com.","News","AD Users","AD Users",""'



def like(name, having, *changes):
    """The first golden line that has a text, with other times in it: (text, what to write there)."""
    lines = [line.decode(errors="replace") for line in (ROOT / "tests" / "golden" / name).read_bytes().split(b"\n")]
    found = [line for line in lines if having in line and all(old in line for old, _ in changes)]
    assert found, f"{name} has no line with {having!r} and {changes}"
    line = found[0].replace("{", "{{").replace("}", "}}")
    for old, new in changes:
        line = line.replace(old, new)
    return line


# (format, zone of the text, digits, line). Zone: "source" the device's, which the line does not say; "own" said by the line;
# "utc" not said, and always UTC; "jst" said by name; "epoch" a number.
WAYS = [
    ("fortigate", "source", "s", "date={Y}-{m}-{d} time={H}:{M}:{S} " + FORTI),
    ("fortigate", "own", "s", 'date={Y}-{m}-{d} time={H}:{M}:{S} tz="{z}" ' + FORTI),
    ("fortigate", "epoch", "ns", 'date=2001-01-01 time=00:00:00 tz="-0100" eventtime={e}{f} ' + FORTI),
    ("fortigate", "epoch", "s", "date=2001-01-01 time=00:00:00 eventtime={e} " + FORTI),
    ("fortiproxy", "epoch", "ns", 'time=10:28:09 devname="p" devid="FPX1" eventtime={e}{f} tz="+0100" logid="0317013312" '
     'type="utm" subtype="webfilter" srcip=192.0.2.183 dstip=198.51.100.122 action="passthrough"'),
    ("panos", "source", "s", PAN),
    ("panos", "own", "ms", like("panos/device.log", "GLOBALPROTECT", ("2026-11-21T10:00:05.134+09:00", "{Y}-{m}-{d}T{H}:{M}:{S}.{f}{Z}"))),
    ("netskope", "utc", "s", like("netskope/transactions.log", "http_transaction", ("2026-11-21 01:00:00", "{Y}-{m}-{d} {H}:{M}:{S}"))),
    ("juniper_srx", "epoch", "s", like("juniper_srx/data.log", "epoch-time=", ("1795222800", "{e}"))),
    ("cisco_asa", "source", "s", "<166>{b} {d} {Y} {H}:{M}:{S} fw1 : " + LEGACY_ASA),
    ("cisco_asa", "own", "us", "<166>1 {Y}-{m}-{d}T{H}:{M}:{S}.{f}{Z} fw1 - - - - " + LEGACY_ASA),
    ("cisco_asa", "utc-said", "s", "<166>{Y}-{m}-{d}T{H}:{M}:{S}Z fw1 : " + LEGACY_ASA),
    ("iptables", "own", "us", "{Y}-{m}-{d}T{H}:{M}:{S}.{f}{Z} " + IPTABLES),
    ("squid", "epoch", "ms", "{e}.{f}    55 192.0.2.7 TCP_MISS/200 1234 GET http://www.example.com/ - HIER_DIRECT/198.51.100.9 text/html"),
    ("squid", "own", "s", "192.0.2.7 - taro [{d}/{b}/{Y}:{H}:{M}:{S} {z}] " + '"GET http://www.example.com/ HTTP/1.1" 200 3184 TCP_MISS:HIER_DIRECT'),
    ("i_filter", "own", "s", "{b} {D} {H}:{M}:{S} " + I_FILTER),
    ("d_spa", "own", "s", "{b} {D} {H}:{M}:{S} " + D_SPA),
    ("checkpoint", "source", "s", '"18" "{d}{b}{Y}" "{H}:{M}:{S}" "eth0" "gw1" "Log" "Drop" "https" "50000" "192.0.2.7" "198.51.100.9" "tcp" '
     '"7" "rule" "7-Town" "taro" "no pairs here" "Firewall"'),
    ("sonicwall", "source", "s", 'id=firewall sn=1 time="{Y}-{m}-{d} {H}:{M}:{S}" fw=203.0.113.1 pri=6 c=1024 m=537 msg="Connection Closed" '
     'src=192.0.2.7:50000:X0 dst=198.51.100.9:443:X1 proto=tcp/https'),
    ("sonicwall", "utc-said", "s", 'id=firewall sn=1 time="{Y}-{m}-{d} {H}:{M}:{S} UTC" fw=203.0.113.1 pri=6 c=1024 m=98 msg="Connection Opened" '
     'src=192.0.2.7:50000:X0 dst=198.51.100.9:443:X1 proto=tcp/https'),
    ("sophos", "jst", "s", 'device="SFW" date={Y}-{m}-{d} time={H}:{M}:{S} timezone="JST" device_name="X" device_id=C2 log_id=010101600001 '
     'log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" status="Allow" src_ip=192.0.2.3 dst_ip=198.51.100.30'),
    ("sophos", "own", "s", 'device="SFW" date={Y}-{m}-{d} time={H}:{M}:{S} timezone="{z}" device_name="X" device_id=C2 log_id=010101600001 '
     'log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" status="Allow" src_ip=192.0.2.3 dst_ip=198.51.100.30'),
    ("sophos", "own", "s", 'device_name="SFW" timestamp="{Y}-{m}-{d}T{H}:{M}:{S}{z}" device_model="XGS87" device_serial_id="X" log_id="010101600001" '
     'log_type="Firewall" log_component="Firewall Rule" log_subtype="Allowed" src_ip="192.0.2.3" dst_ip="198.51.100.30"'),
    ("watchguard", "source", "s", '80AB0C1D2E3F4 ({Y}-{m}-{d}T{H}:{M}:{S}) firewall: msg_id="3000-0148" Deny 0-External Firebox 52 tcp 20 113 '
     '198.51.100.10 203.0.113.2 49732 445 offset 8 S 3063437487 win 64240 (Unhandled External Packet-00)'),
    ("yamaha_rtx", "source", "s", "[INSPECT] LAN2[out][1] TCP 192.0.2.7:50000 > 198.51.100.9:443 ({Y}/{m}/{d} {H}:{M}:{S})"),
    ("cisco_ftd", "utc-said", "s", "%FTD-1-430002: EventPriority: Low, DeviceUUID: 11111111-1111-1111-1111-111111111111, InstanceID: 3, "
     "FirstPacketSecond: {Y}-{m}-{d}T{H}:{M}:{S}Z, ConnectionID: 62230, AccessControlRuleAction: Allow, SrcIP: 192.0.2.7, DstIP: 198.51.100.9, "
     "SrcPort: 63853, DstPort: 443, Protocol: tcp"),
    ("stormshield", "own", "s", 'id=firewall time="{Y}-{m}-{d} {H}:{M}:{S}" fw="SN1" tz={z} startime="2001-01-01 00:00:00" pri=5 ruleid=100 '
     'ipproto=tcp proto=https src=192.0.2.7 srcport=60355 dst=198.51.100.9 dstport=443 action=pass logtype="connection"'),
    ("cisco_meraki", "epoch", "ms", "{e}.{f}011885 MX_1 flows src=192.0.2.7 dst=198.51.100.9 protocol=tcp sport=39247 dport=443 pattern: allow all"),
    ("cisco_ios", "jst", "ms", "012345: gw1: {b} {d} {Y} {H}:{M}:{S}.{f} JST: " + IOS),
    ("haproxy", "source", "ms", "198.51.100.7:40000 [{d}/{b}/{Y}:{H}:{M}:{S}.{f}] fe~ be/srv1 1796/0/0/28/1824 200 1060 - - --VN 296/296/33/6/0 0/0 "
     '"GET /a HTTP/1.1"'),
    ("combined", "own", "s", "198.51.100.7 - - [{d}/{b}/{Y}:{H}:{M}:{S} {z}] " + WEB),
    ("combined", "source", "s", "{Y}/{m}/{d} {H}:{M}:{S} [error] 9841#9841: *1031 connect() failed, client: 198.51.100.7, server: www.example.jp, "
     'request: "GET / HTTP/1.1"'),
    ("combined", "source", "us", "[{a} {b} {d} {H}:{M}:{S}.{f} {Y}] [core:error] [pid 77:tid 1] [client 198.51.100.7:40000] AH00126: Invalid URI"),
    ("iis", "utc", "s", "{Y}-{m}-{d} {H}:{M}:{S} 192.0.2.80 GET /a/b.aspx c=d 443 - 198.51.100.7 Mozilla/5.0 - 200 0 0 15"),
    ("bind", "source", "ms", "{d}-{b}-{Y} {H}:{M}:{S}.{f} queries: info: client @0x7f12 192.0.2.7#40000 (www.example.com): query: "
     "www.example.com IN A +E(0)K (192.0.2.53)"),
    ("unbound", "epoch", "s", "[{e}] unbound[77:0] info: 192.0.2.7 www.example.com. A IN"),
    ("cisco_wsa", "epoch", "ms", 'Info: {e}.{f} 7 192.0.2.7 TCP_MISS/302 779 HEAD http://www.example.com/a - DIRECT/www.example.com text/html '
     'DEFAULT_CASE_12-DefaultGroup-Inside-NONE-NONE-NONE-DefaultGroup-NONE <"IW_infr",6.8,1,"-",-,-,-,-,"-",-,-,-,"-",-,-,"-","-",-,-,"IW_infr",-,'
     '"-","Infrastructure","-","Unknown","Unknown","-","-",890.29,0,-,"-","-",-,"-",-,-,"-","-",-,-,"-",-> - -'),
    ("umbrella", "utc", "s", '"{Y}-{m}-{d} {H}:{M}:{S}","taro","taro,pc7","192.0.2.7","203.0.113.1",' + FLOW),
    ("skyhigh", "utc-said", "ms", 'date="{Y}-{m}-{d}T{H}:{M}:{S}.{f}Z" hostname="swg1" username="taro" source_ip=192.0.2.7 '
     'destination_ip=198.51.100.9 destination_host="www.example.net" http_status_code=200 http_request_first_line="GET http://www.example.net/ HTTP/1.1"'),
    ("elff", "utc", "s", "{Y}-{m}-{d} {H}:{M}:{S} 82 192.0.2.7 - - - OBSERVED \"News\" - 200 TCP_NC_MISS GET text/html http www.example.org 80 "
     '/a/b.html ?c=d html "Mozilla/5.0" 192.0.2.1 3184 512 -'),
    ("eve", "own", "us", '{{"timestamp":"{Y}-{m}-{d}T{H}:{M}:{S}.{f}{z}",' + EVE),
    ("json", "own", "ns", '{{"@timestamp":"{Y}-{m}-{d}T{H}:{M}:{S}.{f}{Z}","source":{{"ip":"192.0.2.7"}},"event":{{"action":"allowed"}}}}'),
    ("json", "utc-said", "ms", '{{"@timestamp":"{Y}-{m}-{d}T{H}:{M}:{S}.{f}Z","source":{{"ip":"192.0.2.7"}},"event":{{"action":"allowed"}}}}'),
    ("cef", "epoch", "ms", "CEF:0|Example|Firewall|1.0|1|deny|5|rt={e}{f} " + PAIRS),
    ("cef", "utc-said", "s", "CEF:0|Example|Firewall|1.0|1|deny|5|rt={b} {d} {Y} {H}:{M}:{S} UTC " + PAIRS),
    ("cef", "source", "ms", "CEF:0|Example|Firewall|1.0|1|deny|5|rt={b} {d} {Y} {H}:{M}:{S}.{f} " + PAIRS),
    ("cef", "utc-said", "s", "CEF:0|Example|Firewall|1.0|1|deny|5|dtz=UTC rt={b} {d} {Y} {H}:{M}:{S} " + PAIRS),
    ("cef", "own", "s", "CEF:0|Example|Firewall|1.0|1|deny|5|rt={b} {d} {Y} {H}:{M}:{S} deviceTimeZone={Z} " + PAIRS),
    ("cef", "utc-said", "s", like("cef/devices.log", "dtz=UTC", ("Nov 21 2026 01:00:00", "{b} {d} {Y} {H}:{M}:{S}"))),
    ("json", "epoch", "ms", '{{"timestamp":{e}{f},"src_ip":"192.0.2.7","action":"deny"}}'),
    ("json", "epoch", "ns", '{{"timestamp":"{e}{f}","src_ip":"192.0.2.7","action":"deny"}}'),
    ("json", "epoch", "s", '{{"epochtime":"{e}","src_ip":"192.0.2.7","action":"deny"}}'),
    ("aws_flow", "epoch", "s", like("aws_flow/vpc.log", "2 123456789012", ("1795222800", "{e}"))),
    ("citrix_adc", "utc-said", "s", like("citrix_adc/syslog.log", "GMT adc1", ("11/21/2026:07:32:36", "{m}/{d}/{Y}:{H}:{M}:{S}"))),
    ("citrix_adc", "source", "s", like("citrix_adc/syslog.log", "default AAA Message", ("11/21/2026:11:55:37", "{m}/{d}/{Y}:{H}:{M}:{S}"))),
    ("citrix_adc", "source", "s", like("citrix_adc/syslog.log", "CONN_DELINK", ("2026/11/21:09:03:45  ADC", "{Y}/{m}/{d}:{H}:{M}:{S}  ADC"))),
    ("intersafe", "source", "s", like("intersafe/access.log", "Proxied", ("2026/11/21 10:00:00", "{Y}/{m}/{d} {H}:{M}:{S}"))),
    ("openvpn", "source", "s", like("openvpn/server.log", "VERIFY OK", ("2026-11-21 15:11:18", "{Y}-{m}-{d} {H}:{M}:{S}"))),
    ("openvpn", "source", "s", like("openvpn/server.log", "us=285967", ("Sat Nov 21 08:26:29 2026", "{a} {b} {D} {H}:{M}:{S} {Y}"))),
    ("pulse_connect", "source", "s", like("pulse_connect/welf.log", "vpn=gate1", ("2026-11-21 13:46:08", "{Y}-{m}-{d} {H}:{M}:{S}"))),
    ("zscaler", "source", "s", like("zscaler/nss.log", "reason=Allowed", ("2026-11-21 10:00:00", "{Y}-{m}-{d} {H}:{M}:{S}"))),
    ("zscaler", "source", "s", like("zscaler/nss.log", "datetime=", ("Sat Nov 21 10:00:00 2026", "{a} {b} {D} {H}:{M}:{S} {Y}"))),
    ("leef", "own", "s", "LEEF:1.0|Example|XTM|12.8|30000148|devTimeFormat=MMM dd yyyy HH:mm:ss Z\tdevTime={b} {d} {Y} {H}:{M}:{S} {z}\t"
     "src=192.0.2.7\tdst=198.51.100.9\tproto=tcp"),
]
# Without a year: always in the source's zone, or in one that has a name.
YEARLESS = [
    ("iptables", "source", "s", "{b} {D} {H}:{M}:{S} " + IPTABLES),
    ("cisco_asa", "source", "s", "<166>{b} {D} {H}:{M}:{S} fw1 : " + LEGACY_ASA),
    ("cisco_asa", "source", "s", "<166>{b} {d} {H}:{M}:{S} fw1 %ASA-6-302013: Built inbound TCP connection 1 for outside:203.0.113.7/40454 "
     "(203.0.113.7/40454) to dmz:192.0.2.10/443 (198.51.100.10/443)"),
    ("cisco_ios", "source", "ms", "*{b} {D} {H}:{M}:{S}.{f}: " + IOS),
    ("cisco_ios", "utc-said", "ms", "gw1: {b} {D} {H}:{M}:{S}.{f} UTC: " + IOS),
    ("filterlog", "source", "s", "<134>{b} {D} {H}:{M}:{S} pf filterlog[4711]: 70,,,6524,vtnet1,match,pass,out,4,0x0,,63,36147,0,none,17,udp,72,"
     "192.0.2.7,198.51.100.53,18448,53,52"),
    ("forcepoint", "source", "s", "<13>{b} {D} {H}:{M}:{S} wsg vendor=Forcepoint product=Security product_version=8.5.4 action=permitted severity=1 "
     "category=9 src_host=192.0.2.7 src_port=50345 dst_host=www.example.com dst_ip=198.51.100.9 dst_port=443"),
    ("infoblox", "source", "s", "<30>{b} {D} {H}:{M}:{S} dns1 dhcpd[1]: DHCPACK on 192.0.2.77 to 02:00:00:00:00:07 (pc7) via eth2 lease-duration 3600"),
]


def write(line, ns, minutes):
    """The line for a moment, in nanoseconds since 1970, on a clock of that zone."""
    local = EPOCH + datetime.timedelta(seconds=ns // 10**9, minutes=minutes)
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    return line(Y=f"{local.year:04d}", m=f"{local.month:02d}", d=f"{local.day:02d}", D=f"{local.day:2d}", H=f"{local.hour:02d}",
                M=f"{local.minute:02d}", S=f"{local.second:02d}", b=MONTHS[local.month - 1], a=WEEKDAYS[local.weekday()],
                e=ns // 10**9, z=f"{sign}{size // 60:02d}{size % 60:02d}", Z=f"{sign}{size // 60:02d}:{size % 60:02d}")


def text_of(way, ns, zone):
    """The line and what is left of the moment in it."""
    _, kind, digits, line = way
    cut = 10 ** (9 - DIGITS[digits])
    ns -= ns % cut
    fraction = f"{ns % 10**9:09d}"[:DIGITS[digits]]
    minutes = {"source": zone, "own": None, "jst": 540}.get(kind, 0)
    if minutes is None:
        minutes = ZONES[ns // 10**9 % len(ZONES)]
    return write(lambda **k: line.format(f=fraction, **k), ns, minutes), ns


def edge(r, first, last):
    """A moment, most often near one where calendars go wrong."""
    year = r.randrange(first, last)
    month, day = r.choice([(1, 1), (1, 1), (3, 1), (2, 28), (2, 29), (r.randrange(1, 13), r.randrange(1, 29))])
    if (month, day) == (2, 29):
        while not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
            year += 1
    at = datetime.datetime(year, month, day, tzinfo=UTC)
    seconds = r.choice([0, -1, 1, 86399, r.randrange(-50000, 86400 * 2)]) - 60 * r.choice(ZONES)
    return int((at - EPOCH).total_seconds() + seconds) * 10**9 + r.choice([0, 1, 999_999_999, r.randrange(10**9)])


def history(r, first):
    """Moments of several years, in the order of a log: steps forward of seconds to months, and now and then hours back."""
    at = int((datetime.datetime(first, r.randrange(1, 13), 1, tzinfo=UTC) - EPOCH).total_seconds())
    end, found = at + YEARS * 366 * 86400, []
    while at < end:
        found.append(at * 10**9 + r.randrange(10**9))
        year = datetime.datetime.fromtimestamp(at, UTC).year
        nights = [(datetime.datetime(*date, tzinfo=UTC) - EPOCH).total_seconds() - back
                  for date, back in (((year, 3, 1), 86400), ((year, 3, 1), 0), ((year + 1, 1, 1), 0))]
        near = [int(night) for night in nights if at < night < at + 140 * 86400]
        if near and r.random() < 0.5:
            at = max(at, near[0] - r.choice((1, 0, 3600, 9 * 3600 + 1)))
        at += r.choice((1, 1, 59, 3600, 86399, 86400, -7200, r.randrange(86400, 40 * 86400)))
    return found


def stamp(ns):
    """RFC 3339 of a moment, whole seconds."""
    return (EPOCH + datetime.timedelta(seconds=ns // 10**9)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ns_of(text):
    """Nanoseconds of what the program printed."""
    whole, _, rest = text.rstrip("Z").partition(".")
    at = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    assert text.endswith("Z"), text
    return int((at - EPOCH).total_seconds()) * 10**9 + int(rest.ljust(9, "0") or 0)


def offset(minutes):
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def compare(what, lines, rows, expected):
    assert len(rows) == len(lines), f"{what}: {len(rows)} rows of {len(lines)} lines"
    for line, row, ns in zip(lines, rows, expected):
        assert ns_of(row["@timestamp"]) == ns, f"{what}: {row['@timestamp']}, not {stamp(ns)} and {ns % 10**9} ns:\n{line}"
        assert row.get("sekisho.time.source", "device") in ("device", "syslog"), f"{what}: {row}"


def parse(way, lines, zone, reference=None):
    options = ["--format", way[0], "--zone", offset(zone)] + (["--reference-time", stamp(reference)] if reference is not None else [])
    return ndjson(run("parse", *options, stdin=("\n".join(lines) + "\n").encode()).stdout)


def with_year(r, step):
    count = 0
    for number, way in enumerate(WAYS):
        # Ten digits of seconds: 2001 to 2286.
        first, last = (2002, 2105) if way[1] == "epoch" else (1971, 2105)
        for zone in r.sample(ZONES[1:], 2) + [540]:
            texts = [text_of(way, edge(r, first, last), zone) for _ in range(LINES)]
            lines = [t for t, _ in texts]
            compare(f"way {number} of {way[0]} at {offset(zone)}", lines, parse(way, lines, zone), [ns for _, ns in texts])
            count += len(lines)
    step(f"{count} lines in {len(WAYS)} ways of {len({w[0] for w in WAYS})} formats")


def without_year(r, folder, step):
    """Parsed with a reference that is up to 170 days off; and stored from a file, today and with a clock of a year later."""
    count = 0
    for number, way in enumerate(YEARLESS):
        for zone in r.sample(ZONES[1:], 2) + [540]:
            first = r.choice((1987, 1995, 1999, 2023, 2026, 2027, 2093))
            texts = [text_of(way, ns, zone) for ns in history(r, first)]
            lines, expected = [t for t, _ in texts], [ns for _, ns in texts]
            reference = expected[0] + r.randrange(-170, 170) * 86400 * 10**9
            what = f"year-less way {number} of {way[0]} at {offset(zone)}"
            compare(what, lines, parse(way, lines, zone, reference), expected)
            (folder / "lines.log").write_text("\n".join(lines) + "\n")
            store = folder / f"store-{number}-{zone}"
            done = run("replay", "--data", store, "--tenant", "990019", "--format", way[0], "--zone", offset(zone), "--workers", "2",
                       "--reference-time", stamp(reference), folder / "lines.log")
            assert done.returncode == 0
            rows = ndjson(run("export", "--data", store).stdout)
            compare(f"{what}, replayed", lines, rows, expected)
            count += len(lines)
    step(f"{count} lines without a year in {len(YEARLESS)} ways, over {YEARS} years each, parsed and replayed")


def not_times(step):
    """A day or an hour that does not exist is no time: the line happened when it arrived. A leap second is the second after."""
    way = ("fortigate", "source", "s", "date={0} time={1} " + FORTI)
    bad = [("2023-02-29", "10:00:00"), ("2100-02-29", "10:00:00"), ("2026-04-31", "10:00:00"), ("2026-13-01", "10:00:00"),
           ("2026-00-10", "10:00:00"), ("2026-11-21", "24:00:00"), ("2026-11-21", "10:60:00"), ("2026-11-21", "10:00:61")]
    rows = parse(way, [way[3].format(*b) for b in bad], 540)
    assert [r["sekisho.time.source"] for r in rows] == ["arrival"] * len(bad), rows
    leap = parse(way, [way[3].format("2016-12-31", "23:59:60"), way[3].format("2024-02-29", "23:59:60")], 0)
    assert [r["@timestamp"][:19] for r in leap] == ["2017-01-01T00:00:00", "2024-03-01T00:00:00"], leap
    # 29 February fits neither 2025 nor its neighbours but 2024; of 2026 there is none near.
    feb = write(lambda **k: YEARLESS[0][3].format(**{**k, "b": "Feb", "D": "29"}), 0, 540)
    for reference, expected in (("2025-01-10", "2024-02-29"), ("2026-01-10", None), ("2023-12-01", "2024-02-29")):
        near = int((datetime.datetime.fromisoformat(reference + "T00:00:00+00:00") - EPOCH).total_seconds()) * 10**9
        row = parse(YEARLESS[0], [feb], 0, near)[0]
        assert row["@timestamp"][:10] == expected or (expected is None and row["sekisho.time.source"] == "arrival"), (reference, row)
    step(f"{len(bad)} dates and times that do not exist, leap seconds, 29 February without a year")


def needs_reference(folder, step):
    """A replay of lines without a year guesses none: it says what to give, and stores nothing."""
    line = text_of(YEARLESS[0], int(time.time()) * 10**9, 540)[0]
    (folder / "lines.log").write_text(line + "\n")
    done = run("replay", "--data", folder / "none", "--tenant", "990019", "--format", "iptables", folder / "lines.log", check=3)
    assert b"lines.log:1:" in done.stderr and b"give --reference-time" in done.stderr, done.stderr
    step("without a reference it says so")


def main():
    step, r = Steps(), seeded_random()
    with temp_dir() as folder:
        with_year(r, step)
        without_year(r, folder, step)
        not_times(step)
        needs_reference(folder, step)


if __name__ == "__main__":
    main()
