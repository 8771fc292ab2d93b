"""Rules as YAML and events as NDJSON, written in the several ways that people and tools write them."""
import json

from values import Number


class Raw(str):
    """A scalar that stands in the YAML as it is."""


def scalar(value, r):
    if value is None:
        return r.choice(("null", "~")) if r else "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Number)):
        return str(value)
    if isinstance(value, Raw):
        return value
    printable = value.isprintable() and value == value.strip()
    if printable and r and r.random() < 0.5:
        return "'" + value.replace("'", "''") + "'"
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in quoted) if r and r.random() < 0.2 else quoted


def key(name, r):
    plain = name.replace("_", "").replace("-", "").isalnum() and name.isascii() and name[0].isalpha()
    return name if plain else scalar(name, r)


def lines(value, indent, r):
    """Block style for maps, block or flow style for lists."""
    pad = " " * indent
    if isinstance(value, dict):
        if not value:
            return [pad + "{}"]
        found = []
        for name, inner in value.items():
            if isinstance(inner, dict) and inner or (isinstance(inner, list) and block(inner, r)):
                found += [f"{pad}{key(name, r)}:"] + lines(inner, indent + 2, r)
            else:
                found.append(f"{pad}{key(name, r)}: {flow(inner, r)}")
        return found
    if isinstance(value, list):
        found = []
        for inner in value:
            if isinstance(inner, (dict, list)) and inner:
                first, *rest = lines(inner, indent + 2, r)
                found += [pad + "- " + first.lstrip(" ")] + rest
            else:
                found.append(f"{pad}- {flow(inner, r)}")
        return found
    return [pad + scalar(value, r)]


def block(items, r):
    return bool(items) and (any(isinstance(item, dict) for item in items) or (r is not None and r.random() < 0.5))


def flow(value, r):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(name, None)}: {flow(inner, r)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(inner, r) for inner in value) + "]"
    return scalar(value, r)


def yaml_text(documents, r=None):
    return "---\n".join("\n".join(lines(document, 0, r)) + "\n" for document in documents)


def ndjson_text(events, r=None):
    return "".join(json.dumps(event, ensure_ascii=bool(r and r.random() < 0.3)) + "\n" for event in events)
