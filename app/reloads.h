/*
 * app/reloads.h - what became of the tries to read the configuration again, for the metrics.
 *
 * Ownership: plain data.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include "app/environment.h"
#include "base/metric.h"

struct reloads {
    uint64_t taken;
    uint64_t refused;
    bool last_refused; /* what is in force is not what the files say */
    int64_t loaded_ns; /* when that was read */
};

void reloads_take(struct reloads *r, int64_t now_ns);
void reloads_refuse(struct reloads *r);
/* `in_force`: what rows are judged with. */
void reloads_observe(const struct reloads *r, const struct environment *in_force,
                     struct metric_set *metrics);
