/*
 * app/filter_print.h - who took something out of a rule, and why: what a filter says of itself.
 *
 * Failures:  those of the buffer.
 */
#pragma once

#include "base/buf.h"
#include "detect/detect.h"

/* "FILE:LINE ID (layer municipality 990019, owner ..., reason ..., until ...)", without what it does not say. */
void filter_print(struct buf *out, const struct sigma_rule *filter);
/* The same as members of a JSON object: "filter":ID,"title":...,"file":...,"line":N,"layer":... */
void filter_print_json(struct buf *out, const struct sigma_rule *filter);
