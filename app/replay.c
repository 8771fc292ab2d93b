#include "app/replay.h"

#include <pthread.h>
#include <stdlib.h>

#include "app/intake.h"
#include "app/line_reader.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/err.h"

/* Before this no log was written: a stamp without a year was read without a reference. */
#define REPLAY_EARLIEST_NS (INT64_C(2) * 365 * 86400 * CLOCK_NS_PER_SECOND)

/* A file being read, with its next line. */
struct input {
    const struct replay_file *file;
    struct line_reader *reader;
    struct stream *stream;
    struct part *part;
    struct slice line;
    int64_t time_ns; /* of the line; only known where a tenant has several files */
    int64_t offset;
    bool done;
};

/* A municipality's files, merged. */
struct merge {
    struct merge *next;
    struct input *inputs;
    size_t count;
    int64_t arrival_ns;
    int64_t time_ns; /* event time of the next line, or of the last one where it is the only file */
    bool done;
};

/* Where all workers meet: the end of each of Japan's days in which there is a line, and the end. */
struct meeting {
    pthread_barrier_t barrier;
    pthread_mutex_t lock;
    int64_t next_ns;   /* the earliest line that somebody has; INT64_MAX = nobody */
    int64_t last_ns;   /* the latest tick of the input */
    int64_t before_ns; /* the tick before */
    int status;        /* the first error of a worker: all end */
};

struct worker {
    const struct replay_options *o;
    struct committer *committer;
    struct meeting *meeting;
    unsigned index;
    pthread_t thread;
    struct intake *intake;
    struct merge *merges;
    struct diag diag;
    int status;
};

static int emit(void *self, struct parcel *parcel)
{
    struct worker *w = self;
    return committer_submit(w->committer, w->index, parcel);
}

/* The line without its end. */
static struct slice bare(struct slice line)
{
    if (line.len != 0 && line.data[line.len - 1] == '\n')
        line.len--;
    if (line.len != 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static int64_t reference_of(const struct worker *w, const struct input *in)
{
    int64_t last = feed_last_time(stream_feed(in->stream));
    if (last != CLOCK_NONE)
        return last;
    return w->o->reference_ns == CLOCK_NONE ? 0 : w->o->reference_ns;
}

static int input_next(struct worker *w, struct input *in, bool merging)
{
    int status = line_reader_next(in->reader, &in->line);
    if (status == ERR_NOTFOUND) {
        in->done = true;
        return 0;
    }
    if (status != 0) {
        diag_add(&w->diag, in->file->path, 0, 0, "cannot be read on: %s", err_name(status));
        return status;
    }
    if (!merging)
        return 0;
    uint8_t source = 0;
    int64_t reference = reference_of(w, in);
    int64_t time =
        feed_peek_time(stream_feed(in->stream), bare(in->line), reference, reference, &source);
    in->time_ns = source == TIME_SOURCE_ARRIVAL ? reference : time;
    return 0;
}

static int input_open(struct worker *w, struct input *in, const struct replay_file *file,
                      bool merging)
{
    int status = line_reader_open(&in->reader, file->path, '\n', BATCH_RECORD_BYTES_MAX);
    if (status != 0) {
        diag_add(&w->diag, file->path, 0, 0, "cannot be opened: %s", err_name(status));
        return status;
    }
    in->file = file;
    struct feed_options feed = {.tenant = file->tenant,
                                .topic = SLICE("file"),
                                .source = file->source_name,
                                .format = file->source.format,
                                .layout = file->source.layout,
                                .zone_minutes = file->source.zone_minutes,
                                .encoding = file->source.encoding,
                                .class = file->source.class,
                                .split = SPLIT_LINES,
                                .replay = true,
                                .networks = file->source.networks,
                                .names = file->source.names};
    status = intake_stream(&in->stream, w->intake, &feed);
    if (status == 0)
        status = intake_part(&in->part, in->stream, (int32_t)(file - w->o->files), 0);
    return status == 0 ? input_next(w, in, merging) : status;
}

/* The input whose line comes next: the earliest, the first listed on a tie. */
static struct input *earliest(struct input *inputs, size_t count)
{
    struct input *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!inputs[i].done && (best == NULL || inputs[i].time_ns < best->time_ns))
            best = &inputs[i];
    }
    return best;
}

static int input_record(struct worker *w, struct input *in, int64_t *arrival_ns)
{
    struct record record = {.partition = (int32_t)(in->file - w->o->files),
                            .offset = in->offset++,
                            .arrival_ns = *arrival_ns,
                            .reference_ns = reference_of(w, in),
                            .value = in->line};
    if (record.arrival_ns == CLOCK_NONE)
        record.arrival_ns = record.reference_ns;
    int status = intake_record(in->part, &record);
    int64_t time = feed_last_time(stream_feed(in->stream));
    if (status == 0 && w->o->reference_ns == CLOCK_NONE && time < REPLAY_EARLIEST_NS && time != 0) {
        diag_add(&w->diag, in->file->path, (uint32_t)in->offset, 0,
                 "the line's time has no year; give --reference-time, a time near the first line");
        return ERR_CONF;
    }
    if (time > *arrival_ns)
        *arrival_ns = time;
    return status;
}

/* Hand over the municipality's lines up to a time. */
static int merge_until(struct worker *w, struct merge *m, int64_t until_ns)
{
    bool merging = m->count > 1 || w->o->watch != NULL;
    int status = 0;
    struct input *in = NULL;
    while (status == 0 && (in = earliest(m->inputs, m->count)) != NULL) {
        if (merging)
            m->time_ns = in->time_ns;
        if (m->time_ns >= until_ns)
            return 0;
        status = input_record(w, in, &m->arrival_ns);
        if (!merging)
            m->time_ns = feed_last_time(stream_feed(in->stream));
        if (status == 0)
            status = input_next(w, in, merging);
    }
    m->done = status == 0;
    return status;
}

/* Open all files of the tenant that file `first` belongs to. */
static int merge_open(struct worker *w, size_t first)
{
    const struct replay_options *o = w->o;
    size_t tenant_files = 0;
    for (size_t i = first; i < o->file_count; i++)
        tenant_files += o->files[i].tenant == o->files[first].tenant;
    struct merge *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return ERR_NOMEM;
    m->next = w->merges;
    w->merges = m;
    m->arrival_ns = CLOCK_NONE;
    m->time_ns = CLOCK_NONE;
    m->inputs = calloc(tenant_files + 1, sizeof(*m->inputs));
    int status = m->inputs == NULL ? ERR_NOMEM : 0;
    for (size_t i = first; i < o->file_count && status == 0; i++) {
        if (o->files[i].tenant == o->files[first].tenant)
            status = input_open(w, &m->inputs[m->count++], &o->files[i],
                                tenant_files > 1 || o->watch != NULL);
    }
    return status;
}

static int open_merges(struct worker *w)
{
    const struct replay_options *o = w->o;
    struct intake_options intake = {.environment = &o->environment->feed,
                                    .batch_rows = o->batch_rows,
                                    .batch_age_ns = INT64_MAX,
                                    .open_bytes_max = o->open_bytes_max,
                                    .zstd_level = o->zstd_level,
                                    .watch = o->watch,
                                    .emit = emit,
                                    .self = w};
    unsigned tenants = 0;
    int status = intake_open(&w->intake, &intake);
    for (size_t i = 0; i < o->file_count && status == 0; i++) {
        bool first = true;
        for (size_t j = 0; j < i; j++)
            first = first && o->files[j].tenant != o->files[i].tenant;
        if (first && tenants++ % o->workers == w->index)
            status = merge_open(w, i);
    }
    return status;
}

static void close_merges(struct worker *w)
{
    struct merge *next = NULL;
    for (struct merge *m = w->merges; m != NULL; m = next) {
        next = m->next;
        for (size_t i = 0; i < m->count; i++)
            line_reader_close(m->inputs[i].reader);
        free(m->inputs);
        free(m);
    }
    intake_close(w->intake);
}

/* Tell the others how far this worker is, and hear the earliest line of all. */
static int64_t meet(struct worker *w)
{
    struct meeting *m = w->meeting;
    (void)pthread_barrier_wait(&m->barrier);
    if (w->index == 0)
        m->next_ns = INT64_MAX;
    (void)pthread_barrier_wait(&m->barrier);
    (void)pthread_mutex_lock(&m->lock);
    if (m->status == 0)
        m->status = w->status;
    for (const struct merge *t = w->merges; t != NULL; t = t->next) {
        if (!t->done && t->time_ns < m->next_ns)
            m->next_ns = t->time_ns;
        if (t->arrival_ns > m->last_ns)
            m->last_ns = t->arrival_ns;
    }
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_barrier_wait(&m->barrier);
    int64_t next = m->next_ns;
    int status = m->status;
    (void)pthread_barrier_wait(&m->barrier);
    return status != 0 ? CLOCK_NONE : next;
}

/* The first line of each municipality, so that the first day is known. */
static int64_t first_time(struct worker *w)
{
    for (struct merge *m = w->merges; m != NULL && w->status == 0; m = m->next)
        w->status = merge_until(w, m, CLOCK_NONE + 1);
    return meet(w);
}

static int mark(struct worker *w, int64_t tick_ns, unsigned flags)
{
    struct mark mark = {.tick_ns = tick_ns,
                        .flags = flags,
                        .day_ends = watch_day_ends(w->meeting->before_ns, tick_ns)};
    int status = intake_mark(w->intake, &mark);
    return status == 0 ? committer_wait_mark(w->committer, tick_ns) : status;
}

static void replay_days(struct worker *w)
{
    int64_t next = first_time(w);
    if (w->index == 0)
        w->meeting->before_ns = next;
    while (next != INT64_MAX && next != CLOCK_NONE) {
        int64_t until = calendar_midnight(calendar_day(next) + 1);
        for (struct merge *m = w->merges; m != NULL && w->status == 0; m = m->next)
            w->status = merge_until(w, m, until);
        next = meet(w);
        if (next == CLOCK_NONE || next == INT64_MAX)
            break;
        w->status = mark(w, until, 0);
        next = meet(w);
        if (w->index == 0)
            w->meeting->before_ns = until;
    }
    if (next == INT64_MAX && w->meeting->last_ns != CLOCK_NONE)
        w->status = mark(w, w->meeting->last_ns / CLOCK_NS_PER_SECOND * CLOCK_NS_PER_SECOND,
                         DETECT_TICK_END);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    w->status = open_merges(w);
    replay_days(w);
    if (w->status == 0)
        w->status = intake_flush(w->intake);
    close_merges(w);
    return NULL;
}

int replay_run(const struct replay_options *options, struct committer *committer, struct diag *diag)
{
    struct meeting meeting = {.last_ns = CLOCK_NONE};
    struct worker *workers = calloc(options->workers, sizeof(*workers));
    if (workers == NULL)
        return ERR_NOMEM;
    int status = 0;
    unsigned started = 0;
    (void)pthread_mutex_init(&meeting.lock, NULL);
    (void)pthread_barrier_init(&meeting.barrier, NULL, options->workers);
    while (started < options->workers && status == 0) {
        struct worker *w = &workers[started];
        *w = (struct worker){
            .o = options, .committer = committer, .meeting = &meeting, .index = started};
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            status = ERR_NOMEM;
        else
            started++;
    }
    if (status != 0) {
        /* The others wait for one that never came; the process ends anyway. */
        diag_add(diag, NULL, 0, 0, "cannot start %u threads; give --workers a smaller number",
                 options->workers);
        return status;
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        if (status == 0)
            status = workers[i].status;
        if (workers[i].diag.count != 0)
            diag_add(diag, NULL, 0, 0, "%s", diag_text(&workers[i].diag));
        diag_release(&workers[i].diag);
    }
    (void)pthread_barrier_destroy(&meeting.barrier);
    (void)pthread_mutex_destroy(&meeting.lock);
    free(workers);
    return status;
}
