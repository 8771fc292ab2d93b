/*
 * app/output_socket.h - connections of outputs whose every wait has an end.
 *
 * Ownership: output_socket_open() gives a descriptor that the caller closes.
 * Threads:   no state.
 * Failures:  ERR_DOWN when the other side refuses, closes or does not answer in time; ERR_CONF for
 *            an address that is none. output_why() has the reason.
 */
#pragma once

#include "app/output_driver.h"

enum output_socket_limits {
    OUTPUT_HOST_BYTES_MAX = 255,
    OUTPUT_SOCKET_PATH_BYTES_MAX = 107, /* of a unix socket, without its NUL */
    OUTPUT_CONNECT_MS = 3000,
    OUTPUT_EXCHANGE_MS = 5000, /* a send, or an answer to it */
};

enum output_transport {
    OUTPUT_UNIX, /* stream, or datagrams where the receiver has those */
    OUTPUT_TCP,
    OUTPUT_UDP,
};

struct output_address {
    enum output_transport transport;
    char host[OUTPUT_HOST_BYTES_MAX + 1]; /* a name or an address */
    char port[6];
    char path[OUTPUT_SOCKET_PATH_BYTES_MAX + 1];
};

/* "unix:PATH", "tcp:HOST:PORT", "udp:HOST:PORT", or "HOST:PORT" over TCP; an IPv6 address in []. */
int output_address_parse(struct output_address *out, const char *text);
/* Whether it can only be this machine: a unix socket, 127.0.0.0/8, ::1 or localhost. */
bool output_address_local(const struct output_address *a);

struct output_socket {
    int fd;
    bool datagrams;
};

/* Connect within OUTPUT_CONNECT_MS. A name is looked up, which the resolver's own timeouts bound. */
int output_socket_open(struct output_socket *out, const struct output_address *a,
                       struct output_host *host);
void output_socket_close(struct output_socket *s);
/* Send all of it (of a datagram socket: one datagram) before until_ns. */
int output_socket_send(const struct output_socket *s, struct slice bytes, int64_t until_ns,
                       struct output_host *host);
/* Wait for events of poll(2) before until_ns. ERR_DOWN when the time is over. */
int output_socket_wait(int fd, short events, int64_t until_ns, struct output_host *host);
