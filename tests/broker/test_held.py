#!/usr/bin/env python3
"""A collector that ends while a finding waits for who is behind a shared address: the next one goes on with it.

An outer firewall reports a translated address at a listed place; before the inner firewall's row names the host the
collector is told to end, or killed. The row is in the log and no alert is. The next process reads the inner row, which came
meanwhile, and says of the host what the outer row began: one alert, with both rows.
"""
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import Steps, need_binary, ndjson, run, temp_dir, wait_until  # noqa: E402

TENANT = "990019"
INNER, OUTER = (f"seclog.raw.{TENANT}.{name}" for name in ("inner", "outer"))
NAT, PLACES = "192.0.2.1", 12
ATTEMPTS = 5    # a machine may be too busy to end the collector within the wait
CONFIG = f"""lists: [{{name: invented, file: list.txt}}]
tenants:
  "{TENANT}":
    name: 試験町
    networks: [{{cidr: 10.0.0.0/8, zone: インターネット接続系}}]
    shared: [{NAT}]
    sources:
      inner: {{format: fortigate}}
      outer: {{format: fortigate}}
"""


class Bench:
    def __init__(self, folder, kafka):
        self.kafka, self.folder, self.sent = kafka, folder, 0
        self.collector = Collector(folder / "collector", kafka, CONFIG)
        (folder / "collector" / "list.txt").write_text("".join(f"198.51.100.{i}\n" for i in range(1, PLACES + 1)))

    def session(self, topic, source, port, destination, translated=None):
        now = time.time_ns()
        stamp = time.strftime("date=%Y-%m-%d time=%H:%M:%S", time.gmtime(now // 10**9 + 9 * 3600))
        nat = f' trandisp="snat" transip={NAT} transport={translated}' if translated else ""
        line = (f'{stamp} devname="FG-1" devid="FG1" eventtime={now} tz="+0900" logid="0000000013" type="traffic" '
                f'subtype="forward" level="notice" vd="root" srcip={source} srcport={port} srcintf="lan" dstip={destination} '
                f'dstport=443 dstintf="wan" sessionid={port} proto=6 action="close" policyid=1 service="HTTPS"{nat} duration=1 '
                'sentbyte=100 rcvdbyte=200')
        path = self.folder / "line.log"
        path.write_text(line + "\n")
        run("send", "--brokers", self.kafka.bootstrap, "--topic", topic, path)
        self.sent += 1

    def stored(self):
        done = run("search", "", "--data", self.collector.data, "--count", check=None)
        return int(done.stdout) if done.returncode == 0 else 0

    def alerts(self, place):
        found = ndjson(run("alerts", "--data", self.collector.data, "--json", "--kind", "indicator", check=None).stdout)
        return [a for a in found if a["threat.indicator.name"] == place]


def interrupt(bench, places, end):
    """The place whose finding waits in a store that nobody has open."""
    for _ in range(ATTEMPTS):
        number, place = next(places)
        before = bench.stored()
        bench.session(OUTER, NAT, 40000 + number, place)
        time.sleep(0.7)
        end()
        if bench.stored() == before + 1 and not bench.alerts(place):
            return number, place
        bench.collector.start()
        wait_until(lambda: bench.stored() == bench.sent, 30, "the row")
    raise AssertionError("the collector never ended while a finding waited")


def check(bench, places, how, end, step):
    # Hosts' own rows come here: there is something to wait for. The first may be read before any tick.
    for _ in range(2):
        bench.session(INNER, "10.1.0.9", 5000, "203.0.113.9", 39000)
        wait_until(lambda: bench.stored() == bench.sent, 30, "the host's row")
        time.sleep(1.2)
    number, place = interrupt(bench, places, end)
    host = f"10.1.0.{number}"
    bench.session(INNER, host, 5000 + number, place, 40000 + number)
    time.sleep(4)       # longer than a finding waits: but nobody ticked
    bench.collector.start()
    wait_until(lambda: bench.alerts(place), 30, "the alert")
    wait_until(lambda: bench.stored() == bench.sent, 30, "both rows")
    time.sleep(4)       # nothing more comes of it
    alert, = bench.alerts(place)
    assert (alert["source.ip"], alert.get("explain.via"), alert.get("explain.joined_by")) == (host, NAT, "nat"), alert
    assert alert["evidence"][0].startswith(f"{OUTER}/0/"), alert
    step(f"{how}: the next process goes on with the finding")


def main():
    need_binary()
    step = Steps()
    places = ((i, f"198.51.100.{i}") for i in range(1, PLACES + 1))
    with temp_dir() as folder, Broker() as kafka:
        for topic in (INNER, OUTER):
            kafka.create_topic(topic)
        bench = Bench(folder, kafka)
        with bench.collector:
            check(bench, places, "SIGTERM", bench.collector.stop, step)
            check(bench, places, "SIGKILL", bench.collector.kill, step)
            bench.collector.stop()
            again = run("replay", "--log", bench.collector.data, "--config", bench.collector.conf).stdout
            pairs = [(a["alert.id"], a["alert.revision"]) for a in ndjson(again)]
            assert len(pairs) == len(set(pairs)) and pairs, "each revision once"
            step("the log's alerts, judged again: each once")


if __name__ == "__main__":
    main()
