/*
 * detect/flow_read.h - private to detect/: the rows of a batch become flows, column by column.
 *
 * Ownership: the reader owns its texts until flow_texts_reset(); flows hold ids of them.
 * Threads:   one owner.
 * Failures:  ERR_NOMEM.
 */
#pragma once

#include "detect/detect.h"

/* Texts of the flows at hand, by id from 1. */
struct flow_texts {
    struct buf bytes;
    struct span *spans;
    uint32_t count;
    uint32_t cap;
};

struct flow_reader {
    const struct detect_shared *shared;
    const struct detect_profile *profile;
    const struct zone_table *shared_networks; /* or NULL */
    struct flow_texts texts;
    struct buf scratch;
    /* Of the batch at hand: what a dictionary entry means, by code. */
    uint32_t text_of[UINT16_MAX + 1];
    uint64_t key_of[UINT16_MAX + 1];
};

void flow_texts_reset(struct flow_texts *texts);
struct slice flow_text(const struct flow_texts *texts, uint32_t id);
/* A new id for a text; 0 on ERR_NOMEM, which flow_read() finds out at its end. */
uint32_t flow_text_add(struct flow_texts *texts, struct slice text);
void flow_reader_release(struct flow_reader *r);

/*
 * Fill flows[order[row]] for every row of the batch. What is no value of its row is 0, or -1 for
 * byte counts. `log_source` is the batch's source in the tenant's list.
 */
int flow_read(struct flow_reader *r, const struct batch *b, const uint32_t *order,
              uint8_t log_source, struct flow *flows);

/* The source of a flow of these rows is this host. */
void flow_comes_from(const struct flow_reader *r, struct flow *f, const struct ip *host);
