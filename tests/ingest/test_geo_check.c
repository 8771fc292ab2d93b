/* Hostile databases: each truncation and many mutations of a small one, and values that are bombs. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "ingest/geo.h"
#include "ingest/geo_check.h"
#include "ingest/geo_value.h"
#include "tests/ingest/small_mmdb.h"

enum {
    MUTATIONS = SANITIZED ? 1500 : 10000,
    FLIPS_MAX = 4,
    BOMB_LEVELS = 12,
    BOMB_WIDTH = 16,
    DEEP = 600,
    PLACES = 4,
};

struct trial {
    char dir[FILE_PATH_BYTES_MAX];
    char path[FILE_PATH_BYTES_MAX];
    struct buf valid;
};

static void begin(struct trial *t)
{
    const char *folder = getenv("TMPDIR");
    char prefix[FILE_PATH_BYTES_MAX / 2];
    *t = (struct trial){0};
    (void)snprintf(prefix, sizeof(prefix), "%s/mmdb", folder == NULL ? "/tmp" : folder);
    assert_int_equal(dir_create_temp(t->dir, sizeof(t->dir) / 2, prefix), 0);
    (void)snprintf(t->path, sizeof(t->path), "%.*s/small.mmdb", FILE_PATH_BYTES_MAX / 2, t->dir);
    small_mmdb(&t->valid);
    assert_true(buf_ok(&t->valid));
}

static void end(struct trial *t)
{
    buf_release(&t->valid);
    assert_int_equal(dir_remove_tree(t->dir), 0);
}

/* In place, as somebody would who does not rename. */
static void put(const struct trial *t, struct slice content)
{
    FILE *file = fopen(t->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
}

static int open_as(const struct trial *t, struct geo **out, const char *said)
{
    struct diag diag = {0};
    int status = geo_open(out, t->path, t->path, &diag);
    if (status != 0 && strstr(diag_text(&diag), said) == NULL)
        fail_msg("\"%s\" is not in: %s", said, diag_text(&diag));
    assert_int_equal(diag.count, status == 0 ? 0 : 2);
    diag_release(&diag);
    return status;
}

static const struct place {
    uint32_t address;
    char country[3];
    uint32_t asn;
} EXPECTED[PLACES] = {
    {UINT32_C(0x0a000001), "JP", 64500},
    {UINT32_C(0x80000001), "DE", 64501},
    {UINT32_C(0xc0000201), "\0", 0},
    {UINT32_C(0xe0000001), "DE", 64501},
};

static struct geo_place look_up(const struct geo *geo, uint32_t address)
{
    struct geo_cache *cache = NULL;
    struct ip ip = ip_from_v4(address);
    assert_int_equal(geo_cache_new(&cache, geo), 0);
    struct geo_place place = geo_lookup(cache, &ip);
    geo_cache_free(cache);
    bool known = place.country[0] >= 'A' && place.country[0] <= 'Z' && place.country[1] >= 'A' &&
                 place.country[1] <= 'Z';
    assert_true(known || (place.country[0] == 0 && place.country[1] == 0));
    return place;
}

static bool is_place(const struct geo_place *place, const struct place *expected)
{
    return memcmp(place->country, expected->country, 2) == 0 && place->asn == expected->asn;
}

static void look_at_valid(const struct geo *geo)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct geo_place place = look_up(geo, EXPECTED[i].address);
        assert_true(is_place(&place, &EXPECTED[i]));
    }
}

static void test_valid(void **state)
{
    (void)state;
    struct trial t;
    struct geo *geo = NULL;
    begin(&t);
    put(&t, buf_content(&t.valid));
    assert_int_equal(open_as(&t, &geo, ""), 0);
    look_at_valid(geo);
    assert_true(slice_equal(geo_content(geo, GEO_COUNTRY), buf_content(&t.valid)));
    assert_true(slice_equal(geo_content(geo, GEO_ASN), buf_content(&t.valid)));
    /* Who writes over the file, or cuts it, does nothing to what is in use. */
    assert_int_equal(truncate(t.path, 0), 0);
    look_at_valid(geo);
    put(&t, SLICE("this is no database"));
    look_at_valid(geo);
    geo_close(geo);
    assert_int_equal(open_as(&t, &geo, "small.mmdb: no MaxMind database that can be used"),
                     ERR_FORMAT);
    end(&t);
}

static void test_truncations(void **state)
{
    (void)state;
    struct trial t;
    unsigned refused = 0;
    begin(&t);
    for (size_t len = 0; len < t.valid.len; len++) {
        struct geo *geo = NULL;
        put(&t, slice_of(t.valid.data, len));
        if (open_as(&t, &geo, "fetch it again") != 0) {
            refused++;
            continue;
        }
        look_at_valid(geo);
        geo_close(geo);
    }
    assert_int_equal(refused, t.valid.len);
    end(&t);
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* A few bytes somewhere, or a piece put elsewhere; true: only of the tree. */
static bool mutate(struct buf *b, uint64_t *seed)
{
    bool tree_only = true;
    for (uint32_t left = 1 + next_random(seed) % FLIPS_MAX; left != 0; left--) {
        size_t at = next_random(seed) % b->len;
        uint32_t how = next_random(seed) % 4;
        if (how == 0)
            b->data[at] = (char)next_random(seed);
        else if (how == 1)
            b->data[at] = (char)(b->data[at] ^ (1 << next_random(seed) % 8));
        else if (how == 2)
            b->data[at] = (char)0xff;
        else
            b->data[at] = b->data[next_random(seed) % b->len];
        tree_only &= at < SMALL_MMDB_TREE_BYTES;
    }
    return tree_only;
}

/* A tree that was changed leads to one of its values or nowhere: places are not made up. */
static void look_at_tree(const struct geo *geo)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct geo_place place = look_up(geo, EXPECTED[i].address);
        bool known = place.country[0] == 0;
        for (size_t k = 0; k < PLACES; k++)
            known |= is_place(&place, &EXPECTED[k]);
        assert_true(known);
    }
}

static void test_mutations(void **state)
{
    (void)state;
    struct trial t;
    uint64_t seed = 20261122;
    unsigned refused = 0;
    begin(&t);
    for (unsigned i = 0; i < MUTATIONS; i++) {
        struct buf bytes = {0};
        struct geo *geo = NULL;
        buf_slice(&bytes, buf_content(&t.valid));
        bool tree_only = mutate(&bytes, &seed);
        put(&t, buf_content(&bytes));
        if (open_as(&t, &geo, "fetch it again") != 0) {
            refused++;
        } else if (tree_only) {
            look_at_tree(geo);
        } else {
            for (size_t k = 0; k < PLACES; k++)
                (void)look_up(geo, EXPECTED[k].address);
        }
        geo_close(geo);
        buf_release(&bytes);
    }
    print_message("%u of %d mutations refused\n", refused, MUTATIONS);
    assert_in_range(refused, MUTATIONS / 10, MUTATIONS - MUTATIONS / 10);
    end(&t);
}

/* `said` is the reason; NULL: taken. */
static void try_data(const struct trial *t, struct buf *data, uint32_t second, const char *said)
{
    struct buf bytes = {0};
    struct geo *geo = NULL;
    small_mmdb_make(&bytes, buf_content(data), second);
    assert_true(buf_ok(&bytes));
    put(t, buf_content(&bytes));
    assert_int_equal(open_as(t, &geo, said == NULL ? "" : said), said == NULL ? 0 : ERR_FORMAT);
    geo_close(geo);
    buf_release(&bytes);
    buf_release(data);
}

/* Each level is an array of pointers to the one before: 16^12 values in 800 bytes. */
static void test_bomb(void **state)
{
    (void)state;
    struct trial t;
    struct buf data = {0};
    uint32_t before = 0;
    begin(&t);
    small_mmdb_place(&data, "JP", 64500);
    for (int level = 0; level < BOMB_LEVELS; level++) {
        uint32_t at = (uint32_t)data.len;
        small_mmdb_control(&data, SMALL_MMDB_ARRAY, BOMB_WIDTH);
        for (int i = 0; i < BOMB_WIDTH; i++)
            small_mmdb_pointer(&data, before);
        before = at;
    }
    try_data(&t, &data, before, "node 1 of its tree: its value is too large");
    end(&t);
}

/* The library unfolds the metadata before anybody can look at a node. */
static void test_metadata_bomb(void **state)
{
    (void)state;
    struct trial t;
    struct buf bytes = {0};
    struct geo *geo = NULL;
    begin(&t);
    buf_slice(&bytes, buf_content(&t.valid));
    buf_text(&bytes, "\xab\xcd\xefMaxMind.com");
    small_mmdb_control(&bytes, SMALL_MMDB_MAP, 1);
    small_mmdb_string(&bytes, "languages");
    uint32_t at = 1 + 1 + (uint32_t)strlen("languages");
    for (int level = 0; level < BOMB_LEVELS; level++) {
        small_mmdb_control(&bytes, SMALL_MMDB_ARRAY, BOMB_WIDTH);
        at += 2 + 5 * BOMB_WIDTH;
        for (int i = 0; i < BOMB_WIDTH; i++)
            small_mmdb_pointer(&bytes, at);
    }
    small_mmdb_string(&bytes, "en");
    put(&t, buf_content(&bytes));
    assert_int_equal(open_as(&t, &geo, "its metadata are broken or too large"), ERR_FORMAT);
    buf_release(&bytes);
    end(&t);
}

/* So many nodes that their bytes, counted in 32 bits, are those of three. */
static void test_tree_outside_file(void **state)
{
    (void)state;
    static const char KEY[] = "node_count";
    static const char MANY[] = "\x80\x00\x00\x03";
    struct trial t;
    struct geo *geo = NULL;
    begin(&t);
    char *key = memmem(t.valid.data, t.valid.len, KEY, strlen(KEY));
    assert_non_null(key);
    memcpy(key + strlen(KEY) + 1, MANY, sizeof(MANY) - 1);
    put(&t, buf_content(&t.valid));
    assert_int_equal(open_as(&t, &geo, "its tree is larger than the file"), ERR_FORMAT);
    end(&t);
}

static void test_values(void **state)
{
    (void)state;
    struct trial t;
    struct buf data = {0};
    begin(&t);
    /* As many parts as are allowed, the array included, and one more. */
    for (unsigned more = 0; more < 2; more++) {
        small_mmdb_control(&data, SMALL_MMDB_ARRAY, GEO_VALUE_PARTS_MAX - 1 + more);
        for (unsigned i = 0; i < GEO_VALUE_PARTS_MAX - 1 + more; i++)
            small_mmdb_control(&data, SMALL_MMDB_MAP, 0);
        try_data(&t, &data, 0, more == 0 ? NULL : "node 0 of its tree: its value is too large");
    }
    for (unsigned i = 0; i < DEEP; i++)
        small_mmdb_control(&data, SMALL_MMDB_ARRAY, 1);
    small_mmdb_string(&data, "JP");
    try_data(&t, &data, 0, "node 0 of its tree: its value is too large or too deep");
    /* A map whose only value is the map. */
    small_mmdb_control(&data, SMALL_MMDB_MAP, 1);
    small_mmdb_string(&data, "country");
    small_mmdb_pointer(&data, 0);
    try_data(&t, &data, 0, "node 0 of its tree: its value is too large or too deep");
    small_mmdb_place(&data, "JP", 64500);
    try_data(&t, &data, 60000, "node 1 of its tree: it leads outside");
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),         cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_mutations),     cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_metadata_bomb), cmocka_unit_test(test_tree_outside_file),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
