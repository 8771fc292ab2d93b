/*
 * store/codec.h - a batch as bytes, and back. Layout: docs/format.md, chapter "Batch".
 *
 *   [head: plain][filter: plain][texts: zstd][rows: zstd]
 *
 *   head    tenant, source, times, lengths, checksum: decides whether to look further
 *   filter  addresses and names the batch may hold
 *   texts   shapes, dictionaries, text values, verbatim lines: enough for "does it occur at all?"
 *   rows    one number a row and column
 *
 * Ownership: a head borrows the blob; a decoded batch owns all it holds.
 * Threads:   a codec has one owner.
 * Failures:  ERR_CORRUPT for bytes that cannot be (every one is checked), ERR_NOMEM.
 */
#pragma once

#include "event/batch.h"

enum codec_limits {
    CODEC_VERSION = 1,
    CODEC_HEAD_BYTES = 96,                    /* fixed part */
    CODEC_TEXTS_BYTES_MAX = 96 * 1024 * 1024, /* unpacked */
    CODEC_ROWS_BYTES_MAX = 32 * 1024 * 1024,
    CODEC_PARTITIONS_MAX = BATCH_ROWS_MAX,
};

struct codec;

/* zstd level 1..19. NULL on ERR_NOMEM. */
struct codec *codec_new(int zstd_level);
void codec_free(struct codec *c);

/* Append the blob of a batch with at least one row. 0 or ERR_NOMEM. */
int codec_encode(struct codec *c, const struct batch *b, struct buf *out);

/* What can be known of a blob without unpacking it. Slices borrow the blob. */
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
    struct slice texts, rows;     /* packed */
    uint32_t texts_len, rows_len; /* unpacked */
};

/* Check the checksum and read the head. */
int codec_head(struct batch_head *out, struct slice blob);

/* The i-th partition of a head; i < partitions.len / 4. */
int32_t codec_head_partition(const struct batch_head *head, size_t i);

/* False when certainly no row holds the address, or the text in an indexed field. */
bool codec_head_may_hold_ip(const struct batch_head *head, const struct ip *ip);
bool codec_head_may_hold_text(const struct batch_head *head, struct slice text);

/*
 * Fill a reset batch: first the texts (columns exist, rows are absent), then, if wanted, the rows.
 * After an error the batch must be reset.
 */
int codec_texts(struct codec *c, const struct batch_head *head, struct batch *out);
int codec_rows(struct codec *c, const struct batch_head *head, struct batch *out);
