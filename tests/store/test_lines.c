/* Lines of a key and one value: each kind of value, and each way in which a line can be another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/lines.h"

enum field {
    TITLE,
    NUMBER,
    CODE,
    TIME,
    HASH,
    ID,
};

#define HASH_TEXT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void read_field(struct lines *in, enum field field)
{
    struct sha256 hash = {0};
    uint8_t id[4] = {0};
    bool right = true;
    if (field == TITLE)
        lines_title(in, "k");
    if (field == NUMBER)
        right = lines_field_number(in, "k", 12) == 12;
    if (field == CODE)
        right = lines_field_code(in, "k") == 11002;
    if (field == TIME)
        right = lines_field_time(in, "k") == INT64_C(1500000000);
    if (field == HASH) {
        lines_field_hash(in, "k", "the hash", &hash);
        right = hash.bytes[31] == 0xff;
    }
    if (field == ID) {
        lines_field_id(in, "k", id, sizeof(id));
        right = id[3] == 0xef;
    }
    assert_true(right || in->failed);
}

static void test_fields(void **state)
{
    (void)state;
    static const struct {
        enum field field;
        const char *text;
        const char *said; /* NULL: it is right */
    } CASES[] = {
        {TITLE, "k\n", NULL},
        {TITLE, "k v\n", "t:1:1: \" v\" does not belong at the end of the line\n"},
        {TITLE, "kk\n", "t:1:1: \"kk\" stands where a line \"k\" belongs\n"},
        {TITLE, "k", "t:1:1: the text ends where a line \"k\" belongs\n"},
        {NUMBER, "k 12\n", NULL},
        {NUMBER, "k 13\n", "t:1:1: k \"13\" is no number from 0 to 12\n"},
        {NUMBER, "k 012\n", "t:1:1: k \"012\" is no number from 0 to 12\n"},
        {NUMBER, "k\n", "t:1:1: k is missing\n"},
        {NUMBER, "k 12 \n", "t:1:1: \" \" does not belong at the end of the line\n"},
        {CODE, "k 011002\n", NULL},
        {CODE, "k 11002\n", "t:1:1: the tenant's code is not 6 digits\n"},
        {CODE, "k 011002 1\n", "t:1:1: \" 1\" does not belong at the end of the line\n"},
        {TIME, "k 1970-01-01T00:00:01.5Z\n", NULL},
        {TIME, "k yesterday\n", "t:1:1: the time is none\n"},
        {TIME, "k\n", "t:1:1: the time is missing\n"},
        {TIME, "k 1970-01-01T00:00:01.5Z x\n",
         "t:1:1: \" x\" does not belong at the end of the line\n"},
        {HASH, "k " HASH_TEXT "\n", NULL},
        {HASH, "k 00\n", "t:1:1: the hash \"00\" is not 64 digits 0-9 and a-f\n"},
        {HASH, "k " HASH_TEXT " x\n", "t:1:1: \" x\" does not belong at the end of the line\n"},
        {ID, "k 89abcdef\n", NULL},
        {ID, "k 89abcde\n", "t:1:1: the store's id is not 8 digits 0-9 and a-f\n"},
        {ID, "k 89abcdef01\n", "t:1:1: the store's id is not 8 digits 0-9 and a-f\n"},
        {ID, "k 89abcdeg\n", "t:1:1: the store's id is not 8 digits 0-9 and a-f\n"},
        {ID, "k 89abcdef x\n", "t:1:1: \" x\" does not belong at the end of the line\n"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct diag diag = {0};
        struct lines in = lines_of(slice_from(CASES[i].text), "t", &diag);
        read_field(&in, CASES[i].field);
        assert_int_equal(in.failed, CASES[i].said != NULL);
        assert_string_equal(diag_text(&diag), CASES[i].said == NULL ? "" : CASES[i].said);
        diag_release(&diag);
    }
}

/* What is written is what is read, and only that. */
static void test_same(void **state)
{
    (void)state;
    static const uint8_t BYTES[4] = {0x89, 0xab, 0xcd, 0xef};
    struct diag diag = {0};
    struct sha256 hash;
    struct buf out = {0};
    assert_int_equal(sha256_read_hex(&hash, SLICE(HASH_TEXT)), 0);
    buf_text(&out, "k");
    lines_put_id(&out, BYTES, sizeof(BYTES));
    lines_put_hash(&out, &hash);
    struct slice text = SLICE("k 89abcdef " HASH_TEXT);
    struct lines in = lines_of(text, "t", &diag);
    assert_int_equal(lines_check_same(&in, text, &out, "texts"), 0);
    buf_byte(&out, ' ');
    assert_int_equal(lines_check_same(&in, text, &out, "texts"), ERR_FORMAT);
    assert_string_equal(diag_text(&diag), "t:1:1: this is not written as texts are\n");
    out.failed = true;
    assert_int_equal(lines_check_same(&in, text, &out, "texts"), ERR_FORMAT);
    in = lines_of(text, "t", &diag);
    assert_int_equal(lines_check_same(&in, text, &out, "texts"), ERR_NOMEM);
    buf_release(&out);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
