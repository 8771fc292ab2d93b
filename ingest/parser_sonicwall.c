/*
 * SonicWall's key=value lines ("default" and "enhanced" syslog):
 *
 *   id=firewall sn=0017C5 time="2026-11-21 10:00:00 UTC" fw=192.0.2.1 pri=6 c=262144 m=98
 *       msg="Connection Opened" n=7 src=192.0.2.7:50000:X0:pc7 dst=198.51.100.9:443:X1
 *       proto=tcp/https sent=52 fw_action="NA"
 *
 * An end of a connection is address:port:interface:name; for IPv6 the address stands apart in
 * srcV6= or dstV6=. Where there is no fw_action, the message is what the firewall did.
 */
#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_SOURCE = PAIR_OWN,
    TREATMENT_OWN_DESTINATION,
    TREATMENT_OWN_NAT_SOURCE,
    TREATMENT_OWN_NAT_DESTINATION,
    TREATMENT_OWN_PROTOCOL, /* tcp/https */
    TREATMENT_OWN_METHOD,   /* GET, or a number */
    TREATMENT_OWN_HOST,     /* a name, or what was asked for with its path */
};

enum {
    /* Columns 0 to 3 are interface and name of translated ends. */
    COLUMN_SOURCE_NUMBER = 4,      /* in the place of an ICMP message's source port */
    COLUMN_DESTINATION_NUMBER = 5, /* and of its destination port */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/sonicwall_keys.def"
#undef KEY
};

/* The fields of an end of a connection, in the order in which they are written. */
struct end_fields {
    uint16_t ip;
    uint16_t parts[3]; /* port, interface, name; FIELD_NONE: of no interest */
};

static const struct end_fields *end_fields_of(uint8_t treatment)
{
    static const struct end_fields ENDS[] = {
        {FIELD_SOURCE_IP, {FIELD_SOURCE_PORT, FIELD_OBSERVER_INGRESS, FIELD_SOURCE_DOMAIN}},
        {FIELD_DESTINATION_IP,
         {FIELD_DESTINATION_PORT, FIELD_OBSERVER_EGRESS, FIELD_DESTINATION_DOMAIN}},
        {FIELD_SOURCE_NAT_IP, {FIELD_SOURCE_NAT_PORT, FIELD_COLUMN(0), FIELD_COLUMN(1)}},
        {FIELD_DESTINATION_NAT_IP, {FIELD_DESTINATION_NAT_PORT, FIELD_COLUMN(2), FIELD_COLUMN(3)}},
    };
    return &ENDS[treatment - TREATMENT_OWN_SOURCE];
}

/* "192.0.2.7:50000:X0:pc7", "::5353:X0" with the address elsewhere, "2001:db8::7". */
static bool add_end(struct pairs *p, const struct pair *pair)
{
    const struct end_fields *end = end_fields_of(pair->key->special);
    const char *from = pair->value;
    const char *to = pair->close;
    if (memchr(from, '.', (size_t)(to - from)) == NULL && url_host_is_address(pair_value(pair)))
        return pairs_add(p, pair, from, to, end->ip);
    const char *colon = scan_byte(from, to, ':');
    if (colon > from && !pairs_add(p, pair, from, colon, end->ip))
        return false;
    while (colon + 1 < to && colon[1] == ':')
        colon++;
    for (size_t i = 0; i < 3 && colon < to; i++) {
        from = colon + 1;
        colon = i == 2 ? to : scan_byte(from, to, ':');
        if (colon > from && !pairs_add(p, pair, from, colon, end->parts[i]))
            return false;
    }
    return true;
}

static bool add_protocol(struct pairs *p, const struct pair *pair)
{
    const char *slash = scan_byte(pair->value, pair->close, '/');
    if (!pairs_add(p, pair, pair->value, slash, FIELD_NETWORK_TRANSPORT))
        return false;
    bool icmp = word_begins(pair_value(pair), SLICE("icmp")) && slash + 1 < pair->close &&
                word_is_digit(slash[1]);
    return slash + 1 >= pair->close || pairs_add(p, pair, slash + 1, pair->close,
                                                 icmp ? FIELD_ICMP_TYPE : FIELD_NETWORK_PROTOCOL);
}

/* A name, "name/path", or nothing. */
static bool add_host(struct pairs *p, const struct pair *pair)
{
    const char *slash = scan_byte(pair->value, pair->close, '/');
    if (slash > pair->value && !pairs_add(p, pair, pair->value, slash, FIELD_URL_DOMAIN))
        return false;
    return slash == pair->close || url_slots(p->out, p->line, (uint32_t)(slash - p->line.data),
                                             (uint32_t)(pair->close - slash), pair->key->kind);
}

static bool add_own(struct pairs *p, const struct pair *pair)
{
    switch ((enum treatment)pair->key->special) {
    case TREATMENT_OWN_SOURCE:
    case TREATMENT_OWN_DESTINATION:
    case TREATMENT_OWN_NAT_SOURCE:
    case TREATMENT_OWN_NAT_DESTINATION:
        return add_end(p, pair);
    case TREATMENT_OWN_PROTOCOL:
        return add_protocol(p, pair);
    case TREATMENT_OWN_HOST:
        return add_host(p, pair);
    case TREATMENT_OWN_METHOD: {
        bool word = pair->close > pair->value && word_is_letter(*pair->value);
        return pairs_add(p, pair, pair->value, pair->close,
                         word ? FIELD_HTTP_METHOD : FIELD_UNNAMED);
    }
    case TREATMENT_NONE:
    case TREATMENT_ABSENT:
    case TREATMENT_URL:
    case TREATMENT_ACCOUNT:
        break;
    }
    return pairs_add(p, pair, pair->value, pair->close, pair->key->field);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .absent = {.data = "NA", .len = 2},
    .own = add_own,
};

/* ICMP has no ports: where a port stands of other protocols, type or number of the message stands. */
static void clear_ports(struct slots *out, struct slice line, uint32_t mark)
{
    bool icmp = false;
    for (uint32_t i = mark; i < out->count && !icmp; i++) {
        const struct slot *slot = &out->items[i];
        icmp = slot->field == FIELD_NETWORK_TRANSPORT &&
               word_begins(slice_of(line.data + slot->offset, slot->length), SLICE("icmp"));
    }
    for (uint32_t i = mark; i < out->count && icmp; i++) {
        if (out->items[i].field == FIELD_SOURCE_PORT)
            out->items[i].field = FIELD_COLUMN(COLUMN_SOURCE_NUMBER);
        if (out->items[i].field == FIELD_DESTINATION_PORT)
            out->items[i].field = FIELD_COLUMN(COLUMN_DESTINATION_NUMBER);
    }
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .separator = ' '};
    const char *at = line.data + from;
    while (at < p.end && *at == ' ')
        at++;
    if (pairs_name_length(&STYLE, at, p.end) == 0)
        return PARSE_MISMATCH;
    const uint32_t mark = out->count;
    enum parse_result result = pairs_read(&p, at);
    /* Without a verb of its own the first message is the action. */
    meaning_name_action(out, mark, FIELD_MESSAGE);
    clear_ports(out, line, mark);
    return pairs_ours(&p, mark, result);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return word_find_key(head, SLICE("sn=")) && word_find_key(head, SLICE("time=\"")) &&
           word_find_key(head, SLICE("fw=")) && word_find_key(head, SLICE("m=")) &&
           !word_find_key(head, SLICE("startime="));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("forward", ALLOW), VERDICT_WORD("mgmt", ALLOW),  VERDICT_WORD("allow", ALLOW),
        VERDICT_WORD("drop", DROP),     VERDICT_WORD("deny", DENY),   VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("reset", RESET),   VERDICT_WORD("bypass", ALLOW)};
    static const struct verdict_word MESSAGES[] = {VERDICT_WORD("prevention alert", BLOCK),
                                                   VERDICT_WORD("detection alert", ALERT),
                                                   VERDICT_WORD("dropped", DROP),
                                                   VERDICT_WORD("blocked", BLOCK),
                                                   VERDICT_WORD("rejected", DENY),
                                                   VERDICT_WORD("denied", DENY),
                                                   VERDICT_WORD("connection opened", ALLOW),
                                                   VERDICT_WORD("connection closed", ALLOW),
                                                   VERDICT_WORD("site access allowed", ALLOW),
                                                   VERDICT_WORD("login allowed", ALLOW),
                                                   VERDICT_WORD("detected", ALERT),
                                                   VERDICT_WORD("site hit", ALLOW)};
    (void)beside;
    uint8_t found = word_login_verdict(action, SLICE(""));
    if (found == VERDICT_UNKNOWN)
        found = word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
    return found != VERDICT_UNKNOWN
               ? found
               : word_verdict_in(MESSAGES, sizeof(MESSAGES) / sizeof(MESSAGES[0]), action);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_sonicwall = {
    .name = "sonicwall",
    .format = FORMAT_SONICWALL,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .key_at = key_at,
};
