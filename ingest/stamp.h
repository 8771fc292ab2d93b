/*
 * ingest/stamp.h - private to ingest/: the ways in which devices write a time, into nanoseconds.
 *
 *   2026-11-21T10:00:00.123+09:00   2026-11-21 10:00:00     2026/11/21 10:00:00
 *   21/Nov/2026:10:00:00 +0900      21/Nov/2026 10:00:00    11/21/2026 10:00:00
 *   21 Nov 2026 10:00:00 GMT        Sat, 21 Nov 2026 10:00:00 GMT
 *   Nov 21 10:00:00                 Nov 21 2026 10:00:00 UTC           Sat Nov 21 10:00:00 2026
 *   2026 Nov 21 10:00:00            21Nov2026 10:00:00                 2026:11:21-10:00:00
 *   1795222800  1795222800123  1795222800123456  1795222800123456789  1795222800.123
 *
 * A day of the week in front is passed over, right or wrong.
 *
 * A fraction of any length may follow the seconds (digits past the ninth are dropped) and an offset
 * may follow the time: Z, +09:00, +0900, +09, UTC, GMT, JST, GMT+09:00. Parts of the time of day may have one
 * digit, and one blank behind a colon is passed over: some templates write both.
 *
 * Ownership: nothing is kept but the caller's cache; zeroed, it is a valid cache.
 * Threads:   a cache has one owner.
 * Failures:  ERR_FORMAT for what is none of these or does not exist (30 February, 25:00:00), or
 *            lies outside the years 1678..2261. Outputs are untouched then.
 *
 * Texts need SLICE_PADDING_BYTES readable behind them, as every line has.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* The last date, because the next line nearly always has the same. */
struct stamp_cache {
    uint64_t head;  /* first 8 bytes of its text */
    uint32_t tail;  /* last 4 bytes of its text */
    int64_t day_ns; /* its midnight, read as UTC */
};

/*
 * Read a whole stamp. `zone_minutes` (east of UTC) holds when the text has no offset of its own.
 * A stamp without a year takes the year that puts its day nearest to `reference_ns`, of two equally
 * near ones the earlier; it is ERR_FORMAT when that is CLOCK_NONE, and for 29 February when
 * neither the reference's year nor its neighbours are leap years.
 */
int stamp_parse(int64_t *out, struct slice text, int32_t zone_minutes, int64_t reference_ns,
                struct stamp_cache *cache);

/* Read a date and a time of day that stand apart. */
int stamp_parse_parts(int64_t *out, struct slice date, struct slice clock, int32_t zone_minutes,
                      struct stamp_cache *cache);

/* Read 10, 13, 16 or 19 digits (seconds to nanoseconds since 1970), or 10 and a fraction. */
int stamp_parse_epoch(int64_t *out, struct slice text);

/* Read an offset as in a stamp, into minutes east of UTC. */
int stamp_parse_zone(int32_t *out, struct slice text);

/*
 * How many bytes from the start of `text` are a stamp of the given layout, or 0. For scanners that
 * look for a header in front of a message; a date that does not exist counts.
 *   bsd: Mon dd [yyyy] HH:MM:SS[.fraction], or yyyy Mon dd HH:MM:SS[.fraction]
 *   iso: YYYY-MM-DDTHH:MM:SS[.fraction][Z or +09:00 or +0900]
 */
size_t stamp_length_bsd(struct slice text);
size_t stamp_length_iso(struct slice text);
