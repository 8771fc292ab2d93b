#include <stdio.h>

#include "detect/correlate.h"
#include "tests/detect/sigma_load.h"

enum {
    RULES = 3,
    EVENTS_MAX = 60,
    ALERTS_MAX = 20000,
    SPAN_S = 10,
};

/* An event as the tests make it: which rules it hits, and its values; NULL: it has none. */
struct sent {
    int64_t second;
    uint32_t rules; /* bit i: r<i+1> */
    const char *u;
    const char *v;
    const char *n;
};

struct told {
    uint32_t rule;
    uint64_t event;
    int64_t time_ns;
    double value;
    char group[64]; /* values, a bar behind each */
};

struct trial {
    struct loaded rules;
    struct correlate *state;
    struct told alerts[ALERTS_MAX];
    uint32_t alert_count;
    uint64_t events;
    char amended[256]; /* " event=value" of each that joined a group that had fired; "?": unknown */
    int stop; /* what the callback returns */
};

static const char *field_of(const struct sent *e, struct slice name)
{
    if (slice_equal(name, SLICE("event.u")))
        return e->u;
    if (slice_equal(name, SLICE("event.v")))
        return e->v;
    return slice_equal(name, SLICE("event.n")) ? e->n : NULL;
}

static bool sent_value(void *self, const struct sigma_field *field, struct slice *out)
{
    const struct sent *e = self;
    const char *text = field_of(e, field->name);
    if (text == NULL)
        return false;
    *out = slice_from(text);
    return true;
}

static int fire(void *self, const struct correlate_alert *alert)
{
    struct trial *run = self;
    struct buf group = {0};
    if (alert->again) {
        size_t at = strlen(run->amended);
        int len = alert->holds
                      ? snprintf(run->amended + at, sizeof(run->amended) - at, " %llu=%g",
                                 (unsigned long long)alert->event, alert->value)
                      : snprintf(run->amended + at, sizeof(run->amended) - at, " %llu=?",
                                 (unsigned long long)alert->event);
        (void)len; /* a test that looks at it has few of them */
        return 0;
    }
    assert_true(alert->holds);
    assert_true(run->alert_count < ALERTS_MAX);
    struct told *told = &run->alerts[run->alert_count++];
    *told = (struct told){.rule = alert->rule,
                          .event = alert->event,
                          .time_ns = alert->time_ns,
                          .value = alert->value};
    for (uint32_t i = 0; i < alert->group_count; i++)
        buf_printf(&group, "%.*s|", (int)alert->groups[i].len, alert->groups[i].data);
    size_t len = group.len < sizeof(told->group) - 1 ? group.len : sizeof(told->group) - 1;
    memcpy(told->group, buf_string(&group), len);
    buf_release(&group);
    return run->stop;
}

/* Rules r1 to r3, which hit what a test says that they hit, and the correlations of the text. */
static struct trial *run_new(const char *correlations, uint32_t cells)
{
    struct trial *run = calloc(1, sizeof(*run));
    struct buf text = {0};
    assert_non_null(run);
    for (int i = 1; i <= RULES; i++) {
        buf_printf(&text,
                   "title: t\nid: r%d\nlogsource: {category: proxy}\n"
                   "detection: {s: {a: x}, condition: s}\n---\n",
                   i);
    }
    buf_text(&text, correlations);
    run->rules = load(buf_string(&text));
    if (run->rules.err != 0)
        fail_msg("%s\n%s", correlations, diag_text(&run->rules.diag));
    assert_int_equal(correlate_new(&run->state, &run->rules.set, cells, 7), 0);
    buf_release(&text);
    return run;
}

static void run_free(struct trial *run)
{
    correlate_free(run->state);
    unload(&run->rules);
    free(run);
}

static void push(struct trial *run, struct sent e)
{
    uint32_t rules[RULES];
    struct correlate_event event = {.time_ns = e.second * CLOCK_NS_PER_SECOND,
                                    .id = run->events++,
                                    .rules = rules,
                                    .field = sent_value,
                                    .self = &e};
    for (uint32_t i = 0; i < RULES; i++) {
        if ((e.rules >> i & 1) != 0)
            rules[event.rule_count++] = i;
    }
    assert_int_equal(correlate_push(run->state, &event, fire, run), run->stop);
}

static void end(struct trial *run, int64_t second)
{
    int err = correlate_advance(run->state, second * CLOCK_NS_PER_SECOND, fire, run);
    assert_true(err == 0 || err == run->stop);
}

/* "event@second=value group" of each alert. */
static const char *told(const struct trial *run, struct buf *out)
{
    buf_reset(out);
    for (uint32_t i = 0; i < run->alert_count; i++) {
        const struct told *a = &run->alerts[i];
        buf_printf(out, "%s%s %llu@%lld=%.15g%s%s", i == 0 ? "" : ", ",
                   run->rules.set.rules[a->rule].id.data, (unsigned long long)a->event,
                   (long long)(a->time_ns / CLOCK_NS_PER_SECOND), a->value,
                   a->group[0] == '\0' ? "" : " ", a->group);
    }
    return buf_string(out);
}

#define C(id, body) CORRELATION(id, "rules: [r1, r2, r3], timespan: 10s, " body)

static void check_told(const char *correlations, const struct sent *events, size_t count,
                       const char *want)
{
    struct trial *run = run_new(correlations, 0);
    struct buf out = {0};
    int64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        push(run, events[i]);
        last = events[i].second;
    }
    end(run, last);
    if (strcmp(told(run, &out), want) != 0)
        fail_msg("%s\n  %s\nnot\n  %s", correlations, buf_string(&out), want);
    assert_int_equal(correlate_evictions(run->state), 0);
    buf_release(&out);
    run_free(run);
}

#define CHECK_TOLD(correlations, want, ...)                                             \
    do {                                                                                \
        const struct sent events[] = {__VA_ARGS__};                                     \
        check_told((correlations), events, sizeof(events) / sizeof(events[0]), (want)); \
    } while (0)

static void windows_are_half_open(void **state)
{
    (void)state;
    static const char *const TWO = C("c", "type: event_count, condition: {gte: 2}");
    CHECK_TOLD(TWO, "c 1@10=2", {.second = 1, .rules = 1}, {.second = 10, .rules = 1});
    CHECK_TOLD(TWO, "", {.second = 1, .rules = 1}, {.second = 11, .rules = 1});
    CHECK_TOLD(TWO, "c 2@12=2", {.second = 1, .rules = 1}, {.second = 11, .rules = 1},
               {.second = 12, .rules = 1});
    CHECK_TOLD(TWO, "c 1@0=2", {.second = 0, .rules = 1}, {.second = 0, .rules = 1});
    CHECK_TOLD(TWO, "", {.second = 0, .rules = 0}, {.second = 0, .rules = 1});
}

/* An alert an episode: again only after the window has emptied. */
static void groups_fire_once_an_episode(void **state)
{
    (void)state;
    static const char *const TWO = C("c", "type: event_count, condition: {gte: 2}");
    struct buf many = {0};
    CHECK_TOLD(TWO, "c 1@1=2", {.second = 0, .rules = 1}, {.second = 1, .rules = 1},
               {.second = 9, .rules = 1}, {.second = 18, .rules = 1}, {.second = 27, .rules = 1});
    CHECK_TOLD(TWO, "c 1@1=2, c 3@12=2", {.second = 0, .rules = 1}, {.second = 1, .rules = 1},
               {.second = 11, .rules = 1}, {.second = 12, .rules = 1});
    CHECK_TOLD(C("c", "type: event_count, condition: {gte: -1}"), "c 0@0=1, c 3@20=1",
               {.second = 0, .rules = 1}, {.second = 5, .rules = 1}, {.second = 10, .rules = 1},
               {.second = 20, .rules = 1});
    CHECK_TOLD(C("c", "type: event_count, condition: {eq: 2}"), "c 1@1=2",
               {.second = 0, .rules = 1}, {.second = 1, .rules = 1}, {.second = 2, .rules = 1});
    CHECK_TOLD(C("c", "type: event_count, condition: {gt: 1, lt: 3}"), "c 1@1=2",
               {.second = 0, .rules = 1}, {.second = 1, .rules = 1}, {.second = 2, .rules = 1});
    buf_release(&many);
}

/* What joins a group after it has fired is told, until its window is empty. */
static void further_events_amend(void **state)
{
    (void)state;
    static const struct {
        const char *correlation;
        const char *amended;
    } CASES[] = {
        {"type: event_count, condition: {gte: 2}", " 2=3 3=2 5=2"},
        {"type: event_count, condition: {gte: 2, lt: 3}", " 2=? 3=2 5=2"},
        {"type: value_sum, condition: {field: n, gte: 3}", " 2=5 3=? 5=?"},
        {"type: value_sum, condition: {field: n, gte: 2.5}", " 2=5 3=? 5=?"},
        {"type: value_median, condition: {field: n, gte: 1.5}", " 2=? 3=? 5=?"},
        {"type: temporal, condition: {gte: 1}", " 1=? 2=? 3=? 5=?"},
        {"type: temporal, condition: r1 and not r2", ""},
    };
    static const struct sent EVENTS[] = {
        {.second = 0, .rules = 1, .n = "1"},  {.second = 1, .rules = 1, .n = "2"},
        {.second = 2, .rules = 1, .n = "2"},  {.second = 11, .rules = 1, .n = "0"},
        {.second = 12, .rules = 0, .n = "9"}, {.second = 20, .rules = 1, .n = "0"},
        {.second = 30, .rules = 1, .n = "0"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct buf text = {0};
        buf_printf(&text,
                   "title: t\nid: c\ncorrelation: {rules: [r1, r2, r3], timespan: 10s, %s}\n",
                   CASES[i].correlation);
        struct trial *run = run_new(buf_string(&text), 0);
        for (size_t k = 0; k < sizeof(EVENTS) / sizeof(EVENTS[0]); k++)
            push(run, EVENTS[k]);
        if (strcmp(run->amended, CASES[i].amended) != 0)
            fail_msg("%s: %s", CASES[i].correlation, run->amended);
        run_free(run);
        buf_release(&text);
    }
}

static void an_event_counts_once(void **state)
{
    (void)state;
    CHECK_TOLD(C("c", "type: event_count, condition: {gte: 2}"), "c 1@1=2",
               {.second = 0, .rules = 7}, {.second = 1, .rules = 3});
    CHECK_TOLD(C("c", "type: temporal"), "c 0@0=3", {.second = 0, .rules = 7});
    CHECK_TOLD(C("c", "type: temporal_ordered"), "", {.second = 0, .rules = 7});
    CHECK_TOLD(C("c", "type: temporal_ordered"), "c 2@0=3", {.second = 0, .rules = 7},
               {.second = 0, .rules = 7}, {.second = 0, .rules = 7});
}

static void groups_are_apart(void **state)
{
    (void)state;
    static const char *const TWO =
        C("c", "type: event_count, group-by: [u, v], condition: {gte: 2}");
    CHECK_TOLD(TWO, "c 2@2=2 a|b|", {.second = 0, .rules = 1, .u = "a", .v = "b"},
               {.second = 1, .rules = 1, .u = "ab", .v = ""},
               {.second = 2, .rules = 1, .u = "a", .v = "b"});
    CHECK_TOLD(TWO, "", {.second = 0, .rules = 1, .u = "A", .v = "b"},
               {.second = 1, .rules = 1, .u = "a", .v = "b"});
    CHECK_TOLD(TWO, "c 1@1=2 ||", {.second = 0, .rules = 1, .u = "", .v = ""},
               {.second = 1, .rules = 1, .u = "", .v = ""});
    struct trial *run = run_new(TWO, 0);
    push(run, (struct sent){.second = 0, .rules = 1, .u = "a"});
    push(run, (struct sent){.second = 0, .rules = 1, .v = "a"});
    push(run, (struct sent){.second = 0, .rules = 1, .u = "a"});
    assert_int_equal(run->alert_count, 0);
    assert_int_equal(correlate_ungrouped(run->state), 3);
    run_free(run);
}

static void aliases_join_fields(void **state)
{
    (void)state;
    CHECK_TOLD(C("c", "type: temporal, group-by: [w], aliases: {w: {r1: u, r2: v, r3: n}}"),
               "c 3@3=3 x|", {.second = 0, .rules = 1, .u = "x", .v = "y", .n = "y"},
               {.second = 1, .rules = 2, .u = "y", .v = "x", .n = "y"},
               {.second = 2, .rules = 4, .u = "x", .v = "x", .n = "z"},
               {.second = 3, .rules = 4, .u = "y", .v = "y", .n = "x"});
}

static void values_are_counted_as_tuples(void **state)
{
    (void)state;
    static const char *const TWO = C("c", "type: value_count, condition: {gte: 3, field: [u, v]}");
    CHECK_TOLD(TWO, "c 3@3=3", {.second = 0, .rules = 1, .u = "a", .v = "bc"},
               {.second = 1, .rules = 1, .u = "ab", .v = "c"},
               {.second = 2, .rules = 1, .u = "a", .v = "bc"},
               {.second = 3, .rules = 1, .u = "A", .v = "bc"});
    CHECK_TOLD(TWO, "", {.second = 0, .rules = 1, .u = "a", .v = "b"},
               {.second = 1, .rules = 1, .u = "a"}, {.second = 2, .rules = 1, .v = "b"},
               {.second = 3, .rules = 1, .u = "b", .v = "a"});
    CHECK_TOLD(C("c", "type: value_count, condition: {gte: 2, field: u}"), "c 1@1=2",
               {.second = 0, .rules = 1, .u = "a"}, {.second = 1, .rules = 1, .u = "b", .v = ""},
               {.second = 1, .rules = 1, .u = ""}, {.second = 11, .rules = 1, .u = "a"});
}

static void numbers_are_aggregated(void **state)
{
    (void)state;
    CHECK_TOLD(C("c", "type: value_sum, condition: {gte: 10, field: n}"), "c 3@3=10.5",
               {.second = 0, .rules = 1, .n = "4"}, {.second = 1, .rules = 1, .n = "x"},
               {.second = 2, .rules = 1, .n = "5.5"}, {.second = 3, .rules = 1, .n = "1"});
    CHECK_TOLD(C("c", "type: value_avg, condition: {gt: 2, field: n}"), "c 2@2=2.5",
               {.second = 0, .rules = 1, .n = "1"}, {.second = 1, .rules = 1},
               {.second = 2, .rules = 1, .n = "4"});
    CHECK_TOLD(C("c", "type: value_median, condition: {gte: 5, field: n}"), "c 2@2=5",
               {.second = 0, .rules = 1, .n = "1"}, {.second = 1, .rules = 1, .n = "5"},
               {.second = 2, .rules = 1, .n = "1e3"});
    CHECK_TOLD(C("c", "type: value_percentile, condition: {gte: 8, field: n, percentile: 75}"),
               "c 3@3=8.5", {.second = 0, .rules = 1, .n = "1"},
               {.second = 1, .rules = 1, .n = "3"}, {.second = 2, .rules = 1, .n = "7"},
               {.second = 3, .rules = 1, .n = "13"});
    /* what has left the window has left nothing behind */
    CHECK_TOLD(C("c", "type: value_sum, condition: {gte: 10, field: n}"), "c 2@11=10",
               {.second = 0, .rules = 1, .n = "-1e18"}, {.second = 5, .rules = 1, .n = "5"},
               {.second = 11, .rules = 1, .n = "5"});
    CHECK_TOLD(C("c", "type: value_sum, condition: {lt: 3, field: n}"), "c 2@13=1",
               {.second = 0, .rules = 1, .n = "5"}, {.second = 9, .rules = 1},
               {.second = 13, .rules = 1, .n = "1"});
}

static void negations_wait_for_the_end(void **state)
{
    (void)state;
    static const char *const NOT = C("c", "type: temporal, condition: r1 and not r2");
    struct trial *run = run_new(NOT, 0);
    struct buf out = {0};
    push(run, (struct sent){.second = 0, .rules = 1});
    end(run, 9);
    assert_string_equal(told(run, &out), "");
    end(run, 10);
    assert_string_equal(told(run, &out), "c 0@10=1");
    run_free(run);
    run = run_new(NOT, 0);
    push(run, (struct sent){.second = 0, .rules = 1});
    push(run, (struct sent){.second = 9, .rules = 2});
    end(run, 100);
    assert_string_equal(told(run, &out), "");
    run_free(run);
    run = run_new(NOT, 0);
    push(run, (struct sent){.second = 0, .rules = 2});
    push(run, (struct sent){.second = 1, .rules = 1});
    push(run, (struct sent){.second = 11, .rules = 2});
    end(run, 100);
    assert_string_equal(told(run, &out), "c 1@11=1");
    run_free(run);
    buf_release(&out);
}

static void chains_feed_on(void **state)
{
    (void)state;
    static const char *const CHAIN = CORRELATION(
        "outer",
        "type: event_count, rules: inner, group-by: [v], timespan: 1m, "
        "condition: {gte: 2}") "---\n" CORRELATION("inner",
                                                   "type: event_count, rules: r1, group-by: [u], timespan: 10s, "
                                                   "condition: {gte: 2}");
    CHECK_TOLD(CHAIN, "inner 1@1=2 a|, inner 4@4=2 b|, outer 4@4=2 x|",
               {.second = 0, .rules = 1, .u = "a", .v = "y"},
               {.second = 1, .rules = 1, .u = "a", .v = "x"},
               {.second = 2, .rules = 1, .u = "a", .v = "x"},
               {.second = 3, .rules = 1, .u = "b", .v = "x"},
               {.second = 4, .rules = 1, .u = "b", .v = "x"});
}

/* What the callback returns ends the call, and the state stays usable. */
static void the_callback_may_stop(void **state)
{
    (void)state;
    struct trial *run = run_new(C("c", "type: event_count, group-by: [u], condition: {gte: 1}"), 0);
    run->stop = ERR_IO;
    push(run, (struct sent){.second = 0, .rules = 1, .u = "a"});
    run->stop = 0;
    push(run, (struct sent){.second = 0, .rules = 1, .u = "b"});
    assert_int_equal(run->alert_count, 2);
    run_free(run);
}

/* A naive engine: all events of a group, looked at anew for every event */

struct naive {
    const struct sigma_correlation *c;
    const struct sent *events;
    size_t count;
    struct told alerts[EVENTS_MAX * 2];
    uint32_t alert_count;
};

struct entry {
    size_t event;
    uint32_t reference;
};

static int double_compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_temporal(const struct sigma_correlation *c)
{
    return c->type == SIGMA_TEMPORAL || c->type == SIGMA_TEMPORAL_ORDERED;
}

/* The values of a window, as texts ("a/b") for counting and as numbers; how many. */
static uint32_t naive_values(const struct naive *n, const struct entry *window, uint32_t count,
                             double *numbers, uint32_t *distinct)
{
    char texts[EVENTS_MAX][64];
    uint32_t found = 0;
    *distinct = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct sent *e = &n->events[window[i].event];
        bool all = true;
        char text[64] = "";
        for (uint32_t f = 0; f < n->c->field_count; f++) {
            const char *value = field_of(e, n->c->fields[f].name);
            all &= value != NULL;
            size_t at = strlen(text);
            (void)snprintf(text + at, sizeof(text) - at, "/%s", value == NULL ? "" : value);
        }
        char *stop = text + 1;
        double number = all ? strtod(text + 1, &stop) : 0;
        if (!all || (n->c->type != SIGMA_VALUE_COUNT && (stop == text + 1 || *stop != '\0')))
            continue;
        bool seen = false;
        for (uint32_t k = 0; k < found; k++)
            seen |= strcmp(texts[k], text) == 0;
        *distinct += !seen;
        memcpy(texts[found], text, sizeof(text));
        numbers[found++] = number;
    }
    return found;
}

static uint32_t naive_ordered(const struct naive *n, const struct entry *window, uint32_t count,
                              uint32_t from, uint32_t reference)
{
    /* The longest prefix of the rules that some choice of different events makes, by trying all. */
    uint32_t best = reference;
    if (reference == n->c->reference_count)
        return reference;
    for (uint32_t i = from; i < count; i++) {
        uint32_t rule = n->c->references[reference].rule;
        bool fits = (n->events[window[i].event].rules >> rule & 1) != 0 &&
                    (i == 0 || window[i].event != window[i - 1].event);
        uint32_t len = fits ? naive_ordered(n, window, count, i + 1, reference + 1) : 0;
        best = len > best ? len : best;
    }
    return best;
}

static bool naive_judge(const struct naive *n, const struct entry *window, uint32_t count,
                        double *value)
{
    double numbers[EVENTS_MAX * RULES];
    uint32_t distinct = 0;
    uint64_t bits = 0;
    if (is_temporal(n->c)) {
        for (uint32_t i = 0; i < count; i++)
            bits |= UINT64_C(1) << window[i].reference;
        *value = __builtin_popcountll(bits);
        struct entry once[EVENTS_MAX];
        uint32_t events = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (i == 0 || window[i].event != window[i - 1].event)
                once[events++] = window[i];
        }
        if (n->c->type == SIGMA_TEMPORAL_ORDERED)
            *value = naive_ordered(n, once, events, 0, 0);
        return n->c->program != NULL ? sigma_program_holds(n->c, bits)
                                     : sigma_bounds_hold(n->c, *value);
    }
    *value = count;
    if (n->c->type == SIGMA_EVENT_COUNT)
        return sigma_bounds_hold(n->c, *value);
    uint32_t found = naive_values(n, window, count, numbers, &distinct);
    uint32_t ignored = 0;
    if (found == 0 || naive_values(n, window + count - 1, 1, numbers + found, &ignored) == 0)
        return false;
    double sum = 0;
    for (uint32_t i = 0; i < found; i++)
        sum += numbers[i];
    qsort(numbers, found, sizeof(*numbers), double_compare);
    double percent = n->c->type == SIGMA_VALUE_MEDIAN ? 50 : n->c->percentile;
    double rank = (found - 1) * percent / 100.0;
    uint32_t low = (uint32_t)rank;
    double high = numbers[low + 1 < found ? low + 1 : low];
    *value = n->c->type == SIGMA_VALUE_COUNT ? distinct
             : n->c->type == SIGMA_VALUE_SUM ? sum
             : n->c->type == SIGMA_VALUE_AVG ? sum / found
                                             : numbers[low] + (high - numbers[low]) * (rank - low);
    return sigma_bounds_hold(n->c, *value);
}

static void naive_tell(struct naive *n, size_t event, int64_t second, double value, const char *u)
{
    struct told *a = &n->alerts[n->alert_count++];
    *a = (struct told){
        .event = event, .time_ns = second * CLOCK_NS_PER_SECOND, .value = value, .rule = RULES};
    if (n->c->group_count != 0)
        (void)snprintf(a->group, sizeof(a->group), "%s|", u);
}

/* The window from `from` on is over. */
static bool naive_close(struct naive *n, const struct entry *all, uint32_t count, int64_t from,
                        const char *u)
{
    uint64_t bits = 0;
    uint64_t seen = 0;
    size_t at = 0;
    bool done = false;
    for (uint32_t i = 0; i < count; i++) {
        int64_t second = n->events[all[i].event].second;
        if (second < from || second >= from + SPAN_S)
            continue;
        bits |= UINT64_C(1) << all[i].reference;
        if (done)
            continue;
        seen |= UINT64_C(1) << all[i].reference;
        at = all[i].event;
        done = sigma_program_holds(n->c, seen);
    }
    if (!sigma_program_holds(n->c, bits))
        return false;
    naive_tell(n, at, from + SPAN_S, __builtin_popcountll(bits), u);
    return true;
}

/* What the naive engine knows of one group. */
struct history {
    const char *u;
    struct entry all[EVENTS_MAX * RULES];
    uint32_t count;
    uint32_t first; /* within the window */
    bool fired;
    int64_t closed; /* windows that began up to here are decided */
};

/* Decide the windows that are over. */
static void history_close(struct naive *n, struct history *h, int64_t now)
{
    for (uint32_t k = 0; n->c->has_not && k < h->count; k++) {
        int64_t from = n->events[h->all[k].event].second;
        if (from <= h->closed || from + SPAN_S > now)
            continue;
        h->closed = from;
        h->fired = h->fired || naive_close(n, h->all, h->count, from, h->u);
    }
}

static bool is_of(const struct naive *n, const struct sent *e, const char *u)
{
    return e->rules != 0 && (n->c->group_count == 0 || (e->u != NULL && strcmp(e->u, u) == 0));
}

static void history_add(struct naive *n, struct history *h, size_t event)
{
    uint32_t rules = n->events[event].rules;
    int64_t now = n->events[event].second;
    while (h->first < h->count && n->events[h->all[h->first].event].second <= now - SPAN_S)
        h->first++;
    h->fired = h->fired && h->first < h->count;
    if (!is_temporal(n->c))
        rules &= ~(rules - 1); /* an event counts once, for the first of its rules */
    for (uint32_t k = 0; k < RULES; k++) {
        if ((rules >> k & 1) != 0)
            h->all[h->count++] = (struct entry){event, k};
    }
    double value = 0;
    if (h->fired || n->c->has_not ||
        !naive_judge(n, h->all + h->first, h->count - h->first, &value))
        return;
    h->fired = true;
    naive_tell(n, event, now, value, h->u);
}

/* All of one group, from the first event to the watermark. */
static void naive_group(struct naive *n, const char *u, int64_t last)
{
    struct history h = {.u = u, .closed = INT64_MIN};
    for (size_t i = 0; i < n->count; i++) {
        history_close(n, &h, n->events[i].second);
        if (is_of(n, &n->events[i], u))
            history_add(n, &h, i);
    }
    history_close(n, &h, last);
}

static int told_compare(const void *a, const void *b)
{
    const struct told *x = a;
    const struct told *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->event != y->event)
        return x->event < y->event ? -1 : 1;
    return strcmp(x->group, y->group);
}

static const char *const USERS[] = {"a", "b", ""};

static void sent_random(struct sent *out, uint64_t *seed, size_t count)
{
    static const char *const NUMBERS[] = {"1", "2", "3", "5.5", "-4", "0.25", "x", NULL, "1e1"};
    int64_t second = 1000;
    for (size_t i = 0; i < count; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t dice = *seed >> 20;
        second += (int64_t)(dice % 16 == 0 ? 12 : dice % 4);
        uint32_t user = (uint32_t)(dice >> 8) % 7;
        out[i] = (struct sent){.second = second,
                               .rules = (uint32_t)(dice >> 12) % 3 == 0 ? (uint32_t)(dice >> 16) % 8
                                                                        : 1U << (dice >> 16) % 3,
                               .u = user == 6 ? NULL : USERS[user % 3],
                               .v = (dice >> 24) % 6 == 0 ? NULL : USERS[(dice >> 28) % 3],
                               .n = NUMBERS[(dice >> 32) % 9]};
    }
}

static void compare(const char *correlation, uint64_t *seed)
{
    struct trial *run = run_new(correlation, 0);
    struct sent events[EVENTS_MAX];
    size_t count = 1 + (size_t)(*seed >> 40) % EVENTS_MAX;
    sent_random(events, seed, count);
    struct naive n = {
        .c = run->rules.set.rules[RULES].correlation, .events = events, .count = count};
    int64_t last = events[count - 1].second + (int64_t)(*seed >> 50) % 15;
    for (size_t i = 0; i < count; i++)
        push(run, events[i]);
    end(run, last);
    for (size_t i = 0; i < (n.c->group_count == 0 ? 1 : 3); i++)
        naive_group(&n, USERS[i], last);
    qsort(run->alerts, run->alert_count, sizeof(*run->alerts), told_compare);
    qsort(n.alerts, n.alert_count, sizeof(*n.alerts), told_compare);
    bool same = n.alert_count == run->alert_count;
    for (uint32_t i = 0; same && i < n.alert_count; i++) {
        same = told_compare(&n.alerts[i], &run->alerts[i]) == 0 &&
               !(n.alerts[i].value < run->alerts[i].value) &&
               !(n.alerts[i].value > run->alerts[i].value);
    }
    if (!same) {
        struct buf is = {0};
        struct buf want = {0};
        (void)told(run, &is);
        memcpy(run->alerts, n.alerts, sizeof(n.alerts));
        run->alert_count = n.alert_count;
        (void)told(run, &want);
        for (size_t i = 0; i < count; i++)
            print_message("%zu@%lld rules %u u %s v %s n %s\n", i, (long long)events[i].second,
                          events[i].rules, events[i].u, events[i].v, events[i].n);
        fail_msg("%s\n  %s\nnot\n  %s", correlation, buf_string(&is), buf_string(&want));
    }
    run_free(run);
}

static void agrees_with_a_naive_engine(void **state)
{
    (void)state;
    static const char *const TYPES[] = {
        "type: event_count, condition: {gte: 3}",
        "type: event_count, condition: {eq: 2}",
        "type: event_count, condition: {gt: 1, lte: 4, neq: 3}",
        "type: event_count, condition: {lt: 2}",
        "type: value_count, condition: {gte: 3, field: n}",
        "type: value_count, condition: {gte: 4, field: [v, n]}",
        "type: value_count, condition: {eq: 1, field: v}",
        "type: value_sum, condition: {gte: 12, field: n}",
        "type: value_sum, condition: {lt: 0, field: n}",
        "type: value_avg, condition: {gt: 2.5, field: n}",
        "type: value_median, condition: {gte: 3, field: n}",
        "type: value_percentile, condition: {gte: 5, field: n, percentile: 90}",
        "type: value_percentile, condition: {lt: 1, field: n, percentile: 0}",
        "type: temporal",
        "type: temporal, condition: {gte: 2}",
        "type: temporal, condition: r1 and (r2 or r3)",
        "type: temporal, condition: r1 and not r2",
        "type: temporal, condition: (r1 or r3) and not (r2 and r3)",
        "type: temporal_ordered",
    };
    uint64_t seed = 11;
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        for (int round = 0; round < 200; round++) {
            struct buf text = {0};
            buf_printf(&text,
                       "title: c\nid: c\ncorrelation: {rules: [r1, r2, r3], timespan: 10s, %s%s}\n",
                       round % 3 == 0 ? "" : "group-by: u, ", TYPES[i]);
            compare(buf_string(&text), &seed);
            buf_release(&text);
        }
    }
}

/* Memory */

/* Whatever comes, nothing but the oldest groups of the fullest correlation is lost. */
static void full_memory_takes_the_quiet_groups(void **state)
{
    (void)state;
    static const char *const BOTH = CORRELATION(
        "many",
        "type: event_count, rules: r1, group-by: [u], timespan: 1d, "
        "condition: {gte: 2}") "---\n" CORRELATION("few",
                                                   "type: event_count, rules: r2, group-by: [u], timespan: 1d, "
                                                   "condition: {gte: 2}");
    struct trial *run = run_new(BOTH, 4096);
    for (int i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "kept-%d", i);
        push(run, (struct sent){.second = 1, .rules = 2, .u = name});
    }
    for (int i = 0; i < 50000; i++) {
        char name[400];
        (void)snprintf(name, sizeof(name), "%d-%0*d", i, 1 + i % 300, 7);
        push(run, (struct sent){.second = 2, .rules = 1, .u = name});
    }
    assert_int_equal(run->alert_count, 0);
    uint64_t evicted = correlate_evictions(run->state);
    assert_true(evicted > 40000 && evicted < 50000);
    for (int i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "kept-%d", i);
        push(run, (struct sent){.second = 3, .rules = 2, .u = name});
    }
    assert_int_equal(run->alert_count, 20);
    push(run, (struct sent){.second = 3,
                            .rules = 1,
                            .u = "49999-0000000000000000000000000000000000"
                                 "000000000000000000000000000000000000000"
                                 "000000000000000000000000000000000000007"});
    run_free(run);
}

/* One group that takes all it can get: the others of its kind and of other kinds go on. */
static void a_flood_of_one_group_harms_no_other(void **state)
{
    (void)state;
    static const char *const KINDS[] = {
        "type: value_sum, condition: {gte: 1e12, field: n}",
        "type: value_count, condition: {gte: 9000, field: n}",
        "type: value_median, condition: {gte: 1e12, field: n}",
        "type: temporal, condition: r1 and r2 and r3",
        "type: temporal, condition: r1 and not r2",
        "type: temporal_ordered",
        "type: event_count, condition: {gte: 9000}",
    };
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        struct buf text = {0};
        buf_printf(&text,
                   "title: c\nid: flood\ncorrelation: {rules: [r1, r2, r3], group-by: u, timespan: "
                   "1d, %s}\n---\n%s",
                   KINDS[i],
                   CORRELATION("other", "type: event_count, rules: r3, group-by: u, timespan: 1d, "
                                        "condition: {gte: 2}"));
        struct trial *run = run_new(buf_string(&text), 1 << 18);
        for (int k = 0; k < 50; k++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "o%d", k);
            push(run, (struct sent){.second = 1, .rules = 4, .u = name, .n = "1"});
        }
        for (int k = 0; k < 60000; k++)
            push(run, (struct sent){.second = 2 + k / 10, .rules = 1, .u = "noise", .n = "3"});
        uint32_t before = run->alert_count;
        for (int k = 0; k < 50; k++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "o%d", k);
            push(run, (struct sent){.second = 9000, .rules = 4, .u = name, .n = "1"});
        }
        if (run->alert_count - before != 50)
            fail_msg("%s: %u", KINDS[i], run->alert_count - before);
        assert_int_equal(correlate_evictions(run->state), 0);
        run_free(run);
        buf_release(&text);
    }
}

/* The smallest memory, every type, values of every length: nothing but what is counted is lost. */
static void the_smallest_memory_survives(void **state)
{
    (void)state;
    static const char *const ALL =
        C("c1", "type: value_count, group-by: [u, v], condition: {gte: 5, field: n}") "---\n" C("c2", "type: temporal, group-by: [v, u], condition: r1 and not r2") "---\n" C(
            "c3",
            "type: temporal_ordered, group-by: u") "---\n" C("c4",
                                                             "type: value_percentile, group-by: u, condition: {gte: 3, field: n, percentile: 9}") "---\n" CORRELATION("c5",
                                                                                                                                                                      "type: event_count, rules: c3, group-by: u, timespan: 1m, condition: {gte: 2}");
    struct trial *run = run_new(ALL, 1);
    uint64_t seed = 21;
    for (int i = 0; i < 30000; i++) {
        struct buf u = {0};
        struct buf v = {0};
        char n[16];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t dice = seed >> 20;
        for (uint64_t k = dice % 40; k > 0; k--)
            buf_text(&u, (dice >> k & 1) != 0 ? "abcdefghijklmnop" : "x");
        for (uint64_t k = (dice >> 9) % 600; (dice >> 20) % 8 == 0 && k > 0; k--)
            buf_byte(&v, 'v');
        (void)snprintf(n, sizeof(n), "%d", (int)(dice >> 30) % 40);
        if (run->alert_count > ALERTS_MAX - 100)
            run->alert_count = 0;
        push(run, (struct sent){.second = i / 40,
                                .rules = (uint32_t)(dice >> 24) % 8,
                                .u = buf_string(&u),
                                .v = buf_string(&v),
                                .n = n});
        buf_release(&u);
        buf_release(&v);
    }
    end(run, 100000);
    assert_true(correlate_evictions(run->state) > 0);
    run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_half_open),
        cmocka_unit_test(groups_fire_once_an_episode),
        cmocka_unit_test(further_events_amend),
        cmocka_unit_test(an_event_counts_once),
        cmocka_unit_test(groups_are_apart),
        cmocka_unit_test(aliases_join_fields),
        cmocka_unit_test(values_are_counted_as_tuples),
        cmocka_unit_test(numbers_are_aggregated),
        cmocka_unit_test(negations_wait_for_the_end),
        cmocka_unit_test(chains_feed_on),
        cmocka_unit_test(the_callback_may_stop),
        cmocka_unit_test(agrees_with_a_naive_engine),
        cmocka_unit_test(full_memory_takes_the_quiet_groups),
        cmocka_unit_test(a_flood_of_one_group_harms_no_other),
        cmocka_unit_test(the_smallest_memory_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
