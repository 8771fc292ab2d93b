#!/usr/bin/env python3
"""What the collector costs behind a real Kafka: 180 municipalities in 360 partitions, Zipf, lz4.

    benches/kafka_pipeline.py [--sekisho build/release/sekisho] [--produce build/release/benches/bench_produce]
                              [--lines N] [--repeat N] [--json FILE] [CASE...]

    backlog      records of one line in batches of 20, all there before the collector starts
    backlog50    the same with 50 lines a record
    steady10k    10,000 lines a second while they are collected, sender's linger 100 ms: figures of --seconds behind a
                 quarter of them, in which pages are touched for the first time and the broker warms up
    steady30k    the same with 30,000
    steady       the same with --rate; with 5,000 and --seconds 2880 an hour, in which memory has to stay as it is
    busy         a backlog by itself, and again while every row is compacted at once and one search after the other reads the
                 whole store: how many lines a second are collected, in turns
    restart      SIGKILL when half of the backlog is collected: seconds until the next process has made new lines durable
                 (its log has grown by more than the frame of a tick)

All detectors watch, with --indicators entries on a list beside the generated ones.

CPU seconds per million events are the collector's alone (user and system); p50 and p99 are from the broker's
time stamp (LogAppendTime) to the fdatasync, up to the bucket's upper end (collector's sekisho_latency_seconds). A run that lost, doubled or did not parse a line shows
no figure and ends with 1.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "kafka")]
from kafka_harness import Broker  # noqa: E402

TENANTS, PARTITIONS = 180, 2
TICK = os.sysconf("SC_CLK_TCK")
TICK_FRAME_BYTES = 256 * 1024
CASES = {
    "backlog": {"per_record": 1, "batch": 20},
    "backlog50": {"per_record": 50, "batch": 1},
    "steady10k": {"per_record": 1, "rate": 10000},
    "steady30k": {"per_record": 1, "rate": 30000},
    "steady": {"per_record": 1, "rate": 5000},
    "busy": {"per_record": 1, "batch": 20, "busy": True},
    "restart": {"per_record": 1, "batch": 20, "kill": True},
}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid, what):
    """VmHWM: the most so far; VmRSS: now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    return 0


def resident_peak(pid):
    return resident(pid, "VmHWM")


def metrics(path):
    """{name: sum over labels} of the collector's page."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(b"GET /metrics HTTP/1.0\r\nHost: local\r\n\r\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    found = {}
    for line in data.decode().split("\r\n\r\n", 1)[-1].splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            name = name.removeprefix("sekisho_latency_seconds_bucket") if "_bucket{" in name else name.split("{", 1)[0]
            name = name.removesuffix("_total")
            found[name] = found.get(name, 0.0) + float(value)
    return found


def latency_ms(before, after, share):
    """Upper end of the bucket in which a share of the rows between two pages lies."""
    buckets = [(float(name[5:-2]), after[name] - before.get(name, 0)) for name in after if name.startswith('{le="')]
    return min((le for le, count in buckets if count >= share * buckets[-1][1]), default=0) * 1e3


class Collector:
    def __init__(self, options, folder, kafka, support, more=""):
        self.folder = pathlib.Path(folder).resolve()
        self.socket = self.folder / "metrics.sock"
        config = support / f"collector-{os.getpid()}.yaml"
        world = [line for line in (support / "config.yaml").read_text().splitlines() if not line.startswith("data:")]
        config.write_text(f"data: {self.folder}/data\nkafka: {{brokers: \"{kafka.bootstrap}\"}}\n"
                          f"metrics: unix:{self.socket}\nlimits: {{{options.limits}}}\n{more}" + "\n".join(world) + "\n")
        self.log = open(self.folder / "collect.log", "wb")
        self.process = subprocess.Popen([options.sekisho, "collect", "-c", config], stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()

    def wait(self, condition, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the collector ended: {(self.folder / 'collect.log').read_text()[-2000:]}")
            try:
                found = metrics(self.socket)
                if condition(found):
                    return found
            except (OSError, ValueError):
                pass
            time.sleep(0.2)
        raise TimeoutError(f"not collected in {timeout} s: {(self.folder / 'collect.log').read_text()[-2000:]}")


def produce_command(options, kafka, case, lines):
    command = [options.produce, "--brokers", kafka.bootstrap, "--tenants", str(TENANTS), "--events", str(lines),
               "--format", "fortigate", "--per-record", str(case["per_record"]), "--seed", str(options.seed)]
    command += ["--batch", str(case["batch"]), "--linger-ms", "2000"] if "batch" in case else []
    command += ["--rate", str(case["rate"]), "--linger-ms", "100"] if "rate" in case else []
    return command


def produce(options, kafka, case, lines):
    command = produce_command(options, kafka, case, lines)
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def make_topics(options, kafka):
    names = subprocess.run([options.produce, "--list", "--tenants", str(TENANTS), "--format", "fortigate"],
                           check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    kafka.create_topics({n: {"partitions": PARTITIONS, "configs": {"message.timestamp.type": "LogAppendTime"}}
                         for n in names})
    return names


def check(found, lines):
    got, unparsed = int(found.get("sekisho_events", 0)), int(found.get("sekisho_unparsed", 0))
    if got != lines or unparsed:
        sys.exit(f"{lines} lines were sent, {got} collected, {unparsed} not parsed: no figure is shown")


def run_backlog(options, kafka, case, support, lines):
    produce(options, kafka, case, lines)
    samples = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory(prefix="sekisho-bench-", dir=options.folder) as folder:
            start = time.monotonic()
            with Collector(options, folder, kafka, support) as c:
                found = c.wait(lambda m: m.get("sekisho_events", 0) >= lines, 600)
                cpu = cpu_seconds(c.process.pid)
                samples.append({"cpu": cpu / lines * 1e6, "resident_mb": resident_peak(c.process.pid) / 1e6,
                                "wall": time.monotonic() - start,
                                "bytes": found["sekisho_log_bytes"] / lines})
                check(found, lines)
    return samples


class Searches(threading.Thread):
    """One search after the other over the whole store, which asks each row, until it is told to end."""

    QUESTIONS = ("destination.port:445", "| stats count() by destination.ip | top 10", "url.path:*update*")

    def __init__(self, options, data):
        super().__init__()
        self.options, self.data, self.end, self.answers = options, data, threading.Event(), 0

    def run(self):
        while not self.end.is_set():
            question = self.QUESTIONS[self.answers % len(self.QUESTIONS)]
            done = subprocess.run([self.options.sekisho, "search", question, "--data", self.data, "--json"], check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if done.returncode in (0, 1):
                self.answers += 1
            else:
                time.sleep(0.1)     # the store is not there yet


def run_busy(options, kafka, case, support, lines):
    """Pairs of runs: alone, and with compaction and searches beside it."""
    produce(options, kafka, case, lines)
    samples = []
    for _ in range(options.repeat):
        sample = {}
        for what, more in (("alone", ""), ("busy", "long_term: {every: 1s, delay: 0s}\n")):
            with tempfile.TemporaryDirectory(prefix="sekisho-bench-", dir=options.folder) as folder, \
                    Collector(options, folder, kafka, support, more) as c:
                first = c.wait(lambda m: m.get("sekisho_events", 0) > lines // 20, 600)
                start = time.monotonic()
                searches = Searches(options, c.folder / "data")
                if what == "busy":
                    searches.start()
                found = c.wait(lambda m: m.get("sekisho_events", 0) >= lines, 600)
                sample[f"{what}_per_s"] = (lines - first["sekisho_events"]) / (time.monotonic() - start)
                searches.end.set()
                if what == "busy":
                    searches.join()
                    sample["answers"] = searches.answers
                    sample["segment_mb"] = sum(f.stat().st_size for f in (c.folder / "data" / "seg").rglob("*")) / 1e6
                check(found, lines)
        sample["slower"] = 1 - sample["busy_per_s"] / sample["alone_per_s"]
        samples.append(sample)
    return samples


def log_bytes(folder):
    return sum(f.stat().st_size for f in (folder / "data" / "log").iterdir())


def wait_for_lines(c, timeout):
    """Until the log grows; what recovery cuts off first makes it smaller."""
    least = log_bytes(c.folder)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        now = log_bytes(c.folder)
        if now > least + TICK_FRAME_BYTES:
            return
        least = min(least, now)
        time.sleep(0.01)
    raise TimeoutError(f"nothing collected in {timeout} s: {(c.folder / 'collect.log').read_text()[-2000:]}")


def run_restart(options, kafka, case, support, lines):
    """One run: the state is that of the lines collected before the kill, snapshots as old as they happen to be."""
    produce(options, kafka, case, lines)
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-", dir=options.folder) as folder:
        with Collector(options, folder, kafka, support) as c:
            c.wait(lambda m: m.get("sekisho_events", 0) >= lines // 2, 600)
            c.process.kill()
            c.process.wait()
        start = time.monotonic()
        with Collector(options, folder, kafka, support) as c:
            wait_for_lines(c, 60)
            return {"seconds": time.monotonic() - start, "cpu_seconds": cpu_seconds(c.process.pid)}


def run_steady(options, kafka, case, support):
    """One run; the topics are empty before it."""
    warm, lines = case["rate"] * options.seconds // 4, case["rate"] * (options.seconds + options.seconds // 4)
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-", dir=options.folder) as folder:
        with Collector(options, folder, kafka, support) as c:
            c.wait(lambda m: m.get("sekisho_kafka_partitions", 0) >= TENANTS * PARTITIONS, 60)
            with subprocess.Popen(produce_command(options, kafka, case, lines), stdout=subprocess.PIPE) as sender:
                before = c.wait(lambda m: m.get("sekisho_events", 0) >= warm, options.seconds + 60)
                cpu = cpu_seconds(c.process.pid)
                memory = resident(c.process.pid, "VmRSS")
                found = c.wait(lambda m: m.get("sekisho_events", 0) >= lines, 2 * options.seconds + 60)
                cpu = cpu_seconds(c.process.pid) - cpu
                sent = json.loads(sender.communicate()[0])
            check(found, lines)
            return {"cpu": cpu / (lines - before["sekisho_events"]) * 1e6,
                    "resident_mb": resident_peak(c.process.pid) / 1e6,
                    "grown_mb": (resident(c.process.pid, "VmRSS") - memory) / 1e6, "rate": lines / sent["seconds"],
                    "p99_ms": latency_ms(before, found, 0.99), "p50_ms": latency_ms(before, found, 0.5),
                    "bytes": found["sekisho_log_bytes"] / lines}


def measure(options, name, support):
    case = CASES[name]
    if "rate" not in case:
        with Broker(heap_mb=768) as kafka:
            make_topics(options, kafka)
            if "busy" in case:
                return run_busy(options, kafka, case, support, options.lines)
            if "kill" not in case:
                return run_backlog(options, kafka, case, support, options.lines)
            return [run_restart(options, kafka, case, support, options.lines)]
    samples = []
    for _ in range(options.repeat):
        with Broker(heap_mb=768) as kafka:
            make_topics(options, kafka)
            samples.append(run_steady(options, kafka, case, support))
    return samples


def tell(name, samples):
    print(f"{name}:")
    for key in samples[0]:
        values = sorted(s[key] for s in samples)
        print(f"  {key:12s} {statistics.median(values):10.3f}   ({values[0]:.3f}..{values[-1]:.3f}, {len(values)} runs)",
              flush=True)


def add_indicators(support, count):
    """A list of `count` invented entries, seven of ten domains, in the generated configuration."""
    with open(support / "bulk.txt", "w", encoding="ascii") as out:
        for i in range(count):
            out.write(f"host{i * 2654435761 % 2**32:08x}.bench{i % 9973}.example\n" if i % 10 < 7 else
                      f"198.{18 + i % 2}.{i // 2 % 256}.{i // 512 % 256}:{1024 + i // 131072}\n")
    config = (support / "config.yaml").read_text()
    entry = "lists:\n  - {name: bulk, file: bulk.txt}\n"
    (support / "config.yaml").write_text(config.replace("lists:\n", entry, 1) if "lists:\n" in config else config + entry)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE")
    parser.add_argument("--sekisho", default=str(ROOT / "build" / "release" / "sekisho"))
    parser.add_argument("--produce", default=str(ROOT / "build" / "release" / "benches" / "bench_produce"))
    parser.add_argument("--lines", type=int, default=1_000_000, help="of a backlog")
    parser.add_argument("--seconds", type=int, default=30, help="of a steady rate")
    parser.add_argument("--rate", type=int, default=5000, help="lines a second of the case steady")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default=None, help="where stores and the broker's data go")
    parser.add_argument("--indicators", type=int, default=1_000_000, help="entries of the list")
    parser.add_argument("--limits", default="", help="of the collector, as in 'batch_age: 200ms'")
    parser.add_argument("--json", default=None)
    options = parser.parse_args()
    CASES["steady"]["rate"] = options.rate
    results = {}
    support = pathlib.Path(tempfile.mkdtemp(prefix="sekisho-bench-support-", dir=options.folder)) / "gen"
    try:
        subprocess.run([options.sekisho, "gen", "--seed", str(options.seed), "--tenants", str(TENANTS), "--events", "1000",
                        "--format", "fortigate", "--out", support], check=True)
        add_indicators(support, options.indicators)
        for name in options.cases or CASES:
            results[name] = measure(options, name, support)
            tell(name, results[name])
    finally:
        shutil.rmtree(support.parent, ignore_errors=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
