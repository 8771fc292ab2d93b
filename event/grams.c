#include "event/grams.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "event/dotted.h"
#include "event/pred_compose.h"
#include "event/pred_form.h"
#include "event/pred_url.h"

enum {
    TABLE_BITS = 1 << GRAMS_LOG_MAX,
    TABLE_WORDS = TABLE_BITS / 64,
    FILL_SHARE = 8,    /* a filter is folded until more than one bit in twice so many is set */
    FULL_PERCENT = 70, /* a fuller one is not worth its bytes */
    SEALED_HEAD = 2,   /* places, logarithm of the bits */
    ESCAPE_BYTES = 2,  /* of an escape without its last byte: % and a digit */
    PLACES = GRAMS_URL_PART | GRAMS_URL | GRAMS_LINE | GRAMS_DOTTED,
    RECENT_IPS = 4096, /* a power of two */
};

static_assert(TABLE_BITS % 64 == 0 && GRAMS_LOG_MIN >= 6, "a filter is a number of words");
static_assert(GRAMS_BITS_SMALL >= 1 << GRAMS_LOG_MIN, "the least filter is one that may be made");

/* With what the values of a column begin and end: true where some of them do. */
struct gram_edges {
    bool starts; /* with a letter or digit */
    bool ends;
    bool empty;      /* is nothing */
    bool dots_start; /* with a digit or dot */
    bool dots_end;
};

/* As a value stands in lines, and as it stands in URLs. */
struct column_edges {
    struct gram_edges line;
    struct gram_edges url;
};

struct grams {
    uint64_t bits[TABLE_WORDS];
    unsigned open;               /* enum grams_place: where a run may stand across texts */
    uint64_t recent[RECENT_IPS]; /* addresses that were added lately, + 1 */
    struct column_edges edges[BATCH_COLUMNS_MAX];
    struct form_bufs bufs;
    struct buf number;
    struct arena arena;
};

int grams_new(struct grams **out)
{
    struct grams *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return ERR_NOMEM;
    *out = g;
    return 0;
}

void grams_free(struct grams *g)
{
    if (g == NULL)
        return;
    form_bufs_release(&g->bufs);
    buf_release(&g->number);
    arena_release(&g->arena);
    free(g);
}

void grams_reset(struct grams *g)
{
    memset(g->bits, 0, sizeof(g->bits));
    memset(g->edges, 0, sizeof(g->edges));
    memset(g->recent, 0, sizeof(g->recent));
    g->open = 0;
}

static bool is_digit(unsigned char c)
{
    return (unsigned char)(c - '0') < 10;
}

#define SAME(c)          [c] = (c)
#define LETTER(big, low) [big] = (low), [low] = (low)

/* Letters and digits, folded. */
static const unsigned char WORD_BYTES_OF[UCHAR_MAX + 1] = {
    SAME('0'),        SAME('1'),        SAME('2'),        SAME('3'),        SAME('4'),
    SAME('5'),        SAME('6'),        SAME('7'),        SAME('8'),        SAME('9'),
    LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'),
    LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'),
    LETTER('K', 'k'), LETTER('L', 'l'), LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'),
    LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
    LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'), LETTER('Y', 'y'),
    LETTER('Z', 'z')};

/* A letter or digit, folded, or 0. */
static unsigned char word_byte(char c)
{
    return WORD_BYTES_OF[(unsigned char)c];
}

static uint32_t gram_hash(uint32_t gram)
{
    return (uint32_t)((uint64_t)gram * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

/* The runs of a text one after the other. */
struct gram_walk {
    struct slice text;
    size_t at;
    uint32_t gram;
    size_t run;    /* bytes of the run so far */
    size_t letter; /* bytes since the last letter; GRAMS_RUN_BYTES: none is among the four */
};

/* The next run of four; false at the end. */
static bool gram_next(struct gram_walk *w)
{
    while (w->at < w->text.len) {
        unsigned char c = word_byte(w->text.data[w->at++]);
        w->run = c == 0 ? 0 : w->run + 1;
        w->letter = c != 0 && !is_digit(c) ? 0 : w->letter + 1;
        w->gram = w->gram << 8 | c;
        if (w->run >= GRAMS_RUN_BYTES)
            return true;
    }
    return false;
}

static void set_bit(struct grams *g, uint32_t hash)
{
    uint32_t bit = hash & (TABLE_BITS - 1);
    g->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void add_text(struct grams *g, struct slice text, bool digits)
{
    struct gram_walk w = {.text = text, .letter = GRAMS_RUN_BYTES};
    while (gram_next(&w)) {
        if (digits || w.letter < GRAMS_RUN_BYTES)
            set_bit(g, gram_hash(w.gram));
    }
}

static uint32_t dotted_hash(uint64_t key, bool second)
{
    uint64_t hash = key * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> (second ? 44 : 32));
}

/* Three digits of a last number tell the most, and have two bits; of a first one fewer digits have none. */
static void add_dotted(struct grams *g, const struct dotted *d)
{
    if (d->left_count == DOTTED_DIGITS)
        set_bit(g, dotted_hash(d->left[DOTTED_DIGITS - 1], false));
    for (uint32_t i = 0; i < d->right_count; i++)
        set_bit(g, dotted_hash(d->right[i], false));
    if (d->right_count == DOTTED_DIGITS)
        set_bit(g, dotted_hash(d->right[DOTTED_DIGITS - 1], true));
}

/* A text of the lines as it stands there. */
static void add_written(struct grams *g, struct slice text)
{
    struct dotted d;
    size_t at = 0;
    add_text(g, text, false);
    while (dotted_next(text, &at, &d))
        add_dotted(g, &d);
}

static void add_ip4(struct grams *g, uint32_t ip4)
{
    struct dotted d;
    uint64_t *recent = &g->recent[ip4 * UINT32_C(0x9e3779b1) >> 20 & (RECENT_IPS - 1)];
    if (*recent == (uint64_t)ip4 + 1)
        return;
    *recent = (uint64_t)ip4 + 1;
    dotted_ip4(ip4, &d);
    add_dotted(g, &d);
}

static void note_edges(struct gram_edges *e, struct slice text)
{
    if (text.len == 0) {
        e->empty = true;
        return;
    }
    unsigned char first = (unsigned char)text.data[0];
    unsigned char last = (unsigned char)text.data[text.len - 1];
    e->starts |= word_byte((char)first) != 0;
    e->ends |= word_byte((char)last) != 0;
    e->dots_start |= is_digit(first) || first == '.';
    e->dots_end |= is_digit(last) || last == '.';
}

static bool is_url_column(const struct column *c)
{
    return url_is_part(c->field) || c->field == FIELD_URL_ORIGINAL;
}

/* A text of which URLs are made, in all its forms. */
static int add_url_text(struct grams *g, struct gram_edges *edges, uint8_t kind, struct slice text)
{
    struct form_text forms[FORM_TEXTS_MAX];
    const struct form_way way = {.kind = kind, .is_url = true};
    unsigned count = form_texts(&way, text, &g->bufs, forms);
    if (!form_bufs_ok(&g->bufs))
        return ERR_NOMEM;
    for (unsigned i = 0; i < count; i++) {
        struct slice form = forms[i].text;
        size_t tail = form.len < ESCAPE_BYTES ? 0 : form.len - ESCAPE_BYTES;
        if (form.len != 0 && memchr(form.data + tail, '%', form.len - tail) != NULL)
            g->open |= GRAMS_URL; /* what follows may make an escape of it */
        note_edges(edges, form);
        add_text(g, form, true);
        if (form_texts_foreign(forms, count))
            add_written(g, form);
    }
    return 0;
}

/* What a text of the lines means that its bytes do not show. */
static int add_meaning(struct grams *g, uint8_t kind, struct slice text)
{
    struct form_text forms[FORM_TEXTS_MAX];
    const struct form_way way = {.kind = kind};
    if (!fold_changes(text) && !value_is_encoded(text, kind))
        return 0;
    unsigned count = form_texts(&way, text, &g->bufs, forms);
    for (unsigned i = 0; i < count && form_texts_foreign(forms, count); i++)
        add_written(g, forms[i].text);
    return form_bufs_ok(&g->bufs) ? 0 : ERR_NOMEM;
}

/* The same of text without a kind: pieces of skeletons, lines without values. */
static int add_looks(struct grams *g, struct slice text)
{
    return add_meaning(g, SLOT_PLAIN | CHARSET_AUTO << SLOT_CHARSET_SHIFT, text);
}

static int add_value(struct grams *g, uint32_t column, const struct column *c, struct slice text)
{
    struct column_edges *e = &g->edges[column];
    note_edges(&e->line, text);
    if (!c->derived)
        add_written(g, text);
    if (!c->derived && add_meaning(g, c->kind, text) != 0)
        return ERR_NOMEM;
    return is_url_column(c) ? add_url_text(g, &e->url, c->kind, text) : 0;
}

/* Values of text that are written in each row. */
static int add_spans(struct grams *g, uint32_t column, const struct batch *b,
                     const struct column *c)
{
    struct span before = {.len = SPAN_NONE};
    int err = 0;
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        struct span span = c->spans[row];
        if (span.len == SPAN_NONE || (span.offset == before.offset && span.len == before.len))
            continue;
        err = add_value(g, column, c, batch_span(b, span));
        before = span;
    }
    return err;
}

/* Numbers and addresses as they print. Those of IPv4 and numbers have no letters, and numbers no two dots. */
static int add_typed(struct grams *g, const struct batch *b, const struct column *c)
{
    bool is_url = is_url_column(c);
    char *met = NULL; /* by the numbers of values */
    for (uint32_t row = 0; row < b->row_count && c->storage == COLUMN_IP4; row++) {
        if (column_is_present(c, row))
            add_ip4(g, c->ip4[row]);
    }
    if (!is_url && c->storage != COLUMN_IP)
        return 0;
    if (c->value_numbers != NULL) {
        met = arena_array(&g->arena, c->value_numbers_end + 1U, sizeof(*met));
        if (met == NULL)
            return ERR_NOMEM;
    }
    for (uint32_t row = 0; row < b->row_count; row++) {
        struct slice text;
        if (met != NULL && c->value_numbers[row] < c->value_numbers_end) {
            if (met[c->value_numbers[row]] != 0)
                continue;
            met[c->value_numbers[row]] = 1;
        }
        if (!batch_value(b, c, row, &g->number, &text))
            continue;
        add_written(g, text);
        if (is_url)
            add_text(g, text, true);
    }
    return buf_ok(&g->number) ? 0 : ERR_NOMEM;
}

static int add_column(struct grams *g, uint32_t column, const struct batch *b, bool first)
{
    const struct column *c = &b->columns[column];
    static const struct gram_edges ANY = {
        .starts = true, .ends = true, .empty = true, .dots_start = true, .dots_end = true};
    bool is_text = c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT;
    int err = 0;
    if (c->derived && !is_url_column(c))
        return 0;
    if (!is_text || c->kind == SLOT_NULL)
        g->edges[column] = (struct column_edges){.line = ANY, .url = ANY};
    for (uint32_t i = 0; i < c->exception_count && err == 0; i++)
        err = add_value(g, column, c, batch_span(b, c->exceptions[i].text));
    if (err != 0)
        return err;
    if (!is_text)
        return add_typed(g, b, c);
    if (c->storage == COLUMN_TEXT)
        return add_spans(g, column, b, c);
    for (uint32_t i = 0; first && i < c->entry_count && err == 0; i++)
        err = add_value(g, column, c, batch_span(b, c->entries[i]));
    return err;
}

/* Texts that stand one behind the other: may a run stand across two of them? */
struct joint {
    bool ends;     /* what stands before may end with a letter or digit */
    bool crosses;  /* found */
    bool dots_end; /* the same of digits and dots */
    bool dots_cross;
};

static void joint_value(struct joint *j, const struct gram_edges *e)
{
    j->crosses |= j->ends && e->starts;
    j->ends = e->ends || (e->empty && j->ends);
    j->dots_cross |= j->dots_end && e->dots_start;
    j->dots_end = e->dots_end || (e->empty && j->dots_end);
}

static void joint_bytes(struct joint *j, struct slice bytes)
{
    struct gram_edges e = {0};
    note_edges(&e, bytes);
    joint_value(j, &e);
}

static struct slice skeleton(const struct batch *b, uint32_t at, uint32_t len)
{
    return slice_of(b->skeleton.data + at, len);
}

static int look_at_line(struct grams *g, const struct batch *b, const struct shape *shape,
                        bool first)
{
    struct joint j = {0};
    for (uint32_t i = 0; i < shape->slot_count; i++) {
        const struct shape_slot *slot = &shape->slots[i];
        struct slice piece = skeleton(b, slot->piece, slot->piece_len);
        if (first)
            add_written(g, piece);
        if (first && add_looks(g, piece) != 0)
            return ERR_NOMEM;
        joint_bytes(&j, piece);
        joint_value(&j, &g->edges[slot->column].line);
    }
    struct slice tail = skeleton(b, shape->tail, shape->tail_len);
    if (first)
        add_written(g, tail);
    if (first && add_looks(g, tail) != 0)
        return ERR_NOMEM;
    joint_bytes(&j, tail);
    if (j.crosses)
        g->open |= GRAMS_LINE;
    if (j.dots_cross)
        g->open |= GRAMS_DOTTED;
    return 0;
}

static int look_at_url(struct grams *g, const struct batch *b, const struct shape *shape)
{
    struct url_plan plan;
    struct joint j = {0};
    if (url_plan_make(&plan, &g->arena, b, shape) != 0)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < plan.part_count; i++) {
        const struct url_part *part = &plan.parts[i];
        if (part->is_value)
            joint_value(&j, &g->edges[part->column].url);
        else
            joint_bytes(&j, part->bytes);
        j.ends = j.ends && !part->is_last;
    }
    if (j.crosses)
        g->open |= GRAMS_URL;
    return 0;
}

int grams_add(struct grams *g, const struct batch *b, bool first)
{
    int err = 0;
    arena_reset(&g->arena);
    for (uint32_t i = 0; i < b->column_count && err == 0; i++)
        err = add_column(g, i, b, first);
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        if (b->shape[row] != 0)
            continue;
        add_written(g, batch_span(b, b->line[row]));
        err = add_looks(g, batch_span(b, b->line[row]));
    }
    for (uint32_t s = 1; s < b->shape_count && err == 0; s++) {
        err = look_at_line(g, b, &b->shapes[s], first);
        err = err == 0 ? look_at_url(g, b, &b->shapes[s]) : err;
    }
    return err;
}

static void fold(struct grams *g, unsigned log)
{
    uint32_t words = (UINT32_C(1) << log) / 64;
    for (uint32_t i = 0; i < words; i++)
        g->bits[i] |= g->bits[words + i];
}

/* How many of the first 2^log bits are set. */
static uint64_t count_bits(const struct grams *g, unsigned log)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < (UINT32_C(1) << log) / 64; i++)
        count += (uint64_t)__builtin_popcountll(g->bits[i]);
    return count;
}

void grams_seal(struct grams *g, uint64_t rows, struct buf *out)
{
    uint64_t most = rows * GRAMS_BITS_PER_ROW;
    unsigned log = GRAMS_LOG_MAX;
    most = most < GRAMS_BITS_SMALL ? (uint64_t)GRAMS_BITS_SMALL : most;
    while (UINT64_C(1) << log > most)
        fold(g, --log);
    uint64_t count = count_bits(g, log);
    while (log > GRAMS_LOG_MIN && count * FILL_SHARE * 2 <= UINT64_C(1) << log) {
        fold(g, --log);
        count = count_bits(g, log);
    }
    if (count * 100 > (UINT64_C(1) << log) * FULL_PERCENT)
        return;
    buf_byte(out, (char)(PLACES & ~g->open));
    buf_byte(out, (char)log);
    for (uint32_t i = 0; i < (UINT32_C(1) << log) / 64; i++)
        buf_put64(out, g->bits[i]);
}

bool grams_is_filter(struct slice filter)
{
    if (filter.len == 0)
        return true;
    if (filter.len < SEALED_HEAD)
        return false;
    unsigned places = (unsigned char)filter.data[0];
    unsigned log = (unsigned char)filter.data[1];
    return (places & ~(unsigned)PLACES) == 0 && log >= GRAMS_LOG_MIN && log <= GRAMS_LOG_MAX &&
           filter.len - SEALED_HEAD == (size_t)1 << log >> 3;
}

static bool has_bit(struct slice filter, uint32_t hash)
{
    uint32_t bit = hash & ((UINT32_C(1) << (unsigned char)filter.data[1]) - 1);
    return ((unsigned char)filter.data[SEALED_HEAD + bit / 8] >> (bit % 8) & 1) != 0;
}

static bool has_dotted(struct slice filter, const struct dotted *d)
{
    if (d->left_count == DOTTED_DIGITS &&
        !has_bit(filter, dotted_hash(d->left[DOTTED_DIGITS - 1], false)))
        return false;
    if (d->right_count == DOTTED_DIGITS &&
        !has_bit(filter, dotted_hash(d->right[DOTTED_DIGITS - 1], true)))
        return false;
    return d->right_count == 0 || has_bit(filter, dotted_hash(d->right[d->right_count - 1], false));
}

/* May a line hold the numbers of the text with their dots? The digits that it has of the first and last one count. */
static bool may_hold_dotted(struct slice filter, struct slice text)
{
    struct dotted d;
    size_t at = 0;
    while (dotted_next(text, &at, &d)) {
        if (!has_dotted(filter, &d))
            return false;
    }
    return true;
}

bool grams_may_hold(struct slice filter, enum grams_place place, struct slice text)
{
    if (filter.len == 0 || !grams_is_filter(filter))
        return true;
    unsigned places = (unsigned char)filter.data[0];
    if (place == GRAMS_LINE && (places & GRAMS_DOTTED) != 0 && !may_hold_dotted(filter, text))
        return false;
    if ((places & (unsigned)place) == 0)
        return true;
    struct gram_walk w = {.text = text, .letter = GRAMS_RUN_BYTES};
    while (gram_next(&w)) {
        if (place == GRAMS_LINE && w.letter >= GRAMS_RUN_BYTES)
            continue;
        if (!has_bit(filter, gram_hash(w.gram)))
            return false;
    }
    return true;
}

/* Word i of the table, were it folded to so many words. */
static uint64_t folded_word(const struct grams *g, uint32_t i, uint32_t words)
{
    uint64_t word = 0;
    for (; i < TABLE_WORDS; i += words)
        word |= g->bits[i];
    return word;
}

bool grams_within(const struct grams *g, struct slice filter)
{
    if (filter.len == 0)
        return true;
    if (!grams_is_filter(filter) || ((unsigned char)filter.data[0] & g->open) != 0)
        return false;
    uint32_t words = (1U << (unsigned char)filter.data[1]) / 64;
    for (uint32_t i = 0; i < words; i++) {
        if ((folded_word(g, i, words) &
             ~bytes_get64(filter.data + SEALED_HEAD + i * sizeof(uint64_t))) != 0)
            return false;
    }
    return true;
}
