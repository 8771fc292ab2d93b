/*
 * Catalogs, and the file "compacted", on any bytes: no crash, one diagnosis for each refusal, and what
 * was read can be appended to and is read back. The first byte chooses; half of the inputs are only what
 * records say, and are chained here, so that the hashes are no wall before the rest.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "store/catalog.h"
#include "store/compacted.h"

enum {
    TENANT = 990001,
    HEADER_HASHED = 40,
    HEADER_BYTES = 64,
};

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void remove_folder(void);

/* A store's folder, with seg/. */
static const char *folder(void)
{
    static char path[FILE_PATH_BYTES_MAX];
    char seg[FILE_PATH_BYTES_MAX + 8];
    if (path[0] != '\0')
        return path;
    int status = dir_create_temp(path, sizeof(path), "/dev/shm/fuzz-catalog.");
    assert(status == 0);
    (void)snprintf(seg, sizeof(seg), "%s/seg", path);
    status = dir_create(seg);
    assert(status == 0);
    (void)atexit(remove_folder);
    return path;
}

static void remove_folder(void)
{
    (void)dir_remove_tree(folder());
}

static void write_file(const char *below, struct slice content)
{
    char path[FILE_PATH_BYTES_MAX + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", folder(), below);
    FILE *f = fopen(path, "wb");
    assert(f != NULL);
    size_t written = content.len == 0 ? 0 : fwrite(content.data, 1, content.len, f);
    int closed = fclose(f);
    assert(written == content.len && closed == 0);
}

/* One more record behind those that were read; all of it is read again. */
static void append(struct catalog *c)
{
    struct diag diag = {0};
    struct catalog again = {0};
    const struct segment_info added = {
        .name = {.tenant = c->tenant, .hour = 495000, .generation = 7}, .row_count = 3};
    const struct catalog_change change = {
        .through_seq = c->through_seq, .tree = &c->tree, .added = &added, .added_count = 1};
    int err = catalog_append(c, folder(), &change);
    assert(err == 0);
    err = catalog_read(&again, folder(), &diag);
    assert(err == 0 && diag.count == 0 && !again.torn);
    assert(again.record_count == c->record_count && again.segment_count == c->segment_count);
    assert(sha256_equal(&again.hash, &c->hash) && again.bytes == c->bytes);
    const struct segment_info *found = catalog_find(&again, 495000);
    assert(found != NULL && found->name.generation == 7);
    catalog_release(&again);
    diag_release(&diag);
}

static void try_catalog(struct slice bytes)
{
    struct catalog c = {0};
    struct diag diag = {0};
    write_file("catalog", bytes);
    int err = catalog_read(&c, folder(), &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    if (err == 0) {
        assert(c.bytes <= bytes.len && c.torn == (c.bytes != bytes.len));
        for (size_t i = 1; i < c.segment_count; i++)
            assert(c.segments[i - 1].name.hour < c.segments[i].name.hour);
        append(&c);
        catalog_release(&c);
    }
    diag_release(&diag);
}

/* Records of u16 length and bytes, in a chain; what is behind the last stands there as it is. */
static void try_records(struct slice in)
{
    struct buf file = {0};
    struct buf hashed = {0};
    struct sha256 hash;
    buf_append(&file, "SEKICAT1\1\0\0\0\x40\0\0\0", 16);
    buf_append(&file, "0123456789abcdef", 16);
    buf_put32(&file, TENANT);
    buf_put32(&file, 0);
    int err = sha256_of(&hash, buf_content(&file));
    assert(err == 0 && file.len == HEADER_HASHED);
    buf_append(&file, hash.bytes, HEADER_BYTES - HEADER_HASHED);
    while (in.len >= 2 && bytes_get16(in.data) <= in.len - 2) {
        struct slice content = slice_of(in.data + 2, bytes_get16(in.data));
        in = slice_from_offset(in, 2 + content.len);
        buf_reset(&hashed);
        buf_append(&hashed, hash.bytes, sizeof(hash.bytes));
        buf_put64(&hashed, content.len);
        buf_slice(&hashed, content);
        err = sha256_of(&hash, buf_content(&hashed));
        assert(err == 0);
        buf_put64(&file, content.len);
        buf_slice(&file, content);
        buf_append(&file, hash.bytes, sizeof(hash.bytes));
    }
    buf_slice(&file, in);
    try_catalog(buf_content(&file));
    buf_release(&file);
    buf_release(&hashed);
}

static void try_compacted(struct slice in, bool sign)
{
    struct buf file = {0};
    struct arena arena = {0};
    struct diag diag = {0};
    struct compacted c;
    struct sha256 hash;
    if (sign)
        buf_text(&file, "SEKICMP1");
    buf_slice(&file, in);
    int err = sha256_of(&hash, buf_content(&file));
    assert(err == 0);
    if (sign)
        buf_append(&file, hash.bytes, sizeof(hash.bytes));
    write_file("seg/compacted", buf_content(&file));
    err = compacted_read(&c, folder(), &arena, &diag);
    assert(diag.count == (err == 0 ? 0 : 1));
    if (err == 0) {
        struct buf again = {0};
        char path[FILE_PATH_BYTES_MAX + 64];
        err = compacted_write(folder(), &c);
        assert(err == 0);
        (void)snprintf(path, sizeof(path), "%s/seg/compacted", folder());
        err = file_read_all(&again, path, SIZE_MAX);
        assert(err == 0 && slice_equal(buf_content(&again), buf_content(&file)));
        buf_release(&again);
    }
    arena_release(&arena);
    diag_release(&diag);
    buf_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    switch (data[0] & 3) {
    case 0:
        try_catalog(in);
        break;
    case 1:
        try_compacted(in, (data[0] & 4) != 0);
        break;
    default:
        try_records(in);
        break;
    }
    return 0;
}
