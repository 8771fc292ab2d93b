#!/usr/bin/env python3
"""Fail on what the project does without: see the tables below, each with its reason. Run from the root."""
import re
import sys

import source

# Functions, with what to use instead.
FUNCTIONS = {
    "unbounded writes; use base/buf.h or snprintf": "strcpy stpcpy strcat strncat sprintf vsprintf gets",
    "pads or does not end the text; use base/slice.h": "strncpy",
    "cannot report errors; use slice or strtoll with its checks": "atoi atol atoll atof",
    "reads past types and limits; write a parser": "scanf sscanf fscanf vscanf vsscanf vfscanf",
    "one hidden state for all threads": "strtok rand srand random srandom localtime gmtime ctime asctime strerror",
    "the stack is not a heap": "alloca",
}
BANNED = {name: why for why, names in FUNCTIONS.items() for name in names.split()}

# Calls that change or open files go through base/file.h: there a test can make each of them fail.
FILE_CALLS = set("""open openat creat fopen fdopen rename renameat renameat2 link linkat unlink unlinkat remove
    fsync fdatasync sync_file_range pwrite pwritev ftruncate truncate fallocate posix_fallocate mkdir mkdirat rmdir
    opendir fdopendir""".split())
FILE_FOLDERS = ("base", "event", "ingest", "detect", "store", "console")
FILE_SEAM = re.compile(r"base/(file|fault)\w*\.[ch]$")

CASTS_ALLOWED = {"base/bytes.h"}
GLOBALS_ALLOWED = {"app/main.c", "base/fault.c"}
OBJECTS_ALLOWED = {("base/log.c", "severity_least"),  # one atomic word that every thread's log lines obey
                   ("event/pred_hs.c", "verdict")}  # what the library said once, before anybody reads it

WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
NOLINT = re.compile(r"NOLINT(?:NEXTLINE|BEGIN|END)?(?!\w)(?!\([a-z][\w.,* -]*\))")
CALL = re.compile(r"(?<![\w.])(?<!->)(" + "|".join(sorted(BANNED.keys() | FILE_CALLS)) + r")\s*\(")
# (type *) before a value. A compound literal, sizeof and a declaration's parameters look alike and are none.
CAST = re.compile(r"""(?P<before>\w+|[^\s\w])?\s*
    \(\s*(?P<type>(?:(?:const|volatile|struct|union|enum|unsigned|signed)\s+)*[A-Za-z_]\w*(?:\s+(?:const|int|char|long|short))*)
    \s*(?P<stars>\*[\s*]*(?:const\b|restrict\b|\s|\*)*)\)\s*(?P<after>[\w&*("'~!-])""", re.X)
FUNCTION_CAST = re.compile(r"[=,(?:]\s*\(\s*[A-Za-z_][\w\s*]*\(\s*\*\s*\)\s*\([^()]*\)\s*\)\s*[\w&(]")
NO_CAST_BEFORE = re.compile(r"[\w)\]]$")
KEYWORDS_BEFORE = {"return", "case", "else", "do"}
GOTO = re.compile(r"\bgoto\s+(\w+)\s*;")
OUT = re.compile(r"out(_\w+)?$")


def casts(code):
    for m in CAST.finditer(code):
        before = m["before"] or ""
        if NO_CAST_BEFORE.search(before) and before not in KEYWORDS_BEFORE:
            continue
        if m["type"].replace("const", "").strip() == "void" and m["stars"].count("*") == 1:
            continue
        written = " ".join((m["type"] + " " + m["stars"]).split())
        yield m.start("type"), f"pointer cast ({written}): go through void * or base/bytes.h"
    for m in FUNCTION_CAST.finditer(code):
        yield m.start(), "cast of a function pointer"


def statements(code):
    """(place, text, depth) of each declaration; the text of a braced part is {}."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.M)
    stack = [[0, ""]]  # place and text of the statement that is open at each depth
    for at, char in enumerate(code):
        top = stack[-1]
        if not top[1].strip():
            top[0] = at
        if char == "{":
            stack.append([at + 1, ""])
        elif char == "}":
            if len(stack) > 1:
                stack.pop()
            top = stack[-1]
            top[1] += "{}"
            if ends_with_body(top[1]):
                yield top[0], top[1], len(stack) - 1
                stack[-1] = [at + 1, ""]
        elif char == ";":
            yield top[0], top[1], len(stack) - 1
            stack[-1] = [at + 1, ""]
        else:
            top[1] += char


def ends_with_body(text):
    """Whether {} ends the statement: a function or block, not an initializer or a type."""
    head = text[:-2].strip()
    return "=" not in head and not re.match(r"(static\s+|const\s+|extern\s+|typedef\s+)*(struct|union|enum)\b[^()]*$", head)


def is_mutable_object(text, depth):
    """Whether the declaration makes an object that lives for ever and can change."""
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)\s*", "", " ".join(text.split()))
    if depth and not text.startswith("static "):
        return False
    declared, _, _ = text.partition("=")
    declared = declared.strip()
    if not declared or re.match(r"(typedef|static_assert|_Static_assert)\b", declared):
        return False
    if re.fullmatch(r"(struct|union|enum)\s*\w*\s*(\{\})?", declared):
        return False
    if not re.match(r"[A-Za-z_]", declared) or declared.endswith("{}") and "=" not in text:
        return False
    if re.match(r"[^(]*\w\s*\((?!\s*\*)", declared):
        return False  # a prototype or a macro
    pointer = re.search(r"\(\s*\*\s*(const\b)?", declared)
    if pointer and re.search(r"\(\s*\*\s*\w+\s*(\[\w*\]\s*)?\)\s*\(", declared):
        return True
    if pointer:
        return not pointer[1] and "=" in text
    if not re.search(r"\w[\s*]+\w", declared):
        return False
    behind_star = declared.rpartition("*")[2] if "*" in declared else declared
    return not re.search(r"\bconst\b", behind_star)


def gotos(code):
    for m in GOTO.finditer(code):
        end = re.compile(r"^\}", re.M).search(code, m.end())
        rest = code[m.end():end.start() if end else len(code)]
        if not OUT.match(m[1]):
            yield m.start(), f"goto {m[1]}: the one label is out"
        elif not re.search(rf"\b{m[1]}\s*:", rest):
            yield m.start(), f"goto {m[1]} goes back"


def findings(path):
    raw = path.read_text(errors="replace")
    code, top, name = source.blank(raw), path.parts[0], str(path)
    for m in WORDS.finditer(raw):
        yield m.start(), f"{m[1]}: finish it, or describe the limit"
    for m in NOLINT.finditer(raw):
        yield m.start(), "NOLINT must name its check"
    for m in CALL.finditer(code):
        if m[1] in BANNED:
            yield m.start(), f"{m[1]}: {BANNED[m[1]]}"
        elif top in FILE_FOLDERS and not FILE_SEAM.match(name):
            yield m.start(), f"{m[1]}: file system calls go through base/file.h"
    if name not in CASTS_ALLOWED:
        yield from casts(code)
    yield from gotos(code)
    if top in source.PRODUCT and name not in GLOBALS_ALLOWED and path.suffix != ".def":
        for at, text, depth in statements(code):
            if is_mutable_object(text, depth) and not any(
                    name == file and re.search(rf"\b{word}\b", text) for file, word in OBJECTS_ALLOWED):
                yield at, f"mutable and static: {' '.join(text.split())[:60]}"


def main():
    bad = []
    for path in source.files((".c", ".h", ".def")):
        raw = path.read_text(errors="replace")
        bad += [f"{path}:{source.line_of(raw, at)}: {why}" for at, why in findings(path)]
    print("\n".join(bad) or "nothing banned")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
