#!/usr/bin/env python3
"""Alerts name the PC behind proxies and translated addresses, and never another one.

Generated traffic of municipalities whose firewalls see proxies in the place of PCs, with contacts of listed places planted:
an alert that was joined names the PC that the generator's label names, few alerts are left to proxies, and all of them are the
same bytes whatever the batches and workers are, and from the log. By hand: X-Forwarded-For, of which only what a proxy of the
municipality wrote counts, and a connection through NAT whose outer row comes before, after and without the inner one; and
whom correlations count.
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
import labels  # noqa: E402
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir  # noqa: E402

TENANTS, EVENTS, CASES = (20, 2_000_000, 60) if LONG else (6, 150_000, 20)
LEFT_SHARE = 0.15       # of planted contacts so many may also be told of a proxy alone
JOINED_LEAST = 0.5      # of planted contacts so many have an alert whose last words rest on a row that was joined
TARGETS = ("destination.ip", "url.domain", "url.original")
MINUTE = 60


def last_revisions(data):
    found = {}
    for alert in ndjson(data):
        found[alert["alert.id"]] = alert
    return list(found.values())


def replay(folder, data, *options):
    return run("replay", "--data", folder / data, "--manifest", folder / "manifest.yaml", "--config", folder / "config.yaml",
               *options).stdout


def planted_of(alert, cases):
    """The labels whose target the alert's indicator is, or stands below."""
    name = alert["threat.indicator.name"]
    return [c for c in cases if c["tenant"] == alert["sekisho.tenant"]
            and any(name in c["keys"].get(t, "") for t in TARGETS)]


def check_generated(folder, r, step):
    kinds = ("ioc_ip", "ioc_domain", "ioc_url")
    run("gen", "--seed", r.randrange(1 << 32), "--tenants", TENANTS, "--events", EVENTS, "--inject",
        ",".join(f"{kind}:{CASES}" for kind in kinds), "--out", folder)
    base = replay(folder, "base")
    for name, options in (("one row a batch", ("--batch-rows", 1)), ("8 workers", ("--workers", 8, "--batch-rows", 7))):
        assert replay(folder, name.replace(" ", "-"), *options) == base, f"{name}: other alerts"
    again = run("replay", "--log", folder / "base", "--config", folder / "config.yaml").stdout
    assert again == base, "judged again from the log: other alerts"
    cases = [c for c in labels.read(folder / "labels.ndjson") if c["expect"] == "alert"]
    proxies = labels.shared_addresses((folder / "config.yaml").read_text())
    alerts = [a for a in last_revisions(base) if a["alert.kind"] == "indicator" and "source.ip" in a]
    joined = [a for a in alerts if "explain.joined_by" in a]
    left = [a for a in alerts if a["source.ip"] in proxies]
    for alert in joined:
        about = planted_of(alert, cases)
        assert about, f"no case was planted: {json.dumps(alert, ensure_ascii=False)}"
        assert any(c["keys"]["source.ip"] == alert["source.ip"] for c in about), \
            f"the wrong PC: {json.dumps(alert, ensure_ascii=False)}\n{about}"
        assert alert["explain.via"] in proxies and alert["explain.via"] in alert["message.ja"], alert
        assert alert["explain.joined_line"].count("/") >= 3, alert
    ways = {way: sum(a["explain.joined_by"] == way for a in joined) for way in {a["explain.joined_by"] for a in joined}}
    step(f"{len(cases)} planted, {len(alerts)} alerts, {len(joined)} of them joined {ways}, {len(left)} left to a proxy")
    assert len(joined) >= JOINED_LEAST * len(cases), "too few are joined"
    assert len(left) <= LEFT_SHARE * len(cases), [(a["source.ip"], a["threat.indicator.name"]) for a in left]


# ------------------------------------------------------------------------------ by hand

CONFIG = """\
data: data
lists: [{name: invented, file: list.txt}]
tenants:
  "990001":
    name: 試験町
    networks: [{cidr: 10.0.0.0/8, zone: インターネット接続系}]
    shared: [10.0.9.1, 10.0.9.2, 192.0.2.1]
"""
ELFF = "#Fields: date time c-ip cs-method cs-uri-scheme cs-host cs-uri-path cs(X-Forwarded-For) sc-status sc-bytes cs-bytes"


def stamp(second, kind):
    hours, rest = divmod(second, 3600)
    clock = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    return clock if kind == "elff" else f'date=2026-11-20 time={clock} tz="+0000"'


def request(second, source, host, forwarded):
    return f'2026-11-20 {stamp(second, "elff")} {source} GET http {host} /gate "{forwarded}" 200 512 300\n'


def session(second, source, port, destination, translated=None):
    nat = f' trandisp="snat" transip={translated[0]} transport={translated[1]}' if translated else ""
    return (f'{stamp(second, "fortigate")} devname="FW" devid="FG0" logid="0000000013" type="traffic" subtype="forward" '
            f'level="notice" vd="root" srcip={source} srcport={port} srcintf="lan" dstip={destination} dstport=443 '
            f'dstintf="wan" sessionid={second} proto=6 action="close" policyid=1 service="HTTPS"{nat} duration=1 '
            'sentbyte=100 rcvdbyte=200\n')


def check_hand(folder, step):
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "list.txt").write_text("".join(f"bad{i}.example\n" for i in range(5)) +
                                     "".join(f"198.51.100.{i}\n" for i in range(1, 5)))
    begin = 10 * 3600
    web = [ELFF + "\n",
           request(begin, "10.0.9.1", "bad0.example", "10.1.0.5"),
           # A host that claims to be another: the proxy's own word is the last.
           request(begin + 60, "10.0.9.1", "bad1.example", "10.7.7.7, 10.1.0.6"),
           request(begin + 120, "10.0.9.1", "bad2.example", "10.7.7.7, 10.1.0.7, 10.0.9.2"),
           # Nobody who is known said it; and a host's own header means nothing.
           request(begin + 180, "10.0.9.1", "bad3.example", "10.7.7.7, unknown"),
           request(begin + 240, "10.1.0.8", "bad4.example", "10.7.7.7")]
    inner = [session(begin + 300, "10.1.0.20", 5001, "198.51.100.1", ("192.0.2.1", 40001)),
             session(begin + 362, "10.1.0.21", 5002, "198.51.100.2", ("192.0.2.1", 40002)),
             session(begin + 480, "10.1.0.22", 5003, "203.0.113.9", ("192.0.2.1", 40003))]
    outer = [session(begin + 302, "192.0.2.1", 40001, "198.51.100.1"),
             session(begin + 360, "192.0.2.1", 40002, "198.51.100.2"),
             session(begin + 482, "192.0.2.1", 40003, "198.51.100.3")]
    sources = {"web": ("elff", web), "inner": ("fortigate", inner), "outer": ("fortigate", outer)}
    manifest = []
    for name, (form, lines) in sources.items():
        (folder / f"{name}.log").write_text("".join(lines))
        manifest.append(f'- {{tenant: "990001", source: {name}, format: {form}, file: {name}.log, zone: "+00:00"}}\n')
    (folder / "manifest.yaml").write_text("".join(manifest))
    found, rows = {}, {}
    for alert in last_revisions(replay(folder, "data")):
        if alert["alert.kind"] == "indicator":
            name = alert["threat.indicator.name"]
            found.setdefault(name, set()).add((alert["source.ip"], alert.get("explain.joined_by")))
            rows[name] = len(alert["evidence"])
    want = {"bad0.example": {("10.1.0.5", "x-forwarded-for")},
            "bad1.example": {("10.1.0.6", "x-forwarded-for")},
            "bad2.example": {("10.1.0.7", "x-forwarded-for")},
            "bad3.example": {("10.0.9.1", None)},
            "bad4.example": {("10.1.0.8", None)},
            "198.51.100.1": {("10.1.0.20", "nat")},
            # The outer row came first and waited; the last words are those of the inner row.
            "198.51.100.2": {("10.1.0.21", None)},
            "198.51.100.3": {("192.0.2.1", None)}}
    assert found == want, f"\n{found}\n{want}"
    assert rows["198.51.100.1"] == rows["198.51.100.2"] == 2, rows
    step(f"{len(want)} contacts by hand: each told of whom it is")


RULE = """\
title: asks for a page
name: page
id: 6e2f1d1c-0a55-4b7e-9d3c-1f0a2b3c4d01
status: test
logsource: {category: proxy}
detection: {selection: {url.path: /gate}, condition: selection}
level: low
---
title: asks for many pages
id: 6e2f1d1c-0a55-4b7e-9d3c-1f0a2b3c4d02
status: test
correlation: {type: event_count, rules: [page], group-by: [source.ip], timespan: 10m, condition: {gte: 3}}
level: high
---
title: goes to a place
name: place
id: 6e2f1d1c-0a55-4b7e-9d3c-1f0a2b3c4d03
status: test
logsource: {category: firewall}
detection: {selection: {destination.ip: 198.51.100.50}, condition: selection}
level: low
---
title: goes there often
id: 6e2f1d1c-0a55-4b7e-9d3c-1f0a2b3c4d04
status: test
correlation: {type: event_count, rules: [place], group-by: [source.ip], timespan: 10m, condition: {gte: 3}}
level: high
"""


def correlated(folder, sources):
    """{source.ip: events from the one on that completed it} of the correlations' alerts, and how they were joined."""
    folder.mkdir()
    (folder / "rules").mkdir()
    (folder / "rules" / "rule.yml").write_text(RULE)
    (folder / "config.yaml").write_text(CONFIG.replace("lists: [{name: invented, file: list.txt}]", "rules: rules"))
    manifest = []
    for name, (form, lines) in sources.items():
        (folder / f"{name}.log").write_text("".join(lines))
        manifest.append(f'- {{tenant: "990001", source: {name}, format: {form}, file: {name}.log, zone: "+00:00"}}\n')
    (folder / "manifest.yaml").write_text("".join(manifest))
    found = [a for a in last_revisions(replay(folder, "data")) if a["alert.kind"] == "correlation"]
    return {a["source.ip"]: a["alert.count"] for a in found}, {a.get("explain.joined_by") for a in found}


def check_correlations(folder, step):
    """Without hosts' own rows the host of X-Forwarded-For is counted; with them the proxy stays who it is."""
    begin = 10 * 3600
    web = [ELFF + "\n"] + [request(begin + i, "10.0.9.1", "page.example", f"10.1.0.{5 if i < 4 else 10 + i}") for i in range(8)]
    found = correlated(folder / "web", {"web": ("elff", web)})
    assert found == ({"10.1.0.5": 2}, {None}), found
    web.append(request(begin + 8, "10.1.0.9", "page.example", "-"))
    web[1:1] = [request(begin - 60, "10.1.0.9", "other.example", "-")]
    counted, ways = correlated(folder / "own", {"web": ("elff", web)})
    assert counted == {"10.0.9.1": 6} and ways == {None}, (counted, ways)
    # The alert comes when the watermark has passed: the row that is then at hand is of another connection.
    inner = [session(begin + i, "10.1.0.30", 6000 + i, "203.0.113.9", ("192.0.2.1", 42000 + i)) for i in range(300)]
    outer = [session(begin + i, "192.0.2.1", 42000 + i, "203.0.113.9") for i in range(300)]
    outer[3:3] = [session(begin + 3, "192.0.2.1", 43000 + i, "198.51.100.50") for i in range(3)]
    found = correlated(folder / "nat", {"inner": ("fortigate", inner), "outer": ("fortigate", outer)})
    assert found == ({"192.0.2.1": 1}, {None}), found
    step("correlations count the host where only X-Forwarded-For tells of it, and else the address")


def main():
    step, r = Steps(), seeded_random()
    with temp_dir() as folder:
        check_generated(folder / "gen", r, step)
        check_hand(folder / "hand", step)
        check_correlations(folder, step)


if __name__ == "__main__":
    main()
