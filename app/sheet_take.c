/* app/sheet_take.c - totals of a municipality, run of frames by run of frames, into a sheet. */
#include <stdlib.h>

#include "app/sheet_state.h"
#include "base/clock.h"
#include "base/err.h"

/* Room for one more of `size` bytes each; the array or NULL. */
static void *grow(void *items, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return items;
    size_t more = *cap == 0 ? 16 : *cap * 2;
    void *grown = reallocarray(items, more, size);
    if (grown != NULL)
        *cap = more;
    return grown;
}

static int keep_text(struct sheet_reading *r, struct slice *out, struct slice text)
{
    char *kept = arena_copy(&r->sheet->arena, text);
    if (kept == NULL)
        return ERR_NOMEM;
    *out = slice_of(kept, text.len);
    return 0;
}

int sheet_find(struct sheet_reading *r, const struct sheet_finding *finding)
{
    struct sheet *s = r->sheet;
    struct sheet_finding *findings =
        grow(s->findings, &r->finding_cap, s->finding_count, sizeof(*findings));
    if (findings == NULL)
        return ERR_NOMEM;
    s->findings = findings;
    findings[s->finding_count] = *finding;
    int err = keep_text(r, &findings[s->finding_count].topic, finding->topic);
    s->finding_count += err == 0;
    return err;
}

struct sheet_tenant *sheet_tenant(struct sheet_reading *r, uint32_t tenant, uint64_t through_seq)
{
    size_t at = r->tenant_count;
    while (at > 0 && r->tenants[at - 1].tenant > tenant)
        at--;
    if (at > 0 && r->tenants[at - 1].tenant == tenant)
        return &r->tenants[at - 1];
    struct sheet_tenant *tenants =
        grow(r->tenants, &r->tenant_cap, r->tenant_count, sizeof(*tenants));
    if (tenants == NULL)
        return NULL;
    r->tenants = tenants;
    memmove(tenants + at + 1, tenants + at, (r->tenant_count - at) * sizeof(*tenants));
    tenants[at] = (struct sheet_tenant){.tenant = tenant, .through_seq = through_seq};
    r->tenant_count++;
    return &tenants[at];
}

/* When the hour, day or month of an hour began; hours without a time begin at the least one. */
static int64_t start_of(const struct sheet_wish *wish, int64_t hour)
{
    struct clock_civil c;
    int64_t ns = 0;
    int64_t zone_ns = wish->zone_minutes * CLOCK_NS_PER_MINUTE;
    if (__builtin_mul_overflow(hour, SEGMENT_HOUR_NS, &ns) ||
        __builtin_add_overflow(ns, zone_ns, &ns))
        return INT64_MIN;
    if (wish->by == SHEET_HOUR)
        return ns - zone_ns;
    clock_to_civil(&c, ns);
    int64_t days = clock_days(c.year, c.month, wish->by == SHEET_MONTH ? 1 : c.day);
    return days * 24 * SEGMENT_HOUR_NS - zone_ns;
}

static bool is_wanted_hour(const struct sheet_wish *wish, int64_t hour)
{
    int64_t start = 0;
    int64_t end = 0;
    if (__builtin_mul_overflow(hour, SEGMENT_HOUR_NS, &start) ||
        __builtin_add_overflow(start, SEGMENT_HOUR_NS, &end))
        return wish->since_ns == INT64_MIN;
    return start < wish->until_ns && end > wish->since_ns;
}

static int source_index(struct sheet_reading *r, struct slice name, uint32_t *out)
{
    struct sheet *s = r->sheet;
    for (size_t i = 0; i < s->source_count; i++) {
        if (slice_equal(s->sources[i], name)) {
            *out = (uint32_t)i;
            return 0;
        }
    }
    struct slice *sources = grow(s->sources, &r->source_cap, s->source_count, sizeof(*sources));
    if (sources == NULL)
        return ERR_NOMEM;
    s->sources = sources;
    int err = keep_text(r, &sources[s->source_count], name);
    if (err == 0)
        *out = (uint32_t)s->source_count++;
    return err;
}

/* Offsets that are missing or surplus are findings as well. */
static int take_event(struct sheet_reading *r, const struct totals_partition *p,
                      const struct totals_event *e)
{
    struct sheet *s = r->sheet;
    if (!is_wanted_hour(r->wish, totals_hour_of(e->tick_ns)))
        return 0;
    if (e->kind == TOTALS_MISSING || e->kind == TOTALS_SURPLUS) {
        const struct sheet_finding finding = {.kind = e->kind == TOTALS_MISSING ? SHEET_MISSING
                                                                                : SHEET_SURPLUS,
                                              .tenant = r->at->tenant,
                                              .topic = p->topic,
                                              .partition = p->partition,
                                              .from = (uint64_t)e->start,
                                              .to = (uint64_t)e->end};
        return sheet_find(r, &finding);
    }
    struct sheet_event *events = grow(s->events, &r->event_cap, s->event_count, sizeof(*events));
    if (events == NULL)
        return ERR_NOMEM;
    s->events = events;
    struct sheet_event *out = &events[s->event_count];
    *out = (struct sheet_event){.tenant = r->at->tenant, .partition = p->partition, .event = *e};
    int err = keep_text(r, &out->source, p->source);
    if (err == 0)
        err = keep_text(r, &out->topic, p->topic);
    if (err == 0)
        err = keep_text(r, &out->event.reason, e->reason);
    s->event_count += err == 0;
    return err;
}

/* The place of a partition among the ends, or where it belongs. */
static size_t end_at(const struct sheet_tenant *t, const struct totals_partition *p, bool *found)
{
    size_t low = 0;
    size_t high = t->end_count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(t->ends[middle].topic, p->topic);
        if (order == 0)
            order = (t->ends[middle].partition > p->partition) -
                    (t->ends[middle].partition < p->partition);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether a partition goes on where the totals before ended. */
static int check_join(struct sheet_reading *r, const struct totals_partition *p)
{
    struct sheet_tenant *t = r->at;
    bool found = false;
    size_t at = end_at(t, p, &found);
    if (p->start == p->end)
        return 0;
    if (!found) {
        struct sheet_end *ends = grow(t->ends, &t->end_cap, t->end_count, sizeof(*ends));
        if (ends == NULL)
            return ERR_NOMEM;
        t->ends = ends;
        memmove(ends + at + 1, ends + at, (t->end_count++ - at) * sizeof(*ends));
        ends[at] = (struct sheet_end){.partition = p->partition, .end = p->end};
        int err = keep_text(r, &ends[at].topic, p->topic);
        return err == 0 ? keep_text(r, &ends[at].source, p->source) : err;
    }
    int64_t before = t->ends[at].end;
    t->ends[at].end = p->end;
    if (before == p->start)
        return 0;
    const struct sheet_finding finding = {.kind = before < p->start ? SHEET_OFFSETS : SHEET_OVERLAP,
                                          .tenant = t->tenant,
                                          .topic = p->topic,
                                          .partition = p->partition,
                                          .from = (uint64_t)(before < p->start ? before : p->start),
                                          .to = (uint64_t)(before < p->start ? p->start : before)};
    return sheet_find(r, &finding);
}

static int check_sum(struct sheet_reading *r, const struct totals_partition *p)
{
    struct totals_sum sum = {0};
    for (size_t i = 0; i < p->hour_count; i++)
        totals_add(&sum, &p->hours[i].sum);
    r->at->rows += sum.rows;
    if (totals_add_up(p))
        return 0;
    const struct sheet_finding finding = {.kind = SHEET_SUM,
                                          .tenant = r->at->tenant,
                                          .topic = p->topic,
                                          .partition = p->partition,
                                          .from = totals_received(&sum) + sum.gaps,
                                          .to = (uint64_t)(p->end - p->start)};
    return sheet_find(r, &finding);
}

static bool is_wanted(const struct sheet_wish *wish, const struct totals_partition *p)
{
    return (wish->source.len == 0 || slice_equal(wish->source, p->source)) &&
           (wish->topic.len == 0 || slice_equal(wish->topic, p->topic));
}

static int take_hours(struct sheet_reading *r, const struct totals_partition *p)
{
    uint32_t source = 0;
    int err = source_index(r, p->source, &source);
    for (size_t i = 0; i < p->hour_count && err == 0; i++) {
        if (!is_wanted_hour(r->wish, p->hours[i].hour))
            continue;
        const struct hour_sum row = {.tenant = r->at->tenant,
                                     .id = source,
                                     .start_ns = start_of(r->wish, p->hours[i].hour),
                                     .sum = p->hours[i].sum};
        err = hour_sums_add(&r->sheet->rows, &row);
    }
    return err;
}

int sheet_take(void *self, const struct totals *t)
{
    struct sheet_reading *r = self;
    int err = 0;
    if (t->from_seq != r->at->counted_seq) {
        const struct sheet_finding finding = {.kind = SHEET_FRAMES,
                                              .tenant = r->at->tenant,
                                              .from = r->at->counted_seq + 1,
                                              .to = t->from_seq + 1};
        err = sheet_find(r, &finding);
    }
    r->at->counted_seq = t->through_seq;
    for (size_t i = 0; i < t->partition_count && err == 0; i++) {
        const struct totals_partition *p = &t->partitions[i];
        err = check_join(r, p);
        if (err == 0)
            err = check_sum(r, p);
        if (err == 0 && is_wanted(r->wish, p))
            err = take_hours(r, p);
        for (size_t k = 0; k < p->event_count && err == 0 && is_wanted(r->wish, p); k++)
            err = take_event(r, p, &p->events[k]);
    }
    return err;
}
