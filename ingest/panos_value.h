/*
 * ingest/panos_value.h - private to ingest/: values of PAN-OS that hold several.
 *
 *   $misc      www.example.com:443/a?b     of THREAT url: a URL without its scheme
 *              report.docx                 of file, virus, wildfire: a file
 *              www.example.com             of spyware: the name that was asked for
 *   $threatid  Name of the threat(12345)   the number alone in JSON
 *   $srcuser   EXAMPLE\taro                or "x-fwd-for: 192.0.2.7"
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure functions.
 * Failures:  false when the slots are full; what was appended until then is good.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "event/slot.h"

/* What a THREAT line is about, by its subtype. */
enum panos_object {
    PANOS_OBJECT_OTHER = 0, /* by the look: a URL has a slash */
    PANOS_OBJECT_URL,
    PANOS_OBJECT_FILE,
    PANOS_OBJECT_NAME,
};

enum panos_object panos_object_of(struct slice subtype);

bool panos_object_slots(struct slots *out, struct slice line, const struct slot *s,
                        enum panos_object object);

bool panos_threat_slots(struct slots *out, struct slice line, const struct slot *s);

/* An account, or the client's address where a proxy's header is used as the account. */
bool panos_account_slots(struct slots *out, struct slice line, const struct slot *s);
