#!/usr/bin/env python3
"""A real Kafka for tests: brokers in KRaft mode on loopback, in a folder of their own.

    with Broker(nodes=1) as kafka:
        kafka.create_topic("seclog.raw.999997.fw1", partitions=2)
        kafka.produce("seclog.raw.999997.fw1", [b"a line"])
        kafka.kill(1)        # SIGKILL; also stop() = SIGTERM, restart(), freeze(), thaw()

Only processes started here are ever signalled, and none outlives its test: they end with the
context, at exit, and with the death of the test. `start DIR` on the command line is the exception:
that broker stays until `stop DIR`.

The jars come through Maven as tests/kafka/pom.xml says, once, into build/kafka/ (SEKISHO_KAFKA_HOME
overrides), with a class archive that halves the time of a start.
"""
import argparse
import atexit
import base64
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE)]
from kafka_admin import EARLIEST, LATEST, Admin, KafkaError  # noqa: E402

HOME = pathlib.Path(os.environ.get("SEKISHO_KAFKA_HOME", ROOT / "build" / "kafka"))
JARS, ARCHIVE = HOME / "jars", HOME / "broker.jsa"
JAVA = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn"]
START_SECONDS, STOP_SECONDS = 90, 30
PR_SET_PDEATHSIG = 1


def _properties(nodes):
    """Settings of every node: small, quick to notice a death, quick to delete."""
    copies = min(nodes, 3)
    return {
        "auto.create.topics.enable": "false",
        "broker.heartbeat.interval.ms": 250,
        "broker.session.timeout.ms": 2000,
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.election.backoff.max.ms": 200,
        "controller.quorum.election.timeout.ms": 500,
        "controller.quorum.fetch.timeout.ms": 1000,
        "controller.quorum.request.timeout.ms": 1000,
        "default.replication.factor": copies,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        "initial.broker.registration.timeout.ms": 60000,
        "leader.imbalance.check.interval.seconds": 3600,
        "log.cleaner.dedupe.buffer.size": 4 << 20,
        "log.initial.task.delay.ms": 500,
        "log.retention.check.interval.ms": 500,
        "log.segment.delete.delay.ms": 500,
        "message.max.bytes": 32 << 20,
        "min.insync.replicas": max(1, copies - 1),
        "num.io.threads": 4,
        "num.network.threads": 2,
        "num.recovery.threads.per.data.dir": 1,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": copies,
        "process.roles": "broker,controller",
        "replica.fetch.max.bytes": 32 << 20,
        "replica.lag.time.max.ms": 2000,
        "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        "transaction.state.log.num.partitions": 2,
        "transaction.state.log.replication.factor": copies,
    }


def classpath():
    return ":".join(sorted(str(p) for p in JARS.glob("*.jar")))


def prepare():
    """Fetch the jars and make the class archive, unless both are there. Safe to call from several
    processes at once."""
    pom = HERE / "pom.xml"
    mark = HOME / ("jars-" + hashlib.sha256(pom.read_bytes()).hexdigest()[:16])
    if mark.exists():
        return
    HOME.mkdir(parents=True, exist_ok=True)
    with open(HOME / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists():
            return
        shutil.rmtree(JARS, ignore_errors=True)
        ARCHIVE.unlink(missing_ok=True)
        _fetch(pom)
        _archive()
        mark.touch()


def _fetch(pom, tries=3):
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
               "-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
    for left in reversed(range(tries)):
        with open(HOME / "maven.log", "ab") as log:
            if subprocess.run(command, stdout=log, stderr=log).returncode == 0 and any(JARS.glob("*.jar")):
                return
        if left:
            time.sleep(5)
    raise RuntimeError(f"Maven could not fetch Kafka, see {HOME / 'maven.log'}")


def _archive():
    """Run one broker whose loaded classes are archived when it stops. Without the archive all
    works the same, only slower; so a failure here is no failure."""
    with contextlib.suppress(Exception):
        broker = Broker(archive=str(ARCHIVE) + ".new")
        try:
            broker.start()
            broker.create_topic("archive")
            broker.produce("archive", [b"line"])
            broker.consume("archive", 1)
            broker.stop()
        finally:
            broker.cleanup()
        os.replace(str(ARCHIVE) + ".new", ARCHIVE)


def free_ports(count):
    """Ports below the range that the kernel hands to outgoing connections, so that a broker that
    is down for a while finds its port again."""
    ports, held = [], []
    try:
        while len(ports) < count:
            s = socket.socket()
            held.append(s)
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", random.SystemRandom().randint(15000, 31999)))
                ports.append(s.getsockname()[1])
    finally:
        for s in held:
            s.close()
    return ports


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_alive(pid, mark):
    """Whether process `pid` runs and has `mark` in its command line: a number alone may be reused."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return mark.encode() in f.read()
    except OSError:
        return False


class Node:
    """One process: broker and controller in one."""

    def __init__(self, number, folder, port, controller_port):
        self.number, self.folder = number, pathlib.Path(folder)
        self.port, self.controller_port = port, controller_port
        self.conf, self.log = self.folder / "server.properties", self.folder / "broker.log"
        self.data = self.folder / "data"
        self.process = None
        self.log_start = 0

    def write_conf(self, properties):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.conf.write_text("".join(f"{k}={v}\n" for k, v in sorted(properties.items())))

    def spawn(self, heap_mb, archive, daemon):
        if self.running():
            raise RuntimeError(f"node {self.number} runs already")
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        shared = []
        if archive:
            shared = [f"-XX:ArchiveClassesAtExit={archive}"]
        elif ARCHIVE.exists():
            shared = [f"-XX:SharedArchiveFile={ARCHIVE}"]
        command = ["java", "-Xms64m", f"-Xmx{heap_mb}m", "-XX:MaxDirectMemorySize=128m", "-Xss512k", *JAVA, *shared,
                   "-cp", classpath(), "kafka.Kafka", str(self.conf)]
        # The death signal follows the thread that forks: a thread that ends would take the broker along.
        tied = not daemon and threading.current_thread() is threading.main_thread()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            start_new_session=daemon, preexec_fn=_die_with_parent if tied else None)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def text(self):
        """The log since the last start."""
        with open(self.log, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode(errors="replace")

    def wait_started(self, deadline):
        while "Kafka Server started" not in self.text():
            if not self.running():
                raise RuntimeError(f"node {self.number} ended:\n" + "\n".join(self.text().splitlines()[-30:]))
            if time.monotonic() > deadline:
                raise TimeoutError(f"node {self.number} did not start:\n" + "\n".join(self.text().splitlines()[-30:]))
            time.sleep(0.02)

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)


class Broker:
    """A cluster of `nodes` brokers, numbered from 1.

    properties  further settings for server.properties, by name; they win over ours
    directory   where data and logs live; a temporary folder, removed at the end, when not given
    heap_mb     Java heap of each node
    """

    def __init__(self, nodes=1, properties=None, directory=None, heap_mb=512, archive=None, daemon=False):
        self.daemon, self.heap_mb, self.archive = daemon, heap_mb, archive
        self.temporary = directory is None
        base = pathlib.Path(directory) if directory else pathlib.Path(tempfile.mkdtemp(prefix="sekisho-kafka-"))
        self.directory = base.resolve()
        ports = free_ports(2 * nodes)
        self.nodes = {n: Node(n, self.directory / f"node{n}", ports[2 * n - 2], ports[2 * n - 1])
                      for n in range(1, nodes + 1)}
        self.extra = dict(properties or {})
        self.formatted = False
        self.cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")
        if not daemon:
            atexit.register(self.cleanup)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.cleanup()
            raise

    def __exit__(self, *_):
        self.cleanup()

    # Life and death

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{n.port}" for n in self.nodes.values())

    @property
    def admin(self):
        return Admin([("127.0.0.1", n.port) for n in self.nodes.values() if self.daemon or n.running()])

    def start(self, timeout=START_SECONDS):
        """Start every node that does not run and wait until all answer."""
        if self.archive is None:
            prepare()
        if not self.formatted:
            self._format()
        deadline = time.monotonic() + timeout
        for node in self.nodes.values():
            if not node.running():
                node.spawn(self.heap_mb, self.archive, self.daemon)
        for node in self.nodes.values():
            node.wait_started(deadline)
        self.wait_brokers(len(self.nodes), deadline - time.monotonic())
        return self

    def restart(self, number=None, timeout=START_SECONDS):
        """Start the nodes that are down (or only one of them) on the data they left."""
        if number is None:
            return self.start(timeout)
        node = self.nodes[number]
        node.spawn(self.heap_mb, self.archive, self.daemon)
        node.wait_started(time.monotonic() + timeout)
        return self

    def stop(self, number=None, timeout=STOP_SECONDS):
        """End in order (SIGTERM): the logs are closed cleanly."""
        nodes = self._chosen(number)
        for node in nodes:
            node.signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        for node in nodes:
            if node.process is None:
                continue
            try:
                node.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:  # the last nodes of a quorum may wait for one another
                node.signal(signal.SIGKILL)
                node.process.wait()

    def kill(self, number=None):
        """SIGKILL, as a power cut would."""
        for node in self._chosen(number):
            node.signal(signal.SIGKILL)
            if node.process is not None:
                node.process.wait()

    def freeze(self, number=None):
        """SIGSTOP: connections stay open and nothing answers."""
        for node in self._chosen(number):
            node.signal(signal.SIGSTOP)

    def thaw(self, number=None):
        for node in self._chosen(number):
            node.signal(signal.SIGCONT)

    def cleanup(self):
        """Kill what runs and remove the folder if it is a temporary one."""
        self.kill()
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.cleanup)

    def log_text(self, number=1):
        return self.nodes[number].text()

    def _chosen(self, number):
        return list(self.nodes.values()) if number is None else [self.nodes[number]]

    def _format(self):
        voters = ",".join(f"{n.number}@127.0.0.1:{n.controller_port}" for n in self.nodes.values())
        runs = []
        for node in self.nodes.values():
            node.write_conf({**_properties(len(self.nodes)), **{
                "node.id": node.number, "log.dirs": node.data, "controller.quorum.voters": voters,
                "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
            }, **{k: str(v).replace("{node}", str(node.number)) for k, v in self.extra.items()}})
            if (node.data / "meta.properties").exists():
                continue
            with open(node.folder / "format.log", "wb") as log:
                runs.append((node, subprocess.Popen(
                    ["java", *JAVA, "-cp", classpath(), "kafka.tools.StorageTool", "format", "-t", self.cluster_id,
                     "-c", str(node.conf)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)))
        for node, run in runs:
            if run.wait():
                raise RuntimeError((node.folder / "format.log").read_text(errors="replace")[-2000:])
        self.formatted = True

    # Waiting

    def wait(self, condition, timeout=30.0, what="the condition"):
        """Wait until condition() is true and return its value; errors of a cluster in motion are waited out."""
        deadline, last = time.monotonic() + timeout, None
        while True:
            try:
                if value := condition():
                    return value
            except (OSError, KafkaError, KeyError) as error:
                last = error
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:.0f} s for {what}; last error: {last}")
            time.sleep(0.05)

    def wait_brokers(self, count, timeout=30.0):
        self.wait(lambda: len(self.admin.metadata([])["brokers"]) >= count, timeout, f"{count} brokers")

    def wait_in_sync(self, topic, timeout=30.0):
        """Until every replica of the topic is in sync and every partition has a leader."""
        def settled():
            parts = self.admin.metadata([topic])["topics"][topic]
            return all(p["leader"] >= 0 and set(p["isr"]) == set(p["replicas"]) for p in parts.values())
        self.wait(settled, timeout, f"replicas of {topic}")

    # Topics

    def create_topic(self, name, partitions=1, configs=None, replication=None, assignment=None):
        """assignment: {partition: [node, ...]}, the preferred leader first."""
        self.create_topics({name: {"partitions": partitions, "configs": configs or {}, "assignment": assignment,
                                   "replication": replication or min(3, len(self.nodes))}})

    def create_topics(self, topics):
        """topics: {name: partitions} or {name: {"partitions", "replication", "configs", "assignment"}}, in one
        request; returns when every partition has a leader."""
        default = {"partitions": 1, "replication": min(3, len(self.nodes))}
        specs = {n: {**default, **(s if isinstance(s, dict) else {"partitions": s})} for n, s in topics.items()}
        self.admin.create_topics(specs)

        def ready():
            found = self.admin.metadata(list(specs))["topics"]
            return all(name in found and found[name] and all(p["leader"] >= 0 for p in found[name].values())
                       for name in specs)
        self.wait(ready, 60, "leaders of new topics")

    def delete_topic(self, *names):
        self.admin.delete_topics(names)

    def add_partitions(self, name, total):
        self.admin.create_partitions(name, total)
        self.wait(lambda: self.admin.leader(name, total - 1) >= 0, what=f"partition {total - 1} of {name}")

    def topics(self):
        return sorted(self.admin.metadata()["topics"])

    def set_topic(self, name, **configs):
        """Settings with _ for ., as retention_ms=1000; None goes back to the default."""
        self.admin.alter_configs("topic", name, {k.replace("_", "."): v for k, v in configs.items()})

    def offsets(self, topic, partition=0):
        """(first offset there is, offset of the next record)"""
        admin = self.admin
        return admin.offset(topic, partition, EARLIEST), admin.offset(topic, partition, LATEST)

    def committed(self, group, topic, partition=0):
        return self.admin.committed(group, topic, partition)

    def delete_records(self, topic, partition, before):
        """Move the start of the partition to offset `before`, as retention would; returns the new start."""
        return self.admin.delete_records(topic, partition, before)

    def expire(self, topic, timeout=30.0):
        """Let retention take every closed and open segment of the topic; returns when the partitions are empty."""
        self.set_topic(topic, retention_ms=1, segment_ms=1)
        parts = self.admin.metadata([topic])["topics"][topic]
        try:
            self.wait(lambda: all(len(set(self.offsets(topic, p))) == 1 for p in parts), timeout, f"expiry of {topic}")
        finally:
            self.set_topic(topic, retention_ms=None, segment_ms=None)

    # Leaders

    def leader(self, topic, partition=0):
        return self.admin.leader(topic, partition)

    def wait_new_leader(self, topic, partition, old, timeout=30.0):
        """Wait until another node than `old` leads and answers; returns its number."""
        def moved():
            node = self.admin.leader(topic, partition)
            if node in (-1, old):
                return None
            self.admin.offset(topic, partition, LATEST)
            return node
        return self.wait(moved, timeout, f"a new leader of {topic} [{partition}]")

    def move_leader(self, topic, partition, node, timeout=30.0):
        """Make `node`, which must hold a replica, the leader without stopping anyone."""
        replicas = self.admin.metadata([topic])["topics"][topic][partition]["replicas"]
        self.admin.reassign(topic, {partition: [node] + [r for r in replicas if r != node]})
        read = lambda: self.admin.metadata([topic])["topics"][topic][partition]["replicas"]
        self.wait(lambda: read()[0] == node, timeout, "the new order of replicas")

        def elected():
            self.admin.elect_preferred(topic, [partition])
            return self.admin.leader(topic, partition) == node
        self.wait(elected, timeout, f"node {node} to lead {topic} [{partition}]")

    # Data

    def segments(self, topic, partition=0, number=None):
        """Paths of the partition's log segments, oldest first, on its leader (or on node `number`). Stop the
        broker in order before changing one: after a SIGKILL its recovery cuts a bad batch off."""
        if number is None:
            holders = [n for n in self.nodes.values() if (n.data / f"{topic}-{partition}").is_dir()]
            number = holders[0].number if len(holders) == 1 else self.leader(topic, partition)
        return sorted((self.nodes[number].data / f"{topic}-{partition}").glob("*.log"))

    def produce(self, topic, lines, partition=None, key=None, options=()):
        """Send lines (bytes without newline and not empty) with kcat, acks=all. `sekisho send` is the tool for
        records with newlines, NUL or nothing in them."""
        command = ["kcat", "-P", "-b", self.bootstrap, "-t", topic, "-X", "acks=all"]
        # Each once and in order also where a new leader refuses the first request.
        command += ["-X", "enable.idempotence=true"]
        command += ["-p", str(partition)] if partition is not None else []
        command += ["-k", key] if key is not None else []
        for option in options:
            command += ["-X", option]
        data = b"".join(line + b"\n" for line in lines)
        subprocess.run(command, input=data, check=True, timeout=300, stderr=subprocess.PIPE)

    def consume(self, topic, count=None, partition=None, offset="beginning", options=(), timeout=60):
        """Values of the topic's records from `offset` on: `count` of them, or all there are."""
        command = ["kcat", "-C", "-b", self.bootstrap, "-t", topic, "-o", str(offset), "-q", "-f", "%S\n%s\n"]
        command += ["-p", str(partition)] if partition is not None else []
        # The end that a client sees is the high watermark, which may be behind what was acknowledged.
        command += ["-c", str(count)] if count is not None else ["-e"]
        for option in options:
            command += ["-X", option]
        out = subprocess.run(command, check=True, timeout=timeout, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE).stdout
        values, at = [], 0
        while at < len(out):
            end = out.index(b"\n", at)
            length = int(out[at:end])
            values.append(out[end + 1:end + 1 + max(0, length)])
            at = end + 2 + max(0, length)
        return values

    def tool(self, main, *arguments, timeout=60):
        """Run one of Kafka's own command line tools by its main class; about a second a call."""
        command = ["java", *JAVA, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classpath(), main,
                   "--bootstrap-server", self.bootstrap, *arguments]
        return subprocess.run(command, check=True, timeout=timeout, stdout=subprocess.PIPE).stdout.decode()


def _on_term(*_):
    sys.exit(143)


if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
    signal.signal(signal.SIGTERM, _on_term)  # so that atexit runs when a test is told to end


# The command line: one broker that stays

def _state(folder):
    try:
        return json.loads((folder / "state.json").read_text())
    except (OSError, ValueError):
        return None


def _command_start(folder, nodes):
    state = _state(folder)
    if state and any(is_alive(p, str(folder)) for p in state["pids"]):
        print(state["bootstrap"])
        return 0
    if state:
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        print(f"{folder} is not empty and not a broker's", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(nodes=nodes, directory=folder, daemon=True)
    try:
        broker.start()
    except BaseException:
        broker.kill()
        shutil.rmtree(folder)
        raise
    (folder / "state.json").write_text(json.dumps({
        "bootstrap": broker.bootstrap, "pids": [n.process.pid for n in broker.nodes.values()]}))
    print(broker.bootstrap)
    return 0


def _command_stop(folder):
    state = _state(folder)
    pids = [p for p in (state or {"pids": []})["pids"] if is_alive(p, str(folder))]
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while pids and time.monotonic() < deadline:
            time.sleep(0.05)
            pids = [p for p in pids if is_alive(p, str(folder))]
    if state:
        shutil.rmtree(folder)
    print("stopped" if state else "not running")
    return 0


def _command_status(folder):
    state = _state(folder)
    if not state or not any(is_alive(p, str(folder)) for p in state["pids"]):
        print("not running")
        return 1
    addresses = [(a.split(":")[0], int(a.split(":")[1])) for a in state["bootstrap"].split(",")]
    meta = Admin(addresses).metadata()
    print(state["bootstrap"])
    for name, parts in sorted(meta["topics"].items()):
        print(f"  {name}: {len(parts)} partitions")
    return 0


def main():
    parser = argparse.ArgumentParser(description="A throw-away Kafka broker for work by hand.")
    parser.add_argument("command", choices=["prepare", "start", "stop", "status"])
    parser.add_argument("directory", nargs="?", type=pathlib.Path)
    parser.add_argument("--nodes", type=int, default=1)
    options = parser.parse_args()
    if options.command == "prepare":
        prepare()
        return 0
    if options.directory is None:
        parser.error("name a directory")
    folder = options.directory.resolve()
    if options.command == "start":
        return _command_start(folder, options.nodes)
    return _command_stop(folder) if options.command == "stop" else _command_status(folder)


if __name__ == "__main__":
    sys.exit(main())
