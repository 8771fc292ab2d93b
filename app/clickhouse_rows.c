#include "app/clickhouse_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

enum {
    COLUMNS_MAX = 256,
    COLUMN_VALUES_MAX = 64, /* columns of a batch for one field: spellings and repetitions */
};

/* What is known of every row. */
enum own {
    OWN_TENANT,
    OWN_SOURCE,
    OWN_FORMAT,
    OWN_TOPIC,
    OWN_PARTITION,
    OWN_OFFSET,
    OWN_SUB,
    OWN_NUMBER,
    OWN_TIME,
    OWN_ARRIVAL,
    OWN_TIME_SOURCE,
    OWN_VERDICT,
    OWN_PARSE_ERROR,
    OWN_RAW,
    OWN_COUNT,
};

struct own_column {
    const char *name;
    const char *type;
    const char *codec;
};

#define LOW "LowCardinality(String)"
#define MAP "Map(LowCardinality(String), Array(String))"

static const struct own_column OWN[OWN_COUNT] = {
    [OWN_TENANT] = {"tenant", LOW, ""},
    [OWN_SOURCE] = {"source", LOW, ""},
    [OWN_FORMAT] = {"format", LOW, ""},
    [OWN_TOPIC] = {"kafka_topic", LOW, ""},
    [OWN_PARTITION] = {"kafka_partition", "Int32", ""},
    [OWN_OFFSET] = {"kafka_offset", "Int64", " CODEC(Delta, ZSTD(1))"},
    [OWN_SUB] = {"sub", "UInt32", ""},
    [OWN_NUMBER] = {"number", "UInt64", " CODEC(Delta, ZSTD(1))"},
    [OWN_TIME] = {"timestamp", "DateTime64(9, 'UTC')", " CODEC(Delta, ZSTD(1))"},
    [OWN_ARRIVAL] = {"event_ingested", "DateTime64(9, 'UTC')", " CODEC(Delta, ZSTD(1))"},
    [OWN_TIME_SOURCE] = {"time_source", LOW, ""},
    [OWN_VERDICT] = {"verdict", LOW, ""},
    [OWN_PARSE_ERROR] = {"parse_error", LOW, ""},
    [OWN_RAW] = {"raw", "String", " CODEC(ZSTD(3))"},
};

/* Behind the fields: their further values, and fields that only one format has. */
enum {
    MAP_COUNT = 2
};

static const char *const MAPS[MAP_COUNT] = {"more", "extra"};

/* Fields with about as many values as rows: a dictionary of them is no help. */
static const uint16_t VARIED[] = {
    FIELD_TIME_SYSLOG,        FIELD_NETWORK_SESSION, FIELD_EVENT_ID,        FIELD_MESSAGE,
    FIELD_URL_PATH,           FIELD_URL_QUERY,       FIELD_URL_ORIGINAL,    FIELD_URL_FRAGMENT,
    FIELD_HTTP_REFERRER,      FIELD_FILE_NAME,       FIELD_FILE_HASH,       FIELD_DNS_ANSWER,
    FIELD_HTTP_FORWARDED_FOR, FIELD_EMAIL_SUBJECT,   FIELD_EMAIL_FROM,      FIELD_EMAIL_TO,
    FIELD_LOG_STRUCTURED,     FIELD_LOG_PROCID,      FIELD_PROCESS_COMMAND,
};

/* Fields that are columns of their own above. */
static const uint16_t KNOWN[] = {
    FIELD_TENANT,          FIELD_SOURCE,  FIELD_FORMAT,       FIELD_KAFKA_TOPIC,
    FIELD_KAFKA_PARTITION, FIELD_SUB,     FIELD_KAFKA_OFFSET, FIELD_TIMESTAMP,
    FIELD_EVENT_INGESTED,  FIELD_VERDICT, FIELD_TIME_SOURCE,  FIELD_PARSE_ERROR,
    FIELD_EVENT_ORIGINAL,
};

static bool is_among(uint16_t field, const uint16_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == field)
            return true;
    }
    return false;
}

/* The next field that is a column, in the order of ids; NULL at the end. */
static const struct field_info *next_field(size_t *at)
{
    const struct field_info *info = field_next(at);
    while (info != NULL && (info->sensitivity == FIELD_SENSITIVITY_INTERNAL ||
                            is_among(info->id, KNOWN, sizeof(KNOWN) / sizeof(KNOWN[0]))))
        info = field_next(at);
    return info;
}

static const char *type_of(const struct field_info *info)
{
    switch ((enum field_type)info->type) {
    case FIELD_TYPE_INT:
    case FIELD_TYPE_EPOCH:
        return "Nullable(Int64)";
    case FIELD_TYPE_IP:
        return "Nullable(IPv6)";
    case FIELD_TYPE_TEXT:
        break;
    }
    return is_among(info->id, VARIED, sizeof(VARIED) / sizeof(VARIED[0])) ? "String" : LOW;
}

/* "sekisho.zone.source" becomes zone_source, "url.domain" url_domain. */
static void print_name(struct buf *out, struct slice name)
{
    if (slice_starts(name, SLICE("sekisho.")))
        name = slice_from_offset(name, 8);
    for (size_t i = 0; i < name.len; i++)
        buf_append(out, name.data[i] == '.' ? "_" : &name.data[i], 1);
}

void clickhouse_columns_print(struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < OWN_COUNT; i++)
        buf_printf(out, "%s    %s %s%s", i == 0 ? "" : ",\n", OWN[i].name, OWN[i].type,
                   OWN[i].codec);
    for (const struct field_info *f = next_field(&at); f != NULL; f = next_field(&at)) {
        buf_text(out, ",\n    ");
        print_name(out, f->name);
        buf_printf(out, " %s", type_of(f));
    }
    for (size_t i = 0; i < MAP_COUNT; i++)
        buf_printf(out, ",\n    %s %s", MAPS[i], MAP);
}

/* ------------------------------------------------------------------------------ a request */

static void put_text(struct buf *out, struct slice text)
{
    buf_varint(out, text.len);
    buf_slice(out, text);
}

void clickhouse_rows_header(struct buf *out)
{
    struct buf names = {0};
    struct buf types = {0};
    struct buf name = {0};
    size_t at = 0;
    uint64_t count = OWN_COUNT + MAP_COUNT;
    for (size_t i = 0; i < OWN_COUNT; i++) {
        put_text(&names, slice_from(OWN[i].name));
        put_text(&types, slice_from(OWN[i].type));
    }
    for (const struct field_info *f = next_field(&at); f != NULL; f = next_field(&at)) {
        buf_reset(&name);
        print_name(&name, f->name);
        put_text(&names, buf_content(&name));
        put_text(&types, slice_from(type_of(f)));
        count++;
    }
    for (size_t i = 0; i < MAP_COUNT; i++) {
        put_text(&names, slice_from(MAPS[i]));
        put_text(&types, slice_from(MAP));
    }
    buf_varint(out, count);
    buf_slice(out, buf_content(&names));
    buf_slice(out, buf_content(&types));
    if (!buf_ok(&names) || !buf_ok(&types) || !buf_ok(&name))
        out->failed = true;
    buf_release(&names);
    buf_release(&types);
    buf_release(&name);
}

/* ------------------------------------------------------------------------------ rows */

/* A named field and where it stands in the batch. */
struct field_column {
    const struct field_info *info;
    const struct column *items[COLUMN_VALUES_MAX];
    uint32_t count;
};

/* A field without a number of its own. */
struct local_column {
    const struct column *column;
    struct span name; /* in `names` */
};

struct clickhouse_rows {
    const struct batch *batch;
    struct field_column fields[COLUMNS_MAX];
    uint32_t field_count;
    struct local_column locals[BATCH_COLUMNS_MAX]; /* by name, then as they stand in the line */
    uint32_t local_count;
    uint16_t place[FIELD_LOCAL_FIRST]; /* field -> fields[], plus 1 */
    struct buf names;
    struct buf scratch, decoded;
    struct buf first;  /* the first value of a field as text */
    struct buf values; /* further ones, each with its length */
    struct buf map;    /* `more`, without its count */
    uint64_t map_count;
};

int clickhouse_rows_new(struct clickhouse_rows **out)
{
    struct clickhouse_rows *r = calloc(1, sizeof(*r));
    size_t at = 0;
    if (r == NULL)
        return ERR_NOMEM;
    for (const struct field_info *f = next_field(&at); f != NULL && r->field_count < COLUMNS_MAX;
         f = next_field(&at)) {
        r->fields[r->field_count++].info = f;
        r->place[f->id] = (uint16_t)r->field_count;
    }
    *out = r;
    return 0;
}

void clickhouse_rows_free(struct clickhouse_rows *r)
{
    if (r == NULL)
        return;
    buf_release(&r->names);
    buf_release(&r->scratch);
    buf_release(&r->decoded);
    buf_release(&r->first);
    buf_release(&r->values);
    buf_release(&r->map);
    free(r);
}

static struct slice local_name(const struct clickhouse_rows *r, const struct local_column *l)
{
    return slice_of(r->names.data + l->name.offset, l->name.len);
}

/* Insertion behind those whose names are not greater. */
static void keep_local(struct clickhouse_rows *r, struct local_column l)
{
    uint32_t at = r->local_count;
    while (at > 0 && slice_compare(local_name(r, &r->locals[at - 1]), local_name(r, &l)) > 0)
        at--;
    memmove(&r->locals[at + 1], &r->locals[at], (r->local_count - at) * sizeof(r->locals[0]));
    r->locals[at] = l;
    r->local_count++;
}

int clickhouse_rows_batch(struct clickhouse_rows *r, const struct batch *b)
{
    r->batch = b;
    r->local_count = 0;
    buf_reset(&r->names);
    for (uint32_t i = 0; i < r->field_count; i++)
        r->fields[i].count = 0;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (c->field < FIELD_LOCAL_FIRST) {
            struct field_column *f =
                r->place[c->field] == 0 ? NULL : &r->fields[r->place[c->field] - 1];
            if (f != NULL && f->count < COLUMN_VALUES_MAX)
                f->items[f->count++] = c;
            continue;
        }
        struct slice name = batch_field_name(b, c->field, &r->scratch);
        struct local_column l = {c, {.offset = (uint32_t)r->names.len, .len = (uint32_t)name.len}};
        buf_slice(&r->names, name);
        if (!buf_ok(&r->names) || !buf_ok(&r->scratch))
            return ERR_NOMEM;
        keep_local(r, l);
    }
    return 0;
}

static bool has_ip(const struct column *c, uint32_t row)
{
    return (c->present[row / 64] >> (row % 64) & 1) != 0;
}

/* The value of a column as text; false when the row has none. */
static bool text_of(struct clickhouse_rows *r, const struct column *c, uint32_t row,
                    struct slice *out)
{
    buf_reset(&r->scratch);
    if (c->storage == COLUMN_IP4 || c->storage == COLUMN_IP) {
        if (!has_ip(c, row))
            return false;
        struct ip ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
        ip_print(&r->scratch, &ip);
        *out = buf_content(&r->scratch);
        return true;
    }
    if (c->storage == COLUMN_INT) {
        if (c->numbers[row] == VALUE_NONE)
            return false;
        buf_decimal(&r->scratch, c->numbers[row]);
        *out = buf_content(&r->scratch);
        return true;
    }
    if (c->kind == SLOT_NULL || !batch_value(r->batch, c, row, &r->scratch, out) || out->len == 0)
        return false;
    if (value_is_encoded(*out, c->kind)) {
        buf_reset(&r->decoded);
        value_decode(&r->decoded, *out, c->kind);
        *out = buf_content(&r->decoded);
    }
    return true;
}

/* Put the value of a column into one of the table's, if it is of its type and there is one. */
static bool put_typed(struct clickhouse_rows *r, uint8_t type, const struct column *c, uint32_t row,
                      struct buf *out)
{
    struct slice text;
    if (type == FIELD_TYPE_IP) {
        if ((c->storage != COLUMN_IP4 && c->storage != COLUMN_IP) || !has_ip(c, row))
            return false;
        struct ip ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
        buf_byte(out, '\0');
        buf_append(out, ip.bytes, sizeof(ip.bytes));
        return true;
    }
    if (type != FIELD_TYPE_TEXT) {
        if (c->storage != COLUMN_INT || c->numbers[row] == VALUE_NONE)
            return false;
        buf_byte(out, '\0');
        buf_put64(out, (uint64_t)c->numbers[row]);
        return true;
    }
    if (!text_of(r, c, row, &text))
        return false;
    put_text(out, text);
    return true;
}

/* Whether the text is among those that are kept, `len` bytes each behind its length. */
static bool is_kept(const struct buf *values, struct slice text)
{
    for (size_t at = 0; at < values->len;) {
        uint64_t len = 0;
        unsigned shift = 0;
        while ((values->data[at] & 0x80) != 0) {
            len |= (uint64_t)(values->data[at++] & 0x7f) << shift;
            shift += 7;
        }
        len |= (uint64_t)(values->data[at++] & 0x7f) << shift;
        if (slice_equal(slice_of(values->data + at, (size_t)len), text))
            return true;
        at += (size_t)len;
    }
    return false;
}

/* An entry of a map: the name, and what is in `values`. */
static void put_entry(struct clickhouse_rows *r, struct slice name, uint64_t count)
{
    put_text(&r->map, name);
    buf_varint(&r->map, count);
    buf_slice(&r->map, buf_content(&r->values));
    r->map_count++;
}

/* Values behind the first one, each once. */
static void put_further(struct clickhouse_rows *r, const struct field_column *f, uint32_t from,
                        uint32_t row)
{
    struct slice text;
    uint64_t count = 0;
    buf_reset(&r->first);
    buf_reset(&r->values);
    if (text_of(r, f->items[from - 1], row, &text))
        buf_slice(&r->first, text);
    for (uint32_t i = from; i < f->count; i++) {
        if (!text_of(r, f->items[i], row, &text) || slice_equal(text, buf_content(&r->first)) ||
            is_kept(&r->values, text))
            continue;
        put_text(&r->values, text);
        count++;
    }
    if (count != 0)
        put_entry(r, f->info->name, count);
}

static void put_fields(struct clickhouse_rows *r, uint32_t row, struct buf *out)
{
    for (uint32_t i = 0; i < r->field_count; i++) {
        const struct field_column *f = &r->fields[i];
        bool found = false;
        uint32_t at = 0;
        while (at < f->count && !found)
            found = put_typed(r, f->info->type, f->items[at++], row, out);
        if (!found)
            buf_byte(out, f->info->type == FIELD_TYPE_TEXT ? '\0' : '\1');
        else if (at < f->count)
            put_further(r, f, at, row);
    }
}

static void begin_map(struct clickhouse_rows *r)
{
    buf_reset(&r->map);
    r->map_count = 0;
}

static void end_map(struct clickhouse_rows *r, struct buf *out)
{
    buf_varint(out, r->map_count);
    buf_slice(out, buf_content(&r->map));
}

/* Fields that only this format has. */
static void put_extra(struct clickhouse_rows *r, uint32_t row, struct buf *out)
{
    begin_map(r);
    for (uint32_t i = 0; i < r->local_count;) {
        struct slice name = local_name(r, &r->locals[i]);
        struct slice text;
        uint64_t count = 0;
        buf_reset(&r->values);
        for (; i < r->local_count && slice_equal(name, local_name(r, &r->locals[i])); i++) {
            if (!text_of(r, r->locals[i].column, row, &text) || is_kept(&r->values, text))
                continue;
            put_text(&r->values, text);
            count++;
        }
        if (count != 0)
            put_entry(r, name, count);
    }
    end_map(r, out);
}

static int put_own(struct clickhouse_rows *r, const struct clickhouse_place *place, struct buf *out)
{
    const struct batch *b = r->batch;
    char code[8];
    uint32_t row = place->row;
    (void)snprintf(code, sizeof(code), "%06u", b->tenant % 1000000);
    put_text(out, slice_from(code));
    put_text(out, b->source);
    put_text(out, b->format_name);
    put_text(out, b->topic);
    buf_put32(out, (uint32_t)place->partition);
    buf_put64(out, (uint64_t)place->offset);
    buf_put32(out, b->sub[row]);
    buf_put64(out, place->number);
    buf_put64(out, (uint64_t)b->time_ns[row]);
    buf_put64(out, (uint64_t)b->arrival_ns[row]);
    put_text(out, time_source_name(b->time_source[row]));
    put_text(out, verdict_name(b->verdict[row]));
    put_text(out, b->reason[row] == REASON_NONE ? SLICE("") : reason_code(b->reason[row]));
    buf_reset(&r->scratch);
    int err = batch_render(b, row, &r->scratch);
    put_text(out, buf_content(&r->scratch));
    return err;
}

int clickhouse_rows_put(struct clickhouse_rows *r, const struct clickhouse_place *place,
                        struct buf *out)
{
    int err = put_own(r, place, out);
    if (err != 0)
        return err;
    begin_map(r);
    put_fields(r, place->row, out);
    end_map(r, out);
    put_extra(r, place->row, out);
    bool ok = buf_ok(out) && buf_ok(&r->first) && buf_ok(&r->map) && buf_ok(&r->values) &&
              buf_ok(&r->scratch) && buf_ok(&r->decoded);
    return ok ? 0 : ERR_NOMEM;
}
