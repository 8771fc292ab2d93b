/* A text in a line, found block by block: the same place as a plain search finds, nothing behind the end. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>

#include "ingest/scan.h"
#include "tests/ingest/padded.h"

enum {
    LINE_BYTES_MAX = 80,
    ROUNDS = 40000,
};

/* Of two letters, so that beginnings and ends of a text are met often. */
static void fill(char *to, size_t length, uint64_t *seed)
{
    for (size_t i = 0; i < length; i++) {
        *seed = *seed * 6364136223846793005U + 1442695040888963407U;
        to[i] = (*seed >> 40 & 3) != 0 ? 'a' : 'b';
    }
}

static const char *plain_search(struct slice line, struct slice text)
{
    for (size_t i = 0; i + text.len <= line.len; i++) {
        if (memcmp(line.data + i, text.data, text.len) == 0)
            return line.data + i;
    }
    return line.data + line.len;
}

static void test_every_length(void **state)
{
    char bytes[LINE_BYTES_MAX + SLICE_PADDING_BYTES];
    uint64_t seed = 1;
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        /* What is wanted also stands in the padding. */
        fill(bytes, sizeof(bytes), &seed);
        char wanted[20];
        const size_t wanted_len = 1 + i % sizeof(wanted);
        fill(wanted, wanted_len, &seed);
        const struct slice line = slice_of(bytes, i / sizeof(wanted) % (LINE_BYTES_MAX + 1));
        const struct slice text = slice_of(wanted, wanted_len);
        assert_ptr_equal(scan_text(line.data, line.data + line.len, text),
                         plain_search(line, text));
    }
}

/* Every place of two bytes once, in order, as a plain walk finds them. */
static void test_walk(void **state)
{
    char bytes[LINE_BYTES_MAX + SLICE_PADDING_BYTES];
    uint64_t seed = 1;
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        fill(bytes, sizeof(bytes), &seed);
        bytes[i % LINE_BYTES_MAX] = 'c';
        const char *from = bytes + i % SCAN_BLOCK;
        const char *end = from + i / SCAN_BLOCK % (LINE_BYTES_MAX - SCAN_BLOCK);
        struct scan_walk walk = scan_walk_from(from, end, 'b', 'c');
        for (const char *at = from; at < end; at++) {
            if (*at != 'a')
                assert_ptr_equal(scan_walk_next(&walk), at);
        }
        assert_ptr_equal(scan_walk_next(&walk), end);
        assert_ptr_equal(scan_walk_next(&walk), end);
    }
}

/* A line in memory of exactly the promised size: a sanitizer sees a read past the padding. */
static void test_padding(void **state)
{
    (void)state;
    for (size_t length = 0; length <= LINE_BYTES_MAX; length++) {
        char bytes[LINE_BYTES_MAX] = {0};
        const struct slice line = padded_copy(slice_of(bytes, length));
        const char *end = line.data + line.len;
        assert_ptr_equal(scan_text(line.data, end, SLICE("a")), end);
        assert_ptr_equal(scan_text(line.data, end, SLICE("an absent text")), end);
        struct scan_walk walk = scan_walk_from(line.data, end, 'a', 'b');
        assert_ptr_equal(scan_walk_next(&walk), end);
        padded_free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
