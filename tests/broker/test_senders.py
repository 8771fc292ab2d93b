#!/usr/bin/env python3
"""What `sekisho source try` prints for a relay, given to that relay: rsyslog and syslog-ng as Debian has them, in front of
a real broker that asks for certificates and knows rights.

Each takes lines by UDP, by TCP and from a file: every one must arrive byte for byte in the municipality's topic, once,
many to a batch, and be in the collector's store the same; also when the broker is away for a while. A relay without rights
on the topic gets nothing there.

The relays are those of the system, or Debian's packages unpacked below build/senders (`./dev test broker` does that: two
syslog daemons cannot be installed side by side). Debian 12 has no Fluent Bit: of its configuration only what it consists
of is looked at.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
import kafka_batch  # noqa: E402
from kafka_harness import Broker, free_ports  # noqa: E402
from pipeline import Collector, checked_code  # noqa: E402
from sekisho import Steps, _die_with_parent, run, skip, temp_dir, wait_until  # noqa: E402

TENANT, OTHER = checked_code(99001), checked_code(99002)
UNPACKED = ROOT / "build" / "senders"
LIBRARIES = ("usr/lib", "lib")
INPUTS = ("udp", "tcp", "file")
LINES = 600
BURST = 30      # lines that are sent at once; of datagrams more could be lost before a busy relay takes them
APART = 0.002   # seconds between lines by TCP: without linger.ms each would be a batch
FEWER = 8       # times fewer batches than lines
TWICE = 20      # one line in so many may come again after an outage


class Relay:
    """How one of them is started, in a folder of its own."""

    def __init__(self, name, program, modules, command):
        self.name, self.program, self.modules, self.command = name, program, modules, command

    def find(self):
        """(program, folder of modules, environment) of the system's or of the unpacked one; None."""
        for root in (pathlib.Path("/"), UNPACKED):
            program = root / self.program
            modules = [m for m in sorted(root.glob(self.modules)) if m.exists()]
            if not program.exists() or not modules:
                continue
            env = dict(os.environ)
            if root == UNPACKED:
                folders = [str(p) for lib in LIBRARIES for p in (root / lib).glob("*linux-gnu*")]
                folders += [str(root / "usr/lib/syslog-ng")]
                env["LD_LIBRARY_PATH"] = ":".join(folders)
            libraries = subprocess.run(["ldd", program, modules[0]], env=env, capture_output=True, text=True, check=False)
            if "not found" not in libraries.stdout:
                return program, modules[0].parent, env
        return None


def rsyslog(program, modules, folder, snippet):
    conf = folder / "rsyslog.conf"
    conf.write_text(f'global(workDirectory="{folder}")\ninclude(file="{snippet}")\n')
    return [program, "-n", "-f", conf, "-i", folder / "pid", "-M", modules]


def syslog_ng(program, modules, folder, snippet):
    conf = folder / "syslog-ng.conf"
    conf.write_text(f'@version: 3.38\n@include "{snippet}"\n')
    return [program, "-F", "--no-caps", "-f", conf, "-R", folder / "persist", "-p", folder / "pid",
            "-c", folder / "control", f"--module-path={modules}"]


RELAYS = (Relay("rsyslog", "usr/sbin/rsyslogd", "usr/lib/*/rsyslog/omkafka.so", rsyslog),
          Relay("syslog-ng", "usr/sbin/syslog-ng", "usr/lib/syslog-ng/*/libkafka.so", syslog_ng))


def line(number):
    """Lines of a firewall, with what relays like to change: bytes that are no UTF-8, tabs, controls, percent signs,
    backslashes, length, a time that is not the relay's."""
    head = f'<189>date=2026-11-21 time=10:{number // 60 % 60:02d}:{number % 60:02d} devname="fw1" devid="FG1" ' \
           f'tz="+0900" type="traffic" subtype="forward" srcip=10.1.0.{number % 200} srcport={10000 + number} ' \
           f'dstip=203.0.113.9 dstport=443 action="{"deny" if number % 7 == 0 else "accept"}" '.encode()
    tails = (b'msg="\x8b\x91\x89\xc2"', 'msg="許可"'.encode(), b'msg="a\tb\x01c"', b'url="/%41%s%n\\x5c\\\\"',
             b'msg="' + b"x" * 12000 + b'"', b"sentbyte=1200 rcvdbyte=4000", b"end ")
    return head + tails[number % len(tails)]


class Town:
    """The broker with certificates and rights, and what the tests of one municipality share."""

    def __init__(self, folder):
        self.folder, self.tls = folder, folder / "tls"
        script = [str(ROOT / "docker" / "certificates.sh")]
        relays = [f"relay-{code}" for code in (TENANT, OTHER)]
        for words in (["authority"], ["broker", "127.0.0.1"], ["client", *relays]):
            subprocess.run(script + [words[0], str(self.tls), *words[1:]], check=True, stdout=subprocess.DEVNULL)
        self.port = free_ports(1)[0]
        self.kafka = Broker()
        plain = self.kafka.nodes[1].port
        self.kafka.extra.update({
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.kafka.nodes[1].controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
            "ssl.client.auth": "required", "ssl.keystore.type": "PEM", "ssl.truststore.type": "PEM",
            "ssl.keystore.location": self.tls / "broker" / "broker.pem",
            "ssl.truststore.location": self.tls / "broker" / "ca.pem",
            "ssl.principal.mapping.rules": "RULE:^CN=([a-z0-9-]+)$/$1/,DEFAULT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false", "super.users": "User:ANONYMOUS"})

    def __enter__(self):
        self.kafka.__enter__()
        for code in (TENANT, OTHER):
            self.kafka.tool("org.apache.kafka.tools.AclCommand", "--add", "--allow-principal", f"User:relay-{code}",
                            "--operation", "Write", "--operation", "Describe", "--resource-pattern-type", "prefixed",
                            "--topic", f"seclog.raw.{code}.")
        return self

    def __exit__(self, *_):
        self.kafka.cleanup()


def snippet(town, relay, source, where, sample, tls=TENANT):
    done = run("source", "try", "--tenant", TENANT, "--source", source, "--broker", f"127.0.0.1:{town.port}", "--tls",
               town.tls / f"relay-{tls}", "--from", where, "--print", relay, "--lang", "en", sample)
    return done.stdout


def listens(kind, port):
    want = f"{port:04X}"
    for table in (f"/proc/net/{kind}", f"/proc/net/{kind}6"):
        for row in pathlib.Path(table).read_text().splitlines()[1:]:
            words = row.split()
            if words[1].endswith(":" + want) and words[3] in ("07", "0A"):
                return True
    return False


def feed(kind, port, path, lines, taken=None):
    """Send lines in bursts; taken(count): wait until so many are in Kafka, before the next burst of datagrams."""
    if kind == "file":
        with open(path, "wb") as out:
            for at in range(0, len(lines), BURST):
                out.write(b"".join(text + b"\n" for text in lines[at:at + BURST]))
                out.flush()
                time.sleep(0.01)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as to:
        to.connect(("127.0.0.1", port))
        for at in range(0, len(lines), BURST):
            for text in lines[at:at + BURST]:
                to.sendall(text + b"\n" if kind == "tcp" else text)
                time.sleep(APART if kind == "tcp" else 0)
            if kind == "udp":
                taken(min(at + BURST, len(lines)))


class Running:
    """A relay in the foreground with its own state."""

    def __init__(self, relay, found, folder, text):
        folder.mkdir()
        self.conf, self.log = folder / "seclog.conf", folder / "log"
        self.conf.write_bytes(text)
        program, modules, env = found
        command = [str(word) for word in relay.command(program, modules, folder, self.conf)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                            cwd=folder, preexec_fn=_die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def said(self):
        return self.log.read_text(errors="replace")[-3000:]

    def wait(self, condition, what, timeout=60):
        try:
            wait_until(lambda: condition() or self.process.poll() is not None, timeout, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.said()}") from error
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()}"


def try_input(town, relay, found, kind, sample):
    source = f"{relay.name}-{kind}"
    topic, lines = f"seclog.raw.{TENANT}.{source}", [line(n) for n in range(LINES)]
    port, folder = free_ports(1)[0], town.folder / source
    path = town.folder / f"{source}.log"
    town.kafka.create_topic(topic)
    text = snippet(town, relay.name, source, f"file:{path}" if kind == "file" else f"{kind}:{port}", sample)
    with Running(relay, found, folder, text) as running:
        if kind != "file":
            running.wait(lambda: listens(kind, port), f"{relay.name} to listen")
        def taken(count):
            running.wait(lambda: town.kafka.offsets(topic)[1] >= count, f"{count} records in {topic}")

        feed(kind, port, path, lines, taken)
        taken(LINES)
    first, end = town.kafka.offsets(topic)
    values = town.kafka.consume(topic, end - first)
    if values != lines:
        bad = next((n for n, (got, want) in enumerate(zip(values, lines)) if got != want), min(len(values), LINES))
        raise AssertionError(f"{source}: {len(values)} records; number {bad} is {values[bad:bad + 1]}, "
                             f"not {lines[bad:bad + 1]}")
    batches = sum(len(kafka_batch.batches(p.read_bytes())) for p in town.kafka.segments(topic))
    assert batches * FEWER <= LINES, f"{source}: {batches} batches of {LINES} lines"
    return topic, batches


def outage(town, relay, found, sample):
    """The broker goes away while lines come: all are there afterwards, in their order, hardly any twice. Returns how
    many of them."""
    source, port = f"{relay.name}-outage", free_ports(1)[0]
    topic, lines = f"seclog.raw.{TENANT}.{source}", [line(n) for n in range(LINES)]
    town.kafka.create_topic(topic)
    with Running(relay, found, town.folder / source, snippet(town, relay.name, source, f"tcp:{port}", sample)) as running:
        running.wait(lambda: listens("tcp", port), f"{relay.name} to listen")
        feed("tcp", port, None, lines[:LINES // 3])
        running.wait(lambda: town.kafka.offsets(topic)[1] >= LINES // 3, "the first lines")
        town.kafka.stop()
        feed("tcp", port, None, lines[LINES // 3:])
        time.sleep(2)
        town.kafka.restart()
        running.wait(lambda: town.kafka.offsets(topic)[1] >= LINES, "all lines after the outage", 120)
    values = town.kafka.consume(topic, town.kafka.offsets(topic)[1])
    assert set(values) == set(lines), f"{source}: {len(set(values))} of {LINES} lines"
    assert list(dict.fromkeys(values)) == lines, f"{source}: lines came in another order"
    twice = len(values) - LINES
    assert twice * TWICE <= LINES, f"{source}: {twice} of {LINES} lines came again"
    return twice


def collected(town, topics):
    """The store has them, too, and knows their format by the configuration that was printed."""
    keys = 'limits: {batch_age: 100ms, frame_age: 20ms}\n' + f'tenants: {{"{TENANT}": {{sources: {{' + \
        ", ".join(f"{topic.rsplit('.', 1)[1]}: {{format: fortigate}}" for topic in topics) + "}}}\n"
    with Collector(town.folder / "collector", town.kafka, keys) as collector:
        collector.wait_collected({(topic, 0): LINES for topic in topics})
        collector.stop()
        for topic in topics:
            stored = run("export", "--data", collector.data, "--topic", topic, "--raw", "-0").stdout
            want = b"".join(line(n) + b"\0" for n in range(LINES))
            assert stored == want, f"{topic}: the store has other bytes than were sent"


def no_rights(town, relay, found, sample):
    """With another municipality's certificate nothing arrives in this one's topic."""
    source, port = f"{relay.name}-wrong", free_ports(1)[0]
    topic = f"seclog.raw.{TENANT}.{source}"
    town.kafka.create_topic(topic)
    text = snippet(town, relay.name, source, f"tcp:{port}", sample)
    text = text.replace(str(town.tls / f"relay-{TENANT}").encode(), str(town.tls / f"relay-{OTHER}").encode())
    text = text.replace(f"relay-{TENANT}.".encode(), f"relay-{OTHER}.".encode())
    with Running(relay, found, town.folder / source, text) as running:
        running.wait(lambda: listens("tcp", port), f"{relay.name} to listen")
        feed("tcp", port, None, [line(n) for n in range(20)])
        denied = f"User:relay-{OTHER} is Denied"
        running.wait(lambda: topic in town.kafka.log_text() and denied in town.kafka.log_text(), "the broker to refuse")
        time.sleep(1)
    assert town.kafka.offsets(topic)[1] == 0, f"{source}: records of a relay without rights"


def two_sources(town, relay, found, sample):
    """Two sources in one relay: what stands before the mark is left out of the second. It must not be complained of."""
    program, modules, env = found
    folder = town.folder / f"{relay.name}-two"
    folder.mkdir()
    parts = [snippet(town, relay.name, f"two-{n}", f"udp:{port}", sample).decode()
             for n, port in enumerate(free_ports(2))]
    if relay.name == "rsyslog":
        parts[1] = parts[1].split("# each source\n")[1]
    both = folder / "both.conf"
    both.write_text("".join(parts))
    command = [str(word) for word in relay.command(program, modules, folder, both)]
    check = ["-N1"] if relay.name == "rsyslog" else ["--syntax-only"]
    done = subprocess.run(command + check, env=env, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "error" not in said and "already" not in said, said


def fluent_bit(town, sample, step):
    """That it is printed whole; Debian 12 has no Fluent Bit to try it with."""
    for where, name in (("tcp:5140", "tcp"), ("file:/var/log/fw1.log", "tail"), ("udp:5140", "tcp")):
        text = snippet(town, "fluent-bit", "fw1", where, sample).decode()
        rows = [row.split(None, 1) for row in text.splitlines() if row.startswith("    ")]
        keys = {row[0]: row[1] for row in rows}
        assert keys["Topics"] == f"seclog.raw.{TENANT}.fw1" and keys["Brokers"] == f"127.0.0.1:{town.port}"
        assert (keys["Format"], keys["Raw_Log_Key"], keys["rdkafka.linger.ms"]) == ("raw", "log", "150")
        assert keys["rdkafka.security.protocol"] == "ssl"
        assert pathlib.Path(keys["rdkafka.ssl.key.location"]).exists()
        assert [row[1] for row in rows if row[0] == "Name"] == [name, "kafka"], text
    step("fluent-bit: printed whole; not tried, Debian 12 has none")


def main():
    step = Steps()
    found = {relay.name: relay.find() for relay in RELAYS}
    if not any(found.values()):
        skip("neither rsyslog-kafka nor syslog-ng-mod-rdkafka is installed or unpacked")
    if shutil.which("openssl") is None:
        skip("openssl is missing")
    with temp_dir() as folder:
        sample = folder / "sample.log"
        sample.write_bytes(b"".join(line(n) + b"\n" for n in range(5, 600, 7)))
        topics = []
        with Town(folder) as town:
            step("a broker that asks for certificates")
            for relay in RELAYS:
                if found[relay.name] is None:
                    print(f"{relay.name}: not installed, not tried")
                    continue
                for kind in INPUTS:
                    topic, batches = try_input(town, relay, found[relay.name], kind, sample)
                    topics.append(topic)
                    step(f"{relay.name} from {kind}: {LINES} lines, each as sent, in {batches} batches")
                twice = outage(town, relay, found[relay.name], sample)
                step(f"{relay.name} while the broker is away: all lines afterwards, {twice} of them twice")
                two_sources(town, relay, found[relay.name], sample)
                no_rights(town, relay, found[relay.name], sample)
                step(f"{relay.name} with another municipality's certificate: nothing")
            collected(town, topics)
            step("the store has the same bytes")
            fluent_bit(town, sample, step)
    missing = [name for name, where in found.items() if where is None]
    if missing:
        skip(f"passed without {', '.join(missing)}, which is not installed or unpacked")
    print("passed")


if __name__ == "__main__":
    main()
