/*
 * app/bench.h - `sekisho bench`: what is measured, and the rows it is told in.
 *
 *   bench_lines   seeded lines in memory, or those of a file --+
 *   bench_golden  golden lines, format by format --------------+
 *   bench_desk    the lines through intake, by a scripted clock +-> bench_parse, bench_store,
 *                                                                   bench_search, bench_pipeline
 *   each noun:    check the answer, then measure it, then add rows --> bench_report
 *
 * CPU time of the whole process counts, never the wall: others may use the machine meanwhile.
 *
 * Ownership: as each function says.
 * Threads:   the main thread.
 * Failures:  a negative enum err with the reason in the options' diagnosis; ERR_CORRUPT when an
 *            answer is wrong, and then there is no row.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "app/gen.h"
#include "app/intake.h"

enum bench_limits {
    BENCH_REPEAT_MAX = 100,
    BENCH_ROWS_MAX = 128,
    BENCH_NAME_BYTES_MAX = 63,
    BENCH_NOTE_BYTES_MAX = 95,
    BENCH_EVENTS_MAX = 100000000,
    BENCH_HELD_LINES = 200000, /* default of what is held in memory */
};

struct bench_options {
    uint64_t seed;
    uint64_t events; /* 0 = the noun's own number */
    unsigned repeat; /* samples of a row */
    const char *lines;
    const char *golden; /* folder of folders of golden lines, one a format; or NULL */
    const char *format; /* of `lines`; the one of `golden` */
    const char *write;  /* folder for rules, events and hits, or for lines; or NULL */
    struct diag *diag;
};

/* One figure; less is better in every unit. */
struct bench_row {
    char name[BENCH_NAME_BYTES_MAX + 1];
    const char *unit;
    double samples[BENCH_REPEAT_MAX];
    unsigned sample_count;
    uint64_t events;                     /* behind one sample */
    double line_bytes;                   /* mean length of their lines; 0 where it says nothing */
    char note[BENCH_NOTE_BYTES_MAX + 1]; /* for people, or empty */
};

struct bench_report {
    struct bench_row rows[BENCH_ROWS_MAX];
    size_t row_count;
};

#define BENCH_UNIT_CPU     "s/M"     /* CPU seconds per million events */
#define BENCH_UNIT_BYTES   "B/event" /* stored bytes per event */
#define BENCH_UNIT_SEARCH  "ms/M"    /* CPU milliseconds per million events searched */
#define BENCH_UNIT_ENTRY   "B/entry" /* bytes of memory per entry of a list */
#define BENCH_UNIT_GROUP   "B/group" /* bytes of memory per group of a correlation */
#define BENCH_UNIT_SECONDS "s"       /* CPU seconds of one thing done once */
#define BENCH_UNIT_TIMES   "times"   /* one cost by another */

/* A new row without samples, or NULL when the report is full. */
struct bench_row *bench_row_add(struct bench_report *r, const char *unit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void bench_sample(struct bench_row *row, double value);
/* What the process holds of memory now; 0 where it cannot be known. */
uint64_t bench_resident_bytes(void);
/* Middle, least and largest of at least one sample. */
double bench_median(const struct bench_row *row);
double bench_min(const struct bench_row *row);
double bench_max(const struct bench_row *row);
void bench_print_table(FILE *to, const struct bench_report *r, const struct bench_options *o);
void bench_print_json(FILE *to, const struct bench_report *r, const struct bench_options *o);

/* One line in memory and where it comes from. */
struct bench_line {
    uint64_t offset; /* in bench_lines.text */
    uint32_t len;
    uint32_t stream; /* index in bench_lines.streams */
};

struct bench_stream {
    uint32_t tenant;
    char source[TENANT_SOURCE_BYTES_MAX + 1];
    char topic[64];
    uint16_t format;
};

struct bench_lines {
    struct buf text; /* the lines one behind the other, each with a newline */
    struct bench_line *lines;
    size_t count;
    size_t cap;
    struct bench_stream *streams;
    size_t stream_count;
    size_t stream_cap;
};

/* What bench_lines_generate() asks the generator for. */
struct bench_mix {
    const char *formats; /* as in gen --format; NULL = the default mix */
    uint32_t tenants;
    uint64_t events;
};

int bench_lines_generate(struct bench_lines *out, const struct bench_mix *mix,
                         const struct bench_options *o);
/* Read a file of one source. */
int bench_lines_read(struct bench_lines *out, const struct bench_options *o);
/* Begin lines of one source of a format, and add a line of stream 0. Both 0 or ERR_NOMEM. */
int bench_lines_start(struct bench_lines *out, uint16_t format);
int bench_lines_add(struct bench_lines *l, struct slice text, size_t stream);
/* Give every stream a second one, "fw2", with every other of its lines. 0 or ERR_NOMEM. */
int bench_lines_two_sources(struct bench_lines *l);
void bench_lines_release(struct bench_lines *l);
/* Without its newline, padded by what follows in the text. */
struct slice bench_line_text(const struct bench_lines *l, size_t index);
double bench_line_bytes(const struct bench_lines *l);
/* Bytes that zstd makes of the text in blocks of `block` bytes; 0 = one stream. 0 on failure. */
uint64_t bench_zstd(struct slice text, int level, size_t block);
/* Find or add the stream of a generated line; SIZE_MAX on ERR_NOMEM. */
size_t bench_stream_find(struct bench_lines *l, const struct gen_line *line);

/* Measures the golden lines of one format, which are of one stream. */
typedef int bench_golden_measure(struct bench_report *r, const struct bench_options *o,
                                 const struct bench_lines *lines, const char *format);
/*
 * Call it for each format, or that of the options, of which there are lines in o->golden: all of them once, then
 * again from the first on until there are `count`. ERR_CONF when there is none.
 */
int bench_golden_each(struct bench_report *r, const struct bench_options *o, uint64_t count,
                      bench_golden_measure *measure);

/* A record as Kafka would bring the line; what is left out is 0. */
struct record bench_record(struct slice line, int64_t offset, int64_t arrival_ns);
/* The feed of a stream without networks. */
struct feed_options bench_feed(const struct bench_stream *s);

/*
 * Order and bytes of what goes in and what comes out: a sum of keyed hashes, so that the rows of
 * many streams may come in any order among each other.
 */
struct bench_proof {
    uint64_t rows;
    uint64_t unparsed;
    uint64_t sum;
    struct buf text; /* scratch */
};

void bench_prove_line(struct bench_proof *p, uint32_t tenant, int64_t offset, struct slice line);
/* Every row of a batch, rendered. 0 or ERR_NOMEM. */
int bench_prove_batch(struct bench_proof *p, const struct batch *b);
/* 0, or ERR_CORRUPT with the difference in the diagnosis. */
int bench_prove_equal(const struct bench_proof *in, const struct bench_proof *out, const char *what,
                      struct diag *diag);

/* The nouns. */
int bench_parse(struct bench_report *r, const struct bench_options *o);
/* Mutated golden lines, each by what the format's median line costs. */
int bench_mutate(struct bench_report *r, const struct bench_options *o);
int bench_store(struct bench_report *r, const struct bench_options *o);
int bench_search(struct bench_report *r, const struct bench_options *o);
/* The part of bench_search() on the long-term store, and that of bench_store(). */
int bench_segments(struct bench_report *r, const struct bench_options *o);
int bench_segment_sizes(struct bench_report *r, const struct bench_options *o);
int bench_pipeline(struct bench_report *r, const struct bench_options *o);
int bench_indicators(struct bench_report *r, const struct bench_options *o);
int bench_rules(struct bench_report *r, const struct bench_options *o);
/* The part of bench_rules() that needs no lines. */
int bench_correlations(struct bench_report *r, const struct bench_options *o);

/*
 * Print the ratio of each row of B to the same row of A. *worse = a row is worse by more than
 * `percent`. ERR_CONF for files that are no reports.
 */
int bench_compare(const char *a, const char *b, double percent, bool *worse, struct diag *diag);
