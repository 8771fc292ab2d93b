#include "base/metric_server.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/server.h"

struct metric_server {
    struct metric_set *set;
    struct server *server;
};

/* Read until the blank line that ends the request; false when the client breaks a bound. */
static bool request_read(const struct server_client *client, struct buf *request, int64_t until_ns)
{
    while (request->len < METRIC_REQUEST_BYTES_MAX) {
        size_t room = METRIC_REQUEST_BYTES_MAX - request->len;
        char *to = buf_reserve(request, room);
        size_t got = to == NULL ? 0 : server_receive(client, to, room, until_ns);
        if (got == 0)
            return false;
        request->len += got;
        if (memmem(request->data, request->len, "\r\n\r\n", 4) != NULL ||
            memmem(request->data, request->len, "\n\n", 2) != NULL)
            return true;
    }
    return false;
}

static void client_serve(void *self, const struct server_client *client)
{
    const struct metric_server *s = self;
    struct buf request = {0};
    struct buf page = {0};
    struct buf reply = {0};
    int64_t until_ns = clock_monotonic_ns() + METRIC_CLIENT_TIMEOUT_MS * INT64_C(1000000);
    if (!request_read(client, &request, until_ns))
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
        (void)server_send(client, buf_content(&reply), until_ns);
out:
    buf_release(&request);
    buf_release(&page);
    buf_release(&reply);
}

int metric_server_open(struct metric_server **out, struct metric_set *set, const char *address)
{
    struct metric_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->set = set;
    const struct server_options options = {.address = address, .serve = client_serve, .self = s};
    int err = server_open(&s->server, &options);
    if (err != 0) {
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
    server_close(server->server);
    free(server);
}

uint16_t metric_server_port(const struct metric_server *server)
{
    return server_port(server->server);
}
