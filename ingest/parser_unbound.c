/*
 * Unbound's queries and replies; all else is a message:
 *
 *   [1795222800] unbound[77:0] info: 192.0.2.7 www.example.com. A IN
 *   [77:0] query: 192.0.2.7 www.example.com. A IN
 *   [77:0] reply: 192.0.2.7 www.example.com. A IN NOERROR 0.017445 0 51
 */
#include "event/verdict.h"
#include "ingest/parsers.h"
#include "ingest/url.h"
#include "ingest/word.h"
#include "ingest/words.h"

enum {
    COLUMN_THREAD = 0,  /* 77:0 */
    COLUMN_SECONDS = 1, /* it took */
    COLUMN_CACHED = 2,
    COLUMN_TRIGGER = 3, /* of a response policy */
    POLICY_WORDS = 6,
};

static const struct slice LEVELS[] = {{"info: ", 6},  {"query: ", 7},       {"reply: ", 7},
                                      {"error: ", 7}, {"notice: ", 8},      {"warning: ", 9},
                                      {"debug: ", 7}, {"fatal error: ", 13}};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* "77:0" */
static bool is_thread(const struct word *word)
{
    const char *colon = scan_byte(word->from, word->to, ':');
    if (colon == word->from || colon + 1 >= word->to)
        return false;
    for (const char *p = word->from; p < word->to; p++) {
        if (p != colon && !(p < colon ? is_digit(*p) : is_hex(*p)))
            return false;
    }
    return true;
}

/* Which level comes next, stepping over it; NULL for none. */
static const struct slice *next_level(struct words *w)
{
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        if (slice_starts(slice_of(w->at, (size_t)(w->end - w->at)), LEVELS[i])) {
            w->at += LEVELS[i].len;
            return &LEVELS[i];
        }
    }
    return NULL;
}

/* Behind the question: rcode, seconds, 1 for the cache, bytes. */
static enum parse_result add_reply(struct words *w)
{
    static const uint16_t FIELDS[] = {FIELD_EVENT_OUTCOME, FIELD_COLUMN(COLUMN_SECONDS),
                                      FIELD_COLUMN(COLUMN_CACHED), FIELD_DESTINATION_BYTES};
    struct word word;
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]) && words_next(w, &word); i++) {
        if (!words_add(w, &word, FIELDS[i]))
            return PARSE_PARTIAL;
    }
    return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
}

/* "[rpz: applied [list] ]zone. action address@port name. type class" of local data and policies. */
static bool is_policy(struct words w, struct word *list, struct word parts[POLICY_WORDS])
{
    *list = (struct word){0};
    if (slice_starts(slice_of(w.at, (size_t)(w.end - w.at)), SLICE("rpz: applied "))) {
        w.at += SLICE("rpz: applied ").len;
        if (!words_next(&w, list) || !list->bracketed)
            return false;
    }
    for (size_t i = 0; i < POLICY_WORDS; i++) {
        if (!words_next(&w, &parts[i]))
            return false;
    }
    const char *at = scan_byte(parts[2].from, parts[2].to, '@');
    return at < parts[2].to &&
           url_host_is_address(slice_of(parts[2].from, (size_t)(at - parts[2].from)));
}

static bool add_policy(struct words *w, const struct word *list,
                       const struct word parts[POLICY_WORDS])
{
    const char *at = scan_byte(parts[2].from, parts[2].to, '@');
    struct word address = {.from = parts[2].from, .to = at};
    struct word port = {.from = at + 1, .to = parts[2].to};
    const bool listed = list->from != list->to;
    return (!listed || words_add(w, list, FIELD_RULE_NAME)) &&
           words_add(w, &parts[0], listed ? FIELD_COLUMN(COLUMN_TRIGGER) : FIELD_RULE_NAME) &&
           words_add(w, &parts[1], FIELD_EVENT_ACTION) && words_add(w, &address, FIELD_SOURCE_IP) &&
           words_add(w, &port, FIELD_SOURCE_PORT) &&
           words_mean(w, &parts[3], FIELD_DNS_QUESTION, MEANING_QUESTION) &&
           words_add(w, &parts[4], FIELD_DNS_TYPE) && words_add(w, &parts[5], FIELD_DNS_CLASS);
}

/* "SERVFAIL <name. type class>: why": the words in front, the question, the reason; or a message. */
static enum parse_result add_failure(struct words *w)
{
    words_skip_blanks(w);
    const char *open = scan_byte(w->at, w->end, '<');
    const char *close = scan_byte(open, w->end, '>');
    struct words inside = *w;
    struct word parts[3];
    inside.at = open < w->end ? open + 1 : open;
    inside.end = close;
    if (close == w->end || open - w->at < 2 || !words_next(&inside, &parts[0]) ||
        !words_next(&inside, &parts[1]) || !words_next(&inside, &parts[2]))
        return words_rest(w, FIELD_MESSAGE) ? PARSE_OK : PARSE_PARTIAL;
    struct word front = {.from = w->at, .to = open - 1};
    if (!words_add(w, &front, FIELD_MESSAGE) ||
        !words_mean(w, &parts[0], FIELD_DNS_QUESTION, MEANING_QUESTION) ||
        !words_add(w, &parts[1], FIELD_DNS_TYPE) || !words_add(w, &parts[2], FIELD_DNS_CLASS))
        return PARSE_PARTIAL;
    w->at = close + 1;
    if (w->at < w->end && *w->at == ':')
        w->at++;
    return words_rest(w, FIELD_EVENT_REASON) ? PARSE_OK : PARSE_PARTIAL;
}

/* "address name type class [...]", what a policy did, or a message. */
static enum parse_result add_text(struct words *w)
{
    struct word list;
    struct word policy[POLICY_WORDS];
    if (is_policy(*w, &list, policy))
        return add_policy(w, &list, policy) ? PARSE_OK : PARSE_PARTIAL;
    struct words start = *w;
    struct word client;
    struct word name;
    struct word type;
    struct word class;
    bool question = words_next(w, &client) && url_host_is_address(word_text(&client)) &&
                    words_next(w, &name) && words_next(w, &type) && words_next(w, &class);
    if (!question) {
        *w = start;
        return add_failure(w);
    }
    if (!words_add(w, &client, FIELD_SOURCE_IP) ||
        !words_mean(w, &name, FIELD_DNS_QUESTION, MEANING_QUESTION) ||
        !words_add(w, &type, FIELD_DNS_TYPE) || !words_add(w, &class, FIELD_DNS_CLASS))
        return PARSE_PARTIAL;
    return add_reply(w);
}

/* "[1795222800] unbound[77:0] " or "[77:0] ", from *w on; *time is empty for the second. */
static bool read_start(struct words *w, struct word *time, struct word *thread)
{
    *time = (struct word){0};
    words_skip_blanks(w);
    if (!words_next(w, thread) || !thread->bracketed)
        return false;
    if (!is_thread(thread)) {
        *time = *thread;
        words_skip_blanks(w);
        const char *open = scan_either(w->at, w->end, '[', ' ');
        if (open == w->end || *open != '[' ||
            !slice_equal(slice_of(w->at, (size_t)(open - w->at)), SLICE("unbound")))
            return false;
        w->at = open;
        if (!words_next(w, thread) || !is_thread(thread))
            return false;
    }
    words_skip_blanks(w);
    return true;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct words w = words_of(out, line, from);
    struct word time;
    struct word thread;
    (void)state;
    if (!read_start(&w, &time, &thread))
        return PARSE_MISMATCH;
    const char *at = w.at;
    const struct slice *level = next_level(&w);
    if (level == NULL)
        return PARSE_MISMATCH;
    struct word word = {.from = at, .to = at + level->len - 2};
    if ((time.from != time.to && !words_mean(&w, &time, FIELD_TIME_STAMP, MEANING_TIME)) ||
        !words_add(&w, &thread, FIELD_COLUMN(COLUMN_THREAD)) ||
        !words_add(&w, &word, FIELD_EVENT_DATASET))
        return PARSE_PARTIAL;
    return add_text(&w);
}

static bool probe(struct slice message)
{
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    struct words w = words_of(NULL, message, 0);
    struct word time;
    struct word thread;
    return read_start(&w, &time, &thread) && next_level(&w) != NULL;
}

/* The kinds of local zones and what response policies do. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("transparent", ALLOW),
        VERDICT_WORD("typetransparent", ALLOW),
        VERDICT_WORD("always_transparent", ALLOW),
        VERDICT_WORD("rpz-passthru", ALLOW),
        VERDICT_WORD("inform", ALERT),
        VERDICT_WORD("deny", DROP),
        VERDICT_WORD("inform_deny", DROP),
        VERDICT_WORD("always_deny", DROP),
        VERDICT_WORD("rpz-drop", DROP),
        VERDICT_WORD("refuse", DENY),
        VERDICT_WORD("always_refuse", DENY),
        VERDICT_WORD("static", BLOCK),
        VERDICT_WORD("redirect", BLOCK),
        VERDICT_WORD("inform_redirect", BLOCK),
        VERDICT_WORD("always_nxdomain", BLOCK),
        VERDICT_WORD("always_nodata", BLOCK),
        VERDICT_WORD("always_null", BLOCK),
        VERDICT_WORD("rpz-nxdomain", BLOCK),
        VERDICT_WORD("rpz-nodata", BLOCK),
        VERDICT_WORD("rpz-cname-override", BLOCK),
        VERDICT_WORD("rpz-local-data", BLOCK),
    };
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_unbound = {
    .name = "unbound",
    .format = FORMAT_UNBOUND,
    .kind = PARSER_OTHER,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
