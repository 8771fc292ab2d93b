/*
 * event/field.h - the field dictionary: every name that a rule, a query or an output may use.
 *
 * The table is event/fields.def. Ids are on disk and never reused. A field that is in no table is
 * "unnamed": it lives in its batch under an id from FIELD_LOCAL_FIRST up, named <format>.<key>.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum field {
    FIELD_NONE = 0,
#define FIELD(id, name, ecs, aliases, type, index, sensitivity, doc) FIELD_##name = (id),
#include "event/fields.def"
#undef FIELD
    FIELD_TIME_LAST = FIELD_TIME_GENERATED, /* ids 1..8 are parts of a time */
    FIELD_LOCAL_FIRST = 1024,               /* ids from here belong to one batch */
    FIELD_COLUMN_FIRST = 0x8000,            /* in slots: unnamed, column N by position */
    FIELD_UNNAMED = 0xffff,                 /* in slots: named by the KEY slot before it */
};

/* In slots: the unnamed field in column n (from 0) of a positional format. */
#define FIELD_COLUMN(n) ((uint16_t)(FIELD_COLUMN_FIRST + (n)))

enum field_type {
    FIELD_TYPE_TEXT,
    FIELD_TYPE_INT,
    FIELD_TYPE_IP,
    FIELD_TYPE_EPOCH,
};

enum field_index {
    FIELD_INDEX_NONE,
    FIELD_INDEX_FILTER,
};

enum field_sensitivity {
    FIELD_SENSITIVITY_NORMAL,
    FIELD_SENSITIVITY_PERSON,
    FIELD_SENSITIVITY_INTERNAL,
};

struct field_info {
    uint16_t id;
    uint8_t type;        /* enum field_type */
    uint8_t index;       /* enum field_index */
    uint8_t sensitivity; /* enum field_sensitivity */
    struct slice name;   /* ECS */
    struct slice aliases;
    const char *help;
};

/* The row of an id below FIELD_LOCAL_FIRST, or NULL. Static. */
const struct field_info *field_info(uint16_t id);

/* The id of a name or an alias, compared without case for aliases and exactly for names; or 0. */
uint16_t field_find(struct slice name);

/* Walk the table in id order: *at starts at 0; NULL at the end. */
const struct field_info *field_next(size_t *at);
