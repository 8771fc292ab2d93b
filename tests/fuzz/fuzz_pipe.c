/*
 * Queries with pipes on any bytes: no crash, one diagnosis for each refusal, and what was accepted
 * prints as a text that is read again and prints the same.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "event/pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_columns(const struct pipeline *p)
{
    for (uint32_t i = 0; i < p->pipe_count; i++) {
        const struct pipe *pipe = &p->pipes[i];
        uint32_t limit = pipe->on_table ? p->pipes[i - 1].column_count : p->field_count;
        for (uint32_t k = 0; k < pipe->key_count; k++)
            assert(pipe->keys[k].column < limit);
        for (uint32_t t = 0; t < pipe->test_count; t++)
            assert(pipe->tests[t].column < limit);
        for (uint32_t a = 0; a < pipe->aggregate_count; a++) {
            uint32_t column = pipe->aggregates[a].column;
            assert(column < limit || column == PIPE_COLUMN_NONE);
        }
    }
}

static void check_round_trip(const struct pipeline *p)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct buf once = {0};
    struct buf twice = {0};
    struct pipeline *again = NULL;
    int err = pipe_print(p, &once);
    assert(err == 0);
    err = pipe_parse(&again, &arena, buf_content(&once), &diag);
    assert(err == 0);
    assert(ast_equal(p->condition, again->condition));
    assert(p->pipe_count == again->pipe_count);
    err = pipe_print(again, &twice);
    assert(err == 0);
    assert(slice_equal(buf_content(&once), buf_content(&twice)));
    buf_release(&once);
    buf_release(&twice);
    diag_release(&diag);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct pipeline *p = NULL;
    int err = pipe_parse(&p, &arena, slice_of(data, size), &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    if (err == 0) {
        check_columns(p);
        check_round_trip(p);
    }
    diag_release(&diag);
    arena_release(&arena);
    return 0;
}
