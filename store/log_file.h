/*
 * store/log_file.h - one file of the log: its name, its header, its beginning.
 *
 *   DIR/log/0000000000000001.log     frames 1..n
 *   DIR/log/<n + 1 in hex>.log       frames n + 1..     only the newest is appended to
 *
 *   +-------------------------------------------------------+-------+-------+----
 *   | header: place in the chain, checkpoint, its SHA-256   | frame | frame | ...
 *   +-------------------------------------------------------+-------+-------+----
 *
 * A file appears whole with its header (written aside, synced, renamed), so a damaged header is
 * never a torn write.
 *
 * Layer:     base < event < store
 * Ownership: a decoded header borrows the bytes it was read from.
 * Threads:   any; nothing is kept.
 * Failures:  ERR_CORRUPT for bytes that are not a header, ERR_FORMAT for a newer version.
 */
#pragma once

#include "base/arena.h"
#include "base/file.h"
#include "store/log_state.h"

enum log_file_limits {
    LOG_FILE_VERSION = 1,
    LOG_FILE_HEADER_FIXED_BYTES = 88,
    LOG_FILE_HEADER_BYTES_MIN = LOG_FILE_HEADER_FIXED_BYTES + SHA256_BYTES,
    LOG_FILE_HEADER_BYTES_MAX = 32 << 20,
    LOG_FILES_MAX = 1 << 20,
    STORE_ID_BYTES = 16,
};

#define LOG_FILE_MAGIC "SEKILOG1"
static_assert((int)LOG_STATE_BYTES_MAX > (int)LOG_FILE_HEADER_BYTES_MAX,
              "a checkpoint fits its state");

struct log_file_header {
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t first_seq; /* of the first frame in the file, written or yet to come */
    uint64_t epoch;     /* epoch, tick and hash of the frame before it */
    int64_t tick_ns;
    struct sha256 last_hash;
    struct slice checkpoint; /* sections: log_state_decode() */
    uint32_t bytes;          /* of the whole header: the first frame begins here */
};

/* Names of the log's files as numbers, ascending. */
struct log_file_list {
    uint64_t *first_seqs;
    size_t count;
};

/* Where the chain of a store begins: SHA-256 of its id. Returns 0 or ERR_NOMEM. */
int log_file_chain_start(struct sha256 *out, const uint8_t *store_id);

/* Append the header of the file that follows `state`. Returns 0, ERR_NOMEM or ERR_RANGE. */
int log_file_header_encode(struct buf *out, const uint8_t *store_id, const struct log_state *state);
/* Check and read the header that begins `bytes`; ERR_AGAIN when it is longer. *why on failure. */
int log_file_header_decode(struct log_file_header *out, struct slice bytes, const char **why);
/*
 * Read the header of an open file into `keep`, which the header borrows from then on. ERR_CORRUPT
 * also for a file that is shorter than its header.
 */
int log_file_header_read(struct log_file_header *out, struct buf *keep, struct file *f,
                         const char **why);
/* The state that a header's checkpoint describes, initialised here; release it on success only. */
int log_file_state(struct log_state *out, const struct log_file_header *header, const char **why);

/* "log_dir/%016x.log". ERR_RANGE when the path is longer than cap. */
int log_file_path(char *out, size_t cap, const char *log_dir, uint64_t first_seq);
/* The log's files; other names are not counted. ERR_NOTFOUND without the directory. */
int log_file_list(struct log_file_list *out, struct arena *arena, const char *log_dir);
/* The files that are called %016x and these four bytes, such as ".log". */
int log_file_list_named(struct log_file_list *out, struct arena *arena, const char *log_dir,
                        const char *suffix);
/*
 * Make the file that follows `state`, durable with its name, and open it for appending. ERR_BUSY
 * when it exists. ERR_AGAIN when the disk is full and nothing was made. After another error the
 * file may exist: nothing more may be appended to the one before it.
 */
int log_file_create(struct file **out, const char *log_dir, const uint8_t *store_id,
                    const struct log_state *state);
