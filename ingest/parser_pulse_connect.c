/*
 * Ivanti (Pulse) Connect Secure in the layouts WELF and standard:
 *
 *   id=firewall time="2026-11-21 10:00:00" pri=6 fw=192.0.2.1 vpn=gate1 ivs=Default Network user=taro
 *       realm="Staff" roles="VPN" proto=auth src=198.51.100.7 dst= dstname= type=vpn sent= rcvd= agent=""
 *       msg="AUT24804: Host Checker policy 'p' failed on host '198.51.100.7' ..."
 *
 *   2026-11-21 10:00:00 - gate1 - [198.51.100.7] EXAMPLE\taro(Staff)[VPN, Mail] - Login failed using ...
 *
 * In WELF the message begins with its number.
 */
#include "event/verdict.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_MESSAGE = PAIR_OWN,
};

enum {
    CODE_BYTES = 8,   /* AUT24804 */
    STAMP_BYTES = 19, /* yyyy-mm-dd hh:mm:ss */
};

/* Sorted by key. */
static const struct pair_key KEYS[] = {
    PAIR_KEY("agent", USER_AGENT, PAIR_ABSENT),
    PAIR_KEY("arg", URL_ORIGINAL, PAIR_URL),
    PAIR_KEY("dst", DESTINATION_IP, PAIR_ABSENT),
    PAIR_KEY("dstname", DESTINATION_DOMAIN, PAIR_ABSENT),
    PAIR_KEY("duration", EVENT_DURATION, PAIR_ABSENT),
    PAIR_KEY("fw", OBSERVER_IP, PAIR_ABSENT),
    PAIR_KEY("ivs", OBSERVER_VSYS, PAIR_ABSENT),
    PAIR_KEY("msg", MESSAGE, TREATMENT_MESSAGE),
    PAIR_KEY("op", HTTP_METHOD, PAIR_ABSENT),
    PAIR_KEY("pri", EVENT_SEVERITY, PAIR_ABSENT),
    PAIR_KEY("proto", NETWORK_PROTOCOL, PAIR_ABSENT),
    PAIR_KEY("rcvd", DESTINATION_BYTES, PAIR_ABSENT),
    PAIR_KEY("realm", USER_DOMAIN, PAIR_ABSENT),
    PAIR_KEY("result", HTTP_STATUS, PAIR_ABSENT),
    PAIR_KEY("roles", USER_GROUP, PAIR_ABSENT),
    PAIR_KEY("sent", SOURCE_BYTES, PAIR_ABSENT),
    PAIR_KEY("src", SOURCE_IP, PAIR_ABSENT),
    PAIR_KEY("time", TIME_STAMP, PAIR_NONE),
    PAIR_KEY("type", EVENT_DATASET, PAIR_ABSENT),
    PAIR_KEY("user", USER_NAME, PAIR_ACCOUNT),
    PAIR_KEY("vpn", OBSERVER_NAME, PAIR_ABSENT),
};

#define PHRASES(PHRASE)                                                     \
    PHRASE("Host Checker policy '", RULE_NAME, NONE, WORD, '\'')            \
    PHRASE("connect to '", DESTINATION_IP, DESTINATION_PORT, ADDRESS, '\'') \
    PHRASE("(URL=", URL_ORIGINAL, NONE, URL, ')')                           \
    PHRASE("request url ", URL_ORIGINAL, NONE, URL, ' ')                    \
    PHRASE("with IPv4 address ", HOST_IP, NONE, ADDRESS, 0)                 \
    PHRASE("with IPv6 address ", HOST_IP, NONE, ADDRESS, 0)                 \
    PHRASE("User with IP ", HOST_IP, NONE, ADDRESS, 0)                      \
    PHRASE("user with NCIP ", HOST_IP, NONE, ADDRESS, 0)                    \
    PHRASE(", hostname ", HOST_NAME, NONE, WORD, 0)                         \
    PHRASE("(session:", NETWORK_SESSION, NONE, WORD, ')')                   \
    PHRASE("Connected to ", DESTINATION_IP, NONE, ADDRESS, 0)               \
    PHRASE("connection to ", DESTINATION_IP, NONE, ADDRESS, 0)              \
    PHRASE(" port ", DESTINATION_PORT, NONE, NUMBER, 0)                     \
    PHRASE(" Host: ", DESTINATION_DOMAIN, NONE, WORD, 0)                    \
    PHRASE(" Request: ", URL_ORIGINAL, NONE, REQUEST, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* What a message begins with that says what was done. */
static const struct verdict_word ACTIONS[] = {
    VERDICT_WORD("primary authentication failed", DENY),
    VERDICT_WORD("secondary authentication failed", DENY),
    VERDICT_WORD("login failed", DENY),
    VERDICT_WORD("agent login failed", DENY),
    VERDICT_WORD("ssl negotiation failed", DENY),
    VERDICT_WORD("primary authentication successful", ALLOW),
    VERDICT_WORD("secondary authentication successful", ALLOW),
    VERDICT_WORD("login succeeded", ALLOW),
    VERDICT_WORD("agent login succeeded", ALLOW),
    VERDICT_WORD("vpn tunneling: session started", ALLOW),
    VERDICT_WORD("vpn tunneling: session ended", UNKNOWN),
    VERDICT_WORD("session timed out", UNKNOWN),
    VERDICT_WORD("max session timeout", UNKNOWN),
    VERDICT_WORD("logout", UNKNOWN),
    VERDICT_WORD("webrequest ok", ALLOW),
    VERDICT_WORD("webrequest completed", ALLOW),
};

/* The words of the action apart, the values in the text behind them, and the text. */
static bool add_text(struct cursor *c, const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    struct slice text = slice_of(from, (size_t)(to - from));
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        struct slice words = ACTIONS[i].word;
        bool whole = word_begins(text, words) &&
                     (text.len == words.len || !word_is_letter(text.data[words.len]));
        if (!whole)
            continue;
        if (!cursor_add(c, from, from + words.len, FIELD_EVENT_ACTION))
            return false;
        from += words.len;
        break;
    }
    return phrase_tell(c, &TABLE, from, to);
}

/* "AUT24804: text" */
static bool add_message(struct pairs *p, const struct pair *pair)
{
    struct slice text = pair_value(pair);
    const char *at = pair->value;
    bool coded = text.len > CODE_BYTES && text.data[CODE_BYTES] == ':' &&
                 word_is_letter(text.data[0]) && word_is_letter(text.data[2]) &&
                 word_is_digit(text.data[3]) && word_is_digit(text.data[CODE_BYTES - 1]);
    if (coded) {
        if (!pairs_add(p, pair, at, at + CODE_BYTES, FIELD_EVENT_CODE))
            return false;
        at += CODE_BYTES + 1;
    }
    struct cursor c = cursor_at(p->out, p->line, (uint32_t)(at - p->line.data));
    return add_text(&c, at, pair->close);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .absent = {.data = "", .len = 0},
    .own = add_message,
};

static bool is_stamp(struct slice text)
{
    static const char FORM[] = "0000-00-00 00:00:00";
    if (text.len <= STAMP_BYTES)
        return false;
    for (size_t i = 0; i < STAMP_BYTES; i++) {
        if (FORM[i] == '0' ? !word_is_digit(text.data[i]) : text.data[i] != FORM[i])
            return false;
    }
    return slice_starts(slice_from_offset(text, STAMP_BYTES), SLICE(" - "));
}

/* "EXAMPLE\taro(Staff)[VPN, Mail]"; the realm may have parentheses of its own. */
static bool add_who(struct cursor *c, const char *from, const char *to)
{
    const char *roles = memmem(from, (size_t)(to - from), ")[", 2);
    const char *realm = scan_byte(from, to, '(');
    if (roles == NULL || realm > roles || to[-1] != ']')
        return from == to || cursor_add(c, from, to, FIELD_USER_NAME);
    uint32_t at = cursor_offset(c, from);
    return (from == realm ||
            account_slots(c->out, c->line, at, (uint32_t)(realm - from), SLOT_PLAIN)) &&
           (realm + 1 == roles || cursor_add(c, realm + 1, roles, FIELD_USER_DOMAIN)) &&
           (roles + 3 == to || cursor_add(c, roles + 2, to - 1, FIELD_USER_GROUP));
}

/* stamp - gate - [address] who - text */
static enum parse_result parse_standard(struct cursor *c)
{
    const char *stamp = c->at;
    c->at += STAMP_BYTES + 3;
    const char *gate_end = cursor_find(c, SLICE(" - ["));
    if (gate_end == NULL)
        return PARSE_MISMATCH;
    const char *gate = c->at;
    c->at = gate_end + 4;
    const char *close = scan_byte(c->at, c->end, ']');
    if (close == c->end || !url_host_is_address(slice_of(c->at, (size_t)(close - c->at))))
        return PARSE_MISMATCH;
    const char *address = c->at;
    c->at = close + 1;
    cursor_skip_blanks(c);
    const char *who = c->at;
    const char *who_end = cursor_find(c, SLICE("] - "));
    bool told = cursor_add(c, stamp, stamp + STAMP_BYTES, FIELD_TIME_STAMP) &&
                cursor_add(c, gate, gate_end, FIELD_OBSERVER_NAME) &&
                cursor_add(c, address, close, FIELD_SOURCE_IP);
    if (!told || who_end == NULL)
        return PARSE_PARTIAL;
    return add_who(c, who, who_end + 1) && add_text(c, who_end + 4, c->end) ? PARSE_OK
                                                                            : PARSE_PARTIAL;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .separator = ' '};
    const char *at = line.data + from;
    while (at < p.end && *at == ' ')
        at++;
    while (p.end > at && (p.end[-1] == '\n' || p.end[-1] == '\r' || p.end[-1] == ' '))
        p.end--;
    if (is_stamp(slice_of(at, (size_t)(p.end - at)))) {
        struct cursor c = {.out = out, .line = line, .at = at, .end = p.end};
        return parse_standard(&c);
    }
    if (pairs_name_length(&STYLE, at, p.end) == 0)
        return PARSE_MISMATCH;
    const uint32_t mark = out->count;
    enum parse_result result = pairs_read(&p, at);
    return pairs_ours(&p, mark, result);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    if (is_stamp(head))
        return word_find(head, SLICE(" - [")) && word_find(head, SLICE(")[")) &&
               word_find(head, SLICE("] - "));
    return word_find_key(head, SLICE("time=\"")) && word_find_key(head, SLICE("fw=")) &&
           word_find_key(head, SLICE("vpn=")) && word_find_key(head, SLICE("realm=\""));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    return word_verdict(ACTIONS, sizeof(ACTIONS) / sizeof(ACTIONS[0]), action);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

const struct parser parser_pulse_connect = {
    .name = "pulse_connect",
    .format = FORMAT_PULSE_CONNECT,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .key_at = key_at,
};
