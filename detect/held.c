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

static bool keep(struct held *h, const struct detect_run *run, const struct finding *f)
{
    const struct flow *flow = f->flow;
    *h = (struct held){.due_ns = run->state->tick_ns + HELD_NS,
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

static void forget(struct held_set *set, size_t at)
{
    set->count--;
    memmove(&set->items[at], &set->items[at + 1], (set->count - at) * sizeof(set->items[0]));
    memset(&set->items[set->count], 0, sizeof(set->items[0]));
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
    const struct origin_trace trace = {.translation = h->translation,
                                       .transfer = h->transfer,
                                       .request = h->request,
                                       .site = h->site,
                                       .destination = h->destination};
    bool found = origin_find(&origin, &run->state->origins, &trace, h->time_ns);
    go_on(run, at, found ? &origin : NULL);
}

bool held_take(struct detect_run *run, struct finding *f)
{
    struct held_set *set = &run->state->held;
    const struct origin_trace *trace = run->trace;
    if (f->flow == NULL || trace == NULL)
        return false;
    if (run->origin.way != ORIGIN_UNKNOWN) {
        if (is_about(f, &run->via) || is_about(f, &run->origin.host))
            tell_of(f, run, &run->origin, &run->via);
        return false;
    }
    bool has_key = trace->translation != 0 || trace->request != 0 || trace->destination != 0;
    if ((f->flow->flags & FLOW_SHARED_SOURCE) == 0 || !has_key || !is_about(f, &run->via) ||
        !origin_is_fed(&run->state->origins, run->state->tick_ns))
        return false;
    if (set->count == HELD_MAX)
        end_wait(run, 0);
    if (!keep(&set->items[set->count], run, f)) {
        memset(&set->items[set->count], 0, sizeof(set->items[0]));
        return false;
    }
    set->count++;
    return true;
}

void held_meet(struct detect_run *run, const struct origin_trace *trace)
{
    struct held_set *set = &run->state->held;
    for (size_t i = 0; i < set->count;) {
        const struct held *h = &set->items[i];
        struct origin origin;
        if (trace->translation != 0 && h->translation == trace->translation &&
            origin_of_translation(&origin, &run->state->origins, trace, h->time_ns))
            go_on(run, i, &origin);
        else
            i++;
    }
}

void held_tick(struct detect_run *run, int64_t tick_ns, bool end)
{
    struct held_set *set = &run->state->held;
    while (set->count != 0 && (end || set->items[0].due_ns <= tick_ns))
        end_wait(run, 0);
}

void held_gaps(const struct held_set *set, struct gaps *out)
{
    gaps_add(out, &set->items[set->count], (HELD_MAX - set->count) * sizeof(set->items[0]));
}
