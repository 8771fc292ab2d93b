#include "app/output_redis_link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>

#include "base/err.h"

struct redis_link {
    struct output_socket socket;
    struct output_host *host;
    redisContext *context;
    redisReplyObjectFunctions functions;
    struct redis_answer answer; /* the one answer that is built at a time */
    size_t queued;
    const char *arguments[REDIS_ARGUMENTS_MAX];
    size_t lengths[REDIS_ARGUMENTS_MAX];
};

/* hiredis builds answers through these: into the link, whatever length an answer claims. */
static void *make_text(const redisReadTask *task, char *text, size_t len)
{
    struct redis_answer *a = task->privdata;
    size_t kept = len < REDIS_TEXT_BYTES_MAX ? len : REDIS_TEXT_BYTES_MAX;
    a->kind = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
              : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                 : REDIS_STRING;
    memcpy(a->text, text, kept);
    a->text[kept] = '\0';
    return a;
}

/* No command of ours is answered by an array: NULL makes hiredis give up. */
static void *make_array(const redisReadTask *task, int elements)
{
    (void)task;
    (void)elements;
    return NULL;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    struct redis_answer *a = task->privdata;
    a->kind = REDIS_INTEGER;
    a->integer = value;
    return a;
}

static void *make_nil(const redisReadTask *task)
{
    struct redis_answer *a = task->privdata;
    a->kind = REDIS_NIL;
    return a;
}

static void free_none(void *object)
{
    (void)object;
}

int redis_link_open(struct redis_link **out, const struct output_address *address,
                    struct output_host *host)
{
    struct redis_link *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_NOMEM;
    l->host = host;
    l->socket.fd = -1;
    int err = output_socket_open(&l->socket, address, host);
    if (err == 0) {
        l->context = redisConnectFd(l->socket.fd);
        err = l->context == NULL ? ERR_NOMEM : 0;
    }
    if (err != 0) {
        redis_link_close(l);
        return err;
    }
    l->context->flags &= ~REDIS_BLOCK;
    l->functions = (redisReplyObjectFunctions){.createString = make_text,
                                               .createArray = make_array,
                                               .createInteger = make_integer,
                                               .createNil = make_nil,
                                               .freeObject = free_none};
    l->context->reader->fn = &l->functions;
    l->context->reader->privdata = &l->answer;
    *out = l;
    return 0;
}

void redis_link_close(struct redis_link *l)
{
    if (l == NULL)
        return;
    if (l->context != NULL)
        redisFree(l->context); /* with the descriptor */
    else
        output_socket_close(&l->socket);
    free(l);
}

int redis_link_put(struct redis_link *l, const struct slice *arguments, size_t count)
{
    if (count > REDIS_ARGUMENTS_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < count; i++) {
        l->arguments[i] = arguments[i].data == NULL ? "" : arguments[i].data;
        l->lengths[i] = arguments[i].len;
    }
    if (redisAppendCommandArgv(l->context, (int)count, l->arguments, l->lengths) != REDIS_OK)
        return ERR_NOMEM;
    l->queued++;
    return 0;
}

static int fail(struct redis_link *l)
{
    const redisContext *c = l->context;
    output_why(l->host, "redis: %s",
               c->err == REDIS_ERR_IO         ? strerrordesc_np(errno)
               : c->errstr[0] != '\0'         ? c->errstr
               : c->reader->errstr[0] != '\0' ? c->reader->errstr
                                              : "the connection ended");
    return ERR_DOWN;
}

/* The next answer if it is there whole; *got tells. */
static int next_answer(struct redis_link *l, bool *got)
{
    void *object = NULL;
    l->answer.integer = 0;
    l->answer.text[0] = '\0';
    if (redisGetReplyFromReader(l->context, &object) != REDIS_OK)
        return fail(l);
    *got = object != NULL;
    if (object == NULL &&
        l->context->reader->len - l->context->reader->pos > REDIS_ANSWER_BYTES_MAX) {
        output_why(l->host, "redis: an answer of more than %d bytes", REDIS_ANSWER_BYTES_MAX);
        return ERR_DOWN;
    }
    return 0;
}

/* Move bytes in the directions that are ready. */
static int exchange(struct redis_link *l, bool *sent, int64_t until_ns)
{
    int done = 0;
    int err =
        output_socket_wait(l->socket.fd, *sent ? POLLIN : POLLIN | POLLOUT, until_ns, l->host);
    if (err != 0)
        return err;
    struct pollfd p = {.fd = l->socket.fd, .events = POLLIN | POLLOUT};
    (void)poll(&p, 1, 0);
    if (!*sent && (p.revents & POLLOUT) != 0) {
        if (redisBufferWrite(l->context, &done) != REDIS_OK)
            return fail(l);
        *sent = done != 0;
    }
    if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && redisBufferRead(l->context) != REDIS_OK)
        return fail(l);
    return 0;
}

int redis_link_run(struct redis_link *l,
                   void (*answered)(void *self, size_t command, const struct redis_answer *answer),
                   void *self)
{
    int64_t until = output_until(l->host, OUTPUT_EXCHANGE_MS);
    bool sent = l->queued == 0;
    size_t count = 0;
    int err = 0;
    while (err == 0 && count < l->queued) {
        bool got = false;
        err = next_answer(l, &got);
        if (err == 0 && got)
            answered(self, count++, &l->answer);
        else if (err == 0)
            err = exchange(l, &sent, until);
    }
    l->queued = 0;
    return err;
}
