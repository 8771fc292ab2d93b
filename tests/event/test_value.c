/* Typed values: what is canonical prints back to its own bytes, and nothing else is. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "event/value.h"
#include "tests/support/lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    ROUNDS = 200000,
    TEXT_MAX = 64,
};

/* A text with the padding that value_int() may read. */
struct text {
    char bytes[TEXT_MAX + SLICE_PADDING_BYTES];
    size_t len;
};

static struct slice text_of(struct text *t, const char *from)
{
    t->len = strlen(from);
    assert_true(t->len < TEXT_MAX);
    memset(t->bytes, '7', sizeof(t->bytes)); /* behind the text: digits that are not part of it */
    memcpy(t->bytes, from, t->len);
    return slice_of(t->bytes, t->len);
}

static void test_int(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_class class;
        int64_t value;
    } CASES[] = {
        {"0", VALUE_CANONICAL, 0},
        {"7", VALUE_CANONICAL, 7},
        {"-1", VALUE_CANONICAL, -1},
        {"65535", VALUE_CANONICAL, 65535},
        {"12345678", VALUE_CANONICAL, 12345678},
        {"123456789", VALUE_CANONICAL, 123456789},
        {"1234567812345678", VALUE_CANONICAL, 1234567812345678},
        {"999999999999999999", VALUE_CANONICAL, 999999999999999999},
        {"-999999999999999999", VALUE_CANONICAL, -999999999999999999},
        {"-0", VALUE_VALID, 0},
        {"00", VALUE_VALID, 0},
        {"007", VALUE_VALID, 7},
        {"-007", VALUE_VALID, -7},
        {"-000", VALUE_VALID, 0},
        {"0000000000000000000000000000001", VALUE_VALID, 1},
        {"00999999999999999999", VALUE_VALID, 999999999999999999},
        {"", VALUE_INVALID, 0},
        {"-", VALUE_INVALID, 0},
        {"--1", VALUE_INVALID, 0},
        {"+1", VALUE_INVALID, 0},
        {" 1", VALUE_INVALID, 0},
        {"1 ", VALUE_INVALID, 0},
        {"1.0", VALUE_INVALID, 0},
        {"1e5", VALUE_INVALID, 0},
        {"0x10", VALUE_INVALID, 0},
        {"1234567:", VALUE_INVALID, 0},
        {"12345678:", VALUE_INVALID, 0},
        {"1234/678", VALUE_INVALID, 0},
        {"1000000000000000000", VALUE_INVALID, 0},
        {"9223372036854775807", VALUE_INVALID, 0},
        {"-9223372036854775808", VALUE_INVALID, 0},
        {"\xef\xbc\x91", VALUE_INVALID, 0},
    };
    struct text t;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int64_t value = 42;
        assert_int_equal(value_int(text_of(&t, CASES[i].text), &value), CASES[i].class);
        assert_int_equal(value, CASES[i].class == VALUE_INVALID ? 42 : CASES[i].value);
    }
}

static void test_epoch(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_class class;
        enum epoch_form form;
        int64_t value;
        int64_t ns;
    } CASES[] = {
        {"1763715600", VALUE_CANONICAL, EPOCH_DIGITS, 1763715600, 1763715600000000000},
        {"1763715600123", VALUE_CANONICAL, EPOCH_DIGITS, 1763715600123, 1763715600123000000},
        {"1763715600123456", VALUE_CANONICAL, EPOCH_DIGITS, 1763715600123456, 1763715600123456000},
        {"1763715600123456789", VALUE_CANONICAL, EPOCH_DIGITS, 1763715600123456789,
         1763715600123456789},
        {"1763715600.123", VALUE_CANONICAL, EPOCH_MILLIS_POINT, 1763715600123, 1763715600123000000},
        {"1763715600.000", VALUE_CANONICAL, EPOCH_MILLIS_POINT, 1763715600000, 1763715600000000000},
        {"0763715600.123", VALUE_VALID, EPOCH_MILLIS_POINT, 763715600123, 763715600123000000},
        {"0000000001.001", VALUE_VALID, EPOCH_MILLIS_POINT, 1001, 1001000000},
        {"9223372036", VALUE_CANONICAL, EPOCH_DIGITS, 9223372036, 9223372036000000000},
        {"9223372037", VALUE_CANONICAL, EPOCH_DIGITS, 9223372037, INT64_MAX},
        {"9999999999", VALUE_CANONICAL, EPOCH_DIGITS, 9999999999, INT64_MAX},
        {"9999999999.999", VALUE_CANONICAL, EPOCH_MILLIS_POINT, 9999999999999, INT64_MAX},
        {"9999999999999", VALUE_CANONICAL, EPOCH_DIGITS, 9999999999999, INT64_MAX},
        {"9999999999999999", VALUE_CANONICAL, EPOCH_DIGITS, 9999999999999999, INT64_MAX},
        {"9223372036854775807", VALUE_CANONICAL, EPOCH_DIGITS, INT64_MAX, INT64_MAX},
        {"1000000000", VALUE_CANONICAL, EPOCH_DIGITS, 1000000000, 1000000000000000000},
        {"1000000000000", VALUE_CANONICAL, EPOCH_DIGITS, 1000000000000, 1000000000000000000},
        {"1000000000000000", VALUE_CANONICAL, EPOCH_DIGITS, 1000000000000000, 1000000000000000000},
        {"1000000000000000000", VALUE_CANONICAL, EPOCH_DIGITS, 1000000000000000000,
         1000000000000000000},
        {"9223372036854775808", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"0763715600", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"176371560", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"17637156001", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"-763715600", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"1763715600.12", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"1763715600.1234", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"1763715600,123", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"17637156.0.123", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"1763715600.1x3", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
        {"", VALUE_INVALID, EPOCH_DIGITS, 0, 0},
    };
    struct text t;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int64_t value = 0;
        enum epoch_form form = EPOCH_DIGITS;
        assert_int_equal(value_epoch(text_of(&t, CASES[i].text), &value, &form), CASES[i].class);
        assert_int_equal(value, CASES[i].value);
        assert_int_equal(form, CASES[i].form);
        if (CASES[i].class != VALUE_INVALID)
            assert_int_equal(value_epoch_ns(value, form), CASES[i].ns);
    }
}

static const struct {
    const char *text;
    enum value_class class;
    const char *printed;
} ADDRESSES[] = {
    {"0.0.0.0", VALUE_CANONICAL, "0.0.0.0"},
    {"192.0.2.1", VALUE_CANONICAL, "192.0.2.1"},
    {"255.255.255.255", VALUE_CANONICAL, "255.255.255.255"},
    {"::", VALUE_CANONICAL, "::"},
    {"::1", VALUE_CANONICAL, "::1"},
    {"1::", VALUE_CANONICAL, "1::"},
    {"2001:db8::1", VALUE_CANONICAL, "2001:db8::1"},
    {"2001:db8:0:1:1:1:1:1", VALUE_CANONICAL, "2001:db8:0:1:1:1:1:1"},
    {"2001:0:0:1::1", VALUE_CANONICAL, "2001:0:0:1::1"},
    {"2001:db8::1:0:0:1", VALUE_CANONICAL, "2001:db8::1:0:0:1"},
    {"1:2:3:4:5:6:7:8", VALUE_CANONICAL, "1:2:3:4:5:6:7:8"},
    {"::2:3:4:5:6:7:8", VALUE_VALID, "0:2:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7::", VALUE_VALID, "1:2:3:4:5:6:7:0"},
    {"1:2:3:4:5:6::", VALUE_CANONICAL, "1:2:3:4:5:6::"},
    {"::fffe:c000:201", VALUE_CANONICAL, "::fffe:c000:201"},
    {"::1:ffff:c000:201", VALUE_CANONICAL, "::1:ffff:c000:201"},
    {"2001:DB8::1", VALUE_VALID, "2001:db8::1"},
    {"2001:0db8::1", VALUE_VALID, "2001:db8::1"},
    {"2001:db8:0:0:0:0:0:1", VALUE_VALID, "2001:db8::1"},
    {"2001:db8:0:0:1::1", VALUE_VALID, "2001:db8::1:0:0:1"},
    {"::ffff:192.0.2.1", VALUE_VALID, "192.0.2.1"},
    {"::ffff:c000:201", VALUE_VALID, "192.0.2.1"},
    {"::FFFF:192.0.2.1", VALUE_VALID, "192.0.2.1"},
    {"::192.0.2.1", VALUE_VALID, "::c000:201"},
    {"64:ff9b::192.0.2.1", VALUE_VALID, "64:ff9b::c000:201"},
    {"0000:0000:0000:0000:0000:ffff:192.000.002.001", VALUE_INVALID, NULL},
    {"0000:0000:0000:0000:0000:ffff:255.255.255.255", VALUE_VALID, "255.255.255.255"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", VALUE_CANONICAL,
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"", VALUE_INVALID, NULL},
    {":", VALUE_INVALID, NULL},
    {":::", VALUE_INVALID, NULL},
    {"1", VALUE_INVALID, NULL},
    {"192.0.2", VALUE_INVALID, NULL},
    {"192.0.2.", VALUE_INVALID, NULL},
    {"192.0.2.256", VALUE_INVALID, NULL},
    {"192.0.2.01", VALUE_INVALID, NULL},
    {"192.0.2.1.", VALUE_INVALID, NULL},
    {"192.0.2.1.1", VALUE_INVALID, NULL},
    {".192.0.2.1", VALUE_INVALID, NULL},
    {"192..0.2.1", VALUE_INVALID, NULL},
    {"192.0.2.1 ", VALUE_INVALID, NULL},
    {"192.0.2.1000", VALUE_INVALID, NULL},
    {"1:2:3:4:5:6:7", VALUE_INVALID, NULL},
    {"1:2:3:4:5:6:7:8:9", VALUE_INVALID, NULL},
    {"1::2::3", VALUE_INVALID, NULL},
    {"12345::", VALUE_INVALID, NULL},
    {"fe80::1%eth0", VALUE_INVALID, NULL},
    {"[::1]", VALUE_INVALID, NULL},
    {"::g", VALUE_INVALID, NULL},
};

static void assert_printed(const struct ip *ip, const char *want)
{
    struct buf out = {0};
    ip_print(&out, ip);
    assert_true(slice_equal(buf_content(&out), slice_from(want)));
    buf_release(&out);
}

/* The text in a piece of heap of its own size: reading behind it is found. */
static enum value_class parse_exact(struct slice text, struct ip *ip)
{
    char *copy = malloc(text.len + (text.len == 0));
    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    uint32_t v4 = 0;
    enum value_class v4_class = value_ip4(slice_of(copy, text.len), &v4);
    enum value_class class = ip_parse(slice_of(copy, text.len), ip);
    if (v4_class == VALUE_CANONICAL) {
        assert_int_equal(class, VALUE_CANONICAL);
        assert_true(ip_is_v4(ip) && ip_v4(ip) == v4);
    }
    free(copy);
    return class;
}

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ADDRESSES); i++) {
        struct ip ip;
        assert_int_equal(parse_exact(slice_from(ADDRESSES[i].text), &ip), ADDRESSES[i].class);
        if (ADDRESSES[i].class != VALUE_INVALID)
            assert_printed(&ip, ADDRESSES[i].printed);
    }
    struct ip ip;
    assert_int_equal(ip_parse(slice_of("::1\0", 4), &ip), VALUE_INVALID);
    assert_int_equal(ip_parse(slice_of("::\0001", 4), &ip), VALUE_INVALID);
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *address;
        int status;
        uint8_t bits;
        bool host_bits;
    } CASES[] = {
        {"192.0.2.0/24", "192.0.2.0", 0, 120, false},
        {"192.0.2.77/24", "192.0.2.0", 0, 120, true},
        {"192.0.2.77", "192.0.2.77", 0, 128, false},
        {"192.0.2.255/31", "192.0.2.254", 0, 127, true},
        {"0.0.0.0/0", "0.0.0.0", 0, 96, false},
        {"1.2.3.4/0", "0.0.0.0", 0, 96, true},
        {"2001:db8::/32", "2001:db8::", 0, 32, false},
        {"2001:db8:ffff::/33", "2001:db8:8000::", 0, 33, true},
        {"2001:db8::1", "2001:db8::1", 0, 128, false},
        {"::/0", "::", 0, 0, false},
        {"ffff::/1", "8000::", 0, 1, true},
        {"::ffff:192.0.2.0/120", "192.0.2.0", 0, 120, false},
        {"192.0.2.0/33", NULL, ERR_FORMAT, 0, false},
        {"2001:db8::/129", NULL, ERR_FORMAT, 0, false},
        {"192.0.2.0/", NULL, ERR_FORMAT, 0, false},
        {"192.0.2.0/-1", NULL, ERR_FORMAT, 0, false},
        {"192.0.2.0/024", NULL, ERR_FORMAT, 0, false},
        {"192.0.2.0/24/", NULL, ERR_FORMAT, 0, false},
        {"192.0.2.0/2400000000000000000", NULL, ERR_FORMAT, 0, false},
        {"192.0.2.0/255.255.255.0", NULL, ERR_FORMAT, 0, false},
        {"/24", NULL, ERR_FORMAT, 0, false},
        {"", NULL, ERR_FORMAT, 0, false},
        {"192.0.2/24", NULL, ERR_FORMAT, 0, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct network net;
        bool host_bits = false;
        assert_int_equal(network_parse(&net, slice_from(CASES[i].text), &host_bits),
                         CASES[i].status);
        if (CASES[i].status != 0)
            continue;
        assert_printed(&net.ip, CASES[i].address);
        assert_int_equal(net.prefix_bits, CASES[i].bits);
        assert_int_equal(host_bits, CASES[i].host_bits);
        assert_true(network_holds(&net, &net.ip));
    }
}

/* The masked network holds an address exactly when their first bits are the same. */
static void test_network_holds(void **state)
{
    (void)state;
    struct lines l = {.state = 3};
    for (uint32_t i = 0; i < ROUNDS / 10; i++) {
        char text[80];
        char printed[INET6_ADDRSTRLEN];
        struct ip a;
        for (size_t at = 0; at < 16; at++)
            a.bytes[at] = (uint8_t)lines_random(&l);
        struct ip b = a;
        uint32_t flipped = lines_below(&l, 128);
        b.bytes[flipped / 8] = (uint8_t)(b.bytes[flipped / 8] ^ 0x80U >> flipped % 8);
        uint32_t bits = lines_below(&l, 129);
        assert_non_null(inet_ntop(AF_INET6, a.bytes, printed, sizeof(printed)));
        (void)snprintf(text, sizeof(text), "%s/%u", printed, bits);
        struct network net;
        assert_int_equal(network_parse(&net, slice_from(text), NULL), 0);
        assert_true(network_holds(&net, &a));
        assert_int_equal(network_holds(&net, &b), flipped >= bits);
    }
}

/* A text that is nearly a value. */
static struct slice random_text(struct lines *l, struct text *t)
{
    static const char *const SEEDS[] = {"0",          "-12",           "123456789012345678",
                                        "1763715600", "1763715600123", "1763715600.123",
                                        "192.0.2.1",  "10.20.30.255",  "2001:db8::1",
                                        "::",         "1:0:0:2::3",    "::ffff:192.0.2.1"};
    static const char BYTES[] = "0123456789.:-afF0001/x\0";
    char text[TEXT_MAX] = {0};
    (void)snprintf(text, sizeof(text), "%s", SEEDS[lines_below(l, COUNT(SEEDS))]);
    size_t len = strlen(text);
    for (uint32_t edits = lines_below(l, 4); edits != 0; edits--) {
        size_t at = lines_below(l, (uint32_t)len + 1);
        char byte = BYTES[lines_below(l, sizeof(BYTES) - 1)];
        if (lines_below(l, 3) == 0 && at < len) {
            memmove(text + at, text + at + 1, len - at);
            len--;
        } else if (lines_below(l, 2) == 0 && at < len) {
            text[at] = byte;
        } else if (len + 2 < TEXT_MAX) {
            memmove(text + at + 1, text + at, len - at);
            text[at] = byte;
            len++;
        }
    }
    memset(t->bytes, '7', sizeof(t->bytes));
    memcpy(t->bytes, text, len);
    return slice_of(t->bytes, len);
}

static void check_number(struct slice text, struct buf *out)
{
    int64_t value = 0;
    enum value_class class = value_int(text, &value);
    buf_reset(out);
    buf_decimal(out, value);
    bool same = slice_equal(buf_content(out), text);
    if (class != VALUE_INVALID)
        assert_int_equal(class == VALUE_CANONICAL, same);
    enum epoch_form form = EPOCH_DIGITS;
    class = value_epoch(text, &value, &form);
    if (class == VALUE_INVALID)
        return;
    buf_reset(out);
    if (form == EPOCH_DIGITS)
        buf_decimal(out, value);
    else
        buf_printf(out, "%lld.%03lld", (long long)(value / 1000), (long long)(value % 1000));
    assert_int_equal(class == VALUE_CANONICAL, slice_equal(buf_content(out), text));
}

static void check_address(struct slice text, struct buf *out)
{
    struct ip ip;
    enum value_class class = ip_parse(text, &ip);
    if (class == VALUE_INVALID)
        return;
    buf_reset(out);
    ip_print(out, &ip);
    assert_int_equal(class == VALUE_CANONICAL, slice_equal(buf_content(out), text));
    /* What is printed is the same address, and canonical itself. */
    struct ip again;
    assert_int_equal(ip_parse(buf_content(out), &again), VALUE_CANONICAL);
    assert_memory_equal(&again, &ip, sizeof(ip));
}

static void test_canonical_prints_back(void **state)
{
    (void)state;
    struct lines l = {.state = 17};
    struct buf out = {0};
    struct text t;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct slice text = random_text(&l, &t);
        check_number(text, &out);
        check_address(text, &out);
    }
    buf_release(&out);
}

/* Random addresses: printed as inet_ntop() does, but for IPv4 and its old embeddings. */
static void test_print(void **state)
{
    (void)state;
    struct lines l = {.state = 23};
    struct buf out = {0};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct ip ip = {.bytes = {0x20, 1}};
        char want[INET6_ADDRSTRLEN];
        for (size_t at = 1; at < 8; at++) {
            bool zero = lines_below(&l, 2) == 0;
            ip.bytes[2 * at] = (uint8_t)(zero || lines_below(&l, 2) == 0 ? 0 : lines_random(&l));
            ip.bytes[2 * at + 1] = (uint8_t)(zero ? 0 : lines_random(&l));
        }
        buf_reset(&out);
        ip_print(&out, &ip);
        assert_non_null(inet_ntop(AF_INET6, ip.bytes, want, sizeof(want)));
        assert_true(slice_equal(buf_content(&out), slice_from(want)));
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int),           cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_networks),
        cmocka_unit_test(test_network_holds), cmocka_unit_test(test_canonical_prints_back),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
