#include "event/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "event/columns.h"

struct batch *batch_new(void)
{
    struct batch *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    b->hash_seed = hash_seed();
    batch_reset(b);
    return b;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    buf_release(&b->text);
    buf_release(&b->skeleton);
    arena_release(&b->arena);
    free(b);
}

void batch_reset(struct batch *b)
{
    struct buf text = b->text;
    struct buf skeleton = b->skeleton;
    struct arena arena = b->arena;
    uint64_t seed = b->hash_seed;
    buf_reset(&text);
    buf_reset(&skeleton);
    arena_reset(&arena);
    *b = (struct batch){.text = text, .skeleton = skeleton, .arena = arena, .hash_seed = seed};
}

size_t batch_held_bytes(const struct batch *b)
{
    return sizeof(*b) + b->text.cap + b->skeleton.cap + b->arena.held_bytes;
}

static const struct run *run_of(const struct batch *b, uint32_t row)
{
    uint32_t low = 0;
    uint32_t high = b->run_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (b->runs[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return &b->runs[low];
}

void batch_place(const struct batch *b, uint32_t row, int32_t *partition, int64_t *offset)
{
    const struct run *run = run_of(b, row);
    int64_t at = run->first_offset;
    if (!run->multi) {
        at += row - run->first_row;
    } else {
        for (uint32_t r = run->first_row + 1; r <= row; r++)
            at += b->sub[r] == 0;
    }
    *partition = run->partition;
    *offset = at;
}

void batch_places(const struct batch *b, int64_t *offsets, int32_t *partitions)
{
    for (uint32_t i = 0; i < b->run_count; i++) {
        const struct run *run = &b->runs[i];
        int64_t offset = run->first_offset;
        for (uint32_t row = run->first_row; row < run->first_row + run->count; row++) {
            if (row != run->first_row)
                offset += !run->multi || b->sub[row] == 0;
            offsets[row] = offset;
            partitions[row] = run->partition;
        }
    }
}

struct slice batch_field_name(const struct batch *b, uint16_t field, struct buf *scratch)
{
    if (field < FIELD_LOCAL_FIRST) {
        const struct field_info *info = field_info(field);
        return info == NULL ? SLICE("") : info->name;
    }
    uint32_t name = (uint32_t)field - FIELD_LOCAL_FIRST;
    buf_reset(scratch);
    buf_slice(scratch, b->format_name);
    buf_byte(scratch, '.');
    if (name < b->name_count)
        buf_slice(scratch, batch_span(b, b->names[name]));
    return buf_content(scratch);
}

const struct exception *column_exception(const struct column *c, uint32_t row)
{
    uint32_t low = 0;
    uint32_t high = c->exception_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->exceptions[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->exception_count && c->exceptions[low].row == row ? &c->exceptions[low] : NULL;
}

static void epoch_print(struct buf *out, int64_t value, uint8_t form)
{
    if (form == EPOCH_DIGITS) {
        buf_decimal(out, value);
        return;
    }
    buf_decimal(out, value / 1000);
    char rest[4] = {'.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
                    (char)('0' + value % 10)};
    buf_append(out, rest, sizeof(rest));
}

bool column_print(const struct column *c, uint32_t row, struct buf *out)
{
    switch ((enum column_storage)c->storage) {
    case COLUMN_INT:
        if (c->numbers[row] == VALUE_NONE)
            return false;
        if (c->type == FIELD_TYPE_EPOCH)
            epoch_print(out, c->numbers[row], c->epoch_form);
        else
            buf_decimal(out, c->numbers[row]);
        return true;
    case COLUMN_IP4:
        if (!column_is_present(c, row))
            return false;
        ip4_print(out, c->ip4[row]);
        return true;
    case COLUMN_IP:
        if (!column_is_present(c, row))
            return false;
        ip_print(out, &c->ips[row]);
        return true;
    case COLUMN_CODES:
    case COLUMN_TEXT:
        break;
    }
    return false;
}

bool batch_value(const struct batch *b, const struct column *c, uint32_t row, struct buf *scratch,
                 struct slice *out)
{
    if (c->storage == COLUMN_CODES) {
        uint16_t code = c->codes[row];
        if (code == CODE_NONE)
            return false;
        *out = batch_span(b, c->entries[code]);
        return true;
    }
    if (c->storage == COLUMN_TEXT) {
        if (c->spans[row].len == SPAN_NONE)
            return false;
        *out = batch_span(b, c->spans[row]);
        return true;
    }
    const struct exception *e = c->exception_count == 0 ? NULL : column_exception(c, row);
    if (e != NULL) {
        *out = batch_span(b, e->text);
        return true;
    }
    buf_reset(scratch);
    if (!column_print(c, row, scratch))
        return false;
    *out = buf_content(scratch);
    return true;
}
