#!/usr/bin/env python3
"""What the world does to a collector: Kafka goes and comes, retention passes by, batches are poisonous, disks are full,
files cannot be synced, operators make mistakes. Nothing is lost or doubled, other partitions go on, the exit codes
are those of the contract, and the message names the remedy.

Every case has municipalities of its own on one real broker; the leader's moves have three brokers.
Names of cases on the command line run only these.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
import kafka_batch  # noqa: E402
from kafka_harness import Broker, free_ports  # noqa: E402
from pipeline import (Collector, Flow, Journal, check_store, checked_code, compare_export, log_ranges,  # noqa: E402
                      verify)
from sekisho import LONG, Steps, ndjson, run, seeded_random, temp_dir, wait_until  # noqa: E402

CASE_NUMBERS = iter(range(100))
QUICK = "limits: {batch_age: 100ms, frame_age: 10ms}"
POISON_SECONDS = 30


class Case:
    """Topics, journal and collector of one case."""

    def __init__(self, kafka, folder, name, topics=2, partitions=1, keys=QUICK):
        self.kafka, self.name, self.folder = kafka, name, folder / name
        number = next(CASE_NUMBERS)
        self.topics = [f"seclog.raw.{checked_code(90000 + number * 100 + n)}.fw1" for n in range(topics)]
        self.partitions = partitions
        if partitions:
            kafka.create_topics({t: partitions for t in self.topics})
        self.folder.mkdir()
        self.journal = Journal(self.folder / "journal")
        self.sent = 0
        self.collector = Collector(self.folder, kafka, keys, group=name, prefix=f"seclog.raw.9{number:02d}")

    def send(self, count=500, topic=0, size=60):
        lines = b"".join(b"%s line %d of %s %s\n" % (self.name.encode(), self.sent + n, self.topics[topic].encode(),
                                                     os.urandom(size // 2).hex().encode()) for n in range(count))
        self.sent += self.journal.send(self.kafka, self.topics[topic], lines)
        return self.sent

    def collected(self, timeout=60):
        self.collector.wait_collected(self.journal.ends(), timeout)

    def finish(self, compare=True):
        """Stop in order and compare everything."""
        took = self.collector.stop() if self.collector.running() else 0
        assert took < 5, f"SIGTERM took {took:.1f} s"
        said = check_store(self.collector.data, self.journal)
        verify(self.collector.data)
        if compare:
            compare_export(self.collector.data, self.journal)
        return said


def kafka_down(kafka, folder, _r):
    """The broker goes in order and by SIGKILL, and comes back; the collector waits and goes on."""
    case = Case(kafka, folder, "down")
    with case.collector as collector:
        for how in (kafka.stop, kafka.kill):
            case.send()
            case.collected()
            how()
            collector.wait_text(r"component=kafka msg=\"?(broker error|librdkafka|consumer error|.*broker)", 20)
            time.sleep(1)
            assert collector.running()
            kafka.restart()
        case.send(topic=1)
        case.collected()
    return case.finish()


def no_broker(kafka, folder, _r):
    """A start without a broker: waits, says so, ends within 5 s on SIGTERM; and goes on when one comes."""
    collector = Collector(folder / "nobroker", kafka, QUICK, brokers=f"127.0.0.1:{free_ports(1)[0]}")
    with collector:
        collector.wait_text("level=(warn|error) .*(broker|connect)", 20)
        time.sleep(0.5)
        took = collector.stop()
        assert took < 5, f"SIGTERM took {took:.1f} s"
    return f"said so, ended in {took:.1f} s"


def late_topic(kafka, folder, _r):
    """Topics and partitions that come while the collector runs."""
    case = Case(kafka, folder, "late", topics=3, partitions=0)
    kafka.create_topic(case.topics[0])
    with case.collector:
        case.send(100)
        case.collected()
        kafka.create_topic(case.topics[1], partitions=2)
        case.send(300, topic=1)
        case.collected()
        kafka.add_partitions(case.topics[1], 5)
        kafka.create_topic(f"{case.topics[0][:14]}99.fw1")     # wrong check digit
        for _ in range(3):
            case.send(300, topic=1)
        case.collected()
        case.collector.wait_text("topic refused")
    return case.finish()


def retention(kafka, folder, _r):
    """Retention takes what was not read yet: a LOST range and an alarm, and the rest is collected."""
    case = Case(kafka, folder, "retention")
    with case.collector as collector:
        case.send(200)
        case.send(200, topic=1)
        case.collected()
        collector.stop()
        case.send(300)
        gone = Journal(case.folder / "gone")
        gone.path.write_bytes(case.journal.path.read_bytes())
        assert kafka.delete_records(case.topics[0], 0, 350) == 350
        case.send(100, topic=1)
        collector.start()
        collector.wait_text("level=error .*deleted by the broker")
        case.send(50)
        case.collected()
    lost = [r for r in log_ranges(collector.data) if r[0] == "LOST"]
    assert [(t, p, s, e) for _, t, p, s, e, _ in lost] == [(case.topics[0], 0, 200, 350)], lost
    kept = [line for line in case.journal.path.read_text().splitlines(True)
            if not (case.topics[0] in line and 200 <= int(re.search(r'"offset": ?(\d+)', line).group(1)) < 350)]
    case.journal.path.write_text("".join(kept))
    return case.finish() + f"; LOST {lost[0][3:]}"


def truncated(kafka, folder, _r):
    """A topic is deleted and made again: its offsets begin anew. That partition stops and says so, others go on."""
    case = Case(kafka, folder, "truncated")
    with case.collector as collector:
        case.send(300)
        case.send(100, topic=1)
        case.collected()
        collector.stop()
        kafka.delete_topic(case.topics[0])
        kafka.wait(lambda: case.topics[0] not in kafka.topics(), what="the topic to go")
        kafka.create_topic(case.topics[0])
        kafka.produce(case.topics[0], [b"another history"] * 10)
        collector.start()
        case.send(100, topic=1)
        case.collected()
        collector.wait_text("level=error .*ends below ours.*remedy", 60)
    return case.finish()


def poison(kafka, folder, _r):
    """A batch with a wrong checksum and one that unpacks to 200 MB: quarantined within 30 s, nothing else waits."""
    case = Case(kafka, folder, "poison", topics=4)
    for topic in (0, 1):
        for _ in range(3):
            case.send(100, topic=topic)
    case.send(100, topic=2)
    kafka.stop()
    # Topic 0: a flipped byte in the second batch. Topic 1: a bomb behind the last one, good ones after it.
    path = kafka.segments(case.topics[0], number=1)[-1]
    data = bytearray(path.read_bytes())
    spots = kafka_batch.batches(data)
    bad = spots[len(spots) // 2]
    data[bad[0] + bad[3] - 10] ^= 1
    path.write_bytes(data)
    path = kafka.segments(case.topics[1], number=1)[-1]
    end = sum(spot[2] for spot in kafka_batch.batches(path.read_bytes()))
    after = [b"after the bomb %d" % n for n in range(50)]
    with open(path, "ab") as segment:
        segment.write(kafka_batch.bomb(end, 200))
        segment.write(kafka_batch.good(end + 1, after))
    kafka.restart()
    kafka.wait(lambda: kafka.offsets(case.topics[1])[1] == end + 51, what="the broker to serve the bomb")
    journal = [line for line in case.journal.path.read_text().splitlines(True)
               if not (case.topics[0] in line
                       and bad[1] <= int(re.search(r'"offset": ?(\d+)', line).group(1)) < bad[1] + bad[2])]
    case.journal.path.write_text("".join(journal))
    for n, value in enumerate(after):
        case.journal.add(case.topics[1], 0, end + 1 + n, value)
    start = time.monotonic()
    with case.collector as collector:
        other = case.journal.ends()[case.topics[2], 0]
        collector.wait_collected({(case.topics[2], 0): other}, 10)
        print(f"          another partition was collected after {time.monotonic() - start:.1f} s")
        flowing = time.monotonic()
        case.send(20, topic=3)
        collector.wait_collected({(case.topics[3], 0): 20}, 10)
        beside = time.monotonic() - flowing
        ends = dict(case.journal.ends())
        collector.wait_collected({(case.topics[0], 0): ends[case.topics[0], 0]}, POISON_SECONDS)
        first = time.monotonic() - start
        resident = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{collector.daemon.pid}/status").read_text())[1])
        collector.wait_collected(ends, POISON_SECONDS)
        second = time.monotonic() - start
        assert second < POISON_SECONDS, f"{second:.0f} s"
        resident = max(resident, int(re.search(
            r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{collector.daemon.pid}/status").read_text())[1]))
        collector.wait_text("level=error .*cannot be read")
    found = {(t, s, e) for kind, t, _, s, e, _ in log_ranges(collector.data) if kind == "QUARANTINE"}
    wanted = {(case.topics[0], bad[1], bad[1] + bad[2]), (case.topics[1], end, end + 1)}
    assert found == wanted, f"quarantined {sorted(found)}, not {sorted(wanted)}"
    return case.finish() + (f"; wrong checksum after {first:.1f} s, bomb after {second:.1f} s, other partitions "
                            f"{beside:.1f} s, peak {resident >> 10} MB")


def disk_full(kafka, folder, _r):
    """The disk fills up while records flow: warned, Kafka waits, nothing dropped, and on when there is room."""
    mounted = folder / "small"
    mounted.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mounted)],
                              stderr=subprocess.DEVNULL, check=False)
    except OSError:
        done = None
    if done is None or done.returncode:
        return "no tmpfs can be mounted here: see disk_full_fault"
    try:
        case = Case(kafka, mounted, "diskfull", keys=QUICK)
        case.journal = Journal(folder / "diskfull-journal")
        with case.collector as collector:
            case.send(50)
            case.collected()
            ballast = mounted / "ballast"
            with contextlib.suppress(OSError), open(ballast, "wb") as out:
                out.write(bytes(2 << 20))
            for _ in range(6):
                case.send(4000, size=200)
            collector.wait_text("no room for the log.*remedy", 30)
            time.sleep(1)
            assert collector.running()
            took = collector.stop()
            assert took < 5, f"SIGTERM took {took:.1f} s"
            collector.start()
            collector.wait_text("no room for the log.*remedy", 30)
            ballast.unlink()
            case.collected()
        return case.finish()
    finally:
        subprocess.run(["umount", str(mounted)], check=False)


def disk_full_fault(kafka, folder, _r):
    """The same by faults in the middle of a write; a restart without them collects the rest."""
    case = Case(kafka, folder, "full")
    with case.collector as collector:
        collector.stop()
        collector.start("full@write=log/:*:30000")
        for _ in range(3):
            case.send(1000)
        collector.wait_text("no room for the log.*remedy", 30)
        took = collector.stop()
        assert took < 5, f"SIGTERM took {took:.1f} s"
        collector.start()
        case.collected()
    return case.finish()


def log_bytes(kafka, folder, _r):
    """limits.log_bytes: warned, then Kafka waits and nothing is dropped; raised, it goes on."""
    small = ("limits: {batch_age: 100ms, frame_age: 10ms, log_bytes: 400KB, log_file_bytes: 128KiB, "
             "frame_bytes: 64KiB}")
    case = Case(kafka, folder, "budget", keys=small)
    with case.collector as collector:
        for _ in range(4):
            case.send(5000, size=200)
        collector.wait_text("no room for the log.*remedy=.*limits.log_bytes", 30)
        time.sleep(1)
        size = sum(p.stat().st_size for p in (collector.data / "log").iterdir())
        assert 150_000 < size <= 400_000, f"{size} bytes"
        assert collector.running()
        said = run("status", "--data", collector.data).stdout.decode()
        assert re.search("room|waits|waiting|full", said), f"status does not say so:\n{said}"
        took = collector.stop()
        assert took < 5, f"SIGTERM took {took:.1f} s"
        collector.configure(small.replace("400KB", "40MB"))
        collector.start()
        case.collected()
    return case.finish() + f"; stood at {size} bytes"


def sync_fails(kafka, folder, _r):
    """EIO when the log is synced: stop with 6; a restart reads Kafka again from the last frame that counts."""
    case = Case(kafka, folder, "eio")
    codes = []
    with case.collector as collector:
        case.send(300)
        case.collected()
        for faults in ("EIO@sync=log/:1", "EIO@sync=log/:2", "EIO@write=log/:2", "short@write=log/:1+:777"):
            collector.stop() if collector.running() else None
            collector.start(faults, wait=False)
            case.send(300)
            case.send(300, topic=1)
            if faults.startswith("EIO"):
                # What is sent together may be one frame: go on until there was a second.
                deadline = time.monotonic() + 20
                while collector.running() and time.monotonic() < deadline:
                    case.send(10)
                    time.sleep(0.5)
                codes.append(collector.daemon.wait(5))
                assert codes[-1] == 6, f"{faults}: ended with {codes[-1]}"
                collector.start()
            case.collected()
    return case.finish() + f"; exit codes {codes}"


def second_collector(kafka, folder, _r):
    """A second collector on the same directory: 6, with the remedy; the first goes on."""
    case = Case(kafka, folder, "second")
    with case.collector:
        done = run("collect", "-c", case.collector.conf, check=6, timeout=20)
        said = done.stderr.decode()
        assert re.search("another collector.*(stop it|another folder)", said), said
        case.send(200)
        case.collected()
    return case.finish()


def bad_configuration(kafka, folder, _r):
    """Unknown keys and bad values: 3, all in one pass, with file, line and a suggestion; no store is made."""
    conf = folder / "bad.yaml"
    conf.write_text(f"data: {folder}/bad-data\nkafka: {{broker: \"{kafka.bootstrap}\"}}\nlimits:\n  batch_row: 7\n"
                    f"  workers: many\n")
    for command in (("collect", "-c", conf), ("check", conf)):
        done = run(*command, check=None)
        said = done.stderr.decode() + done.stdout.decode()
        assert done.returncode == (3 if command[0] == "collect" else done.returncode), f"exit {done.returncode}"
        assert done.returncode in (1, 3)
        for text in (f"{conf}:2", f"{conf}:4", f"{conf}:5", "brokers", "batch_rows"):
            assert text in said, f"{text!r} not in:\n{said}"
    assert not (folder / "bad-data").exists()
    assert run("status", "--data", folder, check=None).returncode in (3, 4)
    assert run("search", "x", "--data", folder / "nowhere", check=None).returncode == 3
    return "3, with lines and suggestions"


def frozen(kafka, folder, _r):
    """SIGSTOP for longer than a session, and on."""
    case = Case(kafka, folder, "frozen")
    with case.collector as collector:
        case.send(200)
        collector.daemon.send(signal.SIGSTOP)
        case.send(500)
        time.sleep(8 if LONG else 4)
        collector.daemon.send(signal.SIGCONT)
        case.send(200, topic=1)
        case.collected()
    return case.finish()


def damaged_log(kafka, folder, _r):
    """A bit flips in the middle of the log: collect refuses with 5 and names file, offset and remedy."""
    case = Case(kafka, folder, "damaged")
    with case.collector as collector:
        for _ in range(3):
            case.send(300)
            case.collected()
        collector.stop()
        path = max((collector.data / "log").glob("*.log"))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
        done = run("collect", "-c", collector.conf, check=5, timeout=20)
        assert path.name in done.stderr.decode() and "offset" in done.stderr.decode(), done.stderr.decode()
        assert run("verify", "--data", collector.data, check=None).returncode == 5
        check_store(collector.data, expect=1)
    return "5, with file and offset"


CASES = [no_broker, bad_configuration, second_collector, late_topic, retention, truncated, sync_fails, disk_full_fault,
         disk_full, log_bytes, frozen, damaged_log, kafka_down, poison]


def leader_moves(folder, r):
    """Three brokers: the leader is moved, then killed, while records flow."""
    with Broker(nodes=3) as kafka:
        topic = f"seclog.raw.{checked_code(99001)}.fw1"
        kafka.create_topic(topic, partitions=2, assignment={0: [1, 2, 3], 1: [2, 3, 1]})
        journal = Journal(folder / "moves-journal")
        chunks = ((topic, b"".join(b"line %d of chunk %d\n" % (n, c) for n in range(100)), ()) for c in range(10**9))
        with Collector(folder / "moves", kafka, QUICK, group="moves") as collector:
            with Flow(kafka, journal, chunks) as flow:
                time.sleep(1.5)
                kafka.move_leader(topic, 0, 3)
                time.sleep(1)
                kafka.kill(3)
                kafka.wait_new_leader(topic, 0, old=3)
                time.sleep(2)
                kafka.restart(3)
                kafka.wait_in_sync(topic)
                kafka.move_leader(topic, 1, 1)
                time.sleep(1)
                flow.stop()
            collector.wait_collected(journal.ends(), 60)
            collector.stop()
        said = check_store(collector.data, journal)
        compare_export(collector.data, journal)
        return said


def main():
    step = Steps()
    r = seeded_random()
    wanted = sys.argv[1:]
    known = [case.__name__ for case in CASES] + ["leader_moves"]
    assert all(name in known for name in wanted), f"there are: {' '.join(known)}"
    failed = []

    def attempt(name, case):
        try:
            step(f"{name}: {case()}")
        except Exception as error:  # noqa: B902  (the other cases still run)
            step(f"{name}: FAILED: {type(error).__name__}: {error}")
            traceback.print_exc()
            failed.append(name)

    with temp_dir() as folder:
        if [c for c in CASES if not wanted or c.__name__ in wanted]:
            with Broker() as kafka:
                step("Kafka started")
                for case in CASES:
                    if not wanted or case.__name__ in wanted:
                        attempt(case.__name__, lambda case=case: case(kafka, folder, r))
        if not wanted or "leader_moves" in wanted:
            attempt("leader_moves", lambda: leader_moves(folder, r))
    count = len(wanted) or len(known)
    print(f"{count - len(failed)} of {count} cases passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
