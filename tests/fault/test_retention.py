#!/usr/bin/env python3
"""Retention deletes nothing before its time, nothing that is held, and says what it deleted.

tests/app/make_kept.c makes a store of many hours, firewall and proxy, with a late row here and there and rows without
a time; all but those of the log's last file are in segments only. Its export before anything was deleted is what a naive
reading later takes rows from. Clocks are those of clock_shift.c: the test makes time pass, and the wall clock jump.
"""
import bisect
import calendar
import collections
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("support", "checker", "fault")]
import sekisho_deletion  # noqa: E402
from sekisho import BIN, LONG, Daemon, Steps, ndjson, run, seeded_random, temp_dir, wait_until  # noqa: E402
from test_alert_identity import build_shift  # noqa: E402

MAKE = BIN.parent / "tests" / "make_kept"
CHECK = ROOT / "tests" / "checker" / "sekisho_check.py"
PROVER = ROOT / "tests" / "checker" / "sekisho_proof.py"
BUNDLE = ROOT / "share" / "bundle" / "verify_bundle.py"
DAY, HOUR = 86400, 3600
HOURS = 14 * 24
TENANTS = ("052027", "131016", "272272", "990001")
SEALED = ("131016", "272272")   # the keyring of SEKISHO_KEYRING has keys of these
KEEP = {"firewall": 2 * DAY, "proxy": 5 * DAY}
# Municipalities with times of their own; of the first one whole segments go.
OWN = {"052027": {"firewall": 2 * DAY, "proxy": 2 * DAY}, "131016": {"firewall": 4 * DAY, "proxy": 4 * DAY}}
CLASS = {"alpha": "firewall", "beta": "proxy"}
LAST = 16 * HOUR        # frames of the last compaction, with late rows
SLACK = 6 * HOUR        # an hour counts as late as the last rows that came with it
CONFIG = """data: {data}
retention:
  classes: {{firewall: 2d, proxy: 5d}}
tenants:
  "052027": {{retention: {{keep: 2d}}}}
  "131016": {{retention: {{keep: 4d}}}}
"""
FAILPOINTS = re.compile(r'failpoint\("((?:retain|deletion|catalog|segment)\.[a-z_]+)"\)')


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def stamp(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def second_of(text):
    return calendar.timegm(datetime.datetime.fromisoformat(text[:19]).timetuple())


def key_of(row):
    return row["kafka.topic"], row["kafka.partition"], row["kafka.offset"], row["sekisho.sub"]


def content(row):
    """What the row says, but for what is its record's: other lines of it, of another class, may be gone."""
    return json.dumps({name: value for name, value in row.items()
                       if name not in ("sekisho.raw.sha256", "kafka.key", "kafka.headers")}, sort_keys=True)


class Clocks:
    """Time as it is, and what the machine's clocks say of it."""

    def __init__(self, folder, library, start):
        self.second, self.boot, self.true, self.off = folder / "second", folder / "boot", start, 0
        self.up = 1000
        self.env = {"LD_PRELOAD": str(library), "CLOCK_SECOND": str(self.second), "CLOCK_BOOT": str(self.boot)}
        self.write()

    def write(self):
        self.second.write_bytes(struct.pack("<q", self.true + self.off))
        self.boot.write_bytes(struct.pack("<q", self.up))

    def go(self, seconds, asleep=False):
        """Time passes; asleep: the machine is off."""
        self.true += seconds
        self.up = 10 if asleep else self.up + seconds
        self.write()

    def jump(self, off):
        self.off = off
        self.write()


class Store:
    """A store, what was in it at first, and the rule as a person would say it."""

    def __init__(self, folder, base, start, rows, clocks, name):
        self.data, self.start, self.clocks = folder / name, start, clocks
        shutil.copytree(base, self.data)
        self.config = folder / f"{name}.yaml"
        self.config.write_text(CONFIG.format(data=self.data))
        self.rows = rows
        self.newest = max(second_of(row["event.ingested"]) for row in rows.values())

    def retain(self, *more, check=0, env=None):
        done = run("retain", "--data", self.data, "--config", self.config, "--json", *more, check=check,
                   env={**self.clocks.env, **(env or {})}, timeout=120)
        return json.loads(done.stdout) if done.stdout else None

    def export(self):
        return {key_of(row): content(row) for row in ndjson(run("export", "--data", self.data).stdout)}

    def keep(self, row):
        return OWN.get(row["sekisho.tenant"], KEEP)[CLASS[row["sekisho.format"]]]

    def due(self, row):
        """The earliest moment at which the row may go."""
        hour = second_of(row["event.ingested"]) // HOUR * HOUR
        return max(hour + HOUR, self.start) + self.keep(row)

    def late(self, row):
        """The moment at which the row must have gone; one without a time goes with the last of its kind."""
        taken = self.newest if second_of(row["event.ingested"]) < self.start - DAY else 0
        return max(self.due(row), taken + HOUR + self.keep(row)) + SLACK

    def certificates(self):
        """{(code, number): certificate} of those that count, as a second program reads them."""
        key = sekisho_deletion.read_key(self.data) if (self.data / "checkpoint.pub").exists() else None
        return {(code, one.number): one for code in TENANTS
                for one in (sekisho_deletion.read_tenant(self.data, int(code), key) if key else [])}

    def check(self, what, held=lambda row, around=0: False, all_gone=True):
        """Nothing went before its time or against a hold; what is due is gone; the rest is as it was."""
        left = self.export()
        true = self.clocks.true
        for key, row in self.rows.items():
            if key in left:
                need(left[key] == row["content"], f"{what}: {key} has other bytes")
                need(not all_gone or held(row, 2 * HOUR) or row["last"] or true < self.late(row),
                     f"{what}: {key} of {row['event.ingested']} should be gone since {stamp(self.due(row))}, "
                     f"it is {stamp(true)}")
            else:
                need(true >= self.due(row), f"{what}: {key} went before its time")
                need(not held(row), f"{what}: {key} is held and went")
        need(set(left) <= set(self.rows), f"{what}: rows that were not there before")
        return left


def verify(store, code=0):
    return run("verify", "--data", store.data, check=code)


def check_store(store):
    done = subprocess.run([sys.executable, str(CHECK), str(store.data)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, check=False)
    need(done.returncode == 0, done.stdout.decode())


def ask(data):
    """The rows that a question finds."""
    done = run("search", "user.name:* or source.port:*", "--data", data, "--json", check=None)
    need(done.returncode in (0, 1), done.stderr.decode())
    return {key_of(row) for row in ndjson(done.stdout)}


def search(store, hits, left):
    """A question finds what it found before, but for what is gone."""
    need(ask(store.data) == {key for key in hits if key in left}, "a search finds other rows than are left")


def last_rows(data):
    """Offsets that the log's last file has: these rows cannot go."""
    import sekisho_check
    kept = collections.defaultdict(set)
    for path in sorted((data / "log").glob("*.log")):
        view = memoryview(path.read_bytes())
        at = sekisho_check.FileHeader(view).len
        while at < len(view):
            frame = sekisho_check.Frame(view[at:])
            for topic, partition, start, end, _ in frame.partitions:
                kept[topic.decode(), partition].update(range(start, end))
            at += frame.len
    return kept


def make(folder, seed, hours, name="base"):
    base = folder / name
    made = subprocess.run([str(MAKE), str(base), str(seed), str(hours)], stdout=subprocess.PIPE, check=True, timeout=300)
    start, count = map(int, made.stdout.split())
    rows = {key_of(row): row for row in ndjson(run("export", "--data", base).stdout)}
    need(len(rows) == count, f"{len(rows)} rows, {count} made")
    log = last_rows(base)
    segments = collections.Counter()
    for key, row in rows.items():
        hour = row["sekisho.tenant"], second_of(row["event.ingested"]) // HOUR
        row["content"] = content(row)
        row["last"] = key[2] in log.get(key[:2], ())
        segments[hour] += row["last"]
    newest = max(second_of(row["event.ingested"]) for row in rows.values())
    for row in rows.values():       # a segment with such a row stays whole, and so do those of the last compaction
        second = second_of(row["event.ingested"])
        row["last"] = segments[row["sekisho.tenant"], second // HOUR] > 0 or not 0 < second <= newest - LAST
    return base, start, rows


def hold(store, *words, check=0):
    return run("hold", *words, "--data", store.data, check=check, env=store.clocks.env).stdout.decode()


def check_simulation(steps, folder, r, made, library):
    """14 days and what is kept of them, in steps of hours; clocks that jump, a machine that was off, a hold."""
    base, start, rows = made
    clocks = Clocks(folder, library, start)
    store = Store(folder, base, start, rows, clocks, "days")
    hits = ask(base)
    need(len(rows) // 10 < len(hits) < len(rows), f"{len(hits)} hits of {len(rows)}")
    store.retain()
    held_until, number = None, None

    def held(row, around=0):
        """around: hours are held whole, so rows beside the span may stay."""
        return (number is not None and row["sekisho.tenant"] == "272272" and CLASS[row["sekisho.format"]] == "firewall" and
                start + 3 * DAY - around <= second_of(row["event.ingested"]) < start + 4 * DAY + around)
    jumps = {30: 400 * DAY, 34: 0, 50: -90 * DAY, 51: 0, 64: 3 * DAY, 66: 0, 80: -2 * HOUR, 82: 0}
    counts, lag, total = collections.Counter(), 0, (HOURS * HOUR + 6 * DAY) // (4 * HOUR)
    for step in range(total):
        clocks.go(4 * HOUR)
        if step in jumps:
            clocks.jump(jumps[step])
            counts["jumps"] += jumps[step] != 0
        if step == 14:
            number = int(hold(store, "add", "--tenant", "272272", "--class", "firewall", "--since", stamp(start + 3 * DAY),
                              "--until", stamp(start + 4 * DAY), "--reason", "照会 2026-17", "--by", "総務課").split()[1])
        if step == 95:
            clocks.go(10 * HOUR, asleep=True)      # nobody knows how long it slept
            lag = 10 * HOUR
        if step in (56, 100):      # a person says what time it is
            need(store.retain("--now", stamp(clocks.true))["trusted"] >= stamp(clocks.true), "no second witness")
            lag = 0
        before = set(store.export()) if step in jumps else None
        done = store.retain()
        counts["rows"] += done["rows"]
        counts["certificates"] += done["certificates"]
        if before is not None and clocks.off > 0:
            gone = before - set(store.export())
            need(all(clocks.true >= store.due(rows[key]) for key in gone), "a jump forward deleted rows")
        if step % 20 == 0 or step == total - 1 or step in jumps:
            # A clock that stood below for hours is believed, and then has to be confirmed when it is right again.
            backwards = clocks.off < 0 or lag or 50 <= step < 56 or 80 <= step < 84
            left = store.check(f"step {step}", held, all_gone=not backwards)
        if step % 40 == 0:
            verify(store)
            search(store, hits, left)
    need(counts["certificates"] > 50 and counts["rows"] > len(rows) // 2, counts)
    need(any(held(row) and key in left for key, row in rows.items()), "the hold held nothing")
    need(store.retain("--dry-run")["held"] > 0, "what is held is not said")
    check_store(store)
    verify(store)
    hold(store, "release", "--hold", number, "--reason", "照会の終了", "--by", "総務課")
    hold(store, "release", "--hold", number, "--reason", "once more", "--by", "nobody", check=1)
    number = None
    store.retain()
    left = store.check("after the release", held)
    check_store(store)
    steps(f"{total} runs over {(total * 4) // 24} days, {counts['jumps']} jumps of the clock, a hold: {counts['rows']} of "
          f"{len(rows)} rows went under {counts['certificates']} certificates, none before its time; {len(left)} are left")
    return store


def check_certificates(steps, store):
    """What they say is what went."""
    left = store.export()
    certificates = store.certificates()
    per_class, offsets = collections.Counter(), collections.defaultdict(list)
    for key in sorted(store.rows):
        offsets[key[:2]].append(key[2])
    for (code, _), one in certificates.items():
        for s in one.segments:
            for name, (keep, rows, raw) in s.classes.items():
                need(keep == OWN.get(code, KEEP)[name], f"{code}: kept {keep} s")
                need(second_of(one.time) >= max((s.hour + 1) * HOUR, store.start) + keep, f"{code}: before its time")
                per_class[code, name] += rows
                need(raw > 0, "no bytes")
            for topic, partition, first, last, rows in s.ranges:
                there = offsets[topic.decode(), partition]
                there = bisect.bisect_right(there, last) - bisect.bisect_left(there, first)
                need(there >= rows, f"{topic}/{partition}: {rows} rows said, {there} were there")
    naive = collections.Counter((row["sekisho.tenant"], CLASS[row["sekisho.format"]])
                                for key, row in store.rows.items() if key not in left)
    need(per_class == naive, f"{per_class} said, {naive} gone")
    steps(f"{len(certificates)} certificates say what is gone, by municipality and class")


def failpoints():
    names = set()
    for path in (ROOT / "app" / "retain.c", ROOT / "store" / "deletion.c", ROOT / "store" / "catalog.c",
                 ROOT / "store" / "segment.c", ROOT / "store" / "segment_sweep.c"):
        names.update(FAILPOINTS.findall(path.read_text()))
    need(len(names) >= 9, names)
    return sorted(names)


def check_proofs(steps, folder, r, ready):
    """Rows beside which others are gone can still be proved, one by one and in a bundle, by programs that share no code."""
    store = Store(folder, ready.data, ready.start, ready.rows, ready.clocks, "proved")
    store.retain()
    left = store.export()
    run("checkpoint", "--data", store.data, "--sign", env=store.clocks.env)
    key = store.data / "checkpoint.pub"
    proved = 0
    for code in ("272272", "990001"):        # proxy stays, firewall goes
        rows = [store.rows[k] for k in left if store.rows[k]["sekisho.tenant"] == code and not store.rows[k]["last"]]
        chosen = r.sample(rows, min(len(rows), 25))
        for row in chosen:
            place = ("--topic", row["kafka.topic"], "--partition", row["kafka.partition"], "--offset", row["kafka.offset"],
                     "--line", row["sekisho.sub"])
            path = folder / "one.proof"
            path.write_bytes(run("proof", "--data", store.data, "--tenant", code, *place).stdout)
            run("verify", "--proof", path, "--key", key)
            done = subprocess.run([sys.executable, str(PROVER), "proof", str(path), "--key", str(key)], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            need(done.returncode == 0, done.stdout.decode())
            proved += 1
        run("export", "--data", store.data, "--tenant", code, "--bundle", folder / f"bundle{code}",
            "--query", " or ".join(f"(kafka.topic:{row['kafka.topic']} and kafka.partition:{row['kafka.partition']} and "
                                   f"kafka.offset:{row['kafka.offset']})" for row in chosen))
        done = subprocess.run([sys.executable, "-I", "-S", str(BUNDLE), str(folder / f"bundle{code}")], stdout=subprocess.PIPE,
                              check=False)
        need(done.returncode == 0 and b"VERIFIED" in done.stdout, done.stdout.decode())
    need(proved > 20, f"{proved} rows")
    # What a certificate says is signed: a proof is not made from another.
    changed = 0
    for path in (store.data / "deletions" / code).glob("*.note"):
        text = path.read_bytes()
        path.write_bytes(text.replace(b"node ", b"node 1", 1))
        changed += b"node " in text
    need(changed > 0, "no certificate has nodes")
    done = run("proof", "--data", store.data, "--tenant", code, *place, check=5)
    need(f"deletions/{code}" in done.stderr.decode(), done.stderr.decode())
    steps(f"{proved} rows and two bundles of rows beside which others went are proved")


def check_keys(steps, folder, ready):
    """What was encrypted stays without its key, and is named; what stays of a segment is encrypted again."""
    store = Store(folder, ready.data, ready.start, ready.rows, ready.clocks, "locked")
    before = {p.name: p.read_bytes() for p in (store.data / "seg" / "272272").glob("*.seg")}
    no_keys = {"SEKISHO_KEYRING": ""}
    done = run("retain", "--data", store.data, "--config", store.config, "--json", check=5, env={**store.clocks.env, **no_keys})
    said = {t["tenant"]: t for t in json.loads(done.stdout)["tenants"]}
    need(said["272272"]["locked"] > 0 and "272272" in done.stderr.decode(), said["272272"])
    need(said["052027"]["locked"] == 0 and said["052027"]["certificate"] > 0, said["052027"])
    need(before == {p.name: p.read_bytes() for p in (store.data / "seg" / "272272").glob("*.seg")}, "a locked segment went")
    store.check("without keys", all_gone=False)
    need(b"INCOMPLETE" in run("verify", "--data", store.data, check=5, env=no_keys).stdout, "verify without keys")
    store.retain()
    store.check("with the keys again")
    written = [p for p in (store.data / "seg" / "272272").glob("*.seg") if p.name not in before]
    need(written, "no segment was written again")
    for path in written:
        need(b"seclog.raw." not in path.read_bytes(), f"{path} is in clear")
    verify(store)
    check_store(store)
    steps(f"without their keys encrypted segments stay; {len(written)} that were written again are encrypted")


def check_kills(steps, folder, r, made, library):
    base, start, rows = made
    clocks = Clocks(folder, library, start)
    ready = Store(folder, base, start, rows, clocks, "ready")
    ready.retain()
    clocks.go(3 * DAY)
    total = completed = withdrawn = 0
    for place, name in enumerate(failpoints()):
        kills = 0
        for nth in range(1, 400):
            if nth > 1 and not LONG and r.random() < 0.95:
                continue
            store = Store(folder, ready.data, start, rows, clocks, "killed")
            done = run("retain", "--data", store.data, "--config", store.config, check=None,
                       env={**clocks.env, "SEKISHO_FAULTS": f"crash@{name}:{nth}"})
            if done.returncode == 0:
                shutil.rmtree(store.data)
                break
            need(done.returncode == -signal.SIGKILL, f"{name}: exit {done.returncode}: {done.stderr.decode()}")
            store.check(f"killed at {name}, pass {nth}", all_gone=False)
            verify(store)
            holds = kills == 0 and place % 2 == 1
            if holds:
                # A hold that comes before the next run is obeyed, also where a certificate is there already.
                hold(store, "add", "--tenant", "052027", "--reason", "request", "--by", "Sato")
            before = {key for key in store.export() if rows[key]["sekisho.tenant"] == "052027"}
            clocks.go(1)        # the clock of the tests runs through its second again and again
            done = store.retain()
            completed += any(t["completed"] for t in done["tenants"])
            withdrawn += any(t["withdrawn"] for t in done["tenants"])
            left = store.check(f"after {name}, pass {nth}",
                               held=lambda row, around=0: holds and key_of(row) in before)
            verify(store)
            if nth == 1:
                check_store(store)
            need(store.retain()["rows"] == 0 and store.export() == left, f"{name}: a third run deletes more")
            files = [p for p in (store.data / "seg").rglob("*") if p.name.endswith(".tmp")]
            need(not files, files)
            shutil.rmtree(store.data)
            kills += 1
        need(kills != 0, f"no run comes by {name}")
        total += kills
    need(completed > 0 and withdrawn > 0, f"{completed} completed, {withdrawn} withdrawn")
    steps(f"killed {total} times at {len(failpoints())} failpoints; next runs completed {completed} certificates, withdrew {withdrawn}")
    return ready


def check_tampering(steps, folder, r, ready):
    def fresh():
        shutil.rmtree(folder / "tampered", ignore_errors=True)
        store = Store(folder, ready.data, ready.start, ready.rows, ready.clocks, "tampered")
        store.retain()
        need(store.certificates(), "nothing was deleted")
        return store
    store = fresh()
    victim = r.choice(sorted((store.data / "seg" / "052027").glob("*.seg")))
    victim.unlink()
    need(victim.name in verify(store, 5).stderr.decode(), "a segment without a certificate is not named")
    need(store.retain(check=None) is not None, "retention stops for it")
    for number in range(12):
        store = fresh()
        path = store.data / "deletions" / "052027" / "00000001.note"
        data = bytearray(path.read_bytes())
        data[r.randrange(len(data))] ^= 1 << r.randrange(7)
        path.write_bytes(data)
        need("deletions/052027" in verify(store, 5).stderr.decode(), f"flip {number} is not found")
    store = fresh()
    shutil.rmtree(store.data / "deletions" / "272272")
    need("deletions/272272" in verify(store, 5).stderr.decode(), "missing certificates are not named")
    done = run("retain", "--data", store.data, "--config", store.config, check=5, env=store.clocks.env)
    need("272272" in done.stderr.decode(), done.stderr.decode())
    store = fresh()
    for line in ("holds",):
        hold(store, "add", "--tenant", "052027", "--reason", "r", "--by", "w")
        path = store.data / line
        path.write_text(path.read_text().replace("tenant 052027", "tenant 131016"))
        store.clocks.go(DAY)
        before = store.export()
        run("retain", "--data", store.data, "--config", store.config, check=5, env=store.clocks.env)
        need(store.export() == before, "holds that were changed do not stop retention")
        run("hold", "list", "--data", store.data, check=5)
    steps("a segment without a certificate, changed certificates and changed holds are found; nothing more is deleted then")


def check_hold_kills(steps, folder, ready):
    """Who adds a hold dies before or after it is durable: it is not there, or whole."""
    for point, there in (("before_write", 0), ("durable", 1)):
        shutil.rmtree(folder / "holding", ignore_errors=True)
        store = Store(folder, ready.data, ready.start, ready.rows, ready.clocks, "holding")
        run("hold", "add", "--tenant", "052027", "--reason", "r", "--by", "w", "--data", store.data, check=-9,
            env={**store.clocks.env, "SEKISHO_FAULTS": f"crash@hold.{point}:1"})
        listed = hold(store, "list", "--json").splitlines()
        need(len(listed) == there, f"killed at hold.{point}: {listed}")
        hold(store, "add", "--tenant", "131016", "--reason", "r", "--by", "w")
        need(len(hold(store, "list", "--json").splitlines()) == there + 1, "a hold after a kill")
    steps("a hold whose adding was killed is not there, or whole")


def check_readers(steps, folder, ready):
    """Readers and who verifies go on, once begun; the files are removed afterwards."""
    for command, call in ((("export",), "open=.log"), (("search", "", "--json"), "open=.seg"), (("verify",), "open=.seg"),
                          (("ledger",), "open=totals")):
        shutil.rmtree(folder / "read", ignore_errors=True)
        store = Store(folder, ready.data, ready.start, ready.rows, ready.clocks, "read")
        whole = run(*command, "--data", store.data).stdout
        out = folder / "read.out"
        with open(out, "wb") as stream:
            reader = subprocess.Popen([str(BIN), *command, "--data", str(store.data)], stdout=stream, stderr=subprocess.DEVNULL,
                                      env={**os.environ, "SEKISHO_FAULTS": f"stop@{call}"})
            wait_until(lambda r=reader: "T (stopped)" in pathlib.Path(f"/proc/{r.pid}/status").read_text(), what="the stop")
            done = store.retain()
            need(done["rows"] > 0 and sum(t["left"] for t in done["tenants"]) > 0, f"files went under {command}, {call}")
            reader.send_signal(signal.SIGCONT)
            need(reader.wait(60) == 0, f"{command}, stopped at {call}: {out.read_text(errors='replace')[-500:]}")
        seen = out.read_bytes()
        need(command[0] != "export" or seen == whole, "the export is another")
        # Catalogs that were not read by then are those of afterwards.
        need(command[0] != "search" or set(seen.splitlines()) <= set(whole.splitlines()), "the search shows other rows")
        need(sum(t["left"] for t in store.retain()["tenants"]) == 0, "files are left")
        verify(store)
    steps("readers, a verification and a ledger go on while rows are deleted")


def check_full_disk(steps, folder, ready):
    """No certificate, no deletion."""
    for spec, says in (("full@write=deletions/:*:100", None), ("full@write=seg/:*:100", None),
                       ("EIO@sync=deletions/:*", None), ("ENOSPC@open=deletions/:*", None)):
        store = Store(folder, ready.data, ready.start, ready.rows, ready.clocks, "full")
        done = run("retain", "--data", store.data, "--config", store.config, check=None,
                   env={**store.clocks.env, "SEKISHO_FAULTS": spec})
        need(done.returncode == 6, f"{spec}: exit {done.returncode}: {done.stderr.decode()}")
        store.check(spec, all_gone=False)
        verify(store)
        store.retain()
        store.check(f"after {spec}")
        verify(store)
        shutil.rmtree(store.data)
    steps("on a full disk, or one that fails, nothing goes; afterwards the next run does it")


def main():
    r = seeded_random()
    with temp_dir() as folder:
        steps = Steps()
        library = build_shift(folder)
        os.environ["SEKISHO_KEYRING"] = str(folder / "keyring")
        run("keyring", "init")
        for code in SEALED:
            run("keyring", "add", "--tenant", code)
        seed = r.getrandbits(32)
        small = make(folder, seed, 30, "small")
        steps(f"{len(small[2])} rows of 30 hours")
        ready = check_kills(steps, folder, r, small, library)
        check_proofs(steps, folder, r, ready)
        check_keys(steps, folder, ready)
        check_tampering(steps, folder, r, ready)
        check_hold_kills(steps, folder, ready)
        check_readers(steps, folder, ready)
        check_full_disk(steps, folder, ready)
        store = check_simulation(steps, folder, r, make(folder, seed + 1, HOURS), library)
        check_certificates(steps, store)


if __name__ == "__main__":
    main()
