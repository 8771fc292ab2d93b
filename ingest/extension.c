#include "ingest/extension.h"

#include <stdlib.h>

#include "ingest/scan.h"

enum {
    LABELS_MAX = 48, /* of a line; further ones name nothing */
    OWNERS = 320,    /* fields below this have one key */
    KEY_BYTES_MAX = 64,
};

/* What a line says about its custom keys, and which pair gave which field its value. */
struct places {
    uint16_t labels[LABELS_MAX]; /* indexes of pairs whose key ends in Label */
    uint32_t label_count;
    uint16_t owners[OWNERS]; /* index of the pair + 1 */
    bool whole_url;
    struct meaning meanings[EXTENSION_PAIRS_MAX]; /* of the pairs */
};

struct parser_state {
    struct names_memory names;
};

struct names_memory *extension_names(struct parser_state *state)
{
    return &state->names;
}

struct parser_state *extension_state_new(void)
{
    return calloc(1, sizeof(struct parser_state));
}

void extension_state_free(struct parser_state *state)
{
    free(state);
}

static struct slice text_at(const struct extension *e, uint32_t from, uint32_t bytes)
{
    return slice_of(e->line.data + from, bytes);
}

bool extension_add(struct extension *e, struct slice key, const char *from, const char *to)
{
    if (e->count == EXTENSION_PAIRS_MAX)
        return false;
    while (from < to && extension_is_blank(*from))
        from++;
    while (to > from && extension_is_blank(to[-1]))
        to--;
    if (to - from >= 2 && *from == '"' && to[-1] == '"') {
        from++;
        to--;
    }
    e->pairs[e->count++] = (struct extension_pair){.key = (uint32_t)(key.data - e->line.data),
                                                   .key_bytes = (uint32_t)key.len,
                                                   .value = (uint32_t)(from - e->line.data),
                                                   .value_bytes = (uint32_t)(to - from)};
    return true;
}

static bool is_key_byte(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '[' || c == ']' || c == '(' || c == ')';
}

/*
 * The key whose '=' stands at `equals`: behind a blank or, of the first one, where the text begins
 * at `from` or behind a bar.
 */
static struct slice key_before(const char *from, const char *equals, bool first)
{
    const char *p = equals;
    while (p > from && equals - p < KEY_BYTES_MAX && is_key_byte(p[-1]))
        p--;
    bool begins = p == from ? first : extension_is_blank(p[-1]) || (first && p[-1] == '|');
    return slice_of(p, p < equals && begins ? (size_t)(equals - p) : 0);
}

/* Behind a value in quotes, where a blank or the end follows its last one; else `value`. */
static const char *skip_quoted(const char *value, const char *end)
{
    if (value == end || *value != '"')
        return value;
    const char *close = scan_either(value + 1, end, '"', '\\');
    while (close < end && *close == '\\')
        close = end - close > 2 ? scan_either(close + 2, end, '"', '\\') : end;
    return close < end && (close + 1 == end || extension_is_blank(close[1])) ? close + 1 : value;
}

bool extension_read(struct extension *e, const char *from, const char *end)
{
    struct slice key = {0};
    const char *value = from;
    const char *searched = from;
    for (const char *q = scan_byte(from, end, '='); q < end; q = scan_byte(searched, end, '=')) {
        struct slice next = key_before(searched, q, key.len == 0);
        searched = q + 1;
        if (next.len == 0)
            continue;
        if (key.len > 0 && !extension_add(e, key, value, next.data))
            return false;
        key = next;
        value = q + 1;
        searched = skip_quoted(value, end);
    }
    return key.len == 0 || extension_add(e, key, value, end);
}

bool extension_split(struct extension *e, const char *from, const char *end, struct slice separator)
{
    const char *p = from;
    while (p < end) {
        const char *stop =
            separator.len == 1 ? scan_byte(p, end, *separator.data) : scan_text(p, end, separator);
        p = extension_skip_blanks(p, stop);
        const char *equals = scan_byte(p, stop, '=');
        if (equals > p && equals < stop &&
            !extension_add(e, slice_of(p, (size_t)(equals - p)), equals + 1, stop))
            return false;
        p = stop == end ? end : stop + separator.len;
    }
    return true;
}

static bool ends_in_label(struct slice key)
{
    static const struct slice LABEL = {"Label", 5};
    return key.len > LABEL.len &&
           memcmp(key.data + key.len - LABEL.len, LABEL.data, LABEL.len) == 0;
}

static void find_labels(const struct extension *e, struct places *places)
{
    for (uint32_t i = 0; i < e->count && places->label_count < LABELS_MAX; i++) {
        if (ends_in_label(text_at(e, e->pairs[i].key, e->pairs[i].key_bytes)))
            places->labels[places->label_count++] = (uint16_t)i;
    }
}

/* Keys that a label may name: cs1, cn2, cfp1, c6a1, flexString1, deviceCustomDate1. */
static bool is_custom(struct slice key)
{
    if (key.len < 3 || key.data[key.len - 1] < '0' || key.data[key.len - 1] > '9')
        return false;
    return (key.data[0] == 'c' && (key.data[1] == 's' || key.data[1] == 'n' || key.data[1] == 'f' ||
                                   key.data[1] == '6')) ||
           slice_starts(key, SLICE("flex")) || slice_starts(key, SLICE("deviceCustom"));
}

static struct meaning label_meaning(const struct extension *e, const struct places *places,
                                    struct slice key)
{
    for (uint32_t i = 0; i < places->label_count; i++) {
        const struct extension_pair *pair = &e->pairs[places->labels[i]];
        struct slice label = text_at(e, pair->key, pair->key_bytes - (uint32_t)sizeof("Label") + 1);
        if (slice_equal(label, key))
            return names_meaning(e->memory, e->vendor, e->dialect,
                                 text_at(e, pair->value, pair->value_bytes));
    }
    return (struct meaning){.field = FIELD_UNNAMED};
}

static struct meaning pair_meaning(const struct extension *e, const struct places *places,
                                   struct slice key)
{
    if (is_custom(key)) {
        struct meaning labelled = label_meaning(e, places, key);
        if (labelled.field != FIELD_UNNAMED)
            return labelled;
    }
    return names_meaning(e->memory, e->vendor, e->dialect, key);
}

static bool put_unnamed(const struct extension *e, const struct extension_pair *pair)
{
    struct slot key = {.offset = pair->key, .length = pair->key_bytes};
    struct slot value = {.offset = pair->value, .length = pair->value_bytes, .kind = e->kind};
    return slots_add_unnamed(e->out, &key, &value);
}

static bool put_pair(const struct extension *e, struct places *places, uint32_t index)
{
    const struct extension_pair *pair = &e->pairs[index];
    struct meaning meaning = places->meanings[index];
    if (meaning.field == FIELD_UNNAMED)
        return put_unnamed(e, pair);
    if (meaning.form != MEANING_ALSO && meaning.field < OWNERS) {
        uint16_t *owner = &places->owners[meaning.field];
        bool part = meaning.field == FIELD_URL_DOMAIN || meaning.field == FIELD_URL_PATH;
        if (*owner != 0 || (part && places->whole_url))
            return put_unnamed(e, pair);
        if (pair->value_bytes > 0)
            *owner = (uint16_t)(index + 1);
    }
    struct slot value = {.offset = pair->value, .length = pair->value_bytes, .kind = e->kind};
    return meaning_slots(e->out, e->line, &meaning, &value);
}

/*
 * What each pair means, once; and whether there is a URL with its host, beside which hosts of other
 * keys are no part of a URL.
 */
static void find_meanings(const struct extension *e, struct places *places)
{
    for (uint32_t i = 0; i < e->count; i++) {
        const struct extension_pair *pair = &e->pairs[i];
        places->meanings[i] = pair_meaning(e, places, text_at(e, pair->key, pair->key_bytes));
        places->whole_url |= places->meanings[i].field == FIELD_URL_ORIGINAL &&
                             pair->value_bytes >= 4 && e->line.data[pair->value] != '/';
    }
}

bool extension_slots(struct extension *e)
{
    struct places places;
    places.label_count = 0;
    places.whole_url = false;
    memset(places.owners, 0, sizeof(places.owners));
    find_labels(e, &places);
    find_meanings(e, &places);
    for (uint32_t i = 0; i < e->count; i++) {
        if (!put_pair(e, &places, i))
            return false;
    }
    return true;
}

enum parse_result extension_end(struct extension *e, const char *from, bool whole)
{
    const char *end = e->line.data + e->line.len;
    if (!extension_slots(e))
        return PARSE_PARTIAL;
    if (e->count > 0 || extension_skip_blanks(from, end) == end)
        return whole ? PARSE_OK : PARSE_PARTIAL;
    (void)slots_add(e->out, (uint32_t)(from - e->line.data), (uint32_t)(end - from),
                    FIELD_COLUMN(EXTENSION_REST), e->kind);
    return PARSE_PARTIAL;
}
