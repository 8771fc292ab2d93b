/* app/bench_invent.c - invented rules, and a naive look at what they hold for. */
#include "app/bench_invent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

enum {
    PATTERNS_FEW = 2, /* of an even rule */
    PATTERNS_MANY = 3,
    WORD_BYTES = 24,
    LIVE_EVERY = 40,   /* rules */
    LIVE_TRIES = 200,  /* to find a text that is seldom */
    LIVE_SHARE = 1000, /* at most one row in so many */
    LIVE_MIN = 5,      /* bytes */
    SHAPES = 8,
};

enum mode {
    MODE_CONTAINS,
    MODE_STARTS,
    MODE_ENDS,
};

struct pattern {
    enum invent_field field;
    enum mode mode;
    size_t len;
    char text[INVENT_TEXT_MAX + 1];
};

struct rule {
    uint32_t first; /* pattern */
    uint32_t count;
    bool all; /* all of them, not one */
};

struct invent {
    struct pattern *patterns;
    uint32_t pattern_count;
    struct rule *rules;
    uint32_t rule_count;
    uint64_t seed;
};

const char *invent_field_name(enum invent_field field)
{
    static const char *const NAMES[INVENT_FIELDS] = {"url.original", "url.path", "url.query",
                                                     "user_agent.original", "url.domain"};
    return NAMES[field];
}

/* Rows */

static char small(char c)
{
    static const char SMALL[] = "abcdefghijklmnopqrstuvwxyz";
    if (c < 'A' || c > 'Z')
        return c;
    return SMALL[c - 'A'];
}

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, small(c));
    return at == NULL ? -1 : (int)(at - digits);
}

/* In place; what is no escape stays. Returns the new length. */
static size_t percent_decode(char *text, size_t len)
{
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        bool whole = text[i] == '%' && i + 2 < len;
        int high = whole ? digit_of(text[i + 1]) : -1;
        int low = whole ? digit_of(text[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            text[to++] = (char)(high * 16 + low);
            i += 2;
        } else {
            text[to++] = text[i];
        }
    }
    return to;
}

static void fold(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = small(text[i]);
}

int invent_row_take(struct invent_row *row, enum invent_field field, struct slice value,
                    struct arena *arena)
{
    char *first = arena_copy(arena, value);
    if (first == NULL)
        return ERR_NOMEM;
    fold(first, value.len);
    row->forms[field][0] = slice_of(first, value.len);
    if (field == INVENT_AGENT || value.len == 0 || memchr(value.data, '%', value.len) == NULL)
        return 0;
    char *second = arena_copy(arena, value);
    if (second == NULL)
        return ERR_NOMEM;
    size_t len = percent_decode(second, value.len);
    fold(second, len);
    row->forms[field][1] = slice_of(second, len);
    return 0;
}

static bool text_holds(const struct pattern *p, struct slice text)
{
    if (text.data == NULL || text.len < p->len)
        return false;
    if (p->mode == MODE_CONTAINS)
        return memmem(text.data, text.len, p->text, p->len) != NULL;
    size_t at = p->mode == MODE_STARTS ? 0 : text.len - p->len;
    return memcmp(text.data + at, p->text, p->len) == 0;
}

static bool pattern_holds(const struct pattern *p, const struct invent_row *row)
{
    for (size_t i = 0; i < INVENT_FORMS; i++) {
        if (text_holds(p, row->forms[p->field][i]))
            return true;
    }
    return false;
}

bool invent_holds(const struct invent *inv, uint32_t rule, const struct invent_row *row)
{
    const struct rule *r = &inv->rules[rule];
    for (uint32_t i = 0; i < r->count; i++) {
        if (pattern_holds(&inv->patterns[r->first + i], row) != r->all)
            return !r->all;
    }
    return r->all;
}

/* Inventing */

/* The n-th number of a rule (Vigna's splitmix64). */
static uint64_t number(const struct invent *inv, uint64_t n)
{
    uint64_t z = inv->seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void word_make(char out[WORD_BYTES], uint64_t random)
{
    static const char *const PARTS[] = {"ba", "ker", "lo",  "min", "sto", "ra",  "pix", "tel",
                                        "du", "vor", "nas", "ge",  "hil", "my",  "qua", "zen",
                                        "fa", "rup", "ox",  "cla", "we",  "jit", "so",  "bry",
                                        "an", "dep", "ic",  "lum", "po",  "tra", "es",  "gon"};
    size_t len = 0;
    unsigned parts = 3 + (unsigned)(random & 1);
    random >>= 1;
    for (unsigned i = 0; i < parts; i++, random >>= 5)
        len += (size_t)snprintf(out + len, WORD_BYTES - len, "%s", PARTS[random & 31]);
    (void)snprintf(out + len, WORD_BYTES - len, "%u", (unsigned)(random & 63));
}

struct template
{
    enum invent_field field;
    enum mode mode;
    const char *before;
    const char *between;
    const char *after;
};

/* What the patterns of a rule look like, by its shape; the last one repeats. */
static const struct template TEMPLATES[SHAPES][PATTERNS_MANY] = {
    {{INVENT_DOMAIN, MODE_ENDS, ".", "-", ".example"},
     {INVENT_DOMAIN, MODE_ENDS, ".", "", ".test"},
     {INVENT_DOMAIN, MODE_CONTAINS, "", ".", "."}},
    {{INVENT_PATH, MODE_CONTAINS, "/", "/", ".php"},
     {INVENT_PATH, MODE_CONTAINS, "/", "-", "/"},
     {INVENT_PATH, MODE_STARTS, "/", "/", ""}},
    {{INVENT_URL, MODE_CONTAINS, "/", "_", "?id="},
     {INVENT_URL, MODE_CONTAINS, "://", ".", "."},
     {INVENT_URL, MODE_ENDS, "/", ".", "/gate"}},
    {{INVENT_AGENT, MODE_CONTAINS, "", " ", "/1."},
     {INVENT_PATH, MODE_STARTS, "/", "/", ""},
     {INVENT_QUERY, MODE_CONTAINS, "", "=", ""}},
    {{INVENT_QUERY, MODE_CONTAINS, "", "=", ""},
     {INVENT_QUERY, MODE_CONTAINS, "&", "=", ""},
     {INVENT_QUERY, MODE_ENDS, "", "-", "=1"}},
    {{INVENT_PATH, MODE_ENDS, "/", "-", ".exe"},
     {INVENT_PATH, MODE_ENDS, "", ".", ".hta"},
     {INVENT_PATH, MODE_ENDS, "", "_", ".ps1"}},
    {{INVENT_PATH, MODE_CONTAINS, "", "/", ""},
     {INVENT_QUERY, MODE_CONTAINS, "", "=", ""},
     {INVENT_PATH, MODE_CONTAINS, "/", "/", ""}},
    {{INVENT_AGENT, MODE_CONTAINS, "", "-", "/2."},
     {INVENT_AGENT, MODE_STARTS, "", " ", "/"},
     {INVENT_AGENT, MODE_ENDS, "(", " ", ")"}},
};

static bool shape_is_all(unsigned shape)
{
    return shape == 3 || shape == 4 || shape == 6;
}

static void pattern_text(struct pattern *p, const char *text, size_t len)
{
    p->len = len < INVENT_TEXT_MAX ? len : INVENT_TEXT_MAX;
    memcpy(p->text, text, p->len);
    p->text[p->len] = '\0';
}

static void pattern_invent(struct pattern *p, const struct template *t, uint64_t random)
{
    char first[WORD_BYTES];
    char second[WORD_BYTES];
    word_make(first, random >> 32);
    word_make(second, random);
    p->field = t->field;
    p->mode = t->mode;
    p->len = (size_t)snprintf(p->text, sizeof(p->text), "%s%s%s%s%s", t->before, first, t->between,
                              second, t->after);
}

/* A text that very many events have. */
static void pattern_common(struct pattern *p, uint64_t random)
{
    static const struct {
        enum invent_field field;
        const char *text;
    } COMMON[] = {{INVENT_PATH, "/assets/"},    {INVENT_PATH, "index.html"},
                  {INVENT_URL, "http://"},      {INVENT_DOMAIN, ".example"},
                  {INVENT_AGENT, "windows nt"}, {INVENT_QUERY, "v=2"},
                  {INVENT_PATH, ".css"},        {INVENT_DOMAIN, "www."}};
    size_t at = random % (sizeof(COMMON) / sizeof(COMMON[0]));
    p->field = COMMON[at].field;
    p->mode = MODE_CONTAINS;
    pattern_text(p, COMMON[at].text, strlen(COMMON[at].text));
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || strchr("'*?\\%", text.data[i]) != NULL)
            return false;
    }
    return text.len >= LIVE_MIN && text.len <= INVENT_TEXT_MAX;
}

/* The end of a row's value: a whole name, the last step of a path, the end of a query. */
static bool live_candidate(struct pattern *p, const struct invent_row *row, uint64_t random)
{
    static const enum invent_field FIELDS[] = {INVENT_DOMAIN, INVENT_PATH, INVENT_QUERY,
                                               INVENT_URL};
    p->field = FIELDS[random & 3];
    p->mode = MODE_ENDS;
    struct slice text = row->forms[p->field][0];
    if (text.data == NULL)
        return false;
    if (p->field == INVENT_PATH) {
        const char *slash = memrchr(text.data, '/', text.len);
        text = slice_from_offset(text, slash == NULL ? 0 : (size_t)(slash - text.data));
    } else if (p->field != INVENT_DOMAIN && text.len > 16) {
        text = slice_from_offset(text, text.len - 16);
    }
    if (!is_plain(text))
        return false;
    pattern_text(p, text.data, text.len);
    return true;
}

/* Replace a pattern by one that some rows hold; it stays where none is seldom enough. */
static void pattern_live(const struct invent *inv, struct pattern *p, uint64_t from,
                         const struct invent_row *rows, size_t row_count)
{
    for (uint64_t i = 0; i < LIVE_TRIES && row_count != 0; i++) {
        struct pattern candidate = {0};
        uint64_t random = number(inv, from + i);
        size_t hits = 0;
        if (!live_candidate(&candidate, &rows[(random >> 8) % row_count], random))
            continue;
        for (size_t row = 0; row < row_count; row++)
            hits += pattern_holds(&candidate, &rows[row]);
        if (hits * LIVE_SHARE > row_count)
            continue;
        *p = candidate;
        return;
    }
}

static void rule_invent(struct invent *inv, uint32_t n, const struct invent_row *rows,
                        size_t row_count)
{
    struct rule *r = &inv->rules[n];
    unsigned shape = (unsigned)(number(inv, n) % SHAPES);
    uint64_t from = (uint64_t)(n + 1) << 32;
    *r = (struct rule){.first = inv->pattern_count,
                       .count = n % 2 == 0 ? PATTERNS_FEW : PATTERNS_MANY,
                       .all = shape_is_all(shape)};
    for (uint32_t i = 0; i < r->count; i++)
        pattern_invent(&inv->patterns[r->first + i], &TEMPLATES[shape][i], number(inv, from + i));
    if (shape == 6)
        pattern_common(&inv->patterns[r->first], number(inv, from + PATTERNS_MANY));
    if (n % LIVE_EVERY == 0) {
        r->all = false;
        pattern_live(inv, &inv->patterns[r->first], from + PATTERNS_MANY + 1, rows, row_count);
    }
    inv->pattern_count += r->count;
}

int invent_new(struct invent **out, uint32_t rules, uint64_t seed, const struct invent_row *rows,
               size_t row_count)
{
    struct invent *inv = calloc(1, sizeof(*inv));
    if (inv == NULL)
        return ERR_NOMEM;
    inv->seed = seed;
    inv->rules = calloc(rules + 1U, sizeof(*inv->rules));
    inv->patterns = calloc((size_t)rules * PATTERNS_MANY + 1, sizeof(*inv->patterns));
    if (inv->rules == NULL || inv->patterns == NULL) {
        invent_free(inv);
        return ERR_NOMEM;
    }
    for (; inv->rule_count < rules; inv->rule_count++)
        rule_invent(inv, inv->rule_count, rows, row_count);
    *out = inv;
    return 0;
}

void invent_free(struct invent *inv)
{
    if (inv == NULL)
        return;
    free(inv->rules);
    free(inv->patterns);
    free(inv);
}

void invent_rule_text(const struct invent *inv, uint32_t rule, struct buf *out)
{
    static const char *const MODES[] = {"contains", "startswith", "endswith"};
    const struct rule *r = &inv->rules[rule];
    buf_printf(out,
               "title: Invented rule %u\nid: " INVENT_RULE_ID "\nstatus: test\nlevel: medium\n"
               "logsource:\n  category: proxy\ndetection:\n",
               rule, rule);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct pattern *p = &inv->patterns[r->first + i];
        buf_printf(out, "  part%u:\n    %s|%s: '%s'\n", i, invent_field_name(p->field),
                   MODES[p->mode], p->text);
    }
    buf_printf(out, "  condition: %s of part*\n", r->all ? "all" : "1");
}
