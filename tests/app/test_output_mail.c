/* Mails: what goes into one, when it goes, and that nothing in it breaks out of its place. */
#include <sodium.h>
#include <string.h>

#include "app/output_mail_text.h"
#include "base/err.h"
#include "tests/store/log_dir.h"

#define SECOND_NS CLOCK_NS_PER_SECOND
#define HOUR_NS   (3600 * SECOND_NS)
/* 2026-11-21 10:00:00 in Japan. */
#define NOW_NS (INT64_C(1795222800) * SECOND_NS)

static const struct mail_policy POLICY = {
    .window_ns = 60 * SECOND_NS, .per_hour = 2, .minimum = ALERT_MEDIUM, .summary_hour = 8};

/* Add revision `revision` of alert number `n`. */
static void add_as(struct mail_groups *g, unsigned n, uint32_t revision, const char *severity,
                   int64_t now_ns)
{
    struct alert_record a = {.tenant = 990019, .revision = revision};
    struct buf line = {0};
    bytes_put32(a.id.bytes, n);
    buf_printf(&line,
               "{\"alert.count\":%u,\"alert.first\":\"2026-11-21T01:00:00Z\",\"alert.kind\":\"D3\","
               "\"alert.last\":\"2026-11-21T01:02:03Z\",\"alert.severity\":\"%s\","
               "\"alert.state\":\"open\",\"action.ja\":\"端末を確認してください\","
               "\"evidence\":[\"seclog.raw.990019.fw1/0/17/0\"],"
               "\"message.ja\":\"走査の疑い %u: http://evil.example/a\\r\\nBcc: x@example.com\","
               "\"rule.name\":\"走査\",\"sekisho.tenant.name\":\"例示市\"}",
               revision, severity, n);
    a.line = buf_content(&line);
    assert_int_equal(mail_groups_add(g, &a, now_ns), 0);
    buf_release(&line);
}

static void add(struct mail_groups *g, unsigned n, const char *severity, int64_t now_ns)
{
    add_as(g, n, 1, severity, now_ns);
}

static struct mail_tenant *assert_due(const struct mail_groups *g, enum mail_due want,
                                      int64_t now_ns)
{
    struct mail_tenant *t = NULL;
    assert_int_equal(mail_groups_due(g, now_ns, &t), want);
    assert_int_equal(t != NULL, want != MAIL_NONE);
    return t;
}

static void test_window(void **state)
{
    (void)state;
    struct mail_groups g = {.policy = POLICY};
    assert_due(&g, MAIL_NONE, NOW_NS);
    add(&g, 1, "medium", NOW_NS);
    add(&g, 2, "critical", NOW_NS + 59 * SECOND_NS);
    assert_due(&g, MAIL_NONE, NOW_NS + 60 * SECOND_NS - 1);
    struct mail_tenant *t = assert_due(&g, MAIL_ALERTS, NOW_NS + 60 * SECOND_NS);
    assert_int_equal(t->tenant, 990019);
    assert_string_equal(t->name, "例示市");
    assert_int_equal(t->item_count, 2);
    assert_int_equal(t->items[0].severity, ALERT_CRITICAL);
    mail_groups_sent(&g, t, MAIL_ALERTS, NOW_NS + 60 * SECOND_NS);
    assert_due(&g, MAIL_NONE, NOW_NS + HOUR_NS);
    mail_groups_release(&g);
}

/* Past the hour's mails all waits for the next one, listed as far as it fits, and counted. */
static void test_per_hour(void **state)
{
    (void)state;
    struct mail_groups g = {.policy = POLICY};
    int64_t now = NOW_NS;
    for (unsigned i = 0; i < POLICY.per_hour; i++) {
        add(&g, i, "high", now);
        now += 60 * SECOND_NS;
        mail_groups_sent(&g, assert_due(&g, MAIL_ALERTS, now), MAIL_ALERTS, now);
    }
    for (unsigned i = 0; i < 50; i++)
        add(&g, 100 + i, i % 2 == 0 ? "medium" : "high", now);
    assert_due(&g, MAIL_NONE, now + 60 * SECOND_NS);
    assert_due(&g, MAIL_NONE, NOW_NS + 60 * SECOND_NS + HOUR_NS - 1);
    struct mail_tenant *t = assert_due(&g, MAIL_ALERTS, NOW_NS + 60 * SECOND_NS + HOUR_NS);
    assert_int_equal(t->item_count, MAIL_ITEMS_MAX);
    for (size_t i = 0; i < MAIL_ITEMS_MAX; i++)
        assert_int_equal(t->items[i].severity, ALERT_HIGH);
    assert_int_equal(t->more[ALERT_HIGH], 5);
    assert_int_equal(t->more[ALERT_MEDIUM], 25);
    mail_groups_release(&g);
}

static void test_revisions(void **state)
{
    (void)state;
    struct mail_groups g = {.policy = POLICY};
    add(&g, 1, "medium", NOW_NS);
    add_as(&g, 1, 2, "high", NOW_NS + SECOND_NS);
    add_as(&g, 1, 1, "medium", NOW_NS + SECOND_NS);
    struct mail_tenant *t = assert_due(&g, MAIL_ALERTS, NOW_NS + 60 * SECOND_NS);
    assert_int_equal(t->item_count, 1);
    assert_int_equal(t->items[0].revision, 2);
    assert_int_equal(t->items[0].count, 2);
    mail_groups_sent(&g, t, MAIL_ALERTS, NOW_NS + 60 * SECOND_NS);
    /* What was told is only counted, unless it has become worse. */
    add_as(&g, 1, 3, "high", NOW_NS + 61 * SECOND_NS);
    add_as(&g, 1, 4, "medium", NOW_NS + 62 * SECOND_NS);
    assert_due(&g, MAIL_NONE, NOW_NS + HOUR_NS);
    assert_int_equal(t->updates, 2);
    add_as(&g, 1, 5, "critical", NOW_NS + 63 * SECOND_NS);
    assert_ptr_equal(assert_due(&g, MAIL_ALERTS, NOW_NS + 200 * SECOND_NS), t);
    assert_int_equal(t->items[0].revision, 5);
    mail_groups_release(&g);
}

static void test_summary(void **state)
{
    (void)state;
    struct mail_groups g = {.policy = POLICY};
    for (unsigned i = 0; i < 7; i++)
        add(&g, i, i < 3 ? "low" : "informational", NOW_NS);
    add_as(&g, 0, 2, "low", NOW_NS);
    /* At 8 the next morning. */
    assert_due(&g, MAIL_NONE, NOW_NS + 22 * HOUR_NS - 1);
    struct mail_tenant *t = assert_due(&g, MAIL_SUMMARY, NOW_NS + 22 * HOUR_NS);
    assert_int_equal(t->kind_count, 1);
    assert_int_equal(t->kinds[0].count, 7);
    mail_groups_sent(&g, t, MAIL_SUMMARY, NOW_NS + 22 * HOUR_NS);
    assert_due(&g, MAIL_NONE, NOW_NS + 60 * HOUR_NS);
    add(&g, 8, "low", NOW_NS + 23 * HOUR_NS);
    assert_due(&g, MAIL_NONE, NOW_NS + 46 * HOUR_NS - 1);
    assert_due(&g, MAIL_SUMMARY, NOW_NS + 46 * HOUR_NS);
    mail_groups_release(&g);
}

static void test_refused(void **state)
{
    (void)state;
    struct mail_groups g = {.policy = POLICY};
    int64_t now = NOW_NS + 60 * SECOND_NS;
    add(&g, 1, "high", NOW_NS);
    struct mail_tenant *t = assert_due(&g, MAIL_ALERTS, now);
    mail_groups_refused(t, now);
    assert_due(&g, MAIL_NONE, now + 60 * SECOND_NS - 1);
    assert_due(&g, MAIL_ALERTS, now + 60 * SECOND_NS);
    for (int i = 0; i < 30; i++)
        mail_groups_refused(t, now);
    assert_due(&g, MAIL_NONE, now + HOUR_NS);
    assert_due(&g, MAIL_ALERTS, now + 2 * HOUR_NS);
    mail_groups_release(&g);
}

static void test_state(void **state)
{
    (void)state;
    struct mail_groups g = {.policy = POLICY};
    struct mail_groups back = {.policy = POLICY};
    struct buf one = {0};
    struct buf two = {0};
    for (unsigned i = 0; i < 300; i++) {
        add(&g, i, i % 3 == 0 ? "critical" : "low", NOW_NS + i * SECOND_NS);
        struct mail_tenant *t = NULL;
        if (mail_groups_due(&g, NOW_NS + i * SECOND_NS, &t) == MAIL_ALERTS)
            mail_groups_sent(&g, t, MAIL_ALERTS, NOW_NS + i * SECOND_NS);
    }
    add_as(&g, 0, 2, "critical", NOW_NS);
    mail_groups_write(&g, &one);
    assert_int_equal(mail_groups_read(&back, buf_content(&one)), 0);
    mail_groups_write(&back, &two);
    assert_string_equal(buf_string(&one), buf_string(&two));
    assert_true(back.count == 1 && back.tenants[0]->item_count > 0);
    mail_groups_release(&back);
    assert_int_equal(mail_groups_read(&back, SLICE("")), 0);
    assert_int_equal(mail_groups_read(&back, SLICE("{}")), ERR_CORRUPT);
    assert_int_equal(mail_groups_read(&back, SLICE("[{\"tenant\":-1}]")), ERR_CORRUPT);
    mail_groups_release(&back);
    mail_groups_release(&g);
    buf_release(&one);
    buf_release(&two);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"a@b", "soc@pref.example.jp", "first.last+tag@x-y.example"};
    static const char *const BAD[] = {"",        "a",       "@b",       "a@",
                                      "a@b@c",   "a b@c",   "a@b\r\nc", "<a@b>",
                                      "a@b,c@d", "\"a\"@b", "a@b c",    "名@example.jp",
                                      "a@\xff",  "a@b>",    "a\t@b",    "a@[192.0.2.1]"};
    for (size_t i = 0; i < COUNT(GOOD); i++)
        assert_true(mail_address_valid(GOOD[i]));
    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_false(mail_address_valid(BAD[i]));
}

static void assert_header(const char *text, const char *want)
{
    struct buf out = {0};
    mail_put_header(&out, "Subject", slice_from(text));
    assert_string_equal(buf_string(&out), want);
    buf_release(&out);
}

static void test_headers(void **state)
{
    (void)state;
    assert_header("plain", "Subject: plain\r\n");
    assert_header("走査", "Subject: =?UTF-8?B?6LWw5p+7?=\r\n");
    assert_header("a\r\nBcc: b", "Subject: a\\r\\nBcc: b\r\n");
    assert_header("=?x?=", "Subject: =?UTF-8?B?PT94Pz0=?=\r\n");
    assert_header("", "Subject: \r\n");
    /* Words of at most 75 characters, cut between characters. */
    struct buf out = {0};
    mail_put_header(&out, "Subject", slice_from("一二三四五六七八九十一二三四五六七八九十"));
    assert_string_equal(buf_string(&out),
                        "Subject: "
                        "=?UTF-8?B?5LiA5LqM5LiJ5Zub5LqU5YWt5LiD5YWr5Lmd5Y2B5LiA5LqM5LiJ5Zub?="
                        "\r\n =?UTF-8?B?5LqU5YWt5LiD5YWr5Lmd5Y2B?=\r\n");
    buf_reset(&out);
    mail_put_date(&out, NOW_NS);
    assert_string_equal(buf_string(&out), "Sat, 21 Nov 2026 10:00:00 +0900");
    buf_release(&out);
}

/* The body of a message, decoded. */
static void decode_body(struct buf *out, const struct buf *message)
{
    struct slice all = buf_content(message);
    const char *body = memmem(all.data, all.len, "\r\n\r\n", 4);
    size_t got = 0;
    assert_non_null(body);
    body += 4;
    size_t len = all.len - (size_t)(body - all.data);
    for (const char *line = body; line < all.data + all.len;) {
        const char *end = memmem(line, (size_t)(all.data + all.len - line), "\r\n", 2);
        assert_non_null(end);
        assert_in_range(end - line, 4, 76);
        line = end + 2;
    }
    char *to = buf_reserve(out, len);
    assert_non_null(to);
    unsigned char *bytes = (void *)to;
    assert_int_equal(sodium_base642bin(bytes, len, body, len, "\r\n", &got, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    out->len += got;
}

static void test_message(void **state)
{
    (void)state;
    static const char *const TO[] = {"a@city.example.jp", "b@city.example.jp"};
    static const char *const CC[] = {"soc@pref.example.jp"};
    struct mail_groups g = {.policy = POLICY};
    struct mail_envelope envelope = {.from = "sekisho@pref.example.jp",
                                     .to = TO,
                                     .to_count = 2,
                                     .cc = CC,
                                     .cc_count = 1,
                                     .date_ns = NOW_NS};
    struct buf out = {0};
    struct buf body = {0};
    for (unsigned i = 0; i < 25; i++)
        add(&g, i, i == 7 ? "critical" : "medium", NOW_NS);
    struct mail_tenant *t = assert_due(&g, MAIL_ALERTS, NOW_NS + HOUR_NS);
    mail_print(&out, &envelope, t, MAIL_ALERTS);
    const char *text = buf_string(&out);
    assert_non_null(strstr(text, "\r\nFrom: sekisho@pref.example.jp\r\n"));
    assert_non_null(strstr(text, "\r\nTo: a@city.example.jp,\r\n b@city.example.jp\r\n"));
    assert_non_null(strstr(text, "\r\nCc: soc@pref.example.jp\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: text/plain; charset=UTF-8\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Transfer-Encoding: base64\r\n"));
    assert_null(strstr(text, "Bcc"));
    for (const char *p = text; *p != '\0'; p++)
        assert_true((unsigned char)*p < 127 && (*p >= ' ' || *p == '\r' || *p == '\n'));
    decode_body(&body, &out);
    text = buf_string(&body);
    assert_non_null(strstr(text, "例示市 情報セキュリティご担当者様\r\n"));
    assert_non_null(strstr(text, "25 件検知しました (緊急 1 件、中 24 件)"));
    assert_non_null(strstr(text, "1. [緊急] 走査\r\n   日時: 2026年11月21日 10:00:00 から "
                                 "2026年11月21日 10:02:03 まで (1 件の通信)\r\n"));
    assert_non_null(strstr(text, "   内容: 走査の疑い 7: http[:]//evil.example/a\\r\\nBcc: x"));
    assert_non_null(strstr(text, "   対応: 端末を確認してください\r\n"));
    assert_non_null(strstr(text, "   根拠のログ: seclog.raw.990019.fw1/0/17/0\r\n"));
    assert_non_null(strstr(text, "20. [中]"));
    assert_null(strstr(text, "21. ["));
    assert_non_null(strstr(text, "このほかに 5 件あります (中 5 件)。\r\n"));
    assert_null(strstr(text, "\nBcc"));
    buf_release(&out);
    buf_release(&body);
    mail_groups_release(&g);
}

static void test_summary_message(void **state)
{
    (void)state;
    static const char *const CC[] = {"soc@pref.example.jp"};
    struct mail_groups g = {.policy = POLICY};
    const struct mail_envelope envelope = {
        .from = "sekisho@pref.example.jp", .cc = CC, .cc_count = 1, .date_ns = NOW_NS};
    struct buf out = {0};
    struct buf body = {0};
    add(&g, 1, "low", NOW_NS);
    add(&g, 2, "low", NOW_NS);
    struct mail_tenant *t = assert_due(&g, MAIL_SUMMARY, NOW_NS + 24 * HOUR_NS);
    mail_print(&out, &envelope, t, MAIL_SUMMARY);
    assert_non_null(strstr(buf_string(&out), "\r\nTo: soc@pref.example.jp\r\n"));
    decode_body(&body, &out);
    assert_non_null(strstr(buf_string(&body), "   D3: 2 件\r\n"));
    buf_release(&out);
    buf_release(&body);
    mail_groups_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),    cmocka_unit_test(test_per_hour),
        cmocka_unit_test(test_revisions), cmocka_unit_test(test_summary),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_state),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_message),   cmocka_unit_test(test_summary_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
