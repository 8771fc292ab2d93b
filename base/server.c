#include "base/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    SERVER_BACKLOG = 8,
    SERVER_SOCKET_MODE = 0660,
    SERVER_FULL_WAIT_MS = 100, /* when no descriptor is left the client stays queued: do not spin */
};

/* Every kind of address that is listened on; the union keeps the compiler's view of each. */
union server_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

struct server {
    struct server_options o;
    int listen_fd;
    int stop_fd;
    uint16_t port;
    pthread_t thread;
    char path[sizeof((struct sockaddr_un){0}.sun_path)]; /* "" for TCP */
};

struct server_client {
    const struct server *server;
    int fd;
};

static void close_fd(int fd)
{
    int kept = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = kept;
}

/* Wait for the descriptor or the stop; false when it is time to go or the time is over. */
static bool ready_before(const struct server *s, int fd, short events, int64_t until_ns)
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

size_t server_receive(const struct server_client *client, void *to, size_t cap, int64_t until_ns)
{
    while (ready_before(client->server, client->fd, POLLIN, until_ns)) {
        ssize_t got = recv(client->fd, to, cap, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        return got > 0 ? (size_t)got : 0;
    }
    return 0;
}

bool server_send(const struct server_client *client, struct slice bytes, int64_t until_ns)
{
    while (bytes.len != 0 && ready_before(client->server, client->fd, POLLOUT, until_ns)) {
        ssize_t sent = send(client->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (sent <= 0)
            return false;
        bytes = slice_from_offset(bytes, (size_t)sent);
    }
    return bytes.len == 0;
}

static void *server_run(void *arg)
{
    const struct server *s = arg;
    while (ready_before(s, s->listen_fd, POLLIN, CLOCK_NONE)) {
        struct server_client client = {.server = s};
        client.fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (client.fd >= 0)
            s->o.serve(s->o.self, &client);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            (void)poll(NULL, 0, SERVER_FULL_WAIT_MS);
        close_fd(client.fd);
    }
    return NULL;
}

static int address_local(union server_address *out, const char *path)
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

static int address_loopback(union server_address *out, const char *text)
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

static int listen_on(struct server *s, const union server_address *address)
{
    int yes = 1;
    socklen_t len = sizeof(*address);
    union server_address bound = {0};
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
    if (address->any.sa_family == AF_UNIX && chmod(s->path, SERVER_SOCKET_MODE) != 0)
        return ERR_IO;
    len = sizeof(bound);
    if (listen(s->listen_fd, SERVER_BACKLOG) != 0 ||
        getsockname(s->listen_fd, &bound.any, &len) != 0)
        return ERR_IO;
    if (bound.any.sa_family == AF_INET) {
        s->port = ntohs(bound.v4.sin_port);
    } else if (bound.any.sa_family == AF_INET6) {
        s->port = ntohs(bound.v6.sin6_port);
    }
    return 0;
}

int server_open(struct server **out, const struct server_options *options)
{
    const char *address = options->address;
    union server_address parsed = {0};
    bool local = strncmp(address, "unix:", 5) == 0;
    int err = local ? address_local(&parsed, address + 5) : address_loopback(&parsed, address);
    if (err != 0)
        return err;
    struct server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->o = *options;
    s->o.address = NULL; /* the caller's */
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

void server_close(struct server *server)
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

uint16_t server_port(const struct server *server)
{
    return server->port;
}
