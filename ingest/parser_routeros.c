/*
 * MikroTik RouterOS' firewall log:
 *
 *   firewall,info DROP forward: in:bridge out:ether1, connection-state:new src-mac 02:00:00:00:00:01,
 *       proto TCP (SYN), 192.0.2.7:40000->198.51.100.9:443, NAT (192.0.2.7:40000->203.0.113.1:40000)->198.51.100.9:443, len 60
 *   forward: in:bridge(ether2) out:ether1, proto ICMP (type 8, code 0), 192.0.2.7->198.51.100.9, len 84
 *
 * The topics are left out by the BSD syslog setting; what the operator put in front of the chain is
 * the rule. Of other topics logins, leases, tunnels, changes, questions of the DNS
 * and the web proxy's requests are read:
 *
 *   system,error,critical login failure for user admin from 192.0.2.7 via ssh
 *   l2tp,ppp,info,account taro logged in, 192.0.2.201 from 198.51.100.7
 *   system,info filter rule changed by winbox-3.40/tcp-msg(winbox):admin@192.0.2.7 (/ip firewall filter set *1)
 *   hotspot,info,debug taro (192.0.2.7): login failed: invalid username or password
 *   dhcp,info dhcp1 assigned 192.0.2.77 to 02:00:00:00:00:07
 *   dns,packet query from 192.0.2.7: #12 www.example.com. A
 *   ipsec,info respond new phase 1 (Identity Protection): 203.0.113.1[500]<=>198.51.100.7[500]
 *   web-proxy,account 192.0.2.7 GET http://www.example.com/a action=allow cache=MISS
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/meaning.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    HEAD_BYTES_MAX = 128, /* topics, rule and chain */
    TOPICS_BYTES_MAX = 64,
    MAC_BYTES = 17,
};

#define PHRASES(PHRASE)                                 \
    PHRASE("for user ", USER_NAME, NONE, ACCOUNT, ' ')  \
    PHRASE("user ", USER_NAME, NONE, ACCOUNT, ' ')      \
    PHRASE("changed by ", USER_NAME, NONE, ACCOUNT, 0)  \
    PHRASE("added by ", USER_NAME, NONE, ACCOUNT, 0)    \
    PHRASE("removed by ", USER_NAME, NONE, ACCOUNT, 0)  \
    PHRASE("from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0) \
    PHRASE("assigned ", HOST_IP, NONE, ADDRESS, 0)      \
    PHRASE(", ", HOST_IP, NONE, ADDRESS, 0)             \
    PHRASE("action=", EVENT_ACTION, NONE, WORD, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* Where ": in:" begins behind the chain; NULL where it is no line of the firewall. */
static const char *find_chain(struct slice text)
{
    size_t limit = text.len < HEAD_BYTES_MAX ? text.len : HEAD_BYTES_MAX;
    const char *end = text.data + limit;
    const char *in = scan_text(text.data, end, SLICE(": in:"));
    return in < end && word_find(word_head(text), SLICE(" out:")) ? in : NULL;
}

/* "firewall,info DROP forward" */
static bool add_head(struct cursor *c, const char *end)
{
    const char *blank = scan_byte(c->at, end, ' ');
    if (blank < end && memchr(c->at, ',', (size_t)(blank - c->at)) != NULL) {
        if (!cursor_add(c, c->at, blank, FIELD_EVENT_DATASET))
            return false;
        c->at = blank + 1;
    }
    const char *chain = end;
    while (chain > c->at && chain[-1] != ' ')
        chain--;
    const char *rule_end = chain;
    while (rule_end > c->at && rule_end[-1] == ' ')
        rule_end--;
    return (rule_end == c->at || cursor_add(c, c->at, rule_end, FIELD_EVENT_ACTION)) &&
           cursor_add(c, chain, end, FIELD_RULE_RULESET);
}

static bool add_value(struct cursor *c, const char *from, const char *to, uint16_t field)
{
    return from == to || cursor_add(c, from, to, field);
}

/* "192.0.2.7:40000->198.51.100.9:443" */
static bool add_peers(struct cursor *c, const char *from, const char *to, const uint16_t fields[2])
{
    const char *arrow = scan_text(from, to, SLICE("->"));
    if (arrow == to)
        return add_value(c, from, to, FIELD_MESSAGE);
    const struct slot source = {.offset = cursor_offset(c, from),
                                .length = (uint32_t)(arrow - from)};
    const struct slot target = {.offset = cursor_offset(c, arrow + 2),
                                .length = (uint32_t)(to - arrow - 2)};
    return peer_slots(c->out, c->line, fields[0], &source) &&
           peer_slots(c->out, c->line, fields[1], &target);
}

/* "NAT (a->b)->c" of a source that is translated, "NAT a->(b->c)" of a destination. */
static bool add_translation(struct cursor *c, const char *from, const char *to)
{
    static const uint16_t NAT[2] = {FIELD_SOURCE_NAT_IP, FIELD_DESTINATION_NAT_IP};
    const char *open = scan_byte(from, to, '(');
    const char *close = scan_byte(open, to, ')');
    const char *arrow = scan_text(open, close, SLICE("->"));
    if (close == to || arrow == close)
        return add_value(c, from, to, FIELD_MESSAGE);
    const bool source = open == from;
    const struct slot translated = {.offset = cursor_offset(c, arrow + 2),
                                    .length = (uint32_t)(close - arrow - 2)};
    return peer_slots(c->out, c->line, NAT[source ? 0 : 1], &translated);
}

/* One part between commas; a comma in parentheses ends none. */
static const char *part_end(const char *at, const char *end)
{
    int depth = 0;
    for (; at < end; at++) {
        depth += *at == '(';
        depth -= *at == ')';
        if (*at == ',' && depth <= 0 && end - at > 1 && at[1] == ' ')
            return at;
    }
    return end;
}

/* "TCP (SYN)", "UDP": so the filter of bridges writes it. */
static bool is_protocol(struct slice text)
{
    static const struct slice NAMES[] = {{"TCP", 3}, {"UDP", 3}, {"ICMP", 4}, {"ICMPv6", 6}};
    const char *end = text.data + text.len;
    struct slice word = slice_of(text.data, (size_t)(scan_byte(text.data, end, ' ') - text.data));
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_equal(word, NAMES[i]))
            return true;
    }
    return false;
}

static bool add_protocol(struct cursor *c, const char *from, const char *to)
{
    const char *open = scan_byte(from, to, '(');
    const char *name_end = open;
    while (name_end > from && name_end[-1] == ' ')
        name_end--;
    const char *close = scan_byte(open, to, ')');
    if (!add_value(c, from, name_end, FIELD_NETWORK_TRANSPORT))
        return false;
    if (open == to)
        return true;
    struct slice detail = slice_of(open + 1, (size_t)(close - open - 1));
    const char *code = memmem(detail.data, detail.len, ", code ", 7);
    if (!slice_starts(detail, SLICE("type ")) || code == NULL)
        return add_value(c, detail.data, close, FIELD_NETWORK_TCP_FLAGS);
    return add_value(c, detail.data + 5, code, FIELD_ICMP_TYPE) &&
           add_value(c, code + 7, close, FIELD_ICMP_CODE);
}

/* "in:bridge out:ether1", "connection-state:new src-mac 02:..", "proto TCP (SYN)", "len 60" */
static bool add_part(struct cursor *c, const char *from, const char *to)
{
    static const uint16_t PEERS[2] = {FIELD_SOURCE_IP, FIELD_DESTINATION_IP};
    struct slice text = slice_of(from, (size_t)(to - from));
    if (slice_starts(text, SLICE("in:"))) {
        const char *out = memmem(from, text.len, " out:", 5);
        if (out != NULL && slice_starts(slice_of(out, (size_t)(to - out)), SLICE(" out:(unknown ")))
            return add_value(c, from + 3, out, FIELD_OBSERVER_INGRESS); /* the router's own */
        return out == NULL ? add_value(c, from + 3, to, FIELD_OBSERVER_INGRESS)
                           : add_value(c, from + 3, out, FIELD_OBSERVER_INGRESS) &&
                                 add_value(c, out + 5, to, FIELD_OBSERVER_EGRESS);
    }
    if (slice_starts(text, SLICE("proto ")))
        return add_protocol(c, from + 6, to);
    if (is_protocol(text))
        return add_protocol(c, from, to);
    if (slice_starts(text, SLICE("dst-mac ")))
        return add_value(c, from + 8, to, FIELD_DESTINATION_MAC);
    if (slice_starts(text, SLICE("NAT ")))
        return add_translation(c, from + 4, to);
    if (slice_starts(text, SLICE("len ")))
        return add_value(c, from + 4, to, FIELD_NETWORK_BYTES);
    if (slice_starts(text, SLICE("prio ")))
        return add_value(c, from, to, FIELD_MESSAGE); /* "prio 6->0": no ends */
    const char *mac = scan_text(from, to, SLICE("src-mac "));
    if (mac < to)
        return add_value(c, from, mac, FIELD_MESSAGE) &&
               add_value(c, mac + 8, to, FIELD_SOURCE_MAC);
    const char *proto = scan_text(from, to, SLICE(" proto "));
    if (proto <
        to) /* "connection-state:new proto TCP (SYN)": of an interface without such addresses */
        return add_value(c, from, proto, FIELD_MESSAGE) && add_protocol(c, proto + 7, to);
    if (scan_text(from, to, SLICE("->")) < to)
        return add_peers(c, from, to, PEERS);
    return add_value(c, from, to, FIELD_MESSAGE);
}

/* "system,info,account": topics of the router in front of a text, one of them its level; their
 * length or 0. */
static size_t topics_length(struct slice text)
{
    static const struct slice TOPICS[] = {
        {"system", 6},   {"dhcp", 4},      {"interface", 9}, {"ppp", 3},      {"l2tp", 4},
        {"pptp", 4},     {"sstp", 4},      {"ovpn", 4},      {"pppoe", 5},    {"ipsec", 5},
        {"hotspot", 7},  {"web-proxy", 9}, {"wireless", 8},  {"caps", 4},     {"dns", 3},
        {"script", 6},   {"wireguard", 9}, {"radius", 6},    {"firewall", 8}, {"account", 7},
        {"ssh", 3},      {"manager", 7},   {"bridge", 6},    {"route", 5},    {"certificate", 11},
        {"netwatch", 8}, {"dude", 4},      {"upnp", 4},      {"e-mail", 6},   {"backup", 6}};
    static const struct slice LEVELS[] = {
        {",info", 5},    {",error", 6},  {",warning", 8}, {",critical", 9}, {",debug", 6},
        {",account", 8}, {",packet", 7}, {",event", 6},   {",stp", 4},      {",raw", 4}};
    size_t limit = text.len < TOPICS_BYTES_MAX ? text.len : TOPICS_BYTES_MAX;
    const char *end = scan_byte(text.data, text.data + limit, ' ');
    struct slice topics = slice_of(text.data, (size_t)(end - text.data));
    struct slice first = slice_of(text.data, (size_t)(scan_byte(text.data, end, ',') - text.data));
    bool known = false;
    bool level = slice_starts(text, SLICE("dns query from ")) ||
                 slice_starts(text, SLICE("dns done query: "));
    for (size_t i = 0; !known && i < sizeof(TOPICS) / sizeof(TOPICS[0]); i++)
        known = slice_equal(first, TOPICS[i]);
    for (size_t i = 0; known && !level && i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++)
        level = scan_text(topics.data, end, LEVELS[i]) < end;
    return known && level && topics.len < limit ? topics.len : 0;
}

/* "login failure for user admin from 192.0.2.7 via ssh", also without topics. */
static bool is_login(struct slice text)
{
    return (slice_starts(text, SLICE("login failure for user ")) ||
            (slice_starts(text, SLICE("user ")) &&
             (word_find(text, SLICE(" logged in from ")) ||
              word_find(text, SLICE(" logged out from "))))) &&
           word_find(text, SLICE(" via "));
}

/* "02:00:00:00:00:07" as a word of the text; NULL where there is none. */
static const char *find_mac(const char *from, const char *end)
{
    for (const char *at = from; end - at >= MAC_BYTES; at++) {
        bool colons =
            at[2] == ':' && at[5] == ':' && at[8] == ':' && at[11] == ':' && at[14] == ':';
        bool begins = at == from || at[-1] == ' ';
        bool ends = end - at == MAC_BYTES || at[MAC_BYTES] == ' ' || at[MAC_BYTES] == '@';
        if (colons && begins && ends)
            return at;
    }
    return NULL;
}

/* Text with who and where in it, and a hardware address. */
static bool tell_text(struct cursor *c, const char *from, const char *to)
{
    const char *mac = find_mac(from, to);
    if (mac == NULL)
        return phrase_tell(c, &TABLE, from, to);
    return phrase_tell(c, &TABLE, from, mac) &&
           cursor_add(c, mac, mac + MAC_BYTES, FIELD_SOURCE_MAC) &&
           phrase_tell(c, &TABLE, mac + MAC_BYTES, to);
}

/* The same; of who changed what RouterOS 7 says the way: "by winbox-3.40/tcp-msg(winbox):admin@192.0.2.7 (...)". */
static bool tell(struct cursor *c, const char *from, const char *to)
{
    const char *by = scan_text(from, to, SLICE(" by "));
    const char *way = by == to ? to : by + 4;
    const char *end = scan_byte(way, to, ' ');
    const char *sign = memrchr(way, '@', (size_t)(end - way));
    const char *colon = sign == NULL ? NULL : memrchr(way, ':', (size_t)(sign - way));
    if (colon == NULL || colon + 1 == sign || sign + 1 == end)
        return tell_text(c, from, to);
    const bool mac = find_mac(sign + 1, end) != NULL;
    return tell_text(c, from, way) && cursor_add(c, way, colon, FIELD_MESSAGE) &&
           cursor_add(c, colon + 1, sign, FIELD_USER_NAME) &&
           cursor_add(c, sign + 1, end, mac ? FIELD_SOURCE_MAC : FIELD_SOURCE_IP) &&
           tell_text(c, end, to);
}

/* What was done to an account or a lease, where the text says so. */
static struct slice find_deed(const struct cursor *c)
{
    static const struct slice DEEDS[] = {
        {"login failure", 13}, {"login failed", 12}, {"authentication failed", 21},
        {"logged in", 9},      {"logged out", 10},   {"assigned", 8},
        {"deassigned", 10}};
    for (size_t i = 0; i < sizeof(DEEDS) / sizeof(DEEDS[0]); i++) {
        const char *found = cursor_find(c, DEEDS[i]);
        if (found != NULL && (found == c->at || found[-1] == ' '))
            return slice_of(found, DEEDS[i].len);
    }
    return (struct slice){0};
}

/* "taro" of a tunnel, "taro (192.0.2.7):" of the hotspot, both in front of the deed; else a text. */
static bool tell_doer(struct cursor *c, struct slice deed)
{
    struct cursor ahead = *c;
    cursor_take(&ahead, SLICE("->: "));
    struct slice name = cursor_word(&ahead);
    const char *open = ahead.at;
    const char *close = scan_text(open, deed.data, SLICE("):"));
    bool guest = *open == '(' && close < deed.data &&
                 url_host_is_address(slice_of(open + 1, (size_t)(close - open - 1)));
    bool tunnel = open == deed.data && slice_starts(deed, SLICE("logged "));
    if (!guest && !tunnel)
        return tell(c, c->at, deed.data);
    return account_slots(c->out, c->line, cursor_offset(c, name.data), (uint32_t)name.len,
                         SLOT_PLAIN) &&
           (!guest || cursor_add(c, open + 1, close, FIELD_SOURCE_IP));
}

/* Behind the deed: the reason behind a colon, a lease's address, or where from. */
static bool tell_rest(struct cursor *c, struct slice deed)
{
    const char *at = deed.data + deed.len;
    bool reason = slice_starts(slice_of(at, (size_t)(c->end - at)), SLICE(": "));
    if (reason && at + 2 < c->end)
        return cursor_add(c, at + 2, c->end, FIELD_EVENT_REASON);
    if (!word_find(deed, SLICE("assigned")))
        return tell(c, at, c->end);
    while (at < c->end && *at == ' ')
        at++;
    const char *stop = scan_byte(at, c->end, ' ');
    bool lease = url_host_is_address(slice_of(at, (size_t)(stop - at)));
    return (!lease || cursor_add(c, at, stop, FIELD_HOST_IP)) && tell(c, lease ? stop : at, c->end);
}

static bool tell_account(struct cursor *c)
{
    const struct slice deed = find_deed(c);
    if (deed.len == 0)
        return tell(c, c->at, c->end);
    return tell_doer(c, deed) && cursor_add_slice(c, deed, FIELD_EVENT_ACTION) &&
           tell_rest(c, deed);
}

/* "query from 192.0.2.7: #12 www.example.com. A" */
static bool tell_question(struct cursor *c)
{
    struct cursor ahead = *c;
    if (!cursor_take(&ahead, SLICE("query from ")))
        return tell(c, c->at, c->end);
    struct slice client = cursor_word(&ahead);
    if (client.len > 0 && client.data[client.len - 1] == ':')
        client.len--;
    struct slice number = cursor_word(&ahead);
    struct slice name = cursor_word(&ahead);
    struct slice type = cursor_word(&ahead);
    if (!url_host_is_address(client) || name.len == 0)
        return tell(c, c->at, c->end);
    name.len -= name.len > 1 && name.data[name.len - 1] == '.';
    return cursor_add_slice(c, client, FIELD_SOURCE_IP) &&
           cursor_add_slice(c, number, FIELD_MESSAGE) &&
           cursor_add_slice(c, name, FIELD_DNS_QUESTION) &&
           (type.len == 0 || cursor_add_slice(c, type, FIELD_DNS_TYPE));
}

/* "203.0.113.1[500]" */
static bool add_end(struct cursor *c, const char *from, const char *to, uint16_t address,
                    uint16_t port)
{
    const char *open = scan_byte(from, to, '[');
    return add_value(c, from, open, address) &&
           (open + 2 >= to || cursor_add(c, open + 1, to - 1, port));
}

/* "203.0.113.1[500]<=>198.51.100.7[500]", with '-' in RouterOS 7: this end and the other one, who asks
 * unless this one does. */
static bool tell_tunnel(struct cursor *c)
{
    bool ours = slice_starts(cursor_rest(c), SLICE("initiate"));
    for (struct cursor ahead = *c; ahead.at < ahead.end;) {
        struct slice word = cursor_word(&ahead);
        const char *end = word.data + word.len;
        const char *close = scan_byte(word.data, end, ']');
        const char *other = close;
        while (other < end && strchr("]<=>-", *other) != NULL)
            other++;
        const char *open = scan_byte(word.data, close, '[');
        if (word.data == c->at && url_host_is_address(word))
            return cursor_add_slice(c, word, FIELD_SOURCE_IP) && tell(c, ahead.at, c->end);
        if (other == end || open == close || end[-1] != ']' ||
            !url_host_is_address(slice_of(word.data, (size_t)(open - word.data))))
            continue;
        const uint16_t from = ours ? FIELD_SOURCE_IP : FIELD_DESTINATION_IP;
        const uint16_t from_port = ours ? FIELD_SOURCE_PORT : FIELD_DESTINATION_PORT;
        const uint16_t to = ours ? FIELD_DESTINATION_IP : FIELD_SOURCE_IP;
        const uint16_t to_port = ours ? FIELD_DESTINATION_PORT : FIELD_SOURCE_PORT;
        return tell(c, c->at, word.data) && add_end(c, word.data, close + 1, from, from_port) &&
               add_end(c, other, end, to, to_port) && tell(c, end, c->end);
    }
    return tell(c, c->at, c->end);
}

/* "192.0.2.7 GET http://www.example.com/a action=allow cache=MISS" */
static bool tell_request(struct cursor *c)
{
    struct cursor ahead = *c;
    struct slice client = cursor_word(&ahead);
    struct slice method = cursor_word(&ahead);
    struct slice url = cursor_word(&ahead);
    if (!url_host_is_address(client) || url.len == 0)
        return tell(c, c->at, c->end);
    return cursor_add_slice(c, client, FIELD_SOURCE_IP) &&
           cursor_add_slice(c, method, FIELD_HTTP_METHOD) &&
           url_slots(c->out, c->line, cursor_offset(c, url.data), (uint32_t)url.len, SLOT_PLAIN) &&
           tell(c, ahead.at, c->end);
}

/* Who tells the texts of a topic. */
static bool tell_topic(struct cursor *c, struct slice topics)
{
    if (slice_starts(topics, SLICE("web-proxy")))
        return tell_request(c);
    if (slice_starts(topics, SLICE("dns")))
        return tell_question(c);
    return slice_starts(topics, SLICE("ipsec")) ? tell_tunnel(c) : tell_account(c);
}

static bool add_event(struct cursor *c, size_t length)
{
    const struct slice topics = slice_of(c->at, length);
    if (length > 0 && !cursor_add_slice(c, topics, FIELD_EVENT_DATASET))
        return false;
    c->at += length;
    cursor_skip_blanks(c);
    return tell_topic(c, topics);
}

static bool add_packet(struct cursor *c, const char *chain)
{
    if (!add_head(c, chain))
        return false;
    for (c->at = chain + 2; c->at < c->end;) {
        const char *stop = part_end(c->at, c->end);
        if (!add_part(c, c->at, stop))
            return false;
        c->at = stop < c->end ? stop + 2 : c->end;
    }
    return true;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    (void)state;
    cursor_skip_blanks(&c);
    const char *chain = find_chain(cursor_rest(&c));
    size_t topics = chain == NULL ? topics_length(cursor_rest(&c)) : 0;
    if (chain == NULL && topics == 0 && !is_login(word_head(cursor_rest(&c))))
        return PARSE_MISMATCH;
    bool fits = chain != NULL ? add_packet(&c, chain) : add_event(&c, topics);
    return fits ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    bool packet = find_chain(head) != NULL &&
                  (word_find(head, SLICE(", proto ")) || word_find(head, SLICE(" proto ")));
    return packet || topics_length(head) > 0 || is_login(head);
}

/* The operator's words, and those of logins. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("drop", DROP),   VERDICT_WORD("deny", DENY),    VERDICT_WORD("denied", DENY),
        VERDICT_WORD("reject", DENY), VERDICT_WORD("block", BLOCK),  VERDICT_WORD("accept", ALLOW),
        VERDICT_WORD("allow", ALLOW), VERDICT_WORD("permit", ALLOW), VERDICT_WORD("log", ALERT)};
    static const struct verdict_word LOGINS[] = {
        VERDICT_WORD("login failure", DENY), VERDICT_WORD("login failed", DENY),
        VERDICT_WORD("authentication failed", DENY), VERDICT_WORD("logged in", ALLOW)};
    (void)beside;
    uint8_t login = word_verdict(LOGINS, sizeof(LOGINS) / sizeof(LOGINS[0]), action);
    if (login != VERDICT_UNKNOWN || slice_starts(action, SLICE("logged out")))
        return login;
    return word_verdict_in(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_routeros = {
    .name = "routeros",
    .format = FORMAT_ROUTEROS,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
