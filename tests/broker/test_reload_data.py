#!/usr/bin/env python3
"""Databases of addresses, the public suffix list, zones and asset classes change under traffic: each line has what was in force
when it came, whole; a hostile database is refused and named; and many reloads take no more memory than a few.

Each change of one of them is a reload while lines come in, some with a kill right after it. In between somebody cuts and
overwrites the files that are in use, without a reload. SEKISHO_RELOADS: how many for the memory (40).
"""
import hashlib
import os
import pathlib
import re
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
import mmdb  # noqa: E402
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, Journal, check_store, verify  # noqa: E402
from sekisho import Steps, ndjson, run, seeded_random, temp_dir, wait_until  # noqa: E402

TENANT, TOPIC = "990019", "seclog.raw.990019.fw1"
CHUNK = 40
RELOADS = int(os.environ.get("SEKISHO_RELOADS", "40"))
GROWTH_MB_MAX = 24
SUFFIXES = "// ===BEGIN ICANN DOMAINS===\ncom\njp\n"
RULE = "title: to {0}\nid: to-{0}\nlevel: low\nlogsource: {{product: sekisho}}\n" \
       "detection: {{s: {{destination.geo.country_iso_code: {0}}}, condition: s}}\nsekisho: {{group-by: [source.ip], window: 1h}}\n"

# What changes at each stage; a stage has everything else of the one before.
FIRST = {"country": "JP", "asn": 64500, "suffixes": "co.jp", "zone": "office", "asset": "pc"}
CHANGES = [{"country": "DE"}, {"asn": 64501}, {"suffixes": ""}, {"zone": "lgwan"}, {"asset": "server"},
           {"country": None}, {"country": "FR", "asn": 64502}, {"suffixes": "example.co.jp"}, {"asn": None, "zone": "office"},
           {"country": "JP", "asn": 64503}]
STAGES = [FIRST]
for change in CHANGES:
    STAGES.append({**STAGES[-1], **change})


def expected(stage, n):
    """(country, system, registrable domain, zone, asset class) of line n."""
    domain = {"co.jp": "example.co.jp", "": "co.jp", "example.co.jp": f"h{n}.example.co.jp"}[stage["suffixes"]]
    return stage["country"], stage["asn"], domain, stage["zone"], stage["asset"]


def write_stage(folder, collector, stage):
    """Files beside the old ones, renamed, and the configuration."""
    names = {"country.mmdb": mmdb.database({"198.18.0.0/15": mmdb.country(stage["country"] or "JP")}),
             "asn.mmdb": mmdb.database({"198.18.0.0/15": mmdb.system(stage["asn"] or 1)}),
             "suffixes.txt": (SUFFIXES + stage["suffixes"] + "\n").encode()}
    for name, content in names.items():
        (folder / "new").write_bytes(content)
        (folder / "new").rename(folder / name)
    parts = [f"{k}: {folder / (k + '.mmdb')}" for k in ("country", "asn") if stage[k] is not None]
    collector.configure(
        "sources: {fw1: {format: fortigate}}\n"
        f"mmdb: {{{', '.join(parts)}}}\npublic_suffix_list: {folder / 'suffixes.txt'}\nrules: {folder / 'rules'}\n"
        f"outputs: {{file: {{path: {folder / 'alerts.ndjson'}}}}}\n"
        "limits: {batch_age: 100ms, frame_age: 10ms, workers: 2}\n"
        f'tenants: {{"{TENANT}": {{networks: [{{cidr: 10.1.0.0/16, zone: {stage["zone"]}, asset: {stage["asset"]}}}]}}}}\n')
    return names


def reload(collector):
    mark = len(collector.text())
    collector.daemon.send(signal.SIGHUP)
    collector.wait_text(rf"(?s).{{{mark}}}.*reloaded")
    text = collector.text()[mark:]
    assert "not reloaded" not in text, text


class Traffic:
    """Lines of one source, numbered, until it is told to stop; its time goes on a second each line.

    places  so many destinations in turn; a cache of places that were met shall not hide who is asked
    """

    def __init__(self, kafka, journal, places=1 << 16):
        self.kafka, self.journal, self.count, self.ends, self.places = kafka, journal, 0, False, places
        self.start = int(time.time()) - 100_000
        self.failed = None
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def line(self, n):
        when = time.strftime("date=%Y-%m-%d time=%H:%M:%S", time.gmtime(self.start + n + 9 * 3600))
        at = n % self.places
        return (f'{when} tz="+0900" srcip=10.1.0.{n % 20} dstip=198.18.{at >> 8}.{at & 255} dstport=443 action=accept '
                f"hostname=h{at}.example.co.jp n={n}\n")

    def send(self):
        try:
            while not self.ends:
                lines = "".join(self.line(n) for n in range(self.count, self.count + CHUNK))
                self.journal.send(self.kafka, TOPIC, lines.encode())
                self.count += CHUNK
        except BaseException as error:  # pylint: disable=broad-except
            self.failed = error

    def more(self, lines):
        """Until so many more are with the broker."""
        wanted = self.count + lines
        wait_until(lambda: self.count >= wanted or self.failed, 60, "more lines")
        assert self.failed is None, self.failed

    def stop(self):
        self.ends = True
        self.thread.join(60)
        assert self.failed is None and not self.thread.is_alive()


def faulty(folder):
    """{file: [(bytes or None, what is said of it)]}"""
    good = mmdb.database({"198.18.0.0/15": mmdb.country("US")})
    outside = bytearray(good)
    outside[4:8] = b"\x7f\xff\xff\xff"
    return {
        "country.mmdb": [(good[:-100], r"country\.mmdb: no MaxMind database that can be used: .*; fetch it again"),
                         (good[: len(good) // 2], r"country\.mmdb: no MaxMind"),
                         (b"", r"country\.mmdb: no MaxMind"),
                         (b"<html>not found</html>\n" * 50, r"country\.mmdb: no MaxMind"),
                         (bytes(outside), r"country\.mmdb: .* node 0 of its tree: it leads outside"),
                         (None, r"collector\.yaml:\d+:\d+: cannot read .*country\.mmdb; give the path")],
        "asn.mmdb": [(mmdb.bomb(), r"asn\.mmdb: .*too large or too deep"),
                     (mmdb.database({}, mmdb.value({"a": ("pointer", 0)}), 0), r"asn\.mmdb: .*too large or too deep")],
        "suffixes.txt": [(b"<html>not found</html>\n", r"suffixes\.txt: no readable public suffix list: it names neither"),
                         (b"", r"suffixes\.txt: no readable public suffix list"),
                         (None, r"collector\.yaml:\d+:\d+: cannot read .*suffixes\.txt; give the path")],
    }


def metric(collector, name):
    """A counter of the running collector; -1 between two sessions, when nobody answers."""
    done = run("status", "--data", collector.data, "--json", check=None)
    assert done.returncode in (0, 4), done
    assert collector.running(), f"ended with {collector.daemon.process.returncode}:\n{collector.text()[-3000:]}"
    if done.returncode == 4:
        return -1
    rows = ndjson(done.stdout)
    return sum(r["value"] for r in rows if r["name"] == name[0] and name[1:] in ((), (r["source"],)))


def look_at_faults(folder, collector, traffic, step):
    refused = 0
    for name, cases in faulty(folder).items():
        was = (folder / name).read_bytes()
        for content, said in cases:
            (folder / name).unlink(missing_ok=True)
            if content is not None:
                (folder / name).write_bytes(content)
            mark = len(collector.text())
            collector.daemon.send(signal.SIGHUP)
            collector.wait_text(rf"(?s).{{{mark}}}.*not reloaded")
            assert re.search(said, collector.text()[mark:]), f"{said!r}: {collector.text()[mark:]}"
            checked = run("check", collector.conf, check=3).stderr.decode()
            assert re.search(said, checked), f"{said!r}: {checked}"
            refused += 1
            wait_until(lambda: metric(collector, ("sekisho_reloads", "refused")) == refused, 10,  # pylint: disable=cell-var-from-loop
                       f"{refused} refused")
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(was)
    traffic.more(CHUNK * 2)
    step(f"{refused} faulty files: each named, counted, none in force")


def overwrite(folder, traffic):
    """What is in use: cut, then filled with something else. Nobody reloads."""
    for name in ("country.mmdb", "asn.mmdb", "suffixes.txt"):
        os.truncate(folder / name, 0)
    traffic.more(CHUNK * 2)
    for name in ("country.mmdb", "asn.mmdb", "suffixes.txt"):
        with open(folder / name, "r+b") as out:
            out.write(os.urandom(9000))
    traffic.more(CHUNK * 2)


def check(folder, collector, traffic, journal, blobs, step):
    check_store(collector.data, journal)
    verify(collector.data)
    rows = ndjson(run("export", "--data", collector.data).stdout)
    assert [int(r["fortigate.n"]) for r in rows] == list(range(traffic.count)), "each line once, in order"
    stage, seen = 0, {0}
    for n, r in enumerate(rows):
        got = (r.get("destination.geo.country_iso_code"), r.get("destination.as.number"), r.get("url.registered_domain"),
               r.get("sekisho.zone.source"), r.get("sekisho.asset.source"))
        while stage < len(STAGES) and expected(STAGES[stage], n) != got:
            stage += 1
        assert stage < len(STAGES), f"line {n} has {got}, which no stage that is left gives it"
        seen.add(stage)
    assert seen == set(range(len(STAGES))), f"lines of each stage: {seen}"
    kept = {p.name for p in (collector.data / "env").iterdir()}
    missing = [name for name, content in blobs if hashlib.sha256(content).hexdigest() not in kept]
    assert not missing, f"not in the log's folder: {missing}"
    step(f"{len(rows)} lines, each with what was in force, of {len(seen)} stages")
    released = {(a["alert.id"], a["alert.revision"]) for a in ndjson(folder / "alerts.ndjson")}
    done = run("replay", "--log", collector.data)
    again = {(a["alert.id"], a["alert.revision"]) for a in ndjson(done.stdout)}
    assert released and released == again, f"{len(released)} alerts, {len(again)} from the log alone"
    rules = {a["rule.id"] for a in ndjson(done.stdout)}
    assert {"to-JP", "to-DE", "to-FR"} <= rules, rules
    assert b"0 different" in done.stderr, done.stderr
    step(f"{len(released)} revisions of alerts, the same from the log alone")


def look_at_memory(folder, collector, traffic, step):
    """After some reloads the process has what it needs; as many again and more take nothing further."""
    def resident():
        with open(f"/proc/{collector.daemon.pid}/status", encoding="ascii") as status:
            found = dict(line.split(":", 1) for line in status)
        return int(found["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{collector.daemon.pid}/fd")), \
            len(os.listdir(f"/proc/{collector.daemon.pid}/task"))
    seen, took = [], time.monotonic()
    for n in range(RELOADS):
        write_stage(folder, collector, STAGES[n % 2])
        collector.daemon.send(signal.SIGHUP)    # its messages are too many for the log: the counter tells
        wait_until(lambda: metric(collector, ("sekisho_reloads", "taken")) == n + 1, 30,  # pylint: disable=cell-var-from-loop
                   f"reload {n + 1}")
        if n % 10 == 9:
            traffic.more(CHUNK)
            seen.append(resident())
    took = (time.monotonic() - took) / RELOADS
    text = " ".join(f"{mb:.0f}" for mb, _, _ in seen)
    early, late = max(mb for mb, _, _ in seen[:2]), max(mb for mb, _, _ in seen[-2:])
    assert late - early < GROWTH_MB_MAX, f"MB after each 10 reloads: {text}"
    assert abs(seen[-1][1] - seen[0][1]) <= 4 and abs(seen[-1][2] - seen[0][2]) <= 2, f"descriptors and threads: {seen}"
    step(f"{RELOADS} reloads of {took:.2f} s under traffic, MB after each ten: {text}; descriptors {seen[0][1]} to {seen[-1][1]}")


def main():
    step, r = Steps(), seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        kafka.create_topic(TOPIC)
        (folder / "rules").mkdir()
        for country in ("JP", "DE", "FR"):
            (folder / "rules" / f"{country}.yml").write_text(RULE.format(country))
        journal, blobs = Journal(folder / "journal"), []
        collector = Collector(folder, kafka)
        blobs += write_stage(folder, collector, STAGES[0]).items()
        with collector:
            traffic = Traffic(kafka, journal)
            traffic.more(CHUNK * 2)
            for number, stage in enumerate(STAGES[1:], 1):
                wait_until(lambda: metric(collector, ("sekisho_events",)) > 0, 30, "lines of the stage")
                blobs += [b for b in write_stage(folder, collector, stage).items() if stage.get(b[0].split(".")[0], True)]
                reload(collector)
                if r.random() < 0.4:
                    traffic.more(r.randrange(CHUNK * 2))
                    collector.kill()
                    collector.start()
                traffic.more(CHUNK * 2)
                # So that each stage has lines, however slow the machine is.
                wait_until(lambda: metric(collector, ("sekisho_events",)) > 0, 30, "lines of the stage")
                if number == 4:
                    overwrite(folder, traffic)
            step(f"{len(CHANGES)} changes under traffic")
            look_at_faults(folder, collector, traffic, step)
            traffic.stop()
            collector.wait_collected(journal.ends())
            collector.stop()
            check(folder, collector, traffic, journal, blobs, step)
            collector.start()
            traffic = Traffic(kafka, journal, 50)   # detectors remember places: these shall not be what grows
            look_at_memory(folder, collector, traffic, step)
            traffic.stop()
            collector.wait_collected(journal.ends())
            collector.stop()
            check_store(collector.data, journal)


if __name__ == "__main__":
    main()
