#include "base/diag.h"

#include "base/escape.h"

enum {
    DIAG_WORD_BYTES_MAX = 64, /* of a word that suggestions are looked for */
};

/* Double quotes and backslashes are ours here; escape_text() would double them. */
static void text_harmless(struct buf *out, struct slice s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '"' && s.data[i] != '\\')
            continue;
        escape_text(out, slice_of(s.data + from, i - from));
        buf_byte(out, s.data[i]);
        from = i + 1;
    }
    escape_text(out, slice_from_offset(s, from));
}

void diag_vadd(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *format,
               va_list args)
{
    d->count++;
    if (d->count > DIAG_MESSAGES_MAX)
        return;
    struct buf message = {0};
    d->text.limit = DIAG_TEXT_BYTES_MAX;
    if (file != NULL && line != 0) {
        buf_printf(&message, "%s:%u:%u: ", file, line, column);
    } else if (file != NULL) {
        buf_printf(&message, "%s: ", file);
    }
    buf_vprintf(&message, format, args);
    text_harmless(&d->text, buf_content(&message));
    buf_byte(&d->text, '\n');
    buf_release(&message);
}

void diag_add(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *format,
              ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(d, file, line, column, format, args);
    va_end(args);
}

void diag_add_all(struct diag *d, const struct diag *more)
{
    struct slice rest = buf_content(&more->text);
    while (rest.len != 0 && d->count < DIAG_MESSAGES_MAX) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.data) + 1;
        d->text.limit = DIAG_TEXT_BYTES_MAX;
        buf_append(&d->text, rest.data, len);
        d->count++;
        rest = slice_from_offset(rest, len);
    }
    if (rest.len != 0 || more->count > DIAG_MESSAGES_MAX)
        d->count += more->count < DIAG_MESSAGES_MAX ? more->count : DIAG_MESSAGES_MAX;
}

const char *diag_text(struct diag *d)
{
    size_t kept = d->text.len;
    if (d->count > DIAG_MESSAGES_MAX)
        buf_printf(&d->text, "and %zu more\n", d->count - DIAG_MESSAGES_MAX);
    const char *text = buf_string(&d->text);
    d->text.len = kept;
    return text;
}

void diag_release(struct diag *d)
{
    buf_release(&d->text);
    d->count = 0;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance; both at most DIAG_WORD_BYTES_MAX long. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[DIAG_WORD_BYTES_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.data[i - 1] == b.data[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b.len];
}

const char *diag_suggest(struct slice word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = (word.len + 2) / 3 + 1;
    if (word.len == 0 || word.len > DIAG_WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_from(names[i]);
        if (name.len > DIAG_WORD_BYTES_MAX)
            continue;
        size_t distance = edit_distance(word, name);
        if (distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}
