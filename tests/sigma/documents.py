"""The YAML documents of a rule file, with scalars typed as Sigma means them."""
import re

import yaml

from refusal import Refused, Unclear
from values import Number

DOCUMENT_BYTES_MAX = 64 << 10
DEPTH_MAX = 32
NULLS = ("", "~", "null", "Null", "NULL")
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
# What YAML 1.1 and 1.2 read differently, or as something that is neither text nor a plain number.
DISPUTED = re.compile(r"(?i)yes|no|on|off"
                      r"|[-+]?(0x[0-9a-f_]+|0o?[0-7_]+|0b[01_]+|[0-9][0-9_:]*(\.[0-9_]*)?(e[-+]?[0-9]+)?"
                      r"|\.[0-9_]+(e[-+]?[0-9]+)?|\.inf|\.nan)|<<|=|\d{4}-\d\d?-\d\d?.*")


class Disputed:
    """A plain scalar that readers of YAML take for different things."""

    def __init__(self, text):
        self.text = text


def scalar(event):
    if event.tag is not None:
        raise Unclear("yaml: a tag")
    if not event.implicit[0]:
        return event.value
    if event.value in NULLS:
        return None
    if event.value in BOOLEANS:
        return BOOLEANS[event.value]
    if NUMBER.fullmatch(event.value):
        return Number(event.value)
    return Disputed(event.value) if DISPUTED.fullmatch(event.value) else event.value


def key_text(event):
    if not isinstance(event, yaml.ScalarEvent):
        raise Refused("yaml: a key must be a word")
    if event.tag is not None or event.anchor is not None or event.value == "<<":
        raise Unclear("yaml: a mark on a key")
    return event.value


class Reader:
    def __init__(self, text):
        self.events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    def next(self):
        return next(self.events)

    def node(self, event, depth=0):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unclear("yaml: anchors and aliases")
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event)
        if event.tag is not None:
            raise Unclear("yaml: a tag")
        if depth >= DEPTH_MAX:
            raise Refused("yaml: nested too deeply")
        return self.list(depth) if isinstance(event, yaml.SequenceStartEvent) else self.map(depth)

    def list(self, depth):
        items = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return items

    def map(self, depth):
        pairs = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            key = key_text(event)
            if key in pairs:
                raise Refused(f"yaml: key {key!r} stands twice")
            pairs[key] = self.node(self.next(), depth + 1)
        return pairs

    def documents(self):
        found = []
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                start = event.start_mark.index
                found.append(self.node(self.next()))
            elif isinstance(event, yaml.DocumentEndEvent) and event.end_mark.index - start > DOCUMENT_BYTES_MAX:
                raise Refused("yaml: a rule of more than 64 KiB")
        return found


def read_documents(data):
    try:
        return Reader(data.decode("utf-8")).documents()
    except UnicodeDecodeError as error:
        raise Refused(f"yaml: not UTF-8 at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise Refused(f"yaml: {error}") from None
