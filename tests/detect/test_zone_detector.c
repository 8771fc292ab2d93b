/* Segment violations as alerts: which kind, whose, how many; and services never seen before. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "detect/policy.h"
#include "tests/detect/fake_run.h"

enum zone {
    NUMBER = 1,
    LGWAN,
    INTERNET,
    DMZ,
};

/* Of detector_zone's texts, by their names. */
static unsigned text_of(const char *name)
{
    for (unsigned i = 0; i < detector_zone.text_count; i++) {
        if (strcmp(detector_zone.texts[i].name, name) == 0)
            return i;
    }
    fail_msg("no text %s", name);
    return 0;
}

struct town {
    struct detect_run run;
    struct zone_network networks[8];
    size_t network_count;
    struct zone_table *table;
    struct policy *policy;
};

static struct network network(const char *text)
{
    char padded[128] = {0};
    struct network net;
    (void)snprintf(padded, sizeof(padded), "%s", text);
    assert_int_equal(network_parse(&net, slice_of(padded, strlen(text)), NULL), 0);
    return net;
}

static void no_fault(void *self, enum policy_part part, size_t index, const char *text)
{
    (void)self;
    (void)part;
    (void)index;
    fail_msg("%s", text);
}

static void add_network(struct town *t, const char *cidr, uint16_t zone)
{
    t->networks[t->network_count++] = (struct zone_network){
        .network = network(cidr), .match = {.zone = zone, .excluded = zone == 0}};
}

static void town_begin(struct town *t)
{
    static const struct policy_zone ZONES[] = {
        {{.data = "マイナンバー利用事務系", .len = 33}, POLICY_NUMBER},
        {{.data = "LGWAN接続系", .len = 14}, POLICY_LGWAN},
        {{.data = "インターネット接続系", .len = 30}, POLICY_INTERNET},
        {{.data = "DMZ", .len = 3}, POLICY_DMZ},
    };
    const struct policy_gateway gateway = {
        .name = SLICE("更新"),
        .network = network("10.1.128.10"),
        .joins = UINT64_C(1) << LGWAN | UINT64_C(1) << POLICY_PLACE_WORLD,
        .role = POLICY_UPDATE,
    };
    const struct policy_reader reader = {.fault = no_fault};
    size_t bad = 0;
    memset(t, 0, sizeof(*t));
    add_network(t, "192.168.0.0/16", NUMBER);
    add_network(t, "10.1.128.0/18", LGWAN);
    add_network(t, "10.1.0.0/18", INTERNET);
    add_network(t, "10.1.64.0/24", DMZ);
    add_network(t, "10.1.192.0/18", 0);
    struct policy_options o = {.model = POLICY_ALPHA,
                               .zones = ZONES,
                               .zone_count = 4,
                               .networks = t->networks,
                               .network_count = t->network_count,
                               .gateways = &gateway,
                               .gateway_count = 1};
    assert_int_equal(zone_table_new(&t->table, t->networks, t->network_count, &bad), 0);
    assert_int_equal(policy_new(&t->policy, &o, &reader), 0);
    fake_run_begin(&t->run, &detector_zone, DETECT_SMALL);
    t->run.policy = t->policy;
}

static void town_end(struct town *t)
{
    fake_run_end(&t->run);
    policy_free(t->policy);
    zone_table_free(t->table);
}

/* Thursday 2026-11-05, 10:00 in Japan, and days after it. */
static int64_t morning(int day)
{
    return calendar_midnight(clock_days(2026, 11, 5) + day) + 10 * CALENDAR_HOUR_NS;
}

static struct flow flow_of(const struct town *t, const char *from, const char *to, uint16_t port,
                           int64_t time_ns)
{
    struct flow f = fake_flow(from, to, port, time_ns);
    struct zone_match source = zone_find(t->table, &f.source);
    struct zone_match destination = zone_find(t->table, &f.destination);
    f.source_zone = source.zone;
    f.destination_zone = destination.zone;
    if (source.excluded || destination.excluded)
        f.flags |= FLOW_EXCLUDED;
    return f;
}

static void show(struct town *t, const char *from, const char *to, bool refused)
{
    struct flow f = flow_of(t, from, to, 443, morning(0));
    if (refused) {
        f.flags |= FLOW_REFUSED;
        f.verdict = 2;
    }
    fake_run_flow(&t->run, &f);
}

static const struct finding *only(const struct town *t, const char *text)
{
    if (t->run.finding_count != 1)
        fail_msg("%zu findings, wanted %s", t->run.finding_count, text);
    assert_int_equal(t->run.findings[0].text, text_of(text));
    return &t->run.findings[0];
}

/* The severity of a finding without what assets add. */
static int severity_of(const struct finding *f)
{
    return (int)detector_zone.texts[f->text].severity + f->severity_step;
}

/* ------------------------------------------------------------------------------ kinds */

static void test_kinds(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        const char *text; /* NULL = silence */
        const char *key;
        const char *value;
        int severity;
        bool refused;
    } ROWS[] = {
        {"192.168.1.9", "198.51.100.7", "permitted-mynumber", "source.ip", "192.168.1.9",
         ALERT_CRITICAL, false},
        {"192.168.1.9", "198.51.100.7", "denied-mynumber", "source.ip", "192.168.1.9",
         ALERT_CRITICAL, true},
        {"10.1.128.50", "198.51.100.7", "permitted-lgwan", "source.ip", "10.1.128.50",
         ALERT_CRITICAL, false},
        {"10.1.128.50", "198.51.100.7", "denied", "source.ip", "10.1.128.50", ALERT_MEDIUM, true},
        {"10.1.128.10", "198.51.100.7", NULL, NULL, NULL, 0, false},
        {"192.168.1.9", "10.1.0.50", "permitted", "source.ip", "192.168.1.9", ALERT_CRITICAL,
         false},
        {"192.168.1.9", "10.1.0.50", "denied", "source.ip", "192.168.1.9", ALERT_HIGH, true},
        {"10.1.0.50", "10.1.128.50", "permitted", "source.ip", "10.1.0.50", ALERT_HIGH, false},
        {"198.51.100.7", "192.168.1.9", "permitted", "destination.ip", "192.168.1.9",
         ALERT_CRITICAL, false},
        {"198.51.100.7", "10.1.128.50", "permitted", "destination.ip", "10.1.128.50", ALERT_HIGH,
         false},
        /* What outsiders try and the device refuses is noise. */
        {"198.51.100.7", "192.168.1.9", NULL, NULL, NULL, 0, true},
        {"198.51.100.7", "10.1.64.10", NULL, NULL, NULL, 0, true},
        {"198.51.100.7", "203.0.113.7", NULL, NULL, NULL, 0, true},
        {"10.1.0.50", "198.51.100.7", NULL, NULL, NULL, 0, false},
        {"172.16.0.9", "198.51.100.7", "no-zone", "source.ip", "172.16.0.9", ALERT_MEDIUM, false},
        {"172.16.0.9", "198.51.100.7", "no-zone", "source.ip", "172.16.0.9", ALERT_LOW, true},
        {"10.1.128.50", "172.16.0.9", "no-zone", "destination.ip", "172.16.0.9", ALERT_HIGH, false},
        {"10.1.0.50", "172.16.0.9", NULL, NULL, NULL, 0, true},
        /* The excluded network, as source and as destination. */
        {"10.1.200.5", "198.51.100.7", NULL, NULL, NULL, 0, false},
        {"192.168.1.9", "10.1.200.5", NULL, NULL, NULL, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct town t;
        town_begin(&t);
        show(&t, ROWS[i].from, ROWS[i].to, ROWS[i].refused);
        if (ROWS[i].text == NULL) {
            if (t.run.finding_count != 0)
                fail_msg("row %zu: %s", i, detector_zone.texts[t.run.findings[0].text].name);
        } else {
            const struct finding *f = only(&t, ROWS[i].text);
            assert_false(f->scored);
            assert_int_equal(severity_of(f), ROWS[i].severity);
            assert_string_equal(fake_item(f, ROWS[i].key), ROWS[i].value);
            assert_string_equal(fake_item(f, "source"), ROWS[i].from);
            assert_string_equal(fake_item(f, "destination"), ROWS[i].to);
            assert_string_equal(fake_item(f, "service"), "tcp/443");
            assert_string_equal(fake_item(f, "verdict"), ROWS[i].refused ? "deny" : "allow");
            assert_string_not_equal(fake_item(f, "rule.ja"), "");
            assert_string_not_equal(fake_item(f, "rule.en"), "");
        }
        town_end(&t);
    }
}

/* Before the LGWAN everybody outside is the LGWAN's, whatever range his address is of. */
static void test_before_lgwan(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        const char *text; /* NULL = silence */
        const char *key;
        int severity;
        bool refused;
    } ROWS[] = {
        {"10.1.128.50", "198.51.100.7", NULL, NULL, 0, true},
        {"10.1.128.50", "172.16.0.9", NULL, NULL, 0, true},
        {"198.51.100.7", "10.1.128.50", NULL, NULL, 0, true},
        {"172.16.0.9", "10.1.128.50", NULL, NULL, 0, true},
        {"10.1.128.50", "198.51.100.7", NULL, NULL, 0, false},
        {"198.51.100.7", "203.0.113.7", NULL, NULL, 0, true},
        {"192.168.1.9", "198.51.100.7", "denied", "source.ip", ALERT_HIGH, true},
        {"10.1.0.50", "198.51.100.7", "denied", "source.ip", ALERT_MEDIUM, true},
        {"198.51.100.7", "192.168.1.9", "denied", "source.ip", ALERT_HIGH, true},
        {"198.51.100.7", "192.168.1.9", "permitted", "source.ip", ALERT_CRITICAL, false},
        {"10.1.200.5", "198.51.100.7", NULL, NULL, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct town t;
        town_begin(&t);
        struct flow f = flow_of(&t, ROWS[i].from, ROWS[i].to, 445, morning(0));
        f.flags |= FLOW_LGWAN | (ROWS[i].refused ? FLOW_REFUSED : 0);
        fake_run_flow(&t.run, &f);
        if (ROWS[i].text == NULL && t.run.finding_count != 0)
            fail_msg("row %zu: %s", i, detector_zone.texts[t.run.findings[0].text].name);
        if (ROWS[i].text != NULL) {
            const struct finding *found = only(&t, ROWS[i].text);
            assert_int_equal(severity_of(found), ROWS[i].severity);
            assert_string_equal(fake_item(found, ROWS[i].key), ROWS[i].from);
            bool from_lgwan = strcmp(ROWS[i].from, "198.51.100.7") == 0;
            assert_string_equal(
                fake_item(found, from_lgwan ? "sekisho.zone.source" : "sekisho.zone.destination"),
                "LGWAN接続系");
        }
        town_end(&t);
    }
}

static void test_zones_are_keys(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    show(&t, "192.168.1.9", "198.51.100.7", false);
    const struct finding *f = only(&t, "permitted-mynumber");
    assert_string_equal(fake_item(f, "sekisho.zone.source"), "マイナンバー利用事務系");
    assert_string_equal(fake_item(f, "sekisho.zone.destination"), "Internet");
    assert_string_equal(fake_item(f, "rule"), "never");
    assert_string_equal(fake_item(f, "rule.en"),
                        "model alpha: マイナンバー利用事務系 -> Internet (outside): never");
    town_end(&t);
}

/* A proxy's line: a name in place of an address. */
static void test_name(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    struct flow f = flow_of(&t, "10.1.128.50", "198.51.100.7", 443, morning(0));
    f.flags = FLOW_HAS_SOURCE | FLOW_WEB;
    f.domain = fake_run_text(&t.run, "www.example.com");
    fake_run_flow(&t.run, &f);
    assert_string_equal(fake_item(only(&t, "permitted-lgwan"), "destination"), "www.example.com");
    town_end(&t);
}

static void test_no_policy(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    t.run.policy = NULL;
    show(&t, "192.168.1.9", "198.51.100.7", false);
    assert_int_equal(t.run.fired, 0);
    town_end(&t);
}

/* ----------------------------------------------------------------------------- grouping */

static void lgwan_host(struct town *t, unsigned host, int day)
{
    char from[32];
    (void)snprintf(from, sizeof(from), "10.1.%u.%u", 129 + host / 200, host % 200 + 1);
    struct flow f = flow_of(t, from, "198.51.100.7", 443, morning(day));
    fake_run_flow(&t->run, &f);
}

/* Ten alerts of their own, one for all others, the same ones again when they go on. */
static void test_crowd(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    unsigned alone = text_of("permitted-lgwan");
    unsigned many = text_of("permitted-lgwan-many");
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned host = 0; host < 500; host++)
            lgwan_host(&t, host, 0);
        fake_run_move(&t.run);
        assert_int_equal(fake_count(&t.run, alone, NULL, NULL), 10);
        assert_int_equal(fake_count(&t.run, many, NULL, NULL), 490);
        assert_string_equal(fake_item(&t.run.findings[t.run.finding_count - 1], "hosts"), "500");
        assert_string_equal(fake_item(&t.run.findings[t.run.finding_count - 1], "source.ip"), "");
        fake_run_clear(&t.run);
    }
    /* The day after: the same hosts stay where they are, a new one is told alone. */
    lgwan_host(&t, 3, 1);
    lgwan_host(&t, 300, 1);
    lgwan_host(&t, 600, 1);
    assert_int_equal(t.run.findings[0].text, alone);
    assert_int_equal(t.run.findings[1].text, many);
    assert_int_equal(t.run.findings[2].text, alone);
    fake_run_clear(&t.run);
    /* After more than a week of silence it begins anew. */
    lgwan_host(&t, 300, 12);
    assert_int_equal(t.run.findings[0].text, alone);
    town_end(&t);
}

/* Kinds and pairs of zones do not share the ten. */
static void test_crowds_are_apart(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    for (unsigned host = 0; host < 40; host++)
        lgwan_host(&t, host, 0);
    fake_run_clear(&t.run);
    show(&t, "10.1.128.77", "198.51.100.7", true);
    show(&t, "10.1.128.77", "10.1.0.5", false);
    show(&t, "192.168.3.3", "198.51.100.7", false);
    assert_int_equal(fake_count(&t.run, text_of("denied"), "source.ip", "10.1.128.77"), 1);
    assert_int_equal(fake_count(&t.run, text_of("permitted"), "source.ip", "10.1.128.77"), 1);
    assert_int_equal(fake_count(&t.run, text_of("permitted-mynumber"), NULL, NULL), 1);
    town_end(&t);
}

/* A flood of addresses evicts, and goes on being told. */
static void test_flood(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    for (unsigned i = 0; i < 200000; i++) {
        char from[32];
        (void)snprintf(from, sizeof(from), "172.%u.%u.%u", 16 + (i >> 16), i >> 8 & 255, i & 255);
        struct flow f = flow_of(&t, from, "198.51.100.7", 443, morning(0));
        fake_run_flow(&t.run, &f);
    }
    assert_int_equal(t.run.fired, 200000);
    assert_int_equal(fake_count(&t.run, text_of("no-zone"), NULL, NULL), 10);
    assert_true(detector_zone.evictions(t.run.state) > 190000);
    town_end(&t);
}

/* ---------------------------------------------------------------------------- first seen */

static void service(struct town *t, uint16_t port, int day)
{
    struct flow f = flow_of(t, "10.1.0.50", "10.1.64.10", port, morning(day));
    fake_run_flow(&t->run, &f);
}

static void test_first_seen(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    unsigned first = text_of("first-seen");
    for (int day = 0; day < 7; day++) {
        service(&t, 443, day);
        service(&t, 25, day);
        if (day == 3)
            service(&t, 8443, day);
    }
    /* A week is for learning. */
    assert_int_equal(t.run.fired, 0);
    service(&t, 443, 7);
    assert_int_equal(t.run.fired, 0);
    service(&t, 3389, 7);
    assert_int_equal(t.run.fired, 1);
    const struct finding *f = &t.run.findings[0];
    assert_int_equal(f->text, first);
    assert_true(f->scored);
    /* One of the six whole days between the first and today had a new service. */
    assert_string_equal(fake_item(f, "days"), "6");
    assert_string_equal(fake_item(f, "days_with_new"), "1");
    assert_true(fabs(f->tail - 1.5 / 7.0) < 1e-12);
    assert_string_equal(fake_item(f, "service"), "tcp/3389");
    /* One evaluation a day and pair of zones; known ones never again. */
    service(&t, 22, 7);
    service(&t, 3389, 8);
    assert_int_equal(t.run.fired, 1);
    service(&t, 5900, 30);
    assert_int_equal(t.run.fired, 2);
    assert_true(fabs(t.run.findings[1].tail - 2.5 / 30.0) < 1e-12);
    town_end(&t);
}

/* What is no service, or not between zones, or is told as a violation. */
static void test_not_learned(void **state)
{
    (void)state;
    struct town t;
    town_begin(&t);
    service(&t, 443, 0);
    struct flow f = flow_of(&t, "10.1.0.50", "10.1.64.10", 3389, morning(20));
    f.flags |= FLOW_FAILED;
    fake_run_flow(&t.run, &f);
    f.flags = FLOW_HAS_SOURCE | FLOW_HAS_DESTINATION | FLOW_REFUSED;
    fake_run_flow(&t.run, &f);
    f = flow_of(&t, "10.1.0.50", "10.1.0.51", 3389, morning(20));
    fake_run_flow(&t.run, &f);
    f = flow_of(&t, "10.1.0.50", "198.51.100.9", 6881, morning(20));
    fake_run_flow(&t.run, &f);
    f = flow_of(&t, "10.1.0.50", "10.1.64.10", 0, morning(20));
    fake_run_flow(&t.run, &f);
    f = flow_of(&t, "10.1.0.50", "10.1.64.10", 9, morning(20));
    f.protocol = 1;
    fake_run_flow(&t.run, &f);
    assert_int_equal(t.run.fired, 0);
    /* Dynamic ports are one service. */
    service(&t, 50001, 20);
    service(&t, 61000, 21);
    assert_int_equal(t.run.fired, 1);
    town_end(&t);
}

/* Names in braces are those that findings hold. */
static void check_names(const char *name, const char *text)
{
    static const char *const NAMES[] = {"{source}",
                                        "{destination}",
                                        "{service}",
                                        "{rule.ja}",
                                        "{rule.en}",
                                        "{hosts}",
                                        "{address}",
                                        "{days}",
                                        "{sekisho.zone.source}",
                                        "{days_with_new}",
                                        "{sekisho.zone.destination}"};
    for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
        size_t n = 0;
        while (n < sizeof(NAMES) / sizeof(NAMES[0]) && strncmp(at, NAMES[n], strlen(NAMES[n])) != 0)
            n++;
        if (n == sizeof(NAMES) / sizeof(NAMES[0]))
            fail_msg("%s: %.20s", name, at);
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < detector_zone.text_count; i++) {
        const struct detector_text *text = &detector_zone.texts[i];
        const char *const parts[] = {text->message_ja, text->message_en, text->action_ja,
                                     text->action_en};
        assert_non_null(text->name);
        for (size_t k = 0; k < 4; k++) {
            assert_true(strlen(parts[k]) > 20);
            check_names(text->name, parts[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_before_lgwan),
        cmocka_unit_test(test_zones_are_keys),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_no_policy),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_crowds_are_apart),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_first_seen),
        cmocka_unit_test(test_not_learned),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
