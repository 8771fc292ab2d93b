/* detect/correlate.h: what a state holds: texts, collisions, snapshots, groups that give way. */
#include "base/hash.h"
#include "tests/detect/correlate_trial.h"

enum {
    LENGTH_BYTES = 2, /* in front of each value of a group */
    COLLISION_NAMES = 1 << 19,
    CHURN_GROUPS = 3000,
    CHURN_EVENTS = 60000,
};

static const char *const TYPES[] = {
    "type: event_count, condition: {gte: 3}",
    "type: event_count, condition: {lt: 2}",
    "type: value_count, condition: {gte: 3, field: n}",
    "type: value_sum, condition: {gte: 12, field: n}",
    "type: value_avg, condition: {gt: 2.5, field: n}",
    "type: value_median, condition: {gte: 3, field: n}",
    "type: value_percentile, condition: {gte: 5, field: n, percentile: 90}",
    "type: temporal",
    "type: temporal, condition: r1 and not r2",
    "type: temporal_ordered",
};

enum {
    TYPE_COUNT = sizeof(TYPES) / sizeof(TYPES[0]),
};

static uint64_t dice_roll(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 20;
}

/* A trial of one correlation, by u and v. */
static struct trial *type_new(const char *type, uint32_t cells)
{
    struct buf text = {0};
    buf_printf(&text,
               "title: c\nid: c\n"
               "correlation: {rules: [r1, r2, r3], group-by: [u, v], timespan: 10s, %s}\n",
               type);
    struct trial *run = run_new(buf_string(&text), cells);
    buf_release(&text);
    return run;
}

/* Texts of groups */

struct wanted {
    const char *u;
    const char *v;
    uint32_t alerts;
    uint64_t group;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A correlate_fire: the values are those that were sent, cut as the header says. */
static int values_check(void *self, const struct correlate_alert *alert)
{
    struct wanted *w = self;
    assert_int_equal(alert->group_count, 2);
    size_t u = least(strlen(w->u), CORRELATE_GROUP_BYTES_MAX - (size_t)2 * LENGTH_BYTES);
    size_t v = least(strlen(w->v), CORRELATE_GROUP_BYTES_MAX - (size_t)2 * LENGTH_BYTES - u);
    assert_int_equal(alert->groups[0].len, u);
    assert_memory_equal(alert->groups[0].data, w->u, u);
    assert_int_equal(alert->groups[1].len, v);
    assert_memory_equal(alert->groups[1].data, w->v, v);
    w->alerts++;
    w->group = alert->group;
    return 0;
}

static void text_push(struct trial *run, struct wanted *w)
{
    static const uint32_t RULE = 0;
    struct sent e = {.u = w->u, .v = w->v, .n = "7"};
    const struct correlate_event event = {
        .time_ns = 0, .rules = &RULE, .rule_count = 1, .field = sent_value, .self = &e};
    assert_int_equal(correlate_push(run->state, &event, values_check, w), 0);
}

static void text_make(char *out, size_t len, uint32_t number)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)('a' + (i * 7 + number) % 26);
    out[len] = '\0';
}

/* The keyed hash of a group as correlate_alert tells it: of the lengths and the values. */
static uint64_t hash_of(const struct wanted *w)
{
    char text[CORRELATE_GROUP_BYTES_MAX];
    const char *const values[] = {w->u, w->v};
    size_t at = 0;
    for (size_t i = 0; i < 2; i++) {
        uint16_t len = (uint16_t)strlen(values[i]);
        assert_true(at + LENGTH_BYTES + len <= sizeof(text));
        memcpy(text + at, &len, LENGTH_BYTES);
        memcpy(text + at + LENGTH_BYTES, values[i], len);
        at += LENGTH_BYTES + len;
    }
    return hash_bytes(hash_slice(TRIAL_SEED, SLICE("c")), text, at);
}

/* Two groups that differ in their last byte alone, or in where a value ends, of every length. */
static void texts_of_every_length(void **state)
{
    (void)state;
    static const char *const TWO[] = {"type: event_count, condition: {gte: 2}",
                                      "type: value_sum, condition: {gte: 14, field: n}",
                                      "type: value_count, condition: {gte: 1, field: n}"};
    for (size_t t = 0; t < sizeof(TWO) / sizeof(TWO[0]); t++) {
        struct trial *run = type_new(TWO[t], 1 << 16);
        uint32_t before = t == 2 ? 1 : 0; /* alerts of the first event */
        for (size_t len = 0; len <= CORRELATE_GROUP_BYTES_MAX + 3; len++) {
            char u[CORRELATE_GROUP_BYTES_MAX + 8];
            char v[CORRELATE_GROUP_BYTES_MAX + 8];
            size_t half = len / 3;
            text_make(u, half, (uint32_t)len);
            text_make(v, len - half, (uint32_t)(len * 3));
            struct wanted w = {.u = u, .v = v};
            text_push(run, &w);
            assert_int_equal(w.alerts, before);
            if (len - half != 0 && len <= CORRELATE_GROUP_BYTES_MAX - 2 * LENGTH_BYTES) {
                struct wanted other = {.u = u, .v = v};
                v[len - half - 1] ^= 1;
                text_push(run, &other);
                assert_int_equal(other.alerts, before);
                v[len - half - 1] ^= 1;
            }
            if (len == CORRELATE_GROUP_BYTES_MAX - 2 * LENGTH_BYTES)
                trial_reload(run, 1 << 16);
            w.alerts = 0;
            text_push(run, &w);
            assert_int_equal(w.alerts, 1);
            if (len <= CORRELATE_GROUP_BYTES_MAX - 2 * LENGTH_BYTES)
                assert_true(w.group == hash_of(&w));
        }
        assert_int_equal(correlate_evictions(run->state), 0);
        trial_reload(run, 1 << 16);
        run_free(run);
    }
}

/* Collisions */

struct named {
    uint32_t hash;
    uint32_t number;
};

static int named_compare(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* Numbers behind a text that has no room in the group itself, or by themselves. */
static void name_make(char *out, size_t size, bool is_long, uint32_t number)
{
    (void)snprintf(out, size, "%s10.%u.%u.%u",
                   is_long ? "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/" : "", number >> 16,
                   number >> 8 & 255, number & 255);
}

/* Names by the low half of their hashes. */
static void names_make(struct named *out, bool is_long)
{
    for (uint32_t i = 0; i < COLLISION_NAMES; i++) {
        char name[64];
        name_make(name, sizeof(name), is_long, i);
        const struct wanted w = {.u = name, .v = ""};
        out[i] = (struct named){(uint32_t)hash_of(&w), i};
    }
    qsort(out, COLLISION_NAMES, sizeof(*out), named_compare);
}

/* Both names of each pair of equal hashes; how many pairs. */
static uint32_t pairs_push(struct trial *run, const struct named *names, bool is_long,
                           uint32_t alerts)
{
    uint32_t pairs = 0;
    for (uint32_t i = 1; i < COLLISION_NAMES; i++) {
        if (names[i].hash != names[i - 1].hash)
            continue;
        pairs++;
        for (uint32_t k = i - 1; k <= i; k++) {
            char name[64];
            name_make(name, sizeof(name), is_long, names[k].number);
            struct wanted w = {.u = name, .v = ""};
            text_push(run, &w);
            assert_int_equal(w.alerts, alerts);
        }
    }
    return pairs;
}

/* Groups of the same 32 bits of hash, which are all that a group keeps, stay apart. */
static void equal_hashes_stay_apart(void **state)
{
    (void)state;
    struct named *names = calloc(COLLISION_NAMES, sizeof(*names));
    assert_non_null(names);
    for (int is_long = 0; is_long < 2; is_long++) {
        struct trial *run = type_new("type: event_count, condition: {gte: 2}", 1 << 12);
        names_make(names, is_long != 0);
        assert_true(pairs_push(run, names, is_long != 0, 0) >= 10);
        trial_reload(run, 1 << 12);
        (void)pairs_push(run, names, is_long != 0, 1);
        run_free(run);
    }
    free(names);
}

/* Groups that come and go */

/* What a group of a naive count has: the seconds of its events, in a ring. */
struct counted {
    int64_t seconds[3];
    uint32_t count;
    bool fired;
};

/* The same count by hand: the third event within ten seconds, once an episode. */
static bool counted_fires(struct counted *g, int64_t second)
{
    if (g->count == 0 || g->seconds[(g->count - 1) % 3] <= second - SPAN_S)
        g->fired = false;
    g->seconds[g->count++ % 3] = second;
    if (g->fired || g->count < 3 || g->seconds[g->count % 3] <= second - SPAN_S)
        return false;
    g->fired = true;
    return true;
}

/* Thousands of groups come and go, on short chains and long ones; snapshots change nothing. */
static void groups_come_and_go(void **state)
{
    (void)state;
    struct counted *groups = calloc(CHURN_GROUPS, sizeof(*groups));
    struct trial *run = type_new("type: event_count, condition: {gte: 3}", 3 * CHURN_GROUPS);
    uint64_t seed = 3;
    uint32_t alerts = 0;
    assert_non_null(groups);
    for (uint32_t i = 0; i < CHURN_EVENTS; i++) {
        uint32_t dice = (uint32_t)dice_roll(&seed);
        uint32_t group = dice % CHURN_GROUPS;
        if ((dice >> 16) % 2 == 0)
            group %= 97; /* some often, most seldom */
        int64_t second = i / 40;
        char name[48];
        (void)snprintf(name, sizeof(name), "%0*u", (int)(1 + group % 41), group);
        push(run, (struct sent){.second = second, .rules = 1, .u = name, .v = "v"});
        alerts += counted_fires(&groups[group], second);
        assert_int_equal(run->alert_count, alerts);
        if (i % 9001 == 9000)
            trial_reload(run, 3 * CHURN_GROUPS);
        run->amended[0] = '\0';
    }
    assert_true(alerts > 1000);
    assert_int_equal(correlate_evictions(run->state), 0);
    run_free(run);
    free(groups);
}

/* Events of all kinds for type_new(). */
static void events_push(struct trial *run, uint64_t *seed, int count, int64_t *second)
{
    for (int i = 0; i < count; i++) {
        char u[96];
        char v[700];
        char n[16];
        uint64_t dice = dice_roll(seed);
        text_make(u, (size_t)(dice % 64), (uint32_t)(dice >> 8) % 4);
        text_make(v, (size_t)((dice >> 12) % 9 == 0 ? (dice >> 16) % 600 : (dice >> 16) % 3), 1);
        (void)snprintf(n, sizeof(n), (dice >> 28) % 3 == 0 ? "%d.5" : "%d",
                       (int)((dice >> 30) % 5));
        *second += (dice >> 34) % 128 == 0;
        if (run->alert_count > ALERTS_MAX - 100)
            run->alert_count = 0;
        push(run, (struct sent){.second = *second,
                                .rules = (uint32_t)(dice >> 40) % 8,
                                .u = u,
                                .v = v,
                                .n = (dice >> 43) % 4 == 0 ? NULL : n});
        run->amended[0] = '\0';
    }
}

/* The smallest memory, of each type: after every step a snapshot finds each place where it belongs. */
static void full_memory_stays_whole(void **state)
{
    (void)state;
    for (size_t t = 0; t < TYPE_COUNT; t++) {
        struct trial *run = type_new(TYPES[t], 1);
        uint64_t seed = t + 1;
        int64_t second = 1000;
        for (int round = 0; round < 60; round++) {
            events_push(run, &seed, 150, &second);
            trial_reload(run, 1);
        }
        if (correlate_evictions(run->state) == 0)
            fail_msg("%s: nothing gave way", TYPES[t]);
        run_free(run);
    }
}

/* Snapshots */

/* A correlate_fire: a damaged state may tell anything, as long as it stays within its memory. */
static int alert_ignore(void *self, const struct correlate_alert *alert)
{
    size_t bytes = 0;
    (void)self;
    for (uint32_t i = 0; i < alert->group_count; i++)
        bytes += alert->groups[i].len;
    assert_true(bytes <= CORRELATE_GROUP_BYTES_MAX);
    return 0;
}

/* A snapshot that is refused leaves the state as it was; one that is taken is a state to go on with. */
static bool damage_try(struct trial *run, struct slice bytes, const struct buf *whole, bool cut)
{
    struct buf after = {0};
    int err = correlate_load(run->state, &bytes);
    assert_true(err == ERR_FORMAT || (err == 0 && !cut));
    if (err != 0) {
        correlate_save(run->state, &after);
        assert_int_equal(after.len, whole->len);
        assert_memory_equal(after.data, whole->data, whole->len);
        buf_release(&after);
        return true;
    }
    struct slice back = buf_content(whole);
    struct sent e = {.u = "u", .v = "v", .n = "2"};
    static const uint32_t RULE = 0;
    const struct correlate_event event = {.time_ns = INT64_C(1) << 61,
                                          .rules = &RULE,
                                          .rule_count = 1,
                                          .field = sent_value,
                                          .self = &e};
    assert_int_equal(correlate_push(run->state, &event, alert_ignore, run), 0);
    assert_int_equal(correlate_load(run->state, &back), 0);
    return false;
}

static void damaged_snapshots(void **state)
{
    (void)state;
    for (size_t t = 0; t < TYPE_COUNT; t++) {
        struct trial *run = type_new(TYPES[t], 1);
        struct buf whole = {0};
        struct buf broken = {0};
        uint64_t seed = t + 77;
        int64_t second = 1000;
        uint32_t refused = 0;
        uint32_t tried = 0;
        events_push(run, &seed, 12 + (int)t, &second);
        correlate_save(run->state, &whole);
        for (size_t cut = 0; cut < whole.len; cut++)
            (void)damage_try(run, slice_of(whole.data, cut), &whole, true);
        for (size_t at = 0; at < whole.len; at++) {
            static const unsigned char CHANGES[] = {1, 0x80, 0xff};
            for (size_t i = 0; i < sizeof(CHANGES); i++) {
                buf_reset(&broken);
                buf_append(&broken, whole.data, whole.len);
                broken.data[at] = (char)((unsigned char)broken.data[at] ^ CHANGES[i]);
                refused += damage_try(run, buf_content(&broken), &whole, false);
                tried++;
            }
        }
        if (refused < tried / 4 * 3) /* the others are times, names of events and values */
            fail_msg("%s: %u of %u were refused", TYPES[t], refused, tried);
        buf_release(&whole);
        buf_release(&broken);
        run_free(run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_every_length), cmocka_unit_test(equal_hashes_stay_apart),
        cmocka_unit_test(groups_come_and_go),    cmocka_unit_test(full_memory_stays_whole),
        cmocka_unit_test(damaged_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
