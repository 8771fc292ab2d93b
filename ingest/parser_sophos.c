/*
 * Sophos firewalls: SFOS (XG, XGS), and UTM before it.
 *
 *   device="SFW" date=2026-11-21 time=10:00:00 timezone="JST" device_name="XG" device_id=C1 ...
 *   timestamp="2026-11-21T10:00:00+0900" device_model="XGS87" device_serial_id=X1 log_id=0101 ...
 *   2026:11:21-10:00:00 utm ulogd[77]: id="2002" severity="info" sys="SecureNet" sub=... srcip=...
 *
 * SFOS reports a session up to three times (connevent="Start", "Interim", "Stop"); the bytes of
 * the first two are contained in those of the last.
 */
#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_TIME = PAIR_OWN, /* a time of day; of UTM's proxy, how long it took */
    TREATMENT_OWN_QUERY,           /* with its question mark */
    TREATMENT_OWN_PRIORITY,        /* of SFOS, the severity; of UTM, the class of an attack */
    TREATMENT_OWN_NAME,            /* of UTM, what happened; of SFOS, a person's full name */
};

enum {
    MARK_SFOS = 1U << 0, /* the line has a log_type */
    HEADER_PARTS = 3,
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/sophos_keys.def"
#undef KEY
};

static bool add_own(struct pairs *p, const struct pair *pair)
{
    const char *from = pair->value;
    if (pair->key->special == TREATMENT_OWN_TIME) {
        bool clock = pair->close - from >= 8 && from[2] == ':' && from[5] == ':';
        return pairs_add(p, pair, from, pair->close, clock ? FIELD_TIME_CLOCK : FIELD_UNNAMED);
    }
    const bool sfos = (p->marks & MARK_SFOS) != 0;
    if (pair->key->special == TREATMENT_OWN_NAME)
        return pairs_add(p, pair, from, pair->close, sfos ? FIELD_UNNAMED : FIELD_MESSAGE);
    if (pair->key->special == TREATMENT_OWN_PRIORITY)
        return pairs_add(p, pair, from, pair->close, sfos ? FIELD_EVENT_SEVERITY : FIELD_UNNAMED);
    from += from < pair->close && *from == '?';
    return from == pair->close || pairs_add(p, pair, from, pair->close, FIELD_URL_QUERY);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .absent = {.data = "-", .len = 1},
    .own = add_own,
};

/* Where the first key begins: behind words that UTM's own header is made of. NULL: nowhere. */
static const char *first_key(const char *at, const char *end)
{
    while (at < end && end - at > 1) {
        if (pairs_name_length(&STYLE, at, end) > 0)
            return at;
        at = scan_byte(at, end, ' ');
        while (at < end && *at == ' ')
            at++;
    }
    return NULL;
}

/* "host program[7]: " behind UTM's date; anything else is kept as one column. */
static bool add_program(struct pairs *p, const char *from, const char *to)
{
    const uint32_t base = (uint32_t)(from - p->line.data);
    const char *blank = scan_byte(from, to, ' ');
    const char *open = scan_byte(blank, to, '[');
    const char *close = scan_byte(open, to, ']');
    if (to - close < (ptrdiff_t)HEADER_PARTS || close[1] != ':' || open - blank < 2 ||
        blank == from)
        return slots_add(p->out, base, (uint32_t)(to - from), FIELD_COLUMN(0), SLOT_PLAIN);
    const char *const parts[HEADER_PARTS][2] = {
        {from, blank}, {blank + 1, open}, {open + 1, close}};
    static const uint16_t FIELDS[HEADER_PARTS] = {FIELD_LOG_HOSTNAME, FIELD_LOG_APPNAME,
                                                  FIELD_LOG_PROCID};
    for (size_t i = 0; i < HEADER_PARTS; i++) {
        if (!slots_add(p->out, (uint32_t)(parts[i][0] - p->line.data),
                       (uint32_t)(parts[i][1] - parts[i][0]), FIELDS[i], SLOT_PLAIN))
            return false;
    }
    return to - close == (ptrdiff_t)HEADER_PARTS ||
           slots_add(p->out, (uint32_t)(close + HEADER_PARTS - p->line.data),
                     (uint32_t)(to - close) - HEADER_PARTS, FIELD_COLUMN(0), SLOT_PLAIN);
}

/* "2026:11:21-10:00:00 host program[7]: " */
static bool add_header(struct pairs *p, const char *from, const char *to)
{
    static const size_t STAMP = sizeof("2026:11:21-10:00:00") - 1;
    const uint32_t at = (uint32_t)(from - p->line.data);
    const bool whole = to - from > (ptrdiff_t)STAMP;
    if (whole && from[4] == ':' && from[7] == ':' && from[10] == '-' && from[STAMP] == ' ') {
        return slots_add(p->out, at, 10, FIELD_TIME_DATE, SLOT_PLAIN) &&
               slots_add(p->out, at + 11, 8, FIELD_TIME_CLOCK, SLOT_PLAIN) &&
               add_program(p, from + STAMP + 1, to);
    }
    return from == to || slots_add(p->out, at, (uint32_t)(to - from), FIELD_COLUMN(0), SLOT_PLAIN);
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
    const char *at = first_key(line.data + from, p.end);
    if (at == NULL)
        return PARSE_MISMATCH;
    if (!add_header(&p, line.data + from, at))
        return PARSE_PARTIAL;
    const uint32_t mark = out->count;
    struct slice head = word_head(slice_from_offset(line, (size_t)(at - line.data)));
    p.marks = word_find_key(head, SLICE("log_type=")) ? MARK_SFOS : 0;
    enum parse_result result = pairs_read(&p, at);
    /* UTM's logins have no action: the message says what became of them. */
    if (p.marks == 0)
        meaning_name_action(out, mark, FIELD_MESSAGE);
    return pairs_ours(&p, mark, result);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    bool sfos = word_find_key(head, SLICE("log_type=\"")) &&
                (word_find_key(head, SLICE("log_component=")) ||
                 word_find_key(head, SLICE("log_subtype=")));
    bool utm = word_find_key(head, SLICE("id=\"")) && word_find_key(head, SLICE("sys=\"S")) &&
               word_find_key(head, SLICE("sub=\"")) && word_find_key(head, SLICE("severity=\""));
    bool waf =
        word_find_key(head, SLICE("id=\"0299\"")) && word_find_key(head, SLICE("localip=\""));
    return sfos || utm || waf;
}

static uint8_t verdict(struct slice action, struct slice outcome)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("allowed", ALLOW),     VERDICT_WORD("allow", ALLOW),
        VERDICT_WORD("accept", ALLOW),      VERDICT_WORD("pass", ALLOW),
        VERDICT_WORD("clean", ALLOW),       VERDICT_WORD("denied", DENY),
        VERDICT_WORD("deny", DENY),         VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("blocked", BLOCK),     VERDICT_WORD("virus", BLOCK),
        VERDICT_WORD("pua", BLOCK),         VERDICT_WORD("drop", DROP),
        VERDICT_WORD("dropped", DROP),      VERDICT_WORD("reject", DENY),
        VERDICT_WORD("rejected", DENY),     VERDICT_WORD("reset", RESET),
        VERDICT_WORD("detect", ALERT),      VERDICT_WORD("alert", ALERT),
        VERDICT_WORD("warned", ALERT),      VERDICT_WORD("log", ALERT),
        VERDICT_WORD("dns request", ALLOW),
    };
    uint8_t found = word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
    return found != VERDICT_UNKNOWN ? found : word_login_verdict(action, outcome);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_sophos = {
    .name = "sophos",
    .format = FORMAT_SOPHOS,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};
