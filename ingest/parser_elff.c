/*
 * W3C's extended log file format: Blue Coat ProxySG and Cloud SWG, and whatever has #Fields:.
 *
 *   #Fields: date time time-taken c-ip cs-username ... cs(User-Agent) s-ip sc-bytes cs-bytes
 *   2026-11-21 01:00:00 82 192.0.2.7 taro ... "Mozilla/5.0 (X11)" 192.0.2.1 3184 512
 *   2026-11-21T01:00:00 proxy1 bluecoat - c-ip=192.0.2.7 cs-method=GET c-url="http://..."   as pairs
 *
 * Before the first #Fields: of a source the layout is that of ProxySG's main log. Times are UTC.
 */
#include <stdlib.h>

#include "event/verdict.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/w3c.h"

enum {
    COLUMN_BEFORE = TEMPLATE_FIELDS_MAX + 2, /* text in front of the first pair */
    PROBE_MAX_BYTES = 512,
    DATE_CLOCK_BYTES = 20, /* "2026-11-21 01:00:00 " */
};

#define MAIN_LAYOUT                                                                          \
    "date time time-taken c-ip cs-username cs-auth-group x-exception-id sc-filter-result "   \
    "cs-categories cs(Referer) sc-status s-action cs-method rs(Content-Type) cs-uri-scheme " \
    "cs-host cs-uri-port cs-uri-path cs-uri-query cs-uri-extension cs(User-Agent) s-ip "     \
    "sc-bytes cs-bytes x-virus-id"

/* With what a search may read behind it. */
static const char LAYOUT[sizeof(MAIN_LAYOUT) + SLICE_PADDING_BYTES] = MAIN_LAYOUT;

struct parser_state {
    struct w3c w3c;
    bool preset; /* no #Fields: came yet */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "2026-11-21 01:00:00" or with a tab between. */
static bool begins_with_time(struct slice text)
{
    if (text.len < DATE_CLOCK_BYTES)
        return false;
    const char *p = text.data;
    return is_digit(p[0]) && p[4] == '-' && p[7] == '-' && (p[10] == ' ' || p[10] == '\t') &&
           p[13] == ':' && p[16] == ':' && (p[19] == ' ' || p[19] == '\t');
}

/* Are the columns pairs, each with its name? */
static bool has_pairs(struct slice text)
{
    if (text.len > PROBE_MAX_BYTES)
        text.len = PROBE_MAX_BYTES;
    return scan_has(text, SLICE("c-ip=")) && scan_has(text, SLICE(" cs-"));
}

/* Where the next name= begins, behind a blank; or end. */
static const char *find_pair(const char *p, const char *end, const char **equals)
{
    while (p < end) {
        const char *stop = scan_either(p, end, ' ', '=');
        if (stop < end && *stop == '=' && stop > p) {
            *equals = stop;
            return p;
        }
        p = stop == end ? end : stop + 1;
    }
    return end;
}

static bool read_pairs(struct extension *e, const char *p, const char *end)
{
    const char *equals = NULL;
    for (p = find_pair(p, end, &equals); p < end; p = find_pair(p, end, &equals)) {
        const char *value = equals + 1;
        bool quoted = value < end && *value == '"';
        const char *stop = quoted ? scan_byte(value + 1, end, '"') : scan_byte(value, end, ' ');
        stop += quoted && stop < end;
        if (!extension_add(e, slice_of(p, (size_t)(equals - p)), value, stop))
            return false;
        p = stop;
        while (p < end && *p == ' ')
            p++;
    }
    return true;
}

static enum parse_result parse_pairs(struct parser_state *state, struct slice line, uint32_t from,
                                     struct slots *out)
{
    const char *end = line.data + line.len;
    const char *equals = NULL;
    const char *first = find_pair(line.data + from, end, &equals);
    struct extension e;
    e.memory = &state->w3c.names;
    e.out = out;
    e.line = line;
    e.vendor = VENDOR_W3C;
    e.dialect = VENDOR_W3C;
    e.kind = SLOT_PLAIN;
    e.count = 0;
    uint32_t before = (uint32_t)(first - line.data) - from;
    if (before > 0 && !slots_add(out, from, before, FIELD_COLUMN(COLUMN_BEFORE), SLOT_PLAIN))
        return PARSE_PARTIAL;
    bool whole = read_pairs(&e, first, end);
    return extension_slots(&e) && whole ? PARSE_OK : PARSE_PARTIAL;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    if (w3c_directive(&state->w3c, line, from, out)) {
        if (slice_starts(text, SLICE("#Fields:")))
            state->preset = false;
        return PARSE_OK;
    }
    if (has_pairs(text))
        return parse_pairs(state, line, from, out);
    if (state->preset && !begins_with_time(text))
        return PARSE_MISMATCH;
    return w3c_parse(&state->w3c, line, from, out);
}

/* A directive, pairs, or date and time with a method, or a number behind them (time-taken). */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    static const struct slice DIRECTIVES[] = {
        {"#Fields:", 8}, {"#Software:", 10},   {"#Version:", 9},  {"#Date:", 6},
        {"#Remark:", 8}, {"#Start-Date:", 12}, {"#End-Date:", 10}};
    for (size_t i = 0; i < sizeof(DIRECTIVES) / sizeof(DIRECTIVES[0]); i++) {
        if (slice_starts(message, DIRECTIVES[i]))
            return true;
    }
    if (has_pairs(message))
        return true;
    if (!begins_with_time(message))
        return false;
    if (scan_has(message, SLICE(" GET ")) || scan_has(message, SLICE(" POST ")) ||
        scan_has(message, SLICE(" CONNECT ")) || scan_has(message, SLICE("\tGET\t")))
        return true;
    const char *end = message.data + message.len;
    const char *p = message.data + DATE_CLOCK_BYTES;
    while (p < end && is_digit(*p))
        p++;
    return p > message.data + DATE_CLOCK_BYTES && p < end && (*p == ' ' || *p == '\t');
}

static struct parser_state *state_new(void)
{
    struct parser_state *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return NULL;
    w3c_layout(&state->w3c, slice_of(LAYOUT, sizeof(MAIN_LAYOUT) - 1));
    state->preset = true;
    return state;
}

static void state_free(struct parser_state *state)
{
    free(state);
}

/* s-action is what the cache did; whether the client got it, the filter's result says. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    /* ISA Server and TMG: a connection's begin and its end. */
    if (slice_equal(action, SLICE("Establish")) || slice_equal(action, SLICE("Terminate")))
        return VERDICT_ALLOW;
    uint8_t filter = meaning_verdict(beside);
    if (filter == VERDICT_DENY || filter == VERDICT_BLOCK)
        return VERDICT_DENY;
    if (slice_has(action, SLICE("DENIED")))
        return VERDICT_DENY;
    uint8_t found = meaning_verdict(action);
    return found != VERDICT_UNKNOWN ? found : filter;
}

const struct parser parser_elff = {
    .name = "elff",
    .format = FORMAT_ELFF,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .utc = true,
    .reads_headers = true,
};
