#!/usr/bin/env python3
"""SIGHUP: a new configuration takes over between two batches, a faulty one does not; no line is lost or doubled."""
import pathlib
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from sekisho import Daemon, Steps, ndjson, run, temp_dir, wait_until  # noqa: E402

TOPIC = "seclog.raw.990019.fw1"
LINES = 300


def line(n):
    return (f"date=2026-11-21 time=10:00:{n % 60:02d} srcip=10.1.0.{n % 250} dstip=203.0.113.5 action=deny "
            f"hostname=h{n}.example.co.jp n={n}")


def config(folder, brokers, zone):
    (folder / "collector.yaml").write_text(f"""data: store
kafka:
  brokers: {brokers}
  discover: 200ms
  fetch_wait: 50ms
sources:
  fw1: {{format: fortigate}}
tenants:
  "990019":
    networks:
      - {{cidr: 10.1.0.0/16, zone: {zone}}}
""")


def send(folder, kafka, first):
    path = folder / "lines.log"
    path.write_text("".join(line(n) + "\n" for n in range(first, first + LINES)))
    run("send", "--brokers", kafka.bootstrap, "--topic", TOPIC, path)


def stored(folder):
    if not (folder / "store" / "log").exists():
        return 0
    done = run("search", "", "--data", folder / "store", "--count", check=None)
    return int(done.stdout or b"0") if done.returncode in (0, 1) else 0


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        kafka.create_topic(TOPIC)
        config(folder, kafka.bootstrap, "before")
        with Daemon("collect", "-c", "collector.yaml", cwd=folder) as daemon:
            send(folder, kafka, 0)
            wait_until(lambda: stored(folder) == LINES, 30, "the first lines")
            step("collected with the first configuration")
            config(folder, kafka.bootstrap, "after")
            daemon.send(signal.SIGHUP)
            daemon.wait_log("reloaded", 20)
            send(folder, kafka, LINES)
            wait_until(lambda: stored(folder) == 2 * LINES, 30, "the lines after the reload")
            step("collected with the second one")
            (folder / "collector.yaml").write_text("data: store\nkafka:\n  brokesr: x\n")
            daemon.send(signal.SIGHUP)
            daemon.wait_log("not reloaded", 20)
            send(folder, kafka, 2 * LINES)
            wait_until(lambda: stored(folder) == 3 * LINES, 30, "the lines after the faulty one")
            assert daemon.running()
            assert daemon.stop(10) == 0
            step("a faulty one changed nothing")
        rows = ndjson(run("export", "--data", folder / "store").stdout)
        zones = [r["sekisho.zone.source"] for r in rows]
        assert zones == ["before"] * LINES + ["after"] * 2 * LINES, "each line has its configuration's zone"
        domains = {r.get("url.registered_domain") for r in rows}
        assert domains == {"example.co.jp"}, f"the databases of a reload are those that are asked: {domains}"
        assert [r["fortigate.n"] for r in rows] == [str(n) for n in range(3 * LINES)]
        run("verify", "--data", folder / "store")
        step(f"{len(rows)} lines, each once, each under the configuration of its time")


if __name__ == "__main__":
    main()
