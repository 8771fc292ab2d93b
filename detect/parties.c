#include "detect/parties.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

static_assert(sizeof(struct party) % 8 == 0, "entries of a table");

size_t parties_bytes(uint32_t parties)
{
    return parties == 0 ? 0 : sizeof(struct parties) + table_bytes(parties, sizeof(struct party));
}

void parties_init(struct parties *p, uint32_t parties)
{
    if (parties != 0)
        table_init(&p->table, p + 1, parties, sizeof(struct party));
}

void parties_gaps(const struct parties *p, struct gaps *out)
{
    gaps_add(out, &p->tenants[p->tenant_count],
             (PARTY_TENANTS_MAX - p->tenant_count) * sizeof(p->tenants[0]));
    gaps_add(out, &p->topics[p->topic_count],
             (PARTY_TOPICS_MAX - p->topic_count) * sizeof(p->topics[0]));
    table_gap(&p->table, out);
}

static bool tenant_note(struct parties *p, uint32_t tenant)
{
    for (uint32_t i = 0; i < p->tenant_count; i++) {
        if (p->tenants[i] == tenant)
            return true;
    }
    if (p->tenant_count == PARTY_TENANTS_MAX)
        return false;
    p->tenants[p->tenant_count++] = tenant;
    return true;
}

uint16_t parties_topic(struct parties *p, uint32_t tenant, struct slice topic)
{
    for (uint32_t i = 0; i < p->topic_count; i++) {
        const struct party_topic *t = &p->topics[i];
        if (t->tenant == tenant && slice_equal(topic, slice_of(t->text, t->len)))
            return (uint16_t)i;
    }
    if (p->topic_count == PARTY_TOPICS_MAX || topic.len > PARTY_TOPIC_BYTES_MAX ||
        !tenant_note(p, tenant)) {
        p->lost++;
        return PARTY_TOPIC_NONE;
    }
    struct party_topic *new = &p->topics[p->topic_count];
    *new = (struct party_topic){.tenant = tenant, .len = (uint16_t)topic.len};
    if (topic.len != 0)
        memcpy(new->text, topic.data, topic.len);
    return (uint16_t)p->topic_count++;
}

struct slice parties_topic_text(const struct parties *p, uint32_t topic)
{
    if (topic >= p->topic_count)
        return SLICE("");
    return slice_of(p->topics[topic].text, p->topics[topic].len);
}

/* `group` is a keyed hash already: nobody outside can aim at a place. */
static uint64_t party_key(uint64_t group, uint32_t tenant)
{
    return hash_bytes(group, &tenant, sizeof(tenant)) | 1;
}

struct party *parties_join(struct parties *p, uint64_t group, const struct flow *flow,
                           int64_t now_ns, int64_t from_ns)
{
    uint32_t tenant = p->topics[flow->log_source].tenant;
    bool fresh = false;
    struct party *party = table_take(&p->table, party_key(group, tenant), &fresh, NULL);
    if (fresh || party->last_ns <= from_ns) {
        party->tenant = tenant;
        party->time_ns = flow->time_ns;
        party->arrival_ns = flow->arrival_ns;
        party->offset = flow->offset;
        party->partition = flow->partition;
        party->sub = flow->sub;
        party->topic = flow->log_source;
        party->important = flow->important;
        party->told = 0;
    }
    party->last_ns = now_ns;
    return party;
}

uint64_t parties_losses(const struct parties *p)
{
    return p->lost + p->table.evictions;
}

struct party *parties_next(struct parties *p, uint64_t group, int64_t from_ns, uint32_t *at)
{
    while (*at < p->tenant_count) {
        struct party *party = table_find(&p->table, party_key(group, p->tenants[(*at)++]));
        if (party != NULL && party->last_ns > from_ns)
            return party;
    }
    return NULL;
}
