/*
 * The packet filter of OpenBSD, FreeBSD and macOS, pflog(4), as tcpdump prints it:
 *
 *   rule 5/0(match): block in on em0: 192.0.2.7.51234 > 198.51.100.9.445: Flags [S], seq 1, win 64240, length 0
 *   rule 12.web.3/0(match) [uid 0]: pass out on em0: IP6 2001:db8::7.51234 > 2001:db8::9.53: UDP, length 40
 *   rule 5/(match) block in on em0: 192.0.2.7.51234 > 198.51.100.9.445: S 1:1(0) win 65535 (DF)
 *   rule 5/0(match): block in on em0: 192.0.2.7 > 198.51.100.9: ICMP echo request, id 1, seq 1, length 64
 *
 * Before it stands what tcpdump was asked for (-tttt date and clock, -tt a number, OpenBSD's -ttt
 * "Nov 22 10:00:00.123456"), or nothing. A clock without a date may be a span as well: no time. Ports
 * stand behind a dot. What of a packet has no form of its own is `message`.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/parsers.h"
#include "ingest/stamp.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_CLOCK = 0,   /* a clock or a span without a date */
    COLUMN_SUBRULE = 1, /* number of a rule within its anchor */
    COLUMN_CODE = 2,    /* number of the reason */
    COLUMN_PROCESS = 3, /* "uid 0, pid 12" */
    COLUMN_SEGMENT = 4, /* what follows the flags of TCP */
    COLUMN_ICMP = 5,    /* what follows the type of ICMP */
    COLUMN_HEADER = 6,  /* of IP, where tcpdump was asked for more */
    STAMP_BYTES_MAX = 40,
    V4_DOTS = 3,
};

/* Where "rule 5/..." begins; NULL where there is none. */
static const char *find_rule(struct slice text)
{
    size_t limit = text.len < STAMP_BYTES_MAX ? text.len : STAMP_BYTES_MAX;
    const char *rule = memmem(text.data, limit, "rule ", 5);
    const char *end = text.data + text.len;
    if (rule == NULL || (rule != text.data && rule[-1] != ' ') || end - rule < 7)
        return NULL;
    struct slice number = slice_of(rule + 5, (size_t)(end - rule - 5));
    const char *blank = scan_byte(number.data, end, ' ');
    bool numbered = word_is_digit(*number.data) || slice_starts(number, SLICE("def/"));
    return numbered && memchr(number.data, '/', (size_t)(blank - number.data)) != NULL ? rule
                                                                                       : NULL;
}

static bool add_some(struct cursor *c, const char *from, const char *to, uint16_t field)
{
    return from >= to || cursor_add(c, from, to, field);
}

/* What stands before the rule. */
static bool add_time(struct cursor *c, const char *rule)
{
    const char *to = rule;
    while (to > c->at && to[-1] == ' ')
        to--;
    struct slice text = slice_of(c->at, (size_t)(to - c->at));
    if (text.len == 0)
        return true;
    if (stamp_length_bsd(text) == text.len)
        return cursor_add_slice(c, text, FIELD_TIME_STAMP);
    const char *blank = scan_byte(c->at, to, ' ');
    if (blank < to)
        return cursor_add(c, c->at, blank, FIELD_TIME_DATE) &&
               cursor_add(c, blank + 1, to, FIELD_TIME_CLOCK);
    bool clock = memchr(text.data, ':', text.len) != NULL;
    return cursor_add_slice(c, text, clock ? FIELD_COLUMN(COLUMN_CLOCK) : FIELD_TIME_EPOCH);
}

/* "5", "12.web.3": number, anchor, number within it. */
static bool add_number(struct cursor *c, const char *from, const char *to)
{
    const char *dot = scan_byte(from, to, '.');
    const char *last = memrchr(from, '.', (size_t)(to - from));
    if (dot == to)
        return cursor_add(c, from, to, FIELD_RULE_ID);
    return cursor_add(c, from, dot, FIELD_RULE_ID) &&
           add_some(c, dot + 1, last > dot ? last : to, FIELD_RULE_RULESET) &&
           (last == dot || add_some(c, last + 1, to, FIELD_COLUMN(COLUMN_SUBRULE)));
}

/* "5/0(match): " or "5/(match) ", with the number of a process behind it on its own machine. */
static bool read_rule(struct cursor *c)
{
    struct slice word = cursor_word(c);
    const char *end = word.data + word.len;
    const char *open = scan_byte(word.data, end, '(');
    const char *close = scan_byte(open, end, ')');
    const char *slash = memrchr(word.data, '/', (size_t)(open - word.data));
    if (close == end || slash == NULL || !add_number(c, word.data, slash) ||
        !add_some(c, slash + 1, open, FIELD_COLUMN(COLUMN_CODE)) ||
        !add_some(c, open + 1, close, FIELD_EVENT_REASON))
        return false;
    if (c->at == c->end || *c->at != '[')
        return true;
    close = scan_byte(c->at, c->end, ']');
    if (close == c->end || !add_some(c, c->at + 1, close, FIELD_COLUMN(COLUMN_PROCESS)))
        return false;
    c->at = close + 1;
    (void)cursor_take(c, SLICE(":"));
    cursor_skip_blanks(c);
    return true;
}

/* "block in on em0: " */
static bool read_action(struct cursor *c)
{
    struct slice action = cursor_word(c);
    struct slice direction = cursor_word(c);
    if (!cursor_take(c, SLICE("on ")) || action.len == 0)
        return false;
    struct slice interface = cursor_word(c);
    if (interface.len < 2 || interface.data[interface.len - 1] != ':')
        return false;
    interface.len--;
    bool inward = slice_starts(direction, SLICE("in"));
    return cursor_add_slice(c, action, FIELD_EVENT_ACTION) &&
           cursor_add_slice(c, direction, FIELD_NETWORK_DIRECTION) &&
           cursor_add_slice(c, interface, inward ? FIELD_OBSERVER_INGRESS : FIELD_OBSERVER_EGRESS);
}

/* The dot before the port of "192.0.2.7.80" or "2001:db8::7.80"; the end where there is none. */
static const char *port_dot(struct slice end)
{
    const char *to = end.data + end.len;
    const char *last = memrchr(end.data, '.', end.len);
    bool v6 = memchr(end.data, ':', end.len) != NULL;
    unsigned dots = 0;
    for (const char *p = end.data; p < to; p++)
        dots += *p == '.';
    return dots == (v6 ? 1U : V4_DOTS + 1U) ? last : to;
}

static bool all_digits(const char *from, const char *to)
{
    while (from < to && word_is_digit(*from))
        from++;
    return from == to;
}

/* An address with a port or without; a name, and one of a port, where tcpdump looked for names. */
static bool add_end(struct cursor *c, struct slice end, const uint16_t fields[3])
{
    const char *to = end.data + end.len;
    const char *dot = port_dot(end);
    struct slice address = slice_of(end.data, (size_t)(dot - end.data));
    if (url_host_is_address(address))
        return cursor_add_slice(c, address, fields[0]) && add_some(c, dot + 1, to, fields[1]);
    dot = memrchr(end.data, '.', end.len);
    if (dot == NULL || !all_digits(dot + 1, to))
        return cursor_add_slice(c, end, fields[2]);
    return cursor_add(c, end.data, dot, fields[2]) && add_some(c, dot + 1, to, fields[1]);
}

/* "a > b: ", with "IP " or "IP6 " before it by newer programs. */
static bool read_ends(struct cursor *c)
{
    static const uint16_t SOURCE[3] = {FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_SOURCE_DOMAIN};
    static const uint16_t DESTINATION[3] = {FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT,
                                            FIELD_DESTINATION_DOMAIN};
    if (!cursor_take(c, SLICE("IP ")))
        (void)cursor_take(c, SLICE("IP6 "));
    struct slice from = cursor_word(c);
    if (!cursor_take(c, SLICE("> ")))
        return false;
    struct slice to = cursor_word(c);
    if (from.len == 0 || to.len < 2 || to.data[to.len - 1] != ':')
        return false;
    to.len--;
    return add_end(c, from, SOURCE) && add_end(c, to, DESTINATION);
}

/* OpenBSD's flags of TCP: "S", "P.", "." before numbers or ack. */
static bool is_flags(struct slice word)
{
    static const struct slice FLAGS = {.data = "SFRPUWE.", .len = 8};
    for (size_t i = 0; i < word.len; i++) {
        if (memchr(FLAGS.data, word.data[i], FLAGS.len) == NULL)
            return false;
    }
    return word.len > 0;
}

/* "ICMP echo request, id 1", "icmp: echo request", "ICMP6, router advertisement, length 24" */
static bool read_icmp(struct cursor *c, struct slice name)
{
    const char *end = name.data + name.len;
    while (end > name.data && (end[-1] == ':' || end[-1] == ','))
        end--;
    const char *comma = scan_byte(c->at, c->end, ',');
    bool more = comma < c->end;
    return cursor_add(c, name.data, end, FIELD_NETWORK_TRANSPORT) &&
           add_some(c, c->at, comma, FIELD_ICMP_TYPE) &&
           (!more || add_some(c, comma + 1, c->end, FIELD_COLUMN(COLUMN_ICMP)));
}

/* "ESP(spi=...", "igmp v2 report", "GREv0, ...": protocols that begin the text. */
static const struct slice PACKETS[] = {{"esp", 3},  {"igmp", 4}, {"gre", 3}, {"vrrp", 4},
                                       {"carp", 4}, {"ospf", 4}, {"pim", 3}, {"sctp", 4}};

/* "A? www.example.jp. (32)" of a question to a resolver; false where there is none or no room. */
static bool read_question(struct cursor *c, bool *fits)
{
    const char *mark = cursor_find(c, SLICE("? "));
    const char *type = mark;
    while (type != NULL && type > c->at && type[-1] != ' ')
        type--;
    if (mark == NULL || type == mark || *type < 'A' || *type > 'Z')
        return false;
    const char *name = mark + 2;
    const char *end = scan_byte(name, c->end, ' ');
    const char *stop = end > name + 1 && end[-1] == '.' ? end - 1 : end;
    *fits = add_some(c, c->at, type - 1, FIELD_MESSAGE) &&
            cursor_add(c, type, mark, FIELD_DNS_TYPE) &&
            add_some(c, name, stop, FIELD_DNS_QUESTION) && add_some(c, end, c->end, FIELD_MESSAGE);
    return true;
}

/* What the packet holds. */
static bool read_packet(struct cursor *c)
{
    bool fits = true;
    struct cursor ahead = *c;
    struct slice word = cursor_word(&ahead);
    if (cursor_take(c, SLICE("Flags ["))) {
        const char *close = scan_byte(c->at, c->end, ']');
        return close < c->end && add_some(c, c->at, close, FIELD_NETWORK_TCP_FLAGS) &&
               add_some(c, close + 1, c->end, FIELD_COLUMN(COLUMN_SEGMENT));
    }
    if (is_flags(word))
        return cursor_add_slice(c, word, FIELD_NETWORK_TCP_FLAGS) &&
               add_some(c, ahead.at, c->end, FIELD_COLUMN(COLUMN_SEGMENT));
    if (word_begins(word, SLICE("icmp"))) {
        c->at = ahead.at;
        return read_icmp(c, word);
    }
    if (slice_equal(word, SLICE("HBH")) && word_begins(cursor_rest(&ahead), SLICE("icmp6"))) {
        c->at = ahead.at; /* behind the hop-by-hop options */
        struct slice name = cursor_word(c);
        return read_icmp(c, name);
    }
    for (size_t i = 0; i < sizeof(PACKETS) / sizeof(PACKETS[0]); i++) {
        if (!word_begins(word, PACKETS[i]))
            continue;
        const char *rest = word.data + PACKETS[i].len;
        while (rest < c->end && *rest == ' ')
            rest++;
        return cursor_add(c, word.data, word.data + PACKETS[i].len, FIELD_NETWORK_TRANSPORT) &&
               add_some(c, rest, c->end, FIELD_MESSAGE);
    }
    if (word_begins(word, SLICE("udp"))) {
        return cursor_add(c, word.data, word.data + 3, FIELD_NETWORK_TRANSPORT) &&
               add_some(c, ahead.at, c->end, FIELD_MESSAGE);
    }
    if (word.len > 0 && word_is_digit(*word.data) && read_question(c, &fits))
        return fits;
    return add_some(c, c->at, c->end, FIELD_MESSAGE);
}

/* "(tos 0x0, ttl 64, ..., proto TCP (6), length 60) " of tcpdump -v: the transport in it. */
static bool read_header(struct cursor *c)
{
    struct cursor ahead = *c;
    if (!cursor_take(&ahead, SLICE("IP ")))
        (void)cursor_take(&ahead, SLICE("IP6 "));
    if (!cursor_take(&ahead, SLICE("(")))
        return true;
    int depth = 1; /* "proto TCP (6), length 60)" has brackets of its own */
    const char *close = ahead.at;
    for (; close < c->end; close++) {
        depth += *close == '(';
        depth -= *close == ')';
        if (depth == 0)
            break;
    }
    if (c->end - close < 2)
        return false;
    const char *name = memmem(c->at, (size_t)(close - c->at), "proto ", 6);
    if (name == NULL)
        name = memmem(c->at, (size_t)(close - c->at), "next-header ", 12);
    const char *from = c->at;
    c->at = close + 2;
    if (name == NULL)
        return cursor_add(c, from, close, FIELD_COLUMN(COLUMN_HEADER));
    const char *word = scan_byte(name, close, ' ') + 1;
    const char *end = scan_byte(word, close, ' ');
    return add_some(c, from, word, FIELD_COLUMN(COLUMN_HEADER)) &&
           add_some(c, word, end, FIELD_NETWORK_TRANSPORT) &&
           add_some(c, end, close, FIELD_COLUMN(COLUMN_HEADER));
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return find_rule(head) != NULL &&
           (word_find(head, SLICE(" in on ")) || word_find(head, SLICE(" out on ")));
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    (void)state;
    cursor_skip_blanks(&c);
    const char *rule = find_rule(cursor_rest(&c));
    if (rule == NULL)
        return PARSE_MISMATCH;
    if (!add_time(&c, rule))
        return PARSE_PARTIAL;
    c.at = rule + 5;
    return read_rule(&c) && read_action(&c) && read_header(&c) && read_ends(&c) && read_packet(&c)
               ? PARSE_OK
               : PARSE_PARTIAL;
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("pass", ALLOW),  VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("nat", ALLOW),   VERDICT_WORD("rdr", ALLOW),
        VERDICT_WORD("binat", ALLOW), VERDICT_WORD("synproxy-drop", DROP)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

/* Only TCP has flags. */
static struct slice transport(struct slice flags)
{
    (void)flags;
    return SLICE("tcp");
}

const struct parser parser_pflog = {
    .name = "pflog",
    .format = FORMAT_PFLOG,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .transport = transport,
    .transport_of = {FIELD_NETWORK_TCP_FLAGS},
};
