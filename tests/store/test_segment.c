/* Groups and segments, sealed and not: every row comes back as it was; damage anywhere is seen, and stays where it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "event/grams.h"
#include "store/census.h"
#include "store/segment.h"
#include "tests/support/lines.h"

enum {
    TENANT = 992011,
    HOUR = 495000,
    ROWS_MAX = 12000,
};

static const uint8_t STORE_ID[16] = {1, 2, 3, 4};

/* A row as it went in. */
struct expected {
    char *line;
    size_t len;
    int64_t time_ns, arrival_ns, offset;
    int32_t partition;
    uint32_t sub;
    uint8_t reason, verdict;
    bool has_key;
    bool seen;
};

struct desk {
    struct lines lines;
    struct expected rows[ROWS_MAX];
    uint32_t count;
    int64_t offsets[2]; /* next of each partition */
};

static struct desk *desk_new(uint64_t seed)
{
    struct desk *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    if (d != NULL) {
        d->lines.state = seed;
        d->offsets[1] = INT64_C(1) << 40;
    }
    return d;
}

static void desk_free(struct desk *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        free(d->rows[i].line);
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
    b->generation = 3;
    b->topic = SLICE("seclog.raw.992011.fw1");
    b->source = SLICE("fw1");
    b->format_name = SLICE("fortigate");
    return b;
}

/* A record of one to three lines. */
static void add_record(struct desk *d, struct batch *b, uint32_t layouts)
{
    uint32_t lines = lines_below(&d->lines, 8) == 0 ? 3 : 1;
    uint32_t p = lines_below(&d->lines, 3) == 0;
    for (uint32_t sub = 0; sub < lines; sub++) {
        struct expected *e = &d->rows[d->count];
        lines_next(&d->lines, layouts);
        *e = (struct expected){.len = d->lines.len,
                               .time_ns = INT64_C(1763000000000000000) +
                                          (int64_t)lines_below(&d->lines, 5000) * 1000000000,
                               .arrival_ns =
                                   INT64_C(1763000001000000000) + (int64_t)d->count * 1000000,
                               .offset = d->offsets[p],
                               .partition = (int32_t)p * 7,
                               .sub = sub,
                               .verdict = (uint8_t)lines_below(&d->lines, 3)};
        e->line = malloc(e->len + 1);
        assert_non_null(e->line);
        memcpy(e->line, d->lines.line, e->len);
        if (lines_below(&d->lines, 20) == 0)
            e->reason = REASON_FORMAT_MISMATCH;
        e->has_key = sub == 0 && lines_below(&d->lines, 60) == 0;
        struct row row = {.bytes = slice_of(d->lines.line, d->lines.len),
                          .slots = &d->lines.slots,
                          .time_ns = e->time_ns,
                          .arrival_ns = e->arrival_ns,
                          .partition = e->partition,
                          .offset = e->offset,
                          .sub = sub,
                          .reason = e->reason};
        const struct extra key = {.has_key = true};
        if (e->has_key)
            assert_int_equal(batch_extra(b, &key, SLICE("key"), SLICE("\1h\2v")), 0);
        assert_int_equal(batch_append(b, &row), 0);
        b->verdict[b->row_count - 1] = e->verdict;
        e->reason = b->reason[b->row_count - 1];
        d->count++;
    }
    d->offsets[p] += lines_below(&d->lines, 30) == 0 ? 5 : 1;
}

static void derive(struct batch *b)
{
    struct column *c = batch_derived(b, FIELD_SOURCE_COUNTRY);
    assert_non_null(c);
    if (c == NULL)
        return;
    for (uint32_t row = 0; row < b->row_count; row += 3)
        c->codes[row] = column_intern(b, c, row % 2 == 0 ? SLICE("JP") : SLICE("US"));
}

/* Give rows of a batch to the group: those with an even place when `half` is 0, the others when 1. */
static int give(struct rowgroup *g, const struct batch *b, uint32_t first, uint32_t half)
{
    static uint16_t rows[BATCH_ROWS_MAX];
    static int64_t offsets[BATCH_ROWS_MAX];
    static int32_t partitions[BATCH_ROWS_MAX];
    static uint64_t leaves[BATCH_ROWS_MAX];
    static uint32_t raw[BATCH_ROWS_MAX];
    struct rowgroup_rows from = {.batch = b,
                                 .rows = rows,
                                 .offsets = offsets,
                                 .partitions = partitions,
                                 .leaves = leaves,
                                 .raw_bytes = raw};
    for (uint32_t row = 0; row < b->row_count; row++) {
        batch_place(b, row, &partitions[row], &offsets[row]);
        if (row % 2 != half)
            continue;
        rows[from.count] = (uint16_t)row;
        leaves[from.count] = first + row;
        raw[from.count] = b->line[row].len;
        from.count++;
    }
    return rowgroup_add(g, &from);
}

/* A group of batches of random lines. */
static struct rowgroup *fill(struct desk *d, uint32_t batches, uint32_t rows, uint32_t layouts)
{
    struct rowgroup *g = NULL;
    for (uint32_t i = 0; i < batches; i++) {
        struct batch *b = batch_like_ours();
        uint32_t first = d->count;
        while (d->count - first < rows && batch_fits(b, 4096, BATCH_LIVE_ROWS_MAX - 3))
            add_record(d, b, layouts);
        derive(b);
        if (g == NULL)
            assert_int_equal(rowgroup_new(&g, b), 0);
        assert_true(rowgroup_is_like(g, b));
        assert_int_equal(give(g, b, first, 1), 0);
        assert_int_equal(give(g, b, first, 0), 0);
        batch_free(b);
    }
    return g;
}

static void compare_row(struct desk *d, const struct batch *b, uint32_t row, int64_t leaf)
{
    struct buf text = {0};
    int32_t partition = 0;
    int64_t offset = 0;
    assert_true(leaf >= 0 && leaf < (int64_t)d->count);
    struct expected *e = &d->rows[leaf];
    assert_false(e->seen);
    e->seen = true;
    assert_int_equal(batch_render(b, row, &text), 0);
    assert_true(slice_equal(buf_content(&text), slice_of(e->line, e->len)));
    batch_place(b, row, &partition, &offset);
    assert_int_equal(partition, e->partition);
    assert_int_equal(offset, e->offset);
    assert_int_equal(b->sub[row], e->sub);
    assert_int_equal(b->time_ns[row], e->time_ns);
    assert_int_equal(b->arrival_ns[row], e->arrival_ns);
    assert_int_equal(b->reason[row], e->reason);
    assert_int_equal(b->verdict[row], e->verdict);
    buf_release(&text);
}

static int compare_block(void *self, const struct batch *b, const int64_t *leaves)
{
    struct desk *d = self;
    uint32_t keys = 0;
    uint32_t expected_keys = 0;
    for (uint32_t row = 0; row < b->row_count; row++) {
        compare_row(d, b, row, leaves[row]);
        expected_keys += d->rows[leaves[row]].has_key;
        if (row == 0)
            continue;
        const struct expected *before = &d->rows[leaves[row - 1]];
        const struct expected *e = &d->rows[leaves[row]];
        bool ordered = before->partition != e->partition ? before->partition < e->partition
                       : before->offset != e->offset     ? before->offset < e->offset
                                                         : before->sub < e->sub;
        assert_true(ordered);
    }
    for (uint32_t i = 0; i < b->extra_count; i++) {
        const struct extra *x = &b->extras[i];
        keys++;
        assert_true(d->rows[leaves[x->row]].has_key);
        assert_true(slice_equal(batch_span(b, x->key), SLICE("key")));
        assert_true(slice_equal(batch_span(b, x->headers), SLICE("\1h\2v")));
    }
    assert_int_equal(keys, expected_keys);
    return 0;
}

static void unsee(struct desk *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        assert_true(d->rows[i].seen);
        d->rows[i].seen = false;
    }
}

struct folder {
    char path[256];
    char file[FILE_PATH_BYTES_MAX];
    struct keyring *keys; /* of who seals and opens; NULL: nothing is sealed */
};

static const struct segment_name NAME = {.tenant = TENANT, .hour = HOUR, .generation = 1};

/* A keyring with one more key of the municipality. */
static void new_key(struct folder *f)
{
    char path[sizeof(f->path) + 16];
    struct diag diag = {0};
    const struct keyring_key *made = NULL;
    struct file_info info;
    (void)snprintf(path, sizeof(path), "%s/keyring", f->path);
    keyring_close(f->keys);
    assert_int_equal(keyring_edit(&f->keys, path, file_stat(&info, path) != 0, &diag), 0);
    assert_int_equal(keyring_rotate(&made, f->keys, TENANT, &diag), 0);
    diag_release(&diag);
}

static void folder_close(struct folder *f)
{
    keyring_close(f->keys);
    assert_int_equal(dir_remove_tree(f->path), 0);
}

static void folder_open(struct folder *f)
{
    f->keys = NULL;
    assert_int_equal(dir_create_temp(f->path, sizeof(f->path), "/tmp/sekisho-segment-"), 0);
    assert_int_equal(segment_path(f->file, sizeof(f->file), f->path, &NAME), 0);
}

/* Every block of a segment as a whole, and each column by itself the same. */
static void read_segment(struct desk *d, const char *path, const struct keyring *keys)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    static int64_t leaves[ROWGROUP_BLOCK_ROWS];
    assert_int_equal(segment_open(&s, path, keys, &diag), 0);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct batch *b = batch_new();
    assert_non_null(r);
    assert_non_null(b);
    for (size_t g = 0; g < segment_rowgroup_count(s); g++) {
        const struct rowgroup_head *h = segment_rowgroup(s, g);
        assert_int_equal(rowgroup_open(r, h, b), 0);
        for (uint32_t block = 0; block < h->block_count; block++) {
            assert_int_equal(rowgroup_rows(r, block, NULL, b), 0);
            assert_int_equal(rowgroup_leaves(r, block, leaves), 0);
            (void)compare_block(d, b, leaves);
        }
    }
    unsee(d);
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    diag_release(&diag);
}

/* The values of a column, one a line: to be compared between two ways of reading. */
static void print_column(const struct batch *b, uint32_t column, struct buf *out)
{
    const struct column *c = &b->columns[column];
    struct buf scratch = {0};
    for (uint32_t row = 0; row < b->row_count; row++) {
        struct slice value = {0};
        if (batch_value(b, c, row, &scratch, &value))
            buf_slice(out, value);
        else
            buf_text(out, "<none>");
        if (c->storage == COLUMN_INT)
            buf_decimal(out, c->numbers[row]);
        buf_byte(out, '\n');
    }
    buf_release(&scratch);
}

/* Columns asked for alone are what they are among all. */
static void read_columns(struct lines *l, const char *path, const struct keyring *keys)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    assert_int_equal(segment_open(&s, path, keys, &diag), 0);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct rowgroup_reader *r2 = rowgroup_reader_new();
    struct batch *all = batch_new();
    struct batch *some = batch_new();
    const struct rowgroup_head *h = segment_rowgroup(s, 0);
    assert_int_equal(rowgroup_open(r, h, all), 0);
    assert_int_equal(rowgroup_open(r2, h, some), 0);
    for (uint32_t block = 0; block < h->block_count; block++) {
        struct column_mask only = {0};
        bool whole = false;
        for (uint32_t i = 0; i < some->column_count; i++) {
            if (lines_below(l, 4) == 0)
                column_mask_add(&only, i);
        }
        assert_int_equal(rowgroup_rows(r, block, NULL, all), 0);
        assert_int_equal(rowgroup_texts(r2, block, &only, some, &whole), 0);
        assert_int_equal(some->row_count, 0);
        assert_int_equal(rowgroup_rows(r2, block, &only, some), 0);
        assert_int_equal(some->row_count, all->row_count);
        for (uint32_t i = 0; i < some->column_count; i++) {
            struct buf left = {0};
            struct buf right = {0};
            if (!column_mask_has(&only, i))
                continue;
            print_column(all, i, &left);
            print_column(some, i, &right);
            assert_true(slice_equal(buf_content(&left), buf_content(&right)));
            buf_release(&left);
            buf_release(&right);
        }
    }
    batch_free(all);
    batch_free(some);
    rowgroup_reader_free(r);
    rowgroup_reader_free(r2);
    segment_close(s);
    diag_release(&diag);
}

/* The filter of runs never rules out what stands in a line. */
static void check_grams(struct lines *l, const char *path, const struct keyring *keys)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    struct buf text = {0};
    uint32_t ruled_out = 0;
    assert_int_equal(segment_open(&s, path, keys, &diag), 0);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct batch *b = batch_new();
    const struct rowgroup_head *h = segment_rowgroup(s, 0);
    struct slice grams = {0};
    assert_int_equal(rowgroup_grams(r, h, &grams), 0);
    assert_int_equal(rowgroup_open(r, h, b), 0);
    for (uint32_t block = 0; block < h->block_count; block++) {
        assert_int_equal(rowgroup_rows(r, block, NULL, b), 0);
        for (uint32_t row = 0; row < b->row_count; row++) {
            buf_reset(&text);
            assert_int_equal(batch_render(b, row, &text), 0);
            uint32_t at = lines_below(l, (uint32_t)text.len + 1);
            uint32_t len = lines_below(l, (uint32_t)text.len + 1 - at);
            struct slice part = slice_of(text.data + at, len < 24 ? len : 24);
            assert_true(grams_may_hold(grams, GRAMS_LINE, part));
            char word[8];
            for (size_t i = 0; i < sizeof(word); i++)
                word[i] = (char)('a' + lines_below(l, 26));
            ruled_out += !grams_may_hold(grams, GRAMS_LINE, slice_of(word, sizeof(word)));
        }
    }
    if (grams.len != 0 && (grams.data[0] & 2) != 0)
        assert_true(ruled_out > h->row_count / 2);
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    buf_release(&text);
    diag_release(&diag);
}

/* What a row has at some places, as text. */
static void print_places(struct buf *out, const struct batch *b, uint32_t row, uint64_t places)
{
    struct buf scratch = {0};
    for (unsigned i = 0; i < CENSUS_PLACES_ALL; i++) {
        struct census_place place = census_place(i);
        if ((places >> i & 1) == 0)
            continue;
        buf_printf(out, "%u", i);
        if (place.row_field == ROW_FIELD_VERDICT)
            buf_printf(out, "=%u", b->verdict[row]);
        else if (place.row_field == ROW_FIELD_PARSE_ERROR)
            buf_printf(out, "=%u", b->reason[row]);
        else if (place.row_field == ROW_FIELD_TIME_SOURCE)
            buf_printf(out, "=%u", b->time_source[row]);
        for (uint32_t c = 0; c < b->column_count && place.row_field == ROW_FIELD_NONE; c++) {
            struct slice value;
            if (b->columns[c].field != place.field ||
                !batch_value(b, &b->columns[c], row, &scratch, &value))
                continue;
            buf_printf(out, "=%u/", b->columns[c].kind);
            buf_slice(out, value);
        }
        buf_byte(out, ';');
    }
    assert_true(buf_ok(out));
    buf_release(&scratch);
}

/* A combination, and how many rows have it. */
struct combination {
    char *text;
    uint64_t rows;
};

static int by_combination(const void *left, const void *right)
{
    const struct combination *a = left;
    const struct combination *b = right;
    return strcmp(a->text, b->text);
}

/* Sort, and add up those that are alike; how many there are then. */
static size_t add_up(struct combination *items, size_t count)
{
    size_t n = 0;
    qsort(items, count, sizeof(*items), by_combination);
    for (size_t i = 0; i < count; i++) {
        if (n != 0 && strcmp(items[n - 1].text, items[i].text) == 0) {
            items[n - 1].rows += items[i].rows;
            free(items[i].text);
            continue;
        }
        items[n++] = items[i];
    }
    return n;
}

static void note(struct combination *to, const struct batch *b, uint32_t row, uint64_t places,
                 uint64_t rows)
{
    struct buf text = {0};
    print_places(&text, b, row, places);
    to->text = strdup(places == 0 ? "" : buf_string(&text));
    to->rows = rows;
    buf_release(&text);
}

static void compare_census(const struct rowgroup_head *h, uint64_t places)
{
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct census_reader *reader = census_reader_new();
    struct batch *b = batch_new();
    const uint32_t *weights = NULL;
    static struct combination want[ROWS_MAX];
    static struct combination is[CENSUS_COMBINATIONS_MAX];
    size_t count = 0;
    assert_int_equal(rowgroup_open(r, h, b), 0);
    for (uint32_t block = 0; block < h->block_count; block++) {
        assert_int_equal(rowgroup_rows(r, block, NULL, b), 0);
        for (uint32_t row = 0; row < b->row_count; row++)
            note(&want[count++], b, row, places, 1);
    }
    count = add_up(want, count);
    assert_int_equal(census_read(reader, h, places, b, &weights), 0);
    for (uint32_t row = 0; row < b->row_count; row++)
        note(&is[row], b, row, places, weights[row]);
    assert_int_equal(add_up(is, b->row_count), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strcmp(is[i].text, want[i].text) == 0);
        assert_int_equal(is[i].rows, want[i].rows);
        free(is[i].text);
        free(want[i].text);
    }
    batch_free(b);
    census_reader_free(reader);
    rowgroup_reader_free(r);
}

/* A census tells of the places that it says, and of some of them, what the rows say; of others nothing. */
static void check_census(struct lines *l, const char *path, const struct keyring *keys)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    assert_int_equal(segment_open(&s, path, keys, &diag), 0);
    const struct rowgroup_head *h = segment_rowgroup(s, 0);
    uint64_t told = census_places(h->census);
    assert_true((told & 1) != 0); /* the verdict */
    compare_census(h, told & ~CENSUS_TALLIES);
    compare_census(h, told & CENSUS_TALLIES);
    for (unsigned i = 0; i < 5; i++)
        compare_census(h, told & ~CENSUS_TALLIES & lines_random(l));
    segment_close(s);
    diag_release(&diag);
}

static void write_segment(struct desk *d, struct rowgroup *g, const struct folder *f)
{
    struct segment_writer *w = NULL;
    struct segment_info info;
    assert_int_equal(segment_create(&w, f->file, &NAME, STORE_ID, f->keys), 0);
    assert_int_equal(segment_add(w, g, compare_block, d), 0);
    unsee(d);
    assert_int_equal(segment_finish(w, &info), 0);
    assert_int_equal(info.row_count, d->count);
    assert_int_equal(info.leaf_min, 0);
    assert_int_equal(info.leaf_max, d->count - 1);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        uint32_t batches, rows, layouts;
    } CASES[] = {{1, 1, 1},    {1, 20, 3},  {3, 200, 12}, {5, 2000, 6},
                 {2, 700, 90}, {8, 50, 30}, {1, 300, 1},  {5, 2000, 40}};
    for (uint32_t i = 0; i < 32; i++) {
        struct desk *d = desk_new(1000 + i);
        struct folder f;
        folder_open(&f);
        if (i % 2 == 1)
            new_key(&f);
        uint32_t c = i / 2 % (sizeof(CASES) / sizeof(CASES[0]));
        struct rowgroup *g = fill(d, CASES[c].batches, CASES[c].rows, CASES[c].layouts);
        write_segment(d, g, &f);
        rowgroup_free(g);
        read_segment(d, f.file, f.keys);
        read_columns(&d->lines, f.file, f.keys);
        check_grams(&d->lines, f.file, f.keys);
        check_census(&d->lines, f.file, f.keys);
        folder_close(&f);
        desk_free(d);
    }
}

/* Read all of a segment; 0, or the first error. */
static int read_all(const char *path, const struct keyring *keys)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    int err = segment_open(&s, path, keys, &diag);
    struct rowgroup_reader *r = rowgroup_reader_new();
    struct batch *b = batch_new();
    for (size_t g = 0; err == 0 && g < segment_rowgroup_count(s); g++) {
        const struct rowgroup_head *h = segment_rowgroup(s, g);
        err = rowgroup_open(r, h, b);
        for (uint32_t block = 0; err == 0 && block < h->block_count; block++) {
            struct slice filter;
            static int64_t leaves[ROWGROUP_BLOCK_ROWS];
            err = rowgroup_rows(r, block, NULL, b);
            if (err == 0)
                err = rowgroup_leaves(r, block, leaves);
            if (err == 0)
                err = rowgroup_filter(r, h, block, &filter);
            if (err == 0)
                err = rowgroup_grams(r, h, &filter);
        }
    }
    assert_true(err != 0 || diag.count == 0);
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    diag_release(&diag);
    return err;
}

/* What one sees without a key; 0, or the error. */
static int look_outside(const char *path)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    int err = segment_open_outside(&s, path, &diag);
    assert_int_equal(diag.count, err != 0);
    segment_close(s);
    diag_release(&diag);
    return err;
}

/* Every bit of a small segment, and every length of it. */
static void find_damage(bool sealed)
{
    struct desk *d = desk_new(7);
    struct folder f;
    struct buf bytes = {0};
    folder_open(&f);
    if (sealed)
        new_key(&f);
    struct rowgroup *g = fill(d, 2, 15, 4);
    write_segment(d, g, &f);
    rowgroup_free(g);
    assert_int_equal(file_read_all(&bytes, f.file, 1 << 20), 0);
    assert_int_equal(read_all(f.file, f.keys), 0);
    char other[FILE_PATH_BYTES_MAX];
    (void)snprintf(other, sizeof(other), "%s/damaged", f.path);
    for (size_t bit = 0; bit < bytes.len * 8; bit += sealed ? 7 : 1) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
        FILE *out = fopen(other, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes.data, 1, bytes.len, out), bytes.len);
        assert_int_equal(fclose(out), 0);
        int err = read_all(other, f.keys);
        if (err == 0)
            print_error("bit %zu of %zu bytes\n", bit, bytes.len);
        assert_true(err == ERR_CORRUPT || err == ERR_FORMAT);
        if (sealed)
            assert_true(look_outside(other) == ERR_CORRUPT || err == ERR_FORMAT);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
    }
    for (size_t len = 0; len < bytes.len; len++) {
        FILE *out = fopen(other, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes.data, 1, len, out), len);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(read_all(other, f.keys), ERR_CORRUPT);
    }
    buf_release(&bytes);
    folder_close(&f);
    desk_free(d);
}

static void test_damage(void **state)
{
    (void)state;
    find_damage(false);
}

static void test_sealed_damage(void **state)
{
    (void)state;
    find_damage(true);
}

static void write_some(struct desk **d, const struct folder *f, uint64_t seed)
{
    *d = desk_new(seed);
    if (*d == NULL)
        return;
    struct rowgroup *g = fill(*d, 2, 300, 5);
    write_segment(*d, g, f);
    rowgroup_free(g);
}

static bool holds(const char *path, const char *text)
{
    struct buf bytes = {0};
    assert_int_equal(file_read_all(&bytes, path, 1 << 24), 0);
    bool found = memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
    buf_release(&bytes);
    return found;
}

static void test_keys(void **state)
{
    (void)state;
    struct folder f;
    struct folder other;
    struct desk *d = NULL;
    struct desk *d2 = NULL;
    char old[sizeof(f.file) + 8];
    folder_open(&f);
    folder_open(&other);
    write_some(&d, &f, 3);
    assert_true(holds(f.file, "seclog.raw.992011.fw1"));
    desk_free(d);
    new_key(&f);
    write_some(&d, &f, 3);
    assert_false(holds(f.file, "seclog.raw.992011.fw1"));
    assert_int_equal(look_outside(f.file), 0);
    assert_int_equal(read_all(f.file, NULL), ERR_SEALED);
    new_key(&other);
    assert_int_equal(read_all(f.file, other.keys), ERR_SEALED);
    /* What is written after a rotation has the new key; what was before, the old one. */
    (void)snprintf(old, sizeof(old), "%s.old", f.file);
    assert_int_equal(file_rename(f.file, old), 0);
    new_key(&f);
    write_some(&d2, &f, 4);
    read_segment(d, old, f.keys);
    read_segment(d2, f.file, f.keys);
    struct diag diag = {0};
    uint8_t id[KEYRING_ID_BYTES];
    memcpy(id, keyring_key(f.keys, 0)->id, sizeof(id));
    assert_int_equal(keyring_destroy(f.keys, TENANT, id, &diag), 0);
    assert_int_equal(read_all(old, f.keys), ERR_SEALED);
    assert_int_equal(look_outside(old), 0);
    assert_int_equal(read_all(f.file, f.keys), 0);
    diag_release(&diag);
    desk_free(d);
    desk_free(d2);
    folder_close(&f);
    folder_close(&other);
}

/* Who has keys, and none for this municipality, writes nothing in clear. */
static void test_no_key(void **state)
{
    (void)state;
    struct folder f;
    struct segment_writer *w = NULL;
    const struct segment_name name = {.tenant = TENANT + 1, .hour = HOUR, .generation = 1};
    folder_open(&f);
    new_key(&f);
    assert_int_equal(segment_create(&w, f.file, &name, STORE_ID, f.keys), ERR_SEALED);
    assert_null(w);
    folder_close(&f);
}

/* Mend what whoever has no key can mend: hashes of the groups and of the footer. */
static void mend(struct buf *file)
{
    enum {
        HEADER = 64,
        TRAILER = 48,
        GROUPS_AT = 12 + 8 + 16 + 16 + 4, /* of the footer */
    };
    struct sha256 hash;
    struct buf hashed = {0};
    char *trailer = file->data + file->len - TRAILER;
    uint64_t footer_len = bytes_get64(trailer);
    char *footer = trailer - footer_len;
    char *group = footer + GROUPS_AT;
    assert_int_equal(
        sha256_of(&hash, slice_of(file->data + bytes_get64(group), (size_t)bytes_get64(group + 8))),
        0);
    memcpy(group + 20, hash.bytes, sizeof(hash.bytes));
    buf_append(&hashed, file->data, HEADER);
    buf_append(&hashed, footer, (size_t)footer_len);
    assert_int_equal(sha256_of(&hash, buf_content(&hashed)), 0);
    memcpy(trailer + 8, hash.bytes, sizeof(hash.bytes));
    buf_release(&hashed);
}

/* The group of one file in another one of the same municipality, hour and key: nothing outside tells. */
static void test_exchanged(void **state)
{
    (void)state;
    struct folder f;
    struct desk *d = NULL;
    struct desk *d2 = NULL;
    struct buf first = {0};
    struct buf second = {0};
    folder_open(&f);
    new_key(&f);
    write_some(&d, &f, 5);
    assert_int_equal(file_read_all(&first, f.file, 1 << 24), 0);
    write_some(&d2, &f, 5);
    assert_int_equal(file_read_all(&second, f.file, 1 << 24), 0);
    assert_int_equal(first.len, second.len);
    size_t footer_len = (size_t)bytes_get64(first.data + first.len - 48);
    size_t body_len = first.len - 48 - footer_len - 64;
    assert_memory_not_equal(first.data + 64, second.data + 64, body_len);
    memcpy(first.data + 64, second.data + 64, body_len);
    mend(&first);
    assert_int_equal(file_write_atomic(f.file, buf_content(&first)), 0);
    assert_int_equal(look_outside(f.file), 0);
    assert_int_equal(read_all(f.file, f.keys), ERR_CORRUPT);
    /* And a footer that does not belong to the header's hour. */
    second.data[40] = (char)(second.data[40] ^ 1);
    bytes_put64(second.data + 56, hash_slice(0, slice_of(second.data, 56)));
    mend(&second);
    assert_int_equal(file_write_atomic(f.file, buf_content(&second)), 0);
    assert_int_equal(look_outside(f.file), 0);
    assert_int_equal(read_all(f.file, f.keys), ERR_CORRUPT);
    buf_release(&first);
    buf_release(&second);
    desk_free(d);
    desk_free(d2);
    folder_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_sealed_damage), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_no_key),        cmocka_unit_test(test_exchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
