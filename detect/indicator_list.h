/*
 * detect/indicator_list.h - a list of indicators as entries: plain lines, CSV with a header, or a feed
 * in JSON.
 *
 * Lines    one entry a line; '#', ';' or "//" begins a comment, at the start of a line or after a
 *          blank (user agents: only '#' at the start). "0.0.0.0 name" as in a hosts file is the name.
 * CSV      RFC 4180, also with ';' or tab as the separator of the header. The header is the first
 *          line that is no comment, or the last comment before it that names a column we know
 *          (abuse.ch). Columns by their usual names, whatever their case, or by those configured.
 * MISP     an event, as export, feed or search gives it; attributes with to_ids that are not deleted
 * STIX     a 2.1 bundle; indicators that are not revoked, by their patterns (detect/stix_pattern.h)
 *
 * A byte order mark, CRLF, blanks around an entry and empty lines mean nothing.
 *
 * Ownership: the reader borrows the source, and its entries borrow from both until the next call.
 * Threads:   one owner.
 * Failures:  a bad line is an entry with its reason; ERR_CONF when the whole list cannot be read
 *            as what it is said to be; ERR_NOMEM.
 */
#pragma once

#include "base/diag.h"
#include "detect/indicator_key.h"

enum indicator_list_limits {
    INDICATOR_COLUMNS_MAX = 256,
    INDICATOR_CELL_BYTES_MAX = 4096, /* with its quotes */
};

enum indicator_format {
    INDICATOR_FORMAT_LINES = 0,
    INDICATOR_FORMAT_CSV,
    INDICATOR_FORMAT_MISP,
    INDICATOR_FORMAT_STIX,
    INDICATOR_FORMATS,
};

/* One list, and what is said of it. */
struct indicator_source {
    struct slice name;    /* the feed's */
    struct slice version; /* the feed's own, or some digits of the hash of its content */
    struct slice content;
    const char *path; /* for messages */
    enum indicator_type type;
    enum indicator_format format;
    struct slice column; /* of the indicator in CSV: name, or number from 1; empty = usual names */
    struct slice expiry_column; /* likewise */
    int64_t expires_ns;         /* of entries that say nothing themselves; INT64_MAX = never */
};

struct indicator_entry {
    uint32_t line; /* on which it begins, from 1 */
    enum indicator_type type;
    struct slice id; /* what the feed calls it, for messages; or empty */
    struct slice text;
    uint16_t port; /* of a column of its own, else 0 */
    int64_t expires_ns;
    const char *fault;  /* NULL, or why the line is bad */
    const char *unused; /* NULL, or what it is, when it is right but nothing that a list holds */
};

struct indicator_feed;

struct indicator_list {
    const struct indicator_source *source;
    size_t at; /* of the next line */
    uint32_t line;
    char separator;
    int16_t column; /* -1 = none */
    int16_t port_column;
    int16_t expiry_column;
    bool guess_header;   /* the column has a number: the first line may be a header or not */
    struct buf cells[3]; /* indicator, port, expiry */
    struct indicator_feed *feed; /* of JSON, else NULL */
};

int indicator_list_open(struct indicator_list *out, const struct indicator_source *source,
                        struct diag *diag);
/* False at the end. */
bool indicator_list_next(struct indicator_list *l, struct indicator_entry *out);
void indicator_list_close(struct indicator_list *l);
