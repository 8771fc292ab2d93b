#include "app/topic_streams.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct topic_stream {
    struct topic_stream *next;
    const char *topic;
    struct stream *stream;
};

static int stream_open(struct topic_streams *t, struct intake *in, const struct config *config,
                       const struct kafka_partition *p, struct stream **out)
{
    for (const struct topic_stream *s = t->first; s != NULL; s = s->next) {
        if (strcmp(s->topic, p->topic) == 0) {
            *out = s->stream;
            return 0;
        }
    }
    struct topic_stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    struct config_source source;
    config_source(config, p->tenant, p->source, &source);
    const struct feed_options feed = {.tenant = p->tenant,
                                      .topic = slice_from(p->topic),
                                      .source = p->source,
                                      .format = source.format,
                                      .layout = source.layout,
                                      .zone_minutes = source.zone_minutes,
                                      .encoding = source.encoding,
                                      .class = source.class,
                                      .split = SPLIT_LINES,
                                      .networks = source.networks,
                                      .names = source.names};
    int status = intake_stream(&s->stream, in, &feed);
    if (status != 0) {
        free(s);
        return status;
    }
    s->topic = p->topic;
    s->next = t->first;
    t->first = s;
    *out = s->stream;
    return 0;
}

int topic_streams_part(struct topic_streams *t, struct intake *in, const struct config *config,
                       struct kafka_partition *p, int64_t start)
{
    struct stream *stream = NULL;
    struct part *part = NULL;
    int status = stream_open(t, in, config, p, &stream);
    if (status == 0)
        status = intake_part(&part, stream, p->partition, start);
    if (status == 0)
        p->user = part;
    return status;
}

void topic_streams_release(struct topic_streams *t)
{
    struct topic_stream *next = NULL;
    for (struct topic_stream *s = t->first; s != NULL; s = next) {
        next = s->next;
        free(s);
    }
    t->first = NULL;
}
