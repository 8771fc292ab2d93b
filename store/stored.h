/*
 * store/stored.h - batches of either level of the store, read the same way.
 *
 *   of the log        a pack of batches         store/codec.h
 *   of the long term  a group of blocks         store/rowgroup_view.h
 *
 *   stored_open(), then for each batch stored_next(): its head
 *   stored_begin()  what columns there are   stored_texts()  "does it occur?"   stored_rows()  rows
 *
 * Ownership: a reader borrows the blob; heads borrow it too. The batch owns what is in it, but for
 *            topic, source and format name.
 * Threads:   one owner, who fills one batch.
 * Failures:  ERR_CORRUPT, ERR_NOMEM. After either the reader wants another blob, but for ERR_CORRUPT
 *            within a group: stored_next() gives the block behind the damaged one.
 */
#pragma once

#include "store/codec.h"
#include "store/rowgroup_view.h"

/* A pack, or where `group` is set a group, of a segment that stays open. */
struct stored_blob {
    struct slice pack;
    const struct rowgroup_head *group;
};

struct stored_reader;

struct stored_reader *stored_reader_new(void);
/* NULL is allowed. */
void stored_reader_free(struct stored_reader *r);

/* Begin with a blob. *bytes: of it, that were looked at. */
int stored_open(struct stored_reader *r, struct stored_blob blob, uint64_t *bytes);
/*
 * The next batch's head; ERR_NOTFOUND after the last one. That of a block has no filter as yet, so
 * that who does not ask it does not pay for its checksum.
 */
int stored_next(struct stored_reader *r, struct batch_head *out);
/* Give the head its filter, valid until the next one. */
int stored_filter(struct stored_reader *r, struct batch_head *head);
/* The filter of runs of the group that it is a block of (event/grams.h), into *out; empty without one,
 * valid until the next one. */
int stored_grams(struct stored_reader *r, const struct batch_head *head, struct slice *out);

/* What the columns of a batch are; it has no rows yet. Any head will do, also one of another blob. */
int stored_begin(struct stored_reader *r, const struct batch_head *head, struct batch *out);
/*
 * Its dictionaries and texts, for pred_possible(); NULL: of all columns. *whole: nothing is missing,
 * so what does not occur there occurs in no row.
 */
int stored_texts(struct stored_reader *r, const struct batch_head *head,
                 const struct column_mask *only, struct batch *out, bool *whole);
/* Its rows; NULL: everything. */
int stored_rows(struct stored_reader *r, const struct batch_head *head,
                const struct column_mask *only, struct batch *out);

/* All of these in one: the whole batch. */
int stored_batch(struct stored_reader *r, const struct batch_head *head, struct batch *out);
