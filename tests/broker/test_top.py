#!/usr/bin/env python3
"""`sekisho top` on a terminal: what is drawn, in how much space, on which keys and signals it ends, and that the terminal
is as it was afterwards."""
import contextlib
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / p) for p in ("kafka", "support")]
from kafka_harness import Broker  # noqa: E402
from pipeline import Collector  # noqa: E402
from sekisho import Steps, need_binary, run, temp_dir, wait_until  # noqa: E402

TENANT = "990019"
SOURCES = [f"fw{n:02}" for n in range(30)]
CONFIG = f"""tenants:
  "{TENANT}":
    name: 試験町
    networks:
      - {{cidr: 10.1.0.0/18, zone: インターネット接続系}}
      - {{cidr: 10.1.128.0/18, zone: LGWAN接続系}}
    sources: {{{", ".join(f"{s}: {{format: fortigate}}" for s in SOURCES)}}}
"""
SEQUENCE = re.compile(rb"\x1b\[(\??[0-9;]*)([A-Za-z])")


def columns(character):
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Terminal:
    """A terminal of so many rows and columns with a program on it. Knows the sequences that top may use, and fails on
    any other, on a line that is too wide, and on a screen that scrolls."""

    def __init__(self, rows, width, *arguments):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.raw, self.rest, self.other, self.cursor, self.wrap = b"", b"", False, True, True
        self.resize(rows, width)
        self.process = subprocess.Popen([str(need_binary()), "top", *map(str, arguments)], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, preexec_fn=self.take_terminal)

    def take_terminal(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def resize(self, rows, width):
        self.rows, self.width = rows, width
        self.lines, self.row, self.column = [""] * rows, 0, 0
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, width, 0, 0))

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            got = os.read(self.master, 65536)
            if not got:
                break
            self.raw += got
            self.rest += got
        self.draw()

    def draw(self):
        """Draw what came; the beginning of a sequence or character waits for its rest."""
        while self.rest:
            found = SEQUENCE.match(self.rest)
            if found:
                self.sequence(found.group(1).decode(), found.group(2).decode())
                self.rest = self.rest[found.end():]
                continue
            if self.rest[:1] == b"\x1b":
                assert len(self.rest) < 16, f"an unknown sequence: {self.rest[:16]}"
                return
            end = self.rest.find(b"\x1b")
            text = self.rest if end < 0 else self.rest[:end]
            try:
                shown = text.decode()
            except UnicodeDecodeError:
                if end >= 0:
                    raise
                return  # the rest of a character comes with the next read
            self.rest = self.rest[len(text):]
            for character in shown:
                self.put(character)

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row, self.column = self.row + 1, 0
            assert self.row < self.rows or not self.other, "the screen scrolls"
        elif self.other:
            assert character.isprintable(), repr(character)
            if self.column == 0:
                self.lines[self.row] = ""
            self.lines[self.row] += character
            self.column += columns(character)
            assert self.column <= self.width, f"too wide: {self.lines[self.row]!r}"

    def sequence(self, parameters, letter):
        switches = {"?1049": "other", "?25": "cursor", "?7": "wrap"}
        if letter in "hl":
            setattr(self, switches[parameters], letter == "h")
        elif letter == "H":
            self.row = self.column = 0
        elif letter == "K":
            if self.column == 0:
                self.lines[self.row] = ""
        elif letter == "J":
            self.lines[self.row + 1:] = [""] * (self.rows - self.row - 1)
        else:
            raise AssertionError(f"an unknown sequence: {parameters}{letter}")

    def screen(self):
        self.read()
        return "\n".join(self.lines)

    def wait_for(self, text, seconds=15):
        try:
            wait_until(lambda: text in self.screen(), seconds, repr(text))
        except TimeoutError as error:
            raise AssertionError(f"{text!r} is not on the screen:\n{self.screen()}") from error

    def keys(self, text):
        os.write(self.master, text)

    def restored(self):
        """Wait for the end of the program; the terminal must be as it was."""
        wait_until(lambda: (self.read(), self.process.poll() is not None)[1], 10, "the end of top")
        self.read()
        assert not self.other and self.cursor and self.wrap, "the screen is not given back"
        assert termios.tcgetattr(self.slave) == self.before, "the keys are not given back"
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(rows, width, *arguments):
    t = Terminal(rows, width, *arguments)
    try:
        yield t
    finally:
        t.close()


def line_of(source, number):
    now = time.time_ns()
    stamp = time.strftime("date=%Y-%m-%d time=%H:%M:%S", time.gmtime(now // 10**9 + 9 * 3600))
    return (f'{stamp} devname="FG-1" devid="FG1" eventtime={now} tz="+0900" logid="0000000013" type="traffic" '
            f'subtype="forward" level="notice" vd="root" srcip={source} srcport=50000 dstip=203.0.113.9 dstport=443 '
            f'proto=6 action="close" policyid={number} service="HTTPS" duration=1 sentbyte=1200 rcvdbyte=5400 '
            'sentpkt=9 rcvdpkt=5\n')


def fill(kafka, folder, data):
    for number, source in enumerate(SOURCES):
        (folder / "line.log").write_text(line_of(f"10.1.129.{number + 1}" if number < 3 else "10.1.0.9", number))
        run("send", "--brokers", kafka.bootstrap, "--topic", f"seclog.raw.{TENANT}.{source}", folder / "line.log")
    wait_until(lambda: int(run("search", "", "--data", data, "--count", check=None).stdout or 0) == len(SOURCES), 60,
               "all lines in the log")
    wait_until(lambda: run("alerts", "--data", data, "--kind", "zone", check=None).returncode == 0, 10, "an alert")


def shows(data, step):
    with terminal(24, 100, "--data", data, "--lang", "en") as t:
        t.wait_for("newest alerts")
        t.wait_for("[critical] 試験町 (990019) zone")
        for text in ("sekisho top", "kafka up, 30 partitions", "lines/s", "30 events", "cpu ", "municipality/source",
                     f"{TENANT}/fw", "more"):
            t.wait_for(text)
        t.keys(b"x")
        time.sleep(0.3)
        assert t.process.poll() is None, "other keys do nothing"
        t.keys(b"q")
        assert t.restored() == 0
    step("drawn, and ended with q")


def fits(data, step):
    with terminal(24, 80, "--data", data, "--lang", "ja") as t:
        t.wait_for("新しい警報")
        t.wait_for("[緊急] 試験町")
        assert any(sum(map(columns, line)) in (79, 80) for line in t.lines), "wide characters fill the line"
        head, = (line for line in t.lines if line.startswith("自治体/機器"))
        assert head.split()[1:] == ["行/秒", "解析不可", "遅れ", "無通信", "警報"], "what matters most has room"
        rows_of = [line for line in t.lines if line.startswith(TENANT)]
        assert {sum(map(columns, line)) for line in rows_of} == {sum(map(columns, head))}, "numbers below their heads"
        for rows, width in ((50, 132), (12, 41), (5, 20), (1, 1), (3, 7), (24, 80)):
            t.read()
            t.rest = b""
            t.resize(rows, width)
            os.killpg(t.process.pid, signal.SIGWINCH)
            time.sleep(0.3)
            t.read()
            if rows >= 12:
                t.wait_for("無通信")
                t.wait_for(TENANT)
            assert t.process.poll() is None
        listed = [line for line in t.lines if line.startswith(TENANT)]
        assert 0 < len(listed) < len(SOURCES)
        t.resize(60, 120)
        wait_until(lambda: t.screen().count(f"\n{TENANT}/") == len(SOURCES), 10, "all sources on a large screen")
        os.kill(t.process.pid, signal.SIGTERM)
        assert t.restored() == 0
    step("fits into each size, wide characters too; ended with SIGTERM")


def ends(data, step):
    for name in ("SIGINT", "SIGHUP", "SIGQUIT"):
        with terminal(24, 80, "--data", data) as t:
            t.wait_for("lines/s")
            os.kill(t.process.pid, getattr(signal, name))
            assert t.restored() == 0, name
    with terminal(24, 80, "--data", data) as t:
        t.wait_for("lines/s")
        t.keys(b"\x03")
        assert t.restored() == 0
    with terminal(24, 80, "--data", data) as t:
        t.wait_for("lines/s")
        os.kill(t.process.pid, signal.SIGTSTP)
        wait_until(lambda: (t.read(), not t.other)[1], 10, "the screen to be given back")
        assert termios.tcgetattr(t.slave) == t.before
        os.kill(t.process.pid, signal.SIGCONT)
        wait_until(lambda: (t.read(), t.other)[1], 10, "the screen to be taken again")
        t.wait_for("lines/s")
        t.keys(b"Q")
        assert t.restored() == 0
    step("ended with signals and Ctrl-C; stopped and continued")


def plain(data, step):
    text = run("top", "--data", data, "--count", "2", "--lang", "en").stdout
    assert b"\x1b" not in text and text.count(b"municipality/source") == 2
    assert text.decode().count(f"\n{TENANT}/") == 2 * len(SOURCES), "all of them"
    reader = subprocess.Popen([str(need_binary()), "top", "--data", str(data)], stdout=subprocess.PIPE)
    reader.stdout.readline()
    reader.stdout.close()
    assert reader.wait(10) == 0, "ends when nobody reads"
    assert b"no collector answers" in run("top", "--data", data / "nowhere", check=4).stderr
    assert run("top", check=2).stdout == b"" and run("top", "--data", data, "--lang", "fr", check=2).stdout == b""
    step("plain lines where there is no terminal; clear refusals")


def lost(collector, step):
    with terminal(24, 100, "--data", collector.data, "--lang", "en") as t:
        t.wait_for("lines/s")
        collector.kill()
        t.wait_for("NO COLLECTOR ANSWERS")
        collector.start()
        wait_until(lambda: "NO COLLECTOR" not in t.screen(), 15, "the collector to be seen again")
        t.keys(b"q")
        assert t.restored() == 0
    step("a collector that goes away is waited for")


def main():
    step = Steps()
    with temp_dir() as folder, Broker() as kafka:
        for source in SOURCES:
            kafka.create_topic(f"seclog.raw.{TENANT}.{source}")
        collector = Collector(folder / "collector", kafka, CONFIG)
        with collector:
            fill(kafka, folder, collector.data)
            shows(collector.data, step)
            fits(collector.data, step)
            ends(collector.data, step)
            plain(collector.data, step)
            lost(collector, step)
            collector.stop()


if __name__ == "__main__":
    main()
