"""Random texts for rules, and texts that nearly are what a rule asks for."""
WORDS = ["lantern", "Orchid", "basalt", "Thimble", "a", "ab", "aab", "GET", "443", "0443", "1.5", "-7", "null",
         "true", "~", "C:\\Temp\\", "\\\\srv\\share", "/admin/", "?id=", "*", "a*b", "100%", "%2e%2E", "%one%",
         "x=1&y=2", "{", "[ab]", "^$.+|()", "-q", "/q", "\u2013q", "\u2014x\u2015", "\u540d\u524d",
         "\u5f79\u5834\u7a0e\u52d9\u8ab2", "\uff21\uff44\uff4d\uff49\uff4e", "\u00c9t\u00e9", "\u0130I\u0131i",
         "\u017fs\u212ak", "\U0001f512", "a\nb", "\t", " lead", "trail ", "'q'", "\"q\"", "#c", ": ", "- ",
         "\u3000"]
LETTERS = "abABxyz019-/*?\\ .\u6f22\u00e9"


def text(r, pieces=3):
    return "".join(r.choice(WORDS) for _ in range(r.randint(1, pieces)))


def ascii_text(r, pieces=3):
    words = [word for word in WORDS if word.isascii()]
    return "".join(r.choice(words) for _ in range(r.randint(1, pieces)))


def swap_case(r, value):
    """ASCII letters alone, some of them."""
    return "".join(c.swapcase() if c.isascii() and c.isalpha() and r.random() < 0.5 else c for c in value)


def escape(value):
    return "".join("\\" + c if c in "*?\\" else c for c in value)


def loose_escape(r, value):
    """The same text with backslashes left single where that says the same."""
    out = ""
    for at, char in enumerate(value):
        following = value[at + 1:at + 2]
        single = char == "\\" and following not in ("*", "?", "\\") and not out.endswith("\\") and r.random() < 0.6
        out += char if single or char not in "*?\\" else "\\" + char
    return out


def glob(r, value):
    """A pattern that the value fits, with wildcards in it."""
    at, end = sorted((r.randint(0, len(value)), r.randint(0, len(value))))
    if end - at == 1 and r.random() < 0.7:
        middle = "?"
    else:
        middle = r.choice(("*", "*", "**", "*?" if end > at else "*"))
    return escape(value[:at]) + middle + escape(value[end:])


def near(r, value):
    """The value, or one that is a little off."""
    if r.random() < 0.45:
        return value
    kind = r.randrange(10)
    at = r.randint(0, len(value))
    if kind <= 1:
        return swap_case(r, value)
    if kind == 2:
        return value[:at] + r.choice(LETTERS) + value[at:]
    if kind == 3:
        return value[:at] + value[at + 1:]
    if kind == 4:
        return r.choice(LETTERS) + value
    if kind == 5:
        return value + r.choice(LETTERS + "\n")
    if kind == 6:
        return value[:at]
    if kind == 8:
        return value.swapcase()  # of all letters: only those of ASCII are the same then
    if kind == 7:
        return value.replace("-", r.choice("/\u2013\u2014\u2015+"))
    return value[:at] + r.choice("\n\t\u540d") + value[at + 1:]
