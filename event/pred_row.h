/*
 * event/pred_row.h - fields that are no columns: of the batch, of the row, of its place in Kafka.
 */
#pragma once

#include "base/slice.h"

enum row_field {
    ROW_FIELD_NONE,
    ROW_FIELD_TENANT, /* of the batch */
    ROW_FIELD_SOURCE,
    ROW_FIELD_FORMAT,
    ROW_FIELD_TOPIC,
    ROW_FIELD_VERDICT, /* of the row, as text */
    ROW_FIELD_PARSE_ERROR,
    ROW_FIELD_TIME_SOURCE,
    ROW_FIELD_TIMESTAMP, /* of the row, as a time */
    ROW_FIELD_INGESTED,
    ROW_FIELD_PARTITION, /* of the row, as a number */
    ROW_FIELD_OFFSET,
    ROW_FIELD_SUB,
    ROW_FIELD_COUNT
};

/* By full name ("@timestamp", "kafka.topic", "sekisho.tenant"); ROW_FIELD_NONE for another. */
enum row_field row_field_find(struct slice name);
/* The name of number `field`; empty for ROW_FIELD_NONE. */
struct slice row_field_name(enum row_field field);
/* enum field_type or LEAF_TYPE_TIME. */
unsigned row_field_type(enum row_field field);
