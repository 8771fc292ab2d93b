/*
 * ingest/meaning.h - private to ingest/: what a value of a named key or column is, and the slots
 * that it becomes. For formats whose meaning stands in tables: JSON, CEF, LEEF, W3C and CSV feeds.
 *
 *   SOURCE_IP, PEER      192.0.2.7:40000          source.ip  source.port
 *   URL_ORIGINAL, URL    https://example.jp/a?b   url.scheme url.domain url.path url.query
 *   URL_ORIGINAL, SITE   example.jp/a?b           url.domain url.path url.query
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure functions.
 * Failures:  false when the slots are full; what was appended until then is good.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "event/slot.h"

/*
 * How a value is written. All but TEXT have no slot for what stands for "none" (see below). STATUS,
 * DECISION, HEADER, HEADER_VALUE and FLOW are for who reads lists of objects (ingest/json_slots.h).
 */
enum meaning_form {
    MEANING_TEXT = 0, /* as it stands */
    MEANING_MAYBE,    /* as it stands */
    MEANING_ALSO,     /* as it stands, one more value of a field that has one */
    MEANING_STATUS,   /* the same; three digits from 100 to 599 are HTTP's status */
    MEANING_DECISION, /* the same where it is "allowed" or "denied"; else it means nothing */
    MEANING_URL,      /* a URL, a path or host:port */
    MEANING_SITE,     /* a URL whose scheme may be missing: the text begins with the host */
    MEANING_ACCOUNT,  /* DOMAIN\user */
    MEANING_MAIL,     /* DOMAIN\user or user@domain: both apart */
    MEANING_TIME,     /* a date with time, or seconds to nanoseconds since 1970 */
    MEANING_PEER,     /* an address or a name, with a port or without; the field is the address's */
    MEANING_REQUEST,  /* METHOD URL HTTP/version */
    MEANING_VERSION,  /* HTTP/1.1: what follows the slash */
    MEANING_TRANSPORT, /* tcp/https: the transport, and what it carries */
    MEANING_NUMBER,    /* 443.0: the digits before the point */
    MEANING_QUESTION,  /* a domain name, without the dot at its end */
    MEANING_ENCODED,   /* %XX */
    MEANING_HEADER,    /* the name of a header of HTTP; what it means, the next value does */
    MEANING_HEADER_VALUE,
    MEANING_FLOW,         /* Azure's: time, addresses, ports, ... with commas between them */
    MEANING_TOLD,         /* a message for people, with accounts and addresses (ingest/told.h) */
    MEANING_PANOS_TEXT,   /* the same, in the words of PAN-OS (ingest/panos_text.h) */
    MEANING_PANOS_THREAT, /* "Name of the threat(12345)" (ingest/panos_value.h) */
    MEANING_PANOS_OBJECT, /* a URL, a file or a name, by the subtype of the line or by its look */
    MEANING_HTTP, /* METHOD URL HTTP/version and headers, lines ending in \r\n, escaped or not */
    MEANING_COUNT
};

struct meaning {
    uint16_t field; /* enum field; of a URL or a request any, its parts have their own */
    uint8_t form;   /* enum meaning_form */
};

/* "-", "N/A", "NA", "none", "null", "(null)" in any case: there is no value. */
bool meaning_is_none(struct slice text);

/* "status" of a web server or a proxy is a number from 100 to 599, of others a word. */
bool meaning_is_http_status(struct slice text);

/* Append what the value at line[offset, offset + length) means; its bytes are written as `kind`. */
bool meaning_slots(struct slots *out, struct slice line, const struct meaning *meaning,
                   const struct slot *value);

/* METHOD URL [HTTP/version]; without a blank it is a URL. */
bool request_slots(struct slots *out, struct slice line, const struct slot *value);

/* "[21/Nov/2026:18:00:00 +0900]" without its brackets: stamp and zone, or a stamp as it is. */
bool stamp_slots(struct slots *out, struct slice line, const struct slot *value);

/* An address or a name with `:port` or without; `field` is that of the address. */
bool peer_slots(struct slots *out, struct slice line, uint16_t field, const struct slot *value);

/* Where no slot since `mark` is the action, the first one of `field` becomes it. */
void meaning_name_action(struct slots *out, uint32_t mark, uint16_t field);

/*
 * What a verb says in the words that vendors share (allowed, BLOCK, denied_by_policy, ...), case does
 * not matter; VERDICT_UNKNOWN for any other. With VERDICT_OF_THREAT (ingest/parser.h) where only what
 * the row is about tells: "deleted".
 */
uint8_t meaning_verdict(struct slice action);
