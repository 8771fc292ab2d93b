/*
 * app/output_config.h - what section `outputs` must say beyond the types of its keys.
 *
 * Threads:   no state.
 * Failures:  findings in the diagnosis, with file, line and remedy.
 */
#pragma once

#include "base/conf.h"

void output_config_check(const struct conf *conf, struct diag *diag);
