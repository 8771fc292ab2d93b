/* What filters took out: from batches to records to the tally, in bounded room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/hidden.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "event/builder.h"

enum {
    TENANT = 990019,
    OTHER = 990027,
};

/* A rule on the raw line; a filter everywhere, one of a municipality, one that has ended. */
static const char RULES[] =
    "title: t\nid: r1\nlogsource: {product: sekisho}\ndetection: {s: [line], condition: s}\n---\n"
    "title: t\nid: r2\nlogsource: {product: sekisho}\ndetection: {s: [red], condition: s}\n---\n"
    "title: f\nid: red\nlogsource: {product: sekisho}\n"
    "filter: {rules: [r1, r2], s: [red], condition: not s}\n---\n"
    "title: f\nid: own\nlogsource: {product: sekisho}\n"
    "filter: {rules: r1, s: [line], condition: not s}\n"
    "sekisho: {layer: municipality, tenant: '990019', owner: o, reason: r, expires: "
    "2099-01-01T00:00:00Z}\n---\n"
    "title: f\nid: over\nlogsource: {product: sekisho}\n"
    "filter: {rules: r1, s: [line], condition: not s}\n"
    "sekisho: {expires: 2020-01-01T00:00:00Z}\n";

static struct rule_set rules_load(void)
{
    struct rule_set rules;
    struct diag diag = {0};
    rule_set_init(&rules, SIGMA_NAMES_FIELDS, true);
    assert_int_equal(sigma_set_add(&rules.set, "a.yml", slice_from(RULES), &diag), 0);
    if (rule_set_compile(&rules, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(rules.rule_count, 2);
    assert_int_equal(rules.filter_count, 4);
    diag_release(&diag);
    return rules;
}

static void rows_judge(struct detect_tenant *t, uint32_t tenant, unsigned lines, unsigned red)
{
    struct batch *b = batch_new();
    assert_non_null(b);
    b->tenant = tenant;
    b->topic = SLICE("seclog.raw.990019.fw1");
    b->source = SLICE("fw1");
    b->format_name = SLICE("auto");
    for (uint32_t i = 0; i < lines; i++) {
        const struct row row = {.bytes = i < red ? SLICE("a red line\n") : SLICE("a line\n"),
                                .arrival_ns = INT64_C(1790521200) * CLOCK_NS_PER_SECOND,
                                .reason = REASON_FORMAT_MISMATCH,
                                .offset = i};
        assert_int_equal(batch_append(b, &row), 0);
        b->order[i] = i;
        b->time_ns[i] = row.arrival_ns;
    }
    assert_int_equal(detect_add(t, b, b->order), 0);
    assert_int_equal(detect_run_rows(t), 0);
    batch_free(b);
}

static int alert_drop(void *self, const struct detect_alert *alert)
{
    (void)self;
    (void)alert;
    return 0;
}

static struct detect_tenant *tenant_new(const struct detect_shared *shared,
                                        const struct detect_profile *profile)
{
    struct detect_tenant *t = NULL;
    const struct detect_options options = {
        .shared = shared, .profile = profile, .alert = alert_drop};
    assert_int_equal(detect_tenant_new(&t, &options), 0);
    return t;
}

static uint64_t rows_of(struct tally *tally, uint32_t tenant, const char *filter)
{
    static struct tally_hidden list[TALLY_HIDDEN_MAX];
    size_t count = tally_copy_hidden(tally, list, TALLY_HIDDEN_MAX);
    for (size_t i = 0; i < count; i++) {
        if (list[i].tenant == tenant && strcmp(list[i].filter, filter) == 0)
            return list[i].rows;
    }
    return 0;
}

/* Twice over two municipalities; what was taken once is not taken again. */
static void test_counts(void **state)
{
    (void)state;
    struct rule_set rules = rules_load();
    const struct detect_shared shared = {.rules = &rules};
    const struct detect_profile here = {.tenant = TENANT};
    const struct detect_profile there = {.tenant = OTHER};
    struct detect_tenant *own = tenant_new(&shared, &here);
    struct detect_tenant *other = tenant_new(&shared, &there);
    struct tally *tally = NULL;
    struct buf records = {0};
    assert_int_equal(tally_new(&tally), 0);
    rows_judge(own, TENANT, 9, 9);
    hidden_forget(own);
    for (unsigned round = 1; round <= 2; round++) {
        rows_judge(own, TENANT, 10, 3);
        rows_judge(other, OTHER, 5, 2);
        assert_int_equal(hidden_take(&records, own, TENANT), 0);
        size_t once = records.len;
        assert_int_equal(hidden_take(&records, own, TENANT), 0);
        assert_int_equal(records.len, once);
        assert_int_equal(hidden_take(&records, other, OTHER), 0);
        hidden_tally(tally, buf_content(&records));
        buf_reset(&records);
        assert_int_equal(rows_of(tally, TENANT, "own"), round * 10);
        assert_int_equal(rows_of(tally, TENANT, "red"), round * (3 + 3));
        assert_int_equal(rows_of(tally, OTHER, "red"), round * (2 + 2));
        assert_int_equal(rows_of(tally, OTHER, "own"), 0);
        assert_int_equal(rows_of(tally, TENANT, "over") + rows_of(tally, OTHER, "over"), 0);
    }
    buf_release(&records);
    tally_free(tally);
    detect_tenant_free(own);
    detect_tenant_free(other);
    rule_set_release(&rules);
}

/* A reload brings filters to a municipality that had none, and takes them away again. */
static void test_reload(void **state)
{
    (void)state;
    struct rule_set rules = rules_load();
    struct detect_shared shared = {0};
    const struct detect_profile here = {.tenant = TENANT};
    struct detect_tenant *t = tenant_new(&shared, &here);
    struct tally *tally = NULL;
    struct buf records = {0};
    assert_int_equal(tally_new(&tally), 0);
    rows_judge(t, TENANT, 10, 3);
    shared.rules = &rules;
    assert_int_equal(detect_tenant_change(t), 0);
    rows_judge(t, TENANT, 10, 3);
    assert_int_equal(hidden_take(&records, t, TENANT), 0);
    hidden_tally(tally, buf_content(&records));
    assert_int_equal(rows_of(tally, TENANT, "own"), 10);
    assert_int_equal(rows_of(tally, TENANT, "red"), 3 + 3);
    rows_judge(t, TENANT, 10, 3);
    shared.rules = NULL;
    assert_int_equal(detect_tenant_change(t), 0);
    size_t before = records.len;
    assert_int_equal(hidden_take(&records, t, TENANT), 0);
    assert_int_equal(records.len, before);
    buf_release(&records);
    tally_free(tally);
    detect_tenant_free(t);
    rule_set_release(&rules);
}

/* A cut record is passed over, and nothing behind it is read. */
static void test_cut_records(void **state)
{
    (void)state;
    struct tally *tally = NULL;
    struct buf records = {0};
    assert_int_equal(tally_new(&tally), 0);
    for (unsigned i = 0; i < 2; i++) {
        buf_put32(&records, 12 + 1);
        buf_put32(&records, TENANT);
        buf_put64(&records, 5);
        buf_byte(&records, (char)('a' + i));
    }
    for (size_t len = 0; len <= records.len; len++) {
        hidden_tally(tally, slice_of(records.data, len));
    }
    assert_int_equal(rows_of(tally, TENANT, "a"), 5 * (records.len / 2 + 1));
    assert_int_equal(rows_of(tally, TENANT, "b"), 5);
    buf_release(&records);
    tally_free(tally);
}

static void test_bounds(void **state)
{
    (void)state;
    struct tally *tally = NULL;
    struct tally_hidden *list = calloc(TALLY_HIDDEN_MAX, sizeof(*list));
    char name[TALLY_FILTER_BYTES_MAX + 20];
    assert_non_null(list);
    assert_int_equal(tally_new(&tally), 0);
    memset(name, 'n', sizeof(name));
    tally_hidden(tally, TENANT, slice_of(name, sizeof(name)), 1);
    tally_hidden(tally, TENANT, slice_of(name, sizeof(name) - 1), 1);
    assert_int_equal(tally_copy_hidden(tally, list, TALLY_HIDDEN_MAX), 1);
    assert_int_equal(strlen(list[0].filter), TALLY_FILTER_BYTES_MAX);
    for (unsigned i = 0; i < TALLY_HIDDEN_MAX + 10; i++) {
        int len = snprintf(name, sizeof(name), "f%04u", TALLY_HIDDEN_MAX + 10 - i);
        tally_hidden(tally, TENANT, slice_of(name, (size_t)len), 1);
    }
    size_t count = tally_copy_hidden(tally, list, TALLY_HIDDEN_MAX);
    assert_int_equal(count, TALLY_HIDDEN_MAX);
    for (size_t i = 1; i + 1 < count; i++)
        assert_true(strcmp(list[i - 1].filter, list[i].filter) < 0);
    assert_string_equal(list[count - 1].filter, "_other");
    assert_int_equal(list[count - 1].rows, 12);
    assert_int_equal(tally_copy_hidden(tally, list, 3), 3);
    tally_free(tally);
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_cut_records),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
