/*
 * Proofs of both kinds on any bytes: no crash, one diagnosis for each refusal, and what is accepted prints
 * as the same bytes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without a hasher that works nothing can be said. */
static void verify_row(const struct proof_row *p, const struct note_key *key)
{
    struct hasher *h = NULL;
    struct diag diag = {0};
    if (hasher_new(&h) != 0)
        return;
    int err = proof_row_verify(h, p, key, "proof", &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    diag_release(&diag);
    hasher_free(h);
}

static void verify_growth(const struct proof_growth *p, const struct note_key *key)
{
    struct hasher *h = NULL;
    struct diag diag = {0};
    if (hasher_new(&h) != 0)
        return;
    int err = proof_growth_verify(h, p, key, "proof", &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    diag_release(&diag);
    hasher_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct arena arena = {0};
    struct diag diag = {0};
    struct buf again = {0};
    struct proof_row row;
    struct proof_growth growth;
    int err = 0;
    if (slice_starts(text, SLICE("sekisho g"))) {
        err = proof_growth_parse(&growth, &arena, text, "proof", &diag);
        if (err == 0) {
            int printed = proof_growth_print(&again, &growth);
            assert(printed == 0);
            verify_growth(&growth, NULL);
        }
    } else {
        err = proof_row_parse(&row, &arena, text, "proof", &diag);
        if (err == 0) {
            int printed = proof_row_print(&again, &row);
            assert(printed == 0);
            verify_row(&row, NULL);
        }
    }
    assert(diag.count == (err == 0 ? 0 : 1));
    assert(err != 0 || slice_equal(buf_content(&again), text));
    buf_release(&again);
    diag_release(&diag);
    arena_release(&arena);
    return 0;
}
