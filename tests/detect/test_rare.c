/* D1: what a score means, and a small municipality whose people browse all day. */
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

#include "base/calendar.h"
#include "detect/detector_rare.h"
#include "detect/rare_score.h"
#include "tests/detect/fake_run.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define HOUR   CALENDAR_HOUR_NS
#define DAY    CALENDAR_DAY_NS
#define MONDAY calendar_midnight(20731) /* 2026-10-05 */

enum {
    HOSTS = 40,
    PAGES = HOSTS * 2,  /* opened in an hour */
    SITES = 400,        /* that everybody knows */
    FIRST_NAME = 10000, /* names are numbers here; below it they have a text */
    NEW_NAMES = 2000000,
    LEARN_DAYS = 8,
    NEW_DOMAIN = 0, /* texts */
    NEW_ADDRESS = 1,
    NEW_DOMAIN_ALONE = 2,
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((random_next(state) >> 32) * bound >> 32);
}

/* ---------------------------------------------------------------------------- the score */

/* How often something happens, each time with half the chance. */
static uint32_t halving(uint64_t *random)
{
    return (uint32_t)__builtin_ctzll(random_next(random) | UINT64_C(1) << 40);
}

static struct rare_unit draw_unit(uint64_t *random)
{
    uint32_t visits = 1 + halving(random);
    return (struct rare_unit){.visits = visits,
                              .small = halving(random) / 2 + visits / 3,
                              .quiet = below(random, 20) == 0 ? visits : 0,
                              .alone = below(random, 12) == 0 ? visits - 1 : 0,
                              .upload_bytes = UINT64_C(200) << halving(random),
                              .kind = below(random, 10) == 0 ? 1 + below(random, 3) : 0};
}

static void learn_day(struct rare_score *s, const struct rare_unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rare_score_learn(s, &units[i]);
    rare_score_weigh(s);
    for (size_t i = 0; i < count; i++)
        rare_score_close(s, &units[i]);
    (void)rare_score_turn(s);
}

/*
 * Municipalities that see the same kind of places every day: a share of 1 in 1,000 comes true about
 * once in 1,000, and the alert about once in ten days.
 */
static void test_nominal_and_realised(void **state)
{
    (void)state;
    enum {
        TOWNS = 100,
        DAYS = 10,
        JUDGED_DAYS = 20,
        UNITS = 150
    };
    static const double SHARES[] = {0.05, 0.01, 0.001};
    double reached[3] = {0};
    double alerts = 0;
    uint64_t random = 11;
    for (unsigned town = 0; town < TOWNS; town++) {
        struct rare_score s = {0};
        struct rare_unit units[UNITS];
        for (unsigned day = 0; day < DAYS + JUDGED_DAYS; day++) {
            for (unsigned i = 0; i < UNITS; i++) {
                units[i] = draw_unit(&random);
                if (day < DAYS)
                    continue;
                double bits = rare_score_of(&s, &units[i]);
                for (unsigned k = 0; k < 3; k++)
                    reached[k] += rare_score_share(&s, bits) <= SHARES[k];
                alerts += rare_score_rate(&s, bits) <= RARE_ALERT_RATE;
            }
            learn_day(&s, units, UNITS);
        }
    }
    double all = (double)TOWNS * JUDGED_DAYS * UNITS;
    for (unsigned k = 0; k < 3; k++) {
        double expected = all * SHARES[k];
        print_message("share %g: %.0f of %.0f expected\n", SHARES[k], reached[k], expected);
        assert_true(reached[k] > expected / 2 && reached[k] < expected * 2);
    }
    double expected = TOWNS * JUDGED_DAYS * RARE_ALERT_RATE;
    print_message("alerts: %.0f of %.0f expected\n", alerts, expected);
    assert_true(alerts > expected / 2 && alerts < expected * 2);
}

static void test_score_grows_with_traits(void **state)
{
    (void)state;
    struct rare_score s = {0};
    struct rare_unit units[200];
    uint64_t random = 5;
    assert_false(rare_score_ready(&s));
    for (unsigned day = 0; day < 3; day++) {
        for (unsigned i = 0; i < 200; i++)
            units[i] = draw_unit(&random);
        learn_day(&s, units, 200);
    }
    assert_true(rare_score_ready(&s));
    struct rare_unit unit = {.visits = 1};
    double last = rare_score_of(&s, &unit);
    double last_rate = rare_score_rate(&s, last);
    for (unsigned i = 1; i < 600; i++) {
        unit = (struct rare_unit){.visits = i,
                                  .small = i,
                                  .quiet = i,
                                  .alone = i - 1,
                                  .upload_bytes = (uint64_t)i * i * 1024};
        double bits = rare_score_of(&s, &unit);
        double rate = rare_score_rate(&s, bits);
        assert_true(bits >= last && rate <= last_rate && rate > 0);
        last = bits;
        last_rate = rate;
    }
    assert_true(last_rate < RARE_ALERT_RATE);
}

static void test_too_few_to_judge(void **state)
{
    (void)state;
    struct rare_score s = {0};
    struct rare_unit unit = {.visits = 1};
    for (unsigned i = 0; i + 1 < RARE_UNITS_MIN; i++)
        rare_score_learn(&s, &unit);
    rare_score_weigh(&s);
    for (unsigned i = 0; i + 1 < RARE_UNITS_MIN; i++)
        rare_score_close(&s, &unit);
    (void)rare_score_turn(&s);
    assert_false(rare_score_ready(&s));
}

/* ---------------------------------------------------------------------------- the town */

struct town {
    struct detect_run run;
    uint64_t random;
    uint32_t next_name; /* that nobody has met */
};

static const char *host_text(uint32_t host)
{
    static _Thread_local char text[24];
    (void)snprintf(text, sizeof(text), "10.20.%u.%u", host / 200 + 1, host % 200 + 2);
    return text;
}

static struct flow request(uint32_t host, uint32_t name, int64_t time_ns)
{
    char address[24];
    (void)snprintf(address, sizeof(address), "198.18.%u.%u", name / 250 % 250, name % 250 + 1);
    struct flow f = fake_flow(host_text(host), address, 443, time_ns);
    f.domain = f.registered = name;
    f.flags |= FLOW_WEB;
    f.source_bytes = 700;
    f.destination_bytes = 9000;
    fake_flow_keys(&f);
    return f;
}

/* A page: some requests of its own, some to places that everybody knows, within seconds. */
static void open_page(struct town *t, uint32_t host, uint32_t name, int64_t time_ns)
{
    uint32_t requests = 2 + below(&t->random, 10);
    for (uint32_t i = 0; i < requests; i++) {
        bool own = i == 0 || below(&t->random, 2) == 0;
        uint32_t to = own ? name : FIRST_NAME + below(&t->random, SITES);
        struct flow f = request(host, to, time_ns + i * SECOND / 3);
        f.destination_bytes = 600 + (INT64_C(1) << (6 + below(&t->random, 12)));
        f.source_bytes = 400 + below(&t->random, 2000);
        fake_run_flow(&t->run, &f);
    }
}

/* One hour of the office: known places, and now and then one that nobody knows. */
static void work_hour(struct town *t, int64_t from_ns)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        int64_t time = from_ns + HOUR / PAGES * page;
        uint32_t host = below(&t->random, HOSTS);
        fake_run_ticks(&t->run, time);
        bool tail = below(&t->random, 12) == 0;
        uint32_t name = tail ? t->next_name++ : FIRST_NAME + below(&t->random, SITES);
        open_page(t, host, name, time);
        /* Some read on. */
        for (uint32_t more = below(&t->random, 4); tail && more > 2; more--)
            open_page(t, host, name, time + 40 * SECOND * more);
    }
}

static void work_day(struct town *t, int64_t day)
{
    for (int64_t hour = 9; hour < 17; hour++)
        work_hour(t, MONDAY + day * DAY + hour * HOUR);
}

static void begin_town(struct town *t, unsigned days)
{
    memset(t, 0, sizeof(*t));
    t->random = 3;
    t->next_name = NEW_NAMES;
    fake_run_begin(&t->run, &detector_rare, DETECT_SMALL);
    t->run.prevalence_tenants = 41;
    fake_run_tick(&t->run, MONDAY);
    for (unsigned day = 0; day < days; day++)
        work_day(t, day);
    fake_run_ticks(&t->run, MONDAY + days * DAY + 10 * HOUR);
}

/* Small answers, every half a minute, while nobody browses. Returns the contacts until an alert. */
static unsigned check_in(struct town *t, uint32_t host, uint32_t name, unsigned times)
{
    int64_t from = t->run.tick_ns;
    for (unsigned i = 0; i < times; i++) {
        struct flow f = request(host, name, from + 30 * SECOND * i);
        f.source_bytes = 800;
        f.destination_bytes = 350;
        fake_run_ticks(&t->run, f.time_ns);
        fake_run_flow(&t->run, &f);
        if (t->run.finding_count != 0)
            return i + 1;
    }
    return 0;
}

static void test_check_ins_of_one_host(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    print_message("%zu alerts in the days before\n", t.run.finding_count);
    assert_true(t.run.finding_count <= 1);
    fake_run_clear(&t.run);
    uint32_t name = fake_run_text(&t.run, "kalendula.example");
    unsigned contacts = check_in(&t, 7, name, 8);
    assert_in_range(contacts, 2, 6);
    const struct finding *f = &t.run.findings[0];
    assert_int_equal(f->text, NEW_DOMAIN);
    assert_true(f->scored && f->tail > 0 && f->tail <= RARE_ALERT_RATE);
    assert_string_equal(fake_item(f, "source.ip"), "10.20.1.9");
    assert_string_equal(fake_item(f, "url.domain"), "kalendula.example");
    assert_string_equal(fake_item(f, "hosts"), "1");
    assert_string_equal(fake_item(f, "hosts_watched"), "40");
    assert_string_equal(fake_item(f, "municipalities"), "0");
    assert_string_equal(fake_item(f, "municipalities_watched"), "41");
    assert_int_equal(strtol(fake_item(f, "visits"), NULL, 10), contacts);
    /* What follows belongs to the same episode: one finding a visit. */
    fake_run_clear(&t.run);
    assert_int_equal(check_in(&t, 7, name, 1), 0);
    fake_run_ticks(&t.run, t.run.tick_ns + 30 * SECOND);
    assert_int_equal(check_in(&t, 7, name, 1), 1);
    fake_run_end(&t.run);
}

/* The number that follows a word in a text. */
static double number_after(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    assert_non_null(at);
    char *end;
    double value = strtod(at + strlen(word), &end);
    assert_ptr_not_equal(end, at + strlen(word));
    return value;
}

/* The sum of the parts is the score, and the tail follows from what is shown. */
static void test_numbers_can_be_checked(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    assert_true(check_in(&t, 7, fake_run_text(&t.run, "kalendula.example"), 8) > 0);
    const struct finding *f = &t.run.findings[0];
    static const char *const PARTS[] = {"visits ", "small_answers ", "upload ",
                                        "quiet ",  "alone ",         "kind "};
    double sum = 0;
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
        sum += number_after(fake_item(f, "bits"), PARTS[i]);
    double score = strtod(fake_item(f, "score"), NULL);
    assert_true(sum - score < 0.05 && score - sum < 0.05);
    double rate = number_after(fake_item(f, "usual"), "");
    double at = number_after(fake_item(f, "usual"), "from ");
    double scale = number_after(fake_item(f, "usual"), "scale ");
    double shape = number_after(fake_item(f, "usual"), "shape ");
    double step = (double)(int64_t)(score * RARE_STEPS_PER_BIT) / RARE_STEPS_PER_BIT;
    double per_day = rate * __builtin_pow(1 + shape * (step - at) / scale, -1 / shape);
    double said = strtod(fake_item(f, "per_day"), NULL);
    assert_true(per_day / said > 0.98 && per_day / said < 1.02);
    fake_run_end(&t.run);
}

static void test_people_are_no_alert(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    /* Curiosity: one page. And somebody reads three pages of it. */
    open_page(&t, 3, t.next_name++, t.run.tick_ns);
    for (unsigned page = 0; page < 3; page++)
        open_page(&t, 4, t.next_name, t.run.tick_ns + (10 + page * 40) * SECOND);
    fake_run_ticks(&t.run, t.run.tick_ns + 5 * MINUTE);
    assert_int_equal(t.run.finding_count, 0);
    fake_run_end(&t.run);
}

static void test_what_is_known_is_no_alert(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    /* Known to the municipality since the first day. */
    assert_int_equal(check_in(&t, 7, FIRST_NAME + 3, 10), 0);
    /* Known to other municipalities: three of 41; two are still rare. */
    struct flow f = request(8, 77, t.run.tick_ns);
    fake_run_prevalence(&t.run, f.destination_key, (struct prevalence){.tenants = 3});
    assert_int_equal(check_in(&t, 8, 77, 10), 0);
    f = request(9, 78, t.run.tick_ns);
    fake_run_prevalence(&t.run, f.destination_key, (struct prevalence){.tenants = 2});
    assert_true(check_in(&t, 9, 78, 10) > 0);
    assert_string_equal(fake_item(&t.run.findings[0], "municipalities"), "2");
    fake_run_end(&t.run);
}

static void test_many_hosts_are_no_alert(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    /* Three hosts at once, then one of them again and again: a new program of the office. */
    for (uint32_t host = 0; host < 3; host++) {
        struct flow f = request(host, 90, t.run.tick_ns);
        fake_run_flow(&t.run, &f);
    }
    assert_int_equal(check_in(&t, 1, 90, 20), 0);
    fake_run_end(&t.run);
}

static void test_learning_comes_first(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, 6);
    assert_int_equal(t.run.finding_count, 0);
    assert_int_equal(check_in(&t, 7, 91, 10), 0);
    fake_run_end(&t.run);
}

static void test_proxies_are_nobody(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    for (unsigned i = 0; i < 20; i++) {
        struct flow f = request(7, 92, t.run.tick_ns + 30 * SECOND * i);
        f.flags |= FLOW_SHARED_SOURCE;
        f.destination_bytes = 350;
        fake_run_flow(&t.run, &f);
    }
    assert_int_equal(t.run.finding_count, 0);
    fake_run_end(&t.run);
}

/* A firewall's session to an address that a request named belongs to the name. */
static void test_address_with_a_name(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    uint32_t name = fake_run_text(&t.run, "kalendula.example");
    for (unsigned i = 0; i < 8; i++) {
        struct flow f = request(7, name, t.run.tick_ns + 30 * SECOND * i);
        f.destination_bytes = 350;
        fake_run_flow(&t.run, &f);
        f.registered = f.domain = 0;
        f.flags &= (uint16_t)~FLOW_WEB;
        f.time_ns += SECOND;
        fake_flow_keys(&f);
        fake_run_flow(&t.run, &f);
    }
    assert_true(t.run.finding_count > 0);
    assert_int_equal(fake_count(&t.run, NEW_DOMAIN, NULL, NULL), t.run.finding_count);
    fake_run_end(&t.run);
}

/* An address that nobody named, on a port of its own. */
static void test_bare_address(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    for (unsigned i = 0; i < 6; i++) {
        struct flow f =
            fake_flow(host_text(5), "203.0.113.77", 8443, t.run.tick_ns + 30 * SECOND * i);
        f.destination_bytes = 350;
        fake_run_flow(&t.run, &f);
    }
    assert_true(t.run.finding_count > 0);
    assert_int_equal(t.run.findings[0].text, NEW_ADDRESS);
    assert_string_equal(fake_item(&t.run.findings[0], "destination.ip"), "203.0.113.77");
    fake_run_end(&t.run);
}

static void test_without_a_prefecture(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    t.run.prevalence_tenants = 0;
    assert_true(check_in(&t, 7, fake_run_text(&t.run, "kalendula.example"), 8) > 0);
    assert_int_equal(t.run.findings[0].text, NEW_DOMAIN_ALONE);
    fake_run_end(&t.run);
}

/* A scanning host meets hundreds of new places: a matter for D3, at most two alerts here. */
static void test_scanner_is_no_storm(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 250; i++) {
            char to[24];
            (void)snprintf(to, sizeof(to), "203.0.113.%u", i + 1);
            int64_t time = t.run.tick_ns + 10 * MINUTE * round + i * SECOND;
            struct flow f = fake_flow(host_text(6), to, 445, time);
            f.flags |= FLOW_REFUSED;
            f.source_bytes = f.destination_bytes = -1;
            fake_run_flow(&t.run, &f);
        }
        if (round == 0)
            assert_int_equal(t.run.finding_count, 0);
    }
    size_t first = 0;
    for (size_t i = 0; i < t.run.finding_count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen = seen || t.run.findings[i].flow->destination_key ==
                               t.run.findings[j].flow->destination_key;
        first += !seen;
    }
    assert_true(first <= 2);
    fake_run_end(&t.run);
}

/* The state is a copy of bytes, anywhere. */
static void test_state_can_be_moved(void **state)
{
    (void)state;
    unsigned contacts[2];
    for (unsigned moved = 0; moved < 2; moved++) {
        struct town t;
        begin_town(&t, 4);
        if (moved == 1)
            fake_run_move(&t.run);
        for (unsigned day = 4; day < LEARN_DAYS; day++)
            work_day(&t, day);
        fake_run_ticks(&t.run, MONDAY + LEARN_DAYS * DAY + 10 * HOUR);
        if (moved == 1)
            fake_run_move(&t.run);
        fake_run_clear(&t.run);
        contacts[moved] = check_in(&t, 7, fake_run_text(&t.run, "kalendula.example"), 8);
        fake_run_end(&t.run);
    }
    assert_true(contacts[0] > 0);
    assert_int_equal(contacts[0], contacts[1]);
}

/* Two million places of one host: memory stays, and it is counted. */
static void test_flood_of_places(void **state)
{
    (void)state;
    struct town t;
    begin_town(&t, LEARN_DAYS);
    fake_run_clear(&t.run);
    struct flow f = request(6, 0, t.run.tick_ns);
    for (uint32_t i = 0; i < 2000000; i++) {
        f.registered = f.domain = FIRST_NAME * 2 + i;
        f.destination_key = detect_key(1, i);
        f.time_ns += SECOND / 1000;
        fake_run_flow(&t.run, &f);
    }
    assert_true(detector_rare.evictions(t.run.state) > 1900000);
    assert_int_equal(t.run.finding_count, 0);
    fake_run_ticks(&t.run, MONDAY + (LEARN_DAYS + 2) * DAY + 10 * HOUR);
    /* A day of one host does not change what is unusual. */
    assert_true(check_in(&t, 7, fake_run_text(&t.run, "kalendula.example"), 8) > 0);
    fake_run_end(&t.run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nominal_and_realised),
        cmocka_unit_test(test_score_grows_with_traits),
        cmocka_unit_test(test_too_few_to_judge),
        cmocka_unit_test(test_check_ins_of_one_host),
        cmocka_unit_test(test_numbers_can_be_checked),
        cmocka_unit_test(test_people_are_no_alert),
        cmocka_unit_test(test_what_is_known_is_no_alert),
        cmocka_unit_test(test_many_hosts_are_no_alert),
        cmocka_unit_test(test_learning_comes_first),
        cmocka_unit_test(test_proxies_are_nobody),
        cmocka_unit_test(test_address_with_a_name),
        cmocka_unit_test(test_bare_address),
        cmocka_unit_test(test_without_a_prefecture),
        cmocka_unit_test(test_scanner_is_no_storm),
        cmocka_unit_test(test_state_can_be_moved),
        cmocka_unit_test(test_flood_of_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
