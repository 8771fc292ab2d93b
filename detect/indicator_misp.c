/*
 * detect/indicator_misp.c - MISP: an event as its export, its feed or a search gives it.
 *
 *   {"Event": {"Attribute": [A, ...], "Object": [{"Attribute": [A, ...]}, ...]}}
 *   {"response": [{"Event": {...}}, ...]}   {"response": {"Attribute": [A, ...]}}   [{"Event": {...}}]
 *
 * Proposals (ShadowAttribute) and related events are nobody's word yet, and are passed over.
 */
#include <string.h>

#include "base/err.h"
#include "detect/indicator_feed.h"

enum role {
    ROLE_WRAPPER,    /* leads to attributes and objects */
    ROLE_ATTRIBUTES, /* an array of attributes */
    ROLE_OBJECTS,    /* an array of objects that hold attributes */
};

/* How the value of a type of attribute is read. */
enum form {
    FORM_VALUE,
    FORM_WITH_PORT, /* value|port */
    FORM_TWO,       /* name|address: either is one */
};

static const struct misp_type {
    const char *name;
    enum form form;
    enum indicator_type type;
} TYPES[] = {
    {"ip-src", FORM_VALUE, INDICATOR_TYPE_ADDRESS},
    {"ip-dst", FORM_VALUE, INDICATOR_TYPE_ADDRESS},
    {"ip-src|port", FORM_WITH_PORT, INDICATOR_TYPE_AUTO},
    {"ip-dst|port", FORM_WITH_PORT, INDICATOR_TYPE_AUTO},
    {"domain", FORM_VALUE, INDICATOR_TYPE_DOMAIN},
    {"hostname", FORM_VALUE, INDICATOR_TYPE_DOMAIN},
    {"hostname|port", FORM_WITH_PORT, INDICATOR_TYPE_AUTO},
    {"domain|ip", FORM_TWO, INDICATOR_TYPE_DOMAIN},
    {"url", FORM_VALUE, INDICATOR_TYPE_URL},
    {"user-agent", FORM_VALUE, INDICATOR_TYPE_AGENT},
};

/* --- the way to the attributes --- */

static void enter(struct indicator_feed *f, enum role role)
{
    struct feed_level *level = &f->levels[f->depth++];
    level->array = json_walk_peek(&f->walk) == '[';
    level->role = (uint8_t)role;
    json_walk_enter(&f->walk);
}

static bool is_open(char c)
{
    return c == '{' || c == '[';
}

/* What a key of a wrapper leads to; false: nothing of ours. */
static bool role_of(enum role *out, struct slice key)
{
    if (slice_equal(key, SLICE("Event")) || slice_equal(key, SLICE("response")))
        *out = ROLE_WRAPPER;
    else if (slice_equal(key, SLICE("Attribute")))
        *out = ROLE_ATTRIBUTES;
    else if (slice_equal(key, SLICE("Object")))
        *out = ROLE_OBJECTS;
    else
        return false;
    return true;
}

/* Behind a key of a wrapper. True when an element stands there; *role says what it is. */
static bool follow_key(struct indicator_feed *f, struct slice key, enum role *role)
{
    char next = json_walk_peek(&f->walk);
    if (!role_of(role, key) || !is_open(next) || f->depth == FEED_LEVELS_MAX) {
        json_walk_value(&f->walk, NULL, NULL);
        return false;
    }
    if (*role != ROLE_WRAPPER && next == '{')
        return true; /* a single one, as XML converted to JSON has it */
    enter(f, *role);
    return false;
}

/* In front of the next attribute or object; false at the end. */
static bool find_element(struct indicator_feed *f, enum role *role)
{
    while (f->depth != 0) {
        const struct feed_level *level = &f->levels[f->depth - 1];
        struct slice key = SLICE("");
        *role = level->role;
        bool more = level->array ? json_walk_item(&f->walk) : json_walk_key(&f->walk, &key);
        if (!more) {
            f->depth--;
        } else if (!level->array) {
            if (follow_key(f, key, role))
                return true;
        } else if (level->role != ROLE_WRAPPER) {
            return true;
        } else if (is_open(json_walk_peek(&f->walk)) && f->depth < FEED_LEVELS_MAX) {
            enter(f, ROLE_WRAPPER);
        } else {
            json_walk_value(&f->walk, NULL, NULL);
        }
    }
    return false;
}

/* Whether the document has a place for attributes at all. */
static bool is_misp(const struct indicator_feed *feed)
{
    struct indicator_feed f = *feed;
    while (f.depth != 0) {
        const struct feed_level *level = &f.levels[f.depth - 1];
        struct slice key = SLICE("");
        enum role role;
        if (!(level->array ? json_walk_item(&f.walk) : json_walk_key(&f.walk, &key))) {
            f.depth--;
            continue;
        }
        if (!level->array && role_of(&role, key) && is_open(json_walk_peek(&f.walk)))
            return true;
        if (level->array && is_open(json_walk_peek(&f.walk)) && f.depth < 2)
            enter(&f, ROLE_WRAPPER);
        else
            json_walk_value(&f.walk, NULL, NULL);
    }
    return false;
}

int indicator_misp_open(struct indicator_feed *f, struct diag *diag)
{
    bool empty_array = false;
    if (is_open(json_walk_peek(&f->walk))) {
        enter(f, ROLE_WRAPPER);
        empty_array = f->levels[0].array && json_walk_peek(&f->walk) == ']';
    }
    if (empty_array || is_misp(f))
        return 0;
    diag_add(
        diag, f->source->path, 1, 1,
        "no MISP event: no \"Event\", \"response\" or \"Attribute\" in it; is its format another "
        "one (stix), or the file a feed's manifest?");
    return ERR_CONF;
}

/* --- attributes --- */

/* true, 1 and "1" as old exports have it; what is missing is `missing`. */
static bool is_true(const json_t *object, const char *key, bool missing)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return missing;
    if (json_is_boolean(value))
        return json_is_true(value);
    if (json_is_integer(value))
        return json_integer_value(value) != 0;
    struct slice text = feed_text(object, key);
    return !slice_equal(text, SLICE("0")) && !slice_equal(text, SLICE("false")) && text.len != 0;
}

static const struct misp_type *type_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (slice_equal(name, slice_from(TYPES[i].name)))
            return &TYPES[i];
    }
    return NULL;
}

static const char *read_port(uint16_t *out, struct slice text)
{
    uint32_t port = 0;
    bool digits = text.len != 0 && text.len <= 5;
    for (size_t i = 0; digits && i < text.len; i++) {
        digits = text.data[i] >= '0' && text.data[i] <= '9';
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (!digits || port == 0 || port > UINT16_MAX)
        return "its port is no number of 1 to 65535";
    *out = (uint16_t)port;
    return NULL;
}

/* A value of two parts: "a|b". */
static const char *read_parts(struct indicator_feed *f, const struct misp_type *type,
                              struct slice value, struct indicator_entry *out)
{
    const char *why = feed_value(&f->text, value);
    const char *bar = value.len == 0 ? NULL : memrchr(value.data, '|', value.len);
    if (why != NULL || bar == NULL)
        return why != NULL ? why : "no | between the two parts of its value";
    struct slice right = slice_from_offset(value, (size_t)(bar - value.data) + 1);
    why = feed_value(&f->text, slice_of(value.data, (size_t)(bar - value.data)));
    if (why != NULL)
        return why;
    if (type->form == FORM_WITH_PORT) {
        uint16_t port = 0;
        why = read_port(&port, right);
        if (why == NULL)
            feed_port(f, out, port);
        return why;
    }
    f->has_second = true;
    return feed_value(&f->second, right);
}

static void read_attribute(struct indicator_feed *f, const json_t *a, struct indicator_entry *out)
{
    struct slice name = feed_text(a, "type");
    struct slice value = feed_text(a, "value");
    feed_id(f, feed_text(a, "uuid"));
    if (name.len == 0) {
        feed_fault(f, out, "an attribute without a type");
        return;
    }
    const struct misp_type *type = type_of(name);
    if (is_true(a, "deleted", false)) {
        feed_unused(f, out, SLICE("deleted"));
    } else if (type == NULL) {
        feed_unused(f, out, name);
    } else if (!is_true(a, "to_ids", true)) {
        feed_unused(f, out, SLICE("to_ids false"));
    } else {
        feed_entry(f, out);
        out->type = type->type;
        out->fault = type->form == FORM_VALUE ? feed_value(&f->text, value)
                                              : read_parts(f, type, value, out);
        out->text = buf_content(&f->text);
    }
}

/* The second part of the attribute at hand. */
static void take_second(struct indicator_feed *f, struct indicator_entry *out)
{
    f->has_second = false;
    feed_entry(f, out);
    out->type = INDICATOR_TYPE_ADDRESS;
    out->text = buf_content(&f->second);
}

/* The next attribute of the object at hand; false: it has no more. */
static bool next_of_object(struct indicator_feed *f, struct indicator_entry *out)
{
    const json_t *attributes = json_object_get(f->element, "Attribute");
    if (!json_is_array(attributes) || f->next >= json_array_size(attributes))
        return false;
    const json_t *a = json_array_get(attributes, f->next++);
    if (is_true(f->element, "deleted", false))
        feed_unused(f, out, SLICE("deleted"));
    else
        read_attribute(f, a, out);
    return true;
}

bool indicator_misp_next(struct indicator_feed *f, struct indicator_entry *out)
{
    enum role role;
    if (f->has_second) {
        take_second(f, out);
        return true;
    }
    for (;;) {
        if (f->element != NULL && next_of_object(f, out))
            return true;
        if (!find_element(f, &role))
            return false;
        const char *why = feed_take(f);
        f->next = 0;
        if (why == NULL && !json_is_object(f->element))
            why = "no object where an attribute should be";
        if (why != NULL) {
            feed_fault(f, out, why);
        } else if (role == ROLE_ATTRIBUTES) {
            read_attribute(f, f->element, out);
            f->next = SIZE_MAX;
        } else {
            continue;
        }
        return true;
    }
}
