/*
 * ingest/words.h - private to ingest/: a line read word by word.
 *
 *   192.0.2.7 - taro [21/Nov/2026:18:00:00 +0900] "GET /a HTTP/1.1" 200
 *   ^-------- ^ ^--- ^-------- in brackets -----^ ^---- quoted ---^ ^--     words; blanks between
 *
 * Layer:     ingest; knows slots, no format.
 * Ownership: words are places in the line.
 * Threads:   one owner.
 * Failures:  false at the end of the line, at a quote or bracket that is never closed, and when the
 *            slots are full.
 */
#pragma once

#include "ingest/meaning.h"
#include "ingest/scan.h"

struct words {
    struct slots *out;
    struct slice line;
    const char *at; /* next byte to read */
    const char *end;
};

/* A word without what encloses it. */
struct word {
    const char *from;
    const char *to;
    bool quoted;    /* a backslash escapes */
    bool bracketed; /* [..] or {..} */
};

static inline struct words words_of(struct slots *out, struct slice line, uint32_t from)
{
    return (struct words){
        .out = out, .line = line, .at = line.data + from, .end = line.data + line.len};
}

static inline void words_skip_blanks(struct words *w)
{
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\t'))
        w->at++;
}

static inline struct slice word_text(const struct word *word)
{
    return slice_of(word->from, (size_t)(word->to - word->from));
}

static inline bool word_is(const struct word *word, const char *text)
{
    return slice_equal(word_text(word), slice_from(text));
}

/* The quote that closes what begins at `from`, a backslash escapes; or end. */
static inline const char *words_close_quote(const char *from, const char *end)
{
    const char *q = scan_either(from, end, '"', '\\');
    while (q < end && *q == '\\')
        q = end - q > 2 ? scan_either(q + 2, end, '"', '\\') : end;
    return q;
}

/* The next word: quoted, in [] or {}, or up to a blank. */
static inline bool words_next(struct words *w, struct word *out)
{
    words_skip_blanks(w);
    if (w->at >= w->end)
        return false;
    char first = *w->at;
    bool quoted = first == '"';
    bool bracketed = first == '[' || first == '{';
    const char *from = w->at + (quoted || bracketed);
    const char *to = quoted      ? words_close_quote(from, w->end)
                     : bracketed ? scan_byte(from, w->end, first == '[' ? ']' : '}')
                                 : scan_byte(from, w->end, ' ');
    if ((quoted || bracketed) && to == w->end)
        return false;
    *out = (struct word){.from = from, .to = to, .quoted = quoted, .bracketed = bracketed};
    w->at = to + (quoted || bracketed);
    return true;
}

static inline struct slot words_slot(const struct words *w, const struct word *word)
{
    return (struct slot){.offset = (uint32_t)(word->from - w->line.data),
                         .length = (uint32_t)(word->to - word->from),
                         .kind = word->quoted ? SLOT_C_ESCAPED : SLOT_PLAIN};
}

/* The word under a field as it stands. */
static inline bool words_add(struct words *w, const struct word *word, uint16_t field)
{
    struct slot slot = words_slot(w, word);
    return slots_add(w->out, slot.offset, slot.length, field, slot.kind);
}

/* What the word means; nothing for "-". */
static inline bool words_mean(struct words *w, const struct word *word, uint16_t field,
                              uint8_t form)
{
    struct meaning meaning = {.field = field, .form = form};
    struct slot slot = words_slot(w, word);
    if (slot.length == 1 && *word->from == '-')
        return true;
    /* The slot in registers: meaning_slots() would wait for its stores. */
    if (form == MEANING_TEXT || form == MEANING_MAYBE)
        return (form == MEANING_MAYBE && meaning_is_none(word_text(word))) ||
               slots_add(w->out, slot.offset, slot.length, field, slot.kind);
    return meaning_slots(w->out, w->line, &meaning, &slot);
}

/* What is left of the line, without blanks at its ends, under a field; nothing for nothing. */
static inline bool words_rest(struct words *w, uint16_t field)
{
    words_skip_blanks(w);
    struct word rest = {.from = w->at, .to = w->end};
    while (rest.to > rest.from &&
           (rest.to[-1] == ' ' || rest.to[-1] == '\n' || rest.to[-1] == '\r'))
        rest.to--;
    w->at = w->end;
    return rest.from == rest.to || words_add(w, &rest, field);
}
