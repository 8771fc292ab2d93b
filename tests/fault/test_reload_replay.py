#!/usr/bin/env python3
"""A reload in the middle of the history: what was judged before stays judged by the sets of then, open windows go on, and
`replay --log` gives the same alerts again from the log alone, also where the collector is killed around the reload.

Rules, correlations, a filter, a list of indicators and networks change with each reload. A snapshot of the states is there
before each, so that a restart after it has to judge rows under two sets. SEKISHO_BIN names the program, SEKISHO_SEED the seed.
"""
import collections
import pathlib
import shutil
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, Journal, check_store, verify  # noqa: E402
from sekisho import Steps, ndjson, run, seeded_random, temp_dir  # noqa: E402
from test_alert_kill import CAP, last_revisions, need_equal  # noqa: E402

TENANTS = ("990019", "990027")
LINES = 120             # of each municipality between two reloads
STEP_SECONDS = 24       # of event time between two lines of one
STAGES = 5
LIMITS = "limits: {{batch_age: 100ms, frame_age: 10ms, log_file_bytes: 64KiB, workers: {}}}"
KEPT, BEGUN = "10.1.7.7", "203.0.113.77"

BASE = "title: {0}\nid: {0}\nlevel: low\nlogsource: {{product: sekisho}}\ndetection: {{s: {{{1}}}, condition: s}}\n" \
       "sekisho: {{group-by: [source.ip], window: 30d}}\n"
CORRELATION = "title: {0}\nid: {0}\nlevel: high\ncorrelation: {{{1}, generate: true}}\n"
FILTER = "title: quiet hosts\nfilter: {rules: [denied], s: {source.ip: 10.1.0.3}, condition: not s}\n" \
         "logsource: {product: sekisho}\nsekisho: {layer: prefecture, owner: SOC, reason: scanner of our own, " \
         "expires: 2099-01-01T00:00:00+09:00}\n"


def rules_of(stage):
    """The rule set of a stage: {file: text}. Every stage differs from the one before; three kinds come back."""
    files = {
        "20-denied.yml": BASE.format("denied", "event.action: deny"),
        "21-ports.yml": BASE.format("ports", "'destination.port|expand': '%ports%'"),
        "lists/ports.txt": "3389\n" if stage % 2 == 0 else "3389\n22\n",
        "50-kept.yml": CORRELATION.format(
            "kept", "type: event_count, rules: [denied], group-by: [source.ip], timespan: 20h, condition: {gte: 12}"),
        "51-span.yml": CORRELATION.format(
            "span", "type: event_count, rules: [denied], group-by: [destination.ip], timespan: "
                    + ("10m" if stage % 2 else "40m") + ", condition: {gte: 6}"),
        "52-begun.yml": CORRELATION.format(
            "begun", "type: event_count, rules: [denied], group-by: ["
                     + ("destination.ip" if stage % 2 else "source.ip, destination.ip")
                     + "], timespan: 20h, condition: {gte: 500}"),
        "53-ports_seen.yml": CORRELATION.format(
            "ports_seen", "type: value_count, rules: [denied, ports], group-by: [source.ip], timespan: 30m, "
                          "condition: {field: destination.port, gte: 4}"),
        "54-quiet.yml": CORRELATION.format(
            "quiet", "type: temporal, rules: [ports, denied], group-by: [source.ip], timespan: 15m, "
                     "condition: ports and not denied"),
        "55-then.yml": CORRELATION.format(
            "then", "type: temporal_ordered, rules: [ports, denied], group-by: [sekisho.source], timespan: 10m"),
    }
    if stage % 2 == 0:
        files["60-filter.yml"] = FILTER
    else:       # before all others, so that the places of the rules in the set move
        files["10-new.yml"] = BASE.format("new", "'source.ip|cidr': 10.1.0.0/29")
    if stage % 3 == 2:
        del files["54-quiet.yml"]
    if stage != 3:      # over municipalities: its state goes and comes back
        files["56-wide.yml"] = CORRELATION.format(
            "wide", "type: value_count, rules: [denied], group-by: [destination.ip], timespan: 20h, "
                    "condition: {field: sekisho.tenant, gte: 2}") + "sekisho: {scope: prefecture}\n"
    return files


def write_rules(folder, stage):
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in rules_of(stage).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def keys_of(folder, stage, workers):
    zone = "office" if stage % 2 else "lgwan"
    tenants = "".join(f'  "{t}": {{size: large, networks: [{{cidr: 10.1.0.0/16, zone: {zone}}}]}}\n' for t in TENANTS)
    return (f"sources: {{fw1: {{format: fortigate}}}}\ntenants:\n{tenants}" + LIMITS.format(workers) +
            f"\nrules: {folder / 'rules'}\nlists: [{{name: feed, file: {folder / 'feed.txt'}}}]\n"
            "outputs: {file: {path: alerts.ndjson}}\n")


class Traffic:
    """Lines of one municipality after another, six hours back in time and forward."""

    def __init__(self, r):
        self.r, self.now = r, int(time.time()) - STAGES * LINES * STEP_SECONDS - 600

    def stage(self, number):
        lines = {t: [] for t in TENANTS}
        for i in range(LINES):
            self.now += STEP_SECONDS
            for tenant, out in lines.items():
                out.append(self.line(self.now - self.r.randrange(90)))
                if i % 40 == 20:        # three of a stage: never twelve within one
                    out.append(self.line(self.now, KEPT, "203.0.113.9", "deny", 443))
                if number == 0 and i % 40 == 7:
                    out.append(self.line(self.now, "10.1.9.9", BEGUN, "accept", 443))
        return {t: b"".join(out) for t, out in lines.items()}

    def line(self, at, source=None, destination=None, action=None, port=None):
        r = self.r
        when = time.strftime("date=%Y-%m-%d time=%H:%M:%S", time.gmtime(at + 9 * 3600))
        return (f'{when} tz="+0900" srcip={source or f"10.1.0.{r.randrange(12)}"} '
                f'dstip={destination or f"203.0.113.{r.randrange(8)}"} srcport={r.randrange(1024, 65000)} '
                f'dstport={port or r.choice((22, 80, 443, 443, 445, 3389))} '
                f'action={action or r.choice(("accept", "accept", "deny"))}\n').encode()


def reload(collector, folder, stage, workers):
    write_rules(folder / "rules", stage)
    (folder / "feed.txt").write_text("".join(f"203.0.113.{n}\n" for n in range(stage % 3 + 1)) +
                                     (f"{BEGUN}\n" if stage else ""))
    collector.configure(keys_of(folder, stage, workers))
    if collector.daemon:
        mark = len(collector.text())
        collector.daemon.send(signal.SIGHUP)
        collector.wait_text(rf"(?s).{{{mark}}}.*reloaded")


def history(folder, kafka, r, journal, workers, step):
    """A collector through all stages; killed within each, sooner or later after the reload."""
    reload_folder = folder / f"w{workers}"
    reload_folder.mkdir()
    collector = Collector(reload_folder, kafka, group=f"w{workers}")
    reload(collector, reload_folder, 0, workers)
    collector.start()
    for stage in range(STAGES):
        if stage:
            reload(collector, reload_folder, stage, workers if stage < 3 else 3 - workers)
        if stage % 2:
            time.sleep(r.choice((0, 0.05, 0.3, 1.2)))
            collector.kill()
            collector.start()
        yield collector
        collector.wait_collected(journal.ends())
        if r.random() < 0.5:
            time.sleep(1.1)             # with a snapshot of the new sets, or without
        collector.kill()
        collector.start()
    time.sleep(3)
    collector.stop()
    step(f"{workers} workers: {STAGES} stages, each with a kill")


def check(collector, journal, step):
    check_store(collector.data, journal)
    verify(collector.data)
    released = last_revisions(ndjson(collector.folder / "alerts.ndjson"))
    for options in ((), ("--config", collector.conf)):
        done = run("replay", "--log", collector.data, *options)
        said = done.stderr.decode().strip().splitlines()[-1]
        need_equal(f"replay --log {options}", last_revisions(ndjson(done.stdout)), released)
        assert f"{STAGES - 1} changes" in said, said
        assert "states compared, 0 different" in said, said
    kinds = collections.Counter(a["rule.id"] for a in released.values())
    assert {"denied", "ports", "new", "kept", "span", "ports_seen", "quiet", "then", "wide", "indicator"} <= set(kinds), kinds
    kept = [a for a in released.values() if a["rule.id"] == "kept" and a.get("source.ip") == KEPT]
    assert len(kept) == len(TENANTS), f"a window that is open at a reload goes on: {kept}"
    assert kinds["begun"] == 0, kinds
    assert "000000" in {a["sekisho.tenant"] for a in released.values() if a["rule.id"] == "wide"}, kinds
    tenants = collections.Counter(a["sekisho.tenant"] for a in released.values())
    assert max(tenants.values()) < CAP, f"the cap decides, not the rows: {tenants}, {kinds}"
    met = [a for a in released.values() if a["rule.id"] == "indicator" and a.get("destination.ip") == BEGUN]
    assert not met, f"rows of before a list's update are none of its hits: {met}"
    step(f"{len(released)} alerts, the same from the log alone: {said}; {dict(kinds)}")
    # What another set would have said of all of it.
    other = collector.folder / "other"
    other.mkdir()
    (other / "one.yml").write_text(rules_of(0)["21-ports.yml"].replace("'destination.port|expand': '%ports%'", "destination.port: 445"))
    done = run("replay", "--log", collector.data, "--config", collector.conf, "--rules", other)
    assert b"all rows are judged with the configuration that was given" in done.stderr, done.stderr
    assert {a["rule.id"] for a in ndjson(done.stdout) if a["alert.kind"] in ("rule", "correlation")} == {"ports"}
    return released


def same_of_rules(first, second, step):
    """Alerts of rules begin with the same rows, whatever the number of workers and where they died."""
    ids = [{k: (a["sekisho.tenant"], a["alert.first"]) for k, a in alerts.items() if a["alert.kind"] == "rule"}
           for alerts in (first, second)]
    need_equal("another number of workers", *ids)
    step(f"{len(ids[0])} alerts of rules: the same with other workers")


def main():
    step, r = Steps(), seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        topics = {t: f"seclog.raw.{t}.fw1" for t in TENANTS}
        for topic in topics.values():
            kafka.create_topic(topic)
        journal, traffic = Journal(folder / "journal"), Traffic(r)
        runs = [history(folder, kafka, r, journal, workers, step) for workers in (1, 2)]
        collectors = [next(h) for h in runs]
        for stage in range(STAGES):
            for tenant, lines in traffic.stage(stage).items():
                journal.send(kafka, topics[tenant], lines)
            collectors = [next(h, c) for h, c in zip(runs, collectors)]
        same_of_rules(*(check(c, journal, step) for c in collectors), step)


if __name__ == "__main__":
    main()
