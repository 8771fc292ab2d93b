/*
 * Any bytes as a list of any type: no crash, every line is counted once, and every entry of the set
 * is found by its own text, whose reading gives the entry again.
 */
#include "tests/fuzz/indicator_check.h"

enum {
    HEAD_BYTES = 3, /* type, format, and what is said of columns */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    const struct indicator_source source = {
        .name = SLICE("feed"),
        .content = slice_of(data + HEAD_BYTES, size - HEAD_BYTES),
        .path = "list",
        .type = (enum indicator_type)(data[0] % INDICATOR_TYPES),
        .format = data[1] % 2 == 0 ? INDICATOR_FORMAT_LINES : INDICATOR_FORMAT_CSV,
        .column = data[2] % 3 == 1 ? SLICE("1") : SLICE(""),
        .expiry_column = data[2] % 3 == 2 ? SLICE("2") : SLICE(""),
        .expires_ns = INT64_MAX,
    };
    struct indicator_set *set = NULL;
    struct diag diag = {0};
    int status = indicator_set_new(&set, &source, 1, NULL, &diag);
    assert(status == 0 || diag.count != 0);
    if (status == 0) {
        struct indicator_counts counts = indicator_set_counts(set, 0);
        assert(counts.added + counts.repeated + counts.refused == counts.lines);
        assert(counts.added == indicator_set_entries(set));
        assert((counts.refused == 0) == (diag.count == 0));
        for (uint32_t handle = 1; handle <= counts.added; handle++)
            check_entry(set, handle);
        struct slice whole = source.content;
        (void)indicator_find_domain(set, whole, INT64_MIN);
        (void)indicator_find_url(set, whole, INT64_MIN);
        (void)indicator_find_agent(set, whole, INT64_MIN);
    }
    indicator_set_free(set);
    diag_release(&diag);
    return 0;
}
