/*
 * app/status_page.h - the metrics page of a running collector, fetched and taken apart.
 *
 * Ownership: a page owns its rows and text.
 * Failures:  ERR_DOWN when nobody answers, ERR_CONF for an address that is none, ERR_FORMAT for
 *            what is no metrics page.
 */
#pragma once

#include "base/buf.h"

enum status_limits {
    STATUS_ROWS_MAX = 65536,
    STATUS_PAGE_BYTES_MAX = 16 << 20,
};

/* One sample: sekisho_events_total{source="990019/fw1"} 1200 */
struct status_row {
    struct slice name;  /* without _total */
    struct slice label; /* the label's value, empty without one */
    double value;
};

struct status_page {
    struct buf text;
    struct status_row *rows;
    size_t count;
};

/* Address as in the configuration's `metrics`: unix:PATH or host:port on the loopback. */
int status_page_fetch(struct status_page *out, const char *address);
void status_page_release(struct status_page *p);

/* The value of a sample; `missing` when there is none. */
double status_page_value(const struct status_page *p, const char *name, struct slice label,
                         double missing);
