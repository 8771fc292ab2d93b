/* app/bench_correlations.c - what a correlation holds for its groups, and what a signal costs. */
#include <malloc.h>
#include <stdlib.h>

#include "app/bench.h"
#include "base/clock.h"
#include "base/err.h"
#include "detect/detect.h"

enum {
    GROUPS = 100000,
    GROUPS_MAX = 1000000,
    SIGNALS = 1000000,
    CELLS = 1 << 20, /* as many as rules get */
    THRESHOLD = 8,   /* events of a group in a window */
    WINDOW_SIGNALS = 500000,
    ADDRESS_BYTES = 16,
    CELLS_PER_GROUP = 2, /* the fewest with which a state has a place for each group */
};

#define STEP_NS   (CLOCK_NS_PER_SECOND / 100)
#define WINDOW_NS ((int64_t)WINDOW_SIGNALS * STEP_NS)

static const char RULES[] = "title: Base\nid: base\nlogsource: {category: proxy}\n"
                            "detection:\n  part:\n    url.path|contains: '/x'\n  condition: part\n"
                            "---\n"
                            "title: Many\nid: many\ncorrelation:\n  type: event_count\n"
                            "  rules: [base]\n  group-by: [source.ip]\n  timespan: 5000s\n"
                            "  condition: {gte: 8}\n";

/* The last events of a group, kept by hand. */
struct group {
    int64_t times_ns[THRESHOLD]; /* a ring */
    uint32_t count;
    bool fired;
};

struct fired {
    uint64_t count;
    uint64_t sum; /* of their events */
};

static int alert_count(void *self, const struct correlate_alert *alert)
{
    struct fired *fired = self;
    if (alert->news != CORRELATE_ALERT)
        return 0;
    fired->count++;
    fired->sum += alert->event * (alert->event + 1);
    return 0;
}

/* A correlate_field: `self` is the group's address. */
static bool address_value(void *self, const struct sigma_field *field, struct slice *out)
{
    (void)field;
    *out = slice_from(self);
    return true;
}

/* Which group the n-th signal is of (Vigna's splitmix64). */
static uint32_t group_of(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % GROUPS);
}

static void addresses_print(char (*out)[ADDRESS_BYTES])
{
    for (uint32_t i = 0; i < GROUPS_MAX; i++)
        (void)snprintf(out[i], ADDRESS_BYTES, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
}

/* Signals on their way into a state. */
struct stream {
    struct correlate *state;
    char (*addresses)[ADDRESS_BYTES];
    uint32_t base; /* the rule that they are of */
    int64_t step_ns;
    struct fired fired;
};

static int push(struct stream *signals, uint32_t group, uint64_t n)
{
    const struct correlate_event event = {.time_ns =
                                              GEN_START_WORK_NS + (int64_t)n * signals->step_ns,
                                          .id = n,
                                          .rules = &signals->base,
                                          .rule_count = 1,
                                          .field = address_value,
                                          .self = signals->addresses[group]};
    return correlate_push(signals->state, &event, alert_count, &signals->fired);
}

/* The alerts there must be: at the event that makes it eight, once while the window is not empty. */
static int expect(struct fired *out, uint64_t seed)
{
    struct group *groups = calloc(GROUPS, sizeof(*groups));
    if (groups == NULL)
        return ERR_NOMEM;
    for (uint64_t n = 0; n < SIGNALS; n++) {
        struct group *g = &groups[group_of(seed, n)];
        int64_t now_ns = (int64_t)n * STEP_NS;
        if (g->count == 0 || g->times_ns[(g->count - 1) % THRESHOLD] <= now_ns - WINDOW_NS)
            g->fired = false;
        g->times_ns[g->count++ % THRESHOLD] = now_ns;
        if (g->fired || g->count < THRESHOLD ||
            g->times_ns[g->count % THRESHOLD] <= now_ns - WINDOW_NS)
            continue;
        g->fired = true;
        out->count++;
        out->sum += n * (n + 1);
    }
    free(groups);
    return 0;
}

/* The oldest group fires at its last event: it is there still, and so are those after it. */
static int groups_live(struct stream *signals, uint32_t groups)
{
    int err = signals->fired.count == 0 ? 0 : ERR_CORRUPT;
    for (uint32_t i = 1; i < THRESHOLD && err == 0; i++)
        err = push(signals, 0, groups);
    bool whole = correlate_evictions(signals->state) == 0 && signals->fired.count == 1;
    return err == 0 && !whole ? ERR_CORRUPT : err;
}

/* Every group once, in the smallest state: what the process grows by, and the CPU time of a signal. */
static int measure_groups(struct bench_row *held, struct bench_row *cpu,
                          const struct sigma_set *set, const struct stream *like, uint32_t groups)
{
    struct stream signals = *like;
    signals.step_ns = WINDOW_NS / 2 / groups; /* all within a window */
    (void)malloc_trim(0); /* what earlier work freed would hide what this takes */
    uint64_t before = bench_resident_bytes();
    const struct correlate_options options = {.set = set,
                                              .order = set->order,
                                              .order_count = set->order_count,
                                              .cells = CELLS_PER_GROUP * groups,
                                              .seed = 1};
    int err = correlate_new(&signals.state, &options);
    int64_t begin_ns = clock_cpu_ns();
    for (uint32_t i = 0; i < groups && err == 0; i++)
        err = push(&signals, i, i);
    if (cpu != NULL) {
        bench_sample(cpu, (double)(clock_cpu_ns() - begin_ns) / 1e3 / groups);
        cpu->events = groups;
    }
    uint64_t after = bench_resident_bytes();
    bench_sample(held, (double)(after > before ? after - before : 0) / groups);
    held->events = groups;
    if (err == 0)
        err = groups_live(&signals, groups);
    correlate_free(signals.state);
    return err;
}

static int measure_signals(struct bench_row *row, const struct sigma_set *set,
                           const struct stream *like, const struct bench_options *o,
                           const struct fired *expected)
{
    struct stream signals = *like;
    const struct correlate_options options = {.set = set,
                                              .order = set->order,
                                              .order_count = set->order_count,
                                              .cells = CELLS,
                                              .seed = 1};
    int err = correlate_new(&signals.state, &options);
    int64_t before = clock_cpu_ns();
    for (uint64_t n = 0; n < SIGNALS && err == 0; n++)
        err = push(&signals, group_of(o->seed, n), n);
    bench_sample(row, (double)(clock_cpu_ns() - before) / 1e3 / SIGNALS);
    row->events = SIGNALS;
    bool whole = err == 0 && correlate_evictions(signals.state) == 0;
    correlate_free(signals.state);
    if (err != 0 ||
        (whole && signals.fired.count == expected->count && signals.fired.sum == expected->sum))
        return err;
    diag_add(o->diag, "rules", 0, 0,
             "%llu alerts of a correlation, counted by hand %llu: no speed is shown",
             (unsigned long long)signals.fired.count, (unsigned long long)expected->count);
    return ERR_CORRUPT;
}

int bench_correlations(struct bench_report *r, const struct bench_options *o)
{
    struct sigma_set set;
    struct fired expected = {0};
    char(*addresses)[ADDRESS_BYTES] = calloc(GROUPS_MAX, sizeof(*addresses));
    struct bench_row *held = bench_row_add(r, BENCH_UNIT_GROUP, "rules.correlate.groups");
    struct bench_row *signals = bench_row_add(r, BENCH_UNIT_CPU, "rules.correlate.signals");
    struct bench_row *million = bench_row_add(r, BENCH_UNIT_GROUP, "rules.correlate.million");
    struct bench_row *filling = bench_row_add(r, BENCH_UNIT_CPU, "rules.correlate.million.signals");
    sigma_set_init(&set, SIGMA_NAMES_FIELDS);
    set.now_ns = CLOCK_NONE;
    int err = addresses == NULL ? ERR_NOMEM : 0;
    if (held == NULL || signals == NULL || million == NULL || filling == NULL)
        err = ERR_RANGE;
    if (err == 0)
        err = sigma_set_add(&set, "bench.yml", slice_from(RULES), o->diag);
    if (err == 0)
        err = sigma_set_link(&set, o->diag);
    if (err == 0)
        err = expect(&expected, o->seed);
    if (err == 0 && expected.count == 0)
        err = ERR_CORRUPT; /* nothing would be proved */
    if (err == 0)
        addresses_print(addresses);
    const struct sigma_rule *base = err == 0 ? sigma_find(&set, SLICE("base")) : NULL;
    const struct stream stream = {.addresses = addresses,
                                  .step_ns = STEP_NS,
                                  .base = base == NULL ? 0 : (uint32_t)(base - set.rules)};
    for (unsigned i = 0; i < o->repeat && err == 0; i++) {
        err = measure_groups(held, NULL, &set, &stream, GROUPS);
        if (err == 0)
            err = measure_groups(million, filling, &set, &stream, GROUPS_MAX);
        if (err == 0)
            err = measure_signals(signals, &set, &stream, o, &expected);
    }
    sigma_set_release(&set);
    free(addresses);
    return err;
}
