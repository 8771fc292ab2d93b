/*
 * event/pred_hs.h - private: whether the library for many patterns (Hyperscan or Vectorscan) is used.
 *
 * Vectorscan 5.4.9 loses matches behind long stretches of bytes that are in no pattern
 * (docs/decisions/0012-hyperscan.md). So the library must find what is planted at the ends of such
 * stretches; one that does not is not asked at all.
 */
#pragma once

#include <stdbool.h>

/* The same answer at each call; the first one costs some milliseconds. Any thread. */
bool hs_is_right(void);
