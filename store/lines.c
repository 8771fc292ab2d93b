#include "store/lines.h"

#include <assert.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    QUOTED_BYTES_MAX = 40, /* of a line that is shown */
    CODE_DIGITS = 6,
};

struct lines lines_of(struct slice text, const char *name, struct diag *diag)
{
    return (struct lines){.rest = text, .name = name, .diag = diag};
}

void lines_fail(struct lines *l, const char *format, ...)
{
    va_list args;
    if (l->failed)
        return;
    va_start(args, format);
    diag_vadd(l->diag, l->name, l->number == 0 ? 1 : l->number, 1, format, args);
    va_end(args);
    l->failed = true;
    l->rest = slice_of(NULL, 0);
    l->line = slice_of(NULL, 0);
}

static int shown(struct slice s)
{
    return (int)(s.len < QUOTED_BYTES_MAX ? s.len : QUOTED_BYTES_MAX);
}

/* Whether `text` is the key, or the key and a blank. */
static bool begins(struct slice text, const char *key)
{
    struct slice word = slice_from(key);
    return slice_starts(text, word) &&
           (text.len == word.len || (word.len != 0 && text.data[word.len] == ' '));
}

/* The line that `rest` begins with, without its newline; false when it has no end. */
static bool first_line(struct slice *out, struct slice rest)
{
    const char *end = rest.len == 0 ? NULL : memchr(rest.data, '\n', rest.len);
    if (end == NULL)
        return false;
    *out = slice_of(rest.data, (size_t)(end - rest.data));
    return true;
}

bool lines_follows(const struct lines *l, const char *key)
{
    struct slice line;
    return first_line(&line, l->rest) && begins(line, key);
}

void lines_next(struct lines *l, const char *key)
{
    struct slice line;
    if (l->failed)
        return;
    l->number++;
    if (!first_line(&line, l->rest)) {
        lines_fail(l, "the text ends where a line \"%s\" belongs", key);
        return;
    }
    if (!begins(line, key)) {
        lines_fail(l, "\"%.*s\" stands where a line \"%s\" belongs", shown(line), line.data, key);
        return;
    }
    l->rest = slice_from_offset(l->rest, line.len + 1);
    l->line = slice_from_offset(line, strlen(key));
}

struct slice lines_word(struct lines *l, const char *what)
{
    struct slice none = slice_of(NULL, 0);
    if (l->failed)
        return none;
    struct slice word = slice_from_offset(l->line, 1);
    const char *blank = word.len == 0 ? NULL : memchr(word.data, ' ', word.len);
    if (blank != NULL)
        word.len = (size_t)(blank - word.data);
    if (word.len == 0 || l->line.data[0] != ' ') {
        lines_fail(l, "%s is missing", what);
        return none;
    }
    l->line = slice_from_offset(l->line, 1 + word.len);
    return word;
}

uint64_t lines_number(struct lines *l, const char *what, uint64_t max)
{
    struct slice word = lines_word(l, what);
    uint64_t value = 0;
    bool right = word.len == 1 || (word.len > 1 && word.data[0] != '0');
    for (size_t i = 0; i < word.len && right; i++) {
        char c = word.data[i];
        right = c >= '0' && c <= '9' && !__builtin_mul_overflow(value, 10, &value) &&
                !__builtin_add_overflow(value, (uint64_t)(c - '0'), &value);
    }
    if (!l->failed && (!right || value > max))
        lines_fail(l, "%s \"%.*s\" is no number from 0 to %llu", what, shown(word), word.data,
                   (unsigned long long)max);
    return l->failed ? 0 : value;
}

void lines_hash(struct lines *l, const char *what, struct sha256 *out)
{
    struct slice word = lines_word(l, what);
    *out = (struct sha256){0};
    if (!l->failed && sha256_read_hex(out, word) != 0)
        lines_fail(l, "%s \"%.*s\" is not %d digits 0-9 and a-f", what, shown(word), word.data,
                   SHA256_HEX_BYTES);
}

uint32_t lines_code(struct lines *l)
{
    struct slice word = lines_word(l, "the tenant's code");
    uint32_t code = 0;
    bool right = word.len == CODE_DIGITS;
    for (size_t i = 0; i < word.len && right; i++) {
        right = word.data[i] >= '0' && word.data[i] <= '9';
        code = code * 10 + (uint32_t)(word.data[i] - '0');
    }
    if (!l->failed && !right)
        lines_fail(l, "the tenant's code is not %d digits", (int)CODE_DIGITS);
    return l->failed ? 0 : code;
}

int lines_read_base64(size_t *len, uint8_t *out, size_t cap, struct slice text)
{
    char again[sodium_base64_ENCODED_LEN(LINES_BASE64_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL)];
    size_t got = 0;
    cap = cap < LINES_BASE64_BYTES_MAX ? cap : LINES_BASE64_BYTES_MAX;
    if (sodium_base642bin(out, cap, text.data, text.len, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return ERR_FORMAT;
    /* libsodium 1.0.18 takes every byte from 0x80 for a slash. */
    (void)sodium_bin2base64(again, sizeof(again), out, got, sodium_base64_VARIANT_ORIGINAL);
    if (!slice_equal(slice_from(again), text))
        return ERR_FORMAT;
    *len = got;
    return 0;
}

size_t lines_base64(struct lines *l, const char *what, uint8_t *out, size_t cap)
{
    struct slice word = lines_word(l, what);
    size_t len = 0;
    if (!l->failed && lines_read_base64(&len, out, cap, word) != 0)
        lines_fail(l, "%s is no base64 of at most %zu bytes", what, cap);
    return l->failed ? 0 : len;
}

void lines_end(struct lines *l)
{
    if (!l->failed && l->line.len != 0)
        lines_fail(l, "\"%.*s\" does not belong at the end of the line", shown(l->line),
                   l->line.data);
}

void lines_end_of_text(struct lines *l)
{
    if (l->failed || l->rest.len == 0)
        return;
    l->number++;
    lines_fail(l, "more stands behind the end");
}

void lines_title(struct lines *l, const char *title)
{
    lines_next(l, title);
    lines_end(l);
}

uint64_t lines_field_number(struct lines *l, const char *key, uint64_t max)
{
    lines_next(l, key);
    uint64_t value = lines_number(l, key, max);
    lines_end(l);
    return value;
}

uint32_t lines_field_code(struct lines *l, const char *key)
{
    lines_next(l, key);
    uint32_t code = lines_code(l);
    lines_end(l);
    return code;
}

int64_t lines_field_time(struct lines *l, const char *key)
{
    int64_t ns = 0;
    lines_next(l, key);
    struct slice word = lines_word(l, "the time");
    if (!l->failed && clock_parse(&ns, word) != 0)
        lines_fail(l, "the time is none");
    lines_end(l);
    return ns;
}

void lines_field_hash(struct lines *l, const char *key, const char *what, struct sha256 *out)
{
    lines_next(l, key);
    lines_hash(l, what, out);
    lines_end(l);
}

void lines_field_id(struct lines *l, const char *key, uint8_t *out, size_t count)
{
    size_t len = 0;
    lines_next(l, key);
    struct slice word = lines_word(l, "the store's id");
    if (!l->failed &&
        (word.len != 2 * count ||
         sodium_hex2bin(out, count, word.data, word.len, NULL, &len, NULL) != 0 || len != count))
        lines_fail(l, "the store's id is not %zu digits 0-9 and a-f", 2 * count);
    lines_end(l);
}

int lines_check_same(struct lines *l, struct slice text, const struct buf *again, const char *kind)
{
    if (!l->failed && !buf_ok(again))
        return ERR_NOMEM;
    if (!l->failed && !slice_equal(buf_content(again), text))
        lines_fail(l, "this is not written as %s are", kind);
    return l->failed ? ERR_FORMAT : 0;
}

void lines_put_hash(struct buf *out, const struct sha256 *hash)
{
    char hex[SHA256_HEX_BYTES + 1];
    sha256_hex(hex, hash);
    buf_printf(out, " %s", hex);
}

void lines_put_id(struct buf *out, const uint8_t *id, size_t count)
{
    char hex[2 * LINES_ID_BYTES_MAX + 1];
    assert(count <= LINES_ID_BYTES_MAX);
    (void)sodium_bin2hex(hex, sizeof(hex), id, count);
    buf_printf(out, " %s", hex);
}

void lines_put_base64(struct buf *out, const void *data, size_t len)
{
    size_t bytes = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
    char *place = buf_reserve(out, bytes);
    if (place == NULL)
        return;
    (void)sodium_bin2base64(place, bytes, data, len, sodium_base64_VARIANT_ORIGINAL);
    out->len += bytes - 1; /* without the NUL */
}
