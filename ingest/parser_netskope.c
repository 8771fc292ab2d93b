/*
 * Netskope's transaction events: 146 columns, separated by blanks (as streamed) or commas (as stored);
 * UTC:
 *
 *   2026-11-21 01:00:00 33 485 5937 6422 192.0.2.7 198.51.100.9 "taro@example.jp" POST https a=b
 *       "Mozilla/5.0 (X11)" "text/xml" 204 - www.example.com www.example.com /a?b=c 443 "referer" ...
 *
 * The rest of its feeds is JSON, or has #Fields:.
 */
#include "event/verdict.h"
#include "ingest/csv_line.h"
#include "ingest/parsers.h"
#include "ingest/url.h"

enum {
    HEAD_CELLS = 8,
    COLUMNS_MAX = 200,
    COLUMN_PATH = 18,
    COLUMN_QUERY_REST = 250, /* what stands behind the path in its column; column 11 has it, too */
    DATE_BYTES = 10,
    CLOCK_BYTES = 8,
    PROBE_MAX_BYTES = 512,
};

/* By column; those without a row are known by their number. */
static const struct meaning COLUMNS[] = {
    [0] = {FIELD_TIME_DATE, MEANING_TEXT},
    [1] = {FIELD_TIME_CLOCK, MEANING_TEXT},
    [2] = {FIELD_EVENT_DURATION, MEANING_MAYBE},
    [3] = {FIELD_SOURCE_BYTES, MEANING_MAYBE},
    [4] = {FIELD_DESTINATION_BYTES, MEANING_MAYBE},
    [5] = {FIELD_NETWORK_BYTES, MEANING_MAYBE},
    [6] = {FIELD_SOURCE_IP, MEANING_PEER},
    [7] = {FIELD_DESTINATION_IP, MEANING_PEER},
    [8] = {FIELD_USER_NAME, MEANING_ACCOUNT},
    [9] = {FIELD_HTTP_METHOD, MEANING_MAYBE},
    [10] = {FIELD_URL_SCHEME, MEANING_MAYBE},
    [11] = {FIELD_URL_QUERY, MEANING_MAYBE},
    [12] = {FIELD_USER_AGENT, MEANING_MAYBE},
    [14] = {FIELD_HTTP_STATUS, MEANING_MAYBE},
    [15] = {FIELD_HTTP_MIME, MEANING_MAYBE},
    [17] = {FIELD_URL_DOMAIN, MEANING_PEER},
    [19] = {FIELD_URL_PORT, MEANING_MAYBE},
    [20] = {FIELD_HTTP_REFERRER, MEANING_MAYBE},
    [21] = {FIELD_NETWORK_SESSION, MEANING_TEXT},
    [23] = {FIELD_NETWORK_APPLICATION, MEANING_MAYBE},
    [24] = {FIELD_DESTINATION_GEO_NAME, MEANING_MAYBE},
    [30] = {FIELD_SOURCE_GEO_NAME, MEANING_MAYBE},
    [43] = {FIELD_SOURCE_NAT_IP, MEANING_PEER},
    [46] = {FIELD_RULE_CATEGORY, MEANING_MAYBE},
    [51] = {FIELD_EVENT_ID, MEANING_TEXT},
    [137] = {FIELD_EVENT_ACTION, MEANING_MAYBE},
    [138] = {FIELD_RULE_NAME, MEANING_MAYBE},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct meaning meaning_of(uint16_t column)
{
    if (column < sizeof(COLUMNS) / sizeof(COLUMNS[0]) && COLUMNS[column].field != FIELD_NONE)
        return COLUMNS[column];
    return (struct meaning){.field = FIELD_COLUMN(column), .form = MEANING_TEXT};
}

/* The separator, by what stands behind the date; 0 where there is none. */
static char separator_of(struct slice text)
{
    const char *p = text.data;
    if (text.len <= DATE_BYTES || !is_digit(p[0]) || p[4] != '-' || p[7] != '-' ||
        (p[DATE_BYTES] != ' ' && p[DATE_BYTES] != ','))
        return '\0';
    return p[DATE_BYTES];
}

static bool is_count(const struct csv_cell *cell)
{
    if (cell->to - cell->from == 1 && *cell->from == '-')
        return true;
    for (const char *p = cell->from; p < cell->to; p++) {
        if (!is_digit(*p))
            return false;
    }
    return cell->to > cell->from;
}

/* Date, time, four counts, an address. */
static bool looks_right(struct slice text)
{
    char separator = separator_of(text);
    struct csv_line csv = {.at = text.data, .end = text.data + text.len, .separator = separator};
    struct csv_cell cells[HEAD_CELLS];
    if (separator == '\0')
        return false;
    for (size_t i = 0; i < HEAD_CELLS; i++) {
        if (!csv_next(&csv, &cells[i]))
            return false;
    }
    if (cells[1].to - cells[1].from != CLOCK_BYTES || cells[1].from[2] != ':')
        return false;
    for (size_t i = 2; i < 6; i++) {
        if (!is_count(&cells[i]))
            return false;
    }
    return url_host_is_address(slice_of(cells[6].from, (size_t)(cells[6].to - cells[6].from)));
}

/* The path; the query stands in a column of its own, too. */
static bool add_path(struct slots *out, struct slice line, const struct csv_cell *cell)
{
    const char *mark = scan_byte(cell->from, cell->to, '?');
    struct csv_cell path = {.from = cell->from, .to = mark, .quoted = cell->quoted};
    struct csv_cell query = {.from = mark, .to = cell->to, .quoted = cell->quoted};
    struct meaning as_path = {.field = FIELD_URL_PATH, .form = MEANING_MAYBE};
    struct meaning as_rest = {.field = FIELD_COLUMN(COLUMN_QUERY_REST), .form = MEANING_TEXT};
    return csv_mean(out, line, &path, &as_path) &&
           (mark == cell->to || csv_mean(out, line, &query, &as_rest));
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    (void)state;
    if (!looks_right(text))
        return PARSE_MISMATCH;
    struct csv_line csv = {
        .at = text.data, .end = text.data + text.len, .separator = separator_of(text)};
    struct csv_cell cell;
    for (uint16_t column = 0; csv_next(&csv, &cell); column++) {
        if (column == COLUMNS_MAX)
            return PARSE_PARTIAL;
        struct meaning meaning = meaning_of(column);
        bool fits = column == COLUMN_PATH ? add_path(out, line, &cell)
                                          : csv_mean(out, line, &cell, &meaning);
        if (!fits || csv.open)
            return PARSE_PARTIAL;
    }
    return PARSE_OK;
}

static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    return looks_right(message);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    return meaning_verdict(action);
}

const struct parser parser_netskope = {
    .name = "netskope",
    .format = FORMAT_NETSKOPE,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .utc = true,
};
