#!/usr/bin/env python3
"""The alerts of a replay are the same bytes, whatever the batches, the workers and the wall clock are.

Generated traffic of some municipalities and days, with every kind of case planted, is replayed with batches of 1, 7
and 2,048 rows, with 1, 2 and 8 workers, twice in a row, and with the wall clock an hour and a year ahead: one alerts
file. The rows of the store that a replay left are judged again from its log (`replay --log`): the same file. And lines
that arrive in another order, within lateness, lead to the same planted cases and to nothing that the ordered run
did not find.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
import labels  # noqa: E402
from sekisho import BIN, LONG, Steps, run, seeded_random, temp_dir  # noqa: E402

TENANTS, DAYS, EVENTS = (20, 3, 2_000_000) if LONG else (6, 3, 90_000)
ORDERS, ORDER_EVENTS = (1000, 20_000) if LONG else (30, 20_000)
LATENESS = 100   # seconds by which a line may be late; the product's default is 120
KINDS = "scan,scan_vertical,scan_inbound,slow_scan,ioc_ip,ioc_domain,ioc_url,zone_lgwan,zone_mynumber,silence,drift," \
        "deny_burst,brute_force,flood,rare"


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def build_shift(folder):
    library = folder / "clock_shift.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(library),
                    str(ROOT / "tests" / "fault" / "clock_shift.c"), "-ldl"], check=True)
    return library


def replay(folder, name, *options, env=None):
    """The alerts file of a replay into folder/name."""
    command = [str(BIN), "replay", "--data", str(folder / name), "--manifest", str(folder / "manifest.yaml"),
               "--config", str(folder / "config.yaml"), *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise AssertionError(f"{name}: exit {done.returncode}: {done.stderr.decode()[-2000:]}")
    return done.stdout


def first_difference(a, b):
    for number, (x, y) in enumerate(zip(a.splitlines(), b.splitlines())):
        if x != y:
            return f"line {number + 1}:\n  {x.decode()[:400]}\n  {y.decode()[:400]}"
    return f"{len(a.splitlines())} and {len(b.splitlines())} lines"


def check_bytes(steps, folder):
    base = replay(folder, "base")
    if not base:
        raise AssertionError("no alert at all: the test would show nothing")
    print(f"{len(base.splitlines())} revisions of alerts")
    shift = build_shift(folder)
    runs = {f"batches of {rows}, {workers} workers": (("--batch-rows", rows, "--workers", workers), {})
            for rows, workers in ((1, 2), (7, 1), (7, 8), (2048, 1), (2048, 2), (2048, 8))}
    runs["again"] = ((), {})
    for text, seconds in (("an hour", 3600), ("a year", 365 * 86400)):
        runs[f"the clock {text} ahead"] = ((), {"LD_PRELOAD": str(shift), "CLOCK_SHIFT": str(seconds)})
    for number, (name, (options, env)) in enumerate(runs.items()):
        got = replay(folder, f"run{number}", *options, env=env)
        need(got == base, f"{name}: {first_difference(base, got)}")
        steps(f"{name}: the same alerts")
    again = run("replay", "--log", folder / "run0", "--config", folder / "config.yaml").stdout
    need(again == base, f"judged again from the log: {first_difference(base, again)}")
    steps("judged again from the log: the same alerts")


def stamp_of(line):
    """The event time of a generated line, in seconds; lines without one keep their place."""
    found = re.search(rb"eventtime=(\d{10})", line)
    return int(found.group(1)) if found else None


def disorder(r, lines):
    """Each line is late by up to LATENESS seconds; lines of one second keep their order among themselves."""
    keyed, last = [], 0.0
    for number, line in enumerate(lines):
        last = stamp_of(line) or last
        keyed.append((last + (r.uniform(0, LATENESS) if r.random() < 0.3 else 0.0), number, line))
    return [line for _, _, line in sorted(keyed)]


def check_orders(steps, r, folder):
    ordered = labels.Judgement(labels.read(folder / "labels.ndjson"), read_alerts(replay(folder, "ordered")))
    entries = (folder / "manifest.yaml").read_text().splitlines()
    files = {folder / re.search(r'file: "?([^",}]+)', e).group(1) for e in entries if e.startswith("- ")}
    content = {path: path.read_bytes().splitlines(keepends=True) for path in files}
    found = {label["case"] for label in ordered.found}
    kinds = {(a["sekisho.tenant"], a["rule.name"]) for a in ordered.rest}
    print(f"ordered: found {sorted(found)}, besides {sorted(kinds)}")
    missed, new = [], []
    for number in range(ORDERS):
        for path, lines in content.items():
            path.write_bytes(b"".join(disorder(r, lines)))
        judged = labels.Judgement(labels.read(folder / "labels.ndjson"), read_alerts(replay(folder, f"order{number}")))
        subprocess.run(["rm", "-rf", str(folder / f"order{number}")], check=True)
        missed += sorted(found - {label["case"] for label in judged.found})
        new += sorted({(a["sekisho.tenant"], a["rule.name"]) for a in judged.rest} - kinds)
    need(not missed, f"orders of arrival lost planted cases: {missed[:10]}")
    need(not new, f"orders of arrival found something new: {new[:10]}")
    steps(f"{ORDERS} orders of arrival: the same planted cases, nothing new")


def read_alerts(data):
    return [json.loads(line) for line in data.splitlines()]


def main():
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        made = folder / "days"
        run("gen", "--seed", r.randrange(1 << 31), "--tenants", TENANTS, "--days", DAYS, "--events", EVENTS,
            "--inject", KINDS, "--out", made)
        check_bytes(steps, made)
        # The same lines, and whose they are is for the program to find out.
        for name in ("manifest.yaml", "config.yaml"):
            text = (made / name).read_text()
            (made / name).write_text(re.sub(r"format: \w+", "format: auto", text))
        subprocess.run(["rm", "-rf", *made.glob("run*"), made / "base"], check=True)
        check_bytes(steps, made)
        orders = folder / "orders"
        run("gen", "--seed", r.randrange(1 << 31), "--tenants", 3, "--days", 1, "--events", ORDER_EVENTS,
            "--format", "fortigate=100", "--inject", "scan,scan_inbound,ioc_ip,zone_lgwan,zone_mynumber", "--out", orders)
        check_orders(steps, r, orders)


if __name__ == "__main__":
    main()
