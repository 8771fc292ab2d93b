/*
 * detect/flow_hit.h - private to detect/: which rows of a batch name an indicator of compromise.
 *
 *   the whole URL, then its host, the host in a DNS question, the destination with its port, the user
 *   agent, and the source where it is outside and comes in: the first that is listed is flow.hit
 *
 * An entry counts that lives at the row's event time, so a row's answer does not depend on the rows
 * around it.
 *
 * Ownership: nothing is kept.
 * Threads:   the reader's owner.
 * Failures:  of the reader's buffers; found out by flow_read().
 */
#pragma once

#include "detect/flow_read.h"

/* Needs flows with addresses, ports, direction and domain. Sets .hit, and .url of a hit of a URL. */
void flow_hit(struct flow_reader *r, const struct batch *b, const uint32_t *order,
              struct flow *flows);
