/*
 * ingest/syslog.h - private to ingest/: what relays and devices write in front of a message.
 *
 *   <189>Nov 21 10:00:00 fw1 sshd[77]: text               RFC 3164
 *   <134>1 2026-11-21T10:00:00Z fw1 app 77 id [sd] text   RFC 5424
 *   2026-11-21T10:00:00.1+09:00 fw1 text                  what rsyslog writes into files
 *   2026-11-21 10:00:00<TAB>Local7.Notice<TAB>fw1<TAB>text  Kiwi Syslog Server's files
 *   <166>Nov 21 2026 10:00:00 fw1 : %ASA-6-302013: text   Cisco
 *   123 <13>...                                           octet counting, in front of any of these
 *   <13>Nov 21 10:00:00 relay <189>Nov 21 09:59:59 fw1 ...  one relay's header before another
 *
 * Threads:   no state.
 * Failures:  none: what is no header is message.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"
#include "event/slot.h"

enum syslog_limits {
    SYSLOG_HEADERS_MAX = 4,      /* relays that put their own header in front; more are message */
    SYSLOG_HOST_BYTES_MAX = 255, /* a longer word is no host name */
    SYSLOG_TAG_BYTES_MAX = 64,   /* RFC 3164 says 32, systems write more */
};

/*
 * Append the slots of the headers that `line` starts with (LOG_PRIORITY, TIME_SYSLOG,
 * LOG_HOSTNAME, LOG_APPNAME, LOG_PROCID, LOG_MSGID, LOG_STRUCTURED, LOG_OCTETS) and return where
 * the message begins; 0 when there is no header.
 *
 * Needs a line without terminator, SLICE_PADDING_BYTES readable behind it and a slots array with
 * room for them. Of several headers all slots are kept but only the last host name, and the last
 * TIME_SYSLOG is the one nearest to the device. Structured data with nothing behind it is the
 * message itself, not skipped. Without PRI, "Mon dd HH:MM:SS" is a header only when a host name, a
 * tag or a colon follows: an i-FILTER line, where a process number follows, keeps its own date, and so
 * does one of pf's, where "rule 5/" follows.
 */
uint32_t syslog_header(struct slice line, struct slots *out);

/*
 * A tag alone, without stamp and host: "dhcpd[77]: text" at line[from]. Append its slots (LOG_APPNAME,
 * LOG_PROCID) and return where the text behind it begins; `from` when there is none, or when `out`
 * has a program's name already. A text may begin so, too: for a message that is nobody's as it stands.
 */
uint32_t syslog_tag(struct slice line, uint32_t from, struct slots *out);
