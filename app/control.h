/*
 * app/control.h - what a person does to alerts, as the JSON object that the log keeps.
 *
 *   {"action":"suppress|ack|close","id":"32 hex digits" and/or "tenant","kind","key",
 *    "until":"RFC 3339","reason":"...","by":"...","at":"RFC 3339"}
 *
 * Ownership: *out is plain data.
 * Threads:   any.
 * Failures:  ERR_FORMAT for what is no control.
 */
#pragma once

#include "detect/detect.h"

int control_read(struct detect_control *out, struct slice json);
