/*
 * store/topic_text.h - private to store/: a topic's bytes as a word of a text, and back.
 *
 *   A-Z a-z 0-9 . _ - as they are, others as %XX with capital digits: no byte has two forms
 *
 * Layer:     base < event < store
 * Ownership: appends to the caller's buffer.
 * Threads:   any.
 * Failures:  false for a text that is no topic; the buffer holds something then.
 */
#pragma once

#include "base/buf.h"
#include "store/tree.h"

enum topic_text_limits {
    TOPIC_TEXT_BYTES_MAX = 3 * TREE_TOPIC_BYTES_MAX,
};

void topic_print(struct buf *out, struct slice topic);
/* Append the bytes of the word: 1 to TREE_TOPIC_BYTES_MAX. */
bool topic_read(struct buf *out, struct slice text);
