#include "detect/detect.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pages.h"
#include "detect/correlation_fire.h"
#include "detect/coverage.h"
#include "detect/digest.h"
#include "detect/origin_read.h"
#include "detect/prefecture.h"
#include "detect/row_origin.h"
#include "detect/tenant_state.h"

enum {
    AHEAD_FAR = 8, /* flows: some hundred nanoseconds */
    AHEAD_NEAR = 4,
    GAP_BYTES_MIN = 4096, /* a page: shorter gaps are copied */
    SPAN_BYTES = 16,
    IMAGE_VERSION = 7,
    LAYOUT_SEED = 1, /* of a hash that nobody attacks */
};

#define SECOND       CLOCK_NS_PER_SECOND
#define FUTURE_NS    (10 * CLOCK_NS_PER_MINUTE) /* a time further ahead moves no watermark */
#define SECONDS_STEP (86400 * SECOND) /* a replay's longer silence of all sources is one gap */

static const struct detect_size SIZES[DETECT_CLASSES] = {
    [DETECT_SMALL] = {.hosts = 1024, .destinations = 4096, .pairs = 8192},
    [DETECT_MEDIUM] = {.hosts = 4096, .destinations = 16384, .pairs = 32768},
    [DETECT_LARGE] = {.hosts = 16384, .destinations = 65536, .pairs = 131072},
    [DETECT_PREFECTURE] = {.hosts = 64, .destinations = 64, .pairs = 64, .parties = 32768},
};

/* ------------------------------------------------------------------------- the block */

/* Where everything stands; without `s` it is only added up. Returns the bytes of the block. */
static size_t lay_out(struct tenant_state *s, enum detect_class class)
{
    const struct detect_size *size = &SIZES[class];
    size_t at = (sizeof(struct tenant_state) + 15) / 16 * 16;
    unsigned char *base = (void *)s;
    if (s != NULL)
        episode_init(&s->episodes, base + at, class);
    at += (episode_bytes(class) + 15) / 16 * 16;
    if (s != NULL)
        table_init(&s->contributed, base + at, size->destinations, sizeof(uint64_t));
    at += (table_bytes(size->destinations, sizeof(uint64_t)) + 15) / 16 * 16;
    if (s != NULL)
        origin_init(&s->origins, base + at, class);
    at += (origin_bytes(class) + 15) / 16 * 16;
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        const struct detector *d = DETECTORS[i];
        if (s != NULL) {
            s->detector_at[i] = at;
            if (d->init != NULL)
                d->init(base + at, size);
        }
        at += d->bytes == NULL ? 0 : (d->bytes(size) + 15) / 16 * 16;
    }
    return at;
}

/* What the bytes of a block mean: a snapshot of another program is not read. */
static uint64_t layout_of(enum detect_class class)
{
    struct buf text = {0};
    buf_byte(&text, IMAGE_VERSION);
    buf_put64(&text, sizeof(struct tenant_state));
    buf_put64(&text, sizeof(struct episode));
    buf_put64(&text, origin_bytes(class));
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        const struct detector *d = DETECTORS[i];
        buf_text(&text, d->id);
        buf_byte(&text, (char)d->version);
        buf_byte(&text, (char)d->text_count);
        buf_put64(&text, d->bytes == NULL ? 0 : d->bytes(&SIZES[class]));
    }
    buf_text(&text, SEKISHO_VERSION);
    uint64_t hash = hash_slice(LAYOUT_SEED, buf_content(&text));
    buf_release(&text);
    return hash;
}

static struct tenant_state *state_new(enum detect_class class)
{
    size_t bytes = lay_out(NULL, class);
    struct tenant_state *s = pages_alloc(bytes);
    if (s == NULL)
        return NULL;
    (void)lay_out(s, class);
    s->layout = layout_of(class);
    s->bytes = bytes;
    s->tick_ns = CLOCK_NONE;
    s->since_ns = CLOCK_NONE;
    s->watermark_ns = CLOCK_NONE;
    s->heard_ns = CLOCK_NONE;
    return s;
}

/* ------------------------------------------------------------------- a municipality */

static int shared_networks(struct detect_tenant *t)
{
    const struct detect_profile *p = t->o.profile;
    size_t bad = 0;
    if (p->shared_count == 0)
        return 0;
    struct zone_network *networks = calloc(p->shared_count, sizeof(*networks));
    if (networks == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < p->shared_count; i++)
        networks[i] = (struct zone_network){.network = p->shared[i], .match = {.zone = 1}};
    int status = zone_table_new(&t->shared_networks, networks, p->shared_count, &bad);
    free(networks);
    return status;
}

/* Counts for each filter of the rules, from nothing. */
static int hidden_new(struct detect_tenant *t)
{
    const struct rule_set *rules = t->o.shared->rules;
    size_t count = rules == NULL ? 0 : rules->filter_count;
    free(t->hidden);
    t->has_hidden = false;
    t->hidden = count == 0 ? NULL : calloc(count, sizeof(*t->hidden));
    return t->hidden == NULL && count != 0 ? ERR_NOMEM : 0;
}

int detect_tenant_new(struct detect_tenant **out, const struct detect_options *options)
{
    struct detect_tenant *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    t->o = *options;
    t->state = state_new(options->profile->size);
    int status = t->state == NULL ? ERR_NOMEM : shared_networks(t);
    if (status == 0)
        status = hidden_new(t);
    if (status == 0)
        status = correlation_run_new(&t->correlations, options->shared->rules,
                                     options->profile->size, options->shared->seed);
    if (status != 0) {
        detect_tenant_free(t);
        return status;
    }
    t->run.tenant = t;
    t->run.state = t->state;
    *out = t;
    return 0;
}

void detect_tenant_free(struct detect_tenant *t)
{
    if (t == NULL)
        return;
    desk_give(t->o.desks, t->desk);
    correlation_run_free(t->correlations);
    zone_table_free(t->shared_networks);
    buf_release(&t->line);
    buf_release(&t->signals);
    free(t->hidden);
    if (t->state != NULL)
        pages_free(t->state, t->state->bytes);
    free(t);
}

/*
 * What is known beside the detectors goes into a state of another class. Open episodes are not: their
 * last revision is the one that was released. What is held was not.
 */
static struct tenant_state *state_of_class(const struct tenant_state *from, enum detect_class class)
{
    struct tenant_state *s = state_new(class);
    if (s == NULL)
        return NULL;
    s->tick_ns = from->tick_ns;
    s->watermark_ns = from->watermark_ns;
    s->heard_ns = from->heard_ns;
    s->day = from->day;
    s->hour = from->hour;
    s->released_in_hour = from->released_in_hour;
    s->held_in_hour = from->held_in_hour;
    s->suppressed = from->suppressed;
    s->digest_count = from->digest_count;
    s->digest_more = from->digest_more;
    s->source_count = from->source_count;
    s->rows = from->rows;
    memcpy(s->spent, from->spent, sizeof(s->spent));
    memcpy(s->sources, from->sources, sizeof(s->sources));
    memcpy(s->format_names, from->format_names, sizeof(s->format_names));
    memcpy(s->suppressions, from->suppressions, sizeof(s->suppressions));
    memcpy(s->digest, from->digest, sizeof(s->digest));
    s->lags = from->lags;
    s->held = from->held;
    return s;
}

static int change_class(struct detect_tenant *t)
{
    if (t->state->layout == layout_of(t->o.profile->size))
        return 0;
    struct tenant_state *s = state_of_class(t->state, t->o.profile->size);
    if (s == NULL)
        return ERR_NOMEM;
    pages_free(t->state, t->state->bytes);
    t->state = s;
    t->run.state = s;
    return 0;
}

static int change_rules(struct detect_tenant *t)
{
    struct correlation_run *next = NULL;
    int status =
        correlation_run_new(&next, t->o.shared->rules, t->o.profile->size, t->o.shared->seed);
    if (status == 0)
        status = correlation_run_carry(next, t->correlations);
    if (status != 0) {
        correlation_run_free(next);
        return status;
    }
    correlation_run_free(t->correlations);
    t->correlations = next;
    return 0;
}

int detect_tenant_change(struct detect_tenant *t)
{
    assert(t->flow_count == 0);
    zone_table_free(t->shared_networks);
    t->shared_networks = NULL;
    int status = shared_networks(t);
    if (status == 0)
        status = hidden_new(t);
    if (status == 0)
        status = change_rules(t);
    return status == 0 ? change_class(t) : status;
}

/* ---------------------------------------------------------------------------- rows */

/* Where its rows stand from now on: evidence is a place in a topic. */
static void name_topic(struct source_state *source, struct slice topic)
{
    size_t len = topic.len < sizeof(source->topic) ? topic.len : sizeof(source->topic);
    memset(source->topic, 0, sizeof(source->topic));
    memcpy(source->topic, topic.data, len);
    source->topic_len = (uint16_t)len;
}

static uint8_t source_of(struct tenant_state *s, const struct batch *b)
{
    for (uint64_t i = 0; i < s->source_count; i++) {
        struct source_state *have = &s->sources[i];
        if (!slice_equal(b->source, slice_of(have->name, have->name_len)))
            continue;
        if (!slice_equal(b->topic, slice_of(have->topic, have->topic_len)))
            name_topic(have, b->topic);
        return (uint8_t)i;
    }
    if (s->source_count == DETECT_SOURCES_MAX)
        return DETECT_SOURCES_MAX - 1;
    struct source_state *new = &s->sources[s->source_count];
    size_t name = b->source.len < sizeof(new->name) ? b->source.len : sizeof(new->name);
    *new = (struct source_state){
        .newest_ns = CLOCK_NONE, .seen_tick_ns = s->tick_ns, .name_len = (uint16_t)name};
    memcpy(new->name, b->source.data, name);
    name_topic(new, b->topic);
    return (uint8_t)s->source_count++;
}

static void name_format(struct tenant_state *s, const struct batch *b)
{
    if (b->format >= TENANT_FORMATS_MAX || s->format_names[b->format][0] != '\0')
        return;
    char *to = s->format_names[b->format];
    memcpy(to, b->format_name.data,
           b->format_name.len < TENANT_FORMAT_BYTES_MAX ? b->format_name.len
                                                        : TENANT_FORMAT_BYTES_MAX);
}

struct format_habit detect_source_habit(const struct detect_tenant *t, struct slice source)
{
    const struct tenant_state *s = t->state;
    for (uint64_t i = 0; i < s->source_count; i++) {
        if (slice_equal(source, slice_of(s->sources[i].name, s->sources[i].name_len)))
            return s->sources[i].habit;
    }
    return (struct format_habit){0};
}

static int sit_down(struct detect_tenant *t)
{
    if (t->desk != NULL)
        return 0;
    t->desk = desk_take(t->o.desks);
    if (t->desk == NULL)
        return ERR_NOMEM;
    t->desk->reader.shared = t->o.shared;
    t->desk->reader.profile = t->o.profile;
    t->desk->reader.shared_networks = t->shared_networks;
    return 0;
}

int detect_add(struct detect_tenant *t, const struct batch *b, const uint32_t *order)
{
    size_t rows = t->flow_count;
    if (b->row_count == 0)
        return 0;
    if (order[b->row_count - 1] >= rows)
        rows = (size_t)order[b->row_count - 1] + 1;
    int status = rows > DETECT_ROWS_MAX ? ERR_RANGE : sit_down(t);
    if (status == 0)
        status = desk_room(t->desk, rows);
    if (status != 0)
        return status;
    t->flow_count = rows;
    name_format(t->state, b);
    status = flow_read(&t->desk->reader, b, order, source_of(t->state, b), t->desk->flows);
    if (status == 0 && t->shared_networks != NULL)
        origin_read(&t->desk->reader, b, order, t->desk->flows, t->desk->traces);
    if (status == 0)
        status = rule_hits_read(&t->desk->hits, t->o.shared->rules, b, order);
    if (status == 0 && t->desk->hits.hidden_count != 0) {
        rule_hits_hidden(&t->desk->hits, t->hidden);
        t->has_hidden = true;
    }
    return status;
}

int detect_tenant_hidden(struct detect_tenant *t,
                         int (*each)(void *self, const struct sigma_rule *rule,
                                     const struct sigma_rule *filter, uint64_t rows),
                         void *self)
{
    const struct rule_set *rules = t->o.shared->rules;
    int status = 0;
    for (uint32_t i = 0; t->has_hidden && i < rules->filter_count && status == 0; i++) {
        const struct rule_filter *f = &rules->filters[i];
        if (t->hidden[i] != 0)
            status =
                each(self, &rules->set.rules[f->rule], &rules->set.rules[f->filter], t->hidden[i]);
        t->hidden[i] = 0;
    }
    t->has_hidden = false;
    return status;
}

static void show(struct detect_run *run, const struct flow *flow)
{
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        const struct detector *d = DETECTORS[i];
        if (d->flow == NULL || (flow->flags & d->needs) != d->needs ||
            (flow->flags & d->avoids) != 0)
            continue;
        run->detector = d;
        run->index = i;
        d->flow(run, detector_state(run->state, i), flow);
    }
}

/* What the flow will look up is on its way from memory while flows before it are shown. */
static void look_ahead(struct detect_tenant *t, size_t at, bool near)
{
    if (at >= t->flow_count)
        return;
    const struct flow *flow = &t->desk->flows[at];
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        const struct detector *d = DETECTORS[i];
        if (d->ahead != NULL && (flow->flags & d->needs) == d->needs &&
            (flow->flags & d->avoids) == 0)
            d->ahead(detector_state(t->state, i), flow, near);
    }
}

static void tick(struct detect_tenant *t, int64_t tick_ns, unsigned flags);

/* Replay: the seconds up to this row's tick before it. */
static void tick_to(struct detect_tenant *t, int64_t time_ns)
{
    struct tenant_state *s = t->state;
    int64_t second = time_ns / SECOND * SECOND;
    if (s->tick_ns == CLOCK_NONE || second - s->tick_ns > SECONDS_STEP) {
        tick(t, second, s->tick_ns == CLOCK_NONE ? 0 : DETECT_TICK_GAP);
        return;
    }
    while (s->tick_ns < second)
        tick(t, s->tick_ns + SECOND, 0);
}

static void note_time(struct tenant_state *s, struct flow *f)
{
    struct source_state *source = &s->sources[f->log_source];
    if (s->since_ns == CLOCK_NONE)
        s->since_ns = f->time_ns;
    if (f->time_ns < s->watermark_ns)
        f->flags |= FLOW_LATE;
    if (f->time_ns > source->newest_ns &&
        (s->tick_ns == CLOCK_NONE || f->time_ns <= s->tick_ns + FUTURE_NS))
        source->newest_ns = f->time_ns;
    source->seen_tick_ns = s->tick_ns;
    if ((f->flags & FLOW_UNPARSED) == 0)
        format_habit_row(&source->habit, f->format);
    s->rows++;
}

/* The hits of a row, from `hit` on; returns where those of later rows begin. */
static size_t show_hits(struct detect_run *run, size_t place, size_t hit)
{
    const struct rule_hits *hits = &run->tenant->desk->hits;
    size_t end = hit;
    while (end < hits->count && hits->items[end].place == place)
        end++;
    run->hits = end == hit ? NULL : &hits->items[hit];
    run->hit_count = end - hit;
    return end;
}

static struct correlation_sink sink_of(struct detect_tenant *t)
{
    return (struct correlation_sink){
        .alert = correlation_fire, .signal = prefecture_tell, .self = &t->run};
}

/*
 * Tell the correlations of a row; returns where those of later rows begin. What they fire is of rows
 * of before, and not told of who is behind the row at hand.
 */
static size_t correlate_row(struct detect_tenant *t, size_t place, size_t at)
{
    const struct rule_hits *hits = &t->desk->hits;
    const struct flow *flow = &t->desk->flows[place];
    char text[VALUE_IP_TEXT_MAX + 1 + SLICE_PADDING_BYTES];
    struct buf host = {.data = text, .cap = VALUE_IP_TEXT_MAX, .limit = VALUE_IP_TEXT_MAX};
    if (at == hits->row_count || hits->rows[at].place != place)
        return at;
    const struct correlation_row row = {.rules = hits->rows[at].rules,
                                        .rule_count = hits->rows[at].rule_count,
                                        .values = hits->rows[at].values,
                                        .flow = flow};
    const struct correlation_sink sink = sink_of(t);
    const struct origin_trace *trace = t->run.trace;
    row_origin_name(&t->run, hits->rows[at].values, &host, flow);
    t->run.trace = NULL;
    if ((flow->flags & FLOW_EXCLUDED) == 0 && t->run.status == 0)
        t->run.status = correlation_run_add(t->correlations, &row, &sink);
    t->run.trace = trace;
    return at + 1;
}

int detect_run_rows(struct detect_tenant *t)
{
    struct detect_run *run = &t->run;
    size_t hit = 0;
    size_t row = 0;
    run->status = 0;
    if (t->flow_count != 0)
        rule_hits_sort(&t->desk->hits);
    for (size_t i = 0; i < t->flow_count && run->status == 0; i++) {
        struct flow *f = &t->desk->flows[i];
        hit = show_hits(run, i, hit);
        look_ahead(t, i + AHEAD_FAR, false);
        look_ahead(t, i + AHEAD_NEAR, true);
        row_origin_leave(run);
        if (t->o.rows_tick)
            tick_to(t, f->time_ns);
        note_time(t->state, f);
        row_origin_meet(run, f, t->shared_networks == NULL ? NULL : &t->desk->traces[i]);
        row = correlate_row(t, i, row);
        show(run, f);
    }
    t->flow_count = 0;
    run->hits = NULL;
    run->hit_count = 0;
    row_origin_leave(run);
    desk_give(t->o.desks, t->desk);
    t->desk = NULL;
    return run->status;
}

/* ---------------------------------------------------------------------------- ticks */

/* The minimum over sources that were heard of lately; never back. */
static void advance_watermark(struct detect_tenant *t)
{
    struct tenant_state *s = t->state;
    int64_t lateness = t->o.profile->lateness_ns;
    int64_t mark = INT64_MAX;
    for (uint64_t i = 0; i < s->source_count; i++) {
        const struct source_state *source = &s->sources[i];
        if (source->seen_tick_ns == CLOCK_NONE)
            s->sources[i].seen_tick_ns = s->tick_ns;
        if (source->newest_ns == CLOCK_NONE || s->tick_ns - source->seen_tick_ns > lateness)
            continue;
        if (source->newest_ns - lateness < mark)
            mark = source->newest_ns - lateness;
    }
    /* Nobody speaks: time passes all the same. */
    if (mark == INT64_MAX && s->source_count != 0)
        mark = s->tick_ns - 2 * lateness;
    if (mark != INT64_MAX && mark > s->watermark_ns)
        s->watermark_ns = mark;
}

static void expire_suppressions(struct tenant_state *s)
{
    for (size_t i = 0; i < TENANT_SUPPRESSIONS_MAX; i++) {
        if (s->suppressions[i].until_ns != 0 && s->suppressions[i].until_ns <= s->tick_ns)
            memset(&s->suppressions[i], 0, sizeof(s->suppressions[i]));
    }
}

/* What happens with the calendar: the day's digest and budget, the hour's cap. */
static void turn_calendar(struct detect_tenant *t)
{
    struct tenant_state *s = t->state;
    int64_t day = calendar_day(s->tick_ns);
    int64_t hour = s->tick_ns / (3600 * SECOND);
    if (day != s->day) {
        if (s->day != 0)
            digest_release(&t->run);
        memset(s->spent, 0, sizeof(s->spent));
        s->day = day;
    }
    if (hour != s->hour) {
        coverage_hour(&t->run);
        expire_suppressions(s);
        s->released_in_hour = 0;
        s->held_in_hour = 0;
        s->hour = hour;
    }
}

/* Rows that no earlier one can follow any more; at the end of the input all of them. */
static void correlate_until(struct detect_tenant *t, int64_t mark_ns, bool end)
{
    struct detect_run *run = &t->run;
    const struct correlation_sink sink = sink_of(t);
    if (run->status == 0 && end)
        run->status = correlation_run_until(t->correlations, INT64_MAX, &sink);
    if (run->status == 0)
        run->status =
            correlation_run_until(t->correlations, end ? t->state->tick_ns : mark_ns, &sink);
}

static void tick(struct detect_tenant *t, int64_t tick_ns, unsigned flags)
{
    struct detect_run *run = &t->run;
    struct tenant_state *s = t->state;
    bool first = s->tick_ns == CLOCK_NONE;
    if (!first && tick_ns - s->tick_ns > HELD_NS)
        held_delay(&s->held, tick_ns - s->tick_ns - SECOND);
    s->tick_ns = tick_ns;
    s->heard_ns = tick_ns > s->heard_ns ? tick_ns : s->heard_ns;
    s->told_in_tick = 0;
    run->tick_flags = flags | (first ? DETECT_TICK_GAP : 0U);
    advance_watermark(t);
    turn_calendar(t);
    correlate_until(t, s->watermark_ns, (flags & DETECT_TICK_END) != 0);
    coverage_tick(run);
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        const struct detector *d = DETECTORS[i];
        if (d->tick == NULL)
            continue;
        run->detector = d;
        run->index = i;
        d->tick(run, detector_state(s, i), tick_ns);
    }
    bool end = (flags & DETECT_TICK_END) != 0;
    held_release(run, end ? INT64_MAX : s->heard_ns);
    if (end)
        digest_release(run);
    episode_tick(run, tick_ns, s->watermark_ns, end);
    run->tick_flags = 0;
}

void detect_tenant_go_live(struct detect_tenant *t)
{
    t->o.rows_tick = false;
}

int detect_tick(struct detect_tenant *t, int64_t tick_ns, unsigned flags)
{
    struct tenant_state *s = t->state;
    assert(t->flow_count == 0);
    t->run.status = 0;
    if (t->o.rows_tick) {
        if (s->tick_ns != CLOCK_NONE)
            tick_to(t, tick_ns);
        if ((flags & DETECT_TICK_END) != 0 && s->tick_ns != CLOCK_NONE)
            tick(t, s->tick_ns, flags);
        return t->run.status;
    }
    if (tick_ns > s->tick_ns || (flags & DETECT_TICK_END) != 0)
        tick(t, tick_ns > s->tick_ns ? tick_ns : s->tick_ns, flags);
    return t->run.status;
}

/* ------------------------------------------------------------------- a copy of the state */

int64_t detect_tenant_watermark_ns(const struct detect_tenant *t)
{
    return t->state->watermark_ns;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = bytes_get64(a);
    uint64_t y = bytes_get64(b);
    return x < y ? -1 : x > y;
}

int detect_tenant_contribution(struct detect_tenant *t, struct buf *out)
{
    struct table *keys = &t->state->contributed;
    size_t before = out->len;
    size_t at = 0;
    void *entry = NULL;
    while ((entry = table_next(keys, &at)) != NULL) {
        uint64_t key = bytes_get64(entry);
        buf_put64(out, key);
        table_remove(keys, key);
    }
    if (!buf_ok(out))
        return ERR_NOMEM;
    if (out->len != before)
        qsort(out->data + before, (out->len - before) / sizeof(uint64_t), sizeof(uint64_t),
              compare_keys);
    return 0;
}

void detect_tenant_prevalence(struct detect_tenant *t, const struct prevalence_set *set)
{
    t->prevalence = set;
}

static void find_gaps(const struct detect_tenant *t, struct gaps *out)
{
    struct tenant_state *s = t->state;
    out->count = 0;
    held_gaps(&s->held, out);
    table_gap(&s->episodes.table, out);
    table_gap(&s->contributed, out);
    table_gap(&s->origins.ties, out);
    for (unsigned i = 0; DETECTORS[i] != NULL; i++) {
        if (DETECTORS[i]->gaps != NULL)
            DETECTORS[i]->gaps(detector_state(s, i), out);
    }
}

/*
 * layout, bytes of the state, number of spans; place and length of each; their bytes, one behind the
 * other. Everything outside of the spans is zero.
 */
int detect_tenant_image(const struct detect_tenant *t, struct buf *out)
{
    const char *base = (const void *)t->state;
    size_t bytes = t->state->bytes;
    struct gaps gaps;
    struct slice spans[GAPS_MAX + 1];
    size_t count = 0;
    size_t at = 0;
    assert(t->flow_count == 0);
    find_gaps(t, &gaps);
    for (size_t i = 0; i < gaps.count; i++) {
        size_t gap = (size_t)(gaps.items[i].data - base);
        assert(gap >= at && gaps.items[i].len <= bytes - gap);
        if (gaps.items[i].len < GAP_BYTES_MIN)
            continue;
        spans[count++] = slice_of(base + at, gap - at);
        at = gap + gaps.items[i].len;
    }
    spans[count++] = slice_of(base + at, bytes - at);
    buf_put64(out, t->state->layout);
    buf_put64(out, bytes);
    buf_put64(out, count);
    for (size_t i = 0; i < count; i++) {
        buf_put64(out, (uint64_t)(spans[i].data - base));
        buf_put64(out, spans[i].len);
    }
    for (size_t i = 0; i < count; i++)
        buf_slice(out, spans[i]);
    correlation_run_save(t->correlations, out);
    return buf_ok(out) ? 0 : ERR_NOMEM;
}

/*
 * Copy the spans of an image into a block of zeros; *rest is what stands behind them. False when they
 * are not of this state.
 */
static bool copy_spans(char *to, size_t bytes, struct slice image, struct slice *rest)
{
    if (image.len < 3 * sizeof(uint64_t) || bytes_get64(image.data + 8) != bytes)
        return false;
    uint64_t count = bytes_get64(image.data + 16);
    struct slice spans = slice_from_offset(image, 3 * sizeof(uint64_t));
    if (count > spans.len / SPAN_BYTES)
        return false;
    struct slice from = slice_from_offset(spans, (size_t)count * SPAN_BYTES);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = bytes_get64(spans.data + i * SPAN_BYTES);
        uint64_t len = bytes_get64(spans.data + i * SPAN_BYTES + 8);
        if (at > bytes || len > bytes - at || len > from.len)
            return false;
        memcpy(to + at, from.data, len);
        from = slice_from_offset(from, (size_t)len);
    }
    *rest = from;
    return true;
}

int detect_tenant_load(struct detect_tenant *t, struct slice bytes)
{
    size_t size = t->state->bytes;
    if (bytes.len < sizeof(uint64_t) || bytes_get64(bytes.data) != t->state->layout)
        return ERR_FORMAT;
    struct tenant_state *s = pages_alloc(size);
    if (s == NULL)
        return ERR_NOMEM;
    struct slice rest = {0};
    if (!copy_spans((void *)s, size, bytes, &rest) || s->layout != t->state->layout ||
        s->bytes != size) {
        pages_free(s, size);
        return ERR_FORMAT;
    }
    /* What another set of rules remembered is of no use to this one: its windows begin anew. */
    int status = correlation_run_load(t->correlations, &rest);
    if (status == ERR_NOMEM) {
        pages_free(s, size);
        return status;
    }
    pages_free(t->state, size);
    t->state = s;
    t->run.state = s;
    return 0;
}
