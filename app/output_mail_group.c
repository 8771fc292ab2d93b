#include "app/output_mail_group.h"

#include <stdlib.h>

#include "base/err.h"

enum {
    HOUR_SECONDS = 3600,
    DAY_HOURS = 24,
    JAPAN_HOURS = 9,
    REFUSAL_SECONDS = 60, /* the first wait; each further one is twice as long */
    REFUSAL_DOUBLINGS_MAX = 6,
};

#define HOUR_NS (HOUR_SECONDS * CLOCK_NS_PER_SECOND)

static void copy_cut(char *out, const char *text, size_t max)
{
    struct slice kept = output_text_cut(text, max);
    memcpy(out, kept.data, kept.len);
    out[kept.len] = '\0';
}

static struct mail_tenant *find(const struct mail_groups *g, uint32_t tenant)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->tenants[i]->tenant == tenant)
            return g->tenants[i];
    }
    return NULL;
}

static int find_or_make(struct mail_groups *g, uint32_t tenant, struct mail_tenant **out)
{
    struct mail_tenant *t = find(g, tenant);
    if (t == NULL) {
        if (g->count == MAIL_TENANTS_MAX)
            return ERR_RANGE;
        if (g->tenants == NULL)
            g->tenants = calloc(MAIL_TENANTS_MAX, sizeof(struct mail_tenant *));
        t = g->tenants == NULL ? NULL : calloc(1, sizeof(*t));
        if (t == NULL)
            return ERR_NOMEM;
        t->tenant = tenant;
        t->since_ns = CLOCK_NONE;
        t->not_before_ns = CLOCK_NONE;
        g->tenants[g->count++] = t;
    }
    *out = t;
    return 0;
}

void mail_groups_release(struct mail_groups *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->tenants[i]);
    free(g->tenants);
    g->tenants = NULL;
    g->count = 0;
}

/* The state as JSON: what a struct holds, under the names of its members. */

static json_t *item_json(const struct mail_item *i)
{
    return json_pack("{s:s,s:I,s:i,s:I,s:I,s:I,s:s,s:s,s:s,s:s,s:s}", "id", i->id, "revision",
                     (json_int_t)i->revision, "severity", (int)i->severity, "count",
                     (json_int_t)i->count, "first", (json_int_t)i->first_ns, "last",
                     (json_int_t)i->last_ns, "kind", i->kind, "name", i->name, "evidence",
                     i->evidence, "message", i->message, "action", i->action);
}

static json_t *tenant_json(const struct mail_tenant *t)
{
    json_t *items = json_array();
    json_t *more = json_array();
    json_t *kinds = json_array();
    json_t *sent = json_array();
    json_t *memory = json_array();
    for (size_t i = 0; i < t->item_count; i++)
        (void)json_array_append_new(items, item_json(&t->items[i]));
    for (size_t i = 0; i < ALERT_SEVERITY_COUNT; i++)
        (void)json_array_append_new(more, json_integer(t->more[i]));
    for (size_t i = 0; i < t->kind_count; i++)
        (void)json_array_append_new(
            kinds, json_pack("[s,I]", t->kinds[i].kind, (json_int_t)t->kinds[i].count));
    for (size_t i = 0; i < t->sent_count; i++)
        (void)json_array_append_new(sent, json_integer(t->sent_ns[i]));
    for (size_t i = 0; i < t->memory_count; i++) {
        /* Oldest first. */
        size_t at = t->memory_count < MAIL_MEMORY ? i : (t->memory_next + i) % MAIL_MEMORY;
        (void)json_array_append_new(
            memory, json_pack("[s,i]", t->memory[at].id, (int)t->memory[at].severity));
    }
    return json_pack("{s:I,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "tenant",
                     (json_int_t)t->tenant, "name", t->name, "since", (json_int_t)t->since_ns,
                     "updates", (json_int_t)t->updates, "summary_day", (json_int_t)t->summary_day,
                     "not_before", (json_int_t)t->not_before_ns, "refusals",
                     (json_int_t)t->refusals, "items", items, "more", more, "kinds", kinds, "sent",
                     sent, "memory", memory);
}

void mail_groups_write(const struct mail_groups *g, struct buf *state)
{
    json_t *root = json_array();
    for (size_t i = 0; i < g->count; i++)
        (void)json_array_append_new(root, tenant_json(g->tenants[i]));
    char *text = json_dumps(root, JSON_COMPACT);
    /* Without memory nothing may be kept that looks whole. */
    if (text == NULL || json_array_size(root) != g->count)
        state->failed = true;
    else
        buf_text(state, text);
    free(text);
    json_decref(root);
}

static int64_t integer_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void text_of(char *out, const json_t *value, size_t max)
{
    const char *text = json_string_value(value);
    copy_cut(out, text == NULL ? "" : text, max);
}

static enum alert_severity severity_of(json_int_t value)
{
    return value >= 0 && value < ALERT_SEVERITY_COUNT ? (enum alert_severity)value
                                                      : ALERT_INFORMATIONAL;
}

static void item_read(struct mail_item *i, const json_t *o)
{
    i->revision = integer_of(o, "revision");
    i->severity = severity_of(integer_of(o, "severity"));
    i->count = integer_of(o, "count");
    i->first_ns = integer_of(o, "first");
    i->last_ns = integer_of(o, "last");
    text_of(i->id, json_object_get(o, "id"), sizeof(i->id) - 1);
    text_of(i->kind, json_object_get(o, "kind"), sizeof(i->kind) - 1);
    text_of(i->name, json_object_get(o, "name"), sizeof(i->name) - 1);
    text_of(i->evidence, json_object_get(o, "evidence"), sizeof(i->evidence) - 1);
    text_of(i->message, json_object_get(o, "message"), sizeof(i->message) - 1);
    text_of(i->action, json_object_get(o, "action"), sizeof(i->action) - 1);
}

static void remember(struct mail_tenant *t, const char *id, enum alert_severity severity)
{
    struct mail_memory *m = &t->memory[t->memory_next];
    copy_cut(m->id, id, sizeof(m->id) - 1);
    m->severity = severity;
    t->memory_next = (t->memory_next + 1) % MAIL_MEMORY;
    t->memory_count += t->memory_count < MAIL_MEMORY;
}

static void lists_read(struct mail_tenant *t, const json_t *o)
{
    size_t i = 0;
    const json_t *value = NULL;
    const json_t *list = json_object_get(o, "items");
    json_array_foreach(list, i, value)
    {
        if (t->item_count < MAIL_ITEMS_MAX)
            item_read(&t->items[t->item_count++], value);
    }
    list = json_object_get(o, "kinds");
    json_array_foreach(list, i, value)
    {
        if (t->kind_count == MAIL_KINDS_MAX)
            break;
        struct mail_kind *k = &t->kinds[t->kind_count++];
        text_of(k->kind, json_array_get(value, 0), sizeof(k->kind) - 1);
        k->count = json_integer_value(json_array_get(value, 1));
    }
    list = json_object_get(o, "sent");
    json_array_foreach(list, i, value)
    {
        if (t->sent_count < MAIL_SENT_MAX)
            t->sent_ns[t->sent_count++] = json_integer_value(value);
    }
    list = json_object_get(o, "memory");
    json_array_foreach(list, i, value)
    {
        const char *id = json_string_value(json_array_get(value, 0));
        remember(t, id == NULL ? "" : id,
                 severity_of(json_integer_value(json_array_get(value, 1))));
    }
    list = json_object_get(o, "more");
    json_array_foreach(list, i, value)
    {
        if (i < ALERT_SEVERITY_COUNT)
            t->more[i] = json_integer_value(value);
    }
}

int mail_groups_read(struct mail_groups *g, struct slice state)
{
    size_t i = 0;
    const json_t *o = NULL;
    if (state.len == 0)
        return 0;
    json_t *root = json_loadb(state.data, state.len, 0, NULL);
    int err = json_is_array(root) ? 0 : ERR_CORRUPT;
    json_array_foreach(root, i, o)
    {
        struct mail_tenant *t = NULL;
        json_int_t code = integer_of(o, "tenant");
        err = code < 0 || code > UINT32_MAX ? ERR_CORRUPT : find_or_make(g, (uint32_t)code, &t);
        if (err != 0)
            break;
        text_of(t->name, json_object_get(o, "name"), sizeof(t->name) - 1);
        t->since_ns = integer_of(o, "since");
        t->updates = integer_of(o, "updates");
        t->summary_day = integer_of(o, "summary_day");
        t->not_before_ns = integer_of(o, "not_before");
        t->refusals = integer_of(o, "refusals");
        lists_read(t, o);
    }
    json_decref(root);
    return err;
}

/* Taking in */

/* Days that begin at the policy's hour in Japan. */
static int64_t day_of(const struct mail_policy *policy, int64_t now_ns)
{
    int64_t hours = now_ns / HOUR_NS + JAPAN_HOURS - policy->summary_hour;
    return hours / DAY_HOURS;
}

static void count_mild(const struct mail_groups *g, struct mail_tenant *t, const char *kind,
                       int64_t now_ns)
{
    size_t i = 0;
    if (t->kind_count == 0 && t->summary_day == 0)
        t->summary_day = day_of(&g->policy, now_ns);
    while (i < t->kind_count && strncmp(t->kinds[i].kind, kind, MAIL_NAME_BYTES_MAX) != 0)
        i++;
    if (i == MAIL_KINDS_MAX) {
        i--;
        copy_cut(t->kinds[i].kind, "...", MAIL_NAME_BYTES_MAX);
    } else if (i == t->kind_count) {
        t->kind_count++;
        t->kinds[i].count = 0;
        copy_cut(t->kinds[i].kind, kind, MAIL_NAME_BYTES_MAX);
    }
    t->kinds[i].count++;
}

static void item_fill(struct mail_item *i, const struct alert_record *record,
                      const struct output_alert *a)
{
    *i = (struct mail_item){.revision = record->revision,
                            .severity = a->severity,
                            .count = a->count,
                            .first_ns = a->first_ns,
                            .last_ns = a->last_ns};
    memcpy(i->id, a->id, sizeof(i->id));
    copy_cut(i->kind, a->kind, MAIL_NAME_BYTES_MAX);
    copy_cut(i->name, a->rule_name, MAIL_NAME_BYTES_MAX);
    copy_cut(i->evidence, a->evidence, sizeof(i->evidence) - 1);
    copy_cut(i->message, a->message_ja[0] != '\0' ? a->message_ja : a->message_en,
             MAIL_TEXT_BYTES_MAX);
    copy_cut(i->action, a->action_ja, MAIL_TEXT_BYTES_MAX);
}

/* Has no place in the list: further revisions of it are updates of what was counted. */
static void count_item(struct mail_tenant *t, const struct mail_item *item)
{
    t->more[item->severity]++;
    remember(t, item->id, item->severity);
}

/* Into the list, which stays worst first; what has no place in it is counted. */
static void list_item(struct mail_tenant *t, const struct mail_item *item)
{
    size_t at = t->item_count;
    while (at > 0 && t->items[at - 1].severity < item->severity)
        at--;
    if (at == MAIL_ITEMS_MAX) {
        count_item(t, item);
        return;
    }
    if (t->item_count == MAIL_ITEMS_MAX)
        count_item(t, &t->items[--t->item_count]);
    memmove(&t->items[at + 1], &t->items[at], (t->item_count - at) * sizeof(t->items[0]));
    t->items[at] = *item;
    t->item_count++;
}

static void unlist(struct mail_tenant *t, size_t at)
{
    t->item_count--;
    memmove(&t->items[at], &t->items[at + 1], (t->item_count - at) * sizeof(t->items[0]));
}

/* Whether the alert was mailed as it is now, or worse. */
static bool mailed(const struct mail_tenant *t, const struct output_alert *a)
{
    for (size_t i = 0; i < t->memory_count; i++) {
        if (strcmp(t->memory[i].id, a->id) == 0 && t->memory[i].severity >= a->severity)
            return true;
    }
    return false;
}

static void add_to(struct mail_groups *g, struct mail_tenant *t, const struct alert_record *record,
                   const struct output_alert *a, int64_t now_ns)
{
    struct mail_item item;
    bool listed = false;
    item_fill(&item, record, a);
    for (size_t i = 0; i < t->item_count && !listed; i++) {
        if (strcmp(t->items[i].id, a->id) != 0)
            continue;
        listed = true;
        if (t->items[i].revision >= item.revision)
            return;
        unlist(t, i);
    }
    bool superseded = strcmp(a->state, "superseded") == 0;
    if (listed || (!mailed(t, a) && a->severity >= g->policy.minimum && !superseded)) {
        /* One that was listed keeps its place, also where it ended meanwhile. */
        list_item(t, &item);
        if (t->since_ns == CLOCK_NONE)
            t->since_ns = now_ns;
    } else if (mailed(t, a) || superseded) {
        t->updates++;
    } else if (record->revision == 1) {
        count_mild(g, t, a->kind, now_ns);
    }
}

int mail_groups_add(struct mail_groups *g, const struct alert_record *record, int64_t now_ns)
{
    struct mail_tenant *t = NULL;
    struct output_alert a;
    (void)output_alert_read(&a, record);
    int err = find_or_make(g, record->tenant, &t);
    if (err == 0) {
        if (a.tenant_name[0] != '\0')
            copy_cut(t->name, a.tenant_name, MAIL_NAME_BYTES_MAX);
        add_to(g, t, record, &a, now_ns);
    }
    output_alert_release(&a);
    return err;
}

/* Sending */

static size_t sent_within_hour(const struct mail_tenant *t, int64_t now_ns)
{
    size_t count = 0;
    for (size_t i = 0; i < t->sent_count; i++)
        count += t->sent_ns[i] <= now_ns && now_ns - t->sent_ns[i] < HOUR_NS;
    return count;
}

static enum mail_due due(const struct mail_policy *policy, const struct mail_tenant *t,
                         int64_t now_ns)
{
    if (t->not_before_ns != CLOCK_NONE && now_ns < t->not_before_ns)
        return MAIL_NONE;
    bool waited = t->since_ns != CLOCK_NONE &&
                  (now_ns - t->since_ns >= policy->window_ns || now_ns < t->since_ns);
    if (waited && sent_within_hour(t, now_ns) < policy->per_hour)
        return MAIL_ALERTS;
    if (t->kind_count != 0 && day_of(policy, now_ns) > t->summary_day)
        return MAIL_SUMMARY;
    return MAIL_NONE;
}

enum mail_due mail_groups_due(const struct mail_groups *g, int64_t now_ns, struct mail_tenant **out)
{
    for (size_t i = 0; i < g->count; i++) {
        enum mail_due what = due(&g->policy, g->tenants[i], now_ns);
        if (what != MAIL_NONE) {
            *out = g->tenants[i];
            return what;
        }
    }
    *out = NULL;
    return MAIL_NONE;
}

void mail_groups_sent(const struct mail_groups *g, struct mail_tenant *t, enum mail_due what,
                      int64_t now_ns)
{
    t->not_before_ns = CLOCK_NONE;
    t->refusals = 0;
    if (what == MAIL_SUMMARY) {
        t->kind_count = 0;
        t->summary_day = day_of(&g->policy, now_ns);
        return;
    }
    for (size_t i = 0; i < t->item_count; i++)
        remember(t, t->items[i].id, t->items[i].severity);
    t->item_count = 0;
    memset(t->more, 0, sizeof(t->more));
    t->updates = 0;
    t->since_ns = CLOCK_NONE;
    if (t->sent_count == MAIL_SENT_MAX) {
        memmove(t->sent_ns, t->sent_ns + 1, (MAIL_SENT_MAX - 1) * sizeof(t->sent_ns[0]));
        t->sent_count--;
    }
    t->sent_ns[t->sent_count++] = now_ns;
}

void mail_groups_refused(struct mail_tenant *t, int64_t now_ns)
{
    int64_t doublings = t->refusals < REFUSAL_DOUBLINGS_MAX ? t->refusals : REFUSAL_DOUBLINGS_MAX;
    t->refusals++;
    t->not_before_ns = now_ns + ((REFUSAL_SECONDS * CLOCK_NS_PER_SECOND) << doublings);
}
