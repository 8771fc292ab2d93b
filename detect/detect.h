/*
 * detect/detect.h - the public face of detect/: a municipality's rows in, alerts out.
 *
 *   batch closes --detect_add()--> flows in the order of the rows --detect_run_rows()--> detectors
 *   tick         --detect_tick()-->                                                       |
 *                                                     findings -> episodes -> alert() <---+
 *
 * The same rows and ticks in the same order give the same alerts, byte for byte, however they were
 * cut into batches. A tenant's state is one block of a size fixed by its class.
 *
 * Layer:     base < event < detect
 * Ownership: detect_tenant_new() gives what detect_tenant_free() takes back; what `shared` and
 *            profile point to is borrowed and outlives the tenant.
 * Threads:   a tenant has one owner; what is shared is immutable.
 * Failures:  ERR_NOMEM; what the sink returned. After either the tenant must be freed.
 */
#pragma once

#include "detect/correlation_run.h"
#include "detect/detector.h"
#include "detect/indicator_hunt.h"
#include "detect/indicator_set.h"
#include "detect/policy.h"
#include "detect/policy_print.h"
#include "detect/prevalence.h"
#include "detect/rule_hits.h"
#include "detect/rule_set.h"
#include "detect/sigma_explain.h"
#include "detect/sigma_filter.h"
#include "event/format_habit.h"
#include "event/zone.h"

enum detect_limits {
    DETECT_ROWS_MAX = 1 << 20,    /* between two detect_run_rows() */
    DETECT_SOURCES_MAX = 64,      /* of a tenant; further ones share the last place */
    DETECT_BUDGET_DEFAULT = 5,    /* scored alerts a day */
    DETECT_SUPPRESSIONS_MAX = 64, /* of a municipality; a further one replaces what ends first */
    DETECT_CONTROL_KIND_MAX = 16, /* bytes with the NUL */
    DETECT_CONTROL_KEY_MAX = 200,
    DETECT_CONTROL_REASON_MAX = 256,
};

/* What the configuration says of a municipality. */
struct detect_profile {
    uint32_t tenant;
    struct slice name;
    enum detect_class size;
    const struct zone_table *networks; /* or NULL */
    const struct slice *zones;         /* names of zone ids, from 1; zones[0] is id 1 */
    uint16_t zone_count;
    const struct slice *assets; /* the same of asset classes */
    uint16_t asset_count;
    const struct network *shared; /* proxies, NAT, gateways: not one host each */
    size_t shared_count;
    const struct policy *policy; /* or NULL */
    uint32_t budget;             /* scored alerts a day */
    int64_t lateness_ns;
    struct slice (*name_of)(const void *names, uint32_t tenant); /* of the prefecture alone */
    const void *names;
};

/* What all tenants of a process look into. Any pointer may be NULL. */
struct detect_shared {
    uint64_t seed; /* of keyed hashes; stored, so that a restart gives the same */
    const struct indicator_set *indicators;
    const struct prevalence_set *prevalence;
    const struct rule_set *rules; /* detect/rule_set.h */
};

/* An alert on its way out, with what orders the alerts of a replay. */
struct detect_alert {
    struct alert_record record;
    int64_t tick_ns;   /* the last tick before it */
    int32_t partition; /* of the row that first fired; -1: the tick did */
    int64_t offset;
    uint32_t sub;
};

/* Working memory that the tenants of a process share (detect/desk.h); it outlives them. */
struct desks;
struct desks *desks_new(void);
/* NULL is fine. */
void desks_free(struct desks *d);

struct detect_options {
    const struct detect_shared *shared;
    struct desks *desks; /* or NULL: the tenant has its own */
    const struct detect_profile *profile;
    bool rows_tick; /* replay: the second of a row's time ticks before it, and nobody else does */
    int (*alert)(void *self, const struct detect_alert *alert); /* copies */
    void *self;
};

struct detect_tenant;

int detect_tenant_new(struct detect_tenant **out, const struct detect_options *options);
void detect_tenant_free(struct detect_tenant *t);

/*
 * Take the rows of a batch whose derived columns are filled. order[row] is the row's place among
 * the rows since the last detect_run_rows(), from 0; all batches together leave no place empty.
 */
int detect_add(struct detect_tenant *t, const struct batch *b, const uint32_t *order);
/* Show them to the detectors, in their order. */
int detect_run_rows(struct detect_tenant *t);

enum detect_tick_flag {
    DETECT_TICK_GAP = 1, /* nobody watched since the tick before */
    DETECT_TICK_END = 2, /* the end of the input: write what is pending */
};
/* Needs detect_run_rows() before it. Ticks that are not later than the last one do nothing. */
int detect_tick(struct detect_tenant *t, int64_t tick_ns, unsigned flags);

/*
 * What `shared` and the profile point to was replaced, as a reload does; the lists that they had
 * before are still there. The state goes on: correlations as correlation_run_carry() says; where the
 * class is another one, detectors and open episodes begin anew. Between detect_run_rows() and
 * detect_add(). ERR_NOMEM.
 */
int detect_tenant_change(struct detect_tenant *t);

/* The format that a log source has settled on, by its rows so far; zeroed where there are none. */
struct format_habit detect_source_habit(const struct detect_tenant *t, struct slice source);

/* Rows tick no more: what was learned from a replay goes on by the clock. */
void detect_tenant_go_live(struct detect_tenant *t);

/* What a person did to alerts. */
struct detect_control {
    enum {
        DETECT_SUPPRESS,
        DETECT_ACK,
        DETECT_CLOSE
    } action;
    bool by_id;
    struct alert_id id;                     /* with by_id: of an open episode */
    uint32_t tenant;                        /* 0 = every municipality */
    int64_t until_ns;                       /* of a suppression */
    char kind[DETECT_CONTROL_KIND_MAX];     /* alert.kind; empty = all */
    char key[DETECT_CONTROL_KEY_MAX];       /* "source.ip=192.0.2.1"; empty = all */
    char reason[DETECT_CONTROL_REASON_MAX]; /* never empty */
};
/* Between ticks; the effect is part of the state. ERR_NOTFOUND: no such alert here. */
int detect_control(struct detect_tenant *t, const struct detect_control *control);

/*
 * What correlations over municipalities have to know of this one since the last call: an item behind
 * its u32 length, or nothing. After each detect_tick(), as a state's image does not hold it. ERR_NOMEM.
 */
int detect_tenant_signals(struct detect_tenant *t, struct buf *out);
/*
 * Before detect_tick() of the tenant of class DETECT_PREFECTURE: the items of all municipalities in
 * any order, without their lengths, and how far all of them are. ERR_FORMAT, ERR_NOMEM.
 */
int detect_prefecture_take(struct detect_tenant *t, const struct slice *items, size_t count,
                           int64_t watermark_ns);

/* The tenant's watermark, CLOCK_NONE before the first row. */
int64_t detect_tenant_watermark_ns(const struct detect_tenant *t);

/* Tomorrow's snapshot replaces today's, at a tick. */
void detect_tenant_prevalence(struct detect_tenant *t, const struct prevalence_set *set);
/* What detect_contribute() said since the last call: keys, ascending; reset by the call. */
int detect_tenant_contribution(struct detect_tenant *t, struct buf *out);

/*
 * Calls `each` for the filters that took out rows since the last call, with how many: rows for which
 * the rule's condition held. Reset by the call. Not part of the state: what is counted is what this
 * process judged. The first error of `each` ends it.
 */
int detect_tenant_hidden(struct detect_tenant *t,
                         int (*each)(void *self, const struct sigma_rule *rule,
                                     const struct sigma_rule *filter, uint64_t rows),
                         void *self);

/*
 * Append the state as bytes, without what nothing was written to; only between detect_run_rows() and
 * detect_add(). Equal states give equal bytes. ERR_NOMEM.
 */
int detect_tenant_image(const struct detect_tenant *t, struct buf *out);
/*
 * ERR_FORMAT: of another version of the program or another size; or ERR_NOMEM. The state is then
 * untouched.
 */
int detect_tenant_load(struct detect_tenant *t, struct slice bytes);
