#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

enum {
    BUF_FIRST_BYTES = 256,
};

void buf_release(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
    b->failed = false;
}

char *buf_reserve(struct buf *b, size_t more)
{
    size_t need = 0;
    if (b->failed || __builtin_add_overflow(b->len, more, &need) ||
        (b->limit != 0 && need > b->limit)) {
        b->failed = true;
        return NULL;
    }
    if (need <= b->cap && b->data != NULL)
        return b->data + b->len;
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap;
    while (cap < need) {
        if (__builtin_mul_overflow(cap, 2, &cap)) {
            b->failed = true;
            return NULL;
        }
    }
    char *data = realloc(b->data, cap + SLICE_PADDING_BYTES);
    if (data == NULL) {
        b->failed = true;
        return NULL;
    }
    memset(data + cap, 0, SLICE_PADDING_BYTES);
    b->data = data;
    b->cap = cap;
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    char *to = buf_reserve(b, len);
    if (to == NULL)
        return;
    memcpy(to, data, len);
    b->len += len;
}

void buf_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        b->failed = true;
        return;
    }
    char *to = buf_reserve(b, (size_t)len + 1);
    if (to == NULL)
        return;
    (void)vsnprintf(to, (size_t)len + 1, format, args);
    b->len += (size_t)len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_put16(struct buf *b, uint16_t v)
{
    char bytes[2];
    bytes_put16(bytes, v);
    buf_append(b, bytes, sizeof(bytes));
}

void buf_put32(struct buf *b, uint32_t v)
{
    char bytes[4];
    bytes_put32(bytes, v);
    buf_append(b, bytes, sizeof(bytes));
}

void buf_put64(struct buf *b, uint64_t v)
{
    char bytes[8];
    bytes_put64(bytes, v);
    buf_append(b, bytes, sizeof(bytes));
}

void buf_varint(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_byte(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_byte(b, (char)v);
}

void buf_decimal(struct buf *b, int64_t v)
{
    char text[20];
    size_t at = sizeof(text);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        text[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest != 0);
    if (v < 0)
        text[--at] = '-';
    buf_append(b, text + at, sizeof(text) - at);
}

const char *buf_string(struct buf *b)
{
    if (buf_reserve(b, 1) == NULL)
        return "";
    b->data[b->len] = '\0';
    return b->data;
}
