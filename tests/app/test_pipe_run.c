/*
 * One query by three ways: threads that feed groups, events in order one by one, and a table of all
 * events. All must give the same bytes, whatever the number of threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/compact.h"
#include "app/pipe_run.h"
#include "event/pred.h"
#include "tests/app/sample_store.h"

enum {
    EVERYTHING = 1000000000,
    THREADS = 4,
};

struct answer {
    struct buf text;
    struct sieve_counters counters;
    uint64_t rows;
    const char *stopped;
    int err;
};

struct asked {
    const struct sample_store *store;
    enum row_form form;
    unsigned threads;
    size_t memory_max_bytes;
    uint64_t row_max;
};

static struct asked asked(const struct sample_store *store)
{
    return (struct asked){.store = store, .form = ROW_NDJSON, .threads = 1, .row_max = UINT64_MAX};
}

static void read_back(int fd, struct buf *out)
{
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size >= 0);
    char *to = buf_reserve(out, (size_t)size + 1);
    assert_non_null(to);
    assert_int_equal(pread(fd, to, (size_t)size, 0), size);
    out->len = (size_t)size;
}

/* Run a query; the caller releases the text. */
static struct answer ask(const struct asked *a, const char *text)
{
    struct answer answer = {0};
    struct diag diag = {0};
    struct arena arena = {0};
    struct pipeline *pipeline = NULL;
    struct pred *pred = NULL;
    struct log_index *index = NULL;
    struct scan_stop stop = {.signals = -1, .deadline_ns = INT64_MAX};
    struct sink sink = {.fd = memfd_create("answer", MFD_CLOEXEC)};
    if (pipe_parse(&pipeline, &arena, slice_from(text), &diag) != 0)
        fail_msg("%s: %s", text, diag_text(&diag));
    const struct ast *condition = pipeline->condition;
    if (condition->kind != AST_TRUE)
        assert_int_equal(pred_compile(&pred, &condition, 1, &diag), 0);
    const struct sieve_query query = {.pred = pred, .since_ns = INT64_MIN, .until_ns = INT64_MAX};
    assert_int_equal(log_index_open(&index, a->store->dir.path, &diag), 0);
    struct pipe_run run = {.pipeline = pipeline,
                           .index = index,
                           .query = &query,
                           .form = {.form = a->form},
                           .threads = a->threads,
                           .row_max = a->row_max,
                           .memory_max_bytes = a->memory_max_bytes,
                           .stop = &stop,
                           .sink = &sink,
                           .diag = &diag};
    answer.err = pipe_run(&run);
    assert_int_equal(sink_close(&sink), 0);
    read_back(sink.fd, &answer.text);
    answer.counters = scan_counters(run.scan);
    answer.rows = run.rows;
    answer.stopped = scan_stop_text(&stop);
    (void)close(sink.fd);
    scan_free(run.scan);
    log_index_close(index);
    pred_free(pred);
    arena_release(&arena);
    diag_release(&diag);
    return answer;
}

static void expect_same(const struct asked *a, const char *text, const struct answer *want)
{
    struct answer got = ask(a, text);
    assert_int_equal(got.err, 0);
    if (!slice_equal(buf_content(&got.text), buf_content(&want->text)))
        fail_msg("%s:\n%s\nnot\n%.*s", text, buf_string(&got.text), (int)want->text.len,
                 want->text.data);
    buf_release(&got.text);
}

/* All rows into segments; those of a municipality have one hour of arrival, so large groups. */
static void compact(const struct sample_store *s)
{
    struct diag diag = {0};
    struct compact_report report = {0};
    const struct compact_options options = {
        .dir = s->dir.path, .store_id = store_id(s->store), .through_seq = UINT64_MAX};
    if (compact_run(&options, &report, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(report.rows, s->row_count);
    diag_release(&diag);
}

/* Each way gives the same; the first one's is to be released. */
static struct answer three_ways(const struct sample_store *s, const char *condition,
                                const char *pipe)
{
    struct asked a = asked(s);
    struct buf text = {0};
    buf_printf(&text, "%s | %s", condition, pipe);
    struct answer want = ask(&a, buf_string(&text));
    assert_int_equal(want.err, 0);
    assert_true(want.text.len > 10);
    assert_null(want.stopped);
    a.threads = THREADS;
    expect_same(&a, buf_string(&text), &want);
    buf_reset(&text);
    buf_printf(&text, "%s | head %d | %s", condition, EVERYTHING, pipe);
    expect_same(&a, buf_string(&text), &want);
    buf_reset(&text);
    buf_printf(&text, "%s | sort -user, source.ip | head %d | %s", condition, EVERYTHING, pipe);
    expect_same(&a, buf_string(&text), &want);
    buf_release(&text);
    return want;
}

/* Of the log, and once more of segments. */
static void test_three_ways(void **state)
{
    (void)state;
    static const char *const PIPES[] = {
        "stats count()",
        "stats count() by tenant, source",
        "stats count(), count(user), distinct(user), min(user), max(user) by event.action",
        "stats sum(source.port) avg(source.port) p50(source.port) p99(source.port) by source.ip",
        "stats min(@timestamp), max(@timestamp), distinct(kafka.offset) by kafka.topic, format",
        "stats distinct(event.original), p0(kafka.offset) by kafka.partition, sekisho.sub",
        "stats count() by event.action, source.port, tenant, sekisho.verdict",
        "stats count(), sum(source.port) by event.action, cisco_asa.nothing, source.ip",
        "timechart span=100ms count(), max(source.port) by sekisho.format",
        "timechart span=1h count() by event.action",
        "top 20 user",
        "top 20 source.ip",
        "rare 20 event.action, source.port",
    };
    enum {
        PIPES_ASKED = sizeof(PIPES) / sizeof(PIPES[0]),
        ASKED = 3 * PIPES_ASKED,
    };
    static const char *const CONDITIONS[] = {"", "source.port>=30000", "\"word1\" or user:*"};
    struct sample_store s = {0};
    struct answer wants[ASKED];
    sample_open(&s, 21, 80, 64 << 10);
    for (size_t i = 0; i < ASKED; i++)
        wants[i] = three_ways(&s, CONDITIONS[i % 3], PIPES[i / 3]);
    compact(&s);
    for (size_t i = 0; i < ASKED; i++) {
        struct answer got = three_ways(&s, CONDITIONS[i % 3], PIPES[i / 3]);
        if (!slice_equal(buf_content(&got.text), buf_content(&wants[i].text)))
            fail_msg("%s | %s of segments:\n%s\nnot\n%.*s", CONDITIONS[i % 3], PIPES[i / 3],
                     buf_string(&got.text), (int)wants[i].text.len, wants[i].text.data);
        buf_release(&got.text);
        buf_release(&wants[i].text);
    }
    sample_close(&s);
}

/* Counts by what heads say are those of the rows, and no row is unpacked for them. */
static void test_heads(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct buf want = {0};
    uint64_t counts[2] = {0};
    sample_open(&s, 22, 40, 0);
    for (size_t i = 0; i < s.row_count; i++)
        counts[s.rows[i].tenant == 990001]++;
    buf_printf(&want,
               "{\"sekisho.tenant\":\"052027\",\"count\":%llu}\n"
               "{\"sekisho.tenant\":\"990001\",\"count\":%llu}\n",
               (unsigned long long)counts[0], (unsigned long long)counts[1]);
    struct asked a = asked(&s);
    a.threads = THREADS;
    struct answer got = ask(&a, "| stats count() by tenant");
    assert_string_equal(buf_string(&got.text), buf_string(&want));
    assert_int_equal(got.counters.rows_unpacked, 0);
    assert_int_equal(got.counters.hits, s.row_count);
    buf_release(&got.text);
    got = ask(&a, "source.port>=0 or not source.port>=0 | stats count() by tenant");
    assert_string_equal(buf_string(&got.text), buf_string(&want));
    assert_int_equal(got.counters.rows_unpacked, s.row_count);
    buf_release(&got.text);
    buf_release(&want);
    sample_close(&s);
}

/*
 * Counts by fields with few values, of the log and of segments: the same bytes and hits, and of segments no row
 * is unpacked where their censuses tell what is asked for.
 */
static void test_censuses(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool told;
    } CASES[] = {
        {"| stats count() by sekisho.verdict", true},
        {"| stats count() by sekisho.zone.source, verdict, tenant", true},
        {"verdict:deny | stats count() as n by sekisho.zone.source | sort -n", true},
        {"not sekisho.zone.source:* and not verdict:(deny or drop) | top 5 verdict", true},
        {"sekisho.zone.source:*m* or verdict:allow | stats count(), count() as m", true},
        {"sekisho.zone.source:\"\" format:alpha | rare 5 format, sekisho.parse.error", true},
        {"sekisho.zone.destination:* | stats count() by sekisho.source", true},
        {"network.direction:in or sekisho.source:fw1 | stats count() by http.response.status_code",
         true},
        {"| top 10 destination.ip", true},
        {"not destination.ip:* format:beta | stats count() by destination.ip, tenant", true},
        {"| stats count() by destination.ip, verdict", false}, /* an address alone */
        {"verdict:deny | stats distinct(sekisho.zone.source)", false},
        {"verdict:deny user:* | stats count() by sekisho.zone.source", false},
        {"\"word1\" | stats count() by verdict", false},
        {"verdict:deny kafka.partition:1 | stats count() by verdict", false},
    };
    enum {
        CENSUS_CASES = sizeof(CASES) / sizeof(CASES[0]),
    };
    struct sample_store s = {.few = true};
    struct answer wants[CENSUS_CASES];
    sample_open(&s, 26, 260, 0);
    assert_true(s.row_count > 10000); /* a group of several blocks is among them */
    struct asked a = asked(&s);
    for (size_t i = 0; i < CENSUS_CASES; i++)
        wants[i] = ask(&a, CASES[i].query);
    compact(&s);
    for (size_t i = 0; i < CENSUS_CASES; i++) {
        a.threads = 1 + i % 2;
        struct answer got = ask(&a, CASES[i].query);
        assert_int_equal(got.err, 0);
        if (!slice_equal(buf_content(&got.text), buf_content(&wants[i].text)))
            fail_msg("%s of segments:\n%s\nnot\n%.*s", CASES[i].query, buf_string(&got.text),
                     (int)wants[i].text.len, wants[i].text.data);
        assert_int_equal(got.counters.hits, wants[i].counters.hits);
        assert_int_equal(got.counters.rows, s.row_count);
        assert_int_equal(got.counters.rows_unpacked == 0, CASES[i].told);
        buf_release(&got.text);
        buf_release(&wants[i].text);
    }
    sample_close(&s);
}

/* What is sorted for its first rows is pruned on the way; the rows are those of a whole sort. */
static void test_pruned_sort(void **state)
{
    (void)state;
    struct sample_store s = {0};
    sample_open(&s, 23, 240, 0);
    assert_true(s.row_count > 9000); /* a sort before head is pruned from 8,192 on */
    struct asked a = asked(&s);
    struct answer few = ask(&a, "| sort -source.port, kafka.offset | head 7");
    a.row_max = 7;
    expect_same(&a, "| sort -source.port, kafka.offset", &few);
    a.row_max = UINT64_MAX;
    struct answer cells =
        ask(&a, "| sort -source.port, kafka.offset | head 7 | fields event.original, source.port");
    assert_int_equal(cells.rows, 7);
    buf_release(&cells.text);
    buf_release(&few.text);
    sample_close(&s);
}

static void test_budget(void **state)
{
    (void)state;
    static const char *const QUERIES[] = {
        "| stats count() by event.original",
        "| dedup event.original | fields event.original",
        "| sort event.original | fields event.original",
        "| head 100000 | stats distinct(event.original)",
    };
    struct sample_store s = {0};
    sample_open(&s, 24, 200, 0);
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        struct asked a = asked(&s);
        a.threads = 1 + i % 2;
        a.memory_max_bytes = 400000;
        struct answer part = ask(&a, QUERIES[i]);
        assert_int_equal(part.err, 0);
        assert_string_equal(part.stopped, "--max-memory is full");
        assert_true(part.text.len > 10);
        a.memory_max_bytes = 0;
        struct answer whole = ask(&a, QUERIES[i]);
        assert_null(whole.stopped);
        assert_true(whole.rows >= part.rows);
        buf_release(&part.text);
        buf_release(&whole.text);
    }
    sample_close(&s);
}

/* Forms: CSV with a header also when empty, a table of at most 1,000 rows. */
static void test_forms(void **state)
{
    (void)state;
    struct sample_store s = {0};
    sample_open(&s, 25, 60, 0);
    struct asked a = asked(&s);
    a.form = ROW_CSV;
    struct answer got = ask(&a, "user:nobody-has-this | stats count() as \"=n\" by user");
    assert_string_equal(buf_string(&got.text), "user.name,'=n\r\n");
    buf_release(&got.text);
    got = ask(&a, "user:nobody-has-this | stats count(), sum(source.port)");
    assert_string_equal(buf_string(&got.text), "count,sum(source.port)\r\n0,\r\n");
    buf_release(&got.text);
    a.form = ROW_TABLE;
    got = ask(&a, "user:nobody-has-this | stats count(), sum(source.port)");
    assert_string_equal(buf_string(&got.text), "count  sum(source.port)\n    0  -\n");
    buf_release(&got.text);
    a.form = ROW_NDJSON;
    a.row_max = 2;
    got = ask(&a, "| top 5 event.action");
    assert_int_equal(got.rows, 5);
    size_t lines = 0;
    for (size_t i = 0; i < got.text.len; i++)
        lines += got.text.data[i] == '\n';
    assert_int_equal(lines, 2);
    buf_release(&got.text);
    sample_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_ways), cmocka_unit_test(test_heads),
        cmocka_unit_test(test_censuses),   cmocka_unit_test(test_pruned_sort),
        cmocka_unit_test(test_budget),     cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
