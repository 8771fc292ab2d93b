#include "event/pred_url.h"

#include "base/err.h"
#include "event/pred_compose.h"
#include "event/pred_form.h"

enum {
    URL_COLUMNS_MAX = 16, /* whose edges are known at a time; with more nothing is ruled out */
};

/* With which bytes, folded, the values of a column begin and end. */
struct edges {
    uint32_t column;
    bool empty; /* some value is empty */
    uint64_t first[4];
    uint64_t last[4];
};

struct url_look {
    struct pred_scratch *s;
    const struct needle *needle;
    struct edges edges[URL_COLUMNS_MAX];
    uint32_t edge_count;
};

enum look_answer {
    LOOK_NONE,  /* in no value */
    LOOK_SOME,  /* in some, or hidden in some */
    LOOK_ALL, /* cannot be told */
};

bool url_is_part(uint16_t field)
{
    return field == FIELD_URL_SCHEME || field == FIELD_URL_DOMAIN || field == FIELD_URL_PORT ||
           field == FIELD_URL_PATH || field == FIELD_URL_QUERY || field == FIELD_URL_USERNAME ||
           field == FIELD_URL_FRAGMENT;
}

static bool is_text(const struct column *c)
{
    return c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT;
}

static void bit_add(uint64_t *bits, char c)
{
    unsigned char byte = find_fold((unsigned char)c);
    bits[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static bool bit_has(const uint64_t *bits, char c)
{
    unsigned char byte = find_fold((unsigned char)c);
    return (bits[byte / 64] >> (byte % 64) & 1) != 0;
}

/* NULL when there are too many columns. */
static const struct edges *edges_of(struct url_look *u, uint32_t column)
{
    for (uint32_t i = 0; i < u->edge_count; i++) {
        if (u->edges[i].column == column)
            return &u->edges[i];
    }
    if (u->edge_count == URL_COLUMNS_MAX)
        return NULL;
    const struct batch *b = u->s->batch;
    const struct column *c = &b->columns[column];
    struct edges *e = &u->edges[u->edge_count++];
    *e = (struct edges){.column = column};
    uint32_t count = column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice value;
        if (!column_text(b, c, i, &value))
            continue;
        if (value.len == 0) {
            e->empty = true;
            continue;
        }
        bit_add(e->first, value.data[0]);
        bit_add(e->last, value.data[value.len - 1]);
    }
    return e;
}

static bool is_printed(char c)
{
    return (c >= '0' && c <= '9') || c == '-';
}

/* Could the text end with the first k bytes of the needle, or be the last of them? */
static bool text_ends(const struct needle *n, struct slice text, size_t k)
{
    size_t len = k < text.len ? k : text.len;
    return find_equal(text.data + text.len - len, n->text.data + k - len, len, n->cased);
}

/* Could it begin with the bytes of the needle from k on, or be the first of them? */
static bool text_begins(const struct needle *n, struct slice text, size_t k)
{
    size_t rest = n->text.len - k;
    size_t len = rest < text.len ? rest : text.len;
    return find_equal(text.data, n->text.data + k, len, n->cased);
}

/* A quick look at one byte; true where that does not settle it. */
static bool edge_fits(struct url_look *u, const struct url_part *part, size_t k, bool ends)
{
    char c = u->needle->text.data[ends ? k - 1 : k];
    if (!part->is_value)
        return ends ? text_ends(u->needle, part->bytes, k) : text_begins(u->needle, part->bytes, k);
    const struct column *column = &u->s->batch->columns[part->column];
    if (!is_text(column))
        return column->exception_count != 0 || is_printed(c);
    const struct edges *e = edges_of(u, part->column);
    return e == NULL || e->empty || bit_has(ends ? e->last : e->first, c);
}

static bool part_fits(const struct url_look *u, const struct url_part *part, size_t k, bool ends)
{
    const struct batch *b = u->s->batch;
    const struct column *c = &b->columns[part->column];
    if (!part->is_value || !is_text(c))
        return true; /* edge_fits() has said it */
    uint32_t count = column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice value;
        if (column_text(b, c, i, &value) &&
            (ends ? text_ends(u->needle, value, k) : text_begins(u->needle, value, k)))
            return true;
    }
    return false;
}

/* Does a value end in the middle of an escape, that the next part could complete? */
static bool ends_in_escape(const struct batch *b, const struct url_part *part)
{
    const struct column *c = &b->columns[part->column];
    uint32_t count = is_text(c) ? column_text_count(b, c) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice value;
        if (column_text(b, c, i, &value) &&
            ((value.len > 0 && value.data[value.len - 1] == '%') ||
             (value.len > 1 && value.data[value.len - 2] == '%')))
            return true;
    }
    return false;
}

/* Could the needle stand across two neighbouring parts? */
static bool joint_can(struct url_look *u, const struct url_part *left, const struct url_part *right)
{
    if (left->is_value && right->is_value && ends_in_escape(u->s->batch, left))
        return true;
    for (size_t k = 1; k < u->needle->text.len; k++) {
        if (edge_fits(u, right, k, false) && edge_fits(u, left, k, true) &&
            part_fits(u, right, k, false) && part_fits(u, left, k, true))
            return true;
    }
    return false;
}

/* Is the needle in bytes without padding? */
static bool holds(const struct needle *n, struct slice bytes)
{
    for (size_t i = 0; i + n->text.len <= bytes.len; i++) {
        if (find_equal(bytes.data + i, n->text.data, n->text.len, n->cased))
            return true;
    }
    return false;
}

/* Could the needle stand across parts in any URL of the batch, or in what joins them? */
static int joints_can(struct url_look *u, bool *can)
{
    const struct batch *b = u->s->batch;
    int err = url_plans(u->s);
    *can = false;
    for (uint32_t shape = 1; err == 0 && shape < b->shape_count; shape++) {
        const struct url_plan *plan = &u->s->url_plans[shape];
        for (uint32_t i = 0; i < plan->part_count && !*can; i++) {
            const struct url_part *part = &plan->parts[i];
            *can = (!part->is_value && holds(u->needle, part->bytes)) ||
                   (!part->is_last && i + 1 < plan->part_count && joint_can(u, part, part + 1));
        }
    }
    return err;
}

static enum look_answer typed_answer(const struct needle *n, const struct column *c)
{
    if (c->exception_count != 0 || c->type != FIELD_TYPE_INT)
        return LOOK_ALL;
    for (size_t i = 0; i < n->text.len; i++) {
        if (!is_printed(n->text.data[i]))
            return LOOK_NONE;
    }
    return LOOK_ALL;
}

static enum look_answer column_answer(const struct url_look *u, const struct column *c)
{
    const struct batch *b = u->s->batch;
    if (!is_text(c))
        return typed_answer(u->needle, c);
    bool percent = c->kind == SLOT_PLAIN || c->kind == SLOT_PERCENT || c->kind == SLOT_FORM;
    enum look_answer answer = LOOK_NONE;
    struct slice block;
    if (percent && column_block(b, c, &block) && !needle_in(u->needle, block) &&
        !needle_escaped(u->needle, block))
        return LOOK_NONE;
    uint32_t count = column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice value;
        if (!column_text(b, c, i, &value))
            continue;
        if (!percent && value_is_encoded(value, c->kind))
            return LOOK_ALL;
        if (needle_in(u->needle, value) || needle_escaped(u->needle, value))
            answer = LOOK_SOME;
    }
    return answer;
}

/* Can the leaf be looked for by its literal? */
static bool has_literal(const struct leaf *leaf)
{
    return leaf->op <= LEAF_OP_GLOB && leaf->needle.text.len != 0;
}

static bool is_part_column(const struct column *c)
{
    return !c->derived && url_is_part(c->field);
}

bool url_possible(struct pred_scratch *s, const struct leaf *leaf)
{
    const struct batch *b = s->batch;
    struct url_look u = {.s = s, .needle = &leaf->needle};
    bool any = false;
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (!is_part_column(&b->columns[i]))
            continue;
        any = true;
        if (!has_literal(leaf) || column_answer(&u, &b->columns[i]) != LOOK_NONE)
            return true;
    }
    bool can = false;
    return any && (joints_can(&u, &can) != 0 || can);
}

int url_candidates(struct pred_scratch *s, const struct leaf *leaf, const struct rows *mask,
                   struct rows *out)
{
    const struct batch *b = s->batch;
    struct url_look u = {.s = s, .needle = &leaf->needle};
    struct rows found = {0};
    bool all = !has_literal(leaf);
    for (uint32_t i = 0; i < b->column_count && !all; i++) {
        if (!is_part_column(&b->columns[i]))
            continue;
        enum look_answer answer = column_answer(&u, &b->columns[i]);
        all = answer == LOOK_ALL;
        if (answer == LOOK_SOME)
            column_literal_rows(s, &leaf->needle, i, &found);
    }
    int err = all ? 0 : joints_can(&u, &all);
    if (err != 0)
        return err;
    *out = *mask;
    if (!all)
        rows_and(out, &found);
    return 0;
}
