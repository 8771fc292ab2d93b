#!/usr/bin/env python3
"""`sekisho source try`: what it says of samples of every kind, in both languages and as NDJSON, and what it prints to paste.

What is no log is refused with a remedy. Formats of generated traffic are found; a mixture has its shares. Clocks, zones
and encodings are those that the samples were made with. Rules are judged as `rule coverage` judges the same lines in a store.
"""
import gzip
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import Steps, ndjson, run, temp_dir  # noqa: E402

CODE = "131016"
NONE = ("--rules", ROOT / "rules" / "zone")  # few rules, where they do not matter
GOLDEN = ROOT / "tests" / "golden"
GENERATED = {"fortigate": "fortigate", "squid": "squid", "panos": "panos", "cisco_asa": "cisco_asa", "i_filter": "i_filter"}


def tried(path, *options, check=0, stdin=None):
    """{kind: [objects]} of --json."""
    found = {}
    for row in ndjson(run("source", "try", "--json", *NONE, *options, *([path] if path else []), check=check,
                          stdin=stdin).stdout):
        found.setdefault(row["try"], []).append(row)
    return found


def fortigate(clock, tail="", head="", zone=' tz="+0900"', sent=" sentbyte=1200 rcvdbyte=4000"):
    day, time = clock.split("T")
    return f'{head}date={day} time={time}{zone} devname="fw1" devid="FG1" logid="0000000013" type="traffic" ' \
           f'subtype="forward" srcip=10.1.0.5 srcport=50000 dstip=203.0.113.9 dstport=443 action="accept" proto=6' \
           f'{sent}{tail}\n'


def write(path, text, stamp=None):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if stamp:
        seconds = int(subprocess.run(["date", "-d", stamp, "+%s"], capture_output=True, check=True).stdout)
        os.utime(path, (seconds, seconds))
    return path


def refused(folder):
    lines = "".join(fortigate(f"2026-11-21T10:00:{n:02d}") for n in range(20))
    cases = {"empty": (b"", "empty", "空のファイル"), "blank": (b"\n\r\n\n", "empty lines", "空行"),
             "gzip": (gzip.compress(lines.encode()), "gzip -dc", "gzip -dc"),
             "zstd": (b"\x28\xb5\x2f\xfd" + bytes(90), "zstd -dc", "zstd -dc"),
             "zip": (b"PK\x03\x04" + bytes(90), "zip", "zip"), "utf16": (lines.encode("utf-16"), "iconv", "iconv"),
             "utf16le": (lines.encode("utf-16-le"), "UTF-16LE", "UTF-16LE"), "pcap": (b"\xd4\xc3\xb2\xa1" * 9, "packet", "パケット"),
             "program": (bytes(range(1, 32)) * 50 + b"text", "binary", "バイナリ")}
    for name, (data, english, japanese) in cases.items():
        path = write(folder / name, data)
        for language, word in (("en", english), ("ja", japanese)):
            done = run("source", "try", "--lang", language, path, check=2)
            assert done.stdout == b"" and word in done.stderr.decode() and name in done.stderr.decode(), (name, done.stderr)
    assert b"directory" in run("source", "try", "--lang", "en", folder, check=2).stderr
    assert b"not found" in run("source", "try", folder / "nowhere", check=3).stderr
    # NUL bytes in a few lines are a device's, not a binary file's.
    tried(write(folder / "nul", lines + "a\0b\n" * 2), check=1)


def formats(folder):
    for name, expected in GENERATED.items():
        path = folder / f"{name}.log"
        path.write_bytes(run("gen", "--seed", 5, "--tenants", 1, "--events", 1500, "--format", f"{name}=1", "--out", "-").stdout)
        found = tried(path)
        judged = found["format"][0]
        assert (judged["sekisho.format"], judged["certainty"], judged["parsed"]) == (expected, "sure", 1500), judged
        assert found["sample"][0]["ready"] is True and len(found["share"]) == 1, found["sample"]
        assert {"source.ip", "@timestamp"} <= {row["field"] for row in found["field"]}
        again = tried(path, "--format", expected)["format"][0]
        assert again["certainty"] == "given" and again["parsed"] == 1500
    mixed = write(folder / "mixed.log", b"".join(
        b"".join(pair) for pair in zip((folder / "fortigate.log").read_bytes().splitlines(True)[:300],
                                       (folder / "squid.log").read_bytes().splitlines(True)[:300])))
    found = tried(mixed, check=1)
    assert found["format"][0]["certainty"] == "mixed" and found["format"][0]["sekisho.format"] == "auto"
    assert {row["sekisho.format"]: row["lines"] for row in found["share"]} == {"fortigate": 300, "squid": 300}
    report = run("source", "try", "--lang", "en", *NONE, mixed, check=1).stdout.decode()
    assert "50.0 %  fortigate (300 lines)" in report and "50.0 %  squid (300 lines)" in report, report[:600]
    # Of these another format's probe takes some lines, but they read all of them: no mixtures.
    for name in ("bind", "cisco_wsa", "combined", "iis", "sophos"):
        whole = write(folder / f"{name}.log", b"".join(p.read_bytes() for p in sorted((GOLDEN / name).glob("*.log"))))
        found = tried(whole, check=None)
        judged = found["format"][0]
        assert judged["sekisho.format"] == name and judged["certainty"] in ("likely", "sure"), found["format"]
        assert len(found["share"]) > 1
    lone = write(folder / "lone.log", (folder / "squid.log").read_bytes() * 2 + b"one line of something else\n")
    report = run("source", "try", "--lang", "en", *NONE, lone).stdout.decode()
    assert "99.9 % of the lines" in report and "<0.1 %  no format (1 lines)" in report, report[:600]
    unknown = tried(write(folder / "unknown", "nothing that anybody knows\n" * 30), check=1)
    assert unknown["format"][0]["certainty"] == "unknown" and unknown["clock"][0]["zone_from"] == "none"


def envelopes(folder):
    """JSON that log shippers put around a line is seen, wherever the line is; documents that say where they went are none."""
    lines = [fortigate(f"2026-11-21T10:00:{n:02d}").rstrip() for n in range(40)]
    shippers = {
        "message": lambda text: {"@timestamp": "2026-11-21T01:00:00.000Z", "agent": {"type": "filebeat"}, "input": {"type": "udp"},
                                 "log": {"source": {"address": "192.0.2.1:514"}}, "message": text},
        "log": lambda text: {"date": 1795222800.5, "log": text + "\n"},
        "event.original": lambda text: {"event": {"original": text}, "host": {"hostname": "relay1"}, "message": "syslog"},
        "MESSAGE": lambda text: {"PRIORITY": "5", "HOST": "fw1", "MESSAGE": text},
    }
    for key, wrap in shippers.items():
        path = write(folder / f"wrapped-{key}", "".join(json.dumps(wrap(line)) + "\n" for line in lines))
        found = tried(path, check=1)
        assert found["envelope"] == [{"try": "envelope", "key": key, "sekisho.format": "fortigate", "lines": 40, "tried": 40}], found
        for language, word in (("en", "shipper"), ("ja", "包んで")):
            assert word in run("source", "try", "--lang", language, *NONE, path, check=1).stdout.decode()
    # The configuration to paste is that of the line as it should come.
    pasted = run("source", "try", *NONE, "--tenant", CODE, "--source", "fw1", "--print", "collector", path, check=1).stdout.decode()
    assert "fortigate" in pasted and "json" not in pasted, pasted
    few = [json.dumps(shippers["log"](line)) for line in lines[:10]] + [json.dumps({"log": "started"})] * 30
    assert "envelope" not in tried(write(folder / "few", "\n".join(few)), check=None)
    hostile = ["[" * 5000, '{"message":' * 3000, '{"message":"a\\u0000b"}', '{"message":"\\ud800"}', '{"message":', '{"message":["x"]}',
               '{"message":"","event":7}', '{"event":{"original":null},"message":"one\\ntwo"}', '{"message":"' + "x" * 100000 + '"}']
    found = tried(write(folder / "hostile", "\n".join(hostile * 5) + "\n"), check=1)
    assert "envelope" not in found and found["format"][0]["lines"] == len(hostile) * 5, found["format"]
    for document in ("ecs", "feeds", "schemas", "vendors"):
        assert "envelope" not in tried(GOLDEN / "json" / f"{document}.log", check=None), document


def unparsed(folder):
    rows = [fortigate(f"2026-11-21T10:{n // 60:02d}:{n % 60:02d}") for n in range(100)]
    for at in (3, 20, 21, 50, 77, 98):
        rows[at] = f"no log line, number {at}\n"
    rows.insert(10, "\n")
    path = write(folder / "unparsed.log", "".join(rows))
    found = tried(path, check=1)
    assert [row["line"] for row in found["unparsed"]] == [4, 22, 23, 52, 79], found["unparsed"]
    assert found["unparsed"][0]["event.original"] == "no log line, number 3"
    assert found["format"][0]["parsed"] == 94 and found["sample"][0]["empty_lines"] == 1
    hostile = run("source", "try", "--lang", "en", *NONE, write(folder / "esc", "\x1b[31mred\x1b[0m\u202e\n" * 9), check=1)
    assert b"\x1b" not in hostile.stdout and "\u202e".encode() not in hostile.stdout, hostile.stdout


def clocks(folder):
    def clock(name, rows, *options, stamp=None, check=0):
        return tried(write(folder / name, "".join(rows), stamp), *options, check=check)["clock"][0]
    minutes = [f"2026-11-21T10:{n:02d}:00" for n in range(30)]
    now = ("--reference-time", "2026-11-21T10:29:20+09:00")
    said = clock("said", [fortigate(m) for m in minutes], *now)
    assert (said["zone_from"], said["zone_in_line"], said["off"]) == ("line", 30, False), said
    assert said["newest"] == "2026-11-21T01:29:00Z" and said["offset_seconds"] == -20, said
    fast = clock("fast", [fortigate(m) for m in minutes], "--reference-time", "2026-11-21T10:19:00+09:00", check=1)
    assert fast["off"] is True and fast["offset_seconds"] == 600, fast
    # Lines without a zone, written in UTC: the reference tells, and so does the relay.
    local = [fortigate(m, zone="") for m in minutes]
    japan = clock("japan", local, *now)
    assert (japan["zone_from"], japan["zone"], japan["offset_seconds"]) == ("reference", "+09:00", -20), japan
    utc = clock("utc", local, "--reference-time", "2026-11-21T10:29:20Z")
    assert (utc["zone_from"], utc["zone"], utc["offset_seconds"]) == ("reference", "+00:00", -20), utc
    india = clock("india", local, "--reference-time", "2026-11-21T10:29:20+05:30")
    assert (india["zone_from"], india["zone"]) == ("reference", "+05:30"), india
    relayed = clock("relayed", [fortigate(m, zone="", head=f"<189>Nov 21 19:{n:02d}:01 fw1 ") for n, m in enumerate(minutes)])
    assert (relayed["zone_from"], relayed["zone"]) == ("relay", "+00:00"), relayed
    # A file alone: an older one proves nothing, lines from the future do.
    old = clock("old", local, stamp="2026-11-21 19:29:00 +0900")
    assert (old["zone_from"], old["zone"], old["off"]) == ("assumed", "+09:00", False), old
    ahead = clock("ahead", local, stamp="2026-11-21 08:29:00 +0900")
    assert (ahead["zone_from"], ahead["zone"], ahead["off"]) == ("reference", "+11:00", False), ahead
    future = clock("future", local, stamp="2026-11-21 10:10:00 +0900", check=1)
    assert (future["zone_from"], future["off"]) == ("assumed", True), future
    last = clock("zone", local, "--zone", "+05:30", *now[:1], "2026-11-21T10:50:00+05:30", check=1)
    assert (last["zone"], last["offset_seconds"]) == ("+05:30", -21 * 60), last


def encodings(folder):
    rows = [fortigate(f"2026-11-21T10:00:{n:02d}").encode() for n in range(40)]
    rows[4] = fortigate("2026-11-21T10:00:04", ' msg="許可"').encode()
    rows[7] = fortigate("2026-11-21T10:00:07", ' msg="ファイル"').encode("cp932")
    rows[8] = fortigate("2026-11-21T10:00:08", ' msg="ｱｲｳｴ"').encode("cp932")  # right in EUC-JP, too
    found = {row["encoding"]: (row["lines"], row["first_line"]) for row in
             tried(write(folder / "cp932", b"".join(rows)))["encoding"]}
    assert found == {"ASCII": (37, 1), "UTF-8": (1, 5), "CP932": (2, 8)}, found
    for language in ("ja", "en"):
        report = run("source", "try", "--lang", language, folder / "cp932").stdout.decode()
        assert "encoding: cp932" in report, report
    rows[7] = fortigate("2026-11-21T10:00:07", ' msg="ありがとう"').encode("euc_jp")
    found = {row["encoding"]: row["lines"] for row in tried(write(folder / "euc", b"".join(rows)))["encoding"]}
    assert found == {"ASCII": 37, "UTF-8": 1, "EUC-JP": 2}, found
    rows[9] = rows[9][:-1] + b"\xff\xfe\n"
    found = {row["encoding"]: row["first_line"] for row in tried(write(folder / "broken", b"".join(rows)), check=1)["encoding"]}
    assert found["broken"] == 10, found


def rules(folder):
    """The same lines in a store, judged by `rule coverage`."""
    for name in ("fortigate", "squid"):
        data, path = folder / f"data-{name}", folder / f"{name}.log"
        run("replay", "--data", data, "--tenant", CODE, "--format", name, path)
        stored = {row["rule.id"]: (row["binds"], row.get("reason")) for row in
                  ndjson(run("rule", "coverage", "--data", data, "--json", ROOT / "rules", check=None).stdout)
                  if row.get("sekisho.format") == name and "rule.id" in row}
        found = {row["rule.id"]: row for row in tried(path, "--rules", ROOT / "rules", "--tenant", CODE)["rule"]}
        assert stored and set(stored) <= set(found), set(stored) - set(found)
        binding = 0
        assert any(row.get("needs_networks") for row in found.values()), name
        for key, (binds, reason) in stored.items():
            row = found[key]
            binding += binds
            if row.get("needs_networks"):  # the store was made without any
                assert not binds and reason == "fields", (name, row)
                continue
            assert (row["binds"], row.get("reason")) == (binds, reason), (name, row, binds, reason)
        assert binding > 10, f"{name}: {binding} rules bind"


def detectors(folder):
    def states(name, rows):
        return {row["detector"]: row for row in tried(write(folder / name, "".join(rows)))["detector"]}
    minutes = [f"2026-11-21T10:{n:02d}:00" for n in range(30)]
    whole = states("whole", [fortigate(m) for m in minutes])
    blind = states("blind", [fortigate(m, sent="") for m in minutes])
    bytes_lack = "source.bytes or http.request.bytes"
    assert bytes_lack not in whole["D1 rare"]["lacks"] and bytes_lack in blind["D1 rare"]["lacks"]
    assert whole["D3 scan"]["state"] == "weaker", "no line of anything refused"
    assert whole["D14 zone"]["state"] == "works"
    refusing = states("refusing", [fortigate(m).replace("accept", "deny") for m in minutes])
    assert refusing["D3 scan"]["state"] == "works"
    nowhere = states("nowhere", [fortigate(m).replace("dstip=203.0.113.9 ", "") for m in minutes])
    assert nowhere["D14 zone"]["state"] == "blind" and nowhere["D4 slow_scan"]["lacks"][0] == "destination.ip", nowhere


def configurations(folder):
    path = folder / "fortigate.log"
    base = ("--tenant", CODE, "--source", "fw1", "--lang", "en")
    for row in tried(path, *base, "--from", "tcp:5514", "--tls", "/srv/tls")["config"]:
        alone = run("source", "try", *NONE, *base, "--from", "tcp:5514", "--tls", "/srv/tls", "--print", row["for"], path).stdout
        assert alone.decode() == row["text"], row["for"]
        if row["for"] == "collector":
            conf = write(folder / "collector.yaml", f"data: {folder}/store\nkafka: {{brokers: 127.0.0.1:9092}}\n{row['text']}")
            run("check", conf)
        else:
            assert f"seclog.raw.{CODE}.fw1" in row["text"] and f"/srv/tls/relay-{CODE}.key" in row["text"]
    utc = write(folder / "local", "".join(fortigate(f"2026-11-21T10:{n:02d}:00", zone="") for n in range(30)))
    text = run("source", "try", *base, "--reference-time", "2026-11-21T10:29:00Z", "--print", "collector", utc).stdout.decode()
    assert 'zone: "+00:00"' in text, text
    for wrong in (("--print", "rsyslog"), (*base, "--print", "rsylog"), (*base, "--from", "udp"), (*base, "--from", "udp:0"),
                  (*base, "--from", "file:relative"), (*base, "--broker", 'a"b:1'), (*base, "--tls", "/a b"),
                  ("--source", "Fw 1"), ("--source", "x" * 33), ("--tenant", "131017"), ("--zone", "nine"),
                  ("--format", "fortigat"), ("--rules", folder / "nowhere"), (*base, "--json", "--print", "rsyslog"), ("a", "b")):
        done = run("source", "try", *wrong, *([] if wrong[0] == "a" else [path]), check=2)
        assert done.stdout == b"" and done.stderr, wrong
    assert b"try" in run("source", "tried", path, check=2).stderr


def beginnings(folder):
    """Standard input, and a file that is longer than what is read."""
    line = fortigate("2026-11-21T10:00:00").encode()
    piped = tried(None, "--reference-time", "2026-11-21T10:00:30+09:00", stdin=line * 50)
    assert piped["sample"][0]["lines"] == 50 and piped["sample"][0]["cut"] is False
    long = tried(write(folder / "long", line * 100001))
    assert long["sample"][0]["lines"] == 100000 and long["sample"][0]["cut"] is True
    assert tried(write(folder / "open", line * 3 + line[:-1]))["sample"][0]["lines"] == 4
    for language, words in (("en", ("Format", "Behavioural detectors")), ("ja", ("■ 形式", "■ 振る舞い検知"))):
        text = run("source", "try", "--lang", language, *NONE, folder / "open").stdout.decode()
        assert all(word in text for word in words) and "--tenant" in text, text


def main():
    step = Steps()
    with temp_dir() as folder:
        for part in (refused, formats, envelopes, unparsed, clocks, encodings, rules, detectors, configurations, beginnings):
            part(folder)
            step(part.__name__)
    print("passed")


if __name__ == "__main__":
    main()
