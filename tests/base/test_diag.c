#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h uses what the four above define. */
#include <cmocka.h>

#include "base/diag.h"

static void collects_messages(void **state)
{
    (void)state;
    struct diag d = {0};
    diag_add(&d, "a.yaml", 3, 5, "wrong \"%s\"", "x\x1b\ny");
    diag_add(&d, "a.yaml", 0, 0, "gone");
    assert_int_equal(d.count, 2);
    assert_string_equal(diag_text(&d), "a.yaml:3:5: wrong \"x\\x1b\\ny\"\na.yaml: gone\n");
    diag_release(&d);
    assert_int_equal(d.count, 0);
}

static void counts_past_its_bound(void **state)
{
    (void)state;
    struct diag d = {0};
    for (uint32_t i = 1; i <= 1000; i++)
        diag_add(&d, "f", i, 1, "x");
    assert_int_equal(d.count, 1000);
    const char *text = diag_text(&d);
    size_t lines = 0;
    for (const char *at = text; *at != '\0'; at++)
        lines += *at == '\n';
    assert_int_equal(lines, DIAG_MESSAGES_MAX + 1);
    assert_non_null(strstr(text, "and 800 more\n"));
    diag_release(&d);
}

static void suggests_the_nearest(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"brokers", "topics", "properties", "format"};
    assert_string_equal(diag_suggest(SLICE("broker"), NAMES, 4), "brokers");
    assert_string_equal(diag_suggest(SLICE("topcis"), NAMES, 4), "topics");
    assert_string_equal(diag_suggest(SLICE("propertys"), NAMES, 4), "properties");
    assert_null(diag_suggest(SLICE("zzz"), NAMES, 4));
    assert_null(diag_suggest(SLICE(""), NAMES, 4));
    char longest[500];
    memset(longest, 'a', sizeof(longest));
    assert_null(diag_suggest(slice_of(longest, sizeof(longest)), NAMES, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collects_messages),
        cmocka_unit_test(counts_past_its_bound),
        cmocka_unit_test(suggests_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
