#include "ingest/panos_text.h"

#include "ingest/url.h"
#include "ingest/word.h"

/* What stands before a value. Words are separated by blanks, so a phrase begins a word. */
struct phrase {
    struct slice text;   /* with its blank */
    struct slice behind; /* what follows the value; may be empty */
    bool account;        /* else an address, or the name of a server */
    bool name_allowed;   /* a server may be written by name */
    uint16_t ip;
    uint16_t port;
    uint16_t domain;
};

#define ACCOUNT(phrase)                                                        \
    {                                                                          \
        .text = {.data = (phrase), .len = sizeof(phrase) - 1}, .account = true \
    }
#define ACCOUNT_BEFORE(phrase, follows)                                            \
    {                                                                              \
        .text = {.data = (phrase), .len = sizeof(phrase) - 1},                     \
        .behind = {.data = (follows), .len = sizeof(follows) - 1}, .account = true \
    }
#define PEER(phrase, role, may_be_name)                                                       \
    {                                                                                         \
        .text = {.data = (phrase), .len = sizeof(phrase) - 1}, .name_allowed = (may_be_name), \
        .ip = FIELD_##role##_IP, .port = FIELD_##role##_PORT, .domain = FIELD_##role##_DOMAIN \
    }
#define PORT(phrase, role)                                                                 \
    {                                                                                      \
        .text = {.data = (phrase), .len = sizeof(phrase) - 1}, .port = FIELD_##role##_PORT \
    }

static const struct phrase PHRASES[] = {
    ACCOUNT("for user "),
    ACCOUNT("authenticating user "),
    ACCOUNT("user name: "),
    ACCOUNT_BEFORE("User ", " logged in "),
    ACCOUNT_BEFORE("User ", " logged out "),
    ACCOUNT("User name: "),
    PEER("from ", SOURCE, false),
    PEER("From: ", SOURCE, false),
    PEER("from: ", SOURCE, false),
    PEER("initiated by: ", SOURCE, false),
    PEER("initiated by ", SOURCE, false),
    PEER("server address ", DESTINATION, true),
    PEER("Server Address ", DESTINATION, true),
    PEER("connected to server ", DESTINATION, true),
    PEER("connect to address: ", DESTINATION, false),
    PEER("IP: ", DESTINATION, false),
    PORT("port: ", DESTINATION),
};

struct text_scan {
    struct slots *out;
    struct slice line;
    uint32_t told; /* everything before is in a slot or a quote's place */
    uint32_t end;
    uint8_t kind;
};

static const struct phrase *phrase_at(const struct text_scan *t, uint32_t at)
{
    struct slice rest = slice_of(t->line.data + at, t->end - at);
    for (size_t i = 0; i < sizeof(PHRASES) / sizeof(PHRASES[0]); i++) {
        const struct phrase *p = &PHRASES[i];
        if (*p->text.data != *rest.data || !slice_starts(rest, p->text))
            continue;
        const char *blank = memchr(rest.data + p->text.len, ' ', rest.len - p->text.len);
        size_t value_end = blank == NULL ? rest.len : (size_t)(blank - rest.data);
        if (p->behind.len == 0 || slice_starts(slice_from_offset(rest, value_end), p->behind))
            return p;
    }
    return NULL;
}

/*
 * Where a value without quotes ends. An account may end in a dot of its own: only the dot of a
 * sentence, which several blanks or the end follow, is taken off. No address ends in a dot.
 */
static uint32_t bare_end(const struct text_scan *t, uint32_t from, bool account)
{
    const char *text = t->line.data;
    uint32_t at = from;
    while (at < t->end && text[at] != ' ' && text[at] != ',' && text[at] != '"')
        at++;
    if (at == from || text[at - 1] != '.')
        return at;
    bool sentence = at == t->end || at + 1 == t->end || text[at + 1] == ' ';
    return !account || sentence ? at - 1 : at;
}

/* The value behind a phrase: [*from, *to). */
static bool value_find(const struct text_scan *t, uint32_t at, bool account, uint32_t *from,
                       uint32_t *to)
{
    const char *text = t->line.data;
    if (at < t->end && text[at] == '\'') {
        const char *close = memchr(text + at + 1, '\'', t->end - at - 1);
        if (close == NULL)
            return false;
        *from = at + 1;
        *to = (uint32_t)(close - text);
    } else {
        *from = at;
        *to = bare_end(t, at, account);
    }
    return *to > *from;
}

/* The text since the last value. */
static bool tell_text(struct text_scan *t, uint32_t to)
{
    return to <= t->told || slots_add(t->out, t->told, to - t->told, FIELD_MESSAGE, t->kind);
}

/* address, address:port or name; *taken says whether it was any of these. */
static bool tell_peer(struct text_scan *t, const struct phrase *p, uint32_t from, uint32_t to,
                      bool *taken)
{
    const char *text = t->line.data;
    struct slice whole = slice_of(text + from, to - from);
    uint32_t host_end = to;
    if (!url_host_is_address(whole)) {
        const char *colon = memrchr(whole.data, ':', whole.len);
        if (colon != NULL)
            host_end = (uint32_t)(colon - text);
    }
    bool address = url_host_is_address(slice_of(text + from, host_end - from));
    *taken = host_end > from && (address || p->name_allowed);
    if (!*taken)
        return true;
    if (!tell_text(t, from) ||
        !slots_add(t->out, from, host_end - from, address ? p->ip : p->domain, t->kind))
        return false;
    t->told = host_end;
    if (host_end + 1 >= to)
        return true;
    t->told = to;
    return slots_add(t->out, host_end + 1, to - host_end - 1, p->port, t->kind);
}

static bool tell_account(struct text_scan *t, uint32_t from, uint32_t to)
{
    if (!tell_text(t, from))
        return false;
    t->told = to;
    return account_slots(t->out, t->line, from, to - from, t->kind);
}

/* A number; *taken as for a peer. */
static bool tell_port(struct text_scan *t, const struct phrase *p, uint32_t from, uint32_t to,
                      bool *taken)
{
    for (uint32_t i = from; i < to; i++) {
        *taken = t->line.data[i] >= '0' && t->line.data[i] <= '9';
        if (!*taken)
            return true;
    }
    if (!tell_text(t, from))
        return false;
    t->told = to;
    return slots_add(t->out, from, to - from, p->port, t->kind);
}

static bool tell_value(struct text_scan *t, const struct phrase *p, uint32_t from, uint32_t to,
                       bool *taken)
{
    *taken = true;
    if (p->account)
        return tell_account(t, from, to);
    return p->ip != 0 ? tell_peer(t, p, from, to, taken) : tell_port(t, p, from, to, taken);
}

bool panos_text_slots(struct slots *out, struct slice line, const struct slot *s)
{
    struct text_scan t = {
        .out = out, .line = line, .told = s->offset, .end = s->offset + s->length, .kind = s->kind};
    bool word = true;
    for (uint32_t at = s->offset; at < t.end; at++) {
        const bool begins = word && word_is_letter(line.data[at]);
        const struct phrase *p = begins ? phrase_at(&t, at) : NULL;
        word = line.data[at] == ' ';
        uint32_t from;
        uint32_t to;
        if (p == NULL || !value_find(&t, at + (uint32_t)p->text.len, p->account, &from, &to))
            continue;
        bool taken = true;
        if (!tell_value(&t, p, from, to, &taken))
            return false;
        if (taken)
            at = to - 1;
    }
    if (t.told == s->offset)
        return slots_add(out, s->offset, s->length, FIELD_MESSAGE, s->kind);
    return tell_text(&t, t.end);
}
