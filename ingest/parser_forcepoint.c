/*
 * Forcepoint Web Security (Websense), the key=value layout of its SIEM integration:
 *
 *   vendor=Forcepoint product=Security product_version=8.5.4 action=permitted severity=1
 *       category=9 user=LDAP://192.0.2.1 OU=Users,DC=example,DC=jp/Taro src_host=192.0.2.7 ...
 *       bytes_out=197 bytes_in=76 http_response=200 ... url=http://www.example.com/
 *
 * Values are not quoted; "-" stands for none. The account is a name, or a directory's path with
 * the name behind its last slash. Its CEF and LEEF layouts, and the firewall's, are those formats. The
 * firewall's layout with quotes and commas is read, too:
 *
 *   Timestamp="2026-11-21 10:00:06",LogId="77",NodeId="192.0.2.1",Event="Connection discarded",Src="192.0.2.9",...
 */
#include "event/verdict.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_USER = PAIR_OWN,
    TREATMENT_OWN_SOURCE, /* an address or a name */
    TREATMENT_OWN_STATUS, /* 0 where nothing answered */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/forcepoint_keys.def"
#undef KEY
};

/* "LDAP://192.0.2.1 OU=...,DC=jp/Taro Yamada", "WinNT://EXAMPLE/taro", "EXAMPLE\taro". */
static bool add_user(struct pairs *p, const struct pair *pair)
{
    const char *from = pair->value;
    const char *slashes = memmem(from, (size_t)(pair->close - from), "://", 3);
    const char *name = slashes == NULL ? NULL : memrchr(from, '/', (size_t)(pair->close - from));
    if (name == NULL || name < slashes + 3 || name + 1 == pair->close)
        return account_slots(p->out, p->line, (uint32_t)(from - p->line.data),
                             (uint32_t)(pair->close - from), pair->key->kind);
    return pairs_add(p, pair, slashes + 3, name, FIELD_USER_DOMAIN) &&
           pairs_add(p, pair, name + 1, pair->close, FIELD_USER_NAME);
}

static bool add_own(struct pairs *p, const struct pair *pair)
{
    const struct slice value = pair_value(pair);
    uint16_t field = pair->key->field;
    if (slice_equal(value, SLICE("-")))
        return true;
    if (pair->key->special == TREATMENT_OWN_USER)
        return add_user(p, pair);
    if (pair->key->special == TREATMENT_OWN_SOURCE && !url_host_is_address(value))
        field = FIELD_SOURCE_DOMAIN;
    if (pair->key->special == TREATMENT_OWN_STATUS && slice_equal(value, SLICE("0")))
        field = FIELD_UNNAMED;
    return pairs_add(p, pair, pair->value, pair->close, field);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .absent = {.data = "-", .len = 1},
    .own = add_own,
};

/*
 * A directory's path has pairs of its own ("OU=Users,DC=jp/Taro"): they are part of the account.
 * Appends the pairs before it, the account, and those behind it.
 */
static enum parse_result read_around_user(struct pairs *p, const char *at)
{
    static const char USER[] = " user=";
    static const char NEXT[] = " src_host=";
    static const char LOGIN[] = " loginID=";
    const char *end = p->end;
    const char *user = memmem(at, (size_t)(end - at), USER, sizeof(USER) - 1);
    const char *next =
        user == NULL ? NULL : memmem(user, (size_t)(end - user), NEXT, sizeof(NEXT) - 1);
    if (next == NULL)
        return pairs_read(p, at);
    const char *login = memmem(user, (size_t)(next - user), LOGIN, sizeof(LOGIN) - 1);
    p->end = user;
    if (pairs_read(p, at) != PARSE_OK)
        return PARSE_PARTIAL;
    const struct key key = {.field = FIELD_USER_NAME, .special = TREATMENT_OWN_USER};
    const struct pair pair = {.key = &key,
                              .name = user + 1,
                              .value = user + sizeof(USER) - 1,
                              .close = login == NULL ? next : login};
    p->end = end;
    if (pair.value < pair.close && !add_own(p, &pair))
        return PARSE_PARTIAL;
    return pairs_read(p, pair.close);
}

/* The firewall's: the time first, always with these. */
static bool is_firewall(struct slice head)
{
    return slice_starts(head, SLICE("Timestamp=\"")) && word_find(head, SLICE(",LogId=\"")) &&
           word_find(head, SLICE(",NodeId=\""));
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
    if (is_firewall(word_head(slice_from_offset(line, from)))) {
        p.separator = ',';
        return pairs_read(&p, line.data + from);
    }
    const char *at = memmem(line.data + from, line.len - from, "vendor=", 7);
    if (at == NULL || (at > line.data + from && at[-1] != ' '))
        return PARSE_MISMATCH;
    if (at > line.data + from &&
        !slots_add(out, from, (uint32_t)(at - line.data) - from, FIELD_COLUMN(0), SLOT_PLAIN))
        return PARSE_PARTIAL;
    return read_around_user(&p, at);
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    if (is_firewall(head))
        return true;
    return (word_find_key(head, SLICE("vendor=Forcepoint")) ||
            word_find_key(head, SLICE("vendor=Websense"))) &&
           word_find_key(head, SLICE("action="));
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("permitted", ALLOW), VERDICT_WORD("blocked", BLOCK),
        VERDICT_WORD("permit", ALLOW),    VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("confirm", ALERT),   VERDICT_WORD("quota", ALERT),
        VERDICT_WORD("allow", ALLOW),     VERDICT_WORD("discard", DROP),
        VERDICT_WORD("refuse", DENY),     VERDICT_WORD("terminate", RESET),
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

const struct parser parser_forcepoint = {
    .name = "forcepoint",
    .format = FORMAT_FORCEPOINT,
    .kind = PARSER_PROXY,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .key_at = key_at,
};
