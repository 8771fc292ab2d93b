#include "ingest/when.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
    TIME_FIELDS = FIELD_TIME_LAST + 1,
    ZONE_CACHED_BYTES_MAX = 8, /* "+09:00" */
};

static_assert(FIELD_TIME_EPOCH >= 1 && FIELD_TIME_LAST == FIELD_TIME_GENERATED,
              "the parts of a time are the first fields");

/* The parts of a time that a line has; data is NULL where it has none. */
struct parts {
    struct slice of[TIME_FIELDS];
};

void when_init(struct when_cache *cache, int32_t zone_minutes)
{
    *cache = (struct when_cache){.zone_minutes = zone_minutes};
}

/*
 * Of a repeated part the first counts, of headers the last: it is the one nearest to the device.
 * True when an epoch was found: nothing goes before it, *epoch_ns is the answer.
 */
static bool find_parts(struct parts *parts, struct slice line, const struct slots *slots,
                       int64_t *epoch_ns)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        if ((uint16_t)(slot->field - 1) >= FIELD_TIME_LAST || slot->kind == SLOT_KEY)
            continue;
        struct slice *part = &parts->of[slot->field];
        if (part->data == NULL || slot->field == FIELD_TIME_SYSLOG)
            *part = slice_of(line.data + slot->offset, slot->length);
        if (slot->field == FIELD_TIME_EPOCH && stamp_parse_epoch(epoch_ns, *part) == 0)
            return true;
    }
    return false;
}

/* What TIME_ZONE says in minutes, else the source's zone. */
static int32_t device_zone(struct when_cache *cache, struct slice text)
{
    uint64_t key = 0;
    int32_t minutes = 0;
    if (text.len == 0)
        return cache->device_utc ? 0 : cache->zone_minutes;
    if (text.len <= ZONE_CACHED_BYTES_MAX)
        memcpy(&key, text.data, text.len);
    if (key != 0 && key == cache->zone_text)
        return cache->text_minutes;
    if (stamp_parse_zone(&minutes, text) != 0)
        return cache->zone_minutes;
    cache->zone_text = key;
    cache->text_minutes = minutes;
    return minutes;
}

/* What the device itself says; the text's own offset goes before the zones given here. */
static bool device_time(int64_t *out, struct when_cache *cache, const struct parts *parts,
                        int64_t reference_ns)
{
    struct stamp_cache *dates = &cache->device;
    int32_t zone = device_zone(cache, parts->of[FIELD_TIME_ZONE]);
    if (parts->of[FIELD_TIME_HIGH].len > 0 &&
        stamp_parse(out, parts->of[FIELD_TIME_HIGH], zone, reference_ns, dates) == 0)
        return true;
    if (parts->of[FIELD_TIME_STAMP].len > 0 &&
        stamp_parse(out, parts->of[FIELD_TIME_STAMP], zone, reference_ns, dates) == 0)
        return true;
    if (parts->of[FIELD_TIME_DATE].len > 0 && parts->of[FIELD_TIME_CLOCK].len > 0 &&
        stamp_parse_parts(out, parts->of[FIELD_TIME_DATE], parts->of[FIELD_TIME_CLOCK], zone,
                          dates) == 0)
        return true;
    return parts->of[FIELD_TIME_GENERATED].len > 0 &&
           stamp_parse(out, parts->of[FIELD_TIME_GENERATED],
                       cache->device_utc ? 0 : cache->zone_minutes, reference_ns, dates) == 0;
}

int64_t when_row(struct when_cache *cache, struct slice line, const struct slots *slots,
                 int64_t arrival_ns, int64_t reference_ns, uint8_t *source)
{
    struct parts parts = {0};
    int64_t ns = 0;
    if (find_parts(&parts, line, slots, &ns) || device_time(&ns, cache, &parts, reference_ns)) {
        *source = TIME_SOURCE_DEVICE;
        return ns;
    }
    struct slice header = parts.of[FIELD_TIME_SYSLOG];
    if (header.len > 0 &&
        stamp_parse(&ns, header, cache->zone_minutes, reference_ns, &cache->syslog) == 0) {
        *source = TIME_SOURCE_SYSLOG;
        return ns;
    }
    *source = TIME_SOURCE_ARRIVAL;
    return arrival_ns;
}
