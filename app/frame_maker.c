#include "app/frame_maker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    FRAME_PARCELS_MAX = 8192,
    CHAIN_PARCELS_MAX = 512,                    /* sources of a municipality, more or less */
    FRAME_ENTRIES_FULL = FRAME_ENTRIES_MAX / 2, /* the last parcel brings no more than the rest */
    GROUP_PARCELS_MAX = 1024,
};

/* Small batches of one worker on their way into a blob, and whose they are. */
struct pack_group {
    struct pack pack;
    struct parcel *parcels[GROUP_PARCELS_MAX];
    size_t sizes[GROUP_PARCELS_MAX]; /* unpacked bytes of each */
    size_t parcel_count;
};

struct frame_maker {
    struct frame_maker_options o;
    struct codec *codec;
    struct buf packed; /* blobs made here for the frame at hand */
    struct buf turns;  /* its section ORDER */
    struct pack_group
        *groups;           /* one a worker: a tenant's batches keep the order they were made in */
    struct parcel **marks; /* by worker: it has answered; or NULL */
    size_t parcel_count;
    size_t entry_count;
    size_t bytes;
    int64_t first_ns;
    int64_t tick_ns; /* of the last frame */
    bool urgent;     /* a parcel brings an alert */
    bool envs_written;
    struct parcel *parcels[FRAME_PARCELS_MAX + CHAIN_PARCELS_MAX]; /* in order */
};

void frame_maker_clear(struct frame_maker *m)
{
    for (size_t i = 0; i < m->parcel_count; i++) {
        m->parcels[i]->next = NULL; /* each stands in the list itself */
        parcel_free(m->parcels[i]);
    }
    m->parcel_count = 0;
    m->entry_count = 0;
    m->bytes = 0;
    m->urgent = false;
}

bool frame_maker_marked(const struct frame_maker *m)
{
    for (unsigned w = 0; w < m->o.workers; w++) {
        if (m->marks[w] == NULL)
            return false;
    }
    return true;
}

/* The frame being made: slices of m->packed are offsets until all blobs are there. */
struct blob_list {
    struct slice *items;
    size_t count;
};

/* Make a blob of a group and tell its parcels what their part of it costs. */
static int group_seal(struct frame_maker *m, struct pack_group *g, struct blob_list *blobs)
{
    if (g->pack.count == 0)
        return 0;
    size_t whole = pack_bytes(&g->pack);
    size_t at = m->packed.len;
    int status = pack_seal(m->codec, &g->pack, &m->packed);
    if (status != 0)
        return status;
    size_t len = m->packed.len - at;
    for (size_t i = 0; i < g->parcel_count; i++)
        g->parcels[i]->stored_bytes += len * g->sizes[i] / whole;
    g->parcel_count = 0;
    blobs->items[blobs->count++] = (struct slice){.data = NULL, .len = len};
    return 0;
}

/*
 * Put a parcel's batches into the frame. A worker's batches keep their order: what waits in its
 * group goes before the parcel's own blobs.
 */
static int add_batches(struct frame_maker *m, struct parcel *p, struct blob_list *blobs)
{
    struct pack_group *g = &m->groups[p->worker];
    int status = 0;
    if (p->blob_count != 0)
        status = group_seal(m, g, blobs);
    for (size_t i = 0; i < p->blob_count; i++)
        blobs->items[blobs->count++] = p->blobs[i];
    if (status != 0 || p->pack.count == 0)
        return status;
    if (!pack_fits(&g->pack, &p->pack) || g->parcel_count == GROUP_PARCELS_MAX)
        status = group_seal(m, g, blobs);
    size_t size = pack_bytes(&p->pack);
    if (status == 0)
        status = pack_join(&g->pack, &p->pack);
    if (status != 0)
        return status;
    g->parcels[g->parcel_count] = p;
    g->sizes[g->parcel_count++] = size;
    return pack_bytes(&g->pack) >= CODEC_PACK_BYTES ? group_seal(m, g, blobs) : 0;
}

/* All batches of the frame as blobs, at most one more than parcels and their blobs together. */
static int make_blobs(struct frame_maker *m, struct blob_list *blobs)
{
    int status = 0;
    buf_reset(&m->packed);
    for (size_t i = 0; i < m->parcel_count && status == 0; i++) {
        m->parcels[i]->stored_bytes = m->parcels[i]->bytes.len;
        status = add_batches(m, m->parcels[i], blobs);
    }
    for (size_t i = 0; i < m->o.workers && status == 0; i++)
        status = group_seal(m, &m->groups[i], blobs);
    size_t at = 0;
    for (size_t i = 0; i < blobs->count; i++) {
        if (blobs->items[i].data != NULL)
            continue;
        blobs->items[i].data = m->packed.data + at;
        at += blobs->items[i].len;
    }
    return status;
}

/* Alerts of the parcels, then of the tick. */
static int add_alerts(struct frame_maker *m, struct arena *arena, struct frame_parts *parts)
{
    size_t count = 0;
    bool marked = frame_maker_marked(m);
    for (size_t i = 0; i < m->parcel_count; i++)
        count += m->parcels[i]->alert_count;
    for (unsigned w = 0; marked && w < m->o.workers; w++)
        count += m->marks[w]->alert_count;
    struct slice *items = arena_array(arena, count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t at = 0;
    for (size_t i = 0; i < m->parcel_count; i++)
        at += parcel_items(items + at, count - at, buf_content(&m->parcels[i]->alerts));
    for (unsigned w = 0; marked && w < m->o.workers; w++)
        at += parcel_items(items + at, count - at, buf_content(&m->marks[w]->alerts));
    parts->alerts = (struct frame_blobs){.items = items, .count = at};
    return 0;
}

/* Batches of a municipality in the parcels before the one at `index`. */
static uint32_t batches_before(const struct frame_maker *m, size_t index)
{
    uint32_t count = 0;
    for (size_t i = 0; i < index; i++) {
        if (m->parcels[i]->tenant == m->parcels[index]->tenant)
            count += m->parcels[i]->batch_count;
    }
    return count;
}

static int add_order(struct frame_maker *m, struct arena *arena, struct frame_parts *parts)
{
    struct slice *items = arena_array(arena, m->parcel_count + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t count = 0;
    buf_reset(&m->turns);
    for (size_t i = 0; i < m->parcel_count; i++) {
        if (m->parcels[i]->order.len == 0)
            continue;
        size_t at = m->turns.len;
        turns_move(&m->turns, buf_content(&m->parcels[i]->order), batches_before(m, i));
        items[count++].len = m->turns.len - at;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].data = m->turns.data + at;
        at += items[i].len;
    }
    parts->order = (struct frame_blobs){.items = items, .count = count};
    return buf_ok(&m->turns) ? 0 : ERR_NOMEM;
}

static int add_watermarks(struct frame_maker *m, struct arena *arena, struct frame_parts *parts)
{
    size_t bytes = 0;
    for (unsigned w = 0; w < m->o.workers; w++)
        bytes += m->marks[w]->watermarks.len;
    struct frame_watermark *marks = arena_array(arena, bytes / 12 + 1, sizeof(*marks));
    if (marks == NULL)
        return ERR_NOMEM;
    size_t count = 0;
    for (unsigned w = 0; w < m->o.workers; w++) {
        struct slice rest = buf_content(&m->marks[w]->watermarks);
        for (; rest.len >= 12; rest = slice_from_offset(rest, 12)) {
            marks[count++] = (struct frame_watermark){
                .tenant = bytes_get32(rest.data), .time_ns = (int64_t)bytes_get64(rest.data + 4)};
        }
    }
    parts->watermarks = marks;
    parts->watermark_count = count;
    return 0;
}

/* The day's snapshot of the prefecture, as a blob that this frame names. */
static int add_midnight(struct frame_maker *m, struct arena *arena, struct frame_parts *parts)
{
    struct buf all = {0};
    struct buf set = {0};
    for (unsigned w = 0; w < m->o.workers; w++)
        buf_slice(&all, buf_content(&m->marks[w]->contributions));
    struct frame_env *envs = arena_array(arena, parts->env_count + 1, sizeof(*envs));
    int status = envs == NULL || !buf_ok(&all) ? ERR_NOMEM : 0;
    if (status == 0)
        status = m->o.midnight(m->o.self, buf_content(&all), m->marks[0]->tick_ns, &set);
    if (status == 0 && set.len != 0) {
        for (size_t i = 0; i < parts->env_count; i++)
            envs[i] = parts->envs[i];
        status = store_env_put(m->o.store, &envs[parts->env_count], SLICE("prevalence"),
                               buf_content(&set));
        parts->envs = envs;
        parts->env_count++;
    }
    buf_release(&all);
    buf_release(&set);
    return status;
}

/* The hashes of the states that are kept with this frame. */
static int add_snapshots(struct frame_maker *m, struct arena *arena, struct frame_parts *parts)
{
    size_t count = 0;
    for (unsigned w = 0; w < m->o.workers; w++) {
        for (const struct snapshot *s = m->marks[w]->snapshots; s != NULL; s = s->next)
            count++;
    }
    struct slice *items = arena_array(arena, count + 1, sizeof(*items));
    char *bytes = arena_array(arena, count + 1, SNAPSHOT_HASH_ITEM_BYTES);
    if (items == NULL || bytes == NULL)
        return ERR_NOMEM;
    size_t at = 0;
    for (unsigned w = 0; w < m->o.workers; w++) {
        for (const struct snapshot *s = m->marks[w]->snapshots; s != NULL; s = s->next) {
            bytes_put32(bytes, s->tenant);
            memcpy(bytes + sizeof(uint32_t), s->hash, HASH_ID_BYTES);
            items[at++] = slice_of(bytes, SNAPSHOT_HASH_ITEM_BYTES);
            bytes += SNAPSHOT_HASH_ITEM_BYTES;
        }
    }
    parts->snapshots = (struct frame_blobs){.items = items, .count = count};
    return 0;
}

/* What municipalities told the prefecture of. */
static int add_signals(struct frame_maker *m, struct arena *arena, struct frame_parts *parts)
{
    size_t bytes = 0;
    for (unsigned w = 0; w < m->o.workers; w++)
        bytes += m->marks[w]->signals.len;
    size_t most = bytes / sizeof(uint32_t);
    struct slice *items = arena_array(arena, most + 1, sizeof(*items));
    if (items == NULL)
        return ERR_NOMEM;
    size_t count = 0;
    for (unsigned w = 0; w < m->o.workers; w++)
        count += parcel_items(items + count, most - count, buf_content(&m->marks[w]->signals));
    parts->signals = (struct frame_blobs){.items = items, .count = count};
    return 0;
}

/* What the tick brings, when all workers have answered. */
static int add_mark(struct frame_maker *m, struct slice controls, struct arena *arena,
                    struct frame_parts *parts)
{
    const struct parcel *mark = m->marks[0];
    parts->tick_ns = mark->tick_ns > m->tick_ns ? mark->tick_ns : m->tick_ns;
    parts->flags = mark->tick_flags;
    int status = add_watermarks(m, arena, parts);
    if (status == 0)
        status = add_snapshots(m, arena, parts);
    if (status == 0)
        status = add_signals(m, arena, parts);
    if (status == 0 && mark->day_ends && m->o.midnight != NULL)
        status = add_midnight(m, arena, parts);
    if (status == 0 && controls.len != 0) {
        struct slice *items = arena_array(arena, MARK_CONTROLS_MAX, sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        parts->controls = (struct frame_blobs){
            .items = items, .count = parcel_items(items, MARK_CONTROLS_MAX, controls)};
    }
    return status;
}

int frame_maker_parts(struct frame_maker *m, struct slice controls, struct arena *arena,
                      struct frame_parts *parts)
{
    size_t entries = 0;
    size_t blob_count = m->o.workers;
    for (size_t i = 0; i < m->parcel_count; i++) {
        entries += m->parcels[i]->entry_count;
        blob_count += m->parcels[i]->blob_count + 2;
    }
    struct frame_entry *entry = arena_array(arena, entries + 1, sizeof(*entry));
    struct blob_list blobs = {.items = arena_array(arena, blob_count, sizeof(*blobs.items))};
    if (entry == NULL || blobs.items == NULL || make_blobs(m, &blobs) != 0)
        return ERR_NOMEM;
    *parts = (struct frame_parts){.tick_ns = m->tick_ns,
                                  .entries = entry,
                                  .batches = blobs.items,
                                  .batch_count = blobs.count};
    for (size_t i = 0; i < m->parcel_count; i++) {
        const struct parcel *p = m->parcels[i];
        memcpy(entry + parts->entry_count, p->entries, p->entry_count * sizeof(*entry));
        parts->entry_count += p->entry_count;
    }
    if (!m->envs_written) {
        parts->envs = m->o.envs;
        parts->env_count = m->o.env_count;
    }
    int status = add_alerts(m, arena, parts);
    if (status == 0)
        status = add_order(m, arena, parts);
    if (status == 0 && frame_maker_marked(m))
        status = add_mark(m, controls, arena, parts);
    return status;
}

int frame_maker_new(struct frame_maker **out, const struct frame_maker_options *options)
{
    struct frame_maker *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return ERR_NOMEM;
    m->o = *options;
    m->tick_ns = store_last_tick_ns(options->store);
    if (m->tick_ns == INT64_MIN)
        m->tick_ns = options->ticked_ns;
    m->marks = calloc(options->workers, sizeof(struct parcel *));
    m->groups = calloc(options->workers, sizeof(*m->groups));
    m->codec = codec_new(options->zstd_level);
    if (m->marks == NULL || m->groups == NULL || m->codec == NULL) {
        frame_maker_free(m);
        return ERR_NOMEM;
    }
    *out = m;
    return 0;
}

void frame_maker_free(struct frame_maker *m)
{
    if (m == NULL)
        return;
    frame_maker_clear(m);
    if (m->marks != NULL)
        frame_maker_end_mark(m);
    for (size_t i = 0; m->groups != NULL && i < m->o.workers; i++)
        pack_release(&m->groups[i].pack);
    free(m->marks);
    free(m->groups);
    buf_release(&m->packed);
    buf_release(&m->turns);
    codec_free(m->codec);
    free(m);
}

bool frame_maker_full(const struct frame_maker *m)
{
    return m->bytes >= m->o.frame_bytes || m->parcel_count >= FRAME_PARCELS_MAX ||
           m->entry_count >= FRAME_ENTRIES_FULL;
}

bool frame_maker_empty(const struct frame_maker *m)
{
    return m->parcel_count == 0;
}

bool frame_maker_due(const struct frame_maker *m, int64_t age_ns)
{
    if (frame_maker_marked(m))
        return true;
    return m->parcel_count != 0 &&
           (m->urgent || frame_maker_full(m) || clock_monotonic_ns() - m->first_ns >= age_ns);
}

bool frame_maker_takes(const struct frame_maker *m, unsigned worker)
{
    return m->marks[worker] == NULL && !frame_maker_full(m);
}

/* A chain stays together, whatever its length. */
static void take_chain(struct frame_maker *m, unsigned worker, struct parcel *chain)
{
    assert(chain != NULL);
    if (m->parcel_count == 0)
        m->first_ns = clock_monotonic_ns();
    for (struct parcel *p = chain; p != NULL; p = p->next) {
        assert(m->parcel_count < FRAME_PARCELS_MAX + CHAIN_PARCELS_MAX);
        p->worker = worker;
        m->parcels[m->parcel_count++] = p;
        m->entry_count += p->entry_count;
        m->bytes += p->bytes.len + pack_bytes(&p->pack) / 4;
    }
    m->urgent |= chain->alert_count != 0;
}

void frame_maker_take(struct frame_maker *m, unsigned worker, struct parcel *p)
{
    if (p->mark)
        m->marks[worker] = p;
    else
        take_chain(m, worker, p);
}

size_t frame_maker_parcels(const struct frame_maker *m, struct parcel *const **out)
{
    *out = m->parcels;
    return m->parcel_count;
}

struct parcel *const *frame_maker_marks(const struct frame_maker *m)
{
    return frame_maker_marked(m) ? m->marks : NULL;
}

int64_t frame_maker_tick_ns(const struct frame_maker *m)
{
    return m->tick_ns;
}

void frame_maker_written(struct frame_maker *m, const struct frame_parts *parts)
{
    m->envs_written = true;
    m->tick_ns = parts->tick_ns;
}

void frame_maker_end_mark(struct frame_maker *m)
{
    for (unsigned w = 0; w < m->o.workers; w++) {
        parcel_free(m->marks[w]);
        m->marks[w] = NULL;
    }
}
