/* Entries as lists write them, and the one spelling in which they are compared. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "detect/indicator_key.h"

struct accepted {
    const char *text;
    enum indicator_type type;
    const char *kind;
    const char *printed;
};

static void check_accepted(const struct accepted *c)
{
    struct indicator_key key;
    struct buf printed = {0};
    const char *why = indicator_key_read(&key, slice_from(c->text), c->type, 0);
    if (why != NULL)
        print_error("%s: %s\n", c->text, why);
    assert_null(why);
    assert_string_equal(indicator_kind_name(key.kind), c->kind);
    indicator_key_print(&printed, key.kind, slice_of(key.bytes, key.len));
    assert_string_equal(buf_string(&printed), c->printed);
    buf_release(&printed);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct accepted CASES[] = {
        {"192.0.2.7", 0, "address", "192.0.2.7"},
        {"192[.]0[.]2[.]7", 0, "address", "192.0.2.7"},
        {"192.0.2(.)7", INDICATOR_TYPE_ADDRESS, "address", "192.0.2.7"},
        {"192.0.2.7/32", 0, "address", "192.0.2.7"},
        {"2001:DB8::0:1", 0, "address", "2001:db8::1"},
        {"[2001:db8::1]", 0, "address", "2001:db8::1"},
        {"::ffff:192.0.2.9", 0, "address", "192.0.2.9"},
        {"192.0.2.0/24", 0, "network", "192.0.2.0/24"},
        {"192.0.2.77/24", INDICATOR_TYPE_NETWORK, "network", "192.0.2.0/24"},
        {"2001:db8::/32", 0, "network", "2001:db8::/32"},
        {"192.0.2.7:8080", 0, "address_port", "192.0.2.7:8080"},
        {"192.0.2.7[:]443", INDICATOR_TYPE_ADDRESS_PORT, "address_port", "192.0.2.7:443"},
        {"[2001:db8::1]:53", 0, "address_port", "[2001:db8::1]:53"},
        {"Evil.Example", 0, "domain", "evil.example"},
        {"evil.example.", 0, "domain", "evil.example"},
        {"*.evil.example", 0, "domain", "evil.example"},
        {".evil.example", INDICATOR_TYPE_DOMAIN, "domain", "evil.example"},
        {"evil[.]example", 0, "domain", "evil.example"},
        {"evil[dot]example", 0, "domain", "evil.example"},
        {"evil{.}example", 0, "domain", "evil.example"},
        {"例え.example", 0, "domain", "xn--r8jz45g.example"},
        {"_dmarc.evil.example", 0, "domain", "_dmarc.evil.example"},
        {"http://evil.example", 0, "domain", "evil.example"},
        {"hxxp://evil[.]example/", 0, "domain", "evil.example"},
        {"hXXps[:]//evil[.]example/", 0, "domain", "evil.example"},
        {"hxxps[://]evil.example:443", 0, "domain", "evil.example"},
        {"evil.example:80", 0, "domain", "evil.example"},
        {"evil.example:8080", 0, "url", "evil.example:8080"},
        {"http://evil.example:8080/", 0, "url", "evil.example:8080"},
        {"http://192.0.2.7", 0, "address", "192.0.2.7"},
        {"http://192.0.2.7:8080/", 0, "address_port", "192.0.2.7:8080"},
        {"http://[2001:db8::1]:8080/", 0, "address_port", "[2001:db8::1]:8080"},
        {"http://192.0.2.7/x", 0, "url", "192.0.2.7/x"},
        {"http://192.0.2.7/24", 0, "url", "192.0.2.7/24"},
        {"HTTP://u:p@Evil.Example:80/A/%7eb%2f?Q=%41#top", 0, "url", "evil.example/A/~b%2F?Q=A"},
        {"https://evil.example/a?", 0, "url", "evil.example/a"},
        {"https://evil.example?a=1", 0, "url", "evil.example/?a=1"},
        {"https://evil.example/a b", INDICATOR_TYPE_URL, "url", "evil.example/a%20b"},
        {"https://evil.example/\xe4\xbe\x8b", 0, "url", "evil.example/%E4%BE%8B"},
        {"https://evil.example/%zz%4", 0, "url", "evil.example/%25zz%254"},
        {"https://evil.example/%%33%33", 0, "url", "evil.example/%2533"},
        {"ftp://evil.example:21/a", 0, "url", "evil.example/a"},
        {"evil.example/a/b.php", 0, "url", "evil.example/a/b.php"},
        {"evil.example/a[.]b", 0, "url", "evil.example/a[.]b"},
        {"http://[2001:DB8::1]/a", 0, "url", "[2001:db8::1]/a"},
        {"/gate/in.php", INDICATOR_TYPE_PATH, "path", "/gate/in.php"},
        {"/gate/in.php?id=1#x", INDICATOR_TYPE_PATH, "path", "/gate/in.php?id=1"},
        {"http://evil.example/x", INDICATOR_TYPE_PATH, "url", "evil.example/x"},
        {"EvilBot/1.0 (x; y)", INDICATOR_TYPE_AGENT, "agent", "evilbot/1.0 (x; y)"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        check_accepted(&CASES[i]);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum indicator_type type;
        const char *part; /* of the reason */
    } CASES[] = {
        {"0.0.0.0/0", 0, "wider than /8"},
        {"::/0", 0, "wider than /16"},
        {"2000::/3", 0, "wider than /16"},
        {"198.0.0.0/7", 0, "wider than /8"},
        {"10.1.2.3", 0, "private"},
        {"10.0.0.0/8", 0, "private"},
        {"172.16.5.0/24", 0, "private"},
        {"172.0.0.0/8", 0, "holds private"},
        {"192.0.0.0/8", 0, "holds private"},
        {"192.168.1.1:80", 0, "private"},
        {"100.64.0.1", 0, "private"},
        {"127.0.0.1", 0, "private"},
        {"169.254.169.254", 0, "private"},
        {"224.0.0.1", 0, "private"},
        {"255.255.255.255", 0, "private"},
        {"0.0.0.0", 0, "private"},
        {"::1", 0, "private"},
        {"::", 0, "private"},
        {"fe80::1", 0, "private"},
        {"fd00::/48", 0, "private"},
        {"ff02::1", 0, "private"},
        {"::ffff:10.0.0.1", 0, "private"},
        {"http://10.0.0.1/x", 0, "private"},
        {"jp", 0, "without a dot"},
        {"localhost", INDICATOR_TYPE_DOMAIN, "without a dot"},
        {"http://jp/x", 0, "without a dot"},
        {"192.0.2.7.8", 0, "last label is a number"},
        {"192.0.2", INDICATOR_TYPE_DOMAIN, "last label is a number"},
        {"192.0.2.7", INDICATOR_TYPE_DOMAIN, "last label is a number"},
        {"evil.example", INDICATOR_TYPE_ADDRESS, "no address"},
        {"192.0.2.7", INDICATOR_TYPE_ADDRESS_PORT, "without a port"},
        {"192.0.2.7:0", 0, "no URL"},
        {"192.0.2.7:65536", 0, "no URL"},
        {"evil..example", 0, "no host name"},
        {"ev il.example", 0, "more than one word"},
        {"evil.example 5", 0, "more than one word"},
        {"evil!.example", 0, "no host name"},
        {"evil.*.example", 0, "no host name"},
        {"/gate.php", 0, "type path"},
        {"/gate.php", INDICATOR_TYPE_URL, "type path"},
        {"/a", INDICATOR_TYPE_PATH, "less than 5 bytes"},
        {"http:///x", 0, "no URL"},
        {"http://[::1", 0, "no URL"},
        {"ab", INDICATOR_TYPE_AGENT, "3 to 1,024"},
        {"sqlmap*", INDICATOR_TYPE_AGENT, "no wildcard"},
        {"", 0, "empty"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct indicator_key key;
        const char *why = indicator_key_read(&key, slice_from(CASES[i].text), CASES[i].type, 0);
        if (why == NULL || strstr(why, CASES[i].part) == NULL)
            print_error("%s: %s, not %s\n", CASES[i].text, why == NULL ? "accepted" : why,
                        CASES[i].part);
        assert_true(why != NULL && strstr(why, CASES[i].part) != NULL);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    struct indicator_key key;
    struct buf text = {0};
    buf_text(&text, "http://evil.example/");
    while (text.len < INDICATOR_URL_BYTES_MAX + 7)
        buf_byte(&text, 'a');
    /* Without its scheme it has just the length that fits; the whole text is longer. */
    assert_non_null(indicator_key_read(&key, buf_content(&text), INDICATOR_TYPE_URL, 0));
    struct slice fits = slice_from_offset(buf_content(&text), 7);
    assert_null(indicator_key_read(&key, fits, INDICATOR_TYPE_URL, 0));
    assert_int_equal(key.len, INDICATOR_URL_BYTES_MAX);
    buf_byte(&text, 'a');
    assert_non_null(
        indicator_key_read(&key, slice_from_offset(buf_content(&text), 7), INDICATOR_TYPE_URL, 0));
    /* Every blank of a path takes three bytes. */
    buf_reset(&text);
    buf_text(&text, "evil.example/");
    while (text.len < INDICATOR_URL_BYTES_MAX)
        buf_byte(&text, '\x80');
    assert_non_null(indicator_key_read(&key, buf_content(&text), INDICATOR_TYPE_URL, 0));
    buf_release(&text);
}

static void test_port_of_a_column(void **state)
{
    (void)state;
    struct indicator_key key;
    struct buf printed = {0};
    assert_null(indicator_key_read(&key, SLICE("192.0.2.7"), INDICATOR_TYPE_AUTO, 8443));
    assert_int_equal(key.kind, INDICATOR_ADDRESS_PORT);
    assert_null(indicator_key_read(&key, SLICE("192.0.2.7"), INDICATOR_TYPE_ADDRESS_PORT, 8443));
    indicator_key_print(&printed, key.kind, slice_of(key.bytes, key.len));
    assert_string_equal(buf_string(&printed), "192.0.2.7:8443");
    assert_null(indicator_key_read(&key, SLICE("192.0.2.7"), INDICATOR_TYPE_ADDRESS, 8443));
    assert_int_equal(key.kind, INDICATOR_ADDRESS);
    assert_non_null(indicator_key_read(&key, SLICE("192.0.2.0/24"), INDICATOR_TYPE_AUTO, 80));
    buf_release(&printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_port_of_a_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
