#include "store/tree_proof.h"

#include "base/err.h"

/*
 * Add a node over 2^level leaves, for which there must be the place; where those are nodes themselves,
 * the peaks are that much higher than they say.
 */
static int fold(struct hasher *h, struct tree *t, const struct sha256 *hash, unsigned level)
{
    struct sha256 node = *hash;
    uint64_t leaves = UINT64_C(1) << level;
    for (; (t->size >> level & 1) != 0; level++) {
        int err = tree_node(h, &node, &t->peaks[level], &node);
        if (err != 0)
            return err;
    }
    t->peaks[level] = node;
    t->size += leaves;
    return 0;
}

static void stored_node(struct sha256 *out, const struct tree_source *source, uint64_t index)
{
    memcpy(out->bytes, source->nodes.data + index * SHA256_BYTES, SHA256_BYTES);
}

static bool reaches(const struct tree_source *source, uint64_t size)
{
    return size <= TREE_ROWS_MAX && size >> TREE_STORED_LEVEL <= source->nodes.len / SHA256_BYTES;
}

/* Add the row behind the tree's last one, or a node over it and others before `end`; the tree begins with row `first`. */
static int fold_row(struct hasher *h, struct tree *t, const struct tree_source *source,
                    uint64_t first, uint64_t end)
{
    struct sha256 hash = {0};
    unsigned level = 0;
    uint64_t at = first + t->size;
    int err = source->leaf(source->self, at, &level, &hash);
    if (err != 0)
        return err;
    if (level > TREE_STORED_LEVEL || at % (UINT64_C(1) << level) != 0 ||
        at + (UINT64_C(1) << level) > end)
        return ERR_NOTFOUND;
    return fold(h, t, &hash, level);
}

/* The node number `index` of a level, counted from the left; the source reaches it. */
static int node_at(struct hasher *h, struct sha256 *out, const struct tree_source *source,
                   unsigned level, uint64_t index)
{
    bool stored = level >= TREE_STORED_LEVEL;
    unsigned height = stored ? level - TREE_STORED_LEVEL : level;
    uint64_t first = index << height;
    struct tree under = {0};
    int err = 0;
    while (under.size < UINT64_C(1) << height && err == 0) {
        struct sha256 hash = {0};
        if (stored) {
            stored_node(&hash, source, first + under.size);
            err = fold(h, &under, &hash, 0);
        } else {
            err = fold_row(h, &under, source, first, first + (UINT64_C(1) << height));
        }
    }
    if (err == 0)
        *out = under.peaks[height];
    return err;
}

int tree_load(struct hasher *h, struct tree *out, const struct tree_source *source, uint64_t size)
{
    struct tree high = {0};
    struct tree low = {0};
    uint64_t groups = size >> TREE_STORED_LEVEL;
    struct sha256 hash = {0};
    int err = reaches(source, size) ? 0 : ERR_RANGE;
    for (uint64_t i = 0; i < groups && err == 0; i++) {
        stored_node(&hash, source, i);
        err = fold(h, &high, &hash, 0);
    }
    while (low.size < size % TREE_GROUP_ROWS && err == 0)
        err = fold_row(h, &low, source, groups << TREE_STORED_LEVEL, size);
    if (err != 0)
        return err;
    memcpy(low.peaks + TREE_STORED_LEVEL, high.peaks,
           (TREE_LEVELS - TREE_STORED_LEVEL) * sizeof(high.peaks[0]));
    low.size = size;
    *out = low;
    return 0;
}

int tree_root_at(struct hasher *h, struct sha256 *out, const struct tree_source *source,
                 uint64_t size)
{
    struct tree t;
    int err = tree_load(h, &t, source, size);
    return err == 0 ? tree_root(h, out, &t) : err;
}

/* Add the node to the proof. */
static int prove_node(struct hasher *h, struct tree_proof *proof, const struct tree_source *source,
                      unsigned level, uint64_t index)
{
    int err = node_at(h, &proof->hashes[proof->count], source, level, index);
    proof->count += err == 0;
    return err;
}

/* The level of the peak of the mountain that holds leaf `index` of `size`. */
static unsigned mountain_level(uint64_t index, uint64_t size)
{
    /* Mountains stand where the bits of size are; the leaf's is where the two numbers part. */
    return 63 - (unsigned)__builtin_clzll(index ^ size);
}

/* The peaks at `size` of levels below `top`, from left to right. */
static int prove_peaks(struct hasher *h, struct tree_proof *proof, const struct tree_source *source,
                       uint64_t size, unsigned top)
{
    int err = 0;
    for (unsigned level = top; level-- != 0 && err == 0;) {
        if ((size >> level & 1) != 0)
            err = prove_node(h, proof, source, level, (size >> level) - 1);
    }
    return err;
}

/* The same of levels above `bottom`. */
static int prove_peaks_above(struct hasher *h, struct tree_proof *proof,
                             const struct tree_source *source, uint64_t size, unsigned bottom)
{
    int err = 0;
    for (unsigned level = TREE_LEVELS; level-- != bottom + 1 && err == 0;) {
        if ((size >> level & 1) != 0)
            err = prove_node(h, proof, source, level, (size >> level) - 1);
    }
    return err;
}

int tree_prove_leaf(struct hasher *h, struct tree_proof *out, const struct tree_source *source,
                    uint64_t index, uint64_t size)
{
    struct tree_proof proof = {0};
    if (!reaches(source, size) || index >= size)
        return ERR_RANGE;
    unsigned top = mountain_level(index, size);
    int err = 0;
    for (unsigned level = 0; level < top && err == 0; level++)
        err = prove_node(h, &proof, source, level, index >> level ^ 1);
    if (err == 0)
        err = prove_peaks_above(h, &proof, source, size, top);
    if (err == 0)
        err = prove_peaks(h, &proof, source, size, top);
    if (err == 0)
        *out = proof;
    return err;
}

int tree_prove_growth(struct hasher *h, struct tree_proof *out, const struct tree_source *source,
                      uint64_t older, uint64_t newer)
{
    struct tree_proof proof = {0};
    if (!reaches(source, newer) || older > newer)
        return ERR_RANGE;
    int err = prove_peaks(h, &proof, source, older, TREE_LEVELS);
    if (err == 0 && older != newer) {
        unsigned top = mountain_level(older, newer);
        uint64_t low = older & ((UINT64_C(1) << top) - 1);
        /* Nothing of the older tree is in that mountain: it is given whole. */
        unsigned level = low == 0 ? top : (unsigned)__builtin_ctzll(low);
        if (low == 0)
            err = prove_node(h, &proof, source, top, (newer >> top) - 1);
        for (; level < top && err == 0; level++) {
            uint64_t index = (older - 1) >> level;
            if ((index & 1) == 0)
                err = prove_node(h, &proof, source, level, index + 1);
        }
        if (err == 0)
            err = prove_peaks(h, &proof, source, newer, top);
    }
    if (err == 0)
        *out = proof;
    return err;
}

/* Takes hashes off a proof; one that lacks shows at the end. */
struct taker {
    const struct tree_proof *proof;
    uint32_t at;
};

static struct sha256 take(struct taker *t)
{
    static const struct sha256 NONE = {0};
    return t->at++ < t->proof->count ? t->proof->hashes[t->at - 1] : NONE;
}

static bool all_taken(const struct taker *t)
{
    return t->at == t->proof->count;
}

/* Whether the peaks are those of the head; 0 or ERR_CORRUPT. */
static int check_root(struct hasher *h, const struct tree_head *head, const struct sha256 *peaks)
{
    struct sha256 root;
    int err = tree_root_of(h, &root, head->size, peaks);
    if (err == 0 && !sha256_equal(&root, &head->root))
        err = ERR_CORRUPT;
    return err;
}

static bool proof_fits(const struct tree_proof *proof, uint64_t size)
{
    return proof->count <= TREE_PROOF_HASHES_MAX && size <= TREE_ROWS_MAX;
}

int tree_check_leaf(struct hasher *h, const struct tree_proof *proof, const struct sha256 *leaf,
                    uint64_t index, const struct tree_head *head)
{
    struct taker in = {.proof = proof};
    struct sha256 peaks[TREE_LEVELS];
    struct sha256 node = *leaf;
    size_t count = 0;
    int err = 0;
    if (!proof_fits(proof, head->size) || index >= head->size)
        return ERR_CORRUPT;
    unsigned top = mountain_level(index, head->size);
    for (unsigned level = 0; level < top && err == 0; level++) {
        struct sha256 other = take(&in);
        bool right = (index >> level & 1) != 0;
        err = tree_node(h, &node, right ? &other : &node, right ? &node : &other);
    }
    for (unsigned level = TREE_LEVELS; level-- != 0;) {
        if ((head->size >> level & 1) != 0)
            peaks[count++] = level == top ? node : take(&in);
    }
    if (err == 0 && !all_taken(&in))
        err = ERR_CORRUPT;
    return err == 0 ? check_root(h, head, peaks) : err;
}

/*
 * The peaks at size `newer`, from `peaks` at size `older`, which is less, and the rest of the proof.
 */
static int grow(struct hasher *h, struct sha256 peaks[TREE_LEVELS], uint64_t older, uint64_t newer,
                struct taker *in)
{
    unsigned top = mountain_level(older, newer);
    uint64_t low = older & ((UINT64_C(1) << top) - 1);
    size_t count = (size_t)__builtin_popcountll(older);
    struct sha256 node = low == 0 ? take(in) : peaks[--count];
    unsigned level = low == 0 ? top : (unsigned)__builtin_ctzll(low);
    int err = 0;
    for (; level < top && err == 0; level++) {
        bool right = ((older - 1) >> level & 1) != 0;
        struct sha256 other = right ? peaks[--count] : take(in);
        err = tree_node(h, &node, right ? &other : &node, right ? &node : &other);
    }
    if (err != 0)
        return err;
    peaks[count++] = node;
    for (level = top; level-- != 0;) {
        if ((newer >> level & 1) != 0)
            peaks[count++] = take(in);
    }
    return 0;
}

int tree_check_growth(struct hasher *h, const struct tree_proof *proof,
                      const struct tree_head *older, const struct tree_head *newer)
{
    struct taker in = {.proof = proof};
    struct sha256 peaks[TREE_LEVELS];
    size_t count = (size_t)__builtin_popcountll(older->size);
    if (!proof_fits(proof, newer->size) || older->size > newer->size)
        return ERR_CORRUPT;
    for (size_t i = 0; i < count; i++)
        peaks[i] = take(&in);
    int err = check_root(h, older, peaks);
    if (err == 0 && older->size != newer->size)
        err = grow(h, peaks, older->size, newer->size, &in);
    if (err == 0 && !all_taken(&in))
        err = ERR_CORRUPT;
    return err == 0 ? check_root(h, newer, peaks) : err;
}
