/* tests/event/row_parts.h - rows written out: their values, and what stands before each in the line. */
#pragma once

#include <string.h>

#include "base/clock.h"
#include "event/builder.h"

#define ROW_TIME_NS (INT64_C(1767225600) * CLOCK_NS_PER_SECOND) /* 2026-01-01T00:00:00Z */

struct part {
    const char *before; /* NULL: no part, nor those behind it */
    const char *value;
    uint16_t field;
    uint8_t kind;
};

/* Append the row of these parts and the tail of its line. */
static inline void add_row(struct batch *b, const struct part *parts, size_t count,
                           const char *tail)
{
    struct buf line = {0};
    struct slots slots = {0};
    for (size_t i = 0; i < count && parts[i].before != NULL; i++) {
        buf_text(&line, parts[i].before);
        assert_true(slots_add(&slots, (uint32_t)line.len, (uint32_t)strlen(parts[i].value),
                              parts[i].field, parts[i].kind));
        buf_text(&line, parts[i].value);
    }
    buf_text(&line, tail);
    struct row row = {.bytes = buf_content(&line),
                      .slots = &slots,
                      .time_ns = ROW_TIME_NS,
                      .offset = b->row_count};
    assert_int_equal(batch_append(b, &row), 0);
    buf_release(&line);
}

#define ROW(b, ...)                                                    \
    do {                                                               \
        const struct part parts[] = {__VA_ARGS__};                     \
        add_row((b), parts, sizeof(parts) / sizeof(parts[0]), "\"\n"); \
    } while (0)
