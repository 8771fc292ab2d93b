/*
 * app/scan.h - a query over the whole log: which batches hold hits, and the hits in order.
 *
 *   scan_run()    threads take batches from the index; each hit is counted and, by wish, kept as
 *                   SCAN_ORDER   one stretch per batch and partition: where its hits begin
 *                   SCAN_NEWEST  the N newest rows
 *                   SCAN_FEED    nothing: each batch's hits go to the feed
 *   scan_walk()   stretches sorted by (topic, partition, offset, sub) and merged; a batch is
 *                 decoded when its turn comes and asked again which rows hit
 *
 * So memory does not grow with hits: 48 bytes a stretch (10 M hits in batches of 64 rows: 7.5 MB),
 * 16 bytes a newest row, a decoded batch per thread and per open stretch, and what the walk has
 * unpacked ahead (app/scan_window.h). A batch with hits is decoded once more per partition in the
 * walk.
 *
 * Ownership: the scan borrows index, query and diagnosis for its life.
 * Threads:   scan_run() makes its own and ends them; everything else has one owner.
 * Failures:  a damaged blob is named, counted and left out: scan_missing() tells that the answer
 *            is incomplete. ERR_NOMEM ends the scan. With fewer threads than wished it only takes
 *            longer.
 */
#pragma once

#include "app/log_index.h"
#include "app/scan_stop.h"
#include "app/sieve.h"

struct scan;

enum scan_limits {
    SCAN_NEWEST_MAX = 100000,
    SCAN_OPEN_BYTES_MAX = 128 << 20, /* of batches that the walk has decoded; one always is */
};

enum scan_keep {
    SCAN_COUNT,
    SCAN_ORDER,
    SCAN_NEWEST,
    SCAN_FEED,
};

/*
 * Who takes hits as they are found. `worker` is below the number of threads, and each has one
 * thread. rows() returns 0, 1 to end the scan early (scan_stopped() tells), or an error that ends
 * it. Where count() is set, it is called instead, with the number of hits alone: a batch whose head
 * tells it is not unpacked.
 */
struct scan_feed {
    void *self;
    void (*columns)(void *self, const struct batch *b, struct column_mask *out);
    int (*rows)(void *self, unsigned worker, const struct sieve *s);
    int (*count)(void *self, unsigned worker, const struct batch_head *head, uint64_t hits);
    bool is_narrow; /* columns() looks at no texts, and names the parts that it wants */
    bool
        counts; /* rows() takes rows that stand for several, of these places of a census (app/sieve.h) */
    uint64_t places;
};

struct scan_options {
    enum scan_keep keep;
    size_t newest;          /* rows kept by SCAN_NEWEST, 1..SCAN_NEWEST_MAX */
    unsigned threads;       /* 1.. */
    struct scan_feed feed;  /* SCAN_FEED */
    struct scan_stop *stop; /* asked between blobs; NULL: never. Borrowed */
    size_t open_bytes_max;  /* 0: SCAN_OPEN_BYTES_MAX */
};

/* A hit, valid during the visit. */
struct scan_row {
    const struct batch *batch;
    uint64_t decoding; /* changes when *batch does, also at the same address */
    uint32_t row;
    int32_t partition;
    int64_t offset;
    uint32_t sub;
    size_t rank; /* place in the order of the walk, from 0; see scan_newest() */
};

/* Returns 0 to go on, 1 when it has enough, or an error that ends the walk. */
typedef int scan_visit(void *self, const struct scan_row *row);

/*
 * An index for scans by this query: of segments only those that it can concern. What a municipality's
 * query leaves out are the files of the others, none of which is opened.
 */
int scan_index_open(struct log_index **out, const char *dir, const struct sieve_query *query,
                    struct diag *diag);

/* Names of damaged blobs go to `diag`, in the log's order. */
int scan_run(struct scan **out, const struct log_index *index, const struct sieve_query *query,
             const struct scan_options *options, struct diag *diag);
/* NULL is allowed. */
void scan_free(struct scan *s);

struct sieve_counters scan_counters(const struct scan *s);
/* Blobs that could not be answered, and damage that the index found. 0: the answer is whole. */
uint64_t scan_missing(const struct scan *s);
/* Whether it was ended before it had seen every blob. */
bool scan_stopped(const struct scan *s);

/*
 * Visit every hit in the order of (topic, partition, offset, sub). After SCAN_ORDER. Returns 0,
 * what visit() returned if negative, or ERR_NOMEM. However many batches overlap in offsets; past
 * SCAN_OPEN_BYTES_MAX some are decoded more than once.
 */
int scan_walk(struct scan *s, scan_visit *visit, void *self);

/*
 * Visit the newest rows. After SCAN_NEWEST. They come batch by batch; rank 0 is the newest, rows of
 * one time are ranked by their place in the log, the later one first.
 */
int scan_newest(struct scan *s, scan_visit *visit, void *self);
