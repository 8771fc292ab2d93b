#include "store/deletion.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"

enum {
    NUMBER_DIGITS = 8,
    DECIMAL = 10,
};

#define SUFFIX ".note"

struct deletions {
    struct deletions_options o;
    char folder[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX]; /* of the one at hand */
    uint64_t count;
    struct sha256 last_hash;
    struct arena arena;
    struct buf text;
    struct deletion at; /* the one read last */
};

static int paste(char *out, const char *before, const char *behind)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/%s", before, behind);
    return len > 0 && len < FILE_PATH_BYTES_MAX ? 0 : ERR_RANGE;
}

static int path_of(struct deletions *f, uint64_t number)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "%08" PRIu64 SUFFIX, number);
    return paste(f->path, f->folder, name);
}

/* The number in a file's name; 0: it is none. */
static uint64_t number_of(const char *name)
{
    bool right =
        strspn(name, "0123456789") == NUMBER_DIGITS && strcmp(name + NUMBER_DIGITS, SUFFIX) == 0;
    return right ? strtoull(name, NULL, DECIMAL) : 0;
}

/* How many there are: names ascend, and each number must be there. */
static int count_all(struct deletions *f, struct diag *diag)
{
    struct arena arena = {0};
    struct dir_names names = {0};
    int err = dir_list(&names, &arena, f->folder);
    for (size_t i = 0; i < names.count && err == 0; i++) {
        uint64_t number = number_of(names.names[i]);
        if (number == 0)
            continue;
        if (number == f->count + 1) {
            f->count = number;
            continue;
        }
        diag_add(diag, f->folder, 0, 0,
                 "certificate %" PRIu64 " is missing; restore it from a copy of the store",
                 f->count + 1);
        err = ERR_CORRUPT;
    }
    arena_release(&arena);
    return err == ERR_NOTFOUND ? 0 : err;
}

static int differs(struct deletions *f, const char *what, struct diag *diag)
{
    diag_add(diag, f->path, 0, 0, "%s; restore the certificate from a copy of the store", what);
    return ERR_CORRUPT;
}

int deletions_read(struct deletions *f, uint64_t number, const struct deletion **out,
                   struct sha256 *hash, struct diag *diag)
{
    buf_reset(&f->text);
    arena_reset(&f->arena);
    int err = number == 0 || number > f->count ? ERR_NOTFOUND : path_of(f, number);
    if (err == 0)
        err = file_read_all(&f->text, f->path, DELETION_BYTES_MAX);
    if (err == ERR_RANGE)
        return differs(f, "longer than any certificate", diag);
    if (err == 0)
        err = deletion_parse(&f->at, &f->arena, buf_content(&f->text), f->o.key, f->path, diag);
    if (err != 0)
        return err == ERR_FORMAT ? ERR_CORRUPT : err;
    if (memcmp(f->at.store_id, f->o.store_id, STORE_ID_BYTES) != 0)
        return differs(f, "this is the certificate of another store", diag);
    if (f->at.tenant != f->o.tenant || f->at.number != number)
        return differs(f, "this is the certificate of another municipality or number", diag);
    if (hash != NULL)
        err = sha256_of(hash, buf_content(&f->text));
    *out = &f->at;
    return err;
}

int deletions_open(struct deletions **out, const struct deletions_options *options,
                   struct diag *diag)
{
    char name[64];
    const struct deletion *last = NULL;
    struct deletions *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->o = *options;
    (void)snprintf(name, sizeof(name), "deletions/%06" PRIu32, options->tenant);
    int err = paste(f->folder, options->dir, name);
    if (err == 0)
        err = count_all(f, diag);
    if (err == 0 && f->count != 0)
        err = deletions_read(f, f->count, &last, &f->last_hash, diag);
    if (err != 0) {
        deletions_close(f);
        return err;
    }
    *out = f;
    return 0;
}

void deletions_close(struct deletions *f)
{
    if (f == NULL)
        return;
    arena_release(&f->arena);
    buf_release(&f->text);
    free(f);
}

uint64_t deletions_count(const struct deletions *f)
{
    return f->count;
}

/* The folders, durable before anything is in them. */
static int make_folder(struct deletions *f)
{
    char above[FILE_PATH_BYTES_MAX];
    struct file_info info;
    if (file_stat(&info, f->folder) == 0)
        return 0;
    int err = paste(above, f->o.dir, "deletions");
    if (err == 0)
        err = dir_create(f->folder);
    if (err == 0)
        err = dir_sync(above);
    return err == 0 ? dir_sync(f->o.dir) : err;
}

int deletions_append(struct deletions *f, struct deletion *d, struct diag *diag)
{
    struct buf text = {0};
    struct sha256 hash;
    if (f->o.signer == NULL)
        return ERR_RANGE;
    d->tenant = f->o.tenant;
    d->number = f->count + 1;
    d->previous = f->last_hash;
    memcpy(d->store_id, f->o.store_id, STORE_ID_BYTES);
    int err = deletion_sign(&text, d, f->o.signer);
    if (err == 0)
        err = sha256_of(&hash, buf_content(&text));
    if (err == 0)
        err = make_folder(f);
    if (err == 0)
        err = path_of(f, d->number);
    failpoint("deletion.before_write");
    if (err == 0)
        err = file_write_atomic(f->path, buf_content(&text));
    if (err == ERR_IO && file_no_space())
        err = ERR_AGAIN;
    failpoint("deletion.durable");
    if (err == 0) {
        f->count++;
        f->last_hash = hash;
    } else {
        diag_add(diag, f->folder, 0, 0, "no certificate could be written (%s): nothing is deleted",
                 err_name(err));
    }
    buf_release(&text);
    return err;
}
