/* What people do to alerts, as part of the municipality's history. */
#include "base/err.h"
#include "detect/detectors.h"

static void copy(char *out, size_t cap, struct slice text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    memset(out, 0, cap);
    if (len != 0)
        memcpy(out, text.data, len);
}

/* The kind and the first group key of an open episode stand for its id. */
static void of_episode(struct suppression *s, const struct episode *e)
{
    struct episode_item item;
    struct buf key = {0};
    size_t at = 0;
    copy(s->kind, sizeof(s->kind), slice_from(DETECTORS[e->detector]->id));
    if (episode_next_item(&item, e, &at) && item.key) {
        buf_slice(&key, item.name);
        buf_byte(&key, '=');
        buf_slice(&key, item.value);
        copy(s->key, sizeof(s->key), buf_content(&key));
    }
    buf_release(&key);
}

/* Where a suppression goes: the place of its like, a free one, else that of the one that ends first. */
static struct suppression *place_for(struct tenant_state *state, const struct suppression *wanted)
{
    struct suppression *first = &state->suppressions[0];
    for (size_t i = 0; i < TENANT_SUPPRESSIONS_MAX; i++) {
        struct suppression *s = &state->suppressions[i];
        if (s->until_ns != 0 && strcmp(s->kind, wanted->kind) == 0 &&
            strcmp(s->key, wanted->key) == 0 && s->tenant == wanted->tenant)
            return s;
        if (s->until_ns < first->until_ns)
            first = s;
    }
    return first;
}

static int suppress(struct detect_tenant *t, const struct detect_control *c, struct episode *e)
{
    bool prefecture = t->o.profile->size == DETECT_PREFECTURE;
    struct suppression wanted = {.until_ns = c->until_ns, .tenant = prefecture ? c->tenant : 0};
    if (e != NULL) {
        of_episode(&wanted, e);
    } else {
        copy(wanted.kind, sizeof(wanted.kind), slice_from(c->kind));
        copy(wanted.key, sizeof(wanted.key), slice_from(c->key));
    }
    *place_for(t->state, &wanted) = wanted;
    if (e != NULL)
        episode_close(&t->run, e, ALERT_CLOSED, slice_from(c->reason));
    return t->run.status;
}

/* An episode that is over cannot be found by its id: what the control says of it stands for it. */
static bool says_enough(const struct detect_control *c)
{
    return c->action == DETECT_SUPPRESS && c->tenant != 0 &&
           (c->kind[0] != '\0' || c->key[0] != '\0');
}

int detect_control(struct detect_tenant *t, const struct detect_control *control)
{
    struct episode *e = NULL;
    if (control->tenant != 0 && control->tenant != t->o.profile->tenant &&
        t->o.profile->size != DETECT_PREFECTURE)
        return ERR_NOTFOUND;
    if (control->by_id) {
        e = episode_of_id(&t->state->episodes, &control->id);
        if (e == NULL && !says_enough(control))
            return ERR_NOTFOUND;
    }
    t->run.status = 0;
    if (control->action == DETECT_SUPPRESS)
        return suppress(t, control, e);
    if (control->action == DETECT_CLOSE && e != NULL)
        episode_close(&t->run, e, ALERT_CLOSED, slice_from(control->reason));
    return t->run.status;
}
