#include "app/control_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/server.h"

struct control_server {
    struct control_server_options o;
    struct server *server;
};

/* A connection: bytes that came and no line of them was answered yet. */
struct client {
    const struct server_client *connection;
    int64_t until_ns; /* monotonic; the request at hand must be there and answered by then */
    size_t len;
    char bytes[CONTROL_SERVER_REQUEST_BYTES_MAX];
};

static bool send_text(const struct client *c, const char *text)
{
    return server_send(c->connection, slice_from(text), c->until_ns);
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
        size_t got = server_receive(c->connection, c->bytes + c->len, sizeof(c->bytes) - c->len,
                                    c->until_ns);
        if (got == 0)
            return false;
        c->len += got;
    }
}

static void client_serve(void *self, const struct server_client *connection)
{
    const struct control_server *s = self;
    struct client c = {.connection = connection};
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

int control_server_open(struct control_server **out, const struct control_server_options *options)
{
    struct buf address = {0};
    struct control_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->o = *options;
    buf_printf(&address, "unix:%s", options->path);
    const struct server_options server = {
        .address = buf_string(&address), .serve = client_serve, .self = s};
    int err = buf_ok(&address) ? server_open(&s->server, &server) : ERR_NOMEM;
    buf_release(&address);
    if (err != 0) {
        free(s);
        return err == ERR_CONF ? ERR_RANGE : err;
    }
    *out = s;
    return 0;
}

void control_server_close(struct control_server *server)
{
    if (server == NULL)
        return;
    server_close(server->server);
    free(server);
}
