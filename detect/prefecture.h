/* detect/prefecture.h - private to detect/: a municipality's rows that the prefecture is told of. */
#pragma once

#include "detect/tenant_state.h"

/* The signal() of a correlation_sink; `self` is the struct detect_run. */
int prefecture_tell(void *self, const struct correlation_row *row, int64_t time_ns);
