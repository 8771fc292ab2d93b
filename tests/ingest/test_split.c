/* Rows of a record: terminators, the limit of a row, and that no byte is lost. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>

#include "ingest/split.h"

struct row_case {
    size_t len;
    uint32_t terminator_len;
};

struct split_case {
    struct slice record;
    enum split_mode mode;
    size_t count;
    struct row_case rows[5];
};

static const struct split_case SMALL_RECORDS[] = {
    {{"", 0}, SPLIT_LINES, 1, {{0, 0}}},
    {{NULL, 0}, SPLIT_LINES, 1, {{0, 0}}},
    {{"", 0}, SPLIT_NONE, 1, {{0, 0}}},
    {{"a", 1}, SPLIT_LINES, 1, {{1, 0}}},
    {{"a\n", 2}, SPLIT_LINES, 1, {{2, 1}}},
    {{"a\r\n", 3}, SPLIT_LINES, 1, {{3, 2}}},
    {{"\n", 1}, SPLIT_LINES, 1, {{1, 1}}},
    {{"\r\n", 2}, SPLIT_LINES, 1, {{2, 2}}},
    {{"\r", 1}, SPLIT_LINES, 1, {{1, 0}}},
    {{"a\nb", 3}, SPLIT_LINES, 2, {{2, 1}, {1, 0}}},
    {{"a\nb\n", 4}, SPLIT_LINES, 2, {{2, 1}, {2, 1}}},
    {{"a\n\nb\r\n", 6}, SPLIT_LINES, 3, {{2, 1}, {1, 1}, {3, 2}}},
    {{"a\r\rb\n", 5}, SPLIT_LINES, 1, {{5, 1}}},
    {{"\n\n", 2}, SPLIT_LINES, 2, {{1, 1}, {1, 1}}},
    {{"a\0b\n\0\n", 6}, SPLIT_LINES, 2, {{4, 1}, {2, 1}}},
    {{"a\nb\n", 4}, SPLIT_NONE, 1, {{4, 0}}},
    {{"\n", 1}, SPLIT_NONE, 1, {{1, 0}}},
};

static void test_rows_of_small_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(SMALL_RECORDS) / sizeof(SMALL_RECORDS[0]); i++) {
        const struct split_case *c = &SMALL_RECORDS[i];
        struct split s;
        struct slice row = {0};
        uint32_t terminator_len = 0;
        bool too_long = false;
        const char *at = c->record.data;
        split_start(&s, c->record, c->mode);
        for (size_t r = 0; r < c->count; r++) {
            assert_true(split_next(&s, &row, &terminator_len, &too_long));
            assert_ptr_equal(row.data, at);
            assert_int_equal(row.len, c->rows[r].len);
            assert_int_equal(terminator_len, c->rows[r].terminator_len);
            assert_false(too_long);
            if (row.len > 0)
                at += row.len;
        }
        assert_false(split_next(&s, &row, &terminator_len, &too_long));
        assert_false(split_next(&s, &row, &terminator_len, &too_long));
        assert_int_equal(split_count(c->record, c->mode), c->count);
    }
}

static void test_long_lines_are_consecutive_rows(void **state)
{
    (void)state;
    const size_t limit = BATCH_ROW_BYTES_MAX;
    static const struct {
        size_t extra; /* bytes beyond the limit, terminator included */
        size_t rows;
    } CASES[] = {{0, 1}, {1, 2}, {2, 2}, {BATCH_ROW_BYTES_MAX, 2}, {BATCH_ROW_BYTES_MAX + 1, 3}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        size_t line_len = limit + CASES[i].extra;
        size_t len = line_len + 2;
        char *data = malloc(len);
        assert_non_null(data);
        memset(data, 'x', len);
        data[line_len - 1] = '\n';
        data[line_len] = 'y';
        data[line_len + 1] = '\n';
        struct slice record = slice_of(data, len);
        struct split s;
        struct slice row = {0};
        uint32_t terminator_len = 0;
        bool too_long = false;
        size_t at = 0;
        split_start(&s, record, SPLIT_LINES);
        for (size_t r = 0; r < CASES[i].rows; r++) {
            assert_true(split_next(&s, &row, &terminator_len, &too_long));
            assert_ptr_equal(row.data, data + at);
            assert_true(row.len <= limit);
            assert_int_equal(too_long, CASES[i].rows > 1);
            assert_int_equal(terminator_len, r + 1 == CASES[i].rows ? 1 : 0);
            at += row.len;
        }
        assert_int_equal(at, line_len);
        assert_true(split_next(&s, &row, &terminator_len, &too_long));
        assert_int_equal(row.len, 2);
        assert_false(too_long);
        assert_false(split_next(&s, &row, &terminator_len, &too_long));
        assert_int_equal(split_count(record, SPLIT_LINES), CASES[i].rows + 1);
        assert_int_equal(split_count(record, SPLIT_NONE), CASES[i].extra > limit - 2 ? 3 : 2);
        free(data);
    }
}

/* A small generator, so that the records are the same on every machine. */
static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

static void test_rows_concatenate_to_the_record(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 2000; round++) {
        char data[64];
        size_t len = next_random(&random) % sizeof(data);
        for (size_t i = 0; i < len; i++)
            data[i] = "\n\r\0ab"[next_random(&random) % 5];
        struct slice record = slice_of(data, len);
        struct split s;
        struct slice row = {0};
        uint32_t terminator_len = 0;
        bool too_long = false;
        size_t at = 0;
        size_t rows = 0;
        split_start(&s, record, SPLIT_LINES);
        while (split_next(&s, &row, &terminator_len, &too_long)) {
            assert_ptr_equal(row.data, data + at);
            assert_null(memchr(row.data, '\n', row.len - terminator_len));
            at += row.len;
            rows++;
        }
        assert_int_equal(at, len);
        assert_int_equal(rows, split_count(record, SPLIT_LINES));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_small_records),
        cmocka_unit_test(test_long_lines_are_consecutive_rows),
        cmocka_unit_test(test_rows_concatenate_to_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
