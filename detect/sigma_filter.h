/*
 * detect/sigma_filter.h - what a filter document says beside its condition.
 *
 *   sekisho:
 *     layer: municipality        # base (default), prefecture, municipality
 *     tenant: "999997"           # of layer municipality: only its events are filtered
 *     owner: 情報政策課
 *     reason: inspection device, ticket 118
 *     expires: 2027-03-31T00:00:00+09:00   # events of this time and later are not filtered
 */
#pragma once

#include "detect/sigma.h"

enum sigma_layer {
    SIGMA_LAYER_BASE,
    SIGMA_LAYER_PREFECTURE,
    SIGMA_LAYER_MUNICIPALITY,
    SIGMA_LAYER_COUNT,
};

enum {
    SIGMA_TENANT_DIGITS = 6,
};

/* "base", "prefecture", "municipality" */
const char *sigma_layer_name(enum sigma_layer layer);

struct sigma_filter {
    const struct yaml_node *rules; /* ids or names, as written */
    enum sigma_layer layer;
    struct slice tenant; /* six digits; empty: every municipality */
    struct slice owner;
    struct slice reason;
    int64_t expires_ns; /* CLOCK_NONE: never */
};
