/*
 * app/hour_sums.h - control totals added up by municipality, something of its own, and time.
 *
 * Ownership: a list owns its memory until hour_sums_release(); a zeroed struct is empty.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "store/store.h"

struct hour_sum {
    uint32_t tenant;
    uint32_t id;      /* of the caller: a source, a partition */
    int64_t start_ns; /* of the hour, day or month */
    struct totals_sum sum;
};

struct hour_sums {
    struct hour_sum *items;
    size_t count;
    size_t cap;
    size_t settled; /* of these are in order, each key once */
};

int hour_sums_add(struct hour_sums *s, const struct hour_sum *item);
/* Ascending by tenant, id, time; each once. */
void hour_sums_settle(struct hour_sums *s);
void hour_sums_release(struct hour_sums *s);
