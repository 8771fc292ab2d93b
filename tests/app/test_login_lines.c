#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/rule_source.h"
#include "detect/flow_read.h"
#include "event/verdict.h"

/* What a detector is told of lines about logins, as devices write them. */

#define LOGIN (FLOW_LOGIN_FAILED | FLOW_LOGIN_DONE)

#define PANOS(type, rest) \
    "1,2026/11/21 10:00:00,001801000001," type ",2561,2026/11/21 10:00:00," rest "\n"
#define SYSTEM(subtype, action, text) \
    PANOS("SYSTEM," subtype,          \
          "," action ",P,0,0,general,medium,\"" text "\",5211100,0x0,0,0,0,0,,FW")
#define PROTECT(action, outcome)                                                   \
    PANOS("GLOBALPROTECT,0",                                                       \
          "vsys1," action ",login,LDAP,,taro,JP,PC-1,198.51.100.7,0.0.0.0,"        \
          "0.0.0.0,0.0.0.0,aaaa,SERIAL,5.1.4,Windows,\"Windows 10\",1,,,," outcome \
          ",,0,user-logon,0,gw1,1234567,0x0")
#define FORTIGATE(subtype, rest)                                                               \
    "date=2026-11-21 time=10:00:00 devname=\"FW\" devid=\"FG100FEXAMPLE0001\" type=\"event\" " \
    "subtype=\"" subtype "\" level=\"notice\" vd=\"root\" " rest "\n"
#define ASA(text) "%ASA-6-" text "\n"

static const struct login_case {
    const char *format;
    const char *line;
    unsigned flags; /* of LOGIN */
    enum verdict verdict;
    const char *user;
    const char *source; /* "": none */
} CASES[] = {
    {"cisco_asa",
     ASA("113015: AAA user authentication Rejected : reason = Invalid password : local database : "
         "user = taro : user IP = 198.51.100.7"),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"cisco_asa",
     ASA("113015: AAA user authentication Rejected: reason = Invalid password: local database: user = taro"),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", ""},
    {"cisco_asa",
     ASA("113005: AAA user authentication Rejected : reason = AAA failure : server = 192.0.2.9 : "
         "user = taro : user IP = 198.51.100.7"),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"cisco_asa",
     ASA("605004: Login denied from 198.51.100.7/54321 to outside:203.0.113.1/ssh for user \"taro\""),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"cisco_asa",
     ASA("716038: Group <GP> User <taro> IP <198.51.100.7> Authentication: successful, Session Type: WebVPN."),
     FLOW_LOGIN_DONE, VERDICT_ALLOW, "taro", "198.51.100.7"},
    {"cisco_asa",
     ASA("716039: Group <GP> User <taro> IP <198.51.100.7> Authentication: rejected, Session Type: WebVPN."),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"cisco_asa",
     ASA("113021: Attempted console login failed. User taro did NOT have appropriate Admin Rights."),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", ""},
    {"cisco_asa",
     ASA("305011: Built dynamic TCP translation from inside:192.0.2.7/49152 to outside:203.0.113.1/49152"),
     0, VERDICT_UNKNOWN, "", "192.0.2.7"},
    {"cisco_asa",
     ASA("305012: Teardown dynamic TCP translation from inside:192.0.2.7/49152 to outside:203.0.113.1/49152 "
         "duration 0:00:30"),
     0, VERDICT_UNKNOWN, "", "192.0.2.7"},
    {"cisco_asa",
     ASA("305009: Built static translation from inside:192.0.2.7 to outside:203.0.113.1"), 0,
     VERDICT_UNKNOWN, "", "192.0.2.7"},
    {"cisco_asa", ASA("609001: Built local-host inside:192.0.2.7"), 0, VERDICT_UNKNOWN, "",
     "192.0.2.7"},
    {"panos",
     SYSTEM("auth", "auth-fail",
            "failed authentication for user 'taro'.  Reason: Invalid username/password. "
            "auth profile 'P', vsys 'vsys1', From: 198.51.100.7."),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"panos",
     SYSTEM(
         "globalprotect", "globalprotectgateway-auth-fail",
         "GlobalProtect gateway user authentication failed. Login from: 198.51.100.7, Source region: JP, User name: "
         "taro, Reason: Authentication failed: Invalid username or password, Auth type: profile."),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"panos",
     SYSTEM(
         "globalprotect", "globalprotectportal-auth-succ",
         "GlobalProtect portal user authentication succeeded. Login from: 198.51.100.7, Source region: JP, User name: "
         "taro. "),
     FLOW_LOGIN_DONE, VERDICT_ALLOW, "taro", "198.51.100.7"},
    {"panos",
     SYSTEM("general", "general", "User taro logged in via Web from 192.0.2.7 using https"), 0,
     VERDICT_UNKNOWN, "taro", "192.0.2.7"},
    {"panos", PROTECT("gateway-auth", "failure"), FLOW_LOGIN_FAILED, VERDICT_DENY, "taro",
     "198.51.100.7"},
    {"panos", PROTECT("portal-auth", "success"), FLOW_LOGIN_DONE, VERDICT_ALLOW, "taro",
     "198.51.100.7"},
    {"panos", PROTECT("gateway-prelogin", "success"), 0, VERDICT_UNKNOWN, "taro", "198.51.100.7"},
    {"fortigate",
     FORTIGATE("system",
               "user=\"taro\" ui=\"https(198.51.100.7)\" srcip=198.51.100.7 dstip=203.0.113.1 "
               "action=\"login\" status=\"failed\" reason=\"passwd_invalid\""),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"fortigate",
     FORTIGATE("system", "user=\"taro\" ui=\"ssh(192.0.2.7)\" action=\"login\" status=\"success\""),
     FLOW_LOGIN_DONE, VERDICT_ALLOW, "taro", "192.0.2.7"},
    {"fortigate",
     FORTIGATE("system",
               "ui=\"198.51.100.7\" action=\"login\" status=\"failed\" reason=\"exceed_limit\""),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "", "198.51.100.7"},
    {"fortigate", FORTIGATE("vpn", "action=\"ssl-login-fail\" remip=198.51.100.7 user=\"taro\""),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "198.51.100.7"},
    {"fortigate",
     FORTIGATE("user",
               "srcip=192.0.2.7 user=\"taro\" action=\"authentication\" status=\"failure\""),
     FLOW_LOGIN_FAILED, VERDICT_DENY, "taro", "192.0.2.7"},
    {"fortigate",
     FORTIGATE("user",
               "srcip=192.0.2.7 user=\"taro\" action=\"authentication\" status=\"success\""),
     FLOW_LOGIN_DONE, VERDICT_ALLOW, "taro", "192.0.2.7"},
    {"fortigate",
     FORTIGATE("user", "srcip=192.0.2.7 user=\"taro\" action=\"auth-logout\" status=\"logout\""), 0,
     VERDICT_UNKNOWN, "taro", "192.0.2.7"},
    {"fortigate",
     FORTIGATE("system", "user=\"taro\" srcip=192.0.2.7 action=\"logout\" status=\"success\""), 0,
     VERDICT_UNKNOWN, "taro", "192.0.2.7"},
};

struct check {
    const struct login_case *wanted;
    struct flow_reader *reader;
    unsigned wrong;
};

static int take(void *self, struct batch *b)
{
    struct check *c = self;
    const struct login_case *w = c->wanted;
    struct flow flow;
    uint32_t order[1] = {0};
    struct buf source = {0};
    assert_int_equal(b->row_count, 1);
    flow_texts_reset(&c->reader->texts);
    assert_int_equal(flow_read(c->reader, b, order, 0, &flow), 0);
    if ((flow.flags & FLOW_HAS_SOURCE) != 0)
        ip_print(&source, &flow.source);
    struct slice user = flow_text(&c->reader->texts, flow.user);
    bool right = (flow.flags & LOGIN) == w->flags && flow.verdict == w->verdict &&
                 slice_equal(user, slice_from(w->user)) &&
                 slice_equal(slice_from(buf_string(&source)), slice_from(w->source));
    if (!right) {
        print_error("%sflags %x, verdict %u, user \"%.*s\", source %s\n", w->line,
                    flow.flags & LOGIN, flow.verdict, (int)user.len, user.data,
                    buf_string(&source));
        c->wrong++;
    }
    /* A translation is no connection to where it leads. */
    if (strstr(w->line, " translation ") != NULL)
        assert_int_equal(flow.direction, FLOW_NOWHERE);
    buf_release(&source);
    return 0;
}

static void tells_logins(void **state)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(tells_logins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
