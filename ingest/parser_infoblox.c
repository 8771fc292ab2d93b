/*
 * Infoblox NIOS: queries as BIND writes them, the leases of its DHCP server (ISC's, too), audit:
 *
 *   DHCPACK on 192.0.2.77 to 02:00:00:00:00:07 (pc7) via eth2 relay 192.0.2.1 lease-duration 3600
 *   DHCPREQUEST for 192.0.2.77 from 02:00:00:00:00:07 via 192.0.2.1 TransID 80b994d6 (RENEW)
 *   r-l-e:192.0.2.77,Issued,pc7,02:00:00:00:00:07,1795222800,1795226400,,$
 *   Reply NA: address 2001:db8::77 to client with duid 00:01:... iaid = 1 valid for 43200 seconds
 *   Added new forward map from pc7.example.jp to 192.0.2.77
 *   2026-11-21 01:00:00.123Z [admin]: Login_Allowed - - to=AdminConnector ip=192.0.2.9 auth=LOCAL ...
 *   Option 82: received a REQUEST DHCP packet from relay-agent eth2 ... for 192.0.2.77 (02:...) lease ...
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_VIA = 0,    /* interface or relay that a message came by */
    COLUMN_SERVER = 1, /* that a client asks by name */
    COLUMN_LEASE = 10, /* columns of r-l-e */
    AUDIT_STAMP_BYTES = 24,
    LEASE_COLUMNS_MAX = 12,
    WORDS_MAX = 48, /* of a message; the rest is text */
    MAC_BYTES = 17,
};

static bool is_mac(const struct word *word)
{
    return word->to - word->from == MAC_BYTES && word->from[2] == ':' && word->from[5] == ':';
}

static bool is_address(const struct word *word)
{
    return url_host_is_address(word_text(word));
}

/* What the word in front of a value says of it (of one in parentheses, the value before it); unnamed values keep that word as their key. */
static bool add_value(struct words *w, const struct word *before, struct word *value)
{
    while (value->to > value->from && (value->to[-1] == ':' || value->to[-1] == ','))
        value->to--;
    if (value->to - value->from > 2 && *value->from == '(' && value->to[-1] == ')') {
        value->from++;
        value->to--;
        if (is_mac(value))
            return words_add(w, value, FIELD_SOURCE_MAC);
        if (is_address(value))
            return words_add(w, value, FIELD_COLUMN(COLUMN_SERVER));
        return words_add(w, value, is_mac(before) ? FIELD_HOST_NAME : FIELD_EVENT_OUTCOME);
    }
    if (is_mac(value))
        return words_add(w, value, FIELD_SOURCE_MAC);
    if (word_is(before, "via")) {
        return words_add(w, value,
                         is_address(value) ? (uint16_t)FIELD_DESTINATION_IP
                                           : FIELD_COLUMN(COLUMN_VIA));
    }
    if (is_address(value) &&
        (word_is(before, "on") || word_is(before, "for") || word_is(before, "of") ||
         word_is(before, "from") || word_is(before, "to")))
        return words_add(w, value, FIELD_SOURCE_IP);
    struct slot key = words_slot(w, before);
    struct slot slot = words_slot(w, value);
    return slots_add_unnamed(w->out, &key, &slot);
}

/* Words that a value follows. */
static bool announces(const struct word *word)
{
    static const char *const WORDS[] = {"on",
                                        "for",
                                        "of",
                                        "from",
                                        "to",
                                        "via",
                                        "uid",
                                        "relay",
                                        "TransID",
                                        "lease-duration",
                                        "offered-duration",
                                        "relay-agent"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (word_is(word, WORDS[i]))
            return true;
    }
    return false;
}

/* Pairs of a word and a value, then text. */
static enum parse_result add_words(struct words *w)
{
    struct word word;
    struct word last = {0}; /* value */
    for (int i = 0; i < WORDS_MAX; i++) {
        struct words start = *w;
        struct word value;
        if (!words_next(w, &word))
            break;
        bool parenthesis = !word.quoted && !word.bracketed && *word.from == '(';
        if (parenthesis && word.to[-1] == ')') {
            if (word.to - word.from > 2 && !add_value(w, &last, &word))
                return PARSE_PARTIAL;
            continue;
        }
        if (!announces(&word) || !words_next(w, &value)) {
            *w = start;
            break;
        }
        if (!add_value(w, &word, &value))
            return PARSE_PARTIAL;
        last = value;
    }
    return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
}

/* r-l-e:address,state,name,mac,begin,end,,$ */
static enum parse_result add_lease(struct words *w)
{
    static const uint16_t FIELDS[] = {FIELD_SOURCE_IP, FIELD_EVENT_ACTION, FIELD_HOST_NAME,
                                      FIELD_SOURCE_MAC};
    w->at += sizeof("r-l-e:") - 1;
    for (uint16_t i = 0; i < LEASE_COLUMNS_MAX && w->at <= w->end; i++) {
        const char *stop = scan_byte(w->at, w->end, ',');
        struct word word = {.from = w->at, .to = stop};
        uint16_t field =
            i < sizeof(FIELDS) / sizeof(FIELDS[0]) ? FIELDS[i] : FIELD_COLUMN(COLUMN_LEASE + i);
        if (!words_add(w, &word, field))
            return PARSE_PARTIAL;
        if (stop == w->end)
            return PARSE_OK;
        w->at = stop + 1;
    }
    return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
}

/* "Option 82: received a REQUEST DHCP packet ... for 192.0.2.77 (mac) ..." */
static enum parse_result add_option(struct words *w)
{
    static const struct slice START = {"Option 82: received a ", 22};
    w->at += START.len;
    const char *verb_end = memmem(w->at, (size_t)(w->end - w->at), " packet", 7);
    const char *target = memmem(w->at, (size_t)(w->end - w->at), "\" for ", 6);
    if (verb_end == NULL || target == NULL || target < verb_end)
        return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
    struct word verb = {.from = w->at, .to = verb_end};
    struct word relay = {.from = verb_end + 7, .to = target + 1};
    w->at = target + 2;
    return words_add(w, &verb, FIELD_EVENT_ACTION) && words_add(w, &relay, FIELD_MESSAGE)
               ? add_words(w)
               : PARSE_PARTIAL;
}

/* Values of the messages that are sentences. */
#define PHRASES(PHRASE)                                   \
    PHRASE(" message from ", SOURCE_IP, NONE, ADDRESS, 0) \
    PHRASE(": address ", SOURCE_IP, NONE, ADDRESS, 0)     \
    PHRASE("IP address ", SOURCE_IP, NONE, ADDRESS, 0)    \
    PHRASE(" port ", SOURCE_PORT, NONE, NUMBER, 0)        \
    PHRASE("forward map from ", HOST_NAME, NONE, WORD, 0) \
    PHRASE(" to ", SOURCE_IP, NONE, ADDRESS, 0)           \
    PHRASE(" present for ", SOURCE_IP, NONE, ADDRESS, 0)  \
    PHRASE("lease ", SOURCE_IP, NONE, ADDRESS, 0)

PHRASE_TABLE(SENTENCE_VALUES, PHRASES);

static const struct slice SENTENCES[] = {
    {"Solicit message from ", 21},
    {"Request message from ", 21},
    {"Renew message from ", 19},
    {"Rebind message from ", 20},
    {"Release message from ", 21},
    {"Confirm message from ", 21},
    {"Decline message from ", 21},
    {"Advertise NA: ", 14},
    {"Reply NA: ", 10},
    {"Advertise PD: ", 14},
    {"Reply PD: ", 10},
    {"Abandoning IP address ", 22},
    {"Added new forward map ", 22},
    {"Added reverse map ", 18},
    {"Removed forward map ", 20},
    {"Unable to add forward map ", 26},
    {"Unable to add reverse map ", 26},
    {"Unable to remove forward map ", 29},
    {"Unable to remove reverse map ", 29},
    {"Released lease for IP address ", 30},
};

/* The same, of what the server found: nothing was done. */
static const struct slice STATES[] = {
    {"Dynamic and static leases present for ", 38},
    {"uid lease ", 10},
};

/* Verbs that words and their values follow. */
static const struct slice VERBS[] = {
    {"DHCPDISCOVER ", 13}, {"DHCPOFFER ", 10},      {"DHCPREQUEST ", 12}, {"DHCPACK ", 8},
    {"DHCPNAK ", 8},       {"DHCPNACK ", 9},        {"DHCPRELEASE ", 12}, {"DHCPINFORM ", 11},
    {"DHCPDECLINE ", 12},  {"DHCPEXPIRE ", 11},     {"RELEASE on ", 11},  {"BOOTREQUEST ", 12},
    {"BOOTREPLY ", 10},    {"DHCPLEASEQUERY ", 15},
};

static struct slice rest_of(const struct words *w)
{
    return slice_of(w->at, (size_t)(w->end - w->at));
}

static bool begins(const struct words *w, struct slice text)
{
    return slice_starts(rest_of(w), text);
}

static bool begins_one(const struct words *w, const struct slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (begins(w, texts[i]))
            return true;
    }
    return false;
}

static bool begins_verb(const struct words *w)
{
    return begins_one(w, VERBS, sizeof(VERBS) / sizeof(VERBS[0]));
}

static bool begins_state(const struct words *w)
{
    return begins_one(w, STATES, sizeof(STATES) / sizeof(STATES[0]));
}

static bool begins_sentence(const struct words *w)
{
    return begins_one(w, SENTENCES, sizeof(SENTENCES) / sizeof(SENTENCES[0])) || begins_state(w);
}

/* "Reply NA: address ...": the first word is what was done. */
static enum parse_result add_sentence(struct words *w)
{
    struct word verb;
    if (!begins_state(w) && (!words_next(w, &verb) || !words_add(w, &verb, FIELD_EVENT_ACTION)))
        return PARSE_PARTIAL;
    struct cursor c = cursor_at(w->out, w->line, (uint32_t)(w->at - w->line.data));
    return phrase_tell(&c, &SENTENCE_VALUES, w->at, w->end) ? PARSE_OK : PARSE_PARTIAL;
}

/* "2026-11-21 01:00:00.123Z [": when and who of the audit log. */
static bool begins_audit(const struct words *w)
{
    struct slice text = rest_of(w);
    return text.len > AUDIT_STAMP_BYTES + 2 && word_is_digit(text.data[0]) && text.data[4] == '-' &&
           text.data[13] == ':' && text.data[19] == '.' &&
           text.data[AUDIT_STAMP_BYTES - 1] == 'Z' && text.data[AUDIT_STAMP_BYTES] == ' ' &&
           text.data[AUDIT_STAMP_BYTES + 1] == '[';
}

#define AUDIT_PAIRS(PHRASE)                        \
    PHRASE(" ip=", SOURCE_IP, NONE, ADDRESS, 0)    \
    PHRASE(" group=", USER_GROUP, NONE, WORD, 0)   \
    PHRASE(" error=", EVENT_REASON, NONE, REST, 0) \
    PHRASE(" trigger_event=", EVENT_REASON, NONE, WORD, 0)

PHRASE_TABLE(AUDIT_VALUES, AUDIT_PAIRS);

/* stamp [user]: Verb object pairs */
static enum parse_result add_audit(struct words *w)
{
    struct word stamp = {.from = w->at, .to = w->at + AUDIT_STAMP_BYTES};
    struct word word;
    w->at = stamp.to;
    while (w->end > w->at && (w->end[-1] == '\n' || w->end[-1] == '\r'))
        w->end--;
    if (!words_add(w, &stamp, FIELD_TIME_STAMP) || !words_next(w, &word) ||
        (word.to > word.from && !words_mean(w, &word, FIELD_USER_NAME, MEANING_ACCOUNT)))
        return PARSE_PARTIAL;
    w->at += w->at < w->end && *w->at == ':';
    if (!words_next(w, &word) || !words_add(w, &word, FIELD_EVENT_ACTION))
        return PARSE_PARTIAL;
    struct cursor c = cursor_at(w->out, w->line, (uint32_t)(w->at - w->line.data));
    return phrase_tell(&c, &AUDIT_VALUES, w->at, w->end) ? PARSE_OK : PARSE_PARTIAL;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    struct word verb;
    words_skip_blanks(&w);
    if (begins(&w, SLICE("r-l-e:")))
        return add_lease(&w);
    if (begins(&w, SLICE("Option 82: received a ")))
        return add_option(&w);
    if (begins_audit(&w))
        return add_audit(&w);
    if (begins_sentence(&w))
        return add_sentence(&w);
    if (!begins(&w, SLICE("DHCP")) && !begins_verb(&w))
        return parser_bind.parse(state, line, from, out);
    if (!words_next(&w, &verb) || !words_add(&w, &verb, FIELD_EVENT_ACTION))
        return PARSE_PARTIAL;
    return add_words(&w);
}

static bool probe(struct slice message)
{
    struct words w = words_of(NULL, message, 0);
    words_skip_blanks(&w);
    return begins(&w, SLICE("r-l-e:")) || begins(&w, SLICE("Option 82: received a ")) ||
           begins_verb(&w) || begins_sentence(&w) || begins_audit(&w);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("login_allowed", ALLOW), VERDICT_WORD("first_login", ALLOW),
        VERDICT_WORD("login_denied", DENY), VERDICT_WORD("dhcpnak", DENY),
        VERDICT_WORD("dhcpnack", DENY)};
    uint8_t own = word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
    return own == VERDICT_UNKNOWN ? parser_bind.verdict(action, beside) : own;
}

/* DHCP is UDP; of questions, BIND's flags say it. */
static struct slice transport(struct slice value)
{
    bool lease = slice_starts(value, SLICE("DHCP")) || slice_starts(value, SLICE("BOOTRE"));
    return lease ? SLICE("udp") : parser_bind.transport(value);
}

const struct parser parser_infoblox = {
    .name = "infoblox",
    .format = FORMAT_INFOBLOX,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
    .transport = transport,
    .transport_of = {FIELD_EVENT_ACTION, FIELD_DNS_FLAGS},
};
