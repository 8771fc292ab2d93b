/*
 * FortiGate's and FortiProxy's key=value lines, blank separated (syslog) or comma separated (CSV):
 *
 *   date=2026-11-21 time=10:00:00 devname="fw" logid="0000000013" type="traffic" srcip=192.0.2.7
 *   date=2026-11-21,time=10:00:00,devname="fw",logid="0000000013",type="traffic",srcip=192.0.2.7
 */
#include <assert.h>
#include <strings.h>

#include "base/slice.h"
#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    PROBE_MARKS_MIN = 3,      /* of its marks, that make a line ours */
    PROBE_KEY_MAX = 9,        /* bytes of the longest of them */
    MARK_INTERFACE = 1U << 0, /* a value like GUI(192.0.2.7) was looked at */
    MARK_EVENT = 1U << 1,     /* the device itself is what the line is about: type=event */
};

enum product {
    PRODUCT_OTHER, /* none of Fortinet's */
    PRODUCT_GATE,
    PRODUCT_PROXY,
};

/* What is done with a value beside what all lists of pairs do. */
enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_OWN, /* DOMAIN\user, a distinguished name behind the account */
    TREATMENT_BRACKETS,           /* [name] */
    TREATMENT_METHOD,             /* an HTTP method, or a word of the management interface */
    TREATMENT_INTERFACE,          /* GUI(192.0.2.7): the administrator's address */
    TREATMENT_KIND,               /* type */
    TREATMENT_HOST,               /* what was asked for; of an event, a machine */
    TREATMENT_MAIL,               /* a mail address; of a call, sip: */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/fortigate_keys.def"
#undef KEY
};

static uint32_t offset_of(const struct pairs *p, const char *at)
{
    return (uint32_t)(at - p->line.data);
}

/* "EXAMPLE\taro", "taro,cn=taro,ou=...": the account, then the distinguished name as cn=. */
static bool add_account(struct pairs *p, const struct pair *pair)
{
    const uint8_t kind = pair->key->kind;
    const char *comma = scan_byte(pair->value, pair->close, ',');
    const char *tail =
        comma == pair->close ? NULL : memmem(comma, (size_t)(pair->close - comma), ",cn=", 4);
    const char *account_end = tail == NULL || tail == pair->value ? pair->close : tail;
    if (!account_slots(p->out, p->line, offset_of(p, pair->value),
                       (uint32_t)(account_end - pair->value), kind))
        return false;
    if (account_end == pair->close)
        return true;
    struct slot name = {.offset = offset_of(p, tail + 1), .length = 2};
    struct slot rest = {.offset = offset_of(p, tail + 4),
                        .length = (uint32_t)(pair->close - tail - 4),
                        .kind = kind};
    return slots_add_unnamed(p->out, &name, &rest);
}

/* GUI(192.0.2.7), or the address alone, is the administrator's where the line has no srcip. */
static bool add_interface(struct pairs *p, const struct pair *pair)
{
    assert(pair->value != NULL && pair->close >= pair->value);
    const char *open = scan_byte(pair->value, pair->close, '(');
    bool last = pair->close > pair->value && pair->close[-1] == ')';
    bool parens = open != pair->close && last;
    const char *from = parens ? open + 1 : pair->value;
    const char *to = parens ? pair->close - 1 : pair->close;
    bool address = url_host_is_address(slice_of(from, (size_t)(to - from)));
    if ((p->marks & MARK_INTERFACE) != 0 || !address || scan_has(p->line, SLICE("srcip="))) {
        p->marks |= parens ? MARK_INTERFACE : 0;
        return pairs_add(p, pair, pair->value, pair->close, FIELD_UNNAMED);
    }
    p->marks |= MARK_INTERFACE;
    if (parens && !pairs_add(p, pair, pair->value, open, FIELD_UNNAMED))
        return false;
    return pairs_add(p, pair, from, to, FIELD_SOURCE_IP);
}

static bool is_http_method(struct slice word)
{
    static const struct slice METHODS[] = {
        {.data = "GET", .len = 3},     {.data = "POST", .len = 4},  {.data = "PUT", .len = 3},
        {.data = "DELETE", .len = 6},  {.data = "HEAD", .len = 4},  {.data = "PATCH", .len = 5},
        {.data = "OPTIONS", .len = 7}, {.data = "TRACE", .len = 5}, {.data = "CONNECT", .len = 7},
    };
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        if (slice_equal(METHODS[i], word))
            return true;
    }
    return false;
}

/* DHCP leases and members of a cluster are events, and their hostname= is no part of a URL. */
static bool add_host(struct pairs *p, const struct pair *pair)
{
    const bool event = (p->marks & MARK_EVENT) != 0;
    return pairs_absent(p, pair) ||
           pairs_add(p, pair, pair->value, pair->close, event ? FIELD_HOST_NAME : FIELD_URL_DOMAIN);
}

static bool add_mail(struct pairs *p, const struct pair *pair)
{
    const struct slice value = pair_value(pair);
    const bool call = slice_starts(value, SLICE("sip:")) || slice_starts(value, SLICE("sips:")) ||
                      slice_starts(value, SLICE("tel:"));
    return pairs_add(p, pair, pair->value, pair->close, call ? FIELD_UNNAMED : pair->key->field);
}

/* Append a value in FortiGate's own way. */
static bool add_own(struct pairs *p, const struct pair *pair)
{
    assert(pair->value != NULL && pair->close >= pair->value);
    const struct slice value = pair_value(pair);
    const char *from = pair->value;
    const char *to = pair->close;
    switch ((enum treatment)pair->key->special) {
    case TREATMENT_ACCOUNT:
        return pairs_absent(p, pair) || add_account(p, pair);
    case TREATMENT_BRACKETS: {
        bool inside = value.len > 2 && from[0] == '[' && to[-1] == ']';
        return pairs_add(p, pair, from + inside, to - inside, pair->key->field);
    }
    case TREATMENT_METHOD:
        return pairs_add(p, pair, from, to,
                         is_http_method(value) ? FIELD_HTTP_METHOD : FIELD_UNNAMED);
    case TREATMENT_INTERFACE:
        return add_interface(p, pair);
    case TREATMENT_HOST:
        return add_host(p, pair);
    case TREATMENT_MAIL:
        return add_mail(p, pair);
    case TREATMENT_KIND:
        p->marks |= slice_equal(value, SLICE("event")) ? MARK_EVENT : 0;
        break;
    case TREATMENT_NONE:
    case TREATMENT_ABSENT:
    case TREATMENT_URL:
        break;
    }
    return pairs_add(p, pair, from, to, pair->key->field);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_C_ESCAPED,
    .absent = {.data = "N/A", .len = 3},
    .own = add_own,
};

/* The byte between two pairs, told by what follows the first value. */
static char separator_of(const char *p, const char *end)
{
    const char *value = p + pairs_name_length(&STYLE, p, end) + 1;
    const char *close;
    if (value < end && *value == '"') {
        close = scan_byte(value + 1, end, '"');
        close += close < end;
    } else {
        close = scan_either(value, end, ' ', ',');
    }
    return close < end && *close == ',' && pairs_name_length(&STYLE, close + 1, end) > 0 ? ','
                                                                                         : ' ';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    return p;
}

static enum parse_result parse_quoted(struct parser_state *state, struct slice line, uint32_t from,
                                      struct slots *out, bool doubled)
{
    const char *end = line.data + line.len;
    const char *at = skip_blanks(line.data + from, end);
    if (at >= end || pairs_name_length(&STYLE, at, end) == 0)
        return PARSE_MISMATCH;
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = out,
                      .line = line,
                      .end = end,
                      .separator = ' ',
                      .doubled = doubled};
    if (!doubled)
        p.separator = separator_of(at, end);
    const uint32_t mark = out->count;
    enum parse_result result = pairs_read(&p, at);
    /* FortiOS 4 wrote what it did with a session as status=, without an action=. */
    if ((p.marks & MARK_EVENT) == 0)
        meaning_name_action(out, mark, FIELD_EVENT_OUTCOME);
    return result;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    return parse_quoted(state, line, from, out, false);
}

/* FortiProxy's lines come with their quotes written twice, too: name=""fw"". */
static bool is_doubled(struct slice head)
{
    static const struct slice QUOTES = {.data = "=\"\"", .len = 3};
    const char *at = head.data;
    const char *end = head.data + head.len;
    while (end - at > (ptrdiff_t)QUOTES.len) {
        at = memmem(at, (size_t)(end - at), QUOTES.data, QUOTES.len);
        if (at == NULL)
            return false;
        at += QUOTES.len;
        if (at < end && *at != ' ' && *at != ',')
            return true;
    }
    return false;
}

static enum parse_result parse_proxy(struct parser_state *state, struct slice line, uint32_t from,
                                     struct slots *out)
{
    return parse_quoted(state, line, from, out,
                        is_doubled(word_head(slice_from_offset(line, from))));
}

/* The key before an equals sign, if it is short and stands behind a blank, a comma or nothing. */
static struct slice probe_key(struct slice head, const char *equals)
{
    const char *from = equals;
    while (from > head.data && from[-1] != ' ' && from[-1] != ',') {
        if (equals - from == PROBE_KEY_MAX)
            return SLICE("");
        from--;
    }
    return slice_of(from, (size_t)(equals - from));
}

/* Which of the keys that nearly every line has this is. Returns a bit, or 0. */
static uint32_t probe_mark(struct slice key)
{
    static const struct slice KNOWN[] = {
        {.data = "type", .len = 4},    {.data = "subtype", .len = 7},   {.data = "level", .len = 5},
        {.data = "logid", .len = 5},   {.data = "devid", .len = 5},     {.data = "vd", .len = 2},
        {.data = "devname", .len = 7}, {.data = "eventtime", .len = 9},
    };
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        if (slice_equal(key, KNOWN[i]))
            return 1U << i;
    }
    return 0;
}

/* Serial numbers of FortiProxy, its own subtype, and quotes that stand twice. */
static bool is_proxy_value(struct slice key, const char *value, const char *end)
{
    struct slice rest = slice_of(value, (size_t)(end - value));
    if (slice_starts(rest, SLICE("\"\"")) && rest.len > 2 && value[2] != ' ' && value[2] != ',')
        return true;
    if (slice_equal(key, SLICE("subtype")))
        return slice_starts(rest, SLICE("\"http-transaction\""));
    if (!slice_equal(key, SLICE("devid")))
        return false;
    while (rest.len > 0 && *rest.data == '"')
        rest = slice_from_offset(rest, 1);
    return slice_starts(rest, SLICE("FPX"));
}

/* Whose line it is, in one pass over the equals signs of what a probe may look at. */
static enum product product_of(struct slice message)
{
    struct slice head = word_head(message);
    const char *end = head.data + head.len;
    const char *p = skip_blanks(head.data, end);
    if (pairs_name_length(&STYLE, p, end) == 0)
        return PRODUCT_OTHER;
    uint32_t marks = 0;
    bool proxy = false;
    for (p = scan_byte(p, end, '='); p < end; p = scan_byte(p + 1, end, '=')) {
        struct slice key = probe_key(head, p);
        if (__builtin_popcount(marks) < PROBE_MARKS_MIN)
            marks |= probe_mark(key);
        proxy = proxy || is_proxy_value(key, p + 1, end);
    }
    if (__builtin_popcount(marks) < PROBE_MARKS_MIN)
        return PRODUCT_OTHER;
    return proxy ? PRODUCT_PROXY : PRODUCT_GATE;
}

static bool probe(struct slice message)
{
    return product_of(message) == PRODUCT_GATE;
}

static bool probe_proxy(struct slice message)
{
    return product_of(message) == PRODUCT_PROXY;
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    const char *name = pairs_key_at(&STYLE, index, field, unnamed);
    if (name != NULL && KEYS[index].treatment == TREATMENT_METHOD)
        *field = FIELD_HTTP_METHOD;
    if (name != NULL && KEYS[index].treatment == TREATMENT_INTERFACE)
        *field = FIELD_SOURCE_IP;
    return name;
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static bool begins_with(struct slice text, struct slice word)
{
    return text.len >= word.len && strncasecmp(text.data, word.data, word.len) == 0;
}

/* A login by the word of its status: success, failed, failure. */
static uint8_t login_verdict(struct slice action, struct slice status)
{
    bool login =
        begins_with(action, SLICE("login")) || begins_with(action, SLICE("authentication")) ||
        begins_with(action, SLICE("auth-logon")) || begins_with(action, SLICE("FSSO-logon"));
    if (!login)
        return VERDICT_UNKNOWN;
    if (begins_with(status, SLICE("fail")))
        return VERDICT_DENY;
    return begins_with(status, SLICE("success")) || begins_with(status, SLICE("logon"))
               ? VERDICT_ALLOW
               : VERDICT_UNKNOWN;
}

/* FortiOS log reference, action of the traffic and UTM logs. "dns" and "ip-conn" name sessions
 * that were let through and then failed by themselves. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct {
        struct slice word;
        uint8_t verdict;
    } WORDS[] = {
#define WORD(text, name) {{.data = (text), .len = sizeof(text) - 1}, VERDICT_##name}
        WORD("accept", ALLOW),        WORD("close", ALLOW),        WORD("timeout", ALLOW),
        WORD("client-rst", ALLOW),    WORD("server-rst", ALLOW),   WORD("ip-conn", ALLOW),
        WORD("dns", ALLOW),           WORD("start", ALLOW),        WORD("pass", ALLOW),
        WORD("passthrough", ALLOW),   WORD("allow", ALLOW),        WORD("allowed", ALLOW),
        WORD("permit", ALLOW),        WORD("exempt", ALLOW),       WORD("pass_session", ALLOW),
        WORD("deny", DENY),           WORD("denied", DENY),        WORD("violation-traffic", DENY),
        WORD("blocked", BLOCK),       WORD("block", BLOCK),        WORD("redirect", BLOCK),
        WORD("quarantine", BLOCK),    WORD("ban", BLOCK),          WORD("ban-ip", BLOCK),
        WORD("dropped", DROP),        WORD("drop", DROP),          WORD("drop_session", DROP),
        WORD("reset", RESET),         WORD("reset_client", RESET), WORD("reset_server", RESET),
        WORD("clear_session", RESET), WORD("detected", ALERT),     WORD("monitored", ALERT),
        WORD("monitor", ALERT),       WORD("log-only", ALERT),     WORD("analytics", ALERT),
        WORD("ssl-login-fail", DENY),
#undef WORD
    };
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_equal(WORDS[i].word, action))
            return WORDS[i].verdict;
    }
    return login_verdict(action, beside);
}

const struct parser parser_fortigate = {
    .name = "fortigate",
    .format = FORMAT_FORTIGATE,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};

const struct parser parser_fortiproxy = {
    .name = "fortiproxy",
    .format = FORMAT_FORTIPROXY,
    .kind = PARSER_PROXY,
    .probe = probe_proxy,
    .parse = parse_proxy,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};
