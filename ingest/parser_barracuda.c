/*
 * Barracuda CloudGen Firewall's syslog stream: level, appliance, then the log file's own text:
 *
 *   Info     fw1 Allow: LOUT|UDP|eth0|192.0.2.7|61988|02:00:00:00:00:01|198.51.100.9|53|domain||Rule|0|...
 *   Info     fw1 event: [10710] Insert Event from 192.0.2.1:56405 - (...|TCP 192.0.2.7:80 (eth1) -> 198.51.100.9:443)
 *   Info     fw1 boxconfig[77]: Session taro_fw1: Closed
 *   Info     fw1 update|fw1|PGRP-AUTH-taro|||||...|start|end|received|sent|192.0.2.7|||taro
 *
 * The Web Application Firewall has columns of its own (ingest/barracuda_waf.h).
 * Connections are columns behind the verb: type, protocol, interface, source, ..., user, application.
 */
#include "event/verdict.h"
#include "ingest/arrow.h"
#include "ingest/barracuda_waf.h"
#include "ingest/meaning.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    COLUMN_FLOW = 10,   /* columns of a connection that have no field */
    COLUMN_TUNNEL = 50, /* the same of a tunnel */
    COLUMNS_MAX = 40,
    FLOW_BARS_MIN = 10, /* that a connection has */
    VERB_BYTES_MAX = 32,
};

#define PHRASES(PHRASE)                                            \
    PHRASE("Login from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)      \
    PHRASE("Login for peer=", SOURCE_IP, NONE, ADDRESS, 0)         \
    PHRASE("Login ", USER_NAME, NONE, ACCOUNT, '_')                \
    PHRASE("Session from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)    \
    PHRASE("Session(", SOURCE_IP, SOURCE_PORT, ADDRESS, ')')       \
    PHRASE("from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)            \
    PHRASE("peer=", SOURCE_IP, NONE, ADDRESS, 0)                   \
    PHRASE("user=", USER_NAME, NONE, ACCOUNT, ' ')                 \
    PHRASE("to Control Center ", DESTINATION_IP, NONE, ADDRESS, 0) \
    PHRASE("Denied: ", EVENT_REASON, NONE, REST, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* Of a connection, behind the verb. */
static const uint16_t FLOW_FIELDS[] = {
    FIELD_SESSION_PHASE,       FIELD_NETWORK_TRANSPORT,   FIELD_OBSERVER_INGRESS,
    FIELD_SOURCE_IP,           FIELD_SOURCE_PORT,         FIELD_SOURCE_MAC,
    FIELD_DESTINATION_IP,      FIELD_DESTINATION_PORT,    FIELD_NETWORK_PROTOCOL,
    FIELD_OBSERVER_EGRESS,     FIELD_RULE_NAME,           FIELD_EVENT_REASON,
    FIELD_SOURCE_NAT_IP,       FIELD_DESTINATION_NAT_IP,  FIELD_EVENT_DURATION,
    FIELD_EVENT_COUNT,         FIELD_DESTINATION_BYTES,   FIELD_SOURCE_BYTES,
    FIELD_DESTINATION_PACKETS, FIELD_SOURCE_PACKETS,      FIELD_USER_NAME,
    FIELD_COLUMN(COLUMN_FLOW), FIELD_NETWORK_APPLICATION,
};

/* Of a tunnel. */
static const uint16_t TUNNEL_FIELDS[] = {
    FIELD_OBSERVER_NAME,
    FIELD_RULE_RULESET,
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_TIME_EPOCH,
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_DESTINATION_BYTES,
    FIELD_SOURCE_BYTES,
    FIELD_SOURCE_IP,
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_COLUMN(COLUMN_TUNNEL),
    FIELD_USER_NAME,
};

/* The same columns with their names: "type=FWD|proto=TCP|srcIF=eth1|srcIP=192.0.2.7". */
struct named_column {
    struct slice name; /* with its equals sign */
    uint16_t field;
};

#define NAMED(text, field_name)                                               \
    {                                                                         \
        {.data = (text "="), .len = sizeof(text "=") - 1}, FIELD_##field_name \
    }

static const struct named_column NAMED_COLUMNS[] = {
    NAMED("type", SESSION_PHASE),
    NAMED("proto", NETWORK_TRANSPORT),
    NAMED("srcIF", OBSERVER_INGRESS),
    NAMED("srcIP", SOURCE_IP),
    NAMED("srcPort", SOURCE_PORT),
    NAMED("srcMAC", SOURCE_MAC),
    NAMED("dstIP", DESTINATION_IP),
    NAMED("dstPort", DESTINATION_PORT),
    NAMED("dstService", NETWORK_PROTOCOL),
    NAMED("dstIF", OBSERVER_EGRESS),
    NAMED("rule", RULE_NAME),
    NAMED("info", EVENT_REASON),
    NAMED("srcNAT", SOURCE_NAT_IP),
    NAMED("dstNAT", DESTINATION_NAT_IP),
    NAMED("duration", EVENT_DURATION),
    NAMED("count", EVENT_COUNT),
    NAMED("receivedBytes", DESTINATION_BYTES),
    NAMED("sentBytes", SOURCE_BYTES),
    NAMED("receivedPackets", DESTINATION_PACKETS),
    NAMED("sentPackets", SOURCE_PACKETS),
    NAMED("user", USER_NAME),
    NAMED("protocol", COLUMN(COLUMN_FLOW)),
    NAMED("application", NETWORK_APPLICATION),
    NAMED("target", URL_DOMAIN),
    NAMED("content", COLUMN(COLUMN_FLOW)),
    NAMED("urlcat", RULE_CATEGORY),
};

/* The column's field by its name, whose bytes go to *name; by its position without one. */
static uint16_t column_field(struct slice text, uint16_t by_position, size_t *name)
{
    size_t len = 0;
    *name = 0;
    while (len < text.len && len < VERB_BYTES_MAX && word_is_letter(text.data[len]))
        len++;
    if (len == 0 || len == text.len || text.data[len] != '=')
        return by_position;
    for (size_t i = 0; i < sizeof(NAMED_COLUMNS) / sizeof(NAMED_COLUMNS[0]); i++) {
        const struct slice known = NAMED_COLUMNS[i].name;
        if (known.len == len + 1 && memcmp(known.data, text.data, len) == 0) {
            *name = known.len;
            return NAMED_COLUMNS[i].field;
        }
    }
    return by_position;
}

/* [at, end) as columns between bars. */
static bool add_columns(struct cursor *c, const uint16_t *fields, size_t count, uint16_t other)
{
    for (size_t i = 0; c->at <= c->end && i < COLUMNS_MAX; i++) {
        const char *bar = scan_byte(c->at, c->end, '|');
        const char *to = bar;
        while (to > c->at && (to[-1] == ' ' || to[-1] == '\r' || to[-1] == '\n'))
            to--;
        uint16_t field = i < count ? fields[i] : other;
        size_t name = 0;
        field = column_field(slice_of(c->at, (size_t)(to - c->at)), field, &name);
        c->at += name;
        if (to > c->at && !cursor_add(c, c->at, to, field))
            return false;
        c->at = bar + 1;
    }
    return c->at >= c->end || cursor_add(c, c->at, c->end, other);
}

/* The verb of "Allow: LOUT|UDP|...", or nothing. */
static struct slice find_verb(struct slice text)
{
    size_t len = 0;
    while (len < text.len && len < VERB_BYTES_MAX && word_is_letter(text.data[len]))
        len++;
    struct slice none = slice_of(text.data, 0);
    if (len == 0 || text.len - len < 3 || text.data[len] != ':' || text.data[len + 1] != ' ')
        return none;
    const char *end = text.data + text.len;
    const char *bar = scan_either(text.data + len + 2, end, '|', ' ');
    size_t bars = 0;
    if (bar == end || *bar == ' ')
        return none;
    for (size_t i = len; i < text.len && bars < FLOW_BARS_MIN; i++)
        bars += text.data[i] == '|';
    return bars < FLOW_BARS_MIN ? none : slice_of(text.data, len);
}

/* "GCSID_name_box_192.0.2.7_15743_25308": of a session of the control centre, from behind. */
static bool add_session(struct cursor *c, const char *id)
{
    const char *last = memrchr(id, '_', (size_t)(c->end - id));
    const char *port = last == NULL ? NULL : memrchr(id, '_', (size_t)(last - id));
    const char *address = port == NULL ? NULL : memrchr(id, '_', (size_t)(port - id));
    if (address == NULL)
        return cursor_add(c, c->at, c->end, FIELD_MESSAGE);
    return cursor_add(c, c->at, address, FIELD_MESSAGE) &&
           cursor_add(c, address + 1, port, FIELD_SOURCE_IP) &&
           cursor_add(c, port + 1, last, FIELD_SOURCE_PORT) &&
           cursor_add(c, last + 1, c->end, FIELD_NETWORK_SESSION);
}

/* "boxconfig[77]: ", "phibs: "; a name of letters with its colon. */
static bool add_process(struct cursor *c)
{
    const char *at = c->at;
    while (at < c->end && at - c->at < VERB_BYTES_MAX && word_is_letter(*at))
        at++;
    const char *name_end = at;
    if (at > c->at && at < c->end && *at == '[') {
        for (at++; at < c->end && word_is_digit(*at);)
            at++;
        if (at < c->end && *at == ']')
            at++;
    }
    if (name_end == c->at || c->end - at < 2 || at[0] != ':' || at[1] != ' ')
        return true;
    const char *from = c->at;
    c->at = at + 2;
    return cursor_add(c, from, name_end, FIELD_LOG_APPNAME) &&
           (at < name_end + 2 || cursor_add(c, name_end + 1, at - 1, FIELD_LOG_PROCID));
}

/* "Insert Event from 192.0.2.1:5 - (...)": the box that told is no party to what it tells. */
static bool add_event(struct cursor *c)
{
    const char *open = cursor_find(c, SLICE(" - ("));
    if (open == NULL || cursor_find(c, SLICE(" Event from ")) == NULL)
        return true;
    const char *from = c->at;
    c->at = open + 4;
    return cursor_add(c, from, open, FIELD_EVENT_SUBTYPE);
}

static enum parse_result parse_text(struct cursor *c)
{
    if (!cursor_take(c, SLICE("LOGIN ATTEMPT: ")) && !add_process(c))
        return PARSE_PARTIAL;
    if (!add_process(c) || !add_event(c))
        return PARSE_PARTIAL;
    if (cursor_take(c, SLICE("Session ")) && cursor_find(c, SLICE(": ")) != NULL) {
        const char *from = c->at;
        c->at = scan_byte(from, c->end, '_');
        if (!cursor_add(c, from, c->at, FIELD_USER_NAME))
            return PARSE_PARTIAL;
    }
    const char *session = cursor_find(c, SLICE("GCSID_"));
    bool whole = session != NULL ? add_session(c, session) : arrow_tell(c, &TABLE, c->at, c->end);
    return whole ? PARSE_OK : PARSE_PARTIAL;
}

/* "Info     fw1 ": the level is padded to nine bytes. */
static bool take_head(struct cursor *c, struct slice *level, struct slice *host)
{
    static const struct slice LEVELS[] = {{"Info     ", 9}, {"Security ", 9}, {"Warning  ", 9},
                                          {"Error    ", 9}, {"Notice   ", 9}, {"Panic    ", 9},
                                          {"Fatal    ", 9}, {"Critical ", 9}, {"Internal ", 9}};
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        const char *from = c->at;
        if (!cursor_take(c, LEVELS[i]))
            continue;
        *level = slice_of(from, (size_t)(scan_byte(from, c->at, ' ') - from));
        *host = cursor_word(c);
        return host->len > 0 && c->at < c->end;
    }
    return false;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    struct slice level;
    struct slice host;
    (void)state;
    if (!take_head(&c, &level, &host))
        return barracuda_waf_parse(&c);
    if (!cursor_add_slice(&c, level, FIELD_EVENT_SEVERITY) ||
        !cursor_add_slice(&c, host, FIELD_OBSERVER_NAME))
        return PARSE_PARTIAL;
    if (cursor_take(&c, SLICE("update|"))) {
        bool whole =
            add_columns(&c, TUNNEL_FIELDS, sizeof(TUNNEL_FIELDS) / sizeof(TUNNEL_FIELDS[0]),
                        FIELD_COLUMN(COLUMN_TUNNEL));
        return whole ? PARSE_OK : PARSE_PARTIAL;
    }
    struct slice verb = find_verb(cursor_rest(&c));
    if (verb.len == 0)
        return parse_text(&c);
    c.at += verb.len + 2;
    return cursor_add_slice(&c, verb, FIELD_EVENT_ACTION) &&
                   add_columns(&c, FLOW_FIELDS, sizeof(FLOW_FIELDS) / sizeof(FLOW_FIELDS[0]),
                               FIELD_COLUMN(COLUMN_FLOW))
               ? PARSE_OK
               : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct slice level;
    struct slice host;
    return take_head(&c, &level, &host) || barracuda_waf_probe(word_head(message));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("block", BLOCK),   VERDICT_WORD("deny", DENY),
        VERDICT_WORD("drop", DROP),     VERDICT_WORD("allow", ALLOW),
        VERDICT_WORD("detect", ALERT),  VERDICT_WORD("fail", DENY),
        VERDICT_WORD("scan", ALERT),    VERDICT_WORD("remove", ALLOW),
        VERDICT_WORD("redirect", BLOCK)};
    static const struct verdict_word WHOLE[] = {VERDICT_WORD("log", ALERT)};
    (void)beside;
    const uint8_t found = word_verdict(WHOLE, sizeof(WHOLE) / sizeof(WHOLE[0]), action);
    return found != VERDICT_UNKNOWN
               ? found
               : word_verdict_in(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_barracuda = {
    .name = "barracuda",
    .format = FORMAT_BARRACUDA,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
