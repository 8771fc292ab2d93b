#!/usr/bin/env python3
"""What becomes of rows and alerts while everything that takes alerts fails: the same as without it.

Two collectors read the same topics of some municipalities. One is left alone. The other has every output, and its
receivers are absent, killed, emptied, of the wrong types, slow; its alert topic is deleted; the disks of its files and of
its store fill up; it is killed itself. In the end both have the same rows and the same alerts, and each receiver has
every alert, once per id and revision, a municipality's its own.
"""
import contextlib
import email
import email.header
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector, check_store, checked_code, verify  # noqa: E402
from receivers import Redis, Smtp, StreamSyslog  # noqa: E402
from sekisho import Steps, ndjson, run, temp_dir, wait_until  # noqa: E402

ALERT_TOPIC = "seclog.alert.finding.v1"
QUICK = "limits: {batch_age: 100ms, frame_age: 10ms}\n"
LINES = 60                # of a round and municipality: those that are fine
ACTIVE = 3                # municipalities with a new offender in each round; more than 10 of one would be a single alert
MAIL_WINDOW_SECONDS = 1
ROUND_SECONDS = 90        # of event time between rounds: what is reported again is a further revision


class Tenant:
    def __init__(self, number, code, name, mail):
        self.number, self.code, self.name, self.mail = number, code, name, mail
        self.topic, self.net, self.server = f"seclog.raw.{code}.fw1", f"10.{number}", f"203.0.113.{number}"

    def yaml(self):
        return (f'  "{self.code}":\n    name: {self.name}\n    mail: [{self.mail}]\n    networks:\n'
                f"      - {{cidr: {self.net}.0.0/18, zone: インターネット接続系}}\n"
                f"      - {{cidr: {self.net}.128.0/18, zone: LGWAN接続系}}\n"
                "    sources:\n      fw1: {format: fortigate}\n")

    def line(self, host, seconds):
        stamp = time.strftime("date=%Y-%m-%d time=%H:%M:%S", time.gmtime(seconds + 9 * 3600))
        return (f'{stamp} devname="FG-{self.code}" devid="FG{self.number}" eventtime={seconds * 10**9} tz="+0900" '
                'logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" '
                f'srcip={self.net}.{host} srcport=50000 dstip={self.server} dstport=443 proto=6 action="close" policyid=7 '
                'service="HTTPS" duration=1 sentbyte=1200 rcvdbyte=5400 sentpkt=9 rcvdpkt=5\n')

    def marks(self):
        """Texts that nobody else may see."""
        return [self.name, self.code, f"{self.net}.", self.server + "\"", self.mail]


TENANTS = [Tenant(1, "990019", "例示市", "a@city.example.jp"), Tenant(2, "052027", "見本町", "b@town.example.jp"),
           Tenant(3, "012025", "手本村", "c@village.example.jp"), Tenant(4, checked_code(99002), "試験区", "d@ward.example.jp"),
           Tenant(5, checked_code(99003), "練習郡", "e@county.example.jp")]
CONFIG = QUICK + "tenants:\n" + "".join(t.yaml() for t in TENANTS)


class Traffic:
    """Rounds of lines to all municipalities."""

    def __init__(self, folder, kafka):
        self.folder, self.kafka, self.rounds, self.ends = folder, kafka, 0, {}
        self.start = int(time.time()) - 30 * 60

    @staticmethod
    def offends(tenant, n):
        return (tenant.number + n * ACTIVE) % len(TENANTS) < ACTIVE

    def send(self):
        n, self.rounds = self.rounds, self.rounds + 1
        at = self.start + n * ROUND_SECONDS
        for t in TENANTS:
            fine = [t.line(f"1.{k}", at + k // 20) for k in range(LINES)]
            bad = [t.line(f"129.{n}", at)] if self.offends(t, n) else []
            # That of the last round once more: a further revision of its alert.
            again = [t.line(f"129.{n - 1}", at + 1)] if n and self.offends(t, n - 1) else []
            path = self.folder / "lines.log"
            path.write_text("".join(fine + bad + again))
            run("send", "--brokers", self.kafka.bootstrap, "--topic", t.topic, path)
            self.ends[t.topic, 0] = self.ends.get((t.topic, 0), 0) + len(fine + bad + again)


class Disk:
    """A small file system of its own, or none where nothing can be mounted."""

    def __init__(self, path, size):
        self.path, self.ballast = path, path / "ballast"
        path.mkdir()
        done = None
        with contextlib.suppress(OSError):
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)],
                                  stderr=subprocess.DEVNULL, check=False)
        self.mounted = done is not None and done.returncode == 0

    def fill(self):
        with contextlib.suppress(OSError), open(self.ballast, "ab", buffering=0) as out:
            while True:
                out.write(bytes(4096))

    def empty(self):
        self.ballast.unlink()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False)


def key_of(alert):
    return alert["alert.id"], alert["alert.revision"]


def plain(alerts):
    """By id and revision. When a row arrived is the one thing that two runs cannot have in common."""
    found = {key_of(a): {k: v for k, v in a.items() if k != "alert.arrival"} for a in alerts}
    assert len(found) == len(alerts), "an alert twice"
    return found


class Scene:
    def __init__(self, folder, kafka, disks):
        self.kafka, self.folder = kafka, folder
        self.store_disk, self.file_disk = disks
        self.traffic = Traffic(folder, kafka)
        self.redis = Redis(folder / "redis")
        self.smtp, self.syslog = Smtp(), StreamSyslog()
        self.calm = Collector(folder / "calm", kafka, CONFIG + "outputs: {file: {path: alerts.ndjson}}\n", group="calm")
        self.tried = Collector(self.store_disk.path / "tried", kafka, CONFIG + f"""outputs:
  kafka: {{properties: {{message.timeout.ms: "3000", topic.metadata.propagation.max.ms: "500"}}}}
  file: {{path: {self.file_disk.path}/alerts.ndjson, tenant_directory: {self.file_disk.path}/each}}
  redis: {{address: "unix:{self.redis.path}"}}
  syslog: {{address: "tcp:127.0.0.1:{self.syslog.port}"}}
  mail: {{server: "smtp://127.0.0.1:{self.smtp.port}", from: sekisho@pref.example.jp, window: {MAIL_WINDOW_SECONDS}s, per_hour: 60}}
""", group="tried")

    def collected(self):
        for c in (self.calm, self.tried):
            c.wait_collected(self.traffic.ends)

    def round(self):
        """Rows and alerts come in whatever the receivers do."""
        self.traffic.send()
        start = time.monotonic()
        self.collected()
        return time.monotonic() - start

    def up_to_date(self):
        """Whether no output has anything left, as the collector's own numbers say."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(self.tried.data / "status.sock"))
            stream.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            page = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
        left = dict(re.findall(r'sekisho_output_behind\{output="(\w+)"\} (\d+)', page))
        assert set(left) == {"kafka", "file", "redis", "syslog", "mail"}, page
        return set(left.values()) == {"0"}

    def logged(self):
        """Alerts in the log of the tried collector, by the reader that `sekisho alerts` is."""
        return plain(ndjson(run("alerts", "--data", self.tried.data, "--json", check=None).stdout))

    def newest(self, alerts):
        """The last revision of each."""
        return {i: r for i, r in sorted(alerts)}

    def wait_redis(self, timeout=60):
        def there():
            want = self.newest(self.logged())
            got = self.newest((e["id"], int(e["revision"])) for e in self.redis.stream_entries("sekisho:alerts"))
            return want == got
        wait_until(there, timeout, "all alerts in Redis", 0.2)

    def wait_file(self, timeout=60):
        wait_until(lambda: self.newest(map(key_of, ndjson(self.file_disk.path / "alerts.ndjson"))) ==
                   self.newest(self.logged()), timeout, "all alerts in the file", 0.2)


def redis_faults(s, step):
    took = s.round()
    s.tried.wait_text("output=redis .*No such file|output=redis .*refused")
    s.wait_file()
    step(f"Redis absent: rows and alerts in {took:.1f} s, in the file too")
    s.redis.start()
    s.wait_redis()
    step("Redis came: it has them all")
    s.redis.kill()
    s.round()
    s.redis.start()
    s.wait_redis()
    step("Redis killed and back without its data: it has them all")
    s.redis.call("FLUSHALL")
    s.round()
    s.wait_redis()
    step("Redis flushed: it has them all")
    s.redis.call("FLUSHALL")
    for key in ("sekisho:alerts", "sekisho:latest", "sekisho:count:990019:fw1"):
        s.redis.call("SET", key, "mine")
    s.round()
    s.tried.wait_text("WRONGTYPE")
    assert s.redis.call("GET", "sekisho:latest") == "mine"
    s.wait_file()
    s.redis.call("DEL", "sekisho:alerts", "sekisho:latest", "sekisho:count:990019:fw1")
    s.wait_redis()
    step("wrong types in Redis: named, left alone; it has them all once they are gone")
    s.redis.freeze()
    took = s.round()
    s.wait_file()
    s.tried.wait_text("output=redis why=\"?(redis: )?no answer in time", 30)
    s.redis.thaw()
    s.wait_redis()
    step(f"Redis that does not answer: rows and alerts in {took:.1f} s; it has them all once it does")


def consumed(kafka):
    """[(key, headers, line)] of the alert topic; a value is a line."""
    def read():
        done = subprocess.run(["kcat", "-C", "-b", kafka.bootstrap, "-t", ALERT_TOPIC, "-o", "beginning", "-q", "-e", "-f",
                               "%k\t%h\t%s\n"], check=False, timeout=60, stdout=subprocess.PIPE)
        return done if done.returncode == 0 else None
    rows = [r.split("\t") for r in wait_until(read, 30, "kcat").stdout.decode().splitlines()]
    return [(k, dict(h.split("=") for h in headers.split(",")), json.loads(v)) for k, headers, v in rows]


def topic_faults(s, step):
    wait_until(lambda: {key_of(a) for _, _, a in consumed(s.kafka)} >= set(s.logged()), 60, "the topic", 0.5)
    before = {key_of(a) for a in ndjson(s.file_disk.path / "alerts.ndjson")}
    s.kafka.delete_topic(ALERT_TOPIC)
    took = s.round()
    s.wait_file()
    s.tried.wait_text(f"output=kafka why=\"?topic {re.escape(ALERT_TOPIC)}", 60)
    s.wait_redis()
    s.kafka.create_topic(ALERT_TOPIC, partitions=2)
    wait_until(lambda: {key_of(a) for _, _, a in consumed(s.kafka)} | before >= set(s.logged()), 90, "the new topic", 0.5)
    step(f"alert topic gone: rows and alerts in {took:.1f} s; the new one has what came since")
    return before


def disk_faults(s, step):
    if not (s.store_disk.mounted and s.file_disk.mounted):
        step("no tmpfs can be mounted here: no disk was filled")
        return
    s.file_disk.fill()
    took = s.round()
    s.wait_redis()
    s.tried.wait_text("output=file why=.*the disk is full")
    s.file_disk.empty()
    s.wait_file()
    step(f"disk of the alert files full: rows and alerts in {took:.1f} s; the files have them all once there is room")
    s.redis.kill()
    s.round()
    s.store_disk.fill()
    s.traffic.send()
    s.tried.wait_text("no room for the log.*remedy")
    s.redis.start()
    wait_until(lambda: s.redis.call("XLEN", "sekisho:alerts") > 0, 60, "alerts in Redis while the disk is full")
    s.store_disk.empty()
    s.collected()
    s.wait_redis()
    s.wait_file()
    step("disk of the store full while alerts are pending: they went out, and the rest came with the room")


def kill_faults(s, step):
    """SIGKILL while alerts are pending, and between delivery and cursor."""
    s.redis.freeze()
    s.round()
    s.tried.kill()
    s.redis.thaw()
    for n in range(4):
        s.tried.start(f"crash@output.delivered:{1 + n}", wait=False)
        s.traffic.send()
        wait_until(lambda: not s.tried.running(), 60, "the failpoint")
    s.tried.start()
    s.collected()
    s.wait_redis()
    s.wait_file()
    step("killed with alerts pending, and four times between delivery and cursor")


def check_receivers(s, before, step):
    """Every receiver against the collector that was left alone."""
    # Read by the program itself: whoever compares to the log trusts nobody's file.
    judged = plain(ndjson(run("replay", "--log", s.tried.data, "--config", s.tried.conf).stdout))
    calm = plain(ndjson(s.calm.folder / "alerts.ndjson"))
    found = ndjson(s.file_disk.path / "alerts.ndjson")
    assert plain(found) == calm, difference(plain(found), calm)
    assert judged == calm, difference(judged, calm)
    last = [a for a in calm if a[1] > 1]
    assert len(calm) >= s.traffic.rounds * ACTIVE and last, (len(calm), len(last))
    step(f"{len(calm)} revisions of alerts, {len(last)} of them amendments: as in the undisturbed run")
    stream = [(e["id"], int(e["revision"])) for e in s.redis.stream_entries("sekisho:alerts")]
    assert sorted(stream) == sorted(calm), (len(stream), len(calm))
    step("Redis: each id and revision once")
    topic = {}
    for key, headers, a in consumed(s.kafka):
        assert key == a["alert.id"] and headers["revision"] == str(a["alert.revision"])
        assert topic.setdefault(key_of(a), a) == a, "a revision with other bytes"
    assert set(topic) | before == set(calm), len(set(calm) - set(topic) - before)
    step("Kafka: each id and revision, at least once, the same bytes")
    for t in TENANTS:
        own = ndjson(s.file_disk.path / "each" / f"{t.code}.ndjson")
        assert [key_of(a) for a in own] == [key_of(a) for a in found if a["sekisho.tenant"] == t.code]
    said = [re.search(r' id="(\w+)" revision="(\d+)"', m) for m in s.syslog.messages]
    assert {(m[1], int(m[2])) for m in said} == set(calm)
    step("tenants' files: theirs, each once; syslog: each id and revision, at least once")


def difference(a, b):
    keys = sorted(set(a) ^ set(b))
    if keys:
        some = [(a.get(k) or b.get(k)) for k in keys[:5]]
        return f"{len(set(a) - set(b))} more, {len(set(b) - set(a))} less: {json.dumps(some, ensure_ascii=False)[:3000]}"
    return next((f"{a[k]}\n{b[k]}" for k in a if a[k] != b[k]), "")


def decoded(data):
    mail = email.message_from_bytes(data)
    subject = "".join(part if isinstance(part, str) else part.decode(charset or "ascii")
                      for part, charset in email.header.decode_header(mail["Subject"]))
    return "\n".join([subject, mail.as_string().split("\n\n")[0], mail.get_payload(decode=True).decode()])


def check_separation(s, step):
    """Nothing that is a municipality's stands in another's file, mail or syslog message."""
    texts = {t.code: [(s.file_disk.path / "each" / f"{t.code}.ndjson").read_text()] for t in TENANTS}
    for _, recipients, data in s.smtp.mails:
        owner = [t for t in TENANTS if t.mail in recipients]
        assert len(recipients) == len(owner) == 1, recipients
        texts[owner[0].code].append(decoded(data))
    for message in s.syslog.messages:
        texts[re.search(r' tenant="(\d{6})"', message)[1]].append(message)
    for t in TENANTS:
        assert len(texts[t.code]) > 2
        for other in TENANTS:
            for mark in other.marks() if other is not t else []:
                leak = next((x for x in texts[t.code] if mark in x), None)
                assert leak is None, f"{mark} of {other.code} stands in what {t.code} gets: {leak[:2000]}"
        mails = "".join(x for x in texts[t.code] if "ご担当者様" in x)
        assert t.name in mails and f"{t.net}.129." in mails
    step(f"{len(s.smtp.mails)} mails, {len(s.syslog.messages)} syslog messages, {len(TENANTS)} files: nothing of another municipality")


def check_rows(s, step):
    for c in (s.calm, s.tried):
        took = c.stop()
        assert took < 5, took
        check_store(c.data)
        verify(c.data)
    # Each row as it came and where from; when it arrived and was committed is of the run.
    rows = [run("export", "--data", c.data, "--raw").stdout for c in (s.calm, s.tried)]
    assert rows[0] == rows[1] and rows[0].count(b"\n") >= sum(s.traffic.ends.values())
    step(f"{sum(s.traffic.ends.values())} rows, as in the undisturbed run")


def main():
    step = Steps()
    with temp_dir() as folder, Disk(folder / "store", "24m") as store, Disk(folder / "files", "2m") as files, \
            Broker() as kafka:
        kafka.create_topics({**{t.topic: 1 for t in TENANTS}, ALERT_TOPIC: 2})
        scene = Scene(folder, kafka, (store, files))
        with scene.calm, scene.tried, scene.smtp, scene.syslog:
            try:
                redis_faults(scene, step)
                before = topic_faults(scene, step)
                disk_faults(scene, step)
                kill_faults(scene, step)
                time.sleep(MAIL_WINDOW_SECONDS + 2)
                wait_until(scene.up_to_date, 60, "all outputs to be up to date", 0.2)
                check_rows(scene, step)
                check_receivers(scene, before, step)
                check_separation(scene, step)
            except BaseException:
                sys.stderr.write("".join(scene.tried.log.read_text(errors="replace").splitlines(True)[-40:]))
                raise
            finally:
                scene.redis.kill()


if __name__ == "__main__":
    main()
