#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "detect/sigma_pattern.h"
#include "event/pred_leaf.h"

static void check(struct slice got, const char *want, size_t len)
{
    assert_non_null(got.data);
    if (got.len != len || memcmp(got.data, want, len) != 0)
        fail_msg("\"%.*s\" is not \"%.*s\"", (int)got.len, got.data, (int)len, want);
}

#define CHECK(got, want) check((got), (want), sizeof(want) - 1)

static void reads_escapes(void **state)
{
    (void)state;
    struct arena arena = {0};
    CHECK(pattern_read(&arena, SLICE("")), "");
    CHECK(pattern_read(&arena, SLICE("plain")), "plain");
    CHECK(pattern_read(&arena, SLICE("*a?")), "*a?");
    CHECK(pattern_read(&arena, SLICE("a\\*b")), "a\\*b");
    CHECK(pattern_read(&arena, SLICE("a\\?b")), "a\\?b");
    CHECK(pattern_read(&arena, SLICE("C:\\a")), "C:\\\\a");
    CHECK(pattern_read(&arena, SLICE("C:\\\\a")), "C:\\\\a");
    CHECK(pattern_read(&arena, SLICE("\\")), "\\\\");
    CHECK(pattern_read(&arena, SLICE("\\\\*")), "\\\\*");
    CHECK(pattern_read(&arena, SLICE("\\\\\\*")), "\\\\\\*");
    CHECK(pattern_read(&arena, SLICE("a\\")), "a\\\\");
    CHECK(pattern_read(&arena, SLICE("\xe5\xb1\xb1\\*")), "\xe5\xb1\xb1\\*");
    arena_release(&arena);
}

/* Plain text and its pattern are each other's. */
static void plain_and_bytes_are_inverse(void **state)
{
    (void)state;
    struct arena arena = {0};
    static const char *const TEXTS[] = {"", "a", "*", "?", "\\", "\\*", "a\\b?c*d\\\\", "\xff\x80"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct slice text = slice_from(TEXTS[i]);
        struct slice pattern = pattern_plain(&arena, text);
        assert_false(pattern_has_wildcard(pattern));
        assert_true(slice_equal(pattern_bytes(&arena, pattern), text));
    }
    CHECK(pattern_plain(&arena, slice_of("a\0*", 3)), "a\0\\*");
    assert_true(pattern_has_wildcard(SLICE("*")));
    assert_true(pattern_has_wildcard(SLICE("a\\\\?")));
    assert_false(pattern_has_wildcard(SLICE("\\*\\?\\\\")));
    CHECK(pattern_around(&arena, SLICE("a"), true, true), "*a*");
    CHECK(pattern_around(&arena, SLICE("a"), true, false), "*a");
    CHECK(pattern_around(&arena, SLICE("a"), false, true), "a*");
    CHECK(pattern_around(&arena, SLICE("\\\\"), false, true), "\\\\*");
    CHECK(pattern_around(&arena, SLICE(""), true, true), "**");
    arena_release(&arena);
}

/* RFC 4648, section 10. */
static void encodes_base64(void **state)
{
    (void)state;
    struct arena arena = {0};
    static const char *const VECTORS[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        struct slice got = pattern_base64(&arena, slice_from(VECTORS[i][0]));
        check(got, VECTORS[i][1], strlen(VECTORS[i][1]));
    }
    CHECK(pattern_base64(&arena, slice_of("\xff\xfb\xf0\0", 4)), "//vwAA==");
    arena_release(&arena);
}

/* Whatever stands before and behind the bytes, the middle is in the encoded text. */
static void base64_offsets_are_certain(void **state)
{
    (void)state;
    struct arena arena = {0};
    CHECK(pattern_base64_offset(&arena, SLICE("foobar"), 0), "Zm9vYmFy");
    CHECK(pattern_base64_offset(&arena, SLICE("foobar"), 1), "Zvb2Jhc");
    CHECK(pattern_base64_offset(&arena, SLICE("foobar"), 2), "mb29iYX");
    assert_int_equal(pattern_base64_offset(&arena, SLICE(""), 0).len, 0);
    assert_non_null(pattern_base64_offset(&arena, SLICE(""), 2).data);
    uint64_t seed = 5;
    for (int round = 0; round < 3000; round++) {
        char bytes[24];
        size_t len = 1 + (size_t)round % 12;
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            bytes[i] = (char)(seed >> 40);
        }
        unsigned offset = (unsigned)round / 12 % 3;
        size_t before = offset + 3 * ((size_t)round / 36 % 2);
        struct slice middle = pattern_base64_offset(&arena, slice_of(bytes + before, len), offset);
        struct slice whole = pattern_base64(&arena, slice_of(bytes, sizeof(bytes)));
        assert_non_null(middle.data);
        assert_true(middle.len == 0 || memmem(whole.data, whole.len, middle.data, middle.len));
        /* All letters that the bytes alone decide: 6 bits each, whole ones. */
        size_t first = (8 * before + 5) / 6;
        size_t last = 8 * (before + len) / 6;
        assert_int_equal(middle.len, last > first ? last - first : 0);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

static void encodes_utf16(void **state)
{
    (void)state;
    struct arena arena = {0};
    CHECK(pattern_utf16(&arena, SLICE("aB"), SIGMA_UTF16_LE), "a\0B\0");
    CHECK(pattern_utf16(&arena, SLICE("aB"), SIGMA_UTF16_BE), "\0a\0B");
    CHECK(pattern_utf16(&arena, SLICE("a"), SIGMA_UTF16_MARK), "\xff\xfe"
                                                               "a\0");
    CHECK(pattern_utf16(&arena, SLICE("\xe5\xb1\xb1"), SIGMA_UTF16_LE), "\x71\x5c");
    CHECK(pattern_utf16(&arena, SLICE("\xf0\x9f\x9a\xa7"), SIGMA_UTF16_BE), "\xd8\x3d\xde\xa7");
    CHECK(pattern_utf16(&arena, SLICE("\xff\x80"), SIGMA_UTF16_BE), "\xff\xfd\xff\xfd");
    CHECK(pattern_utf16(&arena, SLICE(""), SIGMA_UTF16_LE), "");
    arena_release(&arena);
}

struct matcher {
    struct regex *regex;
    struct regex_scratch *scratch;
    struct slice pattern;
};

static void matcher_open(struct matcher *m, struct slice pattern, bool cased)
{
    char message[REGEX_MESSAGE_BYTES];
    *m = (struct matcher){.pattern = pattern};
    if (regex_compile(&m->regex, pattern, cased, message) != 0)
        fail_msg("%.*s: %s", (int)pattern.len, pattern.data, message);
    assert_int_equal(regex_scratch_new(&m->scratch), 0);
    assert_int_equal(regex_scratch_fit(m->scratch, m->regex), 0);
}

static bool matcher_holds(struct matcher *m, struct slice text)
{
    int holds = regex_match(m->regex, m->scratch, text);
    if (holds != 0 && holds != 1)
        fail_msg("%.*s on \"%.*s\": %d", (int)m->pattern.len, m->pattern.data, (int)text.len,
                 text.data, holds);
    return holds == 1;
}

static void matcher_close(struct matcher *m)
{
    regex_scratch_free(m->scratch);
    regex_free(m->regex);
}

static bool regex_holds(struct slice pattern, bool cased, struct slice text)
{
    struct matcher matcher;
    matcher_open(&matcher, pattern, cased);
    bool holds = matcher_holds(&matcher, text);
    matcher_close(&matcher);
    return holds;
}

static void dashes_stand_for_each_other(void **state)
{
    (void)state;
    struct arena arena = {0};
    static const char *const DASHES[] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95"};
    assert_false(pattern_has_dash(SLICE("a*b")));
    assert_false(pattern_has_dash(SLICE("\xe2\x80\x92 \xe2\x80\x96 \xe2\x80")));
    for (size_t i = 0; i < 5; i++) {
        struct buf text = {0};
        buf_printf(&text, "x %se", DASHES[i]);
        assert_true(pattern_has_dash(buf_content(&text)));
        struct slice regex = pattern_windash(&arena, pattern_read(&arena, buf_content(&text)));
        for (size_t k = 0; k < 5; k++) {
            struct buf value = {0};
            buf_printf(&value, "X %sE", DASHES[k]);
            assert_true(regex_holds(regex, false, buf_content(&value)));
            assert_false(regex_holds(regex, true, buf_content(&value)));
            buf_text(&value, "\n");
            assert_false(regex_holds(regex, false, buf_content(&value)));
            buf_release(&value);
        }
        assert_false(regex_holds(regex, false, SLICE("x _e")));
        assert_false(regex_holds(regex, false, SLICE("ax -e")));
        buf_release(&text);
    }
    arena_release(&arena);
}

#define PIECE_COUNT (sizeof(PIECES) / sizeof(PIECES[0]))
#define VALUE_COUNT (sizeof(VALUES) / sizeof(VALUES[0]))

enum {
    PATTERNS = SANITIZED ? 5000 : 20000, /* a sanitizer takes most of its time within Hyperscan */
    PATTERN_PIECES = 4,
    VALUES_OF_PATTERN = 4,
};

static const char *const PIECES[] = {"a", "B", "*", "?", "\\*", "\\?", "\\\\",         ".",
                                     "(", "[", "+", "^", "$",   "|",   "\xe5\xb1\xb1", "\n",
                                     " ", "#", "}"};
/* What the pieces stand for, without the two wildcards. */
static const char *const VALUES[] = {"a", "b",   "*", "?", "\\",           ".",  "(", "[",
                                     "+", "^",   "$", "|", "\xe5\xb1\xb1", "\n", " ", "#",
                                     "}", "\xff"};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed;
}

/* A value that is near the pattern of these pieces. */
static void random_value(struct buf *out, const size_t pieces[PATTERN_PIECES], uint64_t *seed)
{
    buf_reset(out);
    for (size_t i = 0; i < PATTERN_PIECES; i++) {
        uint64_t random = next_random(seed);
        size_t at = pieces[i];
        bool plain = (random >> 60) % 3 != 0 && at != 2 && at != 3;
        buf_text(out,
                 VALUES[plain ? (at < 2 ? at : at - 2) : (size_t)(random >> 41) % VALUE_COUNT]);
    }
    (void)buf_reserve(out, 1);
}

/* The regex of a pattern with a dash says what the glob says; everything else is taken plain. */
static void dashes_leave_the_rest_as_it_is(void **state)
{
    (void)state;
    uint64_t seed = 9;
    unsigned matches = 0;
    struct buf pattern = {0};
    struct buf value = {0};
    for (int round = 0; round < PATTERNS; round++) {
        struct arena arena = {0};
        size_t pieces[PATTERN_PIECES];
        buf_reset(&pattern);
        for (size_t i = 0; i < PATTERN_PIECES; i++) {
            pieces[i] = (size_t)(next_random(&seed) >> 33) % PIECE_COUNT;
            buf_text(&pattern, PIECES[pieces[i]]);
        }
        struct ast ast = {.kind = AST_LEAF, .op = AST_GLOB, .text = buf_content(&pattern)};
        struct leaf leaf;
        assert_int_equal(leaf_init(&leaf, &arena, &ast, NULL), 0);
        struct matcher matcher;
        matcher_open(&matcher, pattern_windash(&arena, buf_content(&pattern)), false);
        for (int i = 0; i < VALUES_OF_PATTERN; i++) {
            random_value(&value, pieces, &seed);
            int want = leaf_text(&leaf, NULL, buf_content(&value));
            bool is = matcher_holds(&matcher, buf_content(&value));
            if (is != (want == 1))
                fail_msg("%s on %s: %d", buf_string(&pattern), buf_string(&value), is);
            matches += is;
        }
        matcher_close(&matcher);
        leaf_release(&leaf);
        arena_release(&arena);
    }
    buf_release(&pattern);
    buf_release(&value);
    assert_true(matches > PATTERNS / 10);
}

static void says_when_the_arena_is_full(void **state)
{
    (void)state;
    struct arena arena = {.limit_bytes = 1};
    assert_null(pattern_read(&arena, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")).data);
    assert_null(pattern_base64_offset(&arena, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 1).data);
    assert_null(pattern_windash(&arena, SLICE("aaaa-aaaaaaaaaaaaaaaaaaaaaaa")).data);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_escapes),
        cmocka_unit_test(plain_and_bytes_are_inverse),
        cmocka_unit_test(encodes_base64),
        cmocka_unit_test(base64_offsets_are_certain),
        cmocka_unit_test(encodes_utf16),
        cmocka_unit_test(dashes_stand_for_each_other),
        cmocka_unit_test(dashes_leave_the_rest_as_it_is),
        cmocka_unit_test(says_when_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
