/*
 * store/codec.h - batches as bytes, and back. Layout: docs/format.md, chapter "Batches".
 *
 *   pack = [head, filter][head, filter]...[texts of all: zstd][rows of all: zstd]
 *
 *   head    tenant, source, times, lengths: decides whether to look further
 *   filter  addresses and names the batch may hold
 *   texts   shapes, dictionaries, text values, verbatim lines: enough for "does it occur at all?"
 *   rows    one number a row and column
 *
 * Small batches of many sources are packed together: what they have in common, skeletons first of
 * all, is written once.
 *
 * Ownership: a pack that is being made owns its bytes. A view and its heads borrow the blob; a
 *            decoded batch owns all it holds, but for topic, source and format_name, which borrow
 *            the blob too.
 * Threads:   a codec and a pack have one owner; heads may be used by any thread with its own codec.
 * Failures:  ERR_CORRUPT for bytes that cannot be (every one is checked), ERR_NOMEM.
 */
#pragma once

#include "event/columns.h"

enum codec_limits {
    CODEC_VERSION = 1,
    CODEC_BATCHES_MAX = 4096,                 /* of a pack */
    CODEC_PACK_BYTES = 512 * 1024,            /* unpacked; a pack is sealed from here on */
    CODEC_TEXTS_BYTES_MAX = 96 * 1024 * 1024, /* unpacked, of a pack */
    CODEC_ROWS_BYTES_MAX = 32 * 1024 * 1024,
    CODEC_PARTITIONS_MAX = BATCH_LIVE_ROWS_MAX,
};

struct codec;
struct rowgroup_head;

/* zstd level 1..19. NULL on ERR_NOMEM. */
struct codec *codec_new(int zstd_level);
void codec_free(struct codec *c);

/* Batches on their way into one blob; a zeroed struct is an empty pack. */
struct pack {
    struct buf heads;
    struct buf texts;
    struct buf rows;
    uint32_t count;
};

void pack_release(struct pack *p);

/* Unpacked bytes. */
static inline size_t pack_bytes(const struct pack *p)
{
    return p->texts.len + p->rows.len;
}

/* Append a batch with at least one row. 0, or ERR_NOMEM with the pack as before. */
int pack_add(struct codec *c, struct pack *p, const struct batch *b);
/* Could `more` go behind p within the limits of a pack? */
bool pack_fits(const struct pack *p, const struct pack *more);
/* Append all batches of `more`; needs pack_fits(). 0, or ERR_NOMEM with the pack as before. */
int pack_join(struct pack *p, const struct pack *more);
/* Append the blob of a pack with at least one batch and empty the pack. 0 or ERR_NOMEM. */
int pack_seal(struct codec *c, struct pack *p, struct buf *out);

/* Append the blob of a single batch. 0 or ERR_NOMEM. */
int codec_encode(struct codec *c, const struct batch *b, struct buf *out);

/* What can be known of a batch without unpacking it. Slices borrow the blob. */
struct batch_head {
    uint32_t tenant;
    uint16_t format;
    uint16_t zone_minutes; /* biased by 32768 */
    uint32_t generation;
    uint32_t row_count;
    uint64_t raw_bytes; /* of all lines */
    int64_t time_min_ns, time_max_ns;
    int64_t arrival_min_ns, arrival_max_ns;
    uint32_t unparsed_rows; /* rows with a reason */
    struct slice topic, source, format_name;
    struct slice partitions; /* int32 each, ascending */
    struct slice filter;
    struct slice texts, rows;         /* of the whole pack, packed */
    uint32_t texts_total, rows_total; /* unpacked */
    uint32_t texts_at, texts_len;     /* this batch's piece of them */
    uint32_t rows_at, rows_len;
    struct slice written;              /* the head itself, as it stands in its pack */
    uint64_t pack_checksum;            /* tells packs apart */
    const struct rowgroup_head *group; /* of a segment: see store/stored.h; else NULL */
    uint32_t block;                    /* in it */
    bool is_plain; /* texts and rows are this batch's own, unpacked: codec_pieces() */
};

/* A blob being read, batch by batch. */
struct pack_view {
    struct slice heads; /* those not yet taken */
    uint32_t left;
    struct batch_head shared; /* what all heads of the pack have in common; where the next one is */
};

/* Check the checksum and the outline of a blob. */
int pack_open(struct pack_view *out, struct slice blob);
/* The next batch's head: 0, ERR_NOTFOUND after the last one, ERR_CORRUPT. */
int pack_next(struct pack_view *v, struct batch_head *out);
/* The head of the first batch of a blob: the only one of most. */
int codec_head(struct batch_head *out, struct slice blob);

/*
 * Append a stored batch as it is; `head` is one that pack_next() gave. Whether it fits is asked
 * afterwards: a pack is sealed when pack_bytes() has come to CODEC_PACK_BYTES. 0; ERR_CORRUPT,
 * ERR_NOMEM with the pack as before.
 */
int pack_copy(struct codec *c, struct pack *p, const struct batch_head *head);

/* The i-th partition of a head; i < partitions.len / 4. */
int32_t codec_head_partition(const struct batch_head *head, size_t i);

/* False when certainly no row holds the address, or the text in an indexed field. */
bool codec_head_may_hold_ip(const struct batch_head *head, const struct ip *ip);
bool codec_head_may_hold_text(const struct batch_head *head, struct slice text);

/*
 * Append the batch's pieces, unpacked, to `out`: texts_len bytes of texts, rows_len of rows. For who
 * wants the batches of many packs in another order than they stand: a pack is unpacked once while its
 * batches are taken one after the other. ERR_CORRUPT, ERR_NOMEM.
 */
int codec_pieces(struct codec *c, const struct batch_head *head, struct buf *out);
/* The head of a batch whose pieces stand at `pieces`, which is borrowed. */
struct batch_head codec_plain_head(const struct batch_head *head, const char *pieces);

/*
 * Fill a reset batch: first the texts, then, if wanted, the rows. After an error the batch must be
 * reset.
 *
 * Between the two row_count is 0, columns have no rows, and the values of a COLUMN_TEXT stand in its
 * entries, in the order of their rows, one behind the other in the text; so do the entries of a
 * dictionary.
 *
 * `only` names the columns (indexes in the batch) whose rows are wanted; NULL: all. The others
 * have none (`rows` NULL, row_cap 0) and must not be asked for, nor lines rendered; what is no
 * column (times, runs, verdicts) is there in any case.
 */
int codec_texts(struct codec *c, const struct batch_head *head, struct batch *out);
int codec_rows(struct codec *c, const struct batch_head *head, struct batch *out,
               const struct column_mask *only);
