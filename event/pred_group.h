/*
 * event/pred_group.h - private: many string leaves of one target, asked in one scan.
 *
 * One literal of each leaf is looked for in all values: the long ones of many by an index of grams
 * (event/pred_gram.h), others by Vectorscan; EQUAL leaves are looked up by hash. What they find is
 * only a hint: leaf_text() decides, so the meaning never depends on them.
 *
 *   values -> one block of bytes -> Vectorscan: (pattern, end) -> leaf, value -+-> leaf_text()
 *        +---> each by itself ----> grams: literal -----------> leaf, value -+
 */
#pragma once

#include "event/pred_plan.h"

enum group_limits {
    GROUP_LEAVES_MIN = 8,   /* fewer are asked one by one */
    GROUP_LITERAL_MIN = 3,  /* bytes; shorter literals hint at too much */
    GROUP_LITERAL_MAX = 32, /* bytes given to Vectorscan */
};

/* Does this processor run Vectorscan? Without it every leaf is asked by itself. */
bool group_usable(void);

/* May the leaf be asked by a group? */
bool group_takes(const struct leaf *leaf);

/* Make the group of a target from all leaves marked `grouped` there. 0, ERR_NOMEM or ERR_RANGE. */
int group_new(struct group **out, struct pred *p, uint32_t target);
void group_free(struct group *g);

/* The working memory for all groups of p; *out is NULL when there are none. */
int group_scratch_new(struct group_scratch **out, const struct pred *p);
void group_scratch_free(struct group_scratch *gs);

/* Find all rows of all leaves of the target's group. */
int group_scan(struct pred_scratch *s, uint32_t target);
/*
 * The same without rows: a leaf that holds on any text of the target's columns of text has the
 * row 0. Other columns, and URLs that are composed of parts, are not asked.
 */
int group_scan_texts(struct pred_scratch *s, uint32_t target);
