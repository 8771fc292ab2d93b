/*
 * app/output_file.c - alerts as NDJSON files: one with all of them, one per municipality.
 *
 * Each alert is in a file once per id and revision, also after a SIGKILL at any moment: the length
 * of a file is kept with the cursor before the file is first appended to, and after a restart the
 * file is cut back to it, as the batch behind it comes again. Files may be renamed away or emptied
 * by a rotation at any time; then the new file's length is kept first, in the same way. After a
 * crash at the moment of a rotation the alerts of one batch may stand in the old and the new file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/output_driver.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    FILES_MAX = 4096, /* municipalities, and the one for all */
    FILES_FIRST = 32,
    NUMBERS = 4, /* of a line of the state */
};

#define TENANT_ALL UINT32_MAX

/* A file, as of the last batch that was delivered whole. */
struct alert_file {
    uint32_t tenant; /* TENANT_ALL for the file of all */
    struct file_identity identity;
    uint64_t length;
    uint64_t grown; /* with the batch at hand */
};

struct file_output {
    struct output_host *host;
    char path[FILE_PATH_BYTES_MAX];      /* "" = none */
    char directory[FILE_PATH_BYTES_MAX]; /* "" = none */
    struct alert_file *files;
    size_t count;
    size_t cap;
    bool dirty;
    bool checked; /* the files were cut back */
    struct buf lines;
};

static bool file_configured(const struct config *config)
{
    return config_path(config, "outputs.file.path") != NULL ||
           config_path(config, "outputs.file.tenant_directory") != NULL;
}

/* The file's entry, made when missing; NULL when there is no room. */
static struct alert_file *entry(struct file_output *f, uint32_t tenant)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->files[i].tenant == tenant)
            return &f->files[i];
    }
    if (f->count == f->cap) {
        size_t more = f->cap == 0 ? FILES_FIRST : f->cap * 2;
        struct alert_file *grown =
            f->cap == FILES_MAX ? NULL : realloc(f->files, more * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        f->files = grown;
        f->cap = more;
    }
    f->files[f->count] = (struct alert_file){.tenant = tenant};
    return &f->files[f->count++];
}

static int name_of(char *out, const struct file_output *f, uint32_t tenant)
{
    int len = tenant == TENANT_ALL ? snprintf(out, FILE_PATH_BYTES_MAX, "%s", f->path)
                                   : snprintf(out, FILE_PATH_BYTES_MAX, "%s/%06" PRIu32 ".ndjson",
                                              f->directory, tenant);
    return len < 0 || len >= FILE_PATH_BYTES_MAX ? ERR_RANGE : 0;
}

static void file_save(void *self, struct buf *state)
{
    struct file_output *f = self;
    for (size_t i = 0; i < f->count; i++) {
        const struct alert_file *a = &f->files[i];
        buf_printf(state, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", a->tenant,
                   a->identity.device, a->identity.inode, a->length);
    }
    f->dirty = false;
}

/* One line of the state; the cursor's checksum covers it. */
static int restore_line(struct file_output *f, struct slice line)
{
    uint64_t numbers[NUMBERS] = {0};
    size_t at = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] == ' ' && at + 1 < NUMBERS)
            at++;
        else if (line.data[i] >= '0' && line.data[i] <= '9')
            numbers[at] = numbers[at] * 10 + (uint64_t)(line.data[i] - '0');
        else
            return ERR_CORRUPT;
    }
    if (at != NUMBERS - 1 || numbers[0] > UINT32_MAX)
        return ERR_CORRUPT;
    struct alert_file *a = entry(f, (uint32_t)numbers[0]);
    if (a == NULL)
        return ERR_NOMEM;
    a->identity = (struct file_identity){.device = numbers[1], .inode = numbers[2]};
    a->length = numbers[3];
    return 0;
}

static int restore(struct file_output *f, struct slice state)
{
    int err = 0;
    while (err == 0 && state.len != 0) {
        const char *end = memchr(state.data, '\n', state.len);
        if (end == NULL)
            return ERR_CORRUPT;
        size_t len = (size_t)(end - state.data);
        err = restore_line(f, slice_of(state.data, len));
        state = slice_from_offset(state, len + 1);
    }
    return err;
}

static int copy_path(char *out, const char *path)
{
    size_t len = path == NULL ? 0 : strlen(path);
    if (len >= FILE_PATH_BYTES_MAX)
        return ERR_RANGE;
    if (len != 0)
        memcpy(out, path, len + 1);
    return 0;
}

static void file_done(void *self)
{
    struct file_output *f = self;
    buf_release(&f->lines);
    free(f->files);
    free(f);
}

static int file_begin(void **out, struct output_host *host, struct slice state, struct diag *diag)
{
    struct file_output *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->host = host;
    int err = copy_path(f->path, config_path(host->config, "outputs.file.path"));
    if (err == 0)
        err = copy_path(f->directory, config_path(host->config, "outputs.file.tenant_directory"));
    if (err == 0)
        err = restore(f, state);
    if (err != 0) {
        diag_add(diag, NULL, 0, 0, "outputs.file cannot be used: %s", err_name(err));
        file_done(f);
        return err;
    }
    *out = f;
    return 0;
}

static int io_failed(struct file_output *f, const char *path, int err)
{
    output_why(f->host, "%s: %s", path,
               err == ERR_IO && file_no_space() ? "the disk is full"
               : err == ERR_IO                  ? "the system refuses to write it"
                                                : err_name(err));
    return err;
}

static bool same_file(struct file_identity a, struct file_identity b)
{
    return a.device == b.device && a.inode == b.inode;
}

/* What stands behind the kept length was never settled: it comes again. */
static int cut_back(struct file_output *f, const struct alert_file *a)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_identity identity;
    struct file_info info;
    struct file *file = NULL;
    uint64_t size = 0;
    int err = name_of(path, f, a->tenant);
    if (err != 0 || file_stat(&info, path) == ERR_NOTFOUND)
        return err;
    err = file_open(&file, path, FILE_SHARED);
    if (err == 0)
        err = file_identify(&identity, file);
    if (err == 0)
        err = file_size(&size, file);
    if (err == 0 && same_file(identity, a->identity) && size > a->length) {
        log_info("output", "cut an alert file back to what is certain",
                 "path=%s from=%" PRIu64 " to=%" PRIu64, path, size, a->length);
        err = file_truncate(file, a->length);
    }
    file_close(file);
    return err == 0 ? 0 : io_failed(f, path, err);
}

static int file_connect(void *self)
{
    struct file_output *f = self;
    int err = 0;
    if (f->directory[0] != '\0')
        err = dir_create(f->directory);
    if (err != 0)
        return io_failed(f, f->directory, err);
    for (size_t i = 0; i < f->count && err == 0 && !f->checked; i++) {
        bool wanted =
            f->files[i].tenant == TENANT_ALL ? f->path[0] != '\0' : f->directory[0] != '\0';
        if (wanted)
            err = cut_back(f, &f->files[i]);
    }
    f->checked = f->checked || err == 0;
    return err;
}

/* Make sure that the length of the file, before anything is appended, is what will be kept. */
static int prepare_one(struct file_output *f, uint32_t tenant)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_identity identity;
    struct file *file = NULL;
    uint64_t size = 0;
    struct alert_file *a = entry(f, tenant);
    int err = a == NULL ? ERR_NOMEM : name_of(path, f, tenant);
    if (err != 0) {
        output_why(f->host, "no more than %d alert files", FILES_MAX);
        return err;
    }
    err = file_open(&file, path, FILE_SHARED);
    if (err == 0)
        err = file_identify(&identity, file);
    if (err == 0)
        err = file_size(&size, file);
    if (err == 0 && (!same_file(identity, a->identity) || size != a->length)) {
        a->identity = identity;
        a->length = size;
        f->dirty = true;
        /* A file that was just made is durable with its name. */
        err = file_sync(file);
    }
    file_close(file);
    return err == 0 ? 0 : io_failed(f, path, err);
}

/* Whether an alert before the i-th is of the same municipality. */
static bool seen_before(const struct output_batch *b, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (b->alerts[k].tenant == b->alerts[i].tenant)
            return true;
    }
    return false;
}

/* Files that were just made keep their names over a power loss. */
static int sync_names(struct file_output *f)
{
    char parent[FILE_PATH_BYTES_MAX] = ".";
    const char *slash = strrchr(f->path, '/');
    int err = 0;
    if (slash != NULL) {
        size_t len = slash == f->path ? 1 : (size_t)(slash - f->path);
        memcpy(parent, f->path, len);
        parent[len] = '\0';
    }
    if (f->path[0] != '\0')
        err = dir_sync(parent);
    if (err == 0 && f->directory[0] != '\0')
        err = dir_sync(f->directory);
    return err == 0 ? 0 : io_failed(f, f->path[0] != '\0' ? parent : f->directory, err);
}

static int file_prepare(void *self, const struct output_batch *batch)
{
    struct file_output *f = self;
    int err = f->path[0] == '\0' ? 0 : prepare_one(f, TENANT_ALL);
    for (size_t i = 0; i < batch->count && err == 0 && f->directory[0] != '\0'; i++) {
        if (!seen_before(batch, i))
            err = prepare_one(f, batch->alerts[i].tenant);
    }
    if (err == 0 && f->dirty)
        err = sync_names(f);
    return err;
}

/* Append the batch's lines of the municipality, or all. */
static int append_one(struct file_output *f, const struct output_batch *batch, uint32_t tenant)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file_identity identity;
    struct file *file = NULL;
    uint64_t size = 0;
    struct alert_file *a = entry(f, tenant);
    buf_reset(&f->lines);
    for (size_t i = 0; i < batch->count; i++) {
        if (tenant != TENANT_ALL && batch->alerts[i].tenant != tenant)
            continue;
        buf_slice(&f->lines, batch->alerts[i].line);
        buf_byte(&f->lines, '\n');
    }
    int err = a == NULL || !buf_ok(&f->lines) ? ERR_NOMEM : name_of(path, f, tenant);
    if (err != 0)
        return err;
    err = file_open(&file, path, FILE_SHARED);
    if (err == 0)
        err = file_identify(&identity, file);
    if (err == 0)
        err = file_size(&size, file);
    if (err == 0 && (!same_file(identity, a->identity) || size != a->length)) {
        output_why(f->host, "%s was replaced or changed just now", path);
        file_close(file);
        return ERR_BUSY;
    }
    if (err == 0)
        err = file_append(file, f->lines.data, f->lines.len);
    if (err == 0)
        err = file_sync(file);
    if (err == 0)
        a->grown = f->lines.len;
    else
        (void)io_failed(f, path, err);
    if (err != 0 && file != NULL)
        (void)file_truncate(file, a->length);
    file_close(file);
    return err;
}

static int file_deliver(void *self, struct output_batch *batch)
{
    struct file_output *f = self;
    int err = f->path[0] == '\0' ? 0 : append_one(f, batch, TENANT_ALL);
    for (size_t i = 0; i < batch->count && err == 0 && f->directory[0] != '\0'; i++) {
        if (!seen_before(batch, i))
            err = append_one(f, batch, batch->alerts[i].tenant);
    }
    for (size_t i = 0; i < f->count; i++) {
        /* All or nothing: the whole batch comes again after a failure. */
        if (err == 0)
            f->files[i].length += f->files[i].grown;
        else if (f->files[i].grown != 0)
            (void)cut_back(f, &f->files[i]);
        f->files[i].grown = 0;
    }
    /* What could not be cut back now is before the next try. */
    f->checked = err == 0;
    return err;
}

static bool file_dirty(const void *self)
{
    const struct file_output *f = self;
    return f->dirty;
}

const struct output_driver OUTPUT_FILE = {
    .name = "file",
    .configured = file_configured,
    .open = file_begin,
    .close = file_done,
    .connect = file_connect,
    .prepare = file_prepare,
    .deliver = file_deliver,
    .dirty = file_dirty,
    .save = file_save,
};
