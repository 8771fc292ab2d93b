/*
 * PAN-OS: comma separated columns, whose meaning depends on the log type in column 3 and whose
 * number depends on the version; or keys and values in a layout of the operator's own
 * (ingest/panos_pairs.h). CEF, LEEF and JSON of the same devices are not for this parser.
 */
#include "event/verdict.h"
#include "ingest/byte_mask.h"
#include "ingest/pairs.h"
#include "ingest/panos_pairs.h"
#include "ingest/panos_text.h"
#include "ingest/panos_value.h"
#include "ingest/parser.h"
#include "ingest/parsers.h"

enum panos_limits {
    PREFIX_BYTES_MAX = 8, /* blanks and colons that relays leave in front of the first column */
    HEADER_BYTES_MAX = 512,
    FIRST_BYTES_MAX = 4, /* of column 0, reserved by the vendor */
    TYPE_COLUMN = 3,
    SUBTYPE_COLUMN = 4,
};

/* Columns that hold several values; not a field, so behind every id of the dictionary. */
enum panos_parts {
    FIELD_PARTS = 0xf000,
    FIELD_PARTS_ACCOUNT = FIELD_PARTS,
    FIELD_PARTS_URL,
    FIELD_PARTS_THREAT,
    FIELD_PARTS_TEXT,
};

#define FIELD_AT(index, field) [index] = FIELD_##field,

static const uint16_t TRAFFIC[] = {
#define PANOS_COMMON  FIELD_AT
#define PANOS_SESSION FIELD_AT
#define PANOS_TRAFFIC FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t THREAT[] = {
#define PANOS_COMMON  FIELD_AT
#define PANOS_SESSION FIELD_AT
#define PANOS_THREAT  FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t DECRYPTION[] = {
#define PANOS_COMMON     FIELD_AT
#define PANOS_SESSION    FIELD_AT
#define PANOS_DECRYPTION FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t TUNNEL[] = {
#define PANOS_COMMON  FIELD_AT
#define PANOS_SESSION FIELD_AT
#define PANOS_TUNNEL  FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t GTP[] = {
#define PANOS_COMMON  FIELD_AT
#define PANOS_SESSION FIELD_AT
#define PANOS_GTP     FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t SCTP[] = {
#define PANOS_COMMON  FIELD_AT
#define PANOS_SESSION FIELD_AT
#define PANOS_SCTP    FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t SYSTEM[] = {
#define PANOS_COMMON FIELD_AT
#define PANOS_SYSTEM FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t CONFIG[] = {
#define PANOS_COMMON FIELD_AT
#define PANOS_CONFIG FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t USERID[] = {
#define PANOS_COMMON FIELD_AT
#define PANOS_USERID FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t GLOBALPROTECT[] = {
#define PANOS_COMMON        FIELD_AT
#define PANOS_GLOBALPROTECT FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t AUTH[] = {
#define PANOS_COMMON FIELD_AT
#define PANOS_AUTH   FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t HIPMATCH[] = {
#define PANOS_COMMON   FIELD_AT
#define PANOS_HIPMATCH FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t IPTAG[] = {
#define PANOS_COMMON FIELD_AT
#define PANOS_IPTAG  FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t CORRELATION[] = {
#define PANOS_COMMON      FIELD_AT
#define PANOS_CORRELATION FIELD_AT
#include "ingest/parser_panos_columns.def"
};

static const uint16_t OTHER[] = {
#define PANOS_COMMON FIELD_AT
#include "ingest/parser_panos_columns.def"
};

struct layout {
    struct slice type;
    const uint16_t *fields; /* 0 = unnamed */
    uint32_t count;
};

#define LAYOUT(name, list)                                                   \
    {                                                                        \
        .type = {.data = (name), .len = sizeof(name) - 1}, .fields = (list), \
        .count = sizeof(list) / sizeof((list)[0])                            \
    }

static const struct layout LAYOUTS[] = {
    LAYOUT("TRAFFIC", TRAFFIC),
    LAYOUT("THREAT", THREAT),
    LAYOUT("SYSTEM", SYSTEM),
    LAYOUT("URL", THREAT),
    LAYOUT("DATA", THREAT),
    LAYOUT("WILDFIRE", THREAT),
    LAYOUT("CONFIG", CONFIG),
    LAYOUT("USERID", USERID),
    LAYOUT("GLOBALPROTECT", GLOBALPROTECT),
    LAYOUT("AUTH", AUTH),
    LAYOUT("AUTHENTICATION", AUTH),
    LAYOUT("HIPMATCH", HIPMATCH),
    LAYOUT("HIP-MATCH", HIPMATCH),
    LAYOUT("DECRYPTION", DECRYPTION),
    LAYOUT("CORRELATION", CORRELATION),
    LAYOUT("IPTAG", IPTAG),
    LAYOUT("TUNNEL", TUNNEL),
    LAYOUT("GTP", GTP),
    LAYOUT("SCTP", SCTP),
};

/* A later type: its first columns are those of all, the others have no names yet. */
static const struct layout LAYOUT_OTHER = LAYOUT("", OTHER);

struct line_head {
    const struct layout *layout;
    struct slice subtype;
    uint32_t start; /* of column 0 */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_type(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.data[i] < 'A' || s.data[i] > 'Z') && s.data[i] != '-' && s.data[i] != '_')
            return false;
    }
    return s.len >= 3;
}

/* A receive time begins with a digit and has its date's separator soon. */
static bool is_time(struct slice s)
{
    if (s.len < 8 || !is_digit(s.data[0]))
        return false;
    for (size_t i = 1; i < 5; i++) {
        if (s.data[i] == '/' || s.data[i] == '-')
            return true;
    }
    return false;
}

static const struct layout *layout_find(struct slice type)
{
    for (size_t i = 0; i < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); i++) {
        if (slice_equal(LAYOUTS[i].type, type))
            return &LAYOUTS[i];
    }
    return &LAYOUT_OTHER;
}

/* A layout of the operator's own. */
static bool is_pairs(struct slice message)
{
    return layout_find(panos_pairs_type(message)) != &LAYOUT_OTHER;
}

/* The first five columns say whose line it is. */
static bool head_read(struct line_head *out, struct slice line, uint32_t from)
{
    uint32_t limit = from + PREFIX_BYTES_MAX;
    while (from < line.len && from < limit && (line.data[from] == ' ' || line.data[from] == ':'))
        from++;
    uint32_t end = (uint32_t)line.len;
    if (end - from > HEADER_BYTES_MAX - PREFIX_BYTES_MAX)
        end = from + HEADER_BYTES_MAX - PREFIX_BYTES_MAX;
    struct byte_cursor commas = {.text = line.data, .end = end, .byte = ','};
    byte_cursor_seek(&commas, from);
    struct slice columns[SUBTYPE_COLUMN + 1];
    uint32_t at = from;
    for (uint32_t i = 0; i <= SUBTYPE_COLUMN; i++) {
        uint32_t stop = byte_cursor_next(&commas);
        if (stop == end)
            return false;
        columns[i] = slice_of(line.data + at, stop - at);
        at = stop + 1;
    }
    if (columns[0].len > FIRST_BYTES_MAX || (columns[0].len > 0 && !is_digit(columns[0].data[0])))
        return false;
    if (!is_time(columns[1]) || !is_type(columns[TYPE_COLUMN]))
        return false;
    *out = (struct line_head){.layout = layout_find(columns[TYPE_COLUMN]),
                              .subtype = columns[SUBTYPE_COLUMN],
                              .start = from};
    return true;
}

static bool add_parts(struct slots *out, struct slice line, const struct slot *s,
                      struct slice subtype)
{
    switch (s->field) {
    case FIELD_PARTS_URL:
        return panos_object_slots(out, line, s, panos_object_of(subtype));
    case FIELD_PARTS_THREAT:
        return panos_threat_slots(out, line, s);
    case FIELD_PARTS_TEXT:
        return panos_text_slots(out, line, s);
    default:
        return panos_account_slots(out, line, s);
    }
}

/*
 * A column that begins with a quote: sets the value and returns where the column ends. A quote is
 * the last one before a comma or the end; a quote elsewhere is part of the value. An open quote
 * takes the rest of the line; the answer is 0 then.
 */
static uint32_t quoted_column(struct slot *value, struct slice line)
{
    uint32_t end = (uint32_t)line.len;
    uint32_t from = value->offset + 1;
    uint32_t p = from;
    value->offset = from;
    value->kind = SLOT_CSV_DOUBLED;
    for (;;) {
        const char *quote = p < end ? memchr(line.data + p, '"', end - p) : NULL;
        if (quote == NULL)
            break;
        uint32_t place = (uint32_t)(quote - line.data);
        if (place + 1 == end || line.data[place + 1] == ',') {
            value->length = place - from;
            return place + 1;
        }
        p = place + (line.data[place + 1] == '"' ? 2 : 1);
    }
    value->length = end - from;
    return 0;
}

/* The same for a relay that wrote a backslash before each quote; 0 when it is none of these. */
static uint32_t escaped_column(struct slot *value, struct slice line)
{
    uint32_t end = (uint32_t)line.len;
    uint32_t from = value->offset + 2;
    if (end - value->offset < 4 || line.data[from - 2] != '\\' || line.data[from - 1] != '"')
        return 0;
    const char *close = memmem(line.data + from, end - from, "\\\"", 2);
    if (close == NULL)
        return 0;
    uint32_t place = (uint32_t)(close - line.data);
    if (place + 2 < end && line.data[place + 2] != ',')
        return 0;
    value->offset = from;
    value->length = place - from;
    return place + 2;
}

/*
 * A column that is quoted or holds several values. Returns where it ends, or 0 when nothing can
 * follow. Apart from the loop over plain columns, which has to stay in registers.
 */
__attribute__((noinline)) static uint32_t special_column(struct slots *out, struct slice line,
                                                         uint32_t at, uint16_t field,
                                                         struct slice subtype)
{
    struct slot value = {.offset = at, .field = field};
    uint32_t stop = 0;
    bool whole = true;
    if (at < line.len && line.data[at] == '"') {
        stop = quoted_column(&value, line);
        whole = stop > 0;
    } else if (at < line.len && line.data[at] == '\\') {
        stop = escaped_column(&value, line);
    }
    if (stop == 0 && whole) {
        const char *comma = memchr(line.data + at, ',', line.len - at);
        stop = comma == NULL ? (uint32_t)line.len : (uint32_t)(comma - line.data);
        value.length = stop - at;
    }
    bool added = field < FIELD_PARTS ? slots_add(out, value.offset, value.length, field, value.kind)
                                     : add_parts(out, line, &value, subtype);
    return added ? stop : 0;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct line_head head;
    if (!head_read(&head, line, from)) {
        const bool pairs = is_pairs(slice_from_offset(line, from));
        return pairs ? panos_pairs_parse(state, line, from, out) : PARSE_MISMATCH;
    }
    const uint32_t end = (uint32_t)line.len;
    const uint16_t *fields = head.layout->fields;
    const uint32_t named = head.layout->count;
    struct byte_cursor commas = {.text = line.data, .end = end, .byte = ','};
    byte_cursor_seek(&commas, head.start);
    uint32_t at = head.start;
    for (uint32_t column = 0;; column++) {
        uint16_t field = column < named ? fields[column] : 0;
        if (field == 0)
            field = FIELD_COLUMN(column);
        char first = ',';
        if (at < end)
            first = line.data[at];
        uint32_t stop;
        if (first != '"' && first != '\\' && field < FIELD_PARTS) {
            stop = byte_cursor_next(&commas);
            /* Behind the columns that have names nothing is no value: commas may be very many. */
            if ((stop > at || column < named) && !slots_add(out, at, stop - at, field, SLOT_PLAIN))
                return PARSE_PARTIAL;
        } else {
            stop = special_column(out, line, at, field, head.subtype);
            if (stop == 0)
                return PARSE_PARTIAL;
            byte_cursor_seek(&commas, stop);
            (void)byte_cursor_next(&commas);
        }
        if (stop >= end)
            return PARSE_OK;
        at = stop + 1;
    }
}

static bool probe(struct slice message)
{
    struct line_head head;
    return head_read(&head, message, 0) ? head.layout != &LAYOUT_OTHER : is_pairs(message);
}

/* A login at GlobalProtect by its status. */
static uint8_t login_verdict(struct slice action, struct slice status)
{
    if (!slice_equal(action, SLICE("gateway-auth")) && !slice_equal(action, SLICE("portal-auth")))
        return VERDICT_UNKNOWN;
    if (slice_equal(status, SLICE("failure")))
        return VERDICT_DENY;
    return slice_equal(status, SLICE("success")) ? VERDICT_ALLOW : VERDICT_UNKNOWN;
}

/* `beside` is the outcome that GLOBALPROTECT lines have. */
static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct {
        struct slice word;
        uint8_t verdict;
    } WORDS[] = {
        {{"allow", 5}, VERDICT_ALLOW},
        {{"deny", 4}, VERDICT_DENY},
        {{"drop", 4}, VERDICT_DROP},
        {{"drop-icmp", 9}, VERDICT_DROP},
        {{"drop-packet", 11}, VERDICT_DROP},
        {{"drop-all-packets", 16}, VERDICT_DROP},
        {{"reset-client", 12}, VERDICT_RESET},
        {{"reset-server", 12}, VERDICT_RESET},
        {{"reset-both", 10}, VERDICT_RESET},
        {{"reset client", 12}, VERDICT_RESET},
        {{"reset server", 12}, VERDICT_RESET},
        {{"reset both", 10}, VERDICT_RESET},
        {{"alert", 5}, VERDICT_ALERT},
        {{"syncookie-sent", 14}, VERDICT_ALERT},
        {{"continue", 8}, VERDICT_ALLOW},
        {{"override", 8}, VERDICT_ALLOW},
        {{"allow-override", 14}, VERDICT_ALLOW},
        {{"block", 5}, VERDICT_BLOCK},
        {{"block-url", 9}, VERDICT_BLOCK},
        {{"block-ip", 8}, VERDICT_BLOCK},
        {{"block-continue", 14}, VERDICT_BLOCK},
        {{"block-override", 14}, VERDICT_BLOCK},
        {{"override-lockout", 16}, VERDICT_BLOCK},
        {{"random-drop", 11}, VERDICT_DROP},
        {{"sinkhole", 8}, VERDICT_BLOCK},
        {{"auth-success", 12}, VERDICT_ALLOW},
        {{"auth-fail", 9}, VERDICT_DENY},
        {{"globalprotectgateway-auth-succ", 30}, VERDICT_ALLOW},
        {{"globalprotectgateway-auth-fail", 30}, VERDICT_DENY},
        {{"globalprotectportal-auth-succ", 29}, VERDICT_ALLOW},
        {{"globalprotectportal-auth-fail", 29}, VERDICT_DENY},
    };
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (slice_equal(WORDS[i].word, action))
            return WORDS[i].verdict;
    }
    return login_verdict(action, beside);
}

const struct parser parser_panos = {
    .name = "panos",
    .format = FORMAT_PANOS,
    .probe = probe,
    .parse = parse,
    .state_new = panos_pairs_state_new,
    .state_free = pairs_state_free,
    .verdict = verdict,
    .verdict_beside = FIELD_EVENT_OUTCOME,
};
