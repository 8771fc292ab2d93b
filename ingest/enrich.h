/*
 * ingest/enrich.h - private to ingest/: derived columns of a batch.
 *
 * Verdict from the vendor's action, transport where a line implies it, country and autonomous system, zone and asset class of both
 * addresses, registrable domain of url.domain, class of the source where it has one; each once per distinct value where the column has a
 * dictionary.
 *
 * Threads:   an enricher has one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "event/batch.h"
#include "ingest/feed.h"

struct enrich;

int enrich_new(struct enrich **out, const struct feed_environment *env);
void enrich_free(struct enrich *e);

/* Fill the derived columns of rows [first, end). */
int enrich_rows(struct enrich *e, struct batch *b, const struct feed_options *source,
                uint32_t first, uint32_t end);
