#include "store/remains.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "store/frame_items.h"
#include "store/reader.h"

enum {
    MAGIC_BYTES = 8,
    SECTIONS_MAX = 64,
};
static_assert(sizeof(REMAINS_MAGIC) - 1 == MAGIC_BYTES, "magic[8]");

/* A block of the section FRAMES, still packed. */
struct block {
    uint64_t first_seq;
    uint32_t frames;
    uint32_t raw_bytes;
    uint64_t checksum;
    struct slice packed;
};

/* Between two kept frames of the unpacked block. */
struct kept_place {
    struct slice rest;
    uint32_t frames_left; /* in the block */
    uint64_t last_seq;    /* of the kept frame before; at first: first_seq - 1 */
    uint64_t last_epoch;
    int64_t last_tick_ns;
};

struct remains {
    char path[FILE_PATH_BYTES_MAX];
    struct remains_head head;
    struct slice map;
    struct slice hashes;
    struct slice ranges; /* packed */
    struct slice frames; /* the whole section */
    struct cursor blocks;
    uint32_t blocks_left;    /* behind the one that is unpacked */
    struct buf raw;          /* the block that is unpacked */
    uint64_t raw_base;       /* bytes of the blocks before it */
    struct kept_place block; /* where it begins */
    struct kept_place place;
    struct buf raw_ranges;
    struct cursor partitions;
    uint32_t partitions_left;
};

int remains_path(char *out, size_t cap, const char *log_dir, uint64_t first_seq)
{
    int len = snprintf(out, cap, "%s/%016" PRIx64 ".rem", log_dir, first_seq);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

int remains_list(struct log_file_list *out, struct arena *arena, const char *log_dir)
{
    return log_file_list_named(out, arena, log_dir, ".rem");
}

/* ------------------------------------------------------------------------------ the header */

static void take_hash(struct sha256 *out, struct cursor *c)
{
    struct slice bytes = cursor_take(c, SHA256_BYTES);
    if (!c->failed)
        memcpy(out->bytes, bytes.data, SHA256_BYTES);
}

/* Whether the last `SHA256_BYTES` bytes are the hash of the others. */
static int check_hash(struct slice bytes, const char **why)
{
    struct sha256 hash;
    size_t hashed = bytes.len - SHA256_BYTES;
    int err = sha256_of(&hash, slice_of(bytes.data, hashed));
    if (err == 0 && memcmp(hash.bytes, bytes.data + hashed, SHA256_BYTES) != 0) {
        *why = "the checksum of the remains differs";
        err = ERR_CORRUPT;
    }
    return err;
}

static int head_decode(struct remains_head *out, struct slice bytes, const char **why)
{
    struct cursor c = {.rest = bytes};
    struct remains_head head = {0};
    *why = "no remains of a log file (magic)";
    if (!slice_equal(cursor_take(&c, MAGIC_BYTES), SLICE(REMAINS_MAGIC)) ||
        cursor_take32(&c) != REMAINS_HEADER_BYTES)
        return ERR_CORRUPT;
    uint32_t version = cursor_take32(&c);
    int err = check_hash(bytes, why);
    if (err != 0)
        return err;
    *why = "the remains are of another version of the format";
    if (version != REMAINS_VERSION)
        return ERR_FORMAT;
    struct slice store_id = cursor_take(&c, STORE_ID_BYTES);
    head.first_seq = cursor_take64(&c);
    head.last_seq = cursor_take64(&c);
    head.prev_epoch = cursor_take64(&c);
    head.prev_tick_ns = (int64_t)cursor_take64(&c);
    head.epoch = cursor_take64(&c);
    head.tick_ns = (int64_t)cursor_take64(&c);
    head.body_bytes = cursor_take64(&c);
    take_hash(&head.prev_hash, &c);
    take_hash(&head.last_hash, &c);
    *why = "the header of the remains contradicts itself";
    if (c.failed || head.first_seq == 0 || head.last_seq < head.first_seq ||
        head.last_seq == UINT64_MAX || head.epoch < head.prev_epoch ||
        head.tick_ns < head.prev_tick_ns || head.body_bytes > SIZE_MAX - REMAINS_BYTES_MIN)
        return ERR_FORMAT;
    memcpy(head.store_id, store_id.data, STORE_ID_BYTES);
    *out = head;
    return 0;
}

int remains_head_read(struct remains_head *out, struct file *f, const char **why)
{
    char bytes[REMAINS_HEADER_BYTES];
    struct remains_head head;
    uint64_t size = 0;
    size_t got = 0;
    *why = "the file cannot be read";
    int err = file_read_at(&got, f, 0, bytes, sizeof(bytes));
    if (err == 0)
        err = file_size(&size, f);
    if (err != 0)
        return err;
    *why = "the remains end within their header";
    if (got < sizeof(bytes))
        return ERR_CORRUPT;
    err = head_decode(&head, slice_of(bytes, sizeof(bytes)), why);
    if (err == 0 && size != head.body_bytes + REMAINS_BYTES_MIN) {
        *why = "the remains have another length than they say";
        err = ERR_CORRUPT;
    }
    if (err == 0)
        *out = head;
    return err;
}

const char *remains_misjoined(const struct remains_head *head, const struct log_file_header *next)
{
    if (memcmp(head->store_id, next->store_id, STORE_ID_BYTES) != 0)
        return "the file belongs to another store than the remains before it";
    if (next->first_seq != head->last_seq + 1)
        return "frames are missing between the remains and this file";
    if (!sha256_equal(&next->last_hash, &head->last_hash))
        return "the chain of hashes is broken between the remains and this file";
    if (next->epoch != head->epoch || next->tick_ns != head->tick_ns)
        return "epoch or tick of the file's header are not those of the remains before it";
    return NULL;
}

/* The newest remains before a log file, and whether there are some of frame 1. */
static int find_before(uint64_t *newest, bool *from_start, const char *log_dir, uint64_t seq)
{
    struct arena arena = {0};
    struct log_file_list list = {0};
    int err = remains_list(&list, &arena, log_dir);
    *newest = 0;
    for (size_t i = 0; err == 0 && i < list.count; i++) {
        if (list.first_seqs[i] < seq)
            *newest = list.first_seqs[i];
    }
    *from_start = err == 0 && list.count != 0 && list.first_seqs[0] == 1;
    arena_release(&arena);
    return err;
}

int remains_explain(bool *out, const char *log_dir, const struct log_file_header *first)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    struct remains_head head;
    const char *why = NULL;
    uint64_t newest = 0;
    bool from_start = false;
    int err = find_before(&newest, &from_start, log_dir, first->first_seq);
    *out = false;
    if (err != 0 || newest == 0 || !from_start)
        return err;
    err = remains_path(path, sizeof(path), log_dir, newest);
    if (err == 0)
        err = file_open(&f, path, FILE_READ);
    if (err == 0)
        err = remains_head_read(&head, f, &why);
    file_close(f);
    if (err == 0)
        *out = head.first_seq == newest && remains_misjoined(&head, first) == NULL;
    return err == ERR_CORRUPT || err == ERR_FORMAT || err == ERR_NOTFOUND ? 0 : err;
}

/* ------------------------------------------------------------------------------ sections */

/* One zstd frame of so many bytes unpacked. */
static int unpack(struct buf *out, struct slice packed, uint64_t raw_bytes, uint64_t limit)
{
    if (raw_bytes > limit || ZSTD_getFrameContentSize(packed.data, packed.len) != raw_bytes)
        return ERR_CORRUPT;
    buf_reset(out);
    char *to = buf_reserve(out, (size_t)raw_bytes + 1);
    if (to == NULL)
        return ERR_NOMEM;
    size_t len = ZSTD_decompress(to, (size_t)raw_bytes, packed.data, packed.len);
    if (ZSTD_isError(len) || len != raw_bytes)
        return ERR_CORRUPT;
    out->len = len;
    return 0;
}

static int take_section(struct remains *r, uint32_t type, struct slice content, const char **why)
{
    if (type == REMAINS_SECTION_HASHES)
        r->hashes = content;
    else if (type == REMAINS_SECTION_RANGES)
        r->ranges = content;
    else if (type == REMAINS_SECTION_FRAMES)
        r->frames = content;
    else if ((type & FRAME_SECTION_REQUIRED) != 0) {
        *why = "a required section of the remains that only a newer program knows";
        return ERR_FORMAT;
    }
    return 0;
}

static int take_sections(struct remains *r, struct slice bytes, const char **why)
{
    struct cursor c = {.rest =
                           slice_of(bytes.data + REMAINS_HEADER_BYTES, (size_t)r->head.body_bytes)};
    uint32_t last = 0;
    for (uint32_t count = 0; c.rest.len != 0; count++) {
        uint32_t type = cursor_take32(&c);
        struct slice content = cursor_take(&c, cursor_take64(&c));
        uint32_t number = type & ~FRAME_SECTION_REQUIRED;
        *why = "the sections of the remains are not in order";
        if (c.failed || count == SECTIONS_MAX || number <= last)
            return ERR_CORRUPT;
        int err = take_section(r, type, content, why);
        if (err != 0)
            return err;
        last = number;
    }
    uint64_t count = r->head.last_seq - r->head.first_seq + 1;
    *why = "the remains have not the hash of every frame";
    if (r->hashes.len % SHA256_BYTES != 0 || r->hashes.len / SHA256_BYTES != count)
        return ERR_CORRUPT;
    struct sha256 last_hash = remains_hash(r, r->head.last_seq);
    *why = "the last hash of the remains is not that of their last frame";
    if (!sha256_equal(&last_hash, &r->head.last_hash))
        return ERR_CORRUPT;
    *why = "a section of the remains is missing";
    return r->ranges.len == 0 || r->frames.len == 0 ? ERR_CORRUPT : 0;
}

/* To the first kept frame. */
static int rewind_frames(struct remains *r, const char **why)
{
    r->blocks = (struct cursor){.rest = r->frames};
    r->blocks_left = cursor_take32(&r->blocks);
    buf_reset(&r->raw);
    r->raw_base = 0;
    r->place = (struct kept_place){.last_seq = r->head.first_seq - 1,
                                   .last_epoch = r->head.prev_epoch,
                                   .last_tick_ns = r->head.prev_tick_ns};
    *why = "the kept frames end early";
    return r->blocks.failed ? ERR_CORRUPT : 0;
}

/* Everything but the inside of ranges and blocks. */
static int take_bytes(struct remains *r, struct slice bytes, bool verify, const char **why)
{
    *why = "the remains end within their header";
    if (bytes.len < REMAINS_HEADER_BYTES)
        return ERR_CORRUPT;
    int err = head_decode(&r->head, slice_of(bytes.data, REMAINS_HEADER_BYTES), why);
    if (err == 0 && bytes.len != r->head.body_bytes + REMAINS_BYTES_MIN) {
        *why = "the remains have another length than they say";
        err = ERR_CORRUPT;
    }
    if (err == 0 && verify)
        err = check_hash(bytes, why);
    if (err == 0)
        err = take_sections(r, bytes, why);
    return err == 0 ? rewind_frames(r, why) : err;
}

static int open_file(struct remains *r, uint64_t first_seq, bool verify, const char **why)
{
    struct file *f = NULL;
    *why = "the file is missing or cannot be opened";
    int err = file_open(&f, r->path, FILE_READ);
    if (err == 0) {
        *why = "the file cannot be mapped";
        err = file_map(&r->map, f);
    }
    file_close(f);
    if (err == 0)
        err = take_bytes(r, r->map, verify, why);
    if (err == 0 && r->head.first_seq != first_seq) {
        *why = "the file has the name of another";
        err = ERR_CORRUPT;
    }
    return err;
}

int remains_open(struct remains **out, const char *log_dir, uint64_t first_seq, bool verify,
                 const char **why)
{
    struct remains *r = calloc(1, sizeof(*r));
    *why = "out of memory";
    if (r == NULL)
        return ERR_NOMEM;
    int err = remains_path(r->path, sizeof(r->path), log_dir, first_seq);
    if (err == 0)
        err = open_file(r, first_seq, verify, why);
    if (err != 0) {
        remains_close(r);
        return err;
    }
    *out = r;
    return 0;
}

int remains_of(struct remains **out, struct slice bytes, bool verify, const char **why)
{
    struct remains *r = calloc(1, sizeof(*r));
    *why = "out of memory";
    if (r == NULL)
        return ERR_NOMEM;
    int err = take_bytes(r, bytes, verify, why);
    if (err != 0) {
        remains_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void remains_close(struct remains *r)
{
    if (r == NULL)
        return;
    file_unmap(r->map);
    buf_release(&r->raw);
    buf_release(&r->raw_ranges);
    free(r);
}

const char *remains_name(const struct remains *r)
{
    return r->path;
}

const struct remains_head *remains_head(const struct remains *r)
{
    return &r->head;
}

struct sha256 remains_hash(const struct remains *r, uint64_t seq)
{
    struct sha256 hash;
    assert(seq >= r->head.first_seq && seq <= r->head.last_seq);
    memcpy(hash.bytes, r->hashes.data + (size_t)(seq - r->head.first_seq) * SHA256_BYTES,
           SHA256_BYTES);
    return hash;
}

/* ------------------------------------------------------------------------------ kept frames */

static bool take_block(struct block *out, struct cursor *c)
{
    out->first_seq = cursor_take64(c);
    out->frames = cursor_take32(c);
    out->raw_bytes = cursor_take32(c);
    uint32_t packed = cursor_take32(c);
    out->checksum = cursor_take64(c);
    out->packed = cursor_take(c, packed);
    return !c->failed && out->frames != 0;
}

/* Unpack the next block; there must be one. */
static int next_block(struct remains *r, const char **why)
{
    struct block b;
    struct cursor behind = r->blocks;
    *why = "the kept frames end early";
    if (!take_block(&b, &behind))
        return ERR_CORRUPT;
    *why = "a block of kept frames is damaged";
    if (hash_slice(b.first_seq, b.packed) != b.checksum)
        return ERR_CORRUPT;
    r->raw_base += r->raw.len;
    r->place.rest = slice_of(NULL, 0);
    int err = unpack(&r->raw, b.packed, b.raw_bytes, REMAINS_BLOCK_BYTES_MAX);
    if (err != 0)
        return err;
    r->blocks = behind;
    r->blocks_left--;
    r->place.frames_left = b.frames;
    r->place.rest = buf_content(&r->raw);
    r->block = r->place;
    return 0;
}

/* Whether the frame can be where it stands, and has nothing that remains do not hold. */
static bool kept_frame_fits(const struct remains *r, const struct frame_view *view)
{
    const struct kept_place *p = &r->place;
    return view->link.seq > p->last_seq && view->link.seq <= r->head.last_seq &&
           view->link.epoch >= p->last_epoch && view->link.epoch <= r->head.epoch &&
           view->tick_ns >= p->last_tick_ns && view->tick_ns <= r->head.tick_ns &&
           view->entries.left == 0 && view->batches.left == 0;
}

/* Take the frame at the place, which moves behind it on success only. */
static int take_frame(struct frame_view *out, struct remains *r, const char **why)
{
    struct cursor c = {.rest = r->place.rest};
    struct frame_view view = {.remains = true};
    const char *begin = c.rest.data;
    view.link.seq = cursor_take64(&c);
    view.link.epoch = cursor_take64(&c);
    view.tick_ns = (int64_t)cursor_take64(&c);
    view.flags = cursor_take32(&c);
    struct slice body = cursor_take(&c, cursor_take64(&c));
    *why = "a kept frame ends early";
    if (c.failed)
        return ERR_CORRUPT;
    view.bytes = slice_of(begin, REMAINS_FRAME_HEADER_BYTES + body.len);
    *why = "a required flag that only a newer program knows";
    if ((view.flags & FRAME_FLAGS_REQUIRED & ~FRAME_FLAGS_KNOWN) != 0)
        return ERR_FORMAT;
    int err = frame_decode_sections(&view, body, why);
    if (err != 0)
        return err;
    *why = "a kept frame does not follow";
    if (!kept_frame_fits(r, &view))
        return ERR_CORRUPT;
    view.hash = remains_hash(r, view.link.seq);
    view.link.prev_hash =
        view.link.seq == r->head.first_seq ? r->head.prev_hash : remains_hash(r, view.link.seq - 1);
    r->place = (struct kept_place){.rest = c.rest,
                                   .frames_left = r->place.frames_left - 1,
                                   .last_seq = view.link.seq,
                                   .last_epoch = view.link.epoch,
                                   .last_tick_ns = view.tick_ns};
    *out = view;
    return 0;
}

/* Unpack a block where the one before is read. ERR_AGAIN: there is none. */
static int enter_block(struct remains *r, const char **why)
{
    *why = "bytes behind the kept frames";
    if (r->place.frames_left == 0 && r->place.rest.len != 0)
        return ERR_CORRUPT;
    if (r->place.frames_left == 0 && r->blocks_left == 0)
        return r->blocks.rest.len == 0 ? ERR_AGAIN : ERR_CORRUPT;
    return r->place.frames_left == 0 ? next_block(r, why) : 0;
}

int remains_next(struct frame_view *out, struct remains *r, const char **why)
{
    int err = enter_block(r, why);
    return err == 0 ? take_frame(out, r, why) : err;
}

/* Pass over blocks whose successor does not begin behind `seq`, unpacking none. */
static int skip_blocks(struct remains *r, uint64_t seq)
{
    while (r->blocks_left != 0) {
        struct cursor c = r->blocks;
        struct block next;
        if (!take_block(&next, &c))
            return ERR_CORRUPT;
        if (next.first_seq > seq)
            break;
        /* What is left of the block before is not needed; nor is this one, if the next says so. */
        struct cursor behind = c;
        struct block after;
        r->place.frames_left = 0;
        r->place.rest = slice_of(NULL, 0);
        if (r->blocks_left == 1)
            break;
        if (!take_block(&after, &c))
            return ERR_CORRUPT;
        if (after.first_seq > seq)
            break;
        r->raw_base += next.raw_bytes;
        r->blocks = behind;
        r->blocks_left--;
    }
    return 0;
}

int remains_seek(struct remains *r, uint64_t seq, const char **why)
{
    int err = 0;
    if (r->raw.len != 0 && seq > r->block.last_seq && seq <= r->place.last_seq)
        r->place = r->block;
    else if (seq <= r->place.last_seq)
        err = rewind_frames(r, why);
    *why = "a block of kept frames is damaged";
    if (err == 0)
        err = skip_blocks(r, seq);
    while (err == 0 && (err = enter_block(r, why)) == 0) {
        const struct kept_place before = r->place;
        struct frame_view view;
        err = take_frame(&view, r, why);
        if (err == 0 && view.link.seq >= seq) {
            r->place = before;
            return 0;
        }
    }
    return err == ERR_AGAIN ? 0 : err;
}

uint64_t remains_offset(const struct remains *r)
{
    return r->raw_base + (r->raw.len - r->place.rest.len);
}

/* ------------------------------------------------------------------------------ ranges */

static struct frame_range take_range(struct cursor *c, int64_t at)
{
    struct reader in = reader_of(c->rest);
    struct frame_range range = {.start = at};
    uint64_t len = reader_varint(&in, INT64_MAX);
    range.kind = (enum frame_range_kind)reader_get8(&in);
    if (range.kind != FRAME_RANGE_DATA)
        range.reason = reader_bytes(&in, reader_get16(&in));
    c->failed = c->failed || in.failed || len == 0 || __builtin_add_overflow(at, len, &range.end);
    c->rest = slice_of(in.at, reader_left(&in));
    return range;
}

static bool range_valid(const struct frame_range *range, enum frame_range_kind before)
{
    return range->kind < FRAME_RANGE_KIND_COUNT && range->reason.len <= FRAME_REASON_BYTES_MAX &&
           (range->kind == FRAME_RANGE_DATA) == (range->reason.len == 0) &&
           (range->kind != FRAME_RANGE_DATA || before != FRAME_RANGE_DATA);
}

/* The partition at the cursor, which moves behind its ranges. False when they are not well formed. */
static bool take_partition(struct remains_partition *out, struct cursor *c)
{
    struct remains_partition p = {.topic = cursor_take(c, cursor_take16(c))};
    enum frame_range_kind before = FRAME_RANGE_KIND_COUNT;
    p.partition = (int32_t)cursor_take32(c);
    p.start = (int64_t)cursor_take64(c);
    p.range_count = cursor_take32(c);
    p.at = p.start;
    p.end = p.start;
    p.rest = c->rest;
    if (c->failed || p.topic.len == 0 || p.topic.len > FRAME_TOPIC_BYTES_MAX || p.partition < 0 ||
        p.start < 0 || p.range_count == 0)
        return false;
    for (uint32_t i = 0; i < p.range_count; i++) {
        struct frame_range range = take_range(c, p.end);
        if (c->failed || !range_valid(&range, before))
            return false;
        before = range.kind;
        p.end = range.end;
    }
    *out = p;
    return true;
}

static bool in_order(const struct remains_partition *a, const struct remains_partition *b)
{
    int order = slice_compare(a->topic, b->topic);
    return order < 0 || (order == 0 && a->partition < b->partition);
}

static bool partitions_valid(struct cursor c, uint32_t count)
{
    struct remains_partition last = {0};
    struct remains_partition p;
    if (c.failed || count > LOG_PARTITIONS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_partition(&p, &c) || (i != 0 && !in_order(&last, &p)))
            return false;
        last = p;
    }
    return c.rest.len == 0;
}

int remains_ranges(uint32_t *count, struct remains *r, const char **why)
{
    struct cursor packed = {.rest = r->ranges};
    uint64_t raw_bytes = cursor_take64(&packed);
    *why = "the ranges of the remains cannot be unpacked";
    int err = packed.failed
                  ? ERR_CORRUPT
                  : unpack(&r->raw_ranges, packed.rest, raw_bytes, REMAINS_RANGES_BYTES_MAX);
    if (err != 0)
        return err;
    struct cursor c = {.rest = buf_content(&r->raw_ranges)};
    uint32_t found = cursor_take32(&c);
    *why = "the ranges of the remains are not well formed";
    if (!partitions_valid(c, found))
        return ERR_CORRUPT;
    r->partitions = c;
    r->partitions_left = found;
    *count = found;
    return 0;
}

bool remains_next_partition(struct remains_partition *out, struct remains *r)
{
    if (r->partitions_left == 0)
        return false;
    r->partitions_left--;
    bool valid = take_partition(out, &r->partitions);
    assert(valid);
    return valid;
}

bool remains_next_range(struct frame_range *out, struct remains_partition *p)
{
    struct cursor c = {.rest = p->rest};
    if (p->range_count == 0)
        return false;
    *out = take_range(&c, p->at);
    assert(!c.failed);
    p->range_count--;
    p->at = out->end;
    p->rest = c.rest;
    return true;
}

static const char *misplaced(const struct log_state *s, const struct remains_head *head)
{
    if (head->first_seq != s->seq + 1)
        return "the remains do not begin where the ones before end";
    if (!sha256_equal(&head->prev_hash, &s->hash))
        return "the chain of hashes is broken before the remains";
    if (head->prev_epoch != s->epoch || head->prev_tick_ns != s->tick_ns)
        return "epoch or tick of the remains are not those of the frame before them";
    return NULL;
}

int remains_apply(struct log_state *s, struct remains *r, const char **why)
{
    const struct remains_head *head = &r->head;
    struct remains_partition p;
    uint32_t count = 0;
    const char *wrong = misplaced(s, head);
    if (wrong != NULL) {
        *why = wrong;
        return ERR_CORRUPT;
    }
    int err = remains_ranges(&count, r, why);
    while (err == 0 && remains_next_partition(&p, r)) {
        *why = "the offsets of a partition do not follow the remains before";
        err = log_state_stage(s, p.topic, p.partition, p.start, p.end);
    }
    if (err != 0) {
        log_state_abandon(s);
        return err == ERR_RANGE ? ERR_CORRUPT : err;
    }
    const struct frame_link link = {.epoch = head->epoch, .seq = head->last_seq};
    log_state_commit(s, &link, head->tick_ns, &head->last_hash);
    return 0;
}
