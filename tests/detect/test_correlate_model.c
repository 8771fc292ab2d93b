/* detect/correlate.h against a slow engine that shares nothing with it. */
#include "tests/detect/correlate_trial.h"

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

/* Crowded: a window holds dozens of events. */
static void sent_random(struct sent *out, uint64_t *seed, size_t count, bool crowded)
{
    static const char *const NUMBERS[] = {"1", "2", "3", "5.5", "-4", "0.25", "x", NULL, "1e1"};
    int64_t second = 1000;
    for (size_t i = 0; i < count; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t dice = *seed >> 20;
        second += (int64_t)(dice % 16 == 0 ? 12 : crowded ? dice % 4 == 1 : dice % 4);
        uint32_t user = (uint32_t)(dice >> 8) % 7;
        out[i] = (struct sent){.second = second,
                               .rules = (uint32_t)(dice >> 12) % 3 == 0 ? (uint32_t)(dice >> 16) % 8
                                                                        : 1U << (dice >> 16) % 3,
                               .u = user == 6 ? NULL : USERS[user % 3],
                               .v = (dice >> 24) % 6 == 0 ? NULL : USERS[(dice >> 28) % 3],
                               .n = NUMBERS[(dice >> 32) % 9]};
    }
}

static void compare(const char *correlation, uint64_t *seed, bool reloads, bool crowded)
{
    struct trial *run = run_new(correlation, 0);
    struct sent events[EVENTS_MAX];
    size_t count = 1 + (size_t)(*seed >> 40) % EVENTS_MAX;
    sent_random(events, seed, count, crowded);
    struct naive n = {
        .c = run->rules.set.rules[RULES].correlation, .events = events, .count = count};
    int64_t last = events[count - 1].second + (int64_t)(*seed >> 50) % 15;
    for (size_t i = 0; i < count; i++) {
        push(run, events[i]);
        if (reloads)
            trial_reload(run, 0);
    }
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
        "type: temporal_ordered, rules: [r1, r2, r1, r3]",
    };
    uint64_t seed = 11;
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        for (int round = 0; round < 200; round++) {
            struct buf text = {0};
            buf_printf(&text, "title: c\nid: c\ncorrelation: {timespan: 10s, %s%s%s}\n",
                       strstr(TYPES[i], "rules:") == NULL ? "rules: [r1, r2, r3], " : "",
                       round % 3 == 0 ? "" : "group-by: u, ", TYPES[i]);
            compare(buf_string(&text), &seed, round % 8 == 7, round % 4 == 2);
            buf_release(&text);
        }
    }
}

/* Memory */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_naive_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
