/* Episodes: findings of one thing are one alert, with revisions, ends, suppressions and a cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/detectors.h"

#define SECOND CLOCK_NS_PER_SECOND
#define MINUTE CLOCK_NS_PER_MINUTE
#define HOUR   (60 * MINUTE)
#define WINDOW (30 * MINUTE)
#define START  (INT64_C(1790521200) * SECOND) /* a full hour */

enum {
    SAID_MAX = 8192,
    LINE_MAX = 4096,
    TENANT = 990001,
    KEY_MAX = 32,
};

/* A revision that was released. */
struct said {
    struct alert_id id;
    uint32_t revision;
    char line[LINE_MAX];
};

struct town {
    struct detect_shared shared;
    struct detect_profile profile;
    struct detect_tenant *tenant;
    struct detect_run *run;
    struct said *said;
    size_t count;
    int64_t offset;
    const struct detector *detector;
    int8_t step; /* of findings to come */
    double tail; /* of them; 0 = certain */
    uint32_t sub;
};

static int take(void *self, const struct detect_alert *alert)
{
    struct town *t = self;
    struct slice line = alert->record.line;
    assert_true(t->count < SAID_MAX && line.len < LINE_MAX);
    struct said *s = &t->said[t->count++];
    *s = (struct said){.id = alert->record.id, .revision = alert->record.revision};
    memcpy(s->line, line.data, line.len);
    return 0;
}

static void town_open(struct town *t)
{
    *t = (struct town){.shared = {.seed = 7},
                       .profile = {.tenant = TENANT,
                                   .name = SLICE("Example town"),
                                   .size = DETECT_SMALL,
                                   .budget = DETECT_BUDGET_DEFAULT,
                                   .lateness_ns = 120 * SECOND},
                       .said = calloc(SAID_MAX, sizeof(struct said)),
                       .detector = &detector_scan};
    assert_non_null(t->said);
    const struct detect_options o = {
        .shared = &t->shared, .profile = &t->profile, .alert = take, .self = t};
    assert_int_equal(detect_tenant_new(&t->tenant, &o), 0);
    t->run = &t->tenant->run;
    struct tenant_state *s = t->tenant->state;
    s->source_count = 1;
    s->sources[0] = (struct source_state){.newest_ns = CLOCK_NONE,
                                          .seen_tick_ns = CLOCK_NONE,
                                          .topic_len = 3,
                                          .name_len = 3,
                                          .name = "fw1",
                                          .topic = "fw1"};
    assert_int_equal(detect_tick(t->tenant, START, 0), 0);
    assert_int_equal(t->count, 0);
}

static void town_close(struct town *t)
{
    detect_tenant_free(t->tenant);
    free(t->said);
}

/* One more finding of a source, completed by a row or, without, by the tick. */
static void fire_as(struct town *t, const char *key, int64_t time_ns, bool row, bool ended)
{
    struct finding f;
    struct flow flow = {.time_ns = time_ns,
                        .arrival_ns = time_ns,
                        .offset = t->offset,
                        .partition = 2,
                        .sub = t->sub};
    t->offset += row;
    finding_begin(&f, 0, row ? &flow : NULL, WINDOW);
    f.time_ns = time_ns;
    f.ended = ended;
    f.severity_step = t->step;
    if (t->tail > 0)
        finding_score(&f, t->tail);
    finding_key_text(&f, "source.ip", slice_from(key));
    detectors_enter(t->run, t->detector);
    detect_fire(t->run, &f);
    assert_int_equal(t->run->status, 0);
}

static void fire(struct town *t, const char *key, int64_t time_ns)
{
    fire_as(t, key, time_ns, true, false);
}

static const char *numbered(char out[KEY_MAX], unsigned i)
{
    (void)snprintf(out, KEY_MAX, "192.0.2.%u", i);
    return out;
}

static void tick(struct town *t, int64_t tick_ns)
{
    assert_int_equal(detect_tick(t->tenant, tick_ns, 0), 0);
}

static bool says(const struct said *s, const char *what)
{
    return strstr(s->line, what) != NULL;
}

/* The i-th thing said so far, which is of that revision and state. */
static const struct said *said(const struct town *t, size_t i, uint32_t revision, const char *state)
{
    char want[64];
    assert_true(i < t->count);
    (void)snprintf(want, sizeof(want), "\"alert.state\":\"%s\"", state);
    assert_int_equal(t->said[i].revision, revision);
    assert_true(says(&t->said[i], want));
    return &t->said[i];
}

static void assert_same(const struct said *a, const struct said *b)
{
    assert_true(alert_id_equal(&a->id, &b->id));
}

static void assert_other(const struct said *a, const struct said *b)
{
    assert_false(alert_id_equal(&a->id, &b->id));
}

static void suppress(struct town *t, const char *key, int64_t until_ns)
{
    struct detect_control c = {
        .action = DETECT_SUPPRESS, .until_ns = until_ns, .kind = "D3", .reason = "known"};
    (void)snprintf(c.kind, sizeof(c.kind), "%s", t->detector->id);
    (void)snprintf(c.key, sizeof(c.key), "%s", key);
    assert_int_equal(detect_control(t->tenant, &c), 0);
}

/* ------------------------------------------------------------------------------ revisions */

static void test_revisions(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fire(&t, "192.0.2.1", START);
    assert_true(says(said(&t, 0, 1, "open"), "\"alert.count\":1,"));
    for (int i = 1; i <= 40; i++)
        fire(&t, "192.0.2.1", START + i * SECOND);
    tick(&t, START + 59 * SECOND);
    assert_int_equal(t.count, 1);
    tick(&t, START + 60 * SECOND);
    const struct said *second = said(&t, 1, 2, "amended");
    assert_same(second, &t.said[0]);
    assert_true(says(second, "\"alert.count\":41,"));
    /* The first rows stay, the last one is there. */
    assert_true(says(second, "\"evidence\":[\"fw1/2/0/0\",\"fw1/2/1/0\","));
    assert_true(says(second, "\"fw1/2/40/0\""));
    tick(&t, START + 300 * SECOND);
    assert_int_equal(t.count, 2);
    town_close(&t);
}

/* Once the window has emptied, the same thing is another alert. */
static void test_window_ends(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fire(&t, "192.0.2.1", START);
    fire(&t, "192.0.2.1", START + SECOND);
    tick(&t, START + 61 * SECOND);
    tick(&t, START + WINDOW + 10 * MINUTE);
    assert_int_equal(t.tenant->state->episodes.table.count, 0);
    (void)said(&t, 1, 2, "amended");
    assert_int_equal(t.count, 2);
    fire(&t, "192.0.2.1", START + SECOND + WINDOW);
    assert_other(said(&t, 2, 1, "open"), &t.said[0]);
    town_close(&t);
}

static void test_ended(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fire_as(&t, "192.0.2.1", START, true, true);
    assert_int_equal(t.count, 0);
    fire(&t, "192.0.2.1", START);
    fire_as(&t, "192.0.2.1", START + MINUTE, true, true);
    assert_true(says(said(&t, 1, 2, "closed"), "\"explain.closed\":\"over\""));
    assert_int_equal(t.tenant->state->episodes.table.count, 0);
    town_close(&t);
}

/* A row between two episodes makes them one. */
static void test_late_row(void **state)
{
    (void)state;
    struct town t;
    char by[64] = "\"alert.superseded_by\":\"";
    town_open(&t);
    fire(&t, "192.0.2.1", START);
    fire(&t, "192.0.2.1", START + WINDOW * 5 / 2);
    fire(&t, "192.0.2.1", START + WINDOW);
    assert_int_equal(t.count, 2);
    assert_other(&t.said[0], said(&t, 1, 1, "open"));
    fire(&t, "192.0.2.1", START + WINDOW * 17 / 10);
    const struct said *gone = said(&t, 2, 2, "superseded");
    assert_same(gone, &t.said[1]);
    for (size_t i = 0; i < ALERT_ID_BYTES; i++)
        (void)snprintf(by + strlen(by), 3, "%02x", t.said[0].id.bytes[i]);
    assert_true(says(gone, by));
    tick(&t, START + 2 * MINUTE);
    const struct said *stays = said(&t, 3, 2, "amended");
    assert_same(stays, &t.said[0]);
    assert_true(says(stays, "\"alert.count\":4,"));
    town_close(&t);
}

/* The row that joins two is also the end of what they tell: the one that stays closes. */
static void test_late_end(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fire(&t, "192.0.2.1", START);
    fire(&t, "192.0.2.1", START + WINDOW * 3 / 2);
    fire_as(&t, "192.0.2.1", START + WINDOW * 8 / 10, true, true);
    assert_same(said(&t, 2, 2, "superseded"), &t.said[1]);
    assert_same(said(&t, 3, 2, "closed"), &t.said[0]);
    assert_int_equal(t.tenant->state->episodes.table.count, 0);
    town_close(&t);
}

/* A line number past 16 bits is the row's own, in the evidence and in the identity. */
static void test_sub(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    t.sub = 70000;
    fire(&t, "192.0.2.1", START);
    t.offset = 0;
    t.sub = 70000 - 65536;
    fire(&t, "192.0.2.1", START + 2 * WINDOW);
    assert_true(says(&t.said[0], "\"evidence\":[\"fw1/2/0/70000\"]"));
    assert_other(&t.said[0], &t.said[1]);
    town_close(&t);
}

/* A full table gives up an episode, but not what had been added to it. */
static void test_full_table(void **state)
{
    (void)state;
    struct town t;
    char key[KEY_MAX];
    bool amended = false;
    town_open(&t);
    t.step = ALERT_CRITICAL;
    fire(&t, "192.0.2.250", START);
    fire(&t, "192.0.2.250", START);
    for (unsigned i = 0; i < 3000; i++)
        fire(&t, numbered(key, 1000 + i), START);
    for (size_t i = 0; i < t.count; i++)
        amended = amended || (t.said[i].revision == 2 && says(&t.said[i], "\"alert.count\":2,") &&
                              alert_id_equal(&t.said[i].id, &t.said[0].id));
    assert_true(amended);
    assert_true(t.tenant->state->episodes.table.evictions > 2000);
    town_close(&t);
}

/* --------------------------------------------------------------------------- kept back */

/* What goes on after the suppression's end is a new alert. */
static void test_suppressed(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    suppress(&t, "source.ip=192.0.2.1", START + 10 * MINUTE);
    fire(&t, "192.0.2.1", START);
    fire(&t, "192.0.2.1", START + 9 * MINUTE);
    assert_int_equal(t.count, 0);
    assert_int_equal(t.tenant->state->suppressed, 1);
    fire(&t, "192.0.2.2", START);
    assert_int_equal(t.count, 1);
    fire(&t, "192.0.2.1", START + 11 * MINUTE);
    assert_true(says(said(&t, 1, 1, "open"), "\"alert.count\":1,"));
    assert_true(says(&t.said[1], "\"fw1/2/3/0\""));
    fire(&t, "192.0.2.1", START + 12 * MINUTE);
    tick(&t, START + 12 * MINUTE);
    assert_same(said(&t, 2, 2, "amended"), &t.said[1]);
    town_close(&t);
}

/* A suppressed thing costs nothing of the day's budget. */
static void test_suppressed_budget(void **state)
{
    (void)state;
    struct town t;
    char key[KEY_MAX];
    town_open(&t);
    t.tail = 1e-6;
    suppress(&t, "", START + 10 * MINUTE);
    for (unsigned i = 0; i < 20; i++)
        fire(&t, numbered(key, i), START);
    assert_int_equal(t.count, 0);
    for (unsigned i = 0; i < 20; i++)
        fire(&t, numbered(key, 100 + i), START + 11 * MINUTE);
    assert_int_equal(t.count, (DETECT_BUDGET_DEFAULT + 1) / 2);
    assert_int_equal(t.tenant->state->digest_count, 20 - t.count);
    town_close(&t);
}

/* An alert that people hold is not superseded by one that they never saw. */
static void test_merge_with_silent(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    suppress(&t, "source.ip=192.0.2.1", START + 2 * WINDOW);
    fire(&t, "192.0.2.1", START);
    fire(&t, "192.0.2.1", START + WINDOW * 5 / 2);
    fire(&t, "192.0.2.1", START + WINDOW);
    (void)said(&t, 0, 1, "open");
    assert_int_equal(t.count, 1);
    fire(&t, "192.0.2.1", START + WINDOW * 17 / 10);
    assert_int_equal(t.count, 1);
    tick(&t, START + 2 * MINUTE);
    assert_same(said(&t, 1, 2, "amended"), &t.said[0]);
    assert_true(says(&t.said[1], "\"alert.count\":4,"));
    assert_int_equal(t.count, 2);
    town_close(&t);
}

/* As many alerts as an hour may have, all at 50 minutes past. */
static void fill_hour(struct town *t)
{
    char key[KEY_MAX];
    tick(t, START + 50 * MINUTE);
    for (unsigned i = 0; i < TENANT_ALERTS_PER_HOUR; i++)
        fire(t, numbered(key, 1000 + i), START + 50 * MINUTE);
    assert_int_equal(t->count, TENANT_ALERTS_PER_HOUR);
}

/* What the cap kept back is said as a number at the hour's end, and alone when it goes on. */
static void test_cap(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fill_hour(&t);
    fire(&t, "192.0.2.1", START + 51 * MINUTE);
    fire(&t, "192.0.2.1", START + 52 * MINUTE);
    fire(&t, "192.0.2.2", START + 52 * MINUTE);
    assert_int_equal(t.count, TENANT_ALERTS_PER_HOUR);
    tick(&t, START + 60 * MINUTE);
    const struct said *held = said(&t, TENANT_ALERTS_PER_HOUR, 1, "open");
    assert_true(says(held, "\"rule.name\":\"coverage held\""));
    assert_true(says(held, "\"explain.released\":200,\"explain.held\":2"));
    size_t before = t.count;
    fire(&t, "192.0.2.1", START + 61 * MINUTE);
    assert_true(says(said(&t, before, 1, "open"), "\"source.ip\":\"192.0.2.1\""));
    fire(&t, "192.0.2.1", START + 62 * MINUTE);
    tick(&t, START + 63 * MINUTE);
    assert_same(said(&t, before + 1, 2, "amended"), &t.said[before]);
    assert_int_equal(t.count, before + 2);
    town_close(&t);
}

/* Critical things and what detection says of itself are never kept back. */
static void test_cap_exceptions(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fill_hour(&t);
    fire(&t, "192.0.2.1", START + 51 * MINUTE);
    assert_int_equal(t.count, TENANT_ALERTS_PER_HOUR);
    t.step = ALERT_CRITICAL;
    fire(&t, "192.0.2.1", START + 52 * MINUTE);
    assert_true(says(said(&t, TENANT_ALERTS_PER_HOUR, 1, "open"), "\"critical\""));
    t.step = 0;
    t.detector = &detector_coverage;
    fire_as(&t, "192.0.2.2", START + 52 * MINUTE, false, false);
    assert_true(
        says(said(&t, TENANT_ALERTS_PER_HOUR + 1, 1, "open"), "\"alert.kind\":\"coverage\""));
    town_close(&t);
}

/* By id: the open episode closes with the reason, and its like is kept back. */
static void test_control_by_id(void **state)
{
    (void)state;
    struct town t;
    town_open(&t);
    fire(&t, "192.0.2.1", START);
    struct detect_control c = {.action = DETECT_SUPPRESS,
                               .by_id = true,
                               .id = t.said[0].id,
                               .until_ns = START + HOUR,
                               .reason = "a \"test\""};
    assert_int_equal(detect_control(t.tenant, &c), 0);
    assert_true(says(said(&t, 1, 2, "closed"), "\"explain.closed\":\"a \\\"test\\\"\""));
    assert_int_equal(detect_control(t.tenant, &c), ERR_NOTFOUND);
    fire(&t, "192.0.2.1", START + MINUTE);
    assert_int_equal(t.count, 2);
    c.action = DETECT_CLOSE;
    fire(&t, "192.0.2.2", START + MINUTE);
    c.id = t.said[2].id;
    c.tenant = TENANT + 1;
    assert_int_equal(detect_control(t.tenant, &c), ERR_NOTFOUND);
    c.tenant = TENANT;
    assert_int_equal(detect_control(t.tenant, &c), 0);
    assert_same(said(&t, 3, 2, "closed"), &t.said[2]);
    fire(&t, "192.0.2.2", START + 2 * MINUTE);
    assert_other(said(&t, 4, 1, "open"), &t.said[2]);
    town_close(&t);
}

/* A copy of the state goes on as the original would. */
static void test_saved(void **state)
{
    (void)state;
    struct town a;
    struct town b;
    struct buf bytes = {0};
    town_open(&a);
    town_open(&b);
    suppress(&a, "source.ip=192.0.2.9", START + MINUTE);
    fire(&a, "192.0.2.9", START);
    fire(&a, "192.0.2.1", START);
    assert_int_equal(detect_tenant_image(a.tenant, &bytes), 0);
    assert_int_equal(detect_tenant_load(b.tenant, buf_content(&bytes)), 0);
    assert_int_equal(detect_tenant_load(b.tenant, slice_of(bytes.data, bytes.len - 8)), ERR_FORMAT);
    bytes.data[0] = (char)(bytes.data[0] ^ 1);
    assert_int_equal(detect_tenant_load(b.tenant, buf_content(&bytes)), ERR_FORMAT);
    a.count = 0;
    b.offset = a.offset;
    struct town *both[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        fire(both[i], "192.0.2.1", START + 2 * MINUTE);
        fire(both[i], "192.0.2.9", START + 2 * MINUTE);
        tick(both[i], START + 2 * MINUTE);
    }
    assert_int_equal(a.count, 2);
    assert_int_equal(b.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(a.said[i].line, b.said[i].line);
    buf_release(&bytes);
    town_close(&a);
    town_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_window_ends),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_late_row),
        cmocka_unit_test(test_late_end),
        cmocka_unit_test(test_sub),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_suppressed),
        cmocka_unit_test(test_suppressed_budget),
        cmocka_unit_test(test_merge_with_silent),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_cap_exceptions),
        cmocka_unit_test(test_control_by_id),
        cmocka_unit_test(test_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
