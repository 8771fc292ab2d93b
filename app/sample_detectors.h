/*
 * app/sample_detectors.h - which detectors can work on a sample, and what the others lack.
 *
 * A detector works when each of its needs is met by one of a few fields; without a field that it
 * merely profits from, it sees less.
 *
 * Ownership: static tables.
 * Threads:   immutable.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum sample_detector_limits {
    NEED_ALTERNATIVES_MAX = 4,
};

enum detector_state {
    DETECTOR_WORKS,
    DETECTOR_WEAKER, /* it works, but sees less */
    DETECTOR_BLIND,
};

/* One of these fields. */
struct detector_need {
    const char *detector; /* its id */
    uint16_t fields[NEED_ALTERNATIVES_MAX];
    const char *weaker_english; /* what is not seen without it; NULL: nothing works without it */
    const char *weaker_japanese;
};

/* What lines of the sample have. */
struct detector_facts {
    const uint64_t *values; /* rows by field id below FIELD_LOCAL_FIRST */
    uint64_t verdicts;      /* rows with a verdict */
    uint64_t refused;       /* rows of something refused */
};

struct sample_detector {
    const char *id;
    const char *english; /* what it watches */
    const char *japanese;
};

/* Those that look at lines of a source, in the order of docs/detection.md; NULL past the last. */
const struct sample_detector *sample_detector_at(unsigned index);
enum detector_state sample_detector_state(const char *id, const struct detector_facts *facts);
/* The needs of a detector that are not met, one by one: *at starts at 0; NULL at the end. */
const struct detector_need *sample_detector_lacks(const char *id,
                                                  const struct detector_facts *facts, size_t *at);
/* Append "source.bytes or http.request.bytes". */
void detector_need_print(struct buf *out, const struct detector_need *need, bool japanese);

/* "works", "weaker", "blind"; static. */
const char *detector_state_name(enum detector_state state);
