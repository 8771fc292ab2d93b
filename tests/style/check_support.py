#!/usr/bin/env python3
"""Fail when the table of docs/sigma-support.md is not the one that the cases of tests/sigma/support give, or when a
modifier, correlation type, operator, unit of time or filter layer of the program has no case that holds.

`check_support.py --write` makes the table anew. tests/fault/test_rules_support.py runs the cases.
"""
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "sigma")]
import support_cases  # noqa: E402


def main():
    page = support_cases.PAGE
    try:
        groups = support_cases.load()
    except (ValueError, KeyError) as error:
        print(f"a case is not whole: {error}")
        return 1
    bad = [f"no case of tests/sigma/support shows the {table} {word}" for table, word in support_cases.missing(groups)]
    have = page.read_text()
    want = support_cases.page_with(have, support_cases.render(groups))
    if want is None:
        bad.append(f"{page} lacks the marks between which the table stands")
    elif sys.argv[1:] == ["--write"]:
        page.write_text(want)
    elif want != have:
        bad.append(f"{page} is not what the cases give: run tests/style/check_support.py --write")
    print("\n".join(bad) or f"support table ok: {sum(len(group.cases) for group in groups)} cases")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
