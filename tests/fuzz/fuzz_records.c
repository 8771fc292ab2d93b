/*
 * Small records on any bytes: alerts, turns, snapshots of states. No crash, nothing outside of the
 * bytes, and what was written is read as it was. The first byte chooses.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "event/alert.h"
#include "store/snapshot.h"
#include "store/turns.h"

enum {
    TENANT = 990001,
    SEQ = 5,
    BATCHES_MAX = 64,
    CHANGES_MAX = 4, /* of a whole snapshot: u16 place, byte */
    CHANGE_BYTES = 3,
    CHANGED_BYTES = CHANGES_MAX * CHANGE_BYTES,
};

/* NOLINTNEXTLINE(readability-identifier-naming): the name that the fuzzer calls */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice whole, struct slice part)
{
    assert(part.len <= whole.len);
    assert(part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

static void try_alert(struct slice bytes)
{
    struct alert_record record;
    struct buf again = {0};
    if (alert_record_take(&record, bytes) != 0)
        return;
    check_within(bytes, record.line);
    alert_record_put(&again, &record);
    assert(slice_equal(buf_content(&again), bytes));
    buf_release(&again);
}

static void try_turns(struct slice bytes)
{
    struct turns t;
    uint32_t batch = 0;
    uint64_t rows = 0;
    if (turns_open(&t, bytes) != 0)
        return;
    assert(t.batches <= bytes.len && t.left <= bytes.len);
    uint64_t turns = t.left;
    while (turns_next(&t, &batch, &rows)) {
        assert(batch < t.batches && rows != 0);
        check_within(bytes, t.rest);
        turns--;
    }
    assert(turns == t.left);
    struct buf moved = {0};
    struct turns there;
    turns_move(&moved, bytes, UINT32_MAX);
    int status = turns_open(&there, buf_content(&moved));
    assert(status == 0 && there.first == UINT32_MAX && there.batches == t.batches);
    buf_release(&moved);
}

/* Each byte is the batch of a row. */
static void make_turns(struct slice bytes)
{
    struct buf item = {0};
    struct turns t;
    uint32_t batch = 0;
    uint64_t rows = 0;
    size_t at = 0;
    uint32_t *of = calloc(bytes.len + BATCHES_MAX, sizeof(*of));
    assert(of != NULL);
    for (size_t i = 0; i < bytes.len; i++)
        of[i] = (unsigned char)bytes.data[i] % BATCHES_MAX;
    for (uint32_t i = 0; i < BATCHES_MAX; i++)
        of[bytes.len + i] = i;
    turns_put(&item, TENANT, BATCHES_MAX, of, bytes.len + BATCHES_MAX);
    int status = turns_open(&t, buf_content(&item));
    assert(status == 0);
    while (turns_next(&t, &batch, &rows)) {
        for (; rows != 0; rows--)
            assert(of[at++] == batch);
    }
    assert(t.left == 0 && at == bytes.len + BATCHES_MAX);
    buf_release(&item);
    free(of);
}

/* ------------------------------------------------------------------------------ snapshots */

static const char *folder(void)
{
    static char path[FILE_PATH_BYTES_MAX];
    char state[FILE_PATH_BYTES_MAX + 8];
    if (path[0] != '\0')
        return path;
    int status = dir_create_temp(path, sizeof(path), "/dev/shm/fuzz-records.");
    assert(status == 0);
    (void)snprintf(state, sizeof(state), "%s/state", path);
    status = dir_create(state);
    assert(status == 0);
    return path;
}

static void remove_folder(void)
{
    (void)dir_remove_tree(folder());
}

static int read_snapshot(struct buf *state, struct snapshot_place *place, struct slice content)
{
    const struct snapshot_file file = {TENANT, SEQ};
    char path[FILE_PATH_BYTES_MAX + 64];
    (void)snprintf(path, sizeof(path), "%s/state/%06u.%020u", folder(), TENANT, SEQ);
    FILE *f = fopen(path, "wb");
    assert(f != NULL);
    size_t written = content.len == 0 ? 0 : fwrite(content.data, 1, content.len, f);
    int closed = fclose(f);
    assert(written == content.len && closed == 0);
    return snapshot_read(state, place, folder(), &file);
}

static void try_snapshot(struct slice bytes)
{
    struct buf state = {0};
    struct snapshot_place place;
    if (read_snapshot(&state, &place, bytes) == 0)
        assert(place.at.next_seq == SEQ);
    buf_release(&state);
}

/* A snapshot of the bytes is read as it was; with a few bytes changed, as it was or not at all. */
static void make_snapshot(struct slice bytes)
{
    struct slice changes = slice_of(bytes.data, bytes.len < CHANGED_BYTES ? 0 : CHANGED_BYTES);
    struct slice wanted = slice_from_offset(bytes, changes.len);
    struct snapshot_place place = {.at = {.file_seq = 1, .next_seq = SEQ}};
    struct snapshot *s = NULL;
    struct buf state = {0};
    struct buf content = {0};
    char path[FILE_PATH_BYTES_MAX + 64];
    int status = snapshot_make(&s, TENANT, wanted);
    assert(status == 0);
    status = snapshot_write(s, folder(), &place);
    assert(status == 0);
    (void)snprintf(path, sizeof(path), "%s/state/%06u.%020u", folder(), TENANT, SEQ);
    status = file_read_all(&content, path, SIZE_MAX);
    assert(status == 0);
    status = read_snapshot(&state, &place, buf_content(&content));
    assert(status == 0 && slice_equal(buf_content(&state), wanted));
    for (size_t at = 0; at < changes.len; at += CHANGE_BYTES) {
        size_t where =
            ((unsigned char)changes.data[at] * 256U + (unsigned char)changes.data[at + 1]) %
            content.len;
        content.data[where] = (char)(content.data[where] ^ changes.data[at + 2]);
    }
    if (read_snapshot(&state, &place, buf_content(&content)) == 0)
        assert(slice_equal(buf_content(&state), wanted));
    buf_release(&state);
    buf_release(&content);
    snapshot_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const TRIES[])(struct slice bytes) = {try_alert, try_turns, make_turns,
                                                        try_snapshot, make_snapshot};
    static bool begun;
    if (!begun)
        (void)atexit(remove_folder);
    begun = true;
    if (size < 1)
        return 0;
    char *bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    TRIES[data[0] % (sizeof(TRIES) / sizeof(TRIES[0]))](slice_of(bytes, size - 1));
    free(bytes);
    return 0;
}
