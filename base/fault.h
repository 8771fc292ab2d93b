/*
 * base/fault.h - faults on demand: what tests make the operating system do.
 *
 * A fault specification is a list of rules separated by ';':
 *
 *     action@name[:nth[:argument]]         a named failpoint in the code
 *     action@op=path[:nth[:argument]]      a file operation whose path contains the text
 *
 *     action  crash  SIGKILL to ourselves         stop   SIGSTOP to ourselves
 *             sleep  wait for the argument (200ms, 2s)
 *             EIO, ENOSPC, EINTR, EROFS, EACCES, EDQUOT, EMFILE, ENOENT, EAGAIN
 *                    the operation fails with it   (file operations only)
 *             short  one system call moves at most `argument` bytes (default 1; read, write only)
 *             full   ENOSPC once `argument` bytes went to matching files (default 0; write only)
 *     op      open read write sync truncate rename unlink mkdir dirsync list map lock stat
 *     nth     3 = only the third pass, 3+ = from the third on, * = each; default 1 (full: *)
 *
 * Examples: "crash@commit.synced:3"  "sleep@commit.append:1:200ms"  "EIO@sync=log/:2"
 *           "full@write=log/:*:65536;short@write=seg/:1+:7"
 *
 * Ownership: the rules live in one static table inside base/fault.c, the documented exception to
 *            "no mutable globals": a failpoint must be reachable from everywhere and must cost one
 *            branch when nothing is armed.
 * Threads:   fault_set() before other threads start; the rest from any thread.
 * Failures:  a specification that cannot be read is refused whole.
 */
#pragma once

#include <stddef.h>

enum fault_limits {
    FAULT_RULES_MAX = 32,
    FAULT_TEXT_BYTES_MAX = 96, /* of a name or a piece of a path */
};

enum fault_op {
    FAULT_OPEN,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_MKDIR,
    FAULT_DIRSYNC,
    FAULT_LIST,
    FAULT_MAP,
    FAULT_LOCK,
    FAULT_STAT,
    FAULT_OP_COUNT,
};

/*
 * Replace every rule by those of the specification; NULL or "" disarms all.
 * Returns 0 or ERR_CONF (nothing changed).
 */
int fault_set(const char *spec);

/* A named place in the code; does what the armed rules of that name say, else nothing. */
void failpoint(const char *name);

/*
 * Called by base/file.c before each system call. `len` (may be NULL) is the number of bytes it is
 * about to move and may be made smaller. Returns 0, or a positive errno to fail with.
 */
int fault_file(enum fault_op op, const char *path, size_t *len);
