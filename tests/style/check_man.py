#!/usr/bin/env python3
"""Fail when a command, or an option of one, is not in --help, manual page and completion alike, or when a key
of the configuration is not in sekisho.conf(5). Run from the repository root; the argument is the program, without it
build/release/sekisho.
With mandoc(1) installed, its errors and warnings about the pages count, too.
"""
import pathlib
import re
import shutil
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[A-Za-z0-9])(?![\w-])")
OTHER = r"\bsekisho (?!%s\b)[a-z]+ +--[a-z-]+"  # an option of another command
FLAG = re.compile(r"\bFl (-?[A-Za-z0-9][a-z-]*)")
COMPLETE = """. completions/sekisho.bash
COMP_WORDS=(sekisho "$@"); COMP_CWORD=$#; _sekisho; printf '%s\\n' "${COMPREPLY[@]}" """


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def completed(*words):
    return set(run("bash", "-c", COMPLETE, "bash", *words).split())


def flags(page):
    """Options that a page shows; the arguments of .Ql are text."""
    return {"-" + name for line in page.splitlines() for name in FLAG.findall(line)}


def compare(what, want, have):
    for name in sorted(want - have):
        yield f"{what} lacks {name}"
    for name in sorted(have - want):
        yield f"{what} has {name}, which --help has not"


def check_command(program, name):
    text = re.sub(OTHER % name, "", run(program, name, "--help"))
    want = set(OPTION.findall(text)) - {"--help"}
    page = pathlib.Path(f"man/sekisho-{name}.1")
    if not page.exists():
        yield f"{page} is missing"
        return
    yield from compare(page, want, flags(page.read_text()))
    yield from compare(f"completion of {name}", want, completed(name, "-") - {"--help"})


def check_commands(program):
    commands = re.findall(r"^  ([a-z]+) ", run(program, "--help"), re.M)
    if not commands:
        yield "--help names no command"
    pages = {p.stem.removeprefix("sekisho-") for p in pathlib.Path("man").glob("sekisho-*.1")}
    listed = set(re.findall(r"^\.It Cm (\w+)", pathlib.Path("man/sekisho.1").read_text(), re.M))
    yield from compare("man/", set(commands), pages)
    yield from compare("man/sekisho.1", set(commands), listed)
    yield from compare("completion", set(commands), completed("") - {"--help", "--version"})
    for name in commands:
        yield from check_command(program, name)


def check_pages(program):
    keys = run(program, "check", "--man")
    conf = run(sys.executable, "man/make_conf_page.py", program, "man/sekisho.conf.5.in")
    for key in re.findall(r"^\.It Cm (\S+)", keys, re.M):
        if f".It Cm {key}\n" not in conf:
            yield f"sekisho.conf(5) lacks {key}"
    if shutil.which("mandoc") is None:
        return
    pages = [(str(p), p.read_text()) for p in sorted(pathlib.Path("man").glob("*.1"))]
    for name, text in pages + [("sekisho.conf.5", conf)]:
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=text, capture_output=True, text=True, check=False)
        yield from (f"{name}: {line}" for line in done.stdout.splitlines() + done.stderr.splitlines())


def main():
    program = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/release/sekisho").resolve())
    bad = list(check_commands(program)) + list(check_pages(program))
    print("\n".join(bad) or "manual pages and completion ok")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
