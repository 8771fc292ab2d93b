/*
 * Web servers' logs: Apache's and nginx's common and combined format, and what is built on them.
 *
 *   198.51.100.7 - taro [21/Nov/2026:18:00:00 +0900] "GET /a?b HTTP/1.1" 200 2326 "referer" "agent"
 *   www.example.jp:443 198.51.100.7 ...        a virtual host, or X-Forwarded-For, in front
 *   ... "agent" "203.0.113.9" 0.184            further columns; a third quoted address is X-Forwarded-For
 *   [21/Nov/2026:18:00:00 +0900] 198.51.100.7 TLSv1.3 CIPHER "GET /a HTTP/1.1" 2326
 *   2026/11/21 18:00:00 [error] 77#77: *9 open() failed, client: 198.51.100.7, request: "GET / HTTP/1.1"
 *   [Sat Nov 21 18:00:00 2026] [core:error] [pid 77] [client 198.51.100.7:40000] text [id "9"]
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_BEFORE = 0, /* words in front of the client */
    COLUMN_EXTRA = 10, /* columns behind what is known */
    EXTRA_MAX = 16,    /* of those; the last one is the rest of the line */
    COLUMN_TLS = 30,   /* protocol and cipher */
    COLUMN_PROCESS = 40,
    COLUMN_NOTE = 41, /* of an error, in brackets */
    BEFORE_MAX = 6,
    STAMP_BYTES_MIN = 20,   /* 21/Nov/2026:18:00:00 */
    ERROR_STAMP_BYTES = 19, /* 2026/11/21 18:00:00 */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where "[21/Nov/2026:..." begins, or NULL. */
static const char *find_stamp(const char *p, const char *end)
{
    struct scan_walk brackets = scan_walk_from(p, end, '[', '[');
    for (p = scan_walk_next(&brackets); end - p > STAMP_BYTES_MIN; p = scan_walk_next(&brackets)) {
        bool date = is_digit(p[1]) && is_digit(p[2]) && (p[3] == '/' || p[3] == '-');
        bool iso = is_digit(p[1]) && is_digit(p[2]) && is_digit(p[3]) && p[5] == '-';
        if (date || iso)
            return p;
    }
    return NULL;
}

/* An address, perhaps one of a list ("192.0.2.7,"). */
static bool is_address(const struct word *word)
{
    struct slice text = word_text(word);
    while (text.len > 0 && text.data[text.len - 1] == ',')
        text.len--;
    return url_host_is_address(text);
}

/*
 * The client: the last of the addresses that stand side by side; those before it are
 * X-Forwarded-For, what is before them is a virtual host. Without an address the first word is it.
 */
static bool add_client(struct words *w, const char *stamp)
{
    struct words ahead = *w;
    struct word first = {0};
    struct word host = {0};
    struct word last = {0};
    ahead.end = stamp;
    if (!words_next(&ahead, &host))
        return false;
    first = host;
    w->at = ahead.at;
    for (int i = 0; i < BEFORE_MAX && !is_address(&first); i++) {
        if (!words_next(&ahead, &first))
            return words_mean(w, &host, FIELD_SOURCE_IP, MEANING_PEER);
        w->at = ahead.at;
    }
    if (!is_address(&first)) {
        w->at = host.to;
        return words_mean(w, &host, FIELD_SOURCE_IP, MEANING_PEER);
    }
    last = first;
    for (struct word more; words_next(&ahead, &more) && is_address(&more); w->at = ahead.at)
        last = more;
    if (host.from != first.from && !words_mean(w, &host, FIELD_URL_DOMAIN, MEANING_PEER))
        return false;
    struct word before = {.from = host.to, .to = first.from};
    while (before.from < before.to && *before.from == ' ')
        before.from++;
    while (before.to > before.from && before.to[-1] == ' ')
        before.to--;
    if (host.from != first.from && before.to > before.from &&
        !words_add(w, &before, FIELD_COLUMN(COLUMN_BEFORE)))
        return false;
    struct word forwarded = {.from = first.from, .to = last.from};
    while (forwarded.to > forwarded.from && (forwarded.to[-1] == ' ' || forwarded.to[-1] == ','))
        forwarded.to--;
    return (forwarded.to == forwarded.from || words_add(w, &forwarded, FIELD_HTTP_FORWARDED_FOR)) &&
           words_mean(w, &last, FIELD_SOURCE_IP, MEANING_PEER);
}

/* "(203.0.113.9)", ident, and the account up to the stamp: it may have blanks. */
static bool add_account(struct words *w, const char *stamp)
{
    struct words ahead = *w;
    struct word word;
    ahead.end = stamp;
    if (!words_next(&ahead, &word))
        return true;
    if (word.to - word.from > 2 && *word.from == '(' && word.to[-1] == ')') {
        struct word inner = {.from = word.from + 1, .to = word.to - 1};
        if (!words_mean(w, &inner, FIELD_HTTP_FORWARDED_FOR, MEANING_MAYBE) ||
            !words_next(&ahead, &word))
            return false;
    }
    if (!words_mean(w, &word, FIELD_SOURCE_USER, MEANING_MAYBE))
        return false;
    words_skip_blanks(&ahead);
    struct word user = {.from = ahead.at, .to = stamp};
    while (user.to > user.from && user.to[-1] == ' ')
        user.to--;
    return user.to <= user.from || words_mean(w, &user, FIELD_USER_NAME, MEANING_ACCOUNT);
}

/* Referrer, user agent and what else a server appends. */
static enum parse_result add_extra(struct words *w)
{
    uint32_t quoted = 0;
    struct word word;
    for (uint16_t column = 0;; column++) {
        words_skip_blanks(w);
        if (w->at >= w->end)
            return PARSE_OK;
        uint16_t field = FIELD_COLUMN(COLUMN_EXTRA + column);
        if (column == EXTRA_MAX)
            return words_rest(w, field) ? PARSE_OK : PARSE_PARTIAL;
        if (!words_next(w, &word))
            return PARSE_PARTIAL;
        uint8_t form = MEANING_TEXT;
        if (word.quoted && quoted++ < 3) {
            if (quoted == 1)
                field = FIELD_HTTP_REFERRER;
            else if (quoted == 2)
                field = FIELD_USER_AGENT;
            else if (is_address(&word) || scan_byte(word.from, word.to, ',') < word.to)
                field = FIELD_HTTP_FORWARDED_FOR;
        }
        if (!words_mean(w, &word, field, form))
            return PARSE_PARTIAL;
    }
}

static enum parse_result parse_access(struct words *w, const char *stamp)
{
    struct word word;
    if (!add_client(w, stamp) || !add_account(w, stamp))
        return PARSE_PARTIAL;
    w->at = stamp;
    if (!words_next(w, &word))
        return PARSE_PARTIAL;
    struct slot slot = words_slot(w, &word);
    if (!stamp_slots(w->out, w->line, &slot))
        return PARSE_PARTIAL;
    if (!words_next(w, &word) || !words_mean(w, &word, FIELD_URL_ORIGINAL, MEANING_REQUEST))
        return PARSE_PARTIAL;
    if (!words_next(w, &word) || !words_mean(w, &word, FIELD_HTTP_STATUS, MEANING_MAYBE))
        return PARSE_PARTIAL;
    if (!words_next(w, &word) || !words_mean(w, &word, FIELD_HTTP_RESPONSE_BYTES, MEANING_MAYBE))
        return w->at >= w->end ? PARSE_OK : PARSE_PARTIAL;
    return add_extra(w);
}

/* "[21/Nov/2026:18:00:00 +0900] 198.51.100.7 TLSv1.3 CIPHER "GET ...": ssl_request_log */
static bool is_tls_log(const char *p, const char *end)
{
    const char *close = find_stamp(p, end) == p ? scan_byte(p, end, ']') : end;
    if (end - close < 3 || close[1] != ' ')
        return false;
    const char *client = close + 2;
    const char *blank = scan_byte(client, end, ' ');
    struct slice rest = slice_of(blank, (size_t)(end - blank));
    return url_host_is_address(slice_of(client, (size_t)(blank - client))) &&
           (slice_starts(rest, SLICE(" TLSv")) || slice_starts(rest, SLICE(" SSLv")));
}

static enum parse_result parse_tls_log(struct words *w)
{
    struct word word;
    struct slot slot;
    if (!words_next(w, &word))
        return PARSE_PARTIAL;
    slot = words_slot(w, &word);
    if (!stamp_slots(w->out, w->line, &slot) || !words_next(w, &word) ||
        !words_mean(w, &word, FIELD_SOURCE_IP, MEANING_PEER))
        return PARSE_PARTIAL;
    for (uint16_t column = 0; column < 2; column++) {
        if (!words_next(w, &word) || !words_add(w, &word, FIELD_COLUMN(COLUMN_TLS + column)))
            return PARSE_PARTIAL;
    }
    if (!words_next(w, &word) || !words_mean(w, &word, FIELD_URL_ORIGINAL, MEANING_REQUEST) ||
        !words_next(w, &word) || !words_mean(w, &word, FIELD_HTTP_RESPONSE_BYTES, MEANING_MAYBE))
        return PARSE_PARTIAL;
    return add_extra(w);
}

/* "2026/11/21 18:00:00 [" */
static bool is_nginx_error(const char *p, const char *end)
{
    return end - p > ERROR_STAMP_BYTES + 2 && is_digit(p[0]) && p[4] == '/' && p[7] == '/' &&
           p[10] == ' ' && p[13] == ':' && p[ERROR_STAMP_BYTES + 1] == '[';
}

static struct meaning error_meaning(struct slice key)
{
    static const struct {
        struct slice key;
        struct meaning meaning;
    } KEYS[] = {
        {{"client", 6}, {FIELD_SOURCE_IP, MEANING_PEER}},
        {{"request", 7}, {FIELD_URL_ORIGINAL, MEANING_REQUEST}},
        {{"host", 4}, {FIELD_URL_DOMAIN, MEANING_PEER}},
        {{"referrer", 8}, {FIELD_HTTP_REFERRER, MEANING_MAYBE}},
        {{"peer", 4}, {FIELD_DESTINATION_IP, MEANING_PEER}},
        {{"hostname", 8}, {FIELD_URL_DOMAIN, MEANING_PEER}},
        {{"uri", 3}, {FIELD_URL_ORIGINAL, MEANING_URL}},
        {{"id", 2}, {FIELD_THREAT_ID, MEANING_TEXT}},
        {{"msg", 3}, {FIELD_THREAT_NAME, MEANING_TEXT}},
        {{"unique_id", 9}, {FIELD_EVENT_ID, MEANING_TEXT}},
    };
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (slice_equal(KEYS[i].key, key))
            return KEYS[i].meaning;
    }
    return (struct meaning){.field = FIELD_UNNAMED};
}

static bool add_pair(struct words *w, struct slice key, const struct word *value)
{
    struct meaning meaning = error_meaning(key);
    if (meaning.field != FIELD_UNNAMED)
        return words_mean(w, value, meaning.field, meaning.form);
    struct slot name = {.offset = (uint32_t)(key.data - w->line.data), .length = (uint32_t)key.len};
    struct slot slot = words_slot(w, value);
    return slots_add_unnamed(w->out, &name, &slot);
}

/* ", client: 198.51.100.7, server: x, request: "GET / HTTP/1.1"" */
static enum parse_result add_details(struct words *w)
{
    while (w->end - w->at > 2 && w->at[0] == ',' && w->at[1] == ' ') {
        const char *key = w->at + 2;
        const char *colon = scan_byte(key, w->end, ':');
        if (w->end - colon < 3)
            break;
        struct word value = {.from = colon + 2, .quoted = colon[2] == '"'};
        value.from += value.quoted;
        value.to = value.quoted ? words_close_quote(value.from, w->end)
                                : scan_byte(value.from, w->end, ',');
        if (value.quoted && value.to == w->end)
            return PARSE_PARTIAL;
        if (!add_pair(w, slice_of(key, (size_t)(colon - key)), &value))
            return PARSE_PARTIAL;
        w->at = value.to + value.quoted;
    }
    return words_rest(w, FIELD_COLUMN(COLUMN_NOTE)) ? PARSE_OK : PARSE_PARTIAL;
}

static enum parse_result parse_nginx_error(struct words *w)
{
    static const char *const FIRST[] = {", client: ", ", responder: ", ", server: "};
    struct word stamp = {.from = w->at, .to = w->at + ERROR_STAMP_BYTES};
    struct word word;
    w->at = stamp.to;
    if (!words_add(w, &stamp, FIELD_TIME_STAMP) || !words_next(w, &word) ||
        !words_add(w, &word, FIELD_EVENT_SEVERITY))
        return PARSE_PARTIAL;
    if (!words_next(w, &word) || !words_add(w, &word, FIELD_COLUMN(COLUMN_PROCESS)))
        return PARSE_PARTIAL;
    words_skip_blanks(w);
    if (w->at < w->end && *w->at == '*') {
        if (!words_next(w, &word) || !words_add(w, &word, FIELD_NETWORK_SESSION))
            return PARSE_PARTIAL;
        words_skip_blanks(w);
    }
    struct word message = {.from = w->at, .to = w->end};
    for (size_t i = 0; i < sizeof(FIRST) / sizeof(FIRST[0]); i++) {
        const char *hit = memmem(w->at, (size_t)(w->end - w->at), FIRST[i], strlen(FIRST[i]));
        if (hit != NULL && hit < message.to)
            message.to = hit;
    }
    if (message.to > message.from && !words_add(w, &message, FIELD_MESSAGE))
        return PARSE_PARTIAL;
    w->at = message.to;
    return add_details(w);
}

/* A word in brackets of an error: time, level, process, client, in this order or without some. */
static bool add_note(struct words *w, const struct word *word, bool *client)
{
    struct slice text = word_text(word);
    struct word inner = *word;
    if (slice_starts(text, SLICE("client "))) {
        inner.from += sizeof("client");
        while (inner.from < inner.to && *inner.from == ' ')
            inner.from++;
        if (*client)
            return words_add(w, &inner, FIELD_COLUMN(COLUMN_NOTE));
        *client = true;
        return words_mean(w, &inner, FIELD_SOURCE_IP, MEANING_PEER);
    }
    if (slice_starts(text, SLICE("pid ")))
        return words_add(w, word, FIELD_COLUMN(COLUMN_PROCESS));
    if (slice_starts(text, SLICE("remote "))) {
        inner.from += sizeof("remote");
        return words_mean(w, &inner, FIELD_DESTINATION_IP, MEANING_PEER);
    }
    bool stamp = text.len >= STAMP_BYTES_MIN && text.data[3] == ' ';
    return words_add(w, word, stamp ? FIELD_TIME_STAMP : FIELD_EVENT_SEVERITY);
}

/* ", referer: https://www.example.jp/" at the end of a message */
static enum parse_result add_message(struct words *w)
{
    static const struct slice REFERER = {", referer: ", 11};
    const char *hit = scan_text(w->at, w->end, REFERER);
    if (hit == w->end)
        return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
    struct word message = {.from = w->at, .to = hit};
    w->at = hit + REFERER.len;
    return words_add(w, &message, FIELD_MESSAGE) && words_rest(w, FIELD_HTTP_REFERRER)
               ? PARSE_OK
               : PARSE_PARTIAL;
}

/* [file "x"] [id "9"] ...: what ModSecurity appends. */
static enum parse_result add_tags(struct words *w)
{
    for (;;) {
        const char *open = scan_byte(w->at, w->end, '[');
        if (open == w->end)
            return PARSE_OK;
        const char *blank = open + 1;
        while (blank < w->end && (word_is_letter(*blank) || *blank == '_'))
            blank++;
        w->at = open + 1;
        if (w->end - blank < 2 || *blank != ' ' || blank[1] != '"')
            continue;
        struct word value = {.from = blank + 2, .quoted = true};
        value.to = words_close_quote(value.from, w->end);
        if (value.to == w->end)
            return PARSE_PARTIAL;
        if (!add_pair(w, slice_of(open + 1, (size_t)(blank - open - 1)), &value))
            return PARSE_PARTIAL;
        w->at = value.to + 1;
    }
}

static enum parse_result parse_apache_error(struct words *w)
{
    bool client = false;
    struct word word;
    for (words_skip_blanks(w); w->at < w->end && *w->at == '['; words_skip_blanks(w)) {
        if (!words_next(w, &word) || !add_note(w, &word, &client))
            return PARSE_PARTIAL;
    }
    const char *tags = scan_text(w->at, w->end, SLICE(" [file \""));
    if (tags == w->end)
        return add_message(w);
    struct word message = {.from = w->at, .to = tags};
    w->at = tags;
    return words_add(w, &message, FIELD_MESSAGE) ? add_tags(w) : PARSE_PARTIAL;
}

/* "[Sat Nov 21 ", "[core:error] [pid", "[error] [client" */
static bool is_apache_error(const char *p, const char *end)
{
    if (p == end || *p != '[')
        return false;
    const char *close = scan_byte(p, end, ']');
    if (end - close < 3 || close[1] != ' ')
        return false;
    bool dated = close - p > STAMP_BYTES_MIN && p[4] == ' ' && p[8] == ' ';
    return (dated && close[2] == '[') || (end - close > 8 && (memcmp(close + 2, "[pid ", 5) == 0 ||
                                                              memcmp(close + 2, "[clien", 6) == 0));
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    (void)state;
    words_skip_blanks(&w);
    if (is_nginx_error(w.at, w.end))
        return parse_nginx_error(&w);
    if (is_apache_error(w.at, w.end))
        return parse_apache_error(&w);
    if (is_tls_log(w.at, w.end))
        return parse_tls_log(&w);
    const char *stamp = find_stamp(w.at, w.end);
    const char *close = stamp == NULL ? w.end : scan_byte(stamp, w.end, ']');
    if (w.end - close < 3 || stamp == w.at || memcmp(close, "] \"", 3) != 0)
        return PARSE_MISMATCH;
    return parse_access(&w, stamp);
}

static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    const char *p = message.data;
    while (p < end && *p == ' ')
        p++;
    if (is_nginx_error(p, end) || is_apache_error(p, end) || is_tls_log(p, end))
        return true;
    const char *stamp = find_stamp(p, end);
    const char *close = stamp == NULL ? end : scan_byte(stamp, end, ']');
    return stamp != p && end - close >= 3 && memcmp(close, "] \"", 3) == 0;
}

const struct parser parser_combined = {
    .name = "combined",
    .format = FORMAT_COMBINED,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
};
