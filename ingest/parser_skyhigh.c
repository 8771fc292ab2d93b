/*
 * Skyhigh (McAfee) Secure Web Gateway, as pairs:
 *
 *   date="2026-11-21T01:00:00.390Z" hostname="swg1" username="taro" source_ip=192.0.2.7
 *       http_request_first_line="GET http://www.example.com/ HTTP/1.1" http_status_code=403 ...
 *   user_id=-1 username=taro source_ip=192.0.2.7 http_action=GET requested_host=www.example.com
 *       requested_path=/a?b=c result=DENIED request_timestamp_epoch=1795222800 ...
 *
 * Values without quotes may have blanks. What keys mean stands in ingest/names.def.
 */
#include "event/verdict.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"

enum {
    PROBE_MAX_BYTES = 512,
};

static bool contains(struct slice text, struct slice part)
{
    return text.len >= part.len && memmem(text.data, text.len, part.data, part.len) != NULL;
}

/* Keys that only this gateway writes side by side. */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    if (!contains(message, SLICE("source_ip=")))
        return false;
    return contains(message, SLICE(" http_action=")) ||
           contains(message, SLICE(" requested_host=")) ||
           (contains(message, SLICE(" media_type=")) &&
            contains(message, SLICE(" http_status_code=")));
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    if (!contains(text, SLICE("source_ip=")) || !contains(text, SLICE("username=")))
        return PARSE_MISMATCH;
    struct extension e;
    e.memory = extension_names(state);
    e.out = out;
    e.line = line;
    /* The cloud sees two addresses of a client: its own, and the one it comes from. */
    e.vendor = contains(text, SLICE(" client_ip=")) ? VENDOR_SKYHIGH_CLOUD : VENDOR_SKYHIGH;
    e.dialect = VENDOR_SKYHIGH;
    e.kind = SLOT_PLAIN;
    e.count = 0;
    bool whole = extension_read(&e, text.data, text.data + text.len);
    return extension_slots(&e) && whole ? PARSE_OK : PARSE_PARTIAL;
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    return meaning_verdict(action);
}

const struct parser parser_skyhigh = {
    .name = "skyhigh",
    .format = FORMAT_SKYHIGH,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .state_new = extension_state_new,
    .state_free = extension_state_free,
    .verdict = verdict,
};
