#include "store/compacted.h"

#include <stdio.h>

#include "base/file.h"
#include "store/reader.h"
#include "store/sha256.h"

enum {
    STORE_ID = 16,
    TENANTS_MAX = 1 << 20,
    BYTES_MAX = 8 << 20,
};

static const char MAGIC[8] = "SEKICMP1";

static int path_of(char *out, size_t cap, const char *dir)
{
    int len = snprintf(out, cap, "%s/seg/compacted", dir);
    return len < 0 || (size_t)len >= cap ? ERR_RANGE : 0;
}

static int read_content(struct compacted *c, struct slice bytes, struct arena *arena)
{
    struct sha256 hash;
    if (bytes.len < SHA256_BYTES)
        return ERR_CORRUPT;
    struct slice content = slice_of(bytes.data, bytes.len - SHA256_BYTES);
    int err = sha256_of(&hash, content);
    if (err != 0)
        return err;
    if (memcmp(hash.bytes, bytes.data + content.len, SHA256_BYTES) != 0)
        return ERR_CORRUPT;
    struct reader in = reader_of(content);
    struct slice magic = reader_bytes(&in, sizeof(MAGIC));
    struct slice id = reader_bytes(&in, STORE_ID);
    c->through_seq = reader_get64(&in);
    uint32_t count = reader_get32(&in);
    if (in.failed || count > TENANTS_MAX || reader_left(&in) != (size_t)count * 4 ||
        memcmp(magic.data, MAGIC, sizeof(MAGIC)) != 0)
        return ERR_CORRUPT;
    uint32_t *tenants = arena_array(arena, (size_t)count + 1, sizeof(*tenants));
    if (tenants == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        tenants[i] = reader_get32(&in);
    memcpy(c->store_id, id.data, STORE_ID);
    c->tenants = tenants;
    c->tenant_count = count;
    return 0;
}

int compacted_read(struct compacted *out, const char *dir, struct arena *arena, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    struct compacted c = {0};
    int err = path_of(path, sizeof(path), dir);
    if (err == 0)
        err = file_read_all(&bytes, path, BYTES_MAX);
    if (err == 0)
        err = read_content(&c, buf_content(&bytes), arena);
    if (err == ERR_CORRUPT) {
        diag_add(diag, path, 0, 0,
                 "damaged: restore it from a copy of the store, or remove it: the next compaction "
                 "makes it again");
    }
    buf_release(&bytes);
    if (err == 0)
        *out = c;
    return err;
}

bool compacted_has(const struct compacted *c, uint32_t tenant)
{
    for (size_t i = 0; i < c->tenant_count; i++) {
        if (c->tenants[i] == tenant)
            return true;
    }
    return false;
}

int compacted_write(const char *dir, const struct compacted *c)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf bytes = {0};
    struct sha256 hash = {0};
    buf_append(&bytes, MAGIC, sizeof(MAGIC));
    buf_append(&bytes, c->store_id, STORE_ID);
    buf_put64(&bytes, c->through_seq);
    buf_put32(&bytes, (uint32_t)c->tenant_count);
    for (size_t i = 0; i < c->tenant_count; i++)
        buf_put32(&bytes, c->tenants[i]);
    int err = path_of(path, sizeof(path), dir);
    if (err == 0)
        err = buf_ok(&bytes) ? sha256_of(&hash, buf_content(&bytes)) : ERR_NOMEM;
    buf_append(&bytes, hash.bytes, sizeof(hash.bytes));
    if (err == 0)
        err = buf_ok(&bytes) ? file_write_atomic(path, buf_content(&bytes)) : ERR_NOMEM;
    if (err == ERR_IO && file_no_space())
        err = ERR_AGAIN;
    buf_release(&bytes);
    return err;
}
