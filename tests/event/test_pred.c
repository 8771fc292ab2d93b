#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tests/event/pred_agree.h"
#include "tests/event/pred_found.h"
#include "tests/event/row_parts.h"

enum {
    PAIRS_MIN = 20000,
    EXPRESSIONS_MAX = 120,
    GRAMS_RULED_OUT_MIN = 5, /* most expressions ask for what is there */
};

static void test_addresses_and_numbers(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    b->format_name = SLICE("squid");
    ROW(b, {"src=", "192.0.2.1", FIELD_SOURCE_IP, 0}, {" p=", "443", FIELD_SOURCE_PORT, 0});
    ROW(b, {"src=", "192.0.2.2", FIELD_SOURCE_IP, 0}, {" p=", "0443", FIELD_SOURCE_PORT, 0});
    ROW(b, {"src=", "2001:DB8::1", FIELD_SOURCE_IP, 0}, {" p=", "x", FIELD_SOURCE_PORT, 0});
    ROW(b, {"src=", "192.0.2.1.", FIELD_SOURCE_IP, 0}, {" p=", "8080", FIELD_SOURCE_PORT, 0});
    assert_string_equal(found(b, "src:192.0.2.1", &out), "0");
    assert_string_equal(found(b, "src:2001:db8::1", &out), "2");
    assert_string_equal(found(b, "src:192.0.2.0/31", &out), "0");
    assert_string_equal(found(b, "src:192.0.2.0/24", &out), "0 1");
    assert_string_equal(found(b, "src:192.0.2.*", &out), "0 1");
    assert_string_equal(found(b, "src:2001:DB8:*", &out), "2");
    assert_string_equal(found(b, "not src:*", &out), "3");
    assert_string_equal(found(b, "source.port:443", &out), "0 1");
    assert_string_equal(found(b, "source.port:0*", &out), "1");
    assert_string_equal(found(b, "source.port:*44*", &out), "0 1");
    assert_string_equal(found(b, "source.port:[443 to 8080]", &out), "0 1 3");
    assert_string_equal(found(b, "source.port>443.5", &out), "3");
    assert_string_equal(found(b, "not source.port:443", &out), "2 3");
    assert_string_equal(found(b, "kafka.offset:[1 to 2]", &out), "1 2");
    assert_string_equal(found(b, "192.0.2.1", &out), "0 3");
    assert_string_equal(found(b, "", &out), "0 1 2 3");
    batch_free(b);
    buf_release(&out);
}

/* Both ends of a range are about one value; two conditions may be met by two values. */
static void test_ranges_of_repeated_fields(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    ROW(b, {"p=", "0", FIELD_SOURCE_PORT, 0}, {" p=", "55712", FIELD_SOURCE_PORT, 0});
    ROW(b, {"p=", "0", FIELD_SOURCE_PORT, 0}, {" p=", "49022", FIELD_SOURCE_PORT, 0});
    ROW(b, {"p=", "50000", FIELD_SOURCE_PORT, 0});
    ROW(b, {"u=\"", "1", FIELD_USER_NAME, 0}, {"\" u=\"", "2.5e1", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "1", FIELD_USER_NAME, 0}, {"\" u=\"", "9.5", FIELD_USER_NAME, 0});
    ROW(b, {"t=", "1700000000.123", FIELD_TIME_EPOCH, 0});
    assert_string_equal(found(b, "source.port:[49022 to 49022]", &out), "1");
    assert_string_equal(found(b, "source.port:[100 to 60000]", &out), "0 1 2");
    assert_string_equal(found(b, "source.port:[100 to 200]", &out), "");
    assert_string_equal(found(b, "source.port:[49022.5 to 50000]", &out), "2");
    assert_string_equal(found(b, "source.port:[60000 to 100]", &out), "");
    assert_string_equal(found(b, "source.port>=49022 source.port<=49022", &out), "0 1");
    assert_string_equal(found(b, "not source.port:[49022 to 49022]", &out), "0 2 3 4 5");
    assert_string_equal(found(b, "not source.port:[0 to 49022]", &out), "2 3 4 5");
    assert_string_equal(found(b, "source.port:[* to 49022]", &out), "0 1");
    assert_string_equal(found(b, "source.port:[50000 to *]", &out), "0 2");
    assert_string_equal(found(b, "source.port:([1 to 100] or [50000 to 60000])", &out), "0 2");
    assert_string_equal(found(b, "user:[2 to 20]", &out), "4");
    assert_string_equal(found(b, "user:[9.5 to 9.5]", &out), "4");
    assert_string_equal(found(b, "sekisho.time.epoch:[1700000000.1 to 1700000001]", &out), "5");
    assert_string_equal(found(b, "sekisho.time.epoch:[1700000000 to 1700000000.1]", &out), "");
    assert_string_equal(found(b, "kafka.offset:[2 to 3]", &out), "2 3");
    assert_string_equal(found(b, "sekisho.source:[1 to 3]", &out), "");
    batch_free(b);
    buf_release(&out);
}

static void test_texts(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    ROW(b, {"u=\"", "Tanaka", FIELD_USER_NAME, SLOT_PLAIN});
    ROW(b, {"u=\"", "SALES\\\\tanaka", FIELD_USER_NAME, SLOT_C_ESCAPED});
    ROW(b, {"u=\"", "suzuki", FIELD_USER_NAME, SLOT_PLAIN},
        {"\" u=\"", "tanaka", FIELD_USER_NAME, SLOT_PLAIN});
    ROW(b, {"u=\"", "\xe5\xb1\xb1 X", FIELD_USER_NAME, SLOT_PLAIN});
    ROW(b, {"a=\"", "", FIELD_EVENT_ACTION, SLOT_PLAIN});
    ROW(b, {"u=\"", "\xe5\xb1\xb1", FIELD_USER_NAME, SLOT_PLAIN});
    assert_string_equal(found(b, "user:\"??\"", &out), "");
    assert_string_equal(found(b, "user:\"*??\" and not user:\"*??*?\"", &out), "");
    assert_string_equal(found(b, "user:?", &out), "5");
    assert_string_equal(found(b, "user:tanaka", &out), "0 2");
    assert_string_equal(found(b, "user:*tanaka", &out), "0 1 2");
    assert_string_equal(found(b, "user:\"SALES\\\\tanaka\"", &out), "1");
    assert_string_equal(found(b, "user:SALES\\tanaka", &out), "1");
    assert_string_equal(found(b, "user:/^(?-i)t/", &out), "2");
    assert_string_equal(found(b, "user:\"? ?\"", &out), "3");
    assert_string_equal(found(b, "user:t?n*a", &out), "0 2");
    assert_string_equal(found(b, "event.action:*", &out), "4");
    assert_string_equal(found(b, "event.action:\"\"", &out), "4");
    assert_string_equal(found(b, "user:(tanaka or suzuki) and not user:suzuki", &out), "0");
    assert_string_equal(found(b, "sekisho.tenant:000000 user:suzuki", &out), "2");
    batch_free(b);
    buf_release(&out);
}

/* The values of a filter, as the store would keep them. */
struct filter {
    struct buf values; /* field, length, bytes */
    size_t asked;
};

static int filter_add(void *self, uint16_t field, struct slice value)
{
    struct filter *f = self;
    buf_put16(&f->values, field);
    buf_put32(&f->values, (uint32_t)value.len);
    buf_slice(&f->values, value);
    return buf_ok(&f->values) ? 0 : ERR_NOMEM;
}

static bool filter_has(void *self, uint16_t field, struct slice value)
{
    struct filter *f = self;
    size_t at = 0;
    f->asked++;
    while (at < f->values.len) {
        const char *p = f->values.data + at;
        uint32_t len = bytes_get32(p + 2);
        if (bytes_get16(p) == field && slice_equal(slice_of(p + 6, len), value))
            return true;
        at += 6 + len;
    }
    return false;
}

/* What the first expression requires is in the filter of every batch where it holds. */
static size_t check_filter(const struct sample *s, const struct pred *pred, const struct hits *hits)
{
    struct filter f = {0};
    assert_int_equal(pred_filter_values(s->batch, filter_add, &f), 0);
    bool all = pred_required(pred, filter_has, &f);
    assert_true(all || hits->count == 0 || hits->items[0].expression != 0);
    buf_release(&f.values);
    return f.asked;
}

static void compare(const struct sample *s, struct gram_filter *grams,
                    const struct ast *const *asts, size_t count, struct random *r)
{
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    struct diag diag = {0};
    if (pred_compile(&pred, asts, count, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(pred_scratch_new(&scratch, pred), 0);
    struct column_set set = {.batch = s->batch, .end_row = s->batch->row_count, .rows_known = true};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(pred_eval(pred, scratch, &set, &hits), 0);
        check_hits(s, asts, count, &set, &hits);
        (void)check_filter(s, pred, &hits);
        grams->ruled_out += check_grams(pred, &grams->bytes, &hits);
        set.rows_known = false;
        assert_true(hits.count == 0 || pred_possible(pred, scratch, &set));
        set.rows_known = true;
        set.first_row = random_below(r, s->batch->row_count);
        set.end_row = set.first_row + random_below(r, s->batch->row_count - set.first_row + 1);
    }
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    diag_release(&diag);
}

static void test_random(void **state)
{
    (void)state;
    static const uint32_t COUNTS[] = {1, 1, 1, 3, 20, EXPRESSIONS_MAX};
    struct sample *s = calloc(1, sizeof(*s));
    struct random r = {.state = 0x9e3779b97f4a7c15};
    const char *seed = getenv("PRED_SEED");
    if (seed != NULL)
        r.state = strtoull(seed, NULL, 10) * 2 + 1;
    assert_non_null(s);
    s->batch = batch_new();
    size_t pairs = 0;
    struct gram_filter grams = {0};
    for (uint32_t sample = 0; pairs < PAIRS_MIN; sample++) {
        uint32_t rows = 1 + random_below(&r, sample % 8 == 0 ? 700 : 40);
        sample_make(s, &r, rows);
        if (sample % 2 == 1)
            sample_read_back(s, &r);
        buf_reset(&grams.bytes);
        make_grams(s->batch, &grams.bytes);
        for (size_t i = 0; i < 12; i++) {
            struct arena arena = {0};
            const struct ast *asts[EXPRESSIONS_MAX];
            uint32_t count = COUNTS[random_below(&r, sizeof(COUNTS) / sizeof(COUNTS[0]))];
            count = sample % 8 == 0 && count > 20 ? 20 : count;
            for (uint32_t k = 0; k < count; k++)
                asts[k] = random_ast(&r, &arena, s->batch, 1 + random_below(&r, 4));
            compare(s, &grams, asts, count, &r);
            pairs += count;
            arena_release(&arena);
        }
        sample_reset(s);
    }
    assert_true(grams.ruled_out >= GRAMS_RULED_OUT_MIN);
    buf_release(&grams.bytes);
    batch_free(s->batch);
    arena_release(&s->arena);
    free(s);
}

static void test_filter(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct filter f = {0};
    ROW(b, {"src=", "192.0.2.1", FIELD_SOURCE_IP, 0},
        {" h=\"", "%77WW.Example.jp", FIELD_URL_DOMAIN, 0});
    assert_int_equal(pred_filter_values(b, filter_add, &f), 0);
    struct ip ip = ip_from_v4(0xc0000201);
    assert_true(filter_has(&f, FIELD_SOURCE_IP, slice_of(ip.bytes, 16)));
    assert_true(filter_has(&f, FIELD_URL_DOMAIN, SLICE("www.example.jp")));
    assert_true(filter_has(&f, FIELD_URL_DOMAIN, SLICE("%77ww.example.jp")));
    static const struct {
        const char *query;
        size_t asked;
        bool all;
    } CASES[] = {
        {"src:192.0.2.1", 1, true},
        {"src:192.0.2.1/32 host:WWW.example.jp", 2, true},
        {"src:192.0.2.2 x", 1, false},
        {"src:192.0.2.2 or x", 0, true},
        {"not src:192.0.2.2", 0, true},
        {"src:192.0.2.*", 0, true},
        {"(src:192.0.2.2 and x) and (y or src:192.0.2.3)", 1, false},
        {"event.action:deny", 0, true},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct arena arena = {0};
        struct diag diag = {0};
        struct ast *ast = NULL;
        struct pred *pred = NULL;
        assert_int_equal(query_parse(&ast, &arena, slice_from(CASES[i].query), &diag), 0);
        const struct ast *one = ast;
        assert_int_equal(pred_compile(&pred, &one, 1, &diag), 0);
        f.asked = 0;
        assert_int_equal(pred_required(pred, filter_has, &f), CASES[i].all);
        assert_int_equal(f.asked, CASES[i].asked);
        pred_free(pred);
        arena_release(&arena);
    }
    batch_free(b);
    buf_release(&f.values);
}

static void test_possible(void **state)
{
    (void)state;
    struct sample *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->batch = batch_new();
    struct batch *b = s->batch;
    b->tenant = 52027;
    ROW(b, {"src=", "192.0.2.1", FIELD_SOURCE_IP, 0}, {" u=\"", "tanaka", FIELD_USER_NAME, 0});
    sample_read_back(s, NULL);
    static const struct {
        const char *query;
        bool possible;
    } CASES[] = {
        {"user:tanaka", true},
        {"user:suzuki", false},
        {"user:tan*", true},
        {"not user:suzuki", true},
        {"user:*x", false},
        {"tanaka", true},
        {"suzuki", false},
        {"\"u=\\\"tan\"", true},
        {"\"u=\\\"x\"", true},
        {"\"src=1\"", true},
        {"\"src-\"", false},
        {"sekisho.tenant:052027", true},
        {"sekisho.tenant:1", false},
        {"message:x", false},
        {"not sekisho.tenant:052027", false},
        {"sekisho.tenant:[52000 to 53000]", true},
        {"sekisho.tenant:[1 to 2]", false},
        {"not sekisho.tenant:[52000 to 53000]", false},
        {"user:[1 to 2]", false},
        {"not user:[1 to 2]", true},
        {"message:* or user:*", true},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct arena arena = {0};
        struct diag diag = {0};
        struct ast *ast = NULL;
        assert_int_equal(query_parse(&ast, &arena, slice_from(CASES[i].query), &diag), 0);
        if (tree_possible(b, ast) != CASES[i].possible)
            fail_msg("%s", CASES[i].query);
        arena_release(&arena);
    }
    batch_free(b);
    arena_release(&s->arena);
    free(s);
}

static void test_failures(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct pred *pred = NULL;
    struct ast wrong = {
        .kind = AST_LEAF, .op = AST_REGEX, .field = FIELD_USER_NAME, .text = SLICE("a(")};
    struct ast twice = {
        .kind = AST_LEAF, .op = AST_REGEX, .field = FIELD_USER_NAME, .text = SLICE("[")};
    const struct ast *asts[] = {&wrong, &twice};
    assert_int_equal(pred_compile(&pred, asts, 2, &diag), ERR_CONF);
    assert_int_equal(diag.count, 2);
    assert_null(pred);
    diag_release(&diag);

    struct batch *b = batch_new();
    ROW(b, {"u=\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", FIELD_USER_NAME, 0});
    struct ast slow = {.kind = AST_LEAF,
                       .op = AST_REGEX,
                       .field = FIELD_USER_NAME,
                       .text = SLICE("^(a|a|aa)+(a|aa)+\\1$")};
    const struct ast *one = &slow;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    assert_int_equal(pred_compile(&pred, &one, 1, &diag), 0);
    assert_int_equal(pred_scratch_new(&scratch, pred), 0);
    struct column_set set = {.batch = b, .end_row = 1, .rows_known = true};
    assert_int_equal(pred_eval(pred, scratch, &set, &hits), ERR_RANGE);
    assert_int_equal(hits.count, 0);
    set.rows_known = false;
    assert_true(pred_possible(pred, scratch, &set));
    set = (struct column_set){.batch = b, .end_row = 2, .rows_known = true};
    assert_int_equal(pred_eval(pred, scratch, &set, &hits), ERR_RANGE);
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    batch_free(b);
}

static void test_full_scans_are_counted(void **state)
{
    (void)state;
    static const char *const QUERIES[] = {"user:a", "not user:a", "user:a or not user:b",
                                          "user:a not user:b", ""};
    struct arena arena = {0};
    struct diag diag = {0};
    const struct ast *asts[5];
    struct pred *pred = NULL;
    for (size_t i = 0; i < 5; i++) {
        struct ast *ast = NULL;
        assert_int_equal(query_parse(&ast, &arena, slice_from(QUERIES[i]), &diag), 0);
        asts[i] = ast;
    }
    assert_int_equal(pred_compile(&pred, asts, 5, &diag), 0);
    assert_int_equal(pred_info(pred).full_scan_count, 3);
    assert_int_equal(pred_info(pred).leaf_count, 2);
    pred_free(pred);
    arena_release(&arena);
}

/* Leaves are shared by what they ask, and ranges that differ in one end ask different things. */
static void test_equal_leaves_are_one(void **state)
{
    (void)state;
    enum {
        ENDS = 1000
    };
    struct arena arena = {0};
    struct diag diag = {0};
    const struct ast *asts[2];
    struct pred *pred = NULL;
    struct buf query = {0};
    buf_text(&query, "source.port:(");
    for (int i = 0; i < ENDS; i++)
        buf_printf(&query, "%s[1 to %d] or [1 to %d.5] or [-%d to 9]", i == 0 ? "" : " or ", i, i,
                   i + 1);
    buf_byte(&query, ')');
    for (size_t i = 0; i < 2; i++) {
        struct ast *ast = NULL;
        assert_int_equal(query_parse(&ast, &arena, buf_content(&query), &diag), 0);
        asts[i] = ast;
    }
    assert_int_equal(pred_compile(&pred, asts, 2, &diag), 0);
    assert_int_equal(pred_info(pred).leaf_count, 3 * ENDS);
    pred_free(pred);
    buf_release(&query);
    arena_release(&arena);
}

static void test_null_is_no_value(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    struct ast leaf = {.kind = AST_LEAF, .op = AST_EXISTS, .field = FIELD_USER_NAME};
    ROW(b, {"u=", "null", FIELD_USER_NAME, SLOT_NULL});
    ROW(b, {"u=\"", "null", FIELD_USER_NAME, SLOT_PLAIN});
    ROW(b, {"u=\"", "", FIELD_USER_NAME, SLOT_PLAIN});
    ROW(b, {"a=\"", "x", FIELD_EVENT_ACTION, SLOT_PLAIN});
    ROW(b, {"u=", "null", FIELD_USER_NAME, SLOT_NULL}, {" u=\"", "x", FIELD_USER_NAME, SLOT_PLAIN});
    assert_string_equal(tree_found(b, &leaf, &out), "0 1 2 4");
    leaf.op = AST_VALUE;
    assert_string_equal(tree_found(b, &leaf, &out), "1 2 4");
    leaf = (struct ast){
        .kind = AST_LEAF, .op = AST_EQUAL, .field = FIELD_USER_NAME, .text = SLICE("null")};
    assert_string_equal(tree_found(b, &leaf, &out), "1");
    leaf.op = AST_GLOB;
    leaf.text = SLICE("*");
    assert_string_equal(tree_found(b, &leaf, &out), "1 2 4");
    leaf.op = AST_CONTAINS;
    leaf.text = SLICE("ul");
    assert_string_equal(tree_found(b, &leaf, &out), "1");
    leaf.op = AST_REGEX;
    leaf.text = SLICE("^");
    assert_string_equal(tree_found(b, &leaf, &out), "1 2 4");
    leaf.any_field = true;
    leaf.op = AST_EQUAL;
    leaf.text = SLICE("null");
    assert_string_equal(tree_found(b, &leaf, &out), "1");
    leaf = (struct ast){.kind = AST_LEAF, .op = AST_RAW, .text = SLICE("null")};
    assert_string_equal(tree_found(b, &leaf, &out), "0 1 4");
    batch_free(b);
    buf_release(&out);
}

/* Keywords are about values: not about keys, the text between values, or two values together. */
static void test_any_field(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    struct ast leaf = {.kind = AST_LEAF, .op = AST_CONTAINS, .any_field = true};
    b->source = SLICE("fw-1");
    ROW(b, {"user=\"", "Tanaka", FIELD_USER_NAME, SLOT_PLAIN},
        {"\" port=", "8080", FIELD_SOURCE_PORT, SLOT_PLAIN});
    ROW(b, {"src=", "192.0.2.7", FIELD_SOURCE_IP, SLOT_PLAIN},
        {" m=\"", "a\\\"b", FIELD_MESSAGE, SLOT_C_ESCAPED});
    ROW(b, {"GET ", "https", FIELD_URL_SCHEME, 0}, {"://", "example.jp", FIELD_URL_DOMAIN, 0},
        {"", "/%61dmin", FIELD_URL_PATH, 0});
    ROW(b, {"x=\"", "p%61q", FIELD_USER_NAME, SLOT_PLAIN});
    static const struct {
        const char *text;
        enum ast_op op;
        const char *rows;
    } CASES[] = {
        {"tanaka", AST_EQUAL, "0"},   {"user", AST_CONTAINS, ""},
        {"808", AST_CONTAINS, "0"},   {"tanaka\" port=8080", AST_CONTAINS, ""},
        {"192.0.2.*", AST_GLOB, "1"}, {"a\"b", AST_EQUAL, "1"},
        {"a\\\"b", AST_CONTAINS, ""}, {"jp/admin", AST_CONTAINS, "2"},
        {"/%61dmin", AST_EQUAL, "2"}, {"paq", AST_CONTAINS, ""},
        {"fw-1", AST_CONTAINS, ""},   {"^https://example", AST_REGEX, "2"},
        {"*", AST_GLOB, "0 1 2 3"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        leaf.op = CASES[i].op;
        leaf.text = slice_from(CASES[i].text);
        if (strcmp(tree_found(b, &leaf, &out), CASES[i].rows) != 0)
            fail_msg("%s: %s", CASES[i].text, buf_string(&out));
    }
    leaf.op = AST_NETWORK;
    assert_int_equal(network_parse(&leaf.network, SLICE("192.0.2.0/24"), NULL), 0);
    assert_string_equal(tree_found(b, &leaf, &out), "1");
    batch_free(b);
    buf_release(&out);
}

static void test_two_fields(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    struct ast leaf = {
        .kind = AST_LEAF, .field = FIELD_USER_NAME, .other = FIELD_EVENT_ACTION, .cased = false};
    ROW(b, {"u=\"", "Tanaka", FIELD_USER_NAME, 0}, {"\" a=\"", "tanaka", FIELD_EVENT_ACTION, 0});
    ROW(b, {"u=\"", "tanaka-x", FIELD_USER_NAME, 0}, {"\" a=\"", "tanaka", FIELD_EVENT_ACTION, 0});
    ROW(b, {"u=\"", "x-tanaka", FIELD_USER_NAME, 0}, {"\" a=\"", "tanaka", FIELD_EVENT_ACTION, 0});
    ROW(b, {"u=\"", "xtanakay", FIELD_USER_NAME, 0}, {"\" a=\"", "tanaka", FIELD_EVENT_ACTION, 0});
    ROW(b, {"u=\"", "tanaka", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "", FIELD_USER_NAME, 0}, {"\" a=\"", "", FIELD_EVENT_ACTION, 0});
    ROW(b, {"u=\"", "x", FIELD_USER_NAME, 0}, {"\" u=\"", "tanaka", FIELD_USER_NAME, 0},
        {"\" a=\"", "y", FIELD_EVENT_ACTION, 0}, {"\" a=\"", "TANAKA", FIELD_EVENT_ACTION, 0});
    ROW(b, {"u=", "null", FIELD_USER_NAME, SLOT_NULL},
        {" a=", "null", FIELD_EVENT_ACTION, SLOT_NULL});
    leaf.op = AST_REF_EQUAL;
    assert_string_equal(tree_found(b, &leaf, &out), "0 5 6");
    leaf.op = AST_REF_PREFIX;
    assert_string_equal(tree_found(b, &leaf, &out), "0 1 5 6");
    leaf.op = AST_REF_SUFFIX;
    assert_string_equal(tree_found(b, &leaf, &out), "0 2 5 6");
    leaf.op = AST_REF_CONTAINS;
    assert_string_equal(tree_found(b, &leaf, &out), "0 1 2 3 5 6");
    leaf.cased = true;
    leaf.op = AST_REF_EQUAL;
    assert_string_equal(tree_found(b, &leaf, &out), "5");
    batch_free(b);
    buf_release(&out);
}

/* Rows have their time on Japan's clock, texts the time that they are written with. */
static void test_parts_of_times(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    static const char *const WRITTEN[] = {"2026-12-31T23:30:00-11:00", "2027-01-01 00:10:00",
                                          "2027-01-04T08:59:59Z", "not a time"};
    static const int64_t SECONDS[] = {1798729199, 1798729200, 1798988400, 0};
    for (size_t i = 0; i < 4; i++) {
        struct slots slots = {0};
        struct slice line = slice_from(WRITTEN[i]);
        assert_true(slots_add(&slots, 0, (uint32_t)line.len, FIELD_MESSAGE, SLOT_PLAIN));
        struct row row = {.bytes = line, .slots = &slots, .offset = (int64_t)i};
        row.time_ns = i == 3 ? INT64_MIN : SECONDS[i] * 1000000000;
        assert_int_equal(batch_append(b, &row), 0);
    }
    static const struct {
        const char *name;
        uint8_t part;
        int64_t number;
        const char *rows;
    } CASES[] = {
        {"@timestamp", AST_PART_YEAR, 2026, "0"}, {"@timestamp", AST_PART_YEAR, 2027, "1 2"},
        {"@timestamp", AST_PART_HOUR, 23, "0"},   {"@timestamp", AST_PART_HOUR, 0, "1 2"},
        {"@timestamp", AST_PART_WEEK, 53, "0 1"}, {"@timestamp", AST_PART_WEEK, 1, "2"},
        {"@timestamp", AST_PART_DAY, 31, "0"},    {"@timestamp", AST_PART_MONTH, 12, "0"},
        {"@timestamp", AST_PART_MINUTE, 59, "0"}, {"message", AST_PART_YEAR, 2026, "0"},
        {"message", AST_PART_HOUR, 8, "2"},       {"message", AST_PART_WEEK, 53, "0 1"},
        {"message", AST_PART_MINUTE, 10, "1"},    {"source.ip", AST_PART_DAY, 1, ""},
        {"kafka.offset", AST_PART_MINUTE, 1, ""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ast leaf = {.kind = AST_LEAF, .op = AST_RANGE, .part = CASES[i].part};
        leaf.field_name = slice_from(CASES[i].name);
        leaf.field = field_find(leaf.field_name);
        leaf.bound.number = CASES[i].number;
        leaf.high.number = CASES[i].number;
        if (strcmp(tree_found(b, &leaf, &out), CASES[i].rows) != 0)
            fail_msg("%s %d %d: %s", CASES[i].name, CASES[i].part, (int)CASES[i].number,
                     buf_string(&out));
    }
    batch_free(b);
    buf_release(&out);
}

/* A tree that is named twice is asked twice; leaves are found once. */
static void test_shared_trees(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    ROW(b, {"u=\"", "a", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "b", FIELD_USER_NAME, 0});
    struct ast leaf = {
        .kind = AST_LEAF, .op = AST_EQUAL, .field = FIELD_USER_NAME, .text = SLICE("a")};
    struct ast same = {.kind = AST_AND, .first = &leaf};
    struct ast other = {.kind = AST_NOT, .first = &leaf};
    struct ast first = {.kind = AST_AND, .first = &leaf};
    struct ast second = {.kind = AST_OR, .first = &leaf};
    struct ast either = {.kind = AST_OR};
    struct ast both = {.kind = AST_AND};
    ast_add(&either, &same);
    ast_add(&either, &other);
    assert_string_equal(tree_found(b, &either, &out), "0 1");
    ast_add(&both, &first);
    ast_add(&both, &second);
    assert_string_equal(tree_found(b, &both, &out), "0");
    batch_free(b);
    buf_release(&out);
}

/* Long patterns of a field are searched for by a part, and what is found is asked the whole. */
static void test_long_patterns_alike(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf query = {0};
    struct buf out = {0};
    for (unsigned i = 0; i < 20; i++) {
        buf_printf(&query,
                   "%suser.name:*word%02u.one-and-the-same.example or "
                   "user.name:*one-and-the-same-beginning-of-them-all-%02ux*",
                   i == 0 ? "" : " or ", i, i);
    }
    ROW(b, {"u=\"", "a.word03.one-and-the-same.example", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "a.word03.one-and-the-same.test", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "word03.one-and-the-same.example.jp", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "WORD19.ONE-and-the-same.EXAMPLE", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "word05.one-and-", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "the-same.example", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "my-one-and-the-same-beginning-of-them-all-07xyz", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "one-and-the-same-beginning-of-them-all-7x", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "the-same-beginning-of-them-all-07x", FIELD_USER_NAME, 0});
    ROW(b, {"u=\"", "One-And-The-Same-Beginning-Of-Them-All-11X", FIELD_USER_NAME, 0});
    assert_string_equal(found(b, buf_string(&query), &out), "0 3 6 9");
    batch_free(b);
    buf_release(&query);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_and_numbers),
        cmocka_unit_test(test_ranges_of_repeated_fields),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_possible),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_full_scans_are_counted),
        cmocka_unit_test(test_equal_leaves_are_one),
        cmocka_unit_test(test_null_is_no_value),
        cmocka_unit_test(test_any_field),
        cmocka_unit_test(test_two_fields),
        cmocka_unit_test(test_parts_of_times),
        cmocka_unit_test(test_shared_trees),
        cmocka_unit_test(test_long_patterns_alike),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
