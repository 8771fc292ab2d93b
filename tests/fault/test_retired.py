#!/usr/bin/env python3
"""A store whose oldest log files are retired: alerts stay, verification covers what is left, and nobody is misled.

Generated traffic with planted cases is replayed into a store of several log files; tests/store/retire_store.c lets the
oldest go, as the collector does when their rows are in segments.
"""
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
from sekisho import BIN, Steps, need_binary, run, seeded_random, temp_dir, wait_until  # noqa: E402

RETIRE = BIN.parent / "tests" / "store" / "retire_store"
CHECKER = ROOT / "tests" / "checker" / "sekisho_check.py"
EVENTS, FILE_BYTES = 120_000, 65_536


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def retire(store, seq):
    """(exit code, files that went, last frame of them)"""
    done = subprocess.run([str(RETIRE), str(store), str(seq)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, timeout=60)
    files, through = map(int, done.stdout.split())
    return done.returncode, files, through


def verify(store, check=0):
    return json.loads(run("verify", "--data", store, "--json", check=check).stdout)


def count(store, check=0):
    done = run("search", "not thiswordisnowhere", "--data", store, "--count", check=check)
    return int(done.stdout or 0), done.stderr.decode()


def alerts(store):
    return run("alerts", "--data", store, "--json").stdout


def make(folder, r):
    made, store = folder / "made", folder / "store"
    run("gen", "--seed", r.randrange(1 << 31), "--tenants", 3, "--days", 1, "--events", EVENTS,
        "--inject", "scan,scan_inbound,ioc_ip,ioc_domain,brute_force,zone_lgwan", "--out", made)
    with open(made / "config.yaml", "a", encoding="utf-8") as config:
        config.write(f"limits: {{log_file_bytes: {FILE_BYTES}, frame_bytes: {FILE_BYTES}}}\n")
    run("replay", "--data", store, "--manifest", made / "manifest.yaml", "--config", made / "config.yaml")
    return store


def logs(store):
    return sorted(p for p in (store / "log").iterdir() if p.suffix == ".log")


def first_seq(path):
    return int(path.stem, 16)


def check_reader(steps, store):
    """A reader that stands still in an old file keeps the log as it is."""
    before = logs(store)
    with subprocess.Popen([str(need_binary()), "tail", "--data", str(store), "--from-start", "--json"],
                          stdout=subprocess.PIPE) as tail:
        tail.stdout.read(1)
        code, files, _ = retire(store, first_seq(before[1]) - 1)
        need((code, files) == (4, 0) and logs(store) == before, f"under a reader: exit {code}, {files} files went")
        need(verify(store)["remains"] == 0, "remains beside their files count")
        tail.kill()
    steps("files stay while somebody reads them")


def check_retired(steps, store):
    files, whole, rows = logs(store), alerts(store), count(store)[0]
    need(len(files) >= 4 and len(whole.splitlines()) >= 5, f"{len(files)} files, {len(whole.splitlines())} alerts")
    need(rows > EVENTS // 2, f"{rows} rows")
    frames = verify(store)["frames"]
    code, gone, through = retire(store, first_seq(files[-2]) - 1)
    need(code == 0, f"retire: exit {code}")
    # What the reader before kept has gone when the store was opened.
    need(logs(store) == files[-2:], f"{gone} files went, {[p.name for p in logs(store)]} are left")
    report = verify(store)
    need(report["ok"] and report["remains"] == len(files) - 2, report)
    need(report["retired_frames"] == first_seq(files[-2]) - 1, report)
    need(report["frames"] + report["retired_frames"] == frames, report)
    text = run("verify", "--data", store).stdout.decode()
    need("older files are retired" in text and "nothing differs" in text, text)
    steps("verified, with what is left of the oldest files")
    need(alerts(store) == whole, "the alerts differ")
    for line in whole.splitlines()[:3]:
        shown = run("alerts", "show", json.loads(line)["alert.id"], "--data", store, "--json").stdout
        need(json.loads(line)["alert.id"].encode() in shown, shown)
    steps("all alerts are there")
    left, said = count(store)
    need(0 < left < rows and "complete" in said and "incomplete" not in said, f"{left} rows, {said}")
    steps("a search begins at the first file")
    done = run("replay", "--log", store, check=3)
    need(b"are in segments" in done.stderr, done.stderr)
    steps("rows that are gone from the log are not judged again, and it is said")
    checked = subprocess.run([sys.executable, str(CHECKER), "--opaque-batches", str(store)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False)
    need(checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode())
    steps("the checker in Python finds nothing")
    need(through == 0 or through == first_seq(files[-2]) - 1, f"through frame {through}")


def check_damage(steps, r, store):
    remains = sorted((store / "log").glob("*.rem"))
    for path in remains:
        data = bytearray(path.read_bytes())
        at = r.randrange(len(data))
        data[at] ^= 1 << r.randrange(8)
        path.write_bytes(data)
        done = run("verify", "--data", store, check=5)
        need(path.name in done.stderr.decode(), done.stderr)
        data[at:] = data[at:at]
        path.write_bytes(data)
        need(path.name in run("verify", "--data", store, check=5).stderr.decode(), "a cut is not named")
        path.unlink()
        run("verify", "--data", store, check=5)
    steps("damage of remains is named")
    _, said = count(store, check=5)
    need("missing" in said, said)
    steps("a search without the remains is incomplete")


def check_follower(steps, store):
    """Alerts that are followed go on over a file that goes."""
    wanted = {json.loads(line)["alert.id"] for line in alerts(store).splitlines()}
    with subprocess.Popen([str(need_binary()), "alerts", "--data", str(store), "--follow", "--json"],
                          stdout=subprocess.PIPE) as follow:
        seen = {json.loads(follow.stdout.readline())["alert.id"] for _ in wanted}
        need(seen == wanted, "the follower lacks alerts")
        wait_until(lambda: retire(store, 2**63)[0] == 0, what="the files to go")
        time.sleep(0.2)
        need(follow.poll() is None, f"the follower ended: {follow.returncode}")
        follow.kill()
    need(len(logs(store)) == 1, "files are left")
    steps("who follows alerts keeps no file, and goes on")


def main():
    need_binary()
    steps, r = Steps(), seeded_random()
    with temp_dir() as folder:
        store = make(folder, r)
        check_reader(steps, store)
        check_retired(steps, store)
        check_follower(steps, store)
        need(verify(store)["ok"], "verify")
        check_damage(steps, r, store)


if __name__ == "__main__":
    main()
