#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/sigma_possible.h"
#include "event/builder.h"
#include "event/pred.h"
#include "event/query.h"

#define PICK(r, list) (list)[below((r), sizeof(list) / sizeof((list)[0]))]

enum {
    BATCHES = 20, /* with one value a field, and as many with several */
    ROWS = 512,
    TREES = 10000,
    NEVER_LEAST = 1000,
    TWICE_LEAST = 150,
    PARTS_MAX = 5,
    DEPTH_MAX = 3,
};

/* By hand */

static const struct {
    const char *query;
    enum claim_relation relation;
} CASES[] = {
    {"user.name:taro and not user.name:taro", CLAIM_EXCLUDED},
    {"user.name:taro and not user.name:t*", CLAIM_EXCLUDED},
    {"user.name:taro and not user.name:T*", CLAIM_EXCLUDED},
    {"user.name:t* and not user.name:taro", CLAIM_TOGETHER},
    {"user.name:*taro* and not user.name:*ar*", CLAIM_EXCLUDED},
    {"user.name:taro and not user.name:*", CLAIM_EXCLUDED},
    {"user.name:* and not user.name:taro", CLAIM_TOGETHER},
    {"not user.name:taro and not user.name:hanako", CLAIM_TOGETHER},
    {"user.name:taro and user.name:hanako", CLAIM_TWO_LINES},
    {"user.name:taro and user.name:TARO", CLAIM_TOGETHER},
    {"user.name:ta* and user.name:ha*", CLAIM_TWO_LINES},
    {"user.name:ta* and user.name:t*", CLAIM_TOGETHER},
    {"user.name:*ro and user.name:*ko", CLAIM_TWO_LINES},
    {"user.name:*ro* and user.name:*ko*", CLAIM_TOGETHER},
    {"user.name:taro and user.name:*ko*", CLAIM_TWO_LINES},
    {"user.name:taro and (user.name:hanako or user.name:jiro)", CLAIM_TWO_LINES},
    {"user.name:taro and (user.name:hanako or source.port:1)", CLAIM_TOGETHER},
    {"user.name:taro and (user.name:hanako or source.port:1) and not source.port:1",
     CLAIM_TWO_LINES},
    {"dns.answers.data:192.0.2.1 and dns.answers.data:192.0.2.2", CLAIM_TOGETHER},
    {"destination.port<5 and destination.port>9", CLAIM_TWO_LINES},
    {"destination.port>5 and destination.port<6", CLAIM_TWO_LINES},
    {"destination.port>5 and destination.port<7", CLAIM_TOGETHER},
    {"destination.port>=9 and not destination.port>5", CLAIM_EXCLUDED},
    {"destination.port:[1 to 5] and destination.port:[6 to 9]", CLAIM_TWO_LINES},
    {"destination.port:8*", CLAIM_TOGETHER},
    {"destination.port:80 and destination.port:080", CLAIM_TOGETHER},
    {"destination.port:80 and destination.port>100", CLAIM_TWO_LINES},
    {"fortigate.number>5 and fortigate.number<6", CLAIM_TOGETHER},
    {"fortigate.number<5 and fortigate.number>=5", CLAIM_TWO_LINES},
    {"source.ip:192.0.2.0/24 and source.ip:198.51.100.0/24", CLAIM_TWO_LINES},
    {"source.ip:192.0.2.0/24 and source.ip:192.0.2.7", CLAIM_TOGETHER},
    {"source.ip:192.0.2.0/24 and source.ip:192.0.3.7", CLAIM_TWO_LINES},
    {"source.ip:192.0.2.0/25 and not source.ip:192.0.2.0/24", CLAIM_EXCLUDED},
    {"source.ip:192.0.2.0/24 and source.ip:2001:db8::/32", CLAIM_TWO_LINES},
    {"source.ip:2001:db8::/32 and source.ip:2001:DB8::1", CLAIM_TOGETHER},
    {"url.path:\"/a b\" and url.path:\"/a%20b\"", CLAIM_TOGETHER},
    {"url.path:\"/a\" and url.path:\"/b\"", CLAIM_TWO_LINES},
    {"url.path:\"/a\" and url.path:\"/%62\"", CLAIM_TOGETHER},
    {"url.path:\"/a*\" and url.path:\"/b*\"", CLAIM_TOGETHER},
    {"sekisho.verdict:ALLOWED", CLAIM_EXCLUDED},
    {"sekisho.verdict:ALLOW", CLAIM_TOGETHER},
    {"sekisho.verdict:allow and sekisho.verdict:deny", CLAIM_EXCLUDED},
    {"sekisho.verdict:(allow or deny) and sekisho.verdict:block", CLAIM_EXCLUDED},
    {"sekisho.verdict:*e* and not sekisho.verdict:(deny or reset or alert)", CLAIM_EXCLUDED},
    {"sekisho.verdict:*e* and not sekisho.verdict:(deny or reset)", CLAIM_TOGETHER},
    {"sekisho.tenant:05202", CLAIM_EXCLUDED},
    {"sekisho.tenant:052027 and sekisho.tenant:131016", CLAIM_EXCLUDED},
    {"sekisho.format:squid and not sekisho.format:squid", CLAIM_EXCLUDED},
    {"sekisho.format:squid and sekisho.format:panos", CLAIM_EXCLUDED},
    {"@timestamp>2026-11-21T00:00:00Z and @timestamp<2026-11-20T00:00:00Z", CLAIM_EXCLUDED},
    {"(user.name:a and not user.name:a) or (source.port:1 and not source.port:1)", CLAIM_EXCLUDED},
    {"(user.name:a or source.port:1) and not user.name:a and not source.port:1", CLAIM_EXCLUDED},
    {"not (user.name:a or not user.name:a)", CLAIM_EXCLUDED},
    {"not (user.name:a and not user.name:a)", CLAIM_TOGETHER},
    /* Two ways, each of which the rest excludes. */
    {"((user.name:a and source.port:1) or (user.name:a and source.port:2)) and "
     "not source.port:(1 or 2)",
     CLAIM_EXCLUDED},
    {"\"text\" and not \"text\"", CLAIM_EXCLUDED},
    {"\"text\" and not \"tex\"", CLAIM_TOGETHER},
    {"", CLAIM_TOGETHER},
};

static void finds_conditions(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct arena arena = {0};
        struct diag diag = {0};
        struct ast *tree = NULL;
        struct possible found;
        if (query_parse(&tree, &arena, slice_from(CASES[i].query), &diag) != 0)
            fail_msg("%s", diag_text(&diag));
        const struct ast *trees[] = {tree};
        assert_int_equal(possible_find(&found, &arena, trees, 1), 0);
        wrong += found.relation != CASES[i].relation;
        if (found.relation != CASES[i].relation)
            print_error("%s: %d, not %d\n", CASES[i].query, (int)found.relation,
                        (int)CASES[i].relation);
        if (found.relation != CLAIM_TOGETHER && (found.first == NULL || found.second == NULL))
            fail_msg("%s: nothing is named", CASES[i].query);
        arena_release(&arena);
        diag_release(&diag);
    }
    assert_int_equal(wrong, 0);
}

/* By chance: what is called impossible holds for no row made of the same values */

struct random {
    uint64_t state;
};

static uint32_t below(struct random *r, size_t bound)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (uint32_t)((r->state >> 20) % bound);
}

static const char *const TEXTS[] = {
    "a",    "A",           "ab", "aB",  "b",   "5",  "05",        "7",         "9.5",
    "a%41", "aA",          "+",  "a b", "a+b", "a%", "192.0.2.1", "192.0.2.2", "2001:db8::1",
    "",     "2001:DB8::1", "-1", "-0",  "1e1", "10", "x",         "null",      "198.51.100.1",
    "%35",  "5x",
};
static const char *const NUMBERS[] = {"0", "1", "4",  "5",  "05", "6",
                                      "7", "9", "10", "-1", "-0", "x"};
static const char *const ADDRESSES[] = {
    "192.0.2.1",   "192.0.2.2",        "198.51.100.1", "2001:db8::1",
    "2001:DB8::1", "::ffff:192.0.2.1", "10.0.0.1",     "x"};
static const char *const NETWORKS[] = {"192.0.2.0/24", "192.0.2.0/31",   "192.0.2.1",
                                       "0.0.0.0/0",    "2001:db8::/32",  "::/0",
                                       "::/64",        "198.51.100.0/24"};
static const char *const VERDICTS[] = {"allow",   "deny",    "ALERT", "drop",
                                       "unknown", "allowed", "*e*"};
static const uint16_t FIELDS[] = {
    FIELD_USER_NAME, FIELD_DESTINATION_PORT, FIELD_SOURCE_IP,  FIELD_URL_PATH, FIELD_URL_PORT,
    FIELD_VERDICT,   FIELD_TIMESTAMP,        FIELD_DNS_ANSWER, FIELD_UNNAMED,  FIELD_URL_DOMAIN};

static const char *text_for(struct random *r, uint16_t field)
{
    const struct field_info *info = field_info(field);
    static const char *const FEW[] = {"a", "A", "ab", "aB"};
    if (below(r, 6) == 0)
        return PICK(r, TEXTS);
    if (below(r, 2) == 0 && (info == NULL || info->type == FIELD_TYPE_TEXT) &&
        field != FIELD_VERDICT)
        return PICK(r, FEW);
    if (field == FIELD_VERDICT)
        return PICK(r, VERDICTS);
    if (info != NULL && info->type == FIELD_TYPE_INT)
        return PICK(r, NUMBERS);
    return info != NULL && info->type == FIELD_TYPE_IP ? PICK(r, ADDRESSES) : PICK(r, TEXTS);
}

static struct ast_bound bound_for(struct random *r)
{
    struct ast_bound b = {.number = below(r, 11)};
    b.real = (double)b.number;
    if (below(r, 5) == 0) {
        b.real += 0.5;
        b.is_real = true;
    }
    return b;
}

static struct ast *random_leaf(struct random *r, struct arena *arena, uint16_t field)
{
    static const enum ast_op OPS[] = {
        AST_EQUAL, AST_EQUAL,   AST_EQUAL,         AST_EQUAL, AST_GLOB,    AST_GLOB,
        AST_GLOB,  AST_LESS,    AST_LESS_EQUAL,    AST_RANGE, AST_GREATER, AST_GREATER_EQUAL,
        AST_VALUE, AST_NETWORK, AST_GREATER_EQUAL, AST_REGEX, AST_EXISTS,  AST_CONTAINS,
    };
    static const char *const GLOBS[] = {"a*", "*a", "b*", "*b",  "*5*",
                                        "5*", "*",  "a?", "*x*", "0*"};
    struct ast *leaf = arena_alloc(arena, sizeof(*leaf));
    assert_non_null(leaf);
    leaf->kind = AST_LEAF;
    leaf->op = PICK(r, OPS);
    leaf->field = field;
    leaf->field_name = field == FIELD_UNNAMED ? SLICE("event.k") : field_info(field)->name;
    leaf->cased = below(r, 4) == 0;
    leaf->text = slice_from(text_for(r, field));
    if (leaf->op == AST_GLOB)
        leaf->text = slice_from(PICK(r, GLOBS));
    if (leaf->op == AST_REGEX)
        leaf->text = SLICE("^a");
    leaf->bound = bound_for(r);
    leaf->high = bound_for(r);
    if (leaf->op == AST_NETWORK)
        assert_int_equal(network_parse(&leaf->network, slice_from(PICK(r, NETWORKS)), NULL), 0);
    if (field == FIELD_TIMESTAMP && leaf->op >= AST_LESS && leaf->op <= AST_RANGE)
        leaf->part = (uint8_t)(below(r, 2) == 0 ? AST_PART_HOUR : AST_PART_MONTH);
    return leaf;
}

/* A leaf, or that it does not hold. */
static struct ast *random_claim(struct random *r, struct arena *arena, uint16_t field)
{
    struct ast *leaf = random_leaf(r, arena, field);
    struct ast *not = below(r, 3) == 0 ? arena_alloc(arena, sizeof(*not )) : NULL;
    if (not == NULL)
        return leaf;
    not ->kind = AST_NOT;
    ast_add(not, leaf);
    return not ;
}

/* Few fields in one tree, so that its leaves meet. */
static struct ast *random_tree(struct random *r, struct arena *arena, const uint16_t fields[2],
                               unsigned depth)
{
    if (depth == 0 || below(r, 3) == 0)
        return random_claim(r, arena, fields[below(r, 2)]);
    struct ast *node = arena_alloc(arena, sizeof(*node));
    assert_non_null(node);
    static const enum ast_kind KINDS[] = {AST_AND, AST_AND, AST_OR, AST_NOT};
    node->kind = PICK(r, KINDS);
    uint32_t parts = node->kind == AST_NOT ? 1 : 2 + below(r, PARTS_MAX - 1);
    for (uint32_t i = 0; i < parts; i++)
        ast_add(node, random_tree(r, arena, fields, depth - 1));
    return node;
}

static void put_value(struct random *r, struct buf *line, struct slots *slots, uint16_t field)
{
    static const uint8_t KINDS[] = {SLOT_PLAIN, SLOT_PLAIN, SLOT_PERCENT, SLOT_FORM, SLOT_NULL};
    const struct field_info *info = field_info(field);
    uint8_t kind = PICK(r, KINDS);
    bool text = info == NULL || info->type == FIELD_TYPE_TEXT;
    kind = text ? kind : (uint8_t)SLOT_PLAIN;
    const char *value = kind == SLOT_NULL ? "null" : text_for(r, field);
    struct slot key = {.offset = (uint32_t)line->len, .length = 1};
    buf_text(line, "k=");
    struct slot slot = {.offset = (uint32_t)line->len,
                        .length = (uint32_t)strlen(value),
                        .field = field,
                        .kind = kind};
    buf_text(line, value);
    buf_byte(line, '\n');
    if (field == FIELD_UNNAMED)
        assert_true(slots_add_unnamed(slots, &key, &slot));
    else
        assert_true(slots_add(slots, slot.offset, slot.length, field, kind));
}

static void put_row(struct random *r, struct batch *b, bool several)
{
    struct buf line = {0};
    struct slots slots = {0};
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
        uint32_t values = below(r, 5) == 0 ? 0 : several ? 1 + below(r, 3) : 1;
        if (FIELDS[i] == FIELD_DNS_ANSWER)
            values = below(r, 3);
        for (uint32_t k = 0;
             k < values && FIELDS[i] != FIELD_VERDICT && FIELDS[i] != FIELD_TIMESTAMP; k++)
            put_value(r, &line, &slots, FIELDS[i]);
    }
    int64_t hours = (int64_t)below(r, 400) * 24 + (int64_t)below(r, 24);
    int64_t time_ns = below(r, 9) == 0 ? CLOCK_NONE : hours * 60 * CLOCK_NS_PER_MINUTE;
    struct row row = {
        .bytes = buf_content(&line), .slots = &slots, .time_ns = time_ns, .offset = b->row_count};
    b->format_name = SLICE("event");
    int err = batch_append(b, &row);
    assert_true(err == 0 || err == ERR_RANGE);
    if (err == 0)
        b->verdict[b->row_count - 1] = (uint8_t)below(r, VERDICT_COUNT);
    buf_release(&line);
}

static uint32_t rows_found(const struct ast *tree, struct batch *const *batches)
{
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    struct diag diag = {0};
    uint32_t found = 0;
    if (pred_compile(&pred, &tree, 1, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(pred_scratch_new(&scratch, pred), 0);
    for (size_t i = 0; i < BATCHES; i++) {
        struct column_set all = {
            .batch = batches[i], .end_row = batches[i]->row_count, .rows_known = true};
        assert_int_equal(pred_eval(pred, scratch, &all, &hits), 0);
        found += (uint32_t)hits.count;
    }
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    diag_release(&diag);
    return found;
}

static void calls_nothing_impossible_that_holds(void **state)
{
    (void)state;
    struct random r = {.state = UINT64_C(0x9e3779b97f4a7c15)};
    struct batch *rows[2][BATCHES];
    uint32_t called[CLAIM_EXCLUDED + 1] = {0};
    const char *seed = getenv("SEKISHO_SEED");
    if (seed != NULL)
        r.state += strtoull(seed, NULL, 10) * 2654435761U;
    for (size_t i = 0; i < 2 * (size_t)BATCHES; i++) {
        struct batch *b = batch_new();
        assert_non_null(b);
        for (size_t k = 0; k < 2 * (size_t)ROWS && b->row_count < ROWS; k++)
            put_row(&r, b, i >= BATCHES);
        rows[i / BATCHES][i % BATCHES] = b;
    }
    for (int i = 0; i < TREES; i++) {
        struct arena arena = {0};
        uint16_t field = PICK(&r, FIELDS);
        const uint16_t fields[2] = {field, i % 2 == 0 ? field : PICK(&r, FIELDS)};
        const struct ast *tree = random_tree(&r, &arena, fields, 1 + below(&r, DEPTH_MAX));
        struct possible found;
        assert_int_equal(possible_find(&found, &arena, &tree, 1), 0);
        called[found.relation]++;
        uint32_t one = found.relation == CLAIM_TOGETHER ? 0 : rows_found(tree, rows[0]);
        uint32_t several = found.relation == CLAIM_EXCLUDED ? rows_found(tree, rows[1]) : 0;
        if (one + several != 0) {
            struct buf text = {0};
            (void)query_print(tree, &text);
            fail_msg("tree %d, relation %d, holds for %u rows: %s", i, (int)found.relation,
                     one + several, buf_string(&text));
        }
        arena_release(&arena);
    }
    print_message("%d trees: %u never hold, %u only for a field that repeats\n", TREES,
                  called[CLAIM_EXCLUDED], called[CLAIM_TWO_LINES]);
    assert_true(called[CLAIM_EXCLUDED] >= NEVER_LEAST);
    assert_true(called[CLAIM_TWO_LINES] >= TWICE_LEAST);
    for (size_t i = 0; i < 2 * (size_t)BATCHES; i++)
        batch_free(rows[i / BATCHES][i % BATCHES]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_conditions),
        cmocka_unit_test(calls_nothing_impossible_that_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
