/*
 * tests/store/proof_case.h - a store's trees, checkpoints and proofs of invented rows, always the same.
 *
 * Ownership: case_init() gives what case_release() takes back; texts belong to the caller's buffers.
 */
#pragma once

#include "store/checkpoint_file.h"
#include "store/proof.h"
#include "tests/store/log_dir.h"

enum {
    CASE_TENANTS = 3,
    CASE_ROWS_MAX = 2000,
    CASE_RAW_BYTES_MAX = 300,
};

static const uint32_t CASE_CODES[CASE_TENANTS] = {11002, 990001, 990019};

struct case_tree {
    struct hasher *hasher;
    uint32_t tenant;
    uint64_t salt; /* rows of another salt are other rows */
    struct buf nodes;
    struct tree trees[CASE_ROWS_MAX + 1]; /* at every size */
};

struct proof_case {
    struct hasher *hasher;
    struct note_signer signer;
    struct case_tree *trees; /* CASE_TENANTS */
    uint64_t random;
};

struct case_row {
    struct tree_row row;
    char raw[CASE_RAW_BYTES_MAX];
    char topic[64];
};

static inline uint64_t case_mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

static inline uint64_t case_draw(struct proof_case *c, uint64_t below)
{
    c->random++;
    return case_mix(c->random) % below;
}

static inline void case_row_make(struct case_row *r, uint32_t tenant, uint64_t salt, uint64_t i)
{
    uint64_t x = case_mix(salt * 1000003 + UINT64_C(7919) * tenant + i);
    size_t len = x % 5 == 0 ? 0 : x / 5 % CASE_RAW_BYTES_MAX;
    for (size_t k = 0; k < len; k++)
        r->raw[k] = (char)(x % 3 == 0 ? case_mix(x + k) : 'a' + (x + k) % 26);
    int topic = snprintf(r->topic, sizeof(r->topic), x % 7 == 0 ? "odd %%%06u/%c" : "raw.%06u.%c",
                         tenant, (char)('a' + x % 3));
    r->row = (struct tree_row){.topic = slice_of(r->topic, (size_t)topic),
                               .partition = (int32_t)(x % 4),
                               .offset = (int64_t)(x >> 2 & INT64_MAX),
                               .sub = (uint32_t)(x % 9 == 0 ? x >> 20 : 0),
                               .raw = slice_of(r->raw, len)};
}

static inline int case_leaf(void *self, uint64_t index, unsigned *level, struct sha256 *out)
{
    *level = 0;
    struct case_tree *t = self;
    struct case_row row;
    case_row_make(&row, t->tenant, t->salt, index);
    return tree_leaf(t->hasher, out, &row.row);
}

static inline struct tree_source case_source(struct case_tree *t)
{
    return (struct tree_source){.nodes = buf_content(&t->nodes), .leaf = case_leaf, .self = t};
}

static inline void case_grow(struct case_tree *t, uint64_t salt)
{
    struct tree tree = {0};
    buf_reset(&t->nodes);
    t->salt = salt;
    for (uint64_t i = 0; i < CASE_ROWS_MAX; i++) {
        struct sha256 leaf;
        unsigned level = 0;
        assert_int_equal(case_leaf(t, i, &level, &leaf), 0);
        assert_int_equal(tree_append(t->hasher, &tree, &leaf, &t->nodes), 0);
        t->trees[i + 1] = tree;
    }
}

static inline void case_init(struct proof_case *c, uint64_t seed)
{
    char name[NOTE_NAME_BYTES_MAX + 1];
    *c = (struct proof_case){.random = seed};
    assert_int_equal(hasher_new(&c->hasher), 0);
    checkpoint_key_name(name, TEST_STORE_ID);
    assert_int_equal(note_signer_make(&c->signer, name), 0);
    c->trees = calloc(CASE_TENANTS, sizeof(c->trees[0]));
    assert_non_null(c->trees);
    for (size_t i = 0; i < CASE_TENANTS; i++) {
        c->trees[i].hasher = c->hasher;
        c->trees[i].tenant = CASE_CODES[i];
        case_grow(&c->trees[i], seed);
    }
}

static inline void case_release(struct proof_case *c)
{
    for (size_t i = 0; i < CASE_TENANTS; i++)
        buf_release(&c->trees[i].nodes);
    free(c->trees);
    hasher_free(c->hasher);
    note_signer_wipe(&c->signer);
}

/* A checkpoint with these sizes; it lives as long as the room for its tenants. */
static inline struct checkpoint case_checkpoint(struct proof_case *c,
                                                struct checkpoint_tenant room[CASE_TENANTS],
                                                const uint64_t sizes[CASE_TENANTS])
{
    static const struct checkpoint_record RECORD = {.name = {.data = "ledger", .len = 6},
                                                    .hash = {.bytes = {1, 2, 3}}};
    struct checkpoint cp = {.time_ns = INT64_C(1795305600123000000),
                            .log_seq = sizes[0] + sizes[1] + sizes[2],
                            .tenants = room,
                            .tenant_count = CASE_TENANTS,
                            .records = &RECORD,
                            .record_count = 1};
    memcpy(cp.store_id, TEST_STORE_ID, STORE_ID_BYTES);
    cp.log_hash.bytes[0] = (uint8_t)cp.log_seq;
    for (size_t i = 0; i < CASE_TENANTS; i++) {
        room[i] = (struct checkpoint_tenant){.tenant = CASE_CODES[i], .head.size = sizes[i]};
        assert_int_equal(tree_root(c->hasher, &room[i].head.root, &c->trees[i].trees[sizes[i]]), 0);
    }
    return cp;
}

/* Append the text of checkpoint `number`, which names `previous` (NULL: none). */
static inline void case_sign(struct proof_case *c, struct buf *out, uint64_t number,
                             const struct slice *previous, const uint64_t sizes[CASE_TENANTS])
{
    struct checkpoint_tenant room[CASE_TENANTS];
    struct checkpoint cp = case_checkpoint(c, room, sizes);
    cp.number = number;
    if (previous != NULL)
        assert_int_equal(checkpoint_hash(&cp.previous, *previous), 0);
    assert_int_equal(checkpoint_sign(out, &cp, &c->signer), 0);
}

/* Append the proof of a row of tenant number t, which is in that checkpoint of that size. */
static inline void case_prove_row(struct proof_case *c, struct buf *out, size_t t, uint64_t index,
                                  uint64_t size, struct slice checkpoint)
{
    struct case_row row;
    struct tree_source source = case_source(&c->trees[t]);
    case_row_make(&row, CASE_CODES[t], c->trees[t].salt, index);
    struct proof_row p = {
        .tenant = CASE_CODES[t], .index = index, .row = row.row, .checkpoint = checkpoint};
    assert_int_equal(tree_prove_leaf(c->hasher, &p.path, &source, index, size), 0);
    assert_int_equal(proof_row_print(out, &p), 0);
}

static inline void case_prove_growth(struct proof_case *c, struct buf *out,
                                     const uint64_t older[CASE_TENANTS],
                                     const uint64_t newer[CASE_TENANTS], struct slice texts[2])
{
    struct proof_growth_tenant tenants[CASE_TENANTS];
    struct proof_growth p = {
        .tenants = tenants, .tenant_count = CASE_TENANTS, .older = texts[0], .newer = texts[1]};
    for (size_t i = 0; i < CASE_TENANTS; i++) {
        struct tree_source source = case_source(&c->trees[i]);
        tenants[i].tenant = CASE_CODES[i];
        assert_int_equal(
            tree_prove_growth(c->hasher, &tenants[i].path, &source, older[i], newer[i]), 0);
    }
    assert_int_equal(proof_growth_print(out, &p), 0);
}

/* What the product says of a proof of either kind. */
static inline int case_judge(struct hasher *h, struct slice text, const struct note_key *key)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct proof_row row;
    struct proof_growth growth;
    int err = 0;
    if (slice_starts(text, SLICE("sekisho growth"))) {
        err = proof_growth_parse(&growth, &arena, text, "proof", &diag);
        if (err == 0)
            err = proof_growth_verify(h, &growth, key, "proof", &diag);
    } else {
        err = proof_row_parse(&row, &arena, text, "proof", &diag);
        if (err == 0)
            err = proof_row_verify(h, &row, key, "proof", &diag);
    }
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    arena_release(&arena);
    diag_release(&diag);
    return err;
}
