/*
 * Cisco ASA, and FTD, PIX and FWSM with the same message numbers. One matcher runs over templates,
 * strings in which a byte from 0x80 up stands for a value:
 *
 *   %ASA-6-302013: Built inbound TCP connection 7 for outside:192.0.2.1/4000 ...
 *        ^ ------  ^---- ^------ ^--            ^     ^-----  ^------- ^---
 */

#include "event/verdict.h"
#include "ingest/asa_peers.h"
#include "ingest/parser.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum asa_limits {
    TAG_BYTES_MAX = 256,      /* the tag begins within so many bytes */
    SUBSYSTEM_BYTES_MAX = 16, /* %ASA-vpn-5-713050 */
    CODE_DIGITS_MIN = 5,
    CODE_DIGITS_MAX = 7,
    FTD_EVENTS_FIRST = 430001, /* lists of keys and values: another format */
    FTD_EVENTS_LAST = 430005,
    VALUE_FIRST = 0x80,
};

/* How a value is found and what it becomes. */
enum value_class {
    WORD,       /* up to the next literal byte or a blank */
    PROTOCOL,   /* a word, or "protocol 41" */
    TEXT_PART,  /* up to the next literal run; blanks behind it are left out */
    ADDRESS,    /* a word: an address, or a name in place of it */
    ADDRESS_IN, /* the same, up to the last colon of the word */
    ACCOUNT,    /* text: DOMAIN\user */
    ACCOUNT_WORD,
    MAPPED,    /* maybe " (address/port)" */
    IN_PARENS, /* maybe "(DOMAIN\user)" */
    BEFORE_AT, /* "user@" */
    REMAINDER, /* the rest but for a user in parentheses at its end; may be nothing */
    LINK,      /* URL: the rest, or up to the next literal run */
};

struct value {
    uint8_t class;
    uint16_t field;
    uint16_t other; /* of a name, where `field` is an address; of the mapped port */
};

/* Names of values in templates, and what each is. */
#define ACTION        "\x80"
#define ACTIONS       "\x81"
#define DIRECTION     "\x82"
#define PROTO         "\x83"
#define APP           "\x84"
#define SESSION       "\x85"
#define S_IP          "\x86"
#define S_PORT        "\x87"
#define S_IF          "\x88"
#define S_USER        "\x89"
#define S_MAPPED      "\x8a"
#define D_IP          "\x8b"
#define D_PORT        "\x8c"
#define D_IF          "\x8d"
#define D_USER        "\x8e"
#define D_MAPPED      "\x8f"
#define S_IP_COLON    "\x90"
#define D_IP_COLON    "\x91"
#define G_IP          "\x92"
#define G_PORT        "\x93"
#define USER          "\x94"
#define USER_WORD     "\x95"
#define AAA_USER      "\x96"
#define S_ACCOUNT_AT  "\x97"
#define GROUP         "\x98"
#define REASON        "\x99"
#define TEXT          "\x9a"
#define TAIL          "\x9b"
#define RULE          "\x9c"
#define DURATION      "\x9d"
#define BYTES         "\x9e"
#define S_BYTES       "\x9f"
#define D_BYTES       "\xa0"
#define FLAGS         "\xa1"
#define ICMP_TYPE     "\xa2"
#define ICMP_CODE     "\xa3"
#define COUNT         "\xa4"
#define COMMAND       "\xa5"
#define URL           "\xa6"
#define S_MAC         "\xa7"
#define HOST          "\xa8"
#define CATEGORY      "\xa9"
#define LISTED        "\xaa"
#define THREAT        "\xab"
#define THREAT_NUMBER "\xac"
#define FILE_PATH     "\xad"
#define OUTCOME       "\xae"
#define QUESTION      "\xaf"
#define AGENT         "\xb0"
#define D_NAME        "\xb1"
#define D_MAC         "\xb2"

#define AT(code) [(code)-VALUE_FIRST]

static const struct value VALUES[] = {
    AT(0x80) = {WORD, FIELD_EVENT_ACTION, 0},
    AT(0x81) = {TEXT_PART, FIELD_EVENT_ACTION, 0},
    AT(0x82) = {WORD, FIELD_NETWORK_DIRECTION, 0},
    AT(0x83) = {PROTOCOL, FIELD_NETWORK_TRANSPORT, 0},
    AT(0x84) = {TEXT_PART, FIELD_NETWORK_PROTOCOL, 0},
    AT(0x85) = {WORD, FIELD_NETWORK_SESSION, 0},
    AT(0x86) = {ADDRESS, FIELD_SOURCE_IP, FIELD_SOURCE_DOMAIN},
    AT(0x87) = {WORD, FIELD_SOURCE_PORT, 0},
    AT(0x88) = {WORD, FIELD_OBSERVER_INGRESS, 0},
    AT(0x89) = {IN_PARENS, FIELD_USER_NAME, 0},
    AT(0x8a) = {MAPPED, FIELD_SOURCE_NAT_IP, FIELD_SOURCE_NAT_PORT},
    AT(0x8b) = {ADDRESS, FIELD_DESTINATION_IP, FIELD_DESTINATION_DOMAIN},
    AT(0x8c) = {WORD, FIELD_DESTINATION_PORT, 0},
    AT(0x8d) = {WORD, FIELD_OBSERVER_EGRESS, 0},
    AT(0x8e) = {IN_PARENS, FIELD_DESTINATION_USER, 0},
    AT(0x8f) = {MAPPED, FIELD_DESTINATION_NAT_IP, FIELD_DESTINATION_NAT_PORT},
    AT(0x90) = {ADDRESS_IN, FIELD_SOURCE_IP, FIELD_SOURCE_DOMAIN},
    AT(0x91) = {ADDRESS_IN, FIELD_DESTINATION_IP, FIELD_DESTINATION_DOMAIN},
    AT(0x92) = {WORD, FIELD_DESTINATION_NAT_IP, 0},
    AT(0x93) = {WORD, FIELD_DESTINATION_NAT_PORT, 0},
    AT(0x94) = {ACCOUNT, FIELD_USER_NAME, 0},
    AT(0x95) = {ACCOUNT_WORD, FIELD_USER_NAME, 0},
    AT(0x96) = {IN_PARENS, FIELD_SOURCE_USER, 0},
    AT(0x97) = {BEFORE_AT, FIELD_USER_NAME, 0},
    AT(0x98) = {TEXT_PART, FIELD_USER_GROUP, 0},
    AT(0x99) = {TEXT_PART, FIELD_EVENT_REASON, 0},
    AT(0x9a) = {TEXT_PART, FIELD_MESSAGE, 0},
    AT(0x9b) = {REMAINDER, FIELD_EVENT_REASON, 0},
    AT(0x9c) = {TEXT_PART, FIELD_RULE_NAME, 0},
    AT(0x9d) = {WORD, FIELD_EVENT_DURATION_CLOCK, 0},
    AT(0x9e) = {WORD, FIELD_NETWORK_BYTES, 0},
    AT(0x9f) = {WORD, FIELD_SOURCE_BYTES, 0},
    AT(0xa0) = {WORD, FIELD_DESTINATION_BYTES, 0},
    AT(0xa1) = {TEXT_PART, FIELD_NETWORK_TCP_FLAGS, 0},
    AT(0xa2) = {TEXT_PART, FIELD_ICMP_TYPE, 0},
    AT(0xa3) = {WORD, FIELD_ICMP_CODE, 0},
    AT(0xa4) = {WORD, FIELD_EVENT_COUNT, 0},
    AT(0xa5) = {TEXT_PART, FIELD_PROCESS_COMMAND, 0},
    AT(0xa6) = {LINK, FIELD_URL_ORIGINAL, 0},
    AT(0xa7) = {WORD, FIELD_SOURCE_MAC, 0},
    AT(0xa8) = {WORD, FIELD_HOST_IP, 0},
    AT(0xa9) = {TEXT_PART, FIELD_RULE_CATEGORY, 0},
    AT(0xaa) = {WORD, FIELD_RULE_CATEGORY, 0},
    AT(0xab) = {TEXT_PART, FIELD_THREAT_NAME, 0},
    AT(0xac) = {WORD, FIELD_THREAT_ID, 0},
    AT(0xad) = {TEXT_PART, FIELD_FILE_NAME, 0},
    AT(0xae) = {WORD, FIELD_EVENT_OUTCOME, 0},
    AT(0xaf) = {TEXT_PART, FIELD_DNS_QUESTION, 0},
    AT(0xb0) = {TEXT_PART, FIELD_USER_AGENT, 0},
    AT(0xb1) = {WORD, FIELD_DESTINATION_DOMAIN, 0},
    AT(0xb2) = {WORD, FIELD_DESTINATION_MAC, 0},
};

struct row {
    uint32_t number;
    bool peers; /* who is the source is told after the match */
    const char *template;
};

static const struct row ROWS[] = {
#define ASA(number, template)       {(number), false, template},
#define ASA_PEERS(number, template) {(number), true, template},
#include "ingest/parser_cisco_asa.def"
#undef ASA
#undef ASA_PEERS
};

enum {
    ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]),
};

/* A match in progress. */
struct match {
    struct slots *out;
    struct slice line;
    const char *template; /* what is still to match */
    uint32_t at;          /* in the line */
    uint32_t end;
    bool peers; /* roles come later */
};

/* What may stand behind a word of a sentence. */
static bool is_point(char c)
{
    return c == '.' || c == ',' || c == ';';
}

static bool is_value(char c)
{
    return (uint8_t)c >= VALUE_FIRST;
}

static uint32_t skip_blanks(const struct match *m, uint32_t at)
{
    while (at < m->end && m->line.data[at] == ' ')
        at++;
    return at;
}

/*
 * The end of a word at m->at that the template's next byte, a blank or a parenthesis ends. Where no
 * literal byte follows, or a point, which addresses have inside, the point or comma behind a word is
 * the sentence's.
 */
static uint32_t word_end(const struct match *m)
{
    char stop = m->template[1];
    bool open = stop == '\0' || stop == '.' || is_value(stop);
    if (open)
        stop = '(';
    const char *text = m->line.data;
    uint32_t to = (uint32_t)(scan_either(text + m->at, text + m->end, stop, ' ') - text);
    while (open && to > m->at + 1 && is_point(text[to - 1]))
        to--;
    return to;
}

/*
 * Where the literal run behind a text begins: the line's end without one, UINT32_MAX if missing. Of
 * a run with a colon in it the part before that is looked for, as blanks may stand there.
 */
static uint32_t text_end(const struct match *m)
{
    const char *run = m->template + 1;
    size_t len = 0;
    while (run[len] != '\0' && !is_value(run[len]) && (len == 0 || run[len] != ':'))
        len++;
    if (len == 0)
        return m->end;
    const char *from = m->line.data + m->at;
    const char *end = m->line.data + m->end;
    const char *hit = scan_text(from, end, slice_of(run, len));
    return hit == end ? UINT32_MAX : (uint32_t)(hit - m->line.data);
}

/* The end of [from, to) without the blanks at its end. */
static uint32_t trim(const struct match *m, uint32_t from, uint32_t to)
{
    while (to > from && m->line.data[to - 1] == ' ')
        to--;
    return to;
}

static bool add(struct match *m, uint32_t from, uint32_t to, uint16_t field)
{
    return slots_add(m->out, from, to - from, field, SLOT_PLAIN);
}

/* An account, whole where its role is not known yet; a name hidden by stars is none. */
static bool add_account(struct match *m, uint32_t from, uint32_t to, uint16_t field)
{
    if (to == from || m->line.data[from] == '*')
        return true;
    if (field != FIELD_USER_NAME || m->peers)
        return add(m, from, to, field);
    return asa_account(m->out, m->line, from, to - from);
}

static bool take_word(struct match *m, const struct value *v, uint32_t to)
{
    uint32_t from = m->at;
    if (to <= from || to > m->end)
        return false;
    m->at = to;
    switch ((enum value_class)v->class) {
    case ADDRESS:
    case ADDRESS_IN: {
        struct slice host = slice_of(m->line.data + from, to - from);
        return add(m, from, to, url_host_is_address(host) ? v->field : v->other);
    }
    case ACCOUNT_WORD:
        return add_account(m, from, to, v->field);
    case WORD:
    case PROTOCOL:
    case TEXT_PART:
    case ACCOUNT:
    case MAPPED:
    case IN_PARENS:
    case BEFORE_AT:
    case REMAINDER:
    case LINK:
        break;
    }
    return add(m, from, to, v->field);
}

/* "192.0.2.1:500 ": the last colon of the word divides. */
static uint32_t last_colon(const struct match *m)
{
    const char *text = m->line.data;
    const char *blank = memchr(text + m->at, ' ', m->end - m->at);
    size_t len = blank == NULL ? m->end - m->at : (size_t)(blank - text) - m->at;
    const char *colon = memrchr(text + m->at, ':', len);
    return colon == NULL ? m->at : (uint32_t)(colon - text);
}

static bool take_text(struct match *m, const struct value *v)
{
    uint32_t from = m->at;
    uint32_t to = text_end(m);
    if (to > m->end)
        return false;
    m->at = to;
    uint32_t last = trim(m, from, to);
    if (v->class == ACCOUNT)
        return add_account(m, from, last, v->field);
    if (v->class == LINK)
        return url_slots(m->out, m->line, from, last - from, SLOT_PLAIN);
    return add(m, from, last, v->field);
}

/* The place of the parenthesis that opens at `at`, blanks before it skipped, and its end. */
static bool parens_find(const struct match *m, uint32_t *open, uint32_t *close)
{
    uint32_t at = skip_blanks(m, m->at);
    if (at >= m->end || m->line.data[at] != '(')
        return false;
    const char *hit = memchr(m->line.data + at, ')', m->end - at);
    if (hit == NULL)
        return false;
    *open = at;
    *close = (uint32_t)(hit - m->line.data);
    return true;
}

/* " (192.0.2.1/4000)" or nothing. */
static bool take_mapped(struct match *m, const struct value *v)
{
    uint32_t open;
    uint32_t close;
    if (!parens_find(m, &open, &close))
        return true;
    const char *text = m->line.data;
    const char *slash = memchr(text + open, '/', close - open);
    uint32_t host_end = slash == NULL ? close : (uint32_t)(slash - text);
    struct slice host = slice_of(text + open + 1, host_end - open - 1);
    if (host.len == 0 || (slash == NULL && !url_host_is_address(host)))
        return true;
    m->at = close + 1;
    return add(m, open + 1, host_end, v->field) &&
           (slash == NULL || add(m, host_end + 1, close, v->other));
}

/*
 * "(DOMAIN\user)", "(DOMAIN\user, 4:group tag)" or nothing; what holds a slash or a type is no user.
 */
static bool take_parens(struct match *m, const struct value *v)
{
    uint32_t open;
    uint32_t close;
    if (!parens_find(m, &open, &close))
        return true;
    struct slice inside = slice_of(m->line.data + open + 1, close - open - 1);
    if (inside.len == 0 || memchr(inside.data, '/', inside.len) != NULL ||
        slice_starts(inside, SLICE("type ")))
        return true;
    m->at = close + 1;
    const char *comma = memchr(inside.data, ',', inside.len);
    if (comma != NULL)
        close = (uint32_t)(comma - m->line.data);
    return add_account(m, open + 1, close, v->field);
}

static bool take_before_at(struct match *m, const struct value *v)
{
    const char *text = m->line.data;
    const char *blank = memchr(text + m->at, ' ', m->end - m->at);
    size_t len = blank == NULL ? m->end - m->at : (size_t)(blank - text) - m->at;
    const char *sign = memrchr(text + m->at, '@', len);
    if (sign == NULL)
        return false;
    uint32_t from = m->at;
    m->at = (uint32_t)(sign - text) + 1;
    return add_account(m, from, m->at - 1, v->field);
}

static bool take_remainder(struct match *m, const struct value *v)
{
    const char *text = m->line.data;
    uint32_t from = skip_blanks(m, m->at);
    uint32_t to = trim(m, from, m->end);
    if (to > from && text[to - 1] == ')') {
        const char *open = memrchr(text + from, '(', to - from);
        if (open != NULL)
            to = trim(m, from, (uint32_t)(open - text));
    }
    if (to <= from)
        return true;
    m->at = to;
    return add(m, from, to, v->field);
}

/* Of a protocol without a name its number is the value: "Deny protocol 41 src ...". */
static void skip_protocol(struct match *m)
{
    static const struct slice WORDS = {"protocol ", 9};
    struct slice rest = slice_of(m->line.data + m->at, m->end - m->at);
    if (rest.len > WORDS.len && slice_starts(rest, WORDS) && word_is_digit(rest.data[WORDS.len]))
        m->at += (uint32_t)WORDS.len;
}

static bool take_value(struct match *m)
{
    const struct value *v = &VALUES[(uint8_t)*m->template - VALUE_FIRST];
    switch ((enum value_class)v->class) {
    case PROTOCOL:
        skip_protocol(m);
        return take_word(m, v, word_end(m));
    case WORD:
    case ADDRESS:
    case ACCOUNT_WORD:
        return take_word(m, v, word_end(m));
    case ADDRESS_IN:
        return take_word(m, v, last_colon(m));
    case TEXT_PART:
    case ACCOUNT:
    case LINK:
        return take_text(m, v);
    case MAPPED:
        return take_mapped(m, v);
    case IN_PARENS:
        return take_parens(m, v);
    case BEFORE_AT:
        return take_before_at(m, v);
    case REMAINDER:
        return take_remainder(m, v);
    }
    return false;
}

/* One literal byte; the rules for blanks stand in the table. */
static bool take_literal(struct match *m, char before)
{
    const char *text = m->line.data;
    char wanted = *m->template;
    if (wanted == ' ') {
        uint32_t at = skip_blanks(m, m->at);
        bool some = at > m->at;
        m->at = at;
        return some || before == ':';
    }
    if (wanted == ':')
        m->at = skip_blanks(m, m->at);
    if (m->at >= m->end || text[m->at] != wanted)
        return false;
    m->at++;
    return true;
}

/* Pass over bytes that the line has as they stand; of more blanks than one the rules decide. */
static inline void take_run(struct match *m)
{
    const char *t = m->template;
    uint32_t at = m->at;
    while (at < m->end && *t == m->line.data[at] && *t != '\0' && !is_value(*t)) {
        t++;
        at++;
    }
    bool more = t > m->template && t[-1] == ' ' && at < m->end && m->line.data[at] == ' ';
    m->template = t - more;
    m->at = at - more;
}

/* Match the whole template; what follows it in the line is text. */
static bool match_row(struct match *m)
{
    const char *start = m->template;
    for (take_run(m); *m->template != '\0'; take_run(m)) {
        char before = '\0';
        if (m->template > start)
            before = m->template[-1];
        if (!(is_value(*m->template) ? take_value(m) : take_literal(m, before)))
            return false;
        m->template ++;
    }
    uint32_t from = skip_blanks(m, m->at);
    if (from < m->end && is_point(m->line.data[from]))
        from = skip_blanks(m, from + 1);
    uint32_t to = trim(m, from, m->end);
    if (to == from)
        return true;
    return add(m, from, to, FIELD_MESSAGE);
}

/* The first row whose number is not below, or ROW_COUNT; no branch depends on the number. */
static size_t rows_find(uint32_t number)
{
    size_t low = 0;
    for (size_t left = ROW_COUNT; left > 0; left /= 2) {
        size_t half = (left + 1) / 2;
        low += ROWS[low + half - 1].number < number ? half : 0;
    }
    return low;
}

static bool match_number(struct slots *out, struct slice line, uint32_t from, uint32_t number)
{
    uint32_t first_slot = out->count;
    for (size_t i = rows_find(number); i < ROW_COUNT && ROWS[i].number == number; i++) {
        struct match m = {.out = out,
                          .line = line,
                          .template = ROWS[i].template,
                          .at = from,
                          .end = (uint32_t)line.len,
                          .peers = ROWS[i].peers};
        if (match_row(&m) && (!m.peers || asa_peers(out, first_slot, line)))
            return true;
        out->count = first_slot;
    }
    return false;
}

/* Where the parts of "%ASA-6-302013:" stand. */
struct tag {
    uint32_t start; /* of '%' */
    uint32_t severity;
    uint32_t code;
    uint32_t code_length;
    uint32_t number;
    uint32_t text; /* of the message */
};

static bool tag_read(struct tag *out, struct slice line, uint32_t start)
{
    static const struct slice NAMES[] = {{"ASA-", 4}, {"FTD-", 4}, {"PIX-", 4}, {"FWSM-", 5}};
    struct slice rest = slice_from_offset(line, start + 1);
    uint32_t at = 0;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]) && at == 0; i++) {
        if (slice_starts(rest, NAMES[i]))
            at = start + 1 + (uint32_t)NAMES[i].len;
    }
    uint32_t end = (uint32_t)line.len;
    if (at == 0)
        return false;
    uint32_t name_end = at;
    while (name_end < end && name_end - at < SUBSYSTEM_BYTES_MAX && line.data[name_end] >= 'a' &&
           line.data[name_end] <= 'z')
        name_end++;
    if (name_end > at && name_end < end && line.data[name_end] == '-')
        at = name_end + 1;
    struct tag tag = {.start = start, .severity = at, .code = at + 2};
    if (end - at < 2 + CODE_DIGITS_MIN || !word_is_digit(line.data[at]) || line.data[at + 1] != '-')
        return false;
    uint32_t p = tag.code;
    while (p < end && p - tag.code < CODE_DIGITS_MAX && word_is_digit(line.data[p])) {
        tag.number = tag.number * 10 + (uint32_t)(line.data[p] - '0');
        p++;
    }
    tag.code_length = p - tag.code;
    while (p < end && (line.data[p] == ' ' || line.data[p] == ':'))
        p++;
    tag.text = p;
    *out = tag;
    return tag.code_length >= CODE_DIGITS_MIN &&
           (tag.number < FTD_EVENTS_FIRST || tag.number > FTD_EVENTS_LAST);
}

static bool tag_find(struct tag *out, struct slice line, uint32_t from)
{
    uint32_t end = (uint32_t)line.len;
    if (from < end && end - from > TAG_BYTES_MAX)
        end = from + TAG_BYTES_MAX;
    while (from < end) {
        const char *sign = memchr(line.data + from, '%', end - from);
        if (sign == NULL)
            return false;
        uint32_t start = (uint32_t)(sign - line.data);
        if (tag_read(out, line, start))
            return true;
        from = start + 1;
    }
    return false;
}

/* What stands between header and tag is most often a host that no header announced. */
static bool prefix_slots(struct slots *out, struct slice line, uint32_t from, uint32_t to)
{
    while (from < to && (line.data[from] == ' ' || line.data[from] == ':'))
        from++;
    while (to > from && (line.data[to - 1] == ' ' || line.data[to - 1] == ':'))
        to--;
    return from == to || slots_add(out, from, to - from, FIELD_LOG_HOSTNAME, SLOT_PLAIN);
}

static struct slice without_blanks(struct slice message)
{
    while (message.len > 0 && *message.data == ' ')
        message = slice_from_offset(message, 1);
    return message;
}

/* Messages of remote access begin with their group, so that they are known without a tag, too. */
static bool is_of_group(struct slice message)
{
    return slice_starts(message, SLICE("Group <")) || slice_starts(message, SLICE("Group = "));
}

/* 711004, which begins as nobody else's messages do. */
static bool is_own_text(struct slice message)
{
    return slice_starts(message, SLICE("Task ran for "));
}

static bool is_untagged(struct slice message)
{
    struct slice text = without_blanks(message);
    return is_of_group(text) || is_own_text(text);
}

static enum parse_result parse_untagged(struct slice line, uint32_t from, struct slots *out)
{
    static const uint32_t NUMBERS[] = {722051, 716059, 716039, 113019, 113039, 722000, 713000};
    struct slice text = without_blanks(slice_from_offset(line, from));
    from = (uint32_t)line.len - (uint32_t)text.len;
    if (is_own_text(text))
        return slots_add(out, from, (uint32_t)text.len, FIELD_MESSAGE, SLOT_PLAIN) ? PARSE_OK
                                                                                   : PARSE_PARTIAL;
    if (!is_of_group(text))
        return PARSE_MISMATCH;
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
        if (match_number(out, line, from, NUMBERS[i]))
            return PARSE_OK;
    }
    return PARSE_MISMATCH;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    (void)state;
    struct tag tag;
    if (!tag_find(&tag, line, from))
        return parse_untagged(line, from, out);
    if (!prefix_slots(out, line, from, tag.start) ||
        !slots_add(out, tag.severity, 1, FIELD_EVENT_SEVERITY, SLOT_PLAIN) ||
        !slots_add(out, tag.code, tag.code_length, FIELD_EVENT_CODE, SLOT_PLAIN))
        return PARSE_PARTIAL;
    if (match_number(out, line, tag.text, tag.number) ||
        match_number(out, line, tag.text, tag.number - tag.number % 1000))
        return PARSE_OK;
    if (!slots_add(out, tag.text, (uint32_t)line.len - tag.text, FIELD_MESSAGE, SLOT_PLAIN))
        return PARSE_PARTIAL;
    return PARSE_OK;
}

static bool probe(struct slice message)
{
    struct tag tag;
    return tag_find(&tag, message, 0) || is_untagged(message);
}

/* `action` begins with a word of the list: actions of several words say most with the first. */
static bool begins_with(struct slice action, struct slice word)
{
    if (action.len < word.len || (action.len > word.len && action.data[word.len] != ' '))
        return false;
    return strncasecmp(action.data, word.data, word.len) == 0;
}

/* Translations and hosts that are built for a connection: the connection has a message of its own. */
static bool is_preparation(struct slice code)
{
    static const struct slice CODES[] = {{"305009", 6}, {"305010", 6}, {"305011", 6},
                                         {"305012", 6}, {"609001", 6}, {"609002", 6}};
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        if (slice_equal(CODES[i], code))
            return true;
    }
    return false;
}

/* `beside` is the message's number. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct {
        struct slice word;
        uint8_t verdict;
    } WORDS[] = {
        {{"built", 5}, VERDICT_ALLOW},        {{"teardown", 8}, VERDICT_ALLOW},
        {{"permitted", 9}, VERDICT_ALLOW},    {{"accessed", 8}, VERDICT_ALLOW},
        {{"est-allowed", 11}, VERDICT_ALLOW}, {{"successful", 10}, VERDICT_ALLOW},
        {{"succeeded", 9}, VERDICT_ALLOW},    {{"accept", 6}, VERDICT_ALLOW},
        {{"deny", 4}, VERDICT_DENY},          {{"denied", 6}, VERDICT_DENY},
        {{"rejected", 8}, VERDICT_DENY},      {{"failed", 6}, VERDICT_DENY},
        {{"discarded", 9}, VERDICT_DROP},     {{"dropped", 7}, VERDICT_DROP},
        {{"dropping", 8}, VERDICT_DROP},      {{"drop", 4}, VERDICT_DROP},
        {{"shunned", 7}, VERDICT_DROP},       {{"monitored", 9}, VERDICT_ALERT},
        {{"attacking", 9}, VERDICT_ALERT},    {{"targeted", 8}, VERDICT_ALERT},
        {{"granted", 7}, VERDICT_ALLOW},      {{"passed", 6}, VERDICT_ALLOW},
        {{"allowed", 7}, VERDICT_ALLOW},      {{"prevented", 9}, VERDICT_DENY},
        {{"reset", 5}, VERDICT_RESET},        {{"resetting", 9}, VERDICT_RESET},
        {{"terminating", 11}, VERDICT_RESET},
    };
    if (is_preparation(beside))
        return VERDICT_UNKNOWN;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (begins_with(action, WORDS[i].word))
            return WORDS[i].verdict;
    }
    return VERDICT_UNKNOWN;
}

const struct parser parser_cisco_asa = {
    .name = "cisco_asa",
    .format = FORMAT_CISCO_ASA,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_CODE,
};
