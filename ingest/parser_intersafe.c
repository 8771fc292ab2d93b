/*
 * InterSafe WebFilter's and GatewayConnection's access log: columns with tabs or blanks between.
 *
 *   2026/11/21 10:00:00 http 192.0.2.7 staff taro - Proxied - 200 www.example.jp 0 512 0 text/html - - main\sub
 *   ... main\sub main\sub - - http://www.example.jp/a HTTP/1.1 GET http://www.example.jp/
 *
 * date, time, protocol, client, group, account, browser, state, server, status, host, milliseconds,
 * bytes sent and received, MIME type, -, reason, category; then, where requests are logged as well,
 * two registered categories, the security category, URL, version, method and referrer. What a
 * version does not measure is 0: no count. Categories may have blanks.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_STATE = 7,
    COLUMN_SERVER = 8,
    COLUMN_STATUS = 9,
    COLUMN_HOST = 10,
    COLUMN_DURATION = 11,
    COLUMN_RECEIVED = 13,
    COLUMN_CATEGORY = 17,
    COLUMN_URL = 21,
    COLUMN_COUNT = 25,
    STATUS_BYTES = 3,
    DATE_BYTES = 10,
    CLOCK_BYTES = 8,
};

static const uint16_t FIELDS[COLUMN_COUNT] = {
    FIELD_TIME_DATE,     FIELD_TIME_CLOCK,    FIELD_NETWORK_PROTOCOL, FIELD_SOURCE_IP,
    FIELD_USER_GROUP,    FIELD_USER_NAME,     FIELD_USER_AGENT,       FIELD_EVENT_ACTION,
    FIELD_COLUMN(8),     FIELD_HTTP_STATUS,   FIELD_URL_DOMAIN,       FIELD_COLUMN(11),
    FIELD_SOURCE_BYTES,  FIELD_COLUMN(13),    FIELD_HTTP_MIME,        FIELD_COLUMN(15),
    FIELD_EVENT_REASON,  FIELD_RULE_CATEGORY, FIELD_COLUMN(18),       FIELD_COLUMN(19),
    FIELD_COLUMN(20),    FIELD_URL_ORIGINAL,  FIELD_HTTP_VERSION,     FIELD_HTTP_METHOD,
    FIELD_HTTP_REFERRER,
};

/* The columns of a line; those it does not have are empty. */
struct columns {
    struct word at[COLUMN_COUNT];
    int count;
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

/* Date, time, an address and, where they belong, a state that is known or at least a status. */
static bool is_ours(struct words w, bool known_state)
{
    const char separator = find_separator(&w);
    struct word word = {0};
    for (int column = 0; column <= COLUMN_STATUS; column++) {
        if (!next(&w, separator, &word))
            return false;
        struct slice text = word_text(&word);
        if (column == 0 && (text.len != DATE_BYTES || text.data[4] != '/' || text.data[7] != '/'))
            return false;
        if (column == 1 && (text.len < CLOCK_BYTES || text.data[2] != ':'))
            return false;
        if (column == 3 && !url_host_is_address(text))
            return false;
        if (column == COLUMN_STATE && is_state(&word))
            return true;
    }
    return !known_state && word.to - word.from == STATUS_BYTES && word_is_digit(*word.from);
}

static void trim(struct word *word)
{
    while (word->from < word->to && *word->from == ' ')
        word->from++;
    while (word->to > word->from &&
           (word->to[-1] == ' ' || word->to[-1] == '\r' || word->to[-1] == '\n'))
        word->to--;
}

/* Whether what stands at the end of a line are a URL, a version, a method and a referrer. */
static bool is_request(const struct word *url)
{
    struct slice text = word_text(url);
    struct slice version = word_text(url + 1);
    return scan_has(text, SLICE("://")) &&
           (slice_equal(version, SLICE("-")) || slice_starts(version, SLICE("HTTP/")));
}

/*
 * With blanks between columns only the end of the line tells where a category ends: seven columns
 * without blanks, the URL fourth, if the request is logged.
 */
static void split_tail(struct columns *c, struct word rest)
{
    struct word *at = c->at;
    const char *end = rest.to;
    int column = COLUMN_COUNT;
    while (column > COLUMN_CATEGORY + 1) {
        const char *blank = memrchr(rest.from, ' ', (size_t)(end - rest.from));
        if (blank == NULL)
            break;
        at[--column] = (struct word){.from = blank + 1, .to = end};
        end = blank;
    }
    c->count = COLUMN_CATEGORY + 1;
    if (column == COLUMN_CATEGORY + 1 && is_request(&at[COLUMN_URL])) {
        c->count = COLUMN_COUNT;
        rest.to = end;
    }
    at[COLUMN_CATEGORY] = rest;
}

static void read_columns(struct words *w, struct columns *c)
{
    const char separator = find_separator(w);
    const int last = separator == ' ' ? COLUMN_CATEGORY : COLUMN_COUNT - 1;
    struct word rest;
    *c = (struct columns){.count = 0};
    while (c->count < last && next(w, separator, &c->at[c->count]))
        c->count++;
    rest = (struct word){.from = w->at, .to = w->end};
    trim(&rest);
    if (c->count < last) {
        if (c->count > 0)
            trim(&c->at[c->count - 1]);
    } else if (separator == ' ') {
        split_tail(c, rest);
    } else {
        c->at[c->count++] = rest;
    }
}

static bool has_url(const struct columns *c)
{
    return c->count > COLUMN_URL && !word_is(&c->at[COLUMN_URL], "-");
}

static bool add_column(struct words *w, const struct columns *c, int column)
{
    const struct word *word = &c->at[column];
    bool measured = !word_is(word, "0");
    switch (column) {
    case COLUMN_SERVER:
        return url_host_is_address(word_text(word))
                   ? words_add(w, word, FIELD_DESTINATION_IP)
                   : words_mean(w, word, FIELD_COLUMN(COLUMN_SERVER), MEANING_MAYBE);
    case COLUMN_HOST:
        /* Where a URL follows, that says url.domain. */
        return words_mean(w, word, has_url(c) ? FIELD_DESTINATION_IP : FIELD_URL_DOMAIN,
                          MEANING_PEER);
    case COLUMN_DURATION:
        return words_mean(w, word, measured ? (uint16_t)FIELD_EVENT_DURATION : FIELDS[column],
                          MEANING_MAYBE);
    case COLUMN_RECEIVED:
        return words_mean(w, word, measured ? (uint16_t)FIELD_DESTINATION_BYTES : FIELDS[column],
                          MEANING_MAYBE);
    default:
        break;
    }
    switch (FIELDS[column]) {
    case FIELD_USER_NAME:
        return words_mean(w, word, FIELD_USER_NAME, MEANING_ACCOUNT);
    case FIELD_URL_ORIGINAL:
        return words_mean(w, word, FIELD_URL_ORIGINAL, MEANING_URL);
    case FIELD_HTTP_VERSION:
        return words_mean(w, word, FIELD_HTTP_VERSION, MEANING_VERSION);
    default:
        return words_mean(w, word, FIELDS[column], MEANING_MAYBE);
    }
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    struct columns c;
    (void)state;
    if (!is_ours(w, false))
        return PARSE_MISMATCH;
    read_columns(&w, &c);
    for (int column = 0; column < c.count; column++) {
        if (c.at[column].to > c.at[column].from && !add_column(&w, &c, column))
            return PARSE_PARTIAL;
    }
    return c.count >= COLUMN_CATEGORY ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return is_ours(words_of(NULL, head, 0), true);
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
