"""What a store's checkpoints vouch for, held against its log and its rows; docs/format.md, chapter "Proofs"."""
import sekisho_proof
import sekisho_segment


class Signed:
    def __init__(self, folder, findings):
        self.findings = findings
        self.frames, self.heads = {}, {}          # seq -> hash; code -> {size: root}
        self.count = 0
        path, key = folder / "checkpoints", folder / "checkpoint.pub"
        if not path.is_file() or path.stat().st_size == 0:
            return
        try:
            sekisho_proof.check_all(path.read_bytes(), sekisho_proof.Key(key.read_bytes()), None, self.keep)
        except (OSError, sekisho_proof.Refused) as why:
            findings.add(f"checkpoints: {why}")

    def keep(self, checkpoint):
        self.count += 1
        seq, digest = checkpoint.log
        if seq:
            self.frames[seq] = bytes.fromhex(digest.decode())
        for tenant, (size, root) in checkpoint.heads.items():
            self.heads.setdefault(tenant, {})[size] = root

    def frame(self, seq, digest):
        want = self.frames.pop(seq, digest)
        if want != digest:
            self.findings.add(f"frame {seq} is not the one that was signed")

    def tree(self, tenant, leaves, deleted=()):
        """The hashes of all rows of a municipality; of those that were deleted certificates tell."""
        whole = min(deleted, default=len(leaves))
        for size, root in sorted(self.heads.pop(tenant, {}).items()):
            if size > len(leaves):
                self.findings.add(f"I3 seg/{tenant:06d}: {size} rows were signed, {len(leaves)} are there")
                return
            if size > whole:
                continue
            peaks = sekisho_segment.tree(leaves[:size])[8:]
            if sekisho_proof.root_of(size, [peaks]) != root:
                self.findings.add(f"I3 seg/{tenant:06d}: the first {size} rows are not those that were signed")

    def finish(self):
        for seq in sorted(self.frames):
            self.findings.add(f"frame {seq} was signed and is not there")
        for tenant, heads in sorted(self.heads.items()):
            if max(heads):
                self.findings.add(f"I3 seg/{tenant:06d}: {max(heads)} rows were signed, none is there")
