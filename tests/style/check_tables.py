#!/usr/bin/env python3
"""Fail when a *.def table breaks its promise, or when a row of event/fields.def that data may already
use was changed. A table whose comment says that its ids are "on disk" has unique, ascending ids and
unique names. Any other table is in order and has no row twice; where its rows begin with a name, that
name is unique.

ingest/unfilled.def names exactly the fields that no file of ingest/ mentions and that are not of the row.

fields.lock keeps id, name, ECS name and type of every field that was ever added. A new field is
added to it with `check_tables.py --update`, which changes no line that is there.
"""
import pathlib
import re
import sys

import source

FIELDS, LOCK = pathlib.Path("event/fields.def"), pathlib.Path("tests/style/fields.lock")
LOCKED = (0, 1, 2, 4)  # positions of id, NAME, "ecs.name", TYPE
UNFILLED, ROW_FIELDS = pathlib.Path("ingest/unfilled.def"), pathlib.Path("event/pred_row.c")
ROW = re.compile(r"^([A-Z][A-Z0-9_]*)\(", re.M)


def arguments(text, start):
    """The arguments of a call whose parenthesis opens before `start`, split at its own commas."""
    depth, out, piece, quoted, at = 0, [], "", False, start
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                piece += text[at:at + 2]
                at += 2
                continue
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "(":
            depth += 1
        elif char == ")" and depth == 0:
            return out + [piece.strip()]
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            out.append(piece.strip())
            piece, at = "", at + 1
            continue
        piece += char
        at += 1
    return out + [piece.strip()]


def rows(path):
    """(line, macro, arguments) of each row."""
    text = source.blank(path.read_text(), keep_strings=True)
    return [(source.line_of(text, m.start()), m[1], arguments(text, m.end())) for m in ROW.finditer(text)]


def check_order(path, found):
    last, seen, strict = {}, {}, "on disk" in path.read_text()
    for line, macro, args in found:
        numbered, key = re.fullmatch(r"\d+", args[0]), args[0]
        if numbered:
            number, before = int(args[0]), last.get(macro, -1)
            if number < before or strict and number == before:
                yield f"{path}:{line}: id {number} after {before}: ids ascend, new rows go to the end"
            last[macro] = max(number, before)
            key = args[1] if strict and len(args) > 1 else tuple(args)
        if key in seen.setdefault(macro, {}):
            yield f"{path}:{line}: {args[0]} is in line {seen[macro][key]} already"
        seen[macro].setdefault(key, line)


def locked_text(args):
    return " ".join(args[i].strip('"') for i in LOCKED)


def check_lock(found, update):
    known = [line for line in LOCK.read_text().splitlines() if line] if LOCK.exists() else []
    have = {args[0]: locked_text(args) for _, macro, args in found if macro == "FIELD"}
    for line in known:
        number = line.split()[0]
        if have.pop(number, None) != line:
            yield f"{FIELDS}: field {number} must stay as it was: {line}"
    if not have:
        return
    if update:
        LOCK.write_text("\n".join(sorted(known + list(have.values()), key=lambda l: int(l.split()[0]))) + "\n")
        print(f"{len(have)} added to {LOCK}")
    else:
        yield f"{LOCK} lacks {len(have)} fields, the first is {next(iter(have.values()))}: run check_tables.py --update"


def check_unfilled(found):
    """A field is filled where ingest/ names it, where it is part of the row, or the line itself."""
    texts = [path.read_text() for path in source.files((".c", ".h", ".def"), ("ingest",)) if path != UNFILLED]
    words = set(re.findall(r"\w+", " ".join(texts)))
    of_row = ROW_FIELDS.read_text() if ROW_FIELDS.exists() else ""
    said = {args[0] for _, _, args in rows(UNFILLED)}
    for _, macro, args in found:
        if macro != "FIELD":
            continue
        filled = args[1] in words or f"FIELD_{args[1]}" in words or args[2] in of_row or args[1] == "EVENT_ORIGINAL"
        if filled == (args[1] in said):
            yield f"{UNFILLED}: {args[1]} is {'filled, take it out' if filled else 'filled by no format, add it'}"


def main():
    bad, update = [], sys.argv[1:] == ["--update"]
    tables = source.files((".def",), source.PRODUCT)
    for path in tables:
        bad += check_order(path, rows(path))
    if FIELDS.exists():
        bad += check_lock(rows(FIELDS), update)
    if UNFILLED.exists():
        bad += check_unfilled(rows(FIELDS))
    print("\n".join(bad) or f"tables ok: {len(tables)}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
