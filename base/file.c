#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"

enum {
    FILE_MOVE_BYTES_MAX = 1 << 30, /* of one system call */
    FILE_READ_STEP_BYTES = 64 * 1024,
    FILE_MODE = 0640,
    FILE_SECRET_MODE = 0600,
    FILE_MODE_BITS = 07777,
    DIR_MODE = 0750,
    DIR_WALK_FDS = 16,
    DIR_NAMES_FIRST = 64,
};

struct file {
    int fd;
    uint64_t end; /* where the next append goes */
    char path[];
};

/* What the errno of the call that just failed means for callers. */
static int errno_err(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOTFOUND;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

/* Whether a fault takes the place of the call; errno is set then. */
static bool faulted(enum fault_op op, const char *path, size_t *len)
{
    int error = fault_file(op, path, len);
    if (error != 0)
        errno = error;
    return error != 0;
}

bool file_no_space(void)
{
    return errno == ENOSPC || errno == EDQUOT;
}

static int open_fd(const char *path, int flags, mode_t mode)
{
    int fd = -1;
    do {
        fd = faulted(FAULT_OPEN, path, NULL) ? -1 : open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static void close_fd(int fd)
{
    int kept = errno;
    (void)close(fd);
    errno = kept;
}

int file_open(struct file **out, const char *path, enum file_mode mode)
{
    static const int FLAGS[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_APPEND] = O_RDWR | O_CREAT,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_SECRET] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_SHARED] = O_RDWR | O_CREAT | O_APPEND,
    };
    struct stat st;
    size_t path_len = strlen(path);
    struct file *f = malloc(sizeof(*f) + path_len + 1);
    if (f == NULL)
        return ERR_NOMEM;
    memcpy(f->path, path, path_len + 1);
    bool fresh = mode == FILE_CREATE || mode == FILE_SECRET;
    f->fd = open_fd(path, FLAGS[mode], mode == FILE_SECRET ? FILE_SECRET_MODE : FILE_MODE);
    if (f->fd < 0) {
        int err = fresh && errno == EEXIST ? ERR_BUSY : errno_err();
        free(f);
        return err;
    }
    if (fstat(f->fd, &st) != 0) {
        int err = errno_err();
        file_close(f);
        return err;
    }
    f->end = (uint64_t)st.st_size;
    *out = f;
    return 0;
}

void file_close(struct file *f)
{
    if (f == NULL)
        return;
    close_fd(f->fd);
    free(f);
}

const char *file_path(const struct file *f)
{
    return f->path;
}

uint64_t file_end(const struct file *f)
{
    return f->end;
}

int file_append(struct file *f, const void *data, size_t len)
{
    const char *from = data;
    uint64_t at = f->end;
    while (len != 0) {
        size_t piece = len < FILE_MOVE_BYTES_MAX ? len : FILE_MOVE_BYTES_MAX;
        ssize_t moved =
            faulted(FAULT_WRITE, f->path, &piece) ? -1 : pwrite(f->fd, from, piece, (off_t)at);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            return errno_err();
        if (moved == 0) {
            errno = EIO;
            return ERR_IO;
        }
        from += moved;
        len -= (size_t)moved;
        at += (uint64_t)moved;
    }
    f->end = at;
    return 0;
}

int file_read_at(size_t *got, struct file *f, uint64_t offset, void *data, size_t len)
{
    char *to = data;
    size_t done = 0;
    if (offset > INT64_MAX - (uint64_t)len) {
        *got = 0;
        return 0;
    }
    while (done < len) {
        size_t piece = len - done < FILE_MOVE_BYTES_MAX ? len - done : FILE_MOVE_BYTES_MAX;
        ssize_t moved = faulted(FAULT_READ, f->path, &piece)
                            ? -1
                            : pread(f->fd, to + done, piece, (off_t)(offset + done));
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            return errno_err();
        if (moved == 0)
            break;
        done += (size_t)moved;
    }
    *got = done;
    return 0;
}

int file_read(size_t *got, struct file *f, void *data, size_t len)
{
    for (;;) {
        size_t piece = len < FILE_MOVE_BYTES_MAX ? len : FILE_MOVE_BYTES_MAX;
        ssize_t moved = faulted(FAULT_READ, f->path, &piece) ? -1 : read(f->fd, data, piece);
        if (moved >= 0) {
            *got = (size_t)moved;
            return 0;
        }
        if (errno != EINTR)
            return errno_err();
    }
}

static int stat_fd(struct stat *st, const struct file *f)
{
    if (faulted(FAULT_STAT, f->path, NULL) || fstat(f->fd, st) != 0)
        return errno_err();
    return 0;
}

int file_size(uint64_t *out_bytes, struct file *f)
{
    struct stat st;
    int err = stat_fd(&st, f);
    if (err != 0)
        return err;
    *out_bytes = (uint64_t)st.st_size;
    return 0;
}

int file_identify(struct file_identity *out, struct file *f)
{
    struct stat st;
    int err = stat_fd(&st, f);
    if (err != 0)
        return err;
    *out = (struct file_identity){.device = st.st_dev, .inode = st.st_ino};
    return 0;
}

int file_sync(struct file *f)
{
    /* Never repeated but for EINTR: after an error the kernel may have dropped the pages. */
    for (;;) {
        if (!faulted(FAULT_SYNC, f->path, NULL) && fdatasync(f->fd) == 0)
            return 0;
        if (errno != EINTR)
            return errno_err();
    }
}

int file_truncate(struct file *f, uint64_t len)
{
    if (len > INT64_MAX) {
        errno = EFBIG;
        return ERR_IO;
    }
    for (;;) {
        if (!faulted(FAULT_TRUNCATE, f->path, NULL) && ftruncate(f->fd, (off_t)len) == 0)
            break;
        if (errno != EINTR)
            return errno_err();
    }
    f->end = len;
    return 0;
}

int file_map(struct slice *out, struct file *f)
{
    struct stat st;
    int err = stat_fd(&st, f);
    if (err != 0)
        return err;
    if (st.st_size == 0) {
        *out = slice_of(NULL, 0);
        return 0;
    }
    size_t len = (size_t)st.st_size;
    void *map = faulted(FAULT_MAP, f->path, NULL)
                    ? MAP_FAILED
                    : mmap(NULL, len, PROT_READ, MAP_PRIVATE, f->fd, 0);
    if (map == MAP_FAILED)
        return errno_err();
    *out = slice_of(map, len);
    return 0;
}

/* Calls for maps take the pointer without const, though it is the map's own. */
union map_address {
    const char *given;
    void *taken;
    uintptr_t number;
};

void file_unmap(struct slice map)
{
    union map_address address = {.given = map.data};
    if (map.len != 0)
        (void)munmap(address.taken, map.len);
}

void file_map_forget(struct slice bytes)
{
    union map_address address = {.given = bytes.data};
    uintptr_t before = address.number % (uintptr_t)sysconf(_SC_PAGESIZE);
    address.number -= before;
    if (bytes.len != 0)
        (void)madvise(address.taken, bytes.len + before, MADV_DONTNEED);
}

static int lock_as(struct file *f, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    for (;;) {
        if (!faulted(FAULT_LOCK, f->path, NULL) && fcntl(f->fd, F_OFD_SETLK, &lock) == 0)
            return 0;
        if (errno == EAGAIN || errno == EACCES)
            return ERR_BUSY;
        if (errno != EINTR)
            return errno_err();
    }
}

int file_lock(struct file *f)
{
    return lock_as(f, F_WRLCK);
}

int file_lock_shared(struct file *f)
{
    return lock_as(f, F_RDLCK);
}

int file_is_locked(bool *out, struct file *f)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(f->fd, F_OFD_GETLK, &lock) != 0)
        return errno_err();
    *out = lock.l_type != F_UNLCK;
    return 0;
}

/* Append what the handle gives until its end; ERR_RANGE past `limit`. */
static int read_to_end(struct buf *out, struct file *f, size_t limit)
{
    size_t total = 0;
    size_t got = 0;
    do {
        /* One byte more than allowed tells a full file from a larger one. */
        size_t step =
            limit - total < FILE_READ_STEP_BYTES ? limit - total + 1 : FILE_READ_STEP_BYTES;
        char *to = buf_reserve(out, step);
        if (to == NULL)
            return ERR_NOMEM;
        int err = file_read(&got, f, to, step);
        if (err != 0)
            return err;
        total += got;
        out->len += got;
        if (total > limit)
            return ERR_RANGE;
    } while (got != 0);
    return 0;
}

int file_read_all(struct buf *out, const char *path, size_t limit)
{
    struct file *f = NULL;
    size_t before = out->len;
    if (!buf_ok(out))
        return ERR_NOMEM;
    int err = file_open(&f, path, FILE_READ);
    if (err != 0)
        return err;
    err = read_to_end(out, f, limit);
    if (err != 0) {
        out->len = before;
        out->failed = false;
    }
    file_close(f);
    return err;
}

int file_rename(const char *from, const char *to)
{
    if (faulted(FAULT_RENAME, to, NULL) || rename(from, to) != 0)
        return errno_err();
    return 0;
}

int file_unlink(const char *path)
{
    if (faulted(FAULT_UNLINK, path, NULL) || unlink(path) != 0)
        return errno_err();
    return 0;
}

/* The directory that holds the path's last name: at most cap bytes, or ERR_RANGE. */
static int parent_path(char *out, size_t cap, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct slice parent = slash == NULL   ? SLICE(".")
                          : slash == path ? SLICE("/")
                                          : slice_of(path, (size_t)(slash - path));
    if (parent.len >= cap)
        return ERR_RANGE;
    memcpy(out, parent.data, parent.len);
    out[parent.len] = '\0';
    return 0;
}

static int write_synced(const char *path, struct slice content, enum file_mode mode)
{
    struct file *f = NULL;
    int err = file_open(&f, path, mode);
    if (err != 0)
        return err;
    err = file_truncate(f, 0);
    if (err == 0)
        err = file_append(f, content.data, content.len);
    if (err == 0)
        err = file_sync(f);
    file_close(f);
    return err;
}

static int replace_file(const char *path, struct slice content, enum file_mode mode)
{
    char temporary[FILE_PATH_BYTES_MAX];
    char parent[FILE_PATH_BYTES_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    if (len < 0 || (size_t)len >= sizeof(temporary))
        return ERR_RANGE;
    int err = parent_path(parent, sizeof(parent), path);
    if (err != 0)
        return err;
    if (mode == FILE_SECRET)
        err = file_unlink(temporary);
    err = err == 0 || err == ERR_NOTFOUND ? write_synced(temporary, content, mode) : err;
    if (err == 0)
        err = file_rename(temporary, path);
    if (err != 0) {
        int kept = errno;
        (void)unlink(temporary);
        errno = kept;
        return err;
    }
    return dir_sync(parent);
}

int file_write_atomic(const char *path, struct slice content)
{
    return replace_file(path, content, FILE_APPEND);
}

int file_write_secret(const char *path, struct slice content)
{
    return replace_file(path, content, FILE_SECRET);
}

int file_stat(struct file_info *out, const char *path)
{
    struct stat st;
    if (faulted(FAULT_STAT, path, NULL) || stat(path, &st) != 0)
        return errno_err();
    out->size_bytes = (uint64_t)st.st_size;
    out->mode = (uint32_t)st.st_mode & FILE_MODE_BITS;
    out->modified_ns = (int64_t)st.st_mtim.tv_sec * CLOCK_NS_PER_SECOND + st.st_mtim.tv_nsec;
    out->kind = S_ISREG(st.st_mode)   ? FILE_KIND_REGULAR
                : S_ISDIR(st.st_mode) ? FILE_KIND_DIR
                                      : FILE_KIND_OTHER;
    return 0;
}

int file_space(uint64_t *out_bytes, const char *path)
{
    struct statvfs st;
    if (faulted(FAULT_STAT, path, NULL) || statvfs(path, &st) != 0)
        return errno_err();
    *out_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

int file_space_total(uint64_t *out_bytes, const char *path)
{
    struct statvfs st;
    if (faulted(FAULT_STAT, path, NULL) || statvfs(path, &st) != 0)
        return errno_err();
    *out_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return 0;
}

/* Make one directory; one that is already there is fine, something else there is not. */
static int make_dir(const char *path)
{
    struct stat st;
    if (!faulted(FAULT_MKDIR, path, NULL) && mkdir(path, DIR_MODE) == 0)
        return 0;
    if (errno != EEXIST)
        return errno_err();
    if (stat(path, &st) != 0)
        return errno_err();
    if (S_ISDIR(st.st_mode))
        return 0;
    errno = ENOTDIR;
    return ERR_IO;
}

int dir_create(const char *path)
{
    char partial[FILE_PATH_BYTES_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(partial)) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return ERR_IO;
    }
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (partial[i] != '/' || partial[i - 1] == '/')
            continue;
        partial[i] = '\0';
        int err = make_dir(partial);
        if (err != 0)
            return err;
        partial[i] = '/';
    }
    return make_dir(partial);
}

int dir_create_temp(char *out, size_t cap, const char *prefix)
{
    char path[FILE_PATH_BYTES_MAX];
    int len = snprintf(path, sizeof(path), "%sXXXXXX", prefix);
    if (len < 0 || (size_t)len >= sizeof(path) || (size_t)len >= cap)
        return ERR_RANGE;
    if (faulted(FAULT_MKDIR, path, NULL) || mkdtemp(path) == NULL)
        return errno_err();
    memcpy(out, path, (size_t)len + 1);
    return 0;
}

int dir_sync(const char *path)
{
    int fd = open_fd(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno_err();
    int err = 0;
    if (faulted(FAULT_DIRSYNC, path, NULL) || fsync(fd) != 0)
        err = errno_err();
    close_fd(fd);
    return err;
}

static int name_compare(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

/* Append a copy of the name; the array grows in the arena and leaves its halves behind. */
static int names_add(struct dir_names *names, size_t *cap, struct arena *arena, const char *name)
{
    if (names->count == DIR_NAMES_MAX)
        return ERR_RANGE;
    if (names->count == *cap) {
        size_t more = *cap == 0 ? DIR_NAMES_FIRST : *cap * 2;
        const char **grown = arena_array(arena, more, sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        if (names->count != 0)
            memcpy(grown, names->names, names->count * sizeof(*grown));
        names->names = grown;
        *cap = more;
    }
    const char *copy = arena_copy(arena, slice_from(name));
    if (copy == NULL)
        return ERR_NOMEM;
    names->names[names->count++] = copy;
    return 0;
}

static int names_read(struct dir_names *names, struct arena *arena, DIR *dir)
{
    size_t cap = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? 0 : errno_err();
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int err = names_add(names, &cap, arena, entry->d_name);
        if (err != 0)
            return err;
    }
}

int dir_list(struct dir_names *out, struct arena *arena, const char *path)
{
    struct dir_names names = {0};
    DIR *dir = faulted(FAULT_LIST, path, NULL) ? NULL : opendir(path);
    if (dir == NULL)
        return errno_err();
    int err = names_read(&names, arena, dir);
    int kept = errno;
    (void)closedir(dir);
    errno = kept;
    if (err != 0)
        return err;
    if (names.count > 1)
        qsort(names.names, names.count, sizeof(*names.names), name_compare);
    *out = names;
    return 0;
}

int dir_remove(const char *path)
{
    if (faulted(FAULT_UNLINK, path, NULL) || rmdir(path) != 0)
        return errno_err();
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

int dir_remove_tree(const char *path)
{
    if (faulted(FAULT_UNLINK, path, NULL) ||
        nftw(path, remove_entry, DIR_WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0)
        return errno_err();
    return 0;
}
