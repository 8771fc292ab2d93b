#include "detect/origin_read.h"

#include "base/hash.h"

enum {
    REQUEST_BYTES_MAX = 1024, /* of host and path; what is longer differs before that */
};

/* The batch at hand. */
struct tracing {
    struct flow_reader *r;
    const struct batch *b;
    const uint32_t *order;
    const struct flow *flows;
    struct origin_trace *traces;
};

/* ------------------------------------------------------------------------ X-Forwarded-For */

static struct slice trimmed(struct slice text)
{
    while (text.len != 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_from_offset(text, 1);
    while (text.len != 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static void take_forwarded(const struct tracing *at, struct origin_trace *trace, struct slice list)
{
    while (list.len != 0 && !trace->has_forwarded) {
        size_t begin = list.len;
        while (begin != 0 && list.data[begin - 1] != ',')
            begin--;
        struct ip ip;
        if (ip_parse(trimmed(slice_from_offset(list, begin)), &ip) == VALUE_INVALID)
            return; /* "unknown": who is before it was told by nobody that is known */
        if (zone_find(at->r->shared_networks, &ip).zone == 0) {
            trace->forwarded = ip;
            trace->has_forwarded = true;
        }
        list.len = begin == 0 ? 0 : begin - 1;
    }
}

/* ------------------------------------------------------------------------------- requests */

/* Of a host or a path, whatever the case; the path "/" is none. 0: nothing. */
static uint64_t part_key(const struct tracing *at, struct slice part)
{
    char text[REQUEST_BYTES_MAX];
    size_t len = part.len < sizeof(text) ? part.len : sizeof(text);
    if (len == 0 || slice_equal(part, SLICE("/")))
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = part.data[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return hash_slice(at->r->shared->seed, slice_of(text, len)) | 1;
}

/* -------------------------------------------------------------------------------- columns */

static void read_addresses(const struct tracing *at, const struct column *c)
{
    for (uint32_t row = 0; row < at->b->row_count; row++) {
        struct origin_trace *trace = &at->traces[at->order[row]];
        if (trace->has_forwarded || !column_is_present(c, row))
            continue;
        trace->forwarded = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
        trace->has_forwarded = true;
    }
}

/* Ports go where the key will be. */
static void read_ports(const struct tracing *at, const struct column *c)
{
    for (uint32_t row = 0; row < at->b->row_count; row++) {
        struct origin_trace *trace = &at->traces[at->order[row]];
        if (trace->translation == 0 && c->numbers[row] > 0 && c->numbers[row] <= UINT16_MAX)
            trace->translation = (uint64_t)c->numbers[row];
    }
}

static void add_part(struct origin_trace *trace, bool path, uint64_t key)
{
    if (key == 0 || (path && trace->site == 0))
        return;
    trace->request = path ? detect_key(trace->site, key) : key;
    trace->site = path ? trace->site : key;
}

/* Hosts, then paths. A dictionary's parts have their keys once. */
static void read_parts(const struct tracing *at, const struct column *c)
{
    uint64_t *keys = at->r->key_of;
    bool codes = c->storage == COLUMN_CODES;
    bool path = c->field == FIELD_URL_PATH;
    for (uint32_t code = 0; codes && code < c->entry_count; code++)
        keys[code] = part_key(at, batch_span(at->b, c->entries[code]));
    for (uint32_t row = 0; row < at->b->row_count; row++) {
        struct origin_trace *trace = &at->traces[at->order[row]];
        if (codes && c->codes[row] != CODE_NONE)
            add_part(trace, path, keys[c->codes[row]]);
        else if (!codes && c->spans[row].len != SPAN_NONE)
            add_part(trace, path, part_key(at, batch_span(at->b, c->spans[row])));
    }
}

static void read_forwarded(const struct tracing *at, const struct column *c)
{
    bool codes = c->storage == COLUMN_CODES;
    for (uint32_t row = 0; row < at->b->row_count; row++) {
        const struct flow *flow = &at->flows[at->order[row]];
        struct origin_trace *trace = &at->traces[at->order[row]];
        if ((flow->flags & FLOW_SHARED_SOURCE) == 0 || trace->has_forwarded)
            continue;
        if (codes && c->codes[row] != CODE_NONE)
            take_forwarded(at, trace, batch_span(at->b, c->entries[c->codes[row]]));
        else if (!codes && c->spans[row].len != SPAN_NONE)
            take_forwarded(at, trace, batch_span(at->b, c->spans[row]));
    }
}

static bool is_text(const struct column *c)
{
    return c->storage == COLUMN_CODES || c->storage == COLUMN_TEXT;
}

static bool is_address(const struct column *c)
{
    return c->storage == COLUMN_IP4 || c->storage == COLUMN_IP;
}

static bool is_number(const struct column *c)
{
    return c->storage == COLUMN_INT;
}

typedef bool fits(const struct column *c);
typedef void read_column(const struct tracing *at, const struct column *c);

static void read_field(const struct tracing *at, uint16_t field, fits *fit, read_column *read)
{
    for (uint32_t i = 0; i < at->b->column_count; i++) {
        const struct column *c = &at->b->columns[i];
        if (c->field == field && c->ordinal == 0 && fit(c))
            read(at, c);
    }
}

/* --------------------------------------------------------------------------- translations */

/* A connection as it is behind the translation. */
static uint64_t connection_key(const struct tracing *at, const struct ip *from, uint16_t port,
                               const struct flow *flow)
{
    struct {
        struct ip from;
        struct ip to;
        uint16_t ports[4];
    } ends = {*from, flow->destination, {port, flow->destination_port, 0, 0}};
    if (port == 0 || (flow->flags & FLOW_HAS_DESTINATION) == 0)
        return 0;
    return hash_bytes(at->r->shared->seed, &ends, sizeof(ends)) | 1;
}

static void finish(const struct tracing *at, uint32_t row)
{
    const struct flow *flow = &at->flows[at->order[row]];
    struct origin_trace *trace = &at->traces[at->order[row]];
    uint16_t port = (uint16_t)trace->translation;
    bool has_address = trace->has_forwarded;
    trace->translation = 0;
    trace->has_forwarded = false;
    if ((flow->flags & FLOW_HAS_SOURCE) == 0 || (flow->flags & FLOW_UNPARSED) != 0) {
        *trace = (struct origin_trace){0};
        return;
    }
    bool shared = (flow->flags & FLOW_SHARED_SOURCE) != 0;
    if (trace->site != 0 && flow->destination_bytes > 0)
        trace->transfer = detect_key(trace->request, (uint64_t)flow->destination_bytes);
    if (shared)
        trace->translation = connection_key(at, &flow->source, flow->source_port, flow);
    else if (has_address)
        trace->translation = connection_key(at, &trace->forwarded, port, flow);
    if ((flow->flags & FLOW_HAS_DESTINATION) != 0 && shared == (trace->site == 0))
        trace->destination =
            hash_bytes(at->r->shared->seed, &flow->destination, sizeof(flow->destination)) | 1;
}

void origin_read(struct flow_reader *r, const struct batch *b, const uint32_t *order,
                 const struct flow *flows, struct origin_trace *traces)
{
    const struct tracing at = {.r = r, .b = b, .order = order, .flows = flows, .traces = traces};
    for (uint32_t row = 0; row < b->row_count; row++)
        traces[order[row]] = (struct origin_trace){0};
    read_field(&at, FIELD_SOURCE_NAT_IP, is_address, read_addresses);
    read_field(&at, FIELD_SOURCE_NAT_PORT, is_number, read_ports);
    read_field(&at, FIELD_URL_DOMAIN, is_text, read_parts);
    read_field(&at, FIELD_URL_PATH, is_text, read_parts);
    for (uint32_t row = 0; row < b->row_count; row++)
        finish(&at, row);
    read_field(&at, FIELD_HTTP_FORWARDED_FOR, is_text, read_forwarded);
}
