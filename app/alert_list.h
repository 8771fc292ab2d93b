/*
 * app/alert_list.h - the alerts of a replay, collected and printed in one order.
 *
 * Ownership: the list copies what it is given.
 * Threads:   alert_list_add() from any; the rest by one.
 * Failures:  ERR_NOMEM; ERR_IO from the stream.
 */
#pragma once

#include <stdio.h>

#include "detect/detect.h"

struct alert_list;

int alert_list_new(struct alert_list **out);
void alert_list_free(struct alert_list *l);
/* A watch_alert. */
int alert_list_add(void *self, const struct detect_alert *alert);
/* As NDJSON, ordered by tick, tenant, first row, id, revision. */
int alert_list_print(struct alert_list *l, FILE *out);
