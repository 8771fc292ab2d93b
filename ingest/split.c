#include "ingest/split.h"

#include <string.h>

/* Rows of a line of `len` bytes, terminator included. */
static size_t rows_of_line(size_t len)
{
    return len <= BATCH_ROW_BYTES_MAX ? 1 : (len - 1) / BATCH_ROW_BYTES_MAX + 1;
}

/* Bytes of the line that starts at `at`, terminator included. Needs at < end. */
static size_t line_length(const char *at, const char *end, enum split_mode mode)
{
    size_t left = (size_t)(end - at);
    if (mode == SPLIT_NONE)
        return left;
    const char *newline = memchr(at, '\n', left);
    return newline == NULL ? left : (size_t)(newline - at) + 1;
}

static uint32_t terminator_length(struct slice row, enum split_mode mode)
{
    if (mode == SPLIT_NONE || row.len == 0 || row.data[row.len - 1] != '\n')
        return 0;
    return row.len >= 2 && row.data[row.len - 2] == '\r' ? 2 : 1;
}

void split_start(struct split *s, struct slice record, enum split_mode mode)
{
    *s = (struct split){
        .at = record.data,
        .end = record.len == 0 ? record.data : record.data + record.len,
        .mode = mode,
        .empty_pending = record.len == 0,
    };
}

bool split_next(struct split *s, struct slice *row, uint32_t *terminator_len, bool *too_long)
{
    if (s->at == s->end && !s->empty_pending)
        return false;
    s->empty_pending = false;
    size_t len = 0;
    bool piece = s->long_left > 0;
    if (piece) {
        len = s->long_left;
    } else if (s->at != s->end) {
        len = line_length(s->at, s->end, s->mode);
    }
    s->long_left = 0;
    if (len > BATCH_ROW_BYTES_MAX) {
        s->long_left = len - BATCH_ROW_BYTES_MAX;
        len = BATCH_ROW_BYTES_MAX;
        piece = true;
    }
    *row = slice_of(s->at, len);
    *terminator_len = terminator_length(*row, s->mode);
    *too_long = piece;
    if (len > 0)
        s->at += len;
    return true;
}

size_t split_count(struct slice record, enum split_mode mode)
{
    if (record.len == 0)
        return 1;
    const char *at = record.data;
    const char *end = at + record.len;
    size_t rows = 0;
    while (at < end) {
        size_t len = line_length(at, end, mode);
        rows += rows_of_line(len);
        at += len;
    }
    return rows;
}
