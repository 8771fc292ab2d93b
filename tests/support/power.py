"""Power cuts without cutting power: what a killed process had written and not synced is taken back."""
import os
import pathlib
import subprocess

from sekisho import ROOT


class PowerCut:
    """env: for the process to be killed. Afterwards cut() brings the files below `data` to what was durable."""

    def __init__(self, folder, data):
        self.journal, self.data = pathlib.Path(folder) / "syncs", pathlib.Path(data)
        self.library = pathlib.Path(folder) / "sync_journal.so"
        if not self.library.exists():
            subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(self.library),
                            str(ROOT / "tests" / "fault" / "sync_journal.c"), "-ldl"], check=True)
        self.env = {"LD_PRELOAD": str(self.library), "SYNC_JOURNAL": str(self.journal)}
        self.sizes, self.read = {}, 0

    def durable(self):
        """{path: size} as of now."""
        if self.journal.exists():
            with open(self.journal, encoding="utf-8") as lines:
                lines.seek(self.read)
                for line in lines:
                    verb, rest = line.rstrip("\n").split(" ", 1)
                    if verb == "sync":
                        size, path = rest.split(" ", 1)
                        self.sizes[os.path.realpath(path)] = int(size)
                    else:
                        source, target = (os.path.realpath(p) for p in rest.split("\t"))
                        self.sizes[target] = self.sizes.pop(source, 0)
                self.read = lines.tell()
        return self.sizes

    def cut(self, r=None):
        """Take back what was not synced; with a random generator a part of it may stay, as if some had been written
        back. Returns the number of bytes that are gone."""
        gone, sizes = 0, self.durable()
        for path in sorted((self.data / "log").glob("*.log")):
            real, size = os.path.realpath(path), path.stat().st_size
            keep = min(size, sizes.get(real, 0))
            if r and keep < size:
                keep = r.randint(keep, size)
            if keep < size:
                os.truncate(path, keep)
                gone += size - keep
            sizes[real] = min(sizes.get(real, 0), keep)
        return gone

    def survive(self):
        """The process died, the system did not: all that was written is there."""
        sizes = self.durable()
        for path in (self.data / "log").glob("*.log"):
            real = os.path.realpath(path)
            sizes[real] = min(sizes.get(real, 0), path.stat().st_size)
