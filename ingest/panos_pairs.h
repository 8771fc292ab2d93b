/*
 * ingest/panos_pairs.h - private to ingest/: PAN-OS lines in a layout of the operator's own, keys and
 * the vendor's variables.
 *
 *   log_type="TRAFFIC" log_subtype="end" src_ip="192.0.2.7" dst_ip="198.51.100.9" misc="$misc" ...
 *   type=TRAFFIC,subtype=end,src=192.0.2.7,dst=198.51.100.9,...
 *
 * The operator names the keys; what one means is looked up by its name (ingest/names.h), most are
 * called like the variable. A variable that a log type does not have stands there as it was written
 * in the layout: no value.
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   a state has one owner.
 * Failures:  as pairs_read(); PARSE_MISMATCH where no key of the line means anything.
 */
#pragma once

#include "ingest/parser.h"

/*
 * The log type ("TRAFFIC") that a line of keys names within its first 512 bytes, with its subtype
 * beside it; empty where there is none.
 */
struct slice panos_pairs_type(struct slice message);

struct parser_state *panos_pairs_state_new(void); /* pairs_state_free() frees it */

enum parse_result panos_pairs_parse(struct parser_state *state, struct slice line, uint32_t from,
                                    struct slots *out);
