/*
 * Microsoft IIS, the W3C format with the columns that its installation chooses:
 *
 *   #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip ...
 *   2026-11-21 01:00:00 192.0.2.80 GET /a.aspx b=c 443 - 198.51.100.7 Mozilla/5.0+(X11) - 200 0 0 15
 *
 * Times are UTC. A blank in a value is written as a plus. Where no header came the columns are those
 * of an installation that nobody changed, by their number and by what stands in them.
 *
 * IIS' own layout always has the same columns; its times are local and without a zone, so they are
 * kept as they are:
 *
 *   192.0.2.7, EXAMPLE\taro, 11/21/26, 10:00:08, W3SVC1, WEB1, 192.0.2.80, 4502, 163, 3223, 200, 0, GET, /a.html, b=c,
 */
#include <stdlib.h>

#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/w3c.h"
#include "ingest/word.h"

enum {
    DATE_CLOCK_BYTES = 20, /* "2026-11-21 01:00:00 " */
    TOKENS_MAX = 40,       /* that are looked at */
    LAYOUT_BYTES = 384,
    COLUMN_PARAMETERS = 14, /* of IIS' own layout */
};

/* The columns of lines that no header names. */
enum layout {
    LAYOUT_REFERRED = 0, /* IIS 8 and newer */
    LAYOUT_SHORT,        /* IIS 7 */
    LAYOUT_SHORTEST,     /* IIS 6 */
    LAYOUT_SERVICE,      /* service first, then what is there always */
    LAYOUT_COMPUTER,     /* service and computer */
    LAYOUT_ALL,          /* every column of the web service */
    LAYOUT_ERROR,        /* HTTP.sys */
    LAYOUT_STREAM,       /* HTTP.sys of Windows 10 and newer */
    LAYOUT_UNKNOWN,
    LAYOUT_COUNT,
};

#define IIS_REQUEST "s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
#define IIS_STATUS  "sc-status sc-substatus sc-win32-status"

/* With what a search may read behind them. */
static const char LAYOUTS[LAYOUT_COUNT][LAYOUT_BYTES] = {
    [LAYOUT_REFERRED] =
        "date time " IIS_REQUEST "cs(User-Agent) cs(Referer) " IIS_STATUS " time-taken",
    [LAYOUT_SHORT] = "date time " IIS_REQUEST "cs(User-Agent) " IIS_STATUS " time-taken",
    [LAYOUT_SHORTEST] = "date time " IIS_REQUEST "cs(User-Agent) " IIS_STATUS,
    [LAYOUT_SERVICE] = "date time s-sitename " IIS_REQUEST "cs(User-Agent)",
    [LAYOUT_COMPUTER] = "date time s-sitename s-computername " IIS_REQUEST,
    [LAYOUT_ALL] = "date time s-sitename s-computername " IIS_REQUEST
                   "cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host " IIS_STATUS
                   " sc-bytes cs-bytes time-taken",
    [LAYOUT_ERROR] = "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status "
                     "s-siteid s-reason s-queuename",
    [LAYOUT_STREAM] = "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid "
                      "sc-status s-siteid s-reason s-queuename",
    [LAYOUT_UNKNOWN] = "date time",
};

struct parser_state {
    struct w3c w3c;
    uint8_t layout; /* enum layout that w3c holds; LAYOUT_COUNT: a header said it */
};

/* The server is who was acted upon, and texts are encoded. */
static void adapt(struct w3c *w)
{
    for (uint32_t i = 0; i < w->layout.field_count; i++) {
        struct template_field *field = &w->fields[i];
        if (field->field == FIELD_OBSERVER_IP)
            field->field = FIELD_DESTINATION_IP;
        if (field->field == FIELD_USER_AGENT || field->field == FIELD_HTTP_REFERRER)
            field->form = TEMPLATE_ENCODED;
    }
}

/* GET, RPC_IN_DATA, M-SEARCH */
static bool is_upper_word(const char *from, const char *to)
{
    for (const char *p = from; p < to; p++) {
        if ((*p < 'A' || *p > 'Z') && *p != '_' && *p != '-')
            return false;
    }
    return to - from >= 3;
}

/* A header whose lines is_line() knows: others may be those of a proxy. */
static bool is_header(struct slice message)
{
    if (slice_starts(message, SLICE("#Software: Microsoft Internet Information")) ||
        slice_starts(message, SLICE("#Software: Microsoft HTTP API")))
        return true;
    if (!slice_starts(message, SLICE("#Fields: ")))
        return false;
    return (scan_has(message, SLICE(" s-sitename ")) &&
            scan_has(message, SLICE(" sc-win32-status"))) ||
           scan_has(message, SLICE(" s-queuename")) ||
           slice_starts(message, SLICE("#Fields: date time s-ip cs-method cs-uri-stem "));
}

/* "W3SVC1", "FTPSVC2", "MSFTPSVC1", "SMTPSVC1": a service and its number. */
static bool has_service(struct slice text)
{
    static const struct slice NAMES[] = {
        {" W3SVC", 6}, {" FTPSVC", 7}, {" MSFTPSVC", 9}, {" SMTPSVC", 8}};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const char *end = text.data + text.len;
        const char *hit = scan_text(text.data, end, NAMES[i]);
        const char *digit = hit == end ? end : hit + NAMES[i].len;
        if (digit < end && *digit >= '0' && *digit <= '9')
            return true;
    }
    return false;
}

/* HTTP.sys: client, port, server, port */
static bool has_two_peers(const char *p, const char *end)
{
    for (int i = 0; i < 2; i++) {
        const char *address = scan_byte(p, end, ' ');
        const char *port = address == end ? end : scan_byte(address + 1, end, ' ');
        if (port == end || !url_host_is_address(slice_of(p, (size_t)(address - p))))
            return false;
        for (const char *digit = address + 1; digit < port; digit++) {
            if (*digit < '0' || *digit > '9')
                return false;
        }
        p = port + 1;
    }
    return true;
}

/* An address, which may have the number of an interface behind it: fe80::1%4 */
static bool is_address(const char *from, const char *to)
{
    const char *percent = scan_byte(from, to, '%');
    return url_host_is_address(slice_of(from, (size_t)(percent - from)));
}

static bool is_status(struct slice token)
{
    return token.len == 3 && word_is_digit(token.data[0]) && word_is_digit(token.data[1]) &&
           word_is_digit(token.data[2]);
}

/* The blank separated tokens of a line, TOKENS_MAX at most; their number. */
static uint32_t split_tokens(struct slice text, struct slice tokens[TOKENS_MAX])
{
    const char *end = text.data + text.len;
    uint32_t count = 0;
    for (const char *p = text.data; p < end && count < TOKENS_MAX; count++) {
        const char *stop = scan_byte(p, end, ' ');
        tokens[count] = slice_of(p, (size_t)(stop - p));
        p = stop + (stop < end);
    }
    return count;
}

static enum layout layout_of(struct slice text)
{
    struct slice tokens[TOKENS_MAX];
    const uint32_t count = split_tokens(text, tokens);
    if (count < 5)
        return LAYOUT_UNKNOWN;
    if (has_two_peers(tokens[2].data, text.data + text.len))
        return count == 13 ? LAYOUT_ERROR : LAYOUT_STREAM;
    if (is_address(tokens[2].data, tokens[2].data + tokens[2].len)) {
        bool referrer = count <= 10 || !is_status(tokens[10]);
        return referrer ? LAYOUT_REFERRED : count == 13 ? LAYOUT_SHORTEST : LAYOUT_SHORT;
    }
    if (is_address(tokens[3].data, tokens[3].data + tokens[3].len))
        return LAYOUT_SERVICE;
    if (is_address(tokens[4].data, tokens[4].data + tokens[4].len))
        return count == 22 ? LAYOUT_ALL : LAYOUT_COMPUTER;
    return LAYOUT_UNKNOWN;
}

/* "192.0.2.7, user, 11/21/26, 10:00:08, W3SVC1, " */
static bool is_native(struct slice message)
{
    const char *end = message.data + message.len;
    const char *comma = scan_byte(message.data, end, ',');
    if (comma == end || !is_address(message.data, comma))
        return false;
    size_t slashes = 0;
    for (int column = 1; column < 4; column++) {
        if (end - comma < 3 || comma[1] != ' ')
            return false;
        const char *from = comma + 2;
        comma = scan_byte(from, end, ',');
        for (const char *p = from; column == 2 && p < comma; p++)
            slashes += *p == '/';
        if (column == 3 && memchr(from, ':', (size_t)(comma - from)) == NULL)
            return false;
    }
    return slashes == 2 && comma < end;
}

static enum parse_result parse_native(struct slice line, struct slice text, struct slots *out)
{
    static const struct meaning COLUMNS[] = {
        [0] = {FIELD_SOURCE_IP, MEANING_MAYBE},
        [1] = {FIELD_USER_NAME, MEANING_ACCOUNT},
        [5] = {FIELD_OBSERVER_NAME, MEANING_MAYBE},
        [6] = {FIELD_DESTINATION_IP, MEANING_MAYBE},
        [7] = {FIELD_EVENT_DURATION, MEANING_MAYBE},
        [8] = {FIELD_SOURCE_BYTES, MEANING_MAYBE},
        [9] = {FIELD_DESTINATION_BYTES, MEANING_MAYBE},
        [10] = {FIELD_HTTP_STATUS, MEANING_MAYBE},
        [12] = {FIELD_HTTP_METHOD, MEANING_MAYBE},
        [13] = {FIELD_URL_PATH, MEANING_MAYBE},
        [COLUMN_PARAMETERS] = {FIELD_URL_QUERY, MEANING_MAYBE},
    };
    const char *end = text.data + text.len;
    const char *p = text.data;
    for (uint16_t i = 0; p < end && i < TOKENS_MAX; i++) {
        const char *stop = memmem(p, (size_t)(end - p), ", ", 2);
        stop = stop != NULL ? stop : end[-1] == ',' ? end - 1 : end;
        struct meaning meaning = {.field = FIELD_COLUMN(i), .form = MEANING_TEXT};
        if (i <= COLUMN_PARAMETERS && COLUMNS[i].field != FIELD_NONE)
            meaning = COLUMNS[i];
        const struct slot value = {.offset = (uint32_t)(p - line.data),
                                   .length = (uint32_t)(stop - p)};
        if (value.length > 0 && !meaning_slots(out, line, &meaning, &value))
            return PARSE_PARTIAL;
        if (stop == end)
            return i >= COLUMN_PARAMETERS - 1 ? PARSE_OK : PARSE_PARTIAL;
        p = end - stop < 2 ? end : stop + 2;
        if (p == end)
            return i >= COLUMN_PARAMETERS - 1 ? PARSE_OK : PARSE_PARTIAL;
    }
    return PARSE_PARTIAL;
}

static void use_layout(struct parser_state *state, enum layout layout)
{
    const char *names = LAYOUTS[layout];
    w3c_layout(&state->w3c, slice_of(names, strlen(names)));
    adapt(&state->w3c);
    state->layout = (uint8_t)layout;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    if (w3c_directive(&state->w3c, line, from, out)) {
        if (slice_starts(text, SLICE("#Fields:"))) {
            adapt(&state->w3c);
            state->layout = LAYOUT_COUNT;
        }
        return PARSE_OK;
    }
    if (is_native(word_head(text)))
        return parse_native(line, text, out);
    if (text.len < DATE_CLOCK_BYTES || text.data[0] < '0' || text.data[0] > '9')
        return PARSE_MISMATCH;
    if (state->layout != LAYOUT_COUNT) {
        const enum layout layout = layout_of(text);
        if (layout != state->layout)
            use_layout(state, layout);
    }
    return w3c_parse(&state->w3c, line, from, out);
}

/*
 * Date, time, address, METHOD, /path: the columns of an installation that nobody changed; a service
 * with its number, or two addresses with their ports.
 */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    const char *p = message.data;
    if (is_header(message) || is_native(message))
        return true;
    if (message.len < DATE_CLOCK_BYTES || p[4] != '-' || p[7] != '-' || p[10] != ' ' ||
        p[13] != ':' || p[16] != ':' || p[19] != ' ')
        return false;
    p += DATE_CLOCK_BYTES;
    if (has_service(message) || has_two_peers(p, end))
        return true;
    const char *address = scan_byte(p, end, ' ');
    if (address == end || !is_address(p, address))
        return false;
    const char *method = scan_byte(address + 1, end, ' ');
    return method < end && is_upper_word(address + 1, method) && method + 1 < end &&
           method[1] == '/';
}

static struct parser_state *state_new(void)
{
    struct parser_state *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return NULL;
    use_layout(state, LAYOUT_REFERRED);
    return state;
}

static void state_free(struct parser_state *state)
{
    free(state);
}

const struct parser parser_iis = {
    .name = "iis",
    .format = FORMAT_IIS,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = state_free,
    .utc = true,
    .reads_headers = true,
};
