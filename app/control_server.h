/*
 * app/control_server.h - the collector's Unix socket for what people do to alerts.
 *
 *   client: one JSON object a line          {"action":"ack","id":"...","reason":"...","by":"..."}
 *   server: one JSON object a line for it   {"ok":true}   or   {"error":"why, and what to do"}
 *
 * "ok" means that the object is part of the collector's next tick, a second later at most; it is
 * durable once a frame of the log holds it (section CONTROLS).
 *
 * Ownership: the server borrows what it hands requests to, which outlives it.
 * Threads:   one of its own, from open to close; requests are handed over on it.
 * Failures:  a client that is slow (2 s a request), that sends more than 4 KiB in a line or more
 *            than CONTROL_SERVER_REQUESTS_MAX lines is cut off; one client at a time, others wait in
 *            the kernel's queue.
 */
#pragma once

#include "base/slice.h"

struct control_server;

enum control_server_limits {
    CONTROL_SERVER_REQUEST_BYTES_MAX = 4096, /* with the line's end */
    CONTROL_SERVER_REQUESTS_MAX = 64,        /* of one connection */
    CONTROL_SERVER_TIMEOUT_MS = 2000,
};

struct control_server_options {
    const char *path; /* of the socket: mode 0660; a stale one is replaced. Copied */
    /* Take one request. 0, ERR_FORMAT for what is no control, ERR_AGAIN when it is not the time. */
    int (*take)(void *self, struct slice json);
    void *self;
};

/* ERR_RANGE for a path that a socket cannot have, ERR_IO, ERR_NOMEM. */
int control_server_open(struct control_server **out, const struct control_server_options *options);
/* Stop the thread and remove the socket; NULL is allowed. */
void control_server_close(struct control_server *server);
