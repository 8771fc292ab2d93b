/* All lines of a batch by a renderer: the bytes of batch_render(), whatever is the same in all rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event/renderer.h"
#include "tests/support/lines.h"

enum {
    ROWS = 400,
    SEEDS = 40,
};

static void append(struct batch *b, const struct lines *l, int64_t offset)
{
    const struct row row = {
        .bytes = slice_of(l->line, l->len),
        .slots = &l->slots,
        .offset = offset,
        .reason = offset % 50 == 3 ? REASON_FORMAT_MISMATCH : REASON_NONE,
    };
    assert_int_equal(batch_append(b, &row), 0);
}

/* Every row by the renderer and by batch_render(). Returns how many columns are tied. */
static unsigned check(struct renderer *r, const struct batch *b)
{
    unsigned tied = 0;
    struct buf ours = {0};
    struct buf theirs = {0};
    struct ties ties = {0};
    assert_int_equal(ties_find(&ties, b), 0);
    assert_int_equal(renderer_begin(r, b, &ties), 0);
    for (uint32_t row = 0; row < b->row_count; row++) {
        assert_int_equal(renderer_row(r, row, &ours), 0);
        assert_int_equal(batch_render(b, row, &theirs), 0);
        assert_true(slice_equal(buf_content(&ours), buf_content(&theirs)));
    }
    assert_true(ours.len > b->row_count);
    buf_release(&ours);
    buf_release(&theirs);
    for (uint32_t i = 0; i < b->column_count; i++)
        tied += ties_of(&ties, i) != NULL;
    ties_release(&ties);
    return tied;
}

static void test_random_lines(void **state)
{
    (void)state;
    struct renderer r = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct lines l = {.state = seed};
        struct batch *b = batch_new();
        assert_non_null(b);
        for (int64_t i = 0; i < ROWS; i++) {
            lines_next(&l, 1 + (uint32_t)seed % 12);
            append(b, &l, i);
        }
        b->live = false;
        check(&r, b);
        batch_free(b);
    }
    renderer_release(&r);
}

/* Lines that repeat, but for one now and then: columns are the same in all rows, or nearly. */
static void test_lines_that_repeat(void **state)
{
    (void)state;
    struct renderer r = {0};
    unsigned same = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct lines usual = {.state = seed * 77};
        struct batch *b = batch_new();
        assert_non_null(b);
        lines_next(&usual, 9);
        for (int64_t i = 0; i < ROWS; i++) {
            struct lines other = {.state = seed * 1000 + (uint64_t)i + 1};
            lines_next(&other, 9);
            bool is_usual = seed % 3 == 0 || i % 90 != 89;
            append(b, is_usual ? &usual : &other, i);
        }
        b->live = false;
        same += check(&r, b);
        batch_free(b);
    }
    assert_true(same > SEEDS);
    renderer_release(&r);
}

/* A value that is the same in all rows but one that a shape binds, and that one has none. */
static void test_row_without(void **state)
{
    (void)state;
    struct renderer r = {0};
    struct batch *b = batch_new();
    assert_non_null(b);
    for (int64_t i = 0; i < 10; i++) {
        struct lines l = {0};
        lines_put(&l, "a=deny p=443\n", 13);
        (void)slots_add(&l.slots, 2, 4, FIELD_EVENT_ACTION, SLOT_PLAIN);
        (void)slots_add(&l.slots, 9, 3, FIELD_SOURCE_PORT, SLOT_PLAIN);
        append(b, &l, i);
    }
    b->live = false;
    assert_int_equal(check(&r, b), 2);
    b->columns[0].codes[4] = CODE_NONE;
    b->columns[1].numbers[5] = VALUE_NONE;
    assert_int_equal(check(&r, b), 0);
    batch_free(b);
    renderer_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lines),
        cmocka_unit_test(test_lines_that_repeat),
        cmocka_unit_test(test_row_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
