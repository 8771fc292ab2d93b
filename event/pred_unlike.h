/*
 * event/pred_unlike.h - private: literals of the line in values that mean what their bytes do not show.
 *
 *   line      user="\x83J\x83\x81\x83\x89" url="/%E3%82%AB%E3%83%A1%E3%83%A9" file="ｶﾒﾗ.txt"
 *   literal   カメラ       in none of the bytes, in each of the values: CP932, percent escapes, half width
 *
 * A literal stands in a line where its bytes do, or in a form (event/pred_form.h) of a value that has
 * a form that is not ASCII. Most of those forms are their bytes, and found there; others are unlike
 * them: another encoding, folded, decoded. Lines without values, and pieces of the
 * skeleton that are not in UTF-8, are such values in the encoding that they look like.
 * Batches without any are told from others by one look at their text.
 *
 * Ownership, threads, failures: as event/pred_plan.h.
 */
#pragma once

#include "event/pred_plan.h"

/* Is some value of a column of text changed by folding, or in another encoding? */
bool column_unlike(struct pred_scratch *s, const struct column *c);

/* Add the rows of `mask` with such a value that holds the leaf's literal. 0 or an error. */
int unlike_rows(struct pred_scratch *s, const struct leaf *leaf, const struct rows *mask,
                struct rows *out);
/* Could any? Looks at texts, dictionaries and skeletons alone. */
bool unlike_possible(struct pred_scratch *s, const struct leaf *leaf);
/* Add the columns whose rows unlike_rows() needs. */
void unlike_columns(struct pred_scratch *s, struct column_mask *out);

/* Add the forms of such values of a row. 0 or ERR_NOMEM. */
int unlike_forms(struct pred_scratch *s, uint32_t row, uint32_t owner, struct forms *out);
