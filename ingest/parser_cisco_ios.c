/*
 * Cisco IOS, IOS XE and NX-OS: switches and routers.
 *
 *   012345: gw1: Nov 21 2026 10:00:00.123 JST: %SEC-6-IPACCESSLOGP: list 101 denied tcp
 *       198.51.100.7(4000) -> 192.0.2.9(22), 1 packet
 *   *Nov 21 10:00:00.123: %SEC_LOGIN-5-LOGIN_SUCCESS: Login Success [user: taro] [Source: ...]
 *
 * The mnemonic is the action, but of access lists, which have a verb. Their texts are read word by
 * word, of others
 * what stands behind known words. An asterisk or a dot before the time says that the clock was not
 * set or lost its source; the text's own zone is a name, which only few are.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/stamp.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_SEQUENCE = 0,
    COLUMN_HEAD = 1,     /* what else stands in front of the time */
    COLUMN_PACKETS = 2,  /* "1 packet" */
    TAG_MAX_BYTES = 200, /* the tag begins within so many bytes */
    STAMP_MIN_BYTES = 15,
};

#define PHRASES(PHRASE)                                         \
    PHRASE("[user: ", USER_NAME, NONE, ACCOUNT, ']')            \
    PHRASE("[Source: ", SOURCE_IP, NONE, ADDRESS, ']')          \
    PHRASE("[localport: ", DESTINATION_PORT, NONE, WORD, ']')   \
    PHRASE("[Reason: ", EVENT_REASON, NONE, WORD, ']')          \
    PHRASE("[ACL: ", RULE_NAME, NONE, WORD, ']')                \
    PHRASE("User '", USER_NAME, NONE, ACCOUNT, '\'')            \
    PHRASE("user '", USER_NAME, NONE, ACCOUNT, '\'')            \
    PHRASE("User:", USER_NAME, NONE, ACCOUNT, ' ')              \
    PHRASE("username: ", USER_NAME, NONE, ACCOUNT, 0)           \
    PHRASE("NETCONF user ", USER_NAME, NONE, ACCOUNT, 0)        \
    PHRASE(", user ", USER_NAME, NONE, ACCOUNT, 0)              \
    PHRASE("failed by ", USER_NAME, NONE, ACCOUNT, 0)           \
    PHRASE("level set to 1 by ", USER_NAME, NONE, ACCOUNT, 0)   \
    PHRASE("level set to 15 by ", USER_NAME, NONE, ACCOUNT, 0)  \
    PHRASE("on console by ", USER_NAME, NONE, ACCOUNT, 0)       \
    PHRASE("reset by ", SOURCE_USER, NONE, WORD, 0)             \
    PHRASE(" from console by ", USER_NAME, NONE, ACCOUNT, 0)    \
    PHRASE(" from console as ", USER_NAME, NONE, ACCOUNT, 0)    \
    PHRASE("User ", USER_NAME, NONE, ACCOUNT, 0)                \
    PHRASE("RPC '", URL_ORIGINAL, NONE, URL, '\'')              \
    PHRASE(" from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)        \
    PHRASE(" by ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)          \
    PHRASE("(", SOURCE_IP, NONE, ADDRESS, ')')                  \
    PHRASE("Duplicate address ", SOURCE_IP, NONE, ADDRESS, 0)   \
    PHRASE("sourced by ", SOURCE_MAC, NONE, WORD, 0)            \
    PHRASE("MAC sa: ", SOURCE_MAC, NONE, WORD, 0)               \
    PHRASE("client (", SOURCE_MAC, NONE, WORD, ')')             \
    PHRASE("Host ", SOURCE_MAC, NONE, WORD, 0)                  \
    PHRASE("on Interface ", OBSERVER_INGRESS, NONE, WORD, 0)    \
    PHRASE("Interface ", OBSERVER_INGRESS, NONE, WORD, 0)       \
    PHRASE("on port ", OBSERVER_INGRESS, NONE, WORD, 0)         \
    PHRASE("MAC address ", SOURCE_MAC, NONE, WORD, 0)           \
    PHRASE("with reason (", EVENT_REASON, NONE, WORD, ')')      \
    PHRASE("AuditSessionID ", NETWORK_SESSION, NONE, WORD, 0)   \
    PHRASE("destaddr=", DESTINATION_IP, NONE, ADDRESS, 0)       \
    PHRASE("prot=", NETWORK_TRANSPORT, NONE, WORD, 0)           \
    PHRASE("spi=", NETWORK_SESSION, NONE, WORD, '(')            \
    PHRASE("srcaddr=", SOURCE_IP, NONE, ADDRESS, 0)             \
    PHRASE("input interface=", OBSERVER_INGRESS, NONE, WORD, 0) \
    PHRASE("with peer at ", SOURCE_IP, NONE, ADDRESS, 0)        \
    PHRASE("for user ", USER_NAME, NONE, ACCOUNT, 0)            \
    PHRASE("Src IP: ", SOURCE_IP, NONE, ADDRESS, 0)             \
    PHRASE("Dst IP: ", DESTINATION_IP, NONE, ADDRESS, 0)        \
    PHRASE("Src Port: ", SOURCE_PORT, NONE, NUMBER, 0)          \
    PHRASE("Dst Port: ", DESTINATION_PORT, NONE, NUMBER, 0)     \
    PHRASE("Src Intf: ", OBSERVER_INGRESS, NONE, WORD, 0)       \
    PHRASE("Protocol: \"", NETWORK_TRANSPORT, NONE, WORD, '"')  \
    PHRASE("ACL Name: ", RULE_NAME, NONE, WORD, 0)              \
    PHRASE("ACE Action: ", EVENT_ACTION, NONE, WORD, 0)         \
    PHRASE("Hit-count: ", EVENT_COUNT, NONE, NUMBER, 0)         \
    PHRASE("changed state to ", EVENT_OUTCOME, NONE, REST, 0)   \
    PHRASE("logged command:", PROCESS_COMMAND, NONE, REST, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* "%FACILITY-6-MNEMONIC" at its percent sign: the end of it, or NULL. *level is its digit. */
static const char *tag_end(const char *at, const char *end, const char **level)
{
    const char *p = at + 1;
    *level = NULL;
    while (p < end && (word_is_letter(*p) || word_is_digit(*p) || *p == '_' || *p == '-')) {
        if (*level == NULL && p[0] == '-' && p + 2 < end && word_is_digit(p[1]) && p[2] == '-')
            *level = p + 1;
        p++;
    }
    return *level != NULL && p - *level > 2 && p < end && *p == ':' ? p : NULL;
}

/* The percent sign of the tag, or NULL. */
static const char *find_tag(const char *from, const char *end)
{
    const char *limit = end - from > TAG_MAX_BYTES ? from + TAG_MAX_BYTES : end;
    const char *level = NULL;
    for (const char *at = scan_byte(from, limit, '%'); at < limit;
         at = scan_byte(at + 1, limit, '%')) {
        if (tag_end(at, end, &level) != NULL)
            return at;
    }
    return NULL;
}

/* "Nov 21 2026 10:00:00.123 JST" up to the colon before the tag. */
static bool add_time(struct cursor *c, const char *from, const char *to)
{
    const char *zone = memrchr(from, ' ', (size_t)(to - from));
    bool named = zone != NULL && zone + 1 < to && word_is_letter(zone[1]);
    if (!cursor_add(c, from, named ? zone : to, FIELD_TIME_STAMP))
        return false;
    return !named || cursor_add(c, zone + 1, to, FIELD_TIME_ZONE);
}

/* "012345: ", "gw1: ", "*", then the time: each up to its colon. */
static bool read_head(struct cursor *c, const char *tag)
{
    while (c->at < tag) {
        if (strchr(" :*.", *c->at) != NULL && *c->at != '\0') {
            c->at++;
            continue;
        }
        const struct slice rest = slice_of(c->at, (size_t)(tag - c->at));
        if (stamp_length_bsd(rest) >= STAMP_MIN_BYTES) {
            const char *to = tag;
            while (to > c->at && (to[-1] == ' ' || to[-1] == ':'))
                to--;
            const char *from = c->at;
            c->at = tag;
            return add_time(c, from, to);
        }
        const char *to = scan_text(c->at, tag, SLICE(": "));
        size_t digits = 0;
        while (c->at + digits < to && word_is_digit(c->at[digits]))
            digits++;
        const bool number = c->at + digits == to;
        if (!cursor_add(c, c->at, to, number ? FIELD_COLUMN(COLUMN_SEQUENCE) : FIELD_OBSERVER_NAME))
            return false;
        c->at = to;
    }
    return true;
}

/* "198.51.100.7(4000)"; of ICMP, behind the destination, "(8/0)". */
static bool add_end(struct cursor *c, struct slice word, uint16_t ip, uint16_t port, bool icmp)
{
    const char *end = word.data + word.len;
    const char *open = scan_byte(word.data, end, '(');
    const char *close = scan_byte(open, end, ')');
    if (!cursor_add(c, word.data, open, ip))
        return false;
    if (close == end)
        return true;
    const char *slash = scan_byte(open, close, '/');
    if (icmp && slash < close)
        return cursor_add(c, open + 1, slash, FIELD_ICMP_TYPE) &&
               cursor_add(c, slash + 1, close, FIELD_ICMP_CODE);
    return cursor_add(c, open + 1, close, port);
}

/* " (8/0)" */
static bool read_icmp(struct cursor *c)
{
    if (!cursor_take(c, SLICE(" (")))
        return true;
    const char *from = c->at;
    const char *close = scan_byte(from, c->end, ')');
    const char *slash = scan_byte(from, close, '/');
    c->at = close + (close < c->end);
    return cursor_add(c, from, slash, FIELD_ICMP_TYPE) &&
           (slash + 1 >= close || cursor_add(c, slash + 1, close, FIELD_ICMP_CODE));
}

/* "list 101 denied tcp 198.51.100.7(4000) [(Gi0/1 0200.0000.0001)] -> 192.0.2.9(22), 1 packet" */
static bool read_access(struct cursor *c)
{
    struct slice list = cursor_word(c);
    struct slice verb = cursor_word(c);
    if (list.len == 0 || verb.len == 0 || !cursor_add_slice(c, list, FIELD_RULE_NAME) ||
        !cursor_add_slice(c, verb, FIELD_EVENT_ACTION))
        return false;
    struct slice word = cursor_word(c);
    bool icmp = word_begins(word, SLICE("icmp"));
    if (word.len > 0 && memchr(word.data, '.', word.len) == NULL &&
        memchr(word.data, ':', word.len) == NULL) {
        if (!cursor_add_slice(c, word, FIELD_NETWORK_TRANSPORT))
            return false;
        word = cursor_word(c);
    }
    if (word.len == 0 || !add_end(c, word, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, false))
        return false;
    if (c->at < c->end && *c->at == '(') {
        const char *close = scan_byte(c->at, c->end, ')');
        const char *blank = scan_byte(c->at, close, ' ');
        if (!cursor_add(c, c->at + 1, blank, FIELD_OBSERVER_INGRESS) ||
            (blank + 1 < close && !cursor_add(c, blank + 1, close, FIELD_SOURCE_MAC)))
            return false;
        c->at = close + (close < c->end);
        cursor_skip_blanks(c);
    }
    if (cursor_take(c, SLICE("-> "))) {
        const char *from = c->at;
        c->at = scan_either(from, c->end, ' ', ',');
        if (!add_end(c, slice_of(from, (size_t)(c->at - from)), FIELD_DESTINATION_IP,
                     FIELD_DESTINATION_PORT, icmp))
            return false;
        if (icmp && !read_icmp(c))
            return false;
        (void)cursor_take(c, SLICE(","));
        cursor_skip_blanks(c);
    }
    return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_COLUMN(COLUMN_PACKETS));
}

/* "198.51.100.7:4000" up to a blank or a parenthesis, blanks behind it skipped. */
static bool read_peer(struct cursor *c, uint16_t ip, uint16_t port)
{
    const char *from = c->at;
    const char *to = scan_either(from, c->end, ' ', '(');
    const char *colon = from < to ? memrchr(from, ':', (size_t)(to - from)) : NULL;
    const char *host_end = colon == NULL ? to : colon;
    c->at = to;
    cursor_skip_blanks(c);
    if (!url_host_is_address(slice_of(from, (size_t)(host_end - from))))
        return from == to || cursor_add(c, from, to, FIELD_MESSAGE);
    return cursor_add(c, from, host_end, ip) &&
           (colon == NULL || cursor_add(c, colon + 1, to, port));
}

/* "(target:class)-(IN-OUT:web)": the pair of zones and its class; or nothing. */
static bool read_zones(struct cursor *c)
{
    if (!cursor_take(c, SLICE("(target:class)-(")))
        return true;
    const char *close = scan_byte(c->at, c->end, ')');
    if (!cursor_add(c, c->at, close, FIELD_RULE_NAME))
        return false;
    c->at = close + (close < c->end);
    (void)cursor_take(c, SLICE(":"));
    cursor_skip_blanks(c);
    return true;
}

/* "(192.0.2.7:4000) [sent 1095 bytes] " of the initiator or the responder. */
static bool read_session_end(struct cursor *c, uint16_t ip, uint16_t port, uint16_t bytes)
{
    if (!cursor_take(c, SLICE("(")))
        return true;
    const char *close = scan_byte(c->at, c->end, ')');
    struct cursor inside = *c;
    inside.end = close;
    if (!read_peer(&inside, ip, port))
        return false;
    c->at = close + (close < c->end);
    cursor_skip_blanks(c);
    return !cursor_take(c, SLICE("sent ")) || cursor_add_slice(c, cursor_word(c), bytes);
}

/* "Start http session: initiator (..) [sent 1095 bytes] -- responder (..) [sent 2540 bytes]" */
static bool read_session(struct cursor *c)
{
    if (!cursor_add_slice(c, cursor_word(c), FIELD_EVENT_ACTION) ||
        !cursor_add_slice(c, cursor_word(c), FIELD_NETWORK_PROTOCOL))
        return false;
    (void)cursor_take(c, SLICE("session: initiator "));
    if (!read_session_end(c, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_SOURCE_BYTES))
        return false;
    (void)cursor_take(c, SLICE("bytes "));
    (void)cursor_take(c, SLICE("-- responder "));
    return read_session_end(c, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT,
                            FIELD_DESTINATION_BYTES);
}

/* "Dropping tcp pkt [from Gi0/0] 198.51.100.7:4000 [=>] 192.0.2.9:80[(..)-(..)] due to ..." */
static bool read_packet(struct cursor *c)
{
    if (!cursor_add_slice(c, cursor_word(c), FIELD_EVENT_ACTION) ||
        !cursor_add_slice(c, cursor_word(c), FIELD_NETWORK_TRANSPORT))
        return false;
    (void)(cursor_take(c, SLICE("pkt ")) || cursor_take(c, SLICE("session ")));
    if (cursor_take(c, SLICE("from ")) &&
        !cursor_add_slice(c, cursor_word(c), FIELD_OBSERVER_INGRESS))
        return false;
    if (!read_peer(c, FIELD_SOURCE_IP, FIELD_SOURCE_PORT))
        return false;
    (void)cursor_take(c, SLICE("=> "));
    if (!read_peer(c, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT) || !read_zones(c))
        return false;
    if (cursor_take(c, SLICE("on zone-pair ")) &&
        !cursor_add_slice(c, cursor_word(c), FIELD_RULE_NAME))
        return false;
    if (cursor_take(c, SLICE("class ")) &&
        !cursor_add_slice(c, cursor_word(c), FIELD_RULE_CATEGORY))
        return false;
    const bool why = cursor_take(c, SLICE("due to "));
    cursor_skip_blanks(c);
    const char *tail = cursor_find(c, SLICE(" with ip ident "));
    if (why && tail != NULL) {
        if (!cursor_add(c, c->at, tail, FIELD_EVENT_REASON))
            return false;
        c->at = tail + 1;
    }
    return c->at == c->end || cursor_add(c, c->at, c->end, FIELD_MESSAGE);
}

/* The zone based firewall; false: not its texts, and nothing is added. */
static bool is_zone_text(const struct cursor *c)
{
    static const struct slice STARTS[] = {
        {"(target:class)-(", 16}, {"Dropping ", 9}, {"Passing ", 8}, {"Start ", 6}, {"Stop ", 5}};
    for (size_t i = 0; i < sizeof(STARTS) / sizeof(STARTS[0]); i++) {
        if (slice_starts(cursor_rest(c), STARTS[i]))
            return true;
    }
    return false;
}

static bool read_zone_text(struct cursor *c)
{
    if (!read_zones(c))
        return false;
    struct slice rest = cursor_rest(c);
    if (slice_starts(rest, SLICE("Start ")) || slice_starts(rest, SLICE("Stop ")))
        return read_session(c);
    return read_packet(c);
}

/* "tcp 192.0.2.7:5000 203.0.113.1:5000 198.51.100.7:80 198.51.100.7:80": local, global of both. */
static bool read_translation(struct cursor *c)
{
    return cursor_add_slice(c, cursor_word(c), FIELD_NETWORK_TRANSPORT) &&
           read_peer(c, FIELD_SOURCE_IP, FIELD_SOURCE_PORT) &&
           read_peer(c, FIELD_SOURCE_NAT_IP, FIELD_SOURCE_NAT_PORT) &&
           read_peer(c, FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT) &&
           read_peer(c, FIELD_DESTINATION_NAT_IP, FIELD_DESTINATION_NAT_PORT);
}

/* What stands behind known words, else all of it is a message. */
static bool read_text(struct cursor *c)
{
    const uint32_t mark = c->out->count;
    if (!phrase_add(c, &TABLE, c->at, c->end))
        return false;
    return c->out->count > mark || c->at == c->end || cursor_add(c, c->at, c->end, FIELD_MESSAGE);
}

/* A text that ends in a word of success or failure. */
static bool read_ssh(struct cursor *c)
{
    const char *end = c->end;
    while (end > c->at && (end[-1] == ' ' || end[-1] == '\r'))
        end--;
    const char *blank = memrchr(c->at, ' ', (size_t)(end - c->at));
    if (blank == NULL)
        return read_text(c);
    if (!phrase_add(c, &TABLE, c->at, blank))
        return false;
    return cursor_add(c, blank + 1, end, FIELD_EVENT_OUTCOME);
}

/* IOS XE sends what its data plane has to say inside a message of the platform. */
static const char *inner_tag(const char *tag, const char *end)
{
    static const struct slice PLATFORM = {"%IOSXE-", 7};
    if (!slice_starts(slice_of(tag, (size_t)(end - tag)), PLATFORM))
        return NULL;
    return find_tag(tag + 1, end);
}

/* How a text is read; those in front of TEXT_OTHER have a verb, which is the action. */
enum text_kind {
    TEXT_ACCESS,
    TEXT_ZONES,
    TEXT_FLOW,
    TEXT_OTHER,
    TEXT_TRANSLATION,
    TEXT_SSH,
};

/* Where the list of an access list's message begins, which IOS XE's data plane has words before. */
static bool find_list(struct cursor *c)
{
    const char *end = c->end - c->at > TAG_MAX_BYTES ? c->at + TAG_MAX_BYTES : c->end;
    const char *list = scan_text(c->at, end, SLICE("list "));
    if (list == end || (list > c->at && list[-1] != ' '))
        return false;
    c->at = list + 5;
    return true;
}

/* The kind, and the cursor where the text is read from. */
static enum text_kind kind_of(struct slice facility, struct slice code, struct cursor *text)
{
    if (slice_has(code, SLICE("ACCESSLOG")) && find_list(text))
        return TEXT_ACCESS;
    if (slice_equal(facility, SLICE("FW")) && is_zone_text(text))
        return TEXT_ZONES;
    if (slice_equal(facility, SLICE("ACLLOG")))
        return TEXT_FLOW;
    if (slice_equal(facility, SLICE("IPNAT")))
        return TEXT_TRANSLATION;
    return slice_starts(code, SLICE("SSH2_")) ? TEXT_SSH : TEXT_OTHER;
}

static bool read_kind(struct cursor *text, enum text_kind kind)
{
    switch (kind) {
    case TEXT_ACCESS:
        return read_access(text);
    case TEXT_ZONES:
        return read_zone_text(text);
    case TEXT_TRANSLATION:
        return read_translation(text);
    case TEXT_SSH:
        return read_ssh(text);
    case TEXT_FLOW:
    case TEXT_OTHER:
        break;
    }
    return read_text(text);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    const char *tag = find_tag(c.at, c.end);
    const char *level = NULL;
    (void)state;
    if (tag == NULL)
        return PARSE_MISMATCH;
    const char *inner = inner_tag(tag, c.end);
    if (!read_head(&c, tag))
        return PARSE_PARTIAL;
    if (inner != NULL) {
        if (!cursor_add(&c, tag + 1, inner, FIELD_COLUMN(COLUMN_HEAD)))
            return PARSE_PARTIAL;
        tag = inner;
    }
    const char *end = tag_end(tag, c.end, &level);
    const struct slice facility = slice_of(tag + 1, (size_t)(level - 1 - (tag + 1)));
    const struct slice code = slice_of(level + 2, (size_t)(end - level - 2));
    struct cursor text = c;
    text.at = end + 1;
    cursor_skip_blanks(&text);
    const enum text_kind kind = kind_of(facility, code, &text);
    if (!cursor_add_slice(&c, facility, FIELD_EVENT_DATASET) ||
        !cursor_add(&c, level, level + 1, FIELD_EVENT_SEVERITY) ||
        !cursor_add_slice(&c, code, kind < TEXT_OTHER ? FIELD_EVENT_CODE : FIELD_EVENT_ACTION))
        return PARSE_PARTIAL;
    return read_kind(&text, kind) ? PARSE_OK : PARSE_PARTIAL;
}

/* The same numbers are those of the ASA and of Firepower, which have parsers of their own. */
static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    const char *end = head.data + head.len;
    const char *tag = find_tag(head.data, end);
    if (tag == NULL)
        return false;
    struct slice name = slice_of(tag, (size_t)(end - tag));
    return !slice_starts(name, SLICE("%ASA-")) && !slice_starts(name, SLICE("%FTD-")) &&
           !slice_starts(name, SLICE("%PIX-")) && !slice_starts(name, SLICE("%FWSM-"));
}

/* `beside` is the outcome. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("permitted", ALLOW), VERDICT_WORD("permit", ALLOW),
        VERDICT_WORD("denied", DENY),     VERDICT_WORD("deny", DENY),
        VERDICT_WORD("dropping", DROP),   VERDICT_WORD("passing", ALLOW),
        VERDICT_WORD("success", ALLOW),   VERDICT_WORD("fail", DENY),
    };
    if (slice_equal(action, SLICE("Start")) || slice_equal(action, SLICE("Stop")))
        return VERDICT_ALLOW; /* sessions; START is 802.1X's */
    uint8_t found = word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
    if (slice_equal(action, SLICE("SSH2_USERAUTH")))
        return word_begins(beside, SLICE("succe")) ? VERDICT_ALLOW : VERDICT_DENY;
    return found != VERDICT_UNKNOWN ? found : word_login_verdict(action, SLICE(""));
}

const struct parser parser_cisco_ios = {
    .name = "cisco_ios",
    .format = FORMAT_CISCO_IOS,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
