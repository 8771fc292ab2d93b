/*
 * A row as a line of text, the same whether its batch is being filled or was read back: what it is, where it
 * comes from, its line or a hash of it, and a sum over all its values. For the golden segments.
 */
#pragma once

#include <inttypes.h>

#include "base/hash.h"
#include "event/batch.h"

enum {
    GOLDEN_LINES = 60, /* rows whose lines are written out; of the others a hash */
};

/* Bytes that are not printable, blanks and percent signs as %XX. */
static inline void golden_text_print(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c > ' ' && c < 0x7f && c != '%')
            buf_byte(out, (char)c);
        else
            buf_printf(out, "%%%02x", c);
    }
}

/* Independent of the order of the columns. */
static inline uint64_t golden_values_sum(const struct batch *b, uint32_t row)
{
    struct buf scratch = {0};
    struct buf name = {0};
    uint64_t sum = 0;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct slice value;
        if (!batch_value(b, c, row, &scratch, &value))
            continue;
        uint64_t seed = hash_slice(c->ordinal, batch_field_name(b, c->field, &name));
        sum += hash_slice(seed + c->kind, value);
    }
    buf_release(&scratch);
    buf_release(&name);
    return sum;
}

static inline void golden_row_print(struct buf *out, const struct batch *b, uint32_t row,
                                    uint64_t leaf)
{
    struct buf line = {0};
    int32_t partition = 0;
    int64_t offset = 0;
    batch_place(b, row, &partition, &offset);
    (void)batch_render(b, row, &line);
    buf_printf(out, "%06" PRIu32 " %" PRIu64 " ", b->tenant, leaf);
    buf_slice(out, b->topic);
    buf_printf(out,
               " %" PRIi32 " %" PRIi64 " %" PRIu32 " %" PRIi64 " %" PRIi64 " %d %d %d %016" PRIx64,
               partition, offset, b->sub[row], b->time_ns[row], b->arrival_ns[row],
               b->time_source[row], b->reason[row], b->verdict[row], golden_values_sum(b, row));
    for (uint32_t i = 0; i < b->extra_count; i++) {
        const struct extra *x = &b->extras[i];
        if (x->row != row)
            continue;
        buf_text(out, x->null_value ? " null" : x->has_key ? " key:" : " no-key");
        golden_text_print(out, batch_span(b, x->key));
        buf_text(out, " headers:");
        golden_text_print(out, batch_span(b, x->headers));
    }
    buf_byte(out, ' ');
    if (leaf < GOLDEN_LINES)
        golden_text_print(out, buf_content(&line));
    else
        buf_printf(out, "%016" PRIx64, hash_slice(0, buf_content(&line)));
    buf_byte(out, '\n');
    buf_release(&line);
}
