/* The table of fixed size: like a plain map while there is room, and honest about what it gave up. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

#include "detect/table.h"

struct entry {
    uint64_t key;
    uint64_t value;
};

struct box {
    struct table table;
    unsigned char memory[];
};

static struct box *box_new(size_t entries)
{
    size_t bytes = sizeof(struct box) + table_bytes(entries, sizeof(struct entry));
    struct box *b = calloc(1, bytes);
    assert_non_null(b);
    table_init(&b->table, b->memory, entries, sizeof(struct entry));
    return b;
}

static uint64_t mix(uint64_t n)
{
    n = (n + 1) * UINT64_C(0x9E3779B97F4A7C15);
    n = (n ^ (n >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (n ^ (n >> 27)) | 1;
}

static struct entry *put(struct box *b, uint64_t key, uint64_t value, struct entry *evicted)
{
    bool fresh = false;
    struct entry *e = table_take(&b->table, key, &fresh, evicted);
    assert_non_null(e);
    assert_int_equal(e->key, key);
    if (fresh)
        assert_int_equal(e->value, 0);
    e->value = value;
    return e;
}

static void test_like_a_map(void **state)
{
    (void)state;
    enum {
        KEYS = 500,
        STEPS = 200000
    };
    struct box *b = box_new((size_t)KEYS * 8);
    uint64_t model[KEYS] = {0};
    for (uint64_t step = 1; step <= STEPS; step++) {
        uint64_t which = mix(step) % KEYS;
        uint64_t key = mix(which);
        const struct entry *e = table_find(&b->table, key);
        if (model[which] == 0)
            assert_null(e);
        else
            assert_int_equal(e->value, model[which]);
        if (mix(step * 3) % 3 == 0) {
            table_remove(&b->table, key);
            model[which] = 0;
        } else {
            struct entry evicted = {.key = 99};
            put(b, key, step, &evicted);
            assert_int_equal(evicted.key, 0);
            model[which] = step;
        }
    }
    size_t held = 0;
    for (size_t i = 0; i < KEYS; i++)
        held += model[i] != 0;
    assert_int_equal(b->table.count, held);
    assert_int_equal(b->table.evictions, 0);
    size_t seen = 0;
    size_t at = 0;
    for (const struct entry *e = NULL; (e = table_next(&b->table, &at)) != NULL; seen++)
        assert_true(e->value != 0);
    assert_int_equal(seen, held);
    free(b);
}

/* What a flood displaces is counted and handed over; what is used meanwhile stays. */
static void test_flood(void **state)
{
    (void)state;
    enum {
        ROOM = 1024,
        FLOOD = 100000
    };
    struct box *b = box_new(ROOM);
    uint64_t given = 0;
    put(b, mix(1), 4711, NULL);
    for (uint64_t i = 0; i < FLOOD; i++) {
        struct entry evicted;
        put(b, mix(1000 + i), i, &evicted);
        given += evicted.key != 0;
        assert_non_null(table_find(&b->table, mix(1)));
    }
    assert_int_equal(b->table.evictions, given);
    assert_int_equal(b->table.count + given, FLOOD + 1);
    assert_true(b->table.count <= ROOM);
    assert_true(b->table.count > ROOM * 9 / 10);
    free(b);
}

static void test_walk_and_remove(void **state)
{
    (void)state;
    struct box *b = box_new(4096);
    for (uint64_t i = 0; i < 1000; i++)
        put(b, mix(i), i + 1, NULL);
    size_t at = 0;
    for (const struct entry *e = NULL; (e = table_next(&b->table, &at)) != NULL;) {
        if (e->value % 2 == 0)
            table_remove(&b->table, e->key);
    }
    assert_int_equal(b->table.count, 500);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(table_find(&b->table, mix(i)) != NULL, i % 2 == 0);
    free(b);
}

/* A snapshot is a copy of the bytes. */
static void test_moves(void **state)
{
    (void)state;
    size_t bytes = sizeof(struct box) + table_bytes(256, sizeof(struct entry));
    struct box *b = box_new(256);
    for (uint64_t i = 0; i < 200; i++)
        put(b, mix(i), i, NULL);
    struct box *copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, b, bytes);
    memset(b, 0xA5, bytes);
    free(b);
    for (uint64_t i = 200; i < 400; i++)
        put(copy, mix(i), i, NULL);
    assert_non_null(table_find(&copy->table, mix(399)));
    assert_int_equal(copy->table.count + copy->table.evictions, 400);
    free(copy);
}

/* Memory is written for what the table held at most, and what was removed is given out again. */
static void test_gap(void **state)
{
    (void)state;
    enum {
        ROOM = 512,
        KEYS = 20
    };
    struct box *b = box_new(ROOM);
    struct gaps gaps = {0};
    for (int round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < KEYS; i++)
            put(b, mix(i + (uint64_t)round * KEYS), i + 1, NULL);
        gaps.count = 0;
        table_gap(&b->table, &gaps);
        assert_int_equal(gaps.count, 1);
        assert_int_equal(gaps.items[0].len, (ROOM - KEYS) * sizeof(struct entry));
        for (size_t at = 0; at < gaps.items[0].len; at++)
            assert_int_equal(gaps.items[0].data[at], 0);
        for (uint64_t i = 0; i < KEYS; i++)
            table_remove(&b->table, mix(i + (uint64_t)round * KEYS));
        assert_int_equal(b->table.count, 0);
    }
    free(b);
}

/* An entry stays where it is while its key is there. */
static void test_entries_stay(void **state)
{
    (void)state;
    struct box *b = box_new(512);
    const struct entry *first = put(b, mix(0), 7, NULL);
    for (uint64_t i = 1; i < 400; i++) {
        assert_ptr_equal(table_find(&b->table, mix(0)), first);
        put(b, mix(i), i, NULL);
        if (i % 3 == 0)
            table_remove(&b->table, mix(i));
        table_ahead(&b->table, mix(i), false);
        table_ahead(&b->table, mix(i), true);
    }
    assert_int_equal(first->value, 7);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_map),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_walk_and_remove),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_entries_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
