/*
 * detect/origin_read.h - private to detect/: what rows say of the connections that they belong to.
 *
 *   a host's own row      source.nat.ip:port and the destination; host and path of its request
 *   a shared address's    source.ip:port and the destination; the same of its request; the host that
 *                         X-Forwarded-For names: the last one that is no shared address itself, since
 *                         what stands before it is what the host says of itself
 *
 * Ownership: the caller's arrays.
 * Threads:   one owner.
 * Failures:  none.
 */
#pragma once

#include "detect/flow_read.h"
#include "detect/origin.h"

/*
 * Fill traces[order[row]] for every row of a batch whose flows flow_read() made with the same reader,
 * which has shared networks.
 */
void origin_read(struct flow_reader *r, const struct batch *b, const uint32_t *order,
                 const struct flow *flows, struct origin_trace *traces);
