/*
 * Keys, signed notes and checkpoints on any bytes: no crash, one diagnosis for each refusal, and what is
 * accepted is the one form of what it says. The first byte chooses; half of the inputs are only the
 * signed part, and are signed here, so that the signature is no wall before the rest.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_key(struct slice text)
{
    struct note_key key;
    struct diag diag = {0};
    struct buf again = {0};
    int err = note_key_parse(&key, text, "key", &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    if (err == 0) {
        note_key_print(&again, &key);
        assert(slice_equal(buf_content(&again), text));
    }
    buf_release(&again);
    diag_release(&diag);
}

static void try_checkpoint(struct slice text, const struct note_signer *signer)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct buf again = {0};
    struct checkpoint c;
    int err = checkpoint_parse(&c, &arena, text, NULL, "checkpoint", &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    if (err == 0) {
        struct note a;
        struct note b;
        assert(note_length(text) == text.len);
        err = checkpoint_sign(&again, &c, signer);
        assert(err == 0);
        err = note_parse(&a, text, "", &diag);
        assert(err == 0);
        err = note_parse(&b, buf_content(&again), "", &diag);
        assert(err == 0);
        assert(slice_equal(a.text, b.text));
    }
    buf_release(&again);
    diag_release(&diag);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct note_signer signer = {.key.name = "sekisho/fuzz"};
    struct buf whole = {0};
    if (size < 1)
        return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    switch (data[0] & 3) {
    case 0:
        try_key(rest);
        break;
    case 1:
        try_checkpoint(rest, &signer);
        break;
    default:
        if (note_sign(&whole, &signer, rest) == 0)
            try_checkpoint(buf_content(&whole), &signer);
        break;
    }
    buf_release(&whole);
    return 0;
}
