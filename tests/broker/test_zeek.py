#!/usr/bin/env python3
"""Labelled captures of others, as lines of a firewall and a proxy, through `replay`: scans are found, normal days quiet.

002-scan  one host goes over three networks with nmap: reported, in a handful of alerts
008, 010  a day of a Windows PC each, with the Internet knocking: the rows labelled Benign or Background alone give at
          most one alert, alone and with a proxy's lines beside the firewall's; with all rows every source outside
          that tried 50 or more ports is reported by D3
Once with the PC's network configured and once without, when both ends look as if they were outside.
"""
import collections
import ipaddress
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
import zeek  # noqa: E402
from judged import replay_alerts, show  # noqa: E402
from sekisho import Steps, need_corpus, temp_dir  # noqa: E402

NETWORK = "147.32.80.0/22"
PORTS_LEAST = 50
NORMAL = ("Benign", "Background")
SCAN_ALERTS_MAX = 8
NOISE_ALERTS_MAX = 12  # sources outside of a day, those with fewer ports included


def replay_rows(folder, rows, web=(), network=None):
    """Alerts of a firewall's lines for rows of conn.log, and of a proxy's beside it for those of `web`."""
    rows = list(rows)
    files = [("fortigate", zeek.to_lines(rows))]
    if web:
        files.append(("squid", zeek.to_proxy_lines(web, rows)))
    for form, lines in files:
        (folder / f"{form}.log").write_text("\n".join(lines) + "\n")
    alerts, said = replay_alerts(folder, [(form, folder / f"{form}.log") for form, _ in files], network)
    assert f"{sum(len(lines) for _, lines in files)} events, 0 not parsed" in said, said
    show(alerts)
    return alerts


def check_scan(folder, step):
    alerts = replay_rows(folder, zeek.read_log(need_corpus("zeek", "002-scan", "conn.log")))
    found = [a for a in alerts if a["alert.kind"] == "D3" and a["source.ip"] == "172.16.1.11"]
    assert found, "nmap was not found"
    assert any(a["alert.severity"] == "high" for a in found), "nmap from inside is not high"
    assert len(alerts) <= SCAN_ALERTS_MAX, f"{len(alerts)} alerts of one scan"
    step(f"002-scan: {len(alerts)} alerts")


def scanners(rows):
    """{source outside: ports it tried}."""
    ports = collections.defaultdict(set)
    for row in rows:
        if not zeek.is_inside(row) and not ipaddress.ip_address(row["id.orig_h"]).is_private:
            ports[row["id.orig_h"]].add(row["id.resp_p"])
    return {source: len(tried) for source, tried in ports.items() if len(tried) >= PORTS_LEAST}


def labelled(name, *kinds):
    return [row for kind in kinds
            for row in zeek.read_log(need_corpus("zeek", name, "data", f"{kind}.log.labeled"))]


def is_normal(row):
    return row["label"] in NORMAL


def check_day(folder, step, name, network):
    rows, web = labelled(name, "conn"), labelled(name, "http", "ssl")
    where = f"{name}{' with its network' if network else ''}"
    normal = replay_rows(folder, filter(is_normal, rows), network=network)
    assert len(normal) <= 1, f"{where}: {len(normal)} alerts of a normal day"
    both = replay_rows(folder, filter(is_normal, rows), list(filter(is_normal, web)), network)
    assert len(both) <= 1, f"{where}: {len(both)} alerts of a normal day with its proxy"
    every = replay_rows(folder, rows, web, network)
    reported = {a["source.ip"] for a in every if a["alert.kind"] == "D3"}
    many = scanners(rows)
    missing = {source: ports for source, ports in many.items() if source not in reported}
    assert many, "the capture has no scanner: the test says nothing"
    assert not missing, f"{where}: not reported: {missing}"
    assert len(every) <= NOISE_ALERTS_MAX, f"{where}: {len(every)} alerts"
    step(f"{where}: {len(normal)} alerts of the normal rows, {len(both)} with their proxy, {len(every)} of all; "
         f"{len(many)} scanners of {PORTS_LEAST} ports reported")


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
