/*
 * ingest/told.h - private to ingest/: who and where in a message that a structured feed carries as
 * a text for people.
 *
 *   msg=Authentication of SSLVPN user [taro@example.jp@radius] from 192.0.2.7 was rejected
 *       ^----------------------------- ^--- ^----------------^------ ^-------- ^----------
 *
 * What is no value is MESSAGE.
 *
 * Layer:     ingest; knows slots only.
 * Ownership: slots hold offsets into the line.
 * Threads:   pure function.
 * Failures:  false when the slots are full; what was appended until then is good.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "event/slot.h"

/* Append the values in the text at `s`, and the text around them. */
bool told_slots(struct slots *out, struct slice line, const struct slot *s);
