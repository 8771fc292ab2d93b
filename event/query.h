/*
 * event/query.h - the query language: text to a condition.
 *
 *   source.ip:10.1.0.0/16 and url.domain:*.example.jp and not event.action:(deny or drop) "upload x"
 *
 *   or < and < not; adjacency is and; parentheses. field:value with * and ?, field:(a or b),
 *   field>=n (< <= > >=), field:[a to b], field:network, field:* (exists), field:/regex/,
 *   a bare word or a quoted text = substring of the raw line. Double quotes for fields and values
 *   with blanks; \ escapes * ? \ ". Equality folds ASCII case. Keywords in any case.
 *
 *   Before other characters a backslash is one. Stars and question marks in quotes are wildcards,
 *   too; in a raw text they are themselves (a bare word with * is refused, as it looks like one
 *   more). A value that begins with a slash is quoted, or it is a regex. A lone word is a field's
 *   name where : < > follows and it does not begin with a digit. @timestamp and event.ingested
 *   take RFC 3339. A | outside quotes and regexes ends the condition: event/pipe.h says what may follow.
 *   [a to b] asks for one value from a to b, both included, where field>=a and
 *   field<=b may be met by two values; * leaves an end open.
 *
 * Ownership: the tree lives in the caller's arena.
 * Failures:  ERR_CONF with one diagnosis "query:1:column: what, and what would be right".
 */
#pragma once

#include "event/ast.h"

/* The empty text gives AST_TRUE. */
int query_parse(struct ast **out, struct arena *arena, struct slice text, struct diag *diag);

/* The same up to the first | outside quotes and regexes; *end is its place, or the text's length. */
int query_parse_head(struct ast **out, struct arena *arena, struct slice text, size_t *end,
                     struct diag *diag);

/*
 * Append the text of a tree: query_parse() of it gives an equal tree where query_parse() made the
 * tree, and one with the same meaning elsewhere. ERR_RANGE where the language has no words for it
 * (cased leaves, more than AST_DEPTH_MAX levels), ERR_NOMEM.
 */
int query_print(const struct ast *ast, struct buf *out);
