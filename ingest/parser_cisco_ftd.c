/*
 * Cisco Firepower Threat Defense, events 430001 (intrusion), 430002 and 430003 (a connection's
 * begin and end), 430004 (file) and 430005 (malware):
 *
 *   %FTD-1-430003: EventPriority: Low, DeviceUUID: 0f-..., SrcIP: 192.0.2.7, SrcPort: 50000, ...
 *       AccessControlRuleAction: Allow, InitiatorBytes: 88, ResponderBytes: 152, URL: http://...
 *
 * Its other messages are those of the ASA.
 */
#include "event/verdict.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    TAG_MAX_BYTES = 256, /* the tag begins within so many bytes */
    CODE_DIGITS = 6,
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, PAIR_##treat),
#include "ingest/cisco_ftd_keys.def"
#undef KEY
};

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = ": ", .len = 2},
    .blanks_in_names = true,
    .quoted_kind = SLOT_PLAIN,
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

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    const char *code = find_code(slice_from_offset(line, from));
    if (code == NULL)
        return PARSE_MISMATCH;
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .separator = ','};
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
    return word_find(word_head(message), SLICE("%")) && find_code(message) != NULL;
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
