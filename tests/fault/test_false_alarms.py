#!/usr/bin/env python3
"""Clean traffic: every statistical threshold keeps its word, and alerts stay within the day's budget.

A long run takes 20 seeds of ten municipalities and 17 days; a short one is enough to see alerts in excess only.
"""
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/support")
from sekisho import BIN, LONG, skip  # noqa: E402

PROGRAM = BIN.parent / "tests" / "false_alarms"


def main():
    if not PROGRAM.exists():
        skip(f"{PROGRAM} is not built")
    arguments = [] if LONG else ["2", "10", "2000000"]
    return subprocess.run([str(PROGRAM), *arguments]).returncode


if __name__ == "__main__":
    sys.exit(main())
