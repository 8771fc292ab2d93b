/*
 * Zscaler's Nanolog Streaming Service as key=value with tabs between, for the web, the firewall, DNS
 * and tunnels; its JSON, CEF and LEEF feeds are those formats.
 *
 *   2026-11-21 10:00:00<TAB>reason=Allowed<TAB>event_id=77<TAB>protocol=HTTPS<TAB>action=Allowed<TAB>...
 *   datetime=Sat Nov 21 10:00:00 2026<TAB>user=taro@example.jp<TAB>cdport=443<TAB>csport=40000<TAB>...
 *
 * rsyslog writes a tab as #011. What keys mean stands in ingest/names.def.
 */
#include "event/verdict.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/word.h"

enum {
    KEYS_LEAST = 3, /* of those that only these feeds have together */
    STAMP_BYTES = 19,
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
};

static struct slice find_separator(struct slice text)
{
    struct slice tab = SLICE("\t");
    return word_find(text, tab) ? tab : SLICE("#011");
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
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
