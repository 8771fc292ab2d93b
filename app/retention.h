/*
 * app/retention.h - when rows may be deleted: the rule alone, from numbers.
 *
 *   counted hour   the hour of arrival, or a later one in which rows were taken that come before its
 *                  last row in the municipality's history
 *   due            end of the counted hour, not before the store began to look, + the class's time
 *   may go         due <= trusted time, no hold, and the log has none of its rows any more
 *
 * A row's number says when it was taken, whatever its broker's clock says: so a broker whose clock
 * stands in 1970 makes nothing old. Why: docs/decisions/0015-deletion.md.
 *
 * Ownership: nothing is kept.
 * Threads:   any.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "app/config.h"
#include "store/store.h"

enum retention_class {
#define CLASS(NAME, name) RETENTION_##NAME,
#include "app/retention_classes.def"
#undef CLASS
    RETENTION_CLASSES
};

/* The class of a format's lines. */
enum retention_class retention_class_of(uint16_t format);
const char *retention_class_name(enum retention_class class_id);
/* RETENTION_CLASSES for a name that is none. */
enum retention_class retention_class_find(struct slice name);
/* "firewall, proxy, other", for messages. */
void retention_class_list(struct buf *out);

/* How long a municipality's rows are kept, by class. */
struct retention_keeps {
    int64_t ns[RETENTION_CLASSES];
};

/*
 * The municipality's time for the class, else the municipality's, else that of the class for all,
 * else that for all.
 */
void retention_keeps(struct retention_keeps *out, const struct config *config, uint32_t tenant);
int64_t retention_least(const struct retention_keeps *k);
int64_t retention_most(const struct retention_keeps *k);

/*
 * The counted hour of each of the catalog's segments, into hours[0, segment_count). Hours that begin
 * after `now_ns` cannot be and make no other one late.
 */
int retention_hours(int64_t *hours, const struct catalog *c, int64_t now_ns);

/* When rows of a counted hour are due; INT64_MAX where 64 bits do not hold it. */
int64_t retention_due_ns(int64_t hour, int64_t since_ns, int64_t keep_ns);
