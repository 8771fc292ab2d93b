#include "detect/detect.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pages.h"
#include "detect/coverage.h"
#include "detect/digest.h"
#include "detect/tenant_state.h"

enum {
    FLOWS_FIRST = 4096,
    IMAGE_STEP_BYTES = 4096, /* a page */
    LAYOUT_SEED = 1,         /* of a hash that nobody attacks */
};

#define SECOND       CLOCK_NS_PER_SECOND
#define FUTURE_NS    (10 * CLOCK_NS_PER_MINUTE) /* a time further ahead moves no watermark */
#define SECONDS_STEP (86400 * SECOND) /* a replay's longer silence of all sources is one gap */

static const struct detect_size SIZES[DETECT_CLASSES] = {
    [DETECT_SMALL] = {.hosts = 1024, .destinations = 4096, .pairs = 8192},
    [DETECT_MEDIUM] = {.hosts = 4096, .destinations = 16384, .pairs = 32768},
    [DETECT_LARGE] = {.hosts = 16384, .destinations = 65536, .pairs = 131072},
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
    buf_put64(&text, sizeof(struct tenant_state));
    buf_put64(&text, sizeof(struct episode));
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

int detect_tenant_new(struct detect_tenant **out, const struct detect_options *options)
{
    struct detect_tenant *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    t->o = *options;
    t->state = state_new(options->profile->size);
    int status = t->state == NULL ? ERR_NOMEM : shared_networks(t);
    if (status != 0) {
        detect_tenant_free(t);
        return status;
    }
    t->reader.shared = options->shared;
    t->reader.profile = options->profile;
    t->reader.shared_networks = t->shared_networks;
    t->run.tenant = t;
    t->run.state = t->state;
    *out = t;
    return 0;
}

void detect_tenant_free(struct detect_tenant *t)
{
    if (t == NULL)
        return;
    flow_reader_release(&t->reader);
    zone_table_free(t->shared_networks);
    buf_release(&t->line);
    free(t->flows);
    if (t->state != NULL)
        pages_free(t->state, t->state->bytes);
    free(t);
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

static int make_room(struct detect_tenant *t, size_t rows)
{
    if (rows > DETECT_ROWS_MAX)
        return ERR_RANGE;
    if (rows <= t->flow_cap)
        return 0;
    size_t cap = t->flow_cap == 0 ? FLOWS_FIRST : t->flow_cap;
    while (cap < rows)
        cap *= 2;
    struct flow *flows = realloc(t->flows, cap * sizeof(*flows));
    if (flows == NULL)
        return ERR_NOMEM;
    t->flows = flows;
    t->flow_cap = cap;
    return 0;
}

int detect_add(struct detect_tenant *t, const struct batch *b, const uint32_t *order)
{
    size_t rows = t->flow_count;
    if (b->row_count == 0)
        return 0;
    if (order[b->row_count - 1] >= rows)
        rows = (size_t)order[b->row_count - 1] + 1;
    int status = make_room(t, rows);
    if (status != 0)
        return status;
    t->flow_count = rows;
    return flow_read(&t->reader, b, order, source_of(t->state, b), t->flows);
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
    s->rows++;
}

int detect_run_rows(struct detect_tenant *t)
{
    struct detect_run *run = &t->run;
    run->status = 0;
    for (size_t i = 0; i < t->flow_count && run->status == 0; i++) {
        struct flow *f = &t->flows[i];
        if (t->o.rows_tick)
            tick_to(t, f->time_ns);
        note_time(t->state, f);
        show(run, f);
    }
    t->flow_count = 0;
    flow_texts_reset(&t->reader.texts);
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

static void tick(struct detect_tenant *t, int64_t tick_ns, unsigned flags)
{
    struct detect_run *run = &t->run;
    struct tenant_state *s = t->state;
    bool first = s->tick_ns == CLOCK_NONE;
    s->tick_ns = tick_ns;
    run->tick_flags = flags | (first ? DETECT_TICK_GAP : 0U);
    advance_watermark(t);
    turn_calendar(t);
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

struct slice detect_tenant_image(const struct detect_tenant *t)
{
    assert(t->flow_count == 0);
    return slice_of((const void *)t->state, t->state->bytes);
}

/*
 * Much of a state is untouched zeros: where both sides have them nothing is written, so that the
 * pages of a new state that nobody needed stay the kernel's.
 */
static void copy_image(unsigned char *to, struct slice image)
{
    static const unsigned char ZEROS[IMAGE_STEP_BYTES];
    for (size_t at = 0; at < image.len; at += IMAGE_STEP_BYTES) {
        size_t len = image.len - at < IMAGE_STEP_BYTES ? image.len - at : IMAGE_STEP_BYTES;
        if (memcmp(image.data + at, ZEROS, len) != 0 || memcmp(to + at, ZEROS, len) != 0)
            memcpy(to + at, image.data + at, len);
    }
}

int detect_tenant_load(struct detect_tenant *t, struct slice bytes)
{
    uint64_t layout = 0;
    if (bytes.len != t->state->bytes)
        return ERR_FORMAT;
    memcpy(&layout, bytes.data, sizeof(layout));
    if (layout != t->state->layout)
        return ERR_FORMAT;
    copy_image((void *)t->state, bytes);
    return 0;
}
