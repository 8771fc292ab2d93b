#include "store/rowgroup_plan.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "event/ties.h"
#include "store/pack.h"

enum {
    TEXTS_ROWS_MIN = 256,    /* fewer rows always have a dictionary */
    MAP_MISSES = 32,         /* one row in so many may differ */
    BESIDE_COLUMNS_MAX = 64, /* integers that others are tried beside */
    TIME_TEXT_MISSES = 16,
    MAP_ENTRY_BYTES = 1,
    MAP_MISS_BYTES = 3,
    MAP_ROWS_AT_ONCE = 2048, /* looked at before asking whether it is worth it */
};

/* What the trials share. */
struct planner {
    struct rowgroup *g;
    struct chunk_press *press;
    struct column_plan *plans;
    struct buf plain, scratch;
    int64_t sample[PLAN_SAMPLE_ROWS];
    uint64_t packed[PLAN_SAMPLE_ROWS];
    uint16_t codes[PLAN_SAMPLE_ROWS];
    uint16_t map[ROWGROUP_CODES_MAX + 2];      /* being tried */
    uint16_t best_map[ROWGROUP_CODES_MAX + 2]; /* of those that were */
};

void rowgroup_plans_free(struct column_plan *plans, uint32_t count)
{
    for (uint32_t i = 0; plans != NULL && i < count; i++) {
        free(plans[i].entries);
        free(plans[i].codes);
        free(plans[i].values);
        free(plans[i].map);
        free(plans[i].numbers);
    }
    free(plans);
}

uint32_t plan_ip4(const struct rowgroup_column *c, uint32_t word)
{
    return bytes_get32_be(words_text(&c->words, word).data + 12);
}

static uint32_t sample_rows(const struct rowgroup *g)
{
    return g->row_count < PLAN_SAMPLE_ROWS ? g->row_count : PLAN_SAMPLE_ROWS;
}

/* Codes of all rows, given each row's place among the counted; `places` may hold WORD_NONE. */
static int code_rows(struct column_plan *p, const uint32_t *places, uint32_t rows, uint32_t count)
{
    uint16_t *code_of = malloc(((size_t)count + 1) * sizeof(*code_of));
    p->codes = malloc(((size_t)rows + 1) * sizeof(*p->codes));
    if (code_of == NULL || p->codes == NULL) {
        free(code_of);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < p->entry_count; i++)
        code_of[p->entries[i]] = (uint16_t)i;
    for (uint32_t row = 0; row < rows; row++)
        p->codes[row] = places[row] == WORD_NONE ? CODE_NONE : code_of[places[row]];
    free(code_of);
    return 0;
}

/* Distances of texts from the rows' times; those that are no times become exceptions. */
static int try_time_text(struct planner *w, struct rowgroup_column *c, struct column_plan *p)
{
    struct rowgroup *g = w->g;
    const int64_t *times = rowgroup_internal(g, ROWGROUP_TIME)->numbers;
    uint32_t first = 0;
    while (first < g->row_count && c->codes[first] == WORD_NONE)
        first++;
    if (c->exception_count != 0 || first == g->row_count ||
        !time_text_guess(&p->layout, words_text(&c->words, c->codes[first])))
        return ERR_NOTFOUND;
    int64_t *numbers = malloc(((size_t)g->row_count + 1) * sizeof(*numbers));
    if (numbers == NULL)
        return ERR_NOMEM;
    uint32_t misses = 0;
    int64_t before = 0;
    struct time_pen pen = time_pen_of(&p->layout);
    for (uint32_t row = 0; row < g->row_count; row++) {
        numbers[row] = VALUE_NONE;
        if (c->codes[row] == WORD_NONE)
            continue;
        if (time_pen_distance(&pen, words_text(&c->words, c->codes[row]), times[row], before,
                              &numbers[row]))
            before = numbers[row];
        else
            misses++;
        if (misses > p->present / TIME_TEXT_MISSES)
            break;
    }
    if (misses > p->present / TIME_TEXT_MISSES) {
        free(numbers);
        return ERR_NOTFOUND;
    }
    p->form = FORM_TIME_TEXT;
    p->numbers = numbers;
    return 0;
}

/* Addresses that nearly all differ: as integers, or as texts of 16 bytes. */
static int plain_addresses(const struct rowgroup *g, const struct rowgroup_column *c,
                           struct column_plan *p)
{
    p->form = FORM_TEXTS;
    if (c->any_v6)
        return 0;
    p->form = FORM_NUMBERS;
    p->numbers = malloc(((size_t)g->row_count + 1) * sizeof(*p->numbers));
    if (p->numbers == NULL)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < g->row_count; row++)
        p->numbers[row] =
            c->codes[row] == WORD_NONE ? VALUE_NONE : (int64_t)plan_ip4(c, c->codes[row]);
    return 0;
}

static int plan_words(struct planner *w, struct rowgroup_column *c, struct column_plan *p)
{
    const struct rowgroup *g = w->g;
    uint32_t *counts = calloc((size_t)c->words.count + 1, sizeof(*counts));
    if (counts == NULL)
        return ERR_NOMEM;
    uint32_t distinct = 0;
    for (uint32_t row = 0; row < g->row_count; row++) {
        if (c->codes[row] == WORD_NONE)
            continue;
        p->present++;
        distinct += counts[c->codes[row]]++ == 0;
    }
    int err = ERR_NOTFOUND;
    if (c->like.type == FIELD_TYPE_TEXT && !c->like.derived && c->id == 0 && distinct > 1)
        err = try_time_text(w, c, p);
    bool many = !c->like.derived && (c->distinct || distinct > ROWGROUP_CODES_MAX ||
                                     (distinct > p->present / 2 && p->present > TEXTS_ROWS_MIN));
    if (err == ERR_NOTFOUND && many && c->like.type == FIELD_TYPE_IP) {
        err = plain_addresses(g, c, p);
    } else if (err == ERR_NOTFOUND && (many || c->id == ROWGROUP_LINE)) {
        p->form = FORM_TEXTS;
        err = 0;
    } else if (err == ERR_NOTFOUND) {
        p->form = FORM_CODES;
        err = plan_order_entries(p, c, counts, c->words.count);
        if (err == 0)
            err = code_rows(p, c->codes, g->row_count, c->words.count);
    }
    free(counts);
    return err;
}

/* Values of the sample, those of no rows left out; how many. */
static uint32_t take_sample(struct planner *w, const struct rowgroup_column *c)
{
    uint32_t rows = sample_rows(w->g);
    uint32_t n = 0;
    for (uint32_t row = 0; row < rows; row++) {
        if (c->numbers[row] != VALUE_NONE)
            w->sample[n++] = c->numbers[row];
    }
    return n;
}

static size_t cost_of_sample(struct planner *w, uint32_t n)
{
    buf_reset(&w->plain);
    pack_numbers(&w->plain, w->sample, n, w->packed);
    return chunk_cost(w->press, buf_content(&w->plain), &w->scratch);
}

/* The distinct integers of a column: open addressing, half full at most. */
struct number_table {
    int64_t *values;  /* in the order of first sight */
    uint32_t *slots;  /* place + 1 */
    uint32_t *places; /* of every row; WORD_NONE without a value */
    uint32_t *counts; /* of every place */
    uint32_t count;
    uint32_t cap;
    uint32_t mask;
};

static void table_free(struct number_table *t)
{
    free(t->values);
    free(t->slots);
    free(t->places);
    free(t->counts);
}

static int table_new(struct number_table *t, uint32_t rows)
{
    uint32_t slots = 64;
    t->cap = rows / 2 > TEXTS_ROWS_MIN ? rows / 2 : rows;
    t->cap = t->cap > ROWGROUP_CODES_MAX ? ROWGROUP_CODES_MAX : t->cap;
    while (slots < t->cap * 2)
        slots *= 2;
    t->mask = slots - 1;
    t->values = malloc(((size_t)t->cap + 1) * sizeof(*t->values));
    t->counts = malloc(((size_t)t->cap + 1) * sizeof(*t->counts));
    t->places = malloc(((size_t)rows + 1) * sizeof(*t->places));
    t->slots = calloc(slots, sizeof(*t->slots));
    return t->values == NULL || t->counts == NULL || t->places == NULL || t->slots == NULL
               ? ERR_NOMEM
               : 0;
}

/* The place of a value, or WORD_NONE when there are too many. */
static uint32_t table_place(struct number_table *t, int64_t value)
{
    uint32_t at = (uint32_t)((uint64_t)value * UINT64_C(0x9E3779B97F4A7C15) >> 32) & t->mask;
    while (t->slots[at] != 0 && t->values[t->slots[at] - 1] != value)
        at = (at + 1) & t->mask;
    if (t->slots[at] != 0)
        return t->slots[at] - 1;
    if (t->count == t->cap)
        return WORD_NONE;
    t->values[t->count] = value;
    t->counts[t->count] = 0;
    t->slots[at] = ++t->count;
    return t->count - 1;
}

/* Number the distinct values of a column. ERR_NOTFOUND: there are too many for a dictionary. */
static int table_fill(struct number_table *t, const struct rowgroup_column *c, uint32_t rows)
{
    int64_t before = VALUE_NONE;
    uint32_t place = 0;
    for (uint32_t row = 0; row < rows; row++) {
        int64_t v = c->numbers[row];
        t->places[row] = WORD_NONE;
        if (v == VALUE_NONE)
            continue;
        if (v != before)
            place = table_place(t, v);
        if (place == WORD_NONE)
            return ERR_NOTFOUND;
        before = v;
        t->places[row] = place;
        t->counts[place]++;
    }
    return 0;
}

/* Bytes of the sample's codes; measured once. */
static size_t cost_of_codes(struct planner *w, struct column_plan *p)
{
    if (p->codes_cost != 0)
        return p->codes_cost - 1;
    uint32_t rows = sample_rows(w->g);
    uint32_t n = 0;
    uint32_t most = 0;
    for (uint32_t row = 0; row < rows; row++) {
        if (p->codes[row] == CODE_NONE)
            continue;
        most = p->codes[row] > most ? p->codes[row] : most;
        w->codes[n++] = p->codes[row];
    }
    buf_reset(&w->plain);
    pack_codes(&w->plain, w->codes, n, most + 1);
    size_t cost = chunk_cost(w->press, buf_content(&w->plain), &w->scratch);
    p->codes_cost = (uint32_t)cost + 1;
    return cost;
}

/* Whether the sample has too many values for a dictionary to be worth its making. */
static bool looks_distinct(const int64_t *sample, uint32_t n)
{
    uint8_t seen[512] = {0};
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bit = (uint32_t)((uint64_t)sample[i] * UINT64_C(0x9E3779B97F4A7C15) >> 52);
        distinct += (seen[bit / 8] >> (bit % 8) & 1) == 0;
        seen[bit / 8] |= (uint8_t)(1U << (bit % 8));
    }
    return n >= TEXTS_ROWS_MIN && distinct > n - n / 4;
}

static int plan_numbers(struct planner *w, struct rowgroup_column *c, struct column_plan *p)
{
    const struct rowgroup *g = w->g;
    struct number_table t = {0};
    uint32_t n = take_sample(w, c);
    p->form = FORM_NUMBERS;
    for (uint32_t row = 0; row < g->row_count; row++)
        p->present += c->numbers[row] != VALUE_NONE;
    /* Shapes are always codes: columns that are tied to them are mapped from those. */
    if (p->present == 0 || (c->id != ROWGROUP_SHAPE && looks_distinct(w->sample, n)))
        return 0;
    int err = table_new(&t, g->row_count);
    if (err == 0)
        err = table_fill(&t, c, g->row_count);
    if (err == 0) {
        p->values = t.values;
        t.values = NULL;
        err = plan_order_entries(p, c, t.counts, t.count);
    }
    if (err == 0)
        err = code_rows(p, t.places, g->row_count, t.count);
    if (err == 0) {
        size_t as_numbers = cost_of_sample(w, n);
        p->numbers_cost = (uint32_t)as_numbers + 1;
        size_t dictionary = (size_t)t.count * 3 * n / (p->present + 1);
        if (t.count <= 1 || c->id == ROWGROUP_SHAPE ||
            as_numbers > cost_of_codes(w, p) + dictionary)
            p->form = FORM_CODES;
    }
    table_free(&t);
    return err == ERR_NOTFOUND ? 0 : err;
}

/* What stands in for the codes of rows: those of the shapes, in the order of the entries of theirs. */
static int map_shapes(struct planner *w, const struct rowgroup_column *c, struct column_plan *p,
                      const uint32_t *place_of)
{
    const struct column_plan *shapes = &w->plans[0];
    uint16_t none = c->like.derived ? (uint16_t)p->entry_count : 0;
    p->map = calloc((size_t)shapes->entry_count + 1, sizeof(*p->map));
    if (p->map == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < shapes->entry_count; i++) {
        uint32_t place = place_of[shapes->values[shapes->entries[i]]];
        p->map[i] = place == WORD_NONE ? none : 0;
        for (uint32_t e = 0; e < p->entry_count && place != WORD_NONE; e++)
            p->map[i] = p->entries[e] == place ? (uint16_t)e : p->map[i];
    }
    p->form = FORM_MAPPED;
    p->other = 0;
    return 0;
}

/* Where a shape's value stands among those of the column: its word, or its place in p->values. */
static uint32_t tied_place(const struct rowgroup_column *c, const struct column_plan *p,
                           int64_t value, uint32_t *count)
{
    if (value == TIE_NONE)
        return WORD_NONE;
    if (c->worded)
        return (uint32_t)value;
    uint32_t place = 0;
    while (place < *count && p->values[place] != value)
        place++;
    if (place == *count)
        p->values[(*count)++] = value;
    return place;
}

/* A column that is tied to shapes follows from them. */
static int plan_tied(struct planner *w, struct rowgroup_column *c, struct column_plan *p)
{
    const struct rowgroup *g = w->g;
    uint32_t place_of[BATCH_SHAPES_MAX];
    uint32_t count = c->worded ? c->words.count : 0;
    uint32_t *counts = calloc((size_t)count + BATCH_SHAPES_MAX, sizeof(*counts));
    p->values = c->worded ? NULL : calloc(BATCH_SHAPES_MAX, sizeof(*p->values));
    int err = counts == NULL || (p->values == NULL && !c->worded) ? ERR_NOMEM : 0;
    for (uint32_t shape = 0; shape <= g->shapes.count && err == 0; shape++) {
        place_of[shape] = WORD_NONE;
        if (g->shape_rows[shape] == 0)
            continue;
        place_of[shape] = tied_place(c, p, c->tied[shape], &count);
        if (place_of[shape] == WORD_NONE)
            continue;
        counts[place_of[shape]] += g->shape_rows[shape];
        p->present += g->shape_rows[shape];
    }
    if (err == 0)
        err = plan_order_entries(p, c, counts, count);
    p->form = FORM_CODES;
    if (err == 0 && (p->entry_count > 1 || c->like.derived))
        err = map_shapes(w, c, p, place_of);
    free(counts);
    return err;
}

static void drop_codes(struct column_plan *p)
{
    free(p->codes);
    free(p->entries);
    free(p->values);
    p->codes = NULL;
    p->entries = NULL;
    p->values = NULL;
    p->entry_count = 0;
}

/* Integers that others may be stored beside. */
static bool is_base(const struct rowgroup *g, const struct column_plan *plans, uint32_t column)
{
    const struct rowgroup_column *c = &g->columns[column];
    return c->numbers != NULL && !c->like.derived &&
           (plans[column].form == FORM_NUMBERS || plans[column].form == FORM_CODES) &&
           (c->id == 0 || c->id == ROWGROUP_TIME);
}

/* Bytes of the sample of `column` beside `base`. */
static size_t cost_beside(struct planner *w, uint32_t column, uint32_t base)
{
    const int64_t *numbers = w->g->columns[column].numbers;
    const int64_t *bases = w->g->columns[base].numbers;
    uint32_t rows = sample_rows(w->g);
    uint32_t n = 0;
    if (bases == NULL)
        return SIZE_MAX;
    for (uint32_t row = 0; row < rows; row++) {
        if (numbers[row] == VALUE_NONE)
            continue;
        uint64_t from = bases[row] == VALUE_NONE ? 0 : (uint64_t)bases[row];
        w->sample[n++] = (int64_t)((uint64_t)numbers[row] - from);
    }
    return cost_of_sample(w, n);
}

/* Whether the first rows look as if one followed from the other: worth a trial. */
static bool looks_beside(const struct rowgroup *g, uint32_t column, uint32_t base)
{
    const int64_t *numbers = g->columns[column].numbers;
    const int64_t *bases = g->columns[base].numbers;
    uint64_t own = 0;
    uint64_t beside = 0;
    int64_t before = 0;
    int64_t before_beside = 0;
    uint32_t seen = 0;
    for (uint32_t row = 0; bases != NULL && row < sample_rows(g) && seen < 64; row++) {
        if (numbers[row] == VALUE_NONE || bases[row] == VALUE_NONE)
            continue;
        int64_t d = (int64_t)((uint64_t)numbers[row] - (uint64_t)bases[row]);
        int64_t step = (int64_t)((uint64_t)numbers[row] - (uint64_t)before);
        int64_t step_beside = (int64_t)((uint64_t)d - (uint64_t)before_beside);
        own += (uint64_t)(64 - __builtin_clzll((uint64_t)(step < 0 ? ~step : step) | 1));
        beside +=
            (uint64_t)(64 - __builtin_clzll(
                                (uint64_t)(step_beside < 0 ? ~step_beside : step_beside) | 1));
        before = numbers[row];
        before_beside = d;
        seen++;
    }
    return seen >= 8 && beside < own;
}

/* Bytes of the sample of integers as they would be stored by themselves. */
static size_t own_cost(struct planner *w, const struct rowgroup_column *c, struct column_plan *p)
{
    if (p->form == FORM_CODES)
        return cost_of_codes(w, p);
    return p->numbers_cost != 0 ? p->numbers_cost - 1 : cost_of_sample(w, take_sample(w, c));
}

/* Store an integer column beside the one that makes it smallest, where one does. */
static void try_beside(struct planner *w, uint32_t column)
{
    struct rowgroup *g = w->g;
    struct rowgroup_column *c = &g->columns[column];
    struct column_plan *p = &w->plans[column];
    if (c->numbers == NULL || c->like.derived || p->present == 0 || c->id == ROWGROUP_TIME ||
        (c->id != 0 && c->id != ROWGROUP_ARRIVAL))
        return;
    size_t best = SIZE_MAX; /* its own: a trial, made where there is something to compare with */
    for (uint32_t base = 0; base < g->column_count; base++) {
        if (base == column || p->is_base || !is_base(g, w->plans, base) ||
            !looks_beside(g, column, base))
            continue;
        best = best == SIZE_MAX ? own_cost(w, c, p) : best;
        size_t cost = cost_beside(w, column, base);
        if (cost + cost / 8 < best) {
            best = cost;
            p->form = FORM_BESIDE;
            p->other = base;
        }
    }
    if (p->form == FORM_BESIDE)
        w->plans[p->other].is_base = true;
}

/* The row's time is often one of the line's values. */
static int try_epoch(struct planner *w)
{
    struct rowgroup *g = w->g;
    struct rowgroup_column *time = rowgroup_internal(g, ROWGROUP_TIME);
    struct column_plan *p = &w->plans[ROWGROUP_TIME - ROWGROUP_SHAPE];
    for (uint32_t i = ROWGROUP_INTERNAL; i < g->column_count; i++) {
        const struct rowgroup_column *c = &g->columns[i];
        if (c->like.type != FIELD_TYPE_EPOCH || c->numbers == NULL)
            continue; /* NULL: no row has it */
        uint32_t misses = 0;
        for (uint32_t row = 0; row < g->row_count && misses <= g->row_count / MAP_MISSES; row++)
            misses += c->numbers[row] == VALUE_NONE ||
                      value_epoch_ns(c->numbers[row], c->like.epoch_form) != time->numbers[row];
        if (misses <= g->row_count / MAP_MISSES) {
            p->form = FORM_EPOCH;
            p->other = i;
            p->present = g->row_count;
            return 0;
        }
    }
    return plan_numbers(w, time, p);
}

/*
 * Whether in the sample the codes of `from` tell those of `to`; what they tell goes to `map`, which
 * holds CODE_NONE where nothing was seen.
 */
static bool tells(struct planner *w, uint32_t from, uint32_t to, uint16_t *map)
{
    const struct column_plan *x = &w->plans[from];
    const struct column_plan *y = &w->plans[to];
    uint32_t rows = sample_rows(w->g);
    uint32_t misses = 0;
    uint32_t seen = 0;
    memset(map, 0xff, ((size_t)x->entry_count + 1) * sizeof(*map));
    bool derived = w->g->columns[to].like.derived;
    for (uint32_t row = 0; row < rows; row++) {
        if (y->codes[row] == CODE_NONE && !derived)
            continue;
        seen++;
        uint16_t *slot = &map[plan_code(x, row)];
        if (*slot == CODE_NONE)
            *slot = plan_code(y, row);
        else if (*slot != plan_code(y, row) && ++misses > rows / MAP_MISSES)
            return false;
    }
    return seen != 0 && misses <= seen / MAP_MISSES;
}

/*
 * What the codes of `from` tell of those of `to` in all rows; how often they do not: more than
 * `misses_max` as soon as it is.
 */
static uint32_t map_all(const struct rowgroup *g, uint32_t to, const struct column_plan *x,
                        const struct column_plan *y, size_t misses_max, uint16_t *map)
{
    uint32_t misses = 0;
    bool derived = g->columns[to].like.derived;
    memset(map, 0xff, ((size_t)x->entry_count + 1) * sizeof(*map));
    for (uint32_t row = 0; row < g->row_count && misses <= misses_max;) {
        uint32_t end =
            g->row_count - row < MAP_ROWS_AT_ONCE ? g->row_count : row + MAP_ROWS_AT_ONCE;
        for (; row < end; row++) {
            if (y->codes[row] == CODE_NONE && !derived)
                continue;
            uint16_t code = plan_code(y, row);
            uint16_t *slot = &map[plan_code(x, row)];
            /* Written once each, so that the next row need not wait for it. */
            if (*slot == CODE_NONE)
                *slot = code;
            else
                misses += *slot != code;
        }
    }
    for (uint32_t i = 0; i <= x->entry_count; i++)
        map[i] = map[i] == CODE_NONE ? 0 : map[i];
    return misses;
}

/* By codes: the more entries the earlier, so that what tells comes before what is told. */
struct ranked_column {
    uint32_t column;
    uint32_t entries;
};

static int by_entries(const void *left, const void *right)
{
    const struct ranked_column *a = left;
    const struct ranked_column *b = right;
    if (a->entries != b->entries)
        return a->entries > b->entries ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

/* Bytes of a map from so many entries, and of the rows that differ. */
static size_t map_cost(size_t entries, size_t misses)
{
    return entries * MAP_ENTRY_BYTES / 2 + misses * MAP_MISS_BYTES + 8;
}

/* With so many misses a map costs less than `cost`, or nearly. */
static size_t misses_within(size_t entries, size_t cost)
{
    size_t least = map_cost(entries, 0);
    return cost <= least ? 0 : (cost - least) / MAP_MISS_BYTES;
}

static bool may_cost_less(size_t entries, size_t cost)
{
    return entries * MAP_ENTRY_BYTES < cost && map_cost(entries, 0) < cost;
}

/*
 * Map one column from the cheapest of those before it that is stored by codes itself. Never the
 * shapes: which rows the other has a value in is read from them.
 */
static int try_map(struct planner *w, const struct ranked_column *order, uint32_t at)
{
    struct rowgroup *g = w->g;
    uint32_t to = order[at].column;
    struct column_plan *y = &w->plans[to];
    uint32_t best = ROWGROUP_COLUMN_NONE;
    size_t best_cost = SIZE_MAX; /* until one tells at all: the column's own is a trial */
    /* From those with the fewest entries: what the others would cost at least ends the search. */
    for (uint32_t i = at; i-- > 0 && may_cost_less(order[i].entries, best_cost);) {
        const struct column_plan *x = &w->plans[order[i].column];
        if (x->form != FORM_CODES || !tells(w, order[i].column, to, w->map))
            continue;
        if (best_cost == SIZE_MAX)
            best_cost = cost_of_codes(w, y) * (g->row_count / sample_rows(g) + 1);
        if (!may_cost_less(order[i].entries, best_cost))
            break;
        uint32_t misses = map_all(g, to, x, y, misses_within(order[i].entries, best_cost), w->map);
        size_t cost = map_cost(order[i].entries, misses);
        if (cost < best_cost) {
            best = order[i].column;
            best_cost = cost;
            y->misses = misses;
            memcpy(w->best_map, w->map, ((size_t)x->entry_count + 1) * sizeof(*w->map));
        }
    }
    if (best == ROWGROUP_COLUMN_NONE)
        return 0;
    size_t entries = (size_t)w->plans[best].entry_count + 1;
    y->map = malloc(entries * sizeof(*y->map));
    if (y->map == NULL)
        return ERR_NOMEM;
    memcpy(y->map, w->best_map, entries * sizeof(*y->map));
    y->form = FORM_MAPPED;
    y->other = best;
    return 0;
}

static int plan_maps(struct planner *w)
{
    struct rowgroup *g = w->g;
    struct ranked_column *order = malloc(((size_t)g->column_count + 1) * sizeof(*order));
    if (order == NULL)
        return ERR_NOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->column_count; i++) {
        const struct column_plan *p = &w->plans[i];
        if (p->form == FORM_CODES && p->codes != NULL && p->entry_count > 1)
            order[count++] = (struct ranked_column){.column = i, .entries = p->entry_count};
    }
    qsort(order, count, sizeof(*order), by_entries);
    int err = 0;
    for (uint32_t i = 1; i < count && err == 0; i++) {
        /* Shapes tell which rows have a value: they are read before all others. */
        if (g->columns[order[i].column].id != ROWGROUP_SHAPE)
            err = try_map(w, order, i);
    }
    free(order);
    return err;
}

static int plan_all(struct planner *w)
{
    struct rowgroup *g = w->g;
    int err = 0;
    for (uint32_t i = 0; i < g->column_count && err == 0; i++) {
        struct rowgroup_column *c = &g->columns[i];
        if (c->row_cap == 0 && c->tied == NULL)
            continue; /* no row has it */
        if (c->tied != NULL)
            err = plan_tied(w, c, &w->plans[i]);
        else if (c->id == ROWGROUP_TIME)
            err = try_epoch(w);
        else
            err = c->worded ? plan_words(w, c, &w->plans[i]) : plan_numbers(w, c, &w->plans[i]);
    }
    for (uint32_t i = 0; i < g->column_count && err == 0; i++)
        try_beside(w, i);
    if (err == 0)
        err = plan_maps(w);
    for (uint32_t i = 0; i < g->column_count && err == 0; i++) {
        if (w->plans[i].form != FORM_CODES && w->plans[i].form != FORM_MAPPED)
            drop_codes(&w->plans[i]);
    }
    return err;
}

struct column_plan *rowgroup_plans(struct rowgroup *g, struct chunk_press *press)
{
    struct planner *w = calloc(1, sizeof(*w));
    struct column_plan *plans = calloc((size_t)g->column_count + 1, sizeof(*plans));
    int err = w == NULL || plans == NULL ? ERR_NOMEM : 0;
    if (err == 0) {
        w->g = g;
        w->press = press;
        w->plans = plans;
        err = plan_all(w);
        buf_release(&w->plain);
        buf_release(&w->scratch);
    }
    free(w);
    if (err == 0)
        return plans;
    rowgroup_plans_free(plans, g->column_count);
    return NULL;
}
