"""The long-term level of a store beside its log: whether both together hold each row once; for sekisho_check.py.

A municipality's rows of the log's frames up to its catalog's through_seq are in its segments. Where the log
still has them too, both must hold the same bytes under the same number; where it is retired, the ranges
that are left of it must be what the segments hold.
"""
import hashlib
import re

import sekisho_batch
import sekisho_deletion
import sekisho_proof
import sekisho_segment
import sekisho_totals


class Held:
    """A record in segments: of each row its number, length and hash; its bytes where a journal asks."""
    __slots__ = ("tenant", "rows", "lines", "matched")

    def __init__(self, tenant):
        self.tenant, self.rows, self.lines, self.matched = tenant, {}, {}, False

    def whole(self):
        data = b"".join(self.lines[sub] for sub in sorted(self.lines))
        return len(data), hashlib.sha256(data).digest()


class Tenant:
    """A municipality: how many rows, through which frame; the numbers of its rows that the log has, in order."""

    def __init__(self, catalog):
        self.through_seq, self.leaf_count = catalog.through_seq, catalog.leaf_count
        self.from_log = []


class LongTerm:
    def __init__(self, folder, findings, keep=False, signed=None, keys=None):
        self.folder, self.findings, self.keep = folder / "seg", findings, keep
        self.signed, self.keys = signed, keys
        self.store = folder
        self.deleted = {}                         # code -> what was deleted of it
        self.tenants, self.records = {}, {}       # code -> Tenant; (topic, partition) -> {offset: Held}
        self.counts = sekisho_totals.Counts(findings)
        self.store_ids = set()
        self.segments = self.rows = self.replaced = 0
        self.through_seq = 0

    def read(self):
        if not self.folder.is_dir():
            return
        listed = self.read_compacted()
        names = {p.name for p in self.folder.iterdir() if p.is_dir() and re.fullmatch(r"\d{6}", p.name)}
        for name in sorted(names | {f"{code:06d}" for code in listed}):
            if (self.folder / name / "catalog").is_file():
                self.read_tenant(name)
            elif int(name) in listed:
                self.findings.add(f"seg/{name}/catalog is missing")
            tenant = self.tenants.get(int(name))
            if tenant and int(name) in listed and tenant.through_seq < self.through_seq:
                self.findings.add(f"seg/{name}/catalog: through frame {tenant.through_seq}, "
                                  f"but {self.through_seq} is compacted: the end was cut off")

    def read_compacted(self):
        path = self.folder / "compacted"
        if not path.is_file():
            return set()
        try:
            store_id, self.through_seq, listed = sekisho_segment.read_compacted(path.read_bytes())
            self.store_ids.add(store_id)
            return set(listed)
        except sekisho_batch.BadBatch as bad:
            self.findings.add(f"seg/compacted: {bad}")
            return set()

    def read_tenant(self, name):
        place = f"seg/{name}/catalog"
        try:
            catalog = sekisho_segment.Catalog((self.folder / name / "catalog").read_bytes(), int(name))
        except sekisho_batch.BadBatch as bad:
            self.findings.add(f"{place}: {bad}")
            return
        self.store_ids.add(catalog.store_id)
        self.tenants[int(name)] = Tenant(catalog)
        self.replaced += catalog.replaced
        self.counts.read(self.folder, int(name), catalog.through_seq)
        leaves, self.hashes = bytearray(catalog.leaf_count), [b""] * catalog.leaf_count
        for info in catalog.segments.values():
            path = self.folder / name / info.name()
            try:
                self.read_segment(path, int(name), info, leaves)
            except FileNotFoundError:
                self.findings.add(f"seg/{name}/{info.name()} is missing")
            except sekisho_batch.BadBatch as bad:
                self.findings.add(f"seg/{name}/{info.name()}: {bad}")
        try:
            deleted = self.deleted[int(name)] = sekisho_deletion.Deleted(self.store, int(name), catalog.removed)
            self.counts.deleted[int(name)] = {hour for gone in catalog.removed.values() for hour, _ in gone}
            missing = [i for i, n in enumerate(leaves) if n != (0 if i in deleted.numbers else 1)]
            if missing or len(deleted.numbers) != catalog.deleted_rows:
                self.findings.add(f"{place}: {len(missing)} of the history's rows are missing or twice, or were deleted "
                                  f"and are there; the first is number {missing[0] if missing else None}")
            elif deleted.tree(self.hashes, self.stored_nodes(name, catalog)) != catalog.tree:
                self.findings.add(f"{place}: the rows make another tree")
            elif self.signed:
                self.signed.tree(int(name), self.hashes, deleted.numbers)
        except (sekisho_proof.Refused, OSError) as bad:
            self.findings.add(f"{place}: {bad}")

    def stored_nodes(self, name, catalog):
        """The nodes of level 8 that the tree's file has."""
        count = catalog.leaf_count // 256
        if not count:
            return []
        data = (self.folder / name / "tree").read_bytes()[80:]
        sekisho_proof.need(len(data) >= 32 * count, f"seg/{name}/tree is too short")
        return [data[32 * i:32 * i + 32] for i in range(count)]

    def is_deleted(self, key, offset):
        return any(deleted.covers(*key, offset) for deleted in self.deleted.values())

    def read_segment(self, path, tenant, info, leaves):
        file = memoryview(path.read_bytes())
        sekisho_batch.need(len(file) == info.bytes, "another length than the catalog says")
        segment = sekisho_segment.Segment(file, self.keys)
        sekisho_batch.need(segment.tenant == tenant, "the segment of another municipality")
        segment.check(info)
        self.store_ids.add(segment.store_id)
        self.segments += 1
        for topic, partition, offset, sub, line, leaf, _, arrival in segment.rows():
            sekisho_batch.need(0 <= leaf < len(leaves), f"a row has the number {leaf}")
            leaves[leaf] = min(2, leaves[leaf] + 1)
            self.hashes[leaf] = sekisho_segment.leaf(topic, partition, offset, sub, line)
            self.rows += 1
            self.counts.row(tenant, (topic, partition), sub, len(line), arrival)
            records = self.records.setdefault((topic, partition), {})
            held = records.setdefault(offset, Held(tenant))
            if sub in held.rows or held.tenant != tenant:
                self.findings.add(f"I2 {where((topic, partition))}: offset {offset}, line {sub} is in segments twice")
            if self.keep:
                held.lines[sub] = line
            held.rows[sub] = (leaf, len(line), hashlib.sha256(line).digest())

    def log_row(self, seq, tenant, row):
        """A row of the log; frames come in order."""
        topic, partition, offset, sub, line = row
        key = (topic, partition)
        held = self.records.get(key, {}).get(offset)
        known = self.tenants.get(tenant)
        place = f"{where(key)}, frame {seq}: offset {offset}, line {sub}"
        if known is None or seq > known.through_seq:
            if held is not None and sub in held.rows:
                self.findings.add(f"I2 {place} is in a segment and counts in the log")
            return
        if held is None or sub not in held.rows:
            self.findings.add(f"I1 {place} is not in the segments that should have it")
            return
        leaf, size, digest = held.rows[sub]
        held.matched = True
        known.from_log.append(leaf)
        if held.tenant != tenant or size != len(line) or digest != hashlib.sha256(line).digest():
            self.findings.add(f"I3 {place}: segment and log hold different bytes")

    def retired_range(self, key, start, end):
        """Offsets of DATA of which only segments have the rows."""
        records = self.records.get(key, {})
        for offset in range(start, end):
            held = records.get(offset)
            if held is None and self.is_deleted(key, offset):
                continue
            if held is None:
                self.findings.add(f"I1 {where(key)}: offset {offset} is in no segment, and its log file is retired")
            else:
                held.matched = True

    def finish(self, store_id, whole_log):
        """After the log was walked."""
        self.counts.finish(whole_log)
        if self.store_ids - {store_id}:
            self.findings.add("seg/: something of another store")
        for key, records in self.records.items():
            for offset, held in records.items():
                if not held.matched:
                    self.findings.add(f"I2 {where(key)}: offset {offset} is in a segment and nowhere in the log")
                if sorted(held.rows) != list(range(len(held.rows))) and not self.is_deleted(key, offset):
                    self.findings.add(f"I2 {where(key)}: offset {offset} has the lines {sorted(held.rows)}")
        for code, tenant in self.tenants.items():
            first = tenant.leaf_count - len(tenant.from_log)
            if tenant.from_log != list(range(first, tenant.leaf_count)) or (whole_log and first != 0):
                self.findings.add(f"seg/{code:06d}: the rows are not numbered in the order of the log")


def where(key):
    return f"{key[0].decode('utf-8', 'replace')}/{key[1]}"
