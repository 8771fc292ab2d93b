#include "store/turns.h"

#include "base/err.h"
#include "store/reader.h"

enum {
    TURN_BYTES_LEAST = 2,
};

static size_t run_of(const uint32_t *of, size_t at, size_t rows)
{
    size_t end = at + 1;
    while (end < rows && of[end] == of[at])
        end++;
    return end - at;
}

void turns_put(struct buf *out, uint32_t tenant, uint32_t batches, const uint32_t *of, size_t rows)
{
    uint64_t turns = 0;
    for (size_t at = 0; at < rows; at += run_of(of, at, rows))
        turns++;
    buf_put32(out, tenant);
    buf_varint(out, 0);
    buf_varint(out, batches);
    buf_varint(out, turns);
    for (size_t at = 0; at < rows;) {
        size_t run = run_of(of, at, rows);
        buf_varint(out, of[at]);
        buf_varint(out, run);
        at += run;
    }
}

void turns_move(struct buf *out, struct slice item, uint32_t first)
{
    struct reader c = reader_of(item);
    buf_put32(out, reader_get32(&c));
    (void)reader_varint(&c, UINT64_MAX);
    buf_varint(out, first);
    buf_slice(out, slice_of(c.at, reader_left(&c)));
}

int turns_open(struct turns *out, struct slice item)
{
    struct reader c = reader_of(item);
    struct turns t = {.tenant = reader_get32(&c)};
    uint64_t first = reader_varint(&c, UINT64_MAX);
    uint64_t batches = reader_varint(&c, UINT64_MAX);
    t.left = reader_varint(&c, UINT64_MAX);
    t.rest = slice_of(c.at, reader_left(&c));
    if (c.failed || first > UINT32_MAX || batches > UINT32_MAX ||
        t.left > t.rest.len / TURN_BYTES_LEAST || batches > t.left)
        return ERR_CORRUPT;
    t.first = (uint32_t)first;
    t.batches = (uint32_t)batches;
    *out = t;
    return 0;
}

bool turns_next(struct turns *t, uint32_t *batch, uint64_t *rows)
{
    struct reader c = reader_of(t->rest);
    if (t->left == 0)
        return false;
    uint64_t of = reader_varint(&c, UINT64_MAX);
    *rows = reader_varint(&c, UINT64_MAX);
    if (c.failed || of >= t->batches || *rows == 0)
        return false;
    *batch = (uint32_t)of;
    t->rest = slice_of(c.at, reader_left(&c));
    t->left--;
    return true;
}
