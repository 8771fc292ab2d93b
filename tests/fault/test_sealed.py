#!/usr/bin/env python3
"""Encryption at rest, as its operators meet it: with the keys every answer is the one of the store in clear, without them
nothing is taken for complete; a keyring that others may read, that is damaged or missing is refused; a key that was destroyed
is named; each changed byte of an encrypted segment is found, with the keys and without."""
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import LONG, Steps, run, seeded_random, temp_dir  # noqa: E402

CHECKER = ROOT / "tests" / "checker" / "sekisho_check.py"
VERIFIER = ROOT / "share" / "bundle" / "verify_bundle.py"
EVENTS = 12000
FLIPS = 400 if LONG else 40
QUESTIONS = ("", "event.action:deny", "url.domain:*a*", "source.ip:10.0.0.0/8 and destination.port>1000",
             "| stats count() by event.action", "| stats count(), sum(source.bytes) by sekisho.tenant", '"srcip=10."')


class Store:
    def __init__(self, folder):
        self.folder, self.data, self.ring, gen = folder, folder / "data", folder / "keyring", folder / "gen"
        run("gen", "--seed", "3", "--tenants", "3", "--events", EVENTS, "--format", "fortigate=60,squid=40", "--inject", "scan:2",
            "--out", gen)
        run("replay", "--data", self.data, "--manifest", gen / "manifest.yaml")
        self.tenants = sorted({line.split('tenant: "')[1][:6] for line in (gen / "manifest.yaml").read_text().splitlines()
                               if 'tenant: "' in line})
        assert len(self.tenants) == 3, self.tenants
        self.sealed = self.tenants[:2]

    def keyring(self, *words, check=0, ring=None):
        return run("keyring", *words, "--keyring", ring or self.ring, check=check)

    def ask(self, question, *more, ring=None, check=None):
        return run("search", question, "--data", self.data, "--json", *more, check=check,
                   env={"SEKISHO_KEYRING": str(ring) if ring else ""})

    def answers(self, ring=None, tenant=None):
        more = ("--tenant", tenant) if tenant else ()
        found = []
        for question in QUESTIONS:
            done = self.ask(question, *more, ring=ring)
            assert done.returncode in (0, 1), (question, done.returncode, done.stderr)
            found.append(sorted(done.stdout.splitlines()))
        return found


def keyrings(step, store):
    """Files that are no safe keyring are refused, with place and remedy."""
    store.keyring("init")
    store.keyring("init", check=2)
    assert store.ring.stat().st_mode & 0o777 == 0o600
    ids = [store.keyring("add", "--tenant", code).stdout.split()[1].decode() for code in store.sealed]
    store.keyring("add", "--tenant", store.sealed[0], check=2)
    store.keyring("rotate", "--tenant", store.tenants[2], check=2)
    text = store.ring.read_text()
    assert all(one in text for one in ids)
    listed = store.keyring("list").stdout + store.keyring("list", "--json").stdout
    assert not any(line.split()[-1].encode() in listed for line in text.splitlines()[1:]), "list tells a secret"
    other = store.folder / "other"
    for name, content, mode, code, word in (
            ("open to others", text, 0o644, 2, "0600"), ("cut", text[:-9], 0o600, 5, "other"),
            ("of another municipality", text.replace(store.sealed[0], "990099"), 0o600, 5, "other"),
            ("no keyring", "hello\n", 0o600, 5, "other"), ("empty", "", 0o600, 5, "other")):
        other.write_text(content)
        other.chmod(mode)
        for words in (("keyring", "list", "--keyring", other), ("compact", "--data", store.data, "--keyring", other)):
            done = run(*words, check=None)
            assert done.returncode in (code, 5 if code == 5 else 3) and word in done.stderr.decode(), (name, words, done)
            assert not any(line.split()[-1] in done.stderr.decode() for line in text.splitlines()[1:]), "a message tells a secret"
    assert not (store.data / "seg").exists() or not list((store.data / "seg").rglob("*.seg")), "it was compacted all the same"
    other.unlink()
    run("compact", "--data", store.data, "--keyring", other, check=3)
    step("keyrings that others may read, that are cut, foreign or missing are refused")


def answers(step, store, clear):
    """The same answers as in clear; without keys those of the others alone, and never 'complete'."""
    run("compact", "--data", store.data, "--keyring", store.ring)
    for code in store.tenants:
        for path in (store.data / "seg" / code).glob("*.seg"):
            data = path.read_bytes()      # a head in clear names the format of its rows
            assert (b"fortigate" in data or b"squid" in data) == (code not in store.sealed), path
    assert store.answers(store.ring) == clear["all"], "answers differ from those of the store in clear"
    raw = run("export", "--raw", "--data", store.data, "--keyring", store.ring).stdout
    assert raw == clear["raw"], "export --raw differs"
    done = store.ask("event.action:*")
    assert done.returncode == 5 and done.stderr.count(b"keyring") >= len(store.sealed), done.stderr
    assert store.answers(None, store.tenants[2]) == clear[store.tenants[2]]
    done = run("export", "--raw", "--data", store.data, check=5, env={"SEKISHO_KEYRING": ""})
    assert 0 < len(done.stdout) < len(raw)
    one = store.folder / "one"
    store.keyring("init", ring=one)
    lines = store.ring.read_text().splitlines(keepends=True)
    one.write_text("".join(line for line in lines if store.sealed[1] not in line))
    assert store.answers(one, store.sealed[0]) == clear[store.sealed[0]]
    assert store.ask("", "--tenant", store.sealed[1], ring=one).returncode == 5
    step(f"{len(QUESTIONS)} questions: with the keys as in clear, without them INCOMPLETE")


def evidence(step, store):
    """Proofs, bundles and the second program open them with the keys, and say so without."""
    run("checkpoint", "--data", store.data, "--sign")
    code, ring = store.sealed[0], ("--keyring", store.ring)
    proof = store.folder / "proof"
    proof.write_bytes(run("proof", "--data", store.data, "--tenant", code, "--number", "3", *ring).stdout)
    run("verify", "--proof", proof, "--data", store.data)
    done = run("proof", "--data", store.data, "--tenant", code, "--number", "3", check=5)
    assert b"keyring" in done.stderr, done.stderr
    bundle = store.folder / "bundle"
    run("export", "--data", store.data, "--tenant", code, "--query", "event.action:deny", "--bundle", bundle, *ring)
    said = subprocess.run([sys.executable, "-I", "-S", str(VERIFIER), str(bundle)], stdout=subprocess.PIPE, check=True)
    assert b"VERIFIED" in said.stdout, said.stdout
    done = run("export", "--data", store.data, "--tenant", code, "--bundle", store.folder / "none", check=None)
    assert done.returncode == 5 and b"keyring" in done.stderr, (done.returncode, done.stderr)
    checked = subprocess.run([sys.executable, str(CHECKER), str(store.data), *map(str, ring)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False)
    assert checked.returncode == 0, checked.stdout
    whole = json.loads(run("verify", "--data", store.data, "--json", *ring).stdout)
    assert whole["locked_segments"] == 0 and whole["segment_rows"] == EVENTS, whole
    part = json.loads(run("verify", "--data", store.data, "--json", check=5).stdout)
    assert part["locked_segments"] > 0 and part["locked_rows"] + part["segment_rows"] >= EVENTS, part
    step(f"proof, bundle, both verifiers; without keys {part['locked_rows']} rows are said not to be verified")


def flips(step, store, r):
    """Each changed byte is found, with the keys and without."""
    paths = [p for code in store.sealed for p in sorted((store.data / "seg" / code).glob("*.seg"))]
    for number in range(FLIPS):
        path = r.choice(paths)
        data = path.read_bytes()
        at = r.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << r.randrange(8)]) + data[at + 1:])
        for more in ((), ("--keyring", store.ring)):
            done = run("verify", "--data", store.data, *more, check=5)
            assert b"nothing differs" not in done.stdout and path.name.encode() in done.stderr, (number, at, more, done)
        path.write_bytes(data)
    run("verify", "--data", store.data, "--keyring", store.ring)
    step(f"{FLIPS} changed bits of encrypted segments are found, with the keys and without")


def destroyed(step, store, clear):
    """A municipality whose key was destroyed is lost, and the others are not."""
    code = store.sealed[1]
    [key] = [one for one in map(json.loads, store.keyring("list", "--json").stdout.splitlines()) if one["tenant"] == code]
    store.keyring("retire", "--tenant", code, "--key", key["key"], check=2)          # without --yes
    assert store.answers(store.ring) == clear["all"]
    store.keyring("retire", "--tenant", code, "--key", key["key"], "--yes")
    done = store.ask("", "--tenant", code, ring=store.ring)
    assert done.returncode == 5 and b"destroyed" in done.stderr, done.stderr
    assert store.answers(store.ring, store.sealed[0]) == clear[store.sealed[0]]
    run("verify", "--data", store.data, "--keyring", store.ring, check=5)
    step("a key that was destroyed is named; the others' rows are read as before")


def main():
    r, step = seeded_random(), Steps()
    with temp_dir() as folder:
        store = Store(folder)
        clear = {code: store.answers(None, code) for code in store.tenants}
        clear["all"] = store.answers()
        clear["raw"] = run("export", "--raw", "--data", store.data).stdout
        keyrings(step, store)
        answers(step, store, clear)
        evidence(step, store)
        flips(step, store, r)
        destroyed(step, store, clear)


if __name__ == "__main__":
    main()
