#include "ingest/meaning.h"

#include <strings.h>

#include "event/verdict.h"
#include "ingest/panos_text.h"
#include "ingest/panos_value.h"
#include "ingest/parser.h"
#include "ingest/scan.h"
#include "ingest/told.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    PORT_DIGITS_MAX = 5,
    OFFSET_BYTES = 5,         /* +0900 */
    EPOCH_FRACTION_BYTES = 4, /* .123: the one that a column of times holds */
};

/* What stands beside an address: its port, and the field of a name in its place. */
struct pair {
    uint16_t address;
    uint16_t port;
    uint16_t name;
};

static const struct pair PAIRS[] = {
    {FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_SOURCE_DOMAIN},
    {FIELD_DESTINATION_IP, FIELD_DESTINATION_PORT, FIELD_DESTINATION_DOMAIN},
    {FIELD_SOURCE_NAT_IP, FIELD_SOURCE_NAT_PORT, FIELD_SOURCE_NAT_IP},
    {FIELD_DESTINATION_NAT_IP, FIELD_DESTINATION_NAT_PORT, FIELD_DESTINATION_NAT_IP},
    {FIELD_URL_DOMAIN, FIELD_URL_PORT, FIELD_URL_DOMAIN},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
    }
    return text.len > 0;
}

static struct slice text_of(struct slice line, const struct slot *value)
{
    return slice_of(line.data + value->offset, value->length);
}

bool meaning_is_none(struct slice text)
{
    static const struct slice NONE[] = {{"-", 1},    {"N/A", 3},  {"NA", 2},
                                        {"none", 4}, {"null", 4}, {"(null)", 6}};
    if (text.len == 0 || text.len > 6)
        return false;
    char first = text.data[0];
    if (first != '-' && (first | 0x20) != 'n' && first != '(')
        return false;
    for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++) {
        if (NONE[i].len == text.len && strncasecmp(NONE[i].data, text.data, text.len) == 0)
            return true;
    }
    return false;
}

/* [from, to) of the value's line under a field. */
static bool add(struct slots *out, const struct slot *value, uint32_t from, uint32_t to,
                uint16_t field)
{
    return slots_add(out, from, to - from, field, value->kind);
}

static const struct pair *pair_of(uint16_t field)
{
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        if (PAIRS[i].address == field)
            return &PAIRS[i];
    }
    return NULL;
}

/* Where the port begins in name:port, a.b.c.d:port, [v6]:port; or the end. */
static uint32_t port_offset(const char *text, uint32_t from, uint32_t to)
{
    uint32_t at = to;
    while (at > from && to - at < PORT_DIGITS_MAX && is_digit(text[at - 1]))
        at--;
    if (at == to || at < from + 2 || text[at - 1] != ':')
        return to;
    if (text[at - 2] == ']')
        return at;
    return memchr(text + from, ':', at - 1 - from) == NULL ? at : to;
}

bool peer_slots(struct slots *out, struct slice line, uint16_t field, const struct slot *value)
{
    const struct pair *pair = pair_of(field);
    uint32_t from = value->offset;
    uint32_t to = from + value->length;
    if (pair == NULL || value->length == 0)
        return add(out, value, from, to, field);
    uint32_t port = port_offset(line.data, from, to);
    uint32_t end = port == to ? to : port - 1;
    if (end > from + 1 && line.data[from] == '[' && line.data[end - 1] == ']') {
        from++;
        end--;
    }
    bool address = url_host_is_address(slice_of(line.data + from, end - from));
    return add(out, value, from, end, address ? pair->address : pair->name) &&
           (port == to || add(out, value, port, to, pair->port));
}

/* Does a scheme stand before the text's first slash? */
static bool has_scheme(struct slice text)
{
    const char *colon = scan_either(text.data, text.data + text.len, ':', '/');
    const char *end = text.data + text.len;
    return end - colon > 2 && *colon == ':' && (colon[1] == '/' || colon[1] == '\\');
}

/* example.jp:8080/a?b#c without a scheme. */
static bool site_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    if (text.len == 0 || has_scheme(text) || text.data[0] == '/' || text.data[0] == '\\')
        return url_slots(out, line, value->offset, value->length, value->kind);
    const char *end = text.data + text.len;
    const char *host_end = scan_either(text.data, end, '/', '?');
    if (value->kind == SLOT_JSON_STRING && host_end < end && host_end > text.data &&
        host_end[-1] == '\\')
        host_end--;
    struct slot host = *value;
    host.length = (uint32_t)(host_end - text.data);
    if (!peer_slots(out, line, FIELD_URL_DOMAIN, &host))
        return false;
    if (host_end == end)
        return true;
    uint32_t rest = value->offset + host.length;
    if (*host_end == '?')
        return add(out, value, rest + 1, value->offset + value->length, FIELD_URL_QUERY);
    return url_slots(out, line, rest, value->length - host.length, value->kind);
}

/* DOMAIN\user, or a directory's LDAP://server OU=...,DC=.../user. */
static bool user_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    const char *slash =
        slice_starts(text, SLICE("LDAP://")) ? memrchr(text.data, '/', text.len) : NULL;
    if (slash == NULL || slash < text.data + sizeof("LDAP://"))
        return account_slots(out, line, value->offset, value->length, value->kind);
    uint32_t bar = (uint32_t)(slash - line.data);
    return add(out, value, value->offset, bar, FIELD_USER_DOMAIN) &&
           add(out, value, bar + 1, value->offset + value->length, FIELD_USER_NAME);
}

/* user@domain; the last '@' counts. What has none may be DOMAIN\user. */
static bool mail_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    const char *at = text.len == 0 ? NULL : memrchr(text.data, '@', text.len);
    if (at == NULL || at == text.data || at + 1 == text.data + text.len)
        return account_slots(out, line, value->offset, value->length, value->kind);
    uint32_t bar = (uint32_t)(at - line.data);
    return add(out, value, value->offset, bar, FIELD_USER_NAME) &&
           add(out, value, bar + 1, value->offset + value->length, FIELD_USER_DOMAIN);
}

bool stamp_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    const char *blank = scan_byte(text.data, text.data + text.len, ' ');
    size_t behind = (size_t)(text.data + text.len - blank);
    bool zoned = behind == OFFSET_BYTES + 1 && (blank[1] == '+' || blank[1] == '-');
    uint32_t bar = (uint32_t)(blank - line.data);
    if (!zoned)
        return slots_add(out, value->offset, value->length, FIELD_TIME_STAMP, value->kind);
    return add(out, value, value->offset, bar, FIELD_TIME_STAMP) &&
           add(out, value, bar + 1, value->offset + value->length, FIELD_TIME_ZONE);
}

bool request_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    const char *first = scan_byte(text.data, text.data + text.len, ' ');
    const char *end = text.data + text.len;
    if (first == end)
        return url_slots(out, line, value->offset, value->length, value->kind);
    const char *url = first + 1;
    while (url < end && (*url == ' ' || *url == '\n' || *url == '\r'))
        url++;
    const char *last = url < end ? memrchr(url, ' ', (size_t)(end - url)) : NULL;
    bool versioned = last != NULL && end - last > 6 && memcmp(last + 1, "HTTP/", 5) == 0;
    const char *url_end = versioned && last >= url ? last : end;
    versioned = url_end == last;
    return add(out, value, value->offset, (uint32_t)(first - line.data), FIELD_HTTP_METHOD) &&
           (url == url_end || url_slots(out, line, (uint32_t)(url - line.data),
                                        (uint32_t)(url_end - url), value->kind)) &&
           (!versioned || add(out, value, (uint32_t)(last + 6 - line.data),
                              value->offset + value->length, FIELD_HTTP_VERSION));
}

/* Headers of a request, and the field of what they say. */
static const struct {
    struct slice name;
    uint16_t field;
} HEADERS[] = {
    {{"Host: ", 6}, FIELD_URL_DOMAIN},
    {{"User-Agent: ", 12}, FIELD_USER_AGENT},
    {{"Referer: ", 9}, FIELD_HTTP_REFERRER},
    {{"X-Forwarded-For: ", 17}, FIELD_HTTP_FORWARDED_FOR},
};

/* Bytes of the end of a line at `at`, a control character or its escape with one backslash or more; or 0. */
static size_t line_end_length(const char *at, const char *end)
{
    const char *p = at;
    if (p < end && (*p == '\r' || *p == '\n'))
        return 1;
    while (p < end && *p == '\\')
        p++;
    return p > at && p < end && (*p == 'r' || *p == 'n') ? (size_t)(p + 1 - at) : 0;
}

static const char *request_line_end(const char *at, const char *end)
{
    while (at < end && line_end_length(at, end) == 0) {
        while (end - at > 1 && *at == '\\' && at[1] == '\\')
            at++; /* a run of them is looked at once */
        at++;
    }
    return at;
}

/* One header; what nobody looks for is text. */
static bool header_slots(struct slots *out, struct slice line, const struct slot *value,
                         const char *from, const char *to)
{
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++) {
        struct slice name = HEADERS[i].name;
        if ((size_t)(to - from) <= name.len || strncasecmp(from, name.data, name.len) != 0)
            continue;
        struct slot text = {.offset = (uint32_t)(from + name.len - line.data),
                            .length = (uint32_t)((size_t)(to - from) - name.len),
                            .kind = value->kind};
        if (HEADERS[i].field == FIELD_URL_DOMAIN)
            return peer_slots(out, line, FIELD_URL_DOMAIN, &text);
        return slots_add(out, text.offset, text.length, HEADERS[i].field, text.kind);
    }
    return add(out, value, (uint32_t)(from - line.data), (uint32_t)(to - line.data), FIELD_MESSAGE);
}

static bool has_field(const struct slots *out, uint16_t field)
{
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i].field == field)
            return true;
    }
    return false;
}

/* "GET /a HTTP/1.1\r\nHost: www.example.jp\r\nUser-Agent: x\r\n\r\n" */
static bool http_slots(struct slots *out, struct slice line, const struct slot *value)
{
    const char *from = line.data + value->offset;
    const char *end = from + value->length;
    const char *to = request_line_end(from, end);
    struct slot first = *value;
    first.length = (uint32_t)(to - from);
    /* Method and path may have keys of their own in front. */
    bool known = has_field(out, FIELD_URL_PATH) || has_field(out, FIELD_URL_DOMAIN);
    if (!(known ? slots_add(out, first.offset, first.length, FIELD_MESSAGE, first.kind)
                : request_slots(out, line, &first)))
        return false;
    while (to < end) {
        from = to;
        for (size_t length; (length = line_end_length(from, end)) > 0;)
            from += length;
        to = request_line_end(from, end);
        if (from < to && !header_slots(out, line, value, from, to))
            return false;
    }
    return true;
}

/* HTTP/1.1, also with an escaped slash: what stands behind the last one. */
static bool transport_slots(struct slots *out, struct slice line, uint16_t field,
                            const struct slot *value)
{
    const char *text = line.data + value->offset;
    const char *slash = memchr(text, '/', value->length);
    uint32_t len = slash == NULL ? value->length : (uint32_t)(slash - text);
    if (len == 0 || len + 1 >= value->length)
        return slots_add(out, value->offset, value->length, field, value->kind);
    return slots_add(out, value->offset, len, field, value->kind) &&
           slots_add(out, value->offset + len + 1, value->length - len - 1, FIELD_NETWORK_PROTOCOL,
                     value->kind);
}

static bool version_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    const char *slash = text.len == 0 ? NULL : memrchr(text.data, '/', text.len);
    uint32_t from = slash == NULL ? value->offset : (uint32_t)(slash + 1 - line.data);
    return add(out, value, from, value->offset + value->length, FIELD_HTTP_VERSION);
}

/* How many bytes of the value stay when a fraction or a final dot is left out. */
static uint32_t without_tail(struct slice text, uint8_t form)
{
    if (form == MEANING_QUESTION)
        return (uint32_t)(text.len > 1 && text.data[text.len - 1] == '.' ? text.len - 1 : text.len);
    const char *dot = scan_byte(text.data, text.data + text.len, '.');
    return (uint32_t)(dot - text.data);
}

static uint16_t time_field(struct slice text)
{
    const char *end = text.data + text.len;
    const char *dot = scan_byte(text.data, end, '.');
    bool whole = all_digits(slice_of(text.data, (size_t)(dot - text.data)));
    bool epoch = whole && (dot == end || end - dot == EPOCH_FRACTION_BYTES);
    return epoch ? (uint16_t)FIELD_TIME_EPOCH : (uint16_t)FIELD_TIME_STAMP;
}

/* A number, a stamp, or "[21/Nov/2026:18:00:00 +0900]". */
static bool time_slots(struct slots *out, struct slice line, const struct slot *value)
{
    struct slice text = text_of(line, value);
    if (text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']') {
        struct slot inner = *value;
        inner.offset++;
        inner.length -= 2;
        return stamp_slots(out, line, &inner);
    }
    return slots_add(out, value->offset, value->length, time_field(text), value->kind);
}

bool meaning_is_http_status(struct slice text)
{
    return text.len == 3 && text.data[0] >= '1' && text.data[0] <= '5' &&
           word_is_digit(text.data[1]) && word_is_digit(text.data[2]);
}

bool meaning_slots(struct slots *out, struct slice line, const struct meaning *meaning,
                   const struct slot *value)
{
    struct slice text = text_of(line, value);
    if (meaning->form != MEANING_TEXT && meaning_is_none(text))
        return true;
    switch ((enum meaning_form)meaning->form) {
    case MEANING_URL:
        return url_slots(out, line, value->offset, value->length, value->kind);
    case MEANING_SITE:
        return site_slots(out, line, value);
    case MEANING_ACCOUNT:
        return user_slots(out, line, value);
    case MEANING_MAIL:
        return mail_slots(out, line, value);
    case MEANING_TIME:
        return time_slots(out, line, value);
    case MEANING_PEER:
        return peer_slots(out, line, meaning->field, value);
    case MEANING_REQUEST:
        return request_slots(out, line, value);
    case MEANING_VERSION:
        return version_slots(out, line, value);
    case MEANING_TRANSPORT:
        return transport_slots(out, line, meaning->field, value);
    case MEANING_NUMBER:
    case MEANING_QUESTION:
        return slots_add(out, value->offset, without_tail(text, meaning->form), meaning->field,
                         value->kind);
    case MEANING_TOLD:
        return told_slots(out, line, value);
    case MEANING_PANOS_TEXT:
        return panos_text_slots(out, line, value);
    case MEANING_PANOS_THREAT:
        return panos_threat_slots(out, line, value);
    case MEANING_PANOS_OBJECT:
        return panos_object_slots(out, line, value, PANOS_OBJECT_OTHER);
    case MEANING_HTTP:
        return http_slots(out, line, value);
    case MEANING_ENCODED:
        return slots_add(out, value->offset, value->length, meaning->field, SLOT_PERCENT);
    case MEANING_TEXT:
    case MEANING_MAYBE:
    case MEANING_ALSO:
    case MEANING_STATUS:
    case MEANING_DECISION:
    case MEANING_HEADER:
    case MEANING_HEADER_VALUE:
    case MEANING_FLOW:
    case MEANING_COUNT:
        break;
    }
    return slots_add(out, value->offset, value->length, meaning->field, value->kind);
}

/* A word that a verb begins with, lower case. */
void meaning_name_action(struct slots *out, uint32_t mark, uint16_t field)
{
    struct slot *first = NULL;
    for (uint32_t i = out->count; i > mark; i--) {
        struct slot *slot = &out->items[i - 1];
        if (slot->field == FIELD_EVENT_ACTION)
            return;
        if (slot->field == field)
            first = slot;
    }
    if (first != NULL)
        first->field = FIELD_EVENT_ACTION;
}

struct verb {
    struct slice word;
    uint8_t verdict;
};

#define VERB(text, name)                                                             \
    {                                                                                \
        .word = {.data = (text), .len = sizeof(text) - 1}, .verdict = VERDICT_##name \
    }

/* Longer words before shorter ones that they begin with. */
static const struct verb VERBS[] = {
    VERB("blocked", BLOCK),      VERB("block", BLOCK),
    VERB("quarantin", BLOCK),    VERB("redirect", BLOCK),
    VERB("challenge", BLOCK),    VERB("captcha", BLOCK),
    VERB("jschallenge", BLOCK),  VERB("managed_challenge", BLOCK),
    VERB("isolat", BLOCK),       VERB("prevent", BLOCK),
    VERB("req_allow", ALLOW),    VERB("res_allow", ALLOW),
    VERB("req_block", BLOCK),    VERB("res_block", BLOCK),
    VERB("tcp_denied", DENY),    VERB("cleaned", BLOCK),
    VERB("file cleaned", BLOCK), VERB("deny", DENY),
    VERB("denied", DENY),        VERB("den", DENY),
    VERB("reject", DENY),        VERB("refus", DENY),
    VERB("forbid", DENY),        VERB("unauthorized", DENY),
    VERB("policy_denied", DENY), VERB("drop", DROP),
    VERB("discard", DROP),       VERB("sinkhole", DROP),
    VERB("reset", RESET),        VERB("rst", RESET),
    VERB("terminate", RESET),    VERB("alert_deny", DENY),
    VERB("period_block", BLOCK), VERB("alert", ALERT),
    VERB("detect", ALERT),       VERB("monitor", ALERT),
    VERB("log", ALERT),          VERB("warn", ALERT),
    VERB("useralert", ALERT),    VERB("count", ALERT),
    VERB("simulate", ALERT),     VERB("matched", ALERT),
    VERB("allow", ALLOW),        VERB("accept", ALLOW),
    VERB("permit", ALLOW),       VERB("pass", ALLOW),
    VERB("forward", ALLOW),      VERB("bypass", ALLOW),
    VERB("observed", ALLOW),     VERB("proxied", ALLOW),
    VERB("tcp_", ALLOW),         VERB("success", ALLOW),
    VERB("exempt", ALLOW),
};

/* Words that begin like one of those and mean something else. */
static const struct slice NO_VERBS[] = {
    {"login", 5}, {"logout", 6}, {"logon", 5}, {"logoff", 6}, {"password", 8}};

/* What a scanner says that it did to malware, and an audit log that a person did to something of theirs. */
static const struct slice OF_THREAT[] = {{"deleted", 7}, {"file deleted", 12}};

uint8_t meaning_verdict(struct slice action)
{
    for (size_t i = 0; i < sizeof(OF_THREAT) / sizeof(OF_THREAT[0]); i++) {
        if (word_begins(action, OF_THREAT[i]))
            return VERDICT_BLOCK | VERDICT_OF_THREAT;
    }
    for (size_t i = 0; i < sizeof(NO_VERBS) / sizeof(NO_VERBS[0]); i++) {
        if (word_begins(action, NO_VERBS[i]))
            return VERDICT_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
        if (word_begins(action, VERBS[i].word))
            return VERBS[i].verdict;
    }
    return VERDICT_UNKNOWN;
}
