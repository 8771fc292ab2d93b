#!/usr/bin/env python3
"""Bugs planted on purpose are found by what test_kill.py looks at: a suite that finds none proves nothing.

Each patch in planted/ makes a variant of the program. All variants go through the same short scenario on a real Kafka:
collect, die with the loss of what was not synced, die within a write, collect the rest. The program without a patch
must pass it, every variant must fail it.
"""
import json
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, Flow, Journal, check_hint, check_store, compare_export  # noqa: E402
from power import PowerCut  # noqa: E402
from sekisho import BIN, Steps, need_binary, seeded_random, skip, temp_dir  # noqa: E402
from traffic import Traffic  # noqa: E402

PLANTED = ROOT / "tests" / "fault" / "planted"
LIMITS = "limits: {batch_age: 50ms, frame_age: 10ms, workers: 2}"
COLLECT_SECONDS = 15
PHASES = [  # faults, seconds of life at most
    ("sleep@ledger.before_write:2+:9s", 3),      # a frame of rows or of a tick alone: either may be the second
    ("sleep@ledger.before_write:5+:9s", 4),
    ("sleep@ledger.before_write:8+:9s", 4),
    ("sleep@ledger.after_write:*:300ms", 1.5),
    ("short@write=log/:3:50;crash@write=log/:4", 4),
    ("short@write=log/:2:99;crash@write=log/:3", 4),
    ("crash@commit.released:3", 4),
]


class Builder:
    """Variants of the program: the patched file compiled anew and linked before the libraries of the build."""

    def __init__(self, folder):
        self.folder, self.build = folder, BIN.parent
        database = self.build / "compile_commands.json"
        if not database.exists():
            skip(f"{database} is missing: the variants are built like the program beside it")
        self.commands = {str((self.build / c["file"]).resolve()): c["command"]
                         for c in json.loads(database.read_text())}
        said = subprocess.run(["ninja", "-C", str(self.build), "-t", "commands", BIN.name], check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        self.link = said.strip().splitlines()[-1]

    def variant(self, patch):
        tree = self.folder / f"tree-{patch.stem}"
        for folder in ("app", "base", "detect", "event", "ingest", "store"):
            shutil.copytree(ROOT / folder, tree / folder)
        with open(patch, "rb") as stream:
            subprocess.run(["patch", "-p1", "-s", "-F", "3"], stdin=stream, cwd=tree, check=True)
        changed = [line.split()[1][2:] for line in patch.read_text().splitlines() if line.startswith("+++ ")]
        objects = [self.compile(tree, name) for name in changed]
        out = self.folder / f"sekisho-{patch.stem}"
        words = shlex.split(self.link)
        words[words.index("-o") + 1] = str(out)
        at = next(i for i, word in enumerate(words) if word.endswith("main.c.o"))
        subprocess.run(words[:at] + objects + words[at:], cwd=self.build, check=True)
        shutil.rmtree(tree)
        return out

    def compile(self, tree, name):
        source = self.find(name)
        words = shlex.split(self.commands[source])
        out = tree / (name.replace("/", "_") + ".o")
        words[words.index("-o") + 1] = str(self.folder / out.name)
        words[-1] = str(tree / name)
        # The patched tree's headers come before those of the build.
        words = [w for w in words if w != "-Werror"]
        after = 2 if words[0].endswith("ccache") else 1
        words[after:after] = [f"-I{tree}", "-O1", "-Wno-error"]
        subprocess.run(words, cwd=self.build, check=True)
        return words[words.index("-o") + 1]

    def find(self, name):
        found = [path for path in self.commands if path.endswith("/" + name)]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]


def scenario(folder, kafka, traffic, journal, r, binary, name):
    """Returns what was found wrong, or None."""
    power = PowerCut(folder, folder / name / "data")
    power.journal.unlink(missing_ok=True)
    collector = Collector(folder / name, kafka, f"{LIMITS}\n{traffic.keys}", group=f"group-{name}", binary=binary,
                          env=power.env)
    try:
        with Flow(kafka, journal, traffic.chunks(r, size=60), pause=0.02) as flow:
            for faults, seconds in PHASES:
                collector.start(faults, wait=False)
                deadline = time.monotonic() + seconds
                while collector.running() and time.monotonic() < deadline:
                    time.sleep(0.05)
                code = collector.kill()
                assert code == -signal.SIGKILL, f"ended with {code}: {collector.text().strip().splitlines()[-1]}"
                if "crash" in faults:
                    power.survive()
                else:
                    power.cut()
                check_hint(collector, traffic.topics)
            flow.stop()
        collector.start()
        collector.wait_collected(journal.ends(), timeout=COLLECT_SECONDS)
        collector.stop()
        check_store(collector.data, journal)
        compare_export(collector.data, journal)
    except (AssertionError, TimeoutError) as error:
        return " / ".join(str(error).strip().splitlines()[:2])[:300]
    finally:
        collector.kill()
    return None


def main():
    step = Steps()
    need_binary()
    r = seeded_random()
    patches = sorted(PLANTED.glob("*.patch"))
    with temp_dir() as folder, Broker() as kafka:
        builder = Builder(folder)
        traffic = Traffic(folder / "gen", r)
        kafka.create_topics(traffic.topics)
        journal = Journal(folder / "journal")
        journal.send(kafka, traffic.odd, b"a carriage return\r\nanother\r\n" * 5)
        wrong = scenario(folder, kafka, traffic, journal, r, None, "unpatched")
        assert wrong is None, f"without a patch: {wrong}"
        step("the program itself passes")
        missed = []
        for patch in patches:
            binary = builder.variant(patch)
            wrong = scenario(folder, kafka, traffic, journal, r, binary, patch.stem)
            step(f"{patch.stem}: {'found: ' + wrong if wrong else 'NOT FOUND'}")
            missed += [] if wrong else [patch.stem]
        print(f"{len(patches) - len(missed)} of {len(patches)} planted bugs found")
        assert not missed, f"not found: {missed}"


if __name__ == "__main__":
    main()
