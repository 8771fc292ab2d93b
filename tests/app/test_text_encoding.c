/* Encodings of lines: each one's characters, what is right in two, and what is right in none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/text_encoding.h"

static void check(struct slice line, enum text_encoding expected)
{
    enum text_encoding got = text_encoding_of(line);
    if (got != expected)
        fail_msg("\"%.*s\" is %s, not %s", (int)line.len, line.data, text_encoding_name(got),
                 text_encoding_name(expected));
}

static void one_line(void **state)
{
    (void)state;
    check(SLICE(""), TEXT_ASCII);
    check(SLICE("action=deny\r\n"), TEXT_ASCII);
    check(SLICE("msg=\"許可\""), TEXT_UTF8);
    /* hiragana: 82 and 83 lead nothing in EUC-JP */
    check(SLICE("msg=\x82\xa0\x82\xa2"), TEXT_CP932);
    /* the trail byte of a CP932 character may be a backslash */
    check(SLICE("path=\x83\x5c\x83\x74\x83\x67"), TEXT_CP932);
    /* half-width kana before an ASCII letter: an odd byte is no pair */
    check(SLICE("\xb1\xb2\xb3 x"), TEXT_CP932);
    /* hiragana in EUC-JP whose last byte leads two in CP932; 8F leads three bytes */
    check(SLICE("\xa4\xea\xa4\xea"), TEXT_EUC_JP);
    check(SLICE("\x8f\xb0\xfd"), TEXT_EUC_JP);
    check(SLICE("\xfc\xa1"), TEXT_EUC_JP);
    /* katakana of half width that would be a row of EUC-JP without characters */
    check(SLICE("\xa9\xb1"), TEXT_CP932);
    /* two half-width kana, or one character of EUC-JP */
    check(SLICE("\xb1\xb2"), TEXT_EITHER);
    check(SLICE("\x8e\xb1"), TEXT_EITHER);
}

static void broken_ones(void **state)
{
    (void)state;
    check(SLICE("\xe3\x81"), TEXT_CP932); /* a UTF-8 character cut, but a character of CP932 */
    check(SLICE("\xe8\xa8\xb1\xff"), TEXT_BROKEN);
    check(SLICE("\x82"), TEXT_BROKEN);
    check(SLICE("\xff\xfe"), TEXT_BROKEN);
    check(SLICE("\x8f\x20"), TEXT_BROKEN);
    check(SLICE("\xa0"), TEXT_BROKEN);
    check(SLICE("\x82\x7f"), TEXT_BROKEN);
    /* bytes that lead and trail, but no character */
    check(SLICE("\x85\xe0"), TEXT_BROKEN);
    check(SLICE("\xfd\xa1"), TEXT_BROKEN);
    /* overlong and surrogate are no UTF-8 */
    check(SLICE("\xc0\x80"), TEXT_BROKEN);
    check(SLICE("\xed\xa0\x80"), TEXT_BROKEN);
}

static struct text_encodings count(const struct slice *lines, size_t lines_count)
{
    struct text_encodings all = {0};
    for (size_t i = 0; i < lines_count; i++)
        text_encoding_count(&all, lines[i], i + 1);
    text_encoding_settle(&all);
    return all;
}

static void others_decide(void **state)
{
    const struct slice cp932[] = {SLICE("a"), SLICE("\xb1\xb2"), SLICE("\x82\xa0"), SLICE("\xff")};
    const struct slice euc[] = {SLICE("\xa4\xea\xa4"), SLICE("\xb1\xb2"), SLICE("\xfc\xa1")};
    (void)state;
    struct text_encodings all = count(cp932, 4);
    assert_int_equal(all.lines[TEXT_CP932], 2);
    assert_int_equal(all.first[TEXT_CP932], 2);
    assert_int_equal(all.lines[TEXT_BROKEN], 1);
    assert_int_equal(all.first[TEXT_BROKEN], 4);
    assert_int_equal(all.lines[TEXT_EITHER], 0);
    assert_int_equal(text_encoding_most(&all), TEXT_CP932);
    all = count(&euc[1], 2);
    assert_int_equal(all.lines[TEXT_EUC_JP], 2);
    assert_int_equal(all.first[TEXT_EUC_JP], 1);
    assert_int_equal(text_encoding_most(&all), TEXT_EUC_JP);
    /* nothing but lines that are right in both */
    all = count(&euc[1], 1);
    assert_int_equal(text_encoding_most(&all), TEXT_EUC_JP);
    all = count(cp932, 1);
    assert_int_equal(text_encoding_most(&all), TEXT_ASCII);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_line), cmocka_unit_test(broken_ones),
                                       cmocka_unit_test(others_decide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
