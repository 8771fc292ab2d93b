/*
 * app/replay.h - files as the source of the collector's own path, as fast as it goes.
 *
 *   files of a tenant, merged by event time -> intake -> parcels -> committer -> log
 *
 * Topic "file", partition = place in the list, offset = line number from 0. The wall clock is never
 * read: an arrival is the latest event time so far in the tenant's merge.
 *
 * Threads:   one per worker; a tenant's files are read by one of them.
 * Failures:  named with file and remedy in the diagnosis.
 */
#pragma once

#include "app/committer.h"
#include "app/config.h"
#include "app/environment.h"
#include "app/watch.h"

struct replay_file {
    uint32_t tenant;
    const char *path;
    struct config_source source; /* format, zone, networks */
    struct slice source_name;
};

struct replay_options {
    const struct replay_file *files; /* index = partition */
    size_t file_count;
    int64_t reference_ns; /* for stamps without a year in a first line; CLOCK_NONE = not given */
    unsigned workers;
    uint32_t batch_rows;
    size_t open_bytes_max;
    int zstd_level;
    struct watch *watch; /* NULL: nobody watches */
    const struct environment *environment;
};

/* Read every file into the committer's log. Returns 0 or the first error of any worker. */
int replay_run(const struct replay_options *options, struct committer *committer,
               struct diag *diag);
