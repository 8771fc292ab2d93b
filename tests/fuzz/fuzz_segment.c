/*
 * Groups of rows and whole segments on any bytes: refused or read, never a crash. The first byte chooses.
 * Chunks, checksums and hashes are made around the input's bytes, so that what lies behind them is
 * reached: a group is a list of plain chunks (the columns' descriptions first), a segment a list of groups
 * with any head, a time is a layout and a text. With bit 3 of the first byte groups and segments are sealed.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "event/grams.h"
#include "store/census.h"
#include "store/segment.h"
#include "store/segment_seal.h"
#include "store/time_text.h"

enum {
    TENANT = 990001,
    ROWS_MOST = 5000, /* of a made-up group: a second block now and then */
    HEADER_BYTES = 64,
    ROUNDS = 3, /* of columns that are asked for */
};

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read, and with what. */
struct bench {
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct buf line;
    uint64_t random;
    int64_t leaves[ROWGROUP_BLOCK_ROWS];
};

static uint64_t next_random(struct bench *t)
{
    t->random ^= t->random >> 12;
    t->random ^= t->random << 25;
    t->random ^= t->random >> 27;
    return t->random * UINT64_C(2685821657736338717);
}

static uint16_t take16(struct slice *in)
{
    if (in->len < 2)
        return 0;
    uint16_t v = bytes_get16(in->data);
    *in = slice_from_offset(*in, 2);
    return v;
}

/* The next chunk's plain bytes: u16 length, bytes; what is left where there are fewer. */
static struct slice take_plain(struct slice *in)
{
    size_t len = take16(in);
    len = len < in->len ? len : in->len;
    struct slice plain = slice_of(in->data, len);
    *in = slice_from_offset(*in, len);
    return plain;
}

static void use_values(struct bench *t)
{
    const struct batch *b = t->batch;
    for (uint32_t i = 0; i < b->column_count; i++) {
        for (uint32_t row = 0; row < b->row_count; row += 7) {
            struct slice value;
            (void)batch_value(b, &b->columns[i], row, &t->line, &value);
        }
    }
}

/* Every row as a line, and every value. */
static void use_rows(struct bench *t)
{
    const struct batch *b = t->batch;
    for (uint32_t row = 0; row < b->row_count; row++) {
        buf_reset(&t->line);
        (void)batch_render(b, row, &t->line);
    }
    use_values(t);
    for (uint32_t row = 0; row < b->row_count; row += 97) {
        int32_t partition = 0;
        int64_t offset = 0;
        batch_place(b, row, &partition, &offset);
    }
}

/* Some columns of a block, then all of it. After an error the group is opened anew. */
static int use_block(struct bench *t, const struct rowgroup_head *h, uint32_t block)
{
    struct column_mask only = {.parts = (uint32_t)next_random(t) & PART_ALL};
    bool whole = false;
    int err = 0;
    for (uint32_t i = 0; i < t->batch->column_count; i++) {
        if (next_random(t) % 3 == 0)
            column_mask_add(&only, i);
    }
    uint64_t what = next_random(t);
    if ((what & 1) != 0)
        err = rowgroup_texts(t->reader, block, &only, t->batch, &whole);
    if (err == 0 && (what & 2) != 0)
        err = rowgroup_leaves(t->reader, block, t->leaves);
    if (err == 0 && (what & 4) != 0)
        err = rowgroup_rows(t->reader, block, &only, t->batch);
    if (err == 0 && (what & 8) != 0)
        err = rowgroup_rows(t->reader, block, NULL, t->batch);
    if (err == 0 && (what & 12) == 8) {
        assert(t->batch->row_count == h->blocks[block].row_count);
        use_rows(t);
    }
    return err;
}

/* Some of the places that a census tells, and one that it does not. */
static void use_census(struct bench *t, const struct rowgroup_head *h)
{
    struct census_reader *r = census_reader_new();
    const uint32_t *rows = NULL;
    uint64_t told = census_places(h->census);
    assert(r != NULL);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t places =
            round == 0 ? told & CENSUS_TALLIES : told & ~CENSUS_TALLIES & next_random(t);
        if (census_read(r, h, places, t->batch, &rows) == 0) {
            uint64_t sum = 0;
            for (uint32_t i = 0; i < t->batch->row_count; i++)
                sum += rows[i];
            assert(sum == h->row_count);
            use_values(t);
        }
    }
    int err = census_read(r, h, ~told, t->batch, &rows);
    assert(err == ERR_CORRUPT);
    census_reader_free(r);
}

static void use_group(struct bench *t, const struct rowgroup_head *h)
{
    struct slice filter;
    use_census(t, h);
    if (rowgroup_grams(t->reader, h, &filter) == 0) {
        assert(grams_is_filter(filter));
        (void)grams_may_hold(filter, GRAMS_LINE, h->topic);
        (void)grams_may_hold(filter, GRAMS_URL, h->topic);
    }
    int err = rowgroup_open(t->reader, h, t->batch);
    for (uint32_t round = 0; err != ERR_NOMEM && round < ROUNDS; round++) {
        for (uint32_t block = 0; block < h->block_count; block++) {
            (void)rowgroup_filter(t->reader, h, block, &filter);
            if (err == 0)
                err = use_block(t, h, block);
            if (err != 0)
                err = rowgroup_open(t->reader, h, t->batch);
            if (err != 0)
                return;
        }
    }
    if (rowgroup_rows(t->reader, 0, NULL, t->batch) == 0)
        use_rows(t);
}

/* A keyring with one key, made once. */
static const struct keyring *all_keys(void)
{
    static struct keyring *keys;
    if (keys == NULL) {
        struct diag diag = {0};
        const struct keyring_key *made = NULL;
        char path[64];
        (void)snprintf(path, sizeof(path), "/dev/shm/fuzz-keyring.%d", (int)getpid());
        int err = keyring_edit(&keys, path, true, &diag);
        assert(err == 0);
        err = keyring_rotate(&made, keys, TENANT, &diag);
        assert(err == 0);
        err = file_unlink(path);
        assert(err == 0);
    }
    return keys;
}

static struct file_seal make_seal(struct slice header)
{
    struct file_seal seal;
    const struct keyring *keys = all_keys();
    int err = seal_new(&seal, keyring_secret(keys, keyring_active(keys, TENANT)), header);
    assert(err == 0);
    return seal;
}

/* What is left of the input is the head of a filter of runs; where that can be one, it is empty. */
static void put_runs(struct rowgroup_head *h, struct buf *body, struct slice in)
{
    size_t at = body->len;
    buf_slice(body, in);
    unsigned log = in.len == 2 ? (unsigned char)in.data[1] % 32U : 0;
    for (uint32_t i = 0; log <= GRAMS_LOG_MAX && i < UINT32_C(1) << log >> 3; i++)
        buf_byte(body, 0);
    h->grams_len = (uint32_t)(body->len - at);
    h->grams_checksum = (uint32_t)hash_slice(0, slice_of(body->data + at, h->grams_len));
}

/* A group of the chunks that the input lists, by wish sealed and behind a census; the head says what they are. */
static void try_group(struct bench *t, struct slice in, bool sealed, bool with_census)
{
    static const char PARTITIONS[] = "\0\0\0\0\7\0\0"; /* and the zero behind it: 0 and 7 */
    struct chunk_press press;
    struct buf body = {0};
    struct buf table = {0};
    struct rowgroup_head h = {.tenant = TENANT,
                              .format = 1,
                              .topic = SLICE("t"),
                              .source = SLICE("s"),
                              .format_name = SLICE("f"),
                              .partitions = slice_of(PARTITIONS, sizeof(PARTITIONS))};
    h.row_count = 1 + take16(&in) % ROWS_MOST;
    if (with_census)
        h.census = take_plain(&in);
    struct slice desc = take_plain(&in);
    static const char HEADER[SEAL_HEADER_BYTES];
    struct file_seal seal = {0};
    if (sealed)
        seal = make_seal(slice_of(HEADER, sizeof(HEADER)));
    h.seal = sealed ? &seal : NULL;
    h.at = HEADER_BYTES;
    int err = chunk_press_init(&press, 1);
    press.seal = h.seal;
    press.at = h.at;
    assert(err == 0 && buf_reserve(&body, 1) != NULL);
    while (in.len > 2) {
        struct chunk made;
        err = chunk_put(&press, take_plain(&in), &body, &made);
        assert(err == 0);
        chunk_describe(&table, &made, h.seal);
    }
    h.columns_len = (uint32_t)body.len;
    err = chunk_put(&press, desc, &body, &h.desc);
    assert(err == 0);
    err = chunk_put(&press, buf_content(&table), &body, &h.table);
    assert(err == 0);
    for (uint32_t left = h.row_count; left != 0; h.block_count++) {
        uint32_t rows = left < ROWGROUP_BLOCK_ROWS ? left : (uint32_t)ROWGROUP_BLOCK_ROWS;
        h.blocks[h.block_count] =
            (struct rowgroup_block){.row_count = rows, .filter_at = (uint32_t)body.len};
        left -= rows;
    }
    put_runs(&h, &body, in);
    h.body = buf_content(&body);
    use_group(t, &h);
    chunk_press_release(&press);
    buf_release(&body);
    buf_release(&table);
}

static void remove_file(void);

static const char *file_name(void)
{
    static char path[64];
    if (path[0] == '\0') {
        (void)snprintf(path, sizeof(path), "/dev/shm/fuzz-segment.%d", (int)getpid());
        (void)atexit(remove_file);
    }
    return path;
}

static void remove_file(void)
{
    (void)file_unlink(file_name());
}

/* A footer around any sections; without groups told outside: the first bytes may tell of one. */
static void put_sealed(struct buf *footer, const struct buf *file, struct slice in)
{
    struct buf outside = {0};
    struct file_seal seal = make_seal(slice_of(file->data, HEADER_BYTES));
    const struct keyring_key *key = keyring_active(all_keys(), TENANT);
    struct sealed_group group = {.at = HEADER_BYTES, .len = file->len - HEADER_BYTES};
    group.row_count = take16(&in);
    int err = sha256_of(&group.hash, slice_of(file->data + group.at, (size_t)group.len));
    assert(err == 0);
    sealed_group_put(&outside, &group);
    struct sealed_footer what = {.group_count = 1, .groups = buf_content(&outside), .inside = in};
    memcpy(what.key_id, key->id, sizeof(what.key_id));
    buf_put32(footer, 3 | UINT32_C(1) << 31);
    buf_put64(footer, sealed_footer_bytes(&what));
    err = sealed_footer_put(footer, file->len, &seal, &what);
    assert(err == 0);
    buf_release(&outside);
}

/* A segment of any groups and any footer, hashed right. */
static void try_segment(struct bench *t, struct slice in, bool sealed)
{
    struct buf footer = {0};
    struct buf file = {0};
    struct buf hashed = {0};
    struct sha256 hash;
    struct segment *s = NULL;
    struct diag diag = {0};
    buf_append(&file, "SEKISEG1\1\0\0\0\x40\0\0\0", 16);
    buf_append(&file, "0123456789abcdef", 16);
    buf_put32(&file, TENANT);
    buf_put32(&file, 1);
    buf_put64(&file, 495000);
    buf_put64(&file, 0);
    buf_put64(&file, hash_slice(0, buf_content(&file)));
    buf_slice(&hashed, buf_content(&file));
    buf_slice(&file, take_plain(&in)); /* the groups; the rest is the footer */
    if (sealed)
        put_sealed(&footer, &file, in);
    else
        buf_slice(&footer, in);
    buf_slice(&hashed, buf_content(&footer));
    buf_slice(&file, buf_content(&footer));
    int err = sha256_of(&hash, buf_content(&hashed));
    assert(err == 0);
    buf_put64(&file, footer.len);
    buf_append(&file, hash.bytes, sizeof(hash.bytes));
    buf_append(&file, "SEKIEND1", 8);
    FILE *out = fopen(file_name(), "wb");
    assert(out != NULL);
    size_t written = fwrite(file.data, 1, file.len, out);
    int closed = fclose(out);
    assert(written == file.len && closed == 0);
    err = segment_open(&s, file_name(), all_keys(), &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    for (size_t i = 0; err == 0 && i < segment_rowgroup_count(s); i++)
        use_group(t, segment_rowgroup(s, i));
    segment_close(s);
    diag_release(&diag);
    s = NULL;
    (void)segment_open_outside(&s, file_name(), &diag);
    segment_close(s);
    diag_release(&diag);
    buf_release(&file);
    buf_release(&footer);
    buf_release(&hashed);
}

/* A text that has a distance is printed from it as it was; what is printed has that distance or none. */
static void try_time(struct bench *t, struct slice in)
{
    struct time_text layout;
    if (in.len < 16)
        return;
    int64_t time_ns = (int64_t)bytes_get64(in.data);
    int64_t distance = (int64_t)bytes_get64(in.data + 8);
    in = slice_from_offset(in, 16);
    struct slice text = take_plain(&in);
    bool guessed = time_text_guess(&layout, text);
    if (!guessed && !time_text_layout(&layout, in))
        return;
    buf_reset(&t->line);
    if (time_text_distance(&layout, text, time_ns, &distance)) {
        bool printed = time_text_print(&layout, time_ns, distance, &t->line);
        assert(printed && slice_equal(buf_content(&t->line), text));
    } else {
        (void)time_text_print(&layout, time_ns, distance, &t->line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench *t = calloc(1, sizeof(*t));
    assert(t != NULL);
    t->reader = rowgroup_reader_new();
    t->batch = batch_new();
    t->random = hash_bytes(1, data, size) | 1;
    assert(t->reader != NULL && t->batch != NULL);
    if (size != 0) {
        struct slice in = slice_of(data + 1, size - 1);
        if (data[0] % 8 < 5)
            try_group(t, in, (data[0] & 8) != 0, (data[0] & 16) != 0);
        else if (data[0] % 8 < 7)
            try_segment(t, in, (data[0] & 8) != 0);
        else
            try_time(t, in);
    }
    batch_free(t->batch);
    rowgroup_reader_free(t->reader);
    buf_release(&t->line);
    free(t);
    return 0;
}
