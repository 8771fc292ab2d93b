#include "store/frame.h"

#include "base/bytes.h"
#include "store/frame_items.h"

enum {
    OFFSET_HEADER_LEN = 8,
    OFFSET_FLAGS = 12,
    OFFSET_EPOCH = 16,
    OFFSET_SEQ = 24,
    OFFSET_TICK = 32,
    OFFSET_BODY_LEN = 40,
    OFFSET_PREV_HASH = 48,
};
static_assert(OFFSET_PREV_HASH + SHA256_BYTES == FRAME_HEADER_BYTES, "header layout");
static_assert(SIZE_MAX > FRAME_BYTES_MAX, "lengths of a frame fit size_t");

/* Where the length of the section begun last has to be written. */
static size_t section_begin(struct buf *out, uint32_t type, size_t count)
{
    buf_put32(out, type);
    buf_put64(out, 0);
    buf_put32(out, (uint32_t)count);
    return out->len - sizeof(uint32_t);
}

static void section_end(struct buf *out, size_t content)
{
    if (buf_ok(out))
        bytes_put64(out->data + content - sizeof(uint64_t), out->len - content);
}

static int encode_partitions(struct buf *out, const struct frame_parts *parts)
{
    size_t ranges = 0;
    if (parts->entry_count == 0)
        return 0;
    if (parts->entry_count > FRAME_ENTRIES_MAX)
        return ERR_RANGE;
    size_t content = section_begin(out, FRAME_SECTION_PARTITIONS, parts->entry_count);
    for (size_t i = 0; i < parts->entry_count; i++) {
        int err = entry_encode(out, &parts->entries[i]);
        if (err != 0)
            return err;
        ranges += parts->entries[i].range_count;
        if (ranges > FRAME_RANGES_MAX)
            return ERR_RANGE;
    }
    section_end(out, content);
    return 0;
}

static int encode_environment(struct buf *out, const struct frame_parts *parts)
{
    if (parts->env_count == 0)
        return 0;
    if (parts->env_count > FRAME_ENVS_MAX)
        return ERR_RANGE;
    size_t content = section_begin(out, FRAME_SECTION_ENVIRONMENT, parts->env_count);
    for (size_t i = 0; i < parts->env_count; i++) {
        int err = env_encode(out, &parts->envs[i]);
        if (err != 0)
            return err;
    }
    section_end(out, content);
    return 0;
}

static int encode_watermarks(struct buf *out, const struct frame_parts *parts)
{
    if (parts->watermark_count == 0)
        return 0;
    if (parts->watermark_count > FRAME_WATERMARKS_MAX)
        return ERR_RANGE;
    size_t content = section_begin(out, FRAME_SECTION_WATERMARKS, parts->watermark_count);
    for (size_t i = 0; i < parts->watermark_count; i++) {
        buf_put32(out, parts->watermarks[i].tenant);
        buf_put64(out, (uint64_t)parts->watermarks[i].time_ns);
    }
    section_end(out, content);
    return 0;
}

static int encode_blobs(struct buf *out, uint32_t type, struct frame_blobs blobs)
{
    if (blobs.count == 0)
        return 0;
    if (blobs.count > FRAME_BLOBS_MAX)
        return ERR_RANGE;
    size_t content = section_begin(out, type, blobs.count);
    for (size_t i = 0; i < blobs.count; i++) {
        if (blobs.items[i].len > FRAME_BYTES_MAX)
            return ERR_RANGE;
        buf_put64(out, blobs.items[i].len);
        buf_slice(out, blobs.items[i]);
    }
    section_end(out, content);
    return 0;
}

static int encode_sections(struct buf *out, const struct frame_parts *parts)
{
    int err = encode_partitions(out, parts);
    if (err == 0)
        err = encode_environment(out, parts);
    if (err == 0)
        err = encode_watermarks(out, parts);
    if (err == 0)
        err = encode_blobs(out, FRAME_SECTION_BATCHES,
                           (struct frame_blobs){parts->batches, parts->batch_count});
    if (err == 0)
        err = encode_blobs(out, FRAME_SECTION_ALERTS, parts->alerts);
    if (err == 0)
        err = encode_blobs(out, FRAME_SECTION_ORDER, parts->order);
    if (err == 0)
        err = encode_blobs(out, FRAME_SECTION_CONTROLS, parts->controls);
    if (err == 0)
        err = encode_blobs(out, FRAME_SECTION_SNAPSHOTS, parts->snapshots);
    if (err == 0)
        err = encode_blobs(out, FRAME_SECTION_SIGNALS, parts->signals);
    return err;
}

static int encode_frame(struct buf *out, struct sha256 *hash, const struct frame_parts *parts,
                        const struct frame_link *link)
{
    size_t start = out->len;
    if ((parts->flags & ~FRAME_FLAGS_KNOWN) != 0)
        return ERR_RANGE;
    buf_append(out, FRAME_MAGIC, FRAME_MAGIC_BYTES);
    buf_put32(out, FRAME_HEADER_BYTES);
    buf_put32(out, parts->flags);
    buf_put64(out, link->epoch);
    buf_put64(out, link->seq);
    buf_put64(out, (uint64_t)parts->tick_ns);
    buf_put64(out, 0);
    buf_append(out, link->prev_hash.bytes, SHA256_BYTES);
    int err = encode_sections(out, parts);
    if (err != 0)
        return err;
    if (!buf_ok(out))
        return ERR_NOMEM;
    size_t len = out->len - start;
    if (len > FRAME_BYTES_MAX - SHA256_BYTES)
        return ERR_RANGE;
    bytes_put64(out->data + start + OFFSET_BODY_LEN, len - FRAME_HEADER_BYTES);
    err = sha256_of(hash, slice_of(out->data + start, len));
    if (err != 0)
        return err;
    buf_append(out, hash->bytes, SHA256_BYTES);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

int frame_encode(struct buf *out, struct sha256 *out_hash, const struct frame_parts *parts,
                 const struct frame_link *link)
{
    size_t before = out->len;
    struct sha256 hash = {0};
    if (!buf_ok(out))
        return ERR_NOMEM;
    int err = encode_frame(out, &hash, parts, link);
    if (err != 0) {
        out->len = before;
        out->failed = false;
        return err;
    }
    *out_hash = hash;
    return 0;
}

int frame_length(uint64_t *out_bytes, struct slice header, const char **why)
{
    assert(header.len >= FRAME_HEADER_BYTES);
    if (memcmp(header.data, FRAME_MAGIC, FRAME_MAGIC_BYTES) != 0) {
        *why = "no frame begins here (magic)";
        return ERR_CORRUPT;
    }
    if (bytes_get32(header.data + OFFSET_HEADER_LEN) != FRAME_HEADER_BYTES) {
        *why = "wrong length of the frame's header";
        return ERR_CORRUPT;
    }
    uint64_t body_len = bytes_get64(header.data + OFFSET_BODY_LEN);
    if (body_len > FRAME_BYTES_MAX - FRAME_BYTES_MIN) {
        *why = "wrong length of the frame's body";
        return ERR_CORRUPT;
    }
    *out_bytes = FRAME_BYTES_MIN + body_len;
    return 0;
}

uint64_t frame_header_seq(struct slice header)
{
    assert(header.len >= FRAME_HEADER_BYTES);
    return bytes_get64(header.data + OFFSET_SEQ);
}

/* Read one section into the view. ERR_FORMAT for what this program must not skip. */
static int decode_section(struct frame_view *out, uint32_t type, struct slice content,
                          const char **why)
{
    switch (type) {
    case FRAME_SECTION_PARTITIONS:
        *why = "bad section PARTITIONS";
        return items_of_entries(&out->entries, content);
    case FRAME_SECTION_ENVIRONMENT:
        *why = "bad section ENVIRONMENT";
        return items_of_envs(&out->envs, content);
    case FRAME_SECTION_WATERMARKS:
        *why = "bad section WATERMARKS";
        return items_of_watermarks(&out->watermarks, content);
    case FRAME_SECTION_BATCHES:
        *why = "bad section BATCHES";
        return items_of_blobs(&out->batches, content);
    case FRAME_SECTION_ALERTS:
        *why = "bad section ALERTS";
        return items_of_blobs(&out->alerts, content);
    case FRAME_SECTION_ORDER:
        *why = "bad section ORDER";
        return items_of_blobs(&out->order, content);
    case FRAME_SECTION_CONTROLS:
        *why = "bad section CONTROLS";
        return items_of_blobs(&out->controls, content);
    case FRAME_SECTION_SNAPSHOTS:
        *why = "bad section SNAPSHOTS";
        return items_of_blobs(&out->snapshots, content);
    case FRAME_SECTION_SIGNALS:
        *why = "bad section SIGNALS";
        return items_of_blobs(&out->signals, content);
    default:
        *why = "a required section that only a newer program knows";
        if ((type & FRAME_SECTION_REQUIRED) != 0)
            return ERR_FORMAT;
        out->skipped++;
        return 0;
    }
}

int frame_decode_sections(struct frame_view *out, struct slice body, const char **why)
{
    struct cursor c = {.rest = body};
    uint32_t last = 0;
    for (uint32_t count = 0; c.rest.len != 0; count++) {
        uint32_t type = cursor_take32(&c);
        struct slice content = cursor_take(&c, cursor_take64(&c));
        uint32_t number = type & ~FRAME_SECTION_REQUIRED;
        if (c.failed || count == FRAME_SECTIONS_MAX || number <= last) {
            *why = c.failed                      ? "a section longer than its frame"
                   : count == FRAME_SECTIONS_MAX ? "too many sections"
                                                 : "sections out of order";
            return ERR_CORRUPT;
        }
        int err = decode_section(out, type, content, why);
        if (err != 0)
            return err;
        last = number;
    }
    return 0;
}

static void decode_header(struct frame_view *out, struct slice bytes)
{
    const char *at = bytes.data;
    *out = (struct frame_view){
        .bytes = bytes,
        .link = {.epoch = bytes_get64(at + OFFSET_EPOCH), .seq = bytes_get64(at + OFFSET_SEQ)},
        .tick_ns = (int64_t)bytes_get64(at + OFFSET_TICK),
        .flags = bytes_get32(at + OFFSET_FLAGS),
    };
    memcpy(out->link.prev_hash.bytes, at + OFFSET_PREV_HASH, SHA256_BYTES);
    memcpy(out->hash.bytes, at + bytes.len - SHA256_BYTES, SHA256_BYTES);
}

static int decode_checked(struct frame_view *view, bool verify, const char **why)
{
    struct slice bytes = view->bytes;
    if (verify) {
        struct sha256 computed;
        int err = sha256_of(&computed, slice_of(bytes.data, bytes.len - SHA256_BYTES));
        if (err != 0)
            return err;
        if (!sha256_equal(&computed, &view->hash)) {
            *why = "the frame's checksum differs";
            return ERR_CORRUPT;
        }
    }
    if ((view->flags & FRAME_FLAGS_REQUIRED & ~FRAME_FLAGS_KNOWN) != 0) {
        *why = "a required flag that only a newer program knows";
        return ERR_FORMAT;
    }
    struct slice body = slice_of(bytes.data + FRAME_HEADER_BYTES, bytes.len - FRAME_BYTES_MIN);
    int err = frame_decode_sections(view, body, why);
    /* Bytes that pass the hash are what was written, so the fault is not the disk's. */
    return err == ERR_CORRUPT && verify ? ERR_FORMAT : err;
}

int frame_decode(struct frame_view *out, struct slice bytes, bool verify, const char **why)
{
    uint64_t len = 0;
    struct frame_view view;
    *why = "the frame ends early";
    if (bytes.len < FRAME_HEADER_BYTES)
        return ERR_AGAIN;
    int err = frame_length(&len, bytes, why);
    if (err != 0)
        return err;
    if (len > bytes.len)
        return ERR_AGAIN;
    decode_header(&view, slice_of(bytes.data, (size_t)len));
    err = decode_checked(&view, verify, why);
    if (err != 0)
        return err;
    *out = view;
    return 0;
}
