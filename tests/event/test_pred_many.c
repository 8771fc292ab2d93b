/* Many patterns of one field at once, and URLs that many rows have alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/event/pred_agree.h"
#include "tests/event/pred_found.h"
#include "tests/event/row_parts.h"

enum {
    PATTERNS = 400,
    ROUNDS = 40,
    ALIKE = 60, /* rows of each URL */
};

/* Evaluate, as one set of expressions; the caller releases the hits. */
static void eval(struct hits *out, const struct batch *b, const struct ast *const *asts,
                 size_t count)
{
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct diag diag = {0};
    if (pred_compile(&pred, asts, count, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(pred_scratch_new(&scratch, pred), 0);
    struct column_set set = {.batch = b, .end_row = b->row_count, .rows_known = true};
    assert_int_equal(pred_eval(pred, scratch, &set, out), 0);
    pred_scratch_free(scratch);
    pred_free(pred);
    diag_release(&diag);
}

/* Returns the number of hits. */
static size_t check(const struct sample *s, const struct ast *const *asts)
{
    struct hits hits = {0};
    const struct column_set all = {.end_row = s->batch->row_count};
    eval(&hits, s->batch, asts, PATTERNS);
    check_hits(s, asts, PATTERNS, &all, &hits);
    size_t count = hits.count;
    hits_release(&hits);
    return count;
}

/* A piece of a text that the row's URL has, or nearly. */
static struct slice some_piece(struct random *r, struct arena *arena, const struct sample *s)
{
    static const char *const ELSE[] = {"http://www.example.jp/%61?b", "/download/setup.exe?a=1",
                                       "https://www.example.jp:8443/"};
    const struct naive_row *known = &s->known[random_below(r, s->batch->row_count)];
    struct slice whole = known->url_count != 0
                             ? known->urls[random_below(r, known->url_count)]
                             : slice_from(ELSE[random_below(r, sizeof(ELSE) / sizeof(ELSE[0]))]);
    char *copy = arena_copy(arena, whole);
    if (whole.len == 0)
        return SLICE("/nowhere");
    if (random_below(r, 4) == 0)
        copy[random_below(r, (uint32_t)whole.len)] = "aZ/%3."[random_below(r, 6)];
    size_t from = random_below(r, (uint32_t)whole.len);
    size_t len = 1 + random_below(r, (uint32_t)(whole.len - from));
    for (size_t i = from; i < from + len; i++) {
        if (copy[i] < 0)
            copy[i] = '.'; /* patterns are whole characters */
    }
    return slice_of(copy + from, len);
}

static struct slice with_star(struct arena *arena, struct slice text, bool ends)
{
    struct buf out = {0};
    buf_text(&out, ends ? "*" : "");
    buf_slice(&out, text);
    buf_text(&out, ends ? "" : "*");
    struct slice copy = slice_of(arena_copy(arena, buf_content(&out)), out.len);
    buf_release(&out);
    return copy;
}

/* Hundreds of long patterns of one field, which are found by an index instead of a search. */
static void test_many_patterns(void **state)
{
    (void)state;
    static const enum ast_op OPS[] = {AST_CONTAINS, AST_CONTAINS, AST_GLOB, AST_EQUAL};
    static const uint16_t FIELDS[] = {FIELD_URL_ORIGINAL, FIELD_URL_ORIGINAL, FIELD_URL_PATH,
                                      FIELD_URL_DOMAIN};
    struct sample *s = calloc(1, sizeof(*s));
    struct random r = {.state = 77};
    size_t hits = 0;
    assert_non_null(s);
    s->batch = batch_new();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct arena arena = {0};
        const struct ast *asts[PATTERNS];
        sample_make(s, &r, 1 + random_below(&r, round % 4 == 0 ? 700 : 60));
        if (round % 2 == 1)
            sample_read_back(s, &r);
        for (uint32_t i = 0; i < PATTERNS; i++) {
            struct ast *leaf = arena_alloc(&arena, sizeof(*leaf));
            assert_non_null(leaf);
            *leaf = (struct ast){.kind = AST_LEAF,
                                 .op = OPS[random_below(&r, 4)],
                                 .field = FIELDS[random_below(&r, 4)],
                                 .cased = random_below(&r, 6) == 0,
                                 .text = some_piece(&r, &arena, s)};
            if (leaf->op == AST_GLOB)
                leaf->text = with_star(&arena, leaf->text, random_below(&r, 2) == 0);
            asts[i] = leaf;
        }
        hits += check(s, asts);
        arena_release(&arena);
        sample_reset(s);
    }
    assert_true(hits > (size_t)ROUNDS * PATTERNS);
    batch_free(s->batch);
    arena_release(&s->arena);
    free(s);
}

static struct slice numbered(struct arena *arena, uint32_t number)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "nowhere-%u-at-all", number);
    return slice_of(arena_copy(arena, slice_of(text, (size_t)len)), (size_t)len);
}

/* A batch where no row may hit is told apart by the leaves of a field together. */
static void test_many_possible(void **state)
{
    (void)state;
    static const uint16_t FIELDS[] = {FIELD_URL_PATH, FIELD_URL_DOMAIN, FIELD_URL_QUERY,
                                      FIELD_USER_NAME};
    struct sample *s = calloc(1, sizeof(*s));
    struct random r = {.state = 78};
    size_t hit_count = 0;
    size_t impossible_count = 0;
    assert_non_null(s);
    s->batch = batch_new();
    for (uint32_t round = 0; round < 20 * ROUNDS; round++) {
        struct arena arena = {0};
        struct ast either = {.kind = AST_OR};
        uint16_t field = FIELDS[random_below(&r, 4)];
        sample_make(s, &r, 1 + random_below(&r, 4));
        if (round % 2 == 1)
            sample_read_back(s, &r);
        for (uint32_t i = 0; i < 8 + random_below(&r, 60); i++) {
            struct ast *leaf = arena_alloc(&arena, sizeof(*leaf));
            assert_non_null(leaf);
            *leaf = (struct ast){.kind = AST_LEAF, .op = AST_CONTAINS, .field = field};
            leaf->text = some_piece(&r, &arena, s);
            if (leaf->text.len < 3 || random_below(&r, 8) != 0)
                leaf->text = numbered(&arena, i);
            ast_add(&either, leaf);
        }
        bool hits = false;
        for (uint32_t row = 0; row < s->batch->row_count; row++)
            hits |= naive_holds(s->batch, row, &s->known[row], &either) != 0;
        bool can = tree_possible(s->batch, &either);
        if (hits && !can)
            fail_msg("round %u: rows hit, and none is possible (field %u)", round, field);
        hit_count += hits;
        impossible_count += !can;
        arena_release(&arena);
        sample_reset(s);
    }
    assert_true(hit_count > ROUNDS && impossible_count > ROUNDS);
    batch_free(s->batch);
    arena_release(&s->arena);
    free(s);
}

/* URLs in parts are made once for rows whose parts are the same, and stand in the same way. */
static void urls_alike(bool strange)
{
    static const struct {
        const char *host;
        const char *glue;
        const char *port;
    } URLS[] = {{"one.example", ":", "443"},
                {"one.example", ":", "8443"},
                {"two.example", ":", "443"},
                {"one.example", "@", "443"},
                {"one.example", ":", "80"},
                {"one.example", ":", "0443"}}; /* not canonical: beside the numbers */
    struct batch *b = batch_new();
    struct arena arena = {0};
    const struct ast *asts[6 + 20];
    char texts[6 + 20][80] = {{0}};
    uint32_t count = strange ? 6 : 5;
    for (uint32_t i = 0; i < count * ALIKE; i++) {
        ROW(b, {"CONNECT ", URLS[i % count].host, FIELD_URL_DOMAIN, 0},
            {URLS[i % count].glue, URLS[i % count].port, FIELD_URL_PORT, 0});
    }
    for (size_t i = 0; i < 6 + 20; i++) {
        int len = i < 6 ? snprintf(texts[i], sizeof(texts[i]), "%s%s%s", URLS[i].host, URLS[i].glue,
                                   URLS[i].port)
                        : snprintf(texts[i], sizeof(texts[i]), "nothing%zu", i);
        struct ast *leaf = arena_alloc(&arena, sizeof(*leaf));
        assert_non_null(leaf);
        *leaf = (struct ast){.kind = AST_LEAF,
                             .op = i % 2 == 0 ? AST_CONTAINS : AST_EQUAL,
                             .field = FIELD_URL_ORIGINAL,
                             .text = slice_of(texts[i], (size_t)len)};
        asts[i] = leaf;
    }
    struct hits hits = {0};
    eval(&hits, b, asts, 6 + 20);
    assert_int_equal(hits.count, (size_t)count * ALIKE);
    for (size_t i = 0; i < hits.count; i++) {
        assert_int_equal(hits.items[i].expression, i / ALIKE);
        assert_int_equal(hits.items[i].row % count, i / ALIKE);
    }
    hits_release(&hits);
    arena_release(&arena);
    batch_free(b);
}

static void test_urls_alike(void **state)
{
    (void)state;
    urls_alike(false);
    urls_alike(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_alike),
        cmocka_unit_test(test_many_patterns),
        cmocka_unit_test(test_many_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
