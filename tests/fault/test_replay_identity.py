#!/usr/bin/env python3
"""What is stored and found depends on neither the size of the batches nor the number of workers.

Mutated lines, generated and (where it is there) of the corpus, go through `replay` with batches of 1, 7 and 2,048
rows and 1, 2 and 8 workers. All must give back the files byte for byte, print the same NDJSON, and answer the same
to generated queries; a naive reading in Python, of the raw lines for words and of the printed fields for the rest,
must answer the same, too.
"""
import fnmatch
import hashlib
import ipaddress
import json
import pathlib
import re
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
import mutate  # noqa: E402
from sekisho import CORPUS, LONG, Steps, run, seeded_random, temp_dir  # noqa: E402

LINES = 1_000_000 if LONG else 200_000        # for identity of bytes and fields
SEARCH_LINES = 100_000 if LONG else 12_000    # for identity of answers
QUERIES = 60 if LONG else 30
CONFIGS = [(rows, workers) for rows in (2048, 7, 1) for workers in (1, 2, 8)]
MUTATED = 0.35
LINE_BYTES_MAX = 10 << 20
REFERENCE = "2026-10-05T09:00:00+09:00"
CORPUS_FILES = [("fortigate", "traffic/fortigate-*/*.log"), ("fortigate", "conformance/fortigate.ndjson"),
                ("panos", "conformance/panos.ndjson"), ("squid", "conformance/squid.ndjson"),
                ("cisco_asa", "conformance/cisco-asa-ftd.ndjson"), ("auto", "conformance/iptables.ndjson")]


def corpus_lines():
    """{format: lines}; empty without a corpus."""
    found = {}
    for format_name, pattern in CORPUS_FILES:
        for path in sorted(CORPUS.glob(pattern)):
            lines = path.read_bytes().split(b"\n")
            if path.suffix == ".ndjson":
                lines = [json.loads(line)["raw"].encode() for line in lines if line]
            found.setdefault(format_name, []).extend(part for line in lines for part in line.split(b"\n") if part)
    return found


class Input:
    """Files, their manifest and their bytes."""

    def __init__(self, folder, r, lines):
        self.folder, self.files = folder, []
        share = lines * 3 // 5
        run("gen", "--seed", r.randrange(1 << 32), "--tenants", 6, "--events", share, "--mess", 30, "--out", folder)
        entries = [line for line in (folder / "manifest.yaml").read_text().splitlines() if line.startswith("- ")]
        for entry in entries:
            path = folder / re.search(r'file: "?([^",}]+)', entry).group(1)
            self.add(path, self.wrong(r, path.read_bytes().split(b"\n")[:-1]))
        tenant = re.search(r'tenant: "(\d+)"', entries[0]).group(1)
        corpus = corpus_lines()
        bases = corpus or {"auto": self.data(0).split(b"\n")}
        print(f"corpus lines: {sum(map(len, corpus.values()))}" if corpus else "no corpus: generated lines only")
        weights = [len(lines) ** 0.5 for lines in bases.values()]
        for (format_name, base), weight in zip(sorted(bases.items()), weights):
            count = int((lines - share) * weight / sum(weights))
            path = folder / f"corpus-{format_name}.log"
            self.add(path, [mutate.mutate(r, r.choice(base)) if r.random() < 0.8 else r.choice(base)
                            for _ in range(count)])
            entries.append(f'- {{tenant: "{tenant}", source: corpus-{format_name.replace("_", "-")}, '
                           f'format: {format_name}, file: {path.name}, zone: "+09:00"}}')
        # The ends of files: nothing, no line feed at the end, a CR, a line that is too long.
        for name, data in (("empty", b""), ("open", b"one\ntwo"), ("feeds", b"\n\n\r\n\r"), ("nul", b"\0\n\0"),
                           ("long", b"a\n" + b"L" * (LINE_BYTES_MAX + 12345) + b" needle_in_a_long_line\nb\n")):
            (folder / name).write_bytes(data)
            self.files.append(folder / name)
            entries.append(f'- {{tenant: "{tenant}", source: {name}, format: auto, file: {name}, zone: "+09:00"}}')
        (folder / "manifest.yaml").write_text("\n".join(entries) + "\n")

    @staticmethod
    def wrong(r, lines):
        return [mutate.mutate(r, line) if line and r.random() < MUTATED else line for line in lines]

    def add(self, path, lines):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        self.files.append(path)

    def data(self, partition):
        return self.files[partition].read_bytes()

    def sha256(self):
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def replay(self, store, rows, workers):
        run("replay", "--data", store, "--manifest", self.folder / "manifest.yaml", "--config",
            self.folder / "config.yaml", "--reference-time", REFERENCE, "--batch-rows", rows, "--workers", workers)
        return store


def output_hash(*arguments):
    return hashlib.sha256(run(*arguments).stdout).hexdigest()


def values(event, field):
    found = event.get(field, [])
    return found if isinstance(found, list) else [found]


# Characters that are not to be seen (Default_Ignorable_Code_Point); folding leaves them out.
UNSEEN = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
                    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")


def fold(value):
    """ASCII case, and of other text NFKC with case folded."""
    text = str(value)
    if text.isascii():
        return text.lower()
    text = UNSEEN.sub("", text)
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def is_whole(event):
    """Whether no part of the line was taken for a value, so that all of it is one."""
    own = ("event.original", "event.ingested")
    parts = [key for key in event if not key.startswith(("_", "@", "sekisho.", "kafka.")) and key not in own]
    return not parts and event.get("sekisho.time.source") != "syslog"


def holds_word(event, word):
    """In the bytes of the line, or in what a value means that is not ASCII."""
    if word.lower().encode() in event["_lower"]:
        return True
    printed = [v for key, some in event.items() if key[0] != "_" and (key != "event.original" or is_whole(event))
               for v in (some if isinstance(some, list) else [some])]
    return any(word.lower() in fold(v) for v in printed if isinstance(v, str) and not v.isascii())


class Query:
    """A query's text, and the same thing said in Python."""

    def __init__(self, text, holds, raw_only=False):
        self.text, self.holds, self.raw_only = text, holds, raw_only


TEXT_FIELDS = ["event.action", "user.name", "observer.name", "network.protocol", "url.domain", "event.code",
               "sekisho.verdict", "sekisho.format", "http.request.method", "sekisho.parse.error", "rule.name",
               "sekisho.zone.source"]
NUMBER_FIELDS = ["destination.port", "source.port", "http.response.status_code", "source.bytes", "kafka.offset"]
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def quoted(value):
    return value if PLAIN.fullmatch(value) and value.lower() not in ("and", "or", "not", "to") else f'"{value}"'


def field_values(r, events, field, accept):
    """One value of the field that some event has, or None."""
    for event in r.sample(events, min(len(events), 4000)):
        for value in values(event, field):
            if accept(value):
                return value
    return None


def simple_text(value):
    return isinstance(value, str) and value and value.isascii() and value.isprintable() and \
        not re.search(r'[*?\\"/]', value)


def make_equal(r, events):
    field = r.choice(TEXT_FIELDS)
    value = field_values(r, events, field, simple_text)
    if value is None:
        return None
    asked = value.upper() if r.random() < 0.3 else value
    return Query(f"{field}:{quoted(asked)}",
                 lambda e: any(fold(v) == fold(value) for v in values(e, field)))


def make_glob(r, events):
    field = r.choice(TEXT_FIELDS)
    value = field_values(r, events, field, lambda v: simple_text(v) and len(v) > 3 and PLAIN.fullmatch(v))
    if value is None:
        return None
    pattern = r.choice((value[:2] + "*", "*" + value[-3:], "*" + value[1:-1] + "*", value[0] + "*" + value[-1]))
    return Query(f"{field}:{pattern}",
                 lambda e: any(fnmatch.fnmatchcase(fold(v), fold(pattern)) for v in values(e, field)))


def make_network(r, events):
    field = r.choice(("source.ip", "destination.ip"))
    value = field_values(r, events, field, lambda v: "." in str(v))
    if value is None:
        return None
    network = ipaddress.ip_network(f"{value}/{r.choice((8, 16, 20, 24, 27, 32))}", strict=False)

    def inside(event):
        addresses = [ipaddress.ip_address(v) for v in values(event, field)]
        return any(a.version == 4 and a in network for a in addresses)
    return Query(f"{field}:{network}", inside)


def make_address(r, events):
    field = r.choice(("source.ip", "destination.ip"))
    value = field_values(r, events, field, lambda v: True)
    return value and Query(f"{field}:{value if '.' in value else quoted(value)}",
                           lambda e: value in values(e, field))


def make_range(r, events):
    field = r.choice(NUMBER_FIELDS)
    value = field_values(r, events, field, lambda v: isinstance(v, int) and v >= 0)
    if value is None:
        return None
    other = value + r.choice((0, 1, 100, 5000))
    numbers = lambda e: [v for v in values(e, field) if isinstance(v, int)]
    kind = r.randrange(3)
    if kind == 0:
        return Query(f"{field}:[{value} to {other}]", lambda e: any(value <= v <= other for v in numbers(e)))
    if kind == 1:
        return Query(f"{field}>={value}", lambda e: any(v >= value for v in numbers(e)))
    return Query(f"{field}<{value}", lambda e: any(v < value for v in numbers(e)))


def make_exists(r, _events):
    """Of fields that are never empty: an empty text exists, but is not printed."""
    field = r.choice(["source.ip", "destination.port", "sekisho.parse.error", "source.nat.ip"])
    return Query(f"{field}:*", lambda e: bool(values(e, field)))


def make_word(r, events):
    """A piece of a line, as it stands in it."""
    for _ in range(200):
        line = r.choice(events)["_raw"]
        at = r.randrange(len(line)) if line else 0
        piece = line[at:at + r.randint(2, 12)]
        if len(piece) > 1 and re.fullmatch(rb"[A-Za-z0-9=/._ -]+", piece) and piece.strip() == piece:
            break
    else:
        return None
    word = piece.decode()
    return Query(f'"{word}"', lambda e: holds_word(e, word), raw_only=True)


MAKERS = [make_equal, make_equal, make_glob, make_network, make_address, make_range, make_exists, make_word, make_word]


def make_query(r, events, depth=0):
    shape = r.random() if depth < 2 else 1
    if shape < 0.15:
        inner = make_query(r, events, depth + 1)
        return Query(f"not ({inner.text})", lambda e: not inner.holds(e), inner.raw_only)
    if shape < 0.5:
        left, right = make_query(r, events, depth + 1), make_query(r, events, depth + 1)
        both = left.raw_only and right.raw_only
        if r.random() < 0.5:
            return Query(f"({left.text}) or ({right.text})", lambda e: left.holds(e) or right.holds(e), both)
        return Query(f"({left.text}) {r.choice(('and ', ''))}({right.text})",
                     lambda e: left.holds(e) and right.holds(e), both)
    while True:
        query = r.choice(MAKERS)(r, events)
        if query:
            return query


def read_events(data, store):
    """Printed objects with the raw lines beside them. Lines are cut from the files, not taken from the store."""
    events = {}
    lines = {}
    for partition, path in enumerate(data.files):
        parts = path.read_bytes().split(b"\n")
        lines[partition] = parts[:-1] + ([parts[-1]] if parts[-1] else [])
    for text in run("export", "--data", store).stdout.split(b"\n"):
        if text:
            event = json.loads(text)
            place = (event["kafka.partition"], event["kafka.offset"], event.get("sekisho.sub", 0))
            raw = lines[place[0]][place[1]]
            event["_raw"] = raw[place[2] * LINE_BYTES_MAX:(place[2] + 1) * LINE_BYTES_MAX]
            event["_lower"] = event["_raw"].lower()
            events[place] = event
    assert len(events) >= sum(map(len, lines.values()))
    return [events[place] for place in sorted(events)]


def difference(left, right):
    """The first lines that are not the same."""
    for a, b in zip(left.split(b"\n"), right.split(b"\n")):
        if a != b:
            return f"\n{a[:1500].decode()}\n{b[:1500].decode()}"
    return f"{len(left)} and {len(right)} bytes"


def place_of(event):
    return event["kafka.partition"], event["kafka.offset"], event.get("sekisho.sub", 0)


def identity(step, r, folder):
    data = Input(folder / "big", r, LINES)
    wanted = data.sha256()
    size = sum(path.stat().st_size for path in data.files)
    step(f"{LINES} lines, {size >> 20} MiB in {len(data.files)} files")
    printed = None
    for rows, workers in CONFIGS:
        store = data.replay(folder / f"big-{rows}-{workers}", rows, workers)
        got = output_hash("export", "--data", store, "--raw")
        assert got == wanted, f"{rows} rows, {workers} workers: export --raw differs from the files"
        if workers == 2 or LONG:
            fields = output_hash("export", "--data", store)
            printed = printed or fields
            assert fields == printed, f"{rows} rows, {workers} workers: export prints other fields"
        step(f"batches of {rows} rows, {workers} workers: the same bytes"
             + (" and fields" if workers == 2 or LONG else ""))
        for path in sorted(store.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def answers(step, r, folder):
    data = Input(folder / "small", r, SEARCH_LINES)
    stores = {c: data.replay(folder / f"small-{c[0]}-{c[1]}", *c) for c in CONFIGS}
    first = stores[CONFIGS[0]]
    events = read_events(data, first)
    some = [e for e in events if len(e["_raw"]) < 100_000]
    step(f"{len(events)} rows, {len(stores)} stores")
    counts = [0, 0]
    for number in range(QUERIES):
        query = make_word(r, some) if number % 4 == 0 else make_query(r, some)
        naive = [place_of(e) for e in events if query.holds(e)]
        seen = None
        for config, store in stores.items():
            done = run("search", query.text, "--data", store, "--json", check=None)
            assert done.returncode == (0 if naive else 1), \
                f"{query.text}: exit {done.returncode}, {len(naive)} matches\n{done.stderr.decode()}"
            if seen is None:
                seen = done.stdout
                found = [place_of(json.loads(line)) for line in seen.split(b"\n") if line]
                if found != naive:
                    odd = sorted(set(found) ^ set(naive))[:3]
                    raise AssertionError(f"{query.text}: {len(found)} found, naive {len(naive)}: " + "; ".join(
                        f"{p} {'found' if p in found else 'missed'} "
                        f"{next(e for e in events if place_of(e) == p)['_raw'][:600]}" for p in odd))
            assert done.stdout == seen, \
                f"{query.text}: batches of {config[0]}, {config[1]} workers: {difference(seen, done.stdout)}"
        counts[query.raw_only] += 1
        print(f"        {len(naive):6d}  {query.text}")
    step(f"{QUERIES} queries, the same answer from all; naive scan of raw lines {counts[1]}, of fields {counts[0]}")


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder:
        answers(step, r, folder)
        identity(step, r, folder)


if __name__ == "__main__":
    main()
