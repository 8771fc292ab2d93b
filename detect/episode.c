#include "detect/episode.h"

#include <assert.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "detect/alert_line.h"
#include "detect/rule_set.h"

enum {
    FIRST_PLACES = ALERT_EVIDENCE_MAX / 2, /* that stay; the others make room for stronger ones */
    ITEM_HEADER_BYTES = 4,                 /* flags, name length, u16 value length */
    ITEM_KEY = 0x80,
};

static const uint32_t EPISODES[DETECT_CLASSES] = {128, 256, 1024, 4096};
static_assert(sizeof(struct episode) % 8 == 0, "entries of a table");

size_t episode_bytes(enum detect_class size)
{
    return table_bytes(EPISODES[size], sizeof(struct episode));
}

void episode_init(struct episode_set *set, void *memory, enum detect_class size)
{
    table_init(&set->table, memory, EPISODES[size], sizeof(struct episode));
    set->due_tick_ns = INT64_MAX;
    set->due_mark_ns = INT64_MAX;
}

/* ------------------------------------------------------------------------------ items */

bool episode_next_item(struct episode_item *out, const struct episode *e, size_t *at)
{
    if (*at + ITEM_HEADER_BYTES > e->item_bytes)
        return false;
    const char *item = e->items + *at;
    unsigned flags = (unsigned char)item[0];
    size_t name_len = (unsigned char)item[1];
    size_t len = (size_t)(unsigned char)item[2] | (size_t)(unsigned char)item[3] << 8;
    *out = (struct episode_item){.name = slice_of(item + ITEM_HEADER_BYTES, name_len),
                                 .value = slice_of(item + ITEM_HEADER_BYTES + name_len, len),
                                 .key = (flags & ITEM_KEY) != 0,
                                 .kind = (uint8_t)(flags & ~(unsigned)ITEM_KEY)};
    *at += ITEM_HEADER_BYTES + name_len + len;
    return true;
}

static void put_item(struct episode *e, const struct finding *f, const struct finding_item *item)
{
    size_t name_len = strlen(item->name);
    size_t need = ITEM_HEADER_BYTES + name_len + item->len;
    assert(name_len <= UINT8_MAX);
    if (e->item_bytes + need > sizeof(e->items)) {
        e->cut++;
        return;
    }
    char *at = e->items + e->item_bytes;
    at[0] = (char)(item->kind | (item->key ? ITEM_KEY : 0));
    at[1] = (char)name_len;
    at[2] = (char)(item->len & 0xFF);
    at[3] = (char)(item->len >> 8);
    memcpy(at + ITEM_HEADER_BYTES, item->name, name_len);
    memcpy(at + ITEM_HEADER_BYTES + name_len, f->values + item->at, item->len);
    e->item_bytes = (uint16_t)(e->item_bytes + need);
}

static void put_items(struct episode *e, const struct finding *f)
{
    memset(e->items, 0, sizeof(e->items));
    e->item_bytes = 0;
    e->cut = f->cut;
    for (int keys = 1; keys >= 0; keys--) {
        for (uint8_t i = 0; i < f->item_count; i++) {
            if (f->items[i].key == (keys == 1))
                put_item(e, f, &f->items[i]);
        }
    }
}

/* ------------------------------------------------------------------------------ identity */

static void put_group(struct buf *out, const struct detect_run *run, const struct finding *f)
{
    const struct detector *d = run->detector;
    buf_put32(out, f->tenant != 0 ? f->tenant : run->tenant->o.profile->tenant);
    buf_text(out, d->id);
    buf_byte(out, '\0');
    buf_byte(out, (char)d->version);
    buf_text(out, f->rule == NULL ? d->texts[f->text].name : f->rule->id);
    buf_byte(out, '\0');
    for (uint8_t i = 0; i < f->item_count; i++) {
        if (!f->items[i].key)
            continue;
        buf_text(out, f->items[i].name);
        buf_byte(out, '\0');
        buf_append(out, f->values + f->items[i].at, f->items[i].len);
        buf_byte(out, '\0');
    }
}

uint64_t episode_key(struct detect_run *run, const struct finding *f)
{
    struct buf *group = &run->tenant->line;
    buf_reset(group);
    put_group(group, run, f);
    return hash_slice(run->tenant->o.shared->seed, buf_content(group)) | 3;
}

/* The second episode of a key has the key without its lowest bit. */
static uint64_t second_key(uint64_t key)
{
    return key & ~UINT64_C(1);
}

static struct episode_place place_of(const struct detect_run *run, const struct finding *f)
{
    if (f->flow == NULL)
        return (struct episode_place){.offset = run->state->tick_ns,
                                      .log_source = EPISODE_PLACE_NONE};
    return (struct episode_place){.offset = f->flow->offset,
                                  .partition = f->flow->partition,
                                  .sub = f->flow->sub,
                                  .log_source = f->flow->log_source};
}

static void identify(struct detect_run *run, const struct finding *f, struct episode *e)
{
    struct buf *group = &run->tenant->line;
    const struct episode_place *p = &e->places[0];
    buf_reset(group);
    put_group(group, run, f);
    if (p->log_source == EPISODE_PLACE_NONE) {
        /* One tick may see several windows of a key end. */
        buf_put64(group, (uint64_t)p->offset);
        buf_put64(group, (uint64_t)f->time_ns);
    } else {
        buf_slice(group, detect_topic(run, p->log_source));
        buf_put32(group, (uint32_t)p->partition);
        buf_put64(group, (uint64_t)p->offset);
        buf_put32(group, p->sub);
    }
    hash_id(e->id.bytes, buf_content(group));
}

/* ------------------------------------------------------------------------------ release */

static void release(struct detect_run *run, struct episode *e, const struct alert_line *how)
{
    struct detect_tenant *t = run->tenant;
    e->dirty = 0;
    e->released_tick_ns = run->state->tick_ns;
    if (e->silent != EPISODE_HEARD)
        return;
    e->revision++;
    buf_reset(&t->line);
    alert_line_print(&t->line, run, e, how);
    if (!buf_ok(&t->line)) {
        run->status = run->status != 0 ? run->status : ERR_NOMEM;
        return;
    }
    const struct episode_place *p = &e->places[0];
    bool by_tick = p->log_source == EPISODE_PLACE_NONE;
    struct detect_alert alert = {
        .record = {.tenant = e->tenant != 0 ? e->tenant : t->o.profile->tenant,
                   .revision = e->revision,
                   .id = e->id,
                   .line = buf_content(&t->line)},
        .tick_ns = run->state->tick_ns,
        .partition = by_tick ? -1 : p->partition,
        .offset = by_tick ? 0 : p->offset,
        .sub = by_tick ? 0 : p->sub};
    int status = t->o.alert(t->o.self, &alert);
    run->status = run->status != 0 ? run->status : status;
}

static void amend(struct detect_run *run, struct episode *e)
{
    struct alert_line how = {.state = ALERT_AMENDED};
    if (e->dirty != 0)
        release(run, e, &how);
}

void episode_close(struct detect_run *run, struct episode *e, enum alert_state state,
                   struct slice reason)
{
    struct alert_line how = {.state = state, .reason = reason};
    release(run, e, &how);
    table_remove(&run->state->episodes.table, e->key);
}

/* ------------------------------------------------------------------------------ joining */

static bool covers(const struct episode *e, int64_t time_ns)
{
    return time_ns >= e->first_ns - e->window_ns && time_ns <= e->last_ns + e->window_ns;
}

/* The one of a key's episodes that a time belongs to, or NULL. */
static struct episode *covering(struct episode *a, struct episode *b, int64_t time_ns)
{
    if (a != NULL && covers(a, time_ns))
        return a;
    return b != NULL && covers(b, time_ns) ? b : NULL;
}

static void add_place(struct episode *e, struct episode_place place)
{
    if (e->place_count < ALERT_EVIDENCE_MAX)
        e->places[e->place_count++] = place;
    else
        e->places[FIRST_PLACES + (e->count % (ALERT_EVIDENCE_MAX - FIRST_PLACES))] = place;
}

static uint8_t severity_of(const struct detect_run *run, const struct finding *f)
{
    const struct detector_text *text =
        f->rule == NULL ? &run->detector->texts[f->text] : &f->rule->text;
    int severity = (int)text->severity + f->severity_step;
    if (f->flow != NULL && severity > ALERT_INFORMATIONAL)
        severity += f->flow->important;
    if (severity < ALERT_INFORMATIONAL)
        severity = ALERT_INFORMATIONAL;
    return (uint8_t)(severity > ALERT_CRITICAL ? ALERT_CRITICAL : severity);
}

static void note_due(struct detect_run *run, const struct episode *e)
{
    struct episode_set *set = &run->state->episodes;
    if (e->dirty != 0 && e->released_tick_ns + EPISODE_AMEND_NS < set->due_tick_ns)
        set->due_tick_ns = e->released_tick_ns + EPISODE_AMEND_NS;
    if (e->last_ns + e->window_ns < set->due_mark_ns)
        set->due_mark_ns = e->last_ns + e->window_ns;
}

static void join(struct detect_run *run, struct episode *e, const struct finding *f)
{
    uint8_t severity = severity_of(run, f);
    e->count++;
    e->dirty = 1;
    if (f->time_ns < e->first_ns)
        e->first_ns = f->time_ns;
    if (f->time_ns > e->last_ns)
        e->last_ns = f->time_ns;
    if (f->window_ns > e->window_ns)
        e->window_ns = f->window_ns;
    if (severity > e->severity)
        e->severity = severity;
    if (f->flow != NULL)
        add_place(e, place_of(run, f));
    if (f->tail <= e->tail) {
        e->tail = f->tail;
        put_items(e, f);
    }
    note_due(run, e);
}

static void open_episode(struct detect_run *run, uint64_t key, const struct finding *f)
{
    struct episode_set *set = &run->state->episodes;
    struct episode evicted;
    bool fresh = false;
    struct episode *e = table_take(&set->table, key, &fresh, &evicted);
    if (evicted.key != 0)
        amend(run, &evicted);
    e->first_ns = f->time_ns;
    e->last_ns = f->time_ns;
    e->arrival_ns = f->flow == NULL ? run->state->tick_ns : f->flow->arrival_ns;
    e->window_ns = f->window_ns;
    e->tick_ns = run->state->tick_ns;
    e->count = 1;
    e->tail = f->tail;
    e->detector = (uint8_t)run->index;
    e->text = f->text;
    e->tenant = f->tenant;
    e->rule = f->rule == NULL ? 0 : f->rule->key;
    e->severity = severity_of(run, f);
    e->silent = (uint8_t)detect_withheld(run, f, e->severity);
    e->places[0] = place_of(run, f);
    e->place_count = 1;
    put_items(e, f);
    identify(run, f, e);
    struct alert_line how = {.state = ALERT_OPEN};
    release(run, e, &how);
    note_due(run, e);
}

/*
 * The later of two episodes becomes part of the earlier; but nobody is pointed to one of which
 * nothing was released. Returns the one that stays.
 */
static struct episode *merge(struct detect_run *run, struct episode *a, struct episode *b)
{
    bool earlier = a->first_ns <= b->first_ns;
    if ((a->silent == EPISODE_HEARD) != (b->silent == EPISODE_HEARD))
        earlier = a->silent == EPISODE_HEARD;
    struct episode *stays = earlier ? a : b;
    struct episode *goes = earlier ? b : a;
    struct alert_line how = {.state = ALERT_SUPERSEDED, .superseded_by = &stays->id};
    stays->count += goes->count;
    if (goes->first_ns < stays->first_ns)
        stays->first_ns = goes->first_ns;
    if (goes->window_ns > stays->window_ns)
        stays->window_ns = goes->window_ns;
    if (goes->last_ns > stays->last_ns)
        stays->last_ns = goes->last_ns;
    if (goes->severity > stays->severity)
        stays->severity = goes->severity;
    for (uint8_t i = 0; i < goes->place_count; i++) {
        if (stays->place_count < ALERT_EVIDENCE_MAX)
            stays->places[stays->place_count++] = goes->places[i];
    }
    stays->dirty = 1;
    release(run, goes, &how);
    table_remove(&run->state->episodes.table, goes->key);
    note_due(run, stays);
    return stays;
}

static bool touch(const struct episode *a, const struct episode *b)
{
    int64_t window = a->window_ns > b->window_ns ? a->window_ns : b->window_ns;
    return a->first_ns <= b->last_ns + window && b->first_ns <= a->last_ns + window;
}

/*
 * What was kept back and goes on when the reason is gone (a suppression's end, the next hour, a rise
 * to critical) is a new alert, not silence for ever.
 */
static bool speaks_again(const struct detect_run *run, const struct episode *e,
                         const struct finding *f)
{
    return e->silent != EPISODE_HEARD && !f->ended &&
           detect_silence_of(run, f, severity_of(run, f)) == EPISODE_HEARD;
}

bool episode_is_new(struct detect_run *run, const struct finding *f)
{
    uint64_t key = episode_key(run, f);
    struct table *t = &run->state->episodes.table;
    const struct episode *to =
        covering(table_find(t, key), table_find(t, second_key(key)), f->time_ns);
    return to == NULL || speaks_again(run, to, f);
}

/* A new episode of a key that has `a` and `b`, either of which may be NULL. */
static void open_beside(struct detect_run *run, uint64_t key, struct episode *a, struct episode *b,
                        const struct finding *f)
{
    if (a != NULL && b != NULL) {
        /* A third one begins: the older has nothing to wait for that could still join it. */
        struct episode *older = a->last_ns <= b->last_ns ? a : b;
        amend(run, older);
        key = older->key;
        table_remove(&run->state->episodes.table, key);
    } else if (a != NULL) {
        key = second_key(key);
    }
    open_episode(run, key, f);
}

void episode_take(struct detect_run *run, const struct finding *f)
{
    uint64_t key = episode_key(run, f);
    struct table *t = &run->state->episodes.table;
    struct episode *a = table_find(t, key);
    struct episode *b = table_find(t, second_key(key));
    struct episode *to = covering(a, b, f->time_ns);
    if (to == NULL) {
        if (!f->ended && !f->amends)
            open_beside(run, key, a, b, f);
        return;
    }
    if (speaks_again(run, to, f)) {
        key = to->key;
        table_remove(t, key);
        open_episode(run, key, f);
        return;
    }
    join(run, to, f);
    if (a != NULL && b != NULL && touch(a, b))
        to = merge(run, a, b);
    if (f->ended)
        episode_close(run, to, ALERT_CLOSED, SLICE("over"));
}

/* ------------------------------------------------------------------------------ ticks */

static bool tick_one(struct detect_run *run, struct episode *e, int64_t watermark_ns, bool end)
{
    bool over = e->last_ns + e->window_ns < watermark_ns;
    bool due = e->dirty != 0 && run->state->tick_ns >= e->released_tick_ns + EPISODE_AMEND_NS;
    if (due || over || end)
        amend(run, e);
    return over;
}

void episode_tick(struct detect_run *run, int64_t tick_ns, int64_t watermark_ns, bool end)
{
    struct episode_set *set = &run->state->episodes;
    size_t at = 0;
    struct episode *e = NULL;
    if (!end && tick_ns < set->due_tick_ns && watermark_ns <= set->due_mark_ns)
        return;
    set->due_tick_ns = INT64_MAX;
    set->due_mark_ns = INT64_MAX;
    while ((e = table_next(&set->table, &at)) != NULL) {
        if (tick_one(run, e, watermark_ns, end))
            table_remove(&set->table, e->key);
        else
            note_due(run, e);
    }
}

struct episode *episode_of_id(struct episode_set *set, const struct alert_id *id)
{
    size_t at = 0;
    struct episode *e = NULL;
    while ((e = table_next(&set->table, &at)) != NULL) {
        if (alert_id_equal(&e->id, id))
            return e;
    }
    return NULL;
}
