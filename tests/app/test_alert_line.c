/* The line of an alert is JSON whatever stands in it, and never longer than a record may be. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "detect/detectors.h"

#define START  (INT64_C(1790521200) * CLOCK_NS_PER_SECOND)
#define WINDOW (30 * CLOCK_NS_PER_MINUTE)

enum {
    NAME_BYTES = 255, /* as the configuration allows */
};

struct town {
    struct detect_shared shared;
    struct detect_profile profile;
    struct detect_tenant *tenant;
    struct buf record;
};

static int take(void *self, const struct detect_alert *alert)
{
    struct town *t = self;
    buf_reset(&t->record);
    alert_record_put(&t->record, &alert->record);
    return 0;
}

static void town_open(struct town *t, struct slice name, struct slice topic)
{
    *t = (struct town){.shared = {.seed = 7},
                       .profile = {.tenant = 990001, .name = name, .lateness_ns = 1}};
    const struct detect_options o = {
        .shared = &t->shared, .profile = &t->profile, .alert = take, .self = t};
    assert_int_equal(detect_tenant_new(&t->tenant, &o), 0);
    struct tenant_state *s = t->tenant->state;
    s->source_count = 1;
    s->sources[0] = (struct source_state){
        .newest_ns = CLOCK_NONE, .seen_tick_ns = CLOCK_NONE, .topic_len = (uint16_t)topic.len};
    assert_true(topic.len <= sizeof(s->sources[0].topic));
    memcpy(s->sources[0].topic, topic.data, topic.len);
    assert_int_equal(detect_tick(t->tenant, START, 0), 0);
}

static void town_close(struct town *t)
{
    detect_tenant_free(t->tenant);
    buf_release(&t->record);
}

static void fire(struct town *t, struct finding *f, const struct detector *d)
{
    detectors_enter(&t->tenant->run, d);
    detect_fire(&t->tenant->run, f);
    assert_int_equal(t->tenant->run.status, 0);
}

/* The last alert as JSON; each key once, all text UTF-8. */
static json_t *parsed(const struct town *t)
{
    struct alert_record record;
    json_error_t error;
    assert_int_equal(alert_record_take(&record, buf_content(&t->record)), 0);
    assert_null(memchr(record.line.data, '\n', record.line.len));
    json_t *o = json_loadb(record.line.data, record.line.len,
                           JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (o == NULL)
        print_error("%s at %d of %.*s\n", error.text, error.position, (int)record.line.len,
                    record.line.data);
    assert_non_null(o);
    return o;
}

static struct slice text_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_string(v));
    return slice_of(json_string_value(v), json_string_length(v));
}

static bool holds(struct slice text, struct slice what)
{
    return memmem(text.data, text.len, what.data, what.len) != NULL;
}

/* A name of the key and an explanation with any text; what is UTF-8 comes back as it was. */
static void check_text(struct slice text, bool whole)
{
    struct town t;
    struct finding f;
    town_open(&t, text, SLICE("fw1"));
    finding_begin(&f, 0, NULL, WINDOW);
    finding_key_text(&f, "source.ip", text);
    finding_text(&f, "domain", text);
    finding_text(&f, "contacts", text);
    fire(&t, &f, &detector_scan);
    json_t *o = parsed(&t);
    if (whole) {
        assert_true(slice_equal(text_of(o, "source.ip"), text));
        assert_true(slice_equal(text_of(o, "explain.domain"), text));
        assert_true(slice_equal(text_of(o, "sekisho.tenant.name"), text));
        assert_true(holds(text_of(o, "message.ja"), text));
    }
    json_decref(o);
    town_close(&t);
}

static void test_hostile_text(void **state)
{
    (void)state;
    static const char *const WHOLE[] = {
        "\"",       "\\",       "\\\"},{\"a\":\"", "{source.ip}",      "}{",   "{",
        "\x01\x1f", "\x7f\r\n", "\xe5\xb8\x82",    "\xf0\x9f\x9a\xa8", "%s%n", "</script>",
    };
    static const char *const BROKEN[] = {
        "\xe5\xb8",     "\x93\xfa\x96\x7b", "\xc0\x80",      "\xed\xa0\x80",
        "\xf8\x88\x80", "\xff\xfe",         "a\x80\"\xe5 b",
    };
    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]); i++)
        check_text(slice_from(WHOLE[i]), true);
    for (size_t i = 0; i < sizeof(BROKEN) / sizeof(BROKEN[0]); i++)
        check_text(slice_from(BROKEN[i]), false);
    check_text(slice_of("a\0b", 3), true);
    for (int byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        check_text(slice_of(&one, 1), byte < 0x80);
    }
}

/* Cut in the middle of a character nowhere, and the cut is seen. */
static void test_long_text(void **state)
{
    (void)state;
    char text[3 * 200];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "\xe5\xb8\x82"[i % 3];
    for (size_t len = FINDING_VALUE_BYTES_MAX - 4; len < FINDING_VALUE_BYTES_MAX + 8; len++) {
        struct town t;
        struct finding f;
        town_open(&t, SLICE("town"), SLICE("fw1"));
        finding_begin(&f, 0, NULL, WINDOW);
        finding_key_text(&f, "source.ip", slice_of(text, len / 3 * 3));
        fire(&t, &f, &detector_scan);
        json_t *o = parsed(&t);
        struct slice said = text_of(o, "source.ip");
        assert_true(said.len <= FINDING_VALUE_BYTES_MAX);
        if (len / 3 * 3 > FINDING_VALUE_BYTES_MAX)
            assert_true(slice_equal(slice_from_offset(said, said.len - 3), SLICE("...")));
        else
            assert_int_equal(said.len, len / 3 * 3);
        json_decref(o);
        town_close(&t);
    }
}

/* Everything at its limit, and every byte one that takes six in JSON. */
static void test_longest(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    char ugly[FINDING_VALUE_BYTES_MAX];
    char topic[TENANT_TOPIC_BYTES_MAX];
    struct town t;
    memset(ugly, 1, sizeof(ugly));
    memset(topic, 'x', sizeof(topic));
    town_open(&t, slice_of(ugly, NAME_BYTES), slice_of(topic, sizeof(topic)));
    for (int64_t i = 0; i < 40; i++) {
        struct finding f;
        struct flow flow = {.time_ns = START,
                            .arrival_ns = START,
                            .offset = INT64_MAX - i,
                            .partition = INT32_MAX,
                            .sub = UINT32_MAX};
        finding_begin(&f, 0, &flow, WINDOW);
        finding_key_text(&f, "source.ip", slice_of(ugly, sizeof(ugly)));
        for (size_t n = 0; n < sizeof(NAMES) / sizeof(NAMES[0]); n++)
            finding_text(&f, NAMES[n], slice_of(ugly, sizeof(ugly)));
        fire(&t, &f, &detector_scan);
    }
    struct detect_control c = {.action = DETECT_CLOSE, .by_id = true};
    struct alert_record record;
    assert_int_equal(alert_record_take(&record, buf_content(&t.record)), 0);
    c.id = record.id;
    memset(c.reason, 1, sizeof(c.reason) - 1);
    assert_int_equal(detect_control(t.tenant, &c), 0);
    json_t *o = parsed(&t);
    assert_int_equal(json_integer_value(json_object_get(o, "alert.revision")), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "alert.count")), 40);
    assert_int_equal(json_array_size(json_object_get(o, "evidence")), ALERT_EVIDENCE_MAX);
    assert_true(json_integer_value(json_object_get(o, "explain.cut")) >= 6);
    assert_null(json_object_get(o, "explain.9"));
    json_decref(o);
    town_close(&t);
}

/* Every text of every detector, with none of its values: still a line, and no brace is left. */
static void test_all_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        for (uint8_t text = 0; text < DETECTORS[i]->text_count; text++) {
            struct town t;
            struct finding f;
            town_open(&t, SLICE("town"), SLICE("fw1"));
            finding_begin(&f, text, NULL, WINDOW);
            fire(&t, &f, DETECTORS[i]);
            json_t *o = parsed(&t);
            static const char *const KEYS[] = {"message.ja", "message.en", "action.ja",
                                               "action.en"};
            for (size_t k = 0; k < sizeof(KEYS) / sizeof(KEYS[0]); k++) {
                struct slice said = text_of(o, KEYS[k]);
                assert_true(said.len != 0 && !holds(said, SLICE("{")) && !holds(said, SLICE("}")));
            }
            assert_null(json_object_get(o, "explain.cut"));
            json_decref(o);
            town_close(&t);
        }
    }
}

/* Messages hold the digits that people take in, explanations all that were measured. */
static void test_real_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *said;
        const char *explained;
    } CASES[] = {
        {1.0 / 6, "0.167", "0.166667"},      {12.5, "12.5", "12.5"},
        {342.857142, "343", "342.857"},      {2, "2", "2"},
        {0.30000001, "0.3", "0.3"},          {999.6, "1000", "999.6"},
        {1234.5, "1230", "1234.5"},          {9876543, "9880000", "9.87654e+06"},
        {-0.045678, "-0.0457", "-0.045678"}, {0, "0", "0"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct town t;
        struct finding f;
        char said[128];
        town_open(&t, SLICE("town"), SLICE("fw1"));
        finding_begin(&f, 0, NULL, WINDOW);
        finding_int(&f, "ports_known", 123456);
        finding_real(&f, "new_ports_a_day", CASES[i].value);
        fire(&t, &f, &detector_new_port);
        json_t *o = parsed(&t);
        (void)snprintf(said, sizeof(said), "1日に%s種類ほど", CASES[i].said);
        assert_true(holds(text_of(o, "message.ja"), slice_from(said)));
        (void)snprintf(said, sizeof(said), " about %s new ones", CASES[i].said);
        assert_true(holds(text_of(o, "message.en"), slice_from(said)));
        assert_true(holds(text_of(o, "message.en"), SLICE(" 123456 ports")));
        (void)snprintf(said, sizeof(said), "\"explain.new_ports_a_day\":%s,", CASES[i].explained);
        assert_true(holds(buf_content(&t.record), slice_from(said)));
        json_decref(o);
        town_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_longest),      cmocka_unit_test(test_all_texts),
        cmocka_unit_test(test_real_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
