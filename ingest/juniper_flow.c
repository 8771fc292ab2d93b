#include "ingest/juniper_flow.h"

#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_NAT_RULE = 2, /* rules of the translation: types and names */
    COLUMN_APPLICATION = 3,
    COLUMN_TAIL = 4, /* what newer versions append */
    PROTOCOL_DIGITS_MAX = 3,
    NAT_WORDS_MAX = 8,
};

/* The fields of "a/1->b/2". */
struct peer_fields {
    uint16_t from_ip, from_port, to_ip, to_port;
};

static const struct peer_fields PLAIN = {FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_DESTINATION_IP,
                                         FIELD_DESTINATION_PORT};
static const struct peer_fields TRANSLATED = {FIELD_SOURCE_NAT_IP, FIELD_SOURCE_NAT_PORT,
                                              FIELD_DESTINATION_NAT_IP, FIELD_DESTINATION_NAT_PORT};

static bool all_digits(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!word_is_digit(word.data[i]))
            return false;
    }
    return word.len > 0;
}

/* "192.0.2.7/5000" */
static bool add_peer(struct cursor *c, const char *from, const char *to, uint16_t ip, uint16_t port)
{
    const char *slash = scan_byte(from, to, '/');
    return cursor_add(c, from, slash, ip) && (slash == to || cursor_add(c, slash + 1, to, port));
}

/* The next word is "a/1->b/2"; a connection tag (0x0) may follow. False: it is not, or full. */
static bool read_peers(struct cursor *c, const struct peer_fields *fields)
{
    struct slice word = cursor_word(c);
    const char *end = word.data + word.len;
    const char *arrow = scan_text(word.data, end, SLICE("->"));
    if (arrow == end || !add_peer(c, word.data, arrow, fields->from_ip, fields->from_port) ||
        !add_peer(c, arrow + 2, end, fields->to_ip, fields->to_port))
        return false;
    if (slice_starts(cursor_rest(c), SLICE("0x")))
        return cursor_add_slice(c, cursor_word(c), FIELD_COLUMN(5));
    return true;
}

/* A word under a field; false where there is none. */
static bool read_word(struct cursor *c, uint16_t field)
{
    struct slice word = cursor_word(c);
    return word.len > 0 && cursor_add_slice(c, word, field);
}

/* "60(52906)": packets and bytes; "6(0)": protocol and ICMP type. */
static bool read_parens(struct cursor *c, uint16_t first, uint16_t second)
{
    struct slice word = cursor_word(c);
    const char *end = word.data + word.len;
    const char *open = scan_byte(word.data, end, '(');
    if (open == end || end[-1] != ')')
        return false;
    return cursor_add(c, word.data, open, first) && cursor_add(c, open + 1, end - 1, second);
}

/* The rules of the translation, then the number of the protocol. */
static bool read_nat_rules(struct cursor *c)
{
    const char *from = c->at;
    const char *to = from;
    for (size_t i = 0; i < NAT_WORDS_MAX && c->at < c->end; i++) {
        struct slice word = cursor_word(c);
        if (all_digits(word) && word.len <= PROTOCOL_DIGITS_MAX)
            return (to == from || cursor_add(c, from, to, FIELD_COLUMN(COLUMN_NAT_RULE))) &&
                   cursor_add_slice(c, word, FIELD_NETWORK_TRANSPORT);
        to = word.data + word.len;
    }
    return false;
}

/* "UNKNOWN UNKNOWN N/A(N/A) reth2.1010 ...": applications, user(roles), interface, the rest. */
static bool read_tail(struct cursor *c)
{
    while (c->at < c->end) {
        struct slice word = cursor_word(c);
        const char *end = word.data + word.len;
        const char *open = scan_byte(word.data, end, '(');
        if (open == end || end[-1] != ')') {
            if (!cursor_add_slice(c, word, FIELD_COLUMN(COLUMN_APPLICATION)))
                return false;
            continue;
        }
        bool user = !slice_equal(slice_of(word.data, (size_t)(open - word.data)), SLICE("N/A"));
        if (user && !account_slots(c->out, c->line, cursor_offset(c, word.data),
                                   (uint32_t)(open - word.data), SLOT_PLAIN))
            return false;
        if (c->at < c->end && !read_word(c, FIELD_OBSERVER_INGRESS))
            return false;
        return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_COLUMN(COLUMN_TAIL));
    }
    return true;
}

/* "TCP FIN: " in front of the peers, where there is a reason. */
static bool read_reason(struct cursor *c)
{
    const char *arrow = cursor_find(c, SLICE("->"));
    const char *colon = cursor_find(c, SLICE(": "));
    if (colon == NULL || arrow == NULL || colon > arrow)
        return true;
    bool added = cursor_add(c, c->at, colon, FIELD_EVENT_REASON);
    c->at = colon + 2;
    return added;
}

static bool read_zones(struct cursor *c)
{
    return read_word(c, FIELD_RULE_NAME) && read_word(c, FIELD_OBSERVER_INGRESS_ZONE) &&
           read_word(c, FIELD_OBSERVER_EGRESS_ZONE);
}

static bool read_denied(struct cursor *c)
{
    return read_peers(c, &PLAIN) && read_word(c, FIELD_NETWORK_PROTOCOL) &&
           read_parens(c, FIELD_NETWORK_TRANSPORT, FIELD_ICMP_TYPE) && read_zones(c) &&
           read_tail(c);
}

/* AppTrack names the application and what is inside it behind the service. */
static bool read_session(struct cursor *c, bool closed, bool tracked)
{
    if (!read_peers(c, &PLAIN) || !read_word(c, FIELD_NETWORK_PROTOCOL) ||
        (tracked && (!read_word(c, FIELD_NETWORK_APPLICATION) ||
                     !read_word(c, FIELD_COLUMN(COLUMN_APPLICATION)))) ||
        !read_peers(c, &TRANSLATED) || !read_nat_rules(c) || !read_zones(c) ||
        !read_word(c, FIELD_NETWORK_SESSION))
        return false;
    if (closed && (!read_parens(c, FIELD_SOURCE_PACKETS, FIELD_SOURCE_BYTES) ||
                   !read_parens(c, FIELD_DESTINATION_PACKETS, FIELD_DESTINATION_BYTES) ||
                   !read_word(c, FIELD_EVENT_DURATION)))
        return false;
    return read_tail(c);
}

enum parse_result juniper_flow_read(struct cursor *c)
{
    bool whole = false;
    const bool tracked = cursor_take(c, SLICE("AppTrack "));
    if (cursor_take(c, SLICE("session closed "))) {
        whole = read_reason(c) && read_session(c, true, tracked);
    } else if (cursor_take(c, SLICE("session created "))) {
        whole = read_session(c, false, tracked);
    } else if (cursor_take(c, SLICE("session denied "))) {
        whole = read_denied(c);
    }
    return whole ? PARSE_OK : PARSE_PARTIAL;
}

/* ------------------------------------------------------------------------- screens */

struct screen_word {
    struct slice name;
    uint16_t field;
    uint16_t port; /* behind a colon; FIELD_NONE: none */
};

/* One "name: value" up to the comma. */
static bool read_screen_pair(struct cursor *c)
{
    static const struct screen_word WORDS[] = {
        {{"source: ", 8}, FIELD_SOURCE_IP, FIELD_SOURCE_PORT},
        {{"destination: ", 13}, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT},
        {{"source ip: ", 11}, FIELD_SOURCE_IP, FIELD_NONE},
        {{"destination ip: ", 16}, FIELD_DESTINATION_IP, FIELD_NONE},
        {{"zone name: ", 11}, FIELD_OBSERVER_INGRESS_ZONE, FIELD_NONE},
        {{"interface name: ", 16}, FIELD_OBSERVER_INGRESS, FIELD_NONE},
        {{"protocol-id: ", 13}, FIELD_NETWORK_TRANSPORT, FIELD_NONE},
        {{"action: ", 8}, FIELD_EVENT_OUTCOME, FIELD_NONE},
    };
    const char *to = scan_byte(c->at, c->end, ',');
    const char *from = c->at;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (*c->at != *WORDS[i].name.data || !cursor_take(c, WORDS[i].name) || c->at > to)
            continue;
        const char *colon = memrchr(c->at, ':', (size_t)(to - c->at));
        bool split = WORDS[i].port != FIELD_NONE && colon != NULL;
        const char *end = split ? colon : to;
        if (!cursor_add(c, c->at, end, WORDS[i].field) ||
            (split && !cursor_add(c, colon + 1, to, WORDS[i].port)))
            return false;
        c->at = to;
        return true;
    }
    c->at = to;
    return cursor_add(c, from, to, FIELD_COLUMN(COLUMN_TAIL));
}

enum parse_result juniper_screen_read(struct cursor *c)
{
    const char *mark = cursor_find(c, SLICE("! "));
    if (mark == NULL || !cursor_add(c, c->at, mark, FIELD_THREAT_NAME))
        return PARSE_PARTIAL;
    c->at = mark + 2;
    while (c->at < c->end) {
        if (!read_screen_pair(c))
            return PARSE_PARTIAL;
        while (c->at < c->end && (*c->at == ',' || *c->at == ' '))
            c->at++;
    }
    return PARSE_OK;
}

/* ------------------------------------------------------------------------- daemons */

/* Append what stands between `open` and the next `close`, if `open` comes; the cursor follows. */
static bool read_between(struct cursor *c, struct slice open, char close, uint16_t field)
{
    const char *from = cursor_find(c, open);
    if (from == NULL)
        return true;
    from += open.len;
    const char *to = scan_byte(from, c->end, close);
    if (to == from || (to == c->end && close == '\''))
        return true;
    c->at = to + (close == '\'');
    return cursor_add(c, from, to, field);
}

/* " from 192.0.2.7 port 60002", " from host 192.0.2.7". */
static bool read_from(struct cursor *c)
{
    const char *from = cursor_find(c, SLICE(" from "));
    if (from == NULL)
        return true;
    struct cursor word = *c;
    word.at = from + 6;
    (void)cursor_take(&word, SLICE("host "));
    (void)cursor_take(&word, SLICE("'"));
    struct slice address = cursor_word(&word);
    while (address.len > 0 && strchr(",':", address.data[address.len - 1]) != NULL)
        address.len--;
    if (!url_host_is_address(address))
        return true;
    c->at = address.data + address.len;
    return cursor_add_slice(c, address, FIELD_SOURCE_IP) &&
           read_between(c, SLICE(" port "), ' ', FIELD_SOURCE_PORT);
}

/* "Failed password for taro from ...", "... for invalid user taro from ...". */
static bool read_for(struct cursor *c, bool named)
{
    static const struct slice VERBS[] = {{"Failed password", 15},
                                         {"Failed publickey", 16},
                                         {"Accepted password", 17},
                                         {"Accepted publickey", 18},
                                         {"Failed keyboard-interactive/pam", 31},
                                         {"Accepted keyboard-interactive/pam", 33}};
    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
        const char *from = c->at;
        if (!cursor_take(c, VERBS[i]))
            continue;
        if (!named && !cursor_add(c, from, c->at, FIELD_EVENT_ACTION))
            return false;
        if (!cursor_take(c, SLICE(" for ")))
            return true;
        (void)(cursor_take(c, SLICE("invalid user ")) || cursor_take(c, SLICE("illegal user ")));
        const char *to = scan_byte(c->at, c->end, ' ');
        from = c->at;
        c->at = to;
        return from == to || cursor_add(c, from, to, FIELD_USER_NAME);
    }
    return true;
}

/* "User taro logged in from host ...", "Invalid user taro from ...". */
static bool read_user(struct cursor *c)
{
    struct cursor ahead = *c;
    if (!cursor_take(&ahead, SLICE("Invalid user ")) && !cursor_take(&ahead, SLICE("User ")))
        return true;
    const char *from = ahead.at;
    if (from == ahead.end || *from == '\'' || *from == ' ')
        return true;
    c->at = scan_byte(from, c->end, ' ');
    return cursor_add(c, from, c->at, FIELD_USER_NAME);
}

/* "root@192.0.2.7 as root: " */
static bool read_remote(struct cursor *c)
{
    const char *to = scan_byte(c->at, c->end, ' ');
    const char *sign = scan_byte(c->at, to, '@');
    if (sign == to || sign == c->at ||
        !url_host_is_address(slice_of(sign + 1, (size_t)(to - sign - 1))))
        return true;
    const char *from = c->at;
    c->at = to;
    return cursor_add(c, from, sign, FIELD_USER_NAME) &&
           cursor_add(c, sign + 1, to, FIELD_SOURCE_IP);
}

enum parse_result juniper_daemon_read(struct cursor *c, bool named)
{
    const char *start = c->at;
    bool whole = read_for(c, named) && read_user(c) && read_remote(c) &&
                 read_between(c, SLICE("ser '"), '\'', FIELD_USER_NAME) && read_from(c) &&
                 read_between(c, SLICE("ssh-connection '"), ' ', FIELD_SOURCE_IP);
    if (!whole)
        return PARSE_PARTIAL;
    const char *command = cursor_find(c, SLICE("command '"));
    command = command == NULL ? cursor_find(c, SLICE("cmd='")) : command;
    if (command != NULL) {
        const char *from = scan_byte(command, c->end, '\'') + 1;
        const char *to = memrchr(from - 1, '\'', (size_t)(c->end - from + 1));
        if (to > from) {
            c->at = to + 1;
            if (!cursor_add(c, from, to, FIELD_PROCESS_COMMAND))
                return PARSE_PARTIAL;
        }
    }
    if (c->at > start)
        cursor_skip_blanks(c);
    if (c->at == c->end)
        return PARSE_OK;
    return cursor_add(c, c->at, c->end, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
}
