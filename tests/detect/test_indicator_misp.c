/* MISP events to entries: which attributes are taken, which are counted, which are bad, and where. */
#include "tests/detect/feed_entries.h"

static void check(const char *content, const char *expected)
{
    feed_check(INDICATOR_FORMAT_MISP, content, expected);
}

#define EVENT(attributes) \
    "{\"Event\": {\"info\": \"a \\\"case\\\" [\", \"Attribute\": [\n" attributes "]}}"
#define ATTRIBUTE(type, value) \
    "{\"type\": \"" type "\", \"to_ids\": true, \"value\": \"" value "\", \"deleted\": false}"

static void test_types(void **state)
{
    (void)state;
    check(EVENT(ATTRIBUTE("ip-src", "192.0.2.7") ",\n" ATTRIBUTE("ip-dst", "2001:DB8::1")),
          "2 address 192.0.2.7\n3 address 2001:db8::1\n");
    check(EVENT(ATTRIBUTE("ip-dst", "198.51.100.0/24")), "2 network 198.51.100.0/24\n");
    check(EVENT(ATTRIBUTE("ip-dst|port", "192.0.2.7|8080")), "2 address_port 192.0.2.7:8080\n");
    check(EVENT(ATTRIBUTE("ip-src|port", "2001:db8::1|53")), "2 address_port [2001:db8::1]:53\n");
    check(EVENT(ATTRIBUTE("domain", "Evil.example")), "2 domain evil.example\n");
    check(EVENT(ATTRIBUTE("hostname", "c2[.]evil.example")), "2 domain c2.evil.example\n");
    check(EVENT(ATTRIBUTE("hostname|port", "c2.evil.example|8443")),
          "2 url c2.evil.example:8443\n");
    check(EVENT(ATTRIBUTE("domain|ip", "evil.example|192.0.2.9")),
          "2 domain evil.example\n2 address 192.0.2.9\n");
    check(EVENT(ATTRIBUTE("url", "hxxp://evil.example/a?b=1")), "2 url evil.example/a?b=1\n");
    check(EVENT(ATTRIBUTE("user-agent", "EvilBot/1.0 (x)")), "2 agent evilbot/1.0 (x)\n");
    /* Escapes of JSON, blanks and letters that are not ASCII. */
    check(EVENT(ATTRIBUTE("domain", " \\u0065vil.example\\n")), "2 domain evil.example\n");
    check(EVENT(ATTRIBUTE("domain", "b\xc3\xbc"
                                    "cher.example")),
          "2 domain xn--bcher-kva.example\n");
}

static void test_forms(void **state)
{
    (void)state;
    const char *one = "1 domain evil.example\n";
    check("{\"Event\":{\"Attribute\":[" ATTRIBUTE("domain", "evil.example") "]}}", one);
    check("{\"response\":[{\"Event\":{\"Attribute\":[" ATTRIBUTE("domain", "evil.example") "]}}]}",
          one);
    check("{\"response\":{\"Attribute\":[" ATTRIBUTE("domain", "evil.example") "]}}", one);
    check("[{\"Event\":{\"Attribute\":[" ATTRIBUTE("domain", "evil.example") "]}}]", one);
    check("\xef\xbb\xbf{\"Event\":{\"Attribute\":" ATTRIBUTE("domain", "evil.example") "}}", one);
    check(
        "{\"Event\":{\"Object\":[{\"name\":\"domain-ip\",\"Attribute\":[" ATTRIBUTE(
            "domain",
            "evil.example") "]}],\"RelatedEvent\":[{\"Event\":{\"Attribute\":[" ATTRIBUTE("domain",
                                                                                          "other.example") "]}}]}}",
        one);
    check(
        "{\"Event\":{\"Attribute\":[" ATTRIBUTE("domain", "a.example") "],\"Object\":[{\"Attribute\":[" ATTRIBUTE(
            "domain", "b.example") "," ATTRIBUTE("url",
                                                 "http://c.example/x") "]},{\"Attribute\":[]}]}}",
        "1 domain a.example\n1 domain b.example\n1 url c.example/x\n");
    check("{\"Event\":{\"Attribute\":[]}}", "");
    check("{\"response\":[]}", "");
    check("[]", "");
}

static void test_unused(void **state)
{
    (void)state;
    check(EVENT(ATTRIBUTE("sha256", "00")), "2 ~sha256\n");
    check(EVENT("{\"type\": \"domain\", \"to_ids\": false, \"value\": \"evil.example\"}"),
          "2 ~to_ids false\n");
    check(EVENT("{\"type\": \"domain\", \"to_ids\": \"0\", \"value\": \"evil.example\"}"),
          "2 ~to_ids false\n");
    check(EVENT("{\"type\": \"domain\", \"value\": \"evil.example\"}"), "2 domain evil.example\n");
    check(
        EVENT(
            "{\"type\": \"domain\", \"to_ids\": true, \"deleted\": true, \"value\": \"evil.example\"}"),
        "2 ~deleted\n");
    check(
        EVENT(
            "{\"type\": \"domain\", \"to_ids\": 1, \"deleted\": \"1\", \"value\": \"evil.example\"}"),
        "2 ~deleted\n");
    /* What is deleted as an object is deleted as a whole, wherever that is said. */
    check("{\"Event\":{\"Object\":[{\"Attribute\":[" ATTRIBUTE(
              "domain", "evil.example") "],\"deleted\":true}]}}",
          "1 ~deleted\n");
}

static void test_bad(void **state)
{
    (void)state;
    check(EVENT(ATTRIBUTE("ip-dst", "evil.example") ",\n" ATTRIBUTE("domain", "ok.example")),
          "2 !no address\n3 domain ok.example\n");
    check(EVENT(ATTRIBUTE("ip-dst|port", "192.0.2.7")),
          "2 !no | between the two parts of its value\n");
    check(EVENT(ATTRIBUTE("ip-dst|port", "192.0.2.7|0")),
          "2 !its port is no number of 1 to 65535\n");
    check(EVENT(ATTRIBUTE("ip-dst|port", "192.0.2.7|70000")),
          "2 !its port is no number of 1 to 65535\n");
    check(EVENT("{\"value\": \"evil.example\"}"), "2 !an attribute without a type\n");
    check(EVENT("{\"type\": \"domain\", \"value\": 5}"), "2 !empty\n");
    check(EVENT("7,\n" ATTRIBUTE("domain", "ok.example")),
          "2 !no object where an attribute should be\n3 domain ok.example\n");
    check(EVENT("{\"type\": \"domain\", \"type\": \"url\"},\n" ATTRIBUTE("domain", "ok.example")),
          "2 !cannot be read: duplicate object key near '\"type\"'\n3 domain ok.example\n");
    check(EVENT("{\"type\": \"domain\", \"value\": \"\xff\"},\n" ATTRIBUTE("domain", "ok.example")),
          "2 !cannot be read: unable to decode byte 0xff near '\"'\n3 domain ok.example\n");
}

static void test_long_value(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_text(&text,
             "{\"Event\":{\"Attribute\":[{\"type\":\"url\",\"value\":\"http://evil.example/");
    for (size_t i = 0; i < 5000; i++)
        buf_byte(&text, 'a');
    buf_text(&text, "\"}]}}");
    check(buf_string(&text), "1 !a value of more than 4,096 bytes\n");
    buf_release(&text);
}

static void test_documents(void **state)
{
    (void)state;
    const struct {
        struct slice content;
        const char *finding;
    } cases[] = {
        {SLICE(""), "f.json:1:1: no JSON: empty"},
        {SLICE("{\"Event\":{\"Attribute\":[\n{\"type\":\"domain\""),
         "f.json:2:17: no JSON: the document ends too early"},
        {SLICE("{\"Event\": nul}"), "f.json:1:11: no JSON: no JSON value here"},
        {SLICE("{\"Event\": {}} x"), "f.json:1:15: no JSON: something behind the end"},
        {SLICE("{\"Event\" {}}"), "f.json:1:10: no JSON: a colon is missing"},
        {SLICE("{\"a\": 1 \"b\": 2}"), "a comma or } is missing here"},
        {SLICE("[1 2]"), "a comma or ] is missing here"},
        {SLICE("{\"a\": 01}"), "no JSON value here"},
        {SLICE("{\"a\": \"x\ny\"}"), "a string that does not end, or holds a control character"},
        {SLICE("{,}"), "a key in quotes is missing"},
        {SLICE("evil.example\n"), "f.json:1:1: no JSON: no JSON value here"},
        {SLICE("{\"type\": \"bundle\", \"objects\": []}"), "no MISP event"},
        {SLICE("{\"5c1e\": {\"info\": \"manifest\"}}"), "no MISP event"},
        {SLICE("\"Event\""), "no MISP event"},
        {SLICE("{\"Event\": 1}"), "no MISP event"},
        {SLICE("{\"a\": \"\0\"}"), "holds NUL bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        feed_check_refused(INDICATOR_FORMAT_MISP, cases[i].content, cases[i].finding);
    struct buf deep = {0};
    for (size_t i = 0; i < 100000; i++)
        buf_text(&deep, "[");
    feed_check_refused(INDICATOR_FORMAT_MISP, buf_content(&deep),
                       "f.json:1:65: no JSON: objects and arrays in each other more than 64 deep");
    buf_release(&deep);
}

/* The set: counts, the name of what is not used, and the feed's name for what is bad. */
static void test_set(void **state)
{
    (void)state;
    const struct indicator_source source = {
        .name = SLICE("feed"),
        .version = SLICE("v1"),
        .content = slice_from(EVENT(
            ATTRIBUTE("domain", "evil.example") "," ATTRIBUTE("domain", "evil.example") "," ATTRIBUTE(
                "sha256",
                "00") "," ATTRIBUTE("md5",
                                    "00") "," ATTRIBUTE("md5",
                                                        "11") ",\n{\"uuid\": \"5f0a-77\", \"type\": \"ip-dst\", \"value\": \"10.0.0.1\"}")),
        .path = "f.json",
        .format = INDICATOR_FORMAT_MISP,
        .expires_ns = INT64_MAX};
    struct indicator_set *set = NULL;
    struct diag diag = {0};
    struct buf unused = {0};
    assert_int_equal(indicator_set_new(&set, &source, 1, NULL, &diag), 0);
    struct indicator_counts counts = indicator_set_counts(set, 0);
    assert_int_equal(counts.lines, 3);
    assert_int_equal(counts.added, 1);
    assert_int_equal(counts.repeated, 1);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.unused, 3);
    indicator_set_print_unused(&unused, set, 0);
    assert_string_equal(buf_string(&unused), "2 md5, 1 sha256");
    assert_non_null(strstr(diag_text(&diag), "f.json:3:1: 5f0a-77: 10.0.0.1: "));
    assert_int_not_equal(indicator_find_domain(set, SLICE("www.evil.example"), 0), 0);
    buf_release(&unused);
    diag_release(&diag);
    indicator_set_free(set);
}

/* What another set holds and says to live is left out. */
static void test_news(void **state)
{
    (void)state;
    struct indicator_source source = {
        .name = SLICE("feed"), .version = SLICE("v"), .path = "f", .expires_ns = 1000};
    struct indicator_set *before = NULL;
    struct indicator_set *fresh = NULL;
    struct diag diag = {0};
    source.content = SLICE("a.example\n192.0.2.7\n");
    assert_int_equal(indicator_set_new(&before, &source, 1, NULL, &diag), 0);
    source.content = SLICE("a.example\nb.example\n192.0.2.7\n192.0.2.7:80\n");
    source.expires_ns = INT64_MAX;
    struct indicator_news news = {.known = {.set = before, .at_ns = 999}};
    assert_int_equal(indicator_set_new_entries(&fresh, &source, 1, &news, &diag), 0);
    assert_int_equal(indicator_set_entries(fresh), 2);
    assert_int_equal(indicator_set_counts(fresh, 0).known, 2);
    assert_int_equal(indicator_find_domain(fresh, SLICE("a.example"), 0), 0);
    assert_int_not_equal(indicator_find_domain(fresh, SLICE("b.example"), 0), 0);
    indicator_set_free(fresh);
    news.known.at_ns = 1000; /* what had ended by then is news again */
    assert_int_equal(indicator_set_new_entries(&fresh, &source, 1, &news, &diag), 0);
    assert_int_equal(indicator_set_entries(fresh), 4);
    indicator_set_free(fresh);
    indicator_set_free(before);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),      cmocka_unit_test(test_forms),
        cmocka_unit_test(test_unused),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long_value), cmocka_unit_test(test_documents),
        cmocka_unit_test(test_set),        cmocka_unit_test(test_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
