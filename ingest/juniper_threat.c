#include "ingest/juniper_threat.h"

#include "ingest/phrase.h"
#include "ingest/url.h"

enum {
    COLUMN_TEXT = 8, /* what stands between the values and is not always the same */
    ENDS_COUNT = 4,  /* addresses and ports: a line without them is of another kind */
};

/* A value by the words around it. */
struct place {
    struct slice before;
    struct slice behind;
    uint16_t field;
    bool next; /* `before` must come at once; else it is looked for */
};

#define PLACE(prior, after, name, at_once)                                            \
    {                                                                                 \
        .before = {.data = (prior), .len = sizeof(prior) - 1},                        \
        .behind = {.data = (after), .len = sizeof(after) - 1}, .field = FIELD_##name, \
        .next = (at_once)                                                             \
    }

static const struct place ATTACK[] = {
    PLACE("log <", "/", SOURCE_IP, false),
    PLACE("/", "->", SOURCE_PORT, true),
    PLACE("->", "/", DESTINATION_IP, true),
    PLACE("/", ">", DESTINATION_PORT, true),
    PLACE("> for ", " ", NETWORK_TRANSPORT, true),
    PLACE(" application ", " ", NETWORK_APPLICATION, false),
    PLACE(" rule ", " ", RULE_ID, false),
    PLACE(" policy ", ". ", RULE_NAME, false),
    PLACE("action=", ",", EVENT_OUTCOME, false),
    PLACE("threat-severity=", ",", EVENT_SEVERITY, false),
    PLACE(" name=", ",", THREAT_NAME, false),
    PLACE("intf:", ":", OBSERVER_INGRESS_ZONE, false),
    PLACE(":", "->", OBSERVER_INGRESS, true),
    PLACE("->", ":", OBSERVER_EGRESS_ZONE, true),
    PLACE(":", ",", OBSERVER_EGRESS, true),
    PLACE("username=", ",", USER_NAME, false),
};

static const struct place WEB[] = {
    PLACE("\" ", "(", SOURCE_IP, false),
    PLACE("(", ")", SOURCE_PORT, true),
    PLACE(")->", "(", DESTINATION_IP, true),
    PLACE("(", ")", DESTINATION_PORT, true),
    PLACE("CATEGORY=\"", "\"", RULE_CATEGORY, false),
    PLACE("REASON=\"", "\"", EVENT_REASON, false),
    PLACE("PROFILE=\"", "\"", RULE_RULESET, false),
    PLACE("URL=", " ", URL_DOMAIN, false),
    PLACE("OBJ=", " ", URL_PATH, false),
    PLACE("USERNAME=", " ", USER_NAME, false),
    PLACE(" username ", " ", USER_NAME, false),
};

static bool add_value(struct cursor *c, const char *from, const char *to, uint16_t field)
{
    const uint32_t at = cursor_offset(c, from);
    const uint32_t length = (uint32_t)(to - from);
    if (field == FIELD_USER_NAME)
        return account_slots(c->out, c->line, at, length, SLOT_PLAIN);
    if (field == FIELD_URL_PATH)
        return url_slots(c->out, c->line, at, length, SLOT_PLAIN);
    return cursor_add(c, from, to, field);
}

/* Where the value of `place` begins, in what is left, or NULL. */
static const char *value_at(const struct cursor *c, const struct place *place)
{
    const char *from = place->next && !slice_starts(cursor_rest(c), place->before)
                           ? NULL
                           : cursor_find(c, place->before);
    return from == NULL ? NULL : from + place->before.len;
}

/* Append the text between two values, unless it is only the words of the place. */
static bool add_text(struct cursor *c, const char *from, const char *to, size_t words)
{
    return to <= from + words || cursor_add(c, from, to, FIELD_COLUMN(COLUMN_TEXT));
}

/* The values in their order, with the text between them. Linear for each place. */
static enum parse_result read_places(struct cursor *c, const struct place *places, size_t count)
{
    const uint32_t mark = c->out->count;
    const char *told = c->at;
    for (size_t i = 0; i < count; i++) {
        const char *from = value_at(c, &places[i]);
        struct cursor inside = *c;
        inside.at = from == NULL ? c->at : from;
        const char *to = from == NULL ? NULL : cursor_find(&inside, places[i].behind);
        if (to == NULL && i < ENDS_COUNT) {
            c->out->count = mark;
            return PARSE_MISMATCH;
        }
        if (from == NULL)
            continue;
        to = to == NULL ? c->end : to;
        c->at = to;
        const struct slice value = slice_of(from, (size_t)(to - from));
        if (value.len == 0 || slice_equal(value, SLICE("N/A")))
            continue;
        if (!add_text(c, told, from, places[i].before.len) ||
            !add_value(c, from, to, places[i].field))
            return PARSE_PARTIAL;
        told = to;
    }
    c->at = c->end;
    return add_text(c, told, c->end, 0) ? PARSE_OK : PARSE_PARTIAL;
}

enum parse_result juniper_attack_read(struct cursor *c)
{
    return read_places(c, ATTACK, sizeof(ATTACK) / sizeof(ATTACK[0]));
}

enum parse_result juniper_web_read(struct cursor *c)
{
    return read_places(c, WEB, sizeof(WEB) / sizeof(WEB[0]));
}

#define CONTENT(PHRASE)                                           \
    PHRASE(" from ", SOURCE_IP, SOURCE_PORT, ADDRESS, 0)          \
    PHRASE(" to ", DESTINATION_IP, DESTINATION_PORT, ADDRESS, 0)  \
    PHRASE("->", DESTINATION_IP, DESTINATION_PORT, ADDRESS, 0)    \
    PHRASE(" source-zone ", OBSERVER_INGRESS_ZONE, NONE, WORD, 0) \
    PHRASE(" source-name ", SOURCE_DOMAIN, NONE, WORD, 0)         \
    PHRASE("SRC_ZONE=", OBSERVER_INGRESS_ZONE, NONE, WORD, 0)     \
    PHRASE("DST_ZONE=", OBSERVER_EGRESS_ZONE, NONE, WORD, 0)      \
    PHRASE("SESSION_ID=", NETWORK_SESSION, NONE, WORD, 0)         \
    PHRASE("FILE=", FILE_NAME, NONE, WORD, 0)                     \
    PHRASE("ERROR_MSG=", EVENT_REASON, NONE, REST, 0)             \
    PHRASE(" Protocol:", NETWORK_PROTOCOL, NONE, WORD, 0)         \
    PHRASE(" profile ", RULE_RULESET, NONE, WORD, 0)              \
    PHRASE(" profile-name ", RULE_RULESET, NONE, WORD, 0)         \
    PHRASE(" file ", FILE_NAME, NONE, WORD, 0)                    \
    PHRASE(" virus ", THREAT_NAME, NONE, WORD, 0)                 \
    PHRASE(" action ", EVENT_OUTCOME, NONE, WORD, 0)              \
    PHRASE(" (", SOURCE_IP, SOURCE_PORT, ADDRESS, ')')            \
    PHRASE(" ", SOURCE_IP, SOURCE_PORT, ADDRESS, '-')

PHRASE_TABLE(CONTENT_TABLE, CONTENT);

/* " username taro roles N/A" at the end. */
static bool add_content_user(struct cursor *c, const char *from)
{
    const char *to = scan_byte(from, c->end, ' ');
    const struct slice user = slice_of(from, (size_t)(to - from));
    if (user.len > 0 && !slice_equal(user, SLICE("N/A")) &&
        !add_value(c, from, to, FIELD_USER_NAME))
        return false;
    return to == c->end || cursor_add(c, to, c->end, FIELD_COLUMN(COLUMN_TEXT));
}

/* A reason has several words: it goes on up to the user. */
enum parse_result juniper_content_read(struct cursor *c)
{
    static const struct slice USER = {.data = " username ", .len = 10};
    static const struct slice REASON = {.data = " reason ", .len = 8};
    const char *user = cursor_find(c, USER);
    const char *told = user == NULL ? c->end : user;
    const char *reason = cursor_find(c, REASON);
    reason = reason == NULL || reason + REASON.len >= told ? NULL : reason;
    bool added = phrase_tell(c, &CONTENT_TABLE, c->at, reason == NULL ? told : reason) &&
                 (reason == NULL || cursor_add(c, reason + REASON.len, told, FIELD_EVENT_REASON)) &&
                 (user == NULL || add_content_user(c, user + USER.len));
    c->at = c->end;
    return added ? PARSE_OK : PARSE_PARTIAL;
}
