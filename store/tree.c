#include "store/tree.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
    DOMAIN_LEAF = 0,
    DOMAIN_NODE = 1,
    DOMAIN_ROOT = 2,
    LEAF_HEAD_BYTES_MAX = 1 + 2 + TREE_TOPIC_BYTES_MAX + 4 + 8 + 4,
    NODE_BYTES = 1 + 2 * SHA256_BYTES, /* that are hashed */
};

/* What is hashed of a row before its bytes: how much it is, or ERR_RANGE. */
static int put_head(char head[LEAF_HEAD_BYTES_MAX], const struct tree_row *row)
{
    size_t topic_len = row->topic.len;
    if (topic_len == 0 || topic_len > TREE_TOPIC_BYTES_MAX)
        return ERR_RANGE;
    head[0] = DOMAIN_LEAF;
    bytes_put16(head + 1, (uint16_t)topic_len);
    memcpy(head + 3, row->topic.data, topic_len);
    char *at = head + 3 + topic_len;
    bytes_put32(at, (uint32_t)row->partition);
    bytes_put64(at + 4, (uint64_t)row->offset);
    bytes_put32(at + 12, row->sub);
    return (int)(at + 16 - head);
}

int tree_leaf(struct hasher *h, struct sha256 *out, const struct tree_row *row)
{
    char head[LEAF_HEAD_BYTES_MAX];
    int len = put_head(head, row);
    if (len < 0)
        return len;
    struct slice pieces[] = {slice_of(head, (size_t)len), row->raw};
    return hasher_sha256(h, out, pieces, 2);
}

int tree_leaf_head(struct buf *out, const struct tree_row *row)
{
    char head[LEAF_HEAD_BYTES_MAX];
    int len = put_head(head, row);
    if (len < 0)
        return len;
    buf_append(out, head, (size_t)len);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

static void put_node(char bytes[NODE_BYTES], const struct sha256 *left, const struct sha256 *right)
{
    bytes[0] = DOMAIN_NODE;
    memcpy(bytes + 1, left->bytes, SHA256_BYTES);
    memcpy(bytes + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
}

int tree_node(struct hasher *h, struct sha256 *out, const struct sha256 *left,
              const struct sha256 *right)
{
    char bytes[NODE_BYTES];
    put_node(bytes, left, right);
    struct slice whole = slice_of(bytes, sizeof(bytes));
    return hasher_sha256(h, out, &whole, 1);
}

int tree_nodes(struct hasher *h, struct sha256 *out, const struct tree_pair *pairs, size_t count)
{
    char bytes[TREE_PAIRS_MAX][NODE_BYTES];
    struct slice texts[TREE_PAIRS_MAX];
    assert(count <= TREE_PAIRS_MAX);
    for (size_t i = 0; i < count; i++) {
        put_node(bytes[i], pairs[i].left, pairs[i].right);
        texts[i] = slice_of(bytes[i], NODE_BYTES);
    }
    return hasher_sha256_each(h, out, texts, count);
}

int tree_append(struct hasher *h, struct tree *t, const struct sha256 *leaf, struct buf *nodes)
{
    struct sha256 node = *leaf;
    struct sha256 stored = {0};
    unsigned level = 0;
    if (t->size >= TREE_ROWS_MAX)
        return ERR_RANGE;
    /* As a carry in binary addition: every mountain that is as high as the new one joins it. */
    for (; (t->size >> level & 1) != 0; level++) {
        if (level == TREE_STORED_LEVEL)
            stored = node;
        int err = tree_node(h, &node, &t->peaks[level], &node);
        if (err != 0)
            return err;
    }
    if (level >= TREE_STORED_LEVEL) {
        if (level == TREE_STORED_LEVEL)
            stored = node;
        buf_append(nodes, stored.bytes, SHA256_BYTES);
        if (!buf_ok(nodes))
            return ERR_NOMEM;
    }
    t->peaks[level] = node;
    t->size++;
    return 0;
}

/*
 * The parents of items[0, count), the first of which is `before` where that is not NULL; they take the
 * places of the items, which are ahead of them.
 */
static int join_pairs(struct hasher *h, const struct sha256 *before, struct sha256 *items,
                      size_t parents)
{
    struct tree_pair pairs[TREE_PAIRS_MAX];
    int err = 0;
    for (size_t done = 0; done < parents && err == 0;) {
        size_t n = parents - done < TREE_PAIRS_MAX ? parents - done : TREE_PAIRS_MAX;
        for (size_t i = 0; i < n; i++) {
            size_t at = 2 * (done + i);
            pairs[i].left = before == NULL ? &items[at] : at == 0 ? before : &items[at - 1];
            pairs[i].right = &items[before == NULL ? at + 1 : at];
        }
        err = tree_nodes(h, items + done, pairs, n);
        done += n;
    }
    return err;
}

/* Level after level: what stands alone at the end of one waits there as its peak. */
static int grow(struct hasher *h, struct tree *t, struct sha256 *items, size_t count,
                struct buf *nodes)
{
    int err = 0;
    for (unsigned level = 0; count != 0 && err == 0; level++) {
        bool waits = (t->size >> level & 1) != 0;
        const struct sha256 before = t->peaks[level];
        size_t all = count + (waits ? 1 : 0);
        if (level == TREE_STORED_LEVEL)
            buf_append(nodes, items, count * sizeof(*items));
        if (all % 2 != 0)
            t->peaks[level] = items[count - 1];
        err = join_pairs(h, waits ? &before : NULL, items, all / 2);
        count = all / 2;
    }
    return err;
}

int tree_append_leaves(struct hasher *h, struct tree *t, struct sha256 *leaves, size_t count,
                       struct buf *nodes)
{
    struct tree grown = *t;
    size_t before = nodes->len;
    if (count > TREE_ROWS_MAX - t->size)
        return ERR_RANGE;
    int err = grow(h, &grown, leaves, count, nodes);
    if (err == 0 && !buf_ok(nodes))
        err = ERR_NOMEM;
    if (err != 0) {
        nodes->len = before;
        return err;
    }
    grown.size += count;
    *t = grown;
    return 0;
}

int tree_append_row(struct hasher *h, struct tree *t, const struct tree_row *row, struct buf *nodes)
{
    struct sha256 leaf;
    int err = tree_leaf(h, &leaf, row);
    return err == 0 ? tree_append(h, t, &leaf, nodes) : err;
}

int tree_root_of(struct hasher *h, struct sha256 *out, uint64_t size, const struct sha256 *peaks)
{
    char head[1 + 8];
    head[0] = DOMAIN_ROOT;
    bytes_put64(head + 1, size);
    size_t count = (size_t)__builtin_popcountll(size);
    struct slice pieces[] = {slice_of(head, sizeof(head)), slice_of(peaks, count * SHA256_BYTES)};
    return hasher_sha256(h, out, pieces, 2);
}

/* The peaks from left to right, which is from the highest level down. Returns their count. */
static size_t peaks_list(struct sha256 out[TREE_LEVELS], const struct tree *t)
{
    size_t count = 0;
    for (unsigned level = TREE_LEVELS; level-- != 0;) {
        if ((t->size >> level & 1) != 0)
            out[count++] = t->peaks[level];
    }
    return count;
}

int tree_root(struct hasher *h, struct sha256 *out, const struct tree *t)
{
    struct sha256 peaks[TREE_LEVELS];
    (void)peaks_list(peaks, t);
    return tree_root_of(h, out, t->size, peaks);
}

void tree_write(struct buf *out, const struct tree *t)
{
    struct sha256 peaks[TREE_LEVELS];
    size_t count = peaks_list(peaks, t);
    buf_put64(out, t->size);
    buf_append(out, peaks, count * SHA256_BYTES);
}

int tree_read(struct tree *out, struct slice bytes)
{
    struct tree t = {0};
    if (bytes.len < 8)
        return ERR_FORMAT;
    t.size = bytes_get64(bytes.data);
    size_t count = (size_t)__builtin_popcountll(t.size);
    if (t.size > TREE_ROWS_MAX || bytes.len != 8 + count * SHA256_BYTES)
        return ERR_FORMAT;
    const char *at = bytes.data + 8;
    for (unsigned level = TREE_LEVELS; level-- != 0;) {
        if ((t.size >> level & 1) == 0)
            continue;
        memcpy(t.peaks[level].bytes, at, SHA256_BYTES);
        at += SHA256_BYTES;
    }
    *out = t;
    return 0;
}
