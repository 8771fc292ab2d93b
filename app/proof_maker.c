#include "app/proof_maker.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"

int proof_key_read(struct note_key *out, const char *dir, struct diag *diag)
{
    int err = checkpoint_key_read(out, dir, diag);
    if (err == ERR_NOTFOUND) {
        diag_add(diag, dir, 0, 0,
                 "there is no key, so nothing was signed as yet; a collector signs every "
                 "checkpoint.every, sekisho checkpoint --sign by hand");
    }
    return err;
}

static int take_text(struct signed_checkpoint *c, const struct note_key *key, const char *file,
                     struct diag *diag)
{
    return checkpoint_parse(&c->is, &c->arena, buf_content(&c->text), key, file, diag);
}

int signed_checkpoint_last(struct signed_checkpoint *out, const char *dir,
                           const struct note_key *key, struct diag *diag)
{
    struct signed_checkpoint c = {0};
    int err = checkpoint_file_read_last(&c.text, dir, key, diag);
    if (err == ERR_NOTFOUND)
        diag_add(diag, dir, 0, 0,
                 "no checkpoint was signed as yet; sekisho checkpoint --sign does it");
    if (err == 0)
        err = take_text(&c, key, "checkpoints", diag);
    if (err == 0)
        *out = c;
    else
        signed_checkpoint_release(&c);
    return err;
}

int signed_checkpoint_read(struct signed_checkpoint *out, const char *path,
                           const struct note_key *key, struct diag *diag)
{
    struct signed_checkpoint c = {0};
    int err = file_read_all(&c.text, path, CHECKPOINT_BYTES_MAX);
    if (err == ERR_NOTFOUND)
        diag_add(diag, path, 0, 0, "no such file");
    if (err == 0)
        err = take_text(&c, key, path, diag);
    if (err == 0)
        *out = c;
    else
        signed_checkpoint_release(&c);
    return err;
}

void signed_checkpoint_release(struct signed_checkpoint *c)
{
    arena_release(&c->arena);
    buf_release(&c->text);
    c->is = (struct checkpoint){0};
}

/* A row as it is printed into a proof. */
struct row_printer {
    struct proof_row proof;
    struct buf *out;
    bool seen;
};

static int print_row(void *self, uint64_t number, const struct tree_row *row)
{
    struct row_printer *p = self;
    (void)number;
    p->seen = true;
    p->proof.row = *row;
    return proof_row_print(p->out, &p->proof);
}

int proof_make_row(struct buf *out, struct tree_rows *rows, uint64_t number,
                   const struct signed_checkpoint *c, struct diag *diag)
{
    uint32_t tenant = tree_rows_catalog(rows)->tenant;
    const struct tree_head *head = checkpoint_head(&c->is, tenant);
    struct row_printer p = {.out = out};
    struct hasher *h = NULL;
    if (number >= tree_rows_catalog(rows)->tree.size) {
        diag_add(diag, NULL, 0, 0,
                 "there is no row %" PRIu64 " of municipality %06" PRIu32
                 " in segments, but %" PRIu64 " from 0 on",
                 number, tenant, tree_rows_catalog(rows)->tree.size);
        return ERR_NOTFOUND;
    }
    if (head == NULL || number >= head->size) {
        diag_add(diag, NULL, 0, 0,
                 "checkpoint %" PRIu64 " vouches for %" PRIu64 " rows of municipality %06" PRIu32
                 ", and this is row %" PRIu64 "; sign a newer one",
                 c->is.number, head == NULL ? 0 : head->size, tenant, number);
        return ERR_NOTFOUND;
    }
    p.proof.tenant = tenant;
    p.proof.index = number;
    p.proof.checkpoint = buf_content(&c->text);
    int err = hasher_new(&h);
    if (err == 0)
        err = tree_prove_leaf(h, &p.proof.path, tree_rows_source(rows), number, head->size);
    if (err == 0)
        err = tree_rows_read(rows, number, number + 1, print_row, &p);
    if (err == 0 && !p.seen) {
        diag_add(diag, NULL, 0, 0, "row %" PRIu64 " of municipality %06" PRIu32 " is in no segment",
                 number, tenant);
        err = ERR_NOTFOUND;
    }
    hasher_free(h);
    return err;
}

/* How one municipality's tree grew. */
static int prove_tenant(struct proof_growth_tenant *out, const char *dir,
                        const struct checkpoint_tenant *older, const struct tree_head *newer,
                        struct hasher *h, struct diag *diag)
{
    struct tree_rows *rows = NULL;
    out->tenant = older->tenant;
    int err = tree_rows_open(&rows, dir, older->tenant, diag);
    if (err == 0)
        err =
            tree_prove_growth(h, &out->path, tree_rows_source(rows), older->head.size, newer->size);
    tree_rows_close(rows);
    if (err == ERR_RANGE || err == ERR_NOTFOUND) {
        diag_add(diag, NULL, 0, 0,
                 "municipality %06" PRIu32
                 ": the store has not the rows of the checkpoints any more",
                 older->tenant);
        err = ERR_CORRUPT;
    }
    return err;
}

int proof_make_growth(struct buf *out, const char *dir, const struct signed_checkpoint *older,
                      const struct signed_checkpoint *newer, struct diag *diag)
{
    struct arena arena = {0};
    struct hasher *h = NULL;
    struct proof_growth_tenant *tenants =
        arena_array(&arena, older->is.tenant_count + 1, sizeof(*tenants));
    int err = tenants == NULL ? ERR_NOMEM : hasher_new(&h);
    if (err == 0)
        err = checkpoint_check_later(&older->is, &newer->is, "the older checkpoint", diag);
    for (uint32_t i = 0; i < older->is.tenant_count && err == 0; i++) {
        const struct checkpoint_tenant *t = &older->is.tenants[i];
        err = prove_tenant(&tenants[i], dir, t, checkpoint_head(&newer->is, t->tenant), h, diag);
    }
    const struct proof_growth proof = {.tenants = tenants,
                                       .tenant_count = older->is.tenant_count,
                                       .older = buf_content(&older->text),
                                       .newer = buf_content(&newer->text)};
    if (err == 0)
        err = proof_growth_print(out, &proof);
    hasher_free(h);
    arena_release(&arena);
    return err;
}
