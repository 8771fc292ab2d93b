/*
 * app/output_kafka.c - alerts into a Kafka topic: key = id, value = line, on all in-sync replicas.
 *
 * The producer is idempotent, so Kafka itself writes each record once while the producer lives. After
 * a crash between Kafka's confirmation and our cursor a batch comes again: receivers keep the
 * highest revision per id.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/output_driver.h"
#include "base/arena.h"
#include "base/err.h"
#include "ingest/ingest.h"

enum {
    PROPERTIES_MAX = 128,
    POLL_MS = 50,
    ID_TEXT_BYTES = 2 * ALERT_ID_BYTES,
    NUMBER_BYTES_MAX = 24,
};

/* A record that is neither confirmed nor refused holds up the rest: not for long. */
static const struct kafka_property DEFAULTS[] = {
    {"linger.ms", "5"},
    {"message.timeout.ms", "20000"},
    {"topic.metadata.propagation.max.ms", "5000"},
};

struct kafka_output {
    struct output_host *host;
    struct arena texts;
    const char *topic;
    const char *brokers;
    struct kafka_property *properties;
    size_t property_count;
    struct kafka_sender *sender;
    struct buf headers;
};

static bool kafka_configured(const struct config *config)
{
    return conf_given(config_root(config), "outputs.kafka");
}

static void delivered(void *self, const struct kafka_delivery *delivery)
{
    struct kafka_output *k = self;
    bool *done = delivery->opaque;
    if (delivery->error == NULL)
        *done = true;
    else
        output_why(k->host, "topic %s: %s", delivery->topic, delivery->error);
}

static int add_properties(struct kafka_output *k, const struct conf_node *map)
{
    for (const struct conf_node *n = map == NULL ? NULL : map->first;
         n != NULL && k->property_count < PROPERTIES_MAX; n = n->next) {
        struct kafka_property *p = &k->properties[k->property_count++];
        p->name = arena_copy(&k->texts, slice_from(n->key));
        p->value = arena_copy(&k->texts, n->text);
        if (p->name == NULL || p->value == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

static const char *copy_text(struct kafka_output *k, const char *text)
{
    return text == NULL ? NULL : arena_copy(&k->texts, slice_from(text));
}

/* Brokers of its own do not get the secrets of the others. */
static int read_config(struct kafka_output *k)
{
    const struct conf_node *root = config_root(k->host->config);
    const char *own = conf_text(root, "outputs.kafka.brokers");
    const char *brokers = own != NULL                ? own
                          : k->host->brokers != NULL ? k->host->brokers
                                                     : conf_text(root, "kafka.brokers");
    size_t count = sizeof(DEFAULTS) / sizeof(DEFAULTS[0]);
    k->properties = arena_array(&k->texts, count + PROPERTIES_MAX, sizeof(*k->properties));
    k->topic = copy_text(k, conf_text(root, "outputs.kafka.topic"));
    k->brokers = copy_text(k, brokers == NULL ? "" : brokers);
    if (k->properties == NULL || k->topic == NULL || k->brokers == NULL)
        return ERR_NOMEM;
    memcpy(k->properties, DEFAULTS, sizeof(DEFAULTS));
    k->property_count = count;
    int err = own == NULL ? add_properties(k, conf_find(root, "kafka.properties")) : 0;
    return err == 0 ? add_properties(k, conf_find(root, "outputs.kafka.properties")) : err;
}

static int open_sender(struct kafka_output *k, struct diag *diag)
{
    const struct kafka_send_options options = {.brokers = k->brokers,
                                               .properties = k->properties,
                                               .property_count = k->property_count,
                                               .delivered = delivered,
                                               .self = k};
    return kafka_sender_open(&k->sender, &options, diag);
}

static void kafka_done(void *self)
{
    struct kafka_output *k = self;
    kafka_sender_close(k->sender);
    buf_release(&k->headers);
    arena_release(&k->texts);
    free(k);
}

static int kafka_begin(void **out, struct output_host *host, struct slice state, struct diag *diag)
{
    (void)state;
    struct kafka_output *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return ERR_NOMEM;
    k->host = host;
    int err = read_config(k);
    if (err == 0 && k->brokers[0] == '\0') {
        diag_add(diag, NULL, 0, 0,
                 "outputs.kafka has no brokers: give outputs.kafka.brokers or kafka.brokers");
        err = ERR_CONF;
    }
    if (err == 0)
        err = open_sender(k, diag);
    if (err != 0) {
        kafka_done(k);
        return err;
    }
    *out = k;
    return 0;
}

static int kafka_reopen(void *self)
{
    struct kafka_output *k = self;
    struct diag diag = {0};
    int err = k->sender != NULL ? 0 : open_sender(k, &diag);
    if (err != 0)
        output_why(k->host, "%.*s", (int)strcspn(diag_text(&diag), "\n"), diag_text(&diag));
    diag_release(&diag);
    return err;
}

/* A producer that was told that a topic is not there believes it for minutes: a new one asks. */
static void kafka_leave(void *self)
{
    struct kafka_output *k = self;
    kafka_sender_close(k->sender);
    k->sender = NULL;
}

static void put_header(struct buf *out, const char *name, const char *value)
{
    size_t value_len = strlen(value);
    buf_varint(out, strlen(name));
    buf_text(out, name);
    buf_varint(out, value_len + 1);
    buf_append(out, value, value_len);
}

static void hex_id(char out[ID_TEXT_BYTES], const struct alert_id *id)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < ALERT_ID_BYTES; i++) {
        out[2 * i] = DIGITS[id->bytes[i] >> 4];
        out[2 * i + 1] = DIGITS[id->bytes[i] & 15];
    }
}

/* `done` is the bool that the confirmation sets. */
static int send_one(struct kafka_output *k, const struct alert_record *alert, void *done)
{
    char id[ID_TEXT_BYTES];
    char tenant[NUMBER_BYTES_MAX];
    char revision[NUMBER_BYTES_MAX];
    hex_id(id, &alert->id);
    (void)snprintf(tenant, sizeof(tenant), "%06" PRIu32, alert->tenant);
    (void)snprintf(revision, sizeof(revision), "%" PRIu32, alert->revision);
    buf_reset(&k->headers);
    put_header(&k->headers, "tenant", tenant);
    put_header(&k->headers, "revision", revision);
    put_header(&k->headers, "schema", "1");
    if (!buf_ok(&k->headers))
        return ERR_NOMEM;
    const struct kafka_send_record record = {.topic = k->topic,
                                             .partition = -1,
                                             .value = alert->line,
                                             .has_key = true,
                                             .key = slice_of(id, sizeof(id)),
                                             .headers = buf_content(&k->headers),
                                             .opaque = done};
    return kafka_send(k->sender, &record, POLL_MS);
}

static int kafka_deliver(void *self, struct output_batch *batch)
{
    struct kafka_output *k = self;
    int err = 0;
    for (size_t i = 0; i < batch->count && err == 0 && !output_stopping(k->host); i++) {
        if (!batch->done[i])
            err = send_one(k, &batch->alerts[i], &batch->done[i]);
    }
    if (err != 0)
        output_why(k->host, "topic %s: %s", k->topic,
                   err == ERR_NOTFOUND ? "does not exist; create it" : err_name(err));
    /* Only when all are reported is it known what has to come again. */
    while (kafka_sender_pending(k->sender) != 0 && !output_stopping(k->host))
        kafka_sender_poll(k->sender, POLL_MS);
    kafka_sender_poll(k->sender, 0);
    for (size_t i = 0; i < batch->count && err == 0; i++)
        err = batch->done[i] ? 0 : ERR_DOWN;
    return err;
}

const struct output_driver OUTPUT_KAFKA = {
    .name = "kafka",
    .configured = kafka_configured,
    .open = kafka_begin,
    .close = kafka_done,
    .connect = kafka_reopen,
    .disconnect = kafka_leave,
    .deliver = kafka_deliver,
};
