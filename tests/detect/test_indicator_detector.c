/* From a row to its indicator, and from there to an alert: what is listed, which side, how often. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "detect/flow_hit.h"
#include "detect/indicator_set.h"
#include "event/builder.h"
#include "event/verdict.h"
#include "tests/detect/fake_run.h"

enum {
    VALUES_MAX = 12,
};

static const char LIST[] = "value,expires\n"
                           "evil.example,\n"
                           "old.evil.example,2026-01-01\n"
                           "http://shop.example/gate.php,\n"
                           "http://shop.example/q?id=7,\n"
                           "198.51.100.7,\n"
                           "198.51.100.8:8443,\n"
                           "203.0.113.0/24,\n";

static int64_t time_of(const char *date)
{
    int64_t ns = 0;
    assert_int_equal(clock_parse(&ns, slice_from(date)), 0);
    return ns;
}

static struct indicator_set *make_set(void)
{
    const struct indicator_source sources[] = {
        {.name = SLICE("first"),
         .version = SLICE("12ab"),
         .content = SLICE(LIST),
         .path = "list",
         .format = INDICATOR_FORMAT_CSV,
         .expires_ns = INT64_MAX},
        {.name = SLICE("second"),
         .version = SLICE("7"),
         .content = SLICE("198.51.100.7\n"),
         .path = "list",
         .expires_ns = INT64_MAX},
        {.name = SLICE("agents"),
         .version = SLICE("1"),
         .content = SLICE("EvilBot/1.0 \"x\"\n"),
         .path = "list",
         .type = INDICATOR_TYPE_AGENT,
         .expires_ns = INT64_MAX},
    };
    struct indicator_set *set = NULL;
    struct diag diag = {0};
    assert_int_equal(indicator_set_new(&set, sources, 3, NULL, &diag), 0);
    assert_int_equal(diag.count, 0);
    return set;
}

/* --------------------------------------------------------------------------- rows */

struct value {
    uint16_t field;
    const char *text;
    uint8_t kind;
};

/* A line of blank-separated values. */
static void append_row(struct batch *b, const struct value *values, int64_t time_ns)
{
    struct buf line = {0};
    struct slots slots = {0};
    for (size_t i = 0; i < VALUES_MAX && values[i].text != NULL; i++) {
        uint32_t length = (uint32_t)strlen(values[i].text);
        assert_true(slots_add(&slots, (uint32_t)line.len, length, values[i].field, values[i].kind));
        buf_text(&line, values[i].text);
        buf_byte(&line, ' ');
    }
    buf_byte(&line, '\n');
    const struct row row = {.bytes = buf_content(&line),
                            .slots = &slots,
                            .time_ns = time_ns,
                            .arrival_ns = time_ns,
                            .time_source = TIME_SOURCE_DEVICE,
                            .offset = b->row_count};
    assert_int_equal(batch_append(b, &row), 0);
    buf_release(&line);
}

struct row_case {
    struct value values[VALUES_MAX];
    const char *time;
    const char *entry; /* "" = none */
    const char *url;   /* of the flow */
};

#define IN_2026 "2026-06-01T12:00:00Z"

static const struct row_case ROWS[] = {
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_URL_DOMAIN, "www.Evil.example", 0}},
     IN_2026,
     "evil.example",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_URL_DOMAIN, "good.example", 0}}, IN_2026, "", ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_URL_DOMAIN, "a.old.evil.example", 0}},
     "2025-12-31T23:59:59Z",
     "old.evil.example",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_URL_DOMAIN, "a.old.evil.example", 0}},
     "2026-01-01T00:00:00Z",
     "evil.example",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0},
      {FIELD_URL_DOMAIN, "SHOP.example", 0},
      {FIELD_URL_PATH, "/gate%2Ephp", SLOT_PERCENT},
      {FIELD_URL_QUERY, "a=b", SLOT_PERCENT}},
     IN_2026,
     "shop.example/gate.php",
     "shop.example/gate%2Ephp?a=b"},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0},
      {FIELD_URL_DOMAIN, "shop.example", 0},
      {FIELD_URL_PATH, "\\/q", SLOT_JSON_STRING},
      {FIELD_URL_QUERY, "id\\u003d7", SLOT_JSON_STRING}},
     IN_2026,
     "shop.example/q?id=7",
     "shop.example/q?id=7"},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0},
      {FIELD_URL_DOMAIN, "shop.example", 0},
      {FIELD_URL_PATH, "/q", 0},
      {FIELD_URL_QUERY, "id=8", 0}},
     IN_2026,
     "",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_URL_ORIGINAL, "http://shop.example/gate.php", 0}},
     IN_2026,
     "shop.example/gate.php",
     "http://shop.example/gate.php"},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_DESTINATION_IP, "198.51.100.7", 0}},
     IN_2026,
     "198.51.100.7",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0},
      {FIELD_DESTINATION_IP, "198.51.100.8", 0},
      {FIELD_DESTINATION_PORT, "8443", 0}},
     IN_2026,
     "198.51.100.8:8443",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0},
      {FIELD_DESTINATION_IP, "198.51.100.8", 0},
      {FIELD_DESTINATION_PORT, "443", 0}},
     IN_2026,
     "",
     ""},
    {{{FIELD_SOURCE_IP, "203.0.113.9", 0}, {FIELD_DESTINATION_IP, "10.0.0.1", 0}},
     IN_2026,
     "203.0.113.0/24",
     ""},
    /* Our own translated address on a list says nothing about whom it met. */
    {{{FIELD_SOURCE_IP, "203.0.113.9", 0}, {FIELD_DESTINATION_IP, "192.0.2.1", 0}},
     IN_2026,
     "",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0},
      {FIELD_URL_DOMAIN, "good.example", 0},
      {FIELD_USER_AGENT, "evilbot/1.0 \\\"X\\\"", SLOT_C_ESCAPED}},
     IN_2026,
     "evilbot/1.0 \"x\"",
     ""},
    {{{FIELD_SOURCE_IP, "10.0.0.1", 0}, {FIELD_DNS_QUESTION, "x.evil.example.", 0}},
     IN_2026,
     "evil.example",
     ""},
};

enum {
    ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]),
};

static void check_row(const struct flow_reader *r, const struct flow *f, const struct row_case *c)
{
    struct indicator_info info = {0};
    if (f->hit != 0)
        indicator_describe(&info, r->shared->indicators, f->hit, f->time_ns);
    if (!slice_equal(info.text, slice_from(c->entry)))
        print_error("row %td: \"%.*s\", not \"%s\"\n", c - ROWS, (int)info.text.len, info.text.data,
                    c->entry);
    assert_true(slice_equal(info.text, slice_from(c->entry)));
    struct slice url = flow_text(&r->texts, f->url);
    assert_true(slice_equal(url, slice_from(c->url)));
}

/* All rows in one batch, in another order; then each in a batch of its own: the answers are the same. */
static void test_rows(void **state)
{
    (void)state;
    struct indicator_set *set = make_set();
    const struct detect_shared shared = {.seed = 5, .indicators = set};
    const struct detect_profile profile = {.tenant = 990019};
    struct flow_reader *r = calloc(1, sizeof(*r));
    struct batch *b = batch_new();
    struct flow flows[ROW_COUNT];
    uint32_t order[ROW_COUNT];
    assert_non_null(r);
    assert_non_null(b);
    r->shared = &shared;
    r->profile = &profile;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        append_row(b, ROWS[i].values, time_of(ROWS[i].time));
        order[i] = (uint32_t)(ROW_COUNT - 1 - i);
    }
    assert_int_equal(flow_read(r, b, order, 0, flows), 0);
    for (size_t i = 0; i < ROW_COUNT; i++)
        check_row(r, &flows[order[i]], &ROWS[i]);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        batch_reset(b);
        flow_texts_reset(&r->texts);
        append_row(b, ROWS[i].values, time_of(ROWS[i].time));
        order[0] = 0;
        assert_int_equal(flow_read(r, b, order, 0, flows), 0);
        check_row(r, &flows[0], &ROWS[i]);
    }
    batch_free(b);
    flow_reader_release(r);
    free(r);
    indicator_set_free(set);
}

/* ----------------------------------------------------------------------- findings */

static unsigned text_of(const char *name)
{
    for (unsigned i = 0; i < detector_indicator.text_count; i++) {
        if (strcmp(detector_indicator.texts[i].name, name) == 0)
            return i;
    }
    fail_msg("no text %s", name);
    return 0;
}

struct town {
    struct detect_run run;
    struct indicator_set *set;
};

static void town_begin(struct town *t)
{
    fake_run_begin(&t->run, &detector_indicator, DETECT_SMALL);
    t->set = make_set();
    t->run.indicators = t->set;
}

static void town_end(struct town *t)
{
    fake_run_end(&t->run);
    indicator_set_free(t->set);
}

/* A flow of the day with the hit that reading it gives. */
static struct flow flow_to(const struct town *t, const char *source, const char *destination,
                           bool in)
{
    struct flow f = fake_flow(source, destination, 443, time_of(IN_2026));
    f.direction = in ? FLOW_IN : FLOW_OUT;
    f.hit =
        indicator_find_address(t->set, in ? &f.source : &f.destination, in ? 0 : 443, f.time_ns);
    return f;
}

static void test_findings(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    struct flow f = flow_to(&t, "10.0.0.1", "198.51.100.7", false);
    fake_run_flow(&t.run, &f);
    assert_int_equal(t.run.finding_count, 1);
    const struct finding *told = &t.run.findings[0];
    assert_int_equal(told->text, text_of("contact"));
    assert_string_equal(fake_item(told, "source.ip"), "10.0.0.1");
    assert_string_equal(fake_item(told, "threat.indicator.name"), "198.51.100.7");
    assert_string_equal(fake_item(told, "feed"), "first");
    assert_string_equal(fake_item(told, "version"), "12ab");
    assert_string_equal(fake_item(told, "feed.2"), "second");
    assert_string_equal(fake_item(told, "feeds"), "2");
    assert_string_equal(fake_item(told, "type"), "address");
    assert_string_equal(fake_item(told, "destination"), "198.51.100.7");
    assert_string_equal(fake_item(told, "port"), "443");

    f.flags |= FLOW_REFUSED;
    f.verdict = VERDICT_DENY;
    fake_run_flow(&t.run, &f);
    assert_int_equal(fake_count(&t.run, text_of("attempt"), NULL, NULL), 1);

    /* What knocks from outside: only where it was let in. */
    f = flow_to(&t, "203.0.113.9", "10.0.0.1", true);
    fake_run_flow(&t.run, &f);
    assert_int_equal(
        fake_count(&t.run, text_of("inbound"), "threat.indicator.name", "203.0.113.0/24"), 1);
    f.flags |= FLOW_REFUSED;
    fake_run_flow(&t.run, &f);
    assert_int_equal(t.run.finding_count, 3);

    f = flow_to(&t, "10.0.0.1", "192.0.2.1", false);
    assert_int_equal(f.hit, 0);
    fake_run_flow(&t.run, &f);
    assert_int_equal(t.run.finding_count, 3);
    f.hit = indicator_find_agent(t.set, SLICE("EvilBot/1.0 \"x\""), f.time_ns);
    fake_run_flow(&t.run, &f);
    assert_int_equal(fake_count(&t.run, text_of("agent"), "feed", "agents"), 1);

    f.flags |= FLOW_EXCLUDED;
    fake_run_flow(&t.run, &f);
    assert_int_equal(t.run.finding_count, 4);
    t.run.indicators = NULL;
    f.flags &= (uint16_t)~FLOW_EXCLUDED;
    fake_run_flow(&t.run, &f);
    assert_int_equal(t.run.finding_count, 4);
    town_end(&t);
}

/* Every host of an office meets an entry: ten alerts and one for all others; again the next day. */
static void test_many_hosts(void **state)
{
    (void)state;
    enum {
        HOSTS = 25,
        ALONE = 10
    };
    struct town t;
    town_begin(&t);
    for (int day = 0; day < 2; day++) {
        fake_run_clear(&t.run);
        for (int round = 0; round < 2; round++) {
            for (int host = 1; host <= HOSTS; host++) {
                char source[32];
                (void)snprintf(source, sizeof(source), "10.0.0.%d", host);
                struct flow f = flow_to(&t, source, "198.51.100.7", false);
                f.time_ns += day * CALENDAR_DAY_NS;
                fake_run_flow(&t.run, &f);
                fake_run_move(&t.run);
            }
        }
        assert_int_equal(fake_count(&t.run, text_of("contact"), NULL, NULL), 2 * ALONE);
        assert_int_equal(fake_count(&t.run, text_of("contact"), "source.ip", "10.0.0.10"), 2);
        assert_int_equal(fake_count(&t.run, text_of("many"), NULL, NULL), 2 * (HOSTS - ALONE));
        assert_int_equal(fake_count(&t.run, text_of("many"), "hosts", "25"), 1 + HOSTS - ALONE);
    }
    town_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
