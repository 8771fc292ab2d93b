#include "ingest/url.h"

#include "event/value.h"

enum {
    SCHEME_MAX = 32, /* bytes */
    PORT_MAX = 5,    /* digits */
};

/* What is being split: positions are absolute in the line. */
struct url_scan {
    struct slots *out;
    const char *text;
    uint32_t end;
    uint8_t kind;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'z';
}

/* The first place of `byte` in [from, end), or end. */
static uint32_t find_byte(const char *text, uint32_t from, uint32_t end, char byte)
{
    if (from >= end)
        return end;
    const char *hit = memchr(text + from, byte, end - from);
    return hit == NULL ? end : (uint32_t)(hit - text);
}

/* Append [from, to) unless it is empty. */
static bool add_part(const struct url_scan *u, uint32_t from, uint32_t to, enum field field)
{
    return to <= from || slots_add(u->out, from, to - from, (uint16_t)field, u->kind);
}

/* Bytes of a slash at `at`: 1, 2 where JSON escapes it, 0 where there is none. */
static uint32_t slash_length(const struct url_scan *u, uint32_t at)
{
    if (at < u->end && u->text[at] == '/')
        return 1;
    bool escaped = u->kind == SLOT_JSON_STRING && u->end - at > 1 && at < u->end &&
                   u->text[at] == '\\' && u->text[at + 1] == '/';
    return escaped ? 2 : 0;
}

/* Bytes of "://" at `at`, or 0. */
static uint32_t mark_length(const struct url_scan *u, uint32_t at)
{
    if (at >= u->end || u->text[at] != ':')
        return 0;
    uint32_t first = slash_length(u, at + 1);
    uint32_t second = first == 0 ? 0 : slash_length(u, at + 1 + first);
    return second == 0 ? 0 : 1 + first + second;
}

/* The length of a scheme before "://" at `from`, or 0. */
static uint32_t scheme_length(const struct url_scan *u, uint32_t from)
{
    if (from >= u->end || !is_alpha(u->text[from]))
        return 0;
    uint32_t at = from;
    uint32_t limit = u->end - from > SCHEME_MAX ? from + SCHEME_MAX : u->end;
    while (at < limit && (is_alpha(u->text[at]) || is_digit(u->text[at]) || u->text[at] == '+' ||
                          u->text[at] == '-' || u->text[at] == '.' || u->text[at] == '_'))
        at++;
    return mark_length(u, at) == 0 ? 0 : at - from;
}

static bool add_host(const struct url_scan *u, uint32_t from, uint32_t to)
{
    uint32_t host = from;
    uint32_t host_end = to;
    uint32_t port = to;
    if (from < to && u->text[from] == '[') {
        uint32_t close = find_byte(u->text, from, to, ']');
        if (close < to) {
            host = from + 1;
            host_end = close;
            port = find_byte(u->text, close, to, ':');
        }
    } else {
        host_end = find_byte(u->text, from, to, ':');
        port = host_end;
    }
    return add_part(u, host, host_end, FIELD_URL_DOMAIN) &&
           (port >= to || add_part(u, port + 1, to, FIELD_URL_PORT));
}

/* Authority = [userinfo@]host[:port]; the last '@' counts. */
static bool add_authority(const struct url_scan *u, uint32_t from, uint32_t to)
{
    const char *at = from < to ? memrchr(u->text + from, '@', to - from) : NULL;
    if (at == NULL)
        return add_host(u, from, to);
    uint32_t user_end = (uint32_t)(at - u->text);
    return add_part(u, from, user_end, FIELD_URL_USERNAME) && add_host(u, user_end + 1, to);
}

/* Path [?query] [#fragment] from `from` to the end. */
static bool add_path(const struct url_scan *u, uint32_t from)
{
    uint32_t fragment = find_byte(u->text, from, u->end, '#');
    uint32_t query = find_byte(u->text, from, fragment, '?');
    return add_part(u, from, query, FIELD_URL_PATH) &&
           add_part(u, query + 1, fragment, FIELD_URL_QUERY) &&
           add_part(u, fragment + 1, u->end, FIELD_URL_FRAGMENT);
}

/* "host:port" and nothing else: the last colon is followed by digits alone. */
static bool is_host_port(const struct url_scan *u, uint32_t from)
{
    uint32_t at = u->end;
    while (at > from && u->end - at < PORT_MAX && is_digit(u->text[at - 1]))
        at--;
    if (at == u->end || at <= from + 1 || u->text[at - 1] != ':')
        return false;
    uint32_t host_end = at - 1;
    if (u->text[from] == '[')
        return u->text[host_end - 1] == ']';
    for (uint32_t i = from; i < host_end; i++) {
        char c = u->text[i];
        if (c == '/' || c == ':' || c == '?' || c == '#' || c == '@' || c == ' ')
            return false;
    }
    return true;
}

static uint32_t authority_end(const struct url_scan *u, uint32_t from)
{
    uint32_t at = from;
    while (at < u->end && slash_length(u, at) == 0 && u->text[at] != '?' && u->text[at] != '#')
        at++;
    return at;
}

bool url_slots(struct slots *out, struct slice line, uint32_t offset, uint32_t length, uint8_t kind)
{
    struct url_scan u = {.out = out, .text = line.data, .end = offset + length, .kind = kind};
    if (length > 0 && slash_length(&u, offset) > 0)
        return add_path(&u, offset);
    uint32_t scheme = scheme_length(&u, offset);
    if (scheme > 0) {
        uint32_t authority = offset + scheme + mark_length(&u, offset + scheme);
        uint32_t path = authority_end(&u, authority);
        return add_part(&u, offset, offset + scheme, FIELD_URL_SCHEME) &&
               add_authority(&u, authority, path) && add_path(&u, path);
    }
    if (length > 0 && is_host_port(&u, offset))
        return add_host(&u, offset, u.end);
    return slots_add(out, offset, length, FIELD_URL_ORIGINAL, kind);
}

bool account_slots(struct slots *out, struct slice line, uint32_t offset, uint32_t length,
                   uint8_t kind)
{
    uint32_t end = offset + length;
    uint32_t bar = offset;
    while (bar < end && line.data[bar] != '\\' && (line.data[bar] & 0x80) == 0)
        bar++;
    if (bar < end && line.data[bar] != '\\')
        bar = end;
    uint32_t name = bar + 1;
    if (name < end && line.data[name] == '\\')
        name++;
    /* A relay may have escaped what was escaped already. */
    while (name + 1 < end && line.data[name] == '\\' && line.data[name + 1] == '\\')
        name += 2;
    /* No domain before it; where a backslash begins an escape it may be one. */
    if (bar == offset && name < end && (kind == SLOT_PLAIN || kind == SLOT_CEF))
        return slots_add(out, name, end - name, FIELD_USER_NAME, kind);
    if (bar == offset || name >= end)
        return slots_add(out, offset, length, FIELD_USER_NAME, kind);
    return slots_add(out, offset, bar - offset, FIELD_USER_DOMAIN, kind) &&
           slots_add(out, name, end - name, FIELD_USER_NAME, kind);
}

bool url_host_is_address(struct slice host)
{
    /* Bytes of an address, counted without a branch: all of them, a to f, ':' and '.', 8 bits each. */
    enum {
        DIGIT = 1 << 24,
        LETTER = DIGIT | 1 << 16,
        COLON = DIGIT | 1 << 8,
        DOT = DIGIT | 1
    };
    static const uint32_t KINDS[UINT8_MAX + 1] = {
        ['0'] = DIGIT,  ['1'] = DIGIT,  ['2'] = DIGIT,  ['3'] = DIGIT,  ['4'] = DIGIT,
        ['5'] = DIGIT,  ['6'] = DIGIT,  ['7'] = DIGIT,  ['8'] = DIGIT,  ['9'] = DIGIT,
        ['a'] = LETTER, ['b'] = LETTER, ['c'] = LETTER, ['d'] = LETTER, ['e'] = LETTER,
        ['f'] = LETTER, ['A'] = LETTER, ['B'] = LETTER, ['C'] = LETTER, ['D'] = LETTER,
        ['E'] = LETTER, ['F'] = LETTER, [':'] = COLON,  ['.'] = DOT,
    };
    if (host.len > VALUE_IP_TEXT_MAX)
        return false;
    uint32_t counts = 0;
    for (size_t i = 0; i < host.len; i++)
        counts += KINDS[(uint8_t)host.data[i]];
    if (counts >> 24 != host.len)
        return false;
    return (counts >> 8 & 0xff) >= 2 || (counts & 0xffffff) == 3;
}
