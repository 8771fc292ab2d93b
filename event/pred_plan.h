/*
 * event/pred_plan.h - private to pred_*.c: a compiled predicate and the working memory of one batch.
 *
 *   expression -> node -> node ... -> leaf -> target (what the leaf asks: a field, the raw line)
 *        ^                             |         |
 *        +------- watches -------------+         +-- group: all its string leaves, one scan
 *
 * A set of rows is a bit set relative to column_set.first_row. A leaf's rows are found for the whole
 * range and kept, or for few rows only and not kept. Expressions are woken by the rows of a
 * witness leaf.
 */
#pragma once

#include "base/fold.h"
#include "event/batch.h"
#include "event/pred.h"
#include "event/pred_leaf.h"
#include "event/pred_row.h"

enum {
    ROWS_WORDS = BATCH_LIVE_ROWS_MAX / 64,
    PLAN_DEPTH_MAX = AST_DEPTH_MAX + 1, /* nodes on the longest path */
};

#define PLAN_NONE UINT32_MAX

struct rows {
    uint64_t words[ROWS_WORDS];
};

enum target_kind {
    TARGET_FIELD, /* columns of a field of the dictionary */
    TARGET_LOCAL, /* columns of an unnamed field, by name */
    TARGET_URL,   /* url.original: its columns and what is composed of parts */
    TARGET_ROW,   /* of the batch or the row: enum row_field */
    TARGET_RAW,   /* the line */
    TARGET_ANY,   /* every value of the line */
};

struct group;

struct target {
    uint8_t kind;
    uint8_t row_field;
    uint16_t field;
    bool is_url;  /* values are tried percent-decoded, too */
    bool watched; /* its group has leaves that expressions hang on */
    struct slice name;
    struct group *group; /* or NULL: its leaves are asked one by one */
};

struct plan_leaf {
    struct leaf leaf;
    uint32_t target;
    uint32_t other; /* LEAF_OP_REF_*: the target compared with, or PLAN_NONE */
    bool grouped;
    uint32_t watch_first; /* in pred->watchers: expressions that hang on it */
    uint32_t watch_count;
};

struct node {
    uint8_t kind; /* enum ast_kind */
    uint32_t leaf;
    uint32_t first; /* child */
    uint32_t next;  /* sibling */
    uint32_t parent;
    uint32_t work;   /* to ask it of one row; children are asked in this order */
    uint32_t rarity; /* as a witness, less is better; PLAN_NONE = cannot be one */
};

struct expression {
    uint32_t root;
    bool full_scan;
};

struct pred {
    struct arena arena;
    struct plan_leaf *leaves;
    uint32_t leaf_count;
    struct target *targets;
    uint32_t target_count;
    uint32_t field_target[FIELD_LOCAL_FIRST]; /* index + 1 */
    struct node *nodes;                       /* parents before children */
    uint32_t node_count;
    struct expression *expressions;
    uint32_t expression_count;
    uint32_t *watchers;
    uint32_t *lone; /* leaves in no group that expressions hang on */
    uint32_t lone_count;
    uint32_t full_scan_count;
};

/* One text that a value is compared as. */
struct form {
    const char *data;
    uint32_t len : 31;
    uint32_t folded : 1; /* not for leaves that are cased */
    uint32_t owner;      /* entry of a column of codes, else row of the set */
};

enum form_limits {
    FORM_BYTES_MAX = INT32_MAX,
};

struct forms {
    struct form *items;
    uint32_t count;
    uint32_t cap;
};

enum {
    FORM_TEXTS_MAX = 4,
};

struct form_bufs {
    struct buf first;
    struct buf second;
    struct buf folded[2];
    struct fold_bufs fold;
};

struct frame {
    uint32_t node;
    uint32_t child;
    struct rows mask;
    struct rows result;
};

struct group_scratch;

struct pred_scratch {
    const struct pred *pred;
    struct regex_scratch *regex;
    struct group_scratch *group;
    struct arena arena; /* of one pred_eval() */
    struct buf text;
    struct buf text2;
    struct form_bufs forms;

    const struct batch *batch;
    uint32_t first_row;
    uint32_t row_count;
    struct rows all;
    uint32_t *target_column; /* first column of a target, index + 1 */
    uint32_t column_next[BATCH_COLUMNS_MAX];
    struct forms *column_forms[BATCH_COLUMNS_MAX]; /* of all rows, once asked for */
    struct forms *url_forms;
    struct forms *raw_forms;
    struct url_plan *url_plans; /* one a shape */
    uint8_t unlike;             /* enum unlike_known: event/pred_unlike.h */
    uint8_t ascii; /* all text of a batch read back: 0 not looked as yet, 1 no, 2 yes */
    uint8_t *target_scanned;
    uint8_t *leaf_known;
    struct rows **leaf_rows; /* NULL where known = no rows */
    uint32_t *held;          /* leaves of scanned groups that have rows */
    uint32_t held_count;
    struct rows **candidates; /* by expression: what its witnesses have; NULL = nothing */
    uint64_t entry_bits[(CODE_NONE + 1) / 64];
    struct frame frames[PLAN_DEPTH_MAX];
};

static inline void rows_set(struct rows *r, uint32_t row)
{
    r->words[row / 64] |= UINT64_C(1) << (row % 64);
}

static inline bool rows_has(const struct rows *r, uint32_t row)
{
    return (r->words[row / 64] >> (row % 64) & 1) != 0;
}

/* The next row at or after *at; false when there is none. Go on with *at + 1. */
static inline bool rows_next(const struct rows *r, uint32_t *at)
{
    uint32_t word = *at / 64;
    if (word >= ROWS_WORDS)
        return false;
    uint64_t bits = r->words[word] >> (*at % 64);
    if (bits != 0) {
        *at += (uint32_t)__builtin_ctzll(bits);
        return true;
    }
    while (++word < ROWS_WORDS) {
        if (r->words[word] != 0) {
            *at = word * 64 + (uint32_t)__builtin_ctzll(r->words[word]);
            return true;
        }
    }
    return false;
}

static inline uint32_t rows_count(const struct rows *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ROWS_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(r->words[i]);
    return count;
}

static inline bool rows_empty(const struct rows *r)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < ROWS_WORDS; i++)
        any |= r->words[i];
    return any == 0;
}

static inline void rows_or(struct rows *to, const struct rows *from)
{
    for (uint32_t i = 0; i < ROWS_WORDS; i++)
        to->words[i] |= from->words[i];
}

static inline void rows_and(struct rows *to, const struct rows *from)
{
    for (uint32_t i = 0; i < ROWS_WORDS; i++)
        to->words[i] &= from->words[i];
}

static inline void rows_minus(struct rows *to, const struct rows *from)
{
    for (uint32_t i = 0; i < ROWS_WORDS; i++)
        to->words[i] &= ~from->words[i];
}

/* Take the view: bind columns to targets, forget what was known. ERR_NOMEM, ERR_RANGE. */
int scratch_bind(struct pred_scratch *s, const struct column_set *set);

/* The rows of `mask` where a leaf holds, into *out. */
int scratch_leaf(struct pred_scratch *s, uint32_t leaf, const struct rows *mask, struct rows *out);
/* Are all rows of a leaf known already? *out as of scratch_leaf_all(). */
static inline bool scratch_leaf_known(const struct pred_scratch *s, uint32_t leaf,
                                      const struct rows **out)
{
    const struct plan_leaf *l = &s->pred->leaves[leaf];
    *out = s->leaf_rows[leaf];
    return l->grouped ? s->target_scanned[l->target] != 0 : s->leaf_known[leaf] != 0;
}
/* All rows of a leaf; *out is NULL when there are none. */
int scratch_leaf_all(struct pred_scratch *s, uint32_t leaf, const struct rows **out);

/* Add to *out the rows of `mask` where a column satisfies the leaf. */
int column_rows(struct pred_scratch *s, const struct plan_leaf *leaf, uint32_t column,
                const struct rows *mask, struct rows *out);
/*
 * The texts of a column of text as written, where they stand: entries of COLUMN_CODES; of COLUMN_TEXT
 * the rows' values, or where the rows are not read the entries. Some places are empty.
 */
static inline bool column_in_entries(const struct column *c)
{
    return c->storage == COLUMN_CODES || c->row_cap == 0;
}

static inline uint32_t column_text_count(const struct batch *b, const struct column *c)
{
    return column_in_entries(c) ? c->entry_count : b->row_count;
}

/* A store makes some texts with the rows alone: before that nothing is known of them. */
static inline bool column_text_unknown(const struct column *c)
{
    return c->storage == COLUMN_TEXT && c->row_cap == 0 && c->entries == NULL;
}

static inline bool column_text(const struct batch *b, const struct column *c, uint32_t i,
                               struct slice *out)
{
    struct span span = column_in_entries(c) ? c->entries[i] : c->spans[i];
    if (span.len == SPAN_NONE)
        return false;
    *out = batch_span(b, span);
    return true;
}

/* Add the rows of `mask` whose entry in a column of codes is marked in s->entry_bits. */
void entry_rows(const struct pred_scratch *s, const struct column *c, const struct rows *mask,
                struct rows *out);

/* All texts of a column in one piece, where they stand one behind the other. */
bool column_block(const struct batch *b, const struct column *c, struct slice *out);
/* Add the rows whose value in a column of text holds the needle, or hides it in percent escapes. */
void column_literal_rows(struct pred_scratch *s, const struct needle *n, uint32_t column,
                         struct rows *out);

/* Add the owners of the forms that satisfy the leaf. */
int forms_rows(struct pred_scratch *s, const struct leaf *leaf, const struct forms *forms,
               struct rows *out);

/* The same for fields of the batch or row, and for the line (event/pred_row.c, pred_raw.c). */
int row_field_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
                   struct rows *out);
int raw_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
             struct rows *out);
/* The rows of `mask` where the two fields of a LEAF_OP_REF_* are so (event/pred_ref.c). */
int ref_rows(struct pred_scratch *s, const struct plan_leaf *leaf, const struct rows *mask,
             struct rows *out);
/* Could the literal stand in any line? Looks at texts, dictionaries and skeletons alone. */
bool raw_possible(struct pred_scratch *s, const struct plan_leaf *leaf);
/* Add the columns whose rows raw_rows() needs; false when it needs all. */
bool raw_columns(struct pred_scratch *s, const struct plan_leaf *leaf, struct column_mask *out);
