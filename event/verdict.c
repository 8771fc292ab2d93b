#include "event/verdict.h"

struct slice verdict_name(unsigned verdict)
{
    static const struct slice NAMES[] = {
#define VERDICT(id, name, text) [id] = {.data = (text), .len = sizeof(text) - 1},
#include "event/verdicts.def"
#undef VERDICT
    };
    return verdict < VERDICT_COUNT ? NAMES[verdict] : SLICE("");
}

struct slice reason_code(unsigned reason)
{
    static const struct slice CODES[] = {
#define REASON(id, name, code, help) [id] = {.data = (code), .len = sizeof(code) - 1},
#include "event/reasons.def"
#undef REASON
    };
    return reason < REASON_COUNT ? CODES[reason] : SLICE("");
}

struct slice time_source_name(unsigned source)
{
    static const struct slice NAMES[TIME_SOURCE_COUNT] = {
        [TIME_SOURCE_ARRIVAL] = {.data = "arrival", .len = 7},
        [TIME_SOURCE_DEVICE] = {.data = "device", .len = 6},
        [TIME_SOURCE_SYSLOG] = {.data = "syslog", .len = 6},
        [TIME_SOURCE_PREDECESSOR] = {.data = "predecessor", .len = 11},
    };
    return source < TIME_SOURCE_COUNT ? NAMES[source] : SLICE("");
}
