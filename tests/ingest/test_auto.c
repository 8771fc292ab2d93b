/* `format: auto`: whose line is it, in streams that are mixed, odd, or change for good. */
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
#include <string.h>

#include "ingest/feed.h"
#include "ingest/format_ask.h"
#include "tests/ingest/padded.h"

enum {
    ROWS_MAX = 4096,
    MANY = 300,
    TENANT = 990019,
};

#define ARRIVAL_NS INT64_C(1795251600000000000)

#define FORTIGATE_LINE                                                                        \
    "date=2026-11-21 time=18:00:00 devname=\"gw\" devid=\"FGT60F0000000000\" "                \
    "logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" " \
    "srcip=192.0.2.7 dstip=198.51.100.9 action=\"accept\""
#define IPTABLES_LINE                                                           \
    "IN=eth0 OUT= MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:08:00 SRC=192.0.2.7 " \
    "DST=198.51.100.9 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=40000 DPT=443"
#define COMBINED_LINE \
    "192.0.2.7 - - [21/Nov/2026:18:00:00 +0900] \"GET /index.html HTTP/1.1\" 200 3184"
/* A reader of a site who writes a packet filter's words into the address. */
#define COMBINED_FORGED                                                                  \
    "192.0.2.7 - - [21/Nov/2026:18:00:00 +0900] \"GET /?a=1 IN=eth0 OUT= SRC=192.0.2.9 " \
    "DST=192.0.2.8 PROTO=TCP HTTP/1.1\" 200 3184"
/* Common log format: a server's own line, or a proxy's. */
#define COMMON_LINE \
    "192.0.2.7 - - [21/Nov/2026:18:00:00 +0900] \"GET http://www.example.com/ HTTP/1.1\" 200 3184"
#define JSON_LINE "{\"time\":\"2026-11-21T18:00:00+09:00\",\"src\":\"192.0.2.7\",\"n\":1}"
#define EVE_LINE                                                                       \
    "{\"timestamp\":\"2026-11-21T18:00:00.000000+0900\",\"flow_id\":1,\"event_type\":" \
    "\"alert\",\"src_ip\":\"192.0.2.7\",\"src_port\":40000,\"dest_ip\":\"198.51.100.9\"}"
/* Junos writes its data in the header, and the same as a text behind it. */
#define JUNOS_LINE                                                                              \
    "<14>1 2026-11-21T18:00:00.123+09:00 gw RT_FLOW - RT_FLOW_SESSION_CREATE "                  \
    "[junos@2636.1.1.1.2.135 source-address=\"192.0.2.7\" destination-address=\"198.51.100.9\"" \
    " protocol-id=\"6\"] session created 192.0.2.7/40000->198.51.100.9/443 6"
#define CEF_LINE                                                                            \
    "<134>Nov 21 18:00:00 gw CEF:0|Example|Firewall|7.2|0013|traffic close|3|src=192.0.2.7" \
    " spt=40000 act=close"
#define LEEF_LINE "LEEF:1.0|Example|Firewall|7.2|0013|src=192.0.2.7\tdst=198.51.100.9"
#define NO_LINE   "this is nobody's line"

/* What became of each row, by its place in the stream. */
struct stream {
    struct feed_bench *bench;
    struct feed *feed;
    struct feed_options options;
    int64_t offset;
    uint32_t order;
    uint16_t format[ROWS_MAX];
    uint8_t reason[ROWS_MAX];
};

static int closed(void *self, struct batch *b)
{
    struct stream *s = self;
    for (uint32_t row = 0; row < b->row_count; row++) {
        assert_in_range(b->order[row], 0, ROWS_MAX - 1);
        s->format[b->order[row]] = (uint16_t)b->format;
        s->reason[b->order[row]] = b->reason[row];
    }
    return 0;
}

static int begin(void **state)
{
    static const struct feed_environment ENVIRONMENT = {0};
    struct stream *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    assert_int_equal(feed_bench_new(&s->bench, &ENVIRONMENT), 0);
    s->options = (struct feed_options){.tenant = TENANT,
                                       .topic = SLICE("topic"),
                                       .source = SLICE("relay"),
                                       .format = FORMAT_AUTO,
                                       .zone_minutes = 540,
                                       .rows_max = BATCH_LIVE_ROWS_MAX,
                                       .order = &s->order,
                                       .closed = closed,
                                       .self = s};
    assert_int_equal(feed_open(&s->feed, s->bench, &s->options), 0);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct stream *s = *state;
    feed_free(s->feed);
    feed_bench_free(s->bench);
    free(s);
    return 0;
}

/* The stream begins anew with what its feed knows of it, or with that. */
static void open_again(struct stream *s, struct format_habit habit)
{
    feed_free(s->feed);
    s->options.habit = habit;
    s->offset = 0;
    s->order = 0;
    assert_int_equal(feed_open(&s->feed, s->bench, &s->options), 0);
}

static void put(struct stream *s, const char *line, unsigned count)
{
    struct slice copy = padded_copy(slice_from(line));
    for (unsigned i = 0; i < count; i++) {
        struct record record = {.offset = s->offset++,
                                .arrival_ns = ARRIVAL_NS,
                                .reference_ns = ARRIVAL_NS,
                                .value = copy};
        struct feed_result result;
        assert_int_equal(feed_record(s->feed, &record, &result), 0);
    }
    padded_free(copy);
}

/* The rows [from, end) of the stream were read, as lines of that format. */
static void assert_rows(struct stream *s, uint32_t from, uint32_t to, uint16_t format)
{
    assert_int_equal(feed_close(s->feed), 0);
    assert_in_range(to, from + 1, s->order);
    for (uint32_t row = from; row < to; row++) {
        assert_int_equal(s->format[row], format);
        assert_int_equal(s->reason[row], REASON_NONE);
    }
}

static void test_mixed_stream_line_by_line(void **state)
{
    struct stream *s = *state;
    static const struct {
        const char *line;
        uint16_t format;
    } KINDS[] = {{FORTIGATE_LINE, FORMAT_FORTIGATE},
                 {IPTABLES_LINE, FORMAT_IPTABLES},
                 {COMBINED_LINE, FORMAT_COMBINED},
                 {EVE_LINE, FORMAT_EVE},
                 {JSON_LINE, FORMAT_JSON}};
    const size_t kinds = sizeof(KINDS) / sizeof(KINDS[0]);
    for (uint32_t i = 0; i < MANY; i++)
        put(s, KINDS[i % kinds].line, 1);
    for (uint32_t i = 0; i < MANY; i++)
        assert_rows(s, i, i + 1, KINDS[i % kinds].format);
}

/* A source that was of one format all its life, and one line of each other. */
static void test_odd_lines_of_a_settled_source(void **state)
{
    struct stream *s = *state;
    put(s, FORTIGATE_LINE, MANY);
    put(s, IPTABLES_LINE, 1);
    put(s, FORTIGATE_LINE, 1);
    put(s, NO_LINE, 1);
    put(s, FORTIGATE_LINE, 1);
    assert_rows(s, 0, MANY, FORMAT_FORTIGATE);
    assert_rows(s, MANY, MANY + 1, FORMAT_IPTABLES);
    assert_rows(s, MANY + 1, MANY + 2, FORMAT_FORTIGATE);
    assert_rows(s, MANY + 3, MANY + 4, FORMAT_FORTIGATE);
    assert_int_equal(s->format[MANY + 2], FORMAT_AUTO);
    assert_int_equal(s->reason[MANY + 2], REASON_FORMAT_MISMATCH);
}

/* Another firewall from one line to the next: nothing is lost meanwhile, and it goes on at once. */
static void test_the_firewall_is_replaced(void **state)
{
    struct stream *s = *state;
    put(s, FORTIGATE_LINE, MANY);
    put(s, IPTABLES_LINE, MANY);
    put(s, FORTIGATE_LINE, MANY);
    assert_rows(s, 0, MANY, FORMAT_FORTIGATE);
    assert_rows(s, MANY, 2 * MANY, FORMAT_IPTABLES);
    assert_rows(s, 2 * MANY, 3 * MANY, FORMAT_FORTIGATE);
}

/* Who writes a request does not decide what the server's log is. */
static void test_a_forged_line_stays_the_sources(void **state)
{
    struct stream *s = *state;
    put(s, COMBINED_LINE, MANY);
    put(s, COMBINED_FORGED, 1);
    put(s, COMBINED_LINE, 1);
    assert_rows(s, 0, MANY + 2, FORMAT_COMBINED);
}

/* What one line cannot tell, the source's habit does: a site's log, or a proxy's. */
static void test_an_ambiguous_line(void **state)
{
    struct stream *s = *state;
    put(s, COMMON_LINE, 1);
    assert_rows(s, 0, 1, FORMAT_SQUID);
    open_again(s, (struct format_habit){.settled = FORMAT_COMBINED});
    put(s, COMMON_LINE, 3 * FORMAT_HABIT_LEAD);
    assert_rows(s, 0, 3 * FORMAT_HABIT_LEAD, FORMAT_COMBINED);
    open_again(s, (struct format_habit){.settled = FORMAT_SQUID});
    put(s, COMMON_LINE, 1);
    assert_rows(s, 0, 1, FORMAT_SQUID);
    /* A few lines of it do not settle anything; enough of them do. */
    open_again(s, (struct format_habit){0});
    put(s, COMBINED_LINE, FORMAT_HABIT_LEAD - 1);
    put(s, COMMON_LINE, 1);
    put(s, COMBINED_LINE, FORMAT_HABIT_LEAD);
    put(s, COMMON_LINE, 1);
    assert_rows(s, FORMAT_HABIT_LEAD - 1, FORMAT_HABIT_LEAD, FORMAT_SQUID);
    assert_rows(s, 2 * FORMAT_HABIT_LEAD, 2 * FORMAT_HABIT_LEAD + 1, FORMAT_COMBINED);
}

/* A general format does not take what a closer one reads. */
static void test_closer_formats_come_first(void **state)
{
    struct stream *s = *state;
    put(s, JSON_LINE, MANY);
    put(s, EVE_LINE, MANY);
    put(s, JSON_LINE, 1);
    assert_rows(s, 0, MANY, FORMAT_JSON);
    assert_rows(s, MANY, 2 * MANY, FORMAT_EVE);
    assert_rows(s, 2 * MANY, 2 * MANY + 1, FORMAT_JSON);
}

/* The habit of a source is the same however its lines are cut into batches and runs. */
static void test_a_restart_changes_nothing(void **state)
{
    struct stream *s = *state;
    struct format_habit habit = {0};
    for (unsigned part = 0; part < 4; part++) {
        open_again(s, habit);
        put(s, COMBINED_LINE, FORMAT_HABIT_LEAD / 3);
        put(s, COMMON_LINE, 1);
        assert_int_equal(feed_close(s->feed), 0);
        for (uint32_t row = 0; row < s->order; row++) {
            if (s->reason[row] == REASON_NONE)
                format_habit_row(&habit, s->format[row]);
        }
        uint16_t want = part < 3 ? FORMAT_SQUID : FORMAT_COMBINED;
        assert_int_equal(s->format[s->order - 1], want);
    }
}

/* What the header's reader took off says whose line it is, alone and in another's stream. */
static void test_data_in_the_header(void **state)
{
    struct stream *s = *state;
    put(s, JUNOS_LINE, 2);
    put(s, FORTIGATE_LINE, MANY);
    put(s, JUNOS_LINE, 1);
    put(s, "<14>1 2026-11-21T18:00:00Z gw - - - [meta sequenceId=\"1\"] " FORTIGATE_LINE, 1);
    assert_rows(s, 0, 2, FORMAT_JUNIPER_SRX);
    assert_rows(s, MANY + 2, MANY + 3, FORMAT_JUNIPER_SRX);
    assert_rows(s, MANY + 3, MANY + 4, FORMAT_FORTIGATE);
}

/* A program's tag with neither stamp nor host before it, as small senders and stripping relays write. */
static void test_a_tag_alone(void **state)
{
    struct stream *s = *state;
    put(s, "<30>dhcpd[812]: DHCPACK on 192.0.2.77 to 02:00:00:00:00:07 (pc7) via eth0", 1);
    put(s, "openvpn: 192.0.2.7:1194 TLS: Initial packet from [AF_INET]192.0.2.7:1194, sid=1", 1);
    put(s,
        "<134>squid[77]: 1795251600.123 45 192.0.2.7 TCP_MISS/200 512 GET "
        "http://www.example.com/ - HIER_DIRECT/198.51.100.9 text/html",
        1);
    put(s, "input: in:ether1 out:(unknown 0), proto UDP, 192.0.2.7:53->198.51.100.9:53, len 71", 1);
    put(s, "program[7]: " NO_LINE, 1);
    assert_rows(s, 0, 1, FORMAT_INFOBLOX);
    assert_rows(s, 1, 2, FORMAT_OPENVPN);
    assert_rows(s, 2, 3, FORMAT_SQUID);
    assert_rows(s, 3, 4, FORMAT_ROUTEROS);
    assert_int_equal(s->reason[4], REASON_FORMAT_MISMATCH);
}

/* A device whose format was given sends exports that name themselves as well; of others it is strict. */
static void test_exports_beside_a_given_format(void **state)
{
    struct stream *s = *state;
    s->options.format = FORMAT_FORTIGATE;
    open_again(s, (struct format_habit){0});
    put(s, FORTIGATE_LINE, 1);
    put(s, CEF_LINE, 1);
    put(s, LEEF_LINE, 1);
    put(s, JSON_LINE, 1);
    put(s, FORTIGATE_LINE, 1);
    put(s, COMBINED_LINE, 1);
    put(s, "{\"src\":", 1);
    put(s, "CEF:0|Example", 1);
    put(s, "a CEF:0|Example|Firewall|7.2|0013|traffic close|3|src=192.0.2.7", 1);
    put(s, "program: " JSON_LINE, 1);
    assert_rows(s, 0, 1, FORMAT_FORTIGATE);
    assert_rows(s, 1, 2, FORMAT_CEF);
    assert_rows(s, 2, 3, FORMAT_LEEF);
    assert_rows(s, 3, 4, FORMAT_JSON);
    assert_rows(s, 4, 5, FORMAT_FORTIGATE);
    assert_rows(s, 9, 10, FORMAT_JSON);
    for (uint32_t row = 5; row < 9; row++) {
        if (row == 6)
            continue;
        assert_int_equal(s->format[row], FORMAT_FORTIGATE);
        assert_int_equal(s->reason[row], REASON_FORMAT_MISMATCH);
    }
    assert_int_equal(s->format[6], FORMAT_JSON);
    assert_int_equal(s->reason[6], REASON_PARTIAL);
}

/* At most so many parsers look at a line, each once. */
static void test_asking_ends(void **state)
{
    (void)state;
    struct slice line = padded_copy(SLICE(COMMON_LINE));
    for (uint16_t settled = 0; settled < 64; settled++) {
        struct format_ask ask = {.settled = settled};
        const struct parser *given[FORMAT_ASK_MAX + 1] = {NULL};
        size_t count = 0;
        const struct parser *p = NULL;
        while ((p = format_ask_next(&ask, line)) != NULL) {
            assert_in_range(count, 0, FORMAT_ASK_MAX - 1);
            assert_true(p->probe(line));
            for (size_t i = 0; i < count; i++)
                assert_ptr_not_equal(given[i], p);
            given[count++] = p;
        }
        assert_in_range(count, 2, FORMAT_ASK_MAX);
        assert_null(format_ask_next(&ask, line));
    }
    padded_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mixed_stream_line_by_line, begin, end),
        cmocka_unit_test_setup_teardown(test_odd_lines_of_a_settled_source, begin, end),
        cmocka_unit_test_setup_teardown(test_the_firewall_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_a_forged_line_stays_the_sources, begin, end),
        cmocka_unit_test_setup_teardown(test_an_ambiguous_line, begin, end),
        cmocka_unit_test_setup_teardown(test_closer_formats_come_first, begin, end),
        cmocka_unit_test_setup_teardown(test_a_restart_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_data_in_the_header, begin, end),
        cmocka_unit_test_setup_teardown(test_a_tag_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_exports_beside_a_given_format, begin, end),
        cmocka_unit_test(test_asking_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
