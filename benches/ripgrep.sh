#!/bin/sh
# benches/ripgrep.sh [LINES] - the same text anywhere in the line, asked of a log and of the raw lines
# with ripgrep, and what zstd -3 makes of the lines. CPU milliseconds per million lines and core; answers must agree.
#   SEKISHO=build/release/sekisho  the program; needs rg and zstd
set -eu
lines=${1:-1000000}
root=$(cd "$(dirname "$0")/.." && pwd)
sekisho=${SEKISHO:-$root/build/release/sekisho}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for tool in rg zstd python3; do
    command -v "$tool" >/dev/null || { echo "ripgrep.sh: $tool is missing" >&2; exit 4; }
done
"$sekisho" gen --seed 1 --tenants 42 --events "$lines" --format fortigate=70,squid=30 --out "$dir/gen" 2>/dev/null
"$sekisho" replay --data "$dir/data" --manifest "$dir/gen/manifest.yaml" --config "$dir/gen/config.yaml" 2>/dev/null
find "$dir/gen" -name '*.log' -size +0 | sort > "$dir/files"
exec python3 - "$sekisho" "$dir" "$lines" <<'PYTHON'
import os, re, resource, statistics, subprocess, sys
sekisho, directory, lines = sys.argv[1], sys.argv[2], int(sys.argv[3])
files = open(f"{directory}/files").read().split()

def cpu_ms(command):
    """Output and CPU milliseconds per million lines, the median of five runs."""
    samples = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        samples.append(used * 1e9 / lines)
    return out, statistics.median(samples)

sample = open(files[0], errors="replace").read(200000)
address = re.findall(r" srcip=([0-9.]+) ", sample)[-1]
for name, text in (("address", address), ("text, common", "/download/"), ("text, rare", "/gate/zzzz")):
    ours, ours_ms = cpu_ms([sekisho, "search", f'"{text}"', "--data", f"{directory}/data", "--count", "--threads", "1"])
    theirs, rg_ms = cpu_ms(["rg", "-j1", "-F", "-c", "-i", "--no-filename", "-a", text, *files])
    found, expected = int(ours or 0), sum(map(int, theirs.split()))
    print(f"{name:14s} {text:18s} sekisho {ours_ms:8.1f} ms/M   rg {rg_ms:8.1f} ms/M   {found} lines", flush=True)
    if found != expected:
        sys.exit(f"ripgrep finds {expected}: the figures above mean nothing")
raw = sum(os.path.getsize(f) for f in files)
packed = int(subprocess.run(f"cat {directory}/gen/*/*.log | zstd -3 -c -q | wc -c", shell=True, stdout=subprocess.PIPE).stdout)
log = sum(os.path.getsize(f"{directory}/data/log/{f}") for f in os.listdir(f"{directory}/data/log"))
print(f"bytes per line: raw {raw / lines:.1f}, zstd -3 {packed / lines:.1f}, log {log / lines:.1f}")
PYTHON
