"""What the style checks share: the folders, and C text without its comments and strings."""
import pathlib
import re

PRODUCT = ("base", "event", "ingest", "detect", "store", "console", "app")
ALL = PRODUCT + ("tests", "benches")
PIECE = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.S | re.X)


def files(suffixes, folders=ALL):
    """Paths below the folders, in a fixed order."""
    return sorted(p for d in folders for p in pathlib.Path(d).rglob("*") if p.suffix in suffixes and p.is_file())


def blank(text, keep_strings=False):
    """The text with comments, and what is between quotes, made of blanks: places and lines stay."""
    def void(m):
        piece = m[0]
        if piece[0] in "\"'":
            return piece if keep_strings else piece[0] + " " * (len(piece) - 2) + piece[0]
        return re.sub(r"[^\n]", " ", piece)
    return PIECE.sub(void, text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1
