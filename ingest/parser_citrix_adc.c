/*
 * Citrix ADC (NetScaler) syslog; its application firewall's CEF is format cef:
 *
 *   11/21/2026:09:00:00 GMT adc1 0-PPE-0 : default SSLVPN TCPCONNSTAT 408 0 : Context taro@192.0.2.7 -
 *       User taro - Client_ip 192.0.2.7 - Source 192.0.2.7:59549 - Destination 198.51.100.9:443 - ...
 *   default CMD_EXECUTED 50 0 :  User nsroot - Remote_ip 192.0.2.7 - Command "logout" - Status "Success"
 *   192.0.2.7 -> 198.51.100.1 - - [21/Nov/2026:18:00:00 +0900] [77] "GET /nitro/v1 HTTP/1.1" 200 1162 "-" "-"
 *
 * The day may stand in front of the month or behind the year, as the appliance is set. A line may be
 * quoted as a whole, with its quotes doubled.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_ENGINE = 0, /* 0-PPE-0: the packet engine */
    COLUMN_COUNT = 1,  /* the number behind the event's */
    COLUMN_WEB = 10,   /* columns of the management's web server */
    STAMP_BYTES = 19,  /* 11/21/2026:09:00:00 */
    ENGINE_MAX_BYTES = 32,
    HEAD_WORDS_MAX = 6, /* between the engine's colon and the text's */
};

#define PHRASES(PHRASE)                                                  \
    PHRASE("User <", USER_NAME, NONE, ACCOUNT, '>')                      \
    PHRASE("User ", USER_NAME, NONE, ACCOUNT, ' ')                       \
    PHRASE("user ", USER_NAME, NONE, ACCOUNT, ' ')                       \
    PHRASE("rejected for ", USER_NAME, NONE, ACCOUNT, ' ')               \
    PHRASE("Client_ip ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)             \
    PHRASE("ClientIP ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)              \
    PHRASE("clientip ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)              \
    PHRASE("client ip : ", SOURCE_IP, NONE, ADDRESS, 0)                  \
    PHRASE("Remote_ip ", SOURCE_IP, NONE, ADDRESS, 0)                    \
    PHRASE("Srcip: ", SOURCE_IP, NONE, ADDRESS, 0)                       \
    PHRASE("Source ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)                \
    PHRASE("ClientPort ", SOURCE_PORT, NONE, NUMBER, 0)                  \
    PHRASE("NatIP ", SOURCE_NAT_IP, SOURCE_NAT_PORT, ADDRESS, 0)         \
    PHRASE("Nat_ip ", SOURCE_NAT_IP, SOURCE_NAT_PORT, ADDRESS, 0)        \
    PHRASE("Destination ", DESTINATION_IP, DESTINATION_PORT, ADDRESS, 0) \
    PHRASE("Dstip: ", DESTINATION_IP, NONE, ADDRESS, 0)                  \
    PHRASE("vserver ip: ", DESTINATION_IP, NONE, ADDRESS, 0)             \
    PHRASE("VserverServiceIP ", DESTINATION_IP, NONE, ADDRESS, 0)        \
    PHRASE("VserverServicePort ", DESTINATION_PORT, NONE, NUMBER, 0)     \
    PHRASE("Denied_by_policy \"\"", RULE_NAME, NONE, WORD, '"')          \
    PHRASE("Denied_by_policy \"", RULE_NAME, NONE, WORD, '"')            \
    PHRASE("denied_by_policy: ", RULE_NAME, NONE, WORD, 0)               \
    PHRASE("Total_bytes_send ", SOURCE_BYTES, NONE, NUMBER, 0)           \
    PHRASE("Total_bytes_recv ", DESTINATION_BYTES, NONE, NUMBER, 0)      \
    PHRASE("Command \"", PROCESS_COMMAND, NONE, WORD, '"')               \
    PHRASE("Status \"", EVENT_OUTCOME, NONE, WORD, '"')                  \
    PHRASE("Failure_reason \"", EVENT_REASON, NONE, WORD, '"')           \
    PHRASE("Reason \"", EVENT_REASON, NONE, WORD, '"')                   \
    PHRASE("username:domainname ", USER_NAME, NONE, WORD, ':')           \
    PHRASE("Browser_type \"", USER_AGENT, NONE, WORD, '"')               \
    PHRASE("SessionId: ", NETWORK_SESSION, NONE, WORD, 0)                \
    PHRASE("Duration ", EVENT_DURATION_CLOCK, NONE, WORD, 0)             \
    PHRASE("Group(s) \"", USER_GROUP, NONE, WORD, '"')                   \
    PHRASE("request: ", URL_ORIGINAL, NONE, URL, ' ')                    \
    PHRASE("SSO is ON : ", URL_ORIGINAL, NONE, REQUEST, 0)               \
    PHRASE("SSO is OFF : ", URL_ORIGINAL, NONE, REQUEST, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* NN/NN/NNNN:HH:MM:SS or NNNN/NN/NN:HH:MM:SS */
static bool is_stamp(struct slice text)
{
    if (text.len < STAMP_BYTES || text.data[10] != ':' || text.data[13] != ':' ||
        text.data[16] != ':' || !word_is_digit(text.data[0]) || !word_is_digit(text.data[12]))
        return false;
    return (text.data[2] == '/' && text.data[5] == '/') ||
           (text.data[4] == '/' && text.data[7] == '/');
}

static bool is_engine(struct slice word)
{
    return word.len >= 7 && word.len <= ENGINE_MAX_BYTES && word_is_digit(*word.data) &&
           scan_has(word, SLICE("-PPE-"));
}

/* "11/21/2026:09:00:00 GMT adc1 0-PPE-0 : ", each part of it or nothing */
static bool add_head(struct cursor *c)
{
    struct slice rest = cursor_rest(c);
    if (is_stamp(rest)) {
        const char *from = c->at;
        c->at += STAMP_BYTES;
        (void)cursor_take(c, SLICE(" GMT"));
        if (!cursor_add(c, from, c->at, FIELD_TIME_STAMP))
            return false;
    }
    cursor_skip_blanks(c);
    struct cursor ahead = *c;
    struct slice word = cursor_word(&ahead);
    struct slice host = slice_of(word.data, 0);
    if (!is_engine(word)) {
        host = word;
        word = cursor_word(&ahead);
    }
    if (!is_engine(word))
        return true;
    if (!cursor_take(&ahead, SLICE(":")))
        return true;
    *c = ahead;
    cursor_skip_blanks(c);
    return (host.len == 0 || cursor_add_slice(c, host, FIELD_OBSERVER_NAME)) &&
           cursor_add_slice(c, word, FIELD_COLUMN(COLUMN_ENGINE));
}

static bool is_number(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!word_is_digit(word.data[i]))
            return false;
    }
    return word.len > 0;
}

/* The words of "default [SSLVPN] LOGIN 408 0 : "; how many, 0 where it is none. */
static size_t find_event(struct cursor *c, struct slice words[HEAD_WORDS_MAX])
{
    for (size_t count = 0; count < HEAD_WORDS_MAX; count++) {
        words[count] = cursor_word(c);
        if (words[count].len == 0)
            return 0;
        if (slice_equal(words[count], SLICE(":"))) {
            bool numbers = count >= 4 && is_number(words[count - 1]) && is_number(words[count - 2]);
            return numbers ? count : 0;
        }
    }
    return 0;
}

static bool add_event(struct cursor *c, const struct slice *words, size_t count)
{
    return cursor_add_slice(c, words[0], FIELD_OBSERVER_VSYS) &&
           (count < 5 || cursor_add_slice(c, words[1], FIELD_EVENT_DATASET)) &&
           cursor_add_slice(c, words[count - 3], FIELD_EVENT_ACTION) &&
           cursor_add_slice(c, words[count - 2], FIELD_EVENT_ID) &&
           cursor_add_slice(c, words[count - 1], FIELD_COLUMN(COLUMN_COUNT));
}

/* What an administrator added at the end: a word without its quotes, more of them as they stand. */
static bool add_tail(struct words *w)
{
    const char *from = w->at;
    struct word word;
    if (words_next(w, &word) && w->at == w->end)
        return words_add(w, &word, FIELD_COLUMN(COLUMN_WEB + 1));
    w->at = from;
    return words_rest(w, FIELD_COLUMN(COLUMN_WEB + 1));
}

/* "client -> server ident user [stamp] [process] "request" status bytes "referrer" "agent" ..." */
static enum parse_result parse_web(struct slots *out, struct slice line, uint32_t from)
{
    static const uint16_t BEHIND[] = {FIELD_HTTP_STATUS, FIELD_HTTP_RESPONSE_BYTES,
                                      FIELD_HTTP_REFERRER, FIELD_USER_AGENT};
    struct words w = words_of(out, line, from);
    struct word word;
    struct word arrow;
    if (!words_next(&w, &word) || !words_mean(&w, &word, FIELD_SOURCE_IP, MEANING_PEER) ||
        !words_next(&w, &arrow) || !words_next(&w, &word) ||
        !words_mean(&w, &word, FIELD_DESTINATION_IP, MEANING_PEER))
        return PARSE_PARTIAL;
    bool stamped = false;
    for (size_t behind = 0;;) {
        if (behind > sizeof(BEHIND) / sizeof(BEHIND[0]))
            return add_tail(&w) ? PARSE_OK : PARSE_PARTIAL;
        if (!words_next(&w, &word))
            return PARSE_OK;
        struct slot slot = words_slot(&w, &word);
        bool fits = true;
        if (word.bracketed && !stamped) {
            fits = stamp_slots(out, line, &slot);
        } else if (word.bracketed) {
            fits = words_add(&w, &word, FIELD_COLUMN(COLUMN_WEB));
        } else if (!stamped) {
            fits = words_mean(&w, &word, FIELD_USER_NAME, MEANING_MAYBE);
        } else if (behind == 0) {
            fits = request_slots(out, line, &slot);
        } else {
            fits = words_mean(&w, &word, BEHIND[behind - 1], MEANING_MAYBE);
        }
        if (!fits)
            return PARSE_PARTIAL;
        behind += stamped && !word.bracketed;
        stamped |= word.bracketed;
    }
}

/* "192.0.2.7 5012-PPE1 session profile https://www.example.jp/a text <blocked>" of the web firewall */
static enum parse_result parse_violation(struct slots *out, struct slice line, uint32_t from)
{
    static const uint16_t COLUMNS[] = {FIELD_COLUMN(COLUMN_WEB), FIELD_NETWORK_SESSION,
                                       FIELD_RULE_NAME};
    struct words w = words_of(out, line, from);
    struct word word;
    if (!words_next(&w, &word) || !words_mean(&w, &word, FIELD_SOURCE_IP, MEANING_PEER))
        return PARSE_PARTIAL;
    for (size_t i = 0; i < sizeof(COLUMNS) / sizeof(COLUMNS[0]); i++) {
        if (!words_next(&w, &word) || !words_mean(&w, &word, COLUMNS[i], MEANING_MAYBE))
            return PARSE_PARTIAL;
    }
    words_skip_blanks(&w);
    if (slice_starts(slice_of(w.at, (size_t)(w.end - w.at)), SLICE("http")) &&
        (!words_next(&w, &word) || !words_mean(&w, &word, FIELD_URL_ORIGINAL, MEANING_URL)))
        return PARSE_PARTIAL;
    words_skip_blanks(&w);
    const char *open = w.at < w.end ? memrchr(w.at, '<', (size_t)(w.end - w.at)) : NULL;
    const char *close = open == NULL ? w.end : scan_byte(open, w.end, '>');
    if (close == w.end)
        return words_rest(&w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
    struct word text = {.from = w.at, .to = open};
    struct word done = {.from = open + 1, .to = close};
    while (text.to > text.from && text.to[-1] == ' ')
        text.to--;
    return (text.to == text.from || words_add(&w, &text, FIELD_MESSAGE)) &&
                   words_add(&w, &done, FIELD_EVENT_OUTCOME)
               ? PARSE_OK
               : PARSE_PARTIAL;
}

static bool is_violation(const struct slice *words, size_t count, struct cursor c)
{
    return count > 4 && slice_equal(words[1], SLICE("APPFW")) &&
           url_host_is_address(cursor_word(&c));
}

static bool is_web(struct cursor c)
{
    struct slice client = cursor_word(&c);
    return url_host_is_address(client) && cursor_take(&c, SLICE("-> ")) &&
           url_host_is_address(cursor_word(&c)) && cursor_find(&c, SLICE(" [")) != NULL;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    struct slice words[HEAD_WORDS_MAX];
    (void)state;
    (void)cursor_take(&c, SLICE("\""));
    cursor_skip_blanks(&c);
    if (is_web(c))
        return parse_web(out, line, cursor_offset(&c, c.at));
    const uint32_t mark = out->count;
    if (!add_head(&c))
        return PARSE_PARTIAL;
    struct cursor ahead = c;
    size_t count = find_event(&ahead, words);
    if (count == 0 && out->count == mark)
        return PARSE_MISMATCH;
    if (count > 0) {
        if (!add_event(&c, words, count))
            return PARSE_PARTIAL;
        c.at = ahead.at;
        cursor_skip_blanks(&c);
        if (is_violation(words, count, c))
            return parse_violation(out, line, cursor_offset(&c, c.at));
    }
    return phrase_tell(&c, &TABLE, c.at, c.end) ? PARSE_OK : PARSE_PARTIAL;
}

/* An engine behind the stamp, or the words of an event; alone, a stamp is nobody's. */
static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct slice words[HEAD_WORDS_MAX];
    (void)cursor_take(&c, SLICE("\""));
    cursor_skip_blanks(&c);
    if (is_web(c))
        return true;
    if (is_stamp(cursor_rest(&c))) {
        c.at += STAMP_BYTES;
        (void)cursor_take(&c, SLICE(" GMT"));
        cursor_skip_blanks(&c);
        struct slice host = cursor_word(&c); /* or the engine itself */
        return is_engine(host) || is_engine(cursor_word(&c)) || find_event(&c, words) > 0;
    }
    return slice_starts(cursor_rest(&c), SLICE("default ")) && find_event(&c, words) > 0;
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("denied", DENY),       VERDICT_WORD("login_failed", DENY),
        VERDICT_WORD("failure", ALERT),     VERDICT_WORD("allowed", ALLOW),
        VERDICT_WORD("conn_delink", ALLOW), VERDICT_WORD("conn_terminate", ALLOW),
        VERDICT_WORD("connstat", ALLOW),    VERDICT_WORD("httprequest", ALLOW)};
    if (slice_equal(beside, SLICE("blocked")))
        return VERDICT_BLOCK;
    if (slice_equal(beside, SLICE("not blocked")) || slice_equal(beside, SLICE("transformed")))
        return VERDICT_ALERT;
    if (slice_equal(action, SLICE("LOGIN")))
        return VERDICT_ALLOW;
    return word_verdict_in(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_citrix_adc = {
    .name = "citrix_adc",
    .format = FORMAT_CITRIX_ADC,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
