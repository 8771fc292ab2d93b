/*
 * tests/fuzz/slots_check.h - what holds for the slots of every line, whatever its bytes are.
 *
 * Ownership: a line is copied with its padding; slots_line_release() frees it.
 * Threads:   none shared.
 * Failures:  assert, which is what a fuzzer and a test want.
 */
#pragma once

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parser.h"

/* A copy of the bytes, exactly as long, with SLICE_PADDING_BYTES of `fill` behind it. */
static inline struct slice slots_line(const void *data, size_t len, char fill)
{
    char *copy = malloc(len + SLICE_PADDING_BYTES);
    assert(copy != NULL);
    if (len > 0)
        memcpy(copy, data, len);
    memset(copy + len, fill, SLICE_PADDING_BYTES);
    return slice_of(copy, len);
}

static inline void slots_line_release(struct slice line)
{
    union {
        const char *borrowed;
        char *owned;
    } text = {.borrowed = line.data};
    free(text.owned);
}

/* Ordered, in bounds, not overlapping, known kinds, a key for every unnamed value. */
static inline void slots_check(const struct slots *slots, struct slice line, uint32_t from)
{
    uint64_t end = from;
    uint32_t keys = 0;
    assert(slots->count <= SLOTS_MAX);
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        assert(slot->offset >= end);
        end = (uint64_t)slot->offset + slot->length;
        assert(end <= line.len);
        assert(slot->kind < SLOT_KIND_COUNT);
        if (slot->kind == SLOT_KEY) {
            assert(slot->field == FIELD_UNNAMED && slot->depth <= keys);
            keys = slot->depth + 1U;
            assert(keys <= SLOT_DEPTH_MAX);
        } else if (slot->field == FIELD_UNNAMED) {
            assert(slot->depth < keys);
        } else {
            assert(slot->depth == 0);
        }
        bool named = slot->field < FIELD_LOCAL_FIRST && field_info(slot->field) != NULL;
        assert(named || slot->field >= FIELD_COLUMN_FIRST);
    }
}

static inline bool slots_equal(const struct slots *a, const struct slots *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0);
}

/*
 * Parse the bytes with `state` and without the memory of other lines, with different padding; check
 * both and that they agree.
 */
static inline enum parse_result slots_check_line(const struct parser *parser,
                                                 struct parser_state *state, const void *data,
                                                 size_t len)
{
    static struct slots used;
    static struct slots fresh;
    struct slice line = slots_line(data, len, '"');
    struct slice same = slots_line(data, len, ' ');
    struct parser_state *empty = parser->state_new == NULL ? NULL : parser->state_new();
    used.count = 0;
    fresh.count = 0;
    enum parse_result result = parser->parse(state, line, 0, &used);
    enum parse_result again = parser->parse(empty, same, 0, &fresh);
    assert(parser->probe(line) == parser->probe(same));
    if (result != PARSE_MISMATCH)
        slots_check(&used, line, 0);
    if (!parser->reads_headers)
        assert(result == again && (result == PARSE_MISMATCH || slots_equal(&used, &fresh)));
    if (empty != NULL)
        parser->state_free(empty);
    slots_line_release(line);
    slots_line_release(same);
    return result;
}
