/*
 * F5 BIG-IP's own syslog: traffic (tmm), access policies (apmd), iRules, the audit of commands, the
 * web server of the appliance, and the key="value" lists of ASM, AFM and the DoS protection (CEF is
 * format cef):
 *
 *   notice apmd[77]: 01490005:5: /Common/vpn:Common:7621aa0f: Following rule 'fallback' from item 'a' to ending 'Allow'
 *   tmm1[77]: 01260013:4: SSL Handshake failed for TCP 192.0.2.7:40000 -> 198.51.100.9:443
 *   tmm[77]: Rule /Common/log <HTTP_REQUEST>: Request: GET www.example.jp/a
 *   tmsh[77]: 01420002:5: AUDIT - pid=77 user=root folder=/ status=[Command OK] cmd_data=cd / ;
 *   logger[77]: [ssl_acc] 192.0.2.7 - admin [21/Nov/2026:18:00:00 +0900] /mgmt/shared 200 2
 *   ASM:unit_hostname="waf1",ip_client="192.0.2.7",method="GET",uri="/a",request_status="blocked"
 *   [F5@12276 action="Drop" hostname="bigip1" source_ip="192.0.2.7" dest_ip="198.51.100.9" ...]
 *   action="Drop",acl_policy_name="/Common/fw",source_ip="192.0.2.7",device_vendor="F5",...
 */
#include "event/verdict.h"
#include "ingest/arrow.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_PARTITION = 0, /* of an access profile */
    COLUMN_AUDIT = 1,     /* what stands in front of an audit's pairs */
    COLUMN_CIPHER = 2,    /* protocol and cipher of the web server's request */
    CODE_BYTES = 8,       /* 01490005 */
    PROFILE_BYTES_MAX = 256,
    LIST_PAIRS_MIN = 2, /* that a list begins with */
};

/* What access profile and rule a text is about: the rule that decided is the name. */
#define PHRASES(PHRASE)                                                      \
    PHRASE("Following rule '", RULE_NAME, NONE, WORD, '\'')                  \
    PHRASE("ending '", EVENT_OUTCOME, NONE, WORD, '\'')                      \
    PHRASE("terminalout '", EVENT_OUTCOME, NONE, WORD, '\'')                 \
    PHRASE("Username '", USER_NAME, NONE, ACCOUNT, '\'')                     \
    PHRASE("authentication with '", USER_NAME, NONE, ACCOUNT, '\'')          \
    PHRASE("authenticate with '", USER_NAME, NONE, ACCOUNT, '\'')            \
    PHRASE("Access policy result: ", EVENT_OUTCOME, NONE, REST, 0)           \
    PHRASE("bytes in: ", SOURCE_BYTES, NONE, NUMBER, 0)                      \
    PHRASE("bytes out: ", DESTINATION_BYTES, NONE, NUMBER, 0)                \
    PHRASE("session.user.agent is ", USER_AGENT, NONE, REST, 0)              \
    PHRASE("User-Agent header: ", USER_AGENT, NONE, REST, 0)                 \
    PHRASE("from client IP ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)            \
    PHRASE("at VIP ", DESTINATION_IP, DESTINATION_PORT, ADDRESS, 0)          \
    PHRASE("response to from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)          \
    PHRASE("HTTP: ", HTTP_STATUS, NONE, NUMBER, 0)                           \
    PHRASE("URL: ", URL_ORIGINAL, NONE, SITE, ' ')                           \
    PHRASE("Request: ", URL_ORIGINAL, NONE, REQUEST, 0)                      \
    PHRASE("request: <", URL_ORIGINAL, NONE, REQUEST, 0)                     \
    PHRASE("Referer: ", HTTP_REFERRER, NONE, WORD, ' ')                      \
    PHRASE("source ip: ", SOURCE_IP, NONE, ADDRESS, 0)                       \
    PHRASE("source port: ", SOURCE_PORT, NONE, NUMBER, 0)                    \
    PHRASE("destination ip: ", DESTINATION_IP, NONE, ADDRESS, 0)             \
    PHRASE("destination port: ", DESTINATION_PORT, NONE, NUMBER, 0)          \
    PHRASE("xff ip: ", HTTP_FORWARDED_FOR, NONE, WORD, 0)                    \
    PHRASE("Support id: ", EVENT_ID, NONE, WORD, 0)                          \
    PHRASE("HTTP classifier: ", RULE_NAME, NONE, WORD, ',')                  \
    PHRASE("session.logon.last.username is ", USER_NAME, NONE, ACCOUNT, ' ') \
    PHRASE("session.user.clientip is ", SOURCE_IP, NONE, ADDRESS, 0)         \
    PHRASE("Dynamic IPv4: ", HOST_IP, NONE, ADDRESS, 0)                      \
    PHRASE("Client IP: ", SOURCE_IP, NONE, ADDRESS, 0)                       \
    PHRASE("logged in from ", SOURCE_IP, NONE, ADDRESS, 0)                   \
    PHRASE(" host=", SOURCE_IP, NONE, ADDRESS, 0)                            \
    PHRASE("RAW: httpd(mod_auth_pam): user=", USER_NAME, NONE, ACCOUNT, '(') \
    PHRASE("RAW: httpd(pam_audit): user=", USER_NAME, NONE, ACCOUNT, '(')    \
    PHRASE("RAW: sshd(pam_audit): user=", USER_NAME, NONE, ACCOUNT, '(')     \
    PHRASE("RAW: httpd: user=", USER_NAME, NONE, ACCOUNT, '(')               \
    PHRASE(" user=", USER_NAME, NONE, ACCOUNT, ' ')                          \
    PHRASE(", user ", USER_NAME, NONE, ACCOUNT, ' ')                         \
    PHRASE("[Status=", EVENT_OUTCOME, NONE, WORD, ']')                       \
    PHRASE("status=[", EVENT_OUTCOME, NONE, WORD, ']')                       \
    PHRASE("cmd_data=", PROCESS_COMMAND, NONE, REST, 0)

PHRASE_TABLE(TABLE, PHRASES);

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, PAIR_##treat),
#include "ingest/f5_keys.def"
#undef KEY
};

/* The request as it came: its headers, and what no key in front of it said. */
static bool add_request(struct pairs *p, const struct pair *pair)
{
    static const struct meaning HTTP = {.field = FIELD_URL_ORIGINAL, .form = MEANING_HTTP};
    const struct slot value = {.offset = (uint32_t)(pair->value - p->line.data),
                               .length = (uint32_t)(pair->close - pair->value),
                               .kind = pair->key->kind};
    return meaning_slots(p->out, p->line, &HTTP, &value);
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_PLAIN,
    .absent = {.data = "N/A", .len = 3},
    .own = add_request,
};

/* "notice ": the level as syslog-ng writes it in front of the process. */
static struct slice take_level(struct cursor *c)
{
    static const struct slice LEVELS[] = {
        {"emerg ", 6},   {"alert ", 6},  {"crit ", 5}, {"err ", 4},   {"error ", 6},
        {"warning ", 8}, {"notice ", 7}, {"info ", 5}, {"debug ", 6},
    };
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        const char *from = c->at;
        if (cursor_take(c, LEVELS[i]))
            return slice_of(from, LEVELS[i].len - 1);
    }
    return slice_of(c->at, 0);
}

/* "apmd[77]: " */
static bool take_process(struct cursor *c, struct slice *name, struct slice *id)
{
    const char *at = c->at;
    while (at < c->end && (word_is_letter(*at) || word_is_digit(*at) || *at == '_' || *at == '-' ||
                           *at == '(' || *at == ')'))
        at++;
    const char *digits = at + 1;
    if (at == c->at || at == c->end || *at != '[')
        return false;
    const char *stop = digits;
    while (stop < c->end && word_is_digit(*stop))
        stop++;
    if (stop == digits || c->end - stop < 3 || stop[0] != ']' || stop[1] != ':' || stop[2] != ' ')
        return false;
    *name = slice_of(c->at, (size_t)(at - c->at));
    *id = slice_of(digits, (size_t)(stop - digits));
    c->at = stop + 3;
    return true;
}

/* "01490005:5: " */
static bool is_code(struct slice text)
{
    if (text.len < CODE_BYTES + 4 || text.data[CODE_BYTES] != ':' ||
        !word_is_digit(text.data[CODE_BYTES + 1]) || text.data[CODE_BYTES + 2] != ':')
        return false;
    for (size_t i = 0; i < CODE_BYTES; i++) {
        char lower = (char)(text.data[i] | 0x20);
        if (!word_is_digit(text.data[i]) && (lower < 'a' || lower > 'f'))
            return false;
    }
    return *text.data == '0';
}

static bool add_code(struct cursor *c)
{
    if (!is_code(cursor_rest(c)))
        return true;
    const char *code = c->at;
    c->at += CODE_BYTES + 3;
    cursor_skip_blanks(c);
    return cursor_add(c, code, code + CODE_BYTES, FIELD_EVENT_CODE) &&
           cursor_add(c, code + CODE_BYTES + 1, code + CODE_BYTES + 2, FIELD_EVENT_SEVERITY);
}

/* "/Common/vpn:Common:7621aa0f: " */
static bool find_profile(const struct cursor *c, const char *ends[3])
{
    if (c->at == c->end || *c->at != '/')
        return false;
    const char *limit = c->end - c->at > PROFILE_BYTES_MAX ? c->at + PROFILE_BYTES_MAX : c->end;
    ends[0] = scan_either(c->at, limit, ':', ' ');
    if (ends[0] == limit || *ends[0] != ':')
        return false;
    ends[1] = scan_either(ends[0] + 1, limit, ':', ' ');
    if (ends[1] == limit || *ends[1] != ':')
        return false;
    ends[2] = scan_either(ends[1] + 1, limit, ':', ' ');
    return ends[2] < limit && *ends[2] == ':' && ends[2] > ends[1] + 1;
}

/* The profile is the rule where no rule or list in it decided. */
static bool add_profile(struct cursor *c)
{
    const char *ends[3];
    if (!find_profile(c, ends))
        return true;
    const char *from = c->at;
    c->at = ends[2] + 1;
    cursor_skip_blanks(c);
    bool decided = cursor_find(c, SLICE("Following rule '")) != NULL ||
                   cursor_find(c, SLICE(" ACL: ")) != NULL;
    return cursor_add(c, from, ends[0], decided ? FIELD_RULE_RULESET : FIELD_RULE_NAME) &&
           cursor_add(c, ends[0] + 1, ends[1], FIELD_COLUMN(COLUMN_PARTITION)) &&
           cursor_add(c, ends[1] + 1, ends[2], FIELD_NETWORK_SESSION);
}

/* "Rule /Common/log <HTTP_REQUEST>: " */
static bool add_rule(struct cursor *c)
{
    if (!cursor_take(c, SLICE("Rule /")))
        return true;
    const char *name = c->at - 1;
    const char *stop = scan_byte(name, c->end, ' ');
    c->at = stop;
    cursor_skip_blanks(c);
    if (!cursor_add(c, name, stop, FIELD_RULE_NAME))
        return false;
    if (cursor_take(c, SLICE("<"))) {
        const char *event = c->at;
        c->at = scan_byte(event, c->end, '>');
        if (!cursor_add(c, event, c->at, FIELD_EVENT_SUBTYPE))
            return false;
        (void)cursor_take(c, SLICE(">"));
    }
    (void)cursor_take(c, SLICE(":"));
    cursor_skip_blanks(c);
    return true;
}

/* "discard ACL: /Common/deny:0 packet: ": verb, list, number of its line */
static bool add_list(struct cursor *c)
{
    struct cursor ahead = *c;
    struct slice verb = cursor_word(&ahead);
    if (!cursor_take(&ahead, SLICE("ACL: ")))
        return true;
    const char *name = ahead.at;
    const char *blank = scan_byte(name, c->end, ' ');
    const char *colon = scan_byte(name, blank, ':');
    c->at = blank;
    return cursor_add_slice(c, verb, FIELD_EVENT_ACTION) &&
           cursor_add(c, name, colon, FIELD_RULE_NAME) &&
           (colon + 1 >= blank || cursor_add(c, colon + 1, blank, FIELD_RULE_ID));
}

/* "[ssl_acc] 192.0.2.7 - admin [stamp] /path 200 2", "[ssl_req][stamp] 192.0.2.7 TLSv1.2 CIPHER "/path" 199" */
static enum parse_result parse_web(struct slots *out, struct slice line, uint32_t from)
{
    struct words w = words_of(out, line, from);
    struct word word = {0};
    if (!words_next(&w, &word) || !words_add(&w, &word, FIELD_EVENT_DATASET))
        return PARSE_PARTIAL;
    const bool access = word_is(&word, "ssl_acc");
    const int last = access ? 6 : 5; /* the bytes */
    for (int column = 0; column <= last && words_next(&w, &word); column++) {
        struct slot slot = words_slot(&w, &word);
        bool fits = true;
        if (word.bracketed)
            fits = stamp_slots(out, line, &slot);
        else if (word.quoted || *word.from == '/')
            fits = words_mean(&w, &word, FIELD_URL_ORIGINAL, MEANING_URL);
        else if (column == (access ? 0 : 1))
            fits = words_mean(&w, &word, FIELD_SOURCE_IP, MEANING_PEER);
        else if (access && column == 2)
            fits = words_mean(&w, &word, FIELD_USER_NAME, MEANING_ACCOUNT);
        else if (access && column == 5)
            fits = words_mean(&w, &word, FIELD_HTTP_STATUS, MEANING_MAYBE);
        else if (column == last)
            fits = words_mean(&w, &word, FIELD_HTTP_RESPONSE_BYTES, MEANING_MAYBE);
        else
            fits = words_add(&w, &word, FIELD_COLUMN(COLUMN_CIPHER));
        if (!fits)
            return PARSE_PARTIAL;
    }
    return words_rest(&w, FIELD_COLUMN(COLUMN_CIPHER)) ? PARSE_OK : PARSE_PARTIAL;
}

/* ASM:key="value",key="value" */
static bool begins_list(struct slice text)
{
    struct slice head = word_head(text);
    size_t pairs = 0;
    const char *at = head.data;
    const char *end = head.data + head.len;
    for (; pairs < LIST_PAIRS_MIN; pairs++) {
        const char *equals = scan_text(at, end, SLICE("=\""));
        if (equals == end || pairs_name_length(&STYLE, at, end) == 0)
            return false;
        const char *close = scan_text(equals + 2, end, SLICE("\","));
        if (close == end)
            return false;
        at = close + 2;
    }
    return true;
}

static bool is_data(struct slice text)
{
    return slice_starts(text, SLICE("[F5@"));
}

/* "[F5@12276 action="Drop" ...]", and what follows it. */
static enum parse_result parse_data(struct parser_state *state, struct cursor *c)
{
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = c->out,
                      .line = c->line,
                      .end = word_data_end(c->at, c->end),
                      .separator = ' '};
    const bool open = p.end == c->end;
    (void)cursor_word(c);
    if (c->at > p.end)
        return PARSE_PARTIAL;
    while (p.end > c->at && p.end[-1] == ' ')
        p.end--;
    enum parse_result result = pairs_read(&p, c->at);
    c->at = open ? c->end : word_data_end(p.end, c->end) + 1;
    cursor_skip_blanks(c);
    if (c->at < c->end && !cursor_add(c, c->at, c->end, FIELD_MESSAGE))
        return PARSE_PARTIAL;
    return open ? PARSE_PARTIAL : result;
}

static enum parse_result parse_list(struct parser_state *state, const struct cursor *c)
{
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = c->out,
                      .line = c->line,
                      .end = c->end,
                      .separator = ','};
    const uint32_t mark = c->out->count;
    return pairs_ours(&p, mark, pairs_read(&p, c->at));
}

/* Where the message begins: the data of a header of RFC 5424 is given back where it is ours. */
static uint32_t take_data(struct slice line, uint32_t from, struct slots *out)
{
    const struct slot *last = out->count == 0 ? NULL : &out->items[out->count - 1];
    if (last == NULL || last->field != FIELD_LOG_STRUCTURED ||
        !is_data(slice_of(line.data + last->offset, last->length)))
        return from;
    out->count--;
    return last->offset;
}

/* What tells a line of the appliance: a process, a code, a profile with its session, or an iRule. */
static bool is_ours(struct cursor c)
{
    static const struct slice PROCESSES[] = {{"tmm", 3},  {"apmd", 4}, {"tmsh", 4}, {"mcpd", 4},
                                             {"bigd", 4}, {"apd", 3},  {"gtmd", 4}, {"httpd(", 6}};
    struct slice name;
    struct slice id;
    const char *ends[3];
    (void)take_level(&c);
    bool process = take_process(&c, &name, &id);
    for (size_t i = 0; process && i < sizeof(PROCESSES) / sizeof(PROCESSES[0]); i++) {
        if (slice_starts(name, PROCESSES[i]))
            return true;
    }
    struct slice rest = cursor_rest(&c);
    return is_code(rest) || find_profile(&c, ends) || slice_starts(rest, SLICE("Rule /")) ||
           slice_starts(rest, SLICE("[ssl_acc] ")) || slice_starts(rest, SLICE("[ssl_req]["));
}

static bool take_list(struct cursor *c)
{
    struct cursor ahead = *c;
    bool marked = cursor_take(&ahead, SLICE("ASM:"));
    struct slice head = word_head(cursor_rest(&ahead));
    if (!marked && !slice_starts(head, SLICE("unit_hostname=")) &&
        !slice_starts(head, SLICE("attack_type=")) &&
        !word_find(head, SLICE("device_vendor=\"F5\"")) &&
        !word_find(head, SLICE("errdefs_msgno=\"")) && !word_find(head, SLICE("unit_hostname=\"")))
        return false;
    if (!begins_list(head))
        return false;
    *c = ahead;
    return true;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, take_data(line, from, out));
    struct slice name;
    struct slice id;
    cursor_skip_blanks(&c);
    if (is_data(cursor_rest(&c)))
        return parse_data(state, &c);
    if (take_list(&c))
        return parse_list(state, &c);
    struct cursor start = c;
    struct slice level = take_level(&c);
    bool process = take_process(&c, &name, &id);
    if (!process && level.len == 0 && !is_ours(start))
        return PARSE_MISMATCH;
    if ((level.len > 0 && !cursor_add_slice(&c, level, FIELD_EVENT_SEVERITY)) ||
        (process && (!cursor_add_slice(&c, name, FIELD_LOG_APPNAME) ||
                     !cursor_add_slice(&c, id, FIELD_LOG_PROCID))))
        return PARSE_PARTIAL;
    if (slice_starts(cursor_rest(&c), SLICE("[ssl_")))
        return parse_web(out, line, cursor_offset(&c, c.at));
    if (!add_code(&c) || !add_profile(&c) || !add_rule(&c) || !add_list(&c))
        return PARSE_PARTIAL;
    return arrow_tell(&c, &TABLE, c.at, c.end) ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    cursor_skip_blanks(&c);
    if (is_data(cursor_rest(&c)))
        return true;
    /* A relay's structured data in front of the message. */
    if (slice_starts(cursor_rest(&c), SLICE("[")) &&
        !slice_starts(cursor_rest(&c), SLICE("[ssl_"))) {
        c.at = word_data_end(c.at, c.end);
        (void)cursor_take(&c, SLICE("]"));
        cursor_skip_blanks(&c);
    }
    struct cursor list = c;
    return take_list(&list) || is_ours(c);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {VERDICT_WORD("allow", ALLOW),
                                                VERDICT_WORD("discard", DROP),
                                                VERDICT_WORD("reject", DENY),
                                                VERDICT_WORD("blocked", BLOCK),
                                                VERDICT_WORD("alerted", ALERT),
                                                VERDICT_WORD("alarmed", ALERT),
                                                VERDICT_WORD("passed", ALLOW),
                                                VERDICT_WORD("accept", ALLOW),
                                                VERDICT_WORD("accept decisively", ALLOW),
                                                VERDICT_WORD("established", ALLOW),
                                                VERDICT_WORD("open", ALLOW),
                                                VERDICT_WORD("closed", ALLOW),
                                                VERDICT_WORD("drop", DROP),
                                                VERDICT_WORD("packet dropped", DROP),
                                                VERDICT_WORD("attack started", ALERT),
                                                VERDICT_WORD("attack sampled", ALERT),
                                                VERDICT_WORD("transparent", ALERT),
                                                VERDICT_WORD("unblocked", ALERT)};
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

const struct parser parser_f5 = {
    .name = "f5",
    .format = FORMAT_F5,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .in_structured = true,
    .key_at = key_at,
};
