/*
 * base/file.h - every file system call of the product.
 *
 * All of them pass the faults of base/fault.h, so a test can make any of them fail.
 *
 * Ownership: file_open() gives a handle that file_close() takes back; maps are unmapped by their
 *            taker. Paths are copied where they are kept.
 * Threads:   a handle has one owner; file_read_at() and file_map() may be called by several
 *            threads on a handle that nobody writes.
 * Failures:  ERR_IO keeps errno as the system set it (file_no_space() knows a full disk);
 *            ERR_NOTFOUND for ENOENT and ENOTDIR; ERR_NOMEM. Interrupted calls are repeated and
 *            short ones continued here, never by callers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum file_mode {
    FILE_READ,   /* must exist */
    FILE_APPEND, /* made when missing; read, append, truncate */
    FILE_CREATE, /* must not exist (else ERR_BUSY); read, append, truncate */
    FILE_SECRET, /* FILE_CREATE, but with mode 0600 */
    FILE_SHARED, /* FILE_APPEND, but appends go where the file ends then (O_APPEND), not to file_end() */
};

enum file_limits {
    FILE_PATH_BYTES_MAX = 4096,
    DIR_NAMES_MAX = 4 << 20,
};

enum file_kind {
    FILE_KIND_REGULAR,
    FILE_KIND_DIR,
    FILE_KIND_OTHER,
};

struct file;

struct file_info {
    uint64_t size_bytes;
    int64_t modified_ns;
    enum file_kind kind;
    uint32_t mode; /* permission bits, such as 0640 */
};

/* Equal for two handles exactly when they are open on the same file. */
struct file_identity {
    uint64_t device;
    uint64_t inode;
};

struct dir_names {
    const char **names; /* bytewise order, without "." and ".."; in the caller's arena */
    size_t count;
};

/* New files have mode 0640 (FILE_SECRET: 0600), close-on-exec is set. Symbolic links are followed. */
int file_open(struct file **out, const char *path, enum file_mode mode);
/* Release the handle and its lock; NULL is allowed. Syncs nothing. */
void file_close(struct file *f);
/* As given to file_open(); valid as long as the handle. */
const char *file_path(const struct file *f);

/*
 * Write all of it at the end of the file (its size at open plus what was appended since). On
 * failure the end stays where it was, though some bytes may lie past it: a later append overwrites
 * them, file_truncate(f, file_end(f)) removes them.
 */
int file_append(struct file *f, const void *data, size_t len);
uint64_t file_end(const struct file *f);
/* Read `len` bytes at `offset`; *got < len only at the end of the file. */
int file_read_at(size_t *got, struct file *f, uint64_t offset, void *data, size_t len);
/* One read at the file's own position, also from a pipe or terminal; *got = 0 at the end. */
int file_read(size_t *got, struct file *f, void *data, size_t len);
/* The size on disk now. */
int file_size(uint64_t *out_bytes, struct file *f);
/* Which file it is, whatever its name is now. */
int file_identify(struct file_identity *out, struct file *f);
/* Data and size on stable storage. After a failure nothing about the file may be believed. */
int file_sync(struct file *f);
/* Cut or extend to `len` bytes; the end follows. */
int file_truncate(struct file *f, uint64_t len);
/*
 * The whole file, read-only; an empty file gives an empty slice. The slice has no padding behind it
 * (see SLICE_PADDING_BYTES) and outlives the handle. Whoever shrinks the file kills the reader
 * (SIGBUS): map only files that are never changed once published.
 */
int file_map(struct slice *out, struct file *f);
void file_unmap(struct slice map);
/*
 * Bytes of a map that are not looked at soon: their pages leave the process, and are there again when
 * somebody looks, as other threads may do meanwhile.
 */
void file_map_forget(struct slice bytes);
/*
 * Exclusive lock on the open file, held until file_close(), seen by other processes and by other
 * handles of this one. Needs a handle that may write. Never waits: ERR_BUSY when it is held.
 */
int file_lock(struct file *f);
/* The same for many at once, against one exclusive; a handle for reading is enough. */
int file_lock_shared(struct file *f);
/* Whether another handle, of any process, holds that lock; a handle for reading is enough. */
int file_is_locked(bool *out, struct file *f);

/*
 * Append the whole file to `out`, also one without a known size such as a pipe. ERR_RANGE when it
 * holds more than `limit` bytes (`out` is unchanged then and on every failure).
 */
int file_read_all(struct buf *out, const char *path, size_t limit);
/*
 * Replace the file as a whole: path.tmp, sync, rename, sync of the directory. After a failure or a
 * crash the path holds either the old bytes or the new ones. One writer per path.
 */
int file_write_atomic(const char *path, struct slice content);
/* The same with mode 0600 from the first byte on, whatever the mode was before. */
int file_write_secret(const char *path, struct slice content);
/* Rename replaces `to`; neither syncs the directory. */
int file_rename(const char *from, const char *to);
int file_unlink(const char *path);
int file_stat(struct file_info *out, const char *path);
/* Bytes that an unprivileged writer can still take on the file system of `path`. */
int file_space(uint64_t *out_bytes, const char *path);
/* How large that file system is. */
int file_space_total(uint64_t *out_bytes, const char *path);

/* Make the directory and its parents, mode 0750; one that exists is fine. */
int dir_create(const char *path);
/* Make a new directory `prefix`XXXXXX and write its path to out (NUL-terminated). */
int dir_create_temp(char *out, size_t cap, const char *prefix);
/* Entries made, renamed or removed in it are on stable storage. */
int dir_sync(const char *path);
/* Its names, sorted. ERR_RANGE past DIR_NAMES_MAX. */
int dir_list(struct dir_names *out, struct arena *arena, const char *path);
/* Remove an empty directory. */
int dir_remove(const char *path);
/* Remove it with all it holds; symbolic links are removed, not followed. */
int dir_remove_tree(const char *path);

/* Whether the ERR_IO just returned means that the disk or the quota is full; reads errno. */
bool file_no_space(void);
