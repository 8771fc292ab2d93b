/* Chained records: what was appended is there; a torn end is none, and damage before a whole record is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "store/chain.h"

enum {
    HEADER_BYTES = 40,
    RECORDS = 3,
    FILE_BYTES_MAX = 4096,
};

static void written(void)
{
    failpoint("chain.test");
}

static bool can_be(struct slice content)
{
    return content.len >= 4 && content.data[0] == 'r';
}

static const struct chain_form FORMS[] = {
    {.written = written},
    {.can_be = can_be, .written = written},
    {.len_behind = true, .content_bytes_min = 4, .can_be = can_be, .written = written},
};
static const size_t FRAMING[] = {40, 40, 48};
static const char HEADER[HEADER_BYTES + 1] = "a header of some owner, forty bytes long";
static const char *const CONTENTS[RECORDS] = {"r one", "r another", "r the third, which is longer"};
static const struct sha256 FIRST = {{7}};

/* A file, and where the first i records of it end. */
struct chain {
    struct buf bytes;
    size_t ends[RECORDS + 1];
};

static void chain_make(struct chain *c, const struct chain_form *form)
{
    struct sha256 hash = FIRST;
    *c = (struct chain){.ends = {HEADER_BYTES}};
    buf_append(&c->bytes, HEADER, HEADER_BYTES);
    for (size_t i = 0; i < RECORDS; i++) {
        struct sha256 before = hash;
        assert_int_equal(chain_put(&c->bytes, &hash, form, &before, slice_from(CONTENTS[i])), 0);
        c->ends[i + 1] = c->bytes.len;
    }
}

/* How many records are read, and what ended it. */
static int count(size_t *records, const struct chain_form *form, struct slice bytes)
{
    struct sha256 hash = FIRST;
    size_t at = HEADER_BYTES;
    for (*records = 0;; ++*records) {
        struct slice content = {0};
        int err = chain_next(&content, &hash, form, bytes, at, &hash);
        if (err != 0 || content.data == NULL)
            return err;
        if (*records == RECORDS)
            return ERR_RANGE; /* more than there are */
        assert_true(slice_equal(content, slice_from(CONTENTS[*records])));
        at += content.len + chain_framing_bytes(form);
    }
}

static void test_read(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof(FORMS) / sizeof(FORMS[0]); f++) {
        struct chain c;
        struct sha256 hash;
        struct sha256 written_hash;
        struct slice content;
        size_t records = 0;
        chain_make(&c, &FORMS[f]);
        assert_int_equal(chain_framing_bytes(&FORMS[f]), FRAMING[f]);
        assert_int_equal(c.ends[1], HEADER_BYTES + FRAMING[f] + 5);
        assert_int_equal(count(&records, &FORMS[f], buf_content(&c.bytes)), 0);
        assert_int_equal(records, RECORDS);
        struct slice first = slice_from_offset(buf_content(&c.bytes), HEADER_BYTES);
        assert_true(chain_outline(&content, &written_hash, &FORMS[f], first));
        assert_int_equal(chain_hash(&hash, &FIRST, content), 0);
        assert_true(sha256_equal(&hash, &written_hash));
        buf_release(&c.bytes);
    }
}

/* Cut anywhere: the whole records are there, and nothing is damage. */
static void test_torn(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof(FORMS) / sizeof(FORMS[0]); f++) {
        struct chain c;
        chain_make(&c, &FORMS[f]);
        for (size_t len = HEADER_BYTES; len < c.bytes.len; len++) {
            size_t records = 0;
            size_t whole = 0;
            while (c.ends[whole + 1] <= len)
                whole++;
            assert_int_equal(count(&records, &FORMS[f], slice_of(c.bytes.data, len)), 0);
            assert_int_equal(records, whole);
        }
        buf_release(&c.bytes);
    }
}

static void flip(struct buf *bytes, size_t bit)
{
    bytes->data[bit / 8] = (char)(bytes->data[bit / 8] ^ (1 << (bit % 8)));
}

/* Any bit: the last record may be torn; before a whole one it is damage. */
static void test_damage(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof(FORMS) / sizeof(FORMS[0]); f++) {
        struct chain c;
        chain_make(&c, &FORMS[f]);
        for (size_t bit = 8 * (size_t)HEADER_BYTES; bit < 8 * c.bytes.len; bit++) {
            size_t records = 0;
            size_t hit = 0;
            while (c.ends[hit + 1] <= bit / 8)
                hit++;
            flip(&c.bytes, bit);
            int err = count(&records, &FORMS[f], buf_content(&c.bytes));
            flip(&c.bytes, bit);
            assert_int_equal(err, hit == RECORDS - 1 ? 0 : ERR_CORRUPT);
            assert_int_equal(records, hit);
        }
        buf_release(&c.bytes);
    }
}

static void file_holds(const char *path, struct slice bytes)
{
    struct buf read = {0};
    assert_int_equal(file_read_all(&read, path, FILE_BYTES_MAX), 0);
    assert_true(slice_equal(buf_content(&read), bytes));
    buf_release(&read);
}

static void test_append(void **state)
{
    (void)state;
    char folder[256];
    char path[FILE_PATH_BYTES_MAX];
    struct chain c;
    const struct chain_form *form = &FORMS[2];
    chain_make(&c, form);
    assert_int_equal(dir_create_temp(folder, sizeof(folder), "/tmp/sekisho-chain-"), 0);
    (void)snprintf(path, sizeof(path), "%s/records", folder);
    struct slice all = buf_content(&c.bytes);
    struct slice second = slice_of(all.data + c.ends[1], c.ends[2] - c.ends[1]);
    struct slice third = slice_of(all.data + c.ends[2], c.ends[3] - c.ends[2]);
    /* A full disk leaves no file, or the file that was there. */
    assert_int_equal(fault_set("ENOSPC@write=records"), 0);
    assert_int_equal(chain_append(path, 0, slice_of(all.data, c.ends[1]), form), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    struct file_info info;
    assert_int_equal(file_stat(&info, path), ERR_NOTFOUND);
    assert_int_equal(chain_append(path, 0, slice_of(all.data, c.ends[1]), form), 0);
    file_holds(path, slice_of(all.data, c.ends[1]));
    /* What is torn goes; a sync that fails is no record. */
    assert_int_equal(chain_append(path, c.ends[1], slice_of(third.data, 20), form), 0);
    assert_int_equal(chain_append(path, c.ends[1], second, form), 0);
    file_holds(path, slice_of(all.data, c.ends[2]));
    assert_int_equal(fault_set("ENOSPC@write=records"), 0);
    assert_int_equal(chain_append(path, c.ends[2], third, form), ERR_AGAIN);
    assert_int_equal(fault_set("EIO@sync=records"), 0);
    assert_int_equal(chain_append(path, c.ends[2], third, form), ERR_IO);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(chain_append(path, c.ends[2], third, form), 0);
    file_holds(path, all);
    assert_int_equal(dir_remove_tree(folder), 0);
    buf_release(&c.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_torn),
                                       cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_append)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
