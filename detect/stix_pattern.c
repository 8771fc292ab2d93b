#include "detect/stix_pattern.h"

#include <stdlib.h>

enum {
    ITEMS_FIRST = 16,
    JOINTS_MAX = 4 * STIX_NESTING_MAX,
};

static const char NO_MEMORY[] = "no memory for its pattern";

enum token_kind {
    TOKEN_END,
    TOKEN_MARK,    /* one of [ ] ( ) , */
    TOKEN_COMPARE, /* = != < <= > >= */
    TOKEN_WORD,    /* keyword, number, true, false */
    TOKEN_STRING,
    TOKEN_LITERAL, /* t'...' h'...' b'...' */
    TOKEN_PATH,
    TOKEN_BROKEN,
};

struct token {
    enum token_kind kind;
    char mark;
    struct slice text; /* as written; of a string without its quotes, escapes as they are */
};

/* What waits for its right-hand side. */
enum joint {
    JOINT_PAREN,
    JOINT_BRACKET,
    JOINT_FOLLOWED,
    JOINT_OR,
    JOINT_AND,
};

struct reading {
    struct stix_pattern *p;
    struct slice text;
    size_t at;
    struct token token; /* at hand */
    struct buf path;    /* of the comparison at hand, without quotes */
    bool inside;        /* of [ ] */
    bool no_memory;
    uint8_t joints[JOINTS_MAX];
    size_t joint_count;
    size_t operands[JOINTS_MAX + 1]; /* where each one's alternatives begin */
    size_t operand_count;
};

/* --- tokens --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '+';
}

/* The end of a quoted text that begins at `at`, or 0. */
static size_t quoted_end(struct slice text, size_t at)
{
    for (size_t i = at + 1; i < text.len; i++) {
        if (text.data[i] == '\'')
            return i + 1;
        i += text.data[i] == '\\';
    }
    return 0;
}

/* Behind a path's colon: names, quoted names, indexes. */
static size_t path_end(struct slice text, size_t at)
{
    while (at < text.len) {
        char c = text.data[at];
        if (is_word(c) || c == '.' || c == ':') {
            at++;
        } else if (c == '\'') {
            at = quoted_end(text, at);
            if (at == 0)
                return 0;
        } else if (c == '[') {
            const char *end = memchr(text.data + at, ']', text.len - at);
            if (end == NULL)
                return 0;
            at = (size_t)(end - text.data) + 1;
        } else {
            break;
        }
    }
    return at;
}

static struct token word_token(struct reading *r)
{
    size_t from = r->at;
    size_t at = from;
    bool number = r->text.data[from] <= '9';
    while (at < r->text.len && (is_word(r->text.data[at]) || (number && r->text.data[at] == '.')))
        at++;
    struct token t = {.kind = TOKEN_WORD};
    if (at < r->text.len && r->text.data[at] == ':') {
        t.kind = TOKEN_PATH;
        at = path_end(r->text, at);
    } else if (at < r->text.len && r->text.data[at] == '\'' && at == from + 1) {
        t.kind = TOKEN_LITERAL;
        at = quoted_end(r->text, at);
    }
    if (at == 0)
        return (struct token){.kind = TOKEN_BROKEN};
    t.text = slice_of(r->text.data + from, at - from);
    r->at = at;
    return t;
}

static struct token compare_token(struct reading *r)
{
    size_t from = r->at;
    while (r->at < r->text.len && r->at - from < 2 && is_one_of(r->text.data[r->at], "=!<>"))
        r->at++;
    return (struct token){.kind = TOKEN_COMPARE,
                          .text = slice_of(r->text.data + from, r->at - from)};
}

static void next_token(struct reading *r)
{
    while (r->at < r->text.len && is_blank(r->text.data[r->at]))
        r->at++;
    r->p->fault_at = r->at + 1;
    if (r->at == r->text.len) {
        r->token = (struct token){.kind = TOKEN_END};
        return;
    }
    char c = r->text.data[r->at];
    if (is_one_of(c, "[](),")) {
        r->at++;
        r->token = (struct token){.kind = TOKEN_MARK, .mark = c};
    } else if (c == '\'') {
        size_t end = quoted_end(r->text, r->at);
        r->token = (struct token){.kind = TOKEN_BROKEN};
        if (end != 0) {
            r->token.kind = TOKEN_STRING;
            r->token.text = slice_of(r->text.data + r->at + 1, end - r->at - 2);
            r->at = end;
        }
    } else if (is_one_of(c, "=!<>")) {
        r->token = compare_token(r);
    } else if (is_word(c)) {
        r->token = word_token(r);
    } else {
        r->token = (struct token){.kind = TOKEN_BROKEN};
    }
}

static bool is_mark(const struct reading *r, char mark)
{
    return r->token.kind == TOKEN_MARK && r->token.mark == mark;
}

static bool is_keyword(const struct reading *r, const char *word)
{
    return r->token.kind == TOKEN_WORD && slice_equal(r->token.text, slice_from(word));
}

/* --- alternatives --- */

static struct stix_alternative *add_item(struct reading *r)
{
    struct stix_pattern *p = r->p;
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? ITEMS_FIRST : 2 * p->cap;
        struct stix_alternative *items = realloc(p->items, cap * sizeof(*items));
        if (items == NULL) {
            r->no_memory = true;
            return NULL;
        }
        p->items = items;
        p->cap = cap;
    }
    struct stix_alternative *a = &p->items[p->count++];
    *a = (struct stix_alternative){.text = (uint32_t)p->texts.len};
    return a;
}

/* An alternative that nobody can compare, with what it is of. */
static void add_unsupported(struct reading *r, struct slice what, struct slice more)
{
    struct stix_alternative *a = add_item(r);
    if (a == NULL)
        return;
    size_t room = STIX_NAME_BYTES_MAX - more.len;
    buf_append(&r->p->texts, what.data, what.len < room ? what.len : room);
    buf_slice(&r->p->texts, more);
    a->len = (uint32_t)(r->p->texts.len - a->text);
}

static void push_operand(struct reading *r)
{
    r->operands[r->operand_count++] = r->p->count;
}

/* The last operand becomes one that is not supported. */
static void replace_operand(struct reading *r, const char *what)
{
    r->p->count = r->operands[r->operand_count - 1];
    add_unsupported(r, slice_from(what), SLICE(""));
}

static struct slice text_of(const struct stix_pattern *p, const struct stix_alternative *a)
{
    return slice_of(p->texts.data + a->text, a->len);
}

static bool takes_port(const struct stix_alternative *a, const struct stix_alternative *port)
{
    return port->kind == STIX_PORT && (a->port == 0 || a->port == port->port) &&
           (a->kind == STIX_ADDRESS || a->kind == STIX_DOMAIN || a->kind == STIX_DESTINATION);
}

/* Both together as one, where one value says it. */
static bool merge(struct stix_alternative *out, const struct stix_pattern *p,
                  const struct stix_alternative *a, const struct stix_alternative *b)
{
    bool same =
        a->kind == b->kind && a->port == b->port && slice_equal(text_of(p, a), text_of(p, b));
    if (same || a->kind == STIX_UNSUPPORTED || b->kind == STIX_TYPE)
        *out = *a;
    else if (b->kind == STIX_UNSUPPORTED || a->kind == STIX_TYPE)
        *out = *b;
    else if (takes_port(a, b))
        *out = (struct stix_alternative){a->text, a->len, b->port, a->kind};
    else if (takes_port(b, a))
        *out = (struct stix_alternative){b->text, b->len, a->port, b->kind};
    else
        return false;
    return true;
}

/* Each of the last operand but one with each of the last. */
static const char *cross(struct reading *r)
{
    struct stix_pattern *p = r->p;
    size_t first = r->operands[r->operand_count - 2];
    size_t second = r->operands[r->operand_count - 1];
    size_t end = p->count;
    if ((second - first) * (end - second) > STIX_ALTERNATIVES_MAX)
        return "its pattern has more than 16,384 alternatives";
    for (size_t a = first; a < second; a++) {
        for (size_t b = second; b < end; b++) {
            struct stix_alternative one;
            if (!merge(&one, p, &p->items[a], &p->items[b])) {
                add_unsupported(r, SLICE("AND of several values"), SLICE(""));
                continue;
            }
            struct stix_alternative *place = add_item(r);
            if (place != NULL)
                *place = one;
        }
    }
    if (r->no_memory)
        return NO_MEMORY;
    memmove(p->items + first, p->items + end, (p->count - end) * sizeof(*p->items));
    p->count -= end - first;
    return NULL;
}

/* Give the last operator its two operands, which stand one behind the other. */
static const char *reduce(struct reading *r)
{
    const char *why = NULL;
    uint8_t joint = r->joints[--r->joint_count];
    if (joint == JOINT_AND && r->inside)
        why = cross(r);
    r->operand_count--;
    if (joint == JOINT_FOLLOWED)
        replace_operand(r, "FOLLOWEDBY");
    else if (joint == JOINT_AND && !r->inside)
        replace_operand(r, "AND of observations");
    return why;
}

/* Everything down to the mark that opened what is closed here. */
static const char *close_mark(struct reading *r, enum joint open)
{
    const char *why = NULL;
    while (why == NULL && r->joint_count != 0 && r->joints[r->joint_count - 1] > JOINT_BRACKET)
        why = reduce(r);
    if (why != NULL)
        return why;
    if (r->joint_count == 0 || r->joints[r->joint_count - 1] != open)
        return "a bracket of its pattern is closed that was not opened";
    r->joint_count--;
    return NULL;
}

/* Of a whole observation: a port or a type alone is nothing to look for. */
static void finish_observation(struct reading *r)
{
    struct stix_pattern *p = r->p;
    for (size_t i = r->operands[r->operand_count - 1]; i < p->count; i++) {
        struct stix_alternative *a = &p->items[i];
        if (a->kind != STIX_PORT && a->kind != STIX_TYPE)
            continue;
        const struct slice name = a->kind == STIX_PORT ? SLICE("network-traffic:dst_port")
                                                       : SLICE("network-traffic:dst_ref.type");
        *a = (struct stix_alternative){.text = (uint32_t)p->texts.len, .len = (uint32_t)name.len};
        buf_slice(&p->texts, name);
    }
}

/* --- comparisons --- */

enum {
    PATH_OTHER = -1,
};

/* What a path asks for; enum stix_kind or PATH_OTHER. */
static int path_kind(struct slice path)
{
    static const struct {
        const char *path;
        int kind;
    } PATHS[] = {
        {"ipv4-addr:value", STIX_ADDRESS},
        {"ipv6-addr:value", STIX_ADDRESS},
        {"domain-name:value", STIX_DOMAIN},
        {"url:value", STIX_URL},
        {"network-traffic:dst_ref.value", STIX_DESTINATION},
        {"network-traffic:dst_ref.type", STIX_TYPE},
        {"network-traffic:dst_port", STIX_PORT},
        {"network-traffic:extensions.http-request-ext.request_header.user-agent", STIX_AGENT},
    };
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        if (slice_equal(path, slice_from(PATHS[i].path)))
            return PATHS[i].kind;
    }
    return PATH_OTHER;
}

/* The path without quotes; the name of a header in lower case, as headers are compared. */
static void take_path(struct reading *r)
{
    buf_reset(&r->path);
    const struct slice header = SLICE("request_header.");
    bool lower = false;
    for (size_t i = 0; i < r->token.text.len; i++) {
        char c = r->token.text.data[i];
        if (c == '\'')
            continue;
        buf_byte(&r->path, (char)(lower && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
        lower = lower ||
                (r->path.len >= header.len &&
                 memcmp(r->path.data + r->path.len - header.len, header.data, header.len) == 0);
    }
}

/* A port of 1 to 65535, or 0. */
static uint16_t port_of(struct slice text)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || port > UINT16_MAX)
            return 0;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* A literal as an alternative of its own. */
static const char *add_literal(struct reading *r, enum stix_kind kind)
{
    const struct token *t = &r->token;
    if (kind == STIX_PORT) {
        uint16_t port = port_of(t->text);
        if (port == 0 || t->kind == TOKEN_LITERAL)
            return "its pattern asks for a port that is none of 1 to 65535";
        struct stix_alternative *a = add_item(r);
        if (a != NULL) {
            a->port = port;
            a->kind = STIX_PORT;
        }
        return NULL;
    }
    if (t->kind != TOKEN_STRING)
        return "its pattern compares with what is no text in quotes";
    struct stix_alternative *a = add_item(r);
    if (a == NULL)
        return NO_MEMORY;
    for (size_t i = 0; i < t->text.len; i++) {
        i += t->text.data[i] == '\\' && i + 1 < t->text.len;
        buf_byte(&r->p->texts, t->text.data[i]);
    }
    a->len = (uint32_t)(r->p->texts.len - a->text);
    a->kind = (uint8_t)kind;
    return NULL;
}

/* The literal at hand: as an alternative of the kind, or passed over. */
static const char *take_literal(struct reading *r, int kind)
{
    enum token_kind token = r->token.kind;
    if (token != TOKEN_STRING && token != TOKEN_WORD && token != TOKEN_LITERAL)
        return "a value is missing here in its pattern";
    const char *why = kind < 0 ? NULL : add_literal(r, (enum stix_kind)kind);
    if (why == NULL)
        next_token(r);
    return why;
}

/* ('a', 'b', ...) */
static const char *take_list(struct reading *r, int kind)
{
    if (!is_mark(r, '('))
        return "IN without a list in parentheses in its pattern";
    do {
        next_token(r);
        const char *why = take_literal(r, kind);
        if (why != NULL)
            return why;
        if (r->p->count > STIX_ALTERNATIVES_MAX)
            return "its pattern has more than 16,384 alternatives";
    } while (is_mark(r, ','));
    if (!is_mark(r, ')'))
        return "a ) is missing here in its pattern";
    next_token(r);
    return NULL;
}

static bool is_operator_word(const struct reading *r)
{
    return is_keyword(r, "IN") || is_keyword(r, "LIKE") || is_keyword(r, "MATCHES") ||
           is_keyword(r, "ISSUBSET") || is_keyword(r, "ISSUPERSET");
}

/* Behind the path: whether the comparison is one of those that a list can make. */
static bool is_supported(const struct reading *r, int kind, bool negated)
{
    if (kind == PATH_OTHER || negated)
        return false;
    if (is_keyword(r, "ISSUBSET"))
        return kind == STIX_ADDRESS || kind == STIX_DESTINATION;
    return is_keyword(r, "IN") || slice_equal(r->token.text, SLICE("=")) ||
           slice_equal(r->token.text, SLICE("=="));
}

/* path [NOT] operator value; the path is at hand. */
static const char *take_comparison(struct reading *r)
{
    take_path(r);
    int kind = path_kind(buf_content(&r->path));
    next_token(r);
    bool negated = is_keyword(r, "NOT");
    if (negated)
        next_token(r);
    if (r->token.kind != TOKEN_COMPARE && !is_operator_word(r))
        return "an operator (=, IN, ISSUBSET, ...) is missing here in its pattern";
    push_operand(r);
    bool list = is_keyword(r, "IN");
    if (!is_supported(r, kind, negated)) {
        struct buf more = {0};
        if (kind != PATH_OTHER) {
            buf_text(&more, negated ? " NOT " : " ");
            buf_slice(&more, r->token.text);
        }
        add_unsupported(r, buf_content(&r->path), buf_content(&more));
        buf_release(&more);
        kind = PATH_OTHER;
    }
    next_token(r);
    return list ? take_list(r, kind) : take_literal(r, kind);
}

/* EXISTS path */
static const char *take_exists(struct reading *r)
{
    next_token(r);
    if (r->token.kind != TOKEN_PATH)
        return "EXISTS without a path in its pattern";
    push_operand(r);
    add_unsupported(r, r->token.text, SLICE(" EXISTS"));
    next_token(r);
    return NULL;
}

/* --- the whole --- */

static const char *push_joint(struct reading *r, enum joint joint)
{
    if (r->joint_count == JOINTS_MAX - 1)
        return "its pattern is nested too deep";
    r->joints[r->joint_count++] = (uint8_t)joint;
    return NULL;
}

/* What stands where a value is due. *due: whether one still is. */
static const char *take_operand(struct reading *r, bool *due)
{
    if (is_mark(r, '(')) {
        next_token(r);
        return push_joint(r, JOINT_PAREN);
    }
    if (is_mark(r, '[') && !r->inside) {
        next_token(r);
        r->inside = true;
        return push_joint(r, JOINT_BRACKET);
    }
    if (!r->inside)
        return "a [ is missing here in its pattern";
    *due = false;
    if (r->token.kind == TOKEN_PATH)
        return take_comparison(r);
    if (is_keyword(r, "EXISTS"))
        return take_exists(r);
    return "a path (ipv4-addr:value, ...) is missing here in its pattern";
}

static const char *take_binary(struct reading *r, enum joint joint, bool *due)
{
    const char *why = NULL;
    while (why == NULL && r->joint_count != 0 && r->joints[r->joint_count - 1] >= joint)
        why = reduce(r);
    if (why != NULL)
        return why;
    *due = true;
    next_token(r);
    return push_joint(r, joint);
}

/* WITHIN n SECONDS, REPEATS n TIMES, START t'...' STOP t'...' */
static const char *take_qualifier(struct reading *r)
{
    bool start = is_keyword(r, "START");
    replace_operand(r, is_keyword(r, "WITHIN") ? "WITHIN" : start ? "START ... STOP" : "REPEATS");
    next_token(r);
    next_token(r);
    if (!is_keyword(r, "SECONDS") && !is_keyword(r, "TIMES") && !is_keyword(r, "STOP"))
        return "a qualifier (WITHIN n SECONDS, REPEATS n TIMES) of its pattern is not whole";
    next_token(r);
    if (start)
        next_token(r);
    return NULL;
}

/* What stands behind a value. */
static const char *take_operator(struct reading *r, bool *due)
{
    if (is_keyword(r, "AND"))
        return take_binary(r, JOINT_AND, due);
    if (is_keyword(r, "OR"))
        return take_binary(r, JOINT_OR, due);
    if (is_keyword(r, "FOLLOWEDBY") && !r->inside)
        return take_binary(r, JOINT_FOLLOWED, due);
    if (is_mark(r, ')')) {
        next_token(r);
        return close_mark(r, JOINT_PAREN);
    }
    if (is_mark(r, ']')) {
        const char *why = close_mark(r, JOINT_BRACKET);
        if (why != NULL)
            return why;
        finish_observation(r);
        r->inside = false;
        next_token(r);
        return NULL;
    }
    if (!r->inside &&
        (is_keyword(r, "WITHIN") || is_keyword(r, "REPEATS") || is_keyword(r, "START")))
        return take_qualifier(r);
    return "AND, OR, ] or the end is missing here in its pattern";
}

static const char *take_all(struct reading *r)
{
    const char *why = NULL;
    bool due = true;
    next_token(r);
    while (why == NULL && (due || r->token.kind != TOKEN_END))
        why = due ? take_operand(r, &due) : take_operator(r, &due);
    while (why == NULL && r->joint_count != 0) {
        if (r->joints[r->joint_count - 1] <= JOINT_BRACKET)
            return "a bracket of its pattern is not closed";
        why = reduce(r);
    }
    if (r->no_memory || !buf_ok(&r->p->texts) || !buf_ok(&r->path))
        why = NO_MEMORY;
    return why;
}

const char *stix_pattern_read(struct stix_pattern *p, struct slice text)
{
    struct reading r = {.p = p, .text = text};
    p->count = 0;
    p->fault_at = 0;
    buf_reset(&p->texts);
    if (text.len > STIX_PATTERN_BYTES_MAX)
        return "its pattern has more than 1 MiB";
    const char *why = take_all(&r);
    buf_release(&r.path);
    if (why != NULL)
        p->count = 0;
    return why;
}

struct slice stix_pattern_text(const struct stix_pattern *p, const struct stix_alternative *a)
{
    return text_of(p, a);
}

void stix_pattern_release(struct stix_pattern *p)
{
    buf_release(&p->texts);
    free(p->items);
    *p = (struct stix_pattern){0};
}
