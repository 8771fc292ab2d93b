/* Expressions mean what they mean in PCRE2, whichever matcher answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/pred_regex.h"

enum {
    ROUNDS = 4000,
    TEXTS = 12,
};

struct random {
    uint64_t state;
};

static uint32_t below(struct random *r, uint32_t bound)
{
    r->state = r->state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(r->state >> 33) % bound;
}

#define PICK(r, list) (list)[below((r), sizeof(list) / sizeof((list)[0]))]

/* 1, 0; -1 where PCRE2 refuses the pattern or gives up. */
static int reference(struct slice pattern, bool cased, struct slice text)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t flags = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    const void *p = pattern.data;
    pcre2_code *re =
        pcre2_compile(p, pattern.len, flags | (cased ? 0U : PCRE2_CASELESS), &code, &at, NULL);
    if (re == NULL)
        return -1;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    const void *t = text.data;
    int found = pcre2_match(re, t, text.len, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    return found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

/* The same for several texts with one regex. */
static void check(struct slice pattern, bool cased, const struct slice *texts, size_t count)
{
    char message[REGEX_MESSAGE_BYTES];
    struct regex *regex = NULL;
    struct regex_scratch *scratch = NULL;
    int err = regex_compile(&regex, pattern, cased, message);
    if (err != 0) {
        assert_int_equal(err, ERR_CONF);
        if (reference(pattern, cased, SLICE("a")) >= 0)
            fail_msg("/%.*s/ is refused: %s", (int)pattern.len, pattern.data, message);
        return;
    }
    assert_int_equal(regex_scratch_new(&scratch), 0);
    assert_int_equal(regex_scratch_fit(scratch, regex), 0);
    for (size_t i = 0; i < count; i++) {
        int want = reference(pattern, cased, texts[i]);
        int is = regex_match(regex, scratch, texts[i]);
        if (want >= 0 && is != want)
            fail_msg("/%.*s/%s on \"%.*s\": %d", (int)pattern.len, pattern.data, cased ? "" : "i",
                     (int)texts[i].len, texts[i].data, is);
    }
    regex_scratch_free(scratch);
    regex_free(regex);
}

static const char *const POINTED[] = {
    "^$",
    "a$",
    "a\\z",
    "a\\Z",
    "\\Aa",
    "(?m)^a$",
    "(?m)^$",
    "(?m)^",
    "(?m)$",
    "(?s)a.b",
    "a.b",
    "\\s",
    "[\\s]",
    "\\S",
    "\\h",
    "\\v",
    "\\R",
    "\\bab\\b",
    "\\Ba",
    "(?i)A",
    "a(?i)b",
    "(?-i)A",
    "[^a]",
    "[[:space:]]",
    "[[:punct:]]",
    "\\w+$",
    "(a|ab)(c|bcd)",
    "a{0}b",
    "a{2,}?b",
    "(?>a+)b",
    "a++b",
    "(a)\\1",
    "(?=a)a",
    "(?!a).",
    "(?<=a)b",
    "(?<!a)b",
    "\\Qa.b\\E",
    "\\x41",
    "\\101",
    "\\e",
    "[\\x80-\\xff]",
    "\\D\\d",
    "(?x) a b # c\n",
    "",
    "a|",
    "|",
    "()",
    "(?:)",
    "(?#x)a",
    "\\.exe$",
    "a\\Kb",
    "(?|(a)|(b))c",
    "(?1)(a)",
    "\\N",
    ".\\z",
    "\\n$",
    "a\\n?$",
    "^\\s*$",
    "(?m)^b",
    "[^\\n]$",
};
static const char *const TEXTS_OF[] = {
    "",     "a",    "A",  "b",    "ab", "abcd", "aab",  "a\nb", "a\n",   "\n",    "b\na\n", "\n\n",
    "\x0b", "\x0c", "\r", "\t",   " ",  "a.b",  "\x1b", "\x85", "\xa0",  "x.EXE", "aa",     "_ab_",
    "a b",  "1",    "x1", "\r\n", "ba", "AB",   "aB",   "\xff", "a\r\n", "a\n\n", "b\n"};

static void pointed_expressions(void **state)
{
    (void)state;
    struct slice texts[sizeof(TEXTS_OF) / sizeof(TEXTS_OF[0]) + 1];
    size_t count = 0;
    for (; count < sizeof(TEXTS_OF) / sizeof(TEXTS_OF[0]); count++)
        texts[count] = slice_from(TEXTS_OF[count]);
    texts[count++] = slice_of("a\0b", 3);
    for (size_t i = 0; i < sizeof(POINTED) / sizeof(POINTED[0]); i++) {
        check(slice_from(POINTED[i]), true, texts, count);
        check(slice_from(POINTED[i]), false, texts, count);
    }
}

static void random_expressions(void **state)
{
    (void)state;
    static const char *const ATOMS[] = {"a",   "b",    "B",    "\\.", ".",      "\\s",  "\\w",
                                        "\\d", "[ab]", "[^a]", "^",   "$",      "\\b",  "\\n",
                                        "(",   ")",    "(?:",  "|",   "(?i)",   "(?m)", "(?s)",
                                        "\\S", "\\z",  "\\A",  "1",   "[a-z_]", "\\B",  "\\Z"};
    static const char *const REPEATS[] = {"",  "",   "",    "",      "*",   "+",
                                          "?", "*?", "{2}", "{0,1}", "{1,}"};
    static const char *const PARTS[] = {"a", "b", "A", "B", "\n", " ", "1", ".", "_", "\xe5", "\r"};
    struct random r = {.state = 17};
    const char *seed = getenv("PRED_SEED");
    if (seed != NULL)
        r.state = strtoull(seed, NULL, 10);
    for (int round = 0; round < ROUNDS; round++) {
        struct buf pattern = {0};
        struct buf bytes[TEXTS] = {0};
        struct slice texts[TEXTS];
        int depth = 0;
        for (uint32_t i = 1 + below(&r, 7); i > 0; i--) {
            const char *atom = PICK(&r, ATOMS);
            if (strcmp(atom, ")") == 0 && depth == 0)
                continue;
            depth += atom[0] == '(' && (atom[1] == '\0' || atom[2] == ':');
            depth -= atom[0] == ')';
            buf_text(&pattern, atom);
            bool takes = strchr("^$(|", atom[0]) == NULL && strchr("bBzAZ", atom[1]) == NULL;
            buf_text(&pattern, takes || atom[0] == ')' ? PICK(&r, REPEATS) : "");
        }
        for (; depth > 0; depth--)
            buf_text(&pattern, ")");
        for (size_t i = 0; i < TEXTS; i++) {
            for (uint32_t k = below(&r, 7); k > 0; k--)
                buf_text(&bytes[i], PICK(&r, PARTS));
            (void)buf_string(&bytes[i]);
            texts[i] = buf_content(&bytes[i]);
        }
        (void)buf_string(&pattern);
        check(buf_content(&pattern), below(&r, 2) == 0, texts, TEXTS);
        for (size_t i = 0; i < TEXTS; i++)
            buf_release(&bytes[i]);
        buf_release(&pattern);
    }
}

/* What costs a backtracking matcher seconds is answered or given up soon, and never as "no". */
static void hostile_expressions_are_bounded(void **state)
{
    (void)state;
    static const char *const PATTERNS[] = {
        "^(a+)+$",
        "(a|a)*b",
        "^(a|aa)+$",
        "(.*a){12}b",
        "(a*)*(b*)*c",
        "(?=(a+)+b)a",
        "^(a+)+\\1$",
        "(\\w+\\s?)+x",
        "a{1,500}b{1,500}c",
        "(x+x+)+y",
        "(?:(?:a?){30})a{30}z",
        "(.+)+\\.exe",
    };
    struct buf text = {0};
    for (int i = 0; i < 30000; i++)
        buf_byte(&text, 'a');
    (void)buf_string(&text);
    for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++) {
        char message[REGEX_MESSAGE_BYTES];
        struct regex *regex = NULL;
        struct regex_scratch *scratch = NULL;
        int64_t start = clock_cpu_ns();
        if (regex_compile(&regex, slice_from(PATTERNS[i]), true, message) != 0)
            continue;
        assert_int_equal(regex_scratch_new(&scratch), 0);
        assert_int_equal(regex_scratch_fit(scratch, regex), 0);
        int is = regex_match(regex, scratch, buf_content(&text));
        int want = i == 0 || i == 2 || i == 6 ? 1 : 0; /* the others need what is not there */
        if (is != want && is != ERR_RANGE)
            fail_msg("%s: %d", PATTERNS[i], is);
        assert_int_equal(regex_scratch_given_up(scratch), is == ERR_RANGE);
        regex_scratch_forgive(scratch);
        assert_true(regex_match(regex, scratch, buf_content(&text)) == (is == 1));
        if (clock_cpu_ns() - start > INT64_C(8000000000))
            fail_msg("%s takes too long", PATTERNS[i]);
        regex_scratch_free(scratch);
        regex_free(regex);
    }
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointed_expressions),
        cmocka_unit_test(random_expressions),
        cmocka_unit_test(hostile_expressions_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
