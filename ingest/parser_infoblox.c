/*
 * Infoblox NIOS: queries as BIND writes them, and the leases of its DHCP server (ISC's, too):
 *
 *   DHCPACK on 192.0.2.77 to 02:00:00:00:00:07 (pc7) via eth2 relay 192.0.2.1 lease-duration 3600
 *   DHCPREQUEST for 192.0.2.77 from 02:00:00:00:00:07 via 192.0.2.1 TransID 80b994d6 (RENEW)
 *   r-l-e:192.0.2.77,Issued,pc7,02:00:00:00:00:07,1795222800,1795226400,,$
 *   Option 82: received a REQUEST DHCP packet from relay-agent eth2 ... for 192.0.2.77 (02:...) lease ...
 */
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/words.h"

enum {
    COLUMN_VIA = 0,    /* interface or relay that a message came by */
    COLUMN_LEASE = 10, /* columns of r-l-e */
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
        (word_is(before, "on") || word_is(before, "for") || word_is(before, "of")))
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

static bool begins(const struct words *w, struct slice text)
{
    return slice_starts(slice_of(w->at, (size_t)(w->end - w->at)), text);
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
    if (!begins(&w, SLICE("DHCP")))
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
           begins(&w, SLICE("DHCPDISCOVER ")) || begins(&w, SLICE("DHCPOFFER ")) ||
           begins(&w, SLICE("DHCPREQUEST ")) || begins(&w, SLICE("DHCPACK ")) ||
           begins(&w, SLICE("DHCPNAK ")) || begins(&w, SLICE("DHCPNACK ")) ||
           begins(&w, SLICE("DHCPRELEASE ")) || begins(&w, SLICE("DHCPINFORM ")) ||
           begins(&w, SLICE("DHCPDECLINE ")) || begins(&w, SLICE("DHCPEXPIRE "));
}

/* DHCP is UDP; of questions, BIND's flags say it. */
static struct slice transport(struct slice value)
{
    return slice_starts(value, SLICE("DHCP")) ? SLICE("udp") : parser_bind.transport(value);
}

const struct parser parser_infoblox = {
    .name = "infoblox",
    .format = FORMAT_INFOBLOX,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .transport = transport,
    .transport_of = {FIELD_EVENT_ACTION, FIELD_DNS_FLAGS},
};
