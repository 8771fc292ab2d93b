#!/usr/bin/env python3
"""Fail when a file outgrows its budget; print the distribution so that drift is visible."""
import statistics
import sys

import source

LIMIT = {".c": 800, ".h": 300}


def main():
    bad = []
    for suffix, limit in LIMIT.items():
        sizes = {p: len(p.read_text(errors="replace").splitlines()) for p in source.files((suffix,))}
        bad += [f"{p}: {n} lines, limit {limit}: look for the second noun" for p, n in sizes.items() if n > limit]
        if sizes:
            print(f"{suffix}: {len(sizes)} files, median {statistics.median(sizes.values()):.0f}, "
                  f"largest {max(sizes.values())}")
    print("\n".join(bad) or "sizes ok")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
