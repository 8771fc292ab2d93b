/* Turns of batches: any order comes back as it was, and no other bytes are an item. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/turns.h"

enum {
    ROWS_MAX = 5000,
    TENANT = 990001,
};

static uint32_t below(uint64_t *random, uint32_t n)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)(*random >> 33) % n;
}

/* Read an item back, row by row. Returns the rows. */
static size_t read_back(uint32_t *of, struct slice item, uint32_t first, uint32_t batches)
{
    struct turns t;
    uint32_t batch = 0;
    uint64_t rows = 0;
    size_t at = 0;
    assert_int_equal(turns_open(&t, item), 0);
    assert_int_equal(t.tenant, TENANT);
    assert_int_equal(t.first, first);
    assert_int_equal(t.batches, batches);
    while (turns_next(&t, &batch, &rows)) {
        assert_true(batch < batches && rows != 0 && at + rows <= ROWS_MAX);
        while (rows-- != 0)
            of[at++] = batch;
    }
    assert_int_equal(t.left, 0);
    assert_int_equal(t.rest.len, 0);
    return at;
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t random = 5;
    uint32_t *of = calloc(ROWS_MAX, sizeof(*of));
    uint32_t *back = calloc(ROWS_MAX, sizeof(*back));
    assert_non_null(of);
    assert_non_null(back);
    for (unsigned round = 0; round < 200; round++) {
        struct buf out = {0};
        struct buf moved = {0};
        uint32_t batches = 1 + below(&random, 40);
        size_t rows = batches + below(&random, 200);
        for (size_t i = 0; i < rows; i++)
            of[i] = i < batches ? (uint32_t)i : below(&random, batches);
        turns_put(&out, TENANT, batches, of, rows);
        assert_int_equal(read_back(back, buf_content(&out), 0, batches), rows);
        assert_memory_equal(of, back, rows * sizeof(*of));
        uint32_t first = round % 2 == 0 ? round : UINT32_MAX;
        turns_move(&moved, buf_content(&out), first);
        assert_int_equal(read_back(back, buf_content(&moved), first, batches), rows);
        assert_memory_equal(of, back, rows * sizeof(*of));
        buf_release(&out);
        buf_release(&moved);
    }
    free(of);
    free(back);
}

/* Batches of one row: a number past 16 bits is still the batch's. */
static void test_many_batches(void **state)
{
    (void)state;
    static const uint32_t BATCHES = 70000;
    struct buf out = {0};
    struct turns t;
    uint32_t batch = 0;
    uint64_t rows = 0;
    uint32_t *of = calloc(BATCHES, sizeof(*of));
    assert_non_null(of);
    for (uint32_t i = 0; i < BATCHES; i++)
        of[i] = i;
    turns_put(&out, TENANT, BATCHES, of, BATCHES);
    assert_int_equal(turns_open(&t, buf_content(&out)), 0);
    for (uint32_t i = 0; i < BATCHES; i++) {
        assert_true(turns_next(&t, &batch, &rows));
        assert_int_equal(batch, i);
        assert_int_equal(rows, 1);
    }
    assert_false(turns_next(&t, &batch, &rows));
    buf_release(&out);
    free(of);
}

/* Every cut of an item is refused, at its beginning or at the turn that is not whole. */
static void test_cut(void **state)
{
    (void)state;
    static const uint32_t OF[] = {0, 1, 1, 0, 2, 2, 2, 1};
    struct buf out = {0};
    turns_put(&out, TENANT, 3, OF, sizeof(OF) / sizeof(OF[0]));
    for (size_t len = 0; len < out.len; len++) {
        struct turns t = {.tenant = 1};
        uint32_t batch = 0;
        uint64_t rows = 0;
        if (turns_open(&t, slice_of(out.data, len)) != 0) {
            assert_int_equal(t.tenant, 1);
            continue;
        }
        while (turns_next(&t, &batch, &rows))
            continue;
        assert_int_not_equal(t.left, 0);
    }
    buf_release(&out);
}

static void assert_refused(uint64_t first, uint64_t batches, uint64_t turns)
{
    struct buf out = {0};
    struct turns t;
    buf_put32(&out, TENANT);
    buf_varint(&out, first);
    buf_varint(&out, batches);
    buf_varint(&out, turns);
    buf_varint(&out, 0);
    buf_varint(&out, 1);
    assert_int_equal(turns_open(&t, buf_content(&out)), ERR_CORRUPT);
    buf_release(&out);
}

/* Numbers that cannot be are refused before anybody sizes anything by them. */
static void test_numbers(void **state)
{
    (void)state;
    assert_refused(UINT64_C(1) << 32, 1, 1);
    assert_refused(0, UINT64_C(1) << 32, 1);
    assert_refused(0, 2, 1);
    assert_refused(0, 1, 2);
    assert_refused(0, 1, UINT64_MAX);
}

/* A turn of a batch that is not there, or of no rows. */
static void test_turns(void **state)
{
    (void)state;
    static const uint64_t BAD[][2] = {{1, 1}, {0, 0}, {UINT64_MAX, 1}};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct buf out = {0};
        struct turns t;
        uint32_t batch = 77;
        uint64_t rows = 0;
        buf_put32(&out, TENANT);
        buf_varint(&out, 0);
        buf_varint(&out, 1);
        buf_varint(&out, 1);
        buf_varint(&out, BAD[i][0]);
        buf_varint(&out, BAD[i][1]);
        assert_int_equal(turns_open(&t, buf_content(&out)), 0);
        assert_false(turns_next(&t, &batch, &rows));
        assert_int_equal(t.left, 1);
        assert_int_equal(batch, 77);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_many_batches),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
