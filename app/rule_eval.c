/* app/rule_eval.c - sekisho rule eval: the rules on events of a file, matches and alerts on stdout. */
#include "app/rule_eval.h"

#include <stdio.h>

#include "app/options.h"
#include "app/rule_events.h"
#include "app/rule_run.h"
#include "base/clock.h"
#include "event/ndjson.h"

struct eval {
    struct rule_set engine;
    struct buf out;
};

static void match_print(struct eval *e, const struct sigma_rule *rule, uint64_t event)
{
    buf_slice(&e->out, rule->id);
    buf_byte(&e->out, '\t');
    buf_decimal(&e->out, (int64_t)event);
}

/* What is in the buffer, to standard output. */
static int out_flush(struct eval *e)
{
    bool written = buf_ok(&e->out) && fwrite(e->out.data, 1, e->out.len, stdout) == e->out.len;
    buf_reset(&e->out);
    return written ? 0 : ERR_IO;
}

/* A rule_match. */
static int match_take(void *self, const struct sigma_rule *rule, const struct batch *b,
                      uint32_t row)
{
    struct eval *e = self;
    int32_t partition = 0;
    int64_t offset = 0;
    if (!sigma_stands_alone(rule))
        return 0;
    batch_place(b, row, &partition, &offset);
    match_print(e, rule, (uint64_t)offset);
    buf_byte(&e->out, '\n');
    return out_flush(e);
}

/* A correlate_fire. */
static int alert_take(void *self, const struct correlate_alert *alert)
{
    struct eval *e = self;
    const struct sigma_rule *rule = &e->engine.set.rules[alert->rule];
    if (alert->news != CORRELATE_ALERT || !sigma_stands_alone(rule))
        return 0;
    match_print(e, rule, alert->event);
    buf_text(&e->out, "\t{\"time\":\"");
    clock_print(&e->out, alert->time_ns);
    buf_text(&e->out, "\",\"group\":{");
    for (uint32_t i = 0; i < alert->group_count; i++) {
        if (i != 0)
            buf_byte(&e->out, ',');
        ndjson_string(&e->out, rule->correlation->groups[i]);
        buf_byte(&e->out, ':');
        ndjson_string(&e->out, alert->groups[i]);
    }
    buf_printf(&e->out, "},\"value\":%.15g}\n", alert->value);
    return out_flush(e);
}

static int events_eval(struct eval *e, const char *path, struct diag *diag)
{
    const struct rule_run_options options = {.match = match_take, .alert = alert_take, .self = e};
    struct rule_events *events = NULL;
    struct rule_run *run = NULL;
    struct batch *b = NULL;
    int err = rule_run_new(&run, &e->engine, &options);
    if (err == 0)
        err = rule_events_open(&events, path, e->engine.set.names, diag);
    while (err == 0) {
        err = rule_events_next(events, &b, diag);
        if (err != 0 || b == NULL)
            break;
        err = rule_run_batch(run, b);
    }
    rule_events_close(events);
    if (err == 0)
        err = rule_run_finish(run);
    if (err == 0 && rule_run_evictions(run) != 0)
        diag_add(diag, NULL, 0, 0, "%llu groups gave up their place; the alerts are not complete",
                 (unsigned long long)rule_run_evictions(run));
    if (err == ERR_RANGE)
        diag_add(diag, NULL, 0, 0,
                 "a regular expression hit its match limit; the answer is not known");
    rule_run_free(run);
    return err;
}

int rule_eval(const struct rule_options *options, const char *events)
{
    struct diag diag = {0};
    struct eval e = {0};
    int err = rule_load(&e.engine, options, &diag);
    if (err == 0)
        err = events_eval(&e, events, &diag);
    option_say(&diag);
    buf_release(&e.out);
    rule_set_release(&e.engine);
    diag_release(&diag);
    return err == ERR_CONF ? EXIT_CODE_USAGE : option_exit_code(err);
}
