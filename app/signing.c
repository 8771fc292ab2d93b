#include "app/signing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"

/* A municipality's tree, as its catalog said when it was so long. */
struct known_tree {
    uint64_t catalog_bytes;
    uint64_t size;
    struct sha256 root;
    uint32_t tenant;
};

struct signing {
    char dir[FILE_PATH_BYTES_MAX];
    uint8_t store_id[STORE_ID_BYTES];
    struct checkpoint_file *file;
    struct hasher *hasher;
    struct known_tree *trees; /* ascending by tenant */
    size_t count;
    size_t cap;
    bool has_totals; /* something is compacted */
    struct totals_signed totals;
};

static int path_in(char *out, const char *dir, const char *name)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/%s", dir, name);
    return len < 0 || len >= FILE_PATH_BYTES_MAX ? ERR_RANGE : 0;
}

int signing_open(struct signing **out, const char *dir, const uint8_t store_id[STORE_ID_BYTES],
                 const char *key_path, struct diag *diag)
{
    struct note_signer signer = {0};
    struct signing *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    memcpy(s->store_id, store_id, STORE_ID_BYTES);
    int len = snprintf(s->dir, sizeof(s->dir), "%s", dir);
    int err = len < 0 || (size_t)len >= sizeof(s->dir) ? ERR_RANGE : hasher_new(&s->hasher);
    if (err == 0)
        err = checkpoint_signer_open(&signer, s->dir, s->store_id, key_path, diag);
    if (err == 0)
        err = checkpoint_file_open(&s->file, dir, &signer, diag);
    note_signer_wipe(&signer);
    if (err != 0) {
        signing_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void signing_close(struct signing *s)
{
    if (s == NULL)
        return;
    checkpoint_file_close(s->file);
    hasher_free(s->hasher);
    free(s->trees);
    free(s);
}

uint64_t signing_number(const struct signing *s)
{
    return checkpoint_file_number(s->file);
}

/* The place of a municipality, made where there is none. */
static int tree_of(struct signing *s, uint32_t tenant, struct known_tree **out)
{
    size_t at = s->count;
    while (at > 0 && s->trees[at - 1].tenant > tenant)
        at--;
    if (at > 0 && s->trees[at - 1].tenant == tenant) {
        *out = &s->trees[at - 1];
        return 0;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 64 : s->cap * 2;
        struct known_tree *trees = reallocarray(s->trees, cap, sizeof(*trees));
        if (trees == NULL)
            return ERR_NOMEM;
        s->trees = trees;
        s->cap = cap;
    }
    memmove(&s->trees[at + 1], &s->trees[at], (s->count - at) * sizeof(*s->trees));
    s->trees[at] = (struct known_tree){.tenant = tenant};
    s->count++;
    *out = &s->trees[at];
    return 0;
}

/* Read a municipality's catalog where it has grown. */
static int look_at_tenant(struct signing *s, uint32_t tenant, struct diag *diag)
{
    char folder[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    struct file_info info;
    struct catalog catalog = {0};
    struct known_tree *tree = NULL;
    int err = catalog_folder(folder, sizeof(folder), s->dir, tenant);
    if (err == 0)
        err = path_in(path, folder, "catalog");
    if (err == 0)
        err = file_stat(&info, path);
    if (err == ERR_NOTFOUND)
        return 0; /* a compaction has begun and not finished */
    if (err == 0)
        err = tree_of(s, tenant, &tree);
    if (err != 0 || tree->catalog_bytes == info.size_bytes)
        return err;
    err = catalog_read(&catalog, folder, diag);
    if (err == 0)
        err = tree_root(s->hasher, &tree->root, &catalog.tree);
    if (err == 0) {
        tree->size = catalog.tree.size;
        tree->catalog_bytes = catalog.bytes;
    }
    catalog_release(&catalog);
    return err;
}

static int look_at_totals(struct signing *s, struct diag *diag)
{
    int err = totals_hash_now(&s->totals, s->dir, diag);
    s->has_totals = err == 0;
    return err == ERR_NOTFOUND ? 0 : err;
}

int signing_look(struct signing *s, struct diag *diag)
{
    struct arena arena = {0};
    struct catalog_tenants tenants;
    int err = catalog_list_tenants(&tenants, &arena, s->dir);
    for (size_t i = 0; i < tenants.count && err == 0; i++)
        err = look_at_tenant(s, tenants.codes[i], diag);
    arena_release(&arena);
    return err == 0 ? look_at_totals(s, diag) : err;
}

int signing_next(struct signing *s, const struct log_end *log, struct buf *text, struct diag *diag)
{
    struct arena arena = {0};
    struct checkpoint_tenant *tenants = arena_array(&arena, s->count + 1, sizeof(*tenants));
    const struct checkpoint_record totals = {slice_from(s->totals.name), s->totals.hash};
    struct checkpoint c = {.time_ns = clock_now_ns(),
                           .log_seq = log->seq,
                           .log_hash = log->hash,
                           .tenants = tenants,
                           .records = &totals,
                           .record_count = s->has_totals ? 1 : 0};
    int err = tenants == NULL ? ERR_NOMEM : 0;
    memcpy(c.store_id, s->store_id, STORE_ID_BYTES);
    for (size_t i = 0; i < s->count && err == 0; i++) {
        const struct known_tree *t = &s->trees[i];
        tenants[c.tenant_count++] = (struct checkpoint_tenant){t->tenant, {t->size, t->root}};
    }
    if (err == 0)
        err = checkpoint_file_append(s->file, &c, text, diag);
    arena_release(&arena);
    return err;
}
