#!/usr/bin/env python3
"""`sekisho rule check` says what is read and never gives a result: folders without rules, fields that no log has,
values that a field never has, conditions and correlations that never hold.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from sekisho import Steps, need_binary, temp_dir  # noqa: E402

RULE = """title: t
id: 5b1f0d6e-55a1-4a5c-9a40-0d0f5f1f9c{:02x}
name: rule{}
logsource: {}
detection:
{}
"""
CORRELATION = """title: t
id: 5b1f0d6e-55a1-4a5c-9a40-0d0f5f1f9dff
correlation: {{rules: [rule0, rule1], timespan: 5m, {}}}
"""
PROXY, FIREWALL = "{category: proxy}", "{category: firewall}"
NEVER, TWICE = "the condition never holds", "only for a line that has the field twice"

# (logsource, selections and condition, what is warned of; None: nothing)
CASES = [
    (PROXY, "  s: {user.name: taro}\n  condition: s", None),
    (PROXY, "  s: {user.name: taro}\n  condition: s and not s", NEVER),
    (PROXY, "  s: {user.name: taro}\n  t: {user.name|startswith: ta}\n  condition: s and not t", NEVER),
    (PROXY, "  s: {user.name: taro}\n  t: {user.name|startswith: ta}\n  condition: t and not s", None),
    (PROXY, "  s: {destination.port: 80}\n  t: {destination.port: 443}\n  condition: s and t", TWICE),
    (PROXY, "  s: {destination.port: 80}\n  t: {destination.port: 443}\n  condition: s or t", None),
    (PROXY, "  s: {destination.port|lt: 5}\n  t: {destination.port|gt: 9}\n  condition: s and t", TWICE),
    (PROXY, "  s: {user.name: null}\n  t: {user.name: taro}\n  condition: s and t", NEVER),
    (PROXY, "  s: {user.name|exists: false}\n  t: {user.name|contains: a}\n  condition: s and t", NEVER),
    (PROXY, "  s: {source.ip|cidr: 192.0.2.0/24}\n  t: {source.ip|cidr: '2001:db8::/32'}\n  condition: all of them",
     TWICE),
    (PROXY, "  s: {sekisho.verdict: allow}\n  t: {sekisho.verdict: [deny, drop]}\n  condition: s and t", NEVER),
    (PROXY, "  s: {sekisho.format: bind}\n  condition: s", NEVER + " on the logs of its logsource"),
    (FIREWALL, "  s: {sekisho.format: bind}\n  condition: s", NEVER + " on the logs of its logsource"),
    (FIREWALL, "  s: {destination.port: http}\n  condition: s", '"http": destination.port is a whole number'),
    (FIREWALL, "  s: {destination.port: [http, 80]}\n  condition: s", '"http": destination.port is a whole number'),
    (FIREWALL, "  s: {destination.port|cidr: 192.0.2.0/24}\n  condition: s", "destination.port is a whole number"),
    (FIREWALL, "  s: {source.ip: host}\n  condition: s", "source.ip is an address"),
    (FIREWALL, "  s: {source.ip|gt: 5}\n  condition: s", "source.ip is an address"),
    (FIREWALL, "  s: {sekisho.verdict: ALLOWED}\n  condition: s", "sekisho.verdict is one of unknown allow deny"),
    (FIREWALL, "  s: {sekisho.verdict: [ALLOWED, allow]}\n  condition: s", '"ALLOWED"'),
    (FIREWALL, "  s: {sekisho.verdict|cased: Allow}\n  condition: s", "sekisho.verdict is one of"),
    (FIREWALL, "  s: {sekisho.tenant: '5202'}\n  condition: s", "a code of six digits"),
    (FIREWALL, "  s: {'@timestamp|hour|gte': 24}\n  condition: s", "hours are 0 to 23"),
    (FIREWALL, "  s: {source.ipp: 192.0.2.1}\n  condition: s", 'no log has a field "source.ipp".*"source.ip"'),
    (FIREWALL, "  s: {src_prt: 5}\n  condition: s", 'no log has a field "src_prt"'),
    (FIREWALL, "  s: {squid.result: 5}\n  condition: s", 'no format fills the field "squid.result"'),
    (FIREWALL, "  s: {fortigate.cfgpath: x, our-proxy.col3: y, user.name|fieldref: source.domain}\n  condition: s", None),
    (FIREWALL, "  s: {user.name|fieldref: sorce.domain}\n  condition: s", 'no log has a field "sorce.domain"'),
    ("{product: zeek}", "  s: {id.orig_h: 192.0.2.1}\n  condition: s", "none of the logs .* the rule never runs"),
    ("{product: fortigate, service: event}",
     "  s: {cfgpath: x, srcip: 192.0.2.1, subtype: event, method: POST, devname: fw, user: a, sekisho.verdict: allow}\n"
     "  condition: s", None),
    ("{product: fortigate}", "  s: {cfgpth: x}\n  condition: s", 'no log has a field "cfgpth".*"cfgpath"'),
    ("{category: proxy, product: squid}", "  s: {sekisho.format: fortigate}\n  condition: s", NEVER),
]
CORRELATIONS = [
    ("type: event_count, condition: {gte: 10}", None),
    ("type: event_count, condition: {gte: 10, lte: 5}", NEVER),
    ("type: event_count, condition: {lt: 1}", NEVER),
    ("type: event_count, condition: {eq: 2.5}", NEVER),
    ("type: value_count, condition: {gt: 4, lt: 5, field: user.name}", NEVER),
    ("type: value_avg, condition: {gt: 4, lt: 5, field: source.bytes}", None),
    ("type: value_avg, condition: {gte: 6, lt: 5, field: source.bytes}", NEVER),
    ("type: temporal, condition: 'rule0 and not rule0'", NEVER),
    ("type: temporal, condition: 'rule0 and not rule1'", None),
    ("type: event_count, group-by: [usr.name], condition: {gte: 10}", 'no log has a field "usr.name"'),
]
CORRELATED = "".join(RULE.format(n, n, FIREWALL, "  s: {user.name: taro}\n  condition: s") + "---\n" for n in range(2))


def check(binary, path):
    got = subprocess.run([binary, "rule", "check", str(path)], capture_output=True, text=True, timeout=60)
    return got.returncode, got.stderr


def verify(binary, folder, text, wanted):
    path = folder / "x.yml"
    path.write_text(text)
    code, said = check(binary, path)
    if wanted is None:
        assert (code, said) == (0, ""), f"{text}\nexit {code}: {said}"
        return
    assert code == 1, f"{text}\nexit {code}: {said}"
    assert re.search(wanted, said), f"{text}\n{wanted} is not in: {said}"
    assert re.match(re.escape(str(path)) + r":\d+:\d+: warning: ", said), said


def folders(binary, folder):
    rule = RULE.format(0, 0, PROXY, "  s: {user.name: taro}\n  condition: s")
    cases = [({}, "no rules"), ({"readme.txt": "a", "x.json": "{}"}, "passed over: 2"),
             ({"a.yml": ""}, "no rules"), ({"a.YML": rule}, None), ({"a.Yaml": rule, "b.txt": ""}, None)]
    for number, (files, wanted) in enumerate(cases):
        path = folder / f"folder{number}"
        path.mkdir()
        for name, text in files.items():
            (path / name).write_text(text)
        code, said = check(binary, path)
        if wanted is None:
            assert (code, said) == (0, ""), f"{files}: exit {code}: {said}"
        else:
            assert code == 2 and wanted in said and str(path) in said, f"{files}: exit {code}: {said}"
    lists = folder / "listed" / "lists"
    lists.mkdir(parents=True)
    (lists / "names.TXT").write_text("taro\n")
    (lists.parent / "a.yml").write_text(rule.replace("user.name: taro", "user.name|expand: '%names%'"))
    assert check(binary, lists.parent) == (0, ""), "a list whose name ends in .TXT"


def main():
    binary, step = need_binary(), Steps()
    with temp_dir() as folder:
        folder = pathlib.Path(folder)
        folders(binary, folder)
        step("folders: empty, of other files, names in upper case")
        for logsource, detection, wanted in CASES:
            verify(binary, folder, RULE.format(0, 0, logsource, detection), wanted)
        step(f"{len(CASES)} rules")
        for body, wanted in CORRELATIONS:
            verify(binary, folder, CORRELATED + CORRELATION.format(body), wanted)
        step(f"{len(CORRELATIONS)} correlations")
        never = RULE.format(0, 0, FIREWALL, "  s: {user.name: taro}\n  condition: s and not s") + "---\n"
        verify(binary, folder, never + CORRELATED[CORRELATED.index("---\n") + 4:]
               + CORRELATION.format("type: event_count, condition: {gte: 10}"), 'the rule "rule0" never holds')
        step("a correlation over a rule that never holds")


if __name__ == "__main__":
    main()
