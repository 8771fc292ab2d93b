#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/pred_gram.h"

enum {
    LITERALS = 600,
    LITERAL_MAX = 24,
    TEXT_MAX = 90,
    ROUNDS = 12,
    TEXTS = 400,
    STOP = -77,
};

struct sample {
    char bytes[LITERALS][LITERAL_MAX + SLICE_PADDING_BYTES];
    struct slice literals[LITERALS];
    bool taken[LITERALS];
    bool found[LITERALS];
};

static uint32_t below(uint64_t *state, uint32_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % bound;
}

static void fill(uint64_t *state, char *to, size_t len, uint32_t letters)
{
    static const char LETTERS[] = "abKL/.=0123xyzQRS\xe3\x81\x82%-_";
    for (size_t i = 0; i < len; i++)
        to[i] = LETTERS[below(state, letters)];
}

static char small(char c)
{
    static const char SMALL[] = "abcdefghijklmnopqrstuvwxyz";
    if (c < 'A' || c > 'Z')
        return c;
    return SMALL[c - 'A'];
}

static bool stands_in(struct slice text, struct slice literal)
{
    for (size_t at = 0; at + literal.len <= text.len; at++) {
        size_t i = 0;
        while (i < literal.len && small(text.data[at + i]) == small(literal.data[i]))
            i++;
        if (i == literal.len)
            return true;
    }
    return false;
}

static int on_found(void *self, uint32_t literal)
{
    struct sample *s = self;
    assert_true(literal < LITERALS && s->taken[literal]);
    s->found[literal] = true;
    return 0;
}

/* Every literal that was taken is found wherever it stands, at each place of a look. */
static size_t check_text(struct sample *s, const struct gram_index *g, struct slice text)
{
    size_t count = 0;
    memset(s->found, 0, sizeof(s->found));
    assert_int_equal(gram_index_scan(g, text, on_found, s), 0);
    for (uint32_t i = 0; i < LITERALS; i++) {
        bool stands = s->taken[i] && stands_in(text, s->literals[i]);
        if (stands && !s->found[i])
            fail_msg("'%.*s' is not found in '%.*s'", (int)s->literals[i].len, s->literals[i].data,
                     (int)text.len, text.data);
        count += stands;
    }
    return count;
}

static void test_nothing_is_lost(void **state)
{
    (void)state;
    static const uint32_t LETTERS[] = {2, 5, 12, 24};
    struct sample *s = calloc(1, sizeof(*s));
    uint64_t random = 20;
    size_t stood = 0;
    size_t taken = 0;
    assert_non_null(s);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct gram_index *g = NULL;
        uint32_t letters = LETTERS[round % 4];
        for (uint32_t i = 0; i < LITERALS; i++) {
            size_t len = 1 + below(&random, LITERAL_MAX);
            fill(&random, s->bytes[i], len, letters);
            s->literals[i] = slice_of(s->bytes[i], len);
        }
        memset(s->taken, 0, sizeof(s->taken));
        assert_int_equal(gram_index_new(&g, s->literals, LITERALS, s->taken), 0);
        for (uint32_t i = 0; i < LITERALS; i++) {
            taken += s->taken[i];
            assert_false(s->taken[i] && s->literals[i].len < GRAM_WINDOW_BYTES);
        }
        gram_index_prefetch(g);
        for (uint32_t i = 0; i < TEXTS; i++) {
            char text[TEXT_MAX + LITERAL_MAX + SLICE_PADDING_BYTES] = {0};
            struct slice planted = s->literals[below(&random, LITERALS)];
            size_t len = below(&random, TEXT_MAX);
            fill(&random, text, len, letters);
            memcpy(text + len, planted.data, planted.len);
            size_t behind = below(&random, 9);
            fill(&random, text + len + planted.len, behind, letters);
            stood += check_text(s, g, slice_of(text, len + planted.len + behind));
        }
        gram_index_free(g);
    }
    assert_true(taken > LITERALS * ROUNDS / 3);
    assert_true(stood > (size_t)TEXTS * ROUNDS / 4);
    free(s);
}

/* What is like too many others is left to the caller, so that no text makes the search slow. */
static void test_crowds_are_refused(void **state)
{
    (void)state;
    static const char OTHER[80] = "/other/one";
    struct sample *s = calloc(1, sizeof(*s));
    struct gram_index *g = NULL;
    uint32_t taken = 0;
    assert_non_null(s);
    for (uint32_t i = 0; i < LITERALS; i++) {
        memset(s->bytes[i], 'a', 10);
        s->literals[i] = slice_of(s->bytes[i], 10);
    }
    s->literals[LITERALS - 1] = slice_of(OTHER, 10);
    assert_int_equal(gram_index_new(&g, s->literals, LITERALS, s->taken), 0);
    for (uint32_t i = 0; i < LITERALS; i++)
        taken += s->taken[i];
    assert_true(taken >= 2 && taken < 20 && s->taken[LITERALS - 1]);
    gram_index_free(g);
    free(s);
}

static int on_found_stop(void *self, uint32_t literal)
{
    unsigned *calls = self;
    (void)literal;
    (*calls)++;
    return STOP;
}

static void test_edges(void **state)
{
    (void)state;
    static const char TEXT[80] = "-/Evil/pAth";
    static const char LITERAL[80] = "/evil/p";
    struct slice literal = slice_of(LITERAL, 7);
    struct gram_index *g = NULL;
    bool taken = false;
    unsigned calls = 0;
    assert_int_equal(gram_index_new(&g, &literal, 1, &taken), 0);
    assert_true(taken);
    assert_int_equal(gram_index_scan(g, slice_of(TEXT, 11), on_found_stop, &calls), STOP);
    assert_int_equal(calls, 1);
    /* A text ends where it ends, whatever stands behind it; and begins where it begins. */
    assert_int_equal(gram_index_scan(g, slice_of(TEXT, 7), on_found_stop, &calls), 0);
    assert_int_equal(gram_index_scan(g, slice_of(TEXT + 2, 9), on_found_stop, &calls), 0);
    assert_int_equal(gram_index_scan(g, slice_of(TEXT, 0), on_found_stop, &calls), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(gram_index_scan(g, slice_of(TEXT, 8), on_found_stop, &calls), STOP);
    gram_index_free(g);
    g = NULL;
    assert_int_equal(gram_index_new(&g, NULL, 0, NULL), 0);
    assert_int_equal(gram_index_scan(g, slice_of(TEXT, 11), on_found_stop, &calls), 0);
    gram_index_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_crowds_are_refused),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
