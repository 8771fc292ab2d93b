"""What the naive evaluator does with a rule that it cannot give one meaning to."""


class Refused(Exception):
    """The design says that the set is refused; the text names the feature."""


class Unclear(Exception):
    """The design does not say whether this loads, or as what: tests accept any orderly answer."""
