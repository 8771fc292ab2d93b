#include "app/intake.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

enum {
    RANGES_FIRST = 4,
    SNAPSHOTS_A_TICK = 4,
    PARCEL_TEXTS_FIRST = 8192, /* most small batches fit without growing */
};

/* Offsets since the last parcel; texts of reasons lie in `reasons`. */
struct ranges {
    struct frame_range
        *items; /* reason.data is NULL; its offset in `reasons` stands in reason_at */
    size_t *reason_at;
    size_t count;
    size_t cap;
    struct buf reasons;
};

struct part {
    struct stream *stream;
    struct part *next_part;
    int32_t partition;
    int64_t next;  /* the next offset; -1 before the first */
    int64_t start; /* where the open parcel begins; -1: nothing yet */
    struct ranges ranges;
};

struct stream {
    struct intake *in;
    struct ward *ward;
    struct stream *next_stream;
    struct stream *next_of_ward;
    struct feed *feed;
    struct feed_options options;
    struct part *parts;
    struct parcel *parcel;          /* closed batches that wait for the record's end; NULL = none */
    struct stream *younger, *older; /* in the list of open streams */
    bool listed;
};

struct intake {
    struct intake_options o;
    struct feed_bench *bench;
    struct codec *codec;
    struct stream *streams;
    struct ward *wards;
    struct stream *oldest, *youngest; /* open streams by the time of their first row */
    int64_t turn;                     /* of the clock that closes batches */
};

int intake_open(struct intake **out, const struct intake_options *options)
{
    struct intake *in = calloc(1, sizeof(*in));
    if (in == NULL)
        return ERR_NOMEM;
    in->o = *options;
    in->codec = codec_new(options->zstd_level);
    if (in->codec == NULL || feed_bench_new(&in->bench, options->environment) != 0) {
        intake_close(in);
        return ERR_NOMEM;
    }
    *out = in;
    return 0;
}

static void ranges_release(struct ranges *r)
{
    free(r->items);
    free(r->reason_at);
    buf_release(&r->reasons);
}

void intake_close(struct intake *in)
{
    if (in == NULL)
        return;
    struct stream *next = NULL;
    for (struct stream *s = in->streams; s != NULL; s = next) {
        next = s->next_stream;
        struct part *next_part = NULL;
        for (struct part *p = s->parts; p != NULL; p = next_part) {
            next_part = p->next_part;
            ranges_release(&p->ranges);
            free(p);
        }
        feed_free(s->feed);
        parcel_free(s->parcel);
        free(s);
    }
    struct ward *next_ward = NULL;
    for (struct ward *w = in->wards; w != NULL; w = next_ward) {
        next_ward = w->next;
        ward_free(w);
    }
    feed_bench_free(in->bench);
    codec_free(in->codec);
    free(in);
}

static void list_remove(struct stream *s)
{
    struct intake *in = s->in;
    if (!s->listed)
        return;
    if (s->younger != NULL)
        s->younger->older = s->older;
    else
        in->youngest = s->older;
    if (s->older != NULL)
        s->older->younger = s->younger;
    else
        in->oldest = s->younger;
    s->younger = NULL;
    s->older = NULL;
    s->listed = false;
}

static void list_add(struct stream *s)
{
    struct intake *in = s->in;
    if (s->listed)
        return;
    s->older = in->youngest;
    s->younger = NULL;
    if (in->youngest != NULL)
        in->youngest->younger = s;
    else
        in->oldest = s;
    in->youngest = s;
    s->listed = true;
}

static struct parcel *stream_parcel(struct stream *s)
{
    if (s->parcel != NULL)
        return s->parcel;
    struct parcel *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    if (buf_reserve(&p->pack.texts, PARCEL_TEXTS_FIRST) == NULL) {
        parcel_free(p);
        return NULL;
    }
    p->newest_arrival_ns = CLOCK_NONE;
    p->tenant = s->options.tenant;
    p->source = s->options.source;
    s->parcel = p;
    return p;
}

/* Room for one more item in an arena array that doubles; NULL on ERR_NOMEM. */
static void *grown(struct arena *arena, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    size_t bigger = *cap == 0 ? 2 : *cap * 2;
    void *copy = arena_array(arena, bigger, size);
    if (copy == NULL)
        return NULL;
    if (count != 0)
        memcpy(copy, items, count * size);
    *cap = bigger;
    return copy;
}

/* Count the rows and remember some of their arrivals. */
static int parcel_count(struct parcel *p, const struct batch *b)
{
    p->rows += b->row_count;
    p->batch_count++;
    for (uint32_t row = 0; row < b->row_count; row++) {
        p->unparsed += b->reason[row] != REASON_NONE;
        p->raw_bytes += b->line[row].len;
        if (b->arrival_ns[row] > p->newest_arrival_ns)
            p->newest_arrival_ns = b->arrival_ns[row];
        if (row % PARCEL_SAMPLE_ROWS != 0)
            continue;
        p->samples =
            grown(&p->arena, p->samples, p->sample_count, &p->sample_cap, sizeof(*p->samples));
        if (p->samples == NULL)
            return ERR_NOMEM;
        p->samples[p->sample_count++] = b->arrival_ns[row];
    }
    return 0;
}

/* Make a blob of the parcel's pack; where its bytes lie is known when the parcel is sealed. */
static int parcel_pack(struct parcel *p, struct codec *codec)
{
    size_t at = p->bytes.len;
    if (pack_seal(codec, &p->pack, &p->bytes) != 0)
        return ERR_NOMEM;
    p->blobs = grown(&p->arena, p->blobs, p->blob_count, &p->blob_cap, sizeof(*p->blobs));
    if (p->blobs == NULL)
        return ERR_NOMEM;
    p->blobs[p->blob_count++] = (struct slice){.data = NULL, .len = p->bytes.len - at};
    p->stored_bytes += p->bytes.len - at;
    return 0;
}

/* A batch that is large is worth a blob of its own, made here and not on the committer's thread. */
static int parcel_add(struct parcel *p, const struct batch *b, struct codec *codec)
{
    if (pack_add(codec, &p->pack, b) != 0)
        return ERR_NOMEM;
    if (pack_bytes(&p->pack) >= CODEC_PACK_BYTES / 4 && parcel_pack(p, codec) != 0)
        return ERR_NOMEM;
    return parcel_count(p, b);
}

/* The feed closed a batch: keep it for the parcel of this record. */
static int batch_closed(void *self, struct batch *b)
{
    struct stream *s = self;
    struct parcel *p = stream_parcel(s);
    int status = p == NULL ? ERR_NOMEM : ward_batch(s->ward, b);
    return status != 0 ? status : parcel_add(p, b, s->in->codec);
}

/* The ward of a municipality, made for its first source. */
static int ward_of(struct ward **out, struct intake *in, uint32_t tenant)
{
    for (struct ward *w = in->wards; w != NULL; w = w->next) {
        if (w->tenant == tenant) {
            *out = w;
            return 0;
        }
    }
    struct ward *w = NULL;
    int status = ward_new(&w, tenant, in->o.watch);
    if (status != 0)
        return status;
    w->next = in->wards;
    in->wards = w;
    *out = w;
    return 0;
}

int intake_stream(struct stream **out, struct intake *in, const struct feed_options *feed)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->in = in;
    s->options = *feed;
    s->options.rows_max = in->o.batch_rows;
    s->options.closed = batch_closed;
    s->options.self = s;
    int status = ward_of(&s->ward, in, feed->tenant);
    if (status == 0) {
        s->options.order = &s->ward->order;
        if (s->ward->detect != NULL)
            s->options.habit = detect_source_habit(s->ward->detect, feed->source);
        status = feed_open(&s->feed, in->bench, &s->options);
    }
    if (status != 0) {
        free(s);
        return status;
    }
    s->next_stream = in->streams;
    in->streams = s;
    s->next_of_ward = s->ward->streams;
    s->ward->streams = s;
    *out = s;
    return 0;
}

int intake_watch(struct intake *in, uint32_t tenant)
{
    struct ward *w = NULL;
    return ward_of(&w, in, tenant);
}

int intake_part(struct part **out, struct stream *stream, int32_t partition, int64_t next)
{
    struct part *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    p->stream = stream;
    p->partition = partition;
    p->next = next;
    p->start = -1;
    p->next_part = stream->parts;
    stream->parts = p;
    *out = p;
    return 0;
}

static int ranges_add(struct ranges *r, const struct frame_range *range)
{
    struct frame_range *last = r->count == 0 ? NULL : &r->items[r->count - 1];
    if (last != NULL && last->kind == FRAME_RANGE_DATA && range->kind == FRAME_RANGE_DATA) {
        last->end = range->end;
        return 0;
    }
    if (r->count == r->cap) {
        size_t cap = r->cap == 0 ? RANGES_FIRST : r->cap * 2;
        struct frame_range *items = realloc(r->items, cap * sizeof(*items));
        if (items == NULL)
            return ERR_NOMEM;
        r->items = items;
        size_t *reason_at = realloc(r->reason_at, cap * sizeof(*reason_at));
        if (reason_at == NULL)
            return ERR_NOMEM;
        r->reason_at = reason_at;
        r->cap = cap;
    }
    r->reason_at[r->count] = r->reasons.len;
    buf_slice(&r->reasons, range->reason);
    r->items[r->count++] = *range;
    return buf_ok(&r->reasons) ? 0 : ERR_NOMEM;
}

/* The part's offsets since the last parcel as an entry, in the parcel's own memory. */
static int part_entry(struct part *part, struct parcel *p, struct frame_entry *entry)
{
    struct ranges *r = &part->ranges;
    struct frame_range *ranges = arena_array(&p->arena, r->count, sizeof(*ranges));
    if (ranges == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->count; i++) {
        ranges[i] = r->items[i];
        if (ranges[i].reason.len == 0)
            continue;
        char *reason = arena_copy(
            &p->arena, slice_of(r->reasons.data + r->reason_at[i], ranges[i].reason.len));
        if (reason == NULL)
            return ERR_NOMEM;
        ranges[i].reason.data = reason;
    }
    *entry = (struct frame_entry){.topic = part->stream->options.topic,
                                  .partition = part->partition,
                                  .off_start = part->start,
                                  .off_end = part->next,
                                  .ranges = ranges,
                                  .range_count = r->count};
    r->count = 0;
    buf_reset(&r->reasons);
    part->start = -1;
    return 0;
}

static int parcel_entries(struct stream *s, struct parcel *p)
{
    size_t count = 0;
    for (struct part *part = s->parts; part != NULL; part = part->next_part)
        count += part->start >= 0;
    p->entries = arena_array(&p->arena, count, sizeof(*p->entries));
    if (p->entries == NULL)
        return ERR_NOMEM;
    for (struct part *part = s->parts; part != NULL; part = part->next_part) {
        if (part->start < 0)
            continue;
        int status = part_entry(part, p, &p->entries[p->entry_count]);
        if (status != 0)
            return status;
        p->entry_count++;
    }
    size_t at = 0;
    for (size_t i = 0; i < p->blob_count; i++) {
        p->blobs[i].data = p->bytes.data + at;
        at += p->blobs[i].len;
    }
    return 0;
}

/* Close the stream's batches; its parcel goes to the end of the chain. */
static int stream_close(struct stream *s, struct parcel ***tail)
{
    list_remove(s);
    int status = feed_close(s->feed);
    struct parcel *p = status == 0 ? stream_parcel(s) : NULL;
    if (p == NULL)
        return status != 0 ? status : ERR_NOMEM;
    status = parcel_entries(s, p);
    if (status != 0)
        return status;
    s->parcel = NULL;
    if (p->entry_count == 0) {
        parcel_free(p);
        return 0;
    }
    **tail = p;
    *tail = &p->next;
    return 0;
}

/*
 * Close all batches of a municipality, judge their rows, and emit them as one chain. Only between
 * records.
 */
static int ward_seal(struct intake *in, struct ward *w)
{
    struct parcel *chain = NULL;
    struct parcel **tail = &chain;
    int status = 0;
    /* Turns count batches in the order of the chain: what a record closed already comes first. */
    for (struct stream *s = w->streams; s != NULL && status == 0; s = s->next_of_ward) {
        if (s->parcel != NULL)
            status = stream_close(s, &tail);
    }
    for (struct stream *s = w->streams; s != NULL && status == 0; s = s->next_of_ward)
        status = stream_close(s, &tail);
    if (status == 0 && chain == NULL)
        return 0;
    if (status == 0)
        status = ward_judge(w, chain);
    if (status == 0)
        return in->o.emit(in->o.self, chain);
    parcel_free(chain);
    return status;
}

static int stream_seal(struct stream *s)
{
    return ward_seal(s->in, s->ward);
}

int intake_range(struct part *part, const struct frame_range *range)
{
    if (part->next >= 0 && range->start != part->next)
        return ERR_RANGE;
    if (range->end <= range->start)
        return ERR_RANGE;
    if (ranges_add(&part->ranges, range) != 0)
        return ERR_NOMEM;
    if (part->start < 0)
        part->start = range->start;
    part->next = range->end;
    return range->kind == FRAME_RANGE_DATA ? 0 : stream_seal(part->stream);
}

/* The lines of a record; counted only where there can be too many. */
static size_t line_count(const struct stream *s, struct slice value)
{
    return value.len < DETECT_ROWS_MAX ? value.len : split_count(value, s->options.split);
}

/* The range of a record that is not kept, with its size as the reason. */
static int quarantine(struct part *part, const struct record *record, size_t lines)
{
    char text[96 + SLICE_PADDING_BYTES];
    struct buf reason = {.data = text, .cap = 96, .limit = 96};
    if (lines > DETECT_ROWS_MAX)
        buf_printf(&reason, "record of %zu lines, more than %d", lines, DETECT_ROWS_MAX);
    else
        buf_printf(&reason, "record of %zu bytes, more than %d", record->value.len,
                   BATCH_RECORD_BYTES_MAX);
    log_error("intake", "record left with the broker: it is too large",
              "topic=%.*s partition=%d offset=%lld bytes=%zu", (int)part->stream->options.topic.len,
              part->stream->options.topic.data, part->partition, (long long)record->offset,
              record->value.len);
    struct frame_range range = {.kind = FRAME_RANGE_QUARANTINE,
                                .start = record->offset,
                                .end = record->offset + 1,
                                .reason = buf_content(&reason)};
    return intake_range(part, &range);
}

/* Close the oldest streams while open batches hold too much. */
static int relieve(struct intake *in)
{
    while (in->oldest != NULL && feed_bench_bytes(in->bench) > in->o.open_bytes_max) {
        int status = stream_seal(in->oldest);
        if (status != 0)
            return status;
    }
    return 0;
}

int intake_record(struct part *part, const struct record *record)
{
    struct stream *s = part->stream;
    if (part->next >= 0 && record->offset < part->next)
        return ERR_RANGE;
    if (part->next >= 0 && record->offset > part->next) {
        struct frame_range gap = {.kind = FRAME_RANGE_GAP,
                                  .start = part->next,
                                  .end = record->offset,
                                  .reason = SLICE("no record at these offsets")};
        int status = intake_range(part, &gap);
        if (status != 0)
            return status;
    }
    if (record->value.len > BATCH_RECORD_BYTES_MAX)
        return quarantine(part, record, 0);
    size_t lines = line_count(s, record->value);
    if (lines > DETECT_ROWS_MAX)
        return quarantine(part, record, lines);
    /* So many are judged at once, and a record is not divided. */
    bool full = s->ward->order + lines > DETECT_ROWS_MAX;
    struct feed_result result;
    int status = !full && feed_has_room(s->feed, record->value) ? 0 : stream_seal(s);
    if (status == 0)
        status = feed_record(s->feed, record, &result);
    struct frame_range data = {
        .kind = FRAME_RANGE_DATA, .start = record->offset, .end = record->offset + 1};
    if (status == 0)
        status = intake_range(part, &data);
    if (status != 0)
        return status;
    list_add(s);
    return result.closed ? stream_seal(s) : relieve(s->in);
}

int intake_tick(struct intake *in, int64_t now_ns)
{
    int64_t turn = now_ns / in->o.batch_age_ns;
    if (turn == in->turn)
        return 0;
    in->turn = turn;
    while (in->oldest != NULL) {
        int status = stream_seal(in->oldest);
        if (status != 0)
            return status;
    }
    return 0;
}

int intake_flush(struct intake *in)
{
    int status = 0;
    for (struct ward *w = in->wards; w != NULL && status == 0; w = w->next)
        status = ward_seal(in, w);
    return status;
}

/* What a ward does at a tick: people's controls first, then time passes. */
static int ward_tick(struct ward *w, const struct mark *mark, unsigned *snapshots, struct parcel *p)
{
    if (w->detect == NULL)
        return 0;
    int status = 0;
    for (size_t i = 0; i < mark->control_count && status == 0; i++) {
        status = detect_control(w->detect, &mark->controls[i]);
        if (status == ERR_NOTFOUND)
            status = 0;
    }
    if (status == 0)
        status = detect_tick(w->detect, mark->tick_ns, mark->flags);
    ward_give_alerts(w, p);
    int64_t watermark = detect_tenant_watermark_ns(w->detect);
    if (watermark != CLOCK_NONE) {
        buf_put32(&p->watermarks, w->tenant);
        buf_put64(&p->watermarks, (uint64_t)watermark);
    }
    if (status == 0)
        status = detect_tenant_signals(w->detect, &p->signals);
    if (status == 0 && mark->day_ends)
        status = ward_contribute(w, &p->contributions);
    if (status == 0 && mark->keeps_states)
        status = ward_snapshot(w, snapshots, p);
    return status;
}

int intake_mark(struct intake *in, const struct mark *mark)
{
    int status = intake_flush(in);
    in->turn = 0;
    struct parcel *p = status == 0 ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL)
        return status != 0 ? status : ERR_NOMEM;
    unsigned snapshots = SNAPSHOTS_A_TICK;
    p->mark = true;
    p->tick_ns = mark->tick_ns;
    p->day_ends = mark->day_ends;
    p->tick_flags = (mark->flags & DETECT_TICK_GAP) != 0 ? FRAME_FLAG_TICK_GAP : 0;
    p->tick_flags |= (mark->flags & DETECT_TICK_END) != 0 ? FRAME_FLAG_INPUT_END : 0;
    p->tick_flags |= mark->day_ends ? FRAME_FLAG_DAY_END : 0;
    p->newest_arrival_ns = CLOCK_NONE;
    for (struct ward *w = in->wards; w != NULL && status == 0; w = w->next)
        status = ward_tick(w, mark, &snapshots, p);
    if (status == 0 && (!buf_ok(&p->alerts) || !buf_ok(&p->watermarks)))
        status = ERR_NOMEM;
    if (status == 0)
        return in->o.emit(in->o.self, p);
    parcel_free(p);
    return status;
}

struct feed *stream_feed(struct stream *stream)
{
    return stream->feed;
}
