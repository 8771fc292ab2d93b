#!/usr/bin/env python3
"""Compaction loses and doubles nothing: killed anywhere, on a disk that fails at any call, after a power cut, beside
another compaction or a collector; what is damaged afterwards is named, and the rest is answered.

tests/app/make_history.c makes the store: rows of which a part is in segments, late ones for their hours among the rest,
and segments that were replaced. Its export, before a compaction, is what must come after it.
"""
import collections
import concurrent.futures
import contextlib
import errno
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from disk import Disk, Recorder  # noqa: E402
from kafka_harness import free_ports  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import BIN, LONG, Daemon, Steps, need_binary, run, seeded_random, temp_dir, wait_until  # noqa: E402

MAKE = BIN.parent / "tests" / "make_history"
CALLS = ("open", "read", "write", "sync", "truncate", "rename", "unlink", "mkdir", "dirsync", "list", "map", "stat")
ERRORS = ("EIO", "ENOSPC", "EMFILE")
FAULTS = 2000 if LONG else 40
KILLS = 1000 if LONG else 25
CUTS = 37_500 if LONG else 60    # and a third of that from another store
FLIPS = 300 if LONG else 60
QUERY = "source.ip:198.51.100.0/26 or \"word7\""
TENANTS = ("052027", "131016", "272272", "990001")


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def failpoints():
    """Those of a compaction, as the source has them."""
    names = set()
    for path in [*(ROOT / "app").glob("compact*.c"), *(ROOT / "store").glob("*.c")]:
        names.update(re.findall(r'failpoint\("((?:compact|segment|catalog|totals)\.[a-z_]+)"\)', path.read_text()))
    need(len(names) >= 8, names)
    return sorted(names)


def answers(store, *more):
    """(hash of everything, hash of the raw bytes, hits of a query, the ledger) and that all of it is complete."""
    whole = run("export", "--data", store, *more).stdout
    raw = run("export", "--data", store, "--raw", *more).stdout
    hits = run("search", QUERY, "--data", store, "--json", *more).stdout
    sums = run("ledger", "--data", store, "--csv", *more).stdout
    return tuple(hashlib.sha256(part).hexdigest() for part in (whole, raw, hits, sums))


class Case:
    """A store to try things on, and what must be in it."""

    def __init__(self, folder, seed, steps=2):
        self.folder, self.base, self.store = folder, folder / f"base{steps}", folder / f"store{steps}"
        made = subprocess.run([str(MAKE), str(self.base), str(seed), str(steps)], stdout=subprocess.PIPE, check=True,
                              timeout=120)
        self.rows = int(made.stdout)
        self.wanted = answers(self.base)
        self.done = folder / f"done{steps}"
        shutil.copytree(self.base, self.done)
        run("compact", "--data", self.done)
        need(answers(self.done) == self.wanted, "compaction changes the answers")

    def fresh(self, of=None):
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(of or self.base, self.store)
        return self.store

    def check(self, what, store=None):
        """As before; and a run to the end, and one more, leave what a run leaves that nothing befell."""
        store = store or self.store
        need(answers(store) == self.wanted, f"{what}: other answers")
        for _ in range(2):
            run("compact", "--data", store)
        need(answers(store) == self.wanted, f"{what}: other answers after the next run")
        run("verify", "--data", store)
        left = sorted(p.name for p in (store / "seg").rglob("*") if not p.is_dir())
        need(not [name for name in left if name.endswith(".tmp")], f"{what}: {left}")
        for folder in (p for p in (store / "seg").iterdir() if p.is_dir()):
            files = collections.Counter(p.name.split(".")[0] for p in folder.iterdir())
            need(max(files.values()) == 1, f"{what}: files that no catalog names: {files}")


def compact(store, faults=None, env=None):
    return run("compact", "--data", store, check=None, timeout=60,
               env={**(env or {}), **({"SEKISHO_FAULTS": faults} if faults else {})})


def passes(store, names):
    """{(call, part of the path): how often a compaction comes by}"""
    counts = {}
    for call in names:
        for part in ("seg/", "log/"):
            low, high = 0, 1
            while high < 4096 and compact_passes(store, call, part, high):
                low, high = high, high * 2
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if compact_passes(store, call, part, middle) else (low, middle)
            counts[call, part] = low
    return counts


def compact_passes(case, call, part, nth):
    return compact(case.fresh(), f"crash@{call}={part}:{nth}").returncode == -signal.SIGKILL


def check_kills(steps, case, r, counts):
    for name in failpoints():
        kills = 0
        for nth in range(1, 200):
            if nth > 3 and not LONG and r.random() < 0.8:
                continue
            done = compact(case.fresh(), f"crash@{name}:{nth}")
            if done.returncode == 0:
                break
            need(done.returncode == -signal.SIGKILL, f"{name}: exit {done.returncode}")
            case.check(f"killed at {name}, pass {nth}")
            kills += 1
        need(kills != 0, f"no compaction comes by {name}")
    steps(f"killed at {len(failpoints())} failpoints")
    spots = [(call, part, nth) for (call, part), count in counts.items() for nth in range(1, count + 1)]
    chosen = r.sample(spots, min(KILLS, len(spots)))
    for call, part, nth in chosen:
        # A write may have stopped midway.
        torn = f"short@write={part}:{nth - 1}:{r.randint(1, 200)};" if call == "write" and nth > 1 else ""
        done = compact(case.fresh(), f"{torn}crash@{call}={part}:{nth}")
        if done.returncode == 0 and torn:
            continue
        need(done.returncode == -signal.SIGKILL, f"{call} {part} {nth}: exit {done.returncode}")
        case.check(f"killed at {call} of {part}, pass {nth}")
    steps(f"killed at {len(chosen)} of {len(spots)} calls")


def check_faults(steps, case, r, counts):
    spots = [(error, call, part, nth) for (call, part), count in counts.items() for nth in range(1, count + 1)
             for error in (*ERRORS, "short") if error != "short" or call in ("read", "write")]
    chosen = r.sample(spots, min(FAULTS, len(spots)))
    # Each call at least once, at its first and its last pass.
    chosen += [("EIO", call, part, nth) for (call, part), count in counts.items() for nth in {1, count} if count]
    refused = 0
    for error, call, part, nth in chosen:
        what = f"{error}@{call}={part}:{nth}"
        done = compact(case.fresh(), what)
        said = done.stderr.decode()
        if error == "short":
            need(done.returncode == 0, f"{what}: exit {done.returncode}: {said}")
        elif done.returncode != 0:
            refused += 1
            need(done.returncode == 6, f"{what}: exit {done.returncode}: {said}")
            need(str(case.store) in said, f"{what}: said {said!r}")
            need(part == "log/" or os.strerror(getattr(errno, error)) in said, f"{what}: said {said!r}")
        case.check(what)
    need(refused > len(chosen) // 3, f"{refused} of {len(chosen)} were refused")
    full = [(f"full@write=seg/:*:{limit}") for limit in (0, 100, 5000, 50_000, 150_000)]
    for what in full:
        done = compact(case.fresh(), what)
        said = done.stderr.decode()
        need(done.returncode == 6 and str(case.store) in said and "No space left" in said, f"{what}: {said!r}")
        case.check(what)
    steps(f"{len(chosen)} of {len(spots)} failing calls, {refused} of which end it with 6; {len(full)} full disks")


def state_of(folder):
    """A hash of all names and contents."""
    state = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        state.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return state.digest()


def check_left(case, what, left):
    case.check(what, left)
    shutil.rmtree(left)


def check_cuts(steps, case, r, cuts):
    recorder, store = Recorder(case.folder), case.fresh()
    disk, moment, tried = Disk(store), 0, set()
    run("compact", "--data", store, env=recorder.env)
    ops = recorder.take()
    verbs = collections.Counter(op[0] for op in ops)
    need(verbs["write"] > 20 and verbs["rename"] > 5 and verbs["sync"] > 5, verbs)
    moments = sorted(r.randint(0, len(ops)) for _ in range(cuts)) + [len(ops)]
    workers, pending = os.cpu_count(), []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for number, next_moment in enumerate(moments):
            for op in ops[moment:next_moment]:
                disk.do(op)
            moment = next_moment
            left = case.folder / f"cut{number}"
            disk.leave(left, None if number % 4 == 0 or moment == len(ops) else r)
            if (state := state_of(left)) in tried and moment != len(ops):
                shutil.rmtree(left)
                continue
            tried.add(state)
            if moment == len(ops):
                # Files that no catalog names may come back: removing them is not synced where nothing was added.
                names = [{p.relative_to(d) for p in (d / "seg").rglob("*") if p.suffix in (".seg", "")}
                         for d in (store, left)]
                need(names[0] <= names[1], "what was done is not durable at the end")
            pending.append(pool.submit(check_left, case, f"power cut after call {moment} of {len(ops)}", left))
            while len(pending) > workers:
                pending.pop(0).result()
        for check in pending:
            check.result()
    steps(f"{len(moments)} power cuts within {len(ops)} calls, from {case.base.name}: {len(tried)} different states")


def incomplete(store, name, *query):
    done = run(*query, "--data", store, check=5)
    need(name in done.stderr.decode(), f"{name} is not named: {done.stderr.decode()}")


def others_whole(case, store, tenant):
    for other in TENANTS:
        if other != tenant:
            need(answers(store, "--tenant", other) == answers(case.done, "--tenant", other), f"{other} without {tenant}")


def flip(path, r, low=0, high=None):
    data = bytearray(path.read_bytes())
    at = r.randrange(low, len(data) if high is None else high)
    data[at] ^= 1 << r.randrange(8)
    path.write_bytes(data)
    return at


def check_damage(steps, case, r):
    segments = sorted(p.relative_to(case.done) for p in case.done.rglob("*.seg"))
    live = {}
    for path in segments:       # the newest of each hour
        live[path.parent, path.name.split(".")[0]] = path
    for number in range(FLIPS):
        path = r.choice(sorted(live.values()))
        store = case.fresh(case.done)
        flip(store / path, r)
        incomplete(store, path.name, "export")
        if number < 5:
            incomplete(store, path.name, "export", "--tenant", path.parent.name)
            incomplete(store, path.name, "verify")
            others_whole(case, store, path.parent.name)
    steps(f"{FLIPS} flipped bits in segments are found, and the others' answers are whole")
    path = r.choice(sorted(live.values()))
    store = case.fresh(case.done)
    (store / path).unlink()
    incomplete(store, path.name, "export")
    incomplete(store, path.name, "search", QUERY)
    others_whole(case, store, path.parent.name)
    shutil.rmtree(store / path.parent)
    incomplete(store, path.parent.name, "export")
    others_whole(case, store, path.parent.name)
    steps("a missing segment and a missing folder are named")
    check_lost_catalogs(case, r)
    steps("a catalog that is damaged, cut or gone is named, and a compaction then removes nothing")
    store = case.fresh(case.done)
    (store / "seg" / "compacted").write_bytes(b"")
    incomplete(store, "compacted", "export")
    shutil.copy(case.done / "seg" / "compacted", store / "seg" / "compacted")
    flip(store / "seg" / "compacted", r)
    incomplete(store, "compacted", "search", QUERY)
    (store / "seg" / "compacted").unlink()
    case.check("without `compacted`", store)
    steps("a damaged `compacted` is named; without it the answers are the same")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.seg")}


def check_lost_catalogs(case, r):
    """Also its end: what is lost there is not what a crash leaves."""
    size = len((case.done / "seg" / "052027" / "catalog").read_bytes())
    for number in range(12):
        store = case.fresh(case.done)
        path = store / "seg" / "052027" / "catalog"
        if number < 4:
            flip(path, r)
        elif number < 8:
            flip(path, r, size - 60)
        elif number < 11:
            os.truncate(path, r.randrange(size))
        else:
            path.unlink()
        before = files(store)
        incomplete(store, "052027", "export")
        incomplete(store, "052027", "search", QUERY, "--tenant", "052027")
        others_whole(case, store, "052027")
        done = compact(store)
        need(done.returncode == 5 and "052027" in done.stderr.decode(), f"{done.returncode}: {done.stderr.decode()}")
        # Others' may lose what their own catalogs have replaced.
        lost = {path for path in before.items() if path[0].parts[1] == "052027"} - set(files(store).items())
        need(not lost, f"a compaction removes segments that a lost catalog named: {[path for path, _ in lost]}")


def check_company(steps, case):
    store = case.fresh()
    with Daemon("compact", "--data", store, env={"SEKISHO_FAULTS": "stop@compact.synced"}) as first:
        wait_until(lambda: "T (stopped)" in pathlib.Path(f"/proc/{first.pid}/status").read_text(), what="the stop")
        done = compact(store)
        said = done.stderr.decode()
        need(done.returncode == 6 and "another" in said and str(store) in said, f"{done.returncode}: {said}")
        need(answers(store) == case.wanted, "other answers beside a compaction")
        first.send(signal.SIGCONT)
        need(first.wait() == 0, "the first compaction failed")
    case.check("after a second compaction was refused")
    with Collector(case.folder / "collector", None, brokers=f"127.0.0.1:{free_ports(1)[0]}") as collector:
        done = compact(collector.data)
        said = done.stderr.decode()
        need(done.returncode == 6 and str(collector.data) in said, f"{done.returncode}: {said}")
        collector.stop()
    steps("a compaction beside another, or beside a collector, is refused")


def newest(store):
    """{municipality and hour of a segment: the highest generation that lies there}"""
    found = collections.defaultdict(int)
    for path in (store / "seg").rglob("*.seg"):
        hour, generation, _ = path.name.split(".")
        found[path.parent.name, hour] = max(found[path.parent.name, hour], int(generation))
    return found


def check_readers(steps, case):
    """Who has read a catalog finds the segments that it names, though others take their place meanwhile."""
    store = case.fresh()
    readers = (("verify",), ("export",), ("search", QUERY, "--json"))
    wanted = [run(*reader, "--data", store).stdout.decode() if reader[0] != "verify" else "" for reader in readers]
    before = newest(store)
    with contextlib.ExitStack() as stack:
        stopped = [stack.enter_context(Daemon(*reader, "--data", store, env={"SEKISHO_FAULTS": "stop@open=.seg"}))
                   for reader in readers]
        for reader in stopped:
            wait_until(lambda r=reader: "T (stopped)" in pathlib.Path(f"/proc/{r.pid}/status").read_text(), what="the stop")
        for _ in range(2):
            run("compact", "--data", store)
        after = newest(store)
        need([name for name in before if after[name] > before[name]], "no segment was replaced")
        for reader, text in zip(stopped, wanted):
            reader.send(signal.SIGCONT)
            code = reader.wait()
            need(code == 0 and text in reader.text(), f"{reader.arguments} beside two compactions: {code}")
    case.check("after readers were there", store)
    steps("segments are replaced beside verify, export and search that have read which there are")


def check_separation(steps, case):
    recorder = Recorder(case.folder)
    for tenant in TENANTS:
        store = case.fresh(case.done)
        wanted = answers(store, "--tenant", tenant)
        for query in (("search", QUERY), ("export",), ("ledger",), ("search", "event.action:* | stats count() by event.action")):
            run(*query, "--data", store, "--tenant", tenant, env=recorder.env)
            opened = {op[3] for op in recorder.take() if op[0] == "open" and "/seg/" in op[3]}
            need(any(f"/seg/{tenant}/" in path for path in opened), f"{query}: {opened}")
            need(not [path for path in opened if re.search(r"/seg/\d{6}", path) and f"/seg/{tenant}" not in path],
                 f"{query} of {tenant} opens {opened}")
        with Daemon("search", QUERY, "--data", store, "--tenant", tenant,
                    env={"SEKISHO_FAULTS": "stop@open=.log"}) as reader:
            wait_until(lambda: "T (stopped)" in pathlib.Path(f"/proc/{reader.pid}/status").read_text(), what="the stop")
            maps = pathlib.Path(f"/proc/{reader.pid}/maps").read_text()
            held = maps + " ".join(os.readlink(p) for p in pathlib.Path(f"/proc/{reader.pid}/fd").iterdir())
            need(f"/seg/{tenant}/" in held, "the reader holds nothing of its own")
            need(not [t for t in TENANTS if t != tenant and f"/seg/{t}" in held], held)
            reader.send(signal.SIGCONT)
            need(reader.wait() == 0, "the reader failed")
        for other in TENANTS:
            if other != tenant:
                shutil.rmtree(store / "seg" / other)
        need(answers(store, "--tenant", tenant) == wanted, f"{tenant} without the others' folders")
    steps("a municipality's queries open no file of another, and need none")
    # What is ruled out by time counts as rows that were asked.
    store = case.fresh(case.done)
    said = run("search", "", "--data", store, "--count", "--since", "2099-01-01T00:00:00+09:00", "--stats", "json",
               check=1).stderr.decode()
    need(f'"rows":{case.rows},' in said and '"complete":true' in said and '"segments":0' not in said, said)
    steps("rows of segments that time rules out are counted")


def main():
    need_binary()
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        case, first = Case(folder, r.randrange(1, 1 << 31)), Case(folder, r.randrange(1, 1 << 31), 0)
        steps(f"{case.rows} and {first.rows} rows")
        wanted = sys.argv[1:] or ["separation", "company", "damage", "kills", "faults", "cuts"]
        if "separation" in wanted:
            check_separation(steps, case)
        if "company" in wanted:
            check_company(steps, case)
            check_readers(steps, case)
        if "damage" in wanted:
            check_damage(steps, case, r)
        if "kills" in wanted or "faults" in wanted:
            counts = passes(case, CALLS)
            steps("calls: " + ", ".join(f"{n} {call} {part}" for (call, part), n in counts.items() if n))
        if "kills" in wanted:
            check_kills(steps, case, r, counts)
        if "faults" in wanted:
            check_faults(steps, case, r, counts)
        if "cuts" in wanted:
            check_cuts(steps, case, r, CUTS)
            check_cuts(steps, first, r, CUTS // 3)


if __name__ == "__main__":
    main()
