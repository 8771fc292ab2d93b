/* Lists of indicators as the configuration names them: read, made into a set, and what is refused. */
#include <string.h>

#include "app/lists.h"
#include "tests/store/log_dir.h"

struct lists_test {
    struct log_dir dir;
    char path[300];
    struct config *config;
    struct lists lists;
    struct indicator_set *set;
    struct domain_list *suffixes;
    struct diag diag;
};

static void put_file(struct lists_test *t, const char *name, const char *content)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", t->dir.path, name);
    log_dir_write(path, slice_from(content));
}

static void begin(struct lists_test *t)
{
    memset(t, 0, sizeof(*t));
    log_dir_make(&t->dir);
    (void)snprintf(t->path, sizeof(t->path), "%s/collector.yaml", t->dir.path);
    assert_int_equal(domain_open(&t->suffixes, NULL), 0);
}

static int load(struct lists_test *t, const char *text)
{
    log_dir_write(t->path, slice_from(text));
    int status = config_load(&t->config, t->path, &t->diag);
    if (status == 0)
        status = lists_read(&t->lists, t->config, &t->diag);
    if (status == 0)
        status = lists_build(&t->set, &t->lists, t->suffixes, &t->diag);
    return status;
}

static void end(struct lists_test *t)
{
    indicator_set_free(t->set);
    lists_release(&t->lists);
    config_free(t->config);
    domain_close(t->suffixes);
    diag_release(&t->diag);
    log_dir_remove(&t->dir);
}

static void test_lists(void **state)
{
    (void)state;
    struct lists_test t;
    begin(&t);
    put_file(&t, "a.txt", "evil.example\nco.jp\nevil.co.jp\n");
    put_file(&t, "b.csv", "seen;bad;gone\n1;192.0.2.7;2026-01-01\n2;192.0.2.8;\n");
    int status = load(&t, "data: store\n"
                          "lists:\n"
                          "  - {name: a, file: a.txt, type: domain, expires: 2027-01-01}\n"
                          "  - {name: b, file: b.csv, format: csv, column: bad, expiry_column: 3,\n"
                          "     version: r7}\n");
    if (status != 0)
        fail_msg("%s", diag_text(&t.diag));
    /* A bad line is told, and stops nothing. */
    assert_int_equal(t.diag.count, 2);
    assert_non_null(strstr(diag_text(&t.diag), "/a.txt:2:1: co.jp: a public suffix"));
    assert_non_null(strstr(diag_text(&t.diag), "list a: 1 of 3 lines refused"));
    assert_int_equal(indicator_set_entries(t.set), 4);
    struct indicator_info info;
    uint32_t hit = indicator_find_domain(t.set, SLICE("www.evil.co.jp"), 0);
    assert_int_not_equal(hit, 0);
    indicator_describe(&info, t.set, hit, 0);
    assert_true(slice_equal(info.feeds[0].name, SLICE("a")));
    assert_int_equal(info.feeds[0].expires_ns, INT64_C(1798761600000000000));
    /* The version is the beginning of the hash under which the content would be recorded. */
    struct sha256 hash;
    char hex[SHA256_HEX_BYTES + 1];
    assert_int_equal(sha256_of(&hash, buf_content(&t.lists.files[0].content)), 0);
    sha256_hex(hex, &hash);
    assert_true(sha256_equal(&hash, &t.lists.files[0].hash));
    assert_true(slice_equal(info.feeds[0].version, slice_of(hex, LISTS_VERSION_DIGITS)));
    struct ip ip = ip_from_v4(UINT32_C(0xc0000207));
    hit = indicator_find_address(t.set, &ip, 1, 0);
    assert_int_not_equal(hit, 0);
    indicator_describe(&info, t.set, hit, 0);
    assert_true(slice_equal(info.feeds[0].version, SLICE("r7")));
    assert_int_equal(indicator_find_address(t.set, &ip, 1, INT64_C(1767225600000000000)), 0);
    struct buf out = {0};
    lists_print(&out, &t.lists, t.set);
    assert_non_null(strstr(buf_string(&out), "list b r7: 2 entries, 0 also in an earlier list"));
    buf_release(&out);
    end(&t);
}

/* Feeds beside a plain list: what is used, and what is counted as not used. */
static void test_feeds(void **state)
{
    (void)state;
    struct lists_test t;
    begin(&t);
    put_file(&t, "m.json",
             "{\"Event\":{\"Attribute\":[{\"type\":\"domain\",\"value\":\"evil.example\"},"
             "{\"type\":\"md5\",\"value\":\"00\"},{\"type\":\"domain\",\"value\":\"co.jp\"}]}}");
    put_file(
        &t, "s.json",
        "{\"type\":\"bundle\",\"objects\":[{\"type\":\"malware\"},{\"type\":\"indicator\",\"pattern\":"
        "\"[domain-name:value IN ('evil.example', 'bad.example')]\",\"valid_until\":"
        "\"2027-01-01T00:00:00Z\"}]}");
    put_file(&t, "p.txt", "worse.example\n");
    int status = load(&t, "data: store\n"
                          "lists:\n"
                          "  - {name: m, file: m.json, format: misp, version: r1}\n"
                          "  - {name: s, file: s.json, format: stix, version: r2}\n"
                          "  - {name: p, file: p.txt, format: plain, version: r3}\n");
    if (status != 0)
        fail_msg("%s", diag_text(&t.diag));
    assert_non_null(strstr(diag_text(&t.diag), "/m.json:1:1: co.jp: a public suffix"));
    assert_int_equal(indicator_set_entries(t.set), 3);
    struct indicator_info info;
    uint32_t hit = indicator_find_domain(t.set, SLICE("evil.example"), 0);
    indicator_describe(&info, t.set, hit, 0);
    assert_int_equal(info.feed_count, 2);
    assert_int_equal(info.feeds[0].expires_ns, INT64_MAX);
    assert_int_equal(info.feeds[1].expires_ns, INT64_C(1798761600000000000));
    struct buf out = {0};
    lists_print(&out, &t.lists, t.set);
    assert_non_null(strstr(buf_string(&out),
                           "list m r1: 1 entries, 0 also in an earlier list, 0 repeated, "
                           "1 of 2 lines refused; 1 elements not used: 1 md5\n"));
    assert_non_null(strstr(buf_string(&out),
                           "list s r2: 1 entries, 1 also in an earlier list, 0 repeated, "
                           "0 of 2 lines refused; 1 elements not used: 1 malware\n"));
    buf_release(&out);
    end(&t);
}

static void test_no_lists(void **state)
{
    (void)state;
    struct lists_test t;
    begin(&t);
    assert_int_equal(load(&t, "data: store\n"), 0);
    assert_int_equal(t.lists.count, 0);
    assert_int_equal(indicator_set_entries(t.set), 0);
    end(&t);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *finding;
    } CASES[] = {
        {"{name: a, file: missing.txt}", "cannot read"},
        {"{name: a, file: .}", "cannot read"},
        {"{name: a, file: a.txt, expires: next year}", "\"next year\" is no time"},
        {"{name: a, file: a.txt, column: x}", "has no columns"},
        {"{name: a, file: a.txt, format: csv}", "a.txt:1:1: this header names no column"},
        {"{name: a, file: a.txt, type: address}", "no line of the list a can be used"},
        {"{name: a, file: a.txt, type: hash}", "hash"},
        {"{name: a, file: a.txt, format: misp}", "a.txt:1:1: no JSON: no JSON value here"},
        {"{name: a, file: a.txt, format: stix}", "a.txt:1:1: no JSON: no JSON value here"},
        {"{name: a, file: a.txt, format: misp, type: domain}", "says itself what its entries are"},
        {"{name: a, file: a.txt, format: stix, column: x}", "a feed in JSON has no columns"},
        {"{name: a, file: a.txt, format: stix, expiry_column: x}", "a feed in JSON has no columns"},
        {"{name: a, file: a.txt, format: xml}", "xml"},
        {"{file: a.txt}", "name"},
        {"{name: a, file: a.txt}\n  - {name: a, file: a.txt}", "another list has the name \"a\""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct lists_test t;
        struct buf text = {0};
        begin(&t);
        put_file(&t, "a.txt", "bad.example\nworse.example\n");
        buf_printf(&text, "data: store\nlists:\n  - %s\n", CASES[i].list);
        assert_int_equal(load(&t, buf_string(&text)), ERR_CONF);
        assert_null(t.set);
        if (strstr(diag_text(&t.diag), CASES[i].finding) == NULL)
            fail_msg("\"%s\" is not in: %s", CASES[i].finding, diag_text(&t.diag));
        buf_release(&text);
        end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_feeds),
        cmocka_unit_test(test_no_lists),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
