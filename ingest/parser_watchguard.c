/*
 * WatchGuard Firebox, syslog of Fireware (its LEEF is LEEF):
 *
 *   80AB0C1D (2026-11-21T10:00:00) firewall: msg_id="3000-0148" Allow 1-Trusted 0-External 52 tcp
 *       20 64 192.0.2.7 198.51.100.9 50000 443 offset 8 S 3063 win 64240 geo_dst="JPN" (HTTPS-00)
 *   http-proxy[77]: msg_id="1AFF-0024" Allow 1-Trusted 0-External tcp 192.0.2.7 198.51.100.9 50000
 *       80 msg="HTTP request" op="GET" dstname="www.example.com" arg="/" ... (HTTP-proxy-00)
 *   sessiond[78]: msg_id="3E00-0002" SSL VPN user taro@Firebox-DB from 192.0.2.7 logged in
 *
 * Words by position (interfaces, length, protocol, header's length and TTL, the two ends), then
 * pairs, then the policy in parentheses.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_HEAD = 0,   /* what stands in front of the time */
    COLUMN_LENGTH = 1, /* bytes of the packet */
    COLUMN_NUMBER = 2, /* the IP header's length, TTL */
    COLUMN_PACKET = 3, /* flags and counters of the packet */
    COLUMN_PID = 4,
    MSG_ID_MAX_BYTES = 256, /* msg_id= begins within so many bytes */
    NUMBERS_MAX = 3,
    INTERFACE_WORDS_MAX = 12,
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, PAIR_##treat),
#include "ingest/watchguard_keys.def"
#undef KEY
};

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
};

static const struct verdict_word DISPOSITIONS[] = {
    VERDICT_WORD("allow", ALLOW),      VERDICT_WORD("deny", DENY),
    VERDICT_WORD("drop", DROP),        VERDICT_WORD("block", BLOCK),
    VERDICT_WORD("reset", RESET),      VERDICT_WORD("strip", BLOCK),
    VERDICT_WORD("lock", BLOCK),       VERDICT_WORD("quarantine", BLOCK),
    VERDICT_WORD("proxyallow", ALLOW), VERDICT_WORD("proxydeny", DENY),
    VERDICT_WORD("avs", ALERT),
};

static uint8_t disposition(struct slice word)
{
    return word_verdict(DISPOSITIONS, sizeof(DISPOSITIONS) / sizeof(DISPOSITIONS[0]), word);
}

static bool is_protocol(struct slice word)
{
    static const struct slice NAMES[] = {
        {"tcp", 3}, {"udp", 3},  {"icmp", 4},      {"igmp", 4},   {"gre", 3},   {"esp", 3},
        {"ah", 2},  {"ospf", 4}, {"ipv6-icmp", 9}, {"icmpv6", 6}, {"icmp6", 5}, {"sctp", 4}};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (NAMES[i].len == word.len && word_begins(word, NAMES[i]))
            return true;
    }
    return false;
}

static bool all_digits(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!word_is_digit(word.data[i]))
            return false;
    }
    return word.len > 0;
}

/* "80AB0C1D (2026-11-21T10:00:00) firewall: " in front of msg_id. */
static bool read_head(struct cursor *c, const char *id)
{
    const char *open = scan_byte(c->at, id, '(');
    const char *close = scan_byte(open, id, ')');
    if (close < id) {
        const char *head = open;
        while (head > c->at && head[-1] == ' ')
            head--;
        if ((head > c->at && !cursor_add(c, c->at, head, FIELD_OBSERVER_SERIAL)) ||
            !cursor_add(c, open + 1, close, FIELD_TIME_STAMP))
            return false;
        c->at = close + 1;
        cursor_skip_blanks(c);
    }
    const char *colon = scan_byte(c->at, id, ':');
    if (colon < id) {
        const char *bracket = scan_byte(c->at, colon, '[');
        bool pid = bracket < colon && colon[-1] == ']';
        if (!cursor_add(c, c->at, pid ? bracket : colon, FIELD_EVENT_DATASET) ||
            (pid && !cursor_add(c, bracket + 1, colon - 1, FIELD_COLUMN(COLUMN_PID))))
            return false;
    } else if (c->at < id && !cursor_add(c, c->at, id, FIELD_COLUMN(COLUMN_HEAD))) {
        return false;
    }
    c->at = id;
    return true;
}

/* "0-External": an interface by its number and name; others are aliases ("Firebox"). */
static bool is_numbered(struct slice word)
{
    size_t digits = 0;
    while (digits < word.len && word_is_digit(word.data[digits]))
        digits++;
    return digits > 0 && digits + 1 < word.len && word.data[digits] == '-';
}

/* Interfaces up to the protocol; the length of the packet may stand before it. */
static bool read_interfaces(struct cursor *c)
{
    struct cursor ahead = *c;
    struct slice words[INTERFACE_WORDS_MAX] = {0};
    size_t count = 0;
    while (count < INTERFACE_WORDS_MAX && ahead.at < ahead.end) {
        words[count] = cursor_word(&ahead);
        if (count > 0 && is_protocol(words[count]))
            break;
        count++;
    }
    if (count < 2 || count == INTERFACE_WORDS_MAX || ahead.at == ahead.end)
        return false;
    size_t out = 1;
    for (size_t i = 2; i < count; i++) {
        if (is_numbered(words[i]))
            out = i;
    }
    const bool length = count > 2 && all_digits(words[count - 1]);
    const struct slice last = words[count - 1 - length];
    const struct slice proto = words[count];
    c->at = ahead.at;
    const struct slice in = words[out - 1];
    if (!cursor_add(c, words[0].data, in.data + in.len, FIELD_OBSERVER_INGRESS) ||
        !cursor_add(c, words[out].data, last.data + last.len, FIELD_OBSERVER_EGRESS))
        return false;
    if (length && !cursor_add_slice(c, words[count - 1], FIELD_COLUMN(COLUMN_LENGTH)))
        return false;
    return cursor_add_slice(c, proto, FIELD_NETWORK_TRANSPORT);
}

/* Numbers of the header, two addresses, and two ports or the type and code of ICMP. */
static bool read_ends(struct cursor *c, bool icmp)
{
    const uint16_t after[] = {icmp ? FIELD_ICMP_TYPE : FIELD_SOURCE_PORT,
                              icmp ? FIELD_ICMP_CODE : FIELD_DESTINATION_PORT};
    struct slice word = cursor_word(c);
    for (size_t i = 0; i < NUMBERS_MAX && all_digits(word); i++) {
        if (!cursor_add_slice(c, word, FIELD_COLUMN(COLUMN_NUMBER)))
            return false;
        word = cursor_word(c);
    }
    if (word.len == 0 || !cursor_add_slice(c, word, FIELD_SOURCE_IP))
        return false;
    word = cursor_word(c);
    if (word.len == 0 || !cursor_add_slice(c, word, FIELD_DESTINATION_IP))
        return false;
    for (size_t i = 0; i < 2; i++) {
        struct cursor ahead = *c;
        word = cursor_word(&ahead);
        if (!all_digits(word))
            break;
        *c = ahead;
        if (!cursor_add_slice(c, word, after[i]))
            return false;
    }
    return true;
}

/* The packet's words, the pairs, and the policy that closes the line. */
static enum parse_result read_rest(struct cursor *c, struct parser_state *state)
{
    const char *end = c->end;
    const char *quote = memrchr(c->at, '"', (size_t)(end - c->at));
    const char *open = scan_byte(quote == NULL ? c->at : quote, end, '(');
    if (open == end || end[-1] != ')')
        open = NULL;
    const char *from = c->at;
    c->end = open == NULL ? end : open;
    while (c->at < c->end && pairs_name_length(&STYLE, c->at, c->end) == 0)
        (void)cursor_word(c);
    const char *packet = c->at;
    while (packet > from && packet[-1] == ' ')
        packet--;
    if (packet > from && !cursor_add(c, from, packet, FIELD_COLUMN(COLUMN_PACKET)))
        return PARSE_PARTIAL;
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = c->out,
                      .line = c->line,
                      .end = c->end,
                      .separator = ' '};
    enum parse_result result = pairs_read(&p, c->at);
    if (open != NULL && !cursor_add(c, open + 1, end - 1, FIELD_RULE_NAME))
        return PARSE_PARTIAL;
    return result;
}

/* Behind "user " or, of those who manage the device, at the start: "Administrator ". NULL: nobody. */
static const char *find_account(const struct cursor *c)
{
    static const struct slice ADMINISTRATOR = {"Administrator ", 14};
    static const struct slice USER = {"ser ", 4};
    if (slice_starts(cursor_rest(c), ADMINISTRATOR))
        return c->at + ADMINISTRATOR.len;
    const char *user = cursor_find(c, USER);
    return user == NULL ? NULL : user + USER.len;
}

/* "... user [taro@example.org@radius] from 192.0.2.7 was rejected, ..." */
static enum parse_result read_text(struct cursor *c)
{
    const char *from = cursor_find(c, SLICE(" from "));
    const char *name = find_account(c);
    if (name != NULL && from != NULL && name < from && from - name < MSG_ID_MAX_BYTES) {
        const bool bracket = *name == '[' && from[-1] == ']';
        const char *to = from - bracket;
        name += bracket;
        if (*name != '<' && !account_slots(c->out, c->line, cursor_offset(c, name),
                                           (uint32_t)(to - name), SLOT_PLAIN))
            return PARSE_PARTIAL;
        c->at = from + 6;
        struct slice address = cursor_word(c);
        if (!cursor_add_slice(c, address,
                              url_host_is_address(address) ? FIELD_SOURCE_IP : FIELD_SOURCE_DOMAIN))
            return PARSE_PARTIAL;
        return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_EVENT_ACTION) ? PARSE_OK
                                                                                   : PARSE_PARTIAL;
    }
    return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_MESSAGE) ? PARSE_OK
                                                                          : PARSE_PARTIAL;
}

/* "DHCPACK on 192.0.2.150 to 02:00:00:00:00:01 (pc7) via vlan1" */
static bool read_lease(struct cursor *c)
{
    struct cursor ahead = *c;
    struct slice verb = cursor_word(&ahead);
    if (!slice_starts(verb, SLICE("DHCP")) || !cursor_take(&ahead, SLICE("on ")))
        return false;
    struct slice address = cursor_word(&ahead);
    if (!url_host_is_address(address) || !cursor_take(&ahead, SLICE("to ")))
        return false;
    struct slice mac = cursor_word(&ahead);
    const uint32_t mark = c->out->count;
    bool added = cursor_add_slice(c, verb, FIELD_EVENT_ACTION) &&
                 cursor_add_slice(c, address, FIELD_HOST_IP) &&
                 cursor_add_slice(c, mac, FIELD_SOURCE_MAC);
    const char *close = scan_byte(ahead.at, ahead.end, ')');
    if (added && cursor_take(&ahead, SLICE("(")) && close < ahead.end) {
        added = cursor_add(c, ahead.at, close, FIELD_HOST_NAME);
        ahead.at = close + 1;
        cursor_skip_blanks(&ahead);
    }
    if (added && ahead.at < ahead.end)
        added = cursor_add(c, ahead.at, ahead.end, FIELD_MESSAGE);
    if (!added)
        c->out->count = mark;
    return added;
}

/* msg_id=" within the first bytes, or NULL. */
static const char *find_id(struct slice message)
{
    size_t limit = message.len < MSG_ID_MAX_BYTES ? message.len : MSG_ID_MAX_BYTES;
    return memmem(message.data, limit, "msg_id=\"", 8);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    const char *id = find_id(cursor_rest(&c));
    if (id == NULL)
        return PARSE_MISMATCH;
    const char *code = id + 8;
    const char *close = scan_byte(code, c.end, '"');
    if (close == c.end || !read_head(&c, id) || !cursor_add(&c, code, close, FIELD_EVENT_CODE))
        return PARSE_PARTIAL;
    c.at = close + 1;
    cursor_skip_blanks(&c);
    struct cursor ahead = c;
    struct slice action = cursor_word(&ahead);
    if (disposition(action) == VERDICT_UNKNOWN)
        return read_lease(&c) ? PARSE_OK : read_text(&c);
    const uint32_t mark = out->count;
    c.at = ahead.at;
    if (!cursor_add_slice(&c, action, FIELD_EVENT_ACTION))
        return PARSE_PARTIAL;
    if (!read_interfaces(&c))
        return out->count == mark + 1 ? read_rest(&c, state) : PARSE_PARTIAL;
    const struct slot *proto = &out->items[out->count - 1];
    bool icmp = word_holds(slice_of(line.data + proto->offset, proto->length), SLICE("icmp"));
    return read_ends(&c, icmp) ? read_rest(&c, state) : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    const char *id = find_id(word_head(message));
    return id != NULL && message.len - (size_t)(id - message.data) > 17 && id[12] == '-' &&
           id[17] == '"';
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    uint8_t found = disposition(action);
    if (found != VERDICT_UNKNOWN)
        return found;
    if (word_holds(action, SLICE("reject")) || word_holds(action, SLICE("denied")))
        return VERDICT_DENY;
    return word_holds(action, SLICE("logged in")) || word_holds(action, SLICE("accepted"))
               ? VERDICT_ALLOW
               : VERDICT_UNKNOWN;
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_watchguard = {
    .name = "watchguard",
    .format = FORMAT_WATCHGUARD,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .key_at = key_at,
};
