#include "detect/scan_walk.h"

#include <assert.h>

#include "base/clock.h"

static_assert(sizeof(struct scan_walk) == 48, "no padding");

#define HOUR_S 3600

/*
 * PCs have 17 to 35 % failures, on everyday ports more when a family of addresses or a provider is
 * down; of what comes in from outside even a crawler's is refused where it strays from the published
 * pages. A log that holds refusals only never tells a walk down: there the bound stands for a number, 33
 * refused services in two hours, and `nominal` would hold if what is let through were told, too.
 * Logarithms are written out because the program takes none from libm; the test computes them
 * again.
 */
static const struct scan_rule RULES[SCAN_KINDS] = {
    [SCAN_OUT] = {"out", 0.35, 0.90, 0.99, 2e-6, 0.9444616088408515, 1.8718021769015918,
                  13.112313041550827, 3.9145e-6, 2 * HOUR_S},
    [SCAN_EVERYDAY] = {"everyday", 0.60, 0.95, 0.99, 2e-6, 0.45953232937844013, 2.079441541679835,
                       13.112313041550827, 1.8699e-6, 2 * HOUR_S},
    [SCAN_INSIDE] = {"inside", 0.35, 0.90, 0.99, 2e-6, 0.9444616088408515, 1.8718021769015918,
                     13.112313041550827, 3.9145e-6, 2 * HOUR_S},
    [SCAN_PORTS] = {"ports", 0.35, 0.93, 0.99, 2e-6, 0.9772514316638424, 2.2284771208403247,
                    13.112313041550827, 3.0927e-6, 2 * HOUR_S},
    [SCAN_INBOUND] = {"inbound", 0.60, 0.90, 0.99, 2e-6, 0.4054651081081644, 1.3862943611198906,
                      13.112313041550827, 1.59186e-6, 48 * HOUR_S},
    [SCAN_LGWAN] = {"lgwan", 0.60, 0.90, 0.99, 2e-6, 0.4054651081081644, 1.3862943611198906,
                    13.112313041550827, 1.59186e-6, 2 * HOUR_S},
};

const struct scan_rule *scan_rule_of(enum scan_kind kind)
{
    assert(kind < SCAN_KINDS);
    return &RULES[kind];
}

static const struct scan_rule *rule_of(const struct scan_walk *w)
{
    assert(w->kind < SCAN_KINDS);
    return &RULES[w->kind];
}

double scan_walk_score(const struct scan_walk *w)
{
    const struct scan_rule *rule = rule_of(w);
    return (rule->up * w->weight_refused - rule->down * w->weight_accepted) / SCAN_WHOLE;
}

static void begin(struct scan_walk *w, int64_t time_ns)
{
    *w = (struct scan_walk){
        .key = w->key, .start_s = (uint32_t)(time_ns / CLOCK_NS_PER_SECOND), .kind = w->kind};
}

static int64_t seconds(int64_t time_ns)
{
    return time_ns / CLOCK_NS_PER_SECOND;
}

bool scan_walk_expire(struct scan_walk *w, int64_t time_ns)
{
    bool decided = w->told != 0;
    int64_t span_s = decided ? SCAN_DECIDED_S : (int64_t)rule_of(w)->span_s;
    int64_t age_s = seconds(time_ns) - (int64_t)(decided ? w->told_s : w->start_s);
    if (age_s <= span_s && age_s >= -span_s)
        return false;
    begin(w, time_ns);
    return true;
}

/* Boyer and Moore's vote: what more than half agree on keeps votes. */
static void vote(struct scan_walk *w, uint16_t port)
{
    if (w->port_votes == 0)
        w->port = port;
    if (w->port != port)
        w->port_votes--;
    else if (w->port_votes < UINT8_MAX)
        w->port_votes++;
}

void scan_walk_refuse(struct scan_walk *w, unsigned weight, uint16_t port, int64_t time_ns)
{
    assert(weight <= SCAN_WHOLE);
    if (w->refused == 0)
        begin(w, time_ns);
    if (w->refused < UINT16_MAX) {
        w->refused++;
        w->weight_refused += weight;
    }
    vote(w, port);
}

bool scan_walk_accept(struct scan_walk *w, unsigned weight)
{
    assert(weight <= SCAN_WHOLE);
    if (w->told != 0) {
        if (w->open < UINT16_MAX)
            w->open++;
        return false;
    }
    if (w->accepted < UINT16_MAX) {
        w->accepted++;
        w->weight_accepted += weight;
    }
    return scan_walk_score(w) < 0;
}

bool scan_walk_forgive(struct scan_walk *w, unsigned weight)
{
    if (w->told == 0)
        w->weight_refused -= w->weight_refused > weight ? weight : w->weight_refused;
    if (w->refused > (w->told != 0))
        w->refused--;
    return scan_walk_accept(w, weight) || w->refused == 0;
}

bool scan_walk_alarms(const struct scan_walk *w)
{
    return w->told != 0 || scan_walk_score(w) >= rule_of(w)->bound;
}

bool scan_walk_tell(struct scan_walk *w, int64_t time_ns)
{
    if (!scan_walk_alarms(w) || w->refused < w->told * 2U)
        return false;
    w->told = w->refused;
    w->told_s = (uint32_t)seconds(time_ns);
    w->more = 0;
    return true;
}

bool scan_walk_more(struct scan_walk *w, uint64_t contact, int64_t time_ns)
{
    int64_t now_s = seconds(time_ns);
    uint32_t at = (uint32_t)(uint64_t)(now_s / SCAN_MORE_S);
    if (w->told == 0)
        return false;
    if (w->more_at != at)
        w->more = 0;
    w->more_at = at;
    w->more |= UINT64_C(1) << (contact >> 58);
    if (__builtin_popcountll(w->more) < SCAN_MORE_LEAST ||
        now_s - (int64_t)w->told_s < SCAN_MORE_GAP_S)
        return false;
    w->told_s = (uint32_t)now_s;
    w->more = 0;
    return true;
}

uint16_t scan_walk_port(const struct scan_walk *w)
{
    unsigned most = w->refused < UINT8_MAX ? w->refused : UINT8_MAX;
    return w->port_votes * 2U > most ? w->port : 0;
}
