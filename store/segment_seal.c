#include "store/segment_seal.h"

#include <inttypes.h>

#include "base/err.h"

enum {
    GROUP_BYTES = 8 + 8 + 4 + SHA256_BYTES,
    OUTSIDE_BYTES = KEYRING_ID_BYTES + SEAL_SALT_BYTES + SEAL_PREFIX_BYTES + 4,
};

void sealed_group_put(struct buf *out, const struct sealed_group *g)
{
    buf_put64(out, g->at);
    buf_put64(out, g->len);
    buf_put32(out, g->row_count);
    buf_append(out, g->hash.bytes, sizeof(g->hash.bytes));
}

struct sealed_group sealed_group_read(struct reader *in)
{
    struct sealed_group g = {.at = reader_get64(in)};
    g.len = reader_get64(in);
    g.row_count = reader_get32(in);
    struct slice hash = reader_bytes(in, sizeof(g.hash.bytes));
    if (hash.len == sizeof(g.hash.bytes))
        memcpy(g.hash.bytes, hash.data, hash.len);
    return g;
}

int sealed_footer_put(struct buf *footer, uint64_t footer_at, const struct file_seal *seal,
                      const struct sealed_footer *what)
{
    buf_append(footer, what->key_id, sizeof(what->key_id));
    buf_append(footer, seal->salt, sizeof(seal->salt));
    buf_append(footer, seal->prefix, sizeof(seal->prefix));
    buf_put32(footer, what->group_count);
    buf_slice(footer, what->groups);
    size_t start = footer->len;
    buf_slice(footer, what->inside);
    if (!buf_ok(footer) || buf_reserve(footer, SEAL_TAG_BYTES) == NULL)
        return ERR_NOMEM;
    int err = seal_piece(seal, footer_at + start, footer->data + start, what->inside.len);
    if (err == 0)
        footer->len += SEAL_TAG_BYTES;
    return err;
}

uint64_t sealed_footer_bytes(const struct sealed_footer *what)
{
    return OUTSIDE_BYTES + what->groups.len + what->inside.len + SEAL_TAG_BYTES;
}

int sealed_footer_read(struct sealed_footer *out, struct slice section, uint32_t groups_max)
{
    struct sealed_footer f = {0};
    struct reader in = reader_of(section);
    struct slice id = reader_bytes(&in, sizeof(f.key_id));
    struct slice salt = reader_bytes(&in, sizeof(f.salt));
    struct slice prefix = reader_bytes(&in, sizeof(f.prefix));
    f.group_count = reader_get32(&in);
    if (in.failed || f.group_count > groups_max)
        return ERR_CORRUPT;
    struct slice groups = reader_bytes(&in, (uint64_t)f.group_count * GROUP_BYTES);
    f.inside = reader_bytes(&in, reader_left(&in));
    if (in.failed || f.inside.len <= SEAL_TAG_BYTES)
        return ERR_CORRUPT;
    memcpy(f.key_id, id.data, sizeof(f.key_id));
    memcpy(f.salt, salt.data, sizeof(f.salt));
    memcpy(f.prefix, prefix.data, sizeof(f.prefix));
    f.groups = groups;
    *out = f;
    return 0;
}

int sealed_footer_refuse(const struct sealed_footer *f, const char *path, uint32_t tenant,
                         bool destroyed, struct diag *diag)
{
    char id[KEYRING_ID_HEX_BYTES + 1];
    keyring_id_print(id, f->key_id);
    if (destroyed) {
        diag_add(diag, path, 0, 0,
                 "encrypted with key %s of %06" PRIu32 ", which was destroyed: it cannot be read",
                 id, tenant);
    } else {
        diag_add(diag, path, 0, 0,
                 "encrypted with key %s of %06" PRIu32
                 ", which is not there; name the keyring that has it: --keyring FILE or "
                 "SEKISHO_KEYRING",
                 id, tenant);
    }
    return ERR_SEALED;
}
