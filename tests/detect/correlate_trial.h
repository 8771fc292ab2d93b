/* tests/detect/correlate_trial.h - correlations over events that a test makes, and what they told. */
#pragma once

#include <stdio.h>

#include "detect/correlate.h"
#include "tests/detect/sigma_load.h"

enum {
    RULES = 3,
    EVENTS_MAX = 60,
    ALERTS_MAX = 20000,
    SPAN_S = 10,
    TRIAL_SEED = 7,
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
    int stop;          /* what the callback returns */
};

static inline const char *field_of(const struct sent *e, struct slice name)
{
    if (slice_equal(name, SLICE("event.u")))
        return e->u;
    if (slice_equal(name, SLICE("event.v")))
        return e->v;
    return slice_equal(name, SLICE("event.n")) ? e->n : NULL;
}

static inline bool sent_value(void *self, const struct sigma_field *field, struct slice *out)
{
    const struct sent *e = self;
    const char *text = field_of(e, field->name);
    if (text == NULL)
        return false;
    *out = slice_from(text);
    return true;
}

static inline int fire(void *self, const struct correlate_alert *alert)
{
    struct trial *run = self;
    struct buf group = {0};
    if (alert->news == CORRELATE_AGAIN) {
        size_t at = strlen(run->amended);
        int len = alert->holds ? snprintf(run->amended + at, sizeof(run->amended) - at, " %llu=%g",
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

static inline struct correlate *trial_state(const struct trial *run, uint32_t cells)
{
    const struct correlate_options options = {.set = &run->rules.set,
                                              .order = run->rules.set.order,
                                              .order_count = run->rules.set.order_count,
                                              .cells = cells,
                                              .seed = TRIAL_SEED};
    struct correlate *state = NULL;
    assert_int_equal(correlate_new(&state, &options), 0);
    return state;
}

/* The state goes through a snapshot, which looks at each place in it, into another; both say the same. */
static inline void trial_reload(struct trial *run, uint32_t cells)
{
    struct buf first = {0};
    struct buf second = {0};
    struct correlate *fresh = trial_state(run, cells);
    correlate_save(run->state, &first);
    buf_text(&first, "behind");
    struct slice bytes = buf_content(&first);
    assert_int_equal(correlate_load(fresh, &bytes), 0);
    assert_true(slice_equal(bytes, SLICE("behind")));
    correlate_free(run->state);
    run->state = fresh;
    correlate_save(run->state, &second);
    assert_int_equal(second.len + strlen("behind"), first.len);
    assert_memory_equal(second.data, first.data, second.len);
    buf_release(&first);
    buf_release(&second);
}

/* Rules r1 to r3, which hit what a test says that they hit, and the correlations of the text. */
static inline struct trial *run_new(const char *correlations, uint32_t cells)
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
    run->state = trial_state(run, cells);
    buf_release(&text);
    return run;
}

static inline void run_free(struct trial *run)
{
    correlate_free(run->state);
    unload(&run->rules);
    free(run);
}

static inline void push(struct trial *run, struct sent e)
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

static inline void end(struct trial *run, int64_t second)
{
    int err = correlate_advance(run->state, second * CLOCK_NS_PER_SECOND, fire, run);
    assert_true(err == 0 || err == run->stop);
}

/* "event@second=value group" of each alert. */
static inline const char *told(const struct trial *run, struct buf *out)
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

static inline void check_told(const char *correlations, const struct sent *events, size_t count,
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
