/*
 * base/metric_server.h - the metrics page over HTTP, for the operator's own machine.
 *
 * Ownership: the server borrows the set, which outlives it.
 * Threads:   one of its own, from open to close.
 * Failures:  a client that is slow (2 s), large (4 KiB of request) or not GET is cut off; one
 *            client at a time, others wait in the kernel's queue.
 */
#pragma once

#include "base/metric.h"

struct metric_server;

enum metric_server_limits {
    METRIC_REQUEST_BYTES_MAX = 4096,
    METRIC_CLIENT_TIMEOUT_MS = 2000,
};

/*
 * Listen on "unix:/path" (mode 0660, a stale socket is replaced) or on a loopback address
 * "127.0.0.1:9188", "[::1]:9188"; port 0 takes any. ERR_CONF for any other address, ERR_IO.
 */
int metric_server_open(struct metric_server **out, struct metric_set *set, const char *address);
/* Stop the thread and remove the Unix socket; NULL is allowed. */
void metric_server_close(struct metric_server *server);
/* The TCP port in use; 0 for a Unix socket. */
uint16_t metric_server_port(const struct metric_server *server);
