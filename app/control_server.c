#include "app/control_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
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
    BACKLOG = 8,
    SOCKET_MODE = 0660,
    FULL_WAIT_MS = 100, /* when no descriptor is left the client stays queued */
};

/* An address as both of its types; the union keeps the compiler's view of each. */
union address {
    struct sockaddr any;
    struct sockaddr_un local;
};

struct control_server {
    struct control_server_options o;
    int listen_fd;
    int stop_fd;
    pthread_t thread;
    char path[sizeof((struct sockaddr_un){0}.sun_path)];
};

/* A connection: bytes that came and no line of them was answered yet. */
struct client {
    const struct control_server *server;
    int fd;
    int64_t until_ns; /* monotonic; the request at hand must be there and answered by then */
    size_t len;
    char bytes[CONTROL_SERVER_REQUEST_BYTES_MAX];
};

static void close_fd(int fd)
{
    int kept = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = kept;
}

/* Wait for the descriptor or the stop; false when it is time to go or the time is over. */
static bool ready_before(const struct control_server *s, int fd, short events, int64_t until_ns)
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

static bool send_text(const struct client *c, const char *text)
{
    struct slice rest = slice_from(text);
    while (rest.len != 0 && ready_before(c->server, c->fd, POLLOUT, c->until_ns)) {
        ssize_t sent = send(c->fd, rest.data, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (sent <= 0)
            return false;
        rest = slice_from_offset(rest, (size_t)sent);
    }
    return rest.len == 0;
}

static const char *answer_of(int status)
{
    if (status == 0)
        return "{\"ok\":true}\n";
    if (status == ERR_FORMAT) {
        return "{\"error\":\"this is no control: it needs action (suppress, ack or close), reason, "
               "and an id of 32 hex digits; suppress needs until, and kind or key where it has no "
               "id; docs/alerts.md has the members and their limits\"}\n";
    }
    if (status == ERR_AGAIN)
        return "{\"error\":\"the collector takes no more for now: try again in a second\"}\n";
    return "{\"error\":\"the collector cannot take it: see its log\"}\n";
}

/* Read up to a line feed; *line_len counts it. False when the client breaks a bound or is gone. */
static bool read_line(struct client *c, size_t *line_len)
{
    for (;;) {
        const char *end = c->len == 0 ? NULL : memchr(c->bytes, '\n', c->len);
        if (end != NULL) {
            *line_len = (size_t)(end - c->bytes) + 1;
            return true;
        }
        if (c->len == sizeof(c->bytes)) {
            (void)send_text(c, "{\"error\":\"the request is longer than 4096 bytes\"}\n");
            return false;
        }
        if (!ready_before(c->server, c->fd, POLLIN, c->until_ns))
            return false;
        ssize_t got = recv(c->fd, c->bytes + c->len, sizeof(c->bytes) - c->len, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return false;
        c->len += (size_t)got;
    }
}

static void client_serve(const struct control_server *s, int fd)
{
    struct client c = {.server = s, .fd = fd};
    for (int i = 0; i < CONTROL_SERVER_REQUESTS_MAX; i++) {
        size_t line_len = 0;
        c.until_ns = clock_monotonic_ns() + CONTROL_SERVER_TIMEOUT_MS * INT64_C(1000000);
        if (!read_line(&c, &line_len))
            return;
        struct slice line = slice_of(c.bytes, line_len - 1);
        if (!send_text(&c, answer_of(s->o.take(s->o.self, line))))
            return;
        memmove(c.bytes, c.bytes + line_len, c.len - line_len);
        c.len -= line_len;
    }
}

static void *server_run(void *arg)
{
    const struct control_server *s = arg;
    while (ready_before(s, s->listen_fd, POLLIN, CLOCK_NONE)) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            client_serve(s, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            (void)poll(NULL, 0, FULL_WAIT_MS);
        close_fd(fd);
    }
    return NULL;
}

/* The socket appears under its name with its mode: nobody can connect before. */
static int listen_at(struct control_server *s, const union address *address)
{
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listen_fd < 0)
        return ERR_IO;
    (void)file_unlink(s->path);
    if (bind(s->listen_fd, &address->any, sizeof(address->local)) != 0 ||
        chmod(s->path, SOCKET_MODE) != 0 || listen(s->listen_fd, BACKLOG) != 0)
        return ERR_IO;
    return 0;
}

int control_server_open(struct control_server **out, const struct control_server_options *options)
{
    union address address = {.local = {.sun_family = AF_UNIX}};
    size_t len = strlen(options->path);
    if (len == 0 || len >= sizeof(address.local.sun_path))
        return ERR_RANGE;
    memcpy(address.local.sun_path, options->path, len + 1);
    struct control_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->o = *options;
    memcpy(s->path, options->path, len + 1);
    s->listen_fd = -1;
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = s->stop_fd < 0 ? ERR_IO : listen_at(s, &address);
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

void control_server_close(struct control_server *server)
{
    if (server == NULL)
        return;
    (void)eventfd_write(server->stop_fd, 1);
    (void)pthread_join(server->thread, NULL);
    close_fd(server->listen_fd);
    close_fd(server->stop_fd);
    (void)file_unlink(server->path);
    free(server);
}
