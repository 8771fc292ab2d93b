/*
 * A10 Thunder: CEF of its firewall, its WAF and its translation (ingest/parser_cef.c), and what its own
 * logger says, a module and a level in front of a text:
 *
 *   CEF:0|A10|TH3030S|4.1.1|CGN|NAT TCP created|2|src=192.0.2.7 spt=40000 ...
 *   [SYSTEM]<5> A web session[2] opened, username: admin, remote host: 192.0.2.7
 *   [ACOS]<4> SLB server web1 (192.0.2.80) is down.
 *   [CLI]<6> admin: [12:192.0.2.7:50123] show running-config
 */
#include "ingest/cursor.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/phrase.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    MODULE_BYTES_MAX = 24,
};

#define PHRASES(PHRASE)                                         \
    PHRASE("username: ", USER_NAME, NONE, ACCOUNT, 0)           \
    PHRASE("username ", USER_NAME, NONE, ACCOUNT, 0)            \
    PHRASE("user \"", USER_NAME, NONE, ACCOUNT, '"')            \
    PHRASE("user ", USER_NAME, NONE, ACCOUNT, 0)                \
    PHRASE("remote host: ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0) \
    PHRASE("remote host ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)  \
    PHRASE("from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)         \
    PHRASE("client ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)

PHRASE_TABLE(TABLE, PHRASES);

/* "[SYSTEM]<5> ": module and level; the cursor stands behind them. */
static bool take_module(struct cursor *c, struct slice *module, struct slice *level)
{
    const char *limit = c->end - c->at > MODULE_BYTES_MAX ? c->at + MODULE_BYTES_MAX : c->end;
    if (c->at == c->end || *c->at != '[')
        return false;
    const char *from = c->at + 1;
    const char *close = from;
    while (close < limit && ((*close >= 'A' && *close <= 'Z') || word_is_digit(*close) ||
                             *close == '_' || *close == '-'))
        close++;
    if (close == from || c->end - close < 5 || close[0] != ']' || close[1] != '<' ||
        !word_is_digit(close[2]) || close[3] != '>' || close[4] != ' ')
        return false;
    *module = slice_of(from, (size_t)(close - from));
    *level = slice_of(close + 2, 1);
    c->at = close + 5;
    return true;
}

/* "admin: [12:192.0.2.7:50123] show running-config": who gave which command. */
static bool tell_command(struct cursor *c)
{
    const char *colon = scan_byte(c->at, c->end, ':');
    const char *open = scan_byte(c->at, c->end, '[');
    const char *close = scan_byte(open, c->end, ']');
    const char *session = scan_byte(open, close, ':');
    const char *port = session < close ? memrchr(session, ':', (size_t)(close - session)) : NULL;
    if (close == c->end || colon > open || port == NULL || port == session ||
        !url_host_is_address(slice_of(session + 1, (size_t)(port - session - 1))))
        return phrase_tell(c, &TABLE, c->at, c->end);
    const char *command = close + 1;
    while (command < c->end && *command == ' ')
        command++;
    return cursor_add(c, c->at, colon, FIELD_USER_NAME) &&
           cursor_add(c, open + 1, session, FIELD_NETWORK_SESSION) &&
           cursor_add(c, session + 1, port, FIELD_SOURCE_IP) &&
           (port + 1 == close || cursor_add(c, port + 1, close, FIELD_SOURCE_PORT)) &&
           (command == c->end || cursor_add(c, command, c->end, FIELD_PROCESS_COMMAND));
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    struct slice module;
    struct slice level;
    cursor_skip_blanks(&c);
    if (!take_module(&c, &module, &level))
        return parser_cef.parse(state, line, from, out);
    if (!cursor_add_slice(&c, module, FIELD_EVENT_DATASET) ||
        !cursor_add_slice(&c, level, FIELD_EVENT_SEVERITY))
        return PARSE_PARTIAL;
    bool fits = slice_equal(module, SLICE("CLI")) || slice_equal(module, SLICE("AUDIT"))
                    ? tell_command(&c)
                    : phrase_tell(&c, &TABLE, c.at, c.end);
    return fits ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct slice module;
    struct slice level;
    if (word_find(word_head(message), SLICE("|A10|")))
        return parser_cef.probe(message);
    cursor_skip_blanks(&c);
    return take_module(&c, &module, &level);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    return parser_cef.verdict(action, beside);
}

const struct parser parser_a10 = {
    .name = "a10",
    .format = FORMAT_A10,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = extension_state_new,
    .state_free = extension_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
