"""The rows of an encoded batch, read by docs/format.md, chapter "Batches"; for sekisho_check.py."""
import ctypes
import ctypes.util
import ipaddress
import struct

try:
    import zstandard
except ImportError:
    zstandard = None
try:
    import xxhash
except ImportError:
    xxhash = None

MAGIC, VERSION = b"SKP1", 1
BATCHES_MAX = 4096
ROWS_MAX, SHAPES_MAX, COLUMNS_MAX = 2048, 256, 1024
TEXTS_MAX, PART_MAX = 96 << 20, 32 << 20
CODES, TEXT, INT, IP4, IP = range(5)
DERIVED = 0x40
MASK64 = (1 << 64) - 1


class BadBatch(Exception):
    """The bytes are no batch."""


def need(condition, text):
    if not condition:
        raise BadBatch(text)


def unpack_zstd(packed, size):
    if zstandard is not None:
        try:
            data = zstandard.ZstdDecompressor().decompress(bytes(packed), max_output_size=size)
        except zstandard.ZstdError as error:
            raise BadBatch(f"a part cannot be unpacked: {error}") from error
    else:
        library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
        library.ZSTD_decompress.restype = ctypes.c_size_t
        library.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t,
                                            ctypes.c_char_p, ctypes.c_size_t]
        out = ctypes.create_string_buffer(size + 1)
        got = library.ZSTD_decompress(out, size, bytes(packed), len(packed))
        need(got <= size, "a part cannot be unpacked")
        data = out.raw[:got]
    need(len(data) == size, "a part has another length than its head says")
    return data


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        need(count <= len(self.data) - self.at, "ends early")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return bytes(piece)

    def number(self, form):
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form)))[0]

    def varint(self, most=MASK64):
        value = shift = 0
        while True:
            need(shift < 70, "a number is too long")
            byte = self.number("B")
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                need(value <= most, f"{value} is more than {most}")
                return value

    def planes(self, count, width):
        """Numbers written as all low bytes, then all next bytes, ..."""
        if width == 0:
            return [0] * count
        data = self.bytes(count * width)
        if width == 1:
            return list(data)
        return [int.from_bytes(data[i::count], "little") for i in range(count)]

    def codes(self, count, limit):
        """Numbers below limit, in 0, 1 or 2 bytes each."""
        if count == 0:
            return []
        need(limit > 0, "codes for nothing")
        found = self.planes(count, 0 if limit <= 1 else 1 if limit <= 256 else 2)
        need(max(found) < limit, "a code is too great")
        return found

    def numbers(self, count):
        if count == 0:
            return []
        mode, scale, width = self.bytes(3)
        need(mode <= 1 and scale in (0, 3, 6, 9) and width <= 8, "bad packing of numbers")
        base, unit = zigzag(self.varint()), 10 ** scale
        found = self.planes(count, width)
        if mode == 1:
            out = []
            for step in found:
                base += zigzag(step)
                out.append(base)
            found = out
        else:
            found = [base + v for v in found]
        return [signed(v * unit) for v in found]

    def done(self):
        need(self.at == len(self.data), "bytes are left over")


def zigzag(v):
    return v >> 1 ^ -(v & 1)


def signed(v):
    v &= MASK64
    return v - (1 << 64) if v >> 63 else v


class Head:
    """One batch of a pack; texts and rows are its pieces of the unpacked parts."""

    def __init__(self, source):
        source.bytes(4)                                      # format, zone
        self.tenant = source.number("I")
        source.varint()                                      # generation
        self.row_count = source.varint(ROWS_MAX)
        need(self.row_count > 0, "no rows")
        source.varint(ROWS_MAX)                              # rows with a reason
        self.raw_bytes = source.varint()
        for _ in range(2):                                   # bounds of times
            source.number("q")
            source.varint()
        self.topic = source.bytes(source.number("B"))
        self.source = source.bytes(source.number("B"))
        source.bytes(source.number("B"))                     # name of the format
        count = source.varint(ROWS_MAX)
        need(count > 0, "no partition")
        self.partitions = [source.number("i") for _ in range(count)]
        source.bytes(source.varint())                        # filter
        self.texts_len, self.rows_len = source.varint(TEXTS_MAX), source.varint(PART_MAX)


def heads(blob):
    """The batches of a pack."""
    source = Reader(blob)
    need(source.bytes(4) == MAGIC, "no pack of batches (magic)")
    need(source.number("H") == VERSION, "another version of the batch format")
    count, checksum = source.number("H"), source.number("Q")
    need(1 <= count <= BATCHES_MAX, "bad number of batches")
    if xxhash is not None:
        need(xxhash.xxh3_64_intdigest(bytes(blob[source.at:]), count) == checksum, "wrong checksum")
    texts_len, rows_len = source.varint(TEXTS_MAX), source.varint(PART_MAX)
    lengths = [source.varint() for _ in range(3)]
    head_bytes, texts, rows_bytes = (source.bytes(n) for n in lengths)
    source.done()
    head_source = Reader(head_bytes)
    texts = Reader(unpack_zstd(texts, texts_len))
    rows_source = Reader(unpack_zstd(rows_bytes, rows_len))
    out = []
    for _ in range(count):
        head = Head(head_source)
        head.texts, head.rows = texts.bytes(head.texts_len), rows_source.bytes(head.rows_len)
        out.append(head)
    for part in (head_source, texts, rows_source):
        part.done()
    return out


class Column:
    """One column: what stands in the texts part, then the written bytes by row."""

    def __init__(self, meta, take_text, row_count):
        meta.bytes(4)                                        # field, ordinal, kind
        packed, self.epoch_form = meta.number("B"), meta.number("B")
        self.storage, self.derived = packed & 7, bool(packed & DERIVED)
        need(self.storage <= IP, "unknown storage of a column")
        self.texts = []
        if self.storage in (CODES, TEXT):
            self.texts = [take_text() for _ in range(meta.varint(row_count))]
        self.exceptions, row = {}, 0
        for i in range(meta.varint(row_count)):
            step = meta.varint(row_count)
            row += step
            need(row < row_count and (i == 0 or step > 0), "exceptions out of order")
            self.exceptions[row] = take_text()
        self.by_row = {}

    def read_rows(self, source, rows):
        """rows: those with a value here, ascending."""
        self.by_row = dict(self.exceptions)
        rows = [row for row in rows if row not in self.exceptions]
        if self.storage == CODES:
            codes = source.codes(len(rows), len(self.texts) + self.derived)
            if not self.derived:
                self.by_row.update(zip(rows, (self.texts[code] for code in codes)))
        elif self.storage == TEXT:
            need(len(rows) == len(self.texts), "a text column has another number of values")
            self.by_row.update(zip(rows, self.texts))
        elif self.storage == INT:
            self.by_row.update(zip(rows, map(self.print_number, source.numbers(len(rows)))))
        else:
            self.by_row.update(zip(rows, self.addresses(source, len(rows))))

    def print_number(self, value):
        if self.epoch_form == 1:
            return b"%d.%03d" % divmod(value, 1000)
        return b"%d" % value

    def addresses(self, source, count):
        width = 4 if self.storage == IP4 else 16
        mode = source.number("B")
        need(mode <= 1, "unknown packing of addresses")
        distinct = count if mode == 0 else source.varint(count)
        data = source.bytes(distinct * width)
        texts = [print_address(data[i:i + width]) for i in range(0, len(data), width)]
        return texts if mode == 0 else [texts[code] for code in source.codes(count, distinct)]


def print_address(data):
    if len(data) == 4:
        return b"%d.%d.%d.%d" % tuple(data[::-1])
    address = ipaddress.IPv6Address(data)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped).encode()
    return address.compressed.encode()


class Texts:
    """The texts part: shapes, dictionaries, text values, lines kept as they came."""

    def __init__(self, data, row_count):
        source = Reader(data)
        meta = Reader(source.bytes(source.number("I")))
        take_text = lambda: source.bytes(meta.varint())
        self.shapes = [None]
        for _ in range(meta.varint(SHAPES_MAX) - 1):
            slots = []
            for _ in range(meta.varint()):
                piece = take_text()
                meta.bytes(3)                                # field, kind
                slots.append((piece, meta.varint(COLUMNS_MAX - 1)))
            self.shapes.append((slots, take_text()))
        for _ in range(meta.varint()):
            take_text()                                      # names of fields
        self.columns = [Column(meta, take_text, row_count)
                        for _ in range(meta.varint(COLUMNS_MAX))]
        self.verbatim = [take_text() for _ in range(meta.varint(row_count))]
        for _ in range(meta.varint(row_count)):              # keys and headers of records
            meta.varint()
            meta.number("B")
            take_text()
            take_text()
        meta.done()
        source.done()
        for shape in self.shapes[1:]:
            need(all(at < len(self.columns) and not self.columns[at].derived
                     for _, at in shape[0]), "a shape names a column that is not there")


def read_runs(source, head):
    """[(partition, first offset, rows)]"""
    runs, offset, rows = [], 0, 0
    for _ in range(source.varint(head.row_count)):
        partition = head.partitions[source.varint(len(head.partitions) - 1)]
        count = source.varint(head.row_count)
        offset = signed(offset + zigzag(source.varint()))
        runs.append((partition, offset, count))
        rows += count
    need(rows == head.row_count, "the runs do not cover the rows")
    return runs


def rows(blob):
    """(topic, partition, offset, line within its record, bytes) of each row, in order."""
    for head in heads(blob):
        yield from batch_rows(head)


def tenant_rows(blob):
    """The same, each with its municipality."""
    for head in heads(blob):
        for row in batch_rows(head):
            yield head.tenant, row


def batch_rows(head):
    return (row for row, _ in timed_rows(head))


def timed_rows(head):
    """(row, arrival) of each."""
    texts = Texts(head.texts, head.row_count)
    source, count = Reader(head.rows), head.row_count
    shape_of = source.codes(count, len(texts.shapes))
    need(shape_of.count(0) == len(texts.verbatim), "another number of verbatim lines")
    for _ in range(3):                                       # reason, source of time, verdict
        source.codes(count, source.number("B") + 1)
    runs = read_runs(source, head)
    if source.number("B") == 0:                              # event times
        source.numbers(count)
    else:
        source.varint(COLUMNS_MAX - 1)
    arrivals = source.numbers(count)
    subs = source.numbers(count) if source.number("B") else [0] * count
    binds = [set() if shape is None else {at for _, at in shape[0]} for shape in texts.shapes]
    for at, column in enumerate(texts.columns):
        column.read_rows(source, [row for row in range(count)
                                  if column.derived or at in binds[shape_of[row]]])
    source.done()
    row, total, verbatim = 0, 0, iter(texts.verbatim)
    for partition, offset, run_rows in runs:
        for first in range(row, row + run_rows):
            # In a run with several lines to a record, line 0 begins the next offset.
            if first > row and (subs[first] == 0):
                offset += 1
            shape = texts.shapes[shape_of[first]]
            data = next(verbatim) if shape is None else render(texts, shape, first)
            total += len(data)
            yield (head.topic, partition, offset, subs[first], data), arrivals[first]
        row += run_rows
    need(total == head.raw_bytes, f"{total} bytes of lines, the head says {head.raw_bytes}")


def render(texts, shape, row):
    slots, tail = shape
    pieces = []
    for piece, at in slots:
        pieces.append(piece)
        pieces.append(texts.columns[at].by_row[row])
    pieces.append(tail)
    return b"".join(pieces)
