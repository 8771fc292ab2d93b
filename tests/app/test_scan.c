/* Searching and exporting a stored log against what a plain look at the original rows finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/compact.h"
#include "app/condition.h"
#include "app/record_print.h"
#include "app/row_print.h"
#include "tests/app/sample_store.h"

enum {
    QUERIES = 150,
    LEAVES_MAX = 3,
    OVERLAP_HOURS = 150,
    SMALL_FILE_BYTES = 4 * LEDGER_FILE_BYTES_MIN,
};

/* ---- a naive meaning of simple queries ---- */

enum naive_op {
    NAIVE_EQUAL,
    NAIVE_PART,
    NAIVE_AT_LEAST,
    NAIVE_RAW,
};

struct naive_leaf {
    enum naive_op op;
    uint16_t field;
    char text[32 + SLICE_PADDING_BYTES];
    bool negated;
};

struct naive_query {
    struct naive_leaf leaves[LEAVES_MAX];
    size_t count;
    bool any; /* or; else and */
};

static int fold(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool folded_equal(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (fold(a[i]) != fold(b[i]))
            return false;
    }
    return true;
}

static bool contains(struct slice text, struct slice part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (folded_equal(text.data + i, part.data, part.len))
            return true;
    }
    return false;
}

static bool value_holds(const struct naive_leaf *leaf, const struct column *c, struct slice written)
{
    struct buf value = {0};
    struct slice wanted = slice_from(leaf->text);
    int64_t a = 0;
    int64_t b = 0;
    struct ip x;
    struct ip y;
    bool holds = false;
    buf_reserve(&value, written.len + SLICE_PADDING_BYTES);
    if (c->type == FIELD_TYPE_TEXT)
        value_decode(&value, written, c->kind);
    else
        buf_slice(&value, written);
    struct slice text = buf_content(&value);
    if (c->type == FIELD_TYPE_IP) {
        holds = ip_parse(text, &x) != VALUE_INVALID && ip_parse(wanted, &y) != VALUE_INVALID &&
                memcmp(&x, &y, sizeof(x)) == 0;
    } else if (c->type == FIELD_TYPE_INT) {
        holds = value_int(text, &a) != VALUE_INVALID && value_int(wanted, &b) != VALUE_INVALID &&
                (leaf->op == NAIVE_AT_LEAST ? a >= b : a == b);
    } else {
        holds = (leaf->op == NAIVE_PART || text.len == wanted.len) && contains(text, wanted);
    }
    buf_release(&value);
    return holds;
}

static bool leaf_holds(const struct naive_leaf *leaf, const struct sample_row *r)
{
    struct buf scratch = {0};
    struct slice value;
    bool holds = false;
    if (leaf->op == NAIVE_RAW) {
        assert_int_equal(batch_render(r->batch, r->row, &scratch), 0);
        holds = contains(buf_content(&scratch), slice_from(leaf->text));
    }
    for (uint32_t i = 0; leaf->op != NAIVE_RAW && i < r->batch->column_count && !holds; i++) {
        const struct column *c = &r->batch->columns[i];
        if (c->field == leaf->field && batch_value(r->batch, c, r->row, &scratch, &value))
            holds = value_holds(leaf, c, value);
    }
    buf_release(&scratch);
    return holds != leaf->negated;
}

static bool query_holds(const struct naive_query *q, const struct sample_row *r)
{
    for (size_t i = 0; i < q->count; i++) {
        if (leaf_holds(&q->leaves[i], r) == q->any)
            return q->any;
    }
    return !q->any;
}

static void random_leaf(struct lines *l, struct naive_leaf *leaf, struct buf *text)
{
    static const uint16_t FIELDS[] = {FIELD_EVENT_ACTION, FIELD_USER_NAME};
    *leaf = (struct naive_leaf){.negated = lines_below(l, 4) == 0};
    int len = 0;
    buf_text(text, leaf->negated ? "not " : "");
    switch (lines_below(l, 5)) {
    case 0:
        leaf->field = FIELD_SOURCE_IP;
        len = snprintf(leaf->text, 32, "198.51.100.%u", lines_below(l, 256));
        buf_printf(text, "source.ip:%s", leaf->text);
        break;
    case 1:
        leaf->op = NAIVE_AT_LEAST;
        leaf->field = FIELD_SOURCE_PORT;
        len = snprintf(leaf->text, 32, "%u", lines_below(l, 70000));
        buf_printf(text, "source.port>=%s", leaf->text);
        break;
    case 2:
        leaf->op = NAIVE_RAW;
        len = snprintf(leaf->text, 32, "WORD%u", lines_below(l, 300));
        buf_printf(text, "\"%s\"", leaf->text);
        break;
    case 3:
        leaf->op = NAIVE_PART;
        leaf->field = FIELDS[lines_below(l, 2)];
        len = snprintf(leaf->text, 32, "ord%u", lines_below(l, 100));
        buf_printf(text, "%s:*%s*", field_info(leaf->field)->name.data, leaf->text);
        break;
    default:
        leaf->field = FIELDS[lines_below(l, 2)];
        len = snprintf(leaf->text, 32, "Word%u", lines_below(l, 2000));
        buf_printf(text, "%s:%s", field_info(leaf->field)->name.data, leaf->text);
        break;
    }
    assert_in_range(len, 1, 31);
}

static void random_query(struct lines *l, struct naive_query *q, struct buf *text)
{
    buf_reset(text);
    *q = (struct naive_query){.count = 1 + lines_below(l, LEAVES_MAX), .any = lines_below(l, 2)};
    for (size_t i = 0; i < q->count; i++) {
        if (i != 0)
            buf_text(text, q->any ? " or " : " and ");
        random_leaf(l, &q->leaves[i], text);
    }
}

/* ---- a scan beside it ---- */

struct found {
    struct sample_row *rows; /* that must come, in order */
    size_t count;
    size_t at;
    size_t stop_at; /* 0: never */
};

static int expect_row(void *self, const struct scan_row *row)
{
    struct found *f = self;
    struct buf ours = {0};
    struct buf theirs = {0};
    assert_true(f->at < f->count);
    const struct sample_row *r = &f->rows[f->at++];
    assert_true(slice_equal(row->batch->topic, r->topic));
    assert_int_equal(row->partition, r->partition);
    assert_int_equal(row->offset, r->offset);
    assert_int_equal(row->sub, r->sub);
    assert_int_equal(row->rank, f->at - 1);
    assert_int_equal(batch_render(row->batch, row->row, &ours), 0);
    assert_int_equal(batch_render(r->batch, r->row, &theirs), 0);
    assert_true(slice_equal(buf_content(&ours), buf_content(&theirs)));
    buf_release(&ours);
    buf_release(&theirs);
    return f->at == f->stop_at;
}

static struct sieve_query everything(void)
{
    return (struct sieve_query){.since_ns = INT64_MIN, .until_ns = INT64_MAX};
}

static bool scope_holds(const struct sieve_query *q, const struct sample_row *r)
{
    int64_t time_ns = r->batch->time_ns[r->row];
    return (!q->has_tenant || q->tenant == r->tenant) &&
           (!q->has_partition || q->partition == r->partition) &&
           (q->topic.len == 0 || slice_equal(q->topic, r->topic)) && time_ns >= q->since_ns &&
           time_ns < q->until_ns;
}

/* The rows that the scan must find. */
static void expect(struct found *f, const struct sample_store *s, const struct sieve_query *query,
                   const struct naive_query *naive)
{
    *f = (struct found){.rows = calloc(s->row_count + 1, sizeof(*f->rows))};
    assert_non_null(f->rows);
    for (size_t i = 0; i < s->row_count; i++) {
        const struct sample_row *r = &s->rows[i];
        if (scope_holds(query, r) && (naive == NULL || query_holds(naive, r)))
            f->rows[f->count++] = *r;
    }
}

static struct scan *run(const struct log_index *index, const struct sieve_query *query,
                        enum scan_keep keep, unsigned threads, struct diag *diag)
{
    struct scan *scan = NULL;
    const struct scan_options options = {.keep = keep, .newest = 20, .threads = threads};
    assert_int_equal(scan_run(&scan, index, query, &options, diag), 0);
    return scan;
}

/* One query in order and as a count. */
static void compare(const struct sample_store *s, const struct log_index *index,
                    const struct sieve_query *query, const struct naive_query *naive,
                    unsigned threads)
{
    struct diag diag = {0};
    struct found f;
    expect(&f, s, query, naive);
    struct scan *scan = run(index, query, SCAN_ORDER, threads, &diag);
    assert_int_equal(scan_walk(scan, expect_row, &f), 0);
    assert_int_equal(f.at, f.count);
    assert_int_equal(scan_counters(scan).hits, f.count);
    assert_int_equal(scan_missing(scan), 0);
    scan_free(scan);
    scan = run(index, query, SCAN_COUNT, threads, &diag);
    assert_int_equal(scan_counters(scan).hits, f.count);
    scan_free(scan);
    assert_int_equal(diag.count, 0);
    free(f.rows);
    diag_release(&diag);
}

static struct log_index *open_index(const struct sample_store *s, struct diag *diag)
{
    struct log_index *index = NULL;
    assert_int_equal(log_index_open(&index, s->dir.path, diag), 0);
    return index;
}

static void test_queries(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct buf text = {0};
    uint64_t hits = 0;
    sample_open(&s, 11, 120, 64 << 10);
    struct log_index *index = open_index(&s, &diag);
    assert_int_equal(log_index_count(index), s.blob_count);
    assert_true(s.blob_count < s.batch_count);
    for (uint32_t i = 0; i < QUERIES; i++) {
        struct naive_query naive;
        struct condition condition = {0};
        random_query(&s.lines, &naive, &text);
        if (condition_compile(&condition, buf_string(&text), &diag) != 0)
            fail_msg("%s: %s", buf_string(&text), diag_text(&diag));
        struct sieve_query query = everything();
        query.pred = condition.pred;
        query.has_tenant = i % 3 == 0;
        query.tenant = 52027;
        compare(&s, index, &query, &naive, 1 + i % 3);
        struct scan *scan = run(index, &query, SCAN_COUNT, 1, &diag);
        hits += scan_counters(scan).hits;
        scan_free(scan);
        condition_release(&condition);
    }
    assert_true(hits > 1000);
    log_index_close(index);
    buf_release(&text);
    diag_release(&diag);
    sample_close(&s);
}

static void test_scope(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    sample_open(&s, 5, 90, 0);
    struct log_index *index = open_index(&s, &diag);
    struct sieve_query query = everything();
    compare(&s, index, &query, NULL, 1);
    compare(&s, index, &query, NULL, 4);
    query.since_ns = SAMPLE_TIME_NS + 300000000;
    query.until_ns = SAMPLE_TIME_NS + 600000000;
    compare(&s, index, &query, NULL, 2);
    query.topic = s.topics[1].name;
    compare(&s, index, &query, NULL, 2);
    query.has_partition = true;
    query.partition = 1;
    compare(&s, index, &query, NULL, 2);
    query.has_tenant = true;
    query.tenant = 52027;
    compare(&s, index, &query, NULL, 2);
    query = everything();
    query.until_ns = SAMPLE_TIME_NS;
    struct scan *scan = run(index, &query, SCAN_ORDER, 1, &diag);
    assert_int_equal(scan_counters(scan).pruned_time, s.batch_count);
    assert_int_equal(scan_counters(scan).rows_unpacked, 0);
    scan_free(scan);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

/* What no batch holds costs no unpacking. */
static void test_pruning(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct condition condition = {0};
    sample_open(&s, 6, 60, 0);
    struct log_index *index = open_index(&s, &diag);
    struct sieve_query query = everything();
    assert_int_equal(condition_compile(&condition, "source.ip:203.0.113.77", &diag), 0);
    query.pred = condition.pred;
    struct scan *scan = run(index, &query, SCAN_ORDER, 2, &diag);
    assert_int_equal(scan_counters(scan).hits, 0);
    assert_int_equal(scan_counters(scan).batches, s.batch_count);
    assert_true(scan_counters(scan).pruned_filter > s.batch_count * 8 / 10);
    scan_free(scan);
    condition_release(&condition);
    assert_int_equal(condition_compile(&condition, "user.name:*nowhere-at-all*", &diag), 0);
    query.pred = condition.pred;
    scan = run(index, &query, SCAN_ORDER, 2, &diag);
    assert_int_equal(scan_counters(scan).hits, 0);
    assert_true(scan_counters(scan).pruned_texts > 0);
    scan_free(scan);
    condition_release(&condition);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

static void test_limit(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct found f;
    sample_open(&s, 7, 40, 0);
    struct log_index *index = open_index(&s, &diag);
    struct sieve_query query = everything();
    expect(&f, &s, &query, NULL);
    f.stop_at = 33;
    struct scan *scan = run(index, &query, SCAN_ORDER, 2, &diag);
    assert_int_equal(scan_walk(scan, expect_row, &f), 0);
    assert_int_equal(f.at, 33);
    free(f.rows);
    scan_free(scan);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

struct newest {
    int64_t times[20];
    bool seen[20];
    size_t count;
};

/* Segments of many hours that hold each other's offsets: more than may be decoded at once. */
static void test_overlap(void **state)
{
    (void)state;
    static const size_t OPEN_BYTES[] = {0, 40 << 20, 1};
    struct sample_store s = {.hours = OVERLAP_HOURS};
    struct diag diag = {0};
    struct compact_report report = {0};
    struct found f;
    sample_open(&s, 31, SANITIZED ? 12 : 30, 0);
    const struct compact_options options = {
        .dir = s.dir.path, .store_id = store_id(s.store), .through_seq = UINT64_MAX};
    assert_int_equal(compact_run(&options, &report, &diag), 0);
    assert_true(report.segments > OVERLAP_HOURS);
    struct log_index *index = open_index(&s, &diag);
    const struct sieve_query query = everything();
    for (size_t i = 0; i < sizeof(OPEN_BYTES) / sizeof(OPEN_BYTES[0]); i++) {
        const struct scan_options all = {
            .keep = SCAN_ORDER, .threads = 2, .open_bytes_max = OPEN_BYTES[i]};
        struct scan *scan = NULL;
        expect(&f, &s, &query, NULL);
        assert_int_equal(scan_run(&scan, index, &query, &all, &diag), 0);
        assert_int_equal(scan_walk(scan, expect_row, &f), 0);
        assert_int_equal(f.at, f.count);
        assert_int_equal(f.count, s.row_count);
        assert_int_equal(scan_missing(scan), 0);
        scan_free(scan);
        free(f.rows);
    }
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

static int keep_newest(void *self, const struct scan_row *row)
{
    struct newest *n = self;
    assert_true(row->rank < 20);
    assert_false(n->seen[row->rank]);
    n->seen[row->rank] = true;
    n->times[row->rank] = row->batch->time_ns[row->row];
    n->count++;
    return 0;
}

static int time_compare(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return *a > *b ? -1 : *a < *b;
}

static void test_newest(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    sample_open(&s, 8, 60, 0);
    struct log_index *index = open_index(&s, &diag);
    struct sieve_query query = everything();
    int64_t *times = calloc(s.row_count, sizeof(*times));
    assert_non_null(times);
    for (size_t i = 0; i < s.row_count; i++)
        times[i] = s.rows[i].batch->time_ns[s.rows[i].row];
    qsort(times, s.row_count, sizeof(*times), time_compare);
    for (unsigned threads = 1; threads < 4; threads++) {
        struct newest n = {0};
        struct scan *scan = run(index, &query, SCAN_NEWEST, threads, &diag);
        assert_int_equal(scan_newest(scan, keep_newest, &n), 0);
        assert_int_equal(n.count, 20);
        assert_memory_equal(n.times, times, sizeof(n.times));
        scan_free(scan);
    }
    free(times);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

/* ---- export ---- */

struct export_sink {
    struct record_printer *printer;
    struct buf out;
};

static int export_row(void *self, const struct scan_row *row)
{
    struct export_sink *x = self;
    return record_print_row(x->printer, row, &x->out);
}

static void export_all(const struct log_index *index, const struct record_print_options *options,
                       struct buf *out)
{
    const struct sieve_query query = everything();
    struct diag diag = {0};
    struct export_sink x = {0};
    struct scan *scan = run(index, &query, SCAN_ORDER, 2, &diag);
    assert_int_equal(record_printer_new(&x.printer, options), 0);
    assert_int_equal(scan_walk(scan, export_row, &x), 0);
    assert_int_equal(record_print_end(x.printer, &x.out), 0);
    record_printer_free(x.printer);
    scan_free(scan);
    diag_release(&diag);
    *out = x.out;
}

static void test_export_raw(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct buf out = {0};
    struct buf wanted = {0};
    sample_open(&s, 13, 80, 0);
    struct log_index *index = open_index(&s, &diag);
    export_all(index, &(struct record_print_options){.raw = true, .terminator = '\0'}, &out);
    for (size_t i = 0; i < s.row_count; i++) {
        assert_int_equal(batch_render(s.rows[i].batch, s.rows[i].row, &wanted), 0);
        bool ends = i + 1 == s.row_count || sample_begins_record(&s, i + 1);
        if (ends && !slice_equal(s.rows[i].topic, SLICE("file")))
            buf_byte(&wanted, '\0');
    }
    assert_true(slice_equal(buf_content(&out), buf_content(&wanted)));
    buf_release(&out);
    buf_release(&wanted);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

/* The SHA-256 of the record that row i belongs to, as the export writes it. */
static void record_member(const struct sample_store *s, size_t i, char *out, size_t cap)
{
    struct buf bytes = {0};
    struct sha256 hash;
    char hex[SHA256_HEX_BYTES + 1];
    while (!sample_begins_record(s, i))
        i--;
    do
        assert_int_equal(batch_render(s->rows[i].batch, s->rows[i].row, &bytes), 0);
    while (++i < s->row_count && !sample_begins_record(s, i));
    assert_int_equal(sha256_of(&hash, buf_content(&bytes)), 0);
    sha256_hex(hex, &hash);
    (void)snprintf(out, cap, "\"sekisho.raw.sha256\":\"%s\"", hex);
    buf_release(&bytes);
}

static bool has_extra(const struct batch *b, uint32_t row)
{
    for (uint32_t i = 0; i < b->extra_count; i++) {
        if (b->extras[i].row == row)
            return true;
    }
    return false;
}

static void test_export_ndjson(void **state)
{
    (void)state;
    struct sample_store s = {0};
    struct diag diag = {0};
    struct buf out = {0};
    size_t keys = 0;
    sample_open(&s, 14, 60, 0);
    struct log_index *index = open_index(&s, &diag);
    export_all(index, &(struct record_print_options){.terminator = '\n'}, &out);
    char *line = out.data;
    for (size_t i = 0; i < s.row_count; i++) {
        char wanted[160];
        char *end = memchr(line, '\n', (size_t)(out.data + out.len - line));
        assert_non_null(end);
        *end = '\0';
        record_member(&s, i, wanted, sizeof(wanted));
        assert_non_null(strstr(line, wanted));
        (void)snprintf(wanted, sizeof(wanted), "\"kafka.offset\":%lld,",
                       (long long)s.rows[i].offset);
        assert_non_null(strstr(line, wanted));
        if (has_extra(s.rows[i].batch, s.rows[i].row)) {
            keys++;
            assert_non_null(strstr(line,
                                   ",\"kafka.key\":\"key\",\"kafka.headers\":[{\"name\":\"h\","
                                   "\"value\":\"v\"}]}"));
        }
        line = end + 1;
    }
    assert_true(keys > 10);
    assert_ptr_equal(line, out.data + out.len);
    buf_release(&out);
    log_index_close(index);
    diag_release(&diag);
    sample_close(&s);
}

/* ---- rows as CSV ---- */

static void test_csv(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct row_printer *printer = NULL;
    struct buf out = {0};
    static const char LINE[128] = "=1+1 a,\"b -5";
    struct slots slots = {0};
    assert_non_null(b);
    b->tenant = 52027;
    b->topic = SLICE("t");
    b->source = SLICE("-fw");
    b->format_name = SLICE("alpha");
    assert_true(slots_add(&slots, 0, 4, FIELD_EVENT_ACTION, SLOT_PLAIN));
    assert_true(slots_add(&slots, 5, 4, FIELD_USER_NAME, SLOT_PLAIN));
    assert_true(slots_add(&slots, 10, 2, FIELD_SOURCE_BYTES, SLOT_PLAIN));
    const struct row row = {.bytes = slice_of(LINE, 12), .slots = &slots, .offset = 3};
    assert_int_equal(batch_append(b, &row), 0);
    const struct row_print_options options = {.form = ROW_CSV};
    assert_int_equal(row_printer_new(&printer, &options), 0);
    row_print_header(printer, &out);
    assert_true(slice_starts(buf_content(&out), SLICE("@timestamp,sekisho.tenant,")));
    buf_reset(&out);
    const struct scan_row hit = {.batch = b, .offset = 3};
    assert_int_equal(row_print(printer, &hit, &out), 0);
    assert_true(slice_starts(
        buf_content(&out),
        SLICE("1970-01-01T00:00:00Z,052027,'-fw,alpha,unknown,'=1+1,,,-5,,,,,,,\"a,\"\"b\",")));
    assert_true(
        slice_equal(slice_from_offset(buf_content(&out), out.len - 10), SLICE(",t,0,3,0\r\n")));
    row_printer_free(printer);
    buf_release(&out);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries),       cmocka_unit_test(test_scope),
        cmocka_unit_test(test_pruning),       cmocka_unit_test(test_limit),
        cmocka_unit_test(test_newest),        cmocka_unit_test(test_export_raw),
        cmocka_unit_test(test_export_ndjson), cmocka_unit_test(test_csv),
        cmocka_unit_test(test_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
