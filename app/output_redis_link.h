/*
 * app/output_redis_link.h - commands to a Redis and their answers, with bounds on time and memory.
 *
 * Ownership: redis_link_open() gives a link that redis_link_close() takes back.
 * Threads:   one owner.
 * Failures:  after one the link is of no use but to be closed. ERR_DOWN: no connection, no answer in
 *            time, or bytes that are no answer; output_why() has the reason.
 */
#pragma once

#include "app/output_socket.h"

enum redis_link_limits {
    REDIS_TEXT_BYTES_MAX = 512,       /* of an answer, the rest is cut */
    REDIS_ANSWER_BYTES_MAX = 1 << 16, /* of an answer on the wire; more ends the link */
    REDIS_ARGUMENTS_MAX = 8192,       /* of a command */
};

enum redis_answer_kind {
    REDIS_NIL,
    REDIS_STATUS,
    REDIS_ERROR,
    REDIS_STRING,
    REDIS_INTEGER,
};

struct redis_answer {
    enum redis_answer_kind kind;
    long long integer;
    char text[REDIS_TEXT_BYTES_MAX + 1]; /* NUL-terminated */
};

struct redis_link;

int redis_link_open(struct redis_link **out, const struct output_address *address,
                    struct output_host *host);
/* NULL is allowed. */
void redis_link_close(struct redis_link *l);

/* Queue a command. ERR_NOMEM, ERR_RANGE. */
int redis_link_put(struct redis_link *l, const struct slice *arguments, size_t count);
/*
 * Send what is queued and call `answered` for each command in order, its answer borrowed. An error
 * of Redis about a command is an answer.
 */
int redis_link_run(struct redis_link *l,
                   void (*answered)(void *self, size_t command, const struct redis_answer *answer),
                   void *self);
