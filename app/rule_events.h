/*
 * app/rule_events.h - events as JSON objects, a line each, as rows of a batch.
 *
 * Keys of nested objects are joined by dots, items of an array are several values of one field. With
 * SIGMA_NAMES_LITERAL every key is the field event.<key>; with SIGMA_NAMES_FIELDS keys that the
 * field dictionary knows are its fields, and sekisho.verdict is the row's.
 *
 * The row's offset is the number of the event, from 0 in the order of the file. Its time is
 * @timestamp, else that of the event before.
 *
 * Ownership: the batch belongs to the reader and is reused.
 * Failures:  ERR_CONF with a diagnosis for a line that is no object; ERR_NOMEM.
 */
#pragma once

#include "detect/detect.h"
#include "event/batch.h"

struct rule_events;

int rule_events_open(struct rule_events **out, const char *path, enum sigma_names names,
                     struct diag *diag);
/* The next rows, as many as one batch takes; *out is NULL at the end. */
int rule_events_next(struct rule_events *e, struct batch **out, struct diag *diag);
void rule_events_close(struct rule_events *e);
