#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/charset.h"
#include "base/fold.h"

struct sample {
    const char *bytes;
    enum charset charset;
    const char *utf8;
};

static void check_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = {0};
        struct slice text = slice_from(samples[i].bytes);
        assert_false(charset_is_ascii(text));
        if (charset_guess(text) != samples[i].charset)
            fail_msg("%s: guessed %u", samples[i].utf8, (unsigned)charset_guess(text));
        charset_to_utf8(&out, text, CHARSET_AUTO);
        assert_string_equal(buf_string(&out), samples[i].utf8);
        buf_release(&out);
    }
}

static void guesses_names_and_files(void **state)
{
    (void)state;
    static const struct sample SAMPLES[] = {
        {"\x93\xfa\x96{\x91\xbe\x98Y", CHARSET_CP932,
         "\xe6\x97\xa5\xe6\x9c\xac\xe5\xa4\xaa\xe9\x83\x8e"}, /* 日本太郎 */
        {"\xc6\xfc\xcb\xdc\xc2\xc0\xcf\xba", CHARSET_EUC_JP,
         "\xe6\x97\xa5\xe6\x9c\xac\xe5\xa4\xaa\xe9\x83\x8e"}, /* 日本太郎 */
        {"\xe6\x97\xa5\xe6\x9c\xac\xe5\xa4\xaa\xe9\x83\x8e", CHARSET_UTF8,
         "\xe6\x97\xa5\xe6\x9c\xac\xe5\xa4\xaa\xe9\x83\x8e"}, /* 日本太郎 */
        {"\x8eR\x93"
         "c",
         CHARSET_CP932, "\xe5\xb1\xb1\xe7\x94\xb0"},                      /* 山田 */
        {"\xbb\xb3\xc5\xc4", CHARSET_EUC_JP, "\xe5\xb1\xb1\xe7\x94\xb0"}, /* 山田 */
        {"\xa4\xef\xa4\xbf\xa4\xca\xa4\xd9", CHARSET_EUC_JP,
         "\xe3\x82\x8f\xe3\x81\x9f\xe3\x81\xaa\xe3\x81\xb9"}, /* わたなべ */
        {"\x83J\x83\x81\x83\x89", CHARSET_CP932,
         "\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9"}, /* カメラ */
        {"\xa5\xab\xa5\xe1\xa5\xe9", CHARSET_EUC_JP,
         "\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9"},                        /* カメラ */
        {"\x95\\", CHARSET_CP932, "\xe8\xa1\xa8"},                       /* 表 */
        {"\xc9\xbd", CHARSET_EUC_JP, "\xe8\xa1\xa8"},                    /* 表 */
        {"\xee\xe0\x8b\xb4", CHARSET_CP932, "\xe9\xab\x99\xe6\xa9\x8b"}, /* 髙橋 */
        {"\x87@.txt", CHARSET_CP932, "\xe2\x91\xa0.txt"},                /* ①.txt */
        {"\x90\\\x90\xbf\x8f\x91\x81i\x88\xc4\x81j.xlsx", CHARSET_CP932,
         "\xe7\x94\xb3\xe8\xab\x8b\xe6\x9b\xb8\xef\xbc\x88\xe6\xa1\x88\xef\xbc\x89.xlsx"}, /* 申請書（案）.xlsx */
        {"\xbf\xbd\xc0\xc1\xbd\xf1\xa1\xca\xb0\xc6\xa1\xcb.xlsx", CHARSET_EUC_JP,
         "\xe7\x94\xb3\xe8\xab\x8b\xe6\x9b\xb8\xef\xbc\x88\xe6\xa1\x88\xef\xbc\x89.xlsx"}, /* 申請書（案）.xlsx */
        {"\x97\\\x8eZ.pdf", CHARSET_CP932, "\xe4\xba\x88\xe7\xae\x97.pdf"}, /* 予算.pdf */
        {"\xc1\xed\xcc\xb3", CHARSET_EUC_JP, "\xe7\xb7\x8f\xe5\x8b\x99"},   /* 総務 */
    };
    check_samples(SAMPLES, sizeof(SAMPLES) / sizeof(SAMPLES[0]));
}

/* Valid in two encodings: the one whose reading has words. */
static void guesses_half_width(void **state)
{
    (void)state;
    static const struct sample SAMPLES[] = {
        {"\xd4\xcf\xc0\xde", CHARSET_CP932,
         "\xef\xbe\x94\xef\xbe\x8f\xef\xbe\x80\xef\xbe\x9e"}, /* ﾔﾏﾀﾞ */
        {"\xbd\xbd\xde\xb7", CHARSET_CP932,
         "\xef\xbd\xbd\xef\xbd\xbd\xef\xbe\x9e\xef\xbd\xb7"},                    /* ｽｽﾞｷ */
        {"\xc3\xbd\xc4", CHARSET_CP932, "\xef\xbe\x83\xef\xbd\xbd\xef\xbe\x84"}, /* ﾃｽﾄ */
        {"\xb1", CHARSET_CP932, "\xef\xbd\xb1"},                                 /* ｱ */
        {"\x8e\xc3\x8e\xbd\x8e\xc4", CHARSET_EUC_JP,
         "\xef\xbe\x83\xef\xbd\xbd\xef\xbe\x84"}, /* ﾃｽﾄ */
        {"\x8e\xd4\x8e\xcf\x8e\xc0\x8e\xde", CHARSET_EUC_JP,
         "\xef\xbe\x94\xef\xbe\x8f\xef\xbe\x80\xef\xbe\x9e"},            /* ﾔﾏﾀﾞ */
        {"\x8e\xa9\x8e\xd0", CHARSET_CP932, "\xe8\x87\xaa\xe7\xa4\xbe"}, /* 自社 */
    };
    check_samples(SAMPLES, sizeof(SAMPLES) / sizeof(SAMPLES[0]));
}

static void leaves_utf8_alone(void **state)
{
    (void)state;
    static const struct sample SAMPLES[] = {
        {"\xc3\xa9", CHARSET_UTF8, "\xc3\xa9"},                 /* é */
        {"\xd0\xb4\xd0\xb0", CHARSET_UTF8, "\xd0\xb4\xd0\xb0"}, /* да */
        {"\xc2\xa5"
         "100",
         CHARSET_UTF8,
         "\xc2\xa5"
         "100"}, /* ¥100 */
        {"\xce\xa9\xce\xbc\xce\xad\xce\xb3\xce\xb1", CHARSET_UTF8,
         "\xce\xa9\xce\xbc\xce\xad\xce\xb3\xce\xb1"},                   /* Ωμέγα */
        {"\xe3\x81\x82\xe3\x81", CHARSET_UTF8, "\xe3\x81\x82\xe3\x81"}, /* cut */
        {"\xff\xfe\x80", CHARSET_UTF8, "\xff\xfe\x80"},                 /* nothing */
        {"caf\xe9", CHARSET_UTF8, "caf\xe9"},                           /* Latin 1 */
    };
    check_samples(SAMPLES, sizeof(SAMPLES) / sizeof(SAMPLES[0]));
}

/* One part tells what the others are in; a part in UTF-8 stays. */
static void decides_for_the_line(void **state)
{
    (void)state;
    static const struct sample SAMPLES[] = {
        {"user=\xc3\xbd group=\x91\x8d\x96\xb1\x89\xdb", CHARSET_CP932,
         "user=\xef\xbe\x83\xef\xbd\xbd group=\xe7\xb7\x8f\xe5\x8b\x99\xe8\xaa\xb2"},
        {"q=\xe3\x81\x82\xe3\x81\x84&r=\x82\xa0\x82\xa2", CHARSET_CP932,
         "q=\xe3\x81\x82\xe3\x81\x84&r=\xe3\x81\x82\xe3\x81\x84"},
    };
    check_samples(SAMPLES, sizeof(SAMPLES) / sizeof(SAMPLES[0]));
    assert_false(charset_is_utf8(SLICE("\xc3\xbd")));
    assert_false(charset_is_utf8(SLICE("ascii")));
    assert_true(charset_is_utf8(SLICE("\xe3\x81\x82")));
}

static void marks_what_is_broken(void **state)
{
    (void)state;
    static const struct sample SAMPLES[] = {
        {"\x93\xfa\xff\x81", CHARSET_CP932, "\xe6\x97\xa5\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc6\xfc\x8f\xb0\xa1\x80", CHARSET_EUC_JP, "\xe6\x97\xa5\xe4\xb8\x82\xef\xbf\xbd"},
        {"\xa0\x80", CHARSET_CP932, "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof(SAMPLES) / sizeof(SAMPLES[0]); i++) {
        struct buf out = {0};
        charset_to_utf8(&out, slice_from(SAMPLES[i].bytes), SAMPLES[i].charset);
        assert_string_equal(buf_string(&out), SAMPLES[i].utf8);
        buf_release(&out);
    }
}

static void finds_bytes_above_ascii_anywhere(void **state)
{
    (void)state;
    enum {
        BYTES = 200,
    };
    char text[BYTES + SLICE_PADDING_BYTES] = {0};
    memset(text, 'a', BYTES);
    for (size_t at = 0; at <= BYTES; at++) {
        char kept = text[at];
        text[at] = '\x80';
        for (size_t len = 0; len <= BYTES; len++) {
            assert_int_equal(charset_is_ascii(slice_of(text, len)), len <= at);
            assert_int_equal(fold_changes(slice_of(text, len)), len > at);
        }
        text[at] = kept;
    }
}

static void names_encodings(void **state)
{
    (void)state;
    enum charset charset = CHARSET_COUNT;
    assert_false(charset_find(&charset, SLICE("shift_jis")));
    assert_int_equal(charset, CHARSET_COUNT);
    assert_true(charset_find(&charset, SLICE("euc-jp")));
    assert_int_equal(charset, CHARSET_EUC_JP);
}

static void folds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
        bool changes;
    } CASES[] = {
        {"ABC def", "abc def", false},
        {"\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9", "\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9", false},
        {"\xef\xbc\xa1\xef\xbc\xa2\xef\xbc\xa3\xe3\x80\x80\xef\xbc\x91\xef\xbc\x92", "abc 12",
         true},
        {"\xef\xbd\xb6\xef\xbe\x92\xef\xbe\x97", "\xe3\x82\xab\xe3\x83\xa1\xe3\x83\xa9", true},
        {"\xef\xbd\xb6\xef\xbe\x9e\xef\xbe\x8a\xef\xbe\x9f", "\xe3\x82\xac\xe3\x83\x91", true},
        {"\xe3\x81\x8b\xe3\x82\x99", "\xe3\x81\x8c", true},
        {"\xc3\x89", "\xc3\xa9", true},
        {"\xe2\x91\xa0\xe3\x88\xb1", "1(\xe6\xa0\xaa)", true},
        {"\xef\xbd\x9e\xe3\x80\x9c\xe2\x88\x92", "~~-", true},
        {"\xe8\x91\x9b\xf3\xa0\x84\x80\xe5\x9f\x8e", "\xe8\x91\x9b\xe5\x9f\x8e", true},
        {"a\xe2\x80\x8b"
         "b",
         "ab", true},
        {"\xef\xb7\xba",
         "\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 \xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85",
         true},
        {"a\xff", "a\xef\xbf\xbd", true},
        {"", "", false},
    };
    struct fold_bufs bufs = {0};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf out = {0};
        fold_text(&out, slice_from(CASES[i].text), &bufs);
        assert_string_equal(buf_string(&out), CASES[i].want);
        assert_int_equal(fold_changes(slice_from(CASES[i].text)), CASES[i].changes);
        buf_release(&out);
    }
    fold_bufs_release(&bufs);
}

/* What is said not to change does not; each code point of the two first planes by itself. */
static void folds_no_stable_character(void **state)
{
    (void)state;
    struct fold_bufs bufs = {0};
    struct buf text = {0};
    struct buf out = {0};
    for (uint32_t point = 0x80; point < 0x20000; point++) {
        buf_reset(&text);
        buf_reset(&out);
        if (point >= 0xd800 && point < 0xe000)
            continue;
        charset_put(&text, point);
        if (fold_changes(buf_content(&text)))
            continue;
        fold_text(&out, buf_content(&text), &bufs);
        assert_true(slice_equal(buf_content(&text), buf_content(&out)));
    }
    buf_release(&text);
    buf_release(&out);
    fold_bufs_release(&bufs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guesses_names_and_files),
        cmocka_unit_test(guesses_half_width),
        cmocka_unit_test(leaves_utf8_alone),
        cmocka_unit_test(decides_for_the_line),
        cmocka_unit_test(marks_what_is_broken),
        cmocka_unit_test(finds_bytes_above_ascii_anywhere),
        cmocka_unit_test(names_encodings),
        cmocka_unit_test(folds),
        cmocka_unit_test(folds_no_stable_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
