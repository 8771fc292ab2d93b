/* base/pages.h: zeroed, and never in huge pages, whatever the system does by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pages.h"

enum {
    BLOCK_BYTES = 8 << 20,
    LINE_BYTES = 512,
};

/* The flags of the mapping that holds `p`, as the kernel prints them; false when it tells none. */
static bool mapping_flags(const void *p, char flags[LINE_BYTES])
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[LINE_BYTES];
    bool inside = false;
    bool found = false;
    assert_non_null(f);
    while (!found && fgets(line, sizeof(line), f) != NULL) {
        char *dash = NULL;
        unsigned long long from = strtoull(line, &dash, 16);
        if (dash != line && *dash == '-')
            inside = (uintptr_t)p >= from && (uintptr_t)p < strtoull(dash + 1, NULL, 16);
        found = inside && strncmp(line, "VmFlags:", 8) == 0;
    }
    (void)fclose(f);
    if (found)
        memcpy(flags, line, sizeof(line));
    return found;
}

static void test_zeroed(void **state)
{
    (void)state;
    unsigned char *block = pages_alloc(BLOCK_BYTES);
    assert_non_null(block);
    for (size_t i = 0; i < BLOCK_BYTES; i += 4093)
        assert_int_equal(block[i], 0);
    pages_free(block, BLOCK_BYTES);
    pages_free(NULL, 0);
}

static void test_no_huge_pages(void **state)
{
    (void)state;
    char flags[LINE_BYTES];
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
        skip();
    unsigned char *block = pages_alloc(BLOCK_BYTES);
    assert_non_null(block);
    if (!mapping_flags(block, flags)) {
        pages_free(block, BLOCK_BYTES);
        skip();
    }
    assert_non_null(strstr(flags, " nh"));
    pages_free(block, BLOCK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_no_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
