/* A leaf that compares two fields of a row: equal, or the one holding, beginning, ending with the other. */
#include "base/err.h"
#include "event/pred_form.h"
#include "event/pred_plan.h"

/* The texts of one field, column by column. */
struct ref_list {
    const struct forms *forms;
    const uint16_t *codes; /* of the rows of the set; NULL where owners are rows */
};

struct ref_side {
    struct ref_list *lists;
    unsigned count;
};

static void side_add(struct ref_side *side, const struct forms *forms, const uint16_t *codes)
{
    side->lists[side->count++] = (struct ref_list){.forms = forms, .codes = codes};
}

static int side_open(struct pred_scratch *s, uint32_t target, struct ref_side *side)
{
    const struct target *t = &s->pred->targets[target];
    const struct forms *forms = NULL;
    size_t lists = 1; /* the composed forms */
    for (uint32_t i = s->target_column[target]; i != 0; i = s->column_next[i - 1])
        lists++;
    *side = (struct ref_side){.lists = arena_array(&s->arena, lists, sizeof(*side->lists))};
    int err = side->lists == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = s->target_column[target]; err == 0 && i != 0; i = s->column_next[i - 1]) {
        const struct column *c = &s->batch->columns[i - 1];
        if (c->kind == SLOT_NULL)
            continue;
        err = forms_column(s, i - 1, t->is_url, &s->all, &forms);
        if (err == 0)
            side_add(side, forms, c->storage == COLUMN_CODES ? c->codes + s->first_row : NULL);
    }
    if (err == 0 && t->kind == TARGET_URL) {
        err = forms_url(s, &s->all, &forms);
        if (err == 0)
            side_add(side, forms, NULL);
    }
    return err;
}

/* The first form of an owner; forms are in the order of their owners. */
static uint32_t form_first(const struct forms *forms, uint32_t owner)
{
    uint32_t low = 0;
    uint32_t high = forms->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (forms->items[middle].owner < owner)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The next text of a row, from list *list and form *at on; false when there is none. */
static bool side_next(const struct ref_side *side, uint32_t row, unsigned *list, uint32_t *at,
                      struct form_text *out)
{
    for (; *list < side->count; (*list)++, *at = UINT32_MAX) {
        const struct forms *forms = side->lists[*list].forms;
        const uint16_t *codes = side->lists[*list].codes;
        uint32_t owner = codes == NULL ? row : codes[row];
        if (codes != NULL && owner == CODE_NONE)
            continue;
        uint32_t i = *at == UINT32_MAX ? form_first(forms, owner) : *at;
        if (i >= forms->count || forms->items[i].owner != owner)
            continue;
        *out = form_text_of(&forms->items[i]);
        *at = i + 1;
        return true;
    }
    return false;
}

static bool row_holds(const struct leaf *leaf, const struct ref_side *a, const struct ref_side *b,
                      uint32_t row)
{
    struct form_text value;
    struct form_text other;
    unsigned list = 0;
    uint32_t at = UINT32_MAX;
    while (side_next(a, row, &list, &at, &value)) {
        unsigned other_list = 0;
        uint32_t other_at = UINT32_MAX;
        while (side_next(b, row, &other_list, &other_at, &other)) {
            bool taken = !leaf->cased || (!value.folded && !other.folded);
            if (taken && leaf_ref(leaf, value.text, other.text))
                return true;
        }
    }
    return false;
}

int ref_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
             struct rows *out)
{
    struct ref_side value;
    struct ref_side other;
    int err = side_open(s, leaf->target, &value);
    if (err == 0)
        err = side_open(s, leaf->other, &other);
    for (uint32_t i = 0; err == 0 && rows_next(mask, &i); i++) {
        if (row_holds(&leaf->leaf, &value, &other, i))
            rows_set(out, i);
    }
    return err;
}
