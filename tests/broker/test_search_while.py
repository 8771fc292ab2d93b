#!/usr/bin/env python3
"""While a collector collects and compacts, whoever searches sees a prefix of the truth: of each partition all lines up to
some place, each once, never fewer than a search before saw, and no answer is incomplete; and whoever verifies finds nothing.

Several searchers ask all the time, by different ways to the rows: the raw lines of a partition, counts, a filter, groups.
Others verify the store, also by a checkpoint that they keep, read the ledger, and prove lines. Rows move from the log into
segments, hours are written again and files of the log are retired meanwhile.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, checked_code, check_store  # noqa: E402
from sekisho import BIN, LONG, Steps, run, seeded_random, temp_dir, wait_until  # noqa: E402

NICENESS = 15           # of a search beside a collector
SECONDS, COMPACTIONS = (120, 10) if LONG else (12, 4)
KEYS = """limits: {log_file_bytes: 64KiB, batch_age: 100ms}
long_term: {every: 1s, delay: 0s}
checkpoint: {every: 1s}
tenants:
"""
TENANTS = [checked_code(n) for n in (99001, 99002, 99003)]
TOPICS = [f"seclog.raw.{code}.px1" for code in TENANTS]
HOSTS = ("www", "mail", "files", "update")


def line(r, number):
    host = r.choice(HOSTS)
    return (f"1763700000.{number % 1000:03d}    120 198.18.{r.randrange(4)}.{r.randrange(1, 250)} TCP_MISS/200 "
            f"{r.randrange(300, 9000)} GET http://{host}.example.jp/n{number} - HIER_DIRECT/203.0.113.{r.randrange(1, 250)} "
            "text/html").encode()


class Scene:
    def __init__(self, folder, kafka, r):
        self.folder, self.kafka, self.r = folder, kafka, r
        text = KEYS + "".join(f'  "{code}": {{sources: {{px1: {{format: squid}}}}}}\n' for code in TENANTS)
        self.collector = Collector(folder / "collector", kafka, text)
        self.data = self.collector.data
        self.sent = {topic: [] for topic in TOPICS}   # lists only grow, and before they are sent
        self.done = threading.Event()
        self.wrong, self.asked = [], {}

    def send(self):
        """Bursts of lines to one partition after the other."""
        while not self.done.is_set():
            topic = self.r.choice(TOPICS)
            lines = [line(self.r, len(self.sent[topic]) + i) for i in range(self.r.randrange(50, 3000))]
            self.sent[topic] += lines
            (self.folder / "piece").write_bytes(b"\n".join(lines) + b"\n")
            run("send", "--brokers", self.kafka.bootstrap, "--topic", topic, self.folder / "piece")

    def ask(self, name, question):
        """The same again and again until the end; what it raises is kept."""
        self.asked[name] = 0
        seen = {}
        try:
            while not self.done.is_set():
                question(seen)
                self.asked[name] += 1
        except Exception as wrong:  # pylint: disable=broad-except
            self.wrong.append(f"{name}: {wrong!r}"[:2000])
            self.done.set()

    def grows(self, seen, key, now):
        assert now >= seen.get(key, 0), f"{key}: {now} after {seen.get(key)}"
        seen[key] = now

    def raw_lines(self, seen):
        topic = TOPICS[len(seen) % len(TOPICS)] if len(seen) < len(TOPICS) else min(seen, key=seen.get)
        got = run("export", "--raw", "--data", self.data, "--topic", topic, "--partition", 0).stdout.splitlines()
        assert got == self.sent[topic][:len(got)], f"{topic}: {len(got)} lines are no prefix of what was sent"
        self.grows(seen, topic, len(got))

    def count(self, seen):
        done = run("search", "", "--data", self.data, "--count", check=None)
        assert done.returncode in (0, 1), done.stderr
        self.grows(seen, "rows", int(done.stdout))

    def groups(self, seen):
        done = run("search", "url.path:* | stats count() as rows, min(url.path) by sekisho.tenant", "--data", self.data, "--json", check=None)
        assert done.returncode in (0, 1), done.stderr
        for row in map(json.loads, done.stdout.splitlines()):
            self.grows(seen, row["sekisho.tenant"], row["rows"])

    def filtered(self, seen):
        code = TENANTS[0]
        done = run("search", "url.domain:mail.example.jp", "--tenant", code, "--data", self.data, "--raw", check=None)
        assert done.returncode in (0, 1), done.stderr
        got = done.stdout.splitlines()
        want = [text for text in self.sent[TOPICS[0]] if b"//mail." in text]
        assert got == want[:len(got)], f"{len(got)} hits are no prefix"
        self.grows(seen, "hits", len(got))

    def verified(self, seen):
        kept = self.folder / "kept"
        since = ["--checkpoint", kept] if kept.exists() else []
        done = run("verify", "--data", self.data, "--json", *since, check=None)
        assert done.returncode == 0, done.stdout + done.stderr
        self.grows(seen, "rows", json.loads(done.stdout)["segment_rows"])
        newest = run("checkpoint", "--data", self.data, check=None)
        if newest.returncode == 0 and not since:
            kept.write_bytes(newest.stdout)

    def ledger(self, seen):
        done = run("ledger", "--data", self.data, "--json", check=None)
        assert done.returncode == 0, done.stdout + done.stderr
        self.grows(seen, "stored", json.loads(done.stdout.splitlines()[-1])["stored"])

    def proved(self, seen):
        """A line that was proved can be proved ever after, by the newest checkpoint."""
        seen.setdefault("next", 0)
        path = self.folder / "line.proof"
        made = run("proof", "--data", self.data, "--tenant", TENANTS[1], "--number", seen["next"], check=None)
        if made.returncode in (1, 3) and seen["next"] == 0:   # nothing is signed as yet
            return
        assert made.returncode == 0, made.stderr
        path.write_bytes(made.stdout)
        run("verify", "--proof", path, "--data", self.data)
        last = run("proof", "--data", self.data, "--tenant", TENANTS[1], "--number", seen["next"] + 500, check=None)
        assert last.returncode in (0, 1), last.stderr
        seen["next"] += 500 if last.returncode == 0 else 0

    def compactions(self):
        return self.collector.text().count("rows are in segments")

    def run(self, step):
        questions = {"raw lines": self.raw_lines, "count": self.count, "groups": self.groups, "filter": self.filtered,
                     "verify": self.verified, "ledger": self.ledger, "proofs": self.proved}
        threads = [threading.Thread(target=self.send)]
        threads += [threading.Thread(target=self.ask, args=item) for item in questions.items()]
        for thread in threads:
            thread.start()
        begin = time.monotonic()
        # A busy machine gives compaction, which is last in line, little time.
        while not self.done.is_set() and (time.monotonic() < begin + SECONDS or self.compactions() < COMPACTIONS):
            time.sleep(0.2)
            assert time.monotonic() < begin + 10 * SECONDS, f"{self.compactions()} compactions in all that time"
        self.done.set()
        for thread in threads:
            thread.join()
        assert not self.wrong, "\n".join(self.wrong)
        total = sum(map(len, self.sent.values()))
        step(f"{total} lines, {sum(self.asked.values())} questions: {self.asked}")
        assert min(self.asked.values()) >= 3 and total > 3000, self.asked
        wait_until(lambda: int(run("search", "", "--data", self.data, "--count").stdout) == total, 60, "all to be stored")
        text = self.collector.text()
        checkpoints = text.count("component=checkpoint")
        assert checkpoints >= COMPACTIONS and "level=error" not in text, text[-3000:]
        step(f"{self.compactions()} compactions, {checkpoints} checkpoints meanwhile")


def gives_way(scene, step, collected):
    """A search takes the CPU that a collector leaves; without one it is like any other program."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with subprocess.Popen([str(BIN), "search", "", "--data", str(scene.data), "--count"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, "SEKISHO_FAULTS": "stop@open=.log"}) as search:
        wait_until(lambda: "T (stopped)" in pathlib.Path(f"/proc/{search.pid}/status").read_text(), what="the stop")
        nice = os.getpriority(os.PRIO_PROCESS, search.pid)
        search.send_signal(signal.SIGCONT)
        assert search.wait(60) == 0, search.stderr.read()
    assert nice == (max(usual, NICENESS) if collected else usual), f"{nice}, this program has {usual}"
    step(f"a search has a niceness of {nice}, {'beside' if collected else 'without'} a collector")


def main():
    step = Steps()
    r = seeded_random()
    with temp_dir() as folder, Broker() as kafka:
        scene = Scene(folder, kafka, r)
        kafka.create_topics({topic: 1 for topic in TOPICS})
        with scene.collector:
            run("send", "--brokers", kafka.bootstrap, "--topic", TOPICS[0], "-", stdin=b"")
            wait_until(lambda: (scene.data / "log").is_dir(), 30, "a store")
            scene.run(step)
            gives_way(scene, step, True)
            scene.collector.stop()
        gives_way(scene, step, False)
        check_store(scene.data)
        step("the checker finds nothing")


if __name__ == "__main__":
    main()
