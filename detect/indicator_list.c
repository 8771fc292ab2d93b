#include "detect/indicator_list.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/indicator_feed.h"

enum cell {
    CELL_INDICATOR,
    CELL_PORT,
    CELL_EXPIRY,
    CELLS,
};

static const char *const NAMES[CELLS] = {
    [CELL_INDICATOR] =
        "|indicator|indicator_value|ioc|ioc_value|observable|value|ip|ip_address|ipaddress|address|"
        "dst_ip|c2_ip|network|cidr|subnet|domain|domain_name|host|hostname|fqdn|url|uri|"
        "user_agent|useragent|",
    [CELL_PORT] = "|port|dst_port|c2_port|",
    [CELL_EXPIRY] = "|expires|expires_at|expiry|expiration|expiration_date|expire|valid_until|",
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_from_offset(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

static struct slice rest_of(const struct indicator_list *l)
{
    return slice_from_offset(l->source->content, l->at);
}

/* The next line without its newline; false at the end. */
static bool next_line(struct indicator_list *l, struct slice *out)
{
    struct slice rest = rest_of(l);
    if (rest.len == 0)
        return false;
    const char *newline = memchr(rest.data, '\n', rest.len);
    size_t len = newline == NULL ? rest.len : (size_t)(newline - rest.data);
    *out = slice_of(rest.data, len);
    l->at += len + (newline != NULL);
    l->line++;
    return true;
}

static bool starts_comment(struct slice s)
{
    return slice_starts(s, SLICE("#")) || slice_starts(s, SLICE(";")) ||
           slice_starts(s, SLICE("//"));
}

/* A line without a comment after a blank. */
static struct slice cut_comment(struct slice line)
{
    for (size_t i = 1; i < line.len; i++) {
        if (is_blank(line.data[i - 1]) && starts_comment(slice_from_offset(line, i)))
            return trim(slice_of(line.data, i));
    }
    return line;
}

/* The name in a hosts file's "0.0.0.0 name", else the line. */
static struct slice hosts_name(struct slice line)
{
    static const char *const NOWHERE[] = {"0.0.0.0", "127.0.0.1", "::", "::1"};
    size_t word = 0;
    while (word < line.len && !is_blank(line.data[word]))
        word++;
    for (size_t i = 0; word < line.len && i < sizeof(NOWHERE) / sizeof(NOWHERE[0]); i++) {
        if (slice_equal(slice_of(line.data, word), slice_from(NOWHERE[i])))
            return trim(slice_from_offset(line, word));
    }
    return line;
}

static bool next_plain(struct indicator_list *l, struct indicator_entry *out)
{
    bool agent = l->source->type == INDICATOR_TYPE_AGENT;
    struct slice line;
    while (next_line(l, &line)) {
        line = trim(line);
        if (line.len == 0 || (agent ? line.data[0] == '#' : starts_comment(line)))
            continue;
        if (!agent)
            line = hosts_name(cut_comment(line));
        *out = (struct indicator_entry){.line = l->line,
                                        .type = l->source->type,
                                        .text = line,
                                        .expires_ns = l->source->expires_ns};
        return true;
    }
    return false;
}

/* What is left of a record of CSV, and where it stands. */
struct record {
    struct slice text; /* from the next cell to the end of the content */
    size_t taken;
    uint32_t newlines; /* inside quotes */
    bool ended;
};

/* A quoted cell, its first quote consumed; the reason when it is none. */
static const char *read_quoted(struct record *r, struct buf *out)
{
    for (;;) {
        struct slice rest = slice_from_offset(r->text, r->taken);
        size_t window = rest.len < INDICATOR_CELL_BYTES_MAX ? rest.len : INDICATOR_CELL_BYTES_MAX;
        const char *quote = window == 0 ? NULL : memchr(rest.data, '"', window);
        if (quote == NULL)
            return "a quote that nothing closes within 4,096 bytes";
        size_t len = (size_t)(quote - rest.data);
        for (size_t i = 0; i < len; i++)
            r->newlines += rest.data[i] == '\n';
        if (out != NULL)
            buf_append(out, rest.data, len);
        r->taken += len + 1;
        if (len + 1 >= rest.len || quote[1] != '"')
            return NULL;
        if (out != NULL)
            buf_byte(out, '"');
        r->taken++;
    }
}

/* The next cell to `out` (NULL: nobody wants it); the reason when it is broken. */
static const char *read_cell(struct record *r, char separator, struct buf *out)
{
    struct slice rest = slice_from_offset(r->text, r->taken);
    size_t blanks = 0;
    while (blanks < rest.len && rest.data[blanks] == ' ')
        blanks++;
    bool quoted = blanks < rest.len && rest.data[blanks] == '"';
    if (quoted) {
        r->taken += blanks + 1;
        const char *why = read_quoted(r, out);
        if (why != NULL)
            return why;
        rest = slice_from_offset(r->text, r->taken);
    }
    size_t len = 0;
    while (len < rest.len && rest.data[len] != separator && rest.data[len] != '\n')
        len++;
    if (quoted && trim(slice_of(rest.data, len)).len != 0)
        return "something between a closing quote and the separator";
    if (!quoted && out != NULL) {
        struct slice cell = trim(slice_of(rest.data, len));
        buf_slice(out, cell);
    }
    r->ended = len == rest.len || rest.data[len] == '\n';
    r->taken += len + (len < rest.len);
    return NULL;
}

/* Which of the wanted cells a column is; CELLS = none. */
static enum cell cell_of(const struct indicator_list *l, int column)
{
    if (column == l->column)
        return CELL_INDICATOR;
    if (column == l->port_column)
        return CELL_PORT;
    return column == l->expiry_column ? CELL_EXPIRY : CELLS;
}

/* Read one record's wanted cells; after a broken one the next line is where it goes on. */
static const char *read_record(struct indicator_list *l)
{
    struct record r = {.text = rest_of(l)};
    const char *why = NULL;
    bool found = false;
    for (size_t i = 0; i < CELLS; i++)
        buf_reset(&l->cells[i]);
    for (int column = 0; why == NULL && !r.ended; column++) {
        enum cell cell = cell_of(l, column);
        why = read_cell(&r, l->separator, cell == CELLS ? NULL : &l->cells[cell]);
        found |= cell == CELL_INDICATOR;
        if (column >= INDICATOR_COLUMNS_MAX)
            why = "more than 256 columns";
    }
    if (why == NULL) {
        l->at += r.taken;
        l->line += r.newlines + 1;
        return found ? NULL : "fewer columns than the header";
    }
    struct slice skipped;
    (void)next_line(l, &skipped);
    return why;
}

static int16_t column_number(struct slice text)
{
    int number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > INDICATOR_COLUMNS_MAX)
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return (int16_t)(number >= 1 && number <= INDICATOR_COLUMNS_MAX ? number - 1 : -1);
}

/* Compare names of columns: case, blanks, '-' and '_' do not matter. */
static char name_byte(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return (char)(c == ' ' || c == '-' ? '_' : c);
}

/* Whether a column's name is the one configured, or one of the usual. */
static bool name_is(struct slice cell, struct slice configured, const char *usual)
{
    char name[64];
    size_t len = 0;
    if (cell.len == 0 || cell.len > sizeof(name) - 2)
        return false;
    name[len++] = '|';
    for (size_t i = 0; i < cell.len; i++)
        name[len++] = name_byte(cell.data[i]);
    name[len++] = '|';
    if (configured.len == 0)
        return memchr(cell.data, '|', cell.len) == NULL &&
               memmem(usual, strlen(usual), name, len) != NULL;
    if (configured.len != cell.len)
        return false;
    for (size_t i = 0; i < cell.len; i++) {
        if (name_byte(configured.data[i]) != name[i + 1])
            return false;
    }
    return true;
}

/* The separator that a header uses most. */
static char guess_separator(struct slice header)
{
    static const char SEPARATORS[] = {',', ';', '\t'};
    size_t counts[sizeof(SEPARATORS)] = {0};
    size_t best = 0;
    for (size_t i = 0; i < header.len; i++) {
        for (size_t s = 0; s < sizeof(SEPARATORS); s++)
            counts[s] += header.data[i] == SEPARATORS[s];
    }
    for (size_t s = 1; s < sizeof(SEPARATORS); s++)
        best = counts[s] > counts[best] ? s : best;
    return SEPARATORS[best];
}

/* Find the columns in a header. True when it names that of the indicator. */
static bool read_header(struct indicator_list *l, struct slice line)
{
    const struct indicator_source *s = l->source;
    struct record r = {.text = line};
    struct buf cell = {0};
    int16_t columns[CELLS] = {column_number(s->column), -1, column_number(s->expiry_column)};
    const struct slice configured[CELLS] = {s->column, SLICE(""), s->expiry_column};
    char separator = guess_separator(line);
    for (int16_t column = 0; !r.ended && column < INDICATOR_COLUMNS_MAX; column++) {
        buf_reset(&cell);
        if (read_cell(&r, separator, &cell) != NULL)
            break;
        for (size_t i = 0; i < CELLS; i++) {
            if (columns[i] < 0 && name_is(trim(buf_content(&cell)), configured[i], NAMES[i]))
                columns[i] = column;
        }
    }
    buf_release(&cell);
    if (columns[CELL_INDICATOR] < 0)
        return false;
    l->separator = separator;
    l->column = columns[CELL_INDICATOR];
    l->port_column = columns[CELL_PORT];
    l->expiry_column = columns[CELL_EXPIRY];
    if (s->type != INDICATOR_TYPE_AUTO && s->type != INDICATOR_TYPE_ADDRESS_PORT)
        l->port_column = -1;
    return true;
}

/* Leave the reader behind the header. */
static int find_header(struct indicator_list *l, struct diag *diag)
{
    struct slice line;
    bool found = false;
    bool by_number = column_number(l->source->column) >= 0;
    for (;;) {
        struct indicator_list before = *l;
        if (!next_line(l, &line))
            return 0; /* an empty list */
        struct slice text = trim(line);
        if (text.len == 0)
            continue;
        if (text.data[0] == '#') {
            /* A number makes anything a header: not a comment. */
            found = (!by_number && read_header(l, trim(slice_from_offset(text, 1)))) || found;
            continue;
        }
        if (found || by_number) {
            if (!found)
                (void)read_header(l, text);
            l->guess_header = !found;
            l->at = before.at;
            l->line = before.line;
            return 0;
        }
        if (read_header(l, text))
            return 0;
        diag_add(diag, l->source->path, l->line, 1,
                 "this header names no column of indicators (%.*s); say which one it is "
                 "(column: its name, or its number from 1)",
                 text.len > 120 ? 120 : (int)text.len, text.data);
        return ERR_CONF;
    }
}

static int open_feed(struct indicator_list *l, struct diag *diag)
{
    const struct indicator_source *s = l->source;
    struct json_fault fault;
    if (!json_check(s->content, &fault)) {
        diag_add(diag, s->path, fault.line, fault.column, "no JSON: %s; get the feed again",
                 fault.why);
        return ERR_CONF;
    }
    l->feed = calloc(1, sizeof(*l->feed));
    if (l->feed == NULL)
        return ERR_NOMEM;
    l->feed->source = s;
    json_walk_begin(&l->feed->walk, s->content);
    return s->format == INDICATOR_FORMAT_MISP ? indicator_misp_open(l->feed, diag)
                                              : indicator_stix_open(l->feed, diag);
}

static bool is_feed(const struct indicator_source *source)
{
    return source->format == INDICATOR_FORMAT_MISP || source->format == INDICATOR_FORMAT_STIX;
}

int indicator_list_open(struct indicator_list *out, const struct indicator_source *source,
                        struct diag *diag)
{
    struct indicator_list l = {
        .source = source, .column = -1, .port_column = -1, .expiry_column = -1, .separator = ','};
    size_t sample = source->content.len < 4096 ? source->content.len : 4096;
    if (sample != 0 && memchr(source->content.data, '\0', sample) != NULL) {
        diag_add(diag, source->path, 0, 0,
                 "not a list in UTF-8: it holds NUL bytes (UTF-16, or packed?); convert it");
        return ERR_CONF;
    }
    if (slice_starts(source->content, SLICE("\xef\xbb\xbf")))
        l.at = 3;
    int status = 0;
    for (size_t i = 0; i < CELLS && source->format == INDICATOR_FORMAT_CSV; i++) {
        l.cells[i].limit = INDICATOR_CELL_BYTES_MAX;
        if (buf_reserve(&l.cells[i], INDICATOR_CELL_BYTES_MAX) == NULL)
            status = ERR_NOMEM;
    }
    if (status == 0 && source->format == INDICATOR_FORMAT_CSV)
        status = find_header(&l, diag);
    if (status == 0 && is_feed(source))
        status = open_feed(&l, diag);
    if (status != 0) {
        indicator_list_close(&l);
        return status;
    }
    *out = l;
    return 0;
}

void indicator_list_close(struct indicator_list *l)
{
    for (size_t i = 0; i < CELLS; i++)
        buf_release(&l->cells[i]);
    struct indicator_feed *f = l->feed;
    if (f == NULL)
        return;
    json_decref(f->element);
    stix_pattern_release(&f->pattern);
    stix_versions_release(&f->versions);
    buf_release(&f->text);
    buf_release(&f->second);
    buf_release(&f->said);
    free(f);
    l->feed = NULL;
}

/* A date, RFC 3339 (UTC where no offset is said), or seconds or milliseconds since 1970. */
static bool read_expiry(int64_t *out, struct slice text)
{
    char copy[64 + SLICE_PADDING_BYTES] = {0};
    int64_t number = 0;
    enum epoch_form form = EPOCH_DIGITS;
    if (slice_equal(text, SLICE("0")) || slice_equal(text, SLICE("never")) ||
        slice_equal(text, SLICE("null")) || slice_equal(text, SLICE("None"))) {
        *out = INT64_MAX;
        return true;
    }
    if (text.len > 40)
        return false;
    memcpy(copy, text.data, text.len);
    size_t len = text.len;
    if (value_epoch(slice_of(copy, len), &number, &form) != VALUE_INVALID) {
        *out = value_epoch_ns(number, form);
        return true;
    }
    const struct slice utc = SLICE(" UTC");
    if (len > utc.len && memcmp(copy + len - utc.len, utc.data, utc.len) == 0)
        len -= utc.len;
    const struct slice midnight = SLICE("T00:00:00");
    if (len == sizeof("2026-11-21") - 1) {
        memcpy(copy + len, midnight.data, midnight.len);
        len += midnight.len;
    }
    return clock_parse(out, slice_of(copy, len)) == 0;
}

static const char *read_port(uint16_t *out, struct slice text)
{
    char copy[8 + SLICE_PADDING_BYTES] = {0};
    int64_t port = 0;
    if (text.len == 0)
        return NULL;
    memcpy(copy, text.data, text.len < 8 ? text.len : 8);
    if (text.len > 5 || value_int(slice_of(copy, text.len), &port) == VALUE_INVALID || port < 0 ||
        port > UINT16_MAX)
        return "its port is no number of 0 to 65535";
    *out = (uint16_t)port;
    return NULL;
}

static void fill_entry(struct indicator_list *l, struct indicator_entry *out)
{
    struct slice expiry = trim(buf_content(&l->cells[CELL_EXPIRY]));
    struct slice port = trim(buf_content(&l->cells[CELL_PORT]));
    out->text = trim(buf_content(&l->cells[CELL_INDICATOR]));
    for (size_t i = 0; i < CELLS; i++) {
        if (!buf_ok(&l->cells[i]))
            out->fault = "a cell of more than 4,096 bytes";
    }
    if (out->fault == NULL)
        out->fault = read_port(&out->port, port);
    if (out->fault == NULL && expiry.len != 0 && !read_expiry(&out->expires_ns, expiry))
        out->fault = "its expiry is no date (2026-11-21), no time (2026-11-21T10:00:00Z) and no "
                     "number of seconds since 1970";
}

/* With a column by number, the first line is a header when its cell is no indicator. */
static bool is_header(struct indicator_list *l, const struct indicator_entry *entry)
{
    struct indicator_key key;
    if (!l->guess_header)
        return false;
    l->guess_header = false;
    return indicator_key_read(&key, entry->text, l->source->type, entry->port) != NULL;
}

static bool next_csv(struct indicator_list *l, struct indicator_entry *out)
{
    while (rest_of(l).len != 0) {
        struct slice rest = rest_of(l);
        struct slice skipped;
        if (rest.data[0] == '#' || rest.data[0] == '\n' || slice_starts(rest, SLICE("\r\n"))) {
            (void)next_line(l, &skipped);
            continue;
        }
        struct indicator_entry entry = {
            .line = l->line + 1, .type = l->source->type, .expires_ns = l->source->expires_ns};
        entry.fault = read_record(l);
        if (entry.fault == NULL) {
            fill_entry(l, &entry);
            if (is_header(l, &entry))
                continue;
        }
        *out = entry;
        return true;
    }
    return false;
}

bool indicator_list_next(struct indicator_list *l, struct indicator_entry *out)
{
    switch (l->source->format) {
    case INDICATOR_FORMAT_CSV:
        return next_csv(l, out);
    case INDICATOR_FORMAT_MISP:
        return indicator_misp_next(l->feed, out);
    case INDICATOR_FORMAT_STIX:
        return indicator_stix_next(l->feed, out);
    case INDICATOR_FORMAT_LINES:
    case INDICATOR_FORMATS:
    default:
        return next_plain(l, out);
    }
}
