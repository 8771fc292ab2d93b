#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/rule_source.h"
#include "detect/flow_read.h"

/* A session's bytes count once: with its end, not with records of its beginning or middle. */

#define TRAFFIC(logid, rest)                                                            \
    "date=2026-11-21 time=10:00:00 devname=\"FW\" logid=\"" logid "\" type=\"traffic\"" \
    " subtype=\"forward\" level=\"notice\" vd=\"root\" srcip=192.0.2.7 srcport=40000"   \
    " dstip=198.51.100.9 dstport=443 proto=6 sentbyte=500 rcvdbyte=1000 " rest "\n"
#define PANOS(subtype)                                                                         \
    "1,2026/11/21 10:00:01,012345678901,TRAFFIC," subtype ",2562,2026/11/21 10:00:00,"         \
    "192.0.2.7,198.51.100.9,0.0.0.0,0.0.0.0,web,,,ssl,vsys1,trust,untrust,ethernet1/2,"        \
    "ethernet1/1,forward,2026/11/21 10:00:01,77,1,40000,443,0,0,0x19,tcp,allow,1500,500,1000," \
    "10,2026/11/21 09:59:00,60,any\n"
#define PANOS_PAIRS(subtype)                                                           \
    "type=\"TRAFFIC\" subtype=\"" subtype "\" src=\"192.0.2.7\" dst=\"198.51.100.9\" " \
    "sport=\"40000\" dport=\"443\" proto=\"tcp\" action=\"allow\" bytes_sent=\"500\" " \
    "bytes_received=\"1000\"\n"
#define FTD(number, type)                                                                \
    "%FTD-1-" number ": AccessControlRuleAction: Allow, SrcIP: 192.0.2.7, DstIP: "       \
    "198.51.100.9, SrcPort: 40000, DstPort: 443, Protocol: tcp, ConnectType: " type ", " \
    "InitiatorBytes: 500, ResponderBytes: 1000\n"
#define SOPHOS(phase)                                                                    \
    "device=\"SFW\" date=2026-11-21 time=10:00:00 timezone=\"JST\" log_id=010101600001 " \
    "log_type=\"Firewall\" log_component=\"Firewall Rule\" log_subtype=\"Allowed\" "     \
    "src_ip=192.0.2.7 src_port=40000 dst_ip=198.51.100.9 dst_port=443 protocol=\"TCP\" " \
    "sent_bytes=500 recv_bytes=1000 connevent=\"" phase "\"\n"
#define CEF(number, logid)                                                                    \
    "CEF:0|Fortinet|Fortigate|v7.2.5|" number "|traffic:forward accept|3|FTNTFGTlogid=" logid \
    " cat=traffic:forward src=192.0.2.7 spt=40000 dst=198.51.100.9 dpt=443 proto=6 "          \
    "act=accept out=500 in=1000\n"
#define JSON(logid)                                                                           \
    "{\"date\":\"2026-11-21\",\"time\":\"10:00:00\",\"logid\":\"" logid "\",\"type\":"        \
    "\"traffic\",\"subtype\":\"forward\",\"srcip\":\"192.0.2.7\",\"dstip\":\"198.51.100.9\"," \
    "\"srcintf\":\"lan\",\"action\":\"accept\",\"sentbyte\":500,\"rcvdbyte\":1000}\n"

static const struct session_case {
    const char *format;
    const char *line;
    bool counts;
} CASES[] = {
    {"fortigate", TRAFFIC("0000000013", "action=\"close\""), true},
    {"fortigate", TRAFFIC("0000000015", "action=\"start\""), false},
    {"fortigate", TRAFFIC("0000000020", "action=\"accept\" sentdelta=50 rcvddelta=100"), false},
    /* The last record of a session that had some in the middle. */
    {"fortigate", TRAFFIC("0000000013", "action=\"close\" sentdelta=50 rcvddelta=100"), true},
    {"cef", CEF("00013", "0000000013"), true},
    {"cef", CEF("00020", "0000000020"), false},
    {"json", JSON("0000000013"), true},
    {"json", JSON("0000000020"), false},
    {"panos", PANOS("end"), true},
    {"panos", PANOS("start"), false},
    {"panos", PANOS_PAIRS("end"), true},
    {"panos", PANOS_PAIRS("start"), false},
    {"cisco_ftd", FTD("430003", "End"), true},
    {"cisco_ftd", FTD("430002", "Start"), false},
    {"sophos", SOPHOS("Stop"), true},
    {"sophos", SOPHOS("Start"), false},
    {"sophos", SOPHOS("Interim"), false},
};

struct check {
    const struct session_case *wanted;
    struct flow_reader *reader;
    unsigned wrong;
};

static int take(void *self, struct batch *b)
{
    struct check *c = self;
    struct flow flow;
    uint32_t order[1] = {0};
    assert_int_equal(b->row_count, 1);
    flow_texts_reset(&c->reader->texts);
    assert_int_equal(flow_read(c->reader, b, order, 0, &flow), 0);
    const bool counts = c->wanted->counts;
    if (flow.source_bytes != (counts ? 500 : -1) ||
        flow.destination_bytes != (counts ? 1000 : -1)) {
        print_error("%s%s, and has %lld and %lld\n", c->wanted->line,
                    counts ? "counts" : "must not count", (long long)flow.source_bytes,
                    (long long)flow.destination_bytes);
        c->wrong++;
    }
    return 0;
}

static void counts_bytes_once(void **state)
{
    (void)state;
    const struct detect_shared shared = {.seed = 5};
    const struct detect_profile profile = {.tenant = 990019};
    struct diag diag = {0};
    struct rule_source *source = NULL;
    struct check c = {.reader = calloc(1, sizeof(*c.reader))};
    assert_non_null(c.reader);
    c.reader->shared = &shared;
    c.reader->profile = &profile;
    assert_int_equal(rule_source_open(&source, &diag), 0);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint32_t unparsed = 0;
        c.wanted = &CASES[i];
        const struct rule_source_lines lines = {.format = slice_from(CASES[i].format),
                                                .lines = slice_from(CASES[i].line),
                                                .take = take,
                                                .self = &c};
        assert_int_equal(rule_source_feed(source, &lines, &unparsed, &diag), 0);
        assert_int_equal(unparsed, 0);
    }
    assert_int_equal(c.wrong, 0);
    rule_source_close(source);
    flow_reader_release(c.reader);
    free(c.reader);
    diag_release(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_bytes_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
