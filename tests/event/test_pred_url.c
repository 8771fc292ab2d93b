/* event/pred.h: url.original, composed of parts that stand anywhere in the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/event/pred_found.h"
#include "tests/event/pred_random.h"
#include "tests/event/row_parts.h"

static void test_urls(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    struct buf out = {0};
    ROW(b, {"GET \"", "https", FIELD_URL_SCHEME, 0}, {"://", "www.example.jp", FIELD_URL_DOMAIN, 0},
        {"", "/%61dmin", FIELD_URL_PATH, 0}, {"?", "q=1", FIELD_URL_QUERY, 0});
    ROW(b, {"host=\"", "www.example.jp", FIELD_URL_DOMAIN, 0},
        {"\" url=\"", "/upload", FIELD_URL_PATH, 0}, {"?", "x", FIELD_URL_QUERY, 0});
    ROW(b, {"CONNECT \"", "cdn.example.com", FIELD_URL_DOMAIN, 0}, {":", "443", FIELD_URL_PORT, 0});
    ROW(b, {"\"", "https", FIELD_URL_SCHEME, 0}, {"://", "example.net", FIELD_URL_DOMAIN, 0},
        {"\" ref=\"", "/x", FIELD_URL_PATH, 0});
    assert_string_equal(found(b, "url:\"https://example.net\"", &out), "3");
    assert_string_equal(found(b, "url:\"https://www.example.jp/%61dmin\\?q=1\"", &out), "0");
    assert_string_equal(found(b, "url:\"*jp/admin*\"", &out), "0");
    assert_string_equal(found(b, "url.path:\"/admin\"", &out), "0");
    assert_string_equal(found(b, "url:www.example.jp/upload\\?x", &out), "1");
    assert_string_equal(found(b, "url:cdn.example.com:443", &out), "2");
    assert_string_equal(found(b, "url:*", &out), "0 1 2 3");
    batch_free(b);
    buf_release(&out);
}

/* Paths as the store lays them, one behind the other, in entries or in rows: one search for all of them. */
static void urls_read_back(uint32_t rows, enum column_storage storage)
{
    struct sample *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    struct batch *b = batch_new();
    struct buf out = {0};
    struct buf want = {0};
    for (uint32_t row = 0; row < rows; row++) {
        static const char *const KINDS[] = {"/%64own", "/Down", "/do", "wn/", "/d%6Fwn", "/other"};
        char path[32];
        size_t kind = row % (sizeof(KINDS) / sizeof(KINDS[0]));
        (void)snprintf(path, sizeof(path), "%s%.0u", KINDS[kind], row * (kind % 3 != 2));
        ROW(b, {"", "www.example.jp", FIELD_URL_DOMAIN, 0}, {"", path, FIELD_URL_PATH, 0});
        if (kind == 0 || kind == 1 || kind == 4)
            buf_printf(&want, row == 0 ? "%u" : " %u", row);
    }
    s->batch = b;
    sample_read_back(s, NULL);
    assert_int_equal(b->columns[1].field, FIELD_URL_PATH);
    assert_int_equal(b->columns[1].storage, storage);
    assert_string_equal(found(b, "url:*/down*", &out), buf_string(&want));
    assert_string_equal(found(b, "url:*own100*", &out), "100");
    batch_free(b);
    free(s);
    buf_release(&want);
    buf_release(&out);
}

static void test_urls_read_back(void **state)
{
    (void)state;
    urls_read_back(BATCH_TEXT_SWITCH_ROWS - 1, COLUMN_CODES);
    urls_read_back(BATCH_TEXT_SWITCH_ROWS * 2, COLUMN_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_urls_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
