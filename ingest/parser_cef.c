/*
 * ArcSight's Common Event Format:
 *
 *   CEF:0|Example|Firewall|7.2|0013|traffic close|3|src=192.0.2.7 spt=40000 act=close msg=two words
 *   CEF: 0|...     0|...     CEF:CEF:0|...                     as devices and relays write it, too
 *
 * A value is not quoted and may have blanks: it ends before the last blank in front of the next key=.
 * An equals sign inside is escaped, but not by everybody; what looks like no key behind a blank is
 * none. What keys mean stands in ingest/names.def; custom keys mean what their labels say.
 */
#include <strings.h>

#include "event/verdict.h"
#include "ingest/extension.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/word.h"

enum {
    COLUMN_BEFORE = 0, /* text in front of CEF: */
    COLUMN_REST = 1,   /* of a line that cannot be read on */
    HEADER_PARTS = 7,  /* version, vendor, product, version, signature, name, severity */
};

/* The parts of the header, without the bars behind them. */
struct header {
    struct slice parts[HEADER_PARTS];
    const char *extension;
};

/* Behind "CEF:", once or more often, with blanks; p itself where it is not there. */
static const char *skip_marks(const char *p, const char *end)
{
    p = extension_skip_blanks(p, end);
    while (end - p > 4 && memcmp(p, "CEF:", 4) == 0)
        p = extension_skip_blanks(p + 4, end);
    return p;
}

/* The bar that ends a part of the header, not an escaped one; or end. */
static const char *find_bar(const char *p, const char *end)
{
    const char *q = scan_either(p, end, '|', '\\');
    while (q < end && *q == '\\')
        q = end - q > 2 ? scan_either(q + 2, end, '|', '\\') : end;
    return q;
}

/* All parts of the header at p: its version is one digit or a few. */
static bool read_header(struct header *out, const char *p, const char *end)
{
    for (size_t i = 0; i < HEADER_PARTS; i++) {
        const char *bar = find_bar(p, end);
        if (bar == end)
            return false;
        out->parts[i] = slice_of(p, (size_t)(bar - p));
        if (i == 0 && (out->parts[0].len == 0 || out->parts[0].len > 2 || *p < '0' || *p > '9'))
            return false;
        p = bar + 1;
    }
    out->extension = p;
    return true;
}

/* Where the header begins, behind CEF: and what stands in front of it; NULL when nowhere. */
static const char *find_header(struct header *out, const char *from, const char *end,
                               const char **before)
{
    const char *limit = end - from > PROBE_MAX_BYTES ? from + PROBE_MAX_BYTES : end;
    *before = from;
    const char *start = skip_marks(from, end);
    if (read_header(out, start, end))
        return start;
    const char *mark = memmem(from, (size_t)(limit - from), "CEF:", 4);
    if (mark == NULL)
        return NULL;
    start = skip_marks(mark, end);
    if (start == mark || !read_header(out, start, end))
        return NULL;
    *before = mark;
    return start;
}

/* Whose line it is, by the vendor and product of the header. The users of a mail gateway are addresses. */
static enum vendor find_vendor(const struct header *h)
{
    static const struct {
        struct slice word;
        enum vendor vendor;
    } VENDORS[] = {
        {{"Fortinet", 8}, VENDOR_FORTI_CEF},
        {{"Palo Alto", 9}, VENDOR_PANOS},
        {{"SecureSphere", 12}, VENDOR_CEF}, /* Imperva's, but not its cloud's keys */
        {{"Incapsula", 9}, VENDOR_IMPERVA},
        {{"Imperva", 7}, VENDOR_IMPERVA},
        {{"Citrix", 6}, VENDOR_CITRIX},
        {{"SonicWall", 9}, VENDOR_SONICWALL},
        {{"Check Point", 11}, VENDOR_CHECKPOINT},
        {{"Zscaler", 7}, VENDOR_ZSCALER},
        {{"Netskope", 8}, VENDOR_NETSKOPE},
        {{"Menlo", 5}, VENDOR_MENLO},
        {{"F5", 2}, VENDOR_F5},
    };
    if (word_holds(h->parts[2], SLICE("mail")))
        return VENDOR_MAIL;
    for (size_t i = 0; i < sizeof(VENDORS) / sizeof(VENDORS[0]); i++) {
        for (size_t part = 1; part < 3; part++) {
            struct slice text = h->parts[part];
            if (text.len >= VENDORS[i].word.len &&
                strncasecmp(text.data, VENDORS[i].word.data, VENDORS[i].word.len) == 0)
                return VENDORS[i].vendor;
        }
    }
    return VENDOR_CEF;
}

static bool add_part(struct slots *out, struct slice line, struct slice part, uint16_t field)
{
    return slots_add(out, (uint32_t)(part.data - line.data), (uint32_t)part.len, field, SLOT_CEF);
}

/* Deep Security's agents have what they found in place of the event's name. */
static bool names_malware(const struct header *h)
{
    return slice_equal(h->parts[2], SLICE("Deep Security Agent")) &&
           slice_starts(h->parts[4], SLICE("4000"));
}

/* Vendor and product stay in the skeleton: a device does not change them. */
static bool add_header(struct slots *out, struct slice line, const struct header *h)
{
    static const uint16_t FIELDS[HEADER_PARTS] = {
        [3] = FIELD_OBSERVER_VERSION,
        [4] = FIELD_EVENT_CODE,
        [5] = FIELD_EVENT_DATASET,
        [6] = FIELD_EVENT_SEVERITY,
    };
    for (size_t i = 0; i < HEADER_PARTS; i++) {
        uint16_t field = i == 5 && names_malware(h) ? FIELD_THREAT_NAME : FIELDS[i];
        if (field != 0 && !add_part(out, line, h->parts[i], field))
            return false;
    }
    return true;
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
    if (before > text && !add_part(out, line, slice_of(text, (size_t)(before - text)),
                                   FIELD_COLUMN(EXTENSION_BEFORE)))
        return PARSE_PARTIAL;
    struct extension e;
    e.memory = extension_names(state);
    e.out = out;
    e.line = line;
    e.vendor = find_vendor(&header);
    e.dialect = VENDOR_CEF;
    e.kind = SLOT_CEF;
    e.count = 0;
    if (!add_header(out, line, &header))
        return PARSE_PARTIAL;
    bool whole = extension_read(&e, header.extension, end);
    return extension_end(&e, header.extension, whole);
}

static bool probe_header(struct header *out, struct slice message)
{
    const char *before = NULL;
    if (message.len > PROBE_MAX_BYTES)
        message.len = PROBE_MAX_BYTES;
    const char *end = message.data + message.len;
    return find_header(out, extension_skip_blanks(message.data, end), end, &before) != NULL;
}

static bool probe(struct slice message)
{
    struct header header;
    return probe_header(&header, message);
}

/* The vendor's verb, else the outcome. "not blocked" and what like it is said of lets pass. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    if (slice_starts(action, SLICE("not ")))
        return VERDICT_ALERT;
    if (word_begins(action, SLICE("close")) || slice_starts(action, SLICE("REQ_PASSED")) ||
        slice_starts(action, SLICE("REQ_CACHED")))
        return VERDICT_ALLOW;
    if (slice_starts(action, SLICE("REQ_")))
        return VERDICT_BLOCK;
    if (slice_starts(action, SLICE("IDS:")))
        return VERDICT_ALERT; /* Deep Security's "detect only" of what it would do */
    uint8_t found = meaning_verdict(action);
    return found != VERDICT_UNKNOWN ? found : meaning_verdict(beside);
}

const struct parser parser_cef = {
    .name = "cef",
    .format = FORMAT_CEF,
    .probe = probe,
    .parse = parse,
    .state_new = extension_state_new,
    .state_free = extension_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
