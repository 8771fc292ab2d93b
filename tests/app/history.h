/*
 * tests/app/history.h - a store of random batches of several municipalities, and every row that is in it as a list.
 *
 *   municipality   topics   partitions   formats
 *   first          2        3            2        rows of other hours are late ones: a Kafka record's
 *   others         2        3            2        time is its sender's
 *
 *   frames: one municipality alone, several in one pack, several with a pack each
 *
 * Ownership: history_open() fills a zeroed struct, history_close() removes store and memory.
 * Threads:   one owner.
 */
#pragma once

#include "event/builder.h"
#include "tests/store/log_dir.h"
#include "tests/support/lines.h"

enum {
    HISTORY_TENANTS = 4,
    HISTORY_TOPICS = 2, /* of a municipality */
    HISTORY_PARTITIONS = 3,
    HISTORY_OTHERS_MAX = 3, /* runs of offsets without rows, of a partition in a frame */
    HISTORY_FORMATS = 2,
    HISTORY_BATCHES_MAX = 8000,
    HISTORY_ROWS_MAX = 120000,
    HISTORY_OPEN_MAX = HISTORY_TENANTS * HISTORY_TOPICS * HISTORY_FORMATS,
};

#define HISTORY_TIME_NS INT64_C(1763000000000000000)
#define HISTORY_HOUR_NS INT64_C(3600000000000)

struct history_row {
    struct slice topic;
    uint32_t tenant;
    int32_t partition;
    int64_t offset;
    uint32_t sub;
    const struct batch *batch; /* live, as built */
    uint32_t row;
    uint64_t leaf; /* number in the municipality's history */
    uint64_t seq;  /* of the frame */
};

struct history_topic {
    struct slice name;
    uint32_t tenant;
    int64_t next[HISTORY_PARTITIONS];
    struct batch *open[HISTORY_FORMATS]; /* of the frame at hand */
};

/* How the rows are. */
struct history_shape {
    uint32_t records_max; /* of a topic and frame */
    uint32_t late_share;  /* of 100 records so many are of an hour before */
    int64_t late_hours;   /* up to so many before */
    uint32_t hour_step;   /* hours from one frame to the next, at most */
    size_t tenants;       /* that have rows; 0: all */
    uint32_t other_share; /* of 100 partitions in a frame so many also have offsets without rows */
    uint32_t
        hole_share; /* of 1000 partitions in a frame so many claim a record that is not there */
    uint16_t formats[HISTORY_FORMATS]; /* 0: 1 and 2 */
    uint64_t log_file_bytes;           /* 0: 1 MiB */
};

struct history {
    struct log_dir dir;
    struct lines lines;
    struct history_shape shape;
    struct history_topic topics[HISTORY_TENANTS * HISTORY_TOPICS];
    struct batch *batches[HISTORY_BATCHES_MAX];
    size_t batch_count;
    struct history_row *rows; /* after history_grow(): by topic, partition, offset, sub */
    size_t row_count;
    uint64_t leaf_counts[HISTORY_TENANTS];
    uint64_t kinds[FRAME_RANGE_KIND_COUNT]; /* offsets of each; DATA: those that are not there */
    int64_t hour;                           /* of the newest frame */
    struct codec *codec;
    struct store *store;
};

static const uint32_t HISTORY_CODES[HISTORY_TENANTS] = {52027, 131016, 272272, 990001};

static inline size_t history_tenant(uint32_t code)
{
    size_t i = 0;
    while (i < HISTORY_TENANTS && HISTORY_CODES[i] != code)
        i++;
    assert_true(i < HISTORY_TENANTS);
    return i;
}

/* By topic, partition, offset, sub. */
int history_row_compare(const void *left, const void *right);
/* An empty store in a folder of its own, or in the one that h->dir names. */
void history_open(struct history *h, uint64_t seed, const struct history_shape *shape);
void history_begin(struct history *h, uint64_t seed, const struct history_shape *shape);
/* Append frames; rows are sorted afterwards. */
void history_grow(struct history *h, int frames);
void history_end(struct history *h);
/* The same, and the folder goes. */
void history_close(struct history *h);
