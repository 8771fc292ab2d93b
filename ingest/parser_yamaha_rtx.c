/*
 * Yamaha RTX, NVR and FWX routers. No time, no host name: the header's PRI and then text.
 *
 *   [INSPECT] LAN2[out][1] TCP 192.0.2.7:50000 > 198.51.100.9:443 (2026/11/21 10:00:00)
 *   PP[01] Rejected at IN(2000) filter: TCP 198.51.100.9:4000 > 192.0.2.7:23
 *   LAN2 Rejected at IN(default) filter: UDP 2001:db8::9.53 > 2001:db8::7.40000
 *   LAN1(port1) Rejected at IN(5) filter: 02:00:00:00:00:01 > 02:00:00:00:00:02 IP6
 *   [HTTPD] 'admin' succeeded for HTTP: 192.0.2.7       Login failed for SSH: 192.0.2.7
 *   [DHCPD] LAN1(port1) Allocates 192.0.2.50: 02:00:00:00:00:01
 *   Logout from SSH: 192.0.2.7          LAN1: PORT1 link down          IP Tunnel[1] Up
 *
 * IPv6 has its port behind a dot. What is inspected is let through; its last column is when the
 * session began.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_SESSION = 0, /* number of the dynamic filter */
    COLUMN_FRAME = 1,   /* type of an Ethernet frame */
    COLUMN_PORT = 2,    /* port of a switch */
    COLUMN_NUMBER = 3,  /* a number in a text */
    MAC_BYTES = 17,
};

static const struct slice LOGOUT = {.data = "Logout from ", .len = 12};

static bool is_mac(struct slice word)
{
    return word.len == MAC_BYTES && word.data[2] == ':' && word.data[5] == ':' &&
           word.data[8] == ':' && word.data[11] == ':' && word.data[14] == ':';
}

static bool all_digits(const char *from, const char *to)
{
    const char *at = from;
    while (at < to && word_is_digit(*at))
        at++;
    return at == to && to > from;
}

/* Where the address of "192.0.2.7:80", "2001:db8::7.80" or "192.0.2.7" ends. */
static const char *address_end(const char *from, const char *to)
{
    const char *colon = scan_byte(from, to, ':');
    const bool v6 = colon < to && memchr(colon + 1, ':', (size_t)(to - colon - 1)) != NULL;
    if (!v6)
        return colon;
    const char *dot = memrchr(from, '.', (size_t)(to - from));
    return dot != NULL && all_digits(dot + 1, to) ? dot : to;
}

/* "192.0.2.7:80", an address alone, or a hardware address. */
static bool add_end(struct cursor *c, struct slice word, uint16_t ip, uint16_t port, uint16_t mac)
{
    const char *to = word.data + word.len;
    if (is_mac(word))
        return cursor_add_slice(c, word, mac);
    const char *end = address_end(word.data, to);
    return cursor_add(c, word.data, end, ip) && (end + 1 >= to || cursor_add(c, end + 1, to, port));
}

/* "a:p > b:p", with the cursor at a; what follows it stays. */
static bool read_ends(struct cursor *c)
{
    struct slice from = cursor_word(c);
    if (!cursor_take(c, SLICE("> ")))
        return false;
    struct slice to = cursor_word(c);
    return from.len > 0 && to.len > 0 &&
           add_end(c, from, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_SOURCE_MAC) &&
           add_end(c, to, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT, FIELD_DESTINATION_MAC);
}

static bool is_transport(struct slice word)
{
    static const struct slice NAMES[] = {{"TCP", 3}, {"UDP", 3}, {"ICMP", 4}};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_starts(word, NAMES[i]))
            return true;
    }
    return false;
}

/*
 * "TCP a:p > b:p", "ICMP a > b : echo request", "<MAC> > <MAC> IP6". A dynamic filter names the
 * application that it follows ("SMTP a:p > b:p").
 */
static bool read_packet(struct cursor *c, bool inspected)
{
    struct cursor ahead = *c;
    struct slice word = cursor_word(&ahead);
    if (!slice_starts(cursor_rest(&ahead), SLICE("> "))) {
        const bool application = inspected && !is_transport(word);
        if (word.len == 0 ||
            !cursor_add_slice(c, word,
                              application ? FIELD_NETWORK_PROTOCOL : FIELD_NETWORK_TRANSPORT))
            return false;
        c->at = ahead.at;
    }
    return read_ends(c);
}

/* "LAN2", "PP[01]", "TUNNEL[1]", "LAN1(port1)", "LAN1.2/3": the interface before a blank. */
static struct slice interface_of(struct slice word, struct slice *port)
{
    const char *end = word.data + word.len;
    const char *open = scan_byte(word.data, end, '(');
    *port = SLICE("");
    if (open < end && end[-1] == ')') {
        *port = slice_of(open + 1, (size_t)(end - open - 2));
        return slice_of(word.data, (size_t)(open - word.data));
    }
    return word;
}

static bool is_interface(struct slice word)
{
    static const struct slice NAMES[] = {{"LAN", 3},      {"PP", 2},  {"TUNNEL", 6}, {"WAN", 3},
                                         {"ONU", 3},      {"BRI", 3}, {"VLAN", 4},   {"BRIDGE", 6},
                                         {"LOOPBACK", 8}, {"USB", 3}};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_starts(word, NAMES[i]))
            return true;
    }
    return false;
}

static bool add_interface(struct cursor *c, struct slice word, bool inward)
{
    struct slice port = SLICE("");
    struct slice name = interface_of(word, &port);
    return cursor_add_slice(c, name, inward ? FIELD_OBSERVER_INGRESS : FIELD_OBSERVER_EGRESS) &&
           (port.len == 0 || cursor_add_slice(c, port, FIELD_COLUMN(COLUMN_PORT)));
}

/* "IN(2000) filter: " of "Rejected at IN(2000) filter: TCP ...". */
static bool read_filter(struct cursor *c)
{
    const char *from = c->at;
    const char *open = scan_byte(from, c->end, '(');
    const char *close = scan_byte(open, c->end, ')');
    if (close == c->end || !cursor_add(c, from, open, FIELD_NETWORK_DIRECTION) ||
        !cursor_add(c, open + 1, close, FIELD_RULE_ID))
        return false;
    c->at = scan_byte(close, c->end, ':');
    (void)cursor_take(c, SLICE(":"));
    cursor_skip_blanks(c);
    return c->at < c->end;
}

/* "PP[01] Rejected at IN(2000) filter: ...": a packet at a filter or at the translation. */
static enum parse_result read_rejected(struct cursor *c, struct slice interface)
{
    static const struct slice AT = {"at ", 3};
    struct slice verb = cursor_word(c);
    const bool at = cursor_take(c, AT);
    const bool inward = !slice_starts(cursor_rest(c), SLICE("OUT"));
    if (!add_interface(c, interface, inward) || !cursor_add_slice(c, verb, FIELD_EVENT_ACTION))
        return PARSE_PARTIAL;
    if (!at || !read_filter(c) || !read_packet(c, false))
        return PARSE_PARTIAL;
    if (cursor_take(c, SLICE(": ")))
        return cursor_add(c, c->at, c->end, FIELD_ICMP_TYPE) ? PARSE_OK : PARSE_PARTIAL;
    return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_COLUMN(COLUMN_FRAME))
               ? PARSE_OK
               : PARSE_PARTIAL;
}

/* "LAN2[out][1] TCP a:p > b:p (2026/11/21 10:00:00)" behind "[INSPECT] ". */
static enum parse_result read_inspect(struct cursor *c)
{
    struct slice word = cursor_word(c);
    const char *end = word.data + word.len;
    const char *name = scan_text(word.data, end, SLICE("[in]"));
    const bool inward = name < end;
    name = inward ? name : scan_text(word.data, end, SLICE("[out]"));
    if (name == end ||
        !cursor_add(c, word.data, name, inward ? FIELD_OBSERVER_INGRESS : FIELD_OBSERVER_EGRESS))
        return PARSE_PARTIAL;
    const char *close = scan_byte(name, end, ']');
    if (!cursor_add(c, name + 1, close, FIELD_NETWORK_DIRECTION))
        return PARSE_PARTIAL;
    if (end - close > 2 && !cursor_add(c, close + 2, end - 1, FIELD_RULE_ID))
        return PARSE_PARTIAL;
    if (!read_packet(c, true))
        return PARSE_PARTIAL;
    if (c->at < c->end && *c->at == '(' && c->end[-1] == ')')
        return cursor_add(c, c->at + 1, c->end - 1, FIELD_TIME_STAMP) ? PARSE_OK : PARSE_PARTIAL;
    return c->at == c->end ? PARSE_OK : PARSE_PARTIAL;
}

/*
 * "'admin' succeeded for HTTP: 192.0.2.7", "Login failed for SSH: 192.0.2.7", "Logout from SSH:
 * 192.0.2.7".
 */
static enum parse_result read_login(struct cursor *c)
{
    const struct slice between =
        slice_starts(cursor_rest(c), LOGOUT) ? SLICE(" from ") : SLICE(" for ");
    if (cursor_take(c, SLICE("'"))) {
        const char *to = scan_byte(c->at, c->end, '\'');
        if (!cursor_add(c, c->at, to, FIELD_USER_NAME))
            return PARSE_PARTIAL;
        c->at = to + (to < c->end);
        cursor_skip_blanks(c);
    }
    const char *mark = cursor_find(c, between);
    const char *colon = cursor_find(c, SLICE(": "));
    if (mark == NULL || colon == NULL || colon < mark)
        return PARSE_PARTIAL;
    if (!cursor_add(c, c->at, mark, FIELD_EVENT_ACTION) ||
        !cursor_add(c, mark + between.len, colon, FIELD_NETWORK_PROTOCOL))
        return PARSE_PARTIAL;
    c->at = colon + 2;
    struct slice address = cursor_word(c);
    if (!cursor_add_slice(c, address,
                          url_host_is_address(address) ? FIELD_SOURCE_IP : FIELD_SOURCE_DOMAIN))
        return PARSE_PARTIAL;
    return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_MESSAGE) ? PARSE_OK
                                                                          : PARSE_PARTIAL;
}

/*
 * "Allocates 192.0.2.50: 02:00:00:00:00:01" behind "[DHCPD] LAN1(port1) "; older models do not
 * name the interface.
 */
static bool read_lease(struct cursor *c, struct slice interface)
{
    struct slice verb = cursor_word(c);
    struct slice address = cursor_word(c);
    struct slice mac = cursor_rest(c);
    if (address.len > 0 && address.data[address.len - 1] == ':')
        address.len--;
    if (!url_host_is_address(address) || !is_mac(mac))
        return false;
    c->at = c->end;
    return (interface.len == 0 || add_interface(c, interface, true)) &&
           cursor_add_slice(c, verb, FIELD_EVENT_ACTION) &&
           cursor_add_slice(c, address, FIELD_HOST_IP) &&
           cursor_add_slice(c, mac, FIELD_SOURCE_MAC);
}

/* "[TAG] ", with the name in it, or an empty slice. */
static struct slice read_tag(struct cursor *c)
{
    const char *from = c->at;
    const char *close = scan_byte(from, c->end, ']');
    if (from == c->end || *from != '[' || close == c->end)
        return SLICE("");
    c->at = close + 1;
    cursor_skip_blanks(c);
    return slice_of(from + 1, (size_t)(close - from - 1));
}

static bool is_login(struct slice text)
{
    return slice_starts(text, SLICE("'")) || slice_starts(text, SLICE("Login ")) ||
           slice_starts(text, LOGOUT);
}

static bool is_verb(struct slice word)
{
    return slice_equal(word, SLICE("Rejected")) || slice_equal(word, SLICE("Passed")) ||
           slice_equal(word, SLICE("Restrict"));
}

static bool is_end(const char *from, const char *to)
{
    const char *end = address_end(from, to);
    return url_host_is_address(slice_of(from, (size_t)(end - from)));
}

/* Text that names two ends somewhere ("... scan 198.51.100.9:4000 > 192.0.2.7:22"), or none. */
static bool add_text(struct cursor *c)
{
    const char *arrow = cursor_find(c, SLICE(" > "));
    const size_t arrow_bytes = arrow == NULL ? 4 : 3;
    arrow = arrow == NULL ? cursor_find(c, SLICE(" -> ")) : arrow;
    const char *from = arrow == NULL ? c->at : arrow;
    while (from > c->at && from[-1] != ' ' && from[-1] != '(')
        from--;
    const char *second = arrow == NULL ? c->end : arrow + arrow_bytes;
    const char *to = scan_either(second, c->end, ' ', ')');
    if (arrow == NULL || !is_end(from, arrow) || !is_end(second, to))
        return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_MESSAGE);
    const struct slice source = slice_of(from, (size_t)(arrow - from));
    const struct slice target = slice_of(second, (size_t)(to - second));
    return (from == c->at || cursor_add(c, c->at, from, FIELD_MESSAGE)) &&
           add_end(c, source, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_SOURCE_MAC) &&
           add_end(c, target, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT,
                   FIELD_DESTINATION_MAC) &&
           (to == c->end || cursor_add(c, to, c->end, FIELD_MESSAGE));
}

static enum parse_result read_message(struct cursor *c, struct slice tag)
{
    struct cursor ahead = *c;
    struct slice word = cursor_word(&ahead);
    struct cursor verb = ahead;
    if (is_interface(word) && is_verb(cursor_word(&verb))) {
        c->at = ahead.at;
        return read_rejected(c, word);
    }
    if (slice_equal(tag, SLICE("INSPECT")))
        return read_inspect(c);
    if (is_login(cursor_rest(c)))
        return read_login(c);
    if (slice_equal(tag, SLICE("DHCPD"))) {
        const uint32_t mark = c->out->count;
        const bool named = is_interface(word);
        struct cursor lease = named ? ahead : *c;
        if (read_lease(&lease, named ? word : SLICE("")))
            return PARSE_OK;
        c->out->count = mark;
    }
    return add_text(c) ? PARSE_OK : PARSE_PARTIAL;
}

/* "IP Tunnel[1] Up", "LAN1: PORT1 link down", "LAN2: link up", "same message repeated 3 times". */
static bool is_link(struct slice word, struct slice rest)
{
    if (slice_equal(word, SLICE("IP")))
        return slice_starts(rest, SLICE("Tunnel["));
    if (slice_equal(word, SLICE("same")))
        return slice_starts(rest, SLICE("message repeated "));
    return is_interface(word) && word.data[word.len - 1] == ':' &&
           (slice_starts(rest, SLICE("link ")) ||
            (slice_starts(rest, SLICE("PORT")) && word_find(rest, SLICE(" link "))));
}

/* "PP[01] Rejected at IN(2000) filter: ..." */
static bool is_packet(struct slice word, struct slice rest)
{
    return is_interface(word) &&
           (slice_starts(rest, SLICE("Rejected at ")) || slice_starts(rest, SLICE("Passed at ")) ||
            slice_starts(rest, SLICE("Restrict at ")));
}

static bool probe(struct slice message)
{
    static const struct slice TAGS[] = {
        {"INSPECT", 7}, {"DHCPD", 5},       {"HTTPD", 5},    {"IKE", 3},   {"SSHD", 4},
        {"TELNETD", 7}, {"LUA", 3},         {"SCHEDULE", 8}, {"SNTPC", 5}, {"IPv6", 4},
        {"CONFIG", 6},  {"L2TP", 4},        {"PPTP", 4},     {"IKE2", 4},  {"DHCPC", 5},
        {"IPsec", 5},   {"URL_FILTER", 10}, {"SWCTL", 5},    {"L2MS", 4},  {"MOBILE", 6}};
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct slice tag = read_tag(&c);
    for (size_t i = 0; i < sizeof(TAGS) / sizeof(TAGS[0]); i++) {
        if (slice_equal(tag, TAGS[i]))
            return true;
    }
    struct slice rest = cursor_rest(&c);
    if (tag.len == 0 && is_login(rest)) {
        return word_find(rest, SLICE(" for TELNET: ")) || word_find(rest, SLICE(" for SSH: ")) ||
               word_find(rest, SLICE(" for HTTP")) || word_find(rest, SLICE("from TELNET: ")) ||
               word_find(rest, SLICE("from SSH: ")) || word_find(rest, SLICE("from HTTP"));
    }
    struct slice word = cursor_word(&c);
    rest = cursor_rest(&c);
    if ((tag.len == 0 && is_link(word, rest)) || is_packet(word, rest))
        return true;
    return is_interface(word) &&
           (word_find(word, SLICE("PP[")) || word_find(word, SLICE("TUNNEL[")));
}

/* Text without a form of its own is taken under the router's name, too. */
static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    (void)state;
    cursor_skip_blanks(&c);
    if (c.at == c.end)
        return PARSE_MISMATCH;
    struct slice tag = read_tag(&c);
    struct cursor ahead = c;
    struct slice word = cursor_word(&ahead);
    if (tag.len == 0 && !is_packet(word, cursor_rest(&ahead)) && !probe(cursor_rest(&c)))
        return PARSE_MISMATCH;
    const bool inspected = slice_equal(tag, SLICE("INSPECT"));
    if (tag.len > 0 &&
        !cursor_add_slice(&c, tag, inspected ? FIELD_EVENT_ACTION : FIELD_EVENT_DATASET))
        return PARSE_PARTIAL;
    return read_message(&c, tag);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("inspect", ALLOW),         VERDICT_WORD("rejected", DENY),
        VERDICT_WORD("passed", ALLOW),          VERDICT_WORD("restrict", DENY),
        VERDICT_WORD("succeeded", ALLOW),       VERDICT_WORD("failed", DENY),
        VERDICT_WORD("login succeeded", ALLOW), VERDICT_WORD("login failed", DENY)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_yamaha_rtx = {
    .name = "yamaha_rtx",
    .format = FORMAT_YAMAHA_RTX,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
