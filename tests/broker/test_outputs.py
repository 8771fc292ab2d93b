#!/usr/bin/env python3
"""Outputs of alerts against real receivers: each alert arrives, whatever receivers and the process itself go through,
and none of them holds up another or the end."""
import base64
import contextlib
import email
import email.header
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker, free_ports  # noqa: E402
from receivers import Babbler, DatagramSyslog, Redis, Smtp, StreamSyslog  # noqa: E402
from sekisho import (BIN, LONG, Daemon, Steps, _die_with_parent, need_binary, ndjson, run, seeded_random,  # noqa: E402
                     skip, temp_dir, wait_until)

RUN = BIN.parent / "tests" / "run_outputs"
TENANTS = {990019: "例示市", 52027: "見本町", 12025: "手本村"}
SEVERITIES = ["informational", "low", "medium", "high", "critical"]
KILLS = 40 if LONG else 8
ALERT_TOPIC = "seclog.alert.finding.v1"
# Everything is allowed that no rule forbids.
AUTHORIZER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
              "allow.everyone.if.no.acl.found": "true"}


class Alert:
    def __init__(self, number, revision=1, severity="high", state="open", tenant=None):
        self.id, self.revision, self.severity, self.state = f"{number:032x}", revision, severity, state
        self.tenant = tenant or sorted(TENANTS)[number % 3]
        self.number = number

    @property
    def line(self):
        return json.dumps({
            "action.ja": "端末を確認してください", "alert.count": self.revision,
            "alert.first": "2026-11-21T01:00:00Z", "alert.id": self.id, "alert.kind": "D3",
            "alert.last": f"2026-11-21T01:{self.number // 60 % 60:02d}:{self.number % 60:02d}Z",
            "alert.revision": self.revision, "alert.severity": self.severity, "alert.state": self.state,
            "evidence": ["seclog.raw.990019.fw1/0/17/0"], "message.en": "a scan",
            "message.ja": f"走査の疑い {self.number}\r\nBcc: x@example.com",
            "sekisho.tenant": f"{self.tenant:06d}", "sekisho.tenant.name": TENANTS[self.tenant]},
            ensure_ascii=False, separators=(",", ":"))


class Outputs:
    """The program that runs the outputs of a configuration, and what was committed to its log."""

    def __init__(self, folder, keys, tenants=""):
        if not os.access(RUN, os.X_OK):
            skip(f"{RUN} is not built")
        self.folder = pathlib.Path(folder)
        self.conf, self.log = self.folder / "collector.yaml", self.folder / "outputs.log"
        self.data = self.folder / "data"
        self.tenants, self.process, self.committed = tenants, None, []
        self.configure(keys)

    def configure(self, keys):
        keys = "".join(f"  {line}\n" for line in keys.splitlines())
        self.conf.write_text(f"data: data\n{self.tenants}outputs:\n{keys}")

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, kind, *_):
        self.kill()
        if kind:
            sys.stderr.write("".join(self.log.read_text(errors="replace").splitlines(True)[-30:]))

    def start(self, faults=None, memory=None):
        def prepare():
            _die_with_parent()
            if memory:
                resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        env = {**os.environ, **({"SEKISHO_FAULTS": faults} if faults else {})}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(RUN), str(self.conf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, env=env, preexec_fn=prepare)
        line = self.process.stdout.readline()
        if faults and not line:
            raise ConnectionError("the process ended at its start")
        assert line == "started\n", f"{line!r}\n{self.log.read_text()[-3000:]}"
        return self

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) not in ("ok\n", ""):
            assert line != "bad\n", command
            lines.append(line.split())
        if not line:
            raise ConnectionError("the process ended")
        return lines

    def commit(self, *alerts):
        for a in alerts:
            self.ask(f"alert {a.tenant} {a.id} {a.revision} {a.line}")
        # What is in the log counts, also when the answer does not come.
        self.committed += alerts
        self.ask("commit")

    def stats(self, name):
        for row in self.ask("stats"):
            if row[0] == name:
                return dict(zip(("delivered", "failed", "retries", "behind", "open"), map(int, row[1:])))
        raise KeyError(name)

    def wait_delivered(self, name, timeout=60):
        try:
            wait_until(lambda: self.stats(name)["behind"] == 0, timeout, f"{name} to be delivered", 0.05)
        except TimeoutError:
            raise AssertionError(f"{name}: {self.stats(name)}\n{self.log.read_text()[-3000:]}") from None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            # What was written and not read any more cannot be flushed.
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def stop(self):
        """Seconds that it took."""
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line.startswith("stopped "), line
        assert self.process.wait(10) == 0
        self.kill()
        return int(line.split()[1]) / 1000

    def text(self):
        return self.log.read_text(errors="replace")


def alerts(first, count, **how):
    return [Alert(n, **how) for n in range(first, first + count)]


def keys_of(found):
    return [(a["alert.id"], a["alert.revision"]) for a in found]


def committed_keys(outputs):
    return [(a.id, a.revision) for a in outputs.committed]


# Files

def check_files(outputs):
    """Every alert once, in order, in the file of all and in that of its municipality."""
    found = ndjson(outputs.folder / "alerts.ndjson")
    assert keys_of(found) == committed_keys(outputs), f"{len(found)} of {len(outputs.committed)}"
    for tenant in {a.tenant for a in outputs.committed}:
        own = ndjson(outputs.folder / "each" / f"{tenant:06d}.ndjson")
        assert keys_of(own) == [(a.id, a.revision) for a in outputs.committed if a.tenant == tenant]
        assert {a["sekisho.tenant"] for a in own} == {f"{tenant:06d}"}


FILES = "file: {path: alerts.ndjson, tenant_directory: each}\n"


def test_files(folder, step):
    with Outputs(folder, FILES) as o:
        for i in range(20):
            o.commit(*alerts(10 * i, i))
        o.wait_delivered("file")
        check_files(o)
        mode = (folder / "alerts.ndjson").stat().st_mode & 0o777
        assert mode & ~0o640 == 0, oct(mode)
        assert o.stop() < 3
        with o:
            o.commit(*alerts(1000, 3))
            o.wait_delivered("file")
            check_files(o)
            step("files hold each alert once, a municipality's its own, over a restart")
            os.rename(folder / "alerts.ndjson", folder / "alerts.ndjson.1")
            before = len(o.committed)
            o.commit(*alerts(2000, 5))
            o.wait_delivered("file")
            assert keys_of(ndjson(folder / "alerts.ndjson")) == committed_keys(o)[before:]
            assert keys_of(ndjson(folder / "alerts.ndjson.1")) == committed_keys(o)[:before]
            step("a file that was rotated away stays, a new one is begun")


def test_kill(folder, step):
    with Redis(folder / "redis") as redis, Broker() as kafka:
        kill_often(folder, redis, kafka, step)


def kill_often(folder, redis, kafka, step):
    """SIGKILL between delivery and cursor, at that very place and at any time."""
    random = seeded_random()
    kafka.create_topic(ALERT_TOPIC, partitions=2)
    o = Outputs(folder, FILES + f"redis: {{address: \"unix:{redis.path}\"}}\nkafka: {{brokers: \"{kafka.bootstrap}\"}}\n")
    number = 0
    for i in range(KILLS):
        faults = f"crash@output.delivered:{1 + i % 3}" if i % 2 == 0 else None
        end = time.monotonic() + random.uniform(0.02, 0.3)
        try:
            o.start(faults)
            while time.monotonic() < end or faults:
                fresh = alerts(number, 1 + number % 4)
                number += len(fresh)
                o.commit(*fresh)
                if time.monotonic() > end + 10:
                    raise AssertionError("the failpoint was not passed")
        except (ConnectionError, BrokenPipeError):
            # Whether the last frame is in the log is not known.
            pass
        o.kill()
    o.start()
    o.wait_delivered("file")
    o.wait_delivered("redis")
    o.wait_delivered("kafka")
    o.stop()
    # What the program had not confirmed may be missing, nothing else, and nothing is there twice.
    found = keys_of(ndjson(folder / "alerts.ndjson"))
    assert len(found) == len(set(found)) and set(found) <= set(committed_keys(o))
    o.committed = [a for a in o.committed if (a.id, a.revision) in set(found)]
    check_files(o)
    stream = [(e["id"], int(e["revision"])) for e in redis.stream_entries("sekisho:alerts")]
    assert stream == found, f"{len(stream)} in Redis, {len(found)} in the file"
    topic = consumed(kafka, ALERT_TOPIC)
    by_key = {(k, int(headers["revision"])): line for k, headers, line in topic}
    assert set(by_key) == set(found), f"{len(by_key)} in Kafka, {len(found)} in the file"
    assert {line for _, _, line in topic} == set(by_key.values()), "a revision with other bytes"
    step(f"{KILLS} kills: {len(found)} alerts, each once, in files and in Redis; {len(topic)} records in Kafka, which are "
         f"{len(by_key)} by id and revision")


# Redis

def check_redis(redis, o):
    last = {}
    for a in o.committed:
        last[a.id] = a
    stream = redis.stream_entries("sekisho:alerts")
    assert [(e["id"], int(e["revision"])) for e in stream] == committed_keys(o), len(stream)
    for entry, a in zip(stream, o.committed):
        assert entry["line"] == a.line and entry["tenant"] == f"{a.tenant:06d}" and entry["severity"] == a.severity
    for a in last.values():
        kept = redis.hash(f"sekisho:alert:{a.id}")
        assert kept == {"revision": str(a.revision), "tenant": f"{a.tenant:06d}", "severity": a.severity,
                        "state": a.state, "line": a.line}
        assert 0 < redis.call("TTL", f"sekisho:alert:{a.id}") <= 30 * 86400
    # The stream is trimmed in whole nodes, the set exactly.
    latest = redis.call("ZREVRANGE", "sekisho:latest", 0, -1)
    assert set(latest) == {a.id for a in last.values() if a.state != "superseded"}
    return stream


def test_redis(folder, step):
    redis = Redis(folder / "redis")
    o = Outputs(folder, f"redis: {{address: \"unix:{redis.path}\"}}\n")
    with o:
        o.commit(*alerts(0, 5))
        wait_until(lambda: o.stats("redis")["failed"] >= 2, 10, "tries without a server")
        with redis:
            o.wait_delivered("redis")
            o.commit(Alert(1, revision=2, severity="critical", state="amended"),
                     Alert(2, revision=2, state="superseded"))
            o.wait_delivered("redis")
            check_redis(redis, o)
            assert redis.call("ZREVRANGE", "sekisho:latest", 0, 0) == [f"{1:032x}"]
            step("Redis that was absent has all; a later revision takes the place of the earlier")

            o.ask("tally 52027 fw1 1000 598000 3 0")
            o.ask("tally 12025 fw1 5 100 5 17")
            count = wait_until(lambda: redis.hash("sekisho:count:052027:fw1"), 10, "counters")
            assert {k: count[k] for k in ("lines", "bytes", "unparsed", "lag_ms", "lag_records")} == \
                {"lines": "1000", "bytes": "598000", "unparsed": "3", "lag_ms": "0", "lag_records": "0"}, count
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", count["last_event"])
            lagging = redis.hash("sekisho:count:012025:fw1")
            assert lagging["lag_records"] == "17" and int(lagging["lag_ms"]) >= 0

            redis.call("FLUSHALL")
            wait_until(lambda: redis.call("EXISTS", "sekisho:alerts"), 15, "Redis to be filled again")
            o.wait_delivered("redis")
            check_redis(redis, o)
            wait_until(lambda: redis.hash("sekisho:count:052027:fw1"), 10, "counters")
            step("FLUSHALL: everything came again, once")

            redis.kill()
            o.commit(*alerts(100, 4))
            redis.start()
            o.wait_delivered("redis")
            check_redis(redis, o)
            step("killed, and back without its data: everything came again, once")

            redis.call("SET", "sekisho:count:052027:fw1", "mine")
            redis.call("RENAME", "sekisho:alerts", "kept")
            redis.call("SET", "sekisho:alerts", "mine")
            o.commit(*alerts(200, 3))
            wait_until(lambda: "WRONGTYPE sekisho:alerts is a string" in o.text(), 20, "the key to be named")
            assert "Redis refuses counters" in o.text()
            assert redis.call("GET", "sekisho:alerts") == "mine"
            redis.call("DEL", "sekisho:alerts", "sekisho:count:052027:fw1")
            redis.call("RENAME", "kept", "sekisho:alerts")
            o.wait_delivered("redis", 90)
            check_redis(redis, o)
            step("keys of other types: named, left alone, and all is there once they are gone")

            redis.freeze()
            o.commit(*alerts(300, 3))
            failed = o.stats("redis")["failed"]
            wait_until(lambda: o.stats("redis")["failed"] > failed, 20, "a try to time out")
            redis.thaw()
            o.wait_delivered("redis", 60)
            check_redis(redis, o)
            assert o.stop() < 5
            step("a server that hung and came back: each alert once")


def test_redis_start(folder, step):
    """A backlog larger than a batch, and limits of what is kept."""
    with Redis(folder / "redis") as redis:
        o = Outputs(folder, f"redis: {{address: \"unix:{redis.path}\", latest: 50, stream: 100, keep: 1m}}\n")
        with o:
            for i in range(10):
                o.commit(*alerts(300 * i, 300))
            o.wait_delivered("redis")
            assert redis.call("ZCARD", "sekisho:latest") == 50
            assert 100 <= redis.call("XLEN", "sekisho:alerts") <= 300
            assert redis.call("TTL", f"sekisho:alert:{1:032x}") <= 60
            step("3,000 alerts at once: the set and the stream keep their size")


def test_hostile_redis(folder, step):
    """Servers that are none: no crash, no memory, no hang."""
    answers = {"a string of 34 GB": (b"$34359738368\r\n", True), "an array of 2 G": (b"*2147483647\r\n", False),
               "nested arrays": (b"*1\r\n" * 20, False), "no length": (b"$\r\n", False),
               "garbage": (bytes(range(256)), False), "a line without end": (b"+", True),
               "nothing": (b"", False), "a huge integer": (b":99999999999999999999999\r\n", False),
               "a negative length": (b"$-7\r\n", False)}
    for name, (answer, endless) in answers.items():
        with Babbler(answer, endless) as server:
            o = Outputs(folder, f"redis: {{address: \"127.0.0.1:{server.port}\"}}\n")
            with o.start(memory=2 << 30):
                o.commit(*alerts(0, 3))
                wait_until(lambda: o.stats("redis")["failed"] >= 1, 20, f"{name} to fail")
                assert o.stats("redis")["delivered"] == 0
                peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{o.process.pid}/status").read_text())[1])
                assert peak < 120_000, f"{name}: {peak} kB"
                assert o.stop() < 5, name
    step(f"{len(answers)} servers that are no Redis: refused, within 120 MB")


# Kafka

def consumed(kafka, topic):
    """[(key, {header: value}, value)]"""
    def read():
        # A broker that has just come back may close a connection once more.
        done = subprocess.run(["kcat", "-C", "-b", kafka.bootstrap, "-t", topic, "-o", "beginning", "-q", "-e",
                               "-f", "%k\t%h\t%s\n"], check=False, timeout=60, stdout=subprocess.PIPE)
        return done if done.returncode == 0 else None
    rows = [line.split("\t") for line in wait_until(read, 30, "kcat").stdout.decode().splitlines()]
    return [(k, dict(h.split("=") for h in headers.split(",")), v) for k, headers, v in rows]


def test_kafka(folder, step):
    topic = ALERT_TOPIC
    with Broker(properties=AUTHORIZER) as kafka:
        o = Outputs(folder, f"kafka:\n  brokers: {kafka.bootstrap}\n  properties:\n"
                    "    {message.timeout.ms: \"5000\", topic.metadata.propagation.max.ms: \"1000\"}\n")
        with o:
            o.commit(*alerts(0, 5))
            wait_until(lambda: re.search("Unknown topic|does not exist", o.text()), 60, "the topic to be missed")
            assert o.stats("kafka")["delivered"] == 0
            kafka.create_topic(topic, partitions=2)
            o.wait_delivered("kafka", 90)
            got = consumed(kafka, topic)
            assert sorted(k for k, _, _ in got) == sorted(a.id for a in o.committed), got
            for key, headers, value in got:
                a = next(a for a in o.committed if a.id == key)
                assert headers == {"tenant": f"{a.tenant:06d}", "revision": "1", "schema": "1"} and value == a.line
            step("alerts waited for a topic that did not exist")
            kafka.kill()
            o.commit(*alerts(100, 20))
            wait_until(lambda: o.stats("kafka")["failed"] >= 2, 60, "tries without a broker")
            kafka.restart()
            o.wait_delivered("kafka", 90)
            assert {k for k, _, _ in consumed(kafka, topic)} == {a.id for a in o.committed}
            kafka.kill()
            o.commit(*alerts(200, 5))
            time.sleep(1)
            assert o.stop() < 5
            kafka.restart()
            with o:
                o.wait_delivered("kafka", 90)
            assert {k for k, _, _ in consumed(kafka, topic)} == {a.id for a in o.committed}
            step("the broker went and came, the process ended meanwhile: everything arrived")
            rule = ["--deny-principal", "User:ANONYMOUS", "--operation", "Write", "--topic", topic]
            kafka.tool("org.apache.kafka.tools.AclCommand", "--add", *rule)
            with o.start():
                o.commit(*alerts(300, 5))
                wait_until(lambda: re.search("output=kafka why=.*authorization failed", o.text()), 60, "the refusal")
                assert o.stats("kafka")["delivered"] == 0
                kafka.tool("org.apache.kafka.tools.AclCommand", "--remove", "--force", *rule)
                o.wait_delivered("kafka", 90)
            assert {k for k, _, _ in consumed(kafka, topic)} == {a.id for a in o.committed}
            step("a topic that may not be written: said; everything arrived once it may be")


# Syslog

def syslog_ids(messages):
    return [re.search(r' id="([0-9a-f]{32})"', m)[1] for m in messages]


def test_syslog(folder, step):
    with DatagramSyslog() as server:
        with Outputs(folder / "udp", f"syslog: {{address: \"udp:127.0.0.1:{server.address[1]}\"}}\n") as o:
            o.commit(*alerts(0, 30))
            wait_until(lambda: len(server.messages) == 30, 20, "datagrams")
            assert syslog_ids(server.messages) == [a.id for a in o.committed]
            head, _, body = server.messages[0].partition("\ufeff")
            assert json.loads(body)["alert.id"] == o.committed[0].id
            assert re.fullmatch(r'<163>1 2026-11-21T01:00:00Z \S+ sekisho - D3 \[sekisho@32473 .*\] ', head), head
    step("syslog over UDP")
    with StreamSyslog() as server:
        with Outputs(folder / "tcp", f"syslog: {{address: \"tcp:127.0.0.1:{server.port}\", body: text}}\n") as o:
            o.commit(*alerts(0, 5))
            o.wait_delivered("syslog")
            wait_until(lambda: len(server.messages) == 5, 20, "messages")
            assert server.messages[0].endswith("手本村 走査の疑い 0\\r\\nBcc: x@example.com"), server.messages[0]
            for connection in server.connections:
                connection.shutdown(socket.SHUT_RDWR)
            server.drop = 1000
            o.commit(*alerts(100, 50))
            o.wait_delivered("syslog")
            wait_until(lambda: set(syslog_ids(server.messages)) == {a.id for a in o.committed}, 30, "all messages")
            step("syslog over TCP: a connection that broke in the middle lost nothing")
            port = server.port
            server.close()
            o.commit(*alerts(200, 3))
            wait_until(lambda: o.stats("syslog")["failed"] >= 3, 20, "tries without a receiver")
            with StreamSyslog(("127.0.0.1", port)) as again:
                o.wait_delivered("syslog", 60)
                wait_until(lambda: len(set(syslog_ids(again.messages))) >= 3, 20, "messages after the break")
    for name, make in (("dgram", DatagramSyslog), ("stream", StreamSyslog)):
        path = folder / name / "log.sock"
        path.parent.mkdir()
        with make(str(path), socket.AF_UNIX) as server, \
                Outputs(folder / name, f"syslog: {{address: \"unix:{path}\"}}\n") as o:
            o.commit(*alerts(0, 40))
            wait_until(lambda s=server: len(s.messages) == 40, 20, f"messages on {path}")
            assert syslog_ids(server.messages) == [a.id for a in o.committed]
    step("syslog over unix sockets of both kinds")


# Mail

def decoded(data):
    mail = email.message_from_bytes(data)
    subject = "".join(part if isinstance(part, str) else part.decode(charset or "ascii")
                      for part, charset in email.header.decode_header(mail["Subject"]))
    assert mail.get_content_type() == "text/plain" and mail.get_content_charset() == "utf-8"
    return mail, subject, base64.b64decode(mail.get_payload()).decode()


MAIL_TENANTS = """tenants:
  "990019": {name: 例示市, mail: [a@city.example.jp, gone@city.example.jp]}
  "052027": {name: 見本町, mail: [b@town.example.jp]}
"""


def test_mail(folder, step):
    def keys(port, more=""):
        return f"mail: {{server: \"smtp://127.0.0.1:{port}\", from: sekisho@pref.example.jp, " \
            f"to: [soc@pref.example.jp], window: 300ms, per_hour: 2{more}}}\n"
    port = free_ports(1)[0]
    o = Outputs(folder, keys(port), MAIL_TENANTS)
    o.start()
    o.commit(*alerts(0, 6, severity="critical"))
    wait_until(lambda: o.stats("mail")["failed"] >= 2, 20, "tries without a server")
    with Smtp(("127.0.0.1", port)) as server:
        server.refuse["gone@city.example.jp"] = "550 no such user"
        wait_until(lambda: len(server.mails) == 3, 60, "three mails")
        by_to = {tuple(sorted(recipients)): data for _, recipients, data in server.mails}
        assert set(by_to) == {("a@city.example.jp", "soc@pref.example.jp"),
                              ("b@town.example.jp", "soc@pref.example.jp"), ("soc@pref.example.jp",)}, by_to.keys()
        assert {sender for sender, _, _ in server.mails} == {"sekisho@pref.example.jp"}
        mail, subject, body = decoded(by_to["a@city.example.jp", "soc@pref.example.jp"])
        assert subject == "例示市: 不正な通信の疑い 2 件 (緊急 2 件)", subject
        assert mail["To"].split(",\n ") == ["a@city.example.jp", "gone@city.example.jp"] or "a@city" in mail["To"]
        assert mail["Bcc"] is None and "\nBcc" not in body and "走査の疑い 2\\r\\nBcc: x@example.com" in body, body
        assert all(TENANTS[t] not in body for t in TENANTS if t != 990019), "another municipality is named"
        assert "not to everybody" in o.text()
        step("mails in Japanese, a municipality's in each, to those who have a mailbox")

        own = lambda: [m for m in server.mails if "b@town.example.jp" in m[1]]  # noqa: E731
        o.commit(*alerts(100, 1, tenant=52027))
        wait_until(lambda: len(own()) == 2, 20, "the second mail of the hour")
        o.commit(*alerts(200, 25, tenant=52027))
        o.commit(*alerts(300, 7, tenant=52027, severity="low"))
        o.wait_delivered("mail")
        time.sleep(2.5)
        assert len(own()) == 2, "more mails than an hour may have"
        assert o.stop() < 5
        # Everything that waits is kept over a restart and comes when the limit allows it.
        o.configure(keys(port).replace("per_hour: 2", "per_hour: 3"))
        o.start()
        wait_until(lambda: len(own()) == 3, 20, "the mail that waited")
        _, subject, body = decoded(own()[2][2])
        assert subject == "見本町: 不正な通信の疑い 25 件 (高 25 件)" and "このほかに 5 件あります" in body, body
        time.sleep(1.5)
        assert len(own()) == 3 and len(server.mails) == 5
        step("at most so many an hour; what waited was listed and counted, over a restart")

        server.refuse["MAIL"] = "451 later"
        o.commit(*alerts(400, 1, tenant=12025))
        wait_until(lambda: "refuses a mail" in o.text(), 20, "the refusal to be said")
        assert o.stats("mail")["open"] == 0
        server.refuse.clear()
        o.stop()
        step("a refused mail is tried later and holds up nothing")


# All at once

def test_end(folder, step):
    """Nobody is there: the end is quick, and nothing is lost."""
    ports = free_ports(5)
    dead = FILES + f"""kafka: {{brokers: "127.0.0.1:{ports[0]}"}}
redis: {{address: "127.0.0.1:{ports[1]}"}}
syslog: {{address: "tcp:127.0.0.1:{ports[2]}"}}
mail: {{server: "smtp://127.0.0.1:{ports[3]}", from: a@example.jp, to: [b@example.jp], window: 0s}}
"""
    with Outputs(folder, dead) as o:
        o.commit(*alerts(0, 50))
        o.wait_delivered("file")
        check_files(o)
        wait_until(lambda: all(o.stats(n)["open"] for n in ("redis", "syslog", "mail")), 60, "open breakers")
        took = o.stop()
        assert took < 5, took
    step(f"four receivers are not there: the files have all, the end took {took:.1f} s")
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(16)
        port = hole.getsockname()[1]
        o.configure(FILES + f"""kafka: {{brokers: "127.0.0.1:{port}"}}
redis: {{address: "127.0.0.1:{port}"}}
syslog: {{address: "tcp:127.0.0.1:{port}"}}
mail: {{server: "smtp://127.0.0.1:{port}", from: a@example.jp, to: [b@example.jp], window: 0s}}
""")
        with o.start():
            o.commit(*alerts(100, 20))
            time.sleep(1)
            took = o.stop()
            assert took < 5, took
    step(f"four that accept and say nothing: the end took {took:.1f} s")


def test_collector(folder, step):
    """The outputs in the collector itself: counters, numbers in the metrics, a reload, the end."""
    topic = "seclog.raw.990019.fw1"
    with Broker() as kafka, Redis(folder / "redis") as redis:
        kafka.create_topic(topic)
        (folder / "collector.yaml").write_text(f"""data: data
kafka: {{brokers: "{kafka.bootstrap}", discover: 200ms, fetch_wait: 50ms}}
outputs:
  file: {{path: alerts.ndjson}}
  redis: {{address: "unix:{redis.path}"}}
  kafka:
""")
        with Daemon("collect", "-c", "collector.yaml", cwd=folder) as daemon:
            def send(count):
                lines = "".join(f"date=2026-11-21 time=10:00:{n % 60:02d} srcip=10.1.0.9 dstip=203.0.113.5 n={n}\n"
                                for n in range(count))
                (folder / "lines.log").write_text(lines)
                run("send", "--brokers", kafka.bootstrap, "--topic", topic, folder / "lines.log")
                return len(lines) - count

            size = send(300)
            count = wait_until(lambda: (c := redis.hash("sekisho:count:990019:fw1")).get("lines") == "300" and c, 30,
                               "the counters")
            assert count["bytes"] in (str(size), str(size + 300)) and count["lag_records"] == "0", count
            daemon.send(signal.SIGHUP)
            daemon.wait_log("reloaded", 20)
            send(100)
            wait_until(lambda: redis.hash("sekisho:count:990019:fw1")["lines"] == "100", 30, "counters begin again")
            page = metrics(folder / "data" / "status.sock")
            for name in ("file", "redis", "kafka"):
                for what in ("delivered_total", "failed_total", "retries_total", "behind", "open"):
                    assert f'sekisho_output_{what}{{output="{name}"}}' in page, page
            # What only shows when outputs start: said, and the former ones go on.
            conf = folder / "collector.yaml"
            (folder / "empty").write_text("")
            conf.write_text(conf.read_text().replace("redis.sock\"", "redis.sock\", password_file: empty"))
            daemon.send(signal.SIGHUP)
            daemon.wait_log("has no password", 20)
            send(50)
            wait_until(lambda: redis.hash("sekisho:count:990019:fw1")["lines"] == "50", 30, "the former outputs")
            start = time.monotonic()
            assert daemon.stop(10) == 0
            assert time.monotonic() - start < 5
        step("in the collector: live counters, metrics, a reload and a quick end")


def metrics(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


def test_configuration(folder, step):
    wrong = """data: data
tenants:
  "990019": {mail: ["a b@example.jp"]}
outputs:
  kafka: {topic: seclog.raw.990019.fw1}
  file: {}
  redis: {address: "192.0.2.1:6379"}
  syslog: {address: "host", data_id: "a b"}
  mail: {server: "http://mail.example.jp", from: "x\\nBcc: y@z", user: me, to: ["<a@b>"]}
"""
    (folder / "wrong.yaml").write_text(wrong)
    done = subprocess.run([str(need_binary()), "check", str(folder / "wrong.yaml")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    for line, text in ((3, "no mail address"), (5, "would come back"), (6, "nothing would be written"),
                       (7, "not encrypted"), (8, "udp:HOST:PORT"), (8, "name@number"), (9, "smtp://HOST"),
                       (9, "no mail address"), (9, "password_file")):
        assert re.search(rf"wrong.yaml:{line}:\d+: .*{re.escape(text)}", done.stdout), (line, text, done.stdout)
    assert done.returncode == 3
    step("faults of section outputs are named with their lines")


def main():
    """Names of tests on the command line run only these."""
    wanted, step = sys.argv[1:], Steps()
    with temp_dir() as top:
        def folder(name):
            path = top / name
            path.mkdir()
            return path
        for test in (test_configuration, test_files, test_syslog_folders, test_mail, test_end, test_redis,
                     test_redis_start, test_hostile_redis, test_kafka, test_collector, test_kill):
            if not wanted or test.__name__ in wanted:
                test(folder(test.__name__), step)


def test_syslog_folders(folder, step):
    for name in ("udp", "tcp"):
        (folder / name).mkdir()
    test_syslog(folder, step)


if __name__ == "__main__":
    main()
