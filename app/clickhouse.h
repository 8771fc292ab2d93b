/*
 * app/clickhouse.h - segments into a table of ClickHouse, each once.
 *
 *   catalogs --> segments --rows with new numbers--> INSERT INSERT ... --> one row in T_segments: it counts
 *                   ^                                  65,536 rows each, a token that tells them apart
 *                   +---- SELECT ... FROM T_segments: which are there, and up to which number
 *
 * What a killed run has sent is sent again under the same tokens, which the server knows, and rows
 * have a key (municipality, topic, partition, offset, line) under which the table keeps one. A
 * segment that was written anew with late rows sends those alone: their numbers are greater than
 * all before. Rows in the log alone follow when they are compacted. docs/clickhouse.md.
 *
 * Ownership: everything is borrowed for the call.
 * Threads:   one caller; a collector and a compaction may go on beside it.
 * Failures:  ERR_DOWN: the server did not answer, or not want, for as long as was waited; ERR_CONF: it
 *            refused, by what it said; ERR_CORRUPT: something of the store is damaged, the rest was sent;
 *            ERR_NOTFOUND, ERR_IO, ERR_NOMEM, ERR_RANGE. Why, and what helps, is in the diag.
 */
#pragma once

#include "store/store.h"

enum clickhouse_limits {
    CLICKHOUSE_INSERT_ROWS = 65536,
    CLICKHOUSE_INSERT_BYTES = 64 << 20, /* a request ends here, or behind the row that passes it */
    CLICKHOUSE_ANSWER_BYTES_MAX = 64 << 20,
    CLICKHOUSE_TABLE_BYTES_MAX = 128,
};

struct clickhouse_options {
    const char *dir;           /* of the store */
    const char *url;           /* http:// or https://, of the server's HTTP interface */
    const char *table;         /* NAME or DATABASE.NAME */
    const char *user;          /* NULL: the server's default */
    const char *password_file; /* NULL: none */
    const char *ca;            /* a file of certificates to trust, for https; NULL: the system's */
    bool has_tenant;
    uint32_t tenant;
    int64_t wait_ns; /* for a server that does not answer */
};

struct clickhouse_report {
    uint64_t segments; /* sent */
    uint64_t segments_known;
    uint64_t rows;
    uint64_t bytes; /* of requests */
    uint64_t retries;
    uint64_t damage; /* segments that could not be read whole */
};

/* Append the statements that make the tables. ERR_CONF for a name that cannot be one. */
int clickhouse_ddl(struct buf *out, const char *table, struct diag *diag);
int clickhouse_send(struct clickhouse_report *out, const struct clickhouse_options *options,
                    struct diag *diag);
