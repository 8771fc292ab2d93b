/*
 * ingest/panos_text.h - private to ingest/: who and where in the free text of PAN-OS SYSTEM logs.
 *
 *   failed authentication for user 'a.b'.  Reason: ..., From: 192.0.2.7.
 *   ^------------------------------ ^--    ^----------------- ^--------  the texts between the
 *                                                       values are MESSAGE slots
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure function.
 * Failures:  false when the slots are full; what was appended until then is good.
 */
#pragma once

#include <stdbool.h>

#include "event/slot.h"

/* Append the values in the text at `s`, and the text around them, as slots of the kind of `s`. */
bool panos_text_slots(struct slots *out, struct slice line, const struct slot *s);
