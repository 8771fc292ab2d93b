#!/usr/bin/env python3
"""Labelled captures of others, as firewall lines, through `replay`: scans are found, normal days are quiet.

002-scan  one host goes over three networks with nmap: reported, in a handful of alerts
008, 010  a day of a Windows PC each, with the Internet knocking: the rows labelled Benign or Background alone give at
          most one alert, and with all rows every source outside that tried 50 or more ports is reported by D3
Once with the PC's network configured and once without, when both ends look as if they were outside.
"""
import collections
import ipaddress
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
import zeek  # noqa: E402
from sekisho import Steps, ndjson, need_corpus, run, temp_dir  # noqa: E402

TENANT = "990019"
NETWORK = "147.32.80.0/22"
PORTS_LEAST = 50
NORMAL = ("Benign", "Background")
SCAN_ALERTS_MAX = 8
NOISE_ALERTS_MAX = 12  # sources outside of a day, those with fewer ports included


def alerts_of(folder, name, rows, network=None):
    """Last revision of each alert that a replay of the rows prints."""
    path = folder / f"{name}.log"
    path.write_text("\n".join(zeek.to_lines(rows)) + "\n")
    options = []
    if network:
        conf = folder / "conf.yaml"
        conf.write_text(f'data: unused\ntenants:\n  "{TENANT}":\n    networks:\n      - {{cidr: {network}, zone: internet}}\n')
        options = ["--config", conf]
    out = run("replay", "--data", folder / f"{name}-data", "--tenant", TENANT, "--format", "fortigate", *options, path)
    last = {}
    for alert in ndjson(out.stdout):
        if alert["alert.revision"] >= last.get(alert["alert.id"], {"alert.revision": 0})["alert.revision"]:
            last[alert["alert.id"]] = alert
    return [a for a in last.values() if a["alert.state"] != "superseded"]


def show(alerts):
    for a in alerts:
        print(f"    {a['alert.kind']} {a['rule.name']} {a['alert.severity']} {a.get('source.ip', '')} "
              f"{a.get('destination.ip', '')} x{a['alert.count']}")


def check_scan(folder, step):
    alerts = alerts_of(folder, "scan", zeek.read_conn(need_corpus("zeek", "002-scan", "conn.log")))
    show(alerts)
    found = [a for a in alerts if a["alert.kind"] == "D3" and a["source.ip"] == "172.16.1.11"]
    assert found, "nmap was not found"
    assert max(a["alert.severity"] == "high" for a in found), "nmap from inside is not high"
    assert len(alerts) <= SCAN_ALERTS_MAX, f"{len(alerts)} alerts of one scan"
    step(f"002-scan: {len(alerts)} alerts")


def scanners(rows):
    """{source outside: ports it tried}."""
    ports = collections.defaultdict(set)
    for row in rows:
        if not zeek.is_inside(row) and not ipaddress.ip_address(row["id.orig_h"]).is_private:
            ports[row["id.orig_h"]].add(row["id.resp_p"])
    return {source: len(tried) for source, tried in ports.items() if len(tried) >= PORTS_LEAST}


def check_day(folder, step, name, network):
    rows = list(zeek.read_conn(need_corpus("zeek", name, "data", "conn.log.labeled")))
    where = f"{name}{' with its network' if network else ''}"
    tag = f"{name}-{'in' if network else 'out'}"
    normal = alerts_of(folder, tag + "-normal", (r for r in rows if r["label"] in NORMAL), network)
    show(normal)
    assert len(normal) <= 1, f"{where}: {len(normal)} alerts of a normal day"
    every = alerts_of(folder, tag + "-all", rows, network)
    show(every)
    reported = {a["source.ip"] for a in every if a["alert.kind"] == "D3"}
    missing = {s: n for s, n in scanners(rows).items() if s not in reported}
    assert scanners(rows), "the capture has no scanner: the test says nothing"
    assert not missing, f"{where}: not reported: {missing}"
    assert len(every) <= NOISE_ALERTS_MAX, f"{where}: {len(every)} alerts"
    step(f"{where}: {len(normal)} alerts of the normal rows, {len(every)} of all; "
         f"{len(scanners(rows))} scanners of {PORTS_LEAST} ports reported")


def main():
    step = Steps()
    need_corpus("zeek")
    with temp_dir() as folder:
        check_scan(folder, step)
        for name in ("008", "010"):
            for network in (NETWORK, None):
                check_day(folder, step, name, network)
    print("ok")


if __name__ == "__main__":
    main()
