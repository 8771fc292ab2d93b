/* What can be said of a batch without asking its rows, and what a stored filter may be asked. */
#include "base/err.h"
#include "event/pred_form.h"
#include "event/pred_group.h"
#include "event/pred_plan.h"
#include "event/pred_url.h"

enum {
    FORMS_LEAVES_MIN = 8,
};

/* Two bits: some row may make it true, some row may make it false. */
enum can {
    CAN_TRUE = 1,
    CAN_FALSE = 2,
    CAN_BOTH = 3,
};

/* Could decoding bring the needle to light where the text does not show it? */
static bool hides(struct pred_scratch *s, const struct form_way *way, const struct needle *n,
                  struct slice text)
{
    if (text_changes(s, text))
        return true;
    bool percent = way->is_url || slot_is_percent(way->kind);
    if (percent && needle_escaped(n, text))
        return true;
    if (way->kind == SLOT_PERCENT || way->kind == SLOT_PLAIN)
        return false;
    return value_is_encoded(text, way->kind);
}

/* One text after the other until one holds. */
static bool texts_walk(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                       const struct form_way *way)
{
    uint32_t total = column_text_count(s->batch, c);
    for (uint32_t i = 0; i < total; i++) {
        struct slice written;
        if (!column_text(s->batch, c, i, &written))
            continue;
        if (value_holds(s, leaf, way, written) != 0)
            return true;
    }
    return false;
}

/* Where several leaves may ask, the forms of all texts are made once. */
static bool texts_can(struct pred_scratch *s, const struct leaf *leaf, uint32_t column,
                      const struct form_way *way)
{
    const struct forms *forms = NULL;
    if (s->pred->leaf_count < FORMS_LEAVES_MIN && s->column_forms[column] == NULL)
        return texts_walk(s, leaf, &s->batch->columns[column], way);
    if (forms_texts(s, column, way->is_url, &forms) != 0)
        return true;
    for (uint32_t i = 0; i < forms->count; i++) {
        const struct form_text form = form_text_of(&forms->items[i]);
        if (form_holds(leaf, s->regex, &form) != 0)
            return true;
    }
    return false;
}

static bool column_can(struct pred_scratch *s, const struct plan_leaf *l, uint32_t column)
{
    const struct column *c = &s->batch->columns[column];
    enum leaf_way look = leaf_way(&l->leaf, c->type);
    if (c->kind == SLOT_NULL)
        return l->leaf.op == LEAF_OP_EXISTS;
    if (look == LEAF_NEVER)
        return false;
    if (look != LEAF_TEXT || c->type != FIELD_TYPE_TEXT)
        return true;
    struct form_way way = {.kind = c->kind, .is_url = s->pred->targets[l->target].is_url};
    const struct needle *n = &l->leaf.needle;
    struct slice block;
    if (l->leaf.op <= LEAF_OP_GLOB && n->text.len != 0 && column_block(s->batch, c, &block) &&
        !needle_in(n, block) && !hides(s, &way, n, block))
        return false;
    return texts_can(s, &l->leaf, column, &way);
}

/* Many leaves of one field are asked together. */
static bool columns_can(struct pred_scratch *s, const struct plan_leaf *l)
{
    if (l->grouped && s->target_scanned[l->target] == 0 && group_scan_texts(s, l->target) != 0)
        return true;
    if (l->grouped && s->leaf_rows[l - s->pred->leaves] != NULL)
        return true;
    for (uint32_t c = s->target_column[l->target]; c != 0; c = s->column_next[c - 1]) {
        const struct column *column = &s->batch->columns[c - 1];
        bool asked = l->grouped && column->kind != SLOT_NULL && column->type == FIELD_TYPE_TEXT;
        if (!asked && column_can(s, l, c - 1))
            return true;
    }
    return false;
}

static enum can leaf_can(struct pred_scratch *s, const struct plan_leaf *l)
{
    const struct target *t = &s->pred->targets[l->target];
    if (t->kind == TARGET_RAW)
        return raw_possible(s, l) ? CAN_BOTH : CAN_FALSE;
    if (t->kind == TARGET_ANY || l->other != PLAN_NONE)
        return CAN_BOTH;
    if (t->kind == TARGET_ROW && t->row_field > ROW_FIELD_TOPIC)
        return CAN_BOTH;
    if (t->kind == TARGET_ROW) {
        struct rows one = {.words = {1}};
        struct rows found = {0};
        if (row_field_rows(s, l, &one, &found) != 0)
            return CAN_BOTH;
        return rows_empty(&found) ? CAN_FALSE : CAN_TRUE;
    }
    if (t->kind == TARGET_URL && url_possible(s, &l->leaf))
        return CAN_BOTH;
    return columns_can(s, l) ? CAN_BOTH : CAN_FALSE;
}

/* A node whose children are being asked, what is cheap first. */
struct can_frame {
    uint32_t node;
    uint32_t child; /* to be asked next */
    unsigned all;
    unsigned any;
};

static void can_open(struct can_frame *f, const struct pred *p, uint32_t node)
{
    *f = (struct can_frame){.node = node, .child = p->nodes[node].first, .all = CAN_BOTH};
}

/* What the children that were asked say; those that were not could not say less. */
static unsigned can_answer(const struct can_frame *f, unsigned kind)
{
    if (kind == AST_NOT)
        return (f->any & CAN_TRUE) << 1 | (f->any & CAN_FALSE) >> 1;
    if (kind == AST_OR)
        return (f->any & CAN_TRUE) | (f->all & CAN_FALSE);
    return (f->all & CAN_TRUE) | (f->any & CAN_FALSE);
}

/* Need no further child be asked? Whether it may be false, too, is not worth asking them all. */
static bool can_decided(const struct can_frame *f, unsigned kind)
{
    if (kind == AST_OR)
        return (f->any & CAN_TRUE) != 0;
    return kind == AST_AND && (f->all & CAN_TRUE) == 0;
}

static unsigned leaf_known_can(struct pred_scratch *s, uint32_t leaf)
{
    if (s->leaf_known[leaf] == 0)
        s->leaf_known[leaf] = (uint8_t)leaf_can(s, &s->pred->leaves[leaf]);
    return s->leaf_known[leaf];
}

static unsigned tree_can(struct pred_scratch *s, uint32_t root)
{
    const struct pred *p = s->pred;
    struct can_frame frames[PLAN_DEPTH_MAX];
    uint32_t depth = 0;
    can_open(&frames[0], p, root);
    for (;;) {
        struct can_frame *f = &frames[depth];
        const struct node *n = &p->nodes[f->node];
        if (n->kind != AST_LEAF && f->child != PLAN_NONE && !can_decided(f, n->kind)) {
            uint32_t child = f->child;
            f->child = p->nodes[child].next;
            can_open(&frames[++depth], p, child);
            continue;
        }
        unsigned can = n->kind == AST_LEAF ? leaf_known_can(s, n->leaf) : can_answer(f, n->kind);
        if (depth == 0)
            return can;
        depth--;
        frames[depth].all &= can;
        frames[depth].any |= can;
    }
}

bool pred_possible(const struct pred *p, struct pred_scratch *s, const struct column_set *set)
{
    const struct column_set no_rows = {.batch = set->batch};
    s->batch = NULL;
    if (p != s->pred || scratch_bind(s, &no_rows) != 0)
        return true;
    for (uint32_t i = 0; i < p->expression_count; i++) {
        if ((tree_can(s, p->expressions[i].root) & CAN_TRUE) != 0)
            return true;
    }
    return false;
}

static void add_parts(const struct batch *b, struct column_mask *out)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (!b->columns[i].derived && url_is_part(b->columns[i].field))
            column_mask_add(out, i);
    }
}

void pred_columns(const struct pred *p, struct pred_scratch *s, const struct batch *b,
                  struct column_mask *out)
{
    const struct column_set set = {.batch = b};
    *out = (struct column_mask){.parts = pred_parts(p)};
    bool all = p != s->pred || (s->batch != b && scratch_bind(s, &set) != 0);
    for (uint32_t i = 0; i < p->target_count && !all; i++) {
        if (p->targets[i].kind == TARGET_URL)
            add_parts(b, out);
        for (uint32_t c = s->target_column[i]; c != 0; c = s->column_next[c - 1])
            column_mask_add(out, c - 1);
    }
    for (uint32_t i = 0; i < p->leaf_count && !all; i++) {
        const struct plan_leaf *l = &p->leaves[i];
        if (p->targets[l->target].kind == TARGET_ANY)
            all = true;
        else if (p->targets[l->target].kind == TARGET_RAW)
            all = l->grouped || l->leaf.op != LEAF_OP_CONTAINS || !raw_columns(s, l, out);
    }
    if (all)
        memset(out->words, 0xff, sizeof(out->words));
}

void pred_text_columns(const struct pred *p, struct pred_scratch *s, const struct batch *b,
                       struct column_mask *out)
{
    const struct column_set set = {.batch = b};
    *out = (struct column_mask){.parts = pred_parts(p)};
    s->batch = NULL;
    bool all = p != s->pred || scratch_bind(s, &set) != 0;
    for (uint32_t i = 0; i < p->target_count && !all; i++) {
        all = p->targets[i].kind == TARGET_ANY || p->targets[i].kind == TARGET_RAW;
        if (p->targets[i].kind == TARGET_URL)
            add_parts(b, out);
        for (uint32_t c = s->target_column[i]; c != 0; c = s->column_next[c - 1])
            column_mask_add(out, c - 1);
    }
    if (all)
        memset(out->words, 0xff, sizeof(out->words));
}

uint32_t pred_parts(const struct pred *p)
{
    uint32_t parts = 0;
    for (uint32_t i = 0; i < p->target_count; i++) {
        const struct target *t = &p->targets[i];
        if (t->kind == TARGET_ROW && t->row_field > ROW_FIELD_TOPIC)
            parts |= PART_ALL & ~PART_SHAPES;
        if (t->kind == TARGET_URL || t->kind == TARGET_RAW || t->kind == TARGET_ANY)
            parts |= PART_SHAPES;
    }
    return parts;
}

static bool is_necessary(const struct pred *p, uint32_t node)
{
    for (uint32_t up = p->nodes[node].parent; up != PLAN_NONE; up = p->nodes[up].parent) {
        if (p->nodes[up].kind != AST_AND)
            return false;
    }
    return true;
}

/* The value that a leaf asks of the filter; false when it asks for none. */
static bool filter_value(const struct pred *p, const struct plan_leaf *l, struct slice *out)
{
    const struct target *t = &p->targets[l->target];
    const struct field_info *info = t->kind == TARGET_FIELD ? field_info(t->field) : NULL;
    if (info == NULL || info->index != FIELD_INDEX_FILTER)
        return false;
    if (info->type == FIELD_TYPE_IP) {
        bool one = l->leaf.op == LEAF_OP_NETWORK && l->leaf.network.prefix_bits == 128;
        bool equal = l->leaf.op == LEAF_OP_EQUAL && l->leaf.is_ip;
        const struct ip *ip = one ? &l->leaf.network.ip : &l->leaf.equal_ip;
        *out = slice_of(ip->bytes, sizeof(ip->bytes));
        return one || equal;
    }
    *out = l->leaf.text;
    return info->type == FIELD_TYPE_TEXT && l->leaf.op == LEAF_OP_EQUAL;
}

bool pred_required(const struct pred *p,
                   bool (*each)(void *self, uint16_t field, struct slice value), void *self)
{
    uint32_t end = p->expression_count > 1 ? p->expressions[1].root : p->node_count;
    struct buf folded = {0};
    bool all = true;
    for (uint32_t i = 0; all && i < end; i++) {
        const struct node *n = &p->nodes[i];
        if (n->kind != AST_LEAF || !is_necessary(p, i))
            continue;
        const struct plan_leaf *l = &p->leaves[n->leaf];
        struct slice value;
        if (!filter_value(p, l, &value))
            continue;
        if (l->leaf.cased && field_info(p->targets[l->target].field)->type == FIELD_TYPE_TEXT) {
            buf_reset(&folded);
            for (size_t k = 0; k < value.len; k++)
                buf_byte(&folded, (char)find_fold((unsigned char)value.data[k]));
            if (!buf_ok(&folded))
                continue;
            value = buf_content(&folded);
        }
        all = each(self, p->targets[l->target].field, value);
    }
    buf_release(&folded);
    return all;
}

/* Where the leaf's literal must stand; false when that is nowhere in particular. */
static bool literal_place(const struct pred *p, const struct plan_leaf *l, enum grams_place *out)
{
    const struct target *t = &p->targets[l->target];
    if (l->other != PLAN_NONE || l->leaf.op > LEAF_OP_GLOB)
        return false;
    *out = t->kind == TARGET_RAW ? GRAMS_LINE : t->kind == TARGET_URL ? GRAMS_URL : GRAMS_URL_PART;
    return t->kind == TARGET_RAW || t->kind == TARGET_URL ||
           (t->kind == TARGET_FIELD && url_is_part(t->field) && t->field != FIELD_URL_PORT);
}

bool pred_literals(const struct pred *p,
                   bool (*each)(void *self, enum grams_place place, struct slice literal),
                   void *self)
{
    uint32_t end = p->expression_count > 1 ? p->expressions[1].root : p->node_count;
    bool all = true;
    for (uint32_t i = 0; all && i < end; i++) {
        const struct node *n = &p->nodes[i];
        enum grams_place place;
        if (n->kind != AST_LEAF || !is_necessary(p, i))
            continue;
        const struct plan_leaf *l = &p->leaves[n->leaf];
        if (literal_place(p, l, &place))
            all = each(self, place, l->leaf.needle.text);
    }
    return all;
}

struct filter_walk {
    const struct batch *batch;
    int (*each)(void *self, uint16_t field, struct slice value);
    void *self;
    struct form_bufs bufs;
    struct buf folded;
    struct buf marks;
};

static int filter_text(struct filter_walk *w, uint16_t field, const struct form_way *way,
                       struct slice written)
{
    struct form_text texts[FORM_TEXTS_MAX];
    unsigned count = form_texts(way, written, &w->bufs, texts);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < count; i++) {
        struct slice text = texts[i].text;
        buf_reset(&w->folded);
        char *folded = buf_reserve(&w->folded, text.len + 1);
        for (size_t k = 0; folded != NULL && k < text.len; k++)
            folded[k] = (char)find_fold((unsigned char)text.data[k]);
        w->folded.len = folded == NULL ? 0 : text.len;
        if (!buf_ok(&w->folded) || !form_bufs_ok(&w->bufs))
            return ERR_NOMEM;
        err = w->each(w->self, field, buf_content(&w->folded));
    }
    return err;
}

/* Marks for so many values, none of which was met as yet; NULL without memory. */
static char *new_marks(struct filter_walk *w, uint32_t count)
{
    buf_reset(&w->marks);
    char *marks = buf_reserve(&w->marks, count + 1U);
    if (marks != NULL)
        memset(marks, 0, count + 1U);
    return marks;
}

/* Entries that some row has: the dictionary may be that of more rows than these. */
static int filter_entries(struct filter_walk *w, const struct column *c, const struct form_way *way)
{
    const struct batch *b = w->batch;
    char *met = new_marks(w, c->entry_count);
    int err = met == NULL ? ERR_NOMEM : 0;
    for (uint32_t row = 0; err == 0 && row < b->row_count; row++) {
        if (c->codes[row] < c->entry_count)
            met[c->codes[row]] = 1;
    }
    for (uint32_t i = 0; err == 0 && i < c->entry_count; i++) {
        if (met[i] != 0)
            err = filter_text(w, c->field, way, batch_span(b, c->entries[i]));
    }
    return err;
}

static int filter_texts(struct filter_walk *w, const struct column *c, const struct form_way *way)
{
    const struct batch *b = w->batch;
    int err = 0;
    if (c->storage == COLUMN_CODES)
        return filter_entries(w, c, way);
    for (uint32_t row = 0; err == 0 && row < b->row_count; row++) {
        if (c->spans[row].len != SPAN_NONE)
            err = filter_text(w, c->field, way, batch_span(b, c->spans[row]));
    }
    return err;
}

/* The address of a row; an address column may hold text where it was read so. */
static bool row_ip(const struct batch *b, const struct column *c, uint32_t row, struct buf *scratch,
                   struct ip *out)
{
    struct slice text;
    if (c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT)
        return batch_value(b, c, row, scratch, &text) && ip_parse(text, out) != VALUE_INVALID;
    if ((c->present[row / 64] >> (row % 64) & 1) == 0)
        return false;
    *out = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
    return true;
}

static int filter_ips(struct filter_walk *w, const struct column *c)
{
    const struct batch *b = w->batch;
    struct buf scratch = {0};
    bool numbered = c->value_numbers != NULL;
    char *met = numbered ? new_marks(w, c->value_numbers_end) : NULL;
    int err = numbered && met == NULL ? ERR_NOMEM : 0;
    for (uint32_t row = 0; err == 0 && row < b->row_count; row++) {
        struct ip ip;
        if (met != NULL && c->value_numbers[row] < c->value_numbers_end) {
            if (met[c->value_numbers[row]] != 0)
                continue;
            met[c->value_numbers[row]] = 1;
        }
        if (row_ip(b, c, row, &scratch, &ip))
            err = w->each(w->self, c->field, slice_of(ip.bytes, sizeof(ip.bytes)));
    }
    buf_release(&scratch);
    return err;
}

int pred_filter_values(const struct batch *b,
                       int (*each)(void *self, uint16_t field, struct slice value), void *self)
{
    struct filter_walk w = {.batch = b, .each = each, .self = self};
    int err = 0;
    for (uint32_t i = 0; err == 0 && i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        const struct field_info *info = field_info(c->field);
        if (info == NULL || info->index != FIELD_INDEX_FILTER)
            continue;
        struct form_way way = {.kind = c->kind, .is_url = slice_starts(info->name, SLICE("url."))};
        err = info->type == FIELD_TYPE_IP ? filter_ips(&w, c) : filter_texts(&w, c, &way);
    }
    form_bufs_release(&w.bufs);
    buf_release(&w.folded);
    buf_release(&w.marks);
    return err;
}
