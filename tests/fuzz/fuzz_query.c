/*
 * The query language on any bytes: no crash, one diagnosis for each refusal, and what was accepted
 * prints as a text that gives the same tree and prints the same again.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "event/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct ast *ast)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct buf once = {0};
    struct buf twice = {0};
    struct ast *again = NULL;
    int err = query_print(ast, &once);
    assert(err == 0);
    err = query_parse(&again, &arena, buf_content(&once), &diag);
    assert(err == 0);
    assert(ast_equal(ast, again));
    err = query_print(again, &twice);
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
    struct ast *ast = NULL;
    int err = query_parse(&ast, &arena, slice_of(data, size), &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    if (err == 0)
        check_round_trip(ast);
    diag_release(&diag);
    arena_release(&arena);
    return 0;
}
