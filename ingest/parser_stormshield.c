/*
 * Stormshield Network Security:
 *
 *   id=firewall time="2026-11-21 10:00:00" fw="SN1" tz=+0900 startime="2026-11-21 09:59:58" pri=5
 *       ... ipproto=tcp src=192.0.2.7 srcport=50000 dst=198.51.100.9 action=pass logtype="filter"
 *
 * modsrc is the translated source; origdst is what the client asked for where dst was translated.
 */
#include "event/verdict.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_PROTOCOL = PAIR_OWN,
    TREATMENT_OWN_METHOD, /* of HTTP; the mail and FTP proxies write their commands there */
    TREATMENT_OWN_RESULT, /* the same for the answer's number */
};

enum {
    MARK_COMMANDS = 1U << 0, /* a session of mail or FTP */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/stormshield_keys.def"
#undef KEY
};

/* proto= stands before op= and result=. */
static bool add_own(struct pairs *p, const struct pair *pair)
{
    uint16_t field = pair->key->field;
    if (pair->key->special == TREATMENT_OWN_PROTOCOL) {
        const struct slice name = pair_value(pair);
        if (word_begins(name, SLICE("smtp")) || word_begins(name, SLICE("pop3")) ||
            word_begins(name, SLICE("ftp")))
            p->marks |= MARK_COMMANDS;
    } else if ((p->marks & MARK_COMMANDS) != 0) {
        field = FIELD_UNNAMED;
    }
    return pairs_add(p, pair, pair->value, pair->close, field);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .own = add_own,
};

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = out,
                      .line = line,
                      .end = line.data + line.len,
                      .separator = ' '};
    if (pairs_name_length(&STYLE, line.data + from, p.end) == 0)
        return PARSE_MISMATCH;
    const uint32_t mark = out->count;
    enum parse_result result = pairs_read(&p, line.data + from);
    return pairs_ours(&p, mark, result);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    return (slice_starts(head, SLICE("id=firewall ")) || slice_starts(head, SLICE("time="))) &&
           word_find_key(head, SLICE("fw=")) && word_find_key(head, SLICE("startime="));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("pass", ALLOW),
        VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("reset", RESET),
        VERDICT_WORD("blockpage", BLOCK),
    };
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_stormshield = {
    .name = "stormshield",
    .format = FORMAT_STORMSHIELD,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .key_at = key_at,
};
