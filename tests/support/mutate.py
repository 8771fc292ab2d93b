"""Log lines with things wrong in them, as devices, relays and attackers make them."""
import re

PAIR = re.compile(rb"[A-Za-z_]+=(\"[^\"]*\"|\S+)")
CP932 = ["霞野市役所".encode("cp932"), "ソ能表予".encode("cp932"), "ﾃｽﾄ".encode("cp932")]  # with 0x5c as second byte


def flip_bits(r, line):
    for _ in range(r.randint(1, 3)):
        line[r.randrange(len(line))] ^= 1 << r.randrange(8)


def add_quote(r, line):
    line.insert(r.randrange(len(line)), ord("\""))


def drop_quote(r, line):
    at = line.find(b"\"", r.randrange(len(line)))
    if at >= 0:
        del line[at]


def add_nul(r, line):
    at = r.randrange(len(line))
    line[at:at] = b"\0" * r.choice((1, 1, 3))


def end_crlf(_r, line):
    line += b"\r"


def add_cp932(r, line):
    at = r.randrange(len(line))
    line[at:at] = r.choice(CP932)


def double_key(r, line):
    """The same key again: with its value, another one, or elsewhere."""
    pairs = list(PAIR.finditer(line))
    if pairs:
        pair = bytes(r.choice(pairs).group())
        if r.random() < 0.5:
            pair = pair.split(b"=")[0] + b"=" + (b"\"twice\"" if r.random() < 0.5 else b"0")
        at = r.choice(pairs).start()
        line[at:at] = pair + b" "
    else:
        line += b"," + line[-r.randint(1, 20):]


def cut_end(r, line):
    del line[r.randrange(len(line)):]


def cut_head(r, line):
    del line[:r.randrange(len(line))]


def add_comma(r, line):
    line.insert(r.randrange(len(line)), r.choice(b", \t=\\|%"))


def number_form(r, line):
    """A number that is not canonical: 007, 0x7, -7, 7.0, very long."""
    found = list(re.finditer(rb"(?<![\d.])\d{1,5}(?![\d.])", line))
    if found:
        at = r.choice(found)
        value = at.group()
        line[at.start():at.end()] = r.choice((b"00" + value, b"-" + value, value + b".0", b"0x" + value, b"9" * 30))


def empty(_r, line):
    del line[:]


def blanks(r, line):
    line[:] = r.choice((b" ", b"\t", b"\r", b"-", b"\0", b"\"", b"\\", b"=", b",,,,,,,,"))


def join_tail(r, line):
    line += line[r.randrange(len(line)):]


def add_escape(r, line):
    at = r.randrange(len(line))
    line[at:at] = r.choice((b"\x1b[31m", b"\\\"", b"\\", b"#011", b"\xe2\x80\xae", b"\xc0\xaf", b"\xff", b"%00", b"<b>",
                            b"\xed\xa0\x80", b"\xef\xbb\xbf", b"{{", b"=cmd|' /C calc'!A0"))


KINDS = [flip_bits, flip_bits, add_quote, drop_quote, add_nul, end_crlf, add_cp932, double_key, double_key, cut_end,
         cut_head, add_comma, number_form, empty, blanks, join_tail, add_escape, add_escape]


def mutate(r, line):
    """A copy of the line with one to three things wrong in it; never a line feed."""
    line = bytearray(line)
    for _ in range(r.choice((1, 1, 1, 2, 3))):
        if line:
            r.choice(KINDS)(r, line)
    return bytes(line.replace(b"\n", b"\x0b"))
