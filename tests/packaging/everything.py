"""Every kind of receiver of alerts, a list, two databases; the configuration of a collector that uses all of them; and
a look whether an alert came to each."""
import contextlib
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from receivers import Redis, Smtp, StreamSyslog  # noqa: E402
from sekisho import ndjson, run, wait_until  # noqa: E402

TENANT, TOPIC, ALERT_TOPIC = "990019", "seclog.raw.990019.fw1", "seclog.alert.finding.v1"
LISTED = "203.0.113.66"


def fortigate(number, start=0, source="10.1.0.5", destination="203.0.113.5", port=443, action="accept"):
    """Lines of a firewall, a second apart and the last one now, in Japanese time."""
    first = time.time() - number + 9 * 3600
    for n in range(number):
        at = time.gmtime(first + n)
        yield (f'date={time.strftime("%Y-%m-%d", at)} time={time.strftime("%H:%M:%S", at)} tz="+0900" '
               f'type="traffic" subtype="forward" srcip={source} srcport={20000 + n % 40000} dstip={destination} '
               f'dstport={port} proto=6 action="{action}" n={start + n}').encode()


def scan(source, start=0, hosts=200, port=445):
    """One host is refused by many in a row."""
    for n in range(hosts):
        yield from fortigate(1, start + n, source, f"198.51.100.{n + 1}", port, "deny")


class Everything:
    """`with Everything(folder, kafka, alerts) as e`: what the collector reads is in `folder`, its alert files are to be
    in `alerts`. `root` is what the collector takes for the root of the file system."""

    def __init__(self, folder, kafka, alerts, root="/"):
        self.folder, self.kafka = pathlib.Path(folder), kafka
        self.alerts, self.root = pathlib.Path(alerts), pathlib.Path(root)
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o755)
            run("gen", "--tenants", "1", "--events", "10", "--out", self.folder / "gen")
            (self.folder / "list.txt").write_text(f"{LISTED}\n")
            # The collector may be another user than the test.
            subprocess.run(["chmod", "-R", "a+rX", self.folder], check=True)
            self.redis = Redis(self.folder / "redis")
            stack.callback(self.redis.kill)
            self.redis.start("--unixsocketperm", "777")
            self.mail, self.syslog = stack.enter_context(Smtp()), stack.enter_context(StreamSyslog())
            for topic in (TOPIC, ALERT_TOPIC):
                self.kafka.create_topic(topic)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def seen(self, path):
        return pathlib.Path("/") / pathlib.Path(path).relative_to(self.root)

    def keys(self):
        """All of the configuration but `data` and `kafka`. Names are to be resolved."""
        gen, alerts = self.seen(self.folder / "gen"), self.seen(self.alerts)
        return f"""mmdb: {{country: {gen}/country.mmdb, asn: {gen}/asn.mmdb}}
lists:
  - {{name: own, file: {self.seen(self.folder / "list.txt")}}}
sources:
  fw1: {{format: fortigate}}
tenants:
  "{TENANT}":
    name: 見本市
    mail: [kanri@town.example]
    networks:
      - {{cidr: 10.1.0.0/16, zone: internet}}
      - {{cidr: 10.2.0.0/16, zone: lgwan}}
outputs:
  kafka: {{topic: {ALERT_TOPIC}}}
  file: {{path: {alerts}/alerts.ndjson, tenant_directory: {alerts}/tenants}}
  redis: {{address: "unix:{self.seen(self.redis.path)}"}}
  syslog: {{address: "tcp:localhost:{self.syslog.port}"}}
  mail: {{server: "smtp://localhost:{self.mail.port}", from: sekisho@example.jp, window: 0s}}
"""

    def send(self, lines):
        path = self.folder / "lines.log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        run("send", "--brokers", self.kafka.bootstrap, "--topic", TOPIC, path)

    def _on_kafka(self):
        done = subprocess.run(["kcat", "-b", self.kafka.bootstrap, "-q", "-e", "-C", "-t", ALERT_TOPIC, "-o",
                               "beginning"], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
        return ndjson(done.stdout)

    def _in_file(self, name):
        path = self.alerts / name
        return ndjson(path) if path.exists() else []

    def received(self):
        """{receiver: ids of the alerts that it has}; of mails their number says how many there are."""
        lines = {"file": self._in_file("alerts.ndjson"), "tenant's file": self._in_file(f"tenants/{TENANT}.ndjson"),
                 "Kafka": self._on_kafka(),
                 "Redis": [json.loads(e["line"]) for e in self.redis.stream_entries("sekisho:alerts")],
                 "syslog": [json.loads(m[m.index("{"):]) for m in self.syslog.messages]}
        return {name: {a["alert.id"] for a in found} for name, found in lines.items()}

    def wait_alerts(self, source, kind, timeout=60):
        """Until every receiver has the alert of that kind about `source`. Returns its line."""
        def found():
            return [a for a in self._in_file("alerts.ndjson")
                    if (a.get("source.ip"), a["alert.kind"]) == (source, kind)]
        alert = wait_until(found, timeout, f"an alert {kind} about {source}")[0]

        def missing():
            return [name for name, ids in self.received().items() if alert["alert.id"] not in ids] + \
                ([] if any(b"kanri@town.example" in mail for _, _, mail in self.mail.mails) else ["mail"])
        try:
            wait_until(lambda: not missing(), timeout, "all receivers", interval=0.5)
        except TimeoutError:
            raise AssertionError(f"the alert {kind} about {source} did not come to: {missing()}") from None
        return alert
