"""Record batches as they lie in a broker's log (magic 2), good ones and poisonous ones; and what can be done to a log
segment while its broker is stopped. https://kafka.apache.org/documentation/#recordbatch"""
import gzip
import struct
import zlib

GZIP = 1


def _crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ 0x82F63B78 if n & 1 else n >> 1
        table.append(n)
    return table


TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value & ~0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(number, value):
    body = b"\0" + varint(0) + varint(number) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(base_offset, records, count, codec=0, epoch=0, timestamp=1_790_000_000_000):
    """A batch of `count` records; `records` are their bytes, already compressed where codec says so."""
    body = struct.pack(">hiqqqhii", codec, count - 1, timestamp, timestamp, -1, -1, -1, count) + records
    tail = struct.pack(">I", crc32c(body)) + body
    return struct.pack(">qiib", base_offset, 4 + 1 + len(tail), epoch, 2) + tail


def bomb(base_offset, megabytes=200, count=1):
    """A gzip batch, right in itself, whose only record unpacks to zeros without end."""
    size = megabytes << 20
    head = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(varint(len(head) + size + 1) + head)
    zeros = bytes(1 << 20)
    for _ in range(megabytes):
        packed += packer.compress(zeros)
    packed += packer.compress(varint(0)) + packer.flush()
    return batch(base_offset, packed, count, codec=GZIP)


def good(base_offset, values):
    data = b"".join(record(n, value) for n, value in enumerate(values))
    return batch(base_offset, gzip.compress(data), len(values), codec=GZIP)


def batches(data):
    """[(position, base offset, count, length)] of the batches in a segment."""
    found, at = [], 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if length <= 0:
            break
        found.append((at, base, struct.unpack_from(">i", data, at + 57)[0], 12 + length))
        at += 12 + length
    return found
