/* Any text: no overread, no overflow, and the cache changes no answer. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ingest/stamp.h"
#include "tests/ingest/padded.h"

enum {
    HEAD_BYTES = 10, /* zone and reference come first */
    ZONE_MINUTES_MAX = 24 * 60,
};

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The stamp twice through one cache, once through a fresh one. */
static void check_stamp(struct slice text, int32_t zone, int64_t reference)
{
    struct stamp_cache cache = {0};
    struct stamp_cache fresh = {0};
    int64_t a = 1;
    int64_t b = 1;
    int64_t c = 1;
    int first = stamp_parse(&a, text, zone, reference, &cache);
    int second = stamp_parse(&b, text, zone, reference, &cache);
    int third = stamp_parse(&c, text, zone, reference, &fresh);
    assert(first == second && second == third);
    assert(a == b && b == c);
    assert(first == 0 || a == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    int32_t zone = (int32_t)bytes_get16(data) % (2 * ZONE_MINUTES_MAX + 1) - ZONE_MINUTES_MAX;
    int64_t reference = 0;
    memcpy(&reference, data + 2, sizeof(reference));
    struct slice text = padded_copy(slice_of(data + HEAD_BYTES, size - HEAD_BYTES));
    int32_t minutes = 0;
    int64_t ns = 0;
    struct stamp_cache cache = {0};
    check_stamp(text, zone, reference);
    (void)stamp_parse_zone(&minutes, text);
    (void)stamp_parse_parts(&ns, text, text, zone, &cache);
    assert(stamp_length_bsd(text) <= text.len);
    assert(stamp_length_iso(text) <= text.len);
    padded_free(text);
    return 0;
}
