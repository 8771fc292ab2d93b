#include "detect/indicator_hunt.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "detect/flow_read.h"
#include "detect/indicator_table.h"

/* Hosts and addresses of entries that need more than them (a path, a port): hashes, 0 = free. */
struct hosts {
    uint64_t *slots;
    size_t mask;
};

struct indicator_hunt {
    const struct indicator_set *set;
    struct hosts hosts;
    struct detect_shared shared;
    struct flow_reader reader;
    struct buf text;
    uint32_t order[BATCH_ROWS_MAX];
    struct flow flows[BATCH_ROWS_MAX];
};

/* --- hosts --- */

static uint64_t host_hash(const struct indicator_hunt *h, struct slice host)
{
    return hash_slice(h->set->seed ^ UINT64_C(0x94d049bb133111eb), host) | 1;
}

static void hosts_add(struct indicator_hunt *h, struct slice host)
{
    uint64_t hash = host_hash(h, host);
    size_t at = hash >> 1 & h->hosts.mask;
    while (h->hosts.slots[at] != 0 && h->hosts.slots[at] != hash)
        at = (at + 1) & h->hosts.mask;
    h->hosts.slots[at] = hash;
}

static bool hosts_has(const struct indicator_hunt *h, struct slice host)
{
    if (h->hosts.slots == NULL)
        return false;
    uint64_t hash = host_hash(h, host);
    size_t at = hash >> 1 & h->hosts.mask;
    while (h->hosts.slots[at] != 0 && h->hosts.slots[at] != hash)
        at = (at + 1) & h->hosts.mask;
    return h->hosts.slots[at] != 0;
}

/* The host of a URL's key: "name[:port][/path]" or "[v6][:port][/path]". */
static struct slice host_of(struct slice key)
{
    size_t len = 0;
    bool bracket = key.len != 0 && key.data[0] == '[';
    while (len < key.len && key.data[len] != '/' && (bracket || key.data[len] != ':')) {
        bracket = bracket && key.data[len] != ']';
        len++;
    }
    return slice_of(key.data, len);
}

static int make_hosts(struct indicator_hunt *h)
{
    const struct indicator_set *set = h->set;
    size_t count = set->kinds[INDICATOR_URL] + set->kinds[INDICATOR_ADDRESS_PORT];
    size_t slots = 16;
    if (count == 0)
        return 0;
    while (slots < 2 * count)
        slots *= 2;
    h->hosts.slots = calloc(slots, sizeof(*h->hosts.slots));
    if (h->hosts.slots == NULL)
        return ERR_NOMEM;
    h->hosts.mask = slots - 1;
    for (size_t i = 0; i < set->entry_count; i++) {
        enum indicator_kind kind = indicator_entry_kind(set, i);
        struct slice key = indicator_entry_key(set, i);
        if (kind == INDICATOR_URL)
            hosts_add(h, host_of(key));
        else if (kind == INDICATOR_ADDRESS_PORT)
            hosts_add(h, slice_of(key.data, key.len - 2));
    }
    return 0;
}

int indicator_hunt_new(struct indicator_hunt **out, const struct indicator_set *set)
{
    struct indicator_hunt *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return ERR_NOMEM;
    h->set = set;
    h->shared = (struct detect_shared){.seed = set->seed, .indicators = set};
    h->reader.shared = &h->shared;
    for (uint32_t row = 0; row < BATCH_ROWS_MAX; row++)
        h->order[row] = row;
    if (make_hosts(h) != 0) {
        indicator_hunt_free(h);
        return ERR_NOMEM;
    }
    *out = h;
    return 0;
}

void indicator_hunt_free(struct indicator_hunt *h)
{
    if (h == NULL)
        return;
    flow_reader_release(&h->reader);
    buf_release(&h->text);
    free(h->hosts.slots);
    free(h);
}

/* --- what a batch may hold --- */

static bool may_be_address(const struct indicator_hunt *h, const struct ip *ip)
{
    char key[16];
    size_t len = indicator_address_key(key, ip);
    return indicator_find_address(h->set, ip, 0, INT64_MIN) != 0 ||
           hosts_has(h, slice_of(key, len));
}

/* A host, as URLs, DNS questions and firewalls name it. */
static bool may_be_host(const struct indicator_hunt *h, struct slice host)
{
    char name[INDICATOR_AUTHORITY_BYTES_MAX];
    struct ip ip;
    if (host.len == 0)
        return false;
    if (ip_parse(host, &ip) != VALUE_INVALID && may_be_address(h, &ip))
        return true;
    size_t len = indicator_authority(name, host, 0);
    return indicator_find_domain(h->set, host, INT64_MIN) != 0 ||
           (len != 0 && hosts_has(h, slice_of(name, len)));
}

static bool may_be_url(const struct indicator_hunt *h, struct slice text)
{
    struct indicator_url url;
    if (indicator_url_split(&url, text) && may_be_host(h, url.host))
        return true;
    return h->set->kinds[INDICATOR_PATH] != 0;
}

/* Whether one value of a field may be listed. */
static bool may_be(const struct indicator_hunt *h, uint16_t field, struct slice text)
{
    switch (field) {
    case FIELD_URL_DOMAIN:
    case FIELD_DESTINATION_DOMAIN:
    case FIELD_DNS_QUESTION:
        return may_be_host(h, text);
    case FIELD_URL_ORIGINAL:
        return may_be_url(h, text);
    case FIELD_URL_PATH:
        return h->set->kinds[INDICATOR_PATH] != 0;
    case FIELD_USER_AGENT:
        return indicator_find_agent(h->set, text, INT64_MIN) != 0;
    default:
        return false;
    }
}

static bool is_looked_at(uint16_t field)
{
    return field == FIELD_URL_DOMAIN || field == FIELD_DESTINATION_DOMAIN ||
           field == FIELD_DNS_QUESTION || field == FIELD_URL_ORIGINAL || field == FIELD_URL_PATH ||
           field == FIELD_USER_AGENT;
}

/* The values of a column, decoded as live rows are. */
static bool column_may(struct indicator_hunt *h, const struct batch *b, const struct column *c)
{
    for (uint32_t i = 0; i < c->entry_count; i++) {
        if (c->entries[i].len == SPAN_NONE)
            continue;
        struct slice text = batch_span(b, c->entries[i]);
        if (value_is_encoded(text, c->kind)) {
            if (slot_writing(c->kind) == SLOT_PERCENT && may_be(h, c->field, text))
                return true;
            buf_reset(&h->text);
            value_decode(&h->text, text, c->kind);
            text = buf_content(&h->text);
        }
        if (may_be(h, c->field, text))
            return true;
    }
    return false;
}

bool indicator_hunt_texts(struct indicator_hunt *h, const struct batch *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        if (is_looked_at(c->field) && column_may(h, b, c))
            return true;
    }
    return !buf_ok(&h->text);
}

static bool is_address(const struct column *c)
{
    return (c->field == FIELD_SOURCE_IP || c->field == FIELD_DESTINATION_IP) &&
           (c->storage == COLUMN_IP4 || c->storage == COLUMN_IP);
}

bool indicator_hunt_columns(const struct batch *b, struct column_mask *out)
{
    bool any = false;
    for (uint32_t i = 0; i < b->column_count; i++) {
        if (!is_address(&b->columns[i]))
            continue;
        column_mask_add(out, i);
        any = true;
    }
    return any;
}

bool indicator_hunt_addresses(struct indicator_hunt *h, const struct batch *b)
{
    for (uint32_t i = 0; i < b->column_count; i++) {
        const struct column *c = &b->columns[i];
        struct ip last = {{0}};
        if (!is_address(c))
            continue;
        for (uint32_t row = 0; row < b->row_count; row++) {
            if (!column_is_present(c, row))
                continue;
            struct ip ip = c->storage == COLUMN_IP4 ? ip_from_v4(c->ip4[row]) : c->ips[row];
            if (memcmp(&ip, &last, sizeof(ip)) == 0)
                continue;
            last = ip;
            if (may_be_address(h, &ip))
                return true;
        }
    }
    return false;
}

/* --- rows --- */

/* Whether the listed address is the one that came in. */
static bool came_in(const struct indicator_hunt *h, const struct flow *flow)
{
    enum indicator_kind kind = indicator_entry_kind(h->set, flow->hit - 1);
    bool address =
        kind == INDICATOR_ADDRESS || kind == INDICATOR_ADDRESS_PORT || kind == INDICATOR_NETWORK;
    if (!address || flow->direction != FLOW_IN)
        return false;
    return indicator_find_address(h->set, &flow->destination, flow->destination_port,
                                  flow->time_ns) != flow->hit;
}

static enum indicator_manner manner_of(const struct indicator_hunt *h, const struct flow *flow)
{
    bool refused = (flow->flags & FLOW_REFUSED) != 0;
    if (came_in(h, flow))
        return refused ? INDICATOR_KNOCK : INDICATOR_INBOUND;
    if (indicator_entry_kind(h->set, flow->hit - 1) == INDICATOR_AGENT)
        return INDICATOR_USED;
    return refused ? INDICATOR_ATTEMPT : INDICATOR_CONTACT;
}

int indicator_hunt_rows(struct indicator_hunt *h, const struct detect_profile *profile,
                        const struct batch *b, indicator_hunt_visit *visit, void *self)
{
    h->reader.profile = profile;
    flow_texts_reset(&h->reader.texts);
    int status = flow_read(&h->reader, b, h->order, 0, h->flows);
    for (uint32_t row = 0; row < b->row_count && status == 0; row++) {
        const struct flow *flow = &h->flows[row];
        if (flow->hit == 0 || (flow->flags & FLOW_EXCLUDED) != 0)
            continue;
        const struct indicator_sighting sighting = {.flow = flow,
                                                    .row = row,
                                                    .manner = manner_of(h, flow),
                                                    .destination =
                                                        flow_text(&h->reader.texts, flow->domain)};
        status = visit(self, &sighting);
    }
    return status;
}
