"""Sigma's text patterns: * and ?, escapes, placeholders, dashes, and the encodings of plain text.

A pattern is a list of tokens: ANY (*), ONE (?), or the set of characters that may stand at this place.
"""
import base64
import itertools
import re

from refusal import Refused, Unclear
from values import fold_wide

ANY, ONE = "*", "?"
DASHES = frozenset("-/\u2013\u2014\u2015")
PLACEHOLDER_OR_ESCAPE = re.compile(r"\\%|%(\w+)%")
COMBINATIONS_MAX = 10000


def parse(text):
    """Backslash takes the meaning from * ? and backslash; before anything else it is itself."""
    tokens, at = [], 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text) and text[at + 1] in "*?\\":
            at += 1
            tokens.append(frozenset(text[at]))
        else:
            tokens.append(char if char in "*?" else frozenset(char))
        at += 1
    return tokens


def folded(tokens):
    """Text between wildcards is folded as a whole, dashes that stand for each other one by one."""
    out, run = [], ""
    for token in [*tokens, None]:
        if isinstance(token, frozenset) and len(token) == 1:
            run += next(iter(token))
            continue
        out += [frozenset(char) for char in fold_wide(run)]
        run = ""
        if token is not None:
            out.append(token if token in (ANY, ONE) else frozenset(map(fold_wide, token)))
    return out


def matches(tokens, text):
    """Whether the whole text fits; one star at a time is enough to go back to."""
    at = token_at = 0
    star, star_at = None, 0
    while at < len(text):
        token = tokens[token_at] if token_at < len(tokens) else None
        if token == ANY:
            star, star_at = token_at, at
            token_at += 1
        elif token is not None and (token == ONE or text[at] in token):
            token_at, at = token_at + 1, at + 1
        elif star is not None:
            star_at += 1
            token_at, at = star + 1, star_at
        else:
            return False
    return all(token == ANY for token in tokens[token_at:])


def with_dashes(tokens):
    """Each of the five dashes stands for any of them, wherever it is."""
    return [DASHES if token not in (ANY, ONE) and token & DASHES else token for token in tokens]


def expand(text, placeholders):
    """The patterns of a text with %names%: every combination. \\% is a percent sign."""
    if re.search("%[^%]*%", PLACEHOLDER_OR_ESCAPE.sub("", text)):
        raise Unclear("expand: is this the name of a placeholder?")
    pieces, at = [], 0
    for found in PLACEHOLDER_OR_ESCAPE.finditer(text):
        pieces.append([parse(text[at:found.start()])])
        at = found.end()
        name = found.group(1)
        if name is None:
            pieces.append([[frozenset("%")]])
        elif name not in placeholders:
            raise Refused(f"expand: placeholder %{name}% is not defined")
        else:
            pieces.append([parse(str(value)) for value in placeholders[name]])
    pieces.append([parse(text[at:])])
    ways = itertools.islice(itertools.product(*pieces), COMBINATIONS_MAX)
    return [[token for piece in way for token in piece] for way in ways]


def plain(tokens, modifier):
    """The text of a pattern that says exactly one text."""
    if any(token in (ANY, ONE) for token in tokens):
        raise Refused(f"{modifier}: a wildcard cannot be encoded")
    if any(len(token) != 1 for token in tokens):
        raise Unclear(f"{modifier} after windash")
    return "".join(next(iter(token)) for token in tokens)


def to_bytes(text, wide):
    if wide == "utf16":
        return b"\xff\xfe" + text.encode("utf-16-le")
    return text.encode({"utf16le": "utf-16-le", "wide": "utf-16-le", "utf16be": "utf-16-be", None: "utf-8"}[wide])


def encode_base64(data):
    return [base64.b64encode(data).decode()]


def encode_base64_offset(data):
    """What stands in Base64 whatever the bytes around it, for the three places in a group of three."""
    found = []
    for shift in range(3):
        encoded = base64.b64encode(b" " * shift + data).decode()
        known_from = (0, 2, 3)[shift]
        left_over = (shift + len(data)) % 3
        known_to = len(encoded) - (0, 3, 2)[left_over]
        found.append(encoded[known_from:known_to])
    return found
