#!/usr/bin/env python3
"""The Kafka harness keeps its promises, so that a failure of another broker test is Sekisho's own."""
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "kafka"), str(ROOT / "tests" / "support")]
from kafka_harness import Broker, is_alive  # noqa: E402
from sekisho import Steps  # noqa: E402

LINES = [b"line %d" % n for n in range(2000)]


def one_node(step):
    with Broker() as kafka:
        step("one node started")
        kafka.create_topics({"harness.a": 1, "harness.b": 4,
                             "harness.c": {"partitions": 2, "configs": {"segment.bytes": "1048576"}}})
        assert kafka.topics() == ["harness.a", "harness.b", "harness.c"]
        step("three topics in one request")
        kafka.produce("harness.a", LINES)
        kafka.produce("harness.b", LINES)
        assert kafka.consume("harness.a", count=len(LINES)) == LINES
        assert sorted(kafka.consume("harness.b", count=len(LINES))) == sorted(LINES)
        assert kafka.consume("harness.a", count=2, partition=0, offset=10) == LINES[10:12]
        assert kafka.offsets("harness.a") == (0, 2000)
        step("produced and consumed")
        kafka.add_partitions("harness.a", 3)
        kafka.delete_topic("harness.c")
        kafka.wait(lambda: kafka.topics() == ["harness.a", "harness.b"], what="the topic to go")
        assert kafka.delete_records("harness.a", 0, 500) == 500
        assert kafka.offsets("harness.a") == (500, 2000)
        kafka.expire("harness.b")
        spans = [kafka.offsets("harness.b", p) for p in range(4)]  # one partition alone may have got none
        assert all(low == high for low, high in spans) and sum(high for _, high in spans) == len(LINES), spans
        step("partitions added, topic deleted, records deleted and expired")
        kafka.stop()
        assert b"line 1999" in kafka.segments("harness.a")[0].read_bytes()
        kafka.restart()
        assert kafka.consume("harness.a", partition=0, count=len(LINES) - 500) == LINES[500:]
        step("stopped in order and started again on the same data")
        kafka.kill()
        kafka.restart()
        kafka.produce("harness.a", [b"after"], partition=0)
        assert kafka.consume("harness.a", partition=0, count=len(LINES) - 499) == LINES[500:] + [b"after"]
        step("killed and started again on the same data")
        assert "harness.a" in kafka.tool("org.apache.kafka.tools.TopicCommand", "--list")
        step("Kafka's own tool")
        pid, folder = kafka.nodes[1].process.pid, kafka.directory
    assert not is_alive(pid, str(folder)) and not folder.exists()


def three_nodes(step):
    with Broker(nodes=3) as kafka:
        step("three nodes started")
        kafka.create_topic("harness.moved", partitions=2, assignment={0: [1, 2, 3], 1: [2, 3, 1]})
        assert kafka.leader("harness.moved", 0) == 1
        kafka.move_leader("harness.moved", 0, 3)
        kafka.produce("harness.moved", LINES[:1000], partition=0)
        step("leader moved by request")
        kafka.kill(3)
        start = time.monotonic()
        assert kafka.wait_new_leader("harness.moved", 0, old=3) in (1, 2)
        print(f"  new leader after {time.monotonic() - start:.1f} s")
        kafka.produce("harness.moved", LINES[1000:], partition=0)
        assert kafka.consume("harness.moved", partition=0, count=len(LINES)) == LINES
        step("leader killed, another leads, nothing lost")
        kafka.restart(3)
        kafka.wait_in_sync("harness.moved")
        kafka.stop()
        step("dead node back in sync, all stopped")


def command_line(step):
    with tempfile.TemporaryDirectory(prefix="sekisho-kafka-") as folder:
        run = lambda command: subprocess.run(
            [sys.executable, str(ROOT / "tests/kafka/kafka_harness.py"), command, folder + "/hand"],
            stdout=subprocess.PIPE, timeout=120).stdout.decode().strip()
        try:
            address = run("start")
            assert address.startswith("127.0.0.1:") and run("start") == address
            assert run("status").startswith(address)
        finally:
            stopped = run("stop")
        assert stopped == "stopped" and run("status") == "not running"
        step("start, status and stop by hand")


def main():
    step = Steps()
    one_node(step)
    three_nodes(step)
    command_line(step)


if __name__ == "__main__":
    main()
