#include "app/bench_desk.h"

#include <stdlib.h>

#include "app/scan.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    DESK_STREAMS_MAX = 4096,
    DIR_BYTES = 256,
    ARRIVAL_UNIT_NS = 1000000, /* what a broker's time stamps are written in */
    DESK_TICK_NS = 10000000,
};

/* A source of the script. */
struct desk_stream {
    struct bench_stream name;
    struct stream *stream;
    struct part *part;
    int64_t next;
};

struct bench_desk {
    struct bench_desk_options o;
    struct config *defaults; /* when no configuration was given */
    const struct config *config;
    struct environment nothing;
    char dir[DIR_BYTES];
    struct store *store;
    struct tally *tally;
    struct committer *committer;
    struct intake *intake;
    struct desk_stream *streams[DESK_STREAMS_MAX];
    uint64_t lines;   /* so far */
    int64_t tick_ns;  /* next look at the batches' age */
    int64_t frame_ns; /* next end of a frame */
    int64_t frame_age_ns;
    bool submitted; /* since the last frame */
};

static int desk_emit(void *self, struct parcel *parcel)
{
    struct bench_desk *d = self;
    d->submitted = true;
    return committer_submit(d->committer, 0, parcel);
}

static int committer_start(struct bench_desk *d)
{
    const struct conf_node *root = config_root(d->config);
    struct committer_options options = {.store = d->store,
                                        .workers = 1,
                                        .zstd_level = (int)conf_int(root, "limits.zstd_level"),
                                        .frame_bytes = (size_t)conf_int(root, "limits.frame_bytes"),
                                        .frame_age_ns = INT64_MAX,
                                        .give_up_when_full = true,
                                        .tally = d->tally};
    d->submitted = false;
    return committer_open(&d->committer, &options);
}

/* A frame of all that was submitted: a committer writes what it has when it ends. */
static int committer_end(struct bench_desk *d)
{
    int status = committer_finish(d->committer, 0);
    committer_free(d->committer);
    d->committer = NULL;
    return status;
}

int bench_temp_dir(char *out, size_t cap)
{
    const char *tmp = getenv("TMPDIR");
    char prefix[DIR_BYTES - 16];
    int len = snprintf(prefix, sizeof(prefix), "%s/sekisho-bench-", tmp == NULL ? "/tmp" : tmp);
    if (len < 0 || (size_t)len >= sizeof(prefix))
        return ERR_RANGE;
    return dir_create_temp(out, cap, prefix);
}

static int open_store(struct bench_desk *d)
{
    int status = bench_temp_dir(d->dir, sizeof(d->dir));
    if (status != 0)
        return status;
    struct store_options options = {.dir = d->dir};
    status = store_open(&d->store, &options, d->o.diag);
    return status == 0 ? tally_new(&d->tally) : status;
}

int bench_desk_open(struct bench_desk **out, const struct bench_desk_options *options)
{
    struct bench_desk *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return ERR_NOMEM;
    d->o = *options;
    d->config = options->config;
    int status = 0;
    if (d->config == NULL) {
        status = config_load(&d->defaults, NULL, options->diag);
        d->config = d->defaults;
    }
    if (status == 0)
        status = open_store(d);
    if (status == 0)
        status = committer_start(d);
    if (status == 0) {
        const struct conf_node *root = config_root(d->config);
        const struct environment *env =
            options->environment == NULL ? &d->nothing : options->environment;
        bool scripted = options->events_per_second != 0;
        struct intake_options intake = {
            .environment = &env->feed,
            .batch_rows = (uint32_t)conf_int(root, "limits.batch_rows"),
            .batch_age_ns = scripted ? conf_int(root, "limits.batch_age") : INT64_MAX,
            .open_bytes_max = (size_t)conf_int(root, "limits.open_bytes"),
            .zstd_level = (int)conf_int(root, "limits.zstd_level"),
            .emit = desk_emit,
            .self = d};
        d->frame_age_ns = scripted ? conf_int(root, "limits.frame_age") : INT64_MAX;
        if (options->batch_age_ns != 0)
            intake.batch_age_ns = options->batch_age_ns;
        if (options->frame_age_ns != 0)
            d->frame_age_ns = options->frame_age_ns;
        d->frame_ns = d->frame_age_ns;
        status = intake_open(&d->intake, &intake);
    }
    if (status != 0)
        bench_desk_close(d);
    else
        *out = d;
    return status;
}

void bench_desk_close(struct bench_desk *d)
{
    if (d == NULL)
        return;
    intake_close(d->intake);
    committer_free(d->committer);
    store_close(d->store);
    tally_free(d->tally);
    if (d->dir[0] != '\0')
        (void)dir_remove_tree(d->dir);
    for (size_t i = 0; i < DESK_STREAMS_MAX; i++)
        free(d->streams[i]);
    config_free(d->defaults);
    free(d);
}

static int stream_open(struct bench_desk *d, size_t index, const struct bench_stream *s)
{
    struct desk_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return ERR_NOMEM;
    d->streams[index] = stream;
    stream->name = *s;
    struct feed_options feed = bench_feed(&stream->name);
    struct config_source source;
    config_source(d->config, s->tenant, feed.source, &source);
    feed.class = source.class;
    feed.networks = source.networks;
    feed.names = source.names;
    int status = intake_stream(&stream->stream, d->intake, &feed);
    return status == 0 ? intake_part(&stream->part, stream->stream, 0, 0) : status;
}

/* Let the script's time pass. */
static int advance(struct bench_desk *d, int64_t now_ns)
{
    int status = 0;
    if (now_ns >= d->tick_ns) {
        d->tick_ns = now_ns + DESK_TICK_NS;
        status = intake_tick(d->intake, now_ns);
    }
    if (status == 0 && now_ns >= d->frame_ns) {
        d->frame_ns = now_ns + d->frame_age_ns;
        if (d->submitted) {
            status = committer_end(d);
            if (status == 0)
                status = committer_start(d);
        }
    }
    return status;
}

int bench_desk_line_at(struct bench_desk *d, size_t index, const struct bench_stream *s,
                       struct slice line, int64_t arrival_ns)
{
    if (index >= DESK_STREAMS_MAX)
        return ERR_RANGE;
    if (d->streams[index] == NULL) {
        int status = stream_open(d, index, s);
        if (status != 0)
            return status;
    }
    struct desk_stream *stream = d->streams[index];
    d->lines++;
    struct record record =
        bench_record(line, stream->next++, arrival_ns - arrival_ns % ARRIVAL_UNIT_NS);
    return intake_record(stream->part, &record);
}

int bench_desk_line(struct bench_desk *d, size_t index, const struct bench_stream *s,
                    struct slice line)
{
    int64_t now_ns = 0;
    if (d->o.events_per_second != 0)
        now_ns = (int64_t)d->lines * CLOCK_NS_PER_SECOND / d->o.events_per_second;
    int status = bench_desk_line_at(d, index, s, line, GEN_START_WORK_NS + now_ns);
    if (status == 0 && d->o.events_per_second != 0)
        status = advance(d, now_ns);
    return status;
}

int bench_desk_finish(struct bench_desk *d)
{
    int status = intake_flush(d->intake);
    int ended = committer_end(d);
    return status == 0 ? ended : status;
}

uint64_t bench_desk_log_bytes(const struct bench_desk *d)
{
    return store_log_bytes(d->store);
}

const char *bench_desk_dir(const struct bench_desk *d)
{
    return d->dir;
}

const uint8_t *bench_desk_store_id(const struct bench_desk *d)
{
    return store_id(d->store);
}

uint64_t bench_desk_unparsed(const struct bench_desk *d)
{
    return tally_total(d->tally).unparsed;
}

static int prove_row(void *self, const struct scan_row *row)
{
    struct bench_proof *p = self;
    buf_reset(&p->text);
    if (batch_render(row->batch, row->row, &p->text) != 0)
        return ERR_NOMEM;
    bench_prove_line(p, row->batch->tenant, row->offset, buf_content(&p->text));
    return 0;
}

/* Every line with its place in its stream, as bench_desk_line() counts. */
static int prove_lines(struct bench_proof *in, const struct bench_lines *lines)
{
    int64_t *offsets = calloc(lines->stream_count, sizeof(*offsets));
    for (size_t i = 0; i < lines->count && offsets != NULL; i++) {
        uint32_t stream = lines->lines[i].stream;
        bench_prove_line(in, lines->streams[stream].tenant, offsets[stream]++,
                         bench_line_text(lines, i));
    }
    int status = offsets == NULL ? ERR_NOMEM : 0;
    free(offsets);
    return status;
}

int bench_desk_prove(const struct bench_desk *d, const struct bench_lines *lines, const char *what)
{
    const struct sieve_query query = {.since_ns = INT64_MIN, .until_ns = INT64_MAX};
    const struct scan_options options = {.keep = SCAN_ORDER, .threads = 1};
    struct bench_proof in = {0};
    struct bench_proof out = {0};
    struct log_index *index = NULL;
    struct scan *scan = NULL;
    int status = prove_lines(&in, lines);
    if (status == 0)
        status = log_index_open(&index, d->dir, d->o.diag);
    if (status == 0)
        status = scan_run(&scan, index, &query, &options, d->o.diag);
    if (status == 0)
        status = scan_walk(scan, prove_row, &out);
    scan_free(scan);
    log_index_close(index);
    buf_release(&out.text);
    return status == 0 ? bench_prove_equal(&in, &out, what, d->o.diag) : status;
}
