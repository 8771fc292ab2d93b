/*
 * store/ledger.h - the one writer of a log: append a frame, make it durable, roll.
 *
 *   append:  check offsets -> encode -> room? -> roll? -> write -> fdatasync -> state
 *
 * With ledger_read() (store/log_reader.h) this is all that the rest knows of where the log is kept,
 * so that another back-end can take its place.
 *
 * Layer:     base < event < store
 * Ownership: ledger_open() gives a handle that ledger_close() takes back. The lock that keeps
 *            other writers away is the store's.
 * Threads:   one owner.
 * Failures:  ledger_append() says which failures end the ledger's life.
 */
#pragma once

#include "base/diag.h"
#include "store/frame.h"
#include "store/log_file.h"
#include "store/log_reader.h"
#include "store/retire.h"

struct ledger;

enum ledger_limits {
    LEDGER_SPACE_RESERVE_BYTES = 1 << 20, /* left free on the disk by every append */
    LEDGER_BUFFER_BYTES_KEPT = 16 << 20,  /* a larger encoding buffer is given back */
    LEDGER_FILE_BYTES_MIN = 4096,
    LEDGER_FILE_BYTES_DEFAULT = 256 << 20,
};

struct ledger_options {
    const char *dir; /* of the store; DIR/log exists; borrowed until ledger_open() returns */
    uint64_t file_bytes_max; /* 0: LEDGER_FILE_BYTES_DEFAULT; a file with one frame may be larger */
    uint64_t bytes_max;      /* of all files; 0: no limit */
    const uint8_t *store_id; /* for a new log: STORE_ID_BYTES bytes; NULL: random */
    bool read_only;          /* look only: make and cut nothing; appends give ERR_IO */
};

/* What opening found and did; docs/format.md, "Recovery". */
struct ledger_recovery {
    uint64_t files;
    uint64_t remains;     /* of files that are retired */
    uint64_t frames_read; /* of the newest file, all verified */
    uint64_t cut_offset;  /* where the newest file was cut (or would be, when read only) */
    uint64_t cut_bytes;   /* 0: nothing torn */
    const char *cut_why;  /* static; NULL: nothing torn */
};

/*
 * Open the log, or make it when there is none: check every file's header and the chain between the
 * files, read the newest file whole, cut a torn tail, sync it. Returns 0; ERR_CORRUPT for damage that is no
 * torn tail (nothing is changed); ERR_FORMAT for files of a newer program; ERR_NOTFOUND for no log
 * when read only; ERR_AGAIN when the disk is too full to make one; ERR_IO, ERR_NOMEM, ERR_RANGE.
 * Says why in `diag`, with file, offset and remedy.
 */
int ledger_open(struct ledger **out, const struct ledger_options *opts, struct diag *diag);
/* NULL is allowed. Syncs nothing: what was found or appended is durable already. */
void ledger_close(struct ledger *l);

/*
 * Append one frame and make it survive a power loss: one write, one fdatasync.
 *
 *   0          durable; ends and the other state count it
 *   ERR_RANGE  an entry does not begin at its partition's end, the tick goes back, or a limit of
 *              frame.h is passed: nothing happened
 *   ERR_AGAIN  no room on the disk or within bytes_max: nothing happened; try again later
 *   ERR_NOMEM  nothing happened; try again later
 *   ERR_IO     the disk failed: the frame may or may not be there after a restart, and every later
 *              append gives ERR_IO. Stop; a restart reads from Kafka at the last effective end.
 */
int ledger_append(struct ledger *l, const struct frame_parts *parts);

/* As retire_files(); ERR_IO when read only, or after a final failure. */
int ledger_retire(struct ledger *l, uint64_t through_seq, struct retire_report *out,
                  struct diag *diag);

/* The log up to its last durable frame; valid until the next append. */
const struct log_state *ledger_state(const struct ledger *l);
const struct ledger_recovery *ledger_recovery(const struct ledger *l);
const uint8_t *ledger_store_id(const struct ledger *l);
/* Where the next frame will stand. */
struct log_position ledger_position(const struct ledger *l);
/* Bytes of all files of the log and of the remains that took the place of some. */
uint64_t ledger_bytes(const struct ledger *l);
