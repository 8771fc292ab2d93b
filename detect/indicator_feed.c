#include "detect/indicator_feed.h"

const char *feed_take(struct indicator_feed *f)
{
    struct slice bytes;
    json_error_t error;
    json_decref(f->element);
    f->element = NULL;
    f->id[0] = '\0';
    buf_reset(&f->said);
    json_walk_value(&f->walk, &bytes, &f->line);
    if (bytes.len > FEED_ELEMENT_BYTES_MAX)
        return "an element of more than 8 MiB";
    f->element =
        json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (f->element != NULL)
        return NULL;
    buf_printf(&f->said, "cannot be read: %s", error.text);
    return buf_string(&f->said);
}

void feed_entry(const struct indicator_feed *f, struct indicator_entry *out)
{
    *out = (struct indicator_entry){.line = f->line,
                                    .id = slice_from(f->id),
                                    .type = INDICATOR_TYPE_AUTO,
                                    .text = SLICE(""),
                                    .expires_ns = f->source->expires_ns};
}

void feed_fault(struct indicator_feed *f, struct indicator_entry *out, const char *why)
{
    feed_entry(f, out);
    out->fault = why;
}

void feed_unused(struct indicator_feed *f, struct indicator_entry *out, struct slice what)
{
    feed_entry(f, out);
    buf_reset(&f->said);
    buf_slice(&f->said, what);
    out->unused = buf_string(&f->said);
}

struct slice feed_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? slice_of(json_string_value(value), json_string_length(value))
                                 : SLICE("");
}

void feed_id(struct indicator_feed *f, struct slice id)
{
    size_t len = id.len < FEED_ID_BYTES_MAX ? id.len : FEED_ID_BYTES_MAX;
    memcpy(f->id, id.data, len);
    f->id[len] = '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *feed_value(struct buf *to, struct slice value)
{
    while (value.len > 0 && is_blank(value.data[0]))
        value = slice_from_offset(value, 1);
    while (value.len > 0 && is_blank(value.data[value.len - 1]))
        value.len--;
    buf_reset(to);
    if (value.len > INDICATOR_CELL_BYTES_MAX)
        return "a value of more than 4,096 bytes";
    buf_slice(to, value);
    return buf_ok(to) ? NULL : "no memory for its value";
}

void feed_port(struct indicator_feed *f, struct indicator_entry *out, uint16_t port)
{
    struct network net;
    if (network_parse(&net, buf_content(&f->text), NULL) == 0) {
        out->type = INDICATOR_TYPE_ADDRESS_PORT;
        out->port = port;
    } else {
        out->type = INDICATOR_TYPE_AUTO;
        buf_printf(&f->text, ":%u", port);
    }
    out->text = buf_content(&f->text);
}
