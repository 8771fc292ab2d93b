#!/usr/bin/env python3
"""The code points of CP932 and JIS X 0212, from Python's own codecs, as C on standard output (0 = not assigned).

EUC-JP's first plane is JIS X 0208, whose characters are those of CP932: one character has one code point,
whichever of the two encodings it came in.
"""


def point(data, codec):
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return 0
    return ord(text) if len(text) == 1 and ord(text) < 0x10000 else 0


def table(name, size, points):
    lines = [f"const uint16_t {name}[{size}] = {{"]
    for at in range(0, len(points), 12):
        lines.append("    " + " ".join(f"{p:#06x}," for p in points[at:at + 12]))
    return "\n".join(lines + ["};"])


def main():
    leads = [*range(0x81, 0xa0), *range(0xe0, 0xfd)]
    cp932 = [point(bytes([lead, trail]), "cp932") for lead in leads for trail in range(0x40, 0xfd)]
    jisx0212 = [point(bytes([0x8f, row, cell]), "euc_jp")
                for row in range(0xa1, 0xff) for cell in range(0xa1, 0xff)]
    print('#include "base/charset_points.h"\n')
    print(table("CHARSET_CP932_POINTS", "CHARSET_CP932_COUNT", cp932) + "\n")
    print(table("CHARSET_JISX0212_POINTS", "CHARSET_JISX0212_COUNT", jisx0212))


if __name__ == "__main__":
    main()
