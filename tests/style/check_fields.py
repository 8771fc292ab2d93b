#!/usr/bin/env python3
"""Fail when the table of docs/fields.md, fields by format, is not the one that the golden pairs give.

A field counts where a line of tests/golden/FORMAT/*.expected has it. `check_fields.py --write` makes the table anew.
"""
import pathlib
import re
import sys

BEGIN, END = "<!-- made by tests/style/check_fields.py -->", "<!-- end -->"
COLUMNS = 15    # formats side by side
FIELD = re.compile(r'^FIELD\(\d+, \w+, "([^"]+)", "[^"]*", \w+, \w+, (\w+), "([^"]*)"', re.M)


def dictionary(root):
    """{name: meaning} of event/fields.def in its order; not what stays inside."""
    text = re.sub(r'"\s*\n\s*"', "", (root / "event" / "fields.def").read_text())
    return {name: meaning for name, sensitivity, meaning in FIELD.findall(text) if sensitivity != "INTERNAL"}


def golden(root):
    """{format: fields} and {format: keys of its own}"""
    common, own = {}, {}
    for folder in sorted(p for p in (root / "tests" / "golden").iterdir() if p.is_dir()):
        for path in sorted(folder.glob("*.expected")):
            for line in path.read_text(errors="replace").splitlines():
                names = {part.split("|", 1)[0] for part in line.split("\t") if "|" in part}
                for name in names:
                    mine = name.startswith(folder.name + ".")
                    (own if mine else common).setdefault(folder.name, set()).add(name)
    return common, own


def table(fields, formats, common):
    lines = ["| field | " + " | ".join(formats) + " |", "|---" * (len(formats) + 1) + "|"]
    for name in fields:
        cells = ["x" if name in common[f] else "" for f in formats]
        if any(cells):
            lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render(root):
    """What stands between the marks."""
    fields, (common, own) = dictionary(root), golden(root)
    formats = sorted(common)
    out = [f"{len(formats)} formats; fields that no golden line has are not listed."]
    for at in range(0, len(formats), COLUMNS):
        out.append(table(fields, formats[at:at + COLUMNS], common))
    out.append("Keys of their own, `<format>.<key>`, that golden lines have:\n")
    out[-1] += "\n| format | keys |\n|---|---|\n" + "\n".join(
        f"| {f} | {len(own[f])} |" for f in sorted(own))
    out.append("| field | meaning |\n|---|---|\n" + "\n".join(
        f"| `{name}` | {meaning.replace('|', chr(92) + '|')} |" for name, meaning in fields.items()
        if any(name in common[f] for f in formats)))
    return "\n\n".join(out)


def main():
    root = pathlib.Path.cwd()
    page = root / "docs" / "fields.md"
    have = page.read_text()
    if have.count(BEGIN) != 1 or have.count(END) != 1:
        print(f"{page} lacks the marks between which the table stands: {BEGIN} and {END}")
        return 1
    want = have[:have.index(BEGIN)] + f"{BEGIN}\n{render(root)}\n" + have[have.index(END):]
    if sys.argv[1:] == ["--write"]:
        page.write_text(want)
    elif want != have:
        print(f"{page} is not what the golden pairs give: run tests/style/check_fields.py --write")
        return 1
    print("field table ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
