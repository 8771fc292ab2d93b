/*
 * Check Point, in the four layouts that its exporters write beside CEF, LEEF and JSON:
 *
 *   CheckPoint 7 - [action:"Accept"; flags:"18692"; ...; src:"192.0.2.7"; ]        "syslog"
 *   [Fields@1.3.6.1.4.1.2620 action="Accept" src="192.0.2.7" ...]                  RFC 5424
 *   time=1795222800|hostname=gw1|product=Firewall|action=Accept|src=192.0.2.7|...  "splunk"
 *   "18" "21Nov2026" "10:00:00" "eth1" "192.0.2.1" "Log" "Drop" "https" ...        quoted list
 *
 * `service` is the destination's port. In quotes a bracket and a quote are written with a
 * backslash. Some keys have a colon of their own ("scheme::").
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    COLUMN_HEAD = 30, /* what stands in front of the pairs */
    COLUMN_TAIL = 31,
    HEAD_MAX_BYTES = 128,
    LIST_SERVICE = 7, /* position in the quoted list */
};

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_TIME = PAIR_OWN, /* an epoch or a stamp */
    TREATMENT_OWN_ICMP,            /* the type by name, where the number does not follow */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/checkpoint_keys.def"
#undef KEY
};

static bool add_own(struct pairs *p, const struct pair *pair)
{
    const struct slice value = pair_value(pair);
    uint16_t field = FIELD_UNNAMED;
    if (pair->key->special == TREATMENT_OWN_TIME)
        field = memchr(value.data, ':', value.len) == NULL ? FIELD_TIME_EPOCH : FIELD_TIME_STAMP;
    return pairs_add(p, pair, pair->value, pair->close, field);
}

#define STYLE_OF(text)                                                                  \
    .keys = KEYS, .key_count = sizeof(KEYS) / sizeof(KEYS[0]),                          \
    .assign = {.data = (text), .len = sizeof(text) - 1}, .quoted_kind = SLOT_C_ESCAPED, \
    .own = add_own

static const struct pairs_style COLON = {STYLE_OF(":"), .quoted_only = true,
                                         .blanks_in_names = true};
static const struct pairs_style EQUALS = {STYLE_OF("=")};
static const struct pairs_style INFORMATION = {STYLE_OF(": "), .blanks_in_names = true};

enum style_index {
    STYLE_COLON,
    STYLE_EQUALS,
    STYLE_INFORMATION,
    STYLE_COUNT,
};

static const struct pairs_style *const STYLES[STYLE_COUNT] = {&COLON, &EQUALS, &INFORMATION};

static enum parse_result read_style(struct cursor *c, struct parser_state *state,
                                    enum style_index style, char separator)
{
    struct pairs p = {.style = STYLES[style],
                      .order = pairs_order_at(state, style),
                      .out = c->out,
                      .line = c->line,
                      .end = c->end,
                      .separator = separator};
    return pairs_read(&p, c->at);
}

/* [...] behind a head of the header's own; with the separator and the style of what is inside. */
static enum parse_result read_brackets(struct cursor *c, struct parser_state *state,
                                       const char *open)
{
    static const struct slice FIELDS = {"Fields@", 7};
    const char *end = c->end;
    const char *head = open;
    while (head > c->at && head[-1] == ' ')
        head--;
    if (head > c->at && !cursor_add(c, c->at, head, FIELD_COLUMN(COLUMN_HEAD)))
        return PARSE_PARTIAL;
    c->at = open + 1;
    const char *close = memrchr(c->at, ']', (size_t)(end - c->at));
    const bool equals = cursor_take(c, FIELDS);
    if (equals)
        (void)cursor_word(c);
    c->end = close == NULL ? end : close;
    if (c->at > c->end)
        return PARSE_PARTIAL;
    enum parse_result result =
        equals ? read_style(c, state, STYLE_EQUALS, ' ') : read_style(c, state, STYLE_COLON, ';');
    if (close == NULL)
        return PARSE_PARTIAL;
    if (close + 1 < end && !cursor_add(c, close + 1, end, FIELD_COLUMN(COLUMN_TAIL)))
        return PARSE_PARTIAL;
    return result;
}

/* ------------------------------------------------------------------------ quoted list */

static const uint16_t LIST[] = {
    FIELD_COLUMN(0),         /* number */
    FIELD_TIME_DATE,         /* date */
    FIELD_TIME_CLOCK,        /* time */
    FIELD_OBSERVER_INGRESS,  /* interface */
    FIELD_OBSERVER_NAME,     /* origin */
    FIELD_EVENT_SUBTYPE,     /* type */
    FIELD_EVENT_ACTION,      /* action */
    FIELD_NETWORK_PROTOCOL,  /* service: a name, or the destination's port */
    FIELD_SOURCE_PORT,       /* source port */
    FIELD_SOURCE_IP,         /* source */
    FIELD_DESTINATION_IP,    /* destination */
    FIELD_NETWORK_TRANSPORT, /* protocol */
    FIELD_RULE_ID,           /* rule */
    FIELD_RULE_NAME,         /* rule name */
    FIELD_RULE_RULESET,      /* current rule number, with the policy's name */
    FIELD_USER_NAME,         /* user */
    FIELD_NONE,              /* information: pairs */
    FIELD_EVENT_DATASET,     /* product */
};

/* "inzone: External; service_id: https" between quotes. */
static bool read_information(struct cursor *c, const char *from, const char *to,
                             struct parser_state *state)
{
    struct cursor inside = *c;
    inside.at = from;
    inside.end = to;
    const uint32_t mark = c->out->count;
    if (read_style(&inside, state, STYLE_INFORMATION, ';') == PARSE_OK)
        return true;
    c->out->count = mark;
    return cursor_add(c, from, to, FIELD_MESSAGE);
}

/* Whether the quote at q closes an item: the line ends, or the next item or a tail follows. */
static bool closes_item(const char *q, const char *end)
{
    return q + 1 == end || q[1] == '#' || (q + 2 < end && q[1] == ' ' && q[2] == '"');
}

static enum parse_result read_list(struct cursor *c, struct parser_state *state)
{
    const size_t known = sizeof(LIST) / sizeof(LIST[0]);
    size_t i = 0;
    for (; i < COLUMN_HEAD && c->at < c->end && *c->at == '"'; i++) {
        const char *from = c->at + 1;
        struct scan_walk quotes = scan_walk_from(from, c->end, '"', '"');
        const char *to = scan_walk_next(&quotes);
        while (to < c->end && !closes_item(to, c->end))
            to = scan_walk_next(&quotes);
        if (to == c->end)
            return PARSE_PARTIAL;
        uint16_t field = i < known ? LIST[i] : FIELD_COLUMN(i);
        if (i == LIST_SERVICE && to > from && word_is_digit(*from) && word_is_digit(to[-1]))
            field = FIELD_DESTINATION_PORT;
        bool added = field == FIELD_NONE ? read_information(c, from, to, state)
                                         : cursor_add(c, from, to, field);
        if (!added)
            return PARSE_PARTIAL;
        c->at = to + 1;
        cursor_skip_blanks(c);
    }
    if (c->at < c->end && !cursor_add(c, c->at, c->end, FIELD_COLUMN(COLUMN_TAIL)))
        return PARSE_PARTIAL;
    return i < COLUMN_HEAD ? PARSE_OK : PARSE_PARTIAL;
}

/* ----------------------------------------------------------------------------- layouts */

/* The bracket in whose pairs the line consists, within the first bytes; or NULL. */
static const char *find_bracket(const char *from, const char *end)
{
    const char *limit = end - from > HEAD_MAX_BYTES ? from + HEAD_MAX_BYTES : end;
    for (const char *at = scan_byte(from, limit, '['); at < limit;
         at = scan_byte(at + 1, limit, '[')) {
        if (pairs_name_length(&COLON, at + 1, end) > 0 ||
            slice_starts(slice_of(at, (size_t)(end - at)), SLICE("[Fields@1.3.6.1.4.1.2620")))
            return at;
    }
    return NULL;
}

/* `"18" "21Nov2026" "10:00:00" `: a number, a day, a time of day. */
static bool is_list(struct slice text)
{
    const char *at = text.data;
    const char *end = text.data + text.len;
    const char *digits = at + 1;
    if (text.len < 24 || *at != '"')
        return false;
    for (at = digits; at < end && word_is_digit(*at);)
        at++;
    return at > digits && end - at > 24 && memcmp(at, "\" \"", 3) == 0 && at[12] == '"' &&
           at[14] == '"' && at[17] == ':' && at[20] == ':';
}

static bool is_piped(struct slice text)
{
    const char *end = text.data + text.len;
    const char *bar = scan_byte(text.data, end, '|');
    return pairs_name_length(&EQUALS, text.data, end) > 0 && bar < end &&
           pairs_name_length(&EQUALS, bar + 1, end) > 0;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    cursor_skip_blanks(&c);
    const char *open = find_bracket(c.at, c.end);
    if (open != NULL)
        return read_brackets(&c, state, open);
    if (is_list(cursor_rest(&c)))
        return read_list(&c, state);
    if (is_piped(cursor_rest(&c)))
        return read_style(&c, state, STYLE_EQUALS, '|');
    return PARSE_MISMATCH;
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    const char *end = head.data + head.len;
    const char *open = find_bracket(head.data, end);
    if (open != NULL) {
        struct slice inside = slice_of(open, (size_t)(end - open));
        return slice_starts(inside, SLICE("[Fields@")) || word_find(inside, SLICE("loguid:\"")) ||
               word_find(inside, SLICE("origin:\"")) || word_find(inside, SLICE("action:\""));
    }
    if (is_list(head))
        return true;
    return is_piped(head) &&
           (word_find(head, SLICE("|product=")) || word_find(head, SLICE("|loguid="))) &&
           word_find(head, SLICE("|action="));
}

static uint8_t verdict(struct slice action, struct slice outcome)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("accept", ALLOW),      VERDICT_WORD("allow", ALLOW),
        VERDICT_WORD("drop", DROP),         VERDICT_WORD("reject", DENY),
        VERDICT_WORD("block", BLOCK),       VERDICT_WORD("prevent", BLOCK),
        VERDICT_WORD("quarantine", BLOCK),  VERDICT_WORD("redirect", BLOCK),
        VERDICT_WORD("detect", ALERT),      VERDICT_WORD("monitor", ALERT),
        VERDICT_WORD("ask user", ALERT),    VERDICT_WORD("inform user", ALERT),
        VERDICT_WORD("encrypt", ALLOW),     VERDICT_WORD("decrypt", ALLOW),
        VERDICT_WORD("vpn routing", ALLOW), VERDICT_WORD("bypass", ALLOW),
        VERDICT_WORD("inspect", ALLOW),     VERDICT_WORD("failed log in", DENY),
        VERDICT_WORD("log in", ALLOW),      VERDICT_WORD("authorize", ALLOW),
        VERDICT_WORD("deauthorize", DENY),  VERDICT_WORD("authcrypt", ALLOW)};
    uint8_t found = word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
    return found != VERDICT_UNKNOWN ? found : word_login_verdict(action, outcome);
}

static struct parser_state *state_new(void)
{
    return pairs_states_new(STYLES, STYLE_COUNT);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&COLON, index, field, unnamed);
}

const struct parser parser_checkpoint = {
    .name = "checkpoint",
    .format = FORMAT_CHECKPOINT,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};
