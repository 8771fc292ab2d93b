/*
 * Ivanti (Pulse) Connect Secure in the layout WELF:
 *
 *   id=firewall time="2026-11-21 10:00:00" pri=6 fw=192.0.2.1 vpn=gate1 ivs=Default Network user=taro
 *       realm="Staff" roles="VPN" proto=auth src=198.51.100.7 dst= dstname= type=vpn sent= rcvd= agent=""
 *       msg="AUT24804: Host Checker policy 'p' failed on host '198.51.100.7' ..."
 *
 * The message begins with its number.
 */
#include "event/verdict.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_MESSAGE = PAIR_OWN,
};

enum {
    CODE_BYTES = 8, /* AUT24804 */
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
    PHRASE("VPN Tunneling: Session started for user with IPv4 address ", HOST_IP, NONE, ADDRESS, 0)

PHRASE_TABLE(TABLE, PHRASES);

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
    return phrase_tell(&c, &TABLE, at, pair->close);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .absent = {.data = "", .len = 0},
    .own = add_message,
};

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
    if (pairs_name_length(&STYLE, at, p.end) == 0)
        return PARSE_MISMATCH;
    const uint32_t mark = out->count;
    enum parse_result result = pairs_read(&p, at);
    return pairs_ours(&p, mark, result);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return word_find_key(head, SLICE("time=\"")) && word_find_key(head, SLICE("fw=")) &&
           word_find_key(head, SLICE("vpn=")) && word_find_key(head, SLICE("realm=\""));
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
    .key_at = key_at,
};
