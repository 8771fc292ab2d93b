/*
 * base/buf.h - an owned, growing run of bytes.
 *
 * Ownership: the buffer owns its bytes until buf_release(); slices of it are valid until the next
 *            call that may grow it.
 * Threads:   one owner.
 * Failures:  growing past `limit` or past the heap sets `failed` and keeps what is there; appends
 *            after that do nothing. Check buf_ok() once, at the end, as with ferror().
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
    char *data;   /* SLICE_PADDING_BYTES beyond cap are readable */
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes that fit without growing */
    size_t limit; /* bytes; 0 = no limit but the heap */
    bool failed;
};

/* Free the bytes and make the buffer empty and usable again; a zeroed struct is a valid buffer. */
void buf_release(struct buf *b);

/* Forget the content, keep the memory, clear `failed`. */
static inline void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* Make room for `more` bytes after len. Returns the place to write them, or NULL (failed is set). */
char *buf_reserve(struct buf *b, size_t more);

void buf_append(struct buf *b, const void *data, size_t len);

static inline void buf_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.data, s.len);
}

static inline void buf_byte(struct buf *b, char byte)
{
    if (b->len < b->cap && !b->failed)
        b->data[b->len++] = byte;
    else
        buf_append(b, &byte, 1);
}

/* Append a NUL-terminated string without its NUL. */
void buf_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Little-endian fixed width. */
void buf_put16(struct buf *b, uint16_t v);
void buf_put32(struct buf *b, uint32_t v);
void buf_put64(struct buf *b, uint64_t v);

/* Unsigned LEB128: 7 bits a byte, low first, at most 10 bytes. */
void buf_varint(struct buf *b, uint64_t v);

/* Decimal text of v. */
void buf_decimal(struct buf *b, int64_t v);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

static inline struct slice buf_content(const struct buf *b)
{
    return (struct slice){.data = b->data, .len = b->len};
}

/* The NUL-terminated content; valid until the next append. Returns "" when nothing could be kept. */
const char *buf_string(struct buf *b);
