#include "event/alert.h"

#include "base/bytes.h"
#include "base/err.h"

enum {
    RECORD_HEADER_BYTES = 8 + ALERT_ID_BYTES,
};

const char *alert_state_name(unsigned state)
{
    static const char *const NAMES[ALERT_STATE_COUNT] = {"open", "amended", "closed", "superseded"};
    return state < ALERT_STATE_COUNT ? NAMES[state] : "";
}

const char *alert_severity_name(unsigned severity)
{
    static const char *const NAMES[ALERT_SEVERITY_COUNT] = {"informational", "low", "medium",
                                                            "high", "critical"};
    return severity < ALERT_SEVERITY_COUNT ? NAMES[severity] : "";
}

void alert_record_put(struct buf *out, const struct alert_record *record)
{
    buf_put32(out, record->tenant);
    buf_put32(out, record->revision);
    buf_append(out, record->id.bytes, ALERT_ID_BYTES);
    buf_slice(out, record->line);
}

int alert_record_take(struct alert_record *out, struct slice bytes)
{
    if (bytes.len < RECORD_HEADER_BYTES || bytes.len > RECORD_HEADER_BYTES + ALERT_LINE_BYTES_MAX)
        return ERR_CORRUPT;
    out->tenant = bytes_get32(bytes.data);
    out->revision = bytes_get32(bytes.data + 4);
    memcpy(out->id.bytes, bytes.data + 8, ALERT_ID_BYTES);
    out->line = slice_from_offset(bytes, RECORD_HEADER_BYTES);
    return 0;
}
