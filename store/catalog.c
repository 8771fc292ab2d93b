#include "store/catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/file.h"
#include "store/reader.h"

enum {
    HEADER_BYTES = 64,
    RECORD_FIXED_BYTES = 8 + SHA256_BYTES, /* length and hash */
    CONTENT_FIXED_BYTES = 24,              /* of a record: number, through_seq, two lengths */
    TREE_BYTES_MIN = 8,
    INFO_BYTES = 84 + SHA256_BYTES,
    STORE_ID = 16,
};

static const char MAGIC[8] = "SEKICAT1";
static const char NAME[] = "catalog";

int catalog_folder(char *out, size_t cap, const char *dir, uint32_t tenant)
{
    int len = snprintf(out, cap, "%s/seg/%06" PRIu32, dir, tenant);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

static int catalog_path(char *out, size_t cap, const char *folder)
{
    int len = snprintf(out, cap, "%s/%s", folder, NAME);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

void catalog_release(struct catalog *c)
{
    free(c->segments);
    *c = (struct catalog){0};
}

/* The place of an hour, or where it belongs. */
static size_t place_of(const struct catalog *c, int64_t hour)
{
    size_t low = 0;
    size_t high = c->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->segments[middle].name.hour < hour)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct segment_info *catalog_find(const struct catalog *c, int64_t hour)
{
    size_t at = place_of(c, hour);
    return at < c->segment_count && c->segments[at].name.hour == hour ? &c->segments[at] : NULL;
}

/* Put a segment into the list, in place of the one of its hour. Room must be there. */
static void take(struct catalog *c, const struct segment_info *info)
{
    size_t at = place_of(c, info->name.hour);
    if (at < c->segment_count && c->segments[at].name.hour == info->name.hour) {
        c->segments[at] = *info;
        return;
    }
    memmove(c->segments + at + 1, c->segments + at, (c->segment_count - at) * sizeof(*c->segments));
    c->segments[at] = *info;
    c->segment_count++;
}

static int room(struct catalog *c, size_t more)
{
    struct segment_info *grown =
        reallocarray(c->segments, c->segment_count + more + 1, sizeof(*grown));
    if (grown == NULL)
        return ERR_NOMEM;
    c->segments = grown;
    return 0;
}

static void put_info(struct buf *out, const struct segment_info *i)
{
    buf_put64(out, (uint64_t)i->name.hour);
    buf_put32(out, i->name.generation);
    buf_put64(out, i->bytes);
    buf_put64(out, i->row_count);
    buf_put64(out, i->raw_bytes);
    buf_put64(out, (uint64_t)i->time_min_ns);
    buf_put64(out, (uint64_t)i->time_max_ns);
    buf_put64(out, (uint64_t)i->arrival_min_ns);
    buf_put64(out, (uint64_t)i->arrival_max_ns);
    buf_put64(out, i->leaf_min);
    buf_put64(out, i->leaf_max);
    buf_append(out, i->hash.bytes, sizeof(i->hash.bytes));
}

static struct segment_info read_info(struct reader *in, uint32_t tenant)
{
    struct segment_info i = {.name = {.tenant = tenant, .hour = (int64_t)reader_get64(in)}};
    i.name.generation = reader_get32(in);
    i.bytes = reader_get64(in);
    i.row_count = reader_get64(in);
    i.raw_bytes = reader_get64(in);
    i.time_min_ns = (int64_t)reader_get64(in);
    i.time_max_ns = (int64_t)reader_get64(in);
    i.arrival_min_ns = (int64_t)reader_get64(in);
    i.arrival_max_ns = (int64_t)reader_get64(in);
    i.leaf_min = reader_get64(in);
    i.leaf_max = reader_get64(in);
    struct slice hash = reader_bytes(in, SHA256_BYTES);
    if (hash.len == SHA256_BYTES)
        memcpy(i.hash.bytes, hash.data, SHA256_BYTES);
    return i;
}

/* The hash of a record: of the hash before it, its length and its bytes. */
static int record_hash(struct sha256 *out, const struct sha256 *before, struct slice content)
{
    struct buf hashed = {0};
    buf_append(&hashed, before->bytes, sizeof(before->bytes));
    buf_put64(&hashed, content.len);
    buf_slice(&hashed, content);
    int err = buf_ok(&hashed) ? sha256_of(out, buf_content(&hashed)) : ERR_NOMEM;
    buf_release(&hashed);
    return err;
}

static int damaged(const char *path, const char *what, struct diag *diag)
{
    diag_add(diag, path, 0, 0,
             "%s: the catalog is damaged; restore the folder from a copy of the store", what);
    return ERR_CORRUPT;
}

static int read_header(struct catalog *c, struct slice bytes, const char *path, struct diag *diag)
{
    struct reader in = reader_of(bytes);
    struct slice magic = reader_bytes(&in, sizeof(MAGIC));
    uint32_t version = reader_get32(&in);
    uint32_t header_len = reader_get32(&in);
    struct slice id = reader_bytes(&in, STORE_ID);
    c->tenant = reader_get32(&in);
    (void)reader_get32(&in); /* 0 */
    struct slice content = slice_of(bytes.data, (size_t)(in.at - bytes.data));
    struct slice rest = reader_bytes(&in, HEADER_BYTES - content.len);
    if (in.failed || memcmp(magic.data, MAGIC, sizeof(MAGIC)) != 0)
        return damaged(path, "no catalog begins here", diag);
    if (version != CATALOG_VERSION || header_len != HEADER_BYTES) {
        diag_add(diag, path, 0, 0, "version %" PRIu32 ": use the newer program that wrote it",
                 version);
        return ERR_FORMAT;
    }
    struct sha256 hash;
    int err = sha256_of(&hash, content);
    if (err != 0)
        return err;
    /* As many bytes of the hash as there is room for. */
    if (memcmp(rest.data, hash.bytes, rest.len) != 0)
        return damaged(path, "the header's hash is wrong", diag);
    memcpy(c->store_id, id.data, STORE_ID);
    c->hash = hash;
    c->bytes = HEADER_BYTES;
    return 0;
}

static int read_record(struct catalog *c, struct slice content, const char *path, struct diag *diag)
{
    struct reader in = reader_of(content);
    uint64_t number = reader_get64(&in);
    uint64_t through_seq = reader_get64(&in);
    struct tree tree = {0};
    int err = tree_read(&tree, reader_bytes(&in, reader_get32(&in)));
    uint32_t count = reader_get32(&in);
    if (in.failed || err != 0 || number != c->record_count + 1 || through_seq < c->through_seq ||
        tree.size < c->tree.size || count > CATALOG_CHANGES_MAX)
        return damaged(path, "a record does not follow the one before it", diag);
    err = room(c, count);
    for (uint32_t i = 0; i < count && err == 0; i++) {
        struct segment_info info = read_info(&in, c->tenant);
        if (in.failed)
            return damaged(path, "a record ends too early", diag);
        take(c, &info);
    }
    if (err != 0)
        return err;
    if (reader_left(&in) != 0)
        return damaged(path, "bytes behind a record's segments", diag);
    c->record_count = number;
    c->through_seq = through_seq;
    c->tree = tree;
    return 0;
}

static bool follows(const struct sha256 *before, struct slice content)
{
    struct sha256 computed;
    return record_hash(&computed, before, content) == 0 &&
           memcmp(computed.bytes, content.data + content.len, SHA256_BYTES) == 0;
}

/*
 * Whether a whole record stands somewhere behind the one at `from`: it follows the hash that stands before
 * it, or `computed`, which should. Then the one at `from` was once whole too, and is damage.
 */
static bool record_behind(struct slice bytes, size_t from, const struct sha256 *computed)
{
    const size_t least = RECORD_FIXED_BYTES + CONTENT_FIXED_BYTES + TREE_BYTES_MIN;
    for (size_t at = from + SHA256_BYTES; bytes.len >= least && at <= bytes.len - least; at++) {
        const char *content = bytes.data + at + 8;
        uint64_t len = bytes_get64(bytes.data + at);
        uint64_t fixed = CONTENT_FIXED_BYTES + (uint64_t)bytes_get32(content + 16);
        if (len > bytes.len - at - RECORD_FIXED_BYTES || fixed > len ||
            len != fixed + (uint64_t)bytes_get32(content + fixed - 4) * INFO_BYTES)
            continue;
        struct sha256 before;
        memcpy(before.bytes, bytes.data + at - SHA256_BYTES, SHA256_BYTES);
        if (follows(&before, slice_of(content, (size_t)len)) ||
            follows(computed, slice_of(content, (size_t)len)))
            return true;
    }
    return false;
}

/*
 * Records up to the end, or up to one that is not whole: that one is being written, or was torn, when
 * nothing whole stands behind it.
 */
static int read_records(struct catalog *c, struct slice bytes, const char *path, struct diag *diag)
{
    struct reader in = reader_of(slice_from_offset(bytes, HEADER_BYTES));
    while (reader_left(&in) != 0) {
        uint64_t len = reader_get64(&in);
        struct slice content = reader_bytes(&in, len);
        struct slice hash = reader_bytes(&in, SHA256_BYTES);
        struct sha256 computed = {0};
        int err = in.failed ? 0 : record_hash(&computed, &c->hash, content);
        if (err != 0)
            return err;
        if (in.failed || memcmp(computed.bytes, hash.data, SHA256_BYTES) != 0) {
            c->torn = !record_behind(bytes, (size_t)c->bytes, &computed);
            return c->torn ? 0 : damaged(path, "a record's hash is wrong", diag);
        }
        err = read_record(c, content, path, diag);
        if (err != 0)
            return err;
        c->hash = computed;
        c->bytes += len + RECORD_FIXED_BYTES;
    }
    return 0;
}

int catalog_read(struct catalog *out, const char *folder, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    struct catalog c = {0};
    int err = catalog_path(path, sizeof(path), folder);
    if (err == 0)
        err = file_read_all(&bytes, path, CATALOG_BYTES_MAX);
    if (err == 0)
        err = read_header(&c, buf_content(&bytes), path, diag);
    if (err == 0)
        err = read_records(&c, buf_content(&bytes), path, diag);
    buf_release(&bytes);
    if (err == 0)
        *out = c;
    else
        catalog_release(&c);
    return err;
}

/* The header of a new catalog; the hash that its first record follows. */
static int make_header(struct catalog *c, struct buf *out)
{
    buf_append(out, MAGIC, sizeof(MAGIC));
    buf_put32(out, CATALOG_VERSION);
    buf_put32(out, HEADER_BYTES);
    buf_append(out, c->store_id, STORE_ID);
    buf_put32(out, c->tenant);
    buf_put32(out, 0);
    if (!buf_ok(out))
        return ERR_NOMEM;
    int err = sha256_of(&c->hash, buf_content(out));
    buf_append(out, c->hash.bytes, HEADER_BYTES - out->len);
    return err != 0 ? err : buf_ok(out) ? 0 : ERR_NOMEM;
}

static int make_record(const struct catalog *c, const struct catalog_change *change,
                       struct buf *out, struct sha256 *hash)
{
    struct buf content = {0};
    struct buf tree = {0};
    tree_write(&tree, change->tree);
    buf_put64(&content, c->record_count + 1);
    buf_put64(&content, change->through_seq);
    buf_put32(&content, (uint32_t)tree.len);
    buf_slice(&content, buf_content(&tree));
    content.failed |= tree.failed;
    buf_release(&tree);
    buf_put32(&content, (uint32_t)change->added_count);
    for (size_t i = 0; i < change->added_count; i++)
        put_info(&content, &change->added[i]);
    int err = buf_ok(&content) ? record_hash(hash, &c->hash, buf_content(&content)) : ERR_NOMEM;
    buf_put64(out, content.len);
    buf_slice(out, buf_content(&content));
    buf_append(out, hash->bytes, sizeof(hash->bytes));
    buf_release(&content);
    return err != 0 ? err : buf_ok(out) ? 0 : ERR_NOMEM;
}

/* A new catalog is there whole or not at all: an empty file would be a damaged one. */
static int write_first(const char *path, struct slice bytes)
{
    int err = file_write_atomic(path, bytes);
    return err == ERR_IO && file_no_space() ? ERR_AGAIN : err;
}

/* Write at the end of the whole records, over what was torn. */
static int write_durable(const char *path, uint64_t end, struct slice bytes)
{
    struct file *file = NULL;
    int err = file_open(&file, path, FILE_APPEND);
    if (err == 0 && file_end(file) != end)
        err = file_truncate(file, end);
    if (err == 0)
        err = file_append(file, bytes.data, bytes.len);
    failpoint("catalog.after_write");
    if (err == 0)
        err = file_sync(file);
    if (err == ERR_IO && file_no_space())
        err = ERR_AGAIN;
    file_close(file);
    return err;
}

int catalog_append(struct catalog *c, const char *folder, const struct catalog_change *change)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    struct catalog next = *c;
    struct sha256 hash = {0};
    int err = change->added_count > CATALOG_CHANGES_MAX || change->through_seq < c->through_seq ||
                      change->tree->size < c->tree.size
                  ? ERR_RANGE
                  : catalog_path(path, sizeof(path), folder);
    if (err == 0)
        err = room(c, change->added_count);
    if (err == 0 && c->bytes == 0)
        err = make_header(&next, &bytes);
    if (err == 0)
        err = make_record(&next, change, &bytes, &hash);
    if (err == 0)
        err = c->bytes == 0 ? write_first(path, buf_content(&bytes))
                            : write_durable(path, c->bytes, buf_content(&bytes));
    if (err == 0) {
        c->bytes += bytes.len;
        c->hash = hash;
        c->record_count++;
        c->through_seq = change->through_seq;
        c->tree = *change->tree;
        c->torn = false;
        for (size_t i = 0; i < change->added_count; i++)
            take(c, &change->added[i]);
    }
    buf_release(&bytes);
    return err;
}
