#include "ingest/geo_value.h"

#include <stdbool.h>

#include "base/err.h"

/* Types of the format that are told apart here. */
enum geo_value_type {
    TYPE_EXTENDED = 0,
    TYPE_POINTER = 1,
    TYPE_MAP = 7,
    TYPE_ARRAY = 11,
    TYPE_CONTAINER = 12,
    TYPE_END = 13,
    TYPE_BOOLEAN = 14,
    TYPE_LAST = 15,
};

/* What a value begins with. */
struct control {
    uint32_t type;
    uint64_t size; /* of a pointer: where to */
    uint64_t next; /* behind the control bytes */
};

/* Values of a map or array that are still to come, and where. */
struct level {
    uint64_t left;
    uint64_t at;
    bool is_elsewhere; /* a pointer led here: what follows it stands behind the pointer */
};

struct walk {
    struct slice section;
    struct level levels[GEO_VALUE_DEPTH_MAX];
    uint32_t depth;
    uint32_t parts;
};

/* Read `count` bytes, the highest first. */
static int take_number(uint64_t *out, struct slice s, uint64_t at, uint32_t count)
{
    uint64_t value = 0;
    if (at > s.len || s.len - at < count)
        return ERR_FORMAT;
    for (uint32_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)s.data[at + i];
    *out = value;
    return 0;
}

/* Sizes of a pointer's target count from these. */
static int take_pointer(struct control *c, struct slice s, uint8_t first)
{
    static const uint32_t BASES[] = {0, 2048, 526336, 0};
    uint32_t more = (first >> 3 & 3) + 1;
    uint64_t high = more == 4 ? 0 : (uint64_t)(first & 7) << (8 * more);
    uint64_t low = 0;
    int status = take_number(&low, s, c->next, more);
    c->size = (high | low) + BASES[more - 1];
    c->next += more;
    return status;
}

static int take_size(struct control *c, struct slice s, uint8_t first)
{
    static const uint32_t BASES[] = {29, 285, 65821};
    uint32_t low = first & 31;
    if (low < 29) {
        c->size = low;
        return 0;
    }
    uint64_t value = 0;
    uint32_t more = low - 28;
    int status = take_number(&value, s, c->next, more);
    c->size = value + BASES[more - 1];
    c->next += more;
    return status;
}

static int take_control(struct control *out, struct slice s, uint64_t at)
{
    struct control c = {.next = at + 1};
    uint64_t first = 0;
    uint64_t type = 0;
    int status = take_number(&first, s, at, 1);
    if (status != 0)
        return status;
    c.type = (uint32_t)(first >> 5);
    if (c.type == TYPE_EXTENDED) {
        status = take_number(&type, s, c.next++, 1);
        c.type = (uint32_t)type + 7;
    }
    if (status == 0)
        status = c.type == TYPE_POINTER ? take_pointer(&c, s, (uint8_t)first)
                                        : take_size(&c, s, (uint8_t)first);
    if (c.type == TYPE_CONTAINER || c.type == TYPE_END || c.type > TYPE_LAST)
        status = ERR_FORMAT;
    if (status == 0)
        *out = c;
    return status;
}

static int go_down(struct walk *w, uint64_t count, uint64_t at, bool is_elsewhere)
{
    if (w->depth == GEO_VALUE_DEPTH_MAX)
        return ERR_RANGE;
    w->levels[w->depth++] = (struct level){.left = count, .at = at, .is_elsewhere = is_elsewhere};
    return 0;
}

static void go_up(struct walk *w)
{
    struct level done = w->levels[--w->depth];
    if (w->depth != 0 && !done.is_elsewhere)
        w->levels[w->depth - 1].at = done.at;
}

/* The next value of the innermost level. */
static int step(struct walk *w)
{
    struct level *top = &w->levels[w->depth - 1];
    struct control c;
    int status = take_control(&c, w->section, top->at);
    if (status != 0)
        return status;
    /* A pointer to a pointer does not exist. */
    if (c.type == TYPE_POINTER && top->is_elsewhere)
        return ERR_FORMAT;
    if (c.type != TYPE_POINTER && ++w->parts > GEO_VALUE_PARTS_MAX)
        return ERR_RANGE;
    top->left--;
    top->at = c.next;
    if (c.type == TYPE_POINTER)
        return go_down(w, 1, c.size, true);
    if (c.type == TYPE_MAP || c.type == TYPE_ARRAY)
        return go_down(w, c.type == TYPE_MAP ? 2 * c.size : c.size, c.next, false);
    uint64_t bytes = c.type == TYPE_BOOLEAN ? 0 : c.size;
    if (bytes > w->section.len - c.next)
        return ERR_FORMAT;
    top->at = c.next + bytes;
    return 0;
}

int geo_value_check(struct slice section, uint64_t offset)
{
    struct walk w = {.section = section};
    int status = go_down(&w, 1, offset, false);
    while (status == 0 && w.depth != 0) {
        if (w.levels[w.depth - 1].left == 0)
            go_up(&w);
        else
            status = step(&w);
    }
    return status;
}
