/*
 * Suricata's EVE: one JSON object an event.
 *
 *   {"timestamp":"2026-11-21T10:00:00.123456+0900","flow_id":77,"event_type":"alert",
 *    "src_ip":"192.0.2.7","dest_ip":"198.51.100.9","proto":"TCP","alert":{"action":"blocked",...}}
 *
 * What its keys mean stands in ingest/names.def.
 */
#include "event/verdict.h"
#include "ingest/json_slots.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"

enum {
    PROBE_MAX_BYTES = 512,
};

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    return json_slots(state, line, from, VENDOR_EVE, out);
}

/* An object with an event_type or a flow_id, and what no other sender has beside it. */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    size_t at = 0;
    while (at < message.len && message.data[at] == ' ')
        at++;
    if (at == message.len || message.data[at] != '{')
        return false;
    bool typed = scan_has(message, SLICE("\"event_type\""));
    if (scan_has(message, SLICE("\"flow_id\"")))
        return typed || scan_has(message, SLICE("\"in_iface\"")) ||
               scan_has(message, SLICE("\"pcap_cnt\""));
    return typed && scan_has(message, SLICE("\"timestamp\"")) &&
           (scan_has(message, SLICE("\"src_ip\"")) || scan_has(message, SLICE("\"stats\"")));
}

/* alert.action: allowed or blocked; "allowed" is an alert that let the traffic pass. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    if (slice_equal(action, SLICE("blocked")))
        return VERDICT_BLOCK;
    if (slice_equal(action, SLICE("drop")) || slice_equal(action, SLICE("dropped")))
        return VERDICT_DROP;
    return slice_equal(action, SLICE("allowed")) ? VERDICT_ALERT : VERDICT_UNKNOWN;
}

const struct parser parser_eve = {
    .name = "eve",
    .format = FORMAT_EVE,
    .probe = probe,
    .parse = parse,
    .state_new = json_state_new,
    .state_free = json_state_free,
    .verdict = verdict,
};
