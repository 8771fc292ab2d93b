/* Mutations of lines: the same for a seed, bounded, one line, and of every way that is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/mutation.h"

enum {
    SEEDS = 4000,
    WAYS_MAX = 32,
};

static const char FIRST[] = "date=2026-11-21 srcip=192.0.2.7 msg=\"one two\" action=accept";
static const char SECOND[] = "date=2026-11-21\nsrcip=198.51.100.9";

static const struct slice LINES[] = {{FIRST, sizeof(FIRST) - 1}, {"", 0}, {SECOND, 34}};

enum {
    LINE_COUNT = sizeof(LINES) / sizeof(LINES[0]),
};

static size_t way_of(const char *name)
{
    for (size_t i = 0; mutation_name_at(i) != NULL; i++) {
        if (strcmp(mutation_name_at(i), name) == 0)
            return i;
    }
    fail_msg("no way \"%s\"", name);
    return 0;
}

/* The longest stretch of one byte. */
static size_t longest_run(struct slice text)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = i > 0 && text.data[i] == text.data[i - 1] ? run + 1 : 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void same_for_a_seed(void **state)
{
    struct mutation a = {0};
    struct mutation b = {0};
    unsigned differ = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(mutation_make(&a, LINES, LINE_COUNT, seed), 0);
        assert_int_equal(mutation_make(&b, LINES, LINE_COUNT, seed), 0);
        assert_string_equal(a.name, b.name);
        assert_int_equal(a.origin, b.origin);
        assert_true(slice_equal(buf_content(&a.text), buf_content(&b.text)));
        assert_int_equal(mutation_make(&b, LINES, LINE_COUNT, seed + 1), 0);
        differ += !slice_equal(buf_content(&a.text), buf_content(&b.text));
    }
    assert_true(differ > SEEDS * 8 / 10);
    mutation_release(&a);
    mutation_release(&b);
}

static void bounded_and_one_line(void **state)
{
    /* Twice, where what is nested is closed again, and what one piece more adds. */
    const size_t limit = (size_t)2 * MUTATION_BYTES_MAX + 4 * sizeof(FIRST);
    struct mutation m = {0};
    unsigned seen[WAYS_MAX] = {0};
    unsigned long_runs = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(mutation_make(&m, LINES, LINE_COUNT, seed), 0);
        assert_true(m.origin < LINE_COUNT);
        assert_true(m.text.len <= limit);
        assert_true(m.text.len == 0 || memchr(m.text.data, '\n', m.text.len) == NULL);
        seen[way_of(m.name)]++;
        long_runs += longest_run(buf_content(&m.text)) >= MUTATION_BYTES_MAX;
    }
    for (size_t i = 0; mutation_name_at(i) != NULL; i++)
        assert_true(seen[i] > SEEDS / WAYS_MAX / 2);
    assert_true(long_runs > SEEDS / 100);
    mutation_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_for_a_seed),
        cmocka_unit_test(bounded_and_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
