#include "detect/held.h"

#include <assert.h>
#include <inttypes.h>

#include "base/clock.h"
#include "detect/detectors.h"
#include "detect/rule_set.h"
#include "detect/tenant_state.h"

static_assert(sizeof(struct held) == 2000, "no padding");

enum {
    IP_TEXT_BYTES = VALUE_IP_TEXT_MAX + 1 + SLICE_PADDING_BYTES,
    LINE_BYTES_MAX = TENANT_TOPIC_BYTES_MAX + 64,
};

static const struct {
    const char *name;
    const char *confidence;
} WAYS[] = {
    [ORIGIN_FORWARDED] = {"x-forwarded-for", "high"},
    [ORIGIN_TRANSLATION] = {"nat", "high"},
    [ORIGIN_REQUEST] = {"request", "medium"},
    [ORIGIN_DESTINATION] = {"destination", "low"},
};

/* ------------------------------------------------------------------ telling of the host */

static bool names_source(const char *name)
{
    struct slice text = slice_from(name);
    return slice_equal(text, SLICE("source.ip")) || slice_equal(text, SLICE("source"));
}

/* What is said of a log source, a destination or a user is no matter of who is behind the address. */
static bool is_about(const struct finding *f, const struct ip *address)
{
    char text[IP_TEXT_BYTES];
    struct buf out = {.data = text, .cap = VALUE_IP_TEXT_MAX, .limit = VALUE_IP_TEXT_MAX};
    ip_print(&out, address);
    for (uint8_t i = 0; i < f->item_count; i++) {
        const struct finding_item *item = &f->items[i];
        if (names_source(item->name) &&
            slice_equal(slice_of(f->values + item->at, item->len), buf_content(&out)))
            return true;
    }
    return false;
}

/* As alerts name their evidence. */
static void put_line(struct finding *f, const struct detect_run *run, const struct origin *o)
{
    char text[LINE_BYTES_MAX + SLICE_PADDING_BYTES];
    struct buf out = {.data = text, .cap = LINE_BYTES_MAX, .limit = LINE_BYTES_MAX};
    if (o->way == ORIGIN_FORWARDED)
        return; /* the row itself says it */
    buf_slice(&out, detect_topic(run, o->log_source));
    buf_printf(&out, "/%" PRId32 "/%" PRId64 "/%" PRIu32, o->partition, o->offset, o->sub);
    finding_text(f, "joined_line", buf_content(&out));
}

/* The same finding with the host in the place of `via`. */
static void tell_of(struct finding *f, const struct detect_run *run, const struct origin *o,
                    const struct ip *via)
{
    char via_text[IP_TEXT_BYTES];
    char host_text[IP_TEXT_BYTES];
    struct buf shared = {.data = via_text, .cap = VALUE_IP_TEXT_MAX, .limit = VALUE_IP_TEXT_MAX};
    struct buf host = {.data = host_text, .cap = VALUE_IP_TEXT_MAX, .limit = VALUE_IP_TEXT_MAX};
    const struct finding was = *f;
    ip_print(&shared, via);
    ip_print(&host, &o->host);
    f->item_count = 0;
    f->text_len = 0;
    for (uint8_t i = 0; i < was.item_count; i++) {
        const struct finding_item *item = &was.items[i];
        struct slice value = slice_of(was.values + item->at, item->len);
        if (names_source(item->name) && slice_equal(value, buf_content(&shared)))
            value = buf_content(&host);
        finding_add(f, item->name, value, item->key, item->kind);
    }
    finding_text(f, "via", buf_content(&shared));
    finding_text(f, "joined_by", slice_from(WAYS[o->way].name));
    finding_text(f, "joined_confidence", slice_from(WAYS[o->way].confidence));
    put_line(f, run, o);
}

/* ------------------------------------------------------------------------- those that wait */

static bool keep(struct held *h, const struct detect_run *run, const struct finding *f,
                 int64_t due_ns)
{
    const struct flow *flow = f->flow;
    *h = (struct held){.due_ns = due_ns,
                       .window_ns = f->window_ns,
                       .time_ns = f->time_ns,
                       .arrival_ns = flow->arrival_ns,
                       .offset = flow->offset,
                       .rule = f->rule == NULL ? 0 : f->rule->key,
                       .translation = run->trace->translation,
                       .transfer = run->trace->transfer,
                       .request = run->trace->request,
                       .site = run->trace->site,
                       .destination = run->trace->destination,
                       .tail = f->tail,
                       .via = flow->source,
                       .partition = flow->partition,
                       .sub = flow->sub,
                       .tenant = f->tenant,
                       .log_source = flow->log_source,
                       .text_len = f->text_len,
                       .index = (uint8_t)run->index,
                       .text = f->text,
                       .important = flow->important,
                       .item_count = f->item_count,
                       .cut = f->cut,
                       .scored = f->scored,
                       .ended = f->ended,
                       .amends = f->amends,
                       .severity_step = f->severity_step};
    memcpy(h->values, f->values, f->text_len);
    for (uint8_t i = 0; i < f->item_count; i++) {
        const struct finding_item *item = &f->items[i];
        size_t len = strlen(item->name) + 1;
        if (h->name_len + len > sizeof(h->names))
            return false;
        memcpy(h->names + h->name_len, item->name, len);
        h->items[i] = (struct held_item){.name = h->name_len,
                                         .at = item->at,
                                         .len = item->len,
                                         .key = item->key,
                                         .kind = item->kind};
        h->name_len = (uint16_t)(h->name_len + len);
    }
    return true;
}

static struct flow flow_of(const struct held *h)
{
    return (struct flow){.time_ns = h->time_ns,
                         .arrival_ns = h->arrival_ns,
                         .offset = h->offset,
                         .partition = h->partition,
                         .sub = h->sub,
                         .source = h->via,
                         .log_source = h->log_source,
                         .important = h->important,
                         .flags = FLOW_HAS_SOURCE | FLOW_SHARED_SOURCE};
}

/* Its names are those of `h`, which outlives it, as `flow` does. */
static void restore(struct finding *f, const struct detect_run *run, const struct held *h,
                    const struct flow *flow)
{
    *f = (struct finding){.text = h->text,
                          .item_count = h->item_count,
                          .scored = h->scored != 0,
                          .ended = h->ended != 0,
                          .amends = h->amends != 0,
                          .tenant = h->tenant,
                          .severity_step = h->severity_step,
                          .cut = h->cut,
                          .text_len = h->text_len,
                          .tail = h->tail,
                          .window_ns = h->window_ns,
                          .time_ns = h->time_ns,
                          .rule = h->rule == 0 ? NULL : rule_set_find(detect_rules(run), h->rule),
                          .flow = flow};
    memcpy(f->values, h->values, h->text_len);
    for (uint8_t i = 0; i < h->item_count; i++) {
        const struct held_item *item = &h->items[i];
        f->items[i] = (struct finding_item){.name = h->names + item->name,
                                            .at = item->at,
                                            .len = item->len,
                                            .key = item->key != 0,
                                            .kind = item->kind};
    }
}

/* The first that is due; of several the one that came first. */
static size_t first_due(const struct held_set *set)
{
    size_t first = 0;
    for (size_t i = 1; i < set->count; i++) {
        if (set->items[i].due_ns < set->items[first].due_ns)
            first = i;
    }
    return first;
}

static void forget(struct held_set *set, size_t at)
{
    set->count--;
    memmove(&set->items[at], &set->items[at + 1], (set->count - at) * sizeof(set->items[0]));
    memset(&set->items[set->count], 0, sizeof(set->items[0]));
    set->due_ns = set->count == 0 ? 0 : set->items[first_due(set)].due_ns;
}

/* It goes on: of a host (NULL: as it was), in the name of the detector whose it is. */
static void go_on(struct detect_run *run, size_t at, const struct origin *origin)
{
    struct held_set *set = &run->state->held;
    const struct held h = set->items[at];
    const struct detector *detector = run->detector;
    unsigned index = run->index;
    const struct flow flow = flow_of(&h);
    struct finding f;
    forget(set, at);
    run->detector = DETECTORS[h.index];
    run->index = h.index;
    restore(&f, run, &h, &flow);
    if (origin != NULL)
        tell_of(&f, run, origin, &h.via);
    detect_deliver(run, &f);
    run->detector = detector;
    run->index = index;
}

/* With what is known by now. */
static void end_wait(struct detect_run *run, size_t at)
{
    const struct held *h = &run->state->held.items[at];
    struct origin origin;
    const struct origin_trace all = {.translation = h->translation,
                                     .transfer = h->transfer,
                                     .request = h->request,
                                     .site = h->site,
                                     .destination = h->destination};
    const struct origin_trace trace = lag_trace(&run->state->lags, &all);
    bool found = origin_find(&origin, &run->state->origins, &trace, h->time_ns);
    go_on(run, at, found ? &origin : NULL);
}

/* How long the finding of the row at hand is to wait; 0: what is known now is all that comes. */
static int64_t wait_of(const struct detect_run *run)
{
    const struct tenant_state *s = run->state;
    int64_t longest_ns = 0;
    for (enum origin_way way = ORIGIN_TRANSLATION; way < ORIGIN_WAYS; way++) {
        if (!origin_has_key(run->trace, way) || !origin_is_fed(&s->origins, way, s->tick_ns))
            continue;
        int64_t wait_ns = run->timely ? lag_wait(&s->lags, way) : HELD_NS;
        longest_ns = wait_ns > longest_ns ? wait_ns : longest_ns;
    }
    return longest_ns;
}

/* By what means one connection only: a translation, and where it is exact a transfer. */
static bool named_at_once(struct origin *out, struct tenant_state *s,
                          const struct origin_trace *trace, int64_t time_ns)
{
    const struct origin_trace exact = {.translation = trace->translation,
                                       .transfer = lag_is_exact(&s->lags) ? trace->transfer : 0};
    return origin_find(out, &s->origins, &exact, time_ns);
}

/* False: it has more names than there is room for. */
static bool take(struct detect_run *run, const struct finding *f, int64_t wait_ns)
{
    struct held_set *set = &run->state->held;
    if (set->count == HELD_MAX)
        end_wait(run, 0);
    struct held *h = &set->items[set->count];
    if (!keep(h, run, f, run->state->heard_ns + wait_ns)) {
        memset(h, 0, sizeof(*h));
        return false;
    }
    if (set->count == 0 || h->due_ns < set->due_ns)
        set->due_ns = h->due_ns;
    set->count++;
    return true;
}

bool held_take(struct detect_run *run, struct finding *f)
{
    if (f->flow == NULL || run->trace == NULL)
        return false;
    if (run->origin.way != ORIGIN_UNKNOWN) {
        if (is_about(f, &run->via) || is_about(f, &run->origin.host))
            tell_of(f, run, &run->origin, &run->via);
        return false;
    }
    if ((f->flow->flags & FLOW_SHARED_SOURCE) == 0 || !is_about(f, &run->via))
        return false;
    const struct origin_trace trace = lag_trace(&run->state->lags, run->trace);
    int64_t wait_ns = wait_of(run);
    struct origin origin;
    bool found = wait_ns > 0 ? named_at_once(&origin, run->state, &trace, f->flow->time_ns)
                             : origin_find(&origin, &run->state->origins, &trace, f->flow->time_ns);
    if (found)
        tell_of(f, run, &origin, &run->via);
    return !found && wait_ns > 0 && take(run, f, wait_ns);
}

void held_meet(struct detect_run *run, const struct origin_trace *trace)
{
    struct held_set *set = &run->state->held;
    for (size_t i = 0; i < set->count;) {
        const struct held *h = &set->items[i];
        const struct origin_trace both = {
            .translation = h->translation == trace->translation ? h->translation : 0,
            .transfer = h->transfer == trace->transfer ? h->transfer : 0};
        struct origin origin;
        if ((both.translation | both.transfer) != 0 &&
            named_at_once(&origin, run->state, &both, h->time_ns))
            go_on(run, i, &origin);
        else
            i++;
    }
}

void held_delay(struct held_set *set, int64_t by_ns)
{
    for (size_t i = 0; i < set->count; i++)
        set->items[i].due_ns += by_ns;
    set->due_ns += set->count != 0 ? by_ns : 0;
}

void held_release(struct detect_run *run, int64_t now_ns)
{
    const struct held_set *set = &run->state->held;
    while (set->count != 0 && set->due_ns <= now_ns)
        end_wait(run, first_due(set));
}

void held_gaps(const struct held_set *set, struct gaps *out)
{
    gaps_add(out, &set->items[set->count], (HELD_MAX - set->count) * sizeof(set->items[0]));
}
