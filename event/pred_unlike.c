#include "event/pred_unlike.h"

#include "base/err.h"
#include "event/pred_form.h"

enum unlike_known {
    UNLIKE_UNKNOWN = 0, /* not looked as yet */
    UNLIKE_NONE,
    UNLIKE_SOME,
};

/* Text without a kind of its own. */
static const struct form_way LOOKS = {.kind = SLOT_PLAIN | CHARSET_AUTO << SLOT_CHARSET_SHIFT};

/* Texts that are printed; the device's stamp is told as a time, and its bytes are found in the line. */
static bool is_text(const struct column *c)
{
    const struct field_info *info = c->field < FIELD_LOCAL_FIRST ? field_info(c->field) : NULL;
    bool internal = info != NULL && info->sensitivity == FIELD_SENSITIVITY_INTERNAL;
    return c->type == FIELD_TYPE_TEXT && c->kind != SLOT_NULL && !c->derived && !internal;
}

static struct form_way way_of(const struct column *c)
{
    const struct field_info *info = c->field < FIELD_LOCAL_FIRST ? field_info(c->field) : NULL;
    return (struct form_way){.kind = c->kind,
                             .is_url = info != NULL && slice_starts(info->name, SLICE("url."))};
}

static bool other_charset(uint8_t kind, struct slice text)
{
    return slot_charset(kind) != CHARSET_UTF8 && !charset_is_ascii(text);
}

static bool escapes_points(uint8_t kind, struct slice text)
{
    return slot_writing(kind) == SLOT_JSON_STRING && slice_has(text, SLICE("\\u"));
}

/* May the value mean what its bytes do not show, and not in ASCII? */
static bool value_unlike(const struct form_way *way, struct slice text)
{
    bool percent = way->is_url || slot_is_percent(way->kind);
    if ((percent && find_high_escape(text)) || escapes_points(way->kind, text))
        return true;
    return !charset_is_ascii(text) && (fold_changes(text) || value_is_encoded(text, way->kind) ||
                                       (way->is_url && value_is_encoded(text, SLOT_PERCENT)));
}

bool column_unlike(struct pred_scratch *s, const struct column *c)
{
    const struct batch *b = s->batch;
    struct slice block;
    if (!text_changes(s, SLICE("\xff"))) /* no text is other than ASCII */
        return false;
    if (column_block(b, c, &block))
        return fold_changes(block) || other_charset(c->kind, block);
    uint32_t count = column_text_count(b, c);
    for (uint32_t i = 0; i < count; i++) {
        struct slice text;
        if (column_text(b, c, i, &text) && (fold_changes(text) || other_charset(c->kind, text)))
            return true;
    }
    return false;
}

/* Is any value of the batch unlike its bytes? One look at all of its text. */
static bool batch_unlike(struct pred_scratch *s)
{
    const struct batch *b = s->batch;
    if (s->unlike != UNLIKE_UNKNOWN)
        return s->unlike == UNLIKE_SOME;
    struct slice text = buf_content(&b->text);
    bool ascii = charset_is_ascii(text);
    bool some = fold_changes(buf_content(&b->skeleton)) || find_high_escape(text) ||
                (!ascii && fold_changes(text));
    for (uint32_t i = 0; i < b->column_count && !some; i++) {
        const struct form_way way = way_of(&b->columns[i]);
        some = (!ascii && (way.kind != SLOT_PLAIN || way.is_url)) || escapes_points(way.kind, text);
    }
    s->unlike = some ? UNLIKE_SOME : UNLIKE_NONE;
    return some;
}

/* Does a value or piece hold the leaf beyond its bytes? 1, 0 or an error. */
static int holds_beyond(struct pred_scratch *s, const struct leaf *leaf, const struct form_way *way,
                        struct slice text)
{
    struct form_text texts[FORM_TEXTS_MAX];
    if (!value_unlike(way, text))
        return 0;
    unsigned count = form_texts(way, text, &s->forms, texts);
    int holds = form_bufs_ok(&s->forms) ? 0 : ERR_NOMEM;
    for (unsigned i = 0; holds == 0 && i < count && form_texts_foreign(texts, count); i++)
        holds = form_holds(leaf, s->regex, &texts[i]);
    return holds;
}

static int codes_rows(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                      const struct rows *mask, struct rows *out)
{
    const struct form_way way = way_of(c);
    bool any = false;
    memset(s->entry_bits, 0, (c->entry_count + 63) / 64 * sizeof(*s->entry_bits));
    for (uint32_t i = 0; i < c->entry_count; i++) {
        int holds = holds_beyond(s, leaf, &way, batch_span(s->batch, c->entries[i]));
        if (holds < 0)
            return holds;
        any = any || holds != 0;
        s->entry_bits[i / 64] |= (uint64_t)(holds != 0) << (i % 64);
    }
    if (any)
        entry_rows(s, c, mask, out);
    return 0;
}

static int spans_rows(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                      const struct rows *mask, struct rows *out)
{
    const struct form_way way = way_of(c);
    for (uint32_t i = 0; c->row_cap != 0 && rows_next(mask, &i); i++) {
        struct span span = c->spans[s->first_row + i];
        if (span.len == SPAN_NONE || rows_has(out, i))
            continue;
        int holds = holds_beyond(s, leaf, &way, batch_span(s->batch, span));
        if (holds < 0)
            return holds;
        if (holds != 0)
            rows_set(out, i);
    }
    return 0;
}

/* The same of a piece of a skeleton: only what is in another encoding is unlike its bytes. */
static int piece_holds(struct pred_scratch *s, const struct leaf *leaf, struct slice piece)
{
    return charset_guess(piece) == CHARSET_UTF8 ? 0 : holds_beyond(s, leaf, &LOOKS, piece);
}

/* 1 where a piece of the shape's skeleton holds the leaf, 0, or an error. */
static int shape_holds(struct pred_scratch *s, const struct leaf *leaf, const struct shape *shape)
{
    const char *skeleton = s->batch->skeleton.data;
    int holds = 0;
    for (uint32_t i = 0; i < shape->slot_count && holds == 0; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        holds = piece_holds(s, leaf, slice_of(skeleton + slot->piece, slot->piece_len));
    }
    return holds != 0 ? holds
                      : piece_holds(s, leaf, slice_of(skeleton + shape->tail, shape->tail_len));
}

/* Rows whose skeleton holds it, or whose line has no values and does. */
static int lines_rows(struct pred_scratch *s, const struct leaf *leaf, const struct rows *mask,
                      struct rows *out)
{
    const struct batch *b = s->batch;
    bool answers[BATCH_SHAPES_MAX] = {false};
    for (uint32_t i = 1; i < b->shape_count; i++) {
        int holds = shape_holds(s, leaf, &b->shapes[i]);
        if (holds < 0)
            return holds;
        answers[i] = holds != 0;
    }
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        uint32_t row = s->first_row + i;
        int holds = answers[b->shape[row]] ? 1 : 0;
        if (b->shape[row] == 0)
            holds = holds_beyond(s, leaf, &LOOKS, batch_span(b, b->line[row]));
        if (holds < 0)
            return holds;
        if (holds != 0)
            rows_set(out, i);
    }
    return 0;
}

int unlike_rows(struct pred_scratch *s, const struct leaf *leaf, const struct rows *mask,
                struct rows *out)
{
    const struct batch *b = s->batch;
    int err = 0;
    if (!batch_unlike(s))
        return 0;
    for (uint32_t i = 0; i < b->column_count && err == 0; i++) {
        const struct column *c = &b->columns[i];
        if (!is_text(c))
            continue;
        err = c->storage == COLUMN_CODES ? codes_rows(s, leaf, c, mask, out)
                                         : spans_rows(s, leaf, c, mask, out);
    }
    return err == 0 ? lines_rows(s, leaf, mask, out) : err;
}

bool unlike_possible(struct pred_scratch *s, const struct leaf *leaf)
{
    const struct batch *b = s->batch;
    if (!batch_unlike(s))
        return false;
    if (b->live || b->verbatim_count != 0)
        return true;
    for (uint32_t i = 1; i < b->shape_count; i++) {
        if (shape_holds(s, leaf, &b->shapes[i]) != 0)
            return true;
    }
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        const struct form_way way = way_of(c);
        uint32_t count = !is_text(c) ? 0 : column_text_count(b, c);
        for (uint32_t k = 0; k < count; k++) {
            struct slice text;
            if (column_text(b, c, k, &text) && holds_beyond(s, leaf, &way, text) != 0)
                return true;
        }
    }
    return false;
}

void unlike_columns(struct pred_scratch *s, struct column_mask *out)
{
    const struct batch *b = s->batch;
    for (uint32_t i = 0; i < b->column_count && batch_unlike(s); i++) {
        if (is_text(&b->columns[i]))
            column_mask_add(out, i);
    }
}

/* Add the forms of a value or piece, where some are not ASCII. */
static int forms_beyond(struct pred_scratch *s, const struct form_way *way, struct slice text,
                        uint32_t owner, struct forms *out)
{
    struct form_text texts[FORM_TEXTS_MAX];
    if (!value_unlike(way, text) ||
        !form_texts_foreign(texts, form_texts(way, text, &s->forms, texts)))
        return 0;
    const char *copy = arena_copy(&s->arena, text); /* it may be the scratch's own */
    return copy == NULL ? ERR_NOMEM : forms_add(s, out, way, slice_of(copy, text.len), owner);
}

int unlike_forms(struct pred_scratch *s, uint32_t row, uint32_t owner, struct forms *out)
{
    const struct batch *b = s->batch;
    int err = 0;
    if (!batch_unlike(s))
        return 0;
    for (uint32_t i = 0; i < b->column_count && err == 0; i++) {
        const struct column *c = &b->columns[i];
        const struct form_way way = way_of(c);
        struct slice text;
        if (is_text(c) && batch_value(b, c, row, &s->text, &text))
            err = forms_beyond(s, &way, text, owner, out);
    }
    if (err != 0)
        return err;
    if (b->shape[row] == 0) /* and there may be no shapes at all */
        return forms_beyond(s, &LOOKS, batch_span(b, b->line[row]), owner, out);
    const struct shape *shape = &b->shapes[b->shape[row]];
    for (uint32_t i = 0; err == 0 && i < shape->slot_count; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        struct slice piece = slice_of(b->skeleton.data + slot->piece, slot->piece_len);
        if (charset_guess(piece) != CHARSET_UTF8)
            err = forms_beyond(s, &LOOKS, piece, owner, out);
    }
    struct slice tail = slice_of(b->skeleton.data + shape->tail, shape->tail_len);
    if (err != 0 || charset_guess(tail) == CHARSET_UTF8)
        return err;
    return forms_beyond(s, &LOOKS, tail, owner, out);
}
