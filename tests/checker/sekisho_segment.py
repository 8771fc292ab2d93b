"""Segments and catalogs, read by docs/format.md, chapters "Segments" and "Catalogs"; for sekisho_check.py."""
import datetime
import hashlib
import re
import struct

import sekisho_batch
import sekisho_seal
from sekisho_batch import BadBatch, Reader, need, print_address, signed, zigzag

xxhash = sekisho_batch.xxhash

BLOCK_ROWS, GROUP_ROWS_MAX, CODES_MAX = 4096, 65536, 32768
SHAPES_MAX, COLUMNS_MAX, NAMES_MAX, GROUPS_MAX = 256, 1024, 1024, 4096
CHUNK_MAX = 256 << 20
REQUIRED = 1 << 31
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS

(SHAPE, REASON, TIME_SOURCE, VERDICT, TIME, ARRIVAL, SUB, LEAF, LINE) = range(0xff00, 0xff09)
INTERNAL = 9
CODES, NUMBERS, TEXTS, MAPPED, BESIDE, EPOCH, TIME_TEXT = range(7)
TYPE_TEXT, TYPE_INT, TYPE_IP, TYPE_EPOCH = range(4)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

URL_FIELDS = (128, 129, 131, 132, 133, 135, 136)
IN_URL_PART, IN_URL, IN_LINE, DOTTED = 1, 2, 4, 8
WORD = re.compile(rb"[0-9a-z]{4,}")
NUMBERS = re.compile(rb"(?<=\.)(?=([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{0,3}))")
BEFORE = re.compile(rb"[0-9]{0,3}\Z")

# Places of a census: the field, or for those of the row the id of the column; docs/format.md, "Census".
PLACES = (VERDICT, 64, 49, 48, 144, 145, 73, 53, 70, 66, 67, REASON, TIME_SOURCE, 165, 83, 50, 200, 201, 100, 101,
          98, 99, 81, 80, 40, 24, 65, 96)
INTEGER_FIELDS = (145,)
TALLY, TALLY_FIELD = 28, 32
VALUES_MAX, COMBINATIONS_MAX = 64, 1024

SEGMENT_HEADER = struct.Struct("<8sII16sIIqQQ")
CATALOG_HEADER = struct.Struct("<8sII16sII24s")
SEGMENT_INFO = struct.Struct("<qIQQQqqqqQQ32s")


class Info:
    """What a catalog says of a segment."""

    def __init__(self, data):
        (self.hour, self.generation, self.bytes, self.rows, self.raw_bytes, self.time_min, self.time_max,
         self.arrival_min, self.arrival_max, self.leaf_min, self.leaf_max,
         self.hash) = SEGMENT_INFO.unpack(data)

    def name(self):
        return f"{self.hour & (1 << 64) - 1:08x}.{self.generation}.seg"


class Catalog:
    """The records of a catalog, each checked, and what they add up to."""

    def __init__(self, data, tenant):
        need(len(data) >= 64, "the catalog ends within its header")
        (magic, version, header_len, self.store_id, self.tenant, zero,
         digest) = CATALOG_HEADER.unpack(data[:64])
        need(magic == b"SEKICAT1" and header_len == 64, "not a catalog")
        need(version == 1, f"version {version} is not that of this checker")
        before = hashlib.sha256(data[:40]).digest()
        need(digest == before[:24], "the hash of the catalog's header differs")
        need(self.tenant == tenant and zero == 0, "the catalog of another municipality")
        self.records, self.through_seq, self.leaf_count, self.segments = 0, 0, 0, {}
        self.replaced = 0
        self.removed, self.generations = {}, {}     # certificate -> [(hour, generation)]; hour -> its last one
        self.deleted_rows = 0
        at = 64
        while at < len(data):
            need(len(data) - at >= 8, "the catalog's last record ends early")
            size = struct.unpack_from("<Q", data, at)[0]
            need(size <= len(data) - at - 40, "the catalog's last record ends early")
            content = data[at + 8:at + 8 + size]
            digest = hashlib.sha256(before + data[at:at + 8 + size]).digest()
            need(digest == data[at + 8 + size:at + 40 + size],
                 f"record {self.records + 1}: the chain of hashes is broken")
            self.record(content)
            before, at = digest, at + 40 + size

    def record(self, content):
        source = Reader(content)
        number, through_seq = (source.number("Q") for _ in range(2))
        tree = source.bytes(source.number("I"))
        need(len(tree) >= 8 and len(tree) == 8 + 32 * bin(int.from_bytes(tree[:8], "little")).count("1"),
             f"record {number}: no tree")
        leaf_count, self.tree = int.from_bytes(tree[:8], "little"), bytes(tree)
        place = f"record {number}"
        need(number == self.records + 1, f"{place} stands where {self.records + 1} should")
        need(through_seq >= self.through_seq and leaf_count >= self.leaf_count, f"{place} goes back")
        added = [Info(source.bytes(SEGMENT_INFO.size)) for _ in range(source.number("I"))]
        rest = {info.hour: info.rows for info in added}
        for hour, certificate in self.removals(source, place):
            gone = self.segments.pop(hour)
            need(rest.get(hour, 0) < gone.rows, f"{place}: nothing of {gone.name()} was deleted")
            self.deleted_rows += gone.rows - rest.get(hour, 0)
            self.removed.setdefault(certificate, []).append((hour, gone.generation))
        source.done()
        for info in added:
            before = self.segments.get(info.hour)
            need(info.generation == self.generations.get(info.hour, 0) + 1,
                 f"{place}: {info.name()} is not the next generation")
            need(before is None or info.rows > before.rows, f"{place}: {info.name()} lost rows")
            self.replaced += before is not None
            self.segments[info.hour] = info
            self.generations[info.hour] = info.generation
        self.records, self.through_seq, self.leaf_count = number, through_seq, leaf_count
        need(sum(i.rows for i in self.segments.values()) + self.deleted_rows == leaf_count,
             f"{place}: the segments have other rows than the history")

    def removals(self, source, place):
        """[(hour, certificate)] of segments that were deleted; nothing stands there where none was."""
        result = []
        for _ in range(source.number("I") if source.at < len(source.data) else 0):
            hour, generation, certificate = source.number("q"), source.number("I"), source.number("Q")
            live = self.segments.get(hour)
            need(live is not None and live.generation == generation, f"{place}: deletes what is not there")
            need(certificate > max(self.removed, default=0) and (not result or result[0][1] == certificate),
                 f"{place}: certificate {certificate} does not follow")
            result.append((hour, certificate))
        return result


def leaf(topic, partition, offset, sub, line):
    """The hash of a row in its municipality's tree."""
    name = topic if isinstance(topic, bytes) else topic.encode()
    return hashlib.sha256(b"\x00" + struct.pack("<H", len(name)) + name +
                          struct.pack("<iqI", partition, offset, sub) + bytes(line)).digest()


def tree(leaves):
    """Size and peaks, from left to right, of the tree over all leaves."""
    peaks = []
    for digest in leaves:
        height = 0
        while peaks and peaks[-1][0] == height:
            digest = hashlib.sha256(b"\x01" + peaks.pop()[1] + digest).digest()
            height += 1
        peaks.append((height, digest))
    return struct.pack("<Q", len(leaves)) + b"".join(digest for _, digest in peaks)


def read_compacted(data):
    """(store id, through_seq, codes)"""
    need(len(data) >= 68 and hashlib.sha256(data[:-32]).digest() == data[-32:], "the hash differs")
    source = Reader(data[:-32])
    need(source.bytes(8) == b"SEKICMP1", "not the file of what is compacted")
    store_id, through_seq = source.bytes(16), source.number("Q")
    tenants = [source.number("I") for _ in range(source.number("I"))]
    source.done()
    need(tenants == sorted(set(tenants)), "the municipalities are not in order")
    return store_id, through_seq, tenants


class Chunk:
    """A line of a directory: where the bytes stand is the caller's to know."""

    def __init__(self, source, seal):
        self.seal = seal
        self.len = source.varint(CHUNK_MAX + seal.tag)
        self.plain_len = self.checksum = 0
        if self.len:
            need(self.len > seal.tag, "a chunk is shorter than its tag")
            packed = self.len - seal.tag
            self.plain_len = packed + source.varint(CHUNK_MAX - packed)
            self.checksum = source.number("I")

    def plain(self, group, at):
        """Of the group's bytes, where it begins there."""
        if self.len == 0:
            return b""
        data = group.body[at:at + self.len]
        need(len(data) == self.len, "a chunk stands outside of its group")
        if xxhash is not None:
            need(xxhash.xxh3_64_intdigest(data, self.plain_len) & 0xffffffff == self.checksum,
                 "the checksum of a chunk differs")
        data = self.seal.open(group.at + at, data)
        return data if self.plain_len == len(data) else sekisho_batch.unpack_zstd(data, self.plain_len)


class Block:
    def __init__(self, rows, source):
        self.rows = rows
        self.unparsed, self.raw_bytes = source.varint(rows), source.varint()
        self.times, self.arrivals = min_max(source), min_max(source)


def min_max(source):
    least = source.number("q")
    return least, signed(least + source.varint())


class Runs:
    """A group's filter of runs: whatever its rows hold must be in it."""

    def __init__(self, data):
        need(len(data) >= 2, "a filter of runs is cut")
        self.places, log, self.bits = data[0], data[1], data[2:]
        need(self.places < 16 and 9 <= log <= 20 and len(self.bits) == 1 << log >> 3,
             "a filter of runs of no known form")
        self.mask, self.words, self.known = (1 << log) - 1, set(), set()

    def has(self, run):
        return self.has_bit(int.from_bytes(run, "big"), 32)

    def has_bit(self, key, shift):
        bit = (key * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> shift & self.mask
        return self.bits[bit >> 3] >> (bit & 7) & 1

    def dotted(self, line):
        """The numbers of a line that have dots on both sides, with the digits before and behind them."""
        for match in NUMBERS.finditer(line):
            second, third, last = match.groups()
            first = BEFORE.search(line[max(match.start() - 4, 0):match.start() - 1]).group()
            keys = [(0, first, second, third)] if len(first) == 3 else []
            keys += [(1, second, third, last[:i]) for i in range(1, len(last) + 1)]
            for key in keys:
                if key in self.known:
                    continue
                self.known.add(key)
                number = key[0]
                for part in key[1:]:
                    number = number << 11 | (0, 10, 110)[len(part) - 1] + int(part)
                need(self.has_bit(number, 32) and (key[0] == 0 or len(key[3]) < 3 or self.has_bit(number, 44)),
                     f"the filter of runs says no to {b'.'.join(key[1:]).decode()}, which is there")

    def check(self, text, place):
        """Every run of the text; of a line those with a letter."""
        if place == IN_LINE and self.places & DOTTED:
            self.dotted(bytes(text))
        if not self.places & place:
            return
        for word in WORD.findall(bytes(text).lower()):
            if (word, place) in self.words:
                continue
            self.words.add((word, place))
            for run in (word[i:i + 4] for i in range(len(word) - 3)):
                if run not in self.known and (place != IN_LINE or not run.isdigit()):
                    need(self.has(run), f"the filter of runs says no to {run.decode()}, which is there")
                    self.known.add(run)


class Census:
    """How many rows have which values of some fields."""

    def __init__(self, data, rows):
        source = Reader(data)
        self.told = source.varint((1 << TALLY + 1) - 1)
        parts = source.varint(len(PLACES))
        self.places, values = [], []
        for _ in range(parts):
            place, kind, flags = source.bytes(3)
            need(place < len(PLACES) and self.told >> place & 1 and (not self.places or place > self.places[-1][0]),
                 "a census of a place that it does not tell")
            whole = PLACES[place] >= SHAPE or PLACES[place] in INTEGER_FIELDS
            need(flags & 1 == whole and flags <= 3, "a census of values of another type")
            self.places.append((place, kind, flags >> 1))
            values.append([None] + [zigzag(source.varint()) if whole else source.bytes(source.varint(255))
                                    for _ in range(source.varint(VALUES_MAX))])
            need(values[-1][1:] == sorted(set(values[-1][1:])), "the values of a census are not in order")
        count = source.varint(COMBINATIONS_MAX)
        numbers = [source.bytes(count) for _ in range(parts)]
        need(all(max(n, default=0) < len(v) for n, v in zip(numbers, values)), "a census of no such value")
        keys = list(zip(*numbers))
        need(count > 0 and keys == sorted(set(keys)), "the combinations of a census are not in order")
        self.rows = {tuple(v[n] for v, n in zip(values, key)): source.varint(GROUP_ROWS_MAX) for key in keys}
        need(0 not in self.rows.values() and sum(self.rows.values()) == rows, "a census of other rows")
        self.found, self.addresses, self.tallied = {}, None, {}
        if self.told >> TALLY & 1:
            self.read_addresses(source, rows)
        source.done()

    def read_addresses(self, source, rows):
        """How many rows have which address: of IPv4 ascending, then the others ascending."""
        self.kind, none, at = source.number("B"), source.varint(rows), 0
        self.addresses = {None: none} if none else {}
        for i in range(source.varint(COMBINATIONS_MAX)):
            step = source.varint((1 << 32) - 1)
            need(i == 0 or step > 0, "the addresses of a census are not in order")
            at += step
            self.addresses[struct.pack("<I", at)] = source.varint(rows)
        last = b""
        for _ in range(source.varint(COMBINATIONS_MAX)):
            address = bytes(source.bytes(16))
            need(address > last and address[:12] != bytes(10) + b"\xff\xff", "the addresses of a census are not in order")
            self.addresses[address], last = source.varint(rows), address
        need(0 not in self.addresses.values() and sum(self.addresses.values()) == rows, "a tally of other rows")

    def tally(self, view):
        """The addresses of a block."""
        at = [i for i, c in enumerate(view.group.columns) if c.field == TALLY_FIELD]
        need(len(at) <= 1, "a tally of a field with several columns")
        values, exceptions, _ = view.values(at[0]) if at else ({}, {}, {})
        need(not exceptions and (not at or view.group.columns[at[0]].kind == self.kind), "a tally of another column")
        for row in range(view.rows):
            address = values.get(row)
            if address is not None and len(address) == 16 and address[:12] == bytes(10) + b"\xff\xff":
                address = address[:11:-1]
            self.tallied[address] = self.tallied.get(address, 0) + 1

    def add(self, view):
        """The rows of a block."""
        columns = []
        for place, field in enumerate(PLACES):
            if not self.told >> place & 1:
                continue
            at = [i for i, c in enumerate(view.group.columns) if (c.id or c.field) == field]
            told = [(kind, derived) for p, kind, derived in self.places if p == place]
            need(len(at) == len(told) <= 1, "a census of a field with other columns than it has")
            for i in at:
                values, exceptions, _ = view.values(i)
                need(not exceptions and (field >= SHAPE or told[0] == (view.group.columns[i].kind,
                                                                       view.group.columns[i].derived)),
                     "a census of a column of another kind")
                columns.append(values)
        for row in range(view.rows):
            key = tuple(values.get(row) for values in columns)
            self.found[key] = self.found.get(key, 0) + 1
        if self.addresses is not None:
            self.tally(view)

    def check(self):
        need(self.found == self.rows, "a census is not that of its rows")
        need(self.addresses is None or self.tallied == self.addresses, "a tally is not that of its rows")


class Group:
    """A head of the footer, and with it the group's columns."""

    def __init__(self, source, file, end, seal):
        self.seal = seal
        self.at, self.len = source.number("Q"), source.number("Q")
        need(self.at + self.len <= end, "a group reaches into the footer")
        self.body = bytes(file[self.at:self.at + self.len])
        self.format, self.zone, self.generation = source.number("H"), source.number("H"), source.varint()
        self.topic, self.source, self.format_name = (source.bytes(source.number("B")) for _ in range(3))
        self.partitions = [source.number("i") for _ in range(source.varint(GROUP_ROWS_MAX))]
        need(self.partitions and self.partitions == sorted(set(self.partitions)),
             "the partitions of a group are not in order")
        columns_len = source.varint()
        desc, table = Chunk(source, seal), Chunk(source, seal)
        self.rows = source.varint(GROUP_ROWS_MAX)
        need(self.rows > 0, "a group has no rows")
        self.blocks = [Block(min(BLOCK_ROWS, self.rows - first), source)
                       for first in range(0, self.rows, BLOCK_ROWS)]
        self.leaf_min, self.leaf_max = min_max(source)
        at = columns_len + desc.len + table.len
        for _ in self.blocks:
            size = source.varint()
            data = self.body[at:at + size]
            need(len(data) == size, "a filter stands outside of its group")
            if size:
                checksum = source.number("I")
                need(xxhash is None or xxhash.xxh3_64_intdigest(data, 0) & 0xffffffff == checksum,
                     "the checksum of a filter differs")
                seal.open(self.at + at, data)
            at += size
        self.parts_len, self.runs_filter, self.census = at, None, None
        self.open(desc.plain(self, columns_len), table.plain(self, columns_len + desc.len), columns_len)

    def read_runs(self, source):
        """The filter of runs, of which section 2 tells."""
        size = source.varint()
        if size == 0:
            return
        checksum, data = source.number("I"), self.body[self.parts_len:self.parts_len + size]
        need(len(data) == size, "a filter of runs stands outside of its group")
        need(xxhash is None or xxhash.xxh3_64_intdigest(data, 0) & 0xffffffff == checksum,
             "the checksum of a filter of runs differs")
        data = self.seal.open(self.at + self.parts_len, data)
        self.parts_len += size
        self.runs_filter = Runs(data)

    def read_census(self, source):
        """The census, which section 4 holds."""
        data = source.bytes(source.varint())
        if data:
            self.census = Census(bytes(data), self.rows)

    def open(self, desc, table, columns_len):
        source = Reader(desc)
        self.shape_count = source.varint(SHAPES_MAX - 1)
        self.names = [source.bytes(source.varint()) for _ in range(source.varint(NAMES_MAX))]
        count = source.varint(COLUMNS_MAX + INTERNAL)
        need(count >= INTERNAL, "columns are missing that every group has")
        self.columns = [Column(self, source, i) for i in range(count)]
        source.done()
        source, at, chunks = Reader(table), 0, []
        for count in [1, 1, len(self.blocks)] + [c.chunks + len(self.blocks) for c in self.columns]:
            pieces = []
            for _ in range(count):
                chunk = Chunk(source, self.seal)
                pieces.append(chunk.plain(self, at))
                at += chunk.len
            chunks.append(pieces)
        source.done()
        need(at == columns_len, "the chunks of a group have another length than they should")
        self.shapes = self.read_shapes(chunks[0][0])
        self.extras = self.read_extras(chunks[1][0])
        self.runs = chunks[2]
        for column, pieces in zip(self.columns, chunks[3:]):
            column.load(pieces)

    def read_shapes(self, data):
        source, shapes = Reader(data), [None]
        for number in range(1, self.shape_count + 1):
            slots, bound = [], set()
            for _ in range(source.varint(2048)):
                piece = source.bytes(source.varint())
                source.number("H")
                kind, at = source.number("B"), source.varint(COLUMNS_MAX - 1)
                need(at + INTERNAL < len(self.columns), "a shape names a column that is not there")
                column = self.columns[at + INTERNAL]
                need(not column.derived and column.kind == kind, "a shape names a column of another kind")
                slots.append((piece, at + INTERNAL))
                bound.add(at + INTERNAL)
            shapes.append((slots, source.bytes(source.varint())))
            says = {i for i, c in enumerate(self.columns) if i >= INTERNAL and c.binds(number)}
            need(says == bound, "shapes and columns name each other differently")
        source.done()
        return shapes

    def read_extras(self, data):
        """row -> (has no value, key or None, headers)"""
        source, extras, row = Reader(data), {}, 0
        while source.at < len(data):
            step, flags = source.varint(), source.number("B")
            row += step
            need(row < self.rows and flags <= 3 and (step > 0 or not extras), "bad keys or headers")
            key, headers = (source.bytes(source.varint()) for _ in range(2))
            extras[row] = (bool(flags & 1), key if flags & 2 else None, headers)
        return extras

    def places(self, block, subs):
        """(partition, offset) of each row of a block."""
        source, out, offset = Reader(self.runs[block]), [], 0
        while source.at < len(source.data):
            partition = self.partitions[source.varint(len(self.partitions) - 1)]
            count = source.varint(len(subs) - len(out))
            need(count > 0, "a run without rows")
            offset = signed(offset + zigzag(source.varint()))
            at = offset
            for i in range(count):
                at += i > 0 and subs[len(out)] == 0
                out.append((partition, at))
        need(len(out) == len(subs), "the runs do not cover the rows")
        return out

    def read(self):
        """(topic, partition, offset, sub, line, leaf, event time, arrival) of each row."""
        last, leaves = None, []
        for number, block in enumerate(self.blocks):
            view = BlockView(self, number, block.rows)
            subs, leaf = view.numbers(SUB), view.numbers(LEAF)
            times, arrivals, reasons = view.numbers(TIME), view.numbers(ARRIVAL), view.numbers(REASON)
            view.numbers(TIME_SOURCE)
            view.numbers(VERDICT)
            need((min(times), max(times)) == block.times, "a block's event times are not the head's")
            need((min(arrivals), max(arrivals)) == block.arrivals, "a block's arrivals are not the head's")
            need(block.rows - reasons.count(0) == block.unparsed, "a block's reasons are not the head's")
            places, total = self.places(number, subs), 0
            for row, line in enumerate(view.lines()):
                place = (*places[row], subs[row])
                need(last is None or last < place, "the rows of a group are not in order")
                last, total = place, total + len(line)
                if self.runs_filter:
                    self.runs_filter.check(line, IN_LINE)
                yield self.topic, *place, line, leaf[row], times[row], arrivals[row]
            if self.runs_filter:
                for text in view.url_parts():
                    self.runs_filter.check(text, IN_URL_PART)
            if self.census:
                self.census.add(view)
            need(total == block.raw_bytes, f"{total} bytes of lines, the head says {block.raw_bytes}")
            leaves += leaf
        need((min(leaves), max(leaves)) == (self.leaf_min, self.leaf_max), "leaves that are not the head's")
        if self.census:
            self.census.check()


class Column:
    """A column's description, and what all blocks share of it."""

    def __init__(self, group, source, index):
        self.group, self.index = group, index
        self.kind, self.type, self.derived, self.epoch_form, self.bits = 0, TYPE_INT, False, 0, 0
        self.id, self.field = 0, None
        if index < INTERNAL:
            self.id = source.number("H")
            need(self.id == SHAPE + index, "a column of every group is not where it should be")
            self.type = TYPE_TEXT if self.id == LINE else TYPE_INT
        else:
            self.field = source.number("H")
            source.bytes(1)                                  # ordinal
            self.kind, self.type, derived, self.epoch_form = source.bytes(4)
            self.derived = bool(derived)
            need(self.type <= TYPE_EPOCH and derived <= 1 and self.epoch_form <= 1, "a column of no known kind")
            if not self.derived:
                self.bits = int.from_bytes(source.bytes(group.shape_count // 8 + 1), "little")
        self.form, flags = source.bytes(2)
        need(self.form <= TIME_TEXT and flags <= 3, "a column of no known form")
        self.has_exceptions, self.any_v6 = bool(flags & 1), bool(flags & 2)
        self.other, self.entry_count, self.layout = None, 0, b""
        if self.form in (MAPPED, BESIDE, EPOCH):
            self.other = source.varint()
        if self.form in (CODES, MAPPED):
            self.entry_count = source.varint(CODES_MAX)
        if self.form == TIME_TEXT:
            self.layout = source.bytes(source.varint(64))
        self.chunks = {CODES: 1, MAPPED: 2}.get(self.form, 0)

    def binds(self, shape):
        return not self.derived and self.bits >> shape & 1 != 0

    def load(self, pieces):
        self.blocks = pieces[self.chunks:]
        self.entries = self.dictionary(pieces[0]) if self.chunks else []
        if self.other is not None:
            need(self.other < len(self.group.columns), "a column is read through one that is not there")
        if self.form == MAPPED:
            other = self.group.columns[self.other]
            need(other.form == CODES, "a column is mapped from one without a dictionary")
            source = Reader(pieces[1])
            self.map = source.codes(other.entry_count + 1, self.entry_count + 1)
            source.done()

    def dictionary(self, data):
        """Texts as they are, addresses as bytes, integers."""
        source, count = Reader(data), self.entry_count
        if self.type == TYPE_IP and not self.any_v6:
            out = [source.bytes(4) for _ in range(count)]
        elif self.type in (TYPE_TEXT, TYPE_IP):
            out = [source.bytes(size) for size in [source.varint() for _ in range(count)]]
            need(self.type == TYPE_TEXT or all(len(a) == 16 for a in out), "an address of another length")
        else:
            out = []
            for first in range(0, count, BLOCK_ROWS):
                out += source.numbers(min(BLOCK_ROWS, count - first))
        source.done()
        return out

    def print(self, value):
        if self.type == TYPE_TEXT:
            return value
        if self.type == TYPE_IP:
            return print_address(value)
        return b"%d.%03d" % divmod(value, 1000) if self.epoch_form == 1 else b"%d" % value


class BlockView:
    """The values of one block; a column is read once."""

    def __init__(self, group, number, rows):
        self.group, self.number, self.rows = group, number, rows
        self.known, self.busy = {}, set()
        self.shape_of = None
        self.shape_of = self.numbers(SHAPE)
        need(all(0 <= s <= group.shape_count for s in self.shape_of), "a shape that is not there")

    def numbers(self, id):
        values = self.values(id - SHAPE)[0]
        return [values[row] for row in range(self.rows)]

    def bound(self, column):
        """Rows that have a value or an exception."""
        if column.derived or column.id not in (0, LINE):
            return range(self.rows)
        need(self.shape_of is not None, "the shapes are read through what depends on them")
        if column.id == LINE:
            return [row for row in range(self.rows) if self.shape_of[row] == 0]
        return [row for row in range(self.rows) if column.binds(self.shape_of[row])]

    def values(self, index):
        """({row: value}, {row: exception's text}, {row: code})"""
        if index not in self.known:
            need(index not in self.busy, "a column is read through itself")
            self.busy.add(index)
            self.known[index] = self.read(self.group.columns[index])
        return self.known[index]

    def read(self, column):
        source = Reader(column.blocks[self.number])
        exceptions, row = {}, 0
        if column.has_exceptions:
            for i in range(source.varint(self.rows)):
                step = source.varint(self.rows)
                row += step
                need(row < self.rows and (i == 0 or step > 0), "exceptions out of order")
                exceptions[row] = source.bytes(source.varint())
        rows = [row for row in self.bound(column) if row not in exceptions]
        empty = source.at == len(source.data)
        codes = {}
        if column.form in (CODES, MAPPED):
            codes = (self.codes if column.form == CODES else self.mapped)(column, source, rows, empty)
            values = {row: column.entries[c] for row, c in codes.items() if c < column.entry_count}
        elif column.form == TEXTS:
            values = dict(zip(rows, [source.bytes(n) for n in source.numbers(len(rows))]))
        elif column.form == EPOCH:
            values = self.epochs(column, source)
        else:
            found = [0] * len(rows) if empty else source.numbers(len(rows))
            values = self.placed(column, rows, found)
        source.done()
        return values, exceptions, codes

    def codes(self, column, source, rows, empty):
        if empty:
            found = [0] * len(rows)
        else:
            most = source.number("H")
            need(most < column.entry_count + column.derived, "a code is too great")
            found = source.codes(len(rows), most + 1)
        if column.derived:
            found = [column.entry_count if code == 0 else code - 1 for code in found]
        return dict(zip(rows, found))

    def mapped(self, column, source, rows, _):
        other = self.values(column.other)[2]
        none = self.group.columns[column.other].entry_count
        codes = {row: column.map[other.get(row, none)] for row in rows}
        at = 0
        while source.at < len(source.data):
            at += source.varint(len(rows))
            code = source.varint(column.entry_count)
            need(at < len(rows), "an exception behind the rows")
            codes[rows[at]] = code
        return codes

    def epochs(self, column, source):
        need(column.id == TIME and column.other >= INTERNAL, "a time is told by no column of the lines")
        other = self.group.columns[column.other]
        values = self.values(column.other)[0]
        out = {row: epoch_ns(values[row], other.epoch_form) if row in values else 0
               for row in range(self.rows)}
        row = 0
        while source.at < len(source.data):
            row += source.varint(self.rows)
            need(row < self.rows, "an exception behind the rows")
            out[row] = source.number("q")
        return out

    def placed(self, column, rows, found):
        if column.form == TIME_TEXT:
            times = self.values(TIME - SHAPE)[0]
            return {row: print_time(column.layout, times[row], d) for row, d in zip(rows, found)}
        if column.form == BESIDE:
            bases = self.values(column.other)[0]
            found = [signed(d + bases.get(row, 0)) for row, d in zip(rows, found)]
        if column.type == TYPE_IP:
            need(all(0 <= v < 1 << 32 for v in found), "an address that is none")
            found = [struct.pack("<I", v) for v in found]
        return {row: v for row, v in zip(rows, found) if not (column.derived and v == 0)}

    def url_parts(self):
        """Values of URLs that are compared as they are written."""
        for index, column in enumerate(self.group.columns):
            if column.field in URL_FIELDS and column.kind == 0:
                values, exceptions, _ = self.values(index)
                yield from exceptions.values()
                yield from (column.print(v) for v in values.values())

    def lines(self):
        columns = self.group.columns
        verbatim = self.values(LINE - SHAPE)[0]
        read = {i: self.values(i) for i in range(INTERNAL, len(columns))}
        for row in range(self.rows):
            shape = self.group.shapes[self.shape_of[row]]
            if shape is None:
                yield verbatim[row]
                continue
            pieces = []
            for piece, at in shape[0]:
                values, exceptions, _ = read[at]
                need(row in values or row in exceptions, "a value of a line is missing")
                pieces += [piece, exceptions[row] if row in exceptions else columns[at].print(values[row])]
            yield b"".join(pieces) + shape[1]


def epoch_ns(value, form):
    if form == 1 or 10**12 <= value < 10**13:
        unit = 10**6
    elif value < 10**11:
        unit = 10**9
    else:
        unit = 10**3 if value < 10**16 else 1
    ns = value * unit
    return ns if -(1 << 63) <= ns < 1 << 63 else (1 << 63) - 1


def print_time(layout, time_ns, distance):
    """The text that stands `distance` steps of the layout's last digit from a row's time."""
    unit, at = 10**9, 0
    parts = []
    while at < len(layout):
        piece = chr(layout[at])
        if piece == "%":
            at += 1
            need(at < len(layout), "a layout ends early")
            piece += chr(layout[at])
            if piece[1] in "123456789":
                unit = 10**(9 - int(piece[1]))
                at += 1
        parts.append(piece)
        at += 1
    need(abs(distance) <= 400 * DAY_NS // unit + 1, "a time is too far from its row's")
    ns = (time_ns // unit + distance) * unit
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ns // 10**9)
    out = []
    for piece in parts:
        if len(piece) == 1:
            out.append(piece)
        elif piece[1] in "123456789":
            out.append("%09d" % (ns % 10**9))
            out[-1] = out[-1][:int(piece[1])]
        else:
            out.append({"Y": "%04d" % moment.year, "m": "%02d" % moment.month, "d": "%02d" % moment.day,
                        "e": "%2d" % moment.day, "b": MONTHS[moment.month - 1], "H": "%02d" % moment.hour,
                        "M": "%02d" % moment.minute, "S": "%02d" % moment.second}[piece[1]])
    return "".join(out).encode("latin-1")


def sections(footer):
    source = Reader(footer)
    while source.at < len(footer):
        kind = source.number("I")
        yield kind, Reader(source.bytes(source.number("Q")))


class Segment:
    """Header, footer and groups of a file."""

    def __init__(self, file, keys=None):
        need(len(file) >= 112, "the file is cut")
        (magic, version, header_len, self.store_id, self.tenant, self.generation, self.hour, zero,
         checksum) = SEGMENT_HEADER.unpack(file[:64])
        need(magic == b"SEKISEG1" and header_len == 64 and zero == 0, "no segment begins here")
        need(version == 1, f"version {version} is not that of this checker")
        need(xxhash is None or xxhash.xxh3_64_intdigest(bytes(file[:56]), 0) == checksum,
             "the header's checksum differs")
        size, self.hash, magic = struct.unpack("<Q32s8s", file[-48:])
        need(magic == b"SEKIEND1" and size <= len(file) - 112, "the file is cut")
        end = len(file) - 48 - size
        footer = bytes(file[end:-48])
        need(hashlib.sha256(bytes(file[:64]) + footer).digest() == self.hash, "the footer's hash differs")
        self.file, self.end, self.seal, outside = file, end, sekisho_seal.Clear(), None
        if footer[:4] == struct.pack("<I", REQUIRED | 3):
            footer, outside = self.open(footer, keys)
        self.groups, runs, censuses, all_known = None, None, None, True
        for kind, content in sections(footer):
            if kind == REQUIRED | 1:
                need(self.groups is None, "the groups stand twice")
                self.groups = [Group(content, file, end, self.seal) for _ in range(content.varint(GROUPS_MAX))]
                content.done()
            elif kind == 2:
                need(runs is None, "the filters of runs stand twice")
                runs = content
            elif kind == 4:
                need(censuses is None, "the censuses stand twice")
                censuses = content
            else:
                need(not kind & REQUIRED, f"required section {kind & ~REQUIRED} is not in the format")
                all_known = False
        need(self.groups is not None, "the footer has no groups")
        need(outside is None or outside == [(g.at, g.len, g.rows) for g in self.groups],
             "the sealed groups are not those that the segment tells of")
        if runs is not None:
            for group in self.groups:
                group.read_runs(runs)
            runs.done()
        if censuses is not None:
            for group in self.groups:
                group.read_census(censuses)
            censuses.done()
        need(all(g.parts_len <= g.len if not all_known else g.parts_len == g.len for g in self.groups),
             "a group has another length than its parts")
        at = 64
        for group in self.groups:
            need(group.at == at, "the groups do not join")
            at += group.len
        need(at == end, "bytes between the groups and the footer")

    def open(self, footer, keys):
        """The sections that are sealed, and (at, length, rows) of each group as told outside."""
        content = None
        for kind, section in sections(footer):
            if kind == REQUIRED | 3:
                need(content is None, "the groups stand twice")
                content = section
            else:
                need(not kind & REQUIRED, f"required section {kind & ~REQUIRED} is not in the format")
        number, salt, prefix = content.bytes(8), content.bytes(16), content.bytes(16)
        outside = []
        for _ in range(content.number("I")):
            at, size, rows, digest = (*(content.number("Q") for _ in range(2)), content.number("I"), content.bytes(32))
            need(hashlib.sha256(bytes(self.file[at:at + size])).digest() == digest, "the hash of a group differs")
            outside.append((at, size, rows))
        inside = content.bytes(len(content.data) - content.at)
        secret = None if keys is None else keys.get(self.tenant, number)
        need(secret is not None, f"sealed with key {number.hex()}, which is not there")
        self.seal = sekisho_seal.Seal(secret, salt, prefix, bytes(self.file[:64]))
        place = self.end + 12 + content.at - len(inside)  # the section is the footer's first one
        return self.seal.open(place, inside), outside

    def check(self, info):
        """Against what the catalog says; then the rows."""
        need((self.hour, self.generation, self.hash) == (info.hour, info.generation, info.hash),
             "the file is not the one that the catalog names")
        blocks = [b for g in self.groups for b in g.blocks]
        need(info.rows == sum(b.rows for b in blocks) and info.raw_bytes == sum(b.raw_bytes for b in blocks),
             "rows or bytes are not the catalog's")
        need((info.time_min, info.time_max) == (min(b.times[0] for b in blocks), max(b.times[1] for b in blocks)) and
             (info.arrival_min, info.arrival_max) == (min(b.arrivals[0] for b in blocks),
                                                      max(b.arrivals[1] for b in blocks)),
             "times are not the catalog's")
        need(info.arrival_min // HOUR_NS == info.arrival_max // HOUR_NS == info.hour,
             "rows of another hour of arrival")
        need((info.leaf_min, info.leaf_max) == (min(g.leaf_min for g in self.groups),
                                                max(g.leaf_max for g in self.groups)),
             "leaves are not the catalog's")

    def rows(self):
        for group in self.groups:
            yield from group.read()
