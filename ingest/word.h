/*
 * ingest/word.h - private to ingest/: what parsers ask of short texts, for probes and verdicts.
 *
 * Layer:     ingest.
 * Ownership: slices borrow.
 * Threads:   pure functions.
 * Failures:  none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum word_limits {
    PROBE_MAX_BYTES = 512, /* of a message that a probe may look at */
};

/* An action word and what it means. */
struct verdict_word {
    struct slice word; /* lower case */
    uint8_t verdict;   /* enum verdict */
};

#define VERDICT_WORD(text, name)                                           \
    {                                                                      \
        {.data = (text), .len = sizeof(text) - 1}, (uint8_t)VERDICT_##name \
    }

/* The verdict of the word that `action` is, in any case; VERDICT_UNKNOWN where it is none. */
uint8_t word_verdict(const struct verdict_word *words, size_t count, struct slice action);

/* The same for the first word of the table that `action` holds anywhere. */
uint8_t word_verdict_in(const struct verdict_word *words, size_t count, struct slice action);

/* Whether `text` begins with, or holds, the lower case word, in any case. */
bool word_begins(struct slice text, struct slice word);
bool word_holds(struct slice text, struct slice word);

/*
 * A login by what the device says of it: of action and outcome, one speaks of a login, a logon or
 * an authentication and one of failure or success. VERDICT_UNKNOWN where they do not.
 */
uint8_t word_login_verdict(struct slice action, struct slice outcome);

/* What a probe may look at, and whether that holds `text`, as written. */
struct slice word_head(struct slice message);
bool word_find(struct slice head, struct slice text);

/* Whether a key of pairs begins in `head`: `text` behind a blank or at the start. */
bool word_find_key(struct slice head, struct slice text);

/* The bracket outside of quotes that closes the structured data (RFC 5424) in [p, end), or end. */
const char *word_data_end(const char *p, const char *end);

static inline bool word_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool word_is_letter(char c)
{
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'z';
}
