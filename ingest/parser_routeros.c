/*
 * MikroTik RouterOS' firewall log:
 *
 *   firewall,info DROP forward: in:bridge out:ether1, connection-state:new src-mac 02:00:00:00:00:01,
 *       proto TCP (SYN), 192.0.2.7:40000->198.51.100.9:443, NAT (192.0.2.7:40000->203.0.113.1:40000)->198.51.100.9:443, len 60
 *   forward: in:bridge(ether2) out:ether1, proto ICMP (type 8, code 0), 192.0.2.7->198.51.100.9, len 84
 *
 * The topics are left out by the BSD syslog setting; what the operator put in front of the chain is
 * the rule.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/meaning.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    HEAD_BYTES_MAX = 128, /* topics, rule and chain */
};

/* Where ": in:" begins behind the chain; NULL where it is no line of the firewall. */
static const char *find_chain(struct slice text)
{
    size_t limit = text.len < HEAD_BYTES_MAX ? text.len : HEAD_BYTES_MAX;
    const char *in = memmem(text.data, limit, ": in:", 5);
    return in != NULL && word_find(word_head(text), SLICE(" out:")) ? in : NULL;
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
    const char *arrow = memmem(from, (size_t)(to - from), "->", 2);
    if (arrow == NULL)
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
    const char *arrow = memmem(open, (size_t)(close - open), "->", 2);
    if (close == to || arrow == NULL)
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
        return out == NULL ? add_value(c, from + 3, to, FIELD_OBSERVER_INGRESS)
                           : add_value(c, from + 3, out, FIELD_OBSERVER_INGRESS) &&
                                 add_value(c, out + 5, to, FIELD_OBSERVER_EGRESS);
    }
    if (slice_starts(text, SLICE("proto ")))
        return add_protocol(c, from + 6, to);
    if (slice_starts(text, SLICE("NAT ")))
        return add_translation(c, from + 4, to);
    if (slice_starts(text, SLICE("len ")))
        return add_value(c, from + 4, to, FIELD_NETWORK_BYTES);
    const char *mac = memmem(from, text.len, "src-mac ", 8);
    if (mac != NULL)
        return add_value(c, from, mac, FIELD_MESSAGE) &&
               add_value(c, mac + 8, to, FIELD_SOURCE_MAC);
    if (memmem(from, text.len, "->", 2) != NULL)
        return add_peers(c, from, to, PEERS);
    return add_value(c, from, to, FIELD_MESSAGE);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    (void)state;
    cursor_skip_blanks(&c);
    const char *chain = find_chain(cursor_rest(&c));
    if (chain == NULL)
        return PARSE_MISMATCH;
    if (!add_head(&c, chain))
        return PARSE_PARTIAL;
    for (c.at = chain + 2; c.at < c.end;) {
        const char *stop = part_end(c.at, c.end);
        if (!add_part(&c, c.at, stop))
            return PARSE_PARTIAL;
        c.at = stop < c.end ? stop + 2 : c.end;
    }
    return PARSE_OK;
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return find_chain(head) != NULL &&
           (word_find(head, SLICE(", proto ")) || word_find(head, SLICE(" proto ")));
}

/* The operator's words. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("drop", DROP),   VERDICT_WORD("deny", DENY),    VERDICT_WORD("denied", DENY),
        VERDICT_WORD("reject", DENY), VERDICT_WORD("block", BLOCK),  VERDICT_WORD("accept", ALLOW),
        VERDICT_WORD("allow", ALLOW), VERDICT_WORD("permit", ALLOW), VERDICT_WORD("log", ALERT)};
    (void)beside;
    return word_verdict_in(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_routeros = {
    .name = "routeros",
    .format = FORMAT_ROUTEROS,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
