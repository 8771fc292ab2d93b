#include "ingest/w3c.h"

#include "ingest/scan.h"

enum {
    COLUMN_DIRECTIVE = TEMPLATE_FIELDS_MAX + 1, /* what stands behind a directive's colon */
    DATE_BYTES = 10,                            /* 2026-11-21 */
    DATE_COLUMNS_MAX = 8,                       /* the date is one of the first, if it is one */
    AGENT_BYTES_MIN = 8,                        /* of a text that is to look like a user agent */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* How a layout writes what a name means. */
static uint8_t form_of(const struct meaning *meaning)
{
    if (meaning->form == MEANING_REQUEST)
        return TEMPLATE_REQUEST;
    switch (meaning->field) {
    case FIELD_SOURCE_IP:
    case FIELD_DESTINATION_IP:
        return meaning->form == MEANING_PEER ? TEMPLATE_PEER : TEMPLATE_TEXT;
    case FIELD_URL_ORIGINAL:
        return TEMPLATE_URL;
    case FIELD_USER_NAME:
        return TEMPLATE_ACCOUNT;
    case FIELD_URL_QUERY:
        return TEMPLATE_QUERY;
    case FIELD_TIME_STAMP:
        return TEMPLATE_STAMP;
    default:
        return TEMPLATE_TEXT;
    }
}

static struct template_field field_of(struct names_memory *memory, struct slice name)
{
    if (slice_equal(name, SLICE("s-supplier-ip")))
        return (struct template_field){.field = FIELD_DESTINATION_IP, .form = TEMPLATE_TEXT};
    const struct meaning meaning = names_meaning(memory, VENDOR_W3C, VENDOR_W3C, name);
    if (meaning.field == FIELD_UNNAMED)
        return (struct template_field){.form = TEMPLATE_TEXT};
    return (struct template_field){.field = meaning.field, .form = form_of(&meaning)};
}

/*
 * What a proxy connected to: r-ip and r-port say it best; where they are no columns, its supplier
 * and its own port do.
 */
static bool says_best(struct slice name)
{
    return slice_equal(name, SLICE("r-port")) || slice_equal(name, SLICE("r-ip"));
}

static void give_up_field(struct w3c *w, uint32_t count, uint16_t field)
{
    for (uint32_t i = 0; i < count; i++) {
        if (w->fields[i].field == field)
            w->fields[i] = (struct template_field){.form = TEMPLATE_TEXT};
    }
}

/* Has one of the first `count` columns the field? A second one is kept by position. */
static bool has_field(const struct w3c *w, uint32_t count, uint16_t field)
{
    for (uint32_t i = 0; i < count; i++) {
        if (w->fields[i].field == field)
            return true;
    }
    return false;
}

void w3c_layout(struct w3c *w, struct slice names)
{
    const char *end = names.data + names.len;
    while (end > names.data && is_blank(end[-1]))
        end--;
    /* Where tabs part the names they may have blanks: "IP protocol". */
    const char separator = scan_byte(names.data, end, '\t') < end ? '\t' : ' ';
    uint32_t count = 0;
    w->has_agent = false;
    for (const char *p = names.data; count < TEMPLATE_FIELDS_MAX;) {
        while (p < end && is_blank(*p))
            p++;
        if (p == end)
            break;
        const char *stop = scan_byte(p, end, separator);
        struct slice name = slice_of(p, (size_t)(stop - p));
        struct template_field field = field_of(&w->names, name);
        if (says_best(name))
            give_up_field(w, count, field.field);
        bool second_time = field.field == FIELD_TIME_STAMP && has_field(w, count, FIELD_TIME_DATE);
        if (second_time || (field.field != 0 && has_field(w, count, field.field)))
            field = (struct template_field){.form = second_time ? TEMPLATE_STAMP : TEMPLATE_TEXT};
        w->has_agent |= field.field == FIELD_USER_AGENT;
        w->fields[count++] = field;
        p = stop;
    }
    w->layout = (struct template){
        .separator = ' ', .quote = '"', .fields = w->fields, .field_count = count};
}

bool w3c_directive(struct w3c *w, struct slice line, uint32_t from, struct slots *out)
{
    static const struct slice FIELDS = {"#Fields:", 8};
    struct slice text = slice_from_offset(line, from);
    if (text.len == 0 || text.data[0] != '#')
        return false;
    const char *end = text.data + text.len;
    const char *colon = scan_byte(text.data, end, ':');
    const char *value = colon == end ? text.data + 1 : colon + 1;
    while (value < end && is_blank(*value))
        value++;
    if (slice_starts(text, FIELDS))
        w3c_layout(w, slice_of(value, (size_t)(end - value)));
    (void)slots_add(out, (uint32_t)(value - line.data), (uint32_t)(end - value),
                    FIELD_COLUMN(COLUMN_DIRECTIVE), SLOT_PLAIN);
    return true;
}

/* A token of the line: quoted or up to the separator. */
struct token {
    const char *from;
    const char *to;
};

static bool next_token(const char **at, const char *end, char separator, struct token *out)
{
    const char *p = *at;
    while (separator == ' ' && p < end && *p == ' ')
        p++;
    if (p == end)
        return false;
    bool quoted = *p == '"';
    out->from = p + quoted;
    out->to = scan_byte(out->from, end, (char)(quoted ? '"' : separator));
    p = out->to + (quoted && out->to < end);
    *at = p < end && *p == separator ? p + 1 : p;
    return true;
}

/* "Mozilla/5.0 (X11)", "curl/8.0": a word, a slash, a number. */
static bool looks_like_agent(const struct token *t)
{
    if (t->to - t->from < AGENT_BYTES_MIN || *t->from == '/')
        return false;
    const char *slash = scan_byte(t->from, t->to, '/');
    if (slash == t->to || slash + 1 == t->to || slash[1] < '0' || slash[1] > '9')
        return false;
    return scan_byte(t->from, slash, '.') == slash && scan_byte(t->from, slash, ':') == slash;
}

/* How many tokens, up to `limit`, and which of them looks like a user agent (or UINT32_MAX). */
static uint32_t count_tokens(struct slice text, char separator, uint32_t limit, uint32_t *agent)
{
    const char *at = text.data;
    const char *end = text.data + text.len;
    uint32_t count = 0;
    struct token t;
    *agent = UINT32_MAX;
    for (; count < limit && next_token(&at, end, separator, &t); count++) {
        if (*agent == UINT32_MAX && looks_like_agent(&t))
            *agent = count;
    }
    return count;
}

/* Does the line have a date, NNNN-NN-NN, where the names say so? Then it is one of theirs. */
static bool has_date(const struct w3c *w, struct slice text, char separator)
{
    const char *at = text.data;
    const char *end = text.data + text.len;
    struct token t;
    for (uint32_t i = 0; i < w->layout.field_count && i < DATE_COLUMNS_MAX; i++) {
        if (!next_token(&at, end, separator, &t))
            return i > 0;
        if (w->fields[i].field == FIELD_TIME_DATE)
            return t.to - t.from == DATE_BYTES && t.from[4] == '-' && t.from[7] == '-';
    }
    return true;
}

enum parse_result w3c_parse(struct w3c *w, struct slice line, uint32_t from, struct slots *out)
{
    struct template layout = w->layout;
    struct slice text = slice_from_offset(line, from);
    uint32_t agent = 0;
    layout.separator = text.len > 0 && memchr(text.data, '\t', text.len) != NULL ? '\t' : ' ';
    if (!has_date(w, text, layout.separator))
        return PARSE_MISMATCH;
    if (w->has_agent)
        return template_parse(&layout, line, from, out);
    uint32_t count = count_tokens(text, layout.separator, layout.field_count + 2, &agent);
    bool forgot = count == layout.field_count + 1 && agent < layout.field_count &&
                  count <= TEMPLATE_FIELDS_MAX;
    if (!forgot)
        return template_parse(&layout, line, from, out);
    memcpy(w->moved, w->fields, agent * sizeof(w->fields[0]));
    w->moved[agent] = (struct template_field){.field = FIELD_USER_AGENT, .form = TEMPLATE_TEXT};
    memcpy(w->moved + agent + 1, w->fields + agent,
           (layout.field_count - agent) * sizeof(w->fields[0]));
    layout.fields = w->moved;
    layout.field_count = count;
    return template_parse(&layout, line, from, out);
}
