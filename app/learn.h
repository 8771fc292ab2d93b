/*
 * app/learn.h - lines of the past, shown to the detectors before a demonstration goes live.
 *
 * The lines take the collector's own path (split, parse, enrich, judge) with event times as the
 * clock; what would go into the log is dropped.
 *
 * Ownership: borrows what the options name.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM, and those of intake.
 */
#pragma once

#include "app/config.h"
#include "app/watch.h"

struct learn;

struct learn_options {
    const struct config *config;
    const struct feed_environment *environment;
    struct watch *watch; /* rows tick */
};

int learn_open(struct learn **out, const struct learn_options *options);
/* A line without its end; times do not go back. */
int learn_line(struct learn *l, uint32_t tenant, const char *source, struct slice line,
               int64_t time_ns);
/* Everything is judged; the watch is ready to go live. *tick_ns: the last tick, 0 without lines. */
int learn_finish(struct learn *l, int64_t *tick_ns);
/* NULL is fine. */
void learn_close(struct learn *l);
