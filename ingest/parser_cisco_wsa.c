/*
 * Cisco's web appliance (WSA, SWA): Squid's native columns, then what the appliance decided.
 *
 *   [Info: ]1795222800.123 82 192.0.2.7 TCP_MISS/200 3184 GET http://www.example.com/ "EXAMPLE\taro@x"
 *       DIRECT/www.example.com text/html DEFAULT_CASE_12-Policy-Identity-NONE-NONE-NONE-DefaultGroup-NONE
 *       <"IW_news",6.8,1,"-",-,...> - "agent"
 *
 * The tag is the decision and its policy groups; in angle brackets stand categories, reputation and
 * the verdicts of scanners, with commas between them.
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/words.h"

enum {
    COLUMN_TAG = 0,       /* policy groups behind the decision */
    COLUMN_EXTRA = 10,    /* words between the columns and behind the brackets */
    COLUMN_VERDICTS = 40, /* values in the brackets */
    EXTRA_MAX = 12,
    VERDICTS_MAX = 64,
    EPOCH_BYTES_MIN = 14,
    PROBE_MAX_BYTES = 512,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_epoch(const struct word *word)
{
    return word->to - word->from >= EPOCH_BYTES_MIN && is_digit(*word->from) &&
           word->from[10] == '.';
}

/* a/b under two fields. */
static bool add_halves(struct words *w, const struct word *word, uint16_t left, uint16_t right)
{
    const char *slash = scan_byte(word->from, word->to, '/');
    struct word first = {.from = word->from, .to = slash};
    struct word second = {.from = slash == word->to ? slash : slash + 1, .to = word->to};
    return words_add(w, &first, left) &&
           (second.from == second.to || words_mean(w, &second, right, MEANING_PEER));
}

/* "EXAMPLE\taro@realm", with quotes or without. */
static bool add_user(struct words *w, const struct word *word)
{
    return words_mean(w, word, FIELD_USER_NAME, MEANING_ACCOUNT);
}

static bool add_url(struct words *w, const struct word *method, const struct word *url)
{
    uint32_t first = w->out->count;
    if (!words_mean(w, url, FIELD_URL_ORIGINAL, MEANING_URL))
        return false;
    if (!word_is(method, "CONNECT"))
        return true;
    for (uint32_t i = first; i < w->out->count; i++) {
        struct slot *slot = &w->out->items[i];
        if (slot->field == FIELD_URL_PORT)
            slot->field = FIELD_DESTINATION_PORT;
    }
    return true;
}

static bool is_text(const struct word *word)
{
    for (const char *p = word->from; p < word->to; p++) {
        if (!is_digit(*p))
            return !word_is(word, "-");
    }
    return false;
}

/*
 * What a value in the brackets means, by its place: the names of what the scanners found (Webroot's,
 * McAfee's, Sophos', AMP's; the first counts), the application, and the file that AMP looked at.
 * Numbers are verdicts.
 */
static uint16_t verdict_field(uint32_t place, const struct word *word, bool *threat)
{
    const uint16_t column = FIELD_COLUMN((int)(COLUMN_VERDICTS + place));
    switch (place) {
    case 0:
        return FIELD_RULE_CATEGORY;
    case 3:
    case 12:
    case 13:
    case 16:
    case 34:
        if (*threat || !is_text(word))
            return column;
        *threat = true;
        return FIELD_THREAT_NAME;
    case 24:
        return is_text(word) && !word_is(word, "Unknown") ? FIELD_NETWORK_APPLICATION : column;
    case 37:
        return is_text(word) ? FIELD_FILE_NAME : column;
    case 38:
        return is_text(word) ? FIELD_FILE_HASH : column;
    default:
        return column;
    }
}

/* The values between angle brackets; each is a column, quoted or not. */
static enum parse_result add_verdicts(struct words *w)
{
    bool threat = false;
    w->at++;
    for (uint32_t i = 0; w->at < w->end; i++) {
        struct word word = {.from = w->at, .quoted = *w->at == '"'};
        word.from += word.quoted;
        word.to = word.quoted ? scan_byte(word.from, w->end, '"')
                              : scan_either(word.from, w->end, ',', '>');
        if (word.to == w->end || i == VERDICTS_MAX)
            return PARSE_PARTIAL;
        uint16_t field = verdict_field(i, &word, &threat);
        /* Also "-": of so many columns each with or without a slot would be a layout of its own. */
        bool named = field < FIELD_LOCAL_FIRST;
        if (!(named ? words_mean(w, &word, field, MEANING_TEXT) : words_add(w, &word, field)))
            return PARSE_PARTIAL;
        w->at = word.to + word.quoted;
        if (w->at == w->end)
            return PARSE_PARTIAL;
        if (*w->at++ == '>')
            return PARSE_OK;
    }
    return PARSE_PARTIAL;
}

/* DECISION_12-Policy-Identity-...: the decision apart. */
static bool add_tag(struct words *w, const struct word *word)
{
    const char *dash = scan_byte(word->from, word->to, '-');
    struct word decision = {.from = word->from, .to = dash};
    struct word groups = {.from = dash == word->to ? dash : dash + 1, .to = word->to};
    return words_add(w, &decision, FIELD_EVENT_OUTCOME) &&
           (groups.from == groups.to || words_add(w, &groups, FIELD_COLUMN(COLUMN_TAG)));
}

/* What stands behind the MIME type: words, the tag, the brackets, words. */
static enum parse_result add_decision(struct words *w)
{
    struct word word;
    bool tagged = false;
    for (int i = 0; i < EXTRA_MAX; i++) {
        words_skip_blanks(w);
        if (w->at >= w->end)
            return tagged ? PARSE_OK : PARSE_PARTIAL;
        if (*w->at == '<') {
            enum parse_result result = add_verdicts(w);
            if (result != PARSE_OK)
                return result;
            tagged = true;
            continue;
        }
        if (!words_next(w, &word))
            return PARSE_PARTIAL;
        bool tag = !tagged && !word.quoted && word.to < w->end && word.to + 1 < w->end &&
                   word.to[1] == '<';
        /* "curl/8.0", not "21/Nov/2026:18:00:00 +0900" */
        bool agent = tagged && word.quoted && word.from < word.to && !is_digit(*word.from) &&
                     scan_byte(word.from, word.to, '/') < word.to;
        uint16_t field = agent ? (uint16_t)FIELD_USER_AGENT : FIELD_COLUMN(COLUMN_EXTRA + i);
        if (!(tag ? add_tag(w, &word) : words_mean(w, &word, field, MEANING_TEXT)))
            return PARSE_PARTIAL;
    }
    return words_rest(w, FIELD_COLUMN(COLUMN_EXTRA + EXTRA_MAX)) ? PARSE_OK : PARSE_PARTIAL;
}

/* The first word: "Info:" in front of the time is the appliance's log level. */
static bool first_word(struct words *w, struct word *epoch)
{
    if (!words_next(w, epoch))
        return false;
    if (epoch->to > epoch->from && epoch->to[-1] == ':' && !words_next(w, epoch))
        return false;
    return is_epoch(epoch);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    struct word word;
    struct word method;
    (void)state;
    if (!first_word(&w, &word))
        return PARSE_MISMATCH;
    if (!words_mean(&w, &word, FIELD_TIME_STAMP, MEANING_TIME))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !words_add(&w, &word, FIELD_EVENT_DURATION))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !words_mean(&w, &word, FIELD_SOURCE_IP, MEANING_PEER))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !add_halves(&w, &word, FIELD_EVENT_ACTION, FIELD_HTTP_STATUS))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !words_add(&w, &word, FIELD_HTTP_RESPONSE_BYTES))
        return PARSE_PARTIAL;
    if (!words_next(&w, &method) || !words_mean(&w, &method, FIELD_HTTP_METHOD, MEANING_MAYBE))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !add_url(&w, &method, &word))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !add_user(&w, &word))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) ||
        !add_halves(&w, &word, FIELD_CACHE_HIERARCHY, FIELD_DESTINATION_IP))
        return PARSE_PARTIAL;
    if (!words_next(&w, &word) || !words_mean(&w, &word, FIELD_HTTP_MIME, MEANING_MAYBE))
        return PARSE_PARTIAL;
    return add_decision(&w);
}

/* An epoch, and brackets behind a tag. */
static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    struct words w = words_of(NULL, message, 0);
    struct word word;
    if (!first_word(&w, &word))
        return false;
    bool level = word.from > message.data && message.len > 4 &&
                 memmem(message.data, (size_t)(word.from - message.data), ": ", 2) != NULL;
    return level || scan_has(message, SLICE(" <"));
}

/* The result says denied; else the decision's name begins with what was done. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    if (slice_has(action, SLICE("DENIED")))
        return VERDICT_DENY;
    if (slice_starts(beside, SLICE("BLOCK")))
        return VERDICT_BLOCK;
    if (slice_starts(beside, SLICE("DROP")))
        return VERDICT_DROP;
    return slice_starts(action, SLICE("TCP_")) ? VERDICT_ALLOW : VERDICT_UNKNOWN;
}

/* "TCP_MISS", "UDP_HIT": by which port the request came, that of HTTP or that of ICP. */
static struct slice transport(struct slice result)
{
    if (slice_starts(result, SLICE("TCP_")))
        return SLICE("tcp");
    return slice_starts(result, SLICE("UDP_")) ? SLICE("udp") : SLICE("");
}

const struct parser parser_cisco_wsa = {
    .name = "cisco_wsa",
    .format = FORMAT_CISCO_WSA,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .transport = transport,
    .transport_of = {FIELD_EVENT_ACTION},
};
