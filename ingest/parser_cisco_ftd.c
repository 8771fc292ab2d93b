/*
 * Cisco Firepower Threat Defense, events 430001 (intrusion), 430002 and 430003 (a connection's
 * begin and end), 430004 (file) and 430005 (malware):
 *
 *   %FTD-1-430003: EventPriority: Low, DeviceUUID: 0f-..., SrcIP: 192.0.2.7, SrcPort: 50000, ...
 *       AccessControlRuleAction: Allow, InitiatorBytes: 88, ResponderBytes: 152, URL: http://...
 *
 * Its other messages are those of the ASA. The manager and older sensors tag theirs SFIMS:
 *
 *   SFIMS: Protocol: TCP, SrcIP: 192.0.2.7, OriginalClientIP: ::, DstIP: 198.51.100.9, ...
 *   SFIMS: [Primary Detection Engine (11111111-...)][Town] Connection Type: End, User: taro, ...,
 *       {TCP} 192.0.2.7:50000 -> 198.51.100.9:443
 *   SFIMS: [1:58727:2] "Example attempt" [Impact: Unknown] From "fw1" at Sat Nov 21 01:00:00 2026 UTC
 *       [Classification: Misc Attack] [Priority: 1] {tcp} 198.51.100.66:40000 -> 192.0.2.80:80
 */
#include "event/verdict.h"
#include "ingest/arrow.h"
#include "ingest/meaning.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    TAG_MAX_BYTES = 256, /* the tag begins within so many bytes */
    CODE_DIGITS = 6,
    COLUMN_BEFORE = 1, /* what stands in front of SFIMS: */
    COLUMN_ENGINE = 2, /* [engine][policy] */
    COLUMN_GROUP = 3,  /* number of a signature's group, and of its revision */
    COLUMN_REVISION = 4,
};

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_MAYBE = PAIR_OWN, /* "Unknown", "N/A", "(null)", "::" are none */
    TREATMENT_OWN_URL,              /* the same */
    TREATMENT_OWN_ACCOUNT,
};

#define PHRASES(PHRASE)                                         \
    PHRASE("[Classification: ", RULE_CATEGORY, NONE, WORD, ']') \
    PHRASE("[Priority: ", EVENT_SEVERITY, NONE, WORD, ']')      \
    PHRASE("From \"", OBSERVER_NAME, NONE, WORD, '"')

PHRASE_TABLE(TABLE, PHRASES);

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/cisco_ftd_keys.def"
#undef KEY
};

static bool says_nothing(struct slice value)
{
    return meaning_is_none(value) || slice_equal(value, SLICE("Unknown")) ||
           slice_equal(value, SLICE("::"));
}

static bool add_own(struct pairs *p, const struct pair *pair)
{
    const struct slice value = pair_value(pair);
    const uint32_t offset = (uint32_t)(pair->value - p->line.data);
    if (says_nothing(value))
        return pairs_add(p, pair, pair->value, pair->close, FIELD_UNNAMED);
    if (pair->key->special == TREATMENT_OWN_URL)
        return url_slots(p->out, p->line, offset, (uint32_t)value.len, pair->key->kind);
    if (pair->key->special == TREATMENT_OWN_ACCOUNT)
        return account_slots(p->out, p->line, offset, (uint32_t)value.len, pair->key->kind);
    return pairs_add(p, pair, pair->value, pair->close, pair->key->field);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = ": ", .len = 2},
    .blanks_in_names = true,
    .quoted_kind = SLOT_PLAIN,
    .own = add_own,
};

/* Where "43000n" of a tag %NAME-n-43000n stands, or NULL. */
static const char *find_code(struct slice message)
{
    const size_t limit = message.len < TAG_MAX_BYTES ? message.len : TAG_MAX_BYTES;
    const char *end = message.data + limit;
    const char *at = message.data;
    while (end - at > CODE_DIGITS) {
        at = memmem(at, (size_t)(end - at), "-43000", CODE_DIGITS);
        if (at == NULL)
            return NULL;
        bool digit = at + CODE_DIGITS < end && at[CODE_DIGITS] >= '1' && at[CODE_DIGITS] <= '5';
        if (digit && at > message.data && word_is_digit(at[-1]))
            return at + 1;
        at++;
    }
    return NULL;
}

/* What an SFIMS message is. */
enum event_form {
    EVENT_NONE,
    EVENT_PAIRS,      /* "Protocol: TCP, SrcIP: ..." */
    EVENT_CONNECTION, /* "[engine][policy] Connection Type: End, ..., {TCP} a -> b" */
    EVENT_SIGNATURE,  /* "[1:58727:2] ... {tcp} a -> b" */
};

/* "1:58727:2]" */
static bool is_signature(struct slice text)
{
    size_t colons = 0;
    size_t at = 0;
    while (at < text.len && (word_is_digit(text.data[at]) || text.data[at] == ':'))
        colons += text.data[at++] == ':';
    return colons == 2 && at > 4 && at < text.len && text.data[at] == ']';
}

static enum event_form find_form(struct slice message)
{
    struct slice head = word_head(message);
    bool bracket = slice_starts(head, SLICE("["));
    if (slice_starts(head, SLICE("Protocol: ")) && word_find(head, SLICE(", SrcIP: ")))
        return EVENT_PAIRS;
    if ((bracket || slice_starts(head, SLICE("Connection Type: "))) &&
        word_find(head, SLICE("Connection Type: ")) &&
        word_find(head, SLICE(", Access Control Rule ")))
        return EVENT_CONNECTION;
    return bracket && is_signature(slice_from_offset(head, 1)) ? EVENT_SIGNATURE : EVENT_NONE;
}

/* Behind "SFIMS: ", which a header may have taken already. */
static const char *skip_mark(struct slice message)
{
    struct slice head = word_head(message);
    size_t limit = head.len < TAG_MAX_BYTES ? head.len : TAG_MAX_BYTES;
    const char *mark = memmem(head.data, limit, "SFIMS: ", 7);
    return mark == NULL ? message.data : mark + 7;
}

/* "1:58727:2] "name" " up to what is known by its words. */
static bool add_signature(struct cursor *c)
{
    const char *first = scan_byte(c->at, c->end, ':');
    const char *second = scan_byte(first + 1, c->end, ':');
    const char *close = scan_byte(second + 1, c->end, ']');
    if (!cursor_add(c, c->at, first, FIELD_COLUMN(COLUMN_GROUP)) ||
        !cursor_add(c, first + 1, second, FIELD_THREAT_ID) ||
        !cursor_add(c, second + 1, close, FIELD_COLUMN(COLUMN_REVISION)))
        return false;
    c->at = close < c->end ? close + 1 : close;
    cursor_skip_blanks(c);
    bool quoted = cursor_take(c, SLICE("\""));
    const char *stop = quoted ? scan_byte(c->at, c->end, '"') : cursor_find(c, SLICE(" ["));
    if (stop == NULL || stop == c->at)
        return true;
    const char *name = c->at;
    c->at = stop < c->end ? stop + quoted : stop;
    return cursor_add(c, name, stop, FIELD_THREAT_NAME);
}

/* "From "fw1" at Sat Nov 21 01:00:00 2026 UTC [": the sensor's time; the rest by its words. */
static bool tell_signature(struct cursor *c)
{
    const char *at = cursor_find(c, SLICE("\" at "));
    const char *from = at == NULL ? NULL : at + 5;
    const char *to = at == NULL ? NULL : memmem(from, (size_t)(c->end - from), " [", 2);
    if (to == NULL)
        return arrow_tell(c, &TABLE, c->at, c->end);
    return phrase_tell(c, &TABLE, c->at, from) && cursor_add(c, from, to, FIELD_TIME_STAMP) &&
           arrow_tell(c, &TABLE, to, c->end);
}

static enum parse_result parse_connection(struct pairs *p, struct cursor *c)
{
    const char *type = cursor_find(c, SLICE("Connection Type: "));
    const char *brace = memrchr(type, '{', (size_t)(c->end - type));
    if (type > c->at && !cursor_add(c, c->at, type, FIELD_COLUMN(COLUMN_ENGINE)))
        return PARSE_PARTIAL;
    if (brace != NULL && brace - type > 2 && brace[-2] == ',')
        p->end = brace - 2;
    enum parse_result result = pairs_read(p, type);
    if (result != PARSE_OK || p->end == c->end)
        return result;
    return arrow_tell(c, &TABLE, p->end + 2, c->end) ? PARSE_OK : PARSE_PARTIAL;
}

static enum parse_result parse_event(struct pairs *p, uint32_t from)
{
    struct cursor c = cursor_at(p->out, p->line, from);
    const char *message = skip_mark(cursor_rest(&c));
    const enum event_form form = find_form(slice_of(message, (size_t)(c.end - message)));
    if (form == EVENT_NONE)
        return PARSE_MISMATCH;
    if (message > c.at && !cursor_add(&c, c.at, message, FIELD_COLUMN(COLUMN_BEFORE)))
        return PARSE_PARTIAL;
    c.at = message;
    if (form == EVENT_PAIRS)
        return pairs_read(p, message);
    if (form == EVENT_CONNECTION)
        return parse_connection(p, &c);
    c.at++;
    return add_signature(&c) && tell_signature(&c) ? PARSE_OK : PARSE_PARTIAL;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    const char *code = find_code(slice_from_offset(line, from));
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .separator = ','};
    if (code == NULL)
        return parse_event(&p, from);
    const uint32_t at = (uint32_t)(code - line.data);
    if (!slots_add(out, at - 2, 1, FIELD_COLUMN(0), SLOT_PLAIN) ||
        !slots_add(out, at, CODE_DIGITS, FIELD_EVENT_CODE, SLOT_PLAIN))
        return PARSE_PARTIAL;
    code += CODE_DIGITS;
    while (code < p.end && (*code == ':' || *code == ' '))
        code++;
    return pairs_read(&p, code);
}

static bool probe(struct slice message)
{
    if (word_find(word_head(message), SLICE("%")) && find_code(message) != NULL)
        return true;
    const char *event = skip_mark(message);
    struct slice text = slice_of(event, (size_t)(message.data + message.len - event));
    const enum event_form form = find_form(text);
    return form != EVENT_NONE &&
           (form != EVENT_SIGNATURE || word_find(word_head(text), SLICE("} ")));
}

/* Of an intrusion event the result stands beside; "Would have dropped" let the packet through. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("with reset", RESET),   VERDICT_WORD("would have", ALERT),
        VERDICT_WORD("block", BLOCK),        VERDICT_WORD("drop", DROP),
        VERDICT_WORD("monitor", ALLOW),      VERDICT_WORD("detect", ALERT),
        VERDICT_WORD("cloud lookup", ALERT), VERDICT_WORD("allow", ALLOW),
        VERDICT_WORD("trust", ALLOW),        VERDICT_WORD("fastpath", ALLOW),
        VERDICT_WORD("analyze", ALLOW),      VERDICT_WORD("do not decrypt", ALLOW)};
    (void)beside;
    return word_verdict_in(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_cisco_ftd = {
    .name = "cisco_ftd",
    .format = FORMAT_CISCO_FTD,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .key_at = key_at,
};
