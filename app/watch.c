#include "app/watch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    STORE_ID_LEN = 16,
};

/* A municipality that is watched. */
struct watched {
    struct watched *next; /* ascending codes */
    struct watch *watch;
    struct detect_profile profile;
    struct detect_tenant *detect;
    watch_alert *alert;
    void *self;
};

struct watch {
    struct watch_options o;
    struct detect_shared shared;
    struct desks *desks;
    struct prevalence_set *prevalence;
    struct watched *first;
    pthread_mutex_t lock; /* of the list */
};

uint64_t watch_seed(const uint8_t store_id[16])
{
    return hash_bytes(0, store_id, STORE_ID_LEN);
}

int watch_new(struct watch **out, const struct watch_options *options)
{
    struct watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return ERR_NOMEM;
    w->desks = desks_new();
    if (w->desks == NULL) {
        free(w);
        return ERR_NOMEM;
    }
    w->o = *options;
    w->shared.seed = options->seed;
    w->shared.indicators = options->indicators;
    w->shared.rules = options->rules;
    (void)pthread_mutex_init(&w->lock, NULL);
    *out = w;
    return 0;
}

bool watch_has_prefecture(const struct watch *w)
{
    return w->o.rules != NULL && w->o.rules->prefecture;
}

void watch_forget(struct watch *w)
{
    struct watched *next = NULL;
    for (struct watched *t = w->first; t != NULL; t = next) {
        next = t->next;
        detect_tenant_free(t->detect);
        free(t);
    }
    w->first = NULL;
    prevalence_free(w->prevalence);
    w->prevalence = NULL;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    watch_forget(w);
    desks_free(w->desks);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

int watch_change(struct watch *w, const struct watch_sets *sets)
{
    int status = 0;
    if (sets->config == w->o.config && sets->indicators == w->o.indicators &&
        sets->rules == w->o.rules)
        return 0;
    w->o.config = sets->config;
    w->o.indicators = sets->indicators;
    w->o.rules = sets->rules;
    w->shared.indicators = sets->indicators;
    w->shared.rules = sets->rules;
    if (w->first != NULL && w->first->profile.tenant == 0 && !watch_has_prefecture(w)) {
        struct watched *prefecture = w->first;
        w->first = prefecture->next;
        detect_tenant_free(prefecture->detect);
        free(prefecture);
    }
    for (struct watched *t = w->first; t != NULL && status == 0; t = t->next) {
        config_profile(w->o.config, t->profile.tenant, &t->profile);
        status = detect_tenant_change(t->detect);
    }
    return status;
}

static int pass_alert(void *self, const struct detect_alert *alert)
{
    struct watched *t = self;
    const struct watch_options *o = &t->watch->o;
    int status = o->tap == NULL ? 0 : o->tap(o->tap_self, alert);
    return status != 0 || t->alert == NULL ? status : t->alert(t->self, alert);
}

static int add_tenant(struct watched **place, struct watch *w, uint32_t tenant)
{
    struct watched *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    t->watch = w;
    config_profile(w->o.config, tenant, &t->profile);
    struct detect_options options = {.shared = &w->shared,
                                     .desks = w->desks,
                                     .profile = &t->profile,
                                     .rows_tick = w->o.rows_tick && tenant != 0,
                                     .alert = pass_alert,
                                     .self = t};
    int status = detect_tenant_new(&t->detect, &options);
    if (status != 0) {
        free(t);
        return status;
    }
    detect_tenant_prevalence(t->detect, w->prevalence);
    t->next = *place;
    *place = t;
    return 0;
}

int watch_tenant(struct detect_tenant **out, struct watch *w, uint32_t tenant, watch_alert *alert,
                 void *self)
{
    int status = 0;
    (void)pthread_mutex_lock(&w->lock);
    struct watched **place = &w->first;
    while (*place != NULL && (*place)->profile.tenant < tenant)
        place = &(*place)->next;
    if (*place == NULL || (*place)->profile.tenant != tenant)
        status = add_tenant(place, w, tenant);
    if (status == 0) {
        (*place)->alert = alert;
        (*place)->self = self;
        *out = (*place)->detect;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return status;
}

void watch_go_live(struct watch *w)
{
    w->o.rows_tick = false;
    for (struct watched *t = w->first; t != NULL; t = t->next)
        detect_tenant_go_live(t->detect);
}

void watch_each(struct watch *w,
                void (*visit)(void *self, uint32_t tenant, struct detect_tenant *t), void *self)
{
    for (struct watched *t = w->first; t != NULL; t = t->next) {
        if (t->profile.tenant != 0)
            visit(self, t->profile.tenant, t->detect);
    }
}

/* ---------------------------------------------------------------------- the prefecture */

static void take_prevalence(struct watch *w, struct prevalence_set *set)
{
    for (struct watched *t = w->first; t != NULL; t = t->next)
        detect_tenant_prevalence(t->detect, set);
    prevalence_free(w->prevalence);
    w->prevalence = set;
}

int watch_load_prevalence(struct watch *w, struct slice bytes)
{
    struct prevalence_set *set = NULL;
    if (bytes.len == 0)
        return 0;
    int status = prevalence_decode(&set, bytes);
    if (status == 0)
        take_prevalence(w, set);
    return status;
}

bool watch_day_ends(int64_t before_ns, int64_t tick_ns)
{
    return before_ns > 0 && calendar_day(before_ns) != calendar_day(tick_ns);
}

/* The contributions as prevalence_next() wants them; returns how many, keys in *keys. */
static size_t read_contributions(struct slice bytes, struct prevalence_contribution *out,
                                 uint64_t *keys)
{
    size_t count = 0;
    while (bytes.len >= 8) {
        uint32_t tenant = bytes_get32(bytes.data);
        uint32_t key_count = bytes_get32(bytes.data + 4);
        out[count++] =
            (struct prevalence_contribution){.tenant = tenant, .keys = keys, .count = key_count};
        bytes = slice_from_offset(bytes, 8);
        for (uint32_t i = 0; i < key_count; i++) {
            *keys++ = bytes_get64(bytes.data);
            bytes = slice_from_offset(bytes, 8);
        }
    }
    return count;
}

int watch_midnight(struct watch *w, struct slice contributions, int64_t tick_ns, struct buf *out)
{
    int64_t ended = calendar_day(tick_ns) - 1;
    /* A clock that was set back, or a log of other times: the prefecture stays as it is known. */
    if (ended < 0 || ended > UINT16_MAX ||
        (w->prevalence != NULL && ended < prevalence_day(w->prevalence)))
        return 0;
    struct prevalence_contribution *list =
        calloc(contributions.len / 8 + 1, sizeof(struct prevalence_contribution));
    uint64_t *keys = calloc(contributions.len / 8 + 1, sizeof(*keys));
    struct prevalence_set *set = NULL;
    int status = list == NULL || keys == NULL ? ERR_NOMEM : 0;
    if (status == 0) {
        size_t count = read_contributions(contributions, list, keys);
        status = prevalence_next(&set, w->prevalence, list, count, (uint32_t)ended);
    }
    if (status == 0) {
        prevalence_encode(out, set);
        status = buf_ok(out) ? 0 : ERR_NOMEM;
    }
    if (status == 0)
        take_prevalence(w, set);
    else
        prevalence_free(set);
    free(list);
    free(keys);
    return status;
}
