#include "detect/signal.h"
#include "tests/detect/sigma_load.h"
#include "tests/event/row_parts.h"

static const char *const ASKED[] = {"url.original",   "user.name",      "source.ip", "source.port",
                                    "sekisho.tenant", "sekisho.source", "@timestamp"};

/* Values as a correlation by these fields sees them: "-" where the row has none. */
static void check_values(const struct batch *b, uint32_t row, const char *want)
{
    struct sigma_set set;
    struct diag diag = {0};
    struct arena arena = {0};
    struct buf out = {0};
    struct signal_fields fields;
    struct signal signal = {0};
    sigma_set_init(&set, SIGMA_NAMES_FIELDS);
    assert_int_equal(
        sigma_set_add(&set, "a.yml",
                      SLICE(OTHER("r1", "s") "---\n" CORRELATION(
                          "c1", "type: value_count, rules: [r1], timespan: 1h, group-by: "
                                "[c-uri, user.name, source.ip, source.port, sekisho.tenant, "
                                "sekisho.source, '@timestamp'], condition: {gte: 2, field: "
                                "user.name}")),
                      &diag),
        0);
    if (sigma_set_link(&set, &diag) != 0)
        fail_msg("%s", diag_text(&diag));
    assert_int_equal(signal_fields_make(&fields, &set), 0);
    assert_int_equal(fields.count, sizeof(ASKED) / sizeof(ASKED[0]));
    assert_int_equal(signal_take(&signal, &fields, b, row, &arena), 0);
    assert_true(signal.time_ns == b->time_ns[row]);
    for (size_t i = 0; i < fields.count; i++) {
        struct slice value = {0};
        struct sigma_field field = {.field = field_find(slice_from(ASKED[i])),
                                    .name = slice_from(ASKED[i])};
        bool has = signal_value(&signal, &field, &value);
        buf_printf(&out, "%s%.*s", i == 0 ? "" : "|", has ? (int)value.len : 1,
                   has ? value.data : "-");
    }
    if (strcmp(buf_string(&out), want) != 0)
        fail_msg("%s, not %s", buf_string(&out), want);
    buf_release(&out);
    arena_release(&arena);
    sigma_set_release(&set);
    diag_release(&diag);
}

static void takes_the_first_value(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    b->tenant = 52027;
    b->source = SLICE("fw-1");
    ROW(b, {"GET ", "https", FIELD_URL_SCHEME, 0}, {"://", "example.jp", FIELD_URL_DOMAIN, 0},
        {"", "/%61", FIELD_URL_PATH, 0}, {"?", "q", FIELD_URL_QUERY, 0},
        {" u=", "a\\\"b", FIELD_USER_NAME, SLOT_C_ESCAPED}, {" ", "second", FIELD_USER_NAME, 0});
    ROW(b, {"url=", "http://example.com/", FIELD_URL_ORIGINAL, 0}, {" u=", "", FIELD_USER_NAME, 0},
        {" s=", "192.0.2.7", FIELD_SOURCE_IP, 0}, {" p=", "0443", FIELD_SOURCE_PORT, 0});
    ROW(b, {"u=", "null", FIELD_USER_NAME, SLOT_NULL}, {" u=\"", "later", FIELD_USER_NAME, 0},
        {"\" s=", "2001:DB8::1", FIELD_SOURCE_IP, 0});
    ROW(b, {"CONNECT ", "example.jp", FIELD_URL_DOMAIN, 0}, {":", "443", FIELD_URL_PORT, 0});
    ROW(b, {"m=", "x", FIELD_MESSAGE, 0});
    check_values(b, 0, "https://example.jp/%61?q|a\"b|-|-|052027|fw-1|2026-01-01T00:00:00Z");
    check_values(b, 1, "http://example.com/||192.0.2.7|443|052027|fw-1|2026-01-01T00:00:00Z");
    check_values(b, 2, "-|later|2001:db8::1|-|052027|fw-1|2026-01-01T00:00:00Z");
    check_values(b, 3, "example.jp:443|-|-|-|052027|fw-1|2026-01-01T00:00:00Z");
    check_values(b, 4, "-|-|-|-|052027|fw-1|2026-01-01T00:00:00Z");
    batch_free(b);
}

/* Fields that several correlations ask for are kept once. */
static void fields_are_distinct(void **state)
{
    (void)state;
    struct loaded l = load(OTHER("r1", "s") "---\n" OTHER("r2", "s") "---\n" CORRELATION(
        "c1",
        "type: value_count, rules: [r1, r2], timespan: 1h, group-by: [u, v], condition: "
        "{gte: 2, field: [u, w]}") "---\n" CORRELATION("c2",
                                                       "type: temporal, rules: [r1, r2], timespan: 1h, group-by: x, aliases: "
                                                       "{x: {r1: u, r2: y}}"));
    struct signal_fields fields;
    assert_int_equal(l.err, 0);
    assert_int_equal(signal_fields_make(&fields, &l.set), 0);
    assert_int_equal(fields.count, 4);
    unload(&l);
    l = load(OTHER("r1", "s"));
    assert_int_equal(signal_fields_make(&fields, &l.set), 0);
    assert_int_equal(fields.count, 0);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_first_value),
        cmocka_unit_test(fields_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
