/* Plain lines and CSV to entries: what is taken, what is said to be bad, and where. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/clock.h"
#include "base/err.h"
#include "detect/indicator_list.h"

/* All entries as "line text[:port][@expiry in s]" or "line !reason", one a line. */
static int read_all(struct buf *out, const struct indicator_source *source, struct diag *diag)
{
    struct indicator_list list;
    struct indicator_entry e;
    int status = indicator_list_open(&list, source, diag);
    if (status != 0)
        return status;
    while (indicator_list_next(&list, &e)) {
        if (e.fault != NULL) {
            buf_printf(out, "%u !%s\n", e.line, e.fault);
            continue;
        }
        buf_printf(out, "%u %.*s", e.line, (int)e.text.len, e.text.data);
        if (e.port != 0)
            buf_printf(out, " port %u", e.port);
        if (e.expires_ns != INT64_MAX)
            buf_printf(out, " until %lld", (long long)(e.expires_ns / CLOCK_NS_PER_SECOND));
        buf_byte(out, '\n');
    }
    indicator_list_close(&list);
    return 0;
}

static void check_source(const struct indicator_source *source, const char *expected)
{
    struct buf out = {0};
    struct diag diag = {0};
    int status = read_all(&out, source, &diag);
    if (status != 0 || strcmp(buf_string(&out), expected) != 0)
        print_error("%s%s\nnot\n%s", buf_string(&out), diag_text(&diag), expected);
    assert_int_equal(status, 0);
    assert_string_equal(buf_string(&out), expected);
    buf_release(&out);
    diag_release(&diag);
}

static void check(const char *content, enum indicator_format format, const char *expected)
{
    const struct indicator_source source = {
        .content = slice_from(content), .path = "f", .format = format, .expires_ns = INT64_MAX};
    check_source(&source, expected);
}

static void test_lines(void **state)
{
    (void)state;
    check("", INDICATOR_FORMAT_LINES, "");
    check("\n\n", INDICATOR_FORMAT_LINES, "");
    check("\xef\xbb\xbf# a feed\r\n"
          "; another remark\n"
          "// and another\n"
          "\n"
          "  a.example  \r\n"
          "b.example # seen in 2026\n"
          "192.0.2.0/24 ; SBL0\n"
          "c.example\t// note\n"
          "http://d.example/#top\n"
          "http://d.example/a;b//c\n"
          "0.0.0.0 e.example\n"
          "127.0.0.1\tf.example # hosts\n"
          "0.0.0.0\n"
          "g.example",
          INDICATOR_FORMAT_LINES,
          "5 a.example\n6 b.example\n7 192.0.2.0/24\n8 c.example\n9 http://d.example/#top\n"
          "10 http://d.example/a;b//c\n11 e.example\n12 f.example\n13 0.0.0.0\n14 g.example\n");
    const struct indicator_source agents = {.content = SLICE("# agents\n"
                                                             "Evil/1.0 (x; y) // z\n"
                                                             "; odd agent\n"),
                                            .path = "f",
                                            .type = INDICATOR_TYPE_AGENT,
                                            .expires_ns = INT64_MAX};
    check_source(&agents, "2 Evil/1.0 (x; y) // z\n3 ; odd agent\n");
}

static void test_csv(void **state)
{
    (void)state;
    check("id,IOC Value,comment\n1,a.example,x\n2,\"b.example\",\"said \"\"bad\"\", twice\"\n",
          INDICATOR_FORMAT_CSV, "2 a.example\n3 b.example\n");
    check("name,url\r\n\"two\r\nlines\",http://a.example/,\r\n\r\n# remark\r\nx,\"http://b.example/"
          "?a=\"\"1\"\"\"\r\n",
          INDICATOR_FORMAT_CSV, "2 http://a.example/\n6 http://b.example/?a=\"1\"\n");
    check("name;domain\nx;a.example\n", INDICATOR_FORMAT_CSV, "2 a.example\n");
    check("name\tdomain\nx, y\ta.example\n", INDICATOR_FORMAT_CSV, "2 a.example\n");
    check("# feed\n# \"first_seen\",\"ioc_value\",\"x\"\n\"2026-01-01\", \"192.0.2.1:80\", \"y\"\n",
          INDICATOR_FORMAT_CSV, "3 192.0.2.1:80\n");
    check("dst_ip,dst_port\n192.0.2.1,443\n192.0.2.2,\n192.0.2.3,x\n192.0.2.4,70000\n",
          INDICATOR_FORMAT_CSV,
          "2 192.0.2.1 port 443\n3 192.0.2.2\n4 !its port is no number of 0 to 65535\n"
          "5 !its port is no number of 0 to 65535\n");
    check("", INDICATOR_FORMAT_CSV, "");
    check("# only a remark\n", INDICATOR_FORMAT_CSV, "");
}

static void test_expiry(void **state)
{
    (void)state;
    check("value,valid_until\n"
          "a.example,2026-11-21\n"
          "b.example,2026-11-21T09:00:00+09:00\n"
          "c.example,2026-11-21 00:00:01 UTC\n"
          "d.example,1795219200\n"
          "e.example,1795219200000\n"
          "f.example,\n"
          "g.example,never\n"
          "h.example,0\n"
          "i.example,next week\n",
          INDICATOR_FORMAT_CSV,
          "2 a.example until 1795219200\n3 b.example until 1795219200\n"
          "4 c.example until 1795219201\n5 d.example until 1795219200\n"
          "6 e.example until 1795219200\n7 f.example\n8 g.example\n9 h.example\n"
          "10 !its expiry is no date (2026-11-21), no time (2026-11-21T10:00:00Z) and no number of "
          "seconds since 1970\n");
    struct indicator_source source = {.content =
                                          SLICE("value,gone\na.example,\nb.example,2026-11-21\n"),
                                      .path = "f",
                                      .format = INDICATOR_FORMAT_CSV,
                                      .expiry_column = SLICE("Gone"),
                                      .expires_ns = 7 * CLOCK_NS_PER_SECOND};
    check_source(&source, "2 a.example until 7\n3 b.example until 1795219200\n");
}

static void test_chosen_column(void **state)
{
    (void)state;
    struct indicator_source source = {.content = SLICE("bad host,domain\na.example,b.example\n"),
                                      .path = "f",
                                      .format = INDICATOR_FORMAT_CSV,
                                      .column = SLICE("Bad_Host"),
                                      .expires_ns = INT64_MAX};
    check_source(&source, "2 a.example\n");
    source.column = SLICE("2");
    check_source(&source, "2 b.example\n");
    source.content = SLICE("x,b.example\ny,c.example\nz,not one\n");
    check_source(&source, "1 b.example\n2 c.example\n3 not one\n");
    source.column = SLICE("5");
    check_source(&source, "1 !fewer columns than the header\n2 !fewer columns than the header\n"
                          "3 !fewer columns than the header\n");
}

static void test_broken_csv(void **state)
{
    (void)state;
    check("domain,x\n\"a.example\"z,1\nb.example,2\n\"c.example\nd.example,4\n",
          INDICATOR_FORMAT_CSV,
          "2 !something between a closing quote and the separator\n3 b.example\n"
          "4 !a quote that nothing closes within 4,096 bytes\n5 d.example\n");
    struct buf text = {0};
    buf_text(&text, "x,domain\n1\n1,");
    for (int i = 0; i < 5000; i++)
        buf_byte(&text, 'a');
    buf_text(&text, "\n1,b.example");
    check(buf_string(&text), INDICATOR_FORMAT_CSV,
          "2 !fewer columns than the header\n3 !a cell of more than 4,096 bytes\n4 b.example\n");
    buf_reset(&text);
    buf_text(&text, "domain\na.example");
    for (int i = 0; i < 300; i++)
        buf_byte(&text, ',');
    buf_text(&text, "\nb.example\n");
    check(buf_string(&text), INDICATOR_FORMAT_CSV, "2 !more than 256 columns\n3 b.example\n");
    buf_release(&text);
}

static void test_lists_that_are_none(void **state)
{
    (void)state;
    static const struct {
        struct slice content;
        const char *message;
    } CASES[] = {
        {{.data = "seen,by\n1,2\n", .len = 12},
         "f:1:1: this header names no column of indicators (seen,by); say which one it is (column: its "
         "name, or its number from 1)\n"},
        {{.data = "\xff\xfe"
                  "a\0b\0",
          .len = 6},
         "f: not a list in UTF-8: it holds NUL bytes (UTF-16, or packed?); convert it\n"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct indicator_source source = {
            .content = CASES[i].content, .path = "f", .format = INDICATOR_FORMAT_CSV};
        struct buf out = {0};
        struct diag diag = {0};
        assert_int_equal(read_all(&out, &source, &diag), ERR_CONF);
        assert_string_equal(diag_text(&diag), CASES[i].message);
        buf_release(&out);
        diag_release(&diag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_csv),
        cmocka_unit_test(test_expiry),     cmocka_unit_test(test_chosen_column),
        cmocka_unit_test(test_broken_csv), cmocka_unit_test(test_lists_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
