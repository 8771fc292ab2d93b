/*
 * app/hunt_report.h - what a hunt found, for programs and for people.
 *
 * One flat JSON object an indicator: for the prefecture with all municipalities that met it, for a
 * municipality with its own rows alone. The last line of a report says what was searched, and what
 * could not be. No wall-clock value inside: the same hunt gives the same bytes.
 *
 * Ownership: everything is borrowed.
 * Threads:   pure functions.
 * Failures:  those of the buffer.
 */
#pragma once

#include "app/hunt.h"

struct hunt_report {
    const struct hunt_result *result;
    const struct indicator_set *set;
    const struct config *config; /* names of municipalities; or NULL */
    int64_t at_ns;               /* feeds that name an entry are those that do at this time */
    uint32_t tenant;             /* 0: the prefecture; else only what is this municipality's */
};

/* Entries that were found. */
size_t hunt_report_entries(const struct hunt_report *r);
/* Append the NDJSON lines, the summary last. */
void hunt_report_json(struct buf *out, const struct hunt_report *r);
/* Append a block an entry, a line a municipality; times with this offset east of UTC. */
void hunt_report_table(struct buf *out, const struct hunt_report *r, int32_t zone_minutes);
/* Append one sentence: how much was searched, and what was not. */
void hunt_report_summary(struct buf *out, const struct hunt_report *r);
