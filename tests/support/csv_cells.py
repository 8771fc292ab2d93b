"""What a cell of CSV must be, worked out without the program's rules at hand; docs/export.md says it in words."""
import unicodedata

BLANKS = " \t\n\v\f\r\u00a0\u3000\u200b\ufeff"


def shown(text):
    """Controls and what turns the direction of text are written, not passed on."""
    def one(c):
        if c in "\t\r\n":
            return c
        if unicodedata.category(c) == "Cc":
            return f"\\x{ord(c):02x}"
        if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") or \
                c in "\u200e\u200f\u061c\u2028\u2029":
            return f"\\u{{{ord(c):04x}}}"
        return c
    return "".join(map(one, text))


def runs(cell):
    """What no spreadsheet may be given."""
    return unicodedata.normalize("NFKC", cell.lstrip(BLANKS))[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r", "\n")


def expected(text):
    """The cell of a text that is no number."""
    held = runs(text) or text.startswith("'")
    return ("'" if held else "") + shown(text)
