/* Sealed pieces: opened where they were sealed, and nowhere else; no bit may differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "store/seal.h"

enum {
    PIECE_BYTES = 61,
    PLACE = 4096,
    PLACES = 20000,
    SLOTS = 4 * PLACES,
    FILES = 64,
};

static const uint8_t SECRET[32] = {1, 2, 3};
static const uint8_t OTHER[32] = {1, 2, 4};

static struct slice header(uint8_t last)
{
    static char bytes[SEAL_HEADER_BYTES];
    memset(bytes, 'h', sizeof(bytes));
    bytes[sizeof(bytes) - 1] = (char)last;
    return slice_of(bytes, sizeof(bytes));
}

static void make_piece(const struct file_seal *s, char piece[PIECE_BYTES + SEAL_TAG_BYTES])
{
    memset(piece, 'p', PIECE_BYTES);
    assert_int_equal(seal_piece(s, PLACE, piece, PIECE_BYTES), 0);
}

static int open_piece(const struct file_seal *s, uint64_t at, const char *piece, size_t len)
{
    char plain[PIECE_BYTES + 1];
    char expected[PIECE_BYTES];
    memset(expected, 'p', sizeof(expected));
    int err = seal_open(s, at, slice_of(piece, len), plain);
    if (err == 0)
        assert_memory_equal(plain, expected, PIECE_BYTES);
    return err;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct file_seal s;
    char piece[PIECE_BYTES + SEAL_TAG_BYTES];
    assert_int_equal(seal_new(&s, SECRET, header(1)), 0);
    assert_int_equal(seal_bytes_more(&s), SEAL_TAG_BYTES);
    assert_int_equal(seal_bytes_more(NULL), 0);
    make_piece(&s, piece);
    for (size_t i = 0; i + 4 <= PIECE_BYTES; i++)
        assert_memory_not_equal(piece + i, "pppp", 4);
    assert_int_equal(open_piece(&s, PLACE, piece, sizeof(piece)), 0);
    assert_int_equal(seal_new(&s, SECRET, slice_of("short", 5)), ERR_RANGE);
}

static void test_every_bit(void **state)
{
    (void)state;
    struct file_seal s;
    char piece[PIECE_BYTES + SEAL_TAG_BYTES];
    assert_int_equal(seal_new(&s, SECRET, header(1)), 0);
    make_piece(&s, piece);
    for (size_t bit = 0; bit < 8 * sizeof(piece); bit++) {
        piece[bit / 8] = (char)(piece[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(open_piece(&s, PLACE, piece, sizeof(piece)), ERR_CORRUPT);
        piece[bit / 8] = (char)(piece[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t len = 0; len < sizeof(piece); len++)
        assert_int_equal(open_piece(&s, PLACE, piece, len), ERR_CORRUPT);
    assert_int_equal(open_piece(&s, PLACE, piece, sizeof(piece)), 0);
}

/* Each part that a piece is bound to, changed alone. */
static void test_elsewhere(void **state)
{
    (void)state;
    struct file_seal s;
    char piece[PIECE_BYTES + SEAL_TAG_BYTES];
    assert_int_equal(seal_new(&s, SECRET, header(1)), 0);
    make_piece(&s, piece);
    assert_int_equal(open_piece(&s, PLACE + 1, piece, sizeof(piece)), ERR_CORRUPT);
    assert_int_equal(open_piece(&s, PLACE + (UINT64_C(1) << 32), piece, sizeof(piece)),
                     ERR_CORRUPT);
    struct file_seal other = s;
    other.secret = OTHER;
    assert_int_equal(open_piece(&other, PLACE, piece, sizeof(piece)), ERR_CORRUPT);
    other = s;
    other.salt[SEAL_SALT_BYTES - 1] ^= 1;
    assert_int_equal(open_piece(&other, PLACE, piece, sizeof(piece)), ERR_CORRUPT);
    other = s;
    other.prefix[SEAL_PREFIX_BYTES - 1] ^= 1;
    assert_int_equal(open_piece(&other, PLACE, piece, sizeof(piece)), ERR_CORRUPT);
    for (size_t i = 0; i < SEAL_HEADER_BYTES; i++) {
        other = s;
        other.header[i] ^= 0x80;
        assert_int_equal(open_piece(&other, PLACE, piece, sizeof(piece)), ERR_CORRUPT);
    }
}

/* The same bytes at many places and in many files: no two ciphertexts alike, so no nonce came twice. */
static void test_never_the_same(void **state)
{
    (void)state;
    uint64_t *seen = calloc(SLOTS, sizeof(*seen));
    assert_non_null(seen);
    if (seen == NULL)
        return;
    struct file_seal s[FILES];
    for (size_t i = 0; i < FILES; i++)
        assert_int_equal(seal_new(&s[i], SECRET, header(1)), 0);
    for (uint64_t i = 0; i < PLACES; i++) {
        char piece[32 + SEAL_TAG_BYTES] = {0};
        assert_int_equal(seal_piece(&s[i % FILES], i / FILES, piece, 32), 0);
        uint64_t hash = hash_bytes(0, piece, 32);
        size_t at = hash % SLOTS;
        for (; seen[at] != 0; at = (at + 1) % SLOTS)
            assert_true(seen[at] != hash);
        seen[at] = hash;
    }
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_never_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
