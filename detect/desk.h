/*
 * detect/desk.h - the working memory of a municipality while rows are judged: flows and their texts.
 *
 * Rows are added and shown within a moment, so a few desks serve all municipalities of a process,
 * one for each that is at work, and what they hold stays in the processor's caches.
 *
 * Ownership: desks_new() gives what desks_free() takes back (detect/detect.h), after all desks came
 *            back.
 * Threads:   any may take and give; a desk has one owner at a time.
 * Failures:  NULL without memory.
 */
#pragma once

#include "detect/flow_read.h"
#include "detect/origin.h"
#include "detect/rule_hits.h"

struct desk {
    struct desk *next;
    struct flow_reader reader;
    struct flow *flows;
    struct origin_trace *traces; /* of the flows; filled where shared addresses are known */
    size_t flow_cap;
    struct rule_hits hits;
};

/* An empty desk; with `d` NULL one that nobody shares. */
struct desk *desk_take(struct desks *d);
/* Back to where it is from, empty again; a large one is given up. NULL is fine. */
void desk_give(struct desks *d, struct desk *desk);
/* Room for so many flows: 0 or ERR_NOMEM. */
int desk_room(struct desk *desk, size_t flows);
