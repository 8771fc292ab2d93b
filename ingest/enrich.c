#include "ingest/enrich.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "event/builder.h"
#include "event/columns.h"
#include "event/verdict.h"
#include "ingest/word.h"

enum {
    THREAT_TEXT_BYTES = 128, /* of a category or an event's name that are looked at */
    FIELD_COLUMNS_MAX = 64,  /* of one field; further values of a line are not looked at */
    AHEAD_ROWS = 8,          /* whose lookups wait for memory meanwhile */
    MEMO_VERDICTS = 256,
    MEMO_DOMAINS = 8192,
    MEMO_COUNTRIES = 26 * 26,
    CODE_UNKNOWN = CODE_NONE, /* in memos: not looked up yet */
};

/* How many bytes at the end of a name are its registrable domain. */
struct domain_memo {
    uint64_t hash;
    uint16_t len;
};

struct enrich {
    const struct feed_environment *env;
    struct geo_cache *geo;
    uint64_t seed;
    struct domain_memo domains[MEMO_DOMAINS];
    struct domain_scratch scratch;
    /* Memos of the batch at hand. */
    uint16_t country_code[2][MEMO_COUNTRIES]; /* [side] */
    uint16_t verdict_key[MEMO_VERDICTS][2];   /* action's code, code of the value beside */
    uint8_t verdict_of[MEMO_VERDICTS];
};

int enrich_new(struct enrich **out, const struct feed_environment *env)
{
    struct enrich *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return ERR_NOMEM;
    e->env = env;
    e->seed = hash_seed();
    if (env->geo != NULL && geo_cache_new(&e->geo, env->geo) != 0) {
        free(e);
        return ERR_NOMEM;
    }
    *out = e;
    return 0;
}

void enrich_free(struct enrich *e)
{
    if (e == NULL)
        return;
    geo_cache_free(e->geo);
    free(e);
}

/*
 * The columns of a field that lines fill, by ordinal: a row's values in the order of its line,
 * whatever other lines of the batch look like. Indices, because adding a column moves the others.
 */
struct field_columns {
    uint32_t index[FIELD_COLUMNS_MAX];
    uint32_t count;
};

static struct field_columns columns_of(const struct batch *b, uint16_t field)
{
    struct field_columns found = {0};
    uint32_t of_ordinal = 1;
    for (uint32_t ordinal = 0; of_ordinal != 0; ordinal++) {
        of_ordinal = 0;
        for (uint32_t i = 0; i < b->column_count; i++) {
            const struct column *c = &b->columns[i];
            if (c->field != field || c->ordinal != ordinal || c->derived)
                continue;
            of_ordinal++;
            if (c->value_count != 0 && found.count < FIELD_COLUMNS_MAX)
                found.index[found.count++] = i;
        }
    }
    return found;
}

static bool row_ip(const struct column *c, uint32_t row, struct ip *ip)
{
    if (!column_is_present(c, row))
        return false;
    *ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
    return true;
}

/* One end of a connection and the columns that describe it. */
struct side {
    int index; /* 0 source, 1 destination */
    uint16_t ip, country, asn, zone, asset;
};

static const struct side SIDES[2] = {
    {0, FIELD_SOURCE_IP, FIELD_SOURCE_COUNTRY, FIELD_SOURCE_ASN, FIELD_ZONE_SOURCE,
     FIELD_ASSET_SOURCE},
    {1, FIELD_DESTINATION_IP, FIELD_DESTINATION_COUNTRY, FIELD_DESTINATION_ASN,
     FIELD_ZONE_DESTINATION, FIELD_ASSET_DESTINATION},
};

/* Places of derived columns; an index, because adding a column moves the others. */
struct side_columns {
    uint32_t country, asn, zone, asset;
};

static int derived_index(struct batch *b, uint16_t field, uint32_t *out)
{
    const struct column *c = batch_derived(b, field);
    if (c == NULL)
        return ERR_NOMEM;
    *out = (uint32_t)(c - b->columns);
    return 0;
}

static int put_country(struct enrich *e, struct batch *b, const struct side *side, uint32_t column,
                       uint32_t row, const char *country)
{
    unsigned high = (unsigned)(unsigned char)country[0] - 'A';
    unsigned low = (unsigned)(unsigned char)country[1] - 'A';
    if (high >= 26 || low >= 26)
        return 0;
    uint16_t *code = &e->country_code[side->index][high * 26 + low];
    struct column *c = &b->columns[column];
    if (*code == CODE_UNKNOWN)
        *code = column_intern(b, c, slice_of(country, 2));
    if (*code == CODE_UNKNOWN)
        return ERR_NOMEM;
    c->codes[row] = *code;
    return 0;
}

static int put_name(struct batch *b, uint32_t column, uint32_t row, const struct slice *names,
                    uint16_t id)
{
    if (id == 0 || names == NULL)
        return 0;
    struct column *c = &b->columns[column];
    uint16_t code = column_intern(b, c, names[id - 1]);
    if (code == CODE_NONE)
        return ERR_NOMEM;
    c->codes[row] = code;
    return 0;
}

static int put_place(struct enrich *e, struct batch *b, const struct side *side,
                     const struct side_columns *to, uint32_t row, const struct ip *ip)
{
    if (e->geo == NULL)
        return 0;
    struct geo_place place = geo_lookup(e->geo, ip);
    if (place.asn != 0)
        b->columns[to->asn].numbers[row] = place.asn;
    return put_country(e, b, side, to->country, row, place.country);
}

static int put_network(struct batch *b, const struct feed_options *source,
                       const struct side_columns *to, uint32_t row, const struct ip *ip)
{
    if (source->networks == NULL)
        return 0;
    struct zone_match match = zone_find(source->networks, ip);
    if (put_name(b, to->zone, row, source->names.zones, match.zone) != 0)
        return ERR_NOMEM;
    return put_name(b, to->asset, row, source->names.assets, match.asset);
}

static int side_open(struct enrich *e, struct batch *b, const struct feed_options *source,
                     const struct side *side, struct side_columns *to)
{
    int status = 0;
    if (e->geo != NULL) {
        status = derived_index(b, side->country, &to->country);
        if (status == 0)
            status = derived_index(b, side->asn, &to->asn);
    }
    if (source->networks != NULL && status == 0) {
        status = derived_index(b, side->zone, &to->zone);
        if (status == 0)
            status = derived_index(b, side->asset, &to->asset);
    }
    return status;
}

/* The first address that a row has for this side decides. */
static bool side_ip(const struct batch *b, const struct field_columns *addresses, uint32_t row,
                    struct ip *ip)
{
    for (uint32_t i = 0; i < addresses->count; i++) {
        if (row_ip(&b->columns[addresses->index[i]], row, ip))
            return true;
    }
    return false;
}

static int enrich_side(struct enrich *e, struct batch *b, const struct feed_options *source,
                       const struct side *side, uint32_t first, uint32_t end)
{
    struct field_columns addresses = columns_of(b, side->ip);
    if ((e->geo == NULL && source->networks == NULL) || addresses.count == 0)
        return 0;
    struct side_columns to = {0};
    int status = side_open(e, b, source, side, &to);
    for (uint32_t row = first; row < end && status == 0; row++) {
        struct ip ip;
        if (e->geo != NULL && end - row > AHEAD_ROWS &&
            side_ip(b, &addresses, row + AHEAD_ROWS, &ip))
            geo_ahead(e->geo, &ip);
        if (!side_ip(b, &addresses, row, &ip))
            continue;
        status = put_place(e, b, side, &to, row, &ip);
        if (status == 0)
            status = put_network(b, source, &to, row, &ip);
    }
    return status;
}

/* A value of a text column in a row, decoded into *scratch where it is encoded. */
static bool text_value(const struct batch *b, const struct column *c, uint32_t row,
                       struct buf *scratch, struct slice *out)
{
    if (!batch_value(b, c, row, scratch, out))
        return false;
    if (value_is_encoded(*out, c->kind)) {
        buf_reset(scratch);
        value_decode(scratch, *out, c->kind);
        *out = buf_content(scratch);
    }
    return true;
}

/* Who knows what an action of the batch means. */
struct judge {
    const struct parser *parser;
    const struct template *layout;
    struct field_columns besides; /* that the parser wants to see with the action */
};

static uint8_t judge_verdict(const struct judge *judge, struct slice action, struct slice beside)
{
    if (judge->layout != NULL)
        return template_verdict(judge->layout, action);
    return judge->parser->verdict(action, beside);
}

static uint8_t row_verdict(struct enrich *e, const struct batch *b, const struct judge *judge,
                           const struct column *action, const struct column *beside, uint32_t row)
{
    bool coded =
        action->storage == COLUMN_CODES && (beside == NULL || beside->storage == COLUMN_CODES);
    uint16_t action_code = coded ? action->codes[row] : 0;
    uint16_t beside_code = beside != NULL && coded ? beside->codes[row] : CODE_NONE;
    if (coded && action_code == CODE_NONE)
        return VERDICT_UNKNOWN;
    uint32_t memo = ((uint32_t)action_code * 31 + beside_code) % MEMO_VERDICTS;
    if (coded && e->verdict_key[memo][0] == action_code && e->verdict_key[memo][1] == beside_code)
        return e->verdict_of[memo];
    struct buf first = {0};
    struct buf second = {0};
    struct slice action_text = SLICE("");
    struct slice beside_text = SLICE("");
    uint8_t verdict = VERDICT_UNKNOWN;
    if (text_value(b, action, row, &first, &action_text)) {
        if (beside != NULL)
            (void)text_value(b, beside, row, &second, &beside_text);
        verdict = judge_verdict(judge, action_text, beside_text);
    }
    buf_release(&first);
    buf_release(&second);
    if (coded) {
        e->verdict_key[memo][0] = action_code;
        e->verdict_key[memo][1] = beside_code;
        e->verdict_of[memo] = verdict;
    }
    return verdict;
}

/* Whether a text column has a value in the row. */
static bool has_text(const struct column *c, uint32_t row)
{
    return c->storage == COLUMN_CODES ? c->codes[row] != CODE_NONE : c->spans[row].len != SPAN_NONE;
}

/* The column that holds the row's value beside the action, NULL when it has none. */
static const struct column *row_beside(const struct batch *b, const struct field_columns *besides,
                                       uint32_t row)
{
    for (uint32_t i = 0; i < besides->count; i++) {
        const struct column *c = &b->columns[besides->index[i]];
        if (has_text(c, row))
            return c;
    }
    return NULL;
}

/* Is a text of the row such as malware is told by? A policy about viruses has the word, too. */
static bool tells_threat(uint16_t field, struct slice text)
{
    static const struct {
        uint16_t field;
        struct slice word;
    } WORDS[] = {
        {FIELD_RULE_CATEGORY, {"malware", 7}},
        {FIELD_RULE_CATEGORY, {"virus", 5}},
        {FIELD_EVENT_DATASET, {"infected", 8}},
        {FIELD_EVENT_DATASET, {"malware found", 13}},
        {FIELD_EVENT_DATASET, {"malware detected", 16}},
        {FIELD_EVENT_DATASET, {"virus found", 11}},
        {FIELD_EVENT_DATASET, {"virus detected", 14}},
    };
    if (text.len > THREAT_TEXT_BYTES)
        text.len = THREAT_TEXT_BYTES;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (WORDS[i].field == field && word_holds(text, WORDS[i].word))
            return true;
    }
    return false;
}

/* Does the row name malware or an attack, or a category or an event of such? */
static bool names_threat(const struct batch *b, uint32_t row)
{
    bool found = false;
    struct buf scratch = {0};
    for (uint32_t i = 0; i < b->column_count && !found; i++) {
        const struct column *c = &b->columns[i];
        struct slice text;
        if (c->field == FIELD_THREAT_NAME || c->field == FIELD_THREAT_ID)
            found = has_text(c, row);
        else if (c->field == FIELD_RULE_CATEGORY || c->field == FIELD_EVENT_DATASET)
            found = text_value(b, c, row, &scratch, &text) && tells_threat(c->field, text);
    }
    buf_release(&scratch);
    return found;
}

/* The rows' verdicts by the values of one column; those that have one keep it unless `over`. */
static void judge_column(struct enrich *e, struct batch *b, const struct judge *judge,
                         const struct column *action, bool over, const uint32_t rows[2])
{
    const struct column *known = NULL;
    memset(e->verdict_key, 0xff, sizeof(e->verdict_key));
    for (uint32_t row = rows[0]; row < rows[1]; row++) {
        if (!over && b->verdict[row] != VERDICT_UNKNOWN)
            continue;
        const struct column *beside = row_beside(b, &judge->besides, row);
        const struct column *memo = beside == NULL ? known : beside;
        /* Its codes are those of one column. */
        if (memo != known)
            memset(e->verdict_key, 0xff, sizeof(e->verdict_key));
        known = memo;
        uint8_t verdict = row_verdict(e, b, judge, action, beside, row);
        if ((verdict & VERDICT_OF_THREAT) != 0)
            verdict = names_threat(b, row) ? verdict ^ VERDICT_OF_THREAT : VERDICT_UNKNOWN;
        if (verdict != VERDICT_UNKNOWN)
            b->verdict[row] = verdict;
    }
}

/* Where a line has two actions the last one that says something decides. */
static void enrich_verdict(struct enrich *e, struct batch *b, const struct template *layout,
                           uint32_t first, uint32_t end)
{
    struct judge judge = {.parser = parser_get(b->format), .layout = layout};
    if (layout == NULL && (judge.parser == NULL || judge.parser->verdict == NULL))
        return;
    const uint32_t rows[2] = {first, end};
    const uint16_t field = layout == NULL ? judge.parser->verdict_beside : (uint16_t)FIELD_NONE;
    judge.besides = columns_of(b, field);
    struct field_columns actions = columns_of(b, FIELD_EVENT_ACTION);
    for (uint32_t i = 0; i < actions.count; i++)
        judge_column(e, b, &judge, &b->columns[actions.index[i]], true, rows);
    if (layout != NULL || judge.parser->verdict_else == FIELD_NONE)
        return;
    struct field_columns others = columns_of(b, judge.parser->verdict_else);
    for (uint32_t i = 0; i < others.count; i++)
        judge_column(e, b, &judge, &b->columns[others.index[i]], false, rows);
}

static bool has_transport(const struct batch *b, const struct field_columns *own, uint32_t row)
{
    for (uint32_t i = 0; i < own->count; i++) {
        if (has_text(&b->columns[own->index[i]], row))
            return true;
    }
    return false;
}

/* Of one column; a row that has a transport keeps it. */
static int enrich_transport_of(struct batch *b, const struct parser *parser,
                               const struct field_columns *own, uint32_t from, uint32_t first,
                               uint32_t end)
{
    uint32_t to = 0;
    struct buf scratch = {0};
    uint16_t last_code = CODE_NONE;
    struct slice last = SLICE("");
    int status = derived_index(b, FIELD_NETWORK_TRANSPORT, &to);
    for (uint32_t row = first; row < end && status == 0; row++) {
        const struct column *c = &b->columns[from];
        struct slice value;
        bool coded = c->storage == COLUMN_CODES && c->codes[row] != CODE_NONE;
        if (!has_text(c, row) || has_transport(b, own, row) ||
            b->columns[to].codes[row] != CODE_NONE)
            continue;
        if (!coded || c->codes[row] != last_code) {
            if (!text_value(b, c, row, &scratch, &value))
                continue;
            last = parser->transport(value);
            last_code = coded ? c->codes[row] : CODE_NONE;
        }
        if (last.len == 0)
            continue;
        uint16_t code = column_intern(b, &b->columns[to], last);
        status = code == CODE_NONE ? ERR_NOMEM : 0;
        b->columns[to].codes[row] = code;
    }
    buf_release(&scratch);
    return status;
}

static int enrich_transport(struct batch *b, const struct template *layout, uint32_t first,
                            uint32_t end)
{
    const struct parser *parser = layout == NULL ? parser_get(b->format) : NULL;
    if (parser == NULL || parser->transport == NULL)
        return 0;
    struct field_columns own = columns_of(b, FIELD_NETWORK_TRANSPORT);
    int status = 0;
    for (size_t f = 0; f < 2 && parser->transport_of[f] != 0; f++) {
        struct field_columns values = columns_of(b, parser->transport_of[f]);
        for (uint32_t i = 0; i < values.count && status == 0; i++)
            status = enrich_transport_of(b, parser, &own, values.index[i], first, end);
    }
    return status;
}

/* The registrable domain of a name; borrowed from the name or from the scratch. */
static struct slice registered(struct enrich *e, struct slice name)
{
    uint64_t hash = hash_slice(e->seed, name);
    struct domain_memo *memo = &e->domains[hash % MEMO_DOMAINS];
    if (memo->hash == hash && memo->len <= name.len)
        return slice_from_offset(name, name.len - memo->len);
    struct slice domain = domain_registered(e->env->domains, name, &e->scratch);
    if (domain.len <= name.len && (domain.len == 0 || memcmp(name.data + name.len - domain.len,
                                                             domain.data, domain.len) == 0))
        *memo = (struct domain_memo){.hash = hash, .len = (uint16_t)domain.len};
    return domain;
}

static int put_domain(struct enrich *e, struct batch *b, uint32_t to, struct slice name,
                      uint16_t *code)
{
    char copy[HOSTNAME_BYTES_MAX + 1];
    struct slice domain = registered(e, name);
    *code = CODE_NONE;
    if (domain.len == 0 || domain.len > HOSTNAME_BYTES_MAX)
        return 0;
    /* Interning may move the text that the name lies in. */
    memcpy(copy, domain.data, domain.len);
    *code = column_intern(b, &b->columns[to], slice_of(copy, domain.len));
    return *code == CODE_NONE ? ERR_NOMEM : 0;
}

static int enrich_domains_of(struct enrich *e, struct batch *b, uint32_t from, uint32_t to,
                             uint32_t first, uint32_t end)
{
    struct buf scratch = {0};
    uint16_t last_code = CODE_NONE;
    uint16_t last_domain = CODE_NONE;
    int status = 0;
    for (uint32_t row = first; row < end && status == 0; row++) {
        const struct column *c = &b->columns[from];
        struct slice name;
        if (b->columns[to].codes[row] != CODE_NONE)
            continue;
        if (c->storage == COLUMN_CODES && c->codes[row] != CODE_NONE &&
            c->codes[row] == last_code) {
            b->columns[to].codes[row] = last_domain;
            continue;
        }
        if (!text_value(b, c, row, &scratch, &name))
            continue;
        last_code = c->storage == COLUMN_CODES ? c->codes[row] : CODE_NONE;
        status = put_domain(e, b, to, name, &last_domain);
        b->columns[to].codes[row] = last_domain;
    }
    buf_release(&scratch);
    return status;
}

static int enrich_domains(struct enrich *e, struct batch *b, uint32_t first, uint32_t end)
{
    struct field_columns names = columns_of(b, FIELD_URL_DOMAIN);
    uint32_t to = 0;
    if (e->env->domains == NULL || names.count == 0)
        return 0;
    int status = derived_index(b, FIELD_URL_REGISTERED_DOMAIN, &to);
    for (uint32_t i = 0; i < names.count && status == 0; i++)
        status = enrich_domains_of(e, b, names.index[i], to, first, end);
    return status;
}

/* A source before the Internet has none: most rows carry nothing. */
static int enrich_class(struct batch *b, const struct feed_options *source, uint32_t first,
                        uint32_t end)
{
    uint32_t to = 0;
    if (source->class == SOURCE_CLASS_INTERNET || first == end)
        return 0;
    int status = derived_index(b, FIELD_SOURCE_CLASS, &to);
    if (status != 0)
        return status;
    uint16_t code = column_intern(b, &b->columns[to], source_class_name(source->class));
    if (code == CODE_NONE)
        return ERR_NOMEM;
    for (uint32_t row = first; row < end; row++)
        b->columns[to].codes[row] = code;
    return 0;
}

int enrich_rows(struct enrich *e, struct batch *b, const struct feed_options *source,
                uint32_t first, uint32_t end)
{
    memset(e->country_code, 0xff, sizeof(e->country_code));
    enrich_verdict(e, b, source->layout, first, end);
    int status = enrich_transport(b, source->layout, first, end);
    if (status == 0)
        status = enrich_side(e, b, source, &SIDES[0], first, end);
    if (status == 0)
        status = enrich_side(e, b, source, &SIDES[1], first, end);
    if (status == 0)
        status = enrich_domains(e, b, first, end);
    if (status == 0)
        status = enrich_class(b, source, first, end);
    return status;
}
