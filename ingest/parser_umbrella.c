/*
 * Cisco Umbrella's CSV exports, told apart by what their columns hold; UTC:
 *
 *   DNS    "2026-11-21 01:00:00","taro","taro,pc7","192.0.2.7","203.0.113.1","Allowed","1 (A)","NOERROR",
 *          "www.example.com.","News","AD Users","AD Users,Networks",""
 *   proxy  "2026-11-21 01:00:00","taro","192.0.2.7","203.0.113.1","198.51.100.9","text/html","ALLOWED",
 *          "https://www.example.com/a","referer","agent","200","512","4096",...
 *   IP     "2026-11-21 01:00:00","taro","192.0.2.7","40000","198.51.100.9","443","Malware","Networks"
 *   audit  "","2026-11-21 01:00:00","taro@example.jp","Taro","policy","create","192.0.2.7","",""
 *   IPS    "2026-11-21 01:00:00","taro","Networks","1","2009","DNS query","7","HIGH","recon","cve","UDP",
 *          "77","192.0.2.7","40000","198.51.100.9","53","Would Block"
 *   firewall "2026-11-21 01:00:00","[1]","taro","CDFW","OUTBOUND","6","84","192.0.2.7","","198.51.100.9",
 *          "443","nyc","12","ALLOW"
 */
#include "event/verdict.h"
#include "ingest/csv_line.h"
#include "ingest/parsers.h"
#include "ingest/url.h"

enum {
    HEAD_CELLS = 10, /* looked at before the kind is known */
    COLUMNS_MAX = 96,
    PROBE_MAX_BYTES = 512,
    STAMP_BYTES = 19,
    COLUMN_DNS_TYPE = 6,
};

#define M(field_, form_)                                 \
    {                                                    \
        .field = FIELD_##field_, .form = MEANING_##form_ \
    }
#define UNKNOWN_COLUMN \
    {                  \
        .field = 0     \
    }

static const struct meaning DNS[] = {
    M(TIME_STAMP, TEXT),    M(USER_NAME, ACCOUNT),  UNKNOWN_COLUMN,
    M(SOURCE_IP, PEER),     M(SOURCE_NAT_IP, PEER), M(EVENT_ACTION, TEXT),
    M(DNS_TYPE, TEXT),      M(EVENT_OUTCOME, TEXT), M(DNS_QUESTION, QUESTION),
    M(RULE_CATEGORY, TEXT), UNKNOWN_COLUMN,         UNKNOWN_COLUMN,
    UNKNOWN_COLUMN,         M(RULE_ID, TEXT),
};

static const struct meaning PROXY[] = {
    M(TIME_STAMP, TEXT),
    M(USER_NAME, ACCOUNT),
    M(SOURCE_IP, PEER),
    M(SOURCE_NAT_IP, PEER),
    M(DESTINATION_IP, PEER),
    M(HTTP_MIME, TEXT),
    M(EVENT_ACTION, TEXT),
    M(URL_ORIGINAL, URL),
    M(HTTP_REFERRER, TEXT),
    M(USER_AGENT, TEXT),
    M(HTTP_STATUS, TEXT),
    M(SOURCE_BYTES, TEXT),
    M(DESTINATION_BYTES, TEXT),
    UNKNOWN_COLUMN, /* body of the answer, bytes */
    M(FILE_HASH, TEXT),
    M(RULE_CATEGORY, TEXT),
    UNKNOWN_COLUMN, /* detections of the scanners */
    UNKNOWN_COLUMN,
    UNKNOWN_COLUMN,
    M(THREAT_NAME, TEXT),
    UNKNOWN_COLUMN, /* score, identities and their types */
    UNKNOWN_COLUMN,
    UNKNOWN_COLUMN,
    UNKNOWN_COLUMN,
    UNKNOWN_COLUMN,
    M(HTTP_METHOD, TEXT),
    UNKNOWN_COLUMN,
    UNKNOWN_COLUMN,
    M(FILE_NAME, TEXT),
    M(RULE_RULESET, TEXT),
    M(RULE_ID, TEXT),
};

static const struct meaning ADDRESSES[] = {
    M(TIME_STAMP, TEXT),    M(USER_NAME, ACCOUNT),   M(SOURCE_IP, PEER),
    M(SOURCE_PORT, TEXT),   M(DESTINATION_IP, PEER), M(DESTINATION_PORT, TEXT),
    M(RULE_CATEGORY, TEXT),
};

static const struct meaning FIREWALL[] = {
    M(TIME_STAMP, TEXT),
    UNKNOWN_COLUMN,
    M(USER_NAME, ACCOUNT),
    UNKNOWN_COLUMN,
    M(NETWORK_DIRECTION, TEXT),
    M(NETWORK_TRANSPORT, TEXT),
    M(NETWORK_BYTES, TEXT),
    M(SOURCE_IP, PEER),
    M(SOURCE_PORT, TEXT),
    M(DESTINATION_IP, PEER),
    M(DESTINATION_PORT, TEXT),
    M(OBSERVER_NAME, TEXT),
    M(RULE_ID, TEXT),
    M(EVENT_ACTION, TEXT),
    M(DESTINATION_DOMAIN, TEXT),
};

static const struct meaning AUDIT[] = {
    M(EVENT_ID, TEXT),      M(TIME_STAMP, TEXT),   M(USER_NAME, ACCOUNT), UNKNOWN_COLUMN,
    M(EVENT_SUBTYPE, TEXT), M(EVENT_ACTION, TEXT), M(SOURCE_IP, PEER),
};

static const struct meaning INTRUSIONS[] = {
    M(TIME_STAMP, TEXT),
    M(USER_NAME, ACCOUNT),
    UNKNOWN_COLUMN,
    UNKNOWN_COLUMN, /* generator */
    M(THREAT_ID, TEXT),
    M(THREAT_NAME, TEXT),
    UNKNOWN_COLUMN,
    M(EVENT_SEVERITY, TEXT),
    M(RULE_CATEGORY, TEXT),
    UNKNOWN_COLUMN, /* CVE */
    M(NETWORK_TRANSPORT, TEXT),
    M(NETWORK_SESSION, TEXT),
    M(SOURCE_IP, PEER),
    M(SOURCE_PORT, TEXT),
    M(DESTINATION_IP, PEER),
    M(DESTINATION_PORT, TEXT),
    M(EVENT_ACTION, TEXT),
};

struct layout {
    const struct meaning *columns;
    size_t count;
};

#define LAYOUT(columns_) \
    ((struct layout){.columns = (columns_), .count = sizeof(columns_) / sizeof((columns_)[0])})

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice cell_text(const struct csv_cell *cell)
{
    return slice_of(cell->from, (size_t)(cell->to - cell->from));
}

static bool is_stamp(struct slice text)
{
    const char *p = text.data;
    bool whole =
        text.len == STAMP_BYTES || (text.len > STAMP_BYTES && text.data[text.len - 1] == 'Z');
    return whole && is_digit(p[0]) && p[4] == '-' && p[7] == '-' &&
           (p[10] == ' ' || p[10] == 'T') && p[13] == ':' && p[16] == ':';
}

static bool is_address(const struct csv_cell *cell)
{
    return url_host_is_address(cell_text(cell));
}

static bool is_number(const struct csv_cell *cell)
{
    struct slice text = cell_text(cell);
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return false;
    }
    return text.len > 0;
}

static bool is_word(const struct csv_cell *cell, const char *word)
{
    return slice_equal(cell_text(cell), slice_from(word));
}

static bool is_decision(const struct csv_cell *cell)
{
    static const char *const WORDS[] = {"Allowed", "Blocked", "Proxied", "ALLOWED",
                                        "BLOCKED", "ALLOW",   "BLOCK",   "Selective Proxy",
                                        "PROXIED", "WARN",    "ISOLATED"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (is_word(cell, WORDS[i]))
            return true;
    }
    return false;
}

static bool is_severity(const struct csv_cell *cell)
{
    return is_word(cell, "HIGH") || is_word(cell, "MEDIUM") || is_word(cell, "LOW") ||
           is_word(cell, "VERY LOW");
}

/* Which export the first cells are of; count 0: of none. */
static struct layout find_layout(const struct csv_cell *cells, size_t count)
{
    struct layout none = {0};
    if (count > 6 && is_stamp(cell_text(&cells[1])) && is_address(&cells[6]))
        return LAYOUT(AUDIT);
    if (count < 7 || !is_stamp(cell_text(&cells[0])))
        return none;
    if (count > 8 && is_decision(&cells[5]) && (is_address(&cells[3]) || is_address(&cells[4])))
        return LAYOUT(DNS);
    if (count > 7 && is_decision(&cells[6]) && (is_address(&cells[2]) || is_address(&cells[3])))
        return LAYOUT(PROXY);
    if (is_address(&cells[2]) && is_number(&cells[3]) && is_address(&cells[4]))
        return LAYOUT(ADDRESSES);
    if (count > 9 && is_number(&cells[3]) && is_number(&cells[4]) && is_severity(&cells[7]))
        return LAYOUT(INTRUSIONS);
    if (count > 9 && (is_word(&cells[4], "OUTBOUND") || is_word(&cells[4], "INBOUND")))
        return LAYOUT(FIREWALL);
    return none;
}

static size_t read_head(struct csv_cell *cells, struct slice text)
{
    const char *p = text.data;
    const char *end = text.data + text.len;
    while (p < end && *p == ' ')
        p++;
    struct csv_line csv = {.at = p, .end = end, .separator = ','};
    size_t count = 0;
    while (count < HEAD_CELLS && csv_next(&csv, &cells[count]))
        count++;
    return count;
}

/* "28 (AAAA)": the number and the name. */
static bool add_type(struct slots *out, struct slice line, const struct csv_cell *cell)
{
    const uint8_t kind = cell->quoted ? SLOT_CSV_DOUBLED : SLOT_PLAIN;
    const uint32_t from = (uint32_t)(cell->from - line.data);
    const uint32_t length = (uint32_t)(cell->to - cell->from);
    const uint32_t digits = (uint32_t)(scan_byte(cell->from, cell->to, ' ') - cell->from);
    if (length < digits + 4 || cell->from[digits + 1] != '(' || cell->to[-1] != ')')
        return slots_add(out, from, length, FIELD_DNS_TYPE, kind);
    return slots_add(out, from, digits, FIELD_COLUMN(COLUMN_DNS_TYPE), kind) &&
           slots_add(out, from + digits + 2, length - digits - 3, FIELD_DNS_TYPE, kind);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct csv_cell head[HEAD_CELLS];
    struct slice text = slice_from_offset(line, from);
    struct layout layout = find_layout(head, read_head(head, text));
    (void)state;
    if (layout.count == 0)
        return PARSE_MISMATCH;
    const char *end = line.data + line.len;
    struct csv_line csv = {.at = head[0].from - head[0].quoted, .end = end, .separator = ','};
    struct csv_cell cell;
    for (size_t column = 0; csv_next(&csv, &cell); column++) {
        struct meaning meaning = {.field = FIELD_COLUMN(column), .form = MEANING_TEXT};
        if (column == COLUMNS_MAX)
            return PARSE_PARTIAL;
        if (column < layout.count && layout.columns[column].field != 0)
            meaning = layout.columns[column];
        bool added = meaning.field == FIELD_DNS_TYPE ? add_type(out, line, &cell)
                                                     : csv_mean(out, line, &cell, &meaning);
        if (!added || csv.open)
            return PARSE_PARTIAL;
    }
    return PARSE_OK;
}

static bool probe(struct slice message)
{
    struct csv_cell head[HEAD_CELLS];
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    return find_layout(head, read_head(head, message)).count != 0;
}

/* "Would Block" is what a system that only detects would have done. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    if (slice_equal(action, SLICE("Would Block")) || slice_equal(action, SLICE("WOULD_BLOCK")))
        return VERDICT_ALERT;
    return meaning_verdict(action);
}

const struct parser parser_umbrella = {
    .name = "umbrella",
    .format = FORMAT_UMBRELLA,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .utc = true,
};
