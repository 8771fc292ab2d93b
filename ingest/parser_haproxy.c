/*
 * HAProxy's log of HTTP and of TCP, and what it says of connections that came to nothing:
 *
 *   198.51.100.7:40000 [21/Nov/2026:18:00:00.123] fe~ be/srv1 1/0/0/28/29 200 1060 - - --VN
 *       296/296/33/6/0 0/0 {www.example.jp} {} "GET /a?b HTTP/1.1"
 *   198.51.100.7:40000 [21/Nov/2026:18:00:00.123] fe be/srv1 1/0/29 1060 -- 2/2/0/0/0 0/0
 *   198.51.100.7:40000 [21/Nov/2026:18:00:00.123] fe/1: SSL handshake failure
 *   Server be/srv1 is DOWN, reason: Layer4 timeout, ...
 *   Connect from 198.51.100.7:40000 to 192.0.2.80:443 (fe/HTTP)
 *   [ACCESS] 2026 {"ip":"198.51.100.7","port":40000,"meth":"GET","code":200,"ti":4,"tc":0, ...}
 *
 * The last one is a log-format that writes JSON; its keys are in ingest/names.def.
 */
#include "event/verdict.h"
#include "ingest/json_slots.h"
#include "ingest/parsers.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_FRONTEND = 0,
    COLUMN_SERVER = 1, /* backend/server */
    COLUMN_TIMERS = 2, /* all but the last, which is the session's length */
    COLUMN_COOKIE = 3, /* of the request */
    COLUMN_COOKIE_RESPONSE = 4,
    COLUMN_CONNECTIONS = 5,
    COLUMN_QUEUES = 6,
    COLUMN_CAPTURED = 7, /* headers in braces */
    COLUMN_EXTRA = 10,
    TAG_MAX_BYTES = 64,  /* in front of an object */
    STATE_BYTES_MIN = 2, /* of a termination state */
};

/* What it says of its servers, in words. */
static bool is_notice(struct slice text)
{
    static const struct slice BEGINS[] = {
        {"Server ", 7}, {"Backup Server ", 14}, {"Health check for ", 17},
        {"Proxy ", 6},  {"backend ", 8},        {"Stopping ", 9}};
    static const struct slice SAYS[] = {
        {" is DOWN", 8},    {" is UP", 6},    {" failed", 7},
        {" succeeded", 10}, {" started.", 9}, {" stopped (", 10},
        {" frontend ", 10}, {" backend ", 9}, {" has no server available!", 25}};
    struct slice head = word_head(text);
    for (size_t i = 0; i < sizeof(BEGINS) / sizeof(BEGINS[0]); i++) {
        if (!slice_starts(head, BEGINS[i]))
            continue;
        for (size_t j = 0; j < sizeof(SAYS) / sizeof(SAYS[0]); j++) {
            if (word_find(head, SAYS[j]))
                return true;
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "+1060": logged before the session's end (logasap), so at least as much. */
static void skip_plus(struct word *word)
{
    word->from += word->from < word->to && *word->from == '+';
}

/* a/b/c: what stands in front of the last slash, and what is behind it. */
static bool add_timers(struct words *w, const struct word *word)
{
    const char *slash = memrchr(word->from, '/', (size_t)(word->to - word->from));
    if (slash == NULL)
        return words_add(w, word, FIELD_COLUMN(COLUMN_TIMERS));
    struct word before = {.from = word->from, .to = slash};
    struct word last = {.from = slash + 1, .to = word->to};
    skip_plus(&last);
    return words_add(w, &before, FIELD_COLUMN(COLUMN_TIMERS)) &&
           words_add(w, &last, FIELD_EVENT_DURATION);
}

static uint32_t count_slashes(const struct word *word)
{
    uint32_t count = 0;
    for (const char *p = word->from; p < word->to; p++)
        count += *p == '/';
    return count;
}

static bool next_as(struct words *w, uint16_t field)
{
    struct word word;
    return words_next(w, &word) && words_mean(w, &word, field, MEANING_MAYBE);
}

/* Captured headers, the request and what else a format appends. */
static enum parse_result add_tail(struct words *w)
{
    struct word word;
    for (words_skip_blanks(w); w->at < w->end && *w->at == '{'; words_skip_blanks(w)) {
        if (!words_next(w, &word) || !words_add(w, &word, FIELD_COLUMN(COLUMN_CAPTURED)))
            return PARSE_PARTIAL;
    }
    if (w->at >= w->end)
        return PARSE_OK;
    if (*w->at == '"' &&
        (!words_next(w, &word) || !words_mean(w, &word, FIELD_URL_ORIGINAL, MEANING_REQUEST)))
        return PARSE_PARTIAL;
    return words_rest(w, FIELD_COLUMN(COLUMN_EXTRA)) ? PARSE_OK : PARSE_PARTIAL;
}

/* Behind the timers: five of them are HTTP's, three TCP's. */
static enum parse_result add_counters(struct words *w, bool http)
{
    struct word word;
    if (http && !next_as(w, FIELD_HTTP_STATUS))
        return PARSE_PARTIAL;
    if (!words_next(w, &word))
        return PARSE_PARTIAL;
    skip_plus(&word);
    if (!words_mean(w, &word, FIELD_HTTP_RESPONSE_BYTES, MEANING_MAYBE))
        return PARSE_PARTIAL;
    if (http && (!next_as(w, FIELD_COLUMN(COLUMN_COOKIE)) ||
                 !next_as(w, FIELD_COLUMN(COLUMN_COOKIE_RESPONSE))))
        return PARSE_PARTIAL;
    if (!words_next(w, &word) || word.to - word.from < STATE_BYTES_MIN ||
        !words_add(w, &word, FIELD_EVENT_REASON))
        return PARSE_PARTIAL;
    if (!next_as(w, FIELD_COLUMN(COLUMN_CONNECTIONS)) || !next_as(w, FIELD_COLUMN(COLUMN_QUEUES)))
        return PARSE_PARTIAL;
    return add_tail(w);
}

/* address:port; the last colon, also of IPv6 without brackets. */
static bool add_client(struct words *w, const struct word *client)
{
    const char *colon = memrchr(client->from, ':', (size_t)(client->to - client->from));
    if (colon == NULL || colon == client->from || colon[-1] == ']')
        return words_mean(w, client, FIELD_SOURCE_IP, MEANING_PEER);
    struct word address = {.from = client->from, .to = colon};
    struct word port = {.from = colon + 1, .to = client->to};
    return words_mean(w, &address, FIELD_SOURCE_IP, MEANING_PEER) &&
           words_add(w, &port, FIELD_SOURCE_PORT);
}

static enum parse_result parse_session(struct words *w, const struct word *client)
{
    struct word stamp;
    struct word frontend;
    struct word server;
    struct word timers;
    if (!words_next(w, &stamp) || !stamp.bracketed || !words_next(w, &frontend))
        return PARSE_MISMATCH;
    struct slot slot = words_slot(w, &stamp);
    if (!add_client(w, client) || !stamp_slots(w->out, w->line, &slot))
        return PARSE_PARTIAL;
    if (frontend.to > frontend.from && frontend.to[-1] == ':') {
        frontend.to--;
        return words_add(w, &frontend, FIELD_COLUMN(COLUMN_FRONTEND)) &&
                       words_rest(w, FIELD_MESSAGE)
                   ? PARSE_OK
                   : PARSE_PARTIAL;
    }
    if (!words_add(w, &frontend, FIELD_COLUMN(COLUMN_FRONTEND)) || !words_next(w, &server) ||
        !words_add(w, &server, FIELD_COLUMN(COLUMN_SERVER)) || !words_next(w, &timers) ||
        !add_timers(w, &timers))
        return PARSE_PARTIAL;
    return add_counters(w, count_slashes(&timers) > 2);
}

/* Connect from a:p to b:p (frontend/mode) */
static enum parse_result parse_connect(struct words *w)
{
    struct word word;
    if (!words_next(w, &word) || !words_mean(w, &word, FIELD_SOURCE_IP, MEANING_PEER) ||
        !words_next(w, &word) || !word_is(&word, "to") || !words_next(w, &word) ||
        !words_mean(w, &word, FIELD_DESTINATION_IP, MEANING_PEER))
        return PARSE_PARTIAL;
    return words_rest(w, FIELD_COLUMN(COLUMN_FRONTEND)) ? PARSE_OK : PARSE_PARTIAL;
}

static bool begins_connect(struct words *w)
{
    static const struct slice CONNECT = {"Connect from ", 13};
    if (!slice_starts(slice_of(w->at, (size_t)(w->end - w->at)), CONNECT))
        return false;
    w->at += CONNECT.len;
    return true;
}

/*
 * The object behind a tag or behind nothing, NULL where there is none: a log-format of the
 * operator's has HAProxy's timers under their own names.
 */
static const char *find_object(struct slice message)
{
    static const struct slice BEGIN = {"{\"", 2};
    const char *end = message.data + message.len;
    const size_t limit = TAG_MAX_BYTES + BEGIN.len;
    const char *near = message.len < limit ? end : message.data + limit;
    const char *open = scan_text(message.data, near, BEGIN);
    if (open == near)
        return NULL;
    static const struct slice NAMES[] = {
        {"\"tc\":", 5}, {"\"ti\":", 5}, {"\"tr\":", 5}, {"\"tw\":", 5}};
    size_t found = 0;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        found += scan_text(open, end, NAMES[i]) < end;
    return found >= 2 ? open : NULL;
}

static enum parse_result parse_object(struct parser_state *state, struct words *w,
                                      const char *object)
{
    struct word tag = {.from = w->at, .to = object};
    while (tag.to > tag.from && tag.to[-1] == ' ')
        tag.to--;
    if (tag.from < tag.to && !words_add(w, &tag, FIELD_COLUMN(JSON_COLUMN_BEFORE)))
        return PARSE_PARTIAL;
    return json_slots(state, w->line, (uint32_t)(object - w->line.data), VENDOR_HAPEE, w->out);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    struct word client;
    words_skip_blanks(&w);
    if (begins_connect(&w))
        return parse_connect(&w);
    struct slice text = slice_of(w.at, (size_t)(w.end - w.at));
    if (is_notice(text))
        return words_rest(&w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
    const char *object = find_object(text);
    if (object != NULL)
        return parse_object(state, &w, object);
    return words_next(&w, &client) ? parse_session(&w, &client) : PARSE_MISMATCH;
}

/* address:port [21/Nov/2026:18:00:00.123] */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    struct words w = words_of(NULL, message, 0);
    struct word client;
    struct word stamp;
    words_skip_blanks(&w);
    if (begins_connect(&w) || find_object(message) != NULL ||
        is_notice(slice_of(w.at, (size_t)(w.end - w.at))))
        return true;
    if (!words_next(&w, &client) || !words_next(&w, &stamp) || !stamp.bracketed)
        return false;
    const char *colon = memrchr(client.from, ':', (size_t)(client.to - client.from));
    if (colon == NULL || colon + 1 == client.to || !is_digit(colon[1]))
        return false;
    struct slice text = word_text(&stamp);
    return text.len > 20 && text.data[2] == '/' && text.data[6] == '/' && text.data[11] == ':' &&
           text.data[20] == '.';
}

const struct parser parser_haproxy = {
    .name = "haproxy",
    .format = FORMAT_HAPROXY,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = json_state_new,
    .state_free = json_state_free,
};
