#include "detect/sigma_pattern.h"

#include <string.h>

#include "base/buf.h"
#include "base/escape.h"

static bool is_special(char c)
{
    return c == '*' || c == '?' || c == '\\';
}

static struct slice keep(struct arena *arena, struct buf *text)
{
    struct slice out = {0};
    if (buf_ok(text))
        out = slice_of(arena_copy(arena, buf_content(text)), text->len);
    buf_release(text);
    return out;
}

struct slice pattern_read(struct arena *arena, struct slice text)
{
    struct buf out = {0};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\\') {
            if (i + 1 < text.len && is_special(text.data[i + 1]))
                c = text.data[++i];
            buf_byte(&out, '\\');
            buf_byte(&out, c);
        } else {
            buf_byte(&out, c);
        }
    }
    return keep(arena, &out);
}

struct slice pattern_plain(struct arena *arena, struct slice text)
{
    struct buf out = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (is_special(text.data[i]))
            buf_byte(&out, '\\');
        buf_byte(&out, text.data[i]);
    }
    return keep(arena, &out);
}

bool pattern_has_wildcard(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '\\')
            i++;
        else if (is_special(pattern.data[i]))
            return true;
    }
    return false;
}

struct slice pattern_bytes(struct arena *arena, struct slice pattern)
{
    struct buf out = {0};
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '\\' && i + 1 < pattern.len)
            i++;
        buf_byte(&out, pattern.data[i]);
    }
    return keep(arena, &out);
}

struct slice pattern_around(struct arena *arena, struct slice pattern, bool before, bool after)
{
    struct buf out = {0};
    if (before)
        buf_byte(&out, '*');
    buf_slice(&out, pattern);
    if (after)
        buf_byte(&out, '*');
    return keep(arena, &out);
}

static void base64_append(struct buf *out, struct slice bytes)
{
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t group = 0;
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < have ? (unsigned char)bytes.data[i + k] : 0U);
        for (size_t k = 0; k <= have; k++)
            buf_byte(out, LETTERS[group >> (18 - 6 * k) & 63]);
        for (size_t k = have; k < 3; k++)
            buf_byte(out, '=');
    }
}

struct slice pattern_base64(struct arena *arena, struct slice bytes)
{
    struct buf out = {0};
    base64_append(&out, bytes);
    return keep(arena, &out);
}

struct slice pattern_base64_offset(struct arena *arena, struct slice bytes, unsigned offset)
{
    static const size_t HEAD[SIGMA_OFFSETS] = {0, 2, 3}; /* letters that the bytes before share */
    static const size_t TAIL[3] = {0, 3, 2};             /* and those behind */
    struct buf shifted = {0};
    struct buf text = {0};
    for (unsigned i = 0; i < offset; i++)
        buf_byte(&shifted, ' ');
    buf_slice(&shifted, bytes);
    base64_append(&text, buf_content(&shifted));
    size_t from = HEAD[offset < SIGMA_OFFSETS ? offset : 0];
    size_t cut = TAIL[(bytes.len + offset) % 3];
    struct slice out = {.data = "", .len = 0};
    if (buf_ok(&shifted) && buf_ok(&text) && text.len > from + cut) {
        struct slice middle = slice_of(text.data + from, text.len - from - cut);
        out = slice_of(arena_copy(arena, middle), middle.len);
    } else if (!buf_ok(&shifted) || !buf_ok(&text)) {
        out = (struct slice){0};
    }
    buf_release(&shifted);
    buf_release(&text);
    return out;
}

static void unit_append(struct buf *out, uint32_t unit, bool big)
{
    buf_byte(out, (char)(big ? unit >> 8 & 0xff : unit & 0xff));
    buf_byte(out, (char)(big ? unit & 0xff : unit >> 8 & 0xff));
}

struct slice pattern_utf16(struct arena *arena, struct slice bytes, enum sigma_utf16 order)
{
    struct buf out = {0};
    bool big = order == SIGMA_UTF16_BE;
    if (order == SIGMA_UTF16_MARK)
        unit_append(&out, 0xfeff, false);
    for (size_t at = 0; at < bytes.len;) {
        uint32_t point = 0;
        size_t len = escape_utf8(&point, slice_from_offset(bytes, at));
        if (len == 0)
            point = 0xfffd;
        if (point > 0xffff) {
            unit_append(&out, 0xd800 + ((point - 0x10000) >> 10), big);
            unit_append(&out, 0xdc00 + ((point - 0x10000) & 0x3ff), big);
        } else {
            unit_append(&out, point, big);
        }
        at += len == 0 ? 1 : len;
    }
    return keep(arena, &out);
}

/* Bytes of the dash at `at`, or 0. */
static size_t dash_len(struct slice s, size_t at)
{
    if (s.data[at] == '-' || s.data[at] == '/')
        return 1;
    if (s.len - at < 3 || memcmp(s.data + at, "\xe2\x80", 2) != 0)
        return 0;
    unsigned char last = (unsigned char)s.data[at + 2];
    return last >= 0x93 && last <= 0x95 ? 3 : 0;
}

bool pattern_has_dash(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (dash_len(pattern, i) != 0)
            return true;
    }
    return false;
}

struct slice pattern_windash(struct arena *arena, struct slice pattern)
{
    struct buf out = {0};
    buf_text(&out, "(?s)\\A");
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.data[i];
        size_t dash = dash_len(pattern, i);
        if (dash != 0) {
            buf_text(&out, "(?:[-/]|\\xe2\\x80[\\x93-\\x95])");
            i += dash - 1;
        } else if (c == '*') {
            buf_text(&out, ".*");
        } else if (c == '?') {
            buf_text(&out, "(?>[\\xc2-\\xdf][\\x80-\\xbf]|[\\xe0-\\xef][\\x80-\\xbf]{2}|"
                           "[\\xf0-\\xf4][\\x80-\\xbf]{3}|.)");
        } else {
            if (c == '\\' && i + 1 < pattern.len)
                c = pattern.data[++i];
            bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (word || c == ' ')
                buf_byte(&out, c);
            else
                buf_printf(&out, "\\x%02x", (unsigned)(unsigned char)c);
        }
    }
    buf_text(&out, "\\z");
    return keep(arena, &out);
}
