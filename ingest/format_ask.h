/*
 * ingest/format_ask.h - private to ingest/: whose line is this? The formats to try, one by one.
 *
 *   struct format_ask ask = {.settled = habit.settled};
 *   while ((p = format_ask_next(&ask, message)) != NULL)
 *       ... until the parser of one reads the line
 *
 * Order: what says more than the settled format (closer.def), the settled one, then all in the order
 * of parsers.def, and the one of last resort where none of them was given; each only if its probe says yes, so at most the first 512 bytes are looked at. The
 * settled format before the others: whoever writes the words of another format into a URL does not
 * make his line one of that format.
 *
 * Ownership: plain data.
 * Threads:   one owner.
 * Failures:  none; NULL at the end, at the latest after FORMAT_ASK_MAX.
 */
#pragma once

#include "ingest/parser.h"

enum format_ask_limits {
    FORMAT_ASK_MAX = 4, /* formats whose parsers try a line: cost stays linear */
};

/*
 * Zeroed but for `settled`, FORMAT_AUTO where the source has no habit, and `structured`: the line
 * from its header's structured data on, if it has any.
 */
struct format_ask {
    struct slice structured; /* what parsers with `in_structured` are asked about */
    uint16_t settled;
    uint8_t closer; /* next row of closer.def; past the end: the settled one was asked, too */
    uint8_t given;
    uint16_t at;        /* next in parsers.def */
    uint64_t was_asked; /* by format id */
};

const struct parser *format_ask_next(struct format_ask *ask, struct slice message);
