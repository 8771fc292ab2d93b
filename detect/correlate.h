/*
 * detect/correlate.h - the correlations of a rule set over the matches of one tenant.
 *
 *   matches in the order of event time (ties: of the tenant's history)
 *     -> group of (correlation, values of its group-by) -> entries within the timespan
 *     -> the condition holds and the group has not fired since its window was empty -> alert
 *
 * A window is (t - timespan, t], sliding. A temporal correlation whose condition has `not` is
 * decided when its window [t, t + timespan) is over: correlate_advance(). An event costs a few steps,
 * but for percentiles and conditions with `not`, where it may be as many as the group has entries.
 *
 * Memory is one block of cells, given at the start; where it is full, the group that was quiet for
 * longest gives up its place, and correlate_evictions() counts. There are no pointers in it.
 *
 * Ownership: the set is borrowed and outlives the state.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM at the start alone; what `fire` returns.
 */
#pragma once

#include "detect/sigma_correlation.h"

struct correlate;

enum correlate_limits {
    CORRELATE_GROUP_BYTES_MAX = 512, /* of the values of a group; a longer one is cut */
    CORRELATE_ENTRIES_MAX = 65536,   /* of one group within a timespan; the oldest give way */
    CORRELATE_RANKED_MAX = 4096,     /* the same of value_percentile and value_median */
};

/* A value of a field in the event at hand; false where it has none (absent or null). */
typedef bool correlate_field(void *self, const struct sigma_field *field, struct slice *out);

/* An event that rules matched. */
struct correlate_event {
    int64_t time_ns;
    uint64_t id;           /* the caller's name for it */
    const uint32_t *rules; /* indices in the set, ascending, without correlations */
    size_t rule_count;
    correlate_field *field;
    void *self;
};

enum correlate_news {
    CORRELATE_ALERT,  /* the condition holds, and the group had not fired since it was empty */
    CORRELATE_AGAIN,  /* a further event of a group that has fired */
    CORRELATE_JOINED, /* an event of a group that has not; told where somebody asked for it */
};

struct correlate_alert {
    enum correlate_news news;
    bool holds;    /* `value` is that of a window whose condition holds; always so of an alert */
    uint32_t rule; /* the correlation's index in the set */
    uint64_t event;
    int64_t time_ns;
    double value;
    uint64_t group;                              /* keyed hash of the rule and the values below */
    struct slice groups[SIGMA_GROUP_FIELDS_MAX]; /* valid during the call */
    uint32_t group_count;
};

/* Called for each alert and other news, inner correlations before those that they feed. */
typedef int correlate_fire(void *self, const struct correlate_alert *alert);

struct correlate_options {
    const struct sigma_set *set;
    const uint32_t *order; /* correlations of the set that run here, inner ones first; borrowed */
    uint32_t order_count;
    uint32_t cells;
    uint64_t seed;      /* of keyed hashes: stored, where the state is */
    bool tells_joining; /* CORRELATE_JOINED is told */
};
int correlate_new(struct correlate **out, const struct correlate_options *options);
void correlate_free(struct correlate *c);

/* Close what is over at `now_ns`: no event of an earlier time will come. */
int correlate_advance(struct correlate *c, int64_t now_ns, correlate_fire *fire, void *self);
/* Take the next event; times must not fall. Advances to its time first. */
int correlate_push(struct correlate *c, const struct correlate_event *event, correlate_fire *fire,
                   void *self);

/* Append the state as bytes; equal states give equal bytes. */
void correlate_save(const struct correlate *c, struct buf *out);
/*
 * Take a state that correlate_save() wrote, from the front of *bytes, which moves behind it.
 * ERR_FORMAT where it is of other correlations: the state is then as it was; or damaged: then it may
 * be empty.
 */
int correlate_load(struct correlate *c, struct slice *bytes);
/*
 * Into a fresh state of another set: the windows of each correlation that is still there, by id, with
 * the same type, rules, group-by, fields of values and expression. Its timespan and bounds of now hold
 * for them. `map` says where a rule of the set before is now; UINT32_MAX: nowhere.
 */
void correlate_carry(struct correlate *c, const struct correlate *before, const uint32_t *map);

/*
 * Groups that gave up their place, and events that found none; entries of a group that gave way to
 * newer ones although they could have mattered; events that had no value to group by.
 */
uint64_t correlate_evictions(const struct correlate *c);
uint64_t correlate_cuts(const struct correlate *c);
uint64_t correlate_ungrouped(const struct correlate *c);
