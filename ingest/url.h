/*
 * ingest/url.h - private to ingest/: splitting what many formats share, URLs and accounts.
 *
 *   http://user@www.example.com:8080/a/b?c=d#e      DOMAIN\user
 *   ^---   ^--- ^-------------- ^---^--- ^-- ^      ^----- ^---   slots; the rest is skeleton
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
 * Append the parts (scheme, userinfo, domain, port, path, query, fragment) of the URL at
 * line[offset, offset + length) as slots of kind `kind`. What begins with '/' is a path with query
 * and fragment; "host:port" (CONNECT) is domain and port; anything else, the empty text too,
 * becomes one URL_ORIGINAL slot. An IPv6 host stands without its brackets; an absent part has no
 * slot, and a path, query, fragment or port without a byte counts as absent.
 */
bool url_slots(struct slots *out, struct slice line, uint32_t offset, uint32_t length,
               uint8_t kind);

/*
 * Append the account at line[offset, offset + length): USER_NAME, or USER_DOMAIN and USER_NAME
 * where a backslash (written once or twice) stands between both, or before the user. A domain is ASCII: in CP932 the
 * second byte of a character may look like a backslash.
 */
bool account_slots(struct slots *out, struct slice line, uint32_t offset, uint32_t length,
                   uint8_t kind);

/* Whether the text has the form of an IPv4 or IPv6 address; leading zeros do not matter. */
bool url_host_is_address(struct slice host);
