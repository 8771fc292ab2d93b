/*
 * app/sample.h - the beginning of a log file, line by line: what a municipality hands in first.
 *
 * Files that are no lines of text are refused with what they are and what to do: nothing in them,
 * compressed, UTF-16, a database, something else binary.
 *
 * Ownership: sample_release() frees; lines borrow the bytes.
 * Threads:   one owner.
 * Failures:  ERR_CONF with the reason in the diagnosis, ERR_IO, ERR_NOTFOUND, ERR_NOMEM.
 */
#pragma once

#include "base/buf.h"
#include "base/diag.h"
#include "ingest/ingest.h"

enum sample_limits {
    SAMPLE_BYTES_MAX = 32 << 20,
    SAMPLE_LINES_MAX = 100000,
};

struct sample {
    struct buf bytes;
    struct span *lines; /* with their terminators; empty ones are left out */
    uint64_t *numbers;  /* of each in the file, from 1 */
    size_t count;
    uint64_t empty;      /* lines with nothing in them */
    int64_t modified_ns; /* of the file; of standard input the time it was read */
    bool cut;            /* the file goes on */
};

/* Read a file, NULL or "-" for standard input. What is refused is said in the language. */
int sample_read(struct sample *out, const char *path, bool japanese, struct diag *diag);
/* The same of bytes in memory, which are taken out of `bytes`. ERR_NOMEM. */
int sample_from(struct sample *out, struct buf *bytes);
void sample_release(struct sample *s);

/* A line with its terminator, and without. */
struct slice sample_line(const struct sample *s, size_t at);
struct slice sample_text(const struct sample *s, size_t at);

/* How lines are to be read. */
struct sample_reading {
    struct feed_bench *bench;
    uint16_t format; /* and layout: as of struct feed_options */
    const struct template *layout;
    int32_t zone_minutes;
    uint32_t tenant;
    struct slice source;
    size_t lines_max;     /* of the sample */
    int64_t reference_ns; /* near the first line, for stamps without a year */
    int (*closed)(void *self, struct batch *b);
    void *self;
};

/* Through the parsers into batches; offset i is line i of the sample. */
int sample_feed(const struct sample *s, const struct sample_reading *how);
