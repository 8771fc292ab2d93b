/*
 * The tree against a model that follows the definition and nothing else: roots at every size, loading,
 * proofs of rows and of growth for all sizes up to SMALL_MAX and drawn ones up to LARGE_MAX; nothing
 * but the right proof is accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/tree_proof.h"

enum {
    SMALL_MAX = 600,
    SMALL_PAIR_STEP = 7, /* all pairs of sizes would be 180,000 */
    LARGE_MAX = 100000,
    LARGE_DRAWS = 25,
};

struct forest {
    struct hasher *hasher;
    struct sha256 *leaves;
    uint64_t count;
    struct buf nodes;
    uint8_t *asked;  /* how often each leaf was asked for */
    bool *gone;      /* rows of which only nodes are known */
    uint64_t hidden; /* the leaf that must not be asked for */
    uint64_t random;
};

static uint64_t draw(struct forest *f, uint64_t below)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (f->random >> 20) % below;
}

/* The model: H(1 | left | right) over the halves. */
static struct sha256 model_node(const struct sha256 *leaves, uint64_t count)
{
    struct sha256 out;
    char bytes[65] = {1};
    if (count == 1)
        return leaves[0];
    struct sha256 left = model_node(leaves, count / 2);
    struct sha256 right = model_node(leaves + count / 2, count / 2);
    memcpy(bytes + 1, left.bytes, 32);
    memcpy(bytes + 33, right.bytes, 32);
    assert_int_equal(sha256_of(&out, slice_of(bytes, sizeof(bytes))), 0);
    return out;
}

/* H(2 | size | peaks): the largest power of two that fits is a mountain, then the rest. */
static struct sha256 model_root(const struct sha256 *leaves, uint64_t size)
{
    struct sha256 out;
    struct buf bytes = {0};
    buf_byte(&bytes, 2);
    buf_put64(&bytes, size);
    for (uint64_t at = 0; at < size;) {
        uint64_t mountain = 1;
        while (mountain * 2 <= size - at)
            mountain *= 2;
        struct sha256 peak = model_node(leaves + at, mountain);
        buf_append(&bytes, peak.bytes, 32);
        at += mountain;
    }
    assert_int_equal(sha256_of(&out, buf_content(&bytes)), 0);
    buf_release(&bytes);
    return out;
}

/* The level of the greatest node that begins at the row and has none but rows that are gone. */
static unsigned gone_level(const struct forest *f, uint64_t index)
{
    unsigned level = 0;
    for (; level < TREE_STORED_LEVEL && index % (UINT64_C(2) << level) == 0; level++) {
        uint64_t end = index + (UINT64_C(2) << level);
        for (uint64_t i = index; i < end; i++) {
            if (i >= f->count || !f->gone[i])
                return level;
        }
    }
    return level;
}

static int forest_leaf(void *self, uint64_t index, unsigned *level, struct sha256 *out)
{
    struct forest *f = self;
    assert_int_equal(*level, 0);
    assert_true(index < f->count);
    assert_true(index != f->hidden);
    assert_int_equal(f->asked[index]++, 0);
    *level = f->gone[index] ? gone_level(f, index) : 0;
    *out = model_node(f->leaves + index, UINT64_C(1) << *level);
    return 0;
}

static struct tree_source source_of(struct forest *f)
{
    memset(f->asked, 0, f->count);
    f->hidden = UINT64_MAX;
    return (struct tree_source){.nodes = buf_content(&f->nodes), .leaf = forest_leaf, .self = f};
}

static void forest_init(struct forest *f, uint64_t count)
{
    struct tree t = {0};
    *f = (struct forest){.count = count, .random = 20261122};
    assert_int_equal(hasher_new(&f->hasher), 0);
    f->leaves = calloc(count, sizeof(f->leaves[0]));
    f->asked = calloc(count, 1);
    f->gone = calloc(count, sizeof(f->gone[0]));
    assert_non_null(f->leaves);
    assert_non_null(f->asked);
    assert_non_null(f->gone);
    for (uint64_t i = 0; i < count; i++) {
        char raw[32];
        int len = snprintf(raw, sizeof(raw), "line %llu", (unsigned long long)i);
        struct tree_row row = {.topic = SLICE("seclog.raw.990001.fw1"),
                               .partition = (int32_t)(i % 3),
                               .offset = (int64_t)i,
                               .raw = slice_of(raw, (size_t)len)};
        assert_int_equal(tree_leaf(f->hasher, &f->leaves[i], &row), 0);
        assert_int_equal(tree_append_row(f->hasher, &t, &row, &f->nodes), 0);
        assert_int_equal(t.size, i + 1);
        assert_int_equal(f->nodes.len, (i + 1) / TREE_GROUP_ROWS * SHA256_BYTES);
    }
}

static void forest_release(struct forest *f)
{
    hasher_free(f->hasher);
    free(f->leaves);
    free(f->asked);
    free(f->gone);
    buf_release(&f->nodes);
}

/* The bytes of a leaf, written out. */
static void test_leaf(void **state)
{
    (void)state;
    static const char BYTES[] = "\x00"
                                "\x03\x00"
                                "t.x"
                                "\x01\x02\x00\x00"
                                "\xff\x00\x00\x00\x00\x00\x00\x10"
                                "\x07\x00\x00\x80"
                                "raw \x00 line";
    struct forest f;
    struct sha256 want;
    struct sha256 got;
    char topic[TREE_TOPIC_BYTES_MAX + 1];
    struct tree_row row = {.topic = SLICE("t.x"),
                           .partition = 0x201,
                           .offset = INT64_C(0x10000000000000ff),
                           .sub = 0x80000007,
                           .raw = SLICE("raw \x00 line")};
    forest_init(&f, 1);
    assert_int_equal(sha256_of(&want, slice_of(BYTES, sizeof(BYTES) - 1)), 0);
    assert_int_equal(tree_leaf(f.hasher, &got, &row), 0);
    assert_true(sha256_equal(&want, &got));
    memset(topic, 'x', sizeof(topic));
    row.topic = slice_of(topic, sizeof(topic));
    assert_int_equal(tree_leaf(f.hasher, &got, &row), ERR_RANGE);
    row.topic.len = 0;
    assert_int_equal(tree_leaf(f.hasher, &got, &row), ERR_RANGE);
    row.topic.len = TREE_TOPIC_BYTES_MAX;
    assert_int_equal(tree_leaf(f.hasher, &got, &row), 0);
    assert_false(sha256_equal(&want, &got));
    forest_release(&f);
}

/* Growing, loading at an older size and going on from bytes all give the model's root. */
static void check_size(struct forest *f, const struct tree *t, uint64_t size)
{
    struct sha256 want = model_root(f->leaves, size);
    struct sha256 got;
    struct tree again = {.size = 99};
    struct buf bytes = {0};
    struct tree_source source = source_of(f);
    assert_int_equal(t->size, size);
    assert_int_equal(tree_root(f->hasher, &got, t), 0);
    assert_true(sha256_equal(&want, &got));
    assert_int_equal(tree_root_at(f->hasher, &got, &source, size), 0);
    assert_true(sha256_equal(&want, &got));
    tree_write(&bytes, t);
    assert_int_equal(tree_read(&again, buf_content(&bytes)), 0);
    assert_int_equal(tree_root(f->hasher, &got, &again), 0);
    assert_true(sha256_equal(&want, &got));
    assert_int_equal(tree_read(&again, slice_of(bytes.data, bytes.len - 1)), ERR_FORMAT);
    buf_byte(&bytes, 0);
    assert_int_equal(tree_read(&again, buf_content(&bytes)), ERR_FORMAT);
    buf_release(&bytes);
}

static void test_roots(void **state)
{
    (void)state;
    struct forest f;
    struct tree t = {0};
    struct buf nodes = {0};
    forest_init(&f, LARGE_MAX);
    check_size(&f, &t, 0);
    for (uint64_t i = 0; i < f.count; i++) {
        assert_int_equal(tree_append(f.hasher, &t, &f.leaves[i], &nodes), 0);
        if (i < SMALL_MAX || i + 1 == f.count || draw(&f, f.count / LARGE_DRAWS) == 0)
            check_size(&f, &t, i + 1);
    }
    assert_true(slice_equal(buf_content(&nodes), buf_content(&f.nodes)));
    buf_release(&nodes);
    forest_release(&f);
}

/* Leaves that come many at a time make the tree of leaves that come one by one. */
static void test_many(void **state)
{
    (void)state;
    struct forest f;
    struct tree t = {0};
    struct buf nodes = {0};
    forest_init(&f, 20000);
    struct sha256 *used = calloc(f.count, sizeof(*used));
    assert_non_null(used);
    memcpy(used, f.leaves, f.count * sizeof(*used));
    for (uint64_t at = 0; at < f.count;) {
        uint64_t n = at < 600 ? draw(&f, 4) : draw(&f, 1200);
        n = n < f.count - at ? n : f.count - at;
        assert_int_equal(tree_append_leaves(f.hasher, &t, used + at, n, &nodes), 0);
        at += n;
        check_size(&f, &t, at);
        assert_int_equal(nodes.len, at / TREE_GROUP_ROWS * SHA256_BYTES);
    }
    assert_true(slice_equal(buf_content(&nodes), buf_content(&f.nodes)));
    free(used);
    buf_release(&nodes);
    forest_release(&f);
}

/* A tree that was loaded goes on as the one that grew. */
static void test_resume(void **state)
{
    (void)state;
    static const uint64_t CUTS[] = {0, 1, 255, 256, 257, 511, 512, 1000, 2559, 2560, 2561};
    struct forest f;
    forest_init(&f, 3000);
    struct sha256 want = model_root(f.leaves, f.count);
    for (size_t i = 0; i < sizeof(CUTS) / sizeof(CUTS[0]); i++) {
        struct tree t;
        struct sha256 got;
        struct buf nodes = {0};
        struct tree_source source = source_of(&f);
        buf_append(&nodes, f.nodes.data, CUTS[i] / TREE_GROUP_ROWS * SHA256_BYTES);
        source.nodes = buf_content(&nodes);
        assert_int_equal(tree_load(f.hasher, &t, &source, CUTS[i]), 0);
        for (uint64_t at = CUTS[i]; at < f.count; at++)
            assert_int_equal(tree_append(f.hasher, &t, &f.leaves[at], &nodes), 0);
        assert_int_equal(tree_root(f.hasher, &got, &t), 0);
        assert_true(sha256_equal(&want, &got));
        assert_true(slice_equal(buf_content(&nodes), buf_content(&f.nodes)));
        buf_release(&nodes);
    }
    forest_release(&f);
}

/* Any other size, index, leaf, root, one hash more or less, or a flipped bit: refused. */
static void refuse_leaf(struct forest *f, const struct tree_proof *proof, uint64_t index,
                        const struct tree_head *head)
{
    struct tree_proof bad = *proof;
    struct tree_head other = *head;
    struct sha256 leaf = f->leaves[index];
    bad.hashes[draw(f, proof->count + 1)].bytes[draw(f, 32)] ^= (uint8_t)(1U << draw(f, 8));
    bad.count += proof->count == 0;
    assert_int_equal(tree_check_leaf(f->hasher, &bad, &leaf, index, head),
                     memcmp(&bad, proof, sizeof(bad.count) + (size_t)proof->count * SHA256_BYTES) ==
                             0
                         ? 0
                         : ERR_CORRUPT);
    bad = *proof;
    bad.count++;
    assert_int_equal(tree_check_leaf(f->hasher, &bad, &leaf, index, head), ERR_CORRUPT);
    bad.count = proof->count - 1;
    assert_int_equal(tree_check_leaf(f->hasher, &bad, &leaf, index, head), ERR_CORRUPT);
    uint64_t elsewhere = draw(f, head->size + 3);
    if (elsewhere != index)
        assert_int_equal(tree_check_leaf(f->hasher, proof, &leaf, elsewhere, head), ERR_CORRUPT);
    other.size += 1 + draw(f, 9);
    assert_int_equal(tree_check_leaf(f->hasher, proof, &leaf, index, &other), ERR_CORRUPT);
    other = *head;
    other.root.bytes[draw(f, 32)] ^= (uint8_t)(1U << draw(f, 8));
    assert_int_equal(tree_check_leaf(f->hasher, proof, &leaf, index, &other), ERR_CORRUPT);
    leaf.bytes[draw(f, 32)] ^= (uint8_t)(1U << draw(f, 8));
    assert_int_equal(tree_check_leaf(f->hasher, proof, &leaf, index, head), ERR_CORRUPT);
}

static void check_leaf(struct forest *f, uint64_t index, const struct tree_head *head)
{
    struct tree_proof proof = {.count = 77};
    struct tree_source source = source_of(f);
    f->hidden = index;
    assert_int_equal(tree_prove_leaf(f->hasher, &proof, &source, index, head->size), 0);
    assert_in_range(proof.count, 0, TREE_PROOF_HASHES_MAX);
    assert_int_equal(tree_check_leaf(f->hasher, &proof, &f->leaves[index], index, head), 0);
    refuse_leaf(f, &proof, index, head);
}

static void test_leaf_proofs(void **state)
{
    (void)state;
    struct forest f;
    forest_init(&f, LARGE_MAX);
    for (uint64_t size = 1; size <= SMALL_MAX; size++) {
        struct tree_head head = {.size = size, .root = model_root(f.leaves, size)};
        check_leaf(&f, 0, &head);
        check_leaf(&f, size - 1, &head);
        for (uint64_t i = draw(&f, 29); i < size; i += 29)
            check_leaf(&f, i, &head);
    }
    for (unsigned i = 0; i < LARGE_DRAWS; i++) {
        uint64_t size = 1 + draw(&f, LARGE_MAX);
        struct tree_head head = {.size = size, .root = model_root(f.leaves, size)};
        for (unsigned k = 0; k < 10; k++)
            check_leaf(&f, draw(&f, size), &head);
    }
    struct tree_source source = source_of(&f);
    struct tree_proof untouched = {.count = 77};
    assert_int_equal(tree_prove_leaf(f.hasher, &untouched, &source, 5, 5), ERR_RANGE);
    assert_int_equal(tree_prove_leaf(f.hasher, &untouched, &source, 5, LARGE_MAX + 1000),
                     ERR_RANGE);
    assert_int_equal(untouched.count, 77);
    forest_release(&f);
}

/* Rows that stay are proved when most others are gone, and only nodes over these are known. */
static void test_gone_rows(void **state)
{
    (void)state;
    struct forest f;
    forest_init(&f, LARGE_MAX);
    for (unsigned i = 0; i < LARGE_DRAWS; i++) {
        uint64_t size = 1 + draw(&f, LARGE_MAX);
        struct tree_head head = {.size = size, .root = model_root(f.leaves, size)};
        uint64_t step = 1 + draw(&f, 600);
        for (uint64_t k = 0; k < f.count; k++)
            f.gone[k] = k < size && (draw(&f, step) != 0 || k % step < step / 2);
        for (unsigned k = 0; k < 20; k++) {
            uint64_t index = draw(&f, size);
            if (!f.gone[index])
                check_leaf(&f, index, &head);
        }
    }
    /* A node over the row to prove is of no use. */
    struct tree_proof proof = {.count = 77};
    memset(f.gone, 1, f.count * sizeof(*f.gone));
    f.gone[0] = false;
    struct tree_source source = source_of(&f);
    f.gone[3] = f.gone[2] = true;
    assert_int_equal(tree_prove_leaf(f.hasher, &proof, &source, 0, 3), ERR_NOTFOUND);
    assert_int_equal(proof.count, 77);
    forest_release(&f);
}

static void refuse_growth(struct forest *f, const struct tree_proof *proof,
                          const struct tree_head *older, const struct tree_head *newer)
{
    struct tree_proof bad = *proof;
    struct tree_head other = *older;
    if (proof->count != 0) {
        bad.hashes[draw(f, proof->count)].bytes[draw(f, 32)] ^= (uint8_t)(1U << draw(f, 8));
        assert_int_equal(tree_check_growth(f->hasher, &bad, older, newer), ERR_CORRUPT);
        bad = *proof;
        bad.count--;
        assert_int_equal(tree_check_growth(f->hasher, &bad, older, newer), ERR_CORRUPT);
    }
    bad = *proof;
    bad.count++;
    assert_int_equal(tree_check_growth(f->hasher, &bad, older, newer), ERR_CORRUPT);
    other.root.bytes[draw(f, 32)] ^= 1;
    assert_int_equal(tree_check_growth(f->hasher, proof, &other, newer), ERR_CORRUPT);
    other = *older;
    other.size = draw(f, newer->size + 2);
    if (other.size != older->size)
        assert_int_equal(tree_check_growth(f->hasher, proof, &other, newer), ERR_CORRUPT);
    other = *newer;
    other.root.bytes[draw(f, 32)] ^= 1;
    assert_int_equal(tree_check_growth(f->hasher, proof, older, &other), ERR_CORRUPT);
    other = *newer;
    other.size += 1 + draw(f, 5);
    assert_int_equal(tree_check_growth(f->hasher, proof, older, &other), ERR_CORRUPT);
}

static void check_growth(struct forest *f, const struct tree_head *older,
                         const struct tree_head *newer)
{
    struct tree_proof proof = {.count = 77};
    struct tree_source source = source_of(f);
    assert_int_equal(tree_prove_growth(f->hasher, &proof, &source, older->size, newer->size), 0);
    assert_int_equal(tree_check_growth(f->hasher, &proof, older, newer), 0);
    refuse_growth(f, &proof, older, newer);
}

static void test_growth_proofs(void **state)
{
    (void)state;
    struct forest f;
    struct tree_head heads[SMALL_MAX + 1];
    forest_init(&f, LARGE_MAX);
    for (uint64_t size = 0; size <= SMALL_MAX; size++)
        heads[size] = (struct tree_head){.size = size, .root = model_root(f.leaves, size)};
    for (uint64_t newer = 0; newer <= SMALL_MAX; newer++) {
        uint64_t step = newer < 70 ? 1 : SMALL_PAIR_STEP;
        for (uint64_t older = draw(&f, step); older <= newer; older += step)
            check_growth(&f, &heads[older], &heads[newer]);
        check_growth(&f, &heads[newer], &heads[newer]);
    }
    for (unsigned i = 0; i < LARGE_DRAWS; i++) {
        uint64_t newer = 1 + draw(&f, LARGE_MAX);
        uint64_t older = draw(&f, newer + 1);
        struct tree_head a = {.size = older, .root = model_root(f.leaves, older)};
        struct tree_head b = {.size = newer, .root = model_root(f.leaves, newer)};
        check_growth(&f, &a, &b);
    }
    forest_release(&f);
}

/* A history whose row 3 was changed later proves nothing to who holds the older root. */
static void test_rewritten(void **state)
{
    (void)state;
    struct forest f;
    forest_init(&f, 2000);
    struct tree_head held = {.size = 700, .root = model_root(f.leaves, 700)};
    f.leaves[3].bytes[0] ^= 1;
    struct tree t = {0};
    buf_reset(&f.nodes);
    for (uint64_t i = 0; i < f.count; i++)
        assert_int_equal(tree_append(f.hasher, &t, &f.leaves[i], &f.nodes), 0);
    struct tree_head now = {.size = 2000};
    struct sha256 root;
    struct tree_proof proof;
    struct tree_source source = source_of(&f);
    assert_int_equal(tree_root(f.hasher, &now.root, &t), 0);
    assert_int_equal(tree_prove_growth(f.hasher, &proof, &source, 700, 2000), 0);
    assert_int_equal(tree_check_growth(f.hasher, &proof, &held, &now), ERR_CORRUPT);
    source = source_of(&f);
    assert_int_equal(tree_root_at(f.hasher, &root, &source, 700), 0);
    assert_false(sha256_equal(&root, &held.root));
    forest_release(&f);
}

static int no_leaf(void *self, uint64_t index, unsigned *level, struct sha256 *out)
{
    (void)self;
    (void)index;
    *level = 0;
    (void)out;
    return ERR_IO;
}

static void test_failures(void **state)
{
    (void)state;
    struct forest f;
    struct tree t = {.size = 7};
    struct tree_proof proof = {.count = 77};
    struct buf full = {.limit = SHA256_BYTES - 1};
    forest_init(&f, 1000);
    struct tree_source source = source_of(&f);
    source.leaf = no_leaf;
    assert_int_equal(tree_load(f.hasher, &t, &source, 1000), ERR_IO);
    assert_int_equal(tree_load(f.hasher, &t, &source, 1024), ERR_RANGE);
    assert_int_equal(tree_prove_leaf(f.hasher, &proof, &source, 0, 1000), ERR_IO);
    assert_int_equal(tree_prove_growth(f.hasher, &proof, &source, 3, 512), ERR_IO);
    assert_int_equal(tree_prove_growth(f.hasher, &proof, &source, 513, 512), ERR_RANGE);
    assert_int_equal(t.size, 7);
    assert_int_equal(proof.count, 77);
    /* Where no leaf is needed none is asked for. */
    assert_int_equal(tree_load(f.hasher, &t, &source, 768), 0);
    assert_int_equal(tree_prove_growth(f.hasher, &proof, &source, 256, 768), 0);
    source = source_of(&f);
    assert_int_equal(tree_load(f.hasher, &t, &source, 255), 0);
    assert_int_equal(tree_append(f.hasher, &t, &f.leaves[255], &full), ERR_NOMEM);
    assert_int_equal(t.size, 255);
    struct sha256 one = f.leaves[255];
    assert_int_equal(tree_append_leaves(f.hasher, &t, &one, 1, &full), ERR_NOMEM);
    assert_int_equal(t.size, 255);
    struct tree last = {.size = TREE_ROWS_MAX};
    assert_int_equal(tree_append(f.hasher, &last, &f.leaves[0], &f.nodes), ERR_RANGE);
    assert_int_equal(tree_append_leaves(f.hasher, &last, &one, 1, &f.nodes), ERR_RANGE);
    buf_release(&full);
    forest_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf),          cmocka_unit_test(test_roots),
        cmocka_unit_test(test_many),          cmocka_unit_test(test_resume),
        cmocka_unit_test(test_leaf_proofs),   cmocka_unit_test(test_gone_rows),
        cmocka_unit_test(test_growth_proofs), cmocka_unit_test(test_rewritten),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
