#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "event/query.h"

struct parsed {
    struct arena arena;
    struct diag diag;
    struct ast *ast;
    int err;
};

static struct parsed parse(struct slice text)
{
    struct parsed p = {0};
    p.err = query_parse(&p.ast, &p.arena, text, &p.diag);
    return p;
}

static void release(struct parsed *p)
{
    arena_release(&p->arena);
    diag_release(&p->diag);
}

/* Parse, print, compare with `want` (NULL: any), parse again, compare the trees. */
static void round_trip(const char *text, const char *want)
{
    struct parsed a = parse(slice_from(text));
    if (a.err != 0)
        fail_msg("%s: %s", text, diag_text(&a.diag));
    struct buf printed = {0};
    assert_int_equal(query_print(a.ast, &printed), 0);
    if (want != NULL)
        assert_string_equal(buf_string(&printed), want);
    struct parsed b = parse(buf_content(&printed));
    if (b.err != 0)
        fail_msg("%s -> %s: %s", text, buf_string(&printed), diag_text(&b.diag));
    assert_true(ast_equal(a.ast, b.ast));
    buf_release(&printed);
    release(&a);
    release(&b);
}

static void refuse(const char *text, const char *diagnosis)
{
    struct parsed p = parse(slice_from(text));
    if (p.err != ERR_CONF)
        fail_msg("%s: accepted", text);
    if (strstr(diag_text(&p.diag), diagnosis) == NULL)
        fail_msg("%s: %s", text, diag_text(&p.diag));
    assert_int_equal(p.diag.count, 1);
    release(&p);
}

static void test_prints_back(void **state)
{
    (void)state;
    round_trip("", "");
    round_trip("  \t", "");
    round_trip("upload", "\"upload\"");
    round_trip("\"upload x\"", "\"upload x\"");
    round_trip(
        "source.ip:10.1.0.0/16 and url.domain:*.example.jp and not event.action:(deny or "
        "drop) \"upload x\"",
        "source.ip:10.1.0.0/16 and url.domain:\"*.example.jp\" and not (event.action:deny or "
        "event.action:drop) and \"upload x\"");
    round_trip("a or b and c", "\"a\" or \"b\" and \"c\"");
    round_trip("(a or b) and c", "(\"a\" or \"b\") and \"c\"");
    round_trip("(a and b) and c", "(\"a\" and \"b\") and \"c\"");
    round_trip("a b c", "\"a\" and \"b\" and \"c\"");
    round_trip("not not a", "not not \"a\"");
    round_trip("NOT (a Or b)", "not (\"a\" or \"b\")");
    round_trip("src:192.0.2.7", "src:192.0.2.7");
    round_trip("source.ip:2001:db8::1", "source.ip:2001:db8::1");
    round_trip("source.ip:2001:db8::/32", "source.ip:2001:db8::/32");
    round_trip("source.ip:10.1.*", "source.ip:\"10.1.*\"");
    round_trip("source.port:443", "source.port:443");
    round_trip("source.port>=1024", "source.port>=1024");
    round_trip("source.port:>1024 source.port<2.5e3", "source.port>1024 and source.port<2.5e3");
    round_trip("source.port:[1 to 10]", "source.port:[1 to 10]");
    round_trip("source.port:[ \"1\" TO 2.5e3 ]", "source.port:[1 to 2.5e3]");
    round_trip("source.port:[1e+3 to -0.5]", "source.port:[1e+3 to -0.5]");
    round_trip("x source.port:[1 to 10]", "\"x\" and source.port:[1 to 10]");
    round_trip("not source.port:[1 to 10]", "not source.port:[1 to 10]");
    round_trip("source.port:(22 or [1 to 10])", "source.port:22 or source.port:[1 to 10]");
    round_trip("source.port>=1 source.port<=10", "source.port>=1 and source.port<=10");
    round_trip("source.port:[* to 10]", "source.port<=10");
    round_trip("source.port:[10 to *]", "source.port>=10");
    round_trip("source.port:[* TO *]", "source.port:*");
    round_trip("user:*", "user:*");
    round_trip("user:\"*\"", "user:\"*\"");
    round_trip("user:SALES\\tanaka", "user:\"SALES\\\\tanaka\"");
    round_trip("user:a\\*b", "user:\"a\\*b\"");
    round_trip("user:a\\*b*", "user:\"a\\*b*\"");
    round_trip("user:\"a \\\"b\\\" ?\"", "user:\"a \\\"b\\\" ?\"");
    round_trip("url.path:/admin\\/[a-z]+/", "url.path:/admin\\/[a-z]+/");
    round_trip("url.path:\"/admin*\"", "url.path:\"/admin*\"");
    round_trip("fortigate.vwlid:1", "fortigate.vwlid:1");
    round_trip("\"fortigate.odd key\":1", "\"fortigate.odd key\":1");
    round_trip("@timestamp>=2026-11-21T10:00:00+09:00", "@timestamp>=2026-11-21T10:00:00+09:00");
    round_trip("@timestamp:[2026-11-21T10:00:00Z to 2026-11-22T10:00:00Z]",
               "@timestamp:[2026-11-21T10:00:00Z to 2026-11-22T10:00:00Z]");
    round_trip("kafka.offset:5 sekisho.tenant:052027", NULL);
    round_trip("event.action:(not deny)", "not event.action:deny");
    round_trip("event.action:(a (b or c))", NULL);
    round_trip("event.action:not", "event.action:not");
    round_trip("10:00:00", "\"10:00:00\"");
    round_trip("srcip=198.51.100.7", "\"srcip=198.51.100.7\"");
    round_trip("user:\"\"", "user:\"\"");
}

static void test_meaning(void **state)
{
    (void)state;
    struct parsed p = parse(SLICE("host:*.Example.jp"));
    assert_int_equal(p.err, 0);
    assert_int_equal(p.ast->op, AST_GLOB);
    assert_int_equal(p.ast->field, FIELD_URL_DOMAIN);
    assert_true(slice_equal(p.ast->field_name, SLICE("host")));
    release(&p);

    p = parse(SLICE("source.ip:10.1.2.3/16"));
    assert_int_equal(p.ast->op, AST_NETWORK);
    assert_int_equal(p.ast->network.prefix_bits, 112);
    assert_int_equal(p.ast->network.ip.bytes[14], 0);
    release(&p);

    p = parse(SLICE("@timestamp<2026-11-21T00:00:01Z"));
    assert_int_equal(p.ast->op, AST_LESS);
    assert_true(slice_equal(p.ast->field_name, SLICE("@timestamp")));
    assert_int_equal(p.ast->bound.number,
                     clock_days(2026, 11, 21) * 86400 * CLOCK_NS_PER_SECOND + CLOCK_NS_PER_SECOND);
    release(&p);

    p = parse(SLICE("user:a\\?b"));
    assert_int_equal(p.ast->op, AST_EQUAL);
    assert_true(slice_equal(p.ast->text, SLICE("a?b")));
    release(&p);

    p = parse(SLICE("user:\"a\\\\*\""));
    assert_int_equal(p.ast->op, AST_GLOB);
    assert_true(slice_equal(p.ast->text, SLICE("a\\\\*")));
    release(&p);

    p = parse(SLICE("destination.bytes>1.5"));
    assert_true(p.ast->bound.is_real);
    release(&p);

    p = parse(SLICE("source.port:[22 to 1023.5]"));
    assert_int_equal(p.ast->kind, AST_LEAF);
    assert_int_equal(p.ast->op, AST_RANGE);
    assert_int_equal(p.ast->bound.number, 22);
    assert_false(p.ast->bound.is_real);
    assert_true(p.ast->high.is_real);
    assert_true(p.ast->high.real > 1023.4 && p.ast->high.real < 1023.6);
    release(&p);

    p = parse(SLICE(""));
    assert_int_equal(p.ast->kind, AST_TRUE);
    release(&p);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("surce:1", "query:1:1: ");
    refuse("source.iip:192.0.2.1", "did you mean \"source.ip\"");
    refuse("x usr:tanaka", "query:1:3: unknown field \"usr\"; did you mean \"user\"");
    refuse("http://example.jp/", "is quoted");
    refuse("source.ip:10.1.0.0/33", "is an address or a network");
    refuse("source.ip:abc", "is an address");
    refuse("source.ip>=10.0.0.1", "network/bits");
    refuse("source.port:https", "is a number");
    refuse("x source.port=443",
           "query:1:3: source.port is a field: write source.port:443, or quote");
    refuse("source.port>=x", "is no number");
    refuse("source.port:[1 10]", "[a to b]");
    refuse("source.port:[1 to 10", "[a to b]");
    refuse("source.port:[x to 10]", "query:1:14: \"x\" is no number");
    refuse("source.port:[1 to x]", "query:1:19: \"x\" is no number");
    refuse("source.ip:[192.0.2.1 to 192.0.2.9]", "network/bits");
    refuse("@timestamp:[1 to 2]", "is no time");
    refuse("@timestamp>=yesterday", "is no time");
    refuse("a and", "at the end");
    refuse("and a", "before \"and\"");
    refuse("a or or b", "before \"or\"");
    refuse("(a", "never closed");
    refuse("a)", "no parenthesis was opened");
    refuse("()", "missing before this parenthesis");
    refuse("user:", "a value is missing");
    refuse("user:)", "a value is missing");
    refuse("\"abc", "never closed");
    refuse("user:\"a\\\"", "never closed");
    refuse("url.path:/admin", "quoted");
    refuse("url.path:/a/b/", "\\/");
    refuse("url.path:/(/", "the regex is wrong");
    refuse("*.example.jp", "no wildcards");
    refuse("\xe5\xb1\xb1\xe7\x94\xb0 usr:x", "query:1:4:");
}

static void test_limits(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 31; i++)
        buf_text(&text, "not ");
    buf_text(&text, "a");
    round_trip(buf_string(&text), NULL);
    buf_reset(&text);
    for (int i = 0; i < 32; i++)
        buf_text(&text, "not ");
    buf_text(&text, "a");
    refuse(buf_string(&text), "nested deeper");
    buf_reset(&text);
    for (int i = 0; i < 100000; i++)
        buf_byte(&text, '(');
    refuse(buf_string(&text), "nested deeper");
    buf_reset(&text);
    for (int i = 0; i < AST_LEAVES_MAX; i++)
        buf_text(&text, i % 2 == 0 ? "a " : "source.port:[1 to 2] ");
    round_trip(buf_string(&text), NULL);
    buf_text(&text, "a");
    refuse(buf_string(&text), "more than");
    buf_release(&text);
}

static void test_print_of_rules(void **state)
{
    (void)state;
    struct buf out = {0};
    struct ast contains = {
        .kind = AST_LEAF, .op = AST_CONTAINS, .field = FIELD_URL_PATH, .text = SLICE("a*b\"c")};
    assert_int_equal(query_print(&contains, &out), 0);
    assert_string_equal(buf_string(&out), "url.path:\"*a\\*b\\\"c*\"");
    buf_reset(&out);
    struct ast cased = {.kind = AST_LEAF,
                        .op = AST_EQUAL,
                        .cased = true,
                        .field = FIELD_URL_PATH,
                        .text = SLICE("a")};
    assert_int_equal(query_print(&cased, &out), ERR_RANGE);
    buf_reset(&out);
    struct ast lone = {.kind = AST_LEAF, .op = AST_NETWORK, .field = FIELD_SOURCE_IP};
    assert_int_equal(network_parse(&lone.network, SLICE("192.0.2.9"), NULL), 0);
    assert_int_equal(query_print(&lone, &out), 0);
    assert_string_equal(buf_string(&out), "source.ip:192.0.2.9/32");
    buf_reset(&out);
    struct ast range = {.kind = AST_LEAF,
                        .op = AST_RANGE,
                        .field = FIELD_SOURCE_PORT,
                        .bound = {.number = -1},
                        .high = {.real = 2.5, .is_real = true}};
    assert_int_equal(query_print(&range, &out), 0);
    assert_string_equal(buf_string(&out), "source.port:[-1 to \"2.5\"]");
    buf_reset(&out);
    struct ast times = {.kind = AST_LEAF,
                        .op = AST_RANGE,
                        .field = FIELD_TIMESTAMP,
                        .high = {.number = CLOCK_NS_PER_SECOND}};
    assert_int_equal(query_print(&times, &out), 0);
    struct parsed p = parse(buf_content(&out));
    assert_int_equal(p.err, 0);
    assert_int_equal(p.ast->bound.number, 0);
    assert_int_equal(p.ast->high.number, CLOCK_NS_PER_SECOND);
    release(&p);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prints_back),    cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_print_of_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
