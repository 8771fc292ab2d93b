#!/usr/bin/env python3
"""The unit tests that the thread sanitizer looks at are those that can start a thread: thread_list.py NAME,NAME... PROGRAM...

A program that never asks for pthread_create has nothing to race with. NAME is a test's name, as app/output; PROGRAM is
test_app_output with its path.
"""
import pathlib
import re
import subprocess
import sys


def can_start_threads(program):
    names = subprocess.run(["nm", "--undefined-only", program], check=True, stdout=subprocess.PIPE).stdout.decode()
    return re.search(r"\b(pthread_create|thrd_create)\b", names) is not None


def main():
    listed = {"test_" + name.replace("/", "_") for name in sys.argv[1].split(",")}
    programs = {pathlib.Path(path).name: path for path in sys.argv[2:]}
    found = {name for name, path in programs.items() if can_start_threads(path)}
    for name in sorted(found - listed):
        print(f"{name} can start a thread: add it to `threaded` in tests/meson.build")
    for name in sorted(listed - found):
        print(f"{name} cannot start a thread: take it out of `threaded` in tests/meson.build")
    print(f"{len(programs)} programs, {len(found)} can start threads")
    return found != listed or not found


if __name__ == "__main__":
    sys.exit(main())
