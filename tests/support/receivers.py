"""Receivers of alerts for tests: a real Redis, and small SMTP and syslog servers that can misbehave."""
import contextlib
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

from sekisho import _die_with_parent, skip, wait_until


class RespError(Exception):
    """Redis answered with an error."""


class Redis:
    """A redis-server on a unix socket in a folder, without persistence."""

    def __init__(self, folder):
        if not shutil.which("redis-server"):
            skip("no redis-server")
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path, self.process, self.socket = self.folder / "redis.sock", None, None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self, *options):
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir", str(self.folder),
                 "--enable-debug-command", "yes", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        wait_until(self._answers, 20, "Redis to answer")
        return self

    def _answers(self):
        try:
            return self.call("PING") == "PONG"
        except OSError:
            return False

    def kill(self):
        self.close()
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def call(self, *words):
        """One command; strings come back as str."""
        try:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(20)
                self.socket.connect(str(self.path))
                self.stream = self.socket.makefile("rb")
            words = [str(w).encode() for w in words]
            self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            return self._answer()
        except OSError:
            self.close()
            raise

    def _answer(self):
        line = self.stream.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RespError(rest)
        if kind == b":":
            return int(rest)
        count = int(rest)
        if kind == b"$":
            return None if count < 0 else self.stream.read(count + 2)[:-2].decode()
        return None if count < 0 else [self._answer() for _ in range(count)]

    def hash(self, key):
        flat = self.call("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def stream_entries(self, key):
        """[{field: value}] of a stream."""
        return [dict(zip(fields[::2], fields[1::2])) for _, fields in self.call("XRANGE", key, "-", "+")]


class Server:
    """Accepts connections of a stream socket and handles each in a thread: serve(self, connection)."""

    def __init__(self, address=None, family=socket.AF_INET):
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address or ("127.0.0.1", 0))
        self.listener.listen(16)
        self.address = self.listener.getsockname()
        self.connections, self.stopping = [], False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.address[1]

    def _accept(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._guard, args=(connection,), daemon=True).start()

    def _guard(self, connection):
        with contextlib.suppress(OSError), connection:
            self.serve(connection)

    def serve(self, connection):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stopping = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class Smtp(Server):
    """Keeps what it is sent: mails = [(sender, [recipients], bytes)].

    refuse   {command: answer}: "MAIL": "451 later"; a recipient's address also: "x@y": "550 no"
    """

    def __init__(self, address=None):
        self.mails, self.refuse = [], {}
        super().__init__(address)

    def serve(self, connection):
        stream = connection.makefile("rb")

        def say(text):
            connection.sendall(text.encode() + b"\r\n")
        say(self.refuse.get("CONNECT", "220 test"))
        sender, recipients = None, []
        while line := stream.readline():
            words = line.decode().strip()
            verb = words.split(" ")[0].upper()
            if verb in self.refuse:
                say(self.refuse[verb])
            elif verb in ("EHLO", "HELO"):
                say("250 test")
            elif verb == "MAIL":
                sender, recipients = words.partition(":")[2].split()[0].strip("<>"), []
                say("250 fine")
            elif verb == "RCPT":
                recipient = words.partition(":")[2].strip().strip("<>")
                if recipient in self.refuse:
                    say(self.refuse[recipient])
                else:
                    recipients.append(recipient)
                    say("250 fine")
            elif verb == "DATA":
                if not recipients:
                    say("554 nobody")
                    continue
                say("354 go on")
                data = bytearray()
                while (part := stream.readline()) != b".\r\n":
                    if not part:
                        return
                    data += part[1:] if part.startswith(b".") else part
                self.mails.append((sender, recipients, bytes(data)))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("502 what")


class StreamSyslog(Server):
    """Messages with octet counting. drop: close the next connection after so many bytes."""

    def __init__(self, address=None, family=socket.AF_INET):
        self.messages, self.drop = [], None
        super().__init__(address, family)

    def serve(self, connection):
        data = b""
        while part := connection.recv(65536):
            data += part
            if self.drop is not None and len(data) > self.drop:
                self.drop = None
                return
            while True:
                length, blank, rest = data.partition(b" ")
                if not blank or len(rest) < int(length):
                    break
                self.messages.append(rest[:int(length)].decode())
                data = rest[int(length):]


class DatagramSyslog:
    def __init__(self, address=("127.0.0.1", 0), family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(0.1)
        self.address = self.socket.getsockname()
        self.messages, self.stopping = [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.stopping:
            with contextlib.suppress(TimeoutError):
                self.messages.append(self.socket.recv(1 << 17).decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.socket.close()


class Babbler(Server):
    """Answers whatever comes with the same bytes, for ever when `endless`."""

    def __init__(self, answer, endless=False):
        self.answer, self.endless = answer, endless
        self.asked = 0
        super().__init__()

    def serve(self, connection):
        while connection.recv(65536):
            self.asked += 1
            connection.sendall(self.answer)
            while self.endless:
                connection.sendall(b"x" * 65536)
            time.sleep(0.01)
