#include "store/frame_items.h"

/* Whether the range may stand where the one before it ended. */
static bool range_valid(const struct frame_range *range, int64_t from)
{
    return range->kind < FRAME_RANGE_KIND_COUNT && range->start == from &&
           range->end > range->start && range->reason.len <= FRAME_REASON_BYTES_MAX &&
           (range->kind == FRAME_RANGE_DATA) == (range->reason.len == 0);
}

static bool topic_valid(struct slice topic)
{
    return topic.len != 0 && topic.len <= FRAME_TOPIC_BYTES_MAX;
}

int entry_encode(struct buf *out, const struct frame_entry *entry)
{
    int64_t at = entry->off_start;
    if (!topic_valid(entry->topic) || entry->partition < 0 || entry->off_start < 0 ||
        entry->range_count == 0 || entry->range_count > FRAME_RANGES_MAX)
        return ERR_RANGE;
    buf_put16(out, (uint16_t)entry->topic.len);
    buf_slice(out, entry->topic);
    buf_put32(out, (uint32_t)entry->partition);
    buf_put64(out, (uint64_t)entry->off_start);
    buf_put64(out, (uint64_t)entry->off_end);
    buf_put32(out, (uint32_t)entry->range_count);
    for (size_t i = 0; i < entry->range_count; i++) {
        const struct frame_range *range = &entry->ranges[i];
        if (!range_valid(range, at))
            return ERR_RANGE;
        buf_byte(out, (char)range->kind);
        buf_put64(out, (uint64_t)range->start);
        buf_put64(out, (uint64_t)range->end);
        buf_put16(out, (uint16_t)range->reason.len);
        buf_slice(out, range->reason);
        at = range->end;
    }
    return at == entry->off_end ? 0 : ERR_RANGE;
}

int env_encode(struct buf *out, const struct frame_env *env)
{
    if (env->name.len == 0 || env->name.len > FRAME_ENV_NAME_BYTES_MAX)
        return ERR_RANGE;
    buf_put16(out, (uint16_t)env->name.len);
    buf_slice(out, env->name);
    buf_append(out, env->sha256.bytes, SHA256_BYTES);
    buf_put64(out, env->bytes);
    return 0;
}

static struct frame_range take_range(struct cursor *c)
{
    struct frame_range range = {.kind = (enum frame_range_kind)cursor_take8(c)};
    range.start = (int64_t)cursor_take64(c);
    range.end = (int64_t)cursor_take64(c);
    range.reason = cursor_take(c, cursor_take16(c));
    return range;
}

/* The entry without its ranges, which begin where the cursor stands then. */
static struct frame_entry_view take_entry(struct cursor *c)
{
    struct frame_entry_view entry = {.topic = cursor_take(c, cursor_take16(c))};
    entry.partition = (int32_t)cursor_take32(c);
    entry.off_start = (int64_t)cursor_take64(c);
    entry.off_end = (int64_t)cursor_take64(c);
    entry.ranges.left = cursor_take32(c);
    entry.ranges.rest = c->rest;
    return entry;
}

static struct frame_env take_env(struct cursor *c)
{
    struct frame_env env = {.name = cursor_take(c, cursor_take16(c))};
    struct slice hash = cursor_take(c, SHA256_BYTES);
    if (!c->failed)
        memcpy(env.sha256.bytes, hash.data, SHA256_BYTES);
    env.bytes = cursor_take64(c);
    return env;
}

static struct frame_watermark take_watermark(struct cursor *c)
{
    struct frame_watermark mark = {.tenant = cursor_take32(c)};
    mark.time_ns = (int64_t)cursor_take64(c);
    return mark;
}

/* Take an entry and its ranges and check them; *ranges counts those of the whole frame. */
static bool entry_pass(struct cursor *c, uint32_t *ranges)
{
    struct frame_entry_view entry = take_entry(c);
    int64_t at = entry.off_start;
    if (c->failed || !topic_valid(entry.topic) || entry.partition < 0 || entry.off_start < 0 ||
        entry.ranges.left == 0 || entry.ranges.left > FRAME_RANGES_MAX - *ranges)
        return false;
    for (uint32_t i = 0; i < entry.ranges.left; i++) {
        struct frame_range range = take_range(c);
        if (c->failed || !range_valid(&range, at))
            return false;
        at = range.end;
    }
    *ranges += entry.ranges.left;
    return at == entry.off_end;
}

int items_of_entries(struct frame_items *out, struct slice content)
{
    struct cursor c = {.rest = content};
    uint32_t count = cursor_take32(&c);
    uint32_t ranges = 0;
    struct frame_items items = {.rest = c.rest, .left = count};
    if (c.failed || count > FRAME_ENTRIES_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        if (!entry_pass(&c, &ranges))
            return ERR_CORRUPT;
    }
    if (c.rest.len != 0)
        return ERR_CORRUPT;
    *out = items;
    return 0;
}

int items_of_envs(struct frame_items *out, struct slice content)
{
    struct cursor c = {.rest = content};
    uint32_t count = cursor_take32(&c);
    struct frame_items items = {.rest = c.rest, .left = count};
    if (c.failed || count > FRAME_ENVS_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        struct frame_env env = take_env(&c);
        if (c.failed || env.name.len == 0 || env.name.len > FRAME_ENV_NAME_BYTES_MAX)
            return ERR_CORRUPT;
    }
    if (c.rest.len != 0)
        return ERR_CORRUPT;
    *out = items;
    return 0;
}

int items_of_watermarks(struct frame_items *out, struct slice content)
{
    struct cursor c = {.rest = content};
    uint32_t count = cursor_take32(&c);
    struct frame_items items = {.rest = c.rest, .left = count};
    if (c.failed || count > FRAME_WATERMARKS_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++)
        (void)take_watermark(&c);
    if (c.failed || c.rest.len != 0)
        return ERR_CORRUPT;
    *out = items;
    return 0;
}

int items_of_blobs(struct frame_items *out, struct slice content)
{
    struct cursor c = {.rest = content};
    uint32_t count = cursor_take32(&c);
    struct frame_items items = {.rest = c.rest, .left = count};
    if (c.failed || count > FRAME_BLOBS_MAX)
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count && !c.failed; i++)
        (void)cursor_take(&c, cursor_take64(&c));
    if (c.failed || c.rest.len != 0)
        return ERR_CORRUPT;
    *out = items;
    return 0;
}

/* Begin an item: false at the end of the items. */
static bool item_begin(struct cursor *c, const struct frame_items *items)
{
    *c = (struct cursor){.rest = items->rest};
    return items->left != 0;
}

static void item_end(struct frame_items *items, const struct cursor *c)
{
    assert(!c->failed);
    items->rest = c->rest;
    items->left--;
}

bool frame_next_entry(struct frame_entry_view *out, struct frame_items *items)
{
    struct cursor c;
    if (!item_begin(&c, items))
        return false;
    *out = take_entry(&c);
    for (uint32_t i = 0; i < out->ranges.left; i++)
        (void)take_range(&c);
    item_end(items, &c);
    return true;
}

bool frame_next_range(struct frame_range *out, struct frame_items *items)
{
    struct cursor c;
    if (!item_begin(&c, items))
        return false;
    *out = take_range(&c);
    item_end(items, &c);
    return true;
}

bool frame_next_env(struct frame_env *out, struct frame_items *items)
{
    struct cursor c;
    if (!item_begin(&c, items))
        return false;
    *out = take_env(&c);
    item_end(items, &c);
    return true;
}

bool frame_next_watermark(struct frame_watermark *out, struct frame_items *items)
{
    struct cursor c;
    if (!item_begin(&c, items))
        return false;
    *out = take_watermark(&c);
    item_end(items, &c);
    return true;
}

bool frame_next_blob(struct slice *out, struct frame_items *items)
{
    struct cursor c;
    if (!item_begin(&c, items))
        return false;
    *out = cursor_take(&c, cursor_take64(&c));
    item_end(items, &c);
    return true;
}

const char *frame_range_kind_name(enum frame_range_kind kind)
{
    static const char *const NAMES[] = {"DATA", "GAP", "QUARANTINE", "LOST"};
    static_assert(sizeof(NAMES) / sizeof(NAMES[0]) == FRAME_RANGE_KIND_COUNT, "a name per kind");
    return kind < FRAME_RANGE_KIND_COUNT ? NAMES[kind] : "?";
}
