/* Copies of states: what was written is read, and whatever is not whole or not here is not used. */
#include <string.h>

#include "base/err.h"
#include "store/snapshot.h"
#include "tests/store/log_dir.h"

enum {
    TENANT = 990001,
    OTHER = 990019,
    STATE_BYTES = 30000,
    POSITION_END = 8 + 8 + 24 + 2 * SHA256_BYTES, /* in a file */
};

static void fill(char *bytes, size_t len, unsigned salt)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)((i / 50 * 7 + i * salt) % 251);
}

static struct snapshot_place place_at(uint64_t seq)
{
    struct snapshot_place p = {.at = {.file_seq = 1, .offset = 4096 + seq, .next_seq = seq}};
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        p.at.prev_hash.bytes[i] = (uint8_t)(seq + i);
        p.prevalence.bytes[i] = (uint8_t)(3 * i);
    }
    return p;
}

static void write_one(const struct log_dir *d, uint32_t tenant, uint64_t seq, struct slice bytes)
{
    struct snapshot *s = NULL;
    struct snapshot_place place = place_at(seq);
    assert_int_equal(snapshot_make(&s, tenant, bytes), 0);
    assert_int_equal(s->state_bytes, bytes.len);
    assert_int_equal(snapshot_write(s, d->path, &place), 0);
    snapshot_free(s);
}

static void open_dir(struct log_dir *d)
{
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(d);
    (void)snprintf(path, sizeof(path), "%s/state", d->path);
    assert_int_equal(dir_create(path), 0);
}

static void state_path(char out[FILE_PATH_BYTES_MAX], const struct log_dir *d, const char *name)
{
    (void)snprintf(out, FILE_PATH_BYTES_MAX, "%s/state/%s", d->path, name);
}

static void assert_files(const struct log_dir *d, const struct snapshot_file *want, size_t count)
{
    struct snapshot_file *files = NULL;
    size_t found = 0;
    assert_int_equal(snapshot_list(&files, &found, d->path), 0);
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(files[i].tenant, want[i].tenant);
        assert_int_equal(files[i].seq, want[i].seq);
    }
    free(files);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {0, 1, STATE_BYTES};
    struct log_dir d;
    char *bytes = malloc(STATE_BYTES);
    struct buf back = {0};
    assert_non_null(bytes);
    open_dir(&d);
    fill(bytes, STATE_BYTES, 3);
    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        const struct snapshot_file file = {TENANT, 100 + i};
        const struct snapshot_place want = place_at(100 + i);
        struct snapshot_place place;
        write_one(&d, TENANT, 100 + i, slice_of(bytes, LENGTHS[i]));
        memset(&place, 0, sizeof(place));
        assert_int_equal(snapshot_read(&back, &place, d.path, &file), 0);
        assert_true(slice_equal(buf_content(&back), slice_of(bytes, LENGTHS[i])));
        assert_memory_equal(&place, &want, sizeof(want));
    }
    buf_release(&back);
    free(bytes);
    log_dir_remove(&d);
}

/* The newest two of each municipality stay; other names in the directory are nobody's business. */
static void test_kept(void **state)
{
    (void)state;
    struct log_dir d;
    char path[FILE_PATH_BYTES_MAX];
    static const char *const NAMES[] = {"990001.5", "990001.0000000000000000000x", "readme",
                                        "99000100000000000000000005.",
                                        "990001.99999999999999999999"};
    open_dir(&d);
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        state_path(path, &d, NAMES[i]);
        assert_int_equal(file_write_atomic(path, SLICE("x")), 0);
    }
    for (uint64_t seq = 1; seq <= 5; seq++)
        write_one(&d, TENANT, seq, SLICE("state"));
    write_one(&d, OTHER, 3, SLICE("state"));
    const struct snapshot_file want[] = {{TENANT, 5}, {TENANT, 4}, {OTHER, 3}};
    assert_files(&d, want, COUNT(want));
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        struct file_info info;
        state_path(path, &d, NAMES[i]);
        assert_int_equal(file_stat(&info, path), 0);
    }
    log_dir_remove(&d);
}

/* The log went back to frame 3: what is newer makes place, and what is written stays. */
static void test_lost_history(void **state)
{
    (void)state;
    struct log_dir d;
    open_dir(&d);
    write_one(&d, TENANT, 2, SLICE("state"));
    write_one(&d, TENANT, 90, SLICE("lost"));
    write_one(&d, OTHER, 91, SLICE("another's"));
    write_one(&d, TENANT, 3, SLICE("state"));
    const struct snapshot_file want[] = {{TENANT, 3}, {TENANT, 2}, {OTHER, 91}};
    assert_files(&d, want, COUNT(want));
    log_dir_remove(&d);
}

/* What a killed writer left behind goes when the store is opened again. */
static void test_leftover(void **state)
{
    (void)state;
    struct log_dir d;
    struct store *store = NULL;
    struct file_info info;
    char path[FILE_PATH_BYTES_MAX];
    open_dir(&d);
    write_one(&d, TENANT, 5, SLICE("state"));
    state_path(path, &d, "990001.00000000000000000006.tmp");
    assert_int_equal(file_write_atomic(path, SLICE("half")), 0);
    assert_int_equal(log_dir_open(&store, &d), 0);
    assert_int_equal(file_stat(&info, path), ERR_NOTFOUND);
    const struct snapshot_file want = {TENANT, 5};
    assert_files(&d, &want, 1);
    store_close(store);
    log_dir_remove(&d);
}

static void test_no_directory(void **state)
{
    (void)state;
    struct log_dir d;
    struct buf back = {0};
    struct snapshot_place place;
    const struct snapshot_file file = {TENANT, 1};
    log_dir_make(&d);
    assert_files(&d, NULL, 0);
    assert_int_equal(snapshot_read(&back, &place, d.path, &file), ERR_NOTFOUND);
    buf_release(&back);
    log_dir_remove(&d);
}

static int read_bytes(const struct log_dir *d, const struct snapshot_file *file, struct slice bytes)
{
    char path[FILE_PATH_BYTES_MAX];
    char name[64];
    struct buf back = {0};
    struct snapshot_place place = {.at = {.next_seq = 7}};
    (void)snprintf(name, sizeof(name), "%06u.%020llu", file->tenant, (unsigned long long)file->seq);
    state_path(path, d, name);
    assert_int_equal(file_write_atomic(path, bytes), 0);
    int status = snapshot_read(&back, &place, d->path, file);
    assert_true(status == 0 || place.at.next_seq == 7);
    buf_release(&back);
    return status;
}

/* Every bit of the file, every cut of it, more behind it, another place or municipality, a later version. */
static void test_damaged(void **state)
{
    (void)state;
    const struct snapshot_file file = {TENANT, 5};
    const struct snapshot_file elsewhere = {TENANT, 6};
    const struct snapshot_file other = {OTHER, 5};
    struct log_dir d;
    struct buf whole = {0};
    char path[FILE_PATH_BYTES_MAX];
    char bytes[600];
    open_dir(&d);
    fill(bytes, sizeof(bytes), 17);
    write_one(&d, TENANT, 5, slice_of(bytes, sizeof(bytes)));
    state_path(path, &d, "990001.00000000000000000005");
    assert_int_equal(file_read_all(&whole, path, 1 << 20), 0);
    struct slice all = buf_content(&whole);
    assert_int_equal(read_bytes(&d, &elsewhere, all), ERR_NOTFOUND);
    assert_int_equal(read_bytes(&d, &other, all), ERR_NOTFOUND);
    for (size_t len = 0; len < all.len; len++)
        assert_int_equal(read_bytes(&d, &file, slice_of(all.data, len)), ERR_NOTFOUND);
    for (size_t at = 0; at < all.len; at++) {
        /* Where the snapshot stands is checked against the log by whoever goes there. */
        bool free_to_say = (at >= 12 && at < 32) || (at >= 40 && at < POSITION_END);
        whole.data[at] = (char)(whole.data[at] ^ (1 << at % 8));
        if (!free_to_say && at < POSITION_END + 8 + HASH_ID_BYTES)
            assert_int_equal(read_bytes(&d, &file, all), ERR_NOTFOUND);
        else
            (void)read_bytes(&d, &file, all);
        whole.data[at] = (char)(whole.data[at] ^ (1 << at % 8));
    }
    assert_int_equal(read_bytes(&d, &file, all), 0);
    buf_append(&whole, "more", 4);
    assert_int_equal(read_bytes(&d, &file, buf_content(&whole)), ERR_NOTFOUND);
    whole.len -= 4;
    whole.data[7] = '2';
    assert_int_equal(read_bytes(&d, &file, buf_content(&whole)), ERR_NOTFOUND);
    buf_release(&whole);
    log_dir_remove(&d);
}

/* A file that claims to hold more than any state may is refused before memory is asked for. */
static void test_huge(void **state)
{
    (void)state;
    const struct snapshot_file file = {TENANT, 5};
    struct log_dir d;
    struct buf whole = {0};
    char path[FILE_PATH_BYTES_MAX];
    open_dir(&d);
    write_one(&d, TENANT, 5, SLICE("state"));
    state_path(path, &d, "990001.00000000000000000005");
    assert_int_equal(file_read_all(&whole, path, 1 << 20), 0);
    bytes_put64(whole.data + POSITION_END, UINT64_MAX);
    assert_int_equal(read_bytes(&d, &file, buf_content(&whole)), ERR_NOTFOUND);
    buf_release(&whole);
    log_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_kept),
        cmocka_unit_test(test_lost_history), cmocka_unit_test(test_no_directory),
        cmocka_unit_test(test_damaged),      cmocka_unit_test(test_huge),
        cmocka_unit_test(test_leftover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
