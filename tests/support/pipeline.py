"""What tests of the way from Kafka to the store share: configuration, senders with journals, the collector, and what
is compared in the end."""
import contextlib
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

from sekisho import Daemon, ROOT, need_binary, ndjson, run, wait_until

CHECKER = ROOT / "tests" / "checker" / "sekisho_check.py"
sys.path[:0] = [str(CHECKER.parent)]
import sekisho_check  # noqa: E402


def checked_code(number):
    """The municipality code of five digits with its check digit."""
    digits = f"{number:05d}"
    rest = sum(int(d) * w for d, w in zip(digits, (6, 5, 4, 3, 2))) % 11
    return digits + str((11 - rest) % 10)


class Collector:
    """A collector with its configuration and store in a folder; survives restarts.

    env     of the process, beside that of the test
    keys    lines of YAML to add, as "limits: {batch_age: 200ms}"
    """

    def __init__(self, folder, kafka, keys="", group="sekisho", brokers=None, binary=None, env=None,
                 prefix="seclog.raw."):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data, self.log = self.folder / "data", self.folder / "collect.log"
        self.conf, self.kafka, self.group = self.folder / "collector.yaml", kafka, group
        self.brokers, self.binary, self.env = brokers or kafka.bootstrap, binary, env or {}
        self.daemon, self.prefix = None, prefix
        self.configure(keys)

    def configure(self, keys):
        if "long_term:" not in keys:  # at five past the hour it would take the rows that the log is asked for
            keys += "\nlong_term: {compact: false}"
        self.conf.write_text(f"data: {self.data}\nkafka: {{brokers: \"{self.brokers}\", group: {self.group}, "
                             f"prefix: \"{self.prefix}\", discover: 200ms, fetch_wait: 50ms}}\n{keys}\n")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.daemon:
            self.daemon.kill()

    def start(self, faults=None, wait=True):
        env = {**self.env, **({"SEKISHO_FAULTS": faults} if faults else {})}
        self.daemon = Daemon("collect", "-c", self.conf, log=self.log, env=env, binary=self.binary)
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.daemon.start()
        if wait:
            wait_until(lambda: "started" in self.text() or not self.daemon.running(), 30, "the collector to start")
            assert self.daemon.running(), f"ended with {self.daemon.process.returncode}:\n{self.text()[-3000:]}"
        return self

    def text(self):
        """The log since the last start."""
        with open(self.log, "rb") as stream:
            stream.seek(self.log_start)
            return stream.read().decode(errors="replace")

    def running(self):
        return self.daemon is not None and self.daemon.running()

    def kill(self):
        return self.daemon.kill()

    def stop(self, code=0, within=10):
        start = time.monotonic()
        got = self.daemon.stop(within)
        assert got == code, f"ended with {got}, not {code}:\n{self.text()[-3000:]}"
        return time.monotonic() - start

    def wait_text(self, text, timeout=30):
        wait_until(lambda: re.search(text, self.text()) or not self.running(), timeout, f"{text!r} in the log")
        found = re.search(text, self.text())
        assert found, f"ended with {self.daemon.process.returncode} before {text!r}:\n{self.text()[-3000:]}"
        return found

    def wait_collected(self, ends, timeout=120):
        """Until what was made durable reaches `ends`, {(topic, partition): offset}."""
        left, looked = dict(ends), time.monotonic()

        def arrived():
            nonlocal looked
            assert self.running(), f"ended with {self.daemon.process.returncode}:\n{self.text()[-3000:]}"
            # The offsets that Kafka is told are a hint: after a restart without news there is none.
            stored = {}
            if time.monotonic() - looked > 2:
                stored, looked = log_ends(self.data), time.monotonic()
            for key in list(left):
                if max(self.kafka.committed(self.group, *key), stored.get(key, 0)) >= left[key]:
                    del left[key]
            return not left
        try:
            self.kafka.wait(arrived, timeout, "all to be collected")
        except TimeoutError as error:
            raise AssertionError(f"not collected: {left}: {error}\n{self.text()[-3000:]}") from error


def log_ends(data):
    """{(topic, partition): offset} that the log's whole frames reach, read by the checker's code."""
    log = sekisho_check.Log(pathlib.Path(data), sekisho_check.Findings(), None)
    log.walk()
    return {(topic.decode(), partition): end for (topic, partition), (_, end) in log.ends.items()}


def log_ranges(data):
    """[(kind, topic, partition, start, end, reason)] of the log, in its order."""
    found = []

    def note(frame):
        for topic, partition, _, _, ranges in frame.partitions:
            found.extend((sekisho_check.KINDS[kind], topic.decode(), partition, start, end, reason.decode())
                         for kind, start, end, reason in ranges)
    sekisho_check.Log(pathlib.Path(data), sekisho_check.Findings(), note).walk()
    return found


def check_hint(collector, topics):
    """No offset that Kafka was told lies behind what the log holds. topics: {name: partitions}"""
    ends = log_ends(collector.data) if (collector.data / "log").exists() else {}
    for topic, partitions in topics.items():
        for partition in range(partitions):
            told = collector.kafka.committed(collector.group, topic, partition)
            have = ends.get((topic, partition), 0)
            assert told <= have, f"Kafka was told {told} of {topic} [{partition}], the log has {have}"


class Journal:
    """What was sent: JSON lines in a file, and the records in memory by (topic, partition)."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.touch()

    def add(self, topic, partition, offset, value):
        with open(self.path, "a", encoding="ascii") as out:
            value = value or b""
            out.write(json.dumps({"topic": topic, "partition": partition, "offset": offset, "bytes": len(value),
                                  "sha256": hashlib.sha256(value).hexdigest()}) + "\n")

    def send(self, kafka, topic, source, *options, timeout=600):
        """`sekisho send`, its journal appended to ours. source: a path, bytes or None (an open pipe is not for us)."""
        stdin = source if isinstance(source, bytes) else None
        arguments = ["send", "--brokers", kafka.bootstrap, "--topic", topic, *options]
        arguments += [] if stdin is not None else [str(source)]
        done = run(*arguments, stdin=stdin, timeout=timeout)
        with open(self.path, "ab") as out:
            out.write(done.stdout)
        return done.stdout.count(b"\n")

    def records(self):
        """[(topic, partition, offset, bytes, sha256)] in order."""
        found = {(r["topic"], r["partition"], r["offset"], r["bytes"], r["sha256"]) for r in ndjson(self.path)}
        return sorted(found)

    def ends(self):
        ends = {}
        for topic, partition, offset, _, _ in self.records():
            ends[topic, partition] = max(ends.get((topic, partition), 0), offset + 1)
        return ends


def check_store(data, journal=None, ends=None, expect=0):
    """The checker that shares no code with the program, and `verify`. Returns the checker's last line."""
    command = [sys.executable, str(CHECKER), str(data)]
    if journal:
        command += ["--journal", str(journal.path)]
        ends = journal.ends() if ends is None else ends
    if ends:
        command += ["--expect-end", *(f"{t}/{p}={o}" for (t, p), o in ends.items())]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == expect, f"checker: exit {done.returncode}\n{said}"
    return said.strip().splitlines()[-1]


def verify(data):
    return run("verify", "--data", data)


def compare_export(data, journal):
    """`export --raw` against the journal, record by record, and the hash that NDJSON carries. Returns the count."""
    records = journal.records()
    with subprocess.Popen([str(need_binary()), "export", "--data", str(data), "--raw"], stdout=subprocess.PIPE) as raw:
        for topic, partition, offset, size, sha256 in records:
            value = raw.stdout.read(size + 1)
            assert len(value) == size + 1 and value[size:] == b"\n" and \
                hashlib.sha256(value[:size]).hexdigest() == sha256, \
                f"export --raw differs: {topic} [{partition}] {offset}, {size} bytes"
        assert raw.stdout.read() == b"", "export --raw gives more than was sent"
    assert raw.returncode == 0
    return len(records)


def compare_ndjson(data, journal):
    """`export` carries each record's hash in the first of its rows."""
    sent = {(t, p, o): h for t, p, o, _, h in journal.records()}
    rows = 0
    with subprocess.Popen([str(need_binary()), "export", "--data", str(data)], stdout=subprocess.PIPE) as out:
        for line in out.stdout:
            rows += 1
            place = re.search(rb'"kafka.topic":"([^"]+)","kafka.partition":(\d+),"kafka.offset":(\d+)', line)
            digest = re.search(rb'"sekisho.raw.sha256":"([0-9a-f]{64})"', line)
            if digest:
                key = place.group(1).decode(), int(place.group(2)), int(place.group(3))
                assert sent.get(key, digest.group(1).decode()) == digest.group(1).decode(), key
                sent.pop(key, None)
    assert out.returncode == 0 and not sent, f"{len(sent)} records without a hash: {sorted(sent)[:3]}"
    return rows


class Flow:
    """A producer that goes on in a thread: `sekisho send` of one chunk after the other until stopped."""

    def __init__(self, kafka, journal, chunks, pause=0.05):
        self.kafka, self.journal, self.chunks, self.pause = kafka, journal, chunks, pause
        self.stopping, self.sent, self.error = threading.Event(), 0, None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            for topic, data, options in self.chunks:
                if self.stopping.is_set():
                    return
                self.sent += self.journal.send(self.kafka, topic, data, *options)
                self.stopping.wait(self.pause)
        except BaseException as error:  # noqa: B902  (handed to the test's own thread)
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join()
        if self.error:
            raise self.error
        return self.sent

    def __exit__(self, kind, *_):
        with contextlib.suppress(BaseException if kind else ()):
            self.stop()
