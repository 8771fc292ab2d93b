/* Numbers with dots: what stands in a text has its keys there; another address has others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "event/dotted.h"
#include "tests/support/lines.h"

enum {
    ROUNDS = 200000,
    TEXT_MAX = 24,
    KEYS_MAX = 256,
};

struct keys {
    uint64_t keys[KEYS_MAX];
    uint32_t count;
};

/* All keys of a text, or those of as many digits as it has. */
static void collect(struct keys *out, struct slice text, bool longest)
{
    struct dotted d;
    size_t at = 0;
    out->count = 0;
    while (dotted_next(text, &at, &d)) {
        assert_true(d.left_count <= DOTTED_DIGITS && d.right_count <= DOTTED_DIGITS);
        for (uint32_t i = longest && d.left_count != 0 ? d.left_count - 1 : 0; i < d.left_count;
             i++)
            out->keys[out->count++] = d.left[i];
        for (uint32_t i = longest && d.right_count != 0 ? d.right_count - 1 : 0; i < d.right_count;
             i++)
            out->keys[out->count++] = d.right[i];
        assert_true(out->count < KEYS_MAX);
    }
}

static bool within(const struct keys *some, const struct keys *all)
{
    for (uint32_t i = 0; i < some->count; i++) {
        uint32_t k = 0;
        while (k < all->count && all->keys[k] != some->keys[i])
            k++;
        if (k == all->count)
            return false;
    }
    return true;
}

static void test_parts(void **state)
{
    (void)state;
    static const char BYTES[] = "x.0129";
    struct lines l = {.state = 5};
    uint32_t asked = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char text[TEXT_MAX];
        struct keys all;
        struct keys some;
        size_t len = 1 + lines_below(&l, TEXT_MAX);
        for (size_t i = 0; i < len; i++) {
            uint32_t what = lines_below(&l, 40);
            text[i] = BYTES[what == 0 ? 0 : what < 18 ? 1 : 2 + what % (sizeof(BYTES) - 3)];
        }
        size_t at = lines_below(&l, (uint32_t)len);
        size_t part = 1 + lines_below(&l, (uint32_t)(len - at));
        collect(&all, slice_of(text, len), false);
        collect(&some, slice_of(text + at, part), true);
        asked += some.count;
        if (!within(&some, &all))
            fail_msg("%.*s in %.*s", (int)part, text + at, (int)len, text);
    }
    assert_true(asked > ROUNDS / 16);
}

/* Of every byte in every place, and of random ones. */
static void test_addresses(void **state)
{
    (void)state;
    struct lines l = {.state = 6};
    for (uint32_t i = 0; i < 1024 + ROUNDS / 8; i++) {
        char text[16];
        struct dotted want;
        struct dotted is;
        size_t at = 0;
        uint32_t ip4 = i < 1024 ? (i & 0xff) << i / 256 * 8 : (uint32_t)lines_random(&l);
        int len = snprintf(text, sizeof(text), "%u.%u.%u.%u", ip4 >> 24, ip4 >> 16 & 0xff,
                           ip4 >> 8 & 0xff, ip4 & 0xff);
        assert_true(dotted_next(slice_of(text, (size_t)len), &at, &want));
        dotted_ip4(ip4, &is);
        assert_int_equal(is.left_count, want.left_count);
        assert_int_equal(is.right_count, want.right_count);
        assert_memory_equal(is.left, want.left, is.left_count * sizeof(*is.left));
        assert_memory_equal(is.right, want.right, is.right_count * sizeof(*is.right));
    }
}

static void test_others(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        const char *text;
        bool within;
    } CASES[] = {
        {"192.0.2.25", "src=192.0.2.25:443", true},
        {"192.0.2.25", "192.0.2.250", true},
        {"2.0.2.2", "192.0.2.250", true},
        {"192.0.2.", "192.0.2.250", true},
        {".0.2.250", "192.0.2.250", true},
        {"192.0.2", "198.51.100.7", true}, /* the third number may go on: nothing is asked */
        {"192.0.2.25", "192.0.2.35", false},
        {"192.0.2.25", "192.0.2.2", false},
        {"192.0.2.25", "198.0.2.25", false},
        {"192.0.2.25", "192.0.12.25", false},
        {"192.0.2.", "192.0.3.1 198.51.2.1", false},
        {"07.0.2.1", "7.0.2.1", false},
        {"1.0.2.5", "192.0.2.25", false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct keys some;
        struct keys all;
        collect(&some, slice_from(CASES[i].part), true);
        collect(&all, slice_from(CASES[i].text), false);
        if (within(&some, &all) != CASES[i].within)
            fail_msg("%s in %s", CASES[i].part, CASES[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
