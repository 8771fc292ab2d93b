/*
 * FortiGate's key=value lines, blank separated (syslog) or comma separated (CSV):
 *
 *   date=2026-11-21 time=10:00:00 devname="fw" logid="0000000013" type="traffic" srcip=192.0.2.7
 *   date=2026-11-21,time=10:00:00,devname="fw",logid="0000000013",type="traffic",srcip=192.0.2.7
 *
 * A value is bare up to the separator, or quoted. Devices escape quotes inside with a backslash,
 * but not reliably, and leave other backslashes alone ("EXAMPLE\user", "C:\"): the quote that
 * closes a value is the one behind which the line ends or the next key= begins.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/slice.h"
#include "event/verdict.h"
#include "ingest/key_order.h"
#include "ingest/parsers.h"
#include "ingest/url.h"

enum {
    NAME_MAX_BYTES = 64, /* of a key; what is longer is no key */
    PROBE_MAX_BYTES = 512,
    PROBE_MARKS_MIN = 3, /* of its marks, that make a line ours */
};

/* What is done with a value instead of marking it as it stands. */
enum treatment {
    TREATMENT_NONE,
    TREATMENT_ABSENT,    /* N/A means that there is none */
    TREATMENT_URL,       /* split into its parts */
    TREATMENT_ACCOUNT,   /* DOMAIN\user, a distinguished name behind the account */
    TREATMENT_BRACKETS,  /* [name] */
    TREATMENT_METHOD,    /* an HTTP method, or a word of the management interface */
    TREATMENT_INTERFACE, /* GUI(192.0.2.7): the administrator's address */
};

struct key_meaning {
    struct slice name;
    uint16_t field;
    uint8_t treatment;
};

static const struct key_meaning MEANINGS[] = {
#define KEY(text, field_name, treat) \
    {{.data = (text), .len = sizeof(text) - 1}, FIELD_##field_name, TREATMENT_##treat},
#include "ingest/fortigate_keys.def"
#undef KEY
};

struct parser_state {
    struct key_order order;
};

struct scan {
    struct key_order *order; /* NULL: nothing is remembered */
    struct slots *out;
    const char *line;
    const char *end;
    char separator;
    bool interface_seen; /* a value like GUI(192.0.2.7) was looked at */
    struct key scratch;  /* a key that is not remembered */
};

/* One pair: the key, its value and where the value closes. */
struct pair {
    const struct key *key;
    const char *name;
    const char *value;
    const char *close;
};

static bool is_name_byte(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
}

/* The length of the name before '=' at p, or 0 when there is no key. */
static size_t name_length(const char *p, const char *end)
{
    size_t length = 0;
    size_t limit = p < end ? (size_t)(end - p) : 0;
    if (limit > NAME_MAX_BYTES)
        limit = NAME_MAX_BYTES;
    while (length < limit && is_name_byte(p[length]))
        length++;
    return p + length < end && p[length] == '=' ? length : 0;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    return p;
}

static const struct key_meaning *meaning_find(struct slice name)
{
    size_t low = 0;
    size_t high = sizeof(MEANINGS) / sizeof(MEANINGS[0]);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(MEANINGS[middle].name, name);
        if (order == 0)
            return &MEANINGS[middle];
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Fill `out` with the key at p: `name` bytes, '=', and a quote or not. */
static void key_read(struct key *out, const char *p, size_t name, bool quoted)
{
    const struct key_meaning *meaning = meaning_find(slice_of(p, name));
    *out = (struct key){.length = (uint8_t)(name + 1 + quoted), .quoted = quoted};
    if (out->length <= KEY_TEXT_MAX)
        memcpy(out->text, p, out->length);
    out->field = meaning == NULL ? (uint16_t)FIELD_UNNAMED : meaning->field;
    out->special = meaning == NULL ? (uint8_t)TREATMENT_NONE : meaning->treatment;
    out->unnamed = out->field == FIELD_UNNAMED;
}

/* The key at p by its text, remembered as a follower of `previous`; NULL when there is no key. */
static const struct key *key_lookup(struct scan *s, const struct key *previous, const char *p)
{
    size_t name = name_length(p, s->end);
    if (name == 0)
        return NULL;
    bool quoted = p + name + 1 < s->end && p[name + 1] == '"';
    size_t length = name + 1 + quoted;
    if (s->order == NULL || length > KEY_TEXT_MAX) {
        key_read(&s->scratch, p, name, quoted);
        return &s->scratch;
    }
    bool emptied = false;
    struct key *key = key_order_find(s->order, p, length);
    if (key == NULL) {
        struct key fresh;
        key_read(&fresh, p, name, quoted);
        key = key_order_add(s->order, &fresh, &emptied);
    }
    if (!emptied && previous != &s->scratch)
        key_order_link(s->order, &s->order->keys[previous - s->order->keys], key);
    return key;
}

/* Whether a value may end before q: the line ends there, or a separator and the next key follow. */
static bool value_ends(const struct scan *s, const char *q)
{
    if (q >= s->end)
        return true;
    if (*q != s->separator)
        return false;
    q = skip_blanks(q + 1, s->end);
    return q == s->end || name_length(q, s->end) > 0;
}

/*
 * The quote that closes the value, or NULL. An escaped quote counts only where nothing better
 * comes ("C:\" at the end of a value); a quote that opens another value stops the search.
 */
static const char *close_quote(const struct scan *s, const char *value)
{
    const char *fallback = NULL;
    const char *q = scan_either(value, s->end, '"', '\\');
    while (q < s->end) {
        bool escaped = *q == '\\';
        q += escaped;
        if (q < s->end && *q == '"' && value_ends(s, q + 1)) {
            if (!escaped)
                return q;
            fallback = fallback == NULL ? q : fallback;
        } else if (!escaped && q > value && q[-1] == '=') {
            return fallback;
        }
        q = scan_either(q + 1, s->end, '"', '\\');
    }
    return fallback;
}

/* Where a bare value with separators in it ends, searched from `from`. */
static const char *close_bare(const struct scan *s, const char *from)
{
    const char *q = scan_byte(from, s->end, s->separator);
    while (q < s->end && !value_ends(s, q))
        q = scan_byte(q + 1, s->end, s->separator);
    return q;
}

/* Where the value of `key` closes, or NULL for a quote that is never closed. */
static inline const char *close_value(const struct scan *s, const struct key *key,
                                      const char *value)
{
    if (!key->quoted)
        return scan_byte(value, s->end, s->separator);
    const char *q = scan_either(value, s->end, '"', '\\');
    if (q < s->end && *q == '"' && (q + 1 == s->end || q[1] == s->separator))
        return q;
    return close_quote(s, value);
}

static uint32_t offset_of(const struct scan *s, const char *p)
{
    return (uint32_t)(p - s->line);
}

static uint8_t kind_of(const struct key *key)
{
    return key->quoted ? SLOT_C_ESCAPED : SLOT_PLAIN;
}

/* Append [from, to) under `field`; as the value of its own key where that is FIELD_UNNAMED. */
static bool add_value(struct scan *s, const struct pair *pair, const char *from, const char *to,
                      uint16_t field)
{
    struct slot value = {.offset = offset_of(s, from),
                         .length = (uint32_t)(to - from),
                         .field = field,
                         .kind = kind_of(pair->key)};
    if (field != FIELD_UNNAMED)
        return slots_add(s->out, value.offset, value.length, field, value.kind);
    struct slot name = {.offset = offset_of(s, pair->name),
                        .length = pair->key->length - 1U - pair->key->quoted};
    return slots_add_unnamed(s->out, &name, &value);
}

/* "EXAMPLE\taro", "taro,cn=taro,ou=...": the account, then the distinguished name as cn=. */
static bool add_account(struct scan *s, const struct pair *pair)
{
    struct slice value = slice_of(pair->value, (size_t)(pair->close - pair->value));
    const char *tail = value.len > 4 ? memmem(value.data, value.len, ",cn=", 4) : NULL;
    const char *account_end = tail == NULL || tail == pair->value ? pair->close : tail;
    if (!account_slots(s->out, slice_of(s->line, (size_t)(s->end - s->line)),
                       offset_of(s, pair->value), (uint32_t)(account_end - pair->value),
                       kind_of(pair->key)))
        return false;
    if (account_end == pair->close)
        return true;
    struct slot name = {.offset = offset_of(s, tail + 1), .length = 2};
    struct slot rest = {.offset = offset_of(s, tail + 4),
                        .length = (uint32_t)(pair->close - tail - 4),
                        .kind = kind_of(pair->key)};
    return slots_add_unnamed(s->out, &name, &rest);
}

/* GUI(192.0.2.7), or the address alone, is the administrator's where the line has no srcip. */
static bool add_interface(struct scan *s, const struct pair *pair)
{
    assert(s->line != NULL && pair->value != NULL && pair->close >= pair->value);
    const char *open = scan_byte(pair->value, pair->close, '(');
    bool last = pair->close > pair->value && pair->close[-1] == ')';
    bool parens = open != pair->close && last;
    const char *from = parens ? open + 1 : pair->value;
    const char *to = parens ? pair->close - 1 : pair->close;
    bool address = url_host_is_address(slice_of(from, (size_t)(to - from)));
    if (s->interface_seen || !address ||
        memmem(s->line, (size_t)(s->end - s->line), "srcip=", 6) != NULL) {
        s->interface_seen |= parens;
        return add_value(s, pair, pair->value, pair->close, FIELD_UNNAMED);
    }
    s->interface_seen = true;
    if (parens && !add_value(s, pair, pair->value, open, FIELD_UNNAMED))
        return false;
    return add_value(s, pair, from, to, FIELD_SOURCE_IP);
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

/* Append a value that its key does not mark as it stands. */
static bool add_special(struct scan *s, const struct pair *pair)
{
    assert(pair->value != NULL && pair->close >= pair->value);
    const struct key *key = pair->key;
    struct slice value = slice_of(pair->value, (size_t)(pair->close - pair->value));
    bool absent = slice_equal(value, SLICE("N/A"));
    switch ((enum treatment)key->special) {
    case TREATMENT_URL:
        return absent || url_slots(s->out, slice_of(s->line, (size_t)(s->end - s->line)),
                                   offset_of(s, pair->value), (uint32_t)value.len, kind_of(key));
    case TREATMENT_ACCOUNT:
        return absent || add_account(s, pair);
    case TREATMENT_BRACKETS:
        if (value.len > 2 && pair->value[0] == '[' && pair->close[-1] == ']')
            return add_value(s, pair, pair->value + 1, pair->close - 1, key->field);
        return add_value(s, pair, pair->value, pair->close, key->field);
    case TREATMENT_METHOD:
        return add_value(s, pair, pair->value, pair->close,
                         is_http_method(value) ? FIELD_HTTP_METHOD : FIELD_UNNAMED);
    case TREATMENT_INTERFACE:
        return add_interface(s, pair);
    case TREATMENT_ABSENT:
    case TREATMENT_NONE:
        break;
    }
    return absent || add_value(s, pair, pair->value, pair->close, key->field);
}

/* Append one pair; false when the slots are full. */
static inline bool add_pair(struct scan *s, const struct pair *pair)
{
    const struct key *key = pair->key;
    struct slots *out = s->out;
    if (key->special != TREATMENT_NONE)
        return add_special(s, pair);
    if (out->count + 2 > SLOTS_MAX)
        return false;
    /* Written always and overwritten by the value of a named key: no branch to mispredict. */
    struct slot *at = &out->items[out->count];
    *at = (struct slot){.offset = offset_of(s, pair->name),
                        .length = key->length - 1U - key->quoted,
                        .field = FIELD_UNNAMED,
                        .kind = SLOT_KEY};
    at += key->unnamed;
    *at = (struct slot){.offset = offset_of(s, pair->value),
                        .length = (uint32_t)(pair->close - pair->value),
                        .field = key->field,
                        .kind = kind_of(key)};
    out->count += 1U + key->unnamed;
    return true;
}

/*
 * The text at p is no key: then the value before it was closed too early. Close it anew, with its
 * slots from `mark` on; numbers and addresses have no blanks and stay. Returns where the next key
 * begins, or NULL when the line is unreadable from p on.
 */
static const char *reopen(struct scan *s, struct pair *pair, uint32_t mark, const char *p)
{
    const struct field_info *field = field_info(pair->key->field);
    const char *close = NULL;
    if (pair->key->quoted) {
        close = close_quote(s, pair->value);
    } else if (field == NULL || field->type == FIELD_TYPE_TEXT) {
        close = close_bare(s, p);
    }
    if (close == NULL || close < p)
        return NULL;
    pair->close = close;
    s->out->count = mark;
    return add_pair(s, pair) ? close + pair->key->quoted + 1 : NULL;
}

static enum parse_result scan_pairs(struct scan *s, const char *p)
{
    const struct key *previous = s->order == NULL ? &s->scratch : &s->order->keys[0];
    struct pair pair = {.key = previous};
    uint32_t mark = s->out->count;
    while (p < s->end) {
        const struct key *key = key_order_guess(s->order, previous, p, s->end);
        if (key == NULL) {
            p = skip_blanks(p, s->end);
            if (p == s->end)
                break;
            key = key_lookup(s, previous, p);
        }
        if (key == NULL) {
            p = pair.value == NULL ? NULL : reopen(s, &pair, mark, p);
            if (p == NULL)
                return PARSE_PARTIAL;
            continue;
        }
        pair = (struct pair){.key = key, .name = p, .value = p + key->length};
        pair.close = close_value(s, key, pair.value);
        bool cut = pair.close == NULL;
        if (cut)
            pair.close = s->end;
        mark = s->out->count;
        if (!add_pair(s, &pair) || cut)
            return PARSE_PARTIAL;
        p = pair.close + key->quoted + 1;
        previous = key;
    }
    return PARSE_OK;
}

/* The byte between two pairs, told by what follows the first value. */
static char separator_of(const char *p, const char *end)
{
    const char *value = p + name_length(p, end) + 1;
    const char *close;
    if (value < end && *value == '"') {
        close = scan_byte(value + 1, end, '"');
        close += close < end;
    } else {
        close = scan_either(value, end, ' ', ',');
    }
    return close < end && *close == ',' && name_length(close + 1, end) > 0 ? ',' : ' ';
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    const char *end = line.data + line.len;
    const char *p = skip_blanks(line.data + from, end);
    if (p >= end || name_length(p, end) == 0)
        return PARSE_MISMATCH;
    struct scan scan = {.order = state == NULL ? NULL : &state->order,
                        .out = out,
                        .line = line.data,
                        .end = end,
                        .separator = separator_of(p, end)};
    return scan_pairs(&scan, p);
}

/* Which of the keys that nearly every line has begins behind `from`. Returns a bit, or 0. */
static uint32_t probe_mark(struct slice message, size_t equals)
{
    static const struct slice KNOWN[] = {
        {.data = "type", .len = 4},    {.data = "subtype", .len = 7},   {.data = "level", .len = 5},
        {.data = "logid", .len = 5},   {.data = "devid", .len = 5},     {.data = "vd", .len = 2},
        {.data = "devname", .len = 7}, {.data = "eventtime", .len = 9},
    };
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        struct slice mark = KNOWN[i];
        if (equals < mark.len || memcmp(message.data + equals - mark.len, mark.data, mark.len) != 0)
            continue;
        size_t start = equals - mark.len;
        if (start == 0 || message.data[start - 1] == ' ' || message.data[start - 1] == ',')
            return 1U << i;
    }
    return 0;
}

static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    const char *p = skip_blanks(message.data, end);
    if (name_length(p, end) == 0)
        return false;
    uint32_t marks = 0;
    for (size_t i = 0; i < message.len; i++) {
        if (message.data[i] == '=')
            marks |= probe_mark(message, i);
    }
    return __builtin_popcount(marks) >= PROBE_MARKS_MIN;
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    if (index >= sizeof(MEANINGS) / sizeof(MEANINGS[0]))
        return NULL;
    const struct key_meaning *m = &MEANINGS[index];
    *unnamed = m->field == FIELD_UNNAMED;
    *field = *unnamed ? (uint16_t)FIELD_NONE : m->field;
    if (m->treatment == TREATMENT_METHOD)
        *field = FIELD_HTTP_METHOD;
    if (m->treatment == TREATMENT_INTERFACE)
        *field = FIELD_SOURCE_IP;
    return m->name.data;
}

static struct parser_state *state_new(void)
{
    for (size_t i = 1; i < sizeof(MEANINGS) / sizeof(MEANINGS[0]); i++)
        assert(slice_compare(MEANINGS[i - 1].name, MEANINGS[i].name) < 0);
    return calloc(1, sizeof(struct parser_state));
}

static void state_free(struct parser_state *state)
{
    free(state);
}

static bool begins_with(struct slice text, struct slice word)
{
    return text.len >= word.len && strncasecmp(text.data, word.data, word.len) == 0;
}

/* A login by the word of its status: success, failed, failure. */
static uint8_t login_verdict(struct slice action, struct slice status)
{
    bool login =
        begins_with(action, SLICE("login")) || begins_with(action, SLICE("authentication"));
    if (!login)
        return VERDICT_UNKNOWN;
    if (begins_with(status, SLICE("fail")))
        return VERDICT_DENY;
    return begins_with(status, SLICE("success")) ? VERDICT_ALLOW : VERDICT_UNKNOWN;
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
    .state_free = state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};
