#include "ingest/word.h"

#include <string.h>

#include "event/verdict.h"
#include "ingest/scan.h"

static char lower_of(char c)
{
    const bool capital = c >= 'A' && c <= 'Z';
    return (char)(c | (capital ? 0x20 : 0));
}

bool word_begins(struct slice text, struct slice word)
{
    if (text.len < word.len)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (lower_of(text.data[i]) != word.data[i])
            return false;
    }
    return true;
}

bool word_holds(struct slice text, struct slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (word_begins(slice_from_offset(text, i), word))
            return true;
    }
    return false;
}

uint8_t word_verdict(const struct verdict_word *words, size_t count, struct slice action)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].word.len == action.len && word_begins(action, words[i].word))
            return words[i].verdict;
    }
    return VERDICT_UNKNOWN;
}

uint8_t word_verdict_in(const struct verdict_word *words, size_t count, struct slice action)
{
    for (size_t i = 0; i < count; i++) {
        if (word_holds(action, words[i].word))
            return words[i].verdict;
    }
    return VERDICT_UNKNOWN;
}

static bool is_login(struct slice text)
{
    return (word_holds(text, SLICE("login")) || word_holds(text, SLICE("logon")) ||
            word_holds(text, SLICE("logged in")) || word_holds(text, SLICE("auth"))) &&
           !word_holds(text, SLICE("logout")) && !word_holds(text, SLICE("logoff"));
}

static bool is_failure(struct slice text)
{
    return word_holds(text, SLICE("fail")) || word_holds(text, SLICE("denied")) ||
           word_holds(text, SLICE("reject")) || word_holds(text, SLICE("unsuccess"));
}

static bool is_success(struct slice text)
{
    return word_holds(text, SLICE("success")) || word_holds(text, SLICE("accept")) ||
           word_holds(text, SLICE("succeed")) || word_holds(text, SLICE("passed")) ||
           word_holds(text, SLICE("logged in"));
}

uint8_t word_login_verdict(struct slice action, struct slice outcome)
{
    if (!is_login(action) && !is_login(outcome))
        return VERDICT_UNKNOWN;
    if (is_failure(action) || is_failure(outcome))
        return VERDICT_DENY;
    return is_success(action) || is_success(outcome) ? VERDICT_ALLOW : VERDICT_UNKNOWN;
}

struct slice word_head(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    return message;
}

bool word_find(struct slice head, struct slice text)
{
    const char *end = head.data + head.len;
    return scan_text(head.data, end, text) < end;
}

bool word_find_key(struct slice head, struct slice text)
{
    const char *at = head.data;
    const char *end = head.data + head.len;
    while (end - at >= (ptrdiff_t)text.len) {
        const char *hit = scan_text(at, end, text);
        if (hit == end)
            return false;
        if (hit == head.data || hit[-1] == ' ')
            return true;
        at = hit + 1;
    }
    return false;
}

const char *word_data_end(const char *p, const char *end)
{
    bool quoted = false;
    for (; p < end; p++) {
        if (*p == '\\')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == ']' && !quoted)
            return p;
    }
    return end;
}
