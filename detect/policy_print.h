/*
 * detect/policy_print.h - a municipality's policy as a page that people read.
 *
 * Ownership: nothing is kept.
 * Threads:   pure.
 * Failures:  none but the buffer's.
 */
#pragma once

#include "detect/policy.h"

/*
 * Append the matrix, what its signs mean, and everything that widens it. What is over at now_ns is
 * marked; CLOCK_NONE marks nothing.
 */
void policy_print(struct buf *out, const struct policy *p, int64_t now_ns, bool japanese);

/* Columns that a text takes on a terminal: wide characters of East Asia take two. */
size_t policy_text_columns(struct slice text);
