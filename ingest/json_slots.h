/*
 * ingest/json_slots.h - private to ingest/: the items of a JSON line become slots.
 *
 *   {"httpRequest":{"clientIp":"192.0.2.7:40000","country":"JP"}}
 *     KEY                       source.ip source.port     KEY ^ unnamed: httpRequest.country
 *
 * A line's vendor is known by its keys; the vendor and the whole name of a key say what its value
 * means (ingest/names.h), ECS names mean themselves. What means nothing is unnamed. A whole URL goes
 * before its parts: beside one, host and path of other keys are unnamed. A field that has a value
 * gets no second one from another key.
 *
 * Layer:     ingest.
 * Ownership: the state is that of one source's parser.
 * Threads:   one owner.
 * Failures:  as json_read(); also PARTIAL when the slots are full. What cannot be read is one slot,
 *            FIELD_COLUMN(JSON_COLUMN_REST).
 */
#pragma once

#include "ingest/json_read.h"
#include "ingest/names.h"

/* Values that no key names. */
enum json_column {
    JSON_COLUMN_BEFORE = 0, /* text in front of the first object */
    JSON_COLUMN_REST = 1,   /* from where the line cannot be read */
    JSON_COLUMN_VALUE = 2,  /* in a list that is no key's value */
    JSON_COLUMN_LONG = 3,   /* the value of a key whose whole name is too long */
};

/* The state of a parser of JSON is its memory of keys; as parser.state_new and parser.state_free. */
struct parser_state *json_state_new(void);
void json_state_free(struct parser_state *memory);

/* Append the slots of line[from..], which begins with an object or a list. `vendor` is what the
 * format says, VENDOR_ANY where the keys are to. */
enum parse_result json_slots(struct parser_state *state, struct slice line, uint32_t from,
                             enum vendor vendor, struct slots *out);
