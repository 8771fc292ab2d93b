/* store/census_make.c - the census of a group from its blocks. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "store/census.h"
#include "store/census_form.h"

enum {
    REFINE_SLOTS = (CENSUS_COMBINATIONS_MAX + 1) * (CENSUS_VALUES_MAX + 1),
    NUMBER_SLOTS = 256, /* a power of two, more than twice the values */
    NO_NUMBER = 0,
};

static_assert(NUMBER_SLOTS > 2 * CENSUS_VALUES_MAX, "a number is found soon");
static_assert(CENSUS_VALUES_MAX < UINT8_MAX, "a row's value takes a byte");

/* The values of a place, numbered from 1 in the order of their first sight; 0: no value. */
struct census_column {
    bool there; /* the group has such a column */
    bool lost;  /* it is none that can be counted */
    bool is_number;
    uint8_t kind;
    bool derived;
    uint32_t count;
    struct span texts[CENSUS_VALUES_MAX]; /* in the maker's text */
    int64_t numbers[CENSUS_VALUES_MAX];
    uint8_t slots[NUMBER_SLOTS];         /* of numbers */
    uint8_t rank[CENSUS_VALUES_MAX + 1]; /* once sorted: of those that occur, from 1 */
    uint8_t of_rank[CENSUS_VALUES_MAX + 1];
    uint32_t rank_count;
    uint8_t *rows; /* ROWGROUP_ROWS_MAX */
};

struct census_maker {
    struct census_column columns[CENSUS_PLACES];
    struct buf text;
    uint32_t row_count;
    uint16_t *of_row;   /* the combination of each row, */
    uint16_t *of_row_2; /* and with one place more */
    uint32_t *refined;  /* (combination, value) -> combination + 1 */
    uint32_t first_row[CENSUS_COMBINATIONS_MAX];
    uint32_t rows_of[CENSUS_COMBINATIONS_MAX];
    uint32_t count; /* combinations */
    struct census_tally tally;
    uint8_t told[CENSUS_PLACES]; /* places that have a column, ascending */
    uint32_t told_count;
};

int census_maker_new(struct census_maker **out)
{
    struct census_maker *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return ERR_NOMEM;
    uint8_t *rows = calloc(CENSUS_PLACES, ROWGROUP_ROWS_MAX);
    m->columns[0].rows = rows;
    m->of_row = calloc(ROWGROUP_ROWS_MAX, sizeof(*m->of_row));
    m->of_row_2 = calloc(ROWGROUP_ROWS_MAX, sizeof(*m->of_row_2));
    m->refined = calloc(REFINE_SLOTS, sizeof(*m->refined));
    /* Texts are places in it, also while all of them are empty. */
    bool placed = buf_reserve(&m->text, 1) != NULL;
    if (rows == NULL || m->of_row == NULL || m->of_row_2 == NULL || m->refined == NULL || !placed) {
        census_maker_free(m);
        return ERR_NOMEM;
    }
    for (unsigned i = 1; i < CENSUS_PLACES; i++)
        m->columns[i].rows = rows + (size_t)i * ROWGROUP_ROWS_MAX;
    *out = m;
    return 0;
}

void census_maker_free(struct census_maker *m)
{
    if (m == NULL)
        return;
    free(m->columns[0].rows);
    free(m->of_row);
    free(m->of_row_2);
    free(m->refined);
    buf_release(&m->text);
    free(m);
}

void census_maker_reset(struct census_maker *m)
{
    for (unsigned i = 0; i < CENSUS_PLACES; i++) {
        uint8_t *rows = m->columns[i].rows;
        m->columns[i] = (struct census_column){.rows = rows};
    }
    buf_reset(&m->text);
    m->row_count = 0;
    memset(&m->tally, 0, sizeof(m->tally));
}

/* The number of a text; NO_NUMBER where there are too many. */
static uint8_t text_number(struct census_maker *m, struct census_column *c, struct slice text)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (slice_equal(slice_of(m->text.data + c->texts[i].offset, c->texts[i].len), text))
            return (uint8_t)(i + 1);
    }
    if (c->count == CENSUS_VALUES_MAX || text.len > CENSUS_TEXT_BYTES_MAX)
        return NO_NUMBER;
    c->texts[c->count] = (struct span){.offset = (uint32_t)m->text.len, .len = (uint32_t)text.len};
    buf_slice(&m->text, text);
    return buf_ok(&m->text) ? (uint8_t)++c->count : NO_NUMBER;
}

static uint8_t number_number(struct census_column *c, int64_t number)
{
    uint32_t at = (uint32_t)((uint64_t)number * UINT64_C(0x9E3779B97F4A7C15) >> 56);
    while (c->slots[at] != 0 && c->numbers[c->slots[at] - 1] != number)
        at = (at + 1) % NUMBER_SLOTS;
    if (c->slots[at] == 0 && c->count == CENSUS_VALUES_MAX)
        return NO_NUMBER;
    if (c->slots[at] == 0) {
        c->numbers[c->count++] = number;
        c->slots[at] = (uint8_t)c->count;
    }
    return c->slots[at];
}

static void add_codes(struct census_maker *m, struct census_column *to, const struct batch *b,
                      const struct column *from)
{
    uint8_t numbers[CENSUS_VALUES_MAX] = {0};
    uint8_t *rows = to->rows + m->row_count;
    to->lost = from->entry_count > CENSUS_VALUES_MAX;
    for (uint32_t i = 0; i < from->entry_count && !to->lost; i++) {
        numbers[i] = text_number(m, to, batch_span(b, from->entries[i]));
        to->lost = numbers[i] == NO_NUMBER;
    }
    for (uint32_t row = 0; row < b->row_count && !to->lost; row++) {
        uint16_t code = from->codes[row];
        rows[row] = code < from->entry_count ? numbers[code] : 0;
    }
}

static void add_numbers(struct census_maker *m, struct census_column *to, const struct batch *b,
                        const struct column *from)
{
    uint8_t *rows = to->rows + m->row_count;
    for (uint32_t row = 0; row < b->row_count && !to->lost; row++) {
        rows[row] = 0;
        if (from->numbers[row] == VALUE_NONE)
            continue;
        rows[row] = number_number(to, from->numbers[row]);
        to->lost = rows[row] == NO_NUMBER;
    }
}

static void add_bytes(struct census_maker *m, struct census_column *to, const uint8_t *values,
                      uint32_t count)
{
    uint8_t *rows = to->rows + m->row_count;
    to->there = true;
    to->is_number = true;
    to->derived = true;
    for (uint32_t row = 0; row < count && !to->lost; row++) {
        rows[row] = number_number(to, values[row]);
        to->lost = rows[row] == NO_NUMBER;
    }
}

/* A column that is the only one of its field. */
static void add_column(struct census_maker *m, struct census_column *to, const struct batch *b,
                       const struct column *from)
{
    bool is_number = from->storage == COLUMN_INT && from->type == FIELD_TYPE_INT;
    to->lost = to->lost || from->exception_count != 0 || from->ordinal != 0 ||
               (from->storage != COLUMN_CODES && !is_number);
    to->there = true;
    to->is_number = is_number;
    to->kind = from->kind;
    to->derived = from->derived;
    if (to->lost)
        return;
    if (is_number)
        add_numbers(m, to, b, from);
    else
        add_codes(m, to, b, from);
}

int census_maker_add(struct census_maker *m, const struct batch *b)
{
    const struct column *of_field[FIELD_LOCAL_FIRST] = {0};
    bool twice[FIELD_LOCAL_FIRST] = {0};
    if (b->row_count > ROWGROUP_ROWS_MAX - m->row_count)
        return ERR_RANGE;
    for (uint32_t i = 0; i < b->column_count; i++) {
        uint16_t field = b->columns[i].field;
        if (field >= FIELD_LOCAL_FIRST)
            continue;
        twice[field] = of_field[field] != NULL;
        of_field[field] = &b->columns[i];
    }
    for (unsigned i = 0; i < CENSUS_PLACES; i++) {
        struct census_place place = census_place(i);
        struct census_column *c = &m->columns[i];
        if (place.row_field != ROW_FIELD_NONE) {
            add_bytes(m, c,
                      place.row_field == ROW_FIELD_VERDICT       ? b->verdict
                      : place.row_field == ROW_FIELD_PARSE_ERROR ? b->reason
                                                                 : b->time_source,
                      b->row_count);
            continue;
        }
        c->lost |= twice[place.field];
        if (of_field[place.field] != NULL && !c->lost)
            add_column(m, c, b, of_field[place.field]);
    }
    uint16_t tallied = census_place(CENSUS_TALLY).field;
    census_tally_add(&m->tally, b, of_field[tallied], twice[tallied]);
    m->row_count += b->row_count;
    return buf_ok(&m->text) ? 0 : ERR_NOMEM;
}

/* Tell the combinations apart by one place more; false where there are more than `most` then. */
static bool refine(struct census_maker *m, const struct census_column *c, uint32_t most)
{
    uint32_t values = c->count + 1;
    uint32_t count = 0;
    memset(m->refined, 0, (size_t)m->count * values * sizeof(*m->refined));
    for (uint32_t row = 0; row < m->row_count; row++) {
        uint32_t *slot = &m->refined[m->of_row[row] * values + c->rows[row]];
        if (*slot == 0) {
            if (count == most)
                return false;
            *slot = ++count;
        }
        m->of_row_2[row] = (uint16_t)(*slot - 1);
    }
    uint16_t *finer = m->of_row_2;
    m->of_row_2 = m->of_row;
    m->of_row = finer;
    m->count = count;
    return true;
}

static int text_order(const struct census_maker *m, const struct census_column *c, unsigned a,
                      unsigned b)
{
    if (c->is_number)
        return c->numbers[a - 1] < c->numbers[b - 1] ? -1 : c->numbers[a - 1] > c->numbers[b - 1];
    const struct span *x = &c->texts[a - 1];
    const struct span *y = &c->texts[b - 1];
    return slice_compare(slice_of(m->text.data + x->offset, x->len),
                         slice_of(m->text.data + y->offset, y->len));
}

/* The values that occur, ascending. */
static void rank_values(const struct census_maker *m, struct census_column *c)
{
    c->rank_count = 0;
    memset(c->rank, 0, sizeof(c->rank));
    for (uint32_t i = 0; i < m->count; i++)
        c->rank[c->rows[m->first_row[i]]] = 1;
    for (unsigned v = 1; v <= c->count; v++) {
        uint32_t at = c->rank_count;
        if (c->rank[v] == 0)
            continue;
        for (; at > 0 && text_order(m, c, c->of_rank[at], v) > 0; at--)
            c->of_rank[at + 1] = c->of_rank[at];
        c->of_rank[at + 1] = (uint8_t)v;
        c->rank_count++;
    }
    c->rank[0] = 0;
    for (uint32_t i = 1; i <= c->rank_count; i++)
        c->rank[c->of_rank[i]] = (uint8_t)i;
}

/* By the values of the places, in their order. */
static int combination_order(const void *left, const void *right, void *self)
{
    const struct census_maker *m = self;
    const uint32_t *a = left;
    const uint32_t *b = right;
    for (uint32_t i = 0; i < m->told_count; i++) {
        const struct census_column *c = &m->columns[m->told[i]];
        uint8_t x = c->rank[c->rows[m->first_row[*a]]];
        uint8_t y = c->rank[c->rows[m->first_row[*b]]];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static void count_rows(struct census_maker *m)
{
    memset(m->rows_of, 0, m->count * sizeof(*m->rows_of));
    for (uint32_t row = 0; row < m->row_count; row++) {
        uint32_t at = m->of_row[row];
        m->first_row[at] = row;
        m->rows_of[at]++;
    }
}

static void put_column(const struct census_maker *m, unsigned place, struct buf *out)
{
    const struct census_column *c = &m->columns[place];
    buf_byte(out, (char)place);
    buf_byte(out, (char)c->kind);
    buf_byte(out, (char)((c->is_number ? CENSUS_NUMBER : 0) | (c->derived ? CENSUS_DERIVED : 0)));
    buf_varint(out, c->rank_count);
    for (uint32_t i = 1; i <= c->rank_count; i++) {
        unsigned v = c->of_rank[i];
        uint64_t number = (uint64_t)c->numbers[v - 1];
        if (c->is_number) {
            buf_varint(out, number << 1 ^ (0 - (number >> 63)));
            continue;
        }
        buf_varint(out, c->texts[v - 1].len);
        buf_slice(out, slice_of(m->text.data + c->texts[v - 1].offset, c->texts[v - 1].len));
    }
}

static void put_census(struct census_maker *m, uint64_t places, struct buf *out)
{
    uint32_t order[CENSUS_COMBINATIONS_MAX];
    count_rows(m);
    for (uint32_t i = 0; i < m->told_count; i++)
        rank_values(m, &m->columns[m->told[i]]);
    for (uint32_t i = 0; i < m->count; i++)
        order[i] = i;
    qsort_r(order, m->count, sizeof(*order), combination_order, m);
    buf_varint(out, places);
    buf_varint(out, m->told_count);
    for (uint32_t i = 0; i < m->told_count; i++)
        put_column(m, m->told[i], out);
    buf_varint(out, m->count);
    for (uint32_t i = 0; i < m->told_count; i++) {
        const struct census_column *c = &m->columns[m->told[i]];
        for (uint32_t k = 0; k < m->count; k++)
            buf_byte(out, (char)c->rank[c->rows[m->first_row[order[k]]]]);
    }
    for (uint32_t k = 0; k < m->count; k++)
        buf_varint(out, m->rows_of[order[k]]);
}

static uint32_t most_combinations(const struct census_maker *m)
{
    uint32_t most = m->row_count / CENSUS_MADE_ROWS;
    most = most < CENSUS_MADE_LEAST ? (uint32_t)CENSUS_MADE_LEAST : most;
    return most > CENSUS_MADE_MAX ? (uint32_t)CENSUS_MADE_MAX : most;
}

int census_maker_seal(struct census_maker *m, uint64_t only, struct buf *out)
{
    uint64_t places = 0;
    uint32_t most = only != 0 ? (uint32_t)CENSUS_COMBINATIONS_MAX : most_combinations(m);
    m->told_count = 0;
    m->count = 1;
    memset(m->of_row, 0, m->row_count * sizeof(*m->of_row));
    for (unsigned i = 0; i < CENSUS_PLACES && m->row_count != 0; i++) {
        const struct census_column *c = &m->columns[i];
        uint64_t place = UINT64_C(1) << i;
        if (c->lost || (only != 0 && (only & place) == 0))
            continue;
        if (c->there && !refine(m, c, most))
            continue;
        places |= place;
        if (c->there)
            m->told[m->told_count++] = (uint8_t)i;
    }
    bool tallied = only == 0 ? census_tally_tells(&m->tally, m->row_count)
                             : (only & CENSUS_TALLIES) != 0 && !m->tally.lost;
    if (tallied)
        places |= CENSUS_TALLIES;
    if (m->told_count != 0)
        put_census(m, places, out);
    if (m->told_count != 0 && tallied)
        return census_tally_put(&m->tally, out);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}
