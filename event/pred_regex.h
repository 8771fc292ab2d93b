/*
 * event/pred_regex.h - regular expressions of PCRE2 over bytes: the only file that knows PCRE2.
 *
 * Hyperscan answers wherever it knows the whole expression, in time linear in the text; of others
 * (look-around, references back) it knows a wider one, and PCRE2 is asked, with limits, only where
 * that holds. So what costs a backtracking matcher seconds costs nothing here, unless it needs what
 * only such a matcher has.
 *
 * ASCII case is folded unless cased; no Unicode mode, as log bytes need not be UTF-8. A pattern
 * matches anywhere in the text. Inline options such as (?i) and (?s) work as in PCRE2.
 *
 * Ownership: a regex is immutable and shared; a regex_scratch has one owner.
 * Failures:  ERR_CONF for a pattern that is wrong; ERR_RANGE where matching hits a limit: the
 *            answer is then unknown, never "no".
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct regex;
struct regex_scratch;

enum regex_limits {
    REGEX_PATTERN_BYTES_MAX = 8192,
    REGEX_MATCH_STEPS_MAX = 1000000, /* PCRE2's match limit for one text */
    REGEX_HEAP_KIB_MAX = 16384,
    REGEX_MESSAGE_BYTES = 160,
};

/* On ERR_CONF `message` says what is wrong and at which offset. */
int regex_compile(struct regex **out, struct slice pattern, bool cased,
                  char message[REGEX_MESSAGE_BYTES]);
void regex_free(struct regex *re);
/* The same errors, without what makes matching quick. */
int regex_check(struct slice pattern, char message[REGEX_MESSAGE_BYTES]);

int regex_scratch_new(struct regex_scratch **out);
/* Make room for a regex, before the first regex_match() of it. ERR_NOMEM. */
int regex_scratch_fit(struct regex_scratch *s, const struct regex *re);
void regex_scratch_free(struct regex_scratch *s);

/* From now on a text on which a regex gives up does not hold it, and is counted. */
void regex_scratch_forgive(struct regex_scratch *s);
uint64_t regex_scratch_given_up(const struct regex_scratch *s);

/* 1 = stands in the text, 0 = does not, or ERR_RANGE, ERR_NOMEM. */
int regex_match(const struct regex *re, struct regex_scratch *s, struct slice text);
