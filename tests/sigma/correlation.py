"""Correlations: what happens in a sliding window of event time, group by group.

A hit is (time, event number, event, the members that it is a hit of). Decisions: the window is (t - timespan, t];
ties keep arrival order; a group fires again only after its window has emptied; `not` is judged when a window has
passed.
"""
import decimal
import re

from conditions import Condition
from documents import Disputed
from refusal import Refused, Unclear
from values import Number, number_of, text_of, values_of

TYPES = ("event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile",
         "value_median")
OPERATORS = {
    "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b, "neq": lambda a, b: a != b,
}
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
KEYS = ("type", "rules", "group-by", "timespan", "aliases", "condition", "generate")


class Correlation:
    def __init__(self, document):
        self.id, self.name = document["id"], document.get("name")
        written = document["correlation"]
        if not isinstance(written, dict):
            raise Refused("correlation must be a map")
        for key in written:
            if key not in KEYS:
                raise Unclear(f"correlation: {key}")
        self.type = written.get("type")
        if self.type not in TYPES:
            raise Refused(f"correlation: type {self.type!r} is unknown")
        self.rules = self.names(written, "rules")
        self.group_by = self.names(written, "group-by") if "group-by" in written else []
        self.span_ns = timespan_ns(written.get("timespan"))
        self.generate = self.read_generate(document, written)
        self.aliases = self.read_aliases(written)
        self.fields, self.percentile, self.limits, self.expression = [], None, [], None
        self.read_condition(written.get("condition"), "condition" in written)

    @staticmethod
    def names(written, key):
        if key not in written:
            raise Refused(f"correlation: {key} is missing")
        found = written[key]
        if isinstance(found, str):
            raise Unclear(f"correlation: {key} is no list")
        if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
            raise (Unclear if key == "group-by" or found else Refused)(f"correlation: {key} must be a list of names")
        if len(set(found)) < len(found) or "" in found:
            raise Unclear(f"correlation: {key} names one thing twice")
        return found

    @staticmethod
    def read_generate(document, written):
        found = [where["generate"] for where in (document, written) if "generate" in where]
        if not all(isinstance(value, bool) for value in found):
            raise Refused("generate must be true or false")
        if len(set(found)) > 1:
            raise Unclear("generate says two things")
        return any(found)

    def read_aliases(self, written):
        aliases = written.get("aliases", {})
        if not isinstance(aliases, dict) or not all(isinstance(one, dict) for one in aliases.values()):
            raise Refused("aliases must be a map of maps")
        for alias, fields in aliases.items():
            if set(fields) != set(self.rules) or alias not in self.group_by or not all(
                    isinstance(field, str) for field in fields.values()):
                raise Unclear(f"aliases: {alias} does not say the field of each rule")
        return aliases

    def read_condition(self, written, given):
        temporal = self.type.startswith("temporal")
        if not given:
            if not temporal:
                raise Refused(f"correlation: {self.type} needs a condition")
            return
        if isinstance(written, str):
            if not temporal:
                raise Refused("correlation: a condition of rules is for temporal only")
            if self.type == "temporal_ordered":
                raise Unclear("temporal_ordered with a condition of rules")
            self.expression = Condition(written, self.rules, pick=False)
            if self.expression.negates and not self.positive_needed():
                raise Unclear("correlation: a condition that holds when nothing happens")
            return
        if not isinstance(written, dict):
            raise Refused("correlation: condition must be a map")
        self.read_limits(written)

    def read_limits(self, written):
        for key, value in written.items():
            if key == "field":
                self.fields = value if isinstance(value, list) else [value]
            elif key == "percentile":
                self.percentile = number_of(value) if isinstance(value, Number) else None
            elif key not in OPERATORS:
                raise Refused(f"correlation: condition: {key} is no comparison")
            elif not isinstance(value, Number):
                raise (Unclear if number_of(value) is not None or isinstance(value, Disputed) else Refused)(
                    f"correlation: condition: {key}: {value!r} is not a number")
            else:
                self.limits.append((OPERATORS[key], value.value))
        if not self.limits:
            raise Refused("correlation: condition without a comparison")
        self.check_fields(written)

    def check_fields(self, written):
        if self.type.startswith("value_"):
            if "field" not in written:
                raise Refused(f"correlation: {self.type} needs a field in its condition")
            if not self.fields or not all(isinstance(field, str) and field for field in self.fields):
                raise Unclear("correlation: field must be a name")
            if len(self.fields) > 1 and self.type != "value_count":
                raise Unclear(f"correlation: {self.type} of several fields")
        elif self.fields:
            raise Unclear(f"correlation: {self.type} with a field")
        if self.type == "value_percentile":
            if "percentile" not in written:
                raise Refused("correlation: percentile is missing")
            if self.percentile is None or not 0 <= self.percentile <= 100:
                raise Unclear("correlation: percentile from 0 to 100")
        elif "percentile" in written:
            raise Unclear(f"correlation: {self.type} with a percentile")
        if self.type == "temporal_ordered":
            raise Unclear("temporal_ordered with a count")

    def positive_needed(self):
        return not self.expression.holds(set())

    def link(self, known):
        for name in self.rules:
            if name not in known:
                raise Refused(f"correlation: rule {name} is not defined")
        self.members = [known[name] for name in self.rules]
        if len(set(self.members)) < len(self.members):
            raise Unclear("correlation: one rule by two names")

    def alerts(self, hits, end_ns):
        """[(time, event number, event, group, value)] of hits in order; end_ns is the last time that was seen."""
        groups = {}
        for time_ns, number, event, members in hits:
            for group, of in self.groups_of(event, members).items():
                groups.setdefault(group, []).append((time_ns, number, event, of))
        waits = self.expression is not None and self.expression.negates
        found = []
        for group, steps in groups.items():
            named = dict(zip(self.group_by, group))
            for time_ns, number, event, value in self.quiet(steps, end_ns) if waits else self.sliding(steps):
                found.append((time_ns, number, event, named, value))
        return found

    def groups_of(self, event, members):
        """{values of the group-by fields: the rules by whose fields it is}; none where a field is missing."""
        found = {}
        for name, member in zip(self.rules, self.members):
            if member not in members:
                continue
            fields = [self.aliases[field][name] if field in self.aliases else field for field in self.group_by]
            values = [values_of(event, field) for field in fields]
            if all(values):
                found.setdefault(tuple(text_of(value[0]) for value in values), []).append(name)
        return found

    def sliding(self, steps):
        window, fired = [], False
        for step in steps:
            window = [old for old in window if old[0] > step[0] - self.span_ns]
            fired = fired and bool(window)
            window.append(step)
            value, holds = self.judge(window)
            if holds and not fired:
                fired = True
                yield *step[:3], value

    def quiet(self, steps, end_ns):
        """With `not`: each hit opens a window [t, t + timespan), which is judged when it has passed."""
        last_ns, fired = None, False
        for opened_ns, *_ in steps:
            fired = fired and opened_ns < last_ns + self.span_ns
            last_ns = opened_ns
            close_ns = opened_ns + self.span_ns
            window = [step for step in steps if opened_ns <= step[0] < close_ns]
            seen = {name for step in window for name in step[3]}
            if end_ns >= close_ns and self.expression.holds(seen) and not fired:
                fired = True
                yield close_ns, *self.completing(window), len(seen)

    def completing(self, window):
        seen = set()
        for _, number, event, names in window:
            seen |= set(names)
            if self.expression.holds(seen):
                return number, event
        raise AssertionError("the whole window holds")

    def judge(self, window):
        """(value, whether the condition holds)"""
        if self.type == "temporal_ordered":
            return len(self.rules), self.in_order(window)
        if self.type == "temporal":
            seen = {name for step in window for name in step[3]}
            if self.expression:
                return len(seen), self.expression.holds(seen)
            return len(seen), self.within(len(seen)) if self.limits else len(seen) == len(self.rules)
        if self.type != "event_count" and self.aggregate(window[-1:]) is None:
            return None, False  # a hit that adds no value completes nothing
        value = self.aggregate(window)
        return value, self.within(value)

    def within(self, value):
        return all(compare(value, limit) for compare, limit in self.limits)

    def in_order(self, window):
        wanted = iter(self.rules)
        name = next(wanted)
        for step in window:
            if name in step[3]:
                name = next(wanted, None)
                if name is None:
                    return True
        return False

    def aggregate(self, window):
        if self.type == "event_count":
            return len(window)
        if self.type == "value_count":
            tuples = [[values_of(step[2], field) for field in self.fields] for step in window]
            return len({tuple(text_of(value[0]) for value in one) for one in tuples if all(one)}) or None
        found = [values_of(step[2], self.fields[0]) for step in window]
        numbers = sorted(number for value in found if value and (number := number_of(value[0])) is not None)
        if not numbers:
            return None
        if self.type == "value_sum":
            return sum(numbers)
        if self.type == "value_avg":
            return sum(numbers) / len(numbers)
        return percentile(numbers, self.percentile if self.type == "value_percentile" else decimal.Decimal(50))


def percentile(numbers, percent):
    """Linear between the two values beside (n - 1) * percent / 100."""
    place = (len(numbers) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(numbers) - 1)
    return numbers[below] + (numbers[above] - numbers[below]) * (place - below)


def timespan_ns(written):
    if written is None:
        raise Refused("correlation: timespan is missing")
    found = re.fullmatch(r"([0-9]+)([a-zA-Z])", written) if isinstance(written, str) else None
    if not found or found.group(2) not in UNIT_SECONDS:
        raise Refused(f"correlation: timespan {written!r}: a number and one of s, m, h, d, w")
    if int(found.group(1)) == 0 or len(found.group(1)) > 6:
        raise Unclear("timespan of nothing, or of very much")
    return int(found.group(1)) * UNIT_SECONDS[found.group(2)] * 10**9
