/*
 * store/remains.h - what stays of a log file whose rows are in segments.
 *
 *   +--------------------------------+----------+--------+--------------------------+---------+
 *   | header: place in the chain,    | hashes   | ranges | frames with alerts,      | SHA-256 |
 *   | first and last frame, its hash | of all   | of all | controls or environment, | of all  |
 *   | 184                            | frames   | frames | in packed blocks         | 32      |
 *   +--------------------------------+----------+--------+--------------------------+---------+
 *
 * DIR/log/%016x.rem has the number of the log file that it replaces, and means nothing as long as
 * that file is there. Remains come before all log files and follow each other without a gap from
 * frame 1 on. docs/format.md, "Remains", has the byte tables and is authoritative.
 *
 * A kept frame is a frame without the sections that only rows need. Its view says so (`remains`).
 *
 * Layer:     base < event < store
 * Ownership: remains_open() gives a handle that remains_close() takes back. A view and ranges are
 *            valid until the next call on the handle.
 * Threads:   one owner per handle; a file never changes once it has its name.
 * Failures:  ERR_CORRUPT for bytes that are not what was written, ERR_FORMAT for a newer program's;
 *            a static text in *why.
 */
#pragma once

#include "base/diag.h"
#include "store/frame.h"
#include "store/log_file.h"

enum remains_limits {
    REMAINS_VERSION = 1,
    REMAINS_HEADER_FIXED_BYTES = 152,
    REMAINS_HEADER_BYTES = REMAINS_HEADER_FIXED_BYTES + SHA256_BYTES,
    REMAINS_BYTES_MIN = REMAINS_HEADER_BYTES + SHA256_BYTES,
    REMAINS_RANGES_BYTES_MAX = 256 << 20, /* unpacked */
    REMAINS_BLOCK_BYTES = 256 << 10,      /* unpacked, but for a single frame that is larger */
    REMAINS_FRAME_HEADER_BYTES = 36,
    REMAINS_BLOCK_BYTES_MAX = FRAME_BYTES_MAX + REMAINS_BLOCK_BYTES,
};

#define REMAINS_MAGIC "SEKIREM1"

/* Sections; append-only, "required" as in frames. */
#define REMAINS_SECTION_HASHES (FRAME_SECTION_REQUIRED | 1)
#define REMAINS_SECTION_RANGES (FRAME_SECTION_REQUIRED | 2)
#define REMAINS_SECTION_FRAMES (FRAME_SECTION_REQUIRED | 3)

struct remains_head {
    uint8_t store_id[STORE_ID_BYTES];
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t
        prev_epoch; /* epoch, tick and hash of the frame before, as the log file's header said */
    int64_t prev_tick_ns;
    struct sha256 prev_hash;
    uint64_t epoch; /* of the last frame */
    int64_t tick_ns;
    struct sha256 last_hash;
    uint64_t body_bytes; /* of the sections */
};

/* All that was consumed of a partition; the ranges join from `start` to `end`. */
struct remains_partition {
    struct slice topic;
    int32_t partition;
    int64_t start;
    int64_t end;
    uint32_t range_count;
    struct slice rest; /* for remains_next_range() */
    int64_t at;
};

struct remains;

/* "log_dir/%016x.rem". ERR_RANGE when the path is longer than cap. */
int remains_path(char *out, size_t cap, const char *log_dir, uint64_t first_seq);
/* The remains, ascending, also those whose log file is there. As log_file_list(). */
int remains_list(struct log_file_list *out, struct arena *arena, const char *log_dir);

/* Read and check an open file's header, and that the file has the length that it says. */
int remains_head_read(struct remains_head *out, struct file *f, const char **why);
/* Whether `next` begins where `head` ends: NULL, or why not (static). */
const char *remains_misjoined(const struct remains_head *head, const struct log_file_header *next);
/*
 * Whether the files before the log's first one, `first`, are accounted for by remains: there are some
 * of frame 1, and the last of them ends where `first` begins. What lies between is checked by whoever
 * reads it.
 */
int remains_explain(bool *out, const char *log_dir, const struct log_file_header *first);

/*
 * Open remains. With verify every byte is hashed; else blocks are checked as they are read. Returns
 * 0; ERR_NOTFOUND; ERR_CORRUPT, ERR_FORMAT; ERR_IO, ERR_NOMEM, ERR_RANGE.
 */
int remains_open(struct remains **out, const char *log_dir, uint64_t first_seq, bool verify,
                 const char **why);
/* The same of bytes that the caller keeps as long as the handle. */
int remains_of(struct remains **out, struct slice bytes, bool verify, const char **why);
/* NULL is allowed. */
void remains_close(struct remains *r);
const char *remains_name(const struct remains *r); /* its path; as long as the handle */
const struct remains_head *remains_head(const struct remains *r);

/* The hash of one of its frames, first_seq..last_seq. */
struct sha256 remains_hash(const struct remains *r, uint64_t seq);
/* The next kept frame; ERR_AGAIN behind the last. */
int remains_next(struct frame_view *out, struct remains *r, const char **why);
/* Go to where the first kept frame stands whose number is not below `seq`. */
int remains_seek(struct remains *r, uint64_t seq, const char **why);
/* Of the next kept frame, in the unpacked frames. */
uint64_t remains_offset(const struct remains *r);

/* Unpack the ranges and check them; *count partitions then come from remains_next_partition(). */
int remains_ranges(uint32_t *count, struct remains *r, const char **why);
bool remains_next_partition(struct remains_partition *out, struct remains *r);
bool remains_next_range(struct frame_range *out, struct remains_partition *p);
/*
 * What the frames add up to: ends and place; the caller puts the kept frames' environments in force.
 * ERR_CORRUPT when they do not follow `s`, which is then as before.
 */
int remains_apply(struct log_state *s, struct remains *r, const char **why);

/*
 * Make the remains of a closed log file, durable: its whole content is read and checked, and that the
 * file behind it follows. Neither file is changed. From any thread, one at a time; what is there under
 * the name is replaced. Returns 0; ERR_AGAIN for a full disk; ERR_CORRUPT, ERR_FORMAT for a damaged
 * file; ERR_NOTFOUND; ERR_IO, ERR_NOMEM, ERR_RANGE. Says why in `diag`, with the path.
 */
int remains_make(const char *log_dir, uint64_t first_seq, struct diag *diag);
