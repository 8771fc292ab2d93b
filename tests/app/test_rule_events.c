#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/rule_events.h"
#include "base/clock.h"
#include "base/err.h"

struct reading {
    struct rule_events *events;
    struct diag diag;
    char path[64];
};

static void open_text(struct reading *r, struct slice text, enum sigma_names names)
{
    *r = (struct reading){.path = "/tmp/rule-events-XXXXXX"};
    int fd = mkstemp(r->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.len), text.len);
    (void)close(fd);
    assert_int_equal(rule_events_open(&r->events, r->path, names, &r->diag), 0);
}

static void close_text(struct reading *r)
{
    rule_events_close(r->events);
    diag_release(&r->diag);
    (void)unlink(r->path);
}

/* "field=value" of each value of a row in the order of the columns, null as it is. */
static const char *row_text(const struct batch *b, uint32_t row, struct buf *out)
{
    struct buf scratch = {0};
    struct slice value;
    buf_reset(out);
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (!batch_value(b, c, row, &scratch, &value))
            continue;
        buf_text(out, out->len == 0 ? "" : " ");
        if (c->kind == SLOT_NULL)
            buf_text(out, "!");
        struct buf name = {0};
        buf_slice(out, batch_field_name(b, c->field, &name));
        buf_byte(out, '=');
        buf_slice(out, value);
        buf_release(&name);
    }
    buf_release(&scratch);
    return buf_string(out);
}

static void check_row(const char *line, enum sigma_names names, const char *want)
{
    struct reading r;
    struct batch *b = NULL;
    struct buf out = {0};
    open_text(&r, slice_from(line), names);
    if (rule_events_next(r.events, &b, &r.diag) != 0)
        fail_msg("%s: %s", line, diag_text(&r.diag));
    assert_non_null(b);
    assert_int_equal(b->row_count, 1);
    assert_int_equal(b->reason[0], REASON_NONE);
    if (strcmp(row_text(b, 0, &out), want) != 0)
        fail_msg("%s: %s, not %s", line, buf_string(&out), want);
    assert_int_equal(rule_events_next(r.events, &b, &r.diag), 0);
    assert_null(b);
    close_text(&r);
    buf_release(&out);
}

static void reads_values(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"{\"a\": \"x\", \"b\": 7}", "event.a=x event.b=7"},
        {"{\"a\": true, \"b\": false, \"c\": null}", "event.a=true event.b=false !event.c=null"},
        {"{\"a\": -0.5, \"b\": 1e21, \"c\": 0.1, \"d\": 3.0}",
         "event.a=-0.5 event.b=1e+21 event.c=0.1 event.d=3"},
        {"{\"a\": 9223372036854775807}", "event.a=9223372036854775807"},
        {"{\"a\": {\"b\": {\"c\": 1}, \"d\": 2}, \"e\": 3}", "event.a.b.c=1 event.a.d=2 event.e=3"},
        {"{\"a\": [1, \"x\", null, {\"b\": 2}]}", "event.a=1 event.a=x !event.a=null event.a.b=2"},
        {"{\"a\": [[1], [2, [3]]]}", "event.a=1 event.a=2 event.a=3"},
        {"{\"a\": [], \"b\": {}, \"c\": \"\"}", "event.c="},
        {"{\"\": 1, \"x=y\": 2, \"l\\nf\": 3}", "event.=1 event.x=y=2 event.l\nf=3"},
        {"{\"a\": \"x\\ny\\u0000z\\\"\"}", "event.a=x\ny"},
        {"{\"a\": \"\\u5c71\"}", "event.a=\xe5\xb1\xb1"},
        {"{\"a\": 1, \"a\": 2}", "event.a=2"},
        {"  {\"a\": 1}  \r\n", "event.a=1"},
        {"{\"source.ip\": \"192.0.2.1\"}", "event.source.ip=192.0.2.1"},
        {"{}", ""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        check_row(CASES[i][0], SIGMA_NAMES_LITERAL, CASES[i][1]);
    check_row("{\"source.ip\": \"192.0.2.1\", \"source\": {\"port\": 443}, \"x\": 1}",
              SIGMA_NAMES_FIELDS, "source.ip=192.0.2.1 source.port=443 event.x=1");
    check_row("{\"user.name\": null, \"x\": null}", SIGMA_NAMES_FIELDS, "!event.x=null");
}

static void reads_times_and_numbers_rows(void **state)
{
    (void)state;
    struct reading r;
    struct batch *b = NULL;
    int32_t partition = 0;
    int64_t offset = 0;
    open_text(&r,
              SLICE("\n{\"@timestamp\": \"2026-01-01T00:00:00Z\"}\n\n \r\n{\"a\": 1}\n"
                    "{\"@timestamp\": \"2025-01-01T09:00:00.5+09:00\"}\n{\"@timestamp\": \"x\"}"),
              SIGMA_NAMES_LITERAL);
    assert_int_equal(rule_events_next(r.events, &b, &r.diag), 0);
    assert_int_equal(b->row_count, 4);
    static const int64_t TIMES[] = {1767225600000000000, 1767225600000000000, 1735689600500000000,
                                    1735689600500000000};
    for (uint32_t i = 0; i < 4; i++) {
        batch_place(b, i, &partition, &offset);
        assert_int_equal(offset, i);
        assert_true(b->time_ns[i] == TIMES[i]);
    }
    close_text(&r);
}

static void reads_verdicts(void **state)
{
    (void)state;
    struct reading r;
    struct batch *b = NULL;
    open_text(&r, SLICE("{\"sekisho.verdict\": \"deny\"}\n{\"sekisho.verdict\": \"maybe\"}\n{}\n"),
              SIGMA_NAMES_FIELDS);
    assert_int_equal(rule_events_next(r.events, &b, &r.diag), 0);
    assert_int_equal(b->row_count, 3);
    assert_true(slice_equal(verdict_name(b->verdict[0]), SLICE("deny")));
    assert_int_equal(b->verdict[1], VERDICT_UNKNOWN);
    assert_int_equal(b->verdict[2], VERDICT_UNKNOWN);
    close_text(&r);
}

static void check_refused(const char *text, const char *message)
{
    struct reading r;
    struct batch *b = NULL;
    open_text(&r, slice_from(text), SIGMA_NAMES_LITERAL);
    assert_int_equal(rule_events_next(r.events, &b, &r.diag), ERR_CONF);
    if (strstr(diag_text(&r.diag), message) == NULL || r.diag.count != 1)
        fail_msg("%s: %s", text, diag_text(&r.diag));
    close_text(&r);
}

static void refuses_with_a_line(void **state)
{
    (void)state;
    check_refused("{\"a\": 1}\n{\"a\": \n", ":2:");
    check_refused("\n\n[1]\n", ":3:1: no JSON object: another value");
    check_refused("7\n", ":1:");
    check_refused("{\"a\": 1} x\n", ":1:");
    check_refused("{\"a\": \"\xff\"}\n", ":1:");
    check_refused("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}\n",
                  ":1:1: an event of more than 1024 values or 8 levels");
    struct buf text = {0};
    for (int i = 0; i < 100000; i++)
        buf_byte(&text, '[');
    check_refused(buf_string(&text), ":1:");
    buf_reset(&text);
    buf_text(&text, "{\"a\": [1");
    for (int i = 1; i < 1025; i++)
        buf_text(&text, ",1");
    buf_text(&text, "]}");
    check_refused(buf_string(&text), "more than 1024 values");
    buf_reset(&text);
    buf_text(&text, "{\"");
    for (int i = 0; i < 300; i++)
        buf_byte(&text, 'k');
    buf_text(&text, "\": 1}");
    check_refused(buf_string(&text), ":1:1: an event of more than");
    buf_release(&text);
    struct rule_events *events = NULL;
    struct diag diag = {0};
    assert_true(rule_events_open(&events, "/nowhere/x.ndjson", SIGMA_NAMES_LITERAL, &diag) < 0);
    assert_null(events);
    assert_non_null(strstr(diag_text(&diag), "/nowhere/x.ndjson"));
    diag_release(&diag);
}

enum flood {
    FLOOD_ROWS,
    FLOOD_BYTES,
    FLOOD_NAMES,
    FLOOD_SHAPES,
    FLOOD_KINDS,
};

static void flood_line(struct buf *out, enum flood kind, int i)
{
    buf_printf(out, "{\"a\": %d", i);
    if (kind == FLOOD_BYTES)
        buf_printf(out, ", \"b\": \"%0*d\"", i == 7 ? 3000000 : 200000, 1);
    else if (kind == FLOOD_NAMES)
        buf_printf(out, ", \"k%d\": 1", i);
    else if (kind == FLOOD_SHAPES)
        buf_printf(out, ", \"b%d\": 1, \"c%d\": 1", i % 20, i % 30);
    buf_text(out, "}\n");
}

/* The rows of a batch are the next ones, each with its value. Returns how many they are. */
static uint32_t check_batch(const struct batch *b, int64_t first)
{
    struct buf out = {0};
    for (uint32_t row = 0; row < b->row_count; row++) {
        char want[32];
        int32_t partition = 0;
        int64_t offset = 0;
        (void)snprintf(want, sizeof(want), "event.a=%lld", (long long)first + row);
        batch_place(b, row, &partition, &offset);
        assert_int_equal(offset, first + row);
        assert_int_equal(b->reason[row], REASON_NONE);
        if (strstr(row_text(b, row, &out), want) == NULL)
            fail_msg("%s is not in %.80s", want, buf_string(&out));
    }
    buf_release(&out);
    return b->row_count;
}

/* Nothing is lost where batches are full: of rows, of bytes, of names, of shapes. */
static void many_events_are_all_there(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < FLOOD_KINDS; kind++) {
        struct buf text = {0};
        struct reading r;
        struct batch *b = NULL;
        int64_t next = 0;
        int count = kind == FLOOD_BYTES ? 30 : 5000;
        for (int i = 0; i < count; i++)
            flood_line(&text, (enum flood)kind, i);
        open_text(&r, buf_content(&text), SIGMA_NAMES_LITERAL);
        assert_int_equal(rule_events_next(r.events, &b, &r.diag), 0);
        while (b != NULL) {
            next += check_batch(b, next);
            assert_int_equal(rule_events_next(r.events, &b, &r.diag), 0);
        }
        assert_int_equal(next, count);
        close_text(&r);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(reads_times_and_numbers_rows),
        cmocka_unit_test(reads_verdicts),
        cmocka_unit_test(refuses_with_a_line),
        cmocka_unit_test(many_events_are_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
