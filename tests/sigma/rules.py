"""Rules, filters and correlations of a file, put together; the first thing that is wrong refuses the set."""
import re

from conditions import Condition
from correlation import Correlation
from documents import Disputed, read_documents
from items import Item
from refusal import Refused, Unclear
from values import Number

LEVELS = ("informational", "low", "medium", "high", "critical")
STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
LOGSOURCE = ("category", "product", "service")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEYWORD_MODIFIERS = ("all", "cased", "re", "i", "m", "s", "contains")


class Detection:
    """Selections and their condition, of a rule or of a filter."""

    def __init__(self, written, placeholders, what):
        if not isinstance(written, dict):
            raise Refused(f"{what} must be a map")
        if "condition" not in written:
            raise Refused(f"{what}: condition is missing")
        if "timeframe" in written:
            raise Unclear("timeframe in a detection")
        self.selections = {name: selection(name, value, placeholders) for name, value in written.items()
                           if name != "condition"}
        texts = written["condition"]
        texts = texts if isinstance(texts, list) else [texts]
        if not texts:
            raise Refused("condition: an empty list")
        for text in texts:
            if isinstance(text, (Disputed, Number, bool)):
                raise Unclear("condition: no text")
        self.conditions = [Condition(text, list(self.selections)) for text in texts]

    def holds(self, event):
        held = {name for name, test in self.selections.items() if test(event)}
        return any(condition.holds(held) for condition in self.conditions)


def selection(name, written, placeholders):
    """A map is AND; a list is OR, of maps or of keywords."""
    if isinstance(written, dict):
        if not written:
            raise Refused(f"{name}: a selection without content")
        items = [item(name, key, value, placeholders) for key, value in written.items()]
        return lambda event: all(one.holds(event) for one in items)
    if isinstance(written, list):
        if not written:
            raise Refused(f"{name}: a selection without content")
        parts = [selection(name, part, placeholders) if isinstance(part, dict) else keyword(name, part, placeholders)
                 for part in written]
        return lambda event: any(part(event) for part in parts)
    return keyword(name, written, placeholders)


def keyword(name, written, placeholders):
    if isinstance(written, list):
        raise Refused(f"{name}: a list in a list")
    return item(name, "", written, placeholders).holds


def item(name, key, written, placeholders):
    try:
        made = Item(key, written, placeholders)
    except (Refused, Unclear) as error:
        raise type(error)(f"{name}: {key}: {error}") from None
    if not made.field:
        check_keywords(name, key, written)
    elif made.field != made.field.strip():
        raise Unclear("blanks around the name of a field")
    return made


def check_keywords(name, key, written):
    values = written if isinstance(written, list) else [written]
    if None in values:
        raise Refused(f"{name}: null as a keyword: bind it to a field")
    if "" in values or any(isinstance(value, bool) for value in values):
        raise Unclear("an empty keyword, or a boolean")
    if key == "" and isinstance(written, list):
        raise Unclear("a map with an empty key")
    for modifier in key.split("|")[1:]:
        if modifier not in KEYWORD_MODIFIERS:
            raise Unclear(f"keywords with {modifier}")


class Rule:
    def __init__(self, document, placeholders):
        self.id, self.name, self.logsource = document["id"], document.get("name"), document["logsource"]
        self.detection = Detection(document["detection"], placeholders, "detection")
        self.filters = []

    def holds(self, event):
        return self.detection.holds(event) and all(one.detection.holds(event) for one in self.filters)


class Filter:
    def __init__(self, document, placeholders):
        self.id, self.name, self.logsource = document["id"], document.get("name"), document.get("logsource")
        written = document["filter"]
        if not isinstance(written, dict):
            raise Refused("filter must be a map")
        if "rules" not in written:
            raise Refused("filter: rules is missing")
        self.rules = written["rules"]
        if not isinstance(self.rules, list):
            raise Unclear("filter: rules is no list")
        if not self.rules or not all(isinstance(rule, str) for rule in self.rules):
            raise Refused("filter: rules must be a list of names")
        if not isinstance(self.logsource, dict):
            raise Unclear("filter: no logsource")
        check_logsource(self.logsource)
        self.detection = Detection({key: value for key, value in written.items() if key != "rules"}, placeholders,
                                   "filter")

    def applies(self, rule):
        named = rule.id in self.rules or (rule.name is not None and rule.name in self.rules)
        return named and all(rule.logsource.get(key) == value for key, value in self.logsource.items()
                             if key in LOGSOURCE)


def check_header(document, kind):
    if not isinstance(document.get("title"), str) or not document["title"]:
        if "title" not in document and kind == "detection":
            raise Refused("title is missing")
        raise Unclear("title")
    if not isinstance(document.get("id"), str) or not UUID.fullmatch(document["id"]):
        raise Unclear("id")
    name = document.get("name", "x")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise Unclear("name")
    if "level" in document and document["level"] not in LEVELS:
        raise Refused(f"level: {document['level']!r} is none of the five")
    if "status" in document and document["status"] not in STATUSES:
        raise Unclear("status")
    if kind == "detection":
        logsource = document.get("logsource")
        if not isinstance(logsource, dict):
            raise Refused("logsource is missing, or no map")
        check_logsource(logsource)


def check_logsource(logsource):
    found = [logsource[key] for key in LOGSOURCE if key in logsource]
    if not found or not all(isinstance(value, str) and value for value in found):
        raise Unclear("logsource")


class RuleSet:
    def __init__(self, data, placeholders):
        self.rules, self.correlations, filters = [], [], []
        self.unclear = None
        for document in read_documents(data):
            try:
                self.add(document, filters, placeholders)
            except Unclear as error:
                self.unclear = self.unclear or error   # a later document may still be refused for certain
        if self.unclear:
            raise self.unclear
        self.link(filters)

    def add(self, document, filters, placeholders):
        if document is None:
            raise Unclear("an empty document")
        if not isinstance(document, dict):
            raise Refused("a rule must be a map")
        kinds = [key for key in ("detection", "correlation", "filter") if key in document]
        if not kinds and "title" in document:
            raise Refused("detection is missing")
        if len(kinds) != 1 or "action" in document:
            raise Unclear("what kind of document is this?")
        check_header(document, kinds[0])
        if kinds[0] == "detection":
            self.rules.append(Rule(document, placeholders))
        elif kinds[0] == "correlation":
            self.correlations.append(Correlation(document))
        else:
            filters.append(Filter(document, placeholders))

    def link(self, filters):
        everything = self.rules + self.correlations
        names = [name for one in everything + filters for name in {one.id, one.name} - {None}]
        if len(set(names)) < len(names):
            raise Unclear("an id or a name stands twice")
        known = {name: one for one in everything for name in (one.id, one.name) if name is not None}
        for one in filters:
            if not all(isinstance(known.get(name), Rule) for name in one.rules):
                raise Unclear("a filter for what is no rule")
            for rule in self.rules:
                if one.applies(rule):
                    rule.filters.append(one)
        for one in self.correlations:
            one.link(known)
        self.correlations = in_order(self.correlations)
        referred = {member for one in self.correlations for member in one.members}
        kept = {member for one in self.correlations if one.generate for member in one.members}
        self.silent = referred - kept


def in_order(correlations):
    """Those first that others refer to."""
    done, left = [], list(correlations)
    while left:
        ready = [one for one in left if not any(member in left for member in one.members)]
        if not ready:
            raise Refused(f"correlation: a cycle of {', '.join(one.name or one.id for one in left)}")
        done += ready
        left = [one for one in left if one not in ready]
    return done
