/* app/bundle_write.c - the files of a bundle, as a tar file or a folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/bundle_parts.h"
#include "base/file.h"

enum {
    TAR_BLOCK = 512,
    TAR_END_BYTES = 2 * TAR_BLOCK,
    TAR_NAME_BYTES_MAX = 99,
    TAR_MODE = 0644,
};

/* POSIX ustar: where the fields stand that are not zero. */
enum tar_field {
    TAR_MODE_AT = 100,
    TAR_OWNER_AT = 108,
    TAR_GROUP_AT = 116,
    TAR_SIZE_AT = 124,
    TAR_TIME_AT = 136,
    TAR_SUM_AT = 148,
    TAR_KIND_AT = 156,
    TAR_MAGIC_AT = 257,
    TAR_VERSION_AT = 263,
};

static const char FOLDER[] = "sekisho-bundle/";

static void put_octal(char *at, unsigned digits, uint64_t value)
{
    for (unsigned i = digits; i-- != 0; value >>= 3)
        at[i] = (char)('0' + (value & 7));
}

/* The header has one form only, so that a verifier can tell that no byte of it was changed. */
static void tar_header(char out[TAR_BLOCK], const char *name, uint64_t size, int64_t time_ns)
{
    unsigned sum = 0;
    memset(out, 0, TAR_BLOCK);
    (void)snprintf(out, TAR_NAME_BYTES_MAX + 1, "%s%s", FOLDER, name);
    put_octal(out + TAR_MODE_AT, 7, TAR_MODE);
    put_octal(out + TAR_OWNER_AT, 7, 0);
    put_octal(out + TAR_GROUP_AT, 7, 0);
    put_octal(out + TAR_SIZE_AT, 11, size);
    put_octal(out + TAR_TIME_AT, 11, (uint64_t)(time_ns < 0 ? 0 : time_ns / 1000000000));
    memset(out + TAR_SUM_AT, ' ', 8);
    out[TAR_KIND_AT] = '0';
    memcpy(out + TAR_MAGIC_AT, "ustar", 6);
    memcpy(out + TAR_VERSION_AT, "00", 2);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)out[i];
    put_octal(out + TAR_SUM_AT, 6, sum);
    out[TAR_SUM_AT + 6] = '\0';
}

static int tar_append(struct file *f, const struct bundle_file *file, int64_t time_ns)
{
    static const char ZEROES[TAR_BLOCK];
    char header[TAR_BLOCK];
    tar_header(header, file->name, file->content.len, time_ns);
    int err = file_append(f, header, sizeof(header));
    if (err == 0)
        err = file_append(f, file->content.data, file->content.len);
    size_t over = file->content.len % TAR_BLOCK;
    if (err == 0 && over != 0)
        err = file_append(f, ZEROES, TAR_BLOCK - over);
    return err;
}

static int write_tar(const char *out, const struct bundle_file *files, size_t count,
                     int64_t time_ns)
{
    static const char END[TAR_END_BYTES];
    struct file *f = NULL;
    int err = file_open(&f, out, FILE_CREATE);
    if (err != 0)
        return err;
    for (size_t i = 0; i < count && err == 0; i++)
        err = tar_append(f, &files[i], time_ns);
    if (err == 0)
        err = file_append(f, END, sizeof(END));
    if (err == 0)
        err = file_sync(f);
    file_close(f);
    if (err != 0) {
        int kept = errno;
        (void)file_unlink(out);
        errno = kept;
    }
    return err;
}

static int write_file(const char *folder, const struct bundle_file *file)
{
    char path[FILE_PATH_BYTES_MAX];
    struct file *f = NULL;
    int len = snprintf(path, sizeof(path), "%s/%s", folder, file->name);
    int err = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : file_open(&f, path, FILE_CREATE);
    if (err == 0)
        err = file_append(f, file->content.data, file->content.len);
    if (err == 0)
        err = file_sync(f);
    file_close(f);
    return err;
}

static int write_folder(const char *out, const struct bundle_file *files, size_t count)
{
    struct file_info info;
    int err = file_stat(&info, out);
    if (err == 0)
        return ERR_BUSY;
    err = err == ERR_NOTFOUND ? dir_create(out) : err;
    if (err != 0)
        return err;
    for (size_t i = 0; i < count && err == 0; i++)
        err = write_file(out, &files[i]);
    if (err == 0)
        err = dir_sync(out);
    if (err != 0) {
        int kept = errno;
        (void)dir_remove_tree(out);
        errno = kept;
    }
    return err;
}

static int compare_names(const void *left, const void *right)
{
    const struct bundle_file *a = left;
    const struct bundle_file *b = right;
    return strcmp(a->name, b->name);
}

/* A line a file, as sha256sum writes and reads them. */
static int print_sums(struct buf *out, const struct bundle_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sha256 hash;
        char hex[SHA256_HEX_BYTES + 1];
        int err = sha256_of(&hash, files[i].content);
        if (err != 0)
            return err;
        sha256_hex(hex, &hash);
        buf_printf(out, "%s  %s\n", hex, files[i].name);
    }
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

int bundle_write(const char *out, const struct bundle_file *files, size_t count, int64_t time_ns,
                 struct diag *diag)
{
    struct buf sums = {0};
    struct slice path = slice_from(out);
    bool tar = path.len > 4 && memcmp(out + path.len - 4, ".tar", 4) == 0;
    struct bundle_file *all = calloc(count + 1, sizeof(*all));
    if (all == NULL)
        return ERR_NOMEM;
    memcpy(all, files, count * sizeof(*all));
    qsort(all, count, sizeof(*all), compare_names);
    int err = print_sums(&sums, all, count);
    all[count] = (struct bundle_file){.name = "SHA256SUMS", .content = buf_content(&sums)};
    if (err == 0)
        err = tar ? write_tar(out, all, count + 1, time_ns) : write_folder(out, all, count + 1);
    if (err == ERR_BUSY)
        diag_add(diag, out, 0, 0, "it exists already and was left alone; give another name");
    else if (err == ERR_IO)
        diag_add(diag, out, 0, 0, "it cannot be written: %s; nothing was left of it",
                 strerrordesc_np(errno));
    buf_release(&sums);
    free(all);
    return err;
}
