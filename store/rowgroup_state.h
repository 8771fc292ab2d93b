/*
 * store/rowgroup_state.h - private to store/: the columns of a group, and how they are to be stored.
 *
 * Ownership, threads, failures: as store/rowgroup.h.
 */
#pragma once

#include "store/rowgroup.h"
#include "store/words.h"

/* What is no column of the lines; numbers on disk, append-only. */
enum rowgroup_column_id {
    ROWGROUP_SHAPE = 0xff00,
    ROWGROUP_REASON,
    ROWGROUP_TIME_SOURCE,
    ROWGROUP_VERDICT,
    ROWGROUP_TIME,
    ROWGROUP_ARRIVAL,
    ROWGROUP_SUB,
    ROWGROUP_LEAF,
    ROWGROUP_LINE, /* rows of shape 0 */
};

/* How the values of a column are stored; numbers on disk, append-only. */
enum rowgroup_form {
    FORM_CODES = 0,     /* numbers of dictionary entries */
    FORM_NUMBERS = 1,   /* integers */
    FORM_TEXTS = 2,     /* lengths and bytes */
    FORM_MAPPED = 3,    /* the entry that the entry of another column stands for, and exceptions */
    FORM_BESIDE = 4,    /* integers: distance from another column's */
    FORM_EPOCH = 5,     /* the row's time: another column's, and exceptions */
    FORM_TIME_TEXT = 6, /* texts that tell the row's time: distances */
};

enum rowgroup_state_limits {
    ROWGROUP_INTERNAL = 9,                                        /* enum rowgroup_column_id */
    ROWGROUP_COLUMNS_MAX = BATCH_COLUMNS_MAX + ROWGROUP_INTERNAL, /* with those */
    ROWGROUP_CODES_MAX = ROWGROUP_ROWS_MAX / 2,                   /* entries of a dictionary */
};

#define ROWGROUP_COLUMN_NONE UINT32_MAX

/* A value of a typed column, or a text of FORM_TIME_TEXT, that is stored as written. */
struct rowgroup_exception {
    uint32_t row;
    struct span text; /* in group.exception_text */
};

/* A column being filled. Texts and addresses are words, integers are numbers. */
struct rowgroup_column {
    struct column like; /* field, ordinal, kind, type, derived, epoch_form; no storage */
    uint16_t id;        /* 0, or enum rowgroup_column_id */
    bool worded;
    bool any_v6;                            /* addresses: one is no IPv4 */
    uint64_t shapes[BATCH_SHAPES_MAX / 64]; /* those that bind it */
    int64_t *tied; /* by shape: word or number of all its rows, TIE_NONE; else NULL */
    uint32_t tied_cap;
    uint64_t told[BATCH_SHAPES_MAX / 64]; /* tied: shapes that have had rows */
    uint32_t *codes;                      /* worded, not tied: row -> word or WORD_NONE */
    int64_t *numbers;                     /* not worded, nor tied: row -> number or VALUE_NONE */
    uint32_t row_cap;
    struct words words;
    bool distinct;       /* texts: most differ, and none is looked for any more */
    bool guessed;        /* whether they are times, by the first */
    uint32_t value_rows; /* worded, not tied: that have had a value */
    struct rowgroup_exception *exceptions;
    uint32_t exception_count;
    uint32_t exception_cap;
};

struct rowgroup_extra {
    uint32_t row;
    bool null_value;
    bool has_key;
    struct span key, headers; /* in group.exception_text */
};

struct rowgroup {
    uint32_t tenant;
    uint16_t format;
    uint16_t zone_minutes;
    uint32_t generation;
    struct buf topic, source, format_name;
    uint32_t row_count;
    uint32_t row_cap;
    int32_t *partitions;
    int64_t *offsets;
    uint32_t *raw_bytes;
    uint32_t *order; /* row of each place, once sorted */
    uint32_t shape_rows[BATCH_SHAPES_MAX];
    struct words shapes; /* descriptions: number + 1 is the shape */
    struct words names;  /* of unnamed fields */
    struct words kinds;  /* of columns: the number is the column's, behind the internal ones */
    struct rowgroup_column *columns; /* [0, ROWGROUP_INTERNAL) are those of no line */
    uint32_t column_count;
    uint32_t column_cap;
    struct rowgroup_extra *extras;
    uint32_t extra_count;
    uint32_t extra_cap;
    struct buf exception_text;
    struct buf scratch;
};

/* Which internal column. */
static inline struct rowgroup_column *rowgroup_internal(struct rowgroup *g, uint32_t id)
{
    return &g->columns[id - ROWGROUP_SHAPE];
}

/* Give a column room for so many rows; those that have passed hold nothing. 0 or ERR_NOMEM. */
int rowgroup_column_room(struct rowgroup_column *c, uint32_t rows);

/* The shapes of a batch: their numbers in the group, and how many of the rows that come have them. */
struct shape_rows {
    uint8_t numbers[BATCH_SHAPES_MAX];
    uint32_t rows[BATCH_SHAPES_MAX];
};

/*
 * Take what the batch's shapes say in a column that stays tied with it. ERR_NOTFOUND: it does not, and
 * its values are to be added row by row. ERR_NOMEM.
 */
int rowgroup_add_tied(struct rowgroup *g, struct rowgroup_column *to,
                      const struct rowgroup_rows *from, uint32_t column,
                      const struct shape_rows *shapes);
/* The same of a column that the batch does not have. */
int rowgroup_add_none(struct rowgroup *g, struct rowgroup_column *to, const struct batch *b,
                      const struct shape_rows *shapes);
/* Give each row that there is its own value. 0 or ERR_NOMEM. */
int rowgroup_untie(struct rowgroup *g, struct rowgroup_column *c);

/* What a column is, as in its description. */
void rowgroup_kind_put(struct buf *out, const struct column *like);
