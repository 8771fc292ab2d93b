#!/usr/bin/env python3
"""Log and segments together hold each row once, at every step: as a second program reads them by docs/format.md.

Generated traffic is replayed into a store of several log files. Its first half is compacted, then the rest, whose rows
come late for hours that have their segments; then the oldest log files go. After each step the checker in
Python reads all rows of both levels, and a search finds as many as before. Damage is named by both.
"""
import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import BIN, Steps, need_binary, run, seeded_random, temp_dir  # noqa: E402

RETIRE = BIN.parent / "tests" / "store" / "retire_store"
CHECKER = ROOT / "tests" / "checker" / "sekisho_check.py"
EVENTS, FILE_BYTES = 40_000, 65_536


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def check(store, code=0):
    """What the checker says: (findings, {"files": 3, "records": 17, ...})"""
    done = subprocess.run([sys.executable, str(CHECKER), str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, timeout=300)
    found, said = done.stdout.decode(), done.stderr.decode()
    need(done.returncode == code, f"checker: exit {done.returncode}\n{found}{said}")
    return found, {name: int(n) for n, name in re.findall(r"(\d+) ([a-z ]+?)(?: in|,|:|$)", said, re.MULTILINE)}


def count(store, code=0):
    done = run("search", "not thiswordisnowhere", "--data", store, "--count", check=code)
    return int(done.stdout or 0)


def compact(store):
    return json.loads(run("compact", "--data", store, "--json").stdout)


def logs(store):
    return sorted(p for p in (store / "log").iterdir() if p.suffix == ".log")


def segments(store):
    return sorted((store / "seg").glob("*/*.seg"))


def make(folder, r):
    made, store = folder / "made", folder / "store"
    run("gen", "--seed", r.randrange(1 << 31), "--tenants", 3, "--days", 1, "--events", EVENTS,
        "--inject", "scan,scan_inbound,ioc_ip,brute_force", "--out", made)
    with open(made / "config.yaml", "a", encoding="utf-8") as config:
        config.write(f"limits: {{log_file_bytes: {FILE_BYTES}, frame_bytes: {FILE_BYTES}}}\n")
    run("replay", "--data", store, "--manifest", made / "manifest.yaml", "--config", made / "config.yaml")
    return store


def check_levels(steps, folder, store):
    files, rows = logs(store), count(store)
    need(len(files) >= 4 and rows >= EVENTS // 2, f"{len(files)} files, {rows} rows")
    kept = folder / "later"
    kept.mkdir()
    later = files[len(files) // 2:]
    for path in later:
        path.rename(kept / path.name)
    half = count(store)
    compact(store)
    _, said = check(store)
    need(0 < said["rows"] == said["records"] == half < rows and said["written again"] == 0, said)
    steps("the first half is in segments, and each row is that of the log")
    for path in later:
        (kept / path.name).rename(path)
    _, said = check(store)
    need(said["rows"] == half and said["records"] == rows == count(store), said)
    steps("rows of the log behind the segments count once")
    compact(store)
    _, said = check(store)
    need(said["rows"] == said["records"] == rows == count(store) and said["written again"] > 0, said)
    need(any(p.name.endswith(".2.seg") for p in segments(store)), "no second generation")
    steps("late rows are in a second generation")
    before = {p: p.read_bytes() for p in segments(store)}
    compact(store)
    live = segments(store)
    need(all(before.get(p) == p.read_bytes() for p in live), "a segment changed under its name")
    need({p.name for p in live} >= {p.name for p in before if p.name.endswith(".2.seg")}, "a segment is gone")
    steps("compacting again changes nothing")
    return rows


def check_retired(steps, store, rows):
    through = int(logs(store)[-1].stem, 16) - 1
    done = subprocess.run([str(RETIRE), str(store), str(through)], stdout=subprocess.PIPE, check=False, timeout=60)
    need(done.returncode == 0 and len(logs(store)) == 1, f"retire: exit {done.returncode}")
    _, said = check(store)
    need(said["rows"] == rows == count(store) and said["retired files"] > 0, said)
    steps("with the oldest log files gone, the segments are what their ranges say")


def check_damage(steps, r, store):
    path = r.choice(segments(store))
    data = bytearray(path.read_bytes())
    at = r.randrange(len(data))
    data[at] ^= 1 << r.randrange(8)
    path.write_bytes(data)
    # Without python3-xxhash the checker looks at no checksum.
    if importlib.util.find_spec("xxhash"):
        need(path.name in check(store, 1)[0], f"{path}: byte {at} is changed, and not named")
    data[at:at + 1] = []
    path.write_bytes(data)
    need(path.name in check(store, 1)[0], f"{path}: a byte is gone")
    count(store, 5)
    shutil.rmtree(path.parent)
    need("is missing" in check(store, 1)[0], "a folder that is gone is not named")
    count(store, 5)
    steps("damage and loss are named by checker and search")


def main():
    need_binary()
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        store = make(folder, r)
        steps("replayed")
        rows = check_levels(steps, folder, store)
        check_retired(steps, store, rows)
        check_damage(steps, r, store)


if __name__ == "__main__":
    main()
