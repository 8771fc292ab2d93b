"""Random correlations over simple rules, and random sequences of events: ties, late and out-of-order ones."""
import datetime
import uuid

START = datetime.datetime(2026, 3, 2, 9, tzinfo=datetime.timezone.utc)
ACTIONS = ["lantern", "orchid", "basalt", "thimble"]
MEMBERS = ["first_rule", "second_rule", "third_rule"]
USERS = ["sato", "Sato", "tanaka", "", 443]
SPANS = {"30s": 30, "60s": 60, "2m": 120, "1h": 3600}


def new_id(r):
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


def base_rules(r):
    """Three rules, of one action each; an event of several actions is a hit of several."""
    return [{"title": name, "id": new_id(r), "name": name, "status": "test", "logsource": {"category": "proxy"},
             "detection": {"sel": {"action|contains": action}, "condition": "sel"}, "level": "medium"}
            for name, action in zip(MEMBERS, ACTIONS)]


def limits(r, top):
    low = r.randint(2, top)
    return r.choice(({"gte": low}, {"gt": low - 1}, {"eq": low}, {"gte": low, "lte": low + 2},
                     {"gt": low - 1, "lt": low + 2}, {"neq": 1}, {"lte": low}))


def over_values(r, kind):
    """Over number values."""
    low = r.choice((100, 250, 300.5, 512))
    condition = {"field": "sent", **r.choice(({"gte": low}, {"gt": low}, {"gt": low, "lte": low + 400}, {"lt": low},
                                              {"neq": low}, {"eq": 100}))}
    if kind == "value_percentile":
        condition["percentile"] = r.choice((0, 25, 50, 90, 95.5, 100))
    return condition


class RandomCorrelation:
    """documents, and what its events must be like."""

    def __init__(self, r):
        self.kind = r.choice(("event_count", "event_count", "value_count", "temporal", "temporal", "temporal_ordered",
                              "temporal_ordered", "value_sum", "value_avg", "value_percentile", "value_median",
                              "expression", "not", "chained"))
        self.span_text = "1h" if self.kind == "chained" else r.choice(list(SPANS))
        self.span = SPANS[self.span_text]
        self.rules = base_rules(r)
        self.inner = None
        self.written = self.correlation(r)
        if r.random() < 0.2:
            self.written["generate"] = r.random() < 0.7
        self.document = {"title": "outer", "id": new_id(r), "status": "test", "correlation": self.written,
                         "level": "high"}

    def correlation(self, r):
        members = r.sample(MEMBERS, r.randint(1, 3) if self.kind.startswith(("event", "value")) else r.randint(2, 3))
        group = r.choice(([], ["user"], ["user"], ["user", "site"]))
        kind = {"expression": "temporal", "not": "temporal"}.get(self.kind, self.kind)
        made = {"type": kind, "rules": [self.named(r, name) for name in members], "timespan": self.span_text}
        if group:
            made["group-by"] = group
        if group == ["user"] and r.random() < 0.2 and self.kind != "chained":
            made["group-by"] = ["who"]
            made["aliases"] = {"who": {name: r.choice(("user", "account")) for name in made["rules"]}}
        if self.kind == "event_count":
            made["condition"] = limits(r, 5)
        elif self.kind == "value_count":
            made["condition"] = {"field": r.choice(("host", ["host", "sent"])), **limits(r, 4)}
        elif self.kind == "temporal" and r.random() < 0.3:
            made["condition"] = {"gte": 2}
        elif self.kind.startswith("value_"):
            made["condition"] = over_values(r, self.kind)
        elif self.kind == "expression":
            made["condition"] = self.expression(r, made["rules"])
        elif self.kind == "not":
            made["condition"] = self.negation(made["rules"], r)
        elif self.kind == "chained":
            made = self.chain(r, made)
        return made

    def named(self, r, name):
        return name if r.random() < 0.8 else next(rule["id"] for rule in self.rules if rule["name"] == name)

    def chain(self, r, made):
        self.inner = {"title": "inner", "id": new_id(r), "name": "many", "status": "test", "level": "low",
                      "correlation": {"type": "event_count", "rules": ["first_rule"], "group-by": ["user"],
                                      "timespan": "30s", "condition": {"gte": r.randint(2, 3)}}}
        made["group-by"] = r.choice((["user"], ["site"]))
        if r.random() < 0.5:
            return {**made, "type": "event_count", "rules": ["many"], "condition": {"gte": 2}}
        return {**made, "type": r.choice(("temporal", "temporal_ordered")),
                "rules": r.choice((["many", "second_rule"], ["second_rule", "many"]))}

    @staticmethod
    def expression(r, members):
        if len(members) < 3:
            return f"{members[0]} {r.choice(('and', 'or'))} {members[1]}"
        return r.choice(("{0} and ({1} or {2})", "{0} or {1} and {2}", "({0} or {1}) and {2}",
                         "{0} and {1} and {2}")).format(*members)

    @staticmethod
    def negation(members, r):
        if len(members) < 3:
            return "{0} and not {1}".format(*members)
        return r.choice(("{0} and {1} and not {2}", "({0} or {1}) and not {2}", "{0} and not ({1} or {2})",
                         "{0} and not {1} and not {2}")).format(*members)

    def documents(self, r=None):
        made = [*self.rules, *([self.inner] if self.inner else []), self.document]
        return r.sample(made, len(made)) if r else made

    def events(self, r, count):
        """In the order of arrival."""
        if self.kind == "not" and r.random() < 0.5:
            return late(r, self.quiet_events(r, count))
        at, made = 0.0, []
        for _ in range(count):
            step = 60 if self.kind == "chained" else self.span
            at += r.choice((0, 0, 0.25, 1, 1, 3, step / 4, step / 2, step)) if r.random() < 0.97 else self.span * 3
            often = self.kind == "chained" and r.random() < 0.6
            made.append((at, self.event(r, "lantern" if often else r.choice(ACTIONS))))
        return late(r, made)

    def event(self, r, action):
        event = {"action": action, "user": r.choice(USERS[:2] if self.kind == "chained" else USERS),
                 "site": r.choice(("s1", "s2")), "account": r.choice(USERS[:3]),
                 "host": r.choice(("a.example", "b.example", "A.example", 443)),
                 "sent": r.choice((1, 50, 99.25, 100, 101, 250, 400, "100", "512.5"))}
        if r.random() < 0.15:
            event["action"] += " " + r.choice(ACTIONS)
        if r.random() < 0.08:
            field = r.choice(("user", "site", "account"))
            event[field] = None
            if r.random() < 0.5:
                del event[field]
        if r.random() < 0.15:
            event["sent"] = r.choice((None, "-"))
        return event

    def quiet_events(self, r, count):
        """Spells far apart: of the first rule alone, or with the second behind it, inside its first hit's window."""
        at, made = 0.0, []
        for _ in range(max(count // 3, 1)):
            user = r.choice(USERS[:3])
            hits = [(0.0, "lantern")] + [(self.span * r.choice((0.1, 0.25, 0.75)), "lantern")] * r.randint(0, 1)
            if r.random() < 0.5:
                hits.append((self.span * r.choice((0.75, 0.8, 0.9)), "orchid"))
            for after, action in hits:
                made.append((at + after, {**self.event(r, action), "action": action, "user": user}))
            at += self.span * r.choice((3, 3.5, 5))
        if r.random() < 0.7:
            made.append((at, self.event(r, "thimble")))
        return sorted(made, key=lambda one: one[0])


def stamped(at, event):
    moment = START + datetime.timedelta(seconds=at)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return {"@timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z", **event}


def late(r, made, chance=0.3):
    """Some arrive later; those of one time keep their order, which is that of the file."""
    places = [number + (r.randint(1, 8) if r.random() < chance else 0) for number in range(len(made))]
    order = sorted(range(len(made)), key=lambda number: places[number])
    return [stamped(*made[number]) for number in order]
