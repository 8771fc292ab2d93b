#include "app/control_client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

/* An address as both of its types; the union keeps the compiler's view of each. */
union address {
    struct sockaddr any;
    struct sockaddr_un local;
};

static int connect_to(int *out, const char *dir)
{
    union address to = {.local = {.sun_family = AF_UNIX}};
    const struct timeval limit = {.tv_sec = CONTROL_CLIENT_TIMEOUT_MS / 1000,
                                  .tv_usec = CONTROL_CLIENT_TIMEOUT_MS % 1000 * 1000L};
    int len = snprintf(to.local.sun_path, sizeof(to.local.sun_path), "%s/control.sock", dir);
    if (len < 0 || (size_t)len >= sizeof(to.local.sun_path))
        return ERR_RANGE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(fd, &to.any, sizeof(to.local)) != 0) {
        int kept = errno;
        (void)close(fd);
        errno = kept;
        return ERR_DOWN;
    }
    *out = fd;
    return 0;
}

static int send_all(int fd, struct slice bytes)
{
    while (bytes.len != 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return ERR_DOWN;
        bytes = slice_from_offset(bytes, (size_t)sent);
    }
    return 0;
}

/* Up to the line feed, which is left out. */
static int read_answer(int fd, struct buf *answer)
{
    for (;;) {
        char byte = 0;
        ssize_t got = recv(fd, &byte, 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_DOWN;
        if (byte == '\n')
            return buf_ok(answer) ? 0 : ERR_NOMEM;
        if (answer->len == CONTROL_CLIENT_ANSWER_BYTES_MAX)
            return ERR_FORMAT;
        buf_byte(answer, byte);
    }
}

static int judge_answer(struct slice answer, struct buf *why)
{
    json_t *object = json_loadb(answer.data == NULL ? "" : answer.data, answer.len, 0, NULL);
    const char *error = json_string_value(json_object_get(object, "error"));
    int status = ERR_FORMAT;
    if (error != NULL) {
        buf_text(why, error);
        status = ERR_CONF;
    } else if (json_is_true(json_object_get(object, "ok"))) {
        status = 0;
    }
    json_decref(object);
    return status;
}

int control_send(const char *dir, struct slice json, struct buf *why)
{
    struct buf answer = {0};
    int fd = -1;
    int status = connect_to(&fd, dir);
    if (status != 0)
        return status;
    status = send_all(fd, json);
    if (status == 0)
        status = send_all(fd, SLICE("\n"));
    if (status == 0)
        status = read_answer(fd, &answer);
    if (status == 0)
        status = judge_answer(buf_content(&answer), why);
    (void)close(fd);
    buf_release(&answer);
    return status;
}
