/*
 * op_journal.c - an LD_PRELOAD library that writes down what a process does to files, so that a test
 * can make what a power cut may leave (tests/support/disk.py), or see which files were opened.
 *
 *   open <inode> <flags> <path>        write <inode> <offset> <length>\n<bytes>
 *   truncate <inode> <length>          sync <inode>            dirsync <path>
 *   rename <from>\t<to>                unlink <path>           mkdir <path>
 *
 * One line each, appended to the file named by OP_JOURNAL after the call was successful.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALL(type, name) ((type)dlsym(RTLD_NEXT, name))

typedef int (*open_call)(const char *path, int flags, mode_t mode);
typedef ssize_t (*write_call)(int fd, const void *bytes, size_t len, off_t at);
typedef int (*truncate_call)(int fd, off_t len);
typedef int (*sync_call)(int fd);
typedef int (*rename_call)(const char *from, const char *to);
typedef int (*path_call)(const char *path);
typedef int (*mkdir_call)(const char *path, mode_t mode);

static void note(const void *bytes, size_t len, const char *form, ...)
{
    char line[8400];
    va_list args;
    const char *path = getenv("OP_JOURNAL");
    int fd = path == NULL
                 ? -1
                 : CALL(open_call, "open")(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    va_start(args, form);
    int size = vsnprintf(line, sizeof(line), form, args);
    va_end(args);
    struct iovec parts[] = {{line, (size_t)size}, {(void *)bytes, len}};
    if (writev(fd, parts, 2) != (ssize_t)((size_t)size + len))
        abort();
    close(fd);
}

static unsigned long long inode(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 ? (unsigned long long)info.st_ino : 0;
}

static int open_noted(const char *path, int flags, mode_t mode)
{
    int fd = CALL(open_call, "open")(path, flags, mode);
    if (fd >= 0)
        note(NULL, 0, "open %llu %d %s\n", inode(fd), flags, path);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_noted(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_noted(path, flags, mode);
}

static ssize_t write_noted(int fd, const void *bytes, size_t len, off_t at)
{
    ssize_t done = CALL(write_call, "pwrite")(fd, bytes, len, at);
    if (done > 0)
        note(bytes, (size_t)done, "write %llu %lld %zd\n", inode(fd), (long long)at, done);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return write_noted(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return write_noted(fd, bytes, len, at);
}

static int truncate_noted(int fd, off_t len)
{
    int result = CALL(truncate_call, "ftruncate")(fd, len);
    if (result == 0)
        note(NULL, 0, "truncate %llu %lld\n", inode(fd), (long long)len);
    return result;
}

int ftruncate(int fd, off_t len)
{
    return truncate_noted(fd, len);
}

int ftruncate64(int fd, off_t len)
{
    return truncate_noted(fd, len);
}

static int sync_noted(int fd, const char *call)
{
    char link[64];
    char path[4096];
    struct stat info;
    int result = CALL(sync_call, call)(fd);
    if (result != 0 || fstat(fd, &info) != 0)
        return result;
    if (!S_ISDIR(info.st_mode)) {
        note(NULL, 0, "sync %llu\n", (unsigned long long)info.st_ino);
        return result;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    if (len > 0)
        note(NULL, 0, "dirsync %.*s\n", (int)len, path);
    return result;
}

int fdatasync(int fd)
{
    return sync_noted(fd, "fdatasync");
}

int fsync(int fd)
{
    return sync_noted(fd, "fsync");
}

int rename(const char *from, const char *to)
{
    int result = CALL(rename_call, "rename")(from, to);
    if (result == 0)
        note(NULL, 0, "rename %s\t%s\n", from, to);
    return result;
}

int unlink(const char *path)
{
    int result = CALL(path_call, "unlink")(path);
    if (result == 0)
        note(NULL, 0, "unlink %s\n", path);
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    int result = CALL(mkdir_call, "mkdir")(path, mode);
    if (result == 0)
        note(NULL, 0, "mkdir %s\n", path);
    return result;
}
