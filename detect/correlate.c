#include "detect/correlate.h"

#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "detect/correlate_state.h"
#include "event/pred_leaf.h"

/* What is needed to tell of an alert. */
struct call {
    struct correlate *c;
    const struct correlate_event *event;
    correlate_fire *fire;
    void *self;
};

/* The values that a reference groups the event by; false where one is missing. */
static bool key_make(const struct call *call, uint32_t correlation,
                     const struct sigma_reference *ref, struct key *key)
{
    struct correlate *c = call->c;
    const struct sigma_correlation *s = correlation_at(c, correlation);
    key->len = 0;
    for (uint32_t i = 0; i < s->group_count; i++) {
        struct slice value;
        if (!call->event->field(call->event->self, &ref->groups[i], &value)) {
            c->ungrouped++;
            return false;
        }
        size_t room = sizeof(key->text) - key->len - sizeof(uint16_t) * (s->group_count - i);
        uint16_t len = (uint16_t)(value.len < room ? value.len : room);
        memcpy(key->text + key->len, &len, sizeof(len));
        if (len != 0)
            memcpy(key->text + key->len + sizeof(len), value.data, len);
        key->len += sizeof(len) + len;
    }
    key->hash = key_hash(c, correlation, slice_of(key->text, key->len));
    return true;
}

/* Conditions */

/* The value of rank k among numbers, which are partly put in order (Hoare, "Find", 1961). */
static double select_rank(double *numbers, uint32_t count, uint32_t k)
{
    uint32_t low = 0;
    uint32_t high = count - 1;
    while (low < high) {
        double pivot = numbers[low + (high - low) / 2];
        uint32_t i = low;
        uint32_t j = high;
        for (;;) {
            while (numbers[i] < pivot)
                i++;
            while (numbers[j] > pivot)
                j--;
            if (i >= j)
                break;
            double swap = numbers[i];
            numbers[i++] = numbers[j];
            numbers[j--] = swap;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return numbers[k];
}

/* Linear interpolation between the neighbours of rank (n - 1) p / 100. */
static double percentile_of(double *numbers, uint32_t count, double percentile)
{
    double rank = (double)(count - 1) * percentile / 100.0;
    uint32_t low = (uint32_t)rank;
    uint32_t high = low + 1 < count ? low + 1 : low;
    double a = select_rank(numbers, count, low);
    double b = select_rank(numbers, count, high);
    return a + (b - a) * (rank - (double)low);
}

/* The values of a group, in the order of their events. */
static uint32_t numbers_of(struct correlate *c, const struct group *g)
{
    uint32_t count = 0;
    for (uint32_t at = g->first; at != CELL_NONE && count < CORRELATE_ENTRIES_MAX;
         at = c->cells[at].next) {
        if ((c->cells[at].flags & ENTRY_VALUE) != 0)
            c->numbers[count++] = c->cells[at].value;
    }
    return count;
}

/* Exact where all values are whole; else added up anew, so that nothing creeps in. */
static double sum_of(struct correlate *c, const struct group *g)
{
    double sum = 0;
    const struct cell *tally = tally_of(c, g);
    if (tally->broken == 0 && tally->sum > -1e15 && tally->sum < 1e15)
        return tally->sum;
    uint32_t count = numbers_of(c, g);
    for (uint32_t i = 0; i < count; i++)
        sum += c->numbers[i];
    return sum;
}

/* The aggregate of a window; false where it has no value. */
static bool aggregate(struct correlate *c, const struct sigma_correlation *s, const struct group *g,
                      double *out)
{
    if (g->values == 0)
        return false;
    if (s->type == SIGMA_VALUE_COUNT) {
        *out = g->values;
    } else if (is_summed(s)) {
        *out = sum_of(c, g);
        if (s->type == SIGMA_VALUE_AVG)
            *out /= g->values;
    } else {
        uint32_t count = numbers_of(c, g);
        *out =
            percentile_of(c->numbers, count, s->type == SIGMA_VALUE_MEDIAN ? 50.0 : s->percentile);
    }
    return true;
}

/* The references that a window holds, from a time (included) to another (excluded). */
static uint64_t present_bits(const struct correlate *c, const struct group *g, int64_t from_ns,
                             int64_t to_ns)
{
    uint64_t bits = 0;
    for (uint32_t at = g->first; at != CELL_NONE; at = c->cells[at].next) {
        if (c->cells[at].time_ns >= from_ns && c->cells[at].time_ns < to_ns)
            bits |= UINT64_C(1) << c->cells[at].reference;
    }
    return bits;
}

/* How many of the rules, from the first on, stand in their order: different events each. */
static uint32_t ordered_len(const struct correlate *c, const struct sigma_correlation *s,
                            const struct group *g)
{
    uint32_t len = 0;
    uint64_t last = 0;
    for (uint32_t at = g->first; at != CELL_NONE && len < s->reference_count;
         at = c->cells[at].next) {
        const struct cell *cell = &c->cells[at];
        if (s->references[len].rule != s->references[cell->reference].rule ||
            (len > 0 && cell->event == last))
            continue;
        last = cell->event;
        len++;
    }
    return len;
}

static bool condition_holds(struct correlate *c, const struct sigma_correlation *s,
                            const struct group *g, double *value)
{
    uint64_t bits = 0;
    switch (s->type) {
    case SIGMA_EVENT_COUNT:
        *value = g->count;
        break;
    case SIGMA_TEMPORAL:
        bits = present_bits(c, g, INT64_MIN, INT64_MAX);
        *value = __builtin_popcountll(bits);
        if (s->program != NULL)
            return sigma_program_holds(s, bits);
        break;
    case SIGMA_TEMPORAL_ORDERED:
        *value = ordered_len(c, s, g);
        break;
    case SIGMA_VALUE_COUNT:
    case SIGMA_VALUE_SUM:
    case SIGMA_VALUE_AVG:
    case SIGMA_VALUE_PERCENTILE:
    case SIGMA_VALUE_MEDIAN:
    case SIGMA_CORRELATION_TYPES:
    default:
        if (!aggregate(c, s, g, value))
            return false;
        break;
    }
    return sigma_bounds_hold(s, *value);
}

/* Alerts */

static int alert_fire(const struct call *call, uint32_t group, const struct correlate_alert *like)
{
    struct correlate *c = call->c;
    const struct group *g = &c->group_items[group];
    struct correlate_alert alert = *like;
    struct key key;
    if (!group_key(c, group, &key))
        return ERR_CORRUPT;
    alert.rule = g->correlation;
    alert.group = key.hash;
    alert.group_count = correlation_at(c, g->correlation)->group_count;
    memcpy(alert.groups, key.values, alert.group_count * sizeof(*alert.groups));
    return call->fire(call->self, &alert);
}

/* The value of the event for the correlation, if it has one. */
static void entry_value(const struct call *call, const struct sigma_correlation *s,
                        const struct key *key, struct cell *cell)
{
    struct slice value;
    struct number number;
    if (s->field_count == 0)
        return;
    if (s->type != SIGMA_VALUE_COUNT) {
        if (!call->event->field(call->event->self, &s->fields[0], &value) ||
            !leaf_parse_number(value, &number))
            return;
        cell->value = number.real;
        cell->flags = ENTRY_VALUE;
        return;
    }
    uint64_t hash = key->hash;
    for (uint32_t i = 0; i < s->field_count; i++) {
        if (!call->event->field(call->event->self, &s->fields[i], &value))
            return;
        hash = hash_slice(hash + i, value);
    }
    cell->hash = hash;
    cell->flags = ENTRY_VALUE;
}

/* Put the event into its group and drop what has left the window. */
static uint32_t entry_add(const struct call *call, uint32_t correlation, uint32_t reference,
                          const struct key *key)
{
    struct correlate *c = call->c;
    const struct sigma_correlation *s = correlation_at(c, correlation);
    int64_t now_ns = call->event->time_ns;
    uint32_t keep = c->lanes[correlation].keep;
    uint32_t group = group_find(c, correlation, key);
    uint32_t at = group == CELL_NONE ? CELL_NONE : cell_take(c, group);
    if (at == CELL_NONE) {
        if (group != CELL_NONE && c->group_items[group].count == 0)
            group_drop(c, group); /* its time is that of its last entry */
        c->evictions++;
        return CELL_NONE;
    }
    struct group *g = &c->group_items[group];
    while (g->first != CELL_NONE && c->cells[g->first].time_ns <= now_ns - s->timespan_ns)
        entry_drop(c, g);
    if (g->first == CELL_NONE)
        g->flags &= (uint8_t)~GROUP_FIRED;
    if (g->count >= keep) {
        c->cuts += keep == CORRELATE_ENTRIES_MAX || s->type == SIGMA_VALUE_PERCENTILE ||
                   s->type == SIGMA_VALUE_MEDIAN;
        entry_drop(c, g);
    }
    struct cell *cell = &c->cells[at];
    cell->time_ns = now_ns;
    cell->event = call->event->id;
    cell->reference = (uint8_t)reference;
    entry_value(call, s, key, cell);
    entry_append(c, group, at);
    group_touch(c, group);
    if (s->has_not && (g->flags & GROUP_ARMED) == 0)
        wait_arm(c, group, now_ns);
    return group;
}

/* Does it cost the same however many entries a group has? */
static bool is_cheap(const struct correlate *c, const struct sigma_correlation *s,
                     const struct group *g)
{
    return s->type == SIGMA_EVENT_COUNT || s->type == SIGMA_VALUE_COUNT ||
           (is_summed(s) && tally_of(c, g)->broken == 0);
}

static int group_judge(const struct call *call, uint32_t correlation, uint32_t group)
{
    struct correlate *c = call->c;
    const struct sigma_correlation *s = correlation_at(c, correlation);
    struct group *g = &c->group_items[group];
    const struct cell *newest = &c->cells[g->last];
    bool fired = (g->flags & GROUP_FIRED) != 0;
    bool silent = s->field_count != 0 && (newest->flags & ENTRY_VALUE) == 0;
    double value = 0;
    struct correlate_alert alert = {.event = call->event->id, .time_ns = call->event->time_ns};
    if (!silent && !s->has_not)
        alert.holds = (!fired || is_cheap(c, s, g)) && condition_holds(c, s, g, &value);
    if (alert.holds)
        alert.value = value;
    alert.news = fired && !silent && !s->has_not ? CORRELATE_AGAIN
                 : alert.holds                   ? CORRELATE_ALERT
                                                 : CORRELATE_JOINED;
    if (alert.news == CORRELATE_JOINED && !c->tells_joining)
        return 0;
    if (alert.news == CORRELATE_ALERT) {
        g->flags |= GROUP_FIRED;
        if (c->fired_count == 0 || c->fired[c->fired_count - 1] != correlation)
            c->fired[c->fired_count++] = correlation;
    }
    return alert_fire(call, group, &alert);
}

static bool event_hits(const struct call *call, uint32_t rule)
{
    const struct correlate *c = call->c;
    for (size_t i = 0; i < call->event->rule_count; i++) {
        if (call->event->rules[i] == rule)
            return true;
    }
    for (uint32_t i = 0; i < c->fired_count; i++) {
        if (c->fired[i] == rule)
            return true;
    }
    return false;
}

/* Does an earlier reference of the correlation stand for the same rule? */
static bool is_repeated(const struct sigma_correlation *s, uint32_t reference)
{
    for (uint32_t i = 0; i < reference; i++) {
        if (s->references[i].rule == s->references[reference].rule)
            return true;
    }
    return false;
}

/* All that the event means for one correlation. */
static int correlation_take(const struct call *call, uint32_t correlation)
{
    struct correlate *c = call->c;
    const struct sigma_correlation *s = correlation_at(c, correlation);
    bool temporal = s->type == SIGMA_TEMPORAL || s->type == SIGMA_TEMPORAL_ORDERED;
    uint32_t touched[SIGMA_REFERENCES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->reference_count; i++) {
        struct key key;
        if (is_repeated(s, i) || !event_hits(call, s->references[i].rule) ||
            !key_make(call, correlation, &s->references[i], &key))
            continue;
        bool counted = false;
        for (uint32_t k = 0; k < count && !temporal; k++)
            counted |= group_is(c, touched[k], &key);
        if (counted)
            continue; /* an event counts once in a group, however many rules it hits */
        uint32_t group = entry_add(call, correlation, i, &key);
        bool known = group == CELL_NONE;
        for (uint32_t k = 0; k < count; k++)
            known |= touched[k] == group;
        if (!known)
            touched[count++] = group;
    }
    int err = 0;
    for (uint32_t k = 0; k < count && err == 0; k++) {
        if (c->group_items[touched[k]].correlation != correlation)
            continue; /* it gave way to another */
        entries_thin(c, touched[k]);
        err = group_judge(call, correlation, touched[k]);
    }
    return err;
}

/* The window that began at `from_ns` is over. */
static int window_close(const struct call *call, uint32_t correlation, uint32_t group,
                        int64_t from_ns)
{
    struct correlate *c = call->c;
    const struct sigma_correlation *s = correlation_at(c, correlation);
    struct group *g = &c->group_items[group];
    int64_t end_ns = from_ns + s->timespan_ns;
    if ((g->flags & GROUP_FIRED) != 0)
        return 0;
    uint64_t bits = present_bits(c, g, from_ns, end_ns);
    if (!sigma_program_holds(s, bits))
        return 0;
    uint64_t seen = 0;
    struct correlate_alert alert = {
        .time_ns = end_ns, .value = __builtin_popcountll(bits), .holds = true};
    for (uint32_t at = g->first; at != CELL_NONE; at = c->cells[at].next) {
        const struct cell *cell = &c->cells[at];
        if (cell->time_ns < from_ns || cell->time_ns >= end_ns)
            continue;
        seen |= UINT64_C(1) << cell->reference;
        alert.event = cell->event;
        if (sigma_program_holds(s, seen))
            break;
    }
    g->flags |= GROUP_FIRED;
    return alert_fire(call, group, &alert);
}

/* The window that ended first is decided, and the group's next one waits. */
static int wait_close(const struct call *call, const struct wait *wait)
{
    struct correlate *c = call->c;
    struct group *g = &c->group_items[wait->group];
    int64_t from_ns = tally_of(c, g)->armed_ns;
    g->flags &= (uint8_t)~GROUP_ARMED;
    int err = window_close(call, g->correlation, wait->group, from_ns);
    for (uint32_t at = g->first; at != CELL_NONE; at = c->cells[at].next) {
        if (c->cells[at].time_ns > from_ns) {
            wait_arm(c, wait->group, c->cells[at].time_ns);
            break;
        }
    }
    return err;
}

int correlate_advance(struct correlate *c, int64_t now_ns, correlate_fire *fire, void *self)
{
    const struct call call = {.c = c, .fire = fire, .self = self};
    int err = 0;
    struct wait wait;
    while (err == 0 && wait_next(c, now_ns, &wait))
        err = wait_close(&call, &wait);
    for (uint32_t i = 0; i < c->order_count && err == 0; i++) {
        uint32_t correlation = c->order[i];
        const struct sigma_correlation *s = correlation_at(c, correlation);
        struct lane *lane = &c->lanes[correlation];
        while (lane->oldest != CELL_NONE &&
               c->cells[c->group_items[lane->oldest].last].time_ns <= now_ns - s->timespan_ns)
            group_drop(c, lane->oldest);
    }
    return err;
}

int correlate_push(struct correlate *c, const struct correlate_event *event, correlate_fire *fire,
                   void *self)
{
    const struct call call = {.c = c, .event = event, .fire = fire, .self = self};
    int err = correlate_advance(c, event->time_ns, fire, self);
    c->fired_count = 0;
    for (uint32_t i = 0; i < c->order_count && err == 0; i++)
        err = correlation_take(&call, c->order[i]);
    return err;
}
