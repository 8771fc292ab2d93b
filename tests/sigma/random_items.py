"""Random lines of selections. Each comes with examples: values of its field that satisfy it, or nearly."""
import base64
import ipaddress

import pattern
from random_text import ascii_text, escape, glob, loose_escape, near, swap_case, text

PLACEHOLDERS = {"one": ["basalt"], "hosts": ["srv-*", "lantern01", "a?c"],
                "people": ["sato", "Tanaka", "\u4f50\u85e4", "7"], "many": ["x\\*", "\\y"]}
NETWORKS = ["192.0.2.0/24", "198.51.100.7/32", "10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0", "203.0.113.129/25",
            "2001:db8::/32", "2001:db8:a::/48", "fe80::/10", "::/0", "2001:db8::8/127"]
TIMES = ["2024-05-06T10:30:00Z", "2026-12-31T23:59:59Z", "2024-02-29T00:00:00.250Z", "2025-01-01T00:00:00Z",
         "2027-01-01T12:07:00Z", "2024-12-30T10:00:00Z", "not a date", "2024-05-06"]
PARTS = {"minute": (0, 7, 30, 59), "hour": (0, 10, 12, 23), "day": (1, 6, 29, 31), "week": (1, 9, 19, 53),
         "month": (1, 2, 5, 12), "year": (2024, 2025, 2026)}


class RandomItem:
    """key, written value, and {field: [example, ...]}"""

    def __init__(self, key, value, examples):
        self.key, self.value, self.examples = key, value, examples


def listed(r, make, least=1):
    """One value or a list of several; (written, examples)."""
    count = max(least, r.choice((1, 1, 1, 2, 3)))
    made = [make() for _ in range(count)]
    written = [value for value, _ in made]
    examples = [example for _, several in made for example in several]
    return (written if count > 1 or r.random() < 0.3 else written[0]), examples


def plain(r, field):
    def make():
        target = text(r)
        if r.random() < 0.35:
            return glob(r, target), [target]
        return loose_escape(r, swap_case(r, target)), [target]
    value, examples = listed(r, make)
    return RandomItem(field, value, {field: examples})


def placed(r, field):
    """contains, startswith, endswith, with cased, all, windash, neq."""
    place = r.choice(("contains", "contains", "startswith", "endswith"))
    modifiers = [place]
    every = r.random() < 0.25
    for name, chance in (("cased", 0.2), ("windash", 0.2), ("neq", 0 if every else 0.15)):
        if r.random() < chance:
            modifiers.insert(r.randint(0, len(modifiers)), name)
    if every:
        modifiers.append("all")

    def make():
        target = text(r, 2)
        before = text(r, 1) if place != "startswith" else ""
        after = text(r, 1) if place != "endswith" else ""
        said = target if "cased" in modifiers else swap_case(r, target)
        written = glob(r, target) if r.random() < 0.2 else loose_escape(r, said)
        return written, [before + target + after]
    value, examples = listed(r, make, 2 if every else 1)
    if every:
        examples = ["".join(examples), *examples]
    return RandomItem("|".join([field, *modifiers]), value, {field: examples})


def many(r, field):
    """A list of many words of one form, as rules have them."""
    form = r.choice((".{}", "={}", "%{}", "/{}/", "w{}x", "{}"))
    alphabet = r.choice(("0123456789", "abcdef", "abcdefghijklmnopqrstuvwxyz"))
    count = r.randint(8, 16)
    words = [form.format("".join(r.choice(alphabet) for _ in range(r.randint(1, 4)))) for _ in range(count)]
    place = r.choice(("contains", "contains", "endswith", "startswith"))
    return RandomItem(f"{field}|{place}", list(dict.fromkeys(words)), {field: words})


def whole(r, field):
    """cased, neq, windash or all without a place."""
    modifier = r.choice(("cased", "neq", "windash", "all"))

    def make():
        target = text(r, 2)
        return (glob(r, target) if modifier == "all" or r.random() < 0.3 else escape(target)), [target]
    value, examples = listed(r, make, 2 if modifier == "all" else 1)
    return RandomItem(f"{field}|{modifier}", value, {field: examples})


def number(r, field):
    if r.random() < 0.5:
        value, examples = listed(r, lambda: (made := r.choice((0, 7, 443, 8080, -5, 0.5, 1.25, 65535)),
                                             [made, str(made)]))
        key = field + r.choice(("", "", "|neq"))
    else:
        # A number is text to contains and the like; numeric text is text, too, unless an order is asked for.
        value = r.choice((44, 443, "0443", "4*", "44?", "1.5"))
        examples = [443, "443", "0443", "x443y", 1.5, "44"]
        key = field + (r.choice(("|contains", "|startswith", "|endswith")) if isinstance(value, int) else "")
    return RandomItem(key, value, {field: examples})


def order(r, field):
    limit = r.choice((0, 1, 443, 1024, -5, 1.5, 0.25, 2**32, 10**15 + 1))
    written = [limit, r.choice((3, 9, 8080))] if r.random() < 0.15 else limit
    examples = [limit, limit + 1, limit - 1, str(limit), str(limit + 1), int(limit * 10), -limit, "-", "",
                f"{limit}x", f"{limit} ", True, "1e3"]
    return RandomItem(f"{field}|{r.choice(('lt', 'lte', 'gt', 'gte'))}", written, {field: examples})


def presence(r, field):
    kind = r.randrange(4)
    if kind == 0:
        return RandomItem(f"{field}|exists", r.random() < 0.5, {field: ["x", "", None]})
    if kind == 1:
        return RandomItem(field, None, {field: [None, "", "null", 0]})
    if kind == 2:
        return RandomItem(field, r.choice(("", ["", "-"])), {field: ["", None, "-", " "]})
    return RandomItem(field, r.choice((True, False, "*", "?*")), {field: [True, "True", False, "false", "x", ""]})


def expression(r, field):
    pieces, target = [], ""
    for _ in range(r.randint(1, 4)):
        piece, example = r.choice((
            ("lantern", "lantern"), ("[a-z]+", "abc"), ("\\d{1,3}", "42"), (".*", "x y"), (".+", "-"),
            ("(ab|c)?", "ab"), ("\\s*=", " ="), ("[0-9A-F]{2}", "7F"), ("\\bGET\\b", "GET"), ("\\.exe", ".exe"),
            ("\\\\", "\\"), ("a{2}b*", "aab"), ("(?:x|yz)+", "xyz"),
            ("\u540d\u524d", "\u540d\u524d"), ("\\w+", "w_1"), ("\\S+", "!")))
        pieces.append(piece)
        target += example
    written = ("^" if r.random() < 0.3 else "") + "".join(pieces) + ("$" if r.random() < 0.3 else "")
    flags = r.choice(("", "", "", "|i", "|m", "|s", "|i|m|s"))
    if r.random() < 0.1:
        written = "(?i)" + written
    examples = [target, "zz" + target, target + "zz", "q\n" + target + "\nq", target.replace(" ", "\n"),
                swap_case(r, target)]
    if r.random() < 0.2:
        return RandomItem(f"{field}|re{flags}|all", [written, "[a-zA-Z]"], {field: examples})
    return RandomItem(f"{field}|re{flags}" + ("|neq" if r.random() < 0.1 else ""), written, {field: examples})


def quick_expression(r, field):
    """Expressions that begin with few characters, so that what cannot begin one is skipped."""
    written, examples = r.choice((
        ("\\.(exe|dll|bat|cmd|ps1)", [".exe", ".ps1"]), ("%[0-9a-f]{2}", ["%3f", "%00"]),
        ("=(cmd|sh|id)\\b", ["=sh", "=id"]), ("/(admin|login|cgi)/", ["/cgi/", "/admin/"]), ("w[0-9]x", ["w7x"]),
        ("b.*q", ["bzzq", "bq"]), ("[0-9]{3}-[0-9]{4}", ["123-4567"]), ("(?:[0-9]{1,3}\\.){3}[0-9]", ["192.0.2.1"]),
        ("^b[0-9]+$", ["b7"]), ("(select|union)\\s+[a-z]", ["union  x"]), ("x?y+z", ["yyz", "xyz"])))
    return RandomItem(f"{field}|re{r.choice(('', '|i'))}", written, {field: examples})


def network(r, field):
    value, examples = listed(r, lambda: (one := r.choice(NETWORKS), addresses(r, one)))
    return RandomItem(f"{field}|cidr" + ("|neq" if r.random() < 0.15 else ""), value, {field: examples})


def addresses(r, written):
    net = ipaddress.ip_network(written, strict=False)
    first, last = int(net.network_address), int(net.broadcast_address)
    make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
    top = 2**net.max_prefixlen - 1
    inside = [make(first), make(last), make(r.randint(first, last)), make(max(first - 1, 0)),
              make(min(last + 1, top))]
    found = [str(one) for one in inside] + [str(inside[0]) + r.choice((":80", "/24", "x", " ", ".example.jp")), "-"]
    return found + ([one.exploded.upper() for one in inside] if net.version == 6 else [])


def reference(r, field, fields):
    other = r.choice([name for name in fields if name != field])
    modifiers = r.choice(([], [], ["contains"], ["startswith"], ["endswith"], ["neq"], ["cased"]))
    target = text(r, 2)
    around = {"endswith": "x" + target, "startswith": target + "x", "contains": f"x{target}x"}
    examples = {field: [target, around.get("".join(modifiers), target), 443], other: [target, target, 443, "443"]}
    return RandomItem("|".join([field, "fieldref", *modifiers]), other, examples)


def moment(r, field):
    part = r.choice(list(PARTS))
    order_name = r.choice(("", "", "|gte", "|lt", "|gt", "|lte"))
    value = r.choice(PARTS[part])
    written = [value, r.choice(PARTS[part])] if r.random() < 0.2 else value
    return RandomItem(f"{field}|{part}{order_name}", written, {field: TIMES})


def encoded(r, field):
    wide = r.choice((None, None, "utf16le", "utf16be", "utf16", "wide"))
    encoding, place = r.choice((("base64", ""), ("base64", "contains"), ("base64offset", "contains"),
                                ("base64offset", "contains")))

    def make():
        target = ascii_text(r, 3) if r.random() < 0.8 else text(r, 3)
        target += "pad" if len(target) < 4 else ""
        data = pattern.to_bytes(target, wide)
        before = b"!" * r.randint(0, 4) if place else b""
        after = b"zz"[:r.randint(0, 2)] if place else b""
        return escape(target), [base64.b64encode(before + data + after).decode(), base64.b64encode(data).decode()]
    value, examples = listed(r, make)
    return RandomItem("|".join(name for name in (field, wide, encoding, place) if name), value, {field: examples})


def expanded(r, field):
    value, examples = r.choice((
        ("%one%", ["basalt", "Basalt", "%one%"]), ("%hosts%", ["srv-9", "SRV-", "lantern01", "abc", "ac"]),
        ("/home/%people%/*", ["/home/sato/x", "/home/TANAKA/", "/home/7/y", "/home/x/"]),
        ("%people%@%one%", ["sato@basalt", "7@BASALT", "sato@sato"]), ("\\%one%", ["%one%", "basalt", "\\basalt"]),
        ("plain", ["plain", "%plain%"]), ("%many%", ["x*", "xy", "\\y", "y"]),
        (["%one%", "%people%"], ["basalt", "tanaka", "\u4f50\u85e4", "7"])))
    place = r.choice(("", "", "|contains", "|startswith", "|endswith"))
    longer = [longer for one in examples for longer in (f"x{one}", f"{one}x")]
    return RandomItem(f"{field}|expand{place}", value, {field: examples + longer})


MAKERS = [(plain, 6), (placed, 6), (many, 1), (whole, 2), (number, 2), (order, 2), (presence, 4), (expression, 3),
          (network, 2), (moment, 2), (encoded, 2), (expanded, 1)]


def random_item(r, fields):
    field = r.choice(fields)
    if r.random() < 0.05:
        return reference(r, field, fields)
    return r.choices([maker for maker, _ in MAKERS], [weight for _, weight in MAKERS])[0](r, field)


def near_value(r, example):
    """An example, as it is or a little off; addresses, times and numbers have their own ways to be off."""
    if not isinstance(example, str) or ":" in example or example[:3].isdigit():
        return example
    if r.random() < 0.06:  # as long as addresses with their queries are: scanners take another way then
        filler = r.choice("aQ. ") * r.choice((48, 64, 100, 200, 333))
        return r.choice((filler + example, example + filler, filler + example + filler))
    return near(r, example)
