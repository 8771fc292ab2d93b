/*
 * ISC BIND's log, of queries above all; Infoblox and other appliances write the same:
 *
 *   21-Nov-2026 18:00:00.123 queries: info: client @0x7f 192.0.2.7#40000 (www.example.com): view in:
 *       query: www.example.com IN A +E(0)K (192.0.2.53)
 *   client 192.0.2.7#40000 (www.example.com): answer: www.example.com IN A + (192.0.2.53) -> NOERROR
 *   client 192.0.2.7#40000: query (cache) 'www.example.com/A/IN' denied
 *   client 192.0.2.7#40000 (bad.example.net): rpz QNAME NXDOMAIN rewrite bad.example.net/A/IN via zone
 *   zone example.com/IN: notify from 198.51.100.53#40000: zone is up to date
 *   error (connection refused) resolving 'www.example.com/A/IN': 198.51.100.53#53
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/words.h"

enum {
    COLUMN_HANDLE = 0, /* @0x7f...: where the server keeps the client */
    COLUMN_ASKED = 2,  /* the name behind the client's address */
    COLUMN_ZONE = 3,   /* of a transfer */
    COLUMN_KEY = 4,    /* that signed a request */
    PROBE_MAX_BYTES = 512,
    STAMP_BYTES_MIN = 20, /* 21-Nov-2026 18:00:00 */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice rest_of(const struct words *w)
{
    return slice_of(w->at, (size_t)(w->end - w->at));
}

/* Step over the text where it comes next. */
static bool skip(struct words *w, struct slice text)
{
    if (!slice_starts(rest_of(w), text))
        return false;
    w->at += text.len;
    return true;
}

/* "21-Nov-2026 18:00:00.123 " */
static bool add_stamp(struct words *w)
{
    const char *p = w->at;
    if (w->end - p <= STAMP_BYTES_MIN || !is_digit(p[0]) || p[2] != '-' || p[6] != '-' ||
        p[11] != ' ' || p[14] != ':')
        return true;
    const char *stop = scan_byte(p + 12, w->end, ' ');
    struct word stamp = {.from = p, .to = stop};
    w->at = stop;
    words_skip_blanks(w);
    return words_add(w, &stamp, FIELD_TIME_STAMP);
}

/* "queries: info: ", of a category's own words */
static bool add_category(struct words *w)
{
    static const struct slice LEVELS[] = {
        {"info: ", 6}, {"notice: ", 8}, {"warning: ", 9}, {"error: ", 7}, {"debug ", 6}};
    static const struct slice CATEGORIES[] = {{"queries: ", 9},
                                              {"query-errors: ", 14},
                                              {"security: ", 10},
                                              {"rpz: ", 5},
                                              {"resolver: ", 10},
                                              {"lame-servers: ", 14},
                                              {"dnssec: ", 8},
                                              {"client: ", 8},
                                              {"general: ", 9},
                                              {"xfer-in: ", 9},
                                              {"xfer-out: ", 10},
                                              {"notify: ", 8},
                                              {"update-security: ", 17},
                                              {"default: ", 9},
                                              {"update: ", 8},
                                              {"responses: ", 11},
                                              {"rate-limit: ", 12},
                                              {"rpz-passthru: ", 14},
                                              {"network: ", 9},
                                              {"database: ", 10},
                                              {"config: ", 8},
                                              {"serve-stale: ", 13},
                                              {"infoblox-responses: ", 20}};
    for (size_t i = 0; i < sizeof(CATEGORIES) / sizeof(CATEGORIES[0]); i++) {
        struct word word = {.from = w->at, .to = w->at + CATEGORIES[i].len - 2};
        if (skip(w, CATEGORIES[i])) {
            if (!words_add(w, &word, FIELD_EVENT_DATASET))
                return false;
            break;
        }
    }
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        struct word word = {.from = w->at, .to = w->at + LEVELS[i].len - 2};
        if (skip(w, LEVELS[i]))
            return words_add(w, &word, FIELD_EVENT_SEVERITY);
    }
    return true;
}

/* address#port, a colon behind it or not; "/key" behind it stays */
static bool add_peer(struct words *w, uint16_t address, uint16_t port)
{
    const char *stop = scan_either(w->at, w->end, ' ', '/');
    while (stop > w->at && (stop[-1] == ':' || stop[-1] == ','))
        stop--;
    const char *hash = scan_byte(w->at, stop, '#');
    struct word host = {.from = w->at, .to = hash};
    struct word number = {.from = hash == stop ? stop : hash + 1, .to = stop};
    w->at = stop < w->end && *stop == ':' ? stop + 1 : stop;
    words_skip_blanks(w);
    return words_add(w, &host, address) &&
           (number.from == number.to || words_add(w, &number, port));
}

/* "client [@0x7f ]192.0.2.7#40000 [(name)]: [view x: ]"; the name comes again. */
static bool add_client(struct words *w)
{
    struct word word;
    if (!skip(w, SLICE("client ")) && !skip(w, SLICE("List Matched ")))
        return true;
    if (w->at < w->end && *w->at == '@' &&
        (!words_next(w, &word) || !words_add(w, &word, FIELD_COLUMN(COLUMN_HANDLE))))
        return false;
    words_skip_blanks(w);
    if (!add_peer(w, FIELD_SOURCE_IP, FIELD_SOURCE_PORT))
        return false;
    if (skip(w, SLICE("/key "))) {
        if (!words_next(w, &word))
            return true;
        if (word.to > word.from && word.to[-1] == ':')
            word.to--;
        words_skip_blanks(w);
        if (!words_add(w, &word, FIELD_COLUMN(COLUMN_KEY)))
            return false;
    }
    if (w->at < w->end && *w->at == '(') {
        const char *close = scan_byte(w->at, w->end, ')');
        word = (struct word){.from = w->at + 1, .to = close};
        w->at = close < w->end ? close + 1 : close;
        if (!words_add(w, &word, FIELD_COLUMN(COLUMN_ASKED)))
            return false;
        (void)skip(w, SLICE(":"));
        words_skip_blanks(w);
    }
    if (!skip(w, SLICE("view ")))
        return true;
    const char *colon = scan_byte(w->at, w->end, ':');
    word = (struct word){.from = w->at, .to = colon};
    w->at = colon < w->end ? colon + 1 : colon;
    words_skip_blanks(w);
    return words_add(w, &word, FIELD_OBSERVER_VSYS);
}

/* "name class type flags (server) [-> rcode ...]", "name class type response: rcode flags ..." */
static enum parse_result add_question(struct words *w)
{
    struct word word;
    if (!words_next(w, &word) || !words_mean(w, &word, FIELD_DNS_QUESTION, MEANING_QUESTION) ||
        !words_next(w, &word) || !words_add(w, &word, FIELD_DNS_CLASS) || !words_next(w, &word) ||
        !words_add(w, &word, FIELD_DNS_TYPE))
        return PARSE_PARTIAL;
    words_skip_blanks(w);
    if (skip(w, SLICE("response: ")) &&
        (!words_next(w, &word) || !words_add(w, &word, FIELD_EVENT_OUTCOME)))
        return PARSE_PARTIAL;
    words_skip_blanks(w);
    const bool answered = w->at < w->end && *w->at >= 'A' && *w->at <= 'Z';
    if (answered && (!words_next(w, &word) || !words_add(w, &word, FIELD_EVENT_OUTCOME)))
        return PARSE_PARTIAL;
    words_skip_blanks(w);
    if (w->at < w->end && *w->at != '(' &&
        (!words_next(w, &word) || !words_add(w, &word, FIELD_DNS_FLAGS)))
        return PARSE_PARTIAL;
    words_skip_blanks(w);
    if (w->at < w->end && *w->at == '(') {
        const char *close = scan_byte(w->at, w->end, ')');
        word = (struct word){.from = w->at + 1, .to = close};
        w->at = close < w->end ? close + 1 : close;
        if (!words_add(w, &word, FIELD_DESTINATION_IP))
            return PARSE_PARTIAL;
    }
    words_skip_blanks(w);
    if (skip(w, SLICE("-> ")) &&
        (!words_next(w, &word) || !words_add(w, &word, FIELD_EVENT_OUTCOME)))
        return PARSE_PARTIAL;
    return words_rest(w, FIELD_DNS_ANSWER) ? PARSE_OK : PARSE_PARTIAL;
}

/* A record type, as it stands between slashes or at a name's end. */
static bool is_type(struct slice text)
{
    if (text.len == 0 || text.len > 10 || text.data[0] < 'A' || text.data[0] > 'Z')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if ((text.data[i] < 'A' || text.data[i] > 'Z') && !is_digit(text.data[i]))
            return false;
    }
    return true;
}

/*
 * Where name/TYPE[/CLASS] stands in a text; *name and *type are its parts. A name holds no slash, so it
 * is looked for behind the one before only.
 */
static bool find_question(const struct words *w, struct word *name, struct word *type)
{
    const char *behind = w->at;
    for (const char *p = scan_byte(w->at, w->end, '/'); p < w->end;
         p = scan_byte(p + 1, w->end, '/')) {
        const char *stop = p + 1;
        while (stop < w->end && ((*stop >= 'A' && *stop <= 'Z') || is_digit(*stop)))
            stop++;
        const char *from = p;
        while (from > behind && from[-1] != ' ' && from[-1] != '\'' && from[-1] != '(')
            from--;
        bool cut = from == behind && from > w->at;
        behind = p + 1;
        if (from == p || cut || !is_type(slice_of(p + 1, (size_t)(stop - p - 1))))
            continue;
        *name = (struct word){.from = from, .to = p};
        *type = (struct word){.from = p + 1, .to = stop};
        return true;
    }
    return false;
}

/* [from, to) without blanks and colons at its ends; nothing for nothing. */
static bool add_text(struct words *w, const char *from, const char *to, uint16_t field)
{
    while (from < to && (*from == ' ' || *from == ':' || *from == '\''))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == ':' || to[-1] == '\''))
        to--;
    struct word word = {.from = from, .to = to};
    return from == to || words_add(w, &word, field);
}

/*
 * "rpz QNAME NXDOMAIN rewrite name/A/IN via zone": what triggered, what was done; "rate limit drop
 * response to ...": what was done.
 */
static bool add_policy(struct words *w)
{
    struct word word;
    if (skip(w, SLICE("rate limit ")))
        return words_next(w, &word) && words_add(w, &word, FIELD_EVENT_ACTION);
    if (!skip(w, SLICE("rpz ")))
        return true;
    return words_next(w, &word) && words_add(w, &word, FIELD_EVENT_SUBTYPE) &&
           words_next(w, &word) && words_add(w, &word, FIELD_EVENT_ACTION);
}

/* "transfer of 'zone/IN' from 192.0.2.1#53: status" */
static bool add_transfer(struct words *w)
{
    static const struct slice START = {"transfer of '", 13};
    struct slice text = rest_of(w);
    if (!slice_starts(text, START))
        return true;
    struct slice zone = slice_from_offset(text, START.len);
    const char *from = memmem(zone.data, zone.len, "' from ", 7);
    if (from == NULL)
        return true;
    struct word name = {.from = zone.data, .to = from};
    w->at = from + 7;
    return words_add(w, &name, FIELD_COLUMN(COLUMN_ZONE)) &&
           add_peer(w, FIELD_SOURCE_IP, FIELD_SOURCE_PORT);
}

/* "zone name/IN[/view]: what became of it", with "from 192.0.2.1#53: " in it or not */
static bool add_zone(struct words *w)
{
    struct slice text = rest_of(w);
    const char *colon = memmem(text.data, text.len, ": ", 2);
    if (colon == NULL || !slice_starts(text, SLICE("zone ")))
        return true;
    struct word zone = {.from = text.data + 5, .to = colon};
    w->at = colon + 2;
    if (!words_add(w, &zone, FIELD_COLUMN(COLUMN_ZONE)))
        return false;
    const char *from = memmem(w->at, (size_t)(w->end - w->at), "notify from ", 12);
    if (from == NULL)
        return true;
    struct word verb = {.from = w->at, .to = from + 6};
    w->at = from + 12;
    return words_add(w, &verb, FIELD_EVENT_ACTION) &&
           add_peer(w, FIELD_SOURCE_IP, FIELD_SOURCE_PORT);
}

static bool is_class(const struct word *word)
{
    return word_is(word, "IN") || word_is(word, "CH") || word_is(word, "HS");
}

/* Any other message: what happened, the question in it, and what is behind. */
static enum parse_result add_message(struct words *w)
{
    struct word name;
    struct word type;
    if (!add_policy(w) || !add_transfer(w) || !add_zone(w))
        return PARSE_PARTIAL;
    if (!find_question(w, &name, &type))
        return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
    const char *class = type.to;
    const char *behind = class;
    if (class < w->end && *class == '/') {
        for (behind = class + 1; behind < w->end && *behind >= 'A' && *behind <= 'Z';)
            behind++;
    }
    /* Most messages say type and class, some class and type. */
    bool swapped = is_class(&type);
    if (!add_text(w, w->at, name.from, FIELD_MESSAGE) ||
        !words_mean(w, &name, FIELD_DNS_QUESTION, MEANING_QUESTION) ||
        !words_add(w, &type, swapped ? FIELD_DNS_CLASS : FIELD_DNS_TYPE))
        return PARSE_PARTIAL;
    if (behind > class + 1 &&
        !add_text(w, class + 1, behind, swapped ? FIELD_DNS_TYPE : FIELD_DNS_CLASS))
        return PARSE_PARTIAL;
    w->at = behind;
    bool denied = scan_has(slice_of(behind, (size_t)(w->end - behind)), SLICE("denied"));
    return add_text(w, behind, w->end, denied ? FIELD_EVENT_ACTION : FIELD_EVENT_REASON)
               ? PARSE_OK
               : PARSE_PARTIAL;
}

/* One of the messages that are about no client. */
static bool is_message(struct slice text)
{
    return scan_has(text, SLICE(" resolving '")) ||
           slice_starts(text, SLICE("DNS format error from ")) ||
           slice_starts(text, SLICE("validating ")) ||
           (slice_starts(text, SLICE("zone ")) && scan_has(text, SLICE(": "))) ||
           (slice_starts(text, SLICE("limit ")) && scan_has(text, SLICE("responses to "))) ||
           slice_starts(text, SLICE("transfer of '")) || slice_starts(text, SLICE("rpz: ")) ||
           slice_starts(text, SLICE("general: ")) || slice_starts(text, SLICE("xfer-in: ")) ||
           slice_starts(text, SLICE("xfer-out: ")) || slice_starts(text, SLICE("notify: ")) ||
           (slice_starts(text, SLICE("view ")) && scan_has(text, SLICE("validating ")));
}

/* "26914:client ...": some put their process in front. */
static bool add_process(struct words *w)
{
    const char *at = w->at;
    while (at < w->end && is_digit(*at))
        at++;
    struct word process = {.from = w->at, .to = at};
    if (at == w->at || !slice_starts(slice_of(at, (size_t)(w->end - at)), SLICE(":client ")))
        return true;
    w->at = at + 1;
    return words_add(w, &process, FIELD_LOG_PROCID);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    (void)state;
    words_skip_blanks(&w);
    const char *start = w.at;
    if (w.at == w.end)
        return PARSE_MISMATCH;
    if (!add_stamp(&w) || !add_process(&w) || !add_category(&w))
        return PARSE_PARTIAL;
    /* Infoblox has the time behind its category. */
    if (!add_stamp(&w))
        return PARSE_PARTIAL;
    if (skip(&w, SLICE("view "))) {
        const char *colon = scan_byte(w.at, w.end, ':');
        struct word view = {.from = w.at, .to = colon};
        w.at = colon < w.end ? colon + 1 : colon;
        if (!words_add(&w, &view, FIELD_OBSERVER_VSYS))
            return PARSE_PARTIAL;
        words_skip_blanks(&w);
    }
    if (!add_client(&w))
        return PARSE_PARTIAL;
    if (w.at == start && !is_message(rest_of(&w)))
        return PARSE_MISMATCH;
    struct word transport = {.from = w.at, .to = w.at + 3};
    if ((skip(&w, SLICE("UDP: ")) || skip(&w, SLICE("TCP: "))) &&
        !words_add(&w, &transport, FIELD_NETWORK_TRANSPORT))
        return PARSE_PARTIAL;
    bool query =
        skip(&w, SLICE("query: ")) || skip(&w, SLICE("answer: ")) || skip(&w, SLICE("response: "));
    return query ? add_question(&w) : add_message(&w);
}

/* "client [@0x7f ]192.0.2.7#40000", or one of the resolver's messages. */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *client = memmem(message.data, message.len, "client ", 7);
    if (slice_starts(message, SLICE("List Matched ")))
        client = message.data;
    if (client != NULL && client - message.data < 80) {
        const char *end = message.data + message.len;
        const char *hash = scan_byte(client, end, '#');
        const char *from = hash;
        while (from > client && from[-1] != ' ')
            from--;
        if (hash < end && url_host_is_address(slice_of(from, (size_t)(hash - from))))
            return true;
    }
    return is_message(message);
}

/* "denied", or what a response policy made of the answer. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    if (slice_has(action, SLICE("denied")))
        return VERDICT_DENY;
    if (slice_starts(action, SLICE("PASSTHRU")))
        return VERDICT_ALLOW;
    if (slice_starts(action, SLICE("DROP")) || slice_starts(action, SLICE("drop")))
        return VERDICT_DROP;
    return slice_starts(action, SLICE("NX")) || slice_starts(action, SLICE("NODATA")) ||
                   slice_starts(action, SLICE("CNAME")) || slice_starts(action, SLICE("Local"))
               ? VERDICT_BLOCK
               : VERDICT_UNKNOWN;
}

/* "+E(0)TK": a T among the flags says TCP; every other question came by UDP. */
static struct slice transport(struct slice flags)
{
    if (flags.len == 0 || (*flags.data != '+' && *flags.data != '-'))
        return SLICE("");
    return memchr(flags.data, 'T', flags.len) != NULL ? SLICE("tcp") : SLICE("udp");
}

const struct parser parser_bind = {
    .name = "bind",
    .format = FORMAT_BIND,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .transport = transport,
    .transport_of = {FIELD_DNS_FLAGS},
};
