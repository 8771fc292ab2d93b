/*
 * Squid's access log, native and httpd style:
 *
 *   1763715600.123    82 192.0.2.7 TCP_MISS/200 3184 GET http://www.example.com/ taro
 *       HIER_DIRECT/198.51.100.9 text/html ["referrer" "user agent"]
 *   192.0.2.7 - taro [21/Nov/2026:18:00:00 +0900] "GET http://www.example.com/ HTTP/1.1" 200 3184
 *       ["referrer" "user agent"] [TCP_MISS:HIER_DIRECT]
 *
 * "-" stands for "none" and gets no slot. What an own logformat appends is kept by column.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"

enum {
    COLUMN_EXTRA = 10,    /* number of the first appended column */
    EXTRA_MAX = 3,        /* columns; the last one holds the rest of the line */
    EPOCH_DIGITS_MIN = 9, /* of the seconds */
    EPOCH_DIGITS_MAX = 10,
    PROBE_MAX_BYTES = 512,
};

struct parser_state;

struct scan {
    struct slots *out;
    struct slice line;
    const char *at; /* next byte to read */
    const char *end;
};

/* A token of the line; `quoted` ones stand without their quotes. */
struct token {
    const char *from;
    const char *to;
    bool quoted;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool all_digits(const char *from, const char *to)
{
    for (const char *p = from; p < to; p++) {
        if (!is_digit(*p))
            return false;
    }
    return to > from;
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && *s->at == ' ')
        s->at++;
}

/* The quote that closes what begins at `from`, a backslash escapes; or end. */
static const char *close_quote(const char *from, const char *end)
{
    const char *q = scan_either(from, end, '"', '\\');
    while (q < end && *q == '\\')
        q = q + 2 < end ? scan_either(q + 2, end, '"', '\\') : end;
    return q;
}

/* The next token; false at the end of the line or at a quote that is never closed. */
static bool next_token(struct scan *s, struct token *out)
{
    skip_blanks(s);
    if (s->at >= s->end)
        return false;
    bool quoted = *s->at == '"';
    const char *from = s->at + quoted;
    const char *to = quoted ? close_quote(from, s->end) : scan_byte(from, s->end, ' ');
    if (quoted && to == s->end)
        return false;
    *out = (struct token){.from = from, .to = to, .quoted = quoted};
    s->at = to + quoted;
    return true;
}

static bool is_none(const struct token *t)
{
    return t->to == t->from + 1 && *t->from == '-';
}

static bool add(struct scan *s, const char *from, const char *to, uint16_t field, uint8_t kind)
{
    return slots_add(s->out, (uint32_t)(from - s->line.data), (uint32_t)(to - from), field, kind);
}

static uint8_t kind_of(const struct token *t)
{
    return t->quoted ? SLOT_C_ESCAPED : SLOT_PLAIN;
}

/* Append a token under its field, none for "-". */
static bool add_token(struct scan *s, const struct token *t, uint16_t field)
{
    return is_none(t) || add(s, t->from, t->to, field, kind_of(t));
}

static bool add_user(struct scan *s, const struct token *t)
{
    return is_none(t) || account_slots(s->out, s->line, (uint32_t)(t->from - s->line.data),
                                       (uint32_t)(t->to - t->from), SLOT_PERCENT);
}

/*
 * The URL of a request. What CONNECT names is the peer of a tunnel: its port, and a host that is
 * an address, belong to the destination.
 */
static bool add_url(struct scan *s, const struct token *method, const struct token *url)
{
    uint32_t first = s->out->count;
    if (!is_none(url) && !url_slots(s->out, s->line, (uint32_t)(url->from - s->line.data),
                                    (uint32_t)(url->to - url->from), SLOT_PLAIN))
        return false;
    if (!slice_equal(slice_of(method->from, (size_t)(method->to - method->from)), SLICE("CONNECT")))
        return true;
    for (uint32_t i = first; i < s->out->count; i++) {
        struct slot *slot = &s->out->items[i];
        struct slice text = slice_of(s->line.data + slot->offset, slot->length);
        if (slot->field == FIELD_URL_PORT) {
            slot->field = FIELD_DESTINATION_PORT;
        } else if (slot->field == FIELD_URL_DOMAIN && url_host_is_address(text)) {
            slot->field = FIELD_DESTINATION_IP;
        }
    }
    return true;
}

/* CODE/status, HIERARCHY/peer, CODE:HIERARCHY: both sides of `byte`. */
static bool split_token(const struct token *t, char byte, struct token *left, struct token *right)
{
    const char *bar = scan_byte(t->from, t->to, byte);
    if (bar == t->to)
        return false;
    *left = (struct token){.from = t->from, .to = bar};
    *right = (struct token){.from = bar + 1, .to = t->to};
    return true;
}

/* A code of Squid, as in TCP_MISS, NONE, HIER_DIRECT: capitals first, no digits alone. */
static bool is_code(const struct token *t)
{
    for (const char *p = t->from; p < t->to; p++) {
        if ((*p < 'A' || *p > 'Z') && *p != '_' && (p == t->from || !is_digit(*p)))
            return false;
    }
    return t->to > t->from;
}

static bool add_hierarchy(struct scan *s, const struct token *t)
{
    struct token how;
    struct token peer;
    if (!split_token(t, '/', &how, &peer))
        return add_token(s, t, FIELD_CACHE_HIERARCHY);
    struct slice host = slice_of(peer.from, (size_t)(peer.to - peer.from));
    return add_token(s, &how, FIELD_CACHE_HIERARCHY) &&
           add_token(s, &peer,
                     url_host_is_address(host) ? FIELD_DESTINATION_IP : FIELD_DESTINATION_DOMAIN);
}

/* What a logformat appends: a quoted pair is referrer and user agent, the rest goes by column. */
static enum parse_result scan_extra(struct scan *s)
{
    struct token t;
    skip_blanks(s);
    if (s->at < s->end && *s->at == '"') {
        static const uint16_t QUOTED[] = {FIELD_HTTP_REFERRER, FIELD_USER_AGENT};
        for (size_t i = 0; i < 2 && s->at < s->end && *s->at == '"'; i++) {
            if (!next_token(s, &t) || !add_token(s, &t, QUOTED[i]))
                return PARSE_PARTIAL;
            skip_blanks(s);
        }
    }
    for (uint16_t column = 0; s->at < s->end; column++) {
        struct token result;
        struct token how;
        const char *from = s->at;
        if (!next_token(s, &t))
            return PARSE_PARTIAL;
        bool fits;
        if (column == 0 && split_token(&t, ':', &result, &how) && is_code(&result) &&
            is_code(&how)) {
            fits = add_token(s, &result, FIELD_EVENT_ACTION) &&
                   add_token(s, &how, FIELD_CACHE_HIERARCHY);
        } else if (column + 1 < EXTRA_MAX) {
            fits = add_token(s, &t, FIELD_COLUMN(COLUMN_EXTRA + column));
        } else {
            fits = add(s, from, s->end, FIELD_COLUMN(COLUMN_EXTRA + column), SLOT_PLAIN);
            s->at = s->end;
        }
        if (!fits)
            return PARSE_PARTIAL;
        skip_blanks(s);
    }
    return PARSE_OK;
}

/* Seconds, a dot and milliseconds. */
static bool is_epoch(const struct token *t)
{
    const char *dot = scan_byte(t->from, t->to, '.');
    return dot - t->from >= EPOCH_DIGITS_MIN && dot - t->from <= EPOCH_DIGITS_MAX &&
           all_digits(t->from, dot) && dot < t->to && all_digits(dot + 1, t->to);
}

/* Behind the epoch: elapsed client code/status bytes method URL user hierarchy/peer mime. */
static enum parse_result scan_native(struct scan *s, const struct token *epoch)
{
    struct token elapsed;
    struct token client;
    struct token result;
    struct token code;
    struct token status;
    if (!next_token(s, &elapsed) || !next_token(s, &client) || !next_token(s, &result) ||
        !split_token(&result, '/', &code, &status) || !is_code(&code))
        return PARSE_MISMATCH;
    if (!add_token(s, epoch, FIELD_TIME_EPOCH) || !add_token(s, &elapsed, FIELD_EVENT_DURATION) ||
        !add_token(s, &client, FIELD_SOURCE_IP) || !add_token(s, &code, FIELD_EVENT_ACTION) ||
        !add_token(s, &status, FIELD_HTTP_STATUS))
        return PARSE_PARTIAL;
    struct token t;
    struct token url;
    if (!next_token(s, &t) || !add_token(s, &t, FIELD_HTTP_RESPONSE_BYTES))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_token(s, &t, FIELD_HTTP_METHOD))
        return PARSE_PARTIAL;
    if (!next_token(s, &url) || !add_url(s, &t, &url))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_user(s, &t))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_hierarchy(s, &t))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_token(s, &t, FIELD_HTTP_MIME))
        return PARSE_PARTIAL;
    return scan_extra(s);
}

/* "[21/Nov/2026:18:00:00 +0900]": stamp and zone, or another stamp as it is. */
static bool add_stamp(struct scan *s, const char *from, const char *to)
{
    const char *blank = scan_byte(from, to, ' ');
    bool zoned = to - blank == 6 && (blank[1] == '+' || blank[1] == '-');
    if (!zoned)
        return add(s, from, to, FIELD_TIME_STAMP, SLOT_PLAIN);
    return add(s, from, blank, FIELD_TIME_STAMP, SLOT_PLAIN) &&
           add(s, blank + 1, to, FIELD_TIME_ZONE, SLOT_PLAIN);
}

/* "METHOD URL HTTP/1.1", the version behind the last blank; anything else is a URL as it stands. */
static bool add_request(struct scan *s, const struct token *t)
{
    const char *first = scan_byte(t->from, t->to, ' ');
    if (first == t->to)
        return add_token(s, t, FIELD_URL_ORIGINAL);
    struct token method = {.from = t->from, .to = first};
    struct token url = {.from = first + 1, .to = t->to};
    const char *last = memrchr(url.from, ' ', (size_t)(url.to - url.from));
    bool versioned = last != NULL && t->to - last > 6 && memcmp(last + 1, "HTTP/", 5) == 0;
    if (versioned)
        url.to = last;
    return add_token(s, &method, FIELD_HTTP_METHOD) && add_url(s, &method, &url) &&
           (!versioned || add(s, last + 6, t->to, FIELD_HTTP_VERSION, SLOT_PLAIN));
}

/* Behind the client: ident user [time] "request" status bytes. */
static enum parse_result scan_httpd(struct scan *s, const struct token *client)
{
    struct token ident;
    struct token user;
    struct token t;
    if (!next_token(s, &ident) || !next_token(s, &user))
        return PARSE_MISMATCH;
    skip_blanks(s);
    const char *close = scan_byte(s->at, s->end, ']');
    if (s->at >= s->end || *s->at != '[' || close == s->end)
        return PARSE_MISMATCH;
    const char *stamp = s->at + 1;
    s->at = close + 1;
    skip_blanks(s);
    if (s->at >= s->end || *s->at != '"')
        return PARSE_MISMATCH;
    if (!add_token(s, client, FIELD_SOURCE_IP) || !add_token(s, &ident, FIELD_SOURCE_USER) ||
        !add_user(s, &user) || !add_stamp(s, stamp, close))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_request(s, &t))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_token(s, &t, FIELD_HTTP_STATUS))
        return PARSE_PARTIAL;
    if (!next_token(s, &t) || !add_token(s, &t, FIELD_HTTP_RESPONSE_BYTES))
        return s->at >= s->end ? PARSE_OK : PARSE_PARTIAL;
    return scan_extra(s);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct scan s = {.out = out, .line = line, .at = line.data + from, .end = line.data + line.len};
    struct token first;
    (void)state;
    if (!next_token(&s, &first))
        return PARSE_MISMATCH;
    return is_epoch(&first) ? scan_native(&s, &first) : scan_httpd(&s, &first);
}

/*
 * Native: epoch, elapsed, client, CODE/, without the verdicts in angle brackets of Cisco's appliance.
 * Httpd style: three tokens, then [time] "METHOD and a URL that is no path, as a web server has it.
 */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    struct scan s = {.line = message, .at = message.data, .end = message.data + message.len};
    struct token t[4];
    for (size_t i = 0; i < 4; i++) {
        if (!next_token(&s, &t[i]))
            return false;
    }
    struct token code;
    struct token status;
    if (is_epoch(&t[0]))
        return split_token(&t[3], '/', &code, &status) && is_code(&code) &&
               memmem(message.data, message.len, " <", 2) == NULL;
    const char *close = scan_byte(t[3].from, s.end, ']');
    struct slice host = slice_of(t[0].from, (size_t)(t[0].to - t[0].from));
    if (*t[3].from != '[' || s.end - close <= 3 || close[1] != ' ' || close[2] != '"')
        return false;
    const char *quote = scan_byte(close + 3, s.end, '"');
    struct slice request = slice_of(close + 3, (size_t)(quote - close - 3));
    bool proxied = memmem(request.data, request.len, "://", 3) != NULL ||
                   slice_starts(request, SLICE("CONNECT "));
    return url_host_is_address(host) && proxied;
}

static bool contains(struct slice text, struct slice part)
{
    return text.len >= part.len && memmem(text.data, text.len, part.data, part.len) != NULL;
}

/* Result codes are words joined by '_' ("TCP_MISS_ABORTED"); NONE and ERR say nothing of access. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    if (contains(action, SLICE("DENIED")))
        return VERDICT_DENY;
    if (slice_starts(action, SLICE("TCP_")) || slice_starts(action, SLICE("UDP_")))
        return VERDICT_ALLOW;
    return VERDICT_UNKNOWN;
}

/* "TCP_MISS", "UDP_HIT": by which port the request came, that of HTTP or that of ICP. */
static struct slice transport(struct slice result)
{
    if (slice_starts(result, SLICE("TCP_")))
        return SLICE("tcp");
    return slice_starts(result, SLICE("UDP_")) ? SLICE("udp") : SLICE("");
}

const struct parser parser_squid = {
    .name = "squid",
    .format = FORMAT_SQUID,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .transport = transport,
    .transport_of = {FIELD_EVENT_ACTION},
};
