/* detect/detectors.h - private to detect/: the detectors of detectors.def. */
#pragma once

#include "detect/tenant_state.h"

#define DETECTOR(name) extern const struct detector detector_##name;
#include "detect/detectors.def"
#undef DETECTOR

/* Speak as that detector, which is in the table, until another one is entered. */
void detectors_enter(struct detect_run *run, const struct detector *detector);
