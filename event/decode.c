#include "event/batch.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool writing_is_encoded(struct slice text, uint8_t writing)
{
    switch ((enum slot_kind)writing) {
    case SLOT_C_ESCAPED:
    case SLOT_JSON_STRING:
    case SLOT_CEF:
        return memchr(text.data, '\\', text.len) != NULL;
    case SLOT_CSV_DOUBLED:
        return memchr(text.data, '"', text.len) != NULL;
    case SLOT_FORM:
        return memchr(text.data, '%', text.len) != NULL || memchr(text.data, '+', text.len) != NULL;
    case SLOT_PERCENT:
        return memchr(text.data, '%', text.len) != NULL;
    case SLOT_PLAIN:
    case SLOT_KEY:
    case SLOT_NULL:
    case SLOT_KIND_COUNT:
        break;
    }
    return false;
}

bool value_is_encoded(struct slice text, uint8_t kind)
{
    if (text.len == 0)
        return false;
    return writing_is_encoded(text, slot_writing(kind)) ||
           (slot_charset(kind) != CHARSET_UTF8 && !charset_is_ascii(text));
}

static void decode_percent(struct buf *out, struct slice text, bool form)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%' && i + 2 < text.len) {
            int high = hex_digit(text.data[i + 1]);
            int low = hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                buf_byte(out, (char)(high * 16 + low));
                i += 2;
                continue;
            }
        }
        buf_byte(out, (char)(form && c == '+' ? ' ' : c));
    }
}

/* Four hexadecimal digits at text[at], or -1. */
static int32_t hex4(struct slice text, size_t at)
{
    if (at + 4 > text.len)
        return -1;
    int32_t v = 0;
    for (size_t i = at; i < at + 4; i++) {
        int digit = hex_digit(text.data[i]);
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* The \uXXXX (or surrogate pair) whose 'u' stands at `at`; returns how many bytes it took, or 0. */
static size_t decode_unicode(struct buf *out, struct slice text, size_t at)
{
    int32_t high = hex4(text, at + 1);
    if (high < 0)
        return 0;
    if (high < 0xd800 || high > 0xdfff) {
        charset_put(out, (uint32_t)high);
        return 5;
    }
    if (high < 0xdc00 && at + 6 < text.len && text.data[at + 5] == '\\' &&
        text.data[at + 6] == 'u') {
        int32_t low = hex4(text, at + 7);
        if (low >= 0xdc00 && low <= 0xdfff) {
            charset_put(out,
                        0x10000U + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
            return 11;
        }
    }
    return 0;
}

/* The byte that a backslash and `c` mean, or 0 when they stand for themselves. */
static char escaped_byte(char c, uint8_t kind)
{
    bool json = kind == SLOT_JSON_STRING;
    bool cef = kind == SLOT_CEF;
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '=':
    case '|':
        return (char)(cef ? c : '\0');
    case '\'':
        return (char)(json || cef ? '\0' : c);
    case '/':
        return (char)(json ? c : '\0');
    case 'b':
        return json ? '\b' : '\0';
    case 'f':
        return json ? '\f' : '\0';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return (char)(cef ? '\0' : '\t');
    default:
        return '\0';
    }
}

static void decode_backslash(struct buf *out, struct slice text, uint8_t kind)
{
    bool json = kind == SLOT_JSON_STRING;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\\' || i + 1 == text.len) {
            buf_byte(out, text.data[i]);
            continue;
        }
        size_t taken = json && text.data[i + 1] == 'u' ? decode_unicode(out, text, i + 1) : 0;
        char byte = escaped_byte(text.data[i + 1], kind);
        if (taken != 0) {
            i += taken;
        } else if (byte != '\0') {
            buf_byte(out, byte);
            i++;
        } else {
            buf_byte(out, '\\');
        }
    }
}

static void decode_writing(struct buf *out, struct slice text, uint8_t writing)
{
    switch ((enum slot_kind)writing) {
    case SLOT_C_ESCAPED:
    case SLOT_JSON_STRING:
    case SLOT_CEF:
        decode_backslash(out, text, writing);
        return;
    case SLOT_CSV_DOUBLED:
        for (size_t i = 0; i < text.len; i++) {
            buf_byte(out, text.data[i]);
            if (text.data[i] == '"' && i + 1 < text.len && text.data[i + 1] == '"')
                i++;
        }
        return;
    case SLOT_FORM:
    case SLOT_PERCENT:
        decode_percent(out, text, writing == SLOT_FORM);
        return;
    case SLOT_PLAIN:
    case SLOT_KEY:
    case SLOT_NULL:
    case SLOT_KIND_COUNT:
        break;
    }
    buf_slice(out, text);
}

/*
 * What was appended from `from` on, for decoding once more: room for that is made first, so that it
 * stays where it is. decode_end() takes it out again.
 */
static struct slice decode_begin(struct buf *out, size_t from)
{
    enum {
        GROWTH_MAX = 3, /* a byte becomes at most so many */
    };
    size_t len = out->len - from;
    if (len == 0 || buf_reserve(out, len * GROWTH_MAX) == NULL)
        return (struct slice){0};
    return slice_of(out->data + from, len);
}

static void decode_end(struct buf *out, size_t from, size_t len)
{
    if (!buf_ok(out))
        return;
    memmove(out->data + from, out->data + from + len, out->len - from - len);
    out->len -= len;
}

/* What escapes made of the text from `from` on is in one of the encodings: make it UTF-8. */
static void decode_meant(struct buf *out, size_t from)
{
    struct slice meant = slice_of(out->data + from, out->len - from);
    if (charset_is_ascii(meant) || charset_guess(meant) == CHARSET_UTF8)
        return;
    meant = decode_begin(out, from);
    charset_to_utf8(out, meant, CHARSET_AUTO);
    decode_end(out, from, meant.len);
}

void value_decode(struct buf *out, struct slice text, uint8_t kind)
{
    uint8_t writing = slot_writing(kind);
    size_t from = out->len;
    if (slot_charset(kind) == CHARSET_UTF8) {
        decode_writing(out, text, writing);
    } else {
        charset_to_utf8(out, text, slot_charset(kind));
        struct slice read = decode_begin(out, from);
        if (read.len != 0 && writing_is_encoded(read, writing)) {
            decode_writing(out, read, writing);
            decode_end(out, from, read.len);
        }
    }
    if (slot_is_percent(kind) && out->len != from && buf_ok(out) &&
        writing_is_encoded(text, writing))
        decode_meant(out, from);
}
