/*
 * Any bytes as a feed in JSON (FUZZ_FORMAT): no crash and no hang, every element is counted once, every
 * entry of the set is found by its own text; and a second reading gives the same.
 */
#include "tests/fuzz/indicator_check.h"

static size_t check_set(const struct indicator_source *source)
{
    struct indicator_set *set = NULL;
    struct diag diag = {0};
    size_t entries = 0;
    int status = indicator_set_new(&set, source, 1, NULL, &diag);
    assert(status == 0 || diag.count != 0);
    if (status == 0) {
        struct indicator_counts counts = indicator_set_counts(set, 0);
        struct buf unused = {0};
        assert(counts.added + counts.repeated + counts.refused == counts.lines);
        assert(counts.added == indicator_set_entries(set));
        assert(counts.refused == 0 || diag.count != 0);
        indicator_set_print_unused(&unused, set, 0);
        assert((counts.unused == 0) == (unused.len == 0));
        for (uint32_t handle = 1; handle <= counts.added; handle++)
            check_entry(set, handle);
        entries = counts.added;
        buf_release(&unused);
    }
    indicator_set_free(set);
    diag_release(&diag);
    return entries;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct indicator_source source = {
        .name = SLICE("feed"),
        .content = slice_of(data, size),
        .path = "feed",
        .format = FUZZ_FORMAT,
        .expires_ns = INT64_MAX,
    };
    size_t entries = check_set(&source);
    assert(check_set(&source) == entries);
    return 0;
}
