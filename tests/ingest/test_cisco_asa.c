/* The table of ASA messages, and who acted in a connection. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "ingest/parsers.h"
#include "tests/fuzz/slots_check.h"

static const uint32_t NUMBERS[] = {
#define ASA(number, template)       number,
#define ASA_PEERS(number, template) number,
#include "ingest/parser_cisco_asa.def"
#undef ASA
#undef ASA_PEERS
};

/* Rows are found by halving. */
static void test_rows_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++)
        assert_true(NUMBERS[i - 1] <= NUMBERS[i]);
}

static struct slice value_of(const struct slots *slots, struct slice line, uint16_t field)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        if (slots->items[i].field == field)
            return slice_of(line.data + slots->items[i].offset, slots->items[i].length);
    }
    return SLICE("");
}

static void assert_source(const char *text, const char *source)
{
    static struct slots slots;
    struct slice line = slots_line(text, strlen(text), '(');
    slots.count = 0;
    assert_int_equal(parser_cisco_asa.parse(NULL, line, 0, &slots), PARSE_OK);
    slots_check(&slots, line, 0);
    assert_true(slice_equal(value_of(&slots, line, FIELD_SOURCE_IP), slice_from(source)));
    slots_line_release(line);
}

static void test_who_acted(void **state)
{
    (void)state;
    assert_source("%ASA-6-302013: Built inbound TCP connection 1 for out:192.0.2.1/1 (192.0.2.1/1) "
                  "to in:192.0.2.2/2 (192.0.2.2/2)",
                  "192.0.2.1");
    assert_source("%ASA-6-302013: Built outbound TCP connection 1 for out:192.0.2.1/1 "
                  "(192.0.2.1/1) to in:192.0.2.2/2 (192.0.2.2/2)",
                  "192.0.2.2");
    assert_source("%ASA-6-302014: Teardown TCP connection 1 for out:192.0.2.1/443 to "
                  "in:192.0.2.2/50000 duration 0:00:01 bytes 1",
                  "192.0.2.2");
    assert_source("%ASA-6-302014: Teardown TCP connection 1 for out:192.0.2.1/50000 to "
                  "in:192.0.2.2/443 duration 0:00:01 bytes 1",
                  "192.0.2.1");
    assert_source("%ASA-6-302014: Teardown TCP connection 1 for out:192.0.2.1/8443 to "
                  "in:192.0.2.2/50000 duration 0:00:01 bytes 1",
                  "192.0.2.1");
    assert_source("%ASA-6-302021: Teardown ICMP connection for faddr 192.0.2.1/0 gaddr 192.0.2.3/7 "
                  "laddr 192.0.2.2/7",
                  "192.0.2.2");
}

/* A message that its templates do not fit keeps its number and its text. */
static void test_other_text(void **state)
{
    static const char TEXT[] = "%ASA-6-302013: Nothing of the kind";
    static struct slots slots;
    (void)state;
    struct slice line = slots_line(TEXT, sizeof(TEXT) - 1, ' ');
    slots.count = 0;
    assert_int_equal(parser_cisco_asa.parse(NULL, line, 0, &slots), PARSE_OK);
    assert_int_equal(slots.count, 3);
    assert_true(slice_equal(value_of(&slots, line, FIELD_EVENT_CODE), SLICE("302013")));
    assert_true(slice_equal(value_of(&slots, line, FIELD_MESSAGE), SLICE("Nothing of the kind")));
    slots_line_release(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sorted),
        cmocka_unit_test(test_who_acted),
        cmocka_unit_test(test_other_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
