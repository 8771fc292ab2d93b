#include "ingest/template.h"

#include "event/verdict.h"
#include "ingest/meaning.h"
#include "ingest/scan.h"
#include "ingest/url.h"

enum {
    BSD_TOKENS = 3,
    OFFSET_BYTES_MIN = 5, /* +0900 */
};

struct reader {
    const struct template *t;
    struct slots *out;
    struct slice line;
    uint32_t at; /* next byte to read */
    uint32_t end;
    bool open; /* a quote or bracket never closed */
};

/* A value: [from, to), without what encloses it. */
struct token {
    uint32_t from;
    uint32_t to;
};

static uint32_t find(const struct reader *r, uint32_t from, char wanted)
{
    const char *text = r->line.data;
    return (uint32_t)(scan_byte(text + from, text + r->end, wanted) - text);
}

/* From an opening byte at r->at to the closing one; the rest of the line when there is none. */
static void enclosed(struct reader *r, char close, struct token *out)
{
    out->from = r->at + 1;
    out->to = find(r, out->from, close);
    r->open = out->to == r->end;
    r->at = r->open ? r->end : out->to + 1;
}

/* Behind a token: the separator, unless the next token is glued to this one. */
static void skip_separator(struct reader *r)
{
    if (r->at < r->end && r->line.data[r->at] == r->t->separator)
        r->at++;
}

static bool next_token(struct reader *r, uint8_t form, struct token *out)
{
    const char *text = r->line.data;
    if (r->t->separator == ' ') {
        while (r->at < r->end && text[r->at] == ' ')
            r->at++;
    }
    if (r->at >= r->end)
        return false;
    if (text[r->at] == r->t->quote) {
        enclosed(r, r->t->quote, out);
    } else if (text[r->at] == '[' && form == TEMPLATE_STAMP) {
        enclosed(r, ']', out);
    } else {
        out->from = r->at;
        out->to = find(r, r->at, r->t->separator);
        r->at = out->to;
    }
    return true;
}

/* A date without brackets takes the offset that follows it along. */
static void join_offset(struct reader *r, struct token *token)
{
    const char *text = r->line.data;
    uint32_t at = token->to + 1;
    if (r->at != token->to || r->end - token->to <= OFFSET_BYTES_MIN ||
        (text[at] != '+' && text[at] != '-') || text[at + 1] == r->t->separator)
        return;
    token->to = find(r, at, r->t->separator);
    r->at = token->to;
}

/* The three tokens of a date without a year are one value. */
static void join_bsd(struct reader *r, struct token *token)
{
    for (int i = 1; i < BSD_TOKENS; i++) {
        struct token more;
        skip_separator(r);
        if (!next_token(r, TEMPLATE_BSD, &more))
            return;
        token->to = more.to;
    }
}

static bool add(struct reader *r, uint32_t from, uint32_t to, uint16_t field, uint8_t kind)
{
    return slots_add(r->out, from, to - from, field, kind);
}

/* METHOD URL [HTTP/version]; what has no blank is a URL alone. */
static bool add_request(struct reader *r, const struct token *token)
{
    const char *text = r->line.data;
    uint32_t from = token->from;
    uint32_t to = token->to;
    const char *blank = memchr(text + from, ' ', to - from);
    if (blank == NULL)
        return url_slots(r->out, r->line, from, to - from, SLOT_PLAIN);
    uint32_t url = (uint32_t)(blank - text) + 1;
    if (!add(r, from, url - 1, FIELD_HTTP_METHOD, SLOT_PLAIN))
        return false;
    const char *last = memrchr(text + url, ' ', to - url);
    uint32_t version = last == NULL ? to : (uint32_t)(last - text) + 1;
    static const struct slice PREFIX = {"HTTP/", 5};
    if (!slice_starts(slice_of(text + version, to - version), PREFIX))
        return url_slots(r->out, r->line, url, to - url, SLOT_PLAIN);
    return url_slots(r->out, r->line, url, version - 1 - url, SLOT_PLAIN) &&
           add(r, version + (uint32_t)PREFIX.len, to, FIELD_HTTP_VERSION, SLOT_PLAIN);
}

static bool add_token(struct reader *r, const struct token *token, uint8_t form, uint16_t field)
{
    uint32_t length = token->to - token->from;
    if (length == 1 && r->line.data[token->from] == '-')
        return true;
    switch ((enum template_form)form) {
    case TEMPLATE_ENCODED:
        return add(r, token->from, token->to, field, SLOT_FORM);
    case TEMPLATE_URL:
        return url_slots(r->out, r->line, token->from, length, SLOT_PLAIN);
    case TEMPLATE_REQUEST:
        return add_request(r, token);
    case TEMPLATE_ACCOUNT:
        return account_slots(r->out, r->line, token->from, length, SLOT_FORM);
    case TEMPLATE_PEER:
        return peer_slots(r->out, r->line, field,
                          &(struct slot){.offset = token->from, .length = length});
    case TEMPLATE_QUERY:
        return add(r, token->from + (length > 0 && r->line.data[token->from] == '?'), token->to,
                   field, SLOT_PLAIN);
    case TEMPLATE_SKIP:
        return true;
    case TEMPLATE_TEXT:
    case TEMPLATE_STAMP:
    case TEMPLATE_BSD:
    case TEMPLATE_FORM_COUNT:
        break;
    }
    return add(r, token->from, token->to, field, SLOT_PLAIN);
}

/* Whether a token of the form is its value as it stands. */
static bool is_plain(uint8_t form)
{
    return form == TEMPLATE_TEXT || form == TEMPLATE_ENCODED;
}

/*
 * Read tokens that are values without quotes, as most are, up to one that is not or whose field has
 * another form; *column is that field's then. False when the slots are full.
 */
static bool plain_tokens(struct reader *r, uint32_t *column)
{
    const struct template *t = r->t;
    const char *text = r->line.data;
    const char *at = text + r->at;
    const char *end = text + r->end;
    uint32_t i = *column;
    for (; i < t->field_count && is_plain(t->fields[i].form); i++) {
        while (t->separator == ' ' && at < end && *at == ' ')
            at++;
        if (at >= end || *at == t->quote)
            break;
        const char *to = scan_byte(at, end, t->separator);
        const struct template_field *f = &t->fields[i];
        uint16_t field = f->field != 0 ? f->field : FIELD_COLUMN(i);
        uint8_t kind = f->form == TEMPLATE_ENCODED ? SLOT_FORM : SLOT_PLAIN;
        bool none = to - at == 1 && *at == '-';
        if (!none && !slots_add(r->out, (uint32_t)(at - text), (uint32_t)(to - at), field, kind))
            return false;
        at = to + (to < end);
    }
    r->at = (uint32_t)(at - text);
    *column = i;
    return true;
}

/* Pass over empty columns, which may be very many; how many. Blanks in a row separate once. */
static uint32_t skip_empty(struct reader *r)
{
    const uint32_t from = r->at;
    while (r->t->separator != ' ' && r->at < r->end && r->line.data[r->at] == r->t->separator)
        r->at++;
    return r->at - from;
}

enum parse_result template_parse(const struct template *t, struct slice line, uint32_t from,
                                 struct slots *out)
{
    struct reader r = {.t = t, .out = out, .line = line, .at = from, .end = (uint32_t)line.len};
    uint32_t column = t->first;
    for (;; column++) {
        if (!plain_tokens(&r, &column))
            return PARSE_PARTIAL;
        if (column >= t->field_count)
            column += skip_empty(&r);
        struct template_field plain = {.form = TEMPLATE_TEXT};
        const struct template_field *f = column < t->field_count ? &t->fields[column] : &plain;
        struct token token;
        if (!next_token(&r, f->form, &token))
            break;
        if (f->form == TEMPLATE_STAMP)
            join_offset(&r, &token);
        else if (f->form == TEMPLATE_BSD)
            join_bsd(&r, &token);
        uint16_t field = f->field != 0 ? f->field : FIELD_COLUMN(column);
        if (!add_token(&r, &token, f->form, field) || r.open)
            return PARSE_PARTIAL;
        skip_separator(&r);
    }
    if (column < t->first + 2)
        return PARSE_MISMATCH;
    return column < t->field_count ? PARSE_PARTIAL : PARSE_OK;
}

uint8_t template_verdict(const struct template *t, struct slice action)
{
    for (uint32_t i = 0; i < t->verdict_count; i++) {
        struct slice word = t->verdicts[i].action;
        if (word.len == action.len && strncasecmp(word.data, action.data, word.len) == 0)
            return t->verdicts[i].verdict;
    }
    return VERDICT_UNKNOWN;
}
