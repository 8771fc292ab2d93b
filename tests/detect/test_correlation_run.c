/* detect/correlation_run.h - correlations while rows come in: order, lateness, snapshots. */
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
#include "detect/correlation_run.h"

enum {
    ROWS = 400,
    HOSTS = 6,
    LATENESS_SECONDS = 120,
    SPAN_SECONDS = 4000,
    SEED = 11,
};

#define SECOND CLOCK_NS_PER_SECOND

static const char RULES[] =
    "title: a\nid: a\nlogsource: {product: sekisho}\ndetection: {s: {event.action: a}, condition: s}\n"
    "---\n"
    "title: b\nid: b\nlogsource: {product: sekisho}\ndetection: {s: {event.action: b}, condition: s}\n"
    "---\n"
    "title: many\nid: many\ncorrelation: {type: event_count, rules: [a], group-by: [source.ip], "
    "timespan: 60s, condition: {gte: 3}}\n"
    "---\n"
    "title: then\nid: then\ncorrelation: {type: temporal_ordered, rules: [a, b], group-by: [source.ip], "
    "timespan: 90s}\n"
    "---\n"
    "title: quiet\nid: quiet\ncorrelation: {type: temporal, rules: [a, b], group-by: [source.ip], "
    "timespan: 45s, condition: a and not b}\n"
    "---\n"
    "title: names\nid: names\ncorrelation: {type: value_count, rules: [a, b], group-by: [source.ip], "
    "timespan: 120s, condition: {field: url.domain, gte: 3}}\n";

/* The same behind another rule and in another order: every index is another one. */
static const char MOVED[] =
    "title: new\nid: new\nlogsource: {product: sekisho}\ndetection: {s: {event.action: n}, condition: s}\n"
    "---\n"
    "title: names\nid: names\ncorrelation: {type: value_count, rules: [a, b], group-by: [source.ip], "
    "timespan: 120s, condition: {field: url.domain, gte: 3}}\n"
    "---\n"
    "title: b\nid: b\nlogsource: {product: sekisho}\ndetection: {s: {event.action: b}, condition: s}\n"
    "---\n"
    "title: by_user\nid: by_user\ncorrelation: {type: event_count, rules: [new], "
    "group-by: [user.name], timespan: 60s, condition: {gte: 3}}\n"
    "---\n"
    "title: quiet\nid: quiet\ncorrelation: {type: temporal, rules: [a, b], group-by: [source.ip], "
    "timespan: 45s, condition: a and not b}\n"
    "---\n"
    "title: a\nid: a\nlogsource: {product: sekisho}\ndetection: {s: {event.action: a}, condition: s}\n"
    "---\n"
    "title: then\nid: then\ncorrelation: {type: temporal_ordered, rules: [a, b], group-by: [source.ip], "
    "timespan: 90s}\n"
    "---\n"
    "title: many\nid: many\ncorrelation: {type: event_count, rules: [a], group-by: [source.ip], "
    "timespan: 60s, condition: {gte: 3}}\n";

/* What was told, in order. */
struct told {
    struct buf text;
    uint32_t count;
    const struct rule_set *rules; /* NULL: the first set */
};

struct row {
    int64_t time_ns;
    int64_t arrival_ns;
    uint32_t rule;
    char host[16];
    char domain[16];
};

static struct rule_set rules;
static struct rule_set moved;

static void make_rules(struct rule_set *out, const char *text)
{
    struct diag diag = {0};
    rule_set_init(out, SIGMA_NAMES_FIELDS, true);
    assert_int_equal(sigma_set_add(&out->set, "t.yml", slice_from(text), &diag), 0);
    if (rule_set_compile(out, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    diag_release(&diag);
}

static int load_rules(void **state)
{
    (void)state;
    make_rules(&rules, RULES);
    make_rules(&moved, MOVED);
    return 0;
}

static int free_rules(void **state)
{
    (void)state;
    rule_set_release(&rules);
    rule_set_release(&moved);
    return 0;
}

/* "many 192.0.2.1 17 3" */
static int tell(void *self, const struct correlate_alert *alert, const struct flow *flow)
{
    struct told *told = self;
    if (alert->news != CORRELATE_ALERT)
        return 0;
    const struct rule_set *set = told->rules == NULL ? &rules : told->rules;
    const struct sigma_rule *rule = &set->set.rules[alert->rule];
    assert_true((flow == NULL) == rule->correlation->has_not);
    if (flow != NULL)
        assert_true(flow->time_ns <= alert->time_ns);
    buf_printf(&told->text, "%.*s %.*s %lld %g\n", (int)rule->id.len, rule->id.data,
               (int)alert->groups[0].len, alert->groups[0].data,
               (long long)(alert->time_ns / SECOND), alert->value);
    told->count++;
    return 0;
}

#define TO(told) ((const struct correlation_sink){.alert = tell, .self = (told)})

/* Rows in the order of arrival, each within lateness of its time; no two have the same time. */
static void rows_make(struct row *rows, uint64_t seed)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t h = hash_bytes(seed, &i, sizeof(i));
        rows[i].time_ns = (int64_t)(h % SPAN_SECONDS) * SECOND + i;
        rows[i].rule = h >> 20 & 1;
        (void)snprintf(rows[i].host, sizeof(rows[i].host), "192.0.2.%u",
                       (unsigned)(h >> 24) % HOSTS);
        (void)snprintf(rows[i].domain, sizeof(rows[i].domain), "d%u.example",
                       (unsigned)(h >> 32) % 8);
        rows[i].arrival_ns = rows[i].time_ns + (int64_t)(h >> 40) % (LATENESS_SECONDS * SECOND);
    }
}

static int by_arrival(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    return (x->arrival_ns > y->arrival_ns) - (x->arrival_ns < y->arrival_ns);
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static void row_give(struct correlation_run *run, const struct row *row, struct told *told)
{
    struct slice values[8] = {0};
    struct flow flow = {.time_ns = row->time_ns, .arrival_ns = row->arrival_ns};
    const struct rule_set *set = told->rules == NULL ? &rules : told->rules;
    uint32_t rule = 0;
    assert_true(set->fields.count <= 8);
    while (!slice_equal(set->set.rules[rule].id, row->rule == 0 ? SLICE("a") : SLICE("b")))
        rule++;
    for (uint32_t i = 0; i < set->fields.count; i++) {
        uint16_t field = set->fields.items[i].field;
        if (field == FIELD_SOURCE_IP || field == FIELD_URL_DOMAIN)
            values[i] = slice_from(field == FIELD_SOURCE_IP ? row->host : row->domain);
    }
    const struct correlation_row given = {
        .rules = &rule, .rule_count = 1, .values = values, .flow = &flow};
    assert_int_equal(correlation_run_add(run, &given, &TO(told)), 0);
}

/* A snapshot is taken and read back into a new state. */
static struct correlation_run *reload(struct correlation_run *run)
{
    struct buf first = {0};
    struct buf second = {0};
    struct correlation_run *next = NULL;
    correlation_run_save(run, &first);
    assert_int_equal(correlation_run_new(&next, &rules, DETECT_SMALL, SEED), 0);
    struct slice bytes = buf_content(&first);
    assert_int_equal(correlation_run_load(next, &bytes), 0);
    assert_int_equal(bytes.len, 0);
    correlation_run_save(next, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    for (size_t cut = 0; cut < first.len; cut += 1 + first.len / 50) {
        struct correlation_run *broken = NULL;
        struct slice part = slice_of(first.data, cut);
        assert_int_equal(correlation_run_new(&broken, &rules, DETECT_SMALL, SEED), 0);
        assert_int_equal(correlation_run_load(broken, &part), ERR_FORMAT);
        correlation_run_free(broken);
    }
    correlation_run_free(run);
    buf_release(&first);
    buf_release(&second);
    return next;
}

/* All rows in the order given; the watermark follows arrival. `reload_each` 0 = never. */
static void history_run(const struct row *rows, uint32_t reload_each, bool arrival,
                        struct told *told)
{
    struct correlation_run *run = NULL;
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        row_give(run, &rows[i], told);
        int64_t mark_ns =
            arrival ? rows[i].arrival_ns - LATENESS_SECONDS * SECOND : rows[i].time_ns;
        assert_int_equal(correlation_run_until(run, mark_ns, &TO(told)), 0);
        if (reload_each != 0 && i % reload_each == reload_each - 1)
            run = reload(run);
    }
    assert_int_equal(correlation_run_until(run, INT64_MAX, &TO(told)), 0);
    assert_int_equal(correlation_run_until(run, SECOND * 2 * SPAN_SECONDS, &TO(told)), 0);
    assert_int_equal(correlation_run_losses(run), 0);
    correlation_run_free(run);
}

static int by_line(const void *a, const void *b)
{
    const char *x = NULL;
    const char *y = NULL;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* The lines in their bytewise order: windows that end are told when time passes, rows when they come. */
static char *sorted(struct told *told)
{
    char *text = strdup(buf_string(&told->text));
    const char **lines = calloc(told->count + 1U, sizeof(const char *));
    struct buf out = {0};
    uint32_t count = 0;
    assert_non_null(text);
    assert_non_null(lines);
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        lines[count++] = line;
    qsort(lines, count, sizeof(*lines), by_line);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&out, "%s\n", lines[i]);
    char *result = strdup(buf_string(&out));
    buf_release(&out);
    free(lines);
    free(text);
    return result;
}

/* Whatever the order of arrival within lateness, and with a restart anywhere. */
static void order_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        static struct row rows[ROWS];
        struct told ordered = {0};
        struct told arrived = {0};
        struct told reloaded = {0};
        rows_make(rows, seed);
        qsort(rows, ROWS, sizeof(rows[0]), by_time);
        history_run(rows, 0, false, &ordered);
        qsort(rows, ROWS, sizeof(rows[0]), by_arrival);
        history_run(rows, 0, true, &arrived);
        if (seed <= 5)
            history_run(rows, 37, true, &reloaded);
        assert_true(ordered.count > 20);
        char *a = sorted(&ordered);
        char *b = sorted(&arrived);
        assert_string_equal(a, b);
        if (seed <= 5)
            assert_string_equal(buf_string(&arrived.text), buf_string(&reloaded.text));
        free(a);
        free(b);
        buf_release(&ordered.text);
        buf_release(&arrived.text);
        buf_release(&reloaded.text);
    }
}

/* Later than lateness: taken at the time that was reached, and counted. */
static void late_rows_count(void **state)
{
    (void)state;
    struct correlation_run *run = NULL;
    struct told told = {0};
    struct row row = {.host = "192.0.2.1", .domain = "d.example"};
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (int i = 0; i < 2; i++) {
        row.time_ns = (100 + i) * SECOND;
        row_give(run, &row, &told);
    }
    assert_int_equal(correlation_run_until(run, 110 * SECOND, &TO(&told)), 0);
    assert_int_equal(told.count, 0);
    row.time_ns = 50 * SECOND;
    row_give(run, &row, &told);
    assert_int_equal(correlation_run_until(run, 111 * SECOND, &TO(&told)), 0);
    assert_string_equal(buf_string(&told.text), "many 192.0.2.1 110 3\n");
    assert_int_equal(correlation_run_losses(run), 1);
    correlation_run_free(run);
    buf_release(&told.text);
}

/* More rows than may wait: the oldest are taken before their time, and counted. */
static void waiting_is_bounded(void **state)
{
    (void)state;
    struct correlation_run *run = NULL;
    struct told told = {0};
    struct row row = {.domain = "d.example", .rule = 1};
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (uint32_t i = 0; i < CORRELATION_WAITING_MAX + 10; i++) {
        (void)snprintf(row.host, sizeof(row.host), "10.%u.%u.1", i >> 8 & 255, i & 255);
        row.time_ns = (int64_t)i * SECOND;
        row_give(run, &row, &told);
    }
    assert_int_equal(correlation_run_losses(run), 10);
    correlation_run_free(run);
    buf_release(&told.text);
}

/* A hostile sender's rows of a megabyte take no more than the bound. */
static void long_rows_are_bounded(void **state)
{
    (void)state;
    enum {
        VALUE_BYTES = 1 << 20,
        LONG_ROWS = 100
    };
    struct correlation_run *run = NULL;
    struct told told = {0};
    struct buf text = {0};
    struct slice values[8];
    const uint32_t rule = 1;
    while (text.len < VALUE_BYTES)
        buf_byte(&text, 'a');
    assert_true(buf_ok(&text) && rules.fields.count >= 1 && rules.fields.count <= 8);
    for (uint32_t i = 0; i < rules.fields.count; i++)
        values[i] = i == 0 ? buf_content(&text) : SLICE("a");
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (int64_t i = 0; i < LONG_ROWS; i++) {
        const struct flow flow = {.time_ns = i * SECOND};
        const struct correlation_row row = {
            .rules = &rule, .rule_count = 1, .values = values, .flow = &flow};
        assert_int_equal(correlation_run_add(run, &row, &TO(&told)), 0);
    }
    /* The pieces are a little longer than the value: one fewer than the bound holds of values. */
    assert_int_equal(correlation_run_losses(run),
                     LONG_ROWS - (CORRELATION_WAITING_BYTES_MAX / VALUE_BYTES - 1));
    correlation_run_free(run);
    buf_release(&text);
    buf_release(&told.text);
}

/* A run in the middle of a history: windows are open, rows wait. */
static struct correlation_run *run_begun(struct told *told)
{
    static struct row rows[ROWS];
    struct correlation_run *run = NULL;
    rows_make(rows, 3);
    qsort(rows, ROWS, sizeof(rows[0]), by_arrival);
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (uint32_t i = 0; i < ROWS / 2; i++) {
        row_give(run, &rows[i], told);
        int64_t mark_ns = rows[i].arrival_ns - LATENESS_SECONDS * SECOND;
        assert_int_equal(correlation_run_until(run, mark_ns, &TO(told)), 0);
    }
    return run;
}

static void expect_image(const struct correlation_run *run, struct slice wanted)
{
    struct buf image = {0};
    correlation_run_save(run, &image);
    assert_int_equal(image.len, wanted.len);
    assert_memory_equal(image.data, wanted.data, wanted.len);
    buf_release(&image);
}

/* Whatever is wrong with an image, wherever it ends: what was there before stays, to the last byte. */
static void refused_load_changes_nothing(void **state)
{
    (void)state;
    struct told told = {0};
    struct told other = {0};
    struct buf image = {0};
    struct buf before = {0};
    struct correlation_run *from = run_begun(&told);
    struct correlation_run *run = run_begun(&other);
    assert_int_equal(correlation_run_until(run, SECOND * SPAN_SECONDS / 2, &TO(&other)), 0);
    correlation_run_save(from, &image);
    correlation_run_save(run, &before);
    assert_true(image.len != before.len);
    for (size_t cut = 0; cut < image.len; cut += cut + 700 < image.len ? 311 : 7) {
        struct slice part = slice_of(image.data, cut);
        assert_int_equal(correlation_run_load(run, &part), ERR_FORMAT);
        assert_int_equal(part.len, cut);
        expect_image(run, buf_content(&before));
    }
    struct slice whole = buf_content(&image);
    assert_int_equal(correlation_run_load(run, &whole), 0);
    expect_image(run, buf_content(&image));
    correlation_run_free(from);
    correlation_run_free(run);
    buf_release(&image);
    buf_release(&before);
    buf_release(&told.text);
    buf_release(&other.text);
}

static struct correlation_run *carried(struct correlation_run *run, const struct rule_set *set)
{
    struct correlation_run *next = NULL;
    assert_int_equal(correlation_run_new(&next, set, DETECT_SMALL, SEED), 0);
    assert_int_equal(correlation_run_carry(next, run), 0);
    correlation_run_free(run);
    return next;
}

/* All rows, with another set again and again. */
static void history_carry(const struct row *rows, struct told *told)
{
    struct correlation_run *run = NULL;
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t mark_ns = rows[i].arrival_ns - LATENESS_SECONDS * SECOND;
        if (i % 23 == 22) {
            told->rules = told->rules == &moved ? &rules : &moved;
            run = carried(run, told->rules);
        }
        row_give(run, &rows[i], told);
        assert_int_equal(correlation_run_until(run, mark_ns, &TO(told)), 0);
    }
    assert_int_equal(correlation_run_until(run, INT64_MAX, &TO(told)), 0);
    assert_int_equal(correlation_run_until(run, SECOND * 2 * SPAN_SECONDS, &TO(told)), 0);
    assert_int_equal(correlation_run_losses(run), 0);
    correlation_run_free(run);
}

/* Sets that differ in places and in what none of the rows meets: nothing is lost, nothing doubled. */
static void unchanged_correlations_go_on(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static struct row rows[ROWS];
        struct told wanted = {0};
        struct told got = {0};
        rows_make(rows, seed);
        qsort(rows, ROWS, sizeof(rows[0]), by_arrival);
        history_run(rows, 0, true, &wanted);
        history_carry(rows, &got);
        char *a = sorted(&wanted);
        char *b = sorted(&got);
        assert_string_equal(a, b);
        free(a);
        free(b);
        buf_release(&wanted.text);
        buf_release(&got.text);
    }
}

/* What is told when four rows of a host come, two of them before the set becomes another one. */
static void expect_told(const char *correlation, const char *wanted)
{
    struct buf text = {0};
    struct rule_set set;
    struct told told = {0};
    struct correlation_run *run = NULL;
    struct row row = {.host = "192.0.2.1", .domain = "d.example"};
    buf_printf(&text,
               "title: a\nid: a\nlogsource: {product: sekisho}\n"
               "detection: {s: {event.action: a}, condition: s}\n---\n"
               "title: many\nid: many\ncorrelation: {%s}\n",
               correlation);
    make_rules(&set, buf_string(&text));
    assert_int_equal(correlation_run_new(&run, &rules, DETECT_SMALL, SEED), 0);
    for (int i = 0; i < 4; i++) {
        if (i == 2) {
            run = carried(run, &set);
            told.rules = &set;
        }
        row.time_ns = (100 + 5 * i) * SECOND;
        row_give(run, &row, &told);
        assert_int_equal(correlation_run_until(run, row.time_ns, &TO(&told)), 0);
    }
    assert_string_equal(buf_string(&told.text), wanted);
    correlation_run_free(run);
    rule_set_release(&set);
    buf_release(&text);
    buf_release(&told.text);
}

static void changed_correlations(void **state)
{
    (void)state;
#define MANY "type: event_count, rules: [a], group-by: [source.ip], "
    expect_told(MANY "timespan: 60s, condition: {gte: 3}", "many 192.0.2.1 110 3\n");
    expect_told(MANY "timespan: 60s, condition: {gte: 4}", "many 192.0.2.1 115 4\n");
    expect_told(MANY "timespan: 2h, condition: {gte: 4}", "many 192.0.2.1 115 4\n");
    expect_told(MANY "timespan: 8s, condition: {gte: 3}", "");
    expect_told("type: event_count, rules: [a], group-by: [url.domain], timespan: 60s, "
                "condition: {gte: 3}",
                "");
    expect_told("type: value_count, rules: [a], group-by: [source.ip], timespan: 60s, "
                "condition: {field: url.domain, gte: 2}",
                "");
#undef MANY
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(late_rows_count),
        cmocka_unit_test(waiting_is_bounded),
        cmocka_unit_test(long_rows_are_bounded),
        cmocka_unit_test(refused_load_changes_nothing),
        cmocka_unit_test(unchanged_correlations_go_on),
        cmocka_unit_test(changed_correlations),
    };
    return cmocka_run_group_tests(tests, load_rules, free_rules);
}
