#include "ingest/names.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

/* A name of one vendor, or one that gives a vendor away. */
struct row {
    struct slice name;
    uint8_t vendor;
    struct meaning meaning;
};

#define ROW(vendor_, text, field_, form_)       \
    {{.data = (text), .len = sizeof(text) - 1}, \
     VENDOR_##vendor_,                          \
     {.field = FIELD_##field_, .form = MEANING_##form_}},

static const struct row ROWS[] = {
#define ANY(name, field, form)           ROW(ANY, name, field, form)
#define W3C(name, field, form)           ROW(W3C, name, field, form)
#define EVE(name, field, form)           ROW(EVE, name, field, form)
#define AWS_WAF(name, field, form)       ROW(AWS_WAF, name, field, form)
#define AWS_FLOW(name, field, form)      ROW(AWS_FLOW, name, field, form)
#define CLOUDFRONT(name, field, form)    ROW(CLOUDFRONT, name, field, form)
#define AZURE(name, field, form)         ROW(AZURE, name, field, form)
#define CLOUDFLARE(name, field, form)    ROW(CLOUDFLARE, name, field, form)
#define GCP(name, field, form)           ROW(GCP, name, field, form)
#define ZSCALER(name, field, form)       ROW(ZSCALER, name, field, form)
#define NETSKOPE(name, field, form)      ROW(NETSKOPE, name, field, form)
#define CATO(name, field, form)          ROW(CATO, name, field, form)
#define PANOS(name, field, form)         ROW(PANOS, name, field, form)
#define OLFEO(name, field, form)         ROW(OLFEO, name, field, form)
#define OGO(name, field, form)           ROW(OGO, name, field, form)
#define F5_XC(name, field, form)         ROW(F5_XC, name, field, form)
#define NGINX(name, field, form)         ROW(NGINX, name, field, form)
#define UBIKA(name, field, form)         ROW(UBIKA, name, field, form)
#define UMBRELLA(name, field, form)      ROW(UMBRELLA, name, field, form)
#define MENLO(name, field, form)         ROW(MENLO, name, field, form)
#define HARMONY(name, field, form)       ROW(HARMONY, name, field, form)
#define HAPEE(name, field, form)         ROW(HAPEE, name, field, form)
#define CEF(name, field, form)           ROW(CEF, name, field, form)
#define SKYHIGH(name, field, form)       ROW(SKYHIGH, name, field, form)
#define SKYHIGH_CLOUD(name, field, form) ROW(SKYHIGH_CLOUD, name, field, form)
#define FORTI_CEF(name, field, form)     ROW(FORTI_CEF, name, field, form)
#define IMPERVA(name, field, form)       ROW(IMPERVA, name, field, form)
#define CITRIX(name, field, form)        ROW(CITRIX, name, field, form)
#define F5(name, field, form)            ROW(F5, name, field, form)
#define SONICWALL(name, field, form)     ROW(SONICWALL, name, field, form)
#define CHECKPOINT(name, field, form)    ROW(CHECKPOINT, name, field, form)
#define WATCHGUARD(name, field, form)    ROW(WATCHGUARD, name, field, form)
#define LEEF(name, field, form)          ROW(LEEF, name, field, form)
#define ZEEK(name, field, form)          ROW(ZEEK, name, field, form)
#define AWS_ALB(name, field, form)       ROW(AWS_ALB, name, field, form)
#define AKAMAI(name, field, form)        ROW(AKAMAI, name, field, form)
#define MAIL(name, field, form)          ROW(MAIL, name, field, form)
#define FORCEPOINT(name, field, form)    ROW(FORCEPOINT, name, field, form)
#define ZSCALER_LEEF(name, field, form)  ROW(ZSCALER_LEEF, name, field, form)
#define FORTIGATE(name, field, form)     ROW(FORTIGATE, name, field, form)
#define KEY_VALUE(name, field, form)     ROW(KEY_VALUE, name, field, form)
#include "ingest/names.def"
};

static const struct row SIGNS[] = {
#define SIGN(text, vendor_) \
    {.name = {.data = (text), .len = sizeof(text) - 1}, .vendor = VENDOR_##vendor_},
#include "ingest/names.def"
};

/* What transports put around a vendor's own object; a name is looked up without it, too. */
static const struct slice WRAPPINGS[] = {
    {"event.", 6},  {"properties.", 11}, {"records.", 8},      {"result.", 7},
    {"source.", 7}, {"data.", 5},        {"jsonpayload.", 12}, {"fields.", 7},
    {"body.", 5},   {"log.", 4},         {"message.", 8},      {"payload.", 8},
};

enum {
    ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]),
    SIGN_COUNT = sizeof(SIGNS) / sizeof(SIGNS[0]),
    WRAPPING_COUNT = sizeof(WRAPPINGS) / sizeof(WRAPPINGS[0]),
    WRAPPINGS_MAX = 3, /* around one name */
};

static_assert(ROW_COUNT * 3 <= NAMES_PLACES, "few rows share a place");

size_t names_plain(char *to, size_t room, struct slice name)
{
    size_t kept = 0;
    for (size_t i = 0; i < name.len && kept < room; i++) {
        char c = name.data[i];
        char lower = (char)(c | 0x20);
        if (lower >= 'a' && lower <= 'z')
            to[kept++] = lower;
        else if ((c >= '0' && c <= '9') || c == '.' || c == '@')
            to[kept++] = c;
    }
    return kept;
}

static int row_compare(const struct row *row, uint8_t vendor, struct slice name)
{
    return row->vendor != vendor ? row->vendor - vendor : slice_compare(row->name, name);
}

static const struct meaning *find_exact(enum vendor vendor, struct slice plain)
{
    size_t low = 0;
    size_t high = ROW_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = row_compare(&ROWS[middle], (uint8_t)vendor, plain);
        if (order == 0)
            return &ROWS[middle].meaning;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static size_t first_place(enum vendor vendor, struct slice plain)
{
    return hash_slice((uint64_t)vendor, plain) % NAMES_PLACES;
}

static void fill_places(struct names_places *places)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t at = first_place((enum vendor)ROWS[i].vendor, ROWS[i].name);
        while (places->rows[at] != 0)
            at = (at + 1) % NAMES_PLACES;
        places->rows[at] = (uint16_t)(i + 1);
    }
    places->filled = true;
}

/* find_exact() by the rows' places: a line of unknown keys asks three tables for each. */
static const struct meaning *find_placed(struct names_places *places, enum vendor vendor,
                                         struct slice plain)
{
    if (!places->filled)
        fill_places(places);
    for (size_t at = first_place(vendor, plain); places->rows[at] != 0;
         at = (at + 1) % NAMES_PLACES) {
        const struct row *row = &ROWS[places->rows[at] - 1];
        if (row->vendor == (uint8_t)vendor && slice_equal(row->name, plain))
            return &row->meaning;
    }
    return NULL;
}

/* Take what wraps the name away; false when nothing does. */
static bool unwrap(struct slice *name)
{
    for (size_t i = 0; i < WRAPPING_COUNT; i++) {
        if (slice_starts(*name, WRAPPINGS[i])) {
            *name = slice_from_offset(*name, WRAPPINGS[i].len);
            return true;
        }
    }
    return false;
}

static const struct meaning *find_unwrapped(enum vendor vendor, struct slice name)
{
    const struct meaning *found = NULL;
    for (int i = 0; i < WRAPPINGS_MAX && found == NULL && unwrap(&name); i++)
        found = find_exact(vendor, name);
    return found;
}

static const struct meaning *find_own(enum vendor vendor, struct slice plain)
{
    const struct meaning *found = vendor == VENDOR_ANY ? NULL : find_exact(vendor, plain);
    return found != NULL ? found : find_exact(VENDOR_ANY, plain);
}

/* How a field of the dictionary is read that a key names itself. */
static uint8_t form_of(uint16_t field)
{
    switch (field) {
    case FIELD_URL_ORIGINAL:
        return MEANING_SITE;
    case FIELD_USER_NAME:
        return MEANING_ACCOUNT;
    case FIELD_TIMESTAMP:
        return MEANING_TIME;
    case FIELD_USER_AGENT:
    case FIELD_MESSAGE:
        return MEANING_TEXT;
    case FIELD_DNS_QUESTION:
        return MEANING_QUESTION;
    default:
        break;
    }
    return field_info(field)->type == FIELD_TYPE_INT ? MEANING_NUMBER : MEANING_MAYBE;
}

/* Fields that are of the row, or that the system derives: no line says them. */
static bool is_of_row(uint16_t field)
{
    return field <= FIELD_TIME_LAST || field == FIELD_SOURCE_ASN ||
           field == FIELD_DESTINATION_ASN || field == FIELD_SOURCE_COUNTRY ||
           field == FIELD_DESTINATION_COUNTRY || field == FIELD_URL_REGISTERED_DOMAIN ||
           (field >= FIELD_EVENT_INGESTED && field <= FIELD_ASSET_DESTINATION);
}

/* The meaning of a field's own name; all of them that the tables do not know have a dot. */
static struct meaning field_meaning(struct slice name)
{
    const uint16_t field = field_find(name);
    if (field == FIELD_NONE || is_of_row(field))
        return (struct meaning){.field = FIELD_UNNAMED, .form = MEANING_TEXT};
    return (struct meaning){.field = field, .form = form_of(field)};
}

static const struct meaning *find_wrapped(enum vendor vendor, struct slice plain)
{
    const struct meaning *found = vendor == VENDOR_ANY ? NULL : find_unwrapped(vendor, plain);
    return found != NULL ? found : find_unwrapped(VENDOR_ANY, plain);
}

static const struct meaning *find_name(struct names_places *places, enum vendor vendor,
                                       struct slice plain)
{
    if (places == NULL)
        return find_own(vendor, plain);
    const struct meaning *found = find_placed(places, vendor, plain);
    return found != NULL || vendor == VENDOR_ANY ? found : find_placed(places, VENDOR_ANY, plain);
}

struct meaning names_key(struct names_places *places, enum vendor vendor, struct slice plain,
                         struct slice written)
{
    const struct meaning *found = find_name(places, vendor, plain);
    if (found != NULL)
        return *found;
    if (memchr(plain.data, '.', plain.len) == NULL) /* neither the dictionary's nor wrapped */
        return (struct meaning){.field = FIELD_UNNAMED, .form = MEANING_TEXT};
    /* "source.bytes" is the dictionary's before it is "bytes" that something wraps. */
    const struct meaning own = field_meaning(written);
    if (own.field != FIELD_UNNAMED)
        return own;
    found = find_wrapped(vendor, plain);
    return found == NULL ? own : *found;
}

/* What vendors put in front of the keys of their own in CEF; then the name is the device's. */
static const struct slice PREFIXES[] = {
    {"ftntfgt", 7}, {"fortinetfortigate", 17}, {"panos", 5}, {"ad.", 3}};

static const struct meaning *find_prefixed(struct names_places *places, enum vendor vendor,
                                           struct slice name)
{
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++) {
        if (!slice_starts(name, PREFIXES[i]))
            continue;
        struct slice bare = slice_from_offset(name, PREFIXES[i].len);
        const struct meaning *found = find_placed(places, vendor, bare);
        return found != NULL ? found : find_placed(places, VENDOR_ANY, bare);
    }
    return NULL;
}

static struct meaning find_meaning(struct names_places *places, enum vendor vendor,
                                   enum vendor dialect, struct slice name)
{
    char text[NAMES_PLAIN_MAX];
    struct slice plain = slice_of(text, names_plain(text, sizeof(text), name));
    const struct meaning *found = find_placed(places, vendor, plain);
    if (found == NULL)
        found = find_placed(places, dialect, plain);
    if (found == NULL)
        found = find_prefixed(places, vendor, plain);
    if (found == NULL)
        found = find_placed(places, VENDOR_ANY, plain);
    return found != NULL ? *found : (struct meaning){.field = FIELD_UNNAMED};
}

struct meaning names_meaning(struct names_memory *memory, enum vendor vendor, enum vendor dialect,
                             struct slice name)
{
    if (name.len > NAME_HELD_BYTES || name.len == 0)
        return find_meaning(&memory->places, vendor, dialect, name);
    size_t at = hash_slice((uint64_t)vendor, name) & (NAMES_HELD - 1);
    if (memory->held[at].length != name.len || memory->held[at].vendor != (uint8_t)vendor ||
        memcmp(memory->held[at].text, name.data, name.len) != 0) {
        memory->held[at].meaning = find_meaning(&memory->places, vendor, dialect, name);
        memory->held[at].length = (uint8_t)name.len;
        memory->held[at].vendor = (uint8_t)vendor;
        memcpy(memory->held[at].text, name.data, name.len);
    }
    return memory->held[at].meaning;
}

static enum vendor sign_of(struct slice name)
{
    size_t low = 0;
    size_t high = SIGN_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(SIGNS[middle].name, name);
        if (order == 0)
            return (enum vendor)SIGNS[middle].vendor;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return VENDOR_ANY;
}

enum vendor names_sign(struct slice plain)
{
    enum vendor found = sign_of(plain);
    for (int i = 0; i < WRAPPINGS_MAX && found == VENDOR_ANY && unwrap(&plain); i++)
        found = sign_of(plain);
    return found;
}

void names_check(void)
{
    for (size_t i = 1; i < ROW_COUNT; i++) {
        assert(row_compare(&ROWS[i - 1], ROWS[i].vendor, ROWS[i].name) < 0);
        assert(ROWS[i].name.len <= NAMES_PLAIN_MAX);
    }
    for (size_t i = 1; i < SIGN_COUNT; i++)
        assert(slice_compare(SIGNS[i - 1].name, SIGNS[i].name) < 0);
}
