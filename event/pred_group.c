#include "event/pred_group.h"

#include <hs/hs.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "event/pred_compose.h"
#include "event/pred_form.h"
#include "event/pred_gram.h"
#include "event/pred_hs.h"

enum {
    GRAM_BYTES = 4,
    GRAM_BITS = 14,
    GROUP_PART_MIN = 8,    /* bytes; what is longer may be searched for by a part */
    GROUP_TEXTS_MANY = 64, /* worth a look at the whole index */
    GROUP_GRAMS_MIN = 48,  /* patterns; fewer are quickest in one search by Vectorscan */
};

struct group {
    hs_database_t *db; /* NULL when no patterns are left to it */
    uint32_t *leaves;  /* of the target */
    uint32_t leaf_count;
    uint32_t *patterns; /* leaf by pattern number */
    uint32_t *lens;     /* bytes searched for by pattern number */
    uint32_t pattern_count;
    struct gram_index *grams; /* NULL, or the long ones of many patterns */
    uint32_t *gram_leaves;    /* leaf by literal of that */
    uint32_t equal_count;
    uint32_t *table; /* EQUAL: leaf + 1 by hash */
    uint32_t table_mask;
    uint64_t seed;
};

struct group_scratch {
    hs_scratch_t *hs;
    struct buf block;
    struct buf folded;
    uint64_t *tested; /* by leaf: the last form that was decided, counted from 1 over all scans */
    uint64_t forms_seen;
};

/* A match of a leaf on an entry; lists by entry. */
struct pair {
    uint32_t leaf;
    uint32_t next;
};

/* One scan of one column or composed field. */
struct scan {
    struct pred_scratch *s;
    const struct group *group;
    const struct forms *forms;
    const uint32_t *starts; /* of each form in the block, one more at the end */
    uint32_t at;            /* form that the last match was in */
    bool by_entry;          /* owners are entries, not rows */
    uint32_t *entry_first;  /* pair + 1 */
    struct pair *pairs;
    uint32_t pair_count;
    uint32_t pair_cap;
    int err;
};

bool group_usable(void)
{
    return hs_is_right();
}

bool group_takes(const struct leaf *leaf)
{
    if (leaf->op == LEAF_OP_EQUAL)
        return true;
    return leaf->op <= LEAF_OP_GLOB && leaf->needle.text.len >= GROUP_LITERAL_MIN;
}

static uint64_t fold_hash(uint64_t seed, struct buf *folded, struct slice text)
{
    buf_reset(folded);
    char *to = buf_reserve(folded, text.len + 1);
    if (to == NULL)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        to[i] = (char)find_fold((unsigned char)text.data[i]);
    return hash_bytes(seed, to, text.len);
}

static int table_fill(struct group *g, const struct pred *p)
{
    uint32_t size = 16;
    while (size < g->equal_count * 2)
        size *= 2;
    g->table = calloc(size, sizeof(*g->table));
    if (g->table == NULL)
        return ERR_NOMEM;
    g->table_mask = size - 1;
    struct buf folded = {0};
    for (uint32_t i = 0; i < g->leaf_count; i++) {
        const struct leaf *leaf = &p->leaves[g->leaves[i]].leaf;
        if (leaf->op != LEAF_OP_EQUAL)
            continue;
        uint32_t at = (uint32_t)fold_hash(g->seed, &folded, leaf->text) & g->table_mask;
        while (g->table[at] != 0)
            at = (at + 1) & g->table_mask;
        g->table[at] = g->leaves[i] + 1;
    }
    bool ok = buf_ok(&folded);
    buf_release(&folded);
    return ok ? 0 : ERR_NOMEM;
}

/* Four bytes of a literal, case folded, as a place in a table of counters. */
static uint32_t gram_slot(const char *at)
{
    uint32_t gram = 0;
    for (size_t i = 0; i < GRAM_BYTES; i++)
        gram = gram << 8 | find_fold((unsigned char)at[i]);
    return gram * UINT32_C(2654435761) >> (32 - GRAM_BITS);
}

/* In how many literals each four bytes stand, more or less. */
static uint32_t *grams_count(const struct group *g, const struct pred *p)
{
    uint32_t *counts = calloc((size_t)1 << GRAM_BITS, sizeof(*counts));
    for (uint32_t i = 0; counts != NULL && i < g->pattern_count; i++) {
        struct slice literal = p->leaves[g->patterns[i]].leaf.needle.text;
        for (size_t at = 0; at + GRAM_BYTES <= literal.len; at++)
            counts[gram_slot(literal.data + at)]++;
    }
    return counts;
}

/*
 * The part of a literal that is searched for: up to the four bytes that stand in fewest literals.
 * The search wakes at the end of what it is given, and what many literals end with (".php",
 * ".com") stands in very many texts. The leaf itself is asked of what is found.
 */
static struct slice literal_part(struct slice literal, const uint32_t *counts)
{
    size_t end = literal.len;
    if (literal.len > GROUP_PART_MIN) {
        uint32_t least = UINT32_MAX;
        for (size_t at = literal.len; at >= GROUP_PART_MIN; at--) {
            uint32_t count = counts[gram_slot(literal.data + at - GRAM_BYTES)];
            if (count < least) {
                least = count;
                end = at;
            }
        }
    }
    size_t len = end < GROUP_LITERAL_MAX ? end : GROUP_LITERAL_MAX;
    return slice_of(literal.data + end - len, len);
}

static int database_compile(struct group *g, const struct pred *p)
{
    const char **texts = calloc(g->pattern_count, sizeof(*texts));
    size_t *lens = calloc(g->pattern_count, sizeof(*lens));
    unsigned *flags = calloc(g->pattern_count, sizeof(*flags));
    unsigned *ids = calloc(g->pattern_count, sizeof(*ids));
    uint32_t *counts = grams_count(g, p);
    int err = ERR_NOMEM;
    if (texts == NULL || lens == NULL || flags == NULL || ids == NULL || counts == NULL)
        goto out;
    for (uint32_t i = 0; i < g->pattern_count; i++) {
        struct slice part = literal_part(p->leaves[g->patterns[i]].leaf.needle.text, counts);
        texts[i] = part.data;
        lens[i] = part.len;
        g->lens[i] = (uint32_t)lens[i];
        flags[i] = HS_FLAG_CASELESS;
        ids[i] = i;
    }
    hs_compile_error_t *why = NULL;
    hs_error_t code = hs_compile_lit_multi(texts, flags, ids, lens, g->pattern_count, HS_MODE_BLOCK,
                                           NULL, &g->db, &why);
    if (why != NULL)
        (void)hs_free_compile_error(why);
    err = code == HS_SUCCESS ? 0 : code == HS_NOMEM ? ERR_NOMEM : ERR_RANGE;
out:
    free(counts);
    free(texts);
    free(lens);
    free(flags);
    free(ids);
    return err;
}

/* Take the leaves of the target and divide them. */
static void leaves_take(struct group *g, const struct pred *p, uint32_t target)
{
    for (uint32_t i = 0; i < p->leaf_count; i++) {
        if (p->leaves[i].target != target || !p->leaves[i].grouped)
            continue;
        g->leaves[g->leaf_count++] = i;
        if (p->leaves[i].leaf.op == LEAF_OP_EQUAL)
            g->equal_count++;
        else
            g->patterns[g->pattern_count++] = i;
    }
}

/* Of many patterns the long ones go to the index of grams, whose cost hardly grows with them. */
static int grams_make(struct group *g, const struct pred *p)
{
    uint32_t count = g->pattern_count;
    struct slice *literals = calloc(count, sizeof(*literals));
    bool *taken = calloc(count, sizeof(*taken));
    int err = ERR_NOMEM;
    g->gram_leaves = calloc(count, sizeof(*g->gram_leaves));
    if (literals == NULL || taken == NULL || g->gram_leaves == NULL)
        goto out;
    for (uint32_t i = 0; i < count; i++) {
        g->gram_leaves[i] = g->patterns[i];
        literals[i] = p->leaves[g->patterns[i]].leaf.needle.text;
    }
    err = gram_index_new(&g->grams, literals, count, taken);
    if (err != 0)
        goto out;
    g->pattern_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!taken[i])
            g->patterns[g->pattern_count++] = g->gram_leaves[i];
    }
out:
    free(literals);
    free(taken);
    return err;
}

int group_new(struct group **out, struct pred *p, uint32_t target)
{
    struct group *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ERR_NOMEM;
    int err = ERR_NOMEM;
    g->leaves = calloc(p->leaf_count, sizeof(*g->leaves));
    g->patterns = calloc(p->leaf_count, sizeof(*g->patterns));
    g->lens = calloc(p->leaf_count, sizeof(*g->lens));
    if (g->leaves == NULL || g->patterns == NULL || g->lens == NULL)
        goto out;
    g->seed = hash_seed();
    leaves_take(g, p, target);
    err = table_fill(g, p);
    if (err == 0 && g->pattern_count >= GROUP_GRAMS_MIN)
        err = grams_make(g, p);
    if (err == 0 && g->pattern_count != 0)
        err = database_compile(g, p);
out:
    if (err != 0) {
        group_free(g);
        return err;
    }
    *out = g;
    return 0;
}

void group_free(struct group *g)
{
    if (g == NULL)
        return;
    (void)hs_free_database(g->db);
    gram_index_free(g->grams);
    free(g->gram_leaves);
    free(g->leaves);
    free(g->patterns);
    free(g->lens);
    free(g->table);
    free(g);
}

int group_scratch_new(struct group_scratch **out, const struct pred *p)
{
    struct group_scratch *gs = calloc(1, sizeof(*gs));
    if (gs == NULL)
        return ERR_NOMEM;
    gs->tested = calloc(p->leaf_count + 1, sizeof(*gs->tested));
    int err = gs->tested == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; err == 0 && i < p->target_count; i++) {
        const struct group *g = p->targets[i].group;
        if (g != NULL && g->db != NULL && hs_alloc_scratch(g->db, &gs->hs) != HS_SUCCESS)
            err = ERR_NOMEM;
    }
    if (err != 0) {
        group_scratch_free(gs);
        return err;
    }
    *out = gs;
    return 0;
}

void group_scratch_free(struct group_scratch *gs)
{
    if (gs == NULL)
        return;
    if (gs->hs != NULL)
        (void)hs_free_scratch(gs->hs);
    buf_release(&gs->block);
    buf_release(&gs->folded);
    free(gs->tested);
    free(gs);
}

static struct rows *leaf_rows_of(struct pred_scratch *s, uint32_t leaf)
{
    if (s->leaf_rows[leaf] == NULL) {
        s->leaf_rows[leaf] = arena_alloc(&s->arena, sizeof(struct rows));
        if (s->leaf_rows[leaf] != NULL)
            s->held[s->held_count++] = leaf;
    }
    return s->leaf_rows[leaf];
}

static int pair_add(struct scan *scan, uint32_t leaf, uint32_t entry)
{
    if (scan->pair_count == scan->pair_cap) {
        uint32_t cap = scan->pair_cap == 0 ? 256 : scan->pair_cap * 2;
        struct pair *pairs = arena_array(&scan->s->arena, cap, sizeof(*pairs));
        if (pairs == NULL)
            return ERR_NOMEM;
        if (scan->pair_count != 0)
            memcpy(pairs, scan->pairs, scan->pair_count * sizeof(*pairs));
        scan->pairs = pairs;
        scan->pair_cap = cap;
    }
    scan->pairs[scan->pair_count] = (struct pair){.leaf = leaf, .next = scan->entry_first[entry]};
    scan->entry_first[entry] = ++scan->pair_count;
    return 0;
}

/* A leaf may hold on a form: ask it, once. */
static int hint(struct scan *scan, uint32_t leaf, uint32_t form)
{
    struct pred_scratch *s = scan->s;
    uint64_t number = s->group->forms_seen + form + 1;
    if (s->group->tested[leaf] == number)
        return 0;
    s->group->tested[leaf] = number;
    const struct form *f = &scan->forms->items[form];
    const struct form_text text = form_text_of(f);
    int holds = form_holds(&s->pred->leaves[leaf].leaf, s->regex, &text);
    if (holds <= 0)
        return holds;
    if (scan->by_entry)
        return pair_add(scan, leaf, f->owner);
    struct rows *rows = leaf_rows_of(s, leaf);
    if (rows == NULL)
        return ERR_NOMEM;
    rows_set(rows, f->owner);
    return 0;
}

/* Matches come nearly always in the order of the block; else the form is searched for. */
static uint32_t form_at(struct scan *scan, uint64_t end)
{
    uint32_t low = 0;
    uint32_t high = scan->forms->count;
    if (scan->starts[scan->at] < end)
        low = scan->at;
    for (int step = 0; step < 4 && low + 1 < high; step++) {
        if (scan->starts[low + 1] >= end)
            high = low + 1;
        else
            low++;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (scan->starts[middle] < end)
            low = middle;
        else
            high = middle;
    }
    scan->at = low;
    return low;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    (void)from;
    (void)flags;
    struct scan *scan = context;
    uint32_t form = form_at(scan, to);
    if (to - scan->group->lens[id] < scan->starts[form])
        return 0; /* across two values */
    scan->err = hint(scan, scan->group->patterns[id], form);
    return scan->err != 0;
}

static int scan_literals(struct scan *scan)
{
    struct group_scratch *gs = scan->s->group;
    uint32_t *starts =
        arena_array(&scan->s->arena, (size_t)scan->forms->count + 1, sizeof(*starts));
    if (starts == NULL)
        return ERR_NOMEM;
    buf_reset(&gs->block);
    for (uint32_t i = 0; i < scan->forms->count; i++) {
        starts[i] = (uint32_t)gs->block.len;
        buf_append(&gs->block, scan->forms->items[i].data, scan->forms->items[i].len);
        if (gs->block.len > UINT32_MAX / 2)
            return ERR_RANGE;
    }
    if (!buf_ok(&gs->block))
        return ERR_NOMEM;
    starts[scan->forms->count] = (uint32_t)gs->block.len;
    scan->starts = starts;
    if (gs->block.len == 0)
        return 0;
    hs_error_t code = hs_scan(scan->group->db, gs->block.data, (unsigned)gs->block.len, 0, gs->hs,
                              on_match, scan);
    if (code == HS_SCAN_TERMINATED)
        return scan->err;
    return code == HS_SUCCESS ? 0 : ERR_RANGE;
}

static int on_gram(void *self, uint32_t literal)
{
    struct scan *scan = self;
    return hint(scan, scan->group->gram_leaves[literal], scan->at);
}

static int scan_grams(struct scan *scan)
{
    int err = 0;
    if (scan->forms->count >= GROUP_TEXTS_MANY)
        gram_index_prefetch(scan->group->grams);
    for (scan->at = 0; err == 0 && scan->at < scan->forms->count; scan->at++) {
        const struct form *form = &scan->forms->items[scan->at];
        err = gram_index_scan(scan->group->grams, slice_of(form->data, form->len), on_gram, scan);
    }
    scan->at = 0;
    return err;
}

static int scan_equal(struct scan *scan)
{
    const struct group *g = scan->group;
    for (uint32_t i = 0; i < scan->forms->count; i++) {
        struct slice text = slice_of(scan->forms->items[i].data, scan->forms->items[i].len);
        uint32_t at = (uint32_t)fold_hash(g->seed, &scan->s->group->folded, text) & g->table_mask;
        if (!buf_ok(&scan->s->group->folded))
            return ERR_NOMEM;
        for (; g->table[at] != 0; at = (at + 1) & g->table_mask) {
            int err = hint(scan, g->table[at] - 1, i);
            if (err != 0)
                return err;
        }
    }
    return 0;
}

/* Give what was found for entries to the rows that hold them. */
static int pairs_to_rows(struct scan *scan, const uint16_t *codes)
{
    struct pred_scratch *s = scan->s;
    for (uint32_t i = 0; scan->pair_count != 0 && i < s->row_count; i++) {
        if (codes[i] == CODE_NONE)
            continue;
        for (uint32_t p = scan->entry_first[codes[i]]; p != 0; p = scan->pairs[p - 1].next) {
            struct rows *rows = leaf_rows_of(s, scan->pairs[p - 1].leaf);
            if (rows == NULL)
                return ERR_NOMEM;
            rows_set(rows, i);
        }
    }
    return 0;
}

/* `codes` are the entries of the rows of the set where owners are entries, or NULL. */
static int scan_forms(struct pred_scratch *s, const struct group *g, const struct forms *forms,
                      const uint16_t *codes, uint32_t entry_count)
{
    struct scan scan = {.s = s, .group = g, .forms = forms, .by_entry = codes != NULL};
    int err = 0;
    if (forms->count == 0)
        return 0;
    if (codes != NULL) {
        scan.entry_first = arena_array(&s->arena, entry_count, sizeof(*scan.entry_first));
        if (scan.entry_first == NULL)
            return ERR_NOMEM;
    }
    if (g->grams != NULL)
        err = scan_grams(&scan);
    if (err == 0 && g->db != NULL)
        err = scan_literals(&scan);
    if (err == 0 && g->equal_count != 0)
        err = scan_equal(&scan);
    s->group->forms_seen += forms->count;
    if (err == 0 && codes != NULL)
        err = pairs_to_rows(&scan, codes);
    return err;
}

static int scan_column(struct pred_scratch *s, const struct target *t, uint32_t column)
{
    const struct column *c = &s->batch->columns[column];
    const struct forms *forms = NULL;
    int err = forms_column(s, column, t->is_url, &s->all, &forms);
    if (err != 0)
        return err;
    if (c->storage == COLUMN_CODES)
        return scan_forms(s, t->group, forms, c->codes + s->first_row, c->entry_count);
    return scan_forms(s, t->group, forms, NULL, 0);
}

/* URLs in parts: each different one once, as far as its parts' codes tell. */
static int scan_urls(struct pred_scratch *s, const struct target *t)
{
    struct url_classes classes;
    const struct forms *forms = NULL;
    int err = forms_url_classes(s, &classes, &forms);
    return err != 0 ? err : scan_forms(s, t->group, forms, classes.of_row, classes.count);
}

/* A column that is not text: leaf by leaf. */
static int scan_typed(struct pred_scratch *s, const struct group *g, uint32_t column)
{
    for (uint32_t i = 0; i < g->leaf_count; i++) {
        struct rows found = {0};
        int err = column_rows(s, &s->pred->leaves[g->leaves[i]], column, &s->all, &found);
        if (err != 0)
            return err;
        if (rows_empty(&found))
            continue;
        struct rows *rows = leaf_rows_of(s, g->leaves[i]);
        if (rows == NULL)
            return ERR_NOMEM;
        rows_or(rows, &found);
    }
    return 0;
}

int group_scan(struct pred_scratch *s, uint32_t target)
{
    const struct target *t = &s->pred->targets[target];
    const struct forms *forms = NULL;
    int err = 0;
    for (uint32_t c = s->target_column[target]; err == 0 && c != 0; c = s->column_next[c - 1]) {
        const struct column *column = &s->batch->columns[c - 1];
        if (column->kind == SLOT_NULL)
            continue;
        if (column->type != FIELD_TYPE_TEXT) {
            err = scan_typed(s, t->group, c - 1);
            continue;
        }
        err = scan_column(s, t, c - 1);
    }
    if (err == 0 && t->kind == TARGET_URL)
        err = scan_urls(s, t);
    if (err == 0 && t->kind == TARGET_RAW)
        err = forms_raw(s, &s->all, &forms);
    if (err == 0 && t->kind == TARGET_RAW)
        err = scan_forms(s, t->group, forms, NULL, 0);
    if (err == 0)
        s->target_scanned[target] = 1;
    return err;
}

int group_scan_texts(struct pred_scratch *s, uint32_t target)
{
    const struct target *t = &s->pred->targets[target];
    const struct forms *forms = NULL;
    int err = 0;
    for (uint32_t c = s->target_column[target]; err == 0 && c != 0; c = s->column_next[c - 1]) {
        const struct column *column = &s->batch->columns[c - 1];
        if (column->kind == SLOT_NULL || column->type != FIELD_TYPE_TEXT)
            continue;
        err = forms_texts(s, c - 1, t->is_url, &forms);
        if (err == 0)
            err = scan_forms(s, t->group, forms, NULL, 0);
    }
    if (err == 0)
        s->target_scanned[target] = 1;
    return err;
}
