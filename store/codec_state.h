/* store/codec_state.h - private to store/: what a codec keeps between batches. */
#pragma once

#include <zstd.h>

#include "store/codec.h"
#include "store/filter.h"

enum codec_blob {
    CODEC_MAGIC = 0x31504b53,        /* "SKP1" in bytes */
    CODEC_CACHE_BYTES_MAX = 8 << 20, /* a larger part is unpacked each time */
};

/* Packed into one byte of a column's description. */
enum codec_column {
    CODEC_STORAGE_MASK = 0x07,
    CODEC_TYPE_SHIFT = 3,
    CODEC_TYPE_MASK = 0x07,
    CODEC_DERIVED = 0x40,
};

enum codec_extra {
    CODEC_EXTRA_NULL = 1,
    CODEC_EXTRA_KEY = 2,
};

enum codec_ip_mode {
    CODEC_IP_PLAIN = 0,
    CODEC_IP_DICTIONARY = 1,
};

enum codec_time_mode {
    CODEC_TIME_NUMBERS = 0,
    CODEC_TIME_EPOCH = 1, /* the epoch column's value in every row */
};

struct codec {
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
    int level;
    struct buf meta;  /* descriptions of a batch's texts */
    struct buf text;  /* their bytes */
    struct buf plain; /* a batch's rows, or its texts, unpacked */
    /* The parts that were unpacked last: the next batch of the same pack needs them again. */
    struct buf texts_cache, rows_cache;
    uint64_t texts_cached, rows_cached; /* checksum of their pack; 0 = none */
    struct batch desk;                  /* its arena holds what one batch's encoding needs */
    struct pack single;                 /* of codec_encode() */
    struct buf scratch;                 /* short-lived text */
    struct filter_keys keys;
    int64_t numbers[BATCH_LIVE_ROWS_MAX];
    uint64_t packed[BATCH_LIVE_ROWS_MAX];
    uint16_t codes[BATCH_LIVE_ROWS_MAX];
    uint16_t rows[BATCH_LIVE_ROWS_MAX];
    uint16_t column_id[BATCH_COLUMNS_MAX];   /* column -> its place among those written */
    uint16_t table[4 * BATCH_LIVE_ROWS_MAX]; /* distinct addresses */
};
