"""Kafka's administration in its own wire protocol: milliseconds a call instead of a JVM's second.

Only what tests need, over a plaintext listener, in request versions that brokers 3.x and 4.x share.
https://kafka.apache.org/protocol names the fields; they are written here in the order of the page.
"""
import contextlib
import socket
import struct
import time

COORDINATOR_SECONDS = 30
RETRIABLE = {3, 5, 6, 7, 9, 13, 14, 15, 16, 41, 85}
NAMES = {
    0: "NONE", 1: "OFFSET_OUT_OF_RANGE", 3: "UNKNOWN_TOPIC_OR_PARTITION", 5: "LEADER_NOT_AVAILABLE",
    6: "NOT_LEADER_OR_FOLLOWER", 7: "REQUEST_TIMED_OUT", 14: "COORDINATOR_LOAD_IN_PROGRESS",
    15: "COORDINATOR_NOT_AVAILABLE", 16: "NOT_COORDINATOR", 17: "INVALID_TOPIC",
    29: "TOPIC_AUTHORIZATION_FAILED", 36: "TOPIC_ALREADY_EXISTS", 37: "INVALID_PARTITIONS",
    38: "INVALID_REPLICATION_FACTOR", 40: "INVALID_CONFIG", 41: "NOT_CONTROLLER",
    42: "INVALID_REQUEST", 80: "PREFERRED_LEADER_NOT_AVAILABLE", 83: "ELIGIBLE_LEADERS_NOT_AVAILABLE",
    84: "ELECTION_NOT_NEEDED", 85: "NO_REASSIGNMENT_IN_PROGRESS",
}
METADATA, LIST_OFFSETS, OFFSET_FETCH, FIND_COORDINATOR = 3, 2, 9, 10
CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, CREATE_PARTITIONS = 19, 20, 21, 37
ELECT_LEADERS, INCREMENTAL_ALTER_CONFIGS, ALTER_REASSIGNMENTS = 43, 44, 45
EARLIEST, LATEST = -2, -1


class KafkaError(Exception):
    """The broker answered with an error code."""

    def __init__(self, code, what=""):
        super().__init__(f"{NAMES.get(code, code)} {what}".strip())
        self.code = code

    @property
    def retriable(self):
        return self.code in RETRIABLE


def i8(v):
    return struct.pack(">b", v)


def i16(v):
    return struct.pack(">h", v)


def i32(v):
    return struct.pack(">i", v)


def i64(v):
    return struct.pack(">q", v)


def string(v):
    if v is None:
        return i16(-1)
    data = str(v).encode()
    return i16(len(data)) + data


def array(items):
    items = list(items)
    return i32(len(items)) + b"".join(items)


def uvarint(v):
    out = bytearray()
    while v >= 0x80:
        out.append(v & 0x7F | 0x80)
        v >>= 7
    out.append(v)
    return bytes(out)


def compact_string(v):
    data = v.encode()
    return uvarint(len(data) + 1) + data


def compact_array(items):
    items = list(items)
    return uvarint(len(items) + 1) + b"".join(items)


NO_TAGS = b"\0"


class Reader:
    """Reads an answer from front to back."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        (value,) = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self):
        length = self.take("h")
        return None if length < 0 else self.bytes(length).decode()

    def bytes(self, length):
        value = self.data[self.at:self.at + length]
        self.at += length
        return value

    def array(self, item):
        return [item() for _ in range(max(0, self.take("i")))]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def compact_string(self):
        length = self.uvarint() - 1
        return None if length < 0 else self.bytes(length).decode()

    def compact_array(self, item):
        return [item() for _ in range(max(0, self.uvarint() - 1))]

    def tags(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            self.bytes(self.uvarint())


def check(code, what=""):
    if code:
        raise KafkaError(code, what)


class Connection:
    """One connection to one broker; requests are answered in turn."""

    def __init__(self, host, port, timeout=10.0):
        self.socket = socket.create_connection((host, port), timeout)
        self.correlation = 0

    def close(self):
        self.socket.close()

    def call(self, api, version, body, flexible=False):
        self.correlation += 1
        head = struct.pack(">hhi", api, version, self.correlation) + string("sekisho-tests")
        if flexible:
            head += NO_TAGS
        self.socket.sendall(i32(len(head) + len(body)) + head + body)
        (size,) = struct.unpack(">i", self._read(4))
        answer = Reader(self._read(size))
        if answer.take("i") != self.correlation:
            raise ConnectionError("answer to another request")
        if flexible:
            answer.tags()
        return answer

    def _read(self, size):
        parts = []
        while size:
            part = self.socket.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Admin:
    """Calls to a cluster given as [(host, port), ...]; each call makes its own connection."""

    def __init__(self, addresses, timeout=10.0):
        self.addresses, self.timeout = list(addresses), timeout

    @contextlib.contextmanager
    def _any(self):
        failure = None
        for host, port in self.addresses:
            try:
                connection = Connection(host, port, self.timeout)
            except OSError as error:
                failure = error
                continue
            try:
                yield connection
            finally:
                connection.close()
            return
        raise ConnectionError(f"no broker answers: {failure}")

    def _call(self, api, version, body, flexible=False, node=None):
        """To node (an id), or to any broker: brokers pass controller requests on."""
        if node is None:
            with self._any() as connection:
                return connection.call(api, version, body, flexible)
        host, port = self.metadata([])["brokers"][node]
        connection = Connection(host, port, self.timeout)
        try:
            return connection.call(api, version, body, flexible)
        finally:
            connection.close()

    def metadata(self, topics=None):
        """{"brokers": {id: (host, port)}, "controller": id,
        "topics": {name: {partition: {"leader", "replicas", "isr", "error"}}}}; topics None = all."""
        wanted = i32(-1) if topics is None else array(string(t) for t in topics)
        r = self._call(METADATA, 5, wanted + i8(0))
        r.take("i")

        def broker():
            node, host, port, _rack = r.take("i"), r.string(), r.take("i"), r.string()
            return node, (host, port)

        brokers = dict(r.array(broker))
        r.string()
        controller = r.take("i")

        def partition():
            error, number, leader = r.take("h"), r.take("i"), r.take("i")
            replicas = r.array(lambda: r.take("i"))
            isr = r.array(lambda: r.take("i"))
            r.array(lambda: r.take("i"))
            return number, {"leader": leader, "replicas": replicas, "isr": isr, "error": error}

        def topic():
            error, name, _internal = r.take("h"), r.string(), r.take("b")
            partitions = dict(r.array(partition))
            return name, (error, partitions)

        found = dict(r.array(topic))
        return {"brokers": brokers, "controller": controller,
                "topics": {name: parts for name, (error, parts) in found.items() if not error}}

    def create_topics(self, topics):
        """topics: {name: {"partitions": n, "replication": n, "configs": {}, "assignment": {p: [ids]}}}"""
        def one(name, spec):
            assignment = spec.get("assignment") or {}
            partitions, replication = spec.get("partitions", 1), spec.get("replication", 1)
            if assignment:
                partitions = replication = -1
            return (string(name) + i32(partitions) + i16(replication)
                    + array(i32(p) + array(i32(n) for n in nodes) for p, nodes in assignment.items())
                    + array(string(k) + string(v) for k, v in (spec.get("configs") or {}).items()))

        r = self._call(CREATE_TOPICS, 4, array(one(n, s) for n, s in topics.items())
                       + i32(int(self.timeout * 1000)) + i8(0))
        r.take("i")
        for name, code, message in r.array(lambda: (r.string(), r.take("h"), r.string())):
            check(code, f"{name}: {message}")

    def delete_topics(self, names):
        r = self._call(DELETE_TOPICS, 3, array(string(n) for n in names) + i32(int(self.timeout * 1000)))
        r.take("i")
        for name, code in r.array(lambda: (r.string(), r.take("h"))):
            check(code, name)

    def create_partitions(self, name, total):
        r = self._call(CREATE_PARTITIONS, 1, array([string(name) + i32(total) + i32(-1)])
                       + i32(int(self.timeout * 1000)) + i8(0))
        r.take("i")
        for topic, code, message in r.array(lambda: (r.string(), r.take("h"), r.string())):
            check(code, f"{topic}: {message}")

    def alter_configs(self, kind, name, configs):
        """kind: "topic" or "broker"; a value of None goes back to the default."""
        entries = array(string(k) + i8(1 if v is None else 0) + string(v) for k, v in configs.items())
        resource = i8({"topic": 2, "broker": 4}[kind]) + string(name) + entries
        node = int(name) if kind == "broker" and name else None
        r = self._call(INCREMENTAL_ALTER_CONFIGS, 0, array([resource]) + i8(0), node=node)
        r.take("i")
        for code, message, _, _ in r.array(lambda: (r.take("h"), r.string(), r.take("b"), r.string())):
            check(code, message or name)

    def delete_records(self, topic, partition, before):
        """Records with offsets below `before` are gone; returns the new low offset."""
        leader = self.leader(topic, partition)
        r = self._call(DELETE_RECORDS, 1, array([string(topic) + array([i32(partition) + i64(before)])])
                       + i32(int(self.timeout * 1000)), node=leader)
        r.take("i")
        rows = r.array(lambda: (r.string(), r.array(lambda: (r.take("i"), r.take("q"), r.take("h")))))
        (_, low, code), = rows[0][1]
        check(code, topic)
        return low

    def leader(self, topic, partition=0):
        """The id of the leader, or -1."""
        parts = self.metadata([topic])["topics"].get(topic)
        if parts is None or partition not in parts:
            raise KafkaError(3, f"{topic} [{partition}]")
        return parts[partition]["leader"]

    def offset(self, topic, partition, when):
        """when: EARLIEST, LATEST or a time in ms since 1970."""
        leader = self.leader(topic, partition)
        r = self._call(LIST_OFFSETS, 2, i32(-1) + i8(0)
                       + array([string(topic) + array([i32(partition) + i64(when)])]), node=leader)
        r.take("i")
        row = lambda: (r.take("i"), r.take("h"), r.take("q"), r.take("q"))
        rows = r.array(lambda: (r.string(), r.array(row)))
        _, code, _, offset = rows[0][1][0]
        check(code, topic)
        return offset

    def elect_preferred(self, topic, partitions):
        """Make the first replica of each partition its leader."""
        r = self._call(ELECT_LEADERS, 1, i8(0) + array([string(topic) + array(i32(p) for p in partitions)])
                       + i32(int(self.timeout * 1000)))
        r.take("i")
        check(r.take("h"), topic)
        row = lambda: (r.take("i"), r.take("h"), r.string())
        for _, rows in r.array(lambda: (r.string(), r.array(row))):
            for partition, code, message in rows:
                if code != 84:
                    check(code, f"{topic} [{partition}]: {message}")

    def reassign(self, topic, replicas):
        """replicas: {partition: [node ids, preferred leader first]}"""
        parts = compact_array(i32(p) + compact_array(i32(n) for n in nodes) + NO_TAGS
                              for p, nodes in replicas.items())
        body = (i32(int(self.timeout * 1000))
                + compact_array([compact_string(topic) + parts + NO_TAGS]) + NO_TAGS)
        r = self._call(ALTER_REASSIGNMENTS, 0, body, flexible=True)
        r.take("i")
        code, message = r.take("h"), r.compact_string()
        check(code, message or topic)

        def partition():
            row = r.take("i"), r.take("h"), r.compact_string()
            r.tags()
            return row

        def topic_row():
            row = r.compact_string(), r.compact_array(partition)
            r.tags()
            return row

        for name, rows in r.compact_array(topic_row):
            for number, code, message in rows:
                check(code, f"{name} [{number}]: {message}")

    def committed(self, group, topic, partition):
        """The offset a group has committed, or -1; waits for a coordinator that is not ready yet."""
        until = time.monotonic() + COORDINATOR_SECONDS
        while True:
            try:
                return self._committed(group, topic, partition)
            except KafkaError as e:
                if not e.retriable or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _committed(self, group, topic, partition):
        with self._any() as connection:
            r = connection.call(FIND_COORDINATOR, 1, string(group) + i8(0))
        r.take("i")
        code, message, node = r.take("h"), r.string(), r.take("i")
        check(code, message or group)
        r = self._call(OFFSET_FETCH, 3, string(group) + array([string(topic) + array([i32(partition)])]),
                       node=node)
        r.take("i")
        row = lambda: (r.take("i"), r.take("q"), r.string(), r.take("h"))
        rows = r.array(lambda: (r.string(), r.array(row)))
        check(r.take("h"), group)
        _, offset, _, code = rows[0][1][0]
        check(code, group)
        return offset
