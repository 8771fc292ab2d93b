#!/usr/bin/env python3
"""SIGKILL while alerts are on their way, with one partition a municipality and ticks that the test gives: the alerts are
those of the undisturbed run, by id and content.

Two collectors read the same topics with wall clocks that the test moves: a chunk of lines is sent, both make it durable,
then the next second comes, and with it a tick. So both judge the same rows and the same ticks between them, although one of
them dies at failpoints and random moments, some times with the loss of all that was not synced. A clock goes on only when
the tick before is durable: what a dead process lost is never a tick that rows of the next chunk may follow.
"""
import collections
import pathlib
import signal
import struct
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support", "fault")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, Journal, check_store, log_ends, sekisho_check  # noqa: E402
from power import PowerCut  # noqa: E402
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir  # noqa: E402
from test_alert_identity import build_shift  # noqa: E402
from test_alert_kill import FAILPOINTS, LIMITS, Cases, last_revisions, need_equal, write_correlations, without  # noqa: E402

STAGES, QUIET_STAGES = (120, 6) if LONG else (16, 4)    # chunks with a tick behind each; ticks alone at the end
KILLS = 100 if LONG else 16
TICK_SECONDS = (9, 9, 61)       # between two; more than 10 is a time that nobody watched
LOOK_SECONDS = 0.1              # between two looks at the log
STAGE_SECONDS = 120             # of real time, at most
ALERTS_MIN = 20


class Scripted:
    """A collector whose wall clock the test moves."""

    def __init__(self, collector, clock, power):
        self.collector, self.clock, self.power = collector, clock, power
        self.tick, self.look = 0, 0.0

    def set_clock(self, second):
        with open(self.clock, "r+b") as stream:     # in place: the process has it mapped
            stream.write(struct.pack("<q", second))

    def durable_tick(self):
        """The tick of the last frame that is synced, in seconds."""
        sizes = self.power.durable()
        for path in sorted((self.collector.data / "log").glob("*.log"), reverse=True):
            data = memoryview(path.read_bytes())[:sizes.get(str(path.resolve()), 0)]
            try:
                header = sekisho_check.FileHeader(data)
            except sekisho_check.Damage:
                continue
            at, tick = header.len, header.tick
            while at < len(data):
                try:
                    frame = sekisho_check.Frame(data[at:])
                except sekisho_check.Damage:
                    break
                at, tick = at + frame.len, frame.tick
            return tick // 10**9
        return 0

    def begin(self, ends, tick):
        """A stage: rows up to `ends`, then that tick."""
        self.ends, self.last, self.tick = dict(ends), self.tick, tick
        self.moved = False

    def advance(self):
        """Whether the stage is over."""
        if self.moved:
            return self.durable_tick() >= self.tick
        # What Kafka is told is a hint: after a restart without news there is none.
        have = {}
        if self.ends and time.monotonic() > self.look and (self.collector.data / "log").exists():
            have, self.look = log_ends(self.collector.data), time.monotonic() + LOOK_SECONDS
        self.ends = {k: end for k, end in self.ends.items() if have.get(k, 0) < end}
        if not self.ends:
            self.set_clock(self.tick)
            self.moved = True
        return False


class Killed(Scripted):
    """One that dies again and again."""

    def __init__(self, collector, clock, power, r):
        super().__init__(collector, clock, power)
        self.r, self.counts, self.kills = r, collections.Counter(), 0
        self.all_ends = {}

    def begin(self, ends, tick):
        super().begin(ends, tick)
        self.all_ends = dict(ends)

    def live(self):
        """Start it, with what will end it."""
        self.fault, self.end = None, None
        if self.kills < KILLS:
            if self.r.random() < 0.5:
                self.fault = self.r.choice(FAILPOINTS)
                self.end = time.monotonic() + 15        # where nothing comes by in that time
            else:
                self.end = time.monotonic() + self.r.choice((0.3, 0.8, 1.5, 3)) * (0.5 + self.r.random())
        self.collector.start(f"crash@{self.fault}:{self.r.randint(1, 12)}" if self.fault else None, wait=False)

    def die(self):
        code = self.collector.kill()
        assert code == -signal.SIGKILL, f"{self.fault}: ended with {code}:\n{self.collector.text()[-2000:]}"
        self.kills += 1
        cut = self.r.random() < 0.4
        self.counts[(self.fault or "random") + (", power cut" if cut else "")] += 1
        if cut:
            self.power.cut(self.r.choice((None, self.r)))
        else:
            self.power.survive()
        # What is in no durable frame happens again, in the second in which it happened.
        self.set_clock(self.last)
        self.ends, self.moved = dict(self.all_ends), False

    def advance(self):
        if not self.collector.running() or (self.end is not None and time.monotonic() > self.end):
            self.die()
            self.live()
        return super().advance()


def go(runs, seconds=STAGE_SECONDS):
    """Until the stage is over for all."""
    left, deadline = list(runs), time.monotonic() + seconds
    while left:
        left = [run for run in left if not run.advance()]
        if time.monotonic() > deadline:
            raise AssertionError(f"the stage does not end: {left[0].ends}, moved {left[0].moved}, "
                                 f"tick {left[0].durable_tick()} of {left[0].tick}\n{left[0].collector.text()[-3000:]}")
        time.sleep(0.02)


def one_source(logs):
    """{topic: lines} of one source of each municipality, that with the most lines."""
    largest = {}
    for topic, lines in logs.items():
        tenant = topic.split(".")[2]
        if tenant not in largest or len(lines) > len(logs[largest[tenant]]):
            largest[tenant] = topic
    return {topic: logs[topic] for topic in largest.values()}


def contents(alerts):
    """When a record came is what a run saw, not what the rows and ticks say."""
    return {key: {k: v for k, v in a.items() if k != "alert.arrival"} for key, a in alerts.items()}


def make(folder, name, kafka, keys, shift, number):
    """A collector with a clock and a list of what it synced."""
    place = folder / name
    place.mkdir()
    power = PowerCut(place, place / "c" / "data")
    clock = place / "clock"
    clock.write_bytes(struct.pack("<q", number))
    env = {**power.env, "CLOCK_SECOND": str(clock), "LD_PRELOAD": f"{power.env['LD_PRELOAD']} {shift}"}
    collector = Collector(place / "c", kafka, keys, group=name, env=env)
    for path in (folder / "gen").iterdir():     # lists and databases, named relative to the configuration
        if path.name != "config.yaml":
            (collector.folder / path.name).symlink_to(path)
    return collector, clock, power


def check(killed, calm, journal, step):
    for run_ in (killed, calm):
        step(f"checker: {check_store(run_.collector.data, journal)}")
    want = last_revisions(ndjson(run("replay", "--log", calm.collector.data, "--config", calm.collector.conf).stdout))
    got = last_revisions(ndjson(run("replay", "--log", killed.collector.data, "--config", killed.collector.conf).stdout))
    kinds = collections.Counter(a["alert.kind"] for a in want.values())
    revisions = collections.Counter(a["alert.revision"] for a in want.values())
    assert len(want) >= ALERTS_MIN and {"rule", "correlation", "indicator"} <= set(kinds), kinds
    assert max(revisions) > 1, f"no alert was amended: {revisions}"
    need_equal("judged again", contents(got), contents(want))
    for name, run_ in (("killed", killed), ("undisturbed", calm)):
        told = last_revisions(ndjson(run_.collector.folder / "alerts.ndjson"))
        need_equal(f"file of the {name} run", contents(told), contents(want))
    step(f"{len(want)} alerts ({dict(kinds)}), {sum(n for r, n in revisions.items() if r > 1)} of them amended: by id and "
         "content those of the undisturbed run")


def main():
    step, r = Steps(), seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        cases = Cases(folder / "gen", r)
        logs = one_source(cases.logs)
        kafka.create_topics({topic: 1 for topic in logs})
        write_correlations(folder / "rules")
        keys = without(cases.config) + LIMITS + f"\nrules: {folder / 'rules'}\noutputs: {{file: {{path: alerts.ndjson}}}}\n"
        shift, second = build_shift(folder), int(time.time())
        killed = Killed(*make(folder, "killed", kafka, keys, shift, second), r)
        calm = Scripted(*make(folder, "calm", kafka, keys, shift, second))
        journal = Journal(folder / "journal")
        step(f"Kafka started; {sum(map(len, logs.values()))} lines of {len(logs)} municipalities")
        try:
            for run_ in (killed, calm):
                run_.begin({}, second)
            killed.live()
            calm.collector.start()
            go((killed, calm))
            for stage in range(STAGES + QUIET_STAGES):
                for topic, lines in logs.items() if stage < STAGES else ():
                    part = lines[len(lines) * stage // STAGES:len(lines) * (stage + 1) // STAGES]
                    journal.send(kafka, topic, b"".join(part))
                second += r.choice(TICK_SECONDS)
                for run_ in (killed, calm):
                    run_.begin(journal.ends(), second)
                go((killed, calm))
            if killed.end is not None:      # a life that was to end
                killed.die()
                killed.kills = KILLS
                killed.live()
                go((killed,))
            time.sleep(2)
            for run_ in (killed, calm):
                run_.collector.stop()
        finally:
            for run_ in (killed, calm):
                if run_.collector.daemon:
                    run_.collector.kill()
        step(f"{killed.kills} deaths: " + ", ".join(f"{n} {k}" for k, n in sorted(killed.counts.items())))
        check(killed, calm, journal, step)


if __name__ == "__main__":
    main()
