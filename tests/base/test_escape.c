#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/escape.h"

static void check(struct slice in, const char *expected)
{
    struct buf b = {0};
    escape_text(&b, in);
    assert_string_equal(buf_string(&b), expected);
    assert_int_equal(escape_needed(in), !slice_equal(in, slice_from(expected)));
    buf_release(&b);
}

static void keeps_plain_text(void **state)
{
    (void)state;
    check(SLICE(""), "");
    check(SLICE("path=/a b'c"), "path=/a b'c");
    check(SLICE("\xe9\x96\xa2\xe6\x89\x80 \xf0\x9f\x9a\xa7"),
          "\xe9\x96\xa2\xe6\x89\x80 \xf0\x9f\x9a\xa7");
}

static void hides_nothing(void **state)
{
    (void)state;
    check(SLICE("a\nb\r\t\"\\"), "a\\nb\\r\\t\\\"\\\\");
    check(SLICE("\x1b[31m"), "\\x1b[31m");
    check(SLICE("a\0b"), "a\\x00b");
    check(SLICE("\x7f\xff\xc0\x80"), "\\x7f\\xff\\xc0\\x80");
    check(SLICE("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    check(SLICE("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    check(SLICE("\xe2\x80\xae"
                "x"),
          "\\u{202e}x");
    check(SLICE("\xc2\x85\xe2\x80\xa8"), "\\u{0085}\\u{2028}");
    check(SLICE("\xf3\xa0\x80\xa1"), "\\u{e0021}");
    check(SLICE("\xe9\x96"), "\\xe9\\x96");
}

static void cuts_long_text(void **state)
{
    (void)state;
    struct buf b = {0};
    escape_quoted(&b, SLICE("abcdefgh"), 4);
    escape_quoted(&b, SLICE("abcd"), 4);
    escape_quoted(&b, SLICE("\n"), 0);
    assert_string_equal(buf_string(&b), "\"abcd...\"\"abcd\"\"\\n\"");
    buf_release(&b);
}

static void decodes_every_character(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char bytes[4];
        size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        static const uint8_t LEAD[5] = {0, 0, 0xc0, 0xe0, 0xf0};
        uint32_t rest = point;
        for (size_t i = len - 1; i > 0; i--, rest >>= 6)
            bytes[i] = (char)(0x80 | (rest & 0x3f));
        bytes[0] = (char)(LEAD[len] | rest);
        uint32_t got = 0;
        size_t expected = point >= 0xd800 && point <= 0xdfff ? 0 : len;
        assert_int_equal(escape_utf8(&got, slice_of(bytes, len)), expected);
        if (expected != 0)
            assert_int_equal(got, point);
        if (len > 1)
            assert_int_equal(escape_utf8(&got, slice_of(bytes, len - 1)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_plain_text),
        cmocka_unit_test(hides_nothing),
        cmocka_unit_test(cuts_long_text),
        cmocka_unit_test(decodes_every_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
