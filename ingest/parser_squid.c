/*
 * Squid's access log, native and httpd style:
 *
 *   1763715600.123    82 192.0.2.7 TCP_MISS/200 3184 GET http://www.example.com/ taro
 *       HIER_DIRECT/198.51.100.9 text/html ["referrer" "user agent"]
 *   192.0.2.7 - taro [21/Nov/2026:18:00:00 +0900] "GET http://www.example.com/ HTTP/1.1" 200 3184
 *       ["referrer" "user agent"] [TCP_MISS:HIER_DIRECT]
 *
 * The time may be written out instead ("21/Nov/2026:18:00:00 +0900", "2026-11-21 18:00:00"), with
 * brackets or without. Behind the native columns may stand the headers of request and answer
 * (log_mime_hdrs). Its other logs: of referrers, of user agents, and cache.log:
 *
 *   1763715600.123 192.0.2.7 http://portal.example.jp/ http://www.example.com/
 *   192.0.2.7 [21/Nov/2026:18:00:00 +0900] "Mozilla/5.0 (X11)"
 *   2026/11/21 18:00:00 kid1| WARNING: All 20/20 basicauthenticator processes are busy.
 *
 * "-" stands for "none" and gets no slot. What an own logformat appends is kept by column.
 */
#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_WORKER = 0,    /* of cache.log */
    COLUMN_EXTRA = 10,    /* number of the first appended column */
    EXTRA_MAX = 3,        /* columns; the last one holds the rest of the line */
    EPOCH_DIGITS_MIN = 9, /* of the seconds */
    EPOCH_DIGITS_MAX = 10,
    DATE_BYTES = 10,  /* 2026-11-21 */
    CLOCK_BYTES = 8,  /* 18:00:00 */
    OFFSET_BYTES = 5, /* +0900 */
    STAMP_BYTES = 20, /* 21/Nov/2026:18:00:00 */
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

/* An address or a name, with a port or without; none for "-". */
static bool add_peer(struct scan *s, const struct token *t, uint16_t field)
{
    const struct slot slot = {.offset = (uint32_t)(t->from - s->line.data),
                              .length = (uint32_t)(t->to - t->from),
                              .kind = SLOT_PLAIN};
    if (is_none(t))
        return true;
    if (url_host_is_address(slice_of(t->from, slot.length))) /* nearly all */
        return add_token(s, t, field);
    return peer_slots(s->out, s->line, field, &slot);
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
    return add_token(s, &how, FIELD_CACHE_HIERARCHY) && add_peer(s, &peer, FIELD_DESTINATION_IP);
}

/* What begins as a URL does, "http://" or another scheme. */
static bool looks_like_url(const struct token *t)
{
    const char *p = t->from;
    while (p < t->to && ((*p >= 'a' && *p <= 'z') || *p == '-'))
        p++;
    return p > t->from && t->to - p > 2 && memcmp(p, "://", 3) == 0;
}

/* Referrer and user agent, in quotes; one alone, and one first, is what it looks like. */
static bool add_quoted(struct scan *s)
{
    struct token t[2];
    size_t count = 0;
    for (; count < 2 && s->at < s->end && *s->at == '"'; count++) {
        if (!next_token(s, &t[count]))
            return false;
        skip_blanks(s);
    }
    if (count == 0)
        return true;
    bool agent_first = !is_none(&t[0]) && !looks_like_url(&t[0]) &&
                       (count == 1 || is_none(&t[1]) || looks_like_url(&t[1]));
    return add_token(s, &t[0], agent_first ? FIELD_USER_AGENT : FIELD_HTTP_REFERRER) &&
           (count == 1 ||
            add_token(s, &t[1], agent_first ? FIELD_HTTP_REFERRER : FIELD_USER_AGENT));
}

/* Where the line of a header ends that begins at `from`: "\r\n" as Squid escapes it, or %0D%0A. */
static const char *header_end(const char *from, const char *end, size_t *gap)
{
    static const struct slice ENDS[] = {{"\\r\\n", 4}, {"%0D%0A", 6}};
    for (const char *p = scan_either(from, end, '\\', '%'); p < end;
         p = scan_either(p + 1, end, '\\', '%')) {
        for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
            *gap = ENDS[i].len;
            if (slice_starts(slice_of(p, (size_t)(end - p)), ENDS[i]))
                return p;
        }
    }
    *gap = 0;
    return end;
}

/* The field of a request's header, and where its value begins; FIELD_NONE for other headers. */
static uint16_t header_field(const char **from, const char *end)
{
    static const struct {
        struct slice name;
        uint16_t field;
    } HEADERS[] = {
        {{"user-agent:", 11}, FIELD_USER_AGENT},
        {{"referer:", 8}, FIELD_HTTP_REFERRER},
        {{"x-forwarded-for:", 16}, FIELD_HTTP_FORWARDED_FOR},
    };
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++) {
        if (!word_begins(slice_of(*from, (size_t)(end - *from)), HEADERS[i].name))
            continue;
        *from += HEADERS[i].name.len;
        while (end - *from > 2 && memcmp(*from, "%20", 3) == 0)
            *from += 3;
        while (*from < end && **from == ' ')
            *from += 1;
        return HEADERS[i].field;
    }
    return FIELD_NONE;
}

/* [User-Agent: curl/8.0\r\nHost: ...]: the headers that mean something, and the rest by column. */
static bool add_headers(struct scan *s, const char *close)
{
    const char *rest = ++s->at;
    size_t gap = 0;
    for (const char *p = rest; p < close;) {
        const char *from = p;
        const char *to = header_end(p, close, &gap);
        uint16_t field = header_field(&from, to);
        if (field != FIELD_NONE && from < to) {
            if ((p > rest && !add(s, rest, p, FIELD_COLUMN(COLUMN_EXTRA), SLOT_PERCENT)) ||
                !add(s, from, to, field, SLOT_PERCENT))
                return false;
            rest = to + gap;
        }
        p = to + gap;
    }
    s->at = close + 1;
    return rest >= close || add(s, rest, close, FIELD_COLUMN(COLUMN_EXTRA), SLOT_PERCENT);
}

/* [HTTP/1.1 200 OK\r\n...]: the headers of the answer, as they stand. */
static bool add_bracketed(struct scan *s, const char *close, uint16_t column)
{
    const char *from = s->at + 1;
    s->at = close + 1;
    return from == close || add(s, from, close, FIELD_COLUMN(COLUMN_EXTRA + column), SLOT_PERCENT);
}

/* What a logformat appends: what is quoted, headers in brackets; the rest goes by column. */
static enum parse_result scan_extra(struct scan *s)
{
    struct token t;
    skip_blanks(s);
    if (!add_quoted(s))
        return PARSE_PARTIAL;
    for (uint16_t column = 0; s->at < s->end; column++) {
        struct token result;
        struct token how;
        const char *from = s->at;
        const char *close = *from == '[' ? scan_byte(from, s->end, ']') : s->end;
        if (close < s->end) {
            if (column == 0 ? !add_headers(s, close) : !add_bracketed(s, close, column))
                return PARSE_PARTIAL;
            skip_blanks(s);
            continue;
        }
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

/* Seconds, perhaps a dot and milliseconds. */
static bool is_epoch(const struct token *t)
{
    const char *dot = scan_byte(t->from, t->to, '.');
    return dot - t->from >= EPOCH_DIGITS_MIN && dot - t->from <= EPOCH_DIGITS_MAX &&
           all_digits(t->from, dot) && (dot == t->to || all_digits(dot + 1, t->to));
}

/* 21/Nov/2026:18:00:00 */
static bool is_stamp(const struct token *t)
{
    return t->to - t->from >= STAMP_BYTES && is_digit(t->from[0]) && t->from[2] == '/' &&
           t->from[6] == '/' && t->from[11] == ':' && t->from[14] == ':';
}

/* 2026-11-21 or 2026/11/21, alone or with T and a time behind it */
static bool is_date(const struct token *t)
{
    const char *p = t->from;
    ptrdiff_t bytes = t->to - p;
    return (bytes == DATE_BYTES || (bytes > DATE_BYTES + CLOCK_BYTES && p[DATE_BYTES] == 'T')) &&
           all_digits(p, p + 4) && (p[4] == '-' || p[4] == '/') && p[7] == p[4];
}

static bool is_clock(const struct token *t)
{
    return t->to - t->from >= CLOCK_BYTES && is_digit(t->from[0]) && t->from[2] == ':' &&
           t->from[5] == ':';
}

static bool is_offset(const struct token *t)
{
    return t->to - t->from == OFFSET_BYTES && (*t->from == '+' || *t->from == '-') &&
           all_digits(t->from + 1, t->to);
}

/* The time in front of native columns, and its offset if it has one. */
struct written_time {
    struct token time;
    struct token zone;
    uint16_t field;
};

static bool next_time(struct scan *s, struct written_time *out)
{
    struct scan ahead = *s;
    struct token next;
    *out = (struct written_time){.field = FIELD_TIME_STAMP};
    skip_blanks(&ahead);
    bool bracketed = ahead.at < ahead.end && *ahead.at == '[';
    const char *close = bracketed ? scan_byte(ahead.at, ahead.end, ']') : ahead.end;
    if (bracketed && close == ahead.end)
        return false;
    ahead.at += bracketed;
    ahead.end = close;
    if (!next_token(&ahead, &out->time))
        return false;
    if (is_epoch(&out->time)) {
        out->field = FIELD_TIME_EPOCH;
        s->at = bracketed ? close + 1 : ahead.at;
        return true;
    }
    bool date = is_date(&out->time);
    if (date && out->time.to - out->time.from == DATE_BYTES) {
        if (!next_token(&ahead, &next) || !is_clock(&next))
            return false;
        out->time.to = next.to;
    } else if (!date && !is_stamp(&out->time)) {
        return false;
    }
    struct scan behind = ahead;
    if (next_token(&behind, &next) && is_offset(&next)) {
        out->zone = next;
        ahead = behind;
    }
    s->at = bracketed ? close + 1 : ahead.at;
    return true;
}

static bool add_time(struct scan *s, const struct written_time *t)
{
    return add_token(s, &t->time, t->field) &&
           (t->zone.from == NULL || add_token(s, &t->zone, FIELD_TIME_ZONE));
}

/* Behind the time: a client and two URLs, of the page and of what it asked for. */
static bool is_referrer_log(struct scan s)
{
    struct token client;
    struct token referrer;
    struct token url;
    struct token more;
    return next_token(&s, &client) && next_token(&s, &referrer) && looks_like_url(&referrer) &&
           next_token(&s, &url) && looks_like_url(&url) && !next_token(&s, &more);
}

static enum parse_result scan_referrer(struct scan *s, const struct written_time *time)
{
    struct token method = {.from = s->at, .to = s->at};
    struct token t;
    if (!add_time(s, time) || !next_token(s, &t) || !add_peer(s, &t, FIELD_SOURCE_IP) ||
        !next_token(s, &t) || !add_token(s, &t, FIELD_HTTP_REFERRER))
        return PARSE_PARTIAL;
    return next_token(s, &t) && add_url(s, &method, &t) ? PARSE_OK : PARSE_PARTIAL;
}

/* "2026/11/21 18:00:00 kid1| text": cache.log, up to its bar. */
static const char *find_bar(const struct scan *s)
{
    struct scan ahead = *s;
    struct token date;
    struct token clock;
    if (s->end - s->at < DATE_BYTES || s->at[4] != '/')
        return NULL;
    if (!next_token(&ahead, &date) || date.to - date.from != DATE_BYTES || !is_date(&date) ||
        date.from[4] != '/' || !next_token(&ahead, &clock) || !is_clock(&clock))
        return NULL;
    const char *bar = scan_byte(clock.from, s->end, '|');
    const char *blank = scan_byte(clock.from, bar, ' ');
    if (s->end - bar < 2 || bar[1] != ' ')
        return NULL;
    bool worker = bar - blank > 4 && memcmp(blank + 1, "kid", 3) == 0;
    return blank == bar || worker ? bar : NULL;
}

static enum parse_result scan_cache_log(struct scan *s, const char *bar)
{
    skip_blanks(s);
    const char *from = s->at;
    const char *clock = from + DATE_BYTES + 1;
    const char *stop = scan_byte(clock, bar, ' ');
    if (!add(s, from, stop, FIELD_TIME_STAMP, SLOT_PLAIN) ||
        (stop < bar && !add(s, stop + 1, bar, FIELD_COLUMN(COLUMN_WORKER), SLOT_PLAIN)))
        return PARSE_PARTIAL;
    return add(s, bar + 2, s->end, FIELD_MESSAGE, SLOT_PLAIN) ? PARSE_OK : PARSE_PARTIAL;
}

/* Behind the time: elapsed client code/status bytes method URL user hierarchy/peer mime. */
static enum parse_result scan_native(struct scan *s, const struct written_time *time)
{
    struct token elapsed;
    struct token client;
    struct token result;
    struct token code;
    struct token status;
    if (!next_token(s, &elapsed) || !next_token(s, &client) || !next_token(s, &result) ||
        !split_token(&result, '/', &code, &status) || !is_code(&code))
        return PARSE_MISMATCH;
    if (!add_time(s, time) || !add_token(s, &elapsed, FIELD_EVENT_DURATION) ||
        !add_peer(s, &client, FIELD_SOURCE_IP) || !add_token(s, &code, FIELD_EVENT_ACTION) ||
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

/* 192.0.2.7 [21/Nov/2026:18:00:00 +0900] "Mozilla/5.0 (X11)" and nothing more */
static bool is_agent_log(struct scan s)
{
    struct token t;
    struct written_time time;
    return next_token(&s, &t) && url_host_is_address(slice_of(t.from, (size_t)(t.to - t.from))) &&
           s.end - s.at > 1 && s.at[1] == '[' && next_time(&s, &time) && is_stamp(&time.time) &&
           next_token(&s, &t) && t.quoted && !next_token(&s, &t) && s.at >= s.end;
}

static enum parse_result scan_agent(struct scan *s)
{
    struct token t;
    struct written_time time;
    if (!next_token(s, &t) || !add_peer(s, &t, FIELD_SOURCE_IP) || !next_time(s, &time) ||
        !add_time(s, &time))
        return PARSE_PARTIAL;
    return next_token(s, &t) && add_token(s, &t, FIELD_USER_AGENT) ? PARSE_OK : PARSE_PARTIAL;
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
    if (!add_peer(s, client, FIELD_SOURCE_IP) || !add_token(s, &ident, FIELD_SOURCE_USER) ||
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
    struct written_time time;
    (void)state;
    const char *bar = find_bar(&s);
    if (bar != NULL)
        return scan_cache_log(&s, bar);
    if (next_time(&s, &time)) {
        struct scan native = s;
        enum parse_result result = scan_native(&native, &time);
        return result == PARSE_MISMATCH && is_referrer_log(s) ? scan_referrer(&s, &time) : result;
    }
    if (is_agent_log(s))
        return scan_agent(&s);
    return next_token(&s, &first) ? scan_httpd(&s, &first) : PARSE_MISMATCH;
}

/*
 * Native: a time, elapsed, client, CODE/, without the verdicts in angle brackets of Cisco's appliance.
 * Httpd style: three tokens, then [time] "METHOD and a URL that is no path, as a web server has it.
 */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    struct scan s = {.line = message, .at = message.data, .end = message.data + message.len};
    struct token t[4];
    struct token code;
    struct token status;
    struct written_time time;
    if (find_bar(&s) != NULL || is_agent_log(s))
        return true;
    if (next_time(&s, &time)) {
        return is_referrer_log(s) ||
               (next_token(&s, &t[0]) && next_token(&s, &t[1]) && next_token(&s, &t[2]) &&
                split_token(&t[2], '/', &code, &status) && is_code(&code) &&
                !scan_has(message, SLICE(" <")));
    }
    for (size_t i = 0; i < 4; i++) {
        if (!next_token(&s, &t[i]))
            return false;
    }
    const char *close = scan_byte(t[3].from, s.end, ']');
    struct slice host = slice_of(t[0].from, (size_t)(t[0].to - t[0].from));
    if (*t[3].from != '[' || s.end - close <= 3 || close[1] != ' ' || close[2] != '"')
        return false;
    const char *quote = scan_byte(close + 3, s.end, '"');
    struct slice request = slice_of(close + 3, (size_t)(quote - close - 3));
    bool proxied = scan_has(request, SLICE("://")) || scan_has(request, SLICE(" error:")) ||
                   slice_starts(request, SLICE("CONNECT "));
    return url_host_is_address(host) && proxied;
}

/* Result codes are words joined by '_' ("TCP_MISS_ABORTED"); NONE and ERR say nothing of access. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    if (slice_has(action, SLICE("DENIED")))
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
