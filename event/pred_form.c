#include "event/pred_form.h"

#include "base/clock.h"
#include "base/err.h"
#include "event/pred_compose.h"
#include "event/pred_unlike.h"

enum {
    FORMS_FIRST = 64,
};

int forms_push(struct pred_scratch *s, struct forms *f, struct slice text, uint32_t owner)
{
    if (f->count == f->cap) {
        uint32_t cap = f->cap == 0 ? FORMS_FIRST : f->cap * 2;
        struct form *items = arena_array(&s->arena, cap, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        if (f->count != 0)
            memcpy(items, f->items, f->count * sizeof(*items));
        f->items = items;
        f->cap = cap;
    }
    f->items[f->count++] = (struct form){
        .data = text.data, .len = (uint32_t)text.len & FORM_BYTES_MAX, .owner = owner};
    return 0;
}

int forms_copy(struct pred_scratch *s, struct forms *f, struct slice text, uint32_t owner)
{
    const char *copy = arena_copy(&s->arena, text);
    return copy == NULL ? ERR_NOMEM : forms_push(s, f, slice_of(copy, text.len), owner);
}

/* What `text` means, in *out; false where that is what it is. */
static bool form_decode(struct buf *out, struct slice text, uint8_t kind)
{
    if (!value_is_encoded(text, kind))
        return false;
    buf_reset(out);
    value_decode(out, text, kind);
    return true;
}

bool form_texts_foreign(const struct form_text *texts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!charset_is_ascii(texts[i].text))
            return true;
    }
    return false;
}

bool form_bufs_ok(const struct form_bufs *bufs)
{
    return buf_ok(&bufs->first) && buf_ok(&bufs->second) && buf_ok(&bufs->folded[0]) &&
           buf_ok(&bufs->folded[1]);
}

void form_bufs_release(struct form_bufs *bufs)
{
    buf_release(&bufs->first);
    buf_release(&bufs->second);
    buf_release(&bufs->folded[0]);
    buf_release(&bufs->folded[1]);
    fold_bufs_release(&bufs->fold);
}

unsigned form_texts(const struct form_way *way, struct slice written, struct form_bufs *bufs,
                    struct form_text out[FORM_TEXTS_MAX])
{
    bool percent = slot_is_percent(way->kind);
    bool as_written = way->is_url && percent;
    unsigned count = 1;
    out[0] = (struct form_text){.text = written};
    if (form_decode(&bufs->first, written, as_written ? slot_plain(way->kind) : way->kind))
        out[0].text = buf_content(&bufs->first);
    uint8_t again = percent ? slot_writing(way->kind) : SLOT_PERCENT;
    if (way->is_url && form_decode(&bufs->second, out[0].text, again))
        out[count++] = (struct form_text){.text = buf_content(&bufs->second)};
    for (unsigned i = 0, plain = count; i < plain; i++) {
        if (!fold_changes(out[i].text))
            continue;
        struct buf *folded = &bufs->folded[i];
        buf_reset(folded);
        fold_text(folded, out[i].text, &bufs->fold);
        if (folded->len != 0)
            out[count++] = (struct form_text){.text = buf_content(folded), .folded = true};
    }
    return count;
}

int forms_add(struct pred_scratch *s, struct forms *f, const struct form_way *way,
              struct slice written, uint32_t owner)
{
    struct form_text texts[FORM_TEXTS_MAX];
    unsigned count = form_texts(way, written, &s->forms, texts);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < count; i++) {
        struct slice text = texts[i].text;
        if (text.data == written.data && text.len == written.len)
            err = forms_push(s, f, written, owner);
        else
            err = forms_copy(s, f, text, owner);
        if (err == 0)
            f->items[f->count - 1].folded = texts[i].folded & 1;
    }
    return form_bufs_ok(&s->forms) ? err : ERR_NOMEM;
}

void form_print_number(struct buf *out, unsigned type, unsigned epoch_form, int64_t value)
{
    if (type == LEAF_TYPE_TIME) {
        clock_print(out, value);
        return;
    }
    if (type != FIELD_TYPE_EPOCH || epoch_form == EPOCH_DIGITS) {
        buf_decimal(out, value);
        return;
    }
    buf_decimal(out, value / 1000);
    char rest[4] = {'.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
                    (char)('0' + value % 10)};
    buf_append(out, rest, sizeof(rest));
}

/* Print what a typed column holds in a row; false when it holds nothing. */
static bool typed_print(const struct column *c, uint32_t row, struct buf *out)
{
    if (c->storage == COLUMN_INT) {
        if (c->numbers[row] == VALUE_NONE)
            return false;
        form_print_number(out, c->type, c->epoch_form, c->numbers[row]);
        return true;
    }
    if ((c->present[row / 64] >> (row % 64) & 1) == 0)
        return false;
    if (c->storage == COLUMN_IP4)
        ip4_print(out, c->ip4[row]);
    else
        ip_print(out, &c->ips[row]);
    return true;
}

static int forms_typed(struct pred_scratch *s, struct forms *f, const struct column *c,
                       const struct form_way *way, const struct rows *mask)
{
    int err = 0;
    for (uint32_t i = 0; err == 0 && rows_next(mask, &i); i++) {
        uint32_t row = s->first_row + i;
        buf_reset(&s->text2);
        if (!typed_print(c, row, &s->text2))
            continue;
        if (!buf_ok(&s->text2))
            return ERR_NOMEM;
        err = forms_copy(s, f, buf_content(&s->text2), i);
        const struct exception *e = c->exception_count == 0 ? NULL : column_exception(c, row);
        if (err == 0 && e != NULL)
            err = forms_add(s, f, way, batch_span(s->batch, e->text), i);
    }
    return err;
}

bool text_changes(struct pred_scratch *s, struct slice text)
{
    enum {
        NOT_ASCII = 1,
        ALL_ASCII = 2,
    };
    if (s->ascii == 0)
        s->ascii = !s->batch->live && charset_is_ascii(buf_content(&s->batch->text)) ? ALL_ASCII
                                                                                     : NOT_ASCII;
    return s->ascii != ALL_ASCII && fold_changes(text);
}

/* Is no text of the column changed by decoding? One look at all of them. */
static bool column_is_literal(struct pred_scratch *s, const struct column *c,
                              const struct form_way *way)
{
    const struct batch *b = s->batch;
    struct slice block;
    bool percent = slot_is_percent(way->kind);
    if (!column_block(b, c, &block) || value_is_encoded(block, way->kind) || text_changes(s, block))
        return false;
    return !way->is_url || percent || !value_is_encoded(block, SLOT_PERCENT);
}

static bool is_all(const struct pred_scratch *s, const struct rows *mask)
{
    return memcmp(mask, &s->all, sizeof(*mask)) == 0;
}

static int forms_codes(struct pred_scratch *s, struct forms *f, const struct column *c,
                       const struct form_way *way, const struct rows *mask)
{
    uint32_t words = (c->entry_count + 63) / 64;
    bool whole = s->row_count == s->batch->row_count && is_all(s, mask);
    bool literal = whole && column_is_literal(s, c, way);
    memset(s->entry_bits, whole ? 0xff : 0, words * sizeof(*s->entry_bits));
    if (whole && c->entry_count % 64 != 0)
        s->entry_bits[words - 1] = (UINT64_C(1) << (c->entry_count % 64)) - 1;
    const uint16_t *codes = c->codes + s->first_row;
    for (uint32_t i = 0; !whole && rows_next(mask, &i); i++) {
        if (codes[i] != CODE_NONE)
            s->entry_bits[codes[i] / 64] |= UINT64_C(1) << (codes[i] % 64);
    }
    for (uint32_t word = 0; word < words; word++) {
        for (uint64_t bits = s->entry_bits[word]; bits != 0; bits &= bits - 1) {
            uint32_t entry = word * 64 + (uint32_t)__builtin_ctzll(bits);
            struct slice written = batch_span(s->batch, c->entries[entry]);
            int err =
                literal ? forms_push(s, f, written, entry) : forms_add(s, f, way, written, entry);
            if (err != 0)
                return err;
        }
    }
    return 0;
}

static int forms_spans(struct pred_scratch *s, struct forms *f, const struct column *c,
                       const struct form_way *way, const struct rows *mask)
{
    int err = 0;
    for (uint32_t i = 0; err == 0 && rows_next(mask, &i); i++) {
        struct span span = c->spans[s->first_row + i];
        if (span.len != SPAN_NONE)
            err = forms_add(s, f, way, batch_span(s->batch, span), i);
    }
    return err;
}

int forms_column(struct pred_scratch *s, uint32_t column, bool is_url, const struct rows *mask,
                 const struct forms **out)
{
    if (s->column_forms[column] != NULL && is_all(s, mask)) {
        *out = s->column_forms[column];
        return 0;
    }
    const struct column *c = &s->batch->columns[column];
    struct form_way way = {.kind = c->kind, .is_url = is_url};
    struct forms *f = arena_alloc(&s->arena, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    int err = 0;
    if (c->storage == COLUMN_CODES)
        err = forms_codes(s, f, c, &way, mask);
    else if (c->storage == COLUMN_TEXT)
        err = forms_spans(s, f, c, &way, mask);
    else
        err = forms_typed(s, f, c, &way, mask);
    if (err != 0)
        return err;
    if (is_all(s, mask))
        s->column_forms[column] = f;
    *out = f;
    return 0;
}

int url_plans(struct pred_scratch *s)
{
    const struct batch *b = s->batch;
    if (s->url_plans != NULL)
        return 0;
    struct url_plan *plans =
        arena_array(&s->arena, b->shape_count == 0 ? 1 : b->shape_count, sizeof(*plans));
    if (plans == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 1; i < b->shape_count; i++) {
        if (url_plan_make(&plans[i], &s->arena, b, &b->shapes[i]) != 0)
            return ERR_NOMEM;
    }
    s->url_plans = plans;
    return 0;
}

int forms_texts(struct pred_scratch *s, uint32_t column, bool is_url, const struct forms **out)
{
    const struct column *c = &s->batch->columns[column];
    const struct form_way way = {.kind = c->kind, .is_url = is_url};
    if (s->column_forms[column] != NULL) {
        *out = s->column_forms[column];
        return 0;
    }
    struct forms *f = arena_alloc(&s->arena, sizeof(*f));
    uint32_t count = column_text_count(s->batch, c);
    bool literal = column_is_literal(s, c, &way);
    int err = f == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        struct slice written;
        if (!column_text(s->batch, c, i, &written))
            continue;
        err = literal ? forms_push(s, f, written, 0) : forms_add(s, f, &way, written, 0);
    }
    if (err != 0)
        return err;
    s->column_forms[column] = f;
    *out = f;
    return 0;
}

/* Add the forms of the URLs that the row makes of parts. */
static int forms_compose(struct pred_scratch *s, struct forms *f, uint32_t row, uint32_t owner)
{
    const struct form_way way = {.kind = SLOT_PLAIN, .is_url = true};
    const struct url_plan *plan = &s->url_plans[s->batch->shape[row]];
    uint32_t at = 0;
    buf_reset(&s->text2);
    while (url_compose(s->batch, plan, row, &at, &s->text, &s->text2)) {
        const char *copy = arena_copy(&s->arena, buf_content(&s->text2));
        if (copy == NULL || !buf_ok(&s->text2) ||
            forms_add(s, f, &way, slice_of(copy, s->text2.len), owner) != 0)
            return ERR_NOMEM;
        buf_reset(&s->text2);
    }
    return 0;
}

int forms_url(struct pred_scratch *s, const struct rows *mask, const struct forms **out)
{
    if (s->url_forms != NULL && is_all(s, mask)) {
        *out = s->url_forms;
        return 0;
    }
    struct forms *f = arena_alloc(&s->arena, sizeof(*f));
    int err = f == NULL ? ERR_NOMEM : url_plans(s);
    for (uint32_t i = 0; err == 0 && rows_next(mask, &i); i++)
        err = forms_compose(s, f, s->first_row + i, i);
    if (err != 0)
        return err;
    if (is_all(s, mask))
        s->url_forms = f;
    *out = f;
    return 0;
}

int forms_url_classes(struct pred_scratch *s, struct url_classes *classes, const struct forms **out)
{
    struct forms *f = arena_alloc(&s->arena, sizeof(*f));
    int err = f == NULL ? ERR_NOMEM : url_plans(s);
    if (err == 0)
        err = url_classes_make(classes, &s->arena, s->batch, s->url_plans, s->first_row,
                               s->row_count);
    for (uint32_t i = 0; err == 0 && i < classes->count; i++)
        err = forms_compose(s, f, s->first_row + classes->row[i], i);
    if (err == 0)
        *out = f;
    return err;
}

int forms_raw(struct pred_scratch *s, const struct rows *mask, const struct forms **out)
{
    if (s->raw_forms != NULL && is_all(s, mask)) {
        *out = s->raw_forms;
        return 0;
    }
    const struct batch *b = s->batch;
    struct forms *f = arena_alloc(&s->arena, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    int err = 0;
    for (uint32_t i = 0; err == 0 && rows_next(mask, &i); i++) {
        uint32_t row = s->first_row + i;
        buf_reset(&s->text2);
        if (b->live || b->shape[row] == 0)
            err = forms_push(s, f, batch_span(b, b->line[row]), i);
        else
            err = batch_render(b, row, &s->text2);
        if (err == 0 && !b->live && b->shape[row] != 0)
            err = forms_copy(s, f, buf_content(&s->text2), i);
        if (err == 0)
            err = unlike_forms(s, row, i, f);
    }
    if (err != 0)
        return err;
    if (is_all(s, mask))
        s->raw_forms = f;
    *out = f;
    return 0;
}
