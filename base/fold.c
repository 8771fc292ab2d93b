#include "base/fold.h"

#include <utf8proc.h>

#include "base/charset.h"
#include "base/escape.h"

enum {
    REPLACEMENT = 0xfffd,
    ASCII_STEP = 64,
    OPTIONS =
        UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE,
};

void fold_bufs_release(struct fold_bufs *f)
{
    buf_release(&f->text);
    buf_release(&f->points);
}

/* Kana, kanji and a little punctuation: no part of another character, and folded to themselves. */
static bool is_stable(uint32_t point)
{
    return (point >= 0x4e00 && point <= 0x9fff) || (point >= 0x3041 && point <= 0x3096) ||
           (point >= 0x30a1 && point <= 0x30fc) || (point >= 0x3001 && point <= 0x3011);
}

bool fold_changes(struct slice text)
{
    if (charset_is_ascii(text))
        return false;
    for (size_t at = 0; at < text.len;) {
        struct slice rest = slice_from_offset(text, at);
        uint32_t point = 0;
        if ((unsigned char)text.data[at] < 0x80) {
            bool step = rest.len >= ASCII_STEP && charset_is_ascii(slice_of(rest.data, ASCII_STEP));
            at += step ? ASCII_STEP : 1;
            continue;
        }
        size_t len = escape_utf8(&point, rest);
        if (len == 0 || !is_stable(point))
            return true;
        at += len;
    }
    return false;
}

/* Characters that are written in two ways where one is meant. */
static uint32_t same_as(uint32_t point)
{
    switch (point) {
    case 0x301c: /* wave dash: U+FF5E of CP932, which NFKC makes a tilde */
        return '~';
    case 0x2212: /* minus sign: U+FF0D of CP932 */
        return '-';
    case 0x2014: /* em dash: U+2015 of CP932 */
        return 0x2015;
    default:
        return point;
    }
}

/* Make it UTF-8 all through. */
static void make_valid(struct buf *out, struct slice text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t point = REPLACEMENT;
        size_t len = escape_utf8(&point, slice_from_offset(text, at));
        charset_put(out, len == 0 ? REPLACEMENT : same_as(point));
        at += len == 0 ? 1 : len;
    }
}

void fold_text(struct buf *out, struct slice text, struct fold_bufs *f)
{
    utf8proc_int32_t *points = NULL;
    utf8proc_ssize_t room = 0;
    utf8proc_ssize_t count = (utf8proc_ssize_t)text.len + 1;
    buf_reset(&f->text);
    make_valid(&f->text, text);
    while (count > room) { /* a second time where one character becomes many */
        room = count;
        buf_reset(&f->points);
        points = (void *)buf_reserve(&f->points, (size_t)(room + 1) * sizeof(*points));
        if (points == NULL || !buf_ok(&f->text)) {
            out->failed = true;
            return;
        }
        count = utf8proc_decompose((const void *)f->text.data, (utf8proc_ssize_t)f->text.len,
                                   points, room, (utf8proc_option_t)OPTIONS);
    }
    if (count > 0)
        count = utf8proc_normalize_utf32(points, count, (utf8proc_option_t)OPTIONS);
    for (utf8proc_ssize_t i = 0; i < count; i++)
        charset_put(out, (uint32_t)points[i]);
}
