#include "ingest/panos_value.h"

#include "ingest/scan.h"
#include "ingest/url.h"
#include "ingest/word.h"

/* host[:port][/path][?query]: URLs are logged without their scheme. */
static bool add_url(struct slots *out, struct slice line, const struct slot *s)
{
    const char *text = line.data + s->offset;
    const char *path = memchr(text, '/', s->length);
    uint32_t host_len = path == NULL ? s->length : (uint32_t)(path - text);
    if (host_len == 0 || (host_len < s->length && text[host_len - 1] == ':'))
        return url_slots(out, line, s->offset, s->length, s->kind);
    const char *port = memrchr(text, ':', host_len);
    uint32_t name_len = port == NULL ? host_len : (uint32_t)(port - text);
    uint32_t name = s->offset;
    if (text[0] == '[' && name_len > 2 && text[name_len - 1] == ']') {
        name++;
        name_len -= 2;
    }
    if (!slots_add(out, name, name_len, FIELD_URL_DOMAIN, s->kind))
        return false;
    uint32_t port_at = port == NULL ? 0 : (uint32_t)(port + 1 - text);
    if (port != NULL &&
        !slots_add(out, s->offset + port_at, host_len - port_at, FIELD_URL_PORT, s->kind))
        return false;
    return path == NULL ||
           url_slots(out, line, s->offset + host_len, s->length - host_len, s->kind);
}

enum panos_object panos_object_of(struct slice subtype)
{
    static const struct {
        struct slice subtype;
        enum panos_object object;
    } OBJECTS[] = {
        {{"url", 3}, PANOS_OBJECT_URL},       {{"file", 4}, PANOS_OBJECT_FILE},
        {{"virus", 5}, PANOS_OBJECT_FILE},    {{"wildfire", 8}, PANOS_OBJECT_FILE},
        {{"data", 4}, PANOS_OBJECT_FILE},     {{"wildfire-virus", 14}, PANOS_OBJECT_FILE},
        {{"ml-virus", 8}, PANOS_OBJECT_FILE}, {{"spyware", 7}, PANOS_OBJECT_NAME},
    };
    for (size_t i = 0; i < sizeof(OBJECTS) / sizeof(OBJECTS[0]); i++) {
        if (slice_equal(OBJECTS[i].subtype, subtype))
            return OBJECTS[i].object;
    }
    return PANOS_OBJECT_OTHER;
}

bool panos_object_slots(struct slots *out, struct slice line, const struct slot *s,
                        enum panos_object object)
{
    if (s->length == 0)
        return slots_add(out, s->offset, 0, FIELD_URL_ORIGINAL, s->kind);
    if (object == PANOS_OBJECT_FILE)
        return slots_add(out, s->offset, s->length, FIELD_FILE_NAME, s->kind);
    if (object == PANOS_OBJECT_URL || memchr(line.data + s->offset, '/', s->length) != NULL)
        return add_url(out, line, s);
    uint16_t field = object == PANOS_OBJECT_NAME ? FIELD_DNS_QUESTION : FIELD_FILE_NAME;
    return slots_add(out, s->offset, s->length, field, s->kind);
}

bool panos_threat_slots(struct slots *out, struct slice line, const struct slot *s)
{
    uint32_t end = s->offset + s->length;
    uint32_t digits = 0;
    while (digits < s->length && word_is_digit(line.data[s->offset + digits]))
        digits++;
    if (digits > 0 && digits == s->length)
        return slots_add(out, s->offset, digits, FIELD_THREAT_ID, s->kind);
    if (s->length > 2 && line.data[end - 1] == ')') {
        uint32_t at = end - 1;
        while (at > s->offset && word_is_digit(line.data[at - 1]))
            at--;
        if (at > s->offset && line.data[at - 1] == '(' && at < end - 1)
            return slots_add(out, s->offset, at - 1 - s->offset, FIELD_THREAT_NAME, s->kind) &&
                   slots_add(out, at, end - 1 - at, FIELD_THREAT_ID, s->kind);
    }
    return slots_add(out, s->offset, s->length, FIELD_THREAT_NAME, s->kind);
}

bool panos_account_slots(struct slots *out, struct slice line, const struct slot *s)
{
    static const struct slice FORWARDED = {"x-fwd-for: ", 11};
    if (slice_starts(slice_of(line.data + s->offset, s->length), FORWARDED))
        return slots_add(out, s->offset + (uint32_t)FORWARDED.len,
                         s->length - (uint32_t)FORWARDED.len, FIELD_HTTP_FORWARDED_FOR, s->kind);
    return account_slots(out, line, s->offset, s->length, s->kind);
}
