/* detect/correlation_fire.h - private to detect/: an alert of a correlation becomes a finding. */
#pragma once

#include "detect/correlation_run.h"

/* A correlation_alert; `self` is the struct detect_run. */
int correlation_fire(void *self, const struct correlate_alert *alert, const struct flow *flow);
