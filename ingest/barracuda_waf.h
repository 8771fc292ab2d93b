/*
 * ingest/barracuda_waf.h - private to ingest/: Barracuda's Web Application Firewall, in the columns of
 * its own layout:
 *
 *   2026-11-21 18:00:01.456 +0900  waf1 WF ALER SQL_INJECTION 192.0.2.7 51235 198.51.100.10 443 ...
 *   date       clock        zone   unit type, then the type's columns, some in quotes or brackets
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure functions.
 * Failures:  PARSE_MISMATCH for another head or type; PARSE_PARTIAL where the line ends before its
 *            address columns do, and when the slots are full.
 */
#pragma once

#include "ingest/cursor.h"
#include "ingest/parser.h"

/* Append the slots of what the cursor stands at. Cost: linear in the bytes. */
enum parse_result barracuda_waf_parse(struct cursor *c);

/* Does `head` begin as such a line? Padding is read behind it. */
bool barracuda_waf_probe(struct slice head);
