/* JSON lines: what the reader takes and refuses, its limits, names and vendors. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ingest/json_read.h"
#include "ingest/names.h"
#include "ingest/parsers.h"
#include "tests/fuzz/slots_check.h"

struct fixture {
    struct json_keys keys;
    struct json_text text;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert(f != NULL);
    json_keys_init(&f->keys);
    return f;
}

static enum parse_result read_text(struct fixture *f, const char *text, size_t len)
{
    struct slice line = slots_line(text, len, '"');
    enum parse_result result = json_read(&f->text, &f->keys, line, 0);
    slots_line_release(line);
    return result;
}

/* The items as a word: O outer key, K key, S string, N number, W word, R raw. */
static void assert_items(struct fixture *f, const char *text, enum parse_result result,
                         const char *want)
{
    static const char LETTERS[] = "OKSNWR";
    char got[64] = {0};
    struct slice line = slots_line(text, strlen(text), '"');
    assert_int_equal(json_read(&f->text, &f->keys, line, 0), result);
    for (uint32_t i = 0; result != PARSE_MISMATCH && i < f->text.count && i < 63; i++)
        got[i] = LETTERS[f->text.items[i].type];
    assert_string_equal(got, want);
    slots_line_release(line);
}

static void test_items(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    assert_items(f, "{\"a\":\"b\",\"c\":1,\"d\":true,\"e\":null}", PARSE_OK, "KSKNKWK");
    assert_items(f, " { \"a\" : { \"b\" : [ 1 , \"x\" , { \"c\" : 2 } ] } } ", PARSE_OK, "OONSKN");
    assert_items(f, "{}", PARSE_OK, "");
    assert_items(f, "[]", PARSE_OK, "");
    assert_items(f, "[1,\"a\"]", PARSE_OK, "NS");
    assert_items(f, "{\"a\":1}{\"a\":2},\n{\"a\":3}]", PARSE_OK, "KNKNKN");
    assert_items(f, "{\"a\":1,}", PARSE_OK, "KN");
    assert_items(f, "{\"a\\\"b\":\"c\\\\\"}", PARSE_OK, "KS");
    assert_items(f, "{\"a\":-1.5e+3}", PARSE_OK, "KN");
    assert_items(f, "", PARSE_MISMATCH, "");
    assert_items(f, "\"a\"", PARSE_MISMATCH, "");
    assert_items(f, "{\"a\":1", PARSE_PARTIAL, "KN");
    assert_items(f, "{\"a\":\"b", PARSE_PARTIAL, "K");
    assert_items(f, "{\"a\":\"b\\", PARSE_PARTIAL, "K");
    assert_items(f, "{\"a\"", PARSE_PARTIAL, "K");
    assert_items(f, "{\"a\" 1}", PARSE_PARTIAL, "K");
    assert_items(f, "{\"a\":1]", PARSE_PARTIAL, "KN");
    assert_items(f, "{\"a\":1}}", PARSE_PARTIAL, "KN");
    assert_items(f, "{\"a\":1} x", PARSE_PARTIAL, "KN");
    assert_items(f, "{a:1}", PARSE_PARTIAL, "");
    assert_items(f, "{\"a\":+1}", PARSE_PARTIAL, "K");
    free(f);
}

static void test_rest(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    static const char TEXT[] = "{\"a\":1,\"b\":\"cut";
    assert_int_equal(read_text(f, TEXT, sizeof(TEXT) - 1), PARSE_PARTIAL);
    assert_int_equal(f->text.rest, sizeof("{\"a\":1,\"b\":") - 1);
    free(f);
}

static void test_depth(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct buf text = {0};
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        buf_reset(&text);
        for (int i = 0; i < depth; i++)
            buf_text(&text, "{\"k\":");
        buf_byte(&text, '1');
        for (int i = 0; i < depth; i++)
            buf_byte(&text, '}');
        assert_int_equal(read_text(f, text.data, text.len),
                         depth > JSON_DEPTH_MAX ? PARSE_PARTIAL : PARSE_OK);
    }
    /* A bracket too many on every level: no recursion, no more than one look at each byte. */
    buf_reset(&text);
    for (int i = 0; i < 100000; i++)
        buf_byte(&text, '[');
    assert_int_equal(read_text(f, text.data, text.len), PARSE_PARTIAL);
    buf_release(&text);
    free(f);
}

static void test_keys(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct buf text = {0};
    for (unsigned count = JSON_KEYS_MAX; count <= JSON_KEYS_MAX + 1; count++) {
        buf_reset(&text);
        for (unsigned i = 0; i < count; i++)
            buf_printf(&text, "%c\"key%u_%u\":%u", i == 0 ? '{' : ',', count, i, i);
        buf_byte(&text, '}');
        assert_int_equal(read_text(f, text.data, text.len),
                         count > JSON_KEYS_MAX ? PARSE_PARTIAL : PARSE_OK);
    }
    /* The memory was filled and emptied on the way; a key is still what it was. */
    assert_true(f->keys.emptied > 0);
    assert_items(f, "{\"a\":{\"b\":1},\"b\":2}", PARSE_OK, "OKNKN");
    char name[JSON_KEY_NAME_MAX];
    size_t len = json_keys_name(&f->keys, f->text.items[1].key, name);
    assert_int_equal(len, 3);
    assert_memory_equal(name, "a.b", 3);
    len = json_keys_name(&f->keys, f->text.items[3].key, name);
    assert_int_equal(len, 1);
    assert_memory_equal(name, "b", 1);
    buf_release(&text);
    free(f);
}

static void test_long_list(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct buf text = {0};
    buf_text(&text, "{\"l\":[");
    for (int i = 0; i <= JSON_LIST_VALUES_MAX + 50; i++)
        buf_printf(&text, "%s{\"n\":%d}", i == 0 ? "" : ",", i);
    buf_text(&text, "],\"z\":1}");
    assert_int_equal(read_text(f, text.data, text.len), PARSE_OK);
    /* The list's key, pairs up to the limit, the key of the first too many, the rest, "z". */
    assert_int_equal(f->text.count, 1 + 2 * JSON_LIST_VALUES_MAX + 1 + 1 + 2);
    const struct json_item *rest = &f->text.items[f->text.count - 3];
    assert_int_equal(rest->type, JSON_RAW);
    assert_int_equal(text.data[rest->offset + rest->length], ']');
    buf_release(&text);
    free(f);
}

/* By the rows' places and without them. */
static uint16_t field_of(struct names_places *places, enum vendor vendor, const char *name)
{
    char text[NAMES_PLAIN_MAX];
    const struct slice written = slice_from(name);
    const struct slice plain = slice_of(text, names_plain(text, sizeof(text), written));
    const struct meaning meaning = names_key(places, vendor, plain, written);
    const struct meaning slower = names_key(NULL, vendor, plain, written);
    assert_int_equal(meaning.field, slower.field);
    assert_int_equal(meaning.form, slower.form);
    return meaning.field;
}

static void test_names(void **state)
{
    (void)state;
    struct names_places *places = calloc(1, sizeof(*places));
    assert_non_null(places);
    names_check();
    assert_int_equal(field_of(places, VENDOR_ANY, "src_ip"), FIELD_SOURCE_IP);
    assert_int_equal(field_of(places, VENDOR_ANY, "SrcIP"), FIELD_SOURCE_IP);
    assert_int_equal(field_of(places, VENDOR_ANY, "event.src-ip"), FIELD_SOURCE_IP);
    assert_int_equal(field_of(places, VENDOR_ANY, "records.properties.clientIP"), FIELD_SOURCE_IP);
    assert_int_equal(field_of(places, VENDOR_ANY, "nobody.knows"), FIELD_UNNAMED);
    assert_int_equal(field_of(places, VENDOR_ANY, "nobodyknows"), FIELD_UNNAMED);
    assert_int_equal(field_of(places, VENDOR_ANY, "source.bytes"), FIELD_SOURCE_BYTES);
    assert_int_equal(field_of(places, VENDOR_ANY, "sekisho.verdict"), FIELD_UNNAMED);
    assert_int_equal(field_of(places, VENDOR_PANOS, "natsrc"), FIELD_SOURCE_NAT_IP);
    assert_int_equal(field_of(places, VENDOR_PANOS, "inbound_iface"), FIELD_OBSERVER_INGRESS);
    /* One name, two meanings. */
    assert_int_equal(field_of(places, VENDOR_ANY, "action"), FIELD_EVENT_ACTION);
    assert_int_equal(field_of(places, VENDOR_NETSKOPE, "action"), FIELD_EVENT_OUTCOME);
    assert_int_equal(field_of(places, VENDOR_EVE, "action"), FIELD_UNNAMED);
    assert_int_equal(names_sign(SLICE("webaclid")), VENDOR_AWS_WAF);
    assert_int_equal(names_sign(SLICE("result.webaclid")), VENDOR_AWS_WAF);
    assert_int_equal(names_sign(SLICE("action")), VENDOR_ANY);
    free(places);
}

/* The value of a field that a line's JSON gives; empty for none. */
static void assert_field(const char *text, uint16_t field, const char *want)
{
    static struct slots slots;
    struct parser_state *memory = parser_json.state_new();
    struct slice line = slots_line(text, strlen(text), '"');
    struct slice got = SLICE("");
    slots.count = 0;
    assert_int_equal(parser_json.parse(memory, line, 0, &slots), PARSE_OK);
    slots_check(&slots, line, 0);
    for (uint32_t i = 0; i < slots.count && got.len == 0; i++) {
        if (slots.items[i].field == field)
            got = slice_of(line.data + slots.items[i].offset, slots.items[i].length);
    }
    assert_true(slice_equal(got, slice_from(want)));
    slots_line_release(line);
    parser_json.state_free(memory);
}

static void test_meanings(void **state)
{
    (void)state;
    assert_field("{\"src_ip\":\"192.0.2.7:40000\"}", FIELD_SOURCE_PORT, "40000");
    assert_field("{\"src_ip\":\"[2001:db8::7]:40000\"}", FIELD_SOURCE_IP, "2001:db8::7");
    assert_field("{\"src_ip\":\"2001:db8::7\"}", FIELD_SOURCE_IP, "2001:db8::7");
    assert_field("{\"src_ip\":\"pc7.example.jp\"}", FIELD_SOURCE_DOMAIN, "pc7.example.jp");
    assert_field("{\"src_ip\":\"N/A\"}", FIELD_SOURCE_IP, "");
    assert_field("{\"dst_port\":443.0}", FIELD_DESTINATION_PORT, "443");
    assert_field("{\"url\":\"www.example.jp:8080/a?b=c\"}", FIELD_URL_PORT, "8080");
    assert_field("{\"url\":\"www.example.jp\\/a\"}", FIELD_URL_PATH, "\\/a");
    assert_field("{\"url\":\"https:\\/\\/www.example.jp\\/a\"}", FIELD_URL_DOMAIN,
                 "www.example.jp");
    assert_field("{\"timestamp\":1795222800123}", FIELD_TIME_EPOCH, "1795222800123");
    assert_field("{\"timestamp\":\"2026-11-21T01:00:00Z\"}", FIELD_TIME_STAMP,
                 "2026-11-21T01:00:00Z");
    assert_field("{\"query\":\"www.example.jp.\"}", FIELD_DNS_QUESTION, "www.example.jp");
    assert_field("{\"user\":\"EXAMPLE\\\\taro\"}", FIELD_USER_NAME, "taro");
    /* A whole URL goes before a host that another key has, wherever that stands. */
    assert_field("{\"http_host\":\"a.example.jp\",\"url\":\"https://b.example.jp/x\"}",
                 FIELD_URL_DOMAIN, "b.example.jp");
    assert_field("{\"http_host\":\"a.example.jp\",\"url\":\"/x\"}", FIELD_URL_DOMAIN,
                 "a.example.jp");
    /* A field has one key; an empty value does not take it. */
    assert_field("{\"src_ip\":\"\",\"client_ip\":\"192.0.2.7\"}", FIELD_SOURCE_IP, "192.0.2.7");
}

/* Two layouts of one source, and keys that the memory has at other places: the same slots. */
static void test_memory_changes_nothing(void **state)
{
    (void)state;
    struct parser_state *memory = parser_json.state_new();
    struct buf line = {0};
    for (unsigned round = 0; round < 3000; round++) {
        buf_reset(&line);
        buf_printf(
            &line,
            "{\"k%u\":{\"src_ip\":\"192.0.2.%u\",\"n%u\":[1,{\"x\":null},2]},\"action\":\"deny\"}",
            round % 700, round % 250, round % 900);
        assert_int_equal(slots_check_line(&parser_json, memory, line.data, line.len), PARSE_OK);
    }
    parser_json.state_free(memory);
    buf_release(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),     cmocka_unit_test(test_rest),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_keys),
        cmocka_unit_test(test_long_list), cmocka_unit_test(test_names),
        cmocka_unit_test(test_meanings),  cmocka_unit_test(test_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
