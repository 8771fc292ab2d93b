/*
 * tests/app/alerts_log.h - frames with alerts, as the collector will release them, in small stores.
 *
 * Ownership: as tests/store/log_dir.h.
 */
#pragma once

#include <inttypes.h>

#include "event/alert.h"
#include "tests/store/log_dir.h"

/* The n-th alert there is: an id that is its number, revision 1, of one of three municipalities. */
static inline void alerts_record(struct buf *out, uint64_t n)
{
    static const uint32_t TENANTS[] = {990019, 52027, 12025};
    struct buf line = {0};
    struct alert_record a = {.tenant = TENANTS[n % 3], .revision = 1};
    bytes_put64(a.id.bytes, n);
    buf_printf(&line,
               "{\"alert.count\":1,\"alert.id\":\"%016" PRIx64 "\",\"alert.kind\":\"D3\","
               "\"alert.severity\":\"high\",\"n\":%" PRIu64 "}",
               n, n);
    a.line = buf_content(&line);
    alert_record_put(out, &a);
    buf_release(&line);
}

/* Append a frame with the alerts first..first+count-1. */
static inline void alerts_append(struct store *st, uint64_t first, size_t count)
{
    struct slice *items = calloc(count + 1, sizeof(*items));
    size_t *at = calloc(count + 1, sizeof(*at));
    struct buf bytes = {0};
    assert_non_null(items);
    assert_non_null(at);
    for (size_t i = 0; i < count; i++) {
        at[i] = bytes.len;
        alerts_record(&bytes, first + i);
    }
    at[count] = bytes.len;
    for (size_t i = 0; i < count; i++)
        items[i] = slice_of(bytes.data + at[i], at[i + 1] - at[i]);
    int64_t tick = store_last_tick_ns(st);
    const struct frame_parts parts = {.tick_ns = tick < 0 ? 0 : tick + 1,
                                      .alerts = {.items = items, .count = count}};
    assert_int_equal(store_append(st, &parts), 0);
    buf_release(&bytes);
    free(items);
    free(at);
}

/* The number of an alert of alerts_record(). */
static inline uint64_t alerts_number(const struct alert_record *a)
{
    return bytes_get64(a->id.bytes);
}
