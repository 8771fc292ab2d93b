/* Records of alerts as bytes: what is put is taken, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "event/alert.h"

enum {
    HEADER_BYTES = 24,
};

static struct alert_record sample(struct slice line)
{
    struct alert_record r = {.tenant = 990001, .revision = 7, .line = line};
    for (unsigned i = 0; i < ALERT_ID_BYTES; i++)
        r.id.bytes[i] = (uint8_t)(250U + i);
    return r;
}

static void test_round_trip(void **state)
{
    (void)state;
    char *text = calloc(1, ALERT_LINE_BYTES_MAX + 1);
    static const size_t LENGTHS[] = {0, 1, 300, ALERT_LINE_BYTES_MAX};
    assert_non_null(text);
    for (size_t i = 0; i < ALERT_LINE_BYTES_MAX; i++)
        text[i] = (char)(i * 31);
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        struct buf out = {0};
        struct alert_record in = sample(slice_of(text, LENGTHS[i]));
        struct alert_record back = {0};
        alert_record_put(&out, &in);
        assert_int_equal(out.len, HEADER_BYTES + LENGTHS[i]);
        assert_int_equal(alert_record_take(&back, buf_content(&out)), 0);
        assert_int_equal(back.tenant, in.tenant);
        assert_int_equal(back.revision, in.revision);
        assert_true(alert_id_equal(&back.id, &in.id));
        assert_true(slice_equal(back.line, in.line));
        buf_release(&out);
    }
    free(text);
}

/* Too short for a header, or longer than a line may be: refused, and the output is untouched. */
static void test_refused(void **state)
{
    (void)state;
    struct buf out = {0};
    char *text = calloc(1, ALERT_LINE_BYTES_MAX + 1);
    assert_non_null(text);
    struct alert_record in = sample(slice_of(text, ALERT_LINE_BYTES_MAX + 1));
    struct alert_record back = {.tenant = 1, .revision = 2};
    alert_record_put(&out, &in);
    assert_int_equal(alert_record_take(&back, buf_content(&out)), ERR_CORRUPT);
    for (size_t len = 0; len < HEADER_BYTES; len++)
        assert_int_equal(alert_record_take(&back, slice_of(out.data, len)), ERR_CORRUPT);
    assert_int_equal(back.tenant, 1);
    assert_int_equal(back.revision, 2);
    buf_release(&out);
    free(text);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(alert_state_name(ALERT_OPEN), "open");
    assert_string_equal(alert_state_name(ALERT_SUPERSEDED), "superseded");
    assert_string_equal(alert_state_name(ALERT_STATE_COUNT), "");
    assert_string_equal(alert_severity_name(ALERT_INFORMATIONAL), "informational");
    assert_string_equal(alert_severity_name(ALERT_CRITICAL), "critical");
    assert_string_equal(alert_severity_name(ALERT_SEVERITY_COUNT), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
