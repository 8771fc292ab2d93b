/*
 * event/format_habit.h - which log format a source has settled on, and what it takes to change that.
 *
 *   settled A:  A A A B A A C A B A ...   A stays: an odd line, or a few, mean nothing
 *               A A B B B B ... B         B takes its place once it leads by FORMAT_HABIT_LEAD
 *
 * A majority vote in constant space (Boyer and Moore, MJRTY, 1981) between what is settled and one
 * rival, with a bound between the two as hysteresis: a row of the rival is a step up, one of the
 * settled format two steps down. So a stream of two formats keeps the one it had unless the other
 * has more than two thirds of the rows. Lines that could not be read do not vote.
 *
 * Ingest asks the settled format first; detection keeps the habit in the state of the municipality,
 * from where a feed has it back after a restart. Both count the same rows in the same order.
 *
 * Ownership: plain data; zeroed has settled on nothing.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include <stdint.h>

enum format_habit_limits {
    FORMAT_HABIT_LEAD = 64,
};

struct format_habit {
    uint8_t settled; /* batch.format; 0 = nothing yet */
    uint8_t rival;   /* that may take its place; 0 = none */
    uint16_t lead;   /* of the rival */
};

/* A row of that format was read; 0 < format <= UINT8_MAX, other ids are no votes. */
static inline void format_habit_row(struct format_habit *h, uint32_t format)
{
    if (format == 0 || format > UINT8_MAX)
        return;
    if (format == h->settled) {
        h->lead = h->lead > 2 ? (uint16_t)(h->lead - 2) : 0;
        return;
    }
    if (h->lead == 0)
        h->rival = (uint8_t)format;
    if (format != h->rival) {
        h->lead--;
        return;
    }
    if (++h->lead == FORMAT_HABIT_LEAD)
        *h = (struct format_habit){.settled = h->rival};
}
