"""Zeek's logs as the lines of the devices in its place: conn.log a FortiGate's, http.log and ssl.log those of a Squid.

FortiGate: a session is logged when it ends. What nobody answered is a denial where it came from outside (a firewall in front of
the network drops it) and a timeout without bytes where it came from inside. Bytes are those of IP packets, as a
FortiGate counts them: a lone RST is 40 bytes received.
Squid: only what came from inside passes a proxy. A request is logged as it was, TLS as a CONNECT to the name that the
client asked for, with the bytes and the end of its connection.
"""
import datetime
import json
import pathlib

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
SERVICES = {(6, 443): "HTTPS", (6, 80): "HTTP", (17, 53): "DNS", (6, 22): "SSH", (6, 445): "SMB"}
# Of a session's state: what a FortiGate calls its end.
ACTIONS = {"SF": "close", "S1": "timeout", "S2": "close", "S3": "close", "RSTO": "client-rst", "RSTR": "server-rst",
           "RSTOS0": "client-rst", "RSTRH": "server-rst", "REJ": "server-rst", "SH": "timeout", "SHR": "timeout",
           "OTH": "timeout", "S0": "timeout"}
UNANSWERED = {"S0", "SH", "RSTOS0"}


def read_log(path):
    """Rows of a log, of JSON or tab separated, as dicts of text; `label` is "" where there is none."""
    names = []
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("{"):
            yield {"label": "", **{k: json.dumps(v) if isinstance(v, bool) else str(v)
                                   for k, v in json.loads(line).items()}}
        elif line.startswith("#fields"):
            names = line.split("\t")[1:]
        elif line and not line.startswith("#"):
            yield {"label": "", **dict(zip(names, line.split("\t"), strict=True))}


def number(row, name):
    text = row.get(name, "-")
    return 0 if text in ("-", "") else float(text) if "." in text else int(text)


def is_inside(row):
    """Whether the originator belongs to the network that was watched."""
    return row.get("local_orig", "-") in ("T", "true")


def end_of(row):
    return number(row, "ts") + number(row, "duration")


def to_line(row, session):
    """One line of FortiOS 7, without its line feed."""
    end_ns = int(end_of(row) * 1e6) * 1000
    moment = datetime.datetime.fromtimestamp(end_ns // 10**9, datetime.timezone.utc)
    protocol = PROTOCOLS.get(row["proto"], 0)
    port = int(row["id.resp_p"])
    denied = row["conn_state"] == "S0" and not is_inside(row)
    received = 0 if row["conn_state"] in UNANSWERED else number(row, "resp_ip_bytes")
    action = "deny" if denied else ACTIONS[row["conn_state"]] if protocol == 6 else "accept"
    service = SERVICES.get((protocol, port), f"{row['proto']}/{port}")
    inside, outside = ("lan", "lan"), ("wan1", "wan")
    client, server = (inside, outside) if is_inside(row) else (outside, inside)
    fields = [
        ("date", moment.strftime("%Y-%m-%d")), ("time", moment.strftime("%H:%M:%S")), ("devname", '"FW-ZEEK"'),
        ("devid", '"FG100FTK00000001"'), ("eventtime", end_ns), ("tz", '"+0000"'), ("logid", '"0000000013"'),
        ("type", '"traffic"'), ("subtype", '"forward"'), ("level", '"warning"' if denied else '"notice"'),
        ("vd", '"root"'), ("srcip", row["id.orig_h"]), ("srcport", row["id.orig_p"]), ("srcintf", f'"{client[0]}"'),
        ("srcintfrole", f'"{client[1]}"'), ("dstip", row["id.resp_h"]), ("dstport", port),
        ("dstintf", f'"{server[0]}"'), ("dstintfrole", f'"{server[1]}"'), ("sessionid", session), ("proto", protocol),
        ("action", f'"{action}"'),
        ("policyid", 0 if denied else 1), ("policytype", '"policy"'),
        ("service", f'"{service}"'),
        ("trandisp", '"noop"'), ("duration", int(number(row, "duration"))),
        ("sentbyte", 0 if denied else number(row, "orig_ip_bytes")), ("rcvdbyte", received),
        ("sentpkt", 0 if denied else number(row, "orig_pkts")),
        ("rcvdpkt", 0 if received == 0 else number(row, "resp_pkts")), ("appcat", '"unscanned"')]
    return " ".join(f"{name}={value}" for name, value in fields)


def to_lines(rows):
    """Lines of rows of conn.log in the order in which sessions ended."""
    return [to_line(row, 1000 + n) for n, row in enumerate(sorted(rows, key=end_of))]


def value(row, name):
    """The text of a field without what would end it on a proxy's line; "" where there is none."""
    text = row.get(name, "-")
    return "" if text in ("-", "(empty)") else text.replace(" ", "%20")


def host_of(row, name):
    return value(row, name) or (f"[{row['id.resp_h']}]" if ":" in row["id.resp_h"] else row["id.resp_h"])


def to_proxy_line(row, conn):
    """Squid's line, in its native form, for a row of http.log, or of ssl.log with its connection's row."""
    end, took_ms = end_of(conn), int(number(conn, "duration") * 1000)
    if "server_name" in row:
        received, status = number(conn, "resp_ip_bytes"), "TCP_TUNNEL/200"
        what = f"CONNECT {host_of(row, 'server_name')}:{row['id.resp_p']}"
    else:
        end = number(row, "ts")
        received = number(row, "response_body_len")
        status = f"TCP_MISS/{value(row, 'status_code') or '000'}"
        what = f"{value(row, 'method') or 'GET'} http://{host_of(row, 'host')}{value(row, 'uri') or '/'}"
    return end, (f"{end:.3f} {took_ms} {row['id.orig_h']} {status} {received} {what} - "
                 f"HIER_DIRECT/{row['id.resp_h']} -")


def to_proxy_lines(rows, conns):
    """Lines for rows of http.log and ssl.log whose connection came from inside, by time."""
    inside = {conn["uid"]: conn for conn in conns if is_inside(conn)}
    lines = [to_proxy_line(row, inside[row["uid"]]) for row in rows if row["uid"] in inside]
    return [line for _, line in sorted(lines)]
