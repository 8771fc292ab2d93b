#include "app/source_fields.h"

#include <stdlib.h>
#include <string.h>

#include "app/field_questions.h"
#include "base/err.h"
#include "event/pred_url.h"

enum {
    SOURCES_CAP_LEAST = 64,
};

/* One thread scans, so that which rows are the sample does not depend on chance. */
struct reading {
    struct source_fields *out;
    const struct need_fields *fields;
    struct field_questions questions;
    struct buf name;
    struct source *source; /* of the batch at hand */
    bool looks;            /* its columns are decoded */
    bool chosen[BATCH_ROWS_MAX];
    int err;
};

static int text_keep(struct slice *out, struct arena *arena, struct slice text)
{
    const char *copy = arena_copy(arena, text);
    if (copy == NULL)
        return ERR_NOMEM;
    *out = slice_of(copy, text.len);
    return 0;
}

static bool is_of(const struct source *s, const struct batch *b)
{
    return s->tenant == b->tenant && slice_equal(s->name, b->source) &&
           slice_equal(s->format, b->format_name);
}

static int source_add(struct reading *r, const struct batch *b)
{
    struct source_fields *t = r->out;
    if (t->count == SOURCES_MAX)
        return ERR_RANGE;
    if (t->count == t->cap) {
        uint32_t cap = t->cap == 0 ? SOURCES_CAP_LEAST : t->cap * 2;
        struct source *more = arena_array(&t->arena, cap, sizeof(*more));
        if (more == NULL)
            return ERR_NOMEM;
        if (t->count != 0)
            memcpy(more, t->items, t->count * sizeof(*more));
        t->items = more;
        t->cap = cap;
    }
    struct source s = {.tenant = b->tenant};
    s.values = arena_array(&t->arena, r->fields->count + 1, sizeof(*s.values));
    s.known_holds = arena_array(&t->arena, r->fields->known_count + 1, sizeof(*s.known_holds));
    int err = s.values == NULL || s.known_holds == NULL ? ERR_NOMEM : 0;
    if (err == 0)
        err = text_keep(&s.name, &t->arena, b->source);
    if (err == 0)
        err = text_keep(&s.format, &t->arena, b->format_name);
    if (err != 0)
        return err;
    r->source = &t->items[t->count];
    t->items[t->count++] = s;
    return 0;
}

static int source_find(struct reading *r, const struct batch *b)
{
    struct source_fields *t = r->out;
    if (r->source != NULL && is_of(r->source, b))
        return 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (!is_of(&t->items[i], b))
            continue;
        r->source = &t->items[i];
        return 0;
    }
    return source_add(r, b);
}

/* Could a column, whose rows are not there yet, hold values of a field? */
static bool column_answers(struct reading *r, const struct batch *b, const struct column *c,
                           const struct need_field *field)
{
    bool is_text = c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT;
    if ((is_text && c->entry_count == 0) || (c->kind == SLOT_NULL && !field->null_counts))
        return false;
    if (field->field == FIELD_URL_ORIGINAL && url_is_part(c->field))
        return true;
    if (field->field != FIELD_UNNAMED)
        return c->field == field->field;
    return c->field >= FIELD_LOCAL_FIRST &&
           slice_equal(batch_field_name(b, c->field, &r->name), field->name);
}

/* Is there a column for a field that had no value yet? */
static bool may_be_new(struct reading *r, const struct batch *b)
{
    for (uint32_t i = 0; i < r->fields->count; i++) {
        if (r->source->values[i] != 0 || r->fields->items[i].known)
            continue;
        for (uint32_t k = 0; k < b->column_count; k++) {
            if (column_answers(r, b, &b->columns[k], &r->fields->items[i]))
                return true;
        }
    }
    return false;
}

static void feed_columns(void *self, const struct batch *b, struct column_mask *out)
{
    struct reading *r = self;
    r->looks = false;
    r->err = r->err == 0 ? source_find(r, b) : r->err;
    if (r->err != 0 || r->questions.pred == NULL)
        return;
    r->looks = r->source->counted_rows < SOURCE_SAMPLE_ROWS || may_be_new(r, b);
    /* Asked first, so that the columns of this batch are seen and not those of the one before. */
    const struct column_set set = {.batch = b};
    r->looks = r->looks && pred_possible(r->questions.pred, r->questions.scratch, &set);
    if (r->looks)
        pred_columns(r->questions.pred, r->questions.scratch, b, out);
}

static int feed_rows(void *self, unsigned worker, const struct sieve *s)
{
    struct reading *r = self;
    (void)worker;
    if (r->err != 0)
        return r->err;
    bool sampled = r->source->counted_rows < SOURCE_SAMPLE_ROWS;
    r->source->rows += s->row_count;
    r->source->counted_rows += sampled || r->looks ? s->row_count : 0;
    if (!r->looks)
        return 0;
    memset(r->chosen, 0, sizeof(r->chosen));
    for (uint32_t i = 0; i < s->row_count; i++)
        r->chosen[s->rows[i]] = true;
    r->err = field_questions_ask(&r->questions, s->batch, r->chosen, r->source->values);
    return r->err;
}

static int known_answer_all(struct source_fields *t, const struct need_fields *f, struct diag *diag)
{
    struct known_source *known = arena_array(&t->arena, t->count + 1U, sizeof(*known));
    bool **holds = arena_array(&t->arena, t->count + 1U, sizeof(bool *));
    if (known == NULL || holds == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct source *s = &t->items[i];
        known[i] = (struct known_source){.tenant = s->tenant, .name = s->name, .format = s->format};
        holds[i] = s->known_holds;
    }
    return known_sources_answer(known, holds, t->count, f, diag);
}

static int source_compare(const void *left, const void *right)
{
    const struct source *a = left;
    const struct source *b = right;
    if (a->tenant != b->tenant)
        return a->tenant < b->tenant ? -1 : 1;
    int order = slice_compare(a->name, b->name);
    return order != 0 ? order : slice_compare(a->format, b->format);
}

static int scan_all(struct reading *r, const char *dir, const struct sieve_query *query,
                    struct diag *diag)
{
    const struct scan_options options = {
        .keep = SCAN_FEED,
        .threads = 1,
        .feed = {.self = r, .columns = feed_columns, .rows = feed_rows}};
    struct log_index *index = NULL;
    struct scan *scan = NULL;
    int err = scan_index_open(&index, dir, query, diag);
    if (err == 0)
        err = scan_run(&scan, index, query, &options, diag);
    if (r->err != 0)
        err = r->err;
    if (err == 0)
        r->out->missing = scan_missing(scan);
    scan_free(scan);
    log_index_close(index);
    return err;
}

int source_fields_read(struct source_fields *out, const char *dir, const struct need_fields *fields,
                       const struct sieve_query *query, struct diag *diag)
{
    struct source_fields table = {0};
    struct reading *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    r->out = &table;
    r->fields = fields;
    int err = field_questions_make(&r->questions, &table.arena, fields, diag);
    if (err == 0)
        err = scan_all(r, dir, query, diag);
    if (err == 0)
        err = known_answer_all(&table, fields, diag);
    buf_release(&r->name);
    field_questions_release(&r->questions);
    free(r);
    if (err != 0) {
        source_fields_release(&table);
        return err;
    }
    if (table.count != 0)
        qsort(table.items, table.count, sizeof(*table.items), source_compare);
    *out = table;
    return 0;
}

void source_fields_release(struct source_fields *s)
{
    arena_release(&s->arena);
    *s = (struct source_fields){0};
}

struct need_facts source_facts(const struct source *s, const struct need_fields *fields)
{
    struct need_facts facts = {.known_holds = s->known_holds};
    for (uint32_t i = 0; i < fields->count; i++) {
        if (s->values[i] != 0)
            need_set_add(&facts.values, i);
    }
    return facts;
}
