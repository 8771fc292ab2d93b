#include "app/long_term.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/keyring_option.h"
#include "base/file.h"

void long_term_close(struct long_term *t)
{
    for (size_t i = 0; i < t->segment_count; i++)
        segment_close(t->segments[i]);
    keyring_close(t->own_keys);
    free(t->segments);
    free(t->groups);
    free(t->segment_of);
    free(t->tenants);
    *t = (struct long_term){0};
}

uint64_t long_term_through(const struct long_term *t, uint32_t tenant)
{
    size_t low = 0;
    size_t high = t->tenant_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->tenants[middle].tenant < tenant)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < t->tenant_count && t->tenants[low].tenant == tenant;
    uint64_t own = found ? t->tenants[low].through_seq : 0;
    return own > t->through_seq ? own : t->through_seq;
}

static int add_groups(struct long_term *t, struct segment *s)
{
    size_t count = segment_rowgroup_count(s);
    size_t all = t->group_count + count + 1;
    const struct rowgroup_head **groups =
        reallocarray(t->groups, all, sizeof(struct rowgroup_head *));
    if (groups != NULL)
        t->groups = groups;
    uint32_t *segment_of = reallocarray(t->segment_of, all, sizeof(*segment_of));
    if (segment_of != NULL)
        t->segment_of = segment_of;
    struct segment **segments =
        reallocarray(t->segments, t->segment_count + 1, sizeof(struct segment *));
    if (segments != NULL)
        t->segments = segments;
    if (groups == NULL || segment_of == NULL || segments == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        segment_of[t->group_count] = (uint32_t)t->segment_count;
        groups[t->group_count++] = segment_rowgroup(s, i);
    }
    segments[t->segment_count++] = s;
    return 0;
}

/* A segment is what the catalog says of it. */
static bool is_the_one(const struct segment *s, const struct segment_info *info)
{
    const struct segment_info *have = segment_info(s);
    return have->name.tenant == info->name.tenant && have->name.hour == info->name.hour &&
           have->name.generation == info->name.generation &&
           sha256_equal(&have->hash, &info->hash) && have->row_count == info->row_count;
}

static int add_segment(struct long_term *t, const char *folder, const struct segment_info *info,
                       struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct segment *s = NULL;
    int err = segment_path(path, sizeof(path), folder, &info->name);
    if (err == 0)
        err = segment_open(&s, path, t->keys, diag);
    if (err == ERR_SEALED || err == ERR_CORRUPT || err == ERR_FORMAT || err == ERR_NOTFOUND) {
        t->damage++;
        return 0;
    }
    if (err == 0 && !is_the_one(s, info)) {
        diag_add(diag, path, 0, 0,
                 "the segment is not the one that the catalog names; restore the folder from a "
                 "copy of the store");
        t->damage++;
        segment_close(s);
        return 0;
    }
    if (err == 0)
        err = add_groups(t, s);
    if (err != 0) {
        segment_close(s);
        return err;
    }
    t->mapped_bytes += info->bytes;
    if (t->mapped_bytes > LONG_TERM_RESIDENT_BYTES)
        segment_forget(s);
    return 0;
}

/* through_seq: what its catalog must say at least; 0: it need not be there. */
static int add_tenant(struct long_term *t, const char *dir, uint32_t tenant, uint64_t through_seq,
                      const struct long_term_wish *wish, struct diag *diag)
{
    char folder[FILE_PATH_BYTES_MAX];
    struct catalog c = {0};
    int err = catalog_folder(folder, sizeof(folder), dir, tenant);
    if (err == 0)
        err = catalog_read(&c, folder, diag);
    if (err == ERR_NOTFOUND && through_seq == 0)
        return 0; /* a compaction has begun and not finished */
    if (err == ERR_NOTFOUND)
        diag_add(diag, folder, 0, 0,
                 "the folder or its catalog is missing; restore it from a copy");
    if (err == ERR_NOTFOUND || err == ERR_CORRUPT || err == ERR_FORMAT) {
        t->damage++;
        return 0;
    }
    if (err == 0 && c.through_seq < through_seq) {
        diag_add(diag, folder, 0, 0,
                 "the catalog ends before what was compacted; restore the folder from a copy");
        t->damage++;
    }
    struct covered_tenant *tenants =
        reallocarray(t->tenants, t->tenant_count + 1, sizeof(*tenants));
    if (err == 0 && tenants == NULL)
        err = ERR_NOMEM;
    if (tenants != NULL)
        t->tenants = tenants;
    if (err == 0)
        tenants[t->tenant_count++] =
            (struct covered_tenant){.tenant = tenant, .through_seq = c.through_seq};
    for (size_t i = 0; i < c.segment_count && err == 0; i++) {
        const struct segment_info *info = &c.segments[i];
        if (info->time_max_ns < wish->since_ns || info->time_min_ns >= wish->until_ns) {
            t->rows_skipped += info->row_count;
            t->segments_skipped++;
            continue;
        }
        err = add_segment(t, folder, info, diag);
    }
    catalog_release(&c);
    return err;
}

/* Municipalities that have a folder, with those that must have one. */
static int list_tenants(const char *dir, struct arena *arena, const struct compacted *c,
                        uint32_t **out, size_t *count)
{
    struct catalog_tenants there;
    int err = catalog_list_tenants(&there, arena, dir);
    if (err != 0)
        return err;
    uint32_t *tenants = arena_array(arena, there.count + c->tenant_count + 1, sizeof(*tenants));
    if (tenants == NULL)
        return ERR_NOMEM;
    size_t n = 0;
    size_t listed = 0;
    for (size_t i = 0; i < there.count; i++) {
        for (; listed < c->tenant_count && c->tenants[listed] <= there.codes[i]; listed++) {
            if (c->tenants[listed] != there.codes[i])
                tenants[n++] = c->tenants[listed];
        }
        tenants[n++] = there.codes[i];
    }
    for (; listed < c->tenant_count; listed++)
        tenants[n++] = c->tenants[listed];
    *out = tenants;
    *count = n;
    return 0;
}

int long_term_open(struct long_term *out, const char *dir, const struct long_term_wish *wish,
                   struct diag *diag)
{
    struct long_term t = {0};
    struct arena arena = {0};
    struct compacted c = {0};
    struct log_hold hold = {0};
    uint32_t *tenants = NULL;
    size_t count = 0;
    t.keys = wish->keys;
    if (t.keys == NULL) {
        /* A keyring that cannot be read is said; what it would open is counted then. */
        (void)keyring_option(&t.own_keys, diag);
        t.keys = t.own_keys;
    }
    int err = log_hold_take_store(&hold, dir);
    if (err == 0)
        err = compacted_read(&c, dir, &arena, diag);
    if (err == ERR_CORRUPT)
        t.damage++;
    if (err == ERR_NOTFOUND || err == ERR_CORRUPT)
        err = 0;
    t.through_seq = c.through_seq;
    if (err == 0)
        err = list_tenants(dir, &arena, &c, &tenants, &count);
    for (size_t i = 0; i < count && err == 0; i++) {
        if (!wish->has_tenant || wish->tenant == tenants[i])
            err = add_tenant(&t, dir, tenants[i], compacted_has(&c, tenants[i]) ? c.through_seq : 0,
                             wish, diag);
    }
    log_hold_drop(&hold);
    arena_release(&arena);
    if (err != 0)
        long_term_close(&t);
    else
        *out = t;
    return err;
}
