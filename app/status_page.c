#include "app/status_page.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

enum {
    CONNECT_SECONDS = 3,
    READ_BYTES = 65536,
};

static int connect_unix(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(to.sun_path))
        return ERR_CONF;
    memcpy(to.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (connect(fd, (const void *)&to, sizeof(to)) == 0)
        return fd;
    (void)close(fd);
    return ERR_DOWN;
}

static int connect_tcp(const char *address)
{
    const char *colon = strrchr(address, ':');
    char host[64];
    if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
        return ERR_CONF;
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (*end != '\0' || port == 0 || port > UINT16_MAX ||
        inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return ERR_CONF;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (connect(fd, (const void *)&to, sizeof(to)) == 0)
        return fd;
    (void)close(fd);
    return ERR_DOWN;
}

static int read_page(int fd, struct buf *text)
{
    static const char REQUEST[] = "GET /metrics HTTP/1.0\r\n\r\n";
    struct timeval limit = {.tv_sec = CONNECT_SECONDS};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (send(fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(REQUEST) - 1)
        return ERR_DOWN;
    for (;;) {
        char *to = buf_reserve(text, READ_BYTES);
        if (to == NULL || text->len > STATUS_PAGE_BYTES_MAX)
            return ERR_NOMEM;
        ssize_t got = recv(fd, to, READ_BYTES, 0);
        if (got < 0)
            return ERR_DOWN;
        if (got == 0)
            return 0;
        text->len += (size_t)got;
    }
}

/* Read `name{key="value"} number`; false for comments and what is no sample. */
static bool read_row(struct slice line, struct status_row *row)
{
    if (line.len == 0 || line.data[0] == '#')
        return false;
    const char *end = line.data + line.len;
    const char *at = line.data;
    while (at < end && *at != '{' && *at != ' ')
        at++;
    row->name = slice_of(line.data, (size_t)(at - line.data));
    if (row->name.len > 6 && memcmp(at - 6, "_total", 6) == 0)
        row->name.len -= 6;
    row->label = SLICE("");
    if (at < end && *at == '{') {
        const char *open = memchr(at, '"', (size_t)(end - at));
        const char *close_quote =
            open == NULL ? NULL : memchr(open + 1, '"', (size_t)(end - open - 1));
        if (close_quote == NULL)
            return false;
        row->label = slice_of(open + 1, (size_t)(close_quote - open - 1));
        at = memchr(close_quote, ' ', (size_t)(end - close_quote));
        if (at == NULL)
            return false;
    }
    char *stop = NULL;
    row->value = strtod(at, &stop);
    return stop != at;
}

static int take_apart(struct status_page *p)
{
    struct slice text = slice_from(buf_string(&p->text));
    const char *body = strstr(text.data, "\r\n\r\n");
    if (body == NULL)
        return ERR_FORMAT;
    p->rows = calloc(STATUS_ROWS_MAX, sizeof(*p->rows));
    if (p->rows == NULL)
        return ERR_NOMEM;
    const char *at = body + 4;
    while (*at != '\0' && p->count < STATUS_ROWS_MAX) {
        const char *end = strchr(at, '\n');
        size_t len = end == NULL ? strlen(at) : (size_t)(end - at);
        p->count += read_row(slice_of(at, len), &p->rows[p->count]);
        at += end == NULL ? len : len + 1;
    }
    return p->count == 0 ? ERR_FORMAT : 0;
}

int status_page_fetch(struct status_page *out, const char *address)
{
    struct status_page page = {0};
    static const char UNIX[] = "unix:";
    int fd = strncmp(address, UNIX, sizeof(UNIX) - 1) == 0
                 ? connect_unix(address + sizeof(UNIX) - 1)
                 : connect_tcp(address);
    if (fd < 0)
        return fd;
    int status = read_page(fd, &page.text);
    (void)close(fd);
    if (status == 0)
        status = take_apart(&page);
    if (status != 0) {
        status_page_release(&page);
        return status;
    }
    *out = page;
    return 0;
}

void status_page_release(struct status_page *p)
{
    buf_release(&p->text);
    free(p->rows);
    *p = (struct status_page){0};
}

double status_page_value(const struct status_page *p, const char *name, struct slice label,
                         double missing)
{
    for (size_t i = 0; i < p->count; i++) {
        if (slice_equal(p->rows[i].name, slice_from(name)) && slice_equal(p->rows[i].label, label))
            return p->rows[i].value;
    }
    return missing;
}
