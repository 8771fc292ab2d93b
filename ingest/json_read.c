#include "ingest/json_read.h"

#include <assert.h>

#include "ingest/word.h"

static_assert((int)JSON_DEPTH_MAX <= (int)SLOT_DEPTH_MAX, "a key's depth fits a slot");

/* What may come next. */
enum expect {
    EXPECT_VALUE,
    EXPECT_KEY,
    EXPECT_COMMA,
};

/* An object or a list that is open. */
struct level {
    uint16_t key; /* whose value it is */
    bool list;
};

struct walk {
    struct json_text *out;
    struct json_keys *keys;
    const char *line;
    const char *p;
    const char *end;
    struct level levels[JSON_DEPTH_MAX];
    uint32_t depth; /* levels open */
    enum expect expect;
    uint16_t key;         /* of the value that is due */
    uint16_t previous;    /* the key before */
    uint32_t key_count;   /* of the line */
    uint32_t list_depth;  /* levels open inside the outermost list, 0 = in no list */
    uint32_t list_values; /* of that */
    const char *muted;    /* the rest of that list from here on is one item; or NULL */
    bool keys_full;
};

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void skip_blanks(struct walk *w)
{
    while (w->p < w->end && is_blank(*w->p))
        w->p++;
}

static inline bool add_item(struct walk *w, const char *from, const char *to, uint8_t type)
{
    if (w->out->count == JSON_ITEMS_MAX)
        return false;
    w->out->items[w->out->count++] = (struct json_item){.offset = (uint32_t)(from - w->line),
                                                        .length = (uint32_t)(to - from),
                                                        .key = w->key,
                                                        .type = type};
    return true;
}

/* The quote that closes the string whose content begins at `from`; or end. */
static inline const char *close_quote(const char *from, const char *end)
{
    const char *q = scan_either(from, end, '"', '\\');
    while (q < end && *q == '\\')
        q = end - q > 2 ? scan_either(q + 2, end, '"', '\\') : end;
    return q;
}

/* Append a value; the one that is too many for its list begins the rest of it. */
static inline bool add_value(struct walk *w, const char *from, const char *to, uint8_t type)
{
    if (w->muted != NULL)
        return true;
    if (w->list_depth != 0 && ++w->list_values > JSON_LIST_VALUES_MAX) {
        w->muted = type == JSON_STRING ? from - 1 : from;
        return true;
    }
    return add_item(w, from, to, type);
}

/* An object or a list begins at p. */
static bool open_level(struct walk *w)
{
    bool list = *w->p == '[';
    if (w->depth == JSON_DEPTH_MAX)
        return false;
    struct json_text *out = w->out;
    if (w->muted == NULL && out->count > 0 && out->items[out->count - 1].type == JSON_KEY &&
        w->previous == w->key && out->items[out->count - 1].key == w->key)
        out->items[out->count - 1].type = JSON_OUTER;
    w->levels[w->depth++] = (struct level){.key = w->key, .list = list};
    if (list && w->list_depth == 0) {
        w->list_depth = w->depth;
        w->list_values = 0;
    }
    w->expect = list ? EXPECT_VALUE : EXPECT_KEY;
    w->p++;
    return true;
}

/* The bracket at p closes the innermost level. */
static bool close_level(struct walk *w)
{
    if (w->depth == 0 || (*w->p == ']') != w->levels[w->depth - 1].list)
        return false;
    w->key = w->levels[w->depth - 1].key;
    if (w->list_depth == w->depth) {
        const char *muted = w->muted;
        w->list_depth = 0;
        w->muted = NULL;
        if (muted != NULL && !add_item(w, muted, w->p, JSON_RAW))
            return false;
    }
    w->depth--;
    w->expect = EXPECT_COMMA;
    w->p++;
    return true;
}

static bool take_number(struct walk *w)
{
    const char *from = w->p;
    const char *p = from + 1;
    while (p < w->end &&
           (word_is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E' || *p == '+' || *p == '-'))
        p++;
    w->p = p;
    return add_value(w, from, p, JSON_NUMBER);
}

/* A number, and in a list those that follow it without blanks. */
static bool take_numbers(struct walk *w)
{
    bool fits = take_number(w);
    if (!w->levels[w->depth - 1].list)
        return fits;
    while (fits && w->end - w->p > 1 && *w->p == ',' && word_is_digit(w->p[1])) {
        w->p++;
        fits = take_number(w);
    }
    return fits;
}

/* true, false, null; other letters are a word, too. */
static bool take_word(struct walk *w)
{
    const char *from = w->p;
    const char *p = from;
    while (p < w->end && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
        p++;
    if (p == from)
        return false;
    w->p = p;
    return (p - from == 4 && memcmp(from, "null", 4) == 0) || add_value(w, from, p, JSON_WORD);
}

static bool take_value(struct walk *w)
{
    char c = *w->p;
    if (c == '{' || c == '[')
        return open_level(w);
    if (c == ']')
        return close_level(w);
    w->expect = EXPECT_COMMA;
    if (c == '"') {
        const char *close = close_quote(w->p + 1, w->end);
        if (close == w->end)
            return false;
        const char *from = w->p + 1;
        w->p = close + 1;
        return add_value(w, from, close, JSON_STRING);
    }
    return word_is_digit(c) || c == '-' ? take_numbers(w) : take_word(w);
}

/* The key at p in the memory, as one more key of the line; JSON_KEY_NONE when it finds no room. */
static uint16_t find_key(struct walk *w, const char **close)
{
    uint16_t parent = w->levels[w->depth - 1].key;
    uint16_t index = json_keys_guess(w->keys, w->previous, parent, w->p, w->end);
    if (index != JSON_KEY_NONE) {
        *close = w->p + w->keys->keys[index].length - 1;
        return index;
    }
    *close = close_quote(w->p + 1, w->end);
    if (*close == w->end)
        return JSON_KEY_NONE;
    index =
        json_keys_find(w->keys, w->previous, parent, slice_of(w->p, (size_t)(*close + 1 - w->p)));
    w->keys_full = index == JSON_KEY_NONE;
    return index;
}

static bool take_key(struct walk *w)
{
    const char *close = NULL;
    if (*w->p == '}')
        return close_level(w);
    if (*w->p != '"')
        return false;
    const char *from = w->p + 1;
    if (w->muted != NULL) {
        close = close_quote(from, w->end);
    } else {
        uint16_t key = w->key_count < JSON_KEYS_MAX ? find_key(w, &close) : JSON_KEY_NONE;
        if (key == JSON_KEY_NONE)
            return false;
        w->key_count++;
        w->key = key;
        w->previous = key;
        if (!add_item(w, from, close, JSON_KEY))
            return false;
    }
    w->p = close == w->end ? close : close + 1;
    skip_blanks(w);
    if (w->p == w->end || *w->p != ':')
        return false;
    w->p++;
    w->expect = EXPECT_VALUE;
    return true;
}

static bool take_comma(struct walk *w)
{
    if (*w->p == '}' || *w->p == ']')
        return close_level(w);
    if (*w->p != ',')
        return false;
    w->p++;
    const struct level *level = &w->levels[w->depth - 1];
    w->key = level->key;
    w->expect = level->list ? EXPECT_VALUE : EXPECT_KEY;
    return true;
}

/* Behind a whole object or list: another one, or what lists of objects leave between them. */
static bool take_between(struct walk *w)
{
    w->key = JSON_KEY_ROOT;
    if (*w->p == '{' || *w->p == '[')
        return open_level(w);
    if (*w->p != ',' && *w->p != ']')
        return false;
    w->p++;
    return true;
}

static bool take(struct walk *w)
{
    if (w->depth == 0)
        return take_between(w);
    switch (w->expect) {
    case EXPECT_VALUE:
        return take_value(w);
    case EXPECT_KEY:
        return take_key(w);
    case EXPECT_COMMA:
        break;
    }
    return take_comma(w);
}

/* Walk to the end of the line, or to where it cannot be read. */
static void walk_line(struct walk *w, const char *start)
{
    w->p = start;
    w->out->count = 0;
    w->depth = 0;
    w->previous = JSON_KEY_ROOT;
    w->key_count = 0;
    w->list_depth = 0;
    w->muted = NULL;
    w->keys_full = false;
    for (;;) {
        skip_blanks(w);
        if (w->p == w->end)
            return;
        if (!take(w))
            return;
    }
}

enum parse_result json_read(struct json_text *out, struct json_keys *keys, struct slice line,
                            uint32_t from)
{
    struct walk w = {.out = out, .keys = keys, .line = line.data, .end = line.data + line.len};
    const char *start = line.data + from;
    while (start < w.end && is_blank(*start))
        start++;
    out->count = 0;
    if (start == w.end || (*start != '{' && *start != '['))
        return PARSE_MISMATCH;
    walk_line(&w, start);
    if (w.keys_full) {
        json_keys_empty(keys);
        walk_line(&w, start);
    }
    bool whole = w.p == w.end && w.depth == 0;
    out->rest = (uint32_t)(w.p - line.data);
    if (!whole && w.muted != NULL)
        out->rest = (uint32_t)(w.muted - line.data);
    return whole ? PARSE_OK : PARSE_PARTIAL;
}
