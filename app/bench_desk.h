/*
 * app/bench_desk.h - private to bench: lines into a store of its own, by a scripted clock.
 *
 *   line n at n / events_per_second s -> intake -- batch_age --> parcels -- frame_age --> committer
 *
 * The clock of the script decides which rows share a batch and which batches share a frame, so the
 * bytes of the log are those of a collector under that load, however fast the machine is.
 *
 * Ownership: the desk owns a temporary directory, which bench_desk_close() removes.
 * Threads:   one owner; the committer's thread is inside.
 * Failures:  those of intake and committer.
 */
#pragma once

#include "app/bench.h"
#include "app/committer.h"
#include "app/config.h"
#include "app/environment.h"

struct bench_desk;

struct bench_desk_options {
    const struct config *config;           /* networks of the tenants; NULL = defaults */
    const struct environment *environment; /* NULL = nothing is looked up */
    uint32_t events_per_second;            /* 0 = full batches and frames, as replay makes them */
    int64_t batch_age_ns;                  /* 0 = the configuration's */
    int64_t frame_age_ns;
    struct diag *diag;
};

int bench_desk_open(struct bench_desk **out, const struct bench_desk_options *options);
/* Make a directory for a bench's files, NUL-terminated. */
int bench_temp_dir(char *out, size_t cap);

/* NULL is fine. */
void bench_desk_close(struct bench_desk *d);

/* The next line of stream number `index`, which is described by `s` at its first line. */
int bench_desk_line(struct bench_desk *d, size_t index, const struct bench_stream *s,
                    struct slice line);
/* The same at a time of the caller's, which has arrived at once. Without events_per_second. */
int bench_desk_line_at(struct bench_desk *d, size_t index, const struct bench_stream *s,
                       struct slice line, int64_t arrival_ns);
/* Close and commit everything. */
int bench_desk_finish(struct bench_desk *d);

/* After bench_desk_finish(): bytes of the log, its directory, rows with a reason. */
uint64_t bench_desk_log_bytes(const struct bench_desk *d);
const char *bench_desk_dir(const struct bench_desk *d);
/* 16 bytes. */
const uint8_t *bench_desk_store_id(const struct bench_desk *d);
uint64_t bench_desk_unparsed(const struct bench_desk *d);
/* Read the log back and compare it with the lines, all of which went in. 0 or ERR_CORRUPT. */
int bench_desk_prove(const struct bench_desk *d, const struct bench_lines *lines, const char *what);
