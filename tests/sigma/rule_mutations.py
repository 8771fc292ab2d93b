"""Rule files with things wrong in them: of the text, of the structure, of single modifiers and values."""
import copy

import emit
from items import MODIFIERS
from shrink import KEPT, children

STRANGE_VALUES = [None, True, False, "", "x", 0, -1, 1.5, [], {}, ["x"], ["x", None], {"x": "y"}, [["x"]],
                  [{"x": 1}], "*", "%nope%", "(", "1 of them", "lantern and orchid", "300.1.2.3/8", "10m", "5x"]
STRANGE_MODIFIERS = ["", "contain", "Contains", "conatins", "like", "regex", "startsWith", "not", "ne", "eq",
                     "base32", "utf8", "fuzzy", "re i", "count", "any", "lowercase", "gtee", "x" * 300,
                     "\u542b\u3080", "contains ", " contains", "contains.re", "within"]
CONDITION_WORDS = ["and", "or", "not", "(", ")", "1", "2", "of", "any", "all", "them", "sel*", "*", "nope", "|",
                   "count()", "1 of", "all of", "0 of them", ">", "near", "AND", "not not", "()", ",", "&&",
                   "\u540d"]
TEXT_PIECES = [b":", b"|", b"'", b'"', b"\t", b"  ", b"-", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!x ",
               b"#", b" #", b"\n", b"\r\n", b"---\n", b"...\n", b"%", b"@", b"`", b">", b"|\n", b"?", b"? ", b",",
               b"\\", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x07", b"\xe2\x80\xa8",
               b"~", b"null", b"<<: ", b"y" * 2000, b"0x10", b"1_000", b"yes", b"1e400", b"-0", b".inf", b"9" * 40]


def mutate_text(r, data):
    """Bytes inserted, taken away, doubled or moved; lines, too."""
    data = bytearray(data)
    for _ in range(r.choice((1, 1, 1, 2, 3))):
        at = r.randint(0, len(data))
        kind = r.randrange(8)
        if kind <= 1:
            data[at:at] = r.choice(TEXT_PIECES)
        elif kind == 2:
            del data[at:at + r.choice((1, 1, 1, 2, 10))]
        elif kind == 3 and data:
            data[at % len(data)] = r.randrange(256)
        elif kind == 4:
            del data[at:]
        else:
            lines = bytes(data).split(b"\n")
            place = r.randrange(len(lines))
            if kind == 5:
                del lines[place]
            elif kind == 6:
                lines.insert(r.randint(0, len(lines)), lines[place])
            else:
                lines[place] = r.choice((b" " + lines[place], lines[place][1:], lines[place].strip(),
                                         b"  " + lines[place], b"\t" + lines[place]))
            data[:] = b"\n".join(lines)
    return bytes(data)


def maps(tree):
    if isinstance(tree, dict):
        yield tree
    for name in children(tree):
        yield from maps(tree[name])


def rename(holder, old, new):
    """The same map with one key renamed in its place."""
    pairs = list(holder.items())
    holder.clear()
    for name, value in pairs:
        holder[new if name == old else name] = value


def mutate_key(r, documents):
    holder = r.choice([one for one in maps(documents) if one])
    name = r.choice(list(holder))
    kind = r.randrange(4)
    if kind == 0:
        del holder[name]
    elif kind == 1 and len(name) > 1:
        at = r.randrange(len(name))
        rename(holder, name, name[:at] + r.choice(("", "x", name[at] * 2, name[at].swapcase())) + name[at + 1:])
    elif kind == 2:
        holder[r.choice(("extra", "timeframe", "action", "near", "Condition", "detection", "correlation", "filter",
                         "rules", "type", "fields"))] = r.choice(STRANGE_VALUES)
    else:
        holder[name] = copy.deepcopy(r.choice(STRANGE_VALUES))


def mutate_modifier(r, documents):
    """In the key of an item: another modifier, none, two, or a wrong one."""
    found = [(holder, name) for holder in maps(documents) for name in holder if "|" in name
             or name.startswith(("Field", "cs-", "c-", "url"))]
    if not found:
        return mutate_key(r, documents)
    holder, name = r.choice(found)
    field, *names = name.split("|")
    at = r.randint(0, len(names))
    kind = r.randrange(5)
    if kind == 0:
        names.insert(at, r.choice(STRANGE_MODIFIERS))
    elif kind <= 2:
        names.insert(at, r.choice(sorted(MODIFIERS)))
    elif kind == 3 and names:
        names[at % len(names)] = r.choice(sorted(MODIFIERS) + STRANGE_MODIFIERS)
    elif names:
        r.shuffle(names)
        names = names[:-1] if r.random() < 0.5 else names
    new = "|".join([field, *names])
    if new not in holder:
        rename(holder, name, new)
    return None


def mutate_value(r, documents):
    found = [(holder, name) for holder in maps(documents) for name in holder if name not in KEPT
             and name != "condition"]
    holder, name = r.choice(found)
    value = holder[name]
    if isinstance(value, list) and value and r.random() < 0.6:
        value[r.randrange(len(value))] = copy.deepcopy(r.choice(STRANGE_VALUES))
    elif isinstance(value, str) and value and r.random() < 0.5:
        at = r.randrange(len(value))
        holder[name] = value[:at] + r.choice("*?\\%(|[{+.^$/-\u2013\n\u0000a") + value[at + r.randint(0, 1):]
    else:
        holder[name] = r.choice(([value], [value, value], copy.deepcopy(r.choice(STRANGE_VALUES))))


def mutate_condition(r, documents):
    found = [holder for holder in maps(documents) if isinstance(holder.get("condition"), str)
             and holder["condition"].strip()]
    if not found:
        return mutate_value(r, documents)
    holder = r.choice(found)
    words = holder["condition"].replace("(", " ( ").replace(")", " ) ").split()
    at = r.randrange(len(words))
    kind = r.randrange(5)
    if kind == 0:
        del words[at]
    elif kind == 1:
        words[at] = r.choice(CONDITION_WORDS)
    elif kind == 2:
        words.insert(at, r.choice(CONDITION_WORDS))
    elif kind == 3:
        words[at] = words[at][:-1] + r.choice(("", "*", "?", "x", "_"))
    else:
        other = r.randrange(len(words))
        words[at], words[other] = words[other], words[at]
    holder["condition"] = " ".join(words)
    return None


STRUCTURE = [mutate_key, mutate_key, mutate_modifier, mutate_modifier, mutate_modifier, mutate_value, mutate_value,
             mutate_condition, mutate_condition]


def clean(value):
    """YAML cannot hold every character: those that it cannot go."""
    if isinstance(value, str):
        return value.replace("\0", "\\")
    if isinstance(value, dict):
        return {clean(name): clean(inner) for name, inner in value.items()}
    return [clean(inner) for inner in value] if isinstance(value, list) else value


def mutate(r, documents):
    """(kind, the file's bytes)"""
    documents = copy.deepcopy(documents)
    if r.random() < 0.4:
        return "text", mutate_text(r, emit.yaml_text(documents, r).encode())
    change = r.choice(STRUCTURE)
    for _ in range(r.choice((1, 1, 1, 2))):
        change(r, documents)
    return change.__name__, emit.yaml_text(clean(documents), r).encode()


# What must be refused, whatever else: modifier (with the field's name before it) and value.
MALFORMED = [
    *[(f"F|{strange}", "x") for strange in STRANGE_MODIFIERS],
    *[(f"F|{name[:-1]}", "x") for name in sorted(MODIFIERS) if name[:-1] not in MODIFIERS],
    *[(f"F|{name}x", "x") for name in sorted(MODIFIERS)],
    *[(f"F|{name.upper()}", "x") for name in sorted(MODIFIERS)],
    *[(f"F|{name}|", "x") for name in sorted(MODIFIERS)],
    *[(f"F|{name}|nope", "x") for name in sorted(MODIFIERS)],
    *[(f"F|{order}", value) for order in ("lt", "lte", "gt", "gte")
      for value in ("x", "", "1x", "0x10y", True, None, [1, "x"], [], {"a": 1})],
    *[(f"F|{order}|{place}", 5) for order in ("lt", "gte")
      for place in ("contains", "startswith", "endswith", "re", "cidr", "exists")],
    *[(f"F|{part}", value) for part in ("minute", "hour", "day", "week", "month", "year")
      for value in ("x", "", "noon", None, True, [])],
    *[(f"F|cidr|{more}", "192.0.2.0/24")
      for more in ("contains", "startswith", "re", "lt", "base64", "exists", "fieldref")],
    *[("F|cidr", value) for value in ("x", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/x", "192.0.2/24/1",
                                      "2001:db8::/129", "192.0.2.300/24", "/24", 5, True, ["192.0.2.0/24", "x"], [])],
    *[("F|exists", value) for value in ("x", "maybe", 1, 0, None, [True], [], "")],
    *[(f"F|exists|{more}", True) for more in ("contains", "all", "neq", "cased", "re", "lt", "cidr")],
    *[("F|re", value) for value in ("(x", "x)", "[x", "x{2,1}", "*x", "(?P<n>x", "x\\", ["x", "(y"])],
    *[(f"F|{place}|re", "x") for place in ("contains", "startswith", "endswith")],
    *[(f"F|re|{more}", "x") for more in ("lt", "cidr", "base64", "exists", "fieldref", "hour", "utf16le")],
    *[(f"F|{flag}", "x") for flag in "ims"], *[(f"F|{flag}|re", "x") for flag in "ims"],
    *[(f"F|contains|{flag}", "x") for flag in "ims"],
    *[(f"F|{encoding}|contains", value) for encoding in ("base64", "base64offset")
      for value in ("abcd*", "ab?cd", ["abcd", "e*fgh"])],
    ("F|expand", "%nope%"), ("F|expand", ["%one%", "a%nope%b"]), ("F|expand|contains", "%one%%nope%"),
    ("F|all", "x"), ("F|all", ["x"]), ("F|contains|all", "x"), ("F|re|all", "x"), ("F|contains|all", ["x"]),
    ("F|all", []),
    ("F", ["x", None]), ("F", []), ("F", {"a": "b"}), ("F", [["x"]]), ("F", [{"a": "b"}]),
    ("F|contains", ["x", None]), ("F|contains", {"a": 1}),
]

# Expressions made to be slow, with the numbers of the texts that they match; None: no such expression in PCRE2.
BOMB_TEXTS = ["a" * 30000 + "!", "ab" * 15000, "a " * 15000 + "!", "x" * 20000, "w17x"]
REGEX_BOMBS = [
    ("(a+)+$", []), ("(a|a)*$", [0, 1, 2, 3, 4]), ("(a|aa)+$", []), ("(.*)*x", [3, 4]), ("(a*)*b", [1]),
    ("([a-zA-Z]+)*$", [0, 1, 2, 3, 4]), ("^(([a-z])+.)+[A-Z]([a-z])+$", []), ("(a+){10}b", []), ("(a+)+b\\1", [1]),
    ("(?:a?){30}a{30}b", []), ("(.*a){20}$", []), ("(x+x+)+y", []), ("(?=(a+))a*b\\1", [1]), ("a{1000}{1000}", None),
    ("((((((((((a*)*)*)*)*)*)*)*)*)*)*b", [1]), ("(\\w+\\s?)+$", [1, 3, 4]), ("a" * 30000, [0]),
    ("|".join(f"w{number}x" for number in range(4500)), [4]), ("(" * 5000 + "a" + ")" * 5000, [0, 1, 2]),
    ("[ab]" * 7000, [0, 1]), ("(a|b|c|d|e)*" * 200 + "f", []), ("\\d{1,30000}", [4]),
    ("(?i)" + "|".join("ab" * 7 for _ in range(2000)), [1]),
]
# The same for text: many words, many stars, and what must not be multiplied out.
TEXT_BOMBS = [
    ({"F|contains": [f"w{number}x" for number in range(4000)]}, [4]), ({"F": "*a" * 500}, []),
    ({"F": "*a" * 500 + "*"}, [0, 1, 2]),
    ({"F|contains": "a*" * 300 + "b"}, [1]), ({"F|contains|windash": "-" * 200}, []),
    ({"F|expand": "%people%" * 30}, []),
]
