/* event/verdict.h - the normalized verdict of a line, and the reason why a line is not whole. */
#pragma once

#include "base/slice.h"

enum verdict {
#define VERDICT(id, name, text) VERDICT_##name = (id),
#include "event/verdicts.def"
#undef VERDICT
    VERDICT_COUNT
};

enum reason {
#define REASON(id, name, code, help) REASON_##name = (id),
#include "event/reasons.def"
#undef REASON
    REASON_COUNT
};

/* Where a row's event time comes from. */
enum time_source {
    TIME_SOURCE_ARRIVAL = 0,
    TIME_SOURCE_DEVICE = 1,
    TIME_SOURCE_SYSLOG = 2,
    TIME_SOURCE_PREDECESSOR = 3, /* replay only: a line without a time follows the line before it */
    TIME_SOURCE_COUNT
};

/* Static text; the empty slice for ids out of range. */
struct slice verdict_name(unsigned verdict);
struct slice reason_code(unsigned reason);
struct slice time_source_name(unsigned source);
