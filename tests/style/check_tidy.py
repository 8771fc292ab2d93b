#!/usr/bin/env python3
"""clang-tidy over every file of a build's compile_commands.json: check_tidy.py BUILD_DIRECTORY [FILE...]

A file is looked at again only when its preprocessed text, its flags or .clang-tidy changed since it
was last clean; the marks are kept in BUILD_DIRECTORY/tidy/. The analyzer follows paths into calls only in a long run
(SEKISHO_LONG): that takes four times as long.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

import source

# gcc's own warnings in the flags are none of clang's business; other flags of its own clang refuses.
EXTRA = ["-Wno-unknown-warning-option", "-Wno-error"]
GCC_ONLY = ("-mmemset-strategy=", "-mmemcpy-strategy=")
DEPTH = "deep" if os.environ.get("SEKISHO_LONG", "") not in ("", "0") else "shallow"
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", f"mode={DEPTH}"]


def compile_arguments(entry):
    """The flags that matter to the front end."""
    words, out, skip = shlex.split(entry["command"])[1:], [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        elif word not in ("-c", "-MD") and word != entry["file"]:
            out.append(word)
    return out


def digest(entry, settings):
    command = ["clang-14", "-E", "-C", *compile_arguments(entry), *EXTRA, entry["file"]]
    run = subprocess.run(command, cwd=entry["directory"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode:
        return None, run.stderr.decode(errors="replace")
    return hashlib.sha256(settings + " ".join(command).encode() + run.stdout).hexdigest(), ""


def without_gcc(entry):
    """The entry with a command that clang understands."""
    words = [word for word in shlex.split(entry["command"]) if not word.startswith(GCC_ONLY)]
    return {**entry, "command": shlex.join(words)}


def check(build, entry, settings):
    """(path, output of a failure, seconds)"""
    start, path = time.monotonic(), os.path.relpath(os.path.join(entry["directory"], entry["file"]))
    mark = build / "tidy" / (path.replace("/", "-") + ".clean")
    key, failure = digest(entry, settings)
    if key is None:
        return path, failure, time.monotonic() - start
    if mark.exists() and mark.read_text() == key:
        return path, "", 0.0
    run = subprocess.run(["clang-tidy-14", "--quiet", "-p", str(build / "tidy"), *(f"--extra-arg={e}" for e in EXTRA + ANALYZER),
                          path],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode == 0:
        mark.write_text(key)
        return path, "", time.monotonic() - start
    out = run.stdout.decode(errors="replace") or run.stderr.decode(errors="replace")
    return path, out, time.monotonic() - start


def main():
    build, only = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    entries = {}
    (build / "tidy").mkdir(exist_ok=True)
    commands = [without_gcc(e) for e in json.loads((build / "compile_commands.json").read_text())]
    (build / "tidy" / "compile_commands.json").write_text(json.dumps(commands))
    for entry in commands:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]))
        if path.endswith(".c") and path.split("/")[0] in source.ALL and (not only or path in only):
            entries.setdefault(path, entry)
    settings = pathlib.Path(".clang-tidy").read_bytes() + DEPTH.encode()
    start, bad, slowest = time.monotonic(), 0, (0.0, "")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, failure, seconds in pool.map(lambda e: check(build, e, settings), entries.values()):
            slowest = max(slowest, (seconds, path))
            if failure:
                bad += 1
                print(f"{path}:\n{failure}", flush=True)
    print(f"tidy ({DEPTH}): {len(entries)} files, {bad} with findings, {time.monotonic() - start:.1f} s; "
          f"slowest {slowest[1]} {slowest[0]:.1f} s")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
