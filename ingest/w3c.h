/*
 * ingest/w3c.h - private to ingest/: lines whose columns a #Fields: line names, W3C's extended log
 * file format.
 *
 *   #Fields: date time c-ip cs-method cs-uri-stem sc-status
 *   2026-11-21 01:00:00 192.0.2.7 GET /a 200
 *
 * The names are a layout (ingest/template.h); what they mean stands in ingest/names.def. Names that
 * nobody knows are kept by position. A line with one value more than there are names has the user agent
 * that its header forgot: it is found by its look, and the columns behind it move.
 *
 * Layer:     ingest.
 * Ownership: the memory belongs to a parser's state.
 * Threads:   one owner.
 * Failures:  as template_parse(). A header with more than TEMPLATE_FIELDS_MAX names is cut there.
 */
#pragma once

#include "ingest/names.h"
#include "ingest/template.h"

struct w3c {
    struct template layout;
    struct template_field fields[TEMPLATE_FIELDS_MAX];
    struct template_field moved[TEMPLATE_FIELDS_MAX]; /* with the user agent put in */
    bool has_agent;                                   /* the header names it */
    struct names_memory names;
};

/* The names, blank or tab separated, become the layout. Needs SLICE_PADDING_BYTES behind them. */
void w3c_layout(struct w3c *w, struct slice names);

/* Is this a directive? Then its value is one slot, and #Fields: the layout from here on. */
bool w3c_directive(struct w3c *w, struct slice line, uint32_t from, struct slots *out);

/*
 * Append the slots of a line of values. PARSE_MISMATCH where no date stands in the column of dates:
 * the line is none of those that the header names.
 */
enum parse_result w3c_parse(struct w3c *w, struct slice line, uint32_t from, struct slots *out);
