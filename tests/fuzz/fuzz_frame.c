/*
 * Frames, file headers and remains of files on any bytes: no crash, and what is accepted can be walked to its end
 * and stays within its bytes. The first byte chooses; hashes are made right for half of the inputs,
 * so that the sections behind them are reached.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "store/frame.h"
#include "store/log_file.h"
#include "store/remains.h"

enum {
    REMAINS_FRAMES = 200, /* that a made-up file claims */
    BODY_LEN_AT = 80,
};

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

static void walk_remains(struct slice bytes)
{
    struct remains *r = NULL;
    struct remains_partition p;
    struct frame_range range;
    struct frame_view view;
    const char *why = NULL;
    uint32_t count = 0;
    uint64_t last = 0;
    if (remains_of(&r, bytes, true, &why) != 0)
        return;
    if (remains_ranges(&count, r, &why) == 0) {
        for (; remains_next_partition(&p, r); count--) {
            int64_t at = p.start;
            for (; remains_next_range(&range, &p); at = range.end)
                assert(range.start == at && range.end > at);
            assert(at == p.end);
        }
        assert(count == 0);
    }
    while (remains_next(&view, r, &why) == 0) {
        assert(view.link.seq > last && view.link.seq <= remains_head(r)->last_seq);
        last = view.link.seq;
        walk_frame(&view);
    }
    if (remains_seek(r, last, &why) == 0 && last != 0)
        assert(remains_next(&view, r, &why) == 0 && view.link.seq == last);
    remains_close(r);
}

static void put_section(struct buf *out, uint32_t type, const struct buf *content)
{
    buf_put32(out, type);
    buf_put64(out, content->len);
    buf_slice(out, buf_content(content));
}

static void put_packed(struct buf *out, struct slice raw)
{
    size_t bound = ZSTD_compressBound(raw.len);
    char *to = buf_reserve(out, bound);
    size_t len = to == NULL ? 0 : ZSTD_compress(to, bound, raw.data, raw.len, 1);
    out->len += ZSTD_isError(len) ? 0 : len;
}

/* A file that is right but for its ranges, the first bytes, and its kept frames, the others. */
static void try_made_remains(struct slice raw_ranges, struct slice raw_frames, uint32_t frames)
{
    static const char NOTHING[REMAINS_FRAMES * SHA256_BYTES];
    struct buf file = {0};
    struct buf content = {0};
    struct buf packed = {0};
    buf_append(&file, REMAINS_MAGIC, sizeof(REMAINS_MAGIC) - 1);
    buf_put32(&file, REMAINS_HEADER_BYTES);
    buf_put32(&file, REMAINS_VERSION);
    buf_append(&file, NOTHING, STORE_ID_BYTES);
    const uint64_t numbers[] = {1, REMAINS_FRAMES, 1, 0, UINT64_MAX, INT64_MAX, 0};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        buf_put64(&file, numbers[i]);
    buf_append(&file, NOTHING, REMAINS_HEADER_BYTES - file.len);
    buf_append(&content, NOTHING, sizeof(NOTHING));
    put_section(&file, REMAINS_SECTION_HASHES, &content);
    buf_reset(&content);
    buf_put64(&content, raw_ranges.len);
    put_packed(&content, raw_ranges);
    put_section(&file, REMAINS_SECTION_RANGES, &content);
    put_packed(&packed, raw_frames);
    buf_reset(&content);
    buf_put32(&content, 1);
    buf_put64(&content, 1);
    buf_put32(&content, frames);
    buf_put32(&content, (uint32_t)raw_frames.len);
    buf_put32(&content, (uint32_t)packed.len);
    buf_put64(&content, hash_slice(1, buf_content(&packed)));
    buf_slice(&content, buf_content(&packed));
    put_section(&file, REMAINS_SECTION_FRAMES, &content);
    buf_append(&file, NOTHING, SHA256_BYTES);
    if (buf_ok(&file) && buf_ok(&content) && buf_ok(&packed)) {
        bytes_put64(file.data + BODY_LEN_AT, file.len - REMAINS_BYTES_MIN);
        sign(file.data, REMAINS_HEADER_BYTES);
        sign(file.data, file.len);
        walk_remains(buf_content(&file));
    }
    buf_release(&file);
    buf_release(&content);
    buf_release(&packed);
}

static void try_remains(char *bytes, size_t len, bool made)
{
    if (made && len >= 2) {
        size_t ranges = (size_t)(uint8_t)bytes[0] < len - 2 ? (size_t)(uint8_t)bytes[0] : len - 2;
        try_made_remains(slice_of(bytes + 2, ranges),
                         slice_of(bytes + 2 + ranges, len - 2 - ranges), (uint8_t)bytes[1]);
        return;
    }
    if (len >= REMAINS_BYTES_MIN) {
        sign(bytes, REMAINS_HEADER_BYTES);
        sign(bytes, len);
    }
    walk_remains(slice_of(bytes, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if ((data[0] & 4) != 0)
        try_remains(bytes, size - 1, (data[0] & 2) != 0);
    else if ((data[0] & 1) != 0)
        try_frame(bytes, size - 1, (data[0] & 2) != 0);
    else
        try_header(bytes, size - 1, (data[0] & 2) != 0);
    free(bytes);
    return 0;
}
