/*
 * InterSafe WebFilter's access log: columns with blanks or tabs between.
 *
 *   2026/11/21 10:00:00 http 192.0.2.7 staff taro - Proxied - 200 www.example.jp 0 512 0 text/html - - main\sub
 *
 * date, time, protocol, client, group, account, -, state, -, status, host, milliseconds (always 0),
 * bytes sent, bytes received (always 0: no count), MIME type, -, reason, category. The category may
 * have blanks.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_STATE = 7,
    COLUMN_HOST = 10,
    COLUMN_COUNT = 18,
    DATE_BYTES = 10,
    CLOCK_BYTES = 8,
};

static const uint16_t FIELDS[COLUMN_COUNT] = {
    FIELD_TIME_DATE,    FIELD_TIME_CLOCK,    FIELD_NETWORK_PROTOCOL, FIELD_SOURCE_IP,
    FIELD_USER_GROUP,   FIELD_USER_NAME,     FIELD_COLUMN(6),        FIELD_EVENT_ACTION,
    FIELD_COLUMN(8),    FIELD_HTTP_STATUS,   FIELD_URL_DOMAIN,       FIELD_COLUMN(11),
    FIELD_SOURCE_BYTES, FIELD_COLUMN(13),    FIELD_HTTP_MIME,        FIELD_COLUMN(15),
    FIELD_EVENT_REASON, FIELD_RULE_CATEGORY,
};

static bool is_state(const struct word *word)
{
    static const struct slice STATES[] = {
        {"Proxied", 7}, {"Blocked", 7}, {"Allowed", 7}, {"BlkPost", 7}, {"Release", 7}};
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (slice_equal(word_text(word), STATES[i]))
            return true;
    }
    return false;
}

/* The next column: up to the separator, which is a tab where the line has one behind its date. */
static bool next(struct words *w, char separator, struct word *out)
{
    if (w->at >= w->end)
        return false;
    *out = (struct word){.from = w->at, .to = scan_byte(w->at, w->end, separator)};
    w->at = out->to < w->end ? out->to + 1 : w->end;
    return true;
}

static char find_separator(const struct words *w)
{
    return w->end - w->at > DATE_BYTES && w->at[DATE_BYTES] == '\t' ? '\t' : ' ';
}

/* Date, time, an address and a state where they belong. */
static bool is_ours(struct words w)
{
    const char separator = find_separator(&w);
    struct word word = {0};
    for (int column = 0; column <= COLUMN_STATE; column++) {
        if (!next(&w, separator, &word))
            return false;
        struct slice text = word_text(&word);
        if (column == 0 && (text.len != DATE_BYTES || text.data[4] != '/' || text.data[7] != '/'))
            return false;
        if (column == 1 && (text.len < CLOCK_BYTES || text.data[2] != ':'))
            return false;
        if (column == 3 && !url_host_is_address(text))
            return false;
    }
    return is_state(&word);
}

static bool add_column(struct words *w, const struct word *word, int column)
{
    uint16_t field = FIELDS[column];
    if (field == FIELD_USER_NAME)
        return words_mean(w, word, field, MEANING_ACCOUNT);
    return words_mean(w, word, field, column == COLUMN_HOST ? MEANING_PEER : MEANING_MAYBE);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    struct word word;
    (void)state;
    if (!is_ours(w))
        return PARSE_MISMATCH;
    const char separator = find_separator(&w);
    int column = 0;
    for (; column < COLUMN_COUNT - 1 && next(&w, separator, &word); column++) {
        if (word.to > word.from && !add_column(&w, &word, column))
            return PARSE_PARTIAL;
    }
    if (!words_rest(&w, FIELDS[COLUMN_COUNT - 1]))
        return PARSE_PARTIAL;
    return column == COLUMN_COUNT - 1 ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return is_ours(words_of(NULL, head, 0));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("proxied", ALLOW), VERDICT_WORD("allowed", ALLOW),
        VERDICT_WORD("release", ALLOW), VERDICT_WORD("blocked", BLOCK),
        VERDICT_WORD("blkpost", BLOCK)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_intersafe = {
    .name = "intersafe",
    .format = FORMAT_INTERSAFE,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
