#include "store/totals.h"

#include "base/err.h"
#include "store/frame.h"
#include "store/reader.h"

enum {
    HOUR_BYTES_MIN = 9,
    EVENT_BYTES_MIN = 12,
    PARTITION_BYTES_MIN = 7,
};

static_assert((int)TOTALS_QUARANTINE == (int)FRAME_RANGE_QUARANTINE &&
                  (int)TOTALS_LOST == (int)FRAME_RANGE_LOST,
              "the same words on disk");
static_assert((int)TOTALS_REASON_BYTES_MAX == (int)FRAME_REASON_BYTES_MAX &&
                  (int)TOTALS_TOPIC_BYTES_MAX == (int)FRAME_TOPIC_BYTES_MAX,
              "what a frame can say");

int64_t totals_hour_of(int64_t time_ns)
{
    return time_ns / SEGMENT_HOUR_NS - (time_ns % SEGMENT_HOUR_NS < 0 ? 1 : 0);
}

void totals_add(struct totals_sum *sum, const struct totals_sum *more)
{
    sum->records += more->records;
    sum->rows += more->rows;
    sum->bytes += more->bytes;
    sum->quarantined += more->quarantined;
    sum->lost += more->lost;
    sum->gaps += more->gaps;
    sum->missing += more->missing;
    sum->surplus += more->surplus;
}

uint64_t totals_received(const struct totals_sum *sum)
{
    return sum->records + sum->quarantined + sum->lost + sum->missing - sum->surplus;
}

bool totals_balanced(const struct totals_sum *sum)
{
    return sum->missing == 0 && sum->surplus == 0;
}

bool totals_add_up(const struct totals_partition *p)
{
    struct totals_sum sum = {0};
    for (size_t i = 0; i < p->hour_count; i++)
        totals_add(&sum, &p->hours[i].sum);
    return totals_received(&sum) + sum.gaps == (uint64_t)(p->end - p->start);
}

const char *totals_kind_name(enum totals_kind kind)
{
    static const char *const NAMES[TOTALS_KIND_END] = {
        [TOTALS_QUARANTINE] = "quarantined",
        [TOTALS_LOST] = "lost",
        [TOTALS_MISSING] = "missing",
        [TOTALS_SURPLUS] = "surplus",
    };
    return kind >= TOTALS_QUARANTINE && kind < TOTALS_KIND_END ? NAMES[kind] : "?";
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ ((v & 1) != 0 ? UINT64_MAX : 0));
}

static void put_text(struct buf *out, struct slice text)
{
    buf_varint(out, text.len);
    buf_slice(out, text);
}

static void put_sum(struct buf *out, const struct totals_sum *s)
{
    buf_varint(out, s->records);
    buf_varint(out, s->rows);
    buf_varint(out, s->bytes);
    buf_varint(out, s->quarantined);
    buf_varint(out, s->lost);
    buf_varint(out, s->gaps);
    buf_varint(out, s->missing);
    buf_varint(out, s->surplus);
}

static void put_partition(struct buf *out, const struct totals_partition *p)
{
    int64_t hour = 0;
    put_text(out, p->topic);
    put_text(out, p->source);
    buf_varint(out, (uint64_t)(uint32_t)p->partition);
    buf_varint(out, (uint64_t)p->start);
    buf_varint(out, (uint64_t)(p->end - p->start));
    buf_varint(out, p->hour_count);
    for (size_t i = 0; i < p->hour_count; i++) {
        buf_varint(out, zigzag(p->hours[i].hour - hour));
        hour = p->hours[i].hour;
        put_sum(out, &p->hours[i].sum);
    }
    buf_varint(out, p->event_count);
    for (size_t i = 0; i < p->event_count; i++) {
        const struct totals_event *e = &p->events[i];
        buf_byte(out, (char)e->kind);
        buf_varint(out, (uint64_t)e->start);
        buf_varint(out, (uint64_t)(e->end - e->start));
        buf_put64(out, (uint64_t)e->tick_ns);
        put_text(out, e->reason);
    }
}

void totals_write(struct buf *out, const struct totals *t)
{
    buf_put64(out, t->number);
    buf_put64(out, t->from_seq);
    buf_put64(out, t->through_seq);
    buf_varint(out, t->partition_count);
    for (size_t i = 0; i < t->partition_count; i++)
        put_partition(out, &t->partitions[i]);
}

static struct slice get_text(struct reader *in, size_t most)
{
    return reader_bytes(in, reader_varint(in, most));
}

/* A start and, behind it, an end that is not below it. */
static void get_offsets(struct reader *in, int64_t *start, int64_t *end)
{
    *start = (int64_t)reader_varint(in, INT64_MAX);
    *end = *start + (int64_t)reader_varint(in, (uint64_t)(INT64_MAX - *start));
}

static void get_sum(struct reader *in, struct totals_sum *s)
{
    s->records = reader_varint(in, INT64_MAX);
    s->rows = reader_varint(in, INT64_MAX);
    s->bytes = reader_varint(in, INT64_MAX);
    s->quarantined = reader_varint(in, INT64_MAX);
    s->lost = reader_varint(in, INT64_MAX);
    s->gaps = reader_varint(in, INT64_MAX);
    s->missing = reader_varint(in, INT64_MAX);
    s->surplus = reader_varint(in, INT64_MAX);
}

static int get_hours(struct totals_partition *p, struct arena *arena, struct reader *in)
{
    int64_t hour = 0;
    p->hour_count = (size_t)reader_varint(in, reader_left(in) / HOUR_BYTES_MIN);
    p->hours = arena_array(arena, p->hour_count + 1, sizeof(*p->hours));
    if (p->hours == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < p->hour_count && !in->failed; i++) {
        int64_t step = unzigzag(reader_varint(in, UINT64_MAX));
        in->failed |= (i != 0 && step <= 0) || __builtin_add_overflow(hour, step, &hour);
        p->hours[i].hour = hour;
        get_sum(in, &p->hours[i].sum);
    }
    return 0;
}

static int get_events(struct totals_partition *p, struct arena *arena, struct reader *in)
{
    p->event_count = (size_t)reader_varint(in, reader_left(in) / EVENT_BYTES_MIN);
    p->events = arena_array(arena, p->event_count + 1, sizeof(*p->events));
    if (p->events == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < p->event_count && !in->failed; i++) {
        struct totals_event *e = &p->events[i];
        uint8_t kind = reader_get8(in);
        in->failed |= kind < TOTALS_QUARANTINE || kind >= TOTALS_KIND_END;
        e->kind = (enum totals_kind)kind;
        get_offsets(in, &e->start, &e->end);
        e->tick_ns = (int64_t)reader_get64(in);
        e->reason = get_text(in, TOTALS_REASON_BYTES_MAX);
    }
    return 0;
}

static int get_partition(struct totals_partition *p, struct arena *arena, struct reader *in)
{
    p->topic = get_text(in, TOTALS_TOPIC_BYTES_MAX);
    p->source = get_text(in, TOTALS_SOURCE_BYTES_MAX);
    p->partition = (int32_t)reader_varint(in, INT32_MAX);
    get_offsets(in, &p->start, &p->end);
    int err = get_hours(p, arena, in);
    return err == 0 ? get_events(p, arena, in) : err;
}

static bool in_order(const struct totals_partition *a, const struct totals_partition *b)
{
    int order = slice_compare(a->topic, b->topic);
    return order < 0 || (order == 0 && a->partition < b->partition);
}

int totals_read(struct totals *out, struct arena *arena, struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct totals t = {.number = reader_get64(&in)};
    t.from_seq = reader_get64(&in);
    t.through_seq = reader_get64(&in);
    t.partition_count = (size_t)reader_varint(&in, reader_left(&in) / PARTITION_BYTES_MIN);
    t.partitions = arena_array(arena, t.partition_count + 1, sizeof(*t.partitions));
    if (t.partitions == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < t.partition_count; i++) {
        int err = get_partition(&t.partitions[i], arena, &in);
        if (err != 0)
            return err;
        if (in.failed || (i != 0 && !in_order(&t.partitions[i - 1], &t.partitions[i])))
            return ERR_CORRUPT;
    }
    if (in.failed || reader_left(&in) != 0 || t.from_seq > t.through_seq)
        return ERR_CORRUPT;
    *out = t;
    return 0;
}
