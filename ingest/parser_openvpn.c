/*
 * OpenVPN's server log, with its own time or behind syslog's header:
 *
 *   2026-11-21 15:11:18 taro/198.51.100.7:62586 VERIFY OK: depth=0, CN=taro
 *   Sat Nov 21 08:26:29 2026 us=285967 198.51.100.7:65244 TLS: Username/Password authentication succeeded for username 'taro'
 *   2026-11-21 15:09:55 TUN/TAP device tun0 opened
 *   LDAP user "taro" was not found.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/stamp.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_MICROSECONDS = 0, /* us=285967 */
    ISO_BYTES = 19,          /* 2026-11-21 15:11:18 */
    CTIME_BYTES = 24,        /* Sat Nov 21 08:26:29 2026 */
    NAME_BYTES_MAX = 128,    /* of a client, blanks in it or not */
    PORT_DIGITS_MAX = 5,
};

#define PHRASES(PHRASE)                                        \
    PHRASE("username '", USER_NAME, NONE, ACCOUNT, '\'')       \
    PHRASE("LDAP DN \"CN=", USER_NAME, NONE, WORD, ',')        \
    PHRASE("user '", USER_NAME, NONE, ACCOUNT, '\'')           \
    PHRASE("address '", SOURCE_IP, SOURCE_PORT, ADDRESS, '\'') \
    PHRASE("LDAP user \"", USER_NAME, NONE, ACCOUNT, '"')      \
    PHRASE("Learn: ", HOST_IP, NONE, ADDRESS, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* What a message begins with that is about no client. */
static const struct slice STARTS[] = {
    {"VERIFY ", 7},
    {"TLS: ", 5},
    {"TLS Error: ", 11},
    {"TLS Auth Error: ", 16},
    {"TCP connection established with [AF_INET", 40},
    {"openvpn server '", 16},
    {"AUTH-PAM: ", 10},
    {"WARNING: Bad encapsulated packet length", 39},
    {"MULTI: ", 7},
    {"MULTI_sva: ", 11},
    {"SENT CONTROL ", 13},
    {"IFCONFIG POOL", 13},
    {"ifconfig_pool", 13},
    {"net_iface_", 10},
    {"net_addr_", 9},
    {"net_route_", 10},
    {"TUN/TAP ", 8},
    {"UDPv4 ", 6},
    {"UDPv6 ", 6},
    {"TCPv4", 5},
    {"TCPv6", 5},
    {"Socket Buffers: ", 16},
    {"ROUTE_GATEWAY ", 14},
    {"LDAP user \"", 11},
    {"LDAP bind failed", 16},
    {"Incorrect password supplied for LDAP", 36},
    {"OpenVPN ", 8},
    {"library versions: ", 18},
    {"Initialization Sequence Completed", 33},
    {"PUSH: ", 6},
    {"Control Channel: ", 17},
    {"Data Channel", 12},
    {"Could not determine IPv4/IPv6", 29},
    {"succeeded -> ifconfig_pool", 26},
    {"Diffie-Hellman initialized", 26},
    {"AUTH: ", 6},
    {"SIGTERM", 7},
    {"SIGUSR1", 7},
    {"Connection reset, restarting", 28},
    {"Outgoing Data Channel", 21},
    {"Incoming Data Channel", 21},
    {"MANAGEMENT: ", 12},
    {"WARNING: '", 10},
    {"WARNING: this ", 14},
    {"WARNING: normally ", 18},
    {"Authenticate/Decrypt packet error", 33},
    {"event_wait : ", 13},
    {"Need IPv6 code in mroute_extract", 32},
    {"CRL CHECK ", 10},
    {"Delayed exit in ", 16},
    {"Re-using SSL/TLS context", 24},
    {"LZO compression init", 20},
    {"Local Options ", 14},
    {"Expected Remote Options ", 24},
    {"Control Channel MTU parms", 25},
    {"Data Channel MTU parms", 22},
    {"OPTIONS IMPORT: ", 16},
    {"TLS_ERROR: ", 11},
    {"OpenSSL: error:", 15},
    {"Closing TUN/TAP interface", 25},
    {"Exiting due to fatal error", 26},
};

/* The authentication of pfSense and OPNsense: "user 'taro' could not authenticate." */
static bool is_login(struct slice text)
{
    return slice_starts(text, SLICE("user '")) &&
           (word_find(text, SLICE("' authenticated")) ||
            word_find(text, SLICE("' could not authenticate")));
}

/* "2026-11-21 15:11:18 " or "Sat Nov 21 08:26:29 2026 "; its length without the blank, or 0. */
static size_t stamp_length(struct slice text)
{
    if (text.len > ISO_BYTES && text.data[4] == '-' && text.data[7] == '-' &&
        text.data[10] == ' ' && text.data[13] == ':' && text.data[ISO_BYTES] == ' ')
        return ISO_BYTES;
    if (text.len > CTIME_BYTES && text.data[3] == ' ' && text.data[7] == ' ' &&
        text.data[13] == ':' && text.data[19] == ' ' && text.data[CTIME_BYTES] == ' ')
        return CTIME_BYTES;
    return 0;
}

/* A client at the start of a message: [name/]address:port and a blank; IPv6 stands without its port. */
struct client {
    struct slice name;
    struct slice address;
    struct slice port;
};

/* "192.0.2.7:40000" or "2001:db8::7", whole. */
static bool read_address(struct slice text, struct client *out)
{
    const char *end = text.data + text.len;
    const char *colon = text.len == 0 ? NULL : memrchr(text.data, ':', text.len);
    if (colon == NULL)
        return false;
    bool v6 = memchr(text.data, ':', (size_t)(colon - text.data)) != NULL;
    if (v6 && url_host_is_address(text)) {
        out->address = text;
        out->port = slice_of(end, 0);
        return true;
    }
    if (end - colon > PORT_DIGITS_MAX + 1 || end - colon < 2 || !word_is_digit(colon[1]))
        return false;
    out->address = slice_of(text.data, (size_t)(colon - text.data));
    out->port = slice_of(colon + 1, (size_t)(end - colon - 1));
    return url_host_is_address(out->address);
}

static bool find_client(struct slice text, struct client *out)
{
    size_t limit = text.len < NAME_BYTES_MAX ? text.len : NAME_BYTES_MAX;
    const char *slash = memchr(text.data, '/', limit);
    const char *end = text.data + text.len;
    const char *candidates[2] = {text.data, slash == NULL ? end : slash + 1};
    for (size_t i = 0; i < 2; i++) {
        const char *from = candidates[i];
        const char *blank = scan_byte(from, end, ' ');
        if (blank == end || !read_address(slice_of(from, (size_t)(blank - from)), out))
            continue;
        out->name = slice_of(text.data, i == 0 ? 0 : (size_t)(slash - text.data));
        return true;
    }
    return false;
}

static bool is_start(struct slice text)
{
    for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++) {
        if (slice_starts(text, STARTS[i]))
            return true;
    }
    return is_login(text);
}

/* Behind the stamp; "us=285967 " as a column. */
static bool add_time(struct cursor *c)
{
    size_t length = stamp_length(cursor_rest(c));
    if (length == 0)
        return true;
    if (!cursor_add(c, c->at, c->at + length, FIELD_TIME_STAMP))
        return false;
    c->at += length + 1;
    if (!cursor_take(c, SLICE("us=")))
        return true;
    struct slice fraction = cursor_word(c);
    return cursor_add_slice(c, fraction, FIELD_COLUMN(COLUMN_MICROSECONDS));
}

/* What a message says of a login, as written; of several the first of the table. */
static const struct verdict_word ACTIONS[] = {
    VERDICT_WORD("AUTH_FAILED", DENY),
    VERDICT_WORD("verification failed", DENY),
    VERDICT_WORD("authentication succeeded", ALLOW),
    VERDICT_WORD("authentication failed", DENY),
    VERDICT_WORD("failed to authenticate", DENY),
    VERDICT_WORD("could not authenticate", DENY),
    VERDICT_WORD("authenticated", ALLOW),
    VERDICT_WORD("Incorrect password", DENY),
    VERDICT_WORD("was not found", DENY),
    VERDICT_WORD("TLS handshake failed", DENY),
    VERDICT_WORD("VERIFY ERROR", DENY),
    VERDICT_WORD("Peer Connection Initiated", ALLOW),
    VERDICT_WORD("disconnected", UNKNOWN),
    VERDICT_WORD("connected", ALLOW),
};

/* The text of a message: what was done, and the values around it. */
static bool tell(struct cursor *c, const char *from, const char *to)
{
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        const struct slice word = ACTIONS[i].word;
        const char *at = scan_text(from, to, word);
        if (at == to || (at > from && word_is_letter(at[-1])))
            continue;
        return phrase_tell(c, &TABLE, from, at) &&
               cursor_add(c, at, at + word.len, FIELD_EVENT_ACTION) &&
               phrase_tell(c, &TABLE, at + word.len, to);
    }
    return phrase_tell(c, &TABLE, from, to);
}

/* "[taro] Peer Connection Initiated with ...": who logged in, where no name stands in front. */
static bool add_peer_name(struct cursor *c)
{
    struct cursor ahead = *c;
    cursor_skip_blanks(&ahead);
    if (!cursor_take(&ahead, SLICE("[")) ||
        cursor_find(&ahead, SLICE("] Peer Connection ")) == NULL)
        return true;
    const char *close = scan_byte(ahead.at, ahead.end, ']');
    c->at = close + 1;
    return close == ahead.at || cursor_add(c, ahead.at, close, FIELD_USER_NAME);
}

/* Where the peer of "established with [AF_INET6]2001:db8::7:50000" stands, behind its family. */
static const char *find_peer(const struct cursor *c)
{
    static const struct slice FAMILIES[] = {{"[AF_INET]", 9}, {"[AF_INET6]", 10}};
    for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++) {
        const char *family = cursor_find(c, FAMILIES[i]);
        if (family != NULL && family - c->at > 5 &&
            (memcmp(family - 5, "with ", 5) == 0 || memcmp(family - 5, "from ", 5) == 0))
            return family + FAMILIES[i].len;
    }
    return NULL;
}

/* The text, and of the peer in it its port, and its address where no client stands in front. */
static bool tell_peer(struct cursor *c, bool address)
{
    const char *from = find_peer(c);
    const char *to = from;
    while (to != NULL && to < c->end &&
           (word_is_digit(*to) || word_is_letter(*to) || *to == ':' || *to == '.'))
        to++;
    while (to > from && to[-1] == ':')
        to--;
    const char *colon = from == to ? NULL : memrchr(from, ':', (size_t)(to - from));
    if (colon == NULL || to - colon > PORT_DIGITS_MAX + 1 || to - colon < 2 ||
        !url_host_is_address(slice_of(from, (size_t)(colon - from))))
        return tell(c, c->at, c->end);
    const char *text_end = address ? from : colon;
    return tell(c, c->at, text_end) && (!address || cursor_add(c, from, colon, FIELD_SOURCE_IP)) &&
           cursor_add(c, colon + 1, to, FIELD_SOURCE_PORT) && tell(c, to, c->end);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    struct client client;
    (void)state;
    const bool timed = stamp_length(cursor_rest(&c)) > 0;
    if (!add_time(&c))
        return PARSE_PARTIAL;
    bool found = find_client(cursor_rest(&c), &client);
    if (!found && !timed && !is_start(cursor_rest(&c)))
        return PARSE_MISMATCH;
    if (found) {
        c.at = client.port.data + client.port.len;
        if ((client.name.len > 0 && !cursor_add_slice(&c, client.name, FIELD_USER_NAME)) ||
            !cursor_add_slice(&c, client.address, FIELD_SOURCE_IP) ||
            (client.port.len > 0 && !cursor_add_slice(&c, client.port, FIELD_SOURCE_PORT)))
            return PARSE_PARTIAL;
    }
    if (found && client.name.len == 0 && !add_peer_name(&c))
        return PARSE_PARTIAL;
    bool fits = !found || client.port.len == 0 ? tell_peer(&c, !found) : tell(&c, c.at, c.end);
    return fits ? PARSE_OK : PARSE_PARTIAL;
}

/* A client with a blank behind it in front of a text, or one of OpenVPN's own messages. */
static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct client client;
    none.count = 0;
    (void)add_time(&c);
    struct slice rest = cursor_rest(&c);
    if (is_start(rest))
        return true;
    if (!find_client(rest, &client))
        return stamp_length(message) > 0 && word_find(rest, SLICE(",")) &&
               rest.len < NAME_BYTES_MAX && rest.data[rest.len - 1] == ',';
    c.at = client.port.data + client.port.len + 1;
    if (client.name.len > 0 && memchr(client.name.data, ' ', client.name.len) == NULL)
        return true;
    return is_start(cursor_rest(&c)) || slice_starts(cursor_rest(&c), SLICE("peer info: ")) ||
           slice_starts(cursor_rest(&c), SLICE("Timers: ")) ||
           (slice_starts(cursor_rest(&c), SLICE("[")) &&
            cursor_find(&c, SLICE("] Peer Connection ")) != NULL) ||
           slice_starts(cursor_rest(&c), SLICE("Peer Connection Initiated"));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (slice_equal(action, ACTIONS[i].word))
            return ACTIONS[i].verdict;
    }
    return VERDICT_UNKNOWN;
}

const struct parser parser_openvpn = {
    .name = "openvpn",
    .format = FORMAT_OPENVPN,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
