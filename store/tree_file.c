#include "store/tree_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"

static const char MAGIC[8] = {'S', 'E', 'K', 'I', 'T', 'R', 'E', '1'};

enum {
    HASHED_BYTES = TREE_FILE_HEADER_BYTES - SHA256_BYTES,
};

static_assert(HASHED_BYTES == 8 + 4 + 4 + STORE_ID_BYTES + 4 + 4 + 8, "the header as it is drawn");

struct tree_file {
    struct file *file;
};

static int header_make(char out[TREE_FILE_HEADER_BYTES], const struct tree_file_id *id)
{
    struct sha256 hash;
    memset(out, 0, TREE_FILE_HEADER_BYTES);
    memcpy(out, MAGIC, sizeof(MAGIC));
    bytes_put32(out + 8, TREE_FILE_HEADER_BYTES);
    bytes_put32(out + 12, TREE_FILE_VERSION);
    memcpy(out + 16, id->store_id, STORE_ID_BYTES);
    bytes_put32(out + 32, id->tenant);
    bytes_put32(out + 36, TREE_STORED_LEVEL);
    int err = sha256_of(&hash, slice_of(out, HASHED_BYTES));
    if (err == 0)
        memcpy(out + HASHED_BYTES, hash.bytes, SHA256_BYTES);
    return err;
}

static int refuse(struct diag *diag, const char *path, int err, const char *why)
{
    diag_add(diag, path, 0, 0, "%s", why);
    return err;
}

/* What the first bytes of a file say; its header has one form only. */
static int header_check(struct slice head, const char *path, const struct tree_file_id *id,
                        struct diag *diag)
{
    char want[TREE_FILE_HEADER_BYTES];
    struct sha256 hash;
    if (head.len < TREE_FILE_HEADER_BYTES || !slice_starts(head, slice_of(MAGIC, sizeof(MAGIC))))
        return refuse(diag, path, ERR_CORRUPT, "this is no tree, or it lost its beginning");
    int err = sha256_of(&hash, slice_of(head.data, HASHED_BYTES));
    if (err != 0)
        return err;
    if (memcmp(hash.bytes, head.data + HASHED_BYTES, SHA256_BYTES) != 0)
        return refuse(diag, path, ERR_CORRUPT,
                      "the header is damaged; put the file back from a copy");
    if (bytes_get32(head.data + 12) != TREE_FILE_VERSION)
        return refuse(diag, path, ERR_FORMAT, "the tree is of a newer program");
    err = header_make(want, id);
    if (err == 0 && memcmp(want, head.data, TREE_FILE_HEADER_BYTES) != 0)
        err = refuse(diag, path, ERR_CORRUPT, "this is the tree of another store or tenant");
    return err;
}

static uint64_t bytes_counted(const struct tree_file_id *id)
{
    return TREE_FILE_HEADER_BYTES + (id->size >> TREE_STORED_LEVEL) * SHA256_BYTES;
}

static int check_length(uint64_t bytes, const char *path, const struct tree_file_id *id,
                        struct diag *diag)
{
    if (bytes >= bytes_counted(id))
        return 0;
    diag_add(
        diag, path, 0, 0,
        "the tree holds %llu bytes, but %llu belong to its %llu rows; put the file back from a copy",
        (unsigned long long)bytes, (unsigned long long)bytes_counted(id),
        (unsigned long long)id->size);
    return ERR_CORRUPT;
}

/* A file with its header, durable. */
static int make_file(const char *path, const struct tree_file_id *id)
{
    char head[TREE_FILE_HEADER_BYTES];
    int err = header_make(head, id);
    return err == 0 ? file_write_atomic(path, slice_of(head, sizeof(head))) : err;
}

static int open_checked(struct tree_file *f, const char *path, const struct tree_file_id *id,
                        struct diag *diag)
{
    char head[TREE_FILE_HEADER_BYTES];
    size_t got = 0;
    struct file_info info;
    int err = file_stat(&info, path);
    if (err == ERR_NOTFOUND && id->size < TREE_GROUP_ROWS)
        err = make_file(path, id);
    if (err == 0)
        err = file_open(&f->file, path, FILE_APPEND);
    if (err == 0)
        err = file_read_at(&got, f->file, 0, head, sizeof(head));
    if (err == 0)
        err = header_check(slice_of(head, got), path, id, diag);
    if (err == 0)
        err = check_length(file_end(f->file), path, id, diag);
    if (err == 0 && file_end(f->file) > bytes_counted(id)) {
        err = file_truncate(f->file, bytes_counted(id));
        if (err == 0)
            err = file_sync(f->file);
    }
    return err;
}

int tree_file_open(struct tree_file **out, const char *path, const struct tree_file_id *id,
                   struct diag *diag)
{
    size_t said = diag->count;
    if (id->size > TREE_ROWS_MAX)
        return refuse(diag, path, ERR_RANGE, "no tree has so many rows");
    struct tree_file *f = calloc(1, sizeof(*f));
    int err = f == NULL ? ERR_NOMEM : open_checked(f, path, id, diag);
    if (err == 0) {
        *out = f;
        return 0;
    }
    if (diag->count == said)
        diag_add(diag, path, 0, 0, "the tree cannot be opened (%s)", err_name(err));
    tree_file_close(f);
    return err;
}

void tree_file_close(struct tree_file *f)
{
    if (f == NULL)
        return;
    file_close(f->file);
    free(f);
}

int tree_file_append(struct tree_file *f, struct slice nodes)
{
    if (nodes.len % SHA256_BYTES != 0)
        return ERR_RANGE;
    return file_append(f->file, nodes.data, nodes.len);
}

int tree_file_sync(struct tree_file *f)
{
    return file_sync(f->file);
}

uint64_t tree_file_count(const struct tree_file *f)
{
    return (file_end(f->file) - TREE_FILE_HEADER_BYTES) / SHA256_BYTES;
}

int tree_map_open(struct tree_map *out, const char *path, const struct tree_file_id *id,
                  struct diag *diag)
{
    struct file *file = NULL;
    struct slice whole = {0};
    size_t said = diag->count;
    int err = file_open(&file, path, FILE_READ);
    if (err == ERR_NOTFOUND && id->size < TREE_GROUP_ROWS) {
        *out = (struct tree_map){0};
        return 0;
    }
    if (err == 0)
        err = file_map(&whole, file);
    if (err == 0)
        err = header_check(whole, path, id, diag);
    if (err == 0)
        err = check_length(whole.len, path, id, diag);
    file_close(file);
    if (err == 0) {
        size_t len = (size_t)bytes_counted(id) - TREE_FILE_HEADER_BYTES;
        *out = (struct tree_map){.nodes = slice_of(whole.data + TREE_FILE_HEADER_BYTES, len),
                                 .whole = whole};
        return 0;
    }
    if (diag->count == said)
        diag_add(diag, path, 0, 0, "the tree cannot be read (%s)", err_name(err));
    file_unmap(whole);
    return err;
}

void tree_map_close(struct tree_map *m)
{
    file_unmap(m->whole);
    *m = (struct tree_map){0};
}
