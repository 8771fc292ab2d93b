/*
 * detect/sigma_correlation.h - what a correlation document says.
 */
#pragma once

#include "detect/sigma.h"

enum sigma_correlation_type {
    SIGMA_EVENT_COUNT,
    SIGMA_VALUE_COUNT,
    SIGMA_VALUE_SUM,
    SIGMA_VALUE_AVG,
    SIGMA_VALUE_PERCENTILE,
    SIGMA_VALUE_MEDIAN,
    SIGMA_TEMPORAL,
    SIGMA_TEMPORAL_ORDERED,
    SIGMA_CORRELATION_TYPES,
};

enum {
    SIGMA_BOUNDS_MAX = 6,
    SIGMA_VALUE_FIELDS_MAX = 4,
    SIGMA_PROGRAM_MAX = 512,
};

enum sigma_bound_op {
    SIGMA_GT,
    SIGMA_GTE,
    SIGMA_LT,
    SIGMA_LTE,
    SIGMA_EQ,
    SIGMA_NEQ,
};

struct sigma_bound {
    enum sigma_bound_op op;
    double number;
};

/* A field as it is read from the events of one referred rule. */
struct sigma_field {
    uint16_t field; /* as in struct ast */
    struct slice name;
};

struct sigma_reference {
    struct slice name; /* as written: id or name */
    uint32_t rule;     /* index in the set, after linking */
    struct sigma_field groups[SIGMA_GROUP_FIELDS_MAX];
};

/* One step of an expression over rules, in postfix order. */
struct sigma_step {
    uint8_t kind; /* AST_LEAF pushes whether the reference is there; AST_AND, AST_OR, AST_NOT */
    uint8_t reference;
};

struct sigma_correlation {
    const struct yaml_node *node;
    enum sigma_correlation_type type;
    struct sigma_reference references[SIGMA_REFERENCES_MAX];
    uint32_t reference_count;
    struct slice groups[SIGMA_GROUP_FIELDS_MAX]; /* names as in group-by: fields or aliases */
    uint32_t group_count;
    int64_t timespan_ns;
    struct sigma_bound bounds[SIGMA_BOUNDS_MAX]; /* all of them */
    uint32_t bound_count;
    struct sigma_field fields[SIGMA_VALUE_FIELDS_MAX];
    uint32_t field_count;
    double percentile;
    struct sigma_step *program; /* temporal: NULL where bounds decide */
    uint32_t program_len;
    bool has_not; /* the program waits for the end of the window */
    bool generate;
    bool prefecture; /* sekisho.scope: groups span municipalities */
};

const char *sigma_correlation_type_name(enum sigma_correlation_type type);

/* Does the number lie within all bounds? */
bool sigma_bounds_hold(const struct sigma_correlation *c, double number);
/* Is the expression true where the references of `present` (one bit each) are there? */
bool sigma_program_holds(const struct sigma_correlation *c, uint64_t present);
