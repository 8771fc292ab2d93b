#include "detect/lag.h"

#include <assert.h>

static_assert(sizeof(struct lag) == 160 + LAG_PROBES * sizeof(struct lag_probe), "no padding");

/* The keys of a trace by which a way finds, the finest first. */
static void keys_of(uint64_t out[LAG_KEYS], const struct origin_trace *trace, enum origin_way way)
{
    memset(out, 0, LAG_KEYS * sizeof(out[0]));
    if (way == ORIGIN_TRANSLATION) {
        out[0] = trace->translation;
    } else if (way == ORIGIN_REQUEST) {
        out[0] = trace->transfer;
        out[1] = trace->request;
        out[2] = trace->site;
    } else {
        out[0] = trace->destination;
    }
}

static bool is_out(const struct lag_probe *p)
{
    return (p->keys[0] | p->keys[1] | p->keys[2]) != 0;
}

static void take_in(struct lag *l, struct lag_probe *p)
{
    *p = (struct lag_probe){0};
    l->out--;
}

/* What is old counts less and less. */
static void halve(struct lag *l)
{
    l->never /= 2;
    l->samples = l->never;
    for (uint32_t i = 0; i < LAG_STEPS; i++) {
        l->behind[i] /= 2;
        l->samples += l->behind[i];
    }
    l->exact /= 2;
    l->inexact /= 2;
}

static void sample(struct lag *l, uint32_t *count)
{
    if (l->samples >= LAG_SAMPLES_MOST)
        halve(l);
    (*count)++;
    l->samples++;
}

/* Those that were waited for in vain. */
static void expire(struct lag *l, int64_t heard_ns)
{
    for (size_t i = 0; l->out != 0 && i < LAG_PROBES; i++) {
        struct lag_probe *p = &l->probes[i];
        if (!is_out(p) || heard_ns - p->heard_ns <= LAG_MOST_NS)
            continue;
        /* Of one found by less, that was the row. */
        sample(l, p->coarse != 0 ? &l->behind[0] : &l->never);
        l->inexact += p->coarse != 0;
        take_in(l, p);
    }
}

static void send(struct lag *l, const struct lag_probe *probe)
{
    for (size_t i = 0; i < LAG_PROBES; i++) {
        if (is_out(&l->probes[i]))
            continue;
        l->probes[i] = *probe;
        l->out++;
        return;
    }
}

bool lag_is_exact(const struct lag_set *set)
{
    const struct lag *l = &set->ways[ORIGIN_REQUEST];
    return l->exact >= LAG_SAMPLES_LEAST && l->inexact <= l->exact / LAG_INEXACT;
}

/* Whether too many requests are of hosts whose own rows do not come. */
static bool has_unseen(const struct lag_set *set)
{
    const struct lag *l = &set->ways[ORIGIN_REQUEST];
    return l->samples >= LAG_SAMPLES_LEAST && l->never > l->samples / LAG_UNSEEN;
}

struct origin_trace lag_trace(const struct lag_set *set, const struct origin_trace *trace)
{
    struct origin_trace names = *trace;
    if (has_unseen(set) || (trace->transfer != 0 && lag_is_exact(set))) {
        names.request = 0;
        names.site = 0;
    }
    return names;
}

/* One who is found: by the transfer? Without one there is nothing finer. */
static bool is_fine(struct origin_set *origins, const struct origin_trace *trace,
                    enum origin_way way, int64_t time_ns)
{
    const struct origin_trace fine = {.transfer = trace->transfer};
    struct origin o;
    return way != ORIGIN_REQUEST || trace->transfer == 0 ||
           origin_near(&o, origins, &fine, way, time_ns) == ORIGIN_ONE;
}

void lag_ask(struct lag_set *set, struct origin_set *origins, const struct origin_trace *trace,
             int64_t time_ns, int64_t heard_ns)
{
    for (enum origin_way way = ORIGIN_TRANSLATION; way < ORIGIN_WAYS; way++) {
        struct lag *l = &set->ways[way];
        struct lag_probe probe = {.time_ns = time_ns, .heard_ns = heard_ns};
        struct origin o;
        keys_of(probe.keys, trace, way);
        if (!is_out(&probe) || heard_ns - l->sampled_ns < LAG_STEP_NS)
            continue;
        l->sampled_ns = heard_ns;
        expire(l, heard_ns);
        enum origin_near near = origin_near(&o, origins, trace, way, time_ns);
        if (near == ORIGIN_SEVERAL)
            continue; /* nobody is named, however long it is waited */
        if (near == ORIGIN_ONE && is_fine(origins, trace, way, time_ns)) {
            sample(l, &l->behind[0]);
            l->exact += way == ORIGIN_REQUEST && trace->transfer != 0;
            continue;
        }
        probe.coarse = near == ORIGIN_ONE;
        send(l, &probe);
    }
}

static bool answers(const struct lag_probe *p, const uint64_t keys[LAG_KEYS])
{
    size_t count = p->coarse != 0 ? 1 : LAG_KEYS;
    for (size_t i = 0; i < count; i++) {
        if (p->keys[i] != 0 && p->keys[i] == keys[i])
            return true;
    }
    return false;
}

void lag_answer(struct lag_set *set, const struct origin_trace *trace, int64_t time_ns,
                int64_t heard_ns)
{
    for (enum origin_way way = ORIGIN_TRANSLATION; way < ORIGIN_WAYS; way++) {
        struct lag *l = &set->ways[way];
        uint64_t keys[LAG_KEYS];
        if (l->out == 0 || !origin_has_key(trace, way))
            continue;
        keys_of(keys, trace, way);
        for (size_t i = 0; i < LAG_PROBES; i++) {
            struct lag_probe *p = &l->probes[i];
            int64_t apart = time_ns - p->time_ns;
            if (!answers(p, keys) || apart > origin_window(way) || apart < -origin_window(way) ||
                heard_ns - p->heard_ns > LAG_MOST_NS)
                continue;
            sample(l, &l->behind[1 + (heard_ns - p->heard_ns) / LAG_STEP_NS]);
            if (way == ORIGIN_REQUEST && p->keys[0] != 0) {
                l->exact += p->keys[0] == keys[0];
                l->inexact += p->keys[0] != keys[0];
            }
            take_in(l, p);
        }
    }
}

int64_t lag_wait(const struct lag_set *set, enum origin_way way)
{
    const struct lag *l = &set->ways[way];
    if (l->samples < LAG_SAMPLES_LEAST)
        return LAG_MOST_NS;
    uint32_t lost = 0;
    for (uint32_t step = LAG_STEPS - 1; step > 0; step--) {
        lost += l->behind[step];
        if (lost > l->samples / LAG_LOST)
            return step * LAG_STEP_NS < LAG_MOST_NS ? step * LAG_STEP_NS : LAG_MOST_NS;
    }
    return 0;
}
