#include "app/leaf_batch.h"

#include "base/err.h"

void leaf_batch_release(struct leaf_batch *b)
{
    buf_release(&b->text);
}

int leaf_batch_begin(struct leaf_batch *b, const struct tree_row *row)
{
    return tree_leaf_head(&b->text, row);
}

void leaf_batch_end(struct leaf_batch *b)
{
    b->ends[b->count++] = b->text.len;
}

bool leaf_batch_is_full(const struct leaf_batch *b)
{
    return b->count == LEAF_BATCH_ROWS || b->text.len >= LEAF_BATCH_BYTES;
}

int leaf_batch_hash(struct leaf_batch *b, struct hasher *h)
{
    struct slice texts[LEAF_BATCH_ROWS];
    size_t at = 0;
    if (!buf_ok(&b->text))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < b->count; i++) {
        texts[i] = slice_of(b->text.data + at, b->ends[i] - at);
        at = b->ends[i];
    }
    return hasher_sha256_each(h, b->hashes, texts, b->count);
}

void leaf_batch_clear(struct leaf_batch *b)
{
    b->count = 0;
    buf_reset(&b->text);
}
