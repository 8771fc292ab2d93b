/*
 * Frames and file headers on any bytes: no crash, and what is accepted can be walked to its end
 * and stays within its bytes. The first byte chooses; hashes are made right for half of the inputs,
 * so that the sections behind them are reached.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "store/frame.h"
#include "store/log_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice whole, struct slice part)
{
    assert(part.len <= whole.len);
    assert(part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

static void walk_frame(struct frame_view *view)
{
    struct frame_entry_view entry;
    struct frame_range range;
    struct frame_env env;
    struct frame_watermark mark;
    struct slice blob;
    while (frame_next_entry(&entry, &view->entries)) {
        int64_t at = entry.off_start;
        check_within(view->bytes, entry.topic);
        while (frame_next_range(&range, &entry.ranges)) {
            assert(range.start == at && range.end > at);
            check_within(view->bytes, range.reason);
            at = range.end;
        }
        assert(at == entry.off_end);
    }
    while (frame_next_env(&env, &view->envs))
        check_within(view->bytes, env.name);
    while (frame_next_watermark(&mark, &view->watermarks))
        continue;
    struct frame_items *blobs[] = {&view->batches, &view->alerts, &view->order, &view->controls,
                                   &view->snapshots};
    for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
        while (frame_next_blob(&blob, blobs[i]))
            check_within(view->bytes, blob);
        assert(blobs[i]->rest.len == 0);
    }
    assert(view->entries.rest.len == 0 && view->envs.rest.len == 0);
    assert(view->watermarks.rest.len == 0);
}

/* Put the right hash at the end of the bytes. */
static void sign(char *bytes, size_t len)
{
    struct sha256 hash;
    if (len < SHA256_BYTES || sha256_of(&hash, slice_of(bytes, len - SHA256_BYTES)) != 0)
        return;
    memcpy(bytes + len - SHA256_BYTES, hash.bytes, SHA256_BYTES);
}

static void try_frame(char *bytes, size_t len, bool signed_right)
{
    struct frame_view view;
    const char *why = NULL;
    uint64_t frame_len = 0;
    struct slice s = slice_of(bytes, len);
    if (signed_right && len >= FRAME_HEADER_BYTES && frame_length(&frame_len, s, &why) == 0 &&
        frame_len <= len)
        sign(bytes, (size_t)frame_len);
    if (frame_decode(&view, s, true, &why) == 0)
        walk_frame(&view);
    if (frame_decode(&view, s, false, &why) == 0)
        walk_frame(&view);
}

static void try_header(char *bytes, size_t len, bool signed_right)
{
    struct log_file_header header;
    struct log_state state;
    struct buf again = {0};
    const char *why = NULL;
    if (signed_right)
        sign(bytes, len);
    if (log_file_header_decode(&header, slice_of(bytes, len), &why) != 0)
        return;
    check_within(slice_of(bytes, len), header.checkpoint);
    if (log_file_state(&state, &header, &why) != 0)
        return;
    (void)log_file_header_encode(&again, header.store_id, &state);
    buf_release(&again);
    log_state_release(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if ((data[0] & 1) != 0)
        try_frame(bytes, size - 1, (data[0] & 2) != 0);
    else
        try_header(bytes, size - 1, (data[0] & 2) != 0);
    free(bytes);
    return 0;
}
