/* Networks: the longest prefix wins, in both families, and like a plain search over the list. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>

#include "base/err.h"
#include "event/zone.h"
#include "tests/ingest/padded.h"

enum {
    UNTOUCHED = 42
};

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    struct slice padded = padded_copy(slice_from(text));
    assert_int_not_equal(ip_parse(padded, &ip), VALUE_INVALID);
    padded_free(padded);
    return ip;
}

static struct zone_network network_of(const char *cidr, uint16_t zone)
{
    struct zone_network entry = {.match = {.zone = zone}};
    struct slice padded = padded_copy(slice_from(cidr));
    assert_int_equal(network_parse(&entry.network, padded, NULL), 0);
    padded_free(padded);
    return entry;
}

static void test_longest_prefix(void **state)
{
    (void)state;
    const struct zone_network networks[] = {
        network_of("198.51.100.64/28", 3), network_of("198.51.100.0/24", 1),
        network_of("198.51.100.70/32", 4), network_of("198.51.100.128/25", 2),
        network_of("255.255.255.0/24", 5), network_of("0.0.0.0/8", 6),
        network_of("2001:db8::/32", 10),   network_of("2001:db8:1::/48", 11),
        network_of("ffff::/16", 12),       network_of("::/2", 13),
        network_of("203.0.113.5", 7),
    };
    static const struct {
        const char *address;
        uint16_t zone;
    } CASES[] = {
        {"198.51.99.255", 0},
        {"198.51.100.0", 1},
        {"198.51.100.63", 1},
        {"198.51.100.64", 3},
        {"198.51.100.69", 3},
        {"198.51.100.70", 4},
        {"198.51.100.71", 3},
        {"198.51.100.79", 3},
        {"198.51.100.80", 1},
        {"198.51.100.127", 1},
        {"198.51.100.128", 2},
        {"198.51.100.255", 2},
        {"198.51.101.0", 0},
        {"255.255.255.255", 5},
        {"255.255.254.255", 0},
        {"0.0.0.0", 6},
        {"0.255.255.255", 6},
        {"1.0.0.0", 0},
        {"203.0.113.4", 0},
        {"203.0.113.5", 7},
        {"203.0.113.6", 0},
        {"2001:db8::1", 10},
        {"2001:db8:1::", 11},
        {"2001:db8:1:ffff:ffff:ffff:ffff:ffff", 11},
        {"2001:db8:2::", 10},
        {"2001:db9::", 13},
        {"::", 13},
        {"::1", 13},
        {"4000::", 0},
        {"fffe::1", 0},
        {"ffff::1", 12},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 12},
        {"::ffff:198.51.100.70", 4},
        {"::ffff:192.0.2.1", 0},
    };
    struct zone_table *table = NULL;
    size_t bad = UNTOUCHED;
    size_t count = sizeof(networks) / sizeof(networks[0]);
    assert_int_equal(zone_table_new(&table, networks, count, &bad), 0);
    assert_int_equal(bad, UNTOUCHED);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ip ip = ip_of(CASES[i].address);
        assert_int_equal(zone_find(table, &ip).zone, CASES[i].zone);
    }
    zone_table_free(table);
}

static void test_everything_about_a_network(void **state)
{
    (void)state;
    struct zone_network network = network_of("0.0.0.0/0", 9);
    network.match.asset = 7;
    network.match.excluded = true;
    struct zone_table *table = NULL;
    size_t bad = UNTOUCHED;
    assert_int_equal(zone_table_new(&table, &network, 1, &bad), 0);
    struct ip inside = ip_of("255.255.255.255");
    struct ip outside = ip_of("2001:db8::1");
    struct zone_match match = zone_find(table, &inside);
    assert_int_equal(match.zone, 9);
    assert_int_equal(match.asset, 7);
    assert_true(match.excluded);
    match = zone_find(table, &outside);
    assert_int_equal(match.zone, 0);
    assert_int_equal(match.asset, 0);
    assert_false(match.excluded);
    zone_table_free(table);
}

static void test_tables_that_are_refused(void **state)
{
    (void)state;
    const struct zone_network networks[] = {
        network_of("198.51.100.0/24", 1), network_of("2001:db8::/32", 2),
        network_of("198.51.100.9/24", 3), /* the same network once its host bits are gone */
    };
    struct zone_table *table = NULL;
    size_t bad = UNTOUCHED;
    assert_int_equal(zone_table_new(&table, networks, 3, &bad), ERR_CONF);
    assert_int_equal(bad, 2);
    assert_null(table);
    assert_int_equal(zone_table_new(&table, networks, ZONE_NETWORKS_MAX + 1UL, &bad), ERR_RANGE);
    assert_int_equal(zone_table_new(&table, NULL, 0, &bad), 0);
    struct ip ip = ip_of("198.51.100.1");
    assert_int_equal(zone_find(table, &ip).zone, 0);
    zone_table_free(table);
    zone_table_free(NULL);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* An address where few bits vary, so that networks nest and meet. */
static struct ip random_ip(uint32_t *random)
{
    static const uint8_t BYTES[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct ip ip = {0};
    bool v4 = next_random(random) % 2 == 0;
    for (size_t i = 0; i < sizeof(ip.bytes); i++)
        ip.bytes[i] = BYTES[next_random(random) % 5];
    if (v4) {
        uint32_t address = 0;
        memcpy(&address, ip.bytes + 12, 4);
        ip = ip_from_v4(address);
    }
    return ip;
}

static uint16_t naive(const struct zone_network *networks, size_t count, const struct ip *ip)
{
    uint16_t zone = 0;
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        const struct network *net = &networks[i].network;
        bool v4_network = ip_is_v4(&net->ip) && net->prefix_bits >= 96;
        if (v4_network != ip_is_v4(ip) || !network_holds(net, ip) || net->prefix_bits <= best)
            continue;
        best = net->prefix_bits;
        zone = networks[i].match.zone;
    }
    return zone;
}

static void mask(struct network *net)
{
    for (unsigned bit = net->prefix_bits; bit < 128; bit++)
        net->ip.bytes[bit / 8] = (uint8_t)(net->ip.bytes[bit / 8] & ~(0x80U >> (bit % 8)));
}

static void test_like_a_plain_search(void **state)
{
    (void)state;
    enum {
        NETWORKS = 40
    };
    uint32_t random = 7;
    for (int round = 0; round < 200; round++) {
        struct zone_network networks[NETWORKS] = {0};
        size_t count = 0;
        while (count < NETWORKS) {
            struct network net = {.ip = random_ip(&random)};
            unsigned bits = next_random(&random) % 129;
            net.prefix_bits = (uint8_t)(ip_is_v4(&net.ip) ? 96 + bits % 33 : bits);
            mask(&net);
            bool twice = false;
            for (size_t i = 0; i < count; i++)
                twice = twice || (networks[i].network.prefix_bits == net.prefix_bits &&
                                  memcmp(&networks[i].network.ip, &net.ip, sizeof(net.ip)) == 0);
            if (twice)
                continue;
            networks[count].network = net;
            networks[count].match.zone = (uint16_t)(count + 1);
            count++;
        }
        struct zone_table *table = NULL;
        size_t bad = 0;
        assert_int_equal(zone_table_new(&table, networks, count, &bad), 0);
        for (int probe = 0; probe < 200; probe++) {
            struct ip ip = probe < NETWORKS ? networks[probe].network.ip : random_ip(&random);
            assert_int_equal(zone_find(table, &ip).zone, naive(networks, count, &ip));
        }
        zone_table_free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_prefix),
        cmocka_unit_test(test_everything_about_a_network),
        cmocka_unit_test(test_tables_that_are_refused),
        cmocka_unit_test(test_like_a_plain_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
