/*
 * JSON objects, whoever writes them: cloud firewalls and proxies, WAFs, and what has ECS names.
 *
 *   {"timestamp":1795222800123,"action":"BLOCK","httpRequest":{"clientIp":"192.0.2.7",...}}
 *
 * What its keys mean stands in ingest/names.def. Text in front of the object is kept by column.
 */
#include "event/verdict.h"
#include "ingest/json_slots.h"
#include "ingest/meaning.h"
#include "ingest/parsers.h"

enum {
    PROBE_MAX_BYTES = 512,
    BEFORE_MAX_BYTES = 128, /* of text in front of the first object */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does an object with a key, or an empty one, begin at p? Lists may stand around it. */
static bool is_object(const char *p, const char *end)
{
    while (p < end && (is_blank(*p) || *p == '['))
        p++;
    if (p == end || *p != '{')
        return false;
    for (p++; p < end && is_blank(*p);)
        p++;
    return p < end && (*p == '"' || *p == '}');
}

/* Where the first object begins: at once, or behind a word and a blank; NULL when nowhere. */
static const char *find_object(const char *from, const char *end)
{
    if (is_object(from, end))
        return from;
    const char *limit = end - from > BEFORE_MAX_BYTES ? from + BEFORE_MAX_BYTES : end;
    for (const char *p = scan_byte(from, limit, '{'); p < limit; p = scan_byte(p + 1, limit, '{')) {
        if (p > from && (is_blank(p[-1]) || p[-1] == ':') && is_object(p, end))
            return p;
    }
    return NULL;
}

static enum parse_result parse_as(struct parser_state *state, struct slice line, uint32_t from,
                                  enum vendor vendor, struct slots *out)
{
    const char *end = line.data + line.len;
    const char *before = line.data + from;
    while (before < end && is_blank(*before))
        before++;
    const char *object = find_object(before, end);
    if (object == NULL)
        return PARSE_MISMATCH;
    const char *before_end = object;
    while (before_end > before && is_blank(before_end[-1]))
        before_end--;
    if (before_end > before &&
        !slots_add(out, (uint32_t)(before - line.data), (uint32_t)(before_end - before),
                   FIELD_COLUMN(JSON_COLUMN_BEFORE), SLOT_PLAIN))
        return PARSE_PARTIAL;
    return json_slots(state, line, (uint32_t)(object - line.data), vendor, out);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    return parse_as(state, line, from, VENDOR_ANY, out);
}

/* Menlo's keys mean what Menlo says, whether others of the line give it away or not. */
static enum parse_result parse_menlo(struct parser_state *state, struct slice line, uint32_t from,
                                     struct slots *out)
{
    return parse_as(state, line, from, VENDOR_MENLO, out);
}

static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    return find_object(message.data, end) != NULL;
}

/* Keys that only Menlo's export has. */
static bool probe_menlo(struct slice message)
{
    static const struct slice NAMES[] = {
        {"\"menlo_id\"", 10}, {"\"browser_and_version\"", 21}, {"\"isolation_session\"", 19}};
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    if (find_object(message.data, message.data + message.len) == NULL)
        return false;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (scan_has(message, NAMES[i]))
            return true;
    }
    return false;
}

/*
 * A request that passed and whose answer was blocked was blocked.
 * Azure's flows say A (allowed), D (denied), B, C, E (of an allowed flow begun, going on, ended).
 */
static uint8_t verdict(struct slice action, struct slice beside)
{
    if (action.len == 1)
        return *action.data == 'D' ? VERDICT_DENY : VERDICT_ALLOW;
    uint8_t found = meaning_verdict(action);
    uint8_t outcome = meaning_verdict(beside);
    bool answer_blocked = found == VERDICT_ALLOW && outcome == VERDICT_BLOCK;
    return found != VERDICT_UNKNOWN && !answer_blocked ? found : outcome;
}

const struct parser parser_json = {
    .name = "json",
    .format = FORMAT_JSON,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = json_state_new,
    .state_free = json_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};

/* Menlo Security's log export; a row of its own in ingest/parsers.def. */
const struct parser parser_menlo = {
    .name = "menlo",
    .format = FORMAT_MENLO,
    .kind = PARSER_PROXY,
    .probe = probe_menlo,
    .parse = parse_menlo,
    .state_new = json_state_new,
    .state_free = json_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .utc = true,
};
