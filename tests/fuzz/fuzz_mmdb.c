/* Any bytes as a MaxMind DB: the check ends, and what it takes can be looked into. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/geo_check.h"

enum {
    PATH_BYTES = 32,
};

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libmaxminddb keeps its pool where the first value is broken; the product's process is gone then. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming) */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[CHILD_TEXT_BYTES_MAX] = "";
    char path[PATH_BYTES];
    struct file_copy *copy = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size && file_copy_new(&copy, path, size) == 0) {
        int status = geo_check_here(why, copy);
        assert((status != 0) == (why[0] != '\0'));
        file_copy_free(copy);
    }
    (void)close(fd);
    return 0;
}
