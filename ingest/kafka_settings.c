#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "ingest/kafka_state.h"

struct setting {
    const char *name;
    const char *value; /* main consumer; NULL = computed */
    const char *aside; /* consumer for recovery; NULL = the same */
};

/*
 * What only we set. The consumer that reads aside asks for a byte and so gets one batch a time: a
 * bad batch cannot take good ones of the same answer with it.
 */
static const struct setting SETTINGS[] = {
    {"bootstrap.servers", NULL, NULL},
    {"metadata.broker.list", NULL, NULL},
    {"group.id", NULL, NULL},
    {"group.instance.id", NULL, NULL},
    {"partition.assignment.strategy", NULL, NULL},
    {"enable.auto.commit", "false", NULL},
    {"auto.commit.enable", NULL, NULL},
    {"enable.auto.offset.store", "false", NULL},
    {"auto.offset.reset", "error", NULL},
    {"isolation.level", "read_committed", NULL},
    {"check.crcs", "true", NULL},
    {"allow.auto.create.topics", "false", NULL},
    {"enable.partition.eof", "false", "true"},
    {"fetch.wait.max.ms", NULL, "100"},
    {"fetch.min.bytes", NULL, "1"},
    {"fetch.max.bytes", NULL, NULL},
    {"fetch.message.max.bytes", NULL, "1"},
    {"max.partition.fetch.bytes", NULL, NULL},
    {"fetch.error.backoff.ms", "500", "50"},
    {"receive.message.max.bytes", NULL, NULL},
    {"queued.min.messages", "1000000", "1000"},
    {"queued.max.messages.kbytes", NULL, "4096"},
    {"enable.sparse.connections", NULL, NULL},
};

enum {
    SETTING_COUNT = sizeof(SETTINGS) / sizeof(SETTINGS[0]),
    NUMBER_BYTES = 24,
    ERROR_BYTES = 512,
};

int kafka_settings_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                       struct diag *diag)
{
    char error[ERROR_BYTES];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
        return 0;
    diag_add(diag, "kafka", 0, 0, "%s", error);
    return ERR_CONF;
}

int kafka_settings_user(rd_kafka_conf_t *conf, const struct kafka_property *properties,
                        size_t count, const char *const *ours, struct diag *diag)
{
    int err = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (ours[at] != NULL && strcmp(ours[at], properties[i].name) != 0)
            at++;
        if (ours[at] != NULL) {
            diag_add(diag, "kafka", 0, 0, "property \"%s\" cannot be set: delivery depends on it",
                     properties[i].name);
            err = ERR_CONF;
        } else if (kafka_settings_set(conf, properties[i].name, properties[i].value, diag) != 0) {
            err = ERR_CONF;
        }
    }
    return err;
}

static int set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct diag *diag)
{
    char text[NUMBER_BYTES];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    return kafka_settings_set(conf, name, text, diag);
}

/* Settings that follow from the options; librdkafka counts the bytes of each worker's queue. */
static int set_computed(rd_kafka_conf_t *conf, const struct kafka_options *o, bool aside,
                        struct diag *diag)
{
    int err = kafka_settings_set(conf, "bootstrap.servers", o->brokers, diag);
    if (err == 0)
        err = kafka_settings_set(conf, "group.id", o->group, diag);
    if (err == 0)
        err = set_number(conf, "fetch.max.bytes", KAFKA_FETCH_BYTES, diag);
    if (err == 0)
        err = set_number(conf, "receive.message.max.bytes", KAFKA_RECEIVE_BYTES_MAX, diag);
    if (err != 0 || aside)
        return err;
    err = set_number(conf, "fetch.wait.max.ms", o->fetch_wait_ms, diag);
    if (err == 0)
        err = set_number(conf, "fetch.min.bytes", o->fetch_min_bytes, diag);
    if (err == 0)
        err = set_number(conf, "fetch.message.max.bytes", KAFKA_PARTITION_FETCH_BYTES, diag);
    if (err == 0)
        err = set_number(conf, "queued.max.messages.kbytes", KAFKA_QUEUE_BYTES / 1024 / o->workers,
                         diag);
    return err;
}

int kafka_settings_consumer(rd_kafka_conf_t **out, const struct kafka_options *options, bool aside,
                            struct diag *diag)
{
    const char *ours[SETTING_COUNT + 1] = {NULL};
    for (size_t i = 0; i < SETTING_COUNT; i++)
        ours[i] = SETTINGS[i].name;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int err = kafka_settings_user(conf, options->properties, options->property_count, ours, diag);
    for (size_t i = 0; i < SETTING_COUNT && err == 0; i++) {
        const struct setting *s = &SETTINGS[i];
        const char *value = aside && s->aside != NULL ? s->aside : s->value;
        if (value != NULL)
            err = kafka_settings_set(conf, s->name, value, diag);
    }
    if (err == 0)
        err = set_computed(conf, options, aside, diag);
    if (err != 0) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    *out = conf;
    return 0;
}
