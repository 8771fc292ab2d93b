/*
 * base/server.h - a thread that serves the clients of a local address, one after the other.
 *
 * Local means a Unix socket ("unix:PATH", mode 0660, appears with it) or loopback
 * ("127.0.0.1:9100", "[::1]:0"): nobody from outside connects. Every wait ends by the monotonic
 * clock or with server_close(), so a client that says nothing holds up the next one for no longer
 * than whoever serves it allows.
 *
 * Ownership: server_open() gives what server_close() takes back; a stale socket file is replaced.
 * Threads:   serve() runs on the server's own thread, everything else on the owner's.
 * Failures:  ERR_CONF for an address that is not local or too long, ERR_IO, ERR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct server;
struct server_client;

struct server_options {
    const char *address;
    /* A client connected; the connection ends when it returns. */
    void (*serve)(void *self, const struct server_client *client);
    void *self;
};

int server_open(struct server **out, const struct server_options *options);
/* NULL is fine. Ends what is being served. */
void server_close(struct server *server);
/* The TCP port, 0 for a Unix socket. */
uint16_t server_port(const struct server *server);

/* Wait for bytes; returns how many came, 0 when the client ended, the time is over or the server goes. */
size_t server_receive(const struct server_client *client, void *to, size_t cap, int64_t until_ns);
/* False when not everything could be sent by then. */
bool server_send(const struct server_client *client, struct slice bytes, int64_t until_ns);
