/* The format that a source has settled on: sequences of rows, and what a change takes. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "event/format_habit.h"

enum {
    A = 1,
    B = 2,
    C = 3,
    MANY = 10000,
};

static void rows(struct format_habit *h, uint32_t format, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        format_habit_row(h, format);
}

static void test_settles_on_the_first_that_leads(void **state)
{
    (void)state;
    struct format_habit h = {0};
    rows(&h, A, FORMAT_HABIT_LEAD - 1);
    assert_int_equal(h.settled, 0);
    rows(&h, A, 1);
    assert_int_equal(h.settled, A);
    rows(&h, A, MANY);
    assert_int_equal(h.settled, A);
    assert_int_equal(h.lead, 0);
}

static void test_odd_rows_change_nothing(void **state)
{
    (void)state;
    struct format_habit h = {.settled = A};
    for (unsigned i = 0; i < MANY; i++) {
        rows(&h, B, 1);
        rows(&h, A, 3);
        assert_int_equal(h.settled, A);
    }
    /* One burst, however late, is one row short of a change. */
    rows(&h, B, FORMAT_HABIT_LEAD - 1);
    rows(&h, A, FORMAT_HABIT_LEAD);
    rows(&h, B, FORMAT_HABIT_LEAD - 1);
    assert_int_equal(h.settled, A);
    rows(&h, B, 1);
    assert_int_equal(h.settled, B);
}

/* Two formats in turn: whatever was first stays, and so does the second one where it was first. */
static void test_alternating_formats_do_not_flap(void **state)
{
    (void)state;
    for (uint32_t first = A; first <= B; first++) {
        struct format_habit h = {.settled = (uint8_t)first};
        for (unsigned i = 0; i < MANY; i++) {
            rows(&h, i % 2 == 0 ? A : B, 1);
            assert_int_equal(h.settled, first);
        }
    }
}

/* Three that compete: none of them leads, until one does. */
static void test_rivals_take_from_each_other(void **state)
{
    (void)state;
    struct format_habit h = {.settled = A};
    for (unsigned i = 0; i < MANY; i++)
        rows(&h, i % 2 == 0 ? B : C, 1);
    assert_int_equal(h.settled, A);
    rows(&h, C, FORMAT_HABIT_LEAD + 1);
    assert_int_equal(h.settled, C);
}

static void test_what_is_no_format_has_no_vote(void **state)
{
    (void)state;
    struct format_habit h = {.settled = A, .rival = B, .lead = 5};
    rows(&h, 0, MANY);
    rows(&h, UINT8_MAX + 1, MANY);
    assert_int_equal(h.settled, A);
    assert_int_equal(h.lead, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles_on_the_first_that_leads),
        cmocka_unit_test(test_odd_rows_change_nothing),
        cmocka_unit_test(test_alternating_formats_do_not_flap),
        cmocka_unit_test(test_rivals_take_from_each_other),
        cmocka_unit_test(test_what_is_no_format_has_no_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
