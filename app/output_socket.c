#include "app/output_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    POLL_MS = 100, /* so often the end of the collector is looked for */
    NS_PER_MS = 1000000,
    PORT_DIGITS_MAX = 5,
    PORT_MAX = 65535,
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_un local;
};

static int parse_port(char *out, struct slice text)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > PORT_DIGITS_MAX)
        return ERR_CONF;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_CONF;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    if (value == 0 || value > PORT_MAX)
        return ERR_CONF;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return 0;
}

static int parse_host(struct output_address *a, struct slice text)
{
    const char *colon = memrchr(text.data, ':', text.len);
    if (colon == NULL)
        return ERR_CONF;
    struct slice host = slice_of(text.data, (size_t)(colon - text.data));
    if (parse_port(a->port, slice_from_offset(text, host.len + 1)) != 0)
        return ERR_CONF;
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_of(host.data + 1, host.len - 2);
    else if (memchr(host.data, ':', host.len) != NULL)
        return ERR_CONF;
    if (host.len == 0 || host.len > OUTPUT_HOST_BYTES_MAX)
        return ERR_CONF;
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        if (c <= ' ' || c >= 127 || c == '[' || c == ']')
            return ERR_CONF;
    }
    memcpy(a->host, host.data, host.len);
    return 0;
}

int output_address_parse(struct output_address *out, const char *text)
{
    static const struct {
        struct slice prefix;
        enum output_transport transport;
    } KINDS[] = {
        {{.data = "unix:", .len = 5}, OUTPUT_UNIX},
        {{.data = "tcp:", .len = 4}, OUTPUT_TCP},
        {{.data = "udp:", .len = 4}, OUTPUT_UDP},
    };
    struct output_address a = {.transport = OUTPUT_TCP};
    struct slice rest = slice_from(text);
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (slice_starts(rest, KINDS[i].prefix)) {
            a.transport = KINDS[i].transport;
            rest = slice_from_offset(rest, KINDS[i].prefix.len);
            break;
        }
    }
    if (a.transport == OUTPUT_UNIX) {
        if (rest.len == 0 || rest.len > OUTPUT_SOCKET_PATH_BYTES_MAX)
            return ERR_CONF;
        memcpy(a.path, rest.data, rest.len);
    } else if (rest.len == 0 || parse_host(&a, rest) != 0) {
        return ERR_CONF;
    }
    *out = a;
    return 0;
}

bool output_address_local(const struct output_address *a)
{
    return a->transport == OUTPUT_UNIX || strcmp(a->host, "localhost") == 0 ||
           strcmp(a->host, "::1") == 0 ||
           (strncmp(a->host, "127.", 4) == 0 && strspn(a->host, "0123456789.") == strlen(a->host));
}

int output_socket_wait(int fd, short events, int64_t until_ns, struct output_host *host)
{
    for (;;) {
        int64_t left_ms = (until_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0 || output_stopping(host)) {
            output_why(host, "no answer in time");
            return ERR_DOWN;
        }
        struct pollfd p = {.fd = fd, .events = events};
        int count = poll(&p, 1, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
        if (count > 0)
            return 0;
        if (count < 0 && errno != EINTR) {
            output_why(host, "poll: %s", strerrordesc_np(errno));
            return ERR_IO;
        }
    }
}

/* Connect the descriptor, which does not block. */
static int connect_before(int fd, const struct sockaddr *to, socklen_t len, int64_t until_ns,
                          struct output_host *host)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (connect(fd, to, len) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EAGAIN) {
        output_why(host, "connect: %s", strerrordesc_np(errno));
        return ERR_DOWN;
    }
    int err = output_socket_wait(fd, POLLOUT, until_ns, host);
    if (err == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (err == 0 && error != 0) {
        output_why(host, "connect: %s", strerrordesc_np(error));
        err = ERR_DOWN;
    }
    return err;
}

static int open_one(int *out, int family, int type)
{
    *out = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *out < 0 ? ERR_IO : 0;
}

static int open_unix(struct output_socket *out, const struct output_address *a, int64_t until_ns,
                     struct output_host *host)
{
    static const int TYPES[] = {SOCK_STREAM, SOCK_DGRAM};
    union socket_address to = {.local = {.sun_family = AF_UNIX}};
    memcpy(to.local.sun_path, a->path, strlen(a->path) + 1);
    int err = ERR_DOWN;
    for (size_t i = 0; i < 2; i++) {
        err = open_one(&out->fd, AF_UNIX, TYPES[i]);
        if (err != 0) {
            output_why(host, "socket: %s", strerrordesc_np(errno));
            return err;
        }
        out->datagrams = TYPES[i] == SOCK_DGRAM;
        errno = 0;
        err = connect_before(out->fd, &to.any, sizeof(to.local), until_ns, host);
        if (err == 0)
            return 0;
        bool other = errno == EPROTOTYPE;
        output_socket_close(out);
        if (!other)
            break;
    }
    return err;
}

static int open_inet(struct output_socket *out, const struct output_address *a, int64_t until_ns,
                     struct output_host *host)
{
    const struct addrinfo hints = {.ai_socktype =
                                       a->transport == OUTPUT_UDP ? SOCK_DGRAM : SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int found = getaddrinfo(a->host, a->port, &hints, &list);
    if (found != 0) {
        output_why(host, "%s: %s", a->host, gai_strerror(found));
        return ERR_DOWN;
    }
    int err = ERR_DOWN;
    for (const struct addrinfo *one = list; one != NULL && err != 0; one = one->ai_next) {
        err = open_one(&out->fd, one->ai_family, one->ai_socktype);
        if (err != 0) {
            output_why(host, "socket: %s", strerrordesc_np(errno));
            continue;
        }
        out->datagrams = a->transport == OUTPUT_UDP;
        err = connect_before(out->fd, one->ai_addr, one->ai_addrlen, until_ns, host);
        if (err != 0)
            output_socket_close(out);
    }
    freeaddrinfo(list);
    return err;
}

int output_socket_open(struct output_socket *out, const struct output_address *a,
                       struct output_host *host)
{
    struct output_socket s = {.fd = -1};
    int64_t until = output_until(host, OUTPUT_CONNECT_MS);
    int err =
        a->transport == OUTPUT_UNIX ? open_unix(&s, a, until, host) : open_inet(&s, a, until, host);
    if (err == 0)
        *out = s;
    return err;
}

void output_socket_close(struct output_socket *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

int output_socket_send(const struct output_socket *s, struct slice bytes, int64_t until_ns,
                       struct output_host *host)
{
    size_t sent = 0;
    do {
        ssize_t moved = send(s->fd, bytes.data + sent, bytes.len - sent, MSG_NOSIGNAL);
        if (moved >= 0) {
            sent += (size_t)moved;
            if (s->datagrams)
                return 0;
            continue;
        }
        if (errno == EINTR)
            continue;
        /* A unix socket of datagrams that is full says ENOBUFS on some kernels. */
        if (errno != EAGAIN && errno != ENOBUFS) {
            output_why(host, "send: %s", strerrordesc_np(errno));
            return errno == EMSGSIZE ? ERR_RANGE : ERR_DOWN;
        }
        int err = output_socket_wait(s->fd, POLLOUT, until_ns, host);
        if (err != 0)
            return err;
    } while (sent < bytes.len);
    return 0;
}
