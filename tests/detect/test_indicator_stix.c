/* STIX bundles to entries: patterns by their alternatives, and what is counted or bad. */
#include "tests/detect/feed_entries.h"

#define BUNDLE(objects) \
    "{\"type\": \"bundle\", \"id\": \"bundle--1\", \"objects\": [\n" objects "]}"
#define INDICATOR(more) \
    "{\"type\": \"indicator\", \"id\": \"indicator--7\", \"pattern_type\": \"stix\", " more "}"

static void check(const char *content, const char *expected)
{
    feed_check(INDICATOR_FORMAT_STIX, content, expected);
}

/* A pattern as one indicator; quotes and backslashes of JSON are added. */
static void check_pattern(const char *pattern, const char *expected)
{
    struct buf text = {0};
    buf_text(&text,
             "{\"type\": \"bundle\", \"objects\": [{\"type\": \"indicator\", \"pattern\": \"");
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '\\' || *p == '"')
            buf_byte(&text, '\\');
        buf_byte(&text, *p);
    }
    buf_text(&text, "\"}]}");
    check(buf_string(&text), expected);
    buf_release(&text);
}

static void test_single(void **state)
{
    (void)state;
    check_pattern("[ipv4-addr:value = '192.0.2.7']", "1 address 192.0.2.7\n");
    check_pattern("[ipv4-addr:value='192.0.2.7/32']", "1 address 192.0.2.7\n");
    check_pattern("[ipv4-addr:value == '198.51.100.0/24']", "1 network 198.51.100.0/24\n");
    check_pattern("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", "1 network 198.51.100.0/24\n");
    check_pattern("[ipv6-addr:value = '2001:db8::7']", "1 address 2001:db8::7\n");
    check_pattern("[domain-name:value = 'Evil.example']", "1 domain evil.example\n");
    check_pattern("[url:value = 'http://evil.example/a?b=\\'1\\'']",
                  "1 url evil.example/a?b='1'\n");
    check_pattern("[network-traffic:dst_ref.value = '192.0.2.7']", "1 address 192.0.2.7\n");
    check_pattern("[network-traffic:dst_ref.value ISSUBSET '192.0.2.0/24']",
                  "1 network 192.0.2.0/24\n");
    check_pattern("[network-traffic:dst_ref.value = 'evil.example']", "1 domain evil.example\n");
    check_pattern(
        "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'EvilBot/1']",
        "1 agent evilbot/1\n");
    check_pattern("  ( [ (ipv4-addr:value = '192.0.2.7') ] )", "1 address 192.0.2.7\n");
}

static void test_alternatives(void **state)
{
    (void)state;
    check_pattern("[ipv4-addr:value = '192.0.2.7' OR domain-name:value = 'a.example']",
                  "1 address 192.0.2.7\n1 domain a.example\n");
    check_pattern("[domain-name:value IN ('a.example', 'b.example','c.example')]",
                  "1 domain a.example\n1 domain b.example\n1 domain c.example\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7'] OR [url:value = 'http://a.example/x']",
                  "1 address 192.0.2.7\n1 url a.example/x\n");
    check_pattern(
        "[domain-name:value = 'a.example' OR file:hashes.MD5 = '00' OR domain-name:value = 'b.example']",
        "1 domain a.example\n1 ~file:hashes.MD5\n1 domain b.example\n");
}

static void test_ports(void **state)
{
    (void)state;
    check_pattern(
        "[network-traffic:dst_ref.value = '192.0.2.7' AND network-traffic:dst_port = 8080]",
        "1 address_port 192.0.2.7:8080\n");
    check_pattern("[network-traffic:dst_port = '8080' AND ipv4-addr:value = '192.0.2.7']",
                  "1 address_port 192.0.2.7:8080\n");
    check_pattern(
        "[network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:dst_ref.value = '2001:db8::7' "
        "AND network-traffic:dst_port = 53]",
        "1 address_port [2001:db8::7]:53\n");
    check_pattern(
        "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.7']",
        "1 address 192.0.2.7\n");
    check_pattern(
        "[network-traffic:dst_ref.value = 'evil.example' AND network-traffic:dst_port = 8443]",
        "1 url evil.example:8443\n");
    /* AND binds closer than OR; parentheses multiply. */
    check_pattern(
        "[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.2' AND network-traffic:dst_port = 25]",
        "1 address 192.0.2.1\n1 address_port 192.0.2.2:25\n");
    check_pattern(
        "[(ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.2') AND network-traffic:dst_port IN (25, 26)]",
        "1 address_port 192.0.2.1:25\n1 address_port 192.0.2.1:26\n"
        "1 address_port 192.0.2.2:25\n1 address_port 192.0.2.2:26\n");
    check_pattern(
        "[network-traffic:dst_ref.value ISSUBSET '192.0.2.0/24' AND network-traffic:dst_port = 25]",
        "1 !a network with a port; leave the port out\n");
}

/* Nothing that needs more than one value becomes an entry for a part of it. */
static void test_unsupported(void **state)
{
    (void)state;
    check_pattern("[ipv4-addr:value = '192.0.2.7' AND domain-name:value = 'a.example']",
                  "1 ~AND of several values\n");
    check_pattern("[file:hashes.'SHA-256' = 'aa' AND domain-name:value = 'a.example']",
                  "1 ~file:hashes.SHA-256\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7'] AND [domain-name:value = 'a.example']",
                  "1 ~AND of observations\n");
    check_pattern(
        "[ipv4-addr:value = '192.0.2.7'] FOLLOWEDBY [domain-name:value = 'a.example'] OR [url:value = 'http://a.example/']",
        "1 ~FOLLOWEDBY\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7'] REPEATS 5 TIMES WITHIN 300 SECONDS",
                  "1 ~WITHIN\n");
    check_pattern(
        "[ipv4-addr:value = '192.0.2.7'] START t'2026-11-21T00:00:00Z' STOP t'2026-11-22T00:00:00Z'",
        "1 ~START ... STOP\n");
    check_pattern("[ipv4-addr:value != '192.0.2.7']", "1 ~ipv4-addr:value !=\n");
    check_pattern("[ipv4-addr:value NOT = '192.0.2.7']", "1 ~ipv4-addr:value NOT =\n");
    check_pattern("[domain-name:value LIKE '%.example']", "1 ~domain-name:value LIKE\n");
    check_pattern("[domain-name:value MATCHES '^e']", "1 ~domain-name:value MATCHES\n");
    check_pattern("[domain-name:value ISSUBSET 'a.example']", "1 ~domain-name:value ISSUBSET\n");
    check_pattern("[domain-name:value NOT IN ('a.example', 'b.example')]",
                  "1 ~domain-name:value NOT IN\n");
    check_pattern("[EXISTS url:value]", "1 ~url:value EXISTS\n");
    check_pattern("[network-traffic:src_ref.value = '192.0.2.7']",
                  "1 ~network-traffic:src_ref.value\n");
    check_pattern("[network-traffic:dst_port = 4444]", "1 ~network-traffic:dst_port\n");
    check_pattern("[network-traffic:protocols[*] = 'tcp']", "1 ~network-traffic:protocols[*]\n");
    check_pattern("[x-custom:size > 1.5 OR x-custom:on = true]",
                  "1 ~x-custom:size\n1 ~x-custom:on\n");
}

static void test_broken_patterns(void **state)
{
    (void)state;
    check_pattern("ipv4-addr:value = '192.0.2.7'",
                  "1 !a [ is missing here in its pattern (byte 1 of it)\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7'",
                  "1 !a bracket of its pattern is not closed (byte 31 of it)\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7",
                  "1 !a value is missing here in its pattern (byte 20 of it)\n");
    check_pattern(
        "[ipv4-addr:value]",
        "1 !an operator (=, IN, ISSUBSET, ...) is missing here in its pattern (byte 17 of it)\n");
    check_pattern(
        "[]", "1 !a path (ipv4-addr:value, ...) is missing here in its pattern (byte 2 of it)\n");
    check_pattern("[(ipv4-addr:value = '192.0.2.7']",
                  "1 !a bracket of its pattern is closed that was not opened (byte 32 of it)\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7')]",
                  "1 !a bracket of its pattern is closed that was not opened (byte 32 of it)\n");
    check_pattern("[ipv4-addr:value IN '192.0.2.7']",
                  "1 !IN without a list in parentheses in its pattern (byte 21 of it)\n");
    check_pattern("[ipv4-addr:value = 5]",
                  "1 !its pattern compares with what is no text in quotes (byte 20 of it)\n");
    check_pattern("[network-traffic:dst_port = 0]",
                  "1 !its pattern asks for a port that is none of 1 to 65535 (byte 29 of it)\n");
    check_pattern("[ipv4-addr:value = '192.0.2.7'] x",
                  "1 !AND, OR, ] or the end is missing here in its pattern (byte 33 of it)\n");
    check_pattern("[ipv4-addr:value = 'evil.example']", "1 !no address\n");
    struct buf deep = {0};
    buf_byte(&deep, '[');
    for (size_t i = 0; i < 100000; i++)
        buf_byte(&deep, '(');
    check_pattern(buf_string(&deep), "1 !its pattern is nested too deep (byte 257 of it)\n");
    buf_release(&deep);
}

/* Alternatives multiply no further than their limit. */
static void test_many(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_text(&text, "[ipv4-addr:value IN (");
    for (unsigned i = 0; i < 200; i++)
        buf_printf(&text, "%s'192.0.2.%u'", i == 0 ? "" : ",", i);
    buf_text(&text, ") AND network-traffic:dst_port IN (");
    for (unsigned i = 1; i <= 200; i++)
        buf_printf(&text, "%s%u", i == 1 ? "" : ",", i);
    buf_text(&text, ")]");
    struct buf expected = {0};
    buf_printf(&expected, "1 !its pattern has more than 16,384 alternatives (byte %zu of it)\n",
               text.len);
    check_pattern(buf_string(&text), buf_string(&expected));
    buf_release(&expected);
    buf_release(&text);
}

static void test_objects(void **state)
{
    (void)state;
    check(BUNDLE(INDICATOR("\"pattern\": \"[domain-name:value = 'a.example']\", \"valid_from\": "
                           "\"2026-11-01T00:00:00Z\", \"valid_until\": \"2026-11-21T00:00:00Z\"")),
          "2 domain a.example until 1795219200\n");
    check(
        BUNDLE(INDICATOR("\"pattern\": \"[domain-name:value = 'a.example']\", \"revoked\": true")),
        "2 ~revoked\n");
    check(
        BUNDLE(INDICATOR("\"pattern\": \"[domain-name:value = 'a.example']\", \"revoked\": false")),
        "2 domain a.example\n");
    check(
        BUNDLE(
            "{\"type\": \"malware\", \"name\": \"x\"},\n{\"type\": \"indicator\", \"pattern_type\": "
            "\"snort\", \"pattern\": \"alert tcp\"}"),
        "2 ~malware\n3 ~pattern_type snort\n");
    check(BUNDLE(INDICATOR(
              "\"pattern\": \"[domain-name:value = 'a.example']\", \"valid_until\": \"soon\"")),
          "2 !its valid_until is no time (2026-11-21T10:00:00Z)\n");
    check(BUNDLE(INDICATOR("\"pattern\": \"[domain-name:value = 'a.example']\", \"valid_from\": "
                           "\"2026-11-21T00:00:00Z\", \"valid_until\": \"2026-11-01T00:00:00Z\"")),
          "2 !its valid_from is no time before its valid_until\n");
    check(BUNDLE(INDICATOR("\"name\": \"x\"")), "2 !an indicator without a pattern\n");
    check(BUNDLE("5, {}"),
          "2 !no object where one of STIX should be\n2 !an object without a type\n");
    check("{\"more\": false, \"objects\": [" INDICATOR(
              "\"pattern\": \"[url:value = 'http://a.example/x']\"") "]}",
          "1 url a.example/x\n");
    check("{\"type\": \"bundle\", \"id\": \"bundle--1\"}", "");
}

/* Of an object that is there several times only the newest version counts. */
static void test_versions(void **state)
{
    (void)state;
#define VERSION(id, modified, more) \
    "{\"type\": \"indicator\", \"id\": \"" id "\", \"modified\": \"" modified "\", " more "}"
    check(
        BUNDLE(VERSION("indicator--1", "2026-11-01T00:00:00Z", "\"pattern\": \"[domain-name:value = 'a.example']\"") ",\n" VERSION(
            "indicator--1", "2026-11-02T00:00:00.000Z",
            "\"revoked\": true") ",\n" VERSION("indicator--2", "2026-11-02T00:00:00Z",
                                               "\"pattern\": \"[domain-name:value = 'c.example']\"") ",\n" VERSION("indicator--2",
                                                                                                                   "2026-11-01T00:00:00Z",
                                                                                                                   "\"pattern\": \"[domain-name:value = 'b.example']\"") ",\n" VERSION("indicator--3",
                                                                                                                                                                                       "never",
                                                                                                                                                                                       "\"pattern\": \"[domain-name:value = 'd.example']\"")),
        "2 ~older version\n3 ~revoked\n4 domain c.example\n5 ~older version\n6 domain d.example\n");
}

static void test_documents(void **state)
{
    (void)state;
    feed_check_refused(INDICATOR_FORMAT_STIX, SLICE("{\"Event\": {\"Attribute\": []}}"),
                       "no STIX bundle");
    feed_check_refused(INDICATOR_FORMAT_STIX, SLICE("[]"), "no STIX bundle");
    feed_check_refused(INDICATOR_FORMAT_STIX, SLICE("{\"objects\": [\n"),
                       "f.json:2:1: no JSON: the document ends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),          cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_ports),           cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_broken_patterns), cmocka_unit_test(test_many),
        cmocka_unit_test(test_objects),         cmocka_unit_test(test_versions),
        cmocka_unit_test(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
