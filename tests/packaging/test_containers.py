#!/usr/bin/env python3
"""docker/ as it stands: images built, compose.yaml brought up, lines sent from outside with a relay's certificate; they
are kept in the collector's store and end as alerts; what a certificate gives no right to is refused; all taken down."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support", "packaging")]
from debian_root import need_root  # noqa: E402
from engine import Engine  # noqa: E402
from everything import fortigate, scan  # noqa: E402
from kafka_harness import free_ports  # noqa: E402
from sekisho import LONG, Steps, ndjson, need_binary, run, skip, temp_dir, wait_until  # noqa: E402

OWN, OTHER = "990019", "990027"
TOPIC, OTHER_TOPIC = f"seclog.raw.{OWN}.fw1", f"seclog.raw.{OTHER}.fw1"
ALERT_TOPIC = "seclog.alert.finding.v1"
DATA, LINES = "/var/lib/sekisho", 2000
ALERT_FILES = "/var/log/sekisho"
ALERTING = 10 ** 7  # numbers of lines that are to be alerts, from here on
LISTED, LISTED_LATER = "203.0.113.66", "203.0.113.77"
IMAGES = {"SEKISHO_IMAGE": ("docker/Dockerfile", "localhost/sekisho"),
          "SEKISHO_KAFKA_IMAGE": ("docker/kafka/Dockerfile", "localhost/sekisho-kafka"),
          "SEKISHO_REDIS_IMAGE": ("docker/redis/Dockerfile", "localhost/sekisho-redis")}
USERS = {"collector": 980, "kafka": 981, "redis": 982}


class Stack:
    """compose.yaml, up: its containers by service, and the way in from outside."""

    def __init__(self, engine, folder):
        self.engine, self.folder, self.project = engine, folder, f"sekisho-test-{os.getpid()}"
        (port,) = free_ports(1)
        self.bootstrap, self.tls = f"localhost:{port}", folder / "tls"
        self.env = {"SEKISHO_TLS": str(self.tls), "SEKISHO_CONFIG": str(folder / "collector.yaml"),
                    "SEKISHO_LISTS": str(folder / "lists"),
                    "KAFKA_OUTSIDE": self.bootstrap, "KAFKA_PORT": f"127.0.0.1:{port}"}

    def compose(self, *arguments):
        return self.engine.compose(self.project, ROOT / "docker" / "compose.yaml", *arguments, env=self.env)

    def container(self, service):
        return f"{self.project}_{service}_1"

    def text(self, service):
        done = self.engine.podman("logs", self.container(service), check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    def inside(self, service, *command, check=True):
        return self.engine.podman("exec", self.container(service), *command, check=check)

    def running(self, service):
        return self.engine.podman("inspect", "-f", "{{.State.Running}}",
                                  self.container(service), check=False).stdout.strip() == b"true"

    def health(self, service):
        return self.engine.podman("healthcheck", "run", self.container(service), check=False).returncode

    def identity(self, name):
        """Properties of librdkafka for whoever has the certificate `name`; None has none."""
        own = {"security.protocol": "ssl", "ssl.ca.location": self.tls / "ca.pem"}
        if name:
            own |= {"ssl.certificate.location": self.tls / name / f"{name}.crt",
                    "ssl.key.location": self.tls / name / f"{name}.key"}
        return [part for key, value in own.items() for part in ("-X", f"{key}={value}")]

    def send(self, name, topic, lines, code=0):
        path = self.folder / "lines.log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return run("send", "--brokers", self.bootstrap, "--topic", topic, *self.identity(name), path, check=code,
                   timeout=120)

    def consume(self, name, topic):
        """Every record there is, as the objects of kcat -J: key, headers, payload; and what kcat complained of."""
        command = ["kcat", "-b", self.bootstrap, *self.identity(name), "-J", "-q", "-e", "-C", "-t", topic,
                   "-o", "beginning"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return ndjson(done.stdout), done.stderr.decode(errors="replace")

    def count(self, query=""):
        done = self.inside("collector", "sekisho", "search", query, "--data", DATA, "--count", check=False)
        return int(done.stdout or b"0") if done.returncode in (0, 1) else 0

    def rows(self, tenant):
        return ndjson(self.inside("collector", "sekisho", "search", "", "--data", DATA, "--tenant", tenant,
                                  "--json").stdout)

    def add_indicator(self, entry):
        """What the administrator does; it counts from the next start or reload on."""
        with open(self.folder / "lists" / "indicators.txt", "a") as stream:
            stream.write(f"{entry}\n")

    def reload(self):
        before = self.text("collector").count("reloaded")
        self.engine.podman("kill", "-s", "HUP", self.container("collector"))
        wait_until(lambda: self.text("collector").count("reloaded") > before, 30, "the reload", interval=0.3)

    def alert_file(self, name):
        """Lines of a file of alerts."""
        return ndjson(self.inside("collector", "cat", f"{ALERT_FILES}/{name}", check=False).stdout)

    def alert_records(self):
        """{(id, revision): record} of the alert topic."""
        records, said = self.consume("alert-reader", ALERT_TOPIC)
        assert "ERROR" not in said, said
        keys = [(r["key"], json.loads(r["payload"])["alert.revision"]) for r in records]
        assert len(set(keys)) == len(keys), "a revision is on the topic twice"
        return dict(zip(keys, records))

    def redis(self, *command):
        """Lines that redis-cli prints."""
        return self.inside("redis", "redis-cli", "-s", "/run/sekisho-redis/redis.sock", *command).stdout.decode() \
            .splitlines()

    def wait_count(self, number):
        wait_until(lambda: self.count() == number or not self.running("collector"), 90,
                   f"{number} lines in the store", interval=0.3)
        assert self.running("collector"), self.text("collector")


def build(engine, step):
    step(f"base image from {engine.base()}")
    for dockerfile, tag in IMAGES.values():
        size = engine.build(dockerfile, tag)
        step(f"{dockerfile}: {tag}, {size / 1e6:.0f} MB")


def bring_up(stack, step):
    subprocess.run([ROOT / "docker" / "certificates.sh", "all", stack.tls, ROOT / "docker" / "municipalities"],
                   check=True)
    (stack.folder / "collector.yaml").write_text((ROOT / "docker" / "collector.yaml").read_text())
    shutil.copytree(ROOT / "docker" / "lists", stack.folder / "lists")
    stack.add_indicator(LISTED)
    stack.compose("up", "-d", "--no-build")
    setup = stack.container("setup")
    code = stack.engine.podman("wait", setup, timeout=300).stdout.split()
    assert code == [b"0"], f"setup ended with {code}:\n{stack.text('setup')[-3000:]}\n{stack.text('kafka')[-3000:]}"
    step("up; topics and rights are there")
    again = stack.engine.podman("start", "-a", setup).stdout.decode().splitlines()
    assert again == ["Topics and rights of 2 municipalities are there."], again
    step("set up again: nothing to do")


def check_sandbox(stack, step):
    for service, user in USERS.items():
        form = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}}"
        readonly, memory = stack.engine.podman("inspect", "-f", form, stack.container(service)).stdout.split()
        assert readonly == b"true" and int(memory) > 0, f"{service}: {readonly} {memory}"
        state = dict(line.split(":\t", 1) for line in
                     stack.inside(service, "cat", "/proc/1/status").stdout.decode().splitlines() if ":\t" in line)
        assert state["NoNewPrivs"] == "1" and int(state["CapBnd"], 16) == 0, f"{service}: {state}"
        assert state["Uid"].split() == [str(user)] * 4, f"{service} runs as {state['Uid']}"
        refused = stack.inside(service, "touch", "/etc/new", check=False)
        assert refused.returncode != 0 and b"Read-only file system" in refused.stderr, refused
        wait_until(lambda s=service: stack.health(s) == 0, 60, f"{service} to be healthy", interval=1)
    step("read-only, without rights, with a limit of memory, and healthy")
    bare = stack.engine.podman("run", "--rm", "--network", "none", IMAGES["SEKISHO_IMAGE"][1], "status", "--data", DATA,
                               check=False)
    assert bare.returncode == 4, f"the health check without a collector: {bare}"
    volume = f"{stack.project}_redis:/run/sekisho-redis"
    pong = stack.engine.podman("run", "--rm", "--network", "none", "--user", "980:980", "-v", volume, "--entrypoint",
                               "redis-cli", IMAGES["SEKISHO_REDIS_IMAGE"][1], "-s", "/run/sekisho-redis/redis.sock",
                               "ping").stdout
    assert pong.strip() == b"PONG", pong
    step("the collector's user reaches Redis")


def check_lines(stack, step):
    """From outside into the store, byte for byte."""
    lines = list(fortigate(LINES))
    stack.send(f"relay-{OWN}", TOPIC, lines)
    stack.send(f"relay-{OTHER}", OTHER_TOPIC, lines[:10])
    stack.wait_count(LINES + 10)
    assert stack.count("sekisho.verdict:allow source.ip:10.1.0.0/16") == LINES + 10
    raw = stack.inside("collector", "sekisho", "export", "--raw", "--data", DATA, "--tenant", OWN).stdout
    assert raw == b"".join(line + b"\n" for line in lines), "the store does not give back what was sent"
    rows = stack.rows(OTHER)
    assert [r["sekisho.source"] for r in rows] == ["fw1"] * 10 and {r["sekisho.tenant"] for r in rows} == {OTHER}
    step(f"{LINES + 10} lines from two relays are in the store as they were sent")


def check_refused(stack, step):
    """Another municipality's topic, reading, and coming without a certificate or with a stranger's."""
    def refused(done):
        assert b"authorization failed" in done.stderr, done.stderr
        assert done.stdout == b"", done.stdout

    line = list(fortigate(1, start=10 ** 6))
    before = stack.count()
    refused(stack.send(f"relay-{OWN}", OTHER_TOPIC, line, code=4))
    refused(stack.send(f"relay-{OWN}", ALERT_TOPIC, line, code=4))
    refused(stack.send("collector", TOPIC, line, code=4))
    refused(stack.send("alert-reader", ALERT_TOPIC, line, code=4))
    for name, topic in ((f"relay-{OWN}", TOPIC), (f"relay-{OTHER}", TOPIC), ("alert-reader", TOPIC),
                        ("collector", ALERT_TOPIC)):
        records, said = stack.consume(name, topic)
        assert not records and ("authorization failed" in said or "Unknown topic" in said), f"{name} {topic}: {said}"
    records, said = stack.consume("alert-reader", ALERT_TOPIC)
    assert "ERROR" not in said, said
    assert stack.consume(None, TOPIC)[0] == [], "without a certificate"
    stranger = stack.folder / "stranger"
    tool = ROOT / "docker" / "certificates.sh"
    subprocess.run([tool, "authority", stranger], check=True)
    subprocess.run([tool, "client", stranger, f"relay-{OWN}"], check=True)
    command = ["kcat", "-b", stack.bootstrap, "-L", "-m", "5", "-X", "security.protocol=ssl",
               "-X", f"ssl.ca.location={stack.tls / 'ca.pem'}",
               "-X", f"ssl.certificate.location={stranger / f'relay-{OWN}' / f'relay-{OWN}.crt'}",
               "-X", f"ssl.key.location={stranger / f'relay-{OWN}' / f'relay-{OWN}.key'}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode != 0 and not done.stdout, f"another authority's certificate is taken: {done}"
    time.sleep(1)
    assert stack.count() == before, "something refused is in the store"
    step("foreign topics, reading, no certificate, a stranger's certificate: refused")


def keys_of(alerts):
    return [(a["alert.id"], a["alert.revision"]) for a in alerts]


def wait_alert(stack, kind, source):
    """The first revision of an alert in the file of all."""
    def found():
        return [a for a in stack.alert_file("alerts.ndjson") if (a["alert.kind"], a.get("source.ip")) == (kind, source)]
    return wait_until(found, 30, f"an alert {kind} about {source}", interval=0.3)[0]


def check_receivers(stack, alert):
    """An alert is everywhere with the same bytes, and says what it must."""
    key = (alert["alert.id"], alert["alert.revision"])
    record = wait_until(lambda: stack.alert_records().get(key), 30, f"{key} on {ALERT_TOPIC}", interval=0.5)
    headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
    assert headers == {"tenant": OWN, "revision": str(key[1]), "schema": "1"} and record["key"] == key[0], record
    assert json.loads(record["payload"]) == alert, record
    stored = wait_until(lambda: stack.redis("HGET", f"sekisho:alert:{key[0]}", "line"), 30, "Redis", interval=0.5)
    assert json.loads(stored[0])["alert.id"] == key[0], stored
    assert key[0] in stack.redis("ZRANGE", "sekisho:latest", "0", "-1")
    assert key in keys_of(stack.alert_file(f"tenants/{OWN}.ndjson"))
    assert alert["sekisho.tenant"] == OWN and alert["message.ja"] and alert["message.en"], alert
    assert alert["evidence"] and all(e.startswith(f"{TOPIC}/0/") for e in alert["evidence"]), alert


def evidence_of(stack, alert):
    """The first line that an alert rests on, as the store keeps it."""
    topic, partition, offset, _ = alert["evidence"][0].split("/")
    query = f"kafka.topic:{topic} and kafka.partition:{partition} and kafka.offset:{offset}"
    return stack.inside("collector", "sekisho", "search", query, "--data", DATA, "--raw").stdout.rstrip(b"\n")


def check_alerts(stack, step):
    """Lines sent from outside end as alerts: a host that meets a listed address, one of the LGWAN segment that reaches
    the Internet, and one that is refused by 200 hosts in a row."""
    met, astray, scanner = "10.1.0.7", "10.2.0.9", "10.1.0.66"
    lines = [*fortigate(1, ALERTING, met, LISTED), *fortigate(1, ALERTING + 1, astray, "203.0.113.9"),
             *scan(scanner, ALERTING + 2)]
    before = stack.count()
    stack.send(f"relay-{OWN}", TOPIC, lines)
    found = {kind: wait_alert(stack, kind, source)
             for kind, source in (("indicator", met), ("zone", astray), ("D3", scanner))}
    for alert in found.values():
        check_receivers(stack, alert)
    assert found["zone"]["alert.severity"] == "critical" and found["zone"]["alert.revision"] == 1, found["zone"]
    assert found["indicator"]["threat.indicator.name"] == LISTED, found["indicator"]
    assert evidence_of(stack, found["indicator"]) == lines[0] and evidence_of(stack, found["zone"]) == lines[1]
    stack.wait_count(before + len(lines))
    listed = ndjson(stack.inside("collector", "sekisho", "alerts", "--data", DATA, "--tenant", OWN, "--json").stdout)
    assert {a["alert.id"] for a in found.values()} <= {a["alert.id"] for a in listed}, listed
    assert not stack.alert_file(f"tenants/{OTHER}.ndjson"), "another municipality is told of it"
    step(f"listed address, LGWAN to the Internet, scan: alerts {', '.join(a['rule.name'] for a in found.values())} on "
         "the topic, in the files, in Redis, in the store")
    stack.add_indicator(LISTED_LATER)
    stack.reload()
    stack.send(f"relay-{OTHER}", OTHER_TOPIC, fortigate(1, ALERTING, met, LISTED_LATER))
    wait_until(lambda: stack.alert_file(f"tenants/{OTHER}.ndjson"), 30, "the alert of the other municipality",
               interval=0.3)
    acknowledge = ("sekisho", "alerts", "ack", found["zone"]["alert.id"], "--data", DATA, "--reason", "known")
    stack.inside("collector", *acknowledge)
    wait_until(lambda: stack.redis("HGET", f"sekisho:count:{OTHER}:fw1", "lines")[:1] == ["1"], 30,
               "the counter in Redis", interval=0.5)
    step("a list that grew counts after a reload; an alert acknowledged; lines counted in Redis")


def check_restart(stack, step):
    """A reload, and a stop while lines come: nothing is lost or doubled."""
    had, alerts = stack.count(), keys_of(stack.alert_file("alerts.ndjson"))
    stack.reload()
    start = time.monotonic()
    stack.engine.podman("stop", "-t", "30", stack.container("collector"))
    took = time.monotonic() - start
    code = stack.engine.podman("inspect", "-f", "{{.State.ExitCode}}", stack.container("collector")).stdout.strip()
    assert code == b"0" and took < 10, f"ended with {code} after {took:.1f} s"
    stack.send(f"relay-{OWN}", TOPIC, fortigate(LINES, start=LINES))
    stack.engine.podman("start", stack.container("collector"))
    stack.wait_count(had + LINES)
    rows = stack.rows(OWN)
    numbers = sorted(n for n in (int(r["fortigate.n"]) for r in rows) if n < ALERTING)
    assert numbers == list(range(2 * LINES)), "lines lost or doubled"
    now = keys_of(stack.alert_file("alerts.ndjson"))
    assert now[:len(alerts)] == alerts and len(set(now)) == len(now), "alerts lost or doubled"
    assert set(stack.alert_records()) >= set(alerts)
    step(f"reloaded, stopped in {took:.1f} s, started: {had + LINES} lines, each once")


def take_down(stack, step):
    """Stop, look at the volume from outside, remove."""
    stack.engine.podman("stop", "-t", "30", stack.container("collector"))
    volume = stack.engine.podman("volume", "inspect", "-f", "{{.Mountpoint}}", f"{stack.project}_store").stdout
    run("verify", "--data", volume.decode().strip())
    stack.compose("down", "-v")
    left = stack.engine.podman("ps", "-aq").stdout + stack.engine.podman("volume", "ls", "-q").stdout
    assert left == b"", f"left after down: {left}"
    step("the volume verifies; all is down")


def main():
    if not LONG:
        skip("builds images and starts containers: ./dev test --long packaging")
    need_root("podman", "podman-compose", "buildah", "iptables", "kcat", "openssl")
    need_binary()
    step = Steps()
    with temp_dir() as folder, Engine(folder) as engine:
        build(engine, step)
        stack = Stack(engine, folder)
        bring_up(stack, step)
        check_sandbox(stack, step)
        check_lines(stack, step)
        check_refused(stack, step)
        check_alerts(stack, step)
        check_restart(stack, step)
        take_down(stack, step)


if __name__ == "__main__":
    main()
