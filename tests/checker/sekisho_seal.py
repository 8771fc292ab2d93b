"""Sealed segments, opened by docs/format.md, chapter "Sealed segments": XChaCha20-Poly1305 in plain Python, so that no
library is shared with the program that wrote them. About half a megabyte a second.
"""
import base64
import hashlib
import struct

from sekisho_batch import need

MASK = (1 << 32) - 1
SIGMA = (0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)  # "expand 32-byte k"
ROUNDS = tuple(tuple(quarter) for quarter in
               ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)))
TAG = 16
STATES = ("active", "old", "destroyed")


def rounds(state):
    """The twenty rounds of ChaCha."""
    x = list(state)
    for _ in range(10):
        for a, b, c, d in ROUNDS:
            xa, xb, xc, xd = x[a], x[b], x[c], x[d]
            xa = xa + xb & MASK
            xd ^= xa
            xd = (xd << 16 | xd >> 16) & MASK
            xc = xc + xd & MASK
            xb ^= xc
            xb = (xb << 12 | xb >> 20) & MASK
            xa = xa + xb & MASK
            xd ^= xa
            xd = (xd << 8 | xd >> 24) & MASK
            xc = xc + xd & MASK
            xb ^= xc
            xb = (xb << 7 | xb >> 25) & MASK
            x[a], x[b], x[c], x[d] = xa, xb, xc, xd
    return x


def hchacha20(key, nonce):
    x = rounds(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *x[:4], *x[12:])


def chacha20(key, nonce, counter, count):
    """So many bytes of the stream."""
    fixed = SIGMA + struct.unpack("<8I", key)
    out = []
    for number in range(counter, counter + (count + 63) // 64):
        state = fixed + (number,) + struct.unpack("<3I", nonce)
        out.append(struct.pack("<16I", *(a + b & MASK for a, b in zip(rounds(state), state))))
    return b"".join(out)[:count]


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at:at + 16] + b"\x01", "little")) * r % ((1 << 130) - 5)
    return (total + int.from_bytes(key[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")


def padded(data):
    return data + bytes(-len(data) % 16)


def open_xchacha20(key, nonce, piece, more):
    """The plain bytes of a piece to which `more` is bound, or None."""
    key, nonce = hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    sealed, tag = piece[:-TAG], piece[-TAG:]
    text = padded(more) + padded(sealed) + struct.pack("<QQ", len(more), len(sealed))
    if poly1305(chacha20(key, nonce, 0, 32), text) != tag:
        return None
    stream = chacha20(key, nonce, 1, len(sealed))
    return (int.from_bytes(sealed, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(sealed), "little")


class Seal:
    """What opens the pieces of one file."""

    tag = TAG

    def __init__(self, secret, salt, prefix, header):
        self.prefix, self.header = prefix, header
        self.key = hashlib.blake2b(header, digest_size=32, key=secret, salt=salt,
                                   person=b"sekisho segment").digest()

    def open(self, at, piece):
        plain = None
        if len(piece) >= TAG:
            plain = open_xchacha20(self.key, self.prefix + struct.pack("<Q", at), piece, self.header)
        need(plain is not None, "a sealed piece does not open")
        return plain


class Clear:
    """The same for a file that is not sealed."""

    tag = 0

    def open(self, _, piece):
        return piece


class Keyring:
    """(code, id) -> secret, None where it was destroyed."""

    def __init__(self, text):
        lines = text.split("\n")
        need(lines[0] == "sekisho keyring v1" and lines[-1] == "", "not a keyring")
        self.secrets, active = {}, set()
        for line in lines[1:-1]:
            word, code, name, state, _, *secret = line.split(" ")
            need(word == "key" and state in STATES and len(secret) == (state != "destroyed"), "not a key")
            tenant, number = int(code), bytes.fromhex(name)
            need((tenant, number) not in self.secrets, "a key stands twice")
            need(state != "active" or tenant not in active, "two active keys")
            if state == "active":
                active.add(tenant)
            self.secrets[tenant, number] = self.secret(tenant, number, secret[0]) if secret else None

    def secret(self, tenant, number, text):
        secret = base64.b64decode(text, validate=True)
        digest = hashlib.blake2b(struct.pack("<I", tenant), digest_size=16, key=secret,
                                 person=b"sekisho key id").digest()
        need(len(secret) == 32 and digest[:8] == number, "a key is not the one that its id names")
        return secret

    def get(self, tenant, number):
        return self.secrets.get((tenant, number))
