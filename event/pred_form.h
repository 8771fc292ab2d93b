/*
 * event/pred_form.h - private: the texts that a value is compared as.
 *
 *   written      `https:\/\/example.jp\/%2e`   kind JSON_STRING, field url.*
 *   decoded      `https://example.jp/%2e`      every field
 *   percent      `https://example.jp/.`        url.* only, beside the first
 *   folded       `カメラ abc` of `ｶﾒﾗ ＡＢＣ`   each of these that folding changes, beside it
 *
 * Decoded is in UTF-8, whatever the line is in. Folded is base/fold.h; leaves that are cased are not
 * asked of it.
 *
 * A url.* value that is written as PERCENT or FORM is compared as written and decoded. A typed value
 * is compared as printed and, where it was not canonical, as written, too.
 *
 * Ownership: texts point into the batch or into the scratch's arena, with padding behind them.
 */
#pragma once

#include "event/pred_compose.h"
#include "event/pred_plan.h"

/* A way of reading values. */
struct form_way {
    uint8_t kind; /* enum slot_kind */
    bool is_url;
};

/* A text that a value is compared as. */
struct form_text {
    struct slice text;
    bool folded;
};

/*
 * The texts that a value written so is compared as; how many. They are `written` itself or in
 * `bufs`, whose failures the caller checks.
 */
unsigned form_texts(const struct form_way *way, struct slice written, struct form_bufs *bufs,
                    struct form_text out[FORM_TEXTS_MAX]);
/* Is any of them not ASCII? Then a line holds what they hold: event/pred_unlike.h. */
bool form_texts_foreign(const struct form_text *texts, unsigned count);
bool form_bufs_ok(const struct form_bufs *bufs);
void form_bufs_release(struct form_bufs *bufs);

/* leaf_text() of one text that a value is compared as. */
static inline int form_holds(const struct leaf *leaf, struct regex_scratch *regex,
                             const struct form_text *form)
{
    return form->folded && leaf->cased ? 0 : leaf_text(leaf, regex, form->text);
}

static inline struct form_text form_text_of(const struct form *form)
{
    return (struct form_text){.text = slice_of(form->data, form->len), .folded = form->folded};
}

/*
 * May folding change the text, which is of the batch? One look at all texts of a batch that was read
 * back answers for each; a live one holds the lines as well, where that would cost more than it saves.
 */
bool text_changes(struct pred_scratch *s, struct slice text);

/* Ask all forms of one value: 1, 0 or an error. */
int value_holds(struct pred_scratch *s, const struct leaf *leaf, const struct form_way *way,
                struct slice written);

/* Add the forms of one value. 0 or ERR_NOMEM. */
int forms_add(struct pred_scratch *s, struct forms *f, const struct form_way *way,
              struct slice written, uint32_t owner);

/* Add one text as it is, which is not folded. */
int forms_push(struct pred_scratch *s, struct forms *f, struct slice text, uint32_t owner);
/* Add a copy of a text that does not last. */
int forms_copy(struct pred_scratch *s, struct forms *f, struct slice text, uint32_t owner);

/*
 * The forms of a column for the rows of `mask`; owners are entries for COLUMN_CODES, rows otherwise.
 * Kept for the rest of the evaluation when mask is all rows. 0 or ERR_NOMEM.
 */
int forms_column(struct pred_scratch *s, uint32_t column, bool is_url, const struct rows *mask,
                 const struct forms **out);

/*
 * The forms of all texts of a column of text, with or without rows; owners are 0. For who asks only
 * whether any holds: kept until the next view is taken.
 */
int forms_texts(struct pred_scratch *s, uint32_t column, bool is_url, const struct forms **out);

/* The forms of url.original where it is composed; owners are rows. */
int forms_url(struct pred_scratch *s, const struct rows *mask, const struct forms **out);
/* The same of all rows, equal ones once; owners are classes. */
int forms_url_classes(struct pred_scratch *s, struct url_classes *classes,
                      const struct forms **out);
/* The lines; owners are rows. */
int forms_raw(struct pred_scratch *s, const struct rows *mask, const struct forms **out);

/* How the URLs of each shape are made, in s->url_plans. 0 or ERR_NOMEM. */
int url_plans(struct pred_scratch *s);

/* Append the printed text of a number. */
void form_print_number(struct buf *out, unsigned type, unsigned epoch_form, int64_t value);
