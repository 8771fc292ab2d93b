#include "ingest/json_slots.h"

#include <stdlib.h>
#include <strings.h>

#include "ingest/word.h"

enum {
    MEANINGS_VENDORS = 3, /* that are held of a key at once */
    MEANINGS_HELD = JSON_KEYS_HELD * MEANINGS_VENDORS,
    OWNERS = 320,    /* fields below this have one key */
    FLOW_PARTS = 13, /* of a flow tuple */
};

/* What a key means in a vendor's lines. */
struct held {
    uint16_t key; /* index; 0 = free */
    uint8_t vendor;
    uint8_t form;
    uint16_t field;
};

struct parser_state {
    struct json_keys keys;
    struct json_text text;
    struct held meanings[MEANINGS_HELD];
    uint32_t emptied; /* how often the keys were, when the meanings were made */
};

/* One line's items on their way. */
struct emit {
    struct parser_state *memory;
    struct slots *out;
    struct slice line;
    enum vendor vendor;
    bool whole_url;              /* the line has one */
    const struct json_item *key; /* of the value that comes next, not yet a slot; or NULL */
    struct meaning header;       /* of the header value that comes next */
    uint16_t owners[OWNERS];     /* the key whose value a field has, 0 = none */
};

struct parser_state *json_state_new(void)
{
    struct parser_state *memory = calloc(1, sizeof(*memory));
    if (memory != NULL)
        json_keys_init(&memory->keys);
    return memory;
}

void json_state_free(struct parser_state *memory)
{
    free(memory);
}

static enum vendor key_sign(struct json_keys *keys, uint16_t index)
{
    struct json_key *key = &keys->keys[index];
    if (!key->signed_for) {
        char name[JSON_KEY_NAME_MAX];
        size_t length = json_keys_plain_name(keys, index, name);
        key->sign = (uint8_t)names_sign(slice_of(name, length));
        key->signed_for = true;
    }
    return (enum vendor)key->sign;
}

static struct meaning key_meaning(const struct json_keys *keys, uint16_t index, enum vendor vendor)
{
    char name[JSON_KEY_NAME_MAX];
    size_t length = json_keys_plain_name(keys, index, name);
    if (length == 0)
        return (struct meaning){.field = FIELD_UNNAMED, .form = MEANING_TEXT};
    char written[JSON_KEY_NAME_MAX];
    return names_key(NULL, vendor, slice_of(name, length),
                     slice_of(written, json_keys_name(keys, index, written)));
}

static inline struct meaning meaning_of(struct parser_state *memory, uint16_t index,
                                        enum vendor vendor)
{
    struct held *held =
        &memory->meanings[index * (unsigned)MEANINGS_VENDORS + (unsigned)vendor % MEANINGS_VENDORS];
    if (held->key != index || held->vendor != (uint8_t)vendor) {
        struct meaning found = key_meaning(&memory->keys, index, vendor);
        *held = (struct held){
            .key = index, .vendor = (uint8_t)vendor, .form = found.form, .field = found.field};
    }
    return (struct meaning){.field = held->field, .form = held->form};
}

/* The keys of the line give its vendor away; of several the last of the table. */
static enum vendor line_vendor(struct parser_state *memory)
{
    enum vendor vendor = VENDOR_ANY;
    for (uint32_t i = 0; i < memory->text.count; i++) {
        const struct json_item *item = &memory->text.items[i];
        if (item->type > JSON_KEY)
            continue;
        enum vendor sign = key_sign(&memory->keys, item->key);
        vendor = sign > vendor ? sign : vendor;
    }
    return vendor;
}

static bool is_whole_url(struct slice text, uint8_t form)
{
    if (form == MEANING_REQUEST)
        return slice_has(text, SLICE("://"));
    if (form != MEANING_URL && form != MEANING_SITE)
        return false;
    if (text.len == 0 || meaning_is_none(text) || text.data[0] == '/' || text.data[0] == '\\')
        return false;
    return form == MEANING_SITE ||
           scan_byte(text.data, text.data + text.len, ':') != text.data + text.len;
}

static bool has_whole_url(struct emit *e)
{
    const struct json_text *text = &e->memory->text;
    for (uint32_t i = 0; i < text->count; i++) {
        const struct json_item *item = &text->items[i];
        if (item->type != JSON_STRING)
            continue;
        struct meaning meaning = meaning_of(e->memory, item->key, e->vendor);
        struct slice value = slice_of(e->line.data + item->offset, item->length);
        if (meaning.field == FIELD_URL_ORIGINAL && is_whole_url(value, meaning.form))
            return true;
    }
    return false;
}

static struct slot slot_of(const struct json_item *item, uint16_t field, uint8_t depth)
{
    return (struct slot){.offset = item->offset,
                         .length = item->length,
                         .field = field,
                         .kind = item->type == JSON_STRING ? SLOT_JSON_STRING : SLOT_PLAIN,
                         .depth = depth};
}

static bool put(struct slots *out, const struct slot *slot)
{
    if (out->count == SLOTS_MAX)
        return false;
    out->items[out->count++] = *slot;
    return true;
}

static bool put_key(struct emit *e, const struct json_item *item)
{
    const struct json_key *key = &e->memory->keys.keys[item->key];
    if (key->name_bytes > JSON_KEY_NAME_MAX)
        return true;
    struct slot slot = slot_of(item, FIELD_UNNAMED, key->depth);
    slot.kind = SLOT_KEY;
    return put(e->out, &slot);
}

static bool put_unnamed(struct emit *e, const struct json_item *item)
{
    const struct json_key *key = &e->memory->keys.keys[item->key];
    bool named = item->key != JSON_KEY_ROOT && key->name_bytes <= JSON_KEY_NAME_MAX;
    if (!named) {
        uint16_t column = item->key == JSON_KEY_ROOT ? JSON_COLUMN_VALUE : JSON_COLUMN_LONG;
        struct slot slot = slot_of(item, FIELD_COLUMN(column), 0);
        return put(e->out, &slot);
    }
    struct slot slot = slot_of(item, FIELD_UNNAMED, key->depth);
    bool keyed = e->key == NULL || e->key->key != item->key || put_key(e, e->key);
    e->key = NULL;
    return keyed && put(e->out, &slot);
}

/* What a header of HTTP means. */
static struct meaning header_meaning(struct slice name)
{
    static const struct {
        struct slice name;
        struct meaning meaning;
    } HEADERS[] = {
        {{"host", 4}, {FIELD_URL_DOMAIN, MEANING_PEER}},
        {{"user-agent", 10}, {FIELD_USER_AGENT, MEANING_TEXT}},
        {{"referer", 7}, {FIELD_HTTP_REFERRER, MEANING_MAYBE}},
        {{"x-forwarded-for", 15}, {FIELD_HTTP_FORWARDED_FOR, MEANING_MAYBE}},
    };
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++) {
        if (HEADERS[i].name.len == name.len &&
            strncasecmp(HEADERS[i].name.data, name.data, name.len) == 0)
            return HEADERS[i].meaning;
    }
    return (struct meaning){.field = FIELD_UNNAMED};
}

/*
 * Azure's flow: time, source, destination, ports, protocol, direction, decision or state, and from
 * the second version on, bytes and packets of both ways, with the encryption before them or not.
 */
static bool put_flow(struct emit *e, const struct json_item *item)
{
    static const uint16_t FIELDS[] = {
        FIELD_TIME_EPOCH,       FIELD_SOURCE_IP,         FIELD_DESTINATION_IP,   FIELD_SOURCE_PORT,
        FIELD_DESTINATION_PORT, FIELD_NETWORK_TRANSPORT, FIELD_NETWORK_DIRECTION};
    static const uint16_t COUNTS[] = {FIELD_SOURCE_PACKETS, FIELD_SOURCE_BYTES,
                                      FIELD_DESTINATION_PACKETS, FIELD_DESTINATION_BYTES};
    struct json_item parts[FLOW_PARTS];
    size_t count = 0;
    const char *at = e->line.data + item->offset;
    const char *end = at + item->length;
    for (; count < FLOW_PARTS; count++) {
        const char *comma = scan_byte(at, end, ',');
        parts[count] = *item;
        parts[count].offset = (uint32_t)(at - e->line.data);
        parts[count].length = (uint32_t)(comma - at);
        at = comma + 1;
        if (comma == end)
            break;
    }
    if (count < 7 || count == FLOW_PARTS)
        return put_unnamed(e, item);
    count++;
    size_t counts = count > 11 ? count - 4 : count;
    for (size_t i = 0; i < count; i++) {
        uint16_t field = FIELD_EVENT_SUBTYPE;
        if (i < sizeof(FIELDS) / sizeof(FIELDS[0]))
            field = FIELDS[i];
        else if (i >= counts)
            field = COUNTS[i - counts];
        else if (i == 7)
            field = FIELD_EVENT_ACTION;
        struct slot slot = slot_of(&parts[i], field, 0);
        if (parts[i].length > 0 && !put(e->out, &slot))
            return false;
    }
    return true;
}

/* May the item's key have the field, or has another key given it a value that is not empty? */
static bool owns(struct emit *e, uint16_t field, const struct json_item *item)
{
    if (field >= OWNERS)
        return true;
    if (e->owners[field] != 0 && e->owners[field] != item->key)
        return false;
    if (item->length > 0)
        e->owners[field] = item->key;
    return true;
}

static bool is_url_part(uint16_t field)
{
    return field == FIELD_URL_DOMAIN || field == FIELD_URL_PATH || field == FIELD_URL_QUERY ||
           field == FIELD_URL_SCHEME || field == FIELD_URL_PORT;
}

/* Neither an address nor anything with a port. */
static bool is_name(struct slice text)
{
    return text.len > 0 && (text.data[0] < '0' || text.data[0] > '9') &&
           memchr(text.data, ':', text.len) == NULL;
}

/* What firewalls write of a session that they did not translate. */
static bool is_untranslated(uint16_t field, struct slice text)
{
    return (field == FIELD_SOURCE_NAT_IP || field == FIELD_DESTINATION_NAT_IP) &&
           (slice_equal(text, SLICE("0.0.0.0")) || slice_equal(text, SLICE("::")));
}

/* Of ECS's event.type, a list, these say what became of a connection. */
static bool is_decision(struct slice text)
{
    return slice_equal(text, SLICE("allowed")) || slice_equal(text, SLICE("denied"));
}

static bool put_value(struct emit *e, const struct json_item *item)
{
    struct meaning meaning = {.field = FIELD_UNNAMED};
    if (item->key != JSON_KEY_ROOT)
        meaning = meaning_of(e->memory, item->key, e->vendor);
    struct slice text = slice_of(e->line.data + item->offset, item->length);
    if (meaning.form == MEANING_HEADER) {
        e->header = header_meaning(text);
        return put_unnamed(e, item);
    }
    if (meaning.form == MEANING_FLOW)
        return put_flow(e, item);
    if (meaning.form == MEANING_HEADER_VALUE) {
        meaning = e->header;
        e->header.field = FIELD_UNNAMED;
        if (meaning.field == FIELD_UNNAMED || e->owners[meaning.field] != 0)
            return put_unnamed(e, item);
    }
    if (meaning.form == MEANING_STATUS && meaning_is_http_status(text))
        meaning.field = FIELD_HTTP_STATUS;
    const bool decision = meaning.form == MEANING_DECISION;
    bool refused = (e->whole_url && is_url_part(meaning.field)) || item->type == JSON_RAW ||
                   item->type == JSON_WORD || (decision && !is_decision(text)) ||
                   is_untranslated(meaning.field, text);
    /* A name where an address is due is of another field. */
    bool also =
        meaning.form == MEANING_ALSO || decision ||
        (meaning.form == MEANING_PEER && is_name(text) && meaning.field != FIELD_URL_DOMAIN);
    if (meaning.field == FIELD_UNNAMED || refused || (!also && !owns(e, meaning.field, item)))
        return put_unnamed(e, item);
    struct slot slot = slot_of(item, FIELD_UNNAMED, 0);
    return meaning_slots(e->out, e->line, &meaning, &slot);
}

static bool put_items(struct emit *e)
{
    const struct json_text *text = &e->memory->text;
    e->vendor = e->vendor != VENDOR_ANY ? e->vendor : line_vendor(e->memory);
    e->whole_url = has_whole_url(e);
    for (uint32_t i = 0; i < text->count; i++) {
        const struct json_item *item = &text->items[i];
        bool fits = true;
        if (item->type == JSON_OUTER) {
            e->key = NULL;
            fits = put_key(e, item);
        } else if (item->type == JSON_KEY) {
            e->key = item;
        } else {
            fits = put_value(e, item);
            e->key = NULL;
        }
        if (!fits)
            return false;
    }
    return true;
}

enum parse_result json_slots(struct parser_state *state, struct slice line, uint32_t from,
                             enum vendor vendor, struct slots *out)
{
    struct emit e = {.memory = state,
                     .out = out,
                     .line = line,
                     .vendor = vendor,
                     .header = {.field = FIELD_UNNAMED}};
    enum parse_result result = json_read(&state->text, &state->keys, line, from);
    if (result == PARSE_MISMATCH)
        return result;
    if (state->emptied != state->keys.emptied) {
        memset(state->meanings, 0, sizeof(state->meanings));
        state->emptied = state->keys.emptied;
    }
    const uint32_t mark = out->count;
    if (!put_items(&e))
        return PARSE_PARTIAL;
    /* Netskope's "action" stands beside an activity; where there is none it is what was done. */
    if (e.vendor == VENDOR_NETSKOPE)
        meaning_name_action(out, mark, FIELD_EVENT_OUTCOME);
    uint32_t rest = state->text.rest;
    if (rest < line.len)
        (void)slots_add(out, rest, (uint32_t)line.len - rest, FIELD_COLUMN(JSON_COLUMN_REST),
                        SLOT_PLAIN);
    return result;
}
