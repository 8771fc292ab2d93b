/* The configuration file: what it means, and what is said about one that is wrong. */
#include <string.h>

#include "app/config.h"
#include "tests/store/log_dir.h"

struct config_test {
    struct log_dir dir;
    char path[300];
    struct config *config;
    struct diag diag;
};

static int load(struct config_test *t, const char *text)
{
    memset(t, 0, sizeof(*t));
    log_dir_make(&t->dir);
    (void)snprintf(t->path, sizeof(t->path), "%s/collector.yaml", t->dir.path);
    log_dir_write(t->path, slice_from(text));
    return config_load(&t->config, t->path, &t->diag);
}

static void unload(struct config_test *t)
{
    config_free(t->config);
    diag_release(&t->diag);
    log_dir_remove(&t->dir);
}

/* The file is refused with `findings` findings, one of which says `what`. */
static void assert_refused(const char *text, size_t findings, const char *what)
{
    struct config_test t;
    assert_int_equal(load(&t, text), ERR_CONF);
    assert_null(t.config);
    assert_int_equal(t.diag.count, findings);
    if (strstr(diag_text(&t.diag), what) == NULL)
        fail_msg("\"%s\" is not in: %s", what, diag_text(&t.diag));
    unload(&t);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c = NULL;
    struct diag diag = {0};
    struct config_source source;
    assert_int_equal(config_load(&c, NULL, &diag), 0);
    assert_int_equal(diag.count, 0);
    assert_null(config_path(c, "data"));
    assert_null(config_path(c, "mmdb.country"));
    assert_int_equal(config_bytes(c).len, 0);
    assert_int_equal(conf_int(config_root(c), "limits.batch_rows"), 2048);
    assert_int_equal(conf_int(config_root(c), "limits.frame_bytes"), 4 << 20);
    config_source(c, 990001, SLICE("fortigate-main"), &source);
    assert_int_equal(source.format, FORMAT_FORTIGATE);
    assert_int_equal(source.zone_minutes, 540);
    assert_null(source.networks);
    config_source(c, 990001, SLICE("fw1"), &source);
    assert_int_equal(source.format, FORMAT_AUTO);
    assert_string_equal(config_tenant_name(c, 990001), "");
    config_free(c);
    config_free(NULL);
    diag_release(&diag);
}

static void test_sources(void **state)
{
    (void)state;
    struct config_test t;
    struct config_source source;
    static const char TEXT[] = "data: store\n"
                               "sources:\n"
                               "  fw1: {format: squid, zone: \"+00:00\"}\n"
                               "  fw2: {format: squid}\n"
                               "  lgwan-fw: {class: lgwan_deny}\n"
                               "tenants:\n"
                               "  \"052019\":\n"
                               "    name: Example\n"
                               "    networks:\n"
                               "      - {cidr: 192.0.2.0/24, zone: office, asset: desk}\n"
                               "      - {cidr: 192.0.2.128/25, zone: servers}\n"
                               "      - {cidr: 198.51.100.0/24, zone: office}\n"
                               "      - {cidr: 192.0.2.8/29, exclude: true}\n"
                               "    sources:\n"
                               "      fw1: {format: panos, class: lgwan_deny}\n"
                               "      lgwan-fw: {class: internet}\n"
                               "      fw3: {format: auto, zone: \"-03:30\"}\n";
    int status = load(&t, TEXT);
    if (status != 0)
        fail_msg("%s", diag_text(&t.diag));
    assert_true(slice_equal(config_bytes(t.config), SLICE(TEXT)));
    char store[320];
    (void)snprintf(store, sizeof(store), "%s/store", t.dir.path);
    assert_string_equal(config_path(t.config, "data"), store);
    config_source(t.config, 52019, SLICE("fw1"), &source);
    assert_int_equal(source.format, FORMAT_PANOS);
    assert_int_equal(source.zone_minutes, 0);
    assert_string_equal(config_tenant_name(t.config, 52019), "Example");
    static const struct {
        uint32_t v4;
        struct zone_match match;
    } MATCHES[] = {
        {0xc0000201, {.zone = 1, .asset = 1}}, {0xc0000281, {.zone = 2}}, {0xc6336401, {.zone = 1}},
        {0xc0000209, {.excluded = true}},      {0xcb007101, {.zone = 0}},
    };
    for (size_t i = 0; i < COUNT(MATCHES); i++) {
        struct ip ip = ip_from_v4(MATCHES[i].v4);
        struct zone_match got = zone_find(source.networks, &ip);
        assert_int_equal(got.zone, MATCHES[i].match.zone);
        assert_int_equal(got.asset, MATCHES[i].match.asset);
        assert_int_equal(got.excluded, MATCHES[i].match.excluded);
    }
    assert_true(slice_equal(source.names.zones[1], SLICE("servers")));
    assert_true(slice_equal(source.names.assets[0], SLICE("desk")));
    assert_int_equal(source.class, SOURCE_CLASS_LGWAN_DENY);
    config_source(t.config, 52019, SLICE("lgwan-fw"), &source);
    assert_int_equal(source.class, SOURCE_CLASS_INTERNET);
    config_source(t.config, 52027, SLICE("lgwan-fw"), &source);
    assert_int_equal(source.class, SOURCE_CLASS_LGWAN_DENY);
    config_source(t.config, 52019, SLICE("fw3"), &source);
    assert_int_equal(source.class, SOURCE_CLASS_INTERNET);
    assert_int_equal(source.format, FORMAT_AUTO);
    assert_int_equal(source.zone_minutes, -210);
    config_source(t.config, 990001, SLICE("fw2"), &source);
    assert_int_equal(source.format, FORMAT_SQUID);
    assert_null(source.networks);
    unload(&t);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    assert_refused("data: d\nsources: {fw1: {class: lgwan}}\n", 1, "lgwan_deny");
    assert_refused("data: d\ntenants:\n  \"052019\":\n    sources:\n"
                   "      fw1: {class: lgwan_deny}\n",
                   1, "list them under networks");
    assert_refused("data: d\nkafka: {brokers: \"a:1\", broker: \"a:1\"}\n", 1,
                   "did you mean \"brokers\"?");
    assert_refused("data: d\nlimits: {batch_row: 5}\n", 1, "did you mean \"batch_rows\"?");
    assert_refused("data: d\nlimits: {batch_rows: 0}\nlimit: 3\n", 2, "limits");
    assert_refused("kafka: {brokers: \"a:1\"}\n", 1, "data");
    assert_refused("data: d\nlimits: {batch_rows: 2049}\n", 1, "2048");
}

static void test_tenants_refused(void **state)
{
    (void)state;
    assert_refused("data: d\ntenants: {\"052018\": {name: x}}\n", 1,
                   "the check digit of municipality 052018 is wrong");
    assert_refused("data: d\ntenants: {\"05201\": {name: x}}\n", 1, "code of 6 digits");
    /* With networks, alone and before one that is right. */
    assert_refused("data: d\ntenants:\n"
                   "  \"052018\": {networks: [{cidr: 192.0.2.0/24, zone: a}]}\n",
                   1, "check digit");
    assert_refused("data: d\ntenants:\n"
                   "  \"052018\": {networks: [{cidr: 192.0.2.0/24, zone: a}]}\n"
                   "  \"052019\": {networks: [{cidr: 192.0.2.0/24, zone: a}]}\n",
                   1, "check digit");
}

static void test_networks_refused(void **state)
{
    (void)state;
    assert_refused("data: d\ntenants:\n  \"052019\":\n    networks:\n"
                   "      - {cidr: 192.0.2.0/24, zone: a}\n"
                   "      - {cidr: 198.51.100.0/24, zone: a}\n"
                   "      - {cidr: 192.0.2.0/24, zone: b}\n",
                   1, "collector.yaml:7");
    assert_refused("data: d\ntenants:\n  \"052019\":\n    networks:\n"
                   "      - {cidr: \"2001:db8::/32\", zone: a}\n"
                   "      - {cidr: \"2001:DB8:0::/32\", zone: b}\n",
                   1, "the network 2001:DB8:0::/32 is listed twice; keep one");
    assert_refused("data: d\ntenants: {\"052019\": {networks: [{cidr: 192.0.2.1/24}]}}\n", 1,
                   "has bits set behind its prefix");
    assert_refused("data: d\ntenants: {\"052019\": {networks: [{zone: a}]}}\n", 1, "cidr");
}

static void test_formats_refused(void **state)
{
    (void)state;
    assert_refused("data: d\nsources: {fw1: {format: fortigat}}\n", 1,
                   "unknown format \"fortigat\"; known are: ");
    assert_refused("data: d\nsources: {fw1: {format: fortigat}}\n", 1, "auto template:FILE\n");
    assert_refused("data: d\nsources: {fw1: {format: \"template:none.yaml\"}}\n", 1,
                   "cannot read the layout");
    assert_refused("data: d\nsources: {Fw_1: {format: auto}}\n", 1, "1 to 32 of a-z, 0-9");
    assert_refused("data: d\nmmdb: {country: none.mmdb}\n", 1, "none.mmdb");
}

/* The example says what it must and is otherwise the defaults. */
static void test_example(void **state)
{
    (void)state;
    struct buf example = {0};
    struct config_test t;
    config_print_example(&example);
    assert_true(buf_ok(&example));
    int status = load(&t, buf_string(&example));
    if (status != 0)
        fail_msg("%s", diag_text(&t.diag));
    assert_int_equal(conf_int(config_root(t.config), "limits.batch_rows"), 2048);
    unload(&t);
    buf_release(&example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_sources),
        cmocka_unit_test(test_unknown_keys),     cmocka_unit_test(test_tenants_refused),
        cmocka_unit_test(test_networks_refused), cmocka_unit_test(test_formats_refused),
        cmocka_unit_test(test_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
