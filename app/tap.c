#include "app/tap.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/topic_streams.h"
#include "base/err.h"
#include "ingest/ingest.h"

enum {
    OPEN_BYTES = 32 << 20,
    FETCH_WAIT_MS = 50,
    PROPERTIES_MAX = 128,
};

#define DISCOVER_NS INT64_C(1000000000)

struct tap {
    struct tap_options o;
    struct environment environment;
    struct kafka *kafka;
    struct intake *intake;
    struct topic_streams streams;
    struct codec *codec;
    struct buf copy;   /* the record at hand, padded */
    struct buf packed; /* batches of a parcel */
};

/* Blobs that are packed already, then the batches that would have waited for others. */
static int give_parcel(struct tap *t, struct parcel *p)
{
    int status = 0;
    for (size_t i = 0; i < p->blob_count && status == 0; i++)
        status = t->o.blob(t->o.self, p->blobs[i]);
    buf_reset(&t->packed);
    if (status == 0)
        status = pack_seal(t->codec, &p->pack, &t->packed);
    if (status == 0 && t->packed.len != 0)
        status = t->o.blob(t->o.self, buf_content(&t->packed));
    return status;
}

static int emit(void *self, struct parcel *chain)
{
    int status = 0;
    for (struct parcel *p = chain; p != NULL && status == 0; p = p->next)
        status = give_parcel(self, p);
    parcel_free(chain);
    return status;
}

static int64_t resume(void *self, const char *topic, int32_t partition)
{
    (void)self;
    (void)topic;
    (void)partition;
    return KAFKA_OFFSET_NONE;
}

static int open_kafka(struct tap *t, struct diag *diag)
{
    const struct conf_node *root = config_root(t->o.config);
    struct kafka_property properties[PROPERTIES_MAX];
    size_t count = 0;
    const struct conf_node *given = conf_find(root, "kafka.properties");
    for (const struct conf_node *n = given == NULL ? NULL : given->first;
         n != NULL && count < PROPERTIES_MAX; n = n->next)
        properties[count++] = (struct kafka_property){.name = n->key, .value = n->text.data};
    const struct kafka_options options = {.brokers = t->o.brokers,
                                          .group = "sekisho-tail",
                                          .topic_prefix = conf_text(root, "kafka.prefix"),
                                          .start_latest = !t->o.from_start,
                                          .workers = 1,
                                          .properties = properties,
                                          .property_count = count,
                                          .discover_ns = DISCOVER_NS,
                                          .fetch_wait_ms = FETCH_WAIT_MS,
                                          .resume = resume,
                                          .self = t};
    return kafka_open(&t->kafka, &options, diag);
}

int tap_open(struct tap **out, const struct tap_options *options, struct diag *diag)
{
    struct tap *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return ERR_NOMEM;
    t->o = *options;
    const struct intake_options intake = {.environment = &t->environment.feed,
                                          .batch_rows = BATCH_LIVE_ROWS_MAX,
                                          .batch_age_ns = INT64_MAX,
                                          .open_bytes_max = OPEN_BYTES,
                                          .zstd_level = 1,
                                          .emit = emit,
                                          .self = t};
    t->codec = codec_new(1);
    int status = t->codec == NULL ? ERR_NOMEM : 0;
    if (status == 0)
        status = environment_open_databases(&t->environment, options->config, diag);
    if (status == 0)
        status = intake_open(&t->intake, &intake);
    if (status == 0)
        status = open_kafka(t, diag);
    if (status != 0) {
        tap_close(t);
        return status;
    }
    *out = t;
    return 0;
}

void tap_close(struct tap *t)
{
    if (t == NULL)
        return;
    intake_close(t->intake);
    kafka_close(t->kafka);
    topic_streams_release(&t->streams);
    environment_close(&t->environment);
    codec_free(t->codec);
    buf_release(&t->copy);
    buf_release(&t->packed);
    free(t);
}

bool tap_is_up(struct tap *t)
{
    struct kafka_stats stats;
    kafka_stats(t->kafka, &stats);
    return stats.up;
}

static int take_message(struct tap *t, const struct kafka_item *item)
{
    int status = item->partition->user != NULL
                     ? 0
                     : topic_streams_part(&t->streams, t->intake, t->o.config, item->partition, -1);
    if (status != 0)
        return status;
    buf_reset(&t->copy);
    if (buf_reserve(&t->copy, item->value.len + 1) == NULL)
        return ERR_NOMEM;
    buf_slice(&t->copy, item->value);
    const struct record record = {.partition = item->partition->partition,
                                  .offset = item->offset,
                                  .arrival_ns = item->arrival_ns,
                                  .reference_ns = item->arrival_ns,
                                  .value = buf_content(&t->copy),
                                  .null_value = item->null_value,
                                  .has_key = item->has_key,
                                  .key = item->key,
                                  .headers = item->headers};
    return intake_record(item->partition->user, &record);
}

int tap_turn(struct tap *t, int timeout_ms, struct diag *diag)
{
    struct kafka_batch batch;
    int status = kafka_poll(t->kafka, 0, timeout_ms, &batch);
    if (status != 0)
        return status;
    for (size_t i = 0; i < batch.count && status == 0; i++) {
        const struct kafka_item *item = &batch.items[i];
        if (t->o.has_tenant && item->partition->tenant != t->o.tenant)
            continue;
        if (item->kind == KAFKA_MESSAGE) {
            status = take_message(t, item);
        } else {
            diag_add(diag, item->partition->topic, 0, 0,
                     "partition %" PRId32 ", offsets %" PRId64 " to %" PRId64 " are not shown: %s",
                     item->partition->partition, item->offset, item->end,
                     item->reason == NULL ? "the partition was cut" : item->reason);
        }
    }
    kafka_release(t->kafka, 0);
    return status == 0 ? intake_flush(t->intake) : status;
}
