#!/usr/bin/env python3
"""benches/rsigma.py [EVENTS] - the rules of `sekisho bench rules` and the same events, asked of rsigma.

Sekisho reads raw Squid lines; rsigma reads them as JSON: once whole events as Sekisho prints them, once only the five
fields that the rules ask for, which nothing but this bench would send. CPU seconds per million events of both, taken
in turns on one core, without loading rules and files; and the hits of both must be the same.
  SEKISHO=build/release/sekisho  the program
  CARGO_TARGET_DIR               where rsigma is built, some minutes the first time (build/rsigma)
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEKISHO = os.environ.get("SEKISHO", str(ROOT / "build" / "release" / "sekisho"))
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "build" / "rsigma"))
TURNS = 3
FORMAT = "squid"
SETS = ("155", "2000")
EVENTS = ("few", "whole")
MODES = ("plain", "bloom", "index")  # rsigma's own ways to be faster; the best counts


def build():
    if shutil.which("cargo") is None:
        sys.exit("rsigma.py: cargo is missing: install Rust 1.95 or later")
    command = ["cargo", "build", "--release", "--manifest-path", str(ROOT / "benches/rsigma/Cargo.toml")]
    subprocess.run(command, check=True, env=dict(os.environ, CARGO_TARGET_DIR=str(TARGET)))
    return TARGET / "release" / "rsigma-peer"


def ours(count, seed, write=None):
    """CPU seconds per million lines by set: parsing and rules."""
    command = [SEKISHO, "bench", "rules", "--events", str(count), "--seed", str(seed), "--repeat", "3", "--json"]
    command += ["--write", str(write)] if write else []
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    rows = {row["name"]: row["median"] for row in report["rows"]}
    return {name: rows[f"rules.{FORMAT}.whole.{name}"] for name in SETS}


def theirs(peer, mode, folder, name, events):
    """The same of rsigma. Ends the run where the hits differ."""
    hits = folder / "hits.rsigma"
    command = [str(peer), mode, str(folder / f"rules.{name}"), str(folder / f"events.{events}"), str(hits)]
    seconds, count, _ = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    found, expected = (sorted(path.read_text().splitlines()) for path in (hits, folder / f"hits.{name}"))
    if found != expected:
        sys.exit(f"rsigma.py: {name} rules: rsigma has {len(found)} hits, sekisho {len(expected)}; first differences: "
                 f"{sorted(set(found) ^ set(expected))[:5]}")
    return float(seconds) * 1e6 / int(count), len(found)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200000
    peer = build()
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory) / FORMAT
        ours(count, 1, directory)
        samples = {}
        hits = {}
        for _ in range(TURNS):
            for name, cost in ours(count, 1).items():
                samples.setdefault((name, "sekisho"), []).append(cost)
            for name in SETS:
                for events in EVENTS:
                    for mode in MODES:
                        cost, hits[name] = theirs(peer, mode, folder, name, events)
                        samples.setdefault((name, events, mode), []).append(cost)
        for name in SETS:
            mine = statistics.median(samples[name, "sekisho"])
            for events in EVENTS:
                costs = {mode: statistics.median(samples[name, events, mode]) for mode in MODES}
                best = min(costs, key=costs.get)
                print(f"{name:>5s} rules, {events:5s} JSON: sekisho {mine:6.3f} s/M   rsigma {costs[best]:6.3f} s/M ({best})"
                      f"   {costs[best] / mine:5.2f} times   {hits[name]} hits, the same")


main()
