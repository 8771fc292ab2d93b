#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/buf.h"

static void check(struct buf *b, const char *expected)
{
    assert_true(buf_ok(b));
    assert_string_equal(buf_string(b), expected);
    buf_reset(b);
}

static void appends_text_and_numbers(void **state)
{
    (void)state;
    struct buf b = {0};
    check(&b, "");
    buf_text(&b, "a=");
    buf_decimal(&b, -12);
    buf_byte(&b, ' ');
    buf_printf(&b, "%s-%d", "x", 5);
    buf_slice(&b, SLICE("!"));
    check(&b, "a=-12 x-5!");
    buf_decimal(&b, INT64_MIN);
    check(&b, "-9223372036854775808");
    buf_decimal(&b, INT64_MAX);
    check(&b, "9223372036854775807");
    buf_decimal(&b, 0);
    check(&b, "0");
    buf_release(&b);
}

static void writes_fixed_widths_low_byte_first(void **state)
{
    (void)state;
    static const uint8_t EXPECTED[] = {2, 1, 6, 5, 4, 3, 14, 13, 12, 11, 10, 9, 8, 7};
    struct buf b = {0};
    buf_put16(&b, 0x0102);
    buf_put32(&b, 0x03040506);
    buf_put64(&b, UINT64_C(0x0708090a0b0c0d0e));
    assert_int_equal(b.len, sizeof(EXPECTED));
    assert_memory_equal(b.data, EXPECTED, sizeof(EXPECTED));
    buf_release(&b);
}

static void writes_varints(void **state)
{
    (void)state;
    static const uint8_t MOST[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    struct buf b = {0};
    buf_varint(&b, 0);
    buf_varint(&b, 127);
    buf_varint(&b, 128);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "\x00\x7f\x80\x01", 4);
    buf_reset(&b);
    buf_varint(&b, UINT64_MAX);
    assert_int_equal(b.len, sizeof(MOST));
    assert_memory_equal(b.data, MOST, sizeof(MOST));
    buf_release(&b);
}

static void keeps_what_fits_its_limit(void **state)
{
    (void)state;
    struct buf b = {.limit = 10};
    buf_text(&b, "12345678");
    buf_text(&b, "90a");
    assert_false(buf_ok(&b));
    buf_text(&b, "9");
    assert_int_equal(b.len, 8);
    buf_reset(&b);
    buf_text(&b, "1234567890");
    assert_true(buf_ok(&b));
    buf_release(&b);
}

static void grows_with_readable_padding(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 10000; i++)
        buf_byte(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 10000);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.data[i], 'a' + (int)(i % 26));
    for (size_t i = 0; i < SLICE_PADDING_BYTES; i++)
        assert_int_equal(b.data[b.cap + i], 0);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_false(buf_ok(&b));
    buf_release(&b);
    assert_true(buf_ok(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_text_and_numbers),
        cmocka_unit_test(writes_fixed_widths_low_byte_first),
        cmocka_unit_test(writes_varints),
        cmocka_unit_test(keeps_what_fits_its_limit),
        cmocka_unit_test(grows_with_readable_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
