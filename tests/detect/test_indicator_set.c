/* A set of lists: what hits, why, until when, and that it agrees with a plain comparison. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/indicator_set.h"

enum {
    NOW_NS = 1000,
    LISTS = 12,
    RANDOM_ROUNDS = 60,
    RANDOM_PROBES = 400,
};

static bool is_jp(const void *context, const char *name)
{
    const char *suffix = context;
    return strcmp(name, suffix) == 0;
}

static struct indicator_set *set_of(const struct indicator_source *sources, size_t count,
                                    struct diag *diag)
{
    const struct indicator_suffixes suffixes = {.is_suffix = is_jp, .context = "co.jp"};
    struct indicator_set *set = NULL;
    assert_int_equal(indicator_set_new(&set, sources, count, &suffixes, diag), 0);
    return set;
}

static struct indicator_source list_of(const char *content, enum indicator_type type)
{
    return (struct indicator_source){.name = SLICE("feed"),
                                     .version = SLICE("1a2b"),
                                     .content = slice_from(content),
                                     .path = "feed.txt",
                                     .type = type,
                                     .expires_ns = INT64_MAX};
}

/* One list that must be read without a finding. */
static struct indicator_set *set_of_text(const char *content, enum indicator_type type)
{
    struct diag diag = {0};
    struct indicator_source source = list_of(content, type);
    struct indicator_set *set = set_of(&source, 1, &diag);
    if (diag.count != 0)
        print_error("%s", diag_text(&diag));
    assert_int_equal(diag.count, 0);
    diag_release(&diag);
    return set;
}

static struct ip ip_of(const char *text)
{
    char padded[VALUE_IP_TEXT_MAX + SLICE_PADDING_BYTES] = {0};
    struct ip ip = {0};
    size_t len = strlen(text);
    assert_true(len <= VALUE_IP_TEXT_MAX);
    memcpy(padded, text, len + 1);
    assert_int_not_equal(ip_parse(slice_of(padded, len), &ip), VALUE_INVALID);
    return ip;
}

/* The entry that was hit, "" for none. */
static void expect(const struct indicator_set *set, uint32_t handle, const char *expected)
{
    struct indicator_info info = {0};
    if (handle != 0)
        indicator_describe(&info, set, handle, NOW_NS);
    if (!slice_equal(info.text, slice_from(expected)))
        print_error("\"%.*s\", not \"%s\"\n", (int)info.text.len, info.text.data, expected);
    assert_true(slice_equal(info.text, slice_from(expected)));
}

static void expect_address(const struct indicator_set *set, const char *text, uint16_t port,
                           const char *expected)
{
    struct ip ip = ip_of(text);
    expect(set, indicator_find_address(set, &ip, port, NOW_NS), expected);
}

static void expect_domain(const struct indicator_set *set, const char *host, const char *expected)
{
    expect(set, indicator_find_domain(set, slice_from(host), NOW_NS), expected);
}

static void expect_url(const struct indicator_set *set, const char *url, const char *expected)
{
    expect(set, indicator_find_url(set, slice_from(url), NOW_NS), expected);
}

static void test_addresses(void **state)
{
    (void)state;
    struct indicator_set *set = set_of_text("192.0.2.7\n192.0.2.7:8080\n192.0.2.9:53\n"
                                            "198.51.100.0/24\n198.51.100.64/26\n198.51.0.0/16\n"
                                            "2001:db8::1\n2001:db8:1::/48\n[2001:db8::2]:443\n",
                                            INDICATOR_TYPE_AUTO);
    expect_address(set, "192.0.2.7", 0, "192.0.2.7");
    expect_address(set, "192.0.2.7", 80, "192.0.2.7");
    expect_address(set, "192.0.2.7", 8080, "192.0.2.7:8080");
    expect_address(set, "::ffff:192.0.2.7", 8080, "192.0.2.7:8080");
    expect_address(set, "192.0.2.8", 8080, "");
    expect_address(set, "192.0.2.9", 53, "192.0.2.9:53");
    expect_address(set, "192.0.2.9", 54, "");
    expect_address(set, "192.0.2.9", 0, "");
    expect_address(set, "198.51.100.63", 1, "198.51.100.0/24");
    expect_address(set, "198.51.100.64", 1, "198.51.100.64/26");
    expect_address(set, "198.51.100.127", 1, "198.51.100.64/26");
    expect_address(set, "198.51.100.128", 1, "198.51.100.0/24");
    expect_address(set, "198.51.101.0", 1, "198.51.0.0/16");
    expect_address(set, "198.52.0.0", 1, "");
    expect_address(set, "198.50.255.255", 1, "");
    expect_address(set, "2001:db8::1", 1, "2001:db8::1");
    expect_address(set, "2001:db8::2", 1, "");
    expect_address(set, "2001:db8::2", 443, "[2001:db8::2]:443");
    expect_address(set, "2001:db8:1:ffff::", 1, "2001:db8:1::/48");
    expect_address(set, "2001:db8:2::", 1, "");
    indicator_set_free(set);
}

static void test_domains(void **state)
{
    (void)state;
    struct indicator_set *set = set_of_text("evil.example\nsub.evil.example\ncity.example.co.jp\n"
                                            "例え.example\n",
                                            INDICATOR_TYPE_DOMAIN);
    expect_domain(set, "evil.example", "evil.example");
    expect_domain(set, "EVIL.Example.", "evil.example");
    expect_domain(set, "www.evil.example", "evil.example");
    expect_domain(set, "a.b.c.d.e.f.g.evil.example", "evil.example");
    expect_domain(set, "sub.evil.example", "sub.evil.example");
    expect_domain(set, "x.sub.evil.example", "sub.evil.example");
    expect_domain(set, "notevil.example", "");
    expect_domain(set, "evil.example.com", "");
    expect_domain(set, "example", "");
    expect_domain(set, "co.jp", "");
    expect_domain(set, "example.co.jp", "");
    expect_domain(set, "city.example.co.jp", "city.example.co.jp");
    expect_domain(set, "WWW.例え.example", "xn--r8jz45g.example");
    expect_domain(set, "xn--r8jz45g.example", "xn--r8jz45g.example");
    expect_domain(set, "", "");
    expect_domain(set, ".", "");
    expect_domain(set, "..", "");
    expect_domain(set, "192.0.2.7", "");
    char deep[400];
    memset(deep, 'a', sizeof(deep));
    for (size_t i = 1; i < sizeof(deep); i += 2)
        deep[i] = '.';
    assert_int_equal(indicator_find_domain(set, slice_of(deep, 253), NOW_NS), 0);
    assert_int_equal(indicator_find_domain(set, slice_of(deep, sizeof(deep)), NOW_NS), 0);
    const struct slice evil = SLICE("evil.example");
    memcpy(deep + 252 - evil.len, evil.data, evil.len);
    expect(set, indicator_find_domain(set, slice_of(deep, 252), NOW_NS), "evil.example");
    indicator_set_free(set);
}

static void test_urls(void **state)
{
    (void)state;
    struct indicator_set *set =
        set_of_text("http://evil.example/a\nhttp://evil.example/a?x=1\nevil.example/b?y=%7e\n"
                    "host.example:8080\nhttp://192.0.2.7/x\nhttp://[2001:db8::1]/x\n/gate/in.php\n",
                    INDICATOR_TYPE_PATH);
    expect_url(set, "http://evil.example/a", "evil.example/a");
    expect_url(set, "https://EVIL.example:443/a#part", "evil.example/a");
    expect_url(set, "evil.example/a?q", "evil.example/a");
    expect_url(set, "http://user@evil.example/a?x=1", "evil.example/a?x=1");
    expect_url(set, "http://evil.example/%61?x=%31", "evil.example/a?x=1");
    expect_url(set, "http://evil.example/A", "");
    expect_url(set, "http://evil.example/a/", "");
    expect_url(set, "http://www.evil.example/a", "");
    expect_url(set, "http://evil.example:8080/a", "");
    expect_url(set, "http://evil.example/b", "");
    expect_url(set, "http://evil.example/b?y=~", "evil.example/b?y=~");
    expect_url(set, "http://evil.example/", "");
    expect_url(set, "http://host.example:8080/any/thing?x", "host.example:8080");
    expect_url(set, "host.example:8080", "host.example:8080");
    expect_url(set, "http://host.example/any", "");
    expect_url(set, "http://192.0.2.7/x", "192.0.2.7/x");
    expect_url(set, "http://[2001:DB8::1]:80/x", "[2001:db8::1]/x");
    expect_url(set, "http://other.example/gate/in.php?a=b", "/gate/in.php");
    expect_url(set, "/gate/in.php", "/gate/in.php");
    expect_url(set, "/gate/in.php5", "");
    expect_url(set, "", "");
    expect_url(set, "://", "");
    const struct indicator_url v6 = {
        .host = SLICE("2001:db8::1"), .path = SLICE("/x"), .port = 443};
    expect(set, indicator_find_url_parts(set, &v6, NOW_NS), "[2001:db8::1]/x");
    const struct indicator_url tunnel = {.host = SLICE("host.example"), .port = 8080};
    expect(set, indicator_find_url_parts(set, &tunnel, NOW_NS), "host.example:8080");
    const struct indicator_url query = {
        .host = SLICE("evil.example"), .path = SLICE("/a"), .query = SLICE("x=1")};
    expect(set, indicator_find_url_parts(set, &query, NOW_NS), "evil.example/a?x=1");
    indicator_set_free(set);
}

/* A query that is too long to be looked up must not hide the entry without one. */
static void test_long_urls(void **state)
{
    (void)state;
    struct indicator_set *set = set_of_text("http://evil.example/a\n", INDICATOR_TYPE_URL);
    struct buf url = {0};
    buf_text(&url, "http://evil.example/a?");
    for (int i = 0; i < 100000; i++)
        buf_byte(&url, ' ');
    expect(set, indicator_find_url(set, buf_content(&url), NOW_NS), "evil.example/a");
    memset(url.data + 20, '/', url.len - 20);
    expect(set, indicator_find_url(set, buf_content(&url), NOW_NS), "");
    buf_release(&url);
    indicator_set_free(set);
}

static void test_agents(void **state)
{
    (void)state;
    struct indicator_set *set = set_of_text("EvilBot/1.0 (x)\n", INDICATOR_TYPE_AGENT);
    expect(set, indicator_find_agent(set, SLICE("evilbot/1.0 (X)"), NOW_NS), "evilbot/1.0 (x)");
    expect(set, indicator_find_agent(set, SLICE("evilbot/1.0"), NOW_NS), "");
    expect(set, indicator_find_agent(set, SLICE(""), NOW_NS), "");
    struct buf big = {0};
    for (int i = 0; i < 5000; i++)
        buf_byte(&big, 'x');
    expect(set, indicator_find_agent(set, buf_content(&big), NOW_NS), "");
    buf_release(&big);
    indicator_set_free(set);
}

static void test_empty_set(void **state)
{
    (void)state;
    struct indicator_set *set = set_of(NULL, 0, NULL);
    expect_address(set, "192.0.2.7", 80, "");
    expect_domain(set, "evil.example", "");
    expect_url(set, "http://evil.example/x", "");
    assert_int_equal(indicator_find_agent(set, SLICE("x"), NOW_NS), 0);
    assert_int_equal(indicator_set_entries(set), 0);
    assert_int_equal(indicator_set_lists(set), 0);
    indicator_set_free(set);
    indicator_set_free(NULL);
}

static void test_feeds_and_expiry(void **state)
{
    (void)state;
    struct indicator_source sources[3] = {
        list_of("a.example\nb.example\na.example\nwww.a.example\n198.51.100.0/24\n", 0),
        list_of("value,expires\na.example,1970-01-01T00:00:05Z\n"
                "a.example,1970-01-01T00:00:09Z\na.example,1970-01-01T00:00:07Z\n",
                0),
        list_of("198.51.0.0/16\na.example\n", 0),
    };
    sources[0].name = SLICE("first");
    sources[0].expires_ns = 3 * CLOCK_NS_PER_SECOND;
    sources[1].name = SLICE("second");
    sources[1].format = INDICATOR_FORMAT_CSV;
    sources[1].version = SLICE("");
    sources[2].name = SLICE("third");
    sources[2].expires_ns = 7 * CLOCK_NS_PER_SECOND;
    struct diag diag = {0};
    struct indicator_set *set = set_of(sources, 3, &diag);
    assert_int_equal(diag.count, 0);
    assert_int_equal(indicator_set_entries(set), 5);
    struct indicator_counts counts = indicator_set_counts(set, 0);
    assert_int_equal(counts.added, 4);
    assert_int_equal(counts.repeated, 1);
    counts = indicator_set_counts(set, 1);
    assert_int_equal(counts.shared, 1);
    assert_int_equal(counts.repeated, 2);
    counts = indicator_set_counts(set, 2);
    assert_int_equal(counts.added, 1);
    assert_int_equal(counts.shared, 1);

    struct indicator_info info;
    uint32_t a = indicator_find_domain(set, SLICE("a.example"), NOW_NS);
    indicator_describe(&info, set, a, NOW_NS);
    assert_int_equal(info.kind, INDICATOR_DOMAIN);
    assert_int_equal(info.feed_count, 3);
    assert_true(slice_equal(info.feeds[0].name, SLICE("first")));
    assert_true(slice_equal(info.feeds[0].version, SLICE("1a2b")));
    assert_int_equal(info.feeds[0].expires_ns, 3 * CLOCK_NS_PER_SECOND);
    assert_true(slice_equal(info.feeds[1].name, SLICE("second")));
    assert_int_equal(info.feeds[1].version.len, 0);
    assert_int_equal(info.feeds[1].expires_ns, 9 * CLOCK_NS_PER_SECOND);
    indicator_describe(&info, set, a, 7 * CLOCK_NS_PER_SECOND);
    assert_int_equal(info.feed_count, 1);
    assert_true(slice_equal(info.feeds[0].name, SLICE("second")));
    assert_true(indicator_is_live(set, a, 9 * CLOCK_NS_PER_SECOND - 1));
    assert_false(indicator_is_live(set, a, 9 * CLOCK_NS_PER_SECOND));

    /* What is more specific but gone leaves the answer to what is wider. */
    struct slice www = SLICE("www.a.example");
    expect(set, indicator_find_domain(set, www, NOW_NS), "www.a.example");
    uint32_t wider = indicator_find_domain(set, www, 3 * CLOCK_NS_PER_SECOND);
    assert_int_equal(wider, a);
    assert_int_equal(indicator_find_domain(set, www, 9 * CLOCK_NS_PER_SECOND), 0);
    struct ip ip = ip_of("198.51.100.1");
    uint32_t network = indicator_find_address(set, &ip, 1, 3 * CLOCK_NS_PER_SECOND);
    indicator_describe(&info, set, network, 3 * CLOCK_NS_PER_SECOND);
    assert_true(slice_equal(info.text, SLICE("198.51.0.0/16")));
    assert_int_equal(indicator_find_address(set, &ip, 1, 7 * CLOCK_NS_PER_SECOND), 0);
    indicator_set_free(set);
    diag_release(&diag);
}

/* More feeds than are told: the rest is counted, and its expiry still holds. */
static void test_many_feeds(void **state)
{
    (void)state;
    struct indicator_source sources[LISTS];
    struct diag diag = {0};
    for (size_t i = 0; i < LISTS; i++) {
        sources[i] = list_of("a.example\na.example\n", 0);
        sources[i].expires_ns = (int64_t)(i + 1) * CLOCK_NS_PER_SECOND;
    }
    struct indicator_set *set = set_of(sources, LISTS, &diag);
    struct indicator_info info;
    uint32_t a = indicator_find_domain(set, SLICE("a.example"), 0);
    indicator_describe(&info, set, a, 0);
    assert_int_equal(info.feed_count, INDICATOR_FEEDS_MAX);
    assert_int_equal(info.feeds_more, LISTS - INDICATOR_FEEDS_MAX);
    assert_true(indicator_is_live(set, a, LISTS * CLOCK_NS_PER_SECOND - 1));
    assert_false(indicator_is_live(set, a, LISTS * CLOCK_NS_PER_SECOND));
    for (size_t i = 1; i < LISTS; i++) {
        assert_int_equal(indicator_set_counts(set, i).shared, 1);
        assert_int_equal(indicator_set_counts(set, i).repeated, 1);
    }
    indicator_set_free(set);
    diag_release(&diag);
}

static void test_findings(void **state)
{
    (void)state;
    struct buf text = {0};
    struct diag diag = {0};
    buf_text(&text, "a.example\nco.jp\n0.0.0.0/0\nexample.co.jp\n");
    for (int i = 0; i < 296; i++)
        buf_printf(&text, "n%d.example\n", i);
    struct indicator_source source = list_of(buf_string(&text), 0);
    struct indicator_set *set = set_of(&source, 1, &diag);
    assert_string_equal(
        diag_text(&diag),
        "feed.txt:2:1: co.jp: a public suffix: everybody's names are below it; name the domain\n"
        "feed.txt:3:1: 0.0.0.0/0: a network wider than /8 would match everywhere; name smaller ones\n");
    assert_int_equal(indicator_set_counts(set, 0).refused, 2);
    assert_int_equal(indicator_set_counts(set, 0).lines, 300);
    expect_domain(set, "a.example", "a.example");
    expect_domain(set, "co.jp", "");
    indicator_set_free(set);
    diag_release(&diag);

    /* Many: the first ones are told, and that there are many. */
    buf_reset(&text);
    for (int i = 0; i < 150; i++)
        buf_text(&text, "no name\n");
    buf_text(&text, "a.example\n");
    source = list_of(buf_string(&text), 0);
    set = set_of(&source, 1, &diag);
    assert_int_equal(diag.count, INDICATOR_FINDINGS_MAX + 1);
    assert_non_null(strstr(diag_text(&diag),
                           "list feed: 150 of 151 lines refused, 20 of them shown "
                           "above; MANY"));
    expect_domain(set, "a.example", "a.example");
    indicator_set_free(set);
    diag_release(&diag);
    buf_release(&text);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* Names and networks of few parts, so that they meet and nest. */
static void random_name(struct buf *out, uint32_t *random)
{
    static const char *const LABELS[] = {"a", "b", "www", "evil"};
    for (uint32_t n = next_random(random) % 4; n > 0; n--)
        buf_printf(out, "%s.", LABELS[next_random(random) % 4]);
    buf_printf(out, "%s.example", LABELS[next_random(random) % 4]);
}

static void random_network(struct buf *out, uint32_t *random)
{
    if (next_random(random) % 2 == 0) {
        buf_printf(out, "198.51.%u.%u/%u", next_random(random) % 4, next_random(random) % 8 * 32,
                   12 + next_random(random) % 21);
    } else {
        buf_printf(out, "2001:db8:%x::%x/%u", next_random(random) % 4, next_random(random) % 4,
                   28 + next_random(random) % 101);
    }
}

static size_t line_length(struct slice list)
{
    const char *newline = memchr(list.data, '\n', list.len);
    assert_non_null(newline);
    return (size_t)(newline - list.data);
}

/* The longest listed name that is the host or ends it after a dot. */
static struct slice naive_domain(struct slice list, struct slice host)
{
    struct slice best = SLICE("");
    while (list.len != 0) {
        size_t len = line_length(list);
        struct slice name = slice_of(list.data, len);
        size_t from = host.len - len;
        if (len <= host.len && len > best.len && slice_equal(slice_from_offset(host, from), name) &&
            (from == 0 || host.data[from - 1] == '.'))
            best = name;
        list = slice_from_offset(list, len + 1);
    }
    return best;
}

static void test_names_like_a_plain_search(void **state)
{
    (void)state;
    uint32_t random = 3;
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        struct buf list = {0};
        struct buf host = {0};
        for (uint32_t i = 0; i < 1 + next_random(&random) % 30; i++) {
            random_name(&list, &random);
            buf_byte(&list, '\n');
        }
        struct indicator_set *set = set_of_text(buf_string(&list), INDICATOR_TYPE_DOMAIN);
        for (int i = 0; i < RANDOM_PROBES; i++) {
            buf_reset(&host);
            random_name(&host, &random);
            struct slice best = naive_domain(buf_content(&list), buf_content(&host));
            struct buf text = {0};
            buf_slice(&text, best);
            expect_domain(set, buf_string(&host), buf_string(&text));
            buf_release(&text);
        }
        indicator_set_free(set);
        buf_release(&host);
        buf_release(&list);
    }
}

/* Length of the narrowest listed network that holds the address, -1 for none. */
static int naive_network(struct slice list, const struct ip *ip)
{
    int best = -1;
    while (list.len != 0) {
        size_t len = line_length(list);
        struct network net;
        assert_int_equal(network_parse(&net, slice_of(list.data, len), NULL), 0);
        if (network_holds(&net, ip) && net.prefix_bits > best)
            best = net.prefix_bits;
        list = slice_from_offset(list, len + 1);
    }
    return best;
}

static void test_networks_like_a_plain_search(void **state)
{
    (void)state;
    uint32_t random = 5;
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        struct buf list = {0};
        for (uint32_t i = 0; i < 1 + next_random(&random) % 40; i++) {
            random_network(&list, &random);
            buf_byte(&list, '\n');
        }
        struct indicator_set *set = set_of_text(buf_string(&list), INDICATOR_TYPE_NETWORK);
        for (int i = 0; i < RANDOM_PROBES; i++) {
            char text[64];
            if (next_random(&random) % 2 == 0) {
                (void)snprintf(text, sizeof(text), "198.51.%u.%u", next_random(&random) % 5,
                               next_random(&random) % 256);
            } else {
                (void)snprintf(text, sizeof(text), "2001:db8:%x::%x", next_random(&random) % 5,
                               next_random(&random) % 5);
            }
            struct ip ip = ip_of(text);
            int expected = naive_network(buf_content(&list), &ip);
            uint32_t handle = indicator_find_address(set, &ip, 0, NOW_NS);
            assert_int_equal(handle != 0, expected >= 0);
            if (handle == 0)
                continue;
            struct indicator_info info;
            indicator_describe(&info, set, handle, NOW_NS);
            struct network net;
            assert_int_equal(network_parse(&net, info.text, NULL), 0);
            assert_int_equal(net.prefix_bits, expected);
            assert_true(network_holds(&net, &ip));
        }
        indicator_set_free(set);
        buf_release(&list);
    }
}

/* Enough entries that slots collide, and lists mostly of repetitions, whose slots are made anew. */
static void test_many_entries(void **state)
{
    (void)state;
    enum {
        NAMES = 30000
    };
    struct buf text = {0};
    for (int i = 0; i < NAMES; i++)
        buf_printf(&text, "n%d.example\n198.51.%d.%d:%d\nhttp://h%d.example/p%d\n", i, i >> 8 & 255,
                   i & 255, 1 + i, i % 100, i);
    struct indicator_source sources[3];
    struct diag diag = {0};
    for (size_t i = 0; i < 3; i++)
        sources[i] = list_of(buf_string(&text), 0);
    struct indicator_set *set = set_of(sources, 3, &diag);
    assert_int_equal(diag.count, 0);
    assert_int_equal(indicator_set_entries(set), 3 * NAMES);
    assert_int_equal(indicator_set_counts(set, 2).shared, 3 * NAMES);
    assert_in_range(indicator_set_bytes(set) / indicator_set_entries(set), 16, 64);
    for (int i = 0; i < 2 * NAMES; i++) {
        char name[64];
        bool listed = i < NAMES;
        (void)snprintf(name, sizeof(name), "x.n%d.example", i);
        assert_int_equal(indicator_find_domain(set, slice_from(name), NOW_NS) != 0, listed);
        (void)snprintf(name, sizeof(name), "http://h%d.example/p%d?q", i % 100, i);
        assert_int_equal(indicator_find_url(set, slice_from(name), NOW_NS) != 0, listed);
        struct ip ip = ip_from_v4(UINT32_C(0xc6330000) + (uint32_t)(i & 0xffff));
        uint16_t port = (uint16_t)(1 + i);
        bool pair = listed && port == 1 + (i & 0xffff);
        assert_int_equal(indicator_find_address(set, &ip, port, NOW_NS) != 0, pair);
    }
    indicator_set_free(set);
    buf_release(&text);
    diag_release(&diag);
}

static void test_lists_that_cannot_be_read(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct indicator_set *set = NULL;
    struct indicator_source source = list_of("seen,by\n", 0);
    source.format = INDICATOR_FORMAT_CSV;
    assert_int_equal(indicator_set_new(&set, &source, 1, NULL, &diag), ERR_CONF);
    assert_null(set);
    assert_int_equal(diag.count, 1);
    assert_int_equal(indicator_set_new(&set, &source, INDICATOR_LISTS_MAX + 1, NULL, &diag),
                     ERR_RANGE);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_long_urls),
        cmocka_unit_test(test_agents),
        cmocka_unit_test(test_empty_set),
        cmocka_unit_test(test_feeds_and_expiry),
        cmocka_unit_test(test_many_feeds),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_names_like_a_plain_search),
        cmocka_unit_test(test_networks_like_a_plain_search),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_lists_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
