#include "base/metric_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    METRIC_BACKLOG = 8,
    METRIC_SOCKET_MODE = 0660,
};

/* Every kind of address that is listened on; the union keeps the compiler's view of each. */
union metric_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

struct metric_server {
    struct metric_set *set;
    int listen_fd;
    int stop_fd;
    uint16_t port;
    pthread_t thread;
    char path[sizeof((struct sockaddr_un){0}.sun_path)]; /* "" for TCP */
};

static void close_fd(int fd)
{
    int kept = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = kept;
}

/* Wait for the descriptor or the stop; false when it is time to go or the time is over. */
static bool ready_before(const struct metric_server *s, int fd, short events, int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = s->stop_fd, .events = POLLIN}};
    for (;;) {
        int64_t left_ms = -1;
        if (until_ns != CLOCK_NONE) {
            left_ms = (until_ns - clock_monotonic_ns()) / 1000000;
            if (left_ms <= 0)
                return false;
        }
        int count = poll(fds, 2, (int)left_ms);
        if (count < 0 && errno == EINTR)
            continue;
        return count > 0 && fds[1].revents == 0 && fds[0].revents != 0;
    }
}

/* Read until the blank line that ends the request; false when the client breaks a bound. */
static bool request_read(const struct metric_server *s, int fd, struct buf *request,
                         int64_t until_ns)
{
    while (ready_before(s, fd, POLLIN, until_ns)) {
        if (request->len == METRIC_REQUEST_BYTES_MAX)
            return false;
        char *to = buf_reserve(request, METRIC_REQUEST_BYTES_MAX - request->len);
        if (to == NULL)
            return false;
        ssize_t got = recv(fd, to, METRIC_REQUEST_BYTES_MAX - request->len, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return false;
        request->len += (size_t)got;
        if (memmem(request->data, request->len, "\r\n\r\n", 4) != NULL ||
            memmem(request->data, request->len, "\n\n", 2) != NULL)
            return true;
    }
    return false;
}

static void reply_send(const struct metric_server *s, int fd, struct slice reply, int64_t until_ns)
{
    while (reply.len != 0 && ready_before(s, fd, POLLOUT, until_ns)) {
        ssize_t sent = send(fd, reply.data, reply.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (sent <= 0)
            return;
        reply = slice_from_offset(reply, (size_t)sent);
    }
}

static void client_serve(const struct metric_server *s, int fd)
{
    struct buf request = {0};
    struct buf page = {0};
    struct buf reply = {0};
    int64_t until_ns = clock_monotonic_ns() + METRIC_CLIENT_TIMEOUT_MS * INT64_C(1000000);
    if (!request_read(s, fd, &request, until_ns))
        goto out;
    const char *status = "405 Method Not Allowed";
    if (slice_starts(buf_content(&request), SLICE("GET "))) {
        status = "200 OK";
        metric_render(s->set, &page);
    }
    buf_printf(&reply,
               "HTTP/1.1 %s\r\n"
               "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
               "Content-Length: %zu\r\nConnection: close\r\n\r\n",
               status, page.len);
    buf_slice(&reply, buf_content(&page));
    if (buf_ok(&page) && buf_ok(&reply))
        reply_send(s, fd, buf_content(&reply), until_ns);
out:
    buf_release(&request);
    buf_release(&page);
    buf_release(&reply);
}

static void *server_run(void *arg)
{
    struct metric_server *s = arg;
    while (ready_before(s, s->listen_fd, POLLIN, CLOCK_NONE)) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            client_serve(s, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            (void)poll(NULL, 0, 100); /* the client stays queued: do not spin */
        }
        close_fd(fd);
    }
    return NULL;
}

static int address_local(union metric_address *out, const char *path)
{
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(out->local.sun_path))
        return ERR_CONF;
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, len + 1);
    return 0;
}

static int parse_port(uint16_t *out, const char *text)
{
    uint32_t port = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5)
        return ERR_CONF;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERR_CONF;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port > UINT16_MAX)
        return ERR_CONF;
    *out = (uint16_t)port;
    return 0;
}

static int address_loopback(union metric_address *out, const char *text)
{
    char host[INET6_ADDRSTRLEN + 2];
    uint16_t port = 0;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
        parse_port(&port, colon + 1) != 0)
        return ERR_CONF;
    size_t len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (strcmp(host, "[::1]") == 0) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_addr = in6addr_loopback;
        out->v6.sin6_port = htons(port);
        return 0;
    }
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) != 1 || ntohl(v4.s_addr) >> 24 != 127)
        return ERR_CONF;
    out->v4.sin_family = AF_INET;
    out->v4.sin_addr = v4;
    out->v4.sin_port = htons(port);
    return 0;
}

static int listen_on(struct metric_server *s, const union metric_address *address)
{
    int yes = 1;
    socklen_t len = sizeof(*address);
    union metric_address bound = {0};
    s->listen_fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listen_fd < 0)
        return ERR_IO;
    if (address->any.sa_family == AF_UNIX) {
        len = sizeof(address->local);
        (void)file_unlink(s->path);
    } else {
        len = address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
        (void)setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    }
    if (bind(s->listen_fd, &address->any, len) != 0)
        return ERR_IO;
    if (address->any.sa_family == AF_UNIX && chmod(s->path, METRIC_SOCKET_MODE) != 0)
        return ERR_IO;
    len = sizeof(bound);
    if (listen(s->listen_fd, METRIC_BACKLOG) != 0 ||
        getsockname(s->listen_fd, &bound.any, &len) != 0)
        return ERR_IO;
    if (bound.any.sa_family == AF_INET) {
        s->port = ntohs(bound.v4.sin_port);
    } else if (bound.any.sa_family == AF_INET6) {
        s->port = ntohs(bound.v6.sin6_port);
    }
    return 0;
}

int metric_server_open(struct metric_server **out, struct metric_set *set, const char *address)
{
    union metric_address parsed = {0};
    bool local = strncmp(address, "unix:", 5) == 0;
    int err = local ? address_local(&parsed, address + 5) : address_loopback(&parsed, address);
    if (err != 0)
        return err;
    struct metric_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->set = set;
    s->listen_fd = -1;
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = s->stop_fd < 0 ? ERR_IO : 0;
    if (local)
        memcpy(s->path, parsed.local.sun_path, sizeof(s->path));
    if (err == 0)
        err = listen_on(s, &parsed);
    if (err == 0 && pthread_create(&s->thread, NULL, server_run, s) != 0)
        err = ERR_NOMEM;
    if (err != 0) {
        close_fd(s->listen_fd);
        close_fd(s->stop_fd);
        free(s);
        return err;
    }
    *out = s;
    return 0;
}

void metric_server_close(struct metric_server *server)
{
    if (server == NULL)
        return;
    (void)eventfd_write(server->stop_fd, 1);
    (void)pthread_join(server->thread, NULL);
    close_fd(server->listen_fd);
    close_fd(server->stop_fd);
    if (server->path[0] != '\0')
        (void)file_unlink(server->path);
    free(server);
}

uint16_t metric_server_port(const struct metric_server *server)
{
    return server->port;
}
