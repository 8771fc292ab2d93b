#!/usr/bin/env python3
"""Every style check can fail: a small clean tree passes all of them, and each planted fault is
refused by the check that is meant for it, with the words expected."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sigma"), str(HERE)]
import check_fields  # noqa: E402
import support_cases  # noqa: E402

PAGE = ".Dd January 1, 2026\n.Dt {title}\n.Os\n.Sh NAME\n.Nm sekisho\n.Nd words\n.Sh DESCRIPTION\n{body}"
LIST = ".Bl -tag -width Ds\n.It {item}\nWords.\n.El\n"
HEADER = "/*\n * {path} - {what}\n */\n#pragma once\n\n{body}\n"


def support_page(texts):
    """The page that these cases make."""
    with tempfile.TemporaryDirectory(prefix="sekisho-style-") as folder:
        for name, text in texts.items():
            path = pathlib.Path(folder) / pathlib.Path(name).name
            path.write_text(text)
        return support_cases.render(support_cases.load(pathlib.Path(folder)))


def field_page(texts):
    """The page that these golden lines make."""
    with tempfile.TemporaryDirectory(prefix="sekisho-style-") as folder:
        for name, text in texts.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return f"{check_fields.BEGIN}\n{check_fields.render(pathlib.Path(folder))}\n{check_fields.END}\n"


FIELDS = {
    "event/fields.def": 'FIELD(1, SOURCE_IP, "source.ip", "src_ip, c-ip", IP, NONE, NORMAL, "who")\n'
                        'FIELD(2, USER_NAME, "user.name", "user", TEXT, NONE, PERSON, "account")\n',
    "tests/golden/squid/a.expected": "source.ip|plain|192.0.2.1\tsquid.k|plain|x\tverdict=allow\n",
}
FIELDS["docs/fields.md"] = field_page(FIELDS)
SUPPORT = {"tests/sigma/support/a.yml": """title: All
words: Words.
cases:
- {item: "a|all: [x, y]", finds: [{a: [x, y]}], passes: [{a: x}]}
- {form: count, correlation: "type: event_count, rules: [r1], timespan: 1s, condition: {gte: 1}", events: [0 a=x], alerts: [0]}
- {form: base, filter: "rules: r1, s: {a: x}, condition: not s", finds: [], passes: [{a: x}]}
"""}
SUPPORT["docs/sigma-support.md"] = support_page(SUPPORT)
CLEAN = {
    "base/err.h": HEADER.format(path="base/err.h", what="errors.", body="int err_code(int err);"),
    "base/err.c": '#include "base/err.h"\n\n#include <stddef.h>\n\n'
                  "static const char *const NAMES[] = {\"ok\", \"goto back; strcpy(a, b)\"};\n\n"
                  "int err_code(int err)\n{\n    if (err > 1)\n        goto out;\n"
                  "    if (NAMES[0] == NULL)\n        err = 2;\nout:\n    return err;\n}\n",
    "event/event.h": HEADER.format(path="event/event.h", what="words.", body='#include "base/err.h"'),
    **FIELDS,
    "store/store.h": HEADER.format(path="store/store.h", what="keeps.", body="struct store;"),
    "ingest/ingest.h": HEADER.format(path="ingest/ingest.h", what="reads.", body='#include "event/event.h"'),
    "ingest/private.h": HEADER.format(path="ingest/private.h", what="inside.", body="struct part;"),
    "app/main.c": '#include "ingest/ingest.h"\n#include "store/store.h"\n\nstatic int stopping;\n\n'
                  "int main(void)\n{\n    return err_code(stopping);\n}\n",
    # A program that has one command with one option, and one key.
    "build/release/sekisho": "#!/bin/sh\ncase \"$*\" in\n--help) echo '  parse    words' ;;\n"
                             "'parse --help') echo '  --raw  words' ;;\n"
                             "'check --man') printf '" + LIST.format(item="Cm data").replace("\n", "\\n") + "' ;;\nesac\n",
    "man/sekisho.1": PAGE.format(title="SEKISHO 1", body=LIST.format(item="Cm parse")),
    "man/sekisho-parse.1": PAGE.format(title="SEKISHO-PARSE 1", body=LIST.format(item="Fl -raw")),
    "man/sekisho.conf.5.in": PAGE.format(title="SEKISHO.CONF 5", body="@KEYS@\n"),
    "man/make_conf_page.py": (ROOT / "man" / "make_conf_page.py").read_text(),
    # What of Sigma the program has, and a case for each.
    "detect/sigma_modifiers.def": 'MODIFIER(ALL, "all", FLAG)\n',
    "detect/sigma_correlation.c": 'static const char *const TYPES[] = {[0] = "event_count"};\n'
                                  'static const char *const BOUNDS[] = {[0] = "gte"};\n'
                                  "static const struct {\n    char unit;\n    int seconds;\n} UNITS[] = {{'s', 1}};\n\n"
                                  "int sigma_words(void)\n{\n"
                                  "    return TYPES[0][0] + BOUNDS[0][0] + UNITS[0].unit + UNITS[0].seconds;\n}\n",
    "detect/sigma_filter.c": 'static const char *const LAYERS[] = {"base"};\n\n'
                             "int sigma_layer(void)\n{\n    return LAYERS[0][0];\n}\n",
    **SUPPORT,
    "completions/sekisho.bash": "_sekisho() { [ $COMP_CWORD = 1 ] && COMPREPLY=(parse) || COMPREPLY=(--raw); }\n",
    "tests/style/fields.lock": "1 SOURCE_IP source.ip IP\n2 USER_NAME user.name TEXT\n",
}


def function(body, head=""):
    return f'#include "base/err.h"\n\n{head}int err_code(int err)\n{{\n{body}\n    return err;\n}}\n'


def fields(*rows):
    return "".join(f'FIELD({row}, NONE, NORMAL, "x")\n' for row in rows)


FIRST, SECOND = '1, SOURCE_IP, "source.ip", "", IP', '2, USER_NAME, "user.name", "", TEXT'
# (check, words expected in its output, {path: text or None to remove it})
PLANTED = [
    ("layers", "must not reach into", {"base/err.c": '#include "base/err.h"\n#include "event/event.h"\n'}),
    ("layers", "must not reach into", {"store/a.c": '#include "ingest/ingest.h"\n'}),
    ("layers", "is private", {"app/a.c": '#include "ingest/private.h"\n'}),
    ("layers", "is not for store/", {"store/a.c": "#include <pcre2.h>\n"}),
    ("layers", "in no list", {"ingest/a.c": "#include <lz4.h>\n"}),
    ("layers", "from the root", {"ingest/a.c": '#include "private.h"\n'}),
    ("layers", "own header first", {"base/err.c": '#include <stddef.h>\n\n#include "base/err.h"\n'}),
    ("layers", "header cycle", {
        "event/a.h": HEADER.format(path="event/a.h", what="a.", body='#include "event/b.h"'),
        "event/b.h": HEADER.format(path="event/b.h", what="b.", body='#include "event/a.h"')}),
    ("headers", "unknown type", {
        "base/a.h": HEADER.format(path="base/a.h", what="a.", body="uint32_t a_count(void);")}),
    ("headers", "no #pragma once", {"base/a.h": "/*\n * base/a.h - a.\n */\nint a_count(void);\n"}),
    ("headers", "must begin with", {"base/a.h": "#pragma once\nint a_count(void);\n"}),
    ("sizes", "limit 800", {"base/a.c": "int a;\n" * 801}),
    ("sizes", "limit 300", {"base/a.h": "\n" * 301}),
    ("format", "clang-formatted", {"base/a.c": "int  a(void);\n"}),
    ("tables", "ids ascend", {"event/a.def": "ROW(2, A)\nROW(1, B)\n"}),
    ("tables", "ids ascend", {"event/a.def": "/* ids are on disk */\nROW(1, A)\nROW(1, B)\n"}),
    ("tables", "already", {"event/a.def": "/* ids are on disk */\nROW(1, A)\nROW(2, A)\n"}),
    ("tables", "already", {"event/a.def": "ROW(\"a\", A)\nROW(\"a\", B)\n"}),
    ("tables", "must stay", {"event/fields.def": fields(FIRST)}),
    ("tables", "must stay", {"event/fields.def": fields(FIRST, SECOND.replace("TEXT", "INT"))}),
    ("tables", "--update", {"event/fields.def": fields(FIRST, SECOND, '3, A, "a.b", "", INT')}),
    ("tables", "filled by no format", {"ingest/unfilled.def": "/* none */\n"}),
    ("banned", "strcpy", {"base/err.c": function("    strcpy(a, b);")}),
    ("banned", "localtime", {"base/err.c": function("    localtime(&t);")}),
    ("banned", "base/file.h", {"store/a.c": "int store_sync(int fd)\n{\n    return fdatasync(fd);\n}\n"}),
    ("banned", "pointer cast (struct a *)", {"base/err.c": function("    struct a *p = (struct a *)q;")}),
    ("banned", "pointer cast (const uint32_t *)", {"base/err.c": function("    use((const uint32_t *)(q + 1));")}),
    ("banned", "pointer cast (void **)", {"base/err.c": function("    use((void **)&q);")}),
    ("banned", "function pointer", {"base/err.c": function("    run = (int (*)(void *))q;")}),
    ("banned", "mutable and static", {"base/err.c": function("", "static int count;\n\n")}),
    ("banned", "mutable and static", {"base/err.c": function("", 'static const char *names[] = {"a"};\n\n')}),
    ("banned", "mutable and static", {"base/err.c": function("", "static int (*hook)(int);\n\n")}),
    ("banned", "mutable and static", {"base/err.c": function("    static int count = 0;")}),
    ("banned", "the one label", {"base/err.c": function("    goto again;\nagain:")}),
    ("banned", "goes back", {"base/err.c": function("out:\n    goto out;")}),
    ("banned", "finish it", {"base/err.c": function("    /* " + "TO" + "DO */")}),
    ("banned", "must name its check", {"base/err.c": function("    err++; /* " + "NO" + "LINT */")}),
    ("man", "man/sekisho-parse.1 lacks --raw", {
        "man/sekisho-parse.1": PAGE.format(title="SEKISHO-PARSE 1", body="Words.\n")}),
    ("man", "has --old, which", {
        "man/sekisho-parse.1": PAGE.format(title="SEKISHO-PARSE 1", body=LIST.format(item="Fl -raw , Fl -old"))}),
    ("man", "man/sekisho.1 lacks parse", {"man/sekisho.1": PAGE.format(title="SEKISHO 1", body="Words.\n")}),
    ("man", "man/ has gen, which", {"man/sekisho-gen.1": PAGE.format(title="SEKISHO-GEN 1", body="Words.\n")}),
    ("man", "completion of parse lacks --raw", {
        "completions/sekisho.bash": "_sekisho() { [ $COMP_CWORD = 1 ] && COMPREPLY=(parse) || COMPREPLY=(); }\n"}),
    ("man", "sekisho.conf(5) lacks data", {
        "man/sekisho.conf.5.in": PAGE.format(title="SEKISHO.CONF 5", body="Words.\n")}),
    ("support", "check_support.py --write", {"docs/sigma-support.md": SUPPORT["docs/sigma-support.md"].replace("x", "z")}),
    ("support", "lacks the marks", {"docs/sigma-support.md": "# A page\n"}),
    ("support", "the modifier cased", {
        "detect/sigma_modifiers.def": 'MODIFIER(ALL, "all", FLAG)\nMODIFIER(CASED, "cased", FLAG)\n'}),
    ("support", "the type temporal", {
        "detect/sigma_correlation.c": CLEAN["detect/sigma_correlation.c"].replace(
            '"event_count"', '"event_count", [1] = "temporal"')}),
    ("support", "the unit m", {
        "detect/sigma_correlation.c": CLEAN["detect/sigma_correlation.c"].replace("{'s', 1}", "{'s', 1}, {'m', 60}")}),
    ("support", "the layer town", {
        "detect/sigma_filter.c": CLEAN["detect/sigma_filter.c"].replace('"base"', '"base", "town"')}),
    ("support", "is refused, or it finds", {
        "tests/sigma/support/a.yml": SUPPORT["tests/sigma/support/a.yml"].replace("finds:", "refused: no, finds:", 1)}),
    ("fields", "check_fields.py --write", {
        "tests/golden/squid/a.expected": FIELDS["tests/golden/squid/a.expected"] + "user.name|plain|sato\n"}),
    ("fields", "check_fields.py --write", {"docs/fields.md": FIELDS["docs/fields.md"].replace("who", "what")}),
    ("fields", "lacks the marks", {"docs/fields.md": "# A page\n"}),
    ("tidy", "readability-function-size", {
        "base/err.c": function("\n".join(f"    err += {n};" for n in range(80)))}),
    ("tidy", "readability-braces-around-statements", {
        "base/err.c": function("    if (err)\n        for (;;)\n            for (;;)\n                err++;")}),
]


def plant(tree, texts):
    for name, text in texts.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(0o755)
    for name in (".clang-format", ".clang-tidy"):
        shutil.copy(ROOT / name, tree / name)
    entries = [{"directory": str(tree), "file": str(p.relative_to(tree)),
                "command": f"gcc -std=c17 -I. -Wlogical-op -mmemset-strategy=libcall:-1:noalign -Werror -c {p.relative_to(tree)}"}
               for p in sorted(tree.glob("*/*.c"))]
    (tree / "compile_commands.json").write_text(json.dumps(entries))


def run(check, texts):
    """Exit code and output of a check in a tree of these texts."""
    (path,) = HERE.glob(f"check_{check}.*")
    command = [str(path)] if path.suffix == ".sh" else [sys.executable, str(path)]
    with tempfile.TemporaryDirectory(prefix="sekisho-style-") as folder:
        tree = pathlib.Path(folder).resolve()
        plant(tree, texts)
        command += ["."] if check == "tidy" else []
        done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode(errors="replace")


def judge(case):
    check, words, change = case
    code, out = run(check, {**CLEAN, **change})
    if change and (code == 0 or words not in out):
        return f"{check} let pass: {words}\n{out}"
    if not change and code != 0:
        return f"{check} refused the clean tree:\n{out}"
    return None


def main():
    checks = sorted(p.stem.removeprefix("check_") for p in HERE.glob("check_*.*"))
    missing = [c for c in checks if c not in {check for check, _, _ in PLANTED}]
    cases = [(check, "", {}) for check in checks] + PLANTED
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = [b for b in pool.map(judge, cases) if b] + [f"nothing is planted for {c}" for c in missing]
    print("\n".join(bad) or f"{len(checks)} checks, {len(PLANTED)} planted faults refused")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
