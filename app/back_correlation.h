/*
 * app/back_correlation.h - a correlation over the stored history.
 *
 *   scan: rows of the rules that it builds on --back_correlation_rows()--> signals of each thread
 *   back_correlation_judge(): in the order of event time, by municipality, as the collector does
 *
 * Rows of one time stand in the order of arrival, then of their place in Kafka.
 *
 * Ownership: the rules are borrowed.
 * Threads:   back_correlation_rows() by one thread per worker, the rest by one.
 * Failures:  ERR_NOMEM; ERR_RANGE past BACK_SIGNALS_MAX or BACK_SIGNALS_BYTES_MAX.
 */
#pragma once

#include "app/back_hits.h"
#include "app/sieve.h"
#include "detect/detect.h"

enum back_correlation_limits {
    BACK_SIGNALS_MAX = 2 * 1000 * 1000, /* of a thread */
    BACK_SIGNALS_BYTES_MAX = 1 << 30,
};

struct back_correlation;

int back_correlation_new(struct back_correlation **out, struct rule_set *rules,
                         const struct sigma_rule *correlation, unsigned workers, struct diag *diag);
/* NULL is fine. */
void back_correlation_free(struct back_correlation *b);

/* What to scan for, and the columns that it wants: parts of a scan_feed whose `self` is `b`. */
const struct pred *back_correlation_pred(const struct back_correlation *b);
void back_correlation_columns(void *self, const struct batch *b, struct column_mask *out);
int back_correlation_rows(void *self, unsigned worker, const struct sieve *s);

/* A hit for each alert up to `end_ns`; windows that are not over then stay open. Groups that gave way are counted in *losses: the answer is not whole. */
int back_correlation_judge(struct back_correlation *b, int64_t end_ns, struct back_hits *out,
                           uint64_t *losses);
