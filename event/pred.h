/*
 * event/pred.h - the one predicate engine: rules, search, back-test and retro-hunt.
 *
 * String leaves are grouped by field. A column of codes is asked once per distinct value, a column
 * of text as one block; both give, per row, the set of leaves that hold. Each expression hangs on
 * a witness: a leaf without which it cannot be true; only rows where the witness holds are asked
 * the rest. Expressions without a witness are "full scan".
 *
 * Meaning: a leaf on a field is true when any value of the field in the row satisfies it; NOT is
 * plain negation, so `not field:x` is true where the field is absent. Strings compare the decoded
 * value; AST_EQUAL and AST_GLOB on an INT, EPOCH or IP field compare by value where the pattern is
 * one, by text otherwise. Fields of the batch (tenant, source, format) and of the row (@timestamp,
 * verdict, parse error, kafka.*) answer like columns. url.original is composed of its parts.
 *
 * A value is compared decoded; a url.* value also percent-decoded: either form may hold. A typed
 * value is compared as text as it prints and, where it was written otherwise (007), as written;
 * what is no value of its type is absent. < and > on text read the text as a number. The ? of a
 * glob is one UTF-8 character, or one byte that is none; patterns are taken to be whole characters.
 * The empty text is a value.
 *
 * Threads:   struct pred is immutable and shared; struct pred_scratch has one owner.
 * Failures:  compile: ERR_CONF with diagnosis, ERR_NOMEM. eval: ERR_NOMEM, ERR_RANGE when a regex
 *            hits its match limit (never "no match").
 */
#pragma once

#include "event/ast.h"
#include "event/columns.h"
#include "event/grams.h"

struct pred;
struct pred_scratch;

/* A range of at most BATCH_LIVE_ROWS_MAX rows of a batch; live or read back. */
struct column_set {
    const struct batch *batch;
    uint32_t first_row;
    uint32_t end_row;
    bool rows_known; /* false: only texts and dictionaries are there; for pred_possible() alone */
};

/* One (expression, row) that holds. */
struct hit {
    uint32_t expression; /* index in the array given to pred_compile() */
    uint32_t row;
};

struct hits {
    struct hit *items; /* ordered by (expression, row) */
    size_t count;
    size_t cap;
};

/* What an expression costs, for people and tests. */
struct pred_info {
    uint32_t leaf_count;
    uint32_t full_scan_count; /* expressions without a witness */
};

int pred_compile(struct pred **out, const struct ast *const *expressions, size_t count,
                 struct diag *diag);
void pred_free(struct pred *p);
struct pred_info pred_info(const struct pred *p);

int pred_scratch_new(struct pred_scratch **out, const struct pred *p);
void pred_scratch_free(struct pred_scratch *s);

/*
 * From now on pred_eval() goes on where a regex hits its match limit: that text does not hold it.
 * Who asks so must say that texts were given up; pred_scratch_given_up() counts them.
 */
void pred_scratch_forgive(struct pred_scratch *s);
uint64_t pred_scratch_given_up(const struct pred_scratch *s);

/* Append all hits of the row range to *out (cleared first). */
int pred_eval(const struct pred *p, struct pred_scratch *s, const struct column_set *set,
              struct hits *out);
void hits_release(struct hits *h);

/*
 * Could any row of the batch hit? False only when certainly none does. It looks at dictionaries,
 * texts and skeletons alone; the range of rows and rows_known are ignored. A COLUMN_TEXT without rows
 * (row_cap 0) has its values in its entries (store/codec.h); without entries they are not known.
 */
bool pred_possible(const struct pred *p, struct pred_scratch *s, const struct column_set *set);

/*
 * The columns whose rows pred_eval() will look at; the batch may be one without rows as yet. A
 * scratch knows a batch by its address: where another was there before, ask pred_possible() first.
 */
void pred_columns(const struct pred *p, struct pred_scratch *s, const struct batch *b,
                  struct column_mask *out);

/*
 * The columns whose dictionaries and texts pred_possible() will look at, of a batch that may have
 * none of them yet.
 */
void pred_text_columns(const struct pred *p, struct pred_scratch *s, const struct batch *b,
                       struct column_mask *out);

/* Which parts of a batch beside its columns pred_eval() looks at: enum batch_part. */
uint32_t pred_parts(const struct pred *p);

/*
 * Values that any matching row must have in the stored filter (addresses, names): calls `each`
 * with the field and the value of every such necessary equality of expression 0; stops and
 * returns false when `each` says that one is missing. An address is the 16 bytes of struct ip, a
 * name its decoded text with ASCII case folded.
 */
bool pred_required(const struct pred *p,
                   bool (*each)(void *self, uint16_t field, struct slice value), void *self);

/*
 * Literals that any matching row must have in its URL, in a part of it or in its line: calls `each`
 * with each such literal of expression 0; stops and returns false when `each` says that one cannot
 * stand there.
 */
bool pred_literals(const struct pred *p,
                   bool (*each)(void *self, enum grams_place place, struct slice literal),
                   void *self);

/*
 * The same values of a batch, for who makes the filter: calls `each` with every value of the
 * FILTER-indexed fields that pred_required() could ask for, repeated ones included; stops at its
 * first error and returns that. ERR_NOMEM.
 */
int pred_filter_values(const struct batch *b,
                       int (*each)(void *self, uint16_t field, struct slice value), void *self);
