#!/usr/bin/env python3
"""`sekisho rule test` keeps municipalities apart: a correlation of a municipality counts its own lines, one of the
prefecture what inner ones say of each.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from sekisho import Steps, need_binary, run, temp_dir  # noqa: E402

RULES = """title: a login failed
id: 6a1f0d6e-55a1-4a5c-9a40-0d0f5f1f9c01
name: failed
logsource: {category: firewall}
detection:
  s: {event.action: failed}
  condition: s
---
title: often at one address
id: 6a1f0d6e-55a1-4a5c-9a40-0d0f5f1f9c02
name: often
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 10m, condition: {gte: 3}, generate: true}
---
title: often in several towns
id: 6a1f0d6e-55a1-4a5c-9a40-0d0f5f1f9c03
name: everywhere
correlation:
  {type: value_count, rules: [often], group-by: [source.ip], timespan: 1h, condition: {field: sekisho.tenant, gte: 2}}
sekisho: {scope: prefecture}
"""
LINE = ('date=2026-11-19 time=10:00:{:02d} devname="FW-TOWN-01" tz="+0900" type="event" subtype="user" level="notice" '
        'srcip=10.1.1.5 action="failed"\n')


def block(kind, rule, *towns):
    """Lines of each town: (code, how many)."""
    text = ""
    for number, (code, count) in enumerate(towns):
        head = f"== {kind} fortigate rule={rule}" if number == 0 else "-- fortigate"
        text += f"{head} tenant={code}\n" + "".join(LINE.format(10 * number + i) for i in range(count))
    return text


BLOCKS = [("fires", "often", ("011002", 3)),
          ("quiet", "often", ("011002", 2)),
          ("quiet", "often", ("011002", 2), ("012025", 2)),
          ("fires", "often", ("011002", 2), ("012025", 3)),
          ("fires", "everywhere", ("011002", 3), ("012025", 3)),
          ("quiet", "everywhere", ("011002", 3), ("012025", 2)),
          ("quiet", "everywhere", ("011002", 6))]


def main():
    need_binary()
    steps = Steps()
    with temp_dir() as folder:
        (folder / "towns.yml").write_text(RULES)
        for number, told in enumerate(BLOCKS):
            for kind, code in ((told[0], 0), ("quiet" if told[0] == "fires" else "fires", 1)):
                (folder / "towns.lines").write_text(block(kind, *told[1:]))
                done = run("rule", "test", folder / "towns.yml", check=None)
                said = done.stdout.decode() + done.stderr.decode()
                wrong = [line for line in said.splitlines() if "towns.lines" in line and ("fire" in line or "quiet" in line)]
                if bool(wrong) != bool(code):
                    raise AssertionError(f"block {number}, {kind} {told[1:]}: {said}")
    steps(f"{len(BLOCKS)} blocks, each of which fails where it says the opposite")


if __name__ == "__main__":
    main()
