#include "detect/stix_versions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    SLOTS_FIRST = 64,
};

static struct stix_version *slot_of(const struct stix_versions *v, uint64_t id)
{
    size_t at = id & (v->slot_count - 1);
    while (v->slots[at].id != 0 && v->slots[at].id != id)
        at = (at + 1) & (v->slot_count - 1);
    return &v->slots[at];
}

static int grow(struct stix_versions *v)
{
    struct stix_versions larger = *v;
    larger.slot_count = v->slot_count == 0 ? SLOTS_FIRST : 2 * v->slot_count;
    larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < v->slot_count; i++) {
        if (v->slots[i].id != 0)
            *slot_of(&larger, v->slots[i].id) = v->slots[i];
    }
    free(v->slots);
    *v = larger;
    return 0;
}

static int add(struct stix_versions *v, struct slice id, struct slice modified)
{
    int64_t ns = 0;
    if (id.len == 0 || clock_parse(&ns, modified) != 0)
        return 0;
    if (2 * v->count >= v->slot_count && grow(v) != 0)
        return ERR_NOMEM;
    uint64_t hash = hash_slice(v->seed, id) | 1;
    struct stix_version *slot = slot_of(v, hash);
    if (slot->id == 0) {
        *slot = (struct stix_version){.id = hash, .modified_ns = ns};
        v->count++;
    }
    slot->modified_ns = ns > slot->modified_ns ? ns : slot->modified_ns;
    return 0;
}

/* A string without its quotes, else empty. */
static struct slice unquote(struct slice value)
{
    return value.len >= 2 && value.data[0] == '"' ? slice_of(value.data + 1, value.len - 2)
                                                  : SLICE("");
}

static int read_object(struct stix_versions *v, struct json_walk *w)
{
    struct slice id = SLICE("");
    struct slice modified = SLICE("");
    struct slice key;
    json_walk_enter(w);
    while (json_walk_key(w, &key)) {
        struct slice value;
        json_walk_value(w, &value, NULL);
        if (slice_equal(key, SLICE("id")))
            id = unquote(value);
        else if (slice_equal(key, SLICE("modified")))
            modified = unquote(value);
    }
    return add(v, id, modified);
}

int stix_versions_read(struct stix_versions *out, const struct json_walk *objects)
{
    struct stix_versions v = {.seed = hash_seed()};
    struct json_walk w = *objects;
    int status = 0;
    while (status == 0 && json_walk_item(&w)) {
        if (json_walk_peek(&w) == '{')
            status = read_object(&v, &w);
        else
            json_walk_value(&w, NULL, NULL);
    }
    if (status != 0) {
        stix_versions_release(&v);
        return status;
    }
    *out = v;
    return 0;
}

bool stix_versions_is_old(const struct stix_versions *v, struct slice id, struct slice modified)
{
    int64_t ns = 0;
    if (v->count == 0 || id.len == 0 || clock_parse(&ns, modified) != 0)
        return false;
    const struct stix_version *slot = slot_of(v, hash_slice(v->seed, id) | 1);
    return slot->id != 0 && ns < slot->modified_ns;
}

void stix_versions_release(struct stix_versions *v)
{
    free(v->slots);
    *v = (struct stix_versions){0};
}
