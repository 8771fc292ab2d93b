#!/usr/bin/env python3
"""SIGKILL while alerts are on their way from rows to receivers, some kills with the loss of all that was not synced.

Generated traffic with many planted cases flows in from a real Kafka; the collector dies at failpoints of the commit and of
the outputs and at random moments. In the end the receivers (Kafka, file, Redis) hold each alert with its last revision as
`replay --log` makes it from the rows and ticks of the final log, no receiver ever heard of an alert that the log does not
have, and alerts that depend on rows alone are those of a collector that read the same topics and was left alone.
"""
import collections
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from labels import shared_addresses  # noqa: E402
from pipeline import Collector, Flow, Journal, check_hint, check_store, verify  # noqa: E402
from power import PowerCut  # noqa: E402
from receivers import Redis  # noqa: E402
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir, wait_until  # noqa: E402
from test_rules_same import (CORRELATIONS, PREFECTURE, PREFECTURE_CODE, correlation, over_municipalities,
                             write_rules)  # noqa: E402

KILLS = 200 if LONG else 40
FAILPOINTS = ("commit.collected", "commit.durable", "commit.released", "ledger.before_write", "ledger.after_write",
              "ledger.after_sync", "output.delivered", "rename=state/")
FAILPOINT_SHARE = 0.5
FAILPOINT_SECONDS = 30
LIMITS = "limits: {batch_age: 100ms, frame_age: 10ms, log_file_bytes: 256KiB, workers: 2}"
TOPIC = "seclog.alert.finding.v1"
CASES = "scan:12,scan_vertical:6,scan_inbound:6,ioc_ip:30,ioc_domain:10,ioc_url:10,zone_lgwan:20,zone_mynumber:20," \
        "deny_burst:6,brute_force:6"
TOLD = ("alert.", "sekisho.tenant", "rule.", "message.", "action.", "explain.", "threat.technique", "evidence")   # no group keys
ROW_KINDS = {"indicator"}   # neither what is usual nor ticks decide about them
CAP = 200                   # alerts of a municipality in an hour; what is above stays back, and the two runs may differ in it
TENANTS, LINES = 4, 400_000 if LONG else 90_000
PACE_SECONDS = 0.02
STEPS = KILLS         # parts that each source is sent in


class Cases:
    """The lines of generated logs in the order of time, each source's in a topic of one partition."""

    def __init__(self, folder, r):
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 6 * 3600))
        run("gen", "--seed", r.randrange(1 << 32), "--tenants", TENANTS, "--events", LINES, "--format",
            "fortigate=60,squid=40", "--start", start, "--inject", CASES, "--out", folder)
        self.config = (folder / "config.yaml").read_text()
        found = re.findall(r'tenant: "(\d+)", source: ([a-z0-9-]+), format: (\w+), file: "?([^",}]+)',
                           (folder / "manifest.yaml").read_text())
        self.logs = {f"seclog.raw.{c}.{s}": (folder / path).read_bytes().splitlines(keepends=True)
                     for c, s, _, path in found}
        self.topics = {topic: 1 for topic in self.logs}

    def chunks(self):
        """A share of each source in turn, so that all of them end together."""
        for step in range(STEPS):
            for topic, lines in self.logs.items():
                part = lines[len(lines) * step // STEPS:len(lines) * (step + 1) // STEPS]
                if part:
                    yield topic, b"".join(part), ()


def last_revisions(alerts):
    """{id: the line of the last revision}; one revision has one content, how often it may have come."""
    found = {}
    for a in alerts:
        key, revision = a["alert.id"], a["alert.revision"]
        assert found.get(key, a)["alert.revision"] != revision or found.get(key, a) == a, f"two contents: {a}"
        if key not in found or found[key]["alert.revision"] < revision:
            found[key] = a
    return found


def need_equal(what, got, want):
    if got == want:
        return
    for key in sorted(set(got) | set(want)):
        if got.get(key) != want.get(key):
            raise AssertionError(f"{what}: {len(got)} and {len(want)} alerts; first difference:\n"
                                 f"  {json.dumps(got.get(key), ensure_ascii=False)}\n"
                                 f"  {json.dumps(want.get(key), ensure_ascii=False)}")


def of_topic(kafka):
    done = subprocess.run(["kcat", "-C", "-b", kafka.bootstrap, "-t", TOPIC, "-o", "beginning", "-q", "-e", "-f", "%s\n"],
                          check=True, timeout=120, stdout=subprocess.PIPE)
    return ndjson(done.stdout)


def kill(collector, power, topics, r):
    """One life and death; returns what killed it."""
    if r.random() < FAILPOINT_SHARE:
        name = r.choice(FAILPOINTS)
        collector.start(f"crash@{name}:{r.randint(1, 12)}", wait=False)
        try:
            wait_until(lambda: not collector.running(), FAILPOINT_SECONDS, name)
            code = collector.daemon.wait()
        except TimeoutError:        # nothing went to an output in that time
            name, code = "late", collector.kill()
    else:
        name = "random"
        collector.start(wait=False)
        time.sleep(r.choice((0.1, 0.4, 0.9, 1.5)) * (0.5 + r.random()))
        code = collector.kill()
    assert code == -signal.SIGKILL, f"{name}: ended with {code}:\n{collector.text()[-2000:]}"
    if r.random() < 0.4:
        name += ", power cut"
        power.cut(r.choice((None, r)))
    else:
        power.survive()
    check_hint(collector, topics)
    return name


def groups(alerts, shared):
    """Whom alerts of ROW_KINDS are about. Which row comes first, and so an id, and whether two episodes were one from the start
    depends on the order between a municipality's sources; what the last rows added waits for a tick. Two runs share neither,
    nor what is told of proxies: who is behind them is known where rows of two sources meet within a few ticks."""
    return {json.dumps([a["sekisho.tenant"], a["rule.name"], {k: v for k, v in a.items() if not k.startswith(TOLD)}],
                       sort_keys=True, ensure_ascii=False): True
            for a in alerts.values() if a["alert.kind"] in ROW_KINDS and a.get("source.ip") not in shared}


def check_calm(calm, judged, shared, step):
    """Against the undisturbed run, as its log is judged: its file may lack what was not delivered when it ended."""
    undisturbed = run("replay", "--log", calm.data, "--config", calm.conf)
    got = groups(judged, shared)
    need_equal("undisturbed run", got, groups(last_revisions(ndjson(undisturbed.stdout)), shared))
    step(f"{len(got)} groups that depend on rows alone: those of the undisturbed run")


def main():
    step, r = Steps(), seeded_random()
    with temp_dir() as folder, Broker() as kafka, Redis(folder / "redis") as redis:
        cases = Cases(folder / "gen", r)
        kafka.create_topics(cases.topics)
        kafka.create_topic(TOPIC, partitions=2)
        power = PowerCut(folder, folder / "c" / "data")
        outputs = f"outputs:\n  kafka: {{}}\n  file: {{path: alerts.ndjson, tenant_directory: each}}\n" \
                  f"  redis: {{address: \"unix:{redis.path}\"}}\n"
        write_correlations(folder / "rules")
        keys = without(cases.config) + LIMITS + f"\nrules: {folder / 'rules'}\n"
        collector = Collector(folder / "c", kafka, keys + outputs, env=power.env)
        calm = Collector(folder / "calm", kafka, keys + "outputs: {file: {path: alerts.ndjson}}\n", group="calm")
        for c in (collector, calm):     # lists and databases, named relative to the configuration
            for path in (folder / "gen").iterdir():
                if path.name != "config.yaml":
                    (c.folder / path.name).symlink_to(path)
        journal, counts = Journal(folder / "journal"), collections.Counter()
        step(f"Kafka started; {sum(map(len, cases.logs.values()))} lines to send")
        with collector, calm, Flow(kafka, journal, cases.chunks(), PACE_SECONDS) as flow:
            collector.kill()
            for number in range(KILLS):
                counts[kill(collector, power, cases.topics, r)] += 1
                if (number + 1) % 10 == 0:
                    step(f"{number + 1} kills, {flow.sent} records sent")
            flow.pause = 0
            collector.start()
            flow.thread.join()
            for c in (collector, calm):
                c.wait_collected(journal.ends(), timeout=300)
            time.sleep(3)
            for c in (collector, calm):
                c.stop()
        step(f"all collected: {flow.sent} records; " + ", ".join(f"{n} {k}" for k, n in sorted(counts.items())))
        check(collector, calm, kafka, redis, journal, shared_addresses(cases.config), step)


def write_correlations(folder):
    """Rules and correlations, few enough to stay below CAP: by ports, scans that fall into the same minutes would pass it."""
    write_rules(folder)
    for name, (_, body) in CORRELATIONS.items():
        body = body.replace("[source.ip]", "[sekisho.source]").replace("timespan: 5s", "timespan: 20m")
        (folder / f"{name}.yml").write_text(correlation(name, body))
    for name, body in PREFECTURE.items():
        body = body.replace("[destination.port]", "[network.transport]")
        (folder / f"{name}.yml").write_text(over_municipalities(name, body))


def without(config):
    """The generated configuration without the keys that a test sets itself."""
    lines, skipping = [], False
    for line in config.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            skipping = line.split(":")[0] in ("data", "kafka", "limits", "outputs")
        if not skipping:
            lines.append(line)
    return "\n".join(lines) + "\n"


def check(collector, calm, kafka, redis, journal, shared, step):
    step(f"checker: {check_store(collector.data, journal)}")
    verify(collector.data)
    done = run("replay", "--log", collector.data, "--config", collector.conf)
    judged = last_revisions(ndjson(done.stdout))
    kinds = collections.Counter(a["rule.name"] for a in judged.values())
    assert len(judged) >= 30, f"too few alerts to show anything: {kinds}"
    assert {"rule", "correlation"} <= {a["alert.kind"] for a in judged.values()}, kinds
    tenants = collections.Counter(a["sekisho.tenant"] for a in judged.values())
    assert tenants[PREFECTURE_CODE] >= 2, f"nothing over municipalities: {tenants}, {kinds}"
    assert max(tenants.values()) <= CAP, f"the cap decides, not the rows: {tenants}, {kinds}"
    step(f"judged again from the log: {len(judged)} alerts, {done.stderr.decode().strip().splitlines()[-1]}")
    need_equal("file", last_revisions(ndjson(collector.folder / "alerts.ndjson")), judged)
    need_equal("topic", last_revisions(of_topic(kafka)), judged)
    stream = collections.defaultdict(int)
    for e in redis.stream_entries("sekisho:alerts"):
        stream[e["id"]] = max(stream[e["id"]], int(e["revision"]))
    need_equal("Redis", dict(stream), {k: a["alert.revision"] for k, a in judged.items()})
    step("file, topic and Redis: each alert with its last revision as judged again, and no other")
    for path in sorted((collector.folder / "each").glob("*.ndjson")):
        assert {a["sekisho.tenant"] for a in ndjson(path)} == {path.stem}, path
    check_calm(calm, judged, shared, step)


if __name__ == "__main__":
    main()
