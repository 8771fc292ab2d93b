#include "store/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/err.h"
#include "base/file.h"
#include "store/reader.h"

enum {
    SNAPSHOT_LEVEL = 1,
    STATE_BYTES_MAX = 256 << 20,
    FILE_BYTES_MAX = STATE_BYTES_MAX + 4096,
    NAME_CODE_BYTES = 6,
    NAME_SEQ_BYTES = 20,
};

#define MAGIC "SEKISNP1"

int snapshot_make(struct snapshot **out, uint32_t tenant, struct slice state)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->tenant = tenant;
    s->state_bytes = state.len;
    size_t bound = ZSTD_compressBound(state.len);
    char *place = buf_reserve(&s->packed, bound);
    size_t len =
        place == NULL ? 0 : ZSTD_compress(place, bound, state.data, state.len, SNAPSHOT_LEVEL);
    if (place == NULL || ZSTD_isError(len)) {
        snapshot_free(s);
        return ERR_NOMEM;
    }
    s->packed.len = len;
    hash_content(s->hash, state);
    *out = s;
    return 0;
}

void snapshot_free(struct snapshot *s)
{
    if (s == NULL)
        return;
    buf_release(&s->packed);
    free(s);
}

static int path_of(char *out, const char *dir, uint32_t tenant, uint64_t seq)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/state/%06u.%020llu", dir, tenant,
                       (unsigned long long)seq);
    return len > 0 && len < FILE_PATH_BYTES_MAX ? 0 : ERR_RANGE;
}

/* "<code6>.<seq20>" */
static bool name_read(const char *name, struct snapshot_file *out)
{
    uint64_t numbers[2] = {0, 0};
    size_t len = strlen(name);
    if (len != NAME_CODE_BYTES + 1 + NAME_SEQ_BYTES || name[NAME_CODE_BYTES] != '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        uint64_t *number = &numbers[i > NAME_CODE_BYTES];
        if (i == NAME_CODE_BYTES)
            continue;
        if (name[i] < '0' || name[i] > '9' || *number > UINT64_MAX / 10 - 1)
            return false;
        *number = *number * 10 + (uint64_t)(name[i] - '0');
    }
    *out = (struct snapshot_file){.tenant = (uint32_t)numbers[0], .seq = numbers[1]};
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct snapshot_file *x = a;
    const struct snapshot_file *y = b;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    return x->seq > y->seq ? -1 : x->seq < y->seq;
}

int snapshot_list(struct snapshot_file **out, size_t *count, const char *dir)
{
    char path[FILE_PATH_BYTES_MAX];
    struct arena arena = {0};
    struct dir_names names = {0};
    struct snapshot_file *files = NULL;
    size_t found = 0;
    int len = snprintf(path, sizeof(path), "%s/state", dir);
    int status = len > 0 && (size_t)len < sizeof(path) ? 0 : ERR_RANGE;
    if (status == 0 && dir_list(&names, &arena, path) != 0)
        names.count = 0;
    if (status == 0)
        files = calloc(names.count + 1, sizeof(*files));
    for (size_t i = 0; files != NULL && i < names.count; i++)
        found += name_read(names.names[i], &files[found]);
    arena_release(&arena);
    if (status != 0 || files == NULL)
        return status != 0 ? status : ERR_NOMEM;
    if (found != 0)
        qsort(files, found, sizeof(*files), compare);
    *out = files;
    *count = found;
    return 0;
}

/* All but the SNAPSHOT_KEPT up to `seq`: what is newer is of a history that the log has lost. */
static void remove_others(const char *dir, uint32_t tenant, uint64_t seq)
{
    struct snapshot_file *files = NULL;
    char path[FILE_PATH_BYTES_MAX];
    size_t count = 0;
    unsigned kept = 0;
    if (snapshot_list(&files, &count, dir) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (files[i].tenant == tenant && (files[i].seq > seq || kept++ >= SNAPSHOT_KEPT) &&
            path_of(path, dir, tenant, files[i].seq) == 0)
            (void)file_unlink(path);
    }
    free(files);
}

int snapshot_write(const struct snapshot *s, const char *dir, const struct snapshot_place *place)
{
    const struct log_position *at = &place->at;
    char path[FILE_PATH_BYTES_MAX];
    struct buf out = {0};
    int status = path_of(path, dir, s->tenant, at->next_seq);
    buf_append(&out, MAGIC, sizeof(MAGIC) - 1);
    buf_put32(&out, s->tenant);
    buf_put32(&out, 0);
    buf_put64(&out, at->file_seq);
    buf_put64(&out, at->offset);
    buf_put64(&out, at->next_seq);
    buf_append(&out, at->prev_hash.bytes, SHA256_BYTES);
    buf_append(&out, place->prevalence.bytes, SHA256_BYTES);
    buf_put64(&out, s->state_bytes);
    buf_append(&out, s->hash, HASH_ID_BYTES);
    buf_slice(&out, buf_content(&s->packed));
    if (status == 0)
        status = buf_ok(&out) ? file_write_atomic(path, buf_content(&out)) : ERR_NOMEM;
    buf_release(&out);
    if (status == 0)
        remove_others(dir, s->tenant, at->next_seq);
    return status;
}

static int unpack(struct buf *state, struct slice packed, uint64_t bytes, struct slice wanted)
{
    uint8_t hash[HASH_ID_BYTES];
    if (bytes > STATE_BYTES_MAX)
        return ERR_NOTFOUND;
    buf_reset(state);
    char *place = buf_reserve(state, (size_t)bytes);
    if (place == NULL)
        return ERR_NOMEM;
    size_t len = ZSTD_decompress(place, (size_t)bytes, packed.data, packed.len);
    if (ZSTD_isError(len) || len != bytes)
        return ERR_NOTFOUND;
    state->len = len;
    hash_content(hash, buf_content(state));
    return memcmp(hash, wanted.data, HASH_ID_BYTES) == 0 ? 0 : ERR_NOTFOUND;
}

/* `state` NULL: only the place. */
static int read_content(struct buf *state, struct snapshot_place *place, struct slice content,
                        const struct snapshot_file *file)
{
    struct reader in = reader_of(content);
    struct snapshot_place found = {0};
    struct log_position *position = &found.at;
    struct slice magic = reader_bytes(&in, sizeof(MAGIC) - 1);
    uint32_t tenant = reader_get32(&in);
    (void)reader_get32(&in);
    position->file_seq = reader_get64(&in);
    position->offset = reader_get64(&in);
    position->next_seq = reader_get64(&in);
    struct slice prev = reader_bytes(&in, SHA256_BYTES);
    struct slice prevalence = reader_bytes(&in, SHA256_BYTES);
    uint64_t bytes = reader_get64(&in);
    struct slice wanted = reader_bytes(&in, HASH_ID_BYTES);
    if (in.failed || !slice_equal(magic, SLICE(MAGIC)) || tenant != file->tenant ||
        position->next_seq != file->seq)
        return ERR_NOTFOUND;
    memcpy(position->prev_hash.bytes, prev.data, SHA256_BYTES);
    memcpy(found.prevalence.bytes, prevalence.data, SHA256_BYTES);
    int status =
        state == NULL ? 0 : unpack(state, slice_of(in.at, reader_left(&in)), bytes, wanted);
    if (status == 0)
        *place = found;
    return status;
}

int snapshot_read_place(struct snapshot_place *place, const char *dir,
                        const struct snapshot_file *file)
{
    return snapshot_read(NULL, place, dir, file);
}

int snapshot_read(struct buf *state, struct snapshot_place *place, const char *dir,
                  const struct snapshot_file *file)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf content = {0};
    int status = path_of(path, dir, file->tenant, file->seq);
    if (status == 0 && file_read_all(&content, path, FILE_BYTES_MAX) != 0)
        status = ERR_NOTFOUND;
    if (status == 0)
        status = read_content(state, place, buf_content(&content), file);
    buf_release(&content);
    return status;
}
