/*
 * app/output_syslog.h - an alert as a syslog message of RFC 5424.
 *
 *   <165>1 2026-11-21T10:00:00.5Z host sekisho - D3 [sekisho@32473 id="..." revision="1"
 *   tenant="990019" kind="D3" severity="medium" state="open"] BOM {...}
 *
 * Facility local4; the time is that of the alert's last event. The message is the alert's line, or,
 * where that is too long for the transport or texts are wanted, what happened in Japanese, cut.
 *
 * Threads:   no state.
 * Failures:  those of the buffer.
 */
#pragma once

#include "app/output_alert.h"

enum syslog_limits {
    SYSLOG_FACILITY_LOCAL4 = 20,
    SYSLOG_HOST_BYTES_MAX = 255,
    SYSLOG_NAME_BYTES_MAX = 32,        /* of a message id or a structured data id */
    SYSLOG_DATAGRAM_BYTES_MAX = 8192,  /* a receiver must take 480, should take 2,048 (RFC 5426) */
    SYSLOG_DATAGRAM_BYTES_MIN = 1024,  /* less is not tried */
    SYSLOG_STREAM_BYTES_MAX = 1 << 17, /* a line and its header always fit */
};

struct syslog_form {
    char host[SYSLOG_HOST_BYTES_MAX + 1];
    char data_id[SYSLOG_NAME_BYTES_MAX + 1]; /* of the structured data: name@enterprise */
    bool text;                               /* what happened instead of the line */
    size_t bytes_max;                        /* of a message */
};

/* Append the message; with octet counting (RFC 6587, 3.4.1) when `counted`. */
void syslog_print(struct buf *out, const struct syslog_form *form,
                  const struct alert_record *record, bool counted);
