/*
 * Write a golden store with segments of this version: make_golden_segments DIR ROWS. ROWS is what its rows are, made
 * from the batches before they are stored: all of the first municipality, of the second the hash.
 * What it writes depends on nothing else, but for what zstd makes of it. Where SEKISHO_KEYRING names a keyring, the first
 * municipality is sealed, with a new key for each compaction.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/compact.h"
#include "app/keyring_option.h"
#include "base/clock.h"
#include "event/builder.h"
#include "store/store.h"
#include "tests/store/golden_rows.h"

enum {
    TENANT = 990001,
    TENANT_MANY = 990002,
    ROWS = 420,
    ROWS_LATE = 24,
    ROWS_MANY = 4200, /* more than a block */
    BATCH_ROWS = 140,
    BATCH_ROWS_MANY = 1400,
    LINE_BYTES_MAX = 512,
};

#define FIRST_NS  INT64_C(1795309200000000000) /* 2026-11-22T01:00:00Z */
#define SECOND_NS INT64_C(1000000000)

static const uint8_t GOLDEN_ID[STORE_ID_BYTES] = {'s', 'e', 'k', 'i', 's', 'h', 'o', ' ',
                                                  'g', 'o', 'l', 'd', 'e', 'n', ' ', '2'};

struct maker {
    struct store *store;
    struct codec *codec;
    struct buf rows; /* of the first municipality */
    struct buf many;
    uint64_t leaves[2];
    int64_t offsets[2][4]; /* next of each municipality's partitions */
    int64_t tick;
};

struct writing {
    char text[LINE_BYTES_MAX + SLICE_PADDING_BYTES];
    size_t len;
    struct slots slots;
};

static void put(struct writing *w, const char *text)
{
    size_t len = strlen(text);
    if (w->len + len > LINE_BYTES_MAX)
        abort();
    memcpy(w->text + w->len, text, len);
    w->len += len;
}

static void put_field(struct writing *w, const char *key, uint16_t field, const char *value)
{
    put(w, key);
    put(w, "=");
    size_t at = w->len;
    put(w, value);
    if (!slots_add(&w->slots, (uint32_t)at, (uint32_t)strlen(value), field, SLOT_PLAIN))
        abort();
    put(w, " ");
}

static void put_unnamed(struct writing *w, const char *name, const char *value)
{
    struct slot key = {.offset = (uint32_t)w->len, .length = (uint32_t)strlen(name)};
    put(w, name);
    put(w, "=\"");
    struct slot slot = {.offset = (uint32_t)w->len, .length = (uint32_t)strlen(value)};
    put(w, value);
    if (!slots_add_unnamed(&w->slots, &key, &slot))
        abort();
    put(w, "\" ");
}

/* A number of no pattern. */
static uint32_t mixed(uint32_t i)
{
    return i * UINT32_C(2654435761) >> 8;
}

/* A text printed into the scratch. */
#define TEXT(scratch, ...) \
    (buf_reset(scratch), buf_printf((scratch), __VA_ARGS__), buf_string(scratch))

/* What stands in line i, with time `at`: every type, form and exception has its part. */
static void put_line(struct writing *w, uint32_t i, int64_t at)
{
    struct buf s = {0};
    struct buf clock = {0};
    uint32_t m = mixed(i);
    clock_print_zone(&clock, at, 540); /* 2026-11-22T10:00:00+09:00 */
    clock.len = 19;
    put_unnamed(w, "date", i % 41 == 5 ? "soon" : buf_string(&clock));
    put_field(
        w, "eventtime", FIELD_TIME_EPOCH,
        TEXT(&s, "%s%u", i % 211 == 6 ? "0" : "", (uint32_t)(at / SECOND_NS) - (i % 400 == 7)));
    put_field(w, "srcip", FIELD_SOURCE_IP,
              TEXT(&s, "198.51.100.%s%u", i % 39 == 3 ? "0" : "", m % 40));
    put_field(w, "dstip", FIELD_DESTINATION_IP,
              i % 3 == 0 ? TEXT(&s, "2001:db8::%x", m % 9 + 1) : TEXT(&s, "203.0.113.%u", m % 30));
    put_field(w, "tunnel", FIELD_HOST_IP, TEXT(&s, "198.18.%u.%u", m % 250, m / 250 % 250));
    put_field(w, "natip", FIELD_SOURCE_NAT_IP,
              TEXT(&s, "2001:db8:1::%x:%x", m % 65000 + 1, m / 65000 + 1));
    put_field(w, "port", FIELD_SOURCE_PORT,
              TEXT(&s, "%s%u", i % 29 == 8 ? "0" : "", 1024 + m % 64000));
    put_field(w, "sent", FIELD_SOURCE_BYTES, TEXT(&s, "%u", m));
    put_field(w, "all", FIELD_NETWORK_BYTES, TEXT(&s, "%u", m + i % 5));
    put_unnamed(w, "session", TEXT(&s, "s%x.%x", m, i));
    put_unnamed(w, "policy", TEXT(&s, "%u", m % 12));
    put_unnamed(w, "policyname",
                i % 97 == 9 ? "unknown"
                            : TEXT(&s, "rule of office %u, floor %u", m % 12, m % 12 / 3));
    if (m % 4 != 0)
        put_field(w, "user", FIELD_USER_NAME, TEXT(&s, "u%u", m % 20));
    buf_release(&s);
    buf_release(&clock);
}

static struct batch *batch_of(uint32_t tenant)
{
    struct batch *b = batch_new();
    if (b == NULL)
        abort();
    b->tenant = tenant;
    b->format = tenant == TENANT ? 1 : 0;
    b->zone_minutes = 32768 + 540;
    b->topic = tenant == TENANT ? SLICE("seclog.raw.990001.fw1") : SLICE("seclog.raw.990002.fw1");
    b->source = SLICE("fw1");
    b->format_name = tenant == TENANT ? SLICE("fortigate") : SLICE("none");
    return b;
}

static int add_extra(struct batch *b, uint32_t i)
{
    const struct extra with_key = {.has_key = true};
    const struct extra without = {.null_value = i % 120 == 10};
    if (i % 30 == 10)
        return batch_extra(b, &without, SLICE(""), SLICE("\1h\2v"));
    return i % 30 == 20 ? batch_extra(b, &with_key, SLICE("k 1"), SLICE("")) : 0;
}

/* Row i; every tenth record has two lines. */
static int add_row(struct maker *m, struct batch *b, uint32_t i, int64_t arrival_ns)
{
    struct writing w = {0};
    int64_t at = FIRST_NS + (i * 3 + i % 7) * SECOND_NS;
    bool many = b->tenant == TENANT_MANY;
    int32_t partition = many ? 0 : (int32_t)(i / 50 % 2 * 3);
    int64_t *next = &m->offsets[many][partition];
    bool second = !many && i % 10 == 5 && i % 50 != 0;
    bool empty = !many && i % 120 == 10;
    int err = many || second ? 0 : add_extra(b, i);
    if (many)
        put_unnamed(&w, "n", i % 2 == 0 ? "even" : "odd");
    else if (!empty)
        put_line(&w, i, at);
    if (!empty)
        put(&w, i % 10 == 4 ? "\r\n" : "\n");
    struct row row = {.bytes = slice_of(w.text, w.len),
                      .slots = &w.slots,
                      .reason = !many && i % 131 == 2 ? REASON_FORMAT_MISMATCH : REASON_NONE,
                      .time_source = many ? 0 : 1,
                      .time_ns = i % 400 == 11 ? at + 1 : at,
                      .arrival_ns = arrival_ns,
                      .partition = partition,
                      .offset = second ? *next - 1 : (*next)++,
                      .sub = second ? 1 : 0};
    if (err == 0)
        err = batch_append(b, &row);
    if (err == 0)
        b->verdict[b->row_count - 1] = (uint8_t)(i % 3);
    return err;
}

static void derive(struct batch *b)
{
    struct column *c = batch_derived(b, FIELD_SOURCE_COUNTRY);
    for (uint32_t row = 0; c != NULL && row < b->row_count; row += 3)
        c->codes[row] = column_intern(b, c, row % 2 == 0 ? SLICE("JP") : SLICE("US"));
    struct column *n = batch_derived(b, FIELD_SOURCE_ASN);
    for (uint32_t row = 0; n != NULL && row < b->row_count; row += 2)
        n->numbers[row] = 64496 + row % 5;
}

/* One frame with the batch; offsets from `before` on are its own. */
static int store_batch(struct maker *m, const struct batch *b, const int64_t before[4])
{
    struct buf blob = {0};
    bool many = b->tenant == TENANT_MANY;
    struct frame_entry entries[4];
    struct frame_range ranges[4];
    size_t count = 0;
    for (int32_t p = 0; p < 4; p++) {
        int64_t end = m->offsets[many][p];
        if (end == before[p])
            continue;
        ranges[count] = (struct frame_range){FRAME_RANGE_DATA, before[p], end, {NULL, 0}};
        entries[count] = (struct frame_entry){b->topic, p, before[p], end, &ranges[count], 1};
        count++;
    }
    int err = codec_encode(m->codec, b, &blob);
    const struct slice pack = buf_content(&blob);
    const struct frame_parts parts = {.tick_ns = m->tick += SECOND_NS,
                                      .entries = entries,
                                      .entry_count = count,
                                      .batches = &pack,
                                      .batch_count = 1};
    if (err == 0)
        err = store_append(m->store, &parts);
    for (uint32_t row = 0; row < b->row_count; row++)
        golden_row_print(many ? &m->many : &m->rows, b, row, m->leaves[many]++);
    buf_release(&blob);
    return err;
}

/* Rows [first, end) of a municipality, arriving in two hours; late ones in the first. */
static int add_rows(struct maker *m, uint32_t tenant, uint32_t first, uint32_t end)
{
    uint32_t each = tenant == TENANT ? BATCH_ROWS : BATCH_ROWS_MANY;
    int err = 0;
    while (first < end && err == 0) {
        struct batch *b = batch_of(tenant);
        b->generation =
            tenant == TENANT && first >= ROWS ? 2 : 1; /* late rows have a group of their own */
        int64_t before[4];
        memcpy(before, m->offsets[tenant == TENANT_MANY], sizeof(before));
        for (uint32_t n = 0; n < each && first < end && err == 0; n++, first++) {
            int64_t late = first >= ROWS ? 100 : first * INT64_C(10);
            err = add_row(m, b, first,
                          FIRST_NS + (tenant == TENANT ? late : 50) * SECOND_NS + 123456789);
        }
        if (tenant == TENANT)
            derive(b);
        if (err == 0)
            err = store_batch(m, b, before);
        batch_free(b);
    }
    return err;
}

static int compact(struct maker *m, const char *dir, struct diag *diag)
{
    struct compact_report report;
    struct keyring *keys = NULL;
    const struct keyring_key *made = NULL;
    int err = 0;
    store_close(m->store);
    m->store = NULL;
    if (keyring_option_path() != NULL)
        err = keyring_edit(&keys, keyring_option_path(), false, diag);
    if (err == 0 && keys != NULL)
        err = keyring_rotate(&made, keys, TENANT, diag);
    const struct compact_options options = {
        .dir = dir, .store_id = GOLDEN_ID, .through_seq = UINT64_MAX, .keys = keys};
    if (err == 0)
        err = compact_run(&options, &report, diag);
    keyring_close(keys);
    return err;
}

static int write_rows(struct maker *m, const char *path)
{
    struct sha256 hash;
    int err = sha256_of(&hash, buf_content(&m->many));
    buf_printf(&m->rows, "%06d %d rows sha256 ", TENANT_MANY, ROWS_MANY);
    for (size_t i = 0; i < sizeof(hash.bytes); i++)
        buf_printf(&m->rows, "%02x", hash.bytes[i]);
    buf_byte(&m->rows, '\n');
    FILE *f = err == 0 && buf_ok(&m->rows) ? fopen(path, "wb") : NULL;
    if (f == NULL)
        return ERR_IO;
    size_t written = fwrite(m->rows.data, 1, m->rows.len, f);
    return fclose(f) == 0 && written == m->rows.len ? 0 : ERR_IO;
}

int main(int argc, char **argv)
{
    struct maker m = {.codec = codec_new(9)};
    struct diag diag = {0};
    if (argc != 3 || m.codec == NULL)
        return 2;
    const struct store_options opts = {.dir = argv[1], .store_id = GOLDEN_ID};
    int err = store_open(&m.store, &opts, &diag);
    if (err == 0)
        err = add_rows(&m, TENANT, 0, ROWS);
    if (err == 0)
        err = add_rows(&m, TENANT_MANY, 0, ROWS_MANY);
    if (err == 0)
        err = compact(&m, argv[1], &diag);
    if (err == 0)
        err = store_open(&m.store, &opts, &diag);
    if (err == 0)
        err = add_rows(&m, TENANT, ROWS, ROWS + ROWS_LATE);
    if (err == 0)
        err = compact(&m, argv[1], &diag);
    if (err == 0)
        err = write_rows(&m, argv[2]);
    (void)fputs(diag_text(&diag), stderr);
    (void)fprintf(stderr, "%d\n", err);
    store_close(m.store);
    codec_free(m.codec);
    buf_release(&m.rows);
    buf_release(&m.many);
    diag_release(&diag);
    return err == 0 ? 0 : 1;
}
