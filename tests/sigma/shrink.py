"""The smallest rule and event that still show a difference: leave out what can be left out."""
import copy


def children(value):
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


KEPT = ("title", "id", "name", "status", "level", "logsource", "@timestamp")


def paths(value, before=()):
    """Every place in a tree that may go, outermost first."""
    names = [name for name in children(value) if name not in KEPT]
    for name in names:
        yield (*before, name)
    for name in names:
        yield from paths(value[name], (*before, name))


def without(tree, path):
    tree = copy.deepcopy(tree)
    parent = tree
    for name in path[:-1]:
        parent = parent[name]
    del parent[path[-1]]
    return tree


def shorter(tree, path):
    """Trees with the text at the path cut: halves, then single characters, then a simpler condition."""
    parent = tree
    for name in path[:-1]:
        parent = parent[name]
    text = parent[path[-1]]
    if not isinstance(text, str):
        return
    cuts = [(0, len(text) // 2), (len(text) // 2, len(text))] + [(at, at + 1) for at in range(len(text))]
    if path[-1] == "condition":
        words = text.replace("(", " ( ").replace(")", " ) ").split()
        for at in range(len(words)):
            for end in range(at + 1, len(words) + 1):
                yield replaced(tree, path, " ".join(words[at:end]))
        return
    for start, end in cuts:
        if end > start:
            yield replaced(tree, path, text[:start] + text[end:])


def replaced(tree, path, value):
    tree = copy.deepcopy(tree)
    parent = tree
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return tree


def fewer(tree, name, fails):
    """The tree with as few items in one of its lists as simple halving finds."""
    size = len(tree[name])
    while size >= 1:
        at = 0
        while at < len(tree[name]):
            smaller = {**tree, name: tree[name][:at] + tree[name][at + size:]}
            if fails(smaller):
                tree = smaller
            else:
                at += size
        size //= 2
    return tree


def shrink(tree, fails, tries=300):
    """The tree with parts of its branches left out as long as fails(tree) holds."""
    for name in tree:
        tree = fewer(tree, name, fails)
    again = True
    while again and tries > 0:
        again = False
        for path in [path for path in paths(tree) if len(path) > 1]:
            candidates = [without(tree, path)]
            candidates += list(shorter(tree, path))
            for smaller in candidates:
                tries -= 1
                if tries > 0 and fails(smaller):
                    tree, again = smaller, True
                    break
            if again:
                break
    return tree
