/*
 * Rule files of any bytes: no crash, no hang, a diagnosis for each refusal; and what was accepted compiles
 * and can be asked. Files of one set stand behind each other, a NUL between them.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/correlate.h"
#include "detect/sigma.h"
#include "event/builder.h"
#include "event/pred.h"

enum {
    FUZZ_EVENTS = 4,
    FUZZ_CELLS = 2048,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Values that placeholders stand for: a pattern, a network, another placeholder's name. */
static struct slice VALUES[] = {{"a*", 2}, {"192.0.2.0/24", 12}, {"%l%", 3}};
static const struct sigma_placeholder LISTS[] = {{{"l", 1}, VALUES, 3}, {{"e", 1}, VALUES, 0}};

static void event_add(struct batch *b, const char *text)
{
    struct slots slots = {0};
    struct slice line = slice_from(text);
    for (const char *at = text; *at != '\0';) {
        const char *equals = strchr(at, '=');
        const char *end = strchr(equals, '\n');
        struct slot key = {.offset = (uint32_t)(at - text), .length = (uint32_t)(equals - at)};
        struct slot value = {.offset = (uint32_t)(equals + 1 - text),
                             .length = (uint32_t)(end - equals - 1),
                             .kind = strncmp(equals + 1, "null", 4) == 0 ? SLOT_NULL : SLOT_PLAIN};
        bool fits = slots_add_unnamed(&slots, &key, &value);
        assert(fits);
        at = end + 1;
    }
    struct row row = {.bytes = line, .slots = &slots, .offset = b->row_count};
    row.time_ns = (int64_t)b->row_count * 20 * CLOCK_NS_PER_SECOND;
    int err = batch_append(b, &row);
    assert(err == 0);
}

static bool no_value(void *self, const struct sigma_field *field, struct slice *out)
{
    (void)self;
    *out = SLICE("7");
    return field->name.len % 4 != 3;
}

static int alert_take(void *self, const struct correlate_alert *alert)
{
    const struct sigma_set *set = self;
    assert(set->rules[alert->rule].correlation != NULL);
    return 0;
}

/* What a state says of itself is taken, and says the same. */
static void correlations_reload(struct correlate *state)
{
    struct buf first = {0};
    struct buf second = {0};
    correlate_save(state, &first);
    struct slice bytes = buf_content(&first);
    int err = correlate_load(state, &bytes);
    assert(err == 0 && bytes.len == 0);
    correlate_save(state, &second);
    assert(slice_equal(buf_content(&first), buf_content(&second)));
    buf_release(&first);
    buf_release(&second);
}

/* Matches of any of the rules, in time. */
static void correlations_run(struct sigma_set *set)
{
    struct correlate *state = NULL;
    const struct correlate_options options = {.set = set,
                                              .order = set->order,
                                              .order_count = set->order_count,
                                              .cells = FUZZ_CELLS,
                                              .seed = 7,
                                              .tells_joining = true};
    if (set->order_count == 0 || correlate_new(&state, &options) != 0)
        return;
    for (uint32_t i = 0; i < 3 * FUZZ_EVENTS; i++) {
        uint32_t rule = i % set->rule_count;
        struct correlate_event event = {.time_ns = i * 7 * CLOCK_NS_PER_SECOND,
                                        .id = i,
                                        .rules = &rule,
                                        .rule_count = set->rules[rule].correlation == NULL,
                                        .field = no_value};
        int err = correlate_push(state, &event, alert_take, set);
        assert(err == 0);
    }
    correlations_reload(state);
    int err = correlate_advance(state, INT64_MAX / 2, alert_take, set);
    assert(err == 0);
    correlate_free(state);
}

static void rules_run(const struct sigma_set *set, struct diag *diag)
{
    static const char *const EVENTS[FUZZ_EVENTS] = {"a=x\nb=7\n", "a=192.0.2.1\na=\n",
                                                    "a=null\nc=-%41 /e\n", "a=A*?\\\nb=1.5\n"};
    struct pred *pred = NULL;
    struct pred_scratch *scratch = NULL;
    struct hits hits = {0};
    const struct ast **trees = calloc(set->rule_count + 1U, sizeof(const struct ast *));
    size_t count = 0;
    struct batch *b = batch_new();
    assert(trees != NULL && b != NULL);
    b->format_name = SLICE("event");
    for (size_t i = 0; i < FUZZ_EVENTS; i++)
        event_add(b, EVENTS[i]);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        if (set->rules[i].kind == SIGMA_RULE)
            trees[count++] = set->rules[i].condition;
    }
    size_t before = diag->count;
    int err = count == 0 ? ERR_NOTFOUND : pred_compile(&pred, trees, count, diag);
    assert(err != ERR_CONF || diag->count > before);
    if (err == 0 && pred_scratch_new(&scratch, pred) == 0) {
        const struct column_set all = {.batch = b, .end_row = b->row_count, .rows_known = true};
        int got = pred_eval(pred, scratch, &all, &hits);
        assert(got == 0 || got == ERR_RANGE);
        assert(hits.count == 0 || pred_possible(pred, scratch, &all));
    }
    hits_release(&hits);
    pred_scratch_free(scratch);
    pred_free(pred);
    batch_free(b);
    free(trees);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sigma_set set;
    struct diag diag = {0};
    struct slice rest = slice_of(data, size);
    bool faulty = false;
    sigma_set_init(&set, size != 0 && data[0] == '#' ? SIGMA_NAMES_FIELDS : SIGMA_NAMES_LITERAL);
    set.placeholders = LISTS;
    set.placeholder_count = sizeof(LISTS) / sizeof(LISTS[0]);
    for (bool more = true; more;) {
        const char *nul = rest.len == 0 ? NULL : memchr(rest.data, '\0', rest.len);
        struct slice text = slice_of(rest.data, nul == NULL ? rest.len : (size_t)(nul - rest.data));
        int err = sigma_set_add(&set, "f.yml", text, &diag);
        assert(err == 0 || err == ERR_CONF);
        faulty |= err != 0;
        more = nul != NULL;
        rest = slice_from_offset(rest, more ? text.len + 1 : rest.len);
    }
    assert(!faulty || diag.count != 0);
    int err = sigma_set_link(&set, &diag);
    assert(err == 0 || (err == ERR_CONF && diag.count != 0));
    assert(!faulty || err != 0);
    if (err == 0) {
        rules_run(&set, &diag);
        correlations_run(&set);
    }
    sigma_set_release(&set);
    diag_release(&diag);
    return 0;
}
