#include "event/pred_url.h"

#include "base/err.h"
#include "event/pred_compose.h"
#include "event/pred_form.h"
#include "event/pred_unlike.h"

enum {
    URL_JOINTS_MAX = 32,  /* remembered; the others are looked at in each shape */
    URL_COLUMNS_MAX = 16, /* whose edges are known at a time; with more nothing is ruled out */
};

/* With which bytes, folded, the values of a column begin and end. */
struct edges {
    uint32_t column;
    bool empty;  /* some value is empty */
    bool escape; /* some value ends in the middle of what may be an escape */
    uint64_t first[4];
    uint64_t last[4];
};

struct url_look {
    struct pred_scratch *s;
    const struct needle *needle;
    struct edges edges[URL_COLUMNS_MAX];
    uint32_t edge_count;
    const struct url_part *joints[URL_JOINTS_MAX][2]; /* that were looked at */
    uint32_t joint_count;
};

enum look_answer {
    LOOK_NONE, /* in no value */
    LOOK_SOME, /* in some, or hidden in some */
    LOOK_ALL,  /* cannot be told */
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
        e->escape |=
            value.data[value.len - 1] == '%' || (value.len > 1 && value.data[value.len - 2] == '%');
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

static bool text_fits(const struct needle *n, struct slice text, size_t k, bool ends)
{
    return ends ? text_ends(n, text, k) : text_begins(n, text, k);
}

/* A quick look at one byte; true where that does not settle it. */
static bool edge_fits(struct url_look *u, const struct url_part *part, size_t k, bool ends)
{
    char c = u->needle->text.data[ends ? k - 1 : k];
    if (!part->is_value)
        return text_fits(u->needle, part->bytes, k, ends);
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
        if (column_text(b, c, i, &value) && text_fits(u->needle, value, k, ends))
            return true;
    }
    return false;
}

/* Rows whose value of the column fits; all where it is no column of text. */
static void part_rows(const struct url_look *u, const struct url_part *part, size_t k, bool ends,
                      struct rows *out)
{
    struct pred_scratch *s = u->s;
    const struct batch *b = s->batch;
    const struct column *c = &b->columns[part->column];
    struct slice value;
    if (!part->is_value || !is_text(c)) {
        *out = s->all;
        return;
    }
    *out = (struct rows){0};
    if (c->storage == COLUMN_TEXT) {
        for (uint32_t i = 0; i < s->row_count; i++) {
            if (column_text(b, c, s->first_row + i, &value) && text_fits(u->needle, value, k, ends))
                rows_set(out, i);
        }
        return;
    }
    memset(s->entry_bits, 0, (c->entry_count + 63) / 64 * sizeof(*s->entry_bits));
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (column_text(b, c, i, &value) && text_fits(u->needle, value, k, ends))
            s->entry_bits[i / 64] |= UINT64_C(1) << (i % 64);
    }
    entry_rows(s, c, &s->all, out);
}

static bool same_part(const struct url_part *a, const struct url_part *b)
{
    if (a->is_value != b->is_value)
        return false;
    return a->is_value ? a->column == b->column : slice_equal(a->bytes, b->bytes);
}

/* Was the joint looked at before? Shapes of one format have most in common. */
static bool joint_known(struct url_look *u, const struct url_part *left,
                        const struct url_part *right)
{
    for (uint32_t i = 0; i < u->joint_count; i++) {
        if (same_part(u->joints[i][0], left) && same_part(u->joints[i][1], right))
            return true;
    }
    if (u->joint_count < URL_JOINTS_MAX) {
        u->joints[u->joint_count][0] = left;
        u->joints[u->joint_count++][1] = right;
    }
    return false;
}

/* Could the needle stand across the joint with k bytes on its left? What is cheap comes first. */
static bool joint_fits(struct url_look *u, const struct url_part *left,
                       const struct url_part *right, size_t k)
{
    const struct url_part *one = right->is_value ? left : right;
    const struct url_part *other = right->is_value ? right : left;
    return edge_fits(u, one, k, one == left) && edge_fits(u, other, k, other == left) &&
           part_fits(u, one, k, one == left) && part_fits(u, other, k, other == left);
}

/*
 * Could the needle stand across two neighbouring parts? With `rows` the rows are added where it
 * could; LOOK_ALL where they cannot be told.
 */
static enum look_answer joint_answer(struct url_look *u, const struct url_part *left,
                                     const struct url_part *right, struct rows *rows)
{
    enum look_answer answer = LOOK_NONE;
    if (joint_known(u, left, right))
        return answer;
    if (left->is_value && right->is_value && is_text(&u->s->batch->columns[left->column])) {
        const struct edges *e = edges_of(u, left->column);
        if (e == NULL || e->escape || e->empty)
            return LOOK_ALL;
    }
    for (size_t k = 1; k < u->needle->text.len; k++) {
        if (!joint_fits(u, left, right, k))
            continue;
        answer = LOOK_SOME;
        if (rows == NULL)
            break;
        struct rows both;
        struct rows begins;
        part_rows(u, left, k, true, &both);
        part_rows(u, right, k, false, &begins);
        rows_and(&both, &begins);
        rows_or(rows, &both);
    }
    return answer;
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

/*
 * Could the needle stand across parts in any URL of the batch, or in what joins them? LOOK_SOME: in
 * the rows that are added to `rows`, where that is not NULL.
 */
static int joints_look(struct url_look *u, struct rows *rows, enum look_answer *out)
{
    const struct batch *b = u->s->batch;
    int err = url_plans(u->s);
    *out = LOOK_NONE;
    for (uint32_t shape = 1; err == 0 && shape < b->shape_count; shape++) {
        const struct url_plan *plan = &u->s->url_plans[shape];
        for (uint32_t i = 0; i < plan->part_count && *out != LOOK_ALL; i++) {
            const struct url_part *part = &plan->parts[i];
            enum look_answer answer = LOOK_NONE;
            if (!part->is_last && i + 1 < plan->part_count)
                answer = joint_answer(u, part, part + 1, rows);
            if (!part->is_value && holds(u->needle, part->bytes))
                answer = LOOK_ALL;
            *out = answer > *out ? answer : *out;
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

/* Is nothing but percent escapes decoded? */
static bool stays_percent(const struct column *c)
{
    return c->kind == SLOT_PLAIN || c->kind == SLOT_PERCENT || c->kind == SLOT_FORM;
}

static enum look_answer column_answer(const struct url_look *u, const struct column *c)
{
    const struct batch *b = u->s->batch;
    if (!is_text(c))
        return typed_answer(u->needle, c);
    bool percent = stays_percent(c);
    enum look_answer answer = LOOK_NONE;
    struct slice block;
    bool whole = column_block(b, c, &block);
    if (whole && text_changes(u->s, block))
        return LOOK_ALL;
    if (whole && (percent || !value_is_encoded(block, c->kind)))
        return needle_in(u->needle, block) || needle_escaped(u->needle, block) ? LOOK_SOME
                                                                               : LOOK_NONE;
    uint32_t count = column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice value;
        if (!column_text(b, c, i, &value))
            continue;
        if (text_changes(u->s, value) || (!percent && value_is_encoded(value, c->kind)))
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
    enum look_answer across = LOOK_NONE;
    return any && (joints_look(&u, NULL, &across) != 0 || across != LOOK_NONE);
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
        const struct column *c = &b->columns[i];
        bool by_row = is_text(c) && stays_percent(c) && !column_unlike(s, c);
        enum look_answer answer = by_row ? LOOK_SOME : column_answer(&u, c);
        all = answer == LOOK_ALL;
        if (answer == LOOK_SOME)
            column_literal_rows(s, &leaf->needle, i, &found);
    }
    enum look_answer across = LOOK_ALL;
    int err = all ? 0 : joints_look(&u, &found, &across);
    if (err != 0)
        return err;
    all = all || across == LOOK_ALL;
    *out = *mask;
    if (!all)
        rows_and(out, &found);
    return 0;
}
