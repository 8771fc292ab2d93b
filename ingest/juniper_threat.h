/*
 * ingest/juniper_threat.h - private to ingest/: what SRX's inspections write as text.
 *
 * Layer:     ingest; knows slots only.
 * Threads:   no state.
 * Failures:  PARSE_PARTIAL when the slots are full; PARSE_MISMATCH where the ends of the connection do
 *            not stand where they must, and nothing was appended then.
 */
#pragma once

#include "ingest/cursor.h"
#include "ingest/parser.h"

/* "IDP: at 1795222800, SIG Attack log <192.0.2.7/5000->198.51.100.9/80> for TCP protocol ..." */
enum parse_result juniper_attack_read(struct cursor *c);

/* "WebFilter: ACTION="URL Blocked" 192.0.2.7(5000)->198.51.100.9(80) CATEGORY="x" ..." */
enum parse_result juniper_web_read(struct cursor *c);

/* "AntiVirus: Virus detected: from 198.51.100.9:80 to 192.0.2.7:5000 ...", mail and file filters, too. */
enum parse_result juniper_content_read(struct cursor *c);
