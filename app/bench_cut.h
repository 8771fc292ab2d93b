/*
 * app/bench_cut.h - private to bench: values as a person cuts them out of a line of FortiGate or Squid,
 * without any parser: what the answers are checked by.
 *
 * Ownership: slices of the line.
 * Threads:   any.
 * Failures:  none; an empty slice where there is none.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* What stands between `before` and the byte `end`, or nothing. */
struct slice bench_cut_between(struct slice line, struct slice before, char end);

/* Source address, URL, destination address. */
struct slice bench_cut_address(struct slice line, uint16_t format);
struct slice bench_cut_url(struct slice line, uint16_t format);
struct slice bench_cut_destination(struct slice line, uint16_t format);
