/* What a leaf says of many numbers at once is what it says of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/field.h"
#include "event/pred_leaf.h"
#include "event/value.h"

static const int64_t NUMBERS[] = {INT64_MIN + 1, INT64_MIN + 2, -1000,    -1, 0, 1, 999, 1000, 1001,
                                  1700000000000, INT64_MAX - 1, INT64_MAX};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check(const struct leaf *leaf, unsigned type, unsigned form, unsigned *spans)
{
    struct leaf_span span;
    if (!leaf_number_span(leaf, type, form, &span))
        return;
    (*spans)++;
    for (size_t i = 0; i < COUNT(NUMBERS); i++) {
        bool in = span.low <= NUMBERS[i] && NUMBERS[i] <= span.high;
        if (in != leaf_number(leaf, type, form, NUMBERS[i]))
            fail_msg("op %u, type %u, form %u: %lld, %lld..%lld", leaf->op, type, form,
                     (long long)NUMBERS[i], (long long)span.low, (long long)span.high);
    }
}

static void a_span_is_its_numbers(void **state)
{
    (void)state;
    static const unsigned OPS[] = {LEAF_OP_EQUAL,   LEAF_OP_LESS,          LEAF_OP_LESS_EQUAL,
                                   LEAF_OP_GREATER, LEAF_OP_GREATER_EQUAL, LEAF_OP_RANGE};
    static const unsigned TYPES[] = {FIELD_TYPE_INT, FIELD_TYPE_EPOCH, LEAF_TYPE_TIME};
    static const int64_t BOUNDS[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1000, INT64_MAX};
    unsigned spans = 0;
    for (size_t i = 0; i < COUNT(OPS) * COUNT(BOUNDS) * COUNT(BOUNDS); i++) {
        int64_t low = BOUNDS[i / COUNT(OPS) % COUNT(BOUNDS)];
        int64_t high = BOUNDS[i / COUNT(OPS) / COUNT(BOUNDS)];
        const struct leaf leaf = {.op = (uint8_t)OPS[i % COUNT(OPS)],
                                  .bound = {.integer = low, .real = (double)low},
                                  .high = {.integer = high, .real = (double)high},
                                  .equal_int = low,
                                  .equal_epoch = low,
                                  .equal_time_ns = low,
                                  .epoch_form = EPOCH_DIGITS};
        for (size_t t = 0; t < COUNT(TYPES); t++) {
            check(&leaf, TYPES[t], EPOCH_DIGITS, &spans);
            check(&leaf, TYPES[t], EPOCH_MILLIS_POINT, &spans);
        }
    }
    assert_true(spans > COUNT(OPS) * COUNT(BOUNDS) * COUNT(BOUNDS));
}

static void what_is_no_span_is_none(void **state)
{
    (void)state;
    struct leaf_span span = {0};
    const struct leaf real = {.op = LEAF_OP_LESS, .bound = {.real = 1.5, .is_real = true}};
    const struct leaf real_end = {.op = LEAF_OP_RANGE, .high = {.real = 1.5, .is_real = true}};
    const struct leaf part = {.op = LEAF_OP_LESS, .part = AST_PART_HOUR};
    const struct leaf whole = {.op = LEAF_OP_LESS, .bound = {.integer = 1, .real = 1}};
    assert_false(leaf_number_span(&real, FIELD_TYPE_INT, EPOCH_DIGITS, &span));
    assert_false(leaf_number_span(&real_end, FIELD_TYPE_INT, EPOCH_DIGITS, &span));
    assert_false(leaf_number_span(&part, LEAF_TYPE_TIME, EPOCH_DIGITS, &span));
    assert_false(leaf_number_span(&whole, FIELD_TYPE_EPOCH, EPOCH_MILLIS_POINT, &span));
    assert_true(leaf_number_span(&whole, FIELD_TYPE_EPOCH, EPOCH_DIGITS, &span));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_its_numbers),
        cmocka_unit_test(what_is_no_span_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
