/*
 * Microsoft IIS, the W3C format with the columns that its installation chooses:
 *
 *   #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip ...
 *   2026-11-21 01:00:00 192.0.2.80 GET /a.aspx b=c 443 - 198.51.100.7 Mozilla/5.0+(X11) - 200 0 0 15
 *
 * Times are UTC. A blank in a value is written as a plus.
 */
#include <stdlib.h>

#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/w3c.h"

enum {
    DATE_CLOCK_BYTES = 20, /* "2026-11-21 01:00:00 " */
    PROBE_TOKENS = 10,
    PROBE_MAX_BYTES = 512,
};

#define IIS_LAYOUT                                                               \
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip " \
    "cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken"

/* With what a search may read behind it. */
static const char LAYOUT[sizeof(IIS_LAYOUT) + SLICE_PADDING_BYTES] = IIS_LAYOUT;

struct parser_state {
    struct w3c w3c;
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

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    if (w3c_directive(&state->w3c, line, from, out)) {
        adapt(&state->w3c);
        return PARSE_OK;
    }
    if (text.len < DATE_CLOCK_BYTES || text.data[0] < '0' || text.data[0] > '9')
        return PARSE_MISMATCH;
    return w3c_parse(&state->w3c, line, from, out);
}

static bool is_upper_word(const char *from, const char *to)
{
    for (const char *p = from; p < to; p++) {
        if (*p < 'A' || *p > 'Z')
            return false;
    }
    return to - from >= 3;
}

static bool contains(struct slice text, struct slice part)
{
    const char *end = text.data + text.len;
    return scan_text(text.data, end, part) < end;
}

/* A header whose lines is_line() knows: others may be those of a proxy. */
static bool is_header(struct slice message)
{
    if (slice_starts(message, SLICE("#Software: Microsoft Internet Information")) ||
        slice_starts(message, SLICE("#Software: Microsoft HTTP API")))
        return true;
    if (!slice_starts(message, SLICE("#Fields: ")))
        return false;
    return (contains(message, SLICE(" s-sitename ")) &&
            contains(message, SLICE(" sc-win32-status"))) ||
           contains(message, SLICE(" s-queuename")) ||
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
    if (is_header(message))
        return true;
    if (message.len < DATE_CLOCK_BYTES || p[4] != '-' || p[7] != '-' || p[10] != ' ' ||
        p[13] != ':' || p[16] != ':' || p[19] != ' ')
        return false;
    p += DATE_CLOCK_BYTES;
    if (has_service(message) || has_two_peers(p, end))
        return true;
    const char *address = scan_byte(p, end, ' ');
    if (address == end || !url_host_is_address(slice_of(p, (size_t)(address - p))))
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
    w3c_layout(&state->w3c, slice_of(LAYOUT, sizeof(IIS_LAYOUT) - 1));
    adapt(&state->w3c);
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
