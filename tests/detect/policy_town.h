/*
 * tests/detect/policy_town.h - a municipality with a zone of each kind, for tests of its policy.
 *
 *   192.168.0.0/16 My-Number   10.1.128.0/18 LGWAN   10.1.0.0/18 Internet segment
 *   10.1.64.0/24 DMZ   10.1.96.0/24 other   10.1.192.0/18 excluded
 */
#pragma once

#include "detect/policy.h"

enum town_place {
    NONE = 0,
    NUMBER = 1,
    LGWAN,
    INTERNET,
    DMZ,
    OTHER,
    WORLD = POLICY_PLACE_WORLD,
};

/* By enum policy_kind: an address there, and its place. */
extern const char *const TOWN_HOSTS[POLICY_KINDS];
extern const uint8_t TOWN_PLACES[POLICY_KINDS];

struct town {
    struct zone_network networks[16];
    struct policy_gateway gateways[8];
    struct policy_flow flows[8];
    struct policy_cloud clouds[4];
    struct policy_line lines[8];
    struct policy_options o;
    char faults[4096];
    size_t fault_count;
    enum policy_part part; /* of the last fault */
    size_t index;
};

struct town town_new(enum policy_model model);
void town_network(struct town *t, const char *cidr, uint16_t zone, bool excluded);
struct policy_gateway *town_gateway(struct town *t, const char *cidr, enum policy_role role,
                                    uint64_t joins);
struct policy_flow *town_flow(struct town *t, struct policy_end from, struct policy_end to);

/* The policy, its faults kept in the town; town_policy() fails the test when there is one. */
int town_make(struct policy **out, struct town *t);
struct policy *town_policy(struct town *t);

struct network town_cidr(const char *text);
struct policy_end town_end_place(unsigned place);
struct policy_end town_end_network(const char *cidr);
struct policy_end town_end_domain(const char *name);
uint64_t town_bit(unsigned place);

/* Noon of Thursday 2026-11-05 in Japan. */
int64_t town_noon(void);
