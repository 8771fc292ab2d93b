/*
 * app/control_client.h - hand a control to the collector that runs on a store.
 *
 * Ownership: nothing is kept.
 * Threads:   any.
 * Failures:  ERR_DOWN when no collector answers within CONTROL_CLIENT_TIMEOUT_MS, ERR_RANGE for a
 *            path that no socket can have, ERR_FORMAT for an answer that is none, ERR_NOMEM.
 */
#pragma once

#include "base/buf.h"

enum control_client_limits {
    CONTROL_CLIENT_TIMEOUT_MS = 5000,
    CONTROL_CLIENT_ANSWER_BYTES_MAX = 4096,
};

/*
 * Send one JSON object to DIR/control.sock. 0 when the collector took it; ERR_CONF when it refused
 * it, with its words in `why`.
 */
int control_send(const char *dir, struct slice json, struct buf *why);
