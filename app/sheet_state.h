/*
 * app/sheet_state.h - private to app/sheet*.c: a sheet while it is read.
 *
 * Ownership: arrays are the reading's; texts are in the sheet's arena.
 * Threads:   one owner.
 */
#pragma once

#include "app/sheet.h"

/* How far the totals of a partition have come. */
struct sheet_end {
    struct slice topic;
    struct slice source;
    int32_t partition;
    int64_t end;
};

struct sheet_tenant {
    uint32_t tenant;
    uint64_t through_seq; /* its rows up to here are in segments */
    uint64_t counted_seq; /* its totals say so */
    uint64_t rows;        /* that its totals have so far */
    struct sheet_end *ends;
    size_t end_count;
    size_t end_cap;
};

struct sheet_reading {
    struct sheet *sheet;
    const struct sheet_wish *wish;
    struct diag *diag;
    struct sheet_tenant *tenants; /* ascending */
    size_t tenant_count;
    size_t tenant_cap;
    struct sheet_tenant *at; /* whose totals are taken */
    size_t event_cap;
    size_t finding_cap;
    size_t source_cap;
};

/* Take totals that follow those before: rows, events, and whether they join. A totals_visit. */
int sheet_take(void *self, const struct totals *t);
int sheet_find(struct sheet_reading *r, const struct sheet_finding *finding);
/* The municipality's, made at first sight with the frame up to which it has none. NULL: no memory. */
struct sheet_tenant *sheet_tenant(struct sheet_reading *r, uint32_t tenant, uint64_t through_seq);
/* What the log has behind the totals. */
int sheet_count_log(struct sheet_reading *r);
