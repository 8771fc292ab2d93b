/*
 * ingest/juniper_flow.h - private to ingest/: the texts of Junos that are no lists of pairs.
 *
 * Layer:     ingest; knows slots only.
 * Ownership: a cursor borrows the line and the slots.
 * Threads:   pure functions.
 * Failures:  PARSE_PARTIAL where a text breaks off; the slots so far are good.
 */
#pragma once

#include "ingest/cursor.h"
#include "ingest/parser.h"

/* "session closed TCP FIN: 192.0.2.7/5000->198.51.100.9/25 0x0 junos-smtp ...": all versions. */
enum parse_result juniper_flow_read(struct cursor *c);

/* "SYN flood! source: 192.0.2.7:5000, destination: ..., zone name: untrust, ..., action: drop" */
enum parse_result juniper_screen_read(struct cursor *c);

/* Whatever else a daemon writes: account, address, command; `named`: an action is known. */
enum parse_result juniper_daemon_read(struct cursor *c, bool named);
