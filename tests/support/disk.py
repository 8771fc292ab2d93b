"""What a power cut may leave of a folder, from the calls of the process that wrote to it (tests/fault/op_journal.c).

Contents are durable once their file was synced, names once their folder was. Of what came after that anything may have
reached the disk: of names those of a folder up to some moment, of contents any of the writes, the last of them in part.
"""
import os
import pathlib
import subprocess

from sekisho import ROOT


class Recorder:
    """env: for the process whose calls are to be written down."""

    def __init__(self, folder):
        self.journal = pathlib.Path(folder) / "ops"
        self.library = pathlib.Path(folder) / "op_journal.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(self.library),
                        str(ROOT / "tests" / "fault" / "op_journal.c"), "-ldl"], check=True)
        self.env = {"LD_PRELOAD": str(self.library), "OP_JOURNAL": str(self.journal)}

    def take(self):
        """[(verb, arguments...)] since the last time."""
        data, at, ops = self.journal.read_bytes() if self.journal.exists() else b"", 0, []
        while at < len(data):
            end = data.index(b"\n", at)
            verb, rest = data[at:end].decode().split(" ", 1)
            at = end + 1
            if verb == "write":
                inode, offset, length = map(int, rest.split())
                ops.append((verb, inode, offset, data[at:at + length]))
                at += length
            elif verb == "open":
                inode, flags, path = rest.split(" ", 2)
                ops.append((verb, int(inode), int(flags), path))
            elif verb == "truncate":
                ops.append((verb, *map(int, rest.split())))
            elif verb == "sync":
                ops.append((verb, int(rest)))
            elif verb == "rename":
                ops.append((verb, *rest.split("\t")))
            else:
                ops.append((verb, rest))
        self.journal.unlink(missing_ok=True)
        return ops


def applied(content, write):
    """A file's bytes after a write or a truncation."""
    if write[0] == "truncate":
        return content[:write[1]].ljust(write[1], b"\0")
    _, offset, data = write
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data):]


class Disk:
    """A folder as the disk has it: all that was there at first is durable."""

    def __init__(self, folder):
        self.root = os.path.realpath(folder)
        self.inodes = {}        # number: [durable bytes, writes since then]
        self.folders = {}       # path: [durable {name: inode or None for a folder}, changes since then]
        self.names = {}         # path: inode, as the process sees it
        for path, folders, files in os.walk(self.root):
            entries = dict.fromkeys(folders)
            for name in files:
                full = os.path.join(path, name)
                inode = os.stat(full).st_ino
                self.inodes[inode] = [pathlib.Path(full).read_bytes(), []]
                self.names[full] = entries[name] = inode
            self.folders[path] = [entries, []]

    def change(self, path, *what):
        self.folders[os.path.dirname(path)][1].append(what)

    def do(self, op):
        verb = op[0]
        paths = [os.path.realpath(p) for p in op[1:] if isinstance(p, str)]
        if any(not p.startswith(self.root + "/") for p in paths) and paths != [self.root]:
            return
        if verb == "open" and op[2] & os.O_CREAT and paths[0] not in self.names:
            self.names[paths[0]] = op[1]
            self.inodes[op[1]] = [b"", []]
            self.change(paths[0], "set", os.path.basename(paths[0]), op[1])
        elif verb in ("write", "truncate") and op[1] in self.inodes:
            self.inodes[op[1]][1].append((verb, *op[2:]))
        elif verb == "sync" and op[1] in self.inodes:
            self.inodes[op[1]] = [self.content(op[1]), []]
        elif verb == "rename":
            self.names[paths[1]] = self.names.pop(paths[0])
            self.change(paths[1], "rename", *map(os.path.basename, paths))
        elif verb == "unlink":
            del self.names[paths[0]]
            self.change(paths[0], "unlink", os.path.basename(paths[0]))
        elif verb == "mkdir":
            self.folders[paths[0]] = [{}, []]
            self.change(paths[0], "set", os.path.basename(paths[0]), None)
        elif verb == "dirsync" and paths[0] in self.folders:
            self.folders[paths[0]] = [self.entries(paths[0]), []]

    def content(self, inode, r=None, share=1.0):
        durable, writes = self.inodes[inode]
        for write in writes:
            if r and r.random() >= share:
                continue
            if r and write[0] == "write" and r.random() < 0.2:
                write = (*write[:2], write[2][:r.randint(0, len(write[2]))])
            durable = applied(durable, write)
        return durable

    def entries(self, folder, count=None):
        durable, changes = self.folders[folder]
        entries = dict(durable)
        for what in changes[:count]:
            if what[0] == "set":
                entries[what[1]] = what[2]
            elif what[0] == "unlink":
                entries.pop(what[1], None)
            elif what[1] in entries:
                entries[what[2]] = entries.pop(what[1])
        return entries

    def leave(self, target, r=None):
        """Make in `target` what a cut leaves; without a random generator what is durable, and nothing more."""
        share = r.choice((0.0, 0.5, 1.0)) if r else 0.0

        def make(folder, to):
            to.mkdir()
            changes = len(self.folders[folder][1])
            kept = 0 if not r else changes if share == 1.0 else r.randint(0, changes)
            for name, inode in self.entries(folder, kept).items():
                if inode is None:
                    make(os.path.join(folder, name), to / name)
                else:
                    content = self.content(inode, r, share) if r else self.inodes[inode][0]
                    (to / name).write_bytes(content)
        make(self.root, pathlib.Path(target))
