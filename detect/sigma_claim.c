#include "detect/sigma_claim.h"

#include <string.h>

#include "base/err.h"
#include "base/escape.h"
#include "event/pred_row.h"
#include "event/query.h"
#include "event/verdict.h"

enum {
    TENANT_DIGITS = 6,
};

/* What the value of one claim says of another claim. */
enum answer {
    ANSWER_NO,
    ANSWER_YES,
    ANSWER_OPEN,
};

/* Reading */

/* Name number `at` of a field with a fixed list, in *out; the empty text is "no value". */
static bool name_at(struct slice *out, enum row_field field, unsigned at)
{
    unsigned count = field == ROW_FIELD_VERDICT       ? (unsigned)VERDICT_COUNT
                     : field == ROW_FIELD_PARSE_ERROR ? (unsigned)REASON_COUNT
                     : field == ROW_FIELD_TIME_SOURCE ? (unsigned)TIME_SOURCE_COUNT
                                                      : 0;
    if (at >= count || at >= CLAIM_NAMES_MAX)
        return false;
    *out = field == ROW_FIELD_VERDICT       ? verdict_name(at)
           : field == ROW_FIELD_PARSE_ERROR ? reason_code(at)
                                            : time_source_name(at);
    return true;
}

static enum row_field row_field_of(const struct ast *leaf)
{
    const struct field_info *info = field_info(leaf->field);
    return leaf->any_field ? ROW_FIELD_NONE
                           : row_field_find(info != NULL ? info->name : leaf->field_name);
}

/* The names of the field's list with which the claim holds. */
static int names_read(struct claim *c, struct arena *arena, enum row_field field)
{
    struct slice name;
    c->names = CLAIM_ALL;
    for (unsigned i = 0; c->looked && name_at(&name, field, i); i++) {
        if (i == 0)
            c->names = 0;
        struct slice text = slice_of(arena_copy(arena, name), name.len);
        if (text.data == NULL)
            return ERR_NOMEM;
        bool holds =
            name.len != 0 && (c->leaf.op == LEAF_OP_EXISTS || leaf_text(&c->leaf, NULL, text) > 0);
        c->names |= (uint32_t)(holds == c->holds) << i;
    }
    return 0;
}

/* Fields that devices write several times in a line, or that stand for several values of one. */
static bool has_many_values(uint16_t field)
{
    static const uint16_t MANY[] = {FIELD_URL_ORIGINAL, FIELD_DNS_ANSWER, FIELD_FILE_HASH,
                                    FIELD_EMAIL_TO};
    for (size_t i = 0; i < sizeof(MANY) / sizeof(MANY[0]); i++) {
        if (field == MANY[i])
            return true;
    }
    return false;
}

int claim_init(struct claim *out, struct arena *arena, const struct ast *leaf, bool holds)
{
    const struct field_info *info = field_info(leaf->field);
    enum row_field row = row_field_of(leaf);
    struct claim c = {.ast = leaf, .holds = holds, .names = CLAIM_ALL};
    struct ast folded = *leaf;
    c.one_value = row != ROW_FIELD_NONE;
    c.many_values = has_many_values(leaf->field);
    c.is_url = info != NULL && slice_starts(info->name, SLICE("url."));
    c.type = info == NULL ? (uint8_t)FIELD_TYPE_TEXT : info->type;
    if (row != ROW_FIELD_NONE)
        c.type = (uint8_t)row_field_type(row);
    c.looked = !leaf->any_field && leaf->op != AST_RAW && leaf->op != AST_REGEX &&
               leaf->field != FIELD_EVENT_ORIGINAL && !leaf_is_ref(leaf->op);
    folded.cased = false;
    int err = c.looked ? leaf_init(&c.leaf, arena, leaf, NULL) : 0;
    if (err == 0 && c.looked)
        err = leaf_init(&c.folded, arena, &folded, NULL);
    if (err == 0)
        err = names_read(&c, arena, row);
    if (err == 0)
        *out = c;
    return err;
}

bool claim_same_field(const struct claim *a, const struct claim *b)
{
    const struct ast *x = a->ast;
    const struct ast *y = b->ast;
    bool raw = x->op == AST_RAW || y->op == AST_RAW;
    if (raw || x->any_field || y->any_field)
        return (x->op == AST_RAW) == (y->op == AST_RAW) && x->any_field == y->any_field;
    return x->field == y->field &&
           (field_info(x->field) != NULL || slice_equal(x->field_name, y->field_name));
}

/* Numbers */

struct bounds {
    struct number low;
    struct number high;
    bool has_low;
    bool has_high;
    bool low_open;
    bool high_open;
};

static struct bounds bounds_of(const struct leaf *leaf)
{
    struct bounds b = {.low = leaf->bound, .high = leaf->bound};
    b.has_low = leaf->op == LEAF_OP_GREATER || leaf->op == LEAF_OP_GREATER_EQUAL ||
                leaf->op == LEAF_OP_RANGE;
    b.has_high =
        leaf->op == LEAF_OP_LESS || leaf->op == LEAF_OP_LESS_EQUAL || leaf->op == LEAF_OP_RANGE;
    b.low_open = leaf->op == LEAF_OP_GREATER;
    b.high_open = leaf->op == LEAF_OP_LESS;
    if (leaf->op == LEAF_OP_RANGE)
        b.high = leaf->high;
    return b;
}

/* Nothing is between them. Whole numbers are compared exactly, others only where they lie apart. */
static bool bounds_apart(const struct bounds *high, const struct bounds *low, bool whole)
{
    if (!high->has_high || !low->has_low)
        return false;
    bool exact = !high->high.is_real && !low->low.is_real;
    bool open = high->high_open || low->low_open;
    if (!whole || !exact)
        return high->high.real < low->low.real ||
               (exact && open && high->high.integer == low->low.integer);
    return high->high.integer - high->high_open < low->low.integer + low->low_open;
}

static bool bounds_within(const struct bounds *part, const struct bounds *all)
{
    bool low = !all->has_low ||
               (part->has_low && !part->low.is_real && !all->low.is_real &&
                (part->low.integer > all->low.integer ||
                 (part->low.integer == all->low.integer && (part->low_open || !all->low_open))));
    bool high =
        !all->has_high ||
        (part->has_high && !part->high.is_real && !all->high.is_real &&
         (part->high.integer < all->high.integer ||
          (part->high.integer == all->high.integer && (part->high_open || !all->high_open))));
    return low && high;
}

static bool is_order(const struct claim *c)
{
    return c->leaf.op >= LEAF_OP_LESS && c->leaf.op <= LEAF_OP_RANGE;
}

static bool is_whole(const struct claim *c)
{
    return c->leaf.part != AST_PART_NONE || c->type == FIELD_TYPE_INT || c->type == LEAF_TYPE_TIME;
}

/* A part of a time outside of what a clock shows. */
static bool part_never(const struct claim *c)
{
    static const int64_t PARTS[][2] = {
        [AST_PART_MINUTE] = {0, 59}, [AST_PART_HOUR] = {0, 23},  [AST_PART_DAY] = {1, 31},
        [AST_PART_WEEK] = {1, 53},   [AST_PART_MONTH] = {1, 12},
    };
    if (c->leaf.part == AST_PART_NONE || c->leaf.part >= sizeof(PARTS) / sizeof(PARTS[0]))
        return false;
    struct bounds asked = bounds_of(&c->leaf);
    const int64_t *part = PARTS[c->leaf.part];
    struct bounds clock = {.has_low = true, .has_high = true};
    clock.low = (struct number){.integer = part[0], .real = (double)part[0]};
    clock.high = (struct number){.integer = part[1], .real = (double)part[1]};
    return bounds_apart(&clock, &asked, true) || bounds_apart(&asked, &clock, true);
}

/* One claim alone */

/* A byte that no number, or no address, is written with. */
static bool is_foreign(unsigned type, unsigned byte)
{
    const char *known = type == FIELD_TYPE_INT ? "-0123456789" : "0123456789abcdef:.";
    return byte == 0 || byte > UINT8_MAX || strchr(known, find_fold((unsigned char)byte)) == NULL;
}

/* A pattern on a number or an address that holds what these are not written with. */
static bool pattern_never(const struct claim *c)
{
    const struct leaf *leaf = &c->leaf;
    if (c->type != FIELD_TYPE_INT && c->type != FIELD_TYPE_IP)
        return false;
    if (leaf->op == LEAF_OP_EQUAL)
        return c->type == FIELD_TYPE_INT ? !leaf->is_int : !leaf->is_ip;
    for (size_t i = 0; leaf->op == LEAF_OP_GLOB && i < leaf->glob_len; i++) {
        if (leaf->glob[i] < GLOB_ONE && is_foreign(c->type, leaf->glob[i]))
            return true;
    }
    bool literal =
        leaf->op == LEAF_OP_PREFIX || leaf->op == LEAF_OP_SUFFIX || leaf->op == LEAF_OP_CONTAINS;
    for (size_t i = 0; literal && i < leaf->text.len; i++) {
        if (is_foreign(c->type, (unsigned char)leaf->text.data[i]))
            return true;
    }
    return false;
}

static bool tenant_never(const struct claim *c)
{
    bool digits = c->leaf.text.len == TENANT_DIGITS;
    for (size_t i = 0; i < c->leaf.text.len; i++)
        digits = digits && c->leaf.text.data[i] >= '0' && c->leaf.text.data[i] <= '9';
    return c->leaf.op == LEAF_OP_EQUAL && !digits;
}

bool claim_never(const struct claim *c)
{
    if (c->names == 0)
        return true;
    if (!c->holds || !c->looked)
        return false;
    if (leaf_way(&c->leaf, c->type) == LEAF_NEVER || part_never(c) || pattern_never(c))
        return true;
    return row_field_of(c->ast) == ROW_FIELD_TENANT && tenant_never(c);
}

/* Two claims */

static bool is_present(const struct claim *c)
{
    return c->leaf.op == LEAF_OP_EXISTS || c->leaf.op == LEAF_OP_VALUE;
}

/* The one value that an EQUAL stands for, as text. */
static enum answer text_answer(const struct claim *value, const struct claim *asked)
{
    bool case_known = value->leaf.cased || !asked->leaf.cased;
    if (asked->leaf.part != AST_PART_NONE)
        return ANSWER_OPEN;
    if (leaf_text(&asked->folded, NULL, value->leaf.text) <= 0)
        return ANSWER_NO;
    return case_known && leaf_text(&asked->leaf, NULL, value->leaf.text) > 0 ? ANSWER_YES
                                                                             : ANSWER_OPEN;
}

/* As number or address; as text a value may also be written in another way. */
static enum answer typed_answer(const struct claim *value, const struct claim *asked)
{
    const struct leaf *v = &value->leaf;
    bool known = value->type == FIELD_TYPE_INT   ? v->is_int
                 : value->type == FIELD_TYPE_IP  ? v->is_ip
                 : value->type == LEAF_TYPE_TIME ? v->is_time
                                                 : false;
    if (!known)
        return ANSWER_OPEN;
    int64_t number = value->type == FIELD_TYPE_INT ? v->equal_int : v->equal_time_ns;
    switch (leaf_way(&asked->leaf, value->type)) {
    case LEAF_PRESENT:
        return ANSWER_YES;
    case LEAF_NUMBER:
        return leaf_number(&asked->leaf, value->type, EPOCH_DIGITS, number) ? ANSWER_YES
                                                                            : ANSWER_NO;
    case LEAF_IP:
        return leaf_ip(&asked->leaf, &v->equal_ip) ? ANSWER_YES : ANSWER_NO;
    case LEAF_NEVER:
        return ANSWER_NO;
    case LEAF_TEXT:
    default:
        return ANSWER_OPEN;
    }
}

/* Does the value that `value` claims satisfy the leaf of `asked`? */
static enum answer value_answer(const struct claim *value, const struct claim *asked)
{
    if (is_present(asked))
        return ANSWER_YES;
    return value->type == FIELD_TYPE_TEXT ? text_answer(value, asked) : typed_answer(value, asked);
}

/* Wherever the leaf of `said` holds, that of `asked` does: both are true of the same text. */
static bool implies(const struct claim *said, const struct claim *asked)
{
    const struct leaf *s = &said->leaf;
    const struct leaf *a = &asked->leaf;
    if (s->op == LEAF_OP_EQUAL)
        return value_answer(said, asked) == ANSWER_YES;
    if (s->op == LEAF_OP_NETWORK && a->op == LEAF_OP_NETWORK)
        return s->network.prefix_bits >= a->network.prefix_bits &&
               network_holds(&a->network, &s->network.ip);
    if (is_order(said) && is_order(asked)) {
        struct bounds part = bounds_of(s);
        struct bounds all = bounds_of(a);
        return s->part == a->part && bounds_within(&part, &all);
    }
    bool literal = s->op == LEAF_OP_PREFIX || s->op == LEAF_OP_SUFFIX || s->op == LEAF_OP_CONTAINS;
    bool texts = leaf_way(s, said->type) == LEAF_TEXT && leaf_way(a, said->type) == LEAF_TEXT;
    bool same_end = a->op == LEAF_OP_CONTAINS || (a->op == s->op && a->op <= LEAF_OP_CONTAINS);
    return literal && texts && same_end && (s->cased || !a->cased) &&
           leaf_text(a, NULL, s->text) > 0;
}

/* Two texts that one value cannot both begin with, or both end with. */
static bool ends_differ(const struct leaf *a, const struct leaf *b)
{
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    bool prefix = a->op == LEAF_OP_PREFIX;
    const char *x = a->text.data + (prefix ? 0 : a->text.len - len);
    const char *y = b->text.data + (prefix ? 0 : b->text.len - len);
    for (size_t i = 0; i < len; i++) {
        if (find_fold((unsigned char)x[i]) != find_fold((unsigned char)y[i]))
            return true;
    }
    return false;
}

static bool is_decoded(struct slice text)
{
    return memchr(text.data, '%', text.len) == NULL && memchr(text.data, '+', text.len) == NULL;
}

/* No single value satisfies both. */
static bool apart_on_value(const struct claim *a, const struct claim *b)
{
    const struct leaf *x = &a->leaf;
    const struct leaf *y = &b->leaf;
    if (a->is_url && a->type == FIELD_TYPE_TEXT) {
        return x->op == LEAF_OP_EQUAL && y->op == LEAF_OP_EQUAL && is_decoded(x->text) &&
               is_decoded(y->text) && text_answer(a, b) == ANSWER_NO;
    }
    if (x->op == LEAF_OP_EQUAL && value_answer(a, b) == ANSWER_NO)
        return true;
    if (y->op == LEAF_OP_EQUAL && value_answer(b, a) == ANSWER_NO)
        return true;
    if (x->op == LEAF_OP_NETWORK && y->op == LEAF_OP_NETWORK)
        return !network_holds(&x->network, &y->network.ip) &&
               !network_holds(&y->network, &x->network.ip);
    if (is_order(a) && is_order(b)) {
        struct bounds p = bounds_of(x);
        struct bounds q = bounds_of(y);
        return x->part == y->part &&
               (bounds_apart(&p, &q, is_whole(a)) || bounds_apart(&q, &p, is_whole(a)));
    }
    bool ends = x->op == LEAF_OP_PREFIX || x->op == LEAF_OP_SUFFIX;
    return a->type == FIELD_TYPE_TEXT && ends && x->op == y->op && ends_differ(x, y);
}

static enum claim_relation compare_opposite(const struct claim *said, const struct claim *denied)
{
    bool same = ast_leaf_equal(said->ast, denied->ast);
    if (same)
        return CLAIM_EXCLUDED;
    bool named = said->ast->op != AST_RAW && !said->ast->any_field;
    if (denied->looked && named && denied->leaf.op == LEAF_OP_EXISTS)
        return CLAIM_EXCLUDED;
    if (denied->looked && named && denied->leaf.op == LEAF_OP_VALUE)
        return said->ast->op == AST_EXISTS ? CLAIM_TOGETHER : CLAIM_EXCLUDED;
    return said->looked && denied->looked && implies(said, denied) ? CLAIM_EXCLUDED
                                                                   : CLAIM_TOGETHER;
}

enum claim_relation claim_compare(const struct claim *a, const struct claim *b)
{
    if ((a->names & b->names) == 0)
        return CLAIM_EXCLUDED;
    if (a->holds != b->holds)
        return a->holds ? compare_opposite(a, b) : compare_opposite(b, a);
    if (!a->holds || !a->looked || !b->looked || a->many_values || is_present(a) || is_present(b))
        return CLAIM_TOGETHER;
    if (!apart_on_value(a, b))
        return CLAIM_TOGETHER;
    return a->one_value ? CLAIM_EXCLUDED : CLAIM_TWO_LINES;
}

/* Words */

static void print_names(struct buf *out, enum row_field field)
{
    struct slice name;
    buf_text(out, " is one of");
    for (unsigned i = 0; name_at(&name, field, i); i++) {
        if (name.len == 0)
            continue;
        buf_byte(out, ' ');
        buf_slice(out, name);
    }
}

void claim_print_reason(struct buf *out, const struct claim *c)
{
    const struct field_info *info = field_info(c->ast->field);
    enum row_field row = row_field_of(c->ast);
    escape_text(out, info != NULL ? info->name : c->ast->field_name);
    if (c->names == 0) {
        print_names(out, row);
    } else if (part_never(c)) {
        buf_text(out, " has no such part: hours are 0 to 23, minutes 0 to 59, days 1 to 31, weeks "
                      "1 to 53, months 1 to 12");
    } else if (row == ROW_FIELD_TENANT) {
        buf_text(out, " is a code of six digits");
    } else if (c->type == FIELD_TYPE_IP) {
        buf_text(out, " is an address");
    } else {
        buf_text(out, c->type == FIELD_TYPE_INT ? " is a whole number" : " is a time");
    }
}

void claim_print(struct buf *out, const struct claim *c)
{
    struct ast leaf = *c->ast;
    leaf.next = NULL;
    leaf.cased = false;
    size_t before = out->len;
    if (!c->holds && leaf.op == AST_VALUE) {
        escape_text(out, leaf.field_name);
        buf_text(out, ": null");
        return;
    }
    if (!c->holds)
        buf_text(out, "not ");
    if (query_print(&leaf, out) == 0)
        return;
    out->len = before;
    escape_text(out, leaf.field_name);
}
