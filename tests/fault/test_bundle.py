#!/usr/bin/env python3
"""Evidence bundles: verified by the verifier that they bring along, in an empty folder with an empty environment and no
Sekisho; each byte of each file counts; a line that was changed, taken out, put in or moved is found although every hash
around it was mended; nothing of another municipality is in them; what cannot be proved as yet is refused."""
import contextlib
import hashlib
import importlib.util
import io
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import LONG, Steps, need_binary, run, seeded_random, temp_dir  # noqa: E402

sys.dont_write_bytecode = True
VERIFIER = ROOT / "share" / "bundle" / "verify_bundle.py"
EVENTS = 20000
FLIPS = 20000 if LONG else 1500


def load_verifier():
    spec = importlib.util.spec_from_file_location("verify_bundle", VERIFIER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Verifier:
    """In this process for many, and as a stranger would run it for a few."""

    def __init__(self):
        self.module = load_verifier()

    def says(self, path, *more):
        """(exit code, what it said)"""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = self.module.main([str(path), *map(str, more)])
        return code, out.getvalue()

    def holds(self, path, *more):
        code, said = self.says(path, *more)
        assert code == 0 and "VERIFIED" in said, said
        return said

    def refuses(self, path, word, *more):
        code, said = self.says(path, *more)
        assert code == 1 and "NOT VERIFIED" in said and word in said, (code, word, said)


class Store:
    """Rows of three municipalities, by place, and a signed checkpoint over them."""

    def __init__(self, folder, events=EVENTS):
        self.data, gen = folder / "data", folder / "gen"
        run("gen", "--seed", "11", "--tenants", "3", "--events", events, "--format", "fortigate=50,squid=30,panos=20", "--inject", "scan:2",
            "--out", gen)
        run("replay", "--data", self.data, "--manifest", gen / "manifest.yaml")
        self.lines, self.tenants = {}, []
        with open(gen / "manifest.yaml", encoding="utf-8") as f:
            entries = [dict(part.split(": ", 1) for part in line.strip("- {}\n").split(", ")) for line in f if line.startswith("-")]
        for at, entry in enumerate(entries):
            tenant = entry["tenant"].strip('"')
            self.tenants += [tenant] if tenant not in self.tenants else []
            for offset, line in enumerate((gen / entry["file"].strip('"')).read_bytes().splitlines(True)):
                self.lines[at, offset] = tenant, line

    def bundle(self, out, *more, tenant=None, check=0):
        return run("export", "--data", self.data, "--tenant", tenant or self.tenants[0], "--bundle", out, *more, check=check)

    def finish(self):
        run("compact", "--data", self.data)
        run("checkpoint", "--data", self.data, "--sign")

    def check_rows(self, folder, tenant, expected=None):
        """Every row is the one of its place, and they are those that search finds."""
        head, *rows = map(json.loads, (folder / "manifest.ndjson").read_text().splitlines())
        raw = (folder / "rows.raw").read_bytes()
        assert head["rows"] == len(rows) and head["tenant"] == tenant, head
        for row in rows:
            owner, line = self.lines[row["partition"], row["offset"]]
            assert owner == tenant and raw[row["at"]:row["at"] + row["bytes"]] == line, row
        if expected is not None:
            assert sorted((r["partition"], r["offset"]) for r in rows) == expected, (len(rows), len(expected))
        return rows

    def places(self, query, tenant, *more):
        found = run("search", query + " | fields kafka.partition, kafka.offset", "--data", self.data, "--tenant", tenant,
                    "--json", *more, check=None)
        assert found.returncode in (0, 1), found.stderr
        return sorted((o["kafka.partition"], o["kafka.offset"]) for o in map(json.loads, found.stdout.splitlines()))


def queries(random):
    """One row, few, many, none but the ends, all."""
    yield "event.action:deny and source.port<2000"
    yield "kafka.offset:0"
    yield ""
    for _ in range(12 if LONG else 4):
        first = random.randrange(4000)
        yield f"kafka.offset>={first} and kafka.offset<{first + random.choice([1, 2, 255, 256, 257, 1000])}"
    yield "destination.port:(53 or 123) and not url.domain:*"


def check_choices(step, store, verify, folder, random):
    made = 0
    for query in queries(random):
        for tenant in store.tenants:
            places = store.places(query, tenant)
            out = folder / "one"
            store.bundle(out, "--query", query, tenant=tenant, check=0 if places else 1)
            if not places:
                assert not out.exists()
                continue
            store.check_rows(out, tenant, places)
            verify.holds(out)
            shutil.rmtree(out)
            made += 1
    assert made >= 10, made
    step(f"{made} bundles hold exactly what search finds, byte for byte, and verify")


def check_stranger(step, store, folder):
    """The bundle alone, in an empty place."""
    out = folder / "hand over.tar"
    store.bundle(out, "--query", "event.action:deny")
    place = folder / "stranger"
    place.mkdir()
    subprocess.run(["tar", "xf", str(out)], cwd=place, check=True)
    inside = place / "sekisho-bundle"
    names = sorted(p.name for p in inside.iterdir())
    assert names == ["README.txt", "SHA256SUMS", "checkpoint.pub", "checkpoint.txt", "manifest.ndjson", "proof.txt", "rows.raw",
                     "verify_bundle.py"], names
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=inside, check=True, stdout=subprocess.DEVNULL)
    shutil.copy(inside / "checkpoint.pub", place / "known.pub")
    for arguments in ([inside / "verify_bundle.py"], [inside / "verify_bundle.py", out],
                      [inside / "verify_bundle.py", inside, "--key", place / "known.pub"]):
        done = subprocess.run([sys.executable, "-I", "-S", *map(str, arguments)], cwd=place, env={"PATH": "", "HOME": ""},
                              capture_output=True, timeout=60)
        assert done.returncode == 0 and b"VERIFIED" in done.stdout and not done.stderr, done
    assert sorted(p.name for p in inside.iterdir()) == names
    readme = (inside / "README.txt").read_text()
    for word in ("証拠一式", "About this bundle", store.tenants[0], "verify_bundle.py", "sekisho/"):
        assert word in readme, word
    assert "@" not in readme.replace("event.action", ""), "a word was not filled in"
    step("verified in an empty place, as a folder and as a tar file")
    return out, inside


def check_flips(step, verify, tar, inside, folder, random):
    data = tar.read_bytes()
    target = folder / "flipped.tar"
    edges = [0, 99, 100, 124, 136, 147, 148, 154, 155, 156, 257, 263, 345, 511, 512, len(data) - 1, len(data) - 1024]
    for at in edges + [random.randrange(len(data)) for _ in range(FLIPS)]:
        changed = bytearray(data)
        changed[at] ^= 1 << random.randrange(8)
        target.write_bytes(changed)
        code, said = verify.says(target)
        assert code == 1, (at, said)
    for end in (0, 511, 512, len(data) // 2, len(data) - 512, len(data) - 1):
        target.write_bytes(data[:end])
        verify.refuses(target, "")
    target.write_bytes(data + bytes(512))
    verify.refuses(target, "end of the tar")
    for path in sorted(inside.iterdir()):
        whole = path.read_bytes()
        for _ in range(max(2, FLIPS // 20)):
            changed = bytearray(whole)
            changed[random.randrange(len(whole))] ^= 1 << random.randrange(8)
            path.write_bytes(changed)
            code, said = verify.says(inside)
            assert code == 1, (path, said)
        path.unlink()
        verify.refuses(inside, "missing")
        path.write_bytes(whole)
    (inside / "more.txt").write_text("x")
    verify.refuses(inside, "no part of the bundle")
    (inside / "more.txt").unlink()
    verify.holds(inside)
    step(f"{FLIPS + len(edges)} changed bytes of the tar file and some of each file, cuts and additions are found")


def mend(folder):
    """As who has the bundle and no key would: every hash of a file right again."""
    names = sorted(p.name for p in folder.iterdir() if p.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names))


def rewrite(folder, rows, lines):
    head = json.loads((folder / "manifest.ndjson").read_text().splitlines()[0])
    raw = b""
    for row, line in zip(rows, lines):
        row.update(at=len(raw), bytes=len(line), sha256=hashlib.sha256(line).hexdigest())
        raw += line if line.endswith(b"\n") else line + b"\n"
    head.update(rows=len(rows), bytes=sum(map(len, lines)))
    (folder / "rows.raw").write_bytes(raw)
    (folder / "manifest.ndjson").write_text("".join(json.dumps(o) + "\n" for o in [head, *rows]))
    mend(folder)


def check_forged(step, verify, inside, folder, random):
    rows = [json.loads(line) for line in (inside / "manifest.ndjson").read_text().splitlines()[1:]]
    raw = (inside / "rows.raw").read_bytes()
    lines = [raw[r["at"]:r["at"] + r["bytes"]] for r in rows]
    at = random.randrange(1, len(rows) - 1)

    def forged(change, word):
        target = folder / "forged"
        shutil.copytree(inside, target)
        new_rows, new_lines = [dict(r) for r in rows], list(lines)
        change(new_rows, new_lines)
        rewrite(target, new_rows, new_lines)
        verify.refuses(target, word)
        shutil.rmtree(target)

    target = folder / "same"
    shutil.copytree(inside, target)
    rewrite(target, [dict(r) for r in rows], lines)
    verify.holds(target)
    forged(lambda r, b: (r.pop(at), b.pop(at)), "taken out")
    forged(lambda r, b: (r.pop(), b.pop()), "")
    forged(lambda r, b: b.__setitem__(at, b[at].replace(b"deny", b"pass", 1) if b"deny" in b[at] else b"x" + b[at]), "not in the tree")
    forged(lambda r, b: b.__setitem__(at, b[at] + b"\n"), "not in the tree")
    for field, value in (("offset", rows[at]["offset"] + 1), ("partition", rows[at]["partition"] + 1), ("line", 1), ("topic", "filf")):
        forged(lambda r, b, f=field, v=value: r[at].__setitem__(f, v), "not in the tree")
    forged(lambda r, b: (r[at].update(number=r[at]["number"] + 1)), "")
    forged(lambda r, b: b.__setitem__(slice(at - 1, at + 1), [b[at], b[at - 1]]), "not in the tree")
    forged(lambda r, b: (r.insert(at, dict(r[at], number=r[at]["number"] - 1)), b.insert(at, b[at])), "")
    other = folder / "other.pub"
    text = (inside / "checkpoint.pub").read_text()
    other.write_text(text.replace("sekisho/", "sekishu/", 1))
    verify.refuses(inside, "no", "--key", other)
    step("lines changed, taken out, put in or moved are found with all other hashes mended")


def check_alert(step, store, verify, folder):
    alerts = [json.loads(line) for line in run("alerts", "--data", store.data, "--json").stdout.splitlines()]
    done = 0
    for alert in alerts:
        if alert["sekisho.tenant"] not in store.tenants or not alert.get("evidence"):
            continue
        out = folder / "alert"
        store.bundle(out, "--alert", alert["alert.id"], tenant=alert["sekisho.tenant"])
        places = sorted({tuple(map(int, place.split("/")[1:3])) for place in alert["evidence"]})
        store.check_rows(out, alert["sekisho.tenant"], places)
        assert json.loads((out / "alert.json").read_text())["alert.id"] == alert["alert.id"]
        verify.holds(out)
        (out / "alert.json").write_bytes((out / "alert.json").read_bytes().replace(b"alert", b"alart", 1))
        verify.refuses(out, "alert.json")
        shutil.rmtree(out)
        foreign = next(t for t in store.tenants if t != alert["sekisho.tenant"])
        assert b"no alert has the id" in store.bundle(out, "--alert", alert["alert.id"], tenant=foreign, check=1).stderr
        assert not out.exists()
        done += 1
        if done == 5:
            break
    assert done > 0, len(alerts)
    step(f"{done} alerts with the lines that they name; another municipality's alert is not there")


def check_separation(step, store, folder):
    """No line of another municipality, wherever one looks."""
    mine = store.tenants[0]
    out = folder / "whole"
    store.bundle(out)
    rows = store.check_rows(out, mine)
    assert len(rows) == sum(owner == mine for owner, _ in store.lines.values())
    foreign = {line for owner, line in store.lines.values() if owner != mine} - {l for o, l in store.lines.values() if o == mine}
    for path in out.iterdir():
        content = path.read_bytes()
        assert not foreign & set(content.splitlines(True)), path
        if path.name not in ("checkpoint.txt",):
            assert not any(t.encode() in content for t in store.tenants[1:]) or path.name == "rows.raw", path
    shutil.rmtree(out)
    step("a bundle of everything has the lines of one municipality alone")


def check_refusals(step, store, folder):
    def refused(word, code, *more, tenant=None):
        done = store.bundle(folder / "none.tar", *more, tenant=tenant, check=code)
        assert word in done.stderr and not (folder / "none.tar").exists(), (word, done.stderr)
    refused(b"no row was chosen", 1, "--query", "source.ip:203.0.113.254")
    refused(b"pipes", 2, "--query", "a | head")
    refused(b"exclude", 2, "--csv")
    refused(b"no alert id", 2, "--alert", "xyz")
    refused(b"leave out", 2, "--alert", "0123456789", "--since", "24h")
    refused(b"check digit", 2, tenant="052028")
    done = run("export", "--data", store.data, "--bundle", folder / "none.tar", check=2)
    assert b"--tenant" in done.stderr
    assert run("export", "--data", folder / "nowhere", "--tenant", store.tenants[0], "--bundle", folder / "none.tar", check=3).stderr
    (folder / "none.tar").write_text("mine")
    assert b"exists" in store.bundle(folder / "none.tar", check=6).stderr
    assert (folder / "none.tar").read_text() == "mine"
    (folder / "none.tar").unlink()
    step("what cannot be is refused with a reason, and nothing is left behind")


def check_damage(step, store, verify, folder):
    """A segment whose rows cannot be read: what is there is handed over, and it is said; what a proof needs is missed."""
    segment = max((store.data / "seg" / store.tenants[0]).glob("*.seg"), key=lambda p: p.stat().st_size)
    whole = segment.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 4
    segment.write_bytes(changed)
    done = store.bundle(folder / "damaged", check=5)
    assert b"damaged" in done.stderr and not (folder / "damaged").exists(), done.stderr
    segment.write_bytes(whole)
    step("a bundle that needs what is damaged is not made, and the place is named")


def main():
    need_binary()
    step, random, verify = Steps(), seeded_random(), Verifier()
    with temp_dir() as folder:
        store = Store(folder)
        assert b"no key" in store.bundle(folder / "early", check=1).stderr
        run("checkpoint", "--data", store.data, "--sign")
        early = store.bundle(folder / "early", check=1)
        assert b"sekisho compact" in early.stderr and not (folder / "early").exists(), early.stderr
        store.finish()
        step("rows that nothing vouches for as yet are refused, with the remedy")
        check_choices(step, store, verify, folder, random)
        tar, inside = check_stranger(step, store, folder)
        check_flips(step, verify, tar, inside, folder, random)
        check_forged(step, verify, inside, folder, random)
        check_alert(step, store, verify, folder)
        check_separation(step, store, folder)
        check_refusals(step, store, folder)
        check_damage(step, store, verify, folder)
    print("passed")


if __name__ == "__main__":
    main()
