/*
 * event/query_lex.h - private to query*.c and pipe*.c: the words of the query language.
 *
 * What a character means depends on where it stands (a slash begins a regex only as a value), so
 * the parser asks for the kind of word that it expects.
 *
 * Threads:   pure functions on the caller's struct.
 * Failures:  ERR_CONF after one diagnosis; ERR_NOMEM.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"

struct query_lex {
    struct slice text;
    size_t at;
    struct arena *arena; /* where decoded words live */
    struct diag *diag;
};

/* A value or a name. */
struct query_word {
    size_t at; /* where it begins */
    bool quoted;
    bool has_star; /* unescaped wildcards */
    bool has_question;
    struct slice plain; /* escapes taken away */
    struct slice glob;  /* backslash stays before literal * ? and backslash */
};

/* Diagnose at a place in the text. Returns ERR_CONF. */
int lex_error(const struct query_lex *lex, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Move to the next byte that is no blank; false at the end. */
bool lex_blanks(struct query_lex *lex);

/* The byte at `ahead` from here, or NUL at the end. */
char lex_peek(const struct query_lex *lex, size_t ahead);

/* True, and moved behind it, where `keyword` (lower case) stands here as a word, in any case. */
bool lex_keyword(struct query_lex *lex, const char *keyword);

/* Bytes of the bare field name here; 0 where none is followed by : < or >. */
size_t lex_name_len(const struct query_lex *lex);

/* A quoted or bare word; `stop` lists bytes that end a bare one besides blanks ( ) | and quotes. */
int lex_word(struct query_lex *lex, const char *stop, struct query_word *out);

/* The text between slashes; the first slash stands here. */
int lex_regex(struct query_lex *lex, struct slice *out);

/* Bytes that print as they are in a bare name, or in a bare value. */
bool lex_is_name_byte(char c);
bool lex_is_value_byte(char c);
