#!/usr/bin/env python3
"""Fail when an include breaks the layering. Run from the repository root.

A file in folder X may include
  - private headers of its own folder X, and
  - the public header Y/Y.h (or a table Y/*.def) of a folder Y that ALLOWED lists for X
    (base/ and event/ are vocabularies: each of their headers is public).
app/ wires the stages and may include every public header. Includes are written from the root
("event/batch.h"), so the text alone shows the layer. A .c file includes its own header first: that header is then
compiled with nothing before it.
"""
import re
import sys

import source

ALLOWED = {
    "base": set(),
    "event": {"base"},
    "ingest": {"base", "event"},
    "detect": {"base", "event"},
    "store": {"base", "event"},
    "console": {"base", "event", "detect", "store"},
    "app": {"base", "event", "ingest", "detect", "store", "console"},
}
OPEN = {"base", "event"}
# Third-party headers by folder. app/, tests/ and benches/ may use any of them; one in no list is an error.
THIRD_PARTY = {
    "base": {"yaml.h", "xxhash.h", "sodium.h", "utf8proc.h"},
    "event": {"hs/hs.h", "pcre2.h"},
    "ingest": {"librdkafka/rdkafka_mock.h", "librdkafka/rdkafka.h", "maxminddb.h", "libpsl.h"},
    "detect": {"yaml.h", "xxhash.h", "jansson.h"},
    "store": {"zstd.h", "sodium.h", "openssl/evp.h", "xxhash.h"},
    "console": {"microhttpd.h", "sqlite3.h", "jansson.h", "liboath/oath.h", "curl/curl.h", "sodium.h"},
    "app": {"hiredis/hiredis.h", "curl/curl.h", "librdkafka/rdkafka_mock.h", "cmocka.h"},
}
SYSTEM = re.compile(r"(sys/|arpa/|netinet/|net/|linux/)?[a-z0-9_]+\.h$")
UNKNOWN = {"jansson", "sqlite3", "zlib", "lz4", "json", "glib", "ev", "uv", "event2"}  # look like system headers, are not
FOREIGN = set().union(*THIRD_PARTY.values())
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
FREE = {"app", "tests", "benches"}


def includes(path):
    text = source.blank(path.read_text(errors="replace"), keep_strings=True)
    return [(source.line_of(text, m.start()), m[1], m[2]) for m in INCLUDE.finditer(text)]


def check_foreign(top, target):
    if target in FOREIGN:
        if top not in FREE and target not in THIRD_PARTY[top]:
            return f"<{target}> is not for {top}/"
    elif not SYSTEM.match(target) or target.split(".")[0] in UNKNOWN:
        return f"<{target}> is in no list of this script"
    return None


def check_own(top, target):
    if "/" not in target:
        return f'write "{target}" from the root: "folder/{target}"'
    other = target.split("/")[0]
    if other == top or top not in ALLOWED:
        return None  # tests and benches are white-box
    if other not in ALLOWED[top]:
        return f"{top} must not reach into {other}/"
    if other not in OPEN and not re.fullmatch(rf"{other}/({other}\.h|.*\.def)", target):
        return f"{target} is private; include {other}/{other}.h"
    return None


def cycles(graph):
    """Headers that reach themselves, each as the text of one way round."""
    done, found = set(), set()

    def walk(node, trail):
        if node in trail:
            found.add("header cycle: " + " -> ".join(trail[trail.index(node):] + [node]))
            return
        if node in done:
            return
        for target in sorted(graph.get(node, ())):
            walk(target, trail + [node])
        done.add(node)

    for node in sorted(graph):
        walk(node, [])
    return found


def main():
    bad, graph = [], {}
    for path in source.files((".c", ".h", ".def")):
        top, first = path.parts[0], True
        own = path.with_suffix(".h")
        for number, kind, target in includes(path):
            why = check_foreign(top, target) if kind == "<" else check_own(top, target)
            if first and path.suffix == ".c" and top in source.PRODUCT and own.exists() and target != str(own):
                why = why or f"include the file's own header first: {own}"
            first = False
            if why:
                bad.append(f"{path}:{number}: {why}")
            if kind == '"' and path.suffix == ".h":
                graph.setdefault(str(path), set()).add(target)
    bad += cycles(graph)
    print("\n".join(sorted(set(bad))) or "layers ok")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
