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
#include "ingest/word.h"

enum {
    COLUMN_SEQUENCE = 0,
    COLUMN_HEAD = 1,     /* what else stands in front of the time */
    COLUMN_PACKETS = 2,  /* "1 packet" */
    TAG_MAX_BYTES = 200, /* the tag begins within so many bytes */
    STAMP_MIN_BYTES = 15,
};

static const struct phrase PHRASES[] = {
    {{"[user: ", 7}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, ']'},
    {{"[Source: ", 9}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, ']'},
    {{"[localport: ", 12}, FIELD_DESTINATION_PORT, FIELD_NONE, PHRASE_WORD, ']'},
    {{"[Reason: ", 9}, FIELD_EVENT_REASON, FIELD_NONE, PHRASE_WORD, ']'},
    {{"[ACL: ", 6}, FIELD_RULE_NAME, FIELD_NONE, PHRASE_WORD, ']'},
    {{"User '", 6}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, '\''},
    {{"user '", 6}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, '\''},
    {{"User:", 5}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, ' '},
    {{"username: ", 10}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"NETCONF user ", 13}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{", user ", 7}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"failed by ", 10}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"level set to 1 by ", 18}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"level set to 15 by ", 19}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"on console by ", 14}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"reset by ", 9}, FIELD_SOURCE_USER, FIELD_NONE, PHRASE_WORD, 0},
    {{" from console by ", 17}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{" from console as ", 17}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"User ", 5}, FIELD_USER_NAME, FIELD_NONE, PHRASE_ACCOUNT, 0},
    {{"RPC '", 5}, FIELD_URL_ORIGINAL, FIELD_NONE, PHRASE_URL, '\''},
    {{" from ", 6}, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, PHRASE_ADDRESS, 0},
    {{" by ", 4}, FIELD_SOURCE_IP, FIELD_SOURCE_PORT, PHRASE_ADDRESS, 0},
    {{"(", 1}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, ')'},
    {{"Duplicate address ", 18}, FIELD_SOURCE_IP, FIELD_NONE, PHRASE_ADDRESS, 0},
    {{"sourced by ", 11}, FIELD_SOURCE_MAC, FIELD_NONE, PHRASE_WORD, 0},
    {{"MAC sa: ", 8}, FIELD_SOURCE_MAC, FIELD_NONE, PHRASE_WORD, 0},
    {{"client (", 8}, FIELD_SOURCE_MAC, FIELD_NONE, PHRASE_WORD, ')'},
    {{"Host ", 5}, FIELD_SOURCE_MAC, FIELD_NONE, PHRASE_WORD, 0},
    {{"on Interface ", 13}, FIELD_OBSERVER_INGRESS, FIELD_NONE, PHRASE_WORD, 0},
    {{"Interface ", 10}, FIELD_OBSERVER_INGRESS, FIELD_NONE, PHRASE_WORD, 0},
    {{"on port ", 8}, FIELD_OBSERVER_INGRESS, FIELD_NONE, PHRASE_WORD, 0},
    {{"changed state to ", 17}, FIELD_EVENT_OUTCOME, FIELD_NONE, PHRASE_REST, 0},
    {{"logged command:", 15}, FIELD_PROCESS_COMMAND, FIELD_NONE, PHRASE_REST, 0},
};

static const struct phrase_table TABLE = {PHRASES, sizeof(PHRASES) / sizeof(PHRASES[0])};

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
        const char *colon = memmem(c->at, rest.len, ": ", 2);
        const char *to = colon == NULL ? tag : colon;
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

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    const char *tag = find_tag(c.at, c.end);
    const char *level = NULL;
    (void)state;
    if (tag == NULL)
        return PARSE_MISMATCH;
    const char *end = tag_end(tag, c.end, &level);
    const struct slice code = slice_of(level + 2, (size_t)(end - level - 2));
    const bool access = slice_starts(code, SLICE("IPACCESSLOG"));
    if (!read_head(&c, tag) || !cursor_add(&c, tag + 1, level - 1, FIELD_EVENT_DATASET) ||
        !cursor_add(&c, level, level + 1, FIELD_EVENT_SEVERITY) ||
        !cursor_add_slice(&c, code, access ? FIELD_EVENT_CODE : FIELD_EVENT_ACTION))
        return PARSE_PARTIAL;
    c.at = end + 1;
    cursor_skip_blanks(&c);
    if (access && cursor_take(&c, SLICE("list ")))
        return read_access(&c) ? PARSE_OK : PARSE_PARTIAL;
    const uint32_t mark = out->count;
    if (!phrase_add(&c, &TABLE, c.at, c.end))
        return PARSE_PARTIAL;
    if (out->count > mark || c.at == c.end)
        return PARSE_OK;
    return cursor_add(&c, c.at, c.end, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
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

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {VERDICT_WORD("permitted", ALLOW),
                                                VERDICT_WORD("denied", DENY)};
    uint8_t found = word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
    (void)beside;
    return found != VERDICT_UNKNOWN ? found : word_login_verdict(action, SLICE(""));
}

const struct parser parser_cisco_ios = {
    .name = "cisco_ios",
    .format = FORMAT_CISCO_IOS,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
