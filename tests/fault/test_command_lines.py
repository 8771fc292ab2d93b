#!/usr/bin/env python3
"""What all commands do with their command line alike. Each is asked for its help, and given an option that it does not have, each
of its options without the value, and a word too many: the exit code is the contract's, the message names the command and says
where the options are listed. Of `sekisho alerts` also which option belongs to which action."""
import itertools
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import BIN, Steps, run, temp_dir  # noqa: E402

OTHER = r"\bsekisho (?!%s\b)[a-z]+ +--[a-z-]+"  # an option of another command
VALUED = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[A-Za-z]) (?:[A-Z]|ja\|en|json\b)")
# Of each command: the words before its options, and operands, the last of which is too many.
COMMANDS = {
    "collect": ("", "-c c.yaml x"), "replay": ("", "--log d x"), "demo": ("", "x"), "parse": ("", "a.log x"), "gen": ("", "x"),
    "send": ("", "--brokers b --topic t a.log x"), "search": ("", "--data d q x"), "hunt": ("", "x"), "export": ("", "--data d x"),
    "tail": ("", "--data d q x"), "alerts": ("", "--data d x"), "rule": ("check", "rules x"), "compact": ("", "--data d x"),
    "keyring": ("", "list x"), "checkpoint": ("", "--data d x"), "proof": ("", "--data d x"), "ledger": ("", "--data d x"),
    "retain": ("", "--data d x"), "hold": ("list", "--data d x"), "verify": ("", "--data d x"), "check": ("", "c.yaml x"),
    "bench": ("", "x"), "source": ("try", "a.log x"), "status": ("", "--data d x"), "top": ("", "--data d x")}
VERBS = {"hold": "add, release or list", "rule": "no such verb", "source": "there is try"}
ACTIONS = {"list": (), "show": ("show", "0123"), "suppressions": ("suppressions",), "suppress": ("suppress", "0123"),
           "ack": ("ack", "0123"), "close": ("close", "0123")}
CONTROLS = {"suppress", "ack", "close"}
BELONGS = {"--keyring k": set(ACTIONS), "--tenant 011002": set(ACTIONS), "--since 1h": {"list"}, "--until 7d": {"list", "suppress"},
           "--severity high": {"list"}, "--kind D3": {"list", "suppress"}, "--key source.ip=192.0.2.1": {"suppress"},
           "--state open": {"list"}, "--follow": {"list"}, "--json": set(ACTIONS), "--limit 3": {"list"}, "--lang ja": set(ACTIONS),
           "--utc": set(ACTIONS), "--reason r": CONTROLS, "--by b": CONTROLS}


def refused(name, *words, saying="", folder):
    """The message of a command that does not take its command line."""
    done = run(name, *words, check=2, cwd=folder, timeout=20, env={"SEKISHO_KEYRING": ""})
    said = done.stderr.decode()
    assert done.stdout == b"", (name, words, done.stdout)
    assert said.startswith(f"sekisho {name}: ") and said.endswith(f"\nsekisho {name} --help lists the options\n"), (words, said)
    assert said.count("\n") == 2 and "\x1b" not in said and saying in said, (name, words, said)


def helps(name, verb):
    """The help, which is whole or an error; also in the middle of other options, and shortened."""
    done = run(name, "--help")
    text = done.stdout.decode()
    assert text.startswith(f"usage: sekisho {name}") and done.stderr == b"", (name, text[:80])
    assert run(name, *verb, "--hel").stdout.decode() == text, name
    with open("/dev/full", "wb") as full:
        code = subprocess.run([BIN, name, "--help"], stdout=full, timeout=20, check=False).returncode
    assert code == 6, (name, code)
    return text


def walk(step, folder):
    """Each command with each of the four mistakes."""
    names = re.findall(r"^  ([a-z]+) ", run("--help").stdout.decode(), re.M)
    assert sorted(names) == sorted(COMMANDS), set(names) ^ set(COMMANDS)
    options = 0
    for name, (verb, operands) in COMMANDS.items():
        verb = verb.split()
        valued = sorted(set(VALUED.findall(re.sub(OTHER % name, "", helps(name, verb)))))
        assert valued, f"{name} has options with values"
        options += len(valued)
        for option in valued:
            refused(name, *verb, option, saying=f'"{option}" needs a value', folder=folder)
        longest = max(valued, key=len)
        refused(name, *verb, f"{longest}x", saying=f'unknown option "{longest}x"; did you mean {longest}?', folder=folder)
        refused(name, *verb, "--qqqqqq", saying='unknown option "--qqqqqq"\n', folder=folder)
        refused(name, *verb, "-Q", saying='unknown option "-Q"\n', folder=folder)
        refused(name, *verb, "--qq\x1b[31m", saying='unknown option "--qq', folder=folder)
        refused(name, *verb, *operands.split(), folder=folder)
        if verb:
            refused(name, saying=VERBS[name], folder=folder)
            refused(name, "nothing", "--help", saying=VERBS[name], folder=folder)
    assert not any(folder.iterdir()), list(folder.iterdir())
    step(f"{len(names)} commands, {options} options with values, each mistake refused by name and with the remedy")


def belongs(step, folder):
    """Each option of alerts with each action: refused by name, or not at all."""
    for (action, words), (option, where) in itertools.product(ACTIONS.items(), BELONGS.items()):
        said = run("alerts", *words, "--data", folder / "none", *option.split(), check=None).stderr.decode()
        wrong = f"{option.split()[0]} has no place here" in said
        assert wrong == (action not in where), (action, option, said)
    step(f"{len(ACTIONS)} actions of alerts with {len(BELONGS)} options each")


def main():
    step = Steps()
    with temp_dir() as folder:
        walk(step, folder)
        belongs(step, folder)


if __name__ == "__main__":
    main()
