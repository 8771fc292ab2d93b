/*
 * filterlog of pfSense and OPNsense: comma separated columns whose tail depends on the version of
 * IP and on the protocol.
 *
 *   9,,,1000000103,igb0,match,block,in,4,0x0,,64,4711,0,DF,6,tcp,52,192.0.2.7,198.51.100.9,
 *       50000,443,0,S,123456,,64240,,mss;nop
 *   rule,sub,anchor,tracker,interface,reason,action,direction,version, then
 *   4: tos,ecn,ttl,id,offset,flags,protocol,name,length,source,destination
 *   6: class,flow,hop limit,name,protocol,length,source,destination
 *   tcp, udp: source port,destination port,data length[,flags,seq,ack,window,urgent,options]
 *   icmp: type,...
 *
 * Which of the two interfaces a packet passed follows the direction.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    COLUMN_SUB = 1, /* and the anchor behind it: one value */
    COLUMN_TRACKER = 3,
    COLUMN_INTERFACE = 4,
    COLUMN_ACTION = 6,
    COLUMN_DIRECTION = 7,
    COLUMN_VERSION = 8,
    COLUMNS_HEAD = 9,
    COLUMNS_MAX = 64,
    COLUMN_LENGTH = 17, /* as unnamed values are called, whatever the version */
    COLUMN_TAIL = 20,
    COLUMN_TAG = 63,
};

/* Where columns stand behind the head: what is of interest, by the version of IP. */
struct layout {
    size_t protocol; /* its name; before it stands the rest of the IP header, one value */
    size_t length;
    size_t source;
    size_t tail; /* behind the destination */
};

static const struct layout V4 = {.protocol = 16, .length = 17, .source = 18, .tail = 20};
static const struct layout V6 = {.protocol = 12, .length = 14, .source = 15, .tail = 17};

struct columns {
    struct slice items[COLUMNS_MAX];
    size_t count;
};

/* Split at commas; what is behind the last column that is kept stays in it. */
static void split(struct columns *out, struct slice text)
{
    const char *at = text.data;
    const char *end = text.data + text.len;
    out->count = 0;
    for (;;) {
        const char *to = out->count == COLUMNS_MAX - 1 ? end : scan_byte(at, end, ',');
        out->items[out->count++] = slice_of(at, (size_t)(to - at));
        if (to == end)
            return;
        at = to + 1;
    }
}

static bool is_direction(struct slice word)
{
    return slice_equal(word, SLICE("in")) || slice_equal(word, SLICE("out"));
}

/* Whether the columns of every line's beginning are there. */
static bool is_head(const struct columns *columns)
{
    const struct slice *c = columns->items;
    return columns->count > COLUMNS_HEAD && c[0].len > 0 && word_is_digit(c[0].data[0]) &&
           is_direction(c[COLUMN_DIRECTION]) && c[COLUMN_VERSION].len == 1 &&
           (c[COLUMN_VERSION].data[0] == '4' || c[COLUMN_VERSION].data[0] == '6');
}

/* Columns [first, last] as one value: neighbours that nobody asks for apart. */
static bool add_span(struct cursor *c, const struct columns *columns, size_t first, size_t last,
                     uint16_t field)
{
    if (last >= columns->count)
        last = columns->count - 1;
    if (first > last)
        return true;
    const struct slice end = columns->items[last];
    return cursor_add(c, columns->items[first].data, end.data + end.len, field);
}

static bool add_column(struct cursor *c, const struct columns *columns, size_t i, uint16_t field)
{
    return i >= columns->count || cursor_add_slice(c, columns->items[i], field);
}

static bool add_head(struct cursor *c, const struct columns *columns)
{
    const bool inward = slice_equal(columns->items[COLUMN_DIRECTION], SLICE("in"));
    return add_column(c, columns, 0, FIELD_RULE_ID) &&
           add_span(c, columns, COLUMN_SUB, COLUMN_SUB + 1, FIELD_COLUMN(COLUMN_SUB)) &&
           add_column(c, columns, COLUMN_TRACKER, FIELD_RULE_UUID) &&
           add_column(c, columns, COLUMN_INTERFACE,
                      inward ? FIELD_OBSERVER_INGRESS : FIELD_OBSERVER_EGRESS) &&
           add_column(c, columns, COLUMN_INTERFACE + 1, FIELD_EVENT_REASON) &&
           add_column(c, columns, COLUMN_ACTION, FIELD_EVENT_ACTION) &&
           add_column(c, columns, COLUMN_DIRECTION, FIELD_NETWORK_DIRECTION);
}

/* What the protocol appends. */
static bool add_tail(struct cursor *c, const struct columns *columns, const struct layout *at)
{
    const struct slice protocol =
        columns->count > at->protocol ? columns->items[at->protocol] : SLICE("");
    const bool tcp = word_begins(protocol, SLICE("tcp"));
    size_t next = at->tail;
    if (tcp || word_begins(protocol, SLICE("udp"))) {
        if (!add_column(c, columns, next, FIELD_SOURCE_PORT) ||
            !add_column(c, columns, next + 1, FIELD_DESTINATION_PORT) ||
            !add_column(c, columns, next + 2, FIELD_COLUMN(COLUMN_TAIL)) ||
            (tcp && !add_column(c, columns, next + 3, FIELD_NETWORK_TCP_FLAGS)))
            return false;
        next += tcp ? 4 : 3;
    } else if (word_holds(protocol, SLICE("icmp"))) {
        if (!add_column(c, columns, next, FIELD_ICMP_TYPE))
            return false;
        next++;
    }
    return add_span(c, columns, next, columns->count - 1, FIELD_COLUMN(COLUMN_TAIL + 1));
}

static bool add_columns(struct cursor *c, const struct columns *columns, const struct layout *at)
{
    return add_head(c, columns) &&
           add_span(c, columns, COLUMN_VERSION, at->protocol - 1, FIELD_COLUMN(COLUMN_VERSION)) &&
           add_column(c, columns, at->protocol, FIELD_NETWORK_TRANSPORT) &&
           add_span(c, columns, at->protocol + 1, at->length, FIELD_COLUMN(COLUMN_LENGTH)) &&
           add_column(c, columns, at->source, FIELD_SOURCE_IP) &&
           add_column(c, columns, at->source + 1, FIELD_DESTINATION_IP) && add_tail(c, columns, at);
}

/* "filterlog[77]: " where no syslog header took it. */
static void skip_tag(struct cursor *c)
{
    struct cursor ahead = *c;
    if (!cursor_take(&ahead, SLICE("filterlog")))
        return;
    ahead.at = scan_byte(ahead.at, ahead.end, ' ');
    cursor_skip_blanks(&ahead);
    *c = ahead;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    struct columns columns;
    (void)state;
    skip_tag(&c);
    split(&columns, cursor_rest(&c));
    if (!is_head(&columns))
        return PARSE_MISMATCH;
    if (c.at > line.data + from &&
        !cursor_add(&c, line.data + from, c.at, FIELD_COLUMN(COLUMN_TAG)))
        return PARSE_PARTIAL;
    const struct layout *at = columns.items[COLUMN_VERSION].data[0] == '4' ? &V4 : &V6;
    if (!add_columns(&c, &columns, at))
        return PARSE_PARTIAL;
    return columns.count >= at->tail ? PARSE_OK : PARSE_PARTIAL;
}

static bool probe(struct slice message)
{
    struct slots none;
    struct cursor c = cursor_at(&none, word_head(message), 0);
    struct columns columns;
    skip_tag(&c);
    split(&columns, cursor_rest(&c));
    return is_head(&columns);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {
        VERDICT_WORD("pass", ALLOW),     VERDICT_WORD("block", BLOCK), VERDICT_WORD("reject", DENY),
        VERDICT_WORD("unkn(11)", ALLOW), VERDICT_WORD("nat", ALLOW),   VERDICT_WORD("rdr", ALLOW)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_filterlog = {
    .name = "filterlog",
    .format = FORMAT_FILTERLOG,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
