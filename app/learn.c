#include "app/learn.h"

#include <stdlib.h>

#include "app/intake.h"
#include "base/calendar.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    OPEN_BYTES = 64 << 20,
    SOURCE_BYTES_MAX = 32,
};

/* A source of a municipality. */
struct learned {
    struct learned *next;
    uint32_t tenant;
    char source[SOURCE_BYTES_MAX + 1];
    struct stream *stream;
    struct part *part;
    int64_t offset;
};

struct learn {
    struct learn_options o;
    struct intake *intake;
    struct learned *sources;
    struct buf line;
    struct buf contributions;
    int64_t day_end_ns;
    int64_t last_ns;
};

/* Nothing is kept but what the day brought for the prefecture's snapshot. */
static int drop(void *self, struct parcel *parcel)
{
    struct learn *l = self;
    int status = 0;
    if (parcel->mark && parcel->day_ends) {
        buf_reset(&l->contributions);
        status = watch_midnight(l->o.watch, buf_content(&parcel->contributions), parcel->tick_ns,
                                &l->contributions);
    }
    parcel_free(parcel);
    return status;
}

int learn_open(struct learn **out, const struct learn_options *options)
{
    struct learn *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_NOMEM;
    l->o = *options;
    l->last_ns = CLOCK_NONE;
    struct intake_options intake = {.environment = options->environment,
                                    .batch_rows = BATCH_LIVE_ROWS_MAX,
                                    .batch_age_ns = INT64_MAX,
                                    .open_bytes_max = OPEN_BYTES,
                                    .zstd_level = 1,
                                    .watch = options->watch,
                                    .emit = drop,
                                    .self = l};
    int status = intake_open(&l->intake, &intake);
    if (status != 0) {
        learn_close(l);
        return status;
    }
    *out = l;
    return 0;
}

void learn_close(struct learn *l)
{
    if (l == NULL)
        return;
    intake_close(l->intake);
    struct learned *next = NULL;
    for (struct learned *s = l->sources; s != NULL; s = next) {
        next = s->next;
        free(s);
    }
    buf_release(&l->line);
    buf_release(&l->contributions);
    free(l);
}

static int open_source(struct learn *l, struct learned *s)
{
    struct config_source source;
    config_source(l->o.config, s->tenant, slice_from(s->source), &source);
    struct feed_options feed = {.tenant = s->tenant,
                                .topic = SLICE("file"),
                                .source = slice_from(s->source),
                                .format = source.format,
                                .layout = source.layout,
                                .zone_minutes = source.zone_minutes,
                                .encoding = source.encoding,
                                .class = source.class,
                                .split = SPLIT_LINES,
                                .replay = true,
                                .networks = source.networks,
                                .names = source.names};
    int status = intake_stream(&s->stream, l->intake, &feed);
    return status == 0 ? intake_part(&s->part, s->stream, 0, 0) : status;
}

static int source_of(struct learn *l, uint32_t tenant, const char *name, struct learned **out)
{
    struct learned *s = l->sources;
    while (s != NULL && (s->tenant != tenant || strcmp(s->source, name) != 0))
        s = s->next;
    *out = s;
    if (s != NULL)
        return 0;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->tenant = tenant;
    memcpy(s->source, name, strnlen(name, SOURCE_BYTES_MAX));
    int status = open_source(l, s);
    if (status != 0) {
        free(s);
        return status;
    }
    s->next = l->sources;
    l->sources = s;
    *out = s;
    return 0;
}

int learn_line(struct learn *l, uint32_t tenant, const char *source, struct slice line,
               int64_t time_ns)
{
    struct learned *s = NULL;
    int status = source_of(l, tenant, source, &s);
    if (status == 0 && l->last_ns != CLOCK_NONE && time_ns >= l->day_end_ns) {
        struct mark mark = {.tick_ns = l->day_end_ns, .day_ends = true};
        status = intake_mark(l->intake, &mark);
    }
    if (time_ns >= l->day_end_ns)
        l->day_end_ns = calendar_midnight(calendar_day(time_ns) + 1);
    l->last_ns = time_ns;
    buf_reset(&l->line);
    buf_slice(&l->line, line);
    buf_byte(&l->line, '\n');
    if (status != 0 || !buf_ok(&l->line) || buf_reserve(&l->line, 1) == NULL)
        return status != 0 ? status : ERR_NOMEM;
    struct record record = {.offset = s->offset++,
                            .arrival_ns = time_ns,
                            .reference_ns = time_ns,
                            .value = buf_content(&l->line)};
    return intake_record(s->part, &record);
}

int learn_finish(struct learn *l, int64_t *tick_ns)
{
    *tick_ns = 0;
    if (l->last_ns == CLOCK_NONE)
        return 0;
    struct mark mark = {.tick_ns = l->last_ns / CLOCK_NS_PER_SECOND * CLOCK_NS_PER_SECOND};
    *tick_ns = mark.tick_ns;
    return intake_mark(l->intake, &mark);
}
