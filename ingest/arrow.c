#include "ingest/arrow.h"

#include <strings.h>

#include "ingest/meaning.h"
#include "ingest/url.h"
#include "ingest/word.h"

enum {
    PEER_BYTES_MAX = 64, /* of an address with its port */
};

/* Places in the text. */
struct arrow {
    const char *text_end;   /* of the text in front */
    struct slice transport; /* without its braces; may be empty */
    struct slice source;
    struct slice interface; /* in parentheses behind the source; may be empty */
    struct slice destination;
};

static bool is_peer(struct slice text)
{
    if (text.len == 0 || text.len > PEER_BYTES_MAX)
        return false;
    if (url_host_is_address(text))
        return true;
    const char *colon = memrchr(text.data, ':', text.len);
    const char *end = text.data + text.len;
    if (colon == NULL || colon + 1 == end)
        return false;
    for (const char *at = colon + 1; at < end; at++) {
        if (!word_is_digit(*at))
            return false;
    }
    return url_host_is_address(slice_of(text.data, (size_t)(colon - text.data)));
}

static bool is_transport(struct slice word)
{
    static const struct slice NAMES[] = {{"tcp", 3}, {"udp", 3}, {"icmp", 4}, {"icmpv6", 6},
                                         {"gre", 3}, {"esp", 3}, {"ah", 2},   {"sctp", 4}};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (word.len == NAMES[i].len && strncasecmp(word.data, NAMES[i].data, word.len) == 0)
            return true;
    }
    return false;
}

/* Words end at another arrow too, so that a line of arrows is read once. */
static bool ends_word(char c)
{
    return c == ' ' || c == '|' || c == '>';
}

/* The word that ends before the blanks at `end`. */
static struct slice word_before(const char *from, const char *end)
{
    while (end > from && end[-1] == ' ')
        end--;
    const char *start = end;
    while (start > from && !ends_word(start[-1]) && end - start < PEER_BYTES_MAX)
        start--;
    return slice_of(start, (size_t)(end - start));
}

static struct slice word_behind(const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    const char *end = from;
    while (end < to && !ends_word(*end) && *end != ',' && *end != ')' && *end != '-' &&
           end - from < PEER_BYTES_MAX)
        end++;
    while (end > from && (end[-1] == ':' || end[-1] == '.'))
        end--;
    return slice_of(from, (size_t)(end - from));
}

static bool find_arrow(struct arrow *out, const char *from, const char *to)
{
    for (const char *at = from; to - at > 2; at += 2) {
        at = scan_text(at, to, SLICE("->"));
        if (at == to)
            return false;
        struct slice before = word_before(from, at);
        out->interface = slice_of(before.data, 0);
        if (before.len > 2 && *before.data == '(' && before.data[before.len - 1] == ')') {
            out->interface = slice_of(before.data + 1, before.len - 2);
            before = word_before(from, before.data);
        }
        out->source = before;
        out->destination = word_behind(at + 2, to);
        if (!is_peer(out->source) || !is_peer(out->destination))
            continue;
        out->transport = word_before(from, before.data);
        out->text_end = out->transport.data;
        if (out->transport.len > 2 && *out->transport.data == '{')
            out->transport = slice_of(out->transport.data + 1, out->transport.len - 2);
        if (!is_transport(out->transport)) {
            out->transport = slice_of(before.data, 0);
            out->text_end = before.data;
        }
        return true;
    }
    return false;
}

/* Where the port of an IPv6 address begins that stands without brackets, NULL where there is none. */
static const char *bare_port(struct slice text, struct slice transport)
{
    const char *end = text.data + text.len;
    const char *colon = memrchr(text.data, ':', text.len);
    bool v6 = colon != NULL && *text.data != '[' &&
              memchr(text.data, ':', (size_t)(colon - text.data)) != NULL;
    bool ports = transport.len == 3 && (strncasecmp(transport.data, "tcp", 3) == 0 ||
                                        strncasecmp(transport.data, "udp", 3) == 0);
    if (!v6 || (url_host_is_address(text) && !ports))
        return NULL;
    for (const char *at = colon + 1; at < end; at++) {
        if (!word_is_digit(*at))
            return NULL;
    }
    bool address = url_host_is_address(slice_of(text.data, (size_t)(colon - text.data)));
    return colon + 1 < end && address ? colon + 1 : NULL;
}

static bool add_peer(struct cursor *c, struct slice text, struct slice transport, uint16_t field)
{
    const char *port = bare_port(text, transport);
    if (port != NULL) {
        uint16_t of = field == FIELD_SOURCE_IP ? FIELD_SOURCE_PORT : FIELD_DESTINATION_PORT;
        return cursor_add(c, text.data, port - 1, field) &&
               cursor_add(c, port, text.data + text.len, of);
    }
    const struct slot peer = {.offset = cursor_offset(c, text.data), .length = (uint32_t)text.len};
    return peer_slots(c->out, c->line, field, &peer);
}

bool arrow_tell(struct cursor *c, const struct phrase_table *table, const char *from,
                const char *to)
{
    struct arrow arrow;
    if (!find_arrow(&arrow, from, to))
        return phrase_tell(c, table, from, to);
    const char *end = arrow.destination.data + arrow.destination.len;
    return phrase_tell(c, table, from, arrow.text_end) &&
           (arrow.transport.len == 0 ||
            cursor_add_slice(c, arrow.transport, FIELD_NETWORK_TRANSPORT)) &&
           add_peer(c, arrow.source, arrow.transport, FIELD_SOURCE_IP) &&
           (arrow.interface.len == 0 ||
            cursor_add_slice(c, arrow.interface, FIELD_OBSERVER_INGRESS)) &&
           add_peer(c, arrow.destination, arrow.transport, FIELD_DESTINATION_IP) &&
           phrase_tell(c, table, end, to);
}
