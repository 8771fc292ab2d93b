/*
 * Junos of the SRX series: traffic and threats as structured data or as text, and what its daemons
 * say of people.
 *
 *   RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.142 reason="TCP FIN" source-address="192.0.2.7" ...]
 *   RT_FLOW: RT_FLOW_SESSION_CREATE: session created 192.0.2.7/5000->198.51.100.9/25 0x0 smtp ...
 *   RT_SCREEN_TCP: SYN flood! source: 192.0.2.7:5000, destination: 198.51.100.9:80, zone name: ...
 *   mgd[77]: UI_CMDLINE_READ_LINE: User 'taro' command 'show version '
 *
 * The name of the message is the action; with RFC 5424 it stands in the header's MSGID. Where
 * nothing is translated, the translated addresses are those of the line.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/juniper_flow.h"
#include "ingest/juniper_threat.h"
#include "ingest/pairs.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    COLUMN_TAG = 0, /* the daemon's name in the message */
    COLUMN_PID = 1, /* and its process */
    TAG_MAX_BYTES = 64,
    NAME_MIN_BYTES = 4, /* of a message's name */
};

enum treatment {
    TREATMENT_NONE = PAIR_NONE,
    TREATMENT_ABSENT = PAIR_ABSENT,
    TREATMENT_URL = PAIR_URL,
    TREATMENT_ACCOUNT = PAIR_ACCOUNT,
    TREATMENT_OWN_HOST = PAIR_OWN, /* a host name without scheme, maybe with a path */
};

static const struct pair_key KEYS[] = {
#define KEY(text, field_name, treat) PAIR_KEY(text, field_name, TREATMENT_##treat),
#include "ingest/juniper_srx_keys.def"
#undef KEY
};

static bool add_own(struct pairs *p, const struct pair *pair)
{
    const char *from = pair->value;
    const uint32_t length = (uint32_t)(pair->close - from);
    const char *slash = scan_byte(from, pair->close, '/');
    if (scan_has(slice_of(from, length), SLICE("://")))
        return url_slots(p->out, p->line, (uint32_t)(from - p->line.data), length, pair->key->kind);
    return pairs_absent(p, pair) || from == slash ||
           (pairs_add(p, pair, from, slash, FIELD_URL_DOMAIN) &&
            (slash == pair->close || url_slots(p->out, p->line, (uint32_t)(slash - p->line.data),
                                               (uint32_t)(pair->close - slash), pair->key->kind)));
}

static const struct pairs_style STYLE = {
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .assign = {.data = "=", .len = 1},
    .quoted_kind = SLOT_C_ESCAPED,
    .absent = {.data = "N/A", .len = 3},
    .own = add_own,
};

/* The end of a message's name at p (capitals, digits, an underscore at least), or p. */
static const char *name_end(const char *p, const char *end)
{
    const char *at = p;
    bool underscore = false;
    while (at < end && at - p < TAG_MAX_BYTES &&
           ((*at >= 'A' && *at <= 'Z') || word_is_digit(*at) || *at == '_')) {
        underscore |= *at == '_';
        at++;
    }
    bool closed = at == end || *at == ':' || *at == ' ';
    return underscore && closed && at - p >= NAME_MIN_BYTES ? at : p;
}

/* The end of "name[77]: " or "name: " at p, or NULL; *tag and *pid are its parts. */
static const char *tag_end(const char *p, const char *end, struct slice *tag, struct slice *pid)
{
    const char *at = p;
    while (at < end && at - p < TAG_MAX_BYTES && *at != ' ' && *at != ':' && *at != '[')
        at++;
    if (at == p || at == end || *at == ' ')
        return NULL;
    const char *name = at;
    *pid = SLICE("");
    if (*at == '[') {
        const char *from = ++at;
        while (at < end && word_is_digit(*at))
            at++;
        if (at == from || at == end || *at != ']')
            return NULL;
        *pid = slice_of(from, (size_t)(at - from));
        at++;
    }
    if (end - at < 2 || at[0] != ':' || at[1] != ' ')
        return NULL;
    *tag = slice_of(p, (size_t)(name - p));
    return at + 2;
}

/* "RT_FLOW: ", "mgd[77]: ", then the message's name, if there is one. */
static bool read_name(struct cursor *c, struct slice *name)
{
    *name = SLICE("");
    while (c->at < c->end) {
        const char *to = name_end(c->at, c->end);
        const bool again = to < c->end && *to == ':' && name_end(to + 2, c->end) > to + 2;
        if (to > c->at && !again) {
            *name = slice_of(c->at, (size_t)(to - c->at));
            c->at = to;
            (void)cursor_take(c, SLICE(":"));
            cursor_skip_blanks(c);
            return cursor_add_slice(c, *name, FIELD_EVENT_ACTION);
        }
        struct slice tag = SLICE("");
        struct slice pid = SLICE("");
        const char *next = tag_end(c->at, c->end, &tag, &pid);
        if (next == NULL)
            return true;
        if (!cursor_add_slice(c, tag, FIELD_COLUMN(COLUMN_TAG)) ||
            (pid.len > 0 && !cursor_add_slice(c, pid, FIELD_COLUMN(COLUMN_PID))))
            return false;
        c->at = next;
    }
    return true;
}

static bool is_data(struct slice text)
{
    return slice_starts(text, SLICE("[junos@"));
}

static enum parse_result read_data(struct cursor *c, struct parser_state *state)
{
    struct pairs p = {.style = &STYLE,
                      .order = pairs_order(state),
                      .out = c->out,
                      .line = c->line,
                      .end = word_data_end(c->at, c->end),
                      .separator = ' '};
    (void)cursor_word(c);
    const bool open = p.end == c->end;
    if (c->at > p.end)
        return PARSE_PARTIAL;
    enum parse_result result = pairs_read(&p, c->at);
    c->at = p.end + !open;
    cursor_skip_blanks(c);
    if (c->at < c->end && !cursor_add(c, c->at, c->end, FIELD_MESSAGE))
        return PARSE_PARTIAL;
    return open ? PARSE_PARTIAL : result;
}

/*
 * RFC 5424: the header's reader took the name of the message, and the data too where a text
 * follows them. Gives the name back, and where the message begins.
 */
static uint32_t take_header(struct slice line, uint32_t from, struct slots *out, bool *named)
{
    struct slot *id = NULL;
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i].field == FIELD_LOG_MSGID)
            id = &out->items[i];
    }
    const struct slot *last = out->count == 0 ? NULL : &out->items[out->count - 1];
    if (last != NULL && last->field == FIELD_LOG_STRUCTURED &&
        is_data(slice_of(line.data + last->offset, last->length))) {
        from = last->offset;
        out->count--;
    }
    *named = id != NULL && is_data(slice_from_offset(line, from));
    if (*named)
        id->field = FIELD_EVENT_ACTION;
    return from;
}

static bool slots_have(const struct slots *slots, uint16_t field)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        if (slots->items[i].field == field)
            return true;
    }
    return false;
}

/* What an inspection found, as text; PARSE_MISMATCH where it is none of the known ones. */
static enum parse_result read_threat(struct cursor *c, struct slice name)
{
    if (slice_starts(name, SLICE("IDP_ATTACK_LOG_EVENT")))
        return juniper_attack_read(c);
    if (slice_starts(name, SLICE("AV_")) || slice_starts(name, SLICE("ANTISPAM_")) ||
        slice_starts(name, SLICE("CONTENT_FILTERING_")))
        return juniper_content_read(c);
    return slice_starts(name, SLICE("WEBFILTER_URL_")) ? juniper_web_read(c) : PARSE_MISMATCH;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    bool named = false;
    struct slice name = SLICE("");
    from = take_header(line, from, out, &named);
    struct cursor c = cursor_at(out, line, from);
    cursor_skip_blanks(&c);
    if (c.at == c.end)
        return PARSE_MISMATCH;
    const uint32_t mark = out->count;
    const bool tagged = slots_have(out, FIELD_LOG_APPNAME);
    if (!named && !read_name(&c, &name))
        return PARSE_PARTIAL;
    if (is_data(cursor_rest(&c)))
        return read_data(&c, state);
    enum parse_result threat = read_threat(&c, name);
    if (threat != PARSE_MISMATCH)
        return threat;
    if (slice_starts(name, SLICE("RT_FLOW_SESSION_")) ||
        slice_starts(cursor_rest(&c), SLICE("AppTrack session ")))
        return juniper_flow_read(&c);
    if (slice_starts(name, SLICE("RT_SCREEN_")))
        return juniper_screen_read(&c);
    enum parse_result result = juniper_daemon_read(&c, name.len > 0);
    bool known = tagged || out->count > mark + 1 || out->items[mark].field != FIELD_MESSAGE;
    return known ? result : PARSE_MISMATCH;
}

static bool probe(struct slice message)
{
    static const struct slice NAMES[] = {
        {"RT_FLOW", 7},      {"RT_IDP", 6},    {"RT_SCREEN", 9},   {"RT_UTM", 6},
        {"RT_AAMW", 7},      {"APPTRACK_", 9}, {"UI_", 3},         {"IDP_", 4},
        {"L2ALD_", 6},       {"AV_", 3},       {"WEBFILTER_", 10}, {"SSHD_", 5},
        {"KMD_", 4},         {"SNMP_TRAP", 9}, {"SECINTEL_", 9},   {"ANTISPAM_", 9},
        {"LOGIN_", 6},       {"SRX_AAMW", 8},  {"FWAUTH_", 7},     {"CONTENT_FILTER", 14},
        {"CHASSISD_", 9},    {"JSRPD_", 6},    {"RPD_", 4},        {"PFE_", 4},
        {"DYNAMIC_VPN_", 12}};
    struct slice head = word_head(message);
    if (word_find(head, SLICE("[junos@2636.")))
        return true;
    struct slots none = {0};
    struct cursor c = cursor_at(&none, head, 0);
    struct slice name = SLICE("");
    (void)read_name(&c, &name);
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (slice_starts(name, NAMES[i]))
            return true;
    }
    return false;
}

/* Of a threat the device's action stands beside. */
static uint8_t verdict(struct slice action, struct slice outcome)
{
    static const struct verdict_word NAMES[] = {
        VERDICT_WORD("session_deny", DENY),       VERDICT_WORD("session_create", ALLOW),
        VERDICT_WORD("session_close", ALLOW),     VERDICT_WORD("apptrack_session", ALLOW),
        VERDICT_WORD("url_blocked", BLOCK),       VERDICT_WORD("url_permitted", ALLOW),
        VERDICT_WORD("virus_detected", BLOCK),    VERDICT_WORD("content_filtering_blocked", BLOCK),
        VERDICT_WORD("scanned_dropped", BLOCK),   VERDICT_WORD("scanned_passed", ALLOW),
        VERDICT_WORD("scanner_drop_file", BLOCK), VERDICT_WORD("av_huge_file_dropped", BLOCK),
        VERDICT_WORD("spam_detected", ALERT),     VERDICT_WORD("failed password", DENY),
        VERDICT_WORD("accepted password", ALLOW), VERDICT_WORD("accepted publickey", ALLOW),
        VERDICT_WORD("login_failed", DENY),       VERDICT_WORD("ui_auth_event", ALLOW)};
    static const struct verdict_word OUTCOMES[] = {
        VERDICT_WORD("without-drop", ALERT), VERDICT_WORD("drop", DROP),
        VERDICT_WORD("close", RESET),        VERDICT_WORD("block", BLOCK),
        VERDICT_WORD("permit", ALLOW),       VERDICT_WORD("none", ALERT),
        VERDICT_WORD("ignore", ALERT),       VERDICT_WORD("alarm", ALERT)};
    uint8_t found =
        outcome.len == 0
            ? VERDICT_UNKNOWN
            : word_verdict_in(OUTCOMES, sizeof(OUTCOMES) / sizeof(OUTCOMES[0]), outcome);
    return found != VERDICT_UNKNOWN
               ? found
               : word_verdict_in(NAMES, sizeof(NAMES) / sizeof(NAMES[0]), action);
}

static struct parser_state *state_new(void)
{
    return pairs_state_new(&STYLE);
}

static const char *key_at(size_t index, uint16_t *field, bool *unnamed)
{
    return pairs_key_at(&STYLE, index, field, unnamed);
}

const struct parser parser_juniper_srx = {
    .name = "juniper_srx",
    .format = FORMAT_JUNIPER_SRX,
    .probe = probe,
    .parse = parse,
    .state_new = state_new,
    .state_free = pairs_state_free,
    .in_structured = true,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
    .key_at = key_at,
};
