/*
 * A literal in the line. A batch that was read back has no lines: the literal is looked for where
 * its bytes are, and a line is put together only where it could stand across a boundary.
 *
 *   skeleton ` url="`  value `/upload`  skeleton `" act=`
 *             in a piece: every row of the shape has it
 *                        in a value: the rows with that value have it
 *                    `="/up` across: rows of the shape are rendered and searched
 *
 * Beside its bytes a line holds what its values mean: event/pred_unlike.h.
 */
#include "base/err.h"
#include "event/pred_form.h"
#include "event/pred_plan.h"
#include "event/pred_unlike.h"

static bool is_typed(const struct column *c)
{
    return c->storage != COLUMN_CODES && c->storage != COLUMN_TEXT;
}

static bool in_piece(const struct pred_scratch *s, const struct needle *n, uint32_t piece,
                     uint32_t len)
{
    return needle_in(n, slice_of(s->batch->skeleton.data + piece, len));
}

static bool same(const struct needle *n, const char *a, size_t from, size_t len)
{
    unsigned char c = (unsigned char)a[0];
    if (len != 0 && (n->cased ? c : find_fold(c)) != (unsigned char)n->text.data[from])
        return false;
    return find_equal(a, n->text.data + from, len, n->cased);
}

/* Could the needle begin before or in this piece and go on in the value behind it? */
static bool crosses_right(const struct needle *n, struct slice piece, bool is_first)
{
    for (size_t k = 1; k < n->text.len; k++) { /* k bytes of the needle before the value */
        if (k <= piece.len) {
            if (same(n, piece.data + piece.len - k, 0, k))
                return true;
        } else if (!is_first && same(n, piece.data, k - piece.len, piece.len)) {
            return true;
        }
    }
    return false;
}

/* Could the needle begin in the value before this piece and go on in it or behind it? */
static bool crosses_left(const struct needle *n, struct slice piece, bool is_tail)
{
    for (size_t k = 1; k < n->text.len; k++) { /* k bytes of the needle in the value */
        size_t rest = n->text.len - k;
        if (rest <= piece.len) {
            if (same(n, piece.data, k, rest))
                return true;
        } else if (!is_tail && same(n, piece.data, k, piece.len)) {
            return true;
        }
    }
    return false;
}

/* Could a printed number or address of the column hold the needle? */
static bool could_be_printed(const struct needle *n, const struct column *c)
{
    const char *bytes = c->storage == COLUMN_IP         ? "0123456789abcdef:."
                        : c->storage == COLUMN_IP4      ? "0123456789."
                        : c->epoch_form == EPOCH_DIGITS ? "0123456789-"
                                                        : "0123456789-.";
    bool is_ip = c->storage == COLUMN_IP || c->storage == COLUMN_IP4;
    uint32_t points = 0;
    if (n->text.len > VALUE_IP_TEXT_MAX)
        return false;
    for (size_t i = 0; i < n->text.len; i++) {
        char byte = (char)find_fold((unsigned char)n->text.data[i]);
        points += byte == '.';
        if (byte == '\0' || strchr(bytes, byte) == NULL)
            return false;
    }
    return is_ip || points <= 1;
}

/*
 * A needle with three points can only stand in IPv4 addresses with its two middle numbers: those,
 * or -1.
 */
static int32_t middle_of(const struct needle *n)
{
    uint32_t numbers[4] = {0};
    uint32_t at = 0;
    for (size_t i = 0; i < n->text.len && at < 4; i++) {
        char c = n->text.data[i];
        if (c == '.')
            at++;
        else if (c < '0' || c > '9' || numbers[at] > UINT8_MAX)
            return -1;
        else
            numbers[at] = numbers[at] * 10 + (uint32_t)(c - '0');
    }
    if (at != 3 || numbers[1] > UINT8_MAX || numbers[2] > UINT8_MAX)
        return -1;
    return (int32_t)(numbers[1] << 8 | numbers[2]);
}

static bool middle_differs(const struct column *c, uint32_t row, uint32_t middle)
{
    if (c->storage == COLUMN_IP4)
        return (c->ip4[row] >> 8 & 0xffff) != middle;
    const uint8_t *bytes = c->ips[row].bytes;
    return ip_is_v4(&c->ips[row]) && ((uint32_t)bytes[13] << 8 | bytes[14]) != middle;
}

/* Rows of a typed column whose value as it stands in the line holds the needle. */
static void typed_rows(struct pred_scratch *s, const struct needle *n, const struct column *c,
                       const struct rows *mask, struct rows *out)
{
    int32_t middle = c->storage != COLUMN_INT ? middle_of(n) : -1;
    if (!could_be_printed(n, c))
        return;
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        uint32_t row = s->first_row + i;
        struct slice value;
        if (middle >= 0 && middle_differs(c, row, (uint32_t)middle))
            continue;
        if (batch_value(s->batch, c, row, &s->text2, &value) && needle_in(n, value))
            rows_set(out, i);
    }
}

/* With which bytes the values of a column begin and end. */
struct edges {
    bool first[UINT8_MAX + 1];
    bool last[UINT8_MAX + 1];
    bool empty; /* some value is empty, or may be anything */
};

static void edges_note(struct edges *e, struct slice value)
{
    if (value.len == 0) {
        e->empty = true;
        return;
    }
    e->first[find_fold((unsigned char)value.data[0])] = true;
    e->last[find_fold((unsigned char)value.data[value.len - 1])] = true;
}

static void edges_read(const struct batch *b, const struct column *c, struct edges *e)
{
    *e = (struct edges){0};
    e->empty = is_typed(c) || column_text_unknown(c);
    uint32_t count = e->empty ? 0 : column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice text;
        if (column_text(b, c, i, &text))
            edges_note(e, text);
    }
}

/* Could the needle stand across two values with nothing between them? */
static bool crosses_joint(const struct batch *b, const struct needle *n, uint32_t left,
                          uint32_t right)
{
    struct edges l;
    struct edges r;
    edges_read(b, &b->columns[left], &l);
    edges_read(b, &b->columns[right], &r);
    if (l.empty || r.empty)
        return true;
    for (size_t k = 1; k < n->text.len; k++) {
        if (l.last[find_fold((unsigned char)n->text.data[k - 1])] &&
            r.first[find_fold((unsigned char)n->text.data[k])])
            return true;
    }
    return false;
}

enum shape_answer {
    SHAPE_VALUES, /* in values alone, if at all */
    SHAPE_MAYBE,  /* only the line can tell */
    SHAPE_ALL,    /* in every line */
};

static enum shape_answer shape_answer(const struct pred_scratch *s, const struct needle *n,
                                      const struct shape *shape)
{
    const struct batch *b = s->batch;
    bool maybe = false; /* pieces are still looked at: one that holds the needle settles it */
    for (uint32_t i = 0; i < shape->slot_count; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        struct slice piece = slice_of(b->skeleton.data + slot->piece, slot->piece_len);
        if (in_piece(s, n, slot->piece, slot->piece_len))
            return SHAPE_ALL;
        if (maybe)
            continue;
        if (i != 0 && piece.len == 0)
            maybe = crosses_joint(b, n, shape->slots[i - 1].column, slot->column);
        else
            maybe = crosses_right(n, piece, i == 0) || (i != 0 && crosses_left(n, piece, false));
    }
    if (in_piece(s, n, shape->tail, shape->tail_len))
        return SHAPE_ALL;
    struct slice tail = slice_of(b->skeleton.data + shape->tail, shape->tail_len);
    maybe = maybe || (shape->slot_count != 0 && crosses_left(n, tail, true));
    return maybe ? SHAPE_MAYBE : SHAPE_VALUES;
}

/* Rows of a column of text whose value as written holds the needle. */
static void value_rows(struct pred_scratch *s, const struct needle *n, const struct column *c,
                       const struct rows *mask, struct rows *out)
{
    const struct batch *b = s->batch;
    if (c->storage == COLUMN_TEXT) {
        for (uint32_t i = 0; c->row_cap != 0 && rows_next(mask, &i); i++) {
            struct span span = c->spans[s->first_row + i];
            if (span.len != SPAN_NONE && needle_in(n, batch_span(b, span)))
                rows_set(out, i);
        }
        return;
    }
    bool any = false;
    memset(s->entry_bits, 0, (c->entry_count + 63) / 64 * sizeof(*s->entry_bits));
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (needle_in(n, batch_span(b, c->entries[i]))) {
            s->entry_bits[i / 64] |= UINT64_C(1) << (i % 64);
            any = true;
        }
    }
    if (any)
        entry_rows(s, c, mask, out);
}

static void exception_rows(struct pred_scratch *s, const struct needle *n, const struct column *c,
                           const struct rows *mask, struct rows *out)
{
    for (uint32_t i = 0; i < c->exception_count; i++) {
        uint32_t row = c->exceptions[i].row - s->first_row;
        if (row < s->row_count && rows_has(mask, row) &&
            needle_in(n, batch_span(s->batch, c->exceptions[i].text)))
            rows_set(out, row);
    }
}

static void verbatim_rows(struct pred_scratch *s, const struct needle *n, const struct rows *mask,
                          struct rows *out)
{
    const struct batch *b = s->batch;
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        uint32_t row = s->first_row + i;
        if ((b->live || b->shape[row] == 0) && needle_in(n, batch_span(b, b->line[row])))
            rows_set(out, i);
    }
}

int raw_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
             struct rows *out)
{
    const struct batch *b = s->batch;
    const struct needle *n = &leaf->leaf.needle;
    if (n->text.len == 0) {
        rows_or(out, mask);
        return 0;
    }
    verbatim_rows(s, n, mask, out);
    int err = unlike_rows(s, &leaf->leaf, mask, out);
    if (b->live || err != 0)
        return err;
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (c->derived)
            continue;
        if (is_typed(c)) {
            typed_rows(s, n, c, mask, out);
            exception_rows(s, n, c, mask, out);
        } else {
            value_rows(s, n, c, mask, out);
        }
    }
    uint8_t answers[BATCH_SHAPES_MAX] = {0};
    for (uint32_t i = 1; i < b->shape_count; i++)
        answers[i] = (uint8_t)shape_answer(s, n, &b->shapes[i]);
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        uint32_t row = s->first_row + i;
        uint8_t shape = b->shape[row];
        if (shape == 0 || answers[shape] == SHAPE_VALUES || rows_has(out, i))
            continue;
        buf_reset(&s->text2);
        if (answers[shape] == SHAPE_MAYBE && batch_render(b, row, &s->text2) != 0)
            return ERR_NOMEM;
        if (answers[shape] == SHAPE_ALL || needle_in(n, buf_content(&s->text2)))
            rows_set(out, i);
    }
    return 0;
}

bool raw_possible(struct pred_scratch *s, const struct plan_leaf *leaf)
{
    const struct batch *b = s->batch;
    const struct needle *n = &leaf->leaf.needle;
    if (needle_in(n, buf_content(&b->text)) || unlike_possible(s, &leaf->leaf))
        return true;
    for (uint32_t i = 0; !b->live && i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (!c->derived && is_typed(c) && could_be_printed(n, c))
            return true;
    }
    for (uint32_t i = 1; !b->live && i < b->shape_count; i++) {
        if (shape_answer(s, n, &b->shapes[i]) != SHAPE_VALUES)
            return true;
    }
    return false;
}

/* Does some value of a column of text hold the needle? */
static bool some_text_holds(const struct batch *b, const struct needle *n, const struct column *c)
{
    uint32_t count = column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice text;
        if (column_text(b, c, i, &text) && needle_in(n, text))
            return true;
    }
    return false;
}

static bool some_exception_holds(const struct batch *b, const struct needle *n,
                                 const struct column *c)
{
    for (uint32_t i = 0; i < c->exception_count; i++) {
        if (needle_in(n, batch_span(b, c->exceptions[i].text)))
            return true;
    }
    return false;
}

static bool column_holds(const struct batch *b, const struct needle *n, const struct column *c)
{
    if (!is_typed(c))
        return column_text_unknown(c) || some_text_holds(b, n, c);
    return could_be_printed(n, c) || some_exception_holds(b, n, c);
}

bool raw_columns(struct pred_scratch *s, const struct plan_leaf *leaf, struct column_mask *out)
{
    const struct batch *b = s->batch;
    const struct needle *n = &leaf->leaf.needle;
    for (uint32_t i = 1; i < b->shape_count; i++) {
        if (n->text.len != 0 && shape_answer(s, n, &b->shapes[i]) == SHAPE_MAYBE)
            return false;
    }
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (!c->derived && column_holds(b, n, c))
            column_mask_add(out, i);
    }
    unlike_columns(s, out);
    return true;
}
