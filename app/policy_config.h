/*
 * app/policy_config.h - the zones, model, gateways and flows of a municipality, as its policy.
 *
 * A municipality has a policy when it names a model, gateways, flows, clouds, a matrix or zones, or
 * has a network in a My-Number or LGWAN zone; without a model it is alpha, the strictest. Then every
 * zone must be of a known kind, by its name or by `zones`.
 *
 * Ownership: the policy is the caller's, with policy_free().
 * Threads:   none shared.
 * Failures:  ERR_NOMEM. Faults of the file become findings with their place; *out is NULL then.
 */
#pragma once

#include "base/arena.h"
#include "base/conf.h"
#include "detect/detect.h"

struct policy_config {
    const struct conf *conf;
    const struct conf_node *tenant;
    const struct zone_network *networks; /* in the order of the file */
    size_t network_count;
    const struct slice *zones; /* names of the networks' zones by id - 1 */
    size_t zone_count;
};

int policy_config_load(struct policy **out, const struct policy_config *in, struct diag *diag);

/* The name under which `zones` declares it: an alias gives its zone's name, any other itself. */
struct slice policy_config_zone(const struct conf_node *tenant, struct slice name);

/* Choices of the key table, in the order of enum policy_model (twice: Latin, Greek), enum policy_kind
 * from POLICY_NUMBER to POLICY_OTHER, enum policy_role, enum policy_rule. */
extern const char *const POLICY_MODEL_CHOICES[];
extern const char *const POLICY_KIND_CHOICES[];
extern const char *const POLICY_ROLE_CHOICES[];
extern const char *const POLICY_RULE_CHOICES[];
extern const char *const POLICY_PROTOCOL_CHOICES[];
