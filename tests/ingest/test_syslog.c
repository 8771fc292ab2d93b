/* Headers in front of messages: what is header, what is message, and what must not be touched. */
/* cmocka.h needs the four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/buf.h"
#include "ingest/syslog.h"
#include "tests/ingest/padded.h"

struct header_case {
    const char *line;
    const char *slots;   /* "field=text" in the order of the line, joined by '|' */
    const char *message; /* what is left */
};

static const char *field_letter(uint16_t field)
{
    switch (field) {
    case FIELD_LOG_PRIORITY:
        return "pri";
    case FIELD_TIME_SYSLOG:
        return "time";
    case FIELD_LOG_HOSTNAME:
        return "host";
    case FIELD_LOG_APPNAME:
        return "app";
    case FIELD_LOG_PROCID:
        return "pid";
    case FIELD_LOG_MSGID:
        return "id";
    case FIELD_LOG_STRUCTURED:
        return "sd";
    case FIELD_LOG_OCTETS:
        return "octets";
    default:
        return "?";
    }
}

static void check(const struct header_case *c, bool tag)
{
    struct slice line = padded_copy(slice_from(c->line));
    struct slots *slots = calloc(1, sizeof(*slots));
    struct buf seen = {0};
    assert_non_null(slots);
    uint32_t from = syslog_header(line, slots);
    if (tag)
        from = syslog_tag(line, from, slots);
    uint32_t end = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->items[i];
        assert_true(slot->offset >= end);
        end = slot->offset + slot->length;
        assert_true(end <= from);
        buf_printf(&seen, "%s%s=%.*s", i == 0 ? "" : "|", field_letter(slot->field),
                   (int)slot->length, line.data + slot->offset);
    }
    assert_true(from <= line.len);
    assert_string_equal(buf_string(&seen), c->slots);
    assert_string_equal(line.data + from, c->message);
    buf_release(&seen);
    free(slots);
    padded_free(line);
}

#define CHECK_WITH(table, tag)                                          \
    do {                                                                \
        for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++) \
            check(&(table)[i], tag);                                    \
    } while (0)
#define CHECK_ALL(table) CHECK_WITH(table, false)

static const struct header_case RFC3164_HEADERS[] = {
    {"<189>Nov 21 10:00:00 fw1 sshd[77]: hello",
     "pri=189|time=Nov 21 10:00:00|host=fw1|app=sshd|pid=77", "hello"},
    {"Nov 21 10:00:00 fw1 sshd[77]: hello", "time=Nov 21 10:00:00|host=fw1|app=sshd|pid=77",
     "hello"},
    {"<13>Nov  1 10:00:00 192.0.2.1 squid: 1795222800.123",
     "pri=13|time=Nov  1 10:00:00|host=192.0.2.1|app=squid", "1795222800.123"},
    {"<13>Nov 21 10:00:00 2001:db8::1 (squid-1): 1795222800.123",
     "pri=13|time=Nov 21 10:00:00|host=2001:db8::1|app=(squid-1)", "1795222800.123"},
    {"<189>Nov 21 10:00:00 fw1 date=2026-11-21 time=10:00:00",
     "pri=189|time=Nov 21 10:00:00|host=fw1", "date=2026-11-21 time=10:00:00"},
    {"<14>Nov 21 10:00:00 pa1 1,2026/11/21 10:00:00,0", "pri=14|time=Nov 21 10:00:00|host=pa1",
     "1,2026/11/21 10:00:00,0"},
    {"<14>Nov 21 10:00:00 1,2026/11/21 10:00:00,0", "pri=14|time=Nov 21 10:00:00",
     "1,2026/11/21 10:00:00,0"},
    {"<14>Nov 21 10:00:00 date=2026-11-21", "pri=14|time=Nov 21 10:00:00", "date=2026-11-21"},
    {"<14> Nov 21 10:00:00 filterlog: 99,,,1", "pri=14|time=Nov 21 10:00:00|app=filterlog",
     "99,,,1"},
    {"<14>Nov 21 10:00:00 /usr/sbin/cron[12]: (root)",
     "pri=14|time=Nov 21 10:00:00|app=/usr/sbin/cron|pid=12", "(root)"},
    {"<14>Nov 21 10:00:00 fw1 CEF: 0|Vendor|", "pri=14|time=Nov 21 10:00:00|host=fw1",
     "CEF: 0|Vendor|"},
    {"Nov 21 10:00:00.123456 rule 5/0(match): block in on em0: x", "",
     "Nov 21 10:00:00.123456 rule 5/0(match): block in on em0: x"},
    {"Nov 21 10:00:00.123456 rule 12.web.0/(match) pass out on em0: x", "",
     "Nov 21 10:00:00.123456 rule 12.web.0/(match) pass out on em0: x"},
    {"Nov 21 10:00:00.123456 rule def/(short) pass in on em0: x", "",
     "Nov 21 10:00:00.123456 rule def/(short) pass in on em0: x"},
    {"Nov 21 10:00:00 rule daemon: x", "time=Nov 21 10:00:00|host=rule|app=daemon", "x"},
    {"<13>Nov 21 10:00:00 fw1 pf: Nov 21 10:00:00.123456 rule 5/0(match): block in on em0: x",
     "pri=13|time=Nov 21 10:00:00|host=fw1|app=pf",
     "Nov 21 10:00:00.123456 rule 5/0(match): block in on em0: x"},
    {"<14>Nov 21 10:00:00 fw1 CEF:0|Vendor|", "pri=14|time=Nov 21 10:00:00|host=fw1",
     "CEF:0|Vendor|"},
    {"<14>Nov 21 10:00:00 fw1 a#011b", "pri=14|time=Nov 21 10:00:00|host=fw1", "a#011b"},
    {"Nov 21 10:00:00 fw1 tag:", "time=Nov 21 10:00:00|host=fw1|app=tag", ""},
    {"<13>Nov 21 10:00:00 fw1 notice mcpd[1]: x", "pri=13|time=Nov 21 10:00:00|host=fw1",
     "notice mcpd[1]: x"},
    {"<134> id=firewall sn=1", "pri=134", "id=firewall sn=1"},
    {"<13>[INSPECT] LAN2[out][1] TCP", "pri=13", "[INSPECT] LAN2[out][1] TCP"},
    {"<13>", "pri=13", ""},
};

static const struct header_case CISCO_HEADERS[] = {
    {"<166>Nov 21 2026 10:00:00 fw1 : %ASA-6-302013: Built",
     "pri=166|time=Nov 21 2026 10:00:00|host=fw1", "%ASA-6-302013: Built"},
    {"<166>Nov 21 2026 10:00:00: %ASA-6-302013: Built", "pri=166|time=Nov 21 2026 10:00:00",
     "%ASA-6-302013: Built"},
    {"<166>:Nov 21 10:00:00 UTC: %ASA-6-302013: Built", "pri=166|time=Nov 21 10:00:00 UTC",
     "%ASA-6-302013: Built"},
    {"<166>*Nov 21 10:00:00.044 CEST: %SYS-5-X: y", "pri=166|time=Nov 21 10:00:00.044",
     "%SYS-5-X: y"},
    {"Nov 21 2026 10:00:00: %ASA-6-302013: Built", "time=Nov 21 2026 10:00:00",
     "%ASA-6-302013: Built"},
    {"Nov 21 10:00:00 fw1 %ASA-6-302013: Built", "time=Nov 21 10:00:00|host=fw1",
     "%ASA-6-302013: Built"},
    {"Nov 21 10:00:00 fw1: %ASA-6-302013: Built", "time=Nov 21 10:00:00|host=fw1",
     "%ASA-6-302013: Built"},
    {"<166>%ASA-6-302013: Built", "pri=166", "%ASA-6-302013: Built"},
    {"2026-11-21T10:00:00Z fw1  %FTD-6-430003: A: b", "time=2026-11-21T10:00:00Z|host=fw1",
     "%FTD-6-430003: A: b"},
    {"<166>2026-11-21T10:00:00Z fw1 : %FTD-6-430003: A: b",
     "pri=166|time=2026-11-21T10:00:00Z|host=fw1", "%FTD-6-430003: A: b"},
};

static const struct header_case RFC5424_HEADERS[] = {
    {"<134>1 2026-11-21T10:00:00.5Z fw1 app 77 ID1 - text",
     "pri=134|time=2026-11-21T10:00:00.5Z|host=fw1|app=app|pid=77|id=ID1", "text"},
    {"<134>1 - - - - - -", "pri=134", ""},
    {"<134>1 - - - - - - text", "pri=134", "text"},
    {"<134>1 2026-11-21T10:00:00+09:00 fw1 - - - - \xef\xbb\xbftext",
     "pri=134|time=2026-11-21T10:00:00+09:00|host=fw1", "text"},
    {"<134>1 2026-11-21T10:00:00Z fw1 app - - [a@1 k=\"v\"][b@2 k=\"]\\\"]\"] text",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1|app=app|sd=[a@1 k=\"v\"][b@2 k=\"]\\\"]\"]",
     "text"},
    /* nothing behind the data: it is the message */
    {"<134>1 2026-11-21T10:00:00Z fw1 app - - [a@1 k=\"v\"]",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1|app=app", "[a@1 k=\"v\"]"},
    {"<134>1 2026-11-21T10:00:00Z fw1 app - - [k:\"v\"; k:\"w\"]",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1|app=app", "[k:\"v\"; k:\"w\"]"},
    /* data that never ends, or is none */
    {"<134>1 2026-11-21T10:00:00Z fw1 app - - [a@1 k=\"v] text",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1|app=app", "[a@1 k=\"v] text"},
    {"<134>1 2026-11-21T10:00:00Z fw1 app - - [INSPECT]x",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1|app=app", "[INSPECT]x"},
    /* a message right behind the host name */
    {"<134>1 2026-11-21T10:00:00Z fw1 app - - text", "pri=134|time=2026-11-21T10:00:00Z|host=fw1",
     "app - - text"},
    {"<134>1 2026-11-21T10:00:00Z fw1 app", "pri=134|time=2026-11-21T10:00:00Z|host=fw1", "app"},
    {"<134>1 2026-11-21T10:00:00Z fw1 date=2026-11-21 a=1 b=2 - c=3",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1", "date=2026-11-21 a=1 b=2 - c=3"},
    {"<134>1 2026-11-21T10:00:00Z fw1 LEEF:2.0|Vendor|Name a - - x",
     "pri=134|time=2026-11-21T10:00:00Z|host=fw1", "LEEF:2.0|Vendor|Name a - - x"},
    /* no host or no time: only the PRI is a header */
    {"<134>1 2026-11-21T10:00:00Z fw1", "pri=134", "1 2026-11-21T10:00:00Z fw1"},
    {"<134>1 yesterday fw1 app - - - text", "pri=134", "1 yesterday fw1 app - - - text"},
};

static const struct header_case ISO_HEADERS[] = {
    {"2026-11-21T10:00:00.1+09:00 fw1 date=2026-11-21", "time=2026-11-21T10:00:00.1+09:00|host=fw1",
     "date=2026-11-21"},
    {"2026-11-21T10:00:00+09:00 pa_1 sshd[7]: x",
     "time=2026-11-21T10:00:00+09:00|host=pa_1|app=sshd|pid=7", "x"},
    {"2026-11-21T10:00:00 fw1.example.jp x", "time=2026-11-21T10:00:00|host=fw1.example.jp", "x"},
    {"2026-11-21T10:00:00Z {\"a\":1}", "", "2026-11-21T10:00:00Z {\"a\":1}"},
    {"2026-11-21T10:00:00TEST x", "", "2026-11-21T10:00:00TEST x"},
    {"2026-11-21 10:00:00 198.51.100.7 x", "", "2026-11-21 10:00:00 198.51.100.7 x"},
};

/* What Kiwi Syslog Server writes to its files. */
static const struct header_case TABBED_HEADERS[] = {
    {"2026-11-21 10:00:01\tLocal7.Notice\t192.0.2.1\tdate=2026-11-21 time=10:00:01",
     "time=2026-11-21 10:00:01|host=192.0.2.1", "date=2026-11-21 time=10:00:01"},
    {"2026-11-21 10:00:01\tAuth.Critical\tfw1.example.jp\t<86>Nov 21 10:00:00 fw1 sshd[7]: x",
     "time=2026-11-21 10:00:01|pri=86|time=Nov 21 10:00:00|host=fw1|app=sshd|pid=7", "x"},
    {"2026-11-21 10:00:01\tLocal7.Notices\t192.0.2.1\tx", "",
     "2026-11-21 10:00:01\tLocal7.Notices\t192.0.2.1\tx"},
    {"2026-11-21 10:00:01\t10.1.0.5\t192.0.2.1\tx", "",
     "2026-11-21 10:00:01\t10.1.0.5\t192.0.2.1\tx"},
    {"2026-11-21 10:00:01\tUser.Info\tno host\tx", "",
     "2026-11-21 10:00:01\tUser.Info\tno host\tx"},
    {"2026-11-21 10:00:01\tUser.Info\t192.0.2.1", "", "2026-11-21 10:00:01\tUser.Info\t192.0.2.1"},
    {"2026-11-21 10:00:01\t", "", "2026-11-21 10:00:01\t"},
    {"2026-11-21 10:00:01\tUser.Info\t192.0.2.1\t", "time=2026-11-21 10:00:01|host=192.0.2.1", ""},
};

static const struct header_case SEVERAL_HEADERS[] = {
    {"<13>Nov 21 10:00:01 relay <189>Nov 21 10:00:00 fw1 sshd[7]: x",
     "pri=13|time=Nov 21 10:00:01|pri=189|time=Nov 21 10:00:00|host=fw1|app=sshd|pid=7", "x"},
    {"<13>Nov 21 10:00:01 relay Nov 21 10:00:00 fw1 date=2026-11-21",
     "pri=13|time=Nov 21 10:00:01|time=Nov 21 10:00:00|host=fw1", "date=2026-11-21"},
    {"2026-11-21T10:00:01+09:00 relay <189>date=2026-11-21",
     "time=2026-11-21T10:00:01+09:00|host=relay|pri=189", "date=2026-11-21"},
    {"<13>1 2026-11-21T10:00:01Z relay fwd - - - <166>Nov 21 2026 10:00:00 fw1 : %ASA-6-1: x",
     "pri=13|time=2026-11-21T10:00:01Z|app=fwd|pri=166|time=Nov 21 2026 10:00:00|host=fw1",
     "%ASA-6-1: x"},
    /* behind a tag a date belongs to the message */
    {"Nov 21 10:00:01 relay app: Nov 21 10:00:00 fw1 x", "time=Nov 21 10:00:01|host=relay|app=app",
     "Nov 21 10:00:00 fw1 x"},
    /* a relay's header before a line with its own date */
    {"<13>Nov 21 10:00:01 proxy1 Nov 21 10:00:00 4872 1000/01/ - -",
     "pri=13|time=Nov 21 10:00:01|host=proxy1", "Nov 21 10:00:00 4872 1000/01/ - -"},
    {"123 <13>Nov 21 10:00:00 fw1 x", "octets=123|pri=13|time=Nov 21 10:00:00|host=fw1", "x"},
    {"5 <13>x", "octets=5|pri=13", "x"},
    {"<1><2><3><4><5>x", "pri=1|pri=2|pri=3|pri=4", "<5>x"},
};

static const struct header_case NO_HEADERS[] = {
    {"", "", ""},
    {"date=2026-11-21 time=10:00:00", "", "date=2026-11-21 time=10:00:00"},
    {"1795222800.123    45 198.51.100.7 TCP_MISS/200", "",
     "1795222800.123    45 198.51.100.7 TCP_MISS/200"},
    {"1,2026/11/21 10:00:00,007", "", "1,2026/11/21 10:00:00,007"},
    {"Nov 21 10:00:00 4872 1000/01/ - - 198.51.100.7", "",
     "Nov 21 10:00:00 4872 1000/01/ - - 198.51.100.7"},
    {"<13>Nov 21 10:00:00 4872 1000/01/ - -", "pri=13", "Nov 21 10:00:00 4872 1000/01/ - -"},
    {"2026/11/21 10:00:00 http 198.51.100.7", "", "2026/11/21 10:00:00 http 198.51.100.7"},
    {"Nov 21 10:00:00", "", "Nov 21 10:00:00"},
    {"Nov 21 10:00:00 ", "", "Nov 21 10:00:00 "},
    {"Nov 21 10:00:00 fw1", "", "Nov 21 10:00:00 fw1"},
    {"November 21", "", "November 21"},
    {"%ASA-6-302013: Built", "", "%ASA-6-302013: Built"},
    {"<>x", "", "<>x"},
    {"<1234>x", "", "<1234>x"},
    {"<12", "", "<12"},
    {"<a>x", "", "<a>x"},
    {"5 apples", "", "5 apples"},
    {"0 <13>x", "", "0 <13>x"},
    {"123456789 <13>x", "", "123456789 <13>x"},
    {"sshd[7]: x", "", "sshd[7]: x"},
    {" <13>x", "", " <13>x"},
};

/* Of a message that is nobody's as it stands. */
static const struct header_case TAGS[] = {
    {"<30>dhcpd[812]: text", "pri=30|app=dhcpd|pid=812", "text"},
    {"<30>dhcpd: a: b", "pri=30|app=dhcpd", "a: b"},
    {"named[812]: text", "app=named|pid=812", "text"},
    {"named:", "app=named", ""},
    {"<30>Nov 21 10:00:00 ns1 dhcpd: a: b", "pri=30|time=Nov 21 10:00:00|host=ns1|app=dhcpd",
     "a: b"},
    {"<30>1 - ns1 dhcpd 7 - - a: b", "pri=30|host=ns1|app=dhcpd|pid=7", "a: b"},
    {"<166>%ASA-6-302013: Built", "pri=166", "%ASA-6-302013: Built"},
    {"CEF: 0|Vendor|", "", "CEF: 0|Vendor|"},
    {"46: text", "", "46: text"},
    {"two words: text", "", "two words: text"},
    {"key:value", "", "key:value"},
    {"", "", ""},
};

static void test_tags(void **state)
{
    (void)state;
    CHECK_WITH(TAGS, true);
}

static void test_rfc3164(void **state)
{
    (void)state;
    CHECK_ALL(RFC3164_HEADERS);
}

static void test_cisco(void **state)
{
    (void)state;
    CHECK_ALL(CISCO_HEADERS);
}

static void test_rfc5424(void **state)
{
    (void)state;
    CHECK_ALL(RFC5424_HEADERS);
}

static void test_iso(void **state)
{
    (void)state;
    CHECK_ALL(ISO_HEADERS);
}

static void test_tabbed(void **state)
{
    (void)state;
    CHECK_ALL(TABBED_HEADERS);
}

static void test_several_headers(void **state)
{
    (void)state;
    CHECK_ALL(SEVERAL_HEADERS);
}

static void test_messages_without_header(void **state)
{
    (void)state;
    CHECK_ALL(NO_HEADERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3164), cmocka_unit_test(test_cisco),
        cmocka_unit_test(test_rfc5424), cmocka_unit_test(test_iso),
        cmocka_unit_test(test_tabbed),  cmocka_unit_test(test_several_headers),
        cmocka_unit_test(test_tags),    cmocka_unit_test(test_messages_without_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
