"""Values as rules and events write them: text, numbers, addresses, times; and what they are equal to."""
import datetime
import decimal
import ipaddress
import json
import re
import unicodedata

ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
NUMBER_CHARS_MAX = 64
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[-+]\d\d:\d\d)")


class Number:
    """A number with the text that it was written as."""

    def __init__(self, text):
        self.text, self.value = text, decimal.Decimal(text)

    def __repr__(self):
        return self.text


def fold(text):
    """ASCII letters alone."""
    return text.translate(ASCII_LOWER)


# Characters that are not to be seen (Default_Ignorable_Code_Point); folding leaves them out.
UNSEEN = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
                    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")


def fold_wide(text):
    """NFKC with case folded; characters that Japanese systems convert in two ways are one."""
    text = UNSEEN.sub("", text).translate({0x301c: "~", 0x2212: "-", 0x2014: "\u2015"})
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def read_event(line):
    return json.loads(line, parse_int=Number, parse_float=Number)


def text_of(value):
    """The text that conditions on text see."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, Number) else value


def values_of(event, field):
    """The values that a field has: none when it is absent or null, several when its key is repeated."""
    found = event.get(field)
    return [v for v in (found if isinstance(found, list) else [found]) if v is not None]


def number_of(value):
    """The number that a value says (numeric text does, too), or None."""
    if isinstance(value, Number):
        return value.value
    if isinstance(value, str) and len(value) <= NUMBER_CHARS_MAX and NUMBER.fullmatch(value):
        return decimal.Decimal(value)
    return None


def address_of(value):
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def moment_ns(text):
    """Nanoseconds since 1970 of an RFC 3339 time, or None."""
    found = MOMENT.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    seconds = (moment - epoch) // datetime.timedelta(seconds=1)
    return seconds * 10**9 + int(((fraction or ".0")[1:] + "0" * 9)[:9])


def moment_text(ns):
    """RFC 3339 in UTC with as many digits of the fraction as are needed."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ns // 10**9)
    fraction = f"{ns % 10**9:09d}".rstrip("0")
    return moment.isoformat() + (f".{fraction}" if fraction else "") + "Z"


TIME_PARTS = {
    "minute": lambda t: t.minute, "hour": lambda t: t.hour, "day": lambda t: t.day,
    "week": lambda t: t.isocalendar()[1], "month": lambda t: t.month, "year": lambda t: t.year,
}


def time_part(value, part):
    """Minute, hour, ... of a time in UTC (weeks by ISO 8601), or None."""
    ns = moment_ns(value)
    if ns is None:
        return None
    return TIME_PARTS[part](datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ns // 10**9))
