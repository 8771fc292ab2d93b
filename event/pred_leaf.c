#include "event/pred_leaf.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/charset.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"
#include "base/fold.h"
#include "event/value.h"

enum {
    NUMBER_BYTES_MAX = 64, /* a longer text is no number */
    JAPAN_MINUTES = 9 * 60,
};

static size_t digits(struct slice s, size_t at)
{
    size_t from = at;
    while (at < s.len && (unsigned char)(s.data[at] - '0') < 10)
        at++;
    return at - from;
}

bool leaf_parse_number(struct slice text, struct number *out)
{
    if (text.len == 0 || text.len > NUMBER_BYTES_MAX)
        return false;
    size_t at = text.data[0] == '-' ? 1 : 0;
    size_t whole = digits(text, at);
    if (whole == 0)
        return false;
    at += whole;
    bool is_real = at < text.len;
    if (at < text.len && text.data[at] == '.') {
        size_t fraction = digits(text, at + 1);
        if (fraction == 0)
            return false;
        at += 1 + fraction;
    }
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        if (at < text.len && (text.data[at] == '-' || text.data[at] == '+'))
            at++;
        size_t exponent = digits(text, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    if (at != text.len)
        return false;
    char copy[NUMBER_BYTES_MAX + SLICE_PADDING_BYTES] = {0};
    memcpy(copy, text.data, text.len);
    struct number n = {.is_real = is_real};
    if (!is_real && value_int(slice_of(copy, text.len), &n.integer) == VALUE_INVALID)
        n.is_real = true;
    n.real = n.is_real ? strtod(copy, NULL) : (double)n.integer;
    *out = n;
    return true;
}

/* Tokens of a pattern in which backslash makes * ? and backslash plain. */
static size_t glob_read(uint16_t *out, struct slice pattern, bool cased)
{
    size_t count = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        unsigned char c = (unsigned char)pattern.data[i];
        if (c == '\\' && i + 1 < pattern.len && strchr("*?\\", pattern.data[i + 1]) != NULL &&
            pattern.data[i + 1] != '\0') {
            out[count++] = (unsigned char)pattern.data[++i];
        } else if (c == '*') {
            if (count == 0 || out[count - 1] != GLOB_ANY)
                out[count++] = GLOB_ANY;
        } else if (c == '?') {
            out[count++] = GLOB_ONE;
        } else {
            out[count++] = cased ? c : find_fold(c);
        }
    }
    return count;
}

/* Copy tokens [from, to) as bytes. */
static struct slice glob_bytes(struct arena *arena, const uint16_t *glob, size_t from, size_t to)
{
    char *bytes = arena_alloc(arena, to - from + 1);
    if (bytes == NULL)
        return (struct slice){0};
    for (size_t i = from; i < to; i++)
        bytes[i - from] = (char)glob[i];
    return slice_of(bytes, to - from);
}

static void glob_longest(const struct leaf *leaf, size_t *from, size_t *to)
{
    size_t start = 0;
    *from = 0;
    *to = 0;
    for (size_t i = 0; i <= leaf->glob_len; i++) {
        if (i < leaf->glob_len && leaf->glob[i] < GLOB_ONE)
            continue;
        if (i - start > *to - *from) {
            *from = start;
            *to = i;
        }
        start = i + 1;
    }
}

/* Make the tokens an EQUAL, PREFIX, SUFFIX or CONTAINS where they are no more than that. */
static int glob_simplify(struct leaf *leaf, struct arena *arena)
{
    size_t from = 0;
    size_t to = 0;
    glob_longest(leaf, &from, &to);
    struct slice literal = glob_bytes(arena, leaf->glob, from, to);
    if (literal.data == NULL)
        return ERR_NOMEM;
    leaf->text = literal;
    leaf->needle = needle_of(literal, leaf->cased);
    bool star_first = leaf->glob_len > 0 && leaf->glob[0] == GLOB_ANY;
    bool star_last = leaf->glob_len > 0 && leaf->glob[leaf->glob_len - 1] == GLOB_ANY;
    size_t stars = leaf->glob_len == 1 ? star_first : (size_t)star_first + star_last;
    if (leaf->glob_len != literal.len + stars)
        return 0;
    if (star_first && star_last)
        leaf->op = LEAF_OP_CONTAINS;
    else if (star_first)
        leaf->op = LEAF_OP_SUFFIX;
    else
        leaf->op = star_last ? LEAF_OP_PREFIX : LEAF_OP_EQUAL;
    return 0;
}

/* Is it text to fold, and not just bytes that a rule looks for? */
static bool is_foldable(struct slice text)
{
    uint32_t ignored = 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = escape_utf8(&ignored, slice_from_offset(text, at));
        if (len == 0)
            return false;
        at += len;
    }
    return fold_changes(text);
}

/* A copy of the text, folded; data is NULL when the arena is full. */
static struct slice folded_copy(struct arena *arena, struct slice text)
{
    if (!is_foldable(text))
        return find_folded(arena, text);
    struct buf folded = {0};
    struct fold_bufs bufs = {0};
    fold_text(&folded, text, &bufs);
    struct slice out = {0};
    if (buf_ok(&folded))
        out = folded.len == 0 ? find_folded(arena, text) : find_folded(arena, buf_content(&folded));
    buf_release(&folded);
    fold_bufs_release(&bufs);
    return out;
}

/* Fold what stands between the wildcards. Replaces the tokens. 0 or ERR_NOMEM. */
static int glob_fold(struct leaf *leaf, struct arena *arena)
{
    struct buf tokens = {0};
    size_t from = 0;
    int err = 0;
    for (size_t i = 0; err == 0 && i <= leaf->glob_len; i++) {
        if (i < leaf->glob_len && leaf->glob[i] < GLOB_ONE)
            continue;
        struct slice part = glob_bytes(arena, leaf->glob, from, i);
        if (part.data != NULL)
            part = folded_copy(arena, part);
        err = part.data == NULL ? ERR_NOMEM : 0;
        for (size_t k = 0; err == 0 && k < part.len; k++)
            buf_put16(&tokens, (unsigned char)part.data[k]);
        if (i < leaf->glob_len)
            buf_put16(&tokens, leaf->glob[i]);
        from = i + 1;
    }
    size_t count = tokens.len / sizeof(uint16_t);
    uint16_t *copy = arena_array(arena, count + 1, sizeof(*copy));
    if (err == 0 && buf_ok(&tokens) && copy != NULL) {
        for (size_t i = 0; i < count; i++)
            copy[i] = bytes_get16(tokens.data + i * sizeof(uint16_t));
        leaf->glob = copy;
        leaf->glob_len = count;
    } else {
        err = ERR_NOMEM;
    }
    buf_release(&tokens);
    return err;
}

static int glob_init(struct leaf *leaf, struct arena *arena, struct slice pattern)
{
    uint16_t *tokens = arena_array(arena, pattern.len + 1, sizeof(*tokens));
    if (tokens == NULL)
        return ERR_NOMEM;
    leaf->op = LEAF_OP_GLOB;
    leaf->glob_len = glob_read(tokens, pattern, leaf->cased);
    leaf->glob = tokens;
    if (!leaf->cased && !charset_is_ascii(pattern) && glob_fold(leaf, arena) != 0)
        return ERR_NOMEM;
    return glob_simplify(leaf, arena);
}

static int literal_init(struct leaf *leaf, struct arena *arena, struct slice text, unsigned op)
{
    leaf->op = (uint8_t)op;
    if (leaf->cased)
        leaf->text = slice_of(arena_copy(arena, text), text.len);
    else
        leaf->text = folded_copy(arena, text);
    if (leaf->text.data == NULL)
        return ERR_NOMEM;
    leaf->needle = needle_of(leaf->text, leaf->cased);
    return 0;
}

static void equal_values(struct leaf *leaf)
{
    enum epoch_form form = EPOCH_DIGITS;
    leaf->is_int = value_int(leaf->text, &leaf->equal_int) != VALUE_INVALID;
    leaf->is_epoch =
        leaf->text.len != 0 && value_epoch(leaf->text, &leaf->equal_epoch, &form) != VALUE_INVALID;
    leaf->epoch_form = (uint8_t)form;
    leaf->is_ip = ip_parse(leaf->text, &leaf->equal_ip) != VALUE_INVALID;
}

/* Times are read as written: folding has made t and z of T and Z. */
static void equal_time(struct leaf *leaf, struct slice written)
{
    leaf->is_time = clock_parse(&leaf->equal_time_ns, written) == 0;
}

static int regex_init(struct leaf *leaf, const struct ast *ast, struct diag *diag)
{
    char message[REGEX_MESSAGE_BYTES];
    int err = regex_compile(&leaf->regex, ast->text, leaf->cased, message);
    if (err == ERR_CONF && diag != NULL)
        diag_add(diag, NULL, 0, 0, "%.*s: the regex /%.*s/ is wrong: %s", (int)ast->field_name.len,
                 ast->field_name.data, (int)ast->text.len, ast->text.data, message);
    return err;
}

static_assert(AST_RANGE - AST_LESS == LEAF_OP_RANGE - LEAF_OP_LESS, "the same order");
static_assert(AST_REF_SUFFIX - AST_REF_EQUAL == LEAF_OP_REF_SUFFIX - LEAF_OP_REF_EQUAL,
              "the same order");

static unsigned order_op(enum ast_op op)
{
    return (unsigned)op - AST_LESS + LEAF_OP_LESS;
}

static struct number bound_number(const struct ast_bound *bound)
{
    return (struct number){.integer = bound->number,
                           .real = bound->is_real ? bound->real : (double)bound->number,
                           .is_real = bound->is_real};
}

int leaf_init(struct leaf *out, struct arena *arena, const struct ast *ast, struct diag *diag)
{
    struct leaf leaf = {.cased = ast->cased, .network = ast->network, .part = ast->part};
    int err = 0;
    switch (ast->op) {
    case AST_EQUAL:
        err = literal_init(&leaf, arena, ast->text, LEAF_OP_EQUAL);
        break;
    case AST_CONTAINS:
    case AST_RAW:
        err = literal_init(&leaf, arena, ast->text, LEAF_OP_CONTAINS);
        break;
    case AST_GLOB:
        err = glob_init(&leaf, arena, ast->text);
        break;
    case AST_REGEX:
        leaf.op = LEAF_OP_REGEX;
        err = regex_init(&leaf, ast, diag);
        break;
    case AST_NETWORK:
        leaf.op = LEAF_OP_NETWORK;
        break;
    case AST_EXISTS:
        leaf.op = LEAF_OP_EXISTS;
        break;
    case AST_VALUE:
        leaf.op = LEAF_OP_VALUE;
        break;
    case AST_REF_EQUAL:
    case AST_REF_CONTAINS:
    case AST_REF_PREFIX:
    case AST_REF_SUFFIX:
        leaf.op = (uint8_t)((unsigned)ast->op - AST_REF_EQUAL + LEAF_OP_REF_EQUAL);
        break;
    case AST_LESS:
    case AST_LESS_EQUAL:
    case AST_GREATER:
    case AST_GREATER_EQUAL:
    case AST_RANGE:
    default:
        leaf.op = (uint8_t)order_op(ast->op);
        leaf.bound = bound_number(&ast->bound);
        leaf.high = bound_number(&ast->high);
        break;
    }
    if (err != 0)
        return err;
    if (leaf.op == LEAF_OP_EQUAL) {
        equal_values(&leaf);
        equal_time(&leaf, ast->text);
    }
    *out = leaf;
    return 0;
}

void leaf_release(struct leaf *leaf)
{
    regex_free(leaf->regex);
    leaf->regex = NULL;
}

static bool is_order(unsigned op)
{
    return op >= LEAF_OP_LESS && op <= LEAF_OP_RANGE;
}

static bool equal_is_typed(const struct leaf *leaf, unsigned type)
{
    switch (type) {
    case FIELD_TYPE_INT:
        return leaf->is_int;
    case FIELD_TYPE_EPOCH:
        return leaf->is_epoch;
    case FIELD_TYPE_IP:
        return leaf->is_ip;
    case LEAF_TYPE_TIME:
        return leaf->is_time;
    default:
        return false;
    }
}

enum leaf_way leaf_way(const struct leaf *leaf, unsigned type)
{
    if (leaf->op == LEAF_OP_EXISTS || leaf->op == LEAF_OP_VALUE)
        return LEAF_PRESENT;
    if (type == FIELD_TYPE_TEXT)
        return LEAF_TEXT;
    if (leaf->part != AST_PART_NONE)
        return type == LEAF_TYPE_TIME ? LEAF_NUMBER : LEAF_NEVER;
    enum leaf_way typed = type == FIELD_TYPE_IP ? LEAF_IP : LEAF_NUMBER;
    if (leaf->op == LEAF_OP_NETWORK)
        return typed == LEAF_IP ? LEAF_IP : LEAF_NEVER;
    if (is_order(leaf->op))
        return typed == LEAF_NUMBER ? LEAF_NUMBER : LEAF_NEVER;
    return leaf->op == LEAF_OP_EQUAL && equal_is_typed(leaf, type) ? typed : LEAF_TEXT;
}

static bool order_int(unsigned op, int64_t value, int64_t bound)
{
    switch (op) {
    case LEAF_OP_LESS:
        return value < bound;
    case LEAF_OP_LESS_EQUAL:
        return value <= bound;
    case LEAF_OP_GREATER:
        return value > bound;
    default:
        return value >= bound;
    }
}

static bool order_real(unsigned op, double value, double bound)
{
    switch (op) {
    case LEAF_OP_LESS:
        return value < bound;
    case LEAF_OP_LESS_EQUAL:
        return value <= bound;
    case LEAF_OP_GREATER:
        return value > bound;
    default:
        return value >= bound;
    }
}

/* Exact where both are whole. */
static bool order_holds(unsigned op, const struct number *value, const struct number *bound)
{
    if (value->is_real || bound->is_real)
        return order_real(op, value->real, bound->real);
    return order_int(op, value->integer, bound->integer);
}

static bool leaf_order(const struct leaf *leaf, const struct number *value)
{
    if (leaf->op != LEAF_OP_RANGE)
        return order_holds(leaf->op, value, &leaf->bound);
    return order_holds(LEAF_OP_GREATER_EQUAL, value, &leaf->bound) &&
           order_holds(LEAF_OP_LESS_EQUAL, value, &leaf->high);
}

static int64_t time_part(unsigned part, int64_t local_ns)
{
    struct clock_civil c;
    clock_to_civil(&c, local_ns);
    switch ((enum ast_part)part) {
    case AST_PART_MINUTE:
        return c.minute;
    case AST_PART_HOUR:
        return c.hour;
    case AST_PART_DAY:
        return c.day;
    case AST_PART_WEEK:
        return clock_week(&c);
    case AST_PART_MONTH:
        return c.month;
    case AST_PART_YEAR:
    case AST_PART_NONE:
    default:
        return c.year;
    }
}

bool leaf_number(const struct leaf *leaf, unsigned type, unsigned epoch_form, int64_t value)
{
    if (leaf->part != AST_PART_NONE) {
        int64_t local_ns = value + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE;
        struct number n = {.integer = time_part(leaf->part, local_ns)};
        n.real = (double)n.integer;
        return leaf_order(leaf, &n);
    }
    if (leaf->op == LEAF_OP_EQUAL) {
        if (type == FIELD_TYPE_INT)
            return value == leaf->equal_int;
        if (type == FIELD_TYPE_EPOCH)
            return value == leaf->equal_epoch && epoch_form == leaf->epoch_form;
        return value == leaf->equal_time_ns;
    }
    bool is_real = type == FIELD_TYPE_EPOCH && epoch_form == EPOCH_MILLIS_POINT;
    struct number n = {.integer = value,
                       .real = is_real ? (double)value / 1000.0 : (double)value,
                       .is_real = is_real};
    return leaf_order(leaf, &n);
}

/* The whole numbers that an order with a whole bound lets through; false when there are none. */
static bool order_span(unsigned op, int64_t bound, struct leaf_span *span)
{
    switch (op) {
    case LEAF_OP_LESS:
        span->high = bound - (bound != INT64_MIN);
        return bound != INT64_MIN;
    case LEAF_OP_LESS_EQUAL:
        span->high = bound;
        return true;
    case LEAF_OP_GREATER:
        span->low = bound + (bound != INT64_MAX);
        return bound != INT64_MAX;
    default: /* LEAF_OP_GREATER_EQUAL */
        span->low = bound;
        return true;
    }
}

bool leaf_number_span(const struct leaf *leaf, unsigned type, unsigned epoch_form,
                      struct leaf_span *out)
{
    struct leaf_span span = {.low = INT64_MIN, .high = INT64_MAX};
    bool some = true;
    if (leaf->part != AST_PART_NONE)
        return false;
    if (leaf->op == LEAF_OP_EQUAL) {
        some = type != FIELD_TYPE_EPOCH || epoch_form == leaf->epoch_form;
        span.low = type == FIELD_TYPE_INT     ? leaf->equal_int
                   : type == FIELD_TYPE_EPOCH ? leaf->equal_epoch
                                              : leaf->equal_time_ns;
        span.high = span.low;
    } else if (leaf->bound.is_real || (leaf->op == LEAF_OP_RANGE && leaf->high.is_real) ||
               (type == FIELD_TYPE_EPOCH && epoch_form == EPOCH_MILLIS_POINT)) {
        return false;
    } else if (leaf->op == LEAF_OP_RANGE) {
        span = (struct leaf_span){.low = leaf->bound.integer, .high = leaf->high.integer};
    } else {
        some = order_span(leaf->op, leaf->bound.integer, &span);
    }
    *out = some ? span : (struct leaf_span){.low = 1, .high = 0};
    return true;
}

bool leaf_ip(const struct leaf *leaf, const struct ip *ip)
{
    if (leaf->op == LEAF_OP_NETWORK)
        return network_holds(&leaf->network, ip);
    return memcmp(leaf->equal_ip.bytes, ip->bytes, sizeof(ip->bytes)) == 0;
}

static size_t character_len(struct slice text, size_t at)
{
    uint32_t ignored = 0;
    size_t len = escape_utf8(&ignored, slice_from_offset(text, at));
    return len == 0 ? 1 : len;
}

/* Linear with one mark: the last star takes one character more whenever what follows it fails. */
static bool glob_match(const struct leaf *leaf, struct slice text)
{
    size_t at = 0;
    size_t token = 0;
    size_t star_token = SIZE_MAX;
    size_t star_at = 0;
    while (at < text.len || token < leaf->glob_len) {
        unsigned want = token < leaf->glob_len ? leaf->glob[token] : GLOB_ANY + 1;
        if (want == GLOB_ANY) {
            star_token = ++token;
            star_at = at;
            continue;
        }
        if (at < text.len) {
            unsigned char c = (unsigned char)text.data[at];
            if (want == GLOB_ONE || want == (leaf->cased ? c : find_fold(c))) {
                at += want == GLOB_ONE ? character_len(text, at) : 1;
                token++;
                continue;
            }
        }
        if (star_token == SIZE_MAX || star_at >= text.len)
            return false;
        star_at += character_len(text, star_at);
        at = star_at;
        token = star_token;
    }
    return true;
}

static bool text_order(const struct leaf *leaf, struct slice text)
{
    struct number n = {0};
    int64_t written_ns = 0;
    if (leaf->part == AST_PART_NONE)
        return leaf_parse_number(text, &n) && leaf_order(leaf, &n);
    if (clock_parse_written(&written_ns, text) != 0)
        return false;
    n.integer = time_part(leaf->part, written_ns);
    n.real = (double)n.integer;
    return leaf_order(leaf, &n);
}

int leaf_text(const struct leaf *leaf, struct regex_scratch *regex, struct slice text)
{
    size_t len = leaf->text.len;
    struct ip ip;
    switch ((enum leaf_op)leaf->op) {
    case LEAF_OP_EQUAL:
        return text.len == len && find_equal(text.data, leaf->text.data, len, leaf->cased);
    case LEAF_OP_PREFIX:
        return text.len >= len && find_equal(text.data, leaf->text.data, len, leaf->cased);
    case LEAF_OP_SUFFIX:
        return text.len >= len &&
               find_equal(text.data + text.len - len, leaf->text.data, len, leaf->cased);
    case LEAF_OP_CONTAINS:
        return needle_in(&leaf->needle, text);
    case LEAF_OP_GLOB:
        return needle_in(&leaf->needle, text) && glob_match(leaf, text);
    case LEAF_OP_REGEX:
        return regex_match(leaf->regex, regex, text);
    case LEAF_OP_NETWORK:
        return ip_parse(text, &ip) != VALUE_INVALID && network_holds(&leaf->network, &ip);
    case LEAF_OP_EXISTS:
    case LEAF_OP_VALUE:
        return 1;
    case LEAF_OP_REF_EQUAL:
    case LEAF_OP_REF_CONTAINS:
    case LEAF_OP_REF_PREFIX:
    case LEAF_OP_REF_SUFFIX:
        return 0; /* asked of two fields: leaf_ref() */
    case LEAF_OP_LESS:
    case LEAF_OP_LESS_EQUAL:
    case LEAF_OP_GREATER:
    case LEAF_OP_GREATER_EQUAL:
    case LEAF_OP_RANGE:
    default:
        return text_order(leaf, text);
    }
}

static bool same_bytes(const char *a, const char *b, size_t len, bool cased)
{
    if (cased)
        return memcmp(a, b, len) == 0;
    for (size_t i = 0; i < len; i++) {
        if (find_fold((unsigned char)a[i]) != find_fold((unsigned char)b[i]))
            return false;
    }
    return true;
}

bool leaf_ref(const struct leaf *leaf, struct slice value, struct slice other)
{
    if (value.len < other.len)
        return false;
    size_t rest = value.len - other.len;
    if (other.len == 0)
        return leaf->op != LEAF_OP_REF_EQUAL || rest == 0;
    if (leaf->op == LEAF_OP_REF_PREFIX)
        return same_bytes(value.data, other.data, other.len, leaf->cased);
    if (leaf->op == LEAF_OP_REF_SUFFIX)
        return same_bytes(value.data + rest, other.data, other.len, leaf->cased);
    if (leaf->op == LEAF_OP_REF_EQUAL)
        return rest == 0 && same_bytes(value.data, other.data, other.len, leaf->cased);
    for (size_t at = 0; at <= rest; at++) {
        if (same_bytes(value.data + at, other.data, other.len, leaf->cased))
            return true;
    }
    return false;
}
