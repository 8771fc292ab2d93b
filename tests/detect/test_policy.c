/* The matrix of every model, what opens it, and what is refused when it is written down. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/err.h"
#include "detect/policy.h"
#include "detect/policy_print.h"
#include "tests/detect/fake_run.h"
#include "tests/detect/policy_town.h"

/* What a line from one address to another says. */
static struct policy_judgement judge_facts(const struct policy *p, const struct town *t,
                                           const char *from, const char *to,
                                           struct policy_facts facts)
{
    struct zone_table *table = NULL;
    struct ip source = fake_ip(from);
    struct ip destination = fake_ip(to);
    size_t bad = 0;
    assert_int_equal(zone_table_new(&table, t->networks, t->o.network_count, &bad), 0);
    facts.source = &source;
    facts.destination = &destination;
    facts.source_zone = zone_find(table, &source).zone;
    facts.destination_zone = zone_find(table, &destination).zone;
    facts.source_inside = facts.source_zone != 0 || ip_is_private(&source);
    facts.destination_inside = facts.destination_zone != 0 || ip_is_private(&destination);
    if (facts.time_ns == 0)
        facts.time_ns = town_noon();
    if (facts.port == 0)
        facts.port = 443;
    if (facts.protocol == 0)
        facts.protocol = 6;
    struct policy_judgement j = policy_judge(p, &facts);
    zone_table_free(table);
    return j;
}

static struct policy_judgement judge(const struct policy *p, const struct town *t, const char *from,
                                     const char *to, bool refused)
{
    struct policy_facts facts = {.refused = refused};
    return judge_facts(p, t, from, to, facts);
}

/* ------------------------------------------------------------------------- matrices */

/*
 * Rules by kind, rows and columns in the order none, My-Number, LGWAN, Internet segment, DMZ, other,
 * Internet: '-' deny, 'A' allow, 'G' gateway, 'S' special, 'C' cloud, 'x' never.
 */
static const char *const RULES[POLICY_MODELS][POLICY_KINDS] = {
    [POLICY_ALPHA] = {"-------", "-AS---x", "-SAGG-G", "--GAAAA", "--GAAAA", "---AAAA", "-x-AAAA"},
    [POLICY_ALPHA_DASH] = {"-------", "-AS---x", "-SAGG-C", "--GAAAA", "--GAAAA", "---AAAA",
                           "-x-AAAA"},
    [POLICY_BETA] = {"-------", "-AS---x", "-SAGG-G", "--GAAAA", "--GAAAA", "---AAAA", "-x-AAAA"},
    [POLICY_BETA_DASH] = {"-------", "-AS---x", "-SASS-G", "--SAAAA", "--SAAAA", "---AAAA",
                          "-x-AAAA"},
    [POLICY_CUSTOM] = {"-------", "-ASSSSx", "-SASSSS", "-SSASSS", "-SSSASS", "-SSSSSS", "-xSSSSA"},
};

/* What a device's "allow" means there with nothing registered: P permitted, A against, H homeless. */
static const char *const ALLOWED[POLICY_MODELS][POLICY_KINDS] = {
    [POLICY_ALPHA] = {"HHHHHHH", "HPAAAAA", "HAPAAAA", "HAAPPPP", "HAAPPPP", "HAAPPPP", "HAAPPP."},
    [POLICY_ALPHA_DASH] = {"HHHHHHH", "HPAAAAA", "HAPAAAA", "HAAPPPP", "HAAPPPP", "HAAPPPP",
                           "HAAPPP."},
    [POLICY_BETA] = {"HHHHHHH", "HPAAAAA", "HAPAAAA", "HAAPPPP", "HAAPPPP", "HAAPPPP", "HAAPPP."},
    [POLICY_BETA_DASH] = {"HHHHHHH", "HPAAAAA", "HAPAAAA", "HAAPPPP", "HAAPPPP", "HAAPPPP",
                          "HAAPPP."},
    [POLICY_CUSTOM] = {"HHHHHHH", "HPAAAAA", "HAPAAAA", "HAAPAAA", "HAAAPAA", "HAAAAPA", "HAAAAA."},
};

/* And its "deny": T attempt. */
static const char *const REFUSED[POLICY_MODELS][POLICY_KINDS] = {
    [POLICY_ALPHA] = {"HHHHHHH", "TPTTTTT", "TTPTTTT", ".TTPPPP", ".TTPPPP", ".TTPPPP", "......."},
    [POLICY_ALPHA_DASH] = {"HHHHHHH", "TPTTTTT", "TTPTTTT", ".TTPPPP", ".TTPPPP", ".TTPPPP",
                           "......."},
    [POLICY_BETA] = {"HHHHHHH", "TPTTTTT", "TTPTTTT", ".TTPPPP", ".TTPPPP", ".TTPPPP", "......."},
    [POLICY_BETA_DASH] = {"HHHHHHH", "TPTTTTT", "TTPTTTT", ".TTPPPP", ".TTPPPP", ".TTPPPP",
                          "......."},
    [POLICY_CUSTOM] = {"HHHHHHH", "TPTTTTT", "TTPTTTT", ".TTPTTT", ".TTTPTT", ".TTTTPT", "......."},
};

static const char VERDICTS[] = {[POLICY_UNJUDGED] = '.',
                                [POLICY_PERMITTED] = 'P',
                                [POLICY_AGAINST] = 'A',
                                [POLICY_ATTEMPT] = 'T',
                                [POLICY_HOMELESS] = 'H'};

/* Every model x from x to, one after the other. */
struct place_at {
    unsigned model;
    unsigned from;
    unsigned to;
};

static bool next_place(struct place_at *at)
{
    if (++at->to < POLICY_KINDS)
        return true;
    at->to = 0;
    if (++at->from < POLICY_KINDS)
        return true;
    at->from = 0;
    return ++at->model < POLICY_MODELS;
}

static void fail_at(const struct place_at *at, char have)
{
    fail_msg("%s %s -> %s is %c", policy_model_name(at->model), policy_kind_name(at->from),
             policy_kind_name(at->to), have);
}

static void test_rules(void **state)
{
    static const char SIGNS[] = {
        [POLICY_DENY] = '-',    [POLICY_ALLOW] = 'A', [POLICY_GATEWAY] = 'G',
        [POLICY_SPECIAL] = 'S', [POLICY_CLOUD] = 'C', [POLICY_NEVER] = 'x'};
    struct place_at at = {0};
    (void)state;
    do {
        struct policy_cell cell = policy_preset((enum policy_model)at.model,
                                                (enum policy_kind)at.from, (enum policy_kind)at.to);
        if (SIGNS[cell.rule] != RULES[at.model][at.from][at.to])
            fail_at(&at, SIGNS[cell.rule]);
    } while (next_place(&at));
}

static void check_verdict(const struct policy *p, const struct town *t, const struct place_at *at,
                          bool refused)
{
    const char *const *want = refused ? REFUSED[at->model] : ALLOWED[at->model];
    struct policy_judgement j = judge(p, t, TOWN_HOSTS[at->from], TOWN_HOSTS[at->to], refused);
    if (VERDICTS[j.verdict] != want[at->from][at->to])
        fail_at(at, VERDICTS[j.verdict]);
    if (j.verdict == POLICY_UNJUDGED)
        return;
    assert_int_equal(j.from_kind, at->from);
    assert_int_equal(j.to_kind, at->to);
}

static void test_verdicts(void **state)
{
    struct place_at at = {0};
    (void)state;
    do {
        struct town t = town_new((enum policy_model)at.model);
        struct policy *p = town_policy(&t);
        check_verdict(p, &t, &at, false);
        check_verdict(p, &t, &at, true);
        policy_free(p);
    } while (next_place(&at));
}

/* Between any two zones: what is registered opens the way unless the rule is "never". */
static void check_opening(const struct place_at *at)
{
    const char *from = TOWN_HOSTS[at->from];
    const char *to = TOWN_HOSTS[at->to];
    uint8_t places[2] = {TOWN_PLACES[at->from], TOWN_PLACES[at->to]};
    struct town t = town_new((enum policy_model)at->model);
    struct policy *p = NULL;
    town_gateway(&t, from, POLICY_RELAY, town_bit(places[0]) | town_bit(places[1]))->reason =
        SLICE("試験");
    town_flow(&t, town_end_place(places[0]), town_end_network(to))->reason = SLICE("試験");
    bool never = RULES[at->model][at->from][at->to] == 'x';
    assert_int_equal(town_make(&p, &t), never ? ERR_CONF : 0);
    if (never)
        return;
    struct policy_judgement j = judge(p, &t, from, to, false);
    assert_int_equal(j.verdict, POLICY_PERMITTED);
    assert_int_equal(j.cause, POLICY_BY_GATEWAY);
    policy_free(p);
    t.o.gateway_count = 0;
    p = town_policy(&t);
    j = judge(p, &t, from, to, true);
    assert_int_equal(j.verdict, POLICY_PERMITTED);
    assert_int_equal(j.cause, POLICY_BY_FLOW);
    policy_free(p);
}

static void test_what_opens(void **state)
{
    struct place_at at = {0};
    (void)state;
    do {
        bool ours = at.from != POLICY_NONE && at.from != POLICY_WORLD && at.to != POLICY_NONE;
        if (ours && at.from != at.to && RULES[at.model][at.from][at.to] != 'A')
            check_opening(&at);
    } while (next_place(&at));
}

/* Roles that a model foresees need no reason: s screen z sanitizer u update p proxy m mail r relay b. */
static void test_roles(void **state)
{
    static const char SIGNS[POLICY_ROLES + 1] = "zsupmrb";
    static const struct {
        enum policy_model model;
        enum town_place a;
        enum town_place b;
        const char *roles;
    } ROWS[] = {
        {POLICY_ALPHA, NUMBER, LGWAN, "ur"},
        {POLICY_ALPHA, NUMBER, INTERNET, ""},
        {POLICY_ALPHA, NUMBER, DMZ, ""},
        {POLICY_ALPHA, LGWAN, INTERNET, "zsmr"},
        {POLICY_ALPHA, LGWAN, DMZ, "zsupmrb"},
        {POLICY_ALPHA, LGWAN, OTHER, ""},
        {POLICY_ALPHA, LGWAN, WORLD, "zsum"},
        {POLICY_ALPHA_DASH, LGWAN, WORLD, "zsupmb"},
        {POLICY_ALPHA_DASH, LGWAN, INTERNET, "zsmr"},
        {POLICY_BETA, LGWAN, INTERNET, "zsumr"},
        {POLICY_BETA, LGWAN, WORLD, "u"},
        {POLICY_BETA_DASH, LGWAN, INTERNET, "zsumr"},
        {POLICY_BETA_DASH, LGWAN, WORLD, "u"},
        {POLICY_CUSTOM, LGWAN, WORLD, "zsupmrb"},
        {POLICY_ALPHA, INTERNET, WORLD, "zsupmrb"}, /* everything passes anyway */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        for (unsigned role = 0; role < POLICY_ROLES; role++) {
            struct town t = town_new(ROWS[i].model);
            struct policy *p = NULL;
            char cidr[64];
            (void)snprintf(cidr, sizeof(cidr), "%s/32", TOWN_HOSTS[ROWS[i].a]);
            town_gateway(&t, cidr, (enum policy_role)role,
                         town_bit(ROWS[i].a) | town_bit(ROWS[i].b));
            bool foreseen = strchr(ROWS[i].roles, SIGNS[role]) != NULL;
            if ((town_make(&p, &t) == 0) != foreseen)
                fail_msg("row %zu, role %s", i, policy_role_name(role));
            policy_free(p);
        }
    }
}

/* ------------------------------------------------------------------ gateways, flows */

static void test_gateway(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.1.128.10", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD));
    town_gateway(&t, "10.1.64.30", POLICY_SANITIZER, town_bit(LGWAN) | town_bit(INTERNET));
    struct policy *p = town_policy(&t);
    struct policy_judgement j = judge(p, &t, "10.1.128.10", "198.51.100.7", false);
    assert_int_equal(j.verdict, POLICY_PERMITTED);
    assert_int_equal(j.cause, POLICY_BY_GATEWAY);
    assert_int_equal(j.item, 0);
    /* Its neighbour is no gateway, and it joins no other zone. */
    assert_int_equal(judge(p, &t, "10.1.128.11", "198.51.100.7", false).verdict, POLICY_AGAINST);
    assert_int_equal(judge(p, &t, "10.1.128.10", "10.1.0.50", false).verdict, POLICY_AGAINST);
    /* From outside back to it, too; not to another one. */
    assert_int_equal(judge(p, &t, "198.51.100.7", "10.1.128.10", false).verdict, POLICY_PERMITTED);
    assert_int_equal(judge(p, &t, "198.51.100.7", "10.1.128.11", false).verdict, POLICY_AGAINST);
    /* The sanitizer stands in a third zone: both sides reach it, it reaches both. */
    assert_int_equal(judge(p, &t, "10.1.0.50", "10.1.64.30", false).verdict, POLICY_PERMITTED);
    assert_int_equal(judge(p, &t, "10.1.64.30", "10.1.128.50", false).item, 1);
    assert_int_equal(judge(p, &t, "10.1.128.50", "10.1.64.30", false).verdict, POLICY_PERMITTED);
    assert_int_equal(judge(p, &t, "10.1.128.50", "10.1.64.31", false).verdict, POLICY_AGAINST);
    /* Past it there is nothing. */
    assert_int_equal(judge(p, &t, "10.1.0.50", "10.1.128.50", true).verdict, POLICY_ATTEMPT);
    policy_free(p);
}

static void test_flow(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_BETA);
    struct policy_flow *f =
        town_flow(&t, town_end_network("192.168.1.10"), town_end_network("10.1.130.0/24"));
    f->protocol = 6;
    f->ports[0] = (struct policy_ports){443, 443};
    f->ports[1] = (struct policy_ports){8000, 8010};
    f->port_count = 2;
    f->until_ns = town_noon() + CALENDAR_DAY_NS;
    assert_int_equal(policy_hours_parse(&f->hours, SLICE("office")), 0);
    struct policy *p = town_policy(&t);
    static const struct {
        const char *from;
        const char *to;
        uint16_t port;
        uint8_t protocol;
        int8_t hours; /* after noon */
        uint8_t verdict;
        uint8_t cause;
    } ROWS[] = {
        {"192.168.1.10", "10.1.130.5", 443, 6, 0, POLICY_PERMITTED, POLICY_BY_FLOW},
        {"192.168.1.10", "10.1.130.5", 8005, 6, 0, POLICY_PERMITTED, POLICY_BY_FLOW},
        {"192.168.1.10", "10.1.130.5", 8011, 6, 0, POLICY_AGAINST, POLICY_BY_MODEL},
        {"192.168.1.10", "10.1.130.5", 443, 17, 0, POLICY_AGAINST, POLICY_BY_MODEL},
        {"192.168.1.11", "10.1.130.5", 443, 6, 0, POLICY_AGAINST, POLICY_BY_MODEL},
        {"192.168.1.10", "10.1.131.5", 443, 6, 0, POLICY_AGAINST, POLICY_BY_MODEL},
        {"10.1.130.5", "192.168.1.10", 443, 6, 0, POLICY_AGAINST, POLICY_BY_MODEL},
        {"192.168.1.10", "10.1.130.5", 443, 6, 9, POLICY_AGAINST, POLICY_BY_HOURS},
        {"192.168.1.10", "10.1.130.5", 443, 6, 24, POLICY_AGAINST, POLICY_BY_EXPIRY},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct policy_facts facts = {.time_ns = town_noon() + ROWS[i].hours * CALENDAR_HOUR_NS,
                                     .port = ROWS[i].port,
                                     .protocol = ROWS[i].protocol};
        struct policy_judgement j = judge_facts(p, &t, ROWS[i].from, ROWS[i].to, facts);
        if (j.verdict != ROWS[i].verdict || j.cause != ROWS[i].cause)
            fail_msg("row %zu: %u by %u", i, j.verdict, j.cause);
    }
    policy_free(p);
}

static void test_clouds(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA_DASH);
    t.clouds[0] = (struct policy_cloud){SLICE("office"), town_end_domain("office.example")};
    t.clouds[1] = (struct policy_cloud){SLICE("mail"), town_end_network("203.0.113.0/28")};
    t.o.cloud_count = 2;
    struct policy *p = town_policy(&t);
    struct policy_facts facts = {.domain = SLICE("login.office.example")};
    assert_int_equal(judge_facts(p, &t, "10.1.128.50", "198.51.100.7", facts).cause,
                     POLICY_BY_CLOUD);
    facts.domain = SLICE("myoffice.example");
    assert_int_equal(judge_facts(p, &t, "10.1.128.50", "198.51.100.7", facts).verdict,
                     POLICY_AGAINST);
    facts.domain = SLICE("");
    assert_int_equal(judge_facts(p, &t, "10.1.128.50", "203.0.113.15", facts).verdict,
                     POLICY_PERMITTED);
    assert_int_equal(judge_facts(p, &t, "10.1.128.50", "203.0.113.16", facts).verdict,
                     POLICY_AGAINST);
    /* The My-Number segment has no clouds. */
    facts.domain = SLICE("login.office.example");
    assert_int_equal(judge_facts(p, &t, "192.168.1.10", "203.0.113.15", facts).verdict,
                     POLICY_AGAINST);
    policy_free(p);
}

/* A proxy's line has a name and no address. */
static void test_names(void **state)
{
    static const struct {
        const char *from;
        const char *name;
        uint16_t zone;
        uint8_t verdict;
    } ROWS[] = {
        {"10.1.128.50", "www.example.com", LGWAN, POLICY_AGAINST},
        {"192.168.1.10", "www.example.com", NUMBER, POLICY_AGAINST},
        {"10.1.0.50", "www.example.com", INTERNET, POLICY_PERMITTED},
        {"10.1.128.50", "www.town.lgwan.jp", LGWAN, POLICY_PERMITTED},
        {"192.168.1.10", "www.town.lgwan.jp", NUMBER, POLICY_AGAINST},
        {"10.1.0.50", "www.town.lgwan.jp", INTERNET, POLICY_AGAINST},
        {"10.1.128.50", "intranet", LGWAN, POLICY_UNJUDGED},
        {"10.1.128.50", "files.town.local", LGWAN, POLICY_UNJUDGED},
        {"10.1.128.50", "notlocal", LGWAN, POLICY_UNJUDGED},
        {"10.1.128.50", "not.alocal", LGWAN, POLICY_AGAINST},
        {"10.1.128.50", "", LGWAN, POLICY_UNJUDGED},
    };
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    struct policy *p = town_policy(&t);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct ip source = fake_ip(ROWS[i].from);
        struct policy_facts facts = {.time_ns = town_noon(),
                                     .source = &source,
                                     .domain = slice_from(ROWS[i].name),
                                     .source_zone = ROWS[i].zone,
                                     .source_inside = true};
        struct policy_judgement j = policy_judge(p, &facts);
        if (j.verdict != ROWS[i].verdict)
            fail_msg("row %zu: %u", i, j.verdict);
    }
    policy_free(p);
}

static void test_no_host(void **state)
{
    static const char *const NO[] = {"0.0.0.0",   "127.0.0.1",       "169.254.3.4", "224.0.0.251",
                                     "239.1.2.3", "255.255.255.255", "::",          "::1",
                                     "fe80::1",   "ff02::fb"};
    static const char *const YES[] = {"10.0.0.1",    "223.255.255.255", "169.253.0.1",
                                      "2001:db8::1", "fd00::1",         "::2"};
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    struct policy *p = town_policy(&t);
    for (size_t i = 0; i < sizeof(NO) / sizeof(NO[0]); i++) {
        struct ip ip = fake_ip(NO[i]);
        assert_true(policy_is_no_host(&ip));
        assert_int_equal(judge(p, &t, "10.1.128.50", NO[i], false).verdict, POLICY_UNJUDGED);
        assert_int_equal(judge(p, &t, NO[i], "10.1.128.50", false).verdict, POLICY_UNJUDGED);
    }
    for (size_t i = 0; i < sizeof(YES) / sizeof(YES[0]); i++) {
        struct ip ip = fake_ip(YES[i]);
        assert_false(policy_is_no_host(&ip));
    }
    policy_free(p);
}

static void test_lines(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    t.lines[0] = (struct policy_line){INTERNET, OTHER, POLICY_DENY, SLICE("")};
    t.lines[1] = (struct policy_line){LGWAN, OTHER, POLICY_ALLOW, SLICE("消防の業務")};
    t.o.line_count = 2;
    struct policy *p = town_policy(&t);
    struct policy_judgement j =
        judge(p, &t, TOWN_HOSTS[POLICY_INTERNET], TOWN_HOSTS[POLICY_OTHER], false);
    assert_int_equal(j.verdict, POLICY_AGAINST);
    assert_int_equal(j.cause, POLICY_BY_LINE);
    assert_int_equal(j.item, 0);
    j = judge(p, &t, TOWN_HOSTS[POLICY_LGWAN], TOWN_HOSTS[POLICY_OTHER], false);
    assert_int_equal(j.verdict, POLICY_PERMITTED);
    assert_int_equal(j.item, 1);
    assert_int_equal(
        judge(p, &t, TOWN_HOSTS[POLICY_OTHER], TOWN_HOSTS[POLICY_LGWAN], false).verdict,
        POLICY_AGAINST);
    policy_free(p);
}

/* ------------------------------------------------------------------------------ hours */

static void test_hours(void **state)
{
    static const struct {
        const char *hours;
        int32_t day[3];
        int32_t minute;
        bool holds;
    } ROWS[] = {
        {"always", {2026, 11, 3}, 0, true},
        {"office", {2026, 11, 5}, 8 * 60 + 29, false},
        {"office", {2026, 11, 5}, 8 * 60 + 30, true},
        {"office", {2026, 11, 5}, 17 * 60 + 24, true}, /* the grace of ten minutes */
        {"office", {2026, 11, 5}, 17 * 60 + 25, false},
        {"office", {2026, 11, 3}, 12 * 60, false}, /* 文化の日 */
        {"office", {2026, 11, 7}, 12 * 60, false}, /* Saturday */
        {"office", {2026, 12, 29}, 12 * 60, false},
        {"office", {2027, 3, 22}, 12 * 60, false}, /* a substitute: the equinox is a Sunday */
        {"holidays 09:00-12:00", {2026, 11, 3}, 10 * 60, true},
        {"holidays 09:00-12:00", {2026, 11, 4}, 10 * 60, false},
        {"daily 22:00-04:00", {2026, 11, 5}, 23 * 60, true},
        {"daily 22:00-04:00", {2026, 11, 5}, 3 * 60, true},
        {"daily 22:00-04:00", {2026, 11, 5}, 12 * 60, false},
        {"fri 22:00-04:00", {2026, 11, 7}, 3 * 60, true}, /* of Friday's */
        {"fri 22:00-04:00", {2026, 11, 6}, 3 * 60, false},
        {"sat+sun 09:00-10:00, mon 01:00-02:00", {2026, 11, 8}, 9 * 60, true},
        {"sat+sun 09:00-10:00, mon 01:00-02:00", {2026, 11, 9}, 90, true},
        {"sat+sun 09:00-10:00, mon 01:00-02:00", {2026, 11, 9}, 9 * 60, false},
        {"mon 00:00-24:00", {2026, 11, 9}, 1439, true},
        {"mon 00:00-24:00", {2026, 11, 10}, 5, true},
        {"mon 00:00-24:00", {2026, 11, 10}, 10, false},
    };
    static const char *const WRONG[] = {
        "",
        "office,",
        "weekdays",
        "weekdays 8:30-17:15",
        "funday 08:00-09:00",
        "daily 08:00-08:00",
        "daily 08:00-24:01",
        "daily 24:00-08:00",
        "daily 08:60-09:00",
        "daily 08:00",
        "mon+ 08:00-09:00",
        "mon 01:00-02:00,tue 01:00-02:00,wed 01:00-02:00,thu 01:00-02:00,fri 01:00-02:00",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct policy_hours hours;
        assert_int_equal(policy_hours_parse(&hours, slice_from(ROWS[i].hours)), 0);
        int64_t day = clock_days(ROWS[i].day[0], ROWS[i].day[1], ROWS[i].day[2]);
        int64_t time_ns = calendar_midnight(day) + ROWS[i].minute * CLOCK_NS_PER_MINUTE;
        if (policy_hours_hold(&hours, time_ns, POLICY_GRACE_MINUTES) != ROWS[i].holds)
            fail_msg("row %zu", i);
    }
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct policy_hours hours;
        if (policy_hours_parse(&hours, slice_from(WRONG[i])) != ERR_FORMAT)
            fail_msg("\"%s\" was taken", WRONG[i]);
    }
}

static void test_kinds(void **state)
{
    static const struct {
        const char *name;
        enum policy_kind kind;
    } ROWS[] = {
        {"マイナンバー利用事務系", POLICY_NUMBER},
        {"個人番号利用事務系", POLICY_NUMBER},
        {"My-Number", POLICY_NUMBER},
        {"LGWAN接続系", POLICY_LGWAN},
        {"ＬＧＷＡＮ接続系", POLICY_LGWAN},
        {"lgwan 接続系", POLICY_LGWAN},
        {"業務系", POLICY_LGWAN},
        {"インターネット接続系", POLICY_INTERNET},
        {"Internet", POLICY_INTERNET},
        {"internet_segment", POLICY_INTERNET},
        {"dmz", POLICY_DMZ},
        {"学校", POLICY_NONE},
        {"", POLICY_NONE},
        {"LGWAN接読系", POLICY_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (policy_kind_of(slice_from(ROWS[i].name)) != ROWS[i].kind)
            fail_msg("%s", ROWS[i].name);
    }
}

/* ------------------------------------------------------------------------- what is said */

static void test_explain(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    struct policy_flow *f = town_flow(&t, town_end_place(NUMBER), town_end_place(LGWAN));
    f->until_ns = calendar_midnight(clock_days(2026, 4, 1));
    town_gateway(&t, "10.1.128.10", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD))->name =
        SLICE("更新");
    struct policy *p = town_policy(&t);
    struct buf out = {0};
    struct policy_judgement j = judge(p, &t, "192.168.1.10", "10.1.128.50", false);
    policy_explain(&out, p, &j, true);
    assert_string_equal(buf_string(&out), "特定通信「基幹連携」は期限切れ(最終日 2026-03-31)");
    buf_reset(&out);
    j = judge(p, &t, "10.1.128.50", "198.51.100.7", false);
    policy_explain(&out, p, &j, true);
    assert_string_equal(buf_string(&out),
                        "αモデル: LGWAN接続系→インターネット(外部)は登録された中継装置だけ可");
    buf_reset(&out);
    policy_explain(&out, p, &j, false);
    assert_string_equal(
        buf_string(&out),
        "model alpha: LGWAN接続系 -> Internet (outside): only through registered gateways");
    buf_reset(&out);
    j = judge(p, &t, "10.1.128.10", "198.51.100.7", false);
    policy_explain(&out, p, &j, true);
    assert_string_equal(buf_string(&out), "中継装置「更新」");
    buf_release(&out);
    policy_free(p);
}

static void test_print(void **state)
{
    static const char WANT[] =
        "  from \\ to                    [1]      [2]      [3]      [4]      [5]      [*]\n"
        "  [1]  マイナンバー利用事務系  OK       FLOW     -        -        -        NEVER\n"
        "  [2]  LGWAN接続系             FLOW     OK       GW       GW       -        GW\n"
        "  [3]  インターネット接続系    -        GW       OK       OK       -!       OK\n"
        "  [4]  DMZ                     -        GW       OK       OK       OK       OK\n"
        "  [5]  消防                    -        -        OK       OK       OK       OK\n"
        "  [*]  Internet (outside)      NEVER    -        OK       OK       OK       .\n"
        "    -      nothing may pass\n"
        "    OK     allowed\n"
        "    GW     only through registered gateways\n"
        "    FLOW   only registered special flows and gateways\n"
        "    NEVER  never\n"
        "    !      a line that the municipality wrote\n"
        "  Registered gateways\n"
        "    - gw: update platform, 10.1.128.10, LGWAN接続系 <-> Internet (outside)\n"
        "  Registered special flows\n"
        "    - 基幹連携: マイナンバー利用事務系 -> 10.1.130.0/24 tcp/443,8000-8010, working days "
        "08:30-17:15, until 2026-03-31 (over); reason: 連携\n"
        "  Lines of its own\n"
        "    - インターネット接続系 -> 消防: nothing may pass\n";
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    struct policy_flow *f =
        town_flow(&t, town_end_place(NUMBER), town_end_network("10.1.130.0/24"));
    f->protocol = 6;
    f->ports[0] = (struct policy_ports){443, 443};
    f->ports[1] = (struct policy_ports){8000, 8010};
    f->port_count = 2;
    f->reason = SLICE("連携");
    f->until_ns = calendar_midnight(clock_days(2026, 4, 1));
    assert_int_equal(policy_hours_parse(&f->hours, SLICE("office")), 0);
    town_gateway(&t, "10.1.128.10", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD));
    t.lines[0] = (struct policy_line){INTERNET, OTHER, POLICY_DENY, SLICE("")};
    t.o.line_count = 1;
    struct policy *p = town_policy(&t);
    struct buf out = {0};
    policy_print(&out, p, town_noon(), false);
    assert_string_equal(buf_string(&out), WANT);
    buf_reset(&out);
    policy_print(&out, p, CLOCK_NONE, true);
    assert_non_null(strstr(buf_string(&out), "登録された特定通信と中継装置だけ可"));
    assert_non_null(strstr(buf_string(&out), "開庁日 08:30-17:15、期限 2026-03-31、理由: 連携\n"));
    buf_release(&out);
    policy_free(p);
    assert_int_equal(policy_text_columns(SLICE("LGWAN接続系")), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_what_opens), cmocka_unit_test(test_roles),
        cmocka_unit_test(test_gateway),    cmocka_unit_test(test_flow),
        cmocka_unit_test(test_clouds),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_host),    cmocka_unit_test(test_lines),
        cmocka_unit_test(test_hours),      cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_explain),    cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
