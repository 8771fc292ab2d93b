/*
 * ingest/asa_peers.h - private to ingest/: which side of a connection acted, in messages of Cisco ASA
 * that name the sides by interface or by order.
 *
 *   Built outbound TCP connection 7 for outside:198.51.100.9/443 ... to inside:192.0.2.7/4000 ...
 *                                       first peer                      second peer: the source
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure functions.
 * Failures:  false when the slots are full.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "event/slot.h"

/*
 * Give the slots from `first_slot` on, 32 at most, their roles: the first peer is the source, unless
 * direction or ports say that the second one acted. The account of who acted is taken apart.
 */
bool asa_peers(struct slots *out, uint32_t first_slot, struct slice line);

/* Append DOMAIN\user or DOMAIN\user@realm, taken apart. */
bool asa_account(struct slots *out, struct slice line, uint32_t from, uint32_t length);
