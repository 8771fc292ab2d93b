"""One line of a selection: field, modifiers and values, as a function of an event."""
import ipaddress
import operator
import re
import warnings

import pattern
from documents import Disputed
from refusal import Refused, Unclear
from values import TIME_PARTS, Number, address_of, fold, fold_wide, number_of, text_of, time_part, values_of

ORDERS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
PLACES = {"contains", "startswith", "endswith"}
WIDES = {"utf16le", "utf16be", "utf16", "wide"}
ENCODINGS = {"base64", "base64offset"}
FLAGS = {"i": re.I, "m": re.M, "s": re.S}
MODIFIERS = {"all", "exists", "cased", "neq", "windash", "re", "cidr", "expand", "fieldref", *ORDERS, *PLACES, *WIDES,
             *ENCODINGS, *FLAGS, *TIME_PARTS}
# What decides how a value is compared, and what may stand beside it.
KINDS = {
    "re": {"i", "m", "s", "all", "neq"},
    "cidr": {"all", "neq"},
    "exists": set(),
    "fieldref": PLACES | {"all", "neq", "cased"},
    **{name: {"all", "neq", *TIME_PARTS} for name in ORDERS},
    **{name: {"all", "neq", *ORDERS} for name in TIME_PARTS},
}
# Regular expressions that Python and PCRE2 read alike, when they are not too much for a limit.
COMMON_REGEX = re.compile(r"(\(\?i\))?([\w\s~`!@#%&_=:;\"'<>,/\u0080-\U0010ffff-]"
                          r"|\\[sSdDwWbB./\\*+?()\[\]{}|^$\"':;,@#%&=!<>~-]|[.^$|*+?()]|\{[0-9]{1,2}(,[0-9]{0,2})?\}"
                          r"|\[\^?([\w\s.,:;=!@#%&*+?$|(){}<>/'\"~`-]|\\[sdwSDW\\\].-])+\])*")
REGEX_CERTAIN_CHARS = 200
NESTED_REPEATS = re.compile(r"[*+?}]\)+[*+{]")


class Item:
    """holds(event) tells whether the line is satisfied."""

    def __init__(self, key, written, placeholders):
        self.field, *self.modifiers = key.split("|")
        self.placeholders = placeholders
        values = written if isinstance(written, list) else [written]
        check_modifiers(self.modifiers)
        check_values(values, self.modifiers, isinstance(written, list))
        self.tests = [self.make_test(value) for value in values]

    def has(self, modifier):
        return modifier in self.modifiers

    def holds(self, event):
        judge = all if self.has("all") else any
        return judge(test(event) for test in self.tests) != self.has("neq")

    def make_test(self, value):
        """A function of the event."""
        if isinstance(value, Disputed):
            raise Unclear(f"yaml: what is {value.text}?")
        if self.has("exists"):
            return lambda event: (self.field in event) == value
        if value is None:
            return lambda event: not values_of(event, self.field)
        if self.has("fieldref"):
            return lambda event: any(self.refers(text_of(mine), text_of(other))
                                     for mine in values_of(event, self.field)
                                     for other in values_of(event, value))
        test = self.make_value_test(value)
        return lambda event: any(test(found) for found in self.searched(event))

    def searched(self, event):
        """The values of the field; for keywords those of all fields."""
        if self.field:
            return values_of(event, self.field)
        return [value for field in event for value in values_of(event, field)]

    def make_value_test(self, value):
        """A function of one value of an event."""
        if self.has("re"):
            expression = self.regex(text_of(value))
            return lambda found: expression.search(text_of(found)) is not None
        if self.has("cidr"):
            network = network_of(value)
            return lambda found: (address := address_of(found)) is not None and address in network
        if any(self.has(part) for part in TIME_PARTS) or any(self.has(order) for order in ORDERS):
            return self.number_test(value)
        if isinstance(value, Number) and not set(self.modifiers) - {"all", "neq", "cased"} and self.field:
            return lambda found: equals(found, value)
        return self.text_test(value)

    def number_test(self, value):
        part = next((name for name in self.modifiers if name in TIME_PARTS), None)
        order = next((name for name in self.modifiers if name in ORDERS), None)
        limit = number_of(value)
        if limit is None:
            raise Refused(f"{part or order}: {value!r} is not a number")
        if not isinstance(value, Number):
            raise Unclear(f"{part or order}: a number in quotes")
        compare = ORDERS[order] if order else operator.eq

        def test(found):
            number = time_part(found, part) if part else number_of(found)
            return number is not None and compare(number, limit)
        return test

    def text_test(self, value):
        text = text_of(value)
        patterns = pattern.expand(text, self.placeholders) if self.has("expand") else [pattern.parse(text)]
        if self.has("windash"):
            patterns = [pattern.with_dashes(tokens) for tokens in patterns]
        if encoding := next((name for name in self.modifiers if name in ENCODINGS), None):
            patterns = [form for tokens in patterns for form in self.encoded(tokens, encoding)]
        cased = self.has("cased")
        patterns = [self.placed(tokens if cased else pattern.folded(tokens)) for tokens in patterns]

        def test(found):
            text = text_of(found)
            texts = {text} if cased else {fold(text), fold_wide(text)}
            return any(pattern.matches(tokens, text) for tokens in patterns for text in texts)
        return test

    def placed(self, tokens):
        contains = self.has("contains") or not self.field
        before = [pattern.ANY] if contains or self.has("endswith") else []
        after = [pattern.ANY] if contains or self.has("startswith") else []
        return before + tokens + after

    def encoded(self, tokens, encoding):
        wide = next((name for name in self.modifiers if name in WIDES), None)
        data = pattern.to_bytes(pattern.plain(tokens, encoding), wide)
        if len(data) < 3:
            raise Unclear(f"{encoding}: a very short value")
        texts = pattern.encode_base64(data) if encoding == "base64" else pattern.encode_base64_offset(data)
        return [[frozenset(char) for char in text] for text in texts]

    def refers(self, mine, other):
        if self.has("cased"):
            return self.stands(mine, other)
        return any(self.stands(a, b) for a in (fold(mine), fold_wide(mine)) for b in (fold(other), fold_wide(other)))

    def stands(self, mine, other):
        if self.has("contains"):
            return other in mine
        if self.has("startswith"):
            return mine.startswith(other)
        return mine.endswith(other) if self.has("endswith") else mine == other

    def regex(self, text):
        flags = re.ASCII
        for name in FLAGS:
            flags |= FLAGS[name] if self.has(name) else 0
        certain = COMMON_REGEX.fullmatch(text) and len(text) <= REGEX_CERTAIN_CHARS and not NESTED_REPEATS.search(text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compiled = re.compile(text, flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise (Refused if certain else Unclear)(f"re: {error}") from None
        if not certain:
            raise Unclear(f"re: {text} may mean another thing in PCRE2, or be too much for it")
        return compiled


def equals(found, number):
    """Numbers by value, text by how the rule writes its number."""
    return found.value == number.value if isinstance(found, Number) else text_of(found) == number.text


def network_of(value):
    text = text_of(value)
    if "/" not in text and address_of(text) is not None:
        raise Unclear("cidr: an address without a prefix")
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise Refused(f"cidr: {error}") from None


def check_modifiers(names):
    for name in names:
        if name not in MODIFIERS:
            raise Refused(f"modifier {name!r} is unknown")
    if len(set(names)) < len(names):
        raise Unclear("a modifier stands twice")
    chosen = set(names)
    for kind in [name for name in names if name in KINDS]:
        strange = chosen - KINDS[kind] - {kind} - ({kind} | set(ORDERS) if kind in TIME_PARTS else set())
        if strange & {"cased", "expand", "windash"} and kind in ("re", "cidr", *ORDERS, *TIME_PARTS):
            raise Unclear(f"{kind} with {', '.join(sorted(strange))}")
        if strange:
            raise Refused(f"{kind} cannot be combined with {', '.join(sorted(strange))}")
    if chosen & set(FLAGS) and "re" not in names:
        raise Refused(f"{', '.join(chosen & set(FLAGS))} belongs to re")
    if "re" in names and any(names.index(flag) < names.index("re") for flag in chosen & set(FLAGS)):
        raise Refused("re: i, m and s stand after it")
    if flags := chosen & set(FLAGS):
        if set(names[names.index("re") + 1:][:len(flags)]) != flags:
            raise Unclear("re: something stands before its i, m and s")
    check_combinations(names, chosen)


def check_combinations(names, chosen):
    places, wides, encodings = chosen & PLACES, chosen & WIDES, chosen & ENCODINGS
    order = [name for name in names if name in WIDES | ENCODINGS | PLACES | {"windash", "expand"}]
    if len(places) > 1 or len(wides) > 1 or len(encodings) > 1 or len(chosen & set(ORDERS)) > 1:
        raise Unclear(f"conflicting modifiers {', '.join(names)}")
    if wides and not encodings:
        raise Unclear(f"{', '.join(wides)} without base64 or base64offset")
    if "base64offset" in chosen and not places:
        raise Unclear("base64offset without contains")
    if encodings and ("windash" in chosen or "expand" in chosen):
        raise Unclear("an encoding after windash or expand")
    ranks = [0 if name in WIDES else 1 if name in ENCODINGS else 2 for name in order
             if name in WIDES | ENCODINGS | PLACES]
    if encodings and ranks != sorted(ranks):
        raise Unclear(f"the order of {', '.join(names)}")
    if "fieldref" in chosen and places and names.index("fieldref") > names.index(next(iter(places))):
        raise Unclear("fieldref after the place")
    if "neq" in chosen and ("all" in chosen or chosen & set(ORDERS)):
        raise Unclear("neq with all, or with an order")


def check_values(values, modifiers, listed):
    for value in values:
        if isinstance(value, (dict, list)):
            raise Refused("a map or a list as the value of a field")
    if listed and not values:
        raise Refused("an empty list of values selects nothing")
    if "all" in modifiers and len(values) < 2:
        raise Refused("all needs a list of at least two values")
    if None in values and listed:
        raise Refused("null in a list of values")
    if "exists" in modifiers:
        if listed or not isinstance(values[0], bool):
            raise Refused("exists takes true or false")
        return
    if None in values and (numeric := [name for name in modifiers if name in ORDERS or name in TIME_PARTS]):
        raise Refused(f"{numeric[0]}: null is not a number")
    if None in values and modifiers:
        raise Unclear(f"null with {', '.join(modifiers)}")
    check_types(values, set(modifiers))


def check_types(values, chosen):
    others = [value for value in values if not isinstance(value, str)]
    if any(isinstance(value, bool) for value in others) and chosen - {"neq", "all", "cased"}:
        numeric = chosen & {*ORDERS, *TIME_PARTS, "cidr"}
        raise Refused(f"{numeric.pop()} on a boolean") if numeric else Unclear("modifiers on a boolean")
    if others and "cidr" in chosen:
        raise Refused("cidr: a number is not a network")
    if others and chosen & (ENCODINGS | {"fieldref", "re", "expand", "windash"}):
        raise Unclear("a number where text is expected")
    if "" in values and chosen & (PLACES | ENCODINGS | {"re", "fieldref", "windash", "expand"}):
        raise Unclear("empty text with a modifier")
