/* What a municipality must not write down, and what is said about it. */
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

#include "base/err.h"
#include "tests/detect/policy_town.h"

static void refused(struct town *t, enum policy_part part, size_t index, const char *what)
{
    struct policy *p = NULL;
    assert_int_equal(town_make(&p, t), ERR_CONF);
    assert_null(p);
    if (t->fault_count != 1 || t->part != part || t->index != index ||
        strstr(t->faults, what) == NULL)
        fail_msg("%zu faults, part %d, index %zu, wanted \"%s\": %s", t->fault_count, (int)t->part,
                 t->index, what, t->faults);
}

static void test_networks_refused(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    town_network(&t, "10.9.0.0/16", 0, false);
    refused(&t, POLICY_PART_NETWORK, 6, "has no zone");
    t = town_new(POLICY_ALPHA);
    town_network(&t, "10.1.140.0/24", INTERNET, false);
    refused(&t, POLICY_PART_NETWORK, 6, "lies inside one of LGWAN");
    t = town_new(POLICY_ALPHA);
    town_network(&t, "10.0.0.0/8", INTERNET, false);
    refused(&t, POLICY_PART_NETWORK, 1, "of LGWAN接続系 lies inside one of インターネット");
    t = town_new(POLICY_ALPHA);
    town_network(&t, "192.168.7.0/24", 0, true);
    refused(&t, POLICY_PART_NETWORK, 6, "hide My-Number traffic");
    /* A DMZ inside the Internet segment, a zone around another family, an excluded LGWAN network. */
    t = town_new(POLICY_ALPHA);
    town_network(&t, "10.1.5.0/24", DMZ, false);
    town_network(&t, "::/0", INTERNET, false);
    town_network(&t, "10.1.150.0/24", 0, true);
    policy_free(town_policy(&t));
}

static void test_gateways_refused(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.200.0.1", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD));
    refused(&t, POLICY_PART_GATEWAY, 0, "lies in no zone");
    t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.1.0.9", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD));
    refused(&t, POLICY_PART_GATEWAY, 0, "which it does not join");
    t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.1.128.0/18", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD));
    refused(&t, POLICY_PART_GATEWAY, 0, "at most 256 addresses");
    t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.1.128.9", POLICY_UPDATE, town_bit(LGWAN));
    refused(&t, POLICY_PART_GATEWAY, 0, "at least two zones");
    t = town_new(POLICY_ALPHA);
    town_gateway(&t, "192.168.0.9", POLICY_UPDATE, town_bit(NUMBER) | town_bit(WORLD))->reason =
        SLICE("x");
    refused(&t, POLICY_PART_GATEWAY, 0, "can never be");
    t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.1.128.9", POLICY_PROXY, town_bit(LGWAN) | town_bit(WORLD));
    refused(&t, POLICY_PART_GATEWAY, 0, "foresees no gateway of role proxy");
    t = town_new(POLICY_ALPHA);
    town_gateway(&t, "10.1.128.9", POLICY_UPDATE, town_bit(LGWAN) | town_bit(WORLD));
    town_gateway(&t, "10.1.128.8/31", POLICY_MAIL, town_bit(LGWAN) | town_bit(WORLD));
    refused(&t, POLICY_PART_GATEWAY, 1, "has the same address");
}

static void test_flows_refused(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_place(NUMBER), town_end_place(LGWAN));
    policy_free(town_policy(&t));
    t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_place(NUMBER), town_end_place(INTERNET));
    refused(&t, POLICY_PART_FLOW, 0, "write the reason");
    t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_network("192.168.1.1"), town_end_domain("www.example.com"))->reason =
        SLICE("x");
    refused(&t, POLICY_PART_FLOW, 0, "nothing may pass");
    t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_place(INTERNET), town_end_place(WORLD));
    refused(&t, POLICY_PART_FLOW, 0, "everything is allowed already");
    t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_network("172.16.0.1"), town_end_place(LGWAN));
    refused(&t, POLICY_PART_FLOW, 0, "\"from\" lies in no zone");
    t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_place(NUMBER), town_end_network("10.1.0.0/16"));
    refused(&t, POLICY_PART_FLOW, 0, "\"to\" lies in no zone, or in several");
    t = town_new(POLICY_ALPHA);
    town_flow(&t, town_end_place(NUMBER), town_end_place(LGWAN));
    town_flow(&t, town_end_place(NUMBER), town_end_place(LGWAN))->until_ns = town_noon();
    refused(&t, POLICY_PART_FLOW, 1, "the same ends, protocol and ports");
}

static void test_others_refused(void **state)
{
    (void)state;
    struct town t = town_new(POLICY_ALPHA);
    t.clouds[0] = (struct policy_cloud){SLICE("office"), town_end_domain("office.example")};
    t.o.cloud_count = 1;
    refused(&t, POLICY_PART_CLOUD, 0, "write model alpha'");
    t.o.model = POLICY_ALPHA_DASH;
    t.clouds[0].to = town_end_network("10.1.0.0/24");
    t.fault_count = 0;
    refused(&t, POLICY_PART_CLOUD, 0, "a cloud is on the Internet");
    t.clouds[0].to = town_end_domain("com");
    t.fault_count = 0;
    refused(&t, POLICY_PART_CLOUD, 0, "top-level domain");
    t = town_new(POLICY_ALPHA);
    t.o.line_count = 1;
    t.lines[0] = (struct policy_line){NUMBER, WORLD, POLICY_GATEWAY, SLICE("x")};
    refused(&t, POLICY_PART_LINE, 0, "nothing may pass");
    t.lines[0] = (struct policy_line){LGWAN, WORLD, POLICY_ALLOW, SLICE("")};
    t.fault_count = 0;
    refused(&t, POLICY_PART_LINE, 0, "write the reason");
    t.lines[0] = (struct policy_line){LGWAN, LGWAN, POLICY_DENY, SLICE("")};
    t.fault_count = 0;
    refused(&t, POLICY_PART_LINE, 0, "two different zones");
    t.lines[0] = (struct policy_line){OTHER, DMZ, POLICY_DENY, SLICE("")};
    t.lines[1] = (struct policy_line){OTHER, DMZ, POLICY_ALLOW, SLICE("")};
    t.o.line_count = 2;
    t.fault_count = 0;
    refused(&t, POLICY_PART_LINE, 1, "a line from 消防 to DMZ already");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks_refused),
        cmocka_unit_test(test_gateways_refused),
        cmocka_unit_test(test_flows_refused),
        cmocka_unit_test(test_others_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
