/* detect/correlation_fire.h - private to detect/: an alert of a correlation becomes a finding. */
#pragma once

#include "detect/correlation_run.h"

struct parties;
struct tenant_state;

/* A correlation_alert; `self` is the struct detect_run. */
int correlation_fire(void *self, const struct correlate_alert *alert, const struct flow *flow);

/* Who takes part in the groups of the prefecture's state; there are none in another's. */
struct parties *correlation_parties(struct tenant_state *s);
