/* Any line: slots are ordered, inside the line and in front of the message. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/syslog.h"
#include "tests/ingest/padded.h"

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice line = padded_copy(slice_of(data, size));
    struct slots *slots = calloc(1, sizeof(*slots));
    if (slots == NULL)
        abort();
    uint32_t message = syslog_header(line, slots);
    uint32_t from = syslog_tag(line, message, slots);
    assert(from >= message);
    uint32_t end = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        assert(slot->offset >= end);
        end = slot->offset + slot->length;
        assert(end <= from);
    }
    assert(from <= size);
    free(slots);
    padded_free(line);
    return 0;
}
