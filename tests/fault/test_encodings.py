#!/usr/bin/env python3
"""Japanese in every encoding, searched in every spelling: the rows must be those that Python's own codecs and NFKC give.

Names, file names and URLs are written in UTF-8, CP932, EUC-JP and percent escapes of each, with full and half width,
by sources that say their encoding and sources that do not. Conditions of fields, parts of lines, lists, rules and
groups are asked of the log with batches of 7 and 2,048 rows and of segments, and compared with a model that knows what
was written. What is shown is UTF-8, and lines come back byte for byte.
"""
import json
import pathlib
import sys
import unicodedata
from urllib.parse import quote

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from sekisho import LONG, Steps, need_binary, ndjson, run, seeded_random, temp_dir  # noqa: E402

ROWS = 12_000 if LONG else 1_800
QUERIES = 1_500 if LONG else 60
TENANT = "052027"
CONFIGS = [("large", 2048, 2), ("small", 7, 1)]
CODECS = {"utf-8": "utf-8", "cp932": "cp932", "euc-jp": "euc_jp"}

NAMES = ["日本太郎", "佐藤花子", "鈴木一郎", "高橋健太", "渡辺みどり", "わたなべ", "カメラマン", "ﾔﾏﾀﾞﾀﾛｳ", "ｽｽﾞｷ ｼﾞﾛｳ",
         "総務課ＰＣ１２", "ＡＢＣ０１", "表示係", "能登ソフト", "suzuki", "Sato01", "admin", "①係長", "パソコン教室", "ハ゜ソコン"]
WORDS = ["検索", "カメラ", "ｶﾒﾗ", "予算書", "申請フォーム", "ダウンロード", "ﾀﾞｳﾝﾛｰﾄﾞ", "住民票の写し", "ＷＥＢ会議", "テスト", "㈱関所",
         "download", "Setup", "index", "表", "いろは順", "～まとめ～", "ﾊﾟｿｺﾝ"]
ENDS = ["", ".pdf", ".XLSX", "（最終）.docx", "　コピー.txt", "-2.zip"]


def fold(text):
    """NFKC with case folded; what is not to be seen is not in these texts."""
    text = text.replace("\u301c", "~").replace("\u2212", "-").replace("\u2014", "\u2015")
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def ascii_lower(text):
    return "".join(c.lower() if c < "\x80" else c for c in text)


def forms(text):
    return {ascii_lower(text), fold(text)}


class Row:
    """A line and what its values mean."""

    def __init__(self, line, fields):
        self.line = line
        self.fields = fields    # name -> texts: as decoded, and percent-decoded

    def test(self, field, needle, how):
        want = fold(needle)
        texts = set().union(*(forms(t) for t in self.fields.get(field, ())))
        return any(how(text, want) for text in texts)

    def holds_word(self, needle):
        want = fold(needle)
        if want.encode() in bytes(c + 32 if 65 <= c <= 90 else c for c in self.line):
            return True
        texts = [t for some in self.fields.values() for t in some]
        return any(want in form for text in texts if not text.isascii() for form in forms(text))


def written(text, charset):
    """What the bytes mean: CP932 and EUC-JP have one code point for characters that Unicode has two of."""
    return text.encode(CODECS[charset]).decode(CODECS[charset])


def can(text, charset):
    try:
        data = text.encode(CODECS[charset])
    except UnicodeEncodeError:
        return False
    # A quote behind half of a character that is a backslash ends no value: such devices do not exist for long.
    return charset != "cp932" or b"\\" not in data


def pick(r, choices, charset):
    while True:
        text = r.choice(choices)
        if can(text, charset):
            return text


def make_squid(r, number, charset):
    name = pick(r, NAMES, charset).replace(" ", "")
    inner = r.choice(list(CODECS))
    words = pick(r, WORDS, inner) + pick(r, WORDS, inner)
    tail = quote(pick(r, ENDS, inner).encode(CODECS[inner]), safe="")
    query = quote(words.encode(CODECS[inner]), safe="") + tail
    stay = r.random() < 0.3 and charset == inner
    if stay:    # as it is, not escaped
        query = words
    path = r.choice(["/", "/a/b.cgi", "/Search"])
    url = f"http://www{number % 7}.example.jp{path}?q={query}"
    line = (f"{1763600400 + number}.000 120 10.1.2.{number % 250} TCP_MISS/200 5120 GET {url} {name} "
            f"HIER_DIRECT/192.0.2.10 text/html\n").encode(CODECS[charset])
    data = words + ("" if stay else pathlib.PurePosixPath("x" + bytes_of(tail, inner)).name[1:])
    return Row(line, {"user.name": [written(name, charset)], "url.query": [f"q={query}", f"q={data}"],
                      "url.original": [url, url.replace(query, data)], "url.path": [path],
                      "url.domain": [f"www{number % 7}.example.jp"]})


def bytes_of(tail, charset):
    from urllib.parse import unquote_to_bytes
    return unquote_to_bytes(tail).decode(CODECS[charset])


def make_fortigate(r, number, charset):
    name = pick(r, NAMES, charset)
    file = pick(r, WORDS, charset) + pick(r, WORDS, charset) + pick(r, ENDS, charset)
    line = (f'date=2025-11-20 time=10:00:{number % 60:02d} devname="fw1" devid="FG1" logid="0211008192" type="utm" '
            f'subtype="virus" level="warning" srcip=10.2.0.{number % 250} user="{name}" filename="{file}" '
            f'action="blocked"\n').encode(CODECS[charset])
    return Row(line, {"user.name": [written(name, charset)], "file.name": [written(file, charset)]})


MAKERS = {"squid": make_squid, "fortigate": make_fortigate}


def make(folder, r):
    """Files for each format and setting; rows by (file, line)."""
    rows, manifest = {}, []
    sources = [(f, e) for f in MAKERS for e in ("utf-8", "cp932", "euc-jp", "auto")]
    for at, (name, setting) in enumerate(sources):
        lines = []
        for number in range(ROWS // len(sources)):
            charset = r.choice(list(CODECS)) if setting == "auto" else setting
            lines.append(MAKERS[name](r, number, charset))
        (folder / f"{at}.log").write_bytes(b"".join(row.line for row in lines))
        rows |= {(at, i): row for i, row in enumerate(lines)}
        manifest.append({"tenant": TENANT, "source": f"s{at}", "format": name, "file": f"{at}.log", "encoding": setting})
    (folder / "m.yaml").write_text("reference_time: 2025-11-20T00:00:00Z\nfiles:\n"
                                   + "".join(f"- {json.dumps(e)}\n" for e in manifest))
    return rows


def spell(r, text):
    """Another way of writing the same."""
    way = r.randrange(5)
    if way == 0:
        return unicodedata.normalize("NFKC", text)
    if way == 1:
        return "".join(chr(ord(c) + 0xfee0) if "!" < c < "~" else c for c in text)
    if way == 2:
        return r.choice([text.upper(), text.lower()])
    if way == 3:
        return unicodedata.normalize("NFKD", text)
    return text


def part_of(r, text):
    start = r.randrange(len(text))
    return text[start:start + r.randrange(1, 5)]


def quoted(text):
    return '"' + "".join("\\" + c if c in '\\"*?' else c for c in text) + '"'


def make_condition(r, rows):
    """(query, what a row must satisfy)"""
    row = r.choice(rows)
    field = r.choice([f for f in row.fields if f not in ("url.path", "url.domain")])
    text = r.choice(row.fields[field])
    kind = r.randrange(6)
    if kind == 0:
        want = spell(r, text)
        return f"{field}:{quoted(want)}", lambda x: x.test(field, want, lambda a, b: a == b)
    if kind == 1:
        names = [spell(r, r.choice(NAMES)) for _ in range(12)]
        return ("user.name:(" + " or ".join(quoted(n) for n in names) + ")",
                lambda x: any(x.test("user.name", n, lambda a, b: a == b) for n in names))
    want = spell(r, part_of(r, text))
    if not want.strip() or any(unicodedata.combining(c) for c in want[:1]):
        want = "カメラ"
    if kind == 2:
        return quoted(want), lambda x: x.holds_word(want)
    plain = "".join("\\" + c if c in '\\"*?' else c for c in want)
    if kind == 3:
        return f'{field}:"*{plain}*"', lambda x: x.test(field, want, lambda a, b: b in a)
    if kind == 4:
        return f'{field}:"{plain}*"', lambda x: x.test(field, want, lambda a, b: a.startswith(b))
    words = [spell(r, w) for w in r.sample(WORDS, 10)]
    query = " or ".join(f'url:"*{w}*"' for w in words)
    return query, lambda x: any(x.test("url.original", w, lambda a, b: b in a) for w in words)


def places(store, query):
    done = run("search", f"({query}) | fields kafka.partition, kafka.offset", "--data", store, check=None)
    assert done.returncode in (0, 1), (query, done.stderr.decode())
    found = ndjson(done.stdout)
    return {(f["kafka.partition"], f["kafka.offset"]) for f in found}


def check_queries(r, stores, rows, steps, what):
    every = list(rows.values())
    some = 0
    for _ in range(QUERIES):
        query, holds = make_condition(r, every)
        want = {place for place, row in rows.items() if holds(row)}
        some += bool(want)
        for store in stores:
            got = places(store, query)
            if got != want:
                bad = sorted(got ^ want)[0]
                raise AssertionError(f"{what}: {query}: {len(got)} rows, not {len(want)}; {bad} "
                                     f"{'is wrong' if bad in got else 'is missing'}: {rows[bad].line!r} {rows[bad].fields}")
    assert some * 2 > QUERIES, f"only {some} of {QUERIES} conditions hold for any row"
    steps(f"{QUERIES} conditions, {what}; {some} hold for some rows")


def check_shown(stores, rows):
    for store in stores:
        out = run("export", "--data", store).stdout.decode()
        for line in out.splitlines():
            event = json.loads(line)
            row = rows[event["kafka.partition"], event["kafka.offset"]]
            for field in ("user.name", "file.name"):
                assert event.get(field) == row.fields.get(field, [None])[0], (field, event.get(field), row.line)
        for at in sorted({part for part, _ in rows}):
            raw = run("export", "--data", store, "--raw", "--topic", "file", "--partition", at).stdout
            assert raw == b"".join(row.line for (part, _), row in sorted(rows.items()) if part == at), "lines changed"


def check_rules(folder, stores, rows):
    """A rule finds what the search of its condition finds; hits are counted over the history."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    want = {}
    for at, (field, key, word) in enumerate([("user.name", "", "ヤマダタロウ"), ("user.name", "|contains", "わたな"),
                                             ("user.name", "|startswith", "abc"), ("file.name", "|contains", "ダウンロード"),
                                             ("url.original", "|contains", "カメラ"), ("url.query", "|contains", "web会議"),
                                             ("file.name", "|contains|cased", "カメラ"), ("file.name", "|endswith", "コピー.TXT")]):
        how = {"": lambda a, b: a == b, "|contains": lambda a, b: b in a, "|startswith": lambda a, b: a.startswith(b),
               "|endswith": lambda a, b: a.endswith(b)}.get(key)
        rule = f"00000000-0000-4000-8000-00000000000{at}"
        (rules / f"{at}.yml").write_text(
            f"title: rule {at}\nid: {rule}\nlogsource: {{category: proxy}}\n"
            f"detection:\n  s: {{'{field}{key}': '{word}'}}\n  condition: s\nlevel: low\n")
        want[rule] = sum(row.test(field, word, how) if how else any(word in t for t in row.fields.get(field, ()))
                          for row in rows.values())
    for store in stores:
        got = {}
        for rule in want:
            said = ndjson(run("rule", "backtest", "--data", store, "--json", "--rule", rule, rules, check=None).stdout)
            got |= {line["rule"]: line["hits"] for line in said if "rule" in line}
        assert got == want, (got, want)


def main():
    need_binary()
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        rows = make(folder, r)
        stores = []
        for name, batch_rows, workers in CONFIGS:
            stores.append(folder / name)
            run("replay", "--data", stores[-1], "--manifest", folder / "m.yaml", "--batch-rows", batch_rows, "--workers", workers)
        steps(f"{len(rows)} rows in the logs of {len(stores)} stores")
        check_shown(stores, rows)
        steps("values are shown in UTF-8, lines are as they came")
        check_queries(r, stores, rows, steps, "in the log")
        for store in stores:
            run("compact", "--data", store)
        check_shown(stores, rows)
        check_queries(r, stores, rows, steps, "in segments")
        check_rules(folder, stores, rows)
        steps("rules over the history")


if __name__ == "__main__":
    main()
