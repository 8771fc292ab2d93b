#include "base/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

enum {
    STEP_BYTES = 256 << 10,
    PATH_BYTES_MAX = 32,
};

struct file_copy {
    int fd;
    void *map; /* NULL: an empty file */
    uint64_t len;
    char path[PATH_BYTES_MAX];
};

static int write_all(int fd, const char *data, size_t len)
{
    while (len != 0) {
        ssize_t put = write(fd, data, len);
        if (put < 0 && errno != EINTR)
            return errno == ENOSPC || errno == ENOMEM ? ERR_NOMEM : ERR_IO;
        data += put < 0 ? 0 : put;
        len -= put < 0 ? 0 : (size_t)put;
    }
    return 0;
}

static int copy_bytes(struct file_copy *copy, struct file *from, uint64_t limit)
{
    char *step = malloc(STEP_BYTES);
    int status = step == NULL ? ERR_NOMEM : 0;
    size_t got = 1;
    while (status == 0 && got != 0) {
        status = file_read(&got, from, step, STEP_BYTES);
        if (status == 0 && got > limit - copy->len)
            status = ERR_RANGE;
        if (status == 0)
            status = write_all(copy->fd, step, got);
        if (status == 0)
            copy->len += got;
    }
    free(step);
    return status;
}

/* Nobody can change it from here on, this process included. */
static int seal(struct file_copy *copy)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (fcntl(copy->fd, F_ADD_SEALS, seals) != 0)
        return ERR_IO;
    if (copy->len == 0)
        return 0;
    void *map = mmap(NULL, copy->len, PROT_READ, MAP_PRIVATE, copy->fd, 0);
    if (map == MAP_FAILED)
        return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
    copy->map = map;
    return 0;
}

int file_copy_new(struct file_copy **out, const char *path, uint64_t limit)
{
    struct file_copy *copy = calloc(1, sizeof(*copy));
    struct file *from = NULL;
    if (copy == NULL)
        return ERR_NOMEM;
    copy->fd = -1;
    int status = file_open(&from, path, FILE_READ);
    if (status != 0)
        goto out;
    copy->fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy->fd < 0) {
        status = errno == ENOMEM ? ERR_NOMEM : ERR_IO;
        goto out;
    }
    (void)snprintf(copy->path, sizeof(copy->path), "/proc/self/fd/%d", copy->fd);
    status = copy_bytes(copy, from, limit);
    if (status == 0)
        status = seal(copy);
out:
    file_close(from);
    if (status != 0) {
        file_copy_free(copy);
        return status;
    }
    *out = copy;
    return 0;
}

void file_copy_free(struct file_copy *copy)
{
    if (copy == NULL)
        return;
    int kept = errno;
    if (copy->map != NULL)
        (void)munmap(copy->map, copy->len);
    if (copy->fd >= 0)
        (void)close(copy->fd);
    free(copy);
    errno = kept;
}

struct slice file_copy_bytes(const struct file_copy *copy)
{
    return copy->map == NULL ? SLICE("") : slice_of(copy->map, copy->len);
}

const char *file_copy_path(const struct file_copy *copy)
{
    return copy->path;
}

int file_copy_descriptor(const struct file_copy *copy)
{
    return copy->fd;
}
