/*
 * ingest/encoding.h - which encoding the values of a line are in, as their slots' kinds say it.
 *
 *   source's setting   a line with bytes above 7F                       its text values get
 *   utf-8              -                                                nothing: UTF-8
 *   cp932, euc-jp      -                                                that encoding
 *   auto               all of it reads as UTF-8                         nothing
 *                      otherwise what base/charset.h makes of the line  that, but for values in UTF-8
 *
 * The whole line decides, as one value is often too short to tell. A line in ASCII is looked at once
 * and left alone. Values in ASCII of another line are marked, too: so a source has at most two
 * layouts where it had one.
 *
 * Threads:   pure functions.
 * Failures:  none.
 */
#pragma once

#include "event/slot.h"

/* `slots` are of the line. Numbers, times, addresses and percent-encoded values are left alone. */
void encoding_mark(struct slots *slots, struct slice line, enum charset setting);
