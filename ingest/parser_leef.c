/*
 * QRadar's Log Event Extended Format:
 *
 *   LEEF:1.0|Example|Firewall|7.2|deny|src=192.0.2.7<TAB>dst=198.51.100.9<TAB>proto=TCP
 *   LEEF:2.0|Example|Firewall|7.2|deny|^|src=192.0.2.7^dst=198.51.100.9       a byte, x5E or 0x5E
 *
 * The separator is a tab unless the header of 2.0 says another; rsyslog writes a tab as #011. What
 * keys mean stands in ingest/names.def.
 */
#include "event/verdict.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"

enum {
    HEADER_PARTS = 5, /* version, vendor, product, version, event */
    PROBE_MAX_BYTES = 512,
    KEY_BYTES_MAX = 64,
};

struct header {
    struct slice parts[HEADER_PARTS];
    struct slice separator;
    const char *extension;
};

static bool is_key_byte(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* All bytes there are, so that a separator given by its number can be pointed at. */
static const char BYTES[] =
    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
    "\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f";

/* The separator that a header names: a byte, or x and its number. */
static struct slice named_separator(struct slice name)
{
    static const struct slice TAB = {"\t", 1};
    if (name.len == 1)
        return name;
    size_t at = name.len > 1 && name.data[0] == '0' ? 1 : 0;
    if (name.len < at + 2 || name.len > at + 3 || (name.data[at] | 0x20) != 'x')
        return name.len == 0 ? TAB : name;
    int number = 0;
    for (size_t i = at + 1; i < name.len; i++) {
        int digit = hex_digit(name.data[i]);
        if (digit < 0)
            return name;
        number = number * 16 + digit;
    }
    return number >= 1 && number <= 0x7f ? slice_of(BYTES + number - 1, 1) : TAB;
}

static bool is_key_start(const char *p, const char *end)
{
    const char *q = p;
    while (q < end && q - p < KEY_BYTES_MAX && is_key_byte(*q))
        q++;
    return q > p && q < end && *q == '=';
}

/* Without a declared one: a tab, what rsyslog makes of it, else what the first pairs have. */
static struct slice found_separator(const char *p, const char *end)
{
    static const struct slice SEPARATORS[] = {{"\t", 1}, {"#011", 4}, {"^", 1}, {"|", 1}};
    for (size_t i = 0; i < sizeof(SEPARATORS) / sizeof(SEPARATORS[0]); i++) {
        struct slice separator = SEPARATORS[i];
        const char *hit = memmem(p, (size_t)(end - p), separator.data, separator.len);
        if (hit != NULL && is_key_start(hit + separator.len, end))
            return separator;
    }
    return SEPARATORS[0];
}

/* "LEEF:1.0" with or without its name. */
static const char *skip_mark(const char *p, const char *end)
{
    p = extension_skip_blanks(p, end);
    return end - p > 5 && memcmp(p, "LEEF:", 5) == 0 ? extension_skip_blanks(p + 5, end) : p;
}

static bool read_header(struct header *h, const char *p, const char *end)
{
    if (end - p < 4 || (*p != '1' && *p != '2') || p[1] != '.' || p[3] != '|')
        return false;
    bool declares = *p == '2';
    for (size_t i = 0; i < HEADER_PARTS; i++) {
        const char *bar = scan_byte(p, end, '|');
        if (bar == end)
            return false;
        h->parts[i] = slice_of(p, (size_t)(bar - p));
        p = bar + 1;
    }
    const char *bar = declares ? scan_byte(p, end, '|') : end;
    bool named = declares && bar < end && bar - p <= 4 && scan_byte(p, bar, '=') == bar;
    h->extension = named ? bar + 1 : p;
    h->separator =
        named ? named_separator(slice_of(p, (size_t)(bar - p))) : found_separator(p, end);
    return true;
}

static const char *find_header(struct header *h, const char *from, const char *end,
                               const char **before)
{
    const char *limit = end - from > PROBE_MAX_BYTES ? from + PROBE_MAX_BYTES : end;
    *before = from;
    const char *start = skip_mark(from, end);
    if (read_header(h, start, end))
        return start;
    const char *mark = memmem(from, (size_t)(limit - from), "LEEF:", 5);
    if (mark == NULL || !read_header(h, extension_skip_blanks(mark + 5, end), end))
        return NULL;
    *before = mark;
    return mark;
}

static bool add(struct slots *out, struct slice line, struct slice part, uint16_t field)
{
    return slots_add(out, (uint32_t)(part.data - line.data), (uint32_t)part.len, field, SLOT_PLAIN);
}

/* Whose line it is. The web feed of Zscaler has keys that its firewall's has not. */
static enum vendor find_vendor(const struct header *h)
{
    if (slice_equal(h->parts[1], SLICE("WatchGuard")))
        return VENDOR_WATCHGUARD;
    if (slice_equal(h->parts[1], SLICE("Zscaler")))
        return slice_equal(h->parts[2], SLICE("NSS")) ? VENDOR_ZSCALER_LEEF : VENDOR_ZSCALER;
    /* "FORCEPOINT" is the firewall, whose keys are LEEF's. */
    if (slice_equal(h->parts[1], SLICE("Forcepoint")) ||
        slice_equal(h->parts[1], SLICE("Websense")))
        return VENDOR_FORCEPOINT;
    return VENDOR_LEEF;
}

/* The event's name: of some it is what was done, "transaction:blocked" has both. */
static bool add_event(struct slots *out, struct slice line, struct slice name, enum vendor vendor)
{
    if (vendor == VENDOR_ZSCALER)
        return add(out, line, name, FIELD_EVENT_ACTION);
    const char *end = name.data + name.len;
    const char *colon = vendor == VENDOR_FORCEPOINT ? scan_byte(name.data, end, ':') : end;
    if (colon + 1 >= end)
        return add(out, line, name, FIELD_EVENT_CODE);
    struct slice kind = slice_of(name.data, (size_t)(colon - name.data));
    return add(out, line, kind, FIELD_EVENT_CODE) &&
           add(out, line, slice_of(colon + 1, (size_t)(end - colon - 1)), FIELD_EVENT_ACTION);
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    const char *end = line.data + line.len;
    const char *text = extension_skip_blanks(line.data + from, end);
    struct header header;
    const char *before = NULL;
    if (find_header(&header, text, end, &before) == NULL)
        return PARSE_MISMATCH;
    if (before > text &&
        !add(out, line, slice_of(text, (size_t)(before - text)), FIELD_COLUMN(EXTENSION_BEFORE)))
        return PARSE_PARTIAL;
    struct extension e;
    e.memory = extension_names(state);
    e.out = out;
    e.line = line;
    e.vendor = find_vendor(&header);
    e.dialect = VENDOR_LEEF;
    e.kind = SLOT_PLAIN;
    e.count = 0;
    if (!add(out, line, header.parts[3], FIELD_OBSERVER_VERSION) ||
        !add_event(out, line, header.parts[4], e.vendor))
        return PARSE_PARTIAL;
    bool whole = extension_split(&e, header.extension, end, header.separator);
    return extension_end(&e, header.extension, whole);
}

static bool probe(struct slice message)
{
    struct header header;
    const char *before = NULL;
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    return find_header(&header, extension_skip_blanks(message.data, end), end, &before) != NULL;
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    uint8_t found = meaning_verdict(action);
    return found != VERDICT_UNKNOWN ? found : meaning_verdict(beside);
}

const struct parser parser_leef = {
    .name = "leef",
    .format = FORMAT_LEEF,
    .probe = probe,
    .parse = parse,
    .state_new = extension_state_new,
    .state_free = extension_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
