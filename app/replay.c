#include "app/replay.h"

#include <pthread.h>
#include <stdlib.h>

#include "app/intake.h"
#include "app/line_reader.h"
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

struct worker {
    const struct replay_options *o;
    struct committer *committer;
    unsigned index;
    pthread_t thread;
    struct intake *intake;
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

static int merge(struct worker *w, struct input *inputs, size_t count)
{
    int64_t arrival_ns = CLOCK_NONE;
    int status = 0;
    struct input *in = NULL;
    while (status == 0 && (in = earliest(inputs, count)) != NULL) {
        status = input_record(w, in, &arrival_ns);
        if (status == 0)
            status = input_next(w, in, count > 1);
    }
    return status;
}

/* Read all files of the tenant that file `first` belongs to. */
static int replay_tenant(struct worker *w, size_t first)
{
    const struct replay_options *o = w->o;
    struct intake_options intake = {.environment = &o->environment->feed,
                                    .batch_rows = o->batch_rows,
                                    .batch_age_ns = INT64_MAX,
                                    .open_bytes_max = o->open_bytes_max,
                                    .zstd_level = o->zstd_level,
                                    .emit = emit,
                                    .self = w};
    size_t count = 0;
    size_t tenant_files = 0;
    for (size_t i = first; i < o->file_count; i++)
        tenant_files += o->files[i].tenant == o->files[first].tenant;
    struct input *inputs = calloc(tenant_files, sizeof(*inputs));
    int status = inputs == NULL ? ERR_NOMEM : intake_open(&w->intake, &intake);
    for (size_t i = first; i < o->file_count && status == 0; i++) {
        if (o->files[i].tenant == o->files[first].tenant)
            status = input_open(w, &inputs[count++], &o->files[i], tenant_files > 1);
    }
    if (status == 0)
        status = merge(w, inputs, count);
    if (status == 0)
        status = intake_flush(w->intake);
    for (size_t i = 0; i < count; i++)
        line_reader_close(inputs[i].reader);
    intake_close(w->intake);
    w->intake = NULL;
    free(inputs);
    return status;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    const struct replay_options *o = w->o;
    unsigned tenants = 0;
    for (size_t i = 0; i < o->file_count && w->status == 0; i++) {
        bool first = true;
        for (size_t j = 0; j < i; j++)
            first = first && o->files[j].tenant != o->files[i].tenant;
        if (first && tenants++ % o->workers == w->index)
            w->status = replay_tenant(w, i);
    }
    return NULL;
}

int replay_run(const struct replay_options *options, struct committer *committer, struct diag *diag)
{
    struct worker *workers = calloc(options->workers, sizeof(*workers));
    if (workers == NULL)
        return ERR_NOMEM;
    int status = 0;
    unsigned started = 0;
    while (started < options->workers && status == 0) {
        struct worker *w = &workers[started];
        *w = (struct worker){.o = options, .committer = committer, .index = started};
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            status = ERR_NOMEM;
        else
            started++;
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        if (status == 0)
            status = workers[i].status;
        if (workers[i].diag.count != 0)
            diag_add(diag, NULL, 0, 0, "%s", diag_text(&workers[i].diag));
        diag_release(&workers[i].diag);
    }
    free(workers);
    return status;
}
