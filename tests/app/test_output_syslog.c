/* Syslog messages byte by byte, and the addresses of receivers. */
#include <string.h>

#include "app/output_socket.h"
#include "app/output_syslog.h"
#include "tests/store/log_dir.h"

static struct alert_record record_of(const char *line)
{
    struct alert_record a = {.tenant = 52027, .revision = 3, .line = slice_from(line)};
    for (size_t i = 0; i < ALERT_ID_BYTES; i++)
        a.id.bytes[i] = (uint8_t)(0xf0 + i);
    return a;
}

static struct syslog_form form_of(size_t bytes_max, bool text)
{
    struct syslog_form form = {.text = text, .bytes_max = bytes_max};
    (void)snprintf(form.host, sizeof(form.host), "collector.example.jp");
    (void)snprintf(form.data_id, sizeof(form.data_id), "sekisho@32473");
    return form;
}

#define HEAD                                                                                   \
    "1 2026-11-21T01:00:05.123456Z collector.example.jp sekisho - D3 "                         \
    "[sekisho@32473 id=\"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\" revision=\"3\" tenant=\"052027\" " \
    "kind=\"D3\" severity=\"high\" state=\"open\"] \xef\xbb\xbf"

#define LINE                                                                                      \
    "{\"alert.kind\":\"D3\",\"alert.last\":\"2026-11-21T01:00:05.123456789Z\","                   \
    "\"alert.severity\":\"high\",\"alert.state\":\"open\",\"message.ja\":\"走査の疑い\\n\"," \
    "\"sekisho.tenant.name\":\"例示市\"}"

static void assert_printed(const struct syslog_form *form, const char *line, bool counted,
                           const char *want)
{
    struct buf out = {0};
    struct alert_record a = record_of(line);
    syslog_print(&out, form, &a, counted);
    assert_string_equal(buf_string(&out), want);
    buf_release(&out);
}

static void test_line(void **state)
{
    (void)state;
    struct syslog_form form = form_of(SYSLOG_STREAM_BYTES_MAX, false);
    char want[2000];
    char counted[2100];
    (void)snprintf(want, sizeof(want), "<163>%s%s", HEAD, LINE);
    assert_printed(&form, LINE, false, want);
    (void)snprintf(counted, sizeof(counted), "%zu %s", strlen(want), want);
    assert_printed(&form, LINE, true, counted);
    form.text = true;
    (void)snprintf(want, sizeof(want), "<163>%s%s", HEAD, "例示市 走査の疑い\\n");
    assert_printed(&form, LINE, false, want);
}

/* A line that does not fit becomes a text that does, cut between characters. */
static void test_cut(void **state)
{
    (void)state;
    size_t head = sizeof("<163>" HEAD) - 1;
    static const char TEXT[] = "例示市 走査の疑い\\n";
    for (size_t room = 0; room < sizeof(TEXT) + 3; room++) {
        struct syslog_form form = form_of(head + room, false);
        struct alert_record a = record_of(LINE);
        struct buf out = {0};
        syslog_print(&out, &form, &a, false);
        assert_true(out.len <= head + room);
        assert_true(out.len + 3 > head + room || out.len == head + sizeof(TEXT) - 1);
        struct slice body = slice_from_offset(buf_content(&out), head);
        assert_true(slice_starts(SLICE("例示市 走査の疑い\\n"), body));
        /* Never within a character. */
        assert_true(body.len == sizeof(TEXT) - 1 || (TEXT[body.len] & 0xc0) != 0x80);
        buf_release(&out);
    }
}

static void test_severities(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *priority;
    } ROWS[] = {{"informational", "<166>1 -"}, {"low", "<165>1 -"},      {"medium", "<164>1 -"},
                {"high", "<163>1 -"},          {"critical", "<162>1 -"}, {"strange", "<166>1 -"}};
    struct syslog_form form = form_of(SYSLOG_STREAM_BYTES_MAX, false);
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        char line[200];
        struct buf out = {0};
        (void)snprintf(line, sizeof(line), "{\"alert.severity\":\"%s\"}", ROWS[i].name);
        struct alert_record a = record_of(line);
        syslog_print(&out, &form, &a, false);
        assert_true(slice_starts(buf_content(&out), slice_from(ROWS[i].priority)));
        buf_release(&out);
    }
}

/* Values can end neither their parameter nor the header; lines that are none do no harm. */
static void test_hostile(void **state)
{
    (void)state;
    struct syslog_form form = form_of(SYSLOG_STREAM_BYTES_MAX, false);
    static const char HOSTILE[] =
        "{\"alert.kind\":\"a b\\\"] c\\n<1>\\u0000x\",\"alert.state\":\"]\\\\\\u001b\"}";
    struct alert_record a = record_of(HOSTILE);
    struct buf out = {0};
    syslog_print(&out, &form, &a, false);
    assert_non_null(strstr(buf_string(&out), " sekisho - ab\"]c<1> ["));
    assert_non_null(strstr(buf_string(&out), " kind=\"a b\\\"\\] c<1>\""));
    assert_non_null(strstr(buf_string(&out), " state=\"\\]\\\\\"] "));
    assert_null(strchr(buf_string(&out), '\n'));
    buf_reset(&out);
    form.bytes_max = 300;
    a.line = SLICE("no json");
    syslog_print(&out, &form, &a, false);
    assert_true(
        slice_starts(buf_content(&out), SLICE("<166>1 - collector.example.jp sekisho - - ")));
    buf_release(&out);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        const char *port;
        enum output_transport transport;
        bool local;
    } GOOD[] = {
        {"127.0.0.1:6379", "127.0.0.1", "6379", OUTPUT_TCP, true},
        {"localhost:1", "localhost", "1", OUTPUT_TCP, true},
        {"[::1]:6379", "::1", "6379", OUTPUT_TCP, true},
        {"tcp:[2001:db8::1]:601", "2001:db8::1", "601", OUTPUT_TCP, false},
        {"udp:log.example.jp:514", "log.example.jp", "514", OUTPUT_UDP, false},
        {"127.example.jp:1", "127.example.jp", "1", OUTPUT_TCP, false},
        {"192.0.2.1:65535", "192.0.2.1", "65535", OUTPUT_TCP, false},
    };
    static const char *const BAD[] = {
        "",           "host",    "host:",    ":1",      "host:0",     "host:x",     "host:1 ",
        "host:65536", "host:-1", "::1:5",    "unix:",   "a b:1",      "host:99999", "[::1]",
        "tcp:",       "[]:1",    "host:1:2", "h\xff:1", "host:00001x"};
    struct output_address a;
    for (size_t i = 0; i < COUNT(GOOD); i++) {
        assert_int_equal(output_address_parse(&a, GOOD[i].text), 0);
        assert_int_equal(a.transport, GOOD[i].transport);
        assert_string_equal(a.host, GOOD[i].host);
        assert_string_equal(a.port, GOOD[i].port);
        assert_int_equal(output_address_local(&a), GOOD[i].local);
    }
    assert_int_equal(output_address_parse(&a, "unix:/run/redis/redis.sock"), 0);
    assert_int_equal(a.transport, OUTPUT_UNIX);
    assert_string_equal(a.path, "/run/redis/redis.sock");
    assert_true(output_address_local(&a));
    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_int_equal(output_address_parse(&a, BAD[i]), ERR_CONF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),       cmocka_unit_test(test_cut),
        cmocka_unit_test(test_severities), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
