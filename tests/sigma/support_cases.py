"""The cases of tests/sigma/support/*.yml: what of Sigma holds and what is refused, each as a rule file with events.

One source for three: tests/fault/test_rules_support.py runs them, tests/style/check_support.py wants a case for every
modifier, correlation type, operator, unit and layer that the program has, and docs/sigma-support.md is made of them.
Paths are relative to the root of the repository.
"""
import collections
import datetime
import json
import pathlib
import re

import yaml

FOLDER, PAGE = pathlib.Path("tests/sigma/support"), pathlib.Path("docs/sigma-support.md")
BEGIN = "<!-- made by tests/style/check_support.py --write from tests/sigma/support/; not to be edited -->"
END = "<!-- end of what is made -->"
HEAD = "title: {0}\nid: {0}\nlogsource: {{category: {1}}}\n"
SELECTIONS = "s1: {a: 1}, s2: {b: 2}, t: {c: 3}"
VALUES = {"s1": ("a", 1), "s2": ("b", 2), "t": ("c", 3)}
START = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
KINDS = ("item", "selection", "condition", "correlation", "filter", "document")

Group = collections.namedtuple("Group", "title words cases")


class Case:
    """What a line of a file says: `written` is the part that is its point, `text` the rule file that it makes."""

    def __init__(self, where, said):
        self.where, self.said = where, said
        kinds = [kind for kind in KINDS if kind in said]
        if len(kinds) != 1:
            raise ValueError(f"{where}: one of {', '.join(KINDS)} is wanted")
        self.kind, self.written = kinds[0], str(said[kinds[0]])
        self.refused, self.placeholders = said.get("refused"), said.get("placeholders", {})
        if ("refused" in said) == any(key in said for key in ("finds", "passes", "alerts")):
            raise ValueError(f"{where}: a case is refused, or it finds something")
        self.form = said.get("form", "")
        self.text = getattr(self, "_" + self.kind)()

    def _item(self):
        return HEAD.format("r1", "proxy") + f"detection:\n  s:\n    {self.written}\n  condition: s\n"

    def _selection(self):
        return HEAD.format("r1", "proxy") + f"detection: {{s: {self.written}, condition: s}}\n"

    def _condition(self):
        plain = self.written[:1] in "[{"
        condition = self.written if plain else json.dumps(self.written)
        return HEAD.format("r1", "proxy") + f"detection: {{{SELECTIONS}, condition: {condition}}}\n"

    def _correlation(self):
        rules = [HEAD.format(f"r{n}", "proxy") + f"detection: {{s: {{a: {value}}}, condition: s}}\n"
                 for n, value in enumerate("xyz", 1)]
        last = [f"title: {name}\nid: {name}\ncorrelation: {{{body}}}\n"
                for name, body in (("c1", self.written), ("c2", self.said.get("over"))) if body]
        return "---\n".join(rules + last)

    def _filter(self):
        rules = [HEAD.format(name, "proxy") + more + "detection: {s: {a|exists: true}, condition: s}\n"
                 for name, more in (("r1", "name: by_name\n"), ("r2", ""))]
        ours = f"sekisho: {{{self.said['ours']}}}\n" if "ours" in self.said else ""
        own = HEAD.format("f1", self.said.get("category", "proxy")) + f"filter: {{{self.written}}}\n{ours}"
        return "---\n".join(rules + [own])

    def _document(self):
        return self.written

    def events(self):
        """The events as JSON lines, and what `rule eval` must print for them: (matches of rules, events of alerts)."""
        if self.kind == "correlation":
            events = []
            for line in self.said["events"]:
                second, *pairs = line.split()
                at = START + datetime.timedelta(seconds=int(second))
                events.append({"@timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **dict(p.split("=") for p in pairs)})
            return events, self.said.get("finds", {}), self.said["alerts"]
        if self.kind == "condition":
            finds, passes = ([dict(VALUES[name] for name in words.split()) for words in self.said[key]]
                             for key in ("finds", "passes"))
        else:
            finds, passes = self.said["finds"], self.said["passes"]
        return finds + passes, {"r1": list(range(len(finds)))}, []

    def modifiers(self):
        """Of an item's key."""
        if self.kind != "item":
            return []
        key = re.match(r"'([^']*)'|[^:]*", self.written)
        return (key[1] if key[1] is not None else key[0]).split("|")[1:]

    def used(self):
        """{(table, word)} of the program's tables that a case which holds shows."""
        words = {("modifier", m) for m in self.modifiers()}
        if self.kind == "correlation":
            body = yaml.safe_load(f"{{{self.written}}}")
            condition = body.get("condition")
            words |= {("type", body.get("type")), ("unit", str(body.get("timespan"))[-1])}
            words |= {("operator", key) for key in condition} if isinstance(condition, dict) else set()
        if self.kind == "filter":
            words.add(("layer", (yaml.safe_load(f"{{{self.said.get('ours', '')}}}") or {}).get("layer", "base")))
        return set() if self.refused else words


def load(folder=FOLDER):
    groups = []
    for path in sorted(folder.glob("*.yml")):
        said = yaml.safe_load(path.read_text())
        groups.append(Group(said["title"], said["words"],
                            [Case(f"{path}, case {n}", case) for n, case in enumerate(said["cases"], 1)]))
    return groups


def table(path, start, row):
    """The words of a table in C: from `start` to its end, each in a `row`."""
    text = pathlib.Path(path).read_text()
    at = text.index(start)
    return re.findall(row, text[at:text.index("};", at)])


def program_words():
    """{(table, word)} of what the program has, from its own tables."""
    modifiers = pathlib.Path("detect/sigma_modifiers.def").read_text()
    correlation = "detect/sigma_correlation.c"
    return ({("modifier", w) for w in re.findall(r'^MODIFIER\(\w+, "(\w+)"', modifiers, re.M)} |
            {("type", w) for w in table(correlation, "TYPES[", r'= "(\w+)"')} |
            {("operator", w) for w in table(correlation, "BOUNDS[", r'= "(\w+)"')} |
            {("unit", w) for w in table(correlation, "UNITS[", r"\{'(\w)',")} |
            {("layer", w) for w in table("detect/sigma_filter.c", "LAYERS[", r'"(\w+)"')})


def missing(groups):
    """Words of the program that no case shows."""
    return sorted(program_words() - {word for group in groups for case in group.cases for word in case.used()})


# The page

def code(text):
    text = " ".join(str(text).split()).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def event(value):
    return code(json.dumps(value, ensure_ascii=False))


def beside(case):
    """What is written, with what stands beside it in the test."""
    more = {"over": "then ", "ours": "sekisho: ", "category": "category: ", "placeholders": "lists "}
    return code(case.written) + "".join(
        f", {words}{code(json.dumps(case.said[key]) if key == 'placeholders' else case.said[key])}"
        for key, words in more.items() if key in case.said)


def held_row(case):
    if case.kind == "condition":
        return [code(case.written), *(", ".join(words.replace(" ", " and ") or "none" for words in case.said[key])
                                      for key in ("finds", "passes"))]
    if case.kind == "correlation":
        return [case.form, beside(case), code("; ".join(case.said["events"])),
                ", ".join(f"event {number}" for number in case.said["alerts"])]
    form = (", ".join(f"`{m}`" for m in case.modifiers()) or "none") if case.kind == "item" else case.form
    return [form, beside(case), *(" ".join(map(event, case.said[key])) or "nothing" for key in ("finds", "passes"))]


COLUMNS = {"item": ["modifiers", "written", "finds", "does not find"],
           "condition": ["written", "holds with", "does not hold with"],
           "correlation": ["what", "written", "events: second and fields", "alert at, from 0"]}


def rows(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    yield from ("| " + " | ".join(line) + " |" for line in lines)
    yield ""


def render(groups):
    lines = [BEGIN, ""]
    for group in groups:
        held = [case for case in group.cases if not case.refused]
        refused = [case for case in group.cases if case.refused]
        kind = group.cases[0].kind
        lines += [f"## {group.title}", "", group.words, ""]
        lines += rows(COLUMNS.get(kind, ["what", "written", "finds", "does not find"]), map(held_row, held))
        lines += ["Refused:", ""] if refused else []
        if refused and kind in ("item", "condition"):
            lines += rows(["written", "what is said"], ([code(c.written), code(c.refused)] for c in refused))
        elif refused:
            lines += rows(["what", "written", "what is said"],
                          ([c.form, beside(c), code(c.refused)] for c in refused))
    return "\n".join(lines + [END]) + "\n"


def page_with(text, made):
    """The page with what is made in the place of what was made before; None where the marks are not there."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        return None
    return text[:text.index(BEGIN)] + made + text[text.index(END) + len(END):].lstrip("\n")
