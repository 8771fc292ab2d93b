#include "base/pages.h"

#include <sys/mman.h>

void *pages_alloc(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    /* Refused by a kernel that has no huge pages: then there is nothing to keep away. */
    (void)madvise(block, bytes, MADV_NOHUGEPAGE);
    return block;
}

void pages_free(void *block, size_t bytes)
{
    if (block != NULL)
        (void)munmap(block, bytes);
}
