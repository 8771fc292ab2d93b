"""Random Sigma rules, with filters, and random events that many of them nearly match."""
import uuid

from random_items import random_item, near_value
from random_text import glob, loose_escape, near, swap_case, text

FIELDS = ["FieldA", "FieldB", "cs-host", "c-uri", "url.path", "destination.port", "source.ip", "user.name", "x.y-z",
          "\u9805\u76ee", "message"]
CONDITION_DEPTH = 3


class RandomRule:
    """document, filter documents, and for each selection the examples by field."""

    def __init__(self, r):
        self.id = str(uuid.UUID(int=r.getrandbits(128), version=4))
        self.fields = r.sample(FIELDS, r.randint(2, 5))
        self.examples = []
        detection = {name: self.selection(r) for name in self.names(r)}
        detection["condition"] = self.condition(r, [name for name in detection])
        if r.random() < 0.2:
            detection = dict(sorted(detection.items(), reverse=True))
        self.document = {"title": "random", "id": self.id, "name": f"rule_{self.id[:8]}", "status": "test",
                         "logsource": {"category": "proxy", **({"product": "squid"} if r.random() < 0.3 else {})},
                         "detection": detection, "level": "medium"}
        self.filters = [self.filter(r) for _ in range(r.choice((0, 0, 0, 0, 1, 2)))]

    def names(self, r):
        names = [f"{r.choice(('sel', 'sel_x', 'f-main', 'not_a', 'Filter'))}_{number}"
                 for number in range(r.randint(1, 4))]
        return names + (["_hidden"] if r.random() < 0.25 else [])

    def selection(self, r):
        kind = r.random()
        if kind < 0.72:
            return self.map(r)
        if kind < 0.84:
            return [self.map(r) for _ in range(r.randint(1, 3))]
        return self.keywords(r)

    def map(self, r):
        items, examples = {}, {}
        for _ in range(r.choice((1, 1, 1, 2, 2, 3))):
            item = random_item(r, self.fields)
            items[item.key] = item.value
            for field, values in item.examples.items():
                examples.setdefault(field, []).extend(values)
        self.examples.append(examples)
        return items

    def keywords(self, r):
        words, examples = [], []
        for _ in range(r.randint(1, 3)):
            word = text(r, 2) + r.choice("abcxyz")
            examples.append(f"x{word}y")
            words.append(glob(r, word) if r.random() < 0.2 else loose_escape(r, swap_case(r, word)))
        words = [word for word in words if word.strip("*")] or ["lantern"]
        self.examples.append({r.choice(self.fields): examples})
        if len(words) > 1 and r.random() < 0.4:
            self.examples.append({r.choice(self.fields): ["".join(examples)]})
            return {"|all": words}
        return words + ([443] if r.random() < 0.1 else [])

    def condition(self, r, names):
        if r.random() < 0.08:
            return [self.tree(r, names, 0), self.tree(r, names, 0)]
        return self.tree(r, names, 0)

    def tree(self, r, names, depth):
        shape = r.random()
        if depth >= CONDITION_DEPTH or shape < 0.35:
            return self.leaf(r, names)
        if shape < 0.5:
            return f"not {self.bracket(r, self.tree(r, names, depth + 1))}"
        operator = r.choice((" and ", " or "))
        parts = [self.tree(r, names, depth + 1) for _ in range(r.randint(2, 3))]
        return operator.join(part if r.random() < 0.4 else f"({part})" for part in parts)

    @staticmethod
    def bracket(r, part):
        return part if " " not in part and r.random() < 0.7 else f"({part})" if r.random() < 0.8 else f"( {part}  )"

    @staticmethod
    def leaf(r, names):
        shown = [name for name in names if not name.startswith("_")]
        if r.random() < 0.7:
            return r.choice(names)
        name = r.choice(shown)
        pattern = r.choice(("them", "them", name, name[:-1] + "*", name[:3] + "*", name[0] + "*" + name[-1]))
        return f"{r.choice(('1 of', 'all of', 'any of'))} {pattern}"

    def filter(self, r):
        before = len(self.examples)
        selection = self.map(r)
        for examples in self.examples[before:]:
            for values in examples.values():
                del values[1:]
        rules = [r.choice((self.id, f"rule_{self.id[:8]}"))]
        condition = r.choice(("not sel_1", "not 1 of sel_*", "not sel_1", "sel_1"))
        logsource = {"category": "proxy"} if r.random() < 0.8 else {"category": "dns"}
        return {"title": "filter", "id": str(uuid.UUID(int=r.getrandbits(128), version=4)), "logsource": logsource,
                "filter": {"rules": rules, "sel_1": selection, "condition": condition}}

    def documents(self):
        return [self.document, *self.filters]


def random_event(r, rules):
    """Values that satisfy selections of one of the rules, most of them, and what else may stand in a line."""
    rule = r.choice(rules)
    event = {}
    for examples in r.sample(rule.examples, len(rule.examples)):
        if r.random() < 0.75:
            for field, values in examples.items():
                if r.random() < 0.9:
                    event[field] = near_value(r, r.choice(values))
    for field in r.sample(FIELDS, 3):
        spice = r.random()
        if spice < 0.15:
            event.pop(field, None)
        elif spice < 0.25:
            event[field] = r.choice((None, "", 443, 0, -5, 1.5, True, False, "-", text(r)))
        elif spice < 0.4 and event.get(field) is not None:
            others = [value for examples in rule.examples for value in examples.get(field, []) if value is not None]
            event[field] = r.sample([event[field], near(r, text(r)), *others[:1]], r.randint(1, 2)) + [event[field]]
    return dict(r.sample(list(event.items()), len(event)))
