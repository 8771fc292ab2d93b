"""Endless chunks of generated lines for a producer that goes on while something else is done."""
import re

from pipeline import checked_code
from sekisho import run


class Traffic:
    """Topics and what is sent to them: seeded lines of five formats with messy ones among them."""

    def __init__(self, folder, r, lines=20_000, sources=6):
        run("gen", "--seed", r.randrange(1 << 32), "--tenants", 6, "--events", lines, "--mess", 40, "--out", folder)
        found = re.findall(r'tenant: "(\d+)", source: ([a-z0-9-]+), format: (\w+), file: "?([^",}]+)',
                           (folder / "manifest.yaml").read_text())
        self.files = {f"seclog.raw.{code}.{source}": (folder / path).read_bytes().split(b"\n")[:-1]
                      for code, source, _, path in found[:sources]}
        self.odd = f"seclog.raw.{checked_code(99001)}.odd"
        self.topics = {**{topic: 2 for topic in self.files}, self.odd: 1}
        # The sources' names tell nothing of their formats: the configuration does.
        self.keys = "tenants:\n" + "".join(
            f'  "{code}":\n    sources:\n' + "".join(f"      {s}: {{format: {f}}}\n" for c, s, f, _ in found if c == code)
            for code in sorted({c for c, _, _, _ in found}))

    def chunks(self, r, size=200, count=None):
        """(topic, bytes, options of send), for ever or `count` of them."""
        number = 0
        while count is None or number < count:
            number += 1
            if r.random() < 0.1:
                yield self.odd, self._odd(r), ("-0",)
                continue
            topic, lines = r.choice(list(self.files.items()))
            at = r.randrange(max(1, len(lines) - size))
            data = b"".join(line + b"\n" for line in lines[at:at + r.randint(1, size)])
            yield topic, data, ("--per-message", str(r.choice((2, 20)))) if r.random() < 0.2 else ()

    @staticmethod
    def _odd(r):
        pieces = (b"", b"\n", b"one\ntwo", b"\r\n", b"x" * r.randint(1, 3000), b"\xff\xc0\n\xaf", b"no end", b"\n\n\n",
                  b"line\n" * r.randint(1, 300), "霞野市".encode("cp932"), b"{\"a\":1}")
        data = b"".join(r.choice(pieces) + b"\0" for _ in range(r.randint(1, 20)))
        return data if r.random() < 0.95 else data + b"H" * (11 << 20) + b"\0"
