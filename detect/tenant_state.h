/*
 * detect/tenant_state.h - private to detect/: everything that is remembered of a municipality.
 *
 *   [struct tenant_state][episodes][contributed][origins][detector 0][detector 1] ...
 *
 * One block of a size fixed by the class, without pointers: a snapshot is its bytes.
 *
 * Ownership: struct detect_tenant owns the block.
 * Threads:   the tenant's owner.
 * Failures:  none.
 */
#pragma once

#include "detect/correlation_run.h"
#include "detect/desk.h"
#include "detect/detect.h"
#include "detect/episode.h"
#include "detect/flow_read.h"
#include "detect/held.h"
#include "event/format_habit.h"

enum tenant_limits {
    TENANT_DETECTORS_MAX = 32,
    TENANT_SUPPRESSIONS_MAX = DETECT_SUPPRESSIONS_MAX,
    TENANT_SOURCE_BYTES_MAX = 32,
    TENANT_TOPIC_BYTES_MAX = 256,
    TENANT_FORMATS_MAX = 64, /* ids of formats */
    TENANT_FORMAT_BYTES_MAX = 16,
    TENANT_DIGEST_MAX = 32, /* entries named in a day's digest; what is weaker is counted */
    TENANT_DIGEST_TEXT_MAX = 160,
    TENANT_ALERTS_PER_HOUR = 200, /* released one by one; the rest is one alert of kind coverage */
};

/* A log source of the municipality, in the order of first sight. */
struct source_state {
    int64_t newest_ns;    /* event time */
    int64_t seen_tick_ns; /* the tick at which it was last heard of */
    uint16_t topic_len;
    uint16_t name_len;
    struct format_habit habit;
    char name[TENANT_SOURCE_BYTES_MAX];
    char topic[TENANT_TOPIC_BYTES_MAX];
};

struct suppression {
    int64_t until_ns; /* 0 = free */
    uint64_t tenant;  /* of the prefecture: whose alerts; 0 = everybody's */
    uint64_t hidden;  /* episodes that it kept back */
    char kind[DETECT_CONTROL_KIND_MAX];
    char key[DETECT_CONTROL_KEY_MAX];
};

/* A scored finding that the day's budget had no room for. */
struct digest_entry {
    uint64_t key; /* of the episode */
    double tail;
    uint64_t count;
    uint16_t text_len;
    uint16_t detector;
    uint32_t spare;
    char text[TENANT_DIGEST_TEXT_MAX];
};

struct tenant_state {
    uint64_t layout; /* hash of what the bytes mean */
    uint64_t bytes;
    int64_t tick_ns; /* CLOCK_NONE before the first */
    int64_t since_ns;
    int64_t watermark_ns;
    int64_t heard_ns; /* the last tick, or a later arrival of a row */
    int64_t day;      /* JST, of the budget */
    int64_t hour;     /* of the cap on alerts */
    uint64_t released_in_hour;
    uint64_t held_in_hour;
    uint64_t suppressed; /* episodes kept back so far */
    uint64_t digest_count;
    uint64_t digest_more; /* findings of today that are in no entry */
    uint64_t source_count;
    uint64_t rows;                            /* flows so far */
    uint64_t told_in_tick;                    /* signals to the prefecture since the last tick */
    uint64_t evictions_hour;                  /* in which the counts below were taken */
    uint64_t evictions[TENANT_DETECTORS_MAX]; /* at the beginning of the hour */
    uint64_t spent[TENANT_DETECTORS_MAX];     /* scored alerts of today */
    int64_t surge_since_ns[TENANT_DETECTORS_MAX]; /* 0 = no surge */
    uint64_t detector_at[TENANT_DETECTORS_MAX];
    struct episode_set episodes;
    struct table contributed;
    struct origin_set origins;
    struct lag_set lags;
    struct source_state sources[DETECT_SOURCES_MAX];
    char format_names[TENANT_FORMATS_MAX][TENANT_FORMAT_BYTES_MAX]; /* of what came so far */
    struct suppression suppressions[TENANT_SUPPRESSIONS_MAX];
    struct digest_entry digest[TENANT_DIGEST_MAX];
    struct held_set held; /* last: what is unused of it is a gap */
};

struct detect_run {
    struct detect_tenant *tenant;
    struct tenant_state *state;
    const struct detector *detector; /* whose call it is */
    unsigned index;                  /* of it */
    unsigned tick_flags;
    bool timely;                      /* the row at hand arrived at the time of the ticks */
    const struct origin_trace *trace; /* of the row at hand; NULL: nobody is looked for */
    struct origin origin;             /* of the row at hand, if it is known */
    struct ip via;                    /* the shared address in whose place it is */
    const struct rule_hit *hits;      /* of the row at hand */
    size_t hit_count;
    int status; /* the first error of a sink */
};

struct detect_tenant {
    struct detect_options o;
    struct tenant_state *state;           /* the block */
    struct desk *desk;                    /* while rows wait to be shown; NULL = there are none */
    struct correlation_run *correlations; /* NULL: the rules have none */
    struct zone_table *shared_networks;
    const struct prevalence_set *prevalence; /* of the last midnight, or NULL */
    size_t flow_count;
    struct buf signals; /* for the prefecture, since they were fetched: detect/prefecture.c */
    uint32_t signal_count;
    uint64_t signals_lost;
    uint64_t *hidden; /* rows that filters took out, by the rules' filters; NULL: there are none */
    bool has_hidden;  /* since the last detect_tenant_hidden() */
    struct detect_run run;
    struct buf line; /* of the alert being written */
};

/* Detectors in the order of detectors.def; NULL behind the last. */
extern const struct detector *const DETECTORS[];
unsigned detector_count(void);

/* The topic of an evidence's log source. */
struct slice detect_topic(const struct detect_run *run, uint32_t log_source);

static inline void *detector_state(struct tenant_state *s, unsigned index)
{
    unsigned char *base = (void *)s;
    return base + s->detector_at[index];
}
