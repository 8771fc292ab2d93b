"""The condition language: identifiers, and, or, not, brackets, 1 / any / all of a pattern or of them.

A parsed condition is a function of the set of names that hold.
"""
import re

from refusal import Refused, Unclear

WORD = re.compile(r"[ \t\r\n]*([()|]|[^ \t\r\n()|]+)")
QUANTIFIERS = {"1": any, "any": any, "all": all}
WORDS = ("and", "or", "not", "of", "any", "all", "them")
DEPTH_MAX = 32


class Condition:
    def __init__(self, text, names, pick=True):
        """names: what identifiers may be; pick: whether `1 of` and the like are allowed."""
        if not isinstance(text, str) or not text.strip(" \t\r\n"):
            raise Refused("condition: empty or no text")
        self.names, self.pick, self.used, self.negates = names, pick, [], False
        self.words = [found.group(1) for found in WORD.finditer(text.strip(" \t\r\n"))]
        if "|" in self.words:
            raise Refused("condition: aggregation by | is obsolete")
        for word in self.words:
            if word not in names and word != word.lower() and word.lower() in WORDS:
                raise Unclear(f"condition: {word} in capitals")
        self.at = 0
        self.depth = 0
        self.holds = self.either()
        if self.at < len(self.words):
            raise Refused(f"condition: {self.words[self.at]!r} where an operator or the end is expected")

    def next(self):
        return self.words[self.at] if self.at < len(self.words) else None

    def take(self, word):
        if self.next() != word:
            return False
        self.at += 1
        return True

    def either(self):
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        return lambda held: any(part(held) for part in parts)

    def both(self):
        parts = [self.negation()]
        while self.take("and"):
            parts.append(self.negation())
        return lambda held: all(part(held) for part in parts)

    def negation(self):
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Unclear("condition: nested very deeply")
        try:
            if self.take("not"):
                self.negates = True
                inner = self.negation()
                return lambda held: not inner(held)
            if self.take("("):
                inner = self.either()
                if not self.take(")"):
                    raise Refused("condition: a bracket is not closed")
                return inner
            return self.operand()
        finally:
            self.depth -= 1

    def operand(self):
        word = self.next()
        if word is None or word in (")", "and", "or"):
            raise Refused("condition: an operand is missing")
        self.at += 1
        if self.pick and self.next() == "of":
            self.at += 1
            return self.quantifier(word)
        if word == "of" and word not in self.names:
            raise Unclear("condition: of without what it is of")
        if word not in self.names:
            raise Refused(f"condition: {word} is not defined")
        self.used.append(word)
        return lambda held: word in held

    def quantifier(self, word):
        pattern = self.next()
        self.at += 1
        if word not in QUANTIFIERS:
            raise Refused(f"condition: {word} of: the quantifiers are 1, any and all")
        if pattern is None or pattern in "()":
            raise Refused("condition: what should follow 'of'?")
        chosen = self.select(pattern)
        if not chosen:
            raise Refused(f"condition: {pattern} selects nothing")
        self.used += chosen
        judge = QUANTIFIERS[word]
        return lambda held: judge(name in held for name in chosen)

    def select(self, pattern):
        if pattern == "them":
            return [name for name in self.names if not name.startswith("_")]
        if "?" in pattern:
            raise Unclear(f"condition: pattern {pattern}")
        form = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
        chosen = [name for name in self.names if form.fullmatch(name)]
        if not pattern.startswith("_") and any(name.startswith("_") for name in chosen):
            raise Unclear(f"condition: does {pattern} select names that begin with an underscore?")
        return chosen
