/* Zones, models, gateways and flows of the configuration file, and what is said about wrong ones. */
#include <string.h>

#include "app/config.h"
#include "base/calendar.h"
#include "detect/detect.h"
#include "tests/store/log_dir.h"

enum {
    TOWN = 52019,
};

struct config_test {
    struct log_dir dir;
    char path[300];
    struct config *config;
    struct diag diag;
};

/* A municipality with the usual networks; `rest` are further keys of it, indented by four. */
#define TOWN_BEGIN                                                        \
    "data: d\n"                                                           \
    "tenants:\n"                                                          \
    "  \"052019\":\n"                                                     \
    "    networks:\n"                                                     \
    "      - {cidr: 192.168.0.0/16, zone: 個人番号利用事務系}\n" \
    "      - {cidr: 10.1.128.0/18, zone: LGWAN接続系}\n"               \
    "      - {cidr: 10.1.0.0/18, zone: インターネット接続系}\n" \
    "      - {cidr: 10.1.64.0/24, zone: DMZ}\n"                           \
    "      - {cidr: 10.1.192.0/18, zone: 学校, exclude: true}\n"

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

/* Loads, and the municipality's policy, which may be NULL. */
static const struct policy *loaded(struct config_test *t, const char *text)
{
    struct detect_profile profile;
    if (load(t, text) != 0)
        fail_msg("%s", diag_text(&t->diag));
    config_profile(t->config, TOWN, &profile);
    return profile.policy;
}

/* Refused with `findings` findings, each of `whats` (NULL at the end) among them. */
static void refused(const char *text, size_t findings, const char *const *whats)
{
    struct config_test t;
    assert_int_equal(load(&t, text), ERR_CONF);
    assert_null(t.config);
    if (t.diag.count != findings)
        fail_msg("%zu findings: %s", t.diag.count, diag_text(&t.diag));
    for (; *whats != NULL; whats++) {
        if (strstr(diag_text(&t.diag), *whats) == NULL)
            fail_msg("\"%s\" is not in: %s", *whats, diag_text(&t.diag));
    }
    unload(&t);
}

static void refused_once(const char *text, const char *what)
{
    refused(text, 1, (const char *const[]){what, NULL});
}

/* ------------------------------------------------------------------------------ what it is */

static void test_wanted(void **state)
{
    (void)state;
    struct config_test t;
    /* Zones are labels until the guideline's words occur. */
    assert_null(loaded(&t, "data: d\ntenants: {\"052019\": {networks: [{cidr: 192.0.2.0/24, zone: "
                           "office}]}}\n"));
    unload(&t);
    const struct policy *p = loaded(&t, TOWN_BEGIN);
    assert_non_null(p);
    assert_int_equal(policy_model_of(p), POLICY_ALPHA);
    assert_int_equal(policy_zone_count(p), 4);
    assert_int_equal(policy_place_kind(p, 1), POLICY_NUMBER);
    unload(&t);
}

static void test_models(void **state)
{
    static const struct {
        const char *written;
        enum policy_model model;
    } ROWS[] = {{"alpha", POLICY_ALPHA},   {"alpha'", POLICY_ALPHA_DASH},
                {"beta", POLICY_BETA},     {"\"beta'\"", POLICY_BETA_DASH},
                {"custom", POLICY_CUSTOM}, {"α", POLICY_ALPHA},
                {"α'", POLICY_ALPHA_DASH}, {"β", POLICY_BETA},
                {"β'", POLICY_BETA_DASH}};
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct config_test t;
        char text[2048];
        (void)snprintf(text, sizeof(text), TOWN_BEGIN "    model: %s\n", ROWS[i].written);
        assert_int_equal(policy_model_of(loaded(&t, text)), ROWS[i].model);
        unload(&t);
    }
    refused_once(TOWN_BEGIN "    model: gamma\n", "alpha");
}

static void test_profile(void **state)
{
    (void)state;
    struct config_test t;
    struct detect_profile profile;
    (void)loaded(&t, TOWN_BEGIN "    name: 例\n    size: large\n"
                                "    shared: [10.1.64.80, 10.1.64.80, 198.51.100.0/28]\n");
    config_profile(t.config, TOWN, &profile);
    assert_int_equal(profile.size, DETECT_LARGE);
    assert_int_equal(profile.shared_count, 2);
    assert_int_equal(profile.shared[1].prefix_bits, 96 + 28);
    assert_int_equal(profile.zone_count, 4);
    config_profile(t.config, 990001, &profile);
    assert_null(profile.policy);
    unload(&t);
}

static void test_lists(void **state)
{
    (void)state;
    struct config_test t;
    const struct policy *p = loaded(
        &t, TOWN_BEGIN
        "    model: alpha'\n"
        "    gateways:\n"
        "      - {name: 更新, cidr: 10.1.128.10, role: update, zones: [LGWAN接続系, Internet]}\n"
        "    flows:\n"
        "      - {name: 連携, from: 個人番号利用事務系, to: 10.1.130.0/24, protocol: tcp,\n"
        "         ports: \"443, 8000-8010\", hours: office, expires: 2027-03-31}\n"
        "      - {name: 更新取得, from: 10.1.128.20, to: Example.COM, reason: 製品の更新}\n"
        "    clouds:\n"
        "      - {name: 事務, to: office.example}\n"
        "      - {name: 郵便, to: 203.0.113.0/28}\n"
        "    matrix:\n"
        "      - {from: DMZ, to: インターネット接続系, rule: deny}\n");
    const struct policy_options *l = policy_lists(p);
    assert_int_equal(l->gateway_count, 1);
    assert_int_equal(l->gateways[0].joins, UINT64_C(1) << 2 | UINT64_C(1) << POLICY_PLACE_WORLD);
    assert_int_equal(l->flow_count, 2);
    assert_int_equal(l->flows[0].protocol, 6);
    assert_int_equal(l->flows[0].port_count, 2);
    assert_int_equal(l->flows[0].ports[1].last, 8010);
    assert_int_equal(l->flows[0].hours.count, 1);
    assert_int_equal(l->flows[0].until_ns, calendar_midnight(clock_days(2027, 4, 1)));
    assert_int_equal(l->flows[1].to.type, POLICY_END_DOMAIN);
    assert_true(slice_equal(l->flows[1].to.domain, SLICE("example.com")));
    assert_int_equal(l->flows[1].until_ns, INT64_MAX);
    assert_int_equal(l->cloud_count, 2);
    assert_int_equal(policy_between(p, 4, 3, NULL), POLICY_DENY);
    assert_int_equal(policy_between(p, 3, 4, NULL), POLICY_ALLOW);
    unload(&t);
}

/* A zone's other names are the zone; its kind is what `zones` says, whatever its name says. */
static void test_aliases(void **state)
{
    (void)state;
    struct config_test t;
    const struct policy *p = loaded(&t, "data: d\n"
                                        "tenants:\n"
                                        "  \"052019\":\n"
                                        "    networks:\n"
                                        "      - {cidr: 10.1.0.0/24, zone: 庁内}\n"
                                        "      - {cidr: 10.1.1.0/24, zone: 庁内LAN}\n"
                                        "      - {cidr: 10.1.2.0/24, zone: 情報系}\n"
                                        "    zones:\n"
                                        "      庁内: {kind: lgwan, aliases: [庁内LAN, 旧業務]}\n"
                                        "      情報系: {kind: mynumber}\n"
                                        "    flows:\n"
                                        "      - {name: 連携, from: 情報系, to: 旧業務}\n");
    assert_int_equal(policy_zone_count(p), 2);
    assert_int_equal(policy_place_kind(p, 1), POLICY_LGWAN);
    assert_int_equal(policy_place_kind(p, 2), POLICY_NUMBER);
    assert_int_equal(policy_lists(p)->flows[0].to.place, 1);
    struct config_source source;
    config_source(t.config, TOWN, SLICE("fw1"), &source);
    assert_true(slice_equal(source.names.zones[0], SLICE("庁内")));
    unload(&t);
}

/* The outside has several names; one that could as well be a zone's is none. */
static void test_outside(void **state)
{
    static const char TEXT[] =
        "data: d\n"
        "tenants:\n"
        "  \"052019\":\n"
        "    networks:\n"
        "      - {cidr: 10.1.0.0/24, zone: internet}\n"
        "      - {cidr: 10.1.1.0/24, zone: lgwan}\n"
        "    gateways: [{name: u, cidr: 10.1.1.9, role: update, zones: [lgwan, %s]}]\n";
    static const char *const NAMES[] = {"outside", "外部", "インターネット"};
    (void)state;
    char text[1024];
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        struct config_test t;
        (void)snprintf(text, sizeof(text), TEXT, NAMES[i]);
        assert_int_equal(policy_lists(loaded(&t, text))->gateways[0].joins,
                         UINT64_C(1) << 2 | UINT64_C(1) << POLICY_PLACE_WORLD);
        unload(&t);
    }
    (void)snprintf(text, sizeof(text), TEXT, "Internet");
    refused_once(text, "\"Internet\" is no zone of this municipality; write one of: internet, "
                       "lgwan, outside");
}

/* ------------------------------------------------------------------------------ wrong ones */

static void test_zones_refused(void **state)
{
    (void)state;
    refused_once(TOWN_BEGIN "      - {cidr: 10.2.0.0/24, zone: LGWAN接読系}\n",
                 "collector.yaml:10:9: what the zone \"LGWAN接読系\" is for is not known");
    refused_once(TOWN_BEGIN "    zones: {会議室: {kind: other}}\n",
                 "no network is in the zone \"会議室\"");
    refused_once(TOWN_BEGIN "    zones: {DMZ: {kind: dmz, aliases: [LGWAN接続系]}}\n",
                 "\"LGWAN接続系\" is known as a zone of kind lgwan, \"DMZ\" is one of kind dmz");
}

static void test_networks_refused(void **state)
{
    (void)state;
    refused_once(TOWN_BEGIN "      - {cidr: 10.9.0.0/24, asset: important}\n", "has no zone");
    refused_once(TOWN_BEGIN "      - {cidr: 10.1.130.0/24, zone: DMZ}\n",
                 "collector.yaml:10:9: the network of DMZ lies inside one of LGWAN接続系");
    refused_once(TOWN_BEGIN "      - {cidr: 192.168.9.0/24, exclude: true}\n",
                 "would hide My-Number traffic");
    refused_once("data: d\ntenants: {\"052019\": {model: alpha}}\n", "but no networks");
}

/* Every fault of the file in one pass, each with its place. */
static void test_all_at_once(void **state)
{
    (void)state;
    refused(TOWN_BEGIN
            "    gateways:\n"
            "      - {name: a, cidr: 172.16.0.1, role: update, zones: [LGWAN接続系, Internet]}\n"
            "      - {name: b, cidr: 10.1.128.9, role: proxy, zones: [LGWAN接続系, Internet]}\n"
            "    flows:\n"
            "      - {name: c, from: 個人番号利用事務系, to: インターネット接続系}\n"
            "      - {name: d, from: 個人番号利用事務系, to: Internet, reason: x}\n"
            "    clouds: [{name: e, to: office.example}]\n"
            "    matrix:\n"
            "      - {from: DMZ, to: LGWAN接続系, rule: deny}\n"
            "      - {from: DMZ, to: LGWAN接続系, rule: special}\n",
            6,
            (const char *const[]){
                "collector.yaml:11:9: the gateway lies in no zone",
                "collector.yaml:12:9: alpha foresees no gateway of role proxy",
                "collector.yaml:14:9: alpha has \"deny\"",
                "collector.yaml:15:9: between the My-Number segment and the Internet nothing may",
                "alpha knows no named clouds",
                "collector.yaml:19:9: there is a line from DMZ to LGWAN接続系 already", NULL});
}

static void test_values_refused(void **state)
{
    (void)state;
    refused(TOWN_BEGIN
            "    gateways:\n"
            "      - {name: a, cidr: 10.1.128.9, role: update, zones: [LGWAN接続系, 外]}\n"
            "    flows:\n"
            "      - {name: c, from: 個人番号利用事務系, to: 999.1.1.1, ports: \"0\"}\n"
            "      - {name: d, from: www.example.com, to: LGWAN接続系, expires: 2026-02-30}\n"
            "      - {name: e, from: 10.1.1.1/24, to: LGWAN接続系, hours: 9-17}\n"
            "      - {name: f, from: 10.1.1.1, to: LGWAN接続系, protocol: icmp, ports: \"8\"}\n"
            "      - {name: g, from: 10.1.1.2, to: LGWAN接続系, ports: \"9-8\"}\n"
            "    clouds: [{name: h, to: DMZ}]\n",
            10,
            (const char *const[]){
                "\"外\" is no zone of this municipality; write one of: 個人番号利用事務系, ",
                "\"999.1.1.1\" is no zone", "\"0\" is no list of ports",
                "\"www.example.com\" is no zone", "\"2026-02-30\" is no day",
                "bits set behind its prefix", "\"9-17\" are no hours",
                "only tcp and udp have ports", "\"9-8\" is no list of ports", "not a zone", NULL});
}

static void test_too_many_networks(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_text(&text, "data: d\ntenants:\n  \"052019\":\n    networks:\n");
    for (unsigned i = 0; i <= ZONE_NETWORKS_MAX; i++)
        buf_printf(&text, "      - {cidr: 10.%u.%u.%u, zone: a}\n", i >> 16, i >> 8 & 255, i & 255);
    refused_once(buf_string(&text), "65535 networks; at most 65534");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_zones_refused),
        cmocka_unit_test(test_networks_refused),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_too_many_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
