#include <string.h>

#include "detect/correlate_state.h"

/* Entries that make the first rules of an order, one event each. */
struct ordered {
    uint32_t cells[SIGMA_REFERENCES_MAX];
};

/* The newest entry of each reference says whether a window holds it, however old the window is. */
static void mark_newest(const struct correlate *c, const struct group *g)
{
    uint32_t newest[SIGMA_REFERENCES_MAX];
    memset(newest, 0xff, sizeof(newest));
    for (uint32_t at = g->first; at != CELL_NONE; at = c->cells[at].next)
        newest[c->cells[at].reference] = at;
    for (uint32_t i = 0; i < SIGMA_REFERENCES_MAX; i++) {
        if (newest[i] != CELL_NONE)
            c->cells[newest[i]].flags |= ENTRY_KEPT;
    }
}

/* The first behind `at` that is of another event. */
static uint32_t event_end(const struct correlate *c, uint32_t at)
{
    uint32_t end = at;
    while (end != CELL_NONE && c->cells[end].event == c->cells[at].event)
        end = c->cells[end].next;
    return end;
}

/* The entry of a rule among those of one event, [at, end); CELL_NONE: it did not hit. */
static uint32_t entry_of(const struct correlate *c, const struct sigma_correlation *s, uint32_t at,
                         uint32_t end, uint32_t rule)
{
    while (at != end && s->references[c->cells[at].reference].rule != rule)
        at = c->cells[at].next;
    return at == end ? CELL_NONE : at;
}

/*
 * Of all ways to make the first n rules of the order the one that began last outlives the others, and
 * whatever follows may follow it: dynamic programming over events, for each n from that of n - 1.
 */
static void mark_ordered(const struct correlate *c, const struct sigma_correlation *s,
                         const struct group *g)
{
    struct ordered best[SIGMA_REFERENCES_MAX]; /* of n + 1 rules */
    uint32_t known = 0;
    uint32_t end = CELL_NONE;
    for (uint32_t at = g->first; at != CELL_NONE; at = end) {
        end = event_end(c, at);
        /* The longest first: an event stands for one rule. */
        for (uint32_t n = known < s->reference_count ? known + 1 : known; n-- > 0;) {
            uint32_t entry = entry_of(c, s, at, end, s->references[n].rule);
            if (entry == CELL_NONE)
                continue;
            if (n > 0)
                memcpy(best[n].cells, best[n - 1].cells, n * sizeof(entry));
            best[n].cells[n] = entry;
            known = n + 1 > known ? n + 1 : known;
        }
    }
    for (uint32_t n = 0; n < known; n++) {
        for (uint32_t i = 0; i <= n; i++)
            c->cells[best[n].cells[i]].flags |= ENTRY_KEPT;
    }
    c->cells[g->last].flags |= ENTRY_KEPT; /* the group lives as long as it does */
}

void entries_thin(struct correlate *c, uint32_t group)
{
    struct group *g = &c->group_items[group];
    const struct sigma_correlation *s = correlation_at(c, g->correlation);
    if (s->has_not || g->count <= s->reference_count)
        return;
    if (s->type == SIGMA_TEMPORAL)
        mark_newest(c, g);
    else if (s->type == SIGMA_TEMPORAL_ORDERED)
        mark_ordered(c, s, g);
    else
        return;
    entries_sweep(c, g);
}
