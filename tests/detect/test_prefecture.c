/* detect/prefecture.c, parties.h: what municipalities tell, and the alerts of all of them together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "detect/detect.h"

enum {
    TOWNS = 5,
    SEED = 3,
    ITEMS_MAX = 64,
    ITEM_BYTES_MAX = 4096,
};

#define SECOND CLOCK_NS_PER_SECOND
#define START  (1790000000 * CLOCK_NS_PER_SECOND)

static const char RULES[] =
    "title: a\nid: a\nlogsource: {product: sekisho}\ndetection: {s: {event.action: a}, condition: s}\n"
    "---\n"
    "title: b\nid: b\nlogsource: {product: sekisho}\ndetection: {s: {event.action: b}, condition: s}\n"
    "---\n"
    "title: wide\nid: wide\ncorrelation: {type: value_count, rules: [a], group-by: [source.ip], "
    "timespan: 60s, condition: {field: sekisho.tenant, gte: 3}}\nsekisho: {scope: prefecture}\n"
    "---\n"
    "title: quiet\nid: quiet\ncorrelation: {type: temporal, rules: [a, b], group-by: [source.ip], "
    "timespan: 60s, condition: b and not a}\nsekisho: {scope: prefecture}\n";

static struct rule_set rules;

static int load_rules(void **state)
{
    (void)state;
    struct diag diag = {0};
    rule_set_init(&rules, SIGMA_NAMES_FIELDS, true);
    assert_int_equal(sigma_set_add(&rules.set, "t.yml", slice_from(RULES), &diag), 0);
    if (rule_set_compile(&rules, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_true(rules.prefecture);
    diag_release(&diag);
    return 0;
}

static int free_rules(void **state)
{
    (void)state;
    rule_set_release(&rules);
    return 0;
}

/* What was released: "tenant rule revision count municipalities evidence...", a line each. */
struct told {
    struct buf text;
    struct buf lines; /* whole */
};

static struct slice name_of(const void *names, uint32_t tenant)
{
    (void)names;
    return tenant == 100001 ? SLICE("one") : SLICE("another");
}

static long long number_in(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

static int tell(void *self, const struct detect_alert *alert)
{
    struct told *told = self;
    char *line = strndup(alert->record.line.data, alert->record.line.len);
    assert_non_null(line);
    const char *evidence = strstr(line, "\"evidence\":");
    const char *rule = strstr(line, "\"rule.id\":\"");
    assert_non_null(evidence);
    assert_non_null(rule);
    rule += strlen("\"rule.id\":\"");
    buf_printf(&told->text, "%06u %.*s r%u n%lld m%lld %s\n", alert->record.tenant,
               (int)strcspn(rule, "\""), rule, alert->record.revision,
               number_in(line, "\"alert.count\":"),
               number_in(line, "\"explain.correlation.municipalities\":"),
               evidence + strlen("\"evidence\":"));
    buf_printf(&told->lines, "%s\n", line);
    free(line);
    return 0;
}

static const struct detect_shared SHARED = {.seed = SEED, .rules = &rules};
static const struct detect_profile PROFILE = {
    .size = DETECT_PREFECTURE, .name = {"all", 3}, .name_of = name_of, .lateness_ns = SECOND};

static struct detect_tenant *prefecture_new(struct told *told)
{
    struct detect_tenant *t = NULL;
    const struct detect_options options = {
        .shared = &SHARED, .profile = &PROFILE, .alert = tell, .self = told};
    assert_int_equal(detect_tenant_new(&t, &options), 0);
    return t;
}

/* One signal of a municipality, as docs/format.md has it, in an item of its own. */
struct given {
    uint32_t town; /* 1.. */
    int64_t second;
    const char *rule;
    const char *host;
    int64_t offset;
};

static struct slice item_of(const struct given *g, struct buf *out)
{
    static const char *const NAMES[] = {"source.ip", "unknown.field", "sekisho.tenant"};
    char code[16];
    buf_reset(out);
    (void)snprintf(code, sizeof(code), "%06u", 100000 + g->town);
    const char *const values[] = {g->host, "x", code};
    buf_put32(out, 100000 + g->town);
    buf_put64(out, 0); /* lost */
    buf_put16(out, 2);
    for (int i = 0; i < 2; i++) {
        const char *topic = i == 0 ? "seclog.raw.other" : "seclog.raw.fw";
        buf_put16(out, (uint16_t)strlen(topic));
        buf_text(out, topic);
    }
    buf_put16(out, 3);
    for (int i = 0; i < 3; i++) {
        buf_put16(out, (uint16_t)strlen(NAMES[i]));
        buf_text(out, NAMES[i]);
    }
    buf_put32(out, 1);
    buf_put64(out, (uint64_t)(START + g->second * SECOND));
    buf_put64(out, (uint64_t)(START + g->second * SECOND));
    buf_put16(out, 1); /* topic */
    buf_put16(out, 0); /* important */
    buf_put32(out, g->town);
    buf_put64(out, (uint64_t)g->offset);
    buf_put32(out, 0);
    buf_put32(out, 2);
    buf_put64(out, UINT64_C(12345)); /* a rule that is no more */
    for (uint32_t i = 0; i < rules.set.rule_count; i++) {
        if (slice_equal(rules.set.rules[i].id, slice_from(g->rule)))
            buf_put64(out, rules.entries[i].key);
    }
    for (int i = 0; i < 3; i++) {
        buf_put16(out, values[i] == NULL ? UINT16_MAX : (uint16_t)strlen(values[i]));
        buf_text(out, values[i] == NULL ? "" : values[i]);
    }
    assert_true(buf_ok(out));
    return buf_content(out);
}

/* Give signals of one tick, in that order or the reverse, and let it happen. */
static void tick(struct detect_tenant *t, const struct given *given, size_t count, int64_t second,
                 bool reverse)
{
    struct buf bufs[ITEMS_MAX] = {{0}};
    struct slice items[ITEMS_MAX];
    assert_true(count <= ITEMS_MAX);
    for (size_t i = 0; i < count; i++)
        items[i] = item_of(&given[reverse ? count - 1 - i : i], &bufs[i]);
    assert_int_equal(detect_prefecture_take(t, items, count, START + second * SECOND), 0);
    assert_int_equal(detect_tick(t, START + second * SECOND, 0), 0);
    for (size_t i = 0; i < count; i++)
        buf_release(&bufs[i]);
}

static void need_told(struct told *told, const char *want)
{
    if (strcmp(buf_string(&told->text), want) != 0)
        fail_msg("told\n%s\nnot\n%s", buf_string(&told->text), want);
}

static void release(struct told *told, struct detect_tenant *t)
{
    detect_tenant_free(t);
    buf_release(&told->text);
    buf_release(&told->lines);
}

#define FW "seclog.raw.fw"

/* The third municipality completes it; each sees its own row; the fourth is told when it joins. */
static const struct given FIRST[] = {
    {.town = 1, .second = 1, .rule = "a", .host = "192.0.2.1", .offset = 11},
    {.town = 2, .second = 2, .rule = "a", .host = "192.0.2.1", .offset = 22},
    {.town = 2, .second = 3, .rule = "a", .host = "192.0.2.9", .offset = 29},
    {.town = 3, .second = 4, .rule = "a", .host = "192.0.2.1", .offset = 33},
};
static const struct given JOINING[] = {
    {.town = 4, .second = 20, .rule = "a", .host = "192.0.2.1", .offset = 44},
    {.town = 4, .second = 21, .rule = "a", .host = "192.0.2.1", .offset = 45},
};
static const char FIRST_TOLD[] = "000000 wide r1 n1 m3 [\"" FW "/3/33/0\"]}\n"
                                 "100001 wide r1 n1 m3 [\"" FW "/1/11/0\"]}\n"
                                 "100002 wide r1 n1 m3 [\"" FW "/2/22/0\"]}\n"
                                 "100003 wide r1 n1 m3 [\"" FW "/3/33/0\"]}\n";
static const char JOINING_TOLD[] = "100004 wide r1 n1 m4 [\"" FW "/4/44/0\"]}\n";
/* A minute on: what was added. Episodes come in no order that means anything. */
static const char *const AMENDED[] = {
    "000000 wide r2 n5 m4 [\"" FW "/3/33/0\",\"" FW "/1/11/0\",\"" FW "/2/22/0\",\"" FW
    "/4/44/0\",\"" FW "/4/45/0\"]}\n",
    "100004 wide r2 n2 m4 [\"" FW "/4/44/0\",\"" FW "/4/45/0\"]}\n",
};

static void each_sees_its_own(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct told told = {0};
        struct detect_tenant *t = prefecture_new(&told);
        tick(t, NULL, 0, 0, false);
        if ((way & 1) != 0) { /* one by one */
            for (size_t i = 0; i < 4; i++)
                tick(t, &FIRST[i], 1, FIRST[i].second, false);
        }
        tick(t, FIRST, (way & 1) != 0 ? 0 : 4, 5, (way & 2) != 0);
        need_told(&told, FIRST_TOLD);
        if ((way & 2) != 0) { /* a restart from a snapshot */
            struct buf image = {0};
            assert_int_equal(detect_tenant_image(t, &image), 0);
            detect_tenant_free(t);
            t = prefecture_new(&told);
            assert_int_equal(detect_tenant_load(t, buf_content(&image)), 0);
            buf_release(&image);
        }
        buf_reset(&told.text);
        tick(t, JOINING, 2, 30, false);
        need_told(&told, JOINING_TOLD);
        buf_reset(&told.text);
        tick(t, NULL, 0, 95, false);
        size_t length = 0;
        for (size_t i = 0; i < 2; i++) {
            assert_non_null(strstr(buf_string(&told.text), AMENDED[i]));
            length += strlen(AMENDED[i]);
        }
        assert_int_equal(told.text.len, length);
        release(&told, t);
    }
}

/* No municipality's line holds another's code or name. */
static void others_are_hidden(void **state)
{
    (void)state;
    struct told told = {0};
    struct detect_tenant *t = prefecture_new(&told);
    tick(t, FIRST, 4, 5, false);
    tick(t, JOINING, 2, 30, false);
    char *text = strdup(buf_string(&told.lines));
    char *save = NULL;
    unsigned lines = 0;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char own[32];
        long long tenant = number_in(line, "\"sekisho.tenant\":\"");
        (void)snprintf(own, sizeof(own), "1000%02u", (unsigned)(tenant % 100));
        for (unsigned town = 1; town <= TOWNS && tenant != 0; town++) {
            char code[32];
            (void)snprintf(code, sizeof(code), "1000%02u", town);
            assert_true(strcmp(code, own) == 0 || strstr(line, code) == NULL);
        }
        bool all = tenant == 0;
        assert_true(
            all ==
            (strstr(line, "\"explain.correlation.tenants\":\"100001 100002 100003\"") != NULL));
        assert_true(all == (strstr(line, "correlation.tenants") != NULL));
        const char *name = all ? "all" : tenant == 100001 ? "one" : "another";
        char wanted[64];
        (void)snprintf(wanted, sizeof(wanted), "\"sekisho.tenant.name\":\"%s\"", name);
        assert_non_null(strstr(line, wanted));
        lines++;
    }
    assert_int_equal(lines, 5);
    free(text);
    release(&told, t);
}

/* A condition with not is known when its window is over: the alert has no row, its parties have. */
static void windows_that_end(void **state)
{
    (void)state;
    static const struct given ROWS[] = {
        {.town = 1, .second = 1, .rule = "b", .host = "192.0.2.1", .offset = 1},
        {.town = 2, .second = 5, .rule = "b", .host = "192.0.2.1", .offset = 2},
        {.town = 2, .second = 5, .rule = "b", .host = "192.0.2.2", .offset = 3},
        {.town = 3, .second = 9, .rule = "a", .host = "192.0.2.2", .offset = 4},
    };
    struct told told = {0};
    struct detect_tenant *t = prefecture_new(&told);
    tick(t, ROWS, 4, 10, false);
    need_told(&told, "");
    tick(t, NULL, 0, 61, false);
    need_told(&told, "000000 quiet r1 n1 m2 []}\n"
                     "100001 quiet r1 n1 m2 [\"" FW "/1/1/0\"]}\n"
                     "100002 quiet r1 n1 m2 [\"" FW "/2/2/0\"]}\n");
    release(&told, t);
}

static void suppressions_are_of_one(void **state)
{
    (void)state;
    struct told told = {0};
    struct detect_tenant *t = prefecture_new(&told);
    struct detect_control control = {.action = DETECT_SUPPRESS,
                                     .tenant = 100002,
                                     .until_ns = START + 3600 * SECOND,
                                     .kind = "correlation",
                                     .key = "source.ip=192.0.2.1",
                                     .reason = "known"};
    tick(t, NULL, 0, 0, false);
    assert_int_equal(detect_control(t, &control), 0);
    tick(t, FIRST, 4, 5, false);
    need_told(&told, "000000 wide r1 n1 m3 [\"" FW "/3/33/0\"]}\n"
                     "100001 wide r1 n1 m3 [\"" FW "/1/11/0\"]}\n"
                     "100003 wide r1 n1 m3 [\"" FW "/3/33/0\"]}\n");
    release(&told, t);
}

/* Every cut of an item is refused, and what is changed in it harms nothing but itself. */
static void damaged_items(void **state)
{
    (void)state;
    struct told told = {0};
    struct buf whole = {0};
    struct detect_tenant *t = prefecture_new(&told);
    struct slice item = item_of(&FIRST[0], &whole);
    for (size_t len = 0; len < item.len; len++) {
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, item.data, len);
        struct slice cut = slice_of(copy, len);
        assert_int_equal(detect_prefecture_take(t, &cut, 1, CLOCK_NONE), ERR_FORMAT);
        free(copy);
    }
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t h = hash_bytes(SEED, &i, sizeof(i));
        char *copy = malloc(item.len + 1);
        assert_non_null(copy);
        memcpy(copy, item.data, item.len);
        copy[item.len == 0 ? 0 : h % item.len] = (char)(h >> 32);
        struct slice changed = slice_of(copy, item.len);
        int err = detect_prefecture_take(t, &changed, 1, CLOCK_NONE);
        assert_true(err == 0 || err == ERR_FORMAT);
        free(copy);
    }
    assert_int_equal(detect_tick(t, START, 0), 0);
    buf_release(&whole);
    release(&told, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sees_its_own), cmocka_unit_test(others_are_hidden),
        cmocka_unit_test(windows_that_end),  cmocka_unit_test(suppressions_are_of_one),
        cmocka_unit_test(damaged_items),
    };
    return cmocka_run_group_tests(tests, load_rules, free_rules);
}
