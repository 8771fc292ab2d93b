#include "store/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "event/grams.h"
#include "event/pred.h"
#include "store/census.h"
#include "store/filter.h"
#include "store/frame.h"
#include "store/segment_seal.h"

enum {
    HEADER_BYTES = 64,
    TRAILER_BYTES = 48, /* length of the footer, hash, magic */
    SECTION_GROUPS = 1,
    SECTION_GRAMS = 2, /* optional: a filter of runs for each group */
    SECTION_SEALED = 3,
    SECTION_CENSUS = 4, /* optional: a census of each group */
    STORE_ID = 16,
    WRITE_BYTES = 1 << 20, /* kept before they are written */
};

#define SECTION_REQUIRED (UINT32_C(1) << 31)

static const char MAGIC[8] = "SEKISEG1";
static const char MAGIC_END[8] = "SEKIEND1";

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
    bool sealed;
    struct file_seal seal;
    uint8_t key_id[KEYRING_ID_BYTES];
    struct buf outside; /* of a sealed one: struct sealed_group of each */
    struct filter_keys keys;
    struct grams *grams;
    struct buf gram_list; /* lengths and checksums of the groups' filters of runs */
    struct census_maker *census;
    struct buf census_list; /* lengths and bytes */
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
    buf_release(&w->outside);
    buf_release(&w->scratch);
    buf_release(&w->gram_list);
    grams_free(w->grams);
    buf_release(&w->census_list);
    census_maker_free(w->census);
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

/* With `keys` the segment is sealed with the municipality's active one. */
static int begin_seal(struct segment_writer *w, const struct keyring *keys)
{
    if (keys == NULL)
        return 0;
    const struct keyring_key *key = keyring_active(keys, w->info.name.tenant);
    if (key == NULL)
        return ERR_SEALED;
    memcpy(w->key_id, key->id, sizeof(w->key_id));
    int err = seal_new(&w->seal, keyring_secret(keys, key), buf_content(&w->header));
    w->sealed = err == 0;
    w->press.seal = w->sealed ? &w->seal : NULL;
    return err;
}

int segment_create(struct segment_writer **out, const char *path, const struct segment_name *name,
                   const uint8_t store_id[16], const struct keyring *keys)
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
    if (err == 0)
        err = begin_seal(w, keys);
    if (err == 0)
        err = grams_new(&w->grams);
    if (err == 0)
        err = census_maker_new(&w->census);
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

/* A filter behind the group's bytes; its length and checksum go to `list`. */
static int store_filter(struct segment_writer *w, struct slice filter, struct buf *list)
{
    size_t start = w->body.len;
    int err = 0;
    buf_slice(&w->body, filter);
    if (w->sealed && filter.len != 0) {
        if (!buf_ok(&w->body) || buf_reserve(&w->body, SEAL_TAG_BYTES) == NULL)
            return ERR_NOMEM;
        err = seal_piece(&w->seal, w->press.at + start, w->body.data + start, filter.len);
        w->body.len += SEAL_TAG_BYTES;
    }
    struct slice stored = slice_from_offset(buf_content(&w->body), start);
    buf_varint(list, stored.len);
    if (stored.len != 0)
        buf_put32(list, (uint32_t)hash_slice(0, stored));
    return err != 0 || (buf_ok(&w->body) && buf_ok(list)) ? err : ERR_NOMEM;
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
    return store_filter(w, filter, &w->head);
}

/* The filter of runs behind those of the blocks. */
static int put_grams(struct segment_writer *w, uint64_t rows)
{
    buf_reset(&w->scratch);
    grams_seal(w->grams, rows, &w->scratch);
    if (!buf_ok(&w->scratch))
        return ERR_NOMEM;
    struct slice grams = buf_content(&w->scratch);
    return store_filter(w, grams, &w->gram_list);
}

static int put_census(struct segment_writer *w)
{
    buf_reset(&w->scratch);
    int err = census_maker_seal(w->census, 0, &w->scratch);
    buf_varint(&w->census_list, w->scratch.len);
    buf_slice(&w->census_list, buf_content(&w->scratch));
    return err == 0 && !buf_ok(&w->census_list) ? ERR_NOMEM : err;
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
    int err = buf_ok(&copy) ? rowgroup_head_read(&head, &in, w->press.seal) : ERR_NOMEM;
    if (err == 0) {
        head.tenant = w->info.name.tenant;
        head.at = w->press.at;
        head.body = buf_content(&w->body);
        err = rowgroup_open(w->reader, &head, w->block);
    }
    grams_reset(w->grams);
    census_maker_reset(w->census);
    for (uint32_t i = 0; err == 0 && i < head.block_count; i++) {
        err = rowgroup_rows(w->reader, i, NULL, w->block);
        if (err == 0)
            err = rowgroup_leaves(w->reader, i, w->leaves);
        if (err == 0 && check != NULL)
            err = check(self, w->block, w->leaves);
        if (err == 0)
            err = grams_add(w->grams, w->block, i == 0);
        if (err == 0)
            err = census_maker_add(w->census, w->block);
        if (err == 0)
            err = put_filter(w);
        head.body = buf_content(&w->body); /* it has grown */
    }
    if (err == 0)
        err = put_grams(w, head.row_count);
    if (err == 0)
        err = put_census(w);
    if (err == 0)
        count_group(&w->info, &head);
    batch_reset(w->block);
    buf_release(&copy);
    return err;
}

/* What can be told of the group without its key. */
static int put_outside(struct segment_writer *w, uint32_t row_count)
{
    struct sealed_group outside = {.at = w->press.at, .len = w->body.len, .row_count = row_count};
    int err = sha256_of(&outside.hash, buf_content(&w->body));
    sealed_group_put(&w->outside, &outside);
    return err == 0 && !buf_ok(&w->outside) ? ERR_NOMEM : err;
}

int segment_add(struct segment_writer *w, struct rowgroup *g, segment_check *check, void *self)
{
    if (w->group_count == SEGMENT_GROUPS_MAX)
        return ERR_RANGE;
    buf_reset(&w->body);
    buf_reset(&w->head);
    w->press.at = w->written + w->out.len;
    int err = rowgroup_seal(g, &w->press, &w->body, &w->head);
    if (err == 0)
        err = read_back(w, check, self);
    if (err == 0 && w->sealed)
        err = put_outside(w, rowgroup_row_count(g));
    if (err != 0)
        return err;
    buf_put64(&w->groups, w->press.at);
    buf_put64(&w->groups, w->body.len);
    buf_slice(&w->groups, buf_content(&w->head));
    buf_slice(&w->out, buf_content(&w->body));
    w->group_count++;
    return w->out.len < WRITE_BYTES ? 0 : flush(w);
}

/* The sections, where the segment is not sealed the footer itself. */
static int put_sections(struct segment_writer *w, struct buf *out)
{
    struct buf count = {0};
    buf_varint(&count, w->group_count);
    buf_put32(out, SECTION_GROUPS | SECTION_REQUIRED);
    buf_put64(out, count.len + w->groups.len);
    buf_slice(out, buf_content(&count));
    buf_slice(out, buf_content(&w->groups));
    buf_put32(out, SECTION_GRAMS);
    buf_put64(out, w->gram_list.len);
    buf_slice(out, buf_content(&w->gram_list));
    buf_put32(out, SECTION_CENSUS);
    buf_put64(out, w->census_list.len);
    buf_slice(out, buf_content(&w->census_list));
    bool made = buf_ok(&count) && buf_ok(out) && buf_ok(&w->groups) && buf_ok(&w->gram_list) &&
                buf_ok(&w->census_list);
    int err = made ? 0 : ERR_NOMEM;
    buf_release(&count);
    return err;
}

/* The sections within the one that tells what is outside. */
static int put_sealed(struct segment_writer *w, struct buf *out)
{
    struct buf inside = {0};
    int err = put_sections(w, &inside);
    struct sealed_footer what = {.group_count = w->group_count,
                                 .groups = buf_content(&w->outside),
                                 .inside = buf_content(&inside)};
    memcpy(what.key_id, w->key_id, sizeof(what.key_id));
    buf_put32(out, SECTION_SEALED | SECTION_REQUIRED);
    buf_put64(out, sealed_footer_bytes(&what));
    if (err == 0)
        err = sealed_footer_put(out, w->written + w->out.len, &w->seal, &what);
    buf_release(&inside);
    return err;
}

static int put_footer(struct segment_writer *w)
{
    struct buf footer = {0};
    struct buf hashed = {0};
    int err = w->sealed ? put_sealed(w, &footer) : put_sections(w, &footer);
    buf_slice(&hashed, buf_content(&w->header));
    buf_slice(&hashed, buf_content(&footer));
    if (err == 0)
        err = buf_ok(&hashed) ? sha256_of(&w->info.hash, buf_content(&hashed)) : ERR_NOMEM;
    buf_slice(&w->out, buf_content(&footer));
    buf_put64(&w->out, footer.len);
    buf_append(&w->out, w->info.hash.bytes, sizeof(w->info.hash.bytes));
    buf_append(&w->out, MAGIC_END, sizeof(MAGIC_END));
    buf_release(&footer);
    buf_release(&hashed);
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
    bool sealed;
    bool outside; /* it is only looked at from there */
    struct file_seal seal;
    struct sealed_footer footer; /* of a sealed one */
    struct buf inside;           /* its sections */
};

void segment_close(struct segment *s)
{
    if (s == NULL)
        return;
    file_unmap(s->map);
    buf_release(&s->inside);
    free(s->groups);
    free(s->path);
    free(s);
}

void segment_forget(const struct segment *s)
{
    file_map_forget(s->map);
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

bool segment_is_sealed(const struct segment *s)
{
    return s->sealed;
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
        int err = in->failed ? ERR_CORRUPT : rowgroup_head_read(h, in, s->sealed ? &s->seal : NULL);
        if (err != 0 || at != before || len > end - at || len < rowgroup_bytes(h))
            return damaged(s, "the head of a group cannot be", diag);
        before = at + len;
        h->tenant = s->info.name.tenant;
        h->at = at;
        h->body = slice_of(s->map.data + at, (size_t)len);
        count_group(&s->info, h);
    }
    s->group_count = (size_t)count;
    if (before != end)
        return damaged(s, "bytes between the groups and the footer", diag);
    return reader_left(in) == 0 ? 0 : damaged(s, "bytes behind the heads of the groups", diag);
}

/* Length and checksum of each group's filter of runs. */
static int read_grams(struct segment *s, struct slice section, struct diag *diag)
{
    struct reader in = reader_of(section);
    for (size_t i = 0; i < s->group_count; i++) {
        struct rowgroup_head *h = &s->groups[i];
        h->grams_len = (uint32_t)reader_varint(&in, UINT32_MAX);
        h->grams_checksum = h->grams_len == 0 ? 0 : reader_get32(&in);
    }
    return in.failed || reader_left(&in) != 0 ? damaged(s, "the list of filters cannot be", diag)
                                              : 0;
}

static int read_census(struct segment *s, struct slice section, struct diag *diag)
{
    struct reader in = reader_of(section);
    for (size_t i = 0; i < s->group_count; i++)
        s->groups[i].census = reader_bytes(&in, reader_varint(&in, UINT32_MAX));
    return in.failed || reader_left(&in) != 0 ? damaged(s, "the list of censuses cannot be", diag)
                                              : 0;
}

/* Every byte of a group is one that a section speaks of; those that this program knows, where it knows all. */
static int check_lengths(const struct segment *s, bool all_known, struct diag *diag)
{
    for (size_t i = 0; i < s->group_count; i++) {
        const struct rowgroup_head *h = &s->groups[i];
        uint64_t known = rowgroup_bytes(h) + h->grams_len;
        if (known > h->body.len || (all_known && known != h->body.len))
            return damaged(s, "a group has another length than its parts", diag);
    }
    return 0;
}

static int unknown_section(const struct segment *s, uint32_t type, struct diag *diag)
{
    if ((type & SECTION_REQUIRED) == 0)
        return 0;
    diag_add(diag, s->path, 0, 0,
             "section %" PRIu32 " of the footer is required and unknown: use a newer program",
             type & ~SECTION_REQUIRED);
    return ERR_FORMAT;
}

/* Sections of the footer that this program knows; `data` is NULL where one is missing. */
struct sections {
    struct slice groups;
    struct slice grams;
    struct slice census;
    struct slice sealed; /* beside which no other is known */
    bool all_known;
};

static struct slice *known_section(struct sections *found, uint32_t type, bool sealed)
{
    if (sealed)
        return type == (SECTION_SEALED | SECTION_REQUIRED) ? &found->sealed : NULL;
    return type == (SECTION_GROUPS | SECTION_REQUIRED) ? &found->groups
           : type == SECTION_GRAMS                     ? &found->grams
           : type == SECTION_CENSUS                    ? &found->census
                                                       : NULL;
}

static int find_sections(struct sections *out, const struct segment *s, struct slice footer,
                         bool sealed, struct diag *diag)
{
    struct reader in = reader_of(footer);
    int err = 0;
    *out = (struct sections){.all_known = true};
    while (err == 0 && reader_left(&in) != 0) {
        uint32_t type = reader_get32(&in);
        struct slice section = reader_bytes(&in, reader_get64(&in));
        struct slice *known = known_section(out, type, sealed);
        if (in.failed)
            return damaged(s, "a section of the footer ends too early", diag);
        if (known != NULL && known->data != NULL)
            return damaged(s, "a section of the footer stands twice", diag);
        if (known != NULL)
            *known = section;
        else
            err = unknown_section(s, type, diag);
        out->all_known = out->all_known && known != NULL;
    }
    return err;
}

/* `end`: of the groups. */
static int read_sections(struct segment *s, struct slice sections, uint64_t end, struct diag *diag)
{
    struct sections found;
    int err = find_sections(&found, s, sections, false, diag);
    if (err == 0 && found.groups.data == NULL)
        return damaged(s, "the footer has no groups", diag);
    if (err == 0) {
        struct reader in = reader_of(found.groups);
        err = read_groups(s, &in, end, diag);
    }
    if (err == 0 && found.grams.data != NULL)
        err = read_grams(s, found.grams, diag);
    if (err == 0 && found.census.data != NULL)
        err = read_census(s, found.census, diag);
    return err == 0 ? check_lengths(s, found.all_known, diag) : err;
}

/* The groups as they are seen without the key: their places, and all their bytes. */
static int check_outside(struct segment *s, uint64_t end, struct diag *diag)
{
    struct reader in = reader_of(s->footer.groups);
    uint64_t before = HEADER_BYTES;
    for (uint32_t i = 0; i < s->footer.group_count; i++) {
        struct sealed_group g = sealed_group_read(&in);
        struct sha256 hash;
        if (g.at != before || g.len > end - g.at)
            return damaged(s, "the place of a group cannot be", diag);
        int err = sha256_of(&hash, slice_of(s->map.data + g.at, (size_t)g.len));
        if (err != 0)
            return err;
        if (!sha256_equal(&hash, &g.hash))
            return damaged(s, "the hash of a sealed group is wrong", diag);
        before = g.at + g.len;
        s->info.row_count += g.row_count;
    }
    return before == end ? 0 : damaged(s, "bytes between the groups and the footer", diag);
}

/* What is said outside must be what is sealed inside. */
static int compare_outside(const struct segment *s, struct diag *diag)
{
    struct reader in = reader_of(s->footer.groups);
    bool same = s->footer.group_count == s->group_count;
    for (size_t i = 0; i < s->group_count && same; i++) {
        struct sealed_group g = sealed_group_read(&in);
        same = g.at == s->groups[i].at && g.len == s->groups[i].body.len &&
               g.row_count == s->groups[i].row_count;
    }
    return same ? 0 : damaged(s, "the sealed groups are not those that it tells of", diag);
}

static int open_inside(struct segment *s, const uint8_t *secret, struct diag *diag)
{
    const struct sealed_footer *f = &s->footer;
    s->seal.secret = secret;
    memcpy(s->seal.salt, f->salt, sizeof(s->seal.salt));
    memcpy(s->seal.prefix, f->prefix, sizeof(s->seal.prefix));
    memcpy(s->seal.header, s->map.data, sizeof(s->seal.header));
    size_t len = f->inside.len - SEAL_TAG_BYTES;
    char *to = buf_reserve(&s->inside, len);
    if (to == NULL)
        return ERR_NOMEM;
    int err = seal_open(&s->seal, (uint64_t)(f->inside.data - s->map.data), f->inside, to);
    s->inside.len = len;
    return err == ERR_CORRUPT ? damaged(s, "the sealed footer does not open with its key", diag)
                              : err;
}

static int read_sealed(struct segment *s, struct slice footer, const struct keyring *keys,
                       struct diag *diag)
{
    struct sections found;
    uint64_t end = (uint64_t)(footer.data - s->map.data);
    int err = find_sections(&found, s, footer, true, diag);
    if (err == 0 && sealed_footer_read(&s->footer, found.sealed, SEGMENT_GROUPS_MAX) != 0)
        err = damaged(s, "what is told of the sealed groups cannot be", diag);
    if (err != 0)
        return err;
    s->sealed = true;
    if (s->outside)
        return check_outside(s, end, diag);
    const struct keyring_key *key = keyring_find(keys, s->info.name.tenant, s->footer.key_id);
    const uint8_t *secret = key == NULL ? NULL : keyring_secret(keys, key);
    if (secret == NULL)
        return sealed_footer_refuse(&s->footer, s->path, s->info.name.tenant, key != NULL, diag);
    err = open_inside(s, secret, diag);
    if (err == 0)
        err = read_sections(s, buf_content(&s->inside), end, diag);
    return err == 0 ? compare_outside(s, diag) : err;
}

static bool is_sealed(struct slice footer)
{
    struct reader in = reader_of(footer);
    return reader_get32(&in) == (SECTION_SEALED | SECTION_REQUIRED);
}

static int read_footer(struct segment *s, const struct keyring *keys, struct diag *diag)
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
    if (is_sealed(footer))
        return read_sealed(s, footer, keys, diag);
    return read_sections(s, footer, (uint64_t)(footer.data - s->map.data), diag);
}

static int open_as(struct segment **out, const char *path, const struct keyring *keys, bool outside,
                   struct diag *diag)
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
    s->outside = outside;
    int err = s->path == NULL ? ERR_NOMEM : file_open(&file, path, FILE_READ);
    if (err == 0)
        err = file_map(&s->map, file);
    file_close(file);
    s->info.bytes = s->map.len;
    if (err == 0)
        err = read_footer(s, keys, diag);
    else
        diag_add(diag, path, 0, 0, "the segment cannot be opened: %s", err_name(err));
    if (err != 0) {
        segment_close(s);
        return err;
    }
    *out = s;
    return 0;
}

int segment_open(struct segment **out, const char *path, const struct keyring *keys,
                 struct diag *diag)
{
    return open_as(out, path, keys, false, diag);
}

int segment_open_outside(struct segment **out, const char *path, struct diag *diag)
{
    return open_as(out, path, NULL, true, diag);
}
