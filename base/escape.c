#include "base/escape.h"

size_t escape_utf8(uint32_t *out, struct slice s)
{
    static const uint32_t SMALLEST[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)s.data[0];
    if (first < 0x80) {
        *out = first;
        return 1;
    }
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || s.len < len)
        return 0;
    uint32_t point = first & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        uint8_t byte = (uint8_t)s.data[i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (byte & 0x3fU);
    }
    if (point < SMALLEST[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *out = point;
    return len;
}

/* Characters that hide, reorder or break a line of text (Unicode Cc, Cf, Zl, Zp and fillers). */
static bool harmful(uint32_t point)
{
    static const struct {
        uint32_t from;
        uint32_t to;
    } RANGES[] = {
        {0x00, 0x1f},       {0x22, 0x22},     {0x5c, 0x5c},     {0x7f, 0x9f},
        {0xad, 0xad},       {0x34f, 0x34f},   {0x600, 0x605},   {0x61c, 0x61c},
        {0x115f, 0x1160},   {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
        {0x2028, 0x202e},   {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},
        {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a},
        {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]); i++) {
        if (point >= RANGES[i].from && point <= RANGES[i].to)
            return true;
    }
    return false;
}

/* The plain character at s, or 0 when it has to be escaped. */
static size_t plain_len(struct slice s, uint32_t *point)
{
    size_t len = escape_utf8(point, s);
    return len == 0 || harmful(*point) ? 0 : len;
}

bool escape_needed(struct slice s)
{
    for (size_t at = 0; at < s.len;) {
        uint32_t point = 0;
        size_t len = plain_len(slice_from_offset(s, at), &point);
        if (len == 0)
            return true;
        at += len;
    }
    return false;
}

/* Escape one character of s; returns how many bytes it took. */
static size_t escape_one(struct buf *out, struct slice s)
{
    static const char HEX[] = "0123456789abcdef";
    uint32_t point = 0;
    size_t len = escape_utf8(&point, s);
    uint8_t first = (uint8_t)s.data[0];
    if (len == 1 && (first == '\\' || first == '"')) {
        buf_byte(out, '\\');
        buf_byte(out, s.data[0]);
    } else if (len == 1 && (first == '\n' || first == '\r' || first == '\t')) {
        buf_text(out, first == '\n' ? "\\n" : first == '\r' ? "\\r" : "\\t");
    } else if (len <= 1) {
        buf_text(out, "\\x");
        buf_byte(out, HEX[first >> 4]);
        buf_byte(out, HEX[first & 15]);
    } else {
        buf_printf(out, "\\u{%04x}", point);
    }
    return len == 0 ? 1 : len;
}

/* As much of s as fits in `max` bytes of output (0 = all); returns how many bytes of s went. */
static size_t escape_upto(struct buf *out, struct slice s, size_t max)
{
    size_t start = out->len;
    size_t at = 0;
    while (at < s.len && !out->failed) {
        uint32_t point = 0;
        struct slice rest = slice_from_offset(s, at);
        if (max != 0 && out->len - start >= max)
            break;
        size_t len = plain_len(rest, &point);
        if (len == 0) {
            at += escape_one(out, rest);
        } else {
            buf_append(out, rest.data, len);
            at += len;
        }
    }
    return at;
}

void escape_text(struct buf *out, struct slice s)
{
    (void)escape_upto(out, s, 0);
}

void escape_quoted(struct buf *out, struct slice s, size_t max)
{
    buf_byte(out, '"');
    if (escape_upto(out, s, max) < s.len)
        buf_text(out, "...");
    buf_byte(out, '"');
}
