#include "detect/json_walk.h"

#include <assert.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- checking --- */

enum expect {
    EXPECT_VALUE,
    EXPECT_ITEM, /* a value, or the end of the array */
    EXPECT_KEY,  /* a key, or the end of the object */
    EXPECT_NEXT_KEY,
    EXPECT_COLON,
    EXPECT_END, /* a comma or the end of what is open */
};

struct check {
    struct slice text;
    size_t at;
    unsigned depth;
    char open[JSON_WALK_DEPTH_MAX];
    enum expect expect;
};

/* The length of a string with its quotes; 0 = broken. */
static size_t string_length(struct slice s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.data[i] == '"')
            return i + 1;
        if ((unsigned char)s.data[i] < 0x20)
            return 0;
        i += s.data[i] == '\\';
    }
    return 0;
}

static size_t digits(struct slice s, size_t at)
{
    while (at < s.len && is_digit(s.data[at]))
        at++;
    return at;
}

/* The length of a number; 0 = none. */
static size_t number_length(struct slice s)
{
    size_t at = s.data[0] == '-';
    size_t end = digits(s, at);
    if (end == at || (s.data[at] == '0' && end > at + 1))
        return 0;
    if (end < s.len && s.data[end] == '.') {
        at = end + 1;
        end = digits(s, at);
        if (end == at)
            return 0;
    }
    if (end < s.len && (s.data[end] | 32) == 'e') {
        at = end + 1;
        at += at < s.len && (s.data[at] == '+' || s.data[at] == '-');
        end = digits(s, at);
        if (end == at)
            return 0;
    }
    return end;
}

static size_t literal_length(struct slice s)
{
    const struct slice words[] = {SLICE("true"), SLICE("false"), SLICE("null")};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (slice_starts(s, words[i]))
            return words[i].len;
    }
    return s.data[0] == '-' || is_digit(s.data[0]) ? number_length(s) : 0;
}

static const char *check_open(struct check *c, char open)
{
    if (c->depth == JSON_WALK_DEPTH_MAX)
        return "objects and arrays in each other more than 64 deep";
    c->open[c->depth++] = open;
    c->expect = open == '{' ? EXPECT_KEY : EXPECT_ITEM;
    c->at++;
    return NULL;
}

static void check_close(struct check *c)
{
    c->depth--;
    c->expect = EXPECT_END;
    c->at++;
}

static const char *check_value(struct check *c, struct slice rest)
{
    if (rest.data[0] == '{' || rest.data[0] == '[')
        return check_open(c, rest.data[0]);
    size_t len = rest.data[0] == '"' ? string_length(rest) : literal_length(rest);
    if (len == 0)
        return rest.data[0] == '"' ? "a string that does not end, or holds a control character"
                                   : "no JSON value here";
    c->at += len;
    c->expect = EXPECT_END;
    return NULL;
}

static const char *check_key(struct check *c, struct slice rest)
{
    size_t len = rest.data[0] == '"' ? string_length(rest) : 0;
    if (len == 0)
        return "a key in quotes is missing here";
    c->at += len;
    c->expect = EXPECT_COLON;
    return NULL;
}

static const char *check_end(struct check *c, char next)
{
    if (c->depth == 0)
        return "something behind the end of the document";
    char open = c->open[c->depth - 1];
    if (next == ',') {
        c->at++;
        c->expect = open == '{' ? EXPECT_NEXT_KEY : EXPECT_VALUE;
        return NULL;
    }
    if (next != (open == '{' ? '}' : ']'))
        return open == '{' ? "a comma or } is missing here" : "a comma or ] is missing here";
    check_close(c);
    return NULL;
}

static const char *check_step(struct check *c)
{
    struct slice rest = slice_from_offset(c->text, c->at);
    char next = rest.data[0];
    switch (c->expect) {
    case EXPECT_ITEM:
        if (next == ']') {
            check_close(c);
            return NULL;
        }
        return check_value(c, rest);
    case EXPECT_KEY:
        if (next == '}') {
            check_close(c);
            return NULL;
        }
        return check_key(c, rest);
    case EXPECT_NEXT_KEY:
        return check_key(c, rest);
    case EXPECT_COLON:
        if (next != ':')
            return "a colon is missing behind the key";
        c->at++;
        c->expect = EXPECT_VALUE;
        return NULL;
    case EXPECT_END:
        return check_end(c, next);
    case EXPECT_VALUE:
    default:
        return check_value(c, rest);
    }
}

static void place(struct json_fault *fault, struct slice text, size_t at)
{
    size_t begin = 0;
    fault->line = 1;
    for (size_t i = 0; i < at; i++) {
        if (text.data[i] == '\n') {
            fault->line++;
            begin = i + 1;
        }
    }
    fault->column = (uint32_t)(at - begin) + 1;
}

static size_t mark_length(struct slice text)
{
    return slice_starts(text, SLICE("\xef\xbb\xbf")) ? 3 : 0;
}

bool json_check(struct slice text, struct json_fault *fault)
{
    struct check c = {.text = text, .at = mark_length(text), .expect = EXPECT_VALUE};
    const char *why = NULL;
    while (why == NULL) {
        while (c.at < text.len && is_blank(text.data[c.at]))
            c.at++;
        if (c.at == text.len) {
            if (c.depth == 0 && c.expect == EXPECT_END)
                return true;
            why = text.len == 0 ? "empty" : "the document ends too early: is it cut off?";
            break;
        }
        why = check_step(&c);
    }
    fault->why = why;
    place(fault, text, c.at);
    return false;
}

/* --- walking --- */

void json_walk_begin(struct json_walk *w, struct slice text)
{
    *w = (struct json_walk){.text = text, .at = mark_length(text), .line = 1};
}

static void skip_blanks(struct json_walk *w)
{
    while (w->at < w->text.len && (is_blank(w->text.data[w->at]) || w->text.data[w->at] == ',')) {
        w->line += w->text.data[w->at] == '\n';
        w->at++;
    }
}

char json_walk_peek(struct json_walk *w)
{
    skip_blanks(w);
    if (w->at == w->text.len)
        return '\0';
    return w->text.data[w->at];
}

void json_walk_enter(struct json_walk *w)
{
    char open = json_walk_peek(w);
    assert(open == '{' || open == '[');
    w->at++;
}

static size_t take_string(struct json_walk *w)
{
    size_t len = string_length(slice_from_offset(w->text, w->at));
    assert(len != 0);
    w->at += len;
    return len;
}

bool json_walk_key(struct json_walk *w, struct slice *key)
{
    if (json_walk_peek(w) != '"') {
        w->at++;
        return false;
    }
    size_t from = w->at + 1;
    size_t len = take_string(w);
    *key = slice_of(w->text.data + from, len - 2);
    skip_blanks(w);
    w->at++; /* the colon */
    return true;
}

bool json_walk_item(struct json_walk *w)
{
    if (json_walk_peek(w) != ']')
        return true;
    w->at++;
    return false;
}

/* To the end of an object or array. */
static void skip_nested(struct json_walk *w)
{
    unsigned depth = 0;
    do {
        assert(w->at < w->text.len);
        char c = w->text.data[w->at];
        if (c == '"') {
            (void)take_string(w);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        w->line += c == '\n';
        w->at++;
    } while (depth != 0);
}

void json_walk_value(struct json_walk *w, struct slice *value, uint32_t *line)
{
    char first = json_walk_peek(w);
    size_t from = w->at;
    if (line != NULL)
        *line = w->line;
    if (first == '{' || first == '[')
        skip_nested(w);
    else if (first == '"')
        (void)take_string(w);
    else
        w->at += literal_length(slice_from_offset(w->text, w->at));
    if (value != NULL)
        *value = slice_of(w->text.data + from, w->at - from);
}
