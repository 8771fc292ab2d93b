/*
 * Clavister NetWall (cOS Core): pairs in sections, which are brackets with a name and may nest.
 *
 *   id=600001 event=conn_open [message=Connection opened connrecvzone="lan" ][rules rule=out ]
 *       [conn [conn connsrcip=192.0.2.7 conndestip=198.51.100.9 connipproto=UDP ... ]]
 *
 * A section is read like a line of its own. `event` says what happened, `action` what the firewall
 * did. Addresses of a packet are those of its connection, where both stand there.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    COLUMN_FLAG = 0, /* a word without a value: [tcpflags ... sackpermit ] */
    SECTIONS_MAX = 64,
};

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_EVENT = PAIR_OWN, /* the first one is the action */
    TREATMENT_OWN_SENT,             /* bytes; "3.09 K" is no number of them */
    TREATMENT_OWN_RECEIVED,
};

enum {
    MARK_EVENT = 1U << 0, /* the line's event was read */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/clavister_keys.def"
#undef KEY
};

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!word_is_digit(text.data[i]))
            return false;
    }
    return text.len > 0;
}

static bool add_own(struct pairs *p, const struct pair *pair)
{
    if (pair->key->special != TREATMENT_OWN_EVENT) {
        const bool sent = pair->key->special == TREATMENT_OWN_SENT;
        const uint16_t field = sent ? FIELD_SOURCE_BYTES : FIELD_DESTINATION_BYTES;
        return pairs_add(p, pair, pair->value, pair->close,
                         all_digits(pair_value(pair)) ? field : FIELD_UNNAMED);
    }
    const bool first = (p->marks & MARK_EVENT) == 0;
    p->marks |= MARK_EVENT;
    return pairs_add(p, pair, pair->value, pair->close, first ? FIELD_EVENT_ACTION : FIELD_UNNAMED);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .own = add_own,
};

/* The next bracket outside of quotes, or the end. A quote opens behind '=' and closes before a
 * blank: texts have quotes of their own. */
static const char *next_bracket(const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end; at++) {
        if (!quoted && (*at == '[' || *at == ']'))
            return at;
        if (*at != '"')
            continue;
        if (quoted) {
            quoted = !(at + 1 == end || at[1] == ' ' || at[1] == ']');
        } else {
            quoted = at[-1] == '=';
        }
    }
    return end;
}

/* One section's words: names without a value, then pairs. */
static bool read_section(struct pairs *p, struct cursor *c)
{
    cursor_skip_blanks(c);
    while (c->end > c->at && c->end[-1] == ' ')
        c->end--;
    while (c->at < c->end && pairs_name_length(&STYLE, c->at, c->end) == 0)
        (void)cursor_word(c);
    p->end = c->end;
    return pairs_read(p, c->at) == PARSE_OK;
}

/* The words of "[2026-11-21 10:00:00] EFW: CONN: " in front of prio=; without a stamp, none. */
struct prefix {
    struct slice stamp;
    struct slice category;
};

/* Pass over a prefix; false where there is none. */
static bool take_prefix(struct cursor *c, struct prefix *prefix)
{
    struct cursor ahead = *c;
    prefix->stamp = SLICE("");
    if (cursor_take(&ahead, SLICE("["))) {
        const char *close = scan_byte(ahead.at, ahead.end, ']');
        prefix->stamp = slice_of(ahead.at, (size_t)(close - ahead.at));
        ahead.at = close + (close < ahead.end);
        cursor_skip_blanks(&ahead);
    }
    if (!cursor_take(&ahead, SLICE("EFW: ")))
        return false;
    prefix->category = cursor_word(&ahead);
    if (prefix->category.len < 2 || prefix->category.data[prefix->category.len - 1] != ':' ||
        !slice_starts(cursor_rest(&ahead), SLICE("prio=")))
        return false;
    prefix->category.len--;
    *c = ahead;
    return true;
}

static bool add_prefix(struct cursor *c, const struct prefix *prefix)
{
    return (prefix->stamp.len == 0 || cursor_add_slice(c, prefix->stamp, FIELD_TIME_STAMP)) &&
           cursor_add_slice(c, prefix->category, FIELD_EVENT_DATASET);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct pairs p = {
        .style = &STYLE, .order = pairs_order(state), .out = out, .line = line, .separator = ' '};
    struct cursor c = cursor_at(out, line, from);
    const uint32_t mark = out->count;
    const char *end = c.end;
    bool whole = true;
    size_t sections = 0;
    struct prefix prefix;
    if (take_prefix(&c, &prefix) && !add_prefix(&c, &prefix))
        return PARSE_PARTIAL;
    if (pairs_name_length(&STYLE, c.at, end) == 0)
        return PARSE_MISMATCH;
    while (c.at < end && whole && sections++ < SECTIONS_MAX) {
        const char *to = next_bracket(c.at + (c.at == line.data), end);
        c.end = to;
        whole = read_section(&p, &c);
        c.at = to + (to < end);
    }
    return pairs_ours(&p, mark, whole && c.at == end ? PARSE_OK : PARSE_PARTIAL);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    const char *end = head.data + head.len;
    const char *at = head.data + 3;
    struct prefix prefix;
    struct cursor c = cursor_at(NULL, head, 0);
    if (take_prefix(&c, &prefix))
        return true;
    if (!slice_starts(head, SLICE("id=")) && !slice_starts(head, SLICE("prio=")))
        return false;
    while (at < end && word_is_digit(*at))
        at++;
    return word_find_key(head, SLICE("event=")) &&
           (word_find(head, SLICE("message=")) || word_find(head, SLICE("[conn "))) &&
           !word_find(head, SLICE(" devname="));
}

static uint8_t verdict(struct slice event, struct slice action)
{
    static const struct verdict_word ACTIONS[] = {
        VERDICT_WORD("allow", ALLOW),           VERDICT_WORD("drop", DROP),
        VERDICT_WORD("reject", DENY),           VERDICT_WORD("deny", DENY),
        VERDICT_WORD("block", BLOCK),           VERDICT_WORD("close", RESET),
        VERDICT_WORD("allow_processing", ALLOW)};
    static const struct verdict_word EVENTS[] = {
        VERDICT_WORD("conn_open", ALLOW),       VERDICT_WORD("conn_close", ALLOW),
        VERDICT_WORD("ruleset_drop", DROP),     VERDICT_WORD("_drop", DROP),
        VERDICT_WORD("ruleset_reject", DENY),   VERDICT_WORD("user_login", ALLOW),
        VERDICT_WORD("login_failed", DENY),     VERDICT_WORD("bad_user_credentials", DENY),
        VERDICT_WORD("userauth_success", ALLOW)};
    /* action=close of a connection that came to its end is no reset */
    if (word_begins(event, SLICE("conn_close")))
        return VERDICT_ALLOW;
    uint8_t found = word_verdict(ACTIONS, sizeof(ACTIONS) / sizeof(ACTIONS[0]), action);
    return found != VERDICT_UNKNOWN
               ? found
               : word_verdict_in(EVENTS, sizeof(EVENTS) / sizeof(EVENTS[0]), event);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_clavister = {
    .name = "clavister",
    .format = FORMAT_CLAVISTER,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};
