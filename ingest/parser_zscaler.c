/*
 * Zscaler's Nanolog Streaming Service as key=value with tabs between, for the web, the firewall, DNS
 * and tunnels, and the columns that its feeds for the web, the firewall and DNS have if nobody changes
 * them; its JSON, CEF and LEEF feeds are those formats.
 *
 *   2026-11-21 10:00:00<TAB>reason=Allowed<TAB>event_id=77<TAB>protocol=HTTPS<TAB>action=Allowed<TAB>...
 *   datetime=Sat Nov 21 10:00:00 2026<TAB>user=taro@example.jp<TAB>cdport=443<TAB>csport=40000<TAB>...
 *
 *   "Sat Nov 21 10:00:00 2026","taro@example.jp","HTTPS","www.example.com/a","Allowed",...
 *
 * rsyslog writes a tab as #011. What keys mean stands in ingest/names.def.
 */
#include "event/verdict.h"
#include "ingest/csv_line.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    KEYS_LEAST = 3, /* of those that only these feeds have together */
    STAMP_BYTES = 19,
    CTIME_BYTES = 24,  /* Sat Nov 21 10:00:00 2026 */
    HEAD_COLUMNS = 13, /* that tell one feed from the other */
    COLUMNS_MAX = 200,
};

static const struct slice KEYS[] = {
    {"urlcategory=", 12},
    {"urlsupercategory=", 17},
    {"ClientIP=", 9},
    {"serverip=", 9},
    {"clientpublicIP=", 15},
    {"vendor=Zscaler", 14},
    {"product=NSS", 11},
    {"csip=", 5},
    {"cdip=", 5},
    {"csport=", 7},
    {"cdport=", 7},
    {"tsip=", 5},
    {"rulelabel=", 10},
    {"nwsvc=", 6},
    {"transactionsize=", 16},
    {"dlpengine=", 10},
    {"dns_req=", 8},
    {"vpncredentialname=", 18},
    {"clt_sip=", 8},
    {"srv_dip=", 8},
    {"reqaction=", 10},
    {"resaction=", 10},
    {"locationname=", 13},
};

/* By column; those without a row are known by their number. */
static const struct meaning WEB[] = {
    [0] = {FIELD_TIME_STAMP, MEANING_TIME},        [1] = {FIELD_USER_NAME, MEANING_MAIL},
    [2] = {FIELD_NETWORK_PROTOCOL, MEANING_MAYBE}, [3] = {FIELD_URL_ORIGINAL, MEANING_SITE},
    [4] = {FIELD_EVENT_ACTION, MEANING_MAYBE},     [5] = {FIELD_NETWORK_APPLICATION, MEANING_MAYBE},
    [7] = {FIELD_SOURCE_BYTES, MEANING_NUMBER},    [8] = {FIELD_DESTINATION_BYTES, MEANING_NUMBER},
    [13] = {FIELD_RULE_CATEGORY, MEANING_MAYBE},   [15] = {FIELD_THREAT_NAME, MEANING_MAYBE},
    [20] = {FIELD_USER_GROUP, MEANING_MAYBE},      [21] = {FIELD_SOURCE_IP, MEANING_PEER},
    [22] = {FIELD_DESTINATION_IP, MEANING_PEER},   [23] = {FIELD_HTTP_METHOD, MEANING_MAYBE},
    [24] = {FIELD_HTTP_STATUS, MEANING_NUMBER},    [25] = {FIELD_USER_AGENT, MEANING_MAYBE},
    [26] = {FIELD_HTTP_REFERRER, MEANING_MAYBE},   [28] = {FIELD_RULE_NAME, MEANING_MAYBE},
    [29] = {FIELD_HTTP_MIME, MEANING_MAYBE},       [32] = {FIELD_HOST_NAME, MEANING_MAYBE},
};

static const struct meaning FIREWALL[] = {
    [0] = {FIELD_TIME_STAMP, MEANING_TIME},
    [1] = {FIELD_USER_NAME, MEANING_MAIL},
    [2] = {FIELD_USER_GROUP, MEANING_MAYBE},
    [4] = {FIELD_DESTINATION_PORT, MEANING_NUMBER},
    [5] = {FIELD_SOURCE_PORT, MEANING_NUMBER},
    [7] = {FIELD_SOURCE_NAT_PORT, MEANING_NUMBER},
    [8] = {FIELD_SOURCE_IP, MEANING_PEER},
    [10] = {FIELD_SOURCE_NAT_IP, MEANING_PEER},
    [11] = {FIELD_DESTINATION_IP, MEANING_PEER},
    [15] = {FIELD_EVENT_ACTION, MEANING_MAYBE},
    [19] = {FIELD_NETWORK_PROTOCOL, MEANING_MAYBE},
    [20] = {FIELD_NETWORK_APPLICATION, MEANING_MAYBE},
    [21] = {FIELD_NETWORK_TRANSPORT, MEANING_MAYBE},
    [23] = {FIELD_DESTINATION_GEO_NAME, MEANING_MAYBE},
    [25] = {FIELD_RULE_NAME, MEANING_MAYBE},
    [26] = {FIELD_DESTINATION_BYTES, MEANING_NUMBER}, /* "in" is what came to the client */
    [27] = {FIELD_SOURCE_BYTES, MEANING_NUMBER},
    [28] = {FIELD_EVENT_DURATION, MEANING_NUMBER},
    [30] = {FIELD_EVENT_COUNT, MEANING_NUMBER},
    [33] = {FIELD_THREAT_NAME, MEANING_MAYBE},
    [35] = {FIELD_HOST_NAME, MEANING_MAYBE},
};

static const struct meaning DNS[] = {
    [0] = {FIELD_TIME_STAMP, MEANING_TIME},        [1] = {FIELD_USER_NAME, MEANING_MAIL},
    [2] = {FIELD_USER_GROUP, MEANING_MAYBE},       [4] = {FIELD_EVENT_ACTION, MEANING_MAYBE},
    [5] = {FIELD_EVENT_OUTCOME, MEANING_MAYBE},    [6] = {FIELD_RULE_NAME, MEANING_MAYBE},
    [8] = {FIELD_DNS_TYPE, MEANING_MAYBE},         [9] = {FIELD_DNS_QUESTION, MEANING_QUESTION},
    [10] = {FIELD_DNS_ANSWER, MEANING_MAYBE},      [11] = {FIELD_DESTINATION_PORT, MEANING_NUMBER},
    [12] = {FIELD_EVENT_DURATION, MEANING_NUMBER}, [13] = {FIELD_SOURCE_IP, MEANING_PEER},
    [14] = {FIELD_DESTINATION_IP, MEANING_PEER},   [15] = {FIELD_RULE_CATEGORY, MEANING_MAYBE},
    [18] = {FIELD_HOST_NAME, MEANING_MAYBE},
};

struct layout {
    const struct meaning *columns;
    size_t count;
};

static const struct layout LAYOUTS[] = {
    {WEB, sizeof(WEB) / sizeof(WEB[0])},
    {FIREWALL, sizeof(FIREWALL) / sizeof(FIREWALL[0])},
    {DNS, sizeof(DNS) / sizeof(DNS[0])},
};

static bool is_number(const struct csv_cell *cell)
{
    for (const char *p = cell->from; p < cell->to; p++) {
        if (!word_is_digit(*p))
            return false;
    }
    return cell->to > cell->from;
}

static struct csv_line csv_of(struct slice text)
{
    size_t stop = CTIME_BYTES + (size_t)(text.len > 0 && *text.data == '"') * 2;
    bool tab = text.len > stop && text.data[stop] == '\t';
    return (struct csv_line){
        .at = text.data, .end = text.data + text.len, .separator = (char)(tab ? '\t' : ',')};
}

/* The feed whose columns these are, by what stands in the first of them; NULL: none of them. */
static const struct layout *find_layout(struct slice text)
{
    struct csv_line csv = csv_of(text);
    struct csv_cell cells[HEAD_COLUMNS];
    for (size_t i = 0; i < HEAD_COLUMNS; i++) {
        if (!csv_next(&csv, &cells[i]))
            return NULL;
        const char *stamp = cells[0].from;
        if (cells[0].to - stamp != CTIME_BYTES || stamp[3] != ' ' || stamp[13] != ':' ||
            stamp[16] != ':' || stamp[19] != ' ')
            return NULL;
    }
    if (is_number(&cells[7]) && is_number(&cells[8]) && is_number(&cells[9]) &&
        is_number(&cells[10]))
        return &LAYOUTS[0];
    if (is_number(&cells[4]) && is_number(&cells[5]) &&
        url_host_is_address(slice_of(cells[8].from, (size_t)(cells[8].to - cells[8].from))))
        return &LAYOUTS[1];
    return is_number(&cells[11]) && is_number(&cells[12]) && !is_number(&cells[4]) ? &LAYOUTS[2]
                                                                                   : NULL;
}

static enum parse_result parse_columns(const struct layout *layout, struct slots *out,
                                       struct slice line, struct slice text)
{
    struct csv_line csv = csv_of(text);
    struct csv_cell cell;
    for (uint16_t i = 0; csv_next(&csv, &cell); i++) {
        struct meaning meaning = {.field = FIELD_COLUMN(i), .form = MEANING_TEXT};
        if (i < layout->count && layout->columns[i].field != FIELD_NONE)
            meaning = layout->columns[i];
        if (i == COLUMNS_MAX || !csv_mean(out, line, &cell, &meaning) || csv.open)
            return PARSE_PARTIAL;
    }
    return PARSE_OK;
}

static struct slice find_separator(struct slice text)
{
    struct slice tab = SLICE("\t");
    return word_find(text, tab) ? tab : SLICE("#011");
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    if (find_layout(head) != NULL)
        return true;
    if (slice_starts(head, SLICE("LEEF:")) || slice_starts(head, SLICE("CEF:")))
        return false;
    if (!word_find(head, SLICE("\t")) && !word_find(head, SLICE("#011")))
        return false;
    size_t found = 0;
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        found += word_find(head, KEYS[i]);
    return found >= KEYS_LEAST;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    const char *end = text.data + text.len;
    const struct layout *layout = find_layout(text);
    if (layout != NULL)
        return parse_columns(layout, out, line, text);
    struct slice separator = find_separator(word_head(text));
    if (!word_find(text, separator) || !word_find(text, SLICE("=")))
        return PARSE_MISMATCH;
    const char *at = text.data;
    const char *first = memmem(at, text.len, separator.data, separator.len);
    /* Without a key: the time in front. */
    if (first - at >= STAMP_BYTES && scan_byte(at, first, '=') == first) {
        if (!slots_add(out, from, (uint32_t)(first - at), FIELD_TIME_STAMP, SLOT_PLAIN))
            return PARSE_PARTIAL;
        at = first + separator.len;
    }
    struct extension e;
    e.memory = extension_names(state);
    e.out = out;
    e.line = line;
    e.vendor = VENDOR_ZSCALER;
    e.dialect = VENDOR_ZSCALER;
    e.kind = SLOT_PLAIN;
    e.count = 0;
    bool whole = extension_split(&e, at, end, separator);
    if (e.count == 0)
        return PARSE_MISMATCH;
    return extension_slots(&e) && whole ? PARSE_OK : PARSE_PARTIAL;
}

/* A question that passed and whose answer was blocked was blocked. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    uint8_t found = meaning_verdict(action);
    uint8_t answer = meaning_verdict(beside);
    return found == VERDICT_ALLOW && answer == VERDICT_BLOCK ? answer : found;
}

const struct parser parser_zscaler = {
    .name = "zscaler",
    .format = FORMAT_ZSCALER,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .state_new = extension_state_new,
    .state_free = extension_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
