#include "ingest/syslog.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "ingest/stamp.h"

enum {
    SYSLOG_OCTET_DIGITS_MAX = 8,
    SYSLOG_PRIORITY_DIGITS_MAX = 3,
    SYSLOG_VERSION_DIGITS_MAX = 2,
    SYSLOG_ZONE_NAME_BYTES_MAX = 5, /* JST, CEST, AKDT */
    SYSLOG_PID_BYTES_MAX = 32,
};

/* Where the next header may start, and what may stand there. */
struct scan {
    const char *base; /* of the line */
    const char *at;
    const char *end;
    struct slots *out;
    bool tagged; /* behind a tag only a header with PRI is one */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

static bool is_host_byte(char c)
{
    return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '/' || c == '@';
}

static bool is_tag_byte(char c)
{
    return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == '/' || c == '(' || c == ')' ||
           c == '@';
}

static struct slice rest(const struct scan *s, const char *from)
{
    return slice_of(from, (size_t)(s->end - from));
}

static void add(struct scan *s, const char *from, const char *to, uint16_t field)
{
    (void)slots_add(s->out, (uint32_t)(from - s->base), (uint32_t)(to - from), field, SLOT_PLAIN);
}

/* The first byte from `p` on that is no digit, at most `max` digits away. */
static const char *skip_digits(const struct scan *s, const char *p, size_t max)
{
    const char *stop = (size_t)(s->end - p) > max ? p + max : s->end;
    while (p < stop && is_digit(*p))
        p++;
    return p;
}

static const char *skip_blanks(const struct scan *s, const char *p)
{
    while (p < s->end && *p == ' ')
        p++;
    return p;
}

static const char *skip_word(const struct scan *s, const char *p)
{
    const char *blank = memchr(p, ' ', (size_t)(s->end - p));
    return blank == NULL ? s->end : blank;
}

/* A colon with a blank or the end of the line behind it. */
static bool is_closing_colon(const struct scan *s, const char *p)
{
    return p < s->end && *p == ':' && (p + 1 == s->end || p[1] == ' ');
}

static void read_octet_count(struct scan *s)
{
    const char *p = skip_digits(s, s->at, SYSLOG_OCTET_DIGITS_MAX);
    if (p == s->at || *s->at == '0' || s->end - p < 3 || p[0] != ' ' || p[1] != '<' ||
        !is_digit(p[2]))
        return;
    add(s, s->at, p, FIELD_LOG_OCTETS);
    s->at = p + 1;
}

static bool read_priority(struct scan *s)
{
    if (s->at == s->end || *s->at != '<')
        return false;
    const char *digits = s->at + 1;
    const char *p = skip_digits(s, digits, SYSLOG_PRIORITY_DIGITS_MAX);
    if (p == digits || p == s->end || *p != '>')
        return false;
    add(s, digits, p, FIELD_LOG_PRIORITY);
    s->at = p + 1;
    return true;
}

/* A device's header and a relay's both name a host: the last one counts. */
static void add_host(struct scan *s, const char *from, const char *to)
{
    struct slots *out = s->out;
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i].field != FIELD_LOG_HOSTNAME)
            continue;
        out->count--;
        memmove(&out->items[i], &out->items[i + 1], (out->count - i) * sizeof(out->items[0]));
        break;
    }
    add(s, from, to, FIELD_LOG_HOSTNAME);
}

/* The end of structured data that starts at p, or NULL when it does not end or touches text. */
static const char *skip_structured(const struct scan *s, const char *p)
{
    bool quoted = false;
    for (; p < s->end; p++) {
        if (*p == '\\') {
            p++;
            continue;
        }
        if (*p == '"')
            quoted = !quoted;
        if (quoted || *p != ']')
            continue;
        p++;
        if (p == s->end || *p == ' ')
            return p;
        if (*p != '[')
            return NULL;
    }
    return NULL;
}

/* STRUCTURED-DATA [SP MSG]: where the message begins. */
static const char *read_structured(struct scan *s, const char *p)
{
    const char *end = NULL;
    if (p < s->end && *p == '-' && (p + 1 == s->end || p[1] == ' ')) {
        end = p + 1;
    } else if (p < s->end && *p == '[') {
        end = skip_structured(s, p);
    }
    if (end == NULL)
        return p;
    const char *message = skip_blanks(s, end);
    if (s->end - message >= 3 && memcmp(message, "\xef\xbb\xbf", 3) == 0)
        message += 3;
    if (*p == '[' && message == s->end)
        return p;
    if (*p == '[')
        add(s, p, end, FIELD_LOG_STRUCTURED);
    return message;
}

/* The words of an RFC 5424 header behind its version. */
enum word {
    WORD_TIME,
    WORD_HOST,
    WORD_APP,
    WORD_PROCID,
    WORD_MSGID,
    WORD_COUNT,
};

static bool is_nil(const char *from, const char *to)
{
    return to - from == 1 && *from == '-';
}

/* Whether a word may be a name or number of a header, and is not already message. */
static bool is_header_word(const char *from, const char *to)
{
    for (const char *p = from; p < to; p++) {
        if (*p == '=' || *p == '|' || *p == '"' || *p == ',' || *p == '{')
            return false;
    }
    return true;
}

static void add_word(struct scan *s, enum word word, const char *from, const char *to)
{
    static const uint16_t WORD_FIELDS[WORD_COUNT] = {
        [WORD_TIME] = FIELD_TIME_SYSLOG, [WORD_HOST] = FIELD_LOG_HOSTNAME,
        [WORD_APP] = FIELD_LOG_APPNAME,  [WORD_PROCID] = FIELD_LOG_PROCID,
        [WORD_MSGID] = FIELD_LOG_MSGID,
    };
    if (is_nil(from, to))
        return;
    if (word == WORD_HOST)
        add_host(s, from, to);
    else
        add(s, from, to, WORD_FIELDS[word]);
    s->tagged = s->tagged || word == WORD_APP;
}

/*
 * VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG],
 * behind the PRI. Some devices put their message right behind the host name.
 */
static bool read_5424(struct scan *s)
{
    const char *p = skip_digits(s, s->at, SYSLOG_VERSION_DIGITS_MAX);
    if (p == s->at || s->end - p < 2 || *p != ' ')
        return false;
    const char *from[WORD_COUNT];
    const char *to[WORD_COUNT];
    size_t words = 0;
    for (p++; words < WORD_COUNT; words++) {
        from[words] = p;
        to[words] = skip_word(s, p);
        if (to[words] == p || to[words] == s->end || !is_header_word(p, to[words]))
            break;
        p = to[words] + 1;
    }
    if (words <= WORD_HOST)
        return false;
    if (!is_nil(from[WORD_TIME], to[WORD_TIME]) &&
        stamp_length_iso(rest(s, from[WORD_TIME])) != (size_t)(to[WORD_TIME] - from[WORD_TIME]))
        return false;
    bool whole = words == WORD_COUNT && p < s->end &&
                 (*p == '[' || (*p == '-' && (p + 1 == s->end || p[1] == ' ')));
    words = whole ? WORD_COUNT : WORD_APP;
    for (size_t i = 0; i < words; i++)
        add_word(s, (enum word)i, from[i], to[i]);
    s->at = whole ? read_structured(s, p) : from[WORD_APP];
    return true;
}

/* CEF and LEEF begin with a word and a colon too, but there the message begins. */
static bool is_format_word(const char *from, const char *to)
{
    struct slice word = slice_of(from, (size_t)(to - from));
    return slice_equal(word, SLICE("CEF")) || slice_equal(word, SLICE("LEEF"));
}

/* tag: or tag[pid]: at p. Appends its slots; returns where the text behind it begins, or NULL. */
static const char *read_tag(struct scan *s, const char *p)
{
    const char *tag = p;
    const char *stop = s->end - p > SYSLOG_TAG_BYTES_MAX ? p + SYSLOG_TAG_BYTES_MAX : s->end;
    while (p < stop && is_tag_byte(*p))
        p++;
    const char *tag_end = p;
    if (tag == tag_end || skip_digits(s, tag, SYSLOG_TAG_BYTES_MAX) == tag_end ||
        is_format_word(tag, tag_end))
        return NULL;
    const char *pid = NULL;
    const char *pid_end = NULL;
    if (p < s->end && *p == '[') {
        pid = p + 1;
        size_t left = (size_t)(s->end - pid);
        pid_end = memchr(pid, ']', left < SYSLOG_PID_BYTES_MAX ? left : SYSLOG_PID_BYTES_MAX);
        if (pid_end == NULL || memchr(pid, ' ', (size_t)(pid_end - pid)) != NULL)
            return NULL;
        p = pid_end + 1;
    }
    if (!is_closing_colon(s, p))
        return NULL;
    add(s, tag, tag_end, FIELD_LOG_APPNAME);
    if (pid != NULL)
        add(s, pid, pid_end, FIELD_LOG_PROCID);
    s->tagged = true;
    return skip_blanks(s, p + 1);
}

/* pf's log: the stamp before "rule 5/(match) block in on em0: " is tcpdump's, and no host follows it. */
static bool is_pf_rule(const struct scan *s, const char *from)
{
    struct slice text = rest(s, from);
    const char *number = from + 5;
    if (!slice_starts(text, SLICE("rule ")) || number == s->end)
        return false;
    const char *end = skip_word(s, number);
    return (is_digit(*number) || slice_starts(rest(s, number), SLICE("def/"))) &&
           memchr(number, '/', (size_t)(end - number)) != NULL;
}

/* A word that may be a host's name or address, with something behind it. */
static bool is_host(const struct scan *s, const char *from, const char *to)
{
    if (is_pf_rule(s, from))
        return false;
    if (to == from || to - from > SYSLOG_HOST_BYTES_MAX || skip_blanks(s, to) == s->end)
        return false;
    if (!is_alnum(*from) && *from != ':')
        return false;
    bool digits_only = true;
    for (const char *p = from; p < to; p++) {
        if (!is_host_byte(*p))
            return false;
        digits_only = digits_only && is_digit(*p);
    }
    return !digits_only && to[-1] != ':';
}

/* The zone's name that Cisco writes between stamp and colon ("UTC:"): its end, or p. */
static const char *skip_zone_name(const struct scan *s, const char *p)
{
    if (p == s->end || *p != ' ')
        return p;
    const char *name = p + 1;
    const char *q = name;
    while (q < s->end && q - name < SYSLOG_ZONE_NAME_BYTES_MAX && is_upper(*q))
        q++;
    return q - name >= 3 && is_closing_colon(s, q) ? q : p;
}

/* The end of a stamp at p, or NULL. *zone_end is behind a zone's name, known or not. */
static const char *skip_stamp(const struct scan *s, const char *p, const char **zone_end)
{
    struct slice text = rest(s, p);
    size_t len = 0;
    bool bsd = text.len > 0 && is_upper(*p);
    if (bsd) {
        len = stamp_length_bsd(text);
    } else if (text.len > 0 && is_digit(*p)) {
        len = stamp_length_iso(text);
    }
    if (len == 0)
        return NULL;
    const char *end = p + len;
    *zone_end = end;
    if (!bsd)
        return end;
    *zone_end = skip_zone_name(s, end);
    int32_t minutes = 0;
    if (*zone_end != end &&
        stamp_parse_zone(&minutes, slice_of(end + 1, (size_t)(*zone_end - end - 1))) == 0)
        end = *zone_end;
    return end;
}

/*
 * What stands between stamp and message: a colon, a host, a host and a tag, or a tag. Returns where
 * the message begins or NULL when this is no header; the stamp's slot is the caller's already.
 */
static const char *read_host(struct scan *s, const char *p, bool has_priority)
{
    if (is_closing_colon(s, p))
        return skip_blanks(s, p + 1);
    if (p == s->end || *p != ' ')
        return NULL;
    const char *word = skip_blanks(s, p);
    const char *word_end = skip_word(s, word);
    if (is_host(s, word, word_end)) {
        add_host(s, word, word_end);
        const char *after = skip_blanks(s, word_end);
        if (is_closing_colon(s, after))
            return skip_blanks(s, after + 1);
        const char *message = read_tag(s, after);
        return message != NULL ? message : after;
    }
    /* "fw1: %ASA-...": the device's own name, not a tag. */
    const char *after = skip_blanks(s, word_end);
    if (word_end - word > 1 && word_end[-1] == ':' && after < s->end && *after == '%' &&
        is_host(s, word, word_end - 1)) {
        add_host(s, word, word_end - 1);
        return after;
    }
    const char *message = read_tag(s, word);
    if (message != NULL)
        return message;
    bool number = skip_digits(s, word, (size_t)(word_end - word)) == word_end;
    return has_priority && !number ? word : NULL;
}

/* "Local7.Notice" */
static bool is_facility_and_level(const char *from, const char *to)
{
    static const struct slice LEVELS[] = {{"emerg", 5},  {"alert", 5}, {"critical", 8}, {"crit", 4},
                                          {"error", 5},  {"err", 3},   {"warning", 7},  {"warn", 4},
                                          {"notice", 6}, {"info", 4},  {"debug", 5}};
    const char *point = memchr(from, '.', (size_t)(to - from));
    if (point == NULL || point == from)
        return false;
    for (const char *p = from; p < point; p++) {
        if (!is_alnum(*p))
            return false;
    }
    const size_t len = (size_t)(to - point) - 1;
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        if (LEVELS[i].len == len && strncasecmp(LEVELS[i].data, point + 1, len) == 0)
            return true;
    }
    return false;
}

/* "2026-11-21 10:00:00" and a tab. */
static bool is_tabbed_stamp(const struct scan *s)
{
    static const char FORM[] = "0000-00-00 00:00:00\t";
    const size_t len = sizeof(FORM) - 1;
    if ((size_t)(s->end - s->at) <= len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (FORM[i] == '0' ? !is_digit(s->at[i]) : s->at[i] != FORM[i])
            return false;
    }
    return true;
}

/* Kiwi Syslog Server's files: stamp, facility and level, host, message, with tabs between them. */
static bool read_tabbed(struct scan *s)
{
    if (!is_tabbed_stamp(s))
        return false;
    const char *stamp_end = memchr(s->at, '\t', (size_t)(s->end - s->at));
    const char *word = stamp_end + 1;
    const char *word_end = memchr(word, '\t', (size_t)(s->end - word));
    if (word_end == NULL || !is_facility_and_level(word, word_end))
        return false;
    const char *host = word_end + 1;
    const char *host_end = memchr(host, '\t', (size_t)(s->end - host));
    if (host_end == NULL || !is_host(s, host, host_end))
        return false;
    add(s, s->at, stamp_end, FIELD_TIME_SYSLOG);
    add_host(s, host, host_end);
    s->at = host_end + 1;
    return true;
}

/* A header with a stamp as RFC 3164, Cisco or rsyslog's files have it. */
static bool read_dated(struct scan *s, bool has_priority)
{
    const char *p = s->at;
    if (has_priority) {
        p = skip_blanks(s, p);
        if (p < s->end && *p == ':')
            p = skip_blanks(s, p + 1);
        /* Cisco marks a clock that is not synchronised. */
        if (s->end - p > 1 && (*p == '*' || *p == '.') && is_upper(p[1]))
            p++;
    }
    const char *zone_end = NULL;
    const char *stamp_end = skip_stamp(s, p, &zone_end);
    if (stamp_end == NULL)
        return false;
    struct slots *out = s->out;
    uint32_t stamp = out->count;
    add(s, p, stamp_end, FIELD_TIME_SYSLOG);
    const char *message = read_host(s, zone_end, has_priority);
    if (message == NULL) {
        out->count = stamp;
        return false;
    }
    s->at = message;
    return true;
}

/* One header at s->at; moves behind it. */
static bool read_header(struct scan *s)
{
    bool has_priority = read_priority(s);
    if (!has_priority && s->tagged)
        return false;
    if (has_priority && read_5424(s))
        return true;
    if (read_dated(s, has_priority) || (!has_priority && read_tabbed(s)))
        return true;
    if (has_priority)
        s->at = skip_blanks(s, s->at);
    return has_priority;
}

uint32_t syslog_header(struct slice line, struct slots *out)
{
    struct scan s = {.base = line.data, .at = line.data, .out = out};
    if (line.len == 0)
        return 0;
    s.end = line.data + line.len;
    read_octet_count(&s);
    for (int i = 0; i < SYSLOG_HEADERS_MAX; i++) {
        if (!read_header(&s))
            break;
    }
    return (uint32_t)(s.at - s.base);
}

uint32_t syslog_tag(struct slice line, uint32_t from, struct slots *out)
{
    struct scan s = {
        .base = line.data, .at = line.data + from, .end = line.data + line.len, .out = out};
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i].field == FIELD_LOG_APPNAME)
            return from;
    }
    const char *message = read_tag(&s, s.at);
    return message == NULL ? from : (uint32_t)(message - s.base);
}
