/*
 * Ekinops OneOS routers:
 *
 *   #INFO# list WAN-IN denied udp 192.0.2.7:547-> 198.51.100.9:546 3 matches
 *   #WARN# LOGIN_FAILURE for VTY user 'admin' from 192.0.2.7 at 13:58:05  Sat Nov 21 2026
 *   #NOTIFY# IF: GigabitEthernet 0/0 is UP
 *
 * The router's own stamp and name stand in front, as in BSD's syslog, and a colon.
 */
#include "event/verdict.h"
#include "ingest/arrow.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    LEVEL_BYTES_MAX = 16,
};

#define PHRASES(PHRASE)                                  \
    PHRASE("user '", USER_NAME, NONE, ACCOUNT, '\'')     \
    PHRASE("list ", RULE_NAME, NONE, WORD, ' ')          \
    PHRASE("proto ", NETWORK_TRANSPORT, NONE, NUMBER, 0) \
    PHRASE("from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)  \
    PHRASE("peer ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)  \
    PHRASE("address ", HOST_IP, NONE, ADDRESS, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* "#INFO# " */
static bool take_level(struct cursor *c, struct slice *level)
{
    cursor_skip_blanks(c);
    if (cursor_take(c, SLICE(":")))
        cursor_skip_blanks(c);
    const char *limit = c->end - c->at > LEVEL_BYTES_MAX ? c->at + LEVEL_BYTES_MAX : c->end;
    if (c->at == c->end || *c->at != '#')
        return false;
    const char *from = c->at + 1;
    const char *close = from;
    while (close < limit && *close >= 'A' && *close <= 'Z')
        close++;
    if (close == from || limit - close < 2 || close[0] != '#' || close[1] != ' ')
        return false;
    *level = slice_of(from, (size_t)(close - from));
    c->at = close + 2;
    return true;
}

/* The word of a login, or of a list behind its name, is what was done. */
static bool add_verb(struct cursor *c)
{
    struct cursor ahead = *c;
    struct slice word = cursor_word(&ahead);
    if (word.len > 0 && word.data[word.len - 1] == ':') /* "SSH: " */
        word = cursor_word(&ahead);
    if (slice_starts(word, SLICE("LOGIN_")) || slice_equal(word, SLICE("LOGOUT"))) {
        bool fits = word.data == c->at || phrase_tell(c, &TABLE, c->at, word.data);
        c->at = ahead.at;
        return fits && cursor_add_slice(c, word, FIELD_EVENT_ACTION);
    }
    if (!slice_equal(word, SLICE("list")))
        return true;
    struct slice name = cursor_word(&ahead);
    struct slice verb = cursor_word(&ahead);
    if (!slice_equal(verb, SLICE("denied")) && !slice_equal(verb, SLICE("permitted")))
        return true;
    c->at = ahead.at;
    return cursor_add_slice(c, name, FIELD_RULE_NAME) &&
           cursor_add_slice(c, verb, FIELD_EVENT_ACTION);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    struct slice level;
    (void)state;
    if (!take_level(&c, &level))
        return PARSE_MISMATCH;
    return cursor_add_slice(&c, level, FIELD_EVENT_SEVERITY) && add_verb(&c) &&
                   arrow_tell(&c, &TABLE, c.at, c.end)
               ? PARSE_OK
               : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct slice level;
    return take_level(&c, &level);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("denied", DENY), VERDICT_WORD("permitted", ALLOW),
        VERDICT_WORD("login_success", ALLOW), VERDICT_WORD("login_failure", DENY)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_ekinops = {
    .name = "ekinops",
    .format = FORMAT_EKINOPS,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
