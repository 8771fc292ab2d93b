/*
 * app/clickhouse_link.h - requests to the HTTP interface of a ClickHouse server, tried again while it
 * is not there or does not want them.
 *
 * Ownership: clickhouse_link_open() gives a handle that clickhouse_link_close() takes back; options
 *            are borrowed for its life.
 * Threads:   one owner.
 * Failures:  ERR_DOWN after options->wait_ns of trying; ERR_CONF for a request that the server refused, and
 *            for a password that cannot be read; ERR_NOMEM. Why is in the diag.
 */
#pragma once

#include "app/clickhouse.h"

struct clickhouse_link;

int clickhouse_link_open(struct clickhouse_link **out, const struct clickhouse_options *options,
                         struct diag *diag);
/* NULL is allowed. */
void clickhouse_link_close(struct clickhouse_link *l);

/*
 * One statement and the data behind it. `token` (NULL: none): the server keeps of inserts with the same one
 * the first. The answer is appended to `answer`, unless that is NULL.
 */
struct clickhouse_request {
    const char *statement;
    const char *token;
    struct slice data;
    struct buf *answer;
};

int clickhouse_link_send(struct clickhouse_link *l, const struct clickhouse_request *request);
/* Requests that had to be sent again. */
uint64_t clickhouse_link_retries(const struct clickhouse_link *l);
