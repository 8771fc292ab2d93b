/*
 * The filter of runs: whatever stands in a line, in a part of a URL or in a URL is let pass, also
 * where it stands across texts; most of what stands nowhere is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "event/grams.h"
#include "event/value.h"
#include "tests/event/pred_random.h"
#include "tests/event/row_parts.h"

enum {
    SAMPLES = 400,
    ROWS_MAX = 60,
    CUTS = 4, /* of each text */
    CUT_MAX = 20,
    WORD_BYTES = 12,
    SEALED_HEAD = 2,
};

/* What is asked of a filter. */
struct asking {
    struct random *r;
    struct slice filter;
    unsigned places; /* that the filter rules something out of */
    uint32_t asked;
};

static char other_case(struct random *r, char c)
{
    static const char SMALL[] = "abcdefghijklmnopqrstuvwxyz";
    static const char LARGE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = c == '\0' ? NULL : strchr(SMALL, c);
    if (random_below(r, 3) != 0)
        return c;
    if (at != NULL)
        return LARGE[at - SMALL];
    at = c == '\0' ? NULL : strchr(LARGE, c);
    if (at != NULL)
        c = SMALL[at - LARGE];
    return c;
}

/* Pieces of what is there, in any case of letters. */
static void ask_text(struct asking *a, enum grams_place place, struct slice text)
{
    char cut[CUT_MAX];
    for (uint32_t i = 0; i < CUTS; i++) {
        size_t at = random_below(a->r, (uint32_t)text.len + 1);
        size_t len = random_below(a->r, CUT_MAX + 1);
        len = len < text.len - at ? len : text.len - at;
        for (size_t k = 0; k < len; k++)
            cut[k] = other_case(a->r, text.data[at + k]);
        if (!grams_may_hold(a->filter, place, slice_of(cut, len)))
            fail_msg("place %u: \"%.*s\" of \"%.*s\"", (unsigned)place, (int)len, cut,
                     (int)text.len, text.data);
        a->asked++;
    }
}

/* As it is, and percent-decoded. */
static void ask_url(struct asking *a, enum grams_place place, struct slice text)
{
    struct buf decoded = {0};
    ask_text(a, place, text);
    value_decode(&decoded, text, SLOT_PERCENT);
    ask_text(a, place, buf_content(&decoded));
    buf_release(&decoded);
}

static bool is_part(uint16_t field)
{
    return field == FIELD_URL_SCHEME || field == FIELD_URL_DOMAIN || field == FIELD_URL_PORT ||
           field == FIELD_URL_PATH || field == FIELD_URL_QUERY;
}

static void ask_parts(struct asking *a, const struct batch *b, uint32_t row)
{
    struct buf printed = {0};
    struct buf decoded = {0};
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct slice text;
        if (!is_part(c->field) || !batch_value(b, c, row, &printed, &text))
            continue;
        buf_reset(&decoded);
        if (c->kind != SLOT_PERCENT && c->kind != SLOT_FORM)
            value_decode(&decoded, text, c->kind);
        else
            buf_slice(&decoded, text);
        ask_url(a, GRAMS_URL_PART, buf_content(&decoded));
    }
    buf_release(&printed);
    buf_release(&decoded);
}

static void ask_sample(struct asking *a, const struct sample *s)
{
    struct buf line = {0};
    for (uint32_t row = 0; row < s->batch->row_count; row++) {
        buf_reset(&line);
        assert_int_equal(batch_render(s->batch, row, &line), 0);
        ask_text(a, GRAMS_LINE, buf_content(&line));
        for (uint32_t i = 0; i < s->known[row].url_count; i++)
            ask_url(a, GRAMS_URL, s->known[row].urls[i]);
        ask_parts(a, s->batch, row);
    }
    buf_release(&line);
}

/* Words of letters that stand nowhere: how many of 100 are ruled out. */
static uint32_t ruled_out(struct random *r, struct slice filter, enum grams_place place)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < 100; i++) {
        char word[WORD_BYTES];
        for (size_t k = 0; k < sizeof(word); k++)
            word[k] = (char)('a' + random_below(r, 26));
        count += !grams_may_hold(filter, place, slice_of(word, sizeof(word)));
    }
    return count;
}

static void test_all_that_is_there(void **state)
{
    (void)state;
    struct random r = {.state = 0x2545f4914f6cdd1d};
    struct sample *s = calloc(1, sizeof(*s));
    struct grams *g = NULL;
    struct buf filter = {0};
    uint32_t selective[GRAMS_LINE + 1] = {0};
    static const enum grams_place PLACES[] = {GRAMS_URL_PART, GRAMS_URL, GRAMS_LINE};
    assert_non_null(s);
    s->batch = batch_new();
    assert_int_equal(grams_new(&g), 0);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        sample_make(s, &r, 1 + random_below(&r, i % 4 == 0 ? 3 : ROWS_MAX));
        if (i % 2 == 1)
            sample_read_back(s, &r);
        grams_reset(g);
        buf_reset(&filter);
        assert_int_equal(grams_add(g, s->batch, true), 0);
        struct grams *same = NULL;
        assert_int_equal(grams_new(&same), 0);
        assert_int_equal(grams_add(same, s->batch, true), 0);
        grams_seal(g, s->batch->row_count, &filter);
        assert_true(filter.len > SEALED_HEAD && grams_is_filter(buf_content(&filter)));
        assert_true(grams_within(same, buf_content(&filter)));
        grams_free(same);
        struct asking a = {.r = &r, .filter = buf_content(&filter)};
        ask_sample(&a, s);
        for (size_t k = 0; k < sizeof(PLACES) / sizeof(PLACES[0]); k++)
            selective[PLACES[k]] += ruled_out(&r, a.filter, PLACES[k]) > 95;
        sample_reset(s);
    }
    /* Parts always; whole URLs and lines where no run stands across texts. */
    assert_int_equal(selective[GRAMS_URL_PART], SAMPLES);
    assert_in_range(selective[GRAMS_URL], SAMPLES / 20, SAMPLES - 1);
    assert_in_range(selective[GRAMS_LINE], SAMPLES / 20, SAMPLES - 1);
    buf_release(&filter);
    grams_free(g);
    batch_free(s->batch);
    arena_release(&s->arena);
    free(s);
}

/* One line of up to four parts and a tail; its filter. */
static void seal_line(const struct part parts[4], const char *tail, struct buf *out)
{
    struct grams *g = NULL;
    struct batch *b = batch_new();
    assert_non_null(b);
    add_row(b, parts, 4, tail);
    assert_int_equal(b->shape[0], 1);
    assert_int_equal(grams_new(&g), 0);
    assert_int_equal(grams_add(g, b, true), 0);
    buf_reset(out);
    grams_seal(g, 1, out);
    grams_free(g);
    batch_free(b);
}

static unsigned places_of(const struct buf *filter)
{
    assert_true(filter->len > SEALED_HEAD);
    return (unsigned char)filter->data[0];
}

enum {
    PART = GRAMS_URL_PART,
    URL = GRAMS_URL,
    LINE = GRAMS_LINE
};
static const struct {
    struct part parts[4];
    const char *tail;
    unsigned places;
} JOINTS[] = {
    {{{"u=\"", "tanaka", FIELD_USER_NAME, 0}}, "\"\n", PART | URL | LINE},
    {{{"user", "tanaka", FIELD_USER_NAME, 0}}, "\n", PART | URL},
    {{{"u=", "tanaka", FIELD_USER_NAME, 0}}, "san\n", PART | URL},
    {{{"u=", "", FIELD_USER_NAME, 0}}, "san\n", PART | URL | LINE},
    {{{"u", "", FIELD_USER_NAME, 0}}, "san\n", PART | URL},
    {{{"u=", "-a-", FIELD_USER_NAME, 0}}, "san\n", PART | URL | LINE},
    {{{"n=", "12", FIELD_SOURCE_PORT, 0}, {"", "tanaka", FIELD_USER_NAME, 0}}, "\n", PART | URL},
    {{{"n=", "tan", FIELD_USER_NAME, 0},
      {"", "", FIELD_EVENT_ACTION, 0},
      {"", "aka", FIELD_MESSAGE, 0}},
     "\n",
     PART | URL},
    /* A host, and a path behind it or elsewhere */
    {{{"GET ", "example", FIELD_URL_DOMAIN, 0}, {"", "/path", FIELD_URL_PATH, 0}},
     "\n",
     PART | URL | LINE},
    {{{"GET ", "example", FIELD_URL_DOMAIN, 0}, {"", "path", FIELD_URL_PATH, 0}}, "\n", PART},
    {{{"h=", "example", FIELD_URL_DOMAIN, 0}, {" p=", "path", FIELD_URL_PATH, 0}},
     "\n",
     PART | LINE},
    {{{"p=", "path", FIELD_URL_PATH, 0}, {" h=", "example", FIELD_URL_DOMAIN, 0}},
     "\n",
     PART | LINE},
    {{{"h=", "example", FIELD_URL_DOMAIN, 0},
      {" p=", "", FIELD_URL_PATH, 0},
      {" q=", "query", FIELD_URL_QUERY, 0}},
     "\n",
     PART | URL | LINE},
    {{{"h=", "example", FIELD_URL_DOMAIN, 0},
      {" p=", "80", FIELD_URL_PORT, 0},
      {"/", "path", FIELD_URL_PATH, 0}},
     "\n",
     PART | LINE},
    /* An escape that begins in one text and ends in another; letters that only decoding shows */
    {{{"h=", "example%", FIELD_URL_DOMAIN, 0}, {" p=", "/path", FIELD_URL_PATH, 0}},
     "\n",
     PART | LINE},
    {{{"h=", "example%4", FIELD_URL_DOMAIN, 0}, {" p=", "/path", FIELD_URL_PATH, 0}},
     "\n",
     PART | LINE},
    {{{"h=", "example", FIELD_URL_DOMAIN, 0}, {" p=", "%41th", FIELD_URL_PATH, 0}},
     "\n",
     PART | LINE},
    {{{"h=", "example", FIELD_URL_DOMAIN, 0}, {" p=", "%2Fth", FIELD_URL_PATH, 0}},
     "\n",
     PART | URL | LINE},
    {{{"h=", "exampl\\u0025", FIELD_URL_DOMAIN, SLOT_JSON_STRING},
      {" p=", "/path", FIELD_URL_PATH, 0}},
     "\n",
     PART | LINE},
    {{{"h=\"", "exampl\\u0065", FIELD_URL_DOMAIN, SLOT_JSON_STRING},
      {"\" p=\"", "\\u0070ath", FIELD_URL_PATH, SLOT_JSON_STRING}},
     "\"\n",
     PART | LINE},
};

/* Where texts touch, a filter rules out only what cannot stand across them. */
static void test_joints(void **state)
{
    (void)state;
    struct buf filter = {0};
    for (size_t i = 0; i < sizeof(JOINTS) / sizeof(JOINTS[0]); i++) {
        seal_line(JOINTS[i].parts, JOINTS[i].tail, &filter);
        if ((places_of(&filter) & ~(unsigned)GRAMS_DOTTED) != JOINTS[i].places)
            fail_msg("case %zu: places %u", i, places_of(&filter));
    }
    buf_release(&filter);
}

/* The same of numbers with dots. */
static void test_dotted_joints(void **state)
{
    (void)state;
    static const struct {
        struct part parts[4];
        const char *tail;
        bool told;
    } CASES[] = {
        {{{"a=", "192.0.2.1", FIELD_MESSAGE, 0}}, "\n", true},
        {{{"a1", "x192.0.2.1x", FIELD_MESSAGE, 0}}, ".1\n", true},
        {{{"a=", "192.0.2.1", FIELD_SOURCE_IP, 0}, {":", "443", FIELD_SOURCE_PORT, 0}}, "\n", true},
        {{{"a=", "192.0.2", FIELD_MESSAGE, 0}}, ".1\n", false},
        {{{"a=1", "92.0.2.1", FIELD_MESSAGE, 0}}, "\n", false},
        {{{"a=1", "92.0.2.1", FIELD_SOURCE_IP, 0}}, "\n", false},
        {{{"a=192.0", "", FIELD_MESSAGE, 0}}, ".2.1\n", false},
        {{{"a=", "192", FIELD_SOURCE_PORT, 0}, {".", "0", FIELD_SOURCE_BYTES, 0}}, ".2.1\n", false},
    };
    struct buf filter = {0};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        seal_line(CASES[i].parts, CASES[i].tail, &filter);
        struct slice f = buf_content(&filter);
        if (((places_of(&filter) & GRAMS_DOTTED) != 0) != CASES[i].told)
            fail_msg("case %zu: places %u", i, places_of(&filter));
        assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("192.0.2.1")));
        assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("2.0.2.")));
        assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("198.51.100")));
        assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("8.51.100.")));
        assert_int_equal(grams_may_hold(f, GRAMS_LINE, SLICE("192.0.2.2")), !CASES[i].told);
        assert_int_equal(grams_may_hold(f, GRAMS_LINE, SLICE("198.51.100.")), !CASES[i].told);
    }
    buf_release(&filter);
}

/* Runs of digits are asked for in URLs alone; a short text, or one cut into short pieces, never. */
static void test_what_is_asked(void **state)
{
    (void)state;
    static const struct part PARTS[4] = {
        {"h=", "Example.JP", FIELD_URL_DOMAIN, 0},
        {" p=", "/Download/9001/caf\xc3\xa9.exe", FIELD_URL_PATH, 0}};
    struct buf buf = {0};
    seal_line(PARTS, " n=777777\n", &buf);
    struct slice f = buf_content(&buf);
    assert_true(grams_may_hold(f, GRAMS_URL_PART, SLICE("/DOWNLOAD/9001/")));
    assert_true(grams_may_hold(f, GRAMS_URL, SLICE("example.jp/download/9001/caf\xc3\xa9.exe")));
    assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("h=example.jp p=/download/")));
    assert_false(grams_may_hold(f, GRAMS_URL, SLICE("/downloads/")));
    assert_false(grams_may_hold(f, GRAMS_LINE, SLICE("Zebra")));
    assert_false(grams_may_hold(f, GRAMS_URL_PART, SLICE("/9002/")));
    assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("9002")));
    assert_false(grams_may_hold(f, GRAMS_LINE, SLICE("x9002")));
    assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("xyz")));
    assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("xyz-qvw")));
    assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("xyz\xc3\xa9qvw")));
    assert_true(grams_may_hold(f, GRAMS_LINE, SLICE("")));
    buf_release(&buf);
}

/* Bytes that are no filter rule nothing out, and are told from one. */
static void test_other_bytes(void **state)
{
    (void)state;
    static const struct part PARTS[4] = {{"h=", "example", FIELD_URL_DOMAIN, 0}};
    struct buf f = {0};
    seal_line(PARTS, "\n", &f);
    assert_int_equal(f.data[1], GRAMS_LOG_MIN);
    assert_true(grams_is_filter((struct slice){0}));
    assert_true(grams_may_hold((struct slice){0}, GRAMS_LINE, SLICE("zebra")));
    for (size_t len = 1; len < f.len; len++) {
        struct slice cut = slice_of(f.data, len);
        assert_false(grams_is_filter(cut));
        assert_true(grams_may_hold(cut, GRAMS_LINE, SLICE("zebra")));
    }
    for (unsigned log = 0; log < 256; log++) {
        f.data[1] = (char)log;
        bool is = log == GRAMS_LOG_MIN;
        assert_int_equal(grams_is_filter(buf_content(&f)), is);
        assert_int_equal(grams_may_hold(buf_content(&f), GRAMS_LINE, SLICE("zebra")), !is);
        if (log < 3)
            assert_false(grams_is_filter(slice_of(f.data, SEALED_HEAD + ((size_t)1 << log >> 3))));
    }
    f.data[1] = GRAMS_LOG_MIN;
    f.data[0] = (char)(f.data[0] | 16);
    assert_false(grams_is_filter(buf_content(&f)));
    buf_release(&f);
}

/* A bit less, or a place more, than what was added: not a filter of it. */
static void test_within(void **state)
{
    (void)state;
    static const struct part OPEN[4] = {{"user", "tanaka", FIELD_USER_NAME, 0}};
    struct random r = {.state = 99};
    struct sample *s = calloc(1, sizeof(*s));
    struct grams *g = NULL;
    struct buf f = {0};
    assert_non_null(s);
    s->batch = batch_new();
    sample_make(s, &r, 40);
    assert_int_equal(grams_new(&g), 0);
    assert_int_equal(grams_add(g, s->batch, true), 0);
    grams_seal(g, 40, &f);
    grams_reset(g);
    assert_false(grams_within(g, SLICE("\7\11")));
    assert_true(grams_within(g, buf_content(&f)));
    assert_int_equal(grams_add(g, s->batch, true), 0);
    assert_true(grams_within(g, buf_content(&f)));
    assert_true(grams_within(g, (struct slice){0}));
    for (size_t bit = 0; bit < (f.len - SEALED_HEAD) * 8; bit++) {
        char *byte = &f.data[SEALED_HEAD + bit / 8];
        char before = *byte;
        *byte = (char)(before ^ 1 << bit % 8);
        assert_int_equal(grams_within(g, buf_content(&f)),
                         ((unsigned char)before >> bit % 8 & 1) == 0);
        *byte = before;
    }
    struct batch *b = batch_new();
    add_row(b, OPEN, 4, "\n");
    grams_reset(g);
    assert_int_equal(grams_add(g, b, true), 0);
    seal_line(OPEN, "\n", &f);
    assert_true(grams_within(g, buf_content(&f)));
    f.data[0] = (char)(f.data[0] | GRAMS_LINE);
    assert_false(grams_within(g, buf_content(&f)));
    batch_free(b);
    grams_free(g);
    buf_release(&f);
    batch_free(s->batch);
    arena_release(&s->arena);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_there), cmocka_unit_test(test_joints),
        cmocka_unit_test(test_dotted_joints),     cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_other_bytes),       cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
