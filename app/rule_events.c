#include "app/rule_events.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "event/builder.h"
#include "event/pred_row.h"
#include "event/value.h"

enum {
    EVENTS_BYTES_MAX = 1 << 30,
    EVENT_DEPTH_MAX = 8,
    NUMBER_BYTES = 40,
};

/* Where an event is from: the same for all rows of a batch. */
struct place {
    uint32_t tenant;
    struct buf source;
    struct buf topic;
};

struct rule_events {
    enum sigma_names names;
    char *path;
    struct buf text;
    size_t at;
    uint32_t line;
    int64_t event; /* of the next line that is not empty */
    int64_t time_ns;
    struct batch *batch;
    struct buf row; /* the event at hand, and what stands where in it */
    struct slots slots;
    uint8_t verdict;
    struct place place;    /* of the event at hand */
    struct place of_batch; /* of the events in the batch */
    bool pending;          /* the event at hand found no room in the last batch */
};

int rule_events_open(struct rule_events **out, const char *path, enum sigma_names names,
                     struct diag *diag)
{
    struct rule_events *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return ERR_NOMEM;
    e->names = names;
    e->path = strdup(path);
    e->batch = batch_new();
    int err = e->batch == NULL || e->path == NULL ? ERR_NOMEM : 0;
    if (err == 0) {
        err = file_read_all(&e->text, path, EVENTS_BYTES_MAX);
        if (err != 0)
            diag_add(diag, path, 0, 0, "%s: cannot be read: %s", path, err_name(err));
    }
    if (err != 0) {
        rule_events_close(e);
        return err;
    }
    *out = e;
    return 0;
}

void rule_events_close(struct rule_events *e)
{
    if (e == NULL)
        return;
    batch_free(e->batch);
    buf_release(&e->text);
    buf_release(&e->row);
    buf_release(&e->place.source);
    buf_release(&e->place.topic);
    buf_release(&e->of_batch.source);
    buf_release(&e->of_batch.topic);
    free(e->path);
    free(e);
}

/* What the dictionary knows of a key: the field, or FIELD_UNNAMED. */
static uint16_t key_field(const struct rule_events *e, struct slice key)
{
    uint16_t field = e->names == SIGMA_NAMES_FIELDS ? field_find(key) : FIELD_NONE;
    const struct field_info *info = field_info(field);
    bool of_row = info == NULL || row_field_find(info->name) != ROW_FIELD_NONE;
    return of_row || field == FIELD_EVENT_ORIGINAL ? FIELD_UNNAMED : field;
}

static uint8_t verdict_of(struct slice word)
{
    for (unsigned i = 0; i < VERDICT_COUNT; i++) {
        if (slice_equal(verdict_name(i), word))
            return (uint8_t)i;
    }
    return VERDICT_UNKNOWN;
}

static void place_reset(struct place *p)
{
    p->tenant = 0;
    buf_reset(&p->source);
    buf_reset(&p->topic);
    buf_text(&p->source, "events");
    buf_text(&p->topic, "file");
}

static void place_set(struct buf *name, struct slice value)
{
    buf_reset(name);
    buf_slice(name, value);
}

/* Values that are the batch's, as an export writes them. */
static void place_note(struct place *p, struct slice key, struct slice value)
{
    int64_t code = 0;
    switch (row_field_find(key)) {
    case ROW_FIELD_TENANT:
        if (value_int(value, &code) != VALUE_INVALID && code >= 0 && code <= UINT32_MAX)
            p->tenant = (uint32_t)code;
        break;
    case ROW_FIELD_SOURCE:
        place_set(&p->source, value);
        break;
    case ROW_FIELD_TOPIC:
        place_set(&p->topic, value);
        break;
    case ROW_FIELD_NONE:
    case ROW_FIELD_FORMAT: /* its local fields are "event.<name>", whatever wrote the line */
    case ROW_FIELD_VERDICT:
    case ROW_FIELD_PARSE_ERROR:
    case ROW_FIELD_TIME_SOURCE:
    case ROW_FIELD_TIMESTAMP:
    case ROW_FIELD_INGESTED:
    case ROW_FIELD_PARTITION:
    case ROW_FIELD_OFFSET:
    case ROW_FIELD_SUB:
    case ROW_FIELD_COUNT:
    default:
        break;
    }
}

static bool place_same(const struct place *a, const struct place *b)
{
    return a->tenant == b->tenant &&
           slice_equal(buf_content(&a->source), buf_content(&b->source)) &&
           slice_equal(buf_content(&a->topic), buf_content(&b->topic));
}

/* Append one value. Fields of the dictionary that are null have no slot. */
static bool value_add(struct rule_events *e, struct slice key, struct slice value, uint8_t kind)
{
    uint16_t field = key_field(e, key);
    if (e->names == SIGMA_NAMES_FIELDS && slice_equal(key, SLICE("sekisho.verdict")))
        e->verdict = verdict_of(value);
    if (e->names == SIGMA_NAMES_FIELDS && kind != SLOT_NULL)
        place_note(&e->place, key, value);
    if (key.len > BATCH_NAME_BYTES_MAX - sizeof("event."))
        return false;
    uint32_t key_at = (uint32_t)e->row.len;
    buf_slice(&e->row, key);
    buf_byte(&e->row, '=');
    uint32_t at = (uint32_t)e->row.len;
    buf_slice(&e->row, value);
    buf_byte(&e->row, '\n');
    if (field != FIELD_UNNAMED)
        return kind == SLOT_NULL || slots_add(&e->slots, at, (uint32_t)value.len, field, kind);
    struct slot name = {.offset = key_at, .length = (uint32_t)key.len};
    struct slot slot = {.offset = at, .length = (uint32_t)value.len, .kind = kind};
    return slots_add_unnamed(&e->slots, &name, &slot);
}

/* The shortest decimal that is the same number. */
static struct slice real_text(double value, char out[NUMBER_BYTES])
{
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, NUMBER_BYTES, "%.*g", digits, value);
        double back = strtod(out, NULL);
        if (!(back < value) && !(back > value))
            break;
    }
    return slice_of(out, len < 0 ? 0 : (size_t)len);
}

static bool scalar_add(struct rule_events *e, struct slice key, const json_t *value)
{
    char number[NUMBER_BYTES];
    switch (json_typeof(value)) {
    case JSON_STRING:
        return value_add(e, key, slice_of(json_string_value(value), json_string_length(value)),
                         SLOT_PLAIN);
    case JSON_INTEGER:
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return value_add(e, key, slice_from(number), SLOT_PLAIN);
    case JSON_REAL:
        return value_add(e, key, real_text(json_real_value(value), number), SLOT_PLAIN);
    case JSON_TRUE:
        return value_add(e, key, SLICE("true"), SLOT_PLAIN);
    case JSON_FALSE:
        return value_add(e, key, SLICE("false"), SLOT_PLAIN);
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
    default:
        return value_add(e, key, SLICE("null"), SLOT_NULL);
    }
}

/* An object or a list that is being walked. */
struct level {
    json_t *node;
    void *member; /* of an object */
    size_t item;  /* of a list */
    size_t key_len;
};

/* The next member of a level and its name; NULL at the end. */
static json_t *level_next(struct level *level, struct buf *key)
{
    key->len = level->key_len;
    if (json_is_array(level->node))
        return json_array_get(level->node, level->item++);
    if (level->member == NULL)
        return NULL;
    if (level->key_len != 0)
        buf_byte(key, '.');
    buf_text(key, json_object_iter_key(level->member));
    json_t *value = json_object_iter_value(level->member);
    level->member = json_object_iter_next(level->node, level->member);
    return value;
}

/* All scalars of an object. False where it is too deep or too wide. */
static bool object_add(struct rule_events *e, json_t *root)
{
    struct level levels[EVENT_DEPTH_MAX];
    struct buf key = {0};
    unsigned depth = 1;
    bool fits = true;
    levels[0] = (struct level){.node = root, .member = json_object_iter(root)};
    while (depth > 0 && fits) {
        json_t *value = level_next(&levels[depth - 1], &key);
        if (value == NULL) {
            depth--;
        } else if (json_is_object(value) || json_is_array(value)) {
            fits = depth < EVENT_DEPTH_MAX;
            if (fits)
                levels[depth++] = (struct level){
                    .node = value, .member = json_object_iter(value), .key_len = key.len};
        } else {
            fits = scalar_add(e, buf_content(&key), value);
        }
    }
    fits = fits && buf_ok(&key);
    buf_release(&key);
    return fits;
}

static int event_read(struct rule_events *e, struct slice line, struct diag *diag)
{
    json_error_t error;
    json_t *root = json_loadb(line.data, line.len, JSON_ALLOW_NUL, &error);
    if (root == NULL && json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb(line.data, line.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (!json_is_object(root)) {
        diag_add(diag, e->path, e->line, root == NULL ? (uint32_t)error.column : 1,
                 "no JSON object: %s", root == NULL ? error.text : "another value");
        json_decref(root);
        return ERR_CONF;
    }
    buf_reset(&e->row);
    e->slots.count = 0;
    e->verdict = VERDICT_UNKNOWN;
    place_reset(&e->place);
    bool fits = object_add(e, root);
    const json_t *time = json_object_get(root, "@timestamp");
    if (json_is_string(time))
        (void)clock_parse(&e->time_ns, slice_from(json_string_value(time)));
    json_decref(root);
    if (!buf_ok(&e->row) || !buf_ok(&e->place.source) || !buf_ok(&e->place.topic))
        return ERR_NOMEM;
    if (!fits) {
        diag_add(diag, e->path, e->line, 1,
                 "an event of more than %d values or %d levels, or a name of more than %zu bytes",
                 SLOTS_MAX / 2, EVENT_DEPTH_MAX, BATCH_NAME_BYTES_MAX - sizeof("event."));
    }
    return fits ? 0 : ERR_CONF;
}

/* The next line that is not empty, read; 1 at the end. */
static int event_next(struct rule_events *e, struct diag *diag)
{
    while (e->at < e->text.len) {
        const char *from = e->text.data + e->at;
        const char *end = memchr(from, '\n', e->text.len - e->at);
        size_t len = end == NULL ? e->text.len - e->at : (size_t)(end - from);
        e->at += len + 1;
        e->line++;
        struct slice line = slice_of(from, len);
        while (line.len != 0 && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' '))
            line.len--;
        if (line.len != 0)
            return event_read(e, line, diag);
    }
    return 1;
}

static int row_add(struct rule_events *e)
{
    struct row row = {.bytes = buf_content(&e->row),
                      .slots = &e->slots,
                      .time_source = TIME_SOURCE_DEVICE,
                      .time_ns = e->time_ns,
                      .arrival_ns = e->time_ns,
                      .offset = e->event};
    int err = batch_append(e->batch, &row);
    if (err != 0)
        return err;
    e->batch->verdict[e->batch->row_count - 1] = e->verdict;
    e->event++;
    return 0;
}

/* The batch is of the event at hand from now on. */
static int batch_begin(struct rule_events *e)
{
    e->of_batch.tenant = e->place.tenant;
    place_set(&e->of_batch.source, buf_content(&e->place.source));
    place_set(&e->of_batch.topic, buf_content(&e->place.topic));
    e->batch->tenant = e->of_batch.tenant;
    e->batch->source = buf_content(&e->of_batch.source);
    e->batch->topic = buf_content(&e->of_batch.topic);
    return buf_ok(&e->of_batch.source) && buf_ok(&e->of_batch.topic) ? 0 : ERR_NOMEM;
}

int rule_events_next(struct rule_events *e, struct batch **out, struct diag *diag)
{
    struct batch *b = e->batch;
    batch_reset(b);
    b->format_name = SLICE("event");
    for (;;) {
        int err = e->pending ? 0 : event_next(e, diag);
        if (err < 0)
            return err;
        e->pending = err == 0;
        if (err == 1 || !batch_fits(b, e->row.len, BATCH_LIVE_ROWS_MAX) ||
            (b->row_count != 0 && !place_same(&e->place, &e->of_batch)))
            break;
        err = b->row_count == 0 ? batch_begin(e) : 0;
        if (err == 0)
            err = row_add(e);
        if (err == ERR_RANGE && b->row_count != 0)
            break;
        if (err != 0)
            return err;
        e->pending = false;
    }
    *out = b->row_count == 0 ? NULL : b;
    return 0;
}
