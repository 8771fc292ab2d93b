/*
 * sync_journal.c - an LD_PRELOAD library that writes down what a process made durable, so that a test
 * can take back what a power cut would: everything written and not synced.
 *
 *   sync <size> <path>        fsync or fdatasync of a file that had this size
 *   rename <from>\t<to>
 *
 * One line each, appended to the file named by SYNC_JOURNAL after the call was successful.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*sync_call)(int fd);
typedef int (*rename_call)(const char *from, const char *to);

static void *next_of(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void note(const char *text, size_t len)
{
    const char *path = getenv("SYNC_JOURNAL");
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, text, len) < 0)
        abort();
    close(fd);
}

static void note_sync(int fd)
{
    char link[64];
    char path[4096];
    char line[4200];
    struct stat info;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    if (len <= 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    path[len] = '\0';
    int size = snprintf(line, sizeof(line), "sync %lld %s\n", (long long)info.st_size, path);
    note(line, (size_t)size);
}

/* The size is read after the call: nobody else writes to the file meanwhile. */
int fdatasync(int fd)
{
    int result = ((sync_call)next_of("fdatasync"))(fd);
    if (result == 0)
        note_sync(fd);
    return result;
}

int fsync(int fd)
{
    int result = ((sync_call)next_of("fsync"))(fd);
    if (result == 0)
        note_sync(fd);
    return result;
}

int rename(const char *from, const char *to)
{
    char line[8400];
    int result = ((rename_call)next_of("rename"))(from, to);
    if (result == 0) {
        int size = snprintf(line, sizeof(line), "rename %s\t%s\n", from, to);
        note(line, (size_t)size);
    }
    return result;
}
