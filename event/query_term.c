#include "event/query_term.h"

#include "base/clock.h"
#include "base/err.h"
#include "event/pred_leaf.h"
#include "event/pred_row.h"

enum {
    NAMES_MAX = 512, /* names and aliases that suggestions are taken from */
};

#define SHOWN(s) (int)((s).len > 80 ? 80 : (s).len), (s).data

/* Every name and alias, NUL-terminated, in the arena. */
static const char **names_all(struct arena *arena, size_t *count)
{
    const char **names = arena_array(arena, NAMES_MAX, sizeof(*names));
    size_t n = 0;
    size_t at = 0;
    const struct field_info *info = NULL;
    while (names != NULL && (info = field_next(&at)) != NULL && n < NAMES_MAX) {
        names[n++] = arena_copy(arena, info->name);
        size_t from = 0;
        while (from < info->aliases.len && n < NAMES_MAX) {
            struct slice rest = slice_from_offset(info->aliases, from);
            const char *blank = memchr(rest.data, ' ', rest.len);
            if (blank != NULL)
                rest.len = (size_t)(blank - rest.data);
            names[n++] = arena_copy(arena, rest);
            from += rest.len + 1;
        }
    }
    for (unsigned i = ROW_FIELD_NONE + 1; i < ROW_FIELD_COUNT && names != NULL && n < NAMES_MAX;
         i++)
        names[n++] = arena_copy(arena, row_field_name((enum row_field)i));
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (names[i] != NULL)
            names[(*count)++] = names[i];
    }
    return names;
}

/* Does the name begin like one of the dictionary? Then it is no format's, and wrong. */
static bool is_ours(struct slice name)
{
    static const char *const PREFIXES[] = {
        "source.",     "destination.", "network.",  "event.",   "log.",   "rule.",
        "threat.",     "host.",        "observer.", "user.",    "url.",   "http.",
        "user_agent.", "dns.",         "file.",     "sekisho.", "kafka.",
    };
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++) {
        if (slice_starts(name, slice_from(PREFIXES[i])))
            return true;
    }
    return false;
}

static int unknown(struct query_lex *lex, size_t at, struct slice name)
{
    size_t count = 0;
    const char **names = names_all(lex->arena, &count);
    const char *near = names == NULL ? NULL : diag_suggest(name, names, count);
    if (near != NULL)
        return lex_error(lex, at, "unknown field \"%.*s\"; did you mean \"%s\"?", SHOWN(name),
                         near);
    return lex_error(lex, at,
                     "unknown field \"%.*s\"; a field that only one format has is written "
                     "<format>.<key>, and a text with a colon is quoted",
                     SHOWN(name));
}

int term_field(struct query_lex *lex, size_t at, struct slice name, struct query_field *out)
{
    uint16_t id = field_find(name);
    const struct field_info *info = id == FIELD_NONE ? NULL : field_info(id);
    enum row_field row = row_field_find(info == NULL ? name : info->name);
    bool dotted = name.len != 0 && memchr(name.data, '.', name.len) != NULL;
    if (info == NULL && row == ROW_FIELD_NONE && (!dotted || is_ours(name)))
        return unknown(lex, at, name);
    const char *copy = arena_copy(lex->arena, name);
    if (copy == NULL)
        return ERR_NOMEM;
    *out = (struct query_field){.name = slice_of(copy, name.len),
                                .field = info == NULL ? (uint16_t)FIELD_UNNAMED : id,
                                .type = info == NULL ? (unsigned)FIELD_TYPE_TEXT : info->type};
    if (row != ROW_FIELD_NONE)
        out->type = row_field_type(row);
    return 0;
}

static struct ast *leaf_new(struct query_lex *lex, const struct query_field *field, enum ast_op op,
                            struct slice text)
{
    struct ast *leaf = arena_alloc(lex->arena, sizeof(*leaf));
    if (leaf == NULL)
        return NULL;
    *leaf = (struct ast){.kind = AST_LEAF, .op = op, .text = text};
    if (field != NULL) {
        leaf->field = field->field;
        leaf->field_name = field->name;
    }
    return leaf;
}

/* How long the name of a field is, with a dot in it, that stands before an equals sign; 0: there is none. */
static size_t equals_field(struct slice text)
{
    const char *equals = memchr(text.data, '=', text.len);
    size_t len = equals == NULL ? 0 : (size_t)(equals - text.data);
    bool dotted = len != 0 && memchr(text.data, '.', len) != NULL;
    return dotted && field_find(slice_of(text.data, len)) != FIELD_NONE ? len : 0;
}

int term_raw(struct query_lex *lex, struct ast **out)
{
    struct query_word word;
    int err = lex_word(lex, "", &word);
    if (err != 0)
        return err;
    if (!word.quoted && word.has_star) {
        return lex_error(lex, word.at,
                         "a text without a field has no wildcards: leave the star out, write "
                         "field:%.*s, or quote the text to look for a star",
                         SHOWN(word.plain));
    }
    size_t name_len = word.quoted ? 0 : equals_field(word.plain);
    if (name_len != 0) {
        return lex_error(
            lex, word.at,
            "%.*s is a field: write %.*s:%.*s, or quote the text to look for it in the "
            "lines",
            (int)name_len, word.plain.data, (int)name_len, word.plain.data,
            SHOWN(slice_of(word.plain.data + name_len + 1, word.plain.len - name_len - 1)));
    }
    *out = leaf_new(lex, NULL, AST_RAW, word.plain);
    return *out == NULL ? ERR_NOMEM : 0;
}

/* A number or a time to compare with. */
static int read_bound(struct query_lex *lex, const struct query_field *field,
                      const struct query_word *word, struct ast_bound *out)
{
    struct ast_bound bound = {.text = word->plain};
    struct number n = {0};
    if (field->type == FIELD_TYPE_IP) {
        return lex_error(lex, word->at,
                         "addresses are not compared by size; write %.*s:network/bits",
                         SHOWN(field->name));
    }
    if (field->type == LEAF_TYPE_TIME) {
        if (clock_parse(&bound.number, word->plain) != 0) {
            return lex_error(lex, word->at,
                             "\"%.*s\" is no time; write it like 2026-11-21T10:00:00+09:00",
                             SHOWN(word->plain));
        }
    } else if (!leaf_parse_number(word->plain, &n)) {
        return lex_error(lex, word->at, "\"%.*s\" is no number", SHOWN(word->plain));
    } else {
        bound.number = n.integer;
        bound.is_real = n.is_real;
        bound.real = n.is_real ? n.real : 0;
    }
    *out = bound;
    return 0;
}

static int order_value(struct query_lex *lex, const struct query_field *field, struct ast **out)
{
    bool less = lex_peek(lex, 0) == '<';
    bool equal = lex_peek(lex, 1) == '=';
    lex->at += equal ? 2 : 1;
    (void)lex_blanks(lex);
    struct query_word word;
    struct ast_bound bound;
    int err = lex_word(lex, "", &word);
    if (err == 0)
        err = read_bound(lex, field, &word, &bound);
    if (err != 0)
        return err;
    enum ast_op op =
        less ? (equal ? AST_LESS_EQUAL : AST_LESS) : (equal ? AST_GREATER_EQUAL : AST_GREATER);
    *out = leaf_new(lex, field, op, SLICE(""));
    if (*out == NULL)
        return ERR_NOMEM;
    (*out)->bound = bound;
    return 0;
}

/* One end of a range; *out stays as it is for an open one. */
static int range_end(struct query_lex *lex, const struct query_field *field, struct ast_bound *out,
                     bool *open)
{
    struct query_word word;
    (void)lex_blanks(lex);
    int err = lex_word(lex, "]", &word);
    if (err != 0)
        return err;
    *open = !word.quoted && slice_equal(word.plain, SLICE("*"));
    return *open ? 0 : read_bound(lex, field, &word, out);
}

static int range_value(struct query_lex *lex, const struct query_field *field, struct ast **out)
{
    size_t first = lex->at++;
    struct ast_bound low = {0};
    struct ast_bound high = {0};
    bool low_open = false;
    bool high_open = false;
    int err = range_end(lex, field, &low, &low_open);
    if (err != 0)
        return err;
    if (!lex_blanks(lex) || !lex_keyword(lex, "to"))
        return lex_error(lex, first, "a range is written [a to b]");
    err = range_end(lex, field, &high, &high_open);
    if (err != 0)
        return err;
    if (!lex_blanks(lex) || lex_peek(lex, 0) != ']')
        return lex_error(lex, first, "a range is written [a to b]");
    lex->at++;
    enum ast_op op = low_open ? (high_open ? AST_EXISTS : AST_LESS_EQUAL)
                              : (high_open ? AST_GREATER_EQUAL : AST_RANGE);
    *out = leaf_new(lex, field, op, SLICE(""));
    if (*out == NULL)
        return ERR_NOMEM;
    (*out)->bound = op == AST_LESS_EQUAL ? high : low;
    if (op == AST_RANGE)
        (*out)->high = high;
    return 0;
}

/* Is the text a value of the type? */
static bool is_typed(unsigned type, struct slice text)
{
    int64_t number = 0;
    enum epoch_form form = EPOCH_DIGITS;
    struct ip ip;
    switch (type) {
    case FIELD_TYPE_INT:
        return text.len != 0 && value_int(text, &number) != VALUE_INVALID;
    case FIELD_TYPE_EPOCH:
        return text.len != 0 && value_epoch(text, &number, &form) != VALUE_INVALID;
    case FIELD_TYPE_IP:
        return ip_parse(text, &ip) != VALUE_INVALID;
    case LEAF_TYPE_TIME:
        return clock_parse(&number, text) == 0;
    default:
        return true;
    }
}

/* Refuse a value that no value of the field's type can equal. */
static int check_typed(struct query_lex *lex, const struct query_field *field,
                       const struct query_word *word)
{
    const char *want = "a number";
    if (is_typed(field->type, word->plain))
        return 0;
    if (field->type == LEAF_TYPE_TIME)
        want = "a time like 2026-11-21T10:00:00+09:00";
    else if (field->type == FIELD_TYPE_EPOCH)
        want = "a time of 10, 13, 16 or 19 digits";
    else if (field->type == FIELD_TYPE_IP)
        want = "an address or a network";
    return lex_error(lex, word->at, "%.*s is %s; \"%.*s\" is none", SHOWN(field->name), want,
                     SHOWN(word->plain));
}

static int word_value(struct query_lex *lex, const struct query_field *field, struct ast **out)
{
    struct query_word word;
    int err = lex_word(lex, "", &word);
    if (err != 0)
        return err;
    bool wild = word.has_star || word.has_question;
    struct network net = {0};
    bool is_network = !wild && !word.quoted && field->type != FIELD_TYPE_INT &&
                      word.plain.len != 0 && memchr(word.plain.data, '/', word.plain.len) != NULL &&
                      network_parse(&net, word.plain, NULL) == 0;
    if (!wild && !is_network)
        err = check_typed(lex, field, &word);
    if (err != 0)
        return err;
    if (!word.quoted && word.has_star && word.plain.len == 1)
        *out = leaf_new(lex, field, AST_EXISTS, SLICE(""));
    else if (is_network)
        *out = leaf_new(lex, field, AST_NETWORK, word.plain);
    else
        *out = leaf_new(lex, field, wild ? AST_GLOB : AST_EQUAL, wild ? word.glob : word.plain);
    if (*out == NULL)
        return ERR_NOMEM;
    (*out)->network = net;
    return 0;
}

int term_value(struct query_lex *lex, const struct query_field *field, struct ast **out)
{
    char c = lex_peek(lex, 0);
    if (c == '<' || c == '>')
        return order_value(lex, field, out);
    if (c == '[')
        return range_value(lex, field, out);
    if (c != '/')
        return word_value(lex, field, out);
    struct slice pattern;
    size_t at = lex->at;
    int err = lex_regex(lex, &pattern);
    if (err != 0)
        return err;
    char message[REGEX_MESSAGE_BYTES];
    struct regex *re = NULL;
    err = regex_compile(&re, pattern, false, message);
    regex_free(re);
    if (err == ERR_CONF)
        return lex_error(lex, at, "the regex is wrong: %s", message);
    *out = leaf_new(lex, field, AST_REGEX, pattern);
    return err != 0 ? err : *out == NULL ? ERR_NOMEM : 0;
}
