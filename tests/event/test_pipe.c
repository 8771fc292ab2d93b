/* Pipes as text: what is read, how it prints back, and what is refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/calendar.h"
#include "base/err.h"
#include "event/pipe.h"
#include "event/pipe_cells.h"
#include "event/pipe_combine.h"
#include "event/pipe_groups.h"
#include "event/pipe_number.h"
#include "event/query.h"

struct parsed {
    struct arena arena;
    struct diag diag;
    struct pipeline *pipeline;
    int err;
};

static struct parsed parse(struct slice text)
{
    struct parsed p = {0};
    p.err = pipe_parse(&p.pipeline, &p.arena, text, &p.diag);
    return p;
}

static void release(struct parsed *p)
{
    arena_release(&p->arena);
    diag_release(&p->diag);
}

/* Parse, print, compare with `want`, parse that again and print the same. */
static void round_trip(const char *text, const char *want)
{
    struct buf once = {0};
    struct buf twice = {0};
    struct parsed a = parse(slice_from(text));
    if (a.err != 0)
        fail_msg("%s: %s", text, diag_text(&a.diag));
    assert_int_equal(pipe_print(a.pipeline, &once), 0);
    assert_string_equal(buf_string(&once), want);
    struct parsed b = parse(buf_content(&once));
    if (b.err != 0)
        fail_msg("%s -> %s: %s", text, buf_string(&once), diag_text(&b.diag));
    assert_int_equal(pipe_print(b.pipeline, &twice), 0);
    assert_string_equal(buf_string(&twice), want);
    assert_true(ast_equal(a.pipeline->condition, b.pipeline->condition));
    buf_release(&once);
    buf_release(&twice);
    release(&a);
    release(&b);
}

static void refuse(const char *text, const char *diagnosis)
{
    struct parsed p = parse(slice_from(text));
    if (p.err != ERR_CONF)
        fail_msg("%s: accepted", text);
    if (strstr(diag_text(&p.diag), diagnosis) == NULL)
        fail_msg("%s: %s", text, diag_text(&p.diag));
    assert_int_equal(p.diag.count, 1);
    release(&p);
}

static void test_prints_back(void **state)
{
    (void)state;
    round_trip("", "");
    round_trip("a b", "\"a\" and \"b\"");
    round_trip("|head", "| head 10");
    round_trip("a|head 3", "\"a\" | head 3");
    round_trip("\"a|b\" | head 3", "\"a|b\" | head 3");
    round_trip("url.path:/a|b/ | head 3", "url.path:/a|b/ | head 3");
    round_trip("user:\"x|y\" | head 3", "user:\"x|y\" | head 3");
    round_trip("| stats count", "| stats count()");
    round_trip("| stats count() by host", "| stats count() by url.domain");
    round_trip("| stats count(), sum(source.bytes) as total by src,dst",
               "| stats count(), sum(source.bytes) as total by source.ip, destination.ip");
    round_trip("| stats count() sum( source.bytes ) avg(cs-bytes) min(src) max(src) distinct(user)",
               "| stats count(), sum(source.bytes), avg(source.bytes), min(source.ip), "
               "max(source.ip), distinct(user.name)");
    round_trip("| stats p95(source.bytes) p99.9(source.bytes) quantile(source.bytes, 0.5)",
               "| stats p95(source.bytes), p99.9(source.bytes), p50(source.bytes)");
    round_trip("| stats p0(source.bytes) p100(source.bytes), quantile(1, source.port)",
               "| stats p0(source.bytes), p100(source.bytes), p100(source.port)");
    round_trip("| stats count() as \"how many\" | sort -\"how many\"",
               "| stats count() as \"how many\" | sort -\"how many\"");
    round_trip("| stats sum(source.bytes) by host | sort -sum(source.bytes), host",
               "| stats sum(source.bytes) by url.domain | sort -\"sum(source.bytes)\", url.domain");
}

static void test_tables(void **state)
{
    (void)state;
    round_trip("| stats count() by host | top 5", "| stats count() by url.domain | top 5 count");
    round_trip("| stats count() as n, sum(cs-bytes) by host | top",
               "| stats count() as n, sum(source.bytes) by url.domain | top 10 n");
    round_trip("| stats count() by host | rare 5 host",
               "| stats count() by url.domain | rare 5 url.domain");
    round_trip("| top host", "| top 10 url.domain");
    round_trip("| rare 3 host, src | head 2", "| rare 3 url.domain, source.ip | head 2");
    round_trip("| top 3 host | fields count | top 2",
               "| top 3 url.domain | fields count | top 2 count");
    round_trip("| timechart span=5m count()", "| timechart span=300000000000ns count()");
    round_trip("| timechart span=1d count() avg(cs-bytes) as a by verdict | sort -a",
               "| timechart span=86400000000000ns count(), avg(source.bytes) as a by "
               "sekisho.verdict | sort -a");
    round_trip("| stats count() by host | where count>=10 and host!=example.jp and count : 12",
               "| stats count() by url.domain | where count>=\"10\" and url.domain!=\"example.jp\" "
               "and count=\"12\"");
    round_trip("| where @timestamp<2026-11-21T10:00:00Z and user=\"a b\" | head 1",
               "| where @timestamp<\"2026-11-21T10:00:00Z\" and user.name=\"a b\" | head 1");
    round_trip("| stats sum(cs-bytes) | where sum(source.bytes)>-1.5",
               "| stats sum(source.bytes) | where \"sum(source.bytes)\">\"-1.5\"");
    round_trip("| fields src, dst | dedup src | sort -dst, src | head 5",
               "| fields source.ip, destination.ip | dedup source.ip | sort -destination.ip, "
               "source.ip | head 5");
    round_trip("| fields @timestamp, src | timechart span=1h count() by src",
               "| fields @timestamp, source.ip | timechart span=3600000000000ns count() by "
               "source.ip");
    round_trip("| stats count() by host, src | stats count() by host | stats max(count)",
               "| stats count() by url.domain, source.ip | stats count() by url.domain | stats "
               "max(count)");
    round_trip("| stats count() as by by host | sort by",
               "| stats count() as by by url.domain | sort by");
    round_trip("| stats count() by fortigate.vwlid, \"fortigate.odd key\"",
               "| stats count() by fortigate.vwlid, \"fortigate.odd key\"");
}

static void test_columns(void **state)
{
    (void)state;
    uint32_t count = 9;
    struct parsed p = parse(SLICE("x | timechart span=1s count(), p95(cs-bytes) by host"));
    assert_int_equal(p.err, 0);
    const struct slice *names = pipe_columns(p.pipeline, &count);
    assert_int_equal(count, 4);
    assert_true(slice_equal(names[0], SLICE("@timestamp")));
    assert_true(slice_equal(names[1], SLICE("url.domain")));
    assert_true(slice_equal(names[2], SLICE("count")));
    assert_true(slice_equal(names[3], SLICE("p95(source.bytes)")));
    assert_true(pipe_makes_table(p.pipeline));
    release(&p);
    p = parse(SLICE("x | sort src | head 1"));
    assert_null(pipe_columns(p.pipeline, &count));
    assert_int_equal(count, 0);
    assert_false(pipe_makes_table(p.pipeline));
    assert_int_equal(p.pipeline->field_count, 1);
    release(&p);
    p = parse(SLICE("x | fields dst, src | sort src"));
    names = pipe_columns(p.pipeline, &count);
    assert_int_equal(count, 2);
    assert_true(slice_equal(names[0], SLICE("destination.ip")));
    assert_int_equal(p.pipeline->pipes[1].keys[0].column, 1);
    release(&p);
}

static void test_refuses_words(void **state)
{
    (void)state;
    refuse("a |", "query:1:4: a pipe, like stats count() by source.ip, is missing here");
    refuse("| | head", "query:1:3: a pipe, like stats");
    refuse("a | hed 3", "query:1:5: no pipe \"hed\"; did you mean \"head\"?");
    refuse("foo|quux", "query:1:5: no pipe \"quux\"; there are stats, timechart");
    refuse("a | \"head\" 3", "query:1:5: no pipe \"head\"");
    refuse("(a | head", "query:1:1: this parenthesis is never closed");
    refuse("a and | head", "query:1:7: a condition is missing at the end");
    refuse("url.domain: | head", "query:1:13: a value is missing here");
    refuse("| head 0", "query:1:8: a number of rows from 1 to 1000000000");
    refuse("| head 1000000001", "query:1:8: a number of rows");
    refuse("| head 99999999999999999999999", "query:1:8: a number of rows");
    refuse("| head x", "query:1:8: head ends here");
    refuse("| head 3 4", "query:1:10: head ends here");
    refuse("| head 3x", "query:1:8: a number of rows");
    refuse("| sort", "query:1:3: sort wants a field: sort -source.bytes");
    refuse("| sort -", "query:1:9: a field is missing here");
    refuse("| sort src,", "query:1:12: a field is missing here");
    refuse("| sort src dst", "query:1:12: sort ends here");
    refuse("| sort src, src", "query:1:13: \"source.ip\" stands here twice");
    refuse("| sort count()",
           "query:1:8: a field is wanted here; what is computed comes from stats");
    refuse("| sort \"src", "query:1:8: this quote is never closed");
    refuse("| sort \"\"", "query:1:8: a field has 1 to 256 bytes");
    refuse("| fields", "query:1:3: fields wants a field");
    refuse("| dedup", "query:1:3: dedup wants a field: dedup source.ip");
    refuse("| dedup nonsense", "query:1:9: unknown field \"nonsense\"");
    refuse("| dedup source.ipp",
           "query:1:9: unknown field \"source.ipp\"; did you mean \"source.ip\"?");
    refuse("| top", "query:1:3: top wants a field: top 10 url.domain");
    refuse("| rare 5", "query:1:3: rare wants a field: rare 10 url.domain");
}

static void test_refuses_tables(void **state)
{
    (void)state;
    refuse("| stats", "query:1:3: stats wants what to compute: stats count() by source.ip");
    refuse("| stats by src", "query:1:3: stats wants what to compute");
    refuse("| stats count() by", "query:1:19: a field is missing here");
    refuse("| stats count(), by src", "query:1:18: no function \"by\"");
    refuse("| stats cuont()", "query:1:9: no function \"cuont\"; did you mean \"count\"?");
    refuse("| stats p101(src)", "query:1:9: no function \"p101\"");
    refuse("| stats zzz(src)", "query:1:9: no function \"zzz\"; there are count, sum");
    refuse("| stats sum", "query:1:12: sum wants a field: sum(source.bytes)");
    refuse("| stats sum()", "query:1:13: sum wants a field: sum(source.bytes)");
    refuse("| stats sum(src", "query:1:16: a closing parenthesis is missing here");
    refuse("| stats sum(nothere)", "query:1:13: unknown field \"nothere\"");
    refuse("| stats sum(source.bytes, 3)", "query:1:25: a closing parenthesis is missing here");
    refuse("| stats quantile(source.bytes)",
           "query:1:30: a quantile is written quantile(field, 0.95)");
    refuse("| stats quantile(source.bytes, 1.5)", "query:1:32: a quantile is a number from 0 to 1");
    refuse("| stats quantile(source.bytes, 0.1234567)", "query:1:32: a quantile is a number");
    refuse("| stats count() as", "query:1:19: a name is missing here");
    refuse("| stats count(), count()", "query:1:3: two columns are called \"count\"");
    refuse("| stats count() as source.ip by src",
           "query:1:3: two columns are called \"source.ip\"");
    refuse("| stats count() | sort src", "query:1:24: no column \"src\" here; there are: count");
    refuse("| stats count() by host | sort coun",
           "no column \"coun\" here; did you mean \"count\"?");
    refuse("| stats count() by host | sort sum(src)", "query:1:32: no column \"sum(source.ip)\"");
    refuse("| fields src | sort dst", "query:1:21: no column \"dst\" here; there are: source.ip");
    refuse("| fields src | timechart span=1s count()", "query:1:16: no column \"@timestamp\" here");
    refuse("| top host | fields url.domain | top",
           "query:1:34: top wants a column here: top 10 count");
    refuse("| top host | top 3 count, host", "query:1:14: top goes by one column of a table");
    refuse("| top host | timechart span=1s count()", "query:1:14: timechart wants events");
    refuse("| where", "query:1:3: where wants a comparison: where count>10");
    refuse("| where src", "query:1:12: where wants a comparison here: count>10");
    refuse("| where src=", "query:1:13: a value is missing here");
    refuse("| where src>x", "query:1:13: a number or a time is wanted behind < and >");
    refuse("| where src=x or dst=y", "query:1:15: where ends here");
    refuse("| stats count() | where src=x", "query:1:25: no column \"src\" here");
    refuse("| timechart count()", "query:1:13: timechart wants its step first");
    refuse("| timechart", "query:1:12: timechart wants its step first");
    refuse("| timechart span=5m", "query:1:3: timechart wants what to compute");
    refuse("| timechart span=5 count()", "query:1:18: a step is a duration: 10s, 5m, 2h or 1d");
    refuse("| timechart span=0s count()", "query:1:18: a step is a duration");
    refuse("| timechart span= count()", "query:1:19: a step is a duration");
}

static void test_limits(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i <= PIPES_MAX; i++)
        buf_text(&text, "| head ");
    refuse(buf_string(&text), "more than 16 pipes");
    buf_reset(&text);
    buf_text(&text, "| stats count()");
    for (int i = 0; i < PIPE_AGGREGATES_MAX; i++)
        buf_printf(&text, ", count() as c%d", i);
    refuse(buf_string(&text), "more than 16 things to compute");
    buf_reset(&text);
    buf_text(&text, "| fields fortigate.k");
    for (int i = 0; i < PIPE_KEYS_MAX; i++)
        buf_printf(&text, ", fortigate.k%d", i);
    refuse(buf_string(&text), "more than 32 fields");
    buf_reset(&text);
    for (int i = 0; i <= PIPE_FIELDS_MAX; i++)
        buf_printf(&text, i % 16 == 0 ? "| dedup fortigate.f%d" : ", fortigate.f%d", i);
    refuse(buf_string(&text), "more than 64 fields of events in one query");
    buf_release(&text);
}

/* Who wants a condition alone says so. */
static void test_condition_alone(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct diag diag = {0};
    struct ast *ast = NULL;
    assert_int_equal(query_parse(&ast, &arena, SLICE("a | head 3"), &diag), ERR_CONF);
    assert_string_equal(diag_text(&diag), "query:1:3: a condition alone is wanted here; quote a "
                                          "text that holds |\n");
    assert_null(ast);
    arena_release(&arena);
    diag_release(&diag);
}

static void number_prints(const char *text, const char *want)
{
    struct buf out = {0};
    pipe_number value = 0;
    assert_true(pipe_number_read(&value, slice_from(text)));
    uint64_t words[2];
    pipe_number_put(words, value);
    assert_true(pipe_number_get(words) == value);
    pipe_number_print(&out, value);
    assert_string_equal(buf_string(&out), want);
    buf_release(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const NONE[] = {"",   "-",  "+",    ".5",    "5.",  "1e3",
                                       " 1", "1 ", "0x10", "1.2.3", "--1", "1234567890123456789",
                                       "١"};
    number_prints("0", "0");
    number_prints("-0", "0");
    number_prints("+12", "12");
    number_prints("007", "7");
    number_prints("1.50", "1.5");
    number_prints("-0.000000001", "-0.000000001");
    number_prints("0.0000000019", "0.000000001");
    number_prints("999999999999999999.999999999", "999999999999999999.999999999");
    number_prints("-999999999999999999", "-999999999999999999");
    for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++) {
        pipe_number value = 0;
        assert_false(pipe_number_read(&value, slice_from(NONE[i])));
    }
    assert_true(pipe_number_divide(10, 4) == 3);
    assert_true(pipe_number_divide(9, 4) == 2);
    assert_true(pipe_number_divide(-10, 4) == -3);
    assert_true(pipe_number_divide(-9, 4) == -2);
}

static void test_steps(void **state)
{
    (void)state;
    const int64_t hour = CALENDAR_HOUR_NS;
    const int64_t day = CALENDAR_DAY_NS;
    assert_int_equal(pipe_step(7 * hour + 1, hour), 7 * hour);
    assert_int_equal(pipe_step(-1, hour), -hour);
    assert_int_equal(pipe_step(15 * hour, day), 15 * hour); /* midnight in Japan */
    assert_int_equal(pipe_step(15 * hour - 1, day), -9 * hour);
    assert_int_equal(pipe_step(15 * hour, 2 * day), -9 * hour);
    assert_int_equal(pipe_step(INT64_MAX, day) % day, 15 * hour);
    assert_true(INT64_MAX - pipe_step(INT64_MAX, day) < day);
    assert_int_equal(pipe_step(INT64_MIN, 7 * hour), INT64_MIN);
}

/* ---- groups ---- */

struct bench {
    struct parsed parsed;
    struct pipe_budget budget;
    struct pipe_pool pool;
    struct pipe_groups groups;
    uint32_t cells[2][3]; /* two columns, three rows */
    const uint32_t *columns[2];
};

static void bench_open(struct bench *b, const char *text)
{
    *b = (struct bench){.parsed = parse(slice_from(text))};
    assert_int_equal(b->parsed.err, 0);
    assert_int_equal(pipe_pool_init(&b->pool, &b->budget), 0);
    assert_int_equal(pipe_groups_init(&b->groups, &b->parsed.pipeline->pipes[0], &b->pool), 0);
    b->columns[0] = b->cells[0];
    b->columns[1] = b->cells[1];
}

static void bench_close(struct bench *b)
{
    pipe_groups_release(&b->groups);
    pipe_pool_release(&b->pool);
    assert_int_equal(b->budget.used_bytes, 0);
    release(&b->parsed);
}

static uint32_t text_cell(struct bench *b, const char *text)
{
    uint32_t cell = 0;
    assert_int_equal(pipe_pool_text(&b->pool, slice_from(text), &cell), 0);
    return cell;
}

/* The table that comes out, one line a row, cells parted by blanks. */
static void expect_table(struct bench *b, const char *want)
{
    struct pipe_table t = {0};
    struct buf text = {0};
    assert_int_equal(pipe_groups_table(&b->groups, &t), 0);
    for (size_t row = 0; row < t.row_count; row++) {
        for (uint32_t c = 0; c < t.column_count; c++) {
            uint32_t cell = pipe_table_row(&t, row)[c];
            buf_text(&text, c == 0 ? "" : " ");
            if (cell == PIPE_CELL_NULL)
                buf_text(&text, "null");
            pipe_cell_print(&b->pool, cell, &text);
        }
        buf_byte(&text, '\n');
    }
    assert_string_equal(buf_string(&text), want);
    buf_release(&text);
    pipe_table_release(&t);
}

/* A row is in the group of each of its values, and each value counts once. */
static void test_sets(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "| stats count(), count(user), distinct(user), min(user), sum(user) by host");
    uint32_t set[] = {text_cell(&b, "b"), text_cell(&b, "a"), text_cell(&b, "b")};
    uint32_t users[] = {text_cell(&b, "7"), text_cell(&b, "12.5"), text_cell(&b, "x")};
    const uint32_t host = b.parsed.pipeline->pipes[0].keys[0].column;
    assert_int_equal(pipe_pool_set(&b.pool, set, 3, &b.cells[host][0]), 0);
    assert_int_equal(pipe_cell_kind(&b.pool, b.cells[host][0]), PIPE_SET);
    b.cells[host][1] = text_cell(&b, "a");
    b.cells[host][2] = PIPE_CELL_NULL;
    assert_int_equal(pipe_pool_set(&b.pool, users, 3, &b.cells[1 - host][0]), 0);
    b.cells[1 - host][1] = text_cell(&b, "7");
    b.cells[1 - host][2] = PIPE_CELL_NULL;
    assert_int_equal(pipe_groups_add(&b.groups, b.columns, 3), 0);
    expect_table(&b, "a 2 2 3 7 26.5\nb 1 1 3 7 19.5\nnull 1 0 0 null null\n");
    bench_close(&b);
}

/* Merged groups are those of all rows, though their pools number values otherwise. */
static void test_merge(void **state)
{
    (void)state;
    static const char TEXT[] =
        "| stats count() distinct(user) max(user) p50(user) avg(user) by host";
    struct bench a;
    struct bench b;
    bench_open(&a, TEXT);
    bench_open(&b, TEXT);
    const uint32_t host = a.parsed.pipeline->pipes[0].keys[0].column;
    const uint32_t user = 1 - host;
    for (int i = 0; i < 3; i++) {
        static const char *const USERS[] = {"1", "2", "30"};
        a.cells[host][i] = text_cell(&a, i == 2 ? "y" : "x");
        a.cells[user][i] = text_cell(&a, USERS[i]);
        b.cells[user][i] = text_cell(&b, USERS[2 - i]);
        b.cells[host][i] = text_cell(&b, i == 0 ? "x" : "z");
    }
    assert_int_equal(pipe_groups_add(&a.groups, a.columns, 3), 0);
    assert_int_equal(pipe_groups_add(&b.groups, b.columns, 3), 0);
    assert_int_equal(pipe_groups_merge(&a.groups, &b.groups), 0);
    expect_table(&a, "x 3 3 30 2 11\ny 1 1 30 30 30\nz 2 2 2 1 1.5\n");
    bench_close(&b);
    bench_close(&a);
}

/* Rows are of one combination exactly when their keys are equal, null among them. */
static void test_combine(void **state)
{
    (void)state;
    static const uint16_t FIRST[] = {0, 1, 2, 9, 1, 0, 2, 0xffff, 1};
    static const uint16_t SECOND[] = {2, 0, 1, 0, 3, 2, 0xffff, 0, 0};
    static const uint16_t ROWS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    enum {
        ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]),
        END = 3
    };
    const struct pipe_numbers keys[] = {{FIRST, END}, {NULL, 0}, {SECOND, END}};
    struct pipe_combine c = {0};
    assert_int_equal(pipe_combine_init(&c), 0);
    assert_true(pipe_combine_rows(&c, keys, 3, ROWS, ROW_COUNT));
    for (size_t i = 0; i < ROW_COUNT; i++) {
        uint32_t equal = 0;
        for (size_t k = 0; k < ROW_COUNT; k++) {
            bool same = (FIRST[i] < END ? FIRST[i] : END) == (FIRST[k] < END ? FIRST[k] : END) &&
                        (SECOND[i] < END ? SECOND[i] : END) == (SECOND[k] < END ? SECOND[k] : END);
            assert_int_equal(same, c.of_row[i] == c.of_row[k]);
            equal += same;
        }
        assert_true(c.of_row[i] < c.slot_count);
        assert_int_equal(c.slots[c.of_row[i]].count, equal);
        assert_int_equal(c.of_row[c.slots[c.of_row[i]].row], c.of_row[i]);
    }
    const struct pipe_numbers many = {FIRST, PIPE_COMBINATIONS_MAX};
    assert_false(pipe_combine_rows(&c, &many, 1, ROWS, ROW_COUNT));
    pipe_combine_release(&c);
}

/* A full budget is an answer, and everything is still there to be given back. */
static void test_budget(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "| stats count() by host");
    b.budget.limit_bytes = 200000;
    int err = 0;
    char name[32];
    for (uint32_t i = 0; err == 0; i++) {
        assert_true(i < 100000);
        int len = snprintf(name, sizeof(name), "host-%u", i);
        err = pipe_pool_text(&b.pool, slice_of(name, (size_t)len), &b.cells[0][0]);
        if (err == 0)
            err = pipe_groups_add(&b.groups, b.columns, 1);
    }
    assert_int_equal(err, ERR_RANGE);
    assert_true(b.budget.exceeded);
    assert_true(b.groups.count > 500);
    assert_true(b.budget.used_bytes <= b.budget.limit_bytes);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prints_back),     cmocka_unit_test(test_tables),
        cmocka_unit_test(test_columns),         cmocka_unit_test(test_refuses_words),
        cmocka_unit_test(test_refuses_tables),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_condition_alone), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_steps),           cmocka_unit_test(test_sets),
        cmocka_unit_test(test_merge),           cmocka_unit_test(test_budget),
        cmocka_unit_test(test_combine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
