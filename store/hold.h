/*
 * store/hold.h - legal hold: what must not be deleted until somebody says so, whatever its age.
 *
 *   DIR/holds        records one behind the other; each ends with the hash of all bytes before that line
 *   DIR/holds.lock   held exclusively by who changes the holds, and by who deletes while it does
 *
 *   sekisho hold v1
 *   number 1
 *   time 2026-11-22T09:00:00Z
 *   add                                       or: release 1
 *   tenant 052027
 *   class all                                 or one class
 *   since 2026-10-01T00:00:00Z                or: since -
 *   until -
 *   by Sato Hanako
 *   reason request of the police of 2026-11-20
 *   hash <hash>
 *
 * Nothing is taken out: a release is a record. The file is replaced as a whole, so it is never torn:
 * what is wrong with it is damage, and whoever deletes must not.
 *
 * Layer:     base < event < store
 * Ownership: holds_read() fills a zeroed struct that holds_release() empties; texts are in its arena.
 * Threads:   values; holds_lock() works between threads and processes.
 * Failures:  ERR_CORRUPT, ERR_FORMAT with place; ERR_BUSY when the lock is held for too long;
 *            ERR_NOTFOUND, ERR_RANGE as said; ERR_AGAIN for a full disk; ERR_IO, ERR_NOMEM.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "store/sha256.h"

enum hold_limits {
    HOLD_TEXT_BYTES_MAX = 1000,
    HOLD_CLASS_BYTES_MAX = 32,
    HOLD_RECORDS_MAX = 1000000,
    HOLD_FILE_BYTES_MAX = 1 << 30,
};

#define HOLD_LOCK_WAIT_NS INT64_C(60000000000)
#define HOLD_CLASS_ALL    "all"

struct hold {
    uint64_t number;
    int64_t time_ns; /* when it was said */
    uint32_t tenant;
    struct slice class_name; /* HOLD_CLASS_ALL, or a class of logs */
    int64_t since_ns;        /* INT64_MIN: from the beginning */
    int64_t until_ns;        /* INT64_MAX: no end; that moment is not part of it */
    struct slice by;
    struct slice reason;
    uint64_t released; /* number of the record that ended it; 0: it holds */
    int64_t released_ns;
    struct slice released_by;
    struct slice released_reason;
};

struct holds {
    struct hold *items; /* ascending by number */
    size_t count;
    uint64_t records;   /* with releases */
    struct sha256 hash; /* of the file as it is */
    struct arena arena;
};

/* Without a file there are none. */
int holds_read(struct holds *out, const char *dir, struct diag *diag);
void holds_release(struct holds *h);

/* What must not go: rows of a municipality and class whose time may be in [from, to]. */
struct hold_question {
    uint32_t tenant;
    struct slice class_name;
    int64_t from_ns;
    int64_t to_ns;
};

/* The first hold that holds it, or NULL. */
const struct hold *holds_find(const struct holds *h, const struct hold_question *q);

/*
 * Keep everybody else from changing holds, until file_close(). ERR_BUSY when somebody else keeps it
 * for `wait_ns`.
 */
int holds_lock(struct file **out, const char *dir, int64_t wait_ns);

/*
 * Take the lock, append a record, durable on return. Of `h` number and what concerns a release are not
 * looked at. ERR_RANGE for texts that are empty, too long or of more than one line.
 */
int holds_add(uint64_t *number, const char *dir, const struct hold *h, struct diag *diag);
/* ERR_NOTFOUND when there is no such hold, or it was released before: why is in the diag. */
int holds_end(const char *dir, uint64_t number, const struct hold *by, struct diag *diag);
