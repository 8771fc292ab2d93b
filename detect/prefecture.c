/*
 * What municipalities tell the prefecture of: the calls detect_tenant_signals() and
 * detect_prefecture_take() of detect/detect.h.
 *
 *   correlation_run of a municipality --prefecture_tell()--> its signals
 *   tick: detect_tenant_signals() --item--> log --> detect_prefecture_take() --> correlation_run
 *
 * docs/format.md has the byte table of an item. Rules stand in it by the keys of their ids and fields
 * by their names, so that an item outlives the set that it was made under.
 */
#include "detect/prefecture.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/err.h"
#include "detect/correlation_fire.h"
#include "detect/detectors.h"
#include "detect/parties.h"

enum {
    SIGNALS_PER_TICK = 1024, /* of a municipality: none of them fills the prefecture's memory */
    SIGNALS_BYTES_MAX = 64 << 20,
    VALUE_BYTES_MAX = 1024, /* a longer value is cut */
};

/* ------------------------------------------------------------------- a municipality */

int prefecture_tell(void *self, const struct correlation_row *row, int64_t time_ns)
{
    const struct detect_run *run = self;
    struct detect_tenant *t = run->tenant;
    const struct rule_set *rules = t->o.shared->rules;
    struct buf *out = &t->signals;
    if (run->state->told_in_tick == SIGNALS_PER_TICK || out->len > SIGNALS_BYTES_MAX) {
        t->signals_lost++;
        return 0;
    }
    run->state->told_in_tick++;
    t->signal_count++;
    buf_put64(out, (uint64_t)time_ns);
    buf_put64(out, (uint64_t)row->flow->arrival_ns);
    buf_put16(out, row->flow->log_source);
    buf_put16(out, row->flow->important);
    buf_put32(out, (uint32_t)row->flow->partition);
    buf_put64(out, (uint64_t)row->flow->offset);
    buf_put32(out, row->flow->sub);
    buf_put32(out, row->rule_count);
    for (uint32_t i = 0; i < row->rule_count; i++)
        buf_put64(out, rules->entries[row->rules[i]].key);
    for (uint32_t i = 0; i < rules->fields.count; i++) {
        struct slice value = row->values[i];
        size_t len = value.len < VALUE_BYTES_MAX ? value.len : VALUE_BYTES_MAX;
        buf_put16(out, value.data == NULL ? UINT16_MAX : (uint16_t)len);
        buf_slice(out, slice_of(value.data, value.data == NULL ? 0 : len));
    }
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

static void put_name(struct buf *out, struct slice name)
{
    buf_put16(out, (uint16_t)name.len);
    buf_slice(out, name);
}

int detect_tenant_signals(struct detect_tenant *t, struct buf *out)
{
    const struct tenant_state *s = t->state;
    const struct rule_set *rules = t->o.shared->rules;
    size_t at = out->len;
    if (t->signal_count == 0 && t->signals_lost == 0)
        return 0;
    buf_put32(out, 0);
    buf_put32(out, t->o.profile->tenant);
    buf_put64(out, t->signals_lost);
    buf_put16(out, (uint16_t)s->source_count);
    for (uint64_t i = 0; i < s->source_count; i++)
        put_name(out, slice_of(s->sources[i].topic, s->sources[i].topic_len));
    buf_put16(out, (uint16_t)rules->fields.count);
    for (uint32_t i = 0; i < rules->fields.count; i++)
        put_name(out, rules->fields.items[i].name);
    buf_put32(out, t->signal_count);
    buf_slice(out, buf_content(&t->signals));
    buf_reset(&t->signals);
    t->signal_count = 0;
    t->signals_lost = 0;
    if (!buf_ok(out))
        return ERR_NOMEM;
    bytes_put32(out->data + at, (uint32_t)(out->len - at - sizeof(uint32_t)));
    return 0;
}

/* ------------------------------------------------------------------- the prefecture */

/* One municipality's item, opened. */
struct item {
    struct cursor at; /* the next signal */
    uint32_t tenant;
    uint32_t left;    /* signals behind `at` */
    uint16_t *topics; /* of its list -> parties_topic() */
    uint32_t *fields; /* of its list -> field of the set; UINT32_MAX: of none */
    uint16_t topic_count;
    uint16_t field_count;
    struct flow flow; /* of the signal at hand */
    uint32_t *rules;
    uint32_t rule_count;
    struct slice *values;
};

static uint32_t field_index(const struct rule_set *rules, struct slice name)
{
    for (uint32_t i = 0; i < rules->fields.count; i++) {
        if (slice_equal(rules->fields.items[i].name, name))
            return i;
    }
    return UINT32_MAX;
}

static int item_open(struct item *it, struct detect_tenant *t, struct arena *arena)
{
    const struct rule_set *rules = t->o.shared->rules;
    struct parties *parties = correlation_parties(t->state);
    struct cursor *c = &it->at;
    it->tenant = cursor_take32(c);
    parties->lost += cursor_take64(c);
    it->topic_count = cursor_take16(c);
    it->topics = arena_array(arena, it->topic_count + 1U, sizeof(*it->topics));
    for (uint16_t i = 0; it->topics != NULL && i < it->topic_count && !c->failed; i++) {
        struct slice name = cursor_take(c, cursor_take16(c));
        it->topics[i] = c->failed ? PARTY_TOPIC_NONE : parties_topic(parties, it->tenant, name);
    }
    it->field_count = cursor_take16(c);
    it->fields = arena_array(arena, it->field_count + 1U, sizeof(*it->fields));
    for (uint16_t i = 0; it->fields != NULL && i < it->field_count && !c->failed; i++)
        it->fields[i] = field_index(rules, cursor_take(c, cursor_take16(c)));
    it->left = cursor_take32(c);
    it->values = arena_array(arena, rules->fields.count + 1U, sizeof(*it->values));
    it->rules = arena_array(arena, rules->set.rule_count + 1U, sizeof(*it->rules));
    if (it->topics == NULL || it->fields == NULL || it->values == NULL || it->rules == NULL)
        return ERR_NOMEM;
    return c->failed ? ERR_FORMAT : 0;
}

static void take_rules(struct item *it, const struct rule_set *rules)
{
    uint32_t count = cursor_take32(&it->at);
    it->rule_count = 0;
    for (uint32_t i = 0; i < count && !it->at.failed; i++) {
        const struct rule_entry *entry = rule_set_find(rules, cursor_take64(&it->at));
        if (entry != NULL && it->rule_count < rules->set.rule_count)
            it->rules[it->rule_count++] = (uint32_t)(entry - rules->entries);
    }
}

/* The next signal of the item; ERR_NOTFOUND behind the last. */
static int item_next(struct item *it, const struct rule_set *rules)
{
    struct cursor *c = &it->at;
    if (it->left == 0)
        return ERR_NOTFOUND;
    it->left--;
    it->flow = (struct flow){.time_ns = (int64_t)cursor_take64(c)};
    it->flow.arrival_ns = (int64_t)cursor_take64(c);
    uint16_t topic = cursor_take16(c);
    it->flow.log_source = topic < it->topic_count ? it->topics[topic] : PARTY_TOPIC_NONE;
    it->flow.important = (uint8_t)cursor_take16(c);
    it->flow.partition = (int32_t)cursor_take32(c);
    it->flow.offset = (int64_t)cursor_take64(c);
    it->flow.sub = cursor_take32(c);
    take_rules(it, rules);
    for (uint32_t i = 0; i < rules->fields.count; i++)
        it->values[i] = (struct slice){0};
    for (uint16_t i = 0; i < it->field_count; i++) {
        uint16_t len = cursor_take16(c);
        struct slice value = cursor_take(c, len == UINT16_MAX ? 0 : len);
        if (len != UINT16_MAX && it->fields[i] != UINT32_MAX)
            it->values[it->fields[i]] = slice_of(len == 0 ? "" : value.data, value.len);
    }
    return c->failed ? ERR_FORMAT : 0;
}

/* All signals of an item. Those of one time keep the order of the items: ascending codes. */
static int item_take(struct item *it, struct detect_tenant *t, const struct correlation_sink *sink)
{
    const struct rule_set *rules = t->o.shared->rules;
    int err = 0;
    while (err == 0 && (err = item_next(it, rules)) == 0) {
        const struct correlation_row row = {.rules = it->rules,
                                            .rule_count = it->rule_count,
                                            .values = it->values,
                                            .flow = &it->flow};
        if (it->flow.log_source != PARTY_TOPIC_NONE)
            err = correlation_run_add(t->correlations, &row, sink);
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static int by_tenant(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    return (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

int detect_prefecture_take(struct detect_tenant *t, const struct slice *items, size_t count,
                           int64_t watermark_ns)
{
    struct arena arena = {0};
    struct item *opened = calloc(count + 1, sizeof(*opened));
    const struct correlation_sink sink = {.alert = correlation_fire, .self = &t->run};
    int err = opened == NULL ? ERR_NOMEM : 0;
    t->run.status = 0;
    for (size_t i = 0; i < count; i++) {
        /* The order in which topics are first seen must not depend on that of the items. */
        if (err == 0 && items[i].len >= sizeof(uint32_t))
            opened[i] =
                (struct item){.at = {.rest = items[i]}, .tenant = bytes_get32(items[i].data)};
    }
    if (err == 0 && count > 1)
        qsort(opened, count, sizeof(*opened), by_tenant);
    for (size_t i = 0; i < count && err == 0 && t->correlations != NULL; i++) {
        err = item_open(&opened[i], t, &arena);
        if (err == 0)
            err = item_take(&opened[i], t, &sink);
    }
    if (watermark_ns != CLOCK_NONE && watermark_ns > t->state->watermark_ns)
        t->state->watermark_ns = watermark_ns;
    free(opened);
    arena_release(&arena);
    return err;
}
