/* Groups and segments: every row comes back as it was; damage anywhere is seen, and stays where it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
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
};

static const struct segment_name NAME = {.tenant = TENANT, .hour = HOUR, .generation = 1};

static void folder_open(struct folder *f)
{
    assert_int_equal(dir_create_temp(f->path, sizeof(f->path), "/tmp/sekisho-segment-"), 0);
    assert_int_equal(segment_path(f->file, sizeof(f->file), f->path, &NAME), 0);
}

/* Every block of a segment as a whole, and each column by itself the same. */
static void read_segment(struct desk *d, const char *path)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    static int64_t leaves[ROWGROUP_BLOCK_ROWS];
    assert_int_equal(segment_open(&s, path, &diag), 0);
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
static void read_columns(struct lines *l, const char *path)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    assert_int_equal(segment_open(&s, path, &diag), 0);
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

static void write_segment(struct desk *d, struct rowgroup *g, const struct folder *f)
{
    struct segment_writer *w = NULL;
    struct segment_info info;
    assert_int_equal(segment_create(&w, f->file, &NAME, STORE_ID), 0);
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
    for (uint32_t i = 0; i < 24; i++) {
        struct desk *d = desk_new(1000 + i);
        struct folder f;
        folder_open(&f);
        uint32_t c = i % (sizeof(CASES) / sizeof(CASES[0]));
        struct rowgroup *g = fill(d, CASES[c].batches, CASES[c].rows, CASES[c].layouts);
        write_segment(d, g, &f);
        rowgroup_free(g);
        read_segment(d, f.file);
        read_columns(&d->lines, f.file);
        assert_int_equal(dir_remove_tree(f.path), 0);
        desk_free(d);
    }
}

/* Read all of a segment; 0, or the first error. */
static int read_all(const char *path)
{
    struct segment *s = NULL;
    struct diag diag = {0};
    int err = segment_open(&s, path, &diag);
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
                err = rowgroup_filter(h, block, &filter);
        }
    }
    assert_true(err != 0 || diag.count == 0);
    batch_free(b);
    rowgroup_reader_free(r);
    segment_close(s);
    diag_release(&diag);
    return err;
}

/* Every bit of a small segment, and every length of it. */
static void test_damage(void **state)
{
    (void)state;
    struct desk *d = desk_new(7);
    struct folder f;
    struct buf bytes = {0};
    folder_open(&f);
    struct rowgroup *g = fill(d, 2, 15, 4);
    write_segment(d, g, &f);
    rowgroup_free(g);
    assert_int_equal(file_read_all(&bytes, f.file, 1 << 20), 0);
    assert_int_equal(read_all(f.file), 0);
    char other[FILE_PATH_BYTES_MAX];
    (void)snprintf(other, sizeof(other), "%s/damaged", f.path);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
        FILE *out = fopen(other, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes.data, 1, bytes.len, out), bytes.len);
        assert_int_equal(fclose(out), 0);
        int err = read_all(other);
        if (err == 0)
            print_error("bit %zu of %zu bytes\n", bit, bytes.len);
        assert_true(err == ERR_CORRUPT || err == ERR_FORMAT);
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ (1 << (bit % 8)));
    }
    for (size_t len = 0; len < bytes.len; len++) {
        FILE *out = fopen(other, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes.data, 1, len, out), len);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(read_all(other), ERR_CORRUPT);
    }
    buf_release(&bytes);
    assert_int_equal(dir_remove_tree(f.path), 0);
    desk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
