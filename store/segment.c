#include "store/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "event/pred.h"
#include "store/filter.h"
#include "store/frame.h"

enum {
    HEADER_BYTES = 64,
    TRAILER_BYTES = 48, /* length of the footer, hash, magic */
    SECTION_GROUPS = 1,
    STORE_ID = 16,
    WRITE_BYTES = 1 << 20, /* kept before they are written */
};

#define SECTION_REQUIRED (UINT32_C(1) << 31)

static const char MAGIC[8] = "SEKISEG1";
static const char MAGIC_END[8] = "SEKIEND1";

int segment_path(char *out, size_t cap, const char *folder, const struct segment_name *name)
{
    int len = snprintf(out, cap, "%s/%08" PRIx64 ".%" PRIu32 ".seg", folder, (uint64_t)name->hour,
                       name->generation);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

bool segment_parse(struct segment_name *out, bool *begun, const char *file)
{
    char *end = NULL;
    struct segment_name name = {0};
    if (strspn(file, "0123456789abcdef") < 8)
        return false;
    name.hour = (int64_t)strtoull(file, &end, 16);
    if (end[0] != '.' || end[1] < '1' || end[1] > '9')
        return false;
    name.generation = (uint32_t)strtoul(end + 1, &end, 10);
    *begun = strcmp(end, ".seg.tmp") == 0;
    if (!*begun && strcmp(end, ".seg") != 0)
        return false;
    *out = name;
    return true;
}

struct segment_writer {
    char *path;
    char *path_tmp;
    struct file *file;
    struct chunk_press press;
    struct rowgroup_reader *reader;
    struct batch *block;
    struct buf out;   /* not yet written */
    uint64_t written; /* bytes of the file before `out` */
    struct buf body;  /* of the group at hand */
    struct buf head;
    struct buf groups; /* heads of all */
    struct buf header;
    uint32_t group_count;
    struct filter_keys keys;
    struct buf scratch;
    struct segment_info info;
    int64_t leaves[ROWGROUP_BLOCK_ROWS];
};

void segment_abandon(struct segment_writer *w)
{
    if (w == NULL)
        return;
    file_close(w->file);
    if (w->file != NULL)
        (void)file_unlink(w->path_tmp);
    rowgroup_reader_free(w->reader);
    batch_free(w->block);
    chunk_press_release(&w->press);
    filter_keys_release(&w->keys);
    buf_release(&w->out);
    buf_release(&w->body);
    buf_release(&w->head);
    buf_release(&w->groups);
    buf_release(&w->header);
    buf_release(&w->scratch);
    free(w->path);
    free(w->path_tmp);
    free(w);
}

static int system_error(int err)
{
    return err == ERR_IO && file_no_space() ? ERR_AGAIN : err;
}

static void put_header(struct segment_writer *w, const uint8_t *store_id)
{
    const struct segment_name *name = &w->info.name;
    buf_append(&w->header, MAGIC, sizeof(MAGIC));
    buf_put32(&w->header, SEGMENT_VERSION);
    buf_put32(&w->header, HEADER_BYTES);
    buf_append(&w->header, store_id, STORE_ID);
    buf_put32(&w->header, name->tenant);
    buf_put32(&w->header, name->generation);
    buf_put64(&w->header, (uint64_t)name->hour);
    buf_put64(&w->header, 0);
    buf_put64(&w->header, hash_slice(0, buf_content(&w->header)));
    buf_slice(&w->out, buf_content(&w->header));
}

static char *path_copy(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *copy = malloc(size);
    if (copy != NULL)
        (void)snprintf(copy, size, "%s%s", path, suffix);
    return copy;
}

int segment_create(struct segment_writer **out, const char *path, const struct segment_name *name,
                   const uint8_t store_id[16])
{
    struct segment_writer *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ERR_NOMEM;
    w->info = (struct segment_info){.name = *name,
                                    .time_min_ns = INT64_MAX,
                                    .time_max_ns = INT64_MIN,
                                    .arrival_min_ns = INT64_MAX,
                                    .arrival_max_ns = INT64_MIN,
                                    .leaf_min = UINT64_MAX};
    w->path = path_copy(path, "");
    w->path_tmp = path_copy(path, ".tmp");
    w->reader = rowgroup_reader_new();
    w->block = batch_new();
    put_header(w, store_id);
    int err = w->path == NULL || w->path_tmp == NULL || w->reader == NULL || w->block == NULL ||
                      !buf_ok(&w->header) || !buf_ok(&w->out)
                  ? ERR_NOMEM
                  : chunk_press_init(&w->press, ROWGROUP_ZSTD_LEVEL);
    if (err == 0) {
        (void)file_unlink(w->path_tmp);
        err = system_error(file_open(&w->file, w->path_tmp, FILE_CREATE));
    }
    if (err != 0) {
        segment_abandon(w);
        return err;
    }
    *out = w;
    return 0;
}

/* Write what has come together. */
static int flush(struct segment_writer *w)
{
    int err = buf_ok(&w->out) ? file_append(w->file, w->out.data, w->out.len) : ERR_NOMEM;
    w->written += w->out.len;
    buf_reset(&w->out);
    return system_error(err);
}

static int filter_value(void *self, uint16_t field, struct slice value)
{
    struct segment_writer *w = self;
    const struct field_info *info = field_info(field);
    struct ip ip;
    if (info == NULL || info->type != FIELD_TYPE_IP || value.len != sizeof(ip.bytes))
        return filter_keys_add(&w->keys, filter_key_text(value, &w->scratch));
    memcpy(ip.bytes, value.data, sizeof(ip.bytes));
    return filter_keys_add(&w->keys, filter_key_ip(&ip));
}

/* The filter of a block behind the group's bytes; its length and checksum behind the head. */
static int put_filter(struct segment_writer *w)
{
    int err = filter_keys_reset(&w->keys);
    if (err == 0)
        err = pred_filter_values(w->block, filter_value, w);
    if (err != 0)
        return err;
    buf_reset(&w->scratch);
    filter_build(&w->scratch, &w->keys);
    if (!buf_ok(&w->scratch))
        return ERR_NOMEM;
    struct reader in = reader_of(buf_content(&w->scratch));
    struct slice filter = reader_bytes(&in, reader_varint(&in, UINT32_MAX));
    buf_slice(&w->body, filter);
    buf_varint(&w->head, filter.len);
    if (filter.len != 0)
        buf_put32(&w->head, (uint32_t)hash_slice(0, filter));
    return buf_ok(&w->body) && buf_ok(&w->head) ? 0 : ERR_NOMEM;
}

static void count_block(struct segment_info *info, const struct rowgroup_block *b)
{
    info->row_count += b->row_count;
    info->raw_bytes += b->raw_bytes;
    info->time_min_ns = b->time_min_ns < info->time_min_ns ? b->time_min_ns : info->time_min_ns;
    info->time_max_ns = b->time_max_ns > info->time_max_ns ? b->time_max_ns : info->time_max_ns;
    if (b->arrival_min_ns < info->arrival_min_ns)
        info->arrival_min_ns = b->arrival_min_ns;
    if (b->arrival_max_ns > info->arrival_max_ns)
        info->arrival_max_ns = b->arrival_max_ns;
}

static void count_group(struct segment_info *info, const struct rowgroup_head *h)
{
    for (uint32_t i = 0; i < h->block_count; i++)
        count_block(info, &h->blocks[i]);
    info->leaf_min = h->leaf_min < info->leaf_min ? h->leaf_min : info->leaf_min;
    info->leaf_max = h->leaf_max > info->leaf_max ? h->leaf_max : info->leaf_max;
}

/* Read the group back, block by block: for its filters, and so that the caller sees it. */
static int read_back(struct segment_writer *w, segment_check *check, void *self)
{
    struct rowgroup_head head;
    struct buf copy = {0};
    buf_slice(&copy, buf_content(&w->head));
    for (uint32_t i = 0; i < ROWGROUP_BLOCKS_MAX; i++)
        buf_byte(&copy, 0); /* no filters as yet */
    struct reader in = reader_of(buf_content(&copy));
    int err = buf_ok(&copy) ? rowgroup_head_read(&head, &in) : ERR_NOMEM;
    if (err == 0) {
        head.tenant = w->info.name.tenant;
        head.body = buf_content(&w->body);
        err = rowgroup_open(w->reader, &head, w->block);
    }
    for (uint32_t i = 0; err == 0 && i < head.block_count; i++) {
        err = rowgroup_rows(w->reader, i, NULL, w->block);
        if (err == 0)
            err = rowgroup_leaves(w->reader, i, w->leaves);
        if (err == 0 && check != NULL)
            err = check(self, w->block, w->leaves);
        if (err == 0)
            err = put_filter(w);
        head.body = buf_content(&w->body); /* it has grown */
    }
    if (err == 0)
        count_group(&w->info, &head);
    batch_reset(w->block);
    buf_release(&copy);
    return err;
}

int segment_add(struct segment_writer *w, struct rowgroup *g, segment_check *check, void *self)
{
    if (w->group_count == SEGMENT_GROUPS_MAX)
        return ERR_RANGE;
    buf_reset(&w->body);
    buf_reset(&w->head);
    int err = rowgroup_seal(g, &w->press, &w->body, &w->head);
    if (err == 0)
        err = read_back(w, check, self);
    if (err != 0)
        return err;
    buf_put64(&w->groups, w->written + w->out.len);
    buf_put64(&w->groups, w->body.len);
    buf_slice(&w->groups, buf_content(&w->head));
    buf_slice(&w->out, buf_content(&w->body));
    w->group_count++;
    return w->out.len < WRITE_BYTES ? 0 : flush(w);
}

static int put_footer(struct segment_writer *w)
{
    struct buf footer = {0};
    struct buf hashed = {0};
    struct buf count = {0};
    buf_varint(&count, w->group_count);
    buf_put32(&footer, SECTION_GROUPS | SECTION_REQUIRED);
    buf_put64(&footer, count.len + w->groups.len);
    buf_slice(&footer, buf_content(&count));
    buf_slice(&footer, buf_content(&w->groups));
    buf_slice(&hashed, buf_content(&w->header));
    buf_slice(&hashed, buf_content(&footer));
    int err = buf_ok(&count) && buf_ok(&footer) && buf_ok(&hashed) && buf_ok(&w->groups)
                  ? sha256_of(&w->info.hash, buf_content(&hashed))
                  : ERR_NOMEM;
    buf_slice(&w->out, buf_content(&footer));
    buf_put64(&w->out, footer.len);
    buf_append(&w->out, w->info.hash.bytes, sizeof(w->info.hash.bytes));
    buf_append(&w->out, MAGIC_END, sizeof(MAGIC_END));
    buf_release(&footer);
    buf_release(&hashed);
    buf_release(&count);
    return err;
}

int segment_finish(struct segment_writer *w, struct segment_info *out)
{
    int err = put_footer(w);
    if (err == 0)
        err = flush(w);
    if (err == 0)
        err = system_error(file_sync(w->file));
    failpoint("segment.before_rename");
    if (err == 0)
        err = system_error(file_rename(w->path_tmp, w->path));
    failpoint("segment.after_rename");
    if (err == 0) {
        w->info.bytes = w->written;
        *out = w->info;
        file_close(w->file);
        w->file = NULL;
    }
    segment_abandon(w);
    return err;
}

struct segment {
    char *path;
    struct slice map;
    struct rowgroup_head *groups;
    size_t group_count;
    struct segment_info info;
    uint8_t store_id[STORE_ID];
};

void segment_close(struct segment *s)
{
    if (s == NULL)
        return;
    file_unmap(s->map);
    free(s->groups);
    free(s->path);
    free(s);
}

const char *segment_file(const struct segment *s)
{
    return s->path;
}

const struct segment_info *segment_info(const struct segment *s)
{
    return &s->info;
}

const uint8_t *segment_store_id(const struct segment *s)
{
    return s->store_id;
}

size_t segment_rowgroup_count(const struct segment *s)
{
    return s->group_count;
}

const struct rowgroup_head *segment_rowgroup(const struct segment *s, size_t at)
{
    return &s->groups[at];
}

static int damaged(const struct segment *s, const char *what, struct diag *diag)
{
    diag_add(diag, s->path, 0, 0,
             "%s: the segment is damaged; restore the file from a copy of the store", what);
    return ERR_CORRUPT;
}

static int read_header(struct segment *s, struct diag *diag)
{
    struct reader in = reader_of(s->map);
    struct slice magic = reader_bytes(&in, sizeof(MAGIC));
    uint32_t version = reader_get32(&in);
    uint32_t header_len = reader_get32(&in);
    struct slice id = reader_bytes(&in, STORE_ID);
    s->info.name.tenant = reader_get32(&in);
    s->info.name.generation = reader_get32(&in);
    s->info.name.hour = (int64_t)reader_get64(&in);
    (void)reader_get64(&in);
    uint64_t checksum = reader_get64(&in);
    if (in.failed || memcmp(magic.data, MAGIC, sizeof(MAGIC)) != 0)
        return damaged(s, "no segment begins here", diag);
    if (hash_slice(0, slice_of(s->map.data, HEADER_BYTES - 8)) != checksum)
        return damaged(s, "the header's checksum is wrong", diag);
    if (version != SEGMENT_VERSION || header_len != HEADER_BYTES) {
        diag_add(diag, s->path, 0, 0,
                 "version %" PRIu32 ": this program reads version %d; use the newer one", version,
                 SEGMENT_VERSION);
        return ERR_FORMAT;
    }
    memcpy(s->store_id, id.data, STORE_ID);
    return 0;
}

/* The groups follow the header, one behind the other, up to the footer at `end`. */
static int read_groups(struct segment *s, struct reader *in, uint64_t end, struct diag *diag)
{
    uint64_t count = reader_varint(in, SEGMENT_GROUPS_MAX);
    s->groups = calloc((size_t)count + 1, sizeof(*s->groups));
    if (s->groups == NULL)
        return ERR_NOMEM;
    uint64_t before = HEADER_BYTES;
    for (uint64_t i = 0; i < count; i++) {
        struct rowgroup_head *h = &s->groups[i];
        uint64_t at = reader_get64(in);
        uint64_t len = reader_get64(in);
        int err = in->failed ? ERR_CORRUPT : rowgroup_head_read(h, in);
        if (err != 0 || at != before || len > end - at || len != rowgroup_bytes(h))
            return damaged(s, "the head of a group cannot be", diag);
        before = at + len;
        h->tenant = s->info.name.tenant;
        h->body = slice_of(s->map.data + at, (size_t)len);
        count_group(&s->info, h);
    }
    s->group_count = (size_t)count;
    if (before != end)
        return damaged(s, "bytes between the groups and the footer", diag);
    return reader_left(in) == 0 ? 0 : damaged(s, "bytes behind the heads of the groups", diag);
}

static int read_sections(struct segment *s, struct slice footer, struct diag *diag)
{
    struct reader in = reader_of(footer);
    uint64_t footer_at = (uint64_t)(footer.data - s->map.data);
    bool any = false;
    while (reader_left(&in) != 0) {
        uint32_t type = reader_get32(&in);
        struct slice section = reader_bytes(&in, reader_get64(&in));
        struct reader inside = reader_of(section);
        if (in.failed)
            return damaged(s, "a section of the footer ends too early", diag);
        if (type == (SECTION_GROUPS | SECTION_REQUIRED)) {
            int err = any ? damaged(s, "the footer has its groups twice", diag)
                          : read_groups(s, &inside, footer_at, diag);
            if (err != 0)
                return err;
            any = true;
        } else if ((type & SECTION_REQUIRED) != 0) {
            diag_add(diag, s->path, 0, 0,
                     "section %" PRIu32 " of the footer is required and unknown: use a newer "
                     "program",
                     type & ~SECTION_REQUIRED);
            return ERR_FORMAT;
        }
    }
    return any ? 0 : damaged(s, "the footer has no groups", diag);
}

static int read_footer(struct segment *s, struct diag *diag)
{
    if (s->map.len < HEADER_BYTES + TRAILER_BYTES)
        return damaged(s, "the file is cut", diag);
    int err = read_header(s, diag);
    if (err != 0)
        return err;
    struct reader in = reader_of(slice_of(s->map.data + s->map.len - TRAILER_BYTES, TRAILER_BYTES));
    uint64_t len = reader_get64(&in);
    struct slice hash = reader_bytes(&in, SHA256_BYTES);
    struct slice magic = reader_bytes(&in, sizeof(MAGIC_END));
    if (memcmp(magic.data, MAGIC_END, sizeof(MAGIC_END)) != 0 ||
        len > s->map.len - HEADER_BYTES - TRAILER_BYTES)
        return damaged(s, "the file is cut, or its end was written over", diag);
    struct slice footer = slice_of(s->map.data + s->map.len - TRAILER_BYTES - len, (size_t)len);
    struct buf hashed = {0};
    buf_append(&hashed, s->map.data, HEADER_BYTES);
    buf_slice(&hashed, footer);
    err = buf_ok(&hashed) ? sha256_of(&s->info.hash, buf_content(&hashed)) : ERR_NOMEM;
    buf_release(&hashed);
    if (err != 0)
        return err;
    if (memcmp(s->info.hash.bytes, hash.data, SHA256_BYTES) != 0)
        return damaged(s, "the footer's hash is wrong", diag);
    return read_sections(s, footer, diag);
}

int segment_open(struct segment **out, const char *path, struct diag *diag)
{
    struct segment *s = calloc(1, sizeof(*s));
    struct file *file = NULL;
    if (s == NULL)
        return ERR_NOMEM;
    s->info = (struct segment_info){.time_min_ns = INT64_MAX,
                                    .time_max_ns = INT64_MIN,
                                    .arrival_min_ns = INT64_MAX,
                                    .arrival_max_ns = INT64_MIN,
                                    .leaf_min = UINT64_MAX};
    s->path = path_copy(path, "");
    int err = s->path == NULL ? ERR_NOMEM : file_open(&file, path, FILE_READ);
    if (err == 0)
        err = file_map(&s->map, file);
    file_close(file);
    s->info.bytes = s->map.len;
    if (err == 0)
        err = read_footer(s, diag);
    else
        diag_add(diag, path, 0, 0, "the segment cannot be opened: %s", err_name(err));
    if (err != 0) {
        segment_close(s);
        return err;
    }
    *out = s;
    return 0;
}
