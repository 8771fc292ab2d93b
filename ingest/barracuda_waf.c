#include "ingest/barracuda_waf.h"

#include "ingest/meaning.h"
#include "ingest/word.h"

enum {
    DATE_BYTES = 10,
    CLOCK_BYTES_MIN = 8,
    ZONE_BYTES = 5,
    COLUMN_FIRST = 100, /* of those without a field; the firewall's lines have the ones before */
    COLUMNS_MAX = 64,
};

/* A column without a field is known by its number. */
#define NO_FIELD                  \
    {                             \
        FIELD_NONE, MEANING_MAYBE \
    }
#define VALUE(name)                 \
    {                               \
        FIELD_##name, MEANING_MAYBE \
    }
#define MEANT(name, how)            \
    {                               \
        FIELD_##name, MEANING_##how \
    }

static const struct meaning TRAFFIC[] = {VALUE(DESTINATION_IP),
                                         VALUE(DESTINATION_PORT),
                                         VALUE(SOURCE_IP),
                                         VALUE(SOURCE_PORT),
                                         NO_FIELD,
                                         NO_FIELD,
                                         VALUE(HTTP_METHOD),
                                         NO_FIELD,
                                         MEANT(URL_DOMAIN, PEER),
                                         MEANT(HTTP_VERSION, VERSION),
                                         VALUE(HTTP_STATUS),
                                         VALUE(DESTINATION_BYTES),
                                         VALUE(SOURCE_BYTES),
                                         NO_FIELD,
                                         NO_FIELD,
                                         VALUE(DESTINATION_NAT_IP),
                                         VALUE(DESTINATION_NAT_PORT),
                                         NO_FIELD,
                                         VALUE(NETWORK_SESSION),
                                         NO_FIELD,
                                         NO_FIELD,
                                         NO_FIELD,
                                         NO_FIELD,
                                         VALUE(URL_PATH),
                                         VALUE(URL_QUERY),
                                         VALUE(HTTP_REFERRER),
                                         NO_FIELD,
                                         VALUE(USER_AGENT),
                                         NO_FIELD,
                                         NO_FIELD,
                                         MEANT(USER_NAME, ACCOUNT),
                                         NO_FIELD,
                                         NO_FIELD,
                                         NO_FIELD,
                                         VALUE(EVENT_ID)};

static const struct meaning ATTACK[] = {VALUE(EVENT_SEVERITY),
                                        VALUE(THREAT_NAME),
                                        VALUE(SOURCE_IP),
                                        VALUE(SOURCE_PORT),
                                        VALUE(DESTINATION_IP),
                                        VALUE(DESTINATION_PORT),
                                        VALUE(RULE_NAME),
                                        NO_FIELD,
                                        VALUE(EVENT_ACTION),
                                        NO_FIELD,
                                        VALUE(EVENT_REASON),
                                        VALUE(HTTP_METHOD),
                                        MEANT(URL_ORIGINAL, SITE),
                                        NO_FIELD,
                                        VALUE(NETWORK_SESSION),
                                        VALUE(USER_AGENT),
                                        NO_FIELD,
                                        NO_FIELD,
                                        MEANT(USER_NAME, ACCOUNT),
                                        VALUE(HTTP_REFERRER),
                                        VALUE(EVENT_ID)};

static const struct meaning AUDIT[] = {MEANT(USER_NAME, ACCOUNT), NO_FIELD, VALUE(SOURCE_IP),
                                       VALUE(SOURCE_PORT), VALUE(EVENT_ACTION)};

static const struct meaning NETWORK[] = {
    VALUE(EVENT_SEVERITY), VALUE(NETWORK_TRANSPORT), VALUE(SOURCE_IP),    VALUE(SOURCE_PORT),
    VALUE(DESTINATION_IP), VALUE(DESTINATION_PORT),  VALUE(EVENT_ACTION), VALUE(RULE_NAME)};

static const struct meaning SYSTEM[] = {NO_FIELD, VALUE(EVENT_SEVERITY), VALUE(EVENT_CODE)};

/* A type of line, as it stands behind the unit's name. */
struct type {
    struct slice name;
    const struct meaning *columns;
    uint32_t count;
    uint32_t least; /* columns that a whole line has */
    bool tells;     /* a text for people follows the columns */
};

#define TYPE(text, columns, least, tells)                                                         \
    {                                                                                             \
        {(text), sizeof(text) - 1}, columns, sizeof(columns) / sizeof((columns)[0]), least, tells \
    }

static const struct type TYPES[] = {TYPE("TR", TRAFFIC, 4, false), TYPE("WF", ATTACK, 9, false),
                                    TYPE("AUDIT", AUDIT, 5, false), TYPE("NF", NETWORK, 7, true),
                                    TYPE("SYS", SYSTEM, 3, true)};

static const struct type *find_type(struct slice word)
{
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (slice_equal(TYPES[i].name, word))
            return &TYPES[i];
    }
    return NULL;
}

struct head {
    struct slice date;
    struct slice clock;
    struct slice zone;
    struct slice unit;
    struct slice name;
    const struct type *type;
};

static bool read_head(struct cursor *c, struct head *h)
{
    h->date = cursor_word(c);
    h->clock = cursor_word(c);
    h->zone = cursor_word(c);
    if (h->date.len != DATE_BYTES || h->date.data[4] != '-' || h->date.data[7] != '-' ||
        h->clock.len < CLOCK_BYTES_MIN || h->clock.data[2] != ':' || h->clock.data[5] != ':' ||
        h->zone.len != ZONE_BYTES || (*h->zone.data != '+' && *h->zone.data != '-'))
        return false;
    h->unit = cursor_word(c);
    h->name = cursor_word(c);
    h->type = find_type(h->name);
    return h->unit.len > 0 && h->type != NULL;
}

/* The next column: a word, or what quotes or brackets enclose; the bracket that a blank follows. */
static struct slice next_column(struct cursor *c)
{
    const char *from = c->at;
    if (*from != '"' && *from != '[')
        return cursor_word(c);
    const bool quoted = *from++ == '"';
    const char *to = scan_text(from, c->end, quoted ? SLICE("\" ") : SLICE("] "));
    c->at = to;
    if (to < c->end) {
        c->at = to + 1;
        cursor_skip_blanks(c);
    } else if (to > from && to[-1] == (quoted ? '"' : ']')) {
        to--;
    }
    return slice_of(from, (size_t)(to - from));
}

static bool add_column(struct cursor *c, struct slice text, const struct type *type, uint32_t i)
{
    struct meaning meaning = {.field = (uint16_t)FIELD_COLUMN(COLUMN_FIRST + i),
                              .form = MEANING_MAYBE};
    const struct slot value = {.offset = cursor_offset(c, text.data), .length = (uint32_t)text.len};
    if (i < type->count && type->columns[i].field != FIELD_NONE)
        meaning = type->columns[i];
    return meaning_slots(c->out, c->line, &meaning, &value);
}

enum parse_result barracuda_waf_parse(struct cursor *c)
{
    struct head h;
    if (!read_head(c, &h))
        return PARSE_MISMATCH;
    if (!cursor_add_slice(c, h.date, FIELD_TIME_DATE) ||
        !cursor_add_slice(c, h.clock, FIELD_TIME_CLOCK) ||
        !cursor_add_slice(c, h.zone, FIELD_TIME_ZONE) ||
        !cursor_add_slice(c, h.unit, FIELD_OBSERVER_NAME) ||
        !cursor_add_slice(c, h.name, FIELD_EVENT_DATASET))
        return PARSE_PARTIAL;
    uint32_t column = 0;
    for (; c->at < c->end && column < COLUMNS_MAX; column++) {
        if (h.type->tells && column == h.type->count)
            break;
        const struct slice text = next_column(c);
        if (!add_column(c, text, h.type, column))
            return PARSE_PARTIAL;
    }
    if (c->at < c->end && !cursor_add(c, c->at, c->end, FIELD_MESSAGE))
        return PARSE_PARTIAL;
    return column < h.type->least ? PARSE_PARTIAL : PARSE_OK;
}

bool barracuda_waf_probe(struct slice head)
{
    struct slots none;
    struct cursor c = cursor_at(&none, head, 0);
    struct head h;
    return read_head(&c, &h);
}
