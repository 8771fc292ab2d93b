#include "app/clickhouse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/clickhouse_link.h"
#include "app/clickhouse_rows.h"
#include "app/keyring_option.h"

enum {
    DEDUPLICATION_WINDOW = 10000, /* requests whose tokens the table remembers */
};

/* What the server has of an hour. */
struct known_hour {
    int64_t hour;
    uint64_t end; /* rows with smaller numbers are there */
    char hash[SHA256_HEX_BYTES + 1];
};

struct sender {
    const struct clickhouse_options *options;
    struct clickhouse_report *report;
    struct diag *diag;
    struct keyring *keys;
    struct clickhouse_link *link;
    struct clickhouse_rows *rows;
    struct rowgroup_reader *reader;
    struct batch *batch;
    struct buf statement, body, token, answer;
    struct known_hour *known; /* of the municipality at hand, ascending */
    size_t known_count;
    char store[2 * STORE_ID_BYTES + 1];
    char folder[FILE_PATH_BYTES_MAX];
    /* Of the segment at hand. */
    const struct segment_info *info;
    uint64_t from;
    uint64_t row_count; /* sent and in `body` */
    uint32_t body_rows;
    uint32_t requests;
    char hash[SHA256_HEX_BYTES + 1];
    int64_t numbers[ROWGROUP_BLOCK_ROWS];
    int64_t offsets[ROWGROUP_BLOCK_ROWS];
    int32_t partitions[ROWGROUP_BLOCK_ROWS];
};

/* ------------------------------------------------------------------------------ tables */

/* Letters, digits and _, and no digit first. */
static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i != 0 && c >= '0' && c <= '9'))
            return false;
    }
    return text.len != 0;
}

static int check_table(const char *table, struct diag *diag)
{
    struct slice rest = slice_from(table);
    const char *dot = strchr(table, '.');
    bool right = rest.len <= CLICKHOUSE_TABLE_BYTES_MAX;
    if (dot != NULL) {
        size_t len = (size_t)(dot - table);
        right = right && is_name(slice_of(table, len));
        rest = slice_from_offset(rest, len + 1);
    }
    if (right && is_name(rest))
        return 0;
    diag_add(diag, NULL, 0, 0,
             "\"%s\" is no table: write NAME or DATABASE.NAME, of letters, digits and _", table);
    return ERR_CONF;
}

int clickhouse_ddl(struct buf *out, const char *table, struct diag *diag)
{
    int err = check_table(table, diag);
    if (err != 0)
        return err;
    buf_printf(out,
               "-- Events, a row for each line. In a cluster: ReplicatedReplacingMergeTree.\n"
               "CREATE TABLE IF NOT EXISTS %s\n(\n",
               table);
    clickhouse_columns_print(out);
    buf_printf(out,
               "\n)\nENGINE = ReplacingMergeTree\n"
               "PARTITION BY toYYYYMM(timestamp)\n"
               "ORDER BY (tenant, toStartOfHour(timestamp), kafka_topic, kafka_partition, "
               "kafka_offset, sub)\n"
               "SETTINGS non_replicated_deduplication_window = %d;\n\n"
               "-- Which segments are there, and up to which row of the municipality's history.\n"
               "CREATE TABLE IF NOT EXISTS %s_segments\n(\n"
               "    store String,\n    tenant String,\n    hour Int64,\n    generation UInt32,\n"
               "    hash String,\n    end UInt64,\n    rows UInt64,\n"
               "    finished DateTime('UTC') DEFAULT now()\n)\n"
               "ENGINE = ReplacingMergeTree\n"
               "ORDER BY (store, tenant, hour, generation, hash);\n",
               DEDUPLICATION_WINDOW, table);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

/* ------------------------------------------------------------------------------ what is there */

/* Cut a field off a line of TabSeparated. */
static struct slice take_cell(struct slice *line)
{
    const char *tab = line->len == 0 ? NULL : memchr(line->data, '\t', line->len);
    size_t len = tab == NULL ? line->len : (size_t)(tab - line->data);
    struct slice cell = slice_of(line->data, len);
    *line = slice_from_offset(*line, tab == NULL ? len : len + 1);
    return cell;
}

static bool read_number(struct slice text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return false;
    }
    *out = value;
    return text.len != 0;
}

/* hour, end, hash. */
static bool read_known(struct slice line, struct known_hour *out)
{
    uint64_t hour = 0;
    struct sha256 hash;
    struct slice cell = take_cell(&line);
    bool before = slice_starts(cell, SLICE("-")); /* 1970 */
    bool right = read_number(before ? slice_from_offset(cell, 1) : cell, &hour) &&
                 hour <= INT64_MAX && read_number(take_cell(&line), &out->end);
    out->hour = before ? -(int64_t)hour : (int64_t)hour;
    if (!right || sha256_read_hex(&hash, line) != 0)
        return false;
    sha256_hex(out->hash, &hash);
    return true;
}

static int read_answer(struct sender *s)
{
    struct slice rest = buf_content(&s->answer);
    size_t lines = 0;
    for (size_t i = 0; i < rest.len; i++)
        lines += rest.data[i] == '\n';
    free(s->known);
    s->known_count = 0;
    s->known = calloc(lines + 1, sizeof(*s->known));
    if (s->known == NULL)
        return ERR_NOMEM;
    while (rest.len != 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);
        if (end == NULL || !read_known(slice_of(rest.data, len), &s->known[s->known_count])) {
            diag_add(s->diag, s->options->url, 0, 0,
                     "what it says of %s_segments cannot be read; is that table another one?",
                     s->options->table);
            return ERR_CONF;
        }
        s->known_count++;
        rest = slice_from_offset(rest, len + 1);
    }
    return 0;
}

static int ask_known(struct sender *s, uint32_t tenant)
{
    buf_reset(&s->statement);
    buf_reset(&s->answer);
    buf_printf(&s->statement,
               "SELECT hour, max(end), argMax(hash, (generation, finished)) FROM %s_segments WHERE "
               "store = '%s' AND tenant = '%06" PRIu32
               "' GROUP BY hour ORDER BY hour FORMAT TabSeparated",
               s->options->table, s->store, tenant);
    const struct clickhouse_request ask = {.statement = buf_string(&s->statement),
                                           .answer = &s->answer};
    int err = buf_ok(&s->statement) ? clickhouse_link_send(s->link, &ask) : ERR_NOMEM;
    return err == 0 ? read_answer(s) : err;
}

static const struct known_hour *find_known(const struct sender *s, int64_t hour)
{
    size_t low = 0;
    size_t high = s->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->known[middle].hour < hour)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->known_count && s->known[low].hour == hour ? &s->known[low] : NULL;
}

/* ------------------------------------------------------------------------------ what is sent */

/* The rows in `body`, under a token that is the same whenever they are sent. */
static int send_rows(struct sender *s)
{
    if (s->body_rows == 0)
        return 0;
    buf_reset(&s->token);
    buf_printf(&s->token, "sekisho-%s-%06" PRIu32 "-%s-%" PRIu64 "-%" PRIu32, s->store,
               s->info->name.tenant, s->hash, s->from, s->requests++);
    buf_reset(&s->statement);
    buf_printf(&s->statement, "INSERT INTO %s FORMAT RowBinaryWithNamesAndTypes",
               s->options->table);
    if (!buf_ok(&s->token) || !buf_ok(&s->statement) || !buf_ok(&s->body))
        return ERR_NOMEM;
    const struct clickhouse_request insert = {.statement = buf_string(&s->statement),
                                              .token = buf_string(&s->token),
                                              .data = buf_content(&s->body)};
    int err = clickhouse_link_send(s->link, &insert);
    if (err == 0) {
        s->report->bytes += s->body.len;
        s->report->rows += s->body_rows;
    }
    s->body_rows = 0;
    buf_reset(&s->body);
    return err;
}

static int put_row(struct sender *s, uint32_t row)
{
    const struct clickhouse_place place = {.row = row,
                                           .partition = s->partitions[row],
                                           .offset = s->offsets[row],
                                           .number = (uint64_t)s->numbers[row]};
    if (s->body_rows == 0) {
        buf_reset(&s->body);
        clickhouse_rows_header(&s->body);
    }
    int err = clickhouse_rows_put(s->rows, &place, &s->body);
    s->body_rows++;
    s->row_count++;
    if (err == 0 &&
        (s->body_rows == CLICKHOUSE_INSERT_ROWS || s->body.len >= CLICKHOUSE_INSERT_BYTES))
        err = send_rows(s);
    return err;
}

static int put_block(struct sender *s, const struct rowgroup_head *h, uint32_t block)
{
    bool any = false;
    int err = rowgroup_leaves(s->reader, block, s->numbers);
    for (uint32_t row = 0; err == 0 && row < h->blocks[block].row_count && !any; row++)
        any = (uint64_t)s->numbers[row] >= s->from;
    if (err != 0 || !any)
        return err;
    err = rowgroup_rows(s->reader, block, NULL, s->batch);
    if (err == 0)
        err = clickhouse_rows_batch(s->rows, s->batch);
    if (err == 0)
        batch_places(s->batch, s->offsets, s->partitions);
    for (uint32_t row = 0; err == 0 && row < s->batch->row_count; row++) {
        if ((uint64_t)s->numbers[row] >= s->from)
            err = put_row(s, row);
    }
    return err;
}

static int put_segment(struct sender *s, const struct segment *segment)
{
    int err = 0;
    s->body_rows = 0;
    s->row_count = 0;
    s->requests = 0;
    for (size_t i = 0; i < segment_rowgroup_count(segment) && err == 0; i++) {
        const struct rowgroup_head *h = segment_rowgroup(segment, i);
        if (h->leaf_max < s->from)
            continue;
        err = rowgroup_open(s->reader, h, s->batch);
        for (uint32_t block = 0; block < h->block_count && err == 0; block++)
            err = put_block(s, h, block);
    }
    return err == 0 ? send_rows(s) : err;
}

/* From here on the segment counts. */
static int finish_segment(struct sender *s)
{
    const struct segment_info *info = s->info;
    uint64_t end = info->leaf_max + 1 > s->from ? info->leaf_max + 1 : s->from;
    buf_reset(&s->statement);
    buf_reset(&s->body);
    buf_printf(&s->statement,
               "INSERT INTO %s_segments (store, tenant, hour, generation, hash, end, rows) FORMAT "
               "TabSeparated",
               s->options->table);
    buf_printf(&s->body,
               "%s\t%06" PRIu32 "\t%" PRId64 "\t%" PRIu32 "\t%s\t%" PRIu64 "\t%" PRIu64 "\n",
               s->store, info->name.tenant, info->name.hour, info->name.generation, s->hash, end,
               s->row_count);
    if (!buf_ok(&s->statement) || !buf_ok(&s->body))
        return ERR_NOMEM;
    const struct clickhouse_request insert = {.statement = buf_string(&s->statement),
                                              .data = buf_content(&s->body)};
    int err = clickhouse_link_send(s->link, &insert);
    s->report->segments += err == 0;
    return err;
}

/* ERR_NOTFOUND: it was written anew meanwhile. */
static int open_segment(struct sender *s, struct segment **out)
{
    char path[FILE_PATH_BYTES_MAX];
    struct diag said = {0};
    struct segment *segment = NULL;
    int err = segment_path(path, sizeof(path), s->folder, &s->info->name);
    if (err == 0)
        err = segment_open(&segment, path, s->keys, &said);
    if (err == 0 && !sha256_equal(&segment_info(segment)->hash, &s->info->hash)) {
        diag_add(&said, path, 0, 0, "the segment is not the one that the catalog names");
        segment_close(segment);
        err = ERR_CORRUPT;
    }
    if (err == 0)
        *out = segment;
    else
        diag_add_all(s->diag, &said);
    diag_release(&said);
    return err;
}

static int send_segment(struct sender *s, const struct segment_info *info)
{
    const struct known_hour *known = find_known(s, info->name.hour);
    struct segment *segment = NULL;
    s->info = info;
    s->from = known == NULL ? 0 : known->end;
    sha256_hex(s->hash, &info->hash);
    if (known != NULL && strcmp(known->hash, s->hash) == 0) {
        s->report->segments_known++;
        return 0;
    }
    int err = open_segment(s, &segment);
    if (err == 0) {
        err = put_segment(s, segment);
        if (err == ERR_CORRUPT) {
            diag_add(
                s->diag, segment_file(segment), 0, 0,
                "a block here is damaged; what stands before it was sent, the segment does not "
                "count; sekisho verify tells more");
        }
    }
    if (err == 0)
        err = finish_segment(s);
    segment_close(segment);
    if (err != ERR_CORRUPT && err != ERR_NOTFOUND && err != ERR_SEALED)
        return err;
    s->report->damage++;
    return 0;
}

/* ------------------------------------------------------------------------------ the whole */

static void name_store(struct sender *s, const uint8_t id[STORE_ID_BYTES])
{
    for (size_t i = 0; i < STORE_ID_BYTES; i++)
        (void)snprintf(s->store + 2 * i, 3, "%02x", id[i]);
}

static int send_tenant(struct sender *s, uint32_t tenant)
{
    struct catalog catalog = {0};
    int err = catalog_folder(s->folder, sizeof(s->folder), s->options->dir, tenant);
    if (err == 0)
        err = catalog_read(&catalog, s->folder, s->diag);
    if (err == ERR_CORRUPT || err == ERR_NOTFOUND) {
        if (err == ERR_NOTFOUND)
            diag_add(s->diag, s->folder, 0, 0, "the folder or its catalog is missing");
        s->report->damage++;
        return 0;
    }
    if (err == 0)
        err = ask_known(s, tenant);
    for (size_t i = 0; i < catalog.segment_count && err == 0; i++)
        err = send_segment(s, &catalog.segments[i]);
    catalog_release(&catalog);
    return err;
}

static int send_all(struct sender *s)
{
    struct arena arena = {0};
    struct compacted done = {0};
    bool found = false;
    int err = compacted_read(&done, s->options->dir, &arena, s->diag);
    if (err == ERR_NOTFOUND) {
        diag_add(
            s->diag, s->options->dir, 0, 0,
            "nothing is in segments as yet; a collector compacts once an hour, sekisho compact "
            "by hand");
    }
    if (err == 0)
        name_store(s, done.store_id);
    for (size_t i = 0; i < done.tenant_count && err == 0; i++) {
        if (s->options->has_tenant && done.tenants[i] != s->options->tenant)
            continue;
        found = true;
        err = send_tenant(s, done.tenants[i]);
    }
    if (err == 0 && !found) {
        diag_add(s->diag, s->options->dir, 0, 0, "that municipality has no rows in segments");
        err = ERR_NOTFOUND;
    }
    arena_release(&arena);
    return err;
}

static int sender_open(struct sender *s)
{
    s->reader = rowgroup_reader_new();
    s->batch = batch_new();
    int err = s->reader == NULL || s->batch == NULL ? ERR_NOMEM : clickhouse_rows_new(&s->rows);
    if (err == 0)
        err = check_table(s->options->table, s->diag);
    if (err == 0)
        err = keyring_option(&s->keys, s->diag);
    return err == 0 ? clickhouse_link_open(&s->link, s->options, s->diag) : err;
}

static void sender_close(struct sender *s)
{
    clickhouse_link_close(s->link);
    clickhouse_rows_free(s->rows);
    rowgroup_reader_free(s->reader);
    keyring_close(s->keys);
    batch_free(s->batch);
    buf_release(&s->statement);
    buf_release(&s->body);
    buf_release(&s->token);
    buf_release(&s->answer);
    free(s->known);
    free(s);
}

int clickhouse_send(struct clickhouse_report *out, const struct clickhouse_options *options,
                    struct diag *diag)
{
    struct clickhouse_report report = {0};
    struct sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->options = options;
    s->report = &report;
    s->diag = diag;
    int err = sender_open(s);
    if (err == 0)
        err = send_all(s);
    report.retries = s->link == NULL ? 0 : clickhouse_link_retries(s->link);
    sender_close(s);
    *out = report;
    return err;
}
