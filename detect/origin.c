#include "detect/origin.h"

#include <assert.h>

#include "base/clock.h"
#include "detect/detect.h"
#include "event/value.h"

enum {
    TIE_HOSTS = 2, /* the last two of a key: more than one near a time is nobody */
};

#define NS_PER_MS INT64_C(1000000)
#define FED_NS    (60 * CLOCK_NS_PER_MINUTE)

static const uint32_t TIES[DETECT_CLASSES] = {2048, 8192, 32768, 64};

struct tie {
    uint64_t key;
    int64_t gone_ns;                /* of a host that found no place any more; 0 = none */
    struct origin hosts[TIE_HOSTS]; /* way ORIGIN_UNKNOWN: none; the newest first */
};

size_t origin_bytes(enum detect_class size)
{
    return table_bytes(TIES[size], sizeof(struct tie));
}

void origin_init(struct origin_set *set, void *memory, enum detect_class size)
{
    table_init(&set->ties, memory, TIES[size], sizeof(struct tie));
}

static_assert(sizeof(struct tie) == 112, "no padding; there are many");
static_assert(DETECT_SOURCES_MAX <= UINT16_MAX, "a source's number fits");

/* Of the first row, in whole milliseconds: it stays where it is while later rows come. */
static int64_t since_of(const struct origin *o)
{
    return (o->time_ns / NS_PER_MS - (int64_t)o->before_ms) * NS_PER_MS;
}

static uint32_t ms_between(int64_t since_ns, int64_t time_ns)
{
    int64_t ms = time_ns / NS_PER_MS - since_ns / NS_PER_MS;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

int64_t origin_window(enum origin_way way)
{
    if (way == ORIGIN_DESTINATION)
        return ORIGIN_DESTINATION_NS;
    return way == ORIGIN_TRANSLATION ? ORIGIN_TRANSLATION_NS : ORIGIN_REQUEST_NS;
}

/* The row goes on with what `o` holds: of the same host, and no time is far from both ends. */
static bool goes_on(const struct origin *o, const struct flow *flow)
{
    return o->way != ORIGIN_UNKNOWN && memcmp(&o->host, &flow->source, sizeof(o->host)) == 0 &&
           flow->time_ns - o->time_ns <= 2 * origin_window((enum origin_way)o->way) &&
           since_of(o) - flow->time_ns <= 2 * origin_window((enum origin_way)o->way);
}

static void tie_to(struct origin_set *set, uint64_t key, uint32_t way, const struct flow *flow)
{
    bool fresh = false;
    struct tie *tie = table_take(&set->ties, key, &fresh, NULL);
    struct origin *first = &tie->hosts[0];
    struct origin *last = &tie->hosts[TIE_HOSTS - 1];
    int64_t since_ns = flow->time_ns;
    if (goes_on(first, flow)) {
        if (since_of(first) < since_ns)
            since_ns = since_of(first);
        if (flow->time_ns < first->time_ns) {
            first->before_ms = ms_between(since_ns, first->time_ns);
            return;
        }
    } else {
        if (last->way != ORIGIN_UNKNOWN && last->time_ns > tie->gone_ns)
            tie->gone_ns = last->time_ns;
        *last = *first;
    }
    *first = (struct origin){.host = flow->source,
                             .before_ms = ms_between(since_ns, flow->time_ns),
                             .time_ns = flow->time_ns,
                             .offset = flow->offset,
                             .partition = flow->partition,
                             .sub = flow->sub,
                             .log_source = (uint16_t)flow->log_source,
                             .way = (uint16_t)way};
}

bool origin_has_key(const struct origin_trace *trace, enum origin_way way)
{
    if (way == ORIGIN_TRANSLATION)
        return trace->translation != 0;
    return way == ORIGIN_REQUEST ? trace->request != 0 : trace->destination != 0;
}

void origin_note(struct origin_set *set, const struct origin_trace *trace, const struct flow *flow,
                 int64_t tick_ns)
{
    if (trace->translation != 0)
        tie_to(set, trace->translation, ORIGIN_TRANSLATION, flow);
    if (trace->transfer != 0)
        tie_to(set, trace->transfer, ORIGIN_REQUEST, flow);
    if (trace->request != 0)
        tie_to(set, trace->request, ORIGIN_REQUEST, flow);
    if (trace->site != 0 && trace->site != trace->request)
        tie_to(set, trace->site, ORIGIN_REQUEST, flow);
    if (trace->destination != 0)
        tie_to(set, trace->destination, ORIGIN_DESTINATION, flow);
    for (enum origin_way way = ORIGIN_TRANSLATION; way < ORIGIN_WAYS; way++) {
        if (origin_has_key(trace, way))
            set->noted_tick_ns[way] = tick_ns;
    }
    set->noted_tick_ns[ORIGIN_UNKNOWN] = tick_ns;
}

/* The one host of a key near a time. */
static enum origin_near near_key(struct origin *out, struct origin_set *set, uint64_t key,
                                 enum origin_way way, int64_t time_ns)
{
    const struct tie *tie = key == 0 ? NULL : table_find(&set->ties, key);
    const struct origin *found = NULL;
    int64_t window_ns = origin_window(way);
    if (tie == NULL)
        return ORIGIN_NOBODY;
    if (tie->gone_ns != 0 && time_ns <= tie->gone_ns + window_ns)
        return ORIGIN_SEVERAL;
    for (size_t i = 0; i < TIE_HOSTS; i++) {
        const struct origin *o = &tie->hosts[i];
        if (o->way == ORIGIN_UNKNOWN || time_ns < since_of(o) - window_ns ||
            time_ns > o->time_ns + window_ns)
            continue;
        if (found != NULL && memcmp(&found->host, &o->host, sizeof(o->host)) != 0)
            return ORIGIN_SEVERAL;
        found = found == NULL ? o : found;
    }
    if (found == NULL)
        return ORIGIN_NOBODY;
    *out = *found;
    return ORIGIN_ONE;
}

/* By the finest key that means one; several, if none does and one means several. */
static enum origin_near near_request(struct origin *out, struct origin_set *set,
                                     const struct origin_trace *trace, int64_t time_ns)
{
    const uint64_t keys[] = {trace->transfer, trace->request, trace->site};
    enum origin_near best = ORIGIN_NOBODY;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        enum origin_near near = near_key(out, set, keys[i], ORIGIN_REQUEST, time_ns);
        if (near == ORIGIN_ONE)
            return near;
        best = near == ORIGIN_SEVERAL ? near : best;
    }
    return best;
}

enum origin_near origin_near(struct origin *out, struct origin_set *set,
                             const struct origin_trace *trace, enum origin_way way, int64_t time_ns)
{
    if (way == ORIGIN_REQUEST)
        return near_request(out, set, trace, time_ns);
    uint64_t key = way == ORIGIN_TRANSLATION ? trace->translation : trace->destination;
    return near_key(out, set, key, way, time_ns);
}

bool origin_of_translation(struct origin *out, struct origin_set *set,
                           const struct origin_trace *trace, int64_t time_ns)
{
    return origin_near(out, set, trace, ORIGIN_TRANSLATION, time_ns) == ORIGIN_ONE;
}

bool origin_find(struct origin *out, struct origin_set *set, const struct origin_trace *trace,
                 int64_t time_ns)
{
    for (enum origin_way way = ORIGIN_TRANSLATION; way < ORIGIN_WAYS; way++) {
        if (origin_near(out, set, trace, way, time_ns) == ORIGIN_ONE)
            return true;
    }
    return false;
}

bool origin_is_fed(const struct origin_set *set, enum origin_way way, int64_t tick_ns)
{
    int64_t noted_ns = set->noted_tick_ns[way];
    return noted_ns != 0 && noted_ns != CLOCK_NONE && tick_ns - noted_ns <= FED_NS;
}
