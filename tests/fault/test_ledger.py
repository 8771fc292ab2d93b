#!/usr/bin/env python3
"""The completeness ledger says what the store holds: against a count by hand of another program, whatever part of the
store is in segments, with retired log files, after kills; changed or cut totals are found.

tests/app/make_history.c makes the stores: several municipalities, sources and partitions, late records, and offsets that are
gaps, quarantined or lost. That compaction under faults leaves the same ledger is tests/fault/test_compact.py's.
"""
import collections
import datetime
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import BIN, LONG, Steps, ndjson, need_binary, run, seeded_random, temp_dir  # noqa: E402

MAKE = BIN.parent / "tests" / "make_history"
RETIRE = BIN.parent / "tests" / "store" / "retire_store"
CHECKER = ROOT / "tests" / "checker"
STORES = 40 if LONG else 5
FLIPS = 400 if LONG else 60
HOUR = 3600


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def ledger(store, *more, check=0):
    return ndjson(run("ledger", "--data", store, "--json", *more, check=check).stdout)


def sums(objects):
    """{(tenant, source, start): the numbers}"""
    skipped = ("type", "tenant", "source", "start", "received", "balanced")
    return {(o["tenant"], o["source"], o["start"]): {k: v for k, v in o.items() if k not in skipped}
            for o in objects if o["type"] == "sum"}


def by_hand(store):
    done = subprocess.run([sys.executable, str(CHECKER / "sekisho_totals.py"), str(store)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=300)
    need(done.returncode == 0, done.stderr.decode())
    found = {}
    for line in ndjson(done.stdout):
        start = moment(line.pop("hour") * HOUR)
        found[line.pop("tenant"), line.pop("source"), start] = line
    return found


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def make(folder, name, r, *steps):
    store = folder / name
    shutil.rmtree(store, ignore_errors=True)
    subprocess.run([str(MAKE), str(store), str(r.randrange(1 << 31)), *map(str, steps)], stdout=subprocess.DEVNULL,
                   check=True, timeout=120)
    return store


def checked(store, code=0):
    done = subprocess.run([sys.executable, str(CHECKER / "sekisho_check.py"), str(store)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False, timeout=300)
    need(done.returncode == code, f"checker: exit {done.returncode}: {done.stdout.decode()}")
    return done.stdout.decode()


def check_counts(steps, folder, r):
    kinds = collections.Counter()
    for number in range(STORES):
        store = make(folder, "counts", r, number % 3)
        objects = ledger(store)
        need(sums(objects) == by_hand(store), "the ledger is not what is counted by hand")
        run("compact", "--data", store)
        after = ledger(store)
        need(sums(after) == sums(objects) == by_hand(store), "compaction changes the ledger")
        need([o for o in after if o["type"] == "event"] == [o for o in objects if o["type"] == "event"],
             "compaction changes what was not stored")
        need(all(o["balanced"] and o["received"] == o["stored"] + o["quarantined"] + o["lost"]
                 for o in after if o["type"] == "sum"), "a sum does not balance")
        kinds.update({k: v for k, v in after[-1].items() if k in ("stored", "quarantined", "lost", "gaps")})
        checked(store)
        run("verify", "--data", store)
    need(all(kinds[k] > 0 for k in ("stored", "quarantined", "lost", "gaps")), kinds)
    steps(f"{STORES} stores: {dict(kinds)}")
    return store, after


def check_retired(steps, store, before):
    done = subprocess.run([str(RETIRE), str(store), str(1 << 40)], stdout=subprocess.PIPE, check=True, timeout=60)
    need(int(done.stdout.split()[0]) > 0, "no file is retired")
    same = [o for o in ledger(store) if o["type"] != "total"]
    need(same == [o for o in before if o["type"] != "total"], "retired files change the ledger")
    checked(store)
    run("verify", "--data", store)
    steps(f"{done.stdout.split()[0].decode()} log files are retired, and the ledger says the same")


def check_views(steps, store, before):
    """What a municipality sees are its own rows, in every form."""
    for tenant in sorted({o["tenant"] for o in before if o["type"] == "sum"}):
        own = ledger(store, "--tenant", tenant)
        need([o for o in own if o["type"] != "total"] ==
             [o for o in before if o["type"] != "total" and o["tenant"] == tenant], f"{tenant}: another sheet")
        text = run("ledger", "--data", store, "--tenant", tenant, "--lang", "ja").stdout.decode()
        others = {o["tenant"] for o in before if "tenant" in o} - {tenant}
        need(tenant in text and "一致" in text and not [t for t in others if t in text], text)
    lines = run("ledger", "--data", store, "--csv").stdout.decode().splitlines()
    need(len(lines) == 1 + len(sums(before)) and lines[0].startswith("tenant,source,start,received,stored,"), lines[0])
    for by in ("day", "month"):
        merged = ledger(store, "--by", by)
        need(merged[-1] == before[-1] and len(merged) < len(before), by)
    first, last = (f(o["start"] for o in before if o["type"] == "sum") for f in (min, max))
    need(sums(ledger(store, "--since", first, "--until", last)) ==
         {k: v for k, v in sums(before).items() if k[2] < last}, "--until")
    need(ledger(store, "--since", "2099-01-01T00:00:00Z")[-1]["received"] == 0, "--since")
    need(run("ledger", "--data", store, "--by", "year", check=2).stderr != b"", "--by year")
    steps("parts of the ledger: municipalities, days, months, times, CSV, Japanese")


def check_damage(steps, folder, r):
    """A changed byte of the totals: named, or the last record is gone, which is a finding."""
    store = make(folder, "damage", r)
    run("compact", "--data", store)
    before = sums(ledger(store))
    path = store / "seg" / "052027" / "totals"
    data = path.read_bytes()
    codes = collections.Counter()
    for _ in range(FLIPS):
        changed = bytearray(data)
        changed[r.randrange(len(data))] ^= 1 << r.randrange(8)
        path.write_bytes(changed)
        done = run("ledger", "--data", store, check=None)
        codes[done.returncode] += 1
        need(done.returncode in (1, 5), f"exit {done.returncode}")
        need(done.returncode == 1 or b"totals" in done.stderr, done.stderr)
        others = {k: v for k, v in before.items() if k[0] == "131016"}
        need(sums(ledger(store, "--tenant", "131016")) == others, "another municipality's sheet")
    need(codes[1] and codes[5], codes)
    for _ in range(10):
        path.write_bytes(data[:r.randrange(len(data))])
        need(run("ledger", "--data", store, check=None).returncode in (1, 5), "a cut file")
        run("verify", "--data", store, check=5)
    path.unlink()
    done = run("ledger", "--data", store, "--lang", "en", check=1)
    need(b"052027 frames 1 to " in done.stdout and b"NOT EVERY RECORD" in done.stdout, done.stdout.decode())
    path.write_bytes(data)
    need(sums(ledger(store)) == before, "the file is back")
    (store / "seg" / "131016" / "catalog").unlink()
    done = run("ledger", "--data", store, check=5)
    need(b"131016" in done.stderr, done.stderr)
    steps(f"{FLIPS} changed bits: {dict(codes)}; cut and missing files are found")


def main():
    need_binary()
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        store, before = check_counts(steps, folder, r)
        check_views(steps, store, before)
        check_retired(steps, store, before)
        check_damage(steps, folder, r)


if __name__ == "__main__":
    main()
