#!/usr/bin/env python3
"""Who changes, cuts or writes anew what is in a store is found out: by the store itself, or by who kept a checkpoint.

A store is compacted in two steps with a checkpoint signed after each. Proofs of lines and of growth are verified by the
program and by a second one that shares no code with it. Then each kind of tampering is done to a copy, as well as
somebody could who has the store, and in some cases its key.
"""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import BIN, Steps, need_binary, run, seeded_random, temp_dir  # noqa: E402

FORGE = BIN.parent / "tests" / "store" / "forge_catalog"
CHECKER = ROOT / "tests" / "checker" / "sekisho_check.py"
SECOND = ROOT / "tests" / "checker" / "sekisho_proof.py"
EVENTS, FILE_BYTES = 40_000, 65_536
PROOFS = 12


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def second(kind, path, key, code=0, **more):
    """What the second verifier says."""
    words = [sys.executable, str(SECOND), kind, str(path), "--key", str(key)]
    for name, value in more.items():
        words += [f"--{name}", str(value)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=300)
    need(done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()


def replay(made, store):
    config = made / "with_limits.yaml"
    config.write_text((made / "config.yaml").read_text() + f"limits: {{log_file_bytes: {FILE_BYTES}, frame_bytes: {FILE_BYTES}}}\n")
    run("replay", "--data", store, "--manifest", made / "manifest.yaml", "--config", config)


def sign(store, path, key=None):
    path.write_bytes(run("checkpoint", "--data", store, "--sign", *(["--key", key] if key else [])).stdout)
    return path


def compact_half(store, folder):
    """Half of the log's files into segments, then the others come back."""
    files = sorted((store / "log").glob("*.log"))
    need(len(files) >= 3, f"{len(files)} files of the log")
    later = files[len(files) // 2:]
    folder.mkdir()
    for path in later:
        path.rename(folder / path.name)
    run("compact", "--data", store)
    half = run("checkpoint", "--data", store, "--sign").stdout
    for path in later:
        (folder / path.name).rename(path)
    return half


def verify(store, code, *options):
    """What verify says; where it needs nothing that somebody kept, the second program says the same."""
    done = run("verify", "--data", store, *options, check=code)
    if code != 0 and not options:
        checker = subprocess.run([sys.executable, str(CHECKER), str(store)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, check=False, timeout=300)
        need((checker.returncode == 0) == (code == 0), checker.stdout.decode() + checker.stderr.decode())
    return done.stdout.decode() + done.stderr.decode()


def change_line(made, r):
    """One digit of one line becomes another one."""
    path = r.choice([p for p in sorted(made.rglob("*.log")) if p.stat().st_size > 100_000])
    lines = path.read_bytes().split(b"\n")
    # Within what both compactions have seen of it.
    number = r.randrange(len(lines) // 8, len(lines) // 4)
    digits = [i for i, c in enumerate(lines[number]) if c in b"12345678"]
    at = digits[-1 - r.randrange(4)]
    lines[number] = lines[number][:at] + bytes([lines[number][at] + 1]) + lines[number][at + 1:]
    path.write_bytes(b"\n".join(lines))


def check_proofs(steps, store, folder, older, r):
    key, path = store / "checkpoint.pub", folder / "proof"
    tenants = sorted(p.name for p in (store / "seg").iterdir() if p.is_dir())
    for _ in range(PROOFS):
        tenant = r.choice(tenants)
        path.write_bytes(run("proof", "--data", store, "--tenant", tenant, "--number", r.randrange(40)).stdout)
        said = run("verify", "--proof", path, "--key", key).stdout.decode()
        need(f"municipality {tenant}" in said and "it holds" in second("proof", path, key), said)
        fields = dict(line.split(" ", 1) for line in path.read_text().splitlines()[1:7])
        again = run("proof", "--data", store, "--tenant", tenant, "--topic", fields["topic"], "--partition",
                    fields["partition"], "--offset", fields["offset"], "--line", fields["sub"]).stdout
        need(again == path.read_bytes(), "the line's number and its place give two proofs")
        text = bytearray(again)
        at = text.index(b"\ndata ") + 6 + r.randrange(8)
        text[at] = ord("A") if text[at] != ord("A") else ord("B")
        path.write_bytes(text)
        run("verify", "--proof", path, "--data", store, check=5)
        second("proof", path, key, code=1)
    steps(f"{PROOFS} proofs of lines hold, and a changed byte of each does not: by both verifiers")
    path.write_bytes(run("proof", "--data", store, "--since", older).stdout)
    need("it holds" in run("verify", "--proof", path, "--key", key).stdout.decode(), "growth")
    need("it holds" in second("proof", path, key), "growth, second verifier")
    need("no row" in run("proof", "--data", store, "--tenant", tenants[0], "--number", 10 ** 9, check=1).stderr.decode(),
         "a row that is not there")
    steps("nothing was changed between the checkpoints: both verifiers say so")


class Tampering:
    """Each case on a copy."""

    def __init__(self, folder, store, false, held):
        self.folder, self.store, self.false, self.held = folder, store, false, held
        self.copies = 0

    def copy(self, of=None):
        self.copies += 1
        to = self.folder / f"copy{self.copies}"
        shutil.copytree(of or self.store, to)
        return to

    def cut_log(self):
        """The newest files of the log are gone: what they held is in segments, so only the signature misses it."""
        store = self.copy()
        for path in sorted((store / "log").glob("*.log"))[-1:]:
            path.unlink()
        need("cut off" in verify(store, 5), "the end of the log")

    def other_log(self):
        """The log of another history, whole in itself."""
        store = self.copy()
        shutil.rmtree(store / "log")
        shutil.copytree(self.false / "log", store / "log")
        need("not the one that was signed" in verify(store, 5), "another log")

    def forged_segments(self):
        """A line is another one, and every checksum, hash and catalog is mended: the tree finds it."""
        store = self.copy()
        for folder in sorted(p for p in (store / "seg").iterdir() if p.is_dir()):
            false = self.false / "seg" / folder.name
            lie = self.folder / "lie"
            shutil.copytree(false, lie)
            subprocess.run([str(FORGE), str(folder), str(lie)], check=True, timeout=60)
            shutil.copy(folder / "tree", lie / "tree")
            shutil.rmtree(folder)
            lie.rename(folder)
        said = verify(store, 5)
        need("tree" in said, said)

    def forged_trees(self):
        """Segments and trees of another history: they hold together, but were never signed."""
        store = self.copy()
        shutil.rmtree(store / "seg")
        shutil.copytree(self.false / "seg", store / "seg")
        said = verify(store, 5)
        need("that were signed" in said, said)

    def missing_municipality(self):
        """A municipality's folder and every word of it but the signature."""
        store = self.copy()
        shutil.rmtree(store / "seg")
        said = verify(store, 5)
        need("were signed, and its catalog is missing" in said, said)

    def all_anew(self):
        """Another history, signed with the stolen key: only who kept a checkpoint can tell."""
        store = self.copy(self.false)
        shutil.copy(self.store / "checkpoint.key", store / "checkpoint.key")
        for _ in range(2):
            sign(store, self.folder / "lied")
        verify(store, 0)
        for held in self.held:
            said = verify(store, 5, "--checkpoint", held)
            need("checkpoint" in said, said)
            second("checkpoints", store / "checkpoints", store / "checkpoint.pub", code=1, held=held)

    def no_signature_on_it(self):
        """The store does not sign what it did not sign before."""
        store = self.copy()
        shutil.rmtree(store / "seg")
        need("tenant" in run("checkpoint", "--data", store, "--sign", check=5).stderr.decode(), "signed a shorter tree")
        store = self.copy(self.false)
        for name in ("checkpoints", "checkpoint.key", "checkpoint.pub"):
            shutil.copy(self.store / name, store / name)
        run("checkpoint", "--data", store, "--sign", check=5)

    def cut_checkpoints(self):
        """The newest checkpoint is gone."""
        store = self.copy()
        text = (store / "checkpoints").read_bytes()
        (store / "checkpoints").write_bytes(text[:text.rindex(b"sekisho checkpoint v1")])
        verify(store, 0)
        need("cut off" in verify(store, 5, "--checkpoint", self.held[-1]), "the last checkpoint")

    def fork(self):
        """Two stores that were one: each has signed a third checkpoint."""
        ours, theirs = self.copy(), self.copy()
        sign(ours, self.folder / "ours")
        held = sign(theirs, self.folder / "theirs")
        verify(ours, 0)
        verify(theirs, 0)
        said = verify(ours, 5, "--checkpoint", held)
        need("not the one that is held" in said, said)
        second("checkpoints", ours / "checkpoints", ours / "checkpoint.pub", code=1, held=held)

    def other_key(self):
        """Signed with a key that is not the one that was kept."""
        store = self.copy(self.false)
        sign(store, self.folder / "other")
        verify(store, 5, "--key", self.store / "checkpoint.pub")
        (store / "checkpoint.key").unlink()
        need("put it back" in run("checkpoint", "--data", store, "--sign", check=3).stderr.decode(), "a lost key")


def main():
    need_binary()
    r = seeded_random()
    steps = Steps()
    with temp_dir() as temp:
        folder = pathlib.Path(temp)
        made, store, false = folder / "made", folder / "store", folder / "false"
        run("gen", "--seed", r.randrange(1 << 31), "--tenants", 3, "--days", 1, "--events", EVENTS,
            "--inject", "scan,brute_force", "--out", made)
        replay(made, store)
        older, newer = folder / "older", folder / "newer"
        older.write_bytes(compact_half(store, folder / "aside"))
        run("compact", "--data", store)
        sign(store, newer)
        need("tenants 3" in newer.read_text() and older.read_bytes() != newer.read_bytes(), newer.read_text())
        for held in (older, newer):
            need("2 checkpoints" in verify(store, 0, "--checkpoint", held), "checkpoints")
            second("checkpoints", store / "checkpoints", store / "checkpoint.pub", held=held)
        steps("two checkpoints vouch for log and trees, the older from before half of the compaction")
        check_proofs(steps, store, folder, older, r)
        change_line(made, r)
        replay(made, false)
        run("compact", "--data", false)
        tampering = Tampering(folder, store, false, [older, newer])
        for case in (tampering.cut_log, tampering.other_log, tampering.forged_segments, tampering.forged_trees,
                     tampering.missing_municipality, tampering.all_anew, tampering.no_signature_on_it,
                     tampering.cut_checkpoints, tampering.fork, tampering.other_key):
            case()
            steps(f"found: {case.__name__.replace('_', ' ')}")

if __name__ == "__main__":
    main()
