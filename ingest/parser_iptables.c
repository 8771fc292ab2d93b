/*
 * The kernel's packet log, of iptables' and nftables' LOG:
 *
 *   [12345.678901] FW-DROP: IN=eth0 OUT= MAC=<to>:<from>:08:00 SRC=198.51.100.7 DST=192.0.2.9
 *       LEN=60 ... PROTO=TCP SPT=40000 DPT=22 ... RES=0x00 SYN URGP=0
 *   ... PROTO=ICMP TYPE=3 CODE=1 [SRC=192.0.2.9 DST=203.0.113.5 ... PROTO=UDP SPT=53 DPT=53 LEN=20 ]
 *
 * The words before IN=, which may touch it, are the administrator's own: the last of them that is a
 * verb is the action, the others name the rule. What stands in brackets is the packet that an ICMP
 * error quotes; its values keep the kernel's names, as who sent it is not who acted.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"

enum {
    COLUMN_UPTIME = 0, /* seconds since the kernel started */
    COLUMN_WORD = 1,   /* a word that is no key, no flag and nothing that stays the same */
    PROBE_MAX_BYTES = 512,
    MAC_BYTES = 41,     /* "aa:bb:cc:dd:ee:ff:" twice, then "08:00" */
    MAC_ONE_BYTES = 17, /* one of the two addresses */
};

/* A value that the kernel writes as KEY=value and a common name is known for. */
struct known {
    struct slice key;
    uint16_t field;
};

#define KNOWN(text, id)                                                 \
    {                                                                   \
        .key = {.data = (text), .len = sizeof(text) - 1}, .field = (id) \
    }

static const struct known KEYS[] = {
    KNOWN("IN", FIELD_OBSERVER_INGRESS),     KNOWN("OUT", FIELD_OBSERVER_EGRESS),
    KNOWN("SRC", FIELD_SOURCE_IP),           KNOWN("DST", FIELD_DESTINATION_IP),
    KNOWN("PROTO", FIELD_NETWORK_TRANSPORT), KNOWN("SPT", FIELD_SOURCE_PORT),
    KNOWN("DPT", FIELD_DESTINATION_PORT),    KNOWN("TYPE", FIELD_ICMP_TYPE),
    KNOWN("CODE", FIELD_ICMP_CODE),          KNOWN("MACSRC", FIELD_SOURCE_MAC),
    KNOWN("MACDST", FIELD_DESTINATION_MAC),
};

/* Flags of a TCP segment; they stand side by side and change from line to line. */
static const struct slice TCP_FLAGS[] = {
    {"CWR", 3}, {"ECE", 3}, {"URG", 3}, {"ACK", 3}, {"PSH", 3}, {"RST", 3}, {"SYN", 3}, {"FIN", 3},
};

/* Flags of an IP packet; few enough to stay in the skeleton. */
static const struct slice IP_FLAGS[] = {{"CE", 2}, {"DF", 2}, {"MF", 2}, {"ARP", 3}};

static const struct {
    struct slice word; /* capitals */
    uint8_t verdict;
} VERBS[] = {
    {{"ACCEPT", 6}, VERDICT_ALLOW},  {{"ACCEPTED", 8}, VERDICT_ALLOW},
    {{"ALLOW", 5}, VERDICT_ALLOW},   {{"ALLOWED", 7}, VERDICT_ALLOW},
    {{"PASS", 4}, VERDICT_ALLOW},    {{"DROP", 4}, VERDICT_DROP},
    {{"DROPPED", 7}, VERDICT_DROP},  {{"REJECT", 6}, VERDICT_DENY},
    {{"REJECTED", 8}, VERDICT_DENY}, {{"DENY", 4}, VERDICT_DENY},
    {{"DENIED", 6}, VERDICT_DENY},   {{"BLOCK", 5}, VERDICT_BLOCK},
    {{"BLOCKED", 7}, VERDICT_BLOCK},
};

struct scan {
    struct slots *out;
    struct slice line;
    const char *at; /* next byte to read */
    const char *end;
    bool quoted_packet; /* inside the brackets of an ICMP error */
    bool has_protocol;
};

static bool add(struct scan *s, const char *from, const char *to, uint16_t field)
{
    return slots_add(s->out, (uint32_t)(from - s->line.data), (uint32_t)(to - from), field,
                     SLOT_PLAIN);
}

static bool add_unnamed(struct scan *s, struct slice key, const char *from, const char *to)
{
    struct slot name = {.offset = (uint32_t)(key.data - s->line.data), .length = (uint32_t)key.len};
    struct slot value = {.offset = (uint32_t)(from - s->line.data),
                         .length = (uint32_t)(to - from)};
    return slots_add_unnamed(s->out, &name, &value);
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The end of the letters at `p`. */
static const char *letters_end(const char *p, const char *end)
{
    while (p < end && is_letter(*p))
        p++;
    return p;
}

/* The index of a verb in VERBS, in any case, or -1. */
static int find_verb(struct slice word)
{
    for (int i = 0; i < (int)(sizeof(VERBS) / sizeof(VERBS[0])); i++) {
        size_t at = 0;
        if (VERBS[i].word.len != word.len)
            continue;
        while (at < word.len && (word.data[at] & ~0x20) == VERBS[i].word.data[at])
            at++;
        if (at == word.len)
            return i;
    }
    return -1;
}

static bool is_one_of(struct slice word, const struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(word, words[i]))
            return true;
    }
    return false;
}

/*
 * Where "IN=" stands before the first " OUT=", or NULL. The word before " OUT=" ends with the
 * interface; what the administrator glued to IN= belongs to the prefix.
 */
static const char *find_start(const char *from, const char *end)
{
    const char *out = scan_text(from, end, SLICE(" OUT="));
    const char *key = NULL;
    if (out == end)
        return NULL;
    const char *word = out;
    while (word > from && word[-1] != ' ')
        word--;
    for (const char *p = word; p + 3 <= out; p++) {
        if (memcmp(p, "IN=", 3) == 0)
            key = p;
    }
    return key;
}

/* What stands between the words of a prefix and means nothing. */
static bool separates(char c)
{
    return c == ' ' || c == ':' || c == '-' || c == ',' || c == '|' || c == '>' || c == '[' ||
           c == ']' || c == '(' || c == ')' || c == '_' || c == '#';
}

/* Append [from, to) without what only separates words, as the rule's name; nothing for nothing. */
static bool add_rule(struct scan *s, const char *from, const char *to)
{
    while (from < to && separates(*from))
        from++;
    while (to > from && separates(to[-1]))
        to--;
    return from == to || add(s, from, to, FIELD_RULE_NAME);
}

/* "kernel: " and "[12345.678901] ", where they are there. */
static bool scan_uptime(struct scan *s, const char *start)
{
    static const struct slice TAG = {.data = "kernel: ", .len = 8};
    if (slice_starts(slice_of(s->at, (size_t)(start - s->at)), TAG))
        s->at += TAG.len;
    const char *p = s->at;
    if (p == start || *p != '[')
        return true;
    for (p++; p < start && *p == ' ';)
        p++;
    const char *digits = p;
    while (p < start && (is_digit(*p) || *p == '.'))
        p++;
    if (p == digits || p == start || *p != ']')
        return true;
    s->at = p + 1;
    return add(s, digits, p, FIELD_COLUMN(COLUMN_UPTIME));
}

/* VyOS and EdgeOS: "[WAN_LOCAL-default-D]" ends in what was done: A, D or R; else empty. */
static struct slice code_of(const char *from, const char *start)
{
    while (start > from && start[-1] == ' ')
        start--;
    bool code = start - from >= 4 && start[-1] == ']' && start[-3] == '-' &&
                (start[-2] == 'A' || start[-2] == 'D' || start[-2] == 'R');
    return code ? slice_of(start - 2, 1) : SLICE("");
}

/* The words in front of the packet: a rule's name and a verb in it. */
static bool scan_rule(struct scan *s, const char *start)
{
    struct slice verb = {0};
    for (const char *p = s->at; p < start;) {
        const char *end = letters_end(p, start);
        if (end > p && find_verb(slice_of(p, (size_t)(end - p))) >= 0)
            verb = slice_of(p, (size_t)(end - p));
        p = end > p ? end : p + 1;
    }
    if (verb.len == 0)
        verb = code_of(s->at, start);
    if (verb.len == 0)
        return add_rule(s, s->at, start);
    const char *behind = verb.data + verb.len;
    return add_rule(s, s->at, verb.data) && add(s, verb.data, behind, FIELD_EVENT_ACTION) &&
           add_rule(s, behind, start);
}

/* The administrator's words: [at, start), of UniFi and EdgeOS with a description behind them. */
static bool scan_prefix(struct scan *s, const char *start)
{
    static const struct slice KEY = {.data = "DESCR=\"", .len = 7};
    if (!scan_uptime(s, start))
        return false;
    const char *text = scan_text(s->at, start, KEY);
    if (text == start)
        return scan_rule(s, start);
    const char *close = scan_byte(text + KEY.len, start, '"');
    return scan_rule(s, text) && add_unnamed(s, slice_of(text, KEY.len - 2), text + KEY.len, close);
}

/* MAC=: receiver, sender, type of the frame; other link layers have other lengths. */
static bool add_mac(struct scan *s, struct slice key, const char *from, const char *to)
{
    if (to - from != MAC_BYTES)
        return add_unnamed(s, key, from, to);
    const char *sender = from + MAC_ONE_BYTES + 1;
    return add(s, from, from + MAC_ONE_BYTES, FIELD_DESTINATION_MAC) &&
           add(s, sender, sender + MAC_ONE_BYTES, FIELD_SOURCE_MAC);
}

static bool add_value(struct scan *s, struct slice key, const char *from, const char *to)
{
    if (s->quoted_packet)
        return add_unnamed(s, key, from, to);
    s->has_protocol |= slice_equal(key, SLICE("PROTO")) || slice_equal(key, SLICE("MACPROTO"));
    if (slice_equal(key, SLICE("MAC")))
        return add_mac(s, key, from, to);
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        if (slice_equal(key, KEYS[i].key))
            return add(s, from, to, KEYS[i].field);
    }
    return add_unnamed(s, key, from, to);
}

/* The flags from `from` on, of which the first ends at `to`. */
static bool scan_flags(struct scan *s, const char *from, const char *to)
{
    const char *next = to;
    while (next < s->end && *next == ' ') {
        const char *end = letters_end(next + 1, s->end);
        bool whole = end == s->end || *end == ' ';
        if (!whole || !is_one_of(slice_of(next + 1, (size_t)(end - next - 1)), TCP_FLAGS,
                                 sizeof(TCP_FLAGS) / sizeof(TCP_FLAGS[0])))
            break;
        next = end;
    }
    s->at = next;
    return s->quoted_packet ? add(s, from, next, FIELD_COLUMN(COLUMN_WORD))
                            : add(s, from, next, FIELD_NETWORK_TCP_FLAGS);
}

/* "OPT (0204...)", "INCOMPLETE [8 bytes]": a name, a blank, a value between brackets. */
static bool scan_bracketed(struct scan *s, struct slice word)
{
    const char *open = word.data + word.len + 1;
    char close = *open == '(' ? ')' : ']';
    const char *to = scan_byte(open, s->end, close);
    if (to == s->end)
        return false;
    s->at = to + 1;
    return add_unnamed(s, word, open + 1, to);
}

/* A word without '=': flags, FRAG:185, a bracketed value, or something of another kernel. */
static bool scan_word(struct scan *s, const char *from, const char *to)
{
    struct slice word = slice_of(from, (size_t)(to - from));
    s->at = to;
    if (is_one_of(word, TCP_FLAGS, sizeof(TCP_FLAGS) / sizeof(TCP_FLAGS[0])))
        return scan_flags(s, from, to);
    if (is_one_of(word, IP_FLAGS, sizeof(IP_FLAGS) / sizeof(IP_FLAGS[0])))
        return true;
    bool named = slice_equal(word, SLICE("OPT")) || slice_equal(word, SLICE("INCOMPLETE"));
    if (named && s->end - to >= 2 && (to[1] == '(' || to[1] == '['))
        return scan_bracketed(s, word);
    const char *colon = scan_byte(from, to, ':');
    if (colon > from && colon < to)
        return add_unnamed(s, slice_of(from, (size_t)(colon - from)), colon + 1, to);
    return add(s, from, to, FIELD_COLUMN(COLUMN_WORD));
}

/* The next blank-separated word; the brackets around a quoted packet are passed over. */
static bool scan_token(struct scan *s)
{
    if (*s->at == '[' || (*s->at == ']' && s->quoted_packet)) {
        s->quoted_packet = *s->at == '[';
        s->at++;
        return true;
    }
    const char *from = s->at;
    const char *to =
        s->quoted_packet ? scan_either(from, s->end, ' ', ']') : scan_byte(from, s->end, ' ');
    const char *equal = scan_byte(from, to, '=');
    if (equal == to || equal == from)
        return scan_word(s, from, to);
    s->at = to;
    return add_value(s, slice_of(from, (size_t)(equal - from)), equal + 1, to);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct scan s = {.out = out, .line = line, .at = line.data + from, .end = line.data + line.len};
    const char *start = find_start(s.at, s.end);
    (void)state;
    if (start == NULL)
        return PARSE_MISMATCH;
    if (!scan_prefix(&s, start))
        return PARSE_PARTIAL;
    s.at = start;
    while (s.at < s.end) {
        if (*s.at == ' ')
            s.at++;
        else if (!scan_token(&s))
            return PARSE_PARTIAL;
    }
    return s.has_protocol && !s.quoted_packet ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    const char *start = find_start(message.data, end);
    return start != NULL && scan_has(slice_of(start, (size_t)(end - start)), SLICE("SRC="));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const char CODES[] = "ADR";
    static const uint8_t MEANINGS[] = {VERDICT_ALLOW, VERDICT_DROP, VERDICT_DENY};
    int verb = find_verb(action);
    (void)beside;
    const char *code = action.len == 1 ? memchr(CODES, action.data[0], sizeof(CODES) - 1) : NULL;
    if (code != NULL)
        return MEANINGS[code - CODES];
    return verb < 0 ? VERDICT_UNKNOWN : VERBS[verb].verdict;
}

const struct parser parser_iptables = {
    .name = "iptables",
    .format = FORMAT_IPTABLES,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
