/*
 * event/pipe_word.h - private to pipe*.c: the words between pipes, and the columns they name.
 *
 * Ownership, failures: as event/pipe.h.
 * Threads:   one owner.
 */
#pragma once

#include "event/pipe.h"
#include "event/query_lex.h"

/* What a pipe may name while it is read. */
struct pipe_scope {
    struct query_lex lex;
    struct pipeline *pipeline;
    bool on_table;                /* `columns` are a table's; else fields of events */
    bool restricted;              /* events of which `fields` left only [0, column_count) */
    const struct slice *columns;  /* names */
    const struct pipe_key *shown; /* restricted: their places in pipeline->fields */
    uint32_t column_count;
    uint32_t measure; /* column of a table that top and rare go by; PIPE_COLUMN_NONE */
};

/* F(a), as it stands in the text. */
struct pipe_call {
    size_t at;
    uint8_t function;
    bool has_argument;
    size_t argument_at;
    struct slice argument;
    uint32_t quantile;
};

/* True at the end of a pipe. Moves over blanks. */
bool pipe_at_end(struct pipe_scope *s);
/* True, and moved behind it, where the byte stands here. Moves over blanks. */
bool pipe_take(struct pipe_scope *s, char byte);

/* A name or a value here; `what` is missing if none is. */
int pipe_name(struct pipe_scope *s, const char *what, struct query_word *out);

/* The number here; *out is untouched where none stands. */
int pipe_rows(struct pipe_scope *s, int64_t *out);

/* The column that a name stands for. */
int pipe_column(struct pipe_scope *s, size_t at, struct slice name, uint32_t *out);
/* The same for the column whose name stands here, which may be F(a) on a table. */
int pipe_column_here(struct pipe_scope *s, uint32_t *out);
/* The name of a column. */
struct slice pipe_column_name(const struct pipe_scope *s, uint32_t column);

/* A field of events: its place among those that the pipeline asks for. */
int pipe_field_add(struct pipe_scope *s, size_t at, const struct pipe_field *field, uint32_t *out);

/* F or F(a) here. */
int pipe_call(struct pipe_scope *s, struct pipe_call *out);
/* Its name with this argument, in the arena. */
int pipe_call_name(struct pipe_scope *s, const struct pipe_call *call, struct slice argument,
                   struct slice *out);
