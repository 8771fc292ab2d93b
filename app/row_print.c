#include "app/row_print.h"

#include <stdlib.h>

#include "app/row_text.h"
#include "base/clock.h"
#include "base/escape.h"
#include "event/ndjson.h"

static const uint16_t CSV_FIELDS[] = {
    FIELD_TIMESTAMP,
    FIELD_TENANT,
    FIELD_SOURCE,
    FIELD_FORMAT,
    FIELD_VERDICT,
    FIELD_EVENT_ACTION,
    FIELD_SOURCE_IP,
    FIELD_SOURCE_PORT,
    FIELD_SOURCE_BYTES,
    FIELD_DESTINATION_IP,
    FIELD_DESTINATION_PORT,
    FIELD_DESTINATION_BYTES,
    FIELD_DESTINATION_DOMAIN,
    FIELD_NETWORK_TRANSPORT,
    FIELD_NETWORK_PROTOCOL,
    FIELD_USER_NAME,
    FIELD_URL_DOMAIN,
    FIELD_URL_PATH,
    FIELD_URL_QUERY,
    FIELD_HTTP_METHOD,
    FIELD_HTTP_STATUS,
    FIELD_RULE_NAME,
    FIELD_THREAT_NAME,
    FIELD_MESSAGE,
    FIELD_PARSE_ERROR,
    FIELD_KAFKA_TOPIC,
    FIELD_KAFKA_PARTITION,
    FIELD_KAFKA_OFFSET,
    FIELD_SUB,
};

enum {
    CSV_FIELD_COUNT = sizeof(CSV_FIELDS) / sizeof(CSV_FIELDS[0]),
    TABLE_DETAIL_BYTES_MAX = 100,
};

static_assert((int)CSV_FIELD_COUNT <= (int)ROW_FIELDS_MAX, "every CSV field has its columns");

/* A column of the table: the first of the fields that has a value. */
struct table_column {
    const char *title;
    uint16_t fields[4];
    int width;
};

static const struct table_column TABLE[] = {
    {"TENANT", {FIELD_TENANT}, 6},
    {"SOURCE", {FIELD_SOURCE}, 12},
    {"VERDICT", {FIELD_VERDICT}, 7},
    {"FROM", {FIELD_SOURCE_IP, FIELD_USER_NAME, FIELD_HOST_NAME}, 15},
    {"TO", {FIELD_DESTINATION_IP, FIELD_DESTINATION_DOMAIN, FIELD_URL_DOMAIN}, 15},
    {"PORT", {FIELD_DESTINATION_PORT, FIELD_URL_PORT}, 5},
    {"HOST", {FIELD_URL_DOMAIN, FIELD_DNS_QUESTION, FIELD_DESTINATION_DOMAIN}, 24},
};

enum {
    TABLE_COLUMNS = sizeof(TABLE) / sizeof(TABLE[0]),
    TABLE_COLUMN_FIELDS = sizeof(TABLE[0].fields) / sizeof(TABLE[0].fields[0]),
    TABLE_TIME_WIDTH = 29,
};

static_assert((int)TABLE_COLUMNS * (int)TABLE_COLUMN_FIELDS <= (int)ROW_FIELDS_MAX,
              "every field of the table has its columns");

struct row_printer {
    struct row_print_options options;
    struct ndjson *ndjson;
    struct row_fields fields;
    uint16_t wanted[ROW_FIELDS_MAX];
    size_t wanted_count;
    const struct batch *batch;
    uint64_t decoding;
    struct buf cell;
    struct buf joined; /* values of a field */
};

/* Fields of the table in one list; column i has [i * TABLE_COLUMN_FIELDS, ...). */
static void want_fields(struct row_printer *p)
{
    if (p->options.form == ROW_CSV) {
        memcpy(p->wanted, CSV_FIELDS, sizeof(CSV_FIELDS));
        p->wanted_count = CSV_FIELD_COUNT;
    } else if (p->options.form == ROW_TABLE) {
        for (size_t i = 0; i < TABLE_COLUMNS; i++)
            memcpy(&p->wanted[i * TABLE_COLUMN_FIELDS], TABLE[i].fields, sizeof(TABLE[i].fields));
        p->wanted_count = (size_t)TABLE_COLUMNS * TABLE_COLUMN_FIELDS;
    }
}

void row_print_csv_fields(struct buf *out)
{
    for (size_t i = 0; i < CSV_FIELD_COUNT; i++) {
        buf_text(out, i == 0 ? "" : ",");
        buf_slice(out, field_info(CSV_FIELDS[i])->name);
    }
}

int row_printer_new(struct row_printer **out, const struct row_print_options *options)
{
    struct row_printer *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    p->options = *options;
    p->ndjson = ndjson_new();
    if (p->ndjson == NULL) {
        row_printer_free(p);
        return ERR_NOMEM;
    }
    want_fields(p);
    *out = p;
    return 0;
}

void row_printer_free(struct row_printer *p)
{
    if (p == NULL)
        return;
    ndjson_free(p->ndjson);
    row_fields_release(&p->fields);
    buf_release(&p->cell);
    buf_release(&p->joined);
    free(p);
}

static int print_raw(const struct scan_row *row, struct buf *out)
{
    size_t start = out->len;
    int err = batch_render(row->batch, row->row, out);
    if (err == 0 && (out->len == start || out->data[out->len - 1] != '\n'))
        buf_byte(out, '\n');
    return err;
}

/* Whether the byte is one of a text's. */
static bool is_one_of(char byte, const char *text)
{
    return byte != '\0' && strchr(text, byte) != NULL;
}

static void print_csv(struct row_printer *p, const struct scan_row *row, struct buf *out)
{
    const struct row_place place = {.partition = row->partition, .offset = row->offset};
    for (size_t i = 0; i < CSV_FIELD_COUNT; i++) {
        if (i > 0)
            buf_byte(out, ',');
        buf_reset(&p->joined);
        uint32_t count = row_field_join(&p->fields, i, CSV_FIELDS[i], row->row, &place, &p->joined);
        bool is_number = count == 1 && row_field_is_number(CSV_FIELDS[i]);
        row_text_csv(out, &p->cell, buf_content(&p->joined), is_number);
    }
    buf_append(out, "\r\n", 2);
}

/* Characters as a terminal counts them, roughly: bytes that begin one. */
static int shown_width(struct slice text)
{
    int width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return width;
}

static void table_cell(struct row_printer *p, struct slice text, int width, struct buf *out)
{
    buf_reset(&p->cell);
    escape_text(&p->cell, text);
    struct slice cell = buf_content(&p->cell);
    buf_slice(out, cell);
    for (int at = shown_width(cell); at < width; at++)
        buf_byte(out, ' ');
    buf_byte(out, ' ');
}

/* The first value among a few fields that have no place in the list of columns, or empty. */
static struct slice detail_value(struct row_printer *p, const struct scan_row *row, uint16_t field)
{
    const struct batch *b = row->batch;
    struct slice text = SLICE("");
    for (uint32_t c = 0; c < b->column_count && text.len == 0; c++) {
        if (b->columns[c].field == field)
            (void)batch_value(b, &b->columns[c], row->row, &p->fields.scratch, &text);
    }
    return text;
}

/* What the row is about: what was asked for or said, else what was done, else the line itself. */
static int detail_text(struct row_printer *p, const struct scan_row *row, struct buf *out)
{
    static const uint16_t WHOLE[] = {FIELD_URL_PATH, FIELD_THREAT_NAME, FIELD_MESSAGE};
    static const uint16_t PARTS[] = {FIELD_NETWORK_PROTOCOL, FIELD_EVENT_ACTION, FIELD_RULE_NAME,
                                     FIELD_RULE_ID};
    buf_reset(out);
    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]) && out->len == 0; i++)
        buf_slice(out, detail_value(p, row, WHOLE[i]));
    if (out->len != 0)
        return 0;
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        struct slice text = detail_value(p, row, PARTS[i]);
        if (text.len == 0)
            continue;
        buf_text(out, out->len == 0 ? "" : " ");
        buf_text(out, PARTS[i] == FIELD_RULE_ID ? "rule " : "");
        buf_slice(out, text);
    }
    if (out->len != 0)
        return 0;
    int err = batch_render(row->batch, row->row, out);
    while (out->len != 0 && is_one_of(out->data[out->len - 1], "\r\n"))
        out->len--;
    return err;
}

static int print_detail(struct row_printer *p, const struct scan_row *row, struct buf *out)
{
    int err = detail_text(p, row, &p->fields.decoded);
    struct slice text = buf_content(&p->fields.decoded);
    size_t room = TABLE_DETAIL_BYTES_MAX;
    bool cut = text.len > room;
    while (cut && room > 0 && ((unsigned char)text.data[room] & 0xc0) == 0x80)
        room--;
    buf_reset(&p->cell);
    escape_text(&p->cell, slice_of(text.data, cut ? room : text.len));
    buf_slice(out, buf_content(&p->cell));
    buf_text(out, cut ? "...\n" : "\n");
    return err == 0 && !(buf_ok(out) && buf_ok(&p->cell) && buf_ok(&p->fields.decoded)) ? ERR_NOMEM
                                                                                        : err;
}

static int print_table(struct row_printer *p, const struct scan_row *row, struct buf *out)
{
    const struct row_place place = {.partition = row->partition, .offset = row->offset};
    buf_reset(&p->fields.scratch);
    int64_t time_ns = row->batch->time_ns[row->row];
    clock_print_zone(&p->fields.scratch, time_ns - time_ns % 1000000, p->options.zone_minutes);
    table_cell(p, buf_content(&p->fields.scratch), TABLE_TIME_WIDTH, out);
    for (size_t i = 0; i < TABLE_COLUMNS; i++) {
        struct slice text = SLICE("-");
        for (size_t k = 0; k < TABLE_COLUMN_FIELDS && TABLE[i].fields[k] != FIELD_NONE; k++) {
            if (row_field_text(&p->fields, i * TABLE_COLUMN_FIELDS + k, TABLE[i].fields[k],
                               row->row, &place, &text))
                break;
        }
        table_cell(p, text, TABLE[i].width, out);
    }
    return print_detail(p, row, out);
}

void row_print_header(struct row_printer *p, struct buf *out)
{
    if (p->options.form == ROW_CSV) {
        row_print_csv_fields(out);
        buf_append(out, "\r\n", 2);
    } else if (p->options.form == ROW_TABLE) {
        table_cell(p, SLICE("TIME"), TABLE_TIME_WIDTH, out);
        for (size_t i = 0; i < TABLE_COLUMNS; i++)
            table_cell(p, slice_from(TABLE[i].title), TABLE[i].width, out);
        buf_text(out, "DETAIL\n");
    }
}

int row_print(struct row_printer *p, const struct scan_row *row, struct buf *out)
{
    if (p->batch != row->batch || p->decoding != row->decoding) {
        p->batch = row->batch;
        p->decoding = row->decoding;
        row_fields_batch(&p->fields, row->batch, p->wanted, p->wanted_count);
        int err = p->options.form == ROW_NDJSON ? ndjson_batch(p->ndjson, row->batch) : 0;
        if (err != 0)
            return err;
    }
    int err = 0;
    switch (p->options.form) {
    case ROW_NDJSON:
        return ndjson_row(p->ndjson, row->row, NDJSON_PLACE, out);
    case ROW_RAW:
        return print_raw(row, out);
    case ROW_CSV:
        print_csv(p, row, out);
        break;
    case ROW_TABLE:
        err = print_table(p, row, out);
        break;
    }
    bool ok = buf_ok(out) && buf_ok(&p->joined) && buf_ok(&p->cell);
    return err == 0 && !ok ? ERR_NOMEM : err;
}
