/*
 * Cisco Meraki MX, MS and MR: an epoch, the device's name, the kind of event, then pairs.
 *
 *   1795222800.253011885 MX_1 flows src=192.0.2.7 dst=198.51.100.9 protocol=tcp sport=50000
 *       dport=443 pattern: allow all
 *   1795222800.257656306 MX_1 urls src=192.0.2.7:51960 dst=198.51.100.9:443 mac=02:00:00:00:00:01
 *       agent='Mozilla/5.0' request: GET http://www.example.com/
 *   1795222800.226844514 MX_1 events anyconnect_vpn_connect user id 'taro' local ip 192.0.2.8
 *       connected from 198.51.100.7
 *
 * Quotes are single. `pattern:` and `request:` run to the end of the line. A firewall line's verdict
 * is the word before the pairs, or the pattern's: "allow ..." and "0 ..." let through, "deny ..."
 * and "1 ..." do not.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_NONE,
    TREATMENT_URL,
    TREATMENT_ACCOUNT,
    TREATMENT_OWN_SOURCE,      /* an address, maybe with a port */
    TREATMENT_OWN_DESTINATION, /* the same */
    TREATMENT_OWN_TRANSLATED,  /* tells whose port translated_port is */
    TREATMENT_OWN_PORT,
    TREATMENT_OWN_TEXT, /* "Peer IP=192.0.2.7 Peer port=50000 User=taro: ..." */
};

struct meaning {
    struct slice name;
    uint16_t field;
    uint8_t treatment;
};

static const struct meaning KEYS[] = {
#define KEY(text, field_name, treat) \
    {{.data = (text), .len = sizeof(text) - 1}, FIELD_##field_name, TREATMENT_##treat},
#include "ingest/cisco_meraki_keys.def"
#undef KEY
};

#define PHRASES(PHRASE)                                     \
    PHRASE("Server IP=", DESTINATION_IP, NONE, WORD, 0)     \
    PHRASE("Server port=", DESTINATION_PORT, NONE, WORD, 0) \
    PHRASE("Peer IP=", SOURCE_IP, NONE, WORD, 0)            \
    PHRASE("Peer port=", SOURCE_PORT, NONE, WORD, 0)        \
    PHRASE("User[", USER_NAME, NONE, ACCOUNT, ']')          \
    PHRASE("User=", USER_NAME, NONE, ACCOUNT, ':')          \
    PHRASE("user id '", USER_NAME, NONE, ACCOUNT, '\'')     \
    PHRASE("local ip ", SOURCE_NAT_IP, NONE, WORD, 0)       \
    PHRASE("reconnected from ", SOURCE_IP, NONE, WORD, 0)   \
    PHRASE("connected from ", SOURCE_IP, NONE, WORD, 0)     \
    PHRASE("lease of ip ", SOURCE_IP, NONE, WORD, 0)        \
    PHRASE("for client mac ", SOURCE_MAC, NONE, WORD, ' ')  \
    PHRASE("for mac ", SOURCE_MAC, NONE, WORD, ' ')

PHRASE_TABLE(TABLE, PHRASES);

struct scan {
    struct cursor c;
    bool destination; /* the translated port is the destination's */
};

static const struct meaning *meaning_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (slice_equal(KEYS[i].name, name))
            return &KEYS[i];
    }
    return NULL;
}

/* "192.0.2.7:443", "2001:db8::7", "2001:0db8:...:7:443": of eight groups and one more, a port. */
static bool add_end(struct cursor *c, const char *from, const char *to, uint16_t ip, uint16_t port)
{
    size_t colons = 0;
    const char *last = to;
    bool shortened = false;
    for (const char *at = from; at < to; at++) {
        shortened |= *at == ':' && at + 1 < to && at[1] == ':';
        if (*at == ':') {
            colons++;
            last = at;
        }
    }
    const bool split = colons == 1 || (colons == 8 && !shortened);
    if (from < to && *from == '[') {
        const char *close = scan_byte(from, to, ']');
        return cursor_add(c, from + 1, close, ip) &&
               (close + 2 >= to || cursor_add(c, close + 2, to, port));
    }
    return cursor_add(c, from, split ? last : to, ip) &&
           (!split || last + 1 == to || cursor_add(c, last + 1, to, port));
}

static bool add_unnamed(struct cursor *c, struct slice name, const char *from, const char *to)
{
    struct slot key = {.offset = cursor_offset(c, name.data), .length = (uint32_t)name.len};
    struct slot value = {.offset = cursor_offset(c, from), .length = (uint32_t)(to - from)};
    return slots_add_unnamed(c->out, &key, &value);
}

static bool add_value(struct scan *s, struct slice name, const char *from, const char *to)
{
    struct cursor *c = &s->c;
    const struct meaning *known = meaning_of(name);
    const uint32_t length = (uint32_t)(to - from);
    if (known == NULL || known->field == FIELD_UNNAMED)
        return add_unnamed(c, name, from, to);
    switch ((enum treatment)known->treatment) {
    case TREATMENT_URL:
        return url_slots(c->out, c->line, cursor_offset(c, from), length, SLOT_PLAIN);
    case TREATMENT_ACCOUNT:
        return account_slots(c->out, c->line, cursor_offset(c, from), length, SLOT_PLAIN);
    case TREATMENT_OWN_SOURCE:
        return add_end(c, from, to, FIELD_SOURCE_IP, FIELD_SOURCE_PORT);
    case TREATMENT_OWN_DESTINATION:
        return add_end(c, from, to, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT);
    case TREATMENT_OWN_TRANSLATED:
        s->destination = known->field == FIELD_DESTINATION_NAT_IP;
        break;
    case TREATMENT_OWN_PORT:
        return cursor_add(c, from, to,
                          s->destination ? FIELD_DESTINATION_NAT_PORT : FIELD_SOURCE_NAT_PORT);
    case TREATMENT_OWN_TEXT: {
        const uint32_t mark = c->out->count;
        return phrase_add(c, &TABLE, from, to) &&
               (c->out->count > mark || cursor_add(c, from, to, known->field));
    }
    case TREATMENT_NONE:
        break;
    }
    return cursor_add(c, from, to, known->field);
}

/* "GET http://www.example.com/" */
static bool read_request(struct cursor *c)
{
    struct slice method = cursor_word(c);
    if (method.len > 0 && !cursor_add_slice(c, method, FIELD_HTTP_METHOD))
        return false;
    struct slice url = cursor_rest(c);
    c->at = c->end;
    return url.len == 0 ||
           url_slots(c->out, c->line, cursor_offset(c, url.data), (uint32_t)url.len, SLOT_PLAIN);
}

/* "allow all", "0 (tcp || udp) && dst port 443": the verdict and the rule. */
static bool read_pattern(struct cursor *c)
{
    struct slice word = cursor_word(c);
    struct slice rest = cursor_rest(c);
    c->at = c->end;
    return (word.len == 0 || cursor_add_slice(c, word, FIELD_EVENT_ACTION)) &&
           (rest.len == 0 || cursor_add_slice(c, rest, FIELD_RULE_NAME));
}

/* The bytes of a key before '=' at `at`, or 0. */
static size_t name_length(const char *at, const char *end)
{
    const char *p = at;
    while (p < end && (word_is_letter(*p) || word_is_digit(*p) || *p == '_' || *p == '-'))
        p++;
    return p < end && *p == '=' ? (size_t)(p - at) : 0;
}

/* Where a value ends: at its quote, at a blank, or with `msg= '...'` at the line's last quote. */
static bool read_pair(struct scan *s, size_t name)
{
    struct cursor *c = &s->c;
    const struct slice key = slice_of(c->at, name);
    const char *from = c->at + name + 1;
    if (from + 1 < c->end && from[0] == ' ' && from[1] == '\'')
        from++;
    char quote = ' ';
    if (from < c->end && (*from == '\'' || *from == '"'))
        quote = *from;
    from += quote != ' ';
    struct scan_walk quotes = scan_walk_from(from, c->end, quote, quote);
    const char *to = scan_walk_next(&quotes);
    while (quote != ' ' && to + 1 < c->end && to[1] != ' ')
        to = scan_walk_next(&quotes);
    c->at = to + (to < c->end && quote != ' ');
    return add_value(s, key, from, to);
}

static bool read_pairs(struct scan *s)
{
    struct cursor *c = &s->c;
    for (cursor_skip_blanks(c); c->at < c->end; cursor_skip_blanks(c)) {
        size_t name = name_length(c->at, c->end);
        if (name > 0) {
            if (!read_pair(s, name))
                return false;
        } else if (cursor_take(c, SLICE("pattern: "))) {
            if (!read_pattern(c))
                return false;
        } else if (cursor_take(c, SLICE("message: "))) {
            if (!cursor_add(c, c->at, c->end, FIELD_THREAT_NAME))
                return false;
            c->at = c->end;
        } else if (cursor_take(c, SLICE("request: "))) {
            if (!read_request(c))
                return false;
        } else {
            struct slice word = cursor_word(c);
            if (!cursor_add_slice(c, word, FIELD_COLUMN(0)))
                return false;
        }
    }
    return true;
}

/* "1795222800.253011885": nanoseconds behind the point. */
static bool is_epoch(struct slice word)
{
    if (word.len < 11 || word.len > 20 || word.data[10] != '.')
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (i != 10 && !word_is_digit(word.data[i]))
            return false;
    }
    return true;
}

static bool is_kind(struct slice word)
{
    static const struct slice KINDS[] = {{"flows", 5},
                                         {"urls", 4},
                                         {"events", 6},
                                         {"firewall", 8},
                                         {"ip_flow_start", 13},
                                         {"ip_flow_end", 11},
                                         {"ids-alerts", 10},
                                         {"security_event", 14},
                                         {"airmarshal_events", 17},
                                         {"cellular_firewall", 17},
                                         {"vpn_firewall", 12},
                                         {"bridge_anyconnect_client_vpn_firewall", 37}};
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (slice_equal(word, KINDS[i]))
            return true;
    }
    return false;
}

/* "anyconnect_vpn_connect user id 'taro' ...", "dhcp lease of ip 192.0.2.8 ...": a text. */
static bool read_event(struct scan *s)
{
    struct cursor *c = &s->c;
    struct cursor ahead = *c;
    struct slice word = cursor_word(&ahead);
    if (name_length(c->at, c->end) > 0)
        return read_pairs(s);
    if (!cursor_add_slice(c, word, FIELD_EVENT_SUBTYPE))
        return false;
    c->at = ahead.at;
    if (name_length(c->at, c->end) > 0)
        return read_pairs(s);
    const uint32_t mark = c->out->count;
    return phrase_add(c, &TABLE, c->at, c->end) &&
           (c->out->count > mark || c->at == c->end || cursor_add(c, c->at, c->end, FIELD_MESSAGE));
}

/* "allow" and "deny" in front of the pairs. */
static bool read_flow(struct scan *s)
{
    struct cursor *c = &s->c;
    if (name_length(c->at, c->end) == 0 && c->at < c->end) {
        struct slice word = cursor_word(c);
        if (!cursor_add_slice(c, word, FIELD_EVENT_ACTION))
            return false;
    }
    return read_pairs(s);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct scan s = {.c = cursor_at(out, line, from)};
    struct cursor *c = &s.c;
    (void)state;
    if (slice_starts(cursor_rest(c), SLICE("1 ")))
        (void)cursor_word(c); /* the version of an RFC 5424 header without a time of its form */
    struct slice epoch = cursor_word(c);
    struct slice device = cursor_word(c);
    struct slice kind = cursor_word(c);
    if (!is_epoch(epoch) || !is_kind(kind))
        return PARSE_MISMATCH;
    const size_t millis = epoch.len < 14 ? epoch.len : 14;
    if (!cursor_add(c, epoch.data, epoch.data + millis, FIELD_TIME_EPOCH) ||
        (millis < epoch.len &&
         !cursor_add(c, epoch.data + millis, epoch.data + epoch.len, FIELD_COLUMN(1))) ||
        !cursor_add_slice(c, device, FIELD_OBSERVER_NAME) ||
        !cursor_add_slice(c, kind, FIELD_EVENT_DATASET))
        return PARSE_PARTIAL;
    const bool event = word_holds(kind, SLICE("event")) || word_holds(kind, SLICE("alert"));
    bool whole = event ? read_event(&s) : read_flow(&s);
    return whole ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    if (slice_starts(cursor_rest(&c), SLICE("1 ")))
        (void)cursor_word(&c);
    struct slice epoch = cursor_word(&c);
    (void)cursor_word(&c);
    return is_epoch(epoch) && is_kind(cursor_word(&c));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("allow", ALLOW),  VERDICT_WORD("0", ALLOW),       VERDICT_WORD("deny", DENY),
        VERDICT_WORD("1", DENY),       VERDICT_WORD("blocked", BLOCK), VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("allowed", ALLOW)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_cisco_meraki = {
    .name = "cisco_meraki",
    .format = FORMAT_CISCO_MERAKI,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
