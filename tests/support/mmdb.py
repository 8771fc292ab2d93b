"""MaxMind databases of a few networks, and hostile ones of the same form."""
import ipaddress

EMPTY = None
SEPARATOR = bytes(16)
MARK = b"\xab\xcd\xefMaxMind.com"


def value(v):
    """A value of the data section; pointers are ("pointer", offset)."""
    if isinstance(v, tuple):
        return bytes([1 << 5 | 3 << 3]) + v[1].to_bytes(4, "big")
    if isinstance(v, str):
        return control(2, len(v.encode())) + v.encode()
    if isinstance(v, int):
        return control(6, 4) + v.to_bytes(4, "big")
    if isinstance(v, dict):
        return control(7, len(v)) + b"".join(value(k) + value(e) for k, e in v.items())
    return control(11, len(v)) + b"".join(value(e) for e in v)


def control(kind, size):
    assert size < 285
    low = min(size, 29)
    return bytes([(kind << 5 if kind < 8 else 0) | low]) + (bytes([kind - 7]) if kind >= 8 else b"") + \
        (bytes([size - 29]) if low == 29 else b"")


def number16(v):
    return control(5, 2) + v.to_bytes(2, "big")


def database(networks, extra=b"", tail=None):
    """networks: {IPv4 network: value}. extra: more data, which pointers reach at extra_at(networks). tail: the value of
    192.0.0.0/2 as an offset into the data."""
    nodes, data = [[EMPTY, EMPTY]], b""
    for text, what in networks.items():
        network, node = ipaddress.ip_network(text), 0
        bits = [int(network.network_address) >> (31 - i) & 1 for i in range(network.prefixlen)]
        for bit in bits[:-1]:
            if nodes[node][bit] is EMPTY:
                nodes.append([EMPTY, EMPTY])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        nodes[node][bits[-1]] = ("data", len(data))
        data += value(what)
    data += extra
    if tail is not None:
        nodes[0][1] = ("data", tail)
    tree = b"".join((len(nodes) if r is EMPTY else r if isinstance(r, int) else len(nodes) + 16 + r[1]).to_bytes(4, "big")
                    for node in nodes for r in node)
    meta = {"database_type": "Invented", "description": {"en": "invented"}, "languages": ["en"], "node_count": len(nodes)}
    numbers = {"binary_format_major_version": 2, "binary_format_minor_version": 0, "ip_version": 4, "record_size": 32}
    return tree + SEPARATOR + data + MARK + control(7, len(meta) + len(numbers) + 1) + \
        b"".join(value(k) + value(v) for k, v in meta.items()) + \
        b"".join(value(k) + number16(v) for k, v in numbers.items()) + value("build_epoch") + control(9, 1) + b"\x01"


def country(code):
    return {"country": {"iso_code": code, "names": {"en": f"land of {code}"}}}


def system(number):
    return {"autonomous_system_number": number, "autonomous_system_organization": f"net of {number}"}


def bomb(levels=12, width=16):
    """Arrays of pointers to arrays of pointers: width ** levels values for whoever unfolds it."""
    data, before = value("x"), 0
    for _ in range(levels):
        at, data = len(data), data + value([("pointer", before)] * width)
        before = at
    return database({}, data, before)
