/*
 * app/past.h - the sets that the rows of a log were judged with, as its frames name them.
 *
 *   past_begin() at a file of the log, past_take() for each frame -> names and hashes in force
 *   past_sets()  -> configuration, indicators, rules with those hashes: one of those that are loaded
 *                   already, or read from DIR/env/
 *
 * Ownership: the past owns what it read; what past_sets() gave is valid until past_free().
 * Threads:   one owner.
 * Failures:  ERR_CONF where a blob is missing, damaged or of a form that this program does not read,
 *            said in the diagnosis; ERR_CORRUPT, ERR_NOMEM.
 */
#pragma once

#include "app/environment.h"
#include "app/watch.h"

struct past;

struct past_options {
    const char *dir; /* of the store */
    /* What is loaded already; items may be NULL. Borrowed, as long as the past and its sets. */
    const struct environment *loaded[2];
};

int past_new(struct past **out, const struct past_options *options);
/* NULL is fine. */
void past_free(struct past *p);

/* Before the first frame of a file; NULL: before the first of the log. */
int past_begin(struct past *p, const struct log_file_header *header);
/* The frame's changes are in force from now on, for its own rows, too. */
int past_take(struct past *p, const struct frame_view *frame);
/* Whether something that rows are judged with has changed since past_sets(), or it was never asked. */
bool past_is_new(const struct past *p);
/* After ERR_CONF past_is_new() is false until the next change. */
int past_sets(struct past *p, struct watch_sets *out, struct diag *diag);
/* How many sets past_sets() had to read. */
unsigned past_count(const struct past *p);
/* Whether what is in force is what `e` was read from. */
bool past_is(const struct past *p, const struct environment *e);
