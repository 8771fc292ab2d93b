/*
 * clock_shift.c - an LD_PRELOAD library under which the wall clock is CLOCK_SHIFT seconds ahead, or stays within the second
 * that the file CLOCK_SECOND holds (8 bytes, seconds since 1970) and runs through nine tenths of it again and again:
 * whoever writes the file says when a second ends. The clock since the boot stands at the second that the file CLOCK_BOOT
 * holds, or is untouched: so a test makes time pass, or the wall clock jump.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void)
{
    const char *text = getenv("CLOCK_SHIFT");
    return text == NULL ? 0 : (time_t)strtoll(text, NULL, 10);
}

static const volatile int64_t *told;
static const volatile int64_t *told_boot;

static const volatile int64_t *open_file(const char *name)
{
    const char *path = getenv(name);
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *page = mmap(NULL, sizeof(*told), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        abort();
    return page;
}

static __attribute__((constructor)) void open_second(void)
{
    told = open_file("CLOCK_SECOND");
    told_boot = open_file("CLOCK_BOOT");
}

static void say_second(struct timespec *out)
{
    struct timespec now;
    if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0)
        abort();
    out->tv_sec = (time_t)*told;
    out->tv_nsec = now.tv_nsec / 10 * 9;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int status = (int)syscall(SYS_clock_gettime, clock, out);
    if (status == 0 && clock == CLOCK_REALTIME && told != NULL)
        say_second(out);
    else if (status == 0 && clock == CLOCK_REALTIME)
        out->tv_sec += shift();
    if (status == 0 && clock == CLOCK_BOOTTIME && told_boot != NULL)
        *out = (struct timespec){.tv_sec = (time_t)*told_boot};
    return status;
}

time_t time(time_t *out)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
