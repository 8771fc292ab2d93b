/* A leaf on the rows of one column, and on everything that its target stands for. */
#include "base/bytes.h"
#include "base/err.h"
#include "event/pred_form.h"
#include "event/pred_group.h"
#include "event/pred_plan.h"
#include "event/pred_url.h"

enum {
    WHOLE_SHARE = 4,  /* more than 1/4 of the rows asked for: find the leaf's rows for all */
    ENTRIES_FEW = 16, /* of 64 rows: asked one by one */
};

/* No entry has the code of rows without a value: its bit stays clear. */
static uint64_t entry_bit(const struct pred_scratch *s, uint16_t code)
{
    return s->entry_bits[code / 64] >> (code % 64) & 1;
}

int forms_rows(struct pred_scratch *s, const struct leaf *leaf, const struct forms *forms,
               struct rows *out)
{
    for (uint32_t i = 0; i < forms->count; i++) {
        const struct form_text form = form_text_of(&forms->items[i]);
        int holds = form_holds(leaf, s->regex, &form);
        if (holds < 0)
            return holds;
        if (holds != 0)
            rows_set(out, forms->items[i].owner);
    }
    return 0;
}

void entry_rows(const struct pred_scratch *s, const struct column *c, const struct rows *mask,
                struct rows *out)
{
    const uint16_t *codes = c->codes + s->first_row;
    for (uint32_t first = 0; first < s->row_count; first += 64) {
        uint64_t asked = mask->words[first / 64];
        uint64_t found = 0;
        uint32_t count = s->row_count - first < 64 ? s->row_count - first : 64;
        if (__builtin_popcountll(asked) < ENTRIES_FEW) {
            for (uint64_t rest = asked; rest != 0; rest &= rest - 1) {
                unsigned i = (unsigned)__builtin_ctzll(rest);
                found |= entry_bit(s, codes[first + i]) << i;
            }
        } else {
            for (uint32_t i = 0; i < count; i++)
                found |= entry_bit(s, codes[first + i]) << i;
        }
        out->words[first / 64] |= found & asked;
    }
}

/* Ask each entry once, then give the answer to its rows. */
static int codes_rows(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                      const struct forms *forms, const struct rows *mask, struct rows *out)
{
    memset(s->entry_bits, 0, (c->entry_count + 63) / 64 * sizeof(*s->entry_bits));
    bool any = false;
    for (uint32_t i = 0; i < forms->count; i++) {
        const struct form_text form = form_text_of(&forms->items[i]);
        uint32_t entry = forms->items[i].owner;
        int holds = form_holds(leaf, s->regex, &form);
        if (holds < 0)
            return holds;
        if (holds != 0) {
            any = true;
            s->entry_bits[entry / 64] |= UINT64_C(1) << (entry % 64);
        }
    }
    if (any)
        entry_rows(s, c, mask, out);
    return 0;
}

static bool column_has(const struct column *c, uint32_t row)
{
    switch ((enum column_storage)c->storage) {
    case COLUMN_CODES:
        return c->codes[row] != CODE_NONE;
    case COLUMN_TEXT:
        return c->spans[row].len != SPAN_NONE;
    case COLUMN_INT:
        return c->numbers[row] != VALUE_NONE;
    case COLUMN_IP4:
    case COLUMN_IP:
    default:
        return (c->present[row / 64] >> (row % 64) & 1) != 0;
    }
}

static void present_rows(const struct pred_scratch *s, const struct column *c,
                         const struct rows *mask, struct rows *out)
{
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        if (column_has(c, s->first_row + i))
            rows_set(out, i);
    }
}

/* A span of numbers: without a call a row, and without a branch. */
static void span_number_rows(const struct pred_scratch *s, struct leaf_span span,
                             const struct column *c, const struct rows *mask, struct rows *out)
{
    const int64_t *numbers = c->numbers + s->first_row;
    uint64_t low = (uint64_t)(span.low == VALUE_NONE ? span.low + 1 : span.low);
    uint64_t width = (uint64_t)span.high - low;
    if (span.low > span.high || span.high == VALUE_NONE)
        return;
    for (uint32_t from = 0; from < s->row_count; from += 64) {
        uint32_t count = s->row_count - from < 64 ? s->row_count - from : 64;
        uint64_t found = 0;
        for (uint32_t i = 0; mask->words[from / 64] != 0 && i < count; i++)
            found |= (uint64_t)((uint64_t)numbers[from + i] - low <= width) << i;
        out->words[from / 64] |= found & mask->words[from / 64];
    }
}

static void number_rows(const struct pred_scratch *s, const struct leaf *leaf,
                        const struct column *c, const struct rows *mask, struct rows *out)
{
    const int64_t *numbers = c->numbers + s->first_row;
    struct leaf_span span;
    if (leaf_number_span(leaf, c->type, c->epoch_form, &span)) {
        span_number_rows(s, span, c, mask, out);
        return;
    }
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        if (numbers[i] != VALUE_NONE && leaf_number(leaf, c->type, c->epoch_form, numbers[i]))
            rows_set(out, i);
    }
}

/* An IPv4 address or network among many: the most frequent question, so without a call a row. */
static void ip4_rows(const struct pred_scratch *s, uint32_t net, uint32_t bits,
                     const struct column *c, const struct rows *mask, struct rows *out)
{
    const uint32_t *ip4 = c->ip4 + s->first_row;
    for (uint32_t from = 0; from < s->row_count; from += 64) {
        uint32_t count = s->row_count - from < 64 ? s->row_count - from : 64;
        uint64_t found = 0;
        for (uint32_t i = 0; i < count; i++)
            found |= (uint64_t)((ip4[from + i] & bits) == net) << i;
        found &= mask->words[from / 64];
        for (; found != 0; found &= found - 1) {
            uint32_t row = from + (uint32_t)__builtin_ctzll(found);
            if (column_has(c, s->first_row + row))
                rows_set(out, row);
        }
    }
}

/* The same of addresses of both kinds: as two words, without a call a row. */
static void ip16_rows(const struct pred_scratch *s, const struct ip *net, unsigned prefix,
                      const struct column *c, const struct rows *mask, struct rows *out)
{
    struct ip ones = {{0}};
    for (unsigned i = 0; i < prefix; i++)
        ones.bytes[i / 8] |= (uint8_t)(0x80U >> (i % 8));
    uint64_t want[2] = {bytes_get64(net->bytes), bytes_get64(net->bytes + 8)};
    uint64_t bits[2] = {bytes_get64(ones.bytes), bytes_get64(ones.bytes + 8)};
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        const struct ip *ip = &c->ips[s->first_row + i];
        uint64_t differs = ((bytes_get64(ip->bytes) ^ want[0]) & bits[0]) |
                           ((bytes_get64(ip->bytes + 8) ^ want[1]) & bits[1]);
        if (differs == 0 && column_has(c, s->first_row + i) && (prefix >= 96 || !ip_is_v4(ip)))
            rows_set(out, i);
    }
}

static void ip_rows(const struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                    const struct rows *mask, struct rows *out)
{
    unsigned prefix = leaf->op == LEAF_OP_NETWORK ? leaf->network.prefix_bits : 128U;
    const struct ip *net = leaf->op == LEAF_OP_NETWORK ? &leaf->network.ip : &leaf->equal_ip;
    if (c->storage == COLUMN_IP4 && prefix >= 96) {
        uint32_t bits = prefix == 96 ? 0 : UINT32_MAX << (128 - prefix);
        if (ip_is_v4(net))
            ip4_rows(s, ip_v4(net) & bits, bits, c, mask, out);
        return;
    }
    if (c->storage == COLUMN_IP4) /* no network of IPv6 holds one */
        return;
    ip16_rows(s, net, prefix, c, mask, out);
}

int value_holds(struct pred_scratch *s, const struct leaf *leaf, const struct form_way *way,
                struct slice written)
{
    struct form_text texts[FORM_TEXTS_MAX];
    unsigned count = form_texts(way, written, &s->forms, texts);
    if (!form_bufs_ok(&s->forms))
        return ERR_NOMEM;
    int holds = 0;
    for (unsigned i = 0; holds == 0 && i < count; i++)
        holds = form_holds(leaf, s->regex, &texts[i]);
    return holds;
}

/* Could percent-decoding make a value satisfy a leaf that it does not satisfy as written? */
static bool decoding_matters(const struct leaf *leaf, struct slice written)
{
    if (!value_is_encoded(written, SLOT_PERCENT))
        return false;
    return leaf->op > LEAF_OP_GLOB || needle_in(&leaf->needle, written) ||
           needle_escaped(&leaf->needle, written);
}

/* One leaf on a column of text, without a list of forms. */
static int span_rows(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                     const struct form_way *way, const struct rows *mask, struct rows *out)
{
    const struct span *spans = c->spans + s->first_row;
    bool as_is = way->kind == SLOT_PLAIN;
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        if (spans[i].len == SPAN_NONE)
            continue;
        struct slice written = batch_span(s->batch, spans[i]);
        int holds = as_is ? leaf_text(leaf, s->regex, written) : 0;
        if (holds == 0 && (!as_is || text_changes(s, written) ||
                           (way->is_url && decoding_matters(leaf, written))))
            holds = value_holds(s, leaf, way, written);
        if (holds < 0)
            return holds;
        if (holds != 0)
            rows_set(out, i);
    }
    return 0;
}

/* Do the texts stand one behind the other, in the order of their spans? */
static bool spans_block(const struct batch *b, const struct span *spans, uint32_t count,
                        struct slice *out)
{
    size_t first = SIZE_MAX;
    size_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (spans[i].len == SPAN_NONE)
            continue;
        if (first == SIZE_MAX)
            first = spans[i].offset;
        else if (spans[i].offset != end)
            return false;
        end = (size_t)spans[i].offset + spans[i].len;
    }
    if (first == SIZE_MAX)
        return false;
    *out = slice_of(b->text.data + first, end - first);
    return true;
}

static bool is_block(const struct pred_scratch *s, const struct column *c, struct slice *out)
{
    return spans_block(s->batch, c->spans + s->first_row, s->row_count, out);
}

bool column_block(const struct batch *b, const struct column *c, struct slice *out)
{
    return spans_block(b, column_in_entries(c) ? c->entries : c->spans, column_text_count(b, c),
                       out);
}

/* Which holds the byte at `offset` of the text, at or behind the i-th. */
static uint32_t span_holding(const struct span *spans, uint32_t i, size_t offset)
{
    while (spans[i].len == SPAN_NONE || (size_t)spans[i].offset + spans[i].len <= offset)
        i++;
    return i;
}

/* The rows whose values hold a byte that may begin an escape. */
static int block_encoded(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                         struct slice block, struct rows *out)
{
    const struct form_way way = {.kind = SLOT_PLAIN, .is_url = true};
    const char *text = s->batch->text.data;
    const char *end = block.data + block.len;
    uint32_t row = 0;
    for (const char *at = memchr(block.data, '%', block.len); at != NULL;) {
        row = span_holding(c->spans + s->first_row, row, (size_t)(at - text));
        struct span span = c->spans[s->first_row + row];
        struct slice written = batch_span(s->batch, span);
        int holds = decoding_matters(leaf, written) ? value_holds(s, leaf, &way, written) : 0;
        if (holds < 0)
            return holds;
        if (holds != 0)
            rows_set(out, row);
        const char *next = text + span.offset + span.len;
        at = next == end ? NULL : memchr(next, '%', (size_t)(end - next));
    }
    return 0;
}

/* All values in one search for the literal; what it finds is asked as ever. */
static int block_rows(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                      bool is_url, struct slice block, struct rows *out)
{
    const char *text = s->batch->text.data;
    const char *end = block.data + block.len;
    uint32_t row = 0;
    for (const char *at = block.data; at < end;) {
        at = needle_find(&leaf->needle, at, end);
        if (at == NULL)
            break;
        row = span_holding(c->spans + s->first_row, row, (size_t)(at - text));
        struct slice value = batch_span(s->batch, c->spans[s->first_row + row]);
        if (leaf_text(leaf, s->regex, value) != 0)
            rows_set(out, row);
        at = value.data + value.len;
    }
    return is_url ? block_encoded(s, leaf, c, block, out) : 0;
}

/*
 * The texts of a block that hold the needle, or may hide it in escapes, are marked in `bits`: one search
 * for all of them, and a look at those that have an escape. false: there are none.
 */
static bool block_marks(const struct pred_scratch *s, const struct needle *n,
                        const struct span *spans, struct slice block, uint64_t *bits)
{
    bool any = false;
    const char *text = s->batch->text.data;
    const char *end = block.data + block.len;
    uint32_t i = 0;
    for (const char *at = needle_find(n, block.data, end); at != NULL;) {
        i = span_holding(spans, i, (size_t)(at - text));
        struct slice value = batch_span(s->batch, spans[i]);
        if (needle_in(n, slice_of(at, (size_t)(value.data + value.len - at)))) {
            bits[i / 64] |= UINT64_C(1) << (i % 64);
            any = true;
        }
        at = needle_find(n, value.data + value.len, end);
    }
    i = 0;
    for (const char *at = memchr(block.data, '%', block.len); at != NULL;) {
        i = span_holding(spans, i, (size_t)(at - text));
        struct slice value = batch_span(s->batch, spans[i]);
        const char *next = value.data + value.len;
        if (needle_escaped(n, value)) {
            bits[i / 64] |= UINT64_C(1) << (i % 64);
            any = true;
        }
        at = memchr(next, '%', (size_t)(end - next));
    }
    return any;
}

/* The same of texts that stand anywhere. */
static bool span_marks(const struct pred_scratch *s, const struct needle *n,
                       const struct span *spans, uint32_t count, uint64_t *bits)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (spans[i].len == SPAN_NONE)
            continue;
        struct slice value = batch_span(s->batch, spans[i]);
        if (needle_in(n, value) || needle_escaped(n, value)) {
            bits[i / 64] |= UINT64_C(1) << (i % 64);
            any = true;
        }
    }
    return any;
}

void column_literal_rows(struct pred_scratch *s, const struct needle *n, uint32_t column,
                         struct rows *out)
{
    const struct column *c = &s->batch->columns[column];
    bool in_entries = c->storage == COLUMN_CODES;
    const struct span *spans = in_entries ? c->entries : c->spans + s->first_row;
    uint32_t count = in_entries ? c->entry_count : s->row_count;
    uint64_t *bits = in_entries ? s->entry_bits : out->words;
    struct slice block;
    if (in_entries)
        memset(bits, 0, (count + 63) / 64 * sizeof(*bits));
    bool whole = in_entries ? column_block(s->batch, c, &block) : is_block(s, c, &block);
    bool any = whole ? block_marks(s, n, spans, block, bits) : span_marks(s, n, spans, count, bits);
    if (any && in_entries)
        entry_rows(s, c, &s->all, out);
}

static int text_rows(struct pred_scratch *s, const struct leaf *leaf, uint32_t column, bool is_url,
                     const struct rows *mask, struct rows *out)
{
    const struct column *c = &s->batch->columns[column];
    const struct form_way way = {.kind = c->kind, .is_url = is_url};
    struct slice block;
    if (c->kind != SLOT_PLAIN || leaf->needle.text.len == 0 || leaf->op > LEAF_OP_GLOB ||
        rows_count(mask) != s->row_count || !is_block(s, c, &block) || text_changes(s, block))
        return span_rows(s, leaf, c, &way, mask, out);
    return block_rows(s, leaf, c, is_url, block, out);
}

/* A typed field whose column holds text: 1, 0 or an error. */
static int typed_text(struct pred_scratch *s, const struct leaf *leaf, const struct column *c,
                      struct slice text)
{
    enum leaf_way way = leaf_way(leaf, c->type);
    int64_t number = 0;
    enum epoch_form form = EPOCH_DIGITS;
    struct ip ip;
    enum value_class class = VALUE_INVALID;
    if (c->type == FIELD_TYPE_IP)
        class = ip_parse(text, &ip);
    else if (text.len != 0 && c->type == FIELD_TYPE_INT)
        class = value_int(text, &number);
    else if (text.len != 0)
        class = value_epoch(text, &number, &form);
    if (class == VALUE_INVALID || way == LEAF_NEVER)
        return 0;
    if (way == LEAF_PRESENT)
        return 1;
    if (way == LEAF_NUMBER)
        return leaf_number(leaf, c->type, form, number);
    if (way == LEAF_IP)
        return leaf_ip(leaf, &ip);
    int holds = leaf_text(leaf, s->regex, text);
    if (holds != 0 || class == VALUE_CANONICAL)
        return holds;
    buf_reset(&s->text);
    if (c->type == FIELD_TYPE_IP)
        ip_print(&s->text, &ip);
    else
        form_print_number(&s->text, c->type, form, number);
    return buf_ok(&s->text) ? leaf_text(leaf, s->regex, buf_content(&s->text)) : ERR_NOMEM;
}

static int typed_text_rows(struct pred_scratch *s, const struct leaf *leaf, uint32_t column,
                           const struct rows *mask, struct rows *out)
{
    const struct column *c = &s->batch->columns[column];
    const struct forms *forms = NULL;
    struct rows one;
    for (uint32_t i = 0; rows_next(mask, &i); i++) {
        memset(&one, 0, sizeof(one));
        rows_set(&one, i);
        int err = forms_column(s, column, false, &one, &forms);
        for (uint32_t k = 0; err == 0 && k < forms->count; k++) {
            int holds = typed_text(s, leaf, c, slice_of(forms->items[k].data, forms->items[k].len));
            if (holds > 0)
                rows_set(out, i);
            err = holds < 0 ? holds : 0;
        }
        if (err != 0)
            return err;
    }
    return 0;
}

int column_rows(struct pred_scratch *s, const struct plan_leaf *leaf, uint32_t column,
                const struct rows *mask, struct rows *out)
{
    const struct column *c = &s->batch->columns[column];
    bool is_text = c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT;
    if (c->kind == SLOT_NULL) {
        if (leaf->leaf.op == LEAF_OP_EXISTS)
            present_rows(s, c, mask, out);
        return 0;
    }
    if (is_text && c->type != FIELD_TYPE_TEXT)
        return typed_text_rows(s, &leaf->leaf, column, mask, out);
    const struct forms *forms = NULL;
    const struct target *target = &s->pred->targets[leaf->target];
    const struct field_info *info = target->kind == TARGET_ANY ? field_info(c->field) : NULL;
    bool is_url = info == NULL ? target->is_url : slice_starts(info->name, SLICE("url."));
    int err = 0;
    switch (leaf_way(&leaf->leaf, c->type)) {
    case LEAF_NEVER:
        return 0;
    case LEAF_PRESENT:
        present_rows(s, c, mask, out);
        return 0;
    case LEAF_NUMBER:
        number_rows(s, &leaf->leaf, c, mask, out);
        return 0;
    case LEAF_IP:
        ip_rows(s, &leaf->leaf, c, mask, out);
        return 0;
    case LEAF_TEXT:
    default:
        if (c->storage == COLUMN_TEXT)
            return text_rows(s, &leaf->leaf, column, is_url, mask, out);
        err = forms_column(s, column, is_url, mask, &forms);
        if (err != 0)
            return err;
        return c->storage == COLUMN_CODES ? codes_rows(s, &leaf->leaf, c, forms, mask, out)
                                          : forms_rows(s, &leaf->leaf, forms, out);
    }
}

/* The rows where any value of the line holds: of its columns, its URLs, and lines kept whole. */
static int any_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
                    struct rows *out)
{
    const struct batch *b = s->batch;
    const struct forms *forms = NULL;
    int err = 0;
    for (uint32_t i = 0; err == 0 && i < b->column_count; i++) {
        if (!b->columns[i].derived)
            err = column_rows(s, leaf, i, mask, out);
    }
    struct rows verbatim = {0};
    struct rows composed = {0};
    for (uint32_t i = 0; err == 0 && rows_next(mask, &i); i++)
        rows_set(b->shape[s->first_row + i] == 0 ? &verbatim : &composed, i);
    if (err == 0 && !rows_empty(&verbatim)) {
        err = forms_raw(s, &verbatim, &forms);
        err = err == 0 ? forms_rows(s, &leaf->leaf, forms, out) : err;
    }
    if (err == 0 && !rows_empty(&composed)) {
        err = forms_url(s, &composed, &forms);
        err = err == 0 ? forms_rows(s, &leaf->leaf, forms, out) : err;
    }
    return err;
}

/* The rows of `mask` where the leaf holds, asked of everything that its target stands for. */
static int leaf_find(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
                     struct rows *out)
{
    const struct target *target = &s->pred->targets[leaf->target];
    if (target->kind == TARGET_RAW)
        return raw_rows(s, leaf, mask, out);
    if (target->kind == TARGET_ROW)
        return row_field_rows(s, leaf, mask, out);
    if (target->kind == TARGET_ANY)
        return any_rows(s, leaf, mask, out);
    if (leaf->other != PLAN_NONE)
        return ref_rows(s, leaf, mask, out);
    for (uint32_t c = s->target_column[leaf->target]; c != 0; c = s->column_next[c - 1]) {
        int err = column_rows(s, leaf, c - 1, mask, out);
        if (err != 0)
            return err;
    }
    const struct forms *forms = NULL;
    struct rows candidates;
    if (target->kind != TARGET_URL)
        return 0;
    int err = url_candidates(s, &leaf->leaf, mask, &candidates);
    if (err == 0 && !rows_empty(&candidates))
        err = forms_url(s, &candidates, &forms);
    return err != 0 || forms == NULL ? err : forms_rows(s, &leaf->leaf, forms, out);
}

int scratch_leaf_all(struct pred_scratch *s, uint32_t leaf, const struct rows **out)
{
    const struct plan_leaf *l = &s->pred->leaves[leaf];
    int err = 0;
    if (l->grouped && s->target_scanned[l->target] == 0)
        err = group_scan(s, l->target);
    if (err == 0 && !l->grouped && s->leaf_known[leaf] == 0) {
        struct rows found = {0};
        err = leaf_find(s, l, &s->all, &found);
        if (err == 0 && !rows_empty(&found)) {
            s->leaf_rows[leaf] = arena_alloc(&s->arena, sizeof(found));
            if (s->leaf_rows[leaf] == NULL)
                return ERR_NOMEM;
            *s->leaf_rows[leaf] = found;
        }
        s->leaf_known[leaf] = 1;
    }
    if (err != 0)
        return err;
    *out = s->leaf_rows[leaf];
    return 0;
}

int scratch_leaf(struct pred_scratch *s, uint32_t leaf, const struct rows *mask, struct rows *out)
{
    const struct plan_leaf *l = &s->pred->leaves[leaf];
    const struct rows *known = NULL;
    struct rows found = {0};
    if (scratch_leaf_known(s, leaf, &known) || rows_count(mask) * WHOLE_SHARE > s->row_count) {
        const struct rows *all = NULL;
        int err = scratch_leaf_all(s, leaf, &all);
        if (err != 0)
            return err;
        if (all != NULL) {
            found = *all;
            rows_and(&found, mask);
        }
        *out = found;
        return 0;
    }
    int err = leaf_find(s, l, mask, &found);
    if (err == 0)
        *out = found;
    return err;
}
