/* Chunks and words, of which groups of rows are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/chunk.h"
#include "store/words.h"

enum {
    WORDS = 20000,
};

static struct chunk_press *press_new(void)
{
    struct chunk_press *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_int_equal(chunk_press_init(p, 3), 0);
    return p;
}

static void press_free(struct chunk_press *p)
{
    chunk_press_release(p);
    free(p);
}

/* Put and got: the same, through a directory line that is read to its end. */
static void comes_back(struct chunk_press *p, struct slice plain, bool packed)
{
    struct buf out = {0};
    struct buf back = {0};
    struct buf directory = {0};
    struct buf scratch = {0};
    struct chunk made;
    buf_text(&out, "before");
    buf_text(&back, "kept");
    assert_int_equal(chunk_put(p, plain, &out, &made), 0);
    assert_int_equal(out.len, 6 + made.len);
    assert_int_equal(made.plain_len, plain.len);
    assert_int_equal(chunk_cost(p, plain, &scratch), made.len);
    assert_true(packed == (made.len < plain.len));
    chunk_describe(&directory, &made, NULL);
    struct reader in = reader_of(buf_content(&directory));
    struct chunk read = chunk_described(&in, NULL);
    assert_false(in.failed);
    assert_int_equal(reader_left(&in), 0);
    assert_int_equal(read.len, made.len);
    assert_int_equal(read.plain_len, made.plain_len);
    assert_int_equal(read.checksum, made.checksum);
    assert_int_equal(chunk_get(p, &read, buf_content(&out), 6, &back), 0);
    assert_true(slice_equal(slice_of(back.data, 4), SLICE("kept")));
    assert_true(slice_equal(slice_from_offset(buf_content(&back), 4), plain));
    buf_release(&out);
    buf_release(&back);
    buf_release(&directory);
    buf_release(&scratch);
}

static void test_chunks(void **state)
{
    (void)state;
    struct chunk_press *p = press_new();
    struct buf many = {0};
    comes_back(p, SLICE(""), false);
    comes_back(p, SLICE("x"), false);
    comes_back(p, SLICE("\xff\x01\x80\x33"), false);
    for (uint32_t i = 0; i < 100000; i++)
        buf_byte(&many, (char)(i % 7));
    comes_back(p, buf_content(&many), true);
    buf_release(&many);
    press_free(p);
}

/* Every bit of a chunk's bytes and of what its directory says. */
static void test_damaged_chunk(void **state)
{
    (void)state;
    struct chunk_press *p = press_new();
    struct buf out = {0};
    struct buf back = {0};
    struct chunk made;
    assert_int_equal(
        chunk_put(p, SLICE("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbaaaaaaaaaaaaaaaaaaaaaaaabbbb"), &out,
                  &made),
        0);
    assert_true(made.len < made.plain_len);
    for (size_t bit = 0; bit < out.len * 8; bit++) {
        out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << (bit % 8)));
        assert_int_equal(chunk_get(p, &made, buf_content(&out), 0, &back), ERR_CORRUPT);
        out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << (bit % 8)));
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        struct chunk len = made;
        struct chunk plain = made;
        struct chunk sum = made;
        len.len ^= UINT32_C(1) << bit;
        plain.plain_len ^= UINT32_C(1) << bit;
        sum.checksum ^= UINT32_C(1) << bit;
        assert_int_equal(chunk_get(p, &len, buf_content(&out), 0, &back), ERR_CORRUPT);
        assert_int_equal(chunk_get(p, &plain, buf_content(&out), 0, &back), ERR_CORRUPT);
        assert_int_equal(chunk_get(p, &sum, buf_content(&out), 0, &back), ERR_CORRUPT);
    }
    const struct chunk nothing = {.plain_len = 3};
    assert_int_equal(chunk_get(p, &nothing, SLICE(""), 0, &back), ERR_CORRUPT);
    assert_int_equal(back.len, 0);
    struct reader in = reader_of(SLICE("\xff\xff\xff\xff\x0f"));
    (void)chunk_described(&in, NULL);
    assert_true(in.failed);
    buf_release(&out);
    buf_release(&back);
    press_free(p);
}

static struct slice word(struct buf *scratch, uint32_t i)
{
    buf_reset(scratch);
    if (i % 3 == 0)
        buf_byte(scratch, '\0');
    buf_printf(scratch, "%u", i / 3);
    return buf_content(scratch);
}

static void test_words(void **state)
{
    (void)state;
    struct words w = {0};
    struct buf scratch = {0};
    assert_int_equal(words_find(&w, SLICE("")), WORD_NONE);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(words_put(&w, SLICE("")), 0);
        assert_int_equal(words_put(&w, SLICE("")), 0);
        for (uint32_t i = 0; i < WORDS; i++) {
            /* Numbers from 1, two of three alike. */
            uint32_t number = 1 + i / 3 * 2 + (i % 3 != 0);
            if (i % 3 != 2)
                assert_int_equal(words_find(&w, word(&scratch, i)), WORD_NONE);
            assert_int_equal(words_put(&w, word(&scratch, i)), number);
        }
        for (uint32_t i = 0; i < WORDS; i++) {
            uint32_t number = words_find(&w, word(&scratch, i));
            assert_int_equal(number, 1 + i / 3 * 2 + (i % 3 != 0));
            assert_true(slice_equal(words_text(&w, number), buf_content(&scratch)));
        }
        assert_int_equal(words_find(&w, word(&scratch, WORDS + 3)), WORD_NONE);
        words_reset(&w);
        assert_int_equal(words_find(&w, word(&scratch, 4)), WORD_NONE);
    }
    words_release(&w);
    buf_release(&scratch);
}

/* Addresses keep their numbers, while they are IPv4 alone and when IPv6 joins them. */
static void test_addresses(void **state)
{
    (void)state;
    enum {
        COUNT = 3000,
        STEP = 25, /* of WORDS_AT_ONCE at most */
    };
    struct words w = {0};
    struct ip ips[STEP];
    uint32_t words[STEP];
    for (int round = 0; round < 3; round++) {
        for (uint32_t first = 0; first < COUNT; first += STEP) {
            /* In turns alike but for the first byte, which comes again, and but for the last ones. */
            for (uint32_t i = 0; i < STEP; i++) {
                uint32_t n = first + i;
                ips[i] = ip_from_v4(n % 2 == 0 ? n / 2 << 24 | 7 : n + 8);
            }
            if (round == 2)
                ips[first % STEP] = (struct ip){.bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
            assert_int_equal(words_put_ip_each(&w, ips, STEP, round < 2, words), 0);
            for (uint32_t i = 0; i < STEP; i++) {
                uint32_t n = first + i;
                struct slice text = words_text(&w, words[i]);
                assert_memory_equal(text.data, ips[i].bytes, sizeof(ips[i].bytes));
                if (n < 512 && ip_is_v4(&ips[i]))
                    assert_int_equal(words[i], n);
            }
        }
        assert_int_equal(w.count, COUNT / 2 + 256 + (round == 2));
    }
    words_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_damaged_chunk),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
