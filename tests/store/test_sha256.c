/* The hashes of FIPS 180-4's examples, in one piece and in many, and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/sha256_lanes.h"

static const struct {
    const char *text;
    const char *hex;
} KNOWN[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

enum {
    KNOWN_COUNT = sizeof(KNOWN) / sizeof(KNOWN[0])
};

static void test_known(void **state)
{
    (void)state;
    struct hasher *h = NULL;
    char hex[SHA256_HEX_BYTES + 1];
    assert_int_equal(hasher_new(&h), 0);
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        struct slice text = slice_from(KNOWN[i].text);
        struct sha256 hash;
        struct sha256 again;
        assert_int_equal(sha256_of(&hash, text), 0);
        sha256_hex(hex, &hash);
        assert_string_equal(hex, KNOWN[i].hex);
        for (size_t cut = 0; cut <= text.len; cut++) {
            struct slice pieces[] = {slice_of(text.data, cut), slice_of(NULL, 0),
                                     slice_from_offset(text, cut)};
            assert_int_equal(hasher_sha256(h, &again, pieces, 3), 0);
            assert_true(sha256_equal(&hash, &again));
        }
        assert_int_equal(sha256_read_hex(&again, slice_from(hex)), 0);
        assert_true(sha256_equal(&hash, &again));
    }
    hasher_free(h);
}

static void test_wrong_text(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",
        "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g",
        " 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct sha256 hash = {.bytes = {7}};
        assert_int_equal(sha256_read_hex(&hash, slice_from(WRONG[i])), ERR_FORMAT);
        assert_int_equal(hash.bytes[0], 7);
    }
}

/* Texts of all lengths, many at a time: those that this processor's instructions and libcrypto hash are equal. */
static void test_many(void **state)
{
    (void)state;
    enum {
        LENGTHS = 300,
        LONG = 5000,
        COUNT = LENGTHS + 3,
    };
    static char bytes[LONG + 1];
    static struct slice texts[COUNT];
    static struct sha256 lanes[COUNT];
    static struct sha256 each[COUNT];
    struct hasher *h = NULL;
    assert_int_equal(hasher_new(&h), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * i >> 3 ^ i * 7);
    for (size_t i = 0; i < COUNT; i++)
        texts[i] = slice_of(bytes + i % 5, i < LENGTHS ? (i * 113) % LENGTHS : LONG - i);
    for (size_t count = 0; count <= COUNT; count += count < 5 ? 1 : COUNT - count < 7 ? 1 : 7) {
        memset(lanes, 0, sizeof(lanes));
        memset(each, 0, sizeof(each));
        if (sha256_lanes_there())
            sha256_lanes_hash(lanes, texts, count);
        assert_int_equal(hasher_sha256_each(h, each, texts, count), 0);
        for (size_t i = 0; i < COUNT; i++) {
            struct sha256 want = {0};
            if (i < count)
                assert_int_equal(hasher_sha256(h, &want, &texts[i], 1), 0);
            assert_memory_equal(&each[i], &want, sizeof(want));
            if (sha256_lanes_there())
                assert_memory_equal(&lanes[i], &want, sizeof(want));
        }
    }
    hasher_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_wrong_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
