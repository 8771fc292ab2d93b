#include "store/totals_count.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"

enum {
    TABLE_FIRST = 256,
    WORD_BITS = 64,
};

/* Offsets of one kind, of one hour's commits. */
struct stretch {
    int64_t start;
    int64_t end;
    int64_t tick_ns;
    uint64_t seq;       /* of the first frame */
    uint64_t first_bit; /* of DATA: its offsets before */
    enum frame_range_kind kind;
    struct slice reason;
};

/* A partition of a municipality. */
struct counted {
    uint64_t hash;
    struct slice topic;
    struct slice source;
    int32_t partition;
    uint32_t tenant;
    bool known;
    bool taken;
    uint64_t from_seq;
    uint64_t until_seq;
    struct stretch *stretches; /* ascending */
    size_t stretch_count;
    size_t stretch_cap;
    size_t stretch_at; /* where the last record was found */
    uint64_t *bits;
    uint64_t bit_count;
    struct totals_hour *hours; /* in order of appearance */
    size_t hour_count;
    size_t hour_cap;
    size_t hour_at;
    struct totals_event *surplus;
    size_t surplus_count;
    size_t surplus_cap;
};

struct totals_count {
    totals_owner_of *owner_of;
    void *self;
    struct counted *partitions;
    size_t count;
    size_t cap;
    uint32_t *table; /* index + 1 */
    size_t table_size;
    struct arena arena; /* texts */
    uint64_t seed;
};

int totals_count_new(struct totals_count **out, totals_owner_of *owner_of, void *self)
{
    struct totals_count *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return ERR_NOMEM;
    c->owner_of = owner_of;
    c->self = self;
    c->seed = hash_seed();
    c->table_size = TABLE_FIRST;
    c->table = calloc(TABLE_FIRST, sizeof(*c->table));
    if (c->table == NULL) {
        free(c);
        return ERR_NOMEM;
    }
    *out = c;
    return 0;
}

static void counted_release(struct counted *p)
{
    free(p->stretches);
    free(p->bits);
    free(p->hours);
    free(p->surplus);
    p->stretches = NULL;
    p->bits = NULL;
    p->hours = NULL;
    p->surplus = NULL;
    p->taken = true;
}

void totals_count_free(struct totals_count *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++)
        counted_release(&c->partitions[i]);
    free(c->partitions);
    free(c->table);
    arena_release(&c->arena);
    free(c);
}

/* Room for one more of `size` bytes each; the array or NULL. */
static void *grow(void *items, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return items;
    size_t more = *cap == 0 ? 8 : *cap * 2;
    void *grown = reallocarray(items, more, size);
    if (grown != NULL)
        *cap = more;
    return grown;
}

static void table_put(struct totals_count *c, size_t index)
{
    size_t at = (size_t)c->partitions[index].hash & (c->table_size - 1);
    while (c->table[at] != 0)
        at = (at + 1) & (c->table_size - 1);
    c->table[at] = (uint32_t)index + 1;
}

static int table_room(struct totals_count *c)
{
    if ((c->count + 1) * 2 <= c->table_size)
        return 0;
    uint32_t *table = calloc(c->table_size * 2, sizeof(*table));
    if (table == NULL)
        return ERR_NOMEM;
    free(c->table);
    c->table = table;
    c->table_size *= 2;
    for (size_t i = 0; i < c->count; i++)
        table_put(c, i);
    return 0;
}

static uint64_t hash_of(const struct totals_count *c, struct slice topic, int32_t partition)
{
    return hash_slice(c->seed + (uint64_t)(uint32_t)partition, topic);
}

/* The partition, whoever owns it, or with `tenant` the one that is its own; NULL: none. */
static struct counted *find(const struct totals_count *c, struct slice topic, int32_t partition,
                            const uint32_t *tenant)
{
    uint64_t hash = hash_of(c, topic, partition);
    for (size_t at = (size_t)hash & (c->table_size - 1); c->table[at] != 0;
         at = (at + 1) & (c->table_size - 1)) {
        struct counted *p = &c->partitions[c->table[at] - 1];
        if (p->hash == hash && p->partition == partition && slice_equal(p->topic, topic) &&
            (tenant == NULL || (p->known && p->tenant == *tenant)))
            return p;
    }
    return NULL;
}

static int copy(struct totals_count *c, struct slice *out, struct slice text)
{
    char *kept = arena_copy(&c->arena, text);
    if (kept == NULL)
        return ERR_NOMEM;
    *out = slice_of(kept, text.len);
    return 0;
}

static int add_partition(struct totals_count *c, struct slice topic, int32_t partition,
                         const struct totals_owner *owner, struct counted **out)
{
    struct counted p = {.hash = hash_of(c, topic, partition),
                        .partition = partition,
                        .known = owner->known,
                        .tenant = owner->tenant,
                        .from_seq = owner->from_seq,
                        .until_seq = owner->until_seq};
    int err = copy(c, &p.topic, topic);
    if (err == 0)
        err = copy(c, &p.source, owner->source);
    if (err == 0)
        err = table_room(c);
    struct counted *grown =
        err == 0 ? grow(c->partitions, &c->cap, c->count, sizeof(*grown)) : NULL;
    if (grown == NULL)
        return ERR_NOMEM;
    c->partitions = grown;
    grown[c->count] = p;
    table_put(c, c->count);
    *out = &grown[c->count++];
    return 0;
}

int totals_count_know(struct totals_count *c, struct slice topic, int32_t partition,
                      const struct totals_owner *owner)
{
    struct counted *p = NULL;
    return find(c, topic, partition, &owner->tenant) != NULL
               ? 0
               : add_partition(c, topic, partition, owner, &p);
}

/* The offsets behind a partition's last ones. */
static int add_stretch(struct totals_count *c, struct counted *p, const struct frame_range *range,
                       uint64_t seq, int64_t tick_ns)
{
    struct stretch *last = p->stretch_count == 0 ? NULL : &p->stretches[p->stretch_count - 1];
    if (last != NULL && p->known && last->kind == range->kind && last->end == range->start &&
        totals_hour_of(last->tick_ns) == totals_hour_of(tick_ns) &&
        slice_equal(last->reason, range->reason)) {
        last->end = range->end;
        return 0;
    }
    struct stretch *stretches =
        grow(p->stretches, &p->stretch_cap, p->stretch_count, sizeof(*stretches));
    if (stretches == NULL)
        return ERR_NOMEM;
    p->stretches = stretches;
    stretches[p->stretch_count] = (struct stretch){.start = range->start,
                                                   .end = range->end,
                                                   .tick_ns = tick_ns,
                                                   .seq = seq,
                                                   .kind = range->kind};
    int err =
        range->reason.len == 0 ? 0 : copy(c, &stretches[p->stretch_count].reason, range->reason);
    p->stretch_count += err == 0;
    return err;
}

/* The partition that frames speak of. */
static int named_partition(struct totals_count *c, struct slice topic, int32_t partition,
                           struct counted **out)
{
    struct counted *p = find(c, topic, partition, NULL);
    struct totals_owner owner = {0};
    int err = 0;
    if (p == NULL) {
        err = c->owner_of(c->self, topic, &owner);
        if (err == 0)
            err = add_partition(c, topic, partition, &owner, &p);
    }
    if (err == 0)
        *out = p;
    return err;
}

static bool is_counted(const struct counted *p, uint64_t seq)
{
    return !p->known || (seq > p->from_seq && (p->until_seq == 0 || seq <= p->until_seq));
}

int totals_count_range(struct totals_count *c, struct slice topic, int32_t partition,
                       const struct frame_range *range, uint64_t seq, int64_t tick_ns)
{
    struct counted *p = NULL;
    int err = named_partition(c, topic, partition, &p);
    return err == 0 && is_counted(p, seq) ? add_stretch(c, p, range, seq, tick_ns) : err;
}

int totals_count_frame(struct totals_count *c, const struct frame_view *frame)
{
    struct frame_items entries = frame->entries;
    struct frame_entry_view entry;
    struct frame_range range;
    while (frame_next_entry(&entry, &entries)) {
        struct counted *p = NULL;
        int err = named_partition(c, entry.topic, entry.partition, &p);
        if (err == 0 && !is_counted(p, frame->link.seq))
            continue;
        while (err == 0 && frame_next_range(&range, &entry.ranges))
            err = add_stretch(c, p, &range, frame->link.seq, frame->tick_ns);
        if (err != 0)
            return err;
    }
    return 0;
}

/* From its first row on a partition is a municipality's. */
static int bind(struct totals_count *c, struct counted *p, const struct batch *b, uint64_t from_seq)
{
    size_t kept = 0;
    p->known = true;
    p->tenant = b->tenant;
    p->from_seq = from_seq;
    for (size_t i = 0; i < p->stretch_count; i++) {
        if (p->stretches[i].seq > from_seq)
            p->stretches[kept++] = p->stretches[i];
    }
    p->stretch_count = kept;
    return copy(c, &p->source, b->source);
}

/* A bit for each offset of DATA. */
static int make_bits(struct counted *p)
{
    for (size_t i = 0; i < p->stretch_count; i++) {
        struct stretch *s = &p->stretches[i];
        s->first_bit = p->bit_count;
        if (s->kind == FRAME_RANGE_DATA)
            p->bit_count += (uint64_t)(s->end - s->start);
    }
    p->bits = calloc((size_t)(p->bit_count / WORD_BITS) + 1, sizeof(*p->bits));
    return p->bits == NULL ? ERR_NOMEM : 0;
}

/* The partition that rows of a batch are of, ready to take them. */
static int partition_of(struct totals_count *c, const struct batch *b, int32_t partition,
                        uint64_t from_seq, struct counted **out)
{
    int err = 0;
    struct counted *p = find(c, b->topic, partition, &b->tenant);
    if (p == NULL)
        p = find(c, b->topic, partition, NULL);
    if (p != NULL && !p->known)
        err = bind(c, p, b, from_seq);
    if (p == NULL || p->tenant != b->tenant) {
        /* No frame speaks of it as theirs: everything is surplus. */
        const struct totals_owner owner = {.known = true, .tenant = b->tenant, .source = b->source};
        err = add_partition(c, b->topic, partition, &owner, &p);
    }
    if (err == 0 && p->bits == NULL)
        err = make_bits(p);
    if (err == 0)
        *out = p;
    return err;
}

static int hour_at(struct counted *p, int64_t hour)
{
    for (size_t i = p->hour_count; i > 0; i--) {
        if (p->hours[i - 1].hour == hour) {
            p->hour_at = i - 1;
            return 0;
        }
    }
    struct totals_hour *hours = grow(p->hours, &p->hour_cap, p->hour_count, sizeof(*hours));
    if (hours == NULL)
        return ERR_NOMEM;
    p->hours = hours;
    p->hour_at = p->hour_count++;
    hours[p->hour_at] = (struct totals_hour){.hour = hour};
    return 0;
}

/* The stretch that an offset is in, or NULL. */
static const struct stretch *stretch_of(struct counted *p, int64_t offset)
{
    size_t low = 0;
    size_t high = p->stretch_count;
    if (p->stretch_at < high && p->stretches[p->stretch_at].start <= offset &&
        offset < p->stretches[p->stretch_at].end)
        return &p->stretches[p->stretch_at];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->stretches[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == p->stretch_count || offset < p->stretches[low].start)
        return NULL;
    p->stretch_at = low;
    return &p->stretches[low];
}

static int add_surplus(struct counted *p, int64_t offset, int64_t arrival_ns, struct slice why)
{
    struct totals_event *last = p->surplus_count == 0 ? NULL : &p->surplus[p->surplus_count - 1];
    p->hours[p->hour_at].sum.surplus++;
    if (last != NULL && last->end == offset && last->reason.data == why.data) {
        last->end++;
        return 0;
    }
    struct totals_event *events =
        grow(p->surplus, &p->surplus_cap, p->surplus_count, sizeof(*events));
    if (events == NULL)
        return ERR_NOMEM;
    p->surplus = events;
    events[p->surplus_count++] = (struct totals_event){.kind = TOTALS_SURPLUS,
                                                       .start = offset,
                                                       .end = offset + 1,
                                                       .tick_ns = arrival_ns,
                                                       .reason = why};
    return 0;
}

/* A record is there. */
static int mark(struct counted *p, int64_t offset, int64_t arrival_ns)
{
    const struct stretch *s = stretch_of(p, offset);
    if (s == NULL || s->kind != FRAME_RANGE_DATA)
        return add_surplus(p, offset, arrival_ns, SLICE("no frame says that it was stored"));
    uint64_t bit = s->first_bit + (uint64_t)(offset - s->start);
    uint64_t flag = UINT64_C(1) << (bit % WORD_BITS);
    if ((p->bits[bit / WORD_BITS] & flag) != 0)
        return add_surplus(p, offset, arrival_ns, SLICE("it is there twice"));
    p->bits[bit / WORD_BITS] |= flag;
    return 0;
}

int totals_count_rows(struct totals_count *c, const struct totals_rows *rows, uint64_t from_seq)
{
    const struct batch *b = rows->batch;
    struct counted *p = NULL;
    int err = 0;
    for (uint32_t row = 0; row < b->row_count && err == 0; row++) {
        int64_t hour = totals_hour_of(b->arrival_ns[row]);
        if (p == NULL || p->partition != rows->partitions[row])
            err = partition_of(c, b, rows->partitions[row], from_seq, &p);
        if (err == 0 && (p->hour_at >= p->hour_count || p->hours[p->hour_at].hour != hour))
            err = hour_at(p, hour);
        if (err != 0)
            break;
        struct totals_sum *sum = &p->hours[p->hour_at].sum;
        sum->rows++;
        sum->bytes += rows->raw_bytes == NULL ? 0 : rows->raw_bytes[row];
        if (b->sub[row] != 0)
            continue;
        sum->records++;
        err = mark(p, rows->offsets[row], b->arrival_ns[row]);
    }
    return err;
}

int totals_count_bytes(struct totals_count *c, const struct batch *b, int32_t partition,
                       int64_t arrival_ns, uint64_t bytes)
{
    struct counted *p = find(c, b->topic, partition, &b->tenant);
    int err = p == NULL ? ERR_NOTFOUND : hour_at(p, totals_hour_of(arrival_ns));
    if (err == 0)
        p->hours[p->hour_at].sum.bytes += bytes;
    return err;
}

bool totals_count_tenant(const struct totals_count *c, uint32_t *tenant)
{
    bool found = false;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < c->count; i++) {
        const struct counted *p = &c->partitions[i];
        if (p->known && !p->taken && p->tenant >= *tenant && p->tenant <= least) {
            least = p->tenant;
            found = true;
        }
    }
    if (found)
        *tenant = least;
    return found;
}

bool totals_count_orphan(const struct totals_count *c, struct slice *topic, int32_t *partition,
                         int64_t *start, int64_t *end)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct counted *p = &c->partitions[i];
        if (p->known || p->stretch_count == 0)
            continue;
        *topic = p->topic;
        *partition = p->partition;
        *start = p->stretches[0].start;
        *end = p->stretches[p->stretch_count - 1].end;
        return true;
    }
    return false;
}

static int add_event(struct totals_partition *out, const struct totals_event *event, size_t *cap)
{
    struct totals_event *events = grow(out->events, cap, out->event_count, sizeof(*events));
    if (events == NULL)
        return ERR_NOMEM;
    out->events = events;
    events[out->event_count++] = *event;
    return 0;
}

static bool has_bit(const struct counted *p, uint64_t bit)
{
    return (p->bits[bit / WORD_BITS] >> (bit % WORD_BITS) & 1) != 0;
}

/* Offsets from `first` to `end`, counted from the stretch's start, have no row. */
static int add_hole(struct totals_partition *out, struct counted *p, const struct stretch *s,
                    uint64_t first, uint64_t end, size_t *cap)
{
    const struct totals_event event = {.kind = TOTALS_MISSING,
                                       .start = s->start + (int64_t)first,
                                       .end = s->start + (int64_t)end,
                                       .tick_ns = s->tick_ns,
                                       .reason = SLICE("a frame says that it was stored")};
    p->hours[p->hour_at].sum.missing += end - first;
    return add_event(out, &event, cap);
}

/* Offsets of a stretch of DATA that have no row. */
static int add_missing(struct totals_partition *out, struct counted *p, const struct stretch *s,
                       size_t *cap)
{
    int err = 0;
    uint64_t count = (uint64_t)(s->end - s->start);
    if (p->bits == NULL)
        return add_hole(out, p, s, 0, count, cap);
    for (uint64_t i = 0; i < count && err == 0;) {
        uint64_t bit = s->first_bit + i;
        uint64_t first = i;
        if (p->bits[bit / WORD_BITS] == UINT64_MAX) { /* nearly always */
            i += WORD_BITS - bit % WORD_BITS;
            continue;
        }
        while (i < count && !has_bit(p, s->first_bit + i))
            i++;
        if (i == first)
            i++;
        else
            err = add_hole(out, p, s, first, i, cap);
    }
    return err;
}

/* What a stretch adds to the hour of its commits. */
static int add_up_stretch(struct totals_partition *out, struct counted *p, const struct stretch *s,
                          size_t *cap)
{
    uint64_t count = (uint64_t)(s->end - s->start);
    int err = hour_at(p, totals_hour_of(s->tick_ns));
    if (err != 0)
        return err;
    struct totals_sum *sum = &p->hours[p->hour_at].sum;
    if (s->kind == FRAME_RANGE_DATA)
        return add_missing(out, p, s, cap);
    if (s->kind == FRAME_RANGE_GAP) {
        sum->gaps += count;
        return 0;
    }
    const struct totals_event event = {.kind = (enum totals_kind)s->kind,
                                       .start = s->start,
                                       .end = s->end,
                                       .tick_ns = s->tick_ns,
                                       .reason = s->reason};
    *(s->kind == FRAME_RANGE_LOST ? &sum->lost : &sum->quarantined) += count;
    return add_event(out, &event, cap);
}

static int hour_order(const void *left, const void *right)
{
    const struct totals_hour *a = left;
    const struct totals_hour *b = right;
    return a->hour < b->hour ? -1 : a->hour > b->hour;
}

static int partition_order(const void *left, const void *right)
{
    const struct totals_partition *a = left;
    const struct totals_partition *b = right;
    int order = slice_compare(a->topic, b->topic);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static bool is_something(const struct totals_sum *s)
{
    return (s->rows | s->records | s->quarantined | s->lost | s->gaps | s->missing) != 0;
}

/* Hours, events and texts of a partition into the arena. */
static int settle(struct totals_partition *out, const struct counted *p, struct arena *arena)
{
    char *topic = arena_copy(arena, p->topic);
    char *source = arena_copy(arena, p->source);
    struct totals_hour *hours = arena_array(arena, p->hour_count + 1, sizeof(*hours));
    struct totals_event *events = arena_array(arena, out->event_count + 1, sizeof(*events));
    if (topic == NULL || source == NULL || hours == NULL || events == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < p->hour_count; i++) {
        if (is_something(&p->hours[i].sum))
            hours[out->hour_count++] = p->hours[i];
    }
    if (out->hour_count != 0)
        qsort(hours, out->hour_count, sizeof(*hours), hour_order);
    for (size_t i = 0; i < out->event_count; i++) {
        char *reason = arena_copy(arena, out->events[i].reason);
        if (reason == NULL)
            return ERR_NOMEM;
        events[i] = out->events[i];
        events[i].reason = slice_of(reason, events[i].reason.len);
    }
    free(out->events);
    out->topic = slice_of(topic, p->topic.len);
    out->source = slice_of(source, p->source.len);
    out->hours = hours;
    out->events = events;
    return 0;
}

static int finish(struct totals_partition *out, struct counted *p, struct arena *arena)
{
    struct totals_partition t = {.partition = p->partition};
    size_t cap = 0;
    int err = 0;
    if (p->stretch_count != 0) {
        t.start = p->stretches[0].start;
        t.end = p->stretches[p->stretch_count - 1].end;
    }
    for (size_t i = 0; i < p->stretch_count && err == 0; i++)
        err = add_up_stretch(&t, p, &p->stretches[i], &cap);
    for (size_t i = 0; i < p->surplus_count && err == 0; i++)
        err = add_event(&t, &p->surplus[i], &cap);
    if (err == 0)
        err = settle(&t, p, arena);
    if (err != 0) {
        free(t.events);
        return err;
    }
    *out = t;
    return 0;
}

int totals_count_take(struct totals_count *c, uint32_t tenant, struct arena *arena,
                      struct totals *out)
{
    struct totals_partition *all = arena_array(arena, c->count + 1, sizeof(*all));
    size_t count = 0;
    if (all == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < c->count; i++) {
        struct counted *p = &c->partitions[i];
        if (!p->known || p->taken || p->tenant != tenant)
            continue;
        if (p->stretch_count != 0 || p->hour_count != 0) {
            int err = finish(&all[count], p, arena);
            if (err != 0)
                return err;
            count++;
        }
        counted_release(p);
    }
    if (count != 0)
        qsort(all, count, sizeof(*all), partition_order);
    out->partitions = all;
    out->partition_count = count;
    return 0;
}
