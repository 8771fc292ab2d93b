/* Groups at their limits: what does not fit is refused, and what was taken before comes back whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "event/builder.h"
#include "event/row_hash.h"
#include "store/rowgroup_reader.h"
#include "store/segment.h"

enum {
    TENANT = 992011,
    LINE_BYTES_MAX = 512,
    LINES_MAX = 1 << 16,
};

static const uint8_t STORE_ID[16] = {1, 2, 3, 4};

/* Lines that went in, by their numbers in the history. */
struct desk {
    char *lines[LINES_MAX];
    uint32_t count; /* in groups and in the batch at hand */
    uint32_t taken; /* in groups */
    int64_t time_ns;
    uint32_t back; /* that came back */
    uint64_t hashes[LINES_MAX];
    uint64_t now[BATCH_ROWS_MAX];
    struct row_hasher hasher;
    struct ties ties;
    uint32_t tied; /* columns of batches that were */
};

static struct desk *desk_new(void)
{
    struct desk *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    if (d != NULL)
        d->time_ns = INT64_C(1763000000000000000);
    return d;
}

static void desk_free(struct desk *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        free(d->lines[i]);
    row_hasher_release(&d->hasher);
    ties_release(&d->ties);
    free(d);
}

static struct batch *batch_like_ours(void)
{
    struct batch *b = batch_new();
    assert_non_null(b);
    if (b == NULL)
        return NULL;
    b->tenant = TENANT;
    b->format = 1;
    b->topic = SLICE("seclog.raw.992011.fw1");
    b->source = SLICE("fw1");
    b->format_name = SLICE("fortigate");
    return b;
}

/* A line being written, with its slots. */
struct writing {
    char text[LINE_BYTES_MAX + SLICE_PADDING_BYTES];
    size_t len;
    struct slots slots;
};

static void put(struct writing *w, const char *text)
{
    size_t len = strlen(text);
    assert_true(w->len + len <= LINE_BYTES_MAX);
    memcpy(w->text + w->len, text, len);
    w->len += len;
}

static void put_field(struct writing *w, uint16_t field, const char *value)
{
    size_t at = w->len;
    put(w, value);
    assert_true(slots_add(&w->slots, (uint32_t)at, (uint32_t)strlen(value), field, SLOT_PLAIN));
    put(w, " ");
}

static void put_unnamed(struct writing *w, const char *name, const char *value)
{
    struct slot key = {.offset = (uint32_t)w->len, .length = (uint32_t)strlen(name)};
    put(w, name);
    put(w, "=");
    struct slot slot = {.offset = (uint32_t)w->len, .length = (uint32_t)strlen(value)};
    put(w, value);
    assert_true(slots_add_unnamed(&w->slots, &key, &slot));
    put(w, " ");
}

static void append(struct desk *d, struct batch *b, struct writing *w)
{
    put(w, "\n");
    struct row row = {.bytes = slice_of(w->text, w->len),
                      .slots = &w->slots,
                      .time_ns = d->time_ns,
                      .arrival_ns = d->time_ns + 1000,
                      .offset = d->count};
    assert_int_equal(batch_append(b, &row), 0);
    char *copy = calloc(w->len + 1, 1);
    assert_non_null(copy);
    if (copy != NULL)
        memcpy(copy, w->text, w->len);
    d->lines[d->count++] = copy;
    *w = (struct writing){0};
}

/* The numbers of all that the rows hold, which must come back. */
static void hash_rows(struct desk *d, const struct batch *b, uint64_t *out)
{
    assert_int_equal(ties_find(&d->ties, b), 0);
    assert_int_equal(row_hashes(&d->hasher, b, &d->ties, out), 0);
}

/* The batch's rows into the group. */
static int give(struct desk *d, struct rowgroup *g, const struct batch *b)
{
    static uint16_t rows[BATCH_ROWS_MAX];
    static int64_t offsets[BATCH_ROWS_MAX];
    static int32_t partitions[BATCH_ROWS_MAX];
    static uint64_t leaves[BATCH_ROWS_MAX];
    static uint32_t raw[BATCH_ROWS_MAX];
    const struct rowgroup_rows from = {.batch = b,
                                       .rows = rows,
                                       .count = b->row_count,
                                       .ties = &d->ties,
                                       .offsets = offsets,
                                       .partitions = partitions,
                                       .leaves = leaves,
                                       .raw_bytes = raw};
    for (uint32_t row = 0; row < b->row_count; row++) {
        batch_place(b, row, &partitions[row], &offsets[row]);
        rows[row] = (uint16_t)row;
        leaves[row] = d->taken + row;
        raw[row] = b->line[row].len;
    }
    hash_rows(d, b, d->hashes + d->taken);
    for (uint32_t i = 0; i < b->column_count; i++)
        d->tied += ties_of(&d->ties, i) != NULL;
    int err = rowgroup_add(g, &from);
    if (err == 0)
        d->taken += b->row_count;
    return err;
}

static int compare(void *self, const struct batch *b, const int64_t *leaves)
{
    struct desk *d = self;
    struct buf line = {0};
    hash_rows(d, b, d->now);
    for (uint32_t row = 0; row < b->row_count; row++) {
        buf_reset(&line);
        assert_int_equal(batch_render(b, row, &line), 0);
        assert_true(leaves[row] >= 0 && leaves[row] < (int64_t)d->taken);
        assert_true(slice_equal(buf_content(&line), slice_from(d->lines[leaves[row]])));
        assert_int_equal(d->now[row], d->hashes[leaves[row]]);
        d->back++;
    }
    buf_release(&line);
    return 0;
}

/* Seal the group into a segment; all that was taken came back. The numbers can be read by themselves. */
static void seal(struct desk *d, struct rowgroup *g)
{
    static const struct segment_name NAME = {.tenant = TENANT, .hour = 489722, .generation = 1};
    static int64_t leaves[ROWGROUP_BLOCK_ROWS];
    char folder[256];
    char path[FILE_PATH_BYTES_MAX];
    struct segment_writer *w = NULL;
    struct segment_info info;
    struct segment *s = NULL;
    struct diag diag = {0};
    uint32_t rows = rowgroup_row_count(g);
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-rowgroup-"), 0);
    assert_int_equal(segment_path(path, sizeof(path), folder, &NAME), 0);
    assert_int_equal(segment_create(&w, path, &NAME, STORE_ID, NULL), 0);
    d->back = 0;
    assert_int_equal(segment_add(w, g, compare, d), 0);
    assert_int_equal(d->back, rows);
    assert_int_equal(segment_finish(w, &info), 0);
    assert_int_equal(segment_open(&s, path, NULL, &diag), 0);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct batch *b = batch_new();
    const struct rowgroup_head *h = segment_rowgroup(s, 0);
    assert_int_equal(rowgroup_open(r, h, b), 0);
    for (uint32_t block = h->block_count; block > 0; block--)
        assert_int_equal(rowgroup_leaves(r, block - 1, leaves), 0);
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    diag_release(&diag);
    assert_int_equal(dir_remove_tree(folder), 0);
}

/* Which fields a line has tells its shape: shapes must still be readable before the columns. */
static void test_shape_that_a_column_tells(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct rowgroup *g = NULL;
    for (uint32_t i = 0; i < 20; i++) {
        struct batch *b = batch_like_ours();
        for (uint32_t row = 0; row < 1000; row++) {
            struct writing w = {0};
            char text[32];
            uint32_t pick = (i * 1000 + row) * 7919;
            (void)snprintf(text, sizeof(text), "%u", pick % 13);
            put_field(&w, FIELD_EVENT_ACTION, text);
            (void)snprintf(text, sizeof(text), "w%u", pick / 17 % 40);
            if (pick / 31 % 3 == 0)
                put_field(&w, FIELD_USER_NAME, text);
            append(d, b, &w);
        }
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        assert_int_equal(give(d, g, b), 0);
        batch_free(b);
    }
    seal(d, g);
    rowgroup_free(g);
    desk_free(d);
}

enum limit {
    LIMIT_SHAPES,
    LIMIT_NAMES,
    LIMIT_COLUMNS,
};

/* A line that is like no other before: another skeleton, another name, or more values of a field. */
static void put_new(struct writing *w, enum limit limit, uint32_t i)
{
    char name[32];
    char value[32];
    (void)snprintf(name, sizeof(name), "key%u", i);
    (void)snprintf(value, sizeof(value), "%u", 1763000000 + i);
    if (limit == LIMIT_SHAPES)
        put(w, name);
    /* A column that the batch before had not, of every type. */
    put_field(w,
              i % 4 == 0   ? FIELD_TIME_EPOCH
              : i % 4 == 1 ? FIELD_SOURCE_PORT
                           : FIELD_USER_NAME,
              value);
    if (limit != LIMIT_SHAPES)
        put_unnamed(w, name, value);
    for (uint32_t k = 0; limit == LIMIT_COLUMNS && k < 3; k++)
        put_unnamed(w, name, value);
}

/* Batches until one does not fit; then the group is sealed and the next one takes that batch. */
static void fill_up(enum limit limit, uint32_t per_batch)
{
    struct desk *d = desk_new();
    struct rowgroup *g = NULL;
    uint32_t made = 0;
    int err = 0;
    while (err == 0) {
        struct batch *b = batch_like_ours();
        for (uint32_t i = 0; i < per_batch; i++) {
            struct writing w = {0};
            put_new(&w, limit, made++);
            append(d, b, &w);
        }
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        err = give(d, g, b);
        if (err != 0) {
            assert_int_equal(err, ERR_RANGE);
            seal(d, g);
            rowgroup_free(g);
            assert_int_equal(rowgroup_new(&g, b), 0);
            assert_int_equal(give(d, g, b), 0);
            seal(d, g);
        }
        batch_free(b);
        assert_true(made < 3000);
    }
    rowgroup_free(g);
    desk_free(d);
}

static void test_full(void **state)
{
    (void)state;
    fill_up(LIMIT_SHAPES, 6);
    fill_up(LIMIT_SHAPES, 100);
    fill_up(LIMIT_NAMES, 7);
    fill_up(LIMIT_NAMES, 90);
    fill_up(LIMIT_COLUMNS, 5);
    fill_up(LIMIT_COLUMNS, 60);
}

/* An epoch column that only a refused batch had: the row's time may be looked for in it. */
static void test_epoch_of_no_row(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct rowgroup *g = NULL;
    for (uint32_t i = 0; i < 5; i++) {
        struct batch *b = batch_like_ours();
        for (uint32_t k = 0; k < 60; k++) {
            struct writing w = {0};
            char text[32];
            (void)snprintf(text, sizeof(text), "s%u.%u", i, k);
            put(&w, text);
            put_field(&w, i == 4 ? FIELD_TIME_EPOCH : FIELD_USER_NAME,
                      i == 4 ? "1763000000" : text);
            append(d, b, &w);
        }
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        assert_int_equal(give(d, g, b), i == 4 ? ERR_RANGE : 0);
        batch_free(b);
    }
    seal(d, g);
    rowgroup_free(g);
    desk_free(d);
}

/* More distinct derived texts than a dictionary has room for: a group ends before that. */
static void test_many_derived(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct rowgroup *g = NULL;
    int err = 0;
    while (err == 0) {
        struct batch *b = batch_like_ours();
        for (uint32_t row = 0; row < BATCH_LIVE_ROWS_MAX; row++) {
            struct writing w = {0};
            char text[32];
            (void)snprintf(text, sizeof(text), "%u.example.jp", d->count);
            put_field(&w, FIELD_URL_DOMAIN, text);
            append(d, b, &w);
        }
        struct column *c = batch_derived(b, FIELD_URL_REGISTERED_DOMAIN);
        assert_non_null(c);
        for (uint32_t row = 0; c != NULL && row < b->row_count; row++) {
            char text[32];
            int len = snprintf(text, sizeof(text), "%u.jp", d->taken + row);
            c->codes[row] = column_intern(b, c, slice_of(text, (size_t)len));
        }
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        err = give(d, g, b);
        batch_free(b);
    }
    assert_int_equal(err, ERR_RANGE);
    assert_true(rowgroup_row_count(g) >= ROWGROUP_CODES_MAX - BATCH_ROWS_MAX);
    seal(d, g);
    rowgroup_free(g);
    desk_free(d);
}

/* Texts most of which differ: from the first row, from some row on, and not at last. */
static void test_texts_that_differ(void **state)
{
    (void)state;
    enum {
        BATCHES = 12,
    };
    struct desk *d = desk_new();
    struct rowgroup *g = NULL;
    for (uint32_t i = 0; i < BATCHES; i++) {
        struct batch *b = batch_like_ours();
        for (uint32_t row = 0; row < BATCH_LIVE_ROWS_MAX; row++) {
            struct writing w = {0};
            uint32_t n = i * BATCH_LIVE_ROWS_MAX + row;
            char text[64];
            (void)snprintf(text, sizeof(text), "session-%u", n - (n % 9 == 8 ? n % 64 : 0));
            put_field(&w, FIELD_NETWORK_SESSION, text);
            (void)snprintf(text, sizeof(text), "2026-03-0%uT04:05:%02u.%03u", n % 7 == 0 ? 2U : 1U,
                           n / 500 % 60, n % 500);
            put_unnamed(&w, "at", n % 1000 == 5 ? "never" : text);
            (void)snprintf(text, sizeof(text), "u%u", i < 3 ? n : n % 50);
            put_field(&w, FIELD_USER_NAME, text);
            append(d, b, &w);
        }
        b->live = false;
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        assert_int_equal(give(d, g, b), 0);
        batch_free(b);
    }
    seal(d, g);
    rowgroup_free(g);
    desk_free(d);
}

/* Fields whose values follow from the line's skeleton until some batch, from no batch on, or in some. */
static void put_tied(struct writing *w, uint32_t batch, uint32_t row, uint32_t seed)
{
    static const char *const KINDS[] = {"traffic", "utm", "event", "anomaly", "vpn"};
    uint32_t kind = row % (batch % 5 + 1);
    char text[32];
    put(w, KINDS[kind]);
    put_field(w, FIELD_EVENT_OUTCOME, KINDS[kind]);
    put_field(w, FIELD_OBSERVER_NAME, "fw1");
    (void)snprintf(text, sizeof(text), "%u", 80 + kind);
    put_field(w, FIELD_DESTINATION_PORT, text);
    bool breaks = seed % 3 != 0 && batch == 2 + seed % 4 && row % 97 == 96;
    put_field(w, FIELD_EVENT_ACTION, breaks ? "other" : KINDS[4 - kind]);
    (void)snprintf(text, sizeof(text), batch == seed % 6 ? "%u" : "0%u", kind);
    put_field(w, FIELD_SOURCE_PORT, text); /* an exception in most batches */
    if (batch > 1)
        put_unnamed(w, "late", batch > 3 + seed % 2 ? "new" : "old");
    if (kind != 2 && batch != 4)
        put_unnamed(w, "some", KINDS[kind]);
}

/* A country by the skeleton, by the row, or in no row. */
static void put_country(struct batch *b, uint32_t batch, uint32_t seed)
{
    if ((batch + seed) % 4 == 3)
        return;
    struct column *c = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_non_null(c);
    for (uint32_t row = 0; c != NULL && row < b->row_count; row++) {
        uint32_t by = seed % 2 == 0 ? b->shape[row] : row;
        if (by % 3 != 0)
            c->codes[row] = column_intern(b, c, by % 3 == 1 ? SLICE("JP") : SLICE("US"));
    }
}

static void test_ties(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 24; seed++) {
        struct desk *d = desk_new();
        struct rowgroup *g = NULL;
        for (uint32_t i = 0; i < 7; i++) {
            struct batch *b = batch_like_ours();
            for (uint32_t row = 0; row < 700 + seed; row++) {
                struct writing w = {0};
                put_tied(&w, i, row, seed);
                append(d, b, &w);
            }
            put_country(b, i, seed);
            b->live = false;
            if (g == NULL)
                assert_int_equal(rowgroup_new(&g, b), 0);
            assert_int_equal(give(d, g, b), 0);
            batch_free(b);
        }
        assert_true(d->tied > 7 * 3);
        seal(d, g);
        rowgroup_free(g);
        desk_free(d);
    }
}

/* As many columns in sets of shapes of their own as a reader keeps, then one in the first of these sets... */
static void put_sets(struct writing *w, uint32_t row)
{
    enum {
        SETS = READER_LISTS,
        PERIOD = 23,
    };
    char name[16];
    char value[16];
    for (uint32_t f = 0; f < SETS; f++) {
        if (row % PERIOD == f + 1)
            continue;
        (void)snprintf(name, sizeof(name), "f%u", f);
        (void)snprintf(value, sizeof(value), "v%u", ((row + 1) * (f * 2 + 7919) >> (f % 5)) % 53);
        put_unnamed(w, name, value);
    }
    uint32_t pick = row * 7919 % 1009 % 100;
    (void)snprintf(value, sizeof(value), "v%u", pick / 4);
    if (row % PERIOD != 1)
        put_unnamed(w, "told", value);
    /* ... that is read through one in yet another. */
    (void)snprintf(value, sizeof(value), "v%u", pick);
    if (row % (2 * PERIOD) != 1)
        put_unnamed(w, "tells", value);
}

static void test_many_sets(void **state)
{
    (void)state;
    struct desk *d = desk_new();
    struct rowgroup *g = NULL;
    for (uint32_t i = 0; i < 4; i++) {
        struct batch *b = batch_like_ours();
        for (uint32_t row = 0; row < 1500; row++) {
            struct writing w = {0};
            put_sets(&w, row);
            append(d, b, &w);
        }
        b->live = false;
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        assert_int_equal(give(d, g, b), 0);
        batch_free(b);
    }
    seal(d, g);
    rowgroup_free(g);
    desk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_that_a_column_tells),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_epoch_of_no_row),
        cmocka_unit_test(test_texts_that_differ),
        cmocka_unit_test(test_many_derived),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_many_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
