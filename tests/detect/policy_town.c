#include "tests/detect/policy_town.h"

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

#include "base/calendar.h"

static const struct policy_zone ZONES[] = {
    {{.data = "マイナンバー利用事務系", .len = 33}, POLICY_NUMBER},
    {{.data = "LGWAN接続系", .len = 14}, POLICY_LGWAN},
    {{.data = "インターネット接続系", .len = 30}, POLICY_INTERNET},
    {{.data = "DMZ", .len = 3}, POLICY_DMZ},
    {{.data = "消防", .len = 6}, POLICY_OTHER},
};

const char *const TOWN_HOSTS[POLICY_KINDS] = {
    [POLICY_NONE] = "172.16.9.9",    [POLICY_NUMBER] = "192.168.1.10",
    [POLICY_LGWAN] = "10.1.128.50",  [POLICY_INTERNET] = "10.1.0.50",
    [POLICY_DMZ] = "10.1.64.10",     [POLICY_OTHER] = "10.1.96.5",
    [POLICY_WORLD] = "198.51.100.7",
};
const uint8_t TOWN_PLACES[POLICY_KINDS] = {
    [POLICY_NONE] = NONE,         [POLICY_NUMBER] = NUMBER, [POLICY_LGWAN] = LGWAN,
    [POLICY_INTERNET] = INTERNET, [POLICY_DMZ] = DMZ,       [POLICY_OTHER] = OTHER,
    [POLICY_WORLD] = WORLD,
};

struct network town_cidr(const char *text)
{
    char padded[128] = {0};
    struct network net;
    (void)snprintf(padded, sizeof(padded), "%s", text);
    assert_int_equal(network_parse(&net, slice_of(padded, strlen(text)), NULL), 0);
    return net;
}

void town_network(struct town *t, const char *cidr, uint16_t zone, bool excluded)
{
    t->networks[t->o.network_count++] = (struct zone_network){
        .network = town_cidr(cidr), .match = {.zone = zone, .excluded = excluded}};
}

struct town town_new(enum policy_model model)
{
    struct town t = {.o = {.model = model, .zones = ZONES, .zone_count = 5}};
    town_network(&t, "192.168.0.0/16", NUMBER, false);
    town_network(&t, "10.1.128.0/18", LGWAN, false);
    town_network(&t, "10.1.0.0/18", INTERNET, false);
    town_network(&t, "10.1.64.0/24", DMZ, false);
    town_network(&t, "10.1.96.0/24", OTHER, false);
    town_network(&t, "10.1.192.0/18", 0, true);
    return t;
}

static void take_fault(void *self, enum policy_part part, size_t index, const char *text)
{
    struct town *t = self;
    size_t used = strlen(t->faults);
    (void)snprintf(t->faults + used, sizeof(t->faults) - used, "%s\n", text);
    t->fault_count++;
    t->part = part;
    t->index = index;
}

int town_make(struct policy **out, struct town *t)
{
    const struct policy_reader reader = {.fault = take_fault, .self = t};
    t->o.networks = t->networks;
    t->o.gateways = t->gateways;
    t->o.flows = t->flows;
    t->o.clouds = t->clouds;
    t->o.lines = t->lines;
    return policy_new(out, &t->o, &reader);
}

struct policy *town_policy(struct town *t)
{
    struct policy *p = NULL;
    int status = town_make(&p, t);
    if (status != 0)
        fail_msg("%s", t->faults);
    return p;
}

uint64_t town_bit(unsigned place)
{
    return UINT64_C(1) << place;
}

struct policy_gateway *town_gateway(struct town *t, const char *cidr, enum policy_role role,
                                    uint64_t joins)
{
    struct policy_gateway *g = &t->gateways[t->o.gateway_count++];
    *g = (struct policy_gateway){
        .name = SLICE("gw"), .network = town_cidr(cidr), .joins = joins, .role = (uint8_t)role};
    return g;
}

struct policy_end town_end_place(unsigned place)
{
    return (struct policy_end){.type = POLICY_END_PLACE, .place = (uint8_t)place};
}

struct policy_end town_end_network(const char *cidr)
{
    return (struct policy_end){.type = POLICY_END_NETWORK, .network = town_cidr(cidr)};
}

struct policy_end town_end_domain(const char *name)
{
    return (struct policy_end){.type = POLICY_END_DOMAIN, .domain = slice_from(name)};
}

struct policy_flow *town_flow(struct town *t, struct policy_end from, struct policy_end to)
{
    struct policy_flow *f = &t->flows[t->o.flow_count++];
    *f = (struct policy_flow){
        .name = SLICE("基幹連携"), .from = from, .to = to, .until_ns = INT64_MAX};
    return f;
}

int64_t town_noon(void)
{
    return calendar_midnight(clock_days(2026, 11, 5)) + 12 * CALENDAR_HOUR_NS;
}
