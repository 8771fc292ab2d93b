#include "ingest/pairs.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ingest/url.h"
#include "ingest/word.h"

/* One for each style. */
struct parser_state {
    struct key_order order;
    struct names_places *places; /* of the first one, for all; NULL where no style asks for names */
};

static bool is_name_byte(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
}

/* Whether the assignment stands at p; padding is readable behind the line. */
static inline bool assigns(const struct pairs_style *style, const char *p, const char *end)
{
    if (p >= end || *p != style->assign.data[0])
        return false;
    return style->assign.len == 1 || (p + 1 < end && p[1] == style->assign.data[1]);
}

size_t pairs_name_length(const struct pairs_style *style, const char *at, const char *end)
{
    size_t length = 0;
    size_t limit = at < end ? (size_t)(end - at) : 0;
    if (limit > PAIRS_NAME_MAX_BYTES)
        limit = PAIRS_NAME_MAX_BYTES;
    while (length < limit && (is_name_byte(at[length]) ||
                              (style->blanks_in_names && length > 0 && at[length] == ' ')))
        length++;
    if (length == 0 || !assigns(style, at + length, end))
        return 0;
    if (!style->quoted_only)
        return length;
    length += assigns(style, at + length + 1, end);
    const char *quote = at + length + style->assign.len;
    return quote < end && *quote == '"' ? length : 0;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    return p;
}

/* slice_compare() of two names, which part after a few bytes: no call. */
static inline int compare_names(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    size_t i = 0;
    while (i < len && a.data[i] == b.data[i])
        i++;
    if (i < len)
        return (unsigned char)a.data[i] - (unsigned char)b.data[i];
    return (a.len > b.len) - (a.len < b.len);
}

static const struct pair_key *search_key(const struct pairs_style *style, struct slice name)
{
    size_t low = 0;
    size_t high = style->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(style->keys[middle].name, name);
        if (order == 0)
            return &style->keys[middle];
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static size_t first_place(const struct key_order *order, struct slice name)
{
    return hash_slice(order->seed, name) % KEY_PLACES;
}

/* The format's key of that name, or NULL: a line of new keys asks for each. */
static const struct pair_key *find_key(const struct pairs *p, struct slice name)
{
    const struct key_order *order = p->order;
    if (order == NULL)
        return search_key(p->style, name);
    for (size_t at = first_place(order, name); order->known[at] != 0; at = (at + 1) % KEY_PLACES) {
        const struct pair_key *key = &p->style->keys[order->known[at] - 1];
        if (slice_equal(key->name, name))
            return key;
    }
    return NULL;
}

/* Fill `out` with the key at `at`: `name` bytes, the assignment, and a quote or not. */
static void read_key(const struct pairs *p, struct key *out, const char *at, size_t name,
                     bool quoted)
{
    const struct pair_key *known = find_key(p, slice_of(at, name));
    struct pair_key meant;
    if (known == NULL && p->style->mean != NULL) {
        meant = p->style->mean(p->places, slice_of(at, name));
        known = &meant;
    }
    *out =
        (struct key){.length = (uint8_t)(name + p->style->assign.len + quoted), .quoted = quoted};
    out->name_length = (uint8_t)name;
    out->kind = quoted ? p->style->quoted_kind : (uint8_t)SLOT_PLAIN;
    if (out->length <= KEY_TEXT_MAX)
        memcpy(out->text, at, out->length);
    out->field = known == NULL ? (uint16_t)FIELD_UNNAMED : known->field;
    out->special = known == NULL ? (uint8_t)PAIR_NONE : known->treatment;
    out->unnamed = out->field == FIELD_UNNAMED;
}

/* The key at `at` by its text, remembered as a follower of `previous`; NULL when there is none. */
static const struct key *look_up(struct pairs *p, const struct key *previous, const char *at)
{
    size_t name = pairs_name_length(p->style, at, p->end);
    if (name == 0)
        return NULL;
    const char *value = at + name + p->style->assign.len;
    bool quoted = value < p->end && *value == '"';
    size_t length = (size_t)(value - at) + quoted;
    if (p->order == NULL || length > KEY_TEXT_MAX || p->fresh == PAIRS_FRESH_MAX) {
        read_key(p, &p->scratch, at, name, quoted);
        return &p->scratch;
    }
    bool emptied = false;
    uint32_t bucket = 0;
    struct key *key = key_order_find(p->order, at, length, &bucket);
    if (key == NULL) {
        struct key fresh;
        read_key(p, &fresh, at, name, quoted);
        p->fresh++;
        key = key_order_add(p->order, &fresh, bucket, &emptied);
    }
    if (!emptied && previous != &p->scratch)
        key_order_link(p->order, &p->order->keys[previous - p->order->keys], key);
    return key;
}

/* Whether a value may end before q: the line ends there, or a separator and the next key follow. */
static bool value_ends(const struct pairs *p, const char *q)
{
    if (q >= p->end)
        return true;
    if (*q != p->separator)
        return false;
    q = skip_blanks(q + 1, p->end);
    return q == p->end || pairs_name_length(p->style, q, p->end) > 0;
}

const char *pairs_name_before(const char *from, const char *at)
{
    if (at - from > PAIRS_NAME_MAX_BYTES)
        from = at - PAIRS_NAME_MAX_BYTES;
    while (at > from && is_name_byte(at[-1]))
        at--;
    return at;
}

/* Whether the quote at q opens the value of another key: "key=" behind a separator or a blank. */
static bool opens_value(const struct pairs *p, const char *value, const char *q)
{
    const struct slice assign = p->style->assign;
    if (q - value < (ptrdiff_t)assign.len + 1 || !assigns(p->style, q - assign.len, q))
        return false;
    const char *name = q - assign.len;
    const char *at = pairs_name_before(value, name);
    const bool whole = at > value && name - at < PAIRS_NAME_MAX_BYTES;
    return at < name && whole && (at[-1] == p->separator || at[-1] == ' ');
}

/*
 * The quote that closes the value, or NULL. An escaped quote counts only where nothing better
 * comes ("C:\" at the end of a value); a quote that opens another value stops the search.
 */
static const char *close_quote(const struct pairs *p, const char *value)
{
    const char *fallback = NULL;
    struct scan_walk marks = scan_walk_from(value, p->end, '"', '\\');
    for (const char *q = scan_walk_next(&marks); q < p->end; q = scan_walk_next(&marks)) {
        bool escaped = *q == '\\';
        if (escaped) {
            q++;
            if (q == p->end || (*q != '"' && *q != '\\'))
                continue;
            (void)scan_walk_next(&marks);
        }
        if (*q == '"' && value_ends(p, q + 1)) {
            if (!escaped)
                return q;
            fallback = fallback == NULL ? q : fallback;
        } else if (!escaped && opens_value(p, value, q)) {
            return fallback;
        }
    }
    return fallback;
}

/* The first of the two quotes that close a value, or NULL. */
static const char *close_doubled(const struct pairs *p, const char *value)
{
    struct scan_walk quotes = scan_walk_from(value, p->end, '"', '"');
    for (const char *q = scan_walk_next(&quotes); q < p->end; q = scan_walk_next(&quotes)) {
        if (q + 1 < p->end && q[1] == '"' && value_ends(p, q + 2))
            return q;
    }
    return NULL;
}

/* Where a bare value with separators in it ends, searched from `from`. */
static const char *close_bare(const struct pairs *p, const char *from)
{
    const char *q = scan_byte(from, p->end, p->separator);
    while (q < p->end) {
        const char *next = skip_blanks(q + 1, p->end);
        bool again = next < p->end && *next == p->separator;
        if (next == p->end || (!again && pairs_name_length(p->style, next, p->end) > 0))
            return q;
        q = again ? next : scan_byte(next, p->end, p->separator);
    }
    return p->end;
}

/* Where the value of `key` closes, or NULL for a quote that is never closed. */
static inline const char *close_value(const struct pairs *p, const struct key *key,
                                      const char *value)
{
    if (!key->quoted)
        return scan_byte(value, p->end, p->separator);
    const char *q = scan_either(value, p->end, '"', '\\');
    if (q < p->end && *q == '"' && (q + 1 == p->end || q[1] == p->separator))
        return q;
    return close_quote(p, value);
}

static uint32_t offset_of(const struct pairs *p, const char *at)
{
    return (uint32_t)(at - p->line.data);
}

struct slice pair_value(const struct pair *pair)
{
    return slice_of(pair->value, (size_t)(pair->close - pair->value));
}

bool pairs_absent(const struct pairs *p, const struct pair *pair)
{
    return p->style->absent.len > 0 && slice_equal(pair_value(pair), p->style->absent);
}

bool pairs_add(struct pairs *p, const struct pair *pair, const char *from, const char *to,
               uint16_t field)
{
    struct slot value = {.offset = offset_of(p, from),
                         .length = (uint32_t)(to - from),
                         .field = field,
                         .kind = pair->key->kind};
    if (field != FIELD_UNNAMED)
        return slots_add(p->out, value.offset, value.length, field, value.kind);
    struct slot name = {.offset = offset_of(p, pair->name), .length = pair->key->name_length};
    return slots_add_unnamed(p->out, &name, &value);
}

/* Append a value that its key does not mark as it stands. */
static bool add_special(struct pairs *p, const struct pair *pair)
{
    const struct key *key = pair->key;
    const uint32_t offset = offset_of(p, pair->value);
    const uint32_t length = (uint32_t)(pair->close - pair->value);
    if (key->special >= PAIR_OWN)
        return p->style->own(p, pair);
    if (pairs_absent(p, pair))
        return true;
    switch ((enum pair_treatment)key->special) {
    case PAIR_URL:
        return url_slots(p->out, p->line, offset, length, key->kind);
    case PAIR_ACCOUNT:
        return account_slots(p->out, p->line, offset, length, key->kind);
    case PAIR_NONE:
    case PAIR_ABSENT:
    case PAIR_OWN:
        break;
    }
    return pairs_add(p, pair, pair->value, pair->close, key->field);
}

/* Append one pair; false when the slots are full. */
static inline bool add_pair(struct pairs *p, const struct pair *pair)
{
    const struct key *key = pair->key;
    struct slots *out = p->out;
    if (key->special != PAIR_NONE)
        return add_special(p, pair);
    if (out->count + 2 > SLOTS_MAX)
        return false;
    /* Written always and overwritten by the value of a named key: no branch to mispredict. */
    struct slot *at = &out->items[out->count];
    *at = (struct slot){.offset = offset_of(p, pair->name),
                        .length = key->name_length,
                        .field = FIELD_UNNAMED,
                        .kind = SLOT_KEY};
    at += key->unnamed;
    *at = (struct slot){.offset = offset_of(p, pair->value),
                        .length = (uint32_t)(pair->close - pair->value),
                        .field = key->field,
                        .kind = key->kind};
    out->count += 1U + key->unnamed;
    return true;
}

/*
 * The text at `at` is no key: then the value before it was closed too early. Close it anew, with
 * its slots from `mark` on; numbers and addresses have no blanks and stay. Returns where the next
 * key begins, or NULL when the line is unreadable from `at` on.
 */
static const char *reopen(struct pairs *p, struct pair *pair, uint32_t mark, const char *at)
{
    const struct field_info *field = field_info(pair->key->field);
    const char *close = NULL;
    if (pair->key->quoted) {
        close = p->doubled ? NULL : close_quote(p, pair->value);
    } else if (field == NULL || field->type == FIELD_TYPE_TEXT) {
        close = close_bare(p, at);
    }
    if (close == NULL || close < at)
        return NULL;
    pair->close = close;
    p->out->count = mark;
    return add_pair(p, pair) ? close + pair->key->quoted + 1 : NULL;
}

/* Close the value of a pair; returns where the next key begins, or NULL for an open quote. */
static inline const char *close_pair(const struct pairs *p, struct pair *pair)
{
    bool twice = p->doubled && pair->key->quoted && pair->value < p->end && *pair->value == '"' &&
                 pair->value + 1 < p->end && pair->value[1] != p->separator;
    if (twice) {
        pair->value++;
        pair->close = close_doubled(p, pair->value);
        return pair->close == NULL ? NULL : pair->close + 3;
    }
    pair->close = close_value(p, pair->key, pair->value);
    return pair->close == NULL ? NULL : pair->close + pair->key->quoted + 1;
}

enum parse_result pairs_read(struct pairs *p, const char *at)
{
    const struct key *previous = p->order == NULL ? &p->scratch : &p->order->keys[0];
    struct pair pair = {.key = previous};
    uint32_t mark = p->out->count;
    p->scratch = (struct key){0};
    while (at < p->end) {
        const struct key *key = key_order_guess(p->order, previous, at, p->end);
        if (key == NULL && *at == ' ') {
            at = skip_blanks(at, p->end);
            if (at == p->end)
                break;
            key = key_order_guess(p->order, previous, at, p->end);
        }
        if (key == NULL)
            key = look_up(p, previous, at);
        if (key == NULL) {
            at = pair.value == NULL ? NULL : reopen(p, &pair, mark, at);
            if (at == NULL)
                return PARSE_PARTIAL;
            continue;
        }
        pair = (struct pair){.key = key, .name = at, .value = at + key->length};
        at = close_pair(p, &pair);
        bool cut = at == NULL;
        if (cut)
            pair.close = p->end;
        mark = p->out->count;
        if (!add_pair(p, &pair) || cut)
            return PARSE_PARTIAL;
        previous = key;
    }
    return PARSE_OK;
}

const char *pairs_first(const struct pairs_style *style, const char *from, const char *end)
{
    const char *limit = end - from > PAIRS_BEFORE_MAX ? from + PAIRS_BEFORE_MAX : end;
    for (const char *at = from; at < limit; at++) {
        if ((at == from || at[-1] == ' ') && pairs_name_length(style, at, end) > 0)
            return at;
    }
    return NULL;
}

/* What stands between the first two pairs; a blank where nothing does. */
static char find_separator(const struct pairs_style *style, const char *at, const char *end)
{
    static const char SEPARATORS[] = " ,|;\t";
    if (end - at > PROBE_MAX_BYTES)
        end = at + PROBE_MAX_BYTES;
    at = scan_byte(at, end, style->assign.data[0]) + style->assign.len;
    if (at < end && *at == '"')
        at = scan_byte(at + 1, end, '"');
    for (; at < end; at++) {
        if (*at == '\0' || strchr(SEPARATORS, *at) == NULL)
            continue;
        const char *next = skip_blanks(at + 1, end);
        if (pairs_name_length(style, next, end) > 0)
            return *at;
        at = next - 1;
    }
    return ' ';
}

enum parse_result pairs_ours(const struct pairs *p, uint32_t mark, enum parse_result result)
{
    for (uint32_t i = mark; i < p->out->count; i++) {
        if (p->out->items[i].field < FIELD_COLUMN_FIRST)
            return result;
    }
    return PARSE_MISMATCH;
}

enum parse_result pairs_read_line(struct pairs *p, uint32_t from)
{
    const char *start = p->line.data + from;
    const char *at = pairs_first(p->style, start, p->end);
    if (at == NULL)
        return PARSE_MISMATCH;
    p->separator = find_separator(p->style, at, p->end);
    if (at > start && !slots_add(p->out, from, (uint32_t)(at - start), FIELD_COLUMN(0), SLOT_PLAIN))
        return PARSE_PARTIAL;
    const uint32_t mark = p->out->count;
    const enum parse_result result = pairs_read(p, at);
    return pairs_ours(p, mark, result);
}

static void order_init(struct key_order *order, const struct pairs_style *style)
{
    assert(style->assign.len >= 1 && style->assign.len <= 2);
    assert(style->key_count <= KEY_PLACES / 2);
    order->seed = hash_seed();
    for (size_t i = 0; i < style->key_count; i++) {
        const struct slice name = style->keys[i].name;
        assert(i == 0 || slice_compare(style->keys[i - 1].name, name) < 0);
        size_t at = first_place(order, name);
        while (order->known[at] != 0)
            at = (at + 1) % KEY_PLACES;
        order->known[at] = (uint16_t)(i + 1);
    }
}

struct parser_state *pairs_states_new(const struct pairs_style *const *styles, size_t count)
{
    struct parser_state *state = calloc(count, sizeof(*state));
    bool asks = false;
    if (state == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        order_init(&state[i].order, styles[i]);
        asks = asks || styles[i]->mean != NULL;
    }
    state->places = asks ? calloc(1, sizeof(*state->places)) : NULL;
    if (asks && state->places == NULL) {
        free(state);
        return NULL;
    }
    return state;
}

struct parser_state *pairs_state_new(const struct pairs_style *style)
{
    return pairs_states_new(&style, 1);
}

void pairs_state_free(struct parser_state *state)
{
    if (state != NULL)
        free(state->places);
    free(state);
}

struct names_places *pairs_places(struct parser_state *state)
{
    return state == NULL ? NULL : state->places;
}

struct key_order *pairs_order_at(struct parser_state *state, size_t index)
{
    return state == NULL ? NULL : &state[index].order;
}

struct key_order *pairs_order(struct parser_state *state)
{
    return pairs_order_at(state, 0);
}

const char *pairs_key_at(const struct pairs_style *style, size_t index, uint16_t *field,
                         bool *unnamed)
{
    if (index >= style->key_count)
        return NULL;
    const struct pair_key *key = &style->keys[index];
    *unnamed = key->field == FIELD_UNNAMED;
    *field = *unnamed ? (uint16_t)FIELD_NONE : key->field;
    return key->name.data;
}
