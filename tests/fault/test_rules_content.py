#!/usr/bin/env python3
"""The shipped rules do what their test lines say, and every pattern in them is needed: with any one value replaced by
one that never holds, the rule's own test must fail. Values of lists/ are exempt.

SEKISHO_BIN names the program, SEKISHO_RULES the folder (default: rules/). A seeded sample by default, all with --long.
"""
import copy
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SEKISHO_BIN", str(ROOT / "build/release/sekisho"))
RULES = pathlib.Path(os.environ.get("SEKISHO_RULES", ROOT / "rules"))
SEED = int(os.environ.get("SEKISHO_SEED", "7"))
SAMPLE = 400
NEVER = "zq-never-holds-qz"
NEVER_NUMBER = 987654321012
NEVER_NETWORK = "203.0.113.255/32"


def run(path):
    return subprocess.run([BINARY, "rule", "test", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, text=True)


def never(key, value):
    """A value of the same kind that no test line holds; None: not to be replaced."""
    modifiers = str(key).split("|")[1:]
    if "expand" in modifiers or "fieldref" in modifiers:
        return None
    if isinstance(value, bool):
        return (not value) if "exists" in modifiers else NEVER
    if "cidr" in modifiers:
        return NEVER_NETWORK
    if {"lt", "lte"} & set(modifiers):
        return -NEVER_NUMBER
    if {"gt", "gte", "minute", "hour", "day", "week", "month", "year"} & set(modifiers):
        return NEVER_NUMBER
    return NEVER


def places(node, key=""):
    """(container, index, replacement) of every value below a detection's selection."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for index, value in list(items):
        name = index if isinstance(node, dict) else key
        if isinstance(value, (dict, list)):
            yield from places(value, name)
        elif (new := never(name, value)) is not None:
            yield node, index, new


def mutants(path):
    """(what was replaced, documents) for each value of each selection of a file."""
    documents = [d for d in yaml.safe_load_all(path.read_text()) if d]
    for number, document in enumerate(documents):
        for name, selection in document.get("detection", {}).items():
            if name == "condition":
                continue
            holder = {name: selection}
            for count in range(len(list(places(holder)))):
                changed = copy.deepcopy(documents)
                container, index, new = list(places({name: changed[number]["detection"][name]}))[count]
                old = container[index]
                if isinstance(container, dict) and container.keys() == {name} and not isinstance(selection, (dict, list)):
                    changed[number]["detection"][name] = new
                else:
                    container[index] = new
                yield f"{path.relative_to(RULES)}: {name}: {old!r}", changed


def survives(path, documents, folder):
    """Does the test still pass with the changed documents?"""
    copy_to = folder / path.name
    copy_to.write_text(yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False))
    shutil.copy(path.with_suffix(".lines"), folder)
    passed = run(copy_to).returncode == 0
    copy_to.unlink()
    copy_to.with_suffix(".lines").unlink()
    return passed


def check_classes():
    """A rule about a class of sources holds for a line that comes from one, and for no other."""
    asked = 0
    for path in sorted(RULES.rglob("*.yml")):
        if "sekisho.source.class" not in path.read_text():
            continue
        lines = path.with_suffix(".lines").read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("== fires") and "class=" in line)
        name = re.search(r"class=(\w+)", lines[at])[1]
        for option, code in (((), 1), (("--class", "internet"), 1), (("--class", name), 0), (("--class", "no-class"), 2)):
            done = subprocess.run([BINARY, "rule", "explain", *option, str(path), lines[at + 1]], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=60, text=True)
            assert done.returncode == code, (path.name, option, done)
            assert code != 0 or f'holds: sekisho.source.class = "{name}"' in done.stdout, done.stdout
            assert code != 2 or name in done.stderr, done.stderr
        asked += 1
    assert asked >= 2, asked
    print(f"{asked} rules about a class of sources are explained as the class says")


def main():
    check_classes()
    whole = run(RULES)
    print(whole.stdout.strip().splitlines()[-1])
    assert whole.returncode == 0, whole.stdout
    cases = [(path, what, documents) for path in sorted(RULES.rglob("*.yml")) for what, documents in mutants(path)]
    chosen = cases
    if "--long" not in sys.argv and os.environ.get("SEKISHO_LONG") != "1":
        chosen = random.Random(SEED).sample(cases, min(SAMPLE, len(cases)))
    with tempfile.TemporaryDirectory(prefix="sekisho-rules-") as temporary:
        folder = pathlib.Path(temporary)
        shutil.copytree(RULES / "lists", folder / "lists")
        alive = [what for path, what, documents in chosen if survives(path, documents, folder)]
    print(f"{len(chosen)} of {len(cases)} values replaced, {len(alive)} not missed by the rule's test")
    for what in alive:
        print("  " + what)
    assert not alive


if __name__ == "__main__":
    main()
