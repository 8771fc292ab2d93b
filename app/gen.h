/*
 * app/gen.h - seeded traffic of an invented prefecture, as lines in the order of time.
 *
 *   people, machines, noise -> gen_session --+
 *   planted cases           -> gen_inject  --+-> gen_traffic -> one writer per format -> gen_next()
 *
 * The same options give the same bytes on every machine. Nothing is read: no file, no clock, no
 * random device. Memory grows with the PCs (about 100 B each) and the lines that are pending (about
 * 100 B each), not with the length of the run.
 *
 * Ownership: a struct gen owns all it returns pointers to.
 * Threads:   one owner.
 * Failures:  ERR_CONF with a diagnosis for options; ERR_NOMEM; of the writing functions ERR_IO, and
 *            ERR_BUSY when a file is already there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/gen_case.h"
#include "app/gen_options.h"
#include "app/gen_world.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

struct gen;

struct gen_line {
    struct slice line;  /* without newline; borrowed until the next call */
    int64_t time_ns;    /* of the event; never less than that of the line before */
    uint32_t tenant;    /* code of six digits */
    const char *source; /* "fw1" */
    const char *format; /* "fortigate" */
    uint32_t tenant_index;
    uint32_t source_index; /* of the tenant */
    int32_t planted;       /* case, or -1 */
};

/* What came out of a planted case so far. */
struct gen_label {
    const char *name;  /* "scan" */
    const char *kind;  /* detector that must, or must not, speak up */
    bool expect_alert; /* false: a look-alike */
    uint32_t number;
    uint32_t tenant;  /* code */
    int64_t first_ns; /* of its lines; of a silence: where it begins and ends */
    int64_t last_ns;
    uint64_t lines;
    bool complete; /* nothing of it is left to come */
    const struct gen_key *keys;
    uint32_t key_count;
};

int gen_open(struct gen **out, const struct gen_options *options, struct diag *diag);
/* NULL is allowed. */
void gen_close(struct gen *g);

/* Every time that comes out from now on is so much later, at least 0. */
void gen_postpone(struct gen *g, int64_t by_ns);

/* The next line. ERR_NOTFOUND at the end of the run. */
int gen_next(struct gen *g, struct gen_line *out);
/* Event time (shifted) up to which everything has been said; at first the run's beginning. */
int64_t gen_time(const struct gen *g);

uint32_t gen_tenant_count(const struct gen *g);
/* Largest municipality first. */
const struct gen_tenant *gen_tenant(const struct gen *g, uint32_t index);

uint32_t gen_label_count(const struct gen *g);
void gen_label(struct gen_label *out, const struct gen *g, uint32_t index);

/* Append the labels of the cases that came out whole, one JSON object a line, by first line. */
void gen_print_labels(struct buf *out, const struct gen *g);
/* Append `mmdb` and `tenants` of a configuration, files relative to its folder. */
void gen_print_config(struct buf *out, const struct gen *g);
/* Append a list of indicators: those planted among others that never occur. */
void gen_print_list(struct buf *out, const struct gen *g, enum gen_indicator type);

/* Write config.yaml, the lists and both databases into a folder, which is made. */
int gen_write_support(const struct gen *g, const char *dir, struct diag *diag);
/*
 * Run to the end and write everything: the above, <code6>/<source>.log, manifest.yaml and
 * labels.ndjson. `lines` counts, when it is not NULL.
 */
int gen_write_dir(struct gen *g, const char *dir, uint64_t *lines, struct diag *diag);
