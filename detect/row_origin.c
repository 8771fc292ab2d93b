#include "detect/row_origin.h"

#include "base/clock.h"

/* What arrives in the second of a tick is judged so long before and after it. */
#define TIMELY_BEFORE_NS CLOCK_NS_PER_SECOND
#define TIMELY_AFTER_NS  (2 * CLOCK_NS_PER_SECOND)

/* Time of arrival, while it is that of the ticks. */
static void hear(struct detect_run *run, const struct flow *f)
{
    struct tenant_state *s = run->state;
    run->timely = s->tick_ns != CLOCK_NONE && f->arrival_ns >= s->tick_ns - TIMELY_BEFORE_NS &&
                  f->arrival_ns < s->tick_ns + TIMELY_AFTER_NS;
    if (run->timely && f->arrival_ns > s->heard_ns)
        s->heard_ns = f->arrival_ns;
}

static void meet_host(struct detect_run *run, const struct flow *f)
{
    struct tenant_state *s = run->state;
    const struct origin_trace *trace = run->trace;
    if (trace->translation == 0 && trace->site == 0)
        return;
    origin_note(&s->origins, trace, f, s->tick_ns);
    if (run->timely)
        lag_answer(&s->lags, trace, f->time_ns, s->heard_ns);
    held_meet(run, trace);
}

/*
 * Where hosts' own rows come here, a request that a proxy forwards was seen there before, and counts
 * once.
 */
static void meet_shared(struct detect_run *run, struct flow *f)
{
    struct tenant_state *s = run->state;
    const struct origin_trace *trace = run->trace;
    if (trace->has_forwarded) {
        run->origin = (struct origin){.host = trace->forwarded, .way = ORIGIN_FORWARDED};
        flow_comes_from(&run->tenant->desk->reader, f, &trace->forwarded);
        if (!origin_is_fed(&s->origins, ORIGIN_UNKNOWN, s->tick_ns))
            f->flags &= (uint16_t)~FLOW_SHARED_SOURCE;
        return;
    }
    if (run->timely)
        lag_ask(&s->lags, &s->origins, trace, f->time_ns, s->heard_ns);
    (void)origin_of_translation(&run->origin, &s->origins, trace, f->time_ns);
}

void row_origin_meet(struct detect_run *run, struct flow *f, const struct origin_trace *trace)
{
    hear(run, f);
    run->trace = trace;
    run->via = f->source;
    if (trace != NULL && (f->flags & FLOW_SHARED_SOURCE) != 0)
        meet_shared(run, f);
    else if (trace != NULL)
        meet_host(run, f);
    held_release(run, run->state->heard_ns);
}

void row_origin_leave(struct detect_run *run)
{
    run->trace = NULL;
    run->origin.way = ORIGIN_UNKNOWN;
}

void row_origin_name(const struct detect_run *run, struct slice *values, struct buf *text,
                     const struct flow *flow)
{
    const struct signal_fields *fields = &run->tenant->o.shared->rules->fields;
    if (run->origin.way != ORIGIN_FORWARDED || (flow->flags & FLOW_SHARED_SOURCE) != 0)
        return;
    buf_reset(text);
    ip_print(text, &flow->source);
    for (uint32_t i = 0; i < fields->count; i++) {
        if (fields->items[i].field == FIELD_SOURCE_IP && values[i].data != NULL)
            values[i] = buf_content(text);
    }
}
