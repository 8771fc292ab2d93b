/*
 * store/log_reader.h - read the frames of a log in order, also while it grows and rolls.
 *
 *   log/0000000000000001.log   [h|f1|f2|f3]           closed: mapped
 *   log/0000000000000004.log   [h|f4|f5|f6| f7...     newest: mapped but for its last frame
 *                                        ^ position (file, offset, next frame, hash before it)
 *
 * The writer syncs a frame before it begins the next one. So every frame but the last in its file
 * is known to be whole and durable; the last one is copied, hashed, and first made durable by this
 * reader's own fdatasync: what a reader shows survives a power loss. The writer may cut the file
 * only within that last frame, so the mapped part never shrinks.
 *
 * Layer:     base < event < store
 * Ownership: a frame's view is valid until the next call on the reader.
 * Threads:   one owner per reader; any number of readers per store, in any process.
 * Failures:  named per function; a reader that failed stays where it was and may be asked again.
 */
#pragma once

#include "base/diag.h"
#include "store/frame.h"
#include "store/log_file.h"

struct log_reader;

struct log_reader_options {
    const char *dir;    /* of the store; borrowed until the reader is open */
    bool verify_hashes; /* hash every frame; else only the last one of each file */
    bool from_newest;   /* begin at the newest file instead of the oldest */
    /*
     * Also read what is left of retired files (remains.h): kept frames, without rows, whose numbers
     * jump. Else the log begins with its oldest file, whatever number that has.
     */
    bool remains;
};

/* A bookmark: the place between two frames. May be kept, by value, over restarts. */
struct log_position {
    uint64_t file_seq; /* number of the file's first frame, which names the file */
    uint64_t offset;   /* of the next frame in it, bytes; in remains: in the unpacked frames */
    uint64_t next_seq;
    struct sha256 prev_hash;
};

/* What stands behind the last whole frame, after ledger_read() said ERR_AGAIN. */
struct log_tail {
    uint64_t bytes;  /* 0: nothing */
    bool ends_early; /* it may be the beginning of one: a torn write */
    const char *why; /* static: why it is no frame (yet) */
};

/*
 * Open the log in opts->dir at its oldest or newest file. Returns 0; ERR_NOTFOUND when there is no
 * log; ERR_CORRUPT, ERR_FORMAT for a file header that is damaged or of a newer program; ERR_IO,
 * ERR_NOMEM, ERR_RANGE. Says why in `diag` (may be NULL).
 */
int log_reader_open(struct log_reader **out, const struct log_reader_options *opts,
                    struct diag *diag);
/* NULL is allowed. */
void log_reader_close(struct log_reader *r);

/*
 * The next frame. Returns 0; ERR_AGAIN at the end of the log (ask again when it has grown;
 * log_reader_tail() tells whether something stands there); ERR_CORRUPT for a damaged or missing
 * piece; ERR_NOTFOUND when the next file was retired meanwhile and remains are not read; ERR_FORMAT for
 * a frame of a newer program; ERR_IO, ERR_NOMEM. Says why in `diag` (may be
 * NULL) with file and offset, but for ERR_AGAIN.
 */
int ledger_read(struct frame_view *out, struct log_reader *r, struct diag *diag);

/* The place of the next frame. */
struct log_position log_reader_position(const struct log_reader *r);
/*
 * Go to a bookmark of this store, or, when its file is retired and remains are read, to the same
 * place in them. Returns 0; ERR_NOTFOUND when its file is gone; ERR_CORRUPT when it points outside the file (the reader then stands at the file's beginning); else as
 * log_reader_open(). Whether a frame stands there and follows the bookmark's hash shows the next
 * ledger_read().
 */
int log_reader_seek(struct log_reader *r, const struct log_position *at, struct diag *diag);

/*
 * Go to the first frame that can be read whose number is not below `seq`; to the oldest where all
 * are. Returns 0; ERR_AGAIN when the log ends before it: the reader then stands at its end; else as
 * ledger_read(), saying why in `diag` (may be NULL).
 */
int log_reader_find(struct log_reader *r, uint64_t seq, struct diag *diag);

struct log_tail log_reader_tail(const struct log_reader *r);
/*
 * The header of the file that the position is in; valid until the next call on the reader. In
 * remains: that of the file they replaced, without its checkpoint.
 */
const struct log_file_header *log_reader_header(const struct log_reader *r);
/* The path of that file; valid likewise. */
const char *log_reader_path(const struct log_reader *r);
