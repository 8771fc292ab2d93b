#include "base/metric.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"
#include "base/hash.h"

enum {
    METRIC_INDEX_FIRST = 16, /* slots; a power of two */
};

struct metric_row {
    struct metric_cell cell;
    struct metric_row *next; /* in order of making */
    size_t label_len;
    char label[];
};

struct metric_family {
    struct metric_row *first;
    struct metric_row *last;
    struct metric_row *overflow; /* "_other", made when the bound is met */
    struct metric_row **slots;   /* open addressing by label */
    size_t cap;
    size_t count;
};

/*
 * Rows are only ever added, under the lock, and never move: a cell handed out needs no lock.
 */
struct metric_set {
    const struct metric_desc *table;
    size_t count;
    uint64_t seed;
    pthread_mutex_t lock;
    struct metric_cell lost; /* takes what no memory could be had for */
    struct metric_family families[];
};

static struct metric_row *row_new(struct slice label)
{
    struct metric_row *row = malloc(sizeof(*row) + label.len + 1);
    if (row == NULL)
        return NULL;
    atomic_init(&row->cell.value, 0);
    row->next = NULL;
    row->label_len = label.len;
    if (label.len != 0)
        memcpy(row->label, label.data, label.len);
    row->label[label.len] = '\0';
    return row;
}

static void family_append(struct metric_family *family, struct metric_row *row)
{
    if (family->last == NULL) {
        family->first = row;
    } else {
        family->last->next = row;
    }
    family->last = row;
}

static struct metric_row **family_slot(const struct metric_family *family, uint64_t seed,
                                       struct slice label)
{
    size_t at = (size_t)hash_slice(seed, label) & (family->cap - 1);
    for (;; at = (at + 1) & (family->cap - 1)) {
        const struct metric_row *row = family->slots[at];
        if (row == NULL || slice_equal(slice_of(row->label, row->label_len), label))
            return &family->slots[at];
    }
}

static bool family_grow(struct metric_family *family, uint64_t seed)
{
    struct metric_family grown = {.cap = family->cap == 0 ? METRIC_INDEX_FIRST : family->cap * 2};
    grown.slots = calloc(grown.cap, sizeof(struct metric_row *));
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < family->cap; i++) {
        struct metric_row *row = family->slots[i];
        if (row != NULL)
            *family_slot(&grown, seed, slice_of(row->label, row->label_len)) = row;
    }
    free(family->slots);
    family->slots = grown.slots;
    family->cap = grown.cap;
    return true;
}

/* The row of the label, or NULL. */
static struct metric_row *row_find(const struct metric_set *set, size_t id, struct slice label)
{
    const struct metric_family *family = &set->families[id];
    return family->cap == 0 ? NULL : *family_slot(family, set->seed, label);
}

static struct metric_row *row_add(struct metric_set *set, size_t id, struct slice label)
{
    struct metric_family *family = &set->families[id];
    if (family->count >= family->cap / 2 && !family_grow(family, set->seed))
        return NULL;
    struct metric_row *row = row_new(label);
    if (row == NULL)
        return NULL;
    *family_slot(family, set->seed, label) = row;
    family_append(family, row);
    family->count++;
    return row;
}

static struct metric_row *row_overflow(struct metric_family *family)
{
    if (family->overflow == NULL) {
        family->overflow = row_new(SLICE("_other"));
        if (family->overflow != NULL)
            family_append(family, family->overflow);
    }
    return family->overflow;
}

static struct slice label_clip(struct slice label)
{
    if (label.len > METRIC_LABEL_BYTES_MAX)
        label.len = METRIC_LABEL_BYTES_MAX;
    return label;
}

struct metric_cell *metric_cell(struct metric_set *set, size_t id, struct slice label)
{
    assert(id < set->count);
    assert(set->table[id].label[0] != '\0' || label.len == 0);
    label = label_clip(label);
    (void)pthread_mutex_lock(&set->lock);
    struct metric_row *row = row_find(set, id, label);
    if (row == NULL && set->families[id].count < METRIC_CELLS_MAX)
        row = row_add(set, id, label);
    if (row == NULL)
        row = row_overflow(&set->families[id]);
    (void)pthread_mutex_unlock(&set->lock);
    return row == NULL ? &set->lost : &row->cell;
}

int metric_new(struct metric_set **out, const struct metric_desc *table, size_t count)
{
    struct metric_set *set = calloc(1, sizeof(*set) + count * sizeof(set->families[0]));
    if (set == NULL)
        return ERR_NOMEM;
    set->table = table;
    set->count = count;
    set->seed = hash_seed();
    (void)pthread_mutex_init(&set->lock, NULL);
    for (size_t i = 0; i < count; i++) {
        if (table[i].label[0] != '\0')
            continue;
        /* A metric without label shows its 0 from the start. */
        struct metric_row *row = row_new(SLICE(""));
        if (row == NULL) {
            metric_free(set);
            return ERR_NOMEM;
        }
        family_append(&set->families[i], row);
    }
    *out = set;
    return 0;
}

void metric_free(struct metric_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        struct metric_row *next = NULL;
        for (struct metric_row *row = set->families[i].first; row != NULL; row = next) {
            next = row->next;
            free(row);
        }
        free(set->families[i].slots);
    }
    (void)pthread_mutex_destroy(&set->lock);
    free(set);
}

/* The only cell of a metric without label; made with the set, so no lock. */
static struct metric_cell *single_cell(struct metric_set *set, size_t id)
{
    assert(id < set->count && set->table[id].label[0] == '\0');
    return &set->families[id].first->cell;
}

void metric_add(struct metric_set *set, size_t id, uint64_t n)
{
    metric_cell_add(single_cell(set, id), n);
}

void metric_set_value(struct metric_set *set, size_t id, int64_t value)
{
    metric_cell_set(single_cell(set, id), value);
}

int64_t metric_value(struct metric_set *set, size_t id, struct slice label)
{
    assert(id < set->count);
    if (set->table[id].label[0] == '\0')
        return metric_cell_value(single_cell(set, id));
    (void)pthread_mutex_lock(&set->lock);
    struct metric_row *row = row_find(set, id, label_clip(label));
    (void)pthread_mutex_unlock(&set->lock);
    return row == NULL ? 0 : metric_cell_value(&row->cell);
}

static bool type_counts(enum metric_type type)
{
    return type == METRIC_TYPE_COUNTER || type == METRIC_TYPE_COUNTER_SECONDS;
}

/* Whether the value is a time; that of a histogram is a count, though its name ends in seconds. */
static bool type_seconds(enum metric_type type)
{
    return type == METRIC_TYPE_COUNTER_SECONDS || type == METRIC_TYPE_GAUGE_SECONDS;
}

/* OpenMetrics knows three escapes in a label value; what is not UTF-8 becomes U+FFFD. */
static void render_label(struct buf *out, struct slice label)
{
    for (size_t at = 0; at < label.len;) {
        uint32_t point = 0;
        struct slice rest = slice_from_offset(label, at);
        size_t len = escape_utf8(&point, rest);
        if (len == 0) {
            buf_text(out, "\xef\xbf\xbd");
        } else if (point == '\n') {
            buf_text(out, "\\n");
        } else if (point == '"' || point == '\\') {
            buf_printf(out, "\\%c", (char)point);
        } else {
            buf_append(out, rest.data, len);
        }
        at += len == 0 ? 1 : len;
    }
}

static void render_value(struct buf *out, enum metric_type type, int64_t value)
{
    if (!type_seconds(type)) {
        buf_decimal(out, value);
        return;
    }
    uint64_t ns = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t per_second = (uint64_t)CLOCK_NS_PER_SECOND;
    buf_printf(out, "%s%llu.%09llu", value < 0 ? "-" : "", (unsigned long long)(ns / per_second),
               (unsigned long long)(ns % per_second));
}

static void render_row(struct buf *out, const struct metric_desc *desc, struct metric_row *row)
{
    buf_text(out, desc->name);
    if (type_counts(desc->type))
        buf_text(out, "_total");
    if (desc->type == METRIC_TYPE_HISTOGRAM_SECONDS)
        buf_text(out, "_bucket");
    if (desc->label[0] != '\0') {
        buf_printf(out, "{%s=\"", desc->label);
        render_label(out, slice_of(row->label, row->label_len));
        buf_text(out, "\"}");
    }
    buf_byte(out, ' ');
    render_value(out, desc->type, metric_cell_value(&row->cell));
    buf_byte(out, '\n');
}

static const char *type_name(enum metric_type type)
{
    if (type == METRIC_TYPE_HISTOGRAM_SECONDS)
        return "histogram";
    return type_counts(type) ? "counter" : "gauge";
}

void metric_render(struct metric_set *set, struct buf *out)
{
    (void)pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++) {
        const struct metric_desc *desc = &set->table[i];
        buf_printf(out, "# TYPE %s %s\n", desc->name, type_name(desc->type));
        if (type_seconds(desc->type) || desc->type == METRIC_TYPE_HISTOGRAM_SECONDS)
            buf_printf(out, "# UNIT %s seconds\n", desc->name);
        buf_printf(out, "# HELP %s ", desc->name);
        render_label(out, slice_from(desc->help));
        buf_byte(out, '\n');
        for (struct metric_row *row = set->families[i].first; row != NULL; row = row->next)
            render_row(out, desc, row);
    }
    (void)pthread_mutex_unlock(&set->lock);
    buf_text(out, "# EOF\n");
}
