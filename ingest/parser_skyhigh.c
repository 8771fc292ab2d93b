/*
 * Skyhigh (McAfee) Secure Web Gateway, as pairs:
 *
 *   date="2026-11-21T01:00:00.390Z" hostname="swg1" username="taro" source_ip=192.0.2.7
 *       http_request_first_line="GET http://www.example.com/ HTTP/1.1" http_status_code=403 ...
 *   user_id=-1 username=taro source_ip=192.0.2.7 http_action=GET requested_host=www.example.com
 *       requested_path=/a?b=c result=DENIED request_timestamp_epoch=1795222800 ...
 *
 *   McAfeeWG|time_stamp=[21/Nov/2026:10:00:00 +0900]|auth_user=taro|src_ip=192.0.2.7|...|method=GET|url=...|
 *
 * Values without quotes may have blanks. What keys mean stands in ingest/names.def. The access log
 * as the gateway comes with is columns; versions have one count of bytes or two, and more at the end:
 *
 *   [21/Nov/2026:10:00:00 +0900] "taro" 192.0.2.7 200 "GET http://www.example.com/ HTTP/1.1" "Business"
 *       "Minimal Risk" "text/html" 18230 512 "Mozilla/5.0" "virus" "block id" "application"
 */
#include "event/verdict.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_REPUTATION = 6,
    COLUMN_APPLICATION = 13, /* and what is behind it */
    COLUMNS_MAX = 64,
};

static const struct slice PREFIX = {"McAfeeWG|", 9};

/* [time] "user" address status "request": no other log has the user before the address. */
static bool is_columns(struct words w)
{
    struct word stamp;
    struct word user;
    struct word address;
    struct word status;
    return words_next(&w, &stamp) && stamp.bracketed && words_next(&w, &user) && user.quoted &&
           words_next(&w, &address) && url_host_is_address(word_text(&address)) &&
           words_next(&w, &status) && status.to - status.from == 3 && word_is_digit(*status.from) &&
           w.end - w.at > 2 && w.at[1] == '"';
}

/* Keys that only this gateway writes side by side. */
static bool probe(struct slice message)
{
    message = word_head(message);
    if (slice_starts(message, PREFIX) || is_columns(words_of(NULL, message, 0)))
        return true;
    if (!scan_has(message, SLICE("source_ip=")))
        return false;
    return scan_has(message, SLICE(" http_action=")) ||
           scan_has(message, SLICE(" requested_host=")) ||
           (scan_has(message, SLICE(" media_type=")) &&
            scan_has(message, SLICE(" http_status_code=")));
}

/* A quoted value with nothing in it, or "-", is none. */
static bool add_column(struct words *w, const struct word *word, uint16_t field, uint8_t form)
{
    struct slot slot = words_slot(w, word);
    struct meaning meaning = {.field = field, .form = form};
    slot.kind = SLOT_PLAIN; /* the gateway escapes nothing */
    return slot.length == 0 || word_is(word, "-") ||
           meaning_slots(w->out, w->line, &meaning, &slot);
}

static bool add_stamp(struct words *w, const struct word *word)
{
    struct slot slot = words_slot(w, word);
    return stamp_slots(w->out, w->line, &slot);
}

/* Behind the MIME type: one or two numbers, then quoted values. */
static enum parse_result add_counts(struct words *w)
{
    static const struct meaning TAIL[] = {
        {FIELD_USER_AGENT, MEANING_TEXT},
        {FIELD_THREAT_NAME, MEANING_MAYBE},
        {FIELD_EVENT_CODE, MEANING_MAYBE},
        {FIELD_NETWORK_APPLICATION, MEANING_MAYBE},
    };
    uint16_t bytes = FIELD_DESTINATION_BYTES;
    size_t tail = 0;
    struct word word;
    for (uint16_t i = 0; i < COLUMNS_MAX && words_next(w, &word); i++) {
        struct meaning means = {FIELD_COLUMN(COLUMN_APPLICATION + i), MEANING_TEXT};
        if (tail == 0 && !word.quoted && bytes != FIELD_NONE) {
            means.field = bytes;
            bytes = bytes == FIELD_DESTINATION_BYTES ? FIELD_SOURCE_BYTES : FIELD_NONE;
        } else if (tail < sizeof(TAIL) / sizeof(TAIL[0])) {
            means = TAIL[tail++];
        }
        if (!add_column(w, &word, means.field, means.form))
            return PARSE_PARTIAL;
    }
    words_skip_blanks(w);
    return w->at == w->end && tail > 0 ? PARSE_OK : PARSE_PARTIAL;
}

static enum parse_result parse_columns(struct words *w)
{
    static const struct meaning HEAD[] = {
        {FIELD_USER_NAME, MEANING_ACCOUNT},   {FIELD_SOURCE_IP, MEANING_MAYBE},
        {FIELD_HTTP_STATUS, MEANING_MAYBE},   {FIELD_URL_ORIGINAL, MEANING_REQUEST},
        {FIELD_RULE_CATEGORY, MEANING_MAYBE}, {FIELD_COLUMN(COLUMN_REPUTATION), MEANING_TEXT},
        {FIELD_HTTP_MIME, MEANING_MAYBE},
    };
    struct word word;
    while (w->end > w->at && (w->end[-1] == '\n' || w->end[-1] == '\r'))
        w->end--;
    if (!words_next(w, &word) || !add_stamp(w, &word))
        return PARSE_PARTIAL;
    for (size_t i = 0; i < sizeof(HEAD) / sizeof(HEAD[0]); i++) {
        if (!words_next(w, &word) || !add_column(w, &word, HEAD[i].field, HEAD[i].form))
            return PARSE_PARTIAL;
    }
    return add_counts(w);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct slice text = slice_from_offset(line, from);
    struct words columns = words_of(out, line, from);
    bool bars = slice_starts(text, PREFIX);
    if (is_columns(columns))
        return parse_columns(&columns);
    if (!bars && (!scan_has(text, SLICE("source_ip=")) || !scan_has(text, SLICE("username="))))
        return PARSE_MISMATCH;
    struct extension e;
    e.memory = extension_names(state);
    e.out = out;
    e.line = line;
    /* The cloud sees two addresses of a client: its own, and the one it comes from. */
    e.vendor = scan_has(text, SLICE(" client_ip=")) ? VENDOR_SKYHIGH_CLOUD : VENDOR_SKYHIGH;
    e.dialect = VENDOR_SKYHIGH;
    e.kind = SLOT_PLAIN;
    e.count = 0;
    const char *end = text.data + text.len;
    bool whole = bars ? extension_split(&e, text.data + PREFIX.len, end, SLICE("|"))
                      : extension_read(&e, text.data, end);
    return extension_slots(&e) && whole ? PARSE_OK : PARSE_PARTIAL;
}

/* The number of the block, where the gateway has no word for what it did: 0 is none. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    size_t digits = 0;
    while (digits < action.len && word_is_digit(action.data[digits]))
        digits++;
    if (digits == 0 || digits < action.len)
        return meaning_verdict(action);
    return slice_equal(action, SLICE("0")) ? VERDICT_ALLOW : VERDICT_BLOCK;
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
    .verdict_else = FIELD_EVENT_CODE,
};
