/* Rows as JSON: exact texts, for every rule of event/ndjson.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "event/ndjson.h"
#include "tests/support/lines.h"

/* 2025-11-21T09:00:00.123456789Z */
#define TIME_NS INT64_C(1763715600123456789)
#define HEAD    "{\"@timestamp\":\"2025-11-21T09:00:00.123456789Z\""
#define TAIL                                                         \
    ",\"sekisho.verdict\":\"unknown\",\"sekisho.format\":\"alpha\"," \
    "\"sekisho.time.source\":\"device\"}\n"

struct ndjson_test {
    struct batch *batch;
    struct ndjson *printer;
    struct lines lines;
    struct buf out;
};

static void test_open(struct ndjson_test *t)
{
    *t = (struct ndjson_test){.batch = batch_new(), .printer = ndjson_new()};
    assert_non_null(t->batch);
    assert_non_null(t->printer);
    t->batch->tenant = 52027;
    t->batch->topic = SLICE("seclog.raw.052027.fw1");
    t->batch->source = SLICE("fw1");
    t->batch->format_name = SLICE("alpha");
}

static void test_close(struct ndjson_test *t)
{
    batch_free(t->batch);
    ndjson_free(t->printer);
    buf_release(&t->out);
}

/* Append a value and a blank to the line. */
static void add(struct ndjson_test *t, struct slice value, uint16_t field, uint8_t kind)
{
    uint32_t at = (uint32_t)t->lines.len;
    lines_put(&t->lines, value.data, value.len);
    lines_put(&t->lines, " ", 1);
    assert_true(slots_add(&t->lines.slots, at, (uint32_t)value.len, field, kind));
}

static void add_named(struct ndjson_test *t, struct slice name, struct slice value)
{
    struct slot key = {.offset = (uint32_t)t->lines.len, .length = (uint32_t)name.len};
    lines_put(&t->lines, name.data, name.len);
    lines_put(&t->lines, "=", 1);
    struct slot slot = {.offset = (uint32_t)t->lines.len, .length = (uint32_t)value.len};
    lines_put(&t->lines, value.data, value.len);
    lines_put(&t->lines, " ", 1);
    assert_true(slots_add_unnamed(&t->lines.slots, &key, &slot));
}

/* The line becomes a row; the next one begins. */
static void finish(struct ndjson_test *t, uint8_t reason)
{
    lines_put(&t->lines, "\r\n", 2);
    struct row row = {.bytes = slice_of(t->lines.line, t->lines.len),
                      .slots = &t->lines.slots,
                      .reason = reason,
                      .time_source = TIME_SOURCE_DEVICE,
                      .time_ns = TIME_NS,
                      .arrival_ns = TIME_NS + 1000000000,
                      .partition = 3,
                      .offset = 41 + t->batch->row_count};
    assert_int_equal(batch_append(t->batch, &row), 0);
    t->batch->verdict[t->batch->row_count - 1] = VERDICT_UNKNOWN;
    t->lines.len = 0;
    t->lines.slots.count = 0;
}

static void assert_object(struct ndjson_test *t, uint32_t row, unsigned flags, const char *want)
{
    buf_reset(&t->out);
    assert_int_equal(ndjson_batch(t->printer, t->batch), 0);
    assert_int_equal(ndjson_row(t->printer, row, flags, &t->out), 0);
    assert_string_equal(buf_string(&t->out), want);
}

/* Dictionary order whatever the line's, then unnamed fields by name. */
static void test_key_order(void **state)
{
    (void)state;
    struct ndjson_test t;
    test_open(&t);
    add_named(&t, SLICE("zeta"), SLICE("1"));
    add(&t, SLICE("accept"), FIELD_EVENT_ACTION, SLOT_PLAIN);
    add(&t, SLICE("2001:DB8::1"), FIELD_DESTINATION_IP, SLOT_PLAIN);
    add_named(&t, SLICE("Alpha"), SLICE("2"));
    add(&t, SLICE("third"), FIELD_COLUMN(2), SLOT_PLAIN);
    add(&t, SLICE("192.0.2.1"), FIELD_SOURCE_IP, SLOT_PLAIN);
    add(&t, SLICE("00443"), FIELD_SOURCE_PORT, SLOT_PLAIN);
    add(&t, SLICE("192.0.2.99"), FIELD_HOST_IP, SLOT_PLAIN);
    finish(&t, REASON_NONE);
    assert_object(&t, 0, 0,
                  HEAD ",\"source.ip\":\"192.0.2.1\",\"source.port\":443,"
                       "\"destination.ip\":\"2001:db8::1\",\"event.action\":\"accept\","
                       "\"sekisho.verdict\":\"unknown\",\"sekisho.format\":\"alpha\","
                       "\"sekisho.time.source\":\"device\",\"host.ip\":\"192.0.2.99\","
                       "\"alpha.Alpha\":\"2\",\"alpha.col2\":\"third\",\"alpha.zeta\":\"1\"}\n");
    test_close(&t);
}

static void test_arrays(void **state)
{
    (void)state;
    struct ndjson_test t;
    test_open(&t);
    for (uint32_t i = 0; i < 3; i++) {
        static const char *const IPS[] = {"192.0.2.1", "nowhere", "192.0.2.2"};
        add(&t, slice_from(IPS[i]), FIELD_SOURCE_IP, SLOT_PLAIN);
        add(&t, i == 1 ? SLICE("") : SLICE("a+b"), FIELD_USER_NAME,
            i == 2 ? SLOT_FORM : SLOT_PLAIN);
    }
    add(&t, SLICE("1"), FIELD_SOURCE_PORT, SLOT_PLAIN);
    add(&t, SLICE("2"), FIELD_SOURCE_PORT, SLOT_PLAIN);
    finish(&t, REASON_NONE);
    /* One row with one value of a field that other rows have several of. */
    add(&t, SLICE("x"), FIELD_USER_NAME, SLOT_PLAIN);
    finish(&t, REASON_NONE);
    assert_object(&t, 0, 0,
                  HEAD ",\"source.ip\":[\"192.0.2.1\",\"192.0.2.2\"],\"source.port\":[1,2],"
                       "\"user.name\":[\"a+b\",\"a b\"]" TAIL);
    assert_object(&t, 1, 0, HEAD ",\"user.name\":\"x\"" TAIL);
    test_close(&t);
}

/* Parts of the event time, empty texts and what is no value of its type are left out. */
static void test_left_out(void **state)
{
    (void)state;
    struct ndjson_test t;
    test_open(&t);
    add(&t, SLICE("2025-11-21"), FIELD_TIME_DATE, SLOT_PLAIN);
    add(&t, SLICE("18:00:00"), FIELD_TIME_CLOCK, SLOT_PLAIN);
    add(&t, SLICE("1763715600"), FIELD_TIME_EPOCH, SLOT_PLAIN);
    add(&t, SLICE("12"), FIELD_LOG_OCTETS, SLOT_PLAIN);
    add(&t, SLICE(""), FIELD_USER_NAME, SLOT_PLAIN);
    add(&t, SLICE(""), FIELD_SOURCE_IP, SLOT_PLAIN);
    add(&t, SLICE("many"), FIELD_SOURCE_BYTES, SLOT_PLAIN);
    add_named(&t, SLICE("k"), SLICE(""));
    finish(&t, REASON_NONE);
    assert_object(&t, 0, 0, HEAD TAIL);
    test_close(&t);
}

static void test_original_and_place(void **state)
{
    (void)state;
    struct ndjson_test t;
    test_open(&t);
    add(&t, SLICE("a"), FIELD_EVENT_ACTION, SLOT_PLAIN);
    finish(&t, REASON_FORMAT_MISMATCH);
    add(&t, SLICE("b"), FIELD_EVENT_ACTION, SLOT_PLAIN);
    finish(&t, REASON_NONE);
    assert_object(&t, 0, 0,
                  HEAD ",\"event.original\":\"a \",\"sekisho.verdict\":\"unknown\","
                       "\"sekisho.format\":\"alpha\",\"sekisho.time.source\":\"device\","
                       "\"sekisho.parse.error\":\"format_mismatch\"}\n");
    assert_object(&t, 1, 0, HEAD ",\"event.action\":\"b\"" TAIL);
    assert_object(&t, 1, NDJSON_ORIGINAL,
                  HEAD ",\"event.action\":\"b\",\"event.original\":\"b \"" TAIL);
    assert_object(&t, 1, NDJSON_PLACE,
                  HEAD ",\"event.action\":\"b\","
                       "\"event.ingested\":\"2025-11-21T09:00:01.123456789Z\","
                       "\"kafka.topic\":\"seclog.raw.052027.fw1\",\"kafka.partition\":3,"
                       "\"kafka.offset\":42,\"sekisho.sub\":0,\"sekisho.verdict\":\"unknown\","
                       "\"sekisho.tenant\":\"052027\",\"sekisho.source\":\"fw1\","
                       "\"sekisho.format\":\"alpha\",\"sekisho.time.source\":\"device\"}\n");
    test_close(&t);
}

/* Nothing but lines that nobody reads: such a batch has no layout of lines. */
static void test_unparsed_alone(void **state)
{
    (void)state;
    struct ndjson_test t;
    test_open(&t);
    lines_put(&t.lines, "\xe3\x81\x82", 3);
    finish(&t, REASON_FORMAT_MISMATCH);
    assert_object(&t, 0, 0,
                  HEAD ",\"event.original\":\"\xe3\x81\x82\",\"sekisho.verdict\":\"unknown\","
                       "\"sekisho.format\":\"alpha\",\"sekisho.time.source\":\"device\","
                       "\"sekisho.parse.error\":\"format_mismatch\"}\n");
    test_close(&t);
}

static void assert_string(struct slice text, const char *want)
{
    struct buf out = {0};
    ndjson_string(&out, text);
    assert_string_equal(buf_string(&out), want);
    buf_release(&out);
}

static void test_strings(void **state)
{
    (void)state;
    assert_string(SLICE(""), "\"\"");
    assert_string(SLICE("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_string(SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    assert_string(SLICE("a\0\x01\x1f\x7f"), "\"a\\u0000\\u0001\\u001f\\u007f\"");
    assert_string(SLICE("\xe6\x97\xa5\xe6\x9c\xac"), "\"\xe6\x97\xa5\xe6\x9c\xac\"");
    assert_string(SLICE("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"),
                  "\"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"");
    /* Overlong, surrogate, past the last point, lone, broken off: one sign for each byte. */
    assert_string(SLICE("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string(SLICE("\xe0\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string(SLICE("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string(SLICE("\xf4\x90\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string(SLICE("\xff"
                        "a\x80"),
                  "\"\xef\xbf\xbd"
                  "a\xef\xbf\xbd\"");
    assert_string(SLICE("\xe6\x97"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string(slice_of("\xe6\x97\xa5", 2), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* What a value means, by the way it is written. */
enum {
    SLOT_CP932 = CHARSET_CP932 << SLOT_CHARSET_SHIFT,
    SLOT_EUC_JP = CHARSET_EUC_JP << SLOT_CHARSET_SHIFT,
};

static void test_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t kind;
        const char *want;
    } CASES[] = {
        {"a\\\"b", SLOT_C_ESCAPED, "a\\\"b"},
        {"a\\\\b\\q\\", SLOT_C_ESCAPED, "a\\\\b\\\\q\\\\"},
        {"C:\\new", SLOT_PLAIN, "C:\\\\new"},
        {"say \"\"x\"\"", SLOT_CSV_DOUBLED, "say \\\"x\\\""},
        {"\\u65e5\\/\\n", SLOT_JSON_STRING, "\xe6\x97\xa5/\\n"},
        {"\\ud83d\\ude00", SLOT_JSON_STRING, "\xf0\x9f\x98\x80"},
        {"\\ud83d\\u0041", SLOT_JSON_STRING, "\\\\ud83dA"},
        {"\\u00zz\\", SLOT_JSON_STRING, "\\\\u00zz\\\\"},
        {"a%20b+c%zz%4", SLOT_PERCENT, "a b+c%zz%4"},
        {"a\\=b\\|c\\n\\t\\\\", SLOT_CEF, "a=b|c\\n\\\\t\\\\"},
        {"a%2Bb+c%00", SLOT_FORM, "a+b c\\u0000"},
        {"%93%fa", SLOT_PERCENT, "\xe6\x97\xa5"},
        {"%ff%fe", SLOT_PERCENT, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\x93\xfa\x95\x5c", SLOT_PLAIN, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\\\"},
        {"\x93\xfa\x95\x5c", SLOT_CP932, "\xe6\x97\xa5\xe8\xa1\xa8"},
        {"\x95\x5c\\\"\x81", SLOT_C_ESCAPED | SLOT_CP932, "\xe8\xa1\xa8\\\"\xef\xbf\xbd"},
        {"\xc6\xfc\x8e\xb1%82%A0", SLOT_FORM | SLOT_EUC_JP,
         "\xe6\x97\xa5\xef\xbd\xb1\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ndjson_test t;
        char want[512];
        test_open(&t);
        add(&t, slice_from(CASES[i].text), FIELD_MESSAGE, CASES[i].kind);
        finish(&t, REASON_NONE);
        int len = snprintf(want, sizeof(want), HEAD ",\"message\":\"%s\"" TAIL, CASES[i].want);
        assert_in_range(len, 1, sizeof(want) - 1);
        assert_object(&t, 0, 0, want);
        test_close(&t);
    }
}

static void test_derived(void **state)
{
    (void)state;
    struct ndjson_test t;
    test_open(&t);
    add(&t, SLICE("a"), FIELD_EVENT_ACTION, SLOT_PLAIN);
    finish(&t, REASON_NONE);
    add(&t, SLICE("a"), FIELD_EVENT_ACTION, SLOT_PLAIN);
    finish(&t, REASON_NONE);
    struct column *c = batch_derived(t.batch, FIELD_SOURCE_COUNTRY);
    assert_non_null(c);
    c->codes[1] = column_intern(t.batch, c, SLICE("JP"));
    c = batch_derived(t.batch, FIELD_SOURCE_ASN);
    assert_non_null(c);
    c->numbers[1] = 64496;
    assert_object(&t, 0, 0, HEAD ",\"event.action\":\"a\"" TAIL);
    assert_object(&t, 1, 0,
                  HEAD ",\"source.geo.country_iso_code\":\"JP\",\"source.as.number\":64496,"
                       "\"event.action\":\"a\"" TAIL);
    test_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_order), cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_left_out),  cmocka_unit_test(test_original_and_place),
        cmocka_unit_test(test_strings),   cmocka_unit_test(test_decoded),
        cmocka_unit_test(test_derived),   cmocka_unit_test(test_unparsed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
