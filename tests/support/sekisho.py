"""What tests that run the binary share: where it is, how to run it, how to wait, how to read its output."""
import contextlib
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SEKISHO_BIN", ROOT / "build" / "release" / "sekisho")).resolve()
CORPUS = pathlib.Path(os.environ.get("SEKISHO_CORPUS", ROOT.parent / "shared" / "corpus"))
LONG = os.environ.get("SEKISHO_LONG", "") not in ("", "0")
SKIP = 77
PR_SET_PDEATHSIG = 1


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _on_term(*_):
    sys.exit(143)


if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
    signal.signal(signal.SIGTERM, _on_term)  # so that what a test started ends with it when it runs out of time


def skip(reason):
    """End the test as skipped, saying why."""
    print(f"skip: {reason}")
    sys.exit(SKIP)


def need_binary():
    if not os.access(BIN, os.X_OK):
        skip(f"{BIN} is not built")
    return BIN


def need_corpus(*parts):
    """A path in the corpus of real log lines; without it the test is skipped."""
    path = CORPUS.joinpath(*parts)
    if not path.exists():
        skip(f"no corpus: {path}")
    return path


def seeded_random(seed=None):
    """A generator whose seed is printed, so that a failure can be had again with SEKISHO_SEED. A short run is the same
    every time; a long one is another each time."""
    if seed is None:
        seed = random.SystemRandom().getrandbits(32) if LONG else 7
    seed = int(os.environ.get("SEKISHO_SEED", seed))
    print(f"seed {seed}", flush=True)
    return random.Random(seed)


@contextlib.contextmanager
def temp_dir(keep=False):
    """A folder that goes with the test (SEKISHO_KEEP=1 leaves it)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sekisho-test-"))
    try:
        yield path
    finally:
        if keep or os.environ.get("SEKISHO_KEEP"):
            print(f"kept: {path}")
        else:
            shutil.rmtree(path, ignore_errors=True)


def wait_until(condition, timeout=30.0, what="the condition", interval=0.02):
    """Wait until condition() is true; returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:.0f} s for {what}")
        time.sleep(interval)


def run(*arguments, stdin=None, check=0, timeout=300, env=None, cwd=None):
    """Run sekisho to its end. check: the exit code it must have, or None for any. stdin: bytes, or an open file.
    Returns CompletedProcess with bytes in stdout and stderr."""
    stream = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    done = subprocess.run([str(need_binary()), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, env={**os.environ, **(env or {})}, cwd=cwd, **stream)
    if check is not None and done.returncode != check:
        sys.stderr.write(done.stderr.decode(errors="replace")[-4000:])
        raise AssertionError(f"sekisho {' '.join(map(str, arguments))}: exit {done.returncode}, not {check}")
    return done


class Daemon:
    """A sekisho process that stays: `with Daemon("collect", "-c", conf) as d: ...`; killed at the end if it lives."""

    def __init__(self, *arguments, log=None, env=None, cwd=None, binary=None):
        self.arguments, self.env, self.cwd, self.binary = arguments, env, cwd, binary
        self.log = pathlib.Path(log) if log else pathlib.Path(tempfile.mkstemp(prefix="sekisho-log-")[1])
        self.temporary_log = log is None
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.kill()
        if kind:
            sys.stderr.write("".join(self.log.read_text(errors="replace").splitlines(True)[-40:]))
        if self.temporary_log:
            self.log.unlink(missing_ok=True)

    def start(self, env=None):
        # The death signal follows the thread that forks: a thread that ends would take the process along.
        tied = threading.current_thread() is threading.main_thread()
        with open(self.log, "ab") as out:
            command = [str(self.binary or need_binary()), *map(str, self.arguments)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, cwd=self.cwd,
                                            preexec_fn=_die_with_parent if tied else None,
                                            env={**os.environ, **(self.env or {}), **(env or {})})
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def text(self):
        return self.log.read_text(errors="replace")

    def wait(self, timeout=30):
        return self.process.wait(timeout)

    def send(self, number):
        if self.running():
            self.process.send_signal(number)

    def stop(self, timeout=30):
        """SIGTERM; returns the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """SIGKILL; returns the exit code."""
        self.send(signal.SIGKILL)
        return self.process.wait() if self.process else None

    def wait_log(self, text, timeout=30.0):
        def seen():
            if text in self.text():
                return True
            if not self.running():
                raise AssertionError(f"ended with {self.process.returncode} before {text!r}:\n{self.text()[-3000:]}")
            return False
        wait_until(seen, timeout, f"{text!r} in the log")


def ndjson(data):
    """Objects of NDJSON given as bytes, str or a path."""
    if isinstance(data, os.PathLike):
        data = pathlib.Path(data).read_bytes()
    if isinstance(data, bytes):
        data = data.decode()  # output is UTF-8 by contract: anything else is a failure
    return [json.loads(line) for line in data.split("\n") if line]


class Steps:
    """Prints each step of a test with the seconds it took."""

    def __init__(self):
        self.last = time.monotonic()

    def __call__(self, text):
        now = time.monotonic()
        print(f"{now - self.last:6.1f} s  {text}", flush=True)
        self.last = now
