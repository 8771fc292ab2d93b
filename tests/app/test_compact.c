/* Rows of the log into segments, in several runs: each row is seen once, with all that it had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "app/compact.h"
#include "app/condition.h"
#include "app/keyring_option.h"
#include "app/scan.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/catalog.h"
#include "tests/app/history.h"

enum {
    SMALL_MEMORY_BYTES = 48 << 10,
    QUERIES = SANITIZED ? 4 : 12,
    SEEDS = SANITIZED ? 1 : 2,
    HOURS = 1000,
    WRONG_BYTES = SANITIZED ? 40 : 300,
    WRONG_CHUNKS = 250, /* of those of a run, which has some more */
    FILES_MAX = 200,    /* open, of a process */
};

static struct sieve_query everything(void)
{
    return (struct sieve_query){.since_ns = INT64_MIN, .until_ns = INT64_MAX};
}

static struct compact_report compact(const struct history *h, uint64_t through_seq,
                                     uint64_t memory_bytes)
{
    struct diag diag = {0};
    struct compact_report report = {0};
    struct keyring *keys = NULL;
    assert_int_equal(keyring_option(&keys, &diag), 0);
    const struct compact_options options = {.dir = h->dir.path,
                                            .keys = keys,
                                            .store_id = store_id(h->store),
                                            .through_seq = through_seq,
                                            .memory_bytes = memory_bytes};
    int err = compact_run(&options, &report, &diag);
    if (err != 0)
        fail_msg("%s: %s", err_name(err), diag_text(&diag));
    keyring_close(keys);
    diag_release(&diag);
    return report;
}

/* ---- a row with all that belongs to it ---- */

/* Every value of a row, whatever the order of columns. */
static uint64_t values_sum(const struct batch *b, uint32_t row)
{
    struct buf scratch = {0};
    struct buf name = {0};
    uint64_t sum = 0;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct slice value;
        if (!batch_value(b, c, row, &scratch, &value))
            continue;
        const uint8_t what[] = {c->ordinal, c->kind, c->type, c->derived};
        uint64_t hash = hash_bytes(1, what, sizeof(what));
        hash = hash_slice(hash, batch_field_name(b, c->field, &name));
        sum += hash_slice(hash, value);
    }
    buf_release(&scratch);
    buf_release(&name);
    return sum;
}

static const struct extra *extra_of(const struct batch *b, uint32_t row)
{
    for (uint32_t i = 0; i < b->extra_count; i++) {
        if (b->extras[i].row == row)
            return &b->extras[i];
    }
    return NULL;
}

static void compare_extras(const struct batch *a, uint32_t a_row, const struct batch *b,
                           uint32_t b_row)
{
    const struct extra *x = extra_of(a, a_row);
    const struct extra *y = extra_of(b, b_row);
    assert_int_equal(x == NULL, y == NULL);
    if (x == NULL || y == NULL)
        return;
    assert_int_equal(x->has_key, y->has_key);
    assert_int_equal(x->null_value, y->null_value);
    assert_true(slice_equal(batch_span(a, x->key), batch_span(b, y->key)));
    assert_true(slice_equal(batch_span(a, x->headers), batch_span(b, y->headers)));
}

static void compare_rows(const struct batch *a, uint32_t a_row, const struct batch *b,
                         uint32_t b_row)
{
    struct buf ours = {0};
    struct buf theirs = {0};
    assert_int_equal(a->tenant, b->tenant);
    assert_int_equal(a->format, b->format);
    assert_int_equal(a->zone_minutes, b->zone_minutes);
    assert_int_equal(a->generation, b->generation);
    assert_true(slice_equal(a->topic, b->topic));
    assert_true(slice_equal(a->source, b->source));
    assert_true(slice_equal(a->format_name, b->format_name));
    assert_int_equal(a->time_ns[a_row], b->time_ns[b_row]);
    assert_int_equal(a->arrival_ns[a_row], b->arrival_ns[b_row]);
    assert_int_equal(a->reason[a_row], b->reason[b_row]);
    assert_int_equal(a->time_source[a_row], b->time_source[b_row]);
    assert_int_equal(a->verdict[a_row], b->verdict[b_row]);
    assert_int_equal(batch_render(a, a_row, &ours), 0);
    assert_int_equal(batch_render(b, b_row, &theirs), 0);
    assert_true(slice_equal(buf_content(&ours), buf_content(&theirs)));
    assert_int_equal(values_sum(a, a_row), values_sum(b, b_row));
    compare_extras(a, a_row, b, b_row);
    buf_release(&ours);
    buf_release(&theirs);
}

/* ---- all rows over both levels ---- */

struct expected {
    const struct history *history;
    size_t at;
};

static int expect_row(void *self, const struct scan_row *row)
{
    struct expected *e = self;
    assert_true(e->at < e->history->row_count);
    const struct history_row *r = &e->history->rows[e->at++];
    assert_true(slice_equal(row->batch->topic, r->topic));
    assert_int_equal(row->partition, r->partition);
    assert_int_equal(row->offset, r->offset);
    assert_int_equal(row->sub, r->sub);
    compare_rows(row->batch, row->row, r->batch, r->row);
    return 0;
}

static struct log_index *open_index(const struct history *h, bool log_only)
{
    struct log_index *index = NULL;
    struct diag diag = {0};
    const struct log_index_options options = {
        .dir = h->dir.path,
        .wish = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
        .log_only = log_only};
    assert_int_equal(log_index_open_with(&index, &options, &diag), 0);
    assert_int_equal(log_index_damage(index), 0);
    assert_int_equal(diag.count, 0);
    diag_release(&diag);
    return index;
}

static struct scan *run(const struct log_index *index, const struct sieve_query *query,
                        enum scan_keep keep, unsigned threads)
{
    struct scan *scan = NULL;
    const struct scan_options options = {.keep = keep, .threads = threads};
    assert_int_equal(scan_run(&scan, index, query, &options, NULL), 0);
    assert_int_equal(scan_missing(scan), 0);
    return scan;
}

static void check_all(const struct history *h, const struct log_index *index)
{
    const struct sieve_query query = everything();
    struct expected e = {.history = h};
    struct scan *scan = run(index, &query, SCAN_ORDER, 2);
    assert_int_equal(scan_counters(scan).hits, h->row_count);
    assert_int_equal(scan_walk(scan, expect_row, &e), 0);
    assert_int_equal(e.at, h->row_count);
    assert_int_equal(scan_missing(scan), 0);
    scan_free(scan);
    scan = run(index, &query, SCAN_COUNT, 2);
    assert_int_equal(scan_counters(scan).hits, h->row_count);
    scan_free(scan);
}

/* ---- numbers in the history ---- */

static const struct history_row *find_row(const struct history *h, const struct batch *b,
                                          uint32_t row)
{
    struct history_row key = {.topic = b->topic, .sub = b->sub == NULL ? 0 : b->sub[row]};
    batch_place(b, row, &key.partition, &key.offset);
    return bsearch(&key, h->rows, h->row_count, sizeof(*h->rows), history_row_compare);
}

struct leaves {
    uint8_t *seen[HISTORY_TENANTS];
    uint64_t count[HISTORY_TENANTS];
    struct rowgroup_reader *reader;
    struct batch *batch;
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
};

static void check_block(const struct history *h, struct leaves *l, uint64_t through_seq)
{
    size_t tenant = history_tenant(l->batch->tenant);
    for (uint32_t row = 0; row < l->batch->row_count; row++) {
        const struct history_row *r = find_row(h, l->batch, row);
        assert_non_null(r);
        assert_int_equal(l->numbers[row], r->leaf);
        assert_true(r->seq <= through_seq);
        assert_int_equal(l->seen[tenant][r->leaf], 0);
        l->seen[tenant][r->leaf] = 1;
        l->count[tenant]++;
    }
}

static void check_catalogs(const struct history *h, const struct leaves *l, uint64_t through_seq)
{
    struct diag diag = {0};
    for (size_t t = 0; t < HISTORY_TENANTS; t++) {
        char folder[FILE_PATH_BYTES_MAX];
        struct catalog c = {0};
        uint64_t rows = 0;
        uint64_t wanted = 0;
        for (size_t i = 0; i < h->row_count; i++)
            wanted += h->rows[i].tenant == HISTORY_CODES[t] && h->rows[i].seq <= through_seq;
        assert_int_equal(l->count[t], wanted);
        if (wanted == 0)
            continue;
        assert_int_equal(catalog_folder(folder, sizeof(folder), h->dir.path, HISTORY_CODES[t]), 0);
        assert_int_equal(catalog_read(&c, folder, &diag), 0);
        assert_int_equal(c.tree.size, wanted);
        assert_int_equal(c.through_seq, through_seq);
        for (size_t i = 0; i < c.segment_count; i++)
            rows += c.segments[i].row_count;
        assert_int_equal(rows, wanted);
        catalog_release(&c);
    }
    diag_release(&diag);
}

/* The segments hold exactly the rows of the frames up to through_seq, each with its number. */
static void check_leaves(const struct history *h, const struct log_index *index,
                         uint64_t through_seq)
{
    const struct long_term *t = log_index_long_term(index);
    struct leaves *l = calloc(1, sizeof(*l));
    assert_non_null(l);
    for (size_t i = 0; i < HISTORY_TENANTS; i++) {
        l->seen[i] = calloc(h->leaf_counts[i] + 1, 1);
        assert_non_null(l->seen[i]);
    }
    l->reader = rowgroup_reader_new();
    l->batch = batch_new();
    for (size_t g = 0; g < t->group_count; g++) {
        assert_int_equal(rowgroup_open(l->reader, t->groups[g], l->batch), 0);
        for (uint32_t block = 0; block < t->groups[g]->block_count; block++) {
            assert_int_equal(rowgroup_rows(l->reader, block, NULL, l->batch), 0);
            assert_int_equal(rowgroup_leaves(l->reader, block, l->numbers), 0);
            check_block(h, l, through_seq);
        }
    }
    check_catalogs(h, l, through_seq);
    for (size_t i = 0; i < HISTORY_TENANTS; i++)
        free(l->seen[i]);
    rowgroup_reader_free(l->reader);
    batch_free(l->batch);
    free(l);
}

/* ---- queries over both levels and over the log alone ---- */

struct places {
    struct buf bytes;
};

static int keep_place(void *self, const struct scan_row *row)
{
    struct places *p = self;
    buf_slice(&p->bytes, row->batch->topic);
    buf_put32(&p->bytes, (uint32_t)row->partition);
    buf_put64(&p->bytes, (uint64_t)row->offset);
    buf_put32(&p->bytes, row->sub);
    return 0;
}

static void random_part(struct lines *l, struct buf *text)
{
    buf_text(text, lines_below(l, 4) == 0 ? "not " : "");
    switch (lines_below(l, 7)) {
    case 0:
        buf_printf(text, "source.ip:198.51.100.%u", lines_below(l, 256));
        break;
    case 1:
        buf_printf(text, "source.port>=%u", lines_below(l, 70000));
        break;
    case 2:
        buf_printf(text, "\"WORD%u\"", lines_below(l, 300));
        break;
    case 3:
        buf_printf(text, "event.action:*ord%u*", lines_below(l, 100));
        break;
    case 4:
        buf_text(text, "source.geo.country_iso_code:JP");
        break;
    case 5:
        buf_printf(text, "source.ip:198.51.100.%u/29", lines_below(l, 32) * 8);
        break;
    default:
        buf_printf(text, "user.name:Word%u", lines_below(l, 2000));
        break;
    }
}

static void random_scope(struct history *h, struct sieve_query *query)
{
    struct lines *l = &h->lines;
    *query = everything();
    query->has_tenant = lines_below(l, 3) == 0;
    query->tenant = HISTORY_CODES[lines_below(l, HISTORY_TENANTS)];
    query->has_partition = lines_below(l, 4) == 0;
    query->partition = (int32_t)lines_below(l, HISTORY_PARTITIONS);
    if (lines_below(l, 2) == 0)
        query->since_ns =
            HISTORY_TIME_NS + (int64_t)lines_below(l, (uint32_t)h->hour + 1) * HISTORY_HOUR_NS;
    if (lines_below(l, 2) == 0)
        query->until_ns =
            HISTORY_TIME_NS + (int64_t)lines_below(l, (uint32_t)h->hour + 1) * HISTORY_HOUR_NS + 1;
}

static uint64_t collect(const struct history *h, const struct sieve_query *query, bool log_only,
                        bool by_wish, struct places *out)
{
    struct diag diag = {0};
    struct log_index *index = NULL;
    struct log_index_options options = {.dir = h->dir.path,
                                        .wish = {.since_ns = INT64_MIN, .until_ns = INT64_MAX},
                                        .log_only = log_only};
    if (by_wish) {
        options.wish = (struct long_term_wish){.has_tenant = query->has_tenant,
                                               .tenant = query->tenant,
                                               .since_ns = query->since_ns,
                                               .until_ns = query->until_ns};
    }
    assert_int_equal(log_index_open_with(&index, &options, &diag), 0);
    struct scan *scan = run(index, query, SCAN_ORDER, 2);
    assert_int_equal(scan_walk(scan, keep_place, out), 0);
    assert_true(buf_ok(&out->bytes));
    uint64_t hits = scan_counters(scan).hits;
    scan_free(scan);
    log_index_close(index);
    diag_release(&diag);
    return hits;
}

static uint64_t check_queries(struct history *h)
{
    struct buf text = {0};
    struct diag diag = {0};
    uint64_t hits = 0;
    for (int i = 0; i < QUERIES; i++) {
        struct condition condition = {0};
        struct sieve_query query;
        struct places log = {0};
        buf_reset(&text);
        random_part(&h->lines, &text);
        for (uint32_t more = lines_below(&h->lines, 3); more > 0; more--) {
            buf_text(&text, lines_below(&h->lines, 2) == 0 ? " and " : " or ");
            random_part(&h->lines, &text);
        }
        if (condition_compile(&condition, buf_string(&text), &diag) != 0)
            fail_msg("%s: %s", buf_string(&text), diag_text(&diag));
        random_scope(h, &query);
        query.pred = condition.pred;
        hits += collect(h, &query, true, false, &log);
        for (int wish = 0; wish < 2; wish++) {
            struct places both = {0};
            (void)collect(h, &query, false, wish == 1, &both);
            if (!slice_equal(buf_content(&log.bytes), buf_content(&both.bytes)))
                fail_msg("%s: other rows than in the log", buf_string(&text));
            buf_release(&both.bytes);
        }
        buf_release(&log.bytes);
        condition_release(&condition);
    }
    buf_release(&text);
    diag_release(&diag);
    return hits;
}

static uint64_t check(struct history *h, uint64_t through_seq)
{
    struct log_index *index = open_index(h, false);
    check_all(h, index);
    check_leaves(h, index, through_seq);
    log_index_close(index);
    return check_queries(h);
}

/* ---- some of the municipalities are encrypted ---- */

enum {
    SEALED_EVERY = 2, /* the first, the third */
};

static void rotate(size_t tenant, bool make)
{
    struct keyring *keys = NULL;
    struct diag diag = {0};
    const struct keyring_key *made = NULL;
    assert_int_equal(keyring_edit(&keys, keyring_option_path(), make, &diag), 0);
    assert_int_equal(keyring_rotate(&made, keys, HISTORY_CODES[tenant], &diag), 0);
    keyring_close(keys);
    diag_release(&diag);
}

/* How many segments a municipality has, each of which is sealed or none. */
static size_t count_sealed(const struct history *h, size_t tenant, const struct keyring *keys)
{
    char folder[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    struct diag diag = {0};
    size_t sealed = 0;
    assert_int_equal(catalog_folder(folder, sizeof(folder), h->dir.path, HISTORY_CODES[tenant]), 0);
    assert_int_equal(catalog_read(&c, folder, &diag), 0);
    for (size_t i = 0; i < c.segment_count; i++) {
        struct segment *s = NULL;
        struct buf bytes = {0};
        assert_int_equal(segment_path(path, sizeof(path), folder, &c.segments[i].name), 0);
        assert_int_equal(segment_open(&s, path, keys, &diag), 0);
        assert_int_equal(file_read_all(&bytes, path, 1 << 24), 0);
        bool named = memmem(bytes.data, bytes.len, "seclog.raw.", 11) != NULL;
        assert_true(named == !segment_is_sealed(s));
        sealed += segment_is_sealed(s);
        buf_release(&bytes);
        segment_close(s);
    }
    assert_true(sealed == 0 || sealed == c.segment_count);
    catalog_release(&c);
    diag_release(&diag);
    return sealed;
}

/* Without keys the segments are missed one by one, and those of the others are not. */
static void check_locked(const struct history *h)
{
    char path[FILE_PATH_BYTES_MAX];
    struct keyring *keys = NULL;
    struct diag diag = {0};
    size_t sealed = 0;
    assert_int_equal(keyring_option(&keys, &diag), 0);
    (void)snprintf(path, sizeof(path), "%s", keyring_option_path());
    assert_int_equal(unsetenv(KEYRING_ENVIRONMENT), 0);
    for (size_t t = 0; t < HISTORY_TENANTS; t++) {
        struct log_index *index = NULL;
        const struct log_index_options options = {.dir = h->dir.path,
                                                  .wish = {.has_tenant = true,
                                                           .tenant = HISTORY_CODES[t],
                                                           .since_ns = INT64_MIN,
                                                           .until_ns = INT64_MAX}};
        size_t of_it = count_sealed(h, t, keys);
        assert_int_equal(of_it != 0, t % SEALED_EVERY == 0);
        assert_int_equal(log_index_open_with(&index, &options, &diag), 0);
        assert_int_equal(log_index_damage(index), of_it);
        log_index_close(index);
        sealed += of_it;
    }
    assert_int_equal(diag.count, sealed);
    keyring_close(keys);
    assert_int_equal(keyring_option_name(path), 0);
    diag_release(&diag);
}

/* ---- cases ---- */

static const struct history_shape USUAL = {
    .records_max = 60, .late_share = 12, .late_hours = 20, .hour_step = 2};

/* Frames come between the runs, which take a part of them. */
static void grow_and_compact(uint64_t seed, uint64_t memory_bytes, int runs)
{
    struct history h = {0};
    uint64_t through = 0;
    uint64_t rows = 0;
    uint64_t rows_again = 0;
    uint64_t spilled_bytes = 0;
    uint64_t hits = 0;
    history_open(&h, seed, &USUAL);
    for (int i = 0; i < runs; i++) {
        history_grow(&h, 15);
        uint64_t last = store_last_seq(h.store);
        /* A step, all of it, or nothing new. */
        uint64_t to = lines_below(&h.lines, 5) == 0 ? through
                      : lines_below(&h.lines, 3) == 0
                          ? last
                          : through + lines_below(&h.lines, (uint32_t)(last - through) + 1);
        struct compact_report report = compact(&h, to, memory_bytes);
        assert_int_equal(report.through_seq, to);
        if (keyring_option_path() != NULL && lines_below(&h.lines, 2) == 0)
            rotate((size_t)lines_below(&h.lines, 2) * SEALED_EVERY, false);
        through = to;
        rows += report.rows;
        rows_again += report.rows_again;
        spilled_bytes += report.spilled_bytes;
        hits += check(&h, through);
    }
    struct compact_report report = compact(&h, UINT64_MAX, memory_bytes);
    rows += report.rows;
    assert_int_equal(rows, h.row_count);
    hits += check(&h, store_last_seq(h.store));
    assert_true(rows_again > 100 && spilled_bytes > 1000 && hits > 1000);
    if (keyring_option_path() != NULL)
        check_locked(&h);
    history_close(&h);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        grow_and_compact(seed, 0, 6);
}

static void test_small_memory(void **state)
{
    (void)state;
    grow_and_compact(11, SMALL_MEMORY_BYTES, 6);
}

/* Two of four are encrypted, and their keys change between the runs. */
static void test_sealed(void **state)
{
    (void)state;
    char folder[256];
    char path[512];
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-keys-"), 0);
    (void)snprintf(path, sizeof(path), "%s/keyring", folder);
    assert_int_equal(keyring_option_name(path), 0);
    rotate(0, true);
    rotate(SEALED_EVERY, false);
    grow_and_compact(41, SMALL_MEMORY_BYTES, 6);
    assert_int_equal(unsetenv(KEYRING_ENVIRONMENT), 0);
    assert_int_equal(dir_remove_tree(folder), 0);
}

/* More hours at once than a process may have open files; most of them get late rows afterwards. */
static void test_many_hours(void **state)
{
    (void)state;
    static const struct history_shape SHAPE = {
        .records_max = 700, .late_share = 95, .late_hours = HOURS, .hour_step = 0};
    struct history h = {0};
    struct rlimit before;
    if (SANITIZED)
        skip(); /* minutes; the other histories go through the same code */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {.rlim_cur = FILES_MAX, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    history_open(&h, 21, &SHAPE);
    h.hour = HOURS;
    history_grow(&h, 6);
    (void)compact(&h, UINT64_MAX, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)check(&h, store_last_seq(h.store));
    history_grow(&h, 2);
    (void)compact(&h, UINT64_MAX, 0);
    (void)check(&h, store_last_seq(h.store));
    history_close(&h);
}

/* Rows that come late for the same hours, again and again: one generation after the other. */
static void test_generations(void **state)
{
    (void)state;
    static const struct history_shape SHAPE = {
        .records_max = 40, .late_share = 90, .late_hours = 5, .hour_step = 0};
    struct history h = {0};
    struct diag diag = {0};
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    history_open(&h, 31, &SHAPE);
    for (int i = 0; i < 5; i++) {
        history_grow(&h, 6);
        (void)compact(&h, UINT64_MAX, 0);
        (void)check(&h, store_last_seq(h.store));
    }
    assert_int_equal(catalog_folder(folder, sizeof(folder), h.dir.path, HISTORY_CODES[0]), 0);
    assert_int_equal(catalog_read(&c, folder, &diag), 0);
    uint32_t newest = 0;
    for (size_t i = 0; i < c.segment_count; i++)
        newest = c.segments[i].name.generation > newest ? c.segments[i].name.generation : newest;
    assert_int_equal(newest, 5);
    catalog_release(&c);
    diag_release(&diag);
    history_close(&h);
}

/* ---- a wrong byte under a right checksum ---- */

/* Stands before chunk_put(): which of the chunks to come is spoiled, and where; 0: none. */
static struct {
    uint64_t spoil;
    uint64_t at;
    uint64_t seen;
    uint64_t spoiled;
} wrap;

/* The names that --wrap of the linker makes of chunk_put's. */
int real_chunk_put(struct chunk_press *p, struct slice plain, struct buf *out,
                   struct chunk *made) __asm__("__real_chunk_put");
int spoiled_chunk_put(struct chunk_press *p, struct slice plain, struct buf *out,
                      struct chunk *made) __asm__("__wrap_chunk_put");

int spoiled_chunk_put(struct chunk_press *p, struct slice plain, struct buf *out,
                      struct chunk *made)
{
    if (plain.len == 0 || ++wrap.seen != wrap.spoil)
        return real_chunk_put(p, plain, out, made);
    struct buf wrong = {0};
    buf_slice(&wrong, plain);
    assert_true(buf_ok(&wrong));
    char *byte = &wrong.data[wrap.at / 8 % plain.len];
    *byte = (char)(unsigned char)((unsigned char)*byte ^ 1U << wrap.at % 8);
    wrap.spoiled++;
    int err = real_chunk_put(p, buf_content(&wrong), out, made);
    buf_release(&wrong);
    return err;
}

/*
 * Whatever bit of a segment is another than it should be, checksums made of what is there: either
 * the run says so and no catalog counts the rows, or no reader sees a difference.
 */
static void test_wrong_bytes(void **state)
{
    (void)state;
    static const struct history_shape SHAPE = {.records_max = 150, .tenants = 1};
    struct history h = {0};
    uint64_t found = 0;
    uint64_t through = 0;
    wrap.spoiled = 0;
    history_open(&h, 41, &SHAPE);
    for (int i = 0; i < WRONG_BYTES; i++) {
        struct diag diag = {0};
        struct compact_report report = {0};
        const struct compact_options options = {
            .dir = h.dir.path, .store_id = store_id(h.store), .through_seq = UINT64_MAX};
        if (through == store_last_seq(h.store) || i == 0)
            history_grow(&h, 3);
        wrap.seen = 0;
        wrap.spoil = 1 + lines_below(&h.lines, WRONG_CHUNKS);
        wrap.at = lines_random(&h.lines);
        int err = compact_run(&options, &report, &diag);
        wrap.spoil = 0;
        diag_release(&diag);
        assert_true(err == 0 || err == ERR_CORRUPT);
        found += err != 0;
        through = err == 0 ? store_last_seq(h.store) : through;
        struct log_index *index = open_index(&h, false);
        assert_int_equal(log_index_long_term(index)->through_seq, through);
        check_all(&h, index);
        log_index_close(index);
    }
    print_message("%d runs: %d wrong bytes, %d found\n", WRONG_BYTES, (int)wrap.spoiled,
                  (int)found);
    assert_true(wrap.spoiled > WRONG_BYTES / 2 && found > wrap.spoiled / 2);
    history_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),      cmocka_unit_test(test_small_memory),
        cmocka_unit_test(test_many_hours), cmocka_unit_test(test_generations),
        cmocka_unit_test(test_sealed),     cmocka_unit_test(test_wrong_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
