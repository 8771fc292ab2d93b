#include "app/sender.h"

#include <stdlib.h>

#include "base/err.h"
#include "event/ndjson.h"
#include "store/store.h"

enum {
    PUT_TIMEOUT_MS = 60000,
    FINISH_TIMEOUT_MS = 120000,
};

/* What the journal says of a record; travels with it. */
struct journal_entry {
    struct sha256 hash;
};

struct sender {
    struct kafka_sender *kafka;
    FILE *journal;
    struct buf line;
    uint64_t failed;
    char first_error[256];
    bool journal_failed;
};

static void delivered(void *self, const struct kafka_delivery *d)
{
    struct sender *s = self;
    struct journal_entry *entry = d->opaque;
    if (d->error != NULL) {
        if (s->failed++ == 0)
            (void)snprintf(s->first_error, sizeof(s->first_error), "%s: %s", d->topic, d->error);
    } else if (s->journal != NULL) {
        buf_reset(&s->line);
        buf_text(&s->line, "{\"topic\":");
        ndjson_string(&s->line, slice_from(d->topic));
        buf_printf(&s->line, ",\"partition\":%d,\"offset\":%lld,\"bytes\":%zu,\"sha256\":\"",
                   d->partition, (long long)d->offset, d->bytes);
        for (size_t i = 0; i < SHA256_BYTES; i++)
            buf_printf(&s->line, "%02x", entry->hash.bytes[i]);
        buf_text(&s->line, "\"}\n");
        if (!buf_ok(&s->line) || fwrite(s->line.data, 1, s->line.len, s->journal) != s->line.len)
            s->journal_failed = true;
    }
    free(entry);
}

int sender_open(struct sender **out, const struct sender_options *options, struct diag *diag)
{
    struct sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return ERR_NOMEM;
    s->journal = options->journal;
    struct kafka_send_options kafka = {.brokers = options->brokers,
                                       .properties = options->properties,
                                       .property_count = options->property_count,
                                       .delivered = delivered,
                                       .self = s};
    int status = kafka_sender_open(&s->kafka, &kafka, diag);
    if (status != 0) {
        free(s);
        return status;
    }
    *out = s;
    return 0;
}

int sender_put(struct sender *s, const char *topic, struct slice value)
{
    struct journal_entry *entry = malloc(sizeof(*entry));
    if (entry == NULL)
        return ERR_NOMEM;
    int status = 0;
    if (s->journal != NULL)
        status = sha256_of(&entry->hash, value);
    struct kafka_send_record record = {
        .topic = topic, .partition = -1, .value = value, .opaque = entry};
    if (status == 0)
        status = kafka_send(s->kafka, &record, PUT_TIMEOUT_MS);
    if (status != 0)
        free(entry);
    return status == ERR_AGAIN ? ERR_DOWN : status;
}

void sender_poll(struct sender *s)
{
    kafka_sender_poll(s->kafka, 0);
}

int sender_finish(struct sender *s, struct diag *diag)
{
    int status = kafka_sender_flush(s->kafka, FINISH_TIMEOUT_MS);
    if (s->failed != 0)
        diag_add(diag, NULL, 0, 0, "%llu records were not taken; the first: %s",
                 (unsigned long long)s->failed, s->first_error);
    if (status != 0)
        diag_add(diag, NULL, 0, 0, "%zu records are not acknowledged; do the brokers answer?",
                 kafka_sender_pending(s->kafka));
    if (s->journal_failed || (s->journal != NULL && fflush(s->journal) != 0)) {
        diag_add(diag, NULL, 0, 0, "the journal could not be written");
        return ERR_IO;
    }
    return s->failed != 0 || status != 0 ? ERR_DOWN : 0;
}

void sender_close(struct sender *s)
{
    if (s == NULL)
        return;
    kafka_sender_close(s->kafka);
    buf_release(&s->line);
    free(s);
}
