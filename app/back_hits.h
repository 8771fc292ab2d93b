/*
 * app/back_hits.h - the hits of a back-test, and what they come to by municipality and day.
 *
 * Ownership: a zeroed struct is empty; back_hits_release() frees it.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM; ERR_RANGE past BACK_HITS_MAX.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum back_limits {
    BACK_HITS_MAX = 5 * 1000 * 1000, /* 160 MB; a rule of more is none */
};

struct back_hit {
    int64_t time_ns;
    uint64_t key;      /* of the values that the rule groups by */
    uint64_t identity; /* of the row: its place in Kafka */
    uint32_t tenant;
};

struct back_hits {
    struct back_hit *items;
    size_t count;
    size_t cap;
};

/* One municipality's day. */
struct back_day {
    uint32_t tenant;
    int64_t day; /* since 1970-01-01 in Japan */
    uint64_t hits;
    uint64_t alerts;
};

/* New, lost and the same between two versions. */
struct back_difference {
    uint64_t added;
    uint64_t lost;
    uint64_t same;
};

int back_hits_add(struct back_hits *h, const struct back_hit *hit);
/* Append all of another one. */
int back_hits_join(struct back_hits *h, const struct back_hits *more);
void back_hits_release(struct back_hits *h);

/*
 * *out by municipality and day, to be freed; the hits are put in another order. Hits of a key nearer
 * than the window are one alert, of the day on which it began.
 */
int back_hits_days(struct back_hits *h, int64_t window_ns, struct back_day **out, size_t *count);
/* Both are put in another order. */
struct back_difference back_hits_compare(struct back_hits *now, struct back_hits *before);
