/*
 * app/sample_clock.h - the times of a sample: whether lines say their zone, which zone that probably
 * is where they do not, and how far the device's clock is off.
 *
 *   a line is read in two zones       same time: it says its zone, or its format does
 *   time of the event - relay's time  whole half hours: the device is in another zone than the relay
 *   newest event - reference          the same, and what is left is the clock's
 *
 * Ownership: plain data.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "app/sample.h"

enum sample_clock_limits {
    CLOCK_LINES_MAX = 20000, /* that are looked at */
};

/* What a zone rests on. */
enum zone_basis {
    ZONE_ASSUMED,   /* nothing speaks for or against it */
    ZONE_IN_LINE,   /* the lines say their offset */
    ZONE_RELAY,     /* the relay's header, taken to be in the assumed zone or to say its own */
    ZONE_REFERENCE, /* the newest event lies by the reference */
    ZONE_NO_TIME,   /* lines have no time */
};

struct sample_clock {
    uint64_t rows;
    uint64_t device;   /* rows with a time of the device */
    uint64_t header;   /* rows with the relay's only */
    uint64_t said;     /* rows with a time that say their zone */
    int64_t oldest_ns; /* CLOCK_NONE: no line has a time */
    int64_t newest_ns;
    int64_t reference_ns;
    bool reference_given; /* by the operator; else the file's own time */
    enum zone_basis basis;
    int32_t zone_minutes;
    int64_t offset_ns; /* of the newest event from the reference, in that zone */
    bool is_off;       /* the offset is one of the clock: large, and not just an old file */
};

/* What is known beforehand: the zone in `how`, and the reference. */
int sample_clock_read(struct sample_clock *out, const struct sample *s,
                      const struct sample_reading *how, bool reference_given);

/* "assumed", "line", "relay", "reference", "none"; static. */
const char *zone_basis_name(enum zone_basis basis);
