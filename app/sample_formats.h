/*
 * app/sample_formats.h - which format a sample is in, how sure that is, and what else it could be.
 *
 * First every line goes to the format whose probe takes it, as with `format: auto`. Then the first
 * lines are read as each format by itself: another one that reads half of them, and half as many
 * fields, is a rival.
 *
 * Ownership: plain data; names are the parsers'.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "app/sample.h"

enum sample_format_limits {
    SAMPLE_FORMATS_MAX = 64,
    SAMPLE_TRIED_LINES = 2000, /* as each format by itself */
    SAMPLE_RIVALS_MAX = 3,
};

/* How sure the format is. */
enum sample_certainty {
    FORMAT_GIVEN,   /* the operator says so */
    FORMAT_SURE,    /* of 20 lines 19 are of it, and nothing else fits */
    FORMAT_LIKELY,  /* most are, or a rival reads more fields */
    FORMAT_MIXED,   /* several formats have a twentieth or more each */
    FORMAT_UNKNOWN, /* no format reads a half of the lines */
};

/* A format and lines. */
struct sample_share {
    const char *name;
    uint16_t format;
    uint64_t rows;   /* that its probe took, or that were tried */
    uint64_t parsed; /* of them */
    uint64_t fields; /* values of dictionary fields in those */
};

struct sample_formats {
    enum sample_certainty certainty;
    uint16_t format; /* to read the sample with; FORMAT_AUTO where it is mixed or unknown */
    const char *name;
    uint64_t rows;                                  /* of the sample */
    struct sample_share shares[SAMPLE_FORMATS_MAX]; /* most rows first; the last may be of none */
    size_t share_count;
    struct sample_share rivals[SAMPLE_RIVALS_MAX]; /* most parsed rows first */
    size_t rival_count;
    uint64_t tried; /* lines that rivals were tried on */
};

int sample_formats_find(struct sample_formats *out, const struct sample *s,
                        const struct sample_reading *how);

/* "given", "sure", "likely", "mixed", "unknown"; static. */
const char *sample_certainty_name(enum sample_certainty certainty);
