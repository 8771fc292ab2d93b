#include "store/catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/file.h"
#include "store/chain.h"
#include "store/reader.h"

enum {
    CODE_DIGITS = 6,
    HEADER_BYTES = 64,
    CONTENT_FIXED_BYTES = 24, /* of a record: number, through_seq, two lengths */
    TREE_BYTES_MIN = 8,
    INFO_BYTES = 84 + SHA256_BYTES,
    REMOVAL_BYTES = 20,
    STORE_ID = 16,
};

static const char MAGIC[8] = "SEKICAT1";
static const char NAME[] = "catalog";

int catalog_folder(char *out, size_t cap, const char *dir, uint32_t tenant)
{
    int len = snprintf(out, cap, "%s/seg/%06" PRIu32, dir, tenant);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

int catalog_list_tenants(struct catalog_tenants *out, struct arena *arena, const char *dir)
{
    char path[FILE_PATH_BYTES_MAX];
    struct dir_names names = {0};
    size_t count = 0;
    *out = (struct catalog_tenants){0};
    int len = snprintf(path, sizeof(path), "%s/seg", dir);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : dir_list(&names, arena, path);
    if (err != 0)
        return err == ERR_NOTFOUND ? 0 : err;
    uint32_t *codes = arena_array(arena, names.count + 1, sizeof(*codes));
    if (codes == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        if (strlen(name) == CODE_DIGITS && strspn(name, "0123456789") == CODE_DIGITS)
            codes[count++] = (uint32_t)strtoul(name, NULL, 10);
    }
    *out = (struct catalog_tenants){.codes = codes, .count = count};
    return 0;
}

static int catalog_path(char *out, size_t cap, const char *folder)
{
    int len = snprintf(out, cap, "%s/%s", folder, NAME);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

void catalog_release(struct catalog *c)
{
    free(c->segments);
    free(c->removals);
    free(c->steps);
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

/* Whether the segment counts. */
static bool is_live(const struct catalog *c, const struct catalog_removal *r)
{
    const struct segment_info *s = catalog_find(c, r->hour);
    return s != NULL && s->name.generation == r->generation;
}

/* Take a segment out of the list. Room must be there. */
static void leave(struct catalog *c, const struct catalog_removal *r)
{
    size_t at = place_of(c, r->hour);
    c->segment_count--;
    memmove(c->segments + at, c->segments + at + 1, (c->segment_count - at) * sizeof(*c->segments));
    c->removals[c->removal_count++] = *r;
}

/* Note what a record says besides its segments. Room must be there. */
static void step(struct catalog *c, uint64_t through_seq, const struct tree *tree)
{
    c->steps[c->record_count++] =
        (struct catalog_step){.through_seq = through_seq, .rows = tree->size};
    c->through_seq = through_seq;
    c->tree = *tree;
}

uint32_t catalog_generation(const struct catalog *c, int64_t hour)
{
    const struct segment_info *live = catalog_find(c, hour);
    uint32_t generation = live == NULL ? 0 : live->name.generation;
    for (size_t i = c->removal_count; i > 0 && live == NULL; i--) {
        if (c->removals[i - 1].hour == hour && c->removals[i - 1].generation > generation)
            generation = c->removals[i - 1].generation;
    }
    return generation;
}

uint64_t catalog_rows_before(const struct catalog *c, uint64_t seq)
{
    uint64_t rows = 0;
    for (uint64_t i = 0; i < c->record_count && c->steps[i].through_seq < seq; i++)
        rows = c->steps[i].rows;
    return rows;
}

uint64_t catalog_certificate(const struct catalog *c)
{
    return c->removal_count == 0 ? 0 : c->removals[c->removal_count - 1].certificate;
}

static int room(struct catalog *c, size_t added, size_t removed)
{
    struct segment_info *segments =
        reallocarray(c->segments, c->segment_count + added + 1, sizeof(*segments));
    if (segments != NULL)
        c->segments = segments;
    struct catalog_removal *removals =
        reallocarray(c->removals, c->removal_count + removed + 1, sizeof(*removals));
    if (removals != NULL)
        c->removals = removals;
    struct catalog_step *steps =
        reallocarray(c->steps, (size_t)c->record_count + 1, sizeof(*steps));
    if (steps != NULL)
        c->steps = steps;
    return segments == NULL || removals == NULL || steps == NULL ? ERR_NOMEM : 0;
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

/* Segments that were deleted: a count and entries, or nothing at all. */
static int read_removals(struct catalog *c, struct reader *in, const char *path, struct diag *diag)
{
    uint32_t count = reader_left(in) == 0 ? 0 : reader_get32(in);
    if (count > CATALOG_CHANGES_MAX || reader_left(in) != (size_t)count * REMOVAL_BYTES)
        return damaged(path, "bytes behind a record's segments", diag);
    int err = room(c, 0, count);
    uint64_t before = catalog_certificate(c);
    for (uint32_t i = 0; i < count && err == 0; i++) {
        struct catalog_removal r = {.hour = (int64_t)reader_get64(in)};
        r.generation = reader_get32(in);
        r.certificate = reader_get64(in);
        if (!is_live(c, &r) || r.certificate <= before ||
            (i != 0 && r.certificate != catalog_certificate(c)))
            return damaged(path, "a record deletes a segment that is not there", diag);
        leave(c, &r);
    }
    return err;
}

/* The segments of a record stand before its removals, which happen first. */
static int read_changes(struct catalog *c, struct reader *in, const char *path, struct diag *diag)
{
    uint32_t count = reader_get32(in);
    if (in->failed || count > CATALOG_CHANGES_MAX || reader_left(in) < (size_t)count * INFO_BYTES)
        return damaged(path, "a record ends too early", diag);
    struct reader added = reader_of(reader_bytes(in, (uint64_t)count * INFO_BYTES));
    int err = read_removals(c, in, path, diag);
    if (err == 0)
        err = room(c, count, 0);
    for (uint32_t i = 0; i < count && err == 0; i++) {
        struct segment_info info = read_info(&added, c->tenant);
        take(c, &info);
    }
    return err;
}

static int read_record(struct catalog *c, struct slice content, const char *path, struct diag *diag)
{
    struct reader in = reader_of(content);
    uint64_t number = reader_get64(&in);
    uint64_t through_seq = reader_get64(&in);
    struct tree tree = {0};
    int err = tree_read(&tree, reader_bytes(&in, reader_get32(&in)));
    if (in.failed || err != 0 || number != c->record_count + 1 || through_seq < c->through_seq ||
        tree.size < c->tree.size)
        return damaged(path, "a record does not follow the one before it", diag);
    err = read_changes(c, &in, path, diag);
    if (err == 0)
        err = room(c, 0, 0);
    if (err == 0)
        step(c, through_seq, &tree);
    return err;
}

/* Whether a record's content is as long as its counts say. */
static bool length_right(struct slice content)
{
    if (content.len < CONTENT_FIXED_BYTES + TREE_BYTES_MIN)
        return false;
    uint64_t fixed = CONTENT_FIXED_BYTES + (uint64_t)bytes_get32(content.data + 16);
    if (fixed > content.len)
        return false;
    uint64_t added = fixed + (uint64_t)bytes_get32(content.data + fixed - 4) * INFO_BYTES;
    if (content.len == added)
        return true;
    return content.len >= added + 4 &&
           content.len == added + 4 + (uint64_t)bytes_get32(content.data + added) * REMOVAL_BYTES;
}

static void written(void)
{
    failpoint("catalog.after_write");
}

static const struct chain_form FORM = {.can_be = length_right, .written = written};

/*
 * Records up to the end, or up to one that is not whole: that one is being written, or was torn, when
 * nothing whole stands behind it.
 */
static int read_records(struct catalog *c, struct slice bytes, const char *path, struct diag *diag)
{
    for (;;) {
        struct slice content;
        struct sha256 hash;
        int err = chain_next(&content, &hash, &FORM, bytes, (size_t)c->bytes, &c->hash);
        if (err == ERR_CORRUPT)
            return damaged(path, "a record's hash is wrong", diag);
        if (err != 0)
            return err;
        c->torn = content.data == NULL && c->bytes != bytes.len;
        if (content.data == NULL)
            return 0;
        err = read_record(c, content, path, diag);
        if (err != 0)
            return err;
        c->hash = hash;
        c->bytes += content.len + chain_framing_bytes(&FORM);
    }
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
    if (change->removed_count != 0)
        buf_put32(&content, (uint32_t)change->removed_count);
    for (size_t i = 0; i < change->removed_count; i++) {
        buf_put64(&content, (uint64_t)change->removed[i].hour);
        buf_put32(&content, change->removed[i].generation);
        buf_put64(&content, change->removed[i].certificate);
    }
    int err =
        buf_ok(&content) ? chain_put(out, hash, &FORM, &c->hash, buf_content(&content)) : ERR_NOMEM;
    buf_release(&content);
    return err;
}

/* Whether a change can follow. */
static bool change_right(const struct catalog *c, const struct catalog_change *change)
{
    bool right = change->added_count <= CATALOG_CHANGES_MAX &&
                 change->removed_count <= CATALOG_CHANGES_MAX &&
                 change->through_seq >= c->through_seq && change->tree->size >= c->tree.size;
    for (size_t i = 0; i < change->removed_count && right; i++) {
        const struct catalog_removal *r = &change->removed[i];
        right = is_live(c, r) && r->certificate > catalog_certificate(c) &&
                r->certificate == change->removed[0].certificate &&
                (i == 0 || r->hour > change->removed[i - 1].hour);
    }
    return right;
}

static void apply(struct catalog *c, const struct catalog_change *change)
{
    for (size_t i = 0; i < change->removed_count; i++)
        leave(c, &change->removed[i]);
    for (size_t i = 0; i < change->added_count; i++)
        take(c, &change->added[i]);
    step(c, change->through_seq, change->tree);
    c->torn = false;
}

int catalog_append(struct catalog *c, const char *folder, const struct catalog_change *change)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    struct sha256 hash = {0};
    int err = change_right(c, change) ? catalog_path(path, sizeof(path), folder) : ERR_RANGE;
    if (err == 0)
        err = room(c, change->added_count, change->removed_count);
    struct catalog next = *c;
    if (err == 0 && c->bytes == 0)
        err = make_header(&next, &bytes);
    if (err == 0)
        err = make_record(&next, change, &bytes, &hash);
    if (err == 0)
        err = chain_append(path, c->bytes, buf_content(&bytes), &FORM);
    if (err == 0) {
        c->bytes += bytes.len;
        c->hash = hash;
        apply(c, change);
    }
    buf_release(&bytes);
    return err;
}
