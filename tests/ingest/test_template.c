/* Templates: reading them from YAML, and lines of operators' own layouts. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>

#include "base/err.h"
#include "event/verdict.h"
#include "ingest/template.h"
#include "tests/fuzz/slots_check.h"

static const char YAML[] = "name: our-proxy\n"
                           "separator: ';'\n"
                           "quote: \"'\"\n"
                           "fields:\n"
                           "  - {as: stamp}\n"
                           "  - field: src_ip\n"
                           "  - {skip: true}\n"
                           "  - field: user.name\n"
                           "  - {as: request}\n"
                           "  - {field: user_agent.original, as: encoded}\n"
                           "  - name: policy\n"
                           "  - field: event.action\n"
                           "verdict: {Permit: allow, stop: block}\n";

struct fixture {
    struct arena arena;
    struct diag diag;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    diag_release(&f->diag);
    return 0;
}

static struct template *read_good(struct fixture *f, const char *text)
{
    struct template *t = NULL;
    int err = template_read(&t, &f->arena, slice_from(text), "t.yaml", &f->diag);
    if (err != 0)
        fail_msg("%d: %s", err, diag_text(&f->diag));
    return t;
}

static void assert_slot(const struct slots *slots, uint32_t i, struct slice line, uint16_t field,
                        const char *text)
{
    assert_in_range(i, 0, slots->count - 1);
    const struct slot *s = &slots->items[i];
    assert_int_equal(s->field, field);
    assert_true(slice_equal(slice_of(line.data + s->offset, s->length), slice_from(text)));
}

static void test_read_and_parse(void **state)
{
    static const char LINE[] = "21/Nov/2026:18:00:00 +0900;192.0.2.7;same;EX\\taro;"
                               "'GET http://www.example.com/a;b HTTP/1.1';A%2F1;p7;permit;more";
    static struct slots slots;
    const struct template *t = read_good(*state, YAML);
    struct slice line = slots_line(LINE, sizeof(LINE) - 1, '\'');
    slots.count = 0;
    assert_true(slice_equal(t->name, SLICE("our-proxy")));
    assert_int_equal(template_parse(t, line, 0, &slots), PARSE_OK);
    slots_check(&slots, line, 0);
    assert_int_equal(slots.count, 13);
    assert_slot(&slots, 0, line, FIELD_TIME_STAMP, "21/Nov/2026:18:00:00 +0900");
    assert_slot(&slots, 1, line, FIELD_SOURCE_IP, "192.0.2.7");
    assert_slot(&slots, 2, line, FIELD_USER_DOMAIN, "EX");
    assert_slot(&slots, 3, line, FIELD_USER_NAME, "taro");
    assert_slot(&slots, 4, line, FIELD_HTTP_METHOD, "GET");
    assert_slot(&slots, 7, line, FIELD_URL_PATH, "/a;b");
    assert_slot(&slots, 8, line, FIELD_HTTP_VERSION, "1.1");
    assert_slot(&slots, 9, line, FIELD_USER_AGENT, "A%2F1");
    assert_int_equal(slots.items[9].kind, SLOT_FORM);
    assert_slot(&slots, 10, line, FIELD_COLUMN(6), "p7");
    assert_slot(&slots, 11, line, FIELD_EVENT_ACTION, "permit");
    assert_slot(&slots, 12, line, FIELD_COLUMN(8), "more");
    slots_line_release(line);
}

static void test_verdicts(void **state)
{
    const struct template *t = read_good(*state, YAML);
    assert_int_equal(template_verdict(t, SLICE("permit")), VERDICT_ALLOW);
    assert_int_equal(template_verdict(t, SLICE("STOP")), VERDICT_BLOCK);
    assert_int_equal(template_verdict(t, SLICE("stopped")), VERDICT_UNKNOWN);
    assert_int_equal(template_verdict(t, SLICE("")), VERDICT_UNKNOWN);
}

/* Every cut of a line is ours but for the first word; what is there stays within bounds. */
static void test_cut_lines(void **state)
{
    static const char LINE[] =
        "a [21/Nov/2026:18:00:00 +0900] \"-\" Nov 21 18:00:00 - \"x\"\"y\" z";
    static const char TEXT[] = "name: t\nfields: [{field: source.ip}, {as: stamp}, {name: q},"
                               " {as: bsd-time}, {name: r}, {name: s}, {name: u}]\n";
    static struct slots slots;
    const struct template *t = read_good(*state, TEXT);
    for (size_t len = 0; len < sizeof(LINE); len++) {
        struct slice line = slots_line(LINE, len, ']');
        slots.count = 0;
        enum parse_result result = template_parse(t, line, 0, &slots);
        if (len > 2)
            assert_int_not_equal(result, PARSE_MISMATCH);
        slots_check(&slots, line, 0);
        slots_line_release(line);
    }
    struct slice line = slots_line(LINE, sizeof(LINE) - 1, ' ');
    slots.count = 0;
    assert_int_equal(template_parse(t, line, 0, &slots), PARSE_OK);
    assert_int_equal(slots.count, 6);
    assert_slot(&slots, 1, line, FIELD_TIME_STAMP, "21/Nov/2026:18:00:00 +0900");
    assert_slot(&slots, 2, line, FIELD_TIME_SYSLOG, "Nov 21 18:00:00");
    assert_slot(&slots, 3, line, FIELD_COLUMN(5), "x");
    assert_slot(&slots, 4, line, FIELD_COLUMN(6), "y");
    assert_slot(&slots, 5, line, FIELD_COLUMN(7), "z");
    slots_line_release(line);
}

static void assert_fault(struct fixture *f, const char *text, const char *says)
{
    struct template *t = NULL;
    diag_release(&f->diag);
    assert_int_equal(template_read(&t, &f->arena, slice_from(text), "t.yaml", &f->diag),
                     ERR_FORMAT);
    assert_null(t);
    if (strstr(diag_text(&f->diag), says) == NULL)
        fail_msg("\"%s\" is not in: %s", says, diag_text(&f->diag));
}

static void test_faults(void **state)
{
    struct fixture *f = *state;
    assert_fault(f, "- a\n", "a template is a map");
    assert_fault(f, "fields: [{name: a}, {name: b}]\n", "has a name");
    assert_fault(f, "name: t\n", "list of 2 to");
    assert_fault(f, "name: t\nfields: [{name: a}]\n", "list of 2 to");
    assert_fault(f, "name: t\nfields: [{field: no.such}, {name: b}]\n",
                 "t.yaml:2:18: no such field");
    assert_fault(f, "name: t\nfields: [{as: magic}, {name: b}]\n", "as is text");
    assert_fault(f, "name: t\nfields: [a, b]\n", "a field is a map");
    assert_fault(f, "name: t\nfields: [{nam: a}, {name: b}]\n", "unknown key \"nam\"");
    assert_fault(f, "name: t\nfields: [{skip: maybe}, {name: b}]\n", "skip is true");
    assert_fault(f, "name: t\nseparator: ab\nfields: [{name: a}, {name: b}]\n", "one byte or tab");
    assert_fault(f, "name: t\nquote: ' '\nfields: [{name: a}, {name: b}]\n", "are the same");
    assert_fault(f, "name: t\nverdict: {a: maybe}\nfields: [{name: a}, {name: b}]\n",
                 "a verdict is allow");
    assert_fault(f, "name: t\nverdict: no\nfields: [{name: a}, {name: b}]\n", "is a map of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_and_parse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
