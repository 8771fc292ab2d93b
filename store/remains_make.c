/* The remains of a closed log file: read all of it, keep what rows do not need. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/hash.h"
#include "store/frame_items.h"
#include "store/remains.h"

enum {
    PACK_LEVEL = 9, /* written once, read for years */
    BODY_LEN_AT = 80,
};

/* The ranges of a partition so far; one run of DATA may still grow. */
struct joined {
    struct buf ranges;
    uint32_t count;
    int64_t start;
    int64_t data_from; /* of the run; == at: there is none */
    int64_t at;
};

struct making {
    const char *log_dir;
    struct diag *diag;
    char path[FILE_PATH_BYTES_MAX]; /* of the log file */
    struct file *file;
    struct log_file_header header;
    struct buf header_bytes;
    struct log_state state; /* up to the frame that was read last */
    bool has_state;
    struct buf frame; /* its bytes */
    uint64_t offset;  /* of the next */
    struct buf hashes;
    struct joined *joined; /* by the place of the partition in state.ends */
    size_t joined_count;
    size_t ranges_bytes;
    struct buf block; /* kept frames, unpacked */
    uint32_t block_frames;
    uint64_t block_first;
    struct buf blocks; /* packed */
    uint32_t block_count;
};

static int refuse(const struct making *m, int err, const char *why)
{
    diag_add(m->diag, m->path, 0, 0,
             "offset %" PRIu64 ", frame %" PRIu64 ": %s%s%s; the file stays as it is", m->offset,
             m->has_state ? m->state.seq + 1 : 0, why, err == ERR_IO ? ": " : "",
             err == ERR_IO ? strerrordesc_np(errno) : "");
    return err;
}

/* ------------------------------------------------------------------------------ ranges */

static void put_range(struct joined *j, int64_t from, int64_t to, const struct frame_range *named)
{
    buf_varint(&j->ranges, (uint64_t)(to - from));
    enum frame_range_kind kind = named == NULL ? FRAME_RANGE_DATA : named->kind;
    buf_byte(&j->ranges, (char)kind);
    if (named != NULL) {
        buf_put16(&j->ranges, (uint16_t)named->reason.len);
        buf_slice(&j->ranges, named->reason);
    }
    j->count++;
}

/* The run of DATA ends here. */
static void end_run(struct joined *j)
{
    if (j->data_from != j->at)
        put_range(j, j->data_from, j->at, NULL);
    j->data_from = j->at;
}

static int join_ranges(struct making *m, struct joined *j, const struct frame_entry_view *entry)
{
    struct frame_items ranges = entry->ranges;
    struct frame_range range;
    size_t before = j->ranges.len;
    while (frame_next_range(&range, &ranges)) {
        if (range.kind != FRAME_RANGE_DATA) {
            end_run(j);
            put_range(j, range.start, range.end, &range);
            j->data_from = range.end;
        }
        j->at = range.end;
    }
    m->ranges_bytes += j->ranges.len - before;
    return buf_ok(&j->ranges) ? 0 : ERR_NOMEM;
}

static int joined_of(struct joined **out, struct making *m, const struct frame_entry_view *entry)
{
    const struct partition_end *end = log_state_find(&m->state, entry->topic, entry->partition);
    size_t place = (size_t)(end - m->state.ends);
    if (place >= m->joined_count) {
        size_t count = m->state.end_count;
        struct joined *grown = realloc(m->joined, count * sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        memset(grown + m->joined_count, 0, (count - m->joined_count) * sizeof(*grown));
        m->joined = grown;
        m->joined_count = count;
    }
    struct joined *j = &m->joined[place];
    if (j->at == j->start && j->count == 0) {
        j->start = entry->off_start;
        j->data_from = entry->off_start;
        j->at = entry->off_start;
    }
    *out = j;
    return 0;
}

static int take_entries(struct making *m, const struct frame_view *frame)
{
    struct frame_items entries = frame->entries;
    struct frame_entry_view entry;
    int err = 0;
    while (err == 0 && frame_next_entry(&entry, &entries)) {
        struct joined *j = NULL;
        err = joined_of(&j, m, &entry);
        if (err == 0)
            err = join_ranges(m, j, &entry);
    }
    return err;
}

/* ------------------------------------------------------------------------------ kept frames */

/* Rows have them, or need them to be judged again; all others stay, those of later programs too. */
static bool section_goes(uint32_t type)
{
    return type == FRAME_SECTION_PARTITIONS || type == FRAME_SECTION_WATERMARKS ||
           type == FRAME_SECTION_BATCHES || type == FRAME_SECTION_ORDER ||
           type == FRAME_SECTION_SNAPSHOTS || type == FRAME_SECTION_SIGNALS;
}

static int end_block(struct making *m)
{
    size_t bound = ZSTD_compressBound(m->block.len);
    if (m->block_frames == 0)
        return 0;
    if (!buf_ok(&m->block))
        return ERR_NOMEM;
    buf_put64(&m->blocks, m->block_first);
    buf_put32(&m->blocks, m->block_frames);
    buf_put32(&m->blocks, (uint32_t)m->block.len);
    buf_put32(&m->blocks, 0);
    buf_put64(&m->blocks, 0);
    size_t head = m->blocks.len;
    char *to = buf_reserve(&m->blocks, bound);
    size_t len = to == NULL ? 0 : ZSTD_compress(to, bound, m->block.data, m->block.len, PACK_LEVEL);
    if (to == NULL || ZSTD_isError(len))
        return ERR_NOMEM;
    if (len > UINT32_MAX)
        return ERR_RANGE;
    m->blocks.len += len;
    bytes_put32(m->blocks.data + head - 12, (uint32_t)len);
    bytes_put64(m->blocks.data + head - 8, hash_slice(m->block_first, slice_of(to, len)));
    m->block_count++;
    m->block_frames = 0;
    buf_reset(&m->block);
    return 0;
}

/* The frame's sections but those that go; nothing where none is left. */
static int keep_frame(struct making *m, const struct frame_view *frame)
{
    struct cursor c = {.rest = slice_of(frame->bytes.data + FRAME_HEADER_BYTES,
                                        frame->bytes.len - FRAME_BYTES_MIN)};
    size_t start = m->block.len;
    buf_put64(&m->block, frame->link.seq);
    buf_put64(&m->block, frame->link.epoch);
    buf_put64(&m->block, (uint64_t)frame->tick_ns);
    buf_put32(&m->block, frame->flags);
    buf_put64(&m->block, 0);
    size_t body = m->block.len;
    while (c.rest.len != 0) {
        uint32_t type = cursor_take32(&c);
        struct slice content = cursor_take(&c, cursor_take64(&c));
        if (section_goes(type))
            continue;
        buf_put32(&m->block, type);
        buf_put64(&m->block, content.len);
        buf_slice(&m->block, content);
    }
    if (!buf_ok(&m->block))
        return ERR_NOMEM;
    if (m->block.len == body) {
        m->block.len = start;
        return 0;
    }
    bytes_put64(m->block.data + body - sizeof(uint64_t), m->block.len - body);
    if (m->block_frames++ == 0)
        m->block_first = frame->link.seq;
    return m->block.len >= REMAINS_BLOCK_BYTES ? end_block(m) : 0;
}

/* ------------------------------------------------------------------------------ the log file */

static int read_bytes(struct making *m, size_t len, const char **why)
{
    size_t got = 0;
    buf_reset(&m->frame);
    char *to = buf_reserve(&m->frame, len);
    *why = "out of memory";
    if (to == NULL)
        return ERR_NOMEM;
    *why = "the file cannot be read";
    int err = file_read_at(&got, m->file, m->offset, to, len);
    *why = err == 0 && got != len ? "the last frame of a closed file ends early" : *why;
    m->frame.len = got;
    return err == 0 && got != len ? ERR_CORRUPT : err;
}

static int take_frame(struct making *m, const char **why)
{
    struct frame_view frame;
    uint64_t len = 0;
    int err = read_bytes(m, FRAME_HEADER_BYTES, why);
    if (err == 0)
        err = frame_length(&len, buf_content(&m->frame), why);
    if (err == 0)
        err = read_bytes(m, (size_t)len, why);
    if (err == 0)
        err = frame_decode(&frame, buf_content(&m->frame), true, why);
    if (err == 0)
        err = log_state_apply(&m->state, &frame, why);
    if (err != 0)
        return err;
    *why = "out of memory";
    buf_append(&m->hashes, frame.hash.bytes, SHA256_BYTES);
    err = take_entries(m, &frame);
    if (err == 0)
        err = keep_frame(m, &frame);
    if (err == 0 && m->ranges_bytes > REMAINS_RANGES_BYTES_MAX / 2) {
        *why = "more ranges of offsets than remains can hold";
        err = ERR_RANGE;
    }
    m->offset += len;
    return err;
}

static int read_file(struct making *m)
{
    const char *why = "the file is missing or cannot be opened";
    int err = file_open(&m->file, m->path, FILE_READ);
    if (err == 0)
        err = log_file_header_read(&m->header, &m->header_bytes, m->file, &why);
    if (err == 0)
        err = log_file_state(&m->state, &m->header, &why);
    m->has_state = err == 0;
    if (err == 0)
        m->offset = m->header.bytes;
    while (err == 0 && m->offset < file_end(m->file))
        err = take_frame(m, &why);
    if (err == 0)
        err = end_block(m);
    if (err == 0 && m->state.seq < m->header.first_seq) {
        why = "the file has no frame";
        err = ERR_CORRUPT;
    }
    return err == 0 ? 0 : refuse(m, err, why);
}

/* The header behind the last frame must be what this file's frames add up to. */
static int check_next(struct making *m)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    struct buf theirs = {0};
    struct buf ours = {0};
    struct log_file_header header;
    const char *why = "the file behind it is missing or cannot be opened";
    int err = log_file_path(path, sizeof(path), m->log_dir, m->state.seq + 1);
    if (err == 0)
        err = file_open(&f, path, FILE_READ);
    if (err == 0)
        err = log_file_header_read(&header, &theirs, f, &why);
    if (err == 0)
        err = log_file_header_encode(&ours, m->header.store_id, &m->state);
    if (err == 0 && !slice_equal(slice_of(theirs.data, header.bytes), buf_content(&ours))) {
        why = "the header of the file behind it does not follow its frames";
        err = ERR_CORRUPT;
    }
    file_close(f);
    buf_release(&theirs);
    buf_release(&ours);
    return err == 0 ? 0 : refuse(m, err, why);
}

/* ------------------------------------------------------------------------------ the remains */

static size_t section_begin(struct buf *out, uint32_t type)
{
    buf_put32(out, type);
    buf_put64(out, 0);
    return out->len;
}

static void section_end(struct buf *out, size_t content)
{
    if (buf_ok(out))
        bytes_put64(out->data + content - sizeof(uint64_t), out->len - content);
}

/* A partition that this file consumed of. */
struct named {
    const struct partition_end *end;
    struct joined *joined;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    int order = slice_compare(x->end->topic, y->end->topic);
    return order != 0
               ? order
               : (x->end->partition > y->end->partition) - (x->end->partition < y->end->partition);
}

static int put_ranges(struct making *m, struct buf *raw)
{
    uint32_t count = 0;
    struct named *names = calloc(m->joined_count + 1, sizeof(*names));
    if (names == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < m->joined_count; i++) {
        struct joined *j = &m->joined[i];
        end_run(j);
        if (j->count != 0)
            names[count++] = (struct named){&m->state.ends[i], j};
    }
    qsort(names, count, sizeof(*names), compare_named);
    buf_put32(raw, count);
    for (uint32_t i = 0; i < count; i++) {
        buf_put16(raw, (uint16_t)names[i].end->topic.len);
        buf_slice(raw, names[i].end->topic);
        buf_put32(raw, (uint32_t)names[i].end->partition);
        buf_put64(raw, (uint64_t)names[i].joined->start);
        buf_put32(raw, names[i].joined->count);
        buf_slice(raw, buf_content(&names[i].joined->ranges));
        raw->failed = raw->failed || !buf_ok(&names[i].joined->ranges);
    }
    free(names);
    return buf_ok(raw) ? 0 : ERR_NOMEM;
}

static int pack_ranges(struct making *m, struct buf *out)
{
    struct buf raw = {0};
    int err = put_ranges(m, &raw);
    size_t bound = ZSTD_compressBound(raw.len);
    size_t content = section_begin(out, REMAINS_SECTION_RANGES);
    buf_put64(out, raw.len);
    char *to = err == 0 ? buf_reserve(out, bound) : NULL;
    size_t len = to == NULL ? 0 : ZSTD_compress(to, bound, raw.data, raw.len, PACK_LEVEL);
    if (err == 0 && (to == NULL || ZSTD_isError(len)))
        err = ERR_NOMEM;
    if (err == 0)
        out->len += len;
    section_end(out, content);
    buf_release(&raw);
    return err;
}

static void put_header(const struct making *m, struct buf *out)
{
    buf_append(out, REMAINS_MAGIC, sizeof(REMAINS_MAGIC) - 1);
    buf_put32(out, REMAINS_HEADER_BYTES);
    buf_put32(out, REMAINS_VERSION);
    buf_append(out, m->header.store_id, STORE_ID_BYTES);
    buf_put64(out, m->header.first_seq);
    buf_put64(out, m->state.seq);
    buf_put64(out, m->header.epoch);
    buf_put64(out, (uint64_t)m->header.tick_ns);
    buf_put64(out, m->state.epoch);
    buf_put64(out, (uint64_t)m->state.tick_ns);
    buf_put64(out, 0);
    buf_append(out, m->header.last_hash.bytes, SHA256_BYTES);
    buf_append(out, m->state.hash.bytes, SHA256_BYTES);
    buf_append(out, (const char[SHA256_BYTES]){0}, SHA256_BYTES);
}

/* Put the hash of all bytes before `at` there. */
static int put_hash(struct buf *out, size_t at)
{
    struct sha256 hash;
    int err = sha256_of(&hash, slice_of(out->data, at));
    if (err == 0)
        memcpy(out->data + at, hash.bytes, SHA256_BYTES);
    return err;
}

static int encode(struct making *m, struct buf *out)
{
    put_header(m, out);
    size_t content = section_begin(out, REMAINS_SECTION_HASHES);
    buf_slice(out, buf_content(&m->hashes));
    section_end(out, content);
    int err = pack_ranges(m, out);
    content = section_begin(out, REMAINS_SECTION_FRAMES);
    buf_put32(out, m->block_count);
    buf_slice(out, buf_content(&m->blocks));
    section_end(out, content);
    size_t body = out->len - REMAINS_HEADER_BYTES;
    buf_append(out, (const char[SHA256_BYTES]){0}, SHA256_BYTES);
    if (err == 0 && (!buf_ok(out) || !buf_ok(&m->hashes) || !buf_ok(&m->blocks)))
        err = ERR_NOMEM;
    if (err != 0)
        return err;
    bytes_put64(out->data + BODY_LEN_AT, body);
    err = put_hash(out, REMAINS_HEADER_FIXED_BYTES);
    return err == 0 ? put_hash(out, out->len - SHA256_BYTES) : err;
}

static int write_remains(struct making *m, struct slice content)
{
    char path[FILE_PATH_BYTES_MAX];
    int err = remains_path(path, sizeof(path), m->log_dir, m->header.first_seq);
    failpoint("retire.before_write");
    if (err == 0)
        err = file_write_atomic(path, content);
    failpoint("retire.after_write");
    if (err == 0)
        return 0;
    bool full = err == ERR_IO && file_no_space();
    diag_add(m->diag, path, 0, 0, "cannot be written: %s; nothing was removed",
             err == ERR_IO ? strerrordesc_np(errno) : err_name(err));
    return full ? ERR_AGAIN : err;
}

static void release(struct making *m)
{
    file_close(m->file);
    if (m->has_state)
        log_state_release(&m->state);
    for (size_t i = 0; i < m->joined_count; i++)
        buf_release(&m->joined[i].ranges);
    free(m->joined);
    buf_release(&m->header_bytes);
    buf_release(&m->frame);
    buf_release(&m->hashes);
    buf_release(&m->block);
    buf_release(&m->blocks);
}

int remains_make(const char *log_dir, uint64_t first_seq, struct diag *diag)
{
    struct making m = {.log_dir = log_dir, .diag = diag};
    struct buf out = {0};
    int err = log_file_path(m.path, sizeof(m.path), log_dir, first_seq);
    if (err == 0)
        err = read_file(&m);
    if (err == 0)
        err = check_next(&m);
    if (err == 0) {
        err = encode(&m, &out);
        if (err != 0)
            (void)refuse(&m, err, "its remains cannot be put together");
    }
    if (err == 0)
        err = write_remains(&m, buf_content(&out));
    buf_release(&out);
    release(&m);
    return err;
}
